"""The forecasts that a network is compared with: every baseline's, and which simple one is the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.config import Config
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Splits
from lstm_forecast.evaluation.held_out import HeldOut, actual_values, complete, count_apart, cutoffs
from lstm_forecast.evaluation.verdict import best_baseline
from lstm_forecast.events import Events
from lstm_forecast.forecasting.baselines import SIMPLE, baseline_forecasts
from lstm_forecast.stages import some_names

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
# One or two horizons leave the choice to chance: after a crisis the mean was best. From 8 to all horizons
# chose alike. Measured: benchmarks/accuracy/opponent.py.
SEASONAL = "seasonal_naive"
ENOUGH = 10  # horizons that do not overlap, of all series together


def best_simple(config: Config, panel: Panel, validation: HeldOut, *, end: Rows) -> str:
    """The simple baseline with the lowest error on the validation windows.

    Where these hold fewer than ``ENOUGH`` horizons, on the training rows before them too, as far back as
    makes so many: baselines learn nothing, so training rows do not flatter them. What was best there and is
    behind the seasonal naive forecast on validation belongs to another time, and gives way to that one.
    """
    horizon = config.window.horizon
    chosen = validation.part(complete(validation, end=end, horizon=horizon), steps=horizon)
    names = _simple_names(config)
    if count_apart(chosen, horizon=horizon) >= ENOUGH:
        return _best(names, config, panel, chosen.rows, chosen.series, chosen.actual)
    each = -(-ENOUGH // len(end))
    first = np.maximum(end - each * horizon, panel.offsets[:-1])
    np.minimum.at(first, chosen.series, chosen.rows + 1)
    best = _best_since(config, panel, first, end)
    if not len(chosen) or SEASONAL not in names:
        return best
    return _best((best, SEASONAL), config, panel, chosen.rows, chosen.series, chosen.actual)


def best_in_training(config: Config, panel: Panel, splits: Splits) -> tuple[str, int]:
    """The simple baseline with the lowest error on the last training rows, where none validate.

    As many rows of each series as it has test rows, but a horizon at least: the rule that does best there is
    the one a user would have chosen on that day. The network is not looked at.

    Returns:
        Its name, and how many rows of the longest series that were.
    """
    horizon, end = config.window.horizon, splits.train_end
    counts = np.maximum(panel.offsets[1:] - splits.validation_end, horizon)
    first = np.maximum(end - counts, panel.offsets[:-1])
    return _best_since(config, panel, first, end), int((end - first).max())


def _best_since(config: Config, panel: Panel, first: Rows, end: Rows) -> str:
    """The best for targets in the rows ``first[s] … end[s] - 1``."""
    horizon = config.window.horizon
    rows, series = cutoffs(panel, first, end - (horizon - 1), least=1)
    actual = actual_values(panel, rows, series, end=end, steps=horizon)
    return _best(_simple_names(config), config, panel, rows, series, actual)


def _simple_names(config: Config) -> list[str]:
    return [name for name in config.evaluation.baselines if name in SIMPLE]


def _best(
    names: Sequence[str], config: Config, panel: Panel, rows: Rows, series: Rows, actual: Floats
) -> str:
    """The first of those with the lowest error."""
    horizon, season = config.window.horizon, config.data.season or 1
    found = baseline_forecasts(names, panel, rows, series, horizon=horizon, season=season)
    return best_baseline(actual, found)


def baselines_at(
    names: Sequence[str], panel: Panel, held: HeldOut, *, season: int, fit_end: Rows, events: Events
) -> dict[str, Floats]:
    """Every named baseline's forecast at the held-out cutoffs, [W, H] each, in the order of the names."""
    horizon = held.forecast.shape[1]
    simple = [name for name in names if name in SIMPLE]
    found = baseline_forecasts(simple, panel, held.rows, held.series, horizon=horizon, season=season)
    others = [name for name in names if name not in SIMPLE]
    if others:
        from lstm_forecast.forecasting.statistical import statistical_forecasts

        fitted = statistical_forecasts(
            others, panel, held.rows, held.series, horizon=horizon, season=season, fit_end=fit_end
        )
        found |= fitted.forecasts
        for name, failed in fitted.failed.items():
            if failed:
                names_failed = some_names(panel, failed)
                message = (
                    f"{name} could not be fitted to {names_failed}: there the naive forecast stands for it"
                )
                events.warn(f"baseline.{name}", message)
    return {name: found[name] for name in names}
