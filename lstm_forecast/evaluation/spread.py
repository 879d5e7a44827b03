"""Metrics of forecasts that say how sure they are: quantiles and intervals.

NaN policy as in :mod:`lstm_forecast.evaluation.metrics`; beyond it, a cell without an interval (NaN bounds)
counts nowhere either, because intervals end where there is nothing to calibrate them on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WINDOWS = 4_096  # whose losses are held at once


def pinball(actual: Floats, forecast: Floats, level: float) -> float:
    """Mean pinball loss of one quantile (Koenker & Bassett 1978); arrays [W, H].

    Args:
        actual: NaN where not observed.
        forecast: the quantile; NaN where there is none.
        level: its level, between 0 and 1.
    """
    return mean_of(_pinball(actual - forecast, level))


def crps(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """Continuous ranked probability score from quantiles: twice the integral of the pinball loss over levels.

    The integral is that of straight lines between the given levels, with loss 0 at the levels 0 and 1
    (over all levels the two scores are equal: Gneiting & Ranjan 2011). With few levels it is an
    approximation: compare only scores of the same levels.

    Args:
        actual: [W, H], NaN where not observed.
        quantiles: [W, H, Q]; a cell with a NaN among them counts nowhere.
        levels: of the Q quantiles, rising, between 0 and 1.
    """
    return mean_of(crps_cells(actual, list(np.moveaxis(quantiles, -1, 0)), levels))


def crps_cells(actual: Floats, quantiles: Sequence[Floats], levels: Sequence[float]) -> Floats:
    """The score of each cell, [W, H]; the quantiles are Q arrays [W, H], else all is as for :func:`crps`."""
    places = np.array([0.0, *levels, 1.0])
    weights = (places[2:] - places[:-2]) / 2  # of the trapezia that meet at each level
    cells = np.empty(actual.shape)
    for first in range(0, len(actual), _WINDOWS):
        part = slice(first, first + _WINDOWS)
        told = np.stack([quantile[part] for quantile in quantiles], axis=-1)
        losses = _pinball(actual[part, ..., None] - told, places[1:-1])
        cells[part] = 2 * (losses * weights).sum(axis=-1)
    return cells


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of the actuals within the bounds, which belong to the interval; arrays [W, H]."""
    inside = (lower <= actual) & (actual <= upper)
    return mean_of(np.where(np.isnan(actual + lower + upper), np.nan, inside))


def width(lower: Floats, upper: Floats, actual: Floats) -> float:
    """Mean width of the intervals over the cells that count for coverage; arrays [W, H]."""
    return mean_of(np.where(np.isnan(actual), np.nan, upper - lower))


def interval_score(actual: Floats, lower: Floats, upper: Floats, level: float) -> float:
    """Mean interval score: width, plus 2 / (1 - level) times what an actual lies outside; lower is better.

    Gneiting & Raftery 2007, eq. 43; arrays [W, H].

    Args:
        actual: NaN where not observed.
        lower: NaN where there is no interval.
        upper: NaN where there is no interval.
        level: nominal coverage, between 0 and 1.
    """
    outside = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return mean_of((upper - lower) + 2 / (1 - level) * outside)


def _pinball(excess: Floats, level: float | Floats) -> Floats:
    """Pinball loss of actual - quantile, cell by cell."""
    return np.asarray(np.maximum(level * excess, (level - 1) * excess), dtype=np.float64)


def mean_of(cells: Floats) -> float:
    """The mean of the cells that count; NaN where none does."""
    known = cells[~np.isnan(cells)]
    return float(known.mean()) if len(known) else float("nan")
