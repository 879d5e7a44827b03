"""The fast way through a plain file gives what the careful one gives, field for field, error for error."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_forecast.data import reader
from lstm_forecast.data.plain_rows import collect_plain
from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.errors import ForecastError
from tests.corpus.make import CASES, Case
from tests.data.reading import read

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
PLAIN = ["1", "2.5", "-3", "1e3", "007", "12345678901234567890"]
ODD = [
    "", " ", "--", "停牌", "N/A", "nan", "inf", "1,5", "1 000", " 4", "4 ", "\u20035", "5\u2003", "\u2003--",
    "\x1c6", "x", "合计", "Total", "date", "v", '"7"', '"a\nb"', '"', "9" * 140_000, "\t8", "1-2",
]  # fmt: skip
DATES = [f"2024-01-{day:02}" for day in range(1, 29)]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A file that is mostly plain, with some cells, rows and line ends that are not."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    width = draw(st.integers(1, 4))
    names = ["date", "v", "w", "name"][:width]
    rows = []
    for day in range(draw(st.integers(1, 20))):
        cells = [DATES[day], *(draw(st.sampled_from(PLAIN)) for _ in names[1:])]
        rows.append(cells)
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.integers(0, len(rows) - 1))
        what = draw(st.sampled_from(["cell", "shorter", "longer", "blank", "header", "separators", "total"]))
        if what == "cell" and rows[row]:
            rows[row] = [*rows[row]]
            rows[row][draw(st.integers(0, len(rows[row]) - 1))] = draw(st.sampled_from(ODD))
        else:
            rows[row] = {
                "cell": ["1"],
                "shorter": rows[row][:-1] or ["1"],
                "longer": [*rows[row], "1"],
                "blank": [],
                "header": names,
                "separators": [""] * width,
                "total": ["合计", *rows[row][1:]],
            }[what]
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


def both(path: Path, options: ReadOptions, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    """What the two ways give."""
    fast = outcome(path, options)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "collect_plain", lambda *_, **__: None)
        return fast, outcome(path, options)


OPTIONS = (
    ReadOptions(),
    ReadOptions(bad_rows="skip", max_bad_rows=100, duplicates="last"),
    ReadOptions(target="v", past_covariates=("w",), time="date"),
    ReadOptions(header_row=None, skip_rows=1),
    ReadOptions(na_values=("7", "1"), series_id="name", target="v"),
)


@QUIET
@given(texts(), st.sampled_from(OPTIONS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
@example("date,v\n2024-01-01,1\n2024-01-02,2\nTotal,3\n", OPTIONS[0], "utf-8")
@example("date,v\n2024-01-01,1\n2024-01-02,\u2003--\n2024-01-03,4\n", OPTIONS[0], "utf-8")
@example("date,v,w\n2024-01-01,1,x\n2024-01-02,2,3\n", OPTIONS[1], "utf-8")
def test_both_ways_give_the_same_table_or_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, options: ReadOptions, encoding: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    fast, careful = both(path, options, monkeypatch)
    assert fast == careful


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"row{case.row}-{case.name}")
def test_both_ways_agree_on_the_corpus(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / case.file
    path.write_bytes(case.content)
    for options in OPTIONS[:2]:
        fast, careful = both(path, options, monkeypatch)
        assert fast == careful


def test_a_plain_file_takes_the_fast_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def watched(*arguments: object, **named: object) -> object:
        taken.append(collect_plain(*arguments, **named) is not None)  # type: ignore[arg-type]
        return None

    monkeypatch.setattr(reader, "collect_plain", watched)
    rows = "".join(f"2024-01-{day:02} 10:00,{day}.5\n" for day in range(1, 20))
    read(tmp_path, f"date,v\n{rows}")
    read(tmp_path, f"date,v\r\n{rows}".replace("\n", "\r\n"))
    read(tmp_path, f"date,v\n{rows}".replace(",3.5", ',"3.5"'))
    assert taken == [True, True, False]
