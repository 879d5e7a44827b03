"""All metrics of a forecast at once: in all, by step ahead, or by series; and why one is undefined.

Every cell is added up once, into its *pair*: the cells of one series that belong to one group (everything, a
step, a series). Groups are then put together from their pairs, because scaled errors are means over series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.evaluation import metrics, spread

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]
Column = tuple[list[float], list[str]]  # a metric of every group: values, and reasons ("" where defined)

NOTHING = "no value was observed"
MISSING = "a forecast is missing"
ZERO = "an actual value is 0"
UNSCALED = "the training values never change"
UNMOVED = "no value changed"
NO_CHANGE = "it forecasts no change"
ONE_STEP = "only forecasts one step ahead are tested: those of later steps overlap"
SHARED = "series of one time are not independent of each other: it is tested by series"
NO_REFERENCE = "the reference makes no error, or its error is undefined"
BEYOND = "it is larger than a number can be"


@dataclass(frozen=True)
class Truth:
    """What came in W windows, and the units errors are measured in.

    Attributes:
        actual: [W, H] in original units, NaN where not observed.
        last: value at each window's cutoff, [W].
        series: of each window, [W].
        origins: time of each window's last input, [W].
        mase_scale: mean absolute difference to the seasonal naive forecast in the training rows, by series
            [S]; 0 or NaN for a series that has none.
        rmsse_scale: root of the mean squared one, [S].
    """

    actual: Floats
    last: Floats
    series: Labels
    origins: Labels
    mase_scale: Floats
    rmsse_scale: Floats


@dataclass(frozen=True)
class Measures:
    """Metrics by name.

    Attributes:
        values: ``mae``, ``rmse``, ``bias`` in original units; ``mape`` and ``smape`` in percent; ``mase``,
            ``rmsse``; ``hit_rate`` and the p-value of its test, ``hit_rate_p``; ``owa`` where there is a
            reference. NaN where undefined.
        reasons: why, for each that is NaN.
    """

    values: Mapping[str, float]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class _Grouping:
    """How cells are put together.

    Attributes:
        step: added to a cell's pair for each step ahead.
        owner: group of each pair, [P].
        groups: their number, G.
    """

    step: int
    owner: Labels
    groups: int


def measure(truth: Truth, forecast: Floats, *, reference: Measures | None = None) -> Measures:
    """All metrics of a forecast [W, H]; with OWA where the measures of Naive2 are given as the reference."""
    count = len(truth.mase_scale)
    columns = _columns(truth, forecast, _Grouping(0, np.zeros(count, dtype=np.int64), 1))
    found = _rows(columns, [0])[0]
    return found if reference is None else _with_owa(found, reference)


def measure_by_step(truth: Truth, forecast: Floats) -> list[Measures]:
    """All metrics of a forecast [W, H] at each of its H steps."""
    count, horizon = len(truth.mase_scale), forecast.shape[1]
    grouping = _Grouping(count, np.repeat(np.arange(horizon), count), horizon)
    return _rows(_columns(truth, forecast, grouping), list(range(horizon)))


def measure_by_series(truth: Truth, forecast: Floats) -> dict[int, Measures]:
    """All metrics of a forecast [W, H] for each series that has a window, by its number."""
    count = len(truth.mase_scale)
    columns = _columns(truth, forecast, _Grouping(0, np.arange(count), count))
    present = [int(number) for number in np.unique(truth.series)]
    return dict(zip(present, _rows(columns, present), strict=True))


def interval_measures(actual: Floats, lower: Floats, upper: Floats, level: float) -> Mapping[str, float]:
    """``coverage``, ``width`` and ``interval_score`` of intervals of one level, in percent (95).

    Arrays [W, H]; NaN where no cell has both an actual and an interval.
    """
    return {
        "coverage": spread.coverage(actual, lower, upper),
        "width": spread.width(lower, upper, actual),
        "interval_score": spread.interval_score(actual, lower, upper, level / 100),
    }


def _with_owa(found: Measures, reference: Measures) -> Measures:
    own = [found.values[name] for name in ("smape", "mase")]
    theirs = [reference.values[name] for name in ("smape", "mase")]
    value = metrics.owa(*own, *theirs)
    reasons = dict(found.reasons)
    if np.isnan(value):
        reasons["owa"] = reasons.get("smape") or reasons.get("mase") or NO_REFERENCE
    return Measures({**found.values, "owa": value}, reasons)


def _columns(truth: Truth, forecast: Floats, grouping: _Grouping) -> dict[str, Column]:
    """Every metric of every group."""
    # An empty group is 0/0, a forecast without bounds inf/inf: both end as NaN, with a reason.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return {**_error_columns(truth, forecast, grouping), **_direction_columns(truth, forecast, grouping)}


def _error_columns(truth: Truth, forecast: Floats, grouping: _Grouping) -> dict[str, Column]:
    """The metrics made of sizes of errors."""
    known = ~np.isnan(truth.actual)
    actual, said = truth.actual[known], forecast[known]
    error = said - actual
    pair = _pairs(truth, grouping)[known]
    pairs, owner = len(grouping.owner), grouping.owner

    def by_pair(values: Floats | None) -> Floats:
        return np.bincount(pair, weights=values, minlength=pairs).astype(np.float64)

    def by_group(values: Floats) -> Floats:
        return np.bincount(owner, weights=values, minlength=grouping.groups).astype(np.float64)

    cells = by_pair(None)
    count = by_group(cells)
    absolute, rms = by_pair(np.abs(error)), metrics.rms_by(error, pair, pairs)
    mae = by_group(absolute) / count
    unit = np.where(mae > 0, mae, 1.0)  # squares of errors beyond 1e154 have no room
    squares = by_group(np.where(cells > 0, cells * (rms / unit[owner]) ** 2, 0.0))
    mape = by_group(by_pair(metrics.percentages(actual, said))) / count
    smape = by_group(by_pair(metrics.symmetric_percentages(actual, said))) / count
    gaps = [(count == 0, NOTHING), (np.isnan(mae), MISSING)]
    columns = {
        "mae": _column(mae, gaps),
        "rmse": _column(unit * np.sqrt(squares / count), gaps),
        "bias": _column(by_group(by_pair(error)) / count, gaps),
        "mape": _column(mape, [*gaps, (np.isnan(mape), ZERO)]),
        "smape": _column(smape, gaps),
    }
    series = np.arange(pairs) % len(truth.mase_scale)
    for name, size, scales in (
        ("mase", absolute / cells, truth.mase_scale[series]),
        ("rmsse", rms, truth.rmsse_scale[series]),
    ):
        scaled = (cells > 0) & (scales > 0)
        present = by_group(scaled.astype(np.float64))
        mean = by_group(np.where(scaled, size / scales, 0.0)) / present
        columns[name] = _column(mean, [*gaps, (present == 0, UNSCALED)])
    return columns


def _direction_columns(truth: Truth, forecast: Floats, grouping: _Grouping) -> dict[str, Column]:
    """Hit rate of all steps, and the test of it one step ahead."""
    last = truth.last[:, None]
    moved, hit = metrics.directions(truth.actual, forecast, last)
    group = grouping.owner[_pairs(truth, grouping)]

    def tally(cells: Flags) -> Labels:
        steps = cells.shape[1]
        return np.bincount(group[:, :steps][cells], minlength=grouping.groups)

    known = ~np.isnan(truth.actual)
    counted, claims = tally(moved), tally(moved & (forecast != last))
    gaps = [(tally(known) == 0, NOTHING), (tally(known & np.isnan(forecast)) > 0, MISSING)]
    still = [(counted == 0, UNMOVED), (claims == 0, NO_CHANGE)]
    rate = tally(hit) / counted
    one, right = moved[:, :1], hit[:, :1]
    trials = tally(one)
    p_value = metrics.coin_p_value(tally(right), trials)
    tested = [
        (tally(np.ones_like(one)) == 0, ONE_STEP),
        (trials == 0, UNMOVED),
        (tally(one & (forecast[:, :1] != last)) == 0, NO_CHANGE),
        (_shared(truth, one[:, 0], group[:, 0], grouping.groups), SHARED),
    ]
    return {
        "hit_rate": _column(rate, [*gaps, *still]),
        "hit_rate_p": _column(p_value, [*gaps, *still, *tested]),
    }


def _shared(truth: Truth, counted: Flags, group: Labels, groups: int) -> Flags:
    """Groups [G] in which one time has several counted windows; ``counted`` and ``group`` are [W]."""
    order = np.lexsort((truth.origins[counted], group[counted]))
    where, when = group[counted][order], truth.origins[counted][order]
    twice = (np.diff(where) == 0) & (np.diff(when) == 0)
    return np.asarray(np.bincount(where[1:][twice], minlength=groups) > 0)


def _pairs(truth: Truth, grouping: _Grouping) -> Labels:
    """Pair of each cell, [W, H]."""
    return truth.series[:, None] + grouping.step * np.arange(truth.actual.shape[1])


def _column(values: Floats, causes: list[tuple[Flags, str]]) -> Column:
    """Values [G] with the first cause that holds as the reason; none of them, and not finite: too large."""
    held = [*(flags for flags, _ in causes), ~np.isfinite(values)]
    reasons = np.select(held, [*(text for _, text in causes), BEYOND], default="")
    return np.where(reasons == "", values, np.nan).tolist(), reasons.tolist()


def _rows(columns: Mapping[str, Column], groups: list[int]) -> list[Measures]:
    """The measures of these groups."""
    return [
        Measures(
            {name: values[group] for name, (values, _) in columns.items()},
            {name: reasons[group] for name, (_, reasons) in columns.items() if reasons[group]},
        )
        for group in groups
    ]
