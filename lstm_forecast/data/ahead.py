"""Columns whose values are known ahead: in rows of a file that have no target yet, and in those to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.table import RowsAhead, Table, after_last_target

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def with_rows_ahead(table: Table, future: int) -> Table:
    """The table without the rows after each series' last target; those rows' future covariates beside it.

    Args:
        table: what was read.
        future: P, number of future covariates, the last columns; without any nothing is done.
    """
    if not future:
        return table
    after = after_last_target(table)
    if not after.any():
        return table
    rows = RowsAhead(table.series[after], table.times[after], table.values[after, -future:])
    whole = int(np.sum(~np.isnan(rows.values).any(axis=1)))
    line = f"{plural(int(after.sum()), 'row')} after the last target: {whole} with every future covariate"
    return replace(
        table,
        series=table.series[~after],
        times=table.times[~after],
        values=table.values[~after],
        lines=table.lines[~after],
        account=(*table.account, line),
        ahead=rows,
    )


def rows_ahead(panel: Panel, rows: Rows, *, steps: int, count: int) -> Floats:
    """What the last ``count`` columns hold in the ``steps`` rows after each row [W]: [W, steps, count].

    Beyond the end of a series its last row is repeated: what is forecast there can be compared with nothing.
    """
    if not count:
        return np.empty((len(rows), steps, 0))
    owner = np.searchsorted(panel.offsets, rows, side="right")
    after = np.minimum(rows[:, None] + 1 + np.arange(steps), panel.offsets[owner][:, None] - 1)
    found: Floats = panel.values[:, -count:][after]
    return found
