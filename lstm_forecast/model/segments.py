"""Windows whose consecutive steps are read several at a time."""

from __future__ import annotations

from torch import Tensor


def in_segments(x: Tensor, steps: int) -> Tensor:
    """[L, B, F] → [L / n, B, n · F], the n steps of a segment one after the other.

    Raises:
        ValueError: L is no multiple of n.
    """
    if steps == 1:
        return x
    length, batch, features = x.shape
    if length % steps:
        raise ValueError(f"x: got {length} steps, expected a multiple of segment {steps}")
    parts = x.reshape(length // steps, steps, batch, features)
    return parts.transpose(1, 2).reshape(-1, batch, steps * features)
