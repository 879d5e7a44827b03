"""The fault matrix, rows 1 to 11, 20, 67 and 68: every broken file gives its error, and never a number."""

from __future__ import annotations

import errno
import gzip
import io
import os
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from lstm_forecast.data import source
from lstm_forecast.data.reader import ReadOptions, read_table
from lstm_forecast.errors import Busy, DataInvalid, DataMissing, ForecastError, UsageError
from tests.corpus.make import CASES, GOOD, HEAD, Case, cases, days, write
from tests.data.reading import ids, moments, read

DEFAULT = ReadOptions()


def assert_refused(case: Case, folder: Path) -> ForecastError:
    path = folder / case.file
    path.write_bytes(case.content)
    with pytest.raises(ForecastError) as caught:
        read_table(path, case.options)
    assert (caught.value.id, caught.value.code) == (case.id, case.code), str(caught.value)
    assert caught.value.hint
    place = caught.value.where.removeprefix(str(path))
    assert caught.value.where.startswith(str(path))
    if case.line is not None:
        assert place == f":{case.line}", str(caught.value)
    return caught.value


def by_row(row: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(row), ids=lambda case: case.name)


def test_the_corpus_has_unique_names_and_is_written_the_same_way_twice(tmp_path: Path) -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    write(tmp_path / "a")
    write(tmp_path / "b")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_row_1_a_missing_path_names_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(GOOD)
    with pytest.raises(DataMissing) as caught:
        read_table(tmp_path / "price.csv", DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.not_found", 10)
    assert caught.value.hint == f"did you mean {tmp_path / 'prices.csv'}?"


def test_row_1_a_missing_path_lists_tables_where_no_name_is_near(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(GOOD)
    with pytest.raises(DataMissing) as caught:
        read_table(tmp_path / "zzz", DEFAULT)
    assert caught.value.details == ("files there: prices.csv",)


def test_row_1_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"the folder .*nowhere does not exist"):
        read_table(tmp_path / "nowhere" / "x.csv", DEFAULT)


def test_row_1_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="is a directory") as caught:
        read_table(tmp_path, DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.not_found", 10)


def test_row_1_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", refuse)  # chmod does not stop root
    with pytest.raises(DataMissing, match="cannot be read: Permission denied") as caught:
        read_table(tmp_path / "x.csv", DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.not_found", 10)


def test_row_1_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DataMissing) as caught:
        read_table("x" * 5000, DEFAULT)
    assert caught.value.id == "data.not_found"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_row_1_stdin_on_a_terminal_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal())
    with pytest.raises(UsageError) as caught:
        read_table("-", DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.stdin", 2)


def test_row_1_stdin_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(GOOD.encode()))))
    table = read_table("-", DEFAULT)
    assert table.source.path == "-"
    assert table.values[:, 0].tolist() == [day + 0.5 for day in range(1, 10)]


@by_row(2)
def test_row_2_a_file_without_rows_is_empty(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


@by_row(3)
def test_row_3_rows_that_all_differ_from_the_header_are_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


def test_row_3_the_message_shows_the_row_and_both_widths(tmp_path: Path) -> None:
    error = assert_refused(cases(3)[0], tmp_path)
    assert error.message == "expected 2 fields, found 3"
    assert error.details == ("row: 1,2,3",)


def test_row_3_an_empty_last_column_in_header_and_rows_is_read_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, "Date,Close,\n2024-03-01,2,\n2024-03-02,5,\n")
    assert table.values[:, 0].tolist() == [2.0, 5.0]
    assert table.account[-1] == "1 column without a name left out"


@by_row(4)
def test_row_4_a_row_of_another_width_is_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


BROKEN = (
    HEAD + days(9) + "2024-03-10,1,2,3\n2024-03-11,x,2\n2024-03-12,1,2\n2024-03-99,1,2\n2024-03-13,inf,2\n"
)


def test_row_4_bad_rows_are_skipped_on_request_and_listed(tmp_path: Path) -> None:
    table = read(tmp_path, BROKEN, ReadOptions(bad_rows="skip", max_bad_rows=4))
    assert table.lines.tolist() == [*range(2, 11), 13]
    assert [reject["line"] for reject in table.rejects] == [11, 12, 14, 15]
    assert table.rejects[0] == {
        "line": 11,
        "reason": "expected 3 fields, found 4",
        "row": "2024-03-10,1,2,3",
    }
    assert table.rejects[2]["reason"] == "column 'Date': '2024-03-99' cannot be read"
    assert ids(table) == ["data.bad_rows"]
    assert table.notices[0].message == "4 bad rows left out, the first in line 11"


def test_row_4_more_bad_rows_than_allowed_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="4 bad rows, at most 3 allowed") as caught:
        read(tmp_path, BROKEN, ReadOptions(bad_rows="skip", max_bad_rows=3))
    assert caught.value.id == "data.bad_rows"
    assert caught.value.hint == "correct them, or set data.max_bad_rows: 4"


@by_row(5)
def test_row_5_a_dialect_that_cannot_be_told_is_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", ","), ("\t", "."), ("\t", ","), ("|", "."), (";", ".")]
)
def test_row_5_separator_and_decimal_mark_are_found_and_said(
    separator: str, decimal: str, tmp_path: Path
) -> None:
    text = GOOD.replace(".", decimal).replace(",", ";") if separator == ";" and decimal == "." else GOOD
    if separator != ";" or decimal == ",":
        text = GOOD.replace(",", separator).replace(".", decimal)
    table = read(tmp_path, text)
    assert (table.source.separator, table.source.decimal) == (separator, decimal)
    assert table.values[:, 0].tolist() == [day + 0.5 for day in range(1, 10)]
    name = {";": "semicolon", "\t": "tab", "|": "pipe"}[separator]
    assert f"separator {name}, decimal '{decimal}'" in table.account[0]


@by_row(6)
def test_row_6_bytes_that_are_no_text_are_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


CHINESE = "日期,收盘价\n2024-03-01,1.5\n2024-03-02,2.5\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CHINESE.encode(), "utf-8"),
        (CHINESE.encode("utf-8-sig"), "utf-8-sig"),
        (CHINESE.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "utf-16"),
        (CHINESE.encode("gb18030"), "gb18030"),
    ],
)
def test_row_6_encodings_that_can_be_known_give_one_result(
    content: bytes, encoding: str, tmp_path: Path
) -> None:
    table = read(tmp_path, content)
    assert table.source.encoding == encoding
    assert table.header == ("日期", "收盘价")
    assert table.values.tolist() == [[1.5], [2.5]]
    assert table.notices == ()


def test_row_6_a_named_encoding_is_used(tmp_path: Path) -> None:
    table = read(tmp_path, "Datum;Größe\n01.03.2024;1,5\n".encode("latin-1"), ReadOptions(encoding="cp1252"))
    assert table.header == ("Datum", "Größe")
    with pytest.raises(UsageError, match="no text encoding is called 'utf-9'"):
        read(tmp_path, GOOD, ReadOptions(encoding="utf-9"))


@by_row(7)
def test_row_7_an_open_quote_names_the_line_where_it_opens(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_row_7_line_ends_do_not_change_the_table(end: str, tmp_path: Path) -> None:
    plain, other = read(tmp_path, GOOD), read(tmp_path, GOOD.replace("\n", end))
    np.testing.assert_array_equal(plain.values, other.values)
    np.testing.assert_array_equal(plain.times, other.times)
    np.testing.assert_array_equal(plain.lines, other.lines)


def test_row_7_mixed_line_ends_and_quoted_newlines_are_read(tmp_path: Path) -> None:
    text = 'Date,Note,Close\r\n2024-03-01,"two\nlines",1.5\r2024-03-02,one,2.5\n'
    table = read(tmp_path, text)
    assert table.values.tolist() == [[1.5], [2.5]]
    assert table.lines.tolist() == [2, 4]


@by_row(8)
def test_row_8_a_cell_that_is_no_plain_number_is_refused(case: Case, tmp_path: Path) -> None:
    error = assert_refused(case, tmp_path)
    assert error.details


def test_row_8_the_first_three_cells_are_shown_with_the_count(tmp_path: Path) -> None:
    rows = "".join(f"2024-03-{day:02d},${day}\n" for day in range(1, 10))
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, "Date,Close\n" + rows)
    assert caught.value.message == "column 'Close': 9 cells not readable as a number"
    assert caught.value.details == ("line 2: $1", "line 3: $2", "line 4: $3", "… and 6 more")


def test_row_8_a_column_that_is_grouped_throughout_is_read_and_said(tmp_path: Path) -> None:
    text = 'Date,Close\n2024-03-01,"1,234,567"\n2024-03-02,"-12,345.5"\n2024-03-03,999\n'
    table = read(tmp_path, text)
    assert table.values[:, 0].tolist() == [1234567.0, -12345.5, 999.0]
    assert "thousands are marked in Close (data.thousands)" in table.account


def test_row_8_a_column_that_nobody_uses_may_hold_anything(tmp_path: Path) -> None:
    table = read(tmp_path, "Date,Close,Note\n2024-03-01,1,$5\n2024-03-02,2,−\n")
    assert table.values.tolist() == [[1.0], [2.0]]


def test_row_9_the_spellings_of_nothing_are_nan(tmp_path: Path) -> None:
    spellings = ["", "NaN", "nan", "NA", "N/A", "null", "None", "NULL", "-", "--", "#N/A", "停牌", "."]
    rows = "".join(f"2024-03-{n:02d},{spelling},7\n" for n, spelling in enumerate(spellings, start=1))
    table = read(tmp_path, HEAD + rows + "2024-03-20,5,7\n")
    assert np.isnan(table.values[:-1, 0]).all()
    assert table.values[-1, 0] == 5.0
    assert len(table.values) == len(spellings) + 1


def test_row_9_own_spellings_of_nothing_are_nan_even_if_they_are_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD + "2024-03-10,-999,1\n", ReadOptions(na_values=("-999",)))
    assert np.isnan(table.values[-1, 0])
    assert table.values[0, 0] == 1.5


@by_row(9)
def test_row_9_infinity_is_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


@by_row(10)
def test_row_10_times_that_can_be_read_two_ways_are_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


def test_row_10_the_ambiguous_date_names_both_settings(tmp_path: Path) -> None:
    case = next(case for case in cases(10) if case.name == "ambiguous")
    assert assert_refused(case, tmp_path).hint == (
        'set data.date_format: "%d/%m/%Y" (day first) or "%m/%d/%Y" (month first)'
    )


def test_row_10_unsorted_rows_are_sorted_with_a_warning(tmp_path: Path) -> None:
    table = read(tmp_path, HEAD + days(1, 3) + days(1, 1) + days(1, 2))
    assert table.values[:, 0].tolist() == [1.5, 2.5, 3.5]
    assert table.lines.tolist() == [3, 4, 2]
    assert ids(table) == ["data.unsorted"]


def test_row_10_newest_first_is_said_without_a_warning(tmp_path: Path) -> None:
    table = read(tmp_path, HEAD + days(1, 3) + days(1, 2) + days(1, 1))
    assert table.values[:, 0].tolist() == [1.5, 2.5, 3.5]
    assert table.notices == ()
    assert "rows stood newest first; they were put in order of time" in table.account


@pytest.mark.parametrize(
    ("policy", "expected"), [("first", 1.0), ("last", 4.0), ("sum", 7.0), ("mean", 7.0 / 3)]
)
def test_row_10_duplicates_follow_the_policy(
    policy: Literal["first", "last", "sum", "mean"], expected: float, tmp_path: Path
) -> None:
    text = "Date,Close\n2024-03-01,1\n2024-03-01,2\n2024-03-01,\n2024-03-01,4\n2024-03-02,\n"
    table = read(tmp_path, text, ReadOptions(duplicates=policy))
    assert table.values[0, 0] == pytest.approx(expected, rel=1e-15)
    assert np.isnan(table.values[1, 0])
    assert moments(table) == ["2024-03-01 00:00:00", "2024-03-02 00:00:00"]


def test_row_10_duplicates_that_an_id_column_would_explain_name_it(tmp_path: Path) -> None:
    text = "Date,branch,Close\n2024-03-01,a,1\n2024-03-01,b,2\n2024-03-02,a,1\n2024-03-02,b,2\n"
    with pytest.raises(DataInvalid, match="several rows at 2024-03-01: lines 2, 3") as caught:
        read(tmp_path, text)
    assert "data.series_id: branch (--series-id 'branch')" in caught.value.hint
    assert "data.duplicates: last" in caught.value.hint


@by_row(11)
def test_row_11_other_kinds_of_file_and_cut_files_are_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


def test_row_11_a_last_line_without_end_is_a_warning_and_an_error_if_strict(tmp_path: Path) -> None:
    cut = "Date,Close\n2024-03-01,1.5\n2024-03-02,2."
    assert ids(read(tmp_path, cut)) == ["data.tail_cut"]
    assert ids(read(tmp_path, cut + "\n")) == []
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, cut, ReadOptions(strict=True))
    assert (caught.value.id, caught.value.code) == ("data.tail_cut", 11)


def test_row_11_a_row_that_is_cut_off_says_so(tmp_path: Path) -> None:
    case = next(case for case in cases(11) if case.name == "cut_row")
    assert "the file seems to be cut off here" in assert_refused(case, tmp_path).hint


def test_row_11_a_file_that_changes_while_it_is_read_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(GOOD)
    whole = source._read_all

    def read_and_append(stream: io.BufferedReader, name: str, max_bytes: int) -> bytes:
        content = whole(stream, name, max_bytes)
        with path.open("a") as other:
            other.write(days(1, 10))
        return content

    monkeypatch.setattr(source, "_read_all", read_and_append)
    with pytest.raises(Busy) as caught:
        read_table(path, DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.changed", 75)


def test_row_11_a_file_that_is_replaced_while_it_is_read_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(GOOD)
    whole = source._read_all

    def read_and_replace(stream: io.BufferedReader, name: str, max_bytes: int) -> bytes:
        content = whole(stream, name, max_bytes)
        (tmp_path / "new").write_text(GOOD)
        (tmp_path / "new").replace(path)
        return content

    monkeypatch.setattr(source, "_read_all", read_and_replace)
    with pytest.raises(Busy):
        read_table(path, DEFAULT)


@by_row(20)
def test_row_20_values_beyond_float32_are_refused(case: Case, tmp_path: Path) -> None:
    assert_refused(case, tmp_path)


def test_row_20_integers_that_float64_cannot_hold_are_rounded_with_a_warning(tmp_path: Path) -> None:
    table = read(tmp_path, f"Date,Close\n2024-03-01,{2**53}\n2024-03-02,{2**53 + 1}\n2024-03-03,{2**60}\n")
    assert table.values[:, 0].tolist() == [float(2**53), float(2**53), float(2**60)]
    assert ids(table) == ["data.precision"]
    assert table.notices[0].message.startswith("1 integer beyond 2^53")


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"2024-03-01,1\n" * 80_000
    parts = [packer.compress(block) for _ in range(size // len(block) + 1)]
    return b"".join([*parts, packer.flush()])


def test_row_67_a_gzip_bomb_is_stopped_before_it_fills_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(_bomb(100 * 2**20))
    tracemalloc.start()
    with pytest.raises(DataInvalid, match="more than 62,914,560 bytes") as caught:
        read_table(path, ReadOptions(max_bytes=60 * 2**20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (caught.value.id, caught.value.code) == ("data.limit", 11)
    assert peak < 12 * 2**20


def test_row_67_a_very_long_line_is_refused_plain_or_packed(tmp_path: Path) -> None:
    line = b"0" * (3 * 2**20)
    for content in (line, gzip.compress(line)):
        (tmp_path / "x.csv").write_bytes(content)
        with pytest.raises(DataInvalid, match="a line is longer than 1 MiB") as caught:
            read_table(tmp_path / "x.csv", DEFAULT)
        assert caught.value.id == "data.limit"


def test_row_67_a_plain_file_is_held_to_the_limit_too(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="more than 100 bytes"):
        read(tmp_path, GOOD, ReadOptions(max_bytes=100))
    assert len(read(tmp_path, GOOD, ReadOptions(max_bytes=len(GOOD))).times) == 9


@pytest.mark.parametrize(
    "path",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/x.csv",
        "s3://bucket/x.csv",
        "file:///etc/passwd",
        "simplecache::http://example.org/x.csv",
        "ftp://example.org/x.csv",
        Path("http://example.org/x.csv"),
    ],
)
def test_row_68_remote_addresses_are_refused(path: str | Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_table(path, DEFAULT)
    assert (caught.value.id, caught.value.code) == ("data.remote_disabled", 2)


def test_row_69_control_characters_of_a_file_are_spelled_out(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, "Date,Close\n2024-03-01,\x1b[31mred\n2024-03-02,1\n")
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[31mred" in str(caught.value)
