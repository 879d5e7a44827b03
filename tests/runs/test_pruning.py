"""Which runs are removed, and that a crash on the way leaves either a whole run or none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lstm_forecast.errors import StorageError
from lstm_forecast.runs import pruning
from lstm_forecast.runs import run as runs
from lstm_forecast.runs.pruning import Keep, is_pinned, leftovers, pin, prune, unpin
from lstm_forecast.runs.run import FILES, Run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOBODY = 2**22 + 1  # above the largest process number there can be


def made(folder: Path, day: str, *, skill: object = None, status: str = "complete", pid: int = NOBODY) -> Run:
    """A run that began on that day; complete where its status says so."""
    run = runs.create_run(folder, "a")
    fields = json.loads((run.path / "status.json").read_text()) | {"status": status, "pid": pid}
    (run.path / "status.json").write_text(json.dumps(fields))
    if status == "complete":
        content = dict.fromkeys(FILES, b"x" * 10)
        runs.publish(run, content | {"metrics.json": json.dumps({"skill": skill}).encode()})
    return Run(run.path.rename(run.path.with_name(f"{day}T000000Z-{run.id[-6:]}")))


def kept(folder: Path, *, last: int = 1, best: int = 0, days: float = 0.0) -> Mapping[str, str]:
    """What keeps each run, by the day it began; runs that went are not in it."""
    found = prune(folder / "a", Keep(last, best, days), now=NOW, dry_run=False)
    here = {run.id for run in runs.sorted_runs(folder / "a")}
    assert here == {item.run.id for item in found if item.why}
    return {item.run.id[:8]: item.why for item in found if item.why}


def test_the_newest_the_best_and_the_young_stay(tmp_path: Path) -> None:
    skills = {"20250101": 0.1, "20250201": 0.9, "20250301": -0.2, "20250401": 0.3, "20260201": 0.0}
    for day, skill in skills.items():
        made(tmp_path, day, skill=skill)
    made(tmp_path, "20260215", skill=0.05)
    assert kept(tmp_path, last=1, best=2, days=28.5) == {
        "20260215": "newest, young",
        "20260201": "young",
        "20250401": "best",
        "20250201": "best",
    }
    assert kept(tmp_path, last=2) == {"20260215": "newest", "20260201": "newest"}
    assert kept(tmp_path, last=9) == {"20260215": "newest", "20260201": "newest"}


def test_of_two_equally_good_runs_the_newer_is_the_best(tmp_path: Path) -> None:
    for day in ("20250101", "20250201", "20250301"):
        made(tmp_path, day, skill=0.5 if day != "20250301" else -1)
    assert set(kept(tmp_path, best=1)) == {"20250301", "20250201"}


@pytest.mark.parametrize("skill", [None, "much", True, float("nan"), float("inf"), [1]])
def test_a_run_without_a_skill_is_not_the_best(skill: object, tmp_path: Path) -> None:
    made(tmp_path, "20250101", skill=-0.7)
    made(tmp_path, "20250201", skill=skill)
    made(tmp_path, "20250301", skill=-0.9)
    assert kept(tmp_path, best=1) == {"20250301": "newest", "20250101": "best"}


def test_age_is_counted_from_the_beginning_of_the_run_to_the_second(tmp_path: Path) -> None:
    # 19 February to 1 March 2026 are ten days
    made(tmp_path, "20260219")
    made(tmp_path, "20260220")
    assert set(kept(tmp_path, days=10.0)) == {"20260220"}  # its ten days are over to the second
    made(tmp_path, "20260219")
    assert set(kept(tmp_path, days=10.001)) == {"20260220", "20260219"}


def test_the_current_and_the_pinned_run_stay_whatever_the_rule(tmp_path: Path) -> None:
    old, pinned = made(tmp_path, "20200101"), made(tmp_path, "20200201")
    made(tmp_path, "20200301")
    made(tmp_path, "20260101")
    runs.promote(old)
    pin(pinned)
    assert is_pinned(pinned)
    assert kept(tmp_path) == {"20260101": "newest", "20200201": "pinned", "20200101": "current"}
    unpin(pinned)
    unpin(pinned)
    assert not is_pinned(pinned)
    assert kept(tmp_path) == {"20260101": "newest", "20200101": "current"}


def test_a_running_training_stays_and_a_dead_one_goes(tmp_path: Path) -> None:
    made(tmp_path, "20200101", status="running", pid=os.getpid())
    made(tmp_path, "20200102", status="running")
    made(tmp_path, "20200103", status="failed")
    made(tmp_path, "20200104", status="interrupted")
    made(tmp_path, "20260101")
    assert kept(tmp_path) == {"20260101": "newest", "20200104": "newest", "20200101": "running"}


def test_a_running_training_of_another_machine_stays(tmp_path: Path) -> None:
    run = made(tmp_path, "20200101", status="running")
    fields = json.loads((run.path / "status.json").read_text()) | {"host": "elsewhere"}
    (run.path / "status.json").write_text(json.dumps(fields))
    made(tmp_path, "20200102", status="failed")
    assert kept(tmp_path) == {"20200102": "newest", "20200101": "running"}


@pytest.mark.parametrize("text", [b"", b"../b\n", b"\xff", b"x" * 1000])
def test_nothing_goes_while_the_current_run_is_not_known(text: bytes, tmp_path: Path) -> None:
    made(tmp_path, "20200101")
    made(tmp_path, "20200102")
    (tmp_path / "a" / "CURRENT").write_bytes(text)
    assert set(kept(tmp_path)) == {"20200101", "20200102"}


def test_a_run_that_is_a_link_and_what_it_points_to_stay(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run = made(tmp_path, "20200101")
    shutil.copytree(run.path, elsewhere)
    shutil.rmtree(run.path)
    run.path.symlink_to(elsewhere)
    made(tmp_path, "20260101")
    assert kept(tmp_path) == {"20260101": "newest", "20200101": "a link"}
    assert (elsewhere / "model.safetensors").is_file()


def test_links_inside_a_run_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("x")
    run = made(tmp_path, "20200101")
    (run.path / "plots").symlink_to(tmp_path / "mine")
    made(tmp_path, "20260101")
    assert set(kept(tmp_path)) == {"20260101"}
    assert (tmp_path / "mine" / "precious.txt").read_text() == "x"


def test_a_dry_run_changes_nothing_and_tells_the_size(tmp_path: Path) -> None:
    run = made(tmp_path, "20200101")
    (run.path / "predictions").mkdir()
    (run.path / "predictions" / "test.csv").write_bytes(b"y" * 5000)
    made(tmp_path, "20260101")
    (tmp_path / "a" / ".trash-20190101T000000Z-abcdef").mkdir()
    before = sorted(tmp_path.rglob("*"))
    total = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    found = prune(tmp_path / "a", Keep(1, 0, 0.0), now=NOW, dry_run=True)
    assert [(item.run.id[:8], item.size_bytes) for item in found] == [("20260101", 0), ("20200101", total)]
    assert total > 5000
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("stop", [1, 2])
def test_after_a_crash_there_is_no_half_run_and_the_next_time_finishes(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("20200101", "20200102", "20260101"):
        made(tmp_path, day)
    calls = []

    def crashing(path: Path) -> None:
        calls.append(path)
        (path / "MANIFEST.json").unlink()
        if len(calls) == stop:
            raise KeyboardInterrupt
        shutil.rmtree(path)

    monkeypatch.setattr(pruning, "_delete", crashing)
    with pytest.raises(KeyboardInterrupt):
        prune(tmp_path / "a", Keep(1, 0, 0.0), now=NOW, dry_run=False)
    monkeypatch.undo()
    assert [run.id[:8] for run in runs.sorted_runs(tmp_path / "a")] == ["20260101"]
    assert len(leftovers(tmp_path / "a")) == 3 - stop
    assert kept(tmp_path) == {"20260101": "newest"}
    assert leftovers(tmp_path / "a") == []
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_a_rename_that_fails_leaves_the_run_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path, "20200101")
    made(tmp_path, "20260101")
    before = sorted(path.name for path in run.path.iterdir())

    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(StorageError) as caught:
        prune(tmp_path / "a", Keep(1, 0, 0.0), now=NOW, dry_run=False)
    assert (caught.value.id, caught.value.where) == ("storage.readonly", str(run.path))
    assert sorted(path.name for path in run.path.iterdir()) == before


def test_only_our_own_trash_is_removed(tmp_path: Path) -> None:
    made(tmp_path, "20260101")
    mine = tmp_path / "a" / ".trash-notes"
    mine.mkdir()
    assert leftovers(tmp_path / "a") == []
    kept(tmp_path)
    assert mine.is_dir()
    assert leftovers(tmp_path / "none") == []


def test_row_58_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    """At once where only a training writes; after an hour where pictures and evaluations are written too."""
    whole, died = made(tmp_path, "20260101"), made(tmp_path, "20260102", status="running")
    mine = tmp_path / "mine"
    mine.mkdir()
    linked = tmp_path / "a" / "20200101T000000Z-abcdef"
    linked.symlink_to(mine)
    stays = [whole.path / ".fresh.tmp", mine / ".mine.tmp", tmp_path / ".locks" / ".ab.lock.json.1.tmp"]
    goes = [
        whole.path / ".old.tmp",
        died.path / ".status.json.1.tmp",
        died.path / "checkpoints" / ".LAST.1.tmp",
        tmp_path / "a" / ".CURRENT.1.tmp",
        tmp_path / ".locks" / ".a.lock.json.1.tmp",
    ]
    for path in (*stays, *goes):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    os.utime(whole.path / ".old.tmp", (0, 0))
    pruning.remove_temporaries(tmp_path / "a")
    assert [path for path in (*stays, *goes) if path.exists()] == stays
