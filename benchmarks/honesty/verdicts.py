"""How often the verdict says "beats": on random walks, where nothing can, and where the last move tells."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.honesty.series import NETWORK, RECIPE, ar1_steps, random_walk, write_series
from lstm_forecast import load_config
from lstm_forecast.events import Events
from lstm_forecast.fitting import plan_training
from lstm_forecast.judging import fit_and_test

ROWS, SEEDS = 2000, 40
WALKS, STEPS = "random walk", "AR(1) steps, φ = 0.7"
LAWS = {WALKS: random_walk, STEPS: ar1_steps}
MOST_FALSE, LEAST_TRUE = 3, 38  # of 40


@dataclass(frozen=True)
class Job:
    """One series by its law and seed."""

    law: str
    seed: int
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The verdict on one series.

    Attributes:
        law: name.
        seed: of the series.
        word: ``beats``, ``ties``, ``loses``.
        skill: None where the baseline makes no error.
        p_value: None where there is no test.
        baseline: the one that did best on validation.
        epoch: the kept one; 0 is the untouched network, the naive forecast.
    """

    law: str
    seed: int
    word: str
    skill: float | None
    p_value: float | None
    baseline: str
    epoch: int


def jobs(*, quick: bool) -> list[Job]:
    """Every law and seed; two seeds and an epoch for a trial."""
    sets = ("training.epochs=1",) if quick else ()
    return [Job(law, seed, sets) for law in LAWS for seed in range(2 if quick else SEEDS)]


def measure(job: Job) -> list[Outcome]:
    """Trains the price recipe on the series and takes the verdict of its test split."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_series(Path(folder) / "series.csv", LAWS[job.law](job.seed, ROWS))
        sets = [f"data.path={path}", "run.plots=false", "training.refit=none", *job.sets]
        plan = plan_training(load_config(RECIPE, sets=[*NETWORK, *sets], environ={}), Events())
        trained = fit_and_test(plan, Events())
    verdict, course = trained.judged.verdict, trained.learned.courses[0]
    word, skill = str(verdict.word), verdict.skill
    outcome = Outcome(
        job.law, job.seed, word, skill, verdict.p_value, verdict.baseline, epoch=course.best_epoch
    )
    return [outcome]


def missed(found: Sequence[Outcome]) -> list[str]:
    """The targets that were missed, in words."""
    false, true = (_beats(found, law) for law in (WALKS, STEPS))
    lines = [f"{false} random walks called predictable, {MOST_FALSE} at most"] if false > MOST_FALSE else []
    return lines + ([f"{true} of the others found, {LEAST_TRUE} at least"] if true < LEAST_TRUE else [])


def table(found: Sequence[Outcome]) -> list[str]:
    """Markdown: the words counted by law, and the seeds that the law does not speak for."""
    lines = ["| series | beats | ties | loses | target | not as the law says |"]
    lines.append("| --- | ---: | ---: | ---: | --- | --- |")
    for law, target in ((WALKS, f"at most {MOST_FALSE} beats"), (STEPS, f"at least {LEAST_TRUE} beats")):
        mine = [outcome for outcome in found if outcome.law == law]
        words = Counter(outcome.word for outcome in mine)
        counts = " | ".join(str(words[word]) for word in ("beats", "ties", "loses"))
        odd = [outcome for outcome in mine if outcome.word != ("ties" if law == WALKS else "beats")]
        lines.append(f"| {law} | {counts} | {target} | {'; '.join(map(_said, odd)) or 'none'} |")
    return lines


def _said(outcome: Outcome) -> str:
    skill = "none" if outcome.skill is None else f"{outcome.skill:+.1%}".replace("%", " %")
    chance = "none" if outcome.p_value is None else f"{outcome.p_value:.2g}"
    where = f"seed {outcome.seed}: {outcome.word} {outcome.baseline.replace('_', ' ')}"
    return f"{where}, skill {skill}, p {chance}, epoch {outcome.epoch}"


def _beats(found: Sequence[Outcome], law: str) -> int:
    return sum(outcome.law == law and outcome.word == "beats" for outcome in found)
