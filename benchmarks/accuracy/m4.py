"""M4 Hourly: 414 series, 48 hours ahead, with the official measures.

The YAML gets the rows as the competition numbers them. A bare CSV gets what a user has: hours of the
calendar, which all series end with together, and nothing but the horizon.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.program import CONFIGS, Row, Spent, run

NAIVE2 = 18.383, 2.395  # sMAPE and MASE of Naive2 on the test values, as the competition published them
SEASON, HORIZON = 24, 48
LIMITS = (0.46, 0.44, 0.42)  # of OWA
LAST_HOUR = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - local time of no particular place
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """OWA and what it is made of."""

    owa: float
    smape: float
    mase: float
    issued: str
    spent: Spent

    def row(self, name: str) -> Row:
        """The line of the table."""
        said = f"OWA {self.owa:.4f} (sMAPE {self.smape:.3f}, MASE {self.mase:.3f}; {self.issued})"
        return Row(name, said, self.spent, (self.owa,), (LIMITS,))


def measure(
    folder: Path, work: Path, *, bare: bool = False, pseudo: bool = False, sets: Sequence[str] = ()
) -> Measured:
    """Trains on the known values of every series, forecasts the 48 after them and compares.

    Args:
        folder: with the two files of the competition.
        work: for the runs.
        bare: a CSV without a configuration, in the place of m4-hourly.yaml.
        pseudo: the last 48 values of each *training* series are the truth, and the test file is not read.
            OWA is then taken with Naive2's published measures all the same, as fixed weights.
        sets: KEY=VALUE for the training.
    """
    known = read_wide(folder / "m4_hourly_train.csv")
    if pseudo:
        truth = {name: values[-HORIZON:] for name, values in known.items()}
        known = {name: values[:-HORIZON] for name, values in known.items()}
    else:
        truth = read_wide(folder / "m4_hourly_test.csv")
    work.mkdir(parents=True)
    path, output = work / "m4_hourly.csv", work / "forecast.csv"
    _write(known, path, dated=bare)
    job = [path, "--horizon", HORIZON] if bare else [CONFIGS / "m4-hourly.yaml", "--set", f"data.path={path}"]
    document, spent = run(work, "train", *job, sets=sets)
    _, then = run(work, "predict", document["run"].split("@")[0], "--output", output)
    gate = document["gate"]
    smape, mase = _scores(known, truth, output)
    owa = (smape / NAIVE2[0] + mase / NAIVE2[1]) / 2
    return Measured(owa, smape, mase, gate["issued"] if gate else "model", spent + then)


def read_wide(path: Path) -> dict[str, Floats]:
    """One series per line: its name, its values, trailing blanks."""
    with path.open(encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        return {
            line[0]: np.array([float(cell) for cell in line[1:] if cell not in ("", "NA")]) for line in lines
        }


def _write(known: Mapping[str, Floats], path: Path, *, dated: bool) -> None:
    """A long file: series, hour, y."""
    with path.open("w", encoding="utf-8") as file:
        file.write("series,hour,y\n")
        for name, values in known.items():
            hours: Sequence[object] = range(len(values))
            if dated:
                back = range(len(values) - 1, -1, -1)
                hours = [f"{LAST_HOUR - dt.timedelta(hours=one):%Y-%m-%d %H:%M}" for one in back]
            file.writelines(
                f"{name},{hour},{value!r}\n" for hour, value in zip(hours, values.tolist(), strict=True)
            )


def _scores(known: Mapping[str, Floats], truth: Mapping[str, Floats], output: Path) -> tuple[float, float]:
    """The measures sMAPE and MASE of the competition: the mean over the series of their means."""
    mine: dict[str, list[tuple[int, float]]] = {name: [] for name in truth}
    with output.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            mine[row["series"]].append((int(row["step"]), float(row["forecast"])))
    smape, mase = [], []
    for name, actual in truth.items():
        forecast = np.array([value for _, value in sorted(mine[name])])
        error, season = np.abs(forecast - actual), known[name][SEASON:] - known[name][:-SEASON]
        smape.append(np.mean(200 * error / (np.abs(forecast) + np.abs(actual))))
        mase.append(np.mean(error) / np.mean(np.abs(season)))
    return float(np.mean(smape)), float(np.mean(mase))
