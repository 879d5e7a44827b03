"""Time cells: which spelling a column has, the moments it names, and new moments in the same spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.findings import BadCell
from lstm_forecast.data.guess import Guess, guess_spelling, majority_guess
from lstm_forecast.data.spelling import (
    Cells,
    ShapedCells,
    is_field,
    is_known,
    is_zone,
    read_cells,
    split_pattern,
    to_microseconds,
    write_time,
    zone_minutes,
    zone_text,
)
from lstm_forecast.data.written_times import write_times
from lstm_forecast.data.zones import is_timezone, offsets_at, wall_times
from lstm_forecast.errors import DataInvalid, UsageError

Kind = Literal["date", "datetime", "iso", "quarter", "epoch_s", "epoch_ms", "row"]
_PADDING_SAMPLE = 10_000  # cells that show how numbers below ten are written
_EPOCH_US = {"epoch_s": 1_000_000, "epoch_ms": 1_000}


@dataclass(frozen=True)
class TimeFormat:
    """The form of a file's times, kept so that a forecast is dated as its input is.

    ``kind`` is ``date`` (no clock), ``datetime``, ``iso`` (with a T or a zone), ``quarter``, ``epoch_s``,
    ``epoch_ms`` or ``row`` (row numbers: no calendar). ``pattern`` is the spelling, empty for epochs and
    rows; ``zone`` the suffix that the cells carry, in their own form. ``timezone`` is the IANA zone whose
    clock the cells show, with the suffix it has at each time if they carry one; empty: moments are shown in
    UTC, or with the one suffix.
    """

    kind: Kind
    pattern: str = ""
    zone: str = ""
    timezone: str = ""

    @property
    def by_clock_alone(self) -> bool:
        """Whether cells show a zone's clock without a suffix, so that one hour of the year reads twice."""
        return bool(self.timezone) and "%z" not in self.pattern

    def clock(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the zone's clock shows at these times, for axes and months; without a zone the times."""
        return wall_times(times, self.timezone) if self.timezone else times

    def calendar(self, times: NDArray[np.int64], timezone: str | None) -> NDArray[np.int64]:
        """What calendar and clock say at these times: those of a named zone, else as the cells are written.

        Args:
            times: as a table has them, any shape.
            timezone: ``data.timezone``; dates alone are the same in every zone.
        """
        if self.kind in ("date", "quarter", "row"):
            return times
        return wall_times(times, timezone) if timezone else times + zone_minutes(self.zone) * 60_000_000

    def format(self, times: NDArray[np.int64]) -> list[str]:
        """Times (microseconds since the epoch; row numbers for ``row``) in the file's own form.

        A moment that the form cannot hold (a clock time in a column of dates) is written as ISO 8601.
        """
        different, place = np.unique(times, return_inverse=True)
        if 2 * len(different) > len(times):
            return self._written(times)
        texts = self._written(different)
        return [texts[number] for number in place.tolist()]

    def _written(self, times: NDArray[np.int64]) -> list[str]:
        """:meth:`format`, each time by itself."""
        moments = [int(t) for t in times]
        if self.kind == "row":
            return [str(moment) for moment in moments]
        if unit := _EPOCH_US.get(self.kind):
            return [str(moment // unit) if moment % unit == 0 else self._iso(moment) for moment in moments]
        if not moments:
            return []
        zones = self._zones(times)
        if self.by_clock_alone:
            moments = self.clock(times).tolist()
        texts = write_times(np.array(moments), self.pattern, zones)
        back, valid = to_microseconds(read_cells(texts, self.pattern).fields)
        kept = (valid & (back == np.array(moments))).tolist()
        parts = zip(texts, moments, zones, kept, strict=True)
        return [text if ok else self._iso(moment, zone) for text, moment, zone, ok in parts]

    def _zones(self, times: NDArray[np.int64]) -> list[str]:
        """The suffix that each time carries."""
        if not self.timezone or self.by_clock_alone:
            return [self.zone] * len(times)
        return [zone_text(offset, self.zone) for offset in offsets_at(times, self.timezone).tolist()]

    def _iso(self, moment_us: int, zone: str = "") -> str:
        local = moment_us + zone_minutes(zone) * 60_000_000
        if local % 86_400_000_000 == 0 and not zone:
            return write_time(moment_us, "%Y-%m-%d", "")
        fraction = ".%f" if local % 1_000_000 else ""
        return write_time(moment_us, f"%Y-%m-%dT%H:%M:%S{fraction}", zone) + zone.strip()

    def to_json(self) -> dict[str, str]:
        """The fields as plain text; without an empty time zone, as older versions do."""
        fields = asdict(self)
        return fields if self.timezone else {name: fields[name] for name in ("kind", "pattern", "zone")}

    @classmethod
    def from_json(cls, data: dict[str, str]) -> TimeFormat:
        """The format that ``to_json`` described.

        Raises:
            ValueError: an unknown kind or time zone, or a pattern with unknown fields.
        """
        kind, pattern, zone, timezone = data["kind"], data["pattern"], data["zone"], data.get("timezone", "")
        if not is_known(pattern) or not is_zone(zone):
            raise ValueError(f"unknown time pattern {pattern!r} {zone!r}")
        if timezone != "" and not (type(timezone) is str and is_timezone(timezone)):
            raise ValueError(f"unknown time zone {timezone!r}")
        for known in ("date", "datetime", "iso", "quarter", "epoch_s", "epoch_ms", "row"):
            if kind == known:
                return cls(known, pattern, zone, timezone)
        raise ValueError(f"unknown kind of time {kind!r}")


ROW_NUMBERS = TimeFormat("row")


@dataclass(frozen=True)
class Times:
    """A column's moments, its format, its unreadable cells, and what was decided about it."""

    moments: NDArray[np.int64]  # [N] microseconds since the epoch; 0 where a cell is bad
    format: TimeFormat
    bad: tuple[BadCell, ...]
    said: str
    offsets: NDArray[np.int64] | None = None  # [N] minutes ahead of UTC that the cells carry; None: none do
    suffixes: tuple[str, ...] = ()  # the different suffixes of the cells
    zone: str = ""  # the zone whose days and hours count


def parse_times(
    cells: Sequence[str],
    *,
    lines: NDArray[np.int64],
    name: str,
    column: str,
    date_format: str | None = None,
    on_bad: Literal["error", "skip"] = "error",
    any_zone: bool = False,
) -> Times:
    """The moments that a column of cells names.

    Args:
        cells: the texts of the column, one per row, without surrounding blanks.
        lines: [N] line of each cell in the file, for messages.
        name: the file, for messages.
        column: the column's header, for messages.
        date_format: a strptime pattern; None: found.
        on_bad: ``skip`` returns unreadable cells in ``bad`` instead of raising.
        any_zone: whether the cells may carry several offsets.

    Raises:
        DataInvalid: ``data.time`` for a cell that is no date or spelled otherwise than the rest,
            ``data.date_format`` for an ambiguous order of day and month, ``data.zones`` for several zones.
        UsageError: ``date_format`` has a field that is not known.
    """
    guess = Guess("date", given_pattern(date_format)) if date_format else majority_guess(cells)
    if guess is None:
        row = next((row for row, cell in enumerate(cells) if cell), 0)
        raise _refuse(
            BadCell(row, cells[row] if cells else "", ""), lines, name=name, column=column, guess=None
        )
    offsets: NDArray[np.int64] | None = None
    suffixes: tuple[str, ...] = ()
    if guess.kind in _EPOCH_US:
        moments, good = _read_epochs(cells, _EPOCH_US[guess.kind])
        found, said = TimeFormat("epoch_s" if guess.kind == "epoch_s" else "epoch_ms"), guess.said
    else:
        read = read_cells(cells, guess.pattern)
        guess = _settle_order(guess, read, lines, name=name, column=column)
        moments, valid = to_microseconds(read.fields)
        good = read.fits & valid
        if not any_zone:
            _require_one_zone(read, lines, name=name, column=column)
        offsets, suffixes = read.fields.get("z"), read.zones
        found, said = _format_of(guess, read, cells), guess.said
    bad = tuple(
        BadCell(row, cells[row], "not a time as in the other rows") for row in np.flatnonzero(~good).tolist()
    )
    if bad and on_bad == "error":
        raise _refuse(bad[0], lines, name=name, column=column, guess=guess, count=len(bad))
    moments[~good] = 0
    return Times(moments, found, bad, said, offsets, suffixes)


def given_pattern(date_format: str) -> str:
    """The pattern of the user's strptime format; numbers may stand with or without a leading zero.

    Raises:
        UsageError: a field that is not known, or no year.
    """
    if not is_known(date_format) or not any(p[-1] in "Yy" for p in split_pattern(date_format) if is_field(p)):
        raise UsageError(
            "data.date_format",
            f"{date_format!r} is no date format that can be read",
            where="data.date_format",
            hint='use the fields %Y %y %m %d %b %B %H %I %p %M %S %f %z with a year, for example "%d/%m/%Y"',
        )
    loose = "".join(f"%-{p[1]}" if p in ("%m", "%d", "%H", "%I") else p for p in split_pattern(date_format))
    compact = re.search("%[A-Za-z]%", date_format)
    return date_format if compact else loose


def _read_epochs(cells: Sequence[str], unit: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if isinstance(cells, ShapedCells) and not cells.pattern:
        return cells.cells.fields["E"].astype(np.int64) * unit, cells.cells.fits
    good = np.fromiter(
        (c.removeprefix("-").isdecimal() and c.isascii() and len(c) < 15 for c in cells), np.bool_
    )
    numbers = [int(cell) if ok else 0 for cell, ok in zip(cells, good.tolist(), strict=True)]
    return np.array(numbers, dtype=np.int64) * unit, good


def _settle_order(guess: Guess, read: Cells, lines: NDArray[np.int64], *, name: str, column: str) -> Guess:
    """Day or month first, where the spelling leaves it open: decided by a number above 12 in either place.

    The fields of ``read`` are put right in place.
    """
    if not guess.order_open:
        return guess
    first, second = read.fields["d"], read.fields["m"]
    day_first, month_first = read.fits & (first > 12), read.fits & (second > 12)
    where = f"{name}:{lines[0]}"
    if day_first.any() and month_first.any():
        one, two = int(np.argmax(day_first)), int(np.argmax(month_first))
        raise DataInvalid(
            "data.time",
            f"column {column!r}: line {lines[one]} has the day first, line {lines[two]} the month",
            where=f"{name}:{lines[max(one, two)]}",
            hint="the column mixes two date formats; write it in one, best as 2024-03-01",
        )
    american = guess.pattern.replace("%-d", "%-x").replace("%-m", "%-d").replace("%-x", "%-m")
    if day_first.any():
        line = lines[int(np.argmax(day_first))]
        return Guess(guess.kind, guess.pattern, f"day first, as line {line} shows")
    if month_first.any():
        read.fields["d"], read.fields["m"] = second, first
        line = lines[int(np.argmax(month_first))]
        return Guess(guess.kind, american, f"month first, as line {line} shows")
    options = [pattern.replace("%-", "%") for pattern in (guess.pattern, american)]
    raise DataInvalid(
        "data.date_format",
        f"column {column!r}: day or month first? no row shows it",
        where=where,
        hint=f'set data.date_format: "{options[0]}" (day first) or "{options[1]}" (month first)',
    )


def _require_one_zone(read: Cells, lines: NDArray[np.int64], *, name: str, column: str) -> None:
    if "z" not in read.fields:
        return
    offsets = read.fields["z"][read.fits]
    if not len(offsets) or (offsets == offsets[0]).all():
        return
    row = int(np.flatnonzero(read.fits)[np.argmax(offsets != offsets[0])])
    raise DataInvalid(
        "data.zones",
        f"column {column!r}: several zones: {', '.join(read.zones[:3])}",
        where=f"{name}:{lines[row]}",
        hint="name their zone: data.timezone: Europe/Berlin; or convert the times to UTC before",
    )


def _format_of(guess: Guess, read: Cells, cells: Sequence[str]) -> TimeFormat:
    pattern = _with_padding(guess.pattern, read, cells)
    zone = read.zones[0] if read.zones else ""
    if "%q" in pattern:
        return TimeFormat("quarter", pattern)
    if "T%" in pattern or zone:
        return TimeFormat("iso", pattern, zone)
    return TimeFormat("datetime" if re.search("%-?[HI]", pattern) else "date", pattern)


def _with_padding(pattern: str, read: Cells, cells: Sequence[str]) -> str:
    """Whether numbers below ten carry a zero in this column; a field without any follows the other fields."""
    padded = pattern.replace("%-", "%")
    if read.padded:
        return padded
    rows = np.flatnonzero(read.fits[:_PADDING_SAMPLE])
    first = [cells[row] for row in rows.tolist()]
    if padded == pattern or read_cells(first, padded).fits.all():
        return padded
    for part in [part for part in split_pattern(pattern) if part.startswith("%-")]:
        small = [cells[row] for row in rows[read.fields[part[-1]][rows] < 10].tolist()]
        attempt = pattern.replace(part, f"%{part[-1]}")
        if small and read_cells(small, attempt).fits.all():
            pattern = attempt
    return pattern


def _refuse(
    cell: BadCell, lines: NDArray[np.int64], *, name: str, column: str, guess: Guess | None, count: int = 1
) -> DataInvalid:
    where = f"{name}:{lines[cell.row]}" if len(lines) else name
    more = f" ({count:,} such cells)" if count > 1 else ""
    if not cell.text:
        text = f"column {column!r}: empty time cell{more}"
        return DataInvalid("data.time", text, where=where, hint="fill the cell or remove the row")
    hint = 'correct it, or set data.date_format (for example "%d/%m/%Y"), or name another column: data.time'
    if guess is None or guess.kind in _EPOCH_US:
        text = f"column {column!r}: {cell.text[:40]!r} is not a date or time that can be read"
        return DataInvalid("data.time", text, where=where, hint=hint)
    shown = guess.pattern.replace("%-", "%")
    other = guess_spelling(cell.text)
    if other and other.pattern != guess.pattern:
        spellings = f"several date spellings: {cell.text[:40]!r}, while other rows are {shown}"
        text = f"column {column!r}: {spellings}{more}"
        return DataInvalid(
            "data.time", text, where=where, hint="write the column in one spelling, best 2024-03-01"
        )
    text = f"column {column!r}: {cell.text[:40]!r} is not a date of the form {shown}{more}"
    return DataInvalid("data.time", text, where=where, hint=hint)
