"""Why the tutorial network loses to "no change": every figure and picture of the page on it.

    .venv/bin/python -m benchmarks.accuracy.tutorial           # what is missing of seed 0, then the pictures
    .venv/bin/python -m benchmarks.accuracy.tutorial --seeds 0 1 2
    .venv/bin/python -m benchmarks.accuracy.tutorial --draw    # the table and the pictures alone

A ladder from configs/classic.yaml to configs/stock.yaml, each rung with one change more than the one
before, on four series. Errors are those of the test rows over those of the last value (of the value one day
before for demand). Each training is kept in ``results/tutorial.json`` and not repeated: remove the file to
begin anew. Pictures go to ``docs/images``. About ten minutes a seed on two idle cores.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.program import RESULTS, ROOT, save_table
from benchmarks.accuracy.tutorial_pictures import draw_all
from lstm_forecast import fitting, judging, load_config
from lstm_forecast.events import Events

KEPT = RESULTS / "tutorial.json"
CLASSIC, STOCK = ROOT / "configs" / "classic.yaml", ROOT / "configs" / "stock.yaml"
ANCHOR = ["model.anchor=last"]
DIFF = [*ANCHOR, "model.normalize=diff"]
STEPS = [*DIFF, "model.supervision=every_step"]
CHECKED = [*STEPS, "training.epochs=100", "training.patience=10", "training.clip_norm=1.0"]
PRICE_RUNGS: Mapping[str, tuple[Path, list[str]]] = {
    "the tutorial": (CLASSIC, []),
    "says the change, not the price (anchor)": (CLASSIC, ANCHOR),
    "sees changes, not prices (normalize: diff)": (CLASSIC, DIFF),
    "learns at every step (supervision)": (CLASSIC, STEPS),
    "keeps what validation confirms (patience)": (CLASSIC, CHECKED),
    "configs/stock.yaml": (STOCK, []),
}
DAY = ["window.lookback=96", "window.horizon=48"]
SEASONAL = [*DAY, "model.anchor=seasonal"]
DEMAND_RUNGS: Mapping[str, tuple[Path, list[str]]] = {
    "the tutorial": (CLASSIC, DAY),
    "says the change from the last value (anchor: last)": (CLASSIC, [*DAY, *ANCHOR]),
    "says the change from yesterday (anchor: seasonal)": (CLASSIC, SEASONAL),
    "learns at every step, keeps what validation confirms": (CLASSIC, [*SEASONAL, *CHECKED[2:]]),
}
LADDERS = {"ibm": PRICE_RUNGS, "ibm 2009": PRICE_RUNGS, "walk": PRICE_RUNGS, "demand": DEMAND_RUNGS}
PICTURED = {name: rungs for name, rungs in LADDERS.items() if name != "ibm 2009"}
ENDS = (0, 1, 5)  # the rungs that are measured on the prices until 2009
RIVAL = {"demand": "seasonal_naive"}
Job = tuple[Path, list[str], str]  # configuration, sets, rival
ROWS, PHI = 2000, 0.7  # of the walk: its steps are 0.7 times the step before, and noise


def main() -> None:
    """Measures what is missing, and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--series", nargs="+", choices=list(LADDERS), default=list(LADDERS))
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for key, job in () if options.draw else _jobs(Path(name), options.seeds, options.series):
            if key not in _kept():
                found = _measured(*job, keep_forecast=key.endswith("seed 0"))
                print(f"{key}: {found['mae']:.4f}, {found['seconds']:.0f} s", flush=True)
                text = json.dumps(
                    {**_kept(), key: found}, sort_keys=True
                )  # another process may have added some
                KEPT.write_text(text.replace('}, "', '},\n"') + "\n", encoding="utf-8")
    kept = _kept()
    lines = list(_table(kept))
    print(*lines, sep="\n")
    if all(f"{name} | {rung} | seed 0" in kept for name, rungs in PICTURED.items() for rung in rungs):
        save_table("tutorial", "From the tutorial to the recipe", lines, "benchmarks/accuracy/tutorial.py")
        draw_all(kept, {name: list(rungs) for name, rungs in LADDERS.items()}, ROOT / "docs" / "images")


def _kept() -> dict[str, Any]:
    """What was measured so far."""
    return dict(json.loads(KEPT.read_text(encoding="utf-8"))) if KEPT.exists() else {}


def _jobs(folder: Path, seeds: Sequence[int], wanted: Sequence[str]) -> Iterator[tuple[str, Job]]:
    """The name of each training and what it is made of."""
    walk = folder / "walk.csv"
    walk.write_text(_walk(), encoding="utf-8")
    data = {
        "ibm": ["data.target=Open"],
        "ibm 2009": ["data.target=Open", "data.until=2009-12-31"],
        "walk": ["data.target=y", f"data.path={walk}"],
        "demand": ["data.target=demand", f"data.path={ROOT / 'data' / 'demand.csv'}"],
    }
    for seed in seeds:
        for series in wanted:
            for place, (rung, (config, sets)) in enumerate(LADDERS[series].items()):
                if series != "ibm 2009" or place in ENDS:
                    job = [*data[series], *sets, f"training.seed={seed}"]
                    yield f"{series} | {rung} | seed {seed}", (config, job, RIVAL.get(series, "naive"))


def _walk() -> str:
    """Daily rows of a walk with AR(1) steps."""
    noise, steps = np.random.default_rng(1).normal(size=ROWS), np.zeros(ROWS)
    for row in range(1, ROWS):
        steps[row] = PHI * steps[row - 1] + noise[row]
    days = [dt.date(2001, 1, 1) + dt.timedelta(row) for row in range(ROWS)]
    values = (500 + np.cumsum(steps)).tolist()
    return "\n".join(["Date,y", *(f"{day},{value!r}" for day, value in zip(days, values, strict=True)), ""])


def _measured(config: Path, sets: list[str], rival: str, *, keep_forecast: bool) -> dict[str, Any]:
    """Errors over those of the rival, seconds, the chosen epoch; test values and forecasts of one seed."""
    began = time.monotonic()
    plan = fitting.plan_training(load_config(config, sets=sets, environ={}), Events())
    trained = judging.fit_and_test(plan, Events())
    metrics, test = trained.judged.verdict.metrics, trained.judged.test
    found = {
        "mae": metrics["model"]["mae"] / metrics[rival]["mae"],
        "rmse": metrics["model"]["rmse"] / metrics[rival]["rmse"],
        "seconds": round(time.monotonic() - began, 1),
        "epoch": trained.learned.courses[0].best_epoch,
    }
    if keep_forecast:
        shown = slice(None) if test.actual.shape[1] == 1 else slice(None, None, test.actual.shape[1])
        for name, values in (
            ("actual", test.actual),
            ("forecast", test.forecast),
            ("rival", test.baselines[rival]),
        ):
            found[name] = np.round(values[shown].reshape(-1), 3).tolist()
    return found


def _table(kept: Mapping[str, Any]) -> Iterator[str]:
    """MAE and RMSE over those of the rival: the mean over the seeds and their range."""
    yield "| series | rung | seeds | MAE / rival | RMSE / rival | seconds |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for series, rungs in LADDERS.items():
        for rung in rungs:
            found = [kept[key] for key in kept if key.startswith(f"{series} | {rung} | ")]
            if found:
                errors = [_spread([one[name] for one in found]) for name in ("mae", "rmse")]
                seconds = statistics.median(one["seconds"] for one in found)
                yield f"| {' | '.join([series, rung, str(len(found)), *errors])} | {seconds:.0f} |"


def _spread(values: Sequence[float]) -> str:
    """The mean, and from where to where."""
    middle = f"{statistics.fmean(values):.3f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3f} to {max(values):.3f})"


def share_outside() -> float:
    """The share of test rows of IBM's opening price above every training row."""
    with (ROOT / "data" / "stock.csv").open(encoding="utf-8") as file:
        opens = np.array([float(row["Open"]) for row in csv.DictReader(file)])
    train, test = int(0.8 * len(opens)), int(0.9 * len(opens))
    return float(np.mean(opens[test:] > opens[:train].max()))


if __name__ == "__main__":
    main()
