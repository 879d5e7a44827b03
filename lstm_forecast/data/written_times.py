"""Times as text, all at once where each field has one width: a matrix of characters, by columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.spelling import is_field, split_pattern, write_time, zone_minutes

# Where each field stands in ISO 8601 with microseconds: 2024-01-31T23:59:59.000000.
_PLACES = {"%Y": (0, 4), "%m": (5, 7), "%d": (8, 10), "%H": (11, 13), "%M": (14, 16), "%S": (17, 19)}
_FIRST, _LAST = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("0001-01-02", "9999-12-30"))


def write_times(moments: NDArray[np.int64], pattern: str, zones: list[str]) -> list[str]:
    """Moments (microseconds since the epoch) in a pattern, each with its zone: what ``write_time`` gives."""
    parts = split_pattern(pattern)
    plain = bool(parts) and all(part in _PLACES or part == "%z" or not is_field(part) for part in parts)
    inside = len(moments) and moments.min() >= _FIRST and moments.max() <= _LAST
    if not (plain and inside and zones.count(zones[0]) == len(zones)):
        return [write_time(int(moment), pattern, zone) for moment, zone in zip(moments, zones, strict=True)]
    local = moments + zone_minutes(zones[0]) * 60_000_000
    texts = np.datetime_as_string(local.astype("datetime64[us]"))
    characters = texts.view(np.uint32).reshape(len(texts), -1)
    columns = []
    for part in parts:
        if part in _PLACES:
            columns.append(characters[:, slice(*_PLACES[part])])
        else:
            text = zones[0] if part == "%z" else part.replace("%%", "%")
            letters = np.array([ord(letter) for letter in text], dtype=np.uint32)
            columns.append(np.broadcast_to(letters, (len(texts), len(letters))))
    joined = np.ascontiguousarray(np.concatenate(columns, axis=1))
    whole: list[str] = joined.view(f"U{joined.shape[1]}").reshape(-1).tolist()
    return whole
