"""Ids and other repeated texts straight from the bytes of a file, numbered in order of appearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.words import Places, Words, load

_MOST_BYTES = 64  # of a text
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads by multiplication (Knuth, 6.4)
_FEWEST_BITS = 12


class Vocabulary:
    """The texts that were seen, by their words: a table of hashes in front of a dictionary.

    A row whose text is that of the row before needs neither; a text is compared word by word with that in its
    place of the table; only where they differ it is looked up alone.
    """

    def __init__(self) -> None:
        self._codes: dict[bytes, int] = {}
        self._known: Words = np.zeros((1, 0), dtype=np.uint64)  # [words of a text, texts]
        self._table = np.zeros(2**_FEWEST_BITS, dtype=np.int32)

    def texts(self) -> tuple[str, ...]:
        """In order of first appearance."""
        return tuple(text.decode() for text in self._codes)

    def codes_of(self, text: bytes, words: Words, begins: Places, ends: Places) -> NDArray[np.int64] | None:
        """The number of each cell's text: [K]; None where one is too long.

        Args:
            text: the bytes of the file.
            words: the same.
            begins: [K] where each cell begins.
            ends: [K] where it ends.
        """
        sizes = ends - begins
        longest = int(sizes.max())
        if longest > _MOST_BYTES:
            return None
        self._widen((longest + 7) // 8)
        keys = _keys(words, begins, sizes, len(self._known))
        is_first = np.ones(len(begins), dtype=np.bool_)
        is_first[1:] = _any_differs(keys[:, 1:], keys[:, :-1])
        first = np.flatnonzero(is_first)
        if 2 * len(first) > len(begins):
            return self._look_up(text, keys, begins, ends)
        found = self._look_up(text, keys[:, first], begins[first], ends[first])
        return np.repeat(found, np.diff(first, append=len(begins)))

    def _look_up(self, text: bytes, keys: Words, begins: Places, ends: Places) -> NDArray[np.int64]:
        if not self._codes:
            self._codes[text[begins[0] : ends[0]]] = 0
            self._learn(keys[:, :1])
        found = self._table.take(self._places(keys)).astype(np.int64)
        missed = np.flatnonzero(_any_differs(self._known.take(found, axis=1), keys))
        if not len(missed):
            return found
        codes, before = self._codes, len(self._codes)
        spans = zip(begins[missed].tolist(), ends[missed].tolist(), strict=True)
        found[missed] = [codes.setdefault(text[start:stop], len(codes)) for start, stop in spans]
        new, at = np.unique(found[missed], return_index=True)
        if new[-1] >= before:
            self._learn(keys[:, missed[at[new >= before]]])
        return found

    def _widen(self, width: int) -> None:
        """Room for longer texts."""
        more = width - len(self._known)
        if more > 0:
            known = np.pad(self._known, ((0, more), (0, 0)))
            self._known = known[:, :0]
            self._learn(known)

    def _learn(self, keys: Words) -> None:
        """More texts, in the order of their numbers; the table has sixteen places and more for each."""
        before = self._known.shape[1]
        self._known = np.concatenate([self._known, keys], axis=1)
        bits = self._known.shape[1].bit_length() + 4
        if 1 << bits > len(self._table):
            self._table, before = np.zeros(1 << bits, dtype=np.int32), 0
        self._table[self._places(self._known[:, before:])] = np.arange(before, self._known.shape[1])

    def _places(self, keys: Words) -> NDArray[np.int64]:
        mixed = keys[0] * _MIX
        for word in keys[1:]:
            mixed = (mixed ^ (mixed >> np.uint64(29)) ^ word) * _MIX
        bits = len(self._table).bit_length() - 1
        places: NDArray[np.int64] = (mixed >> np.uint64(64 - bits)).view(np.int64)
        return places


def _any_differs(some: Words, others: Words) -> NDArray[np.bool_]:
    """Which texts differ in some word: [K]."""
    found: NDArray[np.bool_] = some[0] != others[0]
    for one, other in zip(some[1:], others[1:], strict=True):
        found |= one != other
    return found


def _keys(words: Words, begins: Places, sizes: Places, width: int) -> Words:
    """The words of each text, zeros behind its end: [width, K]. No text holds a byte that is zero."""
    keys = np.empty((width, len(begins)), dtype=np.uint64)
    for word, found in enumerate(load(words, begins, count=width)):
        held = np.minimum(sizes - 8 * word, 8) if width > 1 else sizes
        unused = (64 - (np.maximum(held, 0) << 3)).view(np.uint64)
        np.right_shift(found << unused, unused, out=keys[word])
    return keys
