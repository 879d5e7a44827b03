"""What happens, told to three readers: the run's log, people on stderr, machines on stderr.

An event is a name and plain fields. Every reader gets every event and shows what it is for.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lstm_forecast.redaction import REDACTED, is_secret, redacted

Fields = Mapping[str, object]
Reader = Callable[["Event"], None]

# Every event there is, with its fields. The names are an interface: fields may be added, never renamed.
EVENTS: Mapping[str, str] = {
    "run.start": "A training begins or is taken up. `argv`",
    "data.loaded": "The input was read. `path`, `files`, `rows`, `sha256`",
    "data.rejects": "Rows and series that `data.bad_rows` and `data.bad_series: skip` left out. `rows`",
    "lock.wait": "Somebody else trains this name and is waited for. `name`, `holder`, `wait_s`",
    "epoch.end": "An epoch was trained, and validated where rows are kept for that. "
    "`network` (of an ensemble), `epoch`, `epochs`, "
    "`train_loss`, `val_loss`, `val_score`, `grad_norm`, `best_epoch`, `elapsed_s`",
    "checkpoint.saved": "The state after the last whole epoch is on disk. `checkpoint`, `epochs`, "
    "`size_bytes`, `elapsed_s`",
    "checkpoint.fallback": "A damaged checkpoint, an older one is used. `path`, `message`",
    "train.nonfinite": "A loss or gradient that is not finite ends the training. `message`",
    "signal": "SIGINT, SIGTERM or SIGHUP came. `signal`",
    "evaluation.end": "The held-out rows were forecast and judged. `elapsed_s`",
    "gate.decided": "What validation says of the network and the best simple baseline. `issued`, "
    "`model_error`, `baseline_error`, `windows`, `apart`",
    "champion.compared": "The new run and the current one on rows that neither has seen. `run`, `promoted`, "
    "`metric`, `windows`, `from`, `to`, `error`, `challenger_error`, `not_compared`",
    "batch.item": "One job of a batch has ended. `name`, `code`, `error`, `run`, `done`, `message`, "
    "`elapsed_s`",
    "account": "Lines for people: what was found, decided, done. `lines`",
    "warning": "The result stands, but somebody should know. `id`, `message`",
    "error": "Why the program fails; on stderr only. `id`, `message`, `where`, `details`, `hint`, "
    "`exit_code`",
    "run.end": "The last line of a log, however the training ended. `exit_code`, `elapsed_s`; after a "
    "failure `error` (its id), `message`, `where`, `details`, `hint`",
}
MOST_KEPT = 1_000  # events before a run has its log
_BEGAN = time.monotonic()


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``t`` is seconds since the start, from a clock that only grows."""

    name: str
    level: str
    fields: Fields
    t: float
    ts: str
    run: str | None = None

    def to_line(self) -> str:
        """One JSON object on one line, without secrets.

        A number that is not finite is null, and its word stands beside it.
        """
        document: dict[str, Any] = {"v": 1, "ts": self.ts, "t": round(self.t, 3), "level": self.level}
        document["event"] = self.name
        if self.run is not None:
            document["run"] = self.run
        document |= _plain_fields(self.fields)
        line = json.dumps(document, ensure_ascii=True, allow_nan=False, default=str)
        return line.replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is


def _plain_fields(fields: Mapping[Any, object]) -> dict[str, object]:
    document: dict[str, object] = {}
    for key, value in fields.items():
        name = str(key)
        if is_secret(name):
            document[name] = REDACTED
            continue
        document[name], words = _plain(value)
        if words is not None:
            document[f"{name}_word"] = words
    return document


def _plain(value: object) -> tuple[object, object]:
    """A value that JSON has, and the words of the numbers in it that JSON has not; None where there is none.

    The words of a list stand at the places of their numbers.
    """
    if isinstance(value, str):
        return redacted(value), None
    if isinstance(value, bool | int | None):
        return value, None
    if isinstance(value, float):
        return (float(value), None) if math.isfinite(value) else (None, str(float(value)))
    if isinstance(value, Mapping):
        return _plain_fields(value), None
    if isinstance(value, list | tuple):
        pairs = [_plain(one) for one in value]
        words = [word for _, word in pairs]
        return [one for one, _ in pairs], words if any(word is not None for word in words) else None
    item = getattr(value, "item", None)  # a number of NumPy
    return _plain(item()) if callable(item) else (redacted(str(value)), None)


@dataclass
class Events:
    """Passes events on to its readers and keeps the warnings for the result.

    Attributes:
        readers: called with every event, in order.
        warnings: (id, message) of every warning so far.
        run: the run that further events belong to; None before it is known.
    """

    readers: list[Reader] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    run: str | None = None
    _past: list[Event] | None = field(default_factory=list)
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    def emit(self, name: str, fields: Fields | None = None, *, level: str = "info") -> None:
        """Tells every reader of one event; those of several threads come one after the other."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._one_at_a_time:
            event = Event(name, level, fields or {}, time.monotonic() - _BEGAN, stamp, self.run)
            if self._past is not None and len(self._past) < MOST_KEPT:
                self._past.append(event)
            for reader in list(self.readers):
                reader(event)

    def taken_past(self) -> list[Event]:
        """What happened before this was asked; nothing more is kept from now on."""
        past, self._past = self._past or [], None
        return past

    def say(self, lines: Sequence[str]) -> None:
        """Plain lines for people: what was found, decided, done."""
        if lines:
            self.emit("account", {"lines": list(lines)})

    def warn(self, id: str, message: str) -> None:
        """A warning: the result stands, but somebody should know. The same one is told once."""
        if (id, message) not in self.warnings:
            self.warnings.append((id, message))
            self.emit("warning", {"id": id, "message": message}, level="warning")
