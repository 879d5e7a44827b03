"""Forecasts of what is already known: the network's and the baselines', on the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling

if TYPE_CHECKING:
    from lstm_forecast.evaluation.measures import Truth
    from lstm_forecast.forecasting.simple import Issuer

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """W forecasts of K steps whose future is known.

    Attributes:
        rows: flat row of the cutoff, the last value each forecast knows, [W].
        series: [W].
        origins: time of the cutoff, [W].
        last: value at the cutoff, [W].
        actual: what came, [W, K] in original units; NaN where it was not observed, or comes after the rows
            that are looked at.
        forecast: [W, K].
        quantiles: [W, K, Q], or None for a point head.
        members: the forecast of each network alone, where there are several, [W, K] each.
        baselines: forecast by name, [W, K] each.
        issued: what ``predict`` would have given instead of ``forecast``, [W, K]; None where it is the same.
    """

    rows: Rows
    series: Rows
    origins: Rows
    last: Floats
    actual: Floats
    forecast: Floats
    quantiles: Floats | None
    members: tuple[Floats, ...]
    baselines: Mapping[str, Floats]
    issued: Floats | None = None

    def __len__(self) -> int:
        """Number of forecasts."""
        return len(self.rows)

    def part(self, keep: NDArray[np.bool_] | Rows, *, steps: int | None = None) -> HeldOut:
        """The chosen forecasts, and their first ``steps`` steps."""
        return HeldOut(
            self.rows[keep],
            self.series[keep],
            self.origins[keep],
            self.last[keep],
            self.actual[keep, :steps],
            self.forecast[keep, :steps],
            None if self.quantiles is None else self.quantiles[keep, :steps],
            tuple(member[keep, :steps] for member in self.members),
            {name: values[keep, :steps] for name, values in self.baselines.items()},
            None if self.issued is None else self.issued[keep, :steps],
        )

    @property
    def given(self) -> Floats:
        """What ``predict`` would have given, [W, K]: the forecast that intervals stand around."""
        return self.forecast if self.issued is None else self.issued

    def truth(self, scaling: Scaling) -> Truth:
        """What came, with the units that errors are measured in."""
        from lstm_forecast.evaluation.measures import Truth

        return Truth(
            self.actual, self.last, self.series, self.origins, scaling.mase_scale, scaling.rmsse_scale
        )

    def with_baselines(self, baselines: Mapping[str, Floats]) -> HeldOut:
        """The same with these baselines' forecasts."""
        return replace(self, baselines=baselines)

    def with_issued(self, issued: Floats) -> HeldOut:
        """The same where ``predict`` would have given these forecasts instead."""
        return replace(self, issued=issued)


def cutoffs(panel: Panel, first: Rows, end: Rows, *, least: int, every: int = 1) -> tuple[Rows, Rows]:
    """Every row that a forecast can be made at so that its first target lies in ``first[s] … end[s] - 1``.

    Args:
        panel: the rows.
        first: flat row of the first target of each series, [S].
        end: flat row after the last, [S].
        least: rows that a forecast needs, the cutoff's own included.
        every: rows from one cutoff to the next, counted back from the last.

    Returns:
        Flat rows of the cutoffs and their series, each [W], by series and time.
    """
    begin = np.maximum(first - 1, panel.offsets[:-1] + least - 1)
    counts = np.maximum(end - 1 - begin, 0)
    series = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = begin[series] + within
    kept = (end[series] - 2 - rows) % every == 0
    return rows[kept], series[kept]


def hold_out(forecaster: Issuer, panel: Panel, rows: Rows, series: Rows, *, end: Rows, steps: int) -> HeldOut:
    """The forecaster's forecasts of ``steps`` steps at these cutoffs, beside what came before row ``end[s]``.

    No forecast sees a row after its cutoff, and no actual value lies at or after ``end[s]``.
    """
    outlook = forecaster.at(panel, rows, series, horizon=steps)
    alone = forecaster.members() if len(forecaster.networks) > 1 else []
    members = tuple(member.at(panel, rows, series, horizon=steps).point for member in alone)
    return HeldOut(
        rows,
        series,
        panel.times[rows],
        panel.values[rows, 0],
        actual_values(panel, rows, series, end=end, steps=steps),
        outlook.point,
        outlook.quantiles,
        members,
        {},
    )


def hold_out_tiers(
    forecaster: Issuer,
    panel: Panel,
    rows: Rows,
    series: Rows,
    *,
    end: Rows,
    tiers: Sequence[tuple[int, int]],
) -> HeldOut:
    """The same, farther ahead from fewer cutoffs.

    Args:
        forecaster: as for :func:`hold_out`.
        panel: the same.
        rows: the same.
        series: the same.
        end: the same.
        tiers: (steps, every): so many steps from every ``every``-th cutoff of a series, its last one among
            them; steps rise, and the first tier's ``every`` is 1. What was not forecast is NaN, in forecast
            and actual value.
    """
    steps = np.zeros(len(rows), dtype=np.int64)
    for ahead, every in tiers:
        steps[(end[series] - 2 - rows) % every == 0] = ahead
    parts = []
    for ahead in np.unique(steps).tolist() if len(rows) else [tiers[-1][0]]:
        mine = steps == ahead
        parts.append(hold_out(forecaster, panel, rows[mine], series[mine], end=end, steps=ahead))
    return joined(parts, steps=tiers[-1][0])


def actual_values(panel: Panel, rows: Rows, series: Rows, *, end: Rows, steps: int) -> Floats:
    """What was observed in the ``steps`` rows after each cutoff, [W, steps]; NaN from row ``end[s]`` on."""
    found = np.full((len(rows), steps), np.nan)
    for step in range(steps):  # by columns: the targets of all would be as large as what is found
        known = np.flatnonzero(rows + 1 + step < end[series])
        targets = rows[known] + 1 + step
        found[known, step] = np.where(panel.observed[targets, 0], panel.values[targets, 0], np.nan)
    return found


def complete(held: HeldOut, *, end: Rows, horizon: int) -> NDArray[np.bool_]:
    """Which forecasts have all ``horizon`` targets before row ``end[s]``: bool [W]."""
    return held.rows + horizon < end[held.series]


def count_apart(held: HeldOut, *, horizon: int) -> int:
    """How many forecasts of ``horizon`` steps can be chosen, series by series, so that no two overlap."""
    _, where, counts = np.unique(held.series, return_inverse=True, return_counts=True)
    first = np.full(len(counts), np.iinfo(np.int64).max)
    last = np.zeros(len(counts), dtype=np.int64)
    np.minimum.at(first, where, held.rows)
    np.maximum.at(last, where, held.rows)
    return int(np.minimum(1 + (last - first) // horizon, counts).sum())


def all_forecasts(held: HeldOut) -> dict[str, Floats]:
    """The model's forecast and every baseline's, by name: ``model`` first."""
    return {"model": held.forecast, **held.baselines}


def joined(parts: Sequence[HeldOut], *, steps: int | None = None) -> HeldOut:
    """The forecasts of several forecasters as one, by row; without ``baselines`` and ``issued``.

    With ``steps``, parts may hold fewer of them: what a part did not forecast is NaN.
    """
    first = parts[0]
    wide = first.forecast.shape[1] if steps is None else steps
    if len(parts) == 1 and first.forecast.shape[1] == wide and (np.diff(first.rows) >= 0).all():
        return replace(first, baselines={}, issued=None)
    rows = np.concatenate([part.rows for part in parts])
    places = np.empty(len(rows), dtype=np.int64)
    places[np.argsort(rows, kind="stable")] = np.arange(len(rows))
    mine = np.split(places, np.cumsum([len(part) for part in parts])[:-1])
    count = min(len(part.members) for part in parts)

    def together(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        shape = (len(rows), wide, *values[0].shape[2:]) if values[0].ndim > 1 else (len(rows),)
        whole = np.full(shape, np.nan) if values[0].ndim > 1 else np.empty(shape, dtype=values[0].dtype)
        for place, one in zip(mine, values, strict=True):
            if one.ndim == 1:
                whole[place] = one
            else:
                whole[place, : one.shape[1]] = one
        return whole

    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    return HeldOut(
        together([part.rows for part in parts]),
        together([part.series for part in parts]),
        together([part.origins for part in parts]),
        together([part.last for part in parts]),
        together([part.actual for part in parts]),
        together([part.forecast for part in parts]),
        together(quantiles) if quantiles else None,
        tuple(together([part.members[number] for part in parts]) for number in range(count)),
        {},
    )
