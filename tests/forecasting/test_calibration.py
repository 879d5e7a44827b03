"""Ranks, scores and margins by hand, exact arithmetic and simulation; calibrations from untrusted files."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.forecasting.calibration import (
    Calibration,
    Coverage,
    calibrate_conformal,
    calibrate_quantile,
    highest_level,
    pair_levels,
    quantile_scores,
    rank,
    residual_scores,
    smallest_covering,
    windows_needed,
)
from tests.data.panels import NAN

Floats = NDArray[np.float64]


def conformal(errors: Any, *, series: Any = None, series_count: int = 1, unit: Any = None) -> Calibration:
    """A calibration of these errors [W] or [W, K] around 0."""
    actual = np.asarray(errors, dtype=np.float64)
    actual = actual[:, None] if actual.ndim == 1 else actual
    owners = np.zeros(len(actual), dtype=np.int64) if series is None else np.asarray(series, dtype=np.int64)
    units = np.ones(len(actual)) if unit is None else np.asarray(unit, dtype=np.float64)
    floor = np.ones(series_count)
    return calibrate_conformal(
        actual, np.zeros_like(actual), units, series=owners, scale="volatility", floor=floor
    )


def margins_of(calibration: Calibration, level: float, *series: int) -> list[list[float]]:
    owners = np.array(series or (0,), dtype=np.int64)
    found = calibration.margins(level, series=owners, unit=np.ones(len(owners)))
    return [[float(value) for value in row] for row in found]


# Ranks


@pytest.mark.parametrize(
    ("count", "level", "expected"),
    [
        (19, 95, 19),  # 20 · 0.95 = 19 exactly
        (18, 95, 19),  # 18.05: one more than there are
        (9, 90, 9),
        (99, 80, 80),
        (100, 80, 81),  # 80.8
        (199, 99.5, 199),
        (999, 99.9, 999),
        (39, 97.5, 39),
        (24, 28, 7),  # 25 · 0.28 is above 7 in floating point
        (99, 55, 55),
        (1, 50, 1),
        (0, 50, 1),
        (6, 0.1, 1),
    ],
)
def test_ranks_by_hand(count: int, level: float, expected: int) -> None:
    assert rank(np.array([count]), level).tolist() == [expected]


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(0, 10_000_000),
    level=st.decimals("0.001", "99.999", places=3),
)
def test_the_rank_is_the_ceiling_of_the_exact_product(count: int, level: Decimal) -> None:
    exact = (Decimal(count + 1) * level / 100).to_integral_value(rounding=ROUND_CEILING)
    assert rank(np.array([count]), float(level)).tolist() == [int(exact)]


@settings(max_examples=200, deadline=None)
@given(level=st.decimals("0.01", "99.99", places=2))
def test_windows_needed_is_the_fewest_that_allow_the_level(level: Decimal) -> None:
    few = windows_needed(float(level))
    assert rank(np.array([few]), float(level))[0] <= few
    assert few == 1 or rank(np.array([few - 1]), float(level))[0] > few - 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, None),
        (1, 50.0),
        (2, 66.0),
        (19, 95.0),
        (18, 94.0),
        (98, 98.0),
        (99, 99.0),
        (199, 99.5),
        (10**6, 99.9),
    ],
)
def test_the_highest_level_by_hand(count: int, expected: float | None) -> None:
    assert highest_level(count) == expected


@given(count=st.integers(1, 5000))
def test_the_highest_level_is_possible_and_the_next_is_not(count: int) -> None:
    level = highest_level(count)
    assert level is not None
    errors = np.ones(count)
    assert conformal(errors).possible(level).tolist() == [True]
    above = level + (0.1 if level >= 99 else 1)
    if above < 99.95:
        assert conformal(errors).possible(round(above, 1)).tolist() == [False]


@pytest.mark.parametrize("level", [0, 100, -5, 101, NAN])
def test_a_level_outside_of_the_percents_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        rank(np.array([10]), level)


def test_a_level_a_hair_below_100_needs_more_windows_than_there_are() -> None:
    assert np.isnan(smallest_covering(np.arange(1000.0)[:, None], 99.9999999)).all()
    assert windows_needed(99.9999999) > 10**7


# Scores


def test_residual_scores_are_distances_in_units() -> None:
    actual = np.array([[10.0, NAN], [4.0, 5.0]])
    forecast = np.array([[12.0, 1.0], [3.0, 5.0]])
    scores = residual_scores(actual, forecast, np.array([4.0, 0.5]))
    np.testing.assert_array_equal(scores[:, :, 0], [[0.5, NAN], [2.0, 0.0]])


def test_quantile_scores_are_how_far_outside_each_pair() -> None:
    # pairs (0, 10) and (3, 8); the values 11, 5 and 1, in units of 2
    quantiles = np.tile([0.0, 3.0, 6.0, 8.0, 10.0], (3, 1, 1))
    scores = quantile_scores(np.array([[11.0], [5.0], [1.0]]), quantiles, np.full(3, 2.0))
    assert scores[:, 0].tolist() == [[0.5, 1.5], [-2.5, -1.0], [-0.5, 1.0]]


def test_pairs_of_quantiles_make_levels() -> None:
    assert pair_levels((0.025, 0.1, 0.5, 0.9, 0.975)) == (95.0, 80.0)
    assert pair_levels((0.5,)) == ()
    assert pair_levels((0.005, 0.3, 0.7, 0.995)) == (99.0, 40.0)


def test_an_error_beyond_every_unit_stays_a_number() -> None:
    scores = residual_scores(np.array([[1e300]]), np.array([[-1e300]]), np.array([1e-300]))
    assert np.isfinite(scores).all()


# Margins


def test_margins_are_the_ranked_scores_times_the_unit() -> None:
    calibration = conformal([5, -1, 3, -2, 4, 9, -8, 7, 6])  # 1 … 9 in size
    assert margins_of(calibration, 80) == [[pytest.approx(8.0)]]  # ⌈10 · 0.8⌉
    assert margins_of(calibration, 50) == [[pytest.approx(5.0)]]
    assert margins_of(calibration, 90) == [[pytest.approx(9.0)]]
    assert np.isnan(margins_of(calibration, 95)).all()
    units = np.array([2.0, 10.0])
    found = calibration.margins(80, series=np.zeros(2, dtype=np.int64), unit=units)
    np.testing.assert_allclose(found, [[16.0], [80.0]], rtol=1e-14)


def test_scores_are_counted_in_units_of_their_own_time() -> None:
    calibration = conformal([10.0, 2.0, 30.0, 4.0], unit=[10.0, 1.0, 10.0, 1.0])  # scores 1, 2, 3, 4
    assert margins_of(calibration, 60) == [[pytest.approx(3.0)]]


def test_each_step_counts_its_own_known_scores() -> None:
    calibration = conformal([[1, 10, NAN], [2, NAN, NAN], [3, 30, NAN], [4, 20, NAN]])
    assert calibration.windows().tolist() == [4, 3, 0]
    assert calibration.possible(75).tolist() == [True, True, False]
    assert calibration.possible(80).tolist() == [True, False, False]
    (found,) = margins_of(calibration, 75)
    assert found[:2] == [pytest.approx(4.0), pytest.approx(30.0)]
    assert np.isnan(found[2])


def test_without_windows_there_are_no_margins() -> None:
    calibration = conformal(np.empty((0, 2)))
    assert np.isnan(margins_of(calibration, 50)).all()
    assert calibration.possible(50).tolist() == [False, False]


def test_a_series_with_100_windows_uses_its_own_and_others_share() -> None:
    errors = np.concatenate([np.full(100, 1.0), np.full(99, 2.0), np.full(30, 3.0)])
    owners = np.repeat([0, 1, 2], [100, 99, 30])
    calibration = conformal(errors, series=owners, series_count=4)
    shared = 3.0  # the ⌈230 · 0.9⌉ = 207th of all 229
    found = margins_of(calibration, 90, 0, 1, 2, 3, 0)
    assert [row[0] for row in found] == [pytest.approx(value) for value in (1, shared, shared, shared, 1)]


def test_a_series_whose_own_windows_do_not_allow_the_level_shares() -> None:
    errors = np.concatenate([np.full(100, 1.0), np.full(150, 2.0)])
    calibration = conformal(errors, series=np.repeat([0, 1], [100, 150]), series_count=2)
    assert margins_of(calibration, 99.5, 0) == [[pytest.approx(2.0)]]  # needs 199, all are 250


def test_own_windows_count_by_step_and_only_where_known() -> None:
    errors = np.ones((220, 2))
    errors[110:] = 5.0  # the second series
    errors[:11, 1] = NAN  # leaves the first series 99 windows at step 2
    calibration = conformal(errors, series=np.repeat([0, 1], 110), series_count=2)
    assert margins_of(calibration, 80, 0) == [[pytest.approx(1.0), pytest.approx(5.0)]]


def test_a_constant_series_gets_intervals_without_width() -> None:
    assert margins_of(conformal(np.zeros(30)), 95) == [[0.0]]


def test_a_margin_covers_the_very_score_it_comes_from() -> None:
    """Values that move in ticks lie right on the bound: dividing and multiplying must not lose them."""
    forecast, actual = np.full((9, 1), 7.0), np.full((9, 1), 8.0)
    for unit in np.random.default_rng(0).uniform(0.1, 5, size=(200, 1)).repeat(9, axis=1):
        owners = np.zeros(9, dtype=np.int64)
        calibration = calibrate_conformal(actual, forecast, unit, series=owners, scale="none", floor=unit[:1])
        margin = calibration.margins(90, series=owners, unit=unit)
        assert np.all(margin >= 1)
        assert np.all(margin < 1 + 1e-14)


def test_conformalised_quantiles_widen_or_narrow_each_pair() -> None:
    quantiles = np.tile([0.0, 3.0, 6.0, 8.0, 10.0], (4, 1, 1))
    calibration = calibrate_quantile(
        np.array([[11.0], [5.0], [1.0], [9.0]]),
        quantiles,
        np.full(4, 2.0),
        levels=(0.1, 0.25, 0.5, 0.75, 0.9),
        series=np.zeros(4, dtype=np.int64),
        scale="none",
        floor=np.array([2.0]),
    )
    assert calibration.pairs == (80.0, 50.0)
    # 80 %: scores 0.5, -2.5, -0.5, -0.5, the fourth; 50 %: 1.5, -1, 1, 0.5, the third
    assert margins_of(calibration, 80) == [[pytest.approx(0.5)]]
    assert margins_of(calibration, 50) == [[pytest.approx(1.0)]]
    assert np.isnan(margins_of(calibration, 60)).all()
    assert calibration.possible(60).tolist() == [False]
    assert calibration.possible(80).tolist() == [True]


def test_coverage_is_what_was_asked_of_exchangeable_scores() -> None:
    """20,000 times 24 scores and one more: the probability is ⌈25 · level⌉ / 25 exactly."""
    draw = np.random.default_rng(7)
    scores = draw.standard_t(3, size=(25, 20_000))
    for level, expected in ((80, 20 / 25), (95, 24 / 25), (50, 13 / 25)):
        bound = smallest_covering(np.abs(scores[:24]), level)
        share = float(np.mean(np.abs(scores[24]) <= bound))
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000))


# Files


def measured() -> Calibration:
    draw = np.random.default_rng(1)
    errors = draw.normal(size=(30, 2))
    errors[3, 1] = NAN
    calibration = conformal(errors, series=np.repeat([0, 1], 15), series_count=2)
    return calibration.with_coverage({95: Coverage(np.array([0.94, NAN]), np.array([50, 0]))})


def test_a_calibration_survives_its_files() -> None:
    calibration = measured()
    fields = json.loads(json.dumps(calibration.to_json(), allow_nan=False))
    read = Calibration.from_parts(calibration.to_arrays(), fields, series_count=2)
    assert (read.method, read.scale, read.pairs) == ("conformal", "volatility", ())
    for level in (50, 93.5):
        assert margins_of(read, level, 0, 1) == margins_of(calibration, level, 0, 1)
    np.testing.assert_array_equal(read.scores, calibration.scores)
    np.testing.assert_array_equal(read.coverage[95].share, [0.94, NAN])
    assert read.coverage[95].count.tolist() == [50, 0]
    assert read.coverage[95].count.dtype == np.int64


def test_one_of_quantiles_survives_too() -> None:
    quantiles = np.sort(np.random.default_rng(2).normal(size=(5, 3, 5)), axis=2)
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    owners = np.zeros(5, dtype=np.int64)
    calibration = calibrate_quantile(
        np.zeros((5, 3)), quantiles, np.ones(5), levels=levels, series=owners, scale="none", floor=np.ones(1)
    )
    fields = json.loads(json.dumps(calibration.to_json()))
    read = Calibration.from_parts(calibration.to_arrays(), fields, series_count=1)
    assert read.pairs == (95.0, 80.0)
    assert margins_of(read, 80) == margins_of(calibration, 80)


Change = Callable[[dict[str, Any]], object]
WRONG_ARRAYS: dict[str, Change] = {
    "expected the tensors": lambda a: a.pop("floor"),
    "got floor, more, scores, series": lambda a: a.update(more=np.zeros(1)),
    "scores: float32": lambda a: a.update(scores=a["scores"].astype(np.float32)),
    r"scores: float64 \[30, 2\]": lambda a: a.update(scores=a["scores"][:, :, 0]),
    "of 30 windows and 1": lambda a: a.update(scores=a["scores"][:4]),
    r"\[30, 2, 2\] of 30 windows": lambda a: a.update(scores=np.tile(a["scores"], (1, 1, 2))),
    r"\[30, 0, 1\]": lambda a: a.update(scores=a["scores"][:, :0]),
    "infinite": lambda a: a.update(scores=np.full((30, 2, 1), np.inf)),
    "negative": lambda a: a.update(scores=np.full((30, 2, 1), -1.0)),
    "floor: expected 2": lambda a: a.update(floor=np.ones(3)),
    "finite numbers above 0": lambda a: a.update(floor=np.array([1.0, 0.0])),
    "2 finite": lambda a: a.update(floor=np.array([1.0, NAN])),
    "floor: expected 2 finite": lambda a: a.update(floor=np.array([1.0, np.inf])),
    "series: some": lambda a: a.update(series=a["series"] + 1),
    "not one of 2": lambda a: a.update(series=a["series"] - 1),
    "series: int32": lambda a: a.update(series=a["series"].astype(np.int32)),
}
WRONG_FIELDS: dict[str, Change] = {
    "not a mapping": lambda f: f.update(extra=1),
    "is unknown": lambda f: f.update(method="guess"),
    "scale 'big' is unknown": lambda f: f.update(scale="big"),
    "pairs: 1 of them": lambda f: f.update(pairs=[95]),
    "pairs: 0 of them": lambda f: f.update(method="quantile"),
    "pairs: not a list": lambda f: f.update(pairs=[True]),
    "coverage: not a short": lambda f: f.update(coverage={"95": 1}),
    "not a short list": lambda f: f.update(coverage=f["coverage"] * 100),
    "an entry is not": lambda f: f.update(coverage=[{"level": 95}]),
    "without 2 shares": lambda f: f["coverage"][0].update(share=[0.5]),
    "a level without": lambda f: f["coverage"][0].update(level=100),
    "between 0 and 1": lambda f: f["coverage"][0].update(share=[1.5, None]),
    "share of level 95": lambda f: f["coverage"][0].update(share=["0.5", None]),
    "whole number": lambda f: f["coverage"][0].update(count=[1.5, 0]),
    "count of level 95": lambda f: f["coverage"][0].update(count=[-1, 0]),
}


@pytest.mark.parametrize("message", [*WRONG_ARRAYS, *WRONG_FIELDS])
def test_a_tampered_calibration_is_refused(message: str) -> None:
    calibration = measured()
    arrays, fields = calibration.to_arrays(), json.loads(json.dumps(calibration.to_json()))
    if message in WRONG_ARRAYS:
        WRONG_ARRAYS[message](arrays)
    else:
        WRONG_FIELDS[message](fields)
    with pytest.raises(ValueError, match=message):
        Calibration.from_parts(arrays, fields, series_count=2)


@pytest.mark.parametrize("fields", [None, [], "conformal", {"method": []}])
def test_what_is_no_calibration_is_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="not a mapping"):
        Calibration.from_parts(measured().to_arrays(), fields, series_count=2)
