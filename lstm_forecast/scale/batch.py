"""The verb ``batch``: one lock, every job in a process of its own, one summary."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lstm_forecast import signals
from lstm_forecast.errors import Busy, ForecastError
from lstm_forecast.events import Events
from lstm_forecast.runs.run import name_from
from lstm_forecast.runs.storage import held_lock, json_bytes, require_new, sha256_of, write_new
from lstm_forecast.scale.executors import Ending, Task, run_tasks
from lstm_forecast.scale.jobs import Batch, Job
from lstm_forecast.scale.records import close_record, new_record

PRELOAD = "lstm_forecast.scale.warm"
MEMORY = "less memory: fewer --jobs, a smaller training.batch_size or model.hidden_size"
GOOD = ("trained", "forecast", "already done", "would train", "would forecast")
Row = dict[str, Any]


@dataclass(frozen=True)
class Terms:
    """How a batch is run.

    Attributes:
        workers: jobs at once.
        timeout_s: how long one may take; None has no limit.
        wait_s: how long another batch of the same jobs is waited for.
        most_input_s: age of the newest row above which every job refuses; None as each says.
        fail_on: ids of warnings that are errors.
        summary: file of the summary; None: in the batch's own folder.
        dry_run: whether is only said what would be done.
        argv: the command line, for the record of a run.
    """

    workers: int = 1
    timeout_s: float | None = None
    wait_s: float = 0.0
    most_input_s: float | None = None
    fail_on: tuple[str, ...] = ()
    summary: Path | None = None
    dry_run: bool = False
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What became of a batch.

    Attributes:
        rows: one per job, as in the JSON document.
        code: exit code of all.
        signal: number of the signal that stopped it; None where none did.
        summary: file that holds the same; None after a dry run.
        combined: the one table, where it goes to stdout.
        elapsed_s: wall time.
    """

    rows: tuple[Row, ...]
    code: int
    signal: int | None
    summary: Path | None
    combined: str | None
    elapsed_s: float

    @property
    def failed(self) -> list[Row]:
        """The rows of the jobs that did not succeed, in the order of the batch."""
        return [row for row in self.rows if row["code"] != 0]

    def to_document(self) -> dict[str, Any]:
        """The one JSON document of ``batch --json``."""
        counts = {word: sum(row["done"] == word for row in self.rows) for word in GOOD[:3]}
        summary = {
            "jobs": len(self.rows),
            **{word.replace(" ", "_"): count for word, count in counts.items()},
            "failed": len(self.failed),
            "exit_code": self.code,
            "elapsed_s": round(self.elapsed_s, 3),
            "path": None if self.summary is None else str(self.summary),
        }
        warnings = [
            {"id": w["id"], "message": f"{row['name']}: {w['message']}"}
            for row in self.rows
            for w in row["warnings"]
        ]
        return {"jobs": list(self.rows), "summary": summary, "warnings": warnings}


def run_batch(batch: Batch, terms: Terms, events: Events) -> Report:
    """Runs every job; a bad one never stops the others.

    Raises:
        Busy: another batch of the same jobs runs.
        StorageError: the runs folder or the place of an output cannot be written; nothing was run.
    """
    began = time.monotonic()
    combined = None if batch.combined in (None, "-") else Path(str(batch.combined))
    for path in (terms.summary, combined):
        if path is not None:
            require_new(path, overwrite=True)
    with signals.caught(lambda name: events.emit("signal", {"signal": name}, level="warning")):
        if terms.dry_run:
            return _run(batch, terms, events, record=None, began=began)
        with _only_one(batch, terms, events):
            record = new_record(batch.folders[0])
            try:
                return _run(batch, terms, events, record=record, began=began)
            finally:
                close_record(record)


def _run(batch: Batch, terms: Terms, events: Events, *, record: Path | None, began: float) -> Report:
    """The jobs, then what they come to."""
    rows = [_unstarted(job) for job in batch.jobs]
    forecasts: dict[int, dict[str, Any]] = {}

    def ended(number: int, ending: Ending) -> None:
        answer = _answer(ending, terms)
        if answer.get("forecast") is not None:
            forecasts[number] = answer.pop("forecast")
        rows[number] = _row(batch.jobs[number], answer, ending.elapsed_s)
        _tell(events, rows[number])

    stopped = _work(batch, terms, record, ended)
    with signals.deferred():  # a signal now would lose the summary of what was done
        return _summed_up(batch, terms, rows, forecasts, stopped=stopped, record=record, began=began)


def _summed_up(
    batch: Batch,
    terms: Terms,
    rows: list[Row],
    forecasts: dict[int, dict[str, Any]],
    *,
    stopped: int | None,
    record: Path | None,
    began: float,
) -> Report:
    """The table of all forecasts and the summary, written."""
    for row in rows:
        if row["done"] in ("not started", "interrupted") and stopped is not None:
            row["code"] = 128 + stopped
    text = None
    if batch.combined is not None and forecasts and not terms.dry_run and stopped is None:
        text = _combine(batch, rows, forecasts)
    summary = None if record is None else terms.summary or record / "summary.json"
    code = 128 + stopped if stopped is not None else exit_code(rows)
    report = Report(tuple(rows), code, stopped, summary, text, time.monotonic() - began)
    if summary is not None:
        write_new(summary, json_bytes(report.to_document()), overwrite=True)
    return report


def _work(batch: Batch, terms: Terms, record: Path | None, ended: Any) -> int | None:
    """Runs the jobs that have an input; gives the signal that stopped them, else None."""
    from lstm_forecast.scale.work import Order, order_text, work

    several = terms.workers > 1
    order = Order(terms.argv, terms.fail_on, batch.combined is not None, terms.dry_run, several)
    numbers, tasks = [], []
    for number, (job, folder) in enumerate(zip(batch.jobs, batch.folders, strict=True)):
        if job.missing:
            ended(number, Ending(_nothing_fits(job), 0, timed_out=False, stopped=False, elapsed_s=0.0))
            continue
        asked = job if terms.most_input_s is None else replace(job, most_input_s=terms.most_input_s)
        log = Path(os.devnull) if record is None else record / f"{name_from(job.name)}.log"
        numbers.append(number)
        tasks.append(Task(job.name, order_text(order, asked, folder), log))
    return run_tasks(
        tasks,
        work,
        preload=PRELOAD,
        workers=terms.workers,
        timeout_s=terms.timeout_s,
        on_end=lambda number, ending: ended(numbers[number], ending),
    )


@contextmanager
def _only_one(batch: Batch, terms: Terms, events: Events) -> Iterator[None]:
    """Holds the lock of these jobs.

    Raises:
        Busy: another batch holds it.
    """
    source = Path(batch.source)
    digest = sha256_of(str(source.resolve() if source.exists() else source).encode())[:12]
    path = batch.folders[0] / ".locks" / f".batch-{name_from(source.stem)[:40]}-{digest}.lock"

    def waiting(holder: str) -> None:
        events.emit("lock.wait", {"name": batch.source, "holder": holder, "wait_s": terms.wait_s})

    entered = False
    try:
        with held_lock(path, timeout_s=terms.wait_s, on_wait=waiting):
            entered = True
            yield
    except Busy as error:
        if entered:
            raise
        message = f"another batch of these jobs runs: {error.message}"
        hint = "try again later; --wait 30m waits"
        raise Busy("batch.locked", message, where=batch.source, hint=hint) from None


def _answer(ending: Ending, terms: Terms) -> Row:
    """What the process said, or what its end says."""
    answer: Row = {} if ending.text is None else json.loads(ending.text)
    if ending.timed_out and answer.get("code", 143) == 143:
        message = f"took longer than {terms.timeout_s:g} s and was stopped"
        hint = "a larger --timeout; the next batch goes on where it was"
        return {**answer, "done": "failed", "code": 143, "error": "batch.timeout", "message": message} | {
            "hint": hint
        }
    if ending.text is not None:
        return answer
    if ending.stopped:
        return {"done": "interrupted", "code": 143, "error": "batch.interrupted", "message": "was stopped"}
    if ending.exit_code is None:
        message = "no process could be started for it"
        return _failure(16, "resource.process", message, "fewer --jobs, or look at the limits of this user")
    if ending.exit_code == 1:
        return _failure(1, "internal", "a bug; the traceback is in the log", "")
    number = -ending.exit_code
    known = number in list(signal.Signals)
    how = f"by {signal.Signals(number).name}" if known else "from outside"
    hint = f"the system ends what needs too much memory; {MEMORY}" if number == 9 else MEMORY
    return _failure(16, "resource.killed", f"its process was ended {how}", hint)


def _failure(code: int, error: str, message: str, hint: str) -> Row:
    return {"done": "failed", "code": code, "error": error, "message": message, "hint": hint}


def _nothing_fits(job: Job) -> str:
    """The answer of a job whose pattern no file fits."""
    place = f"{job.where}: " if job.where != job.missing else ""
    message = f"{place}no file fits {job.missing}"
    return json.dumps(_failure(10, "data.not_found", message, "look at the folder, or at the pattern"))


def _unstarted(job: Job) -> Row:
    answer = {"done": "not started", "code": 143, "error": "batch.interrupted"}
    return _row(job, answer | {"message": "the batch was stopped before"}, 0.0)


def _row(job: Job, answer: Row, elapsed_s: float) -> Row:
    """A job's line in the summary."""
    return {
        "name": job.name,
        "code": answer["code"],
        "error": answer.get("error"),
        "run": answer.get("run"),
        "output": job.output,
        "elapsed_s": round(elapsed_s, 3),
        "done": answer["done"],
        "message": answer.get("message", ""),
        "hint": answer.get("hint", ""),
        "verdict": answer.get("verdict"),
        "skill": answer.get("skill"),
        "written": answer.get("written", []),
        "warnings": [{"id": id, "message": text} for id, text in answer.get("warnings", [])],
    }


def _tell(events: Events, row: Row) -> None:
    fields = {key: row[key] for key in ("name", "done", "code", "error", "message", "hint", "run")}
    fields |= {key: row[key] for key in ("verdict", "skill", "output", "elapsed_s")}
    events.emit("batch.item", fields, level="error" if row["code"] else "info")


def _combine(batch: Batch, rows: list[Row], forecasts: dict[int, dict[str, Any]]) -> str | None:
    """Writes the one table of all forecasts, then records them; gives its text where it goes to stdout.

    What goes to stdout is not recorded: whether anybody received it is not known here.
    """
    from lstm_forecast.scale.combining import combined_csv, unpacked
    from lstm_forecast.scale.work import recorded, write_changed

    good = {number: unpacked(forecasts[number]) for number in sorted(forecasts) if not rows[number]["code"]}
    if not good:
        return None
    tables = {batch.jobs[number].name: forecast for number, forecast in good.items()}
    text = combined_csv(tables, excel=batch.excel)
    if batch.combined == "-":
        return text
    output = str(batch.combined)
    try:
        changed = write_changed(Path(output), text.encode())
    except ForecastError as error:
        for number in good:
            place = f"{error.where}: {error.message}"
            rows[number] |= _failure(error.code, error.id, place, error.hint)
        return None
    for number, forecast in good.items():
        row = rows[number]
        row["output"] = output
        if changed:
            row["written"] = [output]
        elif row["done"] == "forecast":
            row["done"] = "already done"
        row["warnings"] += [{"id": id, "message": message} for id, message in recorded(forecast)]
    return None


def exit_code(rows: Sequence[Row]) -> int:
    """0 where all succeeded, 3 where some did, else the code of all, or of the first where they differ."""
    codes = [row["code"] for row in rows]
    bad = [code for code in codes if code]
    if not bad:
        return 0
    return 3 if len(bad) < len(codes) else int(bad[0])
