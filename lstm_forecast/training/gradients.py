"""Gradient norms per layer: seen in the history, and clipped (classic exploding gradients)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class GradientNorms:
    """The norms of a model's gradients, one per parameter; ``by_layer`` makes one per layer of them.

    Attributes:
        count: of the parameters that a loss can depend on.
        names: the layers, in the order of the model: ``layers.0``, ``layers.1``, ``head``, …
    """

    def __init__(self, model: nn.Module) -> None:
        layers = [_layer(name) for name, _ in model.named_parameters()]
        self.names = list(dict.fromkeys(layers))
        self.count = len(layers)
        self._layer = [self.names.index(layer) for layer in layers]

    def measure(self, gradients: Sequence[Tensor | None]) -> Tensor:
        """Euclidean norm of each parameter's gradient: [P], 0 where there is none; nothing is waited for."""
        present = [gradient for gradient in gradients if gradient is not None]
        norms = iter(torch._foreach_norm(present) if present else ())
        device = present[0].device if present else None
        return torch.stack(
            [torch.zeros((), device=device) if one is None else next(norms) for one in gradients]
        )

    def by_layer(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """The norms of each layer's gradient of those of its parameters: [S, P] → [S, layers]."""
        squares = np.zeros((len(norms), len(self.names)))
        for layer, norm in zip(self._layer, norms.T, strict=True):
            squares[:, layer] += norm**2
        return np.sqrt(squares)


def clip(gradients: Sequence[Tensor | None], norms: Tensor, longest: float) -> None:
    """Shortens a whole gradient longer than ``longest``, in place (Pascanu et al. 2013, section 3.2).

    Args:
        gradients: one per parameter.
        norms: of each of them, [P].
        longest: norm of the whole.
    """
    factor = (longest / (norms.norm() + 1e-6)).clamp(max=1.0)
    present = [gradient for gradient in gradients if gradient is not None]
    if present:
        torch._foreach_mul_(present, factor)


def _layer(name: str) -> str:
    """``layers.0.weight_ih_l0`` → ``layers.0``; ``head.2.bias`` → ``head``."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 and parts[0] != "head" else parts[0]
