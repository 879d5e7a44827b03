"""Bounds by hand and as properties; coverage by hand and on generated series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.forecasting.calibration import (
    Calibration,
    calibrate_conformal,
    calibrate_quantile,
    quantile_scores,
    residual_scores,
)
from lstm_forecast.forecasting.intervals import backtest_scores, bounds, interval_bounds, measured_coverage
from lstm_forecast.forecasting.recalibration import rolling_margins
from lstm_forecast.forecasting.volatility import interval_units
from tests.data.panels import NAN, panel_of

Floats = NDArray[np.float64]
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
NONE = np.array([-np.inf])


def conformal(errors: Floats) -> Calibration:
    count = len(errors)
    return calibrate_conformal(
        errors,
        np.zeros_like(errors),
        np.ones(count),
        series=np.zeros(count, np.int64),
        scale="none",
        floor=np.ones(1),
    )


def quantile(actual: Floats, quantiles: Floats) -> Calibration:
    count = len(actual)
    return calibrate_quantile(
        actual,
        quantiles,
        np.ones(count),
        levels=LEVELS,
        series=np.zeros(count, np.int64),
        scale="none",
        floor=np.ones(1),
    )


def test_bounds_lie_a_margin_away() -> None:
    lower, upper = bounds(np.array([[10.0, 20.0]]), np.array([[1.0, 3.0]]), minimum=NONE)
    assert lower.tolist() == [[9.0, 17.0]]
    assert upper.tolist() == [[11.0, 23.0]]


def test_no_bound_lies_below_the_minimum() -> None:
    forecast, margins = np.array([[10.0, 2.0], [10.0, 2.0]]), np.full((2, 2), 5.0)
    lower, upper = bounds(forecast, margins, minimum=np.array([0.0, -4.0]))
    assert lower.tolist() == [[5.0, 0.0], [5.0, -3.0]]
    assert upper.tolist() == [[15.0, 7.0], [15.0, 7.0]]


def test_a_forecast_below_the_minimum_has_an_interval_without_width() -> None:
    lower, upper = bounds(np.array([[-5.0]]), np.array([[2.0]]), minimum=np.zeros(1))
    assert (lower.tolist(), upper.tolist()) == ([[0.0]], [[0.0]])


def test_steps_without_a_margin_have_no_bounds() -> None:
    lower, upper = bounds(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[1.0, NAN]]), minimum=NONE)
    np.testing.assert_array_equal(lower, [[0.0, NAN, NAN, NAN]])
    np.testing.assert_array_equal(upper, [[2.0, NAN, NAN, NAN]])


def test_margins_beyond_the_forecast_are_left_out() -> None:
    lower, upper = bounds(np.array([[1.0]]), np.array([[1.0, 7.0]]), minimum=NONE)
    assert (lower.tolist(), upper.tolist()) == ([[0.0]], [[2.0]])


def test_a_pair_of_quantiles_is_widened_and_narrowed_up_to_the_forecast() -> None:
    forecast = np.array([[6.0], [6.0], [6.0]])
    around = (np.full((3, 1), 3.0), np.full((3, 1), 8.0))
    lower, upper = bounds(forecast, np.array([[1.0], [-1.5], [-9.0]]), minimum=np.zeros(3), around=around)
    assert lower.tolist() == [[2.0], [4.5], [6.0]]
    assert upper.tolist() == [[9.0], [6.5], [6.0]]


@settings(max_examples=300, deadline=None)
@given(
    numbers=st.tuples(*[st.floats(-1e12, 1e12)] * 5),
    paired=st.booleans(),
)
def test_bounds_never_cross_and_keep_the_forecast_between(numbers: tuple[float, ...], paired: bool) -> None:
    forecast, margin, minimum, one, other = numbers
    forecast = max(forecast, minimum)
    around = (np.array([[one]]), np.array([[other]])) if paired else None
    margin = margin if paired else abs(margin)
    lower, upper = bounds(
        np.array([[forecast]]), np.array([[margin]]), minimum=np.array([minimum]), around=around
    )
    assert minimum <= lower[0, 0] <= forecast <= upper[0, 0]


def test_conformal_intervals_go_around_the_forecast() -> None:
    calibration = conformal(np.arange(1.0, 20.0)[:, None])
    margins = calibration.margins(95, series=np.zeros(1, np.int64), unit=np.array([2.0]))
    lower, upper = interval_bounds(
        calibration,
        95,
        np.array([[100.0, 100.0]]),
        margins=margins,
        quantiles=None,
        quantile_levels=(),
        minimum=NONE,
    )
    np.testing.assert_allclose(lower, [[62.0, NAN]])  # 2 · the 19th score
    np.testing.assert_allclose(upper, [[138.0, NAN]])


def test_quantile_intervals_go_around_the_pair_of_the_level() -> None:
    quantiles = np.array([[[0.0, 3.0, 6.0, 8.0, 10.0]]])
    calibration = quantile(np.full((39, 1), 11.0), np.tile(quantiles, (39, 1, 1)))  # 1 and 3 above the pairs
    series, unit = np.zeros(1, np.int64), np.ones(1)
    for level, expected in ((95, (-1.0, 11.0)), (80, (0.0, 11.0)), (60, (NAN, NAN))):
        lower, upper = interval_bounds(
            calibration,
            level,
            np.array([[6.0]]),
            margins=calibration.margins(level, series=series, unit=unit),
            quantiles=quantiles,
            quantile_levels=LEVELS,
            minimum=NONE,
        )
        np.testing.assert_allclose([lower[0, 0], upper[0, 0]], expected, atol=1e-14)


def test_a_level_the_forecast_has_no_quantiles_for_has_no_bounds() -> None:
    quantiles = np.array([[[0.0, 3.0, 6.0, 8.0, 10.0]]])
    calibration = quantile(np.full((39, 1), 11.0), np.tile(quantiles, (39, 1, 1)))
    lower, upper = interval_bounds(
        calibration,
        95,
        np.array([[6.0]]),
        margins=np.ones((1, 1)),
        quantiles=quantiles[:, :, 1:4],
        quantile_levels=LEVELS[1:4],
        minimum=NONE,
    )
    assert np.isnan([lower, upper]).all()


def test_method_quantile_needs_quantiles() -> None:
    calibration = quantile(np.zeros((1, 1)), np.zeros((1, 1, 5)))
    one = np.ones((1, 1))
    with pytest.raises(ValueError, match="without quantiles"):
        interval_bounds(calibration, 80, one, margins=one, quantiles=None, quantile_levels=(), minimum=NONE)
    with pytest.raises(ValueError, match="without quantiles"):
        backtest_scores(calibration, one, one, quantiles=None, unit=np.ones(1))


def test_backtest_scores_are_those_of_the_method() -> None:
    draw = np.random.default_rng(0)
    actual, forecast, unit = draw.normal(size=(4, 2)), draw.normal(size=(4, 2)), draw.random(4) + 1
    quantiles = np.sort(draw.normal(size=(4, 2, 5)), axis=2)
    found = backtest_scores(conformal(np.ones((3, 2))), actual, forecast, quantiles=None, unit=unit)
    np.testing.assert_array_equal(found, residual_scores(actual, forecast, unit))
    paired = quantile(actual, quantiles)
    found = backtest_scores(paired, actual, forecast, quantiles=quantiles, unit=unit)
    np.testing.assert_array_equal(found, quantile_scores(actual, quantiles, unit))


def test_coverage_counts_edges_and_leaves_out_the_unknown() -> None:
    actual = np.array([[1.0, 5.0], [2.0, NAN], [3.0, 7.0], [4.0, 9.0]])
    lower = np.array([[1.0, 6.0], [0.0, 0.0], [0.0, NAN], [0.0, NAN]])
    upper = np.array([[2.0, 8.0], [2.0, 9.0], [2.9, NAN], [NAN, NAN]])
    found = measured_coverage(actual, lower, upper)
    assert found.count.tolist() == [3, 1]
    np.testing.assert_allclose(found.share, [2 / 3, 0.0])


def test_coverage_of_nothing_is_not_known() -> None:
    found = measured_coverage(np.full((3, 1), NAN), np.zeros((3, 1)), np.ones((3, 1)))
    assert found.count.tolist() == [0]
    assert np.isnan(found.share).all()


def wild_times(seed: int) -> Floats:
    """A random walk whose steps are four times as large in some stretches, 5,000 rows."""
    draw = np.random.default_rng(seed)
    wild = np.cumsum(draw.random(5000) < 0.005) % 2
    return np.asarray(1000 + ((1 + 3 * wild) * draw.normal(size=5000)).cumsum())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("level", "fixed", "rolling"), [(80, 4.0, 2.5), (95, 4.0, 1.5)])
def test_the_naive_forecast_of_wild_times_is_covered_as_asked(
    seed: int, level: float, fixed: float, rolling: float
) -> None:
    x = wild_times(seed)
    rows = np.arange(2999, 4999)
    series, floor = np.zeros(2000, np.int64), np.array([np.abs(np.diff(x[:3000])).mean()])
    unit = interval_units("volatility", panel_of(x), rows, series=series, floor=floor)
    actual, forecast = x[rows + 1][:, None], x[rows][:, None]
    old, new = slice(0, 1000), slice(1000, 2000)
    calibration = calibrate_conformal(
        actual[old], forecast[old], unit[old], series=series[old], scale="volatility", floor=floor
    )
    scores = backtest_scores(calibration, actual[new], forecast[new], quantiles=None, unit=unit[new])
    held = calibration.margins(level, series=series[new], unit=unit[new])
    moving = rolling_margins(
        calibration,
        level,
        scores,
        origins=rows[new],
        known_at=rows[new][:, None] + 1,
        series=series[new],
        unit=unit[new],
    )
    for margins, tolerance in ((held, fixed), (moving, rolling)):
        lower, upper = bounds(forecast[new], margins, minimum=np.full(1000, -np.inf))
        share = 100 * measured_coverage(actual[new], lower, upper).share[0]
        assert abs(share - level) <= tolerance
