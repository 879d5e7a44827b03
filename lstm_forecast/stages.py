"""The stages a verb is made of: here, and nowhere below, the configuration becomes plain arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lstm_forecast import covariates
from lstm_forecast.config import Config
from lstm_forecast.data.calendars import Frequency, infer_frequency
from lstm_forecast.data.findings import plural
from lstm_forecast.data.holidays import NO_DAYS, Days
from lstm_forecast.data.many import read_input as read_files
from lstm_forecast.data.offsets import parse_frequency
from lstm_forecast.data.panel import (
    Panel,
    build_panel,
    check_missing,
    drop_missing,
    fill_missing,
    trim_leading,
)
from lstm_forecast.data.reader import ReadOptions, Table
from lstm_forecast.data.resampling import resample
from lstm_forecast.data.splits import Splits, check_lengths, split_panel
from lstm_forecast.data.table import cut_table
from lstm_forecast.data.transform import check_transform
from lstm_forecast.data.windows import Windows, windows_in
from lstm_forecast.errors import DataInvalid
from lstm_forecast.evaluation.held_out import cutoffs


@dataclass(frozen=True)
class Prepared:
    """A panel ready for training, cut into splits and windows; and the holidays its calendar knows."""

    panel: Panel
    splits: Splits
    train: Windows
    validation: Windows
    test: Windows
    holidays: Days = field(default_factory=lambda: NO_DAYS)


def read_input(config: Config, path: str) -> Table:
    """Reads a file, a folder or a pattern by the configuration's ``data`` section.

    Up to ``data.until``, then gathered into the periods of ``data.resample``. Rows after the last targets
    that have the future covariates stand beside the table.
    """
    table = read_files(path, _options(config))
    if config.data.until is not None:
        table = cut_table(table, config.data.until)
    return covariates.split_ahead(config, _gathered(config, table, future=len(config.data.future_covariates)))


def read_future(config: Config, path: str) -> Table:
    """Reads a file of future covariates alone: times, ids and those columns, written as the input is."""
    alone = {"target": None, "past_covariates": (), "static_covariates": (), "without_target": True}
    table = read_files(path, replace(_options(config), **alone))  # type: ignore[arg-type]
    return _gathered(config, table, future=0)  # it has no target that could end


def _gathered(config: Config, table: Table, *, future: int) -> Table:
    """The table in the periods of ``data.resample``, where that is set; its last columns are known ahead."""
    periods = config.data.resample
    if periods.to is None or periods.how is None:
        return table
    return resample(table, to=periods.to, how=periods.how, strict=config.data.strict, future=future)


def _options(config: Config) -> ReadOptions:
    data = config.data
    return ReadOptions(
        time=data.time,
        target=data.target,
        series_id=data.series_id,
        past_covariates=data.past_covariates,
        future_covariates=data.future_covariates,
        static_covariates=data.static_covariates,
        encoding=data.encoding,
        separator=data.separator,
        decimal=data.decimal,
        thousands=data.thousands,
        header_row=data.header_row,
        skip_rows=data.skip_rows,
        date_format=data.date_format,
        timezone=data.timezone,
        na_values=data.na_values,
        duplicates=data.duplicates,
        bad_rows=data.bad_rows,
        max_bad_rows=data.max_bad_rows,
        bad_series=data.bad_series,
        strict=data.strict,
        max_bytes=data.max_bytes,
    )


def frequency_of(config: Config, table: Table) -> Frequency:
    """The rhythm of the rows: named in the configuration, or inferred."""
    if table.time_format.kind == "row":
        return Frequency("row")
    if config.data.frequency is not None:
        return parse_frequency(config.data.frequency, table.zone)
    borders = np.searchsorted(table.series, np.arange(1, len(table.series_ids)))
    return infer_frequency(np.split(table.times, borders), table.zone)


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


def prepare(config: Config, panel: Panel, table: Table) -> tuple[Prepared, list[str]]:
    """From the clean panel to windows: splits, filled cells, windows by split; with lines for the account.

    Raises:
        DataInvalid: too few rows, or empty cells.
    """
    lookback, horizon = config.window.lookback, config.window.horizon
    validation, test = config.split.validation, config.split.test
    check_lengths(
        panel, lookback=lookback, horizon=horizon, validation=validation, test=test, where=table.source.path
    )
    splits = splits_of(config, panel, table)
    panel, filled = fill_missing(panel, config.data.missing, train_end=splits.train_end)
    check_transform(panel, config.data.transform, where=table.source.path)
    panel, days = _told_by_calendar(config, panel, table)
    prepared = replace(windowed(config, panel, splits), holidays=days)
    trained = np.isin(np.arange(len(panel)), prepared.train.series)
    prepared = replace(prepared, panel=covariates.with_statics(config, panel, table, trained))
    _check_windows(prepared, config, table)
    return prepared, [*filled, _arithmetic(prepared, config), *_left_out(prepared)]


def splits_of(config: Config, panel: Panel, table: Table) -> Splits:
    """Where training and validation rows end.

    Raises:
        DataInvalid: dates in the wrong order or a count below the horizon.
    """
    validation, test, horizon = config.split.validation, config.split.test, config.window.horizon
    return split_panel(panel, validation=validation, test=test, horizon=horizon, zone=table.zone)


def prepare_short(config: Config, panel: Panel, table: Table) -> tuple[Prepared, list[str]]:
    """A panel too short for a network: every row is a training row, and there are no windows."""
    ends = panel.offsets[1:]
    panel, filled = fill_missing(panel, config.data.missing, train_end=panel.offsets[:-1])
    panel, days = _told_by_calendar(config, panel, table)
    panel = covariates.with_statics(config, panel, table, np.ones(len(panel), dtype=bool))
    none = Windows(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    return Prepared(panel, Splits(ends.copy(), ends.copy()), none, none, none, days), filled


def _told_by_calendar(config: Config, panel: Panel, table: Table) -> tuple[Panel, Days]:
    """The panel with the calendar's columns, and the holidays they know."""
    return covariates.with_calendar(config, panel, table.time_format, where=table.source.path)


def short_cutoffs(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Where baselines are compared if no network can be trained: at every row of the later half.

    Flat rows of the cutoffs and their series, each [W].
    """
    half = panel.offsets[:-1] + np.maximum(panel.lengths // 2, 1)
    return cutoffs(panel, half, panel.offsets[1:], least=1)


def windowed(config: Config, panel: Panel, splits: Splits) -> Prepared:
    """The panel with its windows by split."""
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    usable = splits.train_end - starts >= 2  # a series without training rows has no units to be forecast in

    def windows(first: np.ndarray, end: np.ndarray) -> Windows:
        return windows_of(config, panel, np.where(usable, first, end), end)

    return Prepared(
        panel,
        splits,
        train=windows(starts + config.window.lookback, splits.train_end),
        validation=windows(splits.train_end, splits.validation_end),
        test=windows(splits.validation_end, ends),
    )


def windows_of(config: Config, panel: Panel, first: np.ndarray, end: np.ndarray) -> Windows:
    """Every window whose targets lie in rows ``first[s] … end[s] - 1`` of its series."""
    lookback, horizon = config.window.lookback, config.window.horizon
    return windows_in(first, end, offsets=panel.offsets, lookback=lookback, horizon=horizon)


def _check_windows(prepared: Prepared, config: Config, table: Table) -> None:
    """Refuses splits that leave a part without a single window (dates can do that)."""
    wanted = [("train", prepared.train)]
    if config.split.validation != 0:
        wanted.append(("validation", prepared.validation))
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
        f"rows: {rows} to train, validate, test; windows of {plural(config.window.lookback, 'step')}:"
        f" {len(prepared.train):,} + {len(prepared.validation):,} + {len(prepared.test):,}"
    )


def _left_out(prepared: Prepared) -> list[str]:
    """Series that are too short for a part, said."""
    lines = []
    for part, windows in (("training", prepared.train), ("test", prepared.test)):
        absent = np.setdiff1d(np.arange(len(prepared.panel)), windows.series)
        if 0 < len(absent) < len(prepared.panel):
            lines.append(
                f"{len(absent)} series have too few rows for {part}: {some_names(prepared.panel, absent)}"
            )
    return lines


def some_names(panel: Panel, series: Sequence[int] | np.ndarray) -> str:
    """The names of the first few of these series, for a message."""
    names = [panel.series_ids[int(s)] for s in series[:5]]
    return ", ".join(names) + (", …" if len(series) > 5 else "")
