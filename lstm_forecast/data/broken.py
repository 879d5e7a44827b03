"""Series that cannot be used, left out of a table (``data.bad_series: skip``): which, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.account import Story
from lstm_forecast.data.assemble import Long, arrange, repeats
from lstm_forecast.data.cells import convert
from lstm_forecast.data.findings import LeftOut, Notice, plural
from lstm_forecast.data.table import ReadOptions, RowsAhead, Table
from lstm_forecast.errors import DataInvalid

_EXPLAINED = 3  # series whose fault stands in the warning; all are in the rejects
Fault = tuple[int, str]  # its line, 0 for none, and what it is


def without_unreadable(
    story: Story,
    long: Long,
    ids: tuple[str, ...],
    options: ReadOptions,
    unlike: Mapping[int, DataInvalid],
) -> tuple[Long, tuple[str, ...], tuple[LeftOut, ...]]:
    """The rows of the series that can be read, their names, and the others.

    A fault that belongs to no series alone is an error also here: a bad time in a wide file, a bad cell
    where there is one series, a row of another width. So is one of every series.

    Args:
        story: the file.
        long: its rows.
        ids: the names of its series.
        options: how it is read.
        unlike: the series whose static columns have no cell or several, and the error of each.

    Raises:
        DataInvalid: that fault, as without ``data.bad_series: skip``.
    """
    if options.bad_series == "error":
        for error in unlike.values():
            raise error
        return long, ids, ()
    faults = _unreadable(story, long, options)
    if story.cells.marked and (faults is None or len(faults) == len(ids)):
        plain = replace(options, bad_series="error")
        name, separator = story.text.name, story.facts.separator
        convert(story.body, story.header, story.roles, plain, name=name, separator=separator)
    faults = faults or {}
    if options.duplicates == "error":
        faults = _repeated(story, long) | faults
    faults = {s: (_line(error), error.message) for s, error in unlike.items()} | faults
    if unlike and len(faults) == len(ids):
        raise next(iter(unlike.values()))
    if not faults or len(faults) == len(ids):  # the error about repeated rows follows
        return long, ids, ()
    keep = ~np.isin(long.series, list(faults))
    left = [
        LeftOut(ids[s], int((long.series == s).sum()), story.facts.path, *faults[s]) for s in sorted(faults)
    ]
    _, series = np.unique(long.series[keep], return_inverse=True)
    kept = replace(long.take(np.flatnonzero(keep)), series=series.astype(np.int64))
    return kept, tuple(name for s, name in enumerate(ids) if s not in faults), tuple(left)


def _unreadable(story: Story, long: Long, options: ReadOptions) -> dict[int, Fault] | None:
    """The first bad cell of each series; None where one is of no series alone."""
    faults: dict[int, Fault] = {}
    wide = isinstance(options.target, tuple)
    for cell in story.cells.marked:
        if wide and not 0 <= cell.value < len(story.roles.target):
            return None
        series = cell.value if wide else int(long.series[cell.row])
        if not wide and story.members.column is None:
            return None
        faults.setdefault(series, (int(story.body.lines[cell.row]), cell.reason))
    return faults


def _repeated(story: Story, long: Long) -> dict[int, Fault]:
    """The first repeated time of each series."""
    _, table = arrange(long)
    faults: dict[int, Fault] = {}
    for row in np.flatnonzero(repeats(table)).tolist():
        moment = story.cells.time_format.format(table.times[row : row + 1])[0]
        faults.setdefault(int(table.series[row]), (int(table.lines[row]), f"several rows at {moment}"))
    return faults


def part_of(table: Table, first: int, stop: int) -> Table:
    """The rows of series ``first`` to ``stop`` - 1."""
    rows, series = slice(*np.searchsorted(table.series, [first, stop])), slice(first, stop)
    return replace(
        table,
        series=table.series[rows] - first,
        series_ids=table.series_ids[series],
        times=table.times[rows],
        values=table.values[rows],
        lines=table.lines[rows],
        paths=table.paths[series],
        static=table.static[series],
        ahead=None,
    )


def without_series(table: Table, faults: Mapping[int, DataInvalid]) -> Table:
    """The table without these series; what was left out of it before is told together with them."""
    begins = np.searchsorted(table.series, np.arange(len(table.series_ids) + 1))
    rows = np.diff(begins)
    left = [
        LeftOut(table.series_ids[s], int(rows[s]), table.file_of(s), _line(error), error.message)
        for s, error in faults.items()
    ]
    keep = np.array([s not in faults for s in range(len(rows))])
    kept_rows = np.repeat(keep, rows)
    parts = {name: getattr(table, name)[kept_rows] for name in ("times", "values", "lines")}
    kept = replace(
        table,
        series=np.repeat(np.arange(keep.sum()), rows[keep]).astype(np.int64),
        series_ids=tuple(np.array(table.series_ids, dtype=object)[keep].tolist()),
        paths=tuple(path for path, ok in zip(table.paths, keep, strict=False) if ok),
        static=tuple(cells for cells, ok in zip(table.static, keep, strict=False) if ok),
        ahead=None if table.ahead is None else _ahead_of(table.ahead, keep),
        **parts,
    )
    return _told(kept, (*table.left_out, *left))


def _ahead_of(ahead: RowsAhead, keep: NDArray[np.bool_]) -> RowsAhead:
    """The rows ahead of the series that are kept, under their new numbers."""
    mine = keep[ahead.series]
    numbers = np.cumsum(keep) - 1
    return RowsAhead(numbers[ahead.series[mine]], ahead.times[mine], ahead.values[mine])


def _line(error: DataInvalid) -> int:
    """The line that an error names, 0 for none."""
    last = (error.where or "").rpartition(":")[2]
    return int(last) if last.isdecimal() else 0


def _told(table: Table, left: Sequence[LeftOut]) -> Table:
    """The table with what was left out in its account, its warnings and its rejects."""
    if not left:
        return table
    many = len(table.series_ids) + len(left)
    shown = "; ".join(f"{one.series} ({one.reason})" for one in left[:_EXPLAINED])
    more = f"; and {len(left) - _EXPLAINED:,} more" if len(left) > _EXPLAINED else ""
    rows = plural(sum(one.rows for one in left), "row")
    count = f"{len(left):,} of {many:,} series"
    return replace(
        table,
        left_out=tuple(left),
        account=(*table.account, f"{count} left out, with {rows} (data.bad_series: skip)"),
        notices=(*table.notices, Notice("data.bad_series", f"{count} left out: {shown}{more}")),
        rejects=(*table.rejects, *(_reject(one, named=bool(table.paths)) for one in left)),
    )


def _reject(one: LeftOut, *, named: bool) -> dict[str, object]:
    file = {"file": one.file} if named else {}
    return {**file, "series": one.series, "line": one.line, "reason": one.reason, "rows": one.rows}
