"""Times of a zone with daylight saving: cells checked against its clock, and the repeated hour told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.dates import TimeFormat, Times
from lstm_forecast.data.findings import BadCell
from lstm_forecast.data.spelling import write_time
from lstm_forecast.data.zones import offsets_at, readings
from lstm_forecast.errors import DataInvalid

_CLOCK = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Rows:
    """The rows of a file, for messages: its name, and the line of each row [N]."""

    name: str
    lines: NDArray[np.int64]

    def place(self, row: int) -> str:
        """``file:line`` of a row."""
        return f"{self.name}:{self.lines[row]}"


def moments_by_order(
    walls: NDArray[np.int64], series: NDArray[np.int64], form: TimeFormat, rows: Rows
) -> NDArray[np.int64]:
    """The moments of wall times that no suffix makes unique: [N].

    The hour that the clock shows twice is told apart by the order of a series' rows: where it begins again,
    it is the second one. A time of it that stands alone is the first one.

    Args:
        walls: [N] what the cells show, in the order of the file.
        series: [N] number of each row's series.
        form: of the cells; its ``timezone`` is the zone.
        rows: for messages.

    Raises:
        DataInvalid: ``data.timezone`` where the order does not tell.
    """
    found = readings(walls, form.timezone)
    repeated = found.repeated
    if not repeated.any():
        return found.first
    moments = found.first.copy()
    order = np.argsort(series, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        if not repeated[mine].any():
            continue
        ordered = mine if walls[mine[0]] <= walls[mine[-1]] else mine[::-1]  # or the newest row stands first
        for change in np.unique(found.change[ordered[repeated[ordered]]]):
            places = np.flatnonzero(repeated[ordered] & (found.change[ordered] == change))
            second = _second_pass(walls[ordered], places)
            if second is None:
                raise _untold(walls[ordered[places[0]]], int(ordered[places].min()), form, rows)
            late = ordered[places[second]]
            moments[late] = found.second[late]
    return moments


def _second_pass(walls: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Which of the rows at these places, all within one repeated hour, belong to its second pass.

    None where the order leaves it open.
    """
    hour = walls[places]
    back = np.flatnonzero(np.diff(hour) < 0)
    if len(back) == 0:
        _, counts = np.unique(hour, return_counts=True)
        if (counts == 1).all():
            return np.zeros(len(hour), dtype=np.bool_)
        if not (counts == 2).all():
            return None
        second = np.append(False, np.diff(hour) == 0)
    elif len(back) == 1:
        second = np.arange(len(hour)) > back[0]
    else:
        return None
    around = walls[max(places[0] - 1, 0) : places[-1] + 2]
    together = places[-1] - places[0] + 1 == len(places)
    return second if together and around[0] <= hour[0] and around[-1] >= hour[-1] else None


def _untold(wall: np.int64, row: int, form: TimeFormat, rows: Rows) -> DataInvalid:
    shown = write_time(int(wall), _CLOCK, "")
    return DataInvalid(
        "data.timezone",
        f"the clock of {form.timezone} shows {shown} twice, and the order of the rows does not tell which",
        where=rows.place(row),
        hint="sort the rows in the order in which they happened, write times with their offset (+01:00),"
        " or tell series apart: data.series_id",
    )


def in_zone(
    times: Times,
    zone: str,
    cells: Sequence[str],
    rows: Rows,
    *,
    column: str,
    on_bad: Literal["error", "skip"],
) -> Times:
    """Times by the clock of a zone: checked against it, and shown by it if the cells are written so.

    Cells without an offset stay wall times; :func:`moments_by_order` makes moments of them when it is known
    which series each row belongs to. Dates alone are the same in every zone. Cells with the zone's own offset
    are shown with it from now on; one other offset in all cells, and seconds since 1970, stay as they are.

    Args:
        times: as they were read.
        zone: IANA name.
        cells: the texts of the column.
        rows: for messages.
        column: its header, for messages.
        on_bad: ``skip`` returns times that the clock never showed in ``bad`` instead of raising.

    Raises:
        DataInvalid: ``data.timezone`` for a time that the clock never showed, ``data.zones`` for several
            offsets that are not those of the zone.
    """
    form = times.format
    if form.kind in ("date", "quarter"):
        return replace(times, said=_also(times.said, "dates alone, which need no data.timezone"))
    said = _also(times.said, f"by the clock of {zone}")
    if form.kind in ("epoch_s", "epoch_ms"):
        return replace(times, said=said, zone=zone)
    if times.offsets is not None:
        return replace(_by_offset(times, zone, rows, column), said=said, zone=zone)
    good = _good(times)
    skipped = [
        BadCell(row, cells[row], "skipped")
        for row in np.flatnonzero(readings(times.moments, zone).skipped & good).tolist()
    ]
    if skipped and on_bad == "error":
        raise _skipped(skipped, zone, rows, column)
    bad = (*times.bad, *skipped)
    return replace(times, format=replace(form, timezone=zone), bad=bad, said=said, zone=zone)


def _also(said: str, more: str) -> str:
    return f"{said}, {more}" if said else more


def _good(times: Times) -> NDArray[np.bool_]:
    good = np.ones(len(times.moments), dtype=np.bool_)
    good[[cell.row for cell in times.bad]] = False
    return good


def _by_offset(times: Times, zone: str, rows: Rows, column: str) -> Times:
    """Times that carry offsets: those of the zone's clock, or one and the same in all cells."""
    assert times.offsets is not None
    good = _good(times)
    fits = times.offsets * 60_000_000 == offsets_at(times.moments, zone)
    by_clock = next((text for text in times.suffixes if "+" in text or "-" in text), "")
    if by_clock and fits[good].all():
        return replace(times, format=replace(times.format, zone=by_clock, timezone=zone))
    offsets = times.offsets[good]
    if not len(offsets) or (offsets == offsets[0]).all():
        return times
    row = int(np.flatnonzero(good & ~fits)[0])
    listed = ", ".join(times.suffixes[:3])
    raise DataInvalid(
        "data.zones",
        f"column {column!r}: several offsets ({listed}), and not those of {zone}",
        where=rows.place(row),
        hint="name the zone that the times are of in data.timezone, or convert them to UTC before",
    )


def _skipped(cells: Sequence[BadCell], zone: str, rows: Rows, column: str) -> DataInvalid:
    more = f" ({len(cells):,} such cells)" if len(cells) > 1 else ""
    return DataInvalid(
        "data.timezone",
        f"column {column!r}: {cells[0].text[:40]!r} did not exist in {zone}: the clock was put forward{more}",
        where=rows.place(cells[0].row),
        hint="correct the time; if it is not by this clock, name another zone or remove data.timezone",
    )
