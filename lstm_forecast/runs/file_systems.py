"""The kind of file system under a path, and whether it is a disk of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
UNKNOWN = "unknown"
# This machine's own disks and memory: processes may share mapped memory, and modes are kept as they are set.
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "overlay"}
# Kinds that reach over a network: locks and syncs there depend on a server.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|fuse\.(?:sshfs|s3fs)"
)


@dataclass(frozen=True)
class FileSystem:
    """``kind`` as Linux calls it, or ``unknown``; ``local`` is None where nobody can say."""

    kind: str
    local: bool | None


def file_system(path: Path) -> FileSystem:
    """The file system that holds a path, which need not exist. Only Linux is asked."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return FileSystem(UNKNOWN, None)
    place = nearest_existing(path).resolve()
    best, kind = -1, UNKNOWN
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after.strip():
            continue
        point = Path(_unescaped(fields[4]))
        # Of two mounts on one point the later hides the earlier.
        if (place == point or point in place.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return FileSystem(kind, True if kind in _LOCAL else False if _NETWORK.fullmatch(kind) else None)


def nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest above it that is there."""
    place = path.absolute()
    return next(above for above in (place, *place.parents) if _there(above))


def _there(path: Path) -> bool:
    """Unlike ``Path.exists``, also where a folder above may not be entered."""
    try:
        path.stat()
    except (OSError, ValueError):
        return path.parent == path  # the root is always there
    return True


def _unescaped(text: str) -> str:
    r"""A mount point as it is: the kernel writes blanks and the like as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
