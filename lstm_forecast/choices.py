"""What the data decides where the configuration leaves it open; each choice is said and written down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstm_forecast.config import Config, Loaded, dump_config, parse_config
from lstm_forecast.cores import threads_for
from lstm_forecast.data.calendars import DAY, Frequency
from lstm_forecast.data.findings import counted, plural
from lstm_forecast.data.flat import marked
from lstm_forecast.data.reader import Table
from lstm_forecast.data.season import find_season
from lstm_forecast.errors import ConfigError, DataInvalid
from lstm_forecast.forecasting.calibration import highest_level, windows_needed
from lstm_forecast.stages import Prepared

_HOUR = 3_600_000_000
LEAST_STEPS = 8  # of an epoch, where the stride is ours to choose; measured, see the lab log
BARE = "bare CSV"  # origin of the values that a CSV without a configuration gets


def usual_horizon(frequency: Frequency) -> int:
    """Steps ahead that users of a bare CSV expect: a trading week, a day of hours, a year of months."""
    if frequency.unit == "row" or not frequency.regular:
        return 1
    if frequency.unit == "month":
        return {1: 12, 3: 4}.get(frequency.step, 1)
    if frequency.step >= 7 * DAY:
        return 4
    if frequency.step >= DAY:
        return len(frequency.weekdays)
    per_day = len(frequency.clock) or DAY // frequency.step
    return max(per_day if per_day <= 96 else _HOUR // frequency.step, 1)


def with_bare_choices(loaded: Loaded, frequency: Frequency) -> tuple[Loaded, list[str]]:
    """A bare CSV gets the horizon its frequency suggests, a final fit on all rows, and the gate."""
    if loaded.origins["data.path"] != BARE:
        return loaded, []
    config, origins, lines = loaded.config, dict(loaded.origins), []
    if not loaded.was_set("window.horizon"):
        horizon = usual_horizon(frequency)
        config = config.model_copy(update={"window": config.window.model_copy(update={"horizon": horizon})})
        origins["window.horizon"] = BARE
        lines.append(f"horizon: {plural(horizon, 'step')} ({frequency}; --horizon)")
    if not loaded.was_set("training.refit"):
        config = config.model_copy(update={"training": config.training.model_copy(update={"refit": "full"})})
        origins["training.refit"] = BARE
        lines.append("training.refit: full, so that the forecast knows the newest rows")
    if not loaded.was_set("evaluation.gate") and config.split.validation != 0:
        evaluation = config.evaluation.model_copy(update={"gate": "baseline"})
        config = config.model_copy(update={"evaluation": evaluation})
        origins["evaluation.gate"] = BARE
        lines.append(
            "evaluation.gate: baseline, so that the network forecasts only where validation finds it clearly"
            " better"
        )
    return replace(loaded, config=config, origins=origins), lines


def with_found_columns(config: Config, table: Table) -> Config:
    """The configuration with the found columns spelled out, so that the run repeats without a guess."""
    found = {
        "path": table.source.path,
        "time": None if table.time_format.kind == "row" else config.data.time or table.time_column,
        "target": config.data.target or table.columns[0],
        "series_id": config.data.series_id or table.id_column,
    }
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def require_kept(config: Config, where: str) -> None:
    """Refuses, before anything is trained, a configuration that could not be read from its run again.

    Raises:
        DataInvalid: names of columns that are too long, or too many of them.
    """
    try:
        parse_config(dump_config(config).encode(), where="config.yaml")
    except ConfigError as error:
        raise DataInvalid(
            "data.column_name",
            "the names of the columns are too long to be kept with the run",
            where=where,
            details=[f"config.yaml: {error.problems[0].message}"],
            hint="give the columns shorter names",
        ) from error


def with_threads(config: Config) -> Config:
    """The settled configuration with the threads that this machine gives a batch, where that is ours."""
    if config.training.threads != "auto":
        return config
    training, model = config.training, config.model
    layers = (
        [model.hidden_size] * model.num_layers if isinstance(model.hidden_size, int) else model.hidden_size
    )
    steps = config.window.lookback // model.segment
    row_values = steps * sum(layers) * (2 if model.bidirectional else 1)
    threads = threads_for(training.batch_size, networks=training.ensemble, row_values=row_values)
    return config.model_copy(update={"training": config.training.model_copy(update={"threads": threads})})


def with_name(config: Config, name: str) -> Config:
    """The configuration with the run's name spelled out, so that training it again means the same name."""
    return config.model_copy(update={"run": config.run.model_copy(update={"name": name})})


def with_enough_steps(config: Config, prepared: Prepared) -> tuple[Config, list[str]]:
    """A narrower stride where an epoch of short data would have fewer than eight steps.

    Patience counts epochs: with two or three steps each, training would stop before it has begun.
    """
    stride = config.window.stride
    assert isinstance(stride, int)
    narrow = max(1, min(stride, len(prepared.train) // (LEAST_STEPS * config.training.batch_size)))
    if narrow == stride:
        return config, []
    window = config.window.model_copy(update={"stride": narrow})
    line = f"window.stride: {narrow}, because {stride} would leave an epoch fewer than {LEAST_STEPS} steps"
    return config.model_copy(update={"window": window}), [line]


def with_season(config: Config, prepared: Prepared, frequency: Frequency) -> tuple[Config, str]:
    """The configuration with its season, given or found in the training rows, and the line that says so."""
    training = prepared.panel.until(prepared.splits.train_end)
    season = find_season(training, frequency, given=config.data.season)
    data = config.data.model_copy(update={"season": season.steps})
    return config.model_copy(update={"data": data}), season.why


def with_possible_anchor(config: Config, *, asked: bool) -> tuple[Config, list[str]]:
    """The configuration with an anchor that the data allow, and lines on another one.

    Raises:
        DataInvalid: the seasonal anchor was asked for, and there is no season within the lookback.
    """
    season, lookback = config.data.season or 1, config.window.lookback
    if config.model.anchor != "seasonal" or 1 < season <= lookback:
        return config, []
    why = "no season was found" if season == 1 else f"the season has {season} steps, the lookback {lookback}"
    if asked:
        remedy = "data.season" if season == 1 else f"window.lookback: {season}"
        raise DataInvalid(
            "model.anchor",
            f"anchor: seasonal needs a season within the lookback; {why}",
            where="model.anchor",
            hint=f"set model.anchor: last, or {remedy}",
        )
    model = config.model.model_copy(update={"anchor": "last"})
    return config.model_copy(update={"model": model}), [f"model.anchor: last, because {why}"]


def with_possible_levels(
    config: Config, prepared: Prepared, *, windows: int | None, asked: bool
) -> tuple[Config, str]:
    """The configuration without the interval levels that too few validation rows allow, and a line on those.

    Args:
        config: settled.
        prepared: panel and splits.
        windows: calibration windows there will be; None: the observed validation rows.
        asked: whether the user named the levels.

    Raises:
        DataInvalid: such a level was asked for.
    """
    intervals = config.forecast.intervals
    if intervals.method == "none":
        return config, ""
    count = _calibration_windows(prepared) if windows is None else windows
    fine = tuple(level for level in intervals.levels if windows_needed(level) <= count)
    left_out = [level for level in intervals.levels if level not in fine]
    if not left_out:
        return config, ""
    highest = highest_level(count)
    most = f"the highest possible level is {highest:g} %" if highest else "no level is possible"
    named = " and ".join(f"{level:g} %" for level in left_out)
    message = f"no interval of {named}: {counted(count, 'calibration window')} too few; {most}"
    if asked:
        raise DataInvalid(
            "intervals.level",
            message,
            where="forecast.intervals.levels",
            hint="ask for lower levels, or set a larger split.validation",
        )
    changed = {"levels": fine} if fine else {"method": "none"}
    forecast = config.forecast.model_copy(update={"intervals": intervals.model_copy(update=changed)})
    return config.model_copy(update={"forecast": forecast}), message


def _calibration_windows(prepared: Prepared) -> int:
    """Validation rows whose value was observed and can be forecast one step ahead."""
    splits, panel = prepared.splits, prepared.panel
    usable = np.zeros(len(panel), dtype=bool)
    usable[prepared.train.series] = True
    first = np.where(usable, splits.train_end, splits.validation_end)
    return int((panel.observed[:, 0] & marked(first, splits.validation_end, len(panel.times))).sum())
