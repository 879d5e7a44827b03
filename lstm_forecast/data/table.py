"""What a reader is told and what it gives back: options in, one table in long form out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.findings import LeftOut, Notice
from lstm_forecast.data.zones import wall_times
from lstm_forecast.errors import DataInvalid

_BARE_DATE = len("2024-01-31")


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about the file: one field per key of the ``data`` section that reading needs.

    ``header_row``: ``auto`` finds it, a number is its line (from 1), None says there is none and columns are
    called 1, 2, …  ``skip_rows`` are lines left out after the header. ``strict`` turns notices into errors.
    ``max_bytes`` counts after decompression. ``without_target`` reads future covariates alone.
    """

    time: str | None = None
    target: str | tuple[str, ...] | None = None
    series_id: str | None = None
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    static_covariates: tuple[str, ...] = ()
    without_target: bool = False
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header_row: int | Literal["auto"] | None = "auto"
    skip_rows: int = 0
    date_format: str | None = None
    timezone: str | None = None
    na_values: tuple[str, ...] = ()
    duplicates: Literal["error", "first", "last", "sum", "mean"] = "error"
    bad_rows: Literal["error", "skip"] = "error"
    max_bad_rows: int = 0
    bad_series: Literal["error", "skip"] = "error"
    strict: bool = False
    max_bytes: int = 8 * 2**30


@dataclass(frozen=True)
class Source:
    """Facts of the file: ``sha256`` and ``size_bytes`` are of the raw bytes, before any decompression.

    Of several files ``path`` is the folder or pattern, ``size_bytes`` the sum, ``sha256`` that of
    :func:`files.fingerprint`, and the rest is of the first file.
    """

    path: str
    sha256: str
    size_bytes: int
    encoding: str
    separator: str
    decimal: str
    header_line: int | None
    files: int = 1


@dataclass(frozen=True)
class RowsAhead:
    """Future covariates of M rows that have no target yet, as they stand in a file."""

    series: NDArray[np.int64]  # [M] index into the table's series_ids
    times: NDArray[np.int64]  # [M]
    values: NDArray[np.float64]  # [M, P] NaN: an empty cell


@dataclass(frozen=True)
class Table:
    """Long form, sorted by series (in order of first appearance) and time; one row per series and time."""

    series: NDArray[np.int64]  # [N] index into series_ids
    series_ids: tuple[str, ...]  # without an id column the target's header; of a wide file the headers
    times: NDArray[
        np.int64
    ]  # [N] microseconds since the epoch, UTC where cells carry a zone; or row numbers from 1
    values: NDArray[np.float64]  # [N, C] NaN: an empty cell; never infinite
    columns: tuple[str, ...]  # [C] the user's names: target ("value" of a wide file), past, future covariates
    time_name: str  # the user's header; "row" without a time column
    series_name: str  # the user's header; "series" without an id column, and of several files
    time_format: TimeFormat
    lines: NDArray[np.int64]  # [N] line in its file, from 1
    header: tuple[str, ...]  # all column names
    source: Source
    account: tuple[str, ...]  # what was found and done, at most ten lines
    notices: tuple[Notice, ...]  # warnings
    # one per skipped row: line, reason, row; per skipped series: series, line, reason, rows; file, if several
    rejects: tuple[dict[str, object], ...]
    time_column: str | None = None  # what names it in data.time; None: none, two, or one without a name
    id_column: str | None = None  # what names it in data.series_id; None: none, or not in every file
    paths: tuple[str, ...] = ()  # [S] the file of each series; empty for one file
    static: tuple[tuple[str, ...], ...] = ()  # [S][K] the cells of data.static_covariates
    ahead: RowsAhead | None = (
        None  # rows after the last targets; None: there are none, or no future covariates
    )
    candidates: tuple[str, ...] = ()  # columns of numbers, each of which could be the target
    zone: str = ""  # the zone whose days and hours count; empty: those of the times
    left_out: tuple[LeftOut, ...] = ()  # series that cannot be used, with data.bad_series: skip

    def file_of(self, series: int) -> str:
        """The file that a series stands in."""
        return self.paths[series] if self.paths else self.source.path

    def place(self, row: int) -> str:
        """``file:line`` of a row."""
        return f"{self.file_of(int(self.series[row]))}:{self.lines[row]}"


def after_last_target(table: Table) -> NDArray[np.bool_]:
    """Which rows come after the last target of their series, of series with a target: bool [N]."""
    places, known = np.arange(len(table.times)), ~np.isnan(table.values[:, 0])
    last = np.full(len(table.series_ids), -1)
    np.maximum.at(last, table.series[known], places[known])
    return np.asarray((places > last[table.series]) & (last[table.series] >= 0))


def cut_table(table: Table, until: int | str) -> Table:
    """The table without the rows after a date, or after so many rows of each series; its account says so.

    Args:
        table: what was read.
        until: number of rows of each series, or the last date; one without a time of day is a whole day.

    Raises:
        DataInvalid: nothing is left, or a date for rows without dates.
    """
    if isinstance(until, int):
        first = np.searchsorted(table.series, np.arange(len(table.series_ids)))
        keep = np.arange(len(table.series)) - first[table.series] < until
    elif table.time_format.kind == "row":
        raise DataInvalid(
            "data.until",
            f"{until} is a date, and the rows have none",
            where=table.source.path,
            hint="set data.until to a number of rows, or name the column of the times: data.time",
        )
    else:
        moment = np.datetime64(until, "us").astype(np.int64)
        shown = wall_times(table.times, table.zone) if table.zone else table.times
        keep = shown <= moment + (24 * 3_600_000_000 - 1 if len(until) == _BARE_DATE else 0)
    if not keep.any():
        raise DataInvalid(
            "data.until",
            f"no row lies before {until}",
            where=table.source.path,
            details=[f"expected: a date from {table.time_format.format(table.times[:1])[0]} on"],
            hint="set a later data.until, or remove it",
        )
    line = f"rows after data.until {until} are left out: {np.count_nonzero(~keep):,}"
    parts = {name: getattr(table, name)[keep] for name in ("series", "times", "values", "lines")}
    return replace(with_rows(table, **parts), account=(*table.account, line))


def with_rows(
    table: Table,
    *,
    series: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    lines: NDArray[np.int64],
) -> Table:
    """The table with these rows, sorted alike, in place of its own; a series without any is gone."""
    used, numbers = np.unique(series, return_inverse=True)
    return replace(
        table,
        series=numbers,
        series_ids=tuple(table.series_ids[s] for s in used),
        times=times,
        values=values,
        lines=lines,
        paths=tuple(table.paths[s] for s in used) if table.paths else (),
        static=tuple(table.static[s] for s in used) if table.static else (),
    )
