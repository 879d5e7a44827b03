"""The compiled LSTM kernel beside torch's, forth and back, on one core: how large is which network's gain?

    python benchmarks/speed/kernel.py
    python benchmarks/speed/kernel.py --sizes 60x32x50x4 24x16x20x2

A size is steps x rows x units x layers. Each takes turns with torch in one process; memory that is freed
stays with it for both. GFLOP/s counts the products of three passes (forward, and twice as much backward), so
what the gates do to the cells is time and no work. The last line is a core's own limit: one large product.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import Tensor, nn

from lstm_forecast.model.lstm_kernel import kernel
from lstm_forecast.model.lstm_layer import LSTM, stacked
from lstm_forecast.training.allocator import keep_freed_memory

SIZES = (
    "24x8x20x2",
    "60x16x50x4",
    "60x32x50x4",
    "10x128x128x1",
    "60x64x128x2",
    "168x32x64x2",
    "336x16x50x2",
    "60x256x50x2",
    "60x128x256x1",
    "168x64x256x1",
)


def main() -> int:
    """Prints a line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="LxBxDxN")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each size, default 4")
    given = parser.parse_args()
    if kernel().library is None:
        print(kernel().about)
        return 1
    keep_freed_memory()
    torch.set_num_threads(1)
    print("| steps x rows x units x layers | torch, ms | compiled, ms | ratio | GFLOP/s, torch | compiled |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for size in given.sizes:
        print(line(size, given.seconds), flush=True)
    one, other = torch.randn(1024, 1024), torch.randn(1024, 1024)
    product = median(seconds_of(lambda: torch.mm(one, other)) for _ in range(9))
    print(f"\na product of two matrices of 1,024 x 1,024: {2 * 1024**3 / product / 1e9:.0f} GFLOP/s")
    return 0


def line(size: str, seconds: float) -> str:
    """One size in turn by both."""
    steps, rows, units, count = map(int, size.split("x"))
    torch.manual_seed(0)
    layers = nn.ModuleList(LSTM(1 if k == 0 else units, units) for k in range(count))
    parameters, x = list(layers.parameters()), torch.randn(steps, rows, 1)
    weight = torch.randn(steps, rows, units)

    def back(out: Tensor) -> None:
        torch.autograd.grad((out * weight).sum(), parameters)

    def torchs() -> None:
        out = x
        for layer in layers:
            assert isinstance(layer, LSTM)
            out, _ = nn.LSTM.forward(layer, out)
        back(out)

    def ours() -> None:
        none = [None] * count
        back(stacked(layers, x, none, none, whole=True, threads=None)[0])

    for work in (torchs, ours):
        work()
    times: tuple[list[float], list[float]] = ([], [])
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times[0]) < 3:
        for work, taken in zip((torchs, ours), times, strict=True):
            taken.append(seconds_of(work))
    plain, mine = map(median, times)
    work_done = 3 * 2 * steps * rows * 4 * units * (1 + units + (count - 1) * 2 * units) / 1e9
    speeds = f"{work_done / plain:.0f} | {work_done / mine:.0f}"
    return f"| {size} | {plain * 1e3:.2f} | {mine * 1e3:.2f} | {mine / plain:.2f} | {speeds} |"


def seconds_of(work: Callable[[], object]) -> float:
    """By the clock, once."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
