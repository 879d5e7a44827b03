"""A complete run's files, each checked against the manifest before anything is read from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.runs.run import FILES, FORMAT_VERSION, LIMITS, MANIFEST, SMALL, Run, current_id, read_json
from lstm_forecast.runs.storage import read_file, sha256_of

_THREADS = re.compile(rb"^  threads: \d+\n", re.MULTILINE)  # of training: they change rounding alone


def open_run(run: Run) -> dict[str, bytes]:
    """The files of a complete run, each checked against the manifest.

    Raises:
        ArtifactRejected: naming the first file that is missing, foreign or changed.
    """
    entries = _manifest(run)
    return {name: _checked(run, name, entries) for name in FILES}


def verify_run(run: Run) -> list[ArtifactRejected]:
    """Every fault of a run's files; an empty list means that all hashes hold."""
    try:
        entries = _manifest(run)
    except ArtifactRejected as error:
        return [error]
    faults = []
    for name in FILES:
        try:
            _checked(run, name, entries)
        except ArtifactRejected as error:
            faults.append(error)
    return faults


def same_training(folder: Path, config: bytes, data_sha256: str) -> Run | None:
    """The current run of a name if it is whole and came from this configuration and this input.

    Args:
        folder: RUNS/NAME.
        config: the resolved configuration as ``config.yaml`` has it.
        data_sha256: of the input's bytes.
    """
    identity = current_id(folder)
    run = Run(folder / identity) if identity is not None else None
    return run if run is not None and came_from(run, config, data_sha256=data_sha256) else None


def came_from(run: Run, config: bytes, *, data_sha256: str | None) -> bool:
    """Whether a run is whole and came from this configuration and this input; None takes any input."""
    if not run.complete or verify_run(run):
        return False
    data = read_json(run, "run.json").get("data")
    alike = data_sha256 is None or (isinstance(data, dict) and data.get("sha256") == data_sha256)
    kept = read_file(run.path / "config.yaml", limit=SMALL)
    return alike and _THREADS.sub(b"", kept) == _THREADS.sub(b"", config)


def _manifest(run: Run) -> dict[str, tuple[int, str]]:
    """Size and hash by file name; exactly the known files."""
    where = str(run.path / MANIFEST)
    fields = read_json(run, MANIFEST)
    version = fields.get("format_version")
    if not isinstance(version, int):
        raise ArtifactRejected("artifact.manifest", "has no format version", where=where)
    if version > FORMAT_VERSION:
        raise ArtifactRejected(
            "artifact.version",
            f"format version {version}; this program reads up to {FORMAT_VERSION}",
            where=where,
            hint="upgrade lstm-forecast, or use the version that trained the run",
        )
    try:
        entries = [(str(e["path"]), int(e["size_bytes"]), str(e["sha256"])) for e in fields["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactRejected("artifact.manifest", "is not a manifest", where=where) from error
    names = [name for name, _, _ in entries]
    if sorted(names) != sorted(FILES):
        strange = next(
            (name for name in names if name not in FILES or names.count(name) > 1), "a missing file"
        )
        raise ArtifactRejected(
            "artifact.path", f"lists {strange!r}; expected exactly {', '.join(FILES)}", where=where
        )
    return {name: (size, digest) for name, size, digest in entries}


def _checked(run: Run, name: str, entries: Mapping[str, tuple[int, str]]) -> bytes:
    size, digest = entries[name]
    data = read_file(run.path / name, limit=LIMITS.get(name, SMALL))
    found = sha256_of(data)
    if len(data) != size or found != digest:
        raise ArtifactRejected(
            "artifact.hash",
            "does not match the manifest",
            where=str(run.path / name),
            details=[f"expected: {size:,} bytes, {digest[:16]}…", f"got: {len(data):,} bytes, {found[:16]}…"],
            hint=f"the run is damaged; lstm-forecast runs list {run.name} shows older ones to promote",
        )
    return data
