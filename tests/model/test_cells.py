"""The LSTM with peepholes on its own: against torch's LSTM, the NumPy loop and numerical derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model.cells import PeepholeLSTM
from tests.model import numpy_reference as reference

L, B, F, D = 6, 3, 2, 4


def layer(*, bias: bool = True, bidirectional: bool = False) -> PeepholeLSTM:
    torch.manual_seed(5)
    return PeepholeLSTM(F, D, bias=bias, bidirectional=bidirectional).double()


def inputs(directions: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    shapes = [(L, B, F), (directions, B, D), (directions, B, D)]
    x, h0, c0 = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return x.requires_grad_(), h0.requires_grad_(), c0.requires_grad_()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_without_peephole_weights_it_is_torchs_lstm(bias: bool, bidirectional: bool) -> None:
    ours = layer(bias=bias, bidirectional=bidirectional)
    theirs = nn.LSTM(F, D, bias=bias, bidirectional=bidirectional).double()
    common = {name: p for name, p in ours.state_dict().items() if "peephole" not in name}
    theirs.load_state_dict(common)  # strict: the names are torch's
    for name, parameter in ours.named_parameters():
        if "peephole" in name:
            nn.init.zeros_(parameter)
    x, h0, c0 = inputs(2 if bidirectional else 1)
    results = []
    for module in (ours, theirs):
        out, (h_n, c_n) = module(x, (h0, c0))
        loss = (out * out).sum() + h_n.sum() + (3 * c_n).sum()
        weights = [p for name, p in sorted(module.named_parameters()) if "peephole" not in name]
        results.append([out, h_n, c_n, *torch.autograd.grad(loss, [x, h0, c0, *weights])])
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)


def test_both_directions_equal_two_layers_of_which_one_reads_the_reversed_sequence() -> None:
    both = layer(bidirectional=True)
    there, back = layer(), layer()
    for name, parameter in there.named_parameters():
        parameter.data = both.get_parameter(name).data
        back.get_parameter(name).data = both.get_parameter(name + "_reverse").data
    x, h0, c0 = inputs(2)
    out, (h_n, c_n) = both(x, (h0, c0))
    out_there, (h_there, c_there) = there(x, (h0[:1], c0[:1]))
    out_back, (h_back, c_back) = back(x.flip(0), (h0[1:], c0[1:]))
    torch.testing.assert_close(out, torch.cat([out_there, out_back.flip(0)], dim=-1))
    torch.testing.assert_close(h_n, torch.cat([h_there, h_back]))
    torch.testing.assert_close(c_n, torch.cat([c_there, c_back]))


def test_values_and_gradients_are_those_of_the_loop_of_gate_equations() -> None:
    ours = layer()
    x, h0, c0 = inputs(1)
    weights = {
        name.removeprefix("weight_").removesuffix("_l0")
        if "peephole" in name
        else name.removesuffix("_l0"): p
        for name, p in ours.named_parameters()
    }
    arrays = {name: p.detach().numpy() for name, p in weights.items()}
    expected, trace = reference.lstm(
        x.detach().numpy(), h0[0].detach().numpy(), c0[0].detach().numpy(), arrays
    )
    out, (h_n, c_n) = ours(x, (h0, c0))
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(h_n[0].detach().numpy(), trace.h[-1], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(c_n[0].detach().numpy(), trace.c[-1], rtol=1e-12, atol=1e-14)

    rng = np.random.default_rng(7)
    d_out, d_c = rng.normal(size=(L, B, D)), rng.normal(size=(B, D))
    loss = (out * torch.from_numpy(d_out)).sum() + (c_n[0] * torch.from_numpy(d_c)).sum()
    got = torch.autograd.grad(loss, [x, h0, c0, *weights.values()])
    want = reference.lstm_backward(x.detach().numpy(), d_out, d_c, arrays, trace)
    assert want.c0 is not None
    expected_all = [want.x, want.h0[None], want.c0[None], *(want.weights[name] for name in weights)]
    for gradient, by_hand in zip(got, expected_all, strict=True):
        np.testing.assert_allclose(gradient.numpy(), by_hand, rtol=1e-10, atol=1e-12)


def test_the_gradient_agrees_with_finite_differences() -> None:
    torch.manual_seed(8)
    small = PeepholeLSTM(1, 2, bidirectional=True).double()
    names = [name for name, _ in small.named_parameters()]
    weights = [p.detach().clone().requires_grad_() for p in small.parameters()]
    x = torch.randn(3, 2, 1, dtype=torch.float64, requires_grad=True)

    def outputs(x: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out, (h_n, c_n) = torch.func.functional_call(small, dict(zip(names, weights, strict=True)), (x,))
        return out, h_n, c_n

    assert torch.autograd.gradcheck(outputs, (x, *weights))


def test_each_peephole_changes_the_output() -> None:
    ours = layer()
    x, h0, c0 = inputs(1)
    before = ours(x, (h0, c0))[0]
    for gate in range(3):
        changed = layer()
        with torch.no_grad():
            changed.get_parameter("weight_peephole_l0")[gate] += 1.0
        assert not torch.allclose(changed(x, (h0, c0))[0], before)


def test_no_state_means_zeros() -> None:
    ours = layer()
    x, h0, c0 = inputs(1)
    zeros = (torch.zeros_like(h0), torch.zeros_like(c0))
    assert torch.equal(ours(x)[0], ours(x, zeros)[0])


def test_weights_are_named_shaped_and_started_as_torchs() -> None:
    ours, theirs = PeepholeLSTM(2, 16), nn.LSTM(2, 16)
    shapes = {name: tuple(p.shape) for name, p in ours.named_parameters()}
    assert shapes.pop("weight_peephole_l0") == (3, 16)
    assert shapes == {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    largest = max(p.abs().max().item() for p in ours.parameters())
    assert 0.9 / math.sqrt(16) < largest <= 1 / math.sqrt(16)
