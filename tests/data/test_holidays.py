"""Holidays from files of dates and from the package, and what is refused."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.data.holidays import (
    country_holidays,
    days_from_text,
    days_text,
    holiday_file,
    years_of,
)
from lstm_forecast.errors import DataInvalid, DataMissing, ResourceError, UsageError

DAY = 86_400_000_000


def written(folder: Path, text: str) -> str:
    path = folder / "off.csv"
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "2024-12-25\n2024-12-26\n",
        "\ufeffdate\n2024-12-26\n\n2024-12-25\n2024-12-25",
        'date,name\r\n2024-12-25,Christmas\r\n2024-12-26,"Boxing, Day"\r\n',
        "# closed\n20241225\n2024/12/26;second\n",
        '"2024-12-25"\n2024-12-26T00:00:00\n',
    ],
)
def test_a_file_has_one_date_a_line(text: str, tmp_path: Path) -> None:
    assert days_text(holiday_file(written(tmp_path, text))) == ["2024-12-25", "2024-12-26"]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("2024-12-25\nChristmas\n", ":2", "'Christmas' is not a date"),
        ("2024-12-25\n2024-02-30\n", ":2", "'2024-02-30' is not a date"),
        ("2024-12-25\n12/26/2024\n", ":2", "'12/26/2024' is not a date"),
        ("", "", "no dates in it"),
        ("date\n", "", "no dates in it"),
    ],
)
def test_a_line_that_is_no_date_is_named(text: str, where: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        holiday_file(written(tmp_path, text))
    assert caught.value.message == message
    assert caught.value.where.endswith(f"off.csv{where}")


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="cannot be read: No such file") as caught:
        holiday_file(str(tmp_path / "gone.txt"))
    assert "country code such as DE" in caught.value.hint


def test_a_country_has_its_own_and_a_part_more() -> None:
    """New Year, Labour Day, Unity Day and two days of Christmas are fixed by law; Epiphany in Bavaria."""
    whole, part = (days_text(country_holidays(code, [2024])) for code in ("DE", "DE-BY"))
    fixed = {"2024-01-01", "2024-05-01", "2024-10-03", "2024-12-25", "2024-12-26"}
    assert fixed <= set(whole) < set(part)
    assert "2024-01-06" in set(part) - set(whole)
    assert sorted(whole) == whole


@pytest.mark.parametrize(("code", "message"), [("QQ", "no country 'QQ'"), ("DE-ZZ", "no part 'ZZ' of DE")])
def test_an_unknown_country_is_refused(code: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        country_holidays(code, [2024])


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ResourceError) as caught:
        country_holidays("DE", [2024])
    assert caught.value.code == 16
    assert caught.value.hint.startswith("pip install 'lstm-forecast[holidays]'")


def test_days_survive_as_dates_and_other_texts_do_not() -> None:
    days = (
        np.array([date(1969, 7, 20).toordinal(), date(2100, 2, 28).toordinal()])
        - date(1970, 1, 1).toordinal()
    )
    assert days_text(days) == ["1969-07-20", "2100-02-28"]
    assert np.array_equal(days_from_text(["2100-02-28", "1969-07-20"]), days)
    for wrong in (["2024-13-01"], "2024-12-25", [1], None):
        with pytest.raises(ValueError, match=r"holidays|Invalid|month"):
            days_from_text(wrong)  # type: ignore[arg-type]


def test_years_are_those_of_both_ends() -> None:
    new_year = (date(2024, 1, 1) - date(1970, 1, 1)).days * DAY
    assert list(years_of(new_year - 1, new_year)) == [2023, 2024]
    assert list(years_of(new_year, new_year)) == [2024]
