"""Units of one column, series by series: offset and spread of its values, the size of its steps.

Offset and spread are those of scikit-learn's MinMaxScaler, StandardScaler and RobustScaler, to the last bit,
without its import. They are taken in float64 from values counted from the first one and divided by their
magnitude: scikit-learn alone takes a series around 1e-18 for constant, and 100,000 rows that move by 0.01
around 1e9.

All series are fitted at once, in blocks of equally many known values; each is fitted as if it stood alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.flat import blocks, count_marked, ranges

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]
Method = Literal["minmax", "standard", "robust", "none"]
_EPSILON = 8 * np.finfo(np.float64).eps


def fit_columns(
    values: Floats, offsets: Rows, *, method: Method, scaled_range: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Offset and unit of each series, [S] each; zero spread gives unit 1, no known value offset 0 and unit 1.

    Args:
        values: of one column, [N]; NaN where not known.
        offsets: series borders, [S + 1].
        method: the scaler.
        scaled_range: where ``minmax`` puts the lowest and the highest value.
    """
    offset, unit = np.zeros(len(offsets) - 1), np.ones(len(offsets) - 1)
    if method != "none":
        for series, known in known_blocks(values, offsets):
            offset[series], unit[series] = _fit(known, method, scaled_range)
    return offset, unit


def step_units(values: Floats, steps: Floats, offsets: Rows) -> Floats:
    """Standard deviation of the steps of each series: [S]; 1 where there are none.

    Of a straight line, whose deviation is rounding, it is their size.

    Args:
        values: [N]; NaN where not known.
        steps: from the row before, [N]; NaN where there is none, as in each series' first row.
        offsets: series borders, [S + 1].
    """
    units = np.ones(len(offsets) - 1)
    low, high = extremes(values, offsets)
    rounding = _EPSILON * np.maximum(np.abs(low), np.abs(high))
    for series, known in known_blocks(steps, offsets):
        magnitude = _magnitude(known)
        small = known / magnitude[:, None]
        deviation = np.std(small, axis=1) * magnitude
        size = _root_mean_square(small) * magnitude
        flat = np.where(size > rounding[series], size, 1.0)
        units[series] = np.where(deviation > rounding[series], deviation, flat)
    return units


def season_scales(values: Floats, offsets: Rows, season: int) -> tuple[Floats, Floats]:
    """Mean absolute and root mean squared difference over a season, [S] each; 0 where there is none.

    Of a series of no more rows than a season, over one step. ``values`` [N] are NaN where not known.
    """
    mean, root = np.zeros(len(offsets) - 1), np.zeros(len(offsets) - 1)
    long = np.diff(offsets) > season
    for lag, chosen in ((season, long), (1, ~long)):
        if not chosen.any():
            continue
        for series, steps in known_blocks(np.abs(differences(values, offsets, lag, chosen)), offsets):
            magnitude = _magnitude(steps)
            moves = steps.any(axis=1)
            mean[series] = np.where(moves, steps.mean(axis=1), 0.0)
            root[series] = np.where(moves, _root_mean_square(steps / magnitude[:, None]) * magnitude, 0.0)
    return mean, root


def season_smapes(values: Floats, offsets: Rows, season: int) -> Floats:
    """Mean sMAPE in percent of the value one season before, [S]; NaN where none is known.

    Of a series of no more rows than a season, of the value one step before. ``values`` [N] are NaN where not
    known.
    """
    lengths = np.diff(offsets)
    lag = np.where(lengths > season, season, 1)
    found = np.full(len(lengths), np.nan)
    for block in blocks(offsets[:-1], lengths):
        back = int(lag[block.series[0]])  # series of one length have one lag
        here = block.of(values)
        now, before = here[:, back:], here[:, :-back]
        size = np.abs(now) + np.abs(before)
        shares = 200 * np.abs(now - before) / np.where(size > 0, size, 1.0)
        known = ~np.isnan(shares)
        counts = known.sum(axis=1)
        sums = np.where(known, shares, 0.0).sum(axis=1)
        found[block.series] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return found


def differences(values: Floats, offsets: Rows, lag: int, chosen: Flags | None = None) -> Floats:
    """Each value less the one ``lag`` rows before, [N]; NaN where its series has none, or is not chosen."""
    steps = np.full(len(values), np.nan)
    with np.errstate(over="ignore"):  # from one series to the next, where it does not count
        np.subtract(values[lag:], values[:-lag], out=steps[lag:])
    steps[ranges(offsets[:-1], np.minimum(np.diff(offsets), lag))] = np.nan
    if chosen is not None and not chosen.all():
        steps[np.repeat(~chosen, np.diff(offsets))] = np.nan
    return steps


def extremes(values: Floats, offsets: Rows) -> tuple[Floats, Floats]:
    """Lowest and highest known value of each series, [S] each; infinite and -infinite where none is known."""
    low, high = np.full(len(offsets) - 1, np.inf), np.full(len(offsets) - 1, -np.inf)
    full = np.flatnonzero(np.diff(offsets))
    if len(full):
        starts = offsets[full]
        low[full] = np.fmin.reduceat(values, starts)
        high[full] = np.fmax.reduceat(values, starts)
        none = np.isnan(low)
        low[none], high[none] = np.inf, -np.inf
    return low, high


def known_blocks(values: Floats, offsets: Rows) -> Iterator[tuple[Rows, Floats]]:
    """Series with equally many known values, and these: their numbers [G] and values [G, n], n above 0."""
    known = ~np.isnan(values)
    if known.all():
        first, counts = offsets[:-1], np.diff(offsets)
    else:
        values, counts = values[known], count_marked(known, offsets)
        first = np.cumsum(counts) - counts
    for block in blocks(first, counts):
        yield block.series, block.of(values)


def _fit(known: Floats, method: Method, scaled_range: tuple[float, float]) -> tuple[Floats, Floats]:
    """Offset and unit of each row of known values [G, n], [G] each."""
    first = known[:, 0]
    still = np.ptp(known / _magnitude(known)[:, None], axis=1) <= _EPSILON
    counted_from_first = known - first[:, None]
    magnitude = _magnitude(counted_from_first)
    counted_from_first /= magnitude[:, None]
    offset, unit = _spread(counted_from_first, method, scaled_range)
    offset, unit = first + offset * magnitude, unit * magnitude
    return np.where(still, first, offset), np.where(still, 1.0, unit)


def _spread(small: Floats, method: Method, scaled_range: tuple[float, float]) -> tuple[Floats, Floats]:
    """Of rows [G, n]: the value that becomes 0, and the spread that becomes 1, each [G]."""
    if method == "minmax":
        low, wanted = small.min(axis=1), scaled_range[1] - scaled_range[0]
        unit = 1 / (wanted / _or_one(small.max(axis=1) - low))  # as MinMaxScaler rounds
        return low - scaled_range[0] * unit, unit
    if method == "standard":
        return _mean_and_deviation(small)
    quartiles = np.percentile(small, (25, 75), axis=1)
    return np.median(small, axis=1), _or_one(quartiles[1] - quartiles[0])


def _mean_and_deviation(small: Floats) -> tuple[Floats, Floats]:
    """The corrected two-pass algorithm (Chan, Golub & LeVeque 1983), as StandardScaler has it."""
    count = small.shape[1]
    mean = small.sum(axis=1) / count
    deviations = small - mean[:, None]
    correction = deviations.sum(axis=1) ** 2 / count
    variance = ((deviations**2).sum(axis=1) - correction) / count
    return mean, np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), 1.0)


def _or_one(spread: Floats) -> Floats:
    """1 in place of a spread that is nothing but rounding, beside values of about 1."""
    return np.where(spread < 10 * np.finfo(np.float64).eps, 1.0, spread)


def _root_mean_square(values: Floats) -> Floats:
    return np.asarray(np.sqrt(np.mean(values**2, axis=1)))


def _magnitude(values: Floats) -> Floats:
    """A power of two near the largest absolute value of each row, so that dividing by it rounds nothing.

    [G, n] → [G]; 1 for zeros.
    """
    largest = np.maximum(values.max(axis=1), -values.min(axis=1))
    finite = (largest > 0) & np.isfinite(largest)
    exponents = np.floor(np.log2(np.where(finite, largest, 1.0)))
    return np.where(np.isposinf(largest), largest, np.ldexp(1.0, exponents.astype(np.int64)))
