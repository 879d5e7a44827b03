"""The rows of a file, one by one: width checked, rows without trade left out, totals at the end cut off."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dialect import Row, read_rows
from lstm_forecast.data.findings import plural
from lstm_forecast.data.guess import guess_spelling
from lstm_forecast.data.header import Header, ragged
from lstm_forecast.data.source import Text
from lstm_forecast.data.values import NO_TRADE
from lstm_forecast.errors import DataInvalid

_TOTAL = re.compile(
    r"(合计|总计|小计|共计|总和|平均|均值|汇总|数据来源|资料来源|来源|注[:：]|备注|说明[:：]"
    r"|(grand |sub)?totals?\b|sum\b|average\b|mean\b|source\b|notes?\b)",
    re.IGNORECASE,
)
BLANKS = " \t\n\v\f\u00a0\u3000"
TAIL = 10  # rows at the end among which totals and remarks are looked for
_MOST_ODD = 100_000  # rows of another width that are kept before the file is given up


@dataclass(frozen=True)
class Reject:
    """A row that was left out: its line, why, and its text."""

    line: int
    reason: str
    row: str
    id: str = "data.ragged"


@dataclass
class Body:
    """The used cells of all kept rows, and what was left out on the way.

    Of a plainly written file (:mod:`plain_rows`) all columns are picked: taking some would cost more.
    """

    picked: tuple[int, ...]
    lines: list[int] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)  # row after row: a million small tuples would be slower
    rejects: list[Reject] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    empty: int = 0
    suspended: int = 0
    is_plain: bool = False  # without quotes or blanks around cells
    used: tuple[int, ...] = ()  # of the picked columns; empty: all

    def column(self, number: int) -> list[str]:
        """One column's cells without surrounding blanks."""
        cells = self.cells[self.picked.index(number) :: len(self.picked)]
        if self.is_plain:
            return cells
        joined = "".join(cells)
        return [cell.strip() for cell in cells] if any(blank in joined for blank in BLANKS) else cells

    def row(self, number: int) -> list[str]:
        """The used cells of one kept row."""
        width = len(self.picked)
        cells = self.cells[number * width : (number + 1) * width]
        return [cells[self.picked.index(column)] for column in self.used] if self.used else cells

    def line_numbers(self) -> NDArray[np.int64]:
        """[N] the line of each kept row."""
        return np.array(self.lines, dtype=np.int64)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops the rows where ``kept`` is False."""
        chosen = kept.tolist()
        width = len(self.picked)
        self.cells = [cell for at, cell in enumerate(self.cells) if chosen[at // width]]
        self.lines = [line for line, ok in zip(self.lines, chosen, strict=True) if ok]


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
    body = Body(picked=used)
    pick = itemgetter(*used) if len(used) > 1 else itemgetter(slice(used[0], used[0] + 1))
    watched = roles.values[0]
    traded = tuple(c for c in dict.fromkeys((*roles.values, *roles.numeric)) if c not in roles.given)
    names, width = list(header.names), len(header.names)
    tail: deque[Row] = deque(maxlen=TAIL)
    odd: dict[int, list[str]] = {}
    for line, row in read_rows(text, separator):
        if line < header.body_line or not any(row):
            body.empty += bool(row) and line >= header.body_line
            continue
        tail.append((line, row))
        if len(row) != width or (row[0] == names[0] and row == names):
            if len(row) > 1 or row[0].strip():
                odd[line] = row
            if len(odd) > _MOST_ODD:
                break
        elif row[watched].strip() in gaps and _is_suspended([row[column].strip() for column in traded], gaps):
            body.suspended += 1
        else:
            body.lines.append(line)
            body.cells.extend(pick(row))
    cut_totals(body, tail, odd, roles.time, width)
    _judge_odd(body, odd, text, names, last=tail[-1][0] if tail else 0, bad_rows=bad_rows)
    return body


def used_columns(roles: Roles) -> tuple[int, ...]:
    """The columns whose cells are read."""
    guesses = roles.series_guesses if roles.series_id is None else (roles.series_id,)
    return tuple(dict.fromkeys((*roles.time, *guesses, *roles.values, *roles.static)))


def _is_suspended(cells: Sequence[str], gaps: frozenset[str]) -> bool:
    """Whether a row's value cells say that nothing was traded: marks and gaps, at least one mark."""
    return all(cell in gaps for cell in cells) and any(cell in NO_TRADE for cell in cells)


def cut_totals(
    body: Body, tail: deque[Row], odd: dict[int, list[str]], time: tuple[int, ...], width: int
) -> None:
    """Takes the totals and remarks at the end away, from the rows and from those of another width.

    Args:
        body: the rows.
        tail: the last rows of the file.
        odd: rows of another width, by line.
        time: the columns of times.
        width: number of columns.
    """
    while tail and _is_total(tail[-1][1], time, width):
        line, _ = tail.pop()
        body.totals.insert(0, line)
        odd.pop(line, None)
        if body.lines and body.lines[-1] == line:
            body.lines.pop()
            del body.cells[-len(body.picked) :]


def _is_total(row: list[str], time: tuple[int, ...], width: int) -> bool:
    first = next((cell.strip() for cell in row if cell.strip()), "")
    if not _TOTAL.match(first):
        return False
    return len(row) != width or all(guess_spelling(row[column].strip()) is None for column in time)


def _judge_odd(
    body: Body,
    odd: dict[int, list[str]],
    text: Text,
    names: list[str],
    *,
    last: int,
    bad_rows: Literal["error", "skip"],
) -> None:
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
        body.rejects.append(Reject(line, error.message, ",".join(row), error.id))


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
