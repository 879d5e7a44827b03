"""The training loop: epochs, early stopping with the best weights kept, a stop where a loss is not finite."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lstm_forecast.data.tensors import PanelTensors, final_outputs, gather_batch
from lstm_forecast.data.windows import Windows, thin
from lstm_forecast.errors import Diverged
from lstm_forecast.model.losses import LossName, pinball_loss, point_loss
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.signals import deferred
from lstm_forecast.training.course import AFRESH, Course, Epoch, Kept, take_up
from lstm_forecast.training.gradients import GradientNorms
from lstm_forecast.training.seeds import derive_seed, stream

Optimizer = Literal["adam", "adamw", "sgd"]


@dataclass(frozen=True)
class Recipe:
    """How to train: plain numbers and words.

    Attributes:
        every_step: the loss is taken at every step of a window, not only at its end.
        stride: rows from one training window to the next; the first is drawn per epoch.
        clip_norm: longest gradient, in units of the head; None: no clipping.
        patience: epochs without improvement before the end; None: all epochs run and the last weights stay.
        max_time_s: no epoch begins after this many seconds.
        loss: of a point forecast; a quantile head has its own, ``pinball``.
        untouched_first: the untrained model takes part in the selection, as epoch 0.
        quantiles: levels of a quantile head, whose loss is the pinball loss; empty for a point forecast.
    """

    epochs: int
    batch_size: int
    optimizer: Optimizer
    lr: float
    weight_decay: float
    loss: LossName | Literal["pinball"]
    clip_norm: float | None
    patience: int | None
    max_time_s: float | None
    seed: int
    lookback: int
    horizon: int
    stride: int
    every_step: bool
    untouched_first: bool
    quantiles: tuple[float, ...] = ()


@dataclass(frozen=True)
class Score:
    """What validation says: ``loss`` in the unit of the head, and ``score``, which selects the model.

    The score is the MAE of the forecasts over the MASE scale of their series, or a quantile head's pinball
    loss over the same.
    """

    loss: float
    score: float


Stop = Literal["epochs", "patience", "max_time"]


@dataclass(frozen=True)
class Fitted:
    """What the loop leaves behind; the model holds the chosen weights."""

    history: list[Epoch]
    best_epoch: int
    stopped: Stop


def fit(
    model: RegLSTM,
    tensors: PanelTensors,
    windows: Windows,
    recipe: Recipe,
    *,
    score: Callable[[], Score],
    on_epoch: Callable[[Epoch, int], None],
    kept: Kept = AFRESH,
) -> Fitted:
    """Trains the model in place and leaves the chosen weights in it.

    Args:
        model: on the device of the tensors.
        tensors: the panel; only rows of the training windows are looked at here.
        windows: every training window.
        recipe: how to train.
        score: validates the model as it stands.
        on_epoch: told of each finished epoch and of the best one so far.
        kept: a state to go on from, and who is offered the state after each epoch.

    Raises:
        Diverged: a training loss or gradient is not finite, or no validation loss of the epochs that the
            weights are chosen from is (of the last one alone without patience).
        ArtifactRejected: the state to go on from is that of another network.
    """
    began = time.monotonic()
    optimizer = make_optimizer(model, recipe)
    course, number = Course(), 0
    if kept.begin is not None:
        take_up(kept.begin, model, optimizer)
        model.eval()  # a training that was at its end has no further epoch that would do it
        course, number = Course.of(kept.begin), kept.begin.epoch
        began -= course.elapsed_s
    elif recipe.untouched_first:
        model.eval()
        course.add(model, _epoch_zero(score(), recipe, began))
        on_epoch(course.history[0], course.best_epoch)
    while (stopped := _stopped(recipe, number, course)) is None:
        number += 1
        trained = train_epoch(model, tensors, windows, recipe, optimizer, number)
        model.eval()
        valid = score()
        elapsed = time.monotonic() - began
        epoch = Epoch(
            number, trained.loss, valid.loss, valid.score, recipe.lr, trained.norm, trained.layers, elapsed
        )
        course.add(model, epoch)
        kept.offer(partial(course.state, number, model, optimizer))
        on_epoch(epoch, course.best_epoch)
    history = course.history
    _refuse_blind(history if recipe.patience is not None else history[-1:])
    if recipe.patience is None:
        return Fitted(history, number, stopped)
    model.load_state_dict(course.best)
    return Fitted(history, course.best_epoch, stopped)


def train_epochs(
    model: RegLSTM, tensors: PanelTensors, windows: Windows, recipe: Recipe, *, kept: Kept = AFRESH
) -> None:
    """Trains the model in place for ``recipe.epochs`` epochs, without validation; the last weights stay.

    Raises:
        Diverged: a loss or gradient is not finite.
        ArtifactRejected: the state to go on from is that of another network.
    """
    optimizer = make_optimizer(model, recipe)
    done = 0
    if kept.begin is not None and kept.begin.epoch <= recipe.epochs:
        take_up(kept.begin, model, optimizer)
        done = kept.begin.epoch
    for number in range(done + 1, recipe.epochs + 1):
        train_epoch(model, tensors, windows, recipe, optimizer, number)
        kept.offer(partial(Course().state, number, model, optimizer))
    model.eval()


def _stopped(recipe: Recipe, number: int, course: Course) -> Stop | None:
    """Why no epoch follows this one, or None."""
    if number and recipe.patience is not None and course.waited >= recipe.patience:
        return "patience"
    if number and recipe.max_time_s is not None and course.elapsed_s > recipe.max_time_s:
        return "max_time"
    return "epochs" if number >= recipe.epochs else None


@dataclass(frozen=True)
class _Trained:
    """Means over the steps of an epoch."""

    loss: float
    norm: float
    layers: dict[str, float]


def train_epoch(
    model: RegLSTM,
    tensors: PanelTensors,
    windows: Windows,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> _Trained:
    """One pass over the windows of this epoch's phase, in a shuffled order.

    Losses and gradient norms stay on the device until the epoch ends, so that a GPU is never waited for. A
    signal that ends the program waits for the end of a step.

    Raises:
        Diverged: naming the first step whose loss or gradient is not finite.
    """
    model.train()
    device = tensors.inputs.device
    order = _order(windows, recipe, epoch).to(device)
    batches = torch.split(order, recipe.batch_size)
    norms = GradientNorms(model)
    record = torch.zeros(len(batches), 1 + len(norms.names), device=device)
    with deferred() as stop:
        for step, start in enumerate(batches):
            stop()
            loss = _loss(model, tensors, start, recipe, epoch, step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            record[step, 0] = loss.detach()
            record[step, 1:] = norms.measure()
            if recipe.clip_norm is not None:
                norms.clip(recipe.clip_norm)
            optimizer.step()
    return _summary(record, [len(batch) for batch in batches], norms.names, recipe, epoch)


def validation_score(
    model: RegLSTM, tensors: PanelTensors, windows: Windows, recipe: Recipe, weight: Tensor
) -> Score:
    """Scores end-of-window forecasts.

    Args:
        model: in evaluation mode.
        tensors: the panel up to the end of validation.
        windows: the validation windows.
        recipe: lookback, horizon and loss.
        weight: [W], units of the head over the series' MASE scale.
    """
    start = torch.from_numpy(windows.start).to(tensors.inputs.device)
    answers = final_outputs(model.final, tensors, start, lookback=recipe.lookback)
    loss, total, count = 0.0, 0.0, 0.0
    for rows, answer, scale in zip(
        torch.split(start, 1024), torch.split(answers, 1024), torch.split(weight, 1024), strict=True
    ):
        batch = gather_batch(
            tensors, rows, lookback=recipe.lookback, horizon=recipe.horizon, every_step=False
        )
        known = float(batch.weight.sum())
        loss += float(_objective(recipe, answer, batch.y, batch.weight)) * known
        scaled = batch.weight * scale[:, None]
        if recipe.quantiles:
            total += float(pinball_loss(recipe.quantiles, answer, batch.y, scaled)) * float(scaled.sum())
        else:
            total += float(((answer - batch.y).abs() * scaled).sum())
        count += known
    return Score(loss / max(count, 1.0), total / max(count, 1.0))


def make_optimizer(model: RegLSTM, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser the recipe names, fused where the device has it."""
    parameters = list(model.parameters())
    fused = parameters[0].device.type in ("cpu", "cuda")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)
    make = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return make(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)


def _order(windows: Windows, recipe: Recipe, epoch: int) -> Tensor:
    """First rows of this epoch's windows, thinned by the stride from a drawn phase, shuffled: [W]."""
    phase = derive_seed(recipe.seed, "phase", epoch, 0) % recipe.stride
    kept = thin(windows, stride=recipe.stride, phase=phase)
    shuffled = torch.randperm(len(kept), generator=stream(recipe.seed, "shuffle", epoch, 0))
    return torch.from_numpy(kept.start)[shuffled]


def _loss(
    model: RegLSTM, tensors: PanelTensors, start: Tensor, recipe: Recipe, epoch: int, step: int
) -> Tensor:
    """The loss of one batch; its dropout masks belong to (seed, epoch, step, layer)."""
    batch = gather_batch(
        tensors, start, lookback=recipe.lookback, horizon=recipe.horizon, every_step=recipe.every_step
    )
    device = batch.x.device
    generators = [
        stream(recipe.seed, "dropout", epoch, step, layer, device=device) for layer in range(model.num_layers)
    ]
    draws = model.draw(len(start), recipe.lookback, generators=generators)
    answer = model(batch.x, draws=draws) if recipe.every_step else model.final(batch.x, draws=draws)
    return _objective(recipe, answer, batch.y, batch.weight)


def _objective(recipe: Recipe, answer: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """What training makes small: the point loss, or a quantile head's own."""
    if recipe.loss == "pinball":
        return pinball_loss(recipe.quantiles, answer, y, weight)
    return point_loss(recipe.loss, answer, y, weight)


def _summary(record: Tensor, sizes: list[int], names: list[str], recipe: Recipe, epoch: int) -> _Trained:
    """Means over an epoch's steps, each batch by its size; refuses what is not finite."""
    values = record.to("cpu", torch.float64).numpy()
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        _refuse_step(values, int(np.argmax(bad)), recipe, epoch)
    weights = np.array(sizes) / sum(sizes)
    whole = np.sqrt((values[:, 1:] ** 2).sum(axis=1))
    # Summed by NumPy: a product by BLAS has other last bits with another kernel, which the environment names.
    columns = np.column_stack([values[:, 0], whole, values[:, 1:]])
    loss, norm, *layers = (weights[:, None] * columns).sum(axis=0)
    return _Trained(float(loss), float(norm), dict(zip(names, map(float, layers), strict=True)))


def _refuse_step(values: np.ndarray, step: int, recipe: Recipe, epoch: int) -> None:
    loss, norm = values[step, 0], np.sqrt((values[step, 1:] ** 2).sum())
    what = "loss" if not np.isfinite(loss) else "gradient"
    before = (
        f", gradient norm of the step before: {np.sqrt((values[step - 1, 1:] ** 2).sum()):.4g}"
        if step
        else ""
    )
    raise Diverged(
        "train.diverged",
        f"the {what} is not finite at epoch {epoch}, step {step + 1}",
        details=[f"loss: {loss:.4g}, gradient norm: {norm:.4g}{before}, learning rate: {recipe.lr:g}"],
        hint=f"try a smaller learning rate (--set training.lr={recipe.lr / 10:g}) or training.clip_norm: 1.0",
    )


def _refuse_blind(history: list[Epoch]) -> None:
    if not any(np.isfinite(epoch.val_score) for epoch in history):
        last = history[-1]
        raise Diverged(
            "train.diverged",
            f"no validation loss was finite from epoch {history[0].epoch} to epoch {last.epoch}",
            details=[f"epoch {last.epoch}: learning rate {last.lr:g}, gradient norm {last.grad_norm}"],
            hint=f"try a smaller learning rate (--set training.lr={last.lr / 10:g})",
        )


def _epoch_zero(score: Score, recipe: Recipe, began: float) -> Epoch:
    return Epoch(0, None, score.loss, score.score, recipe.lr, None, {}, time.monotonic() - began)
