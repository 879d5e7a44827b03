"""From rows to series: who a row belongs to, the order of time, and several rows at one time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.findings import plural
from lstm_forecast.data.rows import Coded
from lstm_forecast.errors import DataInvalid

Order = Literal["sorted", "newest first", "unsorted"]
Policy = Literal["error", "first", "last", "sum", "mean"]
_STRAY = 0.01  # share of rows that may still meet at one time when an id column is taken for the series


@dataclass(frozen=True)
class Membership:
    """The series of each row."""

    codes: NDArray[np.int64]  # [N] index into ids
    ids: tuple[str, ...]
    column: int | None  # the id column; None: one series


@dataclass(frozen=True)
class Long:
    """Rows in long form, in any order."""

    series: NDArray[np.int64]  # [N]
    times: NDArray[np.int64]  # [N]
    values: NDArray[np.float64]  # [N, C]
    lines: NDArray[np.int64]  # [N]

    def take(self, rows: NDArray[np.int64]) -> Long:
        """Some rows, in the given order."""
        return Long(self.series[rows], self.times[rows], self.values[rows], self.lines[rows])


def choose_series(
    guesses: Iterable[tuple[int, Coded]], times: NDArray[np.int64] | None, *, rows: int, alone: str
) -> Membership:
    """The id column among those whose header suggests one.

    One that makes the times unique is needed; else one with a single value names the series; else there is
    none. Without times one whose values repeat is taken.

    Args:
        guesses: column number, and its cells as numbers and texts; the likeliest first.
        times: [N]; None: no time column.
        rows: how many rows there are.
        alone: the name of the series if there is no id column.
    """
    constant: Membership | None = None
    for column, (codes, ids) in guesses:
        if "" in ids:
            continue
        found = Membership(codes, ids, column)
        if len(ids) == 1:
            constant = constant or found
        elif times is None:
            if 2 * len(ids) <= rows:
                return found
        elif _tell_apart(codes, times):
            return found
    return constant or Membership(np.zeros(rows, dtype=np.int64), (alone,), None)


def _tell_apart(codes: NDArray[np.int64], times: NDArray[np.int64]) -> bool:
    """Whether times repeat, and hardly any do within a series."""
    within = 0
    if not _is_sorted(times, codes, strictly=True):  # then no series has a time twice
        order, _ = _order(codes, times)
        own = (codes, times) if order is None else (codes[order], times[order])
        within = int(np.count_nonzero(_same_as_before(*own)))
    if not within and np.count_nonzero(times == times[0]) > 1:
        return True
    clashes = len(times) - len(np.unique(times))
    return clashes > 0 and within <= _STRAY * clashes


def _order(series: NDArray[np.int64], times: NDArray[np.int64]) -> tuple[NDArray[np.int64] | None, Order]:
    """The order by series and time, rows of one time as they were; None where they have it already.

    And how the rows of each series lie in the file.
    """
    if _is_sorted(series, times):
        return None, "sorted"
    by_series = np.argsort(series, kind="stable")
    if (times[1:] >= times[:-1]).all():
        return by_series, "sorted"
    series, own = series[by_series], times[by_series]
    if _is_sorted(series, own):
        return by_series, "sorted"
    is_newest_first = ((own[1:] <= own[:-1]) | (series[1:] != series[:-1])).all()
    order = by_series[np.lexsort((own, series))]
    return order, "newest first" if is_newest_first else "unsorted"


def _is_sorted(first: NDArray[np.int64], then: NDArray[np.int64], *, strictly: bool = False) -> bool:
    """Whether rows ascend by one number, and by another where that is the same."""
    later = np.greater(then[1:], then[:-1]) if strictly else np.greater_equal(then[1:], then[:-1])
    return bool(((first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & later)).all())


def _same_as_before(series: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (series[1:] == series[:-1]) & (times[1:] == times[:-1])
    return found


def number_rows(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers 1, 2, … within each series, in file order."""
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    starts = np.searchsorted(ranked, ranked)
    numbers = np.empty_like(codes)
    numbers[order] = np.arange(len(codes)) - starts + 1
    return numbers


def spread(
    targets: NDArray[np.float64],
    covariates: NDArray[np.float64],
    times: NDArray[np.int64],
    lines: NDArray[np.int64],
) -> Long:
    """A wide table in long form: one series per target column.

    Args:
        targets: [n, S].
        covariates: [n, P], the same for every series.
        times: [n].
        lines: [n].
    """
    rows, count = targets.shape
    values = np.concatenate([targets.T.reshape(-1, 1), np.tile(covariates, (count, 1))], axis=1)
    return Long(np.repeat(np.arange(count), rows), np.tile(times, count), values, np.tile(lines, count))


def arrange(table: Long) -> tuple[Order, Long]:
    """How the rows of each series lie in the file; and the rows sorted by series and time.

    Rows at one time keep their order in the file.
    """
    order, how = _order(table.series, table.times)
    return how, table if order is None else table.take(order)


def repeats(table: Long) -> NDArray[np.bool_]:
    """Which rows of a sorted table have series and time of the row before: [N]."""
    again = np.zeros(len(table.times), dtype=np.bool_)
    again[1:] = _same_as_before(table.series, table.times)
    return again


def merge_duplicates(
    table: Long, policy: Policy, *, ids: Sequence[str], time_format: TimeFormat, name: str, remedy: str
) -> tuple[Long, int]:
    """One row per series and time, of a sorted table, and how many rows that took away.

    ``sum`` and ``mean`` leave empty cells out; a cell that is empty in every row stays empty.

    Raises:
        DataInvalid: ``data.duplicates`` under the policy ``error``.
    """
    again = repeats(table)
    count = int(again.sum())
    if not count:
        return table, 0
    if policy == "error":
        raise _duplicates(table, again, ids=ids, time_format=time_format, name=name, remedy=remedy)
    starts = np.flatnonzero(~again)
    if policy == "last":
        return table.take(np.append(starts[1:], len(again)) - 1), count
    merged = table.take(starts)
    if policy in ("sum", "mean"):
        values = gather(table.values, starts, policy)
        merged = Long(merged.series, merged.times, values, merged.lines)
    return merged, count


def gather(
    values: NDArray[np.float64], starts: NDArray[np.intp], how: Literal["sum", "mean", "last"]
) -> NDArray[np.float64]:
    """One row for each stretch of rows: [P, C]. Empty cells are left out; all of them empty stay empty.

    Args:
        values: [N, C].
        starts: [P] the first row of each stretch, ascending from 0.
        how: what becomes of the values of a stretch.
    """
    present = ~np.isnan(values)
    if how == "last":
        rows = np.where(present, np.arange(len(values))[:, None], -1)
        newest = np.maximum.reduceat(rows, starts, axis=0)
        return np.where(newest >= 0, np.take_along_axis(values, np.maximum(newest, 0), axis=0), np.nan)
    filled = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    totals = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    totals = np.where(filled > 0, totals, np.nan)
    return totals / np.maximum(filled, 1) if how == "mean" else totals


def _duplicates(
    table: Long,
    again: NDArray[np.bool_],
    *,
    ids: Sequence[str],
    time_format: TimeFormat,
    name: str,
    remedy: str,
) -> DataInvalid:
    second = int(np.argmax(again))
    moment = time_format.format(table.times[second : second + 1])[0]
    whose = f" of series {ids[int(table.series[second])]!r}" if len(ids) > 1 else ""
    same = (table.series == table.series[second]) & (table.times == table.times[second])
    places = ", ".join(str(line) for line in sorted(table.lines[same])[:4])
    policies = "data.duplicates: last (or first, sum, mean)"
    if _at_night_on_sundays(table.times[again], time_format):
        remedy = "if clocks were put back then, name their zone: data.timezone: Europe/Berlin"
    return DataInvalid(
        "data.duplicates",
        f"several rows at {moment}{whose}: lines {places}",
        where=f"{name}:{table.lines[second]}",
        details=[f"{plural(int(again.sum()), 'row')} in all repeat a time"],
        hint=f"{remedy}, or keep one: {policies}" if remedy else f"keep one of them: {policies}",
    )


def _at_night_on_sundays(times: NDArray[np.int64], form: TimeFormat) -> bool:
    """Whether times without a zone all lie where most clocks are put back."""
    local = form.kind in ("datetime", "iso") and not form.zone and not form.timezone
    hours = times // 3_600_000_000
    return local and bool((((hours // 24 + 3) % 7 == 6) & (hours % 24 < 4)).all())
