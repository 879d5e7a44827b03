"""How often one-step intervals held on the test split: plain, as ``predict`` gives them, and recalibrated."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.honesty.series import LAWS, NETWORK, RECIPE, write_prices, write_series
from lstm_forecast import load_config
from lstm_forecast.config import Loaded
from lstm_forecast.evaluating import Backtest
from lstm_forecast.events import Events
from lstm_forecast.fitting import plan_training
from lstm_forecast.forecasting.intervals import measured_coverage
from lstm_forecast.judging import judge_held_out
from lstm_forecast.opening import opened
from lstm_forecast.pipeline import evaluate, train

ROWS, EPOCHS, SPLIT = 10_000, 5, 0.2  # of generated series: 2,000 rows each for calibration and test
LONG = 1000  # test rows from which the bounds hold as they are; with fewer two binomial errors are added
FIXED, ROLLING, ROLLING_SHIFT = 0.04, 0.015, 0.03  # bounds on |share - level|


@dataclass(frozen=True)
class Job:
    """One series: its name, its rows where LAWS have it, or 0 where it is one of the prices."""

    name: str
    rows: int
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Share:
    """A share of test values inside their intervals.

    Attributes:
        series: name.
        kind: ``plain``, ``fixed`` or ``rolling``.
        level: of the intervals, in percent.
        calibration: windows it was calibrated on at first.
        count: test values.
        share: those inside.
        bound: the largest distance from the level that is a hit; None where none is set.
    """

    series: str
    kind: str
    level: float
    calibration: int
    count: int
    share: float
    bound: float | None

    @property
    def missed(self) -> bool:
        """Whether the share lies further from the level than it may."""
        return self.bound is not None and not abs(self.share - self.level / 100) <= self.bound


def jobs(*, quick: bool) -> list[Job]:
    """Every shipped price series and every law; of each one, and shorter, for a trial."""
    if quick:
        few = ("training.epochs=1",)
        return [Job("stock", 0, few), Job("GARCH walk", 2000, few)]
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name, _ in write_prices(Path(folder))]
    long = (f"training.epochs={EPOCHS}", f"split.validation={SPLIT}", f"split.test={SPLIT}")
    return [Job(name, 0, ()) for name in names] + [Job(name, ROWS, long) for name in LAWS]


def measure(job: Job) -> list[Share]:
    """Trains on a series and measures the three kinds of intervals at two levels: six shares."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = _file(job, folder)
        trained = train(_loaded(job, path), runs_dir=folder)
        chosen = opened(trained.run)
        plan = plan_training(_loaded(job, path, "forecast.intervals.scale=none"), Events())
        plain = judge_held_out(plan.config, plan.prepared, chosen.tested, Events())
        whole = Backtest(origins=None, every=1, refit_every=None)
        again = evaluate(str(trained.run.path), backtest=whole, runs_dir=folder).evaluation
    assert chosen.calibration is not None
    assert list(plain.bounds) == list(trained.judged.bounds) == list(again.bounds) == [80, 95]
    windows = int(chosen.calibration.windows()[0])
    found = []
    for kind, held, bounds in (
        ("plain", plain.test, plain.bounds),
        ("fixed", trained.judged.test, trained.judged.bounds),
        ("rolling", again.held, again.bounds),
    ):
        for level, pair in bounds.items():
            inside = measured_coverage(held.actual, *pair)
            count, share = int(inside.count[0]), float(inside.share[0])
            bound = _bound(job.name, kind, level / 100, count)
            found.append(Share(job.name, kind, level, windows, count, share, bound))
    return found


def table(found: Sequence[Share]) -> list[str]:
    """Markdown: a row per series, a column per kind and level; what misses its bound is marked."""
    columns = list(dict.fromkeys((share.kind, share.level) for share in found))
    heads = [f"{kind} {level:g} %" for kind, level in columns]
    lines = [
        f"| series | calibrated on | tested on | {' | '.join(heads)} |",
        f"| --- |{' ---: |' * (2 + len(heads))}",
    ]
    for name in dict.fromkeys(share.series for share in found):
        mine = {(share.kind, share.level): share for share in found if share.series == name}
        one = next(iter(mine.values()))
        cells = [_cell(mine[column]) for column in columns]
        lines.append(f"| {name} | {one.calibration:,} | {one.count:,} | {' | '.join(cells)} |")
    return lines


def _cell(share: Share) -> str:
    text = f"{100 * share.share:.1f}"
    if share.bound is None:
        return text
    return f"{text} (±{100 * share.bound:.1f}{', **missed**' if share.missed else ''})"


def _bound(name: str, kind: str, level: float, count: int) -> float | None:
    """The largest distance from the level that is a hit; plain intervals are there to compare."""
    if kind == "plain":
        return None
    bound = FIXED if kind == "fixed" else ROLLING_SHIFT if name == "level shift" else ROLLING
    return bound if count >= LONG else bound + 2 * math.sqrt(level * (1 - level) / count)


def _file(job: Job, folder: Path) -> Path:
    if job.rows:
        seed = list(LAWS).index(job.name)  # noise of its own for each
        return write_series(folder / "series.csv", LAWS[job.name](seed, job.rows))
    return dict(write_prices(folder))[job.name]


def _loaded(job: Job, path: Path, *more: str) -> Loaded:
    """The price recipe on this file; the one in Chinese finds its own target."""
    sets = [f"data.path={path}", "run.plots=false", *job.sets, *more]
    if job.name == "stock_zh":
        sets.append("data.target=null")
    return load_config(RECIPE, sets=[*NETWORK, *sets], environ={})
