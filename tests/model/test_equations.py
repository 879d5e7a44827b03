"""RegLSTM against torch's layers with copied weights, and against the float64 loops of the gate equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model.architecture import CellName, Nonlinearity
from lstm_forecast.model.reglstm import RegLSTM
from tests.model import numpy_reference as reference

B, L, F, D = 3, 7, 2, 5


def series(seed: int = 1) -> Tensor:
    return torch.randn(B, L, F, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def torch_twin(cell: CellName, nonlinearity: Nonlinearity, *, bidirectional: bool) -> nn.RNNBase:
    if cell == "rnn":
        twin: nn.RNNBase = nn.RNN(
            F, D, 2, nonlinearity=nonlinearity, batch_first=True, bidirectional=bidirectional
        )
    elif cell == "gru":
        twin = nn.GRU(F, D, 2, batch_first=True, bidirectional=bidirectional)
    else:
        twin = nn.LSTM(F, D, 2, batch_first=True, bidirectional=bidirectional)
    return twin.double()


def copy_weights(model: RegLSTM, twin: nn.RNNBase) -> None:
    """Layer k of the model is ``…_lk`` of the stacked torch module."""
    twin.load_state_dict(
        {
            name.replace("_l0", f"_l{k}"): weight
            for k, layer in enumerate(model.layers)
            for name, weight in layer.state_dict().items()
        }
    )


@pytest.mark.parametrize(
    ("cell", "nonlinearity", "bidirectional"),
    [
        ("lstm", "tanh", False),
        ("lstm", "tanh", True),
        ("gru", "tanh", False),
        ("gru", "tanh", True),
        ("rnn", "tanh", False),
        ("rnn", "relu", True),
    ],
)
def test_stacked_layers_are_torchs_stacked_layers(
    cell: CellName, nonlinearity: Nonlinearity, bidirectional: bool
) -> None:
    torch.manual_seed(2)
    model = RegLSTM(F, D, 2, output_size=3, cell=cell, nonlinearity=nonlinearity, bidirectional=bidirectional)
    model.double()
    twin = torch_twin(cell, nonlinearity, bidirectional=bidirectional)
    copy_weights(model, twin)
    x = series().requires_grad_()
    state_shape = (2 * (2 if bidirectional else 1), B, D)
    h0, c0 = (torch.randn(state_shape, dtype=torch.float64) for _ in range(2))
    state: Tensor | tuple[Tensor, Tensor] = (h0, c0) if cell == "lstm" else h0
    linear = model.head[-1]
    outputs, gradients = [], []
    for hidden in (model(x, state), linear(twin(x, state)[0])):
        outputs.append(hidden)
        gradients.append(torch.autograd.grad(hidden.square().sum(), x)[0])
    assert outputs[0].shape == (B, L, 3)
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-12, atol=1e-13)

    h_n = twin(x)[1][0] if cell == "lstm" else twin(x)[1]
    last_layer = torch.cat([h_n[-2], h_n[-1]], dim=-1) if bidirectional else h_n[-1]
    torch.testing.assert_close(model.final(x), linear(last_layer), rtol=1e-12, atol=1e-13)


def arrays_of(layer: nn.Module) -> reference.Weights:
    found = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    named = {name.removesuffix("_l0"): value for name, value in found.items()}
    if "weight_peephole" in named:
        named["peephole"] = named.pop("weight_peephole")
    return named


def loop(
    cell: CellName, nonlinearity: Nonlinearity, x: reference.Array, weights: reference.Weights
) -> tuple[reference.Array, reference.Trace]:
    zeros = np.zeros((x.shape[1], D))
    if cell == "gru":
        return reference.gru(x, zeros, weights)
    if cell == "rnn":
        return reference.rnn(x, zeros, weights, nonlinearity=nonlinearity)
    return reference.lstm(x, zeros, zeros, weights)


def loop_backward(
    cell: CellName,
    nonlinearity: Nonlinearity,
    x: reference.Array,
    d_out: reference.Array,
    trained: tuple[reference.Weights, reference.Trace],
) -> reference.Gradients:
    weights, trace = trained
    if cell == "gru":
        return reference.gru_backward(x, d_out, weights, trace)
    if cell == "rnn":
        return reference.rnn_backward(x, d_out, weights, trace, nonlinearity=nonlinearity)
    return reference.lstm_backward(x, d_out, np.zeros_like(d_out[0]), weights, trace)


@pytest.mark.parametrize(
    ("cell", "nonlinearity"),
    [("lstm", "tanh"), ("gru", "tanh"), ("rnn", "tanh"), ("rnn", "relu"), ("lstm_peephole", "tanh")],
)
def test_two_layers_and_head_are_the_loops_of_gate_equations_forward_and_backward(
    cell: CellName, nonlinearity: Nonlinearity
) -> None:
    torch.manual_seed(3)
    model = RegLSTM(F, D, 2, output_size=2, cell=cell, nonlinearity=nonlinearity).double()
    x = series().requires_grad_()
    out = model(x)

    weights = [arrays_of(layer) for layer in model.layers]
    steps = x.detach().numpy().transpose(1, 0, 2)
    first, first_trace = loop(cell, nonlinearity, steps, weights[0])
    second, second_trace = loop(cell, nonlinearity, first, weights[1])
    head_weight, head_bias = (p.detach().numpy() for p in model.head.parameters())
    expected = second @ head_weight.T + head_bias
    np.testing.assert_allclose(out.detach().numpy().transpose(1, 0, 2), expected, rtol=1e-11, atol=1e-13)

    d_out = np.random.default_rng(4).normal(size=expected.shape)
    names = list(dict(model.layers.named_parameters()))
    loss = (out * torch.from_numpy(d_out.transpose(1, 0, 2))).sum()
    got = torch.autograd.grad(loss, [x, *model.layers.parameters()])
    back_second = loop_backward(cell, nonlinearity, first, d_out @ head_weight, (weights[1], second_trace))
    back_first = loop_backward(cell, nonlinearity, steps, back_second.x, (weights[0], first_trace))
    np.testing.assert_allclose(got[0].numpy().transpose(1, 0, 2), back_first.x, rtol=1e-10, atol=1e-12)
    for name, gradient in zip(names, got[1:], strict=True):
        layer, weight = name.removesuffix("_l0").split(".")
        by_hand = (back_first, back_second)[int(layer)].weights[weight.replace("weight_peephole", "peephole")]
        np.testing.assert_allclose(gradient.numpy(), by_hand, rtol=1e-10, atol=1e-12, err_msg=name)


def test_the_cell_state_read_at_the_end_is_the_loops() -> None:
    torch.manual_seed(4)
    model = RegLSTM(F, D, readout="cell").double()
    x = series().requires_grad_()
    out = model.final(x)
    weights = arrays_of(model.layers[0])
    steps = x.detach().numpy().transpose(1, 0, 2)
    hidden, trace = reference.lstm(steps, np.zeros((B, D)), np.zeros((B, D)), weights)
    head_weight, head_bias = (p.detach().numpy() for p in model.head.parameters())
    np.testing.assert_allclose(out.detach().numpy(), trace.c[-1] @ head_weight.T + head_bias, rtol=1e-11)

    got = torch.autograd.grad(out.sum(), [x, *model.layers.parameters()])
    d_c = np.ones((B, 1)) @ head_weight
    want = reference.lstm_backward(steps, np.zeros_like(hidden), d_c, weights, trace)
    np.testing.assert_allclose(got[0].numpy().transpose(1, 0, 2), want.x, rtol=1e-10, atol=1e-12)
    for gradient, name in zip(got[1:], ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
        np.testing.assert_allclose(gradient.numpy(), want.weights[name], rtol=1e-10, atol=1e-12)
