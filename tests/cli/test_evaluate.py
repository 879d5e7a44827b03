"""``evaluate``: the backtest as a command; what it prints, what it leaves, and how it exits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.evaluating import Backtest
from tests.conftest import SMALL, Cli, Tiny
from tests.training.jobs import Floats, days, momentum, trained, write_csv

FIELDS = {"run", "path", "current", "verdict", "skill", "baseline", "p_value", "metrics", "test", "elapsed_s"}
FIELDS |= {"input", "sentence", "undefined", "seeds", "refits", "intervals", "by_step", "gate", "warnings"}
COLUMNS = ["series", "cutoff", "step", "time", "actual", "forecast"]
COLUMNS += ["naive", "seasonal_naive", "drift", "mean", "lo_80", "hi_80"]
# A network on the level that learned nothing: worse than every simple forecast.
WORSE = {"model.normalize": "none", "model.anchor": "none", "training.lr": "0.000001", "split.test": "30"}
WORSE |= {"training.epochs": "1", "training.patience": "null"}


@pytest.fixture
def evaluate(cli: Cli, tiny: Tiny) -> Cli:
    """``evaluate tiny`` with further words; the run's own file lies elsewhere, as it was."""
    return lambda *words: cli("evaluate", "tiny", "--runs-dir", tiny.runs, *words)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def table(path: Path, columns: Mapping[str, Sequence[str] | Floats]) -> Path:
    return write_csv(path, columns)


def test_it_prints_origins_metrics_intervals_and_verdict(evaluate: Cli, tiny: Tiny) -> None:
    result = evaluate()
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "Backtest: 15 origins from 2024-05-23 to 2024-06-06"
    assert lines[1].split() == ["MAE", "RMSE", "sMAPE", "%", "MASE"]
    names = [line.strip().split("  ")[0] for line in lines[2:8]]
    assert names == ["model", "naive", "seasonal naive", "drift", "mean", "model / naive"]
    assert lines[8].startswith("Intervals: 80 % held ")
    assert lines[9] == f"Verdict: {json.loads(evaluate('--json').out)['sentence']}"
    assert len(lines) == 10
    assert f"wrote {tiny.run.path}/predictions/backtest.csv" in result.err


def test_the_kept_files_stand_beside_those_of_the_manifest(evaluate: Cli, cli: Cli, tiny: Tiny) -> None:
    before = snapshot(tiny.run.path)
    assert evaluate("-q").code == 0
    after = snapshot(tiny.run.path)
    folder = tiny.run.path / "predictions"
    assert {path: after[path] for path in before} == before
    new = {folder / f"backtest.{form}" for form in ("csv", "json", "safetensors")}
    assert set(after) - set(before) == new
    assert cli("runs", "verify", "tiny", "--runs-dir", tiny.runs).code == 0
    assert evaluate("-q", "--origins", "4").code == 0  # the last evaluation replaces the one before
    assert len(lines_of((folder / "backtest.csv").read_text())) == 8


def test_the_table_is_tidy(evaluate: Cli, tiny: Tiny) -> None:
    assert evaluate("--output", "b.csv").code == 0
    text = Path("b.csv").read_text()
    assert text.splitlines()[0].split(",") == COLUMNS
    rows = lines_of(text)
    values = dict(zip(days(160), momentum(160), strict=True))
    place = {day: number for number, day in enumerate(days(160))}
    assert len(rows) == 30
    assert [(row["cutoff"], row["step"]) for row in rows] == [
        (day, step) for day in days(160)[143:158] for step in ("1", "2")
    ]
    for row in rows:
        assert place[row["time"]] == place[row["cutoff"]] + int(row["step"])
        assert float(row["actual"]) == values[row["time"]]
        assert float(row["naive"]) == values[row["cutoff"]]
        assert float(row["lo_80"]) <= float(row["forecast"]) <= float(row["hi_80"])
        assert row["series"] == "value"
    assert not (tiny.run.path / "predictions" / "backtest.csv").exists()


def test_the_document_on_stdout_is_that_of_the_file(evaluate: Cli, tiny: Tiny) -> None:
    result = evaluate("--json", "--origins", "8", "--every", "1", "--refit-every", "3")
    document = json.loads(result.out)
    assert (result.code, set(document)) == (0, FIELDS)
    assert document["run"] == tiny.run.handle
    assert (document["path"], document["current"]) == (str(tiny.run.path), True)
    assert document["verdict"] in ("beats", "ties", "loses")
    assert set(document["metrics"]) == {"model", "naive", "seasonal_naive", "drift", "mean"}
    assert {"mae", "rmse", "smape", "mase"} <= set(document["metrics"]["model"])
    assert document["test"] == {"windows": 8, "origins": 8, "from": "2024-05-30", "to": "2024-06-06"}
    assert (document["refits"], document["warnings"]) == (2, [])
    kept = json.loads((tiny.run.path / "predictions" / "backtest.json").read_text())
    assert kept == {name: value for name, value in document.items() if name != "warnings"}
    assert evaluate("--output", "b.json", "--origins", "8", "--refit-every", "3").code == 0
    written = json.loads(Path("b.json").read_text())
    del written["elapsed_s"], kept["elapsed_s"]
    assert written == kept


def test_origins_are_as_far_apart_as_asked(evaluate: Cli) -> None:
    document = json.loads(evaluate("--every", "4", "--json").out)
    assert document["test"] == {"windows": 4, "origins": 4, "from": "2024-05-25", "to": "2024-06-06"}
    document = json.loads(evaluate("--every", "4", "--origins", "2", "--json").out)
    assert document["test"] == {"windows": 2, "origins": 2, "from": "2024-06-02", "to": "2024-06-06"}


def test_refits_are_counted_in_words(evaluate: Cli) -> None:
    result = evaluate("--origins", "7", "--refit-every", "3")
    assert result.out.splitlines()[0].endswith(", trained again 2 times")
    assert result.err.count("trained again on the rows up to") == 2


def test_by_step_and_by_series_are_shown_where_asked(evaluate: Cli) -> None:
    document = json.loads(evaluate("--json").out)
    usual, asked = evaluate().out.splitlines(), evaluate("--by", "step").out.splitlines()
    begin = asked.index("MAE by step:")
    assert asked[begin + 1].split() == ["step", "model", "naive", "seasonal", "naive", "drift", "mean"]
    for step in (0, 1):
        numbers = [float(cell) for cell in asked[begin + 2 + step].split()]
        expected = [found["mae"][step] for found in document["by_step"].values()]
        assert numbers == pytest.approx([step + 1, *expected], rel=1e-5)
    assert asked[:begin] + asked[begin + 4 :] == usual
    assert "MAE by series: one series" in evaluate("--by", "series").out
    assert evaluate("--by", "day").code == 2


def test_the_errors_of_each_series_are_shown(cli: Cli, tmp_path: Path) -> None:
    columns = {"date": days(120) * 2, "shop": ["b"] * 120 + ["a"] * 120}
    values = np.concatenate([momentum(120), momentum(120, seed=1)])
    data = table(tmp_path / "p.csv", {**columns, "value": values})
    trained(data, {"data.series_id": "shop", "split.validation": "20"})
    result = cli(
        "evaluate", "p", "--runs-dir", tmp_path / "runs", "--by", "series", "--output", tmp_path / "o.csv"
    )
    assert result.code == 0
    lines = result.out.splitlines()
    begin = lines.index("MAE by series:")
    shown = {
        line.split()[0]: [float(cell) for cell in line.split()[1:]] for line in lines[begin + 2 : begin + 4]
    }
    rows = lines_of((tmp_path / "o.csv").read_text())
    for shop in "ab":
        mine = [row for row in rows if row["series"] == shop]
        for place, name in enumerate(["forecast", "naive", "seasonal_naive", "drift", "mean"]):
            missed = [abs(float(row[name]) - float(row["actual"])) for row in mine]
            assert shown[shop][place] == pytest.approx(sum(missed) / len(missed), rel=1e-5)


def test_streams(evaluate: Cli, tiny: Tiny) -> None:
    quiet = evaluate("-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    events = [json.loads(line) for line in evaluate("--log-format", "json").err.splitlines()]
    assert [event["event"] for event in events] == ["account", "account"]  # input, wrote
    both = evaluate("--json", "-q")
    assert (json.loads(both.out)["verdict"], both.err) == ("ties", "")


def test_a_dry_run_writes_nothing(evaluate: Cli, tiny: Tiny) -> None:
    before = snapshot(tiny.csv.parent)
    result = evaluate("--dry-run")
    assert (result.code, "would write 30 rows" in result.err) == (0, True)
    assert result.out.startswith("Backtest: 15 origins")
    assert evaluate("--dry-run", "--output", "b.csv").code == 0
    assert snapshot(tiny.csv.parent) == before


def test_outputs_are_refused_as_for_a_forecast(evaluate: Cli, cli: Cli) -> None:
    Path("b.csv").write_text("mine")
    result = evaluate("--output", "b.csv")
    assert (result.code, result.out, Path("b.csv").read_text()) == (18, "", "mine")
    assert cli("evaluate", "nobody", "--output", "b.csv").code == 18  # before any work is done
    assert evaluate("--output", "b.csv", "--overwrite").code == 0
    assert Path("b.csv").read_text().startswith("series,cutoff,")
    assert evaluate("--output", "none/b.csv").code == 15
    for name in ("b.txt", "b", "-"):
        refused = evaluate("--output", name)
        assert (refused.code, refused.out) == (2, "")
        assert "expected a name that ends in .csv or .json" in refused.err
    for words in (["--origins", "0"], ["--every", "0"], ["--refit-every", "0"]):
        assert evaluate(*words).code == 2


def test_more_origins_than_there_are_is_a_warning_that_can_be_an_error(evaluate: Cli) -> None:
    result = evaluate("--origins", "99")
    assert result.code == 0
    assert "warning[evaluate.origins]: 99 origins asked, 15 after the validation rows" in result.err
    warned = json.loads(evaluate("--origins", "99", "--json").out)["warnings"]
    assert [warning["id"] for warning in warned] == ["evaluate.origins"]
    assert evaluate("--origins", "99", "--fail-on-warning", "evaluate.origins").code == 19
    assert evaluate("--origins", "15", "--fail-on-warning", "evaluate.origins").code == 0


def test_other_rows_are_given_with_data(evaluate: Cli, tiny: Tiny) -> None:
    data = table(Path("more.csv"), {"date": days(170), "value": momentum(170)})
    document = json.loads(evaluate("--data", data, "--json").out)
    assert (document["input"], document["test"]["origins"]) == (str(data.absolute()), 25)
    short = table(Path("old.csv"), {"date": days(144), "value": momentum(144)})
    result = evaluate("--data", short)
    assert (result.code, result.out) == (11, "")
    assert f"error[evaluate.no_origins]: {short.absolute()}: " in result.err
    assert evaluate("--data", "none.csv").code == 10


def test_the_own_file_has_to_be_there_as_it_was(cli: Cli, tmp_path: Path) -> None:
    data = table(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    trained(data)
    words = ["evaluate", "a", "--runs-dir", tmp_path / "runs"]
    text = data.read_text()
    data.write_text(text + "2024-06-09,1.0\n")
    changed = cli(*words)
    assert (changed.code, changed.out) == (11, "")
    assert f"hint: to test the run on it as it is now: --data {data}" in changed.err
    assert cli(*words, "--data", data).code == 0
    data.unlink()
    gone = cli(*words)
    assert (gone.code, gone.out) == (10, "")
    assert "hint: give the rows with --data FILE.csv" in gone.err


def test_a_worse_model_is_an_error_where_that_was_asked(cli: Cli, tmp_path: Path) -> None:
    data = table(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    result = trained(data, WORSE)
    words = ["evaluate", "a", "--runs-dir", tmp_path / "runs"]
    plain = cli(*words)
    assert (plain.code, "Verdict: Worse than" in plain.out) == (0, True)
    worse = cli(*words, "--fail-if-worse", "--json")
    assert (worse.code, json.loads(worse.out)["verdict"]) == (20, "loses")
    assert json.loads(worse.err.splitlines()[-1])["id"] == "verdict.worse"
    assert (result.run.path / "predictions" / "backtest.csv").exists()
    trained(data, {**WORSE, "evaluation.fail_if_worse": "true", "run.name": "strict"})
    (strict,) = (tmp_path / "runs" / "strict").glob("2*")
    assert cli("evaluate", strict).code == 20
    found = pipeline.evaluate(strict, backtest=Backtest(None, 1, None))
    assert found.failed


def test_a_model_that_ties_is_no_error(evaluate: Cli) -> None:
    assert evaluate("--fail-if-worse").code == 0


def test_the_audit_is_one_line_and_a_file(evaluate: Cli, tiny: Tiny) -> None:
    result = evaluate("--audit")
    assert result.code == 0
    line = result.out.splitlines()[-1]
    assert line.startswith("Audit: 6 checks passed")
    document = json.loads((tiny.run.path / "audit.json").read_text())
    assert (document["ok"], document["run"], len(document["checks"])) == (True, tiny.run.handle, 6)
    (tiny.run.path / "audit.json").unlink()
    shown = json.loads(evaluate("--audit", "--json", "--dry-run").out)
    assert shown["audit"]["checks"] == document["checks"]
    assert not (tiny.run.path / "audit.json").exists()
    assert "audit" not in json.loads(evaluate("--json").out)


def test_a_covariate_that_knows_tomorrow_is_19(cli: Cli, tmp_path: Path) -> None:
    price = momentum(161)
    columns = {"date": days(160), "price": price[:-1], "late": price[1:]}
    data = table(tmp_path / "a.csv", columns)
    trained(data, {"data.target": "price", "data.past_covariates": "[late]"})
    words = ["evaluate", "a", "--runs-dir", tmp_path / "runs", "--audit"]
    result = cli(*words, "--json")
    assert result.code == 19
    assert not json.loads(result.out)["audit"]["ok"]
    error = json.loads(result.err.splitlines()[-1])
    assert (error["id"], error["exit_code"], "late" in error["message"]) == ("audit.failed", 19, True)
    assert cli(*words[:-1]).code == 0


def test_a_run_of_standard_input_needs_data(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = table(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.read_bytes())))
    assert cli("train", "-", *SMALL, "--runs-dir", tmp_path / "runs", "-q").code == 0
    words = ["evaluate", "stdin", "--runs-dir", tmp_path / "runs"]
    result = cli(*words)
    assert (result.code, result.out) == (10, "")
    assert "standard input, which is not there to be read again" in result.err
    assert cli(*words, "--data", data).code == 0


def test_a_run_that_is_not_there_is_12(cli: Cli, tiny: Tiny) -> None:
    result = cli("evaluate", "tyni", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (12, "")
