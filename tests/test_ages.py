"""How old an input or a run may be, to the second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lstm_forecast.ages import require_fresh_input, require_fresh_run, span
from lstm_forecast.data.dates import ROW_NUMBERS, TimeFormat
from lstm_forecast.errors import ArtifactRejected, DataInvalid, RunMissing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATES = TimeFormat("date", "%Y-%m-%d")
ZONED = TimeFormat("iso", "%Y-%m-%dT%H:%M:%S", "+01:00")
EPOCHS = TimeFormat("epoch_s")


@pytest.fixture(params=["UTC", "Asia/Shanghai", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of the machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def micros(text: str) -> int:
    """A time as the reader has it: microseconds, as if it were UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def asked(newest: str, form: TimeFormat, most: timedelta, now: datetime = NOW) -> None:
    """Whether this newest row passes."""
    most_s = most.total_seconds()
    require_fresh_input(
        micros(newest), form, most_s=most_s, now=now, where="a.csv", remedy="--max-input-age 9d"
    )


def test_a_limit_is_kept_to_the_second_where_the_cells_carry_a_zone(zone: str) -> None:
    for form in (ZONED, EPOCHS):
        asked("2026-02-26T12:00:00", form, timedelta(days=3))
        with pytest.raises(DataInvalid):
            asked("2026-02-26T11:59:59", form, timedelta(days=3))


def test_times_without_a_zone_are_the_machines_own(zone: str) -> None:
    offset = {"UTC": 0, "Asia/Shanghai": 8, "America/New_York": -5}[zone]
    newest = datetime(2026, 2, 26, 12, tzinfo=UTC).replace(tzinfo=None) + timedelta(hours=offset)
    asked(newest.isoformat(), DATES, timedelta(days=3))
    with pytest.raises(DataInvalid):
        asked((newest - timedelta(seconds=1)).isoformat(), DATES, timedelta(days=3))


def test_the_message_has_both_times_and_what_to_type(zone: str) -> None:
    with pytest.raises(DataInvalid) as caught:
        asked("2026-02-19T12:00:00", EPOCHS, timedelta(hours=36))
    error = caught.value
    assert (error.id, error.where) == ("data.too_old", "a.csv")
    assert error.message == "the newest row is 10.0 days old, allowed are 1.5 days"
    assert error.details == ("newest row: 2026-02-19 12:00:00 UTC", "now: 2026-03-01 12:00:00 UTC")
    assert error.hint == "bring the file up to date, or allow more: --max-input-age 9d"
    hour = {"UTC": "12", "Asia/Shanghai": "20", "America/New_York": "07"}[zone]
    with pytest.raises(DataInvalid) as caught:
        asked("1969-12-01", DATES, timedelta(days=3))
    assert caught.value.details == (
        "newest row: 1969-12-01 00:00:00 local time",
        f"now: 2026-03-01 {hour}:00:00 local time",
    )


def test_rows_of_the_future_are_fresh_and_no_limit_asks_nothing() -> None:
    asked("2030-01-01", DATES, timedelta(seconds=1))
    for form in (DATES, ROW_NUMBERS):
        require_fresh_input(0, form, most_s=None, now=NOW, where="", remedy="")


def test_numbered_rows_have_no_age() -> None:
    with pytest.raises(DataInvalid) as caught:
        require_fresh_input(10**18, ROW_NUMBERS, most_s=1e9, now=NOW, where="a.csv", remedy="")
    assert caught.value.id == "data.no_clock"


def test_a_run_is_too_old_to_the_second() -> None:
    about = {"created": "2026-02-22T13:00:00+01:00"}
    require_fresh_run(about, most_s=7 * 86400, now=NOW, where="runs/a")
    require_fresh_run({}, most_s=None, now=NOW, where="runs/a")
    with pytest.raises(RunMissing) as caught:
        require_fresh_run(about, most_s=7 * 86400, now=NOW + timedelta(seconds=1), where="runs/a")
    error = caught.value
    assert (error.id, error.where) == ("run.too_old", "runs/a")
    assert error.message == "the run was trained 7.0 days ago, allowed are 7.0 days"
    assert error.details == ("trained: 2026-02-22 12:00:00 UTC", "now: 2026-03-01 12:00:01 UTC")


@pytest.mark.parametrize("about", [{}, {"created": 3}, {"created": "today"}, {"created": "2026-01-01"}])
def test_a_run_that_does_not_say_when_it_was_trained_is_rejected(about: dict[str, object]) -> None:
    with pytest.raises(ArtifactRejected):
        require_fresh_run(about, most_s=1.0, now=NOW, where="runs/a")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 seconds"),
        (59, "59 seconds"),
        (60, "1.0 minutes"),
        (5400, "1.5 hours"),
        (1e8, "1,157.4 days"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text
