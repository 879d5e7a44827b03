"""What a series is, not when: one value per series and static column, as the network is given it.

A column whose cells are all numbers is a number, scaled over the series that train. Any other is a category:
a code from 1 on in the order of first appearance, and 0 for a category that training has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.values import read_numbers
from lstm_forecast.errors import DataInvalid

if TYPE_CHECKING:
    from lstm_forecast.data.account import Story

Floats = NDArray[np.float64]
Cells = Sequence[Sequence[str]]  # [S][K], of S series and K static columns
MOST_CATEGORIES = 100_000


@dataclass(frozen=True)
class StaticColumn:
    """How the cells of one static column become numbers.

    Attributes:
        name: the user's.
        vocabulary: the categories of the series that train; empty for a column of numbers.
        offset: number that becomes 0.
        unit: spread that becomes 1.
    """

    name: str
    vocabulary: tuple[str, ...] = ()
    offset: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Statics:
    """Static columns, and what each of S series has in them.

    Attributes:
        columns: K of them.
        codes: scaled numbers, and codes of categories, [S, K].
    """

    columns: tuple[StaticColumn, ...]
    codes: Floats

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each column its number of categories, 0 for numbers: [K]."""
        return tuple(len(column.vocabulary) for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for ``preprocess.json``."""
        columns = [{**vars(column), "vocabulary": list(column.vocabulary)} for column in self.columns]
        return {"columns": columns, "codes": self.codes.tolist()}

    @classmethod
    def from_json(cls, fields: dict[str, Any], *, series: int) -> Statics:
        """The inverse of :meth:`to_json`, exact.

        Raises:
            ValueError: it makes no sense for so many series.
        """
        columns = tuple(
            StaticColumn(
                str(c["name"]), tuple(map(str, c["vocabulary"])), float(c["offset"]), float(c["unit"])
            )
            for c in fields["columns"]
        )
        codes = np.array(fields["codes"], dtype=np.float64)
        spread = np.array([(c.offset, c.unit) for c in columns])
        if codes.shape != (series, len(columns)) or not columns or not np.isfinite(codes).all():
            raise ValueError(f"statics: not {series} x {len(columns)} finite numbers")
        if not np.isfinite(spread).all() or not (spread[:, 1] > 0).all():
            raise ValueError("statics: an offset or a unit makes no sense")
        for column, numbers in zip(columns, codes.T, strict=True):
            size = len(column.vocabulary)
            if size != len(set(column.vocabulary)) or size > MOST_CATEGORIES:
                raise ValueError(f"statics: the categories of {column.name!r} make no sense")
            if size and not (np.isin(numbers, np.arange(size + 1))).all():
                raise ValueError(f"statics: a code of {column.name!r} is none of {size} categories")
        return cls(columns, codes)


def static_cells(
    story: Story, ids: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], dict[int, DataInvalid]]:
    """The cell of every series in every static column of a file, and the series that have none or several.

    Empty cells are filled from the series' other rows.

    Returns:
        Cells [S][K], () where there are no static columns; by series the first fault, in the order found.
    """
    columns = story.roles.static
    if not columns:
        return (), {}
    found: list[list[str]] = []
    faults: dict[int, DataInvalid] = {}
    for column in columns:
        codes, texts = story.body.coded(column)
        filled = np.flatnonzero(codes != (texts.index("") if "" in texts else -1))
        series, own = story.members.codes[filled], codes[filled]
        first = np.full(len(ids), -1)
        first[series[::-1]] = own[::-1]  # of several rows of a series the last one written stays
        for at in np.flatnonzero(own != first[series]).tolist():
            if (number := int(series[at])) not in faults:
                cell, before = texts[own[at]], texts[first[number]]
                faults[number] = _not_constant(story, column, filled[at], ids[number], cell, before)
        for number in np.flatnonzero(first < 0).tolist():
            if number not in faults:
                faults[number] = _empty(story, column, ids[number])
        found.append([texts[code] if code >= 0 else "" for code in first.tolist()])
    return tuple(zip(*found, strict=True)), faults


def _empty(story: Story, column: int, series: str) -> DataInvalid:
    return DataInvalid(
        "data.static",
        f"static column {story.header.names[column]!r}: series {series!r} has no cell in it",
        where=story.text.name,
        hint="fill one cell of each series, or remove the column from data.static_covariates",
    )


def _not_constant(story: Story, column: int, row: int, series: str, cell: str, expected: str) -> DataInvalid:
    name = story.header.names[column]
    return DataInvalid(
        "data.static",
        f"static column {name!r}: series {series!r} has {cell[:60]!r} here and {expected[:60]!r} before",
        where=f"{story.text.name}:{story.body.lines[row]}",
        hint="correct the cell; a column that changes with time is a past or a future covariate",
    )


def fit_statics(names: Sequence[str], cells: Cells, trained: NDArray[np.bool_], *, decimal: str) -> Statics:
    """The columns as the series that train have them, and every series in their codes.

    Args:
        names: K.
        cells: [S][K].
        trained: which series train, bool [S].
        decimal: the decimal mark of numbers.
    """
    columns = []
    for k, name in enumerate(names):
        own = [row[k] for row, used in zip(cells, trained.tolist(), strict=True) if used]
        numbers = _numbers([row[k] for row in cells], decimal)
        if numbers is None:
            columns.append(StaticColumn(name, tuple(dict.fromkeys(own))))
            continue
        known = numbers[trained] if trained.any() else numbers
        spread = float(known.std())
        columns.append(StaticColumn(name, (), float(known.mean()), spread if spread > 0 else 1.0))
    return Statics(tuple(columns), encoded(columns, cells, decimal=decimal))


def encoded(columns: Sequence[StaticColumn], cells: Cells, *, decimal: str) -> Floats:
    """What the series with these cells [S][K] have in the columns: [S, K].

    Raises:
        ValueError: a cell of a column of numbers is none; the message names it.
    """
    codes = np.zeros((len(cells), len(columns)))
    for k, column in enumerate(columns):
        own = [row[k] for row in cells]
        if column.vocabulary:
            known = {word: code for code, word in enumerate(column.vocabulary, start=1)}
            codes[:, k] = [known.get(cell, 0) for cell in own]
            continue
        numbers = _numbers(own, decimal)
        if numbers is None:
            raise ValueError(f"static column {column.name!r} holds numbers in the run, and here a text")
        codes[:, k] = (numbers - column.offset) / column.unit
    return codes


def _numbers(cells: Sequence[str], decimal: str) -> Floats | None:
    """The cells as numbers; None where one of them is none."""
    found = read_numbers(cells, decimal=decimal)
    return None if found.bad or np.isnan(found.values).any() else found.values
