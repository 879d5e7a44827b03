"""Several files as one panel: the same table as one long file gives, and an error where they do not fit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.data import many, source
from lstm_forecast.data.many import read_input
from lstm_forecast.data.offsets import parse_frequency
from lstm_forecast.data.panel import build_panel, check_missing
from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.errors import Busy, DataInvalid, DataMissing, ForecastError, UsageError
from tests.data.reading import ids

A = "date,close,volume\n2024-03-01,1.5,10\n2024-03-02,2.5,20\n2024-03-03,3.5,30\n"
B = "date,close,volume\n2024-03-02,7.5,70\n2024-03-03,8.5,80\n2024-03-04,,90\n"
LONG = "series,date,close,volume\n" + "".join(
    f"{name},{line}\n" for name, text in (("a", A), ("b", B)) for line in text.splitlines()[1:]
)
DEFAULT = ReadOptions()


def write(folder: Path, **texts: str | bytes) -> Path:
    """``NAME.csv`` with each of these texts."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def read(folder: Path, options: ReadOptions = DEFAULT, **texts: str | bytes) -> Table:
    return read_input(str(write(folder, **texts)), options)


def refused(folder: Path, options: ReadOptions = DEFAULT, **texts: str | bytes) -> ForecastError:
    with pytest.raises(ForecastError) as caught:
        read(folder, options, **texts)
    return caught.value


@pytest.mark.parametrize("covariates", [(), ("volume",)])
def test_the_table_is_that_of_one_long_file(covariates: tuple[str, ...], tmp_path: Path) -> None:
    options = ReadOptions(past_covariates=covariates)
    (tmp_path / "long.csv").write_text(LONG)
    long = read_table(tmp_path / "long.csv", options)
    for path in (write(tmp_path / "p", a=A, b=B), tmp_path / "p" / "*.csv", tmp_path / "p" / "**" / "?.csv"):
        table = read_input(str(path), options)
        for name in ("series", "times", "values"):
            np.testing.assert_array_equal(getattr(table, name), getattr(long, name))
        for name in ("series_ids", "columns", "time_name", "series_name", "time_format"):
            assert getattr(table, name) == getattr(long, name)
        assert table.lines.tolist() == [2, 3, 4, 2, 3, 4]
        assert table.place(4) == f"{tmp_path / 'p' / 'b.csv'}:3"


def test_the_source_is_what_was_given_with_the_sum_of_the_sizes(tmp_path: Path) -> None:
    write(tmp_path, a=A, b=B)
    (tmp_path / "c.csv.gz").write_bytes(zipped := gzip.compress(A.encode()))
    table = read(tmp_path)
    found = table.source
    assert (found.path, found.files) == (str(tmp_path), 3)
    assert found.size_bytes == len(A) + len(B) + len(zipped)
    assert (found.encoding, found.separator, found.decimal, found.header_line) == ("utf-8", ",", ".", 1)
    assert table.series_ids == ("a", "b", "c")


def test_a_file_with_several_series_gives_the_file_and_the_id(tmp_path: Path) -> None:
    long = LONG.replace("series", "symbol")
    table = read(tmp_path, m=long, a=A)
    assert table.series_ids == ("a", "m/a", "m/b")
    assert table.series.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert table.series_name == "series"
    assert (table.id_column, table.paths[1:]) == (None, (str(tmp_path / "m.csv"),) * 2)
    (tmp_path / "a.csv").write_text(long)
    assert read(tmp_path).id_column == "symbol"
    (tmp_path / "a.csv").write_text("symbol,date,close\nX,2024-03-01,1\n")
    table = read(tmp_path)
    assert (table.series_ids[0], table.id_column) == (
        "a",
        "symbol",
    )  # one id alone: the file's name is enough
    wide = read(tmp_path / "w", ReadOptions(target=("close", "volume")), a=A, b=B)
    assert wide.series_ids == ("a/close", "a/volume", "b/close", "b/volume")


def test_names_that_would_meet_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a=LONG, b=A)
    for folder in ("a", "c"):
        write(tmp_path / folder, b=A)
    with pytest.raises(DataInvalid, match="would both be 'a/b'") as caught:
        read_input(str(tmp_path / "**" / "*.csv"), DEFAULT)
    assert caught.value.id == "data.same_name"


def test_the_columns_of_the_first_file_are_required_in_the_others(tmp_path: Path) -> None:
    # alone, b would be forecast by its close: a known name goes before the only numbers
    table = read(tmp_path, a="date,load,x\n2024-03-01,1,text\n", b="date,close,load\n2024-03-01,5,6\n")
    assert table.columns == ("load",)
    assert table.values[:, 0].tolist() == [1.0, 6.0]


def test_another_target_names_both_files_and_both_columns(tmp_path: Path) -> None:
    error = refused(tmp_path, a=A, b=B.replace("close", "price"))
    assert (error.id, error.code, error.where) == ("data.files_differ", 11, f"{tmp_path / 'b.csv'}:1")
    assert error.message == f"no column 'close', the target of {tmp_path / 'a.csv'}"
    assert error.details == (
        f"{tmp_path / 'a.csv'}: the target is 'close'",
        f"{tmp_path / 'b.csv'}: alone it would be 'price'",
        "columns: date, price, volume",
    )
    assert "data.target" in error.hint
    assert read(tmp_path, ReadOptions(target="volume")).columns == ("volume",)


def test_a_column_that_was_named_is_missed_as_in_one_file(tmp_path: Path) -> None:
    error = refused(tmp_path, ReadOptions(target="close"), a=A, b=B.replace("close", "price"))
    assert (error.id, error.message) == ("data.column", "no column 'close' (data.target)")
    assert error.where == f"{tmp_path / 'b.csv'}:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (A.replace("date", "day"), "no column 'date', the column of times of {0}"),
        ("close\n1\n2\n", "no column 'date', the column of times of {0}"),
        (
            "date,close\n01.03.2024,1.5\n13.03.2024,2.5\n",
            "the times are written as %d.%m.%Y; expected as in {0}: as %Y-%m-%d",
        ),
        (
            "date,close\n2024-03-01T00:00Z,1.5\n2024-03-02T00:00Z,2.5\n",
            "the times are written as %Y-%m-%dT%H:%M%z; expected as in {0}: as %Y-%m-%d",
        ),
        (
            A.replace(",", ";").replace(".", ","),
            "the decimal mark is ','; expected as in {0}: '.'",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_named_with_what_differs(text: str, message: str, tmp_path: Path) -> None:
    error = refused(tmp_path, a=A, b=text)
    first, other = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    assert (error.id, error.where.removesuffix(":1")) == ("data.files_differ", other)
    assert error.message == message.format(first)
    assert error.hint


def test_times_below_where_the_first_file_has_none(tmp_path: Path) -> None:
    error = refused(tmp_path, a="close\n1\n2\n", b=A)
    assert error.message == (
        f"the times stand in 'date'; expected as in {tmp_path / 'a.csv'}: nowhere (rows are numbered)"
    )
    assert read(tmp_path / "n", a="close\n1\n2\n", b="close\n5\n").times.tolist() == [1, 2, 1]


def test_one_zone_for_all(tmp_path: Path) -> None:
    zoned = "t,y\n2024-03-01 00:00{0},1\n2024-03-01 01:00{0},2\n"
    error = refused(tmp_path / "z", a=zoned.format("+05:30"), b=zoned.format("-03:00"))
    assert error.message.startswith("the zone of the times is UTC-03:00; expected as in")
    assert error.message.endswith("UTC+05:30")
    same = read(tmp_path / "s", a=zoned.format("+00:00"), b=zoned.format("Z"))
    assert same.times[:2].tolist() == same.times[2:].tolist()


def test_ids_in_different_columns_are_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, a=LONG.replace("series", "store"), b=LONG.replace("series", "symbol"))
    assert error.message.startswith("the series are told apart by 'symbol'; expected as in")
    assert "data.series_id" in error.hint


def test_a_date_and_a_clock_apart_are_found_in_every_file(tmp_path: Path) -> None:
    text = "Date,Time,y\n2024-03-01,09:30,{0}\n2024-03-01,10:30,2\n"
    table = read(tmp_path, a=text.format(1), b=text.format(5))
    assert (table.time_name, table.time_column) == ("Date", None)
    assert (np.diff(table.times) / 3.6e9).tolist() == [1.0, -1.0, 1.0]
    error = refused(tmp_path, b="Date,y\n2024-03-01,1\n2024-03-02,2\n")
    assert "the times stand in 'Date'; expected as in" in error.message
    assert error.message.endswith("in 'Date' and 'Time'")


def test_integers_fit_beside_decimal_commas_and_numbers_without_a_zero_beside_those_with(
    tmp_path: Path,
) -> None:
    comma = "date;y\n9/30/2024;1,5\n10/1/2024;2,5\n"
    table = read(tmp_path, a="date;y\n11/12/2024;4\n11/13/2024;5\n", b=comma)
    assert table.values[:, 0].tolist() == [4.0, 5.0, 1.5, 2.5]
    assert table.time_format.format(table.times) == ["11/12/2024", "11/13/2024", "9/30/2024", "10/1/2024"]


def test_the_error_of_one_bad_file_is_its_own(tmp_path: Path) -> None:
    error = refused(tmp_path, a=A, b=B + "2024-03-05,1\n")
    assert (error.id, error.where) == ("data.ragged", f"{tmp_path / 'b.csv'}:5")
    error = refused(tmp_path, b=b"PK\x03\x04")
    assert (error.id, error.where) == ("data.kind", str(tmp_path / "b.csv"))
    error = refused(tmp_path, b="")
    assert (error.id, error.where) == ("data.empty", str(tmp_path / "b.csv"))


def test_a_link_to_nowhere_is_missed(tmp_path: Path) -> None:
    write(tmp_path, a=A)
    (tmp_path / "b.csv").symlink_to(tmp_path / "none.csv")
    with pytest.raises(DataMissing, match="no such file") as caught:
        read(tmp_path)
    assert caught.value.where == str(tmp_path / "b.csv")


def test_faults_that_are_found_later_name_the_file_too(tmp_path: Path) -> None:
    table = read(tmp_path, a=A, b=B)
    with pytest.raises(DataInvalid, match="1 empty cell") as caught:
        check_missing(table)
    assert caught.value.where == f"{tmp_path / 'b.csv'}:4"
    gap = read(tmp_path, b=B.replace("2024-03-03,8.5,80\n", ""))
    with pytest.raises(DataInvalid, match="1 time is missing") as caught:
        build_panel(gap, parse_frequency("D"), gaps="auto")
    assert caught.value.where == f"{tmp_path / 'b.csv'}, series b"
    plain = "t,y\n2024-03-01 00:00,1\n2024-03-02 00:00,2\n2024-03-03 00:00,3\n"
    noon = plain.replace("02 00", "02 12")
    table = read(tmp_path / "n", a=plain, b=noon)
    with pytest.raises(DataInvalid, match="between the steps") as caught:
        build_panel(table, parse_frequency("D"), gaps="auto")
    assert caught.value.where == str(tmp_path / "n" / "b.csv")


def test_rows_that_are_left_out_say_their_file_and_are_counted_together(tmp_path: Path) -> None:
    bad = {"a": A + "2024-03-04,x,1\n", "b": B + "2024-03-05,1\n2024-03-06,y,1\n"}
    table = read(tmp_path, ReadOptions(bad_rows="skip", max_bad_rows=3), **bad)
    assert [(row["file"], row["line"]) for row in table.rejects] == [
        (str(tmp_path / "a.csv"), 5),
        (str(tmp_path / "b.csv"), 5),
        (str(tmp_path / "b.csv"), 6),
    ]
    assert len(table.times) == 6
    with pytest.raises(DataInvalid, match="3 bad rows in 2 files, at most 2 allowed in all") as caught:
        read(tmp_path, ReadOptions(bad_rows="skip", max_bad_rows=2))
    assert (caught.value.id, caught.value.where) == ("data.bad_rows", f"{tmp_path / 'a.csv'}:5")


def test_what_is_done_to_many_files_is_said_once_with_a_count(tmp_path: Path) -> None:
    rows = A.splitlines()
    down = "\n".join([rows[0], *reversed(rows[1:])])  # newest first, and no newline at the end
    table = read(tmp_path, **{f"s{n:02}": down for n in range(30)}, t=A)
    assert ids(table) == ["data.tail_cut"]
    assert table.notices[0].message.startswith("s00.csv: the last line has no line end")
    assert table.notices[0].message.endswith("(the same in 29 other files)")
    assert len(table.account) <= 10
    assert table.account[0].startswith(f"{tmp_path}: 31 files, 93 rows, utf-8, separator comma")
    assert "in 30 files rows stood newest first; they were put in order of time" in table.account
    assert "series: 31, one per file: s00, s01, s02, s03 …" in table.account
    assert any("from 2024-03-01 to 2024-03-03" in line for line in table.account)
    single = read(tmp_path / "one", a=A.rstrip("\n"), b=B)
    assert single.notices[0].message.endswith("may be cut as well")
    with pytest.raises(DataInvalid, match="no line end"):
        read(tmp_path, ReadOptions(strict=True))


def test_the_span_and_the_sums_are_of_all_files(tmp_path: Path) -> None:
    double = B.rstrip("\n") + "\n2024-03-04,4,1\n\n"
    table = read(tmp_path, ReadOptions(duplicates="last"), a=A + "2024-03-03,9,9\n", b=double)
    assert "2 rows repeated a time: last was taken (data.duplicates)" in table.account
    assert any("from 2024-03-01 to 2024-03-04" in line for line in table.account)


def test_the_limit_of_bytes_is_for_all_files_together(tmp_path: Path) -> None:
    size = len(A) + len(B)
    assert len(read(tmp_path, ReadOptions(max_bytes=size), a=A, b=B).times) == 6
    error = refused(tmp_path, ReadOptions(max_bytes=size - 1))
    assert (error.id, error.where) == ("data.limit", str(tmp_path))
    assert "data.max_bytes" in error.hint
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(A.encode()))
    assert refused(tmp_path, ReadOptions(max_bytes=size - 1)).id == "data.limit"


@pytest.mark.parametrize("change", ["rewrite", "grow", "add", "remove", "rename", "remove next"])
def test_a_change_while_the_files_are_read_is_busy(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a=A, b=B, c=A)
    real = source.load

    def load(path: str, max_bytes: int) -> source.RawFile:
        raw = real(path, max_bytes)
        if path.endswith("b.csv"):  # a was read before
            first = tmp_path / "a.csv"
            if change == "rewrite":
                (tmp_path / "a.tmp").write_text(A)
                (tmp_path / "a.tmp").replace(first)
            elif change == "grow":
                first.write_text(A + "2024-03-04,1,1\n")
            elif change == "add":
                write(tmp_path, d=A)
            elif change == "remove":
                first.unlink()
            elif change == "remove next":
                (tmp_path / "c.csv").unlink()
            else:
                first.rename(tmp_path / "e.csv")
        return raw

    monkeypatch.setattr(source, "load", load)
    with pytest.raises(Busy) as caught:
        read(tmp_path)
    assert (caught.value.id, caught.value.code) == ("data.changed", 75)
    at_fault = {"add": "d.csv", "remove next": "c.csv"}.get(change, "a.csv")
    assert caught.value.where == str(tmp_path / at_fault)


def test_an_option_that_no_file_satisfies_is_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "find_files", None)
    with pytest.raises(UsageError):
        read(tmp_path, ReadOptions(thousands="x"), a=A)


def test_stdin_and_one_file_are_read_as_before(tmp_path: Path) -> None:
    write(tmp_path, a=A)
    table = read_input(str(tmp_path / "a.csv"), DEFAULT)
    assert (table.series_ids, table.source.files, table.paths) == (("close",), 1, ())
    assert table.place(1) == f"{tmp_path / 'a.csv'}:3"
    with pytest.raises(UsageError, match="remote"):
        read_input("https://host/*.csv", DEFAULT)
