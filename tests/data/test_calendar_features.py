"""What dates tell, against the standard library's calendar."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.data.calendar_features import Feature, calendar_names, calendar_values

NONE = np.empty(0, dtype=np.int64)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - local clock time


def micros(moment: datetime) -> int:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


@given(moments=st.lists(MOMENTS, min_size=1, max_size=5))
def test_features_are_those_of_the_date(moments: list[datetime]) -> None:
    times = np.array([micros(moment) for moment in moments], dtype=np.int64)
    found = calendar_values(times, ("dayofweek", "month", "hour"), NONE)
    assert found.shape == (len(moments), 6)
    for moment, row in zip(moments, found, strict=True):
        clock = moment.hour + moment.minute / 60 + (moment.second + moment.microsecond / 1e6) / 3600
        shares = (moment.weekday() / 7, (moment.month - 1) / 12, clock / 24)
        expected = [f(2 * math.pi * share) for share in shares for f in (math.sin, math.cos)]
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_a_holiday_lasts_its_day() -> None:
    times = np.array([[micros(datetime(2024, 12, d, hour)) for hour in (0, 23)] for d in (24, 25, 26)])  # noqa: DTZ001
    christmas = np.array([micros(datetime(2024, 12, 25)) // 86_400_000_000])  # noqa: DTZ001
    found = calendar_values(times, ("holiday",), christmas)
    assert found[:, :, 0].tolist() == [[0, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ((), ()),
        (("holiday",), ("holiday",)),
        (("month", "holiday"), ("month sin", "month cos", "holiday")),
    ],
)
def test_names_go_with_the_columns(features: tuple[Feature, ...], names: tuple[str, ...]) -> None:
    assert calendar_names(features) == names
    assert calendar_values(np.zeros((2, 3), dtype=np.int64), features, NONE).shape == (2, 3, len(names))
