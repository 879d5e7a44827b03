"""The optional packages of a training: are they there; TensorBoard files where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_forecast.config import Config, config_values
from lstm_forecast.data.scaling import network_inputs
from lstm_forecast.fitting import Plan
from lstm_forecast.forecasting.baselines import SIMPLE
from lstm_forecast.judging import Trained

if TYPE_CHECKING:
    from lstm_forecast.training.tensorboard import BoardWriter


def require_extras(config: Config) -> None:
    """Refuses what needs an optional package that is not there, before anything is written or trained.

    Raises:
        ResourceError: naming the extra.
    """
    if set(config.evaluation.baselines) - set(SIMPLE):
        from lstm_forecast.forecasting.statistical import require_library

        require_library()
    if config.training.tensorboard:
        from lstm_forecast.training.tensorboard import require_writer

        require_writer()


def open_boards(config: Config, folder: Path) -> list[BoardWriter]:
    """One event file per network under ``folder``; none where they are not wanted.

    Raises:
        ResourceError: the extra is not installed.
    """
    if not config.training.tensorboard:
        return []
    from lstm_forecast.training.tensorboard import open_board

    count = config.training.ensemble
    return [open_board(folder / f"network-{n + 1}" if count > 1 else folder) for n in range(count)]


def finish_boards(boards: Sequence[BoardWriter], plan: Plan, trained: Trained) -> None:
    """Adds the graph of each network, the settings, and what the test found."""
    if not boards:
        return
    import torch

    from lstm_forecast.forecasting.answers import beside_of

    forecaster, panel = trained.learned.forecaster, plan.prepared.panel
    settings = _settings(plan.config)
    metrics = trained.judged.verdict.metrics.get("model", {})
    finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
    for board, network, course in zip(boards, forecaster.networks, trained.learned.courses, strict=True):
        window = plan.prepared.train.start[:1]
        rows = window[:, None] + np.arange(forecaster.lookback)
        inputs = network_inputs(panel.values[rows], forecaster.scaling, plan.prepared.train.series[:1])
        like, first = next(network.parameters()), plan.prepared.train.series[:1]
        ahead = np.zeros((1, forecaster.horizon, forecaster.scaling.ahead))
        beside = beside_of(forecaster.scaling, first, ahead, like.device)
        board.graph(network, torch.from_numpy(inputs).to(like), beside)
        board.finish(settings, {**finite, "best_epoch": course.best_epoch})


def _settings(config: Config) -> Mapping[str, str | float | bool | int]:
    """The whole configuration as plain numbers and words, by dotted key."""
    return {
        key: value if isinstance(value, (bool, int, float, str)) else str(value)
        for key, value in config_values(config).items()
    }
