"""Rows gathered into periods, with pandas as judge: values, dates, and which periods are whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstm_forecast.data.many import read_input
from lstm_forecast.data.reader import ReadOptions, Table
from lstm_forecast.data.resampling import How, resample
from lstm_forecast.errors import DataInvalid, UsageError
from tests.data.reading import ids, moments, read
from tests.data.test_zones import us

HOWS: dict[How, Callable[[Any], Any]] = {
    "sum": lambda periods: periods.sum(min_count=1),
    "mean": lambda periods: periods.mean(),
    "last": lambda periods: periods.last(),
}


def frame(index: pd.DatetimeIndex, *, empty: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Two columns of random numbers, a share of the cells empty."""
    draw = np.random.default_rng(seed)
    values = draw.normal(100, 20, (len(index), 2)).round(3)
    values[draw.random(values.shape) < empty] = np.nan
    return pd.DataFrame(values, index=index, columns=["v", "w"])


def table_of(data: pd.DataFrame, folder: Path, **options: Any) -> Table:
    """The frame written as a CSV and read."""
    text = "when,v,w\n" + "".join(
        f"{when},{'' if np.isnan(v) else v},{'' if np.isnan(w) else w}\n"
        for when, v, w in zip(data.index.strftime("%Y-%m-%d %H:%M:%S"), data["v"], data["w"], strict=True)
    )
    return read(folder, text, ReadOptions(target="v", past_covariates=("w",), **options))


def same(found: Table, expected: pd.DataFrame) -> None:
    """Equal times and values."""
    assert np.array_equal(found.times, us(pd.DatetimeIndex(expected.index)))
    np.testing.assert_allclose(found.values, expected.to_numpy(), rtol=1e-12)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("empty", [0.0, 0.6])
@pytest.mark.parametrize(
    ("step", "to", "first", "last"),
    [
        ("1min", "15min", "2024-01-01", "2024-01-04 23:59"),
        ("20min", "2h", "2024-01-01", "2024-01-09 23:40"),
        ("h", "D", "2024-01-01", "2024-03-31 23:00"),
        ("h", "W", "2024-01-01", "2024-03-31 23:00"),
        ("6h", "W-WED", "2024-01-04", "2024-04-03 18:00"),
        ("D", "W-FRI", "2024-01-06", "2024-04-05"),
        ("D", "MS", "2023-11-01", "2025-02-28"),
        ("D", "ME", "2023-11-01", "2025-02-28"),
        ("D", "QS", "2023-01-01", "2024-12-31"),
        ("D", "QE", "2023-01-01", "2024-12-31"),
        ("D", "QS-FEB", "2023-02-01", "2025-01-31"),
        ("D", "QE-NOV", "2022-12-01", "2024-11-30"),
        ("MS", "YS", "2015-01-01", "2024-12-01"),
        ("D", "YE-MAR", "2019-04-01", "2024-03-31"),
        ("D", "YS-APR", "2019-04-01", "2024-03-31"),
    ],
)
def test_whole_periods_are_those_of_pandas(
    step: str, to: str, first: str, last: str, how: How, empty: float, tmp_path: Path
) -> None:
    data = frame(pd.date_range(first, last, freq=step), empty=empty)
    found = resample(table_of(data, tmp_path), to=to, how=how)
    same(found, HOWS[how](data.resample(to)))
    assert "left out" not in found.account[-1]
    assert found.account[-1].startswith(f"resampled to {to} by {how}: {len(data):,} rows became ")


@pytest.mark.parametrize("how", HOWS)
def test_periods_that_are_cut_at_the_ends_are_left_out(how: How, tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01 05:00", "2024-01-09 22:00", freq="h"))
    expected = HOWS[how](data.resample("D"))
    # The last value of the first day is known although its first hours are not.
    expected = expected.iloc[:-1] if how == "last" else expected.iloc[1:-1]
    found = resample(table_of(data, tmp_path), to="D", how=how)
    same(found, expected)
    count = "1 period" if how == "last" else "2 periods"
    assert f"{count} left out, because rows at the start or the end are missing" in found.account[-1]


def test_one_more_hour_makes_the_day_whole(tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01", "2024-01-09 23:00", freq="h"))
    assert len(resample(table_of(data, tmp_path), to="D", how="sum").times) == 9
    assert len(resample(table_of(data[:-1], tmp_path), to="D", how="sum").times) == 8


def test_trading_days_end_a_week_and_a_month_when_no_other_is_due(tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-01", "2024-08-30")  # a Friday, and the last working day of August
    for to in ("W", "ME"):
        found = resample(table_of(frame(days), tmp_path), to=to, how="last")
        same(found, frame(days).resample(to).last())
        cut = resample(table_of(frame(days)[:-1], tmp_path), to=to, how="last")
        same(cut, frame(days).resample(to).last()[:-1])


def test_without_a_rhythm_only_a_later_row_shows_that_a_period_is_over(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    ticks = (
        pd.DatetimeIndex("2024-01-01")
        if False
        else pd.Timestamp("2024-01-01 09:00")
        + pd.to_timedelta(np.sort(draw.choice(5 * 86_400, 4000, replace=False)), unit="s")
    )
    data = frame(ticks)
    found = resample(table_of(data, tmp_path), to="D", how="sum")
    same(found, data.resample("D").sum(min_count=1).iloc[1:-1])
    last = resample(table_of(data, tmp_path), to="D", how="last")
    same(last, data.resample("D").last().iloc[:-1])


def test_another_series_shows_that_a_period_is_over_where_there_is_no_rhythm(tmp_path: Path) -> None:
    rows = ["2024-01-01 10:00:03,a,1", "2024-01-02 09:00:01,a,2", "2024-01-02 17:13:09,a,3"]
    rows += ["2024-01-01 08:11:00,b,1", "2024-01-03 09:00:00,b,5"]
    table = read(tmp_path, "when,shop,v\n" + "\n".join(rows) + "\n", ReadOptions(series_id="shop"))
    found = resample(table, to="D", how="last")
    assert found.series_ids == ("a", "b")
    assert found.values[:, 0].tolist() == [1, 3, 1]
    assert found.lines.tolist() == [2, 3, 5]


def test_a_series_without_a_whole_period_is_gone_and_none_at_all_is_an_error(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", "2024-01-05 23:00", freq="h").strftime("%Y-%m-%d %H:%M")
    rows = [f"{h},a,1" for h in hours] + [f"{h},b,1" for h in hours[30:40]]
    options = ReadOptions(series_id="shop")
    found = resample(read(tmp_path, "when,shop,v\n" + "\n".join(rows) + "\n", options), to="D", how="sum")
    assert found.series_ids == ("a",)
    assert found.values[:, 0].tolist() == [24] * 5
    short = read(tmp_path, "when,shop,v\n" + "\n".join(rows[-10:]) + "\n", options)
    with pytest.raises(DataInvalid, match="no period of D is whole") as caught:
        resample(short, to="D", how="sum")
    assert caught.value.id == "data.resample"


def test_an_empty_period_is_a_gap_and_one_without_values_an_empty_cell(tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01", "2024-01-06 23:00", freq="h"))
    data = data.drop(data.loc["2024-01-03"].index)
    data.loc["2024-01-05", "v"] = np.nan
    found = resample(table_of(data, tmp_path), to="D", how="sum")
    assert moments(found) == [f"2024-01-0{d} 00:00:00" for d in (1, 2, 4, 5, 6)]
    assert np.isnan(found.values[:, 0]).tolist() == [False, False, False, True, False]
    assert not np.isnan(found.values[:, 1]).any()


def test_missing_rows_and_cells_within_a_period_are_warned_of(tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01", "2024-01-06 23:00", freq="h"))
    data.iloc[30, 1] = np.nan
    data = data.drop(data.index[80])
    table = table_of(data, tmp_path)
    found = resample(table, to="D", how="mean")
    assert ids(found) == ["data.partial_periods"]
    assert found.notices[0].message == (
        "2 resampled periods with fewer values than the 24 that hourly rows give;"
        " the first is 2024-01-02 00:00:00"
    )
    same(found, data.resample("D").mean())
    assert ids(resample(table, to="D", how="last")) == []
    with pytest.raises(DataInvalid, match="2 resampled periods"):
        resample(table, to="D", how="sum", strict=True)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(("step", "to"), [("15min", "h"), ("h", "D"), ("h", "W"), ("h", "MS")])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Asia/Kolkata"])
def test_periods_of_a_zone_are_those_of_its_clock(
    step: str, to: str, zone: str, how: How, tmp_path: Path
) -> None:
    index = pd.date_range("2024-01-01", "2024-12-30", freq=step, tz=zone)[:-1]  # a Monday to a Sunday
    data = frame(index)
    if to == "W":  # where midnight is skipped, pandas' own weeks begin at 01:00 on the Monday after
        weeks = index.tz_localize(None).to_period("W")
        expected = HOWS[how](data.groupby(weeks))
        labels = expected.index.to_timestamp(how="E").normalize()
        expected.index = pd.DatetimeIndex(labels).tz_localize(zone, nonexistent="shift_forward")
    else:
        expected = HOWS[how](data.resample(to))
    if to == "MS":
        expected = expected.iloc[:-1]  # December ends after the rows
    found = resample(table_of(data, tmp_path, timezone=zone), to=to, how=how)
    same(found, expected)
    assert found.time_format.format(found.times) == expected.index.strftime("%Y-%m-%d %H:%M:%S").tolist()


def test_quarters_of_a_day_follow_the_clock(tmp_path: Path) -> None:
    index = pd.date_range("2024-10-26", "2024-10-29", freq="h", tz="Europe/Berlin")[:-1]
    data = pd.DataFrame({"v": 1.0, "w": 2.0}, index=index)
    found = resample(table_of(data, tmp_path, timezone="Europe/Berlin"), to="6h", how="sum")
    assert found.values[:, 0].tolist() == [6, 6, 6, 6, 7, 6, 6, 6, 6, 6, 6, 6]
    assert found.time_format.format(found.times)[3:6] == [
        "2024-10-26 18:00:00",
        "2024-10-27 00:00:00",
        "2024-10-27 06:00:00",
    ]


def test_wide_files_and_many_files(tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01", "2024-01-05 23:00", freq="h"))
    text = "when,v,w\n" + "".join(
        f"{t},{v},{w}\n"
        for t, (v, w) in zip(data.index.strftime("%Y-%m-%d %H:%M"), data.to_numpy(), strict=True)
    )
    wide = resample(read(tmp_path, text, ReadOptions(target=("v", "w"))), to="D", how="sum")
    assert wide.series_ids == ("v", "w")
    np.testing.assert_allclose(wide.values[:, 0], data.resample("D").sum().to_numpy().T.ravel())
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "x.csv").unlink()
    many = resample(read_input(str(tmp_path / "*.csv"), ReadOptions(target="v")), to="D", how="sum")
    assert many.series_ids == ("one", "two")
    assert [many.place(row) for row in (0, 5)] == [str(tmp_path / "one.csv:2"), str(tmp_path / "two.csv:2")]


def test_later_rows_never_reach_an_earlier_period(tmp_path: Path) -> None:
    """Everything after a cut times a million, or gone: the periods before stay, bit for bit."""
    data = frame(pd.date_range("2024-01-01", "2024-03-31 23:00", freq="h"), empty=0.1)
    for how in HOWS:
        whole = resample(table_of(data, tmp_path), to="D", how=how)
        for cut in (500, 777, 1000):
            changed = data.copy()
            changed.iloc[cut:] *= 1e6
            before = cut // 24
            for other in (changed, data.iloc[:cut]):
                again = resample(table_of(other, tmp_path), to="D", how=how)
                assert again.values[:before].tobytes() == whole.values[:before].tobytes()
                assert np.array_equal(again.times[:before], whole.times[:before])


@pytest.mark.parametrize("to", ["7h", "2D", "B", "2MS", "fortnightly", "BME", "50min"])
def test_what_is_no_period(to: str, tmp_path: Path) -> None:
    table = table_of(frame(pd.date_range("2024-01-01", "2024-02-01", freq="h")), tmp_path)
    with pytest.raises(UsageError, match="is not a period that rows can be gathered into"):
        resample(table, to=to, how="sum")


def test_rows_without_dates_and_sums_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="have numbers and no dates"):
        resample(read(tmp_path, "v\n1\n2\n"), to="D", how="sum")
    rows = "".join(f"2024-01-0{d} {h:02}:00,3e38\n" for d in (1, 2) for h in range(24))
    with pytest.raises(DataInvalid, match="beyond"):
        resample(read(tmp_path, "when,v\n" + rows), to="D", how="sum")


def test_a_million_rows_take_no_loop(tmp_path: Path) -> None:
    """Not timed: the number of Python calls does not grow with the rows."""

    def calls(days: int) -> int:
        index = pd.date_range("2024-01-01", periods=days * 24, freq="h")
        table = table_of(frame(index), tmp_path)
        count = 0

        def counting(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(counting)
        resample(table, to="D", how="sum")
        sys.setprofile(None)
        return count

    few, many = calls(20), calls(200)
    assert many < 1.5 * few


@pytest.mark.parametrize("how", HOWS)
def test_a_period_whose_target_ends_within_it_is_to_be_forecast(how: How, tmp_path: Path) -> None:
    data = frame(pd.date_range("2024-01-01", "2024-01-06 23:00", freq="h"))
    data.iloc[84:, 0] = np.nan  # the target is known until 4 January 11:00, the other column to the end
    table = table_of(data, tmp_path)
    found = resample(table, to="D", how=how, future=1)
    expected = HOWS[how](data.resample("D"))
    expected.iloc[3:, 0] = np.nan
    same(found, expected)
    assert ids(found) == []  # no value is missing that could be there
    data.iloc[100, 1] = np.nan
    told = resample(table_of(data, tmp_path), to="D", how="sum", future=1).notices
    assert [notice.message.partition(" with")[0] for notice in told] == ["1 resampled period"]
