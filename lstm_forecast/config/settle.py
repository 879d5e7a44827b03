"""What `auto` becomes, and which keys do not go together."""

from collections.abc import Iterator
from typing import Literal

from lstm_forecast.config.loading import Loaded
from lstm_forecast.config.models import Config
from lstm_forecast.config.writing import yaml_text
from lstm_forecast.errors import ConfigError, Problem


def settle(loaded: Loaded) -> tuple[Config, list[str]]:
    """The configuration without `auto` in model and window, and one line per choice made for the user.

    Raises:
        ConfigError: id ``config.conflict``, one problem per set of keys that do not go together.
    """
    problems = [*_supervision_conflicts(loaded), *_model_conflicts(loaded), *_data_conflicts(loaded)]
    if problems:
        raise ConfigError(problems)
    config, lines = loaded.config, []
    model = config.model
    supervision, why = _supervision(config)
    if model.supervision == "auto":
        lines.append(f"model.supervision: {supervision}, because {why}")
    normalize, why = _normalize(config, supervision)
    if model.normalize == "auto":
        lines.append(f"model.normalize: {normalize}, because {why}")
    if nonlinearity_unused := model.nonlinearity != "tanh" and model.cell != "rnn":
        lines.append(f"model.nonlinearity: tanh, because cell {model.cell} has no other")
    stride, why = _stride(config, supervision)
    if config.window.stride == "auto":
        lines.append(f"window.stride: {stride}, because {why}")
    settled_model = {
        "supervision": supervision,
        "normalize": normalize,
        "nonlinearity": "tanh" if nonlinearity_unused else model.nonlinearity,
    }
    parts = {
        "model": model.model_copy(update=settled_model),
        "window": config.window.model_copy(update={"stride": stride}),
    }
    return config.model_copy(update=parts), lines


def _supervision(config: Config) -> tuple[Literal["last", "every_step"], str]:
    model = config.model
    if model.supervision != "auto":
        return model.supervision, ""
    if model.bidirectional:
        return "last", "with bidirectional: true every step sees the ones after it"
    if model.readout != "hidden":
        return "last", f"readout: {model.readout} exists only at the end of a window"
    return "every_step", "every step of this network sees only the past"


def _normalize(config: Config, supervision: str) -> tuple[Literal["none", "diff"], str]:
    model = config.model
    if model.normalize != "auto":
        return model.normalize, ""
    if supervision != "every_step":
        return "none", f"supervision is {supervision}"
    if model.anchor != "last":
        return "none", f"with anchor: {model.anchor} the network must see the level"
    return "diff", "supervision is every_step and anchor is last"


def _stride(config: Config, supervision: str) -> tuple[int, str]:
    stride, lookback = config.window.stride, config.window.lookback
    if stride != "auto":
        return stride, ""
    if supervision == "last":
        return 1, "supervision is last"
    return max(1, lookback // 6), f"it is a sixth of lookback {lookback}, and supervision is every_step"


def _supervision_conflicts(loaded: Loaded) -> Iterator[Problem]:
    model = loaded.config.model
    if model.supervision == "every_step" and model.bidirectional:
        reason = "read backwards, every step sees the values it should forecast"
        remedy = "write model.supervision: last, or model.bidirectional: false"
        yield from _if_set(loaded, ("model.supervision", "model.bidirectional"), reason, remedy)
    if model.supervision == "every_step" and model.readout != "hidden":
        reason = "the cell state exists only at the end of a window"
        remedy = "write model.supervision: last, or model.readout: hidden"
        yield from _if_set(loaded, ("model.supervision", "model.readout"), reason, remedy)
    if model.normalize == "diff" and model.anchor == "none":
        reason = "the network would see no level"
        remedy = "write model.anchor: last, or model.normalize: none"
        yield from _if_set(loaded, ("model.normalize", "model.anchor"), reason, remedy)


def _model_conflicts(loaded: Loaded) -> Iterator[Problem]:
    model = loaded.config.model
    if model.nonlinearity != "tanh" and model.cell != "rnn":
        reason = "only cell rnn lets its activation be chosen"
        remedy = "write model.cell: rnn, or remove model.nonlinearity"
        yield from _if_set(loaded, ("model.nonlinearity", "model.cell"), reason, remedy)
    if model.readout != "hidden" and model.cell in {"gru", "rnn"}:
        reason = f"cell {model.cell} has no cell state"
        remedy = "write model.readout: hidden, or model.cell: lstm"
        yield _conflict(loaded, ("model.readout", "model.cell"), reason, remedy)
    if isinstance(model.hidden_size, tuple) and len(model.hidden_size) != model.num_layers:
        count = len(model.hidden_size)
        reason = f"the list has {count} {'width' if count == 1 else 'widths'}"
        remedy = f"write model.num_layers: {count}, or remove it"
        yield from _if_set(loaded, ("model.hidden_size", "model.num_layers"), reason, remedy)


def _data_conflicts(loaded: Loaded) -> Iterator[Problem]:
    data, split = loaded.config.data, loaded.config.split
    if isinstance(data.target, tuple) and data.series_id is not None:
        reason = "a list of targets is a wide file, an id column a long one"
        remedy = "remove data.series_id, or write one column for data.target"
        yield from _if_set(loaded, ("data.target", "data.series_id"), reason, remedy)
    if data.decimal is not None and data.decimal == data.thousands:
        reason = "one character cannot be both"
        remedy = "remove data.thousands"
        yield from _if_set(loaded, ("data.decimal", "data.thousands"), reason, remedy)
    fractions = isinstance(split.validation, float) and isinstance(split.test, float)
    if fractions and split.validation + split.test > 0.9:  # type: ignore[operator]
        reason = "together they leave no rows for training"
        remedy = "write split.validation: 0.1 and split.test: 0.1"
        yield _conflict(loaded, ("split.validation", "split.test"), reason, remedy)


def _if_set(loaded: Loaded, keys: tuple[str, str], reason: str, remedy: str) -> Iterator[Problem]:
    """The conflict, where both keys were set; a default never stands against the user."""
    if all(loaded.was_set(key) for key in keys):
        yield _conflict(loaded, keys, reason, remedy)


def _conflict(loaded: Loaded, keys: tuple[str, str], reason: str, remedy: str) -> Problem:
    named = " and ".join(f"{key}: {yaml_text(_value(loaded.config, key))}" for key in keys)
    where = " and ".join(dict.fromkeys(loaded.origins[key] for key in keys if loaded.was_set(key)))
    return Problem("config.conflict", f"{named} do not go together: {reason}", where, remedy)


def _value(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)
