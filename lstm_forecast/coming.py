"""What is known of the steps to be forecast: future covariates, found or asked for, and the calendar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import stages
from lstm_forecast.covariates import ahead_columns, calendar_of, holidays_of, last_year
from lstm_forecast.data.calendar_features import HOLIDAY, calendar_values
from lstm_forecast.data.calendars import next_times_of
from lstm_forecast.data.files import is_many, is_there
from lstm_forecast.data.findings import plural
from lstm_forecast.data.holidays import Days, years_of
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.table import RowsAhead, Table
from lstm_forecast.errors import DataInvalid, UsageError
from lstm_forecast.events import Events
from lstm_forecast.gating import MODEL
from lstm_forecast.latest import keys_of_the_run
from lstm_forecast.opening import Opened

Floats = NDArray[np.float64]


def future_times(opened: Opened, panel: Panel, *, horizon: int) -> NDArray[np.int64]:
    """The next ``horizon`` times of every series, in its rhythm: [S, horizon]; an empty series has zeros."""
    times = np.zeros((len(panel), horizon), dtype=np.int64)
    present = np.flatnonzero(panel.lengths)
    last = panel.times[panel.offsets[present + 1] - 1]
    times[present] = next_times_of(opened.preprocess.frequency, last, horizon)
    return times


def known_ahead(
    opened: Opened,
    panel: Panel,
    given: Sequence[tuple[str, RowsAhead]],
    *,
    horizon: int,
    series: Sequence[int],
    events: Events,
) -> Floats | None:
    """The columns known ahead at the next steps, [S, horizon, P] in original units; NaN for other series.

    Args:
        opened: the run.
        panel: the rows it continues.
        given: where future covariates were found, and these, by the run's series; the first goes before.
        horizon: steps ahead.
        series: those that are asked for.
        events: told where the holidays end.

    Returns:
        None where no column is known ahead, where a baseline forecasts, which looks at none, and where past
        covariates end the forecast before this horizon.

    Raises:
        DataInvalid: a step without its future covariates; the message says what to give.
    """
    count = ahead_columns(opened.config)
    if not count.count or opened.issued != MODEL:
        return None
    furthest = opened.in_numpy.furthest(len(panel.columns))
    if furthest is not None and horizon > furthest:
        return None
    times = future_times(opened, panel, horizon=horizon)
    values = np.full((len(panel), horizon, count.count), np.nan)
    long = (panel.lengths >= opened.config.window.lookback) & opened.preprocess.scaling.trained
    needed = [s for s in series if long[s]]
    if count.given:
        for _, found in reversed(given):
            _put(values[:, :, : count.given], times, found)
        _require(opened, values[needed][:, :, : count.given], times[needed], needed, [w for w, _ in given])
    if count.calendar and needed:
        shown = opened.preprocess.time_format.calendar(times[needed], opened.config.data.timezone)
        days = holidays_of(opened.config, shown, known=opened.preprocess.holidays)
        values[needed, :, count.given :] = calendar_values(shown, calendar_of(opened.config), days)
        if HOLIDAY in calendar_of(opened.config) and len(days):
            _warn_of_end(opened, days, int(shown.max()), events)
    return values


def _warn_of_end(opened: Opened, days: Days, last: int, events: Events) -> None:
    """Says where the known holidays end before the forecast does."""
    reached = years_of(last, last)[0]
    if reached > last_year(days):
        events.warn(
            "predict.holidays_end",
            f"the last holiday of {opened.config.data.holidays} lies in {last_year(days)}, and the forecast"
            f" reaches into {reached}: no step there counts as one",
        )


def read_ahead(opened: Opened, panel: Panel, path: str, events: Events) -> RowsAhead:
    """The future covariates of a file, by the run's series; one series without an id is for all of them.

    Raises:
        UsageError: the run has no future covariates.
        DataInvalid: a column is missing, or none of the series is one of the run.
    """
    if not opened.config.data.future_covariates:
        raise UsageError(
            "predict.future",
            "the run has no future covariates",
            where="--future",
            hint="leave --future out, or train with data.future_covariates",
        )
    with keys_of_the_run():
        table = stages.read_future(opened.config, path)
    for notice in table.notices:
        events.warn(notice.id, f"{path}: {notice.message}")
    events.say([f"future covariates: {table.source.path}"])
    ids, times = opened.preprocess.series_ids, table.times
    if len(table.series_ids) == 1 and (table.id_column is None or len(ids) == 1) and not is_many(path):
        copies = np.repeat(np.arange(len(ids)), len(times))
        found = RowsAhead(copies, np.tile(times, len(ids)), np.tile(table.values, (len(ids), 1)))
    else:
        found = _by_series(table, ids)
    if opened.preprocess.time_format.kind != "row":
        return found
    last = panel.times[np.maximum(panel.offsets[1:] - 1, 0)]  # rows without a time follow the last one
    return RowsAhead(found.series, found.times + last[found.series], found.values)


def _by_series(table: Table, ids: Sequence[str]) -> RowsAhead:
    """The rows of the series that the run has."""
    position = {name: s for s, name in enumerate(ids)}
    places = np.array([position.get(name, -1) for name in table.series_ids], dtype=np.int64)
    if (places < 0).all():
        raise DataInvalid(
            "predict.future",
            f"none of its series is one of the run: {', '.join(table.series_ids[:5])}",
            where=table.source.path,
            details=[f"series of the run: {', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}"],
            hint="name the series as in the input",
        )
    mine = places[table.series]
    return RowsAhead(mine[mine >= 0], table.times[mine >= 0], table.values[mine >= 0])


def _put(values: Floats, times: NDArray[np.int64], found: RowsAhead) -> None:
    """Writes what was found for these times [S, horizon] into the values [S, horizon, P]."""
    if not len(found.times):
        return
    moments = np.unique(found.times)  # by their numbers, a series and a time are one number
    keys = found.series * len(moments) + np.searchsorted(moments, found.times)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    number = np.minimum(np.searchsorted(moments, times), len(moments) - 1)
    wanted = np.arange(len(values))[:, None] * len(moments) + number
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    new = found.values[order[place]]
    there = (moments[number] == times) & (keys[place] == wanted)
    np.copyto(values, new, where=there[:, :, None] & ~np.isnan(new))


def _require(
    opened: Opened, values: Floats, times: NDArray[np.int64], series: Sequence[int], looked: Sequence[str]
) -> None:
    """Refuses a step without one of its future covariates."""
    missing = np.isnan(values)
    if not missing.any():
        return
    preprocess, names = opened.preprocess, opened.config.data.future_covariates
    ids = preprocess.series_ids
    row, step, _ = np.argwhere(missing)[0].tolist()
    lacking = [name for name, gone in zip(names, missing[row, step], strict=True) if gone]
    first, last = preprocess.time_format.format(times[row][[step, -1]])
    whose = f" of series {ids[series[row]]!r}" if len(ids) > 1 else ""
    header = [preprocess.time_name] if preprocess.time_format.kind != "row" else []
    header += [preprocess.series_name] if opened.config.data.series_id is not None else []
    covered = int(np.argmax(missing.any(axis=(0, 2))))  # steps that every series has
    steps, count = int(missing.any(axis=2).sum()), int(missing.any(axis=(1, 2)).sum())
    raise DataInvalid(
        "predict.future_covariates",
        f"no {' and no '.join(lacking)}{whose} on {first}; every step needs its future covariates",
        details=[
            f"missing: {plural(steps, 'step')} of {count} series; the horizon ends on {last}",
            f"looked in: {', '.join(looked) or 'no file'}",
        ],
        hint=f"give them: --future FILE.csv, with the header {','.join([*header, *names])} and a row a step"
        + (f"; or forecast fewer steps: --horizon {covered}" if covered else ""),
    )


def found_ahead(
    opened: Opened,
    panel: Panel,
    in_input: RowsAhead | None,
    *,
    source: str,
    future: str | None,
    events: Events,
) -> list[tuple[str, RowsAhead]]:
    """Where future covariates are found: ``--future``, ``data.future_path``, the input, in this order.

    Args:
        opened: the run.
        panel: the rows it continues.
        in_input: rows after the last targets of the input; None: there are none.
        source: what the input is called.
        future: the file of ``--future``.
        events: told of what was read.
    """
    none = np.empty(0, dtype=np.int64)
    nothing = RowsAhead(none, none, np.empty((0, len(opened.config.data.future_covariates))))
    found = [(future, read_ahead(opened, panel, future, events))] if future is not None else []
    path = opened.config.data.future_path
    if path is not None and opened.issued == MODEL:
        there = is_there(path)
        known = read_ahead(opened, panel, path, events) if there else nothing
        found.append((path if there else f"{path} (not there)", known))
    until = opened.config.data.until
    cut = "" if until is None else f", of the rows up to data.until {until}"
    return [*found, (f"{source} after the last target{cut}", in_input or nothing)]
