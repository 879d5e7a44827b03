"""Small panels and tables, for the tests of everything that works on one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.table import Source, Table

Floats = NDArray[np.float64]
NAN = float("nan")
FIRST_DAY = 19_723 * DAY  # 2024-01-01, a Monday


def panel_of(*series: Sequence[float] | Floats, first_days: Sequence[int] | None = None) -> Panel:
    """A daily panel of these series, each [n] or [n, C]; NaN cells are not observed and stay NaN.

    Args:
        series: the values of each series.
        first_days: on which day each begins; None: all on day 0.
    """
    blocks = [np.asarray(values, dtype=np.float64) for values in series]
    blocks = [block[:, None] if block.ndim == 1 else block for block in blocks]
    begins = first_days or [0] * len(blocks)
    times = [
        FIRST_DAY + DAY * np.arange(begin, begin + len(block))
        for begin, block in zip(begins, blocks, strict=True)
    ]
    values = np.concatenate(blocks)
    columns = ("y", *(f"x{c}" for c in range(1, values.shape[1])))
    names = tuple(f"s{number}" for number in range(len(blocks)))
    offsets = np.cumsum([0, *map(len, blocks)]).astype(np.int64)
    return Panel(values, ~np.isnan(values), np.concatenate(times).astype(np.int64), offsets, names, columns)


def random_walks(*lengths: int, columns: int = 1, seed: int = 0) -> Panel:
    """Random walks around 100, one series per length."""
    draw = np.random.default_rng(seed)
    return panel_of(*(100 + draw.normal(size=(length, columns)).cumsum(axis=0) for length in lengths))


def table_of(*series: Sequence[tuple[int, float]], lines: Sequence[int] | None = None) -> Table:
    """A table as the reader gives it, of (day, value) pairs per series, in file ``prices.csv``."""
    number = np.repeat(np.arange(len(series)), [len(pairs) for pairs in series])
    days = [day for pairs in series for day, _ in pairs]
    values = [value for pairs in series for _, value in pairs]
    return Table(
        series=number.astype(np.int64),
        series_ids=tuple(f"s{n}" for n in range(len(series))),
        times=FIRST_DAY + DAY * np.array(days, dtype=np.int64),
        values=np.array(values, dtype=np.float64)[:, None],
        columns=("y",),
        time_name="date",
        series_name="id",
        time_format=TimeFormat("date", "%Y-%m-%d"),
        lines=np.array(lines if lines is not None else range(2, 2 + len(days)), dtype=np.int64),
        header=("date", "id", "y"),
        source=Source("prices.csv", "0" * 64, 1, "utf-8", ",", ".", 1),
        account=(),
        notices=(),
        rejects=(),
    )
