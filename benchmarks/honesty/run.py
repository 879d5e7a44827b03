"""Whether the intervals hold, the verdict tells the truth, and what it costs to know.

    .venv/bin/python benchmarks/honesty/run.py
    .venv/bin/python benchmarks/honesty/run.py --parts coverage,cost --jobs 2
    .venv/bin/python benchmarks/honesty/run.py --quick

Each part leaves its table, with versions and the kind of machine, as ``results/<part>.md`` beside this file;
``--quick`` is a trial that leaves none. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).resolve().parent
PARTS = ("coverage", "verdicts", "cost")
Job = TypeVar("Job")
Found = TypeVar("Found")


def main() -> int:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="some of coverage,verdicts,cost")
    parser.add_argument("--jobs", type=int, default=1, help="processes; the cost is measured by one")
    parser.add_argument("--quick", action="store_true", help="less of everything: does it run?")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    if set(wanted) - set(PARTS):
        parser.error(f"--parts: got {options.parts}, expected some of {','.join(PARTS)}")
    missed = []
    for part in wanted:
        began = time.monotonic()
        lines, wrong = _measured(part, quick=options.quick, processes=options.jobs)
        missed += [f"{part}: {one}" for one in wrong]
        elapsed = f"{time.monotonic() - began:.0f} s, {options.jobs} process(es)"
        print("\n".join(lines), f"({elapsed})", sep="\n", flush=True)
        if not options.quick:
            _save(part, lines, wrong, elapsed)
    print("\n".join(f"missed: {one}" for one in missed) or "every target was met")
    return 1 if missed and not options.quick else 0


def _measured(part: str, *, quick: bool, processes: int) -> tuple[list[str], list[str]]:
    """The table of one part, and the targets it missed."""
    from benchmarks.honesty import cost, coverage, verdicts

    if part == "coverage":
        shares = list(_each(coverage.measure, coverage.jobs(quick=quick), processes))
        wrong = [f"{one.series}, {one.kind} {one.level:g} %: {one.share:.3f}" for one in shares if one.missed]
        return coverage.table(shares), wrong
    if part == "verdicts":
        outcomes = list(_each(verdicts.measure, verdicts.jobs(quick=quick), processes))
        return verdicts.table(outcomes), verdicts.missed(outcomes)
    costs = cost.measure(quick=quick)
    return cost.table(costs), cost.missed(costs)


def _each(measure: Callable[[Job], list[Found]], jobs: Sequence[Job], processes: int) -> Iterator[Found]:
    """What is found in each of the jobs, in their order, with a line of progress for each."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, found in enumerate(pool.map(measure, jobs), start=1):
            print(f"  {number} of {len(jobs)}", *found, sep="\n    ", file=sys.stderr, flush=True)
            yield from found


def _save(part: str, lines: Sequence[str], wrong: Sequence[str], elapsed: str) -> None:
    """Keeps the table of a part with what it was measured with."""
    versions = [f"{name} {version(name)}" for name in ("torch", "numpy", "scipy")]
    made = f"`benchmarks/honesty/run.py --parts {part}`, {time.strftime('%Y-%m-%d')}, {elapsed}."
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    said = [f"Missed: {one}." for one in wrong] or ["Every target was met."]
    under = [*said, "", f"{made} Python {platform.python_version()}, {', '.join(versions)}; {where}."]
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    text = "\n".join([f"# {part.capitalize()}", "", *lines, "", *under])
    (folder / f"{part}.md").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    sys.exit(main())
