"""Which weights a training keeps and when it ends: patience, epoch 0, time, numbers that are not finite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lstm_forecast.errors import Diverged
from lstm_forecast.model import losses
from lstm_forecast.training import loop, objective
from lstm_forecast.training.course import Epoch
from lstm_forecast.training.objective import Score
from tests.training.small import RECIPE, bits, fitted, network, told, without_validation

NAN, INF = float("nan"), float("inf")


def weights_after(epochs: int) -> list[bytes]:
    model = network()
    if epochs:
        fitted(model, without_validation(replace(RECIPE, epochs=epochs)), score=told([1.0] * epochs))
    return bits(model)


@pytest.mark.parametrize(
    ("scores", "patience", "best", "last"),
    [
        ([9, 8, 7, 6, 5], 2, 4, 4),  # always better: all epochs
        ([9, 8, 8.5, 8, 7], 2, 1, 3),  # a tie is no improvement: 2 without one, then the end
        ([9, 8, 8.5, 7, 7.5, 7.5], 2, 3, 5),  # improvement begins the count again
        ([5, 6, 7, 8], 2, 0, 2),  # nothing beats the untouched model
        ([5, 5, 4, 4.5], 1, 0, 1),
    ],
)
def test_patience_counts_epochs_without_strict_improvement(
    scores: list[float], patience: int, best: int, last: int
) -> None:
    model = network()
    recipe = replace(RECIPE, epochs=len(scores) - 1, patience=patience)
    result = fitted(model, recipe, score=told(scores))
    assert (result.best_epoch, result.history[-1].epoch) == (best, last)
    assert result.stopped == ("patience" if last - best >= patience else "epochs")
    assert bits(model) == weights_after(best)


def test_without_an_anchor_there_is_no_epoch_zero() -> None:
    result = fitted(network(), replace(RECIPE, untouched_first=False, epochs=2), score=told([3.0, 4.0]))
    assert [epoch.epoch for epoch in result.history] == [1, 2]
    assert result.best_epoch == 1


def test_epoch_zero_trains_nothing_and_says_so() -> None:
    first = fitted(network(), replace(RECIPE, epochs=1), score=told([3.0, 2.0])).history[0]
    assert (first.epoch, first.train_loss, first.grad_norm, first.layer_norms) == (0, None, None, {})
    assert (first.val_loss, first.val_score) == (3.0, 3.0)


def test_without_patience_all_epochs_run_and_the_last_weights_stay() -> None:
    model = network()
    result = fitted(model, without_validation(replace(RECIPE, epochs=4)), score=told([1.0, 2.0, 3.0, 4.0]))
    assert (result.best_epoch, result.stopped, len(result.history)) == (4, "epochs", 4)
    assert bits(model) == weights_after(4)


def test_every_epoch_is_told_with_the_best_so_far() -> None:
    seen: list[tuple[int, int]] = []

    def note(epoch: Epoch, best: int) -> None:
        seen.append((epoch.epoch, best))

    fitted(network(), RECIPE, score=told([5.0, 6.0, 4.0, 4.5]), on_epoch=note)
    assert seen == [(0, 0), (1, 0), (2, 2), (3, 2)]


def test_row_28_no_epoch_begins_after_max_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock() -> Iterator[float]:
        yield from (0.0, 1.0, 30.0, 61.0)  # begin, epoch 0, epoch 1, epoch 2

    ticks = clock()
    model = network()
    expected = weights_after(1)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    recipe = replace(RECIPE, epochs=50, max_time_s=60.0)
    result = fitted(model, recipe, score=told([5.0, 4.0, 4.5]))
    assert (result.stopped, result.best_epoch, len(result.history)) == ("max_time", 1, 3)
    assert [epoch.elapsed_s for epoch in result.history] == [1.0, 30.0, 61.0]
    assert bits(model) == expected


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_row_24_a_score_that_is_not_finite_is_never_the_best(bad: float, place: int) -> None:
    scores = [5.0, 4.0, 3.0, 4.5]
    scores[place] = bad
    model = network()
    result = fitted(model, RECIPE, score=told(scores))
    best = 1 if place == 2 else 2
    assert result.best_epoch == best
    assert bits(model) == weights_after(best)


def test_row_24_a_score_that_is_not_finite_counts_as_no_improvement() -> None:
    result = fitted(network(), replace(RECIPE, epochs=9, patience=3), score=told([5.0, 4.0, NAN, INF, NAN]))
    assert (result.best_epoch, result.stopped, result.history[-1].epoch) == (1, "patience", 4)


def test_row_24_no_finite_score_at_all_is_a_divergence() -> None:
    with pytest.raises(Diverged) as caught:
        fitted(network(), RECIPE, score=told([NAN, INF, NAN, NAN]))
    assert (caught.value.id, caught.value.code) == ("train.diverged", 14)
    assert caught.value.message == "no validation loss was finite from epoch 0 to epoch 3"
    assert caught.value.details[0].startswith("epoch 3: learning rate 0.01, gradient norm ")
    assert caught.value.hint == "try a smaller learning rate (--set training.lr=0.001)"


def test_row_24_without_patience_the_weights_kept_must_have_a_finite_score() -> None:
    """The last weights are the ones that would forecast, however good the ones before were."""
    recipe = without_validation(RECIPE)
    with pytest.raises(Diverged) as caught:
        fitted(network(), recipe, score=told([2.0, 1.0, NAN]))
    assert caught.value.message == "no validation loss was finite from epoch 3 to epoch 3"
    assert fitted(network(), recipe, score=told([NAN, NAN, 1.0])).best_epoch == 3


def test_row_23_a_loss_that_is_not_finite_names_epoch_step_rate_and_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = 0
    sound = losses.point_loss

    def broken(*arguments: object, **named: object) -> object:
        nonlocal steps
        steps += 1
        loss = sound(*arguments, **named)  # type: ignore[arg-type]
        return loss * NAN if steps == 10 else loss

    monkeypatch.setattr(objective, "point_loss", broken)
    scores: list[Score] = [Score(1.0, 1.0)] * 9
    with pytest.raises(Diverged) as caught:  # 106 windows are 7 steps, so the 10th is the 3rd of epoch 2
        fitted(network(), RECIPE, score=lambda: scores.pop())
    assert (caught.value.id, caught.value.code) == ("train.diverged", 14)
    assert caught.value.message == "the loss is not finite at epoch 2, step 3"
    assert caught.value.details[0].startswith(
        "loss: nan, gradient norm: nan, gradient norm of the step before: "
    )
    assert caught.value.details[0].endswith(", learning rate: 0.01")
    assert caught.value.hint == (
        "try a smaller learning rate (--set training.lr=0.001) or training.clip_norm: 1.0"
    )


def test_row_23_a_gradient_that_is_not_finite_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = losses.point_loss

    def steep(*arguments: object, **named: object) -> object:
        loss = sound(*arguments, **named)  # type: ignore[arg-type]
        loss.register_hook(lambda gradient: gradient * INF)  # type: ignore[no-untyped-call]
        return loss

    monkeypatch.setattr(objective, "point_loss", steep)
    with pytest.raises(Diverged) as caught:
        fitted(network(zero_head=False), RECIPE, score=lambda: Score(1.0, 1.0))
    assert caught.value.message == "the gradient is not finite at epoch 1, step 1"
    assert caught.value.details[0].endswith(", learning rate: 0.01")
