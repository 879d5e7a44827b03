"""Held-out forecasts: which rows they are made at, what came, and that nothing later is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import fit_scaling
from lstm_forecast.evaluation.held_out import (
    HeldOut,
    actual_values,
    all_forecasts,
    complete,
    count_apart,
    cutoffs,
    hold_out,
    hold_out_tiers,
    joined,
)
from lstm_forecast.forecasting.forecast import Forecaster
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
L, H = 4, 2
NAN = float("nan")


def forecaster(panel: Panel, *, quantiles: int = 0, networks: int = 1) -> Forecaster:
    torch.manual_seed(1)
    models = [RegLSTM(1, 3, output_size=H, num_quantiles=quantiles).eval() for _ in range(networks)]
    scaling = fit_scaling(
        panel,
        method="standard",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize="diff",
        transform="none",
        season=1,
    )
    levels = (0.1, 0.5, 0.9) if quantiles else ()
    return Forecaster(tuple(models), scaling, L, "last", 1, np.full(len(panel), -np.inf), levels)


def borders(panel: Panel, *places: Sequence[int]) -> list[NDArray[np.int64]]:
    """Flat rows from places within each series."""
    return [panel.offsets[:-1] + np.array(place) for place in places]


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    least=st.integers(1, 5),
    every=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_forecasts_are_made_at_the_rows_that_a_slow_loop_finds(
    lengths: list[int], least: int, every: int, seed: int
) -> None:
    panel = random_walks(*lengths)
    draw = np.random.default_rng(seed)
    first = panel.offsets[:-1] + [int(draw.integers(0, length + 1)) for length in lengths]
    end = np.array([int(draw.integers(a, b + 1)) for a, b in zip(first, panel.offsets[1:], strict=True)])
    expected = []
    for s, begin in enumerate(panel.offsets[:-1]):
        rows = [
            row
            for row in range(begin, end[s] - 1)
            if row + 1 >= first[s] and row - begin + 1 >= least  # the first target, and the rows known
        ]
        newest_first = rows[::-1]
        expected += [(row, s) for row in sorted(newest_first[::every])]
    rows, series = cutoffs(panel, first, end, least=least, every=every)
    assert list(zip(rows.tolist(), series.tolist(), strict=True)) == expected


def test_the_first_forecast_is_made_at_the_last_row_before_the_split() -> None:
    panel = random_walks(10, 10)
    first, end = borders(panel, (6, 6), (9, 10))
    rows, series = cutoffs(panel, first, end, least=L)
    assert rows.tolist() == [5, 6, 7, 15, 16, 17, 18]
    assert series.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_what_came_ends_with_the_rows_that_are_looked_at() -> None:
    panel = panel_of([0.0, 1.0, 2.0, 3.0, 4.0], [10.0, 11.0, 12.0])
    observed = panel.observed.copy()
    observed[2] = False
    panel = replace(panel, observed=observed)
    got = actual_values(panel, np.array([0, 2, 6]), np.array([0, 0, 1]), end=np.array([4, 8]), steps=3)
    np.testing.assert_array_equal(got, [[1, NAN, 3], [3, NAN, NAN], [12, NAN, NAN]])


@pytest.mark.parametrize("quantiles", [0, 3])
def test_held_out_forecasts_are_the_forecasters_own_beside_what_came(quantiles: int) -> None:
    panel = random_walks(20, 15)
    made = forecaster(panel, quantiles=quantiles)
    first, end = borders(panel, (10, 8), (20, 15))
    rows, series = cutoffs(panel, first, end, least=L)
    held = hold_out(made, panel, rows, series, end=end, steps=3)
    assert len(held) == 10 + 7
    outlook = made.at(panel, rows, series, horizon=3)
    assert np.array_equal(held.forecast, outlook.point)
    assert (held.quantiles is None) == (quantiles == 0)
    for w, (row, s) in enumerate(zip(rows.tolist(), series.tolist(), strict=True)):
        assert (held.last[w], held.origins[w]) == (panel.values[row, 0], panel.times[row])
        known = panel.values[row + 1 : min(row + 4, int(end[s])), 0].tolist()
        np.testing.assert_array_equal(held.actual[w], known + [NAN] * (3 - len(known)))
    assert complete(held, end=end, horizon=3).tolist() == [
        row + 3 < end[s] for row, s in zip(rows, series, strict=True)
    ]


def test_no_held_out_forecast_sees_a_row_after_its_cutoff() -> None:
    panel = random_walks(30)
    made = forecaster(panel, quantiles=3)
    end = np.array([30])
    rows, series = cutoffs(panel, np.array([15]), end, least=L)
    before = hold_out(made, panel, rows, series, end=end, steps=5)
    values = panel.values.copy()
    values[22:] *= -1e6
    after = hold_out(made, replace(panel, values=values), rows, series, end=end, steps=5)
    early = rows < 22
    assert before.part(early).forecast.tobytes() == after.part(early).forecast.tobytes()
    assert before.quantiles is not None
    assert after.quantiles is not None
    assert before.quantiles[early].tobytes() == after.quantiles[early].tobytes()
    assert not np.isclose(before.forecast[~early], after.forecast[~early]).any()


def test_the_members_of_an_ensemble_are_kept_beside_their_mean() -> None:
    panel = random_walks(30)
    made = forecaster(panel, networks=3)
    end = np.array([30])
    rows, series = cutoffs(panel, np.array([20]), end, least=L)
    held = hold_out(made, panel, rows, series, end=end, steps=H)
    assert len(held.members) == 3
    np.testing.assert_allclose(np.mean(held.members, axis=0), held.forecast, rtol=1e-12)
    assert hold_out(forecaster(panel), panel, rows, series, end=end, steps=H).members == ()


@pytest.mark.parametrize("every", [1, 3])
def test_far_steps_are_forecast_from_some_cutoffs_and_are_unknown_elsewhere(every: int) -> None:
    panel = random_walks(30, 22)
    made = forecaster(panel, quantiles=3, networks=2)
    first, end = borders(panel, (12, 12), (30, 22))
    rows, series = cutoffs(panel, first, end, least=L)
    whole = hold_out(made, panel, rows, series, end=end, steps=5)
    held = hold_out_tiers(made, panel, rows, series, end=end, tiers=((H, 1), (5, every)))
    chosen, _ = cutoffs(panel, first, end, least=L, every=every)
    far = np.isin(rows, chosen)
    assert 0 < far.sum() <= len(rows)
    assert far.all() == (every == 1)
    assert whole.quantiles is not None
    assert held.quantiles is not None
    pairs = [(held.forecast, whole.forecast), (held.quantiles, whole.quantiles), (held.actual, whole.actual)]
    pairs += list(zip(held.members, whole.members, strict=True))
    for got, expected in pairs:
        np.testing.assert_allclose(got[:, :H], expected[:, :H], rtol=1e-6)
        np.testing.assert_allclose(got[far], expected[far], rtol=1e-6)
        assert np.isnan(got[~far][:, H:]).all()


def test_without_far_steps_all_cutoffs_are_alike() -> None:
    panel = random_walks(30)
    made, end = forecaster(panel), np.array([30])
    rows, series = cutoffs(panel, np.array([12]), end, least=L)
    held = hold_out_tiers(made, panel, rows, series, end=end, tiers=((H, 1), (H, 7)))
    assert np.array_equal(held.forecast, hold_out(made, panel, rows, series, end=end, steps=H).forecast)
    none = np.empty(0, dtype=np.int64)
    assert hold_out_tiers(made, panel, none, none, end=end, tiers=((H, 1), (9, 7))).forecast.shape[0] == 0


def test_a_cutoff_of_several_tiers_is_forecast_as_far_as_the_farthest() -> None:
    panel = random_walks(40)
    made, end = forecaster(panel), np.array([40])
    rows, series = cutoffs(panel, np.array([10]), end, least=L)  # 9 … 38
    held = hold_out_tiers(made, panel, rows, series, end=end, tiers=((H, 1), (4, 2), (6, 3)))
    far, near = (38 - rows) % 3 == 0, (38 - rows) % 2 == 0
    expected = np.where(far, 6, np.where(near, 4, H))
    assert np.array_equal((~np.isnan(held.forecast)).sum(axis=1), expected)
    assert np.array_equal(held.rows, rows)


def some(count: int = 5) -> HeldOut:
    numbers = np.arange(count * 3.0).reshape(count, 3)
    rows = np.arange(count)
    return HeldOut(
        rows, rows % 2, rows * 10, numbers[:, 0], numbers, numbers + 1, np.stack([numbers] * 3, axis=-1),
        (numbers + 2, numbers + 3), {"naive": numbers - 1},
    )  # fmt: skip


def test_a_part_has_the_chosen_rows_and_steps_of_everything() -> None:
    whole = some()
    part = whole.part(np.array([False, True, False, True, False]), steps=2)
    for name in ("rows", "series", "origins", "last"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[[1, 3]]), name
    for name in ("actual", "forecast", "quantiles"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[[1, 3], :2]), name
    for got, expected in zip(part.members, whole.members, strict=True):
        assert np.array_equal(got, expected[[1, 3], :2])
    assert np.array_equal(part.baselines["naive"], whole.baselines["naive"][[1, 3], :2])
    assert list(all_forecasts(part)) == ["model", "naive"]
    assert np.array_equal(all_forecasts(part)["model"], part.forecast)


def test_parts_are_joined_in_the_order_of_their_rows() -> None:
    whole = some()
    together = joined([whole.part(np.array([4, 1])), whole.part(np.array([3, 0, 2]))])
    expected = whole.with_baselines({})
    for name in ("rows", "series", "origins", "last", "actual", "forecast", "quantiles"):
        assert np.array_equal(getattr(together, name), getattr(expected, name)), name
    assert all(np.array_equal(a, b) for a, b in zip(together.members, expected.members, strict=True))
    assert together.baselines == {}


@settings(max_examples=80, deadline=None)
@given(lengths=st.lists(st.integers(0, 15), min_size=1, max_size=4), horizon=st.integers(1, 7))
def test_forecasts_apart_are_counted_series_by_series(lengths: list[int], horizon: int) -> None:
    panel = panel_of(*(np.arange(30.0) for _ in lengths))
    end = panel.offsets[:-1] + 30
    rows, series = cutoffs(panel, end - np.array(lengths), end, least=L)
    nothing = np.zeros((len(rows), horizon))
    held = HeldOut(rows, series, rows, nothing[:, 0], nothing, nothing, None, (), {})
    counted, after = 0, -1
    for row in rows.tolist():  # the first that begins when the one before has ended
        if row >= after or row // 30 != (after - horizon) // 30:
            counted, after = counted + 1, row + horizon
    assert count_apart(held, horizon=horizon) == counted
    shuffled = np.random.default_rng(1).permutation(len(rows))
    assert count_apart(held.part(shuffled), horizon=horizon) == counted
