"""Series in flat arrays, all at once: marks, counts, and blocks of series that have equally many rows.

A sum over a row of a block is that over the series alone, bit for bit: NumPy adds a contiguous row in the
same order wherever it lies. ``np.add.reduceat`` does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
BLOCK_CELLS = 1 << 18  # of a block: 2 MiB of float64, which fits a cache


@dataclass(frozen=True)
class Block:
    """G series with n rows each.

    Attributes:
        series: their numbers, [G].
        first: flat row that each begins at, [G].
        length: n.
    """

    series: Rows
    first: Rows
    length: int

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """What flat values [N, ...] these series have: [G, n, ...], contiguous; a view where that will do."""
        if (np.diff(self.first) == self.length).all():
            rows = values[self.first[0] : self.first[-1] + self.length]
            return np.ascontiguousarray(rows).reshape(len(self.series), self.length, *values.shape[1:])
        found: NDArray[Any] = values[self.first[:, None] + np.arange(self.length)]
        return found

    def put(self, target: NDArray[Any], values: NDArray[Any]) -> None:
        """Writes what these series have, [G, n], into a flat array [N]."""
        target[self.first[:, None] + np.arange(self.length)] = values


def blocks(first: Rows, lengths: Rows, *, cells: int = BLOCK_CELLS) -> Iterator[Block]:
    """The series in blocks of equal length, none of them above so many cells unless it is one series.

    There are at most about √(2N) lengths in N rows, so this loop is short whatever the series are.

    Args:
        first: flat row that each series begins at, [S].
        lengths: its rows, [S]; series without rows are left out.
        cells: of a block.
    """
    order = np.argsort(lengths, kind="stable")
    order = order[np.searchsorted(lengths[order], 1) :]
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for alike in np.split(order, borders):
        if not len(alike):
            continue
        length = int(lengths[alike[0]])
        size = max(1, cells // length)
        for begin in range(0, len(alike), size):
            series = alike[begin : begin + size]
            yield Block(series, first[series], length)


def marked(begin: Rows, end: Rows, size: int) -> Flags:
    """Rows ``begin[s] … end[s] - 1`` of every series, which do not overlap: bool [size]."""
    full = begin < end
    steps = np.zeros(size + 1, dtype=np.int8)
    steps[begin[full]] += 1  # no row begins two series that have rows
    steps[end[full]] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)


def count_marked(flags: Flags, offsets: Rows) -> Rows:
    """How many rows of each series are marked: int64 [S]."""
    full = np.flatnonzero(np.diff(offsets))
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    if len(full):
        counts[full] = np.add.reduceat(flags, offsets[full], dtype=np.int64)
    return counts


def distinct(numbers: Rows) -> Rows:
    """The different numbers, rising; those of one series of rows are so already, and are not sorted again."""
    rising = bool((numbers[1:] > numbers[:-1]).all())
    return numbers if rising else np.unique(numbers)


def ranges(first: Rows, counts: Rows) -> Rows:
    """The numbers from ``first[s]`` on, ``counts[s]`` of each, one series behind the other."""
    ends = np.cumsum(counts)
    found = np.repeat(first - (ends - counts), counts)
    found += np.arange(len(found))
    return found
