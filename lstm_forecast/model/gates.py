"""What the gates of a network do over one window: the boxes of the textbook drawing, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_forecast.model.beside import NOTHING, Beside
from lstm_forecast.model.cells import CellName
from lstm_forecast.model.reglstm import RegLSTM

Array = npt.NDArray[np.float64]
Weights = dict[str, Tensor]
Step = Callable[[Tensor, list[Tensor], Weights], dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class LayerGates:
    """The activations of one layer in one direction at every step of a window.

    Args:
        layer: its number, from 1, the layer next to the input.
        backward: it reads the window from its end; row t of an array still belongs to step t.
        activations: name -> ``[L, D]``. For the LSTMs ``input``, ``forget``, ``candidate``, ``output``,
            ``cell``, ``hidden``; for the GRU ``reset``, ``update``, ``candidate``, ``hidden``. Gates lie
            within 0..1, candidate and hidden state within -1..1; the cell state has no bound.
    """

    layer: int
    backward: bool
    activations: dict[str, Array]


def gate_activations(model: RegLSTM, x: Tensor, beside: Beside = NOTHING) -> list[LayerGates]:
    """The gates of every layer over one window, from the layer next to the input up.

    A layer with two directions gives two entries, the forward one first. The network runs as in evaluation:
    no dropout, and no initial state drawn at random.

    Args:
        model: its mode and its weights are left as they are.
        x: ``[1, L, F]`` whatever the model's ``batch_first`` is, scaled as the model wants it.
        beside: what the model is given beside its window.

    Raises:
        ValueError: a cell without gates (rnn), or ``x`` of another shape.
    """
    step = _STEPS.get(model.cell)
    if step is None:
        raise ValueError(f'cell "{model.cell}" has no gates; expected one of {", ".join(_STEPS)}')
    if x.ndim != 3 or x.shape[0] != 1:
        raise ValueError(f"x: got shape {tuple(x.shape)}, expected one window [1, L, {model.input_size}]")
    found = []
    with torch.no_grad(), _evaluating(model), _inputs_of(model.layers) as inputs:
        model.final(x if model.batch_first else x.transpose(0, 1), beside=beside)
        for k, (layer, size) in enumerate(zip(model.layers, model.hidden_sizes, strict=True)):
            sequence, start = inputs[k]
            for d, suffix in enumerate(("", "_reverse")[: model.directions]):
                state = _start(start, d, parts=model.state_parts, like=sequence.new_zeros(1, size))
                weights = _weights(layer, suffix)
                activations = _scan(sequence, state, weights, step=step, backward=d == 1)
                found.append(LayerGates(k + 1, d == 1, activations))
    return found


def _scan(
    sequence: Tensor, state: list[Tensor], weights: Weights, *, step: Step, backward: bool
) -> dict[str, Array]:
    """One direction of a layer: every activation ``[L, D]``, in order of time."""
    rows = []
    for x in sequence.flip(0) if backward else sequence:
        row = step(x, state, weights)
        state = [row["hidden"], *([row["cell"]] if "cell" in row else [])]
        rows.append(row)
    if backward:
        rows.reverse()
    return {name: torch.cat([row[name] for row in rows]).cpu().double().numpy() for name in rows[0]}


def _lstm_step(x: Tensor, state: list[Tensor], weights: Weights) -> dict[str, Tensor]:
    """One step of an LSTM, with peepholes where it has some; sources as in `cells.PeepholeLSTM`.

    i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b), c = f c + i g, h = o tanh(c).
    """
    h, c = state
    from_x, from_h = _affine(x, h, weights)
    in_i, in_f, in_g, in_o = (from_x + from_h).chunk(4, dim=1)
    see_i, see_f, see_o = weights.get("weight_peephole", c.new_zeros(3, c.shape[1]))
    i, f, g = torch.sigmoid(in_i + see_i * c), torch.sigmoid(in_f + see_f * c), torch.tanh(in_g)
    c = f * c + i * g
    o = torch.sigmoid(in_o + see_o * c)
    return {"input": i, "forget": f, "candidate": g, "output": o, "cell": c, "hidden": o * torch.tanh(c)}


def _gru_step(x: Tensor, state: list[Tensor], weights: Weights) -> dict[str, Tensor]:
    """One step of a GRU as torch defines it (documentation of ``torch.nn.GRU``).

    r, z = sigmoid(W x + U h + b), n = tanh(W x + b + r (U h + b)), h = (1 - z) n + z h: where the update
    gate z is 1 a unit keeps what it has.
    """
    (h,) = state
    from_x, from_h = _affine(x, h, weights)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = from_x.chunk(3, dim=1), from_h.chunk(3, dim=1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * h}


_STEPS: dict[CellName, Step] = {"lstm": _lstm_step, "lstm_peephole": _lstm_step, "gru": _gru_step}


def _affine(x: Tensor, h: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
    """What the input and what the last hidden state give to the gates, each ``[1, gates * D]``."""
    x = x @ weights["weight_ih"].t() + weights.get("bias_ih", 0)
    return x, h @ weights["weight_hh"].t() + weights.get("bias_hh", 0)


def _weights(layer: nn.Module, suffix: str) -> Weights:
    """The weights of one direction, without torch's suffixes."""
    end = "_l0" + suffix
    return {name.removesuffix(end): p for name, p in layer.named_parameters() if name.endswith(end)}


def _start(start: object, direction: int, *, parts: int, like: Tensor) -> list[Tensor]:
    """The state before the first step of one direction: ``[h]`` or ``[h, c]``, each ``[1, D]``."""
    if start is None:  # torch starts at zero
        return [like] * parts
    given = start if isinstance(start, tuple) else (start,)
    return [part[direction] for part in given]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode for a while."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)


@contextmanager
def _inputs_of(layers: Sequence[nn.Module] | nn.ModuleList) -> Iterator[list[tuple[Tensor, object]]]:
    """A list that fills with what each layer is called with: its sequence ``[L, B, F]`` and its start."""
    inputs: list[tuple[Tensor, object]] = []
    hooks = [layer.register_forward_pre_hook(lambda _layer, given: inputs.append(given)) for layer in layers]
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()
