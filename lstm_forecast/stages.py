"""The stages a verb is made of: here, and nowhere below, the configuration becomes plain arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lstm_forecast.config import Config, Loaded
from lstm_forecast.data.calendars import DAY, Frequency, infer_frequency, parse_frequency
from lstm_forecast.data.panel import (
    Panel,
    build_panel,
    check_missing,
    drop_missing,
    fill_missing,
    trim_leading,
)
from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.data.splits import Splits, check_lengths, split_panel
from lstm_forecast.data.windows import Windows, windows_in
from lstm_forecast.errors import DataInvalid

if TYPE_CHECKING:
    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.loop import Recipe

_HOUR = 3_600_000_000
LEAST_STEPS = 8  # of an epoch, where the stride is ours to choose; measured, see the lab log
BARE = "bare CSV"  # origin of the values that a CSV without a configuration gets


@dataclass(frozen=True)
class Prepared:
    """A panel ready for training, cut into splits and windows."""

    panel: Panel
    splits: Splits
    train: Windows
    validation: Windows
    test: Windows


def read_input(config: Config, path: str) -> Table:
    """Reads a file by the configuration's ``data`` section."""
    data = config.data
    options = ReadOptions(
        time=data.time,
        target=data.target,
        series_id=data.series_id,
        past_covariates=data.past_covariates,
        encoding=data.encoding,
        separator=data.separator,
        decimal=data.decimal,
        thousands=data.thousands,
        header_row=data.header_row,
        skip_rows=data.skip_rows,
        date_format=data.date_format,
        na_values=data.na_values,
        duplicates=data.duplicates,
        bad_rows=data.bad_rows,
        max_bad_rows=data.max_bad_rows,
        strict=data.strict,
        max_bytes=data.max_bytes,
    )
    return read_table(path, options)


def frequency_of(config: Config, table: Table) -> Frequency:
    """The rhythm of the rows: named in the configuration, or inferred."""
    if table.time_format.kind == "row":
        return Frequency("row")
    if config.data.frequency is not None:
        return parse_frequency(config.data.frequency)
    borders = np.searchsorted(table.series, np.arange(1, len(table.series_ids)))
    return infer_frequency(np.split(table.times, borders))


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


def with_horizon(loaded: Loaded, frequency: Frequency) -> tuple[Loaded, list[str]]:
    """A bare CSV gets the horizon its frequency suggests; a configuration keeps its own."""
    if loaded.origins["data.path"] != BARE or loaded.was_set("window.horizon"):
        return loaded, []
    horizon = usual_horizon(frequency)
    window = loaded.config.window.model_copy(update={"horizon": horizon})
    config = loaded.config.model_copy(update={"window": window})
    origins = loaded.origins | {"window.horizon": BARE}
    return replace(loaded, config=config, origins=origins), [
        f"horizon: {horizon} steps ({frequency}; --horizon)"
    ]


def with_found_columns(config: Config, table: Table) -> Config:
    """The configuration with the found columns spelled out, so that the run repeats without a guess."""
    found = {
        "path": table.source.path,
        "time": None if table.time_format.kind == "row" else config.data.time or table.time_name,
        "target": config.data.target or table.columns[0],
        "series_id": config.data.series_id
        or (table.series_name if table.series_name in table.header else None),
    }
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def with_name(config: Config, name: str) -> Config:
    """The configuration with the run's name spelled out, so that training it again means the same name."""
    return config.model_copy(update={"run": config.run.model_copy(update={"name": name})})


def clean_panel(config: Config, table: Table, frequency: Frequency) -> tuple[Panel, list[str]]:
    """Gaps treated; by ``data.missing`` empty cells refused or left out. Filling waits for the splits."""
    if config.data.missing == "error":
        check_missing(table)
    panel, notes = build_panel(table, frequency, gaps=config.data.gaps)
    if config.data.missing == "drop":
        panel, dropped = drop_missing(panel)
        notes += dropped
    panel, trimmed = trim_leading(panel)
    return panel, notes + trimmed


def prepare(config: Config, table: Table, frequency: Frequency) -> tuple[Prepared, list[str]]:
    """From the table to windows: panel, splits, filled cells, windows by split; with lines for the account.

    Raises:
        DataInvalid: too few rows, holes, or empty cells.
    """
    panel, notes = clean_panel(config, table, frequency)
    lookback, horizon = config.window.lookback, config.window.horizon
    validation, test = config.split.validation, config.split.test
    check_lengths(
        panel, lookback=lookback, horizon=horizon, validation=validation, test=test, where=table.source.path
    )
    splits = split_panel(panel, validation=validation, test=test, horizon=horizon)
    panel, filled = fill_missing(panel, config.data.missing, train_end=splits.train_end)
    starts, ends = panel.offsets[:-1], panel.offsets[1:]

    usable = splits.train_end - starts >= 2  # a series without training rows has no units to be forecast in

    def windows(first: np.ndarray, end: np.ndarray) -> Windows:
        first = np.where(usable, first, end)
        return windows_in(first, end, offsets=panel.offsets, lookback=lookback, horizon=horizon)

    prepared = Prepared(
        panel,
        splits,
        train=windows(starts + lookback, splits.train_end),
        validation=windows(splits.train_end, splits.validation_end),
        test=windows(splits.validation_end, ends),
    )
    _check_windows(prepared, config, table)
    return prepared, notes + filled + [_arithmetic(prepared, config)] + _left_out(prepared)


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


def recipe_of(config: Config) -> Recipe:
    """The training recipe of a settled configuration (no ``auto`` left)."""
    from lstm_forecast.training.loop import Recipe

    training, window = config.training, config.window
    assert isinstance(window.stride, int)
    return Recipe(
        epochs=training.epochs,
        batch_size=training.batch_size,
        optimizer=training.optimizer,
        lr=training.lr,
        weight_decay=training.weight_decay,
        loss=training.loss,
        clip_norm=training.clip_norm,
        patience=training.patience,
        max_time_s=training.max_time,
        seed=training.seed,
        lookback=window.lookback,
        horizon=window.horizon,
        stride=window.stride,
        every_step=config.model.supervision == "every_step",
        untouched_first=config.model.anchor == "last" and training.patience is not None,
    )


def build_model(config: Config, *, features: int) -> RegLSTM:
    """The network a configuration describes, with torch's own first weights."""
    from lstm_forecast.model.reglstm import RegLSTM

    model = config.model
    return RegLSTM(
        features,
        model.hidden_size,
        model.num_layers,
        output_size=config.window.horizon,
        cell=model.cell,
        nonlinearity=model.nonlinearity,
        bias=model.bias,
        dropout=model.dropout,
        bidirectional=model.bidirectional,
        layer_norm=model.layer_norm,
        initial_state=model.initial_state,
        readout=model.readout,
        head_layers=model.head_layers,
        zero_head=model.anchor == "last",
    )


@contextmanager
def network_threads(config: Config) -> Iterator[None]:
    """Runs the block with the threads that a network of this width is fastest with on the CPU."""
    from lstm_forecast.model.devices import threads_for, using_threads

    width = config.model.hidden_size
    with using_threads(threads_for(width if isinstance(width, int) else max(width))):
        yield


def _check_windows(prepared: Prepared, config: Config, table: Table) -> None:
    """Refuses splits that leave a part without a single window (dates can do that)."""
    wanted = [("train", prepared.train), ("validation", prepared.validation)]
    if config.split.test != 0:
        wanted.append(("test", prepared.test))
    empty = [name for name, windows in wanted if not _any_observed(prepared.panel, windows, config)]
    if empty:
        rows = {name: len(windows) for name, windows in wanted}
        raise DataInvalid(
            "split.empty",
            f"the {empty[0]} split has no window with an observed target",
            where=table.source.path,
            details=[f"windows: {rows}, lookback {config.window.lookback}, horizon {config.window.horizon}"],
            hint="set split.validation and split.test to other dates or counts, or a smaller --lookback",
        )


def _any_observed(panel: Panel, windows: Windows, config: Config) -> bool:
    """Whether at least one target of these windows was observed, not filled."""
    first = windows.start + config.window.lookback
    return any(panel.observed[first + step, 0].any() for step in range(config.window.horizon))


def _arithmetic(prepared: Prepared, config: Config) -> str:
    splits, panel = prepared.splits, prepared.panel
    counts = (
        int((splits.train_end - panel.offsets[:-1]).sum()),
        int((splits.validation_end - splits.train_end).sum()),
        int((panel.offsets[1:] - splits.validation_end).sum()),
    )
    rows = " + ".join(f"{count:,}" for count in counts)
    return (
        f"rows: {rows} to train, validate, test; windows of {config.window.lookback} steps:"
        f" {len(prepared.train):,} + {len(prepared.validation):,} + {len(prepared.test):,}"
    )


def _left_out(prepared: Prepared) -> list[str]:
    """Series that are too short for a part, said."""
    lines = []
    for part, windows in (("training", prepared.train), ("test", prepared.test)):
        absent = np.setdiff1d(np.arange(len(prepared.panel)), windows.series)
        if 0 < len(absent) < len(prepared.panel):
            lines.append(
                f"{len(absent)} series have too few rows for {part}: {_some(prepared.panel, absent)}"
            )
    return lines


def _some(panel: Panel, series: Sequence[int] | np.ndarray) -> str:
    names = [panel.series_ids[int(s)] for s in series[:5]]
    return ", ".join(names) + (", …" if len(series) > 5 else "")
