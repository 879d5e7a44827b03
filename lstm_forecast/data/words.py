"""Cells of a file as 64-bit words: eight characters are loaded, tested and made a number at once.

A word holds eight bytes, the first one lowest. The arithmetic on digits is that of D. Lemire,
"Quickly parsing eight digits" (2022); here each step is one numpy operation on the words of all cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
PAD = 80  # bytes that have to follow the last cell, so that nine words can be loaded from anywhere in it
_EVERY_BYTE = 0x0101010101010101
ZEROS = np.uint64(ord("0") * _EVERY_BYTE)
BEYOND_NINE = np.uint64((0x80 - 10) * _EVERY_BYTE)  # added to a byte below 128, sets the high bit from 10 on
HIGH_BITS = np.uint64(0x80 * _EVERY_BYTE)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_SHIFTS = np.array([2561, 6553601, 42949672960001], dtype=np.uint64)  # 10, 100, 10,000 times and once


def load(words: Words, begins: Places, *, count: int) -> list[Words]:
    """The bytes from each place on, eight in each of so many words: [count][K].

    Args:
        words: the bytes, aligned.
        begins: [K] numbers of bytes.
        count: how many words.
    """
    at = begins >> 3
    shift = (begins & 7).view(np.uint64) << np.uint64(3)
    back = np.uint64(64) - shift  # a shift by 64 leaves nothing
    low, found = words.take(at), []
    for _ in range(count):
        at += 1
        high = words.take(at)
        low >>= shift
        low |= high << back
        found.append(low)
        low = high
    return found


def as_number(digits: Words) -> Words:
    """The number of eight digits each, their values 0 to 9 in the bytes of a word; it is overwritten."""
    digits *= _SHIFTS[0]
    digits >>= np.uint64(8)
    digits &= _PAIRS
    digits *= _SHIFTS[1]
    digits >>= np.uint64(16)
    digits &= _FOURS
    digits *= _SHIFTS[2]
    digits >>= np.uint64(32)
    return digits


def no_digits(digits: Words, *, is_ascii: bool) -> Words:
    """The high bit of each byte that is no digit, after ``ZEROS`` were taken out of the characters.

    A byte that follows one outside ASCII may be marked too.
    """
    found: Words = digits + BEYOND_NINE
    if not is_ascii:
        found |= digits
    found &= HIGH_BITS
    return found
