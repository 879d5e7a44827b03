"""ETTh1 in the usual protocol: 8,640 rows train, 2,880 validate, 2,880 test; all windows, seven columns.

A bare CSV is told the protocol and nothing on the network or its training.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.program import CONFIGS, Row, Spent, read_json, run

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
OFFICIAL, PSEUDO = (14400, 2880), (11520, 1440)  # rows read in all; rows of validation and of test
LIMITS = {  # of MSE and of MAE, by horizon
    96: ((0.370, 0.362, 0.351), (0.394, 0.387, 0.385)),
    192: ((0.410, 0.395, 0.388), (0.420, 0.414, 0.410)),
    336: ((0.440, 0.423, 0.415), (0.440, 0.433, 0.428)),
    720: ((0.455, 0.442, 0.430), (0.460, 0.450, 0.442)),
}


@dataclass(frozen=True)
class Measured:
    """Errors in units of each column's training deviation, over all test windows and columns."""

    horizon: int
    mse: float
    mae: float
    issued: str
    spent: Spent

    def row(self, name: str) -> Row:
        """The line of the table."""
        said = f"MSE {self.mse:.4f}, MAE {self.mae:.4f} ({self.issued})"
        return Row(name, said, self.spent, (self.mse, self.mae), LIMITS[self.horizon])


def measure(
    folder: Path,
    work: Path,
    *,
    horizon: int,
    bare: bool = False,
    pseudo: bool = False,
    sets: Sequence[str] = (),
) -> Measured:
    """Trains, and measures on the test rows.

    Args:
        folder: with ETTh1.csv.
        work: for the run.
        horizon: 96, 192, 336 or 720 hours.
        bare: a CSV without a configuration, in the place of etth1-HORIZON.yaml.
        pseudo: the protocol on the first 11,520 rows: the test is half of what is validation otherwise.
        sets: KEY=VALUE for the training.
    """
    path = (folder / "ETTh1.csv").resolve()
    until, part = PSEUDO if pseudo else OFFICIAL
    protocol = [f"data.until={until}", f"split.validation={part}", f"split.test={part}"]
    work.mkdir(parents=True)
    if bare:
        metric = ["forecast.intervals.method=none", f"data.target=[{', '.join(COLUMNS)}]"]
        job, keys = [path, "--horizon", horizon], [*protocol, *metric]
    else:
        job, keys = [CONFIGS / f"etth1-{horizon}.yaml"], [*protocol, f"data.path={path}"]
    document, spent = run(work, "train", *job, sets=[*keys, *sets])
    gate = document["gate"]
    issued = gate["issued"] if gate else "model"
    found = read_json(Path(document["path"]) / "metrics.json")["by_series"][issued]
    deviation = _deviations(path, until - 2 * part)
    mse = np.mean([(found[name]["rmse"] / deviation[name]) ** 2 for name in COLUMNS])
    mae = np.mean([found[name]["mae"] / deviation[name] for name in COLUMNS])
    return Measured(horizon, float(mse), float(mae), issued, spent)


def _deviations(path: Path, rows: int) -> dict[str, float]:
    """The standard deviation of each column over the training rows."""
    with path.open(encoding="utf-8") as file:
        table = [row for row, _ in zip(csv.DictReader(file), range(rows), strict=False)]
    return {name: float(np.std([float(row[name]) for row in table])) for name in COLUMNS}
