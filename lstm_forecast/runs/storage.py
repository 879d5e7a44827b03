"""Files that are either the old or the new one, never something between. Standard library and filelock only.

The POSIX-only calls (O_NOFOLLOW, syncing a directory) stand here behind fallbacks.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lstm_forecast.errors import ArtifactRejected, Busy, ExistsError, StorageError
from lstm_forecast.signals import deferred

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_TOLD_WITHIN_S = 0.5  # who takes a lock writes down who he is; longer than that takes on a slow disk
FILE_MODE, FOLDER_MODE = 0o644, 0o755  # less the umask
FILES_HINT = "allow more open files: ulimit -n 256"
_ELSEWHERE = "choose a folder that can be written (--runs-dir, --output)"
_SPACE = "free some space"
_KINDS = {  # the system's reason: our id, and what to do
    errno.ENOSPC: ("storage.full", _SPACE),
    errno.EDQUOT: ("storage.full", _SPACE),
    errno.EFBIG: ("storage.full", "allow larger files: ulimit -f unlimited"),
    errno.EACCES: ("storage.readonly", _ELSEWHERE),
    errno.EPERM: ("storage.readonly", _ELSEWHERE),
    errno.EROFS: ("storage.readonly", _ELSEWHERE),
    errno.EMFILE: ("storage.files", FILES_HINT),
    errno.ENFILE: ("storage.files", FILES_HINT),
}


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    import hashlib  # with OpenSSL it takes as long to load as half of this package

    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes | Iterable[bytes], *, mode: int = FILE_MODE) -> None:
    """Writes a whole file or nothing: temporary file beside it, synced, then renamed over it.

    A signal that ends the program waits until that is done.

    Args:
        path: of the file.
        data: what it is to hold, whole or in pieces.
        mode: of the file, less the umask.

    Raises:
        StorageError: with the system's reason; the old file, if there was one, is untouched.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}.tmp")
    with deferred(), storage_errors(path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
        descriptor = os.open(temporary, flags, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in [data] if isinstance(data, bytes) else data:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(path.parent)


def write_new(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Writes a user's output file.

    Raises:
        ExistsError: the file exists and ``overwrite`` is False, or the path is a folder.
        StorageError: the folder does not exist or cannot be written.
    """
    require_new(path, overwrite=overwrite)
    write_atomic(path.resolve() if path.is_symlink() else path, data, mode=0o666)  # as the umask has it


def require_new(path: Path, *, overwrite: bool) -> None:
    """Refuses, before any work is done, a path that :func:`write_new` would refuse.

    Raises:
        ExistsError: the file exists and ``overwrite`` is False, or the path is a folder.
        StorageError: the folder does not exist.
    """
    if path.is_dir():
        raise ExistsError("output.exists", "is a folder; expected a file name", where=str(path))
    if path.exists() and not overwrite:
        raise ExistsError(
            "output.exists", "the file exists", where=str(path), hint="add --overwrite to replace it"
        )
    if not path.parent.is_dir():
        raise StorageError(
            "storage.no_folder",
            f"the folder {path.parent} does not exist",
            where=str(path),
            hint=f"mkdir -p {shlex.quote(str(path.parent))}",
        )


def make_directory(path: Path) -> None:
    """Makes a folder and the ones above it.

    Raises:
        StorageError: it cannot be made.
    """
    with storage_errors(path):
        missing = [above for above in (path, *path.parents) if not above.exists()]
        for folder in reversed(missing):  # not mkdir(parents=True): it makes those above with another mode
            folder.mkdir(FOLDER_MODE, exist_ok=True)
        path.mkdir(exist_ok=True)  # an error if it is a file


def probe(folder: Path) -> None:
    """Writes a small file into a folder, syncs it and takes it away again.

    Raises:
        StorageError: with the system's reason.
    """
    path = folder / f".probe.{os.urandom(6).hex()}.tmp"
    with deferred(), storage_errors(folder):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink()


def make_subdirectory(path: Path) -> None:
    """Makes a folder in one that must be there: a run that was removed meanwhile does not come back.

    Raises:
        StorageError: it cannot be made, or the folder above has become a link.
    """
    require_no_link(path.parent)
    with storage_errors(path):
        path.mkdir(FOLDER_MODE, exist_ok=True)


def require_no_link(folder: Path) -> None:
    """Refuses a run's folder in whose place somebody has put a link: nothing is written where it points.

    Raises:
        StorageError: it is a link.
    """
    with storage_errors(folder):
        if folder.is_symlink():
            raise OSError(errno.ELOOP, "has become a symbolic link")


def append_line(path: Path, line: str) -> None:
    """Adds a whole line to a log, or nothing; one that a crash has cut off is ended before."""
    require_no_link(path.parent)
    with storage_errors(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_FOLLOW | _BINARY
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and _byte_at(descriptor, size - 1) != b"\n"
            data = ("\n" * torn + line + "\n").encode()
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def _byte_at(descriptor: int, place: int) -> bytes:
    os.lseek(descriptor, place, os.SEEK_SET)
    return os.read(descriptor, 1)


def sync_directory(path: Path) -> None:
    """Makes a rename in this folder durable; systems that cannot open a folder go without."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems do not sync folders; only that is forgiven
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool | None:
    """Whether somebody holds the kernel lock on this file; None where the system cannot be asked.

    The question holds a shared lock for some microseconds, and never waits.
    """
    try:
        import fcntl
    except ImportError:  # not POSIX
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(descriptor)
    return False


def read_file(path: Path, *, limit: int) -> bytes:
    """The bytes of a regular file of a run, no link followed and never more than ``limit``.

    Raises:
        ArtifactRejected: missing, no regular file, too large, or unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        reason = "is missing" if error.errno == errno.ENOENT else f"cannot be opened ({error.strerror})"
        raise ArtifactRejected("artifact.unreadable", reason, where=str(path), hint=_VERIFY) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArtifactRejected("artifact.path", "is not a regular file", where=str(path), hint=_VERIFY)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ArtifactRejected("artifact.limit", f"is larger than {limit:,} bytes", where=str(path))
    return data


_VERIFY = "lstm-forecast runs verify RUN lists what is damaged; an older run can be promoted"


def parse_json(data: bytes, *, where: str) -> Any:
    """JSON of a run's file.

    Raises:
        ArtifactRejected: no JSON, or nested too deeply.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactRejected("artifact.json", "is not readable JSON", where=where, hint=_VERIFY) from error


def json_bytes(value: object) -> bytes:
    """JSON with a line break at the end; numbers that are not finite are a bug here."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextmanager
def held_lock(
    path: Path, *, timeout_s: float, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Holds a kernel lock on a file while the block runs; it ends with the process, however that ends.

    Who holds it stands beside it, for messages only: nothing is decided by it.

    Args:
        path: the lock file; its folder is made.
        timeout_s: how long somebody else may hold it.
        on_wait: told who holds it, before a wait.

    Raises:
        Busy: somebody else holds it longer than ``timeout_s``.
        StorageError: the lock file cannot be made.
    """
    from filelock import FileLock, Timeout

    def by() -> str:
        until = time.monotonic() + _TOLD_WITHIN_S
        while not about.exists() and time.monotonic() < until:  # he has it, and is about to say who he is
            time.sleep(0.01)
        return holder(about)

    make_directory(path.parent)
    lock, about = FileLock(path), path.with_name(path.name + ".json")
    with storage_errors(path):
        # Made here: filelock would give it the whole umask, or a mode without regard to the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, FILE_MODE))
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if timeout_s <= 0:
                    raise
                if on_wait is not None:
                    on_wait(by())
                lock.acquire(timeout=timeout_s)
        except Timeout:  # before OSError, of which it is a kind
            raise Busy(
                "run.locked",
                f"is held by {by()}; waited {timeout_s:g} s",
                where=str(path),
                hint="try again later; train waits with --wait 10m",
            ) from None
    try:
        write_atomic(about, json_bytes(_me()))
        yield
    finally:
        with suppress(OSError):
            about.unlink()
        lock.release()


def _me() -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "since": since}


def holder(about: Path) -> str:
    """Who holds a lock, in words; the file may be missing, old, or anything."""
    try:
        fields = parse_json(read_file(about, limit=10_000), where=str(about))
        return f"process {fields['pid']} on {fields['host']} since {fields['since']}"
    except (ArtifactRejected, KeyError, TypeError):
        return "another process"


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the system's errors into ours, the number kept."""
    try:
        yield
    except OSError as error:
        kind, hint = _KINDS.get(error.errno or 0, ("storage.io", _ELSEWHERE))
        reason = f"cannot be written: {error.strerror or error}"
        raise StorageError(kind, reason, where=str(path), hint=hint, errno=error.errno or 0) from error
