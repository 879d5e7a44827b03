"""The forecasts of NumPy and torch beside each other, and which of them the work asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import AheadColumns, Anchor, Normalize, fit_scaling
from lstm_forecast.data.statics import StaticColumn, Statics
from lstm_forecast.data.transform import Transform
from lstm_forecast.forecasting.engines import MOST_WORK, PART, engine_for, numpy_work
from lstm_forecast.forecasting.forecast import Forecaster
from lstm_forecast.model.architecture import Architecture, weight_count
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import random_walks
from tests.model.in_arrays import in_arrays

L, H = 6, 3
KINDS = (StaticColumn("kind", ("a", "b", "c")), StaticColumn("size"))
WHAT = Statics(KINDS, np.array([[1.0, 0.3], [0.0, -1.2], [3.0, 0.0]]))


def both(panel: Panel, *, normalize: Normalize, anchor: Anchor, transform: Transform, **options: Any) -> Any:
    """A forecaster of two networks in torch, and the same in NumPy."""
    scaling = fit_scaling(
        panel,
        method="standard",
        scaled_range=(0, 1),
        per="series",
        normalize=normalize,
        transform=transform,
        season=4,
        ahead=AheadColumns(given=2) if "ahead_size" in options else AheadColumns(),
    )
    torch.manual_seed(1)
    models = [RegLSTM(len(panel.columns), 5, 2, output_size=H, **options).eval() for _ in range(2)]
    with torch.no_grad():
        for model in models:
            for parameter in model.parameters():
                parameter.normal_(std=0.4)
    levels = (0.1, 0.5, 0.9) if "num_quantiles" in options else ()
    lowest = np.full(len(panel), -np.inf)
    in_torch = Forecaster(tuple(models), scaling, L, anchor, 4, lowest, levels)
    return in_torch, replace(in_torch, networks=(), arrays=tuple(map(in_arrays, models)))


@pytest.mark.parametrize("options", [{}, {"num_quantiles": 3, "cell": "gru"}, {"ahead_size": 2}], ids=str)
@pytest.mark.parametrize("normalize", ["none", "diff", "last", "mean_std"])
@pytest.mark.parametrize(("anchor", "transform"), [("none", "log"), ("last", "none"), ("seasonal", "none")])
def test_both_give_the_same_forecasts(
    normalize: Normalize, anchor: Anchor, transform: Transform, options: dict[str, Any]
) -> None:
    """Also where forecasts are read again as rows; 1e-5 of how far the values of the panel lie apart."""
    columns = 3 if "ahead_size" in options else 1
    panel = random_walks(40, 30, 20, columns=columns)
    if columns == 3:
        panel, options = replace(panel, statics=WHAT), {**options, "static_sizes": WHAT.sizes}
    one, other = both(panel, normalize=normalize, anchor=anchor, transform=transform, **options)
    assert one.horizon == other.horizon == H
    rows, series = np.array([39, 69, 89, 30, 10]), np.array([0, 1, 2, 0, 0])
    for horizon in (H, 2 * H + 1):
        ahead = np.random.default_rng(0).normal(size=(5, horizon, 2)) if columns == 3 else None
        found, expected = (
            made.at(panel, rows, series, horizon=horizon, ahead=ahead) for made in (other, one)
        )
        near = 1e-5 * np.ptp(panel.values[:, 0])
        np.testing.assert_allclose(found.point, expected.point, rtol=0, atol=near)
        if expected.quantiles is not None:
            np.testing.assert_allclose(found.quantiles, expected.quantiles, rtol=0, atol=near)
        else:
            assert found.quantiles is None
    assert other.outside(panel, rows, series) == one.outside(panel, rows, series)


def test_many_windows_go_in_parts_and_none_is_no_forecast() -> None:
    panel = random_walks(PART + 40)
    one, other = both(panel, normalize="diff", anchor="last", transform="none")
    rows = np.arange(L - 1, L - 1 + PART + 20)
    series = np.zeros_like(rows)
    found, expected = (made.at(panel, rows, series, horizon=H).point for made in (other, one))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert other.at(panel, rows[:0], series[:0], horizon=H).point.shape == (0, H)


MADE = Architecture(input_size=1, hidden_size=64, num_layers=2, output_size=5)


def test_one_series_is_computed_in_numpy_and_ten_thousand_in_torch() -> None:
    assert engine_for(MADE, networks=1, lookback=60, windows=1, horizon=5) == "numpy"
    assert engine_for(MADE, networks=5, lookback=60, windows=100, horizon=30) == "torch"
    assert engine_for(MADE, networks=1, lookback=60, windows=10_000, horizon=5) == "torch"
    assert engine_for(MADE, networks=1, lookback=60, windows=1, horizon=100_000) == "torch"
    wide = replace(MADE, hidden_size=2_000)
    assert engine_for(wide, networks=1, lookback=60, windows=1, horizon=5) == "numpy"
    assert engine_for(wide, networks=1, lookback=720, windows=1, horizon=5) == "torch"


def test_the_work_is_that_of_the_recurrent_weights_by_hand() -> None:
    small = Architecture(input_size=1, hidden_size=3, num_layers=1, bias=False, output_size=2, segment=2)
    # 4 gates x 3 units x (2 values + 3 units) weights; 8 / 2 steps; 3 blocks; two parts of 100,000 each
    assert numpy_work(small, lookback=8, windows=PART + 1, horizon=5) == 12 * (200_000 + 60 * (PART + 1))


@settings(max_examples=30, deadline=None)
@given(
    networks=st.integers(1, 9),
    windows=st.integers(0, 5_000),
    horizon=st.integers(1, 200),
    more=st.integers(0, 99),
)
def test_more_work_is_never_taken_from_torch_to_numpy(
    networks: int, windows: int, horizon: int, more: int
) -> None:
    for name in ("networks", "windows", "horizon"):
        asked = {"networks": networks, "windows": windows, "horizon": horizon, "lookback": 60}
        if engine_for(MADE, **asked) == "torch":
            assert engine_for(MADE, **{**asked, name: asked[name] + more}) == "torch"
    assert weight_count(MADE) < MOST_WORK
