"""The plain account of a reading: what was found and done, which key changes it, and what to be warned of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_forecast.data.assemble import Long, Membership, Policy
from lstm_forecast.data.cells import Converted
from lstm_forecast.data.columns import Roles
from lstm_forecast.data.findings import Notice, plural
from lstm_forecast.data.header import Header
from lstm_forecast.data.rows import Body
from lstm_forecast.data.source import Text
from lstm_forecast.data.table import Source

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


def tell(
    story: Story, table: Long, ids: tuple[str, ...], *, order: str, merged: int, policy: Policy
) -> tuple[str, ...]:
    """At most ten lines; what was guessed stands with the key or flag that changes it."""
    facts, body, cells = story.facts, story.body, story.cells
    mark = _MARKS.get(facts.separator, repr(facts.separator))
    size = f"{plural(len(table.times), 'row')}, {plural(len(story.header.names), 'column')}"
    written = f"{facts.encoding}, separator {mark}, decimal {cells.decimal!r}"
    lines = [
        f"{story.text.name}: {size}, {written} (data.encoding, data.separator, data.decimal)",
        *story.header.said,
        *_about_time(story, table),
        *story.roles.said[1:],
        _about_series(story, ids),
    ]
    if order == "newest first":
        lines.append("rows stood newest first; they were put in order of time")
    if cells.grouped:
        lines.append(f"thousands are marked in {', '.join(cells.grouped[:6])} (data.thousands)")
    if body.suspended:
        rows = plural(body.suspended, "row")
        lines.append(f"{rows} without any trade (every value a mark such as --) left out")
    if merged:
        lines.append(f"{plural(merged, 'row')} repeated a time: {policy} was taken (data.duplicates)")
    empty_columns = sum(not name for name in story.header.names[1:])
    if empty_columns or body.empty:
        parts = [plural(empty_columns, "column without a name")] if empty_columns else []
        parts += [plural(body.empty, "row without any content")] if body.empty else []
        lines.append(f"{' and '.join(parts)} left out")
    return (
        (*lines[: _MOST_LINES - 1], "; ".join(lines[_MOST_LINES - 1 :]))
        if len(lines) > _MOST_LINES
        else tuple(lines)
    )


def _about_time(story: Story, table: Long) -> list[str]:
    said, form = story.roles.said[0], story.cells.time_format
    if form.kind == "row":
        return [said]
    read = form.pattern or form.kind
    how = f", {story.cells.time_said}" if story.cells.time_said else ""
    first, last = form.format(np.array([table.times.min(), table.times.max()]))
    return [f"{said}, read as {read}{how}, from {first} to {last} (data.date_format)"]


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
