"""The rows of a plainly written file, all at once: what :func:`rows.collect` gives, several times faster.

Plainly written: no quotes, no blanks around cells, every row as wide as the header, no blank rows, no row
without trade and no second header. Whatever is not plain is left to the other reader, which knows what to do.
"""

from __future__ import annotations

import csv
from collections import deque

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dialect import Row
from lstm_forecast.data.header import Header
from lstm_forecast.data.rows import BLANKS, TAIL, Body, cut_totals, used_columns
from lstm_forecast.data.source import Text


def collect_plain(
    text: Text, header: Header, roles: Roles, *, separator: str, gaps: frozenset[str]
) -> Body | None:
    """The columns of every row, or None where the file is not plain.

    Args:
        text: the file.
        header: its column names, and the line where the rows begin.
        roles: of the columns.
        separator: between the cells.
        gaps: spellings of an empty cell.
    """
    if b'"' in text.data or separator in BLANKS:
        return None
    lines = text.data.decode(text.encoding).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    del lines[: header.body_line - 1]
    width = len(header.names)
    if not lines or {line.count(separator) for line in lines} != {width - 1}:
        return None
    if separator * (width - 1) in lines or max(map(len, lines)) > csv.field_size_limit():
        return None
    joined = separator.join(lines)
    if not _is_stripped(joined, separator):
        return None
    count = len(lines)
    del lines
    cells = joined.split(separator)
    # Other blanks than those looked for above exist, so these cells are stripped as the other reader does.
    watched = map(str.strip, cells[roles.values[0] :: width])
    if header.names[0] in cells[::width] or not gaps.isdisjoint(watched):
        return None
    numbers = list(range(header.body_line, header.body_line + count))
    body = Body(tuple(range(width)), numbers, cells, is_plain=True)
    tail: deque[Row] = deque((numbers[row], body.row(row)) for row in range(max(count - TAIL, 0), count))
    cut_totals(body, tail, {}, roles.time, width)
    body.used = used_columns(roles)
    return body


def _is_stripped(joined: str, separator: str) -> bool:
    """Whether no cell begins or ends with a blank; spaces inside, as in a time, are fine."""
    if any(blank in joined for blank in BLANKS if blank not in " \n"):
        return False
    if " " not in joined:
        return True
    edges = (f"{separator} ", f" {separator}")
    return not any(edge in joined for edge in edges) and joined == joined.strip(" ")
