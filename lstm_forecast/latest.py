"""Which rows a forecast continues: a given file, the trained one as it is now, or the run's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import stages
from lstm_forecast.covariates import ahead_columns, with_calendar
from lstm_forecast.data.files import is_many, is_there, series_names, without_suffix
from lstm_forecast.data.findings import plural
from lstm_forecast.data.flat import count_marked
from lstm_forecast.data.panel import Panel, fill_missing
from lstm_forecast.data.reader import Table
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.statics import Statics, encoded
from lstm_forecast.data.table import RowsAhead
from lstm_forecast.data.transform import check_transform
from lstm_forecast.errors import DataInvalid
from lstm_forecast.events import Events
from lstm_forecast.gating import MODEL
from lstm_forecast.opening import Opened
from lstm_forecast.runs.storage import sha256_of
from lstm_forecast.usable_series import usable_at

CONTEXT = "context"  # the run's own rows


class Rows(NamedTuple):
    """Rows for a run.

    Attributes:
        panel: the series in the run's order; those not in the file are empty. After them those that the run
            never saw, in the order of the file.
        path: where they came from: a file, or ``context``.
        sha256: hash of that file.
        ahead: future covariates of rows after the last targets there, by the run's series; None: none.
    """

    panel: Panel
    path: str
    sha256: str
    ahead: RowsAhead | None = None


def latest_panel(opened: Opened, data: str | None, events: Events) -> Rows:
    """The newest rows there are: ``data``, else the recorded file as it is now, else the run's own rows.

    Raises:
        DataInvalid: a column or series does not fit the run.
    """
    recorded = opened.config.data.path
    if data is None and not is_there(recorded):
        missing = "standard input" if recorded == "-" else recorded
        events.say([f"input: the run's own rows ({missing} is not there to be read again)"])
        digest = sha256_of(opened.files["context.safetensors"])
        return Rows(opened.context, CONTEXT, digest, opened.ahead)
    found = read_for_run(opened, data if data is not None else recorded, events, strangers="keep")
    _check_length(opened, found.panel, found.path)
    if data is None:
        _warn_of_gone(opened, found, events)
    return found


def read_for_run(
    opened: Opened, path: str, events: Events, *, strangers: Literal["keep", "refuse"] = "refuse"
) -> Rows:
    """A file read as the run's was.

    Args:
        opened: the run.
        path: of the file, folder or pattern.
        events: told what was read.
        strangers: whether series that the run never saw are kept. A run of one series refuses them always: it
            learned nothing that holds for others, and another name is likely another file than was meant.

    Raises:
        DataInvalid: a column or series does not fit the run.
    """
    with keys_of_the_run():
        table = stages.read_input(opened.config, path)
        table = usable_at(opened.config, table, opened.preprocess.frequency)
    for notice in table.notices:
        events.warn(notice.id, notice.message)
    table = _named_by_file(table, opened)
    _check_columns(opened, table.columns, table.source.path)
    places = _places(opened, table)
    statics = _statics(opened, table, places)
    with keys_of_the_run():
        panel, notes = stages.clean_panel(opened.config, table, opened.preprocess.frequency)
        panel = _in_run_order(panel, opened, table, strangers)
        # As in training: after the training rows nothing may look ahead, so there cells are filled forward.
        ends = borders_in(opened, panel).train_end
        panel, filled = fill_missing(panel, opened.config.data.missing, train_end=ends)
        check_transform(panel, opened.config.data.transform, where=table.source.path)
        panel = _with_covariates(opened, panel, statics, where=table.source.path)
    events.say([f"input: {table.source.path}", *notes, *filled])
    ahead = None if table.ahead is None else replace(table.ahead, series=places[table.ahead.series])
    return Rows(panel, table.source.path, table.source.sha256, ahead)


@contextmanager
def keys_of_the_run() -> Iterator[None]:
    """Errors about a file say that the keys they name are those of the run, which cannot be changed here."""
    try:
        yield
    except DataInvalid as error:
        if "data." in error.hint:
            error.hint = f"mend the file, or train again with another key: {error.hint}"
        raise


def borders_in(opened: Opened, panel: Panel) -> Splits:
    """Where the run's training and validation rows end in this panel, by time; new series have none."""
    context = opened.context
    known = np.flatnonzero(context.lengths)
    begin = context.offsets[known]
    ends = []
    for flat in (opened.splits.train_end, opened.splits.validation_end):
        newest = np.full(len(panel), np.iinfo(np.int64).min)  # the last time that lies before the border
        # Where the run keeps none of the rows before it, that is the last one before its first row.
        before = flat[known] > begin
        newest[known] = np.where(before, context.times[flat[known] - 1], context.times[begin] - 1)
        rows = count_marked(panel.times <= np.repeat(newest, panel.lengths), panel.offsets)
        ends.append(panel.offsets[:-1] + rows)
    return Splits(*ends)


def _with_covariates(opened: Opened, panel: Panel, statics: Statics | None, *, where: str) -> Panel:
    """The panel with the calendar's columns as in training, and with what its series are."""
    preprocess = opened.preprocess
    form, known = preprocess.time_format, preprocess.holidays
    panel, _ = with_calendar(opened.config, panel, form, known=known, where=where)
    return replace(panel, statics=statics)


def _places(opened: Opened, table: Table) -> NDArray[np.int64]:
    """The number of each series of a table in the run, [S]; those it does not know come after."""
    ids = opened.preprocess.series_ids
    if len(ids) == len(table.series_ids) == 1:
        return np.zeros(1, dtype=np.int64)
    known = frozenset(ids)
    names = (*ids, *(name for name in table.series_ids if name not in known))
    position = {name: place for place, name in enumerate(names)}
    return np.array([position[name] for name in table.series_ids], dtype=np.int64)


def _statics(opened: Opened, table: Table, places: NDArray[np.int64]) -> Statics | None:
    """What the run's series are, and after them those of the table that it does not know.

    Raises:
        DataInvalid: a series is not what it was in training, or what it is cannot be read.
    """
    known = opened.preprocess.scaling.statics
    if known is None:
        return None
    count = len(known.codes)
    order = np.argsort(places, kind="stable")
    mine, new = order[places[order] < count], order[places[order] >= count]
    cells = [table.static[s] for s in mine]
    try:
        now = encoded(known.columns, cells, decimal=table.source.decimal)
        own = encoded(known.columns, [table.static[s] for s in new], decimal=table.source.decimal)
    except ValueError as error:
        hint, where = "correct the file, or train again on it", table.source.path
        raise DataInvalid("predict.static", str(error), where=where, hint=hint) from error
    differing = np.argwhere(now != known.codes[places[mine]])
    if len(differing):
        row, k = differing[0].tolist()
        name, column = table.series_ids[mine[row]], known.columns[k].name
        raise DataInvalid(
            "predict.static",
            f"static column {column!r}: series {name!r} has {cells[row][k][:60]!r}, another than in training",
            where=table.file_of(int(mine[row])),
            hint="correct the file, or train again on it",
        )
    return Statics(known.columns, np.concatenate([known.codes, own]))


def _check_length(opened: Opened, panel: Panel, where: str) -> None:
    """Refuses rows in which no series fills one window; of a new series no more may be there yet.

    Raises:
        DataInvalid: with the arithmetic.
    """
    longest, lookback = int(panel.lengths.max(initial=0)), opened.config.window.lookback
    if longest < lookback and opened.issued == MODEL and len(panel) == len(opened.context):
        raise DataInvalid(
            "data.too_short",
            f"need at least {plural(lookback, 'row')} of a series, got {longest:,}",
            where=where,
            details=[f"lookback: the run sees {plural(lookback, 'step')}, and forecasts from the last"],
            hint="give a file that begins earlier, or train a run with a smaller --lookback",
        )


def _warn_of_gone(opened: Opened, found: Rows, events: Events) -> None:
    """Says which series had rows in training and have none now: their forecast is missing."""
    gone = np.flatnonzero((found.panel.lengths[: len(opened.context)] == 0) & (opened.context.lengths > 0))
    if len(gone):
        listed = stages.some_names(found.panel, gone)
        message = f"{len(gone)} series of the run without rows, and so without a forecast: {listed}"
        events.warn("predict.series_gone", message)


def _check_columns(opened: Opened, columns: tuple[str, ...], where: str) -> None:
    whole = opened.preprocess.columns
    expected = whole[: len(whole) - ahead_columns(opened.config).calendar]
    if columns != expected:
        raise DataInvalid(
            "data.column",
            f"the columns are {', '.join(columns)}; the run was trained on {', '.join(expected)}",
            where=where,
            hint="rename the columns, or train a new run on this file",
        )


def _named_by_file(table: Table, opened: Opened) -> Table:
    """One file for a run of many: its series are named by it, where the run knows none by the name inside."""
    known = frozenset(opened.preprocess.series_ids)
    if table.paths or not known.isdisjoint(table.series_ids):
        return table
    named = series_names(without_suffix(Path(table.source.path).name), table.series_ids)
    by_file = is_many(opened.config.data.path) or known.issuperset(named)
    return replace(table, series_ids=named) if by_file else table


def _unknown_series(names: list[str], table: Table, opened: Opened) -> DataInvalid:
    of_many, ids = bool(table.paths), opened.preprocess.series_ids
    details = [f"the first is in: {table.file_of(table.series_ids.index(names[0]))}"] if of_many else []
    hint = "leave their files out with a narrower --data" if of_many else "leave them out of the file"
    if len(ids) == 1:
        details.append(f"the run was trained on one series, {ids[0]}, and forecasts no other")
        hint = "if it is the same series, give it that name; else train on both"
    listed = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return DataInvalid(
        "predict.unknown_series",
        f"series not seen in training: {listed}",
        where=table.source.path,
        details=details,
        hint=hint if len(ids) == 1 else f"{hint}, or train again with them",
    )


def _in_run_order(panel: Panel, opened: Opened, table: Table, strangers: Literal["keep", "refuse"]) -> Panel:
    """The panel with the run's series in the run's order, and those that the run never saw after them."""
    ids = opened.preprocess.series_ids
    if len(ids) == 1 and len(panel) == 1 and not _both_named(opened, table):
        # one series each: its name may be a file's or a column's
        return replace(panel, series_ids=ids)
    known = frozenset(ids)
    unknown = [name for name in panel.series_ids if name not in known]
    if unknown and (strangers == "refuse" or len(ids) == 1):
        raise _unknown_series(unknown, table, opened)
    position: Mapping[str, int] = {name: place for place, name in enumerate(panel.series_ids)}
    return panel.pick([position.get(name) for name in (*ids, *unknown)], (*ids, *unknown))


def _both_named(opened: Opened, table: Table) -> bool:
    """Whether run and file name their series in one way, by files or by a column of ids."""
    data = opened.config.data
    by_ids = table.id_column is not None and data.series_id is not None
    return by_ids or (bool(table.paths) and is_many(data.path))
