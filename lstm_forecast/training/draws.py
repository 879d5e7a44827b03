"""Which windows an epoch is made of, drawn from its own random streams."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lstm_forecast.data.windows import Windows, thin
from lstm_forecast.training.recipe import Recipe
from lstm_forecast.training.seeds import derive_seed, stream


def drawn_windows(windows: Windows, recipe: Recipe, epoch: int) -> Tensor:
    """First rows of this epoch's windows, in a drawn order: [W].

    Each window of the stride once, from a drawn phase; or, with ``steps_per_epoch``, as many batches of
    windows drawn again and again, first a series, each as likely as the other, then one of its windows.
    """
    if recipe.steps_per_epoch is not None:
        return _balanced(windows, recipe.steps_per_epoch * recipe.batch_size, recipe, epoch)
    phase = derive_seed(recipe.seed, "phase", epoch, 0) % recipe.stride
    kept = thin(windows, stride=recipe.stride, phase=phase)
    shuffled = torch.randperm(len(kept), generator=stream(recipe.seed, "shuffle", epoch, 0))
    return torch.from_numpy(kept.start)[shuffled]


def _balanced(windows: Windows, count: int, recipe: Recipe, epoch: int) -> Tensor:
    """``count`` windows, drawn with replacement."""
    _, first, sizes = np.unique(windows.series, return_index=True, return_counts=True)
    begins, lengths = torch.from_numpy(first), torch.from_numpy(sizes)
    generator = stream(recipe.seed, "windows", epoch, 0)
    series = torch.randint(len(sizes), (count,), generator=generator)
    within = torch.rand(count, generator=generator, dtype=torch.float64) * lengths[series]
    return torch.from_numpy(windows.start)[begins[series] + within.long()]
