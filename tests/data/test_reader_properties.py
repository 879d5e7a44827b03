"""Any small table in any dialect comes back as it was, or is refused; it never comes back different."""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.errors import ForecastError
from tests.corpus.make import GOOD

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
SPELLINGS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y%m%d", "%d %b %Y", "%Y年%m月%d日", "%d/%m/%Y")

numbers = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.integers(-(10**9), 10**9).map(float),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[float | None], list[float | None], date]:
    count = draw(st.integers(2, 12))
    column = st.lists(numbers, min_size=count, max_size=count)
    return draw(column), draw(column), draw(st.dates(date(1950, 1, 1), date(2090, 1, 1)))


def spell(number: float | None, decimal: str, *, is_grouped: bool) -> str:
    if number is None:
        return ""
    text = f"{number:,.3f}" if is_grouped else repr(number)
    if is_grouped and decimal == ",":
        return text.translate(str.maketrans(",.", ".,"))
    return text.replace(".", decimal)


def same(cell: float | None, found: float) -> bool:
    return math.isnan(found) if cell is None else found == cell


def read_or_refuse(path: Path, options: ReadOptions) -> Table | ForecastError:
    try:
        return read_table(path, options)
    except ForecastError as error:
        return error


@QUIET
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    is_grouped=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    spelling=st.sampled_from(SPELLINGS),
    title=st.booleans(),
)
def test_a_table_in_any_dialect_is_read_right_or_refused(
    tmp_path: Path,
    table: tuple[list[float | None], list[float | None], date],
    separator: str,
    decimal: str,
    is_grouped: bool,
    quoting: Literal[0, 1],
    end: str,
    encoding: str,
    spelling: str,
    title: bool,
) -> None:
    closes, volumes, first = table
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end)
    if title:
        writer.writerow(["价格表"])
    writer.writerow(["日期", "收盘价", "volume"])
    moments = [first + timedelta(days=day) for day in range(len(closes))]
    for moment, close, volume in zip(moments, closes, volumes, strict=True):
        cells = [spell(cell, decimal, is_grouped=is_grouped) for cell in (close, volume)]
        writer.writerow([moment.strftime(spelling), *cells])
    path = tmp_path / "x.csv"
    path.write_bytes(stream.getvalue().encode(encoding))
    found = read_or_refuse(path, ReadOptions(past_covariates=("volume",)))
    if isinstance(found, ForecastError):
        assert found.code == 11
        assert found.id in ("data.decimal", "data.date_format"), str(found)
        return
    days = (found.times // 86_400_000_000).tolist()
    assert [date(1970, 1, 1) + timedelta(days=day) for day in days] == moments
    for wanted, column in ((closes, 0), (volumes, 1)):
        values = found.values[:, column].tolist()
        assert all(same(cell, value) for cell, value in zip(wanted, values, strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("0123456789,;\t|\n\r\"'-./: aDeQ%年月日", max_size=120).map(str.encode),
    )
)
@example(b'"')
@example(b",\n,\n")
@example(b"\xff\xfe")
@example(b"a,b\n" * 5)
@example(b"sep=,")
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_read_or_refused_cleanly(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    table = read_or_refuse(path, ReadOptions())
    if isinstance(table, ForecastError):
        assert table.code == 11, str(table)
        assert table.hint
        return
    assert len(table.times) == len(table.values) == len(table.series) == len(table.lines)
    assert not np.isinf(table.values).any()


def assert_same_arrays(one: Table, other: Table) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.series, other.series)
    assert (one.series_ids, one.columns, one.time_format) == (
        other.series_ids,
        other.columns,
        other.time_format,
    )


def _shuffled(text: str) -> str:
    head, *rows = text.splitlines()
    random.Random(3).shuffle(rows)
    return "\n".join([head, *rows]) + "\n"


VARIANTS: dict[str, Callable[[str], str]] = {
    "bom": lambda text: "\ufeff" + text,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "cr": lambda text: text.replace("\n", "\r"),
    "quotes": lambda text: '"' + text.strip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    "blanks": lambda text: text.replace(",", " , "),
    "semicolons": lambda text: text.replace(",", ";"),
    "tabs": lambda text: text.replace(",", "\t"),
    "title": lambda text: "Prices of a share\n\n" + text,
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "row order": _shuffled,
    "no last newline": lambda text: text.removesuffix("\n"),
    "trailing column": lambda text: text.replace("\n", ",\n"),
    "index": lambda text: "".join(f"{n or ''},{line}\n" for n, line in enumerate(text.splitlines())),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_way_it_is_written_does_not_change_the_table(variant: str, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(GOOD)
    (tmp_path / "other.csv").write_text(VARIANTS[variant](GOOD), newline="", encoding="utf-8")
    options = ReadOptions(past_covariates=("Volume",))
    assert_same_arrays(
        read_table(tmp_path / "plain.csv", options), read_table(tmp_path / "other.csv", options)
    )
