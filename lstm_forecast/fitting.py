"""From a configuration to trained networks, in memory: nothing here touches the run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import choices, choosing, networks, stages
from lstm_forecast.ages import require_fresh_input
from lstm_forecast.config import KEYS, Config, Loaded, settle
from lstm_forecast.covariates import past_columns
from lstm_forecast.data.calendars import Frequency
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.reader import Table
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.data.windows import Windows
from lstm_forecast.errors import DataInvalid
from lstm_forecast.evaluation.held_out import actual_values
from lstm_forecast.evaluation.leaks import leaking_covariates
from lstm_forecast.events import Events
from lstm_forecast.networks import Start
from lstm_forecast.stages import Prepared
from lstm_forecast.usable_series import naming_skip, usable

if TYPE_CHECKING:
    import torch

    from lstm_forecast.data.tensors import PanelTensors
    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.course import Epoch, Kept
    from lstm_forecast.training.loop import Fitted
    from lstm_forecast.training.objective import Score
    from lstm_forecast.training.recipe import Recipe

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
    """Everything that is known before training begins.

    Attributes:
        config: settled.
        table: the input.
        frequency: its rhythm.
        prepared: panel, splits and windows.
        shortfall: why no network can be trained; None where one can.
        start: the run whose weights the networks begin with; None for first weights of their own.
        chosen: keys that the data decided, and that `auto` would have them decide again.
        account: what was found and decided, and why, one thing per line.
    """

    config: Config
    table: Table
    frequency: Frequency
    prepared: Prepared
    shortfall: Shortfall | None = None
    start: Start | None = None
    chosen: tuple[str, ...] = ()
    account: tuple[str, ...] = ()


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
    table, frequency = usable(loaded.config, table)
    loaded, chosen = choices.with_bare_choices(loaded, frequency)
    with naming_skip(loaded.config, table):
        panel, cleaned = stages.clean_panel(loaded.config, table, frequency)
    loaded, chosen_keys, decided = choosing.with_choices(loaded, panel, table, frequency)
    config, settled = settle(loaded)
    config = choices.with_found_columns(config, table)
    choices.require_kept(config, table.source.path)
    for notice in table.notices:
        events.warn(notice.id, notice.message)
    if table.rejects:
        events.emit("data.rejects", {"rows": list(table.rejects)}, level="warning")
    with naming_skip(config, table):
        prepared, notes, shortfall = _prepared(loaded, config, panel, table)
    if not loaded.was_set("window.stride") and not shortfall:
        config, narrowed = choices.with_enough_steps(config, prepared)
        notes += narrowed
    config, season = choices.with_season(config, prepared, frequency)
    if not shortfall:
        config, anchored = choices.with_possible_anchor(config, asked=loaded.was_set("model.anchor"))
        notes += anchored
    windows = len(stages.short_cutoffs(prepared.panel)[0]) if shortfall else None
    asked = loaded.was_set("forecast.intervals.levels")
    config = choices.with_threads(config)
    config, levels = choices.with_possible_levels(config, prepared, windows=windows, asked=asked)
    source = table.source
    loaded_from = {"path": source.path, "files": source.files, "sha256": source.sha256}
    events.emit("data.loaded", {**loaded_from, "rows": len(table.times)})
    about_networks = [*chosen, *decided, *settled]
    lines = (*table.account, f"frequency: {frequency}", *about_networks, *cleaned, *notes, season)
    account = told_once(lines)
    events.say([line for line in account if not (shortfall and line in about_networks)])
    if shortfall:
        what = f"{shortfall.message} ({shortfall.arithmetic}); {shortfall.advice}"
        events.warn("data.too_short", f"no network can be trained: {what}")
    if levels:
        events.warn("intervals.level", levels)
    training = prepared.panel.until(prepared.splits.train_end)
    for leaking in leaking_covariates(training.first_columns(past_columns(config))):
        events.warn("data.leak", leaking.question)
    return Plan(config, table, frequency, prepared, shortfall, chosen=chosen_keys, account=account)


def told_once(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines of an account without those on a key that a later line decides otherwise."""
    keys = [line.partition(": ")[0] for line in lines]
    return tuple(line for n, line in enumerate(lines) if keys[n] not in KEYS or keys[n] not in keys[n + 1 :])


def _prepared(
    loaded: Loaded, config: Config, panel: Panel, table: Table
) -> tuple[Prepared, list[str], Shortfall | None]:
    """Panel, splits and windows, with lines for the account; and why no network can be trained, else None.

    Raises:
        DataInvalid: too few rows for the lookback asked for, or for any forecast; holes, empty cells.
    """
    try:
        prepared, notes = stages.prepare(config, panel, table)
    except DataInvalid as error:
        if error.id != "data.too_short" or loaded.was_set("window.lookback"):
            raise
        prepared, notes = stages.prepare_short(config, panel, table)
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
    begin: Sequence[RegLSTM] = (),
) -> Learned:
    """Fits the units on the training rows and trains the networks; no row after validation is handed on.

    Args:
        config: settled.
        prepared: panel, splits and windows.
        device: where the networks run.
        on_epoch: told of each finished epoch.
        keep: how each network's training is kept; None: it is not.
        begin: one trained network per member, whose weights it begins with; none: first weights.
    """
    training = prepared.panel.until(prepared.splits.train_end)
    end = prepared.splits.validation_end
    known = prepared.panel.until(end)
    shift = prepared.panel.offsets[:-1] - known.offsets[:-1]
    train, validation = (_moved(w, shift) for w in (prepared.train, prepared.validation))
    first = networks.first_networks(config, known, device=device, begin=begin)
    seeds = networks.member_seeds(config)
    recipes = [networks.recipe_of(config, training, seed=seed, begun=bool(begin)) for seed in seeds]
    members = list(zip(first, recipes, strict=True))
    scaling = networks.fit_units(config, training)
    return _train_all(
        config, known, scaling, train, validation, members=members, on_epoch=on_epoch, keep=keep
    )


def learn_again(
    config: Config,
    prepared: Prepared,
    learned: Learned,
    *,
    keep: KeptFor | None = None,
    begin: Sequence[RegLSTM] = (),
) -> Forecaster:
    """The same networks trained again from the same seeds on all rows, each for its best number of epochs.

    The units are fitted again too: a forecast from a model that never saw the newest rows is a poor one. With
    ``begin`` each member begins with the weights of one of these networks.
    """
    from lstm_forecast.model.devices import using_threads
    from lstm_forecast.training.course import nothing_kept, scores_of
    from lstm_forecast.training.loop import train_epochs
    from lstm_forecast.training.members import side_by_side

    panel = prepared.panel
    scaling = networks.fit_units(config, panel)
    long = scaling.trained
    first = np.where(long, panel.offsets[:-1] + config.window.lookback, panel.offsets[1:])
    windows = stages.windows_of(config, panel, first, panel.offsets[1:])
    device = next(learned.forecaster.networks[0].parameters()).device
    tensors = _tensors(config, panel, scaling, device)
    again = networks.first_networks(config, panel, device=device, begin=begin)
    courses = zip(again, learned.seeds, learned.courses, strict=True)
    trainings = [
        partial(
            train_epochs,
            network,
            tensors,
            windows,
            replace(networks.recipe_of(config, panel, seed=seed), epochs=course.best_epoch),
            scores=scores_of(course.history),
            kept=(keep or nothing_kept)(f"again.{number}"),
        )
        for number, (network, seed, course) in enumerate(courses)
    ]
    with using_threads(1):
        side_by_side(trainings, workers=networks.workers_for(config, device))
    return networks.forecaster_of(config, again, scaling)


def _train_all(
    config: Config,
    known: Panel,
    scaling: Scaling,
    train: Windows,
    validation: Windows,
    *,
    members: Sequence[tuple[RegLSTM, Recipe]],
    on_epoch: OnEpoch,
    keep: KeptFor | None,
) -> Learned:
    """Trains every network, by its recipe and in place, on a panel that ends with validation."""
    from lstm_forecast.model.devices import using_threads
    from lstm_forecast.training.course import nothing_kept
    from lstm_forecast.training.loop import fit
    from lstm_forecast.training.members import side_by_side

    device = next(members[0][0].parameters()).device
    tensors = _tensors(config, known, scaling, device)

    def training_of(number: int) -> Fitted:
        network, recipe = members[number]
        return fit(
            network,
            tensors,
            train,
            recipe,
            score=_scorer(config, network, tensors, known, scaling, validation, recipe),
            on_epoch=partial(on_epoch, number),
            kept=(keep or nothing_kept)(f"network.{number}"),
        )

    trainings = [partial(training_of, number) for number in range(len(members))]
    with using_threads(1):  # within a kernel: it is the batch that is split
        courses = side_by_side(trainings, workers=networks.workers_for(config, device))
    forecaster = networks.forecaster_of(config, [network for network, _ in members], scaling)
    return Learned(forecaster, tuple(courses), tuple(recipe.seed for _, recipe in members))


def _tensors(config: Config, panel: Panel, scaling: Scaling, device: torch.device) -> PanelTensors:
    from lstm_forecast.data.tensors import panel_tensors

    season = config.data.season or 1
    return panel_tensors(panel, scaling, anchor=config.model.anchor, season=season, device=device)


def _scorer(
    config: Config,
    network: RegLSTM,
    tensors: PanelTensors,
    known: Panel,
    scaling: Scaling,
    validation: Windows,
    recipe: Recipe,
) -> Callable[[], Score] | None:
    """What validates the network as it stands: see :class:`Score`; None where no rows validate.

    A head's answer is proportional to an error in original units unless the target has a transform or windows
    have scales of their own: then each forecast is taken back to original units before its error is.
    """
    import torch

    from lstm_forecast.training.objective import Score, validation_score

    if config.split.validation == 0:
        return None
    weight = torch.from_numpy((scaling.head_unit / scaling.error_unit)[validation.series]).to(tensors.known)
    if config.data.transform == "none" and config.model.normalize != "mean_std":
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
