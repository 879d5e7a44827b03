"""The used cells of all rows as moments and numbers; rows with bad cells refused or set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dates import ROW_NUMBERS, TimeFormat, Times, parse_times
from lstm_forecast.data.findings import BadCell
from lstm_forecast.data.header import Header
from lstm_forecast.data.local_times import Rows, in_zone
from lstm_forecast.data.rows import Body, Reject
from lstm_forecast.data.table import ReadOptions
from lstm_forecast.data.values import GAPS, Column, find_decimal, read_numbers, refuse_cells


@dataclass(frozen=True)
class Marked:
    """A bad cell: its row, the place of its column among those of values (-1: a time), and why it is bad."""

    row: int
    value: int
    reason: str


@dataclass(frozen=True)
class Converted:
    """The rows as arrays, and how their cells were spelled."""

    times: NDArray[np.int64] | None  # [n] None: no time column; by the clock where no suffix makes it unique
    time_format: TimeFormat
    zone: str  # the zone whose days and hours count; empty: none is named, or rows have no time of day
    time_said: str
    numbers: NDArray[np.float64]  # [n, targets + covariates]
    decimal: str
    grouped: tuple[str, ...]  # columns whose thousands are marked
    rounded: int  # integers that float64 cannot hold
    marked: tuple[Marked, ...] = ()  # bad cells whose rows are still there; their number is NaN, their time 0


def convert(
    body: Body, header: Header, roles: Roles, options: ReadOptions, *, name: str, separator: str
) -> Converted:
    """The moments and numbers of all kept rows.

    With ``bad_rows: skip`` rows with unreadable cells move from ``body`` to its rejects; else with
    ``bad_series: skip`` they stay, marked.

    Raises:
        DataInvalid: ``data.value`` or ``data.range`` for number cells, ``data.time`` and its kin for time
            cells, ``data.decimal`` where the decimal mark cannot be told.
    """
    lines = body.line_numbers()
    times = _read_times(body, header, roles, options, name=name)
    texts = [body.column(column) for column in roles.values]
    unmarked = body.is_plain and separator == ","  # so no cell holds a comma, and a point is the decimal mark
    decimal = options.decimal or _find_decimal([] if unmarked else texts, options, separator, name)
    gaps = GAPS | frozenset(options.na_values)
    found = [
        read_numbers(column, decimal=decimal, thousands=options.thousands, gaps=gaps) for column in texts
    ]
    names = [header.names[column] for column in roles.values]
    for column_name, column in zip(names, found, strict=True):
        if column.bad and options.bad_rows == options.bad_series == "error":
            raise refuse_cells(column_name, column.bad, lines, name=name)
    read = dict(zip(names, found, strict=True))
    time_name = header.names[roles.time[0]] if roles.time else ""
    kept, marked = np.ones(len(lines), dtype=np.bool_), _mark(times, found, names, time_name)
    if options.bad_rows == "skip":
        kept = _set_aside(body, times, read, time_name=time_name, separator=separator)
        marked = ()
    return Converted(
        times.moments[kept] if times else None,
        times.format if times else ROW_NUMBERS,
        times.zone if times else "",
        times.said if times else "",
        np.stack([column.values for column in found], axis=1)[kept],
        decimal,
        tuple(n for n, column in zip(names, found, strict=True) if column.thousands),
        sum(column.rounded for column in found),
        marked,
    )


def _mark(times: Times | None, columns: list[Column], names: list[str], time_name: str) -> tuple[Marked, ...]:
    """Every bad cell, by row."""
    bad = [(cell, -1, time_name) for cell in times.bad] if times else []
    for place, (column, name) in enumerate(zip(columns, names, strict=True)):
        bad += [(cell, place, name) for cell in column.bad]
    return tuple(
        Marked(cell.row, place, _unreadable(cell, name))
        for cell, place, name in sorted(bad, key=lambda item: item[0].row)
    )


def _unreadable(cell: BadCell, column: str) -> str:
    return f"column {column!r}: {cell.text[:60]!r} cannot be read"


def _find_decimal(texts: list[list[str]], options: ReadOptions, separator: str, name: str) -> str:
    if options.thousands in (",", "."):
        return "." if options.thousands == "," else ","
    return find_decimal(texts, separator, where=name)


def _read_times(body: Body, header: Header, roles: Roles, options: ReadOptions, *, name: str) -> Times | None:
    if not roles.time:
        return None
    texts = body.column(roles.time[0])
    for column in roles.time[1:]:
        texts = [f"{day} {clock}" for day, clock in zip(texts, body.column(column), strict=True)]
    lines, column_name = body.line_numbers(), " ".join(header.names[column] for column in roles.time)
    on_bad: Literal["skip", "error"] = "skip" if "skip" in (options.bad_rows, options.bad_series) else "error"
    times = parse_times(
        texts,
        lines=lines,
        name=name,
        column=column_name,
        date_format=options.date_format,
        on_bad=on_bad,
        any_zone=options.timezone is not None,
    )
    if options.timezone is None:
        return times
    rows = Rows(name, lines)
    return in_zone(times, options.timezone, texts, rows, column=column_name, on_bad=on_bad)


def _set_aside(
    body: Body, times: Times | None, columns: dict[str, Column], *, time_name: str, separator: str
) -> NDArray[np.bool_]:
    """Rows with a bad cell become rejects; gives the rows that stay."""
    kept = np.ones(len(body.lines), dtype=np.bool_)
    bad = [(cell, time_name) for cell in times.bad] if times else []
    bad += [(cell, name) for name, column in columns.items() for cell in column.bad]
    for cell, column_name in sorted(bad, key=lambda item: item[0].row):
        if kept[cell.row]:
            reason = _unreadable(cell, column_name)
            body.rejects.append(Reject(body.lines[cell.row], reason, separator.join(body.row(cell.row))))
        kept[cell.row] = False
    if not kept.all():
        body.keep(kept)
    return kept
