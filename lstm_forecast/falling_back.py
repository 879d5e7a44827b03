"""A file too short for a network: the best baseline's forecast with its own intervals, and said as such."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstm_forecast import networks, stages
from lstm_forecast.config import Config
from lstm_forecast.evaluation.held_out import HeldOut, actual_values
from lstm_forecast.evaluation.verdict import best_baseline, no_verdict
from lstm_forecast.events import Events
from lstm_forecast.fitting import Learned, Plan
from lstm_forecast.forecasting.baselines import SIMPLE, baseline_forecasts
from lstm_forecast.forecasting.calibration import Calibration, calibrate_conformal
from lstm_forecast.forecasting.volatility import interval_units
from lstm_forecast.judging import Judged, Trained

if TYPE_CHECKING:
    from lstm_forecast.model.reglstm import RegLSTM


def fall_back(plan: Plan, events: Events) -> Trained:
    """The baseline that did best on the second half of the rows, in the place of networks.

    The intervals rest on the same half that chose the baseline: four rules without a parameter leave little
    room for choice, and halves of a file this short would leave no intervals.
    """
    config, panel = plan.config, plan.prepared.panel
    assert plan.shortfall is not None
    scaling = networks.fit_units(config, panel)
    scaling = replace(scaling, trained=np.zeros(len(panel), dtype=bool))
    forecaster = networks.forecaster_of(config, _untrained(plan), scaling)
    best, calibration = _best(plan, floor=scaling.error_unit)
    words = best.replace("_", " ")
    why = f"{plan.shortfall.message}; {plan.shortfall.advice}"
    said = f"No network was trained: {why}. The forecast is the {words} one."
    events.say([f"forecast: the {words} one, the best of {len(_simple(config))} on the later rows"])
    verdict = replace(no_verdict(), baseline=best, sentence=said)
    judged = Judged(verdict, calibration, _nothing(config.window.horizon), {})
    return Trained(Learned(forecaster, (), ()), judged, forecaster, "none", 1)


def _untrained(plan: Plan) -> list[RegLSTM]:
    """As many networks as were asked for: a run's file of weights is as its configuration says."""
    from lstm_forecast.model.first_weights import initialise
    from lstm_forecast.training.seeds import stream

    members = []
    for seed in networks.member_seeds(plan.config):
        panel = plan.prepared.panel
        sizes = networks.static_sizes(panel.statics)
        network = networks.build_model(plan.config, features=len(panel.columns), static_sizes=sizes)
        initialise(network, stream(seed, "weights", 0, 0))
        members.append(network.eval())
    return members


def _simple(config: Config) -> list[str]:
    return [name for name in config.evaluation.baselines if name in SIMPLE]


def _best(plan: Plan, *, floor: np.ndarray) -> tuple[str, Calibration | None]:
    """The best simple baseline, and the scores of its forecasts."""
    config, panel = plan.config, plan.prepared.panel
    steps = max(config.window.horizon, config.forecast.horizon or 0)
    rows, series = stages.short_cutoffs(panel)
    found = baseline_forecasts(
        _simple(config), panel, rows, series, horizon=steps, season=config.data.season or 1
    )
    actual = actual_values(panel, rows, series, end=panel.offsets[1:], steps=steps)
    best = best_baseline(actual, found)
    intervals = config.forecast.intervals
    if intervals.method == "none":
        return best, None
    unit = interval_units(intervals.scale, panel, rows, series=series, floor=floor)
    calibration = calibrate_conformal(
        actual, found[best], unit, series=series, scale=intervals.scale, floor=floor
    )
    return best, calibration


def _nothing(horizon: int) -> HeldOut:
    """No held-out forecasts."""
    rows, values = np.empty(0, dtype=np.int64), np.empty((0, horizon))
    return HeldOut(rows, rows, rows, np.empty(0), values, values, None, (), {})
