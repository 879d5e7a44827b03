"""What the reader takes, with all its checks, beside a bare ``pandas.read_csv``: at most 1.6 times as long.

``python benchmarks/speed/reader.py [ROWS] [REPEATS] [TIMES]`` writes files into a temporary folder and reads
them in processes of their own, in turn: the reader, and pandas with its dates parsed. The files:

* prices: one series by the minute, six columns (a time and five numbers);
* by series, by time: ROWS / 200 series of 200 days in long form, an id, a day and a number, in either order.

It prints the medians, their ratios, and the peak memory beyond that of the imports; then the same for prices
of TIMES as many rows (10; 0 leaves that out), beside those of ROWS. Seconds are those of the processor,
without the imports: other work on the machine counts for neither. Those of the clock stand beside them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

MIB = 2**20
DAYS = 200
BLOCK = 100_000  # rows that are written at once
KEYS = ("seconds", "wall", "bytes")
Found = dict[str, dict[str, float]]


def write_prices(path: Path, rows: int) -> None:
    """One series by the minute, every cell filled, two digits after the point."""
    random = np.random.default_rng(0)
    close = np.exp(random.normal(0, 1e-4, rows).cumsum()) * 100
    spread = np.abs(random.normal(0, 0.05, (3, rows)))
    columns = (close - spread[0], close + spread[1], close - spread[2], close)
    volume = random.integers(0, 100_000, rows)
    prices = np.stack(columns, axis=1)
    begin = np.datetime64("2010-01-04T00:00:00")
    with path.open("w", encoding="utf-8") as file:
        file.write("datetime,open,high,low,close,volume\n")
        for start in range(0, rows, BLOCK):
            part = slice(start, min(start + BLOCK, rows))
            times = begin + np.arange(part.start, part.stop).astype("timedelta64[m]")
            texts = np.char.replace(np.datetime_as_string(times), "T", " ").tolist()
            for when, row, count in zip(texts, prices[part].tolist(), volume[part].tolist(), strict=True):
                file.write(f"{when},{','.join(f'{price:.2f}' for price in row)},{count}\n")


def write_long(path: Path, rows: int, *, by_time: bool) -> None:
    """Many series of 200 days, an id of six characters, three digits after the point."""
    count = rows // DAYS
    values = np.random.default_rng(1).normal(100, 10, (count, DAYS))
    days = np.datetime_as_string(np.datetime64("2020-01-01") + np.arange(DAYS)).tolist()
    cells = [
        [f"M{s:05d},{day},{v:.3f}\n" for day, v in zip(days, values[s], strict=True)] for s in range(count)
    ]
    ordered = zip(*cells, strict=True) if by_time else cells
    with path.open("w", encoding="utf-8") as file:
        file.write("unique_id,ds,y\n")
        file.writelines("".join(block) for block in ordered)


CASES: dict[str, Callable[[Path, int], None]] = {
    "prices": write_prices,
    "by series": lambda path, rows: write_long(path, rows, by_time=False),
    "by time": lambda path, rows: write_long(path, rows, by_time=True),
}


def peak_bytes() -> int:
    """The most memory this process has held; unlike ``ru_maxrss``, without that of the process before it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(what: str, path: str) -> None:
    """Reads the file once in this process and prints seconds and bytes as JSON."""
    with Path(path).open(encoding="utf-8") as file:
        is_long = file.readline().startswith("unique_id")
    if what == "pandas":
        import pandas as pd

        before, start, clock = peak_bytes(), time.process_time(), time.perf_counter()
        rows = len(pd.read_csv(path, parse_dates=["ds" if is_long else "datetime"]))
    else:
        from lstm_forecast.data.reader import ReadOptions, read_table

        names = ("open", "high", "low", "volume")
        options = ReadOptions() if is_long else ReadOptions(target="close", past_covariates=names)
        before, start, clock = peak_bytes(), time.process_time(), time.perf_counter()
        rows = len(read_table(path, options).times)
    seconds, wall = time.process_time() - start, time.perf_counter() - clock
    print(json.dumps({"rows": rows, "seconds": seconds, "wall": wall, "bytes": peak_bytes() - before}))


def compare(path: Path, repeats: int) -> Found:
    """Measures both in turn; gives the medians."""
    found: dict[str, list[dict[str, float]]] = {"reader": [], "pandas": []}
    for _ in range(repeats):
        for what, results in found.items():
            command = [sys.executable, __file__, "--measure", what, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout))
    return {
        what: {key: statistics.median(one[key] for one in results) for key in KEYS}
        for what, results in found.items()
    }


def show(found: Found) -> None:
    """Prints medians and ratios."""
    for what, one in found.items():
        seconds = f"{one['seconds']:7.2f} s  {one['wall']:7.2f} s by the clock"
        print(f"  {what:<8} {seconds}  {one['bytes'] / MIB:7.0f} MiB")
    ratios = [found["reader"][key] / found["pandas"][key] for key in KEYS]
    print("  ratio    {:7.2f}    {:7.2f}                 {:7.2f}".format(*ratios))


def main(rows: int, repeats: int, times: int) -> None:
    """Measures every file and prints what was found."""
    with tempfile.TemporaryDirectory() as folder:
        path, first = Path(folder) / "file.csv", None
        for name, write in CASES.items():
            write(path, rows)
            print(f"{name}: {rows:,} rows, {path.stat().st_size / MIB:.0f} MiB, {repeats} times each in turn")
            found = compare(path, repeats)
            first = first or found
            show(found)
        if not times or first is None:
            return
        write_prices(path, rows * times)
        print(f"prices: {rows * times:,} rows, {path.stat().st_size / MIB:.0f} MiB, 3 times each in turn")
        found = compare(path, 3)
        show(found)
        for what in found:
            more = {key: found[what][key] / first[what][key] for key in KEYS}
            grown = f"{more['seconds']:.1f} times the seconds, {more['bytes']:.1f} times the memory"
            print(f"  {what}: {times} times the rows, {grown}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(*(numbers + [1_000_000, 5, 10][len(numbers) :]))
