"""Dropout masks and random states: what they are, whom they belong to, and that shards share them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from lstm_forecast.model.cells import dropout_mask
from lstm_forecast.model.draws import Draws
from lstm_forecast.model.reglstm import RegLSTM

B, L, F, D = 6, 7, 2, 5


def series() -> Tensor:
    return torch.randn(B, L, F, generator=torch.Generator().manual_seed(1))


def generators(count: int = 2, *, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + k) for k in range(count)]


def make(*, dropout: float = 0.4, bidirectional: bool = False, random_state: bool = False) -> RegLSTM:
    torch.manual_seed(2)
    return RegLSTM(
        F,
        [D, 3],
        2,
        dropout=dropout,
        bidirectional=bidirectional,
        initial_state="random" if random_state else "zeros",
    )


def test_there_is_one_mask_per_layer_for_every_row_step_and_unit() -> None:
    draws = make(bidirectional=True).draw(B, L, generators())
    assert [tuple(mask.shape) for mask in draws.masks] == [(B, L, 2 * D), (B, L, 2 * 3)]
    assert draws.state is None


def test_random_states_have_torchs_shape_per_layer() -> None:
    draws = make(bidirectional=True, random_state=True).draw(B, L, generators())
    assert draws.state is not None
    assert [[tuple(part.shape) for part in layer] for layer in draws.state] == [
        [(2, B, D), (2, B, D)],
        [(2, B, 3), (2, B, 3)],
    ]


def test_without_dropout_and_random_states_nothing_is_drawn() -> None:
    untouched = generators()
    before = [generator.get_state() for generator in untouched]
    draws = make(dropout=0.0).draw(B, L, untouched)
    assert draws.masks == ()
    assert draws.state is None
    assert all(torch.equal(g.get_state(), state) for g, state in zip(untouched, before, strict=True))


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.9])
def test_a_mask_is_zero_with_probability_p_and_keeps_the_mean(p: float) -> None:
    mask = dropout_mask((200, 101, 9), p, generators(1)[0], torch.device("cpu"))
    assert sorted(set(mask.flatten().tolist())) == [0, pytest.approx(1 / (1 - p))]
    deviation = math.sqrt(p * (1 - p) / mask.numel())
    assert abs((mask == 0).double().mean().item() - p) < 4 * deviation


def test_neighbouring_elements_of_a_mask_are_independent() -> None:
    """Four elements come out of one random number; their joint frequencies must be products all the same."""
    kept = (dropout_mask((100, 100, 40), 0.3, generators(1)[0], torch.device("cpu")) > 0).double().view(-1, 4)
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max().item() < 4 / math.sqrt(len(kept))


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_the_most_extreme_shares_still_drop_next_to_nothing_or_everything(p: float) -> None:
    mask = dropout_mask((30, 50, 7), p, generators(1)[0], torch.device("cpu"))
    assert mask.shape == (30, 50, 7)
    assert (mask == 0).double().mean().item() == pytest.approx(p, abs=0.01)


def test_masks_are_decided_by_the_generators_alone() -> None:
    model = make(random_state=True)
    first = model.draw(B, L, generators())
    torch.manual_seed(99)
    global_before = torch.get_rng_state()
    second = model.draw(B, L, generators())
    assert torch.equal(torch.get_rng_state(), global_before)
    assert all(torch.equal(a, b) for a, b in zip(first.masks, second.masks, strict=True))
    assert first.state is not None
    assert second.state is not None
    for a, b in zip(first.state, second.state, strict=True):
        assert torch.equal(torch.stack(a), torch.stack(b))
    other = model.draw(B, L, generators(seed=50))
    assert not torch.equal(first.masks[0], other.masks[0])


def test_a_layers_mask_depends_on_its_own_generator_only() -> None:
    model, with_states = make(), make(random_state=True)
    mine = torch.Generator().manual_seed(7)
    mask = model.draw(B, L, [torch.Generator().manual_seed(1), mine]).masks[1]
    mine.manual_seed(7)
    again = with_states.draw(B, L, [torch.Generator().manual_seed(2), mine]).masks[1]
    assert torch.equal(mask, again)


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_shards_with_their_rows_give_the_rows_of_the_whole_batch(bidirectional: bool, final: bool) -> None:
    model = make(bidirectional=bidirectional, random_state=True)
    draws = model.draw(B, L, generators())
    run = model.final if final else model
    whole = run(series(), draws=draws)
    shards = [slice(0, 4), slice(4, 5), slice(5, B)]
    parts = [run(series()[rows], draws=draws.rows(rows)) for rows in shards]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_shards_in_threads_give_the_bits_of_shards_one_after_the_other() -> None:
    model = make(random_state=True)
    draws = model.draw(B, L, generators())
    shards = [slice(0, 3), slice(3, B)]

    def gradients(rows: slice) -> tuple[Tensor, ...]:
        out = model.final(series()[rows], draws=draws.rows(rows))
        return torch.autograd.grad(out.sum(), list(model.parameters()))

    in_turn = [gradients(rows) for rows in shards]
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(gradients, shards))
    for one, other in zip(in_turn, at_once, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_dropout_acts_after_every_layer_the_last_one_included() -> None:
    model = make()
    draws = model.draw(B, L, generators())
    first, _ = model.layers[0](series().transpose(0, 1))
    second, _ = model.layers[1](first * draws.masks[0].transpose(0, 1))
    by_hand = model.head(second * draws.masks[1].transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(model(series(), draws=draws), by_hand)
    torch.testing.assert_close(model.final(series(), draws=draws), by_hand[:, -1])


def test_one_layer_alone_is_dropped_too() -> None:
    torch.manual_seed(3)
    model = RegLSTM(F, D, dropout=0.5)
    mask = torch.zeros(B, L, D)
    assert torch.equal(
        model(series(), draws=Draws((mask,))), model.get_parameter("head.0.bias").expand(B, L, 1)
    )
    assert torch.equal(
        model.final(series(), draws=Draws((mask,))), model.get_parameter("head.0.bias").expand(B, 1)
    )


def test_with_two_directions_each_half_of_the_final_state_has_the_mask_of_its_own_end() -> None:
    torch.manual_seed(4)
    model = RegLSTM(F, D, dropout=0.5, bidirectional=True)
    mask = model.draw(B, L, generators(1)).masks[0]
    _, (h_n, _) = model.layers[0](series().transpose(0, 1))
    kept = torch.cat([h_n[0] * mask[:, L - 1, :D], h_n[1] * mask[:, 0, D:]], dim=-1)
    torch.testing.assert_close(model.final(series(), draws=Draws((mask,))), model.head(kept))


def test_the_cell_state_gets_the_mask_of_the_last_step() -> None:
    torch.manual_seed(5)
    model = RegLSTM(F, D, dropout=0.5, readout="both")
    draws = model.draw(B, L, generators(1))
    _, (h_n, c_n) = model.layers[0](series().transpose(0, 1))
    keep = draws.masks[0][:, -1]
    by_hand = model.head(torch.cat([h_n[0] * keep, c_n[0] * keep], dim=-1))
    torch.testing.assert_close(model.final(series(), draws=draws), by_hand)


def test_without_draws_training_takes_them_from_the_global_generator() -> None:
    model = make(random_state=True)
    for run in (model, model.final):
        torch.manual_seed(6)
        first, second = run(series()), run(series())
        torch.manual_seed(6)
        assert torch.equal(run(series()), first)
        assert not torch.equal(first, second)


def test_masks_are_ignored_in_evaluation() -> None:
    model = make()
    draws = model.draw(B, L, generators())
    trained = model(series(), draws=draws)
    model.eval()
    assert torch.equal(model(series(), draws=draws), model(series()))
    assert not torch.allclose(model(series()), trained)


def test_draws_follow_the_parameters_number_type() -> None:
    model = make(random_state=True).double()
    draws = model.draw(B, L, generators())
    assert {mask.dtype for mask in draws.masks} == {torch.float64}
    assert model(series().double(), draws=draws).dtype == torch.float64


def test_rows_are_views_of_the_whole() -> None:
    draws = make(random_state=True).draw(B, L, generators())
    part = draws.rows(slice(2, 5))
    assert draws.state is not None
    assert part.state is not None
    assert torch.equal(part.masks[1], draws.masks[1][2:5])
    assert torch.equal(part.state[1][0], draws.state[1][0][:, 2:5])
    assert part.masks[0].untyped_storage().data_ptr() == draws.masks[0].untyped_storage().data_ptr()


def test_draws_of_another_batch_or_model_are_refused_not_broadcast() -> None:
    model = make()
    draws = model.draw(1, L, generators())
    with pytest.raises(ValueError) as caught:
        model(series(), draws=draws)
    assert str(caught.value) == (
        "draws: got masks of shapes [(1, 7, 5), (1, 7, 3)], expected [(6, 7, 5), (6, 7, 3)]"
    )
    with pytest.raises(ValueError) as caught:
        model(series(), draws=Draws())
    assert str(caught.value) == "draws: got masks of shapes [], expected [(6, 7, 5), (6, 7, 3)]"
    with pytest.raises(ValueError, match=r"^state: got shapes \[\] per layer"):
        make(dropout=0.0, random_state=True)(series(), draws=Draws())


def test_one_generator_per_layer_is_asked_for() -> None:
    with pytest.raises(ValueError) as caught:
        make().draw(B, L, generators(3))
    assert str(caught.value) == "generators: got 3, expected one per layer, that is 2"
