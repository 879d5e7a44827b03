"""The columns of a plain file, read piece by piece: numbers, times of one shape, ids."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.columns import Roles
from lstm_forecast.data.dates import given_pattern
from lstm_forecast.data.guess import SAMPLE, majority_guess
from lstm_forecast.data.header import Header
from lstm_forecast.data.pieces import Piece
from lstm_forecast.data.plain_cells import PlainCells, full_rows
from lstm_forecast.data.plain_numbers import read_numbers_at
from lstm_forecast.data.plain_texts import Vocabulary
from lstm_forecast.data.plain_times import Digits, shape_of
from lstm_forecast.data.rows import Coded, Direct
from lstm_forecast.data.spelling import Cells, Fields, ShapedCells, zone_minutes
from lstm_forecast.data.table import ReadOptions
from lstm_forecast.data.values import EXACT, GAPS, UNUSUAL, ungrouped
from lstm_forecast.data.words import Places

Floats = NDArray[np.float64]
_SURELY_EXACT = 15  # digits: they are below 2**53
_MORE_ROWS = 1.02  # than the first piece lets expect: room is made for them at once
_MORE = 1.25  # and by this factor where it runs out


class PlainColumns:
    """All columns that are used.

    Args:
        cells: of the file.
        header: its column names and first rows.
        roles: of the columns.
        options: what is said of numbers and dates.
        gaps: spellings of an empty cell.
    """

    def __init__(
        self, cells: PlainCells, header: Header, roles: Roles, options: ReadOptions, gaps: frozenset[str]
    ) -> None:
        first = cells.cutter.cut(*cells.spans[0])
        pieces = (cells.spans[-1][1] - cells.spans[0][0]) / (cells.spans[0][1] - cells.spans[0][0])
        mark = options.decimal or _likely_mark(header, roles, cells.cutter.separator)
        self._cells = cells
        self._is_mark_given = options.decimal is not None
        self._numbers = PlainNumbers(
            roles.values, mark, gaps, int(len(first.lines) * pieces * _MORE_ROWS) + 1
        )
        self._times = _times_like(full_rows(first, cells.cutter.separator, SAMPLE), roles, options)
        ids = roles.series_guesses if len(roles.target) < 2 else ()
        ids = ids if roles.series_id is None else (roles.series_id,)
        self._ids = {column: PlainIds(column) for column in (*ids, *roles.static)}

    def take(self, piece: Piece) -> Floats:
        """The cells of a piece; of these the numbers, NaN where one is a gap: [R, C]."""
        if not len(piece.lines):
            return np.empty((0, 0))
        if self._times is not None:
            self._times.take(piece)
        for ids in self._ids.values():
            ids.take(piece)
        return self._numbers.take(piece)

    def direct(self) -> Direct:
        """What was read of all pieces."""
        numbers, times = self._numbers, self._times
        codes = {column: coded for column, ids in self._ids.items() if (coded := ids.coded()) is not None}
        return Direct(
            numbers.numbers(),
            frozenset(numbers.texts_needed),
            numbers.mark,
            self._is_mark_given or numbers.is_mark_known(self._cells.cutter.separator),
            numbers.has_marks(),
            None if times is None else times.cells(self._cells),
            codes,
        )


def _likely_mark(header: Header, roles: Roles, separator: str) -> str:
    """The decimal mark that the first rows have."""
    rows = [row for row in header.sample if len(row) == len(header.names)] if separator != "," else []
    return "," if any("," in row[column] for row in rows for column in roles.values) else "."


def _times_like(rows: list[list[str]], roles: Roles, options: ReadOptions) -> PlainTimes | None:
    """The column of times, to be read as the first rows have them; None where they are no times."""
    if len(roles.time) != 1:
        return None
    cells = [row[roles.time[0]] for row in rows]
    guess = majority_guess(cells)
    pattern = given_pattern(options.date_format) if options.date_format else guess.pattern if guess else None
    first = next((cell for cell in cells if cell), "")
    return PlainTimes(roles.time[0], pattern, first) if first and pattern is not None else None


class PlainNumbers:
    """The columns of values.

    Args:
        columns: their numbers in the file: C.
        mark: the decimal mark they are read with.
        gaps: spellings of an empty cell.
        rows: how many there are likely to be.
    """

    def __init__(self, columns: tuple[int, ...], mark: str, gaps: frozenset[str], rows: int) -> None:
        self.texts_needed: set[int] = set()  # columns with a cell that is neither a plain number nor a gap
        self.mark = mark
        self._columns = columns
        self._gaps = gaps
        self._plain = ungrouped(mark)
        numbers = [self._number(gap) for gap in gaps - GAPS]
        self._numeric_gaps = np.array([number for number in numbers if number is not None])
        self._values: Floats = np.empty((rows, len(columns)))
        self._rows = 0
        self._marked = self._decided = self._has_odd_marks = False

    def take(self, piece: Piece) -> Floats:
        """The numbers of a piece, NaN where a cell is a gap: [R, C]."""
        begins = piece.begins.take(self._columns, axis=1).reshape(-1)
        sizes = piece.ends.take(self._columns, axis=1).reshape(-1)
        sizes -= begins
        found = read_numbers_at(piece.words, begins, sizes, self.mark, is_ascii=piece.is_ascii)
        self._marked |= found.marked
        self._decided |= found.decided
        is_open = found.left_open
        if len(self._numeric_gaps):
            is_open |= np.isin(found.values, self._numeric_gaps)
        if is_open.any():
            self._settle(piece, begins, sizes, np.flatnonzero(is_open), found.values)
        if int(sizes.max()) > _SURELY_EXACT:
            large = np.flatnonzero(np.abs(found.values) >= EXACT)
            self.texts_needed.update(self._columns[place % len(self._columns)] for place in large.tolist())
        start, self._rows = self._rows, self._rows + len(piece.lines)
        if self._rows > len(self._values):
            self._values.resize((int(self._rows * _MORE), len(self._columns)), refcheck=False)
        self._values[start : self._rows] = found.values.reshape(-1, len(self._columns))
        return self._values[start : self._rows]

    def numbers(self) -> Floats:
        """Of all pieces: [N, C]."""
        self._values.resize((self._rows, len(self._columns)), refcheck=False)
        return self._values

    def is_mark_known(self, separator: str) -> bool:
        """Whether no other decimal mark is possible, as :func:`values.find_decimal` would find."""
        if separator == ",":
            return True
        if self.texts_needed or not self._gaps <= GAPS:
            return False
        if self.mark == ".":
            return separator != ";" or self._decided or not self._marked
        return self._decided

    def has_marks(self) -> bool | None:
        """Whether a cell has a point or a comma; None where only a gap may be meant."""
        return True if self._marked else None if self._has_odd_marks else False

    def _settle(self, piece: Piece, begins: Places, sizes: Places, places: Places, values: Floats) -> None:
        """Cells that are no plain digits: gaps, numbers such as 1e-5, and those left to the texts."""
        values[places] = np.nan
        filled = places[sizes[places] > 0]
        texts = piece.texts(begins[filled], begins[filled] + sizes[filled])
        self._has_odd_marks = self._has_odd_marks or any("." in text or "," in text for text in texts)
        kept = [at for at, text in enumerate(texts) if text not in self._gaps]
        numbers = self._floats([texts[at] for at in kept])
        filled = filled[kept]
        is_number = ~np.isnan(numbers)
        values[filled] = np.where(is_number, numbers, math.inf)
        doubtful = filled[~(is_number & (np.abs(numbers) < EXACT))] % len(self._columns)
        self.texts_needed.update(self._columns[place] for place in set(doubtful.tolist()))

    def _floats(self, texts: list[str]) -> Floats:
        """The numbers of texts, NaN of what is none."""
        joined = "\n".join(texts)
        self._marked = self._marked or self.mark in joined
        if self.mark == "." and not UNUSUAL.search(joined):
            try:
                return np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
            except ValueError:
                pass  # such as 1-2
        numbers = (self._number(text) for text in texts)
        return np.array([math.nan if number is None else number for number in numbers])

    def _number(self, text: str) -> float | None:
        return float(text.replace(self.mark, ".")) if self._plain.fullmatch(text) else None


class PlainTimes:
    """The column of times, while all its cells have the shape of the first one."""

    def __init__(self, column: int, pattern: str, first: str) -> None:
        self._column = column
        self._shape = shape_of(pattern, first)
        self._found: list[Digits] = []

    def take(self, piece: Piece) -> None:
        """The fields of a piece."""
        if self._shape is None:
            return
        begins = piece.begins[:, self._column]
        sizes = piece.ends[:, self._column] - begins
        found = None
        if (sizes == len(self._shape.template)).all():
            found = self._shape.read(piece.words, begins)
        if found is None:
            self._shape = None
        else:
            self._found.append(found)

    def cells(self, cells: PlainCells) -> ShapedCells | None:
        """The cells; None where they differ in shape."""
        if self._shape is None or not self._found:
            return None
        fields: Fields = {
            name: np.concatenate([found[name] for found in self._found]) for name in self._found[0]
        }
        count = len(next(iter(fields.values())))
        zones: tuple[str, ...] = ()
        if self._shape.zone:
            fields["z"] = np.full(count, zone_minutes(self._shape.zone), dtype=np.int64)
            zones = (self._shape.zone,)
        read = Cells(fields, np.ones(count, dtype=np.bool_), zones, padded=True)
        return ShapedCells(read, self._shape.pattern, partial(cells.some, self._column))


class PlainIds:
    """A column of ids or of static values, while none of them is very long."""

    def __init__(self, column: int) -> None:
        self._column = column
        self._vocabulary: Vocabulary | None = Vocabulary()
        self._found: list[NDArray[np.int32]] = []

    def take(self, piece: Piece) -> None:
        """The texts of a piece."""
        if self._vocabulary is None:
            return
        begins, ends = piece.begins[:, self._column], piece.ends[:, self._column]
        found = self._vocabulary.codes_of(piece.text, piece.words, begins, ends)
        if found is None:
            self._vocabulary = None
        else:
            self._found.append(found.astype(np.int32))

    def coded(self) -> Coded | None:
        """A number for each row, and the texts."""
        if self._vocabulary is None or not self._found:
            return None
        return np.concatenate(self._found, dtype=np.int64), self._vocabulary.texts()
