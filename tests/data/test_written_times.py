"""Times as text by columns against one by one, and dates after the end of each series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.data.calendars import DAY, Frequency, next_times, next_times_of
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.spelling import write_time
from lstm_forecast.data.written_times import write_times
from tests.data.test_flat import RHYTHMS

MOMENTS = st.lists(
    st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000), min_size=1, max_size=8
)  # the years 5 to 9987
PATTERNS = (
    "%Y-%m-%d",
    "%d.%m.%Y %H:%M",
    "%Y%m%dT%H%M%S%z",
    "100%% %S s",
    "%Y-%m-%d %H:%M:%S.%f",
    "%d %b %y",
    "",
)


@given(MOMENTS, st.sampled_from(PATTERNS), st.sampled_from(["", "Z", "+05:30"]), st.booleans())
def test_all_at_once_are_as_one_by_one(moments: list[int], pattern: str, zone: str, mixed: bool) -> None:
    zones = [zone if number or not mixed else "-03:00" for number in range(len(moments))]
    wanted = [write_time(moment, pattern, own) for moment, own in zip(moments, zones, strict=True)]
    assert write_times(np.array(moments), pattern, zones) == wanted


@pytest.mark.parametrize("year", ["-0001", "0000", "10000"])
def test_years_without_four_digits_are_written_one_by_one(year: str) -> None:
    moment = int(np.datetime64(f"{year}-03-04", "us").astype(np.int64))
    assert write_times(np.array([moment, 0]), "%Y-%m-%d", ["", ""])[0] == write_time(moment, "%Y-%m-%d", "")


@given(st.lists(st.sampled_from([0, 1, DAY, DAY // 2, 40 * DAY]), max_size=12))
def test_times_that_come_again_are_written_in_their_places(moments: list[int]) -> None:
    form = TimeFormat("date", "%Y-%m-%d")
    single = [form.format(np.array([moment]))[0] for moment in moments]
    assert form.format(np.array(moments, dtype=np.int64)) == single


@pytest.mark.parametrize("frequency", [*RHYTHMS, Frequency("row")], ids=str)
def test_the_next_times_of_all_series_are_those_of_each(frequency: Frequency) -> None:
    first = 19_723 * DAY + 9 * DAY // 24
    last = np.array([first, first + DAY, first, first + 3 * DAY], dtype=np.int64)
    found = next_times_of(frequency, last, 40)
    assert found.tolist() == [next_times(frequency, end, 40).tolist() for end in last.tolist()]
    assert next_times_of(frequency, last[:0], 5).shape == (0, 5)
