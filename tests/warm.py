"""A process that has imported everything once and forks one child per command: a start costs milliseconds.

``python warm.py STATEMENT`` runs the statement, then answers requests on its stdin, one JSON object per line.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import resource
import runpy
import signal
import sys
import termios
import time
import traceback
from pathlib import Path
from typing import IO, Any


def fork(request: dict[str, Any]) -> int | None:
    """The child's number; None in the child itself, once it may go."""
    pid = os.fork()
    if pid:
        return pid
    _let_anyone_trace()
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    _take_streams(request)
    os.chdir(request["cwd"])
    if request["most_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["most_bytes"], request["most_bytes"]))
    if request["waits"]:
        Path(f"{request['stem']}.ready").touch()
        while not Path(f"{request['stem']}.go").exists():
            time.sleep(0.002)
    return None


def _take_streams(request: dict[str, Any]) -> None:
    if request["terminal"] is not None:
        os.setsid()
        places = [request["terminal"]] * 3
    else:
        places = [os.devnull, *request["streams"]]
    for number, place in enumerate(places):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        descriptor = os.open(place, os.O_RDWR if request["terminal"] else flags, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request["terminal"] is not None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        lines = 1 if name == "stderr" or os.isatty(number) else -1
        stream = open(number, mode, buffering=lines, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)  # as an interpreter makes them when it starts
        setattr(sys, f"__{name}__", stream)


def _let_anyone_trace() -> None:
    """Where only ancestors may trace a process (Yama), this one may be traced all the same."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(0x59616D61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY


def serve(requests: IO[str], replies: IO[str]) -> dict[str, Any]:
    """Forks and waits as asked; comes back in the children only, with what they are to do."""
    for line in requests:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            child = fork(request)
            if child is None:
                return request  # type: ignore[no-any-return]
            answer = child
        replies.write(f"{answer}\n")
        replies.flush()
    os._exit(0)


def run(asked: dict[str, Any]) -> int:
    """The command; its code."""
    sys.argv = ["lstm-forecast", *asked["words"]]
    try:
        if asked["script"] is not None:
            runpy.run_path(asked["script"], run_name="__main__")
        else:
            from lstm_forecast.cli.app import main

            main(asked["words"])
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    except BaseException:  # noqa: BLE001 - a bug of the program, told as Python would
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the statement says is no reply
    exec(sys.argv[1], {})
    gc.freeze()
    code = run(serve(requests, replies))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking torch down costs a second
