"""The rows of a file, one by one: width checked, rows without trade left out, totals at the end cut off."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dialect import Row, read_rows
from lstm_forecast.data.findings import plural
from lstm_forecast.data.guess import guess_spelling
from lstm_forecast.data.header import Header, ragged
from lstm_forecast.data.source import Text
from lstm_forecast.data.spelling import ShapedCells
from lstm_forecast.data.values import NO_TRADE
from lstm_forecast.errors import DataInvalid

_TOTAL = re.compile(
    r"(合计|总计|小计|共计|总和|平均|均值|汇总|数据来源|资料来源|来源|注[:：]|备注|说明[:：]"
    r"|(grand |sub)?totals?\b|sum\b|average\b|mean\b|source\b|notes?\b)",
    re.IGNORECASE,
)
_BLANKS = " \t\n\v\f\u00a0\u3000"
TAIL = 10  # rows at the end among which totals and remarks are looked for
_MOST_ODD = 100_000  # rows of another width that are kept before the file is given up

Coded = tuple[
    NDArray[np.int64], tuple[str, ...]
]  # a number for each row, and the texts in order of appearance


@dataclass(frozen=True)
class Reject:
    """A row that was left out: its line, why, and its text."""

    line: int
    reason: str
    row: str
    id: str = "data.ragged"


class Cells(Protocol):
    """The texts of the kept rows, without surrounding blanks where a column is asked for."""

    def column(self, number: int) -> list[str]:
        """One column, by its number in the file."""

    def row(self, number: int) -> list[str]:
        """The used cells of one row."""

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops the rows where ``kept`` is False."""


@dataclass
class ListedCells:
    """The used cells of all rows, one after the other: a million small tuples would be slower."""

    picked: tuple[int, ...]
    cells: list[str]

    def column(self, number: int) -> list[str]:
        """As :class:`Cells` has it."""
        cells = self.cells[self.picked.index(number) :: len(self.picked)]
        joined = "".join(cells)
        return [cell.strip() for cell in cells] if any(blank in joined for blank in _BLANKS) else cells

    def row(self, number: int) -> list[str]:
        """As :class:`Cells` has it."""
        width = len(self.picked)
        return self.cells[number * width : (number + 1) * width]

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """As :class:`Cells` has it."""
        chosen, width = kept.tolist(), len(self.picked)
        self.cells = [cell for at, cell in enumerate(self.cells) if chosen[at // width]]


@dataclass
class Direct:
    """What was read of a plain file straight from its bytes (:mod:`plain_rows`).

    Attributes:
        numbers: the columns of values, NaN where a cell is a gap: [N, C].
        texts_needed: columns, by their number in the file, whose numbers are to be read from their texts.
        mark: the decimal mark that the numbers were read with.
        is_mark_known: whether no other mark is possible.
        has_marks: whether a cell of values has a point or a comma; None: that has to be looked up.
        times: the one column of times, where all its cells have one shape.
        codes: of columns of ids and static values, the number of each row's text, and the texts.
    """

    numbers: NDArray[np.float64]
    texts_needed: frozenset[int]
    mark: str
    is_mark_known: bool
    has_marks: bool | None
    times: ShapedCells | None
    codes: dict[int, Coded]

    def take(self, kept: NDArray[np.bool_]) -> Direct:
        """The rows where ``kept`` is True."""
        codes = {column: recode(*coded, kept) for column, coded in self.codes.items()}
        times = None if self.times is None else self.times.take(kept)
        return replace(self, numbers=self.numbers[kept], has_marks=None, times=times, codes=codes)


@dataclass
class Body:
    """The kept rows of a file, and what was left out on the way."""

    lines: NDArray[np.int64]  # [N] of the file, from 1
    cells: Cells
    rejects: list[Reject] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    empty: int = 0
    suspended: int = 0
    direct: Direct | None = None

    def coded(self, column: int) -> Coded:
        """The texts of a column as numbers."""
        if self.direct is not None and column in self.direct.codes:
            return self.direct.codes[column]
        return code(self.cells.column(column))

    def has_marks(self, columns: Sequence[int]) -> bool:
        """Whether a cell of these columns, those of values, has a point or a comma."""
        if self.direct is not None and self.direct.has_marks is not None:
            return self.direct.has_marks
        return any("." in cell or "," in cell for column in columns for cell in self.cells.column(column))

    def times(self, columns: Sequence[int]) -> Sequence[str]:
        """The cells of the time; where a date and a clock stand apart, both."""
        if self.direct is not None and self.direct.times is not None:
            return self.direct.times
        texts = self.cells.column(columns[0])
        for column in columns[1:]:
            texts = [f"{day} {clock}" for day, clock in zip(texts, self.cells.column(column), strict=True)]
        return texts

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops the rows where ``kept`` is False."""
        self.lines = self.lines[kept]
        self.cells.keep(kept)
        self.direct = None if self.direct is None else self.direct.take(kept)


def code(cells: Sequence[str]) -> Coded:
    """Texts as numbers, in order of first appearance."""
    known: dict[str, int] = {}
    codes = np.fromiter(
        (known.setdefault(cell, len(known)) for cell in cells), dtype=np.int64, count=len(cells)
    )
    return codes, tuple(known)


def recode(codes: NDArray[np.int64], texts: tuple[str, ...], kept: NDArray[np.bool_]) -> Coded:
    """The numbers of some rows' texts, as if there were no other rows."""
    used, first, numbers = np.unique(codes[kept], return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[numbers], tuple(texts[used[place]] for place in order)


def collect(
    text: Text,
    header: Header,
    roles: Roles,
    *,
    separator: str,
    gaps: frozenset[str],
    bad_rows: Literal["error", "skip"],
) -> Body:
    """The used columns of every row.

    Raises:
        DataInvalid: a row of another width or a repeated header (unless ``bad_rows`` is ``skip``), or an
            open quote.
    """
    used = used_columns(roles)
    lines: list[int] = []
    cells: list[str] = []
    empty = suspended = 0
    pick = itemgetter(*used) if len(used) > 1 else itemgetter(slice(used[0], used[0] + 1))
    watched = roles.values[0]
    traded = traded_columns(roles)
    names, width = list(header.names), len(header.names)
    tail: deque[Row] = deque(maxlen=TAIL)
    odd: dict[int, list[str]] = {}
    for line, row in read_rows(text, separator):
        if line < header.body_line or not any(row):
            empty += bool(row) and line >= header.body_line
            continue
        tail.append((line, row))
        if len(row) != width or (row[0] == names[0] and row == names):
            if len(row) > 1 or row[0].strip():
                odd[line] = row
            if len(odd) > _MOST_ODD:
                break
        elif row[watched].strip() in gaps and is_suspended([row[column].strip() for column in traded], gaps):
            suspended += 1
        else:
            lines.append(line)
            cells.extend(pick(row))
    totals = take_totals(tail, odd, roles.time, width)
    for line in reversed(totals):
        if lines and lines[-1] == line:
            lines.pop()
            del cells[-len(used) :]
    rejects = judge_odd(odd, text, names, last=tail[-1][0] if tail else 0, bad_rows=bad_rows)
    listed = ListedCells(used, cells)
    return Body(np.array(lines, dtype=np.int64), listed, rejects, totals, empty, suspended)


def used_columns(roles: Roles) -> tuple[int, ...]:
    """The columns whose cells are read."""
    guesses = roles.series_guesses if roles.series_id is None else (roles.series_id,)
    return tuple(dict.fromkeys((*roles.time, *guesses, *roles.values, *roles.static)))


def traded_columns(roles: Roles) -> tuple[int, ...]:
    """The columns that hold no number in a row without trade."""
    return tuple(c for c in dict.fromkeys((*roles.values, *roles.numeric)) if c not in roles.given)


def is_suspended(cells: Sequence[str], gaps: frozenset[str]) -> bool:
    """Whether a row's value cells say that nothing was traded: marks and gaps, at least one mark."""
    return all(cell in gaps for cell in cells) and any(cell in NO_TRADE for cell in cells)


def take_totals(tail: deque[Row], odd: dict[int, list[str]], time: tuple[int, ...], width: int) -> list[int]:
    """The lines of totals and remarks at the end, taken from the last rows and from those of another width.

    Args:
        tail: the last rows of the file.
        odd: rows of another width, by line.
        time: the columns of times.
        width: number of columns.
    """
    totals: list[int] = []
    while tail and _is_total(tail[-1][1], time, width):
        line, _ = tail.pop()
        totals.insert(0, line)
        odd.pop(line, None)
    return totals


def _is_total(row: list[str], time: tuple[int, ...], width: int) -> bool:
    first = next((cell.strip() for cell in row if cell.strip()), "")
    if not _TOTAL.match(first):
        return False
    return len(row) != width or all(guess_spelling(row[column].strip()) is None for column in time)


def judge_odd(
    odd: dict[int, list[str]], text: Text, names: list[str], *, last: int, bad_rows: Literal["error", "skip"]
) -> list[Reject]:
    """The rows of another width as rejects.

    Args:
        odd: those rows, by line; one like the header is among them.
        text: the file.
        names: of the columns.
        last: the last line with any content.
        bad_rows: whether they may be left out.

    Raises:
        DataInvalid: for the first of them, unless they may.
    """
    rejects = []
    for line, row in odd.items():
        if row == names:
            error = DataInvalid(
                "data.repeated_header",
                "the column names stand here once more",
                where=f"{text.name}:{line}",
                hint="remove the line (were files joined?), or leave such rows out: data.bad_rows: skip",
            )
        else:
            error = ragged(text.name, line, len(names), row)
            if line == last and len(row) < len(names) and not text.ends_with_newline():
                error.hint = "the file seems to be cut off here; copy it again, or remove the line"
        if bad_rows == "error":
            raise error
        rejects.append(Reject(line, error.message, ",".join(row), error.id))
    return rejects


def require_few(body: Body, most: int, name: str) -> None:
    """Nothing, while no more rows were left out than allowed.

    Raises:
        DataInvalid: ``data.bad_rows`` naming the first of them.
    """
    if len(body.rejects) <= most:
        return
    shown = sorted(body.rejects, key=lambda reject: reject.line)
    raise DataInvalid(
        "data.bad_rows",
        f"{plural(len(shown), 'bad row')}, at most {most} allowed (data.max_bad_rows)",
        where=f"{name}:{shown[0].line}",
        details=[f"line {reject.line}: {reject.reason}" for reject in shown[:3]],
        hint=f"correct them, or set data.max_bad_rows: {len(shown)}",
    )
