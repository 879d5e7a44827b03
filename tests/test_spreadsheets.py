"""Row 66: a name that a spreadsheet would run is told of, and written as text with --excel."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lstm_forecast.spreadsheets import escaped, is_formula, unescaped
from tests.conftest import ROOT, SMALL, Cli, Result, Tiny
from tests.training.jobs import days, momentum

HOSTILE = ["=cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "+49 170", "-lag", "'=quoted"]
HARMLESS = ["-1.5", "plain=x", "a@b", "'single"]


@pytest.mark.parametrize("text", [*HOSTILE[:5], "\r=1", "\n=1", "\0=1", "＝1+1", "=", "-1.5.2", "+1e5x"])
def test_row_66_a_cell_that_is_run_becomes_text(text: str) -> None:
    assert is_formula(text)
    assert escaped(text) == "'" + text
    assert unescaped("'" + text) == text


@pytest.mark.parametrize(
    "text", ["", "a", "1", "-1", "-1.5", "+2", "-1e-9", "-.5", "2024-01-01", "a=b", "'", "'a", " =1"]
)
def test_row_66_other_cells_and_numbers_stay(text: str) -> None:
    assert escaped(text) == unescaped(text) == text


@given(some.text(alphabet="'=-+@\t\r\n\0a1.", max_size=8))
def test_row_66_every_cell_is_safe_and_reads_back(text: str) -> None:
    assert not is_formula(escaped(text))
    assert unescaped(escaped(text)) == text


@pytest.fixture
def hostile(cli: Cli, tiny: Tiny) -> list[str]:
    """A run of several series with names that spreadsheets run; the words that forecast it."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["=date", "@id", "value"])
    for number, name in enumerate([*HOSTILE, *HARMLESS]):
        values = momentum(80, seed=number) - 500
        writer.writerows(zip(days(80), [name] * 80, values.tolist(), strict=True))
    Path("wild.csv").write_text(table.getvalue(), newline="")
    words = ["--time", "=date", "--series-id", "@id", "--target", "value", "--set", "run.plots=false"]
    result = cli("train", "wild.csv", *SMALL, *words, "--runs-dir", tiny.runs)
    assert result.code == 0, result.err
    return ["predict", "wild", "--runs-dir", str(tiny.runs)]


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_row_66_excel_escapes_text_and_no_number_and_reads_back(hostile: list[str], cli: Cli) -> None:
    plain = cli(*hostile, "--output", "plain.csv")
    assert plain.code == 0
    assert plain.err.count("warning[output.formula]: a spreadsheet would run ") == 1
    result = cli(*hostile, "--excel", "--output", "forecast.csv")
    assert result.code == 0
    assert "output.formula" not in result.err
    data = Path("forecast.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    faithful = rows_of(Path("plain.csv").read_text())
    safe = rows_of(data.decode("utf-8-sig"))
    assert safe[0][:4] == ["'@id", "'=date", "step", "forecast"]
    assert faithful[0][:2] == ["@id", "=date"]
    names = list(dict.fromkeys(row[0] for row in safe[1:]))
    assert sorted(names) == sorted(["'" + name.strip() for name in HOSTILE] + HARMLESS)
    assert [row[1:] for row in safe[1:]] == [row[1:] for row in faithful[1:]]
    assert any(row[3].startswith("-") for row in safe)
    # The recipe of the manual gives back what was there.
    text = (ROOT / "docs/how-to/spreadsheets.md").read_text()
    (recipe,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found: dict[str, object] = {}
    exec(recipe, found)
    assert found["rows"] == faithful


def test_row_66_stdout_and_the_warning_as_an_error(hostile: list[str], cli: Cli) -> None:
    result = cli(*hostile, "--excel", "--output", "-")
    assert result.code == 0
    assert result.out.startswith("\ufeff'@id,'=date,step,")
    result = cli(*hostile, "--output", "-")
    assert result.out.startswith("@id,=date,step,")
    assert "warning[output.formula]" in result.err
    result = cli(*hostile, "--output", "new.csv", "--fail-on-warning", "output.formula")
    assert (result.code, Path("new.csv").exists()) == (19, False)
    assert cli(*hostile, "--excel", "--fail-on-warning", "output.formula").code == 0
    assert "output.formula" not in cli(*hostile, "--json").err  # no CSV is written


def test_harmless_names_give_no_warning(cli: Cli, tiny: Tiny) -> None:
    words = ["predict", "tiny", "--runs-dir", tiny.runs]
    plain, excel = cli(*words), cli(*words, "--excel")
    assert "output.formula" not in plain.err
    assert excel.out == "\ufeff" + plain.out


@pytest.mark.parametrize("more", [["--json"], ["--output", "a.json"]])
def test_excel_is_a_form_of_csv_only(more: list[str], cli: Cli, tiny: Tiny) -> None:
    result: Result = cli("predict", "tiny", "--runs-dir", tiny.runs, "--excel", *more)
    assert (result.code, result.out) == (2, "")
    for said in ("predict.excel", f"is a form of CSV; got {more[-1]}", "--excel --output forecast.csv"):
        assert said in result.err
