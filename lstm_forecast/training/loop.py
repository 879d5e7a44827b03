"""The training loop: epochs, early stopping with the best weights kept, a stop where a loss is not finite."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lstm_forecast.data.tensors import Batch, PanelTensors
from lstm_forecast.data.windows import Windows
from lstm_forecast.errors import Diverged
from lstm_forecast.model.beside import Beside
from lstm_forecast.model.draws import Draws
from lstm_forecast.model.precision import computing_in
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.signals import deferred
from lstm_forecast.training.course import AFRESH, Course, Epoch, Kept, scores_of, take_up
from lstm_forecast.training.draws import drawn_windows, gathered
from lstm_forecast.training.gradients import GradientNorms, clip
from lstm_forecast.training.objective import Score, objective
from lstm_forecast.training.optimizers import Optimizer
from lstm_forecast.training.recipe import Recipe, make_optimizer, plateau_share
from lstm_forecast.training.seeds import stream
from lstm_forecast.training.workers import Gradients, Workers, weighted_gradients, workers_on

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
    score: Callable[[], Score] | None,
    on_epoch: Callable[[Epoch, int], None],
    kept: Kept = AFRESH,
) -> Fitted:
    """Trains the model in place and leaves the chosen weights in it.

    Args:
        model: on the device of the tensors.
        tensors: the panel; only rows of the training windows are looked at here.
        windows: every training window.
        recipe: how to train.
        score: validates the model as it stands; None where there are no validation rows, and then
            ``recipe.patience`` is None.
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
    elif recipe.untouched_first and score is not None:
        model.eval()
        course.add(model, _epoch_zero(score(), recipe, began))
        on_epoch(course.history[0], course.best_epoch)
    with workers_on(tensors.inputs.device, recipe.threads) as workers:
        while (stopped := _stopped(recipe, number, course)) is None:
            number += 1
            share = plateau_share(recipe.schedule, scores_of(course.history))
            trained = train_epoch(
                model, tensors, windows, recipe, optimizer, number, workers=workers, share=share
            )
            model.eval()
            valid = None if score is None else score()
            loss, chosen_by = (None, None) if valid is None else (valid.loss, valid.score)
            elapsed, lr = time.monotonic() - began, optimizer.lr
            epoch = Epoch(number, trained.loss, loss, chosen_by, lr, trained.norm, trained.layers, elapsed)
            course.add(model, epoch)
            kept.offer(partial(course.state, number, model, optimizer))
            on_epoch(epoch, course.best_epoch)
    history = course.history
    if score is not None:
        _refuse_blind(history if recipe.patience is not None else history[-1:])
    if recipe.patience is None:
        return Fitted(history, number, stopped)
    model.load_state_dict(course.best)
    return Fitted(history, course.best_epoch, stopped)


def train_epochs(
    model: RegLSTM,
    tensors: PanelTensors,
    windows: Windows,
    recipe: Recipe,
    *,
    scores: Sequence[float] = (),
    kept: Kept = AFRESH,
) -> None:
    """Trains the model in place for ``recipe.epochs`` epochs, without validation; the last weights stay.

    Args:
        model: on the device of the tensors.
        tensors: the panel.
        windows: every training window.
        recipe: how to train.
        scores: of validation after each epoch of the training that is repeated; a plateau schedule lowered
            its learning rate by them.
        kept: a state to go on from, and who is offered the state after each epoch.

    Raises:
        Diverged: a loss or gradient is not finite.
        ArtifactRejected: the state to go on from is that of another network.
    """
    optimizer = make_optimizer(model, recipe)
    done = 0
    if kept.begin is not None and kept.begin.epoch <= recipe.epochs:
        take_up(kept.begin, model, optimizer)
        done = kept.begin.epoch
    with workers_on(tensors.inputs.device, recipe.threads) as workers:
        for number in range(done + 1, recipe.epochs + 1):
            share = plateau_share(recipe.schedule, scores[: number - 1])
            train_epoch(model, tensors, windows, recipe, optimizer, number, workers=workers, share=share)
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


@dataclass(frozen=True)
class _Prepared:
    """What a step begins with.

    Attributes:
        batch: its windows.
        draws: its dropout masks and states.
        loss: of an answer to all windows; None where each thread has a loss of its own.
    """

    batch: Batch
    draws: Draws
    loss: Callable[[Tensor], Tensor] | None


def train_epoch(
    model: RegLSTM,
    tensors: PanelTensors,
    windows: Windows,
    recipe: Recipe,
    optimizer: Optimizer,
    epoch: int,
    *,
    workers: Workers,
    share: float = 1.0,
) -> _Trained:
    """One pass over the windows of this epoch, in a drawn order; ``share`` is what a plateau left of the lr.

    Losses and gradient norms stay on the device until the epoch ends, so that a GPU is never waited for. A
    signal that ends the program waits for the end of a step.

    Raises:
        Diverged: naming the first step whose loss or gradient is not finite.
    """
    model.train()
    device = tensors.inputs.device
    order = drawn_windows(windows, recipe, epoch).to(device)
    batches = torch.split(order, recipe.batch_size)
    norms, parameters = GradientNorms(model), list(model.parameters())
    record = torch.zeros(len(batches), 1 + norms.count, device=device)
    batch_of = gathered(tensors, order, recipe)
    undivided = model.compiled and recipe.precision == "float32"  # the layers split the rows, nothing else

    def prepared(step: int) -> _Prepared:
        batch, draws = batch_of(step), _draws(model, recipe, epoch, step, len(batches[step]))
        return _Prepared(batch, draws, objective(recipe, batch, tensors) if undivided else None)

    ready: Callable[[], _Prepared] = partial(prepared, 0)
    with deferred() as stop:
        for step in range(len(batches)):
            stop()
            given = ready()
            if step + 1 < len(batches):
                ready = workers.begin_behind(partial(prepared, step + 1))
            loss, gradients = _gradients(model, parameters, tensors, recipe, given, workers)
            measured = norms.measure(gradients)
            record[step, 0] = loss
            record[step, 1:] = measured
            if recipe.clip_norm is not None:
                clip(gradients, measured, recipe.clip_norm)
            optimizer.lr = recipe.lr * share * recipe.schedule.share(epoch, step, len(batches))
            optimizer.step(gradients)
    return _summary(record, [len(batch) for batch in batches], norms, recipe, epoch)


def _draws(model: RegLSTM, recipe: Recipe, epoch: int, step: int, rows: int) -> Draws:
    """Dropout masks of one batch of so many rows; they belong to (seed, epoch, step, layer)."""
    device = next(model.parameters()).device
    generators = [
        stream(recipe.seed, "dropout", epoch, step, layer, device=device) for layer in range(model.num_layers)
    ]
    return model.draw(rows, recipe.lookback, generators=generators, whole=recipe.every_step)


def _gradients(
    model: RegLSTM,
    parameters: Sequence[Tensor],
    tensors: PanelTensors,
    recipe: Recipe,
    given: _Prepared,
    workers: Workers,
) -> tuple[Tensor, Gradients]:
    """The loss of a batch and its gradients, of shards of its rows on all workers."""
    batch, draws = given.batch, given.draws
    if given.loss is not None:
        loss = _loss(model, recipe, batch, draws, given.loss, workers)
        return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)

    def of(rows: slice) -> tuple[Tensor, Tensor, Gradients]:
        shard = batch.rows(rows)
        loss = _loss(model, recipe, shard, draws.rows(rows), objective(recipe, shard, tensors))
        return loss.detach(), shard.weight.sum(), torch.autograd.grad(loss, parameters, allow_unused=True)

    shards = workers.each(of, workers.shards(len(batch.start)))
    losses, weights, gradients = zip(*shards, strict=True)
    if len(shards) == 1:
        return losses[0], gradients[0]
    # A loss is a mean over the targets that are known: so much of the batch's has each shard.
    known = [float(weight) for weight in weights]
    shares = [one / max(sum(known), 1.0) for one in known]
    loss = torch.stack(losses).dot(torch.tensor(shares))
    return loss, weighted_gradients(gradients, shares)


def _loss(
    model: RegLSTM,
    recipe: Recipe,
    batch: Batch,
    draws: Draws,
    loss_of: Callable[[Tensor], Tensor],
    threads: Workers | None = None,
) -> Tensor:
    """The loss of some windows; the layers of a compiled model are split over the threads."""
    answer_of, beside = model if recipe.every_step else model.final, Beside(batch.ahead, batch.static)
    with computing_in(recipe.precision, batch.x.device):
        answer = answer_of(batch.x, beside=beside, draws=draws, threads=threads)
    return loss_of(answer.float())


def _summary(record: Tensor, sizes: list[int], norms: GradientNorms, recipe: Recipe, epoch: int) -> _Trained:
    """Means over an epoch's steps, each batch by its size; refuses what is not finite."""
    found = record.to("cpu", torch.float64).numpy()
    values = np.column_stack([found[:, 0], norms.by_layer(found[:, 1:])])
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        _refuse_step(values, int(np.argmax(bad)), recipe, epoch)
    weights = np.array(sizes) / sum(sizes)
    whole = np.sqrt((values[:, 1:] ** 2).sum(axis=1))
    # Summed by NumPy: a product by BLAS has other last bits with another kernel, which the environment names.
    columns = np.column_stack([values[:, 0], whole, values[:, 1:]])
    loss, norm, *layers = (weights[:, None] * columns).sum(axis=0)
    return _Trained(float(loss), float(norm), dict(zip(norms.names, map(float, layers), strict=True)))


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
    if not any(epoch.val_score is not None and np.isfinite(epoch.val_score) for epoch in history):
        last = history[-1]
        raise Diverged(
            "train.diverged",
            f"no validation loss was finite from epoch {history[0].epoch} to epoch {last.epoch}",
            details=[f"epoch {last.epoch}: learning rate {last.lr:g}, gradient norm {last.grad_norm}"],
            hint=f"try a smaller learning rate (--set training.lr={last.lr / 10:g})",
        )


def _epoch_zero(score: Score, recipe: Recipe, began: float) -> Epoch:
    return Epoch(0, None, score.loss, score.score, recipe.lr, None, {}, time.monotonic() - began)
