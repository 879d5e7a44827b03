"""``runs``: what was trained, whether it is whole, and which run a name means."""

from __future__ import annotations

import json
import shutil

import pytest

from lstm_forecast.runs.run import Run
from lstm_forecast.runs.storage import held_lock
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


def test_prune_in_a_dry_run_says_what_goes_and_why_the_others_stay(
    listing: Cli, tiny: Tiny, older: Run
) -> None:
    before = sorted(tiny.runs.rglob("*"))
    result = listing("prune", "--keep-last", "1", "--keep-best", "0", "--dry-run")
    assert (result.code, result.err) == (0, "")
    first, second, total = result.out.splitlines()
    assert first.split()[:3] == [tiny.run.handle, "complete", "stays:"]
    assert second.split()[:2] == [older.handle, "complete"]
    assert second.endswith(" MB")
    assert total.startswith("would remove 1 run, ")
    assert total.endswith("; 1 would stay")
    assert sorted(tiny.runs.rglob("*")) == before


def test_prune_removes_and_reports(listing: Cli, tiny: Tiny, older: Run) -> None:
    assert listing("prune", "-q").out == ""  # the ten newest stay
    assert older.path.is_dir()
    result = listing("prune", "tiny", "--keep-last", "1", "--keep-best", "0", "--json")
    document = json.loads(result.out)
    assert result.code == 0
    assert document["removed"][0]["run"] == older.handle
    assert document["removed"][0]["size_bytes"] == document["size_bytes"] > 1000
    assert document["kept"] == [{"run": tiny.run.handle, "why": "current, newest, young"}]
    assert (document["dry_run"], document["warnings"]) == (False, [])
    assert not older.path.exists()
    assert listing("verify").code == 0
    assert listing("prune").out == "removed 0 runs, 0.0 MB; 1 stay\n"


def test_prune_leaves_a_name_in_use_alone(cli: Cli, tiny: Tiny, older: Run) -> None:
    words = ["--keep-last", "1", "--keep-best", "0", "--runs-dir", tiny.runs]
    with held_lock(tiny.runs / ".locks" / "tiny.lock", timeout_s=0.0):
        result = cli("runs", "prune", *words)
        assert (result.code, result.out) == (0, "removed 0 runs, 0.0 MB; 0 stay\n")
        assert "warning[runs.locked]: tiny is in use by another process" in result.err
        assert cli("runs", "prune", *words, "--fail-on-warning", "runs.locked").code == 19
        assert cli("runs", "prune", "tiny", *words).code == 75
    assert older.path.is_dir()
    assert cli("runs", "prune", *words).code == 0
    assert not older.path.exists()


def test_prune_of_an_unknown_name_of_nothing_and_with_a_wrong_number(
    listing: Cli, cli: Cli, tiny: Tiny
) -> None:
    assert listing("prune", "tinny").code == 12
    assert cli("runs", "prune", "--runs-dir", "none").out == "removed 0 runs, 0.0 MB; 0 stay\n"
    for words in (["--keep-last", "0"], ["--keep-best", "-1"], ["--keep-days", "-1"], ["--keep-days", "1e9"]):
        assert listing("prune", *words).code == 2
    assert listing("prune", "--keep-days", "nan").code == 2


def test_a_pinned_run_survives_until_it_is_unpinned(listing: Cli, tiny: Tiny, older: Run) -> None:
    rule = ["prune", "--keep-last", "1", "--keep-best", "0", "-q"]
    assert listing("pin", older.handle, "--dry-run").out == f"would have pinned {older.handle}\n"
    assert not (older.path / "PINNED").exists()
    assert listing("pin", older.handle).out == f"pinned {older.handle}\n"
    listing(*rule)
    assert listing("verify", older.handle).code == 0
    assert listing("pin", older.handle, "--off").out == f"unpinned {older.handle}\n"
    listing(*rule)
    assert not older.path.exists()
    assert listing("pin", older.handle).code == 12


def test_compare_shows_each_run_and_what_differs(listing: Cli, tiny: Tiny, older: Run) -> None:
    result = listing("compare", "tiny", older.handle)
    assert (result.code, result.err) == (0, "")
    header, first, second, last = result.out.splitlines()
    assert header.split() == [
        "run",
        "verdict",
        "skill",
        "over",
        "MAE",
        "RMSE",
        "sMAPE",
        "%",
        "MASE",
        "tested",
        "on",
    ]
    assert first.split()[:2] == ["1", tiny.run.handle]
    assert second.split()[:2] == ["2", older.handle]
    assert first.split()[2:] == second.split()[2:]
    assert last == "Settings: all alike"
    text = (older.path / "config.yaml").read_text()
    (older.path / "config.yaml").write_text(text.replace("lr: 0.001", "lr: 0.02"))
    lines = listing("compare", "tiny", older.handle).out.splitlines()
    assert [line.split() for line in lines[3:]] == [
        ["Settings", "that", "differ:"],
        ["1", "2"],
        ["training.lr", "0.001", "0.02"],
    ]


def test_compare_says_when_the_test_windows_differ(listing: Cli, tiny: Tiny, older: Run) -> None:
    metrics = json.loads((older.path / "metrics.json").read_text())
    metrics["test"]["windows"] = 1234
    (older.path / "metrics.json").write_text(json.dumps(metrics))
    words = ["compare", "tiny", older.handle]
    result = listing(*words)
    assert result.code == 0
    said = "these errors cannot be compared: the test windows differ"
    assert result.err == f"warning[runs.not_comparable]: {said}\n"
    assert "1,234 windows, " in result.out
    assert listing(*words, "--fail-on-warning", "runs.not_comparable").code == 19
    document = json.loads(listing(*words, "--json").out)
    assert (document["comparable"], document["obstacles"]) == (False, ["the test windows differ"])
    assert document["warnings"] == [{"id": "runs.not_comparable", "message": said}]
    assert [row["run"] for row in document["runs"]] == [tiny.run.handle, older.handle]
    assert document["runs"][1]["test"]["windows"] == 1234


def test_compare_needs_two_runs_that_exist(listing: Cli, tiny: Tiny) -> None:
    result = listing("compare", "tiny")
    assert (result.code, result.out) == (2, "")
    assert "got 1 run, expected at least two" in result.err
    assert listing("compare", "tiny", "tinny").code == 12
