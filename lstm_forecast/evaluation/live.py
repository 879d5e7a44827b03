"""How good issued forecasts were: error beside naive's and coverage, by any grouping of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.evaluation.metrics import mean_by
from lstm_forecast.runs.ledger import Record

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """How good some issued forecasts were; a number that is not defined is NaN.

    Attributes:
        count: forecasts whose actual value has arrived.
        mae: mean absolute error, in original units.
        naive_mae: that of the naive forecast issued at the same time.
        bias: mean of forecast - actual.
        coverage: by level in percent, the share of actual values inside the interval.
        bounded: by level, how many forecasts had one.
    """

    count: int
    mae: float
    naive_mae: float
    bias: float
    coverage: Mapping[float, float]
    bounded: Mapping[float, int]

    @property
    def skill(self) -> float:
        """1 - MAE / MAE of naive; NaN where naive made no error."""
        return 1 - self.mae / self.naive_mae if self.naive_mae > 0 else float("nan")

    def to_document(self) -> dict[str, Any]:
        """The same as plain JSON."""
        numbers = {"mae": self.mae, "naive_mae": self.naive_mae, "skill": self.skill, "bias": self.bias}
        levels = [
            {"level": level, "coverage": _finite(share), "count": self.bounded[level]}
            for level, share in self.coverage.items()
        ]
        return {"count": self.count, **{k: _finite(v) for k, v in numbers.items()}, "levels": levels}


def scores_by(issued: Record, label: Labels, count: int) -> list[Score]:
    """The score of the judged forecasts of each label 0 … count - 1; ``label`` [N] is of all forecasts."""
    judged = ~np.isnan(issued.actual)
    label, actual = label[judged], issued.actual[judged]
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float: infinite
        error, naive = issued.forecast[judged] - actual, issued.naive[judged] - actual
        mae, naive_mae, bias = (mean_by(e, label, count) for e in (np.abs(error), np.abs(naive), error))
    shares, bounded = {}, {}
    for level, ends in issued.bounds.items():
        lower, upper = (end[judged] for end in ends)
        known = ~np.isnan(lower)
        inside = (lower <= actual) & (actual <= upper)
        shares[level] = mean_by(inside[known].astype(float), label[known], count)
        bounded[level] = np.bincount(label[known], minlength=count)
    counts = np.bincount(label, minlength=count).tolist()
    return [
        Score(
            counts[n],
            float(mae[n]),
            float(naive_mae[n]),
            float(bias[n]),
            {level: float(share[n]) for level, share in shares.items()},
            {level: int(known[n]) for level, known in bounded.items()},
        )
        for n in range(count)
    ]


def bins(times: Labels, *, most: int, least: int = 1) -> tuple[Labels, Labels]:
    """Puts rows into at most ``most`` stretches of time with about as many rows each, ``least`` or more.

    Returns:
        The number of each row's stretch [N], and the last time of each. Rows of one time stay together.
    """
    unique, place, counts = np.unique(times, return_inverse=True, return_counts=True)
    size = max(least, -(-len(times) // most))
    stretch = (np.cumsum(counts) - counts) // size
    numbers, first = np.unique(stretch, return_index=True)
    ends = np.append(first[1:], len(unique)) - 1
    return np.searchsorted(numbers, stretch)[place], unique[ends]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
