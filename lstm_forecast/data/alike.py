"""Whether several files fit together: the same columns, times in one form, numbers with one decimal mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lstm_forecast.data.reader import Reading, read_file
from lstm_forecast.data.source import RawFile
from lstm_forecast.data.spelling import zone_minutes
from lstm_forecast.data.table import ReadOptions, Table
from lstm_forecast.errors import DataInvalid

_ROLES = {"time": "column of times", "target": "target"}
_REMEDIES = {
    "the times stand": "name the columns of times alike in all files (data.time), or leave the file out",
    "the times are written": "write them in one form in all files, best 2024-03-01",
    "the zone of the times is": "name the zone (data.timezone), or convert the times of all files to UTC",
    "the series are told apart": "name the column that all files have: data.series_id",
    "the decimal mark is": "write the numbers alike in all files; if one mark is right for all: data.decimal",
}


@dataclass(frozen=True)
class Shape:
    """What has to be the same in every file.

    Attributes:
        path: the file.
        found: by the words that a message begins with; None where the file leaves it open.
    """

    path: str
    found: dict[str, str | None]


def shape_of(reading: Reading) -> Shape:
    """The shape of a file that was read."""
    table, story = reading.table, reading.story
    header, form = story.header.names, table.time_format
    columns = " and ".join(repr(header[column]) for column in story.roles.time)
    spelled = form.pattern.replace("%-", "%") or form.kind
    has_marks = story.body.has_marks(story.roles.values)
    several = len(table.series_ids) > 1 and table.id_column is not None
    facts = {
        "the times stand": f"in {columns}" if columns else "nowhere (rows are numbered)",
        "the times are written": f"as {spelled}",
        "the zone of the times is": form.timezone or (_offset(form.zone) if form.zone else "not given"),
        "the series are told apart": f"by {table.id_column!r}" if several else None,
        "the decimal mark is": repr(table.source.decimal) if has_marks else None,
    }
    return Shape(table.source.path, facts)


def _offset(zone: str) -> str:
    minutes = zone_minutes(zone)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def require_alike(shapes: Sequence[Shape]) -> None:
    """Refuses files of which two differ.

    Raises:
        DataInvalid: ``data.files_differ`` naming both, and what each has.
    """
    for words in _REMEDIES:
        known = [shape for shape in shapes if shape.found[words] is not None]
        for shape in known[1:]:
            if shape.found[words] != known[0].found[words]:
                raise _difference(words, shape, known[0])


def unlike(shapes: Mapping[str, Shape]) -> dict[str, DataInvalid]:
    """The files, by name, that differ from most, and how."""
    odd: dict[str, DataInvalid] = {}
    for words in _REMEDIES:
        known = {name: shape for name, shape in shapes.items() if shape.found[words] is not None}
        often = Counter(shape.found[words] for shape in known.values())
        usual = next((s for s in known.values() if often[s.found[words]] == max(often.values())), None)
        for name, shape in known.items():
            if usual is not None and shape.found[words] != usual.found[words]:
                odd.setdefault(name, _difference(words, shape, usual))
    return odd


def _difference(words: str, shape: Shape, expected: Shape) -> DataInvalid:
    return DataInvalid(
        "data.files_differ",
        f"{words} {shape.found[words]}; expected as in {expected.path}: {expected.found[words]}",
        where=shape.path,
        hint=_REMEDIES[words],
    )


def explained(
    error: DataInvalid, raw: RawFile, options: ReadOptions, pinned: ReadOptions, *, first: Table
) -> DataInvalid:
    """An error about a column that the first file has, and nobody named, with what stands in both files.

    Args:
        error: from reading the file with ``pinned``.
        raw: the file.
        options: as the user gave them.
        pinned: with the columns of the first file.
        first: the table of that file.
    """
    role = next((role for role in _ROLES if f"(data.{role})" in error.message), None)
    if error.id != "data.column" or role is None or getattr(options, role) is not None:
        return error
    theirs, what = getattr(pinned, role), _ROLES[role]
    details = [f"{first.source.path}: the {what} is {theirs!r}"]
    try:
        alone = read_file(raw, options).table
    except DataInvalid:
        own = None
    else:
        own = alone.time_column if role == "time" else alone.columns[0]
    if own is not None:
        details.append(f"{raw.path}: alone it would be {own!r}")
    return DataInvalid(
        "data.files_differ",
        f"no column {theirs!r}, the {what} of {first.source.path}",
        where=error.where,
        details=[*details, *error.details],
        hint=f"name one that all files have (data.{role}), rename it in this file, or leave the file out",
    )
