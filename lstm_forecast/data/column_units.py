"""Units of one column: offset and spread of its values, the size of its steps, of its changes over a season.

scikit-learn's scalers are fitted in float64 on values counted from the first one and divided by their
magnitude, because their tests for a constant column look at the level: a series around 1e-18 would pass
unscaled, and so would 100,000 rows that move by 0.01 around 1e9.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["minmax", "standard", "robust", "none"]


def fit_column(values: Floats, method: Method, scaled_range: tuple[float, float]) -> tuple[float, float]:
    """Offset and unit of one column [n]; zero spread gives unit 1."""
    known = values[~np.isnan(values)]
    if method == "none" or len(known) == 0:
        return 0.0, 1.0
    first = float(known[0])
    if float(np.ptp(known / _magnitude(known))) <= 8 * np.finfo(float).eps:
        return first, 1.0
    magnitude = _magnitude(known - first)
    small = ((known - first) / magnitude)[:, None]
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    if method == "minmax":
        scaler = MinMaxScaler(feature_range=scaled_range).fit(small)
        unit = 1 / float(scaler.scale_[0])
        return first + (float(scaler.data_min_[0]) - scaled_range[0] * unit) * magnitude, unit * magnitude
    if method == "standard":
        scaler = StandardScaler().fit(small)
        return first + float(scaler.mean_[0]) * magnitude, float(scaler.scale_[0]) * magnitude
    scaler = RobustScaler().fit(small)
    return first + float(scaler.center_[0]) * magnitude, float(scaler.scale_[0]) * magnitude


def fit_step_unit(pool: list[Floats]) -> float:
    """Standard deviation of the differences; of a straight line, whose deviation is rounding, their size."""
    steps = np.concatenate([np.diff(values) for values in pool])
    steps = steps[~np.isnan(steps)]
    if len(steps) == 0:
        return 1.0
    values = np.concatenate(pool)
    rounding = 8 * np.finfo(float).eps * float(np.nanmax(np.abs(values)))
    magnitude = _magnitude(steps)
    deviation = float(np.std(steps / magnitude)) * magnitude
    if deviation > rounding:
        return deviation
    size = float(np.sqrt(np.mean((steps / magnitude) ** 2))) * magnitude
    return size if size > rounding else 1.0


def season_scales(values: Floats, season: int) -> tuple[float, float]:
    """Mean absolute and root mean squared difference over a season [n]; 0 where there is none."""
    lag = season if len(values) > season else 1
    steps = np.abs(values[lag:] - values[:-lag])
    steps = steps[~np.isnan(steps)]
    if not np.any(steps):
        return 0.0, 0.0
    magnitude = _magnitude(steps)
    return float(np.mean(steps)), float(np.sqrt(np.mean((steps / magnitude) ** 2))) * magnitude


def _magnitude(values: Floats) -> float:
    """A power of two near the largest absolute value, so that dividing by it rounds nothing; 1 for zeros."""
    largest = float(np.max(np.abs(values)))
    return float(2.0 ** np.floor(np.log2(largest))) if largest > 0 else 1.0
