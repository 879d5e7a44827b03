"""Where a rhythm has a time and a series no row, and the other way round: all series at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import MOST_ROWS, Frequency, expected_times
from lstm_forecast.data.flat import ranges

Times = NDArray[np.int64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Holes:
    """Missing times, by series and time: ``series`` and ``times``, int64 each."""

    series: Rows
    times: Times


def holes_in(frequency: Frequency, times: Times, offsets: Rows) -> tuple[Holes, int | None]:
    """The times that the rhythm has between the first and the last row of a series, and no row is at.

    Args:
        frequency: the rhythm.
        times: [N], rising within each series.
        offsets: series borders, [S + 1].

    Returns:
        The missing times, and the first series with a row where the rhythm has no time (a daily file with one
        row at noon); None: there is none. A series of one row has neither.
    """
    long = np.flatnonzero(np.diff(offsets) > 1)
    if not frequency.trading and frequency.unit == "time" and not frequency.zone:
        steps = np.diff(times) == frequency.step
        borders = offsets[1:-1]
        steps[borders[(borders > 0) & (borders < len(times))] - 1] = True
        if steps.all():
            return Holes(long[:0], times[:0]), None
    parts = [_holes_of(mine, grid, times, offsets) for mine, grid in _grids(frequency, times, offsets, long)]
    off_grid = [series for _, series in parts if series is not None]
    series = np.concatenate([long[:0], *(found.series for found, _ in parts)])
    missing = np.concatenate([times[:0], *(found.times for found, _ in parts)])
    order = np.argsort(series, kind="stable")
    return Holes(series[order], missing[order]), min(off_grid, default=None)


def _grids(frequency: Frequency, times: Times, offsets: Rows, long: Rows) -> list[tuple[Rows, Times]]:
    """Series that share a grid, and this grid: every time of the rhythm from the first to the last of them.

    Steps of a fixed length share it where they are in phase; anything else, where they begin and end alike.
    """
    first, last = times[offsets[long]], times[offsets[long + 1] - 1]
    phased = frequency.unit == "time" and not frequency.zone
    if phased and len(long) and int(last.max() - first.min()) // frequency.step <= MOST_ROWS:
        keys = (first % frequency.step)[:, None]
    else:
        keys = np.column_stack([first, last])
    _, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    alike = np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(order) else []
    return [
        (long[mine], expected_times(frequency, int(first[mine].min()), int(last[mine].max())))
        for mine in alike
    ]


def _holes_of(series: Rows, grid: Times, times: Times, offsets: Rows) -> tuple[Holes, int | None]:
    """:func:`holes_in` of these series, which share a grid."""
    begins, ends = offsets[series], offsets[series + 1]
    first, last = times[begins], times[ends - 1]
    rows = ranges(begins, ends - begins)
    place = np.searchsorted(grid, times[rows])
    there = place < len(grid)
    there[there] = grid[place[there]] == times[rows[there]]
    owner = np.repeat(np.arange(len(series)), ends - begins)
    off_grid = None if there.all() else int(series[owner[np.argmin(there)]])
    # A month has its time also where that lies before the first row of all, or after the last one.
    low = np.where(first == first.min(), 0, np.searchsorted(grid, first))
    high = np.where(last == last.max(), len(grid), np.searchsorted(grid, last, side="right"))
    counts = high - low
    shift = np.cumsum(counts) - counts
    empty = np.ones(int(counts.sum()), dtype=bool)
    empty[(place - low[owner] + shift[owner])[there]] = False
    missing = np.flatnonzero(empty)
    whose = np.searchsorted(shift + counts, missing, side="right")
    return Holes(series[whose], grid[missing - shift[whose] + low[whose]]), off_grid
