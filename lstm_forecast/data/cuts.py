"""What a look at every byte of some lines tells: where cells end, and what else decides how they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data import cell_kernel
from lstm_forecast.data.words import Places

Bytes = NDArray[np.uint8]
NEWLINE, SPACE = ord("\n"), ord(" ")


@dataclass(frozen=True)
class Cuts:
    """What was seen.

    Attributes:
        places: [K] of each newline and separator.
        newlines: how many there are.
        unprinted: whether a character below the space is neither.
        begins_blank: whether a cell begins with a space.
        ends_blank: whether one ends with it.
    """

    places: Places
    newlines: int
    unprinted: bool
    begins_blank: bool
    ends_blank: bool


def find_cuts(content: Bytes, separator: int) -> Cuts:
    """What is seen in some lines, of which the last one ends with a newline as well.

    Args:
        content: their bytes.
        separator: the byte between cells.
    """
    library = cell_kernel.kernel()
    if library is None:
        return _found(content, separator)
    places, seen = cell_kernel.cut(library, content, separator)
    blank = bool(seen.begins_blank), bool(seen.ends_blank)
    return Cuts(places, seen.newlines, bool(seen.unprinted), *blank)


def _found(content: Bytes, separator: int) -> Cuts:
    """The same by operations of numpy."""
    is_newline = content == NEWLINE
    is_edge = content == separator
    is_edge |= is_newline
    is_space = content == SPACE
    newlines, places = int(np.count_nonzero(is_newline)), np.flatnonzero(is_edge)
    printed = len(content) - (len(places) if separator < SPACE else newlines)
    return Cuts(
        places,
        newlines,
        int(np.count_nonzero(content >= SPACE)) != printed,
        bool(is_space[0] or (is_space[1:] & is_edge[:-1]).any()),
        bool((is_space[:-1] & is_edge[1:]).any()),
    )
