"""Names of rhythms as pandas has them: ``D``, ``B``, ``h``, ``30min``, ``W-FRI``, ``MS``, ``QE``."""

from __future__ import annotations

from typing import Any

from lstm_forecast.data.calendars import DAY, Frequency
from lstm_forecast.errors import UsageError


def parse_offset(text: str) -> Any:
    """The pandas offset of this name, None where there is none."""
    import pandas as pd

    try:
        return pd.tseries.frequencies.to_offset(text)
    except ValueError:
        return None


def parse_frequency(text: str, zone: str = "") -> Frequency:
    """The rhythm a pandas offset alias names: ``D``, ``B``, ``h``, ``30min``, ``W-FRI``, ``MS``, ``QE``.

    With a zone, days and longer steps are by its clock, and shorter ones are counted as they pass.

    Raises:
        UsageError: the alias is unknown or names no supported rhythm.
    """
    offset = parse_offset(text)
    name = "" if offset is None else offset.rule_code.split("-")[0]
    count = 1 if offset is None else offset.n
    months = {"MS": (1, 1), "ME": (1, 0), "QS": (3, 1), "QE": (3, 0), "YS": (12, 1), "YE": (12, 0)}
    if name in months:
        step, day = months[name]
        return Frequency("month", step * count, day=day, zone=zone)
    if name == "B" and count == 1:
        return Frequency("time", DAY, weekdays=(0, 1, 2, 3, 4), zone=zone)
    fixed = {"W": 7 * DAY, "D": DAY, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000}
    if name in fixed and count >= 1:
        step = fixed[name] * count
        return Frequency("time", step, zone="" if step % DAY else zone)
    raise UsageError(
        "data.frequency",
        f"{text!r} is not a frequency this program knows",
        where="data.frequency",
        hint="use a pandas offset such as D, B, h, 30min, W, MS, ME, QS or YS, or leave the key out",
    )
