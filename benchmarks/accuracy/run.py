"""How accurate the forecasts are on public data, each from a YAML that only uses what every user has.

    .venv/bin/python benchmarks/accuracy/run.py FOLDER
    .venv/bin/python benchmarks/accuracy/run.py FOLDER --parts m4 --set training.seed=1
    .venv/bin/python benchmarks/accuracy/run.py --parts shipped

FOLDER holds the public files, which are not part of the project: ``m4_hourly_train.csv`` and
``m4_hourly_test.csv`` (Hourly-train.csv and Hourly-test.csv of the M4 competition, Makridakis et al. 2020)
and ``ETTh1.csv`` (ETDataset, Zhou et al., AAAI 2021). Each job is the program in processes of its own:
seconds and peak memory are theirs, training and prediction together. The table is kept as
``results/accuracy.md``, unless ``--set`` changed something. Every row is a look at test values: settings are
chosen on validation, see docs/lab-log.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("m4", "etth1", "shipped")
SHIPPED = ("stock", "demand", "weather")
NAIVE2 = 18.383, 2.395  # sMAPE and MASE of Naive2 on the test values, as the competition published them
SEASON, HORIZON = 24, 48
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spent:
    """What a job cost."""

    seconds: float
    peak_mb: float


def main() -> int:
    """Runs the parts that are asked for and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the public files are")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of m4,etth1,shipped")
    parser.add_argument("--set", action="append", default=[], help="a trial: KEY=VALUE for every job")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    if set(wanted) - set(PARTS) or (options.folder is None and wanted != ["shipped"]):
        parser.error(f"expected a folder, and for --parts some of {','.join(PARTS)}; got {options.parts}")
    lines = ["| data | measured | seconds | peak MB |", "| --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as name:
        for row in _rows(wanted, options.folder, Path(name), options.set):
            print(row, flush=True)
            lines.append(row)
    if not options.set:
        _save(lines, wanted)
    return 0


def _rows(parts: Sequence[str], folder: Path, work: Path, sets: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if part == "m4":
            yield _m4(folder, work, sets)
        elif part == "etth1":
            for horizon in (96, 192, 336, 720):
                yield _etth1(folder, work, horizon, sets)
        else:
            for name in SHIPPED:
                yield _shipped(name, work, sets)


def _m4(folder: Path, work: Path, sets: Sequence[str]) -> str:
    """The official measures of forecasts of the 48 hours after each training series."""
    known, truth = _wide(folder / "m4_hourly_train.csv"), _wide(folder / "m4_hourly_test.csv")
    path, output = work / "m4_hourly.csv", work / "m4_forecast.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("series,hour,y\n")
        for name, values in known.items():
            file.writelines(f"{name},{hour},{value!r}\n" for hour, value in enumerate(values.tolist()))
    spent = _program(
        work, "train", HERE / "configs" / "m4-hourly.yaml", "--set", f"data.path={path}", sets=sets
    )
    then = _program(work, "predict", "m4-hourly", "--output", output)
    with output.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    smape, mase = [], []
    for name, actual in truth.items():
        mine = sorted((int(row["step"]), float(row["forecast"])) for row in rows if row["series"] == name)
        forecast = np.array([value for _, value in mine])
        error, season = np.abs(forecast - actual), known[name][SEASON:] - known[name][:-SEASON]
        smape.append(float(np.mean(200 * error / (np.abs(forecast) + np.abs(actual)))))
        mase.append(float(np.mean(error) / np.mean(np.abs(season))))
    found = np.mean(smape), np.mean(mase)
    owa = (found[0] / NAIVE2[0] + found[1] / NAIVE2[1]) / 2
    said = f"OWA {owa:.4f} (sMAPE {found[0]:.3f}, MASE {found[1]:.3f})"
    return _row("M4 Hourly", said, Spent(spent.seconds + then.seconds, max(spent.peak_mb, then.peak_mb)))


def _wide(path: Path) -> dict[str, Floats]:
    """One series per line: its name, its values, trailing blanks."""
    with path.open(encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        return {
            line[0]: np.array([float(cell) for cell in line[1:] if cell not in ("", "NA")]) for line in lines
        }


def _etth1(folder: Path, work: Path, horizon: int, sets: Sequence[str]) -> str:
    """MSE and MAE over all test windows and columns, in units of the training deviation."""
    name, path = f"etth1-{horizon}", (folder / "ETTh1.csv").resolve()
    spent = _program(
        work, "train", HERE / "configs" / f"{name}.yaml", "--set", f"data.path={path}", sets=sets
    )
    (run,) = (work / "runs" / name).glob("2*")
    measured = _json(run / "metrics.json")["by_series"]["model"]
    units = _json(run / "preprocess.json")
    deviation = {
        one: unit[0] for one, unit in zip(units["series_ids"], units["scaling"]["unit"], strict=True)
    }
    mse = np.mean([(measured[one]["rmse"] / unit) ** 2 for one, unit in deviation.items()])
    mae = np.mean([measured[one]["mae"] / unit for one, unit in deviation.items()])
    return _row(f"ETTh1, {horizon}", f"MSE {mse:.4f}, MAE {mae:.4f}", spent)


def _shipped(name: str, work: Path, sets: Sequence[str]) -> str:
    """The verdict of a shipped configuration."""
    spent = _program(work, "train", ROOT / "configs" / f"{name}.yaml", sets=sets)
    (run,) = (work / "runs" / name).glob("2*")
    found = _json(run / "metrics.json")
    ratio = 1 - found["skill"]
    return _row(f"configs/{name}.yaml", f"MAE / {found['baseline']} {ratio:.4f} ({found['verdict']})", spent)


def _train(name: str, path: Path, work: Path, sets: Sequence[str]) -> Spent:
    """Trains one of our configurations on this file."""
    return _program(work, "train", HERE / "configs" / f"{name}.yaml", "--set", f"data.path={path}", sets=sets)


def _program(work: Path, *words: object, sets: Sequence[str] = ()) -> Spent:
    """Runs one command of ours in a process of its own."""
    arguments = [*map(str, words), *(part for one in sets for part in ("--set", one)), "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LSTM_FORECAST_RUNS_DIR": str(work / "runs")}
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "lstm_forecast", *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"lstm-forecast {' '.join(arguments)} ended with {process.returncode}")
    kilobyte = 1 if platform.system() == "Darwin" else 1024  # macOS counts bytes
    return Spent(time.monotonic() - began, usage.ru_maxrss * kilobyte / 1e6)


def _row(name: str, said: str, spent: Spent) -> str:
    return f"| {name} | {said} | {spent.seconds:.0f} | {spent.peak_mb:.0f} |"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _save(lines: Sequence[str], parts: Sequence[str]) -> None:
    """Keeps the table with what it was measured with."""
    versions = [f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn")]
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    made = f"`benchmarks/accuracy/run.py --parts {','.join(parts)}`, {time.strftime('%Y-%m-%d')}."
    under = f"{made} Python {platform.python_version()}, {', '.join(versions)}; {where}."
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    name = "accuracy" if tuple(parts) == PARTS else f"accuracy-{'-'.join(parts)}"
    text = "\n".join(["# Accuracy", "", *lines, "", under])
    (folder / f"{name}.md").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
