"""Streams: results to stdout, everything else to stderr; progress only where somebody watches."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from lstm_forecast.errors import CheckFailed, ConfigError, ForecastError, StorageError, trace_of, visible
from lstm_forecast.events import Event, Events, Fields
from lstm_forecast.redaction import redacted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY_S = 30.0  # at most one line per so many seconds where nobody watches


def put(text: str) -> None:
    """Writes a result to stdout and makes sure that it arrived.

    Raises:
        StorageError: stdout is closed or full; Python alone would lose the text and exit with 0.
        SystemExit: 141, the reader of a pipe has gone.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        raise SystemExit(141) from None
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> StorageError:
    """Why stdout could not be written; what was left to write is dropped."""
    _drop(sys.stdout)
    closed = error.errno == errno.EBADF
    reason = "is closed" if closed else f"cannot be written: {error.strerror}"
    hint = "" if closed else "free some space, or write elsewhere"
    return StorageError("storage.stdout", f"standard output {reason}", hint=hint, errno=error.errno or 0)


def put_json(document: object) -> None:
    """Writes the one JSON document of a command."""
    put(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1, default=str) + "\n")


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person looks at this stream; a variable such as FORCE_COLOR does not make one."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def can_ask() -> bool:
    """Whether there is a person who sees a question and can answer it."""
    return all(is_terminal(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))


def ask(question: str, *, found: str = "") -> str:
    """What the person at the terminal types; Enter alone takes what was found.

    Raises:
        KeyboardInterrupt: Ctrl-C, or Ctrl-D: there is no answer.
    """
    sys.stderr.write(visible(f"{question} [{found}]: " if found else f"{question}: "))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        _say("")
        raise KeyboardInterrupt
    return line.strip() or found


def prepare_streams() -> None:
    """Plain UTF-8 into files and pipes; on a terminal of another encoding, signs it lacks are spelled out.

    A closed stdout is replaced by one that refuses to be written: Python alone would lose the text without
    a word, and the next file opened would take its place.
    """
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stdin is not None and hasattr(sys.stdin, "reconfigure") and sys.stdin.isatty():
        sys.stdin.reconfigure(errors="surrogateescape")  # what is typed may be no text; it is then no name
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            if stream.isatty():
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")


@contextmanager
def listening(*, quiet: bool, log_format: str) -> Iterator[Events]:
    """Events that are shown on stderr while the block runs, in the form the user asked for."""
    if log_format == "json":
        yield Events([_json_reader])
    elif quiet:
        yield Events()
    else:
        watcher = _Watcher()
        try:
            yield Events([watcher.read])
        finally:
            watcher.stop()


def finish(events: Events, fail_on: Sequence[str] | None) -> None:
    """Turns warnings that the user named into an error.

    Raises:
        CheckFailed: with the first of them.
    """
    for id, message in events.warnings:
        if id in (fail_on or ()):
            raise CheckFailed(id, message, hint=f"asked for by --fail-on-warning {id}")


def warning_list(events: Events) -> list[dict[str, str]]:
    """The warnings as they stand in every JSON result."""
    return [{"id": id, "message": message} for id, message in events.warnings]


def show_error(error: ForecastError, *, as_json: bool) -> None:
    """Prints an error on stderr: in the common form, or as one event per problem."""
    if not as_json:
        _say(redacted(str(error)))
        return
    problems = error.problems if isinstance(error, ConfigError) else [error]
    for problem in problems:
        details = list(problem.details) if isinstance(problem, ForecastError) else []
        _tell_error(problem.id, problem.message, problem.where, details, problem.hint, code=error.code)


def show_bug(error: Exception, *, as_json: bool) -> None:
    """Prints where the program broke: files, lines and the message, never the values of variables."""
    if as_json:
        _tell_error("internal", f"{type(error).__name__}: {error}", "", trace_of(error), "", code=1)
    else:
        _say(redacted("".join(traceback.format_exception(error)).rstrip()))


def show_interrupted(*, as_json: bool) -> None:
    """Prints that Ctrl-C ended the program."""
    if as_json:
        _tell_error("interrupted", "stopped by Ctrl-C", "", [], "", code=130)
    else:
        _say("interrupted")


def tell_warnings() -> None:
    """Python's own warnings become events from now on: they would be lines that are no JSON."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: IO[str] | None = None,
        line: str | None = None,
    ) -> None:
        del file, line
        text = f"{category.__name__}: {message} ({filename}:{lineno})"
        Events([_json_reader]).emit("warning", {"id": "python", "message": text}, level="warning")

    warnings.showwarning = show


def _tell_error(id: str, message: str, where: str, details: Sequence[str], hint: str, *, code: int) -> None:
    fields: dict[str, Any] = {"id": id, "message": message, "where": where, "details": list(details)}
    Events([_json_reader]).emit("error", fields | {"hint": hint, "exit_code": code}, level="error")


def item_line(fields: Fields) -> str:
    """A job of a batch in one line: what became of it, or why it failed and what to type."""
    name, seconds = fields["name"], f"{fields['elapsed_s']:.1f} s"
    if not fields["code"]:
        return f"{name}: {fields['done']}, {seconds}"
    hint = f" ({fields['hint']})" if fields["hint"] else ""
    return f"{name}: {fields['done']}, error[{fields['error']}]: {fields['message']}{hint}"


def _json_reader(event: Event) -> None:
    _say(event.to_line())


def _say(text: str) -> None:
    """Writes to stderr; if nobody can be told, result and exit code still speak."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place that speaks to people
    except OSError:
        with suppress(OSError):  # what is left to write would fail again at exit, with a code of its own
            _drop(sys.stderr)


def _drop(stream: IO[str]) -> None:
    """Points a stream at nothing, so that the interpreter does not fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Watcher:
    """Shows events to a person: a progress bar on a terminal, now and then a line elsewhere."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = time.monotonic()
        self._show: dict[str, Callable[[Event], None]] = {
            "account": self._account,
            "warning": self._warning,
            "epoch.end": self._epoch,
            "lock.wait": self._wait,
            "signal": self._signal,
            "batch.item": self._item,
        }

    def read(self, event: Event) -> None:
        show = self._show.get(event.name)
        if show is not None:
            show(event)

    def stop(self) -> None:
        """Takes the bar away; it would also take away a line printed below it."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _account(self, event: Event) -> None:
        self.stop()
        for line in event.fields["lines"]:  # type: ignore[attr-defined]
            _say(f"  {redacted(visible(str(line)))}")

    def _warning(self, event: Event) -> None:
        self.stop()
        _say(redacted(visible(f"warning[{event.fields['id']}]: {event.fields['message']}")))

    def _wait(self, event: Event) -> None:
        name, holder = event.fields["name"], event.fields["holder"]
        _say(visible(f"  waiting: {name} is held by {holder}"))

    def _item(self, event: Event) -> None:
        _say(visible("  " + item_line(event.fields)))

    def _signal(self, event: Event) -> None:
        again = "; Ctrl-C once more leaves at once" if event.fields["signal"] == "SIGINT" else ""
        _say(f"  {event.fields['signal']}: stopping{again}")

    def _epoch(self, event: Event) -> None:
        loss, best = event.fields["val_loss"], event.fields["best_epoch"]
        if loss is None:  # no rows validate
            text = f"training loss {event.fields['train_loss']:.5g}"
        else:
            text = f"validation loss {loss:.5g}  best epoch {best}"
        if "network" in event.fields:  # those of an ensemble train side by side
            text = f"network {event.fields['network']}  {text}"
        if is_terminal(sys.stderr):
            self._advance(event, text)
        elif time.monotonic() - self._last_line >= EVERY_S:
            self._last_line = time.monotonic()
            _say(f"  epoch {event.fields['epoch']}/{event.fields['epochs']}  {text}")

    def _advance(self, event: Event, text: str) -> None:
        if self._bar is None or self._task is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("  epoch"),
                MofNCompleteColumn(),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[text]}", markup=False),
                TimeRemainingColumn(),
                console=Console(file=sys.stderr),
                transient=True,
            )
            self._task = self._bar.add_task("", total=event.fields["epochs"], text=text)  # type: ignore[arg-type]
            self._bar.start()
        self._bar.update(self._task, completed=event.fields["epoch"], text=text)  # type: ignore[arg-type]
