"""Which keys do not go together, and the line to write instead."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain

from lstm_forecast.config.loading import Loaded
from lstm_forecast.config.models import Config
from lstm_forecast.config.quantiles import levels_of, missing_quantiles, paired_levels, takes_quantiles
from lstm_forecast.config.writing import yaml_text
from lstm_forecast.errors import Problem


def conflicts(loaded: Loaded) -> list[Problem]:
    """One problem, id ``config.conflict``, per set of keys that do not go together; a default gives way."""
    rules = (
        _supervision_conflicts,
        _model_conflicts,
        _segment_conflicts,
        _data_conflicts,
        _resample_conflicts,
        _covariate_conflicts,
        _transform_conflicts,
        _head_conflicts,
        _level_conflicts,
        _validation_conflicts,
    )
    return list(chain.from_iterable(rule(loaded) for rule in rules))


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
    if model.supervision == "every_step" and model.normalize in ("last", "mean_std"):
        reason = "earlier steps of the window would see its end"
        remedy = "write model.supervision: last, or model.normalize: diff"
        yield from _if_set(loaded, ("model.supervision", "model.normalize"), reason, remedy)
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


def _segment_conflicts(loaded: Loaded) -> Iterator[Problem]:
    lookback, segment = loaded.config.window.lookback, loaded.config.model.segment
    if lookback % segment:
        reason = f"{lookback} steps are not whole segments of {segment}"
        remedy = f"write window.lookback: {whole_segments(lookback, segment)}, or model.segment: 1"
        yield from _if_set(loaded, ("window.lookback", "model.segment"), reason, remedy)
    if loaded.config.training.steps_per_epoch is not None and loaded.config.window.stride not in ("auto", 1):
        reason = "the first draws from all windows, the second takes every so many"
        remedy = "remove window.stride or training.steps_per_epoch"
        yield from _if_set(loaded, ("training.steps_per_epoch", "window.stride"), reason, remedy)


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


def _resample_conflicts(loaded: Loaded) -> Iterator[Problem]:
    resample = loaded.config.data.resample
    if (resample.to is None) != (resample.how is None):
        reason = "each needs the other"
        remedy = "write data.resample: {to: D, how: sum} (or mean, last), or remove both"
        yield _conflict(loaded, ("data.resample.to", "data.resample.how"), reason, remedy)


def _covariate_conflicts(loaded: Loaded) -> Iterator[Problem]:
    data = loaded.config.data
    if isinstance(data.target, tuple) and data.static_covariates:
        reason = "in a wide file one column cannot tell the series apart"
        remedy = "remove data.static_covariates, or give a long file with data.series_id"
        yield _conflict(loaded, ("data.target", "data.static_covariates"), reason, remedy)
    if data.future_path is not None and not data.future_covariates:
        reason = "nothing is read from that file"
        remedy = "name its columns in data.future_covariates, or remove data.future_path"
        yield _conflict(loaded, ("data.future_path", "data.future_covariates"), reason, remedy)
    told = isinstance(data.calendar_features, tuple) and "holiday" in data.calendar_features
    if told and data.holidays is None:
        reason = "nobody says which days are holidays"
        remedy = "set data.holidays to a country code or a file of dates"
        yield _conflict(loaded, ("data.calendar_features", "data.holidays"), reason, remedy)
    if data.holidays is not None and data.calendar_features != "auto" and not told:
        reason = "the holidays would not be used"
        remedy = "add holiday to data.calendar_features, or remove data.holidays"
        yield _conflict(loaded, ("data.calendar_features", "data.holidays"), reason, remedy)


def _transform_conflicts(loaded: Loaded) -> Iterator[Problem]:
    model = loaded.config.model
    if loaded.config.data.transform != "diff":
        return
    if model.anchor != "none":
        reason = "the forecast would repeat the last change"
        remedy = "write model.anchor: none, or data.transform: none"
        yield from _if_set(loaded, ("data.transform", "model.anchor"), reason, remedy)
    if model.normalize not in ("auto", "none"):
        reason = "the network would see changes of changes"
        remedy = "write model.normalize: none, or data.transform: none"
        yield from _if_set(loaded, ("data.transform", "model.normalize"), reason, remedy)
    if _measured(loaded.config.training.loss):
        reason = "the forecast of a step is a sum over the steps before it"
        remedy = "write training.loss: mae, or data.transform: none"
        yield from _if_set(loaded, ("data.transform", "training.loss"), reason, remedy)


def _measured(loss: object) -> bool:
    return isinstance(loss, tuple) or loss in ("smape", "mase")


def _head_conflicts(loaded: Loaded) -> Iterator[Problem]:
    config = loaded.config
    head, loss, method = config.model.head, config.training.loss, config.forecast.intervals.method
    own_loss = "the quantile head has its own loss, pinball"
    if head == "quantile" and loss != "pinball":
        remedy = "write training.loss: pinball, or model.head: point"
        yield from _if_set(loaded, ("model.head", "training.loss"), own_loss, remedy)
    if head == "point" and loss == "pinball":
        reason = "pinball is the loss of the quantile head"
        remedy = "write model.head: quantile, or remove training.loss"
        yield from _if_set(loaded, ("model.head", "training.loss"), reason, remedy)
    if head == "point" and method == "quantile":
        reason = "the point head gives no quantiles"
        remedy = "write model.head: quantile, or forecast.intervals.method: conformal"
        yield from _if_set(loaded, ("forecast.intervals.method", "model.head"), reason, remedy)
    if method == "quantile" and loss != "pinball" and not loaded.was_set("model.head"):
        remedy = "remove training.loss, or write forecast.intervals.method: conformal"
        yield from _if_set(loaded, ("forecast.intervals.method", "training.loss"), own_loss, remedy)


def _level_conflicts(loaded: Loaded) -> Iterator[Problem]:
    levels, quantiles = loaded.config.forecast.intervals.levels, loaded.config.model.quantiles
    if not takes_quantiles(loaded):
        return
    paired = paired_levels(levels, quantiles)
    if paired == levels or (paired and not loaded.was_set("forecast.intervals.levels")):
        return
    lacking = [level for level in levels if level not in paired]
    added = missing_quantiles(lacking, quantiles)
    verb = "needs" if len(lacking) == 1 else "need"
    reason = f"{_listed(lacking)} {verb} the quantiles {_listed(added)}"
    possible = levels_of(quantiles)
    instead = f"levels: {yaml_text(possible)}" if possible else "method: none"
    remedy = (
        f"write model.quantiles: {yaml_text(sorted([*quantiles, *added]))}, or forecast.intervals.{instead}"
    )
    yield _conflict(loaded, ("forecast.intervals.levels", "model.quantiles"), reason, remedy)


def _validation_conflicts(loaded: Loaded) -> Iterator[Problem]:
    """What has nothing to go by where no row validates."""
    config, intervals = loaded.config, loaded.config.forecast.intervals
    if config.split.validation != 0:
        return
    rows = [
        ("training.patience", config.training.patience is not None, "null", "ends a training"),
        ("training.schedule", config.training.schedule == "plateau", "cosine", "lowers the learning rate"),
        ("evaluation.gate", config.evaluation.gate != "none", "none", "decides what forecasts"),
    ]
    method, levels = "forecast.intervals.method", "forecast.intervals.levels"
    measures = "is the measure of every interval"
    rows.append((method, intervals.method != "none", "none", measures))
    for key, asked, instead, role in rows:
        if asked:
            reason = f"it is the error on validation rows that {role}"
            remedy = f"write {key}: {instead}, or split.validation: 0.1"
            yield from _if_set(loaded, ("split.validation", key), reason, remedy)
    if intervals.method != "none" and not loaded.was_set(method):
        reason = f"the error on validation rows {measures}"
        remedy = f"remove {levels}, or write split.validation: 0.1"
        yield from _if_set(loaded, ("split.validation", levels), reason, remedy)


def whole_segments(lookback: int, segment: int) -> int:
    """The longest lookback of whole segments that is no longer, or one segment."""
    return max(lookback // segment, 1) * segment


def _listed(numbers: Sequence[float]) -> str:
    *most, last = [yaml_text(number) for number in numbers]
    return f"{', '.join(most)} and {last}" if most else last


def _if_set(loaded: Loaded, keys: tuple[str, str], reason: str, remedy: str) -> Iterator[Problem]:
    """The conflict, where both keys were set; a default never stands against the user."""
    if all(loaded.was_set(key) for key in keys):
        yield _conflict(loaded, keys, reason, remedy)


def _conflict(loaded: Loaded, keys: tuple[str, str], reason: str, remedy: str) -> Problem:
    named = " and ".join(f"{key}: {yaml_text(_value(loaded.config, key))}" for key in keys)
    where = " and ".join(dict.fromkeys(loaded.origins[key] for key in keys if loaded.was_set(key)))
    return Problem("config.conflict", f"{named} do not go together: {reason}", where, remedy)


def _value(config: Config, key: str) -> object:
    return reduce(getattr, key.split("."), config)
