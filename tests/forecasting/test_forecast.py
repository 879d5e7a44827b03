"""From the network's answers to original units: exact where it must be, recursion against a plain loop."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Normalize, Scaling, fit_scaling, network_inputs
from lstm_forecast.data.tensors import panel_tensors
from lstm_forecast.data.windows import windows_in
from lstm_forecast.errors import UsageError
from lstm_forecast.evaluation.verdict import judge
from lstm_forecast.forecasting.baselines import naive
from lstm_forecast.forecasting.forecast import (
    forecast_future,
    forecast_windows,
    lowest_values,
    original_units,
)
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
L, H = 6, 3
CPU = torch.device("cpu")


def network(*, zero_head: bool = False, features: int = 1) -> RegLSTM:
    torch.manual_seed(8)
    return RegLSTM(features, 5, 2, output_size=H, dropout=0.5, zero_head=zero_head).eval()


def scaled(panel: Panel, normalize: Normalize) -> Scaling:
    return fit_scaling(panel, method="minmax", scaled_range=(0.0, 1.0), per="series", normalize=normalize)


def all_windows(
    model: RegLSTM, panel: Panel, *, anchored: bool, minimum: float | str | None = None
) -> Floats:
    """The forecasts of every window of the panel: [W, H]."""
    scaling = scaled(panel, "diff" if anchored else "none")
    windows = windows_in(panel.offsets[:-1], panel.offsets[1:], offsets=panel.offsets, lookback=L, horizon=H)
    tensors = panel_tensors(panel, scaling, anchored=anchored, device=CPU)
    lowest = lowest_values(minimum, scaling)
    return forecast_windows(model, tensors, panel, scaling, windows, lookback=L, minimum=lowest)


def future(
    model: RegLSTM, panel: Panel, *, horizon: int, anchored: bool, minimum: float | str | None = None
) -> Floats:
    """The forecasts after the last row of every series: [S, horizon]."""
    scaling = scaled(panel, "diff" if anchored else "none")
    rows = np.stack([panel.values[end - L : end] for end in panel.offsets[1:]])
    series = np.arange(len(panel))
    lowest = lowest_values(minimum, scaling)
    return forecast_future(model, rows, scaling, series, horizon=horizon, anchored=anchored, minimum=lowest)


AWKWARD = [
    np.full(20, 0.1 + 0.2) + np.arange(20) * 0.1,
    1e9 + 0.01 * np.arange(20) ** 2,
    1e-30 * np.arange(20, 0, -1) / 3,
    np.random.default_rng(0).normal(size=20).cumsum() * 1e30 / 7,
    np.array([-0.0, 1 / 3] * 10),
]


@pytest.mark.parametrize("number", range(len(AWKWARD)))
def test_an_untouched_anchored_model_is_the_naive_forecast_bit_for_bit(number: int) -> None:
    panel = panel_of(AWKWARD[number], AWKWARD[number][::-1])
    forecast = all_windows(network(zero_head=True), panel, anchored=True)
    rows = [start + L - 1 for first in (0, 20) for start in range(first, first + 20 - L - H + 1)]
    last = panel.values[rows, 0]
    assert np.array_equal(forecast, np.repeat(last[:, None], H, axis=1))
    ahead = future(network(zero_head=True), panel, horizon=3 * H, anchored=True)
    assert np.array_equal(ahead, np.repeat(panel.values[[19, 39], :1], 3 * H, axis=1))


def test_an_untouched_anchored_model_ties_with_naive_and_the_sentence_says_why() -> None:
    panel = random_walks(60)
    forecast = all_windows(network(zero_head=True), panel, anchored=True)
    count = len(forecast)
    ends = np.arange(count) + L - 1
    actual = panel.values[ends[:, None] + 1 + np.arange(H), 0]
    verdict = judge(
        actual,
        forecast,
        naive(panel.values[ends, 0], H),
        origins=panel.times[ends],
        scale=np.ones(count),
    )
    assert (verdict.word, verdict.p_value, verdict.skill) == ("ties", None, 0.0)
    assert verdict.sentence == "No better than naive: the model forecasts exactly the last value."


def test_the_naive_forecast_repeats_the_last_value() -> None:
    assert naive(np.array([1.5, -2.0]), 3).tolist() == [[1.5, 1.5, 1.5], [-2.0, -2.0, -2.0]]


@pytest.mark.parametrize("anchored", [False, True])
def test_answers_become_original_units_by_offset_or_anchor_and_unit(*, anchored: bool) -> None:
    panel = panel_of([2.0, 6.0, 4.0], [100.0, 130.0, 100.0])
    scaling = scaled(panel, "none")  # units 4 and 30
    answers = np.array([[0.5, -1.0], [0.1, 2.0]])
    last = np.array([7.0, 50.0])
    got = original_units(
        answers, last, scaling, np.array([1, 0]), anchored=anchored, minimum=np.full(2, -np.inf)
    )
    expected = [[22.0, -23.0], [50.4, 58.0]] if anchored else [[115.0, 70.0], [2.4, 10.0]]
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def plain_recursion(
    model: RegLSTM, values: Floats, scaling: Scaling, horizon: int, *, anchored: bool
) -> list[float]:
    """One series, block after block, in plain Python floats."""
    rows = [float(value) for value in values]
    unit = float(scaling.step_unit[0, 0] if anchored else scaling.unit[0, 0])
    made: list[float] = []
    while len(made) < horizon:
        window = rows[-L:]
        if anchored:
            seen = [0.0] + [(b - a) / unit for a, b in pairwise(window)]
        else:
            seen = [(value - float(scaling.offset[0, 0])) / unit for value in window]
        with torch.no_grad():
            answer = model(torch.tensor(seen, dtype=torch.float32)[None, :, None])[0, -1].tolist()
        base = window[-1] if anchored else float(scaling.offset[0, 0])
        block = [base + step * unit for step in answer]
        made += block
        rows += block
    return made[:horizon]


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 6, 7, 20])
def test_forecasts_beyond_the_trained_horizon_are_fed_back_in_blocks(horizon: int, *, anchored: bool) -> None:
    panel, model = random_walks(40), network()
    got = future(model, panel, horizon=horizon, anchored=anchored)
    scaling = scaled(panel, "diff" if anchored else "none")
    expected = plain_recursion(model, panel.values[:, 0], scaling, horizon, anchored=anchored)
    assert got.shape == (1, horizon)
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)


@pytest.mark.parametrize("anchored", [False, True])
def test_up_to_the_trained_horizon_the_future_is_a_window_like_any_other(*, anchored: bool) -> None:
    whole, model = random_walks(40), network()
    windows = all_windows(model, whole, anchored=anchored)
    scaling = scaled(whole, "diff" if anchored else "none")
    rows = whole.values[None, 40 - L - H : 40 - H]
    got = forecast_future(
        model, rows, scaling, np.array([0]), horizon=H, anchored=anchored, minimum=np.array([-np.inf])
    )
    np.testing.assert_allclose(got[0], windows[-1], rtol=1e-6)


@pytest.mark.parametrize("anchored", [False, True])
def test_a_batch_of_series_is_forecast_as_each_alone(*, anchored: bool) -> None:
    panel, model = random_walks(30, 12, 55), network()
    scaling = scaled(panel, "diff" if anchored else "none")
    together = future(model, panel, horizon=8, anchored=anchored)
    for s, end in enumerate(panel.offsets[1:]):
        alone = forecast_future(
            model,
            panel.values[None, end - L : end],
            scaling,
            np.array([s]),
            horizon=8,
            anchored=anchored,
            minimum=np.full(3, -np.inf),
        )
        np.testing.assert_allclose(together[s], alone[0], rtol=1e-6)


def test_no_forecast_falls_below_the_minimum_and_what_is_fed_back_is_the_clamped_value() -> None:
    panel, model = panel_of(np.r_[np.linspace(60.0, 0.0, 40), 0.0]), network(zero_head=True)
    with torch.no_grad():
        model.head.get_parameter("0.bias").fill_(-1.0)  # every answer is one unit down
    free = future(model, panel, horizon=2 * H, anchored=True)
    clamped = future(model, panel, horizon=2 * H, anchored=True, minimum="auto")
    unit = float(scaled(panel, "diff").step_unit[0, 0])
    np.testing.assert_allclose(free[0], [-unit] * H + [-2 * unit] * H, rtol=1e-12)
    assert clamped.tolist() == [[0.0] * (2 * H)]
    windows = all_windows(model, panel, anchored=True, minimum=10.0)
    assert windows.min() == 10.0
    assert windows.max() > 10.0


def test_the_automatic_minimum_is_zero_where_no_training_value_is_negative() -> None:
    scaling = scaled(panel_of([1.0, 0.0, 2.0], [1.0, -1.0, 2.0]), "diff")
    assert lowest_values("auto", scaling).tolist() == [0.0, -np.inf]
    assert lowest_values(None, scaling).tolist() == [-np.inf, -np.inf]
    assert lowest_values(-3, scaling).tolist() == [-3.0, -3.0]


def test_past_covariates_end_at_the_trained_horizon() -> None:
    panel, model = random_walks(30, columns=2), network(features=2)
    assert future(model, panel, horizon=H, anchored=True).shape == (1, H)
    with pytest.raises(UsageError) as caught:
        future(model, panel, horizon=H + 1, anchored=True)
    assert str(caught.value) == (
        "error[predict.horizon]: --horizon: 4 steps asked, 3 trained, and the run uses past covariates\n"
        "  past covariates are not known beyond the last row, so a forecast cannot be fed back\n"
        "  hint: train with --horizon 4, or predict --horizon 3"
    )
    assert caught.value.code == 2


def test_covariates_reach_the_network_in_their_own_units() -> None:
    panel = random_walks(30, columns=2)
    other = replace(panel, values=panel.values * [1.0, 1000.0])
    model = network(features=2)
    np.testing.assert_allclose(
        future(model, panel, horizon=H, anchored=True),
        future(model, other, horizon=H, anchored=True),
        rtol=1e-6,
    )
    inputs = network_inputs(other.values[None, :L], scaled(other, "diff"), np.array([0]))
    assert np.abs(inputs).max() < 10


def test_forecasting_changes_no_row() -> None:
    panel, model = random_walks(30), network()
    before = panel.values.copy()
    future(model, panel, horizon=9, anchored=True)
    all_windows(model, panel, anchored=True)
    assert np.array_equal(panel.values, before)
