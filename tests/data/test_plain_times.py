"""Times from bytes have the fields that the pattern finds in each cell as a text."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from lstm_forecast.data.guess import majority_guess
from lstm_forecast.data.plain_times import shape_of
from lstm_forecast.data.spelling import compile_pattern, is_field, split_pattern
from lstm_forecast.data.words import PAD

MOMENTS = [
    datetime(1999, 12, 31, 23, 59, 58, 120_000, tzinfo=UTC),
    datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC),
]
FORMS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M", "%Y%m%d",
    "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S+05:30", "%Y-%m", "%Y%m%d%H%M%S",
)  # fmt: skip


def read(cells: list[str], pattern: str) -> dict[str, list[int]] | None:
    """The fields that bytes give, by letter; None where the cells have not one shape."""
    shape = shape_of(pattern, cells[0])
    encoded = [cell.encode() for cell in cells]
    if shape is None or {len(cell) for cell in encoded} != {len(shape.template)}:
        return None
    content = b",".join(encoded)
    room = np.zeros((len(content) + PAD) // 8 + 1, dtype=np.uint64)
    room.view(np.uint8)[: len(content)] = np.frombuffer(content, dtype=np.uint8)
    found = shape.read(room, np.arange(len(cells)) * (len(shape.template) + 1))
    return None if found is None else {name: numbers.tolist() for name, numbers in found.items()}


@pytest.mark.parametrize("form", FORMS)
def test_fields_are_those_of_the_pattern(form: str) -> None:
    cells = [moment.strftime(form) for moment in MOMENTS]
    guess = majority_guess(cells)
    assert guess is not None
    names = [part[-1] for part in split_pattern(guess.pattern) if is_field(part) and part != "%z"]
    expected = {name: [] for name in names}
    for cell in cells:
        match = compile_pattern(guess.pattern).fullmatch(cell)
        assert match is not None
        for name, text in zip(names, match.groups(), strict=False):
            expected[name].append(int(text.ljust(9, "0") if name == "f" else text))
    assert read(cells, guess.pattern) == expected


@pytest.mark.parametrize(
    "other",
    ["2024-01-1x", "2024/01/01", "2024-01-0１", "20240-1-01", "2024-01-0:", "2024-01-0/", "é024-01-1"],
)
def test_a_cell_of_another_shape_is_found(other: str) -> None:
    assert read(["2024-01-01", other, "2024-01-02"], "%Y-%-m-%-d") is None


def test_seconds_since_1970_are_one_number() -> None:
    assert read(["1700000000", "1700003600"], "") == {"E": [1_700_000_000, 1_700_003_600]}


def test_times_with_names_or_of_several_widths_have_no_one_shape() -> None:
    assert shape_of("%-d %b %Y", "01 Mar 2024") is None
    assert shape_of("%-d/%-m/%Y", "1/2/2024") is None
