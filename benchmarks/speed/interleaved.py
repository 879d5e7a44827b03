"""Contenders of a benchmark: each a process of its own that stays, and does its work once when it is asked.

The work of all is done in turn, so that a machine that grows slower does so for each; the first turn is not
counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

BUSY = "while True: sum(range(1000))"
MARK = "seconds: "
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Spent(NamedTuple):
    """Medians of a contender: seconds by the wall and of the processor."""

    wall: float
    cpu: float


def measured(commands: Mapping[str, Sequence[str]], *, turns: int, busy: bool = False) -> dict[str, Spent]:
    """Starts every command, which calls :func:`contend`, and asks each in turn for its work.

    Args:
        commands: whole command lines, by contender.
        turns: that count.
        busy: whether another process is busy beside them.
    """
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    started = {
        name: subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, command in commands.items()
    }
    found: dict[str, list[Spent]] = {name: [] for name in started}
    try:
        for process in started.values():
            _answer(process)
        with neighbour(present=busy):
            for _ in range(turns + 1):
                for name, process in started.items():
                    found[name].append(_answer(process))
    finally:
        for process in started.values():
            process.kill()
            process.wait()
    return {name: Spent(*map(statistics.median, zip(*of[1:], strict=True))) for name, of in found.items()}


def _answer(process: subprocess.Popen[str]) -> Spent:
    """Asks a contender for its work; other lines that it prints are passed over."""
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    for line in process.stdout:
        if line.startswith(MARK):
            wall, cpu = line.removeprefix(MARK).split()
            return Spent(float(wall), float(cpu))
    raise RuntimeError(f"a contender ended: {process.args!r}")


def contend(work: Callable[[], None]) -> None:
    """Does the work whenever it is asked for, and answers with its seconds."""
    turns = answer_when_asked()
    for _ in turns:
        work()
        next(turns)


def answer_when_asked() -> Iterator[None]:
    """Where a library has the loop: goes on when asked, and the next time answers with the seconds since."""
    sys.stdin.readline()
    print(f"{MARK}0 0", flush=True)  # ready
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        print(f"{MARK}{time.perf_counter() - wall} {time.process_time() - cpu}", flush=True)
        yield


@contextmanager
def neighbour(*, present: bool) -> Iterator[None]:
    """Keeps another process busy on one core while the block runs, where asked for."""
    process = subprocess.Popen([sys.executable, "-c", BUSY]) if present else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def report(found: Mapping[str, Spent], names: Mapping[str, str]) -> None:
    """Prints a table, and the ratio of the last contender to each other one by the wall."""
    print("| contender | wall, s | processor, s |\n| --- | ---: | ---: |")
    for name, spent in found.items():
        print(f"| {names[name]} | {spent.wall:.3f} | {spent.cpu:.3f} |")
    *others, last = found
    for name in others:
        wall, cpu = (mine / other for mine, other in zip(found[last], found[name], strict=True))
        print(f"{names[last]} / {names[name]}: {wall:.2f} by the wall, {cpu:.2f} of the processor")
