"""Which runs of a name are removed, and removing them so that a crash leaves no half run behind.

A run is renamed to ``.trash-ID`` first: from then on no command takes it for a run. Then its files are
deleted. A folder that a crash left at that stage is removed the next time.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lstm_forecast.errors import ForecastError
from lstm_forecast.runs.run import Run, current_id, lock_path, read_json, read_status, sorted_runs
from lstm_forecast.runs.storage import storage_errors, sync_directory, write_atomic

PINNED = "PINNED"  # a file in a run: it is kept whatever the rule says
TRASH = ".trash-"
LONG_AGO_S = 3600.0  # assumption: nobody takes longer to write one file
_TRASHED = re.compile(re.escape(TRASH) + r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@dataclass(frozen=True)
class Keep:
    """A run that any of the three would keep stays.

    Attributes:
        last: the newest complete runs of a name, and as many of its newest that did not finish; at least 1.
        best: the complete runs of a name with the highest skill.
        days: runs that began within so many days.
    """

    last: int
    best: int
    days: float


@dataclass(frozen=True)
class Pruned:
    """What pruning found out about one run.

    Attributes:
        run: the run.
        status: complete, failed, interrupted, died or unknown.
        why: what keeps it; empty where it is removed.
        size_bytes: of the files that are removed; 0 where it stays.
    """

    run: Run
    status: str
    why: str
    size_bytes: int


def prune(folder: Path, keep: Keep, *, now: datetime, dry_run: bool) -> list[Pruned]:
    """Removes the runs of one name that nothing keeps, logs included; newest first in the answer.

    The caller holds the name's lock, so that no run is promoted or trained meanwhile.

    Args:
        folder: RUNS/NAME.
        keep: the rule; the current, pinned and running runs stay whatever it says.
        now: the time that ages are counted from.
        dry_run: only say what would be done.

    Raises:
        StorageError: a run could not be renamed or deleted; the ones after it are untouched.
    """
    found = _sorted_out(folder, keep, now)
    if dry_run:
        return found
    remove_temporaries(folder)
    for leftover in leftovers(folder):
        _delete(leftover)
    removed = []
    for item in found:
        if not item.why:
            trash = item.run.path.with_name(f"{TRASH}{item.run.id}")
            with storage_errors(item.run.path):
                item.run.path.rename(trash)
            removed.append(trash)
    if removed:
        with storage_errors(folder):
            sync_directory(folder)
    for trash in removed:
        _delete(trash)
    return found


def leftovers(folder: Path) -> list[Path]:
    """Removed runs whose files a crash left behind."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _TRASHED.fullmatch(path.name) and _is_folder(path))


def remove_temporaries(folder: Path) -> None:
    """Removes what killed processes left half written under one name, whose lock the caller holds.

    Pictures and evaluations are written into complete runs without that lock: there only what is too old
    to be anybody's work is removed.
    """
    long_ago = time.time() - LONG_AGO_S
    lock = lock_path(folder.parent, folder.name)
    found = [*folder.glob(".*.tmp"), *lock.parent.glob(glob.escape(f".{lock.name}.json.") + "*.tmp")]
    for run in sorted_runs(folder):
        if not _is_folder(run.path):  # a link: what it points to is somebody else's
            continue
        for path in run.path.rglob(".*.tmp"):
            with suppress(OSError):
                if not run.complete or path.lstat().st_mtime < long_ago:
                    found.append(path)
    for path in found:
        with suppress(OSError):
            path.unlink()


def pin(run: Run) -> None:
    """Keeps a run from being pruned."""
    write_atomic(run.path / PINNED, b"")


def unpin(run: Run) -> None:
    """Lets a run be pruned again."""
    with storage_errors(run.path / PINNED):
        (run.path / PINNED).unlink(missing_ok=True)


def is_pinned(run: Run) -> bool:
    """Whether somebody asked to keep this run."""
    return os.path.lexists(run.path / PINNED)


def _sorted_out(folder: Path, keep: Keep, now: datetime) -> list[Pruned]:
    runs = sorted_runs(folder)
    statuses = {run.id: read_status(run) for run in runs}
    complete = [run for run in runs if run.complete]
    unfinished = [run for run in runs if not run.complete]
    newest = {run.id for run in (*complete[: keep.last], *unfinished[: keep.last])}
    best = {run.id for run in _by_skill(complete)[: keep.best]}
    since = now - timedelta(days=keep.days)
    named = current_id(folder)
    lost = os.path.lexists(folder / "CURRENT") and named is None
    found = []
    for run in runs:
        reasons = {
            "CURRENT cannot be read, so any run may be the current one": lost,
            "current": run.id == named,
            "pinned": is_pinned(run),
            "running": statuses[run.id] == "running",
            "a link": not _is_folder(run.path),
            "newest": run.id in newest,
            "best": run.id in best,
            "young": _began(run) > since,
        }
        why = ", ".join(reason for reason, holds in reasons.items() if holds)
        found.append(Pruned(run, statuses[run.id], why, 0 if why else _size_bytes(run.path)))
    return found


def _by_skill(runs: Sequence[Run]) -> list[Run]:
    """The runs whose skill is known, highest first; of two alike the newer."""
    known = [(skill, run) for run in runs if (skill := _skill(run)) is not None]
    return [run for _, run in sorted(known, key=lambda pair: pair[0], reverse=True)]


def _skill(run: Run) -> float | None:
    try:
        skill = read_json(run, "metrics.json").get("skill")
    except ForecastError:
        return None
    if not isinstance(skill, int | float) or isinstance(skill, bool):
        return None
    return float(skill) if abs(skill) < float("inf") else None


def _began(run: Run) -> datetime:
    """The time in the id; an id that holds no time is taken for young."""
    try:
        return datetime.strptime(run.id.split("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _size_bytes(folder: Path) -> int:
    """Bytes of all files below, links counted as links."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size  # noqa: PTH118 - quicker for many files
            except OSError:
                continue
    return total


def _delete(folder: Path) -> None:
    with storage_errors(folder):
        shutil.rmtree(folder)
