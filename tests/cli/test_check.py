"""``check``: says what train would say, and its JSON document is always on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import SMALL, Cli, Tiny

WORDS = ["--lookback", "8", "--horizon", "2", "--name", "new"]


def test_a_good_file_is_ok_and_nothing_is_written(cli: Cli, tiny: Tiny) -> None:
    before = sorted(tiny.csv.parent.rglob("*"))
    result = cli("check", tiny.csv, *WORDS, "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (0, "ok: train would work\n")
    assert "rows: 128 + 16 + 16 to train, validate, test" in result.err
    assert sorted(tiny.csv.parent.rglob("*")) == before
    quiet = cli("check", tiny.csv, *WORDS, "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_the_document_has_the_promised_fields(cli: Cli, tiny: Tiny) -> None:
    document = json.loads(cli("check", tiny.csv, *WORDS, "--json").out)
    assert set(document) == {"ok", "problems", "data", "windows", "warnings"}
    assert document["ok"] is True
    assert document["data"] == {
        "files": 1,
        "rows": 160,
        "series": 1,
        "from": "2024-01-01",
        "to": "2024-06-08",
        "frequency": "daily",
        "encoding": "utf-8",
        "separator": ",",
        "columns": ["date", "value"],
    }
    # 128 training rows hold 128 - 8 - 2 + 1 windows; of 16 rows 15 begin a target of two steps
    assert document["windows"] == {"train": 119, "validation": 15, "test": 15}


@pytest.mark.parametrize(
    ("text", "code", "id"),
    [
        (None, 10, "data.not_found"),
        ("date,value\n2024-01-01,1\n2024-01-02,1,2\n", 11, "data.ragged"),
        ("date,value\n2024-01-01,1\n", 11, "data.too_short"),
        ("", 11, "data.empty"),
    ],
)
def test_it_exits_as_train_would_and_the_document_is_there_all_the_same(
    text: str | None, code: int, id: str, cli: Cli, tmp_path: Path
) -> None:
    csv = tmp_path / "a.csv"
    if text is not None:
        csv.write_text(text)
    result = cli("check", csv, "--json", "--runs-dir", tmp_path / "runs")
    document = json.loads(result.out)
    assert result.code == code
    assert document["ok"] is False
    assert set(document) == {"ok", "problems", "data", "windows", "warnings"}
    (problem,) = document["problems"]
    assert set(problem) == {"id", "message", "where", "hint"}
    assert problem["id"] == id
    event = json.loads(result.err.splitlines()[-1])
    assert (event["event"], event["id"], event["exit_code"]) == ("error", id, code)
    trained = cli("train", csv, "--runs-dir", tmp_path / "runs")
    assert trained.code == code
    assert f"error[{id}]" in trained.err


def test_a_file_too_short_for_a_network_is_19_where_train_gives_a_baseline(cli: Cli, tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text("date,value\n2024-01-01,1\n2024-01-02,2\n")
    result = cli("check", csv, "--json", "--runs-dir", tmp_path / "runs")
    assert result.code == 19
    (problem,) = json.loads(result.out)["problems"]
    assert problem["id"] == "data.too_short"
    # 60 + 7 rows to train on; validation and test have a tenth of all rows, and at least 7
    assert problem["message"].startswith("need at least 83 rows, got 2")
    assert problem["message"].endswith("; train would give a baseline's forecast")
    for command in ("check", "train"):  # a lookback that was asked for is not given up
        result = cli(command, csv, "--lookback", "5", "--runs-dir", tmp_path / "runs")
        assert (result.code, "error[data.too_short]" in result.err) == (11, True)
    assert cli("train", csv, "--runs-dir", tmp_path / "runs").code == 0
    forecast = json.loads(cli("predict", "a", "--runs-dir", tmp_path / "runs", "--json").out)
    assert {row["source"] for row in forecast["rows"]} == {"naive"}


def test_every_problem_of_a_configuration_is_listed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "data:\n  path: a.csv\ntraining:\n  epoch: 3\n  lr: -1\nwindow: {lookbak: 9}\n"
    )
    result = cli("check", tmp_path / "a.yaml", "--json")
    document = json.loads(result.out)
    assert result.code == 2
    assert {p["where"].removeprefix(str(tmp_path)) for p in document["problems"]} == {
        "/a.yaml:4:3",
        "/a.yaml:5:3",
        "/a.yaml:6:10",
    }


def test_a_runs_folder_that_cannot_be_written_is_19(cli: Cli, tiny: Tiny) -> None:
    result = cli("check", tiny.csv, *WORDS, "--json", "--runs-dir", tiny.csv / "runs")
    document = json.loads(result.out)
    assert result.code == 19
    assert document["ok"] is False
    assert document["problems"][0]["id"] == "storage.io"
    assert document["data"]["rows"] == 160
    assert cli("check", tiny.csv, *WORDS, "--runs-dir", "/proc/runs").code == 19


def test_a_taken_name_is_18_here_too(cli: Cli, tiny: Tiny) -> None:
    other = Path("other.csv")
    other.write_text(tiny.csv.read_text())
    words = ["--lookback", "8", "--horizon", "2", "--name", "tiny", "--runs-dir", tiny.runs]
    assert cli("check", other, *words).code == 18
    assert cli("train", other, *SMALL, "--name", "tiny", "--runs-dir", tiny.runs).code == 18


def test_paths_are_relative_to_the_configuration_and_flags_to_the_working_directory(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("configs")
    folder.mkdir()
    (folder / "a.yaml").write_text("data: {path: ../tiny.csv}\nwindow: {lookback: 8}\n")
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert cli("check", "../configs/a.yaml").code == 0
    assert cli("check", "../configs/a.yaml", "--set", "data.path=../tiny.csv").code == 0
    result = cli("check", "../configs/a.yaml", "--set", "data.path=tiny.csv")
    assert result.code == 10
    assert str(Path("tiny.csv").absolute()) in result.err
