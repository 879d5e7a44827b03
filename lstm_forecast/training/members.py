"""The networks of an ensemble trained side by side: one thread each, and the same bits as one by one.

A network's training holds the interpreter only between kernels, so on two cores two of them take about the
time of one. Threads within a kernel wait for each other at every time step; these never do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from lstm_forecast.model.devices import using_threads
from lstm_forecast.signals import Abandoned, heeding

Result = TypeVar("Result")


def side_by_side(trainings: Sequence[Callable[[], Result]], *, workers: int) -> list[Result]:
    """Runs trainings, at most so many at once, and gives what they give, in their order.

    With one worker, or one training, they run one after the other in the calling thread. Where one fails, or
    a signal reaches the calling thread, the others end before their next step. Each has one thread within
    its kernels: it is the batch that is split.

    Raises:
        BaseException: what the first failed training raised.
    """
    if min(workers, len(trainings)) <= 1:
        with using_threads(1):
            return [training() for training in trainings]
    left = threading.Event()

    def run(training: Callable[[], Result]) -> Result:
        torch.set_num_threads(1)  # of this thread
        with heeding(left):
            return training()

    with using_threads(1), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run, training) for training in trainings]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(_went_well(future) for future in futures):
                left.set()
                pool.shutdown(wait=True, cancel_futures=True)
    failed = [future for future in futures if not _went_well(future)]
    # those that ended because another one failed do not say why
    for future in sorted(failed, key=lambda one: one.cancelled() or isinstance(one.exception(), Abandoned)):
        future.result()
    return [future.result() for future in futures]


def _went_well(future: Future[Result]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
