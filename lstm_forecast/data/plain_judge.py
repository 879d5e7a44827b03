"""Which rows of a plain file are kept: by the rules of :func:`rows.collect`, asked where they may apply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.header import Header
from lstm_forecast.data.pieces import NotPlain, Piece
from lstm_forecast.data.rows import is_suspended, traded_columns
from lstm_forecast.data.words import Places

_MOST_ODD = 10_000  # rows of another width; a file with more of them is not plain


class Judge:
    """What was found in the pieces of a file so far.

    Attributes:
        odd: rows of another width, or like the header, by line.
        empty: number of rows without any content.
        suspended: number of rows without trade.
        line: the next one.
        count: number of full rows.
    """

    def __init__(self, header: Header, roles: Roles, gaps: frozenset[str], separator: str) -> None:
        self.odd: dict[int, list[str]] = {}
        self.empty = self.suspended = self.count = 0
        self.line = header.body_line
        self._first_line = header.body_line
        self._lines: list[Places] = []
        self._dropped: list[int] = []
        self._names = header.names
        self._header = _line_of(header.names, separator)
        self._separator = separator
        self._gaps = gaps
        self._traded = traded_columns(roles)
        # Where the traded columns stand among those of values; others have to be looked at as texts.
        self._values = [roles.values.index(c) for c in self._traded if c in roles.values]
        self._others = [c for c in self._traded if c not in roles.values]
        self._digits_are_no_gaps = not any(gap[:1].isdigit() for gap in gaps)

    def take(self, piece: Piece, values: NDArray[np.float64]) -> None:
        """Judges the rows of a piece.

        Args:
            piece: of the file.
            values: what its columns of values hold, NaN for gaps: [R, C].

        Raises:
            NotPlain: too many rows are of another width.
        """
        if len(piece.odd):
            self._take_odd(piece)
        if len(piece.lines):
            again = self._repeated(piece)
            suspended = self._without_trade(piece, values) if np.isnan(values[:, 0]).any() else []
            self.suspended += len(suspended)
            self._dropped += [self.count + row for row in (*again, *suspended)]
        if len(self.odd) > _MOST_ODD:
            raise NotPlain
        if len(piece.odd) or self._lines:
            if not self._lines:
                self._lines.append(np.arange(self._first_line, self.line))
            self._lines.append(self.line + piece.lines)
        self.line += piece.count
        self.count += len(piece.lines)

    def lines(self) -> NDArray[np.int64]:
        """The line of every full row."""
        return np.concatenate(self._lines) if self._lines else np.arange(self._first_line, self.line)

    def kept(self) -> NDArray[np.bool_] | None:
        """Which full rows are kept; None: all."""
        if not self._dropped:
            return None
        kept = np.ones(self.count, dtype=np.bool_)
        kept[self._dropped] = False
        return kept

    def _take_odd(self, piece: Piece) -> None:
        lines = piece.text.decode().split("\n")
        for number in piece.odd.tolist():
            row = lines[number].split(self._separator) if lines[number] else []
            if not any(row):
                self.empty += bool(row)
            elif len(row) > 1 or row[0].strip():
                self.odd[self.line + number] = row

    def _repeated(self, piece: Piece) -> list[int]:
        """Rows that are like the header; they count among those of another width."""
        found: list[int] = []
        sizes = piece.ends[:, 0] - piece.begins[:, 0]
        if self._header is None or not (sizes == len(self._names[0].encode())).any():
            return found
        at = 0 if piece.text.startswith(self._header[1:]) else piece.text.find(self._header) + 1 or -1
        while at >= 0:
            row = int(np.searchsorted(piece.begins[:, 0], at))
            found.append(row)
            self.odd[self.line + int(piece.lines[row])] = list(self._names)
            at = piece.text.find(self._header, at) + 1 or -1
        self.odd = dict(sorted(self.odd.items())) if found else self.odd
        return found

    def _without_trade(self, piece: Piece, values: NDArray[np.float64]) -> list[int]:
        """Rows of which every value is a gap, and one of them says that there was no trade."""
        is_gap = np.isnan(values[:, 0]) & np.isnan(values[:, self._values]).all(axis=1)
        rows = np.flatnonzero(is_gap)
        content = piece.words.view(np.uint8)
        for column in self._others if self._digits_are_no_gaps else []:
            first = content[piece.begins[rows, column]]
            rows = rows[(first < ord("0")) | (first > ord("9"))]
        cells = np.ix_(rows, np.array(self._traded, dtype=np.int64))
        rows = rows[(piece.ends[cells] > piece.begins[cells]).any(axis=1)]
        found = []
        for row in rows.tolist():
            texts = piece.texts(piece.begins[row], piece.ends[row])
            if is_suspended([texts[column] for column in self._traded], self._gaps):
                found.append(row)
        return found


def _line_of(names: tuple[str, ...], separator: str) -> bytes | None:
    """How a plain row of these cells is written, between line ends; None where it would not be plain."""
    line = separator.join(names)
    odd = '"' in line or "\n" in line or line.count(separator) >= len(names) or not any(names)
    return None if odd else f"\n{line}\n".encode()
