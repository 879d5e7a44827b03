"""Forecasts that are given columns known ahead, against blocks put together by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import AheadColumns, fit_scaling, network_inputs
from lstm_forecast.data.statics import StaticColumn, Statics
from lstm_forecast.errors import UsageError
from lstm_forecast.forecasting.forecast import Forecaster
from lstm_forecast.model.beside import Beside
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import random_walks

L, H, P = 5, 3, 2
Floats = NDArray[np.float64]
KIND = Statics((StaticColumn("kind", ("a", "b")),), np.array([[2.0], [1.0]]))


def made(panel: Panel, *, zero: bool = False) -> Forecaster:
    """A network of any weights with the units of this panel, whose last two columns are known ahead."""
    torch.manual_seed(3)
    static_sizes = panel.statics.sizes if panel.statics else ()
    features = len(panel.columns)
    model = RegLSTM(
        features, 6, output_size=H, ahead_size=P, static_sizes=static_sizes, zero_head=True
    ).eval()
    if not zero:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3)
    scaling = fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0, 1),
        per="series",
        normalize="diff",
        transform="none",
        season=1,
        ahead=AheadColumns(given=1, calendar=1),
    )
    return Forecaster((model,), scaling, L, "last", 1, np.full(len(panel), -np.inf))


@pytest.fixture
def panel() -> Panel:
    return replace(random_walks(30, 20, columns=1 + P), statics=KIND)


def test_one_block_is_the_last_value_and_what_the_network_adds(panel: Panel) -> None:
    one, rows, series = made(panel), np.array([29, 40]), np.array([0, 1])
    ahead = np.random.default_rng(0).normal(size=(2, H, P))
    found = one.at(panel, rows, series, horizon=H, ahead=ahead).point
    scaling = one.scaling
    for b, (row, s) in enumerate(zip(rows, series, strict=True)):
        window = panel.values[row - L + 1 : row + 1]
        inputs = network_inputs(window[None], scaling, np.array([s]))
        known = (ahead[b] - scaling.offset[s, 1:]) / scaling.unit[s, 1:]
        beside = Beside(
            torch.tensor(known[None], dtype=torch.float32),
            torch.tensor([[KIND.codes[s, 0]]], dtype=torch.float32),
        )
        with torch.no_grad():
            answer = one.networks[0].final(torch.tensor(inputs, dtype=torch.float32), beside=beside)
        expected = window[-1, 0] + answer[0].double().numpy() * scaling.step_unit[s, 0]
        np.testing.assert_allclose(found[b], expected, rtol=1e-5)


def test_beyond_the_trained_horizon_each_block_is_read_with_what_was_known_ahead(panel: Panel) -> None:
    one, horizon = made(panel), 2 * H + 1
    ahead = np.random.default_rng(0).normal(size=(1, horizon, P))
    found = one.at(panel, np.array([29]), np.array([0]), horizon=horizon, ahead=ahead).point[0]
    window, blocks = panel.values[25:30], []
    for first in range(0, horizon, H):
        mine = ahead[:, first : first + H]
        whole = np.concatenate([mine, np.repeat(mine[:, -1:], H - mine.shape[1], axis=1)], axis=1)
        block = one.after(window[None], np.array([0]), horizon=H, ahead=whole).point[0]
        blocks.append(block)
        window = np.concatenate([window, np.column_stack([block, whole[0]])])[-L:]
    assert found.tolist() == np.concatenate(blocks)[:horizon].tolist()


def test_of_held_out_rows_the_panel_gives_them(panel: Panel) -> None:
    one, rows, series = made(panel), np.array([10, 35]), np.array([0, 1])
    ahead = np.stack([panel.values[row + 1 : row + 1 + H, 1:] for row in rows])
    given = one.at(panel, rows, series, horizon=H, ahead=ahead).point
    assert one.at(panel, rows, series, horizon=H).point.tolist() == given.tolist()


def test_nothing_else_after_a_row_is_looked_at(panel: Panel) -> None:
    one, rows, series = made(panel), np.array([10]), np.array([0])
    later = panel.values.copy()
    later[11:, 0] *= 1e6
    changed = replace(panel, values=later)
    before = one.at(panel, rows, series, horizon=H).point
    assert one.at(changed, rows, series, horizon=H).point.tolist() == before.tolist()
    later[12, 1] += 100  # the second step's feature moves that step alone
    moved = one.at(changed, rows, series, horizon=H).point != before
    assert moved[0].tolist() == [False, True, False]


def test_an_untouched_network_is_the_naive_forecast_bit_for_bit(panel: Panel) -> None:
    rows = np.array([29, 49])
    found = made(panel, zero=True).at(panel, rows, np.array([0, 1]), horizon=2 * H).point
    assert np.array_equal(found, np.repeat(panel.values[rows, :1], 2 * H, axis=1))


def test_what_the_series_is_matters(panel: Panel) -> None:
    one = made(panel)
    swapped = replace(one, scaling=replace(one.scaling, statics=Statics(KIND.columns, KIND.codes[::-1])))
    arguments = (panel, np.array([29]), np.array([0]))
    assert one.at(*arguments, horizon=H).point.tolist() != swapped.at(*arguments, horizon=H).point.tolist()


def test_with_past_covariates_too_the_trained_horizon_is_the_end() -> None:
    panel = random_walks(30, columns=2 + P)
    with pytest.raises(UsageError, match="uses past covariates"):
        made(panel).at(panel, np.array([29]), np.array([0]), horizon=H + 1)


def test_what_lies_outside_the_trained_range_ahead_is_counted(panel: Panel) -> None:
    one, rows, series = made(panel), np.array([20]), np.array([0])
    inside = panel.values[None, 5 : 5 + H, 1:]
    outside, whole = one.outside(panel, rows, series, ahead=inside)
    assert whole == L * (1 + P) + H * P
    assert one.outside(panel, rows, series, ahead=inside + 1e6)[0] == outside + H * P
