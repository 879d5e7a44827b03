"""The cells of a plain file as places in its bytes; their texts are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.dialect import Row
from lstm_forecast.data.pieces import Cutter, NotPlain, Piece


class PlainCells:
    """The full rows of a file, as :class:`rows.Cells` has them.

    Args:
        cutter: of the file.
        begin: the byte where its rows begin.
        used: the columns of :meth:`row`, by their number in the file.
    """

    def __init__(self, cutter: Cutter, begin: int, used: tuple[int, ...]) -> None:
        self.cutter = cutter
        self.spans = list(cutter.spans(begin))
        if not self.spans:
            raise NotPlain
        self._used = used
        self._counts = np.zeros(len(self.spans), dtype=np.int64)  # full rows of each piece
        self._kept: NDArray[np.int64] | None = None  # numbers of the kept full rows; None: all
        self._open: tuple[int, list[list[str]]] = (-1, [])  # the piece that a row was last asked of

    def pieces(self) -> Iterator[Piece]:
        """The pieces of the file, one after the other."""
        for number, span in enumerate(self.spans):
            piece = self.cutter.cut(*span)
            self._counts[number] = len(piece.lines)
            yield piece

    def column(self, number: int) -> list[str]:
        """As :class:`rows.Cells` has it; there are no blanks around cells."""
        cells = list(chain.from_iterable(_cells(piece, number) for piece in self.pieces()))
        return cells if self._kept is None else [cells[row] for row in self._kept.tolist()]

    def some(self, number: int, rows: slice) -> list[str]:
        """Some cells of a column, in the time that those before them take."""
        if self._kept is not None:
            return self.column(number)[rows]
        cells = chain.from_iterable(_cells(piece, number) for piece in self.pieces())
        return list(islice(cells, rows.stop))[rows]

    def row(self, number: int) -> list[str]:
        """As :class:`rows.Cells` has it."""
        full = number if self._kept is None else int(self._kept[number])
        ends = np.cumsum(self._counts)
        place = int(np.searchsorted(ends, full, side="right"))
        if self._open[0] != place:
            self._open = place, full_rows(self.cutter.cut(*self.spans[place]), self.cutter.separator)
        cells = self._open[1][full - int(ends[place] - self._counts[place])]
        return [cells[column] for column in self._used]

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """As :class:`rows.Cells` has it."""
        self._kept = np.flatnonzero(kept) if self._kept is None else self._kept[kept]

    def last_rows(self, count: int, line: int) -> list[Row]:
        """The last rows with any content, with their lines.

        Args:
            count: how many at most.
            line: of the first row behind them all.
        """
        found: list[Row] = []
        for span in reversed(self.spans):
            lines = self.cutter.cut(*span).text.decode().split("\n")[:-1]
            rows = (
                (line - back, cells.split(self.cutter.separator)) for back, cells in enumerate(lines[::-1], 1)
            )
            found += islice(((at, row) for at, row in rows if any(row)), count - len(found))
            line -= len(lines)
            if len(found) == count:
                break
        return found[::-1]


def full_rows(piece: Piece, separator: str, most: int | None = None) -> list[list[str]]:
    """The cells of the full rows of a piece; of the first ones, where a number is given."""
    wanted = piece.lines[:most].tolist()
    lines = piece.text.decode().split("\n", wanted[-1] + 1) if wanted else []
    return [lines[line].split(separator) for line in wanted]


def _cells(piece: Piece, column: int) -> list[str]:
    return piece.texts(piece.begins[:, column], piece.ends[:, column])
