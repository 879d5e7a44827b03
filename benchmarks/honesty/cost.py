"""What judging the held-out rows costs, beside the training of the main example.

The first training of a process takes longer, because of its imports: the share then looks small. What
counts is the share of later trainings; that of the first is shown beside it, being what a user waits for.
"""

from __future__ import annotations

import importlib
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.honesty.series import NETWORK, RECIPE, random_walk, write_series
from lstm_forecast import load_config
from lstm_forecast.events import Event, Events
from lstm_forecast.pipeline import train

REPEATS = 3
LARGEST_SHARE, ENOUGH_S = 0.15, 0.2  # either will do
LOADED_LATE = ("scipy.special",)  # their import is no part of the evaluation


@dataclass(frozen=True)
class Cost:
    """Wall times of one training, in seconds: its epochs, and the evaluation after them."""

    training_s: float
    evaluation_s: float


def measure(*, quick: bool) -> list[Cost]:
    """The main example in a fresh process, then a few times in this one after a tiny training."""
    sets = ["training.epochs=2"] if quick else []
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own,
    ):
        folder = Path(name)
        first = own.submit(_train, folder, sets).result()
        for late in LOADED_LATE:
            importlib.import_module(late)
        path = write_series(folder / "tiny.csv", random_walk(0, 400))
        _train(folder, [f"data.path={path}", "training.epochs=1", "run.name=tiny"])
        return [first] + [_train(folder, sets) for _ in range(1 if quick else REPEATS)]


def missed(found: Sequence[Cost]) -> list[str]:
    """The target, where it was missed."""
    share, evaluation_s = _medians(found)
    if share <= LARGEST_SHARE or evaluation_s <= ENOUGH_S:
        return []
    return [f"the evaluation takes {100 * share:.1f} % of the training, {evaluation_s:.2f} s"]


def table(found: Sequence[Cost]) -> list[str]:
    """Markdown: a row per training, and the medians of all but the first."""
    lines = ["| in its process | training, s | evaluation, s | share |", "| --- | ---: | ---: | ---: |"]
    for number, cost in enumerate(found):
        share, when = 100 * cost.evaluation_s / cost.training_s, "later" if number else "first"
        lines.append(f"| {when} | {cost.training_s:.2f} | {cost.evaluation_s:.2f} | {share:.1f} % |")
    share, evaluation_s = _medians(found)
    limit = f"{100 * LARGEST_SHARE:.0f} % or {ENOUGH_S} s"
    said = f"Medians of the later ones: {100 * share:.1f} %, {evaluation_s:.2f} s; target: {limit}."
    return [*lines, "", said]


def _train(folder: Path, sets: list[str]) -> Cost:
    """The times that a training tells: of its last epoch since the first began, and of its evaluation."""
    told: dict[str, float] = {}

    def read(event: Event) -> None:
        if event.name in ("epoch.end", "evaluation.end"):
            told[event.name] = float(str(event.fields["elapsed_s"]))

    loaded = load_config(RECIPE, sets=["run.plots=false", *NETWORK, *sets], environ={})
    train(loaded, runs_dir=folder, events=Events([read]))
    return Cost(told["epoch.end"], told["evaluation.end"])


def _medians(found: Sequence[Cost]) -> tuple[float, float]:
    """Of the shares and of the evaluations' times, the first training of a process left out."""
    warm = found[1:]
    share = statistics.median(cost.evaluation_s / cost.training_s for cost in warm)
    return share, statistics.median(cost.evaluation_s for cost in warm)
