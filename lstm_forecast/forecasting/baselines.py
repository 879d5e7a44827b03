"""What costs nothing: the forecasts a network has to beat.

A cutoff is the flat row of the last known value; nothing after it is read. Filled cells count as values,
except in the mean: a value that stood still would count there as often as it was repeated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.flat import BLOCK_CELLS, blocks
from lstm_forecast.data.panel import Panel

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

SIMPLE = ("naive", "seasonal_naive", "drift", "mean")
FROM_THE_BEGINNING = ("drift", "mean")  # what these give depends on a series' first row
_CRITICAL = 1.645  # 90 %, two-sided: the seasonality test of the M4 competition


def baseline_forecasts(
    names: Sequence[str], panel: Panel, rows: Rows, series: Rows, *, horizon: int, season: int
) -> dict[str, Floats]:
    """The named simple forecasts at each cutoff, in original units: each [W, H].

    ``naive``: the last value. ``seasonal_naive``: the last value at the same phase of the season; of a series
    with fewer rows than a season, the last value. ``drift``: the straight line through the first and the last
    value (Hyndman & Athanasopoulos 2021, Forecasting: Principles and Practice, section 5.2). ``mean``: the
    mean of the observed values.

    Args:
        names: some of :data:`SIMPLE`.
        panel: the rows, without empty cells in column 0.
        rows: the cutoffs, int64 [W].
        series: whose they are, int64 [W].
        horizon: H.
        season: m; 1 for none.
    """
    unknown = set(names) - set(SIMPLE)
    if unknown:
        raise ValueError(f"no simple forecast is called {', '.join(sorted(unknown))}; there are {SIMPLE}")
    found: dict[str, Floats] = {}
    for name in names:
        if name == "naive":
            found[name] = naive(panel.values[rows, 0], horizon)
        elif name == "seasonal_naive":
            found[name] = _seasonal_naive(panel, rows, series, horizon=horizon, season=season)
        elif name == "drift":
            found[name] = _drift(panel, rows, series, horizon=horizon)
        else:
            found[name] = naive(_means(panel, rows, series), horizon)
    return found


def naive(last: Floats, horizon: int) -> Floats:
    """Tomorrow is today: the last value ``last`` [B] at every step, [B, H]."""
    return np.repeat(last[:, None], horizon, axis=1)


def naive2(panel: Panel, rows: Rows, series: Rows, *, horizon: int, season: int, train_end: Rows) -> Floats:
    """The naive forecast of the seasonally adjusted series, [W, H]: the M4 competition's reference.

    A series whose training rows pass the seasonality test is divided by the indices of the classical
    multiplicative decomposition of its training rows; any other has the plain naive forecast, as has one with
    a training value that is not positive. The test (Makridakis, Spiliotis & Assimakopoulos 2020, The M4
    Competition, and its published code): three whole seasons, and an autocorrelation at lag m beyond 90 %
    of Bartlett's band.

    Args:
        panel: the rows, without empty cells in column 0.
        rows: the cutoffs, int64 [W].
        series: whose they are, int64 [W].
        horizon: H.
        season: m; 1 for none.
        train_end: flat row after the last training row of each series, int64 [S]; no cutoff lies before its
            last training row.
    """
    if np.any(rows + 1 < train_end[series]):
        raise ValueError("a cutoff lies before the end of the rows that the indices are computed from")
    indices = np.ones((len(panel), season))
    asked = np.unique(series) if season > 1 else series[:0]
    begin = panel.offsets[asked]
    for block in blocks(begin, train_end[asked] - begin, cells=max(1, BLOCK_CELLS // season)):
        training = block.of(panel.values[:, 0])
        seasonal = np.flatnonzero(_is_seasonal(training, season))
        if len(seasonal):
            indices[asked[block.series[seasonal]]] = _seasonal_indices(training[seasonal], season)
    within = rows - panel.offsets[series]
    ahead = within[:, None] + np.arange(1, horizon + 1)
    ratio = indices[series[:, None], ahead % season] / indices[series, within % season][:, None]
    return np.asarray(panel.values[rows, :1] * ratio)


def _seasonal_naive(panel: Panel, rows: Rows, series: Rows, *, horizon: int, season: int) -> Floats:
    """The value one season before each target, or several seasons where the horizon is longer: [W, H]."""
    first = rows - season + 1
    same_phase = first[:, None] + np.arange(horizon) % season
    known = first >= panel.offsets[series]
    return np.asarray(panel.values[np.where(known[:, None], same_phase, rows[:, None]), 0])


def _drift(panel: Panel, rows: Rows, series: Rows, *, horizon: int) -> Floats:
    """On along the line from the first row to the cutoff: [W, H]; of one row, its value."""
    begin = panel.offsets[series]
    last = panel.values[rows, 0]
    slope = (last - panel.values[begin, 0]) / np.maximum(rows - begin, 1)
    return np.asarray(last[:, None] + slope[:, None] * np.arange(1, horizon + 1))


def _means(panel: Panel, rows: Rows, series: Rows) -> Floats:
    """Mean of the observed values up to each cutoff, [W]; the last value where none was observed.

    Sums are counted from the first value and begin anew in each series, so that 1e9 + 0.01 keeps its digits
    and no other series leaves its rounding behind.
    """
    sums, counts = np.zeros(len(panel.times)), np.zeros(len(panel.times))
    for block in blocks(panel.offsets[:-1], panel.lengths):
        observed, values = block.of(panel.observed[:, 0]), block.of(panel.values[:, 0])
        block.put(sums, np.cumsum(np.where(observed, values - values[:, :1], 0.0), axis=1))
        block.put(counts, np.cumsum(observed, axis=1))
    mean = panel.values[panel.offsets[series], 0] + sums[rows] / np.maximum(counts[rows], 1)
    return np.asarray(np.where(counts[rows] > 0, mean, panel.values[rows, 0]))


def _is_seasonal(values: Floats, season: int) -> NDArray[np.bool_]:
    """Whether the M4 competition's test finds the season in training values [G, n], all above 0: [G]."""
    count = values.shape[1]
    tested: NDArray[np.bool_] = (values.min(axis=1) > 0) & (np.ptp(values, axis=1) > 0)
    tested &= count >= 3 * season
    if not tested.any():
        return tested
    values = values[tested]
    centred = (values - values[:, :1]) / np.ptp(values, axis=1)[:, None]
    centred = centred - centred.mean(axis=1)[:, None]
    products = [
        np.sum(centred[:, : count - lag] * centred[:, lag:], axis=1)[:, None] for lag in range(season + 1)
    ]
    correlation = np.concatenate(products[1:], axis=1) / products[0]
    band = _CRITICAL * np.sqrt((1 + 2 * np.sum(correlation[:, :-1] ** 2, axis=1)) / count)
    tested[tested] = np.abs(correlation[:, -1]) > band
    return np.asarray(tested)


def _seasonal_indices(values: Floats, season: int) -> Floats:
    """Indices of the classical multiplicative decomposition of [G, n], [G, m], but for a common factor.

    The trend is the moving average over one season, centred: of an even season its two ends count half.
    """
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    spans = np.lib.stride_tricks.sliding_window_view(values, len(weights), axis=1)
    count = values.shape[1] - len(weights) + 1
    trend = np.empty((len(values), count))
    size = max(1, BLOCK_CELLS // (len(values) * len(weights)))
    for first in range(0, count, size):
        part = slice(first, first + size)
        trend[:, part] = (spans[:, part] * (weights / season)).sum(axis=2)
    half = season // 2
    ratio = values[:, half : values.shape[1] - half] / trend
    phase = (half + np.arange(ratio.shape[1])) % season
    cells = (np.arange(len(values))[:, None] * season + phase).reshape(-1)
    sums = np.bincount(cells, weights=ratio.reshape(-1), minlength=len(values) * season)
    return np.asarray(sums.reshape(len(values), season) / np.bincount(phase))
