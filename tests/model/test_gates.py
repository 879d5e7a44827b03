"""The gates over a window: against a table by hand, float64 loops of the equations, and torch's layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model import gates
from lstm_forecast.model.architecture import CellName
from lstm_forecast.model.gates import LayerGates
from lstm_forecast.model.reglstm import RegLSTM
from tests.model import numpy_reference as reference
from tests.model.in_arrays import in_arrays

L, F = 9, 2
NAMES = {
    "lstm": ("input", "forget", "candidate", "output"),
    "lstm_peephole": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"layer_norm": True},
    {"initial_state": "learned"},
    {"initial_state": "random", "dropout": 0.5},
    {"bidirectional": True},
    {"bidirectional": True, "layer_norm": True, "initial_state": "learned", "bias": False, "dropout": 0.3},
    {"batch_first": False, "output_size": 3},
]


def gate_activations(model: RegLSTM, x: Tensor) -> list[LayerGates]:
    return gates.gate_activations(in_arrays(model), x.numpy())


def window(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(1, L, F, dtype=dtype, generator=torch.Generator().manual_seed(1))


def network(cell: CellName, options: dict[str, Any]) -> RegLSTM:
    """Two layers of different widths, every weight drawn: LayerNorm, peepholes and learned states too."""
    model = RegLSTM(F, [5, 3], 2, cell=cell, **options)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def in_numpy(model: RegLSTM, layer: int, suffix: str) -> reference.Weights:
    """One direction's weights as the float64 loops want them; absent biases are zero."""
    end = "_l0" + suffix
    parameters = dict(model.layers[layer].named_parameters())
    found = {name.removesuffix(end): p for name, p in parameters.items() if name.endswith(end)}
    zeros = np.zeros(len(found["weight_ih"]))
    weights: reference.Weights = {"bias_ih": zeros, "bias_hh": zeros}
    for name, p in found.items():
        weights[name.replace("weight_peephole", "peephole")] = p.detach().double().numpy()
    return weights


def start(model: RegLSTM, layer: int, direction: int) -> list[reference.Array]:
    size = model.hidden_sizes[layer]
    if model.initial_state != "learned":
        return [np.zeros((1, size))] * model.state_parts
    learned = model.learned_state[layer].detach().double().numpy()
    return [learned[part, direction] for part in range(model.state_parts)]


def by_hand(model: RegLSTM, x: Tensor) -> list[dict[str, reference.Array]]:
    """Every activation ``[L, D]`` of every layer and direction, from the loops alone."""
    sequence, found = x.double().numpy().transpose(1, 0, 2), []
    for k in range(model.num_layers):
        outputs = []
        for d in range(model.directions):
            order = slice(None, None, -1 if d else 1)
            weights = in_numpy(model, k, "_reverse" if d else "")
            run = reference.gru if model.cell == "gru" else reference.lstm
            hidden, trace = run(sequence[order], *start(model, k, d), weights)
            parts = {name: [] for name in NAMES[model.cell]}
            for row in trace.gates:
                for name, gate in zip(NAMES[model.cell], row, strict=False):
                    parts[name].append(gate[0])
            states = {"cell": [c[0] for c in trace.c[1:]]} if trace.c else {}
            rows = {**parts, **states, "hidden": list(hidden[:, 0])}
            found.append({name: np.array(row)[order] for name, row in rows.items()})
            outputs.append(hidden[order])
        sequence = np.concatenate(outputs, axis=2)
        if model.norms:
            norm = model.norms[k]
            spread = np.sqrt(sequence.var(axis=2, keepdims=True) + norm.eps)
            sequence = (sequence - sequence.mean(axis=2, keepdims=True)) / spread
            sequence = sequence * norm.weight.detach().numpy() + norm.bias.detach().numpy()
    return found


def test_one_unit_does_what_a_table_made_by_hand_says() -> None:
    model = RegLSTM(1, 1).double()
    layer = model.layers[0]
    biases = [-math.log(3), math.log(3), math.atanh(0.8), 0.0]  # sigmoid: 1/4, 3/4; tanh: 0.8; sigmoid: 1/2
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.get_parameter("bias_ih_l0").copy_(torch.tensor(biases, dtype=torch.float64))
    (found,) = gate_activations(model, torch.zeros(1, 3, 1, dtype=torch.float64))
    assert (found.layer, found.backward) == (1, False)
    table = {
        "input": [0.25, 0.25, 0.25],
        "forget": [0.75, 0.75, 0.75],
        "candidate": [0.8, 0.8, 0.8],
        "output": [0.5, 0.5, 0.5],
        "cell": [0.2, 0.35, 0.4625],  # 3/4 of the one before + 1/4 of 0.8
        "hidden": [0.0986877, 0.1681878, 0.2160598],  # half its tanh
    }
    assert list(found.activations) == list(table)
    for name, column in table.items():
        assert found.activations[name].shape == (3, 1)
        np.testing.assert_allclose(found.activations[name][:, 0], column, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "gru"])
def test_every_activation_is_that_of_the_loops_of_gate_equations(
    cell: CellName, options: dict[str, Any]
) -> None:
    model = network(cell, options).double()
    found, expected = gate_activations(model, window()), by_hand(model, window())
    directions = [False, True] if options.get("bidirectional") else [False]
    assert [(one.layer, one.backward) for one in found] == [(k, d) for k in (1, 2) for d in directions]
    for one, wanted in zip(found, expected, strict=True):
        assert list(one.activations) == list(wanted)
        for name, values in wanted.items():
            np.testing.assert_allclose(one.activations[name], values, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "gru"])
def test_hidden_states_are_what_the_networks_own_layers_give(cell: CellName, options: dict[str, Any]) -> None:
    model = network(cell, options).eval()
    outputs: list[Tensor] = []
    for layer in model.layers:
        layer.register_forward_hook(lambda _layer, _given, out: outputs.append(out[0][:, 0]))
    x = window(torch.float32)
    with torch.no_grad():
        model(x if model.batch_first else x.transpose(0, 1))
    found = gate_activations(model, x)
    for k, out in enumerate(outputs[: model.num_layers]):
        mine = [one.activations["hidden"] for one in found if one.layer == k + 1]
        np.testing.assert_allclose(np.concatenate(mine, axis=1), out.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("readout", ["cell", "both"])
def test_a_network_that_reads_its_cell_state_has_gates_too(readout: Any) -> None:
    found = gate_activations(network("lstm", {"readout": readout}), window(torch.float32))
    assert [one.activations["cell"].shape for one in found] == [(L, 5), (L, 3)]


def test_the_last_cell_state_is_the_one_torch_gives() -> None:
    model = network("lstm", {})
    found = gate_activations(model, window(torch.float32))
    layer = model.layers[0]
    assert isinstance(layer, nn.LSTM)
    with torch.no_grad():
        _, (_, c) = layer(window(torch.float32).transpose(0, 1))
    np.testing.assert_allclose(found[0].activations["cell"][-1], c[0, 0].numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "gru"])
def test_what_comes_after_a_step_changes_nothing_up_to_it(cell: CellName) -> None:
    model = network(cell, {"layer_norm": True})
    x, other = window(torch.float32), window(torch.float32)
    other[:, 6:] *= 1e6
    for one, changed in zip(gate_activations(model, x), gate_activations(model, other), strict=True):
        for name, values in one.activations.items():
            assert values[:6].tobytes() == changed.activations[name][:6].tobytes()
            assert values[6:].tobytes() != changed.activations[name][6:].tobytes()


def test_a_cell_without_gates_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r'cell "rnn" has no gates; expected one of lstm, lstm_peephole, gru'
    ):
        gate_activations(RegLSTM(F, 3, cell="rnn"), window(torch.float32))


@pytest.mark.parametrize("shape", [(L, F), (2, L, F), (1, L, F, 1)])
def test_anything_but_one_window_is_refused(shape: tuple[int, ...]) -> None:
    model = RegLSTM(F, 3)
    with pytest.raises(ValueError, match=r"x: got shape .*, expected one window \[1, L, 2\]"):
        gate_activations(model, torch.zeros(shape))


def test_a_wrong_number_of_features_is_refused() -> None:
    with pytest.raises(ValueError, match="x: got shape"):
        gate_activations(RegLSTM(F, 3), torch.zeros(1, L, F + 1))
