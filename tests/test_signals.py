"""A signal ends the program between two steps, never within a batch or a file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lstm_forecast import pipeline, trainings
from lstm_forecast.errors import StorageError
from lstm_forecast.runs import storage
from lstm_forecast.runs.run import Run, lock_path, sorted_runs
from lstm_forecast.signals import NAMES, Stopped, caught, deferred, leave
from tests.conftest import CRON, ROOT, SMALL, Cli, Tiny
from tests.training.jobs import days, job, momentum, write_csv

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(getattr(signal, name)) for name in NAMES]
    yield
    assert [signal.getsignal(getattr(signal, name)) for name in NAMES] == before


def send(name: str) -> None:
    """The signal, to this process; its handler runs before the next line."""
    signal.raise_signal(getattr(signal, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_is_told_and_raised_at_once(name: str) -> None:
    told: list[str] = []
    done = False
    with pytest.raises(KeyboardInterrupt if name == "SIGINT" else Stopped) as left, caught(told.append):  # noqa: PT012
        send(name)
        done = True
    assert (told, done) == ([name], False)
    assert name == "SIGINT" or getattr(left.value, "code", None) == CODES[name]


@pytest.mark.parametrize("name", NAMES)
def test_in_a_deferred_block_it_waits_for_the_end_or_for_the_question(name: str) -> None:
    for asks in (False, True):
        steps, told = [], []  # type: list[int], list[str]
        with pytest.raises((KeyboardInterrupt, Stopped)), caught(told.append), deferred() as stop:  # noqa: PT012
            for step in range(4):
                if asks:
                    stop()
                if step == 1:
                    send(name)
                    assert told == [name]
                    with deferred():  # an inner block, as a file is written, does not let it through
                        pass
                steps.append(step)
        assert steps == ([0, 1] if asks else [0, 1, 2, 3])


def test_only_a_second_ctrl_c_is_heard_and_at_once() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), caught(print), deferred():  # noqa: PT012
        send("SIGINT")
        send("SIGTERM")
        send("SIGHUP")
        reached.append(1)
        send("SIGINT")
        reached.append(2)
    assert reached == [1]


def test_a_signal_that_was_left_waiting_falls_on_nobody_later() -> None:
    with pytest.raises(KeyboardInterrupt), caught(print), deferred():  # noqa: PT012
        send("SIGINT")
        send("SIGINT")
    with pytest.raises(ValueError, match="another"), caught(print), deferred():  # noqa: PT012
        send("SIGTERM")
        raise ValueError("another")
    with deferred() as ask:
        ask()


def test_an_error_in_a_deferred_block_is_the_reason_that_is_told() -> None:
    with caught(print):
        with pytest.raises(StorageError), deferred():  # noqa: PT012
            send("SIGTERM")
            raise StorageError("storage.full", "full")
        leave()
        with deferred():  # what the end of a run writes
            pass
        send("SIGTERM")
    with pytest.raises(Stopped), caught(print):  # the next block hears again
        send("SIGTERM")


def test_what_telling_raises_is_dropped() -> None:
    def broken(name: str) -> None:
        raise OSError

    with pytest.raises(Stopped), caught(broken):
        send("SIGTERM")


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with caught(print):
            send("SIGHUP")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_are_left_alone() -> None:
    found = []

    def inside() -> None:
        with caught(found.append), deferred() as stop:
            stop()
            found.append("ran")

    with caught(found.append):
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
    assert found == ["ran"]


def test_a_file_is_written_whole_and_no_temporary_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_sync = storage.os.fsync

    def sync(descriptor: int) -> None:
        if not list(tmp_path.glob("file")):
            send("SIGTERM")
        true_sync(descriptor)

    monkeypatch.setattr(storage.os, "fsync", sync)
    with pytest.raises(Stopped), caught(print):
        storage.write_atomic(tmp_path / "file", b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"whole")]


def test_row_57_in_the_publishing_a_run_becomes_complete_and_current(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(100), "value": momentum(100)})
    true_publish = trainings.publish

    def publish(run: Run, files: dict[str, bytes]) -> None:
        send("SIGTERM")
        true_publish(run, files)

    monkeypatch.setattr(trainings, "publish", publish)
    result = cli("train", csv, *SMALL, "--runs-dir", tmp_path / "runs")
    assert result.code == 143
    (run,) = sorted_runs(tmp_path / "runs" / "a")
    assert (run.complete, run.current) == (True, True)
    assert json.loads((run.path / "status.json").read_text())["exit_code"] == 143
    assert cli("predict", "a", "--runs-dir", tmp_path / "runs").code == 0


def test_row_57_before_the_publishing_nothing_is_complete(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judging(*arguments: object, **named: object) -> None:
        send("SIGHUP")

    monkeypatch.setattr(trainings, "fit_and_test", judging)
    result = cli("train", tiny.csv, *SMALL, "--name", "b", "--runs-dir", tiny.runs)
    assert result.code == 129
    assert [run.complete for run in sorted_runs(tiny.runs / "b")] == [False]


def test_row_57_while_it_waits_for_another_one_nothing_was_begun(tiny: Tiny) -> None:
    words = ["train", tiny.csv, *SMALL, "--name", "c", "--runs-dir", tiny.runs, "--wait", "60s"]
    with storage.held_lock(lock_path(tiny.runs, "c"), timeout_s=0):
        child = subprocess.Popen(
            [sys.executable, "-m", "lstm_forecast", *words],
            env={**CRON, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert child.stderr is not None
            while "waiting:" not in (line := child.stderr.readline()):
                assert line, "it ended"
            time.sleep(0.3)  # it has said so, and now waits
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
            child.wait()
    assert (child.returncode, out, err) == (143, "", "  SIGTERM: stopping\n")
    assert not (tiny.runs / "c").exists()


def test_the_verb_hears_signals_for_its_own_time_only(tmp_path: Path) -> None:
    """Nothing of ours stays in a program that uses the package; the fixture compares the handlers."""
    csv = write_csv(tmp_path / "a.csv", {"date": days(100), "value": momentum(100)})
    assert pipeline.train(job(csv), runs_dir=tmp_path / "runs").current
