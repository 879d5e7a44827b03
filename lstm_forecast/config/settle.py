"""What `auto`, and a default that does not fit, become."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from lstm_forecast.config.conflicts import conflicts, whole_segments
from lstm_forecast.config.loading import Loaded
from lstm_forecast.config.models import Config
from lstm_forecast.config.quantiles import paired_levels
from lstm_forecast.config.writing import yaml_text
from lstm_forecast.errors import ConfigError

NO_VALIDATION = "split.validation: 0 leaves no rows that it could go by"
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class _Choice:
    """A value chosen for the user; without ``why`` it follows from a key and is not said."""

    key: str
    value: object
    why: str


def settle(loaded: Loaded) -> tuple[Config, list[str]]:
    """The configuration without `auto` in model and window, and one line per choice made for the user.

    What it gives is free of contradiction with every key set: written out and loaded again, it settles to
    itself without a line. A quantile head makes ``training.loss`` pinball.

    Raises:
        ConfigError: id ``config.conflict``, one problem per set of keys that do not go together.
    """
    if problems := conflicts(loaded):
        raise ConfigError(problems)
    config, lines = loaded.config, []
    # Each sees what those before it chose.
    for choose in (
        _lookback,
        _patience,
        _calendar,
        _supervision,
        _anchor,
        _normalize,
        _nonlinearity,
        _head,
        _loss,
        _stride,
        _method,
        _levels,
    ):
        choice = choose(config, loaded)
        if choice is None:
            continue
        config = _with(config, choice.key.split("."), choice.value)
        if choice.why:
            lines.append(f"{choice.key}: {yaml_text(choice.value)}, because {choice.why}")
    return config, lines


def with_values(config: Config, values: Mapping[str, object]) -> Config:
    """The configuration with other values for these dotted keys, which have to be of their kind."""
    for key, value in values.items():
        config = _with(config, key.split("."), value)
    return config


def _with(model: _Model, path: list[str], value: object) -> _Model:
    name, *below = path
    return model.model_copy(update={name: _with(getattr(model, name), below, value) if below else value})


def _lookback(config: Config, loaded: Loaded) -> _Choice | None:
    lookback, segment = config.window.lookback, config.model.segment
    if loaded.was_set("window.lookback") or lookback % segment == 0:
        return None
    why = f"model.segment: {segment} reads {lookback} steps in no whole segments"
    return _Choice("window.lookback", whole_segments(lookback, segment), why)


def _patience(config: Config, _: Loaded) -> _Choice | None:
    if config.split.validation != 0 or config.training.patience is None:
        return None
    return _Choice("training.patience", None, NO_VALIDATION)


def _calendar(config: Config, _: Loaded) -> _Choice | None:
    data, key = config.data, "data.calendar_features"
    if data.calendar_features != "auto":
        return None
    if data.holidays is None:
        return _Choice(key, "none", "")
    return _Choice(key, ("holiday",), f"data.holidays is {data.holidays}")


def _supervision(config: Config, _: Loaded) -> _Choice | None:
    model, key = config.model, "model.supervision"
    if model.supervision != "auto":
        return None
    if model.bidirectional:
        return _Choice(key, "last", "with bidirectional: true every step sees the ones after it")
    if model.readout != "hidden":
        return _Choice(key, "last", f"readout: {model.readout} exists only at the end of a window")
    if model.normalize in ("last", "mean_std"):
        return _Choice(key, "last", f"normalize: {model.normalize} looks at the whole window")
    return _Choice(key, "every_step", "every step of this network sees only the past")


def _anchor(config: Config, _: Loaded) -> _Choice | None:
    if config.data.transform != "diff" or config.model.anchor == "none":
        return None
    return _Choice("model.anchor", "none", "data.transform: diff already forecasts changes")


def _normalize(config: Config, _: Loaded) -> _Choice | None:
    model, key = config.model, "model.normalize"
    if model.normalize != "auto":
        return None
    if config.data.transform == "diff":
        return _Choice(key, "none", "data.transform: diff already forecasts changes")
    if model.supervision != "every_step":
        return _Choice(key, "none", f"supervision is {model.supervision}")
    if model.anchor == "none":
        return _Choice(key, "none", "with anchor: none the network must see the level")
    return _Choice(key, "diff", f"supervision is every_step and anchor is {model.anchor}")


def _nonlinearity(config: Config, _: Loaded) -> _Choice | None:
    model = config.model
    if model.nonlinearity == "tanh" or model.cell == "rnn":
        return None
    return _Choice("model.nonlinearity", "tanh", f"cell {model.cell} has no other")


def _head(config: Config, loaded: Loaded) -> _Choice | None:
    if loaded.was_set("model.head"):
        return None
    if config.forecast.intervals.method == "quantile":
        return _Choice("model.head", "quantile", "forecast.intervals.method is quantile")
    if config.training.loss == "pinball":
        return _Choice("model.head", "quantile", "training.loss is pinball")
    return None


def _loss(config: Config, _: Loaded) -> _Choice | None:
    return _Choice("training.loss", "pinball", "") if config.model.head == "quantile" else None


def _stride(config: Config, _: Loaded) -> _Choice | None:
    lookback, key = config.window.lookback, "window.stride"
    if config.window.stride != "auto":
        return None
    if config.training.steps_per_epoch is not None:
        return _Choice(key, 1, "training.steps_per_epoch draws from all windows")
    if config.model.supervision == "last":
        return _Choice(key, 1, "supervision is last")
    why = f"it is a sixth of lookback {lookback}, and supervision is every_step"
    return _Choice(key, max(1, lookback // 6), why)


def _method(config: Config, loaded: Loaded) -> _Choice | None:
    if loaded.was_set("forecast.intervals.method"):
        return None
    if config.split.validation == 0:
        return _Choice("forecast.intervals.method", "none", NO_VALIDATION)
    if config.model.head != "quantile":
        return None
    return _Choice("forecast.intervals.method", "quantile", "model.head is quantile")


def _levels(config: Config, _: Loaded) -> _Choice | None:
    intervals, quantiles = config.forecast.intervals, config.model.quantiles
    paired = paired_levels(intervals.levels, quantiles)
    if intervals.method != "quantile" or paired == intervals.levels:
        return None
    lacking = ", ".join(yaml_text(level) for level in intervals.levels if level not in paired)
    why = f"model.quantiles: {yaml_text(quantiles)} has no pair for {lacking}"
    return _Choice("forecast.intervals.levels", paired, why)
