"""Whole trainings of tiny networks, from a CSV file to a run, for the tests that need the whole path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.config import Loaded, load_config
from lstm_forecast.events import Events
from lstm_forecast.opening import opened

Floats = NDArray[np.float64]
TINY = {
    "run.plots": "false",
    "window.lookback": "8",
    "window.horizon": "2",
    "model.hidden_size": "3",
    "model.num_layers": "1",
    "training.epochs": "2",
    "training.device": "cpu",
    "training.refit": "none",
    "evaluation.gate": "none",
}


def days(count: int) -> list[str]:
    """Consecutive days from 2024-01-01 on."""
    return [(date(2024, 1, 1) + timedelta(days=n)).isoformat() for n in range(count)]


def momentum(count: int, *, seed: int = 0) -> Floats:
    """A walk whose steps keep 0.8 of the step before: something there is to learn."""
    steps = np.random.default_rng(seed).normal(size=count)
    for n in range(1, count):
        steps[n] += 0.8 * steps[n - 1]
    walk: Floats = 500 + steps.cumsum()
    return walk


def write_csv(path: Path, columns: Mapping[str, Sequence[str] | Floats]) -> Path:
    """A CSV of these columns; numbers are written so that they read back exactly, NaN as an empty cell."""
    texts = [
        [cell if isinstance(cell, str) else "" if np.isnan(cell) else repr(float(cell)) for cell in column]
        for column in columns.values()
    ]
    lines = [",".join(columns), *(",".join(cells) for cells in zip(*texts, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def job(csv: Path, changes: Mapping[str, str] = {}) -> Loaded:
    """The configuration of a tiny network on this file, with some keys changed."""
    sets = [f"{key}={value}" for key, value in {**TINY, **changes}.items()]
    return load_config(None, sets=sets, base={"data.path": str(csv)}, environ={})


def trained(
    csv: Path, changes: Mapping[str, str] = {}, *, events: Events | None = None
) -> pipeline.TrainResult:
    """A complete run in ``runs`` beside the file."""
    return pipeline.train(job(csv, changes), runs_dir=csv.parent / "runs", events=events)


def files(result: pipeline.TrainResult) -> dict[str, bytes]:
    """What must not depend on later rows: weights, units, choices, calibration, history without its clock."""
    history = (result.run.path / "history.csv").read_text()
    lines = [line.rpartition(",")[0] for line in history.splitlines()]
    names = ("model.safetensors", "preprocess.json", "config.yaml")
    found = {name: (result.run.path / name).read_bytes() for name in names}
    scores = opened(result.run).scores
    return {
        **found,
        "history.csv": "\n".join(lines).encode(),
        "calibration": b"".join(scores[name].tobytes() for name in sorted(scores)),
        "baseline": result.verdict.baseline.encode(),
    }
