"""The table of metrics against the single formulas and a slow loop, and its reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from lstm_forecast.evaluation import metrics
from lstm_forecast.evaluation.measures import (
    Measures,
    Truth,
    interval_measures,
    measure,
    measure_by_series,
    measure_by_step,
)
from tests.evaluation.panels import random_windows, truth_of

Floats = NDArray[np.float64]
NAN = float("nan")
NAMES = ["mae", "rmse", "bias", "mape", "smape", "mase", "rmsse", "hit_rate", "hit_rate_p"]
SHARED = "series of one time are not independent of each other: it is tested by series"


def part(truth: Truth, keep: NDArray[np.bool_]) -> Truth:
    """Some of the windows."""
    return Truth(
        truth.actual[keep],
        truth.last[keep],
        truth.series[keep],
        truth.origins[keep],
        truth.mase_scale,
        truth.rmsse_scale,
    )


def single(truth: Truth, forecast: Floats) -> dict[str, float]:
    """The metrics by their own formulas."""
    pair = (truth.actual, forecast)
    return {
        **{name: getattr(metrics, name)(*pair) for name in NAMES[:5]},
        "mase": metrics.mase(*pair, series=truth.series, scale=truth.mase_scale),
        "rmsse": metrics.rmsse(*pair, series=truth.series, scale=truth.rmsse_scale),
        "hit_rate": metrics.hit_rate(*pair, truth.last),
    }


def plain_test(truth: Truth, forecast: Floats) -> float:
    """The exact binomial test of the one-step directions, window by window; NaN where there is none."""
    hits, count, said = 0, 0, 0
    for actual, guess, last in zip(truth.actual[:, 0], forecast[:, 0], truth.last, strict=True):
        if math.isnan(actual) or actual == last:
            continue
        count += 1
        said += guess != last
        hits += (actual > last and guess > last) or (actual < last and guess < last)
    return float(stats.binomtest(hits, count).pvalue) if said else NAN


def check(found: Measures, expected: Mapping[str, float]) -> None:
    assert list(found.values) == NAMES
    for name, value in expected.items():
        assert found.values[name] == pytest.approx(value, rel=1e-12, abs=1e-15, nan_ok=True), name
    assert set(found.reasons) == {name for name, value in found.values.items() if math.isnan(value)}


@pytest.mark.parametrize("seed", range(8))
def test_all_metrics_at_once_are_those_of_the_formulas(seed: int) -> None:
    truth, forecast = random_windows(seed)
    check(measure(truth, forecast), single(truth, forecast))


@pytest.mark.parametrize("seed", range(8))
def test_a_step_has_the_metrics_of_that_step_alone(seed: int) -> None:
    truth, forecast = random_windows(seed)
    found = measure_by_step(truth, forecast)
    assert len(found) == 3
    for step, measures in enumerate(found):
        alone = replace(truth, actual=truth.actual[:, step : step + 1])
        check(measures, single(alone, forecast[:, step : step + 1]))


@pytest.mark.parametrize("seed", range(8))
def test_a_series_has_the_metrics_of_its_windows_alone(seed: int) -> None:
    truth, forecast = random_windows(seed, series=6)
    kept = truth.series != 4
    found = measure_by_series(part(truth, kept), forecast[kept])
    assert list(found) == [0, 1, 2, 3, 5]
    for series, measures in found.items():
        own = truth.series == series
        alone = part(truth, own)
        check(measures, {**single(alone, forecast[own]), "hit_rate_p": plain_test(alone, forecast[own])})


def test_a_series_without_a_window_is_no_part_of_the_means_over_series() -> None:
    truth, forecast = random_windows(6, series=6)
    kept = truth.series != 4
    truth, forecast = part(truth, kept), forecast[kept]
    truth.actual[truth.series == 5] = NAN  # nor is one without an observed value
    found = measure(truth, forecast)
    assert math.isfinite(found.values["mase"])
    check(found, single(truth, forecast))
    check(
        measure_by_step(truth, forecast)[0],
        single(replace(truth, actual=truth.actual[:, :1]), forecast[:, :1]),
    )


def test_the_order_of_the_windows_does_not_matter() -> None:
    truth, forecast = random_windows(3)
    order = np.random.default_rng(0).permutation(len(forecast))
    check(
        measure(part(truth, order), forecast[order]),
        measure(truth, forecast).values,
    )


def test_the_direction_is_tested_one_step_ahead_only() -> None:
    draw = np.random.default_rng(1)
    actual, forecast = draw.normal(size=(2, 40, 4))
    truth = truth_of(actual)
    expected = stats.binomtest(int(np.sum(np.sign(actual[:, 0]) == np.sign(forecast[:, 0]))), 40).pvalue
    assert measure(truth, forecast).values["hit_rate_p"] == pytest.approx(expected, rel=1e-9)
    first, *later = measure_by_step(truth, forecast)
    assert first.values["hit_rate_p"] == pytest.approx(expected, rel=1e-9)
    reason = "only forecasts one step ahead are tested: those of later steps overlap"
    assert {step.reasons["hit_rate_p"] for step in later} == {reason}
    assert all(0 < step.values["hit_rate"] < 1 for step in later)


def test_series_of_one_time_are_no_independent_tosses() -> None:
    actual = np.random.default_rng(2).normal(size=(30, 2))
    twice = np.concatenate([actual, actual])
    forecast = np.random.default_rng(3).normal(size=twice.shape)
    numbers, times = np.repeat([0, 1], 30), np.tile(np.arange(30), 2)
    truth = Truth(twice, np.zeros(60), numbers, times, np.ones(2), np.ones(2))
    assert measure(truth, forecast).reasons == {"hit_rate_p": SHARED}
    assert measure_by_step(truth, forecast)[0].reasons == {"hit_rate_p": SHARED}
    assert [found.reasons for found in measure_by_series(truth, forecast).values()] == [{}, {}]
    # one series may begin when the other ends
    after = replace(truth, origins=np.concatenate([np.arange(30), np.arange(29, 59)]))
    assert [found.reasons for found in measure_by_series(after, forecast).values()] == [{}, {}]
    assert measure(after, forecast).reasons == {"hit_rate_p": SHARED}
    apart = replace(truth, origins=np.arange(60))
    assert measure(apart, forecast).values["hit_rate_p"] == pytest.approx(plain_test(apart, forecast))


def test_every_undefined_metric_has_its_reason() -> None:
    nothing = measure(truth_of(np.full((3, 2), NAN)), np.ones((3, 2)))
    assert all(math.isnan(value) for value in nothing.values.values())
    assert nothing.reasons == dict.fromkeys(NAMES, "no value was observed")
    none = measure(truth_of(np.empty((0, 2))), np.empty((0, 2)))
    assert none.reasons == nothing.reasons

    zeros = measure(truth_of(np.array([[0.0], [1.0]]), last=0.5), np.array([[1.0], [1.0]]))
    assert zeros.reasons == {"mape": "an actual value is 0"}

    still = measure(truth_of(np.array([[1.0], [2.0]]), scale=0.0), np.array([[1.0], [1.0]]))
    assert still.reasons == dict.fromkeys(["mase", "rmsse"], "the training values never change")

    constant = measure(truth_of(np.full((3, 2), 5.0), last=5.0), np.full((3, 2), 6.0))
    assert constant.reasons == dict.fromkeys(["hit_rate", "hit_rate_p"], "no value changed")

    naive = measure(truth_of(np.array([[1.0, 2.0]]), last=3.0), np.full((1, 2), 3.0))
    assert naive.reasons == dict.fromkeys(["hit_rate", "hit_rate_p"], "it forecasts no change")
    later = measure(truth_of(np.array([[1.0, 2.0]]), last=3.0), np.array([[3.0, 2.5]]))
    assert later.reasons == {"hit_rate_p": "it forecasts no change"}
    assert later.values["hit_rate"] == 0.5
    # what is said where nothing moved, or where nothing was observed, is no claim
    idle = measure(truth_of(np.array([[1.0, 3.0, NAN]]), last=3.0), np.array([[3.0, 2.0, 2.0]]))
    assert idle.reasons["hit_rate"] == "it forecasts no change"
    unmoved = measure(truth_of(np.array([[3.0, 2.0]]), last=3.0), np.array([[2.0, 2.5]]))
    assert unmoved.reasons == {"hit_rate_p": "no value changed"}


def test_a_missing_or_boundless_forecast_is_said_and_no_better() -> None:
    actual = np.array([[1.0, 2.0], [3.0, NAN]])
    missing = measure(truth_of(actual), np.array([[NAN, 2.0], [3.0, 1.0]]))
    assert missing.reasons == dict.fromkeys(NAMES, "a forecast is missing")
    elsewhere = measure(truth_of(actual), np.array([[1.0, 2.0], [3.0, NAN]]))
    assert elsewhere.values["mae"] == 0
    assert elsewhere.reasons == {}
    boundless = measure(truth_of(actual), np.array([[math.inf, 2.0], [-math.inf, 1.0]]))
    sizes = [name for name in NAMES if not name.startswith("hit")]
    assert boundless.reasons == dict.fromkeys(sizes, "it is larger than a number can be")


@pytest.mark.parametrize("factor", [1e-290, 1e-200, 1e200, 1e290])
def test_huge_and_tiny_values_give_the_same_metrics_in_their_unit(factor: float) -> None:
    """Without a warning: warnings are errors here."""
    truth, forecast = random_windows(5)
    scaled = Truth(
        truth.actual * factor,
        truth.last * factor,
        truth.series,
        truth.origins,
        truth.mase_scale * factor,
        truth.rmsse_scale * factor,
    )
    expected, found = measure(truth, forecast), measure(scaled, forecast * factor)
    assert found.reasons == expected.reasons
    for name, value in expected.values.items():
        unit = factor if name in ("mae", "rmse", "bias") else 1.0
        assert found.values[name] == pytest.approx(value * unit, rel=1e-9, abs=0, nan_ok=True)


def test_series_of_very_different_size_keep_their_own_metrics() -> None:
    size = np.array([1e-200, 1.0, 1e200])
    errors = np.array([[1.0, -2.0], [3.0, 1.0], [2.0, 2.0]])
    truth = Truth(10 * size[:, None].repeat(2, axis=1), 9 * size, np.arange(3), np.zeros(3), size, 2 * size)
    forecast = truth.actual + errors * size[:, None]
    found = measure_by_series(truth, forecast)
    assert [found[s].values["rmse"] / size[s] for s in range(3)] == pytest.approx(
        [math.sqrt(2.5), math.sqrt(5), 2]
    )
    whole = measure(truth, forecast).values
    assert whole["mase"] == pytest.approx((1.5 + 2 + 2) / 3)
    assert whole["rmsse"] == pytest.approx((math.sqrt(2.5) + math.sqrt(5) + 2) / 6)
    assert whole["rmse"] == pytest.approx(1e200 * math.sqrt(8 / 6))
    assert whole["mape"] == pytest.approx((10 + 20 + 30 + 10 + 20 + 20) / 6)


def test_owa_stands_beside_a_reference_only() -> None:
    truth, forecast = random_windows(4)
    reference = measure(truth, forecast + 3)
    own = measure(truth, forecast)
    assert "owa" not in own.values
    found = measure(truth, forecast, reference=reference)
    ratios = [own.values[name] / reference.values[name] for name in ("smape", "mase")]
    assert found.values["owa"] == pytest.approx(sum(ratios) / 2)
    assert list(found.values) == [*NAMES, "owa"]
    assert measure(truth, forecast, reference=own).values["owa"] == 1.0


def test_an_undefined_owa_has_its_reason() -> None:
    truth = truth_of(np.array([[1.0], [2.0]]), scale=0.0)
    exact = measure(truth, truth.actual)
    assert measure(truth, truth.actual, reference=exact).reasons["owa"] == "the training values never change"
    truth = truth_of(np.array([[1.0], [2.0]]))
    exact = measure(truth, truth.actual)
    assert measure(truth, truth.actual + 1, reference=exact).reasons == {
        "owa": "the reference makes no error, or its error is undefined"
    }


def test_interval_measures_of_a_small_table_by_hand() -> None:
    """A level of 80 percent leaves 0.2 outside: 10 for each unit beyond a bound."""
    actual = np.array([[1.0, 5.0], [NAN, 2.0]])
    lower, upper = np.array([[0.0, 0.0], [0.0, NAN]]), np.array([[2.0, 3.0], [9.0, NAN]])
    found = interval_measures(actual, lower, upper, 80)
    assert found == pytest.approx({"coverage": 0.5, "width": 2.5, "interval_score": (2 + 3 + 20) / 2})
    nothing = interval_measures(actual, np.full((2, 2), NAN), np.full((2, 2), NAN), 80)
    assert list(nothing) == ["coverage", "width", "interval_score"]
    assert all(math.isnan(value) for value in nothing.values())
