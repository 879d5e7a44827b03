"""What chance gives to a training step: dropout masks and initial states, drawn before it for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lstm_forecast.model.cells import dropout_mask

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
    def of_layer(
        cls,
        mask: tuple[int, int, int] | None,
        state: tuple[int, int, int, int] | None,
        *,
        p: float,
        generator: torch.Generator | None,
        like: Tensor,
    ) -> Draws:
        """One layer's.

        Args:
            mask: its shape, time-major ``[L, B, W]``; None for none.
            state: the shape of h or of h and c, ``[parts, directions, B, D]``; None for none.
            p: share of zeros in the mask.
            generator: what both are drawn from, the mask first; None takes the global one.
            like: a tensor of their type, on their device.
        """
        device = like.device if generator is None else generator.device
        masks: tuple[Tensor, ...] = ()
        if mask is not None:
            masks = (dropout_mask(mask, p, generator, device).to(like).transpose(0, 1),)
        if state is None:
            return cls(masks)
        h_and_c = torch.randn(state, generator=generator, device=device)
        return cls(masks, (tuple(h_and_c.to(like)),))

    @classmethod
    def of_layers(cls, parts: Sequence[Draws]) -> Draws:
        """What was drawn for each layer, in their order, as one."""
        states = [part.state for part in parts if part.state is not None]
        masks = tuple(mask for part in parts for mask in part.masks)
        return cls(masks, tuple(state for layers in states for state in layers) if states else None)

    def time_major(self, expected: Sequence[tuple[int, int, int]], *, whole: bool) -> list[Tensor]:
        """The masks as ``[L, B, W]``; one that broadcasts would drop the same units everywhere.

        Args:
            expected: the shape of each layer's mask.
            whole: False admits a last one of one step.

        Raises:
            ValueError: masks of other shapes.
        """
        got = [tuple(mask.shape) for mask in self.masks]
        batch, _, width = expected[-1]
        if got != list(expected) and (whole or got != [*expected[:-1], (batch, 1, width)]):
            raise ValueError(f"draws: got masks of shapes {got}, expected {expected}")
        return [mask.transpose(0, 1) for mask in self.masks]

    def rows(self, rows: slice) -> Draws:
        """The part that belongs to these rows of the batch (views, no copies)."""
        state = None
        if self.state is not None:
            state = tuple(tuple(part[:, rows] for part in layer) for layer in self.state)
        return Draws(tuple(mask[rows] for mask in self.masks), state)
