"""Quantile and interval formulas against scikit-learn, utilsforecast and the closed form of a Gaussian."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_pinball_loss
from utilsforecast import losses

from lstm_forecast.evaluation.spread import coverage, crps, interval_score, pinball, width
from tests.evaluation.panels import long_table, random_windows

NAN = float("nan")


@pytest.mark.parametrize("level", [0.025, 0.5, 0.9])
def test_the_pinball_loss_is_scikit_learns(level: float) -> None:
    truth, forecast = random_windows(1)
    known = ~np.isnan(truth.actual)
    expected = mean_pinball_loss(truth.actual[known], forecast[known], alpha=level)
    assert pinball(truth.actual, forecast, level) == pytest.approx(expected, rel=1e-12)


def test_the_crps_of_a_gaussian_is_its_closed_form() -> None:
    """Gneiting & Raftery 2007, eq. 21: σ (z (2 Φ(z) - 1) + 2 φ(z) - 1 / √π), here with its sign turned."""
    actual = np.array([[-2.0, 0.3, 1.0], [NAN, 4.0, 9.0]])
    centre, sigma = np.array([[0.0, 0.5, 1.0], [1.0, 3.0, 2.0]]), 1.5
    levels = np.arange(1, 4000) / 4000
    quantiles = centre[..., None] + sigma * stats.norm.ppf(levels)
    z = (actual - centre) / sigma
    closed = sigma * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert crps(actual, quantiles, levels.tolist()) == pytest.approx(np.nanmean(closed), rel=1e-4)


def test_the_crps_of_three_quantiles_by_hand() -> None:
    """Quantiles 0, 2, 5 at 0.1, 0.5, 0.9, actual 3: pinball 0.3, 0.5, 0.2; the three weigh 0.25, 0.4, 0.25.

    The trapezia from 0 to 0.1 and from 0.9 to 1 start and end at loss 0.
    """
    quantiles = np.array([[[0.0, 2.0, 5.0]]])
    expected = 2 * (0.25 * 0.3 + 0.4 * 0.5 + 0.25 * 0.2)
    assert crps(np.array([[3.0]]), quantiles, [0.1, 0.5, 0.9]) == pytest.approx(expected)


def test_the_crps_of_one_value_is_nearly_its_absolute_error() -> None:
    """All quantiles equal: the integral of the pinball loss is |e| / 2, but for the first and last level."""
    levels = (np.arange(1, 1000) / 1000).tolist()
    quantiles = np.full((1, 2, 999), 4.0)
    assert crps(np.array([[1.0, 9.0]]), quantiles, levels) == pytest.approx((3 + 5) / 2, rel=2e-3)


@pytest.mark.parametrize("level", [80, 95])
def test_intervals_are_scored_as_by_utilsforecast(level: int) -> None:
    truth, forecast = random_windows(2)
    lower, upper = forecast - 0.7, forecast + 1.1
    table = long_table(
        truth, {"model": forecast, f"model-lo-{level}": lower, f"model-hi-{level}": upper}
    ).assign(unique_id=0)
    share = losses.coverage(table, models=["model"], level=level)["model"].item()
    score = losses.winkler_score(table, models=["model"], level=level)["model"].item()
    assert 0.1 < share < 0.9
    assert coverage(truth.actual, lower, upper) == pytest.approx(share, rel=1e-12)
    assert interval_score(truth.actual, lower, upper, level / 100) == pytest.approx(score, rel=1e-12)
    assert width(lower, upper, truth.actual) == pytest.approx(1.8, rel=1e-12)


def test_a_small_table_of_intervals_by_hand() -> None:
    """Within; on the lower bound; 2 above; 1 below; not observed; no interval."""
    actual = np.array([[1.0, 0.0, 5.0], [-1.0, NAN, 7.0]])
    lower = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, NAN]])
    upper = np.array([[2.0, 1.0, 3.0], [6.0, 50.0, NAN]])
    assert coverage(actual, lower, upper) == 0.5
    assert width(lower, upper, actual) == 12 / 4
    # a share of 0.2 lies outside: 2 / 0.2 = 10 for each unit
    assert interval_score(actual, lower, upper, 0.8) == pytest.approx((2 + 1 + (3 + 20) + (6 + 10)) / 4)


def test_an_actual_on_either_bound_lies_within() -> None:
    bounds = np.array([[1.0]]), np.array([[2.0]])
    assert coverage(np.array([[1.0]]), *bounds) == coverage(np.array([[2.0]]), *bounds) == 1.0
    assert coverage(np.array([[np.nextafter(2.0, 3.0)]]), *bounds) == 0.0


def test_cells_without_an_interval_or_an_actual_count_nowhere() -> None:
    nothing, ones = np.full((2, 2), NAN), np.ones((2, 2))
    for actual, lower, upper in (
        (nothing, ones, ones),
        (ones, nothing, nothing),
        (ones, nothing, ones),
        (ones, ones, nothing),
        (np.empty((0, 2)),) * 3,
    ):
        assert math.isnan(coverage(actual, lower, upper))
        assert math.isnan(width(lower, upper, actual))
        assert math.isnan(interval_score(actual, lower, upper, 0.8))
    assert math.isnan(pinball(ones, nothing, 0.5))
    assert math.isnan(pinball(nothing, ones, 0.5))
    some = np.array([[[1.0, NAN], [1.0, 2.0]], [[NAN, NAN], [3.0, 4.0]]])
    left = crps(np.array([[0.0, 0.0]]), np.array([[[1.0, 2.0], [3.0, 4.0]]]), [0.3, 0.6])
    assert crps(np.zeros((2, 2)), some, [0.3, 0.6]) == left


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_scores_scale_with_the_values_and_never_overflow(factor: float) -> None:
    actual = np.array([[3.0, 7.0]])
    bounds = np.array([[1.0, 1.0]]), np.array([[4.0, 5.0]])
    scaled = [part * factor for part in (actual, *bounds)]
    assert coverage(scaled[0], scaled[1], scaled[2]) == 0.5
    assert width(scaled[1], scaled[2], scaled[0]) == pytest.approx(3.5 * factor, rel=1e-12, abs=0)
    assert interval_score(*scaled, 0.5) == pytest.approx((3 + 4 + 4 * 2) / 2 * factor, rel=1e-12, abs=0)
    assert pinball(scaled[0], scaled[2], 0.1) == pytest.approx((0.9 + 0.2) / 2 * factor, rel=1e-12, abs=0)
    quantiles = np.stack([scaled[1], scaled[2]], axis=-1)
    # pinball 1 and 0.25, then 3 and 1.5; the levels weigh (0.75 - 0) / 2 and (1 - 0.5) / 2
    expected = ((0.375 * 1 + 0.25 * 0.25) + (0.375 * 3 + 0.25 * 1.5)) / 2 * 2
    assert crps(scaled[0], quantiles, [0.5, 0.75]) == pytest.approx(expected * factor, rel=1e-12, abs=0)
