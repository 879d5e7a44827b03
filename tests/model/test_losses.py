"""Point losses against hand-computed numbers and against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model import LOSSES, point_loss
from lstm_forecast.model.losses import LossName

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
