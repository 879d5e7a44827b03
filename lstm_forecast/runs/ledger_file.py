"""The file that the forecast ledger is: its schema, its journal, and what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.errors import ArtifactRejected, Busy, ForecastError, StorageError
from lstm_forecast.runs.file_systems import file_system
from lstm_forecast.runs.storage import make_directory

BUSY_TIMEOUT_S = 30.0  # assumption: longer than any other process writes
_APPLICATION = 0x4C535446  # "LSTF", in the file's header: whose file it is
_REMEDY = "move it away; the next predict --record begins a new ledger"
_VERSION_1 = """
CREATE TABLE runs (key INTEGER PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (name, id));
CREATE TABLE series (
    key INTEGER PRIMARY KEY, run_name TEXT NOT NULL, target TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (run_name, target, name)
);
CREATE TABLE readings (key INTEGER PRIMARY KEY, data_sha256 TEXT NOT NULL, recorded_at TEXT NOT NULL);
CREATE TABLE forecasts (
    key INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series, run INTEGER NOT NULL REFERENCES runs,
    as_of INTEGER NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL,
    forecast REAL NOT NULL, naive REAL NOT NULL, source TEXT NOT NULL,
    reading INTEGER NOT NULL REFERENCES readings,
    UNIQUE (series, run, as_of, step)
);
CREATE TABLE bounds (
    forecast INTEGER NOT NULL REFERENCES forecasts, level REAL NOT NULL,
    lower REAL NOT NULL, upper REAL NOT NULL,
    PRIMARY KEY (forecast, level)
) WITHOUT ROWID;
CREATE TABLE actuals (
    series INTEGER NOT NULL REFERENCES series, time INTEGER NOT NULL, value REAL NOT NULL,
    reading INTEGER NOT NULL REFERENCES readings,
    PRIMARY KEY (series, time)
) WITHOUT ROWID;
"""
# What leads from each version of the schema to the next; the first makes an empty file version 1.
MIGRATIONS = (_VERSION_1,)


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """An open file of the newest schema, made if it is not there; transactions are the caller's.

    Raises:
        ArtifactRejected: damaged, another program's file, or of a newer schema.
        StorageError: it cannot be written.
        Busy: another process kept it for longer than 30 s.
    """
    make_directory(path.parent)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ArtifactRejected("artifact.path", "is not a regular file", where=str(path), hint=_REMEDY)
    with known_errors(path):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(connection, path)
            yield connection
        finally:
            connection.close()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Checks whose file it is, brings it to the newest schema and sets its journal."""
    connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
    connection.execute("PRAGMA trusted_schema = OFF")  # nothing in the file may call functions
    if _version(connection, path) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for script in MIGRATIONS[_version(connection, path) :]:  # another process may have been first
                for statement in script.split(";"):  # executescript would commit
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
    journal = journal_mode(path)
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != journal:
        with suppress(sqlite3.OperationalError):  # somebody else is at work: the next to open it sets it
            connection.execute(f"PRAGMA journal_mode = {journal}")


def journal_mode(path: Path) -> str:
    """``wal`` on a local file system, where readers and a writer do not wait for each other; else ``delete``.

    A write-ahead log needs memory shared between processes, which network file systems do not give.
    """
    return "wal" if file_system(path.parent).local else "delete"


@dataclass(frozen=True)
class LedgerFacts:
    """What a ledger is, found out without changing it.

    Attributes:
        journal: ``wal`` or ``delete``, as the file has it.
        version: of the schema.
        forecasts: how many are recorded.
    """

    journal: str
    version: int
    forecasts: int


def ledger_facts(path: Path) -> LedgerFacts | None:
    """Facts of the ledger at this path; None where there is none.

    Raises:
        ArtifactRejected: damaged, another program's file, or of a newer schema.
        StorageError: it cannot be read.
        Busy: another process keeps it.
    """
    if not (path.exists() or path.is_symlink()):
        return None
    if path.is_symlink() or not path.is_file():
        raise ArtifactRejected("artifact.path", "is not a regular file", where=str(path), hint=_REMEDY)
    try:
        with path.open("rb") as file:
            head = file.read(20)
        log = path.with_name(f"{path.name}-wal")
        in_use = log.is_file() and log.stat().st_size > 0
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise StorageError("storage.io", reason, where=str(path), errno=error.errno or 0) from error
    # A mere question would leave a write-ahead log behind; where one is there already, its rows count.
    mode = "mode=ro" if in_use else "mode=ro&immutable=1"
    with (
        known_errors(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as opened,
    ):
        opened.execute("PRAGMA trusted_schema = OFF")
        version = _version(opened, path)
        count = opened.execute("SELECT count(*) FROM forecasts").fetchone()[0] if version else 0
    return LedgerFacts("wal" if head[18:19] == b"\x02" else "delete", version, int(count))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema; 0 of an empty file.

    Raises:
        ArtifactRejected: another program's file, or a newer schema.
    """
    version, application, count = connection.execute(  # at once: another process may be making the file
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if (version, application, count) != (0, 0, 0) and (application != _APPLICATION or version < 1):
        raise ArtifactRejected("ledger.foreign", "is not a forecast ledger", where=str(path), hint=_REMEDY)
    if version > len(MIGRATIONS):
        raise ArtifactRejected(
            "ledger.version",
            f"was written by a newer program: version {version}, expected at most {len(MIGRATIONS)}",
            where=str(path),
            hint="pip install --upgrade lstm-forecast",
        )
    return int(version)


def damaged(path: Path, reason: str) -> ArtifactRejected:
    """The error of a ledger that makes no sense."""
    return ArtifactRejected("ledger.damaged", f"cannot be read: {reason}", where=str(path), hint=_REMEDY)


@contextmanager
def known_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _as_known(error, path) from error
    except UnicodeDecodeError as error:  # of a message that quotes a damaged schema, or of a damaged cell
        raise damaged(path, str(error)) from error


def _as_known(error: sqlite3.Error, path: Path) -> ForecastError:
    code, where = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF, str(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(
            "ledger.busy",
            f"another process has kept it for {BUSY_TIMEOUT_S:g} s",
            where=where,
            hint="try again",
        )
    if code == sqlite3.SQLITE_FULL:
        return StorageError(
            "storage.full", "cannot be written: no space left", where=where, hint="free some space"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError(
            "storage.readonly",
            f"cannot be written: {error}",
            where=where,
            hint="choose a folder that can be written (--runs-dir)",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError("storage.io", f"input or output failed: {error}", where=where)
    return damaged(path, str(error))
