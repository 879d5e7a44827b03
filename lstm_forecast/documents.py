"""Held-out forecasts as one tidy table, and what was measured on them as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.evaluation.held_out import HeldOut, all_forecasts
from lstm_forecast.evaluation.measures import interval_measures, measure_by_series, measure_by_step
from lstm_forecast.evaluation.spread import crps_cells, mean_of
from lstm_forecast.evaluation.verdict import Verdict
from lstm_forecast.judging import Bounds
from lstm_forecast.reporting.csv_text import csv_lines, digits, quoted

_PIECE = 20_000  # rows of a table that are text at once
MOST_SERIES = 1_000  # above it, errors by series are left out of the JSON document: they are in the table


def tidy_csv(held: HeldOut, bounds: Bounds, panel: Panel, time_format: TimeFormat) -> Iterator[bytes]:
    """One line per forecast value: series, cutoff, step, time, actual, forecast, baselines, bounds.

    Original units; an empty cell is a value that was not observed, or a bound that was not calibrated.
    ``forecast`` is what ``predict`` would have given, and where that is not the network's, ``model`` is it.
    In pieces, because the text of a million rows takes a hundred times the memory of their forecasts.
    """
    model = {} if held.issued is None else {"model": held.forecast}
    numbers = {"actual": held.actual, "forecast": held.given, **model, **held.baselines}
    for level, (lower, upper) in bounds.items():
        numbers |= {f"lo_{level:g}": lower, f"hi_{level:g}": upper}
    yield csv_lines([[name] for name in ("series", "cutoff", "step", "time", *quoted([*numbers]))]).encode()
    horizon = held.forecast.shape[1]
    size = max(1, _PIECE // max(horizon, 1))
    for first in range(0, len(held), size):
        part = slice(first, first + size)
        rows = held.rows[part, None] + 1 + np.arange(horizon)
        named = quoted([panel.series_ids[s] for s in held.series[part].tolist()])
        cutoffs = quoted(time_format.format(held.origins[part]))
        first_cells = (
            [name for name in named for _ in range(horizon)],
            [text for text in cutoffs for _ in range(horizon)],
            [str(step) for step in range(1, horizon + 1)] * len(rows),
            quoted(time_format.format(panel.times[rows].reshape(-1))),
        )
        cells = [digits(values[part]) for values in numbers.values()]
        yield csv_lines([*first_cells, *cells]).encode()


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Verdict and metrics; a metric that is not defined is null, with the reason beside it."""
    seeds = verdict.seeds
    return {
        "verdict": verdict.word,
        "skill": finite(verdict.skill),
        "baseline": verdict.baseline,
        "p_value": finite(verdict.p_value),
        "sentence": verdict.sentence,
        "metrics": {name: _finite(row) for name, row in verdict.metrics.items()},
        "undefined": {name: dict(row) for name, row in verdict.reasons.items() if row},
        "seeds": None if seeds is None else vars(seeds),
    }


def parts_document(held: HeldOut, scaling: Scaling, series_ids: Sequence[str]) -> dict[str, Any]:
    """The metrics of every forecast by step, and by series where there are several, as lists and mappings."""
    truth = held.truth(scaling)
    by_step, by_series = {}, {}
    for name, forecast in all_forecasts(held).items():
        found = measure_by_step(truth, forecast)
        by_step[name] = {key: [finite(step.values[key]) for step in found] for key in found[0].values}
        if 1 < len(series_ids) <= MOST_SERIES:
            each = measure_by_series(truth, forecast)
            by_series[name] = {series_ids[s]: _finite(found.values) for s, found in each.items()}
    return {"by_step": by_step, **({"by_series": by_series} if by_series else {})}


def intervals_document(held: HeldOut, bounds: Bounds) -> dict[str, Any]:
    """Coverage, width and interval score of every level over all held-out steps, and the CRPS."""
    levels = [
        {"level": level, **_finite(interval_measures(held.actual, lower, upper, level))}
        for level, (lower, upper) in bounds.items()
    ]
    return {"levels": levels, "crps": finite(_crps(held, bounds)) if bounds else None}


def _crps(held: HeldOut, bounds: Bounds) -> float:
    """The CRPS of bounds and the forecast between them, which stands for the median."""
    outside_in = sorted(bounds.items(), reverse=True)
    lower, upper = [low for _, (low, _) in outside_in], [up for _, (_, up) in reversed(outside_in)]
    tails = [(1 - level / 100) / 2 for level, _ in outside_in]
    probabilities = [*tails, 0.5, *(1 - tail for tail in reversed(tails))]
    return mean_of(crps_cells(held.actual, [*lower, held.given, *upper], probabilities))


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None


def _finite(row: Mapping[str, float]) -> dict[str, float | None]:
    return {key: finite(value) for key, value in row.items()}
