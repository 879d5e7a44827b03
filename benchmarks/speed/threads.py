"""One training step of a stacked LSTM in one thread, with threads within kernels, and with the batch split.

    python benchmarks/speed/threads.py
    python benchmarks/speed/threads.py --rows          # what a row costs in small shards
    python benchmarks/speed/threads.py --loop          # the training loop on one thread and on two

Milliseconds of a forward and a backward pass over windows of 60 steps, two layers, by width and batch, alone
and beside a busy neighbour: medians of turns. With ``--rows`` seconds of the processor per 1,000 rows of a
shard, which say how small a shard may be; with ``--loop`` milliseconds of a whole step of the optimiser by
the hidden values of a step, which say how little to compute is worth a second thread:
``lstm_forecast/cores.py`` goes by both.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import Tensor

from benchmarks.speed.interleaved import neighbour
from benchmarks.speed.training import options, ours
from lstm_forecast.model.devices import using_threads
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.allocator import keep_freed_memory
from lstm_forecast.training.workers import Workers, weighted_gradients

SHAPES = ((16, 32), (50, 32), (50, 128), (128, 32), (128, 128), (512, 32))  # width, batch
STEPS = 60
# width, layers, lookback, batch
LOOPS = (
    *((20, 2, 24, 16), (20, 1, 60, 32), (50, 1, 24, 32), (50, 1, 60, 16), (64, 1, 24, 32), (128, 1, 24, 16)),
    *((20, 2, 24, 64), (32, 1, 60, 32), (20, 2, 60, 32), (50, 1, 60, 32), (128, 1, 24, 32), (20, 1, 336, 16)),
    *((64, 1, 60, 32), (20, 4, 60, 32), (50, 2, 60, 32), (128, 1, 60, 32), (50, 4, 60, 32), (64, 1, 60, 128)),
)
LOOP_STEPS = 24  # of an epoch


def main() -> int:
    """Prints one line per shape and surrounding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="default 2")
    parser.add_argument("--turns", type=int, default=9, metavar="N", help="steps of each, default 9")
    parser.add_argument("--rows", action="store_true", help="shards of few rows")
    parser.add_argument("--loop", action="store_true", help="the whole training loop")
    given = parser.parse_args()
    keep_freed_memory()
    if given.rows:
        return _rows(given.turns)
    if given.loop:
        return _loop(given.threads, given.turns)
    print("| width, batch | neighbour | one thread | within kernels | batch split |")
    print("| --- | --- | ---: | ---: | ---: |")
    for width, batch in SHAPES:
        for busy in (False, True):
            with neighbour(present=busy):
                one, within, split = _three(width, batch, given.threads, given.turns)
            about = "busy" if busy else "none"
            print(f"| {width}, {batch} | {about} | {one:.1f} | {within:.1f} | {split:.1f} |", flush=True)
    return 0


def _three(width: int, batch: int, threads: int, turns: int) -> tuple[float, float, float]:
    """Median milliseconds of a step in one thread, with threads within kernels, with the batch split."""
    model, x = RegLSTM(1, width, 2), torch.randn(batch, STEPS, 1)

    def within() -> None:
        with using_threads(threads):
            _gradients(model, x)

    with using_threads(1), Workers(threads) as workers:

        def split() -> None:
            shards = workers.shards(batch)
            parts = workers.each(lambda rows: _gradients(model, x[rows]), shards)
            weighted_gradients(parts, [(part.stop - part.start) / batch for part in shards])

        ways: list[Callable[[], object]] = [lambda: _gradients(model, x), within, split]
        times: list[list[float]] = [[] for _ in ways]
        for _ in range(turns + 1):
            for way, taken in zip(ways, times, strict=True):
                began = time.perf_counter()
                way()
                taken.append(time.perf_counter() - began)
    one, kernels, shards = (1000 * statistics.median(taken[1:]) for taken in times)
    return one, kernels, shards


def _rows(turns: int) -> int:
    """Prints processor time per 1,000 rows by the rows of a shard."""
    print("| width | " + " | ".join(f"{rows} rows" for rows in (2, 4, 8, 16, 32, 64)) + " |")
    print("| --- |" + " ---: |" * 6)
    with using_threads(1):
        for width in (16, 50, 128, 512):
            model = RegLSTM(1, width, 2)
            cells = []
            for rows in (2, 4, 8, 16, 32, 64):
                x, taken = torch.randn(rows, STEPS, 1), []
                for _ in range(turns + 1):
                    began = time.process_time()
                    _gradients(model, x)
                    taken.append(time.process_time() - began)
                cells.append(f"{1000 * statistics.median(taken[1:]) / rows:.2f}")
            print(f"| {width} | {' | '.join(cells)} |", flush=True)
    return 0


def _loop(threads: int, turns: int) -> int:
    """Prints milliseconds of a step of the training loop on one thread and on several."""
    print("| width, layers, lookback, batch | hidden values | one thread | several | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    names = ("hidden", "layers", "lookback", "batch")
    for sizes in sorted(LOOPS, key=math.prod):
        words = [word for name, size in zip(names, sizes, strict=True) for word in (f"--{name}", str(size))]
        words += ["--windows", str(sizes[-1] * LOOP_STEPS)]
        epochs = [ours(options().parse_args([*words, "--threads", str(n)])) for n in (1, threads)]
        taken: list[list[float]] = [[], []]
        for _ in range(turns + 1):
            for epoch, times in zip(epochs, taken, strict=True):
                began = time.perf_counter()
                epoch()
                times.append(time.perf_counter() - began)
        one, several = (1000 * statistics.median(times[1:]) / LOOP_STEPS for times in taken)
        shape = ", ".join(map(str, sizes))
        print(
            f"| {shape} | {math.prod(sizes):,} | {one:.1f} | {several:.1f} | {several / one:.2f} |",
            flush=True,
        )
    return 0


def _gradients(model: RegLSTM, x: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(model.final(x).square().sum(), list(model.parameters()))


if __name__ == "__main__":
    sys.exit(main())
