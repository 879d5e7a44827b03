"""What the network sees and how its answer becomes a number in original units. Fitted on training rows only.

scikit-learn's scalers are fitted in float64 on values counted from the first one and divided by their
magnitude, because their tests for a constant column look at the level: a series around 1e-18 would pass
unscaled, and so would 100,000 rows that move by 0.01 around 1e9.
The result is plain numbers: ``scaled = (value - offset) / unit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel

Floats = NDArray[np.float64]
Method = Literal["minmax", "standard", "robust", "none"]
Per = Literal["series", "global"]
Normalize = Literal["none", "diff"]


@dataclass(frozen=True)
class Scaling:
    """Plain numbers, each [S, C] in original units unless said.

    Attributes:
        normalize: what the network sees: the scaled level (``none``) or scaled differences (``diff``).
        offset: value that becomes 0.
        unit: spread that becomes 1.
        step_unit: standard deviation of the training differences.
        mase_scale: mean absolute one-step difference of the target in the training rows, [S]; 1 where it is 0
            (Hyndman & Koehler 2006, eq. 3 with the naive forecast).
        trained: whether the series has the two training rows that scaling needs, bool [S].
        negative: whether a training value of the target is below 0, bool [S].
        still: whether the target never changes in the training rows, bool [S]; there is no unit to forecast
            it in, so its forecast is its last value.
    """

    normalize: Normalize
    offset: Floats
    unit: Floats
    step_unit: Floats
    mase_scale: Floats
    trained: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    still: NDArray[np.bool_]

    @property
    def head_unit(self) -> Floats:
        """Original units in one unit of the network's answer: [S]."""
        return (self.step_unit if self.normalize == "diff" else self.unit)[:, 0]

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for ``preprocess.json``."""
        arrays = {name: value.tolist() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return {"normalize": self.normalize, **arrays}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Scaling:
        """The inverse of :meth:`to_json`, exact."""
        offset, unit, step_unit, mase_scale = (
            np.array(fields[name], dtype=np.float64) for name in ("offset", "unit", "step_unit", "mase_scale")
        )
        trained, negative, still = (
            np.array(fields[name], dtype=bool) for name in ("trained", "negative", "still")
        )
        return cls(fields["normalize"], offset, unit, step_unit, mase_scale, trained, negative, still)


def fit_scaling(
    training: Panel, *, method: Method, scaled_range: tuple[float, float], per: Per, normalize: Normalize
) -> Scaling:
    """Fits offset, unit and step unit of every series and column.

    Args:
        training: the training rows and nothing else; filled cells are not looked at.
        method: the scaler.
        scaled_range: where ``minmax`` puts the training minimum and maximum.
        per: whether each series has its own numbers or all share one.
        normalize: what the network will see.
    """
    count, columns = len(training), training.values.shape[1]
    values = np.where(training.observed, training.values, np.nan)
    parts = [values[training.rows(s)] for s in range(count)]
    trained = training.lengths >= 2
    offset, unit, step_unit = np.zeros((count, columns)), np.ones((count, columns)), np.ones((count, columns))
    for column in range(columns):
        groups = [np.arange(count)] if per == "global" else [np.array([s]) for s in np.flatnonzero(trained)]
        for group in groups:
            pool = [parts[s][:, column] for s in group]
            offset[group, column], unit[group, column] = _fit_column(
                np.concatenate(pool), method, scaled_range
            )
            step_unit[group, column] = _step_unit(pool)
    scale = [_mean_step(parts[s][:, 0]) for s in range(count)]
    negative = [bool(np.nanmin(parts[s][:, 0], initial=0.0) < 0) for s in range(count)]
    still = [len(set(part[~np.isnan(part[:, 0]), 0].tolist())) == 1 for part in parts]
    flags = (trained, np.array(negative), np.array(still))
    return Scaling(normalize, offset, unit, step_unit, np.array(scale), *flags)


def network_inputs(values: Floats, scaling: Scaling, series: NDArray[np.int64]) -> Floats:
    """What the network sees of windows: [B, L, C] original units → [B, L, C].

    With ``diff`` the first step of a window is 0: it has nothing before it.
    """
    if scaling.normalize == "none":
        return (values - scaling.offset[series, None]) / scaling.unit[series, None]
    steps = np.diff(values, axis=1, prepend=values[:, :1])
    return steps / scaling.step_unit[series, None]


def _fit_column(values: Floats, method: Method, scaled_range: tuple[float, float]) -> tuple[float, float]:
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


def _step_unit(pool: list[Floats]) -> float:
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


def _mean_step(values: Floats) -> float:
    """Mean absolute one-step difference; 1 where there is none or it is 0."""
    steps = np.abs(np.diff(values))
    steps = steps[~np.isnan(steps)]
    mean = float(np.mean(steps)) if len(steps) else 0.0
    return mean if mean > 0 else 1.0


def _magnitude(values: Floats) -> float:
    """A power of two near the largest absolute value, so that dividing by it rounds nothing; 1 for zeros."""
    largest = float(np.max(np.abs(values)))
    return float(2.0 ** np.floor(np.log2(largest))) if largest > 0 else 1.0
