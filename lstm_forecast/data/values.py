"""Number cells: which spellings are numbers, which are gaps, and everything else refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.findings import BadCell, plural
from lstm_forecast.errors import DataInvalid

NO_TRADE = frozenset(
    {"--", "—", "——", "-", ".", "N/A", "n/a", "#N/A", "停牌", "暂停", "休市", "Suspended", "suspended"}
)
_NAN = "nan|na|n/a|null|none|#n/a|-nan|<na>|#n/a n/a"
GAPS = (
    frozenset({"", "NaN", "NULL", "None", "NA", "N/A", "#N/A", "<NA>", "-NaN", "Null", "NONE"})
    | frozenset(_NAN.split("|"))
    | NO_TRADE
)
LARGEST = 3.4e38  # float32 ends at 3.4028e38: what is larger cannot reach the network
EXACT = 2.0**53  # from here on float64 does not hold every integer

UNUSUAL = re.compile(r"[^0-9.eE+\-\n]")  # in a text without these float reads plain numbers alone
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_LIKE = re.compile(
    r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+|[0-9]{1,3}([,.' \u00a0\u202f][0-9]{3})+([.,][0-9]*)?)"
    r"([eE][+-]?[0-9]+)?|[+-]?inf(inity)?",
    re.IGNORECASE,
)
_GROUP_MARKS = ",.' \u00a0\u202f"


@dataclass(frozen=True)
class Column:
    """A column's numbers (NaN where a cell is a gap or bad), its bad cells, the grouping mark it uses."""

    values: NDArray[np.float64]  # [N]
    bad: tuple[BadCell, ...]
    thousands: str | None
    rounded: int  # integers beyond 2**53 that float64 cannot hold


def is_number_like(cell: str) -> bool:
    """Whether a cell is a number in some country's spelling."""
    return _LIKE.fullmatch(cell) is not None


def find_decimal(columns: Iterable[Sequence[str]], separator: str, *, where: str) -> str:
    """The decimal mark of a file's value columns, from the cells that admit one reading only.

    Raises:
        DataInvalid: ``data.decimal`` where every cell could be read both ways.
    """
    cells = {
        c.strip()
        for column in columns
        if _mentions(column, ",." if separator == ";" else ",")
        for c in column
    }
    marked = [c for c in cells if _LIKE.fullmatch(c) and ("," in c or "." in c)]
    if not any("," in c for c in marked) and separator != ";":
        return "."
    reads_comma = [c for c in marked if not _could_be(c, decimal=".")]
    reads_dot = [c for c in marked if not _could_be(c, decimal=",")]
    if reads_comma and not reads_dot:
        return ","
    if reads_dot or not marked or separator == ",":
        return "."
    example = min(marked)
    raise DataInvalid(
        "data.decimal",
        f"{example} can be read as {_two_readings(example)}",
        where=where,
        hint='set data.decimal: "," or data.decimal: "."',
    )


def _two_readings(cell: str) -> str:
    whole = re.sub("[,.]", "", cell)
    return f"{whole} or as {cell.replace(',', '.')}"


def _could_be(cell: str, *, decimal: str) -> bool:
    """Whether a cell is a well-formed number when this is the decimal mark and another one groups."""
    others = _GROUP_MARKS.replace(decimal, "")
    return (
        _grouped(others, decimal).fullmatch(cell) is not None
        or ungrouped(decimal).fullmatch(cell) is not None
    )


def _grouped(marks: str, decimal: str) -> re.Pattern[str]:
    d = re.escape(decimal)
    return re.compile(
        rf"[+-]?[1-9][0-9]{{0,2}}([{re.escape(marks)}][0-9]{{3}})+({d}[0-9]*)?([eE][+-]?[0-9]+)?"
    )


def ungrouped(decimal: str) -> re.Pattern[str]:
    """What a number looks like whose digits are not grouped."""
    d = re.escape(decimal)
    return re.compile(rf"[+-]?([0-9]+{d}?[0-9]*|{d}[0-9]+)([eE][+-]?[0-9]+)?")


def _mentions(cells: Sequence[str], marks: str) -> bool:
    joined = "\n".join(cells)
    return any(mark in joined for mark in marks)


def read_numbers(
    cells: Sequence[str], *, decimal: str = ".", thousands: str | None = None, gaps: frozenset[str] = GAPS
) -> Column:
    """The numbers of a column.

    Args:
        cells: the texts of the column, one per row.
        decimal: the decimal mark.
        thousands: the grouping mark; None: found where every number of the column is grouped alike.
        gaps: spellings of an empty cell.
    """
    joined = "\n".join(cells)
    if decimal == "." and thousands is None and not gaps - GAPS and not UNUSUAL.search(joined):
        try:
            values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            pass  # empty cells
        else:
            return _checked(values, np.arange(len(cells)), cells, found=None, bad=[])
    kept = [cell.strip() for cell in cells]
    present = np.fromiter((c not in gaps for c in kept), dtype=np.bool_, count=len(kept))
    rows = np.flatnonzero(present)
    texts = [kept[row] for row in rows.tolist()]
    values = np.full(len(kept), np.nan)
    if decimal == "." and thousands is None and not UNUSUAL.search("\n".join(texts)):
        try:
            values[rows] = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
        except ValueError:
            pass  # such as 1-2
        else:
            return _checked(values, rows, texts, found=None, bad=[])
    return _read_slowly(values, rows, texts, decimal=decimal, thousands=thousands)


def _read_slowly(
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    texts: list[str],
    *,
    decimal: str,
    thousands: str | None,
) -> Column:
    mark = thousands or _find_grouping(texts, decimal)
    group = _grouped(mark, decimal) if mark else None
    plain = ungrouped(decimal)
    bad: list[BadCell] = []
    grouped: list[BadCell] = []
    long_plain = 0  # numbers of four digits and more that are not grouped
    for row, text in zip(rows.tolist(), texts, strict=True):
        if plain.fullmatch(text):
            values[row] = float(text.replace(decimal, "."))
            long_plain += _whole_digits(text, decimal) > 3
        elif group and mark and group.fullmatch(text):
            values[row] = float(text.replace(mark, "").replace(decimal, "."))
            grouped.append(BadCell(row, text, f"{mark!r} groups digits here, and not in other cells"))
        elif _INFINITE.fullmatch(text):
            values[row] = np.inf
        else:
            bad.append(BadCell(row, text, _why(text)))
    if long_plain and grouped and thousands is None:
        bad = sorted(bad + grouped, key=lambda cell: cell.row)
        values[[cell.row for cell in grouped]] = np.nan
    return _checked(values, rows, texts, found=mark if grouped else None, bad=bad)


def _whole_digits(text: str, decimal: str) -> int:
    return len(re.split(rf"[{re.escape(decimal)}eE]", text.lstrip("+-"), maxsplit=1)[0])


def _find_grouping(texts: list[str], decimal: str) -> str | None:
    """The mark that groups some number of the column, if one does."""
    joined = "\n".join(texts)
    for mark in _GROUP_MARKS:
        if (
            mark != decimal
            and mark in joined
            and any(_grouped(mark, decimal).fullmatch(t) for t in texts if mark in t)
        ):
            return mark
    return None


def _checked(
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    texts: Sequence[str],
    *,
    found: str | None,
    bad: list[BadCell],
) -> Column:
    with np.errstate(invalid="ignore"):
        too_large = np.abs(values) > LARGEST
        large = np.abs(values) >= EXACT
    at = (
        {int(row): text for row, text in zip(rows, texts, strict=True)}
        if too_large.any() or large.any()
        else {}
    )
    ranged = [BadCell(int(row), at[int(row)], "range") for row in np.flatnonzero(too_large)]
    values[too_large] = np.nan
    rounded = sum(_loses_digits(at[int(row)], found) for row in np.flatnonzero(large & ~too_large))
    return Column(values, tuple(sorted(bad + ranged, key=lambda cell: cell.row)), found, rounded)


def _loses_digits(text: str, mark: str | None) -> bool:
    digits = text.replace(mark, "") if mark else text
    return digits.lstrip("+-").isdigit() and int(digits) != int(float(digits))


def _why(text: str) -> str:
    """What makes a cell no number, as a remedy."""
    if "%" in text or "‰" in text:
        return "a percent sign; write the number alone"
    if text.startswith("("):
        return "parentheses; write a minus sign"
    if text[:1] in "−–—" and len(text) > 1:
        return "a typographic minus sign; write the hyphen-minus -"
    if text[:1] in "$€£¥￥" or text[-1:] in "$€£¥￥元":
        return "a currency sign; write the number alone"
    if text.lower() in ("true", "false"):
        return "a truth value, not a number; write 1 and 0 if that is meant"
    if "," in text or "." in text or " " in text:
        return "set data.thousands and data.decimal if these marks are meant; else correct the cells"
    return "correct the cells, or list a spelling of 'missing' in data.na_values"


def refuse_cells(column: str, bad: Sequence[BadCell], lines: NDArray[np.int64], *, name: str) -> DataInvalid:
    """The error for bad cells of a column: the first three with their lines, and how many there are."""
    ranged = [cell for cell in bad if cell.reason == "range"]
    wrong = [cell for cell in bad if cell.reason != "range"]
    shown = wrong or ranged
    details = [f"line {lines[cell.row]}: {cell.text[:60]}" for cell in shown[:3]]
    if len(shown) > 3:
        details.append(f"… and {len(shown) - 3:,} more")
    where = f"{name}:{lines[shown[0].row]}"
    if wrong:
        text = f"column {column!r}: {plural(len(wrong), 'cell')} not readable as a number"
        return DataInvalid("data.value", text, where=where, details=details, hint=wrong[0].reason)
    text = f"column {column!r}: {plural(len(ranged), 'cell')} infinite or beyond ±3.4e38"
    hint = "correct these cells; if they stand for 'missing', list them in data.na_values"
    return DataInvalid("data.range", text, where=where, details=details, hint=hint)
