"""Margins that follow a backtest: at each cutoff from the last scores known by then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_forecast.forecasting.calibration import (
    OWN_SCORES,
    Calibration,
    Counts,
    Floats,
    in_units,
    smallest_covering,
    windows_needed,
)

ROLLING = 250  # times kept; measured on 15 price series: 80 and 95 % held within 1.5 points
_CELLS = 1_000_000  # scores sorted at once: an assumption, 8 MB


def rolling_margins(
    calibration: Calibration,
    level: float,
    scores: Floats,
    *,
    origins: Counts,
    known_at: Counts,
    series: Counts,
    unit: Floats,
) -> Floats:
    """What :meth:`Calibration.margins` would be, calibrated anew at each cutoff: [W, K'] in original units.

    At each cutoff and step the scores of the last 250 times known by then are taken: those of the backtest
    windows, and before them the newest of the calibration. A level that 250 scores do not allow takes as
    many as it needs. A series with 100 calibration windows at a step uses its own scores, others those of
    all series; a time then has several scores. All calibration values must lie before the first cutoff.

    Args:
        calibration: scores before the backtest.
        level: percent.
        scores: of the backtest windows, [W, K', P], as :func:`backtest_scores` gives them.
        origins: time of each window's cutoff, [W].
        known_at: time of each target, [W, K']: from this cutoff on its score is known. Any common clock does;
            for one series row numbers: cutoff row + step. Of no account where the score is NaN.
        series: each window's series, [W].
        unit: unit of each window's scores, [W].

    Returns:
        NaN at steps beyond the calibration's, and where too few scores are known.

    Raises:
        ValueError: a known target at or before its own cutoff.
    """
    if np.any((known_at <= origins[:, None]) & ~np.isnan(scores).all(axis=2)):
        raise ValueError("known_at: a target at or before its own cutoff; expected later times")
    found = np.full(scores.shape[:2], np.nan)
    column = calibration.column(level)
    steps = min(scores.shape[1], calibration.scores.shape[1])
    for step in range(steps if column is not None else 0):
        before = _Scored(calibration.scores[:, step, column], calibration.series)
        during = _Scored(scores[:, step, column], series)
        found[:, step] = _one_step(before, during, origins, known_at[:, step], level)
    return in_units(found, unit)


@dataclass(frozen=True)
class _Scored:
    """Scores [n] at one step, and the series [n] they are of."""

    score: Floats
    series: Counts

    def at(self, places: Counts) -> _Scored:
        return _Scored(self.score[places], self.series[places])


@dataclass(frozen=True)
class _Queue:
    """Scores in the order in which they became known.

    ``slot``: number of the time each became known at, rising; calibration times count down from -1.
    ``times``: the times of slots 0, 1, …
    """

    score: Floats
    slot: Counts
    times: Counts


def _one_step(before: _Scored, during: _Scored, origins: Counts, known_at: Counts, level: float) -> Floats:
    """Covering scores [W] at one step: of the own series where it has enough, else of all."""
    found = np.full(len(origins), np.nan)
    series_count = int(max(before.series.max(initial=0), during.series.max(initial=0))) + 1
    known = np.bincount(before.series[~np.isnan(before.score)], minlength=series_count)
    alone = np.flatnonzero((known >= OWN_SCORES) & np.isin(np.arange(series_count), during.series))
    if len(alone):
        old, new = by_series(before.series, series_count), by_series(during.series, series_count)
    for s in alone.tolist():
        queue = _queue(before.at(old[s]), during.at(new[s]), known_at[new[s]])
        found[new[s]] = _newest_covering(queue, origins[new[s]], level)
    rest = np.isnan(found)
    if rest.any():
        found[rest] = _newest_covering(_queue(before, during, known_at), origins[rest], level)
    return found


def _queue(before: _Scored, during: _Scored, known_at: Counts) -> _Queue:
    """All known scores, calibration first."""
    old, new = ~np.isnan(before.score), ~np.isnan(during.score)
    times, slot = np.unique(known_at[new], return_inverse=True)
    slots = np.concatenate([_countdown(before.series[old]), slot])
    scores = np.concatenate([before.score[old], during.score[new]])
    order = np.argsort(slots, kind="stable")
    return _Queue(scores[order], slots[order], times)


def _countdown(series: Counts) -> Counts:
    """-1 for the last of each series, -2 for the one before it, and so on."""
    order = np.argsort(series, kind="stable")
    ends = np.cumsum(np.bincount(series, minlength=1))
    slots = np.empty(len(series), dtype=np.int64)
    slots[order] = np.arange(len(series)) - ends[series[order]]
    return slots


def _newest_covering(queue: _Queue, origins: Counts, level: float) -> Floats:
    """The score that covers with probability ``level``, of the newest known at each of the origins [W]."""
    cutoffs, where = np.unique(origins, return_inverse=True)
    next_slot = np.searchsorted(queue.times, cutoffs, side="right")
    end = np.searchsorted(queue.slot, next_slot)
    begin = np.searchsorted(queue.slot, next_slot - max(ROLLING, windows_needed(level)))
    found = np.full(len(cutoffs), np.nan)
    longest = int((end - begin).max(initial=0))
    size = max(1, _CELLS // max(longest, 1))
    for first in range(0, len(cutoffs) if longest else 0, size):
        part = slice(first, first + size)
        place = end[part] - 1 - np.arange(longest)[:, None]
        taken = np.where(place >= begin[part], queue.score[np.maximum(place, 0)], np.nan)
        found[part] = smallest_covering(taken, level)
    return found[where]


def by_series(series: Counts, series_count: int) -> list[Counts]:
    """The windows of each series, in their order: S arrays of places in ``series``."""
    ends = np.cumsum(np.bincount(series, minlength=series_count))
    return np.split(np.argsort(series, kind="stable"), ends[:-1])
