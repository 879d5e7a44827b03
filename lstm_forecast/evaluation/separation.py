"""Train, validation and test kept apart: their times, their targets, and tables with later rows changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.table import Table
from lstm_forecast.data.windows import Windows

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Change = Literal["times 1,000,000", "replaced by noise"]

CHANGES: tuple[Change, ...] = ("times 1,000,000", "replaced by noise")
PARTS = ("train", "validation", "test")
FACTOR = 1e6
LARGEST = 1e300  # that a changed value may have


@dataclass(frozen=True)
class Overlap:
    """Two parts of which the earlier does not end before the later begins.

    Attributes:
        earlier: name of the part that should end.
        last: its last time.
        later: name of the part that should begin after it.
        first: its first time.
    """

    earlier: str
    last: int
    later: str
    first: int


def part_times(panel: Panel, splits: Splits) -> dict[str, list[Rows]]:
    """The times of each part's rows, by series."""
    borders = (panel.offsets[:-1], splits.train_end, splits.validation_end, panel.offsets[1:])
    return {
        part: [panel.times[first:end] for first, end in zip(*pair, strict=True)]
        for part, pair in zip(PARTS, pairwise(borders), strict=True)
    }


def part_ends(times: dict[str, list[Rows]]) -> dict[str, tuple[int, int]]:
    """First and last time of each part that has rows, over all series."""
    together = {part: np.concatenate(found) for part, found in times.items()}
    return {part: (int(found.min()), int(found.max())) for part, found in together.items() if len(found)}


def first_overlap(times: dict[str, list[Rows]], series: Sequence[int]) -> Overlap | None:
    """The first two parts that are not one after the other in these series taken together; None: all are."""
    ends = part_ends({part: [found[s] for s in series] for part, found in times.items()})
    for (earlier, (_, last)), (later, (first, _)) in pairwise(ends.items()):
        if last >= first:
            return Overlap(earlier, last, later, first)
    return None


def target_rows(windows: Windows, rows: int, *, first: int, end: int) -> Mask:
    """Which of so many rows are step ``first … end - 1`` of a window, its own first row being step 0."""
    marked = np.zeros(rows, dtype=bool)
    for step in range(first, end):
        marked[windows.start + step] = True
    return marked


def rows_before(panel: Panel, end: Rows) -> Mask:
    """Rows of the panel before flat row ``end[s]`` of their series: bool [N].

    Not :meth:`Panel.until`: what is checked does not check itself.
    """
    return np.asarray(np.arange(len(panel.times)) < np.repeat(end, panel.lengths))


def table_rows_from(table: Table, panel: Panel, border: Rows) -> Mask:
    """Rows of the table at or after the time of flat row ``border[s]`` of its panel: bool [N]."""
    first = np.full(len(panel), np.iinfo(np.int64).max)
    inside = border < panel.offsets[1:]
    first[inside] = panel.times[border[inside]]
    return np.asarray(table.times >= first[table.series])


def last_table_rows(table: Table, panel: Panel, end: Rows) -> Mask:
    """The row of the table with each series' last observed target before flat row ``end[s]``: bool [N]."""
    last = np.full(len(panel), np.iinfo(np.int64).max)  # no row has this time
    for series, (start, stop) in enumerate(zip(panel.offsets[:-1], end, strict=True)):
        known = np.flatnonzero(panel.observed[start:stop, 0])
        if len(known):
            last[series] = panel.times[start + known[-1]]
    return np.asarray(table.times == last[table.series])


def changed_table(table: Table, rows: Mask, change: Change, *, positive: bool) -> Table:
    """The table with these rows [N] changed out of all reason; empty cells stay empty.

    Noise lies at one to two times the largest value of its column, on either side of zero.

    Args:
        table: as it was read.
        rows: which ones.
        change: to what.
        positive: whether every value has to stay above zero, because its logarithm is taken.
    """
    values = table.values.copy()
    old = values[rows]
    if change == "times 1,000,000":
        with np.errstate(over="ignore"):
            new = np.clip(old * FACTOR, -LARGEST, LARGEST)
    else:
        draw = np.random.default_rng(0)
        size = np.nanmax(np.abs(values), axis=0, initial=0.0)
        size = np.where(size > 0, np.minimum(size, LARGEST), 1.0)
        new = draw.choice([-1.0, 1.0], size=old.shape) * draw.uniform(1, 2, size=old.shape) * size
    new = np.abs(new) if positive else new
    values[rows] = np.where(np.isnan(old), np.nan, new)
    return replace(table, values=values)


def newest_windows(windows: Windows, most: int) -> Windows:
    """About ``most`` windows: the last ones of each series, nearest to what must not be seen."""
    ends = np.flatnonzero(np.diff(windows.series, append=-1)) + 1
    each = max(1, most // max(len(ends), 1))
    kept = np.zeros(len(windows), dtype=bool)
    for first, end in pairwise([0, *ends.tolist()]):
        kept[max(first, end - each) : end] = True
    return Windows(windows.start[kept], windows.series[kept])
