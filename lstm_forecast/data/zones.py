"""The clock of a time zone: moments to wall-clock times and back, across daylight saving.

Moments are int64 microseconds since the epoch (UTC); a wall time is what the zone's clock shows, written in
the same unit as if it were UTC. A wall time can be skipped (clocks go forward) or repeated (they go back).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
_DAY = 86_400_000_000  # microseconds
_SECOND = 1_000_000
_BLOCK = 3_653 * _DAY  # offsets are looked up, and kept, by ten years
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A day inside the years 1 and 9999, between which the calendar knows offsets.
_EARLIEST, _LATEST = -719_160 * _DAY, 2_932_890 * _DAY


def is_timezone(name: str) -> bool:
    """Whether the zone data of this machine know the name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder is an OSError
        return False
    return True


@dataclass(frozen=True)
class _Periods:
    """When which offset holds: from ``starts`` [K], ascending, the clock shows ``offsets`` [K] more."""

    starts: Times
    offsets: Times

    def of(self, moments: Times) -> NDArray[np.int64]:
        """The period of each moment."""
        return np.maximum(np.searchsorted(self.starts, moments, side="right") - 1, 0)


@dataclass(frozen=True)
class Readings:
    """The moments that wall times can mean.

    Attributes:
        first: the moment; the earlier one of a repeated time, and of a skipped time the moment at which the
            clock was put forward.
        second: the later one of a repeated time, else ``first``.
        skipped: times that the clock never showed.
        change: which change of the clock made a time repeated or skipped; meaningless for others.
    """

    first: Times
    second: Times
    skipped: NDArray[np.bool_]
    change: Times

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Times that the clock showed twice."""
        return np.asarray(self.first != self.second)


def offsets_at(moments: Times, zone: str) -> Times:
    """What the clock shows beyond UTC at each moment, in microseconds: same shape."""
    if not moments.size:
        return np.zeros(moments.shape, dtype=np.int64)
    periods = _periods(zone, int(moments.min()), int(moments.max()))
    return periods.offsets[periods.of(moments)]


def wall_times(moments: Times, zone: str) -> Times:
    """What the clock shows at each moment: same shape."""
    return moments + offsets_at(moments, zone)


def calendar_times(moments: Times, zone: str) -> Times:
    """As :func:`wall_times`, for days and months: where midnight is skipped, the day begins at 00:00 still.

    In such zones the first moment of that day reads 01:00, and daily rows would seem to change their hour.
    """
    if not moments.size:
        return moments
    periods = _periods(zone, int(moments.min()), int(moments.max()))
    period = periods.of(moments)
    before = moments + periods.offsets[np.maximum(period - 1, 0)]
    walls = moments + periods.offsets[period]
    is_change = (periods.starts[period] == moments) & (walls > before)
    return np.where(is_change & (before % _DAY == 0), before, walls)


def readings(walls: Times, zone: str) -> Readings:
    """The moments that wall times can mean."""
    if not walls.size:
        return Readings(walls, walls, np.zeros(walls.shape, dtype=np.bool_), walls)
    periods = _periods(zone, int(walls.min()) - 2 * _DAY, int(walls.max()) + 2 * _DAY)
    starts, offsets = periods.starts, periods.offsets
    ends = np.append(starts[1:], np.iinfo(np.int64).max // 2)
    shown_from, shown_until = starts + offsets, ends + offsets
    late = np.maximum(np.searchsorted(shown_from, walls, side="right") - 1, 0)
    early = np.maximum(late - 1, 0)
    second = walls - offsets[late]
    skipped = walls >= shown_until[late]
    repeated = (walls < shown_until[early]) & (early < late)
    first = np.where(repeated, walls - offsets[early], second)
    # A skipped time lies between this period and the next one.
    first = np.where(skipped, ends[late], first)
    return Readings(first, np.where(skipped, first, second), skipped, late)


def moments_of(walls: Times, zone: str, *, step: int) -> Times:
    """The moments of a rhythm of wall times, ascending.

    A step that is longer than the hour put in or left out has every time once: a repeated one the first time,
    a skipped one at the change. A shorter one has repeated times twice and skipped ones not at all.

    Args:
        walls: [N] ascending.
        zone: of the clock.
        step: microseconds from one to the next.
    """
    found = readings(walls, zone)
    whole = (step > found.second - found.first) & ~found.skipped
    gone = found.skipped & (step <= _DAY // 24)
    twice = found.second[found.repeated & ~whole]
    return np.unique(np.concatenate([found.first[~gone], twice]))


def _periods(zone: str, first: int, last: int) -> _Periods:
    """The offsets that hold from ``first`` to ``last``."""
    begin = max(first // _BLOCK * _BLOCK - 10 * _DAY, _EARLIEST)
    end = min((last // _BLOCK + 1) * _BLOCK + 10 * _DAY, _LATEST)
    return _found_periods(zone, begin, max(begin, end))


@lru_cache(maxsize=64)
def _found_periods(zone: str, begin: int, end: int) -> _Periods:
    """By looking at every day; a change within a day is found by halving. No zone changes twice in one."""
    clock = ZoneInfo(zone)
    days = np.arange(begin, end + _DAY, _DAY)
    by_day = np.array([_offset(clock, int(day)) for day in days], dtype=np.int64)
    changed = np.flatnonzero(np.diff(by_day))
    starts = [_change(clock, int(days[day]), int(days[day + 1])) for day in changed]
    return _Periods(
        np.array([days[0], *starts], dtype=np.int64),
        by_day[np.append(changed, len(days) - 1)],
    )


def _change(clock: ZoneInfo, before: int, after: int) -> int:
    """The first moment with the offset of ``after``, to the second."""
    offset = _offset(clock, after)
    while after - before > _SECOND:
        middle = (before + after) // 2 // _SECOND * _SECOND
        if _offset(clock, middle) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(clock: ZoneInfo, moment: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=moment)).astimezone(clock).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)
