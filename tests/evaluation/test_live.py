"""Scores of issued forecasts, against a table worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstm_forecast.evaluation.live import Score, bins, scores_by
from lstm_forecast.runs.ledger import Record

NAN = math.nan


def issued(actual: list[float]) -> Record:
    """Four forecasts of 10, 20, 30, 40; naive always 12; 80 % intervals of ±2, none of the last."""
    zeros, forecast = np.zeros(4, dtype=np.int64), np.array([10.0, 20.0, 30.0, 40.0])
    bounds = {80.0: (np.array([8.0, 18, 28, NAN]), np.array([12.0, 22, 32, NAN]))}
    naive = np.full(4, 12.0)
    return Record(("s",), 1, zeros, zeros, zeros, zeros, forecast, naive, np.array(actual), bounds)


def test_a_table_worked_out_by_hand() -> None:
    # errors -2, 5, (not arrived), -4; naive -0, -3, -, -32
    one, two = scores_by(issued([12.0, 15.0, NAN, 44.0]), np.array([0, 0, 1, 1]), 2)
    assert (one.count, one.mae, one.naive_mae, one.bias) == (2, 3.5, 1.5, 1.5)
    assert one.skill == pytest.approx(1 - 3.5 / 1.5, rel=1e-15)
    assert (one.coverage, one.bounded) == ({80.0: 0.5}, {80.0: 2})  # 12 lies on the bound: inside
    assert (two.count, two.mae, two.naive_mae, two.bias) == (1, 4.0, 32.0, -4.0)
    assert two.skill == 0.875
    assert two.bounded == {80.0: 0}
    assert math.isnan(two.coverage[80.0])


def test_both_bounds_count() -> None:
    found = scores_by(issued([7.9, 22.1, 30.0, NAN]), np.zeros(4, dtype=np.int64), 1)[0]
    assert found.coverage[80.0] == pytest.approx(1 / 3, rel=1e-15)


def test_where_nothing_arrived_there_is_no_number() -> None:
    (found,) = scores_by(issued([NAN] * 4), np.zeros(4, dtype=np.int64), 1)
    document = found.to_document()
    assert document == {
        "count": 0,
        "mae": None,
        "naive_mae": None,
        "skill": None,
        "bias": None,
        "levels": [{"level": 80.0, "coverage": None, "count": 0}],
    }


def test_no_skill_against_a_naive_forecast_without_error() -> None:
    assert math.isnan(Score(1, 1.0, 0.0, 0.0, {}, {}).skill)


def test_values_near_the_largest_float_give_no_warning() -> None:
    (found,) = scores_by(issued([-1.7e308] * 4), np.zeros(4, dtype=np.int64), 1)
    assert found.mae == math.inf
    assert found.to_document()["mae"] is None


@pytest.mark.parametrize(("count", "most", "least"), [(1, 60, 1), (59, 60, 1), (61, 60, 1), (500, 24, 30)])
def test_stretches_are_whole_times_in_order_and_few(count: int, most: int, least: int) -> None:
    times = np.random.default_rng(count).integers(0, 2 * count, count)
    number, ends = bins(times, most=most, least=least)
    assert len(ends) <= most
    assert sorted(set(number.tolist())) == list(range(len(ends)))
    for place, end in enumerate(ends.tolist()):
        mine = times[number == place]
        assert mine.max() == end
        assert place == 0 or mine.min() > ends[place - 1]
        if place < len(ends) - 1:
            assert len(mine) >= least // 2


def test_stretches_of_single_times() -> None:
    number, ends = bins(np.array([5, 3, 3, 9]), most=60)
    assert (number.tolist(), ends.tolist()) == ([1, 0, 0, 2], [3, 5, 9])
    number, ends = bins(np.array([5, 3, 3, 9]), most=60, least=2)
    assert (number.tolist(), ends.tolist()) == ([1, 0, 0, 1], [3, 9])
