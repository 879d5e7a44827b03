"""What a training leaves on disk: the run's files as bytes, its log, its test predictions."""

from __future__ import annotations

import csv
import io
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_forecast.config import dump_config
from lstm_forecast.data.findings import plural
from lstm_forecast.data.reader import Table
from lstm_forecast.documents import intervals_document, parts_document, tidy_csv, verdict_document
from lstm_forecast.errors import ForecastError, StorageError, as_known, trace_of
from lstm_forecast.evaluation.held_out import HeldOut
from lstm_forecast.events import Event, Events, Reader
from lstm_forecast.fitting import Plan
from lstm_forecast.forecasting.baselines import FROM_THE_BEGINNING
from lstm_forecast.forecasting.trained import Preprocess, pack_context, pack_weights
from lstm_forecast.judging import Trained
from lstm_forecast.networks import kernel_of
from lstm_forecast.redaction import redacted_words
from lstm_forecast.room import MOST_PREDICTIONS
from lstm_forecast.runs.pruning import Keep, prune
from lstm_forecast.runs.run import FORMAT_VERSION, Run, write_status
from lstm_forecast.runs.storage import append_line, json_bytes, make_subdirectory, write_atomic
from lstm_forecast.signals import Stopped, leave
from lstm_forecast.version import __version__

if TYPE_CHECKING:
    from lstm_forecast.training.loop import Fitted

CONTEXT_ROWS = 250  # at least these many rows of each series are kept for pictures


@dataclass
class Outcome:
    """How a recorded block ends when it does not fail; the block may set the code."""

    exit_code: int = 0


@contextmanager
def recorded(run: Run, events: Events, argv: Sequence[str]) -> Iterator[Outcome]:
    """Keeps the run's log and status while the block trains; the log always ends with ``run.end``."""
    reader, outcome, began = _log_reader(run.path / "log.jsonl"), Outcome(), time.monotonic()
    past, events.run = events.taken_past(), run.handle
    events.readers.append(reader)
    try:
        events.emit("run.start", {"argv": redacted_words(argv)})
        for event in past:  # what was found in the input belongs into the log too
            reader(replace(event, run=run.handle))
        yield outcome
        write_status(run, "complete", exit_code=outcome.exit_code)
        elapsed_s = round(time.monotonic() - began, 3)
        events.emit("run.end", {"exit_code": outcome.exit_code, "elapsed_s": elapsed_s})
    except BaseException as error:
        leave()
        known = as_known(error)
        _say_failed(run, events, error, elapsed_s=round(time.monotonic() - began, 3))
        if known is not None and known is not error:
            raise known from error
        raise
    finally:
        events.readers.remove(reader)
        events.run = None


def _say_failed(run: Run, events: Events, error: BaseException, *, elapsed_s: float) -> None:
    """The last lines of a log, and the status; what cannot be written hides no reason."""
    known = as_known(error)
    shown = known if known is not None else ForecastError(type(error).__name__, str(error))
    details = [*shown.details, *(trace_of(error) if known is None and isinstance(error, Exception) else ())]
    code = _exit_code(error)
    fields = {"exit_code": code, "elapsed_s": elapsed_s, "error": shown.id, "message": shown.message}
    fields |= {"where": shown.where, "details": details, "hint": shown.hint}
    with suppress(StorageError):
        if code > 128 and (run.path / "checkpoints" / "LAST").is_file():
            events.say(["to go on where it stopped: repeat the command with --resume"])
        if shown.id == "train.diverged":
            events.emit("train.nonfinite", {"message": shown.message}, level="error")
    with suppress(StorageError):
        write_status(run, "interrupted" if code > 128 else "failed", exit_code=code)
    with suppress(StorageError):
        events.emit("run.end", fields, level="error")


def run_files(
    plan: Plan,
    trained: Trained,
    *,
    argv: Sequence[str],
    began: datetime,
    elapsed_s: float,
    champion: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """The files that the manifest lists, by name; ``champion`` is how the run did against the current one."""
    table, prepared = plan.table, plan.prepared
    final, tested = trained.final.scaling, trained.learned.forecaster.scaling
    preprocess = Preprocess(
        prepared.panel.series_ids,
        prepared.panel.columns,
        table.time_name,
        table.series_name,
        table.time_format,
        plan.frequency,
        plan.config.data.season or 1,
        final,
        tested if trained.refitted else None,
        prepared.holidays,
    )
    held_out = trained.learned.forecaster.networks if trained.refitted else ()
    calibration = trained.judged.calibration
    scores = calibration.to_arrays() if calibration is not None else {}
    at_least = max(plan.config.window.lookback, plan.config.data.season or 1, CONTEXT_ROWS)
    if trained.issued in FROM_THE_BEGINNING:
        at_least = len(prepared.panel.times)
    return {
        "model.safetensors": pack_weights(trained.final.networks, held_out),
        "preprocess.json": preprocess.to_bytes(),
        "context.safetensors": pack_context(
            prepared.panel, prepared.splits, scores, at_least=at_least, ahead=table.ahead
        ),
        "metrics.json": json_bytes({**metrics_document(plan, trained), "champion": champion}),
        "history.csv": history_csv(trained.learned.courses),
        "config.yaml": dump_config(plan.config).encode(),
        "run.json": json_bytes(_run_document(plan, trained, argv, began, elapsed_s)),
    }


def metrics_document(plan: Plan, trained: Trained) -> dict[str, Any]:
    """``metrics.json``: verdict, metrics and the test windows they rest on; numbers in original units."""
    judged, courses = trained.judged, trained.learned.courses
    scaling = trained.learned.forecaster.scaling
    parts = parts_document(judged.test, scaling, plan.prepared.panel.series_ids) if len(judged.test) else {}
    calibration = judged.calibration
    return {
        **verdict_document(judged.verdict),
        "test": test_document(plan.table, judged.test),
        "intervals": intervals_document(judged.test, judged.bounds),
        **parts,
        "network": bool(courses),
        "gate": judged.gate.to_document() if judged.gate else None,
        "refitted": trained.refitted,
        "best_epoch": courses[0].best_epoch if courses else 0,
        "best_epochs": [course.best_epoch for course in courses],
        "epochs": courses[0].history[-1].epoch if courses else 0,
        "stopped": courses[0].stopped if courses else "too_short",
        "calibration": None if calibration is None else calibration.to_json(),
    }


def test_document(table: Table, test: HeldOut) -> dict[str, Any]:
    """Number of test windows and the times of their first and last origin."""
    ends: list[str] | list[None] = [None, None]
    if len(test):
        ends = table.time_format.format(np.array([test.origins.min(), test.origins.max()]))
    return {"windows": len(test), "from": ends[0], "to": ends[1]}


def history_csv(courses: Sequence[Fitted]) -> bytes:
    """``history.csv``: a line per network and epoch; losses in the head's unit, gradient norms per layer."""
    layers = list(courses[0].history[-1].layer_norms) if courses else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["network", "epoch", "train_loss", "val_loss", "val_score", "lr", "grad_norm"]
    writer.writerow([*names, *(f"grad_norm.{layer}" for layer in layers), "elapsed_s"])
    for number, course in enumerate(courses, start=1):
        for epoch in course.history:
            numbers = [epoch.train_loss, epoch.val_loss, epoch.val_score, epoch.lr, epoch.grad_norm]
            norms = [epoch.layer_norms.get(layer) for layer in layers]
            cells = ["" if n is None else repr(float(n)) for n in (*numbers, *norms)]
            writer.writerow([number, epoch.epoch, *cells, f"{epoch.elapsed_s:.3f}"])
    return text.getvalue().encode()


def write_predictions(run: Run, plan: Plan, trained: Trained, events: Events) -> None:
    """``predictions/test.csv``: every test forecast beside what came, the baselines' and the bounds.

    The column ``forecast`` is what ``predict`` would have given; where that is a baseline's, ``model`` is the
    network's.
    """
    test, bounds = trained.judged.test, trained.judged.bounds
    count, horizon = test.forecast.shape
    if count * horizon > MOST_PREDICTIONS:
        whole = f"all would be {count * horizon:,} rows"
        events.say([f"predictions/test.csv holds one forecast origin in {horizon}: {whole}"])
        chosen = np.arange(0, count, horizon)
        test = test.part(chosen)
        bounds = {level: (low[chosen], up[chosen]) for level, (low, up) in bounds.items()}
    pieces = tidy_csv(test, bounds, plan.prepared.panel, plan.table.time_format)
    make_subdirectory(run.path / "predictions")
    write_atomic(run.path / "predictions" / "test.csv", pieces)


def write_rejects(run: Run, plan: Plan) -> None:
    """``rejects.jsonl``: one line per row or series left out by ``data.bad_rows`` or ``data.bad_series``."""
    for reject in plan.table.rejects:
        append_line(run.path / "rejects.jsonl", Event("reject", "warning", reject, 0.0, "").to_line())


def remove_older(run: Run, keep: int | None, events: Events) -> None:
    """Leaves only the newest ``keep`` complete runs of the name, beside the current and the pinned ones.

    The caller holds the lock of the name. A run that cannot be removed is a warning: the training is done.
    """
    if keep is None:
        return
    try:
        found = prune(run.path.parent, Keep(keep, 0, 0.0), now=datetime.now(UTC), dry_run=False)
    except StorageError as error:
        events.warn("runs.not_pruned", f"older runs of {run.name} were not removed: {error.message}")
        return
    gone = [item for item in found if not item.why]
    if gone:
        events.say([f"removed {plural(len(gone), 'older run')} of {run.name} (run.keep: {keep})"])


def _run_document(
    plan: Plan, trained: Trained, argv: Sequence[str], began: datetime, elapsed_s: float
) -> dict[str, Any]:
    import torch

    source, panel = plan.table.source, plan.prepared.panel
    ends = plan.table.time_format.format(np.array([panel.times.min(), panel.times.max()]))
    return {
        "format_version": FORMAT_VERSION,
        "lstm_forecast": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "host": platform.node(),
        "argv": redacted_words(argv),
        "created": began.astimezone(UTC).isoformat(timespec="seconds"),
        "elapsed_s": round(elapsed_s, 3),
        **({"from": plan.start.run, "from_seen": plan.start.seen} if plan.start else {"from": None}),
        "chosen": list(plan.chosen),
        "seed": plan.config.training.seed,
        "device": trained.device,
        "threads": trained.threads,
        "kernel": kernel_of(plan.config, trained.device),
        "data": {
            "path": source.path,
            "sha256": source.sha256,
            "size_bytes": source.size_bytes,
            "files": source.files,
            "rows": len(panel.times),
            "series": len(panel),
            "from": ends[0],
            "to": ends[1],
        },
    }


def _log_reader(path: Path) -> Reader:
    def write(event: Event) -> None:
        append_line(path, event.to_line())

    return write


def _exit_code(error: BaseException) -> int:
    known = as_known(error)
    if known is not None:
        return known.code
    if isinstance(error, Stopped):
        return int(error.code or 1)
    if isinstance(error, OSError):  # as the command line has it
        return StorageError.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1
