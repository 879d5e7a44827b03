"""From a plan to tested networks: training, intervals from validation, and one look at the test split."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks
from lstm_forecast.config import Config
from lstm_forecast.courses import course_line, epoch_fields
from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.evaluation.held_out import (
    HeldOut,
    all_forecasts,
    complete,
    cutoffs,
    hold_out,
    hold_out_tiers,
)
from lstm_forecast.evaluation.verdict import Verdict, judge, no_verdict
from lstm_forecast.events import Events
from lstm_forecast.fitting import KeptFor, Learned, Plan, learn, learn_again
from lstm_forecast.forecasting.baselines import naive2
from lstm_forecast.forecasting.calibration import Calibration, calibrate_conformal, calibrate_quantile
from lstm_forecast.forecasting.intervals import bounds_in_pieces, count_inside, coverage_of
from lstm_forecast.forecasting.volatility import interval_units
from lstm_forecast.gating import MODEL, Gate, gate_of, issuer_of
from lstm_forecast.rivals import baselines_at, best_in_training, best_simple
from lstm_forecast.stages import Prepared, some_names

if TYPE_CHECKING:
    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.forecasting.simple import Issuer
    from lstm_forecast.training.course import Epoch
    from lstm_forecast.training.tensorboard import BoardWriter

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Bounds = Mapping[float, tuple[Floats, Floats]]  # lower and upper, each [W, K], by level in percent
CALIBRATED_STEPS = 30  # intervals reach at least so far, where validation rows do
# Steps beyond the trained horizon take a pass through the networks per block, and neighbouring cutoffs tell
# nearly the same of them: those that predict usually gives are measured from about so many cutoffs a series,
# further ones from fewer. A 95 % interval needs 19. Measured: see benchmarks/honesty, cost.
USUAL_CUTOFFS, FAR_CALIBRATED, FAR_TESTED = 160, 45, 20


@dataclass(frozen=True)
class Judged:
    """What held-out rows say about networks.

    Attributes:
        verdict: model against baselines on the test split.
        calibration: scores of the validation forecasts that ``predict`` would have given, with the coverage
            on the test split; None without intervals.
        test: forecasts of every test window, with what ``predict`` would have given instead, if that differs.
        bounds: the intervals of what it would have given.
        gate: whether that is the network's forecast; None where ``evaluation.gate`` asks for no decision.
    """

    verdict: Verdict
    calibration: Calibration | None
    test: HeldOut
    bounds: Bounds
    gate: Gate | None = None

    @property
    def closed(self) -> bool:
        """Whether the gate is closed: a baseline forecasts although there are networks."""
        return self.gate is not None and self.gate.closed


@dataclass(frozen=True)
class Trained:
    """Networks, what they are worth, and what ``predict`` will use.

    Attributes:
        learned: the networks that were tested.
        judged: what the test said about them.
        final: the networks trained again on all rows, where ``training.refit`` asks for them; else those.
        device: where they were trained.
        threads: that each batch was split over.
    """

    learned: Learned
    judged: Judged
    final: Forecaster
    device: str
    threads: int

    @property
    def refitted(self) -> bool:
        """Whether the networks that forecast are others than those that were tested."""
        return self.final is not self.learned.forecaster

    @property
    def issued(self) -> str:
        """What ``predict`` gives: ``model``, or the name of a baseline."""
        if not self.learned.courses:
            return self.judged.verdict.baseline
        return self.judged.gate.issued if self.judged.gate else MODEL


def fit_and_test(
    plan: Plan, events: Events, *, boards: Sequence[BoardWriter] = (), keep: KeptFor | None = None
) -> Trained:
    """Trains on the training rows, selects and calibrates on validation, and looks at the test split once.

    Args:
        plan: what is trained.
        events: told of everything that happens.
        boards: TensorBoard files, one per network, told of each epoch; none where they are not wanted.
        keep: how each network's training is kept; None: it is not.
    """
    from lstm_forecast.model.devices import choose_device

    config, prepared = plan.config, plan.prepared
    device, line = choose_device(config.training.device)
    events.say([line])
    with networks.network_threads(config):

        def on_epoch(number: int, epoch: Epoch, best: int) -> None:
            events.emit("epoch.end", epoch_fields(number, epoch, best, config))
            if boards:
                boards[number].epoch(epoch)

        begin = plan.start.tested() if plan.start else ()
        learned = learn(config, prepared, device=device, on_epoch=on_epoch, keep=keep, begin=begin)
        _warn_constant(prepared, learned.forecaster.scaling, events)
        events.say([course_line(learned, plan.start)])
        began = time.monotonic()
        judged = judge_held_out(config, prepared, learned.forecaster, events)
        events.emit("evaluation.end", {"elapsed_s": round(time.monotonic() - began, 3)})
        final = learned.forecaster
        if config.training.refit == "full" and judged.closed:
            events.say(["not trained again on all rows (training.refit): the network does not forecast"])
        elif config.training.refit == "full":
            final = _refitted(plan, learned, events, keep=keep)
    return Trained(learned, judged, final, str(device), networks.batch_threads(config))


def judge_held_out(config: Config, prepared: Prepared, forecaster: Forecaster, events: Events) -> Judged:
    """Best baseline, gate and intervals from validation, then everything against the test split."""
    panel, splits = prepared.panel, prepared.splits
    horizon, season = config.window.horizon, config.data.season or 1
    ends = panel.offsets[1:]
    best, gate, calibration = _chosen(config, prepared, forecaster, events)
    issuer = issuer_of(config, forecaster, gate.issued if gate else MODEL)
    wide = _held_out(config, prepared, issuer, splits.validation_end, ends, far=FAR_TESTED)
    bounds: Bounds = {}
    keep = complete(wide, end=ends, horizon=horizon)
    if calibration is not None and len(wide):
        calibration, bounds = _measured(config, calibration, panel, issuer, wide, keep, steps=horizon)
    test = wide.part(keep, steps=horizon)
    del wide
    if issuer is not forecaster:
        ours = hold_out(forecaster, panel, test.rows, test.series, end=ends, steps=horizon)
        test = ours.with_issued(test.forecast)
    if len(test) == 0:
        return Judged(no_verdict(), calibration, test, bounds, gate)
    _warn_out_of_range(forecaster, panel, test, events)
    names = config.evaluation.baselines
    test = test.with_baselines(
        baselines_at(names, panel, test, season=season, fit_end=splits.validation_end, events=events)
    )
    reference = naive2(
        panel, test.rows, test.series, horizon=horizon, season=season, train_end=splits.train_end
    )
    verdict = judge(
        test.truth(forecaster.scaling),
        all_forecasts(test),
        baseline=best,
        reference=reference,
        members=test.members,
    )
    return Judged(verdict, calibration, test, bounds, gate)


def _chosen(
    config: Config, prepared: Prepared, forecaster: Forecaster, events: Events
) -> tuple[str, Gate | None, Calibration | None]:
    """The best simple baseline, the gate and the intervals; without validation rows the first alone."""
    panel, splits = prepared.panel, prepared.splits
    if config.split.validation == 0:
        best, count = best_in_training(config, panel, splits)
        if config.split.test != 0:
            rule = best.replace("_", " ")
            events.say(
                [f"compared with: {rule}, the best simple one on the last {plural(count, 'training row')}"]
            )
        return best, None, None
    first, end = splits.train_end, splits.validation_end
    validation = _held_out(config, prepared, forecaster, first, end, far=FAR_CALIBRATED)
    best = best_simple(config, panel, validation, end=end)
    gate = gate_of(config, panel, forecaster, validation, best=best, end=end)
    if gate is not None:
        gate.say(events)
    issuer = issuer_of(config, forecaster, gate.issued if gate else MODEL)
    if issuer is not forecaster:
        validation = _held_out(config, prepared, issuer, first, end, far=FAR_CALIBRATED)
    return best, gate, calibrate(config, panel, issuer, validation)


def calibrate(config: Config, panel: Panel, forecaster: Issuer, validation: HeldOut) -> Calibration | None:
    """The scores of validation forecasts, the measure of every interval; None where none are wanted.

    A baseline has no quantiles: its intervals are conformal ones, whatever the method.
    """
    intervals = config.forecast.intervals
    if intervals.method == "none":
        return None
    floor = forecaster.scaling.error_unit
    unit = units_at(config, panel, forecaster, validation)
    if validation.quantiles is not None and intervals.method == "quantile":
        return calibrate_quantile(
            validation.actual,
            validation.quantiles,
            unit,
            levels=forecaster.levels,
            series=validation.series,
            scale=intervals.scale,
            floor=floor,
        )
    return calibrate_conformal(
        validation.actual,
        validation.forecast,
        unit,
        series=validation.series,
        scale=intervals.scale,
        floor=floor,
    )


def units_at(config: Config, panel: Panel, forecaster: Issuer, held: HeldOut) -> Floats:
    """The unit of each held-out forecast's interval, known at its cutoff: [W]."""
    scale, floor = config.forecast.intervals.scale, forecaster.scaling.error_unit
    return interval_units(scale, panel, held.rows, series=held.series, floor=floor)


def fixed_bounds(
    config: Config, calibration: Calibration, panel: Panel, forecaster: Issuer, held: HeldOut
) -> Bounds:
    """The intervals of held-out forecasts as ``predict`` would give them."""
    whole = np.ones(len(held), dtype=bool)
    return _measured(config, calibration, panel, forecaster, held, whole, steps=None)[1]


def _measured(
    config: Config,
    calibration: Calibration,
    panel: Panel,
    forecaster: Issuer,
    held: HeldOut,
    keep: NDArray[np.bool_],
    *,
    steps: int | None,
) -> tuple[Calibration, Bounds]:
    """The calibration with the coverage of all bounds, and the bounds of some windows' first steps."""
    unit, coverage, kept = units_at(config, panel, forecaster, held), {}, {}
    for level in config.forecast.intervals.levels:
        pieces = bounds_in_pieces(
            calibration,
            level,
            held.forecast,
            series=held.series,
            unit=unit,
            quantiles=held.quantiles,
            quantile_levels=forecaster.levels,
            minimum=forecaster.lowest(panel, held.rows, held.series),
        )
        counts, ends = [], []
        for part, *pair in pieces:
            counts.append(count_inside(held.actual[part], *pair))
            ends.append([end[keep[part], :steps] for end in pair])
        coverage[level] = coverage_of(*np.sum(counts, axis=0))
        low, up = (np.concatenate(parts) for parts in zip(*ends, strict=True))
        kept[level] = low, up
    return calibration.with_coverage(coverage), kept


def _held_out(
    config: Config, prepared: Prepared, forecaster: Issuer, first: Rows, end: Rows, *, far: int
) -> HeldOut:
    """Forecasts at every cutoff whose first target lies in these rows, as far ahead as intervals reach."""
    panel = prepared.panel
    usable = forecaster.scaling.trained
    rows, series = cutoffs(panel, np.where(usable, first, end), end, least=forecaster.lookback)
    furthest = forecaster.furthest(len(panel.columns))
    steps = calibrated_steps(config, prepared) if furthest is None else config.window.horizon
    longest = int((end - first).max(initial=1))
    usual = min(steps, max(config.window.horizon, config.forecast.horizon or 0))
    tiers = (
        (config.window.horizon, 1),
        (usual, max(1, longest // USUAL_CUTOFFS)),
        (steps, max(1, longest // far)),
    )
    return hold_out_tiers(forecaster, panel, rows, series, end=end, tiers=tiers)


def calibrated_steps(config: Config, prepared: Prepared) -> int:
    """Steps ahead that intervals are calibrated for: no more than validation has rows."""
    horizon = config.window.horizon
    if config.forecast.intervals.method == "none":
        return horizon
    rows = int((prepared.splits.validation_end - prepared.splits.train_end).max(initial=horizon))
    return max(horizon, min(rows, max(config.forecast.horizon or 0, CALIBRATED_STEPS)))


def _refitted(plan: Plan, learned: Learned, events: Events, *, keep: KeptFor | None) -> Forecaster:
    began = time.monotonic()
    begin = plan.start.final() if plan.start else ()
    final = learn_again(plan.config, plan.prepared, learned, keep=keep, begin=begin)
    rows, elapsed_s = len(plan.prepared.panel.times), time.monotonic() - began
    again_line = f"trained again on all {rows:,} rows in {elapsed_s:.1f} s for the forecast (training.refit);"
    events.say([again_line, "verdict and intervals are those of the network that never saw the test rows"])
    return final


def _warn_out_of_range(forecaster: Forecaster, panel: Panel, test: HeldOut, events: Events) -> None:
    """Says how much of what the network received in the test was unlike anything it was trained on."""
    outside, whole = forecaster.outside(panel, test.rows, test.series)
    if outside:
        events.warn(
            "test.out_of_range",
            f"{share(outside, whole)} of what the network received for the test lay outside the range it was"
            " trained on",
        )


def share(part: int, whole: int) -> str:
    """A share in percent, never rounded to nothing."""
    percent = 100 * part / max(whole, 1)
    return f"{percent:.1f} %" if percent >= 0.1 or part == 0 else "less than 0.1 %"


def _warn_constant(prepared: Prepared, scaling: Scaling, events: Events) -> None:
    """Says which series never move in training: their forecast is that value."""
    if scaling.still.any():
        names = some_names(prepared.panel, np.flatnonzero(scaling.still))
        events.warn(
            "data.constant", f"the training values never change, so their last value is the forecast: {names}"
        )
