"""The network in NumPy against torch's with the same weights, over the options of both."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.model.architecture import Architecture, CellName, weight_shapes
from lstm_forecast.model.arguments import check_arguments
from lstm_forecast.model.beside import Beside
from lstm_forecast.model.numpy_forward import ArrayNetwork
from lstm_forecast.model.reglstm import RegLSTM

Floats = NDArray[np.float64]
B, L, F = 3, 8, 2
CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn", "lstm_peephole")
LAYERS = ({"hidden_size": 5, "num_layers": 1}, {"hidden_size": [4, 6, 3], "num_layers": 3})
ENDS: tuple[dict[str, Any], ...] = (
    {},
    {"output_size": 3, "head_layers": [7, 4], "skip_steps": L},
    {"output_size": 2, "num_quantiles": 3, "ahead_size": 2, "static_sizes": [4, 0, 1]},
    {"output_size": 2, "num_quantiles": 5, "skip_steps": L, "static_sizes": [0]},
    {"output_size": 4, "ahead_size": 1, "segment": 4},
)
MIDDLES: tuple[dict[str, Any], ...] = (
    {},
    {"bidirectional": True, "layer_norm": True},
    {"initial_state": "learned", "bias": False},
    {"initial_state": "random", "dropout": 0.5, "zero_head": True, "segment": 2},
    {"bidirectional": True, "initial_state": "learned", "layer_norm": True, "bias": False},
)


def pair(options: Mapping[str, Any], dtype: torch.dtype = torch.float32) -> tuple[RegLSTM, ArrayNetwork]:
    """Both networks with the same weights, every one of them drawn."""
    model = RegLSTM(**options).to(dtype).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.7 * drawn)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return model, ArrayNetwork(Architecture(**options), weights)


def inputs(made: Architecture, *, seed: int = 3) -> tuple[Floats, Floats | None, Floats | None]:
    """Windows, features ahead, and series with categories seen in training and not."""
    rng = np.random.default_rng(seed)
    ahead = rng.normal(size=(B, made.output_size, made.ahead_size)) if made.ahead_size else None
    columns = [rng.integers(0, size + 1, B) if size else rng.normal(size=B) for size in made.static_sizes]
    if columns and made.static_sizes[0]:
        columns[0][0] = 0
    static = np.stack(columns, axis=1).astype(np.float64) if columns else None
    return rng.normal(size=(B, L, made.input_size)), ahead, static


def of_torch(model: RegLSTM, x: Floats, ahead: Floats | None, static: Floats | None) -> Floats:
    dtype = next(model.parameters()).dtype

    def tensor(array: Floats | None) -> torch.Tensor | None:
        return None if array is None else torch.from_numpy(array).to(dtype)

    beside = Beside(tensor(ahead), tensor(static))
    with torch.inference_mode():
        return np.asarray(model.final(torch.from_numpy(x).to(dtype), beside=beside).double().numpy())


def assert_same(options: Mapping[str, Any], dtype: torch.dtype, tolerance: float) -> None:
    model, network = pair(options, dtype)
    x, ahead, static = inputs(network.made)
    expected = of_torch(model, x, ahead, static)
    found = network.final(x, ahead=ahead, static=static)
    assert weight_shapes(network.made) == {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert found.shape == expected.shape
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def readouts(cell: CellName) -> tuple[str, ...]:
    return ("hidden", "cell", "both") if cell.startswith("lstm") else ("hidden",)


CROSS = [
    {"input_size": F, "cell": cell, "readout": readout, **layers, **middle, **end}
    for cell in CELLS
    for readout, layers, middle, end in product(readouts(cell), LAYERS, MIDDLES, ENDS)
] + [{"input_size": 1, "cell": "rnn", "nonlinearity": "relu", **LAYERS[0], **end} for end in ENDS]


@pytest.mark.parametrize("cell", CELLS)
def test_every_option_gives_torchs_answers(cell: CellName) -> None:
    """In float32 equal but for rounding; in float64, where rounding is 1e-16, the equations are the same.

    The weights go from one to the other by their names, which have to be known beforehand, with their shapes.
    """
    for options in CROSS:
        if options["cell"] == cell:
            assert_same(options, torch.float32, 1e-5)
            assert_same(options, torch.float64, 1e-12)


@settings(max_examples=40, deadline=None)
@given(
    cell=st.sampled_from(CELLS),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    middle=st.sampled_from(MIDDLES),
    end=st.sampled_from(ENDS),
    seed=st.integers(0, 100),
)
def test_other_sizes_and_inputs_do_too(
    cell: CellName, sizes: list[int], middle: dict[str, Any], end: dict[str, Any], seed: int
) -> None:
    options = {"input_size": 3, "cell": cell, "hidden_size": sizes, "num_layers": len(sizes)}
    model, network = pair({**options, **middle, **end}, torch.float64)
    x, ahead, static = inputs(network.made, seed=seed)
    found = network.final(x, ahead=ahead, static=static)
    np.testing.assert_allclose(found, of_torch(model, x, ahead, static), rtol=1e-9, atol=1e-11)


def test_gates_that_are_shut_are_zero_and_no_warning() -> None:
    model, network = pair({"input_size": 1, "hidden_size": 3, "num_layers": 1})
    x = np.full((1, L, 1), 1e4)
    np.testing.assert_allclose(network.final(x), of_torch(model, x, None, None), rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "ahead", "static", "said"),
    [
        ((B, L), (B, 2, 2), (B, 3), r"x: got shape \(3, 8\)"),
        ((B, L, F + 1), (B, 2, 2), (B, 3), "x: got shape"),
        ((B, 0, F), (B, 2, 2), (B, 3), "x: got shape"),
        ((B, L - 1, F), (B, 2, 2), (B, 3), "multiple of 4"),
        ((B, L, F), None, (B, 3), r"ahead: got shape None, expected \(3, 2, 2\)"),
        ((B, L, F), (B, 1, 2), (B, 3), "ahead: got shape"),
        ((B, L, F), (B, 2, 2), None, "static: got shape"),
        ((B, L, F), (B, 2, 2), (B, 2), "static: got shape"),
    ],
)
def test_arrays_of_other_shapes_are_refused(
    x: tuple[int, ...], ahead: tuple[int, ...] | None, static: tuple[int, ...] | None, said: str
) -> None:
    _, network = pair({"input_size": F, **LAYERS[0], **ENDS[2], "segment": 4})
    given = {"ahead": ahead, "static": static}
    arrays = {name: None if shape is None else np.zeros(shape) for name, shape in given.items()}
    with pytest.raises(ValueError, match=said):
        network.final(np.zeros(x), **arrays)


def test_what_a_network_has_not_is_not_taken() -> None:
    _, network = pair({"input_size": F, **LAYERS[0]})
    with pytest.raises(ValueError, match="static: got shape"):
        network.final(np.zeros((B, L, F)), static=np.zeros((B, 1)))


def test_an_architecture_is_checked_as_the_network_is() -> None:
    check_arguments(Architecture(input_size=1, hidden_size=3, num_layers=2), ())
    for wrong in ({"hidden_size": [3]}, {"hidden_size": 0}, {"readout": "cell", "cell": "gru"}):
        options = {"input_size": 1, "hidden_size": 3, "num_layers": 2, **wrong}
        with pytest.raises(ValueError) as mine:
            check_arguments(Architecture(**options), ())
        with pytest.raises(ValueError) as theirs:
            RegLSTM(**options)
        assert str(mine.value) == str(theirs.value)
