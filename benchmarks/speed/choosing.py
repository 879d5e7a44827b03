"""How long the choice of a bare CSV's recipe takes, beside the training that follows it.

    .venv/bin/python benchmarks/speed/choosing.py
    .venv/bin/python benchmarks/speed/choosing.py FILE.csv …

Without files: the shipped ones. ``choosing`` is what ``auto`` costs, ``training`` the first networks alone,
without the final fit on all rows; both in one process, one after the other, after a first training that is
not counted (imports).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lstm_forecast import choosing, fitting, judging, load_config, stages
from lstm_forecast.choices import with_bare_choices
from lstm_forecast.events import Events

DATA = Path(__file__).parents[2] / "data"
FILES = ("airline.csv", "demand.csv", "stock.csv")


def measured(path: Path) -> tuple[float, float]:
    """Seconds of the choice and of the training."""
    loaded = load_config(None, base={"data.path": str(path)}, sets=["training.refit=none"], environ={})
    table = stages.read_input(loaded.config, str(path))
    frequency = stages.frequency_of(loaded.config, table)
    bare, _ = with_bare_choices(loaded, frequency)
    panel, _ = stages.clean_panel(bare.config, table, frequency)
    began = time.monotonic()
    choosing.with_choices(bare, panel, table, frequency)
    chosen_s = time.monotonic() - began
    plan = fitting.plan_training(loaded, Events())
    began = time.monotonic()
    judging.fit_and_test(plan, Events())
    return chosen_s, time.monotonic() - began


def main() -> None:
    """Prints a table."""
    paths = [Path(name) for name in sys.argv[1:]] or [DATA / name for name in FILES]
    measured(DATA / "airline.csv")
    print("| file | choosing, s | training, s | share |")
    print("| --- | ---: | ---: | ---: |")
    for path in paths:
        chosen_s, trained_s = measured(path)
        print(f"| {path.stem} | {chosen_s:.2f} | {trained_s:.2f} | {100 * chosen_s / trained_s:.1f} % |")


if __name__ == "__main__":
    main()
