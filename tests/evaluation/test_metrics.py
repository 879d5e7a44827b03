"""Metrics against scikit-learn, and their one rule for what was not observed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from lstm_forecast.evaluation.metrics import mae, rmse

pairs = st.lists(
    st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.booleans()), min_size=2, max_size=40
).map(lambda rows: rows[: len(rows) // 2 * 2])


@given(rows=pairs)
def test_metrics_are_scikit_learns_over_what_was_observed(rows: list[tuple[float, float, bool]]) -> None:
    actual = np.array([a if known else np.nan for a, _, known in rows]).reshape(-1, 2)
    forecast = np.array([f for _, f, _ in rows]).reshape(-1, 2)
    kept = [(a, f) for a, f, known in rows if known]
    if not kept:
        assert math.isnan(mae(actual, forecast))
        assert math.isnan(rmse(actual, forecast))
        return
    one, other = zip(*kept, strict=True)
    assert mae(actual, forecast) == pytest.approx(mean_absolute_error(one, other), rel=1e-12)
    assert rmse(actual, forecast) == pytest.approx(root_mean_squared_error(one, other), rel=1e-9, abs=1e-140)


def test_a_small_table_by_hand() -> None:
    actual = np.array([[1.0, 2.0], [np.nan, 4.0]])
    forecast = np.array([[2.0, 0.0], [9.0, 6.0]])
    assert mae(actual, forecast) == pytest.approx(5 / 3)
    assert rmse(actual, forecast) == pytest.approx(math.sqrt(3))


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1e30, 1e200])
def test_metrics_scale_with_the_values_and_never_overflow(factor: float) -> None:
    actual, forecast = np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 0.0]])
    assert mae(actual * factor, forecast * factor) == pytest.approx(2 * factor)
    assert rmse(actual * factor, forecast * factor) == pytest.approx(math.sqrt(14 / 3) * factor)


def test_no_error_is_zero_and_no_row_is_nan() -> None:
    exact = np.array([[1.0, 2.0]])
    assert mae(exact, exact) == rmse(exact, exact) == 0.0
    empty = np.empty((0, 3))
    assert math.isnan(mae(empty, empty))
    assert math.isnan(rmse(empty, empty))
