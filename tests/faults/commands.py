"""What the tests of faults start: a small training, and folders of runs to begin from."""

from __future__ import annotations

from pathlib import Path

from tests.training.jobs import days, momentum, write_csv

ROWS = 80
SETTINGS = {
    "model.hidden_size": "4",
    "model.num_layers": "1",
    "run.plots": "false",
    "training.refit": "none",
    "training.checkpoint_every": "0s",
}


def table(folder: Path, *, rows: int = ROWS, name: str = "a.csv") -> Path:
    return write_csv(folder / name, {"date": days(rows), "value": momentum(rows)})


def train(csv: Path, runs_dir: Path, *more: str, epochs: int = 3) -> list[str]:
    """The words of a training; a checkpoint after every epoch."""
    sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    words = ["train", str(csv), "--lookback", "8", "--horizon", "2", "--epochs", str(epochs)]
    return [*words, "--device", "cpu", *sets, "-q", "--runs-dir", str(runs_dir), *more]
