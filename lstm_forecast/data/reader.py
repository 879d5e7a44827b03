"""A CSV file, however it is written, as a table of series, times and numbers; what was found is said in plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import assemble, columns, dialect, rows, source, values
from lstm_forecast.data.dates import ROW_NUMBERS, TimeFormat, Times, parse_times
from lstm_forecast.data.findings import BadCell, Notice, plural
from lstm_forecast.data.header import Header, find_header
from lstm_forecast.errors import DataInvalid, UsageError

__all__ = ["Notice", "ReadOptions", "Source", "Table", "read_table"]

_MOST_LINES = 10  # of the account
_THOUSANDS = (",", ".", " ", "'", "\u00a0", "\u202f")


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about the file: one field per key of the ``data`` section that reading needs.

    ``header_row``: ``auto`` finds it, a number is its line (from 1), None says there is none and columns are called
    1, 2, …  ``skip_rows`` are lines left out after the header. ``strict`` turns notices into errors. ``max_bytes``
    counts after decompression.
    """

    time: str | None = None
    target: str | tuple[str, ...] | None = None
    series_id: str | None = None
    past_covariates: tuple[str, ...] = ()
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header_row: int | Literal["auto"] | None = "auto"
    skip_rows: int = 0
    date_format: str | None = None
    na_values: tuple[str, ...] = ()
    duplicates: Literal["error", "first", "last", "sum", "mean"] = "error"
    bad_rows: Literal["error", "skip"] = "error"
    max_bad_rows: int = 0
    strict: bool = False
    max_bytes: int = 8 * 2**30


@dataclass(frozen=True)
class Source:
    """Facts of the file: ``sha256`` and ``size_bytes`` are those of the raw bytes, before any decompression."""

    path: str
    sha256: str
    size_bytes: int
    encoding: str
    separator: str
    decimal: str
    header_line: int | None


@dataclass(frozen=True)
class Table:
    """Long form, sorted by series (in order of first appearance) and time; no series has two rows at one time."""

    series: NDArray[np.int64]  # [N] index into series_ids
    series_ids: tuple[str, ...]  # without an id column the target's header; of a wide file the headers
    times: NDArray[
        np.int64
    ]  # [N] microseconds since the epoch, UTC where cells carry a zone; or row numbers from 1
    values: NDArray[np.float64]  # [N, C] NaN: an empty cell; never infinite
    columns: tuple[str, ...]  # [C] the user's names, the target first ("value" of a wide file)
    time_name: str  # the user's header; "row" without a time column
    series_name: str  # the user's header; "series" without an id column
    time_format: TimeFormat
    lines: NDArray[np.int64]  # [N] line in the file, from 1
    header: tuple[str, ...]  # all column names
    source: Source
    account: tuple[str, ...]  # what was found and done, at most ten lines
    notices: tuple[Notice, ...]  # warnings
    rejects: tuple[dict[str, object], ...]  # one per skipped row: line, reason, row


def read_table(path: str | Path, options: ReadOptions) -> Table:
    """The table in a CSV file (gzip too), or on stdin for ``-``.

    Raises:
        UsageError: a remote address, a terminal as stdin, an option that is no encoding, separator or format.
        DataMissing: the file is not there or cannot be read.
        DataInvalid: the file cannot be read without guessing; the error says what to set or correct.
        Busy: the file changed while it was read.
    """
    _check_options(options)
    raw = source.load(path, options.max_bytes)
    text = source.decode(raw, options.encoding)
    separator = dialect.find_separator(text, options.separator)
    header = find_header(text, separator, options.header_row, options.skip_rows)
    named = columns.Named(options.time, options.target, options.series_id, options.past_covariates)
    roles = columns.find_roles(header, named, name=text.name)
    gaps = values.GAPS | frozenset(options.na_values)
    body = rows.collect(text, header, roles, separator=separator, gaps=gaps, bad_rows=options.bad_rows)
    _require_rows(body, text.name)
    cells = _read_cells(body, header, roles, options, text, separator)
    rows.require_few(body, options.max_bad_rows, text.name)
    _require_rows(body, text.name)
    members = _find_members(body, cells, header, roles, text.name)
    long = _to_long(cells, members, roles, options)
    order = assemble.order_of(long)
    ids = tuple(header.names[c] for c in roles.target) if _is_wide(options) else members.ids
    table, merged = assemble.merge_duplicates(
        assemble.arrange(long),
        options.duplicates,
        ids=ids,
        time_format=cells.time_format,
        name=text.name,
        remedy=_duplicates_remedy(body, header, roles, options),
    )
    facts = Source(raw.path, raw.sha256, raw.size_bytes, text.encoding, separator, cells.decimal, header.line)
    notices = _notices(body, cells, text, order)
    if options.strict and notices:
        first = notices[0]
        raise DataInvalid(
            first.id, first.message, where=text.name, hint="correct the file, or set data.strict: false"
        )
    target_names = ("value",) if _is_wide(options) else (header.names[roles.target[0]],)
    return Table(
        series=table.series,
        series_ids=ids,
        times=table.times,
        values=table.values,
        columns=target_names + options.past_covariates,
        time_name=(header.names[roles.time[0]] or "time") if roles.time else "row",
        series_name=header.names[members.column] if members.column is not None else "series",
        time_format=cells.time_format,
        lines=table.lines,
        header=header.names,
        source=facts,
        account=_account(table, facts, text, header, roles, body, cells, members, order, merged, options),
        notices=notices,
        rejects=tuple({"line": r.line, "reason": r.reason, "row": r.row} for r in body.rejects),
    )
