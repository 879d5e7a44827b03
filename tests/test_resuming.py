"""One training per name: the lock of a run name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lstm_forecast.runs.run import lock_path
from lstm_forecast.runs.storage import held_lock
from tests.conftest import CRON, ROOT, SMALL, Cli, Tiny

# Holds the lock of a name until it is killed; with "fork", a child of it lives on.
HOLDER = """
import os, sys, time
from pathlib import Path
from lstm_forecast.runs.storage import held_lock
with held_lock(Path(sys.argv[1]), timeout_s=0):
    child = os.fork() if sys.argv[2] == "fork" else 1
    print(os.getpid() if child else "child", flush=True)
    time.sleep(60)
"""


def quick(tiny: Tiny, *more: str) -> list[str | Path]:
    """The words of a training that takes a moment."""
    return ["train", tiny.csv, *SMALL, "--name", "job", "--set", "run.plots=false", *more]


def test_a_second_training_of_a_name_is_told_who_trains_it(cli: Cli, tiny: Tiny) -> None:
    words = [*quick(tiny), "--runs-dir", tiny.runs]
    before = sorted(tiny.runs.rglob("*"))
    with held_lock(lock_path(tiny.runs, "job"), timeout_s=0):
        result = cli(*words)
        assert (result.code, result.out) == (75, "")
        assert f"is held by process {os.getpid()} on {os.uname().nodename} since 20" in result.err
        assert "hint: try again later; train waits with --wait 10m" in result.err
        assert "epoch" not in result.err
        assert sorted(p for p in tiny.runs.rglob("*") if ".locks" not in p.parts) == [
            p for p in before if ".locks" not in p.parts
        ]
        assert cli("predict", "tiny", "--runs-dir", tiny.runs).code == 0  # reading needs no lock
        assert cli(*words, "--name", "other").code == 0  # nor does another name
    assert cli(*words).code == 0


def test_wait_waits_and_says_for_whom(cli: Cli, tiny: Tiny) -> None:
    words = [*quick(tiny), "--runs-dir", tiny.runs, "--wait"]
    held, free = threading.Event(), threading.Event()

    def holds() -> None:
        with held_lock(lock_path(tiny.runs, "job"), timeout_s=0):
            held.set()
            free.wait(60)

    thread = threading.Thread(target=holds)
    thread.start()
    held.wait(60)
    try:
        result = cli(*words, "0.3s")
        assert result.code == 75
        assert "waited 0.3 s" in result.err
        threading.Timer(0.5, free.set).start()
        result = cli(*words, "60s")
    finally:
        free.set()
        thread.join()
    assert result.code == 0
    assert f"  waiting: job is held by process {os.getpid()}" in result.err


@pytest.mark.parametrize("text", ["30", "soon", "-1s", ""])
def test_wait_needs_a_unit(text: str, cli: Cli, tiny: Tiny) -> None:
    result = cli(*quick(tiny), "--runs-dir", tiny.runs, "--wait", text)
    assert result.code == 2
    assert f"error[train.wait]: --wait: got {text!r}; expected a duration such as 30s" in result.err


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_row_48_a_killed_holder_frees_the_name_even_if_a_child_of_it_lives(how: str, tmp_path: Path) -> None:
    path = lock_path(tmp_path, "name")
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, how],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        said = {child.stdout.readline().strip() for _ in range(2 if how == "fork" else 1)}
        assert str(child.pid) in said
        about = json.loads(path.with_name("name.lock.json").read_text())
        assert about["pid"] == child.pid
        child.send_signal(signal.SIGKILL)
        child.wait()
        with held_lock(path, timeout_s=0):  # free at once
            assert json.loads(path.with_name("name.lock.json").read_text())["pid"] == os.getpid()
        assert not path.with_name("name.lock.json").exists()
    finally:
        os.killpg(child.pid, signal.SIGKILL) if how == "fork" else child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"\xff", b'{"pid": 1, "host": "\x1b[31m"}'])
def test_what_stands_beside_a_lock_is_information_only(damage: bytes, cli: Cli, tiny: Tiny) -> None:
    path = lock_path(tiny.runs, "job")
    with held_lock(path, timeout_s=0):
        path.with_name(path.name + ".json").write_bytes(damage)
        result = cli(*quick(tiny), "--runs-dir", tiny.runs)
        assert result.code == 75
        assert "is held by another process; waited 0 s" in result.err
    path.with_name(path.name + ".json").write_bytes(b'{"pid": 1, "host": "dead", "since": "1970"}')
    with held_lock(path, timeout_s=0):
        pass
