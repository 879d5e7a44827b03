"""One training step of a stacked LSTM with one thread and with two, alone and beside a busy neighbour.

    .venv/bin/python benchmarks/speed/threads.py

Prints milliseconds per step (median of repeats) and the ratio; 32 windows of 60 steps, two layers.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lstm_forecast.model.devices import using_threads
from lstm_forecast.model.reglstm import RegLSTM

BUSY = "while True: sum(range(1000))"


@contextmanager
def neighbour(present: bool) -> Iterator[None]:
    """Keeps another process busy on one core while the block runs, where asked for."""
    process = subprocess.Popen([sys.executable, "-c", BUSY]) if present else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def milliseconds(width: int, threads: int, *, repeats: int = 9) -> float:
    """Median time of a forward and a backward pass."""
    with using_threads(threads):
        model, x = RegLSTM(1, width, 2), torch.randn(32, 60, 1)
        times = []
        for _ in range(repeats + 2):
            began = time.perf_counter()
            model.final(x).sum().backward()  # type: ignore[no-untyped-call]
            times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[2:])  # the first two warm the allocator up


def main() -> None:
    """Prints one line per width and surrounding."""
    print("width  neighbour  1 thread ms  2 threads ms  2 / 1")
    for width in (50, 100, 200, 400):
        for present in (False, True):
            with neighbour(present):
                one, two = milliseconds(width, 1), milliseconds(width, 2)
            print(
                f"{width:>5}  {'busy' if present else 'none':<9}  {one:11.1f}  {two:12.1f}  {two / one:5.2f}"
            )


if __name__ == "__main__":
    main()
