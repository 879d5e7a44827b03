"""The bytes of a plainly written file, in pieces of whole rows: where each cell begins and ends.

Plainly written: UTF-8, quotes only around whole cells that need none, no blanks at the end of cells, no
characters that are not printed. All of it is checked here; what is not plain is left to the reader that goes
row by row (:mod:`rows`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.words import PAD, Places, Words

Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
_SIZE = 2**19  # bytes: a piece and what is made of it stay in the processor's cache
_LARGEST = 2**23  # bytes of a piece, where rows are long
_NEWLINE, _SPACE, _QUOTE = ord("\n"), ord(" "), ord('"')
_ODD_BLANKS = (b"\xc2\x85", b"\xc2\xa0", b"\xe1\x9a\x80", b"\xe2\x81\x9f", b"\xe3\x80\x80")
_ODD_BLANK = re.compile(rb"\xe2\x80[\x80-\x8a\xa8\xa9\xaf]")


class NotPlain(Exception):
    """The file has to be read row by row."""


@dataclass(frozen=True)
class Piece:
    """Some lines of a file.

    Attributes:
        text: their bytes, each line closed by a newline; without quotes, and without blanks before cells.
        is_ascii: whether characters and bytes are the same.
        words: the same, with what :data:`PAD` asks for behind them.
        begins: [R, W] where each cell of each full row begins.
        ends: [R, W] where it ends.
        lines: [R] the number, from 0, of each full row among the lines.
        count: number of lines.
        odd: the numbers of the other lines: of another width, or without any content.
    """

    text: bytes
    is_ascii: bool
    words: Words
    begins: Places
    ends: Places
    lines: Places
    count: int
    odd: Places

    def texts(self, begins: Places, ends: Places) -> list[str]:
        """The texts between two places each."""
        spans = zip(begins.tolist(), ends.tolist(), strict=True)
        if self.is_ascii and len(begins) > 1000:  # so that it pays to make one text of all
            text = self.text.decode()
            return [text[begin:end] for begin, end in spans]
        return [self.text[begin:end].decode() for begin, end in spans]


@dataclass(frozen=True)
class _Bytes:
    """Some lines, and what each byte is."""

    text: bytes
    is_ascii: bool
    words: Words
    is_newline: Bools
    is_edge: Bools  # a newline or a separator
    is_space: Bools | None  # None: there are none


class Cutter:
    """What is cut, and how.

    Args:
        data: the bytes of a file in UTF-8.
        separator: between cells.
        width: of its rows.
    """

    def __init__(self, data: bytes, separator: str, width: int) -> None:
        self.separator = separator
        self._data = data
        self._width = width
        self._room = np.zeros(0, dtype=np.uint64)
        self._marks = np.zeros((3, 0), dtype=np.bool_)

    def spans(self, begin: int) -> Iterator[tuple[int, int]]:
        """Begin and end of pieces of whole lines.

        Raises:
            NotPlain: a piece would be too large.
        """
        data = self._data
        while begin < len(data):
            wanted = begin + _SIZE
            end = data.rfind(b"\n", begin, wanted) + 1 or data.find(b"\n", wanted) + 1
            if wanted >= len(data) or not end:
                end = len(data)
            if end - begin > _LARGEST:
                raise NotPlain
            yield begin, end
            begin = end

    def cut(self, begin: int, end: int) -> Piece:
        """The piece between two places. Its words are those of the next one as soon as that is cut.

        Raises:
            NotPlain: something in it is not.
        """
        text = _with_newlines(self._data[begin:end])
        found = self._bytes(text)
        mark = self.separator.encode()
        if _begins_with_blanks(found):  # csv leaves them out, too
            found = self._bytes(found.text.replace(mark + b" ", mark))
        if _begins_with_blanks(found):
            found = self._bytes(re.sub(rb"(?<![^\n" + re.escape(mark) + rb"]) +", b"", found.text))
        if b'"' in found.text:
            found = self._bytes(self._without_quotes(found))
        rows = self._require_plain(found)
        cuts = np.flatnonzero(found.is_edge)
        piece = self._whole(found, cuts, rows)
        if piece is not None:
            return piece
        if found.text is not text:  # it cannot be told any more which lines were without content
            raise NotPlain
        return self._in_part(found, cuts)

    def _bytes(self, text: bytes) -> _Bytes:
        size = len(text)
        if size > self._marks.shape[1]:
            size_with_room = max(size, _SIZE)
            self._room = np.zeros((size_with_room + PAD) // 8 + 1, dtype=np.uint64)
            self._marks = np.empty((3, size_with_room), dtype=np.bool_)
        content = self._room.view(np.uint8)[:size]
        content[:] = np.frombuffer(text, dtype=np.uint8)
        newlines, edges, spaces = self._marks[:, :size]
        np.equal(content, _NEWLINE, out=newlines)
        np.equal(content, ord(self.separator), out=edges)
        edges |= newlines
        is_spaced = b" " in text
        if is_spaced:
            np.equal(content, _SPACE, out=spaces)
        return _Bytes(text, text.isascii(), self._room, newlines, edges, spaces if is_spaced else None)

    def _without_quotes(self, found: _Bytes) -> bytes:
        """Quotes around whole cells taken away, where nothing within makes them necessary."""
        content = np.frombuffer(found.text, dtype=np.uint8)
        quotes = np.flatnonzero(content == _QUOTE)
        if len(quotes) % 2:
            raise NotPlain
        first, last = quotes[::2], quotes[1::2]
        outside = (found.is_edge[first - 1] | (first == 0)) & found.is_edge[last + 1]
        blank = (content[first + 1] == _SPACE) | (content[last - 1] == _SPACE)
        edges = np.flatnonzero(found.is_edge)
        if (
            blank.any()
            or not (outside & (np.searchsorted(edges, first) == np.searchsorted(edges, last))).all()
        ):
            raise NotPlain
        return found.text.replace(b'"', b"")

    def _require_plain(self, found: _Bytes) -> int:
        """The number of lines."""
        content = found.words.view(np.uint8)[: len(found.text)]
        rows = int(np.count_nonzero(found.is_newline))
        unprinted = np.count_nonzero(found.is_edge) if ord(self.separator) < _SPACE else rows
        if np.count_nonzero(content < _SPACE) != unprinted:
            raise NotPlain
        if found.is_space is not None and (found.is_space[:-1] & found.is_edge[1:]).any():
            raise NotPlain
        if not found.is_ascii and (
            any(blank in found.text for blank in _ODD_BLANKS) or _ODD_BLANK.search(found.text)
        ):
            raise NotPlain
        return rows

    def _whole(self, found: _Bytes, cuts: Places, rows: int) -> Piece | None:
        """A piece of full rows alone, the usual case; None where there are others."""
        if rows * self._width != len(cuts):
            return None
        ends = cuts.reshape(rows, self._width)
        begins = _begins(cuts).reshape(rows, self._width)
        first, last = begins[:, 0], ends[:, -1]
        if not found.is_newline[last].all() or (last - first < self._width).any():
            return None
        _require_short(first, last)
        lines, odd = np.arange(rows), np.arange(0)
        return Piece(found.text, found.is_ascii, found.words, begins, ends, lines, rows, odd)

    def _in_part(self, found: _Bytes, cuts: Places) -> Piece:
        closing = np.flatnonzero(found.is_newline[cuts])
        last = cuts[closing]
        first, widths = _begins(last), np.diff(closing, prepend=-1)
        _require_short(first, last)
        is_full = (widths == self._width) & (last - first >= self._width)
        kept, shape = np.repeat(is_full, widths), (-1, self._width)
        begins, ends = _begins(cuts)[kept].reshape(shape), cuts[kept].reshape(shape)
        lines, odd = np.flatnonzero(is_full), np.flatnonzero(~is_full)
        return Piece(found.text, found.is_ascii, found.words, begins, ends, lines, len(closing), odd)


def _begins_with_blanks(found: _Bytes) -> bool:
    """Whether some cell does."""
    spaces = found.is_space
    return spaces is not None and bool(spaces[0] or (spaces[1:] & found.is_edge[:-1]).any())


def _with_newlines(text: bytes) -> bytes:
    """Every line closed by a newline, whatever closes it in the file."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text if text.endswith(b"\n") else text + b"\n"


def _begins(ends: Places) -> Places:
    """Where cells or lines begin that end at these places."""
    begins = np.empty_like(ends)
    begins[:1] = 0
    np.add(ends[:-1], 1, out=begins[1:])
    return begins


def _require_short(first: Places, last: Places) -> None:
    """Nothing, where ``csv`` would read every cell."""
    if int((last - first).max()) > csv.field_size_limit():
        raise NotPlain
