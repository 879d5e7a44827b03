"""This program's training loop as a contender of a benchmark: an epoch a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstm_forecast.config import Config
    from lstm_forecast.data.panel import Panel
    from lstm_forecast.data.windows import Windows


def epochs_of(config: Config, training: Panel, windows: Windows) -> Callable[[], None]:
    """What trains the next epoch of one network on the CPU.

    Args:
        config: as planned, with its number of threads.
        training: the rows.
        windows: of these rows.
    """
    import torch

    from lstm_forecast import fitting, networks
    from lstm_forecast.training.loop import train_epoch
    from lstm_forecast.training.recipe import make_optimizer
    from lstm_forecast.training.workers import Workers

    cpu = torch.device("cpu")
    [model] = networks.first_networks(config, training, device=cpu)
    recipe = networks.recipe_of(config, training, seed=0)
    tensors = fitting._tensors(config, training, networks.fit_units(config, training), cpu)
    optimizer, count = make_optimizer(model, recipe), 0
    torch.set_num_threads(1)
    workers = Workers(recipe.threads).__enter__()  # until the process ends

    def epoch() -> None:
        nonlocal count
        count += 1
        train_epoch(model, tensors, windows, recipe, optimizer, count, workers=workers)

    return epoch
