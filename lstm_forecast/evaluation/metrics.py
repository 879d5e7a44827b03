"""Errors in original units. Error = forecast - actual: positive means over-forecast.

NaN policy, here alone: an actual that was not observed is NaN and counts nowhere; where nothing is left the
metric is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mae(actual: Floats, forecast: Floats) -> float:
    """Mean absolute error over all windows and steps; arrays [W, H]."""
    return _mean(np.abs(forecast - actual))


def rmse(actual: Floats, forecast: Floats) -> float:
    """Root mean squared error over all windows and steps; arrays [W, H].

    Squares are taken of errors divided by their largest, so that errors beyond 1e154 do not overflow.
    """
    error = np.abs(forecast - actual)
    known = error[~np.isnan(error)]
    largest = float(known.max(initial=0.0))
    if not largest:
        return 0.0 if len(known) else float("nan")
    return largest * float(np.sqrt(np.mean((known / largest) ** 2)))


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
