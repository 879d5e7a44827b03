"""One job, in a process of its own: decide, train, forecast, write, draw, record."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from lstm_forecast import pipeline, signals, tracking
from lstm_forecast.ages import MostAge, require_fresh_input, require_fresh_run
from lstm_forecast.config import Loaded
from lstm_forecast.dated import Forecast, warn_of_formulas
from lstm_forecast.errors import (
    ArtifactRejected,
    CheckFailed,
    RunMissing,
    StorageError,
    Worse,
    as_known,
)
from lstm_forecast.events import Events
from lstm_forecast.naming import find_reference, run_name
from lstm_forecast.runs.run import Run, current_id, promote, read_json, sorted_runs
from lstm_forecast.runs.storage import require_new, write_new
from lstm_forecast.runs.verifying import came_from, verify_run
from lstm_forecast.scale.combining import packed
from lstm_forecast.scale.jobs import Job
from lstm_forecast.skipping import resolved_config


@dataclass(frozen=True)
class Order:
    """What is the same for every job of a batch.

    Attributes:
        argv: the command line, for the record of a run.
        fail_on: ids of warnings that are errors.
        rows: whether the forecast goes back to the batch, for its one table.
        dry_run: whether is only said what would be done.
        one_thread: whether several jobs run at once, so that each computes in one thread.
    """

    argv: tuple[str, ...]
    fail_on: tuple[str, ...]
    rows: bool
    dry_run: bool
    one_thread: bool


@dataclass
class Done:
    """What became of a job; the fields of its line in the summary.

    Attributes:
        done: ``trained``, ``forecast``, ``already done``, ``failed``; ``would train``, ``would forecast``.
        written: files that are new or changed.
        forecast: the rows for the one table of the batch.
    """

    done: str = "failed"
    code: int = 0
    error: str | None = None
    message: str = ""
    hint: str = ""
    run: str | None = None
    verdict: str | None = None
    skill: float | None = None
    written: list[str] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    forecast: dict[str, Any] | None = None


def order_text(order: Order, job: Job, folder: Path) -> str:
    """The task of one process, for :func:`work`."""
    return json.dumps({"order": vars(order), "job": job.to_text(), "folder": str(folder)})


def work(text: str) -> str:
    """Does a job, from the text of :func:`order_text` to the JSON of a :class:`Done`; never raises."""
    given = json.loads(text)
    fields = {**given["order"], "argv": tuple(given["order"]["argv"])}
    order = Order(**{**fields, "fail_on": tuple(fields["fail_on"])})
    done = Done()
    job, folder = Job.from_text(given["job"]), Path(given["folder"])
    try:
        _do(job, folder, order, done)
    except (signals.Stopped, KeyboardInterrupt) as stopped:
        signals.leave()
        code = stopped.code if isinstance(stopped, signals.Stopped) else 130
        done.done, done.code, done.error = "interrupted", int(code or 1), "batch.interrupted"
        done.message = "was stopped; the next batch goes on where it was"
    except Exception as error:  # noqa: BLE001 - one bad job never stops the others
        _fail(done, error, job)
    return json.dumps(vars(done))


def _fail(done: Done, error: Exception, job: Job) -> None:
    """Writes down why a job failed; of a bug the traceback goes to the job's log."""
    known = as_known(error)
    done.done = "failed"
    if known is None:
        traceback.print_exc()
        done.code, done.error, done.message = 1, "internal", f"a bug: {type(error).__name__}: {error}"
    else:
        place = f"{known.where}: " if known.where else ""
        done.code, done.error, done.hint = known.code, known.id, known.hint
        done.message = place + known.message
    if job.output is not None and not done.written and Path(job.output).exists():
        done.message += f"; {job.output} is as it was"


def _do(job: Job, folder: Path, order: Order, done: Done) -> None:
    if order.one_thread:
        import torch

        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"  # training.threads: auto goes by it
    for path in (job.output, job.plot):
        if path is not None:
            require_new(Path(path), overwrite=True)
    loaded = job.load()
    training = must_train(job, loaded, folder)
    if not training:
        done.run = find_reference(run_name(loaded), folder).handle
    if order.dry_run:
        done.done = "would train" if training else "would forecast"
        return
    if training:
        _train(loaded, folder, order, done)
    name = run_name(loaded)
    if job.output is not None or order.rows:
        _forecast(job, name, folder, order, done)
    if job.plot is not None:
        _plot(job, name, folder, order, done)
    if training:
        done.done = "trained"
    else:
        done.done = "forecast" if done.written or order.rows else "already done"


def must_train(job: Job, loaded: Loaded, folder: Path) -> bool:
    """Whether the job trains now: what ``retrain`` says of its newest whole run.

    A run that lost against the best simple baseline is not current, and counts all the same: the same input
    and the same configuration would only lose again.

    Raises:
        ForecastError: what ``train`` would raise before its first epoch; the input is too old.
    """
    if job.retrain == "never":
        return False
    found = pipeline.plan(loaded, runs_dir=folder)
    if job.most_input_s is not None:
        newest, form = int(found.table.times.max()), found.table.time_format
        now, where = datetime.now(UTC), found.table.source.path
        most_s, remedy = job.most_input_s, "max_input_age: 30d in the jobs file, or --max-input-age 30d"
        require_fresh_input(newest, form, most_s=most_s, now=now, where=where, remedy=remedy)
    if job.retrain == "always":
        return True
    name = run_name(loaded)
    last = next((run for run in sorted_runs(folder / name) if run.complete), None)
    current = current_id(folder / name)
    if last is None or current is None or (current != last.id and verify_run(Run(folder / name / current))):
        return True
    if job.retrain == "max_age" and _older(last, job.most_model_s):
        return True
    sha256 = None if job.retrain == "max_age" else found.table.source.sha256
    return not came_from(last, resolved_config(found, name), data_sha256=sha256)


def _older(run: Run, most_s: float | None) -> bool:
    try:
        about = read_json(run, "run.json")
        require_fresh_run(about, most_s=most_s, now=datetime.now(UTC), where=str(run.path))
    except (RunMissing, ArtifactRejected):
        return True
    return False


def _train(loaded: Loaded, folder: Path, order: Order, done: Done) -> None:
    """Trains, or goes on with what was interrupted; a first run is current even where it lost.

    Raises:
        Worse: ``evaluation.fail_if_worse`` is set, and the model is.
    """
    events = Events()
    result = pipeline.train(loaded, runs_dir=folder, events=events, argv=order.argv, resume="newest")
    done.run, done.verdict = result.run.handle, result.verdict.word
    done.skill = result.verdict.skill
    if result.failed:
        raise Worse("verdict.worse", result.verdict.sentence, where=str(result.run.path))
    if not result.current and current_id(result.run.path.parent) is None:
        promote(result.run)
        events.warn("batch.first_run", f"{result.run.name} had no run: this one is current, though it lost")
    _take_warnings(done, events, order.fail_on)


def _forecast(job: Job, name: str, folder: Path, order: Order, done: Done) -> None:
    """Forecasts, writes what changed, and records what was given out."""
    events = Events()
    forecast = pipeline.predict(
        name,
        runs_dir=folder,
        horizon=job.horizon,
        levels=job.levels,
        most_age=MostAge(input_s=job.most_input_s),
        events=events,
    )
    as_json = job.output is not None and Path(job.output).suffix.lower() == ".json"
    if job.output is not None and not as_json and not job.excel:
        warn_of_formulas(forecast, events)
    warnings = [{"id": id, "message": message} for id, message in events.warnings]
    _take_warnings(done, events, order.fail_on)
    done.run = forecast.run
    if order.rows:
        done.forecast = packed(forecast)
    if job.output is None:
        return
    text = forecast.to_json(warnings) if as_json else forecast.to_csv(excel=job.excel)
    if write_changed(Path(job.output), text.encode()):
        done.written.append(job.output)
    done.warnings += recorded(forecast)


def recorded(forecast: Forecast) -> list[tuple[str, str]]:
    """Writes a forecast that was given out into the ledger; what went wrong there are warnings."""
    events = Events()
    try:
        tracking.record(forecast, events)
    except StorageError as error:
        events.warn(error.id, error.message)
    return events.warnings


def _plot(job: Job, name: str, folder: Path, order: Order, done: Done) -> None:
    events, path = Events(), Path(cast(str, job.plot))
    form = cast(Any, path.suffix.lower().removeprefix("."))
    data = pipeline.plot(name, cast(Any, job.kind), form=form, runs_dir=folder, events=events)
    _take_warnings(done, events, order.fail_on)
    if write_changed(path, data):
        done.written.append(str(path))


def write_changed(path: Path, data: bytes) -> bool:
    """Replaces a file, unless it holds these bytes already; gives whether it was written.

    Raises:
        ForecastError: it cannot be written; the old file is untouched.
    """
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
    except OSError:
        pass
    write_new(path, data, overwrite=True)
    return True


def _take_warnings(done: Done, events: Events, fail_on: Sequence[str]) -> None:
    """Adds to the warnings of the job.

    Raises:
        CheckFailed: one of them was to be an error.
    """
    done.warnings += [warning for warning in events.warnings if warning not in done.warnings]
    for id, message in events.warnings:
        if id in fail_on:
            raise CheckFailed(id, message, hint=f"asked for by --fail-on-warning {id}")
