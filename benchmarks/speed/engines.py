"""The forward pass of one network in NumPy, with one and with two threads of its products, and in torch.

    .venv/bin/python benchmarks/speed/engines.py [--rounds 5]

Windows of 60 steps, all weights random, torch on one thread as a forecast has it. The fastest of some rounds,
in turn: processor time of one thread each, which a busy machine changes little; the wall's of NumPy on one
and on two threads, which on a busy one wait for each other; how long NumPy took for a weight and window, and
for one step of one layer.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from lstm_forecast.model.architecture import Architecture, CellName, weight_shapes
from lstm_forecast.model.numpy_forward import ArrayNetwork
from lstm_forecast.model.reglstm import RegLSTM

STEPS = 60
SHAPES: tuple[tuple[CellName, int, int], ...] = (
    ("lstm", 8, 1),
    ("lstm", 50, 4),
    ("lstm", 64, 2),
    ("lstm", 256, 2),
    ("gru", 64, 2),
    ("lstm_peephole", 64, 2),
)


def main() -> int:
    """Prints a table of networks and windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all three ways")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | windows | NumPy, ms | torch, ms | ns a weight | µs a step | wall, ms | on two |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for cell, width, layers in SHAPES:
        made = Architecture(input_size=1, hidden_size=width, num_layers=layers, cell=cell)
        weights = sum(math.prod(s) for key, s in weight_shapes(made).items() if key.startswith("layers"))
        for windows in (1, 8, 32, 128, 512):
            walls, (one, _, other) = best_of(options.rounds, ways_of(made, windows))
            each, step = one / STEPS / windows / weights, one / STEPS / layers
            numbers = f"{1e3 * one:.1f} | {1e3 * other:.1f} | {1e9 * each:.2f} | {1e6 * step:.0f}"
            numbers += f" | {1e3 * walls[0]:.1f} | {1e3 * walls[1]:.1f}"
            print(f"| {cell} {layers} x {width} | {windows} | {numbers} |", flush=True)
    return 0


def ways_of(made: Architecture, windows: int) -> list[Callable[[], object]]:
    """NumPy on one thread, NumPy on two, torch."""
    model = RegLSTM(**vars(made)).eval()
    network = ArrayNetwork(made, {name: value.numpy() for name, value in model.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(windows, STEPS, 1))
    tensor = torch.tensor(x, dtype=torch.float32)

    def on_two() -> None:
        with threadpool_limits(limits=2, user_api="blas"):
            list(network.layers(x, None))

    def in_torch() -> None:
        with torch.inference_mode():
            model.final(tensor)

    return [lambda: network.final(x), on_two, in_torch]


def best_of(rounds: int, ways: list[Callable[[], object]]) -> tuple[list[float], list[float]]:
    """The least wall and processor seconds of each way."""
    walls, spent = [math.inf] * len(ways), [math.inf] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            began = time.perf_counter(), time.process_time()
            way()
            walls[place] = min(walls[place], time.perf_counter() - began[0])
            spent[place] = min(spent[place], time.process_time() - began[1])
    return walls, spent


if __name__ == "__main__":
    sys.exit(main())
