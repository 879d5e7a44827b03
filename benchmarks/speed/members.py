"""Three networks trained one after the other, side by side on threads, and as one batched network.

    .venv/bin/python benchmarks/speed/members.py

A network is one LSTM layer and a linear head. Batched, all three share each product (``bmm``), gate by gate
in Python, since torch's own LSTM takes one set of weights. The fastest of some rounds, in turn: by the wall,
and in seconds of the processor, which neighbours of the process change little. Side by side, equal processor
time means that the wall time falls with the cores that are free.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from lstm_forecast.training.members import side_by_side

COUNT = 3
SHAPES = (
    (50, 32, 60, 1, 5, 4),
    (128, 256, 10, 24, 48, 3),
)  # width, windows, steps, features, horizon, updates


class Batched(nn.Module):
    """So many LSTMs at once, [M, L, B, F] -> [M, B, H]."""

    def __init__(self, count: int, width: int, features: int, horizon: int) -> None:
        super().__init__()
        self.width = width
        self.into = nn.Parameter(0.1 * torch.randn(count, features, 4 * width))
        self.back = nn.Parameter(0.1 * torch.randn(count, width, 4 * width))
        self.bias = nn.Parameter(torch.zeros(count, 1, 4 * width))
        self.out = nn.Parameter(torch.zeros(count, width, horizon))

    def forward(self, x: Tensor) -> Tensor:
        """Every network's answers."""
        count, steps, batch, features = x.shape
        gates = torch.bmm(x.reshape(count, steps * batch, features), self.into) + self.bias
        h = c = x.new_zeros(count, batch, self.width)
        for step in gates.view(count, steps, batch, -1).unbind(1):
            i, f, g, o = torch.baddbmm(step, h, self.back).chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return torch.bmm(h, self.out)


class Single(nn.Module):
    """One LSTM of torch, [L, B, F] -> [B, H]."""

    def __init__(self, width: int, features: int, horizon: int) -> None:
        super().__init__()
        self.layer, self.head = nn.LSTM(features, width), nn.Linear(width, horizon)

    def forward(self, x: Tensor) -> Tensor:
        """The answers."""
        answer: Tensor = self.head(self.layer(x)[1][0][0])
        return answer


def main() -> int:
    """Prints a table of the three ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="rounds of all three ways")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| width, windows, steps | way | wall, ms | processor, ms |\n| --- | --- | ---: | ---: |")
    for shape in SHAPES:
        for name, (wall, cpu) in measured(shape, options.rounds).items():
            print(f"| {', '.join(map(str, shape[:3]))} | {name} | {1000 * wall:.0f} | {1000 * cpu:.0f} |")
    return 0


def measured(shape: tuple[int, ...], rounds: int) -> dict[str, tuple[float, float]]:
    """The least wall and processor time of each way."""
    width, windows, steps, features, horizon, updates = shape
    x, y = torch.randn(steps, windows, features), torch.randn(windows, horizon)
    alone = [trained(Single(width, features, horizon), x, y, updates) for _ in range(COUNT)]
    wide = x.expand(COUNT, -1, -1, -1).contiguous()
    ways: dict[str, Callable[[], object]] = {
        "one after the other": partial(side_by_side, alone, workers=1),
        "side by side": partial(side_by_side, alone, workers=2),
        "batched": trained(Batched(COUNT, width, features, horizon), wide, y.expand(COUNT, -1, -1), updates),
    }
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def trained(model: nn.Module, x: Tensor, y: Tensor, updates: int) -> Callable[[], None]:
    """So many updates of a network, when called."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def train() -> None:
        for _ in range(updates):
            loss = (model(x) - y).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return train


if __name__ == "__main__":
    sys.exit(main())
