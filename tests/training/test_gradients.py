"""Gradient norms per layer and clipping, against torch."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.gradients import GradientNorms, clip


def with_gradients(scale: float = 1.0) -> RegLSTM:
    torch.manual_seed(4)
    model = RegLSTM(2, [5, 3], 2, output_size=2, layer_norm=True, initial_state="learned", head_layers=[4])
    (model(torch.randn(6, 7, 2)).square().sum() * scale).backward()
    return model


def gradients_of(model: nn.Module) -> list[torch.Tensor | None]:
    return [parameter.grad for parameter in model.parameters()]


def test_the_layers_of_a_network_are_named() -> None:
    names = GradientNorms(with_gradients()).names
    assert names == ["layers.0", "layers.1", "norms.0", "norms.1", "learned_state", "head"]


def test_each_norm_is_that_of_the_layers_gradients_as_one_vector() -> None:
    model = with_gradients()
    norms = GradientNorms(model)
    parts = norms.measure(gradients_of(model))
    assert parts.shape == (norms.count,)
    [whole] = norms.by_layer(parts.double().numpy()[None])
    measured = dict(zip(norms.names, whole.tolist(), strict=True))
    modules: dict[str, nn.Module] = {
        "layers.0": model.layers[0],
        "layers.1": model.layers[1],
        "norms.0": model.norms[0],
        "norms.1": model.norms[1],
        "learned_state": model.learned_state,
        "head": model.head,
    }
    for name, module in modules.items():
        gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        expected = torch.linalg.vector_norm(torch.cat(gradients)).item()
        assert measured[name] == pytest.approx(expected, rel=1e-6), name


@pytest.mark.parametrize("longest", [1e-6, 0.1, 1.0, 1e6])
def test_clipping_is_torchs(longest: float) -> None:
    model = with_gradients()
    other = deepcopy(model)
    for mine, copy in zip(model.parameters(), other.parameters(), strict=True):
        copy.grad = None if mine.grad is None else mine.grad.clone()
    clip(gradients_of(model), GradientNorms(model).measure(gradients_of(model)), longest)
    nn.utils.clip_grad_norm_(other.parameters(), longest)
    for mine, copy in zip(model.parameters(), other.parameters(), strict=True):
        assert mine.grad is not None
        assert copy.grad is not None
        torch.testing.assert_close(mine.grad, copy.grad, rtol=1e-6, atol=0)


def test_a_gradient_shorter_than_the_limit_is_left_alone() -> None:
    model = with_gradients(scale=1e-6)
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    clip(gradients_of(model), GradientNorms(model).measure(gradients_of(model)), 1.0)
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_parameters_without_a_gradient_count_as_zero() -> None:
    model = RegLSTM(1, 3)
    norms = GradientNorms(model)
    [*_, bias] = model.head.parameters()
    bias.grad = torch.tensor([3.0])
    measured = norms.measure(gradients_of(model))
    assert norms.by_layer(measured.double().numpy()[None]).tolist() == [[0.0, 3.0]]
    clip(gradients_of(model), measured, 1.0)
    assert bias.grad.item() == pytest.approx(1.0)
    nothing = norms.measure([None] * norms.count)
    assert nothing.tolist() == [0.0] * norms.count
    clip([None] * norms.count, nothing, 1.0)
