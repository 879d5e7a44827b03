"""From a configuration to a trained and judged network, in memory: nothing here touches the run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import stages
from lstm_forecast.config import Config, Loaded, settle
from lstm_forecast.data.calendars import Frequency
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.reader import Table
from lstm_forecast.data.scaling import Scaling, fit_scaling
from lstm_forecast.data.windows import Windows
from lstm_forecast.evaluation.verdict import Verdict, judge, no_verdict
from lstm_forecast.events import Events
from lstm_forecast.forecasting.baselines import naive
from lstm_forecast.stages import Prepared

if TYPE_CHECKING:
    import torch

    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.loop import Epoch, Fitted, Recipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Everything that is known before training begins."""

    config: Config
    table: Table
    frequency: Frequency
    prepared: Prepared


@dataclass(frozen=True)
class HeldOut:
    """Forecasts of windows whose future is known.

    Attributes:
        windows: where they were made.
        cutoff: time of each window's last input, [W].
        last: value of each window's last input, [W].
        actual: [W, H] in original units, NaN where not observed.
        forecast: [W, H].
    """

    windows: Windows
    cutoff: NDArray[np.int64]
    last: Floats
    actual: Floats
    forecast: Floats


@dataclass(frozen=True)
class Trained:
    """A network with its units and its verdict."""

    model: RegLSTM
    scaling: Scaling
    fitted: Fitted
    device: str
    threads: int
    verdict: Verdict
    test: HeldOut


def plan_training(loaded: Loaded, events: Events) -> Plan:
    """Reads the input and settles everything that training needs, saying what was found and decided.

    Raises:
        ForecastError: the configuration or the data cannot be used; nothing was written.
    """
    table = stages.read_input(loaded.config, loaded.config.data.path)
    frequency = stages.frequency_of(loaded.config, table)
    loaded, chosen = stages.with_horizon(loaded, frequency)
    config, settled = settle(loaded)
    config = stages.with_found_columns(config, table)
    for notice in table.notices:
        events.warn(notice.id, notice.message)
    if table.rejects:
        events.emit("data.rejects", {"rows": list(table.rejects)}, level="warning")
    prepared, notes = stages.prepare(config, table, frequency)
    if not loaded.was_set("window.stride"):
        config, narrowed = stages.with_enough_steps(config, prepared)
        notes += narrowed
    events.emit(
        "data.loaded", {"path": table.source.path, "rows": len(table.times), "sha256": table.source.sha256}
    )
    events.say([*table.account, f"frequency: {frequency}", *chosen, *settled, *notes])
    return Plan(config, table, frequency, prepared)


def fit_and_test(plan: Plan, events: Events) -> Trained:
    """Trains on the training rows, selects on validation, and looks at the test split once."""
    with stages.network_threads(plan.config):
        return _fit_and_test(plan, events)


def _fit_and_test(plan: Plan, events: Events) -> Trained:
    import torch

    from lstm_forecast.data.tensors import panel_tensors
    from lstm_forecast.forecasting.forecast import forecast_windows, lowest_values
    from lstm_forecast.model.devices import choose_device
    from lstm_forecast.model.reglstm import initialise
    from lstm_forecast.training.seeds import stream

    config, prepared = plan.config, plan.prepared
    device, line = choose_device(config.training.device)
    events.say([line])
    scaling = fit_scaling(
        prepared.panel.until(prepared.splits.train_end),
        method=config.scaling.method,
        scaled_range=config.scaling.range,
        per=config.scaling.per,
        normalize="diff" if config.model.normalize == "diff" else "none",
    )
    _warn_constant(prepared, scaling, events)
    model = stages.build_model(config, features=len(prepared.panel.columns))
    initialise(model, stream(config.training.seed, "weights", 0, 0))
    model.to(device)
    fitted = _fit(model, plan, scaling, device, events)
    events.say([_course(fitted)])
    anchored = config.model.anchor == "last"
    tensors = panel_tensors(prepared.panel, scaling, anchored=anchored, device=device)
    forecast = forecast_windows(
        model,
        tensors,
        prepared.panel,
        scaling,
        prepared.test,
        lookback=config.window.lookback,
        minimum=lowest_values(config.forecast.minimum, scaling),
    )
    test = held_out(prepared.panel, prepared.test, forecast, lookback=config.window.lookback)
    threads = torch.get_num_threads()
    return Trained(model, scaling, fitted, str(device), threads, _verdict(test, scaling), test)


def held_out(panel: Panel, windows: Windows, forecast: Floats, *, lookback: int) -> HeldOut:
    """The windows' forecasts [W, H] beside what came."""
    rows = windows.start[:, None] + lookback + np.arange(forecast.shape[1])
    actual = np.where(panel.observed[rows, 0], panel.values[rows, 0], np.nan)
    end = windows.start + lookback - 1
    return HeldOut(windows, panel.times[end], panel.values[end, 0], actual, forecast)


def _fit(model: RegLSTM, plan: Plan, scaling: Scaling, device: torch.device, events: Events) -> Fitted:
    """The loop, handed the rows up to the end of validation and nothing later."""
    import torch

    from lstm_forecast.data.tensors import panel_tensors
    from lstm_forecast.training.loop import fit, validation_score

    prepared, recipe = plan.prepared, stages.recipe_of(plan.config)
    end = prepared.splits.validation_end
    known = prepared.panel.until(end)
    shift = prepared.panel.offsets[:-1] - known.offsets[:-1]
    train, validation = (_moved(w, shift) for w in (prepared.train, prepared.validation))
    anchored = plan.config.model.anchor == "last"
    tensors = panel_tensors(known, scaling, anchored=anchored, device=device)
    weight = torch.from_numpy((scaling.head_unit / scaling.mase_scale)[validation.series]).to(tensors.known)
    return fit(
        model,
        tensors,
        train,
        recipe,
        score=lambda: validation_score(model, tensors, validation, recipe, weight),
        on_epoch=lambda epoch, best: events.emit("epoch.end", epoch_fields(epoch, best, recipe)),
    )


def _course(fitted: Fitted) -> str:
    """How the training went, in one line."""
    last = fitted.history[-1]
    reasons = {
        "epochs": "all of them",
        "patience": "no further gain on validation",
        "max_time": "training.max_time reached",
    }
    chosen = (
        "the untrained model, which is the naive forecast"
        if fitted.best_epoch == 0
        else f"epoch {fitted.best_epoch}"
    )
    return (
        f"trained {last.epoch} epochs in {last.elapsed_s:.1f} s ({reasons[fitted.stopped]}); kept: {chosen}"
    )


def epoch_fields(epoch: Epoch, best: int, recipe: Recipe) -> Mapping[str, object]:
    """An epoch as event fields."""
    return {
        "epoch": epoch.epoch,
        "epochs": recipe.epochs,
        "train_loss": epoch.train_loss,
        "val_loss": epoch.val_loss,
        "val_score": epoch.val_score,
        "grad_norm": epoch.grad_norm,
        "best_epoch": best,
        "elapsed_s": round(epoch.elapsed_s, 3),
    }


def _moved(windows: Windows, shift: NDArray[np.int64]) -> Windows:
    """The same windows in a panel whose series begin ``shift`` [S] rows earlier."""
    return replace(windows, start=windows.start - shift[windows.series])


def _verdict(test: HeldOut, scaling: Scaling) -> Verdict:
    """The model against the naive forecast of the same windows."""
    if len(test.windows) == 0:
        return no_verdict()
    return judge(
        test.actual,
        test.forecast,
        naive(test.last, test.forecast.shape[1]),
        origins=test.cutoff,
        scale=scaling.mase_scale[test.windows.series],
    )


def _warn_constant(prepared: Prepared, scaling: Scaling, events: Events) -> None:
    """Says which series never move in training: their forecast is that value."""
    still = [name for name, flag in zip(prepared.panel.series_ids, scaling.still, strict=True) if flag]
    if still:
        names = ", ".join(still[:5]) + (", …" if len(still) > 5 else "")
        events.warn(
            "data.constant", f"the training values never change, so their last value is the forecast: {names}"
        )
