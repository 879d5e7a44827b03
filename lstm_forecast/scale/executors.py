"""Tasks in processes of their own: how many at once, how long, and what a signal does to them.

A process gets its task and gives its answer as text. Where the system has it, one server imports the heavy
packages once and every process is forked from it; elsewhere each process imports them anew.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from lstm_forecast import signals

GRACE_S = 10.0  # from SIGTERM to SIGKILL, for a task that takes too long
LEAVE_S = 8.0  # the same, when the whole batch stops
_LOOK_S = 0.2  # how often a signal and the clock are looked at
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """A text for a process, and the file that takes what the process says on stdout and stderr."""

    name: str
    text: str
    log: Path


@dataclass(frozen=True)
class Ending:
    """How a task ended.

    Attributes:
        text: the answer; None where the process died without one.
        exit_code: of the process, below 0 the signal that killed it; None where it could not be started.
        timed_out: whether it was stopped because it took too long.
        stopped: whether it was stopped because the whole batch stops.
        elapsed_s: wall time.
    """

    text: str | None
    exit_code: int | None
    timed_out: bool
    stopped: bool
    elapsed_s: float


@dataclass
class _Running:
    number: int
    process: BaseProcess
    answer: Connection
    began: float
    timed_out: bool = False
    kill_at: float | None = None


def run_tasks(
    tasks: Sequence[Task],
    work: Callable[[str], str],
    *,
    preload: str,
    workers: int,
    timeout_s: float | None,
    on_end: Callable[[int, Ending], None],
) -> int | None:
    """Runs every task; gives the number of the signal that stopped it, else None.

    SIGTERM and SIGHUP (inside of :func:`signals.caught`) and Ctrl-C stop the processes with SIGTERM, and the
    tasks that have not begun never do. A second Ctrl-C is raised.

    Args:
        tasks: in the order they begin.
        work: run in the process; a function of a module.
        preload: module that the server imports.
        workers: how many run at once.
        timeout_s: how long one may take; None has no limit.
        on_end: told the number of a task and how it ended.
    """
    if not tasks:
        return None
    waiting, running = list(enumerate(tasks))[::-1], list[_Running]()
    try:
        context = _server(preload, one_thread=workers > 1)
        _await(context)  # seconds: a signal ends it at once
    except (KeyboardInterrupt, signals.Stopped) as stop:
        return _number(stop)
    with signals.deferred() as check:
        try:
            while waiting or running:
                check()
                while waiting and len(running) < workers:
                    number, task = waiting.pop()
                    started = _started(context, number, task, work)
                    if started is None:
                        check()  # a signal to all processes also ends the server
                        on_end(number, Ending(None, None, timed_out=False, stopped=False, elapsed_s=0.0))
                    else:
                        running.append(started)
                _collect(running, on_end, stopped=False)
                _watch_clock(running, timeout_s)
            check()
        except (KeyboardInterrupt, signals.Stopped) as stop:
            _stop_all(running, on_end)
            return _number(stop)
        finally:  # nothing is left but after a second Ctrl-C or a bug
            for one in running:
                one.process.kill()
    return None


def _server(preload: str, *, one_thread: bool) -> Any:
    """How processes are made: a context of multiprocessing, whose kinds share no type with ``Process``.

    The server, where there is one, starts with Ctrl-C ignored, and so do its processes.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    _keep_standard_streams()
    if method != "forkserver" or threading.current_thread() is not threading.main_thread():
        return context
    from multiprocessing import forkserver

    context.set_forkserver_preload(["__main__", preload])
    heard, before = signal.signal(signal.SIGINT, signal.SIG_IGN), dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the server shall import this package, no other
    if one_thread:
        os.environ.update({name: "1" for name in _THREADS if name not in before})
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, heard)
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
    return context


def _await(context: Any) -> None:
    """Waits until the server has imported everything; what is wrong with it, the first task will tell."""
    process = context.Process(target=_nothing)
    with contextlib.suppress(OSError, EOFError):
        process.start()
        process.join()


def _nothing() -> None:
    """A process that does nothing."""


def _number(stop: BaseException) -> int:
    """The signal behind an exception of :mod:`signals`."""
    return int(stop.code or 0) - 128 if isinstance(stop, signals.Stopped) else signal.SIGINT


def _keep_standard_streams() -> None:
    """Opens what is closed of stdin, stdout and stderr: another file would get its number in a process."""
    for descriptor in range(3):
        try:
            os.set_inheritable(descriptor, True)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)


def _started(context: Any, number: int, task: Task, work: Callable[[str], str]) -> _Running | None:
    """The process of a task; None where the system gives none."""
    try:
        answer, sender = context.Pipe(duplex=False)
    except OSError:
        return None
    process = context.Process(target=_child, args=(sender, work, task.text, str(task.log)), name=task.name)
    try:
        process.start()
    except (OSError, EOFError):  # no memory, too many processes, or the server itself was killed
        answer.close()
        return None
    finally:
        sender.close()
    return _Running(number, process, answer, time.monotonic())  # the server's own start is no task's time


def _collect(running: list[_Running], on_end: Callable[[int, Ending], None], *, stopped: bool) -> None:
    """Takes the answers that are there, waiting a moment for one.

    A process is gone when its end of the pipe is closed, not when the server says so: the server may be
    killed before the processes are.
    """
    ready = multiprocessing.connection.wait([one.answer for one in running], timeout=_LOOK_S)
    for one in [one for one in running if one.answer in ready]:
        try:
            text: str | None = one.answer.recv_bytes().decode()
        except (EOFError, OSError):
            text = None
        one.answer.close()
        one.process.join(timeout=LEAVE_S)
        running.remove(one)
        elapsed_s = time.monotonic() - one.began
        code = one.process.exitcode
        on_end(one.number, Ending(text, code, one.timed_out, stopped, elapsed_s))


def _watch_clock(running: Sequence[_Running], timeout_s: float | None) -> None:
    """Asks a process that takes too long to stop, and later makes it."""
    now = time.monotonic()
    for one in running:
        if one.kill_at is None and timeout_s is not None and now - one.began > timeout_s:
            one.timed_out, one.kill_at = True, now + GRACE_S
            one.process.terminate()
        elif one.kill_at is not None and now > one.kill_at:
            one.process.kill()


def _stop_all(running: list[_Running], on_end: Callable[[int, Ending], None]) -> None:
    for one in running:
        one.process.terminate()
    until = time.monotonic() + LEAVE_S
    while running and time.monotonic() < until:
        _collect(running, on_end, stopped=True)
    for one in running:
        one.process.kill()
    until = time.monotonic() + 1.0
    while running and time.monotonic() < until:
        _collect(running, on_end, stopped=True)


def _child(sender: Connection, work: Callable[[str], str], text: str, log: str) -> None:
    """The life of a process: its answer is all it leaves on the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the batch hears Ctrl-C and passes it on
    _redirect(log)
    threading.Thread(target=_watch_parent, daemon=True).start()
    with signals.caught(lambda _: None):
        answer = work(text)
        with contextlib.suppress(BrokenPipeError):
            sender.send_bytes(answer.encode())
    sender.close()


def _redirect(log: str) -> None:
    """What anything in this process says goes to its log, never to the batch's own streams."""
    try:
        opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        opened = os.open(os.devnull, os.O_WRONLY)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)


def _watch_parent() -> None:
    """Ends this process when the batch is gone, killed perhaps."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
