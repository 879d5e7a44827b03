"""Metrics of forecasts that say how sure they are: quantiles and intervals.

NaN policy as in :mod:`lstm_forecast.evaluation.metrics`; beyond it, a cell without an interval (NaN bounds)
counts nowhere either, because intervals end where there is nothing to calibrate them on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pinball(actual: Floats, forecast: Floats, level: float) -> float:
    """Mean pinball loss of one quantile (Koenker & Bassett 1978); arrays [W, H].

    Args:
        actual: NaN where not observed.
        forecast: the quantile; NaN where there is none.
        level: its level, between 0 and 1.
    """
    return _mean(_pinball(actual - forecast, level))


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
    places = np.array([0.0, *levels, 1.0])
    weights = (places[2:] - places[:-2]) / 2  # of the trapezia that meet at each level
    losses = _pinball(actual[..., None] - quantiles, places[1:-1])
    return _mean(2 * (losses * weights).sum(axis=-1))


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of the actuals within the bounds, which belong to the interval; arrays [W, H]."""
    inside = (lower <= actual) & (actual <= upper)
    return _mean(np.where(np.isnan(actual + lower + upper), np.nan, inside))


def width(lower: Floats, upper: Floats, actual: Floats) -> float:
    """Mean width of the intervals over the cells that count for coverage; arrays [W, H]."""
    return _mean(np.where(np.isnan(actual), np.nan, upper - lower))


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
    return _mean((upper - lower) + 2 / (1 - level) * outside)


def _pinball(excess: Floats, level: float | Floats) -> Floats:
    """Pinball loss of actual - quantile, cell by cell."""
    return np.asarray(np.maximum(level * excess, (level - 1) * excess), dtype=np.float64)


def _mean(cells: Floats) -> float:
    known = cells[~np.isnan(cells)]
    return float(known.mean()) if len(known) else float("nan")
