"""How long the track record of 1,000,000 recorded forecasts takes; it is to be at most 10 s.

``python benchmarks/speed/ledger.py [ROWS]`` fills a ledger in a temporary folder with forecasts 20 steps
ahead of 50 series, with bounds of two levels, and prints what recording, arriving and judging took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lstm_forecast.evaluation.live import scores_by
from lstm_forecast.runs.ledger import Issue, open_ledger

SERIES, HORIZON, LEVELS, DAY_US = 50, 20, (80.0, 95.0), 86_400_000_000


def issue(number: int) -> Issue:
    """The forecasts of one day."""
    random, count = np.random.default_rng(number), SERIES * HORIZON
    steps = np.tile(np.arange(1, HORIZON + 1), SERIES)
    forecast = random.normal(size=count)
    return Issue(
        "stock",
        f"run {number // 100}",
        "Close",
        "0" * 64,
        series=[f"S{place}" for place in range(SERIES) for _ in range(HORIZON)],
        as_of=np.full(count, number * DAY_US),
        steps=steps,
        times=(number + steps) * DAY_US,
        forecast=forecast,
        naive=random.normal(size=count),
        sources=["model"] * count,
        bounds={level: (forecast - level / 60, forecast + level / 60) for level in LEVELS},
    )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long the block took."""
    start = time.monotonic()
    yield
    print(f"{what:<40} {time.monotonic() - start:6.2f} s")


def main(rows: int) -> None:
    """Fills, judges, and prints the times."""
    days = -(-rows // (SERIES * HORIZON))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        with timed(f"record {days:,} x {SERIES * HORIZON:,} forecasts"), open_ledger(path) as ledger:
            for number in range(days):
                with ledger.change(keep=True):
                    ledger.record(issue(number))
        print(f"{'size of the file':<40} {path.stat().st_size / 2**20:6.0f} MiB")
        with open_ledger(path) as ledger, ledger.change(keep=True):
            with timed("find the times waited for"):
                waiting = ledger.waiting("stock", "Close")
            values = {name: (times, np.sin(times / DAY_US)) for name, times in waiting.items()}
            with timed("store the values that arrived"):
                ledger.put_actuals("stock", "Close", values, data_sha256="1" * 64)
            with timed(f"read {days * SERIES * HORIZON:,} forecasts"):
                issued = ledger.read("stock", "Close")
        with timed("judge them, in all, by step, by month"):
            months = issued.times.astype("datetime64[us]").astype("datetime64[M]")
            for labels in (issued.steps * 0, issued.steps, months):
                names, label = np.unique(labels, return_inverse=True)
                scores_by(issued, label, len(names))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
