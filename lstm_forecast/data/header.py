"""Where a file's column names stand, what they are, and where its data begin."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from lstm_forecast.data.dialect import Row, announced_separator, read_rows
from lstm_forecast.data.findings import plural
from lstm_forecast.data.guess import is_date_like
from lstm_forecast.data.source import Text
from lstm_forecast.data.values import GAPS, is_number_like
from lstm_forecast.errors import DataInvalid

_SAMPLED_ROWS = 1000
_TIME_NAMES = ("date", "datetime", "time", "timestamp")


@dataclass(frozen=True)
class Header:
    """The column names, the first line of data, the rows that were looked at, and what was decided."""

    names: tuple[str, ...]
    line: int | None
    body_line: int
    sample: tuple[list[str], ...]
    said: tuple[str, ...]
    tickers: tuple[str, ...] = ()  # a yfinance header's second row


def find_header(
    text: Text, separator: str, header_row: int | Literal["auto"] | None, skip_rows: int
) -> Header:
    """The header of a file: at a given line, found, or none (columns are named 1, 2, …).

    Raises:
        DataInvalid: ``data.empty``, ``data.ragged`` where header and rows differ in width,
            ``data.header_row`` for a line that is not there, ``data.duplicate_column``.
    """
    first = 2 if announced_separator(text) else 1
    rows = [(line, _strip(row)) for line, row in islice(read_rows(text, separator), _SAMPLED_ROWS)]
    rows = [(line, row) for line, row in rows if line >= first and any(row)]
    if not rows:
        raise DataInvalid(
            "data.empty", "no rows: the file is blank", where=text.name, hint="give a CSV with data"
        )
    if header_row == "auto":
        header = _three_rows(rows) or _found(rows, text.name)
    elif header_row is None:
        header = _none(rows)
    else:
        header = _at(rows, header_row, text.name)
    if skip_rows:
        begin = (header.line or first - 1) + 1 + skip_rows
        sample = tuple(row for line, row in rows if line >= begin)
        said = (*header.said, f"{plural(skip_rows, 'line')} left out below the header (data.skip_rows)")
        header = Header(header.names, header.line, max(begin, header.body_line), sample, said, header.tickers)
    if not header.sample:
        at = f"{text.name}:{header.line}" if header.line else text.name
        raise DataInvalid(
            "data.empty", "column names and no rows below them", where=at, hint="give a CSV with data"
        )
    _require_different(header, text.name)
    return header


def _strip(row: list[str]) -> list[str]:
    return [cell.strip() for cell in row]


def _none(rows: list[Row]) -> Header:
    width = _common_width([row for _, row in rows], [])
    names = tuple(str(number) for number in range(1, width + 1))
    said = ("no header row: columns are named 1, 2, … (data.header_row)",)
    return Header(names, None, rows[0][0], tuple(row for _, row in rows), said)


def _at(rows: list[Row], line: int, name: str) -> Header:
    for at, (number, row) in enumerate(rows):
        if number == line:
            sample = tuple(cells for _, cells in rows[at + 1 :])
            body_line = rows[at + 1][0] if sample else line + 1
            return Header(
                tuple(row), line, body_line, sample, (f"column names in line {line} (data.header_row)",)
            )
    raise DataInvalid(
        "data.header_row",
        f"no column names in line {line}",
        where=name,
        details=[f"line {number}: {', '.join(row)[:80]}" for number, row in rows[:3]],
        hint="set data.header_row to the line of the column names, null where there are none",
    )


def _three_rows(rows: list[Row]) -> Header | None:
    """The header of yfinance: what is measured, of which ticker, and the name of the time column alone."""
    if len(rows) < 3:
        return None
    (_, measures), (_, tickers), (line, times) = rows[:3]
    same = len(measures) == len(tickers) == len(times) > 1
    if (
        not same
        or times[0].lower() not in _TIME_NAMES
        or any(times[1:])
        or not all(measures[1:] + tickers[1:])
    ):
        return None
    if any(is_number_like(cell) for cell in tickers[1:]):
        return None
    several = len(set(tickers[1:])) > 1
    names = [f"{m} {t}" if several else m for m, t in zip(measures[1:], tickers[1:], strict=True)]
    sample = tuple(row for _, row in rows[3:])
    said = f"column names in lines {rows[0][0]}-{line}, as yfinance writes them (data.header_row)"
    kept = tuple(dict.fromkeys(tickers[1:]))
    return Header((times[0], *names), line, rows[3][0] if sample else line + 1, sample, (said,), kept)


def _found(rows: list[Row], name: str) -> Header:
    cells = [row for _, row in rows]
    body = cells[max(1, len(cells) // 3) :] or cells
    width = _common_width(body, cells)
    dates, numbers = _typed_columns(body, width)
    start = next((at for at, row in enumerate(cells) if _is_data(row, width, dates, numbers)), None)
    if start is None:  # nothing but text
        start = 1
    if start == 0:
        return _none(rows)
    above = [at for at, row in enumerate(cells[:start]) if len(row) == width and _is_text(row)]
    if not above:
        line, found = rows[min(start, len(rows) - 1)]
        raise ragged(name, line, len(cells[start - 1]), found)
    # the fullest row is the header: titles are padded with empty cells, a second full row names units
    best = max(above, key=lambda at: (sum(map(bool, cells[at])), -at))
    body_at = next(
        (at for at in range(best + 1, len(rows)) if at >= start or not _is_units(cells[at])), len(rows)
    )
    left_out = body_at - 1
    rest = f"; {plural(left_out, 'other line')} above the data left out" if left_out else ""
    sample = tuple(cells[body_at:])
    body_line = rows[body_at][0] if sample else rows[best][0] + 1
    said = f"column names in line {rows[best][0]}{rest} (data.header_row)"
    return Header(tuple(cells[best]), rows[best][0], body_line, sample, (said,))


def _common_width(rows: list[list[str]], above: list[list[str]]) -> int:
    """The width of most rows; of equally common ones that which rows above share, then the last one."""
    counts, shared = Counter(map(len, rows)), Counter(map(len, above))
    last = {len(row): at for at, row in enumerate(rows)}
    return max(counts, key=lambda width: (counts[width], shared[width], last[width]))


def _typed_columns(rows: list[list[str]], width: int) -> tuple[list[int], list[int]]:
    """Columns that are mostly dates, and columns that are mostly numbers."""
    dates, numbers = [], []
    fitting = [row for row in rows if len(row) == width]
    for column in range(width):
        cells = [row[column] for row in fitting if row[column] not in GAPS]
        if cells and sum(is_date_like(cell) for cell in cells) >= 0.6 * len(cells):
            dates.append(column)
        elif cells and sum(is_number_like(cell) for cell in cells) >= 0.6 * len(cells):
            numbers.append(column)
    return dates, numbers


def _is_data(row: list[str], width: int, dates: list[int], numbers: list[int]) -> bool:
    if len(row) != width:
        return False
    if dates:
        return any(is_date_like(row[column]) for column in dates)
    cells = [row[column] for column in numbers if row[column] not in GAPS]
    return bool(cells) and 2 * sum(is_number_like(cell) for cell in cells) > len(cells)


def _is_text(row: list[str]) -> bool:
    return not row[0].startswith("#") and any(cell not in GAPS for cell in row)


def _is_units(row: list[str]) -> bool:
    """Whether a row between the header and the data names units: text without any digit."""
    return len(row) > 1 and _is_text(row) and not any(c.isdigit() for cell in row for c in cell)


def ragged(name: str, line: int, expected: int, row: list[str]) -> DataInvalid:
    """The error for a row with more or fewer cells than there are columns."""
    advice = "complete the row, or leave such rows out: data.bad_rows: skip"
    if len(row) > expected:
        advice = "a cell seems to contain the separator; quote it, or set data.separator"
        if not row[-1].strip():
            advice = "a separator ends the row; remove it, or let one end the header as well"
    return DataInvalid(
        "data.ragged",
        f"expected {plural(expected, 'field')}, found {len(row)}",
        where=f"{name}:{line}",
        details=[f"row: {','.join(row)[:200]}"],
        hint=advice,
    )


def _require_different(header: Header, name: str) -> None:
    counts = Counter(column for column in header.names if column)
    repeated = [column for column, count in counts.items() if count > 1]
    if not repeated:
        return
    places = [str(at) for at, column in enumerate(header.names, start=1) if column == repeated[0]]
    raise DataInvalid(
        "data.duplicate_column",
        f"column {repeated[0]!r} stands {len(places)} times (columns {', '.join(places)})",
        where=f"{name}:{header.line}",
        details=[f"also repeated: {', '.join(repeated[1:6])}"] if repeated[1:] else [],
        hint="give each column its own name",
    )
