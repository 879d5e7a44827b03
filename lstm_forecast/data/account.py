"""The plain account of a reading: what was found and done, which key changes it, and what to be warned of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.assemble import Long, Membership, Policy
from lstm_forecast.data.cells import Converted
from lstm_forecast.data.columns import Roles
from lstm_forecast.data.findings import Notice, plural
from lstm_forecast.data.header import Header
from lstm_forecast.data.rows import Body
from lstm_forecast.data.source import Text
from lstm_forecast.data.table import Source

KEYS = "(data.encoding, data.separator, data.decimal)"
_MOST_LINES = 10
_MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True)
class Story:
    """Everything that reading a file found, step by step."""

    text: Text
    facts: Source
    header: Header
    roles: Roles
    body: Body
    cells: Converted
    members: Membership


def find_notices(story: Story, order: str) -> tuple[Notice, ...]:
    """What may not be meant: rows out of order, a cut end, skipped rows, dropped totals, rounded integers."""
    body, found = story.body, []
    if order == "unsorted":
        found.append(Notice("data.unsorted", "rows were not in order of time; they were sorted"))
    if not story.text.ends_with_newline():
        text = (
            "the last line has no line end; if the file was cut off there, its last number may be cut as well"
        )
        found.append(Notice("data.tail_cut", text))
    if body.rejects:
        first = min(reject.line for reject in body.rejects)
        rows = plural(len(body.rejects), "bad row")
        found.append(Notice("data.bad_rows", f"{rows} left out, the first in line {first}"))
    if body.totals:
        rows = plural(len(body.totals), "line")
        where = ", ".join(str(line) for line in body.totals)
        found.append(
            Notice("data.total_lines", f"{rows} of totals or remarks at the end left out: line {where}")
        )
    if story.cells.rounded:
        cells = plural(story.cells.rounded, "integer")
        found.append(Notice("data.precision", f"{cells} beyond 2^53 rounded to 16 digits"))
    return tuple(found)


@dataclass(frozen=True)
class Counts:
    """What was done to the rows of a file, or to those of several: the sums."""

    files: int = 1
    newest_first: int = 0  # files
    grouped: tuple[str, ...] = ()  # columns whose thousands are marked
    suspended: int = 0
    merged: int = 0
    empty_columns: int = 0
    empty_rows: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.files + other.files,
            self.newest_first + other.newest_first,
            tuple(dict.fromkeys((*self.grouped, *other.grouped))),
            self.suspended + other.suspended,
            self.merged + other.merged,
            self.empty_columns + other.empty_columns,
            self.empty_rows + other.empty_rows,
        )

    def lines(self, policy: Policy) -> list[str]:
        """One line for each thing that was done."""
        lines = []
        if self.newest_first:
            where = f"in {plural(self.newest_first, 'file')} " if self.files > 1 else ""
            lines.append(f"{where}rows stood newest first; they were put in order of time")
        if self.grouped:
            lines.append(f"thousands are marked in {', '.join(self.grouped[:6])} (data.thousands)")
        if self.suspended:
            rows = plural(self.suspended, "row")
            lines.append(f"{rows} without any trade (every value a mark such as --) left out")
        if self.merged:
            lines.append(
                f"{plural(self.merged, 'row')} repeated a time: {policy} was taken (data.duplicates)"
            )
        if self.empty_columns or self.empty_rows:
            parts = [plural(self.empty_columns, "column without a name")] if self.empty_columns else []
            parts += [plural(self.empty_rows, "row without any content")] if self.empty_rows else []
            lines.append(f"{' and '.join(parts)} left out")
        return lines


def count(story: Story, *, order: str, merged: int) -> Counts:
    """What was done to the rows of one file."""
    return Counts(
        newest_first=int(order == "newest first"),
        grouped=story.cells.grouped,
        suspended=story.body.suspended,
        merged=merged,
        empty_columns=sum(not name for name in story.header.names[1:]),
        empty_rows=story.body.empty,
    )


def tell(
    story: Story, table: Long, ids: tuple[str, ...], *, counts: Counts, policy: Policy
) -> tuple[str, ...]:
    """At most ten lines; what was guessed stands with the key or flag that changes it."""
    size = f"{plural(len(table.times), 'row')}, {plural(len(story.header.names), 'column')}"
    first = f"{story.text.name}: {size}, {written(story.facts)}"
    return at_most_ten(
        [
            f"{first} {KEYS}",
            *said(story, table.times),
            _about_series(story, ids),
            *counts.lines(policy),
        ]
    )


def written(facts: Source) -> str:
    """How a file is written: encoding and marks."""
    mark = _MARKS.get(facts.separator, repr(facts.separator))
    return f"{facts.encoding}, separator {mark}, decimal {facts.decimal!r}"


def said(story: Story, times: NDArray[np.int64]) -> list[str]:
    """What was found where: header, times with the first and the last of these, target."""
    return [*story.header.said, *_about_time(story, times), *story.roles.said[1:]]


def at_most_ten(lines: list[str]) -> tuple[str, ...]:
    """The lines, the last of them joined where they are more than ten."""
    if len(lines) <= _MOST_LINES:
        return tuple(lines)
    return (*lines[: _MOST_LINES - 1], "; ".join(lines[_MOST_LINES - 1 :]))


def _about_time(story: Story, times: NDArray[np.int64]) -> list[str]:
    first_said, form = story.roles.said[0], story.cells.time_format
    if form.kind == "row":
        return [first_said]
    read = form.pattern or form.kind
    how = f", {story.cells.time_said}" if story.cells.time_said else ""
    first, last = form.format(np.array([times.min(), times.max()]))
    return [f"{first_said}, read as {read}{how}, from {first} to {last} (data.date_format)"]


def _about_series(story: Story, ids: tuple[str, ...]) -> str:
    column = story.members.column
    if column is None:
        return (
            f"series: {ids[0]!r} alone (data.series_id)"
            if len(ids) == 1
            else f"{len(ids)} series, one per column"
        )
    name = story.header.names[column]
    listed = ", ".join(ids[:4]) + (" …" if len(ids) > 4 else "")
    return f"series: {len(ids)} in column {name!r}: {listed} (data.series_id)"
