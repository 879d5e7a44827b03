"""Made-up test windows with everything that real ones have, and the tables another library reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_forecast.evaluation.measures import Truth

Floats = NDArray[np.float64]
NAN = float("nan")


def truth_of(actual: Floats, *, last: float = 0.0, scale: float = 1.0) -> Truth:
    """Windows [W, H] of one series, one per time."""
    count = len(actual)
    return Truth(
        actual,
        np.full(count, last),
        np.zeros(count, dtype=np.int64),
        np.arange(count),
        np.array([scale]),
        np.array([scale]),
    )


def random_windows(seed: int, *, windows: int = 7, horizon: int = 3, series: int = 4) -> tuple[Truth, Floats]:
    """Each series' windows at the same times; some actuals missing, some repeated, one series flat, one zero.

    Returns:
        The truth and a forecast [W, H] of it.
    """
    draw = np.random.default_rng(seed)
    count = windows * series
    actual = draw.normal(size=(count, horizon)).round(1) * 10.0 ** draw.integers(-3, 4, size=(count, 1))
    last = draw.normal(size=count).round(1)
    repeated = draw.random((count, horizon)) < 0.2
    actual = np.where(repeated, last[:, None], actual)
    number = np.repeat(np.arange(series), windows)
    actual[number == 1], actual[number == 2] = 2.5, 0.0
    actual[draw.random((count, horizon)) < 0.15] = NAN
    forecast = np.where(
        draw.random((count, horizon)) < 0.2, last[:, None], draw.normal(size=(count, horizon))
    )
    forecast[number == 2] *= draw.random((windows, horizon)) < 0.5
    scales = draw.uniform(0.5, 2.0, size=(2, series))
    return Truth(actual, last, number, np.tile(np.arange(windows), series), *scales), forecast


def long_table(truth: Truth, columns: dict[str, Floats]) -> pd.DataFrame:
    """One row per observed cell: unique_id, y and the named forecasts [W, H]."""
    known = ~np.isnan(truth.actual)
    label = np.broadcast_to(truth.series[:, None], known.shape)
    cells = {name: values[known] for name, values in columns.items()}
    return pd.DataFrame({"unique_id": label[known], "y": truth.actual[known], **cells})
