"""Numbers straight from the bytes of a file: the very float64 that ``float`` makes of the text.

Digits and one decimal mark make an integer, the mantissa, over a power of ten. Below 2**53 both are exact in
float64 (the power up to 10**22), so that their quotient is rounded once, as it should be (W. Clinger, "How to
read floating point numbers accurately", 1990). Longer mantissas are divided with the remainder, and taken where
its rounding cannot matter. Whatever else stands in a cell is left open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.words import ZEROS, Places, Words, as_number, load, no_digits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_SHORT = 7  # characters, the sign apart, of which one word is enough
_LONG, _MOST_DIGITS = 20, 19  # characters; digits that are below 2**64
_MINUS = np.uint64(ord("-"))
_LOWEST, _ONE, _TOP, _BYTE = np.uint64(0xFF), np.uint64(1), np.uint64(7), np.uint64(8)
_EXACT = np.uint64(2**53)
_NO_MARK, _THREE_DECIMALS = 64, 24  # eight times the place of the mark in a word, as _read_short has it
_SCALES = np.ones(_NO_MARK + 1)
_SCALES[0:_NO_MARK:8] = 10.0 ** np.arange(7, -1, -1)
_TENS = np.uint64(10) ** np.arange(_MOST_DIGITS + 1, dtype=np.uint64)
_POWERS = _TENS.astype(np.float64)
_HALVES = 2.0**27 + 1


@dataclass(frozen=True)
class Numbers:
    """What K cells say, and what their decimal marks tell."""

    values: Floats  # [K]
    left_open: (
        Bools  # [K] cells that are no digits with at most one mark and a minus; their value means nothing
    )
    marked: bool  # whether a number has a decimal mark
    decided: bool  # whether one has other than three digits after it, so that it cannot be a grouping mark
    longest: int  # characters, the sign apart


def read_numbers_at(words: Words, begins: Places, sizes: Places, mark: str) -> Numbers:
    """The numbers of cells.

    Args:
        words: the bytes of the file.
        begins: [K] where each cell begins.
        sizes: [K] its number of bytes.
        mark: the decimal mark.
    """
    marks = np.uint64(ord(mark) ^ ord("0"))
    first = load(words, begins)
    negative = (first & _LOWEST) == _MINUS
    is_signed = bool(negative.any())
    if is_signed:
        first >>= negative.astype(np.uint64) << np.uint64(3)
        begins, sizes = begins + negative, sizes - negative
    long = np.flatnonzero(sizes > _SHORT)
    values, left_open, places = _read_short(first, np.where(sizes > _SHORT, 0, sizes), marks)
    marked = (places != _NO_MARK) & ~left_open
    decided = marked & (places != _THREE_DECIMALS)
    if len(long):
        values[long], left_open[long], decimals = _read_long(words, begins[long], sizes[long], marks)
        marked[long], decided[long] = decimals >= 0, (decimals >= 0) & (decimals != 3)
        marked, decided = marked & ~left_open, decided & ~left_open
    if is_signed:
        np.negative(values, out=values, where=negative)
    return Numbers(values, left_open, bool(marked.any()), bool(decided.any()), int(sizes.max()))


def _read_short(found: Words, sizes: Places, mark: np.uint64) -> tuple[Floats, Bools, NDArray[np.uint8]]:
    """Values, which are none, and eight times the place of the mark: of cells of one word each.

    The digits end one byte before the end of the word. Those before a mark move up into its place, and all of
    them where there is none: only then the number ends with the word; else it is ten times as large.
    """
    found ^= ZEROS
    found <<= (64 - (sizes << 3)).astype(np.uint64)
    found >>= _BYTE
    odd = no_digits(found)
    left_open = np.bitwise_count(odd) > 1
    odd >>= _TOP
    above = odd << _BYTE
    left_open |= (found & (above - odd)) != odd * mark
    left_open |= (sizes == 0) | (found == mark << np.uint64(48))
    odd -= _ONE  # the bytes below the mark; all of them without one
    places = np.bitwise_count(odd)
    odd &= found
    odd <<= _BYTE
    np.negative(above, out=above)
    above &= found
    odd |= above
    values = as_number(odd).view(np.int64).astype(np.float64)
    values /= _SCALES[places]
    return values, left_open, places


def _read_long(words: Words, begins: Places, sizes: Places, mark: np.uint64) -> tuple[Floats, Bools, Places]:
    """Values, which are none, and the number of decimals (-1: no mark): of cells of up to three words."""
    left_open = sizes > _LONG
    mantissa = np.zeros(len(begins), dtype=np.uint64)
    decimals = np.full(len(begins), -1)
    digits = np.zeros(len(begins), dtype=np.int64)
    for offset in range(0, min(int(sizes.max()), _LONG), 8):
        held = np.clip(sizes - offset, 0, 8)
        found = load(words, begins + offset) ^ ZEROS
        found <<= (64 - (held << 3)).astype(np.uint64)
        odd = no_digits(found)
        odd >>= _TOP
        is_here = odd != 0
        left_open |= ((odd & (odd - _ONE)) != 0) | (is_here & (decimals >= 0))
        above = odd << _BYTE
        left_open |= (found & (above - odd)) != odd * mark
        below = odd - _ONE
        after = 7 - (np.bitwise_count(below) >> 3).astype(np.int64)  # digits of the word after the mark
        found = (found & (np.uint64(0) - above)) | (
            (found & below) << (is_here.astype(np.uint64) << np.uint64(3))
        )
        held -= is_here
        mantissa = mantissa * _TENS[held] + as_number(found)
        digits += held
        decimals = np.where(is_here, after, np.where(decimals >= 0, decimals + held, decimals))
    left_open |= digits > _MOST_DIGITS
    return _divide(mantissa, np.where(left_open, 0, np.maximum(decimals, 0)), left_open), left_open, decimals


def _divide(mantissa: Words, decimals: Places, left_open: Bools) -> Floats:
    """Mantissas over powers of ten, rounded to nearest; where that is uncertain, ``left_open`` is set.

    The remainder of a quotient is exact but for its last bits: product and factors are cut in halves whose
    products are exact (T. J. Dekker, 1971). Both ends of the correction's uncertainty have to give one number.
    """
    powers = _POWERS[decimals]
    high = mantissa.astype(np.float64)
    quotient = high / powers
    if not (mantissa >= _EXACT).any():
        return quotient
    product = quotient * powers
    (one, other), (left, right) = _halves(quotient), _halves(powers)
    lost = ((one * left - product) + one * right + other * left) + other * right
    rest = (mantissa - high.astype(np.uint64)).view(np.int64).astype(np.float64)
    correction = ((high - product) - lost + rest) / powers
    doubt = quotient * 2.0**-97
    lower, upper = quotient + (correction - doubt), quotient + (correction + doubt)
    left_open |= (lower != upper) & (mantissa >= _EXACT)
    return np.where(mantissa >= _EXACT, lower, quotient)


def _halves(values: Floats) -> tuple[Floats, Floats]:
    """Two numbers of half as many bits each, whose sum is the value."""
    large = values * _HALVES
    high = large - (large - values)
    return high, values - high
