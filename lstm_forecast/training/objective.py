"""What training makes small, and what validation says about the forecasts at the ends of windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lstm_forecast.data.tensors import Batch, PanelTensors, final_outputs, gather_batch
from lstm_forecast.data.windows import Windows
from lstm_forecast.model.beside import Beside
from lstm_forecast.model.losses import MeasureName, measure_loss, pinball_loss, point_loss
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.recipe import Recipe
from lstm_forecast.training.workers import workers_on

AT_ONCE = 128  # windows validated at once by a thread; more take memory and save no time, see the lab log


@dataclass(frozen=True)
class Score:
    """What validation says: ``loss`` in the unit of the head, and ``score``, which selects the model.

    The score is the MAE of the forecasts over the MASE scale of their series, or a quantile head's pinball
    loss over the same.
    """

    loss: float
    score: float


def objective(recipe: Recipe, batch: Batch, tensors: PanelTensors) -> Callable[[Tensor], Tensor]:
    """What gives the loss of the answers to a batch, a scalar; what needs no answer is computed right here.

    It is the point loss, a quantile head's own, or measures in original units.
    """
    if isinstance(recipe.loss, tuple):
        return _measured(recipe, recipe.loss, batch, tensors)
    if recipe.loss == "pinball":
        return partial(pinball_loss, recipe.quantiles, target=batch.y, weight=batch.weight)
    return partial(point_loss, recipe.loss, target=batch.y, weight=batch.weight)


def _measured(
    recipe: Recipe, names: tuple[MeasureName, ...], batch: Batch, tensors: PanelTensors
) -> Callable[[Tensor], Tensor]:
    """Measures of the forecast in original units; the MASE by the scale of each window's series."""
    units = tensors.units
    axes = (-1, *(1,) * (batch.y.ndim - 1))
    unit, origin, error = (
        part.index_select(0, batch.start).view(axes) for part in (units.unit, units.origin, units.error)
    )
    from_zero, slope = batch.base * unit + origin, batch.scale.view(axes) * unit

    def original(numbers: Tensor) -> Tensor:
        changed = (from_zero + numbers * slope).to(torch.float32)
        if units.transform == "log":
            return changed.exp()
        return changed.expm1() if units.transform == "log1p" else changed

    scales = {name: recipe.measure_scales[name] * (error if name == "mase" else 1.0) for name in names}
    actual = original(batch.y)
    return lambda answer: measure_loss(names, original(answer), actual, batch.weight, scales=scales)


def validation_score(
    model: RegLSTM, tensors: PanelTensors, windows: Windows, recipe: Recipe, weight: Tensor
) -> Score:
    """Scores end-of-window forecasts.

    Args:
        model: in evaluation mode.
        tensors: the panel up to the end of validation.
        windows: the validation windows.
        recipe: lookback, horizon and loss.
        weight: [W], units of the head over the series' MASE scale.
    """
    start = torch.from_numpy(windows.start).to(tensors.inputs.device)

    def final(x: Tensor, ahead: Tensor | None, static: Tensor | None) -> Tensor:
        return model.final(x, beside=Beside(ahead, static))

    def answers_of(rows: Tensor) -> Tensor:
        return final_outputs(
            final, tensors, rows, lookback=recipe.lookback, horizon=recipe.horizon, batch=AT_ONCE
        )

    with workers_on(start.device, recipe.threads) as workers:
        shards = [start[rows] for rows in workers.shards(len(start))]
        answers = torch.cat(workers.each(answers_of, shards))
    loss, total, count = 0.0, 0.0, 0.0
    for rows, answer, scale in zip(
        torch.split(start, 1024), torch.split(answers, 1024), torch.split(weight, 1024), strict=True
    ):
        batch = gather_batch(
            tensors, rows, lookback=recipe.lookback, horizon=recipe.horizon, every_step=False
        )
        known = float(batch.weight.sum())
        loss += float(objective(recipe, batch, tensors)(answer)) * known
        scaled = batch.weight * scale[:, None]
        if recipe.quantiles:
            total += float(pinball_loss(recipe.quantiles, answer, batch.y, scaled)) * float(scaled.sum())
        else:
            total += float(((answer - batch.y).abs() * scaled).sum())
        count += known
    return Score(loss / max(count, 1.0), total / max(count, 1.0))
