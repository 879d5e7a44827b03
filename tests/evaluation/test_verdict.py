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

from lstm_forecast.evaluation.measures import Truth, measure
from lstm_forecast.evaluation.verdict import (
    SeedSpread,
    Verdict,
    best_baseline,
    by_origin,
    diebold_mariano,
    judge,
    no_verdict,
)
from tests.evaluation.panels import truth_of

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
    assert 0.02 <= rejected <= 0.08


def test_without_the_autocovariances_twelve_steps_would_reject_far_too_often() -> None:
    """What the correction is for; and that the simulation above can fail."""
    draw = np.random.default_rng(20)
    p_values = [diebold_mariano(walk_differences(draw, count=250, horizon=12), horizon=1) for _ in range(200)]
    assert np.mean([p is not None and p < 0.05 for p in p_values]) > 0.3


def panel_of(actual: Floats, origins: NDArray[np.int64], scale: Floats) -> Truth:
    """Windows [W, H] of series with these MASE scales [S], each with the same number of windows."""
    series = np.repeat(np.arange(len(scale)), len(actual) // len(scale))
    return Truth(actual, np.zeros(len(actual)), series, origins, scale, scale)


def compared(truth: Truth, forecast: Floats, rival: Floats) -> Verdict:
    """The verdict on a forecast beside the naive one."""
    return judge(truth, {"model": forecast, "naive": rival}, baseline="naive")


def test_twenty_series_that_move_together_are_called_predictable_at_the_tests_error_rate() -> None:
    """Random walks with one common move, twelve steps ahead; the rivals say last + 1 and last - 1."""
    draw = np.random.default_rng(21)
    origins, up = np.tile(np.arange(150), 20), np.ones((20 * 150, 12))
    called = 0
    for _ in range(150):
        moves = draw.normal(size=162) + 0.3 * draw.normal(size=(20, 162))
        walks = moves.cumsum(axis=1)
        ahead = np.arange(150)[:, None] + 1 + np.arange(12)
        gained = (walks[:, ahead] - walks[:, :150, None]).reshape(-1, 12)
        word = compared(panel_of(gained, origins, np.ones(20)), up, -up).word
        called += word != "ties"
    assert called / 150 <= 0.08


def test_series_of_one_origin_are_one_observation() -> None:
    loss = np.array([[1.0, 3.0], [10.0, NAN], [5.0, 7.0], [NAN, NAN], [4.0, 4.0]])
    origins = np.array([7, 3, 7, 9, 3])
    # origin 3: 10, 4, 4; origin 7: 1, 3, 5, 7; origin 9 has nothing
    assert by_origin(loss, origins).tolist() == [6.0, 4.0]


def test_a_panel_of_copies_is_no_more_certain_than_one_series() -> None:
    draw = np.random.default_rng(4)
    actual = draw.normal(size=(30, 2))
    forecast, rival = actual + draw.normal(size=(30, 2)), actual + 1.2 * draw.normal(size=(30, 2))
    one = compared(truth_of(actual), forecast, rival)
    tiled = [np.tile(values, (20, 1)) for values in (actual, forecast, rival)]
    origins = np.tile(np.arange(30), 20)
    twenty = compared(panel_of(tiled[0], origins, np.ones(20)), tiled[1], tiled[2])
    assert one.p_value is not None
    assert twenty.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert twenty.sentence == one.sentence


def test_each_series_counts_by_its_mase_scale() -> None:
    draw = np.random.default_rng(5)
    actual = draw.normal(size=(30, 1))
    small, large = actual + draw.normal(size=(30, 1)), actual + draw.normal(size=(30, 1))

    def both(factor: float) -> float | None:
        return compared(
            panel_of(
                np.concatenate([actual, actual * factor]),
                np.tile(np.arange(30), 2),
                np.array([1.0, factor]),
            ),
            np.concatenate([small, large * factor]),
            np.concatenate([actual + 1, (actual - 1) * factor]),
        ).p_value

    assert both(1000.0) == pytest.approx(both(1.0), rel=1e-9)


@pytest.mark.parametrize("scale", [0.0, NAN])
def test_a_series_without_a_scale_is_tested_in_its_own_unit(scale: float) -> None:
    actual, forecast, rival = np.random.default_rng(8).normal(size=(3, 30, 1))
    got = compared(truth_of(actual, scale=scale), forecast, rival)
    assert got.p_value == compared(truth_of(actual), forecast, rival).p_value
    assert got.reasons["model"]["mase"] == "the training values never change"


def verdict_of(ours: Floats, theirs: Floats, *, horizon: int = 1, baseline: str = "naive") -> Verdict:
    """The verdict on a model and a baseline that make these errors, actuals 0."""
    shape = (len(ours), horizon)
    return judge(
        truth_of(np.zeros(shape)),
        {
            "model": np.broadcast_to(ours[:, None], shape).copy(),
            baseline: np.broadcast_to(theirs[:, None], shape).copy(),
        },
        baseline=baseline,
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
        == f"No better than naive: MAE 10.0 % lower, which chance could explain (p = {p_value:.2g})."
    )
    assert f"{p_value:.2g}" == "0.39"


def test_a_p_value_is_shown_with_two_digits() -> None:
    theirs = np.full(20, 2.0)
    ours = theirs + np.tile([1.0, -1.0], 10) - 0.7
    p_value = 2 * stats.t.sf(0.7 * math.sqrt(19), 19)
    assert verdict_of(ours, theirs).sentence == f"Beats naive by 35.0 % (p = {p_value:.2g})."
    assert 0.001 < p_value < 0.05


@pytest.mark.parametrize(("gain", "p_value", "word"), [(0.47, 0.0546, "ties"), (0.49, 0.046, "beats")])
def test_one_in_twenty_is_the_limit(*, gain: float, p_value: float, word: str) -> None:
    theirs = np.full(20, 2.0)
    verdict = verdict_of(theirs + np.tile([1.0, -1.0], 10) - gain, theirs)
    assert 2 * stats.t.sf(gain * math.sqrt(19), 19) == pytest.approx(p_value, abs=5e-4)
    assert verdict.word == word


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
    actual, forecast, rival = draw.normal(size=(3, 40, 2))
    half = actual.copy()
    half[::2] = NAN
    got = compared(truth_of(half), forecast, rival)
    expected = compared(truth_of(actual[1::2]), forecast[1::2], rival[1::2])
    assert got == expected


def test_a_test_split_without_an_observed_value_is_said_to_be_one() -> None:
    nothing, ones = np.full((30, 2), NAN), np.ones((30, 2))
    verdict = judge(truth_of(nothing), {"model": ones, "naive": ones}, baseline="naive", members=[ones, ones])
    assert (verdict.word, verdict.skill, verdict.p_value, verdict.seeds) == ("ties", None, None, None)
    assert verdict.sentence == "No better than naive can be shown: no value of the test split was observed."
    assert verdict.reasons["model"]["mae"] == "no value was observed"


@pytest.mark.parametrize("missing", ["model", "naive"])
def test_a_missing_forecast_is_not_judged(missing: str) -> None:
    forecasts = {"model": np.ones((30, 2)), "naive": np.zeros((30, 2))}
    forecasts[missing][3, 1] = NAN
    truth = truth_of(np.zeros((30, 2)))
    with pytest.raises(ValueError, match="a forecast is missing"):
        judge(truth, forecasts, baseline="naive")
    truth.actual[3, 1] = NAN  # where nothing was observed none is missed
    assert judge(truth, forecasts, baseline="naive").word == "ties"


def test_without_a_test_split_there_is_no_verdict() -> None:
    verdict = no_verdict()
    assert (verdict.word, verdict.skill, verdict.p_value, verdict.seeds) == (None, None, None, None)
    assert (verdict.metrics, verdict.reasons, verdict.worse) == ({}, {}, False)
    assert verdict.sentence == "No verdict: there is no test split (split.test: 0)."


def test_a_panel_in_which_units_and_scaled_errors_point_apart_is_a_tie() -> None:
    """10 % better on a series a thousand times larger, 100 % worse on the small one."""
    rng = np.random.default_rng(5)
    origins = np.tile(np.arange(40), 2)
    size = np.repeat([1000.0, 1.0], 40)[:, None]
    error = np.abs(rng.normal(1.0, 0.05, (80, 1))) * size
    actual = np.zeros((80, 1))
    forecast = error * np.repeat([0.9, 2.0], 40)[:, None]
    verdict = compared(panel_of(actual, origins, np.array([1000.0, 1.0])), forecast, error)
    assert verdict.skill is not None
    assert verdict.skill > 0.09
    assert verdict.p_value is not None
    assert verdict.p_value < 0.05
    assert verdict.word == "ties"
    assert "but not on most series" in verdict.sentence


@pytest.mark.parametrize(
    ("baseline", "name"),
    [
        ("naive", "naive"),
        ("seasonal_naive", "seasonal naive"),
        ("drift", "drift"),
        ("mean", "the mean"),
        ("ets", "ETS"),
        ("theta", "Theta"),
    ],
)
def test_the_sentence_names_the_baseline_in_words(baseline: str, name: str) -> None:
    theirs = 1 + np.tile([0.0, 0.1, 0.2], 10)
    better, worse = (verdict_of(factor * theirs, theirs, baseline=baseline) for factor in (0.88, 1.12))
    assert better.sentence == f"Beats {name} by 12.0 % (p < 0.001)."
    assert worse.sentence == f"Worse than {name} by 12.0 % (p < 0.001): do not use."
    assert (better.baseline, better.worse, worse.worse) == (baseline, False, True)
    short = name.removeprefix("the ")
    exact = verdict_of(theirs, np.zeros(30), baseline=baseline).sentence
    assert exact == f"No better than {name}: the {short} forecast makes no error here."
    same = verdict_of(theirs, theirs, baseline=baseline).sentence
    does = "the last value" if baseline == "naive" else f"what {name} does"
    assert same == f"No better than {name}: the model forecasts exactly {does}."
    few = verdict_of(theirs[:5], 2 * theirs[:5], baseline=baseline).sentence
    assert few.startswith(f"No better than {name} can be shown: MAE 50.0 % lower, but 5 ")


def test_other_forecasts_with_the_same_errors_are_not_called_the_same() -> None:
    errors = np.linspace(1, 2, 30)
    assert verdict_of(errors, -errors).sentence == "No better than naive: both make the same errors."


def test_the_model_is_compared_with_the_named_baseline_and_all_are_measured() -> None:
    draw = np.random.default_rng(9)
    actual = draw.normal(size=(40, 2)) + 10
    truth = truth_of(actual, last=10.0)
    forecasts = {
        "model": actual + 0.5,
        "naive": np.full((40, 2), 10.0),
        "drift": actual + draw.choice([-1.0, 1.0], size=(40, 2)) * draw.uniform(0.9, 1.1, size=(40, 2)),
    }
    verdict = judge(truth, forecasts, baseline="drift")
    assert verdict.skill == pytest.approx(1 - 0.5 / np.abs(forecasts["drift"] - actual).mean())
    assert (verdict.baseline, verdict.word) == ("drift", "beats")
    assert list(verdict.metrics) == list(verdict.reasons) == ["model", "naive", "drift"]
    for name, forecast in forecasts.items():
        assert verdict.metrics[name]["bias"] == pytest.approx((forecast - actual).mean(), abs=1e-12)
    assert verdict.reasons["naive"]["hit_rate"] == "it forecasts no change"
    assert "owa" not in verdict.metrics["model"]


def test_a_forecast_that_does_better_still_is_named_beside_a_win() -> None:
    draw = np.random.default_rng(0)
    sizes = {"model": 1.0, "naive": 3.0, "drift": 2.0, "seasonal_naive": 0.5, "mean": 0.25}
    errors = {name: size * (1 + 0.1 * draw.random((40, 1))) for name, size in sizes.items()}
    truth = truth_of(np.zeros((40, 1)))
    losing = {"seasonal_naive", "mean"}
    alone = judge(truth, {n: e for n, e in errors.items() if n not in losing}, baseline="naive")
    assert (alone.word, "But" in alone.sentence) == ("beats", False)
    beside = judge(truth, errors, baseline="naive")
    assert beside.sentence == f"{alone.sentence} But the mean has a lower error still on these rows."
    lost = judge(truth, errors, baseline="mean")
    assert (lost.word, "But" in lost.sentence) == ("loses", False)


def test_owa_is_relative_to_the_reference_which_is_not_listed() -> None:
    actual, forecast, reference = np.random.default_rng(10).normal(size=(3, 40, 2))
    truth = truth_of(actual)
    verdict = judge(truth, {"model": forecast, "naive": reference}, baseline="naive", reference=reference)
    assert verdict.metrics["naive"]["owa"] == 1.0
    expected = measure(truth, forecast, reference=measure(truth, reference)).values["owa"]
    assert verdict.metrics["model"]["owa"] == expected != 1.0
    assert list(verdict.metrics) == ["model", "naive"]


def test_the_best_baseline_has_the_lowest_error_and_the_first_of_equals_wins() -> None:
    actual = np.array([[0.0, NAN], [0.0, 0.0]])
    by_size = {name: np.full((2, 2), size) for name, size in (("naive", 2.0), ("drift", -1.0), ("mean", 1.0))}
    assert best_baseline(actual, by_size) == "drift"
    assert best_baseline(actual, dict(reversed(by_size.items()))) == "mean"
    worse_where_unknown = {"naive": np.array([[1.0, 99.0], [1.0, 1.0]]), "drift": np.full((2, 2), 1.1)}
    assert best_baseline(actual, worse_where_unknown) == "naive"
    undefined = {"naive": np.full((2, 2), NAN), **by_size}
    assert best_baseline(actual, undefined | {"naive": np.full((2, 2), NAN)}) == "drift"
    assert best_baseline(np.full((2, 2), NAN), by_size) == "naive"


def judged_members(sizes: list[float], rival: float) -> Verdict:
    """The verdict on an ensemble whose members' absolute errors are these."""
    jitter = np.tile([0.9, 1.0, 1.1], 10)[:, None]
    forecasts = {"model": jitter * np.mean(sizes), "naive": rival * jitter[::-1]}
    members = [size * jitter for size in sizes]
    return judge(truth_of(np.zeros((30, 1))), forecasts, baseline="naive", members=members)


def test_the_spread_of_seeds_by_hand() -> None:
    """1, 2, 3: mean 2, squared deviations 1 + 0 + 1 over 2, so 1; the baseline 8 lies beyond 2 + 2 · 1."""
    verdict = judged_members([1.0, 2.0, 3.0], 8.0)
    assert verdict.seeds is not None
    expected = (3, 2.0, 1.0, 1 - 2 / 8, 1 / 8, True)
    assert tuple(vars(verdict.seeds).values()) == pytest.approx(expected)
    assert verdict.sentence == (
        "Beats naive by 75.0 % (p < 0.001). Three seeds: MAE 2 ± 1; the gain lies outside the seed spread."
    )


@pytest.mark.parametrize(
    ("rival", "outside"), [(4.1, True), (3.9, False), (0.1, False), (-0.1, False), (-4.1, True)]
)
def test_outside_means_two_standard_deviations_from_the_mean(*, rival: float, outside: bool) -> None:
    seeds = judged_members([1.0, 2.0, 3.0], rival).seeds
    assert seeds is not None
    assert seeds.outside == outside


def test_a_single_seed_has_no_spread() -> None:
    for sizes in ([], [1.0]):
        verdict = judge(
            truth_of(np.zeros((30, 1))),
            {"model": np.ones((30, 1)), "naive": np.ones((30, 1))},
            baseline="naive",
            members=[np.full((30, 1), size) for size in sizes],
        )
        assert verdict.seeds is None
        assert "seed" not in verdict.sentence


@pytest.mark.parametrize(
    ("sizes", "rival", "sentence"),
    [
        ([1.19, 1.27], 9.0, "Two seeds: MAE 1.23 ± 0.06; the gain lies outside the seed spread."),
        ([1.0, 1.6] * 5, 1.4, "Ten seeds: MAE 1.3 ± 0.3; the gain lies within the seed spread."),
        ([1.0] * 11, 0.5, "11 seeds: MAE 1.00 ± 0.00; the difference lies outside the seed spread."),
        ([12000.0, 12400.0], 1e5, "Two seeds: MAE 12,200 ± 283; the gain lies outside the seed spread."),
        ([2e-7, 4e-7], 1e-5, "Two seeds: MAE 3e-07 ± 1e-07; the gain lies outside the seed spread."),
        ([1e30, 2e30], 0.0, "Two seeds: MAE 1.5e+30 ± 7e+29; the difference lies outside the seed spread."),
        ([0.0123456] * 3, 0.02, "Three seeds: MAE 0.0123 ± 0.0000; the gain lies outside the seed spread."),
        ([0.0, 0.0], 1.0, "Two seeds: MAE 0 ± 0; the gain lies outside the seed spread."),
    ],
)
def test_the_sentence_of_seeds(sizes: list[float], rival: float, sentence: str) -> None:
    assert judged_members(sizes, rival).sentence.endswith(". " + sentence)


def test_a_baseline_without_error_leaves_the_seeds_without_skill() -> None:
    seeds = judged_members([1.0, 3.0], 0.0).seeds
    assert seeds == SeedSpread(2, pytest.approx(2.0), pytest.approx(math.sqrt(2)), None, None, outside=False)


def test_seeds_that_all_are_the_baseline_lie_within_a_spread_of_zero() -> None:
    """As after a training in which no epoch beat the untrained model."""
    actual = np.random.default_rng(11).normal(size=(41, 3))
    rival = np.full((41, 3), 0.1)
    verdict = judge(truth_of(actual), {"model": rival, "naive": rival}, baseline="naive", members=[rival] * 3)
    assert verdict.seeds is not None
    assert (verdict.seeds.mae_sd, verdict.seeds.skill_mean, verdict.seeds.outside) == (0.0, 0.0, False)
    assert verdict.sentence.endswith(" ± 0.000; the difference lies within the seed spread.")
