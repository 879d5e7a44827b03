"""Number cells: Python's own float and hand-made tables are the judges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.data.values import GAPS, find_decimal, is_number_like, read_numbers
from lstm_forecast.errors import DataInvalid


@pytest.mark.parametrize("cell", ["1", "-1", "+1", ".5", "5.", "1.5e-3", "1E5", "-0", "007", "1e-400", " 7 "])
def test_plain_numbers_are_read_as_python_reads_them(cell: str) -> None:
    assert read_numbers([cell]).values.tolist() == [float(cell)]
    assert read_numbers([cell, "NA"]).values[0] == float(cell)


@pytest.mark.parametrize(
    ("cells", "decimal", "expected", "mark"),
    [
        (["1,234,567.5", "999"], ".", [1234567.5, 999.0], ","),
        (["1.234.567,5", "999,25"], ",", [1234567.5, 999.25], "."),
        (["1 234 567,5", "12"], ",", [1234567.5, 12.0], " "),
        (["1\u202f234", "12"], ".", [1234.0, 12.0], "\u202f"),
        (["1'234.5", "12.5"], ".", [1234.5, 12.5], "'"),
        (["1,5", "-2,25e1"], ",", [1.5, -22.5], None),
    ],
)
def test_national_spellings_are_read(
    cells: list[str], decimal: str, expected: list[float], mark: str | None
) -> None:
    column = read_numbers(cells, decimal=decimal)
    assert (column.values.tolist(), column.thousands, column.bad) == (expected, mark, ())


@pytest.mark.parametrize(
    "cell", ["1,23", "1,2345", ",123", "1,,234", "1,234,56", "0,123", "1e5,000", "--5", "e5", "1e"]
)
def test_badly_grouped_or_broken_cells_are_bad(cell: str) -> None:
    column = read_numbers(["1", cell])
    assert [bad.text for bad in column.bad] == [cell]
    assert np.isnan(column.values[1])


@pytest.mark.parametrize(
    ("columns", "separator", "expected"),
    [
        ([["1.5", "2"]], ",", "."),
        ([["1", "2"]], ";", "."),
        ([["1,5", "2"]], ";", ","),
        ([["1,500"], ["1,5"]], ";", ","),
        ([["1.500"], ["0,5"]], ";", ","),
        ([["1.500"], ["1.5"]], ";", "."),
        ([["1.500"], ["0.500"]], ";", "."),
        ([["1,234,567"]], ";", "."),
        ([["1.234.567"]], ";", ","),
        ([["1,234"]], ",", "."),
        ([["1,23"]], ",", ","),
        ([["1 234,5"]], ";", ","),
    ],
)
def test_the_decimal_mark_is_found(columns: list[list[str]], separator: str, expected: str) -> None:
    assert find_decimal(columns, separator, where="x.csv") == expected


@pytest.mark.parametrize("cell", ["1,234", "1.234", "12,345"])
def test_a_mark_that_could_be_either_is_refused_between_semicolons(cell: str) -> None:
    with pytest.raises(DataInvalid, match="can be read as") as caught:
        find_decimal([[cell]], ";", where="x.csv")
    assert caught.value.id == "data.decimal"


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_what_python_writes_is_read_bit_for_bit(numbers: list[float]) -> None:
    assert read_numbers([repr(number) for number in numbers]).values.tolist() == numbers


@given(st.lists(st.text("0123456789.,+-eE_ x%()$'∞٣NaNif", max_size=8), min_size=1, max_size=6))
def test_no_text_becomes_a_number_that_python_would_not_read(cells: list[str]) -> None:
    column = read_numbers(cells, thousands=None)
    bad = {cell.row for cell in column.bad}
    for row, cell in enumerate(cells):
        text = cell.strip()
        if row in bad or text in GAPS:
            assert np.isnan(column.values[row])
        else:
            bare = text.replace(column.thousands, "") if column.thousands else text
            assert bare.isascii()
            assert "_" not in bare
            assert column.values[row] == float(bare)
            assert np.isfinite(column.values[row])


def test_number_like_is_wider_than_one_convention_and_no_wider() -> None:
    for cell in ("1", "1.5", "1,5", "1.234,5", "1,234.5", "1 234", "-.5", "1e5", "inf"):
        assert is_number_like(cell)
    for cell in ("", "$5", "5%", "abc", "1-2", "2024-03-01", "0x10", "1_000", "٣", "NaN"):
        assert not is_number_like(cell)
