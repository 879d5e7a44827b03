"""Segments and the linear skip: against torch's own layers with copied weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.gates import gate_activations
from lstm_forecast.model.reglstm import RegLSTM
from tests.model.in_arrays import in_arrays


def network(**changes: object) -> RegLSTM:
    """F = 2, D = 5, H = 3, segments of 4 steps."""
    settings = {"output_size": 3, "segment": 4} | changes
    model = RegLSTM(2, 5, **settings)  # type: ignore[arg-type]
    initialise(model, torch.Generator().manual_seed(1))
    return model.eval()


def windows(batch: int, length: int) -> torch.Tensor:
    return torch.randn(batch, length, 2, generator=torch.Generator().manual_seed(2))


def test_a_segment_is_one_step_of_a_wider_lstm() -> None:
    model = network()
    plain = nn.LSTM(8, 5, batch_first=True)
    plain.load_state_dict(model.layers[0].state_dict())
    x = windows(3, 12)
    folded = np.stack(
        [[np.concatenate([x[b, 4 * t + k].numpy() for k in range(4)]) for t in range(3)] for b in range(3)]
    )
    with torch.no_grad():
        wanted = model.head(plain(torch.from_numpy(folded))[0])
        torch.testing.assert_close(model(x), wanted)
        torch.testing.assert_close(model.final(x), wanted[:, -1])
    assert wanted.shape == (3, 3, 3)


def test_time_first_is_the_same() -> None:
    model, x = network(), windows(3, 8)
    other = network(batch_first=False)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other(x.transpose(0, 1)).transpose(0, 1), model(x))


def test_a_segments_output_sees_nothing_after_its_last_step() -> None:
    model, x = network(), windows(2, 12)
    later = x.clone()
    later[:, 8:] += 100
    with torch.no_grad():
        before, after = model(x), model(later)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


def test_steps_that_are_no_whole_segments_are_refused() -> None:
    with pytest.raises(ValueError, match="got 10 steps, expected a multiple of segment 4"):
        network()(windows(1, 10))
    with pytest.raises(ValueError, match="segment must be 1 or more"):
        network(segment=0)


def test_masks_are_drawn_for_segments() -> None:
    model = network(dropout=0.5).train()
    draws = model.draw(3, 12)
    assert draws.masks[0].shape == (3, 3, 5)
    torch.testing.assert_close(model(windows(3, 12), draws=draws), model(windows(3, 12), draws=draws))


def test_the_skip_starts_at_nothing_and_is_a_linear_map_of_the_first_feature() -> None:
    plain, model, x = network(), network(skip_steps=12), windows(3, 12)
    with torch.no_grad():
        assert torch.equal(model.final(x), plain.final(x))
        assert model.skip is not None
        nn.init.normal_(model.skip.weight)
        nn.init.normal_(model.skip.bias)
        added = x[:, :, 0].numpy() @ model.skip.weight.numpy().T + model.skip.bias.numpy()
        np.testing.assert_allclose(model.final(x) - plain.final(x), added, rtol=1e-4, atol=1e-5)
        steps = model(x) - plain(x)
        np.testing.assert_allclose(steps[:, -1], added, rtol=1e-4, atol=1e-5)
        assert torch.equal(steps[:, :-1], torch.zeros(3, 2, 3))


def test_the_skip_gives_every_quantile_its_own() -> None:
    model = network(skip_steps=8, num_quantiles=2)
    assert model.skip is not None
    with torch.no_grad():
        model.skip.bias.copy_(torch.arange(6.0))
        added = model.final(windows(1, 8)) - network(num_quantiles=2).final(windows(1, 8))
    torch.testing.assert_close(added, torch.arange(6.0).reshape(1, 3, 2))


def test_gates_have_a_row_for_each_segment() -> None:
    model, x = network(), windows(1, 12)
    (layer,) = gate_activations(in_arrays(model), x.numpy())
    assert layer.activations["hidden"].shape == (3, 5)
    with torch.no_grad():
        final = model.head(torch.from_numpy(layer.activations["hidden"][-1]).float())
    torch.testing.assert_close(final, model.final(x)[0].detach())
