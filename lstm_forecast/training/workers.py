"""A batch split over threads: each computes the gradient of its rows, and the parts are added in their order.

Threads within a kernel wait for each other at every time step; these wait for each other once a step of the
optimiser. Which thread is done first changes nothing: the same number of threads gives the same bits, and
another one differs by the order of summation alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")
Gradients = Sequence[Tensor | None]  # one per parameter; None where the loss does not depend on it


class Workers:
    """So many threads, the calling one among them, each with one thread within its kernels.

    With one nothing is started, and everything is computed in the calling thread when it is asked for.

    Args:
        threads: 1 or more.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._behind: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Starts the threads."""
        if self.threads > 1:
            self._pool = ThreadPoolExecutor(
                self.threads - 1, "rows", initializer=torch.set_num_threads, initargs=(1,)
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the threads, each after what it is at."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def shards(self, count: int) -> list[slice]:
        """Rows of a batch of ``count`` for each thread: as many for each, the first ones one more."""
        parts = max(1, min(self.threads, count))
        size, more = divmod(count, parts)
        borders = [part * size + min(part, more) for part in range(parts + 1)]
        return [slice(*pair) for pair in pairwise(borders)]

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` of every item, one thread each, in the order of the items.

        Raises:
            BaseException: what ``work`` raised first in that order, after all of it has ended.
        """
        if self._pool is None:
            return [work(item) for item in items]
        futures = [self._pool.submit(work, item) for item in items[1:]]
        self._begin_waiting()
        try:
            first = work(items[0])
        finally:
            for future in futures:  # nobody may read a weight that is about to change
                future.exception()  # waits; concurrent.futures.wait would take as long as what it waits for
        return [first, *(future.result() for future in futures)]

    def begin_behind(self, work: Callable[[], Result]) -> Callable[[], Result]:
        """Begins in another thread, where there is one, behind its part of the next ``each``.

        The calling thread is then still at its own part, or at what only one thread can do.

        Returns:
            What gives the result; it begins what no ``each`` has begun.
        """
        if self._pool is None:
            return work
        begun: list[Future[Result]] = []
        pool = self._pool
        self._behind = lambda: begun.append(pool.submit(work))

        def result() -> Result:
            self._begin_waiting()
            return begun[0].result()

        return result

    def _begin_waiting(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            behind()


def workers_on(device: torch.device, threads: int) -> Workers:
    """So many threads on the CPU; another device has parallel parts of its own."""
    return Workers(threads if device.type == "cpu" else 1)


def weighted_gradients(gradients: Sequence[Gradients], shares: Sequence[float]) -> Gradients:
    """The sum of the shards' gradients, each times its share; added in their order, into the first ones."""
    if len(gradients) == 1:
        return gradients[0]
    first, *others = [[part for part in shard if part is not None] for shard in gradients]
    torch._foreach_mul_(first, shares[0])
    for other, share in zip(others, shares[1:], strict=True):
        torch._foreach_add_(first, other, alpha=share)
    return gradients[0]
