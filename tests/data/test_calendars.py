"""The rhythm of the rows, against pandas' own date ranges."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.calendars import (
    DAY,
    Frequency,
    expected_times,
    infer_frequency,
    next_times,
)
from lstm_forecast.data.offsets import parse_frequency
from lstm_forecast.errors import UsageError


def micros(index: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(index.values.astype("datetime64[us]").astype(np.int64))


@pytest.mark.parametrize(
    ("offset", "start", "words"),
    [
        ("D", "2024-01-01", "daily"),
        ("B", "2024-01-01", "daily, Mon-Fri"),
        ("W-FRI", "2024-01-05", "weekly"),
        ("h", "2024-01-01", "hourly"),
        ("30min", "2024-01-01", "every 30 minutes"),
        ("10s", "2024-01-01", "every 10 seconds"),
        ("2D", "2024-01-01", "every 2 days"),
        ("MS", "2024-01-01", "monthly"),
        ("ME", "2024-01-31", "monthly"),
        ("BME", "2024-01-31", "monthly"),
        ("QS", "2024-01-01", "quarterly"),
        ("QE", "2024-03-31", "quarterly"),
        ("YS", "1990-01-01", "yearly"),
        ("YE", "1990-12-31", "yearly"),
    ],
)
def test_a_pandas_range_is_recognised_and_continued_as_pandas_continues_it(offset, start, words):
    whole = micros(pd.date_range(start, periods=260, freq=offset))
    frequency = infer_frequency([whole[:200]])
    assert str(frequency) == words
    np.testing.assert_array_equal(next_times(frequency, int(whole[199]), 60), whole[200:])
    np.testing.assert_array_equal(expected_times(frequency, int(whole[0]), int(whole[199])), whole[:200])


def test_a_trading_week_of_sunday_to_thursday_is_found():
    days = pd.date_range("2024-01-01", periods=200, freq="D")
    times = micros(days[days.day_of_week.isin([6, 0, 1, 2, 3])])
    frequency = infer_frequency([times])
    assert frequency.weekdays == (0, 1, 2, 3, 6)
    assert frequency.trading
    assert not np.isin((next_times(frequency, int(times[-1]), 30) // DAY + 3) % 7, [4, 5]).any()


def test_holidays_do_not_hide_the_trading_week():
    times = micros(pd.bdate_range("2020-01-01", periods=600))
    kept = np.delete(times, np.arange(7, 600, 23))
    assert infer_frequency([kept]) == Frequency("time", DAY, weekdays=(0, 1, 2, 3, 4))


def test_ten_business_days_are_enough_to_see_the_weekend():
    assert str(infer_frequency([micros(pd.bdate_range("2024-01-02", periods=10))])) == "daily, Mon-Fri"


def test_daily_rows_with_single_holes_stay_daily():
    times = micros(pd.date_range("2024-01-01", periods=100, freq="D"))
    assert str(infer_frequency([np.delete(times, [10, 40, 41, 70])])) == "daily"


def test_an_exchange_session_keeps_its_hours_and_days():
    minutes = pd.date_range("2024-01-01", periods=288 * 60, freq="5min")
    clock = minutes.hour * 60 + minutes.minute
    session = ((clock >= 570) & (clock <= 690)) | ((clock >= 780) & (clock <= 900))  # 9:30-11:30, 13:00-15:00
    times = micros(minutes[session & (minutes.day_of_week < 5)])
    frequency = infer_frequency([times])
    assert frequency.trading
    assert str(frequency) == "every 5 minutes, Mon-Fri, part of the day"
    np.testing.assert_array_equal(next_times(frequency, int(times[499]), 200), times[500:700])


def test_a_regular_hourly_series_with_a_hole_stays_regular():
    times = micros(pd.date_range("2024-01-01", periods=500, freq="h"))
    frequency = infer_frequency([np.delete(times, slice(100, 130))])
    assert frequency == Frequency("time", 3_600_000_000)
    assert not frequency.trading


def test_jittered_times_are_called_irregular_with_their_median_step():
    times = micros(pd.date_range("2024-01-01", periods=300, freq="10min"))
    jitter = np.random.default_rng(0).integers(0, 60_000_000, 300)
    frequency = infer_frequency([times + jitter])
    assert not frequency.regular
    assert abs(frequency.step - 600_000_000) < 20_000_000


def test_the_15th_of_every_month_and_a_day_31_that_short_months_lack():
    fifteenth = micros(pd.date_range("2020-01-01", periods=40, freq="MS") + pd.Timedelta(days=14))
    assert infer_frequency([fifteenth[:30]]).day == 15
    np.testing.assert_array_equal(
        next_times(Frequency("month", 1, day=15), int(fifteenth[29]), 10), fifteenth[30:]
    )
    thirtieth = next_times(Frequency("month", 1, day=30), int(micros(pd.DatetimeIndex(["2024-01-30"]))[0]), 2)
    assert [str(t) for t in thirtieth.astype("datetime64[us]").astype("datetime64[D]")] == [
        "2024-02-29",
        "2024-03-30",
    ]


def test_rows_without_a_calendar_count_on():
    np.testing.assert_array_equal(next_times(Frequency("row"), 41, 3), [42, 43, 44])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("B", "daily, Mon-Fri"),
        ("D", "daily"),
        ("15min", "every 15 minutes"),
        ("MS", "monthly"),
        ("QE", "quarterly"),
        ("YS", "yearly"),
        ("W-SUN", "weekly"),
    ],
)
def test_a_named_frequency_is_read(text, words):
    assert str(parse_frequency(text)) == words


def test_an_unknown_frequency_names_the_key_and_the_choices():
    with pytest.raises(UsageError) as caught:
        parse_frequency("fortnightly")
    assert caught.value.where == "data.frequency"
    assert "30min" in caught.value.hint


@given(st.integers(1, 400), st.sampled_from(["D", "B", "h", "MS", "QE"]))
@settings(max_examples=40, deadline=None)
def test_json_round_trip_and_future_times_increase(count, alias):
    frequency = parse_frequency(alias)
    again = Frequency.from_json(json.loads(json.dumps(frequency.to_json())))
    assert again == frequency
    times = next_times(frequency, 1_700_000_000_000_000 // DAY * DAY, count)
    assert len(times) == count
    assert (np.diff(times) > 0).all()
