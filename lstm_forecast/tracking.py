"""The track record: forecasts recorded as they are issued, and judged by the values that arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.files import is_there
from lstm_forecast.data.findings import plural
from lstm_forecast.dated import Forecast, ForecastRow
from lstm_forecast.errors import ForecastError, StorageError, UsageError, nearest
from lstm_forecast.evaluation.live import Score, bins, scores_by
from lstm_forecast.events import Events
from lstm_forecast.latest import Rows, read_for_run
from lstm_forecast.opening import Opened
from lstm_forecast.runs.ledger import NAME, Issue, Record, Recorded, open_ledger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ERRORS, MOST_SHARES = 60, 24  # points of the lines of a picture
LEAST_SHARE = 30  # forecasts behind each point of a share
Array = NDArray[Any]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Tracked:
    """The track record of a name, or of one of its runs.

    Attributes:
        run: the name, or ``name@id``.
        input: file that the actual values were read from; None where there was none to read.
        runs: number of runs that issued the forecasts.
        recorded: number of forecasts.
        missed: those about times at which no value came, though later ones did.
        new: actual values that were stored now.
        revised: actual values that were stored before and differ in the file.
        span: first and last time that was judged, in the input's form; empty where none was.
        due: first time that is waited for; empty where none is.
        score: over all forecasts whose actual value has arrived.
        by_step: the same by step ahead.
        by_month: the same by month of the time forecast, ``2024-06``; empty where times are row numbers.
    """

    run: str
    input: str | None
    runs: int
    recorded: int
    missed: int
    new: int
    revised: int
    span: tuple[str, ...]
    due: str
    score: Score
    by_step: Mapping[int, Score]
    by_month: Mapping[str, Score]

    @property
    def waiting(self) -> int:
        """Forecasts whose actual value may still arrive."""
        return self.recorded - self.score.count - self.missed

    def to_document(self) -> dict[str, Any]:
        """The one JSON document of ``track --json``, without its warnings."""
        counts = {"recorded": self.recorded, "waiting": self.waiting, "missed": self.missed}
        first, last = self.span or (None, None)
        return {
            "run": self.run,
            "input": self.input,
            "runs": self.runs,
            **counts,
            "actuals": {"new": self.new, "revised": self.revised},
            "from": first,
            "to": last,
            "due": self.due or None,
            **self.score.to_document(),
            "by_step": [{"step": step, **score.to_document()} for step, score in self.by_step.items()],
            "by_month": [{"month": month, **score.to_document()} for month, score in self.by_month.items()],
        }


def record(forecast: Forecast, events: Events) -> Recorded:
    """Writes a forecast that was given out into the ledger of its runs folder; a second time changes nothing.

    Rows made from data older than the run was trained with are not recorded: the run has seen what came.

    Raises:
        StorageError: it could not be recorded, for whatever reason; the forecast itself stands.
    """
    rows = [row for row in forecast.rows if row.origin.time >= row.origin.trained]
    if len(rows) < len(forecast.rows):
        events.warn(
            "record.hindsight",
            f"{plural(len(forecast.rows) - len(rows), 'forecast')} not recorded:"
            " the run was trained with later rows",
        )
    path = forecast.runs_dir / NAME
    try:
        with open_ledger(path) as ledger, ledger.change(keep=True):
            done = ledger.record(_issue(forecast, rows))
    except ForecastError as error:
        raise StorageError(
            "record.failed",
            f"the forecast was made, but not recorded: {error.message}",
            where=error.where,
            hint=error.hint,
        ) from error
    if done.different:
        events.warn(
            "record.kept",
            f"{plural(done.different, 'forecast')} of this run as of {forecast.as_of}: recorded before with"
            " other values, which are kept",
        )
    return done


def one_run(reference: str | Path, opened: Opened) -> bool:
    """Whether a reference means one run, as ``name@id`` and a run's path do, and not all runs of a name."""
    return "@" in str(reference) or Path(reference).name == opened.run.id


def track(
    opened: Opened,
    *,
    data: str | None,
    only: bool,
    series: str | None,
    dry_run: bool,
    events: Events,
) -> Tracked:
    """Stores the actual values that arrived and judges every recorded forecast that has one.

    Args:
        opened: a run of the name; the file is read as its was.
        data: CSV with the actual values; None: the recorded file as it is now, if it is there.
        only: whether the forecasts of other runs of the name are left out.
        series: only this series.
        dry_run: whether what is stored is undone at the end.
        events: told of what is read.

    Raises:
        UsageError: nothing was recorded, or not of this series.
        DataInvalid: a column or series does not fit the run.
    """
    name, target = opened.run.name, opened.preprocess.columns[0]
    run_id = opened.run.id if only else None
    path = _ledger_path(opened)
    found = _arrived(opened, data, events)
    with open_ledger(path) as ledger, ledger.change(keep=not dry_run):
        new, revised = 0, 0
        if found is not None:
            values = _actuals(found, ledger.waiting(name, target))
            new, revised = ledger.put_actuals(name, target, values, data_sha256=found.sha256)
        issued = ledger.read(name, target, run_id=run_id, series=series)
        if not len(issued.times):
            raise _nothing(opened, run_id, series, ledger.read(name, target).series)
    return _judged(opened, issued, run_id, None if found is None else found.path, (new, revised))


def track_picture(
    opened: Opened, *, only: bool, series: str | None, form: Literal["png", "svg", "pdf"], events: Events
) -> bytes:
    """The live error beside naive's and the coverage over time, from the ledger alone.

    Raises:
        UsageError: nothing was recorded, or no actual value has arrived.
    """
    from lstm_forecast.reporting.plots import font_notice, render

    notice = font_notice([*opened.preprocess.columns, *opened.preprocess.series_ids, opened.run.name])
    if notice:
        events.warn("plot.font", notice)
    name, target = opened.run.name, opened.preprocess.columns[0]
    run_id = opened.run.id if only else None
    with open_ledger(_ledger_path(opened)) as ledger:
        issued = ledger.read(name, target, run_id=run_id, series=series)
        if not len(issued.times):
            raise _nothing(opened, run_id, series, ledger.read(name, target).series)
    if np.isnan(issued.actual).all():
        raise UsageError(
            "track.waiting",
            "no actual value of a recorded forecast has arrived",
            where="--kind track",
            hint=f"lstm-forecast track {name} --data NEW.csv",
        )
    return render(_figure(opened, issued, run_id), form)


def _issue(forecast: Forecast, rows: list[ForecastRow]) -> Issue:
    """The rows as the ledger takes them."""
    name, _, identity = forecast.run.rpartition("@")
    ends = np.array([row.bounds for row in rows], dtype=np.float64)  # None is NaN
    return Issue(
        name,
        identity,
        forecast.target,
        forecast.sha256,
        series=[row.series for row in rows],
        as_of=np.array([row.origin.time for row in rows], dtype=np.int64),
        steps=np.array([row.step for row in rows], dtype=np.int64),
        times=np.array([row.moment for row in rows], dtype=np.int64),
        forecast=np.array([row.forecast for row in rows]),
        naive=np.array([row.origin.value for row in rows]),
        sources=[row.source for row in rows],
        bounds={
            interval.level: (ends[:, n, 0], ends[:, n, 1])
            for n, interval in enumerate(forecast.intervals)
            if rows
        },
    )


def _ledger_path(opened: Opened) -> Path:
    """The ledger of the runs folder.

    Raises:
        UsageError: nothing was ever recorded there.
    """
    path = opened.run.path.parent.parent / NAME
    if not path.exists():
        raise _nothing(opened, None, None, ())
    return path


def _nothing(opened: Opened, run_id: str | None, series: str | None, known: tuple[str, ...]) -> UsageError:
    name = opened.run.name
    if series is not None and known:
        near = nearest(series, known)
        hint = f"did you mean {near}?" if near else ""
        return UsageError(
            "track.series", f"no forecast of {series!r} was recorded", where="--series", hint=hint
        )
    who = name if run_id is None else f"{name}@{run_id}"
    hint = f"lstm-forecast predict {name} --record"
    return UsageError("track.nothing", f"no forecast of {who} was recorded", where=name, hint=hint)


def _arrived(opened: Opened, data: str | None, events: Events) -> Rows | None:
    """The rows of the given file, or of the recorded one; None where there is none to read."""
    recorded = opened.config.data.path
    if data is None and not is_there(recorded):
        missing = "standard input" if recorded == "-" else recorded
        events.say([f"input: none ({missing} is not there to be read again); the values stored before count"])
        return None
    # new series too: what was forecast of them is recorded under their names
    return read_for_run(opened, data if data is not None else recorded, events, strangers="keep")


def _actuals(found: Rows, waiting: Mapping[str, Labels]) -> dict[str, tuple[Labels, NDArray[np.float64]]]:
    """The observed values at the times that forecasts are about, by series."""
    panel, values = found.panel, {}
    for place, name in enumerate(panel.series_ids):
        rows = panel.rows(place)
        here = panel.observed[rows, 0] & np.isin(panel.times[rows], waiting.get(name, np.empty(0, np.int64)))
        values[name] = (panel.times[rows][here], panel.values[rows, 0][here])
    return values


def _judged(
    opened: Opened, issued: Record, run_id: str | None, path: str | None, stored: tuple[int, int]
) -> Tracked:
    """Counts and scores."""
    arrived = ~np.isnan(issued.actual)
    newest = np.full(len(issued.series), np.iinfo(np.int64).min)
    np.maximum.at(newest, issued.label[arrived], issued.times[arrived])
    missed = ~arrived & (issued.times < newest[issued.label])
    write = opened.preprocess.time_format.format
    ends = [issued.times[arrived].min(), issued.times[arrived].max()] if arrived.any() else []
    coming = issued.times[~arrived & ~missed]
    steps, step_of = np.unique(issued.steps, return_inverse=True)
    months, month_of = _months(opened, issued.times)
    by_month = dict(zip(months, scores_by(issued, month_of, len(months)), strict=True))
    return Tracked(
        run=opened.run.name if run_id is None else opened.run.handle,
        input=path,
        runs=issued.runs,
        recorded=len(issued.times),
        missed=int(missed.sum()),
        new=stored[0],
        revised=stored[1],
        span=tuple(write(np.array(ends, dtype=np.int64))),
        due=write(np.array([coming.min()]))[0] if len(coming) else "",
        score=scores_by(issued, np.zeros(len(issued.times), dtype=np.int64), 1)[0],
        by_step=dict(zip(steps.tolist(), scores_by(issued, step_of, len(steps)), strict=True)),
        by_month={month: score for month, score in by_month.items() if score.count},
    )


def _months(opened: Opened, times: Labels) -> tuple[list[str], Labels]:
    """The months that occur, ``2024-06``, and the number of each row's."""
    if opened.preprocess.frequency.unit == "row":
        return [], np.zeros(len(times), dtype=np.int64)
    shown = opened.preprocess.time_format.clock(times).astype("datetime64[us]")
    months, place = np.unique(shown.astype("datetime64[M]"), return_inverse=True)
    return [str(month) for month in months], place


def _figure(opened: Opened, issued: Record, run_id: str | None) -> Figure:
    """Errors and coverage in stretches of time."""
    from lstm_forecast.reporting.track_plots import Course, plot_track

    arrived = ~np.isnan(issued.actual)
    label = np.zeros(len(issued.times), dtype=np.int64)
    courses = []
    for most, least in ((MOST_ERRORS, 1), (MOST_SHARES, LEAST_SHARE)):
        label[arrived], ends = bins(issued.times[arrived], most=most, least=least)
        dated = opened.preprocess.frequency.unit != "row"
        courses.append(
            (
                opened.preprocess.time_format.clock(ends).astype("datetime64[us]") if dated else ends,
                scores_by(issued, label, len(ends)),
            )
        )
    (error_times, errors), (share_times, shares) = courses
    lines = {"model": [one.mae for one in errors], "naive": [one.naive_mae for one in errors]}
    held = {level: [one.coverage[level] for one in shares] for level in issued.bounds}
    who = opened.run.name if run_id is None else opened.run.handle
    return plot_track(
        Course(error_times, {name: np.array(values) for name, values in lines.items()}),
        Course(share_times, {level: np.array(values) for level, values in held.items()}),
        title=f"{who}: issued forecasts, {int(arrived.sum()):,} judged",
        value_label=opened.preprocess.columns[0],
        time_label=opened.preprocess.time_name,
    )
