"""A bare CSV of 300 to 800 daily rows: MAE over that of the naive forecast, by stride and batch.

    .venv/bin/python benchmarks/accuracy/short_series.py

Nine synthetic series: AR(1) noise (phi = 0.6) around a yearly, a weekly or no season. ``auto`` is the
program's own choice of the stride.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import statistics
import tempfile
from pathlib import Path

from lstm_forecast import fitting, judging, load_config
from lstm_forecast.events import Events

VARIANTS = {
    "auto": [],
    "stride 10": ["window.stride=10"],
    "stride 10, batch 8": ["window.stride=10", "training.batch_size=8"],
}


def series(number: int, rows: int) -> list[float]:
    """AR(1) noise around the season of this number: yearly, weekly, none."""
    generator, noise, values = random.Random(number), 0.0, []
    amplitude, period = ((4.5, 365.25), (6.0, 7.0), (0.0, 1.0))[number % 3]
    for row in range(rows):
        noise = 0.6 * noise + generator.gauss(0, 2)
        values.append(11 + amplitude * math.cos(2 * math.pi * row / period) + noise)
    return values


def ratio(path: Path, sets: list[str]) -> float:
    """MAE over naive MAE on the test rows."""
    loaded = load_config(None, base={"data.path": str(path)}, sets=sets, environ={})
    metrics = judging.fit_and_test(fitting.plan_training(loaded, Events()), Events()).judged.verdict.metrics
    return metrics["model"]["mae"] / metrics["naive"]["mae"]


def main() -> None:
    """Prints one line per series and the mean of each variant."""
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(9):
            rows = (300, 500, 800)[number // 3]
            path = Path(folder) / f"series{number}.csv"
            first = dt.date(2001, 1, 1)
            lines = [f"{first + dt.timedelta(row)},{v:.3f}" for row, v in enumerate(series(number, rows))]
            path.write_text("Date,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
            for name, sets in VARIANTS.items():
                found[name].append(ratio(path, sets))
            print(f"{rows} rows  " + "  ".join(f"{n}: {v[-1]:.3f}" for n, v in found.items()), flush=True)
    print("mean      " + "  ".join(f"{name}: {statistics.mean(v):.4f}" for name, v in found.items()))


if __name__ == "__main__":
    main()
