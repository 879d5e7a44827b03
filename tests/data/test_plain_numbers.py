"""Numbers from bytes are those of ``float``, bit for bit, or are left to it."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_forecast.data.plain_numbers import Numbers, read_numbers_at
from lstm_forecast.data.words import PAD

PLAIN = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)
QUIET = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.usefixtures("cells_by")  # each test for our compiled functions, and for numpy

digits = st.text("0123456789", min_size=1, max_size=21)
cells = st.one_of(
    st.builds(lambda sign, one, mark, two: sign + one + mark + two, st.sampled_from(["", "-"]), digits,
              st.sampled_from(["", "."]), st.one_of(st.just(""), digits)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e4, 1e4).map(lambda x: f"{x:.3f}"),
    st.text("0123456789.-+eE/:, é中", max_size=24),
)  # fmt: skip


def read(texts: list[str], mark: str = ".") -> Numbers:
    """What the cells say, one behind the other."""
    encoded = [text.encode() for text in texts]
    sizes = np.array([len(text) for text in encoded], dtype=np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes + 1)[:-1]]).astype(np.int64)
    content = b"\n".join(encoded)
    room = np.zeros((len(content) + PAD) // 8 + 1, dtype=np.uint64)
    room.view(np.uint8)[: len(content)] = np.frombuffer(content, dtype=np.uint8)
    return read_numbers_at(room, begins, sizes, mark, is_ascii=content.isascii())


def bits(value: float) -> bytes:
    return struct.pack("d", value)


@QUIET
@given(st.lists(cells, min_size=1, max_size=40))
@example(["", ".", "-", "-.", "1.", ".5", "-0", "1.2.3", "--1", "1-2", "+1", "1/2", "9007199254740993"])
@example(["0.30000000000000004", "4769.830078125", "-1234567.1234567", "12345678901234567.89"])
def test_a_number_is_that_of_float_or_left_open(texts: list[str]) -> None:
    found = read(texts)
    for text, value, is_open in zip(texts, found.values.tolist(), found.left_open.tolist(), strict=True):
        if not is_open:
            assert PLAIN.fullmatch(text)
            assert bits(value) == bits(float(text))


@QUIET
@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: f"{x:.4f}"), min_size=1, max_size=40))
def test_what_is_written_with_up_to_14_digits_is_never_left_open(texts: list[str]) -> None:
    assert not read(texts).left_open.any()


def test_almost_no_number_of_17_digits_is_left_open() -> None:
    values = np.random.default_rng(0).uniform(-1000, 1000, 2000)
    found = read([repr(value) for value in values.tolist()])
    assert found.values[~found.left_open].tobytes() == values[~found.left_open].tobytes()
    assert found.left_open.sum() < 5


def test_a_comma_is_a_decimal_mark_where_it_is_said_to_be_one() -> None:
    found = read(["1,5", "-0,25", "1.5", "1234,56789", "7"], mark=",")
    assert found.left_open.tolist() == [False, False, True, False, False]
    assert found.values[[0, 1, 3, 4]].tolist() == [1.5, -0.25, 1234.56789, 7.0]


@pytest.mark.parametrize(
    ("texts", "marked", "decided"),
    [
        (["1", "23"], False, False),
        (["1.500", "23"], True, False),
        (["1.500", "23.5"], True, True),
        (["12345.678"], True, False),
        (["12345.6789"], True, True),
        (["1234567890123.125"], True, False),
        (["1e5.2", "x.y"], False, False),
    ],
)
def test_what_the_marks_tell(texts: list[str], marked: bool, decided: bool) -> None:
    found = read(texts)
    assert (found.marked, found.decided) == (marked, decided)
