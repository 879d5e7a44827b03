"""What a training leaves on disk: the run's files as bytes, its log, its test predictions."""

from __future__ import annotations

import csv
import io
import math
import platform
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lstm_forecast.config import dump_config
from lstm_forecast.data.reader import Table
from lstm_forecast.errors import ForecastError
from lstm_forecast.events import Event, Events
from lstm_forecast.fitting import Plan, Trained
from lstm_forecast.forecasting.trained import Preprocess, pack_context, pack_weights
from lstm_forecast.runs.run import FORMAT_VERSION, Run, write_status
from lstm_forecast.runs.storage import append_line, json_bytes, make_directory, write_atomic
from lstm_forecast.version import __version__

CONTEXT_ROWS = 250  # at least these many rows of each series are kept for pictures
MOST_PREDICTIONS = 1_000_000  # above it, test.csv holds only origins every H steps


@contextmanager
def recorded(run: Run, events: Events, argv: Sequence[str]) -> Iterator[None]:
    """Keeps the run's log and status while the block trains; the log always ends with ``run.end``."""
    reader = _log_reader(run.path / "log.jsonl")
    events.readers.append(reader)
    events.emit("run.start", {"run": run.handle, "argv": list(argv)})
    try:
        yield
    except BaseException as error:
        code = _exit_code(error)
        if isinstance(error, ForecastError) and error.id == "train.diverged":
            events.emit("train.nonfinite", {"message": error.message}, level="error")
        events.emit("run.end", {"run": run.handle, "exit_code": code, "error": repr(error)}, level="error")
        write_status(run, "interrupted" if code == 130 else "failed", exit_code=code)
        raise
    else:
        write_status(run, "complete", exit_code=0)
        events.emit("run.end", {"run": run.handle, "exit_code": 0})
    finally:
        events.readers.remove(reader)


def run_files(
    plan: Plan, trained: Trained, *, argv: Sequence[str], began: datetime, elapsed_s: float
) -> dict[str, bytes]:
    """The files that the manifest lists, by name."""
    table, prepared = plan.table, plan.prepared
    preprocess = Preprocess(
        prepared.panel.series_ids,
        prepared.panel.columns,
        table.time_name,
        table.series_name,
        table.time_format,
        plan.frequency,
        trained.scaling,
    )
    at_least = max(plan.config.window.lookback, CONTEXT_ROWS)
    return {
        "model.safetensors": pack_weights(trained.model),
        "preprocess.json": preprocess.to_bytes(),
        "context.safetensors": pack_context(prepared.panel, prepared.splits, at_least=at_least),
        "metrics.json": json_bytes(metrics_document(plan, trained)),
        "history.csv": history_csv(trained),
        "config.yaml": dump_config(plan.config).encode(),
        "run.json": json_bytes(_run_document(plan, trained, argv, began, elapsed_s)),
    }


def metrics_document(plan: Plan, trained: Trained) -> dict[str, Any]:
    """``metrics.json``: verdict, metrics and the test windows they rest on; numbers in original units."""
    verdict = trained.verdict
    return {
        "verdict": verdict.word,
        "skill": finite(verdict.skill),
        "baseline": verdict.baseline,
        "p_value": finite(verdict.p_value),
        "sentence": verdict.sentence,
        "metrics": {
            name: {key: finite(value) for key, value in row.items()} for name, row in verdict.metrics.items()
        },
        "test": test_document(plan.table, trained),
        "best_epoch": trained.fitted.best_epoch,
        "epochs": trained.fitted.history[-1].epoch,
        "stopped": trained.fitted.stopped,
    }


def test_document(table: Table, trained: Trained) -> dict[str, Any]:
    """Number of test windows and the times of their first and last target's origin."""
    cutoff = trained.test.cutoff
    ends = table.time_format.format(np.array([cutoff.min(), cutoff.max()])) if len(cutoff) else [None, None]
    return {"windows": len(cutoff), "from": ends[0], "to": ends[1]}


def history_csv(trained: Trained) -> bytes:
    """``history.csv``: one line per epoch; losses in the unit of the head, gradient norms per layer."""
    layers = list(trained.fitted.history[-1].layer_norms)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["epoch", "train_loss", "val_loss", "val_score", "lr", "grad_norm"]
    writer.writerow([*names, *(f"grad_norm.{layer}" for layer in layers), "elapsed_s"])
    for epoch in trained.fitted.history:
        numbers = [epoch.train_loss, epoch.val_loss, epoch.val_score, epoch.lr, epoch.grad_norm]
        norms = [epoch.layer_norms.get(layer) for layer in layers]
        cells = ["" if n is None else repr(float(n)) for n in (*numbers, *norms)]
        writer.writerow([epoch.epoch, *cells, f"{epoch.elapsed_s:.3f}"])
    return text.getvalue().encode()


def write_predictions(run: Run, plan: Plan, trained: Trained, events: Events) -> None:
    """``predictions/test.csv``: series, cutoff, step, time, actual, forecast of every test window."""
    test, panel = trained.test, plan.prepared.panel
    count, horizon = test.forecast.shape
    every = horizon if count * horizon > MOST_PREDICTIONS else 1
    if every > 1:
        whole = f"all would be {count * horizon:,} rows"
        events.say([f"predictions/test.csv holds one forecast origin in {every}: {whole}"])
    chosen = np.arange(0, count, every)
    rows = test.windows.start[chosen, None] + plan.config.window.lookback + np.arange(horizon)
    write = plan.table.time_format.format
    cutoffs, times = write(test.cutoff[chosen]), write(panel.times[rows].reshape(-1))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["series", "cutoff", "step", "time", "actual", "forecast"])
    for place, window in enumerate(chosen):
        series = panel.series_ids[int(test.windows.series[window])]
        for step in range(horizon):
            actual, forecast = float(test.actual[window, step]), float(test.forecast[window, step])
            known = "" if math.isnan(actual) else repr(actual)
            writer.writerow(
                [series, cutoffs[place], step + 1, times[place * horizon + step], known, repr(forecast)]
            )
    make_directory(run.path / "predictions")
    write_atomic(run.path / "predictions" / "test.csv", text.getvalue().encode())


def write_rejects(run: Run, plan: Plan) -> None:
    """``rejects.jsonl``: one line per row that ``data.bad_rows: skip`` left out."""
    for reject in plan.table.rejects:
        append_line(run.path / "rejects.jsonl", Event("reject", "warning", reject, 0.0, "").to_line())


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None


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
        "host": socket.gethostname(),
        "argv": list(argv),
        "created": began.astimezone(UTC).isoformat(timespec="seconds"),
        "elapsed_s": round(elapsed_s, 3),
        "seed": plan.config.training.seed,
        "device": trained.device,
        "threads": trained.threads,
        "data": {
            "path": source.path,
            "sha256": source.sha256,
            "size_bytes": source.size_bytes,
            "rows": len(panel.times),
            "series": len(panel),
            "from": ends[0],
            "to": ends[1],
        },
    }


def _log_reader(path: Path) -> Any:
    def write(event: Event) -> None:
        append_line(path, event.to_line())

    return write


def _exit_code(error: BaseException) -> int:
    if isinstance(error, ForecastError):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1
