"""What the reader takes, with all its checks, beside a bare ``pandas.read_csv``: at most 1.6 times as long.

``python benchmarks/speed/reader.py [ROWS] [REPEATS] [TIMES]`` writes files into a temporary folder and reads
them in processes of their own, in turn: the reader, pandas with its dates parsed, and bare pandas, for which
dates are texts; that takes longer. The files:

* prices: one series by the minute, six columns (a time and five numbers of two digits behind the point);
* all digits: the same with five random walks, as pandas writes them;
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
    prices = (close - spread[0], close + spread[1], close - spread[2], close)
    volume = random.integers(0, 100_000, rows)
    write_by_minute(
        path, np.stack([*prices, volume], axis=1), "{},{:.2f},{:.2f},{:.2f},{:.2f},{:.0f}\n".format
    )


def write_walks(path: Path, rows: int) -> None:
    """The same of random walks, each number with the digits that tell it from its neighbours: up to 17."""
    walks = np.random.default_rng(0).normal(size=(rows, 5)).cumsum(axis=0)
    write_by_minute(path, walks, "{},{!r},{!r},{!r},{!r},{!r}\n".format)


def write_by_minute(path: Path, values: np.ndarray, line: Callable[..., str]) -> None:
    """One series by the minute, five numbers in each line."""
    begin = np.datetime64("2010-01-04T00:00:00")
    with path.open("w", encoding="utf-8") as file:
        file.write("datetime,open,high,low,close,volume\n")
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK].tolist()
            times = begin + np.arange(start, start + len(part)).astype("timedelta64[m]")
            texts = np.char.replace(np.datetime_as_string(times), "T", " ").tolist()
            file.writelines(line(when, *row) for when, row in zip(texts, part, strict=True))


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
    "all digits": write_walks,
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
    if what != "reader":
        import pandas as pd

        dates = ["ds" if is_long else "datetime"] if what == "pandas" else None
        before, start, clock = peak_bytes(), time.process_time(), time.perf_counter()
        rows = len(pd.read_csv(path, parse_dates=dates))
    else:
        from lstm_forecast.data.reader import ReadOptions, read_table

        names = ("open", "high", "low", "volume")
        options = ReadOptions() if is_long else ReadOptions(target="close", past_covariates=names)
        before, start, clock = peak_bytes(), time.process_time(), time.perf_counter()
        rows = len(read_table(path, options).times)
    seconds, wall = time.process_time() - start, time.perf_counter() - clock
    print(json.dumps({"rows": rows, "seconds": seconds, "wall": wall, "bytes": peak_bytes() - before}))


def compare(path: Path, repeats: int) -> Found:
    """Measures all in turn; gives the medians."""
    found: dict[str, list[dict[str, float]]] = {"reader": [], "pandas": [], "bare": []}
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
        print(f"  {what:<9} {seconds}  {one['bytes'] / MIB:7.0f} MiB")
    for what in ("pandas", "bare"):
        ratios = [found["reader"][key] / found[what][key] for key in KEYS]
        print("  / {:<7} {:7.2f}    {:7.2f}                 {:7.2f}".format(what, *ratios))


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
