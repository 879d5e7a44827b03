"""Which windows an epoch is made of, drawn from its own random streams, and its batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lstm_forecast.data.tensors import Batch, PanelTensors, gather_batch
from lstm_forecast.data.windows import Windows, thin
from lstm_forecast.training.recipe import Recipe
from lstm_forecast.training.seeds import derive_seed, stream

GATHERED_AT_ONCE = 2**17  # numbers; more of them would still be gathered when the thread is needed again


def gathered(tensors: PanelTensors, order: Tensor, recipe: Recipe) -> Callable[[int], Batch]:
    """What gives the batch of a step, from 0, of the windows in this order.

    Small batches are gathered several at once: of each, the calls would take longer than the numbers. So
    the steps have to be asked for one after the other.

    Args:
        tensors: the panel.
        order: flat rows that the windows begin at, [W].
        recipe: lookback, horizon, segment and batch size.
    """
    size = recipe.batch_size
    answers = recipe.horizon * (recipe.lookback // recipe.segment if recipe.every_step else 1)
    numbers = size * (recipe.lookback * tensors.inputs.shape[1] + answers)
    together = max(1, GATHERED_AT_ONCE // numbers)
    block: Batch | None = None

    def batch_of(step: int) -> Batch:
        nonlocal block
        place = step % together
        if place == 0:
            first = step * size
            block = gather_batch(
                tensors,
                order[first : first + together * size],
                lookback=recipe.lookback,
                horizon=recipe.horizon,
                every_step=recipe.every_step,
                segment=recipe.segment,
            )
        assert block is not None
        return block.rows(slice(place * size, (place + 1) * size))

    return batch_of


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
