"""Holidays as days: of a country, by the package of that name, or from a file with one date a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY
from lstm_forecast.errors import DataInvalid, DataMissing, ResourceError, UsageError, nearest

Days = NDArray[np.int64]  # days since the epoch, sorted, each once
NO_DAYS: Days = np.empty(0, dtype=np.int64)
MOST_BYTES = 10_000_000
MOST_DAYS = 200_000
_DATE = re.compile(r"\"?([0-9]{4})[-/.]?([0-9]{2})[-/.]?([0-9]{2})\"?(?:[T ][0-9:.]*)?")


def holiday_file(path: str) -> Days:
    """The dates of a file: one a line, such as 2024-12-25, first in the line; what follows a comma is a name.

    A first line that is no date is taken for column names; empty lines and those after # are left out.

    Raises:
        DataMissing: the file is not there or cannot be read.
        DataInvalid: a line that begins with no date.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataMissing(
            "data.holidays",
            f"the file of holidays cannot be read: {reason}",
            where=path,
            hint="set data.holidays to a country code such as DE, or to a file with one date a line",
        ) from error
    if len(data) > MOST_BYTES:
        raise DataInvalid(
            "data.holidays", f"more than {MOST_BYTES:,} bytes", where=path, hint="give dates alone"
        )
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    found: set[int] = set()
    for number, line in enumerate(lines, start=1):
        cell = re.split(r"[,;\t]", line, maxsplit=1)[0].strip()
        if not cell or cell.startswith("#"):
            continue
        day = _day(cell)
        if day is None and number == 1:
            continue
        if day is None:
            raise DataInvalid(
                "data.holidays",
                f"{cell[:40]!r} is not a date",
                where=f"{path}:{number}",
                details=["expected: one date a line, such as 2024-12-25, or 2024-12-25,Christmas"],
                hint="correct the line",
            )
        found.add(day)
    if not found:
        raise DataInvalid("data.holidays", "no dates in it", where=path, hint="give one date a line")
    return np.array(sorted(found), dtype=np.int64)


def country_holidays(code: str, years: Sequence[int]) -> Days:
    """The public holidays of a country, ``DE``, or of a part of it, ``DE-BY``, in these years.

    Raises:
        ResourceError: the package holidays is not installed.
        UsageError: it knows no such country or part.
    """
    try:
        import holidays
    except ImportError as error:
        raise ResourceError(
            "resource.extra",
            f"data.holidays: {code} needs the package holidays",
            hint="pip install 'lstm-forecast[holidays]'; or give a file of dates",
        ) from error
    country, _, part = code.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    parts = known.get(country)
    if parts is None or (part and part not in parts):
        wanted, names = (part, list(parts)) if parts is not None else (country, list(known))
        near = nearest(wanted, names)
        what = f"no part {part!r} of {country}" if parts is not None else f"no country {country!r}"
        raise UsageError(
            "data.holidays",
            f"the package holidays knows {what}",
            where="data.holidays",
            hint=f"did you mean {near}?" if near else "give a file of dates instead",
        )
    dates = holidays.country_holidays(country, subdiv=part or None, years=list(years))
    return np.array(sorted(day.toordinal() - _EPOCH for day in dates), dtype=np.int64)


def years_of(first: int, last: int) -> range:
    """The years from one time to another, both included; microseconds since the epoch."""
    ends = (date.fromordinal(min(max(time // DAY + _EPOCH, 1), _LAST)) for time in (first, last))
    begin, end = (day.year for day in ends)
    return range(begin, end + 1)


def days_text(days: Days) -> list[str]:
    """The days as dates, ``2024-12-25``."""
    return [date.fromordinal(int(day) + _EPOCH).isoformat() for day in days]


def days_from_text(texts: Sequence[str]) -> Days:
    """The inverse of :func:`days_text`.

    Raises:
        ValueError: a text that is no date, or too many.
    """
    if not isinstance(texts, list) or len(texts) > MOST_DAYS:
        raise ValueError("holidays: not a list of dates")
    days = {date.fromisoformat(str(text)).toordinal() - _EPOCH for text in texts}
    return np.array(sorted(days), dtype=np.int64)


_EPOCH = date(1970, 1, 1).toordinal()
_LAST = date.max.toordinal()


def _day(cell: str) -> int | None:
    found = _DATE.fullmatch(cell)
    if not found:
        return None
    try:
        return date(*map(int, found.groups())).toordinal() - _EPOCH
    except ValueError:
        return None
