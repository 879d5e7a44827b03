"""Where the time of many series goes: one long CSV, an epoch of a small network, a forecast for every series.

``python benchmarks/speed/many_series.py [SERIES] [ROWS]`` writes a CSV of so many series with so many rows
each into a temporary folder, and runs ``train`` and ``predict --output`` on it in processes of their own, as
a user would. It prints the seconds of each stage, by the clock and by the processor, those that lie within
another one indented, and the memory that the process held beyond its imports before the stage and at most
while it ran, by the operating system's account (Linux; elsewhere only the most of the whole process).
``--profile FILE`` keeps the profile of ``train``, ``--profile-predict FILE`` that of ``predict``.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import importlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MIB = 2**20
LONG = 20_000  # rows of a series; above, a day each would reach beyond the years that have four digits
CONFIG = """
data: {path: series.csv, time: date, target: value, series_id: series}
window: {lookback: 20, horizon: 10, stride: 20}
model: {num_layers: 1, hidden_size: 16, dropout: 0.0}
training: {epochs: 1, batch_size: 1024, lr: 0.003, loss: mae}
"""
# What the commands import in their course: counted as imports here, and in no stage.
IMPORTS = {
    "train": ("torch", "scipy.special", "matplotlib.backends.backend_agg"),
    "predict": ("torch",),
}
# What is timed: a name in the table, and the function. One that is called within another is indented.
STAGES = {
    "train": (
        ("read the CSV", "lstm_forecast.stages", "read_files"),
        ("plan the training", "lstm_forecast.fitting", "plan_table"),
        ("  rhythm and faults", "lstm_forecast.fitting", "usable"),
        ("  panel", "lstm_forecast.stages", "clean_panel"),
        ("  choices", "lstm_forecast.choosing", "with_choices"),
        ("  splits and windows", "lstm_forecast.stages", "prepare"),
        ("  season, levels, leaks", "lstm_forecast.choices", "with_season"),
        ("learn", "lstm_forecast.judging", "learn"),
        ("  units", "lstm_forecast.networks", "fit_units"),
        ("  tensors", "lstm_forecast.fitting", "_tensors"),
        ("  epochs with validation", "lstm_forecast.training.loop", "fit"),
        ("    an epoch", "lstm_forecast.training.loop", "train_epoch"),
        ("judge", "lstm_forecast.judging", "judge_held_out"),
        ("  held-out forecasts", "lstm_forecast.judging", "hold_out_tiers"),
        ("  best baseline", "lstm_forecast.judging", "best_simple"),
        ("  calibration", "lstm_forecast.judging", "calibrate"),
        ("  bounds of the test", "lstm_forecast.judging", "_measured"),
        ("  baselines of the test", "lstm_forecast.judging", "baselines_at"),
        ("  Naive2", "lstm_forecast.judging", "naive2"),
        ("  verdict", "lstm_forecast.judging", "judge"),
        ("files of the run", "lstm_forecast.recording", "run_files"),
        ("test predictions", "lstm_forecast.recording", "write_predictions"),
        ("pictures", "lstm_forecast.trainings", "_draw"),
    ),
    "predict": (
        ("open the run", "lstm_forecast.pipeline", "open_reference"),
        ("newest rows", "lstm_forecast.pipeline", "latest_panel"),
        ("  read the CSV", "lstm_forecast.stages", "read_files"),
        ("  panel", "lstm_forecast.stages", "clean_panel"),
        ("what is known ahead", "lstm_forecast.pipeline", "known_ahead"),
        ("forecast, with dates", "lstm_forecast.pipeline", "dated_rows"),
        ("  forecast", "lstm_forecast.predicting", "forecast_panel"),
        ("  times", "lstm_forecast.predicting", "future_times"),
        ("what is behind the bounds", "lstm_forecast.pipeline", "interval_list"),
        ("write the CSV", "lstm_forecast.cli.predict", "_give_out"),
    ),
}


def write_series(path: Path, series: int, rows: int) -> None:
    """Random walks with a season of seven steps, two digits after the point; daily, and long ones hourly."""
    random = np.random.default_rng(0)
    step = np.timedelta64(1, "D") if rows <= LONG else np.timedelta64(1, "h")
    days = (np.datetime64("1995-01-01") + np.arange(rows) * step).astype(str).tolist()
    season = 3 * np.sin(np.arange(rows) * (2 * np.pi / 7))
    with path.open("w", encoding="utf-8") as file:
        file.write("series,date,value\n")
        for number in range(series):
            values = random.uniform(50, 500) + random.normal(0, 1, rows).cumsum() + season
            lines = (f"s{number:05},{d},{v:.2f}\n" for d, v in zip(days, values.tolist(), strict=True))
            file.write("".join(lines))


class Stages:
    """Seconds and peak memory of functions, each told when it is called and when it is done."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.peaks: dict[str, int] = {}
        self.open: list[str] = []
        self.held: dict[str, int] = {}

    def watch(self, name: str, module: str, function: str) -> None:
        """Puts a stopwatch around a function, where its caller looks for it."""
        place = importlib.import_module(module)
        inner: Callable[..., Any] = getattr(place, function)

        def watched(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return inner(*arguments, **named)

        setattr(place, function, watched)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens inside."""
        wall, work = self.seconds.setdefault(name, [0.0, 0.0])
        self._note()
        self.held.setdefault(name, held_bytes())
        self.open.append(name)
        began = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            spent = time.perf_counter() - began[0], time.process_time() - began[1]
            self.seconds[name] = [wall + spent[0], work + spent[1]]
            self._note()
            self.open.pop()

    def _note(self) -> None:
        """The peak so far belongs to every stage that is open; then it is measured anew."""
        peak = peak_bytes()
        for name in self.open:
            self.peaks[name] = max(self.peaks.get(name, 0), peak)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def held_bytes() -> int:
    """The memory this process holds now; where that is not known, the most it has held."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most memory this process has held since it was last asked to count anew."""
    return _status("VmHWM")


def _status(field: str) -> int:
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def measure(verb: str, arguments: list[str], profile: str) -> None:
    """Runs a command of the program in this process and prints what its stages took as JSON."""
    began = time.perf_counter()
    for module in IMPORTS[verb]:
        importlib.import_module(module)
    stages = Stages()
    for stage in STAGES[verb]:
        stages.watch(*stage)
    from lstm_forecast.cli.app import program

    imported_s = time.perf_counter() - began
    base = peak_bytes()
    profiler = cProfile.Profile()
    with contextlib.redirect_stdout(io.StringIO()), stages.stage("all"):
        if profile:
            profiler.enable()
        program([verb])([verb, *arguments], standalone_mode=False)
        profiler.disable()
    if profile:
        profiler.dump_stats(profile)
    found = {"import_s": imported_s, "seconds": stages.seconds}
    memory = {name: (stages.held[name] - base, peak - base) for name, peak in stages.peaks.items()}
    print(json.dumps({**found, "memory": memory}))


def show(verb: str, folder: Path, arguments: list[str], profile: str) -> float:
    """Runs a command in a process of its own and prints its stages; its seconds from start to end."""
    command = [sys.executable, __file__, "--measure", verb, profile, *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    whole_s = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\n{verb}: {whole_s:.2f} s, of that {found['import_s']:.2f} s of imports")
    print(f"{'stage':<28} {'seconds':>8} {'processor':>10} {'MiB before':>11} {'at most':>8}")
    for name in (*(stage[0] for stage in STAGES[verb]), "all"):
        if name in found["seconds"]:
            wall, work = found["seconds"][name]
            before, most = (size / MIB for size in found["memory"][name])
            print(f"{name:<28} {wall:8.2f} {work:10.2f} {before:11.0f} {most:8.0f}")
    return whole_s


def main() -> None:
    """Measures both commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", nargs="?", type=int, default=1_000)
    parser.add_argument("rows", nargs="?", type=int, default=200)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--profile", default="")
    parser.add_argument("--profile-predict", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder / "series.csv", given.series, given.rows)
        (folder / "series.yaml").write_text(CONFIG, encoding="utf-8")
        sizes = f"{given.series:,} series x {given.rows:,} rows"
        print(f"{sizes}, {(folder / 'series.csv').stat().st_size / MIB:.0f} MiB")
        sets = [part for one in given.set for part in ("--set", one)]
        whole_s = show("train", folder, ["series.yaml", *sets], given.profile)
        output = ["series", "--output", "forecast.csv"]
        whole_s += show("predict", folder, output, given.profile_predict)
        lines = (folder / "forecast.csv").read_text(encoding="utf-8").count("\n")
        print(f"\nboth: {whole_s:.2f} s, {lines - 1:,} rows of forecast")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], sys.argv[4:], sys.argv[3])
    else:
        main()
