"""The forecast ledger: every forecast that was issued, and the actual values that arrived; one SQLite file.

A forecast is written once and never changed: what was issued is what is judged. An actual value is that of
the newest file it was read from. Each change is one transaction, so after a kill the file holds all of it or
nothing. Times are microseconds since the epoch, or row numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.runs.ledger_file import connected, damaged, known_errors

NAME = "ledger.sqlite"
SAME = 1e-6  # relative: forecasts that differ by less differ by the rounding of float32
_BLOCK = 50_000  # rows turned into arrays at once
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Issue:
    """Forecasts issued together by one run, as columns of N rows.

    Attributes:
        run_name: the run's name.
        run_id: the run's id.
        target: header of the column that is forecast.
        data_sha256: hash of the rows they continue.
        series: whose they are, N names.
        as_of: time of the last row known, [N].
        steps: 1 … H, [N].
        times: what they are about, [N].
        forecast: in original units, [N].
        naive: the last value known, [N].
        sources: what made each, N words.
        bounds: lower and upper by level in percent, each [N]; NaN where there is none.
    """

    run_name: str
    run_id: str
    target: str
    data_sha256: str
    series: Sequence[str]
    as_of: Integers
    steps: Integers
    times: Integers
    forecast: Floats
    naive: Floats
    sources: Sequence[str]
    bounds: Mapping[float, tuple[Floats, Floats]]


@dataclass(frozen=True)
class Recorded:
    """Rows of an issue that are new, that were there already, and that were there with another value."""

    new: int
    same: int
    different: int


@dataclass(frozen=True)
class Record:
    """Forecasts issued under one name, each beside what came: arrays [N].

    Attributes:
        series: names of the series.
        runs: number of runs that issued them.
        label: index into ``series``.
        as_of: time of the last row known.
        steps: 1 … H.
        times: what they are about.
        forecast: in original units.
        naive: the naive forecast issued at the same time.
        actual: NaN where it has not arrived.
        bounds: lower and upper by level in percent; NaN where there was none.
    """

    series: tuple[str, ...]
    runs: int
    label: Integers
    as_of: Integers
    steps: Integers
    times: Integers
    forecast: Floats
    naive: Floats
    actual: Floats
    bounds: Mapping[float, tuple[Floats, Floats]]


class Ledger:
    """An open ledger; see :func:`open_ledger`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @contextmanager
    def change(self, *, keep: bool) -> Iterator[None]:
        """One transaction; with ``keep`` False everything in it is undone at its end."""
        with known_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT" if keep else "ROLLBACK")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has ended the transaction already
                    self._connection.execute("ROLLBACK")
                raise

    def record(self, issue: Issue) -> Recorded:
        """Adds forecasts, inside :meth:`change`; of one that is there already the first is kept.

        A level that was not recorded with a forecast of the same value is added to it.
        """
        run = self._key("runs", {"name": issue.run_name, "id": issue.run_id})
        keys = self._series_keys(issue)
        series = [keys[name] for name in issue.series]
        places = list(zip(series, issue.as_of.tolist(), issue.steps.tolist(), strict=True))
        known = self._known(run, {place[:2] for place in places})
        fresh = [row for row, place in enumerate(places) if place not in known]
        rows, different = self._row_keys(places, known, issue.forecast)
        reading = self._reading(issue.data_sha256) if fresh else 0
        times, values, naive = issue.times.tolist(), issue.forecast.tolist(), issue.naive.tolist()
        self._connection.executemany(
            "INSERT INTO forecasts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    rows[n],
                    series[n],
                    run,
                    *places[n][1:],
                    times[n],
                    values[n],
                    naive[n],
                    issue.sources[n],
                    reading,
                )
                for n in fresh
            ),
        )
        for level, ends in issue.bounds.items():
            pairs = zip(*(end.tolist() for end in ends), strict=True)
            self._connection.executemany(
                "INSERT OR IGNORE INTO bounds VALUES (?, ?, ?, ?)",
                ((rows[n], level, *pair) for n, pair in enumerate(pairs) if n in rows and pair == pair),
            )
        return Recorded(len(fresh), len(rows) - len(fresh), different)

    def waiting(self, run_name: str, target: str) -> dict[str, Integers]:
        """The times that forecasts of a name are about, ascending, by series."""
        rows = self._columns(
            "SELECT DISTINCT f.series, f.time FROM forecasts f JOIN series s ON s.key = f.series"
            " WHERE s.run_name = ? AND s.target = ?",
            (run_name, target),
            (np.int64, np.int64),
        )
        names = dict(
            self._connection.execute(
                "SELECT key, name FROM series WHERE run_name = ? AND target = ?", (run_name, target)
            )
        )
        return {names[key]: np.sort(rows[1][rows[0] == key]) for key in np.unique(rows[0]).tolist()}

    def put_actuals(
        self,
        run_name: str,
        target: str,
        values: Mapping[str, tuple[Integers, Floats]],
        *,
        data_sha256: str,
    ) -> tuple[int, int]:
        """Stores actual values, inside :meth:`change`: times and finite values by series.

        Returns:
            How many are new, and how many were there with another value, which they replace.
        """
        reading, new, revised = 0, 0, 0
        for name, (times, actual) in values.items():
            key = self._key("series", {"run_name": run_name, "target": target, "name": name})
            known = dict(self._connection.execute("SELECT time, value FROM actuals WHERE series = ?", (key,)))
            pairs = zip(times.tolist(), actual.tolist(), strict=True)
            changed = [(time, value) for time, value in pairs if known.get(time) != value]
            if not changed:
                continue
            reading = reading or self._reading(data_sha256)
            self._connection.executemany(
                "INSERT OR REPLACE INTO actuals VALUES (?, ?, ?, ?)",
                ((key, time, value, reading) for time, value in changed),
            )
            revised += sum(time in known for time, _ in changed)
            new += sum(time not in known for time, _ in changed)
        return new, revised

    def read(
        self, run_name: str, target: str, *, run_id: str | None = None, series: str | None = None
    ) -> Record:
        """Every forecast issued under a name, or by one of its runs, or of one series, in no order."""
        where = "s.run_name = ? AND s.target = ?"
        where += " AND r.id = ?" if run_id is not None else ""
        where += " AND s.name = ?" if series is not None else ""
        words = tuple(word for word in (run_name, target, run_id, series) if word is not None)
        tables = "series s CROSS JOIN forecasts f ON f.series = s.key JOIN runs r ON r.key = f.run"
        keys, owners, runs, as_of, steps, times, forecast, naive, actual = self._columns(
            "SELECT f.key, f.series, f.run, f.as_of, f.step, f.time, f.forecast, f.naive, a.value"  # noqa: S608 - fixed words only
            f" FROM {tables} LEFT JOIN actuals a ON a.series = f.series AND a.time = f.time WHERE {where}",
            words,
            (*[np.int64] * 6, *[np.float64] * 3),
        )
        found, level, lower, upper = self._columns(
            f"SELECT b.forecast, b.level, b.lower, b.upper FROM {tables}"  # noqa: S608 - fixed words only
            f" CROSS JOIN bounds b ON b.forecast = f.key WHERE {where}",
            words,
            (np.int64, np.float64, np.float64, np.float64),
        )
        order = np.argsort(keys)
        if not np.isin(found, keys).all():
            raise damaged(self._path, "bounds without a forecast")
        row = order[np.searchsorted(keys, found, sorter=order)]
        bounds = {}
        for one in np.unique(level).tolist():
            ends = np.full((2, len(keys)), np.nan)
            ends[:, row[level == one]] = lower[level == one], upper[level == one]
            bounds[one] = (ends[0], ends[1])
        used, label = np.unique(owners, return_inverse=True)
        names = dict(self._connection.execute("SELECT key, name FROM series"))
        return Record(
            tuple(str(names[key]) for key in used.tolist()),
            len(np.unique(runs)),
            label.astype(np.int64),
            *(as_of, steps, times, forecast, naive, actual, bounds),
        )

    def _key(self, table: str, fields: Mapping[str, str]) -> int:
        """The key of the row with these fields, made if it is not there."""
        names, marks = ", ".join(fields), ", ".join("?" * len(fields))
        where = " AND ".join(f"{name} = ?" for name in fields)
        query = f"SELECT key FROM {table} WHERE {where}"  # noqa: S608 - fixed words only
        found = self._connection.execute(query, tuple(fields.values())).fetchone()
        if found is None:
            self._connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - fixed words only
                tuple(fields.values()),
            )
            found = self._connection.execute(query, tuple(fields.values())).fetchone()
        return self._checked(found[0], int)

    def _checked(self, value: object, kind: type[_Number]) -> _Number:
        """A cell of a damaged file may be of another kind, or empty.

        Raises:
            ArtifactRejected: it is.
        """
        if not isinstance(value, kind):
            raise damaged(self._path, f"found {value!r} in place of a number")
        return value

    def _series_keys(self, issue: Issue) -> dict[str, int]:
        common = {"run_name": issue.run_name, "target": issue.target}
        return {name: self._key("series", {**common, "name": name}) for name in dict.fromkeys(issue.series)}

    def _reading(self, data_sha256: str) -> int:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        done = self._connection.execute(
            "INSERT INTO readings (data_sha256, recorded_at) VALUES (?, ?)", (data_sha256, now)
        )
        return int(done.lastrowid or 0)

    def _known(
        self, run: int, origins: set[tuple[int, int]]
    ) -> dict[tuple[int, int, int], tuple[int, float]]:
        """Key and value of the forecasts that one run issued at these (series, as-of time)."""
        found = {}
        for series, as_of in origins:
            for step, key, value in self._connection.execute(
                "SELECT step, key, forecast FROM forecasts WHERE series = ? AND run = ? AND as_of = ?",
                (series, run, as_of),
            ):
                found[series, as_of, step] = (self._checked(key, int), self._checked(value, float))
        return found

    def _row_keys(
        self,
        places: Sequence[tuple[int, int, int]],
        known: Mapping[tuple[int, int, int], tuple[int, float]],
        values: Floats,
    ) -> tuple[dict[int, int], int]:
        """Key by row, without those that are there with another value; and how many those are."""
        (last,) = self._connection.execute("SELECT coalesce(max(key), 0) FROM forecasts").fetchone()
        rows, different = {}, 0
        for row, (place, value) in enumerate(zip(places, values.tolist(), strict=True)):
            if place not in known:
                last += 1
                rows[row] = last
            elif abs(known[place][1] - value) <= SAME * max(abs(known[place][1]), abs(value)):
                rows[row] = known[place][0]
            else:
                different += 1
        return rows, different

    def _columns(self, query: str, words: tuple[str, ...], kinds: Sequence[Any]) -> list[NDArray[Any]]:
        """The result of a query as one array per column; an empty cell is NaN.

        Raises:
            ArtifactRejected: a cell is not a number.
        """
        with known_errors(self._path):
            cursor = self._connection.execute(query, words)
            blocks = []
            try:
                while block := cursor.fetchmany(_BLOCK):
                    columns = zip(*block, strict=True)
                    blocks.append([np.array(c, dtype=k) for c, k in zip(columns, kinds, strict=True)])
            except (TypeError, ValueError, OverflowError) as error:
                raise damaged(self._path, str(error)) from error
        if not blocks:
            return [np.empty(0, dtype=kind) for kind in kinds]
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """A ledger, made if it is not there and brought to the newest schema.

    Raises:
        ArtifactRejected: damaged, another program's file, or of a newer schema.
        StorageError: it cannot be written.
        Busy: another process kept it for longer than 30 s.
    """
    with connected(path) as connection:
        yield Ledger(connection, path)
