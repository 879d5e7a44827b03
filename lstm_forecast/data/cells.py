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
    times = _read_times(body, header, roles, options, name=name)
    found, numbers, decimal = _read_numbers(body, roles, options, separator, name)
    names = [header.names[column] for column in roles.values]
    for column_name, column in zip(names, found, strict=True):
        if column.bad and options.bad_rows == options.bad_series == "error":
            raise refuse_cells(column_name, column.bad, body.lines, name=name)
    time_name = header.names[roles.time[0]] if roles.time else ""
    moments, marked = None if times is None else times.moments, _mark(times, found, names, time_name)
    if options.bad_rows == "skip":
        if marked:
            kept = _set_aside(body, marked, separator)
            moments, numbers = None if moments is None else moments[kept], numbers[kept]
        marked = ()
    return Converted(
        moments,
        times.format if times else ROW_NUMBERS,
        times.zone if times else "",
        times.said if times else "",
        numbers,
        decimal,
        tuple(n for n, column in zip(names, found, strict=True) if column.thousands),
        sum(column.rounded for column in found),
        marked,
    )


def _read_numbers(
    body: Body, roles: Roles, options: ReadOptions, separator: str, name: str
) -> tuple[list[Column], NDArray[np.float64], str]:
    """The columns of values, their numbers together [N, C], and the decimal mark."""
    direct = body.direct
    if options.decimal:
        decimal = options.decimal
    elif direct is not None and direct.is_mark_known:
        decimal = direct.mark
    else:
        texts = [body.cells.column(column) for column in roles.values]
        decimal = _find_decimal(texts, options, separator, name)
    gaps = GAPS | frozenset(options.na_values)
    found = []
    for place, column in enumerate(roles.values):
        if direct is not None and direct.mark == decimal and column not in direct.texts_needed:
            found.append(Column(direct.numbers[:, place], (), None, 0))
            continue
        cells = body.cells.column(column)
        found.append(read_numbers(cells, decimal=decimal, thousands=options.thousands, gaps=gaps))
        if direct is not None:
            direct.numbers[:, place] = found[-1].values
    numbers = np.stack([column.values for column in found], axis=1) if direct is None else direct.numbers
    return found, numbers, decimal


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
    texts = body.times(roles.time)
    lines, column_name = body.lines, " ".join(header.names[column] for column in roles.time)
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


def _set_aside(body: Body, marked: tuple[Marked, ...], separator: str) -> NDArray[np.bool_]:
    """Rows with a bad cell become rejects; gives the rows that stay."""
    kept = np.ones(len(body.lines), dtype=np.bool_)
    for cell in marked:
        if kept[cell.row]:
            row = separator.join(body.cells.row(cell.row))
            body.rejects.append(Reject(int(body.lines[cell.row]), cell.reason, row))
        kept[cell.row] = False
    body.keep(kept)
    return kept
