"""CSV by columns against ``csv.writer`` row by row."""

from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.reporting.csv_text import csv_lines, digits, quoted

ODD = ["", "a,b", 'say "x"', "two\nlines", "a\rb", " ", "é"]
TEXTS = st.one_of(st.text(max_size=6), st.sampled_from(ODD))
NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e-300, 1e22, float("nan"), 0.1]))


@given(st.lists(st.tuples(TEXTS, TEXTS, NUMBERS), max_size=12))
def test_lines_are_those_of_the_csv_module(rows: list[tuple[str, str, float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([one, other, "" if np.isnan(number) else repr(number)] for one, other, number in rows)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    numbers = np.array(columns[2], dtype=np.float64)
    assert csv_lines([quoted(columns[0]), quoted(columns[1]), digits(numbers)]) == text.getvalue()


def test_numbers_that_come_again_are_written_as_they_are() -> None:
    draw = np.random.default_rng(0)
    values = draw.choice([0.0, -0.0, 0.1, 1e300, np.nan, -2.5], size=(100, 3))
    assert digits(values) == ["" if np.isnan(v) else repr(v) for v in values.reshape(-1).tolist()]
