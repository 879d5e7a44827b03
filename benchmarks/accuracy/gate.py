"""A bare CSV with and without the gate: MAE over that of the best simple baseline, coverage of the intervals.

    .venv/bin/python benchmarks/accuracy/gate.py
    .venv/bin/python benchmarks/accuracy/gate.py --only walk --seeds 16

The shipped data sets, random walks (nothing to find) and walks whose steps are 0.7 times the step before plus
noise, 1,000 daily rows each. One training a series: the gate changes what is issued and not the network, so
that other rules are tried on the same trainings, at the end. The
baseline is the one chosen on validation; ``best`` says how the issued forecast does against the simple one
that turned out best on the test rows, which nobody knows beforehand.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_forecast import fitting, judging, load_config, networks
from lstm_forecast.evaluation.measures import interval_measures
from lstm_forecast.evaluation.metrics import mae
from lstm_forecast.events import Events
from lstm_forecast.forecasting.baselines import SIMPLE

ROOT = Path(__file__).parents[2]
SETS = {"weather": ["data.target=temp_max"]}  # the file alone does not say which column is meant
ROWS, PHI = 1000, {"walk": 0.0, "steps": 0.7}
SHARES = (1.0, 0.95, 0.9)  # of the baseline's validation error: the gate as if it were open below


@dataclass(frozen=True)
class Found:
    """One series: errors over that of the baseline chosen on validation, and shares inside 80 and 95 %."""

    name: str
    issued: str
    margin: float  # validation error of the network over that of the baseline
    none: float
    gated: float
    best: float  # issued, over the simple one that is best on the test
    held: tuple[list[float], list[float]]  # without and with the gate


def inputs(folder: Path, seeds: int, only: str) -> Iterator[tuple[str, Path]]:
    """Names and files."""
    for path in sorted((ROOT / "data").glob("*.csv")):
        if only in ("", "data"):
            yield path.stem, path
    for law, phi in PHI.items():
        for seed in range(seeds if only in ("", law) else 0):
            noise, steps = np.random.default_rng(seed).normal(size=ROWS), np.zeros(ROWS)
            for row in range(1, ROWS):
                steps[row] = phi * steps[row - 1] + noise[row]
            path, first = folder / f"{law}{seed}.csv", dt.date(2001, 1, 1)
            values = (1000 + np.cumsum(steps)).tolist()
            lines = [f"{first + dt.timedelta(row)},{value!r}" for row, value in enumerate(values)]
            path.write_text("Date,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
            yield f"{law} {seed}", path


def measured(name: str, path: Path, sets: list[str]) -> Found:
    """Trains once, and looks at the test rows with the gate and without it."""
    sets = ["training.refit=none", *SETS.get(name, []), *sets]
    loaded = load_config(None, base={"data.path": str(path)}, sets=sets, environ={})
    plan = fitting.plan_training(loaded, Events())
    trained = judging.fit_and_test(plan, Events())
    gated = trained.judged
    assert gated.gate is not None
    off = plan.config.evaluation.model_copy(update={"gate": "none"})
    config = plan.config.model_copy(update={"evaluation": off})
    with networks.network_threads(config):
        free = judging.judge_held_out(config, plan.prepared, trained.learned.forecaster, Events())
    metrics = gated.verdict.metrics
    rival, given = metrics[gated.verdict.baseline]["mae"], mae(gated.test.actual, gated.test.given)
    held = [
        [interval_measures(j.test.actual, *pair, level)["coverage"] for level, pair in j.bounds.items()]
        for j in (free, gated)
    ]
    return Found(
        name,
        gated.gate.issued,
        gated.gate.model_error / gated.gate.baseline_error,
        metrics["model"]["mae"] / rival,
        given / rival,
        given / min(metrics[one]["mae"] for one in SIMPLE),
        (held[0], held[1]),
    )


def line(found: Found) -> str:
    """One row of a Markdown table."""
    held = (" / ".join(f"{100 * share:.1f}" for share in shares) for shares in found.held)
    numbers = (found.margin, found.none, found.gated, found.best)
    return " | ".join(["", found.name, found.issued, *(f"{n:.4f}" for n in numbers), *held, ""]).strip()


def summary(kind: str, each: Sequence[Found]) -> Iterator[str]:
    """What the rule issues of one kind of series, and what it would with other shares."""
    none, gate = (statistics.fmean(getattr(one, key) for one in each) for key in ("none", "gated"))
    closed = sum(one.issued != "model" for one in each)
    yield f"{kind}: none {none:.4f}, gate {gate:.4f}; closed for {closed} of {len(each)}"
    rules = {f"below {share:g}": [one.margin < share for one in each] for share in SHARES}
    for rule, opens in {**rules, "the rule": [one.issued == "model" for one in each]}.items():
        out = [one.none for one, let in zip(each, opens, strict=True) if let]
        mean = statistics.fmean([*out, *[1.0] * (len(each) - len(out))])
        worse = sum(error > 1 for error in out)
        yield f"{kind}, open {rule}: mean {mean:.4f}, issued {len(out)}, worse on the test {worse}"


def main() -> None:
    """Prints a table, and what other rules would have issued."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--only", choices=["", "data", *PHI], default="")
    parser.add_argument("--set", dest="sets", action="append", default=[])
    options = parser.parse_args()
    print("| series | issued | validation | none | gate | best | held, none | held, gate |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    kinds: dict[str, list[Found]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in inputs(Path(folder), options.seeds, options.only):
            found = measured(name, path, options.sets)
            kinds.setdefault(name.split()[0] if " " in name else "data", []).append(found)
            print(line(found), flush=True)
    for kind, each in kinds.items():
        print(*summary(kind, each), sep="\n")


if __name__ == "__main__":
    main()
