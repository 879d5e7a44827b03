"""Rows 51, 52 and 58 without strace: each call of Python that changes the disk fails in its turn, here.

Once alone, and once together with all the calls after it, as on a disk that stays full.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_forecast.errors import StorageError
from lstm_forecast.events import Events
from lstm_forecast.runs import storage
from lstm_forecast.runs.ledger import Issue, open_ledger
from lstm_forecast.runs.pruning import Keep, prune
from lstm_forecast.runs.run import Run, current_id, sorted_runs
from lstm_forecast.runs.verifying import verify_run
from lstm_forecast.training.checkpoints import Checkpoints, Facts, newest_checkpoint
from lstm_forecast.training.course import Epoch, State
from tests.conftest import Cli
from tests.faults import stored
from tests.faults.commands import table, train
from tests.faults.harness import assert_clean, assert_invariants, before, newest

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES)
CHANGES = ("open", "write", "fsync", "replace", "rename", "mkdir")
REMOVALS = ("unlink", "rmdir")  # a full disk does not refuse these
# Alone they harm nobody: the folder is there already, and what was not removed is removed the next time.
HARMLESS = {"unlink", "mkdir"}
MOST = 400


@dataclass
class Disk:
    """Counts the calls that change the disk and lets the N-th fail.

    Attributes:
        number: which one fails; 0 for none.
        stays: whether all later ones fail too, but for removals.
        calls: made so far.
        failed: the calls that were refused.
    """

    number: int
    stays: bool
    calls: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, name: str) -> None:
        """Raises where it is this call's turn."""
        self.calls += 1
        if self.calls == self.number or (self.stays and 0 < self.number < self.calls and name in CHANGES):
            self.failed.append(name)
            error = ERRORS[self.number % len(ERRORS)]
            raise OSError(error, os.strerror(error))


@contextmanager
def broken(disk: Disk) -> Iterator[None]:
    """The disk is the one that the program writes to while the block runs."""
    true_fdopen = os.fdopen

    class Half:
        """A file that fails when half of what is written to it is there."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> Half:
            return self

        def __exit__(self, *error: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, data: bytes) -> int:
            try:
                disk.count("write")
            except OSError:
                self._file.write(data[: len(data) // 2])
                self._file.flush()
                raise
            return int(self._file.write(data))

    def counted(name: str, true: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            reads = name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR)
            if not reads and not str(arguments[0]).endswith(".lock"):  # filelock tries that one again
                disk.count(name)
            return true(*arguments, **named)

        return call

    def fdopen(descriptor: int, mode: str = "r", *rest: Any, **named: Any) -> Any:
        file = true_fdopen(descriptor, mode, *rest, **named)
        return Half(file) if mode == "wb" else file

    with pytest.MonkeyPatch.context() as patch:
        for name in (*CHANGES, *REMOVALS):
            patch.setattr(os, name, counted(name, getattr(os, name)))
        patch.setattr(os, "fdopen", fdopen)
        yield


def swept(once: Callable[[Disk], None], *, step: int = 1) -> None:
    """One fault after the other until none is left; one in four also as a disk that stays broken."""
    for stays in (False, True):
        for number in range(1, MOST, step * (4 if stays else 1)):
            disk = Disk(number, stays)
            once(disk)
            if not disk.failed:
                break
        else:
            pytest.fail("the sweep never ended")
        assert number > 1


def refused(disk: Disk, act: Callable[[], None]) -> bool:
    """Whether the fault was told, always as an error of storage that keeps the system's number."""
    told = None
    with broken(disk):
        try:
            act()
        except StorageError as error:
            told = error
    assert told is None or (disk.failed and told.errno in ERRORS)
    return told is not None


def temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


def test_rows_51_and_52_one_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def once(disk: Disk) -> None:
        path.write_bytes(b"old" * 1000)
        told = refused(disk, lambda: storage.write_atomic(path, b"new" * 1000))
        assert told == bool(disk.failed)
        assert path.read_bytes() in (b"old" * 1000, b"new" * 1000)
        assert temporaries(tmp_path) == []
        storage.write_atomic(path, b"new" * 1000)
        assert path.read_bytes() == b"new" * 1000

    swept(once)


def test_rows_51_and_52_a_log_holds_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, true_write = tmp_path / "log", os.write
    storage.append_line(path, "one")
    room = [2]

    def nearly_full(descriptor: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = true_write(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(StorageError) as caught:
        storage.append_line(path, "two")
    assert caught.value.id == "storage.full"
    assert path.read_bytes() == b"one\n"
    room[0] = 100
    storage.append_line(path, "two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_rows_51_and_52_a_run_is_complete_and_current_or_not(tmp_path: Path) -> None:
    stored.main(tmp_path / "template")
    runs_dir = tmp_path / "runs"

    def once(disk: Disk) -> None:
        shutil.rmtree(runs_dir, ignore_errors=True)
        shutil.copytree(tmp_path / "template", runs_dir)
        (first,) = sorted_runs(runs_dir / "a")
        told = refused(disk, lambda: stored.main(runs_dir))
        assert told or set(disk.failed) <= HARMLESS
        for run in sorted_runs(runs_dir / "a"):
            assert not run.complete or verify_run(run) == []
            assert not run.current or run.complete
        assert verify_run(first) == []
        assert current_id(runs_dir / "a") is not None
        stored.main(runs_dir)
        assert sorted_runs(runs_dir / "a")[0].current

    swept(once)


FACTS = Facts({"training.epochs": 3}, "abc", 1)


def state(epoch: int) -> State:
    import torch

    weights = {"a": torch.full((4, 3), float(epoch))}
    history = (Epoch(epoch, 0.5, 0.5, 0.5, 1e-3, 1.0, {}, 0.1),)
    return State(epoch, 0, epoch, 0.5, history, weights, {}, weights)


def test_rows_51_and_52_a_checkpoint_is_the_one_before_or_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    def once(disk: Disk) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        checkpoints = Checkpoints(folder, FACTS, 0.0, Events())
        for epoch in (1, 2):
            checkpoints.part("network.0").offer(partial(state, epoch))
        told = refused(disk, lambda: checkpoints.part("network.0").offer(partial(state, 3)))
        found = newest_checkpoint(folder)
        assert found is not None
        assert found.damaged == ()
        assert found.parts["network.0"].epoch in ((2, 3) if told else (3,))
        assert temporaries(folder) == []
        checkpoints.part("network.0").offer(partial(state, 4))
        newer = newest_checkpoint(folder)
        assert newer is not None
        assert newer.parts["network.0"].epoch == 4

    swept(once)


def test_rows_51_and_52_and_58_the_first_checkpoint_is_there_or_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    def once(disk: Disk) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        checkpoints = Checkpoints(folder, FACTS, 0.0, Events())
        told = refused(disk, lambda: checkpoints.part("network.0").offer(partial(state, 1)))
        found = newest_checkpoint(folder)
        assert (found is not None) or told
        assert found is None or (found.parts["network.0"].epoch, found.damaged) == (1, ())

    swept(once)


def test_rows_50_and_51_and_52_a_pruned_run_is_whole_or_gone(tmp_path: Path) -> None:
    runs_dir = tmp_path / "runs"
    stored.main(tmp_path / "template")
    (first,) = sorted_runs(tmp_path / "template" / "a")
    for day in (1, 2):
        shutil.copytree(first.path, first.path.with_name(f"2020010{day}T000000Z-abcdef"))

    def pruned() -> None:
        prune(runs_dir / "a", Keep(1, 0, 0.0), now=datetime.now(UTC), dry_run=False)

    def once(disk: Disk) -> None:
        shutil.rmtree(runs_dir, ignore_errors=True)
        shutil.copytree(tmp_path / "template", runs_dir)
        refused(disk, pruned)
        for run in sorted_runs(runs_dir / "a"):
            assert verify_run(run) == []
        pruned()
        assert [run.id for run in sorted_runs(runs_dir / "a")] == [first.id]
        assert sorted(path.name for path in (runs_dir / "a").iterdir()) == [first.id, "CURRENT"]

    swept(once)


def issue(day: int) -> Issue:
    two = np.array([1, 2])
    values, bounds = np.array([1.5, 2.5]), {80.0: (np.array([1.0, 2.0]), np.array([2.0, 3.0]))}
    as_of = np.array([day, day])
    return Issue("a", "x", "y", "hash", ["s", "s"], as_of, two, day + two, values, values, ["m", "m"], bounds)


def test_rows_51_and_52_an_issue_is_recorded_whole_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite makes its calls itself: here its statements fail."""
    path, left = tmp_path / "ledger.sqlite", [0]

    class Failing(sqlite3.Connection):
        def _count(self) -> None:
            left[0] -= 1
            if left[0] == 0:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error

        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            self._count()
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            self._count()
            return super().executemany(*arguments)

    true_connect = sqlite3.connect

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return true_connect(*arguments, factory=Failing, **named)

    def record(day: int) -> None:
        with open_ledger(path) as ledger, ledger.change(keep=True):
            ledger.record(issue(day))

    def days() -> set[int]:
        with open_ledger(path) as ledger:
            return set(ledger.read("a", "y").as_of.tolist())

    number, is_over = 0, False
    while not is_over:
        number += 1
        path.unlink(missing_ok=True)
        record(1)
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", connect)
            left[0] = number
            told = ""
            try:
                record(2)
            except StorageError as error:
                told = error.id
        is_over = left[0] > 0
        assert told in ("", "storage.io")
        assert days() == ({1} if told else {1, 2}), number
        left[0] = 0
        record(2)
        assert days() == {1, 2}
    assert number > 10


def test_rows_51_and_52_a_training_keeps_the_invariants(cli: Cli, tmp_path: Path) -> None:
    """At some of its calls; all of them are swept with strace."""
    csv = table(tmp_path)
    assert cli(*train(csv, tmp_path / "template", epochs=1)).code == 0
    runs_dir = tmp_path / "runs"

    def once(disk: Disk) -> None:
        shutil.rmtree(runs_dir, ignore_errors=True)
        shutil.copytree(tmp_path / "template", runs_dir)
        was, words = before(runs_dir), train(csv, runs_dir, epochs=1)
        with broken(disk):
            result = cli(*words)
        assert result.code == 15 or (result.code == 0 and set(disk.failed) <= HARMLESS), (disk, result)
        assert_invariants(was, result, said=not disk.stays)
        assert cli(*words).code == 0
        assert_clean(runs_dir)
        assert newest(runs_dir, "a").current

    swept(once, step=30)


def test_a_fault_is_put_where_it_was_asked_for(tmp_path: Path) -> None:
    """The disk of these tests does what it says."""
    disk = Disk(2, stays=False)
    with broken(disk), suppress(StorageError):
        storage.write_atomic(tmp_path / "file", b"data")
    assert (disk.failed, disk.calls) == (["write"], 3)  # open, write, and the removal of what was begun
    assert Run(tmp_path).complete is False
