"""The panel: all series of a job in flat arrays, gaps and missing cells treated.

Rows ``offsets[s]`` to ``offsets[s + 1]`` are series ``s``, oldest first. Column 0 is the target.
Rows are steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import Frequency
from lstm_forecast.data.findings import counted, plural
from lstm_forecast.data.flat import count_marked, marked, ranges
from lstm_forecast.data.holes import Holes, holes_in
from lstm_forecast.data.statics import Statics
from lstm_forecast.data.table import after_last_target
from lstm_forecast.errors import DataInvalid

if TYPE_CHECKING:
    from lstm_forecast.data.reader import Table

Missing = Literal["error", "ffill", "interpolate", "drop"]
Gaps = Literal["auto", "keep", "fill", "error"]


@dataclass(frozen=True)
class Panel:
    """S series in N rows and C value columns.

    Attributes:
        values: float64 [N, C] in original units; NaN only before :func:`fill_missing`.
        observed: bool [N, C]; False where a cell was filled. Filled cells are inputs, never targets.
        times: int64 [N], see :mod:`calendars`.
        offsets: int64 [S + 1].
        series_ids: S names.
        columns: C names: target, past covariates, future covariates, calendar features.
        statics: what the series are; None where nothing is said of that.
    """

    values: NDArray[np.float64]
    observed: NDArray[np.bool_]
    times: NDArray[np.int64]
    offsets: NDArray[np.int64]
    series_ids: tuple[str, ...]
    columns: tuple[str, ...]
    statics: Statics | None = None

    def __len__(self) -> int:
        """Number of series."""
        return len(self.series_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Rows of each series: int64 [S]."""
        return np.diff(self.offsets)

    def rows(self, series: int) -> slice:
        """The rows of one series in the flat arrays."""
        return slice(int(self.offsets[series]), int(self.offsets[series + 1]))

    def take(self, keep: NDArray[np.bool_]) -> Panel:
        """The panel of the rows marked in ``keep`` [N]; every series stays, possibly with fewer rows."""
        return replace(
            self,
            values=self.values[keep],
            observed=self.observed[keep],
            times=self.times[keep],
            offsets=np.cumsum([0, *count_marked(keep, self.offsets)], dtype=np.int64),
        )

    def pick(self, series: Sequence[int | None], names: tuple[str, ...]) -> Panel:
        """The panel of these series in this order, under these names; None is a series without rows.

        What the series are is not taken along.
        """
        numbers = np.array([-1 if s is None else s for s in series], dtype=np.int64)
        if np.array_equal(numbers, np.arange(len(self))):
            return replace(self, series_ids=names, statics=None)
        lengths = np.where(numbers < 0, 0, self.lengths[numbers])
        rows = ranges(self.offsets[numbers], lengths)
        return replace(
            self,
            values=self.values[rows],
            observed=self.observed[rows],
            times=self.times[rows],
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
            series_ids=names,
            statics=None,
        )

    def first_columns(self, count: int) -> Panel:
        """The panel of the first so many columns."""
        return replace(
            self,
            values=self.values[:, :count],
            observed=self.observed[:, :count],
            columns=self.columns[:count],
        )

    def with_columns(self, names: tuple[str, ...], values: NDArray[np.float64]) -> Panel:
        """The panel with further columns [N, P] at its end, none of them empty."""
        return replace(
            self,
            values=np.concatenate([self.values, values], axis=1),
            observed=np.concatenate([self.observed, np.ones(values.shape, dtype=bool)], axis=1),
            columns=(*self.columns, *names),
        )

    def until(self, end: NDArray[np.int64]) -> Panel:
        """A truncated copy: of series ``s`` only the rows before flat row ``end[s]``, nothing later.

        Of one series, whose rows lie together, it is a view that cannot be written to.
        """
        if len(self) == 1:
            return self._first_rows(int(end[0]))
        return self.take(marked(self.offsets[:-1], end, len(self.times)))

    def _first_rows(self, count: int) -> Panel:
        values, observed, times = self.values[:count], self.observed[:count], self.times[:count]
        for flags in (values.flags, observed.flags, times.flags):
            flags.writeable = False
        offsets = np.array([0, count], dtype=np.int64)
        return replace(self, values=values, observed=observed, times=times, offsets=offsets)


def build_panel(table: Table, frequency: Frequency, *, gaps: Gaps) -> tuple[Panel, list[str]]:
    """A panel of the table's rows, its missing times kept, filled with NaN rows, or refused.

    Args:
        table: what the reader found; sorted by series and time.
        frequency: the rhythm of the rows.
        gaps: what to do where the rhythm has a time and the table no row.

    Returns:
        The panel, and one line for the account where times are missing.

    Raises:
        DataInvalid: missing times on a regular frequency, or rows without a common step.
    """
    offsets = np.searchsorted(table.series, np.arange(len(table.series_ids) + 1)).astype(np.int64)
    panel = Panel(
        table.values, ~np.isnan(table.values), table.times, offsets, table.series_ids, table.columns
    )
    if frequency.unit == "row" or gaps == "keep":
        return panel, []
    if not frequency.regular and panel.lengths.max(initial=0) < 2:
        return panel, []  # single rows have no step; that they are too few is what training says
    if not frequency.regular:
        raise _irregular(table, frequency)
    holes, off_grid = holes_in(frequency, panel.times, offsets)
    count = len(holes.times)
    if off_grid is not None and not (frequency.trading and gaps == "auto"):
        raise _off_grid_error(table.file_of(off_grid), frequency)
    if gaps == "fill" and count:
        return _filled(panel, holes), [
            f"{plural(count, 'missing time')} filled with empty rows (data.gaps: fill)"
        ]
    if frequency.trading and gaps == "auto":
        what = "times" if frequency.clock else "days"
        note = f"{count:,} {what} of the trading pattern have no row: taken as closed (data.gaps)"
        return panel, [note] if count else []
    if count:
        raise _gap_error(table, panel, frequency, holes)
    return panel, []


def check_missing(table: Table) -> None:
    """Refuses empty cells, as ``data.missing: error`` asks.

    Raises:
        DataInvalid: with the number of empty cells, the first lines and the longest run of rows.
    """
    empty = np.isnan(table.values)
    if not empty.any():
        return
    rows = np.flatnonzero(empty.any(axis=1))
    lines = ", ".join(table.place(int(r)) if table.paths else str(table.lines[r]) for r in rows[:3])
    column = table.columns[int(np.flatnonzero(empty[rows[0]])[0])]
    apart = (np.diff(rows) != 1) | (np.diff(table.series[rows]) != 0)
    longest = max(len(run) for run in np.split(rows, np.flatnonzero(apart) + 1))
    hint = "set data.missing: ffill, interpolate or drop (--set data.missing=ffill)"
    if after_last_target(table)[rows].all():
        hint = "no target comes after them: remove these rows, or name what is known ahead in them:"
        hint += " data.future_covariates"
    count = plural(int(empty.sum()), "empty cell")
    raise DataInvalid(
        "data.missing",
        f"{count}, first in column {column!r}; expected a number in every row",
        where=table.place(int(rows[0])),
        details=[f"first lines: {lines}", f"longest run: {plural(longest, 'row')}"],
        hint=hint,
    )


def fill_missing(panel: Panel, policy: Missing, *, train_end: NDArray[np.int64]) -> tuple[Panel, list[str]]:
    """Fills or drops empty cells; the filled ones are marked as not observed.

    ``interpolate`` looks at the next known value, so it acts inside the training rows only (before flat row
    ``train_end[s]``) and is ``ffill`` from there on. Every series begins with a complete row
    (:func:`trim_leading`).

    Raises:
        DataInvalid: policy ``error`` with the empty rows that ``data.gaps: fill`` made.
    """
    if not np.isnan(panel.values).any():
        return panel, []
    count = int(np.isnan(panel.values).sum())
    if policy == "error":
        raise DataInvalid(
            "data.missing",
            f"{plural(count, 'empty cell')} in the rows that data.gaps: fill made",
            hint="set data.missing: ffill or interpolate beside data.gaps: fill",
        )
    values = panel.values.copy()
    starts = panel.offsets[:-1]
    inside = marked(starts, train_end if policy == "interpolate" else starts, len(values))
    begin = np.repeat(starts, panel.lengths)
    for column in range(values.shape[1]):
        values[:, column] = _fill_column(values[:, column], begin, inside)
    note = f"{plural(count, 'empty cell')} filled (data.missing: {policy}); they are inputs, never targets"
    return replace(panel, values=values), [note]


def drop_missing(panel: Panel) -> tuple[Panel, list[str]]:
    """Leaves out every row with an empty cell (``data.missing: drop``)."""
    complete = _complete(panel.values)
    if complete.all():
        return panel, []
    return panel.take(complete), [
        f"{plural(int((~complete).sum()), 'row')} with empty cells left out (data.missing: drop)"
    ]


def trim_leading(panel: Panel) -> tuple[Panel, list[str]]:
    """Leaves out the rows before each series' first complete one: nothing could fill them."""
    complete = _complete(panel.values)
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    if complete[starts[starts < ends]].all():
        return panel, []
    whole = np.append(np.flatnonzero(complete), len(complete))
    first = np.minimum(whole[np.searchsorted(whole, starts)], ends)
    keep = marked(first, ends, len(complete))
    return panel.take(keep), [f"{plural(int((~keep).sum()), 'row')} before the first complete one left out"]


def _complete(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows without an empty cell: bool [N]."""
    return np.asarray(~np.isnan(values).any(axis=1), dtype=bool)


def _fill_column(
    values: NDArray[np.float64], begin: NDArray[np.int64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Linear between known values that both lie inside training, the last known value elsewhere.

    Args:
        values: [N], of all series.
        begin: flat row that the series of each row begins at, [N].
        inside: whether it is a training row, where the next known value may be looked at, [N].
    """
    known, rows = ~np.isnan(values), np.arange(len(values))
    last = np.maximum.accumulate(np.where(known, rows, -1))
    filled = np.where(last >= begin, values[last], np.nan)
    fixed = np.flatnonzero(known & inside)
    if len(fixed):
        after = np.minimum(np.searchsorted(fixed, rows), len(fixed) - 1)
        between = ~known & (last >= begin) & (fixed[after] > rows) & (begin[fixed[after]] == begin)
        filled[between] = np.interp(rows[between], fixed, values[fixed])
    return filled


def _filled(panel: Panel, holes: Holes) -> Panel:
    """The panel with a NaN row at every missing time."""
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    all_series = np.concatenate([series, holes.series])
    all_times = np.concatenate([panel.times, holes.times])
    blank = np.full((len(holes.times), panel.values.shape[1]), np.nan)
    order = np.lexsort((all_times, all_series))
    values = np.concatenate([panel.values, blank])[order]
    lengths = np.bincount(all_series, minlength=len(panel))
    return replace(
        panel,
        values=values,
        observed=~np.isnan(values),
        times=all_times[order],
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _irregular(table: Table, frequency: Frequency) -> DataInvalid:
    return DataInvalid(
        "data.irregular",
        "the rows follow no common time step",
        where=table.source.path,
        details=[f"median step: {frequency.step / 1e6:g} seconds"],
        hint="set data.gaps: keep to count each row as one step, or data.frequency if there is one",
    )


def _off_grid_error(where: str, frequency: Frequency) -> DataInvalid:
    return DataInvalid(
        "data.gaps",
        f"some rows lie between the steps of a series that is {frequency}",
        where=where,
        hint="set data.gaps: keep to count each row as one step, or data.frequency",
    )


def _gap_error(table: Table, panel: Panel, frequency: Frequency, holes: Holes) -> DataInvalid:
    series, missing = int(holes.series[0]), counted(len(holes.times), "time")
    first = table.time_format.format(holes.times[:1])[0]
    where = table.file_of(series) + (f", series {panel.series_ids[series]}" if len(panel) > 1 else "")
    return DataInvalid(
        "data.gaps",
        f"{missing} missing from a series that is {frequency}; the first is {first}",
        where=where,
        hint="set data.gaps: fill (with data.missing: ffill) or keep (--set data.gaps=keep)",
    )
