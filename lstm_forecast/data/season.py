"""The season of the rows: after how many steps things repeat. Found in training rows, or given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY, Frequency
from lstm_forecast.data.panel import Panel

Floats = NDArray[np.float64]
_HOUR, _MINUTE = DAY // 24, DAY // 1440

# What makes a lag a season, in the autocorrelation of series without a calendar. The numbers are assumptions
# that were tried on simulated series: of 100 without a season (white noise, random walk, AR(1) from -0.9 to
# 0.97, a step, a random walk below noise; 40 to 4,000 rows) at most 5 are given one.
_LEAST = 0.3  # of the variance repeats; less is not worth a seasonal forecast
_BAND = 2.576  # standard errors, two-sided 99 %
_AGAIN = 0.7  # of the peak stands at twice the lag too; the swings of an AR process die away
_VALLEY = 0.5  # of the peak: the autocorrelation falls below it at some earlier lag
_AS_GOOD = 0.8  # of the highest peak: the season, where its double is a little higher by chance
_MOST_SERIES = 10  # the longest ones are looked at
_MOST_ROWS = 4_000  # of each, its last ones
_LONGEST = 400  # steps


@dataclass(frozen=True)
class Season:
    """After how many steps things repeat.

    Attributes:
        steps: m; 1 where there is no season.
        why: one line for the account.
    """

    steps: int
    why: str


def find_season(training: Panel, frequency: Frequency, *, given: int | None) -> Season:
    """The season that is given, or the calendar's, or the one the autocorrelation shows, in this order.

    The calendar's season needs two whole seasons in the longest series. Where it has two (the day and the
    week of hourly rows), the one whose seasonal naive forecast has the lower error is taken.

    Args:
        training: the training rows and nothing else; filled cells are not looked at.
        frequency: the rhythm of the rows.
        given: m as the user set it; None to find it.
    """
    if given is not None:
        return Season(given, f"season: {_words(given)}, as set (data.season)")
    values = np.where(training.observed[:, 0], training.values[:, 0], np.nan)
    longest = int(training.lengths.max(initial=0))
    candidates = {steps: name for steps, name in _calendar(frequency).items() if 2 * steps <= longest}
    if candidates:
        errors = _seasonal_errors(values, training, list(candidates)) if len(candidates) > 1 else [0.0]
        steps = list(candidates)[int(np.argmin(errors))]
        why = f"the {candidates[steps]} of {_rows_words(frequency)}"
        return Season(steps, f"season: {_words(steps)}, {why} (data.season)")
    steps, height = _autocorrelated(values, training)
    if steps == 1:
        return Season(1, "season: none found in the training rows (data.season)")
    why = f"where the autocorrelation of the training rows is {height:.2f}"
    return Season(steps, f"season: {_words(steps)}, {why} (data.season)")


def season_strength(training: Panel, season: int) -> float:
    """How much of what moves around the trend repeats with the season, from 0 to 1.

    One less the variance of what is left over that of what is left with the season in it (Wang, Smith &
    Hyndman 2006, section 3.2), with a centred moving average as trend and the mean of each step of the
    season; corrected for the k seasons that a mean is taken of, so that noise has 0. The mean of the longest
    ten series.

    Args:
        training: the training rows and nothing else.
        season: m.
    """
    if season < 2:
        return 0.0
    values = np.where(training.observed[:, 0], training.values[:, 0], np.nan)
    block = _longest_series(values, training)
    return float(np.mean([_strength(series, season) for series in block])) if len(block) else 0.0


def _strength(values: Floats, season: int) -> float:
    """That of one series [n]; 0 for fewer than three seasons, or where nothing moves."""
    weights = np.ones(season) / season
    if season % 2 == 0:  # an even season has its middle between two rows
        weights = np.convolve(weights, [0.5, 0.5])
    largest = float(np.nan_to_num(np.abs(values)).max(initial=0.0))
    if len(values) < 3 * season or largest == 0:
        return 0.0
    values = values / largest  # squares of the largest numbers have no float
    half = len(weights) // 2
    around = values[half : len(values) - half] - np.convolve(values, weights, "valid")
    step, known = np.arange(len(around)) % season, ~np.isnan(around)
    counts = np.bincount(step[known], minlength=season)
    means = np.bincount(step[known], around[known], minlength=season) / np.maximum(counts, 1)
    seasons = float(counts.mean())
    whole = float(np.var(around[known])) if known.any() else 0.0
    if whole == 0 or seasons <= 1:
        return 0.0
    left = float(np.var((around - means[step])[known])) * seasons / (seasons - 1)
    return max(0.0, 1 - left / whole)


def _words(steps: int) -> str:
    return "none" if steps == 1 else f"{steps:,} steps"


def _rows_words(frequency: Frequency) -> str:
    """``monthly rows``, ``daily rows, Mon-Fri``, ``rows every 30 minutes``."""
    step, _, days = str(frequency).partition(",")
    rows = f"rows {step}" if step.startswith("every") else f"{step} rows"
    return f"{rows},{days}" if days else rows


def _calendar(frequency: Frequency) -> dict[int, str]:
    """Candidates, the shortest first: steps and the name of the time they take."""
    if not frequency.regular or frequency.unit == "row":
        return {}
    step = frequency.step
    if frequency.unit == "month":
        found = {12 // step: "year"} if 12 % step == 0 else {}
    elif step % (7 * DAY) == 0:
        weeks = step // (7 * DAY)
        found = {52 // weeks: "year"} if 52 % weeks == 0 else {}
    elif step >= DAY:
        found = {len(frequency.weekdays): "week"} if step == DAY else {}
    else:
        found = _within_the_day(frequency)
    return {steps: name for steps, name in found.items() if steps > 1}


def _within_the_day(frequency: Frequency) -> dict[int, str]:
    """The day, and for hourly rows the week: the week of a shorter step is too long to be learned."""
    if frequency.step < _MINUTE or (DAY % frequency.step and not frequency.clock):
        return {}
    day = len(frequency.clock) or DAY // frequency.step
    week = {day * len(frequency.weekdays): "week"} if frequency.step == _HOUR else {}
    return {day: "day", **{steps: name for steps, name in week.items() if steps > day}}


def _seasonal_errors(values: Floats, training: Panel, candidates: list[int]) -> list[float]:
    """Mean absolute error of each candidate's seasonal naive forecast, in units of each series' mean step.

    All candidates are judged on the same rows: those that have the longest one before them.
    """
    series = np.repeat(np.arange(len(training)), training.lengths)
    within = np.arange(len(values)) - training.offsets[series]
    scale = _mean_change(values, series, within >= 1, 1)
    judged = within >= max(candidates)
    shifted = [_mean_change(values, series, judged, steps) for steps in candidates]
    counted = (scale > 0) & np.isfinite(shifted).all(axis=0)
    return [float(np.mean(error[counted] / scale[counted])) if counted.any() else 0.0 for error in shifted]


def _mean_change(values: Floats, series: NDArray[np.int64], rows: NDArray[np.bool_], steps: int) -> Floats:
    """Mean absolute change over ``steps`` steps at the marked rows, by series [S]; NaN for none."""
    marked = np.flatnonzero(rows)
    change = np.abs(values[marked] - values[marked - steps])
    known = ~np.isnan(change)
    owner, count = series[marked][known], int(series[-1]) + 1
    counts = np.bincount(owner, minlength=count)
    sums = np.bincount(owner, weights=change[known], minlength=count)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _autocorrelated(values: Floats, training: Panel) -> tuple[int, float]:
    """The season that the autocorrelation shows, and its height there; (1, 0) for none.

    Differences are looked at first: of a random walk they are noise, and its season, if it has one, stays.
    A season below much noise is lost in differences, so straight lines are taken out second.
    """
    block = _longest_series(values, training)
    for view in (np.diff(block, axis=1), _without_line(block)):
        lag, height = _clear_peak(_autocorrelation(view))
        if lag > 1:
            return lag, height
    return 1, 0.0


def _longest_series(values: Floats, training: Panel) -> Floats:
    """The last rows of the longest series, as many of each: [K, n]; no series below half the longest."""
    lengths = training.lengths
    order = np.argsort(-lengths, kind="stable")[:_MOST_SERIES]
    chosen = order[2 * lengths[order] >= lengths[order[:1]]]
    rows = int(min(lengths[chosen].min(initial=_MOST_ROWS), _MOST_ROWS))
    ends = training.offsets[1:][chosen]
    return np.asarray(values[ends[:, None] - rows + np.arange(rows)])


def _without_line(block: Floats) -> Floats:
    """Each series less its straight line, fitted to the known values: [K, n]."""
    known = ~np.isnan(block)
    time = np.where(known, np.arange(block.shape[1], dtype=np.float64), np.nan)
    time -= _known_mean(time)
    level = block - _known_mean(block)
    spread = np.maximum(np.nansum(time**2, axis=1, keepdims=True), 1.0)
    return np.asarray(level - time * (np.nansum(time * level, axis=1, keepdims=True) / spread))


def _known_mean(block: Floats) -> Floats:
    """Mean of the known values of each row, [K, 1]; 0 where there is none."""
    counts = np.maximum((~np.isnan(block)).sum(axis=1, keepdims=True), 1)
    return np.asarray(np.nansum(block, axis=1, keepdims=True) / counts)


def _autocorrelation(block: Floats) -> Floats:
    """Autocorrelation at lags 0 … n - 1, the mean over the series that move: [n]; empty without one.

    Unknown cells count as the mean, which draws the correlation towards 0.
    """
    centred = np.nan_to_num(block - _known_mean(block))
    largest = np.abs(centred).max(axis=1, initial=0.0)
    centred = centred[largest > 0] / largest[largest > 0, None]
    if not centred.size:
        return np.empty(0)
    rows = block.shape[1]
    power = np.abs(np.fft.rfft(centred, 2 ** int(2 * rows - 1).bit_length(), axis=1)) ** 2
    products = np.fft.irfft(power, axis=1)[:, :rows]
    return np.asarray((products / products[:, :1]).mean(axis=0))


def _clear_peak(r: Floats) -> tuple[int, float]:
    """The smallest lag with a clear local peak, and its height; (1, 0) for none.

    The band is Bartlett's (1946): the variance of r at lag k is (1 + 2 Σ r_i², i < k) / n, so that the slow
    swings of an autocorrelated series are not taken for a season. A lag has to fit three times.
    """
    rows, most = len(r), min(len(r) // 3, _LONGEST)
    lags = np.arange(3, most + 1)
    if not len(lags):
        return 1, 0.0
    band = _BAND * np.sqrt((1 + 2 * (np.cumsum(r**2) - 1)) / rows)
    whole = r * rows / (rows - np.arange(rows))  # without the shrinkage by (n - k) / n
    peak = (r[lags] >= r[lags - 1]) & (r[lags] >= r[lags + 1])
    peak &= np.minimum.accumulate(r)[lags - 1] < _VALLEY * r[lags]
    peak &= _twice(whole, lags) > _AGAIN * whole[lags]
    if r[2] > r[1]:  # up, down, up, down: an alternation is no season
        peak &= r[lags] > r[2]
    clear = peak & (r[lags] > _LEAST) & (r[lags] > band[lags - 1])
    if not clear.any():
        return 1, 0.0
    first = int(lags[peak & (r[lags] >= _AS_GOOD * r[lags[clear]].max())][0])
    lag = _sharpened(whole, first, most)
    return lag, float(r[lag])


def _twice(whole: Floats, lags: NDArray[np.int64]) -> Floats:
    """The highest value near twice each lag; noise moves a peak by about a twelfth of it."""
    reach = 1 + lags // 12
    return np.array(
        [whole[2 * lag - near : 2 * lag + near + 1].max() for lag, near in zip(lags, reach, strict=True)]
    )


def _sharpened(whole: Floats, lag: int, most: int) -> int:
    """The lag near a peak whose multiples stand highest: of a lag one step off, the fifth is five off."""
    near = np.arange(max(3, lag - lag // 8), min(lag + lag // 8, most) + 1)
    multiples = max(1, 2 * most // int(near[-1]))
    means = [float(np.mean(whole[steps * np.arange(1, multiples + 1)])) for steps in near]
    return int(near[int(np.argmax(means))])
