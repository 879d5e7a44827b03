"""Times straight from the bytes of a file, where all cells of a column have one shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.spelling import compile_pattern, is_field, split_pattern, width_of
from lstm_forecast.data.words import HIGH_BITS, Places, Words, load

# Added to a byte below 128, they set its high bit: where a digit is meant, from 10 on; elsewhere, from 1 on.
_DIGIT, _LITERAL = 0x80 - 10, 0x80 - 1
_LOWEST = np.uint64(0xFF)
_MOST_BYTES = 40
Digits = dict[str, NDArray[np.unsignedinteger]]  # by field


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
        singles: list[Words] = []
        for offset in range(0, len(self.template), 8):
            here = self.template[offset : offset + 8]
            found = load(words, begins + offset)
            found ^= _word(here)
            found &= _word(b"\xff" * len(here))
            odd = found + _word(self._limits()[offset : offset + 8])
            odd |= found
            odd &= HIGH_BITS
            if odd.any():
                return None
            singles.append(found)
        # In each byte ten times its digit and the next one.
        pairs = [found * np.uint64(10) + (found >> np.uint64(8)) for found in singles]
        return {name: _number(singles, pairs, start, stop) for name, start, stop in self.fields}

    def _limits(self) -> bytes:
        limits = bytearray([_LITERAL]) * len(self.template)
        for _, start, stop in self.fields:
            limits[start:stop] = bytes([_DIGIT]) * (stop - start)
        return bytes(limits)


def _word(characters: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(characters, "little"))


def _number(singles: list[Words], pairs: list[Words], start: int, stop: int) -> NDArray[np.unsignedinteger]:
    """The number of some digits, two at a time where they stand in one word."""
    at, value = start, np.zeros(len(singles[0]), dtype=np.uint64)
    while at < stop:
        word, byte = divmod(at, 8)
        step = 2 if stop - at > 1 and byte < 7 else 1
        part = ((pairs if step == 2 else singles)[word] >> np.uint64(8 * byte)) & _LOWEST
        value = part if at == start else value * np.uint64(10**step) + part
        at += step
    width = stop - start
    return value.astype(
        np.uint8 if width < 3 else np.uint16 if width < 5 else np.uint32 if width < 10 else np.uint64
    )


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
