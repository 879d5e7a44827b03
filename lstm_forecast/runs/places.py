"""The folder of all runs as a place: can a run be written there, and which names are locked."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.errors import Problem, StorageError
from lstm_forecast.runs.file_systems import UNKNOWN, file_system, nearest_existing
from lstm_forecast.runs.storage import FILES_HINT, holder, is_held, make_directory, probe

SPARE_FILES = 8  # measured: a training on the CPU has at most six open beside those it began with
_ELSEWHERE = "choose another folder with --runs-dir"


@dataclass(frozen=True)
class Need:
    """Bytes that are going to be written: all together, and into the largest file."""

    total: int
    largest: int = 0


@dataclass(frozen=True)
class Lock:
    """The lock of a run name; ``by`` says who holds it as far as he wrote it down."""

    name: str
    held: bool | None
    by: str


def place_problem(folder: Path, need: Need) -> Problem | None:
    """Why a run that needs so much could not be written there, or None.

    Asks the nearest folder that exists, and writes nothing.
    """
    existing, where = nearest_existing(folder), str(folder)
    if not existing.is_dir():
        return Problem("storage.io", f"{existing} is a file, not a folder", where, _ELSEWHERE)
    if not os.access(existing, os.W_OK | os.X_OK):
        return Problem("storage.readonly", f"{existing} cannot be written", where, _ELSEWHERE)
    free = shutil.disk_usage(existing).free  # what a user may write; the reserve of root is not counted
    if free < need.total:
        message = f"{free:,} bytes free, needed {need.total:,}"
        return Problem("storage.full", message, where, f"free some space, or {_ELSEWHERE}")
    most = _largest_file()
    if most is not None and most < need.largest:
        message = f"no file may be larger than {most:,} bytes, needed {need.largest:,}"
        return Problem("storage.full", message, where, "ulimit -f unlimited")
    return None


def require_place(folder: Path, need: Need) -> None:
    """Makes sure, before anything is computed, that a run can be written into this folder.

    Raises:
        StorageError: it could not, with free and needed bytes where there is too little.
    """
    found = place_problem(folder, need)
    if found is not None:
        number = errno.ENOSPC if found.id == "storage.full" else 0
        raise StorageError(found.id, found.message, where=found.where, hint=found.hint, errno=number)
    _require_files(folder)
    new = not folder.exists()
    try:
        make_directory(folder)
        probe(folder)
    except StorageError:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


def open_to_others(folder: Path) -> str | None:
    """A sentence if everybody on this machine may replace what lies in this folder, else None.

    A sticky folder such as /tmp is left out: there only an owner replaces his files. So are file systems
    that make the modes up.
    """
    try:
        mode = folder.stat().st_mode
    except OSError:
        return None
    place = file_system(folder)
    if not mode & stat.S_IWOTH or mode & stat.S_ISVTX or not (place.local or place.kind == UNKNOWN):
        return None
    return f"{folder} can be written by everybody on this machine (mode {stat.S_IMODE(mode):04o})"


def name_locks(runs_dir: Path) -> list[Lock]:
    """The lock of every name that was ever locked; ``held`` is None where the system cannot be asked."""
    folder = runs_dir / ".locks"
    if not folder.is_dir():
        return []
    locks = []
    for path in sorted(folder.glob("*.lock")):
        held = is_held(path)
        by = holder(path.with_name(f"{path.name}.json")) if held else ""
        locks.append(Lock(path.name.removesuffix(".lock"), held, by))
    return locks


def _require_files(folder: Path) -> None:
    """Raises StorageError where too few files can still be opened."""
    opened: list[int] = []
    try:
        for _ in range(SPARE_FILES):
            opened.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - those opened are closed again
    except OSError as error:
        message = f"only {len(opened)} more files can be opened, needed {SPARE_FILES}"
        number = error.errno or 0
        raise StorageError(
            "storage.files", message, where=str(folder), hint=FILES_HINT, errno=number
        ) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _largest_file() -> int | None:
    """The limit of a file's size; None where there is none."""
    try:
        import resource
    except ImportError:  # not POSIX
        return None
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if soft == resource.RLIM_INFINITY else soft
