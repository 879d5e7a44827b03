"""Why the tutorial network loses to "no change": every figure and picture of the page on it.

    .venv/bin/python -m benchmarks.accuracy.tutorial           # what is missing of seed 0, then the pictures
    .venv/bin/python -m benchmarks.accuracy.tutorial --seeds 0 1 2
    .venv/bin/python -m benchmarks.accuracy.tutorial --draw    # the table and the pictures alone

A ladder from configs/classic.yaml to configs/stock.yaml, each rung with one change more than the one
before, on four series. Errors are those of the test rows over those of the last value (of the value one day
before for demand). Each training is kept in ``results/tutorial.json`` and not repeated: remove the file to
begin anew. Pictures go to ``docs/images``, tables into the page. About ten minutes a seed on two idle cores.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.program import RESULTS, ROOT, save_table
from benchmarks.accuracy.tutorial_pictures import draw_all
from lstm_forecast import fitting, judging, load_config
from lstm_forecast.events import Events

KEPT = RESULTS / "tutorial.json"
PAGE = ROOT / "docs" / "explanation" / "why-the-tutorial-loses.md"
CLASSIC, STOCK = ROOT / "configs" / "classic.yaml", ROOT / "configs" / "stock.yaml"
DEMAND = ROOT / "configs" / "demand.yaml"
HALF = ["window.stride=2"]  # 1,275 windows of IBM's training rows; the tutorial had 1,198
ANCHOR = ["model.anchor=last"]
DIFF = [*ANCHOR, "model.normalize=diff"]
STEPS = [*DIFF, "model.supervision=every_step"]
CHECKED = [*STEPS, "training.epochs=100", "training.patience=10", "training.clip_norm=1.0"]
PRICE_RUNGS: Mapping[str, tuple[Path, list[str]]] = {
    "the tutorial": (CLASSIC, HALF),
    "says the change, not the price (anchor)": (CLASSIC, [*HALF, *ANCHOR]),
    "sees changes, not prices (normalize: diff)": (CLASSIC, [*HALF, *DIFF]),
    "learns at every step (supervision)": (CLASSIC, STEPS),
    "keeps what validation confirms (patience)": (CLASSIC, CHECKED),
    "configs/stock.yaml": (STOCK, []),
}
DAY = ["window.horizon=48", "window.stride=6"]
SEASONAL = [*DAY, "model.anchor=seasonal"]
DEMAND_RUNGS: Mapping[str, tuple[Path, list[str]]] = {
    "the tutorial": (CLASSIC, DAY),
    "says the change from yesterday (anchor: seasonal)": (CLASSIC, SEASONAL),
    "configs/demand.yaml": (DEMAND, []),
}
LADDERS = {
    "ibm": PRICE_RUNGS,
    "ibm 2009": {"the tutorial": (CLASSIC, [])},
    "walk": PRICE_RUNGS,
    "demand": DEMAND_RUNGS,
}
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
    lines = list(_table(kept, LADDERS))
    print(*lines, sep="\n")
    save_table("tutorial", "From the tutorial to the recipe", lines, "benchmarks/accuracy/tutorial.py")
    draw_all(kept, {name: list(rungs) for name, rungs in LADDERS.items()}, ROOT / "docs" / "images")
    PAGE.write_text(_with_tables(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")


def _with_tables(text: str, kept: Mapping[str, Any]) -> str:
    """The page with its tables anew: each stands between a comment that names its series and an empty one."""

    def table(match: re.Match[str]) -> str:
        lines = _table(kept, match[1].split(", "))
        return "\n".join([f"<!-- table: {match[1]} -->", "", *lines, "", "<!-- -->"])

    return re.sub(r"<!-- table: (.+?) -->.*?<!-- -->", table, text, flags=re.DOTALL)


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
            for rung, (config, sets) in LADDERS[series].items():
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


def _table(kept: Mapping[str, Any], wanted: Iterable[str]) -> Iterator[str]:
    """MAE and RMSE over those of the rival: the mean over the seeds and their range."""
    yield "| series | rung | seeds | MAE over rival | RMSE over rival | seconds |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for series in wanted:
        for rung in LADDERS[series]:
            found = [kept[key] for key in kept if key.startswith(f"{series} | {rung} | ")]
            if found:
                errors = [_spread([one[name] for one in found]) for name in ("mae", "rmse")]
                seconds = statistics.median(one["seconds"] for one in found)
                yield f"| {' | '.join([series, rung, str(len(found)), *errors])} | {seconds:.0f} |"


def _spread(values: Sequence[float]) -> str:
    """The mean, and from where to where."""
    middle = f"{statistics.fmean(values):.3f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
