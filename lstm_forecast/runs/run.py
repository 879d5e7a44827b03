"""The run directory: its layout, its manifest, its name; how runs are opened and verified.

``RUNS/NAME/ID/`` is one run and ``RUNS/NAME/CURRENT`` holds the id that the name means. A run is complete
when its manifest is there: it is written last and holds the hash of every file a forecast depends on.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from lstm_forecast.errors import ArtifactRejected, ExistsError, RunMissing, UsageError, nearest
from lstm_forecast.runs.storage import (
    held_lock,
    json_bytes,
    make_directory,
    parse_json,
    read_file,
    require_no_link,
    sha256_of,
    write_atomic,
)

FORMAT_VERSION = 1
LOCK_TIMEOUT_S = 10.0  # how long a promotion waits for another one, or for a training
MANIFEST = "MANIFEST.json"
FILES = (  # in the order they are written
    "model.safetensors",
    "preprocess.json",
    "context.safetensors",
    "metrics.json",
    "history.csv",
    "config.yaml",
    "run.json",
)
LIMITS = {"model.safetensors": 2**31, "context.safetensors": 2**33, "preprocess.json": 2**28}
SMALL = 2**26  # bytes; every other file of a run
_STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_NAME = re.compile(r"[^\W_.\-/@](?:[\w .\-]*[\w])?", re.UNICODE)
Status = Literal["running", "complete", "failed", "interrupted"]


@dataclass(frozen=True)
class Run:
    """A run on disk: ``path`` is RUNS/NAME/ID."""

    path: Path

    @property
    def id(self) -> str:
        """UTC start time and six random hexadecimal digits: sorts by time."""
        return self.path.name

    @property
    def name(self) -> str:
        """The handle that several runs share."""
        return self.path.parent.name

    @property
    def handle(self) -> str:
        """``name@id``."""
        return f"{self.name}@{self.id}"

    @property
    def complete(self) -> bool:
        """Whether the manifest, written last, is there."""
        return (self.path / MANIFEST).is_file()

    @property
    def current(self) -> bool:
        """Whether the name means this run."""
        return current_id(self.path.parent) == self.id


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        UsageError: it cannot name a folder everywhere, or looks like a flag, path or ``name@id``.
    """
    if len(name.encode()) > 120 or not _NAME.fullmatch(name):
        raise UsageError(
            "run.name",
            f"{name!r} cannot name a run; expected letters, digits, spaces, dots, dashes, at most 120 bytes",
            hint="choose another with --name",
        )
    return name


def name_from(stem: str) -> str:
    """A usable name from a file's stem: what cannot stand in one becomes a dash."""
    cleaned = re.sub(r"[^\w .\-]", "-", stem).strip(" .-_") or "run"
    return cleaned.encode()[:100].decode(errors="ignore").strip(" .-_") or "run"


def create_run(runs_dir: Path, name: str) -> Run:
    """An empty run directory with a fresh id and the status ``running``.

    The id sorts after all others of the name, also in the same second and after a clock was set back.

    Raises:
        StorageError: the folder cannot be written; nothing was trained yet.
    """
    folder = runs_dir / check_name(name)
    began = max([datetime.now(UTC), *map(_just_after, sorted_runs(folder)[:1])])
    run = Run(folder / f"{began.strftime(_STAMP)}-{os.urandom(3).hex()}")
    make_directory(run.path)
    try:
        write_status(run, "running", exit_code=None)
    except BaseException:  # a signal, too: nothing was begun
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def _just_after(run: Run) -> datetime:
    """A second after the moment in a run's id; long ago where it is none."""
    try:
        return datetime.strptime(run.id[:16], _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def write_status(run: Run, status: Status, *, exit_code: int | None) -> None:
    """Writes ``status.json``: what the process is doing, or how it ended."""
    require_no_link(run.path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fields = {"status": status, "exit_code": exit_code, "pid": os.getpid(), "heartbeat": now}
    write_atomic(run.path / "status.json", json_bytes(fields | {"host": platform.node()}))


def publish(run: Run, files: Mapping[str, bytes]) -> None:
    """Writes the files of a run in order and the manifest last; from then on it is complete."""
    require_no_link(run.path)
    entries = []
    for name in FILES:
        data = files[name]
        write_atomic(run.path / name, data)
        entries.append({"path": name, "size_bytes": len(data), "sha256": sha256_of(data)})
    manifest = {"format_version": FORMAT_VERSION, "files": entries}
    write_atomic(run.path / MANIFEST, json_bytes(manifest))


def promote(run: Run) -> None:
    """Makes the run the one its name means.

    Raises:
        RunMissing: it is not complete.
    """
    _require_complete(run)
    with held_lock(lock_path(run.path.parent.parent, run.name), timeout_s=LOCK_TIMEOUT_S):
        make_current(run)


def make_current(run: Run) -> None:
    """Like :func:`promote`, for who holds the lock of the name and has written the run."""
    write_atomic(run.path.parent / "CURRENT", f"{run.id}\n".encode())


def lock_path(runs_dir: Path, name: str) -> Path:
    """The lock of a name: held while it is trained, and while CURRENT is replaced."""
    return runs_dir / ".locks" / f"{name}.lock"


def claim_name(runs_dir: Path, name: str, data_path: str) -> None:
    """Refuses a name whose complete runs were trained on another file.

    Raises:
        ExistsError: naming the owner.
    """
    for run in sorted_runs(runs_dir / name):
        if not run.complete:
            continue
        data = read_json(run, "run.json").get("data")
        owner = data.get("path") if isinstance(data, dict) else None
        if owner not in (None, data_path):
            raise ExistsError(
                "run.name_taken",
                f"the run name {name!r} belongs to {owner}, not to {data_path}",
                where=str(runs_dir / name),
                hint="give this run a name of its own: --name OTHER",
            )
        return


def current_id(folder: Path) -> str | None:
    """The id in a name's CURRENT file, or None."""
    try:
        text = read_file(folder / "CURRENT", limit=100).decode("ascii", "replace").strip()
    except ArtifactRejected:
        return None
    return text if _ID.fullmatch(text) else None


def sorted_runs(folder: Path) -> list[Run]:
    """The runs of one name, newest first."""
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if _ID.fullmatch(path.name) and path.is_dir()]
    return [Run(path) for path in sorted(paths, key=lambda path: path.name, reverse=True)]


def all_runs(runs_dir: Path) -> list[Run]:
    """Every run under a runs folder, by name, newest first."""
    if not runs_dir.is_dir():
        return []
    folders = sorted(path for path in runs_dir.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [run for folder in folders for run in sorted_runs(folder)]


def find_run(reference: str, runs_dir: Path) -> Run:
    """The run that a name, ``name@id-prefix`` or path means; complete.

    Raises:
        RunMissing: there is none, with the nearest name; or it is incomplete.
    """
    path = Path(reference)
    if _ID.fullmatch(path.name) and path.is_dir():
        return _require_complete(Run(path.resolve()))
    name, _, prefix = reference.rpartition("@") if "@" in reference else (reference, "", "")
    folder = path.resolve() if path.is_dir() and (path / "CURRENT").is_file() else runs_dir / name
    runs = sorted_runs(folder) if name not in ("", ".", "..") else []
    if not runs:
        raise no_such_run(name, runs_dir)
    if prefix:
        return _require_complete(run_by_prefix(runs, prefix, reference))
    identity = current_id(folder)
    if identity is None:
        newest, promoting = runs[0], "lstm-forecast runs promote"
        complete = next((run for run in runs if run.complete), None)
        raise RunMissing(
            "run.incomplete" if not newest.complete else "run.not_current",
            f"{name} has no current run; the newest, {newest.id}, is {read_status(newest)}",
            where=str(folder),
            hint=_again(newest) + (f", or {promoting} '{complete.handle}'" if complete else ""),
        )
    return _require_complete(Run(folder / identity))


def read_status(run: Run) -> str:
    """The word in ``status.json``; a process that died without a word is ``died``."""
    try:
        fields = parse_json(read_file(run.path / "status.json", limit=SMALL), where=str(run.path))
    except ArtifactRejected:
        return "complete" if run.complete else "unknown"
    status = str(fields.get("status")) if isinstance(fields, dict) else "unknown"
    if status == "running" and not _alive(fields):
        return "complete" if run.complete else "died"
    return status


def read_json(run: Run, name: str) -> dict[str, Any]:
    """One small JSON file of a run, unverified: for listings."""
    value = parse_json(read_file(run.path / name, limit=LIMITS.get(name, SMALL)), where=str(run.path / name))
    if not isinstance(value, dict):
        raise ArtifactRejected("artifact.json", "is not a JSON object", where=str(run.path / name))
    return value


def _require_complete(run: Run) -> Run:
    if not run.complete:
        raise RunMissing(
            "run.incomplete",
            f"the run {run.handle} is not complete (status: {read_status(run)})",
            where=str(run.path),
            hint=f"{_again(run)}, or name another run: lstm-forecast runs list",
        )
    return run


def _again(run: Run) -> str:
    """What to type for a run that is not there or not complete."""
    if run.complete or not (run.path / "checkpoints" / "LAST").is_file():
        return "train again"
    return f"lstm-forecast train … --resume={run.id} goes on with it"


def run_by_prefix(runs: list[Run], prefix: str, reference: str) -> Run:
    """The one run whose id, or the random part of it, begins so.

    Raises:
        RunMissing: none or several do.
    """
    found = [run for run in runs if run.id.startswith(prefix) or run.id.split("-")[1].startswith(prefix)]
    if len(found) != 1:
        raise RunMissing(
            "run.not_found",
            f"{reference} fits {len(found)} runs; expected one",
            details=[f"run: {run.handle}" for run in runs[:5]],
            hint="lstm-forecast runs list",
        )
    return found[0]


def no_such_run(name: str, runs_dir: Path) -> RunMissing:
    """The error for a name that no run has, with the nearest one."""
    names = sorted({run.name for run in all_runs(runs_dir)})
    near = nearest(name, names)
    known = f"runs here: {', '.join(names[:8])}" if names else "there are no runs yet"
    return RunMissing(
        "run.not_found",
        f"no run named {name!r}",
        where=str(runs_dir),
        details=[known],
        hint=f"did you mean {near}?" if near else "train one first, or give --runs-dir",
    )


def _alive(fields: dict[str, Any]) -> bool:
    """Whether the process that wrote a status still runs; only this host's can be asked."""
    if fields.get("host") != platform.node() or not isinstance(fields.get("pid"), int):
        return True
    try:
        os.kill(fields["pid"], 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
