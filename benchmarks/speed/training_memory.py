"""Peak memory of training on a long series, above what is there before: its rows and the imports.

    python benchmarks/speed/training_memory.py
    python benchmarks/speed/training_memory.py --rows 1000000 --epochs 2

A random walk of one column, the network of configs/stock.yaml, 100 steps an epoch; units, tensors, windows,
training, validation after every epoch, checkpoints in memory. The table of the file is not counted: reading
is another question. Linux alone: it resets and reads the peak of the resident set in /proc.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def main() -> int:
    """Prints one line per moment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="default 1000000")
    parser.add_argument("--epochs", type=int, default=2, metavar="N", help="default 2")
    given = parser.parse_args()

    import numpy as np
    import torch

    from lstm_forecast import fitting
    from lstm_forecast.config import load_config
    from lstm_forecast.events import Events
    from lstm_forecast.training.allocator import keep_freed_memory
    from lstm_forecast.training.course import Kept, State

    def kept(_part: str) -> Kept:
        def offer(state: Callable[[], State]) -> None:
            state()

        return Kept(None, offer)

    keep_freed_memory()
    sets = ["training.steps_per_epoch=100", f"training.epochs={given.epochs}", "training.patience=null"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "walk.csv"
        walk = 1000 + np.random.default_rng(0).normal(size=given.rows).cumsum()
        path.write_text("\n".join(["Close", *map(repr, walk.tolist())]) + "\n")
        loaded = load_config(ROOT / "configs" / "stock.yaml", sets=[*sets, f"data.path={path}"])
        plan = fitting.plan_training(loaded, Events())
    _warm()
    del walk
    print(f"{_told('VmRSS'):6.0f} MB with imports, table and panel")
    before = _restarted()
    fitting.learn(plan.config, plan.prepared, device=torch.device("cpu"), on_epoch=lambda *_: None, keep=kept)
    more = _told("VmHWM") - before
    print(f"{more:6.0f} MB more at the peak of training, {given.rows:,} rows")
    return 0


def _warm() -> None:
    """A step of a tiny network: what loads on first use is an import, and not training."""
    import torch

    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.optimizers import Optimizer

    network = RegLSTM(1, 50, 2)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(network(torch.randn(16, 60, 1)).sum(), parameters)
    Optimizer(parameters, "adam", lr=0.001, weight_decay=0.0).step(gradients)


def _restarted() -> float:
    """Begins the peak anew; the resident set now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _told("VmRSS")


def _told(name: str) -> float:
    """A line of the status of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{name} is not told here")


if __name__ == "__main__":
    sys.exit(main())
