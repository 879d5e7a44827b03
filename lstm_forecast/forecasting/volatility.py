"""How much a series moves of late: the unit in which errors of calm and wild times can be compared."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Scale = Literal["none", "volatility"]
HALF_LIFE = 20  # rows; measured on 15 price series: 80 and 95 % held within 4 points without recalibration
CHANGES = 200  # rows looked back at; an assumption: what lies further back weighs 2^-10 = 0.1 % in all
_STRETCH = 1 << 15  # rows looked at together: a dozen passes over them stay in a cache
SMALLEST = 0.1  # of the training scale; measured: 0.05 and 0.2 move one-step coverage by under 1 point


def volatility(panel: Panel, rows: Rows) -> Floats:
    """The recent mean absolute change of the target from row to row, as known at each of these rows: [W].

    An exponentially weighted mean with a half-life of 20 rows over the last 200 changes (as RiskMetrics 1996,
    with absolute values for squares: one wild day weighs less). A change counts where both its rows were
    observed. No change known: NaN.

    The number of a row depends on the 201 rows up to it and on nothing else, bit for bit: a forecast from
    the end of a file is that of the whole file, and stretches of rows can be looked at one after the other.

    Args:
        panel: the rows.
        rows: flat rows, [W], in any order.
    """
    found = np.full(len(rows), np.nan)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    begin = 0
    while begin < len(rows):
        first = int(ordered[begin])
        end = int(np.searchsorted(ordered, first + _STRETCH))
        found[order[begin:end]] = _of_stretch(panel, ordered[begin:end])
        begin = end
    return found


def _of_stretch(panel: Panel, rows: Rows) -> Floats:
    """:func:`volatility` at rising rows that lie near each other."""
    first, end = max(int(rows[0]) - CHANGES, 0), int(rows[-1]) + 1
    target, observed = panel.values[first:end, 0], panel.observed[first:end, 0]
    borders = panel.offsets[np.searchsorted(panel.offsets, first, side="right") - 1 :]
    borders = borders[: np.searchsorted(borders, end) + 1]
    flat = np.arange(first, end)
    place = flat - borders[np.searchsorted(borders, flat, side="right") - 1]
    known = np.zeros(len(target), dtype=bool)
    known[1:] = observed[1:] & observed[:-1] & (place[1:] > 0)
    change = np.zeros(len(target))
    change[1:] = np.abs(np.diff(target))
    weight = _weighted_sum(known.astype(np.float64), place)[rows - first]
    total = _weighted_sum(np.where(known, change, 0.0), place)[rows - first]
    mean = np.full(len(rows), np.nan)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean


def interval_units(scale: Scale, panel: Panel, rows: Rows, *, series: Rows, floor: Floats) -> Floats:
    """The unit of each window's scores, in original units and above 0: [W].

    Args:
        scale: ``none``: one unit for a whole series; ``volatility``: that of the window's cutoff.
        panel: the rows; of later ones than ``rows`` nothing is used.
        rows: flat row of each window's cutoff, [W].
        series: each window's series, [W].
        floor: MASE scale of each series, [S]: its mean absolute change in training, above 0. It is the unit
            where the volatility is not known, and a tenth of it the smallest unit.
    """
    usual = floor[series]
    if scale == "none":
        return usual
    recent = volatility(panel, rows)
    units = np.where(np.isnan(recent), usual, np.maximum(recent, SMALLEST * usual))
    return np.asarray(units, dtype=np.float64)


def _weighted_sum(values: Floats, place: Rows) -> Floats:
    """The sum of 2^(-k / HALF_LIFE) · value k rows before, k = 0 … CHANGES - 1, within each series: [N].

    Sums over 1, 2, 4, … rows are made of two of half the length; those that add up to CHANGES are put one
    behind the other. That takes a dozen passes, and each row adds in the same order wherever it stands.

    Args:
        values: [N], without NaN.
        place: number of each row within its series, [N].
    """
    total, block = np.zeros(len(values)), values
    done, size = 0, 1
    while size <= CHANGES:
        if CHANGES & size:
            total = total + _before(block, place, done)
            done += size
        block = block + _before(block, place, size)
        size *= 2
    return total


def _before(block: Floats, place: Rows, back: int) -> Floats:
    """What stood ``back`` rows before, weighted by its age; 0 where the series was not there yet."""
    if back == 0:
        return block
    moved = np.zeros(len(block))
    moved[back:] = block[:-back]
    return np.where(place >= back, moved * 2.0 ** (-back / HALF_LIFE), 0.0)
