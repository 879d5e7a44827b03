"""Series one at a time: what the code that works on all of them at once is compared with, bit for bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from lstm_forecast.data.calendars import Frequency, expected_times
from lstm_forecast.data.column_units import Method
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import WINDOWED, AheadColumns, Normalize, Per
from lstm_forecast.data.transform import Transform, transformed

Floats = NDArray[np.float64]
EPSILON = 8 * np.finfo(float).eps


def magnitude(values: Floats) -> float:
    largest = float(np.max(np.abs(values)))
    return float(2.0 ** np.floor(np.log2(largest))) if largest > 0 else 1.0


def fit_column(values: Floats, method: Method, scaled_range: tuple[float, float]) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if method == "none" or len(known) == 0:
        return 0.0, 1.0
    first = float(known[0])
    if float(np.ptp(known / magnitude(known))) <= EPSILON:
        return first, 1.0
    large = magnitude(known - first)
    small = ((known - first) / large)[:, None]
    if method == "minmax":
        scaler = MinMaxScaler(feature_range=scaled_range).fit(small)
        unit = 1 / float(scaler.scale_[0])
        return first + (float(scaler.data_min_[0]) - scaled_range[0] * unit) * large, unit * large
    if method == "standard":
        scaler = StandardScaler().fit(small)
        return first + float(scaler.mean_[0]) * large, float(scaler.scale_[0]) * large
    scaler = RobustScaler().fit(small)
    return first + float(scaler.center_[0]) * large, float(scaler.scale_[0]) * large


def fit_step_unit(pool: list[Floats]) -> float:
    steps = np.concatenate([np.diff(values) for values in pool])
    steps = steps[~np.isnan(steps)]
    if len(steps) == 0:
        return 1.0
    rounding = EPSILON * float(np.nanmax(np.abs(np.concatenate(pool))))
    large = magnitude(steps)
    deviation = float(np.std(steps / large)) * large
    if deviation > rounding:
        return deviation
    size = float(np.sqrt(np.mean((steps / large) ** 2))) * large
    return size if size > rounding else 1.0


def season_scales(values: Floats, season: int) -> tuple[float, float]:
    lag = season if len(values) > season else 1
    steps = np.abs(values[lag:] - values[:-lag])
    steps = steps[~np.isnan(steps)]
    if not np.any(steps):
        return 0.0, 0.0
    large = magnitude(steps)
    return float(np.mean(steps)), float(np.sqrt(np.mean((steps / large) ** 2))) * large


def season_smape(values: Floats, season: int) -> float:
    """NaN where nothing is known."""
    lag = season if len(values) > season else 1
    size = np.abs(values[lag:]) + np.abs(values[:-lag])
    shares = 200 * np.abs(values[lag:] - values[:-lag]) / np.where(size > 0, size, 1.0)
    return float(np.nanmean(shares)) if np.any(~np.isnan(shares)) else float("nan")


def known_values(panel: Panel, transform: Transform) -> list[Floats]:
    """Of each series [n, C], the target transformed, NaN where it was not observed or has nothing before."""
    parts = []
    for s in range(len(panel)):
        values, observed = panel.values[panel.rows(s)].copy(), panel.observed[panel.rows(s)].copy()
        values[:, 0] = transformed(values[:, 0], transform)
        if transform == "diff":
            observed[1:, 0] &= panel.observed[panel.rows(s)][:-1, 0]
            observed[:1, 0] = False
        parts.append(np.where(observed, values, np.nan))
    return parts


def units(
    panel: Panel, transform: Transform, method: Method, scaled_range: tuple[float, float], per: Per
) -> list[Floats]:
    """Offset, unit and step unit: [S, C] each, of all columns."""
    parts, shape = known_values(panel, transform), (len(panel), panel.values.shape[1])
    found = [np.zeros(shape), np.ones(shape), np.ones(shape)]
    for column in range(shape[1]):
        alone = [[s] for s in range(len(panel)) if panel.lengths[s] >= 2]
        for group in [list(range(len(panel)))] if per == "global" else alone:
            pool = [parts[s][:, column] for s in group]
            numbers = (*fit_column(np.concatenate(pool), method, scaled_range), fit_step_unit(pool))
            for array, number in zip(found, numbers, strict=True):
                array[group, column] = number
    return found


def input_ends(
    values: Floats, units: list[Floats], normalize: Normalize, transform: Transform
) -> tuple[Floats, Floats]:
    """Lowest and highest input [C] of one series [n, C] in its units [C] each."""
    offset, unit, step_unit = units
    inputs = np.diff(values, axis=0) / step_unit if normalize == "diff" else (values - offset) / unit
    if normalize in WINDOWED and np.any(~np.isnan(inputs)):
        known = ~np.isnan(inputs)
        low = np.min(inputs, axis=0, initial=np.inf, where=known)
        high = np.max(inputs, axis=0, initial=-np.inf, where=known)
        apart = np.where(known.any(axis=0), high - low, 0.0)
        apart = np.full(len(apart), np.sqrt(2.0**63)) if normalize == "mean_std" else apart
        return -apart, apart
    if normalize == "diff":
        inputs = np.concatenate([inputs, np.zeros((1, values.shape[1]))])
    elif transform == "diff":
        first = np.full(values.shape[1], np.nan)
        first[0] = -offset[0] / unit[0]
        inputs = np.concatenate([inputs, first[None]])
    known = ~np.isnan(inputs)
    low = np.min(inputs, axis=0, initial=np.inf, where=known)
    high = np.max(inputs, axis=0, initial=-np.inf, where=known)
    return np.where(known.any(axis=0), low, 0.0), np.where(known.any(axis=0), high, 0.0)


def all_input_ends(
    panel: Panel, units: list[Floats], normalize: Normalize, transform: Transform, ahead: AheadColumns
) -> tuple[Floats, Floats]:
    """Of all series, [S, C] each; of the columns known ahead those of the scaled values."""
    found = []
    for s, values in enumerate(known_values(panel, transform)):
        mine = [numbers[s] for numbers in units]
        low, high = input_ends(values, mine, normalize, transform)
        if ahead.count:
            last = slice(-ahead.count, None)
            plain = input_ends(values[:, last], [numbers[last] for numbers in mine], "none", "none")
            low[last], high[last] = plain
        found.append((low, high))
    low, high = np.moveaxis(np.array(found), 1, 0)
    return low, high


def holes(frequency: Frequency, times: NDArray[np.int64]) -> tuple[list[int], bool]:
    """The missing times of one series, and whether a row lies beside the rhythm."""
    if len(times) < 2:
        return [], False
    expected = expected_times(frequency, int(times[0]), int(times[-1]))
    return np.setdiff1d(expected, times).tolist(), bool(np.setdiff1d(times, expected).size)


def filled(values: Floats, inside: int) -> Floats:
    """One column of one series: linear in the first ``inside`` rows, the last known value elsewhere."""
    done = values.copy()
    known = np.flatnonzero(~np.isnan(values[:inside]))
    if len(known):
        between = np.arange(known[0], known[-1] + 1)
        done[between] = np.interp(between, known, values[known])
    last = np.maximum.accumulate(np.where(np.isnan(done), -1, np.arange(len(done))))
    return np.where(last >= 0, done[np.maximum(last, 0)], np.nan)


def until(panel: Panel, end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows lie before ``end[s]`` of their series."""
    keep = np.zeros(len(panel.times), dtype=bool)
    for start, stop in zip(panel.offsets[:-1], end, strict=True):
        keep[start:stop] = True
    return keep


def first_complete(panel: Panel) -> NDArray[np.int64]:
    """Flat row of each series' first complete row; its end where there is none."""
    complete = ~np.isnan(panel.values).any(axis=1)
    first = []
    for s in range(len(panel)):
        whole = np.flatnonzero(complete[panel.rows(s)])
        first.append(panel.offsets[s] + whole[0] if len(whole) else panel.offsets[s + 1])
    return np.array(first)
