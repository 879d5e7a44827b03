"""Transforms of the target: exactly undone, series by series, refused where there is no logarithm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.transform import (
    Transform,
    check_transform,
    restored,
    transformed,
    transformed_panel,
)
from lstm_forecast.errors import DataInvalid
from tests.data.panels import NAN, panel_of

Floats = NDArray[np.float64]
ALL: tuple[Transform, ...] = ("none", "log", "log1p", "diff")
AWKWARD = [0.1 + 0.2, 1 / 3, 1e-30, 7e-9, 1.0, 123456.789, 1e9 + 0.01, 3.4e38]


@pytest.mark.parametrize("transform", ALL)
def test_a_change_of_zero_gives_the_last_value_back_bit_for_bit(transform: Transform) -> None:
    last = np.array(AWKWARD)
    got = restored(np.zeros((len(last), 3)), last[:, None], transform, anchored=True)
    assert got.tobytes() == np.repeat(last[:, None], 3, axis=1).tobytes()


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("none", [2.0, 4.0, 1.0]),
        ("log", [math.log(2), math.log(4), 0.0]),
        ("log1p", [math.log(3), math.log(5), math.log(2)]),
        ("diff", [0.0, 2.0, -3.0]),
    ],
)
def test_the_transforms_are_the_ones_their_names_say(transform: Transform, expected: list[float]) -> None:
    assert transformed(np.array([2.0, 4.0, 1.0]), transform).tolist() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("transform", ALL)
@pytest.mark.parametrize("anchored", [False, True])
@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.floats(0.01, 1e6), min_size=3, max_size=8))
def test_what_was_transformed_comes_back(transform: Transform, anchored: bool, values: list[float]) -> None:
    """The first value is known, the others are forecast as what they really became."""
    whole = np.array([values])
    changed = transformed(whole, transform)
    answers = changed[:, 1:]
    if anchored and transform != "diff":
        answers = answers - changed[:, :1]
    got = restored(answers, whole[:, :1], transform, anchored=anchored)
    np.testing.assert_allclose(got, whole[:, 1:], rtol=1e-9, atol=1e-9 * max(values))


def test_small_changes_of_a_small_value_keep_their_digits_with_log1p() -> None:
    """log(1 + x) then exp - 1 in plain steps would leave nothing of 1e-12."""
    assert transformed(np.array([1e-12]), "log1p")[0] == pytest.approx(1e-12, rel=1e-12)
    got = restored(np.array([[1e-14]]), np.array([[1e-12]]), "log1p", anchored=True)
    assert got[0, 0] == pytest.approx(1.01e-12, rel=1e-9)
    assert restored(np.array([[1e-12]]), np.zeros((1, 1)), "log1p", anchored=False)[0, 0] == pytest.approx(
        1e-12
    )


def test_forecasts_of_changes_add_up_from_the_last_value() -> None:
    got = restored(
        np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 4.0]]), np.array([[10.0], [-1.0]]), "diff", anchored=False
    )
    assert got.tolist() == [[11.0, 9.0, 9.5], [-1.0, -1.0, 3.0]]


def test_a_panel_is_transformed_series_by_series_and_covariates_are_not() -> None:
    panel = panel_of([[2.0, 5.0], [6.0, 7.0]], [[100.0, 1.0], [90.0, 0.0], [95.0, -1.0]])
    before = panel.values.copy()
    assert transformed_panel(panel, "diff").tolist() == [[0, 5], [4, 7], [0, 1], [-10, 0], [5, -1]]
    logs = transformed_panel(panel, "log")
    assert logs[:, 0].tolist() == pytest.approx([math.log(v) for v in (2, 6, 100, 90, 95)])
    assert logs[:, 1].tolist() == [5, 7, 1, 0, -1]
    assert np.array_equal(panel.values, before)


@pytest.mark.parametrize("keep", [[True] * 3 + [False] * 2, [False] * 3 + [True] * 2])
def test_an_empty_series_is_no_obstacle(keep: list[bool]) -> None:
    panel = panel_of([3.0, 5.0, 4.0], [10.0, 30.0]).take(np.array(keep))
    expected = [0.0, 2.0, -1.0] if keep[0] else [0.0, 20.0]
    assert transformed_panel(panel, "diff")[:, 0].tolist() == expected


def test_values_without_a_logarithm_are_refused_by_name() -> None:
    panel = panel_of([1.0, 2.0, 3.0], [5.0, -0.5, 0.0, 2.0])
    with pytest.raises(DataInvalid) as caught:
        check_transform(panel, "log", where="a.csv")
    assert str(caught.value) == (
        "error[data.transform]: a.csv, series s1: 2 of the target's values have no log; the lowest is -0.5\n"
        "  expected: every value above 0\n"
        "  hint: set data.transform: log1p, or none"
    )
    assert caught.value.code == 11
    check_transform(panel, "log1p", where="a.csv")
    check_transform(panel, "diff", where="a.csv")


def test_log1p_ends_at_minus_one_and_of_one_series_no_name_is_said() -> None:
    with pytest.raises(DataInvalid) as caught:
        check_transform(panel_of([3.0, -1.0]), "log1p", where="a.csv")
    assert caught.value.where == "a.csv"
    assert caught.value.details == ("expected: every value above -1",)
    assert caught.value.hint == "set data.transform: none"
    check_transform(panel_of([3.0, -0.999]), "log1p", where="a.csv")


def test_covariates_and_empty_cells_need_no_logarithm() -> None:
    check_transform(panel_of([[1.0, -5.0], [NAN, 0.0], [2.0, -1.0]]), "log", where="a.csv")
