"""``runs``: what was trained, whether it is whole, and which run a name means."""

from __future__ import annotations

import json
import shutil

import pytest

from lstm_forecast.runs.run import Run
from tests.conftest import Cli, Tiny


@pytest.fixture
def listing(cli: Cli, tiny: Tiny) -> Cli:
    """``runs`` with further words."""
    return lambda *words: cli("runs", *words, "--runs-dir", tiny.runs)


@pytest.fixture
def older(tiny: Tiny) -> Run:
    """A second complete run of the same name, older and not current."""
    path = tiny.run.path.with_name("20200101T000000Z-abcdef")
    shutil.copytree(tiny.run.path, path)
    return Run(path)


def test_list_shows_every_run_and_marks_the_current_one(listing: Cli, tiny: Tiny, older: Run) -> None:
    result = listing("list")
    assert (result.code, result.err) == (0, "")
    header, first, second = result.out.splitlines()
    assert header.split() == ["run", "status", "verdict", "skill", "created"]
    assert first.split()[:3] == [tiny.run.handle, "*", "complete"]
    assert second.split()[:2] == [older.handle, "complete"]


def test_list_json_has_the_promised_fields(listing: Cli, tiny: Tiny, older: Run) -> None:
    document = json.loads(listing("list", "--json").out)
    assert set(document) == {"runs", "warnings"}
    fields = {"run", "path", "status", "current", "verdict", "skill", "created", "config"}
    assert [set(row) for row in document["runs"]] == [fields, fields]
    assert [row["current"] for row in document["runs"]] == [True, False]
    assert [row["run"] for row in document["runs"]] == [tiny.run.handle, older.handle]


def test_list_of_one_name_and_of_an_unknown_one(listing: Cli, tiny: Tiny) -> None:
    assert tiny.run.handle in listing("list", "tiny").out
    result = listing("list", "tinny")
    assert (result.code, result.out) == (12, "")
    assert "hint: did you mean tiny?" in result.err


def test_an_empty_folder_and_a_missing_one_have_no_runs(cli: Cli, tiny: Tiny) -> None:
    for folder in (tiny.csv.parent / "none", tiny.csv):
        result = cli("runs", "list", "--runs-dir", folder)
        assert (result.code, result.out) == (0, f"no runs in {folder}\n")
    assert json.loads(cli("runs", "list", "--runs-dir", "none", "--json").out) == {"runs": [], "warnings": []}


def test_runs_that_did_not_finish_are_listed_with_their_status(listing: Cli, tiny: Tiny) -> None:
    broken = tiny.run.path.with_name("29990101T000000Z-abcdef")
    broken.mkdir()
    (broken / "status.json").write_text('{"status": "interrupted", "exit_code": 130}')
    rows = json.loads(listing("list", "--json").out)["runs"]
    assert (rows[0]["status"], rows[0]["verdict"], rows[0]["skill"]) == ("interrupted", None, None)


@pytest.mark.parametrize("data", ["", "[]", '{"verdict": {}, "skill": "x"}', '{"skill": []}', "[" * 10_000])
def test_a_listing_survives_any_file(data: str, listing: Cli, tiny: Tiny) -> None:
    for name in ("metrics.json", "run.json", "status.json"):
        before = (tiny.run.path / name).read_bytes()
        (tiny.run.path / name).write_text(data)
        assert listing("list").code == 0
        assert listing("list", "--json").code == 0
        if name != "status.json":
            assert listing("show", "tiny").code in (0, 13)
            assert "Traceback" not in listing("show", "tiny").err
        (tiny.run.path / name).write_bytes(before)


def test_show_tells_data_versions_and_verdict(listing: Cli, tiny: Tiny, trained_once: Tiny) -> None:
    result = listing("show", "tiny")
    assert result.code == 0
    keys = [line.split(":")[0] for line in result.out.splitlines() if not line.startswith(" ")]
    assert keys == ["run", "path", "created", "data", "versions", "epochs", "verdict"]
    assert f"{trained_once.csv}: 160 rows, 1 series" in result.out
    document = json.loads(listing("show", tiny.run.handle, "--json").out)
    assert {"about", "metrics", "run", "current", "warnings"} <= set(document)
    assert document["about"]["data"]["rows"] == 160


def test_verify_is_silent_or_names_the_files(listing: Cli, tiny: Tiny, older: Run) -> None:
    result = listing("verify")
    assert (result.code, result.out) == (0, "ok: 2 runs, every file as it was written\n")
    quiet = listing("verify", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    (older.path / "history.csv").write_text("")
    result = listing("verify", "--json")
    document = json.loads(result.out)
    assert result.code == 19
    by_run = {row["run"]: row for row in document["runs"]}
    assert (by_run[tiny.run.handle]["ok"], by_run[older.handle]["ok"]) == (True, False)
    assert by_run[older.handle]["problems"][0]["where"] == str(older.path / "history.csv")
    assert listing("verify", tiny.run.handle).code == 0
    assert listing("verify", older.handle).code == 19


def test_promote_and_the_way_back(listing: Cli, tiny: Tiny, older: Run) -> None:
    dry = listing("promote", older.handle, "--dry-run")
    assert dry.out == f"would make {older.handle} the current run of tiny\n"
    assert tiny.run.current
    result = listing("promote", f"tiny@{older.id[-6:]}")
    assert (result.code, result.out) == (0, f"made {older.handle} the current run of tiny\n")
    assert older.current
    assert listing("promote", tiny.run.handle, "-q").out == ""
    assert tiny.run.current


def test_a_damaged_or_unfinished_run_is_not_promoted(listing: Cli, tiny: Tiny, older: Run) -> None:
    (older.path / "run.json").write_text("{}")
    assert listing("promote", older.handle).code == 13
    (older.path / "MANIFEST.json").unlink()
    assert listing("promote", older.handle).code == 12
    assert tiny.run.current
