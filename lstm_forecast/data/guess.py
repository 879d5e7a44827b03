"""Which spelling a time cell has, told from its shape alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lstm_forecast.data.spelling import MONTH_NAME, ShapedCells

SAMPLE = 50  # cells that are looked at before a spelling is chosen
# The same dates are looked at several times in one file, and again in every file of a folder.
_REMEMBERED, _MOST_REMEMBERED = 32, 2**14  # characters of a cell, cells


@dataclass(frozen=True)
class Guess:
    """A spelling: its kind and pattern, what to say of it, and whether day and month may change places."""

    kind: str
    pattern: str
    said: str = ""
    order_open: bool = False


_N = r"(?:\d{1,2})"
_DATES: tuple[tuple[str, str], ...] = (
    (rf"\d{{4}}(?P<s>[-/.]){_N}(?P=s){_N}", "%Y{s}%-m{s}%-d"),
    (rf"\d{{4}}年{_N}月{_N}日", "%Y年%-m月%-d日"),
    (rf"{_N}(?P<s>[-/.]){_N}(?P=s)\d{{4}}", "%-d{s}%-m{s}%Y"),
    (rf"{_N}(?P<s>[- /]){MONTH_NAME}(?P=s)\d{{4}}", "%-d{s}{b}{s}%Y"),
    (rf"{_N}(?P<s>[- /]){MONTH_NAME}(?P=s)\d{{2}}", "%-d{s}{b}{s}%y"),
    (rf"{MONTH_NAME} {_N}(?P<s>,? )\d{{4}}", "{b} %-d{s}%Y"),
    (rf"\d{{4}}(?P<s>[- ]){MONTH_NAME}(?P=s){_N}", "%Y{s}{b}{s}%-d"),
    (rf"{MONTH_NAME}(?P<s>[- /]|, ?)\d{{4}}", "{b}{s}%Y"),
    (rf"{MONTH_NAME}(?P<s>[- ])\d{{2}}", "{b}{s}%y"),
    (rf"\d{{4}}(?P<s>[- /]){MONTH_NAME}", "%Y{s}{b}"),
    (rf"\d{{4}}(?P<s>[-/]){_N}", "%Y{s}%-m"),
    (r"\d{4}\.\d{2}", "%Y.%m"),
    (rf"\d{{4}}年{_N}月", "%Y年%-m月"),
    (r"\d{4}(?P<s>[- ]?)(?P<q>Q)[1-4]", "%Y{s}{q}%q"),
    (r"(?P<q>Q)[1-4](?P<s>[- /]?)\d{4}", "{q}%q{s}%Y"),
    (r"\d{4}年(?P<s>第?)[1-4]季度", "%Y年{s}%q季度"),
    (r"\d{4}年", "%Y年"),
)
_SHAPES = tuple((re.compile(shape, re.IGNORECASE | re.ASCII), pattern) for shape, pattern in _DATES)
_DIGITS = {
    4: ("%Y", re.compile(r"1[5-9]\d\d|2[01]\d\d")),
    6: ("%Y%m", re.compile(r"(1[5-9]|2[01])\d\d(0[1-9]|1[0-2])")),
    8: ("%Y%m%d", re.compile(r"(1[5-9]|2[01])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")),
    12: ("%Y%m%d%H%M", re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d")),
    14: (
        "%Y%m%d%H%M%S",
        re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d){2}"),
    ),
}
_NUMBER = re.compile(r"-?\d*\.?\d*")
_CLOCK = re.compile(
    r"(?P<gap>T|,? +)\d{1,2}(?P<minute>:\d\d(?P<second>:\d\d(?:(?P<point>[.,])(?P<fraction>\d{1,9}))?)?)?"
    r"(?P<half> ?[AP]M)?(?P<zone> ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?",
    re.IGNORECASE | re.ASCII,
)
_COMPACT_CLOCK = re.compile(r"(?P<gap>T| )(?:[01]\d|2[0-3])[0-5]\d(?P<second>[0-5]\d)?(?P<zone>Z)?", re.ASCII)
_DAY_CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?", re.ASCII)


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day, such as 13:30 or 13:30:00."""
    return _DAY_CLOCK.fullmatch(cell) is not None


def is_date_like(cell: str) -> bool:
    """Whether a cell is written as a date or time; plain integers and decimal numbers are not."""
    return not _NUMBER.fullmatch(cell) and guess_spelling(cell) is not None


def majority_guess(cells: Sequence[str]) -> Guess | None:
    """The spelling that most of the first cells have."""
    sample = [cell for cell in cells[:SAMPLE] if cell]
    if _all_integers(sample):
        epoch = _epoch_unit(cells)
        if epoch:
            return epoch
    found = Counter(guess for cell in sample if (guess := guess_spelling(cell)))
    return found.most_common(1)[0][0] if found else None


def _all_integers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(c.removeprefix("-").isdecimal() and c.isascii() for c in cells)


def _epoch_unit(cells: Sequence[str]) -> Guess | None:
    """Seconds or milliseconds since 1970, by the number of digits of the largest number."""
    every = cells[:1] if isinstance(cells, ShapedCells) else cells  # of one size
    longest = max((cell for cell in every if _all_integers([cell])), key=len)
    digits = len(longest.removeprefix("-"))
    if digits in (9, 10):
        return Guess("epoch_s", "", "seconds since 1970 (UTC)")
    if digits in (11, 13) or (digits == 12 and guess_spelling(longest) is None):
        return Guess("epoch_ms", "", "milliseconds since 1970 (UTC)")
    return None


def guess_spelling(cell: str) -> Guess | None:
    """The spelling of one cell, with numbers of one or two digits left open; None for what is no date."""
    return _guess_short(cell) if len(cell) <= _REMEMBERED else _guess(cell)


def _guess(cell: str) -> Guess | None:
    if cell.isdecimal():
        return _guess_digits(cell)
    for shape, pattern in _SHAPES:
        match = shape.match(cell)
        if match and (rest := _guess_clock(cell[match.end() :], pattern)) is not None:
            filled = pattern.format(**_texts(match, cell))
            order_open = filled.startswith(("%-d/%-m", "%-d-%-m"))
            return Guess(
                "date",
                filled + rest,
                _meaning(filled),
                order_open,
            )
    if cell[:8].isdecimal() and _DIGITS[8][1].fullmatch(cell[:8]):
        clock = _COMPACT_CLOCK.fullmatch(cell[8:])
        if clock:
            second, zone = "%S" if clock["second"] else "", "%z" if clock["zone"] else ""
            return Guess("date", f"%Y%m%d{clock['gap']}%H%M{second}{zone}")
        rest = _guess_clock(cell[8:], "%d")
        return Guess("date", f"%Y%m%d{rest}") if rest is not None else None
    return None


_guess_short = lru_cache(maxsize=_MOST_REMEMBERED)(_guess)


def _meaning(pattern: str) -> str:
    """What to say of a spelling that could be taken otherwise."""
    if pattern.startswith("%-d."):
        return "day first, as dots are"
    if pattern.endswith("%y"):
        return "the last number being the year"
    return ""


def _guess_digits(cell: str) -> Guess | None:
    pattern, shape = _DIGITS.get(len(cell), ("", None))
    return Guess("date", pattern) if shape and shape.fullmatch(cell) else None


def _texts(match: re.Match[str], cell: str) -> dict[str, str]:
    """What fills the braces of a pattern: separator, quarter letter, month name's case and length."""
    texts = {"s": "", "q": "Q", "b": "", **match.groupdict()}
    month = re.search(MONTH_NAME, cell, re.IGNORECASE)
    if month:
        name = month.group()
        case = "^" if name.isupper() else "~" if name.islower() else ""
        texts["b"] = f"%{case}{'B' if len(name) > 4 or name.lower() in ('june', 'july') else 'b'}"
    return texts


def _guess_clock(text: str, date_pattern: str) -> str | None:
    """The pattern of the clock part after a date: empty for none, None where the text is no clock."""
    if not text:
        return ""
    clock = _CLOCK.fullmatch(text)
    if clock is None or not date_pattern.endswith(("d", "Y", "y", "日")) or "%q" in date_pattern:
        return None
    hour = "%-I" if clock["half"] else "%-H"
    pattern = clock["gap"] + hour + (":%M" if clock["minute"] else "")
    if clock["second"]:
        pattern += ":%S" + (f"{clock['point']}%{len(clock['fraction'])}f" if clock["fraction"] else "")
    if clock["half"]:
        pattern += (" " if clock["half"].startswith(" ") else "") + "%p"
    zone = clock["zone"] or ""
    return pattern + (" " if zone.startswith(" ") else "") + ("%z" if zone else "")
