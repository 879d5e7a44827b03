"""Times straight from the bytes of a file, where all cells of a column have one shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.spelling import compile_pattern, is_field, split_pattern, width_of
from lstm_forecast.data.words import HIGH_BITS, Places, Words, load

# Added to a byte below 128, they set its high bit: where a digit is meant, from 10 on; elsewhere, from 1 on.
_DIGIT, _LITERAL = 0x80 - 10, 0x80 - 1
_MOST_BYTES = 40
Digits = dict[str, NDArray[np.unsignedinteger]]  # by field
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Shape:
    """The bytes of every time of a column: digits of fields, and others that are the same in all cells.

    Attributes:
        pattern: with leading zeros; empty: one whole number.
        zone: the suffix of all cells.
        template: a cell, with zeros for digits.
        fields: letter, first byte and byte behind the last one of each field.
    """

    pattern: str
    zone: str
    template: bytes
    fields: tuple[tuple[str, int, int], ...]

    def read(self, words: Words, begins: Places) -> Digits | None:
        """The fields of cells [K] of the right size; None where one is of another shape."""
        singles = load(words, begins, count=len(self._words))
        for word, tests in zip(singles, self._words, strict=True):
            if not _is_like(word, *tests):
                return None
        # In each byte of a pair ten times its digit and the next one.
        pairs = [(word * np.uint64(10) + (word >> np.uint64(8))).view(np.uint8) for word in singles]
        digits = [word.view(np.uint8) for word in singles]
        found = {name: _number(digits, pairs, start, stop) for name, start, stop in self.fields}
        for name, start, stop in self.fields:
            if name == "f":  # of a second, in billionths
                found[name] = found[name].astype(np.uint32) * np.uint32(10 ** (9 - (stop - start)))
        return found

    @cached_property
    def _words(self) -> list[tuple[np.uint64, np.uint64, np.uint64]]:
        """Of each word of a cell the template, the bytes that belong to the cell, and what tests them."""
        limits = bytearray([_LITERAL]) * len(self.template)
        for _, start, stop in self.fields:
            limits[start:stop] = bytes([_DIGIT]) * (stop - start)
        used = b"\xff" * len(self.template)
        parts = [slice(start, start + 8) for start in range(0, len(used), 8)]
        return [(_word(self.template[part]), _word(used[part]), _word(bytes(limits[part]))) for part in parts]


def _word(characters: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(characters, "little"))


def _is_like(found: Words, zeros: np.uint64, used: np.uint64, limits: np.uint64) -> bool:
    """Whether words have the shape; of their digits the values are left, and zeros elsewhere."""
    np.bitwise_xor(found, zeros, out=found)
    np.bitwise_and(found, used, out=found)
    odd = found + limits
    odd |= found
    odd &= HIGH_BITS
    return not odd.any()


def _number(digits: list[Bytes], pairs: list[Bytes], start: int, stop: int) -> NDArray[np.unsignedinteger]:
    """The number of some digits, two at a time where they stand in one word."""
    at, value = start, None
    size = np.min_scalar_type(10 ** (stop - start) - 1)
    while at < stop:
        word, byte = divmod(at, 8)
        step = 2 if stop - at > 1 and byte < 7 else 1
        part = (pairs if step == 2 else digits)[word][byte::8].astype(size)
        value = part if value is None else value * size.type(10**step) + part
        at += step
    assert value is not None
    return value


def shape_of(pattern: str, cell: str) -> Shape | None:
    """The shape of times in a pattern, all with the zone suffix that this cell has; None where widths vary.

    Args:
        pattern: as it was guessed; empty for numbers of seconds.
        cell: one of the column.
    """
    if not pattern:
        digits = ("E", 0, len(cell))
        return Shape("", "", b"0" * len(cell), (digits,)) if cell.isascii() and cell.isdecimal() else None
    padded = pattern.replace("%-", "%")
    match = compile_pattern(padded).fullmatch(cell)
    parts = split_pattern(padded)
    names = [part for part in parts if is_field(part)]
    if match is None or len(set(names)) < len(names):
        return None
    zone = match.group(names.index("%z") + 1) if "%z" in names else ""
    template, fields = b"", []
    for part in parts:
        if part == "%z":
            template += zone.encode()
        elif not is_field(part):
            template += part.replace("%%", "%").encode()
        elif width := width_of(part):
            fields.append((part[-1], len(template), len(template) + width))
            template += b"0" * width
        else:
            return None
    return Shape(padded, zone, template, tuple(fields)) if len(template) <= _MOST_BYTES else None
