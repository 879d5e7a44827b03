"""Rows gathered into periods: ticks into minutes, hours into days, days into months; whole periods only.

A period holds the rows from its first moment up to, not including, the first moment of the next one. It is
dated as pandas dates it: by its first moment, and weeks and the offsets ME, QE and YE by their last day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.assemble import gather
from lstm_forecast.data.calendars import (
    DAY,
    Frequency,
    expected_times,
    infer_frequency,
    next_times,
    times_before,
)
from lstm_forecast.data.findings import Notice, plural
from lstm_forecast.data.offsets import parse_offset
from lstm_forecast.data.table import Table, after_last_target, with_rows
from lstm_forecast.data.values import LARGEST
from lstm_forecast.data.zones import calendar_times, offsets_at, readings, wall_times
from lstm_forecast.errors import DataInvalid, UsageError

How = Literal["sum", "mean", "last"]
Times = NDArray[np.int64]
_HOUR = 3_600_000_000  # microseconds
_FIXED = {"D": DAY, "h": _HOUR, "min": 60_000_000, "s": 1_000_000, "ms": 1_000}
_MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}


@dataclass(frozen=True)
class Periods:
    """Consecutive stretches of time.

    Attributes:
        unit: ``time`` (microseconds, counted from midnight or from a day of the week) or ``month``.
        step: microseconds or months from one period to the next.
        phase: microseconds or months from 1 January 1970 to the first moment of some period.
        at_end: whether a period is dated by its last day, not by its first moment.
    """

    unit: Literal["time", "month"]
    step: int
    phase: int = 0
    at_end: bool = False

    def begins(self, walls: Times) -> Times:
        """The first moment of the period of each time, by the same clock."""
        if self.unit == "time":
            return (walls - self.phase) // self.step * self.step + self.phase
        return _month_begins((_months(walls) - self.phase) // self.step * self.step + self.phase)

    def ends(self, begins: Times) -> Times:
        """The first moment after the periods that begin at these times."""
        if self.unit == "time":
            return begins + self.step
        return _month_begins(_months(begins) + self.step)

    def labels(self, begins: Times) -> Times:
        """The times that date the periods."""
        return self.ends(begins) - DAY if self.at_end else begins


def _months(walls: Times) -> Times:
    return walls.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _month_begins(months: Times) -> Times:
    return months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)


def parse_periods(to: str) -> Periods:
    """The periods that a pandas offset names.

    Raises:
        UsageError: it names none, or periods whose borders would depend on the first row of the file.
    """
    offset = parse_offset(to)
    name, count = ("", 0) if offset is None else (offset.rule_code.split("-")[0], offset.n)
    if name in _FIXED and count >= 1 and DAY % (_FIXED[name] * count) == 0:
        return Periods("time", _FIXED[name] * count)
    if name == "W" and count == 1:
        last = 6 if offset.weekday is None else offset.weekday  # Monday is 0, and 1 January 1970 a Thursday
        return Periods("time", 7 * DAY, (last - 2) % 7 * DAY, at_end=True)
    if name in _MONTHS and count == 1:
        step, at_end = _MONTHS[name], name.endswith("E")
        month = getattr(offset, "startingMonth", getattr(offset, "month", 1))
        return Periods("month", step, (month if at_end else month - 1) % step, at_end=at_end)
    raise UsageError(
        "data.resample",
        f"{to!r} is not a period that rows can be gathered into",
        where="data.resample.to",
        hint="use parts of a day such as 15min or h, or D, W, W-FRI, MS, ME, QS, QE, YS or YE",
    )


def resample(table: Table, *, to: str, how: How, strict: bool = False, future: int = 0) -> Table:
    """One row per series and period, of every period that is whole and has rows; the account says so.

    Every column, covariates too, is treated alike; empty cells are left out, and a period without any value
    in a column has an empty cell there. A period without rows has none: that is a gap of the new rhythm.
    The first and the last period of a series are left out where rows of it are missing, see :func:`_whole`.
    A period whose target is not known to its end has none: the sum of half a day is no day's.

    Args:
        table: sorted by series and time.
        to: a pandas offset.
        how: what becomes of the values of a period.
        strict: whether a period within the series that lacks rows is an error, not a warning.
        future: P, number of future covariates, the last columns; with any, rows after the last target are
            steps to be forecast.

    Raises:
        UsageError: an offset that names no period.
        DataInvalid: ``data.resample`` for rows without dates or without a whole period, ``data.range`` for
            sums that are too large, ``data.partial_periods`` where ``strict``.
    """
    periods = parse_periods(to)
    if table.time_format.kind == "row":
        raise _refused(table, "the rows have numbers and no dates", "name the column of the times: data.time")
    groups = _grouped(table, periods, future)
    keep = _whole(groups, how)
    if not keep.any():
        raise _refused(table, f"no period of {to} is whole", "give more rows, or a shorter data.resample.to")
    first = groups.first[keep]
    found = with_rows(
        table,
        series=table.series[first],
        times=_moments(periods.labels(groups.begins[keep]), table.zone, periods),
        values=_gathered(groups, how)[keep],
        lines=table.lines[first],
    )
    partial = () if how == "last" else _partial(groups, keep, found)
    if partial and strict:
        hint = "complete the rows, or set data.strict: false"
        raise DataInvalid(partial[0].id, partial[0].message, where=table.source.path, hint=hint)
    account = (*table.account, _said(groups, keep, found, f"{to} by {how}"))
    return replace(found, account=account, notices=(*table.notices, *partial))


@dataclass(frozen=True)
class _Groups:
    """The rows of a table by P periods of a series.

    Attributes:
        table: sorted by series and time.
        periods: of which kind.
        rhythm: of the rows.
        first: [P] the first row of each period.
        begins: [P] where each period begins, as :func:`_begins` has it.
        open: [P] whether rows of the period lie after the last target of their series.
        future: number of future covariates.
    """

    table: Table
    periods: Periods
    rhythm: Frequency
    first: NDArray[np.intp]
    begins: Times
    open: NDArray[np.bool_]
    future: int

    @property
    def series(self) -> NDArray[np.int64]:
        """[P] the series of each period."""
        return self.table.series[self.first]

    @property
    def last(self) -> NDArray[np.intp]:
        """[P] the last row of each period."""
        return np.append(self.first[1:], len(self.table.times)) - 1


def _grouped(table: Table, periods: Periods, future: int) -> _Groups:
    begins = _begins(table.times, table.zone, periods)
    first = np.flatnonzero(np.append(True, (np.diff(table.series) != 0) | (np.diff(begins) != 0)))
    borders = np.searchsorted(table.series, np.arange(1, len(table.series_ids)))
    rhythm = infer_frequency(np.split(table.times, borders), table.zone)
    ahead = after_last_target(table) if future else np.zeros(len(table.times), dtype=np.bool_)
    return _Groups(table, periods, rhythm, first, begins[first], np.logical_or.reduceat(ahead, first), future)


def _begins(times: Times, zone: str, periods: Periods) -> Times:
    """Where each time's period begins, by the clock of the zone, or as a moment for an hour and less: [N]."""
    if not zone:
        return periods.begins(times)
    if _by_clock(periods):
        whole_days = periods.unit == "month" or periods.step >= DAY
        return periods.begins(calendar_times(times, zone) if whole_days else wall_times(times, zone))
    # The two hours of one name are two periods: they stay as far from UTC as their rows are.
    offsets = offsets_at(times, zone)
    return periods.begins(times + offsets) - offsets


def _by_clock(periods: Periods) -> bool:
    """Whether periods follow the clock where it is changed: an hour is an hour, a day has 23 to 25."""
    return periods.unit == "month" or periods.step > _HOUR


def _moments(borders: Times, zone: str, periods: Periods) -> Times:
    """Borders or dates of periods as moments."""
    return readings(borders, zone).first if zone and _by_clock(periods) else borders


def _gathered(groups: _Groups, how: How) -> NDArray[np.float64]:
    """The values of the periods: [P, C]; an open one has no target yet."""
    values = gather(groups.table.values, groups.first, how)
    values[groups.open, 0] = np.nan
    if (np.abs(values[~np.isnan(values)]) > LARGEST).any():
        hint = "write the numbers in a larger unit, or set data.resample.how: mean"
        where = groups.table.source.path
        raise DataInvalid("data.range", "the sum of a period is beyond ±3.4e38", where=where, hint=hint)
    return values


def _whole(groups: _Groups, how: How) -> NDArray[np.bool_]:
    """Which periods are whole, as far as the two ends of each series go: bool [P].

    The last period of a series is whole if the next row, by the rhythm of the rows, would lie behind it, and
    the first if the row before would. Rows without a rhythm say nothing of the next one: there a period is
    whole if the input has a row, of any series, beyond it. The last value of a first period is known anyway.
    """
    table, rhythm = groups.table, groups.rhythm
    keep = np.ones(len(groups.first), dtype=np.bool_)
    starts = _moments(groups.begins, table.zone, groups.periods)
    stops = _moments(groups.periods.ends(groups.begins), table.zone, groups.periods)
    begun, reached = table.times[groups.first], table.times[groups.last]
    oldest, newest = int(table.times.min()), int(table.times.max())
    heads = np.flatnonzero(np.append(True, np.diff(groups.series) != 0))
    tails = np.append(heads[1:], len(keep)) - 1
    for head, tail in zip(heads.tolist(), tails.tolist(), strict=True):
        due = _next(rhythm, int(reached[tail]))
        keep[tail] = (newest if due is None else due) >= stops[tail]
        if how != "last" and rhythm.regular:
            keep[head] &= not len(times_before(rhythm, int(begun[head]), since=int(starts[head])))
        elif how != "last":
            keep[head] &= oldest < starts[head]
    return keep


def _next(rhythm: Frequency, last: int) -> int | None:
    """When the next row is due; None where the rhythm does not say."""
    if not rhythm.regular:
        return None
    try:
        return int(next_times(rhythm, last, 1)[0])
    except DataInvalid:  # the last row lies beside the rhythm
        return None


def _partial(groups: _Groups, keep: NDArray[np.bool_], found: Table) -> tuple[Notice, ...]:
    """A warning of periods with fewer values than the rhythm has times; open ones have future ones alone.

    On a trading pattern a day with fewer rows is taken for a shorter day, as ``data.gaps: auto`` does.
    """
    table, rhythm = groups.table, groups.rhythm
    if not rhythm.regular or rhythm.trading:
        return ()
    counts = np.add.reduceat(~np.isnan(table.values), groups.first, axis=0, dtype=np.int64)
    observed = np.where(groups.open, counts[:, -groups.future :].min(axis=1), counts.min(axis=1))
    due = np.zeros(len(keep), dtype=np.int64)
    for mine in np.split(np.arange(len(keep)), np.flatnonzero(np.diff(groups.series)) + 1):
        span = table.times[[groups.first[mine[0]], groups.last[mine[-1]]]].tolist()
        begins = _begins(expected_times(rhythm, *span), table.zone, groups.periods)
        place = np.searchsorted(groups.begins[mine], begins)
        known = groups.begins[mine[np.minimum(place, len(mine) - 1)]] == begins
        due[mine] = np.bincount(place[known], minlength=len(mine))
    short = np.flatnonzero((observed < due)[keep])
    if not len(short):
        return ()
    first = found.time_format.format(found.times[short[:1]])[0]
    fewer = f"fewer values than the {due[keep][short[0]]:,} that {rhythm} rows give"
    message = f"{plural(len(short), 'resampled period')} with {fewer}; the first is {first}"
    return (Notice("data.partial_periods", message),)


def _said(groups: _Groups, keep: NDArray[np.bool_], found: Table, what: str) -> str:
    count = f"{plural(len(groups.table.times), 'row')} became {plural(len(found.times), 'row')}"
    left_out = plural(int((~keep).sum()), "period")
    rest = "" if keep.all() else f"; {left_out} left out, because rows at the start or the end are missing"
    first, last = found.time_format.format(np.array([found.times.min(), found.times.max()]))
    return f"resampled to {what}: {count}, from {first} to {last}{rest} (data.resample)"


def _refused(table: Table, what: str, remedy: str) -> DataInvalid:
    hint = f"{remedy}; or remove data.resample"
    return DataInvalid("data.resample", what, where=table.source.path, hint=hint)
