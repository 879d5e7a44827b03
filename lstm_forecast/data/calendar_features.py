"""What a date tells: day of the week, month, hour, holiday; of the past and of every step to come.

A feature that goes round is a sine and a cosine, so that December lies beside January.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY, month_of, weekday_of

Feature = Literal["dayofweek", "month", "hour", "holiday"]
Floats = NDArray[np.float64]
Times = NDArray[np.int64]
HOLIDAY: Feature = "holiday"


def calendar_names(features: Sequence[Feature]) -> tuple[str, ...]:
    """The names of the columns that the features become, P of them."""
    names: list[str] = []
    for feature in features:
        names += [feature] if feature == HOLIDAY else [f"{feature} sin", f"{feature} cos"]
    return tuple(names)


def calendar_values(times: Times, features: Sequence[Feature], holidays: NDArray[np.int64]) -> Floats:
    """The features of these times [...], each within -1 … 1: [..., P].

    Args:
        times: microseconds since the epoch, by the clock that tells them.
        features: in the order of :func:`calendar_names`.
        holidays: days since the epoch, sorted.
    """
    parts: list[Floats] = []
    for feature in features:
        if feature == HOLIDAY:
            parts.append(np.isin(times // DAY, holidays).astype(np.float64))
            continue
        turn = 2 * np.pi * _share(feature, times)
        parts += [np.sin(turn), np.cos(turn)]
    return np.stack(parts, axis=-1) if parts else np.empty((*times.shape, 0))


def _share(feature: Feature, times: Times) -> Floats:
    """Where in its round a time stands, 0 … 1."""
    if feature == "dayofweek":
        return weekday_of(times) / 7
    if feature == "month":
        return month_of(times) / 12
    return (times % DAY) / DAY
