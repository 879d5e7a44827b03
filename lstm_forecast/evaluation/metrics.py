"""Metrics of point forecasts, one number each. Error = forecast - actual: positive means over-forecast.

NaN policy, here alone: an actual that was not observed is NaN and counts nowhere; where nothing is left the
metric is NaN. A forecast that is missing where the actual is known makes the metric NaN: it must not become
better by leaving cells out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def mae(actual: Floats, forecast: Floats) -> float:
    """Mean absolute error over all windows and steps; arrays [W, H]."""
    return _mean(np.abs(_errors(actual, forecast)))


def rmse(actual: Floats, forecast: Floats) -> float:
    """Root mean squared error over all windows and steps; arrays [W, H].

    Squares are taken of errors divided by their mean size, so that errors beyond 1e154 do not overflow.
    """
    error = _errors(actual, forecast)
    size = _mean(np.abs(error))
    return size * float(np.sqrt(np.mean((error / size) ** 2))) if size > 0 else size


def bias(actual: Floats, forecast: Floats) -> float:
    """Mean error: positive means over-forecast; arrays [W, H]."""
    return _mean(_errors(actual, forecast))


def mape(actual: Floats, forecast: Floats) -> float:
    """Mean absolute percentage error, in percent; NaN where a known actual is 0; arrays [W, H]."""
    return _mean(percentages(*_known(actual, forecast)))


def smape(actual: Floats, forecast: Floats) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 percent; arrays [W, H].

    As in the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020): the mean of 200 |e| / (|y| + |f|).
    A cell in which both are 0 is 0.
    """
    return _mean(symmetric_percentages(*_known(actual, forecast)))


def mase(actual: Floats, forecast: Floats, *, series: Labels, scale: Floats) -> float:
    """Mean absolute scaled error (Hyndman & Koehler 2006): the mean over series of MAE / scale.

    Args:
        actual: [W, H].
        forecast: [W, H].
        series: of each window, [W].
        scale: mean absolute difference to the seasonal naive forecast in the training rows, by series [S];
            a series whose scale is 0 or NaN is left out.
    """
    label, error = _by_series(actual, forecast, series)
    return _mean(_scaled(mean_by(np.abs(error), label, len(scale)), label, scale))


def rmsse(actual: Floats, forecast: Floats, *, series: Labels, scale: Floats) -> float:
    """Root mean squared scaled error: the mean over series of RMSE / scale.

    As in the M5 competition (Makridakis, Spiliotis & Assimakopoulos 2022), each series weighing the same.

    Args:
        actual: [W, H].
        forecast: [W, H].
        series: of each window, [W].
        scale: root mean squared difference to the seasonal naive forecast in the training rows, by series
            [S]; a series whose scale is 0 or NaN is left out.
    """
    label, error = _by_series(actual, forecast, series)
    return _mean(_scaled(rms_by(error, label, len(scale)), label, scale))


def owa(smape: float, mase: float, smape_reference: float, mase_reference: float) -> float:
    """Overall weighted average of the M4 competition: 1 is as good as the reference, which was Naive2.

    NaN where the reference makes no error.
    """
    if not (smape_reference > 0 and mase_reference > 0):
        return float("nan")
    return (smape / smape_reference + mase / mase_reference) / 2


def hit_rate(actual: Floats, forecast: Floats, last: Floats) -> float:
    """Share of cells with the right direction of the change from the last value.

    A cell whose actual is the last value is not counted. A forecast of the last value is a miss, unless all
    forecasts are: then there is no direction to judge, and the rate is NaN.

    Args:
        actual: [W, H].
        forecast: [W, H].
        last: value at each window's cutoff, [W].
    """
    known, said = _known(actual, forecast)
    if np.isnan(said).any():
        return float("nan")
    before = np.broadcast_to(last[:, None], actual.shape)[~np.isnan(actual)]
    moved, hit = directions(known, said, before)
    claims = moved & (said != before)
    return float(hit.sum() / moved.sum()) if claims.any() else float("nan")


def coin_p_value(hits: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """Two-sided p-value, exact, of so many hits under a fair coin: [G] → [G]; 1 where nothing was counted.

    The counted cells must be independent of each other. The binomial distribution at 1/2 is symmetric, so
    both tails are twice the lower one.
    """
    from scipy.special import bdtr

    lower = np.minimum(hits, counts - hits)
    return np.asarray(np.minimum(1.0, 2 * bdtr(lower.astype(float), counts, 0.5)), dtype=np.float64)


def percentages(actual: Floats, forecast: Floats) -> Floats:
    """Absolute errors in percent of the actual, cell by cell; NaN where the actual is 0."""
    with np.errstate(over="ignore"):  # of 1 to 1e-310: infinite, and so is its mean
        return 100 * (np.abs(forecast - actual) / np.where(actual == 0, np.nan, np.abs(actual)))


def symmetric_percentages(actual: Floats, forecast: Floats) -> Floats:
    """Absolute errors in percent of the mean of |actual| and |forecast|, cell by cell; 0 where both are 0."""
    size = np.abs(actual) + np.abs(forecast)
    return 200 * (np.abs(forecast - actual) / np.where(size == 0, 1.0, size))


def directions(actual: Floats, forecast: Floats, last: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the actual moved from ``last``, and whether the forecast said which way, cell by cell."""
    up, down = actual > last, actual < last
    return up | down, (up & (forecast > last)) | (down & (forecast < last))


def mean_by(values: Floats, label: Labels, count: int) -> Floats:
    """Mean of the values [n] of each label 0 … count - 1: [count], NaN where a label has none."""
    total = np.bincount(label, weights=values, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.bincount(label, minlength=count), dtype=np.float64)


def rms_by(values: Floats, label: Labels, count: int) -> Floats:
    """Root of the mean square of the values [n] of each label: [count], NaN where a label has none.

    Squares are taken of values divided by the label's mean size, as in :func:`rmse`.
    """
    size = mean_by(np.abs(values), label, count)
    unit = np.where(size > 0, size, 1.0)
    return unit * np.sqrt(mean_by((values / unit[label]) ** 2, label, count))


def _known(actual: Floats, forecast: Floats) -> tuple[Floats, Floats]:
    """Actuals and forecasts of the cells whose actual is known, flat."""
    known = ~np.isnan(actual)
    return actual[known], forecast[known]


def _errors(actual: Floats, forecast: Floats) -> Floats:
    known, said = _known(actual, forecast)
    return np.asarray(said - known, dtype=np.float64)


def _by_series(actual: Floats, forecast: Floats, series: Labels) -> tuple[Labels, Floats]:
    """Series and error of the cells whose actual is known, flat."""
    label = np.broadcast_to(series[:, None], actual.shape)[~np.isnan(actual)]
    return label, _errors(actual, forecast)


def _scaled(size: Floats, label: Labels, scale: Floats) -> Floats:
    """Size of the errors over scale, of the series that have cells and a scale."""
    kept = (scale > 0) & (np.bincount(label, minlength=len(scale)) > 0)
    return size[kept] / scale[kept]


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
