"""Run directories: ids, names, what CURRENT means, references, status words."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lstm_forecast.errors import Busy, ExistsError, RunMissing, UsageError
from lstm_forecast.runs import run as runs
from lstm_forecast.runs.run import FILES, Run
from lstm_forecast.runs.storage import held_lock, write_atomic
from tests.conftest import Tiny

CONTENT = {name: f"{name}\n".encode() for name in FILES}


def published(folder: Path, name: str = "a") -> Run:
    """A complete run of seven nonsense files."""
    run = runs.create_run(folder, name)
    runs.publish(run, CONTENT)
    return run


def aged(run: Run, stamp: str) -> Run:
    """The run under an id of that time."""
    return Run(run.path.rename(run.path.with_name(f"{stamp}-{run.id[-6:]}")))


def test_row_46_ids_are_unique_and_sort_by_time(tmp_path: Path) -> None:
    made = [runs.create_run(tmp_path, "a") for _ in range(50)]
    assert len({run.id for run in made}) == 50
    before = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    assert made[0].id[:16] <= before  # the others follow it, a second each where they were made at once
    assert runs.sorted_runs(tmp_path / "a") == made[::-1]
    old, new = aged(made[0], "20200101T000000Z"), aged(made[1], "20991231T235959Z")
    listed = runs.sorted_runs(tmp_path / "a")
    assert (listed[0], listed[-1]) == (new, old)


def test_a_new_run_is_the_newest_of_its_name_also_within_a_second_and_after_a_clock_set_back(
    tmp_path: Path,
) -> None:
    made = [runs.create_run(tmp_path, "a") for _ in range(4)]
    ahead = made[-1].path.with_name("20990101T235959Z-ffffff")
    ahead.mkdir()
    made += [Run(ahead), runs.create_run(tmp_path, "a"), runs.create_run(tmp_path, "a")]
    assert runs.sorted_runs(tmp_path / "a") == made[::-1]
    assert made[-2].id.startswith("20990102T000000Z-")
    (tmp_path / "b" / "99999999T999999Z-ffffff").mkdir(parents=True)  # no moment at all
    assert runs.create_run(tmp_path, "b").path.is_dir()


def test_files_are_written_in_order_and_the_manifest_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, written = runs.create_run(tmp_path, "a"), []

    def watched(path: Path, data: bytes) -> None:
        written.append(path.name)
        write_atomic(path, data)

    monkeypatch.setattr(runs, "write_atomic", watched)
    runs.publish(run, CONTENT)
    assert written == [
        "model.safetensors",
        "preprocess.json",
        "context.safetensors",
        "metrics.json",
        "history.csv",
        "config.yaml",
        "run.json",
        "MANIFEST.json",
    ]


@pytest.mark.parametrize("stop", range(len(FILES) + 1))
def test_row_58_a_run_is_complete_only_with_its_manifest(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, written = runs.create_run(tmp_path, "a"), 0

    def dies(path: Path, data: bytes) -> None:
        nonlocal written
        if written == stop:
            raise KeyboardInterrupt
        written += 1
        write_atomic(path, data)

    monkeypatch.setattr(runs, "write_atomic", dies)
    with pytest.raises(KeyboardInterrupt):
        runs.publish(run, CONTENT)
    assert not run.complete


def test_promote_and_back(tmp_path: Path) -> None:
    old, new = aged(published(tmp_path), "20200101T000000Z"), published(tmp_path)
    runs.promote(new)
    assert (old.current, new.current, runs.find_run("a", tmp_path)) == (False, True, new)
    runs.promote(old)
    assert (old.current, new.current, runs.find_run("a", tmp_path)) == (True, False, old)
    assert (tmp_path / "a" / "CURRENT").read_text() == f"{old.id}\n"


def test_an_incomplete_run_is_never_promoted(tmp_path: Path) -> None:
    run = runs.create_run(tmp_path, "a")
    with pytest.raises(RunMissing, match="is not complete"):
        runs.promote(run)
    assert not (tmp_path / "a" / "CURRENT").exists()


def test_promote_is_busy_while_somebody_holds_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = published(tmp_path)
    monkeypatch.setattr(runs, "LOCK_TIMEOUT_S", 0.0)
    with held_lock(tmp_path / ".locks" / "a.lock", timeout_s=1), pytest.raises(Busy):
        runs.promote(run)
    assert not run.current


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"../../etc",
        b"20261120T185735Z-7f3a9c/..",
        b"\xff\xfe",
        b"x" * 200,
        b"20261120t185735z-7f3a9c",
    ],
)
def test_a_damaged_current_means_nothing(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_bytes(text)
    assert runs.current_id(tmp_path) is None


def test_a_current_that_is_a_link_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("20261120T185735Z-7f3a9c\n")
    (tmp_path / "CURRENT").symlink_to(tmp_path / "other")
    assert runs.current_id(tmp_path) is None
    assert runs.current_id(tmp_path / "no such folder") is None


@pytest.mark.parametrize("name", ["a", "stock 2", "收盘价", "a.b-c_d", "x" * 120])
def test_good_names(name: str) -> None:
    assert runs.check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", ".a", "a/b", "a@b", "a\nb", "a ", "x" * 121, "a\x1b[31m", "a\\b", "a:b"]
)
def test_names_that_cannot_be_a_folder_everywhere_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        runs.check_name(name)
    assert caught.value.id == "run.name"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("stock", "stock"),
        ("a/b", "a-b"),
        ("..", "run"),
        ("", "run"),
        ("-x-", "x"),
        ("é" * 99, "é" * 50),
        ("日本", "日本"),
    ],
)
def test_every_stem_gives_a_good_name(stem: str, name: str) -> None:
    assert runs.name_from(stem) == name
    assert runs.check_name(name) == name


def test_a_reference_is_a_name_a_prefix_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = aged(published(tmp_path), "20200101T000000Z"), published(tmp_path)
    runs.promote(new)
    found = {
        reference: runs.find_run(reference, tmp_path)
        for reference in (
            "a",
            f"a@{old.id}",
            "a@2020",
            f"a@{old.id[-6:]}",
            str(old.path),
            str(old.path.parent),
        )
    }
    assert [run.id for run in found.values()] == [new.id, old.id, old.id, old.id, old.id, new.id]
    monkeypatch.chdir(tmp_path / "a")
    assert runs.find_run(old.id, Path("nowhere")).path == old.path


def test_a_reference_that_fits_none_or_two_runs_lists_what_there_is(tmp_path: Path) -> None:
    aged(published(tmp_path), "20200101T000000Z")
    aged(published(tmp_path), "20200102T000000Z")
    for reference, count in (("a@2020", 2), ("a@2019", 0)):
        with pytest.raises(RunMissing, match=f"{reference} fits {count} runs; expected one") as caught:
            runs.find_run(reference, tmp_path)
        assert len(caught.value.details) == 2


@pytest.mark.parametrize("name", ["", ".", "..", "@", "@2020", "no such", "a/../b", "/"])
def test_a_reference_to_nothing_is_missing(name: str, tmp_path: Path) -> None:
    published(tmp_path, "apple")
    with pytest.raises(RunMissing) as caught:
        runs.find_run(name, tmp_path)
    assert (caught.value.id, caught.value.code) == ("run.not_found", 12)


def test_a_mistyped_name_gets_the_nearest(tmp_path: Path) -> None:
    published(tmp_path, "apple")
    with pytest.raises(RunMissing, match="no run named 'aple'") as caught:
        runs.find_run("aple", tmp_path)
    assert caught.value.hint == "did you mean apple?"
    with pytest.raises(RunMissing) as none:
        runs.find_run("apple", tmp_path / "empty")
    assert none.value.details == ("there are no runs yet",)


def test_row_30_a_run_without_a_manifest_is_incomplete(tmp_path: Path) -> None:
    run = runs.create_run(tmp_path, "a")
    for reference in ("a", run.handle, str(run.path)):
        with pytest.raises(RunMissing) as caught:
            runs.find_run(reference, tmp_path)
        assert (caught.value.id, caught.value.code) == ("run.incomplete", 12)


def test_row_30_the_hint_names_a_run_that_can_be_promoted(tmp_path: Path) -> None:
    good = aged(published(tmp_path), "20200101T000000Z")
    runs.create_run(tmp_path, "a")
    with pytest.raises(RunMissing) as caught:
        runs.find_run("a", tmp_path)
    assert caught.value.hint == f"train again, or lstm-forecast runs promote '{good.handle}'"


def test_a_name_belongs_to_one_data_path(tiny: Tiny) -> None:
    recorded = json.loads((tiny.run.path / "run.json").read_text())["data"]["path"]
    runs.claim_name(tiny.runs, "tiny", recorded)
    runs.claim_name(tiny.runs, "free", "/other.csv")
    with pytest.raises(ExistsError) as caught:
        runs.claim_name(tiny.runs, "tiny", "/other.csv")
    assert (caught.value.id, caught.value.code) == ("run.name_taken", 18)
    assert recorded in caught.value.message
    assert "--name" in caught.value.hint


def test_an_incomplete_run_claims_no_name(tmp_path: Path) -> None:
    runs.create_run(tmp_path, "a")
    runs.claim_name(tmp_path, "a", "/any.csv")


def status(run: Run, **fields: object) -> str:
    """The word read from a status file of these fields."""
    (run.path / "status.json").write_text(json.dumps(fields))
    return runs.read_status(run)


def test_status_words(tmp_path: Path) -> None:
    run, host = runs.create_run(tmp_path, "a"), socket.gethostname()
    assert runs.read_status(run) == "running"  # by this very process
    dead = 2**22 + 1  # above the largest process id of Linux
    assert status(run, status="running", host=host, pid=dead) == "died"
    assert status(run, status="running", host="another", pid=dead) == "running"
    assert status(run, status="running", host=host, pid=os.getpid()) == "running"
    assert status(run, status="failed") == "failed"
    assert status(run, status="running", host=host, pid=10**30) == "running"
    (run.path / "status.json").write_text("[]")
    assert runs.read_status(run) == "unknown"
    (run.path / "status.json").unlink()
    assert runs.read_status(run) == "unknown"
    runs.publish(run, CONTENT)
    assert runs.read_status(run) == "complete"
    assert status(run, status="running", host=host, pid=dead) == "complete"


def test_only_folders_that_look_like_runs_are_listed(tmp_path: Path) -> None:
    run = published(tmp_path)
    (tmp_path / "a" / "notes").mkdir()
    (tmp_path / "a" / "20261120T185735Z-7f3a9c").write_text("a file")
    (tmp_path / ".locks").mkdir()
    (tmp_path / "stray.txt").write_text("x")
    assert runs.all_runs(tmp_path) == [run]
    assert runs.all_runs(tmp_path / "none") == []
