"""A small problem for the loop: a panel with something to learn, a network, a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling, fit_scaling
from lstm_forecast.data.tensors import PanelTensors, panel_tensors
from lstm_forecast.data.windows import Windows, windows_in
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.course import Epoch
from lstm_forecast.training.loop import Fitted, fit
from lstm_forecast.training.objective import Score, validation_score
from lstm_forecast.training.recipe import Recipe
from lstm_forecast.training.seeds import stream
from tests.data.panels import panel_of
from tests.training.jobs import momentum

L, H = 6, 2
CPU = torch.device("cpu")
RECIPE = Recipe(
    epochs=3,
    batch_size=16,
    optimizer="adam",
    lr=0.01,
    weight_decay=0.0,
    loss="mse",
    clip_norm=1.0,
    patience=10,
    max_time_s=None,
    seed=0,
    lookback=L,
    horizon=H,
    stride=1,
    every_step=True,
    untouched_first=True,
)


@dataclass(frozen=True)
class Problem:
    """Rows 0 to 59 of each of two series train, the rest validates."""

    panel: Panel
    scaling: Scaling
    tensors: PanelTensors
    train: Windows
    validation: Windows


def problem(*, anchored: bool = True) -> Problem:
    """Two series of 80 rows, differenced where the head gives differences."""
    panel = panel_of(momentum(80, seed=1), momentum(80, seed=2))
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    border = starts + 60
    scaling = fit_scaling(
        panel.until(border),
        method="minmax",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize="diff" if anchored else "none",
        transform="none",
        season=1,
    )
    tensors = panel_tensors(panel, scaling, anchor="last" if anchored else "none", season=1, device=CPU)
    train = windows_in(starts + L, border, offsets=panel.offsets, lookback=L, horizon=H)
    validation = windows_in(border, ends, offsets=panel.offsets, lookback=L, horizon=H)
    return Problem(panel, scaling, tensors, train, validation)


def network(
    *, dropout: float = 0.0, zero_head: bool = True, seed: int = 0, layers: int = 1, quantiles: int = 0
) -> RegLSTM:
    """Four units per layer, weights from the seed."""
    model = RegLSTM(
        1, 4, layers, output_size=H, num_quantiles=quantiles, dropout=dropout, zero_head=zero_head
    )
    initialise(model, stream(seed, "weights", 0, 0))
    return model


def scores(of: Problem, model: RegLSTM, recipe: Recipe) -> Callable[[], Score]:
    """Validation as a training does it."""
    weight = torch.from_numpy((of.scaling.head_unit / of.scaling.mase_scale)[of.validation.series])
    return lambda: validation_score(model, of.tensors, of.validation, recipe, weight.to(torch.float32))


def fitted(
    model: RegLSTM,
    recipe: Recipe,
    *,
    of: Problem | None = None,
    score: Callable[[], Score] | None = None,
    on_epoch: Callable[[Epoch, int], None] = lambda *_: None,
) -> Fitted:
    """The model trained in place on the small problem."""
    of = of or problem()
    told = score or scores(of, model, recipe)
    return fit(model, of.tensors, of.train, recipe, score=told, on_epoch=on_epoch)


def told(values: Iterable[float]) -> Callable[[], Score]:
    """Validation that says these scores, one after the other."""
    queue = iter(values)
    return lambda: (lambda value: Score(value, value))(next(queue))


def without_validation(recipe: Recipe) -> Recipe:
    """The recipe that keeps the last weights."""
    return replace(recipe, patience=None, untouched_first=False)


def bits(model: RegLSTM) -> list[bytes]:
    """The weights as bytes."""
    return [value.detach().numpy().tobytes() for value in model.state_dict().values()]
