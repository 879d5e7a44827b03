"""The run that a training writes: its name locked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lstm_forecast.events import Events
from lstm_forecast.runs.run import lock_path
from lstm_forecast.runs.storage import held_lock


@contextmanager
def locked_name(runs_dir: Path, name: str, *, wait_s: float, events: Events) -> Iterator[None]:
    """Holds the lock of a run name while the block trains.

    Raises:
        Busy: somebody else trains this name, and did so for ``wait_s``.
    """

    def waiting(holder: str) -> None:
        events.emit("lock.wait", {"name": name, "holder": holder, "wait_s": wait_s})

    with held_lock(lock_path(runs_dir, name), timeout_s=wait_s, on_wait=waiting):
        yield
