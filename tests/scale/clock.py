"""A clock for limits of time: it jumps once something has happened, however long that took."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from lstm_forecast.scale import executors


def hours_later(monkeypatch: pytest.MonkeyPatch, happened: Callable[[], bool]) -> None:
    """For what watches the tasks, a day passes at the moment something has happened, and only then."""
    ahead = [0.0]

    def monotonic() -> float:
        ahead[0] = ahead[0] or 86_400.0 * happened()
        return time.monotonic() + ahead[0]

    monkeypatch.setattr(executors, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))
