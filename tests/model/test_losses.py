"""Point and quantile losses against hand-computed numbers, torch's own and scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss
from torch import Tensor, nn

from lstm_forecast.model.losses import LOSSES, LossName, pinball_loss, point_loss

FORECAST = [[1.0, 2.0], [5.0, -1.0]]
TARGET = [[0.5, 4.0], [5.0, 2.0]]  # errors 0.5, -2, 0, -3
BY_HAND: dict[LossName, float] = {
    "mse": (0.25 + 4 + 0 + 9) / 4,
    "mae": (0.5 + 2 + 0 + 3) / 4,
    "huber": (0.125 + 1.5 + 0 + 2.5) / 4,
}
TORCH: dict[LossName, nn.Module] = {"mse": nn.MSELoss(), "mae": nn.L1Loss(), "huber": nn.HuberLoss(delta=1.0)}


def tensors(weight: list[list[float]]) -> tuple[Tensor, Tensor, Tensor]:
    return torch.tensor(FORECAST, requires_grad=True), torch.tensor(TARGET), torch.tensor(weight)


def test_the_names_are_those_the_configuration_offers() -> None:
    assert LOSSES == ("mse", "mae", "huber")


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_the_number_computed_by_hand(name: LossName) -> None:
    forecast, target, weight = tensors([[1, 1], [1, 1]])
    assert point_loss(name, forecast, target, weight).item() == BY_HAND[name]


@pytest.mark.parametrize("name", LOSSES)
def test_with_weights_of_one_value_and_gradient_are_torchs(name: LossName) -> None:
    generator = torch.Generator().manual_seed(3)
    forecast = (2 * torch.randn(4, 6, 3, generator=generator)).requires_grad_()
    target = torch.randn(4, 6, 3, generator=generator)
    ours = point_loss(name, forecast, target, torch.ones_like(target))
    theirs = TORCH[name](forecast, target)
    torch.testing.assert_close(ours, theirs)
    ours_gradient, theirs_gradient = (torch.autograd.grad(loss, forecast)[0] for loss in (ours, theirs))
    torch.testing.assert_close(ours_gradient, theirs_gradient)


def test_the_mean_is_taken_over_the_elements_that_count() -> None:
    forecast, target, weight = tensors([[1, 0], [0, 1]])  # errors 0.5 and -3 remain
    assert point_loss("mse", forecast, target, weight).item() == (0.25 + 9) / 2
    assert point_loss("mae", forecast, target, weight).item() == (0.5 + 3) / 2
    assert point_loss("huber", forecast, target, weight).item() == (0.125 + 2.5) / 2


@pytest.mark.parametrize("name", LOSSES)
def test_a_missing_target_of_weight_zero_reaches_neither_value_nor_gradient(name: LossName) -> None:
    forecast, target, weight = tensors([[1, 0], [1, 1]])
    clean = point_loss(name, forecast, target, weight)
    holed = point_loss(name, forecast, torch.where(weight > 0, target, math.nan), weight)
    assert holed.item() == clean.item()
    gradient = torch.autograd.grad(holed, forecast)[0]
    assert gradient[0, 1] == 0
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_missing_target_that_counts_is_not_hidden(name: LossName) -> None:
    forecast, target, weight = tensors([[1, 1], [1, 1]])
    target[0, 0] = math.nan
    assert point_loss(name, forecast, target, weight).isnan()


@pytest.mark.parametrize("name", LOSSES)
def test_without_any_weight_the_loss_is_zero_and_can_be_stepped_back(name: LossName) -> None:
    forecast, target, weight = tensors([[0, 0], [0, 0]])
    loss = point_loss(name, forecast, target, weight)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, forecast)[0].tolist() == [[0, 0], [0, 0]]


def test_shards_weighted_by_their_elements_add_up_to_the_batch() -> None:
    forecast, target, weight = tensors([[1, 0], [1, 1]])
    shards = [point_loss("mse", forecast[k], target[k], weight[k]) * weight[k].sum() for k in (0, 1)]
    whole = point_loss("mse", forecast, target, weight)
    torch.testing.assert_close((shards[0] + shards[1]) / weight.sum(), whole)


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError) as caught:
        point_loss("mse", torch.zeros(4, 1), torch.zeros(4), torch.ones(4))
    assert str(caught.value) == "forecast, target and weight must have one shape; got (4, 1), (4,), (4,)"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError) as caught:
        point_loss("rmse", torch.zeros(1), torch.zeros(1), torch.ones(1))  # type: ignore[arg-type]
    assert str(caught.value) == "loss: got 'rmse', expected one of mse, mae, huber"


LEVELS = (0.1, 0.5, 0.9)


def drawn(*, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Quantiles [4, 3, Q], targets and weights [4, 3], some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    forecast = torch.randn(4, 3, len(LEVELS), generator=generator, dtype=torch.float64)
    target = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    weight = (torch.rand(4, 3, generator=generator) < 0.7).double()
    return forecast.requires_grad_(), target, weight


def test_the_pinball_loss_is_the_number_computed_by_hand() -> None:
    """Target 3: the forecasts 1, 3 and 7 of 10, 50 and 90 % cost 0.1 x 2, 0 and 0.1 x 4."""
    loss = pinball_loss(LEVELS, torch.tensor([[1.0, 3.0, 7.0]]), torch.tensor([3.0]), torch.ones(1))
    assert loss.item() == pytest.approx((0.2 + 0.0 + 0.4) / 3)


@pytest.mark.parametrize("seed", range(4))
def test_the_pinball_loss_is_that_of_a_plain_loop(seed: int) -> None:
    forecast, target, weight = drawn(seed=seed)
    total, count = 0.0, 0.0
    for b in range(4):
        for h in range(3):
            for q, level in enumerate(LEVELS):
                error = float(target[b, h] - forecast.detach()[b, h, q])
                cost = level * error if error >= 0 else (level - 1) * error
                total += float(weight[b, h]) * cost / len(LEVELS)
            count += float(weight[b, h])
    assert pinball_loss(LEVELS, forecast, target, weight).item() == pytest.approx(total / count, rel=1e-12)


def test_with_weights_of_one_the_pinball_loss_is_the_mean_of_scikit_learns() -> None:
    forecast, target, _ = drawn()
    theirs = [
        mean_pinball_loss(target.reshape(-1), forecast.detach()[:, :, q].reshape(-1), alpha=level)
        for q, level in enumerate(LEVELS)
    ]
    ours = pinball_loss(LEVELS, forecast, target, torch.ones_like(target))
    assert ours.item() == pytest.approx(np.mean(theirs), rel=1e-12)


def test_the_pinball_loss_of_the_median_alone_is_half_the_absolute_error() -> None:
    forecast, target, weight = drawn()
    median = forecast[:, :, 1:2]
    half = point_loss("mae", median[:, :, 0], target, weight) / 2
    torch.testing.assert_close(pinball_loss([0.5], median, target, weight), half)


def test_the_constant_that_costs_least_is_the_quantile() -> None:
    sample = torch.arange(1.0, 101.0, dtype=torch.float64)
    for level, best in ((0.1, 10.5), (0.5, 50.5), (0.95, 95.5)):
        costs = [
            pinball_loss([level], torch.full((100, 1), value), sample, torch.ones(100)).item()
            for value in (best - 4, best, best + 4)
        ]
        assert min(costs) == costs[1]


def test_a_missing_target_reaches_neither_pinball_loss_nor_gradient() -> None:
    forecast, target, weight = drawn()
    assert 0 < weight.sum() < weight.numel()
    clean = pinball_loss(LEVELS, forecast, target, weight)
    holed = pinball_loss(LEVELS, forecast, torch.where(weight > 0, target, math.nan), weight)
    assert holed.item() == clean.item()
    gradient = torch.autograd.grad(holed, forecast)[0]
    assert (gradient[weight == 0] == 0).all()
    assert (gradient[weight > 0] != 0).all()
    nothing = pinball_loss(LEVELS, forecast, target, torch.zeros_like(weight))
    assert nothing.item() == 0
    assert not torch.autograd.grad(nothing, forecast)[0].any()


@pytest.mark.parametrize(
    ("forecast", "target", "weight"),
    [((4, 3), (4,), (3,)), ((4, 2), (4,), (4,)), ((4,), (4,), (4,)), ((3, 4), (4,), (4,))],
)
def test_quantiles_of_another_shape_are_refused(
    forecast: tuple[int, ...], target: tuple[int, ...], weight: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"forecast must be \(4, 3\) and weight \(4,\)"):
        pinball_loss(LEVELS, torch.zeros(forecast), torch.zeros(target), torch.ones(weight))
