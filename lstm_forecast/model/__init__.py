"""The network: stacked recurrent layers and a linear head, its cells, its starting weights, its losses.

Its names are imported when first used: the parts in NumPy come without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_forecast.model.beside import Beside
    from lstm_forecast.model.cells import PeepholeLSTM
    from lstm_forecast.model.draws import Draws
    from lstm_forecast.model.first_weights import initialise
    from lstm_forecast.model.losses import LOSSES, point_loss
    from lstm_forecast.model.reglstm import RegLSTM

_HOMES = {
    "Beside": "beside",
    "PeepholeLSTM": "cells",
    "Draws": "draws",
    "initialise": "first_weights",
    "LOSSES": "losses",
    "point_loss": "losses",
    "RegLSTM": "reglstm",
}

__all__ = ["LOSSES", "Beside", "Draws", "PeepholeLSTM", "RegLSTM", "initialise", "point_loss"]


def __getattr__(name: str) -> Any:
    """Imports a public name from its home, which is one of a fixed few."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
