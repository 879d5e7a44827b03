"""How a network is trained, as plain numbers and words; the optimiser and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lstm_forecast.model.losses import LossName, MeasureName
from lstm_forecast.model.precision import Precision
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.optimizers import Optimizer, Rule

ScheduleName = Literal["none", "step", "cosine", "plateau"]
STEP_FACTOR, STEP_PARTS = 0.1, 3  # step: a tenth after each third of the epochs
PLATEAU_FACTOR, PLATEAU_EPOCHS = 0.5, 3  # plateau: half after three epochs without improvement


@dataclass(frozen=True)
class Schedule:
    """The course of the learning rate, as shares of it.

    Attributes:
        name: none keeps it; cosine lowers it to 0 at the last epoch (Loshchilov & Hutter 2017, SGDR, eq. 5,
            without restarts); step to a tenth after each third of the epochs; plateau to a half wherever
            three epochs in a row brought no better validation score.
        warmup_steps: steps at the beginning over which it rises from 0.
        epochs: of the whole course, also where fewer are trained.
    """

    name: ScheduleName
    warmup_steps: int
    epochs: int

    def share(self, epoch: int, step: int, steps: int) -> float:
        """Of the learning rate, in one step (from 0) of ``steps`` in an epoch (from 1); plateau apart."""
        done = (epoch - 1) * steps + step
        rising = min(1.0, (done + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        course = (epoch - 1 + step / steps) / self.epochs
        if self.name == "cosine":
            return rising * 0.5 * (1 + math.cos(math.pi * min(course, 1.0)))
        if self.name == "step":
            return float(rising * STEP_FACTOR ** int((epoch - 1) * STEP_PARTS / self.epochs))
        return rising


STEADY = Schedule("none", 0, 1)


def plateau_share(schedule: Schedule, scores: Sequence[float]) -> float:
    """What a plateau schedule leaves of the learning rate after epochs with these validation scores."""
    share, best, waited = 1.0, math.inf, 0
    if schedule.name != "plateau":
        return share
    for score in scores:
        best, waited = (score, 0) if score < best else (best, waited + 1)
        if waited == PLATEAU_EPOCHS:
            share, waited = share * PLATEAU_FACTOR, 0
    return share


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
        segment: steps the network reads as one; every_step is then every segment's end.
        steps_per_epoch: batches of windows drawn with every series as likely as the other; None: each window
            of the stride once.
        schedule: the course of the learning rate.
        precision: of the layers' numbers; losses and weights are float32 whatever it is.
        measure_scales: what the loss measures in original units are divided by.
        threads: that a batch is split over; on the CPU alone more than 1.
    """

    epochs: int
    batch_size: int
    optimizer: Rule
    lr: float
    weight_decay: float
    loss: LossName | Literal["pinball"] | tuple[MeasureName, ...]
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
    segment: int = 1
    steps_per_epoch: int | None = None
    schedule: Schedule = STEADY
    precision: Precision = "float32"
    measure_scales: Mapping[MeasureName, float] = field(default_factory=dict)
    threads: int = 1


def make_optimizer(model: RegLSTM, recipe: Recipe) -> Optimizer:
    """The optimiser the recipe names."""
    return Optimizer(model.parameters(), recipe.optimizer, lr=recipe.lr, weight_decay=recipe.weight_decay)
