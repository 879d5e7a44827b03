"""Numbers straight from the bytes of a file: the very float64 that ``float`` makes of the text.

Digits and one decimal mark make an integer, the mantissa, over a power of ten. Below 2**53 both are exact in
float64 (the power up to 10**22), so that their quotient is rounded once, as it should be (W. Clinger, "How to
read floating point numbers accurately", 1990). Longer mantissas are divided with the remainder, and taken
where its rounding cannot matter. Whatever else stands in a cell is left open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import cell_kernel
from lstm_forecast.data.words import ZEROS, Places, Words, as_number, load, no_digits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.uint8]
# Characters, the sign apart, of which one word is enough; two words; three.
_SHORT, _MIDDLE, _LONG = 7, 14, 20
_MOST_DIGITS = 19  # below 2**64
_MINUS = np.uint64(ord("-"))
_LOWEST, _ONE, _TOP, _BYTE, _TEN = np.uint64(0xFF), np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(10)
_EXACT = np.uint64(2**53)
_NO_MARK, _THREE_DECIMALS = 64, 24  # eight times the place of the mark in a word, as _digits has it
_SCALES = np.ones(_NO_MARK + 1)
_SCALES[0:_NO_MARK:8] = 10.0 ** np.arange(7, -1, -1)
_TENS = np.uint64(10) ** np.arange(_MOST_DIGITS + 1, dtype=np.uint64)
_POWERS = _TENS.astype(np.float64)
_HALVES = 2.0**27 + 1


@dataclass(frozen=True)
class Numbers:
    """What K cells say, and what their decimal marks tell."""

    values: Floats  # [K]
    left_open: Bools  # [K] no digits with at most one mark and a minus; their value means nothing
    marked: bool  # whether a number has a decimal mark
    decided: bool  # whether one has other than three digits after it, so that it cannot be a grouping mark


@dataclass(frozen=True)
class Spot:
    """Where K cells are: the bytes of the file, their begins and sizes; their decimal mark, less the zero."""

    words: Words
    begins: Places
    sizes: Places
    mark: np.uint64
    is_ascii: bool

    def take(self, rows: Places) -> Spot:
        """Some of the cells."""
        return Spot(self.words, self.begins[rows], self.sizes[rows], self.mark, self.is_ascii)


def read_numbers_at(words: Words, begins: Places, sizes: Places, mark: str, *, is_ascii: bool) -> Numbers:
    """The numbers of cells.

    Args:
        words: the bytes of the file.
        begins: [K] where each cell begins.
        sizes: [K] its number of bytes.
        mark: the decimal mark.
        is_ascii: whether no byte is beyond ASCII.
    """
    library = cell_kernel.kernel()
    if library is None:
        return _read_by_words(words, begins, sizes, mark, is_ascii=is_ascii)
    values, found = cell_kernel.read(library, words, begins, sizes, ord(mark))
    left_open = np.isnan(values) if found & cell_kernel.OPEN else np.zeros(len(values), dtype=np.bool_)
    return Numbers(values, left_open, bool(found & cell_kernel.MARKED), bool(found & cell_kernel.DECIDED))


def _read_by_words(words: Words, begins: Places, sizes: Places, mark: str, *, is_ascii: bool) -> Numbers:
    """The same by operations of numpy, each on the words of all cells."""
    (first,) = load(words, begins, count=1)
    negative = (first & _LOWEST) == _MINUS
    is_signed = bool(negative.any())
    if is_signed:
        first >>= negative.astype(np.uint64) << np.uint64(3)
        begins, sizes = begins + negative, sizes - negative
    spot = Spot(words, begins, sizes, np.uint64(ord(mark) ^ ord("0")), is_ascii)
    found = _read_short(spot, first) if int(sizes.max()) <= _SHORT else _read_by_size(spot, first)
    if is_signed:
        np.negative(found.values, out=found.values, where=negative)
    return found


def _read_by_size(spot: Spot, first: Words) -> Numbers:
    """Short cells and longer ones, each in their way."""
    values, left_open = np.zeros(len(first)), np.ones(len(first), dtype=np.bool_)
    marked = decided = False
    is_short, is_long = spot.sizes <= _SHORT, spot.sizes > _MIDDLE
    for of_size in (is_short, ~(is_short | is_long), is_long):
        rows = np.flatnonzero(of_size)
        if not len(rows):
            continue
        some = spot.take(rows)
        if of_size is is_short:
            found = _read_short(some, first[rows])
        else:
            found = _read_long(some) if of_size is is_long else _read_middle(some)
        values[rows], left_open[rows] = found.values, found.left_open
        marked, decided = marked or found.marked, decided or found.decided
    return Numbers(values, left_open, marked, decided)


def _read_short(spot: Spot, first: Words) -> Numbers:
    """Cells of at most seven characters."""
    digits, places, left_open = _digits(first, spot.sizes, spot)
    if int(spot.sizes.min()) < 2:
        lone_mark = (spot.sizes == 1) & (places != _NO_MARK)
        left_open |= (spot.sizes == 0) | lone_mark
    values = as_number(digits).view(np.int64).astype(np.float64)
    values /= _SCALES.take(places, mode="clip")
    marked = (places != _NO_MARK) & ~left_open
    return Numbers(values, left_open, bool(marked.any()), bool((marked & (places != _THREE_DECIMALS)).any()))


def _read_middle(spot: Spot) -> Numbers:
    """Cells of 8 to 14 characters: the last seven, and those before them."""
    ends = spot.begins + spot.sizes
    (before,), (last,) = load(spot.words, spot.begins, count=1), load(spot.words, ends - _SHORT, count=1)
    high, high_places, left_open = _digits(before, spot.sizes - _SHORT, spot)
    low, places, is_odd = _digits(last, np.full(len(last), _SHORT), spot)
    is_early, is_late = high_places != _NO_MARK, places != _NO_MARK
    left_open |= is_odd | (is_early & is_late)
    number = as_number(low)
    number *= np.where(is_early, _TEN, _ONE)  # as the digits before it are ten times as large then
    number += as_number(high) * _TENS[_SHORT]
    values = number.view(np.int64).astype(np.float64)
    values /= _SCALES.take(places, mode="clip")
    values /= np.where(is_early, _SCALES.take(high_places, mode="clip") * _POWERS[_SHORT], 1.0)
    is_late &= ~left_open
    is_early &= ~left_open
    decided = is_early | (is_late & (places != _THREE_DECIMALS))
    return Numbers(values, left_open, bool((is_early | is_late).any()), bool(decided.any()))


def _digits(found: Words, sizes: Places, spot: Spot) -> tuple[Words, Counts, Bools]:
    """The digits of words, eight times the place of the mark, and which are none: of seven bytes at most.

    The digits end one byte before the end of the word. Those before a mark move up into its place, and all of
    them where there is none: only then the number ends with the word; else it is ten times as large.

    Args:
        found: the words, overwritten.
        sizes: how many bytes count.
        spot: of the cells.
    """
    found ^= ZEROS
    found <<= (64 - (sizes << 3)).view(np.uint64)
    found >>= _BYTE
    odd = no_digits(found, is_ascii=spot.is_ascii)
    left_open = np.bitwise_count(odd) > 1
    odd >>= _TOP
    above = odd << _BYTE
    left_open |= (found & (above - odd)) != odd * spot.mark
    odd -= _ONE  # the bytes below the mark; all of them without one
    places = np.bitwise_count(odd)
    odd &= found
    odd <<= _BYTE
    np.negative(above, out=above)
    above &= found
    odd |= above
    return odd, places, left_open


def _read_long(spot: Spot) -> Numbers:
    """Cells of up to 20 characters, others left open: eight characters after the other."""
    left_open = spot.sizes > _LONG
    mantissa = np.zeros(len(left_open), dtype=np.uint64)
    digits, decimals = np.zeros(len(left_open), dtype=np.int64), np.full(len(left_open), -1)
    for word, loaded in enumerate(load(spot.words, spot.begins, count=(_LONG + 7) // 8)):
        held = np.clip(spot.sizes - 8 * word, 0, 8)
        found = (loaded ^ ZEROS) << (64 - (held << 3)).view(np.uint64)
        odd = no_digits(found, is_ascii=spot.is_ascii) >> _TOP
        is_here = odd != 0
        left_open |= ((odd & (odd - _ONE)) != 0) | (is_here & (decimals >= 0))
        above, below = odd << _BYTE, odd - _ONE
        left_open |= (found & (above - odd)) != odd * spot.mark
        after = 7 - (np.bitwise_count(below) >> 3).astype(np.int64)  # digits of the word behind the mark
        early = (found & below) << (is_here.astype(np.uint64) << np.uint64(3))
        held -= is_here
        mantissa = mantissa * _TENS[held] + as_number((found & (np.uint64(0) - above)) | early)
        digits += held
        decimals = np.where(is_here, after, np.where(decimals >= 0, decimals + held, decimals))
    left_open |= digits > _MOST_DIGITS
    values = _divide(mantissa, np.where(left_open, 0, np.maximum(decimals, 0)), left_open)
    marked = (decimals >= 0) & ~left_open
    return Numbers(values, left_open, bool(marked.any()), bool((marked & (decimals != 3)).any()))


def _divide(mantissa: Words, decimals: Places, left_open: Bools) -> Floats:
    """Mantissas over powers of ten, rounded to nearest; where that is uncertain, ``left_open`` is set.

    The remainder of a quotient is exact but for its last bits: product and factors are cut in halves whose
    products are exact (T. J. Dekker, 1971). Both ends of the correction's doubt have to give one number.
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
