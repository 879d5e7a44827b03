"""What checkpoints cost: the training of configs/classic.yaml, and the share of it that they take.

    .venv/bin/python benchmarks/speed/checkpoints.py

Counts the seconds spent in copying states (every epoch) and in writing them, within one training, for the
usual ``training.checkpoint_every`` and for 0s, which writes after every epoch: two whole trainings would
differ by more than what is looked for.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lstm_forecast.config import load_config
from lstm_forecast.pipeline import train
from lstm_forecast.training.checkpoints import Checkpoints
from lstm_forecast.training.course import State

CONFIG = Path(__file__).parents[2] / "configs" / "classic.yaml"
AT_MOST = 0.03


def cost(every: str) -> tuple[float, float]:
    """Seconds of the training's epochs, and those of them that went into checkpoints."""
    spent = 0.0
    true_offer = Checkpoints._offer

    def offer(self: Checkpoints, name: str, state: Callable[[], State]) -> None:
        nonlocal spent
        began = time.perf_counter()
        true_offer(self, name, state)
        spent += time.perf_counter() - began

    Checkpoints._offer = offer  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            loaded = load_config(CONFIG, sets=[f"training.checkpoint_every={every}", "run.plots=false"])
            result = train(loaded, runs_dir=Path(folder))
            lines = (result.run.path / "history.csv").read_text().splitlines()
    finally:
        Checkpoints._offer = true_offer  # type: ignore[method-assign]
    return float(lines[-1].rpartition(",")[2]), spent


def main() -> None:
    """Prints one line per pause; fails above the limit."""
    print("checkpoint_every  training s  checkpoints s  share")
    for every in ("30s", "0s"):
        whole, spent = cost(every)
        print(f"{every:<16}  {whole:10.1f}  {spent:13.3f}  {spent / whole:.2%}")
        if spent > AT_MOST * whole:
            raise SystemExit(f"more than {AT_MOST:.0%}")


if __name__ == "__main__":
    main()
