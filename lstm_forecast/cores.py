"""How many processor cores this process may use, and over how many threads a training batch is split."""

from __future__ import annotations

import os
from pathlib import Path

LEAST_ROWS = 8  # of a batch for each thread; fewer cost more per row than another thread saves
LEAST_VALUES = 30_000  # hidden values of a step for each thread; fewer are computed before a thread is woken
MOST_THREADS = 16  # assumption: what stays in one thread, above all the dropout masks, takes over from there
_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores that the process may run on, and that its control group grants it time for; 1 or more."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = _granted(_CGROUP)
    return there if granted is None else max(1, min(there, granted))


def _granted(folder: Path) -> int | None:
    """Whole cores' worth of time that a control group may use, rounded up; None without a limit."""
    try:
        if (folder / "cpu.max").exists():  # version 2: "200000 100000" or "max 100000"
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            parts = (folder / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period"))
            quota, period = (part.read_text(encoding="ascii").strip() for part in parts)
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def thread_limit() -> int | None:
    """``OMP_NUM_THREADS`` of the environment; None where it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, int(first)) if first.isdecimal() else None


def threads_for(batch_size: int, networks: int, *, row_values: int) -> int:
    """What ``training.threads: auto`` is: threads that each batch of each network is split over.

    As many as there are cores (:func:`usable_cores`, at most ``OMP_NUM_THREADS``), while each gets
    ``LEAST_ROWS`` rows and ``LEAST_VALUES`` hidden values. An ensemble trains as many networks at once as
    then find cores; the networks of several rounds get the number that ends them first.

    Args:
        batch_size: rows of a batch.
        networks: of the ensemble.
        row_values: hidden values that the layers compute for one row: recurrent steps times units.
    """
    cores = min(usable_cores(), thread_limit() or usable_cores())
    worth = min(batch_size // LEAST_ROWS, batch_size * row_values // LEAST_VALUES)
    most = max(1, min(cores, worth, MOST_THREADS))
    rounds = {threads: -(-networks // (cores // threads)) for threads in range(1, most + 1)}
    # a second thread saves a little less than half: see the lab log
    return min(rounds, key=lambda threads: rounds[threads] * threads**-0.9)
