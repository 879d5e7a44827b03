"""From a configuration to trained networks, in memory: nothing here touches the run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import choices, networks, stages
from lstm_forecast.ages import require_fresh_input
from lstm_forecast.config import Config, Loaded, settle
from lstm_forecast.data.calendars import Frequency
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.reader import Table
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.data.windows import Windows
from lstm_forecast.errors import DataInvalid
from lstm_forecast.evaluation.held_out import actual_values
from lstm_forecast.evaluation.leaks import leaking_covariates
from lstm_forecast.events import Events
from lstm_forecast.stages import Prepared

if TYPE_CHECKING:
    import torch

    from lstm_forecast.data.tensors import PanelTensors
    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.course import Epoch, Kept
    from lstm_forecast.training.loop import Fitted, Recipe, Score

Floats = NDArray[np.float64]
KeptFor = Callable[[str], "Kept"]  # how the training of a part, ``network.0`` or ``again.0``, is kept
OnEpoch = Callable[[int, "Epoch", int], None]  # number of the network, its epoch, its best one so far


@dataclass(frozen=True)
class Shortfall:
    """Why no network can be trained on so few rows: what is needed, the sum, and flags that would train."""

    message: str
    arithmetic: str
    advice: str


@dataclass(frozen=True)
class Plan:
    """Everything that is known before training begins; ``shortfall`` where no network can be trained."""

    config: Config
    table: Table
    frequency: Frequency
    prepared: Prepared
    shortfall: Shortfall | None = None


@dataclass(frozen=True)
class Learned:
    """Trained networks and how their training went.

    Attributes:
        forecaster: the networks with their units.
        courses: one per network.
        seeds: one per network.
    """

    forecaster: Forecaster
    courses: tuple[Fitted, ...]
    seeds: tuple[int, ...]


def plan_training(loaded: Loaded, events: Events) -> Plan:
    """Reads the input and settles everything that training needs, saying what was found and decided.

    Raises:
        ForecastError: the configuration or the data cannot be used; nothing was written.
    """
    table = stages.read_input(loaded.config, loaded.config.data.path)
    if loaded.config.data.max_input_age is not None:
        require_fresh_input(
            int(table.times.max()),
            table.time_format,
            most_s=loaded.config.data.max_input_age,
            now=datetime.now(UTC),
            where=table.source.path,
            remedy="data.max_input_age (--set data.max_input_age=null)",
        )
    return plan_table(loaded, table, events)


def plan_table(loaded: Loaded, table: Table, events: Events) -> Plan:
    """The plan for a table that was read."""
    frequency = stages.frequency_of(loaded.config, table)
    loaded, chosen = choices.with_bare_choices(loaded, frequency)
    config, settled = settle(loaded)
    config = choices.with_found_columns(config, table)
    choices.require_kept(config, table.source.path)
    for notice in table.notices:
        events.warn(notice.id, notice.message)
    if table.rejects:
        events.emit("data.rejects", {"rows": list(table.rejects)}, level="warning")
    prepared, notes, shortfall = _prepared(loaded, config, table, frequency)
    if not loaded.was_set("window.stride") and not shortfall:
        config, narrowed = choices.with_enough_steps(config, prepared)
        notes += narrowed
    config, season = choices.with_season(config, prepared, frequency)
    windows = len(stages.short_cutoffs(prepared.panel)[0]) if shortfall else None
    asked = loaded.was_set("forecast.intervals.levels")
    config, levels = choices.with_possible_levels(config, prepared, windows=windows, asked=asked)
    events.emit(
        "data.loaded", {"path": table.source.path, "rows": len(table.times), "sha256": table.source.sha256}
    )
    about_networks = [] if shortfall else [*chosen, *settled]
    events.say([*table.account, f"frequency: {frequency}", *about_networks, *notes, season])
    if shortfall:
        what = f"{shortfall.message} ({shortfall.arithmetic}); {shortfall.advice}"
        events.warn("data.too_short", f"no network can be trained: {what}")
    if levels:
        events.warn("intervals.level", levels)
    for leaking in leaking_covariates(prepared.panel.until(prepared.splits.train_end)):
        events.warn("data.leak", leaking.question)
    return Plan(config, table, frequency, prepared, shortfall)


def _prepared(
    loaded: Loaded, config: Config, table: Table, frequency: Frequency
) -> tuple[Prepared, list[str], Shortfall | None]:
    """Panel, splits and windows, with lines for the account; and why no network can be trained, else None.

    Raises:
        DataInvalid: too few rows for the lookback asked for, or for any forecast; holes, empty cells.
    """
    try:
        prepared, notes = stages.prepare(config, table, frequency)
    except DataInvalid as error:
        if error.id != "data.too_short" or loaded.was_set("window.lookback"):
            raise
        prepared, notes = stages.prepare_short(config, table, frequency)
        if prepared.panel.lengths.max(initial=0) < 2:  # nothing to forecast from, nor to test a forecast on
            raise
        return prepared, notes, Shortfall(error.message, " ".join(error.details), error.hint)
    return prepared, notes, None


def learn(
    config: Config,
    prepared: Prepared,
    *,
    device: torch.device,
    on_epoch: OnEpoch,
    keep: KeptFor | None = None,
) -> Learned:
    """Fits the units on the training rows and trains the networks; no row after validation is handed on.

    Args:
        config: settled.
        prepared: panel, splits and windows.
        device: where the networks run.
        on_epoch: told of each finished epoch.
        keep: how each network's training is kept; None: it is not.
    """
    scaling = networks.fit_units(config, prepared.panel.until(prepared.splits.train_end))
    end = prepared.splits.validation_end
    known = prepared.panel.until(end)
    shift = prepared.panel.offsets[:-1] - known.offsets[:-1]
    train, validation = (_moved(w, shift) for w in (prepared.train, prepared.validation))
    return _train_all(config, known, scaling, train, validation, device=device, on_epoch=on_epoch, keep=keep)


def learn_again(
    config: Config, prepared: Prepared, learned: Learned, *, keep: KeptFor | None = None
) -> Forecaster:
    """The same networks trained again from the same seeds on all rows, each for its best number of epochs.

    The units are fitted again too: a forecast from a model that never saw the newest rows is a poor one.
    """
    from lstm_forecast.training.course import nothing_kept
    from lstm_forecast.training.loop import train_epochs

    panel = prepared.panel
    scaling = networks.fit_units(config, panel)
    long = scaling.trained
    first = np.where(long, panel.offsets[:-1] + config.window.lookback, panel.offsets[1:])
    windows = stages.windows_of(config, panel, first, panel.offsets[1:])
    device = next(learned.forecaster.networks[0].parameters()).device
    tensors = _tensors(config, panel, scaling, device)
    again = []
    for number, (seed, course) in enumerate(zip(learned.seeds, learned.courses, strict=True)):
        network = _fresh_network(config, panel, seed, device)
        recipe = replace(networks.recipe_of(config, seed=seed), epochs=course.best_epoch)
        kept = (keep or nothing_kept)(f"again.{number}")
        train_epochs(network, tensors, windows, recipe, kept=kept)
        again.append(network)
    return networks.forecaster_of(config, again, scaling)


def course_line(learned: Learned) -> str:
    """How the training went, in one line."""
    if len(learned.courses) > 1:
        kept = ", ".join(str(course.best_epoch) for course in learned.courses)
        elapsed_s = sum(course.history[-1].elapsed_s for course in learned.courses)
        return f"trained {len(learned.courses)} networks in {elapsed_s:.1f} s; kept epochs {kept}"
    course = learned.courses[0]
    last = course.history[-1]
    reasons = {
        "epochs": "all of them",
        "patience": "no further gain on validation",
        "max_time": "training.max_time reached",
    }
    chosen = (
        "the untrained model, which is the naive forecast"
        if course.best_epoch == 0
        else f"epoch {course.best_epoch}"
    )
    return (
        f"trained {last.epoch} epochs in {last.elapsed_s:.1f} s ({reasons[course.stopped]}); kept: {chosen}"
    )


def epoch_fields(number: int, epoch: Epoch, best: int, config: Config) -> Mapping[str, object]:
    """An epoch of one network as event fields."""
    network = {"network": number + 1} if config.training.ensemble > 1 else {}
    return {
        **network,
        "epoch": epoch.epoch,
        "epochs": config.training.epochs,
        "train_loss": epoch.train_loss,
        "val_loss": epoch.val_loss,
        "val_score": epoch.val_score,
        "grad_norm": epoch.grad_norm,
        "best_epoch": best,
        "elapsed_s": round(epoch.elapsed_s, 3),
    }


def _train_all(
    config: Config,
    known: Panel,
    scaling: Scaling,
    train: Windows,
    validation: Windows,
    *,
    device: torch.device,
    on_epoch: OnEpoch,
    keep: KeptFor | None,
) -> Learned:
    """Trains one network per seed on a panel that ends with validation."""
    from lstm_forecast.training.course import nothing_kept
    from lstm_forecast.training.loop import fit

    tensors = _tensors(config, known, scaling, device)
    members, courses, seeds = [], [], networks.member_seeds(config)
    for number, seed in enumerate(seeds):
        recipe = networks.recipe_of(config, seed=seed)
        network = _fresh_network(config, known, seed, device)
        course = fit(
            network,
            tensors,
            train,
            recipe,
            score=_scorer(config, network, tensors, known, scaling, validation, recipe),
            on_epoch=partial(on_epoch, number),
            kept=(keep or nothing_kept)(f"network.{number}"),
        )
        members.append(network)
        courses.append(course)
    return Learned(networks.forecaster_of(config, members, scaling), tuple(courses), seeds)


def _fresh_network(config: Config, panel: Panel, seed: int, device: torch.device) -> RegLSTM:
    from lstm_forecast.model.reglstm import initialise
    from lstm_forecast.training.seeds import stream

    network = networks.build_model(config, features=len(panel.columns))
    initialise(network, stream(seed, "weights", 0, 0))
    return network.to(device)


def _tensors(config: Config, panel: Panel, scaling: Scaling, device: torch.device) -> PanelTensors:
    from lstm_forecast.data.tensors import panel_tensors

    return panel_tensors(panel, scaling, anchored=config.model.anchor == "last", device=device)


def _scorer(
    config: Config,
    network: RegLSTM,
    tensors: PanelTensors,
    known: Panel,
    scaling: Scaling,
    validation: Windows,
    recipe: Recipe,
) -> Callable[[], Score]:
    """What validates the network as it stands: see :class:`Score`.

    A head's answer is proportional to an error in original units unless the target has a transform: then each
    forecast is taken back to original units before its error is.
    """
    import torch

    from lstm_forecast.training.loop import Score, validation_score

    weight = torch.from_numpy((scaling.head_unit / scaling.error_unit)[validation.series]).to(tensors.known)
    if config.data.transform == "none":
        return lambda: validation_score(network, tensors, validation, recipe, weight)
    rows = validation.start + recipe.lookback - 1
    ends = known.offsets[1:]
    actual = actual_values(known, rows, validation.series, end=ends, steps=recipe.horizon)
    forecaster = networks.forecaster_of(config, [network], scaling)
    scale = scaling.error_unit[validation.series, None]

    def score() -> Score:
        outlook = forecaster.at(known, rows, validation.series, horizon=recipe.horizon)
        errors = np.abs(outlook.point - actual)
        if outlook.quantiles is not None:
            below, levels = actual[:, :, None] - outlook.quantiles, np.array(recipe.quantiles)
            errors = np.maximum(levels * below, (levels - 1) * below).mean(axis=-1)
        scaled = (errors / scale)[~np.isnan(actual)]
        loss = validation_score(network, tensors, validation, recipe, weight).loss
        return Score(loss, float(scaled.mean()))

    return score


def _moved(windows: Windows, shift: NDArray[np.int64]) -> Windows:
    """The same windows in a panel whose series begin ``shift`` [S] rows earlier."""
    return replace(windows, start=windows.start - shift[windows.series])
