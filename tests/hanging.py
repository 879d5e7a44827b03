"""What would else run for hours ends here. No test measures a time: machines differ, and so do their days."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_S = 120  # a hundred times what anything under this guard takes on a slow machine


@contextmanager
def never_hangs() -> Iterator[None]:
    """Fails what is still at it after two minutes: work that grows with the square of its input, or worse."""

    def late(*_: object) -> None:
        raise AssertionError(f"still at it after {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
