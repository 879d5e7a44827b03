"""Time cells: every spelling read, each against a hand-made date, and written back as it was."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.data.dates import ROW_NUMBERS, TimeFormat, Times, parse_times
from lstm_forecast.errors import DataInvalid, UsageError


def parse(*cells: str, date_format: str | None = None) -> Times:
    lines = np.arange(2, len(cells) + 2)
    return parse_times(list(cells), lines=lines, name="x.csv", column="Date", date_format=date_format)


def us(*parts: int) -> int:
    year, month, day, *clock = parts
    hour, minute, second = [*clock, 0, 0, 0][:3]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


SPELLINGS = [
    (("2024-03-01", "2024-03-12"), (us(2024, 3, 1), us(2024, 3, 12)), "date"),
    (("2024-3-1", "2024-3-12"), (us(2024, 3, 1), us(2024, 3, 12)), "date"),
    (("20240301", "20241231"), (us(2024, 3, 1), us(2024, 12, 31)), "date"),
    (("2024/3/1", "2024/10/12"), (us(2024, 3, 1), us(2024, 10, 12)), "date"),
    (("2024/03/01", "2024/10/12"), (us(2024, 3, 1), us(2024, 10, 12)), "date"),
    (("2024.03.01", "2024.03.02"), (us(2024, 3, 1), us(2024, 3, 2)), "date"),
    (("2024年3月1日", "2024年10月12日"), (us(2024, 3, 1), us(2024, 10, 12)), "date"),
    (("2024年03月01日", "2024年10月12日"), (us(2024, 3, 1), us(2024, 10, 12)), "date"),
    (("01.03.2024", "02.03.2024"), (us(2024, 3, 1), us(2024, 3, 2)), "date"),
    (("1.3.2024", "12.3.2024"), (us(2024, 3, 1), us(2024, 3, 12)), "date"),
    (("01/02/2024", "13/02/2024"), (us(2024, 2, 1), us(2024, 2, 13)), "date"),
    (("02/01/2024", "02/13/2024"), (us(2024, 2, 1), us(2024, 2, 13)), "date"),
    (("2/1/2024", "2/13/2024"), (us(2024, 2, 1), us(2024, 2, 13)), "date"),
    (("1 Mar 2024", "12 Mar 2024"), (us(2024, 3, 1), us(2024, 3, 12)), "date"),
    (("01-MAR-2024", "12-APR-2024"), (us(2024, 3, 1), us(2024, 4, 12)), "date"),
    (("1-Mar-24", "12-Apr-99"), (us(2024, 3, 1), us(1999, 4, 12)), "date"),
    (("Mar 1, 2024", "May 12, 2024"), (us(2024, 3, 1), us(2024, 5, 12)), "date"),
    (("March 1, 2024", "May 12, 2024"), (us(2024, 3, 1), us(2024, 5, 12)), "date"),
    (("Mar-24", "Apr-24"), (us(2024, 3, 1), us(2024, 4, 1)), "date"),
    (("Mar 2024", "Apr 2024"), (us(2024, 3, 1), us(2024, 4, 1)), "date"),
    (("mar-2024", "apr-2024"), (us(2024, 3, 1), us(2024, 4, 1)), "date"),
    (("2024-03", "1949-01"), (us(2024, 3, 1), us(1949, 1, 1)), "date"),
    (("2024/3", "2024/10"), (us(2024, 3, 1), us(2024, 10, 1)), "date"),
    (("2024年3月", "2024年10月"), (us(2024, 3, 1), us(2024, 10, 1)), "date"),
    (("202403", "202410"), (us(2024, 3, 1), us(2024, 10, 1)), "date"),
    (("1990", "2024"), (us(1990, 1, 1), us(2024, 1, 1)), "date"),
    (("1990年", "2024年"), (us(1990, 1, 1), us(2024, 1, 1)), "date"),
    (("2024Q1", "2024Q4"), (us(2024, 1, 1), us(2024, 10, 1)), "quarter"),
    (("2024-q1", "2024-q4"), (us(2024, 1, 1), us(2024, 10, 1)), "quarter"),
    (("Q1 2024", "Q3 2024"), (us(2024, 1, 1), us(2024, 7, 1)), "quarter"),
    (("2024年第1季度", "2024年第2季度"), (us(2024, 1, 1), us(2024, 4, 1)), "quarter"),
    (("2024-03-01 13:30", "2024-03-01 14:30"), (us(2024, 3, 1, 13, 30), us(2024, 3, 1, 14, 30)), "datetime"),
    (("2024-03-01 13:30:05", "2024-03-02 00:00:00"), (us(2024, 3, 1, 13, 30, 5), us(2024, 3, 2)), "datetime"),
    (("2024/3/1 9:05", "2024/3/1 13:30"), (us(2024, 3, 1, 9, 5), us(2024, 3, 1, 13, 30)), "datetime"),
    (("01.03.2024 09:05", "01.03.2024 13:30"), (us(2024, 3, 1, 9, 5), us(2024, 3, 1, 13, 30)), "datetime"),
    (
        ("3/13/2024 1:30 PM", "3/13/2024 12:05 AM"),
        (us(2024, 3, 13, 13, 30), us(2024, 3, 13, 0, 5)),
        "datetime",
    ),
    (("20240301 133005", "20240301 140000"), (us(2024, 3, 1, 13, 30, 5), us(2024, 3, 1, 14)), "datetime"),
    (("20240301133005", "20240301140000"), (us(2024, 3, 1, 13, 30, 5), us(2024, 3, 1, 14)), "datetime"),
    (("202403011330", "202403011400"), (us(2024, 3, 1, 13, 30), us(2024, 3, 1, 14)), "datetime"),
    (("2024-03-01 13", "2024-03-01 14"), (us(2024, 3, 1, 13), us(2024, 3, 1, 14)), "datetime"),
    (("2024-03-01T13:30:00", "2024-03-01T14:30:00"), (us(2024, 3, 1, 13, 30), us(2024, 3, 1, 14, 30)), "iso"),
    (
        ("2024-03-01T13:30:00Z", "2024-03-01T14:30:00Z"),
        (us(2024, 3, 1, 13, 30), us(2024, 3, 1, 14, 30)),
        "iso",
    ),
    (
        ("2024-03-01T13:30:00+08:00", "2024-03-02T00:30:00+08:00"),
        (us(2024, 3, 1, 5, 30), us(2024, 3, 1, 16, 30)),
        "iso",
    ),
    (
        ("2024-03-01 13:30:00-0330", "2024-03-01 23:30:00-0330"),
        (us(2024, 3, 1, 17), us(2024, 3, 2, 3)),
        "iso",
    ),
    (
        ("2024-03-01 13:30 UTC", "2024-03-01 14:30 UTC"),
        (us(2024, 3, 1, 13, 30), us(2024, 3, 1, 14, 30)),
        "iso",
    ),
    (("1709251200", "1709254800"), (us(2024, 3, 1), us(2024, 3, 1, 1)), "epoch_s"),
    (("999999999", "1000000000"), (us(2001, 9, 9, 1, 46, 39), us(2001, 9, 9, 1, 46, 40)), "epoch_s"),
    (("1709251200000", "1709254800000"), (us(2024, 3, 1), us(2024, 3, 1, 1)), "epoch_ms"),
]


@pytest.mark.parametrize(("cells", "expected", "kind"), SPELLINGS, ids=lambda value: str(value)[:40])
def test_a_spelling_is_read_and_written_back(
    cells: tuple[str, ...], expected: tuple[int, ...], kind: str
) -> None:
    times = parse(*cells)
    assert times.moments.tolist() == list(expected)
    assert times.format.kind == kind
    assert times.format.format(times.moments) == list(cells)


@pytest.mark.parametrize(("cells", "expected", "kind"), SPELLINGS, ids=lambda value: str(value)[:40])
def test_a_format_survives_json(cells: tuple[str, ...], expected: tuple[int, ...], kind: str) -> None:
    form = parse(*cells).format
    assert TimeFormat.from_json(form.to_json()) == form


@given(
    st.sampled_from([pair for pair, _, kind in SPELLINGS if kind != "quarter"]),
    st.datetimes(datetime(1970, 1, 2), datetime(2060, 1, 1)),  # noqa: DTZ001 - hypothesis wants them bare
)
def test_any_second_is_written_so_that_it_reads_back(cells: tuple[str, ...], moment: datetime) -> None:
    form = parse(*cells).format
    wanted = int(moment.replace(microsecond=0, tzinfo=UTC).timestamp()) * 1_000_000
    written = form.format(np.array([wanted]))[0]
    if form.kind.startswith("epoch"):
        assert int(written) * (1_000_000 if form.kind == "epoch_s" else 1_000) == wanted
    else:
        is_iso = re.match(r"\d{4}-\d\d-\d\d(T|$)", written)
        again = parse(written) if is_iso else parse(written, date_format=form.pattern)
        assert again.moments.tolist() == [wanted]


def test_a_clock_in_a_column_of_dates_is_written_as_iso() -> None:
    form = parse("2024/3/1", "2024/3/2").format
    written = form.format(np.array([us(2024, 3, 3), us(2024, 3, 3, 13, 30), us(2024, 3, 3) + 500]))
    assert written == ["2024/3/3", "2024-03-03T13:30:00", "2024-03-03T00:00:00.000500"]


def test_a_day_in_a_column_of_months_or_quarters_is_written_as_iso() -> None:
    for cells in (("2024-03", "2024-04"), ("2024Q1", "2024Q2"), ("1990", "1991")):
        assert parse(*cells).format.format(np.array([us(2024, 3, 5)])) == ["2024-03-05"]


def test_row_numbers_are_written_as_they_are() -> None:
    assert ROW_NUMBERS.format(np.array([1, 12])) == ["1", "12"]
    assert ROW_NUMBERS.format(np.array([], dtype=np.int64)) == []


def test_fractions_keep_their_digits() -> None:
    times = parse("2024-03-01 00:00:00.250", "2024-03-01 00:00:00.500")
    assert times.moments.tolist() == [us(2024, 3, 1) + 250_000, us(2024, 3, 1) + 500_000]
    assert times.format.format(times.moments) == ["2024-03-01 00:00:00.250", "2024-03-01 00:00:00.500"]


def test_a_fraction_below_a_microsecond_is_refused() -> None:
    with pytest.raises(DataInvalid, match=r"\.000000001"):
        parse("2024-03-01 00:00:00.000000000", "2024-03-01 00:00:00.000000001")


def test_the_order_that_was_decided_is_said_with_its_line() -> None:
    assert parse("01/02/2024", "13/02/2024").said == "day first, as line 3 shows"
    assert parse("01/13/2024", "01/02/2024").said == "month first, as line 2 shows"
    assert parse("01.02.2024", "02.02.2024").said == "day first, as dots are"


def test_a_given_format_settles_what_is_ambiguous() -> None:
    assert parse("01/02/2024", date_format="%d/%m/%Y").moments.tolist() == [us(2024, 2, 1)]
    assert parse("01/02/2024", date_format="%m/%d/%Y").moments.tolist() == [us(2024, 1, 2)]
    assert parse("1/2/24", date_format="%m/%d/%y").moments.tolist() == [us(2024, 1, 2)]
    assert parse("010224", date_format="%d%m%y").moments.tolist() == [us(2024, 2, 1)]


@pytest.mark.parametrize("wrong", ["%d/%m", "yyyy-mm-dd", "%Y-%j", "%Q", "%-b %Y"])
def test_a_format_that_cannot_be_read_is_a_usage_error(wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("2024-03-01", date_format=wrong)
    assert (caught.value.id, caught.value.code) == ("data.date_format", 2)


def test_cells_that_a_given_format_does_not_fit_are_refused() -> None:
    with pytest.raises(DataInvalid) as caught:
        parse("01/02/2024", "2024-02-02", date_format="%d/%m/%Y")
    assert (caught.value.id, caught.value.where) == ("data.time", "x.csv:3")


def test_the_odd_one_out_is_named_even_if_it_comes_first() -> None:
    with pytest.raises(DataInvalid, match=r"several date spellings: '01\.03\.2024'") as caught:
        parse("01.03.2024", "2024-03-02", "2024-03-03")
    assert caught.value.where == "x.csv:2"


@pytest.mark.parametrize(
    "damaged",
    [
        {"kind": "pickle", "pattern": "", "zone": ""},
        {"kind": "date", "pattern": "%x", "zone": ""},
        {"kind": "date", "pattern": "%-b", "zone": ""},
        {"kind": "iso", "pattern": "%Y%z", "zone": "\x1b[31m"},
    ],
)
def test_a_damaged_stored_format_is_refused(damaged: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        TimeFormat.from_json(damaged)


@pytest.mark.parametrize("cell", ["2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "2024-03-01 10:60"])
def test_a_date_that_no_calendar_has_is_refused(cell: str) -> None:
    with pytest.raises(DataInvalid) as caught:
        parse(cell, cell)
    assert caught.value.id == "data.time"
