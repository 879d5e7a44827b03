"""The bytes of a data file: where they come from, and what they are."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from lstm_forecast.data.kinds import require_text
from lstm_forecast.errors import Busy, DataInvalid, DataMissing, UsageError, nearest

_CHUNK = 2**20  # bytes read at once; also the longest line
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|:)")  # two letters at least: C:/ is a drive


@dataclass(frozen=True)
class RawFile:
    """A file's content, decompressed, with the hash and size of the bytes as they lay on disk."""

    name: str
    path: str
    sha256: str
    size_bytes: int
    data: bytes
    compressed: bool


@dataclass(frozen=True)
class Text:
    """A file's content with the encoding that was found to read all of it."""

    name: str
    data: bytes
    encoding: str

    def lines(self) -> TextIO:
        """The lines, each ending in a newline whatever it was in the file; decoded as they are read."""
        return io.TextIOWrapper(io.BytesIO(self.data), encoding=self.encoding, newline=None)

    def line(self, number: int) -> str:
        """One line, counted from 1, without its end."""
        for count, line in enumerate(self.lines(), start=1):
            if count == number:
                return line.rstrip("\n")
        return ""

    def ends_with_newline(self) -> bool:
        """Whether the last line is closed."""
        tail = self.data[-4:]
        return tail.rstrip(b"\x00").endswith((b"\n", b"\r")) or not tail


def is_remote(path: str) -> bool:
    """Whether a path is an address, such as one that begins with ``https://`` or ``s3://``."""
    return _REMOTE.match(path) is not None


def load(path: str | Path, max_bytes: int) -> RawFile:
    """The bytes of a path, or of stdin for ``-``; gzip is undone.

    Raises:
        UsageError: a remote address, or ``-`` on a terminal.
        DataMissing: nothing there, a directory, or not readable.
        DataInvalid: not text, longer than ``max_bytes``, or a line longer than 1 MiB.
        Busy: the file changed while it was read.
    """
    name = str(path)
    if is_remote(name):
        raise UsageError(
            "data.remote_disabled",
            "remote addresses are not read",
            where=name,
            hint="download the file first and give its path, or pipe it in: curl ... | lstm-forecast ... -",
        )
    raw = _read_stdin(max_bytes) if name == "-" else _read_path(name, max_bytes)
    digest = hashlib.sha256(raw).hexdigest()
    compressed = raw[:2] == b"\x1f\x8b"
    data = _unzip(raw, name, max_bytes) if compressed else raw
    require_text(data, name)
    absolute = name if name == "-" else str(Path(name).absolute())
    return RawFile(name, absolute, digest, len(raw), data, compressed)


def _read_stdin(max_bytes: int) -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise DataMissing("data.not_found", "standard input is closed", where="-", hint="pipe a CSV into it")
    if sys.stdin.isatty():
        raise UsageError(
            "data.stdin",
            "- reads standard input, and that is a terminal",
            where="-",
            hint="pipe a CSV into it: cat prices.csv | lstm-forecast train -",
        )
    return _read_all(sys.stdin.buffer, "-", max_bytes)


def _read_path(name: str, max_bytes: int) -> bytes:
    try:
        with Path(name).open("rb") as stream:
            before = os.fstat(stream.fileno())
            raw = _read_all(stream, name, max_bytes)
            after = os.fstat(stream.fileno())
        now = Path(name).stat()
    except FileNotFoundError:
        raise _not_found(name) from None
    except IsADirectoryError:
        raise DataMissing(
            "data.not_found", "is a directory, expected a file", where=name, hint="name one CSV file in it"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataMissing(
            "data.not_found",
            f"cannot be read: {reason}",
            where=name,
            hint="check the path and its permissions",
        ) from None
    if stat.S_ISREG(before.st_mode) and not identity(before) == identity(after) == identity(now):
        raise Busy(
            "data.changed",
            "the file changed while it was read",
            where=name,
            hint="try again when the program that writes it has finished",
        )
    return raw


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """What changes when a file is replaced or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _not_found(name: str) -> DataMissing:
    folder = Path(name).parent
    try:
        siblings = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return DataMissing(
            "data.not_found",
            f"no such file: the folder {folder} does not exist",
            where=name,
            hint="check the path",
        )
    guess = nearest(Path(name).name, siblings)
    tables = [s for s in siblings if s.lower().endswith((".csv", ".tsv", ".txt", ".csv.gz"))][:5]
    hint = f"did you mean {folder / guess}?" if guess else "check the path"
    details = [f"files there: {', '.join(tables)}"] if tables and not guess else []
    return DataMissing("data.not_found", "no such file", where=name, details=details, hint=hint)


def _read_all(stream: BinaryIO, name: str, max_bytes: int) -> bytes:
    size = _size_of(stream)
    begin = 0 if size is None else stream.tell()
    first = stream.read(_CHUNK)
    is_zipped = first[:2] == b"\x1f\x8b"
    if not is_zipped:
        require_text(first, name)
    if size is not None and size <= max_bytes:  # into memory that is taken once
        stream.seek(begin)
        raw = stream.read()
        if not is_zipped:
            _require_short_lines(raw, name)
        return raw
    chunks = _limited(_chunks(stream, first), name, max_bytes)
    return b"".join(chunks if is_zipped else _short_lines(chunks, name))


def _size_of(stream: BinaryIO) -> int | None:
    """The size of a regular file; None of what comes through a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _chunks(stream: BinaryIO, first: bytes = b"") -> Iterator[bytes]:
    chunk = first or stream.read(_CHUNK)
    while chunk:
        yield chunk
        chunk = stream.read(_CHUNK)


def _unzip(raw: bytes, name: str, max_bytes: int) -> bytes:
    """Two passes, so that a bomb is measured before memory is spent on it."""
    try:
        for _ in _short_lines(_limited(_members(raw), name, max_bytes), name):
            pass
        return b"".join(_members(raw))
    except (EOFError, OSError, zlib.error) as error:
        raise DataInvalid(
            "data.gzip",
            f"the gzip data is damaged: {error}",
            where=name,
            hint=f"copy the file again, and test it with: gzip -t {name}",
        ) from None


def _members(raw: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _limited(chunks: Iterator[bytes], name: str, max_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise DataInvalid(
                "data.limit",
                f"more than {max_bytes:,} bytes (after decompression)",
                where=name,
                hint="if the file is meant to be that large, raise data.max_bytes",
            )
        yield chunk


def _short_lines(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Passes chunks on; a chunk is no longer than a line may be, so only lines across chunks are measured."""
    open_bytes = 0
    for chunk in chunks:
        open_bytes = _open_bytes(chunk, 0, len(chunk), open_bytes, name)
        yield chunk


def _require_short_lines(data: bytes, name: str) -> None:
    open_bytes = 0
    for start in range(0, len(data), _CHUNK):
        open_bytes = _open_bytes(data, start, min(start + _CHUNK, len(data)), open_bytes, name)


def _open_bytes(data: bytes, start: int, stop: int, before: int, name: str) -> int:
    """The length of the line that is open at the end of a stretch of bytes.

    Args:
        data: the bytes.
        start: of the stretch.
        stop: of the stretch; it is no longer than a line may be.
        before: length of the line that is open at its start.
        name: the file.
    """
    ends = [at for at in (data.find(b"\n", start, stop), data.find(b"\r", start, stop)) if at >= 0]
    if before + (min(ends) if ends else stop) - start > _CHUNK:
        raise DataInvalid(
            "data.limit",
            "a line is longer than 1 MiB",
            where=name,
            hint="this is not a table of rows; save it with one row per line",
        )
    if not ends:
        return before + stop - start
    return stop - max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) - 1
