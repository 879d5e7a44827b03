"""What happens, told to three readers: the run's log, people on stderr, machines on stderr.

An event is a name and plain fields. Every reader gets every event and shows what it is for.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Fields = Mapping[str, object]
Reader = Callable[["Event"], None]


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``t`` is seconds since the start, from a clock that only grows."""

    name: str
    level: str
    fields: Fields
    t: float
    ts: str

    def to_line(self) -> str:
        """One JSON object on one line; a number that is not finite is null, with its word beside it."""
        document: dict[str, Any] = {"v": 1, "ts": self.ts, "t": round(self.t, 3), "level": self.level}
        document["event"] = self.name
        for key, value in self.fields.items():
            document.update(_finite(key, value))
        return json.dumps(document, ensure_ascii=True, allow_nan=False, default=str)


def _finite(key: str, value: object) -> dict[str, object]:
    if isinstance(value, float) and not math.isfinite(value):
        return {key: None, f"{key}_word": str(value)}
    if isinstance(value, Mapping):
        return {key: {k: v for part in value for k, v in _finite(str(part), value[part]).items()}}
    return {key: value}


@dataclass
class Events:
    """Passes events on to its readers and keeps the warnings for the result.

    Attributes:
        readers: called with every event, in order.
        warnings: (id, message) of every warning so far.
    """

    readers: list[Reader] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def emit(self, name: str, fields: Fields | None = None, *, level: str = "info") -> None:
        """Tells every reader of one event."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = Event(name, level, fields or {}, time.monotonic() - self._began, stamp)
        for reader in list(self.readers):
            reader(event)

    def say(self, lines: Sequence[str]) -> None:
        """Plain lines for people: what was found, decided, done."""
        if lines:
            self.emit("account", {"lines": list(lines)})

    def warn(self, id: str, message: str) -> None:
        """A warning: the result stands, but somebody should know. The same one is told once."""
        if (id, message) not in self.warnings:
            self.warnings.append((id, message))
            self.emit("warning", {"id": id, "message": message}, level="warning")
