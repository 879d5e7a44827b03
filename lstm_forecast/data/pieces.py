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

from lstm_forecast.data.cuts import NEWLINE, SPACE, Cuts, find_cuts
from lstm_forecast.data.words import PAD, Places, Words

_SIZE = 2**19  # bytes: a piece and what is made of it stay in the processor's cache
_LARGEST = 2**23  # bytes of a piece, where rows are long
_QUOTE = ord('"')
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
    """Some lines, and what a look at every byte of them told."""

    text: bytes
    is_ascii: bool
    words: Words
    cuts: Cuts

    @property
    def content(self) -> NDArray[np.uint8]:
        """The bytes one by one."""
        return self.words.view(np.uint8)[: len(self.text)]

    def is_newline(self, places: Places) -> NDArray[np.bool_]:
        """Whether there is a newline at each place."""
        found: NDArray[np.bool_] = self.content[places] == NEWLINE
        return found


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
        if found.cuts.begins_blank:  # csv leaves them out, too
            found = self._bytes(found.text.replace(mark + b" ", mark))
        if found.cuts.begins_blank:
            found = self._bytes(re.sub(rb"(?<![^\n" + re.escape(mark) + rb"]) +", b"", found.text))
        if b'"' in found.text:
            found = self._bytes(self._without_quotes(found))
        self._require_plain(found)
        piece = self._whole(found)
        if piece is not None:
            return piece
        if found.text is not text:  # it cannot be told any more which lines were without content
            raise NotPlain
        return self._in_part(found)

    def _bytes(self, text: bytes) -> _Bytes:
        size = len(text)
        if size + PAD > self._room.nbytes:
            self._room = np.zeros((max(size, _SIZE) + PAD) // 8 + 1, dtype=np.uint64)
        content = self._room.view(np.uint8)[:size]
        content[:] = np.frombuffer(text, dtype=np.uint8)
        return _Bytes(text, text.isascii(), self._room, find_cuts(content, ord(self.separator)))

    def _without_quotes(self, found: _Bytes) -> bytes:
        """Quotes around whole cells taken away, where nothing within makes them necessary."""
        content, edges = found.content, found.cuts.places
        quotes = np.flatnonzero(content == _QUOTE)
        if len(quotes) % 2:
            raise NotPlain
        first, last = quotes[::2], quotes[1::2]
        is_edge = np.zeros(len(content), dtype=np.bool_)
        is_edge[edges] = True
        outside = (is_edge[first - 1] | (first == 0)) & is_edge[last + 1]
        blank = (content[first + 1] == SPACE) | (content[last - 1] == SPACE)
        if (
            blank.any()
            or not (outside & (np.searchsorted(edges, first) == np.searchsorted(edges, last))).all()
        ):
            raise NotPlain
        return found.text.replace(b'"', b"")

    def _require_plain(self, found: _Bytes) -> None:
        if found.cuts.unprinted or found.cuts.ends_blank:
            raise NotPlain
        if not found.is_ascii and (
            any(blank in found.text for blank in _ODD_BLANKS) or _ODD_BLANK.search(found.text)
        ):
            raise NotPlain

    def _whole(self, found: _Bytes) -> Piece | None:
        """A piece of full rows alone, the usual case; None where there are others."""
        places, rows = found.cuts.places, found.cuts.newlines
        if rows * self._width != len(places):
            return None
        ends = places.reshape(rows, self._width)
        begins = _begins(places).reshape(rows, self._width)
        first, last = begins[:, 0], ends[:, -1]
        if not found.is_newline(last).all() or (last - first < self._width).any():
            return None
        _require_short(first, last)
        lines, odd = np.arange(rows), np.arange(0)
        return Piece(found.text, found.is_ascii, found.words, begins, ends, lines, rows, odd)

    def _in_part(self, found: _Bytes) -> Piece:
        places = found.cuts.places
        closing = np.flatnonzero(found.is_newline(places))
        last = places[closing]
        first, widths = _begins(last), np.diff(closing, prepend=-1)
        _require_short(first, last)
        is_full = (widths == self._width) & (last - first >= self._width)
        kept, shape = np.repeat(is_full, widths), (-1, self._width)
        begins, ends = _begins(places)[kept].reshape(shape), places[kept].reshape(shape)
        lines, odd = np.flatnonzero(is_full), np.flatnonzero(~is_full)
        return Piece(found.text, found.is_ascii, found.words, begins, ends, lines, len(closing), odd)


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
