"""One epoch of a stacked LSTM: this program's loop beside a plain loop in torch, the same work.

    python benchmarks/speed/training.py
    python benchmarks/speed/training.py --busy
    python benchmarks/speed/training.py --hidden 128 --layers 2 --batch 128

The classic work unless options say otherwise: windows of 60 steps of one feature, 4 x LSTM(50) with dropout,
a linear head on the last state, mean squared error, Adam. The plain loop is what one writes with ``nn.LSTM``;
it runs with all defaults, and once more with the allocator settings of this program.
Prints medians of epochs in turn, by the wall and in seconds of the processor, and their ratios.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.speed.interleaved import contend, measured, report
from benchmarks.speed.own_loop import epochs_of

CONTENDERS = {
    "plain": "plain torch, all defaults",
    "kept": "plain torch, our allocator settings",
    "ours": "this program",
}


def options() -> argparse.ArgumentParser:
    """The command line, of the parent and of the contenders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    sizes = {"hidden": 50, "layers": 4, "lookback": 60, "batch": 32, "windows": 1975, "features": 1}
    for name, usual in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=usual, metavar="N", help=f"default {usual}")
    parser.add_argument("--dropout", type=float, default=0.2, metavar="P", help="default 0.2")
    parser.add_argument("--threads", type=int, metavar="N", help="of this program; default: auto")
    parser.add_argument("--turns", type=int, default=7, metavar="N", help="epochs of each, default 7")
    parser.add_argument("--busy", action="store_true", help="one busy process beside the training")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser


def main() -> int:
    """Prints a table of the contenders and the ratios."""
    given = options().parse_args()
    if given.contender:
        if given.contender != "plain":
            from lstm_forecast.training.allocator import keep_freed_memory

            keep_freed_memory()
        contend(ours(given) if given.contender == "ours" else plain(given))
        return 0
    commands = {name: [sys.executable, __file__, *sys.argv[1:], "--contender", name] for name in given.only}
    report(measured(commands, turns=given.turns, busy=given.busy), CONTENDERS)
    return 0


def plain(given: argparse.Namespace) -> Callable[[], None]:
    """The loop as one writes it with torch."""
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            more = {"num_layers": given.layers, "batch_first": True, "dropout": given.dropout}
            self.lstm = nn.LSTM(given.features, given.hidden, **more)
            self.dropout = nn.Dropout(given.dropout)
            self.head = nn.Linear(given.hidden, 1)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.head(self.dropout(self.lstm(x)[0][:, -1]))
            return answer

    torch.manual_seed(0)
    walk = torch.randn(given.windows + given.lookback, given.features).cumsum(dim=0) / 50
    windows = walk.unfold(0, given.lookback, 1)[: given.windows].transpose(1, 2).contiguous()
    targets = walk[given.lookback :, :1].contiguous()
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)

    def epoch() -> None:
        network.train()
        for rows in torch.split(torch.randperm(given.windows), given.batch):
            loss = functional.mse_loss(network(windows[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return epoch


def ours(given: argparse.Namespace) -> Callable[[], None]:
    """An epoch of this program."""
    from datetime import date, timedelta
    from tempfile import TemporaryDirectory

    import numpy as np

    from lstm_forecast import fitting
    from lstm_forecast.config import load_config
    from lstm_forecast.events import Events

    rows = given.windows + given.lookback
    walks = 100 + np.random.default_rng(0).normal(size=(rows, given.features)).cumsum(axis=0) / 50
    names = [f"x{number}" for number in range(given.features)]
    classic = Path(__file__).parents[2] / "configs" / "classic.yaml"
    changes = {
        "data.target": "x0",
        "data.past_covariates": f"[{', '.join(names[1:])}]",
        "split.validation": 0,
        "split.test": 0,
        "window.lookback": given.lookback,
        "model.num_layers": given.layers,
        "model.hidden_size": given.hidden,
        "model.dropout": given.dropout,
        "training.batch_size": given.batch,
        "training.threads": given.threads or "auto",
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "walk.csv"
        with path.open("w") as file:
            print("day", *names, sep=",", file=file)
            for number, values in enumerate(walks.tolist()):
                print(date(2000, 1, 1) + timedelta(days=number), *values, sep=",", file=file)
        sets = [f"{key}={value}" for key, value in changes.items()]
        plan = fitting.plan_training(load_config(classic, sets=[*sets, f"data.path={path}"]), Events())
    assert len(plan.prepared.train) == given.windows
    return epochs_of(plan.config, plan.prepared.panel, plan.prepared.train)


if __name__ == "__main__":
    sys.exit(main())
