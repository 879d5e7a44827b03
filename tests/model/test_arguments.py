"""Every argument of RegLSTM does something, and what cannot be is refused in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model.architecture import CELLS_WITH_CELL_STATE, CellName
from lstm_forecast.model.cells import PeepholeLSTM
from lstm_forecast.model.lstm_layer import LSTM
from lstm_forecast.model.reglstm import RegLSTM

B, L, F, D = 3, 5, 2, 4


def series() -> Tensor:
    return torch.randn(B, L, F, generator=torch.Generator().manual_seed(1))


def seeded(make: Callable[[], RegLSTM]) -> RegLSTM:
    torch.manual_seed(2)
    return make()


def shapes(model: RegLSTM) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def test_sizes_shape_the_weights() -> None:
    model = RegLSTM(3, [4, 5], 2, output_size=6)
    assert shapes(model) == {
        "layers.0.weight_ih_l0": (16, 3),
        "layers.0.weight_hh_l0": (16, 4),
        "layers.0.bias_ih_l0": (16,),
        "layers.0.bias_hh_l0": (16,),
        "layers.1.weight_ih_l0": (20, 4),
        "layers.1.weight_hh_l0": (20, 5),
        "layers.1.bias_ih_l0": (20,),
        "layers.1.bias_hh_l0": (20,),
        "head.0.weight": (6, 5),
        "head.0.bias": (6,),
    }


def test_one_width_serves_all_layers() -> None:
    assert shapes(RegLSTM(F, 4, 3)) == shapes(RegLSTM(F, [4, 4, 4], 3))
    assert len(RegLSTM(F, 4, 3).layers) == 3
    assert len(RegLSTM(F, 4).layers) == 1


def test_cell_chooses_the_layer() -> None:
    kinds = [type(RegLSTM(F, D, cell=cell).layers[0]) for cell in ("lstm", "gru", "rnn", "lstm_peephole")]
    assert kinds == [LSTM, nn.GRU, nn.RNN, PeepholeLSTM]
    assert issubclass(LSTM, nn.LSTM)


def test_nonlinearity_changes_the_rnn() -> None:
    tanh = seeded(partial(RegLSTM, F, D, cell="rnn"))
    relu = seeded(partial(RegLSTM, F, D, cell="rnn", nonlinearity="relu"))
    relu_steps, _ = relu.layers[0](series().transpose(0, 1))
    assert (relu_steps >= 0).all()
    assert not torch.allclose(tanh(series()), relu(series()))


def test_bias_false_leaves_the_recurrent_layers_without_and_the_head_with() -> None:
    for cell in ("lstm", "gru", "rnn", "lstm_peephole"):
        names = shapes(RegLSTM(F, D, 2, cell=cell, bias=False, bidirectional=True))
        assert [name for name in names if "bias" in name] == ["head.0.bias"]


def test_dropout_changes_training_and_not_evaluation() -> None:
    dropped, plain = seeded(partial(RegLSTM, F, D, dropout=0.5)), seeded(partial(RegLSTM, F, D))
    assert not torch.allclose(dropped(series()), plain(series()))
    assert torch.equal(dropped.eval()(series()), plain(series()))


def test_bidirectional_doubles_what_the_next_layer_and_the_head_read() -> None:
    widths = shapes(RegLSTM(F, [4, 3], 2, bidirectional=True))
    assert widths["layers.1.weight_ih_l0"] == (12, 8)
    assert widths["layers.1.weight_ih_l0_reverse"] == (12, 8)
    assert widths["head.0.weight"] == (1, 6)


def test_layer_norm_stands_after_every_layer() -> None:
    model = seeded(partial(RegLSTM, F, [4, 3], 2, layer_norm=True))
    steps, _ = model.layers[0](series().transpose(0, 1))
    steps, _ = model.layers[1](nn.functional.layer_norm(steps, [4]))
    by_hand = model.head(nn.functional.layer_norm(steps, [3])).transpose(0, 1)
    torch.testing.assert_close(model(series()), by_hand)
    torch.testing.assert_close(model.final(series()), by_hand[:, -1])
    assert len(RegLSTM(F, D).norms) == 0


def test_layer_norm_takes_the_final_states_of_both_directions_together() -> None:
    model = seeded(partial(RegLSTM, F, D, bidirectional=True, layer_norm=True))
    _, (h_n, _) = model.layers[0](series().transpose(0, 1))
    pair = torch.cat([h_n[0], h_n[1]], dim=-1)
    by_hand = model.head(nn.functional.layer_norm(pair, [2 * D]))
    torch.testing.assert_close(model.final(series()), by_hand)


@pytest.mark.parametrize("cell", CELLS_WITH_CELL_STATE)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_readout_chooses_hidden_cell_or_both(cell: CellName, bidirectional: bool) -> None:
    make = partial(RegLSTM, F, D, 2, cell=cell, bidirectional=bidirectional)
    for readout in ("hidden", "cell", "both"):
        model = seeded(partial(make, readout=readout))
        first, _ = model.layers[0](series().transpose(0, 1))
        _, (h_n, c_n) = model.layers[1](first)
        hidden, cells = torch.cat(list(h_n), dim=-1), torch.cat(list(c_n), dim=-1)
        read = {"hidden": hidden, "cell": cells, "both": torch.cat([hidden, cells], dim=-1)}[readout]
        torch.testing.assert_close(model.final(series()), model.head(read))


def test_head_layers_are_dense_with_relu_between() -> None:
    model = seeded(partial(RegLSTM, F, D, output_size=2, head_layers=(7, 6)))
    assert [type(module) for module in model.head] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    steps, _ = model.layers[0](series().transpose(0, 1))
    weights = model.head.state_dict()
    first = (steps @ weights["0.weight"].T + weights["0.bias"]).clamp(min=0)
    second = (first @ weights["2.weight"].T + weights["2.bias"]).clamp(min=0)
    by_hand = second @ weights["4.weight"].T + weights["4.bias"]
    assert by_hand.shape == (L, B, 2)
    torch.testing.assert_close(model(series()), by_hand.transpose(0, 1))


def test_only_the_final_state_has_a_cell_state_to_read() -> None:
    for readout in ("cell", "both"):
        model = RegLSTM(F, D, readout=readout)
        with pytest.raises(ValueError) as caught:
            model(series())
        assert str(caught.value) == f'readout "{readout}" exists for the final state only; call final(x)'


SIZES = "input_size, num_layers, output_size, hidden_size and head_layers must be 1 or more; got "


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (partial(RegLSTM, 0, 4), SIZES + "0, 1, 1, [4] and []"),
        (partial(RegLSTM, 1, 4, 0), SIZES + "1, 0, 1, [] and []"),
        (partial(RegLSTM, 1, [4, 0], 2), SIZES + "1, 2, 1, [4, 0] and []"),
        (partial(RegLSTM, 1, 4, output_size=0), SIZES + "1, 1, 0, [4] and []"),
        (partial(RegLSTM, 1, 4, head_layers=[3, 0]), SIZES + "1, 1, 1, [4] and [3, 0]"),
        (
            partial(RegLSTM, 1, [4, 5]),
            "hidden_size lists 2 widths and num_layers is 1; make them equal",
        ),
        (partial(RegLSTM, 1, 4, num_quantiles=-1), "num_quantiles: got -1, expected 0 or more"),
        (partial(RegLSTM, 1, 4, dropout=1.0), "dropout: got 1.0, expected 0 <= dropout < 1"),
        (partial(RegLSTM, 1, 4, dropout=-0.1), "dropout: got -0.1, expected 0 <= dropout < 1"),
        (
            partial(RegLSTM, 1, 4, nonlinearity="relu"),
            'nonlinearity "relu" is for cell "rnn" only; got cell "lstm"',
        ),
        (
            partial(RegLSTM, 1, 4, cell="gru", readout="cell"),
            'readout "cell" needs a cell state, which cell "gru" has not',
        ),
        (
            partial(RegLSTM, 1, 4, cell="rnn", readout="both"),
            'readout "both" needs a cell state, which cell "rnn" has not',
        ),
        (
            partial(RegLSTM, 1, 4, cell="LSTM"),  # type: ignore[arg-type]
            "cell: got 'LSTM', expected one of lstm, gru, rnn, lstm_peephole",
        ),
        (
            partial(RegLSTM, 1, 4, cell="rnn", nonlinearity="sin"),  # type: ignore[arg-type]
            "nonlinearity: got 'sin', expected one of tanh, relu",
        ),
        (
            partial(RegLSTM, 1, 4, initial_state="ones"),  # type: ignore[arg-type]
            "initial_state: got 'ones', expected one of zeros, random, learned",
        ),
        (
            partial(RegLSTM, 1, 4, readout="all"),  # type: ignore[arg-type]
            "readout: got 'all', expected one of hidden, cell, both",
        ),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_words(make: Callable[[], RegLSTM], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        make()
