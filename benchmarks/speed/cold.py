"""What a command costs that a new process runs, as cron starts it, beside ``import torch``.

    .venv/bin/python benchmarks/speed/cold.py [--rounds 9] [--folder DIR]

A small run is trained first, on data/stock.csv. Then every command runs once per round, in turn, each in a
process of its own; printed are the medians of wall and processor seconds, and of the ratios to ``import
torch`` in the same round. Wall seconds are those of a machine that may be busy: the ratios count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "import torch"
PROGRAM = ["-m", "lstm_forecast"]
SETTINGS = ["--epochs", "2", "--set", "evaluation.gate=none", "--set", "run.plots=false", "--quiet"]
WAYS: dict[str, list[str]] = {
    TORCH: ["-c", TORCH],
    "import numpy": ["-c", "import numpy"],
    "predict, network": [*PROGRAM, "predict", "network", "--output", "a.csv", "--overwrite", "--quiet"],
    "predict, baseline": [*PROGRAM, "predict", "baseline", "--output", "b.csv", "--overwrite", "--quiet"],
    "--help": [*PROGRAM, "--help"],
    "check": [*PROGRAM, "check", "stock.csv", "--quiet"],
    "plot": [*PROGRAM, "plot", "network", "--quiet"],
}


def main() -> int:
    """Prints a table of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of all commands")
    parser.add_argument("--folder", type=Path, help="where the runs lie or are trained (default: a new one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as new:
        folder = options.folder or Path(new)
        prepare(folder)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for number in range(options.rounds + 1):
            for name, words in WAYS.items():
                spent = measured(words, folder)
                if number:  # in the first round files are read from the disk
                    found[name].append(spent)
    print("| command | wall, s | processor, s | wall to torch | processor to torch |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, times in found.items():
        pairs = list(zip(times, found[TORCH], strict=True))
        wall, cpu = (statistics.median(seconds) for seconds in zip(*times, strict=True))
        ratios = [statistics.median(one[part] / torch[part] for one, torch in pairs) for part in (0, 1)]
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    return 0


def prepare(folder: Path) -> None:
    """Two runs: a network that forecasts, and a baseline that does in a network's place."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "stock.csv"
    if not data.exists():
        data.write_bytes((ROOT / "data/stock.csv").read_bytes())
    for name, gate in (("network", "none"), ("baseline", "baseline")):
        if not (folder / "runs" / name).exists():
            words = [*PROGRAM, "train", "stock.csv", "--name", name, *SETTINGS]
            words[words.index("evaluation.gate=none")] = f"evaluation.gate={gate}"
            subprocess.run([sys.executable, *words], cwd=folder, check=True)


def measured(words: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} left with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
