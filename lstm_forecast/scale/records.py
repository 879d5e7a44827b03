"""What batches leave beside the runs: RUNS/.batch/ID with a summary, and the log of a job that had a bug."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lstm_forecast.runs.storage import make_directory

KEPT = 30  # batches; older ones are removed
_STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


def new_record(runs_dir: Path) -> Path:
    """An empty folder RUNS/.batch/ID; its id sorts after those there, also when the clock was set back.

    Raises:
        StorageError: it cannot be made.
    """
    newest = [_moment(path) + timedelta(seconds=1) for path in records(runs_dir)[:1]]
    began = max([datetime.now(UTC), *newest])
    folder = runs_dir / ".batch" / f"{began.strftime(_STAMP)}-{os.urandom(3).hex()}"
    make_directory(folder)
    return folder


def records(runs_dir: Path) -> list[Path]:
    """The folders of past batches, newest first."""
    folder = runs_dir / ".batch"
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _ID.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: path.name, reverse=True)


def close_record(record: Path) -> None:
    """Removes logs in which nothing stands, the folder where nothing is left, and the oldest of all."""
    for log in record.glob("*.log"):
        with suppress(OSError):
            if log.stat().st_size == 0:
                log.unlink()
    with suppress(OSError):
        record.rmdir()  # only an empty one goes
    for old in records(record.parent.parent)[KEPT:]:
        if not old.is_symlink():
            shutil.rmtree(old, ignore_errors=True)


def _moment(record: Path) -> datetime:
    try:
        return datetime.strptime(record.name[:16], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
