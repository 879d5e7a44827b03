"""Splits by time: train, then validation, then test; one common date for all series of a panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.findings import counted, plural
from lstm_forecast.data.flat import count_marked, distinct
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.zones import readings
from lstm_forecast.errors import DataInvalid

Share = float | int | str  # a fraction of the times, a count of rows, or the first date


@dataclass(frozen=True)
class Splits:
    """Where each series' training and validation rows end, as flat rows: int64 [S] each."""

    train_end: NDArray[np.int64]
    validation_end: NDArray[np.int64]


def split_panel(panel: Panel, *, validation: Share, test: Share, horizon: int, zone: str = "") -> Splits:
    """Cuts every series into train | validation | test rows.

    A fraction is taken of the union of all times and a date is one date for all, so that no series trains on
    another's test period; a count is per series. A split that is wanted is never shorter than one horizon.

    Args:
        panel: the rows.
        validation: fraction, count or first date (ISO); 0 for none.
        test: the same.
        horizon: steps ahead of the forecast, H.
        zone: the zone whose clock dates are by; empty: that of the times.

    Raises:
        DataInvalid: dates in the wrong order or a count below the horizon.
    """
    union = distinct(panel.times)
    size = len(union)
    stop, before = panel.offsets[1:], union
    if test:
        stop, before = _cut(panel, union, stop, test, size=size, horizon=horizon, key="test", zone=zone)
    train_end = stop
    if validation:
        train_end, _ = _cut(
            panel, before, stop, validation, size=size, horizon=horizon, key="validation", zone=zone
        )
    if isinstance(validation, str) and isinstance(test, str) and validation >= test:
        raise DataInvalid(
            "split.order",
            f"validation begins at {validation} and test at {test}; expected validation first",
            where="split.validation, split.test",
            hint="give split.validation an earlier date than split.test",
        )
    return Splits(train_end, stop)


def _cut(
    panel: Panel,
    times: NDArray[np.int64],
    ends: NDArray[np.int64],
    share: Share,
    *,
    size: int,
    horizon: int,
    key: str,
    zone: str,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The last part of the rows that end at ``ends`` [S]: where it begins, and the times left before it.

    Args:
        panel: the rows.
        times: the union of the times up to the end of this part, sorted.
        ends: flat row each series' part ends at.
        share: fraction, count or first date.
        size: number of times in the whole union, which a fraction is taken of.
        horizon: H.
        key: name of the split, for messages.
        zone: of a date.
    """
    if isinstance(share, int):
        if 0 < share < horizon:
            raise DataInvalid(
                "split.too_short",
                f"{counted(share, 'row')} fewer than one horizon of {horizon}",
                where=f"split.{key}",
                hint=f"set split.{key}: {horizon} or more",
            )
        return np.maximum(ends - share, panel.offsets[:-1]), times[: max(len(times) - share, 0)]
    if isinstance(share, str):
        first = _moment(share, zone)
    elif len(times) == 0:  # the part after this one has taken every row
        return panel.offsets[:-1].copy(), times
    else:
        first = int(times[-min(max(round(size * share), horizon), len(times))])
    before = count_marked(panel.times < first, panel.offsets)
    return np.minimum(panel.offsets[:-1] + before, ends), times[times < first]


def _moment(date: str, zone: str) -> int:
    """A date as a time of the panel; what the clock of the zone shows twice is the first one."""
    shown = np.array([date], dtype="datetime64[us]").astype(np.int64)
    return int((readings(shown, zone).first if zone else shown)[0])


def check_lengths(
    panel: Panel, *, lookback: int, horizon: int, validation: Share, test: Share, where: str
) -> None:
    """Refuses a panel in which no series is long enough to train and, where asked, validate.

    Raises:
        DataInvalid: with the arithmetic, and the flags that would train.
    """
    longest = int(panel.lengths.max(initial=0))
    need = rows_needed(lookback=lookback, horizon=horizon, validation=validation, test=test, at_least=longest)
    if longest == need:
        return
    raise DataInvalid(
        "data.too_short",
        f"need at least {plural(need, 'row')}, got {longest:,}",
        where=where,
        details=[
            f"lookback {lookback} + horizon {horizon} = {lookback + horizon} rows to train on,",
            f"then validation {validation} and test {test}, each none or at least one horizon"
            if 0 in (validation, test)
            else f"then validation {validation} and test {test}, each at least one horizon",
        ],
        hint=_advice(longest, lookback=lookback, horizon=horizon, validation=validation, test=test),
    )


def _advice(rows: int, *, lookback: int, horizon: int, validation: Share, test: Share) -> str:
    """Flags with which so many rows would train: a shorter lookback, else a shorter horizon too.

    A lookback that leaves at least as many training windows as it has steps goes before a longer one.
    """
    for ahead in range(horizon, 0, -1):
        left = rows - _taken(rows, test, ahead) - _taken(rows, validation, ahead)
        roomy, longest = (left - ahead + 1) // 2, left - ahead
        wanted = longest if ahead == horizon and roomy < ahead else roomy
        length = min(wanted, lookback - 1)
        if length >= (1 if ahead == horizon else ahead):
            shorter = f"--horizon {ahead} " if ahead < horizon else ""
            return f"{shorter}--lookback {length} would train"
    return "give more rows"


def rows_needed(*, lookback: int, horizon: int, validation: Share, test: Share, at_least: int = 0) -> int:
    """The shortest series, of ``at_least`` rows or more, that gives a training and a validation window.

    Dates say nothing about counts: with them only one horizon each is asked for. A row more can be too few
    again, where both fractions round up with it.
    """
    rows = max(lookback + horizon, at_least)
    while not _trains(rows, lookback=lookback, horizon=horizon, validation=validation, test=test):
        rows += 1
    return rows


def _trains(rows: int, *, lookback: int, horizon: int, validation: Share, test: Share) -> bool:
    """Whether a series of this length leaves a training window beside its two other splits."""
    left = rows - _taken(rows, test, horizon) - _taken(rows, validation, horizon)
    return left >= lookback + horizon


def _taken(rows: int, share: Share, horizon: int) -> int:
    """Rows that a split takes of a series of this length."""
    if isinstance(share, int):
        return share
    return horizon if isinstance(share, str) else max(round(rows * share), horizon)
