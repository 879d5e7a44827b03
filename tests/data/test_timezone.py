"""``data.timezone``: local times read as moments, with pandas as judge, and written as they were read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.many import read_input
from lstm_forecast.data.reader import ReadOptions, read_table
from lstm_forecast.data.table import cut_table
from lstm_forecast.errors import DataInvalid, UsageError
from tests.data.reading import ids, read
from tests.data.test_zones import us

BERLIN = ReadOptions(timezone="Europe/Berlin")
HOURS = pd.date_range("2024-10-26", "2024-10-28", freq="h", tz="Europe/Berlin")
QUARTERS = pd.date_range("2024-10-26 22:00", "2024-10-27 05:00", freq="15min", tz="Europe/Berlin")


def csv(index: pd.DatetimeIndex, form: str = "%Y-%m-%d %H:%M", header: str = "when,v") -> str:
    """A file of these local times and the numbers 0, 1, 2, …"""
    rows = (f"{text},{n}" for n, text in enumerate(index.strftime(form)))
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize("index", [HOURS, QUARTERS], ids=["hours", "quarters"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_row_10_the_repeated_hour_is_told_by_the_order_of_the_rows(
    index: pd.DatetimeIndex, newest_first: bool, tmp_path: Path
) -> None:
    table = read(tmp_path, csv(index[::-1] if newest_first else index), BERLIN)
    assert np.array_equal(table.times, us(index))
    values = np.arange(len(index))[::-1] if newest_first else np.arange(len(index))
    assert table.values[:, 0].tolist() == values.tolist()
    assert ids(table) == []
    assert table.zone == "Europe/Berlin"
    assert table.time_format.format(table.times) == index.strftime("%Y-%m-%d %H:%M").tolist()
    assert "by the clock of Europe/Berlin" in "\n".join(table.account)


def test_every_series_of_a_long_file_has_its_own_order(tmp_path: Path) -> None:
    texts = HOURS.strftime("%Y-%m-%d %H:%M")
    rows = [f"{text},{shop},{n}" for n, text in enumerate(texts) for shop in ("b", "a")]
    for options in (BERLIN, ReadOptions(timezone="Europe/Berlin", series_id="store")):
        table = read(tmp_path, "when,store,v\n" + "\n".join(rows) + "\n", options)
        assert table.series_ids == ("b", "a")
        assert np.array_equal(table.times, np.tile(us(HOURS), 2))


def test_the_repeated_hour_is_no_sign_of_several_series(tmp_path: Path) -> None:
    rows = [f"{text},{n % 7},{n}" for n, text in enumerate(HOURS.strftime("%Y-%m-%d %H:%M"))]
    table = read(tmp_path, "when,code,v\n" + "\n".join(rows) + "\n", BERLIN)
    assert len(table.series_ids) == 1
    assert np.array_equal(table.times, us(HOURS))


def test_a_wide_file(tmp_path: Path) -> None:
    text = "when,a,b\n" + "".join(f"{t},1,2\n" for t in HOURS.strftime("%Y-%m-%d %H:%M"))
    table = read(tmp_path, text, ReadOptions(timezone="Europe/Berlin", target=("a", "b")))
    assert np.array_equal(table.times, np.tile(us(HOURS), 2))


def test_pairs_in_the_order_of_the_clock_are_first_and_second(tmp_path: Path) -> None:
    clock = sorted(enumerate(QUARTERS.strftime("%Y-%m-%d %H:%M")), key=lambda item: item[1])
    table = read(tmp_path, "when,v\n" + "".join(f"{text},{n}\n" for n, text in clock), BERLIN)
    assert np.array_equal(table.times, us(QUARTERS))
    assert table.values[:, 0].tolist() == list(range(len(QUARTERS)))


def test_a_time_of_the_repeated_hour_that_stands_alone_is_the_first(tmp_path: Path) -> None:
    table = read(tmp_path, "when,v\n2024-10-26 02:30,1\n2024-10-27 02:30,2\n2024-10-28 02:30,3\n", BERLIN)
    expected = pd.DatetimeIndex(["2024-10-26 00:30", "2024-10-27 00:30", "2024-10-28 01:30"])
    assert np.array_equal(table.times, us(expected))


@pytest.mark.parametrize(
    "hours",
    [
        ["02:00", "02:15", "02:00", "02:15", "02:00"],  # a third pass
        ["02:00", "02:00", "02:15", "02:30"],  # one pair among single times: a pair, or two rows at one time?
        ["03:00", "02:00", "01:00", "02:00", "04:00"],  # anyhow
    ],
)
def test_an_order_that_does_not_tell_is_refused(hours: list[str], tmp_path: Path) -> None:
    rows = ["2024-10-26 12:00,0"] + [f"2024-10-27 {h},1" for h in hours]
    text = "when,v\n" + "\n".join(rows) + "\n2024-10-28 00:00,3\n"
    with pytest.raises(
        DataInvalid, match="02:00:00 twice, and the order of the rows does not tell"
    ) as caught:
        read(tmp_path, text, BERLIN)
    assert caught.value.id == "data.timezone"
    assert "x.csv:" in str(caught.value)


def test_row_10_a_skipped_time_names_its_line_and_may_be_left_out(tmp_path: Path) -> None:
    text = "when,v\n2024-03-31 01:30,1\n2024-03-31 02:30,2\n2024-03-31 03:30,3\n"
    with pytest.raises(DataInvalid, match="'2024-03-31 02:30' did not exist in Europe/Berlin") as caught:
        read(tmp_path, text, BERLIN)
    assert (caught.value.id, caught.value.where.endswith("x.csv:3")) == ("data.timezone", True)
    options = ReadOptions(timezone="Europe/Berlin", bad_rows="skip", max_bad_rows=1)
    table = read(tmp_path, text, options)
    assert table.values[:, 0].tolist() == [1, 3]
    assert [reject["line"] for reject in table.rejects] == [3]
    assert np.diff(table.times).tolist() == [3_600_000_000]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z"])
def test_offsets_of_the_zone_are_kept_with_the_offset_of_each_time(form: str, tmp_path: Path) -> None:
    table = read(tmp_path, csv(HOURS, form), BERLIN)
    assert np.array_equal(table.times, us(HOURS))
    assert table.time_format.format(table.times) == HOURS.strftime(form).tolist()
    later = pd.date_range(HOURS[-1], periods=3, freq="180D")
    assert table.time_format.format(us(later)) == later.strftime(form).tolist()
    kept = TimeFormat.from_json(table.time_format.to_json())
    assert kept == table.time_format


def test_one_offset_that_is_not_the_zones_stays_and_the_days_are_the_zones(tmp_path: Path) -> None:
    text = csv(HOURS.tz_convert("UTC"), "%Y-%m-%dT%H:%M:%SZ")
    table = read(tmp_path, text, BERLIN)
    assert np.array_equal(table.times, us(HOURS))
    assert table.time_format.format(table.times[:1]) == ["2024-10-25T22:00:00Z"]
    assert table.zone == "Europe/Berlin"
    assert len(cut_table(table, "2024-10-26").times) == 24  # the day of Berlin


def test_offsets_of_another_zone_are_refused_and_without_a_zone_the_key_is_named(tmp_path: Path) -> None:
    text = csv(HOURS, "%Y-%m-%dT%H:%M:%S%z")
    with pytest.raises(DataInvalid, match="not those of America/New_York") as caught:
        read(tmp_path, text, ReadOptions(timezone="America/New_York"))
    assert (caught.value.id, caught.value.where.endswith("x.csv:2")) == ("data.zones", True)
    with pytest.raises(DataInvalid, match="several zones") as caught:
        read(tmp_path, text)
    assert "data.timezone" in caught.value.hint


def test_dates_epochs_and_row_numbers_have_no_clock_to_change(tmp_path: Path) -> None:
    dates = read(tmp_path, "when,v\n2024-03-30,1\n2024-03-31,2\n", BERLIN)
    assert (dates.zone, dates.time_format) == ("", TimeFormat("date", "%Y-%m-%d"))
    assert "need no data.timezone" in "\n".join(dates.account)
    epochs = read(tmp_path, "timestamp,v\n1711843200,1\n1711846800,2\n", BERLIN)
    assert epochs.times.tolist() == [1711843200_000_000, 1711846800_000_000]
    assert (epochs.zone, epochs.time_format.kind) == ("Europe/Berlin", "epoch_s")
    rows = read(tmp_path, "v\n1\n2\n", BERLIN)
    assert (rows.zone, rows.time_format.kind) == ("", "row")


def test_until_is_a_day_of_the_zone(tmp_path: Path) -> None:
    table = read(tmp_path, csv(HOURS), BERLIN)
    assert np.array_equal(cut_table(table, "2024-10-27").times, us(HOURS[HOURS < "2024-10-28"]))


def test_a_name_that_is_no_zone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no time zone is called 'Mars/Base'"):
        read(tmp_path, "when,v\n2024-01-01,1\n", ReadOptions(timezone="Mars/Base"))


def test_files_of_summer_and_winter_fit_together(tmp_path: Path) -> None:
    for name, day in (("a", "2024-01-01"), ("b", "2024-07-01")):
        index = pd.date_range(day, periods=48, freq="h", tz="Europe/Berlin")
        (tmp_path / f"{name}.csv").write_text(csv(index, "%Y-%m-%dT%H:%M:%S%z"))
    table = read_input(str(tmp_path / "*.csv"), BERLIN)
    assert table.zone == "Europe/Berlin"
    assert table.time_format.format(table.times[[0, 48]]) == [
        "2024-01-01T00:00:00+0100",
        "2024-07-01T00:00:00+0200",
    ]
    with pytest.raises(DataInvalid, match="the zone of the times is"):
        read_input(str(tmp_path / "*.csv"), ReadOptions())


@pytest.mark.parametrize("zone", ["", "UTC", "Europe/Nowhere", 7, None])
def test_a_kept_form_of_times_is_checked(zone: object) -> None:
    fields = {"kind": "datetime", "pattern": "%Y-%m-%d %H:%M", "zone": "", "timezone": zone}
    if zone in ("", "UTC"):
        assert TimeFormat.from_json(fields).timezone == zone  # type: ignore[arg-type]
        return
    with pytest.raises(ValueError, match="unknown time zone"):
        TimeFormat.from_json(fields)  # type: ignore[arg-type]


def test_row_10_without_the_key_the_repeated_hour_is_refused_and_the_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="several rows at 2024-10-27 02:00") as caught:
        read(tmp_path, csv(HOURS))
    assert "data.timezone: Europe/Berlin" in caught.value.hint
    assert "data.duplicates: last" in caught.value.hint
    with pytest.raises(DataInvalid, match="several rows at 2024-10-26") as caught:
        read(tmp_path, "when,v\n2024-10-26 12:00,1\n2024-10-26 12:00,2\n2024-10-27 12:00,3\n")
    assert "timezone" not in caught.value.hint


def test_a_file_without_the_key_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("when,v\n2024-03-31 02:30,1\n2024-03-31 03:30,2\n")
    table = read_table(path, ReadOptions())
    assert (table.zone, table.time_format.to_json()) == (
        "",
        {"kind": "datetime", "pattern": "%Y-%m-%d %H:%M", "zone": ""},
    )
