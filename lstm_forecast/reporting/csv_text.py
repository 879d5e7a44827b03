"""CSV text from columns: what ``csv.writer`` gives row by row, with every text that comes again made once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_SAMPLE = 2_000  # numbers that show whether a column has the same ones again and again


def csv_lines(columns: Sequence[Iterable[str]]) -> str:
    """The lines of columns of cells, which are as they are written: see :func:`quoted`, :func:`digits`."""
    lines = "\n".join(map(",".join, zip(*columns, strict=True)))
    return lines + "\n" if lines else ""


def quoted(texts: Sequence[str]) -> list[str]:
    """Texts as cells, in quotes where they need them."""
    cells = {text: _cell(text) for text in dict.fromkeys(texts)}
    return [cells[text] for text in texts]


def digits(values: NDArray[np.float64]) -> list[str]:
    """Numbers as cells, one behind the other: as many digits as tell them apart; nothing for NaN."""
    bits = np.ascontiguousarray(values).reshape(-1).view(np.int64)  # 0.0 and -0.0 are two texts
    some = bits[:_SAMPLE]
    if 2 * len(np.unique(some)) > len(some):
        return _digits(bits)
    different, place = np.unique(bits, return_inverse=True)
    texts = _digits(different)
    return [texts[number] for number in place.tolist()]


def _digits(bits: NDArray[np.int64]) -> list[str]:
    return [repr(value) if value == value else "" for value in bits.view(np.float64).tolist()]


def _cell(text: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([text, ""])  # alone, an empty cell would be in quotes
    return line.getvalue()[: -len(",\n")]
