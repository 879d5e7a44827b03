"""Recent volatility against a plain loop, by hand, and blind to what comes later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.forecasting.volatility import interval_units, volatility
from tests.data.panels import NAN, panel_of, random_walks

Floats = NDArray[np.float64]


def everywhere(panel: Panel) -> Floats:
    return volatility(panel, np.arange(len(panel.times)))


def by_loop(panel: Panel) -> list[float]:
    """The weighted mean of the last 200 changes, one row after another."""
    found = []
    for series in range(len(panel)):
        rows = panel.rows(series)
        x, seen = panel.values[rows, 0], panel.observed[rows, 0]
        for t in range(len(x)):
            total = weight = 0.0
            for age in range(200):
                now = t - age
                if now >= 1 and seen[now] and seen[now - 1]:
                    total += 0.5 ** (age / 20) * abs(x[now] - x[now - 1])
                    weight += 0.5 ** (age / 20)
            found.append(total / weight if weight else NAN)
    return found


def test_two_changes_by_hand() -> None:
    # changes 3 and 1; one row back weighs 2^(-1/20) = 0.965936
    panel = panel_of([10.0, 13.0, 12.0])
    expected = [NAN, 3.0, (1 + 0.9659363289248456 * 3) / 1.9659363289248456]
    np.testing.assert_allclose(everywhere(panel), expected, rtol=1e-15)


def test_twenty_rows_halve_a_change() -> None:
    x = np.zeros(42)
    x[1:] = 1.0  # a single change, in row 1
    found = everywhere(panel_of(x))
    weights = [0.5 ** (age / 20) for age in range(41)]
    assert found[21] == pytest.approx(0.5 / sum(weights[:21]))
    assert found[41] == pytest.approx(0.25 / sum(weights[:41]))


def test_a_change_201_rows_ago_is_forgotten() -> None:
    x = np.zeros(203)
    x[1:] = 1.0
    found = everywhere(panel_of(x))
    assert found[200] > 0
    assert found[201] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 460), min_size=1, max_size=4),
    hidden=st.sampled_from([0.0, 0.1, 0.7]),
    seed=st.integers(0, 99),
)
def test_volatility_is_that_of_a_plain_loop(lengths: list[int], hidden: float, seed: int) -> None:
    panel = random_walks(*lengths, seed=seed)
    seen = np.random.default_rng(seed).random(panel.observed.shape) >= hidden
    panel = replace(panel, observed=seen)
    np.testing.assert_allclose(everywhere(panel), by_loop(panel), rtol=1e-12)


def test_empty_cells_do_not_spread() -> None:
    panel = panel_of([1.0, 2.0, NAN, 5.0, 7.0])
    weight = 0.5 ** (3 / 20)
    assert everywhere(panel)[-1] == pytest.approx((2 + weight * 1) / (1 + weight))


def test_filled_cells_do_not_count() -> None:
    panel = panel_of([1.0, 2.0, 900.0, 5.0, 7.0])
    seen = panel.observed.copy()
    seen[2] = False
    found = everywhere(replace(panel, observed=seen))
    np.testing.assert_array_equal(found, everywhere(panel_of([1.0, 2.0, NAN, 5.0, 7.0])))


def test_the_end_of_a_file_gives_the_bits_of_the_whole() -> None:
    panel = random_walks(1000, 777, seed=3)
    tail = panel.take(np.concatenate([np.arange(1000) >= 750, np.arange(777) >= 527]))
    ends, tail_ends = panel.offsets[1:] - 1, tail.offsets[1:] - 1
    assert everywhere(tail)[tail_ends].tolist() == everywhere(panel)[ends].tolist()
    assert tail.lengths.tolist() == [250, 250]


def test_later_rows_and_other_series_change_no_bit() -> None:
    panel = random_walks(300, 300, seed=4)
    changed = panel.values.copy()
    changed[200:300] *= 1e6
    changed[300:] *= -3
    changed_panel = replace(panel, values=changed)
    assert everywhere(changed_panel)[1:200].tolist() == everywhere(panel)[1:200].tolist()
    assert everywhere(changed_panel)[200] != everywhere(panel)[200]


def test_units_are_the_volatility_at_the_cutoff() -> None:
    panel = random_walks(50, 60, seed=5)
    rows, series = np.array([30, 49, 80]), np.array([0, 0, 1])
    units = interval_units("volatility", panel, rows, series=series, floor=np.array([0.5, 0.5]))
    assert units.tolist() == everywhere(panel)[rows].tolist()


def test_the_smallest_unit_is_a_tenth_of_the_training_scale() -> None:
    panel = panel_of([5.0] * 10, [5.0, 5.0, 9.0])
    rows, series = np.array([9, 11, 12]), np.array([0, 1, 1])
    units = interval_units("volatility", panel, rows, series=series, floor=np.array([2.0, 30.0]))
    expected = 4 / (1 + 0.5**0.05)  # changes 0 and 4, above a tenth of 30
    assert units[:2].tolist() == [0.2, 3.0]
    assert units[2] == pytest.approx(3.0 if expected < 3 else expected)


def test_an_unknown_volatility_is_the_training_scale() -> None:
    panel = panel_of([5.0, NAN, 6.0], [1.0, 2.0])
    rows, series = np.array([0, 2, 3]), np.array([0, 0, 1])
    units = interval_units("volatility", panel, rows, series=series, floor=np.array([7.0, 8.0]))
    assert units.tolist() == [7.0, 7.0, 8.0]


def test_scale_none_is_the_training_scale() -> None:
    panel = random_walks(50, 60, seed=5)
    rows, series = np.array([30, 49, 80]), np.array([0, 0, 1])
    units = interval_units("none", panel, rows, series=series, floor=np.array([0.5, 3.0]))
    assert units.tolist() == [0.5, 0.5, 3.0]


@given(st.lists(st.integers(0, 700), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_some_rows_have_the_numbers_they_have_among_all(lengths: list[int], seed: int) -> None:
    panel = random_walks(*lengths, 1)
    draw = np.random.default_rng(seed)
    panel = replace(panel, observed=draw.random(panel.values.shape) > 0.1)
    rows = draw.integers(0, len(panel.times), 50)
    np.testing.assert_array_equal(volatility(panel, rows), everywhere(panel)[rows])


def test_stretches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = random_walks(500, 3, 0, 900, 201)
    whole = everywhere(panel)
    monkeypatch.setattr("lstm_forecast.forecasting.volatility._STRETCH", 7)
    np.testing.assert_array_equal(everywhere(panel), whole)
