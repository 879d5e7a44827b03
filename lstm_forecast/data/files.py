"""Which files a data path means: one file, the CSVs of a folder, or all that a pattern fits."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.data.source import is_remote
from lstm_forecast.errors import DataInvalid, DataMissing, nearest

MOST_FILES = 100_000
_WILD = frozenset("*?[")
_SUFFIXES = (".csv", ".csv.gz")  # of the files that a folder means
_SHOWN = 5


@dataclass(frozen=True)
class FileSet:
    """Several files that are read as one input.

    Attributes:
        path: what was given, absolute: a folder or a pattern.
        root: the folder above the first wildcard.
        names: the files below it, sorted, with ``/`` between folders whatever the system.
    """

    path: str
    root: str
    names: tuple[str, ...]

    def place(self, name: str) -> str:
        """The absolute path of one of the files."""
        return os.path.join(self.root, *name.split("/"))  # noqa: PTH118 - a Path per file is slow for 100,000


def is_many(path: str) -> bool:
    """Whether a path is a folder or a pattern; what exists under a name with wildcards is that file."""
    if path == "-" or is_remote(path):
        return False
    return _folder_exists(path) if os.path.lexists(path) else not _WILD.isdisjoint(path)


def is_there(path: str) -> bool:
    """Whether a path can be read again: a file that is there, or a folder or pattern with at least one.

    Raises:
        DataMissing: a folder cannot be listed.
        DataInvalid: it means more files than are read.
    """
    if path == "-":
        return False
    return bool(_names(*_parted(path))) if is_many(path) else Path(path).is_file()


def find_files(path: str) -> FileSet:
    """The files of a folder (``*.csv`` and ``*.csv.gz`` in it) or of a pattern; hidden ones are left out.

    ``*``, ``?`` and ``[a-c]`` stand for parts of a name and ``**`` for any folders, linked ones apart.
    Nothing else is expanded. The folders that exist as they are written are taken so, wildcards and all.

    Raises:
        DataMissing: there are none, or a folder cannot be listed.
        DataInvalid: there are more than 100,000.
    """
    given = str(Path(path).absolute())
    root, parts = _parted(given)
    names = _names(root, parts)
    if not names:
        raise _none(given, root, parts)
    return FileSet(given, root, tuple(sorted(names)))


def folder_name(path: str) -> str:
    """The name of the folder that a folder or pattern begins with."""
    return Path(_parted(path)[0]).name


def labels(found: FileSet) -> tuple[str, ...]:
    """The name of each file as a series: its stem; where several have one, the path below the root.

    Raises:
        DataInvalid: two files differ in their suffix only, or a name is not UTF-8.
    """
    whole = [without_suffix(name) for name in found.names]
    stems = [name.rpartition("/")[2] for name in whole]
    often = Counter(stems)
    chosen = [stem if often[stem] == 1 else name for stem, name in zip(stems, whole, strict=True)]
    first: dict[str, str] = {}
    for label, name in zip(chosen, found.names, strict=True):
        if label in first:
            raise DataInvalid(
                "data.same_name",
                f"this file and {first[label]} would both be the series {label!r}",
                where=found.place(name),
                hint="move one of them away, or narrow the pattern: data.path: '…/*.csv'",
            )
        if not _is_text(label):
            raise DataInvalid(
                "data.file_name",
                "the name is not UTF-8, and would be the name of a series",
                where=found.place(name).encode(errors="replace").decode(),
                hint="rename the file",
            )
        first[label] = name
    return tuple(chosen)


def series_names(label: str, ids: Sequence[str]) -> tuple[str, ...]:
    """The series of one file among many: named by the file, and by their own ids where there are several."""
    return (label,) if len(ids) == 1 else tuple(f"{label}/{own}" for own in ids)


def without_suffix(name: str) -> str:
    """The name of a file without ``.csv`` and the like: ``a/x.csv.gz`` is ``a/x``."""
    folder, slash, last = name.rpartition("/")
    plain = last[:-3] if last.lower().endswith(".gz") else last
    return folder + slash + (Path(plain).stem or last)


def fingerprint(names: Sequence[str], digests: Sequence[str]) -> str:
    """One SHA-256 over the names and hashes of several files: any change, also of a name, changes it.

    It is that of the list which ``sha256sum`` writes of the files, sorted by name. In the folder of a pattern
    ``*.csv``: ``LC_ALL=C sh -c 'sha256sum *.csv' | sha256sum``.

    Args:
        names: as in :class:`FileSet`.
        digests: the SHA-256 of each file's bytes, in hexadecimal.
    """
    lines = []
    for name, digest in sorted(zip(names, digests, strict=True)):
        shown = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(("\\" if shown != name else "") + f"{digest}  {shown}\n")
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def sha256_of_input(path: str) -> str:
    """The hash of an input without reading it as a table: of a file its own, else :func:`fingerprint`.

    Raises:
        DataMissing: it is not there, or cannot be read.
    """
    if not is_many(path):
        return _digest(path)
    found = find_files(path)
    return fingerprint(found.names, [_digest(found.place(name)) for name in found.names])


def digest_or_none(path: str) -> str | None:
    """The SHA-256 of a file's bytes; None where they cannot be read."""
    try:
        return _digest(path)
    except DataMissing:
        return None


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise DataMissing("data.not_found", message, where=path, hint="check its permissions") from None


def _parted(path: str) -> tuple[str, tuple[str, ...]]:
    """The folder that exists as it is written, and the parts of the pattern below it; none for a folder."""
    first, *rest = Path(path).absolute().parts
    root = Path(first)
    while rest and _folder_exists(root / rest[0]):
        root /= rest.pop(0)
    parts: list[str] = []
    for part in rest:
        if part != "**" or parts[-1:] != ["**"]:
            parts.append(part)
    return str(root), tuple(parts)


def _folder_exists(path: str | Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a folder above is closed


def _names(root: str, parts: tuple[str, ...]) -> set[str]:
    """The files below a folder that fit a pattern; without one, its CSVs."""
    found: set[str] = set()
    steps = [("", parts or ("*",))]
    taken = set(steps)  # several ** reach one folder in several ways
    while steps:
        below, (head, *rest) = steps.pop()
        further = [(below, tuple(rest) or ("*",))] if head == "**" else []
        for entry in _entries(os.path.join(root, below)):  # noqa: PTH118
            if not _shown(entry, head):
                continue
            name = below + entry.name
            if head == "**":
                if not entry.is_symlink() and _is_folder(entry):
                    further.append((name + "/", (head, *rest)))
            elif fnmatch.fnmatch(entry.name, head):
                if rest and _is_folder(entry):
                    further.append((name + "/", tuple(rest)))
                elif not rest and _is_file(entry) and (parts or _is_table(name)):
                    found.add(name)
        _require_few(found, os.path.join(root, *parts))  # noqa: PTH118
        steps += [step for step in further if step not in taken]
        taken.update(further)
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # a folder that went away since it was listed: the files in it did too
        return []
    except OSError as error:
        raise DataMissing(
            "data.not_found",
            f"the folder cannot be listed: {error.strerror}",
            where=folder,
            hint="check its permissions",
        ) from None


def _shown(entry: os.DirEntry[str], pattern: str) -> bool:
    """Whether an entry is not hidden, or the pattern asks for hidden ones."""
    return not entry.name.startswith(".") or pattern.startswith(".")


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A file, a link to one, or a broken link: reading that says what is wrong."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
    except OSError:
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_table(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _require_few(found: set[str], path: str) -> None:
    if len(found) > MOST_FILES:
        raise DataInvalid(
            "data.limit",
            f"more than {MOST_FILES:,} files",
            where=path,
            hint="narrow the pattern, or join the files into one CSV with a column of names (data.series_id)",
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _none(path: str, root: str, parts: tuple[str, ...]) -> DataMissing:
    """No file fits: what is there instead, and what may have been meant."""
    entries = [entry for entry in _entries(root) if _shown(entry, "*")]
    there = sorted(entry.name for entry in entries if _is_file(entry))
    listed = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    details = [f"files in {root}: {listed}"] if there else []
    if not parts:
        example = Path(there[0]).suffix if there else ""
        hint = f"name them by a pattern: '{root}/*{example}'" if example else "put one CSV per series into it"
        return DataMissing(
            "data.not_found", "no *.csv and no *.csv.gz in the folder", where=path, details=details, hint=hint
        )
    hint = "check the pattern"
    if len(parts) > 1 and _WILD.isdisjoint(parts[0]):
        near = nearest(parts[0], sorted(entry.name for entry in entries if entry.is_dir()))
        hint = f"the folder {Path(root, parts[0])} does not exist; check the path"
        if near:
            hint = f"did you mean '{Path(root, near, *parts[1:])}'?"
    elif any(map(_is_table, there)):
        hint = f"did you mean '{Path(root, '*.csv')}'?"
    elif near := nearest(parts[-1], there):
        hint = f"did you mean {Path(root, near)}?"
    return DataMissing("data.not_found", "no file fits this pattern", where=path, details=details, hint=hint)
