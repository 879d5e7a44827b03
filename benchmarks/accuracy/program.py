"""The program in processes of its own, what they cost, and the rows of a table of results."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIGS = HERE / "configs"
RESULTS = HERE / "results"
LIMIT_S = 1200.0  # one command; the whole benchmark has an hour
KILOBYTE = 1 if platform.system() == "Darwin" else 1024  # of getrusage: macOS counts bytes
HEAD = ["| data | measured | limits | reached | seconds | peak MB |", "| --- | --- | --- | --- | --- | --- |"]
NAMES = ("must", "goal", "moonshot")  # of a row's limits, in their order


class Failed(Exception):
    """A command of the program did not end well."""


@dataclass(frozen=True)
class Spent:
    """What commands cost: seconds together, memory of the largest."""

    seconds: float = 0.0
    peak_mb: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, max(self.peak_mb, other.peak_mb))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        data: what was forecast.
        measured: in words, with numbers.
        figures: the measured values that have limits.
        limits: of each figure the limits in the order of `NAMES`; as many as there are.
        spent: seconds and memory; None where they stand in another row.
    """

    data: str
    measured: str
    spent: Spent | None = None
    figures: tuple[float, ...] = ()
    limits: tuple[tuple[float, ...], ...] = ()

    def reached(self) -> str:
        """The last of the limits that every figure keeps."""
        kept = ""
        for place, name in enumerate(NAMES[: min(map(len, self.limits), default=0)]):
            if any(value > limit[place] for value, limit in zip(self.figures, self.limits, strict=True)):
                return kept or "missed"
            kept = name
        return kept

    def text(self) -> str:
        """The line, as Markdown."""
        steps = zip(*self.limits, strict=False)
        limits = ", ".join("/".join(f"{limit:g}" for limit in step) for step in steps)
        cost = ("", "") if self.spent is None else (f"{self.spent.seconds:.0f}", f"{self.spent.peak_mb:.0f}")
        return f"| {' | '.join([self.data, self.measured, limits, self.reached(), *cost])} |"


def run(work: Path, *words: object, sets: Sequence[str] = ()) -> tuple[Any, Spent]:
    """Runs one command and gives its JSON document (None of `predict`) and what it cost.

    Args:
        work: a folder, which gets the runs.
        words: the command and its arguments.
        sets: KEY=VALUE, added as ``--set``.

    Raises:
        Failed: it ended with another code than 0, or was stopped after 20 minutes.
    """
    wanted = ["--quiet"] if words[0] == "predict" else ["--quiet", "--json"]
    arguments = [*map(str, words), *(part for one in sets for part in ("--set", one)), *wanted]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LSTM_FORECAST_RUNS_DIR": str(work / "runs")}
    output, errors = work / "stdout.json", work / "stderr.txt"
    began = time.monotonic()
    with output.open("wb") as out, errors.open("wb") as err:
        command = [sys.executable, "-m", "lstm_forecast", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        alarm = threading.Timer(LIMIT_S, process.terminate)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        lines = errors.read_text(encoding="utf-8").splitlines()
        said = "; ".join(line for line in lines if line.startswith("error")) or f"after {seconds:.0f} s"
        raise Failed(f"lstm-forecast {words[0]} ended with {process.returncode}: {said}")
    document = None if words[0] == "predict" else json.loads(output.read_bytes())
    return document, Spent(seconds, usage.ru_maxrss * KILOBYTE / 1e6)


def read_json(path: Path) -> Any:
    """The document in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def save_table(name: str, title: str, lines: Sequence[str], made: str) -> None:
    """Keeps a table as ``results/NAME.md``, with what it was measured with."""
    versions = [f"{one} {version(one)}" for one in ("torch", "numpy", "scipy")]
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    when = time.strftime("%Y-%m-%d")
    under = f"`{made}`, {when}. Python {platform.python_version()}, {', '.join(versions)}; {where}."
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(
        "\n".join([f"# {title}", "", *lines, "", under, ""]), encoding="utf-8"
    )
