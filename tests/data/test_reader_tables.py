"""Good files in every shape: the roles that are found, the rows that are left out, and what is said of it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.reader import ReadOptions, read_table
from lstm_forecast.errors import DataInvalid, UsageError
from tests.corpus.make import GOOD, HEAD, days
from tests.data.reading import ids, moments, read

CHINESE = "交易日期,股票代码,开盘价(元),最高价(元),收盘价（元）,成交量(手)\n"


def test_a_plain_file_gives_the_whole_table(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD)
    assert table.series_ids == ("Close",)
    assert table.series.tolist() == [0] * 9
    assert table.columns == ("Close",)
    assert (table.time_name, table.series_name) == ("Date", "series")
    assert table.time_format == TimeFormat("date", "%Y-%m-%d")
    assert table.header == ("Date", "Close", "Volume")
    assert table.lines.tolist() == list(range(2, 11))
    assert moments(table)[0] == "2024-03-01 00:00:00"
    assert [str(a.dtype) for a in (table.values, table.times, table.series)] == ["float64", "int64", "int64"]
    assert table.source.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert table.source.path == str(tmp_path / "x.csv")
    assert (table.source.size_bytes, table.source.header_line) == (len(GOOD), 1)
    assert (table.notices, table.rejects) == ((), ())


def test_the_account_names_the_key_of_each_guess(tmp_path: Path) -> None:
    account = read(tmp_path, GOOD).account
    dialect = "utf-8, separator comma, decimal '.'"
    assert account == (
        f"{tmp_path / 'x.csv'}: 9 rows, 3 columns, {dialect} (data.encoding, data.separator, data.decimal)",
        "column names in line 1 (data.header_row)",
        "time: column 'Date' (data.time), read as %Y-%m-%d, from 2024-03-01 to 2024-03-09 (data.date_format)",
        "target: column 'Close', known by its name (--target)",
        "series: 'Close' alone (data.series_id)",
    )


def test_an_exchange_export_in_chinese_is_read_with_suspended_days_and_totals_left_out(
    tmp_path: Path,
) -> None:
    text = (
        "平安银行历史行情\n\n"
        + CHINESE
        + "2024年3月1日,000001,1.0,1.2,1.1,100\n"
        + "2024年3月4日,000001,--,--,停牌,--\n"
        + "2024年3月5日,000001,1.2,1.3,--,300\n"
        + "2024年3月6日,000001,1.2,1.4,1.3,300\n"
        + "合计,,,,,700\n\n数据来源：行情终端\n"
    )
    table = read(tmp_path, text.encode("gb18030"))
    assert table.series_ids == ("000001",)
    assert table.series_name == "股票代码"
    assert table.columns == ("收盘价（元）",)
    np.testing.assert_array_equal(table.values[:, 0], [1.1, np.nan, 1.3])
    assert table.lines.tolist() == [4, 6, 7]
    assert table.time_format.format(table.times) == ["2024年3月1日", "2024年3月5日", "2024年3月6日"]
    assert ids(table) == ["data.total_lines"]
    assert "line 8, 10" in table.notices[0].message
    assert "1 row without any trade (every value a mark such as --) left out" in table.account
    assert "column names in line 3; 1 other line above the data left out (data.header_row)" in table.account


def test_a_row_with_empty_values_and_no_mark_is_kept_as_missing(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD + "2024-03-10,,\n")
    assert len(table.times) == 10
    assert np.isnan(table.values[-1, 0])


def test_a_total_below_is_cut_off_with_a_warning(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD + "Total,45.5,450\n")
    assert len(table.times) == 9
    assert ids(table) == ["data.total_lines"]
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, GOOD + "Total,45.5,450\n", ReadOptions(strict=True))
    assert caught.value.id == "data.total_lines"


def test_a_series_called_total_is_no_total(tmp_path: Path) -> None:
    table = read(
        tmp_path, "region,date,y\nA,2024-03-01,1\nTotal,2024-03-01,2\nA,2024-03-02,3\nTotal,2024-03-02,4\n"
    )
    assert table.series_ids == ("A", "Total")
    assert table.values[:, 0].tolist() == [1.0, 3.0, 2.0, 4.0]


def test_the_three_header_rows_of_yfinance_are_read(tmp_path: Path) -> None:
    text = "Price,Close,High\nTicker,AAPL,AAPL\nDate,,\n2024-01-02,5,6\n2024-01-03,7,8\n"
    table = read(tmp_path, text)
    assert table.header == ("Date", "Close", "High")
    assert table.values[:, 0].tolist() == [5.0, 7.0]
    assert table.lines.tolist() == [4, 5]
    assert "column names in lines 1-3, as yfinance writes them (data.header_row)" in table.account


SEVERAL = "Price,Close,Close,Volume,Volume\nTicker,AAPL,MSFT,AAPL,MSFT\nDate,,,,\n"
SEVERAL += "2024-01-02,5,6,1,2\n2024-01-03,7,8,1,2\n"


def test_a_yfinance_file_of_several_tickers_asks_for_one(tmp_path: Path) -> None:
    for target in (None, "Close"):
        with pytest.raises(DataInvalid, match="a file of 2 tickers: AAPL, MSFT") as caught:
            read(tmp_path, SEVERAL, ReadOptions(target=target))
        assert caught.value.id == "data.target"
        assert caught.value.hint.startswith("choose one: --target 'Close AAPL'")
    assert read(tmp_path, SEVERAL, ReadOptions(target="Close MSFT")).values[:, 0].tolist() == [6.0, 8.0]
    wide = read(tmp_path, SEVERAL, ReadOptions(target=("Close AAPL", "Close MSFT")))
    assert wide.series_ids == ("Close AAPL", "Close MSFT")


def test_a_wide_file_gives_one_series_per_column_with_shared_covariates(tmp_path: Path) -> None:
    text = "date,a,b,c\n2024-03-01,1,10,5\n2024-03-02,2,,6\n"
    table = read(tmp_path, text, ReadOptions(target=("b", "a"), past_covariates=("c",)))
    assert table.series_ids == ("b", "a")
    assert table.columns == ("value", "c")
    assert table.series.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(table.values, [[10, 5], [np.nan, 6], [1, 5], [2, 6]])
    assert table.lines.tolist() == [2, 3, 2, 3]


def test_a_wide_file_has_no_id_column(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no id column"):
        read(tmp_path, GOOD, ReadOptions(target=("Close",), series_id="Volume"))
    with pytest.raises(UsageError, match="an empty list of targets"):
        read(tmp_path, GOOD, ReadOptions(target=()))


def test_a_file_without_header_has_numbered_columns(tmp_path: Path) -> None:
    for options in (ReadOptions(target="2"), ReadOptions(target="2", header_row=None)):
        table = read(tmp_path, days(3), options)
        assert table.header == ("1", "2", "3")
        assert (table.time_name, table.columns) == ("1", ("2",))
        assert table.values[:, 0].tolist() == [1.5, 2.5, 3.5]
        assert table.source.header_line is None


def test_a_file_without_time_column_is_numbered_by_rows(tmp_path: Path) -> None:
    table = read(tmp_path, "value\n5\n6\n7\n")
    assert (table.time_name, table.time_format.kind) == ("row", "row")
    assert table.times.tolist() == [1, 2, 3]
    assert "no time column: rows are numbered 1, 2, … (data.time)" in table.account


def test_rows_of_each_series_are_numbered_on_their_own(tmp_path: Path) -> None:
    table = read(tmp_path, "id,value\nb,1\na,2\nb,3\na,4\n", ReadOptions(series_id="id"))
    assert table.series_ids == ("b", "a")
    assert table.times.tolist() == [1, 2, 1, 2]
    assert table.values[:, 0].tolist() == [1.0, 3.0, 2.0, 4.0]


def test_a_given_header_line_and_skipped_lines_are_followed(tmp_path: Path) -> None:
    text = "2024-01-01,7,7\nDate,Close,Volume\nday,usd,pieces 1\n" + days(3)
    table = read(tmp_path, text, ReadOptions(header_row=2, skip_rows=1))
    assert table.header == ("Date", "Close", "Volume")
    assert table.lines.tolist() == [4, 5, 6]
    with pytest.raises(DataInvalid, match="no column names in line 77") as caught:
        read(tmp_path, text, ReadOptions(header_row=77))
    assert caught.value.id == "data.header_row"


def test_title_lines_comments_units_and_empty_rows_are_left_out(tmp_path: Path) -> None:
    text = (
        "Report of prices,,\n# made by hand\n\nDate,Close,Volume\n,USD,pieces\n"
        + days(3)
        + ",,\n\n"
        + days(1, 4)
    )
    table = read(tmp_path, text)
    assert table.header == ("Date", "Close", "Volume")
    assert table.lines.tolist() == [6, 7, 8, 11]
    assert "column names in line 4; 3 other lines above the data left out (data.header_row)" in table.account
    assert "1 row without any content left out" in table.account


def test_the_separator_that_excel_announces_is_followed(tmp_path: Path) -> None:
    table = read(tmp_path, "\ufeffsep=;\nDate;Close\n2024-03-01;1,5\n2024-03-02;2,5\n")
    assert table.values[:, 0].tolist() == [1.5, 2.5]
    assert table.source.header_line == 2


def test_an_index_column_without_name_is_ignored_unless_it_holds_the_dates(tmp_path: Path) -> None:
    assert read(tmp_path, ",Date,Close\n0,2024-03-01,1\n1,2024-03-02,2\n").values[:, 0].tolist() == [1.0, 2.0]
    table = read(tmp_path, ",Close\n2024-03-01,1\n2024-03-02,2\n")
    assert moments(table) == ["2024-03-01 00:00:00", "2024-03-02 00:00:00"]
    assert table.time_name == "time"


def test_date_and_clock_in_two_columns_are_joined(tmp_path: Path) -> None:
    text = "<DATE>\t<TIME>\t<CLOSE>\t<VOL>\n2024.03.01\t13:00:00\t5\t6\n2024.03.01\t14:00:00\t7\t8\n"
    table = read(tmp_path, text)
    assert moments(table) == ["2024-03-01 13:00:00", "2024-03-01 14:00:00"]
    assert table.columns == ("<CLOSE>",)
    assert table.time_format.format(table.times)[0] == "2024.03.01 13:00:00"


def test_times_with_a_zone_are_kept_in_utc_and_written_in_their_zone(tmp_path: Path) -> None:
    table = read(tmp_path, "time,y\n2024-03-01T00:00:00+08:00,1\n2024-03-01T01:00:00+08:00,2\n")
    assert moments(table) == ["2024-02-29 16:00:00", "2024-02-29 17:00:00"]
    assert table.time_format.format(table.times)[0] == "2024-03-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("Date,Adj Close,Close", "Close"),
        ("Date,Open,Adj_Close", "Adj_Close"),
        ("日期,开盘,收盘", "收盘"),
        ("ds,x,y", "y"),
        ("timestamp,temperature,LOAD", "LOAD"),
        ("日期,单价,销量", "销量"),
        ("Date,Close [USD],Open", "Close [USD]"),
        ("Datum,a,Price", "Price"),
    ],
)
def test_the_target_is_known_by_its_name(header: str, chosen: str, tmp_path: Path) -> None:
    table = read(tmp_path, header + "\n2024-03-01,1,2\n2024-03-02,3,4\n")
    assert table.columns == (chosen,)
    assert table.values[0, 0] == [1.0, 2.0][header.split(",").index(chosen) - 1]


def test_the_only_numbers_are_the_target(tmp_path: Path) -> None:
    table = read(tmp_path, "Month,note,Passengers\n1949-01,a,112\n1949-02,b,118\n")
    assert table.columns == ("Passengers",)
    assert table.time_name == "Month"


def test_several_candidates_are_listed_with_the_flag(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, "date,HUFL,OT\n2024-03-01,1,2\n2024-03-02,3,4\n")
    assert caught.value.id == "data.target"
    assert caught.value.details == ("candidates: HUFL, OT",)
    assert "--target 'OT'" in caught.value.hint


def test_no_numbers_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no column of numbers") as caught:
        read(tmp_path, "date,a\n2024-03-01,x\n2024-03-02,y\n")
    assert caught.value.id == "data.target"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (ReadOptions(target="Clsoe"), "data.target"),
        (ReadOptions(time="Dat"), "data.time"),
        (ReadOptions(series_id="tickr"), "data.series_id"),
        (ReadOptions(past_covariates=("Volum",)), "data.past_covariates"),
    ],
)
def test_a_name_that_is_not_there_is_corrected(options: ReadOptions, key: str, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, "Date,Close,Volume,ticker\n2024-03-01,1,2,a\n", options)
    assert caught.value.id == "data.column"
    assert f"({key})" in caught.value.message
    assert caught.value.hint.startswith("did you mean '")
    assert caught.value.details == ("columns: Date, Close, Volume, ticker",)


def test_a_column_with_two_roles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="column 'Close' has two roles"):
        read(tmp_path, GOOD, ReadOptions(target="Close", past_covariates=("Close",)))


def test_covariates_stand_behind_the_target_in_the_given_order(tmp_path: Path) -> None:
    text = "Date,Close,Volume,High\n2024-03-01,1,2,3\n2024-03-02,4,5,6\n"
    table = read(tmp_path, text, ReadOptions(past_covariates=("High", "Volume")))
    assert table.columns == ("Close", "High", "Volume")
    assert table.values.tolist() == [[1.0, 3.0, 2.0], [4.0, 6.0, 5.0]]


PANEL = "date,store,kind,y\n2024-03-01,007,x,1\n2024-03-01,07,x,2\n2024-03-02,007,x,3\n2024-03-02,07,x,4\n"


def test_an_id_column_is_found_where_it_makes_times_unique_and_keeps_its_zeros(tmp_path: Path) -> None:
    table = read(tmp_path, PANEL)
    assert (table.series_name, table.series_ids) == ("store", ("007", "07"))
    assert table.series.tolist() == [0, 0, 1, 1]
    assert table.values[:, 0].tolist() == [1.0, 3.0, 2.0, 4.0]
    assert "series: 2 in column 'store': 007, 07 (data.series_id)" in table.account


def test_an_id_column_that_explains_nothing_is_left_alone(tmp_path: Path) -> None:
    table = read(tmp_path, "date,id,y\n2024-03-01,1,5\n2024-03-02,2,6\n2024-03-03,3,7\n")
    assert table.series_ids == ("y",)


def test_a_stray_duplicate_in_a_panel_is_reported_with_its_series(tmp_path: Path) -> None:
    rows = "".join(f"2024-{m:02d}-{d:02d},{s},1\n" for m in range(1, 13) for d in range(1, 28) for s in "ab")
    with pytest.raises(DataInvalid, match="several rows at 2024-01-01 of series 'a'") as caught:
        read(tmp_path, "date,store,y\n" + rows + "2024-01-01,a,2\n")
    assert caught.value.id == "data.duplicates"


def test_a_named_id_column_with_an_empty_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, PANEL + "2024-03-03,,x,5\n", ReadOptions(series_id="store"))
    assert (caught.value.id, caught.value.where) == ("data.series_id", f"{tmp_path / 'x.csv'}:6")


def test_series_come_in_order_of_first_appearance(tmp_path: Path) -> None:
    table = read(tmp_path, "date,id,y\n2024-03-02,z,1\n2024-03-02,a,2\n2024-03-01,z,3\n2024-03-01,a,4\n")
    assert table.series_ids == ("z", "a")
    assert table.values[:, 0].tolist() == [3.0, 1.0, 4.0, 2.0]
    assert ids(table) == []


def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD.encode())
    table = read(tmp_path, packed, name="x.data")
    assert table.values[:, 0].tolist() == [day + 0.5 for day in range(1, 10)]
    assert table.source.sha256 == hashlib.sha256(packed).hexdigest()
    assert table.source.size_bytes == len(packed)


def test_a_plain_file_called_gz_is_read_as_it_is(tmp_path: Path) -> None:
    assert len(read(tmp_path, GOOD, name="x.csv.gz").times) == 9


def test_the_date_format_is_used_for_the_column_and_its_output(tmp_path: Path) -> None:
    text = "Date,Close\n01/02/2024,1\n02/02/2024,2\n"
    table = read(tmp_path, text, ReadOptions(date_format="%m/%d/%Y"))
    assert moments(table) == ["2024-01-02 00:00:00", "2024-02-02 00:00:00"]
    assert table.time_format.format(table.times) == ["01/02/2024", "02/02/2024"]


def test_decimal_and_thousands_can_be_named(tmp_path: Path) -> None:
    text = "d;y\n2024-03-01;1.500\n2024-03-02;20.000\n"
    assert read(tmp_path, text, ReadOptions(decimal=",")).values[:, 0].tolist() == [1500.0, 20000.0]
    assert read(tmp_path, text, ReadOptions(thousands=".")).values[:, 0].tolist() == [1500.0, 20000.0]
    assert read(tmp_path, text, ReadOptions(decimal=".")).values[:, 0].tolist() == [1.5, 20.0]
    mixed = 'd,y\n2024-03-01,"1,500"\n2024-03-02,2500\n'
    assert read(tmp_path, mixed, ReadOptions(thousands=",")).values[:, 0].tolist() == [1500.0, 2500.0]


def test_the_separator_can_be_named(tmp_path: Path) -> None:
    text = "d:y\n2024-03-01:1\n2024-03-02:2\n"
    assert read(tmp_path, text, ReadOptions(separator=":")).values[:, 0].tolist() == [1.0, 2.0]
    assert read(tmp_path, GOOD.replace(",", "\t"), ReadOptions(separator="tab")).source.separator == "\t"


@pytest.mark.parametrize(
    "options",
    [
        ReadOptions(decimal=";"),
        ReadOptions(thousands="x"),
        ReadOptions(thousands=".", decimal="."),
        ReadOptions(thousands=",", decimal=","),
        ReadOptions(separator="::"),
        ReadOptions(header_row=0),
    ],
)
def test_an_option_that_no_file_could_satisfy_is_a_usage_error(options: ReadOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, GOOD, options)
    assert caught.value.code == 2
    assert caught.value.id.startswith("data.")


def test_the_account_never_has_more_than_ten_lines(tmp_path: Path) -> None:
    text = (
        "title\n\n日期,代码,收盘价,备注,\n\n"
        '2024-03-04,1,"1,004",a,\n2024-03-03,1,--,,\n,,,,\n'
        '2024-03-02,1,"1,002",a,\n2024-03-02,1,"1,003",a,\n2024-03-01,1,"1,001",a,\n'
    )
    table = read(tmp_path, text, ReadOptions(duplicates="last", skip_rows=1))
    assert table.values[:, 0].tolist() == [1001.0, 1003.0, 1004.0]
    assert len(table.account) == 10
    assert "1 column without a name and 1 row without any content left out" in table.account[-1]


def test_a_path_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(HEAD + days(2))
    assert len(read_table(str(tmp_path / "x.csv"), ReadOptions()).times) == 2


@pytest.mark.parametrize(
    "first", ["01.03.2024", "2024.03.01", "2024-03-01", "1 Mar 2024", "2024Q1", "2024年3月"]
)
def test_dates_are_known_under_any_header(first: str, tmp_path: Path) -> None:
    table = read(tmp_path, f"note,wann,y\na,{first},1\n")
    assert table.time_name == "wann"
    assert table.time_format.format(table.times) == [first]


@pytest.mark.parametrize("cell", ["20240301", "2024.03", "1990", "1709251200"])
def test_plain_numbers_are_times_only_under_a_header_that_says_so(cell: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"wann,y\n{cell},1\n").time_name == "row"
    table = read(tmp_path, f"time,y\n{cell},1\n")
    assert table.time_name == "time"
    assert table.time_format.format(table.times) == [cell]
