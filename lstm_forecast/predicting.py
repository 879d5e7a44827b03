"""The future from a run: which rows are read, and the dated rows that come out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import stages
from lstm_forecast.data.calendars import next_times
from lstm_forecast.data.panel import Panel, fill_missing
from lstm_forecast.errors import DataInvalid, UsageError, nearest
from lstm_forecast.events import Events
from lstm_forecast.opening import Opened

CONTEXT = "context"  # the run's own rows


@dataclass(frozen=True)
class ForecastRow:
    """One dated forecast in original units; ``source`` says what made it: ``model`` or ``naive``."""

    series: str
    time: str
    step: int
    forecast: float
    source: str


@dataclass(frozen=True)
class Forecast:
    """Dated rows, by series and step.

    Attributes:
        run: ``name@id``.
        as_of: the newest time read, in the input's form.
        input: path of the rows read, or ``context``.
        series_name: the user's header of the id column.
        time_name: the user's header of the time column.
        rows: the forecast.
        future_times: int64 [S, horizon], for pictures.
    """

    run: str
    as_of: str
    input: str
    series_name: str
    time_name: str
    rows: tuple[ForecastRow, ...]

    def to_csv(self) -> str:
        """The rows under the user's own names of series and time."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.series_name, self.time_name, "step", "forecast", "source"])
        for row in self.rows:
            writer.writerow([row.series, row.time, row.step, repr(row.forecast), row.source])
        return text.getvalue()

    def to_document(self, warnings: list[dict[str, str]]) -> dict[str, Any]:
        """The one JSON document of ``predict --json``."""
        rows = [asdict(row) for row in self.rows]
        return {"run": self.run, "as_of": self.as_of, "input": self.input, "rows": rows, "warnings": warnings}

    def to_json(self, warnings: list[dict[str, str]]) -> str:
        """The document as text."""
        return json.dumps(self.to_document(warnings), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def latest_panel(opened: Opened, data: str | None, events: Events) -> tuple[Panel, str]:
    """The newest rows there are: ``data``, else the recorded file as it is now, else the run's own rows.

    Returns:
        The panel, its series in the run's order (those not in the file are empty), and where it came from.

    Raises:
        DataInvalid: a column or series does not fit the run.
    """
    recorded = opened.config.data.path
    if data is None and (recorded == "-" or not Path(recorded).is_file()):
        missing = "standard input" if recorded == "-" else recorded
        events.say([f"input: the run's own rows ({missing} is not there to be read again)"])
        return opened.context, CONTEXT
    path = data if data is not None else recorded
    table = stages.read_input(opened.config, path)
    for notice in table.notices:
        events.warn(notice.id, notice.message)
    _check_columns(opened, table.columns, table.source.path)
    try:
        panel, notes = stages.clean_panel(opened.config, table, opened.preprocess.frequency)
        # After the training rows nothing may look ahead, so interpolation has no room here: filled forward.
        panel, filled = fill_missing(panel, opened.config.data.missing, train_end=panel.offsets[:-1])
    except DataInvalid as error:  # the keys are those of the run: they cannot be changed here
        error.hint = f"mend the file, or train again with another key: {error.hint}"
        raise
    events.say([f"input: {table.source.path}", *notes, *filled])
    panel = _in_run_order(panel, opened, table.source.path)
    _check_length(opened, panel, table.source.path)
    return panel, table.source.path


def forecast_panel(opened: Opened, panel: Panel, *, horizon: int) -> tuple[NDArray[np.float64], list[str]]:
    """The next ``horizon`` values of every series with rows, [S, horizon], and what made each: S words.

    A series with fewer rows than the lookback, or without units, gets its last value.
    """
    from lstm_forecast.forecasting.baselines import naive
    from lstm_forecast.forecasting.forecast import forecast_future, lowest_values

    lookback = opened.config.window.lookback
    scaling = opened.preprocess.scaling
    able = np.flatnonzero((panel.lengths >= lookback) & scaling.trained)
    last = panel.values[np.maximum(panel.offsets[1:] - 1, 0), 0]
    values = naive(last, horizon)
    if len(able):
        windows = np.stack(
            [panel.values[panel.offsets[s + 1] - lookback : panel.offsets[s + 1]] for s in able]
        )
        values[able] = forecast_future(
            opened.model,
            windows,
            scaling,
            able,
            horizon=horizon,
            anchored=opened.config.model.anchor == "last",
            minimum=lowest_values(opened.config.forecast.minimum, scaling),
        )
    return values, ["model" if s in set(able.tolist()) else "naive" for s in range(len(panel))]


def future_times(opened: Opened, panel: Panel, *, horizon: int) -> NDArray[np.int64]:
    """The next ``horizon`` times of every series, in its rhythm: [S, horizon]; an empty series has zeros."""
    times = np.zeros((len(panel), horizon), dtype=np.int64)
    for series in np.flatnonzero(panel.lengths):
        last = int(panel.times[panel.offsets[series + 1] - 1])
        times[series] = next_times(opened.preprocess.frequency, last, horizon)
    return times


def dated_rows(
    opened: Opened, panel: Panel, *, horizon: int, series: str | None, events: Events
) -> tuple[ForecastRow, ...]:
    """Forecasts every series of the panel, or the one asked for, and dates the steps."""
    chosen = chosen_series(opened, panel, series)
    values, sources = forecast_panel(opened, panel, horizon=horizon)
    times = future_times(opened, panel, horizon=horizon)
    ids = opened.preprocess.series_ids
    short = [ids[s] for s in chosen if sources[s] == "naive"]
    if short:
        lookback = opened.config.window.lookback
        names = ", ".join(short[:5]) + (", …" if len(short) > 5 else "")
        events.warn(
            "predict.too_short",
            f"fewer than {lookback} rows, or none to train on: {names}; their last value is repeated",
        )
    rows = []
    for s in chosen:
        texts = opened.preprocess.time_format.format(times[s])
        for step, (text, value) in enumerate(zip(texts, values[s].tolist(), strict=True), start=1):
            rows.append(ForecastRow(ids[s], text, step, value, sources[s]))
    return tuple(rows)


def _check_length(opened: Opened, panel: Panel, where: str) -> None:
    """Refuses rows in which no series fills one window.

    Raises:
        DataInvalid: with the arithmetic.
    """
    longest, lookback = int(panel.lengths.max(initial=0)), opened.config.window.lookback
    if longest < lookback:
        raise DataInvalid(
            "data.too_short",
            f"need at least {lookback:,} rows of a series, got {longest:,}",
            where=where,
            details=[f"lookback: the run sees {lookback} steps, and forecasts from its last ones"],
            hint="give a file that begins earlier, or train a run with a smaller --lookback",
        )


def chosen_series(opened: Opened, panel: Panel, series: str | None) -> list[int]:
    """The series with rows, or the one asked for.

    Raises:
        UsageError: no such series, with the nearest name.
    """
    ids = opened.preprocess.series_ids
    present = [int(s) for s in np.flatnonzero(panel.lengths)]
    if series is None:
        return present
    if series not in ids or ids.index(series) not in present:
        near = nearest(series, ids)
        known = ", ".join(ids[:8]) + (", …" if len(ids) > 8 else "")
        raise UsageError(
            "predict.series",
            f"no series {series!r}; the run knows {known}",
            where="--series",
            hint=f"did you mean {near}?" if near else "",
        )
    return [ids.index(series)]


def _check_columns(opened: Opened, columns: tuple[str, ...], where: str) -> None:
    expected = opened.preprocess.columns
    if columns != expected:
        raise DataInvalid(
            "data.column",
            f"the columns are {', '.join(columns)}; the run was trained on {', '.join(expected)}",
            where=where,
            hint="rename the columns, or train a new run on this file",
        )


def _in_run_order(panel: Panel, opened: Opened, where: str) -> Panel:
    """The panel with the run's series in the run's order; refuses series that the run never saw."""
    ids = opened.preprocess.series_ids
    if len(ids) == 1 and len(panel) == 1:  # one series each: its name may be a file's or a column's
        return Panel(panel.values, panel.observed, panel.times, panel.offsets, ids, panel.columns)
    unknown = [name for name in panel.series_ids if name not in ids]
    if unknown:
        raise DataInvalid(
            "predict.unknown_series",
            f"series not seen in training: {', '.join(unknown[:5])}" + (", …" if len(unknown) > 5 else ""),
            where=where,
            hint="leave them out of the file, or train again with them",
        )
    position: Mapping[str, int] = {name: place for place, name in enumerate(panel.series_ids)}
    none = np.empty(0, dtype=np.int64)
    rows = [np.arange(*panel.offsets[position[name] :][:2]) if name in position else none for name in ids]
    order = np.concatenate(rows).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int64)
    return Panel(panel.values[order], panel.observed[order], panel.times[order], offsets, ids, panel.columns)
