"""What training.precision: bfloat16 costs or saves on this machine, per cell and width, in one run.

    .venv/bin/python benchmarks/speed/precision.py
    .venv/bin/python benchmarks/speed/precision.py --device cuda --repeat 20

One training step (forward, backward, optimiser) of 64 windows of 60 steps, float32 and bfloat16 in turn; the
fastest of each counts, in seconds of the processor, so that neighbours of the process matter little. A cell
that the device cannot train in bfloat16 is said.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import get_args

import torch

from lstm_forecast.errors import ResourceError
from lstm_forecast.model.architecture import CellName
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.precision import Precision, computing_in, require_precision
from lstm_forecast.model.reglstm import RegLSTM

BATCH, LOOKBACK = 64, 60


def main() -> int:
    """Prints a table: milliseconds of a step in both precisions, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where the network runs")
    parser.add_argument("--widths", default="50,128", help="hidden sizes")
    parser.add_argument("--repeat", type=int, default=5, help="steps of each kind")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {device}, one thread")
    print("| cell | width | float32, ms | bfloat16, ms | bfloat16 / float32 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for cell in get_args(CellName):
        for width in map(int, options.widths.split(",")):
            print(row(cell, width, device, options.repeat), flush=True)
    return 0


def row(cell: CellName, width: int, device: torch.device, repeat: int) -> str:
    """One line of the table."""
    model = RegLSTM(1, width, output_size=5, cell=cell)
    initialise(model, torch.Generator().manual_seed(0))
    model.to(device).train()
    try:
        require_precision(model, "bfloat16", lookback=LOOKBACK)
    except ResourceError as error:
        return f"| {cell} | {width} | | | {error.message[:60]}… |"
    best = {"float32": float("inf"), "bfloat16": float("inf")}
    steps = {name: step_of(model, name, device) for name in get_args(Precision)}
    for _ in range(repeat + 1):
        for name, step in steps.items():
            best[name] = min(best[name], step())
    slow, fast = 1000 * best["float32"], 1000 * best["bfloat16"]
    return f"| {cell} | {width} | {slow:.1f} | {fast:.1f} | {fast / slow:.2f} |"


def step_of(model: RegLSTM, precision: Precision, device: torch.device) -> Callable[[], float]:
    """A training step that gives the seconds it took."""
    x = torch.randn(BATCH, LOOKBACK, 1, generator=torch.Generator().manual_seed(0)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> float:
        began = clock(device)
        with computing_in(precision, device):
            answer = model.final(x)
        optimizer.zero_grad(set_to_none=True)
        answer.float().square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return clock(device) - began

    return step


def clock(device: torch.device) -> float:
    """Seconds: of the processor on the CPU, else by the wall once the device has finished."""
    if device.type == "cpu":
        return time.process_time()
    torch.accelerator.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    sys.exit(main())
