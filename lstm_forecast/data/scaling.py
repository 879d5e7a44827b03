"""What the network sees, and the units its answer is given in. Fitted on training rows only.

The result is plain numbers: ``scaled = (value - offset) / unit``, of the transformed value where the target
has a transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.column_units import Method, fit_column, fit_step_unit, season_scales
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.statics import Statics
from lstm_forecast.data.transform import Transform, transformed, transformed_panel

Floats = NDArray[np.float64]
Per = Literal["series", "global"]
Normalize = Literal["none", "diff", "last", "mean_std"]
Anchor = Literal["none", "last", "seasonal"]
WINDOWED: tuple[Normalize, ...] = ("last", "mean_std")  # what is taken out of each window by itself
# Of the standard deviation of the training differences: a window's own scale is never taken to be less.
_LEAST_SCALE = 0.1


@dataclass(frozen=True)
class AheadColumns:
    """How many of the last columns are known ahead: future covariates, then what is told by the calendar.

    None of them is differenced or taken out window by window; those of the calendar are not even scaled.
    """

    given: int = 0
    calendar: int = 0

    @property
    def count(self) -> int:
        """P, both."""
        return self.given + self.calendar


@dataclass(frozen=True)
class Scaling:
    """Plain numbers, each [S, C] in units of the transformed values unless said.

    Attributes:
        normalize: what the network sees: the scaled level (``none``), scaled differences (``diff``), or the
            scaled level less that of the window's end (``last``), or less the window's mean and over its
            standard deviation (``mean_std``; Kim et al. 2022, RevIN, without its weights).
        transform: what was done to the target first.
        offset: value that becomes 0.
        unit: spread that becomes 1.
        step_unit: standard deviation of the training differences.
        input_low: lowest input of the network in the training rows, in its own unit; what a window's first
            step is given instead of a difference counts too.
        input_high: the highest.
        mase_scale: mean absolute difference from the value one season before, of the target in the training
            rows in original units, [S]; 0 where it never changes (Hyndman & Koehler 2006, eq. 3; with a
            season as in the M4 competition).
        rmsse_scale: root mean square of the same differences, [S] (Makridakis, Spiliotis & Assimakopoulos
            2022, the M5 competition).
        trained: whether the series has the two training rows that scaling needs, bool [S].
        negative: whether a training value of the target is below 0, bool [S].
        still: whether the target never changes in the training rows, bool [S]; there is no unit to forecast
            it in, so its forecast is its last value.
        ahead: P, number of last columns that are known ahead; they are scaled and nothing else.
        statics: what the series are; None where nothing is said of that.
    """

    normalize: Normalize
    transform: Transform
    offset: Floats
    unit: Floats
    step_unit: Floats
    input_low: Floats
    input_high: Floats
    mase_scale: Floats
    rmsse_scale: Floats
    trained: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    still: NDArray[np.bool_]
    ahead: int = 0
    statics: Statics | None = None

    @property
    def head_unit(self) -> Floats:
        """Units of the transformed target in one unit of the network's answer: [S]."""
        return (self.step_unit if self.normalize == "diff" else self.unit)[:, 0]

    @property
    def floor(self) -> Floats:
        """Lowest scale of a window, which may hold equal values, in units of the scaled level: [S, C]."""
        return np.asarray(_LEAST_SCALE * self.step_unit / self.unit)

    @property
    def error_unit(self) -> Floats:
        """What errors of each series are divided by where series are compared: the MASE scale, or 1: [S]."""
        return np.where(self.mase_scale > 0, self.mase_scale, 1.0)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for ``preprocess.json``."""
        arrays = {name: value.tolist() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        beside: dict[str, Any] = {"ahead": self.ahead} if self.ahead else {}
        beside |= {"statics": self.statics.to_json()} if self.statics else {}
        return {"normalize": self.normalize, "transform": self.transform, **arrays, **beside}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Scaling:
        """The inverse of :meth:`to_json`, exact."""
        words = {name: fields[name] for name in ("normalize", "transform")}
        arrays: dict[str, Any] = {name: np.array(fields[name], dtype=np.float64) for name in NUMBERS}
        arrays |= {name: np.array(fields[name], dtype=bool) for name in FLAGS}
        statics = fields.get("statics")
        return cls(
            **words,
            **arrays,
            ahead=int(fields.get("ahead", 0)),
            statics=Statics.from_json(statics, series=len(arrays["offset"])) if statics else None,
        )


NUMBERS = ("offset", "unit", "step_unit", "input_low", "input_high", "mase_scale", "rmsse_scale")
FLAGS = ("trained", "negative", "still")


def fit_scaling(
    training: Panel,
    *,
    method: Method,
    scaled_range: tuple[float, float],
    per: Per,
    normalize: Normalize,
    transform: Transform,
    season: int,
    ahead: AheadColumns = AheadColumns(),
) -> Scaling:
    """Fits offset, unit and step unit of every series and column.

    Args:
        training: the training rows and nothing else; filled cells are not looked at.
        method: the scaler.
        scaled_range: where ``minmax`` puts the training minimum and maximum.
        per: whether each series has its own numbers or all share one.
        normalize: what the network will see.
        transform: what is done to the target first.
        season: steps per season, m; a series of no more rows than that is measured by its steps.
        ahead: the last columns that are known ahead.
    """
    count, columns = len(training), training.values.shape[1]
    observed = training.observed.copy()
    if transform == "diff":
        observed[:, 0] &= np.concatenate([[False], observed[:-1, 0]])
        observed[training.offsets[:-1][training.lengths > 0], 0] = False
    values = np.where(observed, transformed_panel(training, transform), np.nan)
    targets = np.where(training.observed[:, 0], training.values[:, 0], np.nan)
    parts = [values[training.rows(s)] for s in range(count)]
    levels = [targets[training.rows(s)] for s in range(count)]
    trained = training.lengths >= 2
    offset, unit, step_unit = np.zeros((count, columns)), np.ones((count, columns)), np.ones((count, columns))
    for column in range(columns - ahead.calendar):
        groups = [np.arange(count)] if per == "global" else [np.array([s]) for s in np.flatnonzero(trained)]
        for group in groups:
            pool = [parts[s][:, column] for s in group]
            offset[group, column], unit[group, column] = fit_column(
                np.concatenate(pool), method, scaled_range
            )
            step_unit[group, column] = fit_step_unit(pool)
    units = (offset, unit, step_unit)
    ends = [
        _all_ends(parts[s], normalize, transform, [a[s] for a in units], ahead.count) for s in range(count)
    ]
    low, high = np.moveaxis(np.array(ends).reshape(count, 2, columns), 1, 0)
    mase, rmsse = np.array([season_scales(level, season) for level in levels]).reshape(count, 2).T
    negative = np.array([bool(np.nanmin(level, initial=0.0) < 0) for level in levels])
    still = np.array([len(set(level[~np.isnan(level)].tolist())) == 1 for level in levels])
    return Scaling(
        normalize,
        transform,
        *units,
        low,
        high,
        mase,
        rmsse,
        trained,
        negative,
        still,
        ahead=ahead.count,
        statics=training.statics,
    )


def network_inputs(values: Floats, scaling: Scaling, series: NDArray[np.int64]) -> Floats:
    """What the network sees of windows: [B, L, C] original units → [B, L, C].

    With ``diff``, as normalisation or as transform of the target, the first step of a window has nothing
    before it and counts as no change.
    """
    inputs = _window_inputs(values, scaling, series)
    if scaling.ahead:
        inputs[:, :, -scaling.ahead :] = ahead_inputs(values[:, :, -scaling.ahead :], scaling, series)
    return inputs


def ahead_inputs(values: Floats, scaling: Scaling, series: NDArray[np.int64]) -> Floats:
    """What the network sees of the columns known ahead: [B, T, P] original units → [B, T, P]."""
    offset, unit = (
        scaling.offset[series, None, -scaling.ahead :],
        scaling.unit[series, None, -scaling.ahead :],
    )
    return np.asarray((values - offset) / unit)


def _window_inputs(values: Floats, scaling: Scaling, series: NDArray[np.int64]) -> Floats:
    """:func:`network_inputs` as if no column were known ahead."""
    if scaling.transform != "none":
        values = values.copy()
        values[:, :, 0] = transformed(values[:, :, 0], scaling.transform)
    if scaling.normalize != "diff":
        scaled = (values - scaling.offset[series, None]) / scaling.unit[series, None]
        if scaling.normalize == "last":
            return np.asarray(scaled - scaled[:, -1:])
        if scaling.normalize == "mean_std":
            scale = np.maximum(scaled.std(axis=1), scaling.floor[series])
            return np.asarray((scaled - scaled.mean(axis=1, keepdims=True)) / scale[:, None])
        return np.asarray(scaled)
    steps = np.diff(values, axis=1, prepend=values[:, :1])
    return steps / scaling.step_unit[series, None]


def window_frame(values: Floats, scaling: Scaling, series: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Where an answer of 0 lies without an anchor, and what one of 1 adds: [B] each, transformed units.

    Args:
        values: what the network reads, [B, L, C] in original units.
        scaling: the units.
        series: of each window.
    """
    unit = scaling.head_unit[series]
    if scaling.normalize not in WINDOWED:
        return scaling.offset[series, 0], unit
    target = transformed(values[:, :, 0], scaling.transform)
    if scaling.normalize == "last":
        return target[:, -1], unit
    lowest = scaling.floor[series, 0] * unit
    return target.mean(axis=1), np.maximum(target.std(axis=1), lowest)


def outside_range(inputs: Floats, scaling: Scaling, series: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the network's inputs lie outside the range it was trained on.

    [B, T, C], or [B, T, P] of its last columns → bool of the same shape.
    """
    columns = slice(-inputs.shape[2], None)  # all, or those known ahead
    low, high = scaling.input_low[series, None, columns], scaling.input_high[series, None, columns]
    return (inputs < low) | (inputs > high)


def _all_ends(
    values: Floats, normalize: Normalize, transform: Transform, units: list[Floats], ahead: int
) -> tuple[Floats, Floats]:
    """:func:`_input_ends`, of the last ``ahead`` columns those of their scaled values."""
    low, high = _input_ends(values, normalize, transform, *units)
    if ahead:
        offset, unit, step_unit = (array[-ahead:] for array in units)
        plain = _input_ends(values[:, -ahead:], "none", "none", offset, unit, step_unit)
        low[-ahead:], high[-ahead:] = plain
    return low, high


def _input_ends(
    values: Floats,
    normalize: Normalize,
    transform: Transform,
    offset: Floats,
    unit: Floats,
    step_unit: Floats,
) -> tuple[Floats, Floats]:
    """Lowest and highest input of each column [C], of training values [n, C]; both 0 where there is none."""
    inputs = np.diff(values, axis=0) / step_unit if normalize == "diff" else (values - offset) / unit
    if normalize in WINDOWED and np.any(~np.isnan(inputs)):
        return _windowed_ends(inputs, normalize)
    if normalize == "diff":  # what stands for the difference of a window's first step
        inputs = np.concatenate([inputs, np.zeros((1, values.shape[1]))])
    elif transform == "diff":
        first = np.full(values.shape[1], np.nan)
        first[0] = -offset[0] / unit[0]
        inputs = np.concatenate([inputs, first[None]])
    empty = np.isnan(inputs).all(axis=0)
    low = np.min(inputs, axis=0, initial=np.inf, where=~np.isnan(inputs))
    high = np.max(inputs, axis=0, initial=-np.inf, where=~np.isnan(inputs))
    return np.where(empty, 0.0, low), np.where(empty, 0.0, high)


def _windowed_ends(scaled: Floats, normalize: Normalize) -> tuple[Floats, Floats]:
    """Ends [C] of inputs that each window brings about its own level, of scaled training values [n, C].

    Less the last value no input is further from 0 than the training values are apart. Less the mean and over
    the deviation, none is further than the root of the window's length, whatever the values are.
    """
    known = ~np.isnan(scaled)
    low = np.min(scaled, axis=0, initial=np.inf, where=known)
    high = np.max(scaled, axis=0, initial=-np.inf, where=known)
    apart = np.where(known.any(axis=0), high - low, 0.0)
    if normalize == "mean_std":
        apart = np.full(scaled.shape[1], np.sqrt(2.0**63))
    return -apart, apart


def season_smape(training: Panel, season: int) -> float:
    """The sMAPE in percent of the value one season before, its mean over the series; 1 where it is 0."""
    found = []
    for s in range(len(training)):
        rows = training.rows(s)
        values = np.where(training.observed[rows, 0], training.values[rows, 0], np.nan)
        lag = season if len(values) > season else 1
        size = np.abs(values[lag:]) + np.abs(values[:-lag])
        shares = 200 * np.abs(values[lag:] - values[:-lag]) / np.where(size > 0, size, 1.0)
        found += [float(np.nanmean(shares))] if np.any(~np.isnan(shares)) else []
    mean = float(np.mean(found)) if found else 0.0
    return mean if mean > 0 else 1.0
