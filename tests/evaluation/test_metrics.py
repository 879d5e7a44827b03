"""Metrics against scikit-learn, utilsforecast and small tables by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    root_mean_squared_error,
)
from utilsforecast import losses

from lstm_forecast.evaluation.metrics import (
    bias,
    coin_p_value,
    hit_rate,
    mae,
    mape,
    mase,
    owa,
    rmse,
    rmsse,
    smape,
)
from tests.evaluation.panels import long_table, random_windows

Floats = NDArray[np.float64]
NAN = float("nan")
ONE = np.zeros(1, dtype=np.int64)
PLAIN = [mae, rmse, bias, mape, smape]

pairs = st.lists(
    st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.booleans()), min_size=2, max_size=40
).map(lambda rows: rows[: len(rows) // 2 * 2])


@given(rows=pairs)
def test_errors_are_scikit_learns_over_what_was_observed(rows: list[tuple[float, float, bool]]) -> None:
    actual = np.array([a if known else np.nan for a, _, known in rows]).reshape(-1, 2)
    forecast = np.array([f for _, f, _ in rows]).reshape(-1, 2)
    kept = [(a, f) for a, f, known in rows if known]
    if not kept:
        assert all(math.isnan(metric(actual, forecast)) for metric in PLAIN)
        return
    one, other = zip(*kept, strict=True)
    assert mae(actual, forecast) == pytest.approx(mean_absolute_error(one, other), rel=1e-12)
    assert rmse(actual, forecast) == pytest.approx(root_mean_squared_error(one, other), rel=1e-9, abs=1e-140)
    assert bias(actual, forecast) == pytest.approx(math.fsum(f - a for a, f in kept) / len(kept), abs=1e-6)
    if all(abs(a) > 1e-3 for a in one):  # scikit-learn divides by at least 2e-16
        expected = 100 * mean_absolute_percentage_error(one, other)
        assert mape(actual, forecast) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_each_series_has_the_errors_of_utilsforecast(seed: int) -> None:
    truth, forecast = random_windows(seed)
    table = long_table(truth, {"model": forecast})

    def theirs(loss: Callable[..., pd.DataFrame]) -> dict[int, float]:
        found = loss(table, models=["model"])
        return dict(zip(found["unique_id"], found["model"], strict=True))

    expected = {name: theirs(getattr(losses, name)) for name in ("mae", "rmse", "bias", "smape", "mape")}
    for series in range(4):
        own = truth.series == series
        actual, said = truth.actual[own], forecast[own]
        assert mae(actual, said) == pytest.approx(expected["mae"][series], rel=1e-12)
        assert rmse(actual, said) == pytest.approx(expected["rmse"][series], rel=1e-12)
        assert bias(actual, said) == pytest.approx(expected["bias"][series], rel=1e-9, abs=1e-12)
        assert smape(actual, said) == pytest.approx(200 * expected["smape"][series], rel=1e-12)
        if np.any(actual == 0):
            assert math.isnan(mape(actual, said))
        else:
            assert mape(actual, said) == pytest.approx(100 * expected["mape"][series], rel=1e-12)


@pytest.mark.parametrize("season", [1, 4])
def test_scaled_errors_are_the_mean_over_series_of_utilsforecasts(season: int) -> None:
    truth, forecast = random_windows(3)
    training = np.random.default_rng(season).normal(size=(4, 30)).cumsum(axis=1)
    steps = [[row[t] - row[t - season] for t in range(season, 30)] for row in training]
    scale = np.array([sum(abs(step) for step in row) / len(row) for row in steps])
    root_scale = np.array([math.sqrt(sum(step**2 for step in row) / len(row)) for row in steps])
    rows = {"unique_id": np.repeat(np.arange(4), 30), "ds": np.tile(np.arange(30), 4), "y": training.ravel()}
    table, train = long_table(truth, {"model": forecast}), pd.DataFrame(rows)
    for ours, theirs, units in ((mase, losses.mase, scale), (rmsse, losses.rmsse, root_scale)):
        expected = theirs(table, models=["model"], seasonality=season, train_df=train)["model"].mean()
        got = ours(truth.actual, forecast, series=truth.series, scale=units)
        assert got == pytest.approx(expected, rel=1e-12)


def test_a_small_table_by_hand() -> None:
    """Errors 1, -2 and 2; the cell whose actual is unknown does not count."""
    actual = np.array([[1.0, 2.0], [NAN, 4.0]])
    forecast = np.array([[2.0, 0.0], [9.0, 6.0]])
    assert mae(actual, forecast) == pytest.approx(5 / 3)
    assert rmse(actual, forecast) == pytest.approx(math.sqrt(3))
    assert bias(actual, forecast) == pytest.approx(1 / 3)
    assert mape(actual, forecast) == pytest.approx((100 + 100 + 50) / 3)
    assert smape(actual, forecast) == pytest.approx((200 / 3 + 200 + 400 / 10) / 3)
    # series 0 has errors 1 and -2 and scale 3, series 1 has 2 and scale 4; series 2 has no window
    scale, series = np.array([3.0, 4.0, 1.0]), np.array([0, 1])
    assert mase(actual, forecast, series=series, scale=scale) == pytest.approx((1.5 / 3 + 2 / 4) / 2)
    expected = (math.sqrt(2.5) / 3 + 2 / 4) / 2
    assert rmsse(actual, forecast, series=series, scale=scale) == pytest.approx(expected)


def test_a_series_without_a_scale_is_left_out_of_scaled_errors() -> None:
    actual, series = np.zeros((2, 1)), np.array([0, 1])
    forecast = np.array([[1.0], [6.0]])
    for metric in (mase, rmsse):
        assert metric(actual, forecast, series=series, scale=np.array([0.0, 2.0])) == 3.0
        assert metric(actual, forecast, series=series, scale=np.array([NAN, 2.0])) == 3.0
        assert math.isnan(metric(actual, forecast, series=series, scale=np.array([0.0, NAN])))


def test_owa_is_the_mean_of_two_ratios() -> None:
    """M4's published table: the winner's sMAPE 11.374 and MASE 1.536 beside Naive2's 13.564 and 1.912."""
    assert owa(11.374, 1.536, 13.564, 1.912) == pytest.approx(0.821, abs=5e-4)
    assert owa(10.0, 1.0, 20.0, 4.0) == 0.375
    assert math.isnan(owa(1.0, 1.0, 0.0, 1.0))
    assert math.isnan(owa(1.0, 1.0, 1.0, 0.0))
    assert math.isnan(owa(1.0, 1.0, 1.0, NAN))


def test_percentages_of_zero() -> None:
    zeros = np.zeros((1, 2))
    assert smape(zeros, zeros) == 0.0
    assert smape(zeros, np.array([[0.0, 5.0]])) == 100.0  # 0 and 200
    assert math.isnan(mape(np.array([[0.0, 1.0]]), np.ones((1, 2))))
    assert mape(np.array([[NAN, 1.0]]), np.array([[0.0, 3.0]])) == 200.0


def test_the_direction_of_a_small_table_by_hand() -> None:
    last = np.array([10.0, 20.0])
    actual = np.array([[11.0, 9.0, 10.0], [21.0, NAN, 25.0]])
    forecast = np.array([[12.0, 12.0, 99.0], [20.0, 21.0, 20.5]])
    # right, wrong, not counted; no change said (a miss), not counted, right
    assert hit_rate(actual, forecast, last) == 2 / 4
    # nothing said anywhere is no miss
    assert math.isnan(hit_rate(actual, np.repeat(last[:, None], 3, axis=1), last))
    assert math.isnan(hit_rate(np.repeat(last[:, None], 3, axis=1), forecast, last))
    one_word = np.array([[10.0, 10.0, 10.0], [20.0, 20.0, 19.0]])
    assert hit_rate(actual, one_word, last) == 0.0
    # a direction said only where it does not count is none
    only_there = np.array([[10.0, 10.0, 11.0], [20.0, 21.0, 20.0]])
    assert math.isnan(hit_rate(actual, only_there, last))


@given(count=st.integers(0, 300), share=st.floats(0, 1))
def test_the_coins_p_value_is_that_of_the_exact_binomial_test(count: int, share: float) -> None:
    hits = round(share * count)
    expected = stats.binomtest(hits, count).pvalue if count else 1.0
    got = coin_p_value(np.array([hits]), np.array([count]))[0]
    assert got == pytest.approx(expected, rel=1e-9)


def test_the_coins_p_value_of_eight_in_ten_by_hand() -> None:
    """Two tails of (45 + 10 + 1) / 1024."""
    assert coin_p_value(np.array([8, 2, 5]), np.array([10, 10, 10])) == pytest.approx([112 / 1024] * 2 + [1])


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e-30, 1e30, 1e200, 1e300])
def test_errors_scale_with_the_values_and_never_overflow(factor: float) -> None:
    actual, forecast = np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 0.0]])
    scaled = (actual * factor, forecast * factor)
    assert mae(*scaled) == pytest.approx(2 * factor, rel=1e-12, abs=0)
    assert rmse(*scaled) == pytest.approx(math.sqrt(14 / 3) * factor, rel=1e-12, abs=0)
    assert bias(*scaled) == pytest.approx(0.0, abs=1e-12 * factor)
    assert mape(*scaled) == pytest.approx(100)
    assert smape(*scaled) == pytest.approx((200 / 3 + 200 / 3 + 200) / 3)
    scale = np.array([factor])
    assert mase(*scaled, series=ONE, scale=scale) == pytest.approx(2)
    assert rmsse(*scaled, series=ONE, scale=scale) == pytest.approx(math.sqrt(14 / 3))
    assert hit_rate(*scaled, np.array([1.5 * factor])) == pytest.approx(1 / 3)


def test_a_percentage_beyond_all_numbers_is_infinite_without_a_warning() -> None:
    assert mape(np.array([[1e-310]]), np.array([[1.0]])) == math.inf


def test_no_error_is_zero_and_no_row_is_nan() -> None:
    exact, empty = np.array([[1.0, 2.0]]), np.empty((0, 3))
    for metric in PLAIN:
        assert metric(exact, exact) == 0.0
        assert math.isnan(metric(empty, empty))
        assert math.isnan(metric(np.full((1, 2), NAN), exact))
    nothing = np.empty(0, dtype=np.int64)
    for metric in (mase, rmsse):
        assert metric(exact, exact, series=ONE, scale=np.ones(1)) == 0.0
        assert math.isnan(metric(empty, empty, series=nothing, scale=np.ones(1)))
    assert math.isnan(hit_rate(empty, empty, np.empty(0)))


def test_a_missing_forecast_does_not_make_a_metric_better() -> None:
    actual, forecast = np.array([[1.0, NAN, 2.0]]), np.array([[1.0, 1.0, NAN]])
    assert all(math.isnan(metric(actual, forecast)) for metric in PLAIN)
    assert math.isnan(mase(actual, forecast, series=ONE, scale=np.ones(1)))
    assert math.isnan(rmsse(actual, forecast, series=ONE, scale=np.ones(1)))
    assert math.isnan(hit_rate(actual, forecast, np.array([0.0])))
    assert mae(actual, np.array([[1.0, NAN, 2.0]])) == 0.0  # unless the actual is missing too
