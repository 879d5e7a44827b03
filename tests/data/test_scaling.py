"""Units, against scikit-learn's scalers and plain formulas, also at the ends of the range of numbers."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Method, Normalize, Per, Scaling, fit_scaling, network_inputs
from tests.data.panels import NAN, panel_of, random_walks

Floats = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("minmax", "standard", "robust")
WAVE: Floats = np.random.default_rng(5).normal(size=200).cumsum()


def fit(
    panel: Panel,
    *,
    method: Method = "minmax",
    scaled_range: tuple[float, float] = (0.0, 1.0),
    per: Per = "series",
    normalize: Normalize = "none",
) -> Scaling:
    return fit_scaling(panel, method=method, scaled_range=scaled_range, per=per, normalize=normalize)


def scaled(panel: Panel, scaling: Scaling, series: int = 0, column: int = 0) -> Floats:
    values = panel.values[panel.rows(series), column]
    result: Floats = (values - scaling.offset[series, column]) / scaling.unit[series, column]
    return result


def sklearn_scaled(values: Floats, method: Method, scaled_range: tuple[float, float] = (0.0, 1.0)) -> Floats:
    scalers = {"minmax": MinMaxScaler(scaled_range), "standard": StandardScaler(), "robust": RobustScaler()}
    result: Floats = scalers[method].fit_transform(values[:, None])[:, 0]
    return result


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scaled_range", [(0.0, 1.0), (-1.0, 1.0), (0.2, 0.7), (-3.0, 12.0)])
def test_a_series_is_scaled_as_scikit_learn_scales_it(
    method: Method, scaled_range: tuple[float, float]
) -> None:
    panel = random_walks(80, 50, columns=2)
    scaling = fit(panel, method=method, scaled_range=scaled_range)
    for series in range(2):
        for column in range(2):
            expected = sklearn_scaled(panel.values[panel.rows(series), column], method, scaled_range)
            got = scaled(panel, scaling, series, column)
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_global_units_are_those_of_all_series_together(method: Method) -> None:
    panel = random_walks(80, 50, columns=2)
    scaling = fit(panel, method=method, per="global")
    for column in range(2):
        expected = sklearn_scaled(panel.values[:, column], method)
        got = [scaled(panel, scaling, series, column) for series in range(2)]
        np.testing.assert_allclose(np.concatenate(got), expected, rtol=1e-10, atol=1e-10)
    assert np.array_equal(scaling.step_unit[0], scaling.step_unit[1])


def test_method_none_leaves_values_as_they_are() -> None:
    scaling = fit(random_walks(30), method="none")
    assert scaling.offset.tolist() == [[0.0]]
    assert scaling.unit.tolist() == [[1.0]]


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=30),
    power=st.integers(-90, 90),
    method=st.sampled_from(METHODS),
)
def test_the_scaled_values_do_not_depend_on_the_unit_of_the_input(
    values: list[float], power: int, method: Method
) -> None:
    """Times a power of two, which rounds nothing, the scaled values are the same to the last bit."""
    one, other = panel_of(values), panel_of(np.array(values) * 2.0**power)
    if np.ptp(one.values) <= 1e-14 * np.abs(one.values).max():
        return
    np.testing.assert_array_equal(
        scaled(one, fit(one, method=method)), scaled(other, fit(other, method=method))
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e-30, 1e-18, 1e-9, 1.0, 1e9, 1e18, 1e30, 1e38])
def test_ranges_from_the_smallest_to_the_largest_scale_alike(method: Method, factor: float) -> None:
    """scikit-learn alone takes a series around 1e-18 for constant."""
    panel = panel_of(WAVE * factor)
    got = scaled(panel, fit(panel, method=method))
    np.testing.assert_allclose(got, sklearn_scaled(WAVE, method), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_steps_of_a_hundredth_on_a_level_of_a_billion_are_seen(method: Method) -> None:
    moves = np.round(WAVE) * 0.01
    panel = panel_of(1e9 + moves)
    got = scaled(panel, fit(panel, method=method))
    np.testing.assert_allclose(got, sklearn_scaled(moves, method), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_many_rows_on_a_high_level_are_not_taken_for_constant(method: Method) -> None:
    """scikit-learn's StandardScaler alone gives up where rows times level outgrow the spread."""
    moves: Floats = np.random.default_rng(0).normal(size=100_000).round() * 0.01
    panel = panel_of(1e9 + moves)
    got = scaled(panel, fit(panel, method=method))
    np.testing.assert_allclose(got, sklearn_scaled(moves, method), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 0.1 + 0.2, 1e-18, 1e18, 1e-30, 1e30, 1e38, 1e9 + 0.01])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("per", ["series", "global"])
def test_a_constant_series_has_unit_one_and_becomes_zero(value: float, method: Method, per: Per) -> None:
    panel = panel_of([value] * 10)
    scaling = fit(panel, method=method, per=per)
    assert scaling.offset.tolist() == [[value]]
    assert scaling.unit.tolist() == scaling.step_unit.tolist() == [[1.0]]
    assert scaling.mase_scale.tolist() == [1.0]


def test_noise_of_rounding_is_no_spread() -> None:
    panel = panel_of([0.3, 0.1 + 0.2] * 10)
    assert fit(panel).unit.tolist() == [[1.0]]


@pytest.mark.parametrize("factor", [1e-30, 1e-9, 1.0, 1e9, 1e30])
def test_the_step_unit_is_the_deviation_of_the_differences(factor: float) -> None:
    panel = panel_of(WAVE * factor)
    expected = np.std(np.diff(WAVE)) * factor
    assert fit(panel).step_unit[0, 0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("first", "slope"), [(0.0, 0.5), (7.0, -0.1), (1e6, 0.01), (0.0, 1e-20)])
def test_the_step_unit_of_a_straight_line_is_its_step(first: float, slope: float) -> None:
    """The deviation of its differences is nothing but rounding."""
    panel = panel_of([first + slope * row for row in range(50)])
    assert fit(panel).step_unit[0, 0] == pytest.approx(abs(slope), rel=1e-6)


def test_no_step_crosses_the_border_of_two_series() -> None:
    panel = panel_of([1.0, 2.0, 4.0], [1000.0, 1003.0, 1004.0])
    expected = np.std([1.0, 2.0, 3.0, 1.0])
    assert fit(panel, per="global").step_unit[:, 0].tolist() == pytest.approx([expected] * 2)


def test_the_mase_scale_is_the_mean_absolute_step_of_each_series() -> None:
    panel = panel_of([1.0, 4.0, 2.0, 2.0], [0.0, 10.0])
    assert fit(panel, per="global").mase_scale.tolist() == pytest.approx([5 / 3, 10.0])


def test_only_observed_cells_are_looked_at() -> None:
    panel = panel_of([1.0, NAN, 3.0, 2.0, 6.0])
    filled = replace(panel, values=np.array([[1.0], [900.0], [3.0], [2.0], [6.0]]))
    scaling = fit(filled)
    assert (scaling.offset[0, 0], scaling.unit[0, 0]) == (1.0, 5.0)
    assert scaling.mase_scale[0] == pytest.approx(2.5)  # |2 - 3| and |6 - 2|: steps with both ends observed
    assert scaling.step_unit[0, 0] == pytest.approx(np.std([-1.0, 4.0]))


def test_a_series_without_two_rows_is_marked_and_left_alone() -> None:
    scaling = fit(panel_of([1.0, 2.0, 3.0], [7.0]))
    assert scaling.trained.tolist() == [True, False]
    assert (scaling.offset[1, 0], scaling.unit[1, 0], scaling.step_unit[1, 0]) == (0.0, 1.0, 1.0)


def test_a_negative_training_value_is_noted_per_series() -> None:
    panel = panel_of([1.0, 2.0, 0.0], [1.0, -0.1, 2.0], [3.0, 4.0, 5.0])
    assert fit(panel).negative.tolist() == [False, True, False]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), normalize=st.sampled_from(["none", "diff"]), power=st.integers(-30, 30))
def test_a_scaling_comes_back_from_json_to_the_last_bit(seed: int, normalize: Normalize, power: int) -> None:
    panel = random_walks(20, 1, 9, columns=3, seed=seed)
    scaling = fit(replace(panel, values=panel.values * 10.0**power), method="standard", normalize=normalize)
    again = Scaling.from_json(json.loads(json.dumps(scaling.to_json(), allow_nan=False)))
    assert again.normalize == normalize
    for name in (field.name for field in fields(Scaling) if field.name != "normalize"):
        one, other = getattr(scaling, name), getattr(again, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name


def test_the_unit_of_the_head_follows_what_the_network_sees() -> None:
    panel = random_walks(40, 30)
    level, steps = fit(panel), fit(panel, normalize="diff")
    assert np.array_equal(level.head_unit, level.unit[:, 0])
    assert np.array_equal(steps.head_unit, steps.step_unit[:, 0])


def test_the_network_sees_levels_or_steps() -> None:
    panel = panel_of([2.0, 4.0, 10.0, 6.0])
    window = panel.values[None, :3]
    level = network_inputs(window, fit(panel), np.array([0]))
    assert level[0, :, 0].tolist() == [0.0, 0.25, 1.0]
    steps = network_inputs(window, fit(panel, normalize="diff"), np.array([0]))
    unit = float(np.std([2.0, 6.0, -4.0]))
    assert steps[0, :, 0].tolist() == pytest.approx([0.0, 2 / unit, 6 / unit])
