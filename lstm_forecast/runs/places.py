"""The folder of all runs as a place: the file system under it, and which names are locked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.runs.storage import holder, is_held

MOUNTS = Path("/proc/self/mountinfo")
# Kinds that reach over a network: locks and syncs there depend on a server.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|fuse\.(?:sshfs|s3fs)"
)


@dataclass(frozen=True)
class Lock:
    """The lock of a run name; ``by`` says who holds it as far as he wrote it down."""

    name: str
    held: bool | None
    by: str


def file_system(path: Path) -> tuple[str, bool | None]:
    """The kind of file system that holds a path, and whether it is local; ``unknown``, None if nobody says.

    Only Linux is asked; the path need not exist.
    """
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown", None
    place = path.absolute()
    place = next(above for above in (place, *place.parents) if above.exists()).resolve()
    best, kind = -1, "unknown"
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(_unescaped(fields[4]))
        # Of two mounts on one point the later hides the earlier.
        if (place == point or point in place.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind, None if kind == "unknown" else not _NETWORK.fullmatch(kind)


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


def _unescaped(text: str) -> str:
    r"""A mount point as it is: the kernel writes blanks and the like as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
