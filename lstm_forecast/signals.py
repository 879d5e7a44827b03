"""Signals that end a program (SIGINT, SIGTERM, SIGHUP) as exceptions that tear neither a batch nor a file.

Outside of a deferred block the exception is raised at once, inside at its end or where the block asks.
Signals belong to the process and reach its main thread, so the state is one for the whole module. Another
thread hears of them only where it heeds an event that the main thread sets.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Abandoned(BaseException):
    """What this thread works at is wanted no longer: the program leaves, or another part has failed."""


class Stopped(SystemExit):
    """SIGTERM or SIGHUP came; the exit code is 128 and the number of the signal, as shells have it."""


@dataclass
class _State:
    """``first`` is the signal that came, ``pending`` the one whose exception waits for a block to end."""

    depth: int = 0
    first: int | None = None
    pending: int | None = None


_state = _State()
_thread = threading.local()  # ``left``: the event that a worker thread heeds


@contextmanager
def caught(tell: Callable[[str], None]) -> Iterator[None]:
    """Turns the signals into exceptions while the block runs.

    SIGINT becomes KeyboardInterrupt, the others :class:`Stopped`. While the program is already leaving, a
    further SIGINT is raised at once, others are ignored. A signal that is ignored (nohup) stays so.

    Args:
        tell: given the name of the first signal, at once; what it raises is dropped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if _state.first is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        _state.first = number
        with suppress(Exception):
            tell(signal.Signals(number).name)
        if _state.depth == 0:
            raise _exception(number)
        _state.pending = number

    _state.first = _state.pending = None
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    heard = [n for n in numbers if before[n] not in (signal.SIG_IGN, None)]
    for number in heard:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
        # What was left waiting when another exception ended its block must not fall on a later file write.
        _state.first = _state.pending = None


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """A block that no signal tears; gives what raises, where the block calls it, a signal that came."""
    if threading.current_thread() is not threading.main_thread():
        yield _raise_if_left
        return
    _state.depth += 1
    try:
        yield _raise_pending
    finally:
        _state.depth -= 1
    if _state.depth == 0:
        _raise_pending()


@contextmanager
def heeding(left: threading.Event) -> Iterator[None]:
    """In a worker thread: a deferred block raises :class:`Abandoned`, where it asks, once this is set."""
    _thread.left = left
    try:
        yield
    finally:
        _thread.left = None


def _raise_if_left() -> None:
    left = getattr(_thread, "left", None)
    if left is not None and left.is_set():
        raise Abandoned


def leave() -> None:
    """The program is ending already: a signal that waits is dropped, and only SIGINT is heard from now on."""
    _state.first, _state.pending = _state.first or signal.SIGTERM, None


def _raise_pending() -> None:
    number, _state.pending = _state.pending, None
    if number is not None:
        raise _exception(number)


def _exception(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else Stopped(128 + number)
