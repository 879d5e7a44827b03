"""The new run against the one its name means: the better one on rows that neither has seen is current."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.findings import plural
from lstm_forecast.data.transform import check_transform
from lstm_forecast.documents import finite
from lstm_forecast.errors import DataInvalid, ForecastError
from lstm_forecast.evaluation.held_out import HeldOut
from lstm_forecast.evaluation.verdict import scaled_error
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.forecasting.baselines import SIMPLE
from lstm_forecast.gating import MODEL
from lstm_forecast.judging import Trained
from lstm_forecast.naming import runs_folder
from lstm_forecast.networks import network_threads
from lstm_forecast.opening import Opened, opened
from lstm_forecast.runs.run import Run, current_id
from lstm_forecast.warm_starts import NEVER, partners, rows_seen

METRIC = "scaled_mae"  # mean absolute error over the MASE scale: the unit of the verdict's test
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Contest:
    """The current run (champion) and the new one (challenger) on the same windows.

    Attributes:
        champion: handle of the current run; None where there is none.
        why_not: why they were not compared; empty where they were.
        windows: number of test windows that neither has seen.
        first: time of the first origin, as the input writes it; empty without windows.
        last: of the last one.
        error: the champion's, see :data:`METRIC`; infinite where its forecasts have no number.
        challenger_error: the new run's.
    """

    champion: str | None
    why_not: str = ""
    windows: int = 0
    first: str = ""
    last: str = ""
    error: float = math.nan
    challenger_error: float = math.nan

    @property
    def lost(self) -> bool:
        """Whether the new run was compared and is the worse one; equal is not worse."""
        return not self.why_not and self.challenger_error > self.error

    def to_document(self, *, promoted: bool) -> dict[str, Any]:
        """The field ``champion`` of ``metrics.json``."""
        return {
            "run": self.champion,
            "promoted": promoted,
            "metric": METRIC,
            "windows": self.windows,
            "from": self.first or None,
            "to": self.last or None,
            "error": finite(self.error),
            "challenger_error": finite(self.challenger_error),
            "not_compared": self.why_not or None,
        }


@dataclass(frozen=True)
class Decision:
    """Whether a new run becomes current.

    Attributes:
        contest: how it did against the current one; None where ``run.promote`` does not ask for that.
        why_not: why the name keeps its meaning; empty where the new run becomes current.
    """

    contest: Contest | None
    why_not: str

    @property
    def document(self) -> dict[str, Any] | None:
        """The field ``champion`` of ``metrics.json``; None without a contest."""
        return self.contest.to_document(promoted=not self.why_not) if self.contest else None


def decide(challenger: Run, plan: Plan, trained: Trained, events: Events, *, failed: bool) -> Decision:
    """Whether a trained, unpublished run becomes the one its name means; no weight is changed.

    Args:
        challenger: the new run; who calls holds the lock of its name.
        plan: what it was trained on.
        trained: its networks and their test forecasts.
        events: told what was found, or why nothing was.
        failed: whether ``evaluation.fail_if_worse`` makes its verdict an error.
    """
    verdict = trained.judged.verdict
    found = contest(challenger, plan, trained, events) if plan.config.run.promote == "if_better" else None
    why_not = ""
    unfit = verdict.worse and not trained.judged.closed  # what a closed gate lets out is the baseline itself
    if failed or (unfit and found is not None and found.why_not):
        why_not = f"this run is worse than the {verdict.baseline.replace('_', ' ')} forecast"
    elif found is not None and found.lost:
        why_not = f"this run's error is {error_text(found)}"
    decision = Decision(found, why_not)
    if decision.document is not None:
        events.emit("champion.compared", decision.document)
    return decision


def contest(challenger: Run, plan: Plan, trained: Trained, events: Events) -> Contest:
    """The test windows that neither run has seen, forecast by both; or why there are none."""
    found = _contest(challenger, plan, trained, events)
    if found.why_not:
        events.say([f"not compared with a current run: {found.why_not}"])
    return found


def error_text(found: Contest) -> str:
    """Both errors in few words: ``0.412, that of the current stock@… 0.430, on 9 windows``."""
    windows = plural(found.windows, "window")
    return (
        f"{found.challenger_error:.4g}, that of the current {found.champion} {found.error:.4g}, on {windows}"
    )


def promote_command(run: Run) -> str:
    """What to type to make a run current."""
    import shlex

    folder = run.path.parent.parent
    where = "" if folder == runs_folder(None) else f" --runs-dir {shlex.quote(str(folder))}"
    return f"lstm-forecast runs promote {shlex.quote(run.handle)}{where}"


def _contest(challenger: Run, plan: Plan, trained: Trained, events: Events) -> Contest:
    identity = current_id(challenger.path.parent)
    if identity is None:
        return Contest(None, f"{challenger.name} has none")
    champion = Run(challenger.path.parent / identity)
    try:
        return _compared(opened(champion), plan, trained)
    except ForecastError as error:
        where = f"{error.where} " if error.where else ""
        events.warn(
            "champion.unreadable", f"the current run {champion.handle} is not used: {where}{error.message}"
        )
        return Contest(champion.handle, f"{champion.handle} cannot be read")


def _compared(source: Opened, plan: Plan, trained: Trained) -> Contest:
    handle = source.run.handle
    obstacle = _obstacle(source, plan, trained.judged.test)
    if obstacle:
        return Contest(handle, f"{handle} {obstacle}")
    held, theirs = trained.judged.test, _their_series(source, plan)
    keep, obstacle = _unseen(source, plan, held, theirs)
    if obstacle:
        return Contest(handle, f"{handle} {obstacle}")
    mine = replace(held, baselines={}).part(keep)
    rival = _forecast(source, plan, mine, theirs)
    truth = mine.truth(trained.learned.forecaster.scaling)
    ours, other = scaled_error(truth, mine.given), scaled_error(truth, rival)
    if math.isnan(ours):
        return Contest(handle, f"{handle} could be judged only by windows without an observed value")
    first, last = plan.table.time_format.format(np.array([mine.origins.min(), mine.origins.max()]))
    return Contest(handle, "", len(mine), first, last, other, ours)


def _obstacle(source: Opened, plan: Plan, held: HeldOut) -> str:
    """Why the champion cannot forecast the new run's test windows; empty where it can."""
    panel, columns = plan.prepared.panel, source.preprocess.columns
    here, there = plan.config.window.horizon, source.config.window.horizon
    if len(held) == 0:
        return "has no opponent: the new run has no test window"
    if here != there:
        return f"forecasts {plural(there, 'step')}, the new run {here}"
    if columns[0] != panel.columns[0]:
        return f"forecasts {columns[0]}, the new run {panel.columns[0]}"
    if (source.preprocess.time_format.kind == "row") != (plan.table.time_format.kind == "row"):
        return "has rows with other times: here dates, there numbers, or the other way round"
    if not source.trained:
        name = source.metrics.get("baseline")
        return "" if name in SIMPLE else f"forecasts with {name}, which is not a simple baseline"
    if source.issued != MODEL:
        return ""
    if columns != panel.columns:
        return f"sees {', '.join(columns)}, the new run {', '.join(panel.columns)}"
    try:
        check_transform(panel, source.config.data.transform, where=plan.table.source.path)
    except DataInvalid as error:
        return f"cannot read these rows: {error.message}"
    return ""


def _their_series(source: Opened, plan: Plan) -> Rows:
    """The champion's number of each series of the panel, [S]; -1 for one it does not know."""
    position = {name: s for s, name in enumerate(source.preprocess.series_ids)}
    known = partners(source, plan.prepared.panel)
    names = plan.prepared.panel.series_ids
    return np.array([position[known[name]] if name in known else -1 for name in names], dtype=np.int64)


def _unseen(source: Opened, plan: Plan, held: HeldOut, theirs: Rows) -> tuple[Flags, str]:
    """The windows [W] the champion can forecast without having seen what came; and why there is none."""
    panel, seen, ids = plan.prepared.panel, rows_seen(source), source.preprocess.series_ids
    until = np.array([seen[ids[s]][1] if s >= 0 else NEVER for s in theirs], dtype=np.int64)
    able = theirs >= 0
    lookback = 1
    if source.issued == MODEL:
        able = able & source.tested.scaling.trained[theirs]
        lookback = source.tested.lookback
    known = able[held.series]
    fresh = known & (panel.times[held.rows + 1] >= until[held.series])
    keep = fresh & (held.rows - panel.offsets[held.series] + 1 >= lookback)
    if keep.any():
        return keep, ""
    if not known.any():
        return keep, "knows none of the series that are tested here"
    if not fresh.any():
        newest = plan.table.time_format.format(np.array([until.max() - 1]))[0]
        return keep, f"was trained or chosen on rows up to {newest}: no test row is new to it"
    return keep, f"needs {plural(lookback, 'row')} before a forecast, and there are fewer"


def _forecast(source: Opened, plan: Plan, held: HeldOut, theirs: Rows) -> NDArray[np.float64]:
    """What the champion would have given at these windows, [W, H]; by the networks that were tested."""
    panel, horizon = plan.prepared.panel, plan.config.window.horizon
    with network_threads(source.config):
        return source.tested_issuer.at(panel, held.rows, theirs[held.series], horizon=horizon).point
