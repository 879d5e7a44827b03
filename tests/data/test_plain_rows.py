"""The fast ways through a plain file give what the careful one gives, field for field, error for error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_forecast.data import cell_kernel, pieces, reader
from lstm_forecast.data.plain_cells import PlainCells
from lstm_forecast.data.plain_rows import collect_plain
from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.errors import ForecastError
from tests.corpus.make import CASES, Case
from tests.data.reading import read

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
NUMBERS = {
    "plain": ["1", "2.5", "-3", "-0", "007", "1.", ".5", "-.25", "123456.7", "12345678", "-1234.5678", "0.0"],
    "thirds": ["1.500", "2.125", "-3.250", "7", "12.000"],
    "long": ["0.30000000000000004", "4769.830078125", "-101.33000183105469", "123456789012345", "1e-05",
             "9007199254740993", "12345678901234567890", "+5", "0.1234567890123456789", "1" * 20 + ".5"],
}  # fmt: skip
ODD = [
    "", " ", "--", "停牌", "N/A", "nan", "inf", "1,5", "1 000", " 4", "4 ", "\u20035", "5\u2003", "\u2003--",
    "\x1c6", "x", "合计", "Total", "date", "v", '"7"', '"a\nb"', '"', "9" * 140_000, "\t8", "1-2", "1.2.3",
    "-", ".", "+", "1/2", "é", "1e400", '""', '" 9"', '"2024-01-03"', "-999", "-999.0", "1_0", "\u00a07",
    "3.4e38", "2E3",
]  # fmt: skip
TIMES = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M+01:00", "%d/%m/%Y", "%d.%m.%Y",
    "%Y%m%d", "%Y年%m月%d日", "%d %b %Y", "%Y-%m-%d %H:%M:%S.123", "%s",
)  # fmt: skip
IDS = ["a", "bb", "Zürich 1", "a much longer name of a shop", "中", "", "x" * 70, "7"]
WHAT = [
    "cell",
    "shorter",
    "longer",
    "blank",
    "header",
    "separators",
    "total",
    "suspended",
    "blanks",
    "quotes",
]


def spelled(day: int, form: str) -> str:
    moment = datetime(2024, 1, 1 + day, 5, 7, tzinfo=UTC)
    return str(int(moment.timestamp())) if form == "%s" else moment.strftime(form)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A file that is mostly plain, with some cells, rows and line ends that are not."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    width = draw(st.integers(1, 5))
    names = ["date", "v", "w", "name", "shop"][:width]
    form, decimal = (
        draw(st.sampled_from(TIMES)),
        draw(st.sampled_from([".", "," if separator != "," else "."])),
    )
    usual = [number.replace(".", decimal) for number in NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]]
    rows: list[list[str]] = []
    for day in range(draw(st.integers(1, 20))):
        numbers = [draw(st.sampled_from(usual)) for _ in range(3)]
        rows.append([spelled(day, form), *numbers, draw(st.sampled_from(IDS[:3]))][:width])
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.integers(0, len(rows) - 1))
        changed = {
            "cell": [*rows[row]] or ["1"],
            "shorter": rows[row][:-1] or ["1"],
            "longer": [*rows[row], "1"],
            "blank": [],
            "header": names,
            "separators": [""] * width,
            "total": ["合计", *rows[row][1:]],
            "suspended": [*rows[row][:1], "--", *[""] * (width - 2)][:width],
            "blanks": [f" {cell}" for cell in rows[row]],
            "quotes": [f'"{cell}"' for cell in rows[row]],
        }
        what = draw(st.sampled_from(WHAT))
        if what == "cell":
            changed[what][draw(st.integers(0, len(changed[what]) - 1))] = draw(st.sampled_from([*ODD, *IDS]))
        rows[row] = changed[what]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [separator.join(cells) for cells in [names, *rows]]
    return end.join(lines) + draw(st.sampled_from([end, ""]))


def outcome(path: Path, options: ReadOptions) -> object:
    """Every field of the table, or the whole text of the error."""
    try:
        table: Table = read_table(path, options)
    except ForecastError as error:
        return type(error), error.id, str(error)
    found = {field.name: getattr(table, field.name) for field in fields(table)}
    return {n: v.tobytes() if isinstance(v, np.ndarray) else v for n, v in found.items()}


def require_one_outcome(
    path: Path, options: ReadOptions, monkeypatch: pytest.MonkeyPatch, piece: int = 2**18
) -> None:
    """All ways give the same, the fast ones with pieces of so many bytes."""
    with monkeypatch.context() as patch:
        patch.setattr(reader, "collect_plain", lambda *_, **__: None)
        careful = outcome(path, options)
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "_SIZE", piece)
        assert outcome(path, options) == careful, "by our compiled functions, where they are"
        patch.setattr(cell_kernel, "kernel_or_reason", lambda: (None, "as the test asks"))
        assert outcome(path, options) == careful, "by numpy"


OPTIONS = (
    ReadOptions(),
    ReadOptions(bad_rows="skip", max_bad_rows=100, duplicates="last"),
    ReadOptions(target="v", past_covariates=("w",), time="date"),
    ReadOptions(header_row=None, skip_rows=1),
    ReadOptions(na_values=("7", "1", "-999"), series_id="name", target="v"),
    ReadOptions(target=("v", "w"), bad_series="skip"),
    ReadOptions(
        target="v", series_id="shop", static_covariates=("name",), bad_series="skip", duplicates="sum"
    ),
    ReadOptions(target="w", future_covariates=("v",), timezone="Europe/Berlin", date_format="%d/%m/%Y"),
    ReadOptions(target="v", timezone="Europe/Berlin", decimal=","),
)


@QUIET
@given(
    texts(),
    st.sampled_from(OPTIONS),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    st.sampled_from([40, 200, 2**18]),
)
@example("date,v\n2024-01-01,1\n2024-01-02,2\nTotal,3\n", OPTIONS[0], "utf-8", 2**18)
@example("date,v\n2024-01-01,1\n2024-01-02,\u2003--\n2024-01-03,4\n", OPTIONS[0], "utf-8", 2**18)
@example("date,v,w\n2024-01-01,1,x\n2024-01-02,2,3\n", OPTIONS[1], "utf-8", 2**18)
def test_all_ways_give_the_same_table_or_the_same_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: ReadOptions,
    encoding: str,
    piece: int,
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding, errors="replace"))
    require_one_outcome(path, options, monkeypatch, piece)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"row{case.row}-{case.name}")
def test_all_ways_agree_on_the_corpus(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / case.file
    path.write_bytes(case.content)
    for options in OPTIONS[:2]:
        require_one_outcome(path, options, monkeypatch)


PLAIN_FILES: dict[str, Callable[[str], str]] = {
    "newlines": lambda text: text,
    "carriage returns too": lambda text: text.replace("\n", "\r\n"),
    "no last newline": lambda text: text.removesuffix("\n"),
    "blanks before cells": lambda text: text.replace(",", ", "),
    "quotes around cells": lambda text: text.replace(",3.5", ',"3.5"'),
    "a row of another width": lambda text: text.replace(",3.5", ",3.5,"),
    "semicolons": lambda text: text.replace(",", ";"),
    "tabs and decimal commas": lambda text: text.replace(",", "\t").replace(".", ","),
}
NOT_PLAIN: dict[str, Callable[[str], str]] = {
    "a quote that is needed": lambda text: text.replace(",3.5", ',"3.5\n"'),
    "a blank behind a cell": lambda text: text.replace("3.5", "3.5 "),
    "a blank outside ASCII": lambda text: text.replace("3.5", "3.5\u2003"),
    "a form feed": lambda text: text.replace("3.5", "3.5\f"),
}


def is_read_fast(folder: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    taken = []

    def watched(*arguments: object, **named: object) -> object:
        taken.append(collect_plain(*arguments, **named))  # type: ignore[arg-type]
        return taken[-1]

    monkeypatch.setattr(reader, "collect_plain", watched)
    read(folder, content, ReadOptions(bad_rows="skip", max_bad_rows=1))
    return taken[0] is not None


ROWS = "".join(f"2024-01-{day:02} 10:00,{day}.5\n" for day in range(1, 20))


@pytest.mark.usefixtures("cells_by")
@pytest.mark.parametrize("how", PLAIN_FILES)
def test_a_plain_file_takes_the_fast_way(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_read_fast(tmp_path, PLAIN_FILES[how](f"date,v\n{ROWS}"), monkeypatch)


@pytest.mark.usefixtures("cells_by")
@pytest.mark.parametrize("how", NOT_PLAIN)
def test_other_files_take_the_careful_way(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_read_fast(tmp_path, NOT_PLAIN[how](f"date,v\n{ROWS}"), monkeypatch)


@pytest.mark.usefixtures("cells_by")
def test_of_a_plain_file_no_text_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be slow, and nobody would notice."""

    def refuse(*_: object) -> list[str]:
        raise AssertionError("texts of a column were made")

    monkeypatch.setattr(PlainCells, "column", refuse)
    rows = "".join(f"2024-01-{day:02},shop {day % 2},{day},,-{day}.25e-3\n" for day in range(1, 20))
    options = ReadOptions(target="v", series_id="shop", past_covariates=("gap", "size"))
    table = read(tmp_path, f"date,shop,size,gap,v\n{rows}", options)
    assert table.series_ids == ("shop 1", "shop 0")
    np.testing.assert_array_equal(table.values[:2], [[-0.00125, np.nan, 1], [-0.00325, np.nan, 3]])
