"""Prices and rates one step ahead: RMSE over that of the last value, and what the intervals hold.

    .venv/bin/python -m benchmarks.accuracy.fetch FOLDER
    .venv/bin/python -m benchmarks.accuracy.prices FOLDER
    .venv/bin/python -m benchmarks.accuracy.prices FOLDER --only stock,sp500 --set training.seed=1
    .venv/bin/python -m benchmarks.accuracy.prices                         # what ships with the project alone

Each series is forecast by a bare CSV with ``--horizon 1`` (what each issues: the network, or a baseline
behind a closed gate) and by configs/stock.yaml, on the last tenth of its rows. A series of 3,000 rows or
more is trained once more with ``split.test=1000``: the share of these values that the rolling intervals of
``evaluate`` hold. Every row is a look at test values: settings are chosen on validation. The table without
``--set`` or ``--only`` is kept in ``results/``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.accuracy.program import ROOT, run, save_table

SHIPPED = {"stock": "Close", "stock_zh": "收盘价(元)"}
LEAST_ROWS, LEAST_FOR_COVERAGE, TEST_ROWS = 500, 3000, 1000
MUST, GOAL, MEDIAN = 1.005, 1.002, 1.000
HEAD = [
    "| series | rows | bare CSV | issued | stock.yaml | 80 % | 95 % | seconds |",
    "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
]


@dataclass
class Measured:
    """One series: RMSE over naive, and shares inside the rolling intervals."""

    name: str
    rows: int
    bare: float
    issued: str
    tuned: float
    held: dict[float, float] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mb: float = 0.0

    def text(self) -> str:
        """The line of the table."""
        held = [f"{100 * self.held[level]:.1f}" if level in self.held else "" for level in (80, 95)]
        cells = [self.name, f"{self.rows:,}", f"{self.bare:.4f}", self.issued, f"{self.tuned:.4f}", *held]
        return f"| {' | '.join(cells)} | {self.seconds:.0f} |"


def main() -> int:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="what fetch.py wrote")
    parser.add_argument("--only", default="", help="some of the series")
    parser.add_argument("--set", action="append", default=[], help="a trial: KEY=VALUE for every training")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else []
    print(*HEAD, sep="\n", flush=True)
    found = []
    for one in measure(options.folder, only, options.set):
        found.append(one)
        print(one.text(), flush=True)
    print(*summary(found), sep="\n")
    if not options.set and not options.only:
        lines = [*HEAD, *(one.text() for one in found), "", *summary(found)]
        save_table("prices", "Prices and rates, one step ahead", lines, "benchmarks/accuracy/prices.py")
    return 0


def measure(folder: Path | None, only: Sequence[str], sets: Sequence[str]) -> Iterator[Measured]:
    """Each series in turn, the shipped ones first."""
    for path, target in inputs(folder):
        rows = sum(1 for _ in path.open("rb")) - 1
        if rows < LEAST_ROWS or (only and path.stem not in only):
            continue
        with tempfile.TemporaryDirectory() as name:
            work, target_set = Path(name), [f"data.target={target}", f"data.path={path.resolve()}"]
            document, spent = run(work, "train", path, "--horizon", 1, sets=sets)
            issued = _issued(document)
            tuned, then = run(
                work, "train", ROOT / "configs" / "stock.yaml", "--name", "tuned", sets=[*target_set, *sets]
            )
            found = Measured(path.stem, rows, _ratio(document, issued), issued, _ratio(tuned, _issued(tuned)))
            spent += then
            if rows >= LEAST_FOR_COVERAGE:
                longer = [f"split.test={TEST_ROWS}", *sets]
                _, then = run(work, "train", path, "--horizon", 1, "--name", "longer", sets=longer)
                backtest, last = run(work, "evaluate", "longer")
                found.held = {one["level"]: one["coverage"] for one in backtest["intervals"]["levels"]}
                spent += then + last
        found.seconds, found.peak_mb = spent.seconds, spent.peak_mb
        yield found


def inputs(folder: Path | None) -> Iterator[tuple[Path, str]]:
    """Files and the column to forecast."""
    for name, target in SHIPPED.items():
        yield ROOT / "data" / f"{name}.csv", target
    for path in sorted((folder / "prices").glob("*.csv")) if folder else ():
        with path.open(encoding="utf-8") as file:
            yield path, file.readline().strip().split(",")[1]


def summary(found: Sequence[Measured]) -> list[str]:
    """What the limits say: each series, the median, the coverage."""
    lines = []
    for name, ratios in (
        ("a bare CSV", [one.bare for one in found]),
        ("stock.yaml", [one.tuned for one in found]),
    ):
        middle, worst = statistics.median(ratios), max(ratios)
        over = ", ".join(one.name for one, ratio in zip(found, ratios, strict=True) if ratio > MUST)
        lines.append(
            f"RMSE over naive with {name}: median {middle:.4f} (goal {MEDIAN}), worst {worst:.4f}"
            f" (must {MUST}, goal {GOAL}){'; over it: ' + over if over else ''}."
        )
    for level in (80, 95):
        held = [100 * one.held[level] for one in found if level in one.held]
        if held:
            off = max(abs(share - level) for share in held)
            lines.append(
                f"{level} % intervals held {min(held):.1f} to {max(held):.1f} % of {TEST_ROWS:,} values"
                f" on {len(held)} series: off by {off:.1f} points at most (must 1.5, goal 1.0)."
            )
    return lines


def _issued(document: dict[str, Any]) -> str:
    """What forecasts: the network, or the baseline behind its gate."""
    return str(document["gate"]["issued"]) if document["gate"] else "model"


def _ratio(document: dict[str, Any], issued: str) -> float:
    metrics: dict[str, dict[str, float]] = document["metrics"]
    return metrics[issued]["rmse"] / metrics["naive"]["rmse"]


if __name__ == "__main__":
    sys.exit(main())
