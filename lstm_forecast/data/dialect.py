"""The dialect of a CSV: its separator and quoting, where its header stands, and how wide its rows are."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from lstm_forecast.data.guess import is_clock, is_date_like
from lstm_forecast.data.source import Text
from lstm_forecast.data.values import GAPS, is_number_like
from lstm_forecast.errors import DataInvalid, UsageError

Row = tuple[int, list[str]]  # line of the file (from 1), cells

SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_SNIFFED_ROWS = 300
_SEP_LINE = re.compile('"?sep=(.)"?', re.IGNORECASE)


def announced_separator(text: Text) -> str | None:
    """The separator that the first line names (``sep=;``), as Excel writes it."""
    for line in islice(text.lines(), 1):
        match = _SEP_LINE.fullmatch(line.rstrip("\n"))
        return match.group(1) if match else None
    return None


def read_rows(text: Text, separator: str) -> Iterator[Row]:
    """The rows of a file with the line each begins at; blank lines are empty rows.

    Raises:
        DataInvalid: ``data.quote`` naming the line where a quote was opened that is not closed properly;
            ``data.long_cell`` naming one with a cell that is longer than any number or date.
    """
    reader = csv.reader(text.lines(), delimiter=separator, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if '"' not in text.line(line):
            raise DataInvalid(
                "data.long_cell",
                f"a cell has more than {csv.field_size_limit():,} characters",
                where=f"{text.name}:{line}",
                details=[f"row: {text.line(line)[:200]}"],
                hint=f"correct the row, or remove it: sed {line}d FILE > data.csv",
            ) from None
        raise DataInvalid(
            "data.quote",
            f"a quote that opens here is not closed properly: {error}",
            where=f"{text.name}:{line}",
            details=[f"row: {text.line(line)[:200]}"],
            hint='close it, or write a quote inside a quoted cell twice ("")',
        ) from None


def find_separator(text: Text, named: str | None) -> str:
    """The separator that cuts the first rows most evenly into numbers, dates and gaps.

    Raises:
        UsageError: a named separator that is not one character.
        DataInvalid: ``data.dialect`` for columns aligned by blanks.
    """
    if named:
        separator = _SEPARATOR_NAMES.get(named.lower(), named)
        if len(separator) != 1 or separator in '"\r\n':
            raise UsageError(
                "data.separator",
                f"{named!r} is not one character",
                where="data.separator",
                hint='data.separator: "," | ";" | "\\t" | "|", or null to find it',
            )
        return separator
    announced = announced_separator(text)
    if announced:
        return announced
    scores = {separator: _score(_loose_rows(text, separator)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    if _score(_blank_rows(text)) > scores[best]:
        raise DataInvalid(
            "data.dialect",
            "columns are separated by blanks, expected , ; tab or |",
            where=text.name,
            details=[f"line {line}: {' '.join(row)[:100]}" for line, row in list(_blank_rows(text))[-1:]],
            hint='put commas between the columns: sed -E "s/^ +//; s/ +/,/g" FILE > data.csv',
        )
    return best


def _loose_rows(text: Text, separator: str) -> Iterator[Row]:
    reader = csv.reader(text.lines(), delimiter=separator, skipinitialspace=True)
    try:
        yield from ((0, row) for row in islice(reader, _SNIFFED_ROWS) if any(row))
    except csv.Error:
        return


def _blank_rows(text: Text) -> Iterator[Row]:
    for number, line in enumerate(islice(text.lines(), _SNIFFED_ROWS), start=1):
        if line.strip():
            yield number, line.split()


def _score(numbered: Iterator[Row]) -> tuple[float, float]:
    """How even and how plain the rows are: 0 for a single column."""
    rows = [row for _, row in numbered]
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return 0.0, 0.0
    width, count = widths.most_common(1)[0]
    body = [row for row in rows if len(row) == width][-max(1, count - 1) :]
    cells = [cell.strip() for row in body for cell in row]
    plain = sum(is_plain(cell) for cell in cells) / len(cells)
    share = count / len(rows)
    return round(share * plain, 6), share


def is_plain(cell: str) -> bool:
    """Whether a cell is a number, a date, a time of day or a gap."""
    return cell in GAPS or is_number_like(cell) or is_date_like(cell) or is_clock(cell)
