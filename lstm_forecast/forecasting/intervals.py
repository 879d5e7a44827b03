"""Lower and upper bounds around a forecast, and how often they held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lstm_forecast.forecasting.calibration import (
    Calibration,
    Counts,
    Coverage,
    Floats,
    in_units,
    pair_levels,
    quantile_scores,
    residual_scores,
)

_TOGETHER = 8_192  # forecasts whose bounds are computed at once


def interval_bounds(
    calibration: Calibration,
    level: float,
    forecast: Floats,
    *,
    margins: Floats,
    quantiles: Floats | None,
    quantile_levels: Sequence[float],
    minimum: Floats,
) -> tuple[Floats, Floats]:
    """Lower and upper bounds of a forecast, each [W, K'] in original units.

    Around the forecast itself, or with method ``quantile`` around the level's pair of quantiles. NaN at a
    step that was not calibrated, and for a level whose quantiles were not trained.

    Args:
        calibration: says by which method.
        level: percent.
        forecast: [W, K']; with quantiles the median.
        margins: [W, K], from :meth:`Calibration.margins` or :func:`rolling_margins`.
        quantiles: [W, K', Q] for method ``quantile``, else None.
        quantile_levels: the Q probabilities, rising.
        minimum: lowest value of each window's forecast, [W]; -inf for none.

    Raises:
        ValueError: method ``quantile`` without quantiles.
    """
    if calibration.method == "conformal":
        return bounds(forecast, margins, minimum=minimum)
    if quantiles is None:
        raise ValueError("method quantile without quantiles; expected [W, K, Q] of them")
    pair = next((p for p, own in enumerate(pair_levels(quantile_levels)) if abs(own - level) < 1e-6), None)
    if pair is None:
        return np.full(forecast.shape, np.nan), np.full(forecast.shape, np.nan)
    low, high = quantiles[:, :, pair], quantiles[:, :, -1 - pair]
    return bounds(forecast, margins, minimum=minimum, around=(low, high))


def bounds(
    forecast: Floats,
    margins: Floats,
    *,
    minimum: Floats,
    around: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """``forecast`` [W, K'] or the two edges ``around`` it, widened by ``margins`` [W, K].

    The forecast always lies inside, and so a width is never negative. Neither bound is below ``minimum`` [W].
    NaN where the margin is unknown or beyond the steps that have one.
    """
    low, high = around or (forecast, forecast)
    margin = np.full(forecast.shape, np.nan)
    steps = min(forecast.shape[1], margins.shape[1])
    margin[:, :steps] = margins[:, :steps]
    least = minimum[:, None]
    lower = np.maximum(np.minimum(low - margin, forecast), least)
    return lower, np.maximum(np.maximum(high + margin, forecast), lower)


def backtest_scores(
    calibration: Calibration, actual: Floats, forecast: Floats, *, quantiles: Floats | None, unit: Floats
) -> Floats:
    """Scores of further windows by the calibration's method: [W, K, P], for :func:`rolling_margins`.

    Args:
        calibration: says by which method.
        actual: what came, [W, K]; NaN where not observed.
        forecast: [W, K].
        quantiles: [W, K, Q] for method ``quantile``, else None.
        unit: unit of each window's scores, [W].

    Raises:
        ValueError: method ``quantile`` without quantiles.
    """
    if calibration.method == "conformal":
        return residual_scores(actual, forecast, unit)
    if quantiles is None:
        raise ValueError("method quantile without quantiles; expected [W, K, Q] of them")
    return quantile_scores(actual, quantiles, unit)


def bounds_in_pieces(
    calibration: Calibration,
    level: float,
    forecast: Floats,
    *,
    series: Counts,
    unit: Floats,
    quantiles: Floats | None,
    quantile_levels: Sequence[float],
    minimum: Floats,
) -> Iterator[tuple[slice, Floats, Floats]]:
    """:func:`interval_bounds` of the run's own margins, some windows after the other.

    Args:
        calibration: the scores.
        level: percent.
        forecast: as there.
        series: each window's series, [W].
        unit: unit of each window's scores, [W].
        quantiles: as there.
        quantile_levels: as there.
        minimum: as there.

    Yields:
        Which windows, and their lower and upper bounds.
    """
    scores = calibration.covering(level, series)
    for first in range(0, max(len(forecast), 1), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        low, up = interval_bounds(
            calibration,
            level,
            forecast[part],
            margins=in_units(scores[series[part]], unit[part]),
            quantiles=None if quantiles is None else quantiles[part],
            quantile_levels=quantile_levels,
            minimum=minimum[part],
        )
        yield part, low, up


def measured_coverage(actual: Floats, lower: Floats, upper: Floats) -> Coverage:
    """The share of actual values inside their bounds, edges included, by step; arrays [W, K].

    A value that was not observed or has no bounds is not counted.
    """
    return coverage_of(*count_inside(actual, lower, upper))


def count_inside(actual: Floats, lower: Floats, upper: Floats) -> tuple[Counts, Counts]:
    """How many values lay inside their bounds, and how many were counted, by step: [K] each."""
    known = ~(np.isnan(actual) | np.isnan(lower) | np.isnan(upper))
    inside = known & (actual >= lower) & (actual <= upper)
    return inside.sum(axis=0), known.sum(axis=0)


def coverage_of(inside: Counts, count: Counts) -> Coverage:
    """The share that so many are of those that were counted."""
    share = np.divide(inside, count, out=np.full(len(count), np.nan), where=count > 0)
    return Coverage(share, count.astype(np.int64))
