"""Clocks of time zones against pandas: wall times, moments, the hours that are skipped and repeated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data import zones
from lstm_forecast.data.calendars import (
    DAY,
    Frequency,
    expected_times,
    infer_frequency,
    next_times,
    times_before,
)
from lstm_forecast.data.offsets import parse_frequency

HOUR = 3_600_000_000
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # midnight is skipped
    "Africa/Cairo",  # midnight is skipped, and 23:00 repeated
    "Africa/Casablanca",
    "Asia/Shanghai",
    "UTC",
]


def us(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Microseconds since the epoch, of moments or of wall times."""
    plain = index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
    return plain.to_numpy().astype("datetime64[us]").astype(np.int64)


def index_of(times: NDArray[np.int64], zone: str) -> pd.DatetimeIndex:
    """Moments as pandas has them in a zone."""
    return pd.DatetimeIndex(times.astype("datetime64[us]")).tz_localize("UTC").tz_convert(zone)


@pytest.mark.parametrize("zone", ZONES)
def test_wall_times_and_moments_are_those_of_pandas(zone: str) -> None:
    draw = np.random.default_rng(0)
    edges = pd.DatetimeIndex(["1975-01-01", "2045-01-01"])
    moments = draw.integers(*us(edges).tolist(), 3000) // 60_000_000 * 60_000_000
    walls = zones.wall_times(moments, zone)
    assert np.array_equal(walls, us(index_of(moments, zone).tz_localize(None)))
    anywhen = draw.integers(*us(edges).tolist(), 20_000) // 60_000_000 * 60_000_000
    for times in (walls, anywhen):
        found = zones.readings(times, zone)
        naive = pd.DatetimeIndex(times.astype("datetime64[us]"))
        first, last = np.ones(len(times), dtype=bool), np.zeros(len(times), dtype=bool)
        skipped = naive.tz_localize(zone, ambiguous=first, nonexistent="NaT").isna()
        assert np.array_equal(found.skipped, skipped)
        for ambiguous, moment in ((first, found.first), (last, found.second)):
            expected = naive.tz_localize(zone, ambiguous=ambiguous, nonexistent="shift_forward")
            assert np.array_equal(moment, us(expected))


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../etc/passwd", "Europe", "a\0b", "x" * 300])
def test_names_that_are_no_zones(name: str) -> None:
    assert not zones.is_timezone(name)


@pytest.mark.parametrize(
    ("zone", "step", "words"),
    [
        ("Europe/Berlin", "h", "hourly"),
        ("Europe/Berlin", "15min", "every 15 minutes"),
        ("Europe/Berlin", "D", "daily"),
        ("America/Santiago", "D", "daily"),
        ("Africa/Cairo", "D", "daily"),
        ("America/New_York", "W-MON", "weekly"),
        ("America/New_York", "MS", "monthly"),
        ("America/New_York", "B", "daily, Mon-Fri"),
    ],
)
def test_a_rhythm_is_seen_and_goes_on_across_the_change_of_the_clock(
    zone: str, step: str, words: str
) -> None:
    made = pd.date_range("2023-01-02", "2024-12-30", freq=step)
    if step in ("h", "15min"):
        index = made.tz_localize("UTC").tz_convert(zone)
    else:
        index = made.tz_localize(zone, nonexistent="shift_forward")
    times = us(index)
    frequency = infer_frequency([times], zone)
    assert str(frequency) == words
    assert frequency.regular
    begin = len(times) * 2 // 3
    later = next_times(frequency, int(times[begin]), len(times) - begin - 1)
    assert np.array_equal(later, times[begin + 1 :])
    whole = expected_times(frequency, int(times[0]), int(times[-1]))
    assert np.array_equal(whole, times)
    assert np.array_equal(times_before(frequency, int(times[begin]), since=int(times[0])), times[:begin])
    given = parse_frequency("B" if step == "B" else step, zone)
    assert np.array_equal(next_times(given, int(times[0]), len(times) - 1)[:5], times[1:6])


def test_a_session_keeps_its_local_hours() -> None:
    days = pd.bdate_range("2024-01-02", "2024-12-20")
    clock = pd.timedelta_range("9h30min", "15h30min", freq="30min")
    walls = pd.DatetimeIndex([day + time for day in days for time in clock])
    times = us(walls.tz_localize("America/New_York"))
    frequency = infer_frequency([times], "America/New_York")
    assert str(frequency) == "every 30 minutes, Mon-Fri, part of the day"
    for start in (0, 500, len(times) - 400):
        later = next_times(frequency, int(times[start]), 300)
        assert np.array_equal(later, times[start + 1 : start + 301])
    assert np.array_equal(expected_times(frequency, int(times[0]), int(times[-1])), times)
    assert infer_frequency([times]).clock != frequency.clock  # seen in UTC the hours move


def test_hours_around_the_clock_on_some_days_pass_the_repeated_hour_twice() -> None:
    made = pd.date_range("2024-09-01", "2024-12-15", freq="h", tz="UTC").tz_convert("Europe/Berlin")
    index = made[made.day_of_week != 2]  # no Wednesdays
    times = us(index)
    frequency = infer_frequency([times], "Europe/Berlin")
    assert frequency.weekdays == (0, 1, 3, 4, 5, 6)
    assert np.array_equal(expected_times(frequency, int(times[0]), int(times[-1])), times)
    fold = np.flatnonzero(index == pd.Timestamp("2024-10-27 00:00", tz="UTC"))[0]
    for start in range(fold - 3, fold + 4):
        assert np.array_equal(next_times(frequency, int(times[start]), 6), times[start + 1 : start + 7])


def test_six_hours_of_the_clock_and_six_hours_that_pass_are_told_apart() -> None:
    walls = pd.date_range("2024-01-01", "2024-12-01", freq="6h")
    by_clock = infer_frequency([us(walls.tz_localize("Europe/Berlin"))], "Europe/Berlin")
    passing = infer_frequency([us(walls.tz_localize("UTC"))], "Europe/Berlin")
    assert (by_clock.zone, passing.zone) == ("Europe/Berlin", "")
    assert by_clock.step == passing.step == 6 * HOUR


def test_a_daily_rhythm_counted_in_utc_stays_one() -> None:
    times = us(pd.date_range("2024-01-01", "2024-12-01", freq="D", tz="UTC"))
    assert infer_frequency([times], "Europe/Berlin") == Frequency("time", DAY)


def test_the_zone_is_kept_with_the_rhythm_and_only_where_there_is_one() -> None:
    daily = Frequency("time", DAY, zone="Europe/Berlin")
    assert Frequency.from_json(daily.to_json()) == daily
    assert "zone" not in Frequency("time", DAY).to_json()
    for damaged in ("Europe/Nowhere", 5, None, ["UTC"]):
        with pytest.raises(ValueError, match="unknown time zone"):
            Frequency.from_json({**daily.to_json(), "zone": damaged})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Africa/Cairo"]),
    st.integers(0, 800),
    st.sampled_from([15, 30, 60]),
)
def test_next_times_of_days_and_minutes_from_any_day(zone: str, day: int, minutes: int) -> None:
    begin = pd.Timestamp("2023-01-01") + pd.Timedelta(days=day)
    local = pd.date_range(begin, periods=12, freq="D").tz_localize(zone, nonexistent="shift_forward")
    later = next_times(Frequency("time", DAY, zone=zone), int(us(local)[0]), 11)
    assert np.array_equal(later, us(local)[1:])
    # The same clock, every weekday but one: a grid of minutes cut by local days.
    step = minutes * 60_000_000
    grid = pd.date_range(local[0], local[-1], freq=f"{minutes}min").tz_convert(zone)
    closed = grid[grid.day_of_week != 3]
    frequency = Frequency("time", step, weekdays=(0, 1, 2, 4, 5, 6), zone=zone)
    assert np.array_equal(next_times(frequency, int(us(closed)[0]), len(closed) - 1), us(closed)[1:])
