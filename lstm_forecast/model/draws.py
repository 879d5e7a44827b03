"""What chance gives to a training step: dropout masks and initial states, drawn before it for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

LayerState = tuple[Tensor, ...]  # (h,) or (h, c) of one layer, each [directions, B, D]


@dataclass(frozen=True, eq=False)
class Draws:
    """What chance gives to one training step, drawn for the whole batch so that shards of it can share it.

    Attributes:
        masks: one dropout mask ``[B, L, directions * D]`` per layer, 0 or 1 / (1 - p); empty without dropout.
        state: initial states drawn at random, per layer ``(h,)`` or ``(h, c)``, each ``[directions, B, D]``;
            None unless ``initial_state`` is random.
    """

    masks: tuple[Tensor, ...] = ()
    state: tuple[LayerState, ...] | None = None

    @classmethod
    def of_layers(cls, parts: Sequence[Draws]) -> Draws:
        """What was drawn for each layer, in their order, as one."""
        states = [part.state for part in parts if part.state is not None]
        masks = tuple(mask for part in parts for mask in part.masks)
        return cls(masks, tuple(state for layers in states for state in layers) if states else None)

    def rows(self, rows: slice) -> Draws:
        """The part that belongs to these rows of the batch (views, no copies)."""
        state = None
        if self.state is not None:
            state = tuple(tuple(part[:, rows] for part in layer) for layer in self.state)
        return Draws(tuple(mask[rows] for mask in self.masks), state)
