"""Several files as one panel: each is read alone, and becomes one series or several of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import account, source
from lstm_forecast.data.alike import explained, require_alike, shape_of
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.files import FileSet, find_files, fingerprint, is_many, labels, series_names
from lstm_forecast.data.findings import Notice, plural
from lstm_forecast.data.reader import Reading, check_options, read_file, read_table
from lstm_forecast.data.table import ReadOptions, Source, Table
from lstm_forecast.errors import Busy, DataInvalid, DataMissing

_NAMED = 4  # series or files in a line of the account


def read_input(path: str, options: ReadOptions) -> Table:
    """The table in a file, or in all files of a folder or pattern: see :func:`files.find_files`.

    The columns that are found in the first file are required in the others. A file with one series names it
    by its stem; one with several gives ``stem/id``. Series stand in the order of the files' names.

    Raises:
        UsageError, DataMissing, DataInvalid: as :func:`read_table`, of the file that is at fault; or the
            files do not fit together.
        Busy: a file changed, came or went while they were read.
    """
    if not is_many(path):
        return read_table(path, options)
    check_options(options)
    found = find_files(path)
    names = labels(found)
    raws = _load(found, options.max_bytes)
    facts = _facts(found, raws)
    return _joined(_Parts(found, names, _read_all(raws, options)), facts, options)


@dataclass(frozen=True)
class _Parts:
    """What was read of each file; the story of all but the first was let go."""

    found: FileSet
    names: tuple[str, ...]
    readings: Sequence[Reading]

    @property
    def tables(self) -> list[Table]:
        return [reading.table for reading in self.readings]


def _load(found: FileSet, max_bytes: int) -> list[source.RawFile]:
    """The bytes of all files as they were at one moment.

    Raises:
        DataMissing, DataInvalid: as :func:`source.load`, of the first file at fault; or all are too long.
        Busy: a file changed, came or went.
    """
    before = _states(found)
    raws: list[source.RawFile] = []
    total = 0
    for name in found.names:
        place = found.place(name)
        try:
            raws.append(source.load(place, max_bytes))
        except DataMissing:
            if before[name] and not os.path.lexists(place):
                raise _changed([name], found) from None
            raise
        total += len(raws[-1].data)
        if total > max_bytes:
            first = plural(len(raws), "file")
            raise DataInvalid(
                "data.limit",
                f"more than {max_bytes:,} bytes (after decompression) in the first {first}",
                where=found.path,
                details=[f"files: {len(found.names):,}"],
                hint="if they are meant to be that large, raise data.max_bytes; else narrow the pattern",
            )
    again = find_files(found.path)
    now = _states(again)
    if before != now:
        changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        raise _changed(changed, found)
    return raws


def _changed(names: Sequence[str], found: FileSet) -> Busy:
    return Busy(
        "data.changed",
        f"{plural(len(names), 'file')} changed, came or went while all were read",
        where=found.place(names[0]),
        hint="try again when the program that writes them has finished",
    )


def _states(found: FileSet) -> dict[str, tuple[int, ...]]:
    """What changes with each file; nothing for one that is not there: reading it will say so."""
    states: dict[str, tuple[int, ...]] = {}
    for name in found.names:
        try:
            states[name] = source.identity(os.stat(found.place(name)))  # noqa: PTH116
        except OSError:
            states[name] = ()
    return states


def _facts(found: FileSet, raws: Sequence[source.RawFile]) -> Source:
    """The facts of all files; how they are written is filled in when the first is read."""
    digest = fingerprint(found.names, [raw.sha256 for raw in raws])
    size = sum(raw.size_bytes for raw in raws)
    return Source(found.path, digest, size, "", "", "", None, files=len(raws))


def _read_all(raws: list[source.RawFile], options: ReadOptions) -> list[Reading]:
    """Each file, the first before the others; its bytes and cells are let go as soon as it is read.

    Raises:
        DataInvalid: one cannot be read, or they do not fit together.
    """
    first = read_file(raws[0], options)
    pinned = _pinned(options, first.table)
    readings, shapes = [first], [shape_of(first)]
    raws.reverse()
    raws.pop()
    while raws:
        raw = raws.pop()
        try:
            reading = read_file(raw, pinned)
        except DataInvalid as error:
            raise explained(error, raw, options, pinned, first=first.table) from None
        shapes.append(shape_of(reading))
        readings.append(replace(reading, story=first.story))
    require_alike(shapes)
    return readings


def _pinned(options: ReadOptions, table: Table) -> ReadOptions:
    """The options with the columns that were found in the first file.

    Ids are not among them: each file has a column of ids only where it needs one.
    """
    time, target = options.time or table.time_column, options.target or table.columns[0]
    return replace(options, time=time, target=target)


def _joined(parts: _Parts, facts: Source, options: ReadOptions) -> Table:
    """One table of all, with one account; the series of a file follow those of the file before."""
    tables, first = parts.tables, parts.readings[0].table
    ids = [series_names(name, table.series_ids) for name, table in zip(parts.names, tables, strict=True)]
    _require_different(ids, tables)
    counts = np.cumsum([0, *map(len, ids)])
    times = np.concatenate([table.times for table in tables])
    paths = [table.source.path for table in tables]
    rejects = tuple(
        {"file": path, **row} for path, t in zip(paths, tables, strict=True) for row in _by_line(t.rejects)
    )
    _require_few(rejects, options.max_bad_rows)
    how = first.source
    return Table(
        series=np.concatenate([table.series + begin for begin, table in zip(counts, tables, strict=False)]),
        series_ids=tuple(name for part in ids for name in part),
        times=times,
        values=np.concatenate([table.values for table in tables]),
        columns=first.columns,
        time_name=first.time_name,
        series_name="series",
        time_format=_loosest(tables),
        lines=np.concatenate([table.lines for table in tables]),
        header=first.header,
        source=replace(
            facts,
            encoding=how.encoding,
            separator=how.separator,
            decimal=how.decimal,
            header_line=how.header_line,
        ),
        account=_tell(parts, ids, times, options),
        notices=_once(parts),
        rejects=rejects,
        time_column=first.time_column,
        id_column=_id_column(tables),
        paths=tuple(path for path, part in zip(paths, ids, strict=True) for _ in part),
        candidates=first.candidates,
        static=tuple(cells for table in tables for cells in table.static),
    )


def _by_line(rejects: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(rejects, key=lambda row: int(str(row["line"])))


def _require_different(ids: Sequence[Sequence[str]], tables: Sequence[Table]) -> None:
    owner: dict[str, str] = {}
    for part, table in zip(ids, tables, strict=True):
        for name in part:
            if name in owner:
                raise DataInvalid(
                    "data.same_name",
                    f"a series of this file and one of {owner[name]} would both be {name!r}",
                    where=table.source.path,
                    hint="rename one of the files",
                )
            owner[name] = table.source.path


def _require_few(rejects: Sequence[dict[str, object]], most: int) -> None:
    if len(rejects) <= most:
        return
    files = len({row["file"] for row in rejects})
    raise DataInvalid(
        "data.bad_rows",
        f"{plural(len(rejects), 'bad row')} in {plural(files, 'file')}, at most {most} allowed"
        " in all together (data.max_bad_rows)",
        where=f"{rejects[0]['file']}:{rejects[0]['line']}",
        details=[f"{row['file']}:{row['line']}: {row['reason']}" for row in rejects[:3]],
        hint=f"correct them, or set data.max_bad_rows: {len(rejects)}",
    )


def _loosest(tables: Sequence[Table]) -> TimeFormat:
    """The form of the times; numbers without a leading zero where one file has such."""
    return max((table.time_format for table in tables), key=lambda form: form.pattern.count("%-"))


def _id_column(tables: Sequence[Table]) -> str | None:
    """What ``data.series_id`` may say: the column of ids, where it is needed and in every file."""
    columns = {table.id_column for table in tables}
    return columns.pop() if len(columns) == 1 and any(len(table.series_ids) > 1 for table in tables) else None


def _once(parts: _Parts) -> tuple[Notice, ...]:
    """Each kind of warning once, in the words of the first file that gave it, with the number of others."""
    said: dict[str, list[tuple[str, str]]] = {}
    for name, table in zip(parts.found.names, parts.tables, strict=True):
        for notice in table.notices:
            said.setdefault(notice.id, []).append((name, notice.message))
    notices = []
    for id, found in said.items():
        name, message = found[0]
        others = f" (the same in {plural(len(found) - 1, 'other file')})" if len(found) > 1 else ""
        notices.append(Notice(id, f"{name}: {message}{others}"))
    return tuple(notices)


def _tell(
    parts: _Parts, ids: Sequence[Sequence[str]], times: NDArray[np.int64], options: ReadOptions
) -> tuple[str, ...]:
    """At most ten lines for all files."""
    tables, story = parts.tables, parts.readings[0].story
    ways = {account.written(table.source) for table in tables}
    how = ways.pop() if len(ways) == 1 else "written in several ways"
    listed = [name for part in ids for name in part]
    shown = ", ".join(listed[:_NAMED]) + (" …" if len(listed) > _NAMED else "")
    named = "one per file" if len(listed) == len(tables) else "named file/id where a file has several"
    done = sum((reading.counts for reading in parts.readings[1:]), parts.readings[0].counts)
    size = f"{plural(len(tables), 'file')}, {plural(len(times), 'row')}"
    return account.at_most_ten(
        [
            f"{parts.found.path}: {size}, {how} {account.KEYS}",
            f"columns found in {parts.found.names[0]}, and required in all files:",
            *account.said(story, times),
            f"series: {len(listed)}, {named}: {shown}",
            *done.lines(options.duplicates),
        ]
    )
