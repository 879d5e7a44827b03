"""The spelling of a time: a pattern of fields, read from cells by numpy and written back.

A pattern is made of strptime's fields, ``%-d`` for a number without a leading zero, ``%q`` for a quarter,
``%3f`` for a fraction of three digits, ``%^b`` for a month name in capitals and ``%~b`` in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH_NAME = "(?:" + "|".join(f"{m[:3]}(?:{m[3:]})?" if m != "May" else m for m in MONTHS) + "|Sept)"
_MONTH_NUMBER = {m[:3].lower(): number for number, m in enumerate(MONTHS, start=1)}

_TOKEN = re.compile(r"%[-^~]?[A-Za-z]|%[1-9]f|%%")
_KNOWN = re.compile(r"%[YymdHIMSqbBpfz]|%-[mdHI]|%[\^~][bB]|%[1-9]f|%%")
_READ = {
    "Y": r"(\d{4})", "y": r"(\d{2})", "m": r"(\d{2})", "d": r"(\d{2})", "H": r"(\d{2})", "I": r"(\d{2})",
    "M": r"(\d{2})", "S": r"(\d{2})", "q": r"([1-4])", "b": f"({MONTH_NAME})", "B": f"({MONTH_NAME})",
    "p": r"(AM|PM)", "f": r"(\d{1,9})", "z": r"(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)",
}  # fmt: skip
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_BLOCK = 2**14  # cells that are made moments at once: what it takes on the way stays in the processor's cache
Fields = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Cells:
    """What a pattern found in a column: one number per field and cell, and which cells it fits."""

    fields: Fields
    fits: NDArray[np.bool_]
    zones: tuple[str, ...]  # the different zone suffixes, in order of appearance
    padded: bool = False  # whether all cells fit, and numbers below ten carry a zero


class ShapedCells(Sequence[str]):
    """The cells of a column that all have one shape, already read; their texts are made when they are wanted.

    Args:
        cells: what they hold.
        pattern: their spelling, with leading zeros; empty: whole numbers, of one size.
        texts: gives some of them, or all.
    """

    def __init__(self, cells: Cells, pattern: str, texts: Callable[[slice], list[str]]) -> None:
        self.cells = cells
        self.pattern = pattern
        self._texts = texts
        self._all: list[str] | None = None

    def take(self, kept: NDArray[np.bool_]) -> ShapedCells:
        """Some of the cells; ``texts`` has to give those of these alone from now on."""
        fields = {name: numbers[kept] for name, numbers in self.cells.fields.items()}
        cells = replace(self.cells, fields=fields, fits=self.cells.fits[kept])
        return ShapedCells(cells, self.pattern, self._texts)

    def __len__(self) -> int:
        return len(self.cells.fits)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if self._all is None and isinstance(at, slice) and at.stop is not None:
            return self._texts(at)
        return self._every()[at]

    def __iter__(self) -> Iterator[str]:
        return iter(self._every())

    def _every(self) -> list[str]:
        if self._all is None:
            self._all = self._texts(slice(None))
        return self._all


def split_pattern(pattern: str) -> list[str]:
    """Fields and the literal text between them, in order."""
    parts: list[str] = []
    end = 0
    for match in _TOKEN.finditer(pattern):
        if match.start() > end:
            parts.append(pattern[end : match.start()])
        parts.append(match.group())
        end = match.end()
    return [*parts, pattern[end:]] if end < len(pattern) else parts


def is_field(part: str) -> bool:
    """Whether a part of a pattern is a field, not literal text."""
    return part.startswith("%") and part != "%%"


def read_cells(cells: Sequence[str], pattern: str) -> Cells:
    """The fields of every cell; ``fits`` is False, and the numbers 0, where a cell is spelled otherwise."""
    padded = pattern.replace("%-", "%")
    if isinstance(cells, ShapedCells) and cells.pattern == padded:
        return cells.cells
    return _read_fixed(cells, padded) or _read_each(cells, pattern)


def width_of(part: str) -> int:
    """How many characters a field always has; 0 where cells differ."""
    return int(part[1]) if part[1].isdigit() else _WIDTHS.get(part[1:], 0)


def _read_fixed(cells: Sequence[str], pattern: str) -> Cells | None:
    """All cells at once where every field has one width: a matrix of characters, cut by columns."""
    parts = split_pattern(pattern)
    spans: list[tuple[str, int, int]] = []
    at = 0
    for part in parts:
        width = width_of(part) if is_field(part) else len(part.replace("%%", "%"))
        if not width:
            return None
        spans.append((part, at, at + width))
        at += width
    if set(map(len, cells)) != {at}:
        return None
    characters = np.frombuffer("".join(cells).encode("utf-32-le"), dtype=np.uint32).reshape(len(cells), at)
    fields: Fields = {}
    for part, start, stop in spans:
        block = characters[:, start:stop]
        if not is_field(part):
            if (block != np.array([ord(c) for c in part.replace("%%", "%")])).any():
                return None
            continue
        if ((block < ord("0")) | (block > ord("9"))).any():
            return None
        fields[part[-1]] = (block - ord("0")).astype(np.int64) @ 10 ** np.arange(stop - start - 1, -1, -1)
        if part[-1] == "f":
            fields["f"] = fields["f"] * 10 ** (9 - (stop - start))
    return Cells(fields, np.ones(len(cells), dtype=np.bool_), (), padded=True)


def _read_each(cells: Sequence[str], pattern: str) -> Cells:
    names = [part[-1] for part in split_pattern(pattern) if is_field(part)]
    matcher = compile_pattern(pattern)
    known: dict[str, int] = {}
    order = [known.setdefault(cell, len(known)) for cell in cells]
    columns: dict[str, list[int]] = {name: [] for name in names}
    fits: list[bool] = []
    zones: dict[str, None] = {}
    for cell in known:
        match = matcher.fullmatch(cell)
        fits.append(match is not None)
        groups = match.groups() if match else ("",) * len(names)
        for name, text in zip(names, groups, strict=True):
            columns[name].append(_number(name, text))
            if name == "z" and text:
                zones[text] = None
    back = np.array(order, dtype=np.int64)
    fields = {name: np.array(numbers, dtype=np.int64)[back] for name, numbers in columns.items()}
    return Cells(fields, np.array(fits, dtype=np.bool_)[back], tuple(zones))


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The expression that a cell in this pattern matches, one group per field."""
    text = ""
    for part in split_pattern(pattern):
        if not is_field(part):
            text += re.escape(part.replace("%%", "%"))
        elif part[1] == "-":
            text += r"(\d{1,2})"
        elif part[1].isdigit():
            text += rf"(\d{{{part[1]}}})"
        else:
            text += _READ[part[-1]]
    return re.compile(text, re.IGNORECASE | re.ASCII)


def is_known(pattern: str) -> bool:
    """Whether every field of a pattern is one that can be read."""
    return all(_KNOWN.fullmatch(part) for part in split_pattern(pattern) if part.startswith("%"))


def is_zone(text: str) -> bool:
    """Whether a text is a zone suffix, or empty."""
    return not text or re.fullmatch(_READ["z"], text, re.IGNORECASE | re.ASCII) is not None


def _number(name: str, text: str) -> int:
    if not text:
        return 0
    if name in "bB":
        return _MONTH_NUMBER[text[:3].lower()]
    if name == "p":
        return int(text.lower() == "pm")
    if name == "z":
        return zone_minutes(text)
    if name == "f":
        return int(text.ljust(9, "0"))
    return int(text)


def zone_minutes(zone: str) -> int:
    """Minutes that a zone suffix lies ahead of UTC."""
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return 0
    minutes = int(digits[:2]) * 60 + int(digits[2:4] or 0)
    return -minutes if "-" in zone else minutes


def zone_text(offset_us: int, like: str) -> str:
    """The suffix of an offset from UTC, to the minute, in the form of another suffix such as ``+01:00``."""
    minutes = offset_us // 60_000_000
    hours, rest = divmod(abs(minutes), 60)
    text = f"{'-' if minutes < 0 else '+'}{hours:02}"
    if len(like) == len("+01") and not rest:
        return text
    return f"{text}{'' if len(like) == len('+0100') else ':'}{rest:02}"


def to_microseconds(fields: Fields) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Microseconds since the epoch, and which rows are real (no 30 February, no 25 o'clock)."""
    count = len(next(iter(fields.values())))
    moments, valid = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.bool_)
    for start in range(0, count, _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = {name: numbers[rows].astype(np.int32) for name, numbers in fields.items()}
        moments[rows], valid[rows] = _to_microseconds(block, len(moments[rows]))
    return moments, valid


def _to_microseconds(
    fields: dict[str, NDArray[np.int32]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """As :func:`to_microseconds`; what is less than a month is counted in 32 bits."""
    ones, zeros = np.ones(count, dtype=np.int32), np.zeros(count, dtype=np.int32)
    year = fields["Y"] if "Y" in fields else _full_year(fields.get("y", zeros))
    month = next((fields[name] for name in "mbB" if name in fields), ones)
    if "q" in fields:
        month = fields["q"] * 3 - 2
    day = fields.get("d", ones)
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    earliest = int(months.min())
    calendar = np.arange(earliest, int(months.max()) + 2).astype("datetime64[M]")
    first_days = calendar.astype("datetime64[D]").astype(np.int64)
    months -= np.int32(earliest)
    valid &= day <= np.diff(first_days).astype(np.int32)[months]
    seconds = (day - 1) * np.int32(86_400)
    hour = fields.get("H", zeros)
    if (twelve := fields.get("I")) is not None:
        hour = twelve % 12 + 12 * fields.get("p", zeros)
        valid &= (twelve >= 1) & (twelve <= 12)
    for part, unit, limit in ((hour, 3600, 24), (fields.get("M"), 60, 60), (fields.get("S"), 1, 60)):
        if part is not None and part is not zeros:
            valid &= part < limit
            seconds += part * np.int32(unit)
    if "z" in fields:
        seconds -= fields["z"] * 60
    moments = first_days.take(months) * 86_400_000_000 + seconds.astype(np.int64) * 1_000_000
    if "f" in fields:
        valid &= fields["f"] % 1000 == 0  # a microsecond is the finest that is kept
        moments += fields["f"] // 1000
    return moments, valid


def _full_year(two_digits: NDArray[np.int32]) -> NDArray[np.int32]:
    """POSIX: 69 to 99 are of the 20th century, 00 to 68 of the 21st."""
    return two_digits + np.where(two_digits >= 69, 1900, 2000).astype(np.int32)


def write_time(moment_us: int, pattern: str, zone: str) -> str:
    """A moment (microseconds since the epoch) in a pattern."""
    local = np.datetime64(moment_us + zone_minutes(zone) * 60_000_000, "us")
    date, _, clock = str(local).partition("T")
    year, month, day = (int(part) for part in date.rsplit("-", 2))
    hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:8])
    fraction = clock[9:].ljust(9, "0")
    name = MONTHS[month - 1]
    values = {
        "Y": f"{year:04d}", "y": f"{year % 100:02d}", "m": f"{month:02d}", "d": f"{day:02d}",
        "H": f"{hour:02d}", "I": f"{(hour + 11) % 12 + 1:02d}", "M": f"{minute:02d}", "S": f"{second:02d}",
        "q": str((month + 2) // 3),
        "b": name[:3], "B": name, "p": "PM" if hour >= 12 else "AM", "z": zone, "f": fraction[:6],
    }  # fmt: skip
    return "".join(_write_part(part, values) for part in split_pattern(pattern))


def _write_part(part: str, values: dict[str, str]) -> str:
    if not is_field(part):
        return part.replace("%%", "%")
    text = values[part[-1]]
    if part[1].isdigit():
        return text.ljust(9, "0")[: int(part[1])]
    if part[1] == "-":
        return str(int(text))
    if part[1] == "^":
        return text.upper()
    return text.lower() if part[1] == "~" else text
