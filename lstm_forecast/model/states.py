"""The states that recurrent layers start from, and those that they end in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lstm_forecast.model.draws import LayerState

State = Tensor | tuple[Tensor, Tensor]  # as torch has it: h0 for gru and rnn, (h0, c0) for the LSTMs


def per_layer(state: State | list[State], directions: int) -> list[LayerState]:
    """By layer: what torch has in one piece, ``[num_layers * directions, B, D]``, or a list already."""
    if isinstance(state, list):
        return [layer if isinstance(layer, tuple) else (layer,) for layer in state]
    parts = state if isinstance(state, tuple) else (state,)
    return list(zip(*(torch.split(part, directions) for part in parts), strict=True))


def checked(
    layers: Sequence[LayerState], expected: Sequence[tuple[int, int, int]], parts: int
) -> list[State]:
    """What each layer is called with.

    Args:
        layers: (h0,) or (h0, c0) of each.
        expected: the shape of each layer's parts.
        parts: how many there are, 1 or 2.

    Raises:
        ValueError: another number of layers, or shapes that differ.
    """
    got = [tuple(tuple(part.shape) for part in layer) for layer in layers]
    wanted = [(shape,) * parts for shape in expected]
    if got != wanted:
        raise ValueError(f"state: got shapes {got} per layer, expected {wanted}")
    whole = [tuple(part.contiguous() for part in layer) for layer in layers]  # cuDNN insists
    return [(layer[0], layer[1]) if len(layer) == 2 else layer[0] for layer in whole]


def side_by_side(ends: Tensor) -> Tensor:
    """``[directions, B, D]`` -> ``[B, directions * D]``."""
    return ends.transpose(0, 1).flatten(1)


def at_the_ends(mask: Tensor, directions: int) -> Tensor:
    """A mask ``[L, B, W]`` where the final states stand: ``[B, W]``."""
    if directions == 1:
        return mask[-1]
    size = mask.shape[2] // directions
    return torch.cat([mask[-1, :, :size], mask[0, :, size:]], dim=-1)
