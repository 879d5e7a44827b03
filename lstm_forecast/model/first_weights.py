"""The weights a network begins with, from a given generator alone; its dense head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from lstm_forecast.model.cells import initialise_layer

if TYPE_CHECKING:
    from lstm_forecast.model.reglstm import RegLSTM


def initialise(model: RegLSTM, generator: torch.Generator) -> None:
    """Set every weight from ``generator`` alone, by torch's own rules, never from the global one.

    Recurrent layers uniform within +-1/sqrt(D), dense layers within +-1/sqrt(fan-in), LayerNorm 1 and 0,
    learned initial states 0, and with ``zero_head`` the last dense layer 0; embeddings standard normal, and
    what features known ahead add 0. Generator and model must be on one device: initialise on the CPU first,
    and the weights are the same wherever the model goes then.

    Keras' rules (orthogonal recurrent kernels, forget bias 1) were measured and put aside: see the lab log.
    """
    for layer in model.layers:
        initialise_layer(layer, generator)
    for module in [*model.norms, *model.head]:
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            _uniform(module, generator)
    for learned in model.learned_state:
        nn.init.zeros_(learned)
    if model.zero_head:
        zero_last(model.head)
    if model.skip is not None:
        zero(model.skip)
    if model.static is not None:
        for table in model.static.embeddings:
            nn.init.normal_(next(table.parameters()), generator=generator)
    if model.steps is not None:
        for dense in (model.steps.of_state, model.steps.of_ahead):
            _uniform(dense, generator)
        zero(model.steps.out)


def dense_head(width: int, hidden: Sequence[int], output_size: int) -> nn.Sequential:
    """ReLU layers of these widths, then a linear one."""
    modules: list[nn.Module] = []
    for dense in hidden:
        modules += [nn.Linear(width, dense), nn.ReLU()]
        width = dense
    return nn.Sequential(*modules, nn.Linear(width, output_size))


def zero_last(head: nn.Sequential) -> None:
    """Sets the last layer to zero."""
    zero(head[-1])


def zero(layer: nn.Module) -> None:
    """Sets every weight of a layer to zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _uniform(layer: nn.Linear, generator: torch.Generator) -> None:
    bound = 1 / math.sqrt(layer.in_features)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
