"""What the network sees, and the units its answer is given in. Fitted on training rows only.

The result is plain numbers: ``scaled = (value - offset) / unit``, of the transformed value where the target
has a transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.column_units import (
    Method,
    differences,
    extremes,
    fit_columns,
    season_scales,
    season_smapes,
    step_units,
)
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
    shape, offsets = (len(training), training.values.shape[1]), training.offsets
    units = (np.zeros(shape), np.ones(shape), np.ones(shape))  # offset, unit, step unit
    low, high = np.zeros(shape), np.zeros(shape)
    for column in range(shape[1]):
        values = _known_values(training, column, transform)
        steps = differences(values, offsets, 1)
        if column < shape[1] - ahead.calendar:
            found = _units(values, steps, training, per=per, method=method, scaled_range=scaled_range)
            for numbers, own in zip(units, found, strict=True):
                numbers[:, column] = own
        mine = [numbers[:, column] for numbers in units]
        differenced = normalize == "diff" and column < shape[1] - ahead.count
        low[:, column], high[:, column] = _input_ends(values, steps, offsets, mine, differenced=differenced)
    first = -units[0][:, 0] / units[1][:, 0] if transform == "diff" and normalize != "diff" else None
    low, high = _whole_ends(low, high, normalize, first, ahead.count)
    targets = _known_values(training, 0, "none")
    lowest, highest = extremes(targets, offsets)
    return Scaling(
        normalize,
        transform,
        *units,
        low,
        high,
        *season_scales(targets, offsets, season),
        trained=training.lengths >= 2,
        negative=lowest < 0,
        still=lowest == highest,
        ahead=ahead.count,
        statics=training.statics,
    )


def _known_values(training: Panel, column: int, transform: Transform) -> Floats:
    """One column, the target transformed: [N]; NaN where a cell was filled."""
    values, observed = training.values[:, column], training.observed[:, column]
    if column == 0 and transform != "none":
        values = transformed_panel(training.first_columns(1), transform)[:, 0]
    if column == 0 and transform == "diff":
        observed = observed & np.concatenate([[False], observed[:-1]])
        observed[training.offsets[:-1][training.lengths > 0]] = False
    return values if observed.all() else np.where(observed, values, np.nan)


def _units(
    values: Floats,
    steps: Floats,
    training: Panel,
    *,
    per: Per,
    method: Method,
    scaled_range: tuple[float, float],
) -> list[Floats]:
    """Offset, unit and step unit of one column [N], [S] each; 0, 1 and 1 of a series too short for them."""
    borders = training.offsets if per == "series" else np.array([0, len(values)])
    offset, unit = fit_columns(values, borders, method=method, scaled_range=scaled_range)
    found = (offset, unit, step_units(values, steps, borders))
    if per == "global":
        return [np.repeat(one, len(training)) for one in found]
    trained = training.lengths >= 2
    return [np.where(trained, one, usual) for one, usual in zip(found, (0.0, 1.0, 1.0), strict=True)]


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


def _input_ends(
    values: Floats, steps: Floats, offsets: NDArray[np.int64], units: list[Floats], *, differenced: bool
) -> tuple[Floats, Floats]:
    """Lowest and highest scaled value of a column [N] in each series, [S] each; infinite where none is known.

    What is scaled keeps its order: the lowest value gives the lowest input. Where inputs are differences, the
    0 that stands for that of a window's first step counts too.
    """
    offset, unit, step_unit = units
    if differenced:
        low, high = extremes(steps, offsets)
        return np.minimum(low / step_unit, 0.0), np.maximum(high / step_unit, 0.0)
    low, high = extremes(values, offsets)
    return (low - offset) / unit, (high - offset) / unit


def _whole_ends(
    low: Floats, high: Floats, normalize: Normalize, first: Floats | None, ahead: int
) -> tuple[Floats, Floats]:
    """Ends of the inputs, [S, C] each, from those of the scaled values; both 0 where none is known.

    Of inputs that each window brings about its own level: less the last value none is further from 0 than the
    training values are apart; less the mean and over the deviation, none is further than the root of the
    window's length, whatever the values are.

    Args:
        low: of the scaled values, [S, C].
        high: of the scaled values, [S, C].
        normalize: what is taken out of each window.
        first: what the network sees of the target in a window's first step, where that is another value, [S].
        ahead: P, the last columns, of which nothing is taken out.
    """
    known = low <= high
    with np.errstate(invalid="ignore"):
        apart = np.where(known, high - low, 0.0)
    if normalize == "mean_std":
        apart = np.full(low.shape, np.sqrt(2.0**63))
    low, high = low.copy(), high.copy()
    if first is not None:
        low[:, 0], high[:, 0] = np.minimum(low[:, 0], first), np.maximum(high[:, 0], first)
    low, high = (np.where(low <= high, end, 0.0) for end in (low, high))
    if normalize in WINDOWED:
        plain = np.arange(low.shape[1]) >= low.shape[1] - ahead
        windowed = known.any(axis=1, keepdims=True) & ~plain
        low, high = np.where(windowed, -apart, low), np.where(windowed, apart, high)
    return low, high


def season_smape(training: Panel, season: int) -> float:
    """The sMAPE in percent of the value one season before, its mean over the series; 1 where it is 0."""
    found = season_smapes(_known_values(training, 0, "none"), training.offsets, season)
    found = found[~np.isnan(found)]
    mean = float(np.mean(found)) if len(found) else 0.0
    return mean if mean > 0 else 1.0
