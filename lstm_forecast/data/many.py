"""Several files as one panel: each is read alone, and becomes one series or several of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import account, source
from lstm_forecast.data.alike import Shape, explained, require_alike, shape_of, unlike
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.files import (
    FileSet,
    digest_or_none,
    find_files,
    fingerprint,
    is_many,
    labels,
    series_names,
)
from lstm_forecast.data.findings import LeftOut, Notice, plural
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
    named = dict(zip(found.names, labels(found), strict=True))
    loaded = _load(found, options)
    facts = _facts(found, loaded)
    readings, left_out = _read_all(loaded, named, options)
    kept = replace(found, names=tuple(readings))
    parts = _Parts(kept, tuple(named[name] for name in readings), list(readings.values()))
    return _joined(parts, facts, options, left_out)


@dataclass(frozen=True)
class _Parts:
    """What was read of each file; the story of all but the first was let go."""

    found: FileSet
    names: tuple[str, ...]
    readings: Sequence[Reading]

    @property
    def tables(self) -> list[Table]:
        return [reading.table for reading in self.readings]


@dataclass(frozen=True)
class _Loaded:
    """The bytes of the files that can be read, the SHA-256 of all, and why others cannot, by name."""

    raws: dict[str, source.RawFile]
    digests: dict[str, str]
    failed: dict[str, DataMissing | DataInvalid]


def _load(found: FileSet, options: ReadOptions) -> _Loaded:
    """The bytes of all files as they were at one moment.

    Raises:
        DataMissing, DataInvalid: as :func:`source.load`, of the first file at fault, unless such files are
            left out (``bad_series: skip``); or all are too long.
        Busy: a file changed, came or went.
    """
    before = _states(found)
    loaded = _Loaded({}, {}, {})
    total = 0
    for name in found.names:
        place = found.place(name)
        try:
            raw = source.load(place, options.max_bytes)
        except (DataMissing, DataInvalid) as error:
            if isinstance(error, DataMissing) and before[name] and not os.path.lexists(place):
                raise _changed([name], found) from None
            if options.bad_series == "error" or error.id == "data.limit":
                raise
            loaded.failed[name] = error
            loaded.digests[name] = digest_or_none(place) or "unreadable"
            continue
        loaded.raws[name], loaded.digests[name] = raw, raw.sha256
        total += len(raw.data)
        if total > options.max_bytes:
            raise _too_long(found, len(loaded.raws), options.max_bytes)
    again = find_files(found.path)
    now = _states(again)
    if before != now:
        changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        raise _changed(changed, found)
    return loaded


def _too_long(found: FileSet, count: int, max_bytes: int) -> DataInvalid:
    return DataInvalid(
        "data.limit",
        f"more than {max_bytes:,} bytes (after decompression) in the first {plural(count, 'file')}",
        where=found.path,
        details=[f"files: {len(found.names):,}"],
        hint="if they are meant to be that large, raise data.max_bytes; else narrow the pattern",
    )


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


def _facts(found: FileSet, loaded: _Loaded) -> Source:
    """The facts of all files; how they are written is filled in when the first is read."""
    digest = fingerprint(found.names, [loaded.digests[name] for name in found.names])
    size = sum(raw.size_bytes for raw in loaded.raws.values())
    return Source(found.path, digest, size, "", "", "", None, files=len(found.names))


def _read_all(
    loaded: _Loaded, labels: Mapping[str, str], options: ReadOptions
) -> tuple[dict[str, Reading], list[LeftOut]]:
    """Each file by its name, and those left out; its bytes and cells are let go as soon as it is read.

    Columns are those of the first file that can be read.

    Raises:
        DataInvalid: one cannot be read, or they do not fit together; where such files are left out, all.
    """
    readings: dict[str, Reading] = {}
    shapes: dict[str, Shape] = {}
    failed = dict(loaded.failed)
    pinned, first = options, None
    for name in list(loaded.raws):
        raw = loaded.raws.pop(name)
        try:
            reading = read_file(raw, pinned)
        except DataInvalid as error:
            fault = error if first is None else explained(error, raw, options, pinned, first=first.table)
            if options.bad_series == "error":
                raise fault from None
            failed[name] = fault
            continue
        if first is None:
            first, pinned = reading, _pinned(options, reading.table)
        shapes[name], readings[name] = shape_of(reading), replace(reading, story=first.story)
    if options.bad_series == "error":
        require_alike(list(shapes.values()))
    else:
        failed |= unlike(shapes)
    if not readings:
        raise next(iter(failed.values()))
    left = [_left_out(labels[name], failed[name]) for name in sorted(failed)]
    return {name: reading for name, reading in readings.items() if name not in failed}, left


def _left_out(label: str, error: DataMissing | DataInvalid) -> LeftOut:
    file, _, line = error.where.rpartition(":")
    known = bool(file) and line.isdecimal()
    return LeftOut(label, 0, file if known else error.where, int(line) if known else 0, error.message)


def _pinned(options: ReadOptions, table: Table) -> ReadOptions:
    """The options with the columns that were found in the first file.

    Ids are not among them: each file has a column of ids only where it needs one.
    """
    time, target = options.time or table.time_column, options.target or table.columns[0]
    return replace(options, time=time, target=target)


def _joined(parts: _Parts, facts: Source, options: ReadOptions, failed: Sequence[LeftOut]) -> Table:
    """One table of all, with one account; the series of a file follow those of the file before."""
    tables, first = parts.tables, parts.readings[0].table
    names = [_names(label, table) for label, table in zip(parts.names, tables, strict=True)]
    ids, left_out = [own for own, _ in names], [one for _, left in names for one in left]
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
        zone=first.zone,
        left_out=(*failed, *left_out),
        static=tuple(cells for table in tables for cells in table.static),
    )


def _names(label: str, table: Table) -> tuple[tuple[str, ...], list[LeftOut]]:
    """The names of a file's series, those left out among them: what one is called depends on no other."""
    left = [one.series for one in table.left_out]
    named = dict(
        zip((*table.series_ids, *left), series_names(label, (*table.series_ids, *left)), strict=True)
    )
    return tuple(named[id] for id in table.series_ids), [
        replace(one, series=named[one.series]) for one in table.left_out
    ]


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
