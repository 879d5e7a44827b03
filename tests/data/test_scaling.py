"""Units, against scikit-learn's scalers and plain formulas, also at the ends of the range of numbers."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import (
    Method,
    Normalize,
    Per,
    Scaling,
    fit_scaling,
    network_inputs,
    outside_range,
)
from lstm_forecast.data.transform import Transform
from tests.data.panels import NAN, panel_of, random_walks

Floats = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("minmax", "standard", "robust")
# What the configuration allows: differences are not differenced again.
SEEN: tuple[tuple[Normalize, Transform], ...] = (
    ("none", "none"),
    ("diff", "none"),
    ("none", "log"),
    ("diff", "log"),
    ("none", "log1p"),
    ("diff", "log1p"),
    ("none", "diff"),
)
WAVE: Floats = np.random.default_rng(5).normal(size=200).cumsum()


def fit(
    panel: Panel,
    *,
    method: Method = "minmax",
    scaled_range: tuple[float, float] = (0.0, 1.0),
    per: Per = "series",
    normalize: Normalize = "none",
    transform: Transform = "none",
    season: int = 1,
) -> Scaling:
    return fit_scaling(
        panel,
        method=method,
        scaled_range=scaled_range,
        per=per,
        normalize=normalize,
        transform=transform,
        season=season,
    )


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
    assert scaling.mase_scale.tolist() == scaling.rmsse_scale.tolist() == [0.0]
    assert scaling.error_unit.tolist() == [1.0]
    assert scaling.still.tolist() == [True]


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
    assert (again.normalize, again.transform) == (normalize, "none")
    assert (again.ahead, again.statics) == (0, None)
    plain = ("normalize", "transform", "ahead", "statics")
    for name in (field.name for field in fields(Scaling) if field.name not in plain):
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


def slow_inputs(panel: Panel, scaling: Scaling, lookback: int) -> list[list[list[float]]]:
    """Every number that any window of the panel shows, by series and column, in plain Python."""
    logs = {"log": math.log, "log1p": math.log1p}
    found = []
    for s in range(len(panel)):
        rows = panel.values[panel.rows(s)].tolist()
        columns: list[list[float]] = [[] for _ in panel.columns]
        for start in range(len(rows) - lookback + 1):
            for c, seen in enumerate(columns):
                window = [row[c] for row in rows[start : start + lookback]]
                if c == 0 and scaling.transform in logs:
                    window = [logs[scaling.transform](value) for value in window]
                steps = [0.0] + [after - before for before, after in pairwise(window)]
                if scaling.normalize == "diff":
                    seen += [step / float(scaling.step_unit[s, c]) for step in steps]
                    continue
                levels = steps if c == 0 and scaling.transform == "diff" else window
                seen += [(v - float(scaling.offset[s, c])) / float(scaling.unit[s, c]) for v in levels]
        found.append(columns)
    return found


@pytest.mark.parametrize(("normalize", "transform"), SEEN)
@pytest.mark.parametrize("method", METHODS)
def test_the_range_of_the_inputs_is_that_of_all_training_windows(
    normalize: Normalize, transform: Transform, method: Method
) -> None:
    panel = random_walks(30, 25, columns=2)
    scaling = fit(panel, method=method, normalize=normalize, transform=transform)
    for s, columns in enumerate(slow_inputs(panel, scaling, 6)):
        for c, seen in enumerate(columns):
            assert scaling.input_low[s, c] == pytest.approx(min(seen), rel=1e-9, abs=1e-12)
            assert scaling.input_high[s, c] == pytest.approx(max(seen), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("normalize", "transform"), SEEN)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.integers(-20, 20), per=st.sampled_from(["series", "global"]))
def test_no_training_window_lies_outside_the_range_it_set(
    normalize: Normalize, transform: Transform, seed: int, power: int, per: Per
) -> None:
    """Not even by a rounding: a warning about the training rows themselves would be noise."""
    panel = random_walks(20, 12, columns=2, seed=seed)
    panel = replace(panel, values=np.abs(panel.values) * 10.0**power)
    scaling = fit(panel, method="standard", per=per, normalize=normalize, transform=transform)
    for s in range(2):
        values = panel.values[panel.rows(s)]
        windows = np.stack([values[start : start + 5] for start in range(len(values) - 4)])
        series = np.full(len(windows), s)
        assert not outside_range(network_inputs(windows, scaling, series), scaling, series).any()


def test_an_input_is_outside_where_it_lies_beyond_either_end_of_its_own_column_and_series() -> None:
    panel = panel_of([[0.0, 5.0], [10.0, 6.0]], [[0.0, 5.0], [100.0, 6.0]])
    scaling = fit(panel)  # scaled: 0 to 1 everywhere
    window = np.array([[[11.0, 5.0], [10.0, 4.9], [-1.0, 6.0]]] * 2)
    series = np.array([0, 1])
    outside = outside_range(network_inputs(window, scaling, series), scaling, series)
    assert outside[0].tolist() == [[True, False], [False, True], [True, False]]
    assert outside[1].tolist() == [[False, False], [False, True], [True, False]]


def test_filled_cells_do_not_widen_the_range_of_the_inputs() -> None:
    panel = panel_of([1.0, NAN, 3.0, 2.0, 6.0])
    filled = replace(panel, values=np.array([[1.0], [900.0], [3.0], [2.0], [6.0]]))
    scaling = fit(filled)
    assert (scaling.input_low[0, 0], scaling.input_high[0, 0]) == (0.0, 1.0)


def test_errors_are_scaled_by_the_change_over_a_season() -> None:
    """By hand: over two steps 1, 2, 5, 1; the short series has no season and is measured by its steps."""
    panel = panel_of([1.0, 4.0, 2.0, 2.0, 7.0, 3.0], [0.0, 10.0], [5.0])
    scaling = fit(panel, season=2)
    assert scaling.mase_scale.tolist() == pytest.approx([9 / 4, 10.0, 0.0])
    assert scaling.rmsse_scale.tolist() == pytest.approx([math.sqrt(31 / 4), 10.0, 0.0])
    assert scaling.error_unit.tolist() == pytest.approx([9 / 4, 10.0, 1.0])
    steps = fit(panel, season=6)  # as many rows as the season: one step apart, 3, 2, 0, 5, 4
    assert steps.mase_scale[0] == pytest.approx(14 / 5)
    assert steps.rmsse_scale[0] == pytest.approx(math.sqrt(54 / 5))


def test_a_pair_of_rows_counts_for_the_error_scale_where_both_were_observed() -> None:
    panel = panel_of([1.0, NAN, 3.0, 2.0, 6.0, 2.5])  # over two steps: 3 - 1, 6 - 3 and 2.5 - 2
    filled = replace(panel, values=np.nan_to_num(panel.values, nan=900.0))
    scaling = fit(filled, season=2)
    assert scaling.mase_scale[0] == pytest.approx((2 + 3 + 0.5) / 3)
    assert scaling.rmsse_scale[0] == pytest.approx(math.sqrt((4 + 9 + 0.25) / 3))


@pytest.mark.parametrize("transform", ["log", "log1p", "diff"])
def test_error_scales_and_flags_are_of_the_original_values_whatever_the_transform(
    transform: Transform,
) -> None:
    panel = panel_of([4.0, 2.0, 0.5, 8.0, 2.0], [-0.5, 0.1, 0.2] if transform != "log" else [0.5, 0.1, 0.2])
    plain, other = fit(panel), fit(panel, transform=transform)
    for name in ("mase_scale", "rmsse_scale", "negative", "still", "trained"):
        assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert not np.array_equal(plain.unit, other.unit)


@pytest.mark.parametrize("method", METHODS)
def test_units_are_those_of_the_transformed_target(method: Method) -> None:
    panel = random_walks(60, columns=2)
    scaling = fit(panel, method=method, transform="log")
    logs = np.log(panel.values[:, 0])
    got = (logs - scaling.offset[0, 0]) / scaling.unit[0, 0]
    np.testing.assert_allclose(got, sklearn_scaled(logs, method), rtol=1e-9, atol=1e-9)
    assert scaling.step_unit[0, 0] == pytest.approx(np.std(np.diff(logs)), rel=1e-9)
    np.testing.assert_allclose(scaled(panel, scaling, 0, 1), sklearn_scaled(panel.values[:, 1], method))


def test_the_first_row_of_a_series_has_no_change_to_fit_units_to() -> None:
    """And a row after an empty one neither: the change over it was not observed."""
    panel = panel_of([500.0, 503.0, 504.0], [900.0, 900.5, 899.0, NAN, 700.0, 702.0])
    scaling = fit(replace(panel, values=np.nan_to_num(panel.values, nan=899.0)), transform="diff")
    assert scaling.offset[:, 0].tolist() == [1.0, -1.5]  # the smallest change
    assert scaling.unit[:, 0].tolist() == [2.0, 3.5]


def test_a_series_that_stands_still_is_noted_and_one_of_a_single_value_too() -> None:
    panel = panel_of([5.0, 5.0, 5.0], [5.0, 5.0, 6.0], [7.0])
    assert fit(panel).still.tolist() == [True, False, True]


def test_the_transform_comes_back_from_json() -> None:
    scaling = fit(random_walks(20), transform="log1p")
    assert Scaling.from_json(json.loads(json.dumps(scaling.to_json()))).transform == "log1p"


@pytest.mark.parametrize(("normalize", "transform"), [("diff", "none"), ("none", "diff"), ("diff", "log")])
def test_the_missing_change_of_a_windows_first_step_is_within_the_range(
    normalize: Normalize, transform: Transform
) -> None:
    """Of a series that only rises no change is 0, and every window begins with one."""
    panel = panel_of(np.cumsum([1.0, 2.0, 1.5, 1.2, 1.9, 1.0, 1.4]))
    scaling = fit(panel, normalize=normalize, transform=transform)
    (seen,) = slow_inputs(panel, scaling, 3)[0]
    assert scaling.input_low[0, 0] == pytest.approx(min(seen), abs=1e-12)
    window = panel.values[None, 2:5]
    only = np.array([0])
    assert not outside_range(network_inputs(window, scaling, only), scaling, only).any()
