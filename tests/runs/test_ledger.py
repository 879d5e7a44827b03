"""The ledger: written once, whole or not at all, by several at once, and never a foreign or newer file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from lstm_forecast.errors import ArtifactRejected, Busy, StorageError
from lstm_forecast.runs import ledger_file
from lstm_forecast.runs.file_systems import FileSystem
from lstm_forecast.runs.ledger import Issue, Ledger, Record, Recorded, open_ledger
from lstm_forecast.runs.ledger_file import LedgerFacts, ledger_facts
from tests.conftest import CRON, ROOT

NONE = np.empty(0)


def issue(as_of: int = 10, *, forecast: tuple[float, ...] = (1.5, 2.5, 3.5), run_id: str = "one") -> Issue:
    """Three steps of one series with an 80 % interval, which the last step has not."""
    count = len(forecast)
    return Issue(
        "stock",
        run_id,
        "Close",
        "ab" * 32,
        series=["s"] * count,
        as_of=np.full(count, as_of),
        steps=np.arange(1, count + 1),
        times=as_of + np.arange(1, count + 1),
        forecast=np.array(forecast),
        naive=np.full(count, 9.0),
        sources=["model"] * count,
        bounds={80.0: (np.array([0.0] * (count - 1) + [np.nan]), np.array([5.0] * (count - 1) + [np.nan]))},
    )


def recorded(path: Path, *issues: Issue) -> list[Recorded]:
    with open_ledger(path) as ledger, ledger.change(keep=True):
        return [ledger.record(one) for one in issues]


def read(path: Path, run_id: str | None = None, series: str | None = None) -> Record:
    with open_ledger(path) as ledger:
        return ledger.read("stock", "Close", run_id=run_id, series=series)


def arrived(ledger: Ledger, times: list[int], values: list[float]) -> tuple[int, int]:
    pair = {"s": (np.array(times), np.array(values))}
    return ledger.put_actuals("stock", "Close", pair, data_sha256="cd" * 32)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "ledger.sqlite"


def test_what_was_recorded_is_read_back_beside_what_came(path: Path) -> None:
    recorded(path, issue())
    with open_ledger(path) as ledger, ledger.change(keep=True):
        assert {k: v.tolist() for k, v in ledger.waiting("stock", "Close").items()} == {"s": [11, 12, 13]}
        assert arrived(ledger, [11, 12], [1.0, 4.0]) == (2, 0)
    found = read(path)
    assert (found.series, found.runs) == (("s",), 1)
    assert found.label.tolist() == [0, 0, 0]
    assert found.as_of.tolist() == [10, 10, 10]
    assert found.steps.tolist() == [1, 2, 3]
    assert found.times.tolist() == [11, 12, 13]
    assert found.forecast.tolist() == [1.5, 2.5, 3.5]
    assert found.naive.tolist() == [9.0, 9.0, 9.0]
    assert found.actual[:2].tolist() == [1.0, 4.0]
    assert np.isnan(found.actual[2])
    (low, high) = found.bounds[80.0]
    assert (low[:2].tolist(), high[:2].tolist()) == ([0.0, 0.0], [5.0, 5.0])
    assert np.isnan([low[2], high[2]]).all()


def test_a_second_time_adds_no_row_and_another_value_keeps_the_first(path: Path) -> None:
    assert recorded(path, issue(), issue()) == [Recorded(3, 0, 0), Recorded(0, 3, 0)]
    rounded = issue(forecast=(1.5 * (1 + 1e-7), 2.5, 3.5))  # float32 on another machine
    other = issue(forecast=(1.5, 2.6, 3.5, 4.5))
    assert recorded(path, rounded, other) == [Recorded(0, 3, 0), Recorded(1, 2, 1)]
    assert read(path).forecast.tolist() == [1.5, 2.5, 3.5, 4.5]
    assert len(rows(path, "SELECT * FROM readings")) == 2  # only those that brought something
    assert rows(path, "SELECT DISTINCT data_sha256 FROM readings") == [("ab" * 32,)]


def test_a_level_asked_for_later_is_added_where_the_forecast_is_the_same(path: Path) -> None:
    wide = {95.0: (np.full(3, -1.0), np.full(3, 6.0))}
    recorded(path, issue(), replace(issue(forecast=(1.5, 7.0, 3.5)), bounds=wide))
    found = read(path).bounds[95.0][0]
    assert np.isnan(found).tolist() == [False, True, False]
    changed = {80.0: (np.full(3, -9.0), np.full(3, 9.0))}  # the bounds that were issued stay
    recorded(path, replace(issue(), bounds=changed))
    assert read(path).bounds[80.0][0].tolist() == [0.0, 0.0, -9.0]


def test_runs_series_targets_and_names_are_kept_apart(path: Path) -> None:
    recorded(path, issue(), issue(run_id="two"), replace(issue(), series=["t"] * 3))
    recorded(path, replace(issue(), target="Open"), replace(issue(), run_name="bond"))
    assert (len(read(path).times), read(path).runs) == (9, 2)
    assert len(read(path, run_id="two").times) == 3
    assert read(path, series="t").series == ("t",)
    assert len(read(path, series="t").times) == 3
    assert len(read(path, run_id="none").times) == 0
    with open_ledger(path) as ledger, ledger.change(keep=True):
        arrived(ledger, [11], [1.0])
        assert np.isnan(ledger.read("stock", "Open").actual).all()
        assert np.isnan(ledger.read("bond", "Close").actual).all()
    found = read(path)
    known = ~np.isnan(found.actual)
    assert {found.series[n] for n in found.label[known].tolist()} == {"s"}
    assert known.sum() == 2  # of both runs


def test_a_revised_actual_replaces_the_old_one(path: Path) -> None:
    recorded(path, issue())
    with open_ledger(path) as ledger, ledger.change(keep=True):
        assert arrived(ledger, [11, 12], [1.0, 2.0]) == (2, 0)
        assert arrived(ledger, [11, 12, 13], [1.0, 2.5, 3.0]) == (1, 1)
        assert arrived(ledger, [11, 12, 13], [1.0, 2.5, 3.0]) == (0, 0)
    assert read(path).actual.tolist() == [1.0, 2.5, 3.0]


def recorded_then_broken(path: Path) -> None:
    with open_ledger(path) as ledger, ledger.change(keep=True):
        ledger.record(issue(30))
        raise ZeroDivisionError


def test_what_is_not_kept_and_what_fails_in_the_middle_leaves_nothing(path: Path) -> None:
    recorded(path, issue())
    with open_ledger(path) as ledger, ledger.change(keep=False):
        ledger.record(issue(20))
        assert len(ledger.read("stock", "Close").times) == 6
    with pytest.raises(ZeroDivisionError):
        recorded_then_broken(path)
    assert read(path).as_of.tolist() == [10, 10, 10]


def test_an_empty_file_of_version_0_becomes_version_1(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.execute("VACUUM")  # writes the header of an empty file
    connection.close()
    assert path.stat().st_size > 0
    recorded(path, issue())
    assert rows(path, "PRAGMA user_version") == [(1,)]
    assert len(read(path).times) == 3


NEXT = "ALTER TABLE forecasts ADD COLUMN weight REAL NOT NULL DEFAULT 1; CREATE TABLE notes (text TEXT)"


def test_a_file_of_an_older_schema_keeps_its_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(path, issue())
    monkeypatch.setattr(ledger_file, "MIGRATIONS", (*ledger_file.MIGRATIONS, NEXT))
    assert read(path).forecast.tolist() == [1.5, 2.5, 3.5]
    assert rows(path, "PRAGMA user_version") == [(2,)]
    assert rows(path, "SELECT DISTINCT weight FROM forecasts") == [(1.0,)]


def test_a_migration_that_fails_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(path, issue())
    with monkeypatch.context() as patch:
        patch.setattr(ledger_file, "MIGRATIONS", (*ledger_file.MIGRATIONS, f"{NEXT}; CREATE nonsense"))
        with pytest.raises(ArtifactRejected, match="syntax error"):
            read(path)
    assert rows(path, "PRAGMA user_version") == [(1,)]
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'notes'") == []
    assert len(read(path).times) == 3


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    recorded(path, issue())
    rows(path, "PRAGMA user_version = 2")
    with pytest.raises(ArtifactRejected, match="newer program: version 2, expected at most 1") as caught:
        read(path)
    assert (caught.value.code, caught.value.id) == (13, "ledger.version")
    assert caught.value.hint == "pip install --upgrade lstm-forecast"
    assert rows(path, "SELECT count(*) FROM forecasts") == [(3,)]


@pytest.mark.parametrize("data", [b"x" * 5000, b"SQLite format 3\0" + b"\0" * 500, b"a,b\n1,2\n"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(data: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(ArtifactRejected) as caught:
        recorded(path, issue())
    assert caught.value.id in ("ledger.damaged", "ledger.foreign")
    assert "move it away" in caught.value.hint
    assert path.read_bytes() == data


def test_another_programs_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    rows(path, "CREATE TABLE forecasts (key INTEGER PRIMARY KEY)")
    before = path.read_bytes()
    with pytest.raises(ArtifactRejected, match="not a forecast ledger"):
        recorded(path, issue())
    rows(path, "PRAGMA user_version = 1")
    with pytest.raises(ArtifactRejected, match="not a forecast ledger"):
        recorded(path, issue())
    rows(path, "PRAGMA user_version = 0")
    assert rows(path, "SELECT * FROM forecasts") == []
    assert len(path.read_bytes()) == len(before)


def test_links_folders_and_pipes_are_refused(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.with_name("elsewhere"))
    for make in (lambda: None, path.mkdir, lambda: os.mkfifo(path)):
        if not path.is_symlink():
            make()
        with pytest.raises(ArtifactRejected, match="not a regular file"):
            recorded(path, issue())
        path.rmdir() if path.is_dir() else path.unlink()
    assert list(path.parent.iterdir()) == []


def test_flipped_bytes_give_an_error_of_ours(path: Path) -> None:
    recorded(path, *(issue(n * 10) for n in range(200)))
    whole, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        data = bytearray(whole)
        for place in random.integers(0, len(whole), 40).tolist():
            data[place] ^= 255
        path.write_bytes(bytes(data))
        try:
            read(path)
        except (ArtifactRejected, StorageError):
            refused += 1
        for journal in path.parent.glob("*-*"):
            journal.unlink()
    assert refused > 10


def test_text_in_place_of_a_number_is_refused(path: Path) -> None:
    recorded(path, issue())
    connection = sqlite3.connect(path)
    connection.execute("UPDATE forecasts SET forecast = 'much' WHERE step = 2")
    connection.commit()
    connection.close()
    with pytest.raises(ArtifactRejected, match="much"):
        read(path)


def record_many(ledger: Ledger) -> None:
    with ledger.change(keep=True):
        for number in range(1000):
            ledger.record(issue(100 + number))


def test_no_space_left_is_a_storage_error_and_the_old_rows_stay(path: Path) -> None:
    recorded(path, issue())
    with open_ledger(path) as ledger:
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError) as caught:
            record_many(ledger)
    assert (caught.value.id, caught.value.code) == ("storage.full", 15)
    assert read(path).as_of.tolist() == [10, 10, 10]


def test_who_waits_too_long_for_another_writer_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(path, issue())
    monkeypatch.setattr(ledger_file, "BUSY_TIMEOUT_S", 0.1)
    with open_ledger(path) as first, first.change(keep=True):
        first.record(issue(20))
        with pytest.raises(Busy, match="another process has kept it"):
            recorded(path, issue(30))
    assert sorted(set(read(path).as_of.tolist())) == [10, 20]


def test_the_journal_suits_the_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "file_system", lambda _: FileSystem("ext4", True))
    recorded(path, issue())
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    monkeypatch.setattr(ledger_file, "file_system", lambda _: FileSystem("nfs4", False))
    recorded(path, issue(20))  # moved to a network drive
    assert rows(path, "PRAGMA journal_mode") == [("delete",)]
    assert len(read(path).times) == 6
    assert [file.name for file in path.parent.iterdir()] == ["ledger.sqlite"]


WRITER = """
import sys
from pathlib import Path
from threading import Barrier
from tests.runs.test_ledger import issue, recorded
path, run, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    recorded(path, issue(number, run_id=run))
    print(number, flush=True)
"""


def writer(path: Path, run_id: str, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(path), run_id, str(count)]
    env = {**CRON, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("local", [True, False])
def test_several_writers_at_once_lose_nothing(
    local: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not local:
        monkeypatch.setattr(ledger_file, "file_system", lambda _: FileSystem("nfs4", False))
        monkeypatch.setitem(globals(), "WRITER", _unlike(WRITER))
    children = [writer(path, name, 40) for name in ("a", "b", "c")]
    for child in children:
        _, err = child.communicate(timeout=60)
        assert (child.returncode, err) == (0, "")
    for name in ("a", "b", "c"):
        assert sorted(read(path, name).as_of.tolist()) == sorted(list(range(40)) * 3)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def _unlike(text: str) -> str:
    remote = "ledger_file.file_system = lambda _: FileSystem('nfs4', False)\n"
    names = (
        "from lstm_forecast.runs import ledger_file\nfrom lstm_forecast.runs.file_systems import FileSystem\n"
    )
    return names + remote + text


def test_a_kill_at_any_time_leaves_whole_issues(path: Path) -> None:
    random = np.random.default_rng(1)
    for turn in range(5):
        child = writer(path, f"run {turn}", 100_000)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
        child.communicate(timeout=60)
        found = read(path, f"run {turn}")
        times, counts = np.unique(found.as_of, return_counts=True)
        assert set(counts.tolist()) == {3}  # all steps of an issue, or none
        assert times.tolist() == list(range(len(times)))
        assert len(times) >= len(said) + 1  # what was reported as done is there
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert len(rows(path, "SELECT * FROM bounds")) == 2 * len(rows(path, "SELECT 1 FROM forecasts")) / 3


def test_many_that_make_the_file_at_the_same_moment_all_get_it(tmp_path: Path) -> None:
    for turn in range(20):
        path, ready = tmp_path / f"{turn}.sqlite", Barrier(8)

        def first(number: int, path: Path = path, ready: Barrier = ready) -> list[Recorded]:
            ready.wait()
            return recorded(path, issue(number))

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(first, range(8))) == [[Recorded(3, 0, 0)]] * 8
        assert len(read(path).times) == 24


def test_facts_are_read_without_leaving_a_trace(path: Path) -> None:
    assert ledger_facts(path) is None
    recorded(path, issue(), issue(20))
    rows(path, "PRAGMA journal_mode = wal")
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    assert list(before) == [path]
    assert ledger_facts(path) == LedgerFacts("wal", 1, 6)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    rows(path, "PRAGMA journal_mode = delete")
    assert ledger_facts(path) == LedgerFacts("delete", 1, 6)


def test_facts_count_what_another_process_has_not_yet_moved_into_the_file(path: Path) -> None:
    recorded(path, issue())
    rows(path, "PRAGMA journal_mode = wal")
    with open_ledger(path) as ledger:
        with ledger.change(keep=True):
            ledger.record(issue(20))
        assert ledger_facts(path) == LedgerFacts("wal", 1, 6)


@pytest.mark.parametrize("damage", ["folder", "link", "text", "newer"])
def test_facts_of_what_is_no_ledger_are_an_error(damage: str, path: Path) -> None:
    recorded(path, issue())
    if damage == "newer":
        rows(path, "PRAGMA user_version = 99")
    else:
        path.rename(path.with_name("other"))
        if damage == "folder":
            path.mkdir()
        elif damage == "link":
            path.symlink_to("other")
        else:
            path.write_text("not a database, " * 100)
    with pytest.raises(ArtifactRejected) as caught:
        ledger_facts(path)
    ids = {"newer": "ledger.version", "text": "ledger.damaged"}
    assert caught.value.id == ids.get(damage, "artifact.path")
