"""The rolling-origin backtest of a run: forecasts from one cutoff after the other, blind to what follows."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks, stages
from lstm_forecast.data.files import is_many, is_there, sha256_of_input
from lstm_forecast.data.findings import plural
from lstm_forecast.data.flat import count_marked
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Splits
from lstm_forecast.documents import intervals_document, parts_document, verdict_document
from lstm_forecast.errors import DataInvalid, DataMissing, UsageError
from lstm_forecast.evaluation.held_out import HeldOut, all_forecasts, cutoffs, hold_out, joined
from lstm_forecast.evaluation.verdict import Verdict, judge
from lstm_forecast.events import Events
from lstm_forecast.fitting import learn
from lstm_forecast.forecasting.baselines import SIMPLE, naive2
from lstm_forecast.forecasting.intervals import backtest_scores, interval_bounds
from lstm_forecast.forecasting.recalibration import rolling_margins
from lstm_forecast.forecasting.volatility import interval_units
from lstm_forecast.gating import MODEL
from lstm_forecast.judging import Bounds
from lstm_forecast.latest import borders_in, read_for_run
from lstm_forecast.opening import Opened
from lstm_forecast.rivals import baselines_at

if TYPE_CHECKING:
    from lstm_forecast.forecasting.forecast import Forecaster

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Backtest:
    """Which origins are forecast from.

    Attributes:
        origins: how many, the newest ones; None: all after the validation rows.
        every: rows from one origin to the next.
        refit_every: origins after which the networks are trained again on what is known; None: never.
    """

    origins: int | None = None
    every: int = 1
    refit_every: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """What a backtest found.

    Attributes:
        input: the file.
        panel: its rows.
        held: every forecast beside what came, and beside what ``predict`` would have given instead.
        bounds: intervals of what it would have given, each calibrated with what was known at its origin.
        verdict: model against baselines.
        refits: how often the networks were trained again.
        elapsed_s: wall time.
    """

    input: str
    panel: Panel
    held: HeldOut
    bounds: Bounds
    verdict: Verdict
    refits: int
    elapsed_s: float


def evaluate_run(opened: Opened, plan: Backtest, *, data: str | None, events: Events) -> Evaluation:
    """Forecasts from every origin with the tested networks, or with ones trained on what was known by then.

    Args:
        opened: the run.
        plan: which origins.
        data: CSV to test on; None: the run's own file, which has to be as it was.
        events: told of everything that happens.

    Raises:
        UsageError: the run has no network.
        DataMissing: the run's file is gone.
        DataInvalid: it has changed, or nothing in it is new to the networks.
    """
    began = time.monotonic()
    if not opened.trained:
        raise UsageError(
            "evaluate.no_network",
            str(opened.metrics.get("sentence")),
            where=opened.run.name,
            hint="train again with more rows",
        )
    found = read_for_run(opened, data if data is not None else original_path(opened), events)
    panel, path = found.panel, found.path
    borders = borders_in(opened, panel)
    rows, series = _origins(opened, panel, borders, plan, where=path, events=events)
    parts, refits = [], 0
    with networks.network_threads(opened.config):
        for forecaster, mine in _forecasters(opened, panel, plan, (rows, series), where=path, events=events):
            refits += forecaster is not opened.tested
            ends, horizon = panel.offsets[1:], opened.config.window.horizon
            parts.append(hold_out(forecaster, panel, rows[mine], series[mine], end=ends, steps=horizon))
    held = joined(parts)
    held = held.with_baselines(_baselines(opened, panel, held, borders, events))
    if opened.issued != MODEL:
        steps = opened.config.window.horizon
        given = opened.tested_issuer.at(panel, held.rows, held.series, horizon=steps)
        held = held.with_issued(given.point)
    verdict = _verdict(opened, panel, held, borders)
    bounds = _rolling_bounds(opened, panel, held)
    return Evaluation(path, panel, held, bounds, verdict, refits, time.monotonic() - began)


def original_path(opened: Opened) -> str:
    """The file, folder or pattern the run was trained on, as it was then.

    Raises:
        DataMissing: it is gone.
        DataInvalid: it has changed.
    """
    path = opened.config.data.path
    if not is_there(path):
        what = "standard input" if path == "-" else path
        raise DataMissing(
            "evaluate.data",
            f"the run was trained on {what}, which is not there to be read again",
            hint="give the rows with --data FILE.csv",
        )
    expected = opened.data_sha256
    found = sha256_of_input(path)
    if found != expected:
        what = "some of the files have" if is_many(path) else "the file has"
        raise DataInvalid(
            "evaluate.data",
            f"{what} changed since the run was trained on it",
            where=path,
            details=[f"sha256 then: {expected}", f"sha256 now:  {found}"],
            hint=f"to test the run on it as it is now: --data {shlex.quote(path)}",
        )
    return path


def _origins(
    opened: Opened, panel: Panel, borders: Splits, plan: Backtest, *, where: str, events: Events
) -> tuple[Rows, Rows]:
    """Cutoff rows and series of every forecast: all targets known, and none of them seen by the networks."""
    horizon, least, ends = opened.config.window.horizon, opened.tested.lookback, panel.offsets[1:]
    first = np.where(opened.tested.scaling.trained, borders.validation_end, ends)
    last = ends - (horizon - 1)
    rows, series = cutoffs(panel, first, last, least=least, every=plan.every)
    if len(rows) == 0:
        newest = opened.preprocess.time_format.format(np.array([_last_seen(opened)]))[0]
        raise DataInvalid(
            "evaluate.no_origins",
            f"no cutoff has {plural(least, 'row')} to see, and then {horizon} after {newest}, the last row"
            " that the networks were trained or chosen with",
            where=where,
            hint="give newer rows with --data and those before them, or train with split.test: 0.1",
        )
    if plan.origins is None:
        return rows, series
    times = np.unique(panel.times[rows])
    if len(times) < plan.origins:
        events.warn(
            "evaluate.origins",
            f"{plural(plan.origins, 'origin')} asked, {len(times):,} after the validation rows",
        )
    kept = panel.times[rows] >= times[max(len(times) - plan.origins, 0)]
    return rows[kept], series[kept]


def _last_seen(opened: Opened) -> int:
    ends = opened.splits.validation_end
    return int(opened.context.times[ends[ends > opened.context.offsets[:-1]] - 1].max())


def _forecasters(
    opened: Opened,
    panel: Panel,
    plan: Backtest,
    cuts: tuple[Rows, Rows],
    *,
    where: str,
    events: Events,
) -> Iterator[tuple[Forecaster, NDArray[np.bool_]]]:
    """Each forecaster with the mask [W] of the cutoffs it forecasts from; the first is the run's own."""
    rows, series = cuts
    moments = panel.times[rows]
    times = np.unique(moments)
    size = plan.refit_every or len(times)
    for first in range(0, len(times), size):
        block = times[first : first + size]
        mine = (moments >= block[0]) & (moments <= block[-1])
        if first == 0:
            yield opened.tested, mine
            continue
        forecaster = _refitted(opened, panel, int(block[0]), where=where, events=events)
        able = forecaster.scaling.trained[series]
        yield forecaster, mine & able
        if (mine & ~able).any():  # of these series no row was left to train on: no units
            yield opened.tested, mine & ~able


def _refitted(opened: Opened, panel: Panel, cutoff: int, *, where: str, events: Events) -> Forecaster:
    """Networks trained on what was known at a time: as many validation rows as the run had, the newest.

    Raises:
        DataInvalid: the panel does not reach back far enough to train.
    """
    from lstm_forecast.model.devices import choose_device

    began = time.monotonic()
    known = panel.until(panel.offsets[:-1] + count_marked(panel.times <= cutoff, panel.offsets))
    held_back = opened.splits.validation_end - opened.splits.train_end
    splits = Splits(np.maximum(known.offsets[1:] - held_back, known.offsets[:-1]), known.offsets[1:])
    prepared = stages.windowed(opened.config, known, splits)
    moment = opened.preprocess.time_format.format(np.array([cutoff]))[0]
    held = int(held_back.max())
    if len(prepared.train) == 0 or (held > 0 and len(prepared.validation) == 0):
        raise DataInvalid(
            "evaluate.refit",
            f"the rows up to {moment} are too few to train again: {known.lengths.max():,} of a series",
            where=where,
            details=[f"{held} to validate, as in the run, and before them lookback + horizon to train on"],
            hint="give a file that begins earlier, or leave out --refit-every",
        )
    device, _ = choose_device(opened.config.training.device)
    learned = learn(opened.config, prepared, device=device, on_epoch=lambda *_: None)
    events.say([f"trained again on the rows up to {moment} in {time.monotonic() - began:.1f} s"])
    return learned.forecaster


def _baselines(
    opened: Opened, panel: Panel, held: HeldOut, borders: Splits, events: Events
) -> dict[str, NDArray[np.float64]]:
    names, season = opened.config.evaluation.baselines, opened.preprocess.season
    return baselines_at(names, panel, held, season=season, fit_end=borders.validation_end, events=events)


def _verdict(opened: Opened, panel: Panel, held: HeldOut, borders: Splits) -> Verdict:
    """The networks against the baseline that did best on validation when the run was trained."""
    names = [name for name in opened.config.evaluation.baselines if name in SIMPLE]
    best = opened.metrics.get("baseline")
    reference = naive2(
        panel,
        held.rows,
        held.series,
        horizon=held.forecast.shape[1],
        season=opened.preprocess.season,
        train_end=borders.train_end,
    )
    return judge(
        held.truth(opened.tested.scaling),
        all_forecasts(held),
        baseline=best if best in names else names[0],
        reference=reference,
        members=held.members,
    )


def _rolling_bounds(opened: Opened, panel: Panel, held: HeldOut) -> Bounds:
    """Intervals from the scores known at each origin: the run's calibration, then the backtest's own."""
    calibration = opened.calibration
    if calibration is None:
        return {}
    unit = interval_units(calibration.scale, panel, held.rows, series=held.series, floor=calibration.floor)
    scores = backtest_scores(calibration, held.actual, held.given, quantiles=held.quantiles, unit=unit)
    lowest = opened.tested_issuer.lowest(panel, held.rows, held.series)
    known_at = panel.times[held.rows[:, None] + 1 + np.arange(held.forecast.shape[1])]
    return {
        level: interval_bounds(
            calibration,
            level,
            held.given,
            margins=rolling_margins(
                calibration,
                level,
                scores,
                origins=held.origins,
                known_at=known_at,
                series=held.series,
                unit=unit,
            ),
            quantiles=held.quantiles,
            quantile_levels=opened.tested.levels,
            minimum=lowest,
        )
        for level in opened.config.forecast.intervals.levels
    }


def evaluation_document(opened: Opened, found: Evaluation) -> dict[str, Any]:
    """Everything a backtest measured, as plain JSON."""
    held, write = found.held, opened.preprocess.time_format.format
    times = np.unique(held.origins)
    first, last = write(np.array([times[0], times[-1]]))
    return {
        "run": opened.run.handle,
        "path": str(opened.run.path),
        "current": opened.run.current,
        "input": found.input,
        **verdict_document(found.verdict),
        "test": {"windows": len(held), "origins": len(times), "from": first, "to": last},
        "refits": found.refits,
        "gate": opened.gate.to_document() if opened.gate else None,
        "intervals": intervals_document(held, found.bounds),
        **parts_document(held, opened.tested.scaling, opened.preprocess.series_ids),
        "elapsed_s": round(found.elapsed_s, 3),
    }
