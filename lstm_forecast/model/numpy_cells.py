"""The recurrent cells in NumPy: what every gate of a layer does, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_forecast.model.architecture import CellName, Nonlinearity

Array = npt.NDArray[np.float64]
Activations = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Direction:
    """The weights of one layer in one direction, G gates one below the other as torch has them.

    Attributes:
        weight_ih: [G · D, F].
        weight_hh: [G · D, D].
        bias: [G · D], what is added to the input's part; for all cells but the GRU both biases.
        bias_hh: [G · D], what is added to the state's part: the GRU's reset gate acts on it; else 0.
        peephole: [3, D] of the input, forget and output gate; None for a cell without.
    """

    weight_ih: Array
    weight_hh: Array
    bias: Array | float
    bias_hh: Array | float
    peephole: Array | None


@dataclass(frozen=True, eq=False)
class Scanned:
    """What one layer did in one direction.

    Attributes:
        kept: the activations asked for, [L, B, D] each, in order of time also where it reads backwards.
        ends: the state after its last step, ``[h]`` or ``[h, c]``, [B, D] each.
    """

    kept: Activations
    ends: list[Array]


Step = Callable[[Array, list[Array], Direction], Activations]


def direction(weights: Mapping[str, Array], prefix: str, end: str, *, cell: CellName) -> Direction:
    """The weights of one direction, by torch's names in a whole network."""
    none = np.zeros(())
    of_x = weights.get(f"{prefix}bias_ih{end}", none)
    of_h = weights.get(f"{prefix}bias_hh{end}", none)
    return Direction(
        weights[f"{prefix}weight_ih{end}"],
        weights[f"{prefix}weight_hh{end}"],
        of_x if cell == "gru" else of_x + of_h,
        of_h if cell == "gru" else none,
        weights.get(f"{prefix}weight_peephole{end}"),
    )


def scan(
    sequence: Array, start: list[Array], made: Direction, *, step: Step, backward: bool, keep: Sequence[str]
) -> Scanned:
    """One direction of a layer over a sequence [L, B, F], from a state ``[h]`` or ``[h, c]``, [B, D] each."""
    length, batch, features = sequence.shape
    # what the input gives to the gates does not depend on the state: one product for all steps
    from_x = sequence.reshape(length * batch, features) @ made.weight_ih.T + made.bias
    from_x = from_x.reshape(length, batch, -1)
    kept = {name: np.empty((length, *start[0].shape)) for name in keep}
    state = start
    with np.errstate(over="ignore"):  # in the exponential of a gate that is shut
        for t in range(length - 1, -1, -1) if backward else range(length):
            row = step(from_x[t], state, made)
            state = [row["hidden"], *([row["cell"]] if "cell" in row else [])]
            for name, whole in kept.items():
                whole[t] = row[name]
    return Scanned(kept, state)


def step_of(cell: CellName, nonlinearity: Nonlinearity) -> Step:
    """The step of a cell."""
    if cell == "rnn":
        return _relu_step if nonlinearity == "relu" else _tanh_step
    return {"lstm": _lstm_step, "lstm_peephole": _peephole_step, "gru": _gru_step}[cell]


def activation_names(cell: CellName) -> tuple[str, ...]:
    """What a step of a cell gives."""
    if cell == "rnn":
        return ("hidden",)
    if cell == "gru":
        return ("reset", "update", "candidate", "hidden")
    return ("input", "forget", "candidate", "output", "cell", "hidden")


def _lstm_step(from_x: Array, state: list[Array], made: Direction) -> Activations:
    """One step of an LSTM (documentation of ``torch.nn.LSTM``).

    i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b), c = f c + i g, h = o tanh(c).
    """
    h, c = state
    size = h.shape[1]
    into = from_x + h @ made.weight_hh.T
    g = np.tanh(into[:, 2 * size : 3 * size])
    gates = sigmoid(into)  # also of g's part, which is not used: one call costs less than three
    i, f, o = gates[:, :size], gates[:, size : 2 * size], gates[:, 3 * size :]
    c = f * c + i * g
    return {"input": i, "forget": f, "candidate": g, "output": o, "cell": c, "hidden": o * np.tanh(c)}


def _peephole_step(from_x: Array, state: list[Array], made: Direction) -> Activations:
    """The same where the gates also see the cell state; source as in `cells.PeepholeLSTM`."""
    h, c = state
    assert made.peephole is not None
    see_i, see_f, see_o = made.peephole
    in_i, in_f, in_g, in_o = np.split(from_x + h @ made.weight_hh.T, 4, axis=1)
    i, f, g = sigmoid(in_i + see_i * c), sigmoid(in_f + see_f * c), np.tanh(in_g)
    c = f * c + i * g
    o = sigmoid(in_o + see_o * c)  # sees the new cell state
    return {"input": i, "forget": f, "candidate": g, "output": o, "cell": c, "hidden": o * np.tanh(c)}


def _gru_step(from_x: Array, state: list[Array], made: Direction) -> Activations:
    """One step of a GRU as torch defines it (documentation of ``torch.nn.GRU``).

    r, z = sigmoid(W x + U h + b), n = tanh(W x + b + r (U h + b)), h = (1 - z) n + z h: where the update
    gate z is 1 a unit keeps what it has.
    """
    (h,) = state
    x_r, x_z, x_n = np.split(from_x, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ made.weight_hh.T + made.bias_hh, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * h}


def _tanh_step(from_x: Array, state: list[Array], made: Direction) -> Activations:
    """H = tanh(W x + U h + b)."""
    return {"hidden": np.tanh(from_x + state[0] @ made.weight_hh.T)}


def _relu_step(from_x: Array, state: list[Array], made: Direction) -> Activations:
    """H = max(0, W x + U h + b)."""
    return {"hidden": relu(from_x + state[0] @ made.weight_hh.T)}


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); far below 0 the exponential may overflow, and the answer is 0 all the same."""
    out = np.negative(x)
    np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)


def relu(x: Array) -> Array:
    """What is above 0."""
    return np.maximum(x, 0)
