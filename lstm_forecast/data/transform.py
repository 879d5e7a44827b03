"""Transforms of the target before scaling: logarithms of what grows by shares, differences of what drifts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.errors import DataInvalid

Floats = NDArray[np.float64]
Transform = Literal["none", "log", "log1p", "diff"]
LOWEST: dict[Transform, float] = {"log": 0.0, "log1p": -1.0}  # every value has to lie above it


def transformed(values: Floats, transform: Transform) -> Floats:
    """The target of consecutive rows, [..., L], as the network's units are fitted to it: [..., L].

    With ``diff`` the first is 0, because it has nothing before it.
    """
    if transform == "log":
        return np.log(values)
    if transform == "log1p":
        return np.log1p(values)
    if transform == "diff":
        return np.diff(values, axis=-1, prepend=values[..., :1])
    return values


def transformed_panel(panel: Panel, transform: Transform) -> Floats:
    """The panel's values [N, C] with the target transformed series by series."""
    if transform == "none":
        return panel.values
    values = panel.values.copy()
    values[:, 0] = transformed(panel.values[:, 0], transform)
    if transform == "diff":
        starts = panel.offsets[:-1]
        values[starts[starts < len(values)], 0] = 0.0  # a series' first row has nothing before it
    return values


def restored(changed: Floats, base: Floats, transform: Transform, *, anchored: bool) -> Floats:
    """Forecasts in original units from forecasts of the transformed target: [B, H].

    Args:
        changed: [B, H]: with ``anchored`` the transformed value less that of the base, else the value.
        base: known values in original units, one for each step or one for all: [B, H] or [B, 1]; with
            ``diff`` the last one. A change of 0 gives it back bit for bit.
        transform: what was done to the target.
        anchored: whether ``changed`` is counted from the base.
    """
    if transform == "log":
        return base * np.exp(changed) if anchored else np.exp(changed)
    if transform == "log1p":
        return base + (1 + base) * np.expm1(changed) if anchored else np.expm1(changed)
    if transform == "diff":
        return base + np.cumsum(changed, axis=1)
    return base + changed if anchored else changed


def check_transform(panel: Panel, transform: Transform, *, where: str) -> None:
    """Refuses a target that has no logarithm.

    Raises:
        DataInvalid: naming the lowest value and its series.
    """
    lowest = LOWEST.get(transform)
    if lowest is None or not np.any(panel.values[:, 0] <= lowest):
        return
    row = int(np.nanargmin(panel.values[:, 0]))
    series = panel.series_ids[int(np.searchsorted(panel.offsets, row, side="right")) - 1]
    count = int(np.sum(panel.values[:, 0] <= lowest))
    raise DataInvalid(
        "data.transform",
        f"{count:,} of the target's values {'has' if count == 1 else 'have'} no {transform};"
        f" the lowest is {panel.values[row, 0]:g}",
        where=where + (f", series {series}" if len(panel) > 1 else ""),
        details=[f"expected: every value above {lowest:g}"],
        hint="set data.transform: log1p, or none" if transform == "log" else "set data.transform: none",
    )
