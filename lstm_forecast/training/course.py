"""The course of one network's training, and where it stands after a whole epoch.

A state holds all that the next epoch depends on. Random streams belong to the epoch's number: none is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.training.optimizers import Optimizer

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Epoch:
    """One line of the history; None for what epoch 0, which trains nothing, or no validation gives."""

    epoch: int
    train_loss: float | None
    val_loss: float | None
    val_score: float | None
    lr: float
    grad_norm: float | None
    layer_norms: dict[str, float]
    elapsed_s: float


@dataclass(frozen=True)
class State:
    """A training between two epochs.

    Attributes:
        epoch: the last whole epoch; 0 before the first.
        waited: epochs without improvement.
        best_epoch: the best epoch so far.
        best_score: its score; infinite where there is none.
        history: one line per epoch; empty where nothing validates.
        weights: of the network after that epoch.
        optimizer: what the optimiser remembers, by the number of the parameter: ``0.exp_avg``.
        best: the weights of the best epoch; empty where there is none.
    """

    epoch: int
    waited: int
    best_epoch: int
    best_score: float
    history: tuple[Epoch, ...]
    weights: Tensors
    optimizer: Tensors
    best: Tensors


@dataclass(frozen=True)
class Kept:
    """How one network's training is kept: where it begins, and who is offered its state after each epoch."""

    begin: State | None
    offer: Callable[[Callable[[], State]], None]


AFRESH = Kept(None, lambda _state: None)


def nothing_kept(_part: str) -> Kept:
    """For trainings that are not kept: each begins afresh."""
    return AFRESH


class Course:
    """The epochs so far and the best weights, in memory; improvement is strict, and NaN is never one.

    Without validation the newest epoch is the best: the last weights are those that stay, and no copy of any
    is kept.

    Attributes:
        history: one line per epoch.
        waited: epochs without improvement.
        best_epoch: the best epoch so far.
        best: its weights; empty where there is none.
    """

    def __init__(self) -> None:
        self.history: list[Epoch] = []
        self.waited = 0
        self.best_epoch = 0
        self.best: Tensors = {}
        self._score = float("inf")

    @classmethod
    def of(cls, state: State) -> Course:
        """The course that led to a state."""
        course = cls()
        course.history, course.waited = list(state.history), state.waited
        course.best_epoch, course._score, course.best = state.best_epoch, state.best_score, state.best
        return course

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self.history[-1].elapsed_s if self.history else 0.0

    def add(self, model: nn.Module, epoch: Epoch) -> None:
        """One more epoch, with the weights it left in the model."""
        self.history.append(epoch)
        if epoch.val_score is None:
            self.best_epoch = epoch.epoch
        elif epoch.val_score < self._score:
            self.best_epoch, self._score, self.waited = epoch.epoch, epoch.val_score, 0
            self.best = weights_of(model)
        elif epoch.epoch > 0:
            self.waited += 1

    def state(self, number: int, model: nn.Module, optimizer: Optimizer) -> State:
        """Where the training stands after this epoch."""
        return State(
            number,
            self.waited,
            self.best_epoch,
            self._score,
            tuple(self.history),
            weights_of(model),
            memory_of(optimizer),
            self.best,
        )


def scores_of(history: Sequence[Epoch]) -> list[float]:
    """What validation said after each trained epoch; nothing where no rows validate."""
    return [epoch.val_score for epoch in history if epoch.epoch and epoch.val_score is not None]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights, on their device."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def memory_of(optimizer: Optimizer) -> dict[str, Tensor]:
    """A copy of what the optimiser remembers."""
    return {
        f"{number}.{name}": value.detach().clone()
        for number, memory in optimizer.memory.items()
        for name, value in memory.items()
    }


def take_up(state: State, model: nn.Module, optimizer: Optimizer) -> None:
    """Puts a network and its optimiser where a state says.

    Raises:
        ArtifactRejected: the state is that of another network.
    """
    own = _kinds(model.state_dict())
    for weights in (state.weights, state.best or state.weights):
        if _kinds(weights) != own:
            raise ArtifactRejected("artifact.checkpoint", "the weights are those of another network")
    shapes = [parameter.shape for parameter in model.parameters()]
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in state.optimizer.items():
        number, _, name = key.partition(".")
        fits = number.isdecimal() and int(number) < len(shapes)
        if not fits or value.shape not in (shapes[int(number)], torch.Size([])):
            raise ArtifactRejected("artifact.checkpoint", "the optimiser was that of another network")
        memory.setdefault(int(number), {})[name] = value
    model.load_state_dict(state.weights)
    optimizer.take_up(memory)


def _kinds(tensors: Tensors) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
