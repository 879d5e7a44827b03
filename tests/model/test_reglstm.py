"""What goes in and comes out of RegLSTM: shapes, causality, final states, initial states."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model.architecture import CellName
from lstm_forecast.model.reglstm import InitialState, Readout, RegLSTM

B, L, F, D, H = 4, 9, 2, 6, 3
CELLS: tuple[CellName, ...] = get_args(CellName)


def series(seed: int = 1, *, batch: int = B) -> Tensor:
    return torch.randn(batch, L, F, generator=torch.Generator().manual_seed(seed))


def make(cell: CellName = "lstm", *, layers: int = 2, bidirectional: bool = False, seed: int = 2) -> RegLSTM:
    torch.manual_seed(seed)
    return RegLSTM(F, D, layers, output_size=H, cell=cell, bidirectional=bidirectional)


@pytest.mark.parametrize("cell", CELLS)
def test_the_output_at_a_step_never_sees_a_later_observation(cell: CellName) -> None:
    model = make(cell)
    x = series()
    out = model(x)
    for t in (0, 4, L - 2):
        changed = x.clone()
        changed[:, t + 1 :] *= 1e6
        assert torch.equal(model(changed)[:, : t + 1], out[:, : t + 1])
        assert not torch.allclose(model(changed)[:, t + 1 :], out[:, t + 1 :])


def test_with_layer_norm_and_dropout_no_step_sees_a_later_observation_either() -> None:
    torch.manual_seed(3)
    model = RegLSTM(F, D, 2, dropout=0.4, layer_norm=True)
    draws = model.draw(B, L, [torch.Generator().manual_seed(k) for k in range(2)])
    x = series()
    changed = x.clone()
    changed[:, 5:] = 1e3
    assert torch.equal(model(changed, draws=draws)[:, :5], model(x, draws=draws)[:, :5])


@pytest.mark.parametrize("cell", CELLS)
def test_the_final_state_is_the_last_step_of_a_one_way_model(cell: CellName) -> None:
    model = make(cell)
    x = series()
    torch.testing.assert_close(model.final(x), model(x)[:, -1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_end_where_each_has_seen_the_whole_window(cell: CellName) -> None:
    model = make(cell, layers=1, bidirectional=True)
    x = series()
    steps = model.layers[0](x.transpose(0, 1))[0]  # [L, B, 2 D]
    ends = torch.cat([steps[-1, :, :D], steps[0, :, D:]], dim=-1)
    torch.testing.assert_close(model.final(x), model.head(ends))
    assert not torch.allclose(model.final(x), model(x)[:, -1])


@pytest.mark.parametrize("ignored", [None, slice(0, D), slice(D, 2 * D)])
def test_every_observation_reaches_the_final_state_of_each_direction(ignored: slice | None) -> None:
    model = make(layers=1, bidirectional=True)
    if ignored is not None:
        with torch.no_grad():
            model.get_parameter("head.0.weight")[:, ignored] = 0
    x = series().requires_grad_()
    gradient = torch.autograd.grad(model.final(x).sum(), x)[0]
    assert (gradient != 0).all()


def test_time_first_gives_the_shape_of_the_source_article() -> None:
    torch.manual_seed(4)
    time_first = RegLSTM(F, D, 2, batch_first=False)
    torch.manual_seed(4)
    batch_first = RegLSTM(F, D, 2)
    x = series()
    out = time_first(x.transpose(0, 1))
    assert out.shape == (L, B, 1)
    assert torch.equal(out.transpose(0, 1), batch_first(x))
    assert time_first.final(x.transpose(0, 1)).shape == (B, 1)
    assert torch.equal(time_first.final(x.transpose(0, 1)), batch_first.final(x))


@pytest.mark.parametrize("readout", ["hidden", "cell", "both"])
def test_a_quantile_head_gives_q_numbers_for_every_step_ahead(readout: Readout) -> None:
    """Those of a plain head of H x Q numbers, put in rows: steps ahead first, quantiles last."""
    quantiles = 5
    torch.manual_seed(6)
    model = RegLSTM(F, D, 2, output_size=H, num_quantiles=quantiles, readout=readout)
    torch.manual_seed(6)
    plain = RegLSTM(F, D, 2, output_size=H * quantiles, readout=readout)
    x = series()
    final, flat = model.final(x), plain.final(x)
    assert final.shape == (B, H, quantiles)
    for h in range(H):
        for q in range(quantiles):
            assert torch.equal(final[:, h, q], flat[:, h * quantiles + q])
    if readout == "hidden":
        assert model(x).shape == (B, L, H, quantiles)
        torch.testing.assert_close(model(x)[:, -1], final)


def test_a_quantile_head_keeps_time_first_and_starts_at_zero() -> None:
    model = RegLSTM(F, D, output_size=H, num_quantiles=3, batch_first=False, zero_head=True)
    out = model(series().transpose(0, 1))
    assert out.shape == (L, B, H, 3)
    assert not out.any()


def test_one_quantile_has_an_axis_of_its_own_and_a_point_head_has_none() -> None:
    assert RegLSTM(F, D, output_size=H, num_quantiles=1).final(series()).shape == (B, H, 1)
    assert RegLSTM(F, D, output_size=H).final(series()).shape == (B, H)


def test_one_window_and_one_step_are_enough() -> None:
    model = make(bidirectional=True)
    x = series()[:1, :1]
    assert model(x).shape == (1, 1, H)
    torch.testing.assert_close(model.final(x), model(x)[:, 0])


@pytest.mark.parametrize("cell", CELLS)
def test_a_window_can_be_read_in_two_pieces_by_handing_over_the_state(cell: CellName) -> None:
    model = make(cell, layers=1)
    x = series()
    _, state = model.layers[0](x[:, :5].transpose(0, 1))
    torch.testing.assert_close(model(x[:, 5:], state), model(x)[:, 5:])


def test_layers_of_different_width_take_their_states_as_a_list() -> None:
    torch.manual_seed(5)
    model = RegLSTM(F, [6, 3], 2, cell="lstm_peephole", bidirectional=True)
    pairs = [(torch.randn(2, B, size), torch.randn(2, B, size)) for size in (6, 3)]
    x = series()
    by_hand, _ = model.layers[0](x.transpose(0, 1), pairs[0])
    by_hand, _ = model.layers[1](by_hand, pairs[1])
    torch.testing.assert_close(model(x, list(pairs)), model.head(by_hand).transpose(0, 1))
    assert not torch.allclose(model(x, list(pairs)), model(x))

    gru = RegLSTM(F, [6, 3], 2, cell="gru")
    hidden: list[Tensor | tuple[Tensor, Tensor]] = [torch.randn(1, B, 6), torch.randn(1, B, 3)]
    assert not torch.allclose(gru(x, hidden), gru(x))


def test_a_given_state_goes_before_every_other_initial_state() -> None:
    zeros = torch.zeros(2, B, D)
    modes: tuple[InitialState, ...] = get_args(InitialState)
    outputs = []
    for mode in modes:
        torch.manual_seed(6)
        model = RegLSTM(F, D, 2, initial_state=mode)
        for learned in model.learned_state:
            nn.init.ones_(learned)
        outputs.append(model(series(), (zeros, zeros)))
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("cell", CELLS)
def test_random_initial_states_are_drawn_in_training_and_zero_in_evaluation(cell: CellName) -> None:
    torch.manual_seed(7)
    model = RegLSTM(F, D, 2, cell=cell, initial_state="random")
    x = series()
    assert not torch.equal(model(x), model(x))
    draws = model.draw(B, L, [torch.Generator().manual_seed(k) for k in range(2)])
    assert torch.equal(model(x, draws=draws), model(x, draws=draws))
    assert draws.state is not None
    drawn = model(x, list(draws.state) if cell.startswith("lstm") else [layer[0] for layer in draws.state])
    assert torch.equal(model(x, draws=draws), drawn)

    model.eval()
    zeros = torch.zeros(2, B, D)
    from_zero = model(x, (zeros, zeros) if cell.startswith("lstm") else zeros)
    assert torch.equal(model(x), from_zero)
    assert torch.equal(model(x, draws=draws), from_zero)
    assert torch.equal(model.final(x, draws=draws), model.final(x))


@pytest.mark.parametrize("cell", CELLS)
def test_learned_initial_states_start_at_zero_and_every_one_gets_a_gradient(cell: CellName) -> None:
    torch.manual_seed(8)
    learning = RegLSTM(F, D, 2, cell=cell, bidirectional=True, initial_state="learned")
    torch.manual_seed(8)
    plain = RegLSTM(F, D, 2, cell=cell, bidirectional=True)
    x = series()
    torch.testing.assert_close(learning(x), plain(x))
    gradients = torch.autograd.grad(learning(x).sum(), list(learning.learned_state.parameters()))
    assert [tuple(g.shape) for g in gradients] == [(2 if cell.startswith("lstm") else 1, 2, 1, D)] * 2
    assert all((g != 0).all() for g in gradients)


def test_a_learned_initial_state_is_used_in_evaluation_and_is_one_for_all_rows() -> None:
    torch.manual_seed(9)
    model = RegLSTM(F, D, 2, initial_state="learned").eval()
    nn.init.normal_(model.learned_state[0])
    h0, c0 = (torch.zeros(2, B, D) for _ in range(2))
    h0[0], c0[0] = model.learned_state[0][0, 0], model.learned_state[0][1, 0]
    torch.testing.assert_close(model(series()), model(series(), (h0, c0)))


def test_evaluation_is_deterministic_and_touches_no_generator() -> None:
    torch.manual_seed(10)
    model = RegLSTM(F, D, 2, dropout=0.5, initial_state="random").eval()
    before = torch.get_rng_state()
    assert torch.equal(model(series()), model(series()))
    assert torch.equal(model.final(series()), model.final(series()))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_can_be_replaced_from_outside(cell: CellName) -> None:
    model, other = make(cell), make(cell, seed=11)
    weights = {name: p.detach() for name, p in other.named_parameters()}
    swapped = torch.func.functional_call(model, weights, (series(),))
    torch.testing.assert_close(swapped, other(series()))
    assert not torch.allclose(swapped, model(series()))


@pytest.mark.parametrize("cell", CELLS)
def test_a_saved_state_dict_restores_the_forecast(cell: CellName) -> None:
    model, other = make(cell, bidirectional=True), make(cell, bidirectional=True, seed=12)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(series()), model(series()))


@pytest.mark.parametrize(
    ("shape", "batch_first", "text"),
    [
        ((B, L), True, "x: got shape (4, 9), expected [B, L, F] with L >= 1 and F = 2"),
        ((B, L, 3), True, "x: got shape (4, 9, 3), expected [B, L, F] with L >= 1 and F = 2"),
        ((B, 0, F), True, "x: got shape (4, 0, 2), expected [B, L, F] with L >= 1 and F = 2"),
        ((0, B, F), False, "x: got shape (0, 4, 2), expected [L, B, F] with L >= 1 and F = 2"),
    ],
)
def test_input_of_the_wrong_shape_is_refused(shape: tuple[int, ...], batch_first: bool, text: str) -> None:
    model = RegLSTM(F, D, batch_first=batch_first)
    for call in (model, model.final):
        with pytest.raises(ValueError) as caught:
            call(torch.zeros(shape))
        assert str(caught.value) == text


def test_an_initial_state_of_the_wrong_shape_is_refused_not_broadcast() -> None:
    model = make()
    one_row = torch.zeros(2, 1, D)
    with pytest.raises(ValueError) as caught:
        model(series(), (one_row, one_row))
    assert str(caught.value) == (
        "state: got shapes [((1, 1, 6), (1, 1, 6)), ((1, 1, 6), (1, 1, 6))] per layer, "
        "expected [((1, 4, 6), (1, 4, 6)), ((1, 4, 6), (1, 4, 6))]"
    )
    with pytest.raises(ValueError, match="state: got shapes"):
        model(series(), torch.zeros(2, B, D))  # an LSTM without its cell state
    with pytest.raises(ValueError, match="state: got shapes"):
        model(series(), (torch.zeros(1, B, D), torch.zeros(1, B, D)))  # one layer of two
