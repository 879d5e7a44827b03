"""A CSV in; an honest, dated forecast from a stacked LSTM out.

The functions here are the ones the command line calls::

    from lstm_forecast import load_config, train, predict

    result = train(load_config(Path("configs/stock.yaml")))
    forecast = predict(result.run.path, horizon=5)

Heavy packages are imported when a name is first used, so ``import lstm_forecast`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstm_forecast.version import __version__

if TYPE_CHECKING:
    from lstm_forecast.config import load_config
    from lstm_forecast.evaluating import Backtest
    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.pipeline import evaluate, plot, predict, train

_HOMES = {
    "load_config": "lstm_forecast.config",
    "train": "lstm_forecast.pipeline",
    "predict": "lstm_forecast.pipeline",
    "evaluate": "lstm_forecast.pipeline",
    "Backtest": "lstm_forecast.evaluating",
    "plot": "lstm_forecast.pipeline",
    "RegLSTM": "lstm_forecast.model.reglstm",
}

__all__ = ["Backtest", "RegLSTM", "__version__", "evaluate", "load_config", "plot", "predict", "train"]


def __getattr__(name: str) -> Any:
    """Imports a public name from its home, which is one of a fixed few."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
