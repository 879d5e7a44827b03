"""What the gates of a network do over one window: the boxes of the textbook drawing, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_forecast.model.architecture import CELLS_WITH_GATES
from lstm_forecast.model.numpy_cells import activation_names
from lstm_forecast.model.numpy_forward import ArrayNetwork, on_one_thread

Array = npt.NDArray[np.float64]


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


def gate_activations(network: ArrayNetwork, x: Array, static: Array | None = None) -> list[LayerGates]:
    """The gates of every layer over one window, from the layer next to the input up.

    A layer with two directions gives two entries, the forward one first. No gate sees what is known ahead.

    Args:
        network: in evaluation: no dropout, and no initial state drawn at random.
        x: ``[1, L, F]``, scaled as the network wants it.
        static: what the window's series is, ``[1, K]``; None where the network is told nothing of it.

    Raises:
        ValueError: a cell without gates (rnn), or ``x`` of another shape.
    """
    made = network.made
    if made.cell not in CELLS_WITH_GATES:
        raise ValueError(f'cell "{made.cell}" has no gates; expected one of {", ".join(CELLS_WITH_GATES)}')
    if x.ndim != 3 or x.shape[0] != 1:
        raise ValueError(f"x: got shape {x.shape}, expected one window [1, L, {made.input_size}]")
    with on_one_thread():
        layers = list(network.layers(x, static, keep=activation_names(made.cell)))
    return [
        LayerGates(k + 1, d == 1, {name: rows[:, 0] for name, rows in one.kept.items()})
        for k, directions in enumerate(layers)
        for d, one in enumerate(directions)
    ]
