"""Rows that are left out at the end of a file, by date and by count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.data.table import cut_table
from lstm_forecast.errors import DataInvalid
from tests.conftest import Cli
from tests.training.jobs import days, momentum, write_csv

HOURS = "when,shop,v\n" + "".join(
    f"2024-03-0{1 + h // 24} {h % 24:02}:00,{shop},{h + size}\n"
    for shop, size in (("a", 100), ("b", 200))
    for h in range(0, 96, 6)
    if (shop, h) != ("b", 0)
)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    path = tmp_path / "a.csv"
    path.write_text(HOURS + "2024-03-09 00:00,late,7\n")
    return read_table(str(path), ReadOptions(time="when", target="v", series_id="shop"))


def test_a_date_keeps_its_whole_day_and_a_moment_itself(table: Table) -> None:
    day = cut_table(table, "2024-03-02")
    assert day.values[:, 0].tolist() == [*range(100, 148, 6), *range(206, 248, 6)]
    assert day.series.tolist() == [0] * 8 + [1] * 7
    assert cut_table(table, "2024-03-01 06:00").values[:, 0].tolist() == [100, 106, 206]


def test_a_count_is_of_each_series(table: Table) -> None:
    cut = cut_table(table, 2)
    assert cut.values[:, 0].tolist() == [100, 106, 206, 212, 7]
    assert cut.series_ids == ("a", "b", "late")
    assert cut.account[-1] == "rows after data.until 2 are left out: 27"
    assert np.array_equal(cut_table(table, 10_000).values, table.values)


def test_a_series_that_begins_later_is_gone(table: Table) -> None:
    cut = cut_table(table, "2024-03-04")
    assert cut.series_ids == ("a", "b")
    assert len(cut.lines) == len(cut.times) == len(cut.values) == 31


def test_nothing_left_and_dates_without_dates_are_refused(table: Table, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no row lies before 2023-12-31") as caught:
        cut_table(table, "2023-12-31")
    assert caught.value.details == ("expected: a date from 2024-03-01 00:00 on",)
    path = write_csv(tmp_path / "n.csv", {"v": momentum(9)})
    with pytest.raises(DataInvalid, match="2024-01-01 is a date, and the rows have none"):
        cut_table(read_table(str(path), ReadOptions()), "2024-01-01")


def test_rows_after_it_change_nothing(tmp_path: Path, cli: Cli) -> None:
    """The file with the rows and the file without them give the same plan but for the file's hash."""
    values = momentum(200)
    short = write_csv(tmp_path / "short.csv", {"date": days(150), "value": values[:150]})
    long = write_csv(tmp_path / "long.csv", {"date": days(200), "value": values})
    words = ["--lookback", "8", "--horizon", "2", "--json"]
    whole = cli("check", short, *words)
    until = cli("check", long, *words, "--set", f"data.until={days(150)[-1]}")
    assert whole.code == until.code == 0
    assert whole.out.replace("short.csv", "long.csv") == until.out
