"""The verdict: the test against a plain computation, its error rate, its sentences."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from lstm_forecast.evaluation.verdict import Verdict, by_origin, diebold_mariano, judge, no_verdict

Floats = NDArray[np.float64]
NAN = float("nan")


def plain_p_value(differences: list[float], horizon: int) -> float | None:
    """Harvey, Leybourne & Newbold 1997 in exact fractions up to the square root."""
    n, h = len(differences), horizon
    values = [Fraction(value) for value in differences]
    mean = sum(values, Fraction(0)) / n
    variance = Fraction(0)
    for lag in range(-(h - 1), h):
        pairs = [(i, i - abs(lag)) for i in range(abs(lag), n)]
        variance += sum(((values[i] - mean) * (values[j] - mean) for i, j in pairs), Fraction(0)) / n
    variance /= n
    if variance <= 0:
        return None
    correction = (n + 1 - 2 * h + Fraction(h * (h - 1), n)) / n
    statistic = math.sqrt(mean**2 / variance * correction)
    return float(2 * stats.t.sf(statistic, n - 1))


@settings(max_examples=60, deadline=None)
@given(
    differences=st.lists(st.integers(-1000, 1000).map(lambda k: k / 16), min_size=20, max_size=60),
    horizon=st.integers(1, 10),
)
def test_the_p_value_is_that_of_a_plain_computation(differences: list[float], horizon: int) -> None:
    expected = plain_p_value(differences, horizon) if any(differences) else None
    got = diebold_mariano(np.array(differences), horizon=horizon)
    if expected is None or got is None:
        # a variance of exactly zero may round to either side
        assert got is None or got < 1e-6
    else:
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(differences=st.lists(st.floats(-5, 5, width=16), min_size=20, max_size=50))
def test_at_one_step_ahead_it_is_the_t_test_of_one_sample(differences: list[float]) -> None:
    if np.ptp(differences) < 1e-3:
        return
    expected = stats.ttest_1samp(differences, 0.0).pvalue
    assert diebold_mariano(np.array(differences), horizon=1) == pytest.approx(expected, rel=1e-6)


def test_a_small_example_by_hand() -> None:
    """Twenty differences 3, 1, 3, 1, …: mean 2, variance 1, autocovariance at lag 1 is -19/20.

    h = 1: variance of the mean 1/20, correction 19/20, statistic 2 · sqrt(20 · 19/20) = 2 · sqrt(19).
    h = 2: (1 - 2 · 19/20)/20 is negative: no p-value.
    """
    differences = np.array([3.0, 1.0] * 10)
    expected = 2 * stats.t.sf(2 * math.sqrt(19), 19)
    assert diebold_mariano(differences, horizon=1) == pytest.approx(expected, rel=1e-9)
    assert diebold_mariano(differences, horizon=2) is None
    # 3, 3, 1, 1, …: lag 1 has 10 equal and 9 unequal neighbours, so 1/20; variance (1 + 1/10)/20 = 0.055
    # correction (20 + 1 - 4 + 2/20)/20 = 0.855
    paired = np.array([3.0, 3.0, 1.0, 1.0] * 5)
    expected = 2 * stats.t.sf(2 / math.sqrt(0.055) * math.sqrt(0.855), 19)
    assert diebold_mariano(paired, horizon=2) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("count", "horizon", "enough"),
    [(19, 1, False), (20, 1, True), (20, 10, True), (23, 12, False), (24, 12, True), (0, 1, False)],
)
def test_the_fewest_origins_are_twenty_or_two_horizons(*, count: int, horizon: int, enough: bool) -> None:
    differences = np.random.default_rng(1).normal(size=count) + 5.0
    # over one horizon the rectangular sum may be negative, which gives no p-value either
    positive = enough and plain_p_value(differences.tolist(), horizon) is not None
    assert (diebold_mariano(differences, horizon=horizon) is not None) == positive


def test_equal_differences_have_no_variance_and_no_p_value() -> None:
    assert diebold_mariano(np.zeros(50), horizon=1) is None
    assert diebold_mariano(np.full(50, 0.1), horizon=1) is None


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_the_unit_of_the_differences_does_not_matter(factor: float) -> None:
    differences = np.random.default_rng(2).normal(size=40) + 0.3
    expected = diebold_mariano(differences, horizon=3)
    assert diebold_mariano(differences * factor, horizon=3) == pytest.approx(expected, rel=1e-9)


def walk_differences(draw: np.random.Generator, *, count: int, horizon: int) -> Floats:
    """Loss differences of two equally bad forecasts of a driftless random walk, one per origin.

    One rival says last + 1 throughout and the other last - 1: neither is better, by symmetry.
    """
    walk = draw.normal(size=count + horizon).cumsum()
    gained = walk[np.arange(count)[:, None] + 1 + np.arange(horizon)] - walk[:count, None]
    losses: Floats = (np.abs(1.0 - gained) - np.abs(-1.0 - gained)).mean(axis=1)
    return losses


@pytest.mark.parametrize("horizon", [1, 12])
def test_a_driftless_random_walk_is_called_predictable_at_the_tests_error_rate(horizon: int) -> None:
    draw = np.random.default_rng(20)
    p_values = [
        diebold_mariano(walk_differences(draw, count=250, horizon=horizon), horizon=horizon)
        for _ in range(400)
    ]
    rejected = np.mean([p is not None and p < 0.05 for p in p_values])
    assert 0.02 <= rejected <= 0.09


def test_without_the_autocovariances_twelve_steps_would_reject_far_too_often() -> None:
    """What the correction is for; and that the simulation above can fail."""
    draw = np.random.default_rng(20)
    p_values = [diebold_mariano(walk_differences(draw, count=250, horizon=12), horizon=1) for _ in range(200)]
    assert np.mean([p is not None and p < 0.05 for p in p_values]) > 0.3


def test_series_of_one_origin_are_one_observation() -> None:
    loss = np.array([[1.0, 3.0], [10.0, NAN], [5.0, 7.0], [NAN, NAN], [4.0, 4.0]])
    origins = np.array([7, 3, 7, 9, 3])
    # origin 3: 10, 4, 4; origin 7: 1, 3, 5, 7; origin 9 has nothing
    assert by_origin(loss, origins).tolist() == [6.0, 4.0]


def test_a_panel_of_copies_is_no_more_certain_than_one_series() -> None:
    draw = np.random.default_rng(4)
    actual = draw.normal(size=(30, 2))
    forecast, baseline = actual + draw.normal(size=(30, 2)), actual + 1.2 * draw.normal(size=(30, 2))
    origins = np.arange(30)
    one = judge(actual, forecast, baseline, origins=origins, scale=np.ones(30))
    twenty = judge(
        np.tile(actual, (20, 1)),
        np.tile(forecast, (20, 1)),
        np.tile(baseline, (20, 1)),
        origins=np.tile(origins, 20),
        scale=np.ones(600),
    )
    assert one.p_value is not None
    assert twenty.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert twenty.sentence == one.sentence


def test_each_series_counts_by_its_mase_scale() -> None:
    draw = np.random.default_rng(5)
    actual = draw.normal(size=(30, 1))
    small, large = actual + draw.normal(size=(30, 1)), actual + draw.normal(size=(30, 1))

    def both(factor: float) -> float | None:
        return judge(
            np.concatenate([actual, actual * factor]),
            np.concatenate([small, large * factor]),
            np.concatenate([actual + 1, (actual - 1) * factor]),
            origins=np.tile(np.arange(30), 2),
            scale=np.repeat([1.0, factor], 30),
        ).p_value

    assert both(1000.0) == pytest.approx(both(1.0), rel=1e-9)


def verdict_of(ours: Floats, theirs: Floats, *, horizon: int = 1) -> Verdict:
    """The verdict on a model and a baseline that make these errors, actuals 0."""
    count = len(ours)
    shape = (count, horizon)
    return judge(
        np.zeros(shape),
        np.broadcast_to(ours[:, None], shape).copy(),
        np.broadcast_to(theirs[:, None], shape).copy(),
        origins=np.arange(count),
        scale=np.ones(count),
    )


def test_fewer_errors_beat_naive() -> None:
    theirs = 1 + np.tile([0.0, 0.1, 0.2], 10)
    ours = 0.5 * theirs
    verdict = verdict_of(ours, theirs)
    assert (verdict.word, verdict.baseline) == ("beats", "naive")
    assert verdict.skill == pytest.approx(0.5)
    assert verdict.p_value == pytest.approx(stats.ttest_1samp(ours - theirs, 0.0).pvalue, abs=1e-15)
    assert verdict.sentence == "Beats naive by 50.0 % (p < 0.001)."
    assert verdict.metrics["model"]["mae"] == pytest.approx(0.55)
    assert verdict.metrics["naive"]["mae"] == pytest.approx(1.1)
    assert verdict.metrics["model"]["rmse"] == pytest.approx(math.sqrt(np.mean(ours**2)))


def test_more_errors_lose_to_naive() -> None:
    theirs = 1 + np.tile([0.0, 0.1, 0.2], 10)
    verdict = verdict_of(1.25 * theirs, theirs)
    assert verdict.word == "loses"
    assert verdict.sentence == "Worse than naive by 25.0 % (p < 0.001): do not use."


def test_a_difference_that_chance_explains_is_a_tie() -> None:
    theirs = np.full(20, 2.0)
    ours = theirs + np.tile([1.0, -1.0], 10) - 0.2  # mean difference -0.2, deviation 1
    verdict = verdict_of(ours, theirs)
    p_value = 2 * stats.t.sf(0.2 * math.sqrt(19), 19)
    assert verdict.word == "ties"
    assert verdict.p_value == pytest.approx(p_value)
    assert (
        verdict.sentence
        == f"No better than naive: MAE 10.0 % lower, which chance explains (p = {p_value:.2g})."
    )
    assert f"{p_value:.2g}" == "0.39"


def test_a_p_value_is_shown_with_two_digits() -> None:
    theirs = np.full(20, 2.0)
    ours = theirs + np.tile([1.0, -1.0], 10) - 0.7
    p_value = 2 * stats.t.sf(0.7 * math.sqrt(19), 19)
    assert verdict_of(ours, theirs).sentence == f"Beats naive by 35.0 % (p = {p_value:.2g})."
    assert 0.001 < p_value < 0.05


def test_too_few_origins_prove_nothing_however_good_the_model() -> None:
    verdict = verdict_of(np.linspace(0.1, 0.2, 19), np.full(19, 1.0))
    assert (verdict.word, verdict.p_value) == ("ties", None)
    assert verdict.sentence == (
        "No better than naive can be shown: MAE 85.0 % lower, but 19 forecast origins are too few for a test"
        " (it needs 20)."
    )
    verdict = verdict_of(np.linspace(1.9, 2.1, 23), np.full(23, 1.0), horizon=12)
    assert verdict.sentence == (
        "No better than naive can be shown: MAE 100.0 % higher, but 23 forecast origins"
        " are too few for a test (it needs 24)."
    )


def test_a_variance_that_is_not_positive_is_said() -> None:
    verdict = verdict_of(np.full(30, 0.5), np.full(30, 1.0))
    assert (verdict.word, verdict.p_value, verdict.skill) == ("ties", None, 0.5)
    assert verdict.sentence == (
        "No better than naive can be shown: MAE 50.0 % lower, and the differences allow no test."
    )


def test_the_same_forecast_as_naive_is_a_tie_without_a_p_value() -> None:
    verdict = verdict_of(np.full(30, 1.0), np.full(30, 1.0))
    assert (verdict.word, verdict.p_value, verdict.skill) == ("ties", None, 0.0)
    assert verdict.sentence == "No better than naive: the model forecasts exactly the last value."


def test_a_baseline_without_error_cannot_be_beaten() -> None:
    verdict = verdict_of(np.linspace(0, 1, 30), np.zeros(30))
    assert (verdict.word, verdict.skill) == ("ties", None)
    assert verdict.sentence == "No better than naive: the naive forecast makes no error here."


def test_values_that_were_not_observed_do_not_count() -> None:
    draw = np.random.default_rng(6)
    actual, forecast, baseline = draw.normal(size=(3, 40, 2))
    half = actual.copy()
    half[::2] = NAN
    got = judge(half, forecast, baseline, origins=np.arange(40), scale=np.ones(40))
    expected = judge(actual[1::2], forecast[1::2], baseline[1::2], origins=np.arange(20), scale=np.ones(20))
    assert got == expected


def test_a_test_split_without_an_observed_value_is_said_to_be_one() -> None:
    nothing = np.full((30, 2), NAN)
    verdict = judge(nothing, np.ones((30, 2)), np.ones((30, 2)), origins=np.arange(30), scale=np.ones(30))
    assert (verdict.word, verdict.skill, verdict.p_value) == ("ties", None, None)
    assert verdict.sentence == "No better than naive can be shown: no value of the test split was observed."


def test_without_a_test_split_there_is_no_verdict() -> None:
    verdict = no_verdict()
    assert (verdict.word, verdict.skill, verdict.p_value, verdict.metrics) == (None, None, None, {})
    assert verdict.sentence == "No verdict: there is no test split (split.test: 0)."


def test_a_panel_in_which_units_and_scaled_errors_point_apart_is_a_tie() -> None:
    """10 % better on a series a thousand times larger, 100 % worse on the small one."""
    rng = np.random.default_rng(5)
    origins = np.tile(np.arange(40), 2)
    size = np.repeat([1000.0, 1.0], 40)[:, None]
    error = np.abs(rng.normal(1.0, 0.05, (80, 1))) * size
    actual = np.zeros((80, 1))
    forecast = error * np.repeat([0.9, 2.0], 40)[:, None]
    verdict = judge(actual, forecast, error, origins=origins, scale=size[:, 0])
    assert verdict.skill is not None
    assert verdict.skill > 0.09
    assert verdict.p_value is not None
    assert verdict.p_value < 0.05
    assert verdict.word == "ties"
    assert "but not on most series" in verdict.sentence
