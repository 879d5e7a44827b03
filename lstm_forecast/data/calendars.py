"""The rhythm of the rows: infer it, find the holes in it, continue it into the future.

Times are int64 microseconds since the epoch, or row numbers where a file has no time column. A stock
file has no row for a weekend and none is invented: its rhythm is the set of weekdays (and, within a day,
of clock times) seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.flat import distinct
from lstm_forecast.data.zones import calendar_times, is_timezone, moments_of
from lstm_forecast.errors import DataInvalid

Times = NDArray[np.int64]
DAY = 86_400_000_000  # microseconds
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)  # Monday is 0
WEEKDAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = (
    (7 * DAY, "week"),
    (DAY, "day"),
    (3_600_000_000, "hour"),
    (60_000_000, "minute"),
    (1_000_000, "second"),
)
_MOST_EMPTY = 100  # stretches of a week or more without an open time: there will be none
MOST_ROWS = 10_000_000  # a grid longer than this is not a rhythm but a typing error in a date


@dataclass(frozen=True)
class Frequency:
    """How one row follows another.

    Attributes:
        unit: ``row`` (no calendar), ``time`` (a fixed step) or ``month`` (whole months).
        step: rows, microseconds or months from one row to the next.
        weekdays: the days of the week that have rows (Monday is 0).
        clock: the times of day that have rows, in microseconds after midnight; empty: every time.
        day: day of the month, 0 for its last day (unit ``month``).
        regular: False where the rows follow no fixed step; ``step`` is then the median one.
        zone: the zone whose clock and calendar the rows follow, through daylight saving; empty: no clock is
            changed, a step is so many microseconds.
    """

    unit: Literal["row", "time", "month"]
    step: int = 1
    weekdays: tuple[int, ...] = EVERY_DAY
    clock: tuple[int, ...] = ()
    day: int = 1
    regular: bool = True
    zone: str = ""

    @property
    def trading(self) -> bool:
        """Whether rows keep to certain weekdays or hours: missing times are then closed days, not holes."""
        return self.unit == "time" and (self.weekdays != EVERY_DAY or bool(self.clock))

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and words, for the run directory; without an empty zone, as older versions do."""
        fields = asdict(self)
        return fields if self.zone else {name: fields[name] for name in fields if name != "zone"}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Frequency:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: a zone that is not known here.
        """
        if fields.get("zone", "") != "" and not (type(fields["zone"]) is str and is_timezone(fields["zone"])):
            raise ValueError(f"unknown time zone {fields['zone']!r}")
        return cls(**{**fields, "weekdays": tuple(fields["weekdays"]), "clock": tuple(fields["clock"])})

    def __str__(self) -> str:
        """The rhythm in words: ``daily, Mon-Fri``, ``every 30 minutes``, ``monthly``."""
        if self.unit == "row":
            return "row by row"
        if self.unit == "month":
            words = {1: "monthly", 3: "quarterly", 12: "yearly"}
            return words.get(self.step, f"every {self.step} months")
        return _step_words(self) + _days_words(self.weekdays) + (", part of the day" if self.clock else "")


def _step_words(frequency: Frequency) -> str:
    if not frequency.regular:
        return "irregular"
    if frequency.step == DAY:
        return "daily"
    for size, word in _UNITS:
        count, rest = divmod(frequency.step, size)
        if rest == 0:
            single = {"week": "weekly", "hour": "hourly"}.get(word, f"every {word}")
            return single if count == 1 else f"every {count} {word}s"
    return f"every {frequency.step / 1e6:g} seconds"


def _days_words(weekdays: tuple[int, ...]) -> str:
    if weekdays == EVERY_DAY:
        return ""
    if weekdays == tuple(range(weekdays[0], weekdays[-1] + 1)) and len(weekdays) > 1:
        return f", {WEEKDAY_NAMES[weekdays[0]]}-{WEEKDAY_NAMES[weekdays[-1]]}"
    return ", " + " ".join(WEEKDAY_NAMES[day] for day in weekdays)


def infer_frequency(times_of_series: Sequence[Times], zone: str = "") -> Frequency:
    """The rhythm common to all series; each array is sorted and without duplicates.

    The most common step decides; weekdays and times of day without rows make it a trading pattern. With a
    zone, hours around the clock are counted as they pass, and days, months and sessions by the zone's clock.
    """
    found = _infer(times_of_series)
    if not zone:
        return found
    by_clock = _infer([np.unique(calendar_times(times, zone)) for times in times_of_series])
    around_the_clock = found.regular and found.unit == "time" and found.step < DAY and not found.trading
    if not by_clock.regular or (around_the_clock and not by_clock.trading):
        return found
    return replace(by_clock, zone=zone)


def _infer(times_of_series: Sequence[Times]) -> Frequency:
    diffs = np.concatenate([np.diff(times) for times in times_of_series])
    if len(diffs) == 0:
        return Frequency("time", DAY, regular=False)
    times = distinct(np.concatenate(times_of_series) if len(times_of_series) > 1 else times_of_series[0])
    months = _monthly(times, diffs)
    if months is not None:
        return months
    step, most = _most_common(diffs)
    daily = _weekday_pattern(times, diffs)
    if daily is not None and step < 7 * DAY:
        return daily
    on_grid = bool(np.all(diffs % step == 0))
    if not on_grid or most < 0.5 * len(diffs):
        return Frequency("time", int(np.median(diffs)), regular=False)
    return _session_pattern(times, step)


def _most_common(steps: Times) -> tuple[int, int]:
    """The most common of the steps, the smallest of equals, and how often it comes."""
    first = int(steps[0])
    alike = int(np.count_nonzero(steps == first))
    if 2 * alike > len(steps):
        return first, alike
    different, counts = np.unique(steps, return_counts=True)
    most = int(np.argmax(counts))
    return int(different[most]), int(counts[most])


def _monthly(times: Times, diffs: Times) -> Frequency | None:
    """Monthly, quarterly or yearly rows: one day of the month, its end, or its first or last working day."""
    if diffs.min() < 26 * DAY or len(np.unique(times % DAY)) > 1:
        return None
    month, day, length = _month_parts(times)
    gaps: Times
    gaps, counts = np.unique(np.diff(np.unique(month)), return_counts=True)
    step = int(gaps[np.argmax(counts)])
    if np.any(gaps % step) or len(np.unique(month)) < len(times):
        return None
    weekdays = tuple(sorted({int(d) for d in _weekday(times)}))
    working = weekdays if len(times) >= 12 and max(weekdays) <= 4 else EVERY_DAY
    if len(np.unique(day)) == 1:
        return Frequency("month", step, day=int(day[0]))
    if np.all(length - day <= 3):
        ends = bool(np.all(day == length))
        return Frequency("month", step, day=0, weekdays=EVERY_DAY if ends else working)
    if np.all(day <= 4):
        return Frequency("month", step, day=1, weekdays=working)
    anchor = int(day.max())
    return Frequency("month", step, day=anchor) if np.all(day == np.minimum(anchor, length)) else None


def _weekday_pattern(times: Times, diffs: Times) -> Frequency | None:
    """Whole-day rows on certain weekdays; None where every weekday has rows or the days do not fit."""
    if np.any(diffs % DAY):
        return None
    weekdays = _open_weekdays(times)
    if weekdays == EVERY_DAY:
        return None
    expected = int(np.isin(_weekday(_grid(int(times[0]), int(times[-1]), DAY)), weekdays).sum())
    return Frequency("time", DAY, weekdays=weekdays) if len(times) >= 0.8 * expected else None


def _session_pattern(times: Times, step: int) -> Frequency:
    """A fixed step, within the hours and weekdays that have rows (an exchange's session)."""
    days = np.unique(times // DAY)
    if step >= DAY or DAY % step or len(days) < 3:
        return Frequency("time", step)
    clock, counts = np.unique(times % DAY, return_counts=True)
    clock = clock[counts >= 0.1 * len(days)]
    weekdays = _open_weekdays(times)
    whole_day = len(clock) >= DAY // step
    open_days = int(np.isin(_weekday(_grid(int(days[0]) * DAY, int(days[-1]) * DAY, DAY)), weekdays).sum())
    if (whole_day and weekdays == EVERY_DAY) or len(times) < 0.8 * open_days * len(clock):
        return Frequency("time", step)
    return Frequency("time", step, weekdays=weekdays, clock=() if whole_day else tuple(int(c) for c in clock))


def _open_weekdays(times: Times) -> tuple[int, ...]:
    """Weekdays with rows; one that came by once counts as open, unless the whole weekend is missing."""
    days = np.unique(times // DAY) * DAY
    possible = np.bincount(_weekday(_grid(int(days[0]), int(days[-1]), DAY)), minlength=7)
    seen = np.bincount(_weekday(days), minlength=7)
    closed = (possible >= 2) & (seen < 0.3 * possible)
    if seen[5] == seen[6] == 0 and possible[5] and possible[6]:
        closed[5:] = True
    return tuple(day for day in range(7) if not closed[day])


def expected_times(frequency: Frequency, first: int, last: int) -> Times:
    """Every time the rhythm has from ``first`` to ``last``, both included."""
    if frequency.unit == "row":
        return np.arange(first, last + 1, dtype=np.int64)
    if frequency.zone:
        begin, end = calendar_times(np.array([first, last], dtype=np.int64), frequency.zone).tolist()
        around = _around_a_change(frequency)
        walls = expected_times(replace(frequency, zone=""), begin - around, end + around)
        found = moments_of(walls, frequency.zone, step=_step_of(frequency))
        return found[(found >= first) & (found <= last)]
    if frequency.unit == "month":
        months = _month_parts(np.array([first, last], dtype=np.int64))[0]
        return _month_times(frequency, np.arange(months[0], months[1] + 1, frequency.step), first % DAY)
    return _open(frequency, _grid(first, last, frequency.step))


def next_times(frequency: Frequency, last: int, count: int) -> Times:
    """The ``count`` times after ``last`` in the rhythm: shape [count].

    Raises:
        DataInvalid: ``last`` lies beside the rhythm, so that none of its steps meets an open day and hour.
    """
    if frequency.unit == "row":
        return last + 1 + np.arange(count, dtype=np.int64)
    if frequency.zone:
        wall = int(calendar_times(np.array([last], dtype=np.int64), frequency.zone)[0])
        around = _around_a_change(frequency)
        extra = 2 * around // _step_of(frequency)
        walls = next_times(replace(frequency, zone=""), wall - around, count + extra)
        found = moments_of(walls, frequency.zone, step=_step_of(frequency))
        return found[found > last][:count]
    if frequency.unit == "month":
        month = int(_month_parts(np.array([last], dtype=np.int64))[0][0])
        return _month_times(frequency, month + frequency.step * np.arange(1, count + 1), last % DAY)
    found = np.empty(0, dtype=np.int64)
    begin = last
    empty = 0
    while len(found) < count:  # closed days thin the grid, so it may take a second stretch
        reach = begin + frequency.step * (2 * count + 7 * max(1, DAY // frequency.step))
        more = _open(frequency, _grid(begin + frequency.step, reach, frequency.step))
        empty = 0 if len(more) else empty + 1
        if empty == _MOST_EMPTY:
            raise DataInvalid(
                "data.frequency",
                f"no time after the last row falls on the rhythm of the run ({frequency})",
                hint="give rows at the days and hours that the run was trained on",
            )
        found, begin = np.concatenate([found, more]), reach
    return found[:count]


def next_times_of(frequency: Frequency, last: Times, count: int) -> Times:
    """The same of several series, which end at ``last`` [S]: [S, count]."""
    if frequency.unit == "row" or (frequency.unit == "time" and not (frequency.zone or frequency.trading)):
        return last[:, None] + frequency.step * np.arange(1, count + 1)
    different, place = np.unique(last, return_inverse=True)
    found = [next_times(frequency, end, count) for end in different.tolist()]
    return np.array(found, dtype=np.int64).reshape(len(found), count)[place]


def _step_of(frequency: Frequency) -> int:
    """Microseconds from one row to the next, at least."""
    return frequency.step if frequency.unit == "time" else 28 * DAY


def _around_a_change(frequency: Frequency) -> int:
    """Whole steps of two hours or more: a clock that is put back shows earlier times next."""
    return 0 if _step_of(frequency) >= DAY else -(-7_200_000_000 // frequency.step) * frequency.step


def times_before(frequency: Frequency, first: int, *, since: int) -> Times:
    """The times of the rhythm from ``since`` on that lie before ``first``, which is one of them."""
    if frequency.unit == "row":
        return np.arange(since, first, dtype=np.int64)
    if frequency.zone:
        begin, end = calendar_times(np.array([since, first], dtype=np.int64), frequency.zone).tolist()
        around = _around_a_change(frequency)
        walls = times_before(replace(frequency, zone=""), end + around, since=begin - around)
        found = moments_of(walls, frequency.zone, step=_step_of(frequency))
    elif frequency.unit == "month":
        month = _month_parts(np.array([since, first], dtype=np.int64))[0]
        steps = np.arange(int(month[1] - month[0]) // frequency.step, 0, -1)
        found = _month_times(frequency, month[1] - frequency.step * steps, first % DAY)
    else:
        count = max(-(-(first - since) // frequency.step), 0)
        found = _open(frequency, _grid(first - count * frequency.step, first - 1, frequency.step))
    return found[(found >= since) & (found < first)]


def weekday_of(times: Times) -> NDArray[np.int64]:
    """Day of the week of each time, Monday is 0: shape [N]."""
    return _weekday(times)


def month_of(times: Times) -> NDArray[np.int64]:
    """Month of each time, January is 0: shape [N]."""
    return _month_parts(times)[0] % 12


def _weekday(times: Times) -> NDArray[np.int64]:
    return (times // DAY + 3) % 7  # 1 January 1970 was a Thursday


def _grid(first: int, last: int, step: int) -> Times:
    if (last - first) // step > MOST_ROWS:
        return np.array([first, last], dtype=np.int64)
    return np.arange(first, last + 1, step, dtype=np.int64)


def _open(frequency: Frequency, grid: Times) -> Times:
    keep = np.isin(_weekday(grid), frequency.weekdays)
    if frequency.clock:
        keep &= np.isin(grid % DAY, frequency.clock)
    return grid[keep]


def _month_parts(times: Times) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Months since 1970, day of the month, and length of the month: each [N]."""
    dates = times.astype("datetime64[us]")
    months = dates.astype("datetime64[M]")
    day = (dates.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    return months.astype(np.int64), day, length


def _month_times(frequency: Frequency, months: NDArray[np.int64], time_of_day: int) -> Times:
    """The row of each month: its ``day`` within the month's length, moved to a working day if need be."""
    starts = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - starts
    day = length if frequency.day == 0 else np.minimum(frequency.day, length)
    days = starts + day - 1
    move = 1 if frequency.day else -1
    while np.any(closed := ~np.isin(_weekday(days * DAY), frequency.weekdays)):
        days = np.where(closed, days + move, days)
    return days * DAY + time_of_day
