"""What the reader takes, with all its checks, beside a bare ``pandas.read_csv``: at most 1.6 times as long.

``python benchmarks/speed/reader.py [ROWS] [REPEATS]`` writes a file of six columns (a time and five numbers)
into a temporary folder and reads it in processes of their own, in turn: the reader, and pandas with its dates
parsed. It prints the medians of both, their ratio, and the peak memory beyond that of the imports. Seconds
are those of the processor, without the imports: other work on the machine counts for neither.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MIB = 2**20


def write_prices(path: Path, rows: int) -> None:
    """One series by the minute, every cell filled, two digits after the point."""
    random = np.random.default_rng(0)
    close = np.exp(random.normal(0, 1e-4, rows).cumsum()) * 100
    spread = np.abs(random.normal(0, 0.05, (3, rows)))
    columns = (close - spread[0], close + spread[1], close - spread[2], close)
    volume = random.integers(0, 100_000, rows)
    times = np.datetime64("2010-01-04T00:00:00") + np.arange(rows).astype("timedelta64[m]")
    with path.open("w", encoding="utf-8") as file:
        file.write("datetime,open,high,low,close,volume\n")
        for when, prices, count in zip(times, np.stack(columns, axis=1), volume, strict=True):
            cells = ",".join(f"{price:.2f}" for price in prices)
            file.write(f"{str(when).replace('T', ' ')},{cells},{count}\n")


def peak_bytes() -> int:
    """The most memory this process has held; unlike ``ru_maxrss``, without that of the process before it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(what: str, path: str) -> None:
    """Reads the file once in this process and prints seconds and bytes as JSON."""
    if what == "pandas":
        import pandas as pd

        before, start = peak_bytes(), time.process_time()
        rows = len(pd.read_csv(path, parse_dates=["datetime"]))
    else:
        from lstm_forecast.data.reader import ReadOptions, read_table

        names = ("open", "high", "low", "volume")
        before, start = peak_bytes(), time.process_time()
        rows = len(read_table(path, ReadOptions(target="close", past_covariates=names)).times)
    seconds = time.process_time() - start
    print(json.dumps({"rows": rows, "seconds": seconds, "bytes": peak_bytes() - before}))


def main(rows: int, repeats: int) -> None:
    """Measures both in turn and prints the medians."""
    found: dict[str, list[dict[str, float]]] = {"reader": [], "pandas": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        write_prices(path, rows)
        print(f"{rows:,} rows x 6 columns, {path.stat().st_size / MIB:.0f} MiB, {repeats} times each in turn")
        for _ in range(repeats):
            for what, results in found.items():
                command = [sys.executable, __file__, "--measure", what, str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results.append(json.loads(done.stdout))
    median = {
        what: [statistics.median(one[key] for one in results) for key in ("seconds", "bytes")]
        for what, results in found.items()
    }
    for what, (seconds, size) in median.items():
        print(f"{what:<10} {seconds:7.2f} s   {size / MIB:7.0f} MiB")
    ratios = (ours / theirs for ours, theirs in zip(median["reader"], median["pandas"], strict=True))
    print("ratio      {:7.2f}     {:7.2f}".format(*ratios))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(*(numbers + [1_000_000, 5][len(numbers) :]))
