"""Gradient norms per layer: seen in the history, and clipped (classic exploding gradients)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GradientNorms:
    """The norms of a model's gradients, one per layer of the network.

    Attributes:
        names: the layers, in the order of the measured norms: ``layers.0``, ``layers.1``, ``head``, …
    """

    def __init__(self, model: nn.Module) -> None:
        named = list(model.named_parameters())
        self._parameters = [parameter for _, parameter in named]
        layers = [_layer(name) for name, _ in named]
        self.names = list(dict.fromkeys(layers))
        self._layer = [self.names.index(layer) for layer in layers]
        self._total: Tensor | None = None

    def measure(self) -> Tensor:
        """Euclidean norm of each layer's gradient as it stands: [layers]; nothing is waited for."""
        none = torch.zeros((), device=self._parameters[0].device)
        parts: list[list[Tensor]] = [[] for _ in self.names]
        for index, parameter in zip(self._layer, self._parameters, strict=True):
            if parameter.grad is not None:
                parts[index].append(parameter.grad.square().sum())
        squares = torch.stack([sum(layer, start=none) for layer in parts])
        self._total = squares.sum().sqrt()
        return squares.sqrt()

    def clip(self, longest: float) -> None:
        """Shortens a whole gradient longer than ``longest`` (Pascanu et al. 2013, section 3.2)."""
        if self._total is None:
            raise RuntimeError("measure() comes before clip()")
        factor = (longest / (self._total + 1e-6)).clamp(max=1.0)
        gradients = [one.grad for one in self._parameters if one.grad is not None]
        if gradients:
            torch._foreach_mul_(gradients, factor)


def _layer(name: str) -> str:
    """``layers.0.weight_ih_l0`` → ``layers.0``; ``head.2.bias`` → ``head``."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 and parts[0] != "head" else parts[0]
