"""Every question of speed and memory in turn, and one table of the answers.

    make bench                                               # everything; about 25 minutes on two cores
    .venv/bin/python benchmarks/speed/run.py --only reader,cold
    .venv/bin/python benchmarks/speed/run.py --data FOLDER   # with m4_hourly_train.csv: the M4 recipe too
    .venv/bin/python benchmarks/speed/run.py --save

Each question is a script beside this one that says what it measures and can be run alone. What a script has
printed stands below the table. ``--save`` keeps all of it in benchmarks/results/speed.md, with the machine
and the versions. Peers that were not built (benchmarks/speed/peers.sh) are left out, and said.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parent / "results" / "speed.md"
FIGURE = r"([\d.]+)"
HEAD = ["| what | figure | target | moonshot | by |", "| --- | ---: | ---: | ---: | --- |"]


@dataclass(frozen=True)
class Answer:
    """One line of the table.

    Attributes:
        what: is compared.
        pattern: of what the script prints; its group is the figure.
        target: the figure is to be at most.
        moonshot: the same, further away; None where there is none.
    """

    what: str
    pattern: str
    target: float
    moonshot: float | None = None


@dataclass(frozen=True)
class Question:
    """A script with its words, and what is read off."""

    name: str
    words: tuple[str, ...]
    answers: tuple[Answer, ...]
    needs_data: bool = False

    @property
    def command(self) -> str:
        """As one types it."""
        return " ".join(["benchmarks/speed/" + self.words[0], *self.words[1:]])


def _epoch(over: str, name: str, target: float, moonshot: float) -> Answer:
    """The ratio of this program's epoch to that of a contender, by the clock."""
    ratio = rf"this program / {re.escape(over)}: {FIGURE} by"
    return Answer(f"{name}: epoch / {over}", ratio, target, moonshot)


def _cold(command: str, target: float, moonshot: float | None, *, column: int, what: str) -> Answer:
    """A cell of the table of cold.py."""
    cells = r"[^|]*\|" * (column - 1)
    return Answer(what, rf"\| {re.escape(command)} \|{cells} {FIGURE} \|", target, moonshot)


def _reader(file: str, beside: str, what: str) -> Answer:
    """A ratio of reader.py for one of its files."""
    return Answer(f"{what}, processor seconds", rf"{file}: [\s\S]*?/ {beside} +{FIGURE}", 1.6, 1.1)


PLAIN, KEPT_MEMORY = "plain torch, all defaults", "plain torch, our allocator settings"
CLASSIC = "4 x LSTM(50), batch 32"
QUESTIONS = (
    Question(
        "training",
        ("training.py",),
        (_epoch(PLAIN, CLASSIC, 0.5, 0.35), _epoch(KEPT_MEMORY, CLASSIC, 0.8, 0.6)),
    ),
    Question(
        "busy",
        ("training.py", "--busy", "--only", "plain", "ours"),
        (_epoch(PLAIN, f"{CLASSIC}, a busy process beside it", 0.35, 0.2),),
    ),
    Question(
        "wide",
        ("training.py", "--hidden", "128", "--layers", "2", "--batch", "128", "--only", "plain", "ours"),
        (_epoch(PLAIN, "2 x LSTM(128), batch 128", 0.8, 0.6),),
    ),
    Question(
        "peers",
        ("peers.py",),
        (
            _epoch("darts (BlockRNNModel)", CLASSIC, 0.48, 0.33),
            _epoch("neuralforecast (LSTM)", CLASSIC, 0.48, 0.33),
            _epoch("Keras on TensorFlow", CLASSIC, 0.3, 0.2),
            _epoch("Keras on torch", CLASSIC, 0.15, 0.1),
        ),
    ),
    Question("m4", ("m4_recipe.py",), (_epoch(PLAIN, "M4 Hourly recipe", 0.7, 0.5),), needs_data=True),
    Question(
        "tutorial",
        ("tutorial_time.py",),
        (
            Answer(
                "time to the tutorial's test RMSE, recommended (a trained epoch) / classic",
                f"first trained epoch .*: {FIGURE} of the classic time",
                0.1,
                0.03,
            ),
        ),
    ),
    Question(
        "outside",
        ("outside.py",),
        (
            Answer(
                "share of `train` outside forward, backward and optimiser, percent",
                rf"outside of the steps: [\d.]+ s, {FIGURE}%",
                25,
                15,
            ),
        ),
    ),
    Question(
        "cold",
        ("cold.py",),
        (
            _cold("predict, network", 0.6, 0.35, column=3, what="`predict`, one series / `import torch`"),
            _cold("--help", 0.25, None, column=1, what="`--help`, seconds"),
            _cold("check", 1.0, None, column=1, what="`check` of the demo file, seconds"),
        ),
    ),
    Question(
        "reader",
        ("reader.py",),
        (
            _reader("prices", "bare", "reader with its checks / bare pandas.read_csv, 1,000,000 x 6"),
            _reader("prices", "pandas", "the same / pandas.read_csv with its dates parsed"),
            _reader("all digits", "bare", "the same, numbers with all digits / bare pandas.read_csv"),
            _reader("all digits", "pandas", "the same / pandas.read_csv with its dates parsed"),
            Answer("ten times the rows: times the seconds", f"reader: 10 times the rows, {FIGURE} times", 11),
            Answer("ten times the rows: times the memory", f"reader: .* seconds, {FIGURE} times", 10.5),
        ),
    ),
    Question(
        "memory",
        ("training_memory.py",),
        (
            Answer(
                "training on 1,000,000 rows, MB above imports and table",
                f"{FIGURE} MB more at the peak",
                160,
                80,
            ),
        ),
    ),
    Question(
        "series",
        ("many_series.py", "10000", "200"),
        (
            Answer(
                "10,000 series x 200 rows: predict 10 steps for all, seconds",
                rf"predict: {FIGURE} s, of that",
                12,
                6,
            ),
        ),
    ),
)


def main() -> int:
    """Asks what is wanted."""
    names = [question.name for question in QUESTIONS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(names), help=f"some of {','.join(names)}")
    parser.add_argument("--data", type=Path, help="folder with m4_hourly_train.csv")
    parser.add_argument("--save", action="store_true", help=f"keep the table as {KEPT.name}")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if set(wanted) - set(names):
        parser.error(f"--only: expected some of {','.join(names)}; got {given.only}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # for a user Python keeps what it has compiled
    lines, below = [*HEAD], []
    print(*HEAD, sep="\n", flush=True)
    for question in QUESTIONS:
        if question.name not in wanted or (question.needs_data and given.data is None):
            continue
        printed = ask(question, given.data)
        below += ["", f"## {question.command}", "", "```", *printed.strip().splitlines(), "```"]
        for line in table_lines(question, printed):
            lines.append(line)
            print(line, flush=True)
    if given.save:
        save([*lines, *below])
    return 0


def ask(question: Question, data: Path | None) -> str:
    """What the script prints; where it fails, what it says of that."""
    words = [*question.words, str(data)] if question.needs_data else list(question.words)
    done = subprocess.run(
        [sys.executable, str(HERE / words[0]), *words[1:]], capture_output=True, text=True, check=False
    )
    failed = f"\nended with {done.returncode}: {done.stderr[-500:]}" if done.returncode else ""
    return done.stdout + failed


def table_lines(question: Question, printed: str) -> Iterator[str]:
    """A line for every answer; a dash where the script did not give it."""
    for answer in question.answers:
        found = re.search(answer.pattern, printed)
        moonshot = "" if answer.moonshot is None else f"≤ {answer.moonshot:g}"
        figure = found[1] if found else "-"
        yield f"| {answer.what} | {figure} | ≤ {answer.target:g} | {moonshot} | {question.name} |"


def save(lines: list[str]) -> None:
    """Keeps the table with what it was measured on."""
    versions = ", ".join(f"{one} {version(one)}" for one in ("torch", "numpy", "pandas"))
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    when = f"`benchmarks/speed/run.py`, {time.strftime('%Y-%m-%d')}"
    under = f"{when}. Python {platform.python_version()}, {versions}; {machine}, {load}."
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text("\n".join(["# Speed and memory", "", under, "", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
