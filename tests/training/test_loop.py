"""The loop against a plain torch loop, and that every number of the recipe does something."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.data.tensors import gather_batch
from lstm_forecast.data.windows import Windows
from lstm_forecast.model.reglstm import InitialState, RegLSTM
from lstm_forecast.training.loop import train_epoch, train_epochs
from lstm_forecast.training.objective import validation_score
from lstm_forecast.training.recipe import Recipe, make_optimizer
from lstm_forecast.training.workers import Workers
from tests.training.small import RECIPE, H, L, bits, fitted, network, problem, scores, without_validation

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "mae": nn.functional.l1_loss,
    "huber": nn.functional.huber_loss,
}


def generator(*name: object) -> torch.Generator:
    digest = hashlib.sha256(":".join(map(str, name)).encode()).hexdigest()
    return torch.Generator().manual_seed(int(digest[:16], 16) >> 1)


def plain_epoch(model: RegLSTM, recipe: Recipe, epoch: int, optimizer: torch.optim.Optimizer) -> float:
    """One epoch in the manner of a tutorial: windows as a list of slices, torch's own clipping."""
    of = problem()
    steps = [np.diff(of.panel.values[of.panel.rows(s), 0]) / of.scaling.step_unit[s, 0] for s in range(2)]
    phase = generator("0", "phase", epoch, 0).initial_seed() % recipe.stride
    windows = [(s, start) for s in range(2) for start in range(phase, 60 - L - H + 1, recipe.stride)]
    order = torch.randperm(len(windows), generator=generator("0", "shuffle", epoch, 0))
    losses, sizes = [], []
    for first in range(0, len(windows), recipe.batch_size):
        chosen = [windows[int(k)] for k in order[first : first + recipe.batch_size]]
        # inputs: the steps before each row; targets: what is gained 1 … H rows later, at every step
        x = torch.tensor(np.array([[0.0, *steps[s][start : start + L - 1]] for s, start in chosen]))
        y = torch.tensor(
            np.array(
                [
                    [[steps[s][start + t : start + t + h].sum() for h in range(1, H + 1)] for t in range(L)]
                    for s, start in chosen
                ]
            )
        )
        answer = model(x[:, :, None].float())
        if not recipe.every_step:
            answer, y = answer[:, -1], y[:, -1]
        loss: Tensor = LOSSES[recipe.loss](answer, y.float())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(chosen))
    return float(np.average(losses, weights=sizes))


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, every_step=False, clip_norm=0.05, loss="mae"),
        replace(RECIPE, stride=3, loss="huber", batch_size=7),
    ],
    ids=["every_step", "last", "stride"],
)
def test_two_epochs_are_those_of_a_plain_torch_loop(recipe: Recipe) -> None:
    ours = network(zero_head=False)
    plain = deepcopy(ours)
    of = problem()
    optimizer = make_optimizer(ours, recipe)
    plain_optimizer = torch.optim.Adam(plain.parameters(), lr=recipe.lr)
    for epoch in (1, 2):
        trained = train_epoch(ours, of.tensors, of.train, recipe, optimizer, epoch, workers=Workers(1))
        expected = plain_epoch(plain.train(), recipe, epoch, plain_optimizer)
        assert trained.loss == pytest.approx(expected, rel=1e-5)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)


def test_the_first_four_losses_are_those_of_this_version() -> None:
    """Pins against unwanted change, not truths: a change of the loop that means to may set them anew."""
    history = fitted(network(dropout=0.2, layers=2), replace(RECIPE, epochs=4)).history
    assert [epoch.train_loss for epoch in history[1:]] == pytest.approx(
        [2.062173, 2.054794, 2.045534, 2.023038], rel=1e-4
    )
    assert [epoch.val_score for epoch in history] == pytest.approx(
        [1.44154, 1.441286, 1.438161, 1.438252, 1.414274], rel=1e-4
    )


def test_training_learns_what_there_is_to_learn() -> None:
    history = fitted(network(), replace(RECIPE, epochs=15)).history
    assert history[-1].val_score < 0.85 * history[0].val_score
    losses = [epoch.train_loss for epoch in history[1:]]
    assert losses[-1] is not None
    assert losses[0] is not None
    assert losses[-1] < 0.8 * losses[0]


STATES: tuple[InitialState, ...] = ("zeros", "random")


@pytest.mark.parametrize("state", STATES)
def test_the_same_seed_gives_the_same_bits_and_another_gives_others(state: InitialState) -> None:
    def weights(seed: int) -> list[bytes]:
        model = RegLSTM(1, 4, 2, output_size=H, dropout=0.3, initial_state=state)
        model.load_state_dict(network(layers=2, zero_head=False).state_dict())
        torch.manual_seed(len(used))  # the global generator must not matter
        used.append(seed)
        fitted(model, without_validation(replace(RECIPE, seed=seed, epochs=2)))
        return bits(model)

    used: list[int] = []
    assert weights(5) == weights(5)
    assert weights(5) != weights(6)


def trained_with(recipe: Recipe) -> dict[str, Tensor]:
    model = network(zero_head=False)
    fitted(model, without_validation(recipe))
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    "change",
    [
        replace(RECIPE, epochs=4),
        replace(RECIPE, batch_size=8),
        replace(RECIPE, optimizer="adamw", weight_decay=0.1),
        replace(RECIPE, optimizer="sgd"),
        replace(RECIPE, lr=0.02),
        replace(RECIPE, weight_decay=0.1),
        replace(RECIPE, loss="mae"),
        replace(RECIPE, loss="huber"),
        replace(RECIPE, clip_norm=1e-3, optimizer="sgd"),
        replace(RECIPE, stride=2),
        replace(RECIPE, every_step=False),
        replace(RECIPE, seed=1),
    ],
    ids=lambda r: ",".join(f"{k}={v}" for k, v in vars(r).items() if v != vars(RECIPE)[k]),
)
def test_every_number_of_the_recipe_has_an_effect(change: Recipe) -> None:
    base = trained_with(replace(RECIPE, optimizer="sgd") if change.clip_norm == 1e-3 else RECIPE)
    other = trained_with(change)
    assert any(not torch.allclose(base[name], other[name], rtol=1e-3, atol=1e-5) for name in base)


def test_adam_couples_weight_decay_to_the_gradient_and_adamw_does_not() -> None:
    adam = trained_with(replace(RECIPE, weight_decay=0.1))
    adamw = trained_with(replace(RECIPE, optimizer="adamw", weight_decay=0.1))
    assert any(not torch.allclose(adam[name], adamw[name], rtol=1e-3, atol=1e-5) for name in adam)


def test_weight_decay_pulls_the_weights_towards_zero() -> None:
    def size(weight_decay: float) -> float:
        return float(sum(v.square().sum() for v in trained_with(decayed(weight_decay)).values()))

    def decayed(weight_decay: float) -> Recipe:
        return replace(RECIPE, optimizer="adamw", weight_decay=weight_decay)

    assert size(0.0) > size(1.0) > size(5.0)


def test_clipping_bounds_a_step_of_plain_gradient_descent() -> None:
    recipe = replace(RECIPE, optimizer="sgd", lr=1.0, clip_norm=1e-3, batch_size=1000, epochs=1)
    before = network(zero_head=False).state_dict()
    after = trained_with(recipe)
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-2)


def test_the_recorded_norms_are_those_before_clipping() -> None:
    model = network(zero_head=False)
    recipe = without_validation(replace(RECIPE, clip_norm=1e-3, batch_size=1000, epochs=1))
    epoch = fitted(model, recipe).history[0]
    assert set(epoch.layer_norms) == {"layers.0", "head"}
    assert epoch.grad_norm is not None
    assert epoch.grad_norm > 0.1
    assert epoch.grad_norm == pytest.approx(math.hypot(*epoch.layer_norms.values()), rel=1e-6)


def test_a_target_that_was_filled_teaches_nothing() -> None:
    of = problem()
    hidden = np.zeros(len(of.panel.times), dtype=bool)
    hidden[[20, 21, 100]] = True

    def weights(nonsense: float) -> list[bytes]:
        """Trained on rows whose inputs are sound and whose hidden targets are nonsense."""
        levels = of.tensors.levels.clone()
        levels[hidden] += nonsense
        known = of.tensors.known.clone()
        known[hidden] = 0.0
        tensors = replace(of.tensors, levels=levels, known=known)
        model = network(zero_head=False)
        # at the last step alone, from windows whose anchor is sound: there the level is a target only
        sound = [not hidden[start + L - 1] for start in of.train.start]
        train = Windows(of.train.start[sound], of.train.series[sound])
        recipe = without_validation(replace(RECIPE, every_step=False))
        fitted(model, recipe, of=replace(of, tensors=tensors, train=train))
        return bits(model)

    assert weights(0.0) == weights(1e6)


def test_validation_is_the_mae_over_the_mase_scale_of_each_series() -> None:
    of = problem()
    model = network(zero_head=False).eval()
    score = scores(of, model, RECIPE)()
    errors, losses = [], []
    with torch.no_grad():
        for start, s in zip(of.validation.start.tolist(), of.validation.series.tolist(), strict=True):
            values = of.panel.values[start : start + L + H, 0]
            unit = float(of.scaling.step_unit[s, 0])
            x = torch.tensor(np.array([0.0, *np.diff(values[:L]) / unit]), dtype=torch.float32)
            answer = model(x[None, :, None])[0, -1].double().numpy()
            gained = values[L:] - values[L - 1]
            training = of.panel.values[of.panel.rows(s), 0][:60]
            errors += list(np.abs(answer * unit - gained) / np.abs(np.diff(training)).mean())
            losses += list((answer - gained / unit) ** 2)
    assert score.score == pytest.approx(np.mean(errors), rel=1e-5)
    assert score.loss == pytest.approx(np.mean(losses), rel=1e-5)


LEVELS = (0.1, 0.5, 0.9)
QUANTILE = replace(RECIPE, loss="pinball", quantiles=LEVELS)


def test_validation_of_a_quantile_head_is_its_pinball_loss_over_the_mase_scale_of_each_series() -> None:
    of = problem()
    model = network(zero_head=False, quantiles=len(LEVELS)).eval()
    score = scores(of, model, QUANTILE)()
    scaled, losses = [], []
    with torch.no_grad():
        for start, s in zip(of.validation.start.tolist(), of.validation.series.tolist(), strict=True):
            values = of.panel.values[start : start + L + H, 0]
            unit = float(of.scaling.step_unit[s, 0])
            x = torch.tensor(np.array([0.0, *np.diff(values[:L]) / unit]), dtype=torch.float32)
            answer = model(x[None, :, None])[0, -1].double().numpy()
            training = of.panel.values[of.panel.rows(s), 0][:60]
            for h in range(H):
                below = (values[L + h] - values[L - 1]) / unit - answer[h]
                loss = np.mean([max(q * b, (q - 1) * b) for q, b in zip(LEVELS, below, strict=True)])
                losses.append(loss)
                scaled.append(loss * unit / np.abs(np.diff(training)).mean())
    assert score.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert score.score == pytest.approx(np.mean(scaled), rel=1e-5)
    assert score.loss != pytest.approx(score.score, rel=1e-3)


def test_a_quantile_head_learns_quantiles_that_hold_the_share_they_should() -> None:
    of = problem()
    model = network(quantiles=len(LEVELS))
    history = fitted(model, replace(QUANTILE, epochs=40), of=of).history
    assert history[-1].val_score < 0.85 * history[0].val_score
    start = torch.from_numpy(of.train.start)
    batch = gather_batch(of.tensors, start, lookback=L, horizon=H, every_step=False)
    with torch.no_grad():
        answers = model.final(batch.x)
    below = (batch.y[:, :, None] <= answers).double().mean(dim=(0, 1))
    assert below.tolist() == pytest.approx(LEVELS, abs=0.1)


def test_a_training_without_validation_gives_the_weights_of_one_with_it() -> None:
    """So the fit on all rows is the training that was tested, and no other."""
    for recipe, quantiles in ((RECIPE, 0), (QUANTILE, len(LEVELS)), (replace(RECIPE, stride=3), 0)):
        of = problem()
        watched, alone = (network(dropout=0.3, layers=2, quantiles=quantiles) for _ in range(2))
        fitted(watched, without_validation(recipe), of=of)
        train_epochs(alone, of.tensors, of.train, recipe)
        assert bits(alone) == bits(watched)
        assert not alone.training
        train_epochs(alone, of.tensors, of.train, replace(recipe, epochs=0))  # the untouched model was best
        assert bits(alone) == bits(watched)


def test_a_window_without_observed_targets_does_not_count_in_validation() -> None:
    of = problem()
    first = int(of.validation.start[0])
    known = of.tensors.known.clone()
    known[first + L : first + L + H] = 0.0
    of = replace(of, tensors=replace(of.tensors, known=known))
    model = network(zero_head=False).eval()
    weight = torch.ones(len(of.validation))
    whole = validation_score(model, of.tensors, of.validation, RECIPE, weight)
    assert np.isfinite(whole.score)
    nothing = validation_score(
        model, of.tensors, Windows(of.validation.start[:1], of.validation.series[:1]), RECIPE, weight[:1]
    )
    assert (nothing.loss, nothing.score) == (0.0, 0.0)
