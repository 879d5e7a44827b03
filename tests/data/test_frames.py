"""What is taken out of each window and put back: training and forecasting against one slow loop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Anchor, Normalize, Scaling, fit_scaling, network_inputs, outside_range
from lstm_forecast.data.tensors import PanelTensors, gather_batch, panel_tensors
from lstm_forecast.data.transform import Transform
from lstm_forecast.data.windows import season_rows
from lstm_forecast.forecasting.forecast import Forecaster
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import panel_of

L, H, M = 6, 5, 3
CPU = torch.device("cpu")
Floats = NDArray[np.float64]
KINDS = [
    (normalize, anchor, transform)
    for normalize, anchor, transform in itertools.product(
        ("none", "diff", "last", "mean_std"), ("none", "last", "seasonal"), ("none", "log", "log1p")
    )
    if (normalize, anchor) != ("diff", "none")
]
KIND = pytest.mark.parametrize(("normalize", "anchor", "transform"), KINDS)


def panel(columns: int = 1) -> Panel:
    draw = np.random.default_rng(7)
    blocks = [draw.random((n, columns)) * size + size for n, size in ((30, 3.0), (25, 900.0))]
    return panel_of(*(block[:, 0] if columns == 1 else block for block in blocks))


def scaled(rows: Panel, normalize: Normalize, transform: Transform) -> Scaling:
    return fit_scaling(
        rows,
        method="minmax",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize=normalize,
        transform=transform,
        season=M,
    )


def tensors_of(rows: Panel, scaling: Scaling, anchor: Anchor) -> PanelTensors:
    return panel_tensors(rows, scaling, anchor=anchor, season=M, device=CPU)


def there(value: float, transform: str) -> float:
    return {"none": value, "log": np.log(value), "log1p": np.log1p(value)}[transform]


def back(value: float, transform: str) -> float:
    return {"none": value, "log": np.exp(value), "log1p": np.expm1(value)}[transform]


def frame(window: Floats, scaling: Scaling, s: int) -> tuple[float, float, list[float]]:
    """Location, scale and inputs of one window of transformed values, step by step."""
    offset, unit, step = (float(a[s, 0]) for a in (scaling.offset, scaling.unit, scaling.step_unit))
    z = [(value - offset) / unit for value in window.tolist()]
    if scaling.normalize == "diff":
        return offset, step, [0.0, *((b - a) * unit / step for a, b in itertools.pairwise(z))]
    if scaling.normalize == "last":
        return offset + unit * z[-1], unit, [value - z[-1] for value in z]
    if scaling.normalize == "mean_std":
        mean = sum(z) / len(z)
        scale = max((sum((v - mean) ** 2 for v in z) / len(z)) ** 0.5, 0.1 * step / unit)
        return offset + unit * mean, unit * scale, [(value - mean) / scale for value in z]
    return offset, unit, z


def anchor_row(row: int, step: int, anchor: str) -> int:
    """The row whose value the answer for ``step`` ahead of ``row`` is added to."""
    if anchor == "last":
        return row
    found = row + step
    while found > row:
        found -= M
    return found


@KIND
def test_targets_and_inputs_are_those_of_a_slow_loop(
    normalize: Normalize, anchor: Anchor, transform: Transform
) -> None:
    rows = panel()
    scaling = scaled(rows, normalize, transform)
    start = [2, 19, 33, 44]
    batch = gather_batch(
        tensors_of(rows, scaling, anchor), torch.tensor(start), lookback=L, horizon=H, every_step=False
    )
    for b, first in enumerate(start):
        s, end = int(first >= 30), first + L - 1
        changed = np.array([there(v, transform) for v in rows.values[:, 0]])
        zero, scale, inputs = frame(changed[first : first + L], scaling, s)
        np.testing.assert_allclose(batch.x[b, :, 0], inputs, rtol=1e-4, atol=1e-5)
        for h in range(1, H + 1):
            base = zero if anchor == "none" else changed[anchor_row(end, h, anchor)]
            assert batch.y[b, h - 1] == pytest.approx((changed[end + h] - base) / scale, rel=1e-4, abs=1e-5)


@KIND
def test_the_right_answer_forecasts_the_truth(
    normalize: Normalize, anchor: Anchor, transform: Transform
) -> None:
    """What training asks the network for is what forecasting turns into the value itself."""
    rows = panel()
    scaling = scaled(rows, normalize, transform)
    start = torch.tensor([0, 3, 35])
    batch = gather_batch(tensors_of(rows, scaling, anchor), start, lookback=L, horizon=H, every_step=False)
    made = Forecaster((untouched(),), scaling, L, anchor, M, np.full(2, -np.inf))
    window = rows.values[start.numpy()[:, None] + np.arange(L)]
    got = made._original(batch.y.double().numpy(), window, np.array([0, 0, 1]))
    truth = rows.values[start.numpy()[:, None] + L + np.arange(H), 0]
    np.testing.assert_allclose(got, truth, rtol=1e-5)


@pytest.mark.parametrize("segment", [1, 3])
def test_every_steps_seasonal_targets_are_those_of_a_slow_loop(segment: int) -> None:
    rows = panel()
    scaling = scaled(rows, "none", "none")
    start = [0, 1, 30, 40]
    batch = gather_batch(
        tensors_of(rows, scaling, "seasonal"),
        torch.tensor(start),
        lookback=L,
        horizon=H,
        every_step=True,
        segment=segment,
    )
    for b, first in enumerate(start):
        s = int(first >= 30)
        for t, step in enumerate(range(segment - 1, L, segment)):
            for h in range(1, H + 1):
                base = anchor_row(first + step, h, "seasonal")
                known = base >= 30 * s  # before the first row of a series there is no season to add to
                assert batch.weight[b, t, h - 1] == float(known)
                if known:
                    difference = rows.values[first + step + h, 0] - rows.values[base, 0]
                    assert batch.y[b, t, h - 1] == pytest.approx(difference / scaling.unit[s, 0], rel=1e-5)
    assert batch.y.shape == (4, L // segment, H)


def untouched(features: int = 1, **changes: object) -> RegLSTM:
    settings = {"output_size": H, "zero_head": True} | changes
    model = RegLSTM(features, 4, **settings)  # type: ignore[arg-type]
    initialise(model, torch.Generator().manual_seed(3))
    return model.eval()


@pytest.mark.parametrize("normalize", ["none", "diff", "last", "mean_std"])
@pytest.mark.parametrize("transform", ["none", "log", "log1p"])
@pytest.mark.parametrize("level", [1e-12, 1.0, 1e9])
def test_an_untouched_seasonal_model_is_the_seasonal_naive_forecast_bit_for_bit(
    normalize: Normalize, transform: Transform, level: float
) -> None:
    values = (1 + np.random.default_rng(4).random(40)) * level / 3
    rows = panel_of(values)
    made = Forecaster((untouched(),), scaled(rows, normalize, transform), L, "seasonal", M, np.zeros(1))
    got = made.at(rows, np.array([12, 39]), np.zeros(2, dtype=np.int64), horizon=2 * H).point
    for row, forecast in zip((12, 39), got, strict=True):
        known = values[: row + 1].tolist()
        for _ in range(2 * H):
            known.append(known[-M])
        # beyond the trained horizon the forecasts are read as values, which a season repeats as well
        assert forecast.tolist() == known[row + 1 :]


def test_a_window_of_equal_values_has_a_scale_and_gives_finite_forecasts() -> None:
    values = np.concatenate([np.random.default_rng(5).normal(size=30).cumsum(), np.full(20, 4.0)])
    rows = panel_of(values)
    scaling = scaled(rows, "mean_std", "none")
    batch = gather_batch(
        tensors_of(rows, scaling, "last"), torch.tensor([38]), lookback=L, horizon=H, every_step=False
    )
    assert torch.equal(batch.x, torch.zeros(1, L, 1))
    floor = 0.1 * float(np.std(np.diff(values)))
    made = Forecaster((untouched(zero_head=False),), scaling, L, "last", 1, np.full(1, -np.inf))
    got = made.at(rows, np.array([49]), np.array([0]), horizon=H).point[0]
    with torch.no_grad():
        answer = made.networks[0].final(torch.zeros(1, L, 1))[0].double().numpy()
    np.testing.assert_allclose(got, 4.0 + answer * floor, rtol=1e-6)


@pytest.mark.parametrize("normalize", ["last", "mean_std"])
def test_covariates_have_their_own_frame(normalize: Normalize) -> None:
    rows = panel(columns=3)
    scaling = scaled(rows, normalize, "none")
    window = rows.values[4 : 4 + L]
    got = network_inputs(window[None], scaling, np.array([0]))[0]
    z = (window - scaling.offset[0]) / scaling.unit[0]
    wanted = z - z[-1] if normalize == "last" else (z - z.mean(axis=0)) / z.std(axis=0)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    batch = gather_batch(
        tensors_of(rows, scaling, "last"), torch.tensor([4]), lookback=L, horizon=H, every_step=False
    )
    np.testing.assert_allclose(batch.x[0], got, rtol=1e-4, atol=1e-6)


def test_no_training_window_is_outside_its_own_range() -> None:
    rows = panel(columns=2)
    for normalize in ("last", "mean_std"):
        scaling = scaled(rows, normalize, "none")
        windows = rows.values[np.arange(20)[:, None] + np.arange(L)]
        series = np.zeros(20, dtype=np.int64)
        assert not outside_range(network_inputs(windows, scaling, series), scaling, series).any()
    far = rows.values[None, :L].copy()
    far[0, -1, 0] += 100 * float(np.ptp(rows.values[:30, 0]))
    scaling = scaled(rows, "last", "none")
    first = np.zeros(1, dtype=np.int64)
    assert outside_range(network_inputs(far, scaling, first), scaling, first).any()


def test_the_row_of_the_same_season_is_never_in_the_future() -> None:
    assert season_rows(7, 3).tolist() == [-2, -1, 0, -2, -1, 0, -2]
    assert season_rows(3, 7).tolist() == [-6, -5, -4]
    assert season_rows(2, 1).tolist() == [0, 0]


@pytest.mark.parametrize("normalize", ["none", "diff"])
def test_every_step_sees_no_later_row(normalize: Normalize) -> None:
    rows = panel()
    later = panel()
    later.values[12:30] *= 3
    scaling = scaled(rows, normalize, "none")

    def gathered(of: Panel) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = tensors_of(of, scaling, "seasonal")
        batch = gather_batch(tensors, torch.tensor([2]), lookback=12, horizon=H, every_step=True)
        return batch.x, batch.base

    (x, base), (other_x, other_base) = gathered(rows), gathered(later)
    assert torch.equal(x[:, :10], other_x[:, :10])
    assert torch.equal(base[:, :10], other_base[:, :10])
    assert not torch.equal(x[:, 10:], other_x[:, 10:])
