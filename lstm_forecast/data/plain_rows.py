"""The rows of a plainly written file, straight from its bytes: what :func:`rows.collect` gives, in less time.

No text is made of a cell whose number, time or id can be read without. A row of another width, one without
trade, a total at the end are judged as the other reader judges them; a file that is not plain is left to it.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections import deque
from itertools import islice
from typing import Literal

import numpy as np

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dialect import SEPARATORS
from lstm_forecast.data.header import Header
from lstm_forecast.data.pieces import Cutter, NotPlain
from lstm_forecast.data.plain_cells import PlainCells
from lstm_forecast.data.plain_columns import PlainColumns
from lstm_forecast.data.plain_judge import Judge
from lstm_forecast.data.rows import TAIL, Body, judge_odd, take_totals, used_columns
from lstm_forecast.data.source import Text
from lstm_forecast.data.table import ReadOptions

_LARGEST_KEPT = 24 * 2**20  # bytes; glibc takes no more than 32 MiB


def collect_plain(
    text: Text, header: Header, roles: Roles, options: ReadOptions, *, separator: str, gaps: frozenset[str]
) -> Body | None:
    """The used columns of every row, or None where the file is not plain.

    Args:
        text: the file.
        header: its column names, and the line where the rows begin.
        roles: of the columns.
        options: of these, what is said of numbers, dates and bad rows.
        separator: between the cells.
        gaps: spellings of an empty cell.

    Raises:
        DataInvalid: as :func:`rows.collect`, but for open quotes: with these a file is not plain.
    """
    is_known_order = sys.byteorder == "little"  # of the bytes of a word, as words.py has them
    if separator not in SEPARATORS or options.thousands is not None or not is_known_order:
        return None
    try:
        data, begin = _bytes_from(text, header.body_line)
        cells = PlainCells(Cutter(data, separator, len(header.names)), begin, used_columns(roles))
        columns = PlainColumns(cells, header, roles, options, gaps)
        judge = Judge(header, roles, gaps, separator)
        _let_memory_stay()
        for piece in cells.pieces():
            judge.take(piece, columns.take(piece))
    except NotPlain:
        return None
    body = Body(judge.lines(), cells, empty=judge.empty, suspended=judge.suspended)
    body.direct = columns.direct()
    kept = judge.kept()
    if kept is not None:
        body.keep(kept)
    _close(body, judge, text, header, roles, bad_rows=options.bad_rows)
    return body


def _let_memory_stay() -> None:
    """One large block taken and given back, untouched.

    From then on glibc keeps smaller ones in the process; else it would give the arrays of every piece back to
    the system and fetch them again, page by page: mallopt(3), M_MMAP_THRESHOLD.
    """
    np.empty(_LARGEST_KEPT, dtype=np.uint8)


def _bytes_from(text: Text, line: int) -> tuple[bytes, int]:
    """The file in UTF-8, and where a line begins in it."""
    data, mark = text.data, b""
    if text.encoding not in ("utf-8", "utf-8-sig"):
        data = data.decode(text.encoding).encode("utf-8")
    elif text.encoding == "utf-8-sig" and data.startswith(codecs.BOM_UTF8):
        mark = codecs.BOM_UTF8
    encoding = "utf-8-sig" if mark else "utf-8"
    with io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="") as lines:
        return data, len(mark) + sum(len(above.encode()) for above in islice(lines, line - 1))


def _close(
    body: Body, judge: Judge, text: Text, header: Header, roles: Roles, *, bad_rows: Literal["error", "skip"]
) -> None:
    """Totals at the end are taken away, and rows of another width refused or set aside."""
    assert isinstance(body.cells, PlainCells)
    tail = deque(body.cells.last_rows(TAIL, judge.line))
    body.totals = take_totals(tail, judge.odd, roles.time, len(header.names))
    is_kept = ~np.isin(body.lines, body.totals)
    if not is_kept.all():
        body.keep(is_kept)
    last = tail[-1][0] if tail else 0
    body.rejects = judge_odd(judge.odd, text, list(header.names), last=last, bad_rows=bad_rows)
