"""Faults put into the program from outside, and the seven things that hold after each of them.

See docs/reference/faults.md for the seven.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lstm_forecast.errors import EXIT_CODES
from lstm_forecast.runs.run import FILES, MANIFEST, Run, all_runs, current_id, sorted_runs
from lstm_forecast.runs.storage import is_held
from lstm_forecast.runs.verifying import verify_run
from lstm_forecast.training.checkpoints import newest_checkpoint
from tests.conftest import CRON, ROOT, Result
from tests.forked import Child, Warm, awaited

KILLED = -signal.SIGKILL
DOCUMENTED = {row.code for row in EXIT_CODES}
TTY = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/tmp", "LANG": "C.UTF-8", "TERM": "xterm"}
ENVIRONMENTS = {"cron": CRON, "tty": {**TTY, "OMP_NUM_THREADS": "1"}}


@dataclass(frozen=True)
class Before:
    """A folder of runs before a fault: the bytes of every complete run's files, and the runs there were."""

    runs_dir: Path
    files: Mapping[Path, bytes]
    handles: frozenset[str]


def before(runs_dir: Path) -> Before:
    """What must still be there after a fault."""
    runs = all_runs(runs_dir)
    names = (*FILES, MANIFEST)
    files = {run.path / n: (run.path / n).read_bytes() for run in runs if run.complete for n in names}
    return Before(runs_dir, files, frozenset(run.handle for run in runs))


def assert_invariants(was: Before, result: Result, *, said: bool = True) -> None:
    """The first four of the seven, after a fault.

    Args:
        was: the folder of runs before.
        result: what the command left; its code is negative where a signal killed it.
        said: whether what a run's status says can be expected to be the code.
    """
    assert result.code in DOCUMENTED or result.code == KILLED, result
    assert result.code == 1 or "Traceback" not in result.err, result.err
    for path, data in was.files.items():
        assert path.read_bytes() == data, path
    assert_nothing_partial(was.runs_dir)
    if said and result.code != KILLED:
        for run in all_runs(was.runs_dir):
            if run.handle not in was.handles:
                assert status(run)["exit_code"] == result.code, (run.handle, status(run), result)


def status(run: Run) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((run.path / "status.json").read_bytes())
    return fields


def assert_nothing_partial(runs_dir: Path) -> None:
    """Every file under its final name is whole."""
    for run in all_runs(runs_dir):
        assert not run.complete or verify_run(run) == [], run.handle
        for path in run.path.rglob("*"):
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            elif path.suffix == ".jsonl":
                assert all(json.loads(line) for line in path.read_text().splitlines()), path
            elif path.suffix == ".csv":
                assert_whole_csv(path)
        newest_checkpoint(run.path / "checkpoints")
    for folder in {run.path.parent for run in all_runs(runs_dir)}:
        identity = current_id(folder)
        assert (folder / "CURRENT").exists() == (identity is not None)
        assert identity is None or Run(folder / identity).complete
    if (runs_dir / "ledger.sqlite").exists():
        with sqlite3.connect(runs_dir / "ledger.sqlite") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def assert_whole_csv(path: Path) -> None:
    """A header, rows as wide as it, and an end of the last line."""
    text = path.read_text()
    assert text.endswith("\n"), path
    assert len({len(row) for row in csv.reader(text.splitlines())}) == 1, path


def assert_clean(runs_dir: Path) -> None:
    """The sixth of the seven: nothing is left that somebody would have to clear away."""
    left = [path for path in runs_dir.rglob("*") if path.name.endswith(".tmp") or ".trash" in path.name]
    assert left == []
    for lock in (runs_dir / ".locks").glob("*.lock"):
        assert is_held(lock) is False, lock
    assert list((runs_dir / ".locks").glob("*.json")) == []


def age_temporaries(runs_dir: Path) -> None:
    """Some hours later: in complete runs others may write, so that fresh temporary files are left alone."""
    for path in runs_dir.rglob("*.tmp"):
        os.utime(path, (0, 0))


@dataclass(frozen=True)
class Fault:
    """What strace does to the N-th call of a kind."""

    calls: str  # one kind of call, under all the names it may have
    action: str  # error=EIO, signal=KILL
    number: int

    def __str__(self) -> str:
        return f"{self.calls.split(',')[0]}-{self.number}-{self.action.partition('=')[2]}"


def strace_missing() -> str:
    """Why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, timeout=30
    )
    return "" if done.returncode == 0 else f"strace is not allowed: {done.stderr.strip()}"


def traced(child: Child, fault: Fault) -> tuple[Result, list[str]]:
    """Lets a waiting child go with a fault put in; what it leaves, and the calls that were tampered with."""
    log = child.stem.with_suffix(".strace")
    child.ready()
    words = ["strace", "-f", "-y", "-qq", "-o", str(log), "-p", str(child.pid)]
    words += ["-e", f"trace={fault.calls}", "-e", f"inject={fault.calls}:{fault.action}:when={fault.number}"]
    told = child.stem.with_suffix(".told")
    with told.open("w") as said, subprocess.Popen(words, stderr=said) as tracer:
        state = Path(f"/proc/{child.pid}/status")
        awaited(lambda: "TracerPid:\t0\n" not in state.read_text() or tracer.poll() is not None)
        assert tracer.poll() is None, told.read_text()
        child.go()
        result = child.result()
    lines = log.read_text().splitlines()
    hits = [line for line in lines if "INJECTED" in line]
    if result.code == KILLED:
        hits = [line for line in lines if "+++ killed" not in line][-1:]
    return result, hits


def run_cli(
    arguments: Sequence[str | Path],
    *,
    env: Literal["cron", "tty"] = "cron",
    more: Mapping[str, str] = {},
    fault: Sequence[str] = (),
    cwd: Path | None = None,
    timeout: float = 60.0,
) -> Result:
    """The program as cron or as a person at a terminal starts it.

    Args:
        arguments: of the program.
        env: ``cron`` has no terminal; at a ``tty`` both streams are one, and it is in ``out``.
        more: environment variables on top.
        fault: words that stand before the program and start it: ``prlimit --fsize=1000``.
        cwd: the working directory.
        timeout: seconds; a hang is a failure.
    """
    command = [*fault, sys.executable, "-m", "lstm_forecast", *map(str, arguments)]
    whole = {**ENVIRONMENTS[env], "PYTHONPATH": str(ROOT), **more}
    if env == "tty":
        with Terminal(command, whole, cwd) as terminal:
            return Result(terminal.ended(timeout), terminal.text(), "")
    done = subprocess.run(
        command,
        env=whole,
        cwd=cwd,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@dataclass
class _Forked:
    """A forked child with the words of a process of Python."""

    child: Child
    code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)

    def wait(self, timeout: float = 60.0) -> int:
        self.code = self.child.result(timeout=timeout).code if self.code is None else self.code
        return self.code


class Terminal:
    """A program at a terminal of its own, which can be typed into."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        self._seen = b""
        self._process = self._begin(command, env, cwd, slave)
        os.close(slave)

    def _begin(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None, slave: int) -> Any:
        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - it makes one call of the system
        )

    @classmethod
    def forked(cls, warm: Warm, words: Sequence[str | Path], env: Mapping[str, str]) -> Terminal:
        """The program, forked, at such a terminal."""
        terminal = cls.__new__(cls)
        terminal._master, slave = pty.openpty()
        terminal._seen = b""
        terminal._process = _Forked(warm.start(words, env=env, terminal=os.ttyname(slave), waits=True))
        terminal._process.child.ready()  # it has opened its end
        os.close(slave)
        terminal._process.child.go()
        return terminal

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def text(self) -> str:
        """Everything on the terminal so far."""
        return self._seen.decode(errors="replace")

    def wait_for(self, text: str, *, timeout: float) -> None:
        """Reads until this text has come."""
        self._read(lambda: text in self.text(), timeout)
        assert text in self.text(), self.text()

    def ended(self, timeout: float) -> int:
        """The code, once the program has ended."""
        self._read(lambda: False, timeout)
        return self._process.wait(timeout=10)

    def _read(self, enough: Callable[[], bool], timeout: float) -> None:
        until = time.monotonic() + timeout
        while not enough():
            left = until - time.monotonic()
            assert left > 0, f"nothing more for {timeout} s:\n{self.text()}"
            ready, _, _ = select.select([self._master], [], [], left)
            if not ready:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self._seen += data


def without_escapes(text: str) -> str:
    """What a person reads: no escape codes, the lines as a file has them."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")


def newest(runs_dir: Path, name: str) -> Run:
    return sorted_runs(runs_dir / name)[0]
