"""A CSV file, however it is written, as one table of series, times and numbers, with an account of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import account, assemble, broken, dialect, source
from lstm_forecast.data.cells import Converted, convert
from lstm_forecast.data.columns import Named, Roles, find_roles
from lstm_forecast.data.decoding import decode
from lstm_forecast.data.findings import Notice, plural
from lstm_forecast.data.header import Header, find_header
from lstm_forecast.data.local_times import Rows, moments_by_order
from lstm_forecast.data.plain_rows import collect_plain
from lstm_forecast.data.rows import Body, collect, require_few
from lstm_forecast.data.statics import static_cells
from lstm_forecast.data.table import ReadOptions, Source, Table
from lstm_forecast.data.values import GAPS
from lstm_forecast.data.zones import is_timezone, readings
from lstm_forecast.errors import DataInvalid, UsageError

__all__ = ["Notice", "ReadOptions", "Source", "Table", "read_table"]

_THOUSANDS = (",", ".", " ", "'", "\u00a0", "\u202f")


def read_table(path: str | Path, options: ReadOptions) -> Table:
    """The table in a CSV file (gzip too), or on stdin for ``-``.

    Raises:
        UsageError: a remote address, a terminal as stdin, an option that is no encoding, separator or format.
        DataMissing: the file is not there or cannot be read.
        DataInvalid: the file cannot be read without guessing; the error says what to set or correct.
        Busy: the file changed while it was read.
    """
    check_options(options)
    return read_file(source.load(path, options.max_bytes), options).table


@dataclass(frozen=True)
class Reading:
    """A file that was read: its table, what was done to its rows, and all that was found on the way."""

    table: Table
    counts: account.Counts
    story: account.Story


def read_file(raw: source.RawFile, options: ReadOptions) -> Reading:
    """The table in the bytes of a file.

    Raises:
        UsageError, DataInvalid: as :func:`read_table`.
    """
    text = decode(raw, options.encoding)
    separator = dialect.find_separator(text, options.separator)
    header = find_header(text, separator, options.header_row, options.skip_rows)
    roles = find_roles(header, _named(options), name=text.name)
    gaps = GAPS | frozenset(options.na_values)
    body = collect_plain(text, header, roles, options, separator=separator, gaps=gaps)
    if body is None:
        body = collect(text, header, roles, separator=separator, gaps=gaps, bad_rows=options.bad_rows)
    _require_rows(body, text.name)
    cells = convert(body, header, roles, options, name=text.name, separator=separator)
    require_few(body, options.max_bad_rows, text.name)
    _require_rows(body, text.name)
    members = _find_members(body, cells, header, roles, text.name)
    cells = _with_moments(cells, members, Rows(text.name, body.lines))
    facts = Source(raw.path, raw.sha256, raw.size_bytes, text.encoding, separator, cells.decimal, header.line)
    return _finish(account.Story(text, facts, header, roles, body, cells, members), options)


def _finish(story: account.Story, options: ReadOptions) -> Reading:
    """Long form, order, duplicates; then the telling of it."""
    header, roles, cells, members = story.header, story.roles, story.cells, story.members
    is_wide = isinstance(options.target, tuple)
    long = _to_long(story, is_wide=is_wide)
    ids = tuple(header.names[column] for column in roles.target) if is_wide else members.ids
    statics, unlike = static_cells(story, ids)
    static = dict(zip(ids, statics, strict=False))
    long, ids, left_out = broken.without_unreadable(story, long, ids, options, unlike)
    order, long = assemble.arrange(long)
    table, merged = assemble.merge_duplicates(
        long,
        options.duplicates,
        ids=ids,
        time_format=cells.time_format,
        name=story.text.name,
        remedy=_duplicates_remedy(story),
    )
    notices = account.find_notices(story, order)
    if options.strict and notices:
        first = notices[0]
        hint = "correct the file, or set data.strict: false"
        raise DataInvalid(first.id, first.message, where=story.text.name, hint=hint)
    counts = account.count(story, order=order, merged=merged)
    found = Table(
        series=table.series,
        series_ids=ids,
        times=table.times,
        values=table.values,
        columns=(*_target_name(story, is_wide=is_wide), *options.past_covariates, *options.future_covariates),
        time_name=(header.names[roles.time[0]] or "time") if roles.time else "row",
        series_name="series" if members.column is None else header.names[members.column],
        time_format=cells.time_format,
        lines=table.lines,
        header=header.names,
        source=story.facts,
        account=account.tell(story, table, ids, counts=counts, policy=options.duplicates),
        notices=notices,
        rejects=tuple({"line": r.line, "reason": r.reason, "row": r.row} for r in story.body.rejects),
        time_column=header.names[roles.time[0]] or None if len(roles.time) == 1 else None,
        id_column=None if members.column is None else header.names[members.column],
        candidates=_candidates(story),
        zone=cells.zone,
        left_out=left_out,
        static=tuple(static[id] for id in ids) if static else (),
    )
    return Reading(found, counts, story)


def _target_name(story: account.Story, *, is_wide: bool) -> tuple[str, ...]:
    """What the target's column is called; nothing where there is no target."""
    return ("value",) if is_wide else tuple(story.header.names[column] for column in story.roles.target)


def _candidates(story: account.Story) -> tuple[str, ...]:
    """The columns of numbers that could be the target, in the order of the file."""
    roles, names = story.roles, story.header.names
    aside = (*roles.covariates, *roles.static, story.members.column)
    return tuple(names[c] for c in sorted({*roles.numeric, *roles.target}) if c not in aside)


def _named(options: ReadOptions) -> Named:
    return Named(
        options.time,
        options.target,
        options.series_id,
        options.past_covariates,
        options.date_format,
        options.future_covariates,
        options.static_covariates,
        options.without_target,
    )


def check_options(options: ReadOptions) -> None:
    """Options that no file could satisfy.

    Raises:
        UsageError: for the first of them.
    """
    key, problem, hint = "", "", ""
    if options.decimal not in (None, ".", ","):
        key, problem, hint = (
            "data.decimal",
            f"{options.decimal!r} is no decimal mark",
            'data.decimal: "." or ","',
        )
    elif options.thousands is not None and options.thousands not in _THOUSANDS:
        key, problem = "data.thousands", f"{options.thousands!r} does not group digits"
        hint = 'data.thousands: "," or "." or " " or "\'"'
    elif options.thousands is not None and options.thousands == options.decimal:
        key, problem = "data.thousands", f"{options.thousands!r} is the decimal mark as well"
        hint = 'set data.decimal to the other mark: data.decimal: ","'
    elif isinstance(options.target, tuple) and options.series_id is not None:
        key, problem = "data.series_id", "a list of targets (a wide file) has no id column"
        hint = "name one target, or remove data.series_id"
    elif isinstance(options.target, tuple) and not options.target:
        key, problem, hint = "data.target", "an empty list of targets", "name at least one column"
    elif options.timezone is not None and not is_timezone(options.timezone):
        key, problem = "data.timezone", f"no time zone is called {options.timezone!r}"
        hint = "give an IANA name: data.timezone: Europe/Berlin"
    elif isinstance(options.header_row, int) and options.header_row < 1:
        key, problem = "data.header_row", f"lines are counted from 1, got {options.header_row}"
        hint = "data.header_row: 1, or null where there are no column names"
    if key:
        raise UsageError(key, problem, where=key, hint=hint)


def _require_rows(body: Body, name: str) -> None:
    if len(body.lines):
        return
    left_out = body.suspended + len(body.totals) + len(body.rejects)
    detail = [f"{plural(left_out, 'row')} left out: no trade, totals or bad"] if left_out else []
    raise DataInvalid(
        "data.empty", "no rows of data", where=name, details=detail, hint="give a CSV with data"
    )


def _find_members(
    body: Body, cells: Converted, header: Header, roles: Roles, name: str
) -> assemble.Membership:
    alone = header.names[roles.values[0]]
    if roles.series_id is None:
        guesses = roles.series_guesses if len(roles.target) < 2 else ()
        coded = ((column, body.coded(column)) for column in guesses)
        return assemble.choose_series(coded, _times_apart(cells), rows=len(body.lines), alone=alone)
    codes, ids = body.coded(roles.series_id)
    if "" in ids:
        without = np.flatnonzero(codes == ids.index(""))
        raise DataInvalid(
            "data.series_id",
            f"column {header.names[roles.series_id]!r}: {plural(len(without), 'cell')} without an id",
            where=f"{name}:{body.lines[without[0]]}",
            hint="fill the cells or remove the rows",
        )
    return assemble.Membership(codes, ids, roles.series_id)


def _times_apart(cells: Converted) -> NDArray[np.int64] | None:
    """The times, those that a clock shows twice made different: they are no sign of several series."""
    if cells.times is None or not cells.time_format.by_clock_alone:
        return cells.times
    repeated = readings(cells.times, cells.time_format.timezone).repeated
    return np.where(repeated, -np.arange(len(cells.times)) - 1, cells.times)


def _with_moments(cells: Converted, members: assemble.Membership, rows: Rows) -> Converted:
    """Wall times become moments, now that the rows of a series are known."""
    if cells.times is None or not cells.time_format.by_clock_alone:
        return cells
    return replace(cells, times=moments_by_order(cells.times, members.codes, cells.time_format, rows))


def _to_long(story: account.Story, *, is_wide: bool) -> assemble.Long:
    codes, numbers = story.members.codes, story.cells.numbers
    times = assemble.number_rows(codes) if story.cells.times is None else story.cells.times
    lines = story.body.lines
    if is_wide:
        count = len(story.roles.target)
        return assemble.spread(numbers[:, :count], numbers[:, count:], times, lines)
    return assemble.Long(codes, times, numbers, lines)


def _duplicates_remedy(story: account.Story) -> str:
    """What would tell rows at one time apart: a column of ids that is not used yet."""
    if story.members.column is not None or len(story.roles.target) > 1:
        return ""
    candidates = (*story.roles.series_guesses, *story.roles.text)
    name = story.header.names[candidates[0]] if candidates else ""
    return f"tell series apart: data.series_id: {name} (--series-id {name!r})" if candidates else ""
