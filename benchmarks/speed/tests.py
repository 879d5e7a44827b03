"""Where the tests spend the processor's time: seconds of each file and of the slowest tests.

    .venv/bin/python benchmarks/speed/tests.py [WORDS OF PYTEST...]

One process runs the default suite, or what the words name, in a fixed order. Seconds of the processor are
counted, so that a busy machine says little else than a quiet one: those of the tests, and those of processes
that they started and waited for. What waits for a disk or a lock shows in the third column alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

MOST = 40  # files and tests that are shown
Spent = tuple[float, float, float]  # in this process, in its children, by the clock


def now() -> Spent:
    """The clocks of this process."""
    spent = os.times()
    return spent.user + spent.system, spent.children_user + spent.children_system, time.monotonic()


class Clock:
    """A plugin that adds up what each test takes, its fixtures included."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Around set-up, call and tear-down."""
        before = now()
        result = yield
        one, children, clock = (after - first for after, first in zip(now(), before, strict=True))
        self.spent[item.nodeid] = (one, children, clock)
        return result


def shown(spent: dict[str, Spent]) -> None:
    """The dearest first."""
    for name, (one, children, clock) in sorted(spent.items(), key=lambda e: -sum(e[1][:2]))[:MOST]:
        print(f"{one:8.2f}  {children:8.2f}  {clock:8.2f}  {name[:90]}")


def main() -> int:
    """Runs the tests, prints both tables and gives the code of pytest."""
    clock = Clock()
    words = sys.argv[1:] or ["-m", "not slow"]
    code = int(pytest.main(["-q", "-p", "no:randomly", "-p", "no:xdist", *words], plugins=[clock]))
    files: dict[str, Spent] = defaultdict(lambda: (0.0, 0.0, 0.0))
    for name, spent in clock.spent.items():
        file = name.partition("::")[0]
        one, children, by_clock = (a + b for a, b in zip(files[file], spent, strict=True))
        files[file] = (one, children, by_clock)
    for title, table in (("files", files), ("tests", clock.spent)):
        print(f"\n   tests   started     clock  {title}")
        shown(table)
    one, children, by_clock = (sum(spent[n] for spent in files.values()) for n in range(3))
    print(f"\n{one:.0f} s + {children:.0f} s of the processor, {by_clock:.0f} s by the clock")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
