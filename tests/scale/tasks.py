"""What processes do in the tests of executors; each takes a text and gives one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

from lstm_forecast import signals


def told(text: str) -> str:
    """Does what the first word says, with the rest."""
    word, _, rest = text.partition(" ")
    return WORK[word](rest)


def _echo(rest: str) -> str:
    return f"{rest} {signal.getsignal(signal.SIGINT) == signal.SIG_IGN}"


def _say(rest: str) -> str:
    os.write(1, f"{rest}\n".encode())
    os.write(2, f"{rest}\n".encode())
    return "said"


def _die(rest: str) -> str:
    os.kill(os.getpid(), int(rest))
    time.sleep(60)
    return "never"


def _break(rest: str) -> str:
    raise AttributeError(rest)


def _sleep(rest: str) -> str:
    Path(rest).write_text(str(os.getpid()))
    try:
        time.sleep(60)
    except signals.Stopped:
        return "stopped"
    return "slept"


def _signal(rest: str) -> str:
    """Signals the batch, and waits for what it does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    os.kill(parent.pid, int(rest))
    try:
        time.sleep(60)
    except signals.Stopped as stopped:
        return str(stopped.code)
    return "slept"


def _twice(rest: str) -> str:
    """Signals the batch until it is gone, and does not listen to it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(rest).write_text(str(os.getpid()))
    for _ in range(2):
        os.kill(parent.pid, signal.SIGINT)
        time.sleep(0.7)
    time.sleep(60)
    return "never"


def _together(rest: str) -> str:
    """Waits until as many files lie in the folder as processes are to run at once."""
    folder, _, count = rest.rpartition(" ")
    (Path(folder) / str(os.getpid())).touch()
    until = time.monotonic() + 30
    while len(list(Path(folder).iterdir())) < int(count):
        assert time.monotonic() < until
        time.sleep(0.01)
    return f"{threading.active_count()}"


WORK = {
    "echo": _echo,
    "say": _say,
    "die": _die,
    "break": _break,
    "sleep": _sleep,
    "signal": _signal,
    "twice": _twice,
    "together": _together,
}
