"""Starting weights: from the given generator alone, with the bounds, orthogonality and biases promised."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from lstm_forecast.model.architecture import CellName
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.reglstm import RegLSTM

F, D = 3, 16
CELLS: tuple[CellName, ...] = get_args(CellName)


def initialised(cell: CellName = "lstm", *, seed: int = 0, zero_head: bool = False) -> RegLSTM:
    model = RegLSTM(
        F,
        [D, 8],
        2,
        cell=cell,
        bidirectional=True,
        layer_norm=True,
        initial_state="learned",
        head_layers=(10,),
        zero_head=zero_head,
    )
    for parameter in model.parameters():  # so that a parameter left out cannot pass by luck
        torch.nn.init.constant_(parameter, 7.0)
    initialise(model, torch.Generator().manual_seed(seed))
    return model


@pytest.mark.parametrize("cell", CELLS)
def test_the_same_seed_gives_the_same_weights_whatever_the_global_generator_does(cell: CellName) -> None:
    torch.manual_seed(1)
    first = initialised(cell).state_dict()
    torch.manual_seed(2)
    second = initialised(cell).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = initialised(cell, seed=1).state_dict()
    drawn = [name for name in first if "weight_ih" in name or "weight_hh" in name or name == "head.0.weight"]
    assert len(drawn) == 9
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def test_the_global_generator_is_not_touched() -> None:
    model = RegLSTM(F, D, 2, cell="lstm_peephole")
    before = torch.get_rng_state()
    initialise(model, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_layers_are_uniform_within_one_over_the_root_of_their_width(cell: CellName) -> None:
    for layer, size in zip(initialised(cell).layers, (D, 8), strict=True):
        bound = 1 / math.sqrt(size)
        for name, weight in layer.named_parameters():
            if "peephole" in name:
                assert weight.tolist() == torch.zeros_like(weight).tolist()
                continue
            assert weight.abs().max().item() <= bound
            if weight.numel() >= 100:
                assert weight.abs().max().item() > 0.95 * bound
                assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)


def test_peepholes_start_at_zero_so_that_the_layer_starts_as_a_plain_lstm() -> None:
    x = torch.randn(4, 5, F, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(initialised("lstm_peephole").final(x), initialised("lstm").final(x))


def test_norms_and_learned_states_start_neutral() -> None:
    for name, value in initialised().state_dict().items():
        if name.startswith("norms"):
            assert (value == (1.0 if name.endswith("weight") else 0.0)).all()
        if name.startswith("learned_state"):
            assert (value == 0.0).all()


def test_head_layers_are_uniform_within_one_over_the_root_of_their_inputs() -> None:
    bound = 1 / math.sqrt(16)
    for name in ("head.0.weight", "head.0.bias"):
        drawn = initialised().get_parameter(name).abs().max().item()
        assert 0.7 * bound < drawn <= bound


def test_a_zero_head_is_zero_after_construction_and_after_initialising() -> None:
    x = torch.randn(4, 5, F, generator=torch.Generator().manual_seed(4))
    torch.manual_seed(5)
    fresh = RegLSTM(F, D, 2, head_layers=(6,), zero_head=True, output_size=2)
    assert fresh(x).tolist() == torch.zeros(4, 5, 2).tolist()
    model = initialised(zero_head=True)
    assert model.final(x).tolist() == torch.zeros(4, 1).tolist()
    assert model.get_parameter("head.0.weight").abs().min().item() > 0  # only the last layer is zero
    gradient = torch.autograd.grad(model.final(x).sum(), model.get_parameter("head.2.weight"))[0]
    assert gradient.abs().max().item() > 0  # and it can leave zero
