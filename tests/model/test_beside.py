"""Features known ahead and static columns in the network, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from lstm_forecast.model.beside import Beside, StaticInputs, StepHead
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.reglstm import RegLSTM

B, L, F, H, P = 3, 6, 2, 4, 5
Floats = NDArray[np.float64]


def made(**changes: object) -> RegLSTM:
    """A network in evaluation mode, no weight of which is zero."""
    arguments: dict[str, object] = {"output_size": H, "ahead_size": P, "zero_head": True, **changes}
    model = RegLSTM(F, 7, 1, **arguments)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=torch.Generator().manual_seed(parameter.numel()))
    return model.eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(torch.float32)


def weights(module: torch.nn.Module) -> dict[str, Floats]:
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def test_the_head_of_steps_is_one_small_network_for_each_step() -> None:
    head, state, ahead = StepHead(7, P, 2), noise(B, 7), noise(B, H, P, seed=1)
    torch.nn.init.normal_(head.out.weight, generator=torch.Generator().manual_seed(0))
    w, found = weights(head), head(state, ahead).detach().numpy()
    for b in range(B):
        for h in range(H):
            hidden = w["of_state.weight"] @ state[b].double().numpy() + w["of_state.bias"]
            hidden = np.maximum(hidden + w["of_ahead.weight"] @ ahead[b, h].double().numpy(), 0)
            expected = w["out.weight"] @ hidden + w["out.bias"]
            np.testing.assert_allclose(found[b, 2 * h : 2 * h + 2], expected, atol=1e-5)


def test_static_columns_are_embedded_or_given_as_they_are() -> None:
    inputs = StaticInputs([3, 0, 5])
    assert inputs.width == 2 + 1 + 3  # half the categories, rounded up; a number
    first, second = (table.weight.detach() for table in inputs.embeddings)
    found = inputs(torch.tensor([[1.0, 0.25, 5.0], [3.0, -2.0, 0.0]]))
    assert torch.equal(found[0], torch.cat([first[0], torch.tensor([0.25]), second[4]]))
    assert torch.equal(found[1, :3], torch.cat([first[2], torch.tensor([-2.0])]))
    np.testing.assert_allclose(found[1, 3:].detach(), second.double().mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("num_quantiles", [0, 3])
def test_what_is_known_ahead_adds_to_the_head(num_quantiles: int) -> None:
    model, x, ahead = made(num_quantiles=num_quantiles), noise(B, L, F), noise(B, H, P, seed=1)
    assert model.steps is not None
    found = model.final(x, beside=Beside(ahead))
    state = model.layers[0](x.transpose(0, 1), None)[0][-1]
    added = model.steps(state, ahead)
    expected = model.head(state) + added
    assert torch.allclose(found, expected.reshape(found.shape), atol=1e-6)
    assert added.abs().max() > 0.1


@pytest.mark.parametrize("segment", [1, 2])
@pytest.mark.parametrize("num_quantiles", [0, 3])
def test_the_last_of_all_outputs_is_the_final_one(segment: int, num_quantiles: int) -> None:
    model = made(segment=segment, num_quantiles=num_quantiles, static_sizes=(2,))
    x, ahead, static = (
        noise(B, L, F),
        noise(B, L // segment, H, P, seed=1),
        torch.tensor([[1.0], [2.0], [0.0]]),
    )
    every = model(x, beside=Beside(ahead, static))
    assert torch.allclose(every[:, -1], model.final(x, beside=Beside(ahead[:, -1], static)), atol=1e-6)


def test_an_output_sees_the_features_of_its_own_steps_and_no_later_value() -> None:
    model, x, ahead = made(), noise(B, L, F), noise(B, L, H, P, seed=1)
    before = model(x, beside=Beside(ahead))
    later, other = x.clone(), ahead.clone()
    later[:, 3:] += 10
    other[:, 3:] += 10
    after = model(later, beside=Beside(other))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3], after[:, 3])
    one = ahead.clone()
    one[:, 2, 1] += 10  # of the third output its second step
    changed = (model(x, beside=Beside(one)) != before).any(dim=0)
    assert changed.nonzero().tolist() == [[2, 1]]


def test_static_columns_reach_every_recurrent_step_once() -> None:
    """Beside a segment of two steps stands one copy of them."""
    model, x = made(ahead_size=0, segment=2, static_sizes=(0, 3)), noise(B, L, F)
    static = torch.tensor([[0.5, 1.0], [-1.0, 2.0], [0.0, 3.0]])
    assert model.static is not None
    assert model.layers[0].input_size == 2 * F + 1 + 2
    shown = model.static(static).expand(L // 2, -1, -1)
    segments = x.reshape(B, L // 2, 2 * F).transpose(0, 1)
    sequence = model.layers[0](torch.cat([segments, shown], dim=-1), None)[0]
    assert torch.allclose(model.final(x, beside=Beside(static=static)), model.head(sequence[-1]), atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bidirectional": True},
        {"readout": "both"},
        {"readout": "cell"},
        {"cell": "gru"},
        {"head_layers": (3,)},
    ],
    ids=str,
)
def test_an_untrained_anchored_network_still_gives_nothing(changes: dict[str, object]) -> None:
    model = made(static_sizes=(4,), **changes)
    initialise(model, torch.Generator().manual_seed(1))
    found = model.final(noise(B, L, F), beside=Beside(noise(B, H, P, seed=1), torch.ones(B, 1)))
    assert torch.equal(found, torch.zeros(B, H))


def test_first_weights_come_from_the_given_generator_alone() -> None:
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = made(static_sizes=(4,))
        initialise(model, torch.Generator().manual_seed(7))
        models.append(model.state_dict())
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert models[0]["steps.of_ahead.weight"].abs().max() > 0


def test_without_either_the_weights_are_those_of_before() -> None:
    plain, more = (RegLSTM(F, 7, 2, output_size=H, ahead_size=p, static_sizes=()) for p in (0, P))
    for model in (plain, more):
        initialise(model, torch.Generator().manual_seed(7))
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, more.state_dict()[name]), name


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        (Beside(static=torch.ones(B, 1)), r"beside\.ahead: got nothing, expected shape \(3, 4, 5\)"),
        (Beside(noise(B, H + 1, P), torch.ones(B, 1)), r"beside\.ahead: got shape \(3, 5, 5\)"),
        (Beside(noise(B, H, P)), r"beside\.static: got nothing, expected shape \(3, 1\)"),
        (Beside(noise(B, H, P), torch.ones(B)), r"beside\.static: got shape \(3,\)"),
    ],
)
def test_what_is_lacking_is_said(beside: Beside, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(static_sizes=(2,)).final(noise(B, L, F), beside=beside)


@pytest.mark.parametrize("changes", [{"ahead_size": -1}, {"static_sizes": (2, -1)}])
def test_sizes_below_zero_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="ahead_size and static_sizes must be 0 or more"):
        made(**changes)


def test_time_first_takes_the_same_beside() -> None:
    model, x, beside = made(batch_first=False), noise(B, L, F), Beside(noise(B, L, H, P, seed=1))
    other = made()
    assert torch.equal(model(x.transpose(0, 1), beside=beside).transpose(0, 1), other(x, beside=beside))
