"""The program in processes that are forked from one which has imported everything: no seconds for imports.

What only the start of an interpreter shows (its encoding, what it imports) needs ``run_cli`` instead.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import CRON, ROOT, Result

SERVER = Path(__file__).with_name("warm.py")


@dataclass
class Warm:
    """A process that forks one child per command; see ``warm.py``.

    Attributes:
        folder: where the children's output goes.
        statement: what is run once, before the first child.
    """

    folder: Path
    statement: str
    _process: subprocess.Popen[str] = field(init=False)
    _alive: set[int] = field(default_factory=set)
    _count: int = 0

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, SERVER, self.statement],
            env={**CRON, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        words: Sequence[str | Path],
        *,
        script: Path | None = None,
        most_bytes: int | None = None,
        waits: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        out: Path | None = None,
        err: Path | None = None,
        terminal: str | None = None,
    ) -> Child:
        """A child that runs these words.

        Args:
            words: of the program.
            script: run in the program's place.
            most_bytes: limit on the size of a file.
            waits: the child begins only once it is told to go.
            env: variables on top of those of cron.
            cwd: the working directory; the folder of this process without one.
            out: what stdout is; a file of the child's own without one.
            err: the same of stderr.
            terminal: the device that is its terminal and all three streams.
        """
        self._count += 1
        stem = self.folder / f"child-{self._count}"
        request = {
            "words": [str(word) for word in words],
            "script": None if script is None else str(script),
            "most_bytes": most_bytes,
            "env": {**CRON, "PYTHONPATH": str(ROOT), **(env or {})},
            "cwd": str(cwd or self.folder),
            "streams": [str(path or stem.with_suffix(end)) for path, end in ((out, ".out"), (err, ".err"))],
            "terminal": terminal,
            "stem": str(stem),
            "waits": waits,
        }
        for suffix in (".out", ".err"):  # the child may be killed before it has made them
            stem.with_suffix(suffix).touch()
        child = Child(self._asked(request), stem, self)
        self._alive.add(child.pid)
        return child

    def run(
        self,
        words: Sequence[str | Path],
        *,
        script: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        out: Path | None = None,
        err: Path | None = None,
    ) -> Result:
        """The command, without a fault; the arguments are those of :meth:`start`."""
        return self.start(words, script=script, env=env, cwd=cwd, out=out, err=err).result()

    def ended(self, pid: int) -> int:
        """The code of a child, once it has ended."""
        code = self._asked({"wait": pid})
        self._alive.discard(pid)
        return code

    def close(self) -> None:
        for pid in self._alive:  # of tests that failed
            os.kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _asked(self, request: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass(frozen=True)
class Child:
    """A command that runs."""

    pid: int
    stem: Path
    warm: Warm

    def ready(self) -> None:
        """Comes back once the child has nothing left to do but wait."""
        awaited(self.stem.with_suffix(".ready").exists)

    def go(self) -> None:
        self.stem.with_suffix(".go").touch()

    def result(self, *, timeout: float = 60.0) -> Result:
        """What it leaves; the seventh of the seven is the time it may take."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            os.kill(self.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, kill)
        timer.start()
        code = self.warm.ended(self.pid)
        timer.cancel()
        assert not late.is_set(), f"still running after {timeout} s"
        texts = [self.stem.with_suffix(suffix).read_text() for suffix in (".out", ".err")]
        return Result(code, *texts)


@contextmanager
def warmed(folder: Path, statement: str) -> Iterator[Warm]:
    """A :class:`Warm` for as long as the block runs."""
    warm = Warm(folder, statement)
    try:
        yield warm
    finally:
        warm.close()


def awaited(happened: Callable[[], bool], timeout: float = 30.0) -> None:
    """Comes back once this has happened."""
    until = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.002)


def statement(*commands: Sequence[str]) -> str:
    """What a warm process runs once: the commands, so that their children find everything imported."""
    return f"""
from lstm_forecast.cli.app import main
for words in {[list(words) for words in commands]!r}:
    try:
        main(words)
    except SystemExit as left:
        assert not left.code, (words, left.code)
"""
