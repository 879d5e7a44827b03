"""Linear forecasts of training rows: a cheap stand-in for networks that differ in what they see.

A least-squares map from the window to the horizon takes milliseconds where a network takes minutes. How far
back it gains from looking, from which value it counts, whether it gains from logarithms: a network gains from
the same, measured in the lab log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.transform import Transform, restored, transformed
from lstm_forecast.data.windows import Windows, season_rows, windows_in

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Base = Literal["last", "seasonal"]
MOST_SERIES = 12  # of a panel are tried, each by itself, spread evenly over those that are long enough
MOST_FITTED, MOST_JUDGED = 3_000, 1_000  # windows in all, spread evenly over those there are
FEWEST_FITTED, FEWEST_JUDGED = 500, 100  # of one series at most, however many there are
JUDGED_SHARE = 0.2  # of each series' training rows, its last ones; no fewer than one horizon
PENALTIES = (1e-3, 1e-1, 10.0)  # times the mean square of an input, per input and window


@dataclass(frozen=True)
class Trial:
    """What linear forecasts, one a series, reach on training rows that they were not fitted to.

    Attributes:
        lookback: rows that it sees, L.
        anchor: what it is counted from.
        transform: of the target.
        error: mean absolute error over the MASE scale, with the best of three penalties, a mean over series.
        untouched: the same of the anchor alone.
    """

    lookback: int
    anchor: Base
    transform: Transform
    error: float
    untouched: float


@dataclass(frozen=True)
class _Rows:
    """The rows that windows are gathered from.

    Attributes:
        panel: training rows, N of S series.
        levels: [N], the transformed target over the series' unit.
        unit: [S], standard deviation of the transformed target.
        scale: [S], that of the MASE.
        lookback: L.
        horizon: H.
        season: m.
        transform: of the target.
    """

    panel: Panel
    levels: Floats
    unit: Floats
    scale: Floats
    lookback: int
    horizon: int
    season: int
    transform: Transform


def linear_trials(
    training: Panel,
    *,
    lookback: int,
    horizon: int,
    season: int,
    anchors: Sequence[Base],
    transform: Transform,
) -> list[Trial]:
    """One trial per anchor; none where the rows are too few for this lookback.

    Fitted to windows whose targets lie before the last fifth of a series, and judged on those that lie in it.
    What is seen of a window is its rows less the last one, in standard deviations of the series. One map for
    all series of a panel would tell how alike they are, and not how far back each is worth looking.

    Args:
        training: the training rows and nothing else, no cell empty; only the target is looked at.
        lookback: L.
        horizon: H.
        season: m, 1 for none; the seasonal anchor needs 1 < m <= L.
        anchors: which ones to try.
        transform: none, or a logarithm that every row has.
    """
    chosen = _typical(training)
    each = [
        _of_one(
            training.pick([s], training.series_ids[s : s + 1]),
            lookback=lookback,
            horizon=horizon,
            season=season,
            anchors=anchors,
            transform=transform,
            share=len(chosen),
        )
        for s in chosen
    ]
    found = [trials for trials in each if trials]
    return [
        replace(
            alike[0],
            error=float(np.mean([trial.error for trial in alike])),
            untouched=float(np.mean([trial.untouched for trial in alike])),
        )
        for alike in zip(*found, strict=True)
    ]


def _typical(training: Panel) -> list[int]:
    """Some series, none of the shortest tenth."""
    lengths = training.lengths
    least = max(1, int(np.quantile(lengths[lengths > 0], 0.1, method="lower"))) if lengths.any() else 1
    long = np.flatnonzero(lengths >= least)
    places = np.linspace(0, len(long) - 1, min(len(long), MOST_SERIES)).astype(np.int64)
    return [int(s) for s in long[places]]


def _of_one(
    training: Panel,
    *,
    lookback: int,
    horizon: int,
    season: int,
    anchors: Sequence[Base],
    transform: Transform,
    share: int,
) -> list[Trial]:
    """The trials of a panel of one series, which is one of ``share`` that are tried."""
    starts, ends = training.offsets[:-1], training.offsets[1:]
    border = np.maximum(ends - np.maximum(training.lengths * JUDGED_SHARE, horizon).astype(np.int64), starts)
    levels = transformed(training.values[:, 0], transform)
    unit, scale = _units(training, levels, border, season)
    spread = np.repeat(unit, training.lengths)
    rows = _Rows(training, levels / spread, unit, scale, lookback, horizon, season, transform)
    fitted = _windows(rows, starts + lookback, border, most=max(MOST_FITTED // share, FEWEST_FITTED))
    judged = _windows(rows, border, ends, most=max(MOST_JUDGED // share, FEWEST_JUDGED))
    if len(fitted) < 3 or not len(judged):
        return []
    # One factorisation serves all anchors: they differ in what is to be forecast, not in what is seen.
    targets = [_after(rows, fitted) - _base(rows, fitted, anchor) for anchor in anchors]
    seen = _inputs(rows, judged)
    answers = [
        np.split(seen @ weights, len(anchors), axis=1)
        for weights in ridge_weights(_inputs(rows, fitted), np.concatenate(targets, axis=1))
    ]
    found = []
    for number, anchor in enumerate(anchors):
        base = _base(rows, judged, anchor)
        errors = [_error(rows, judged, base + answer[number]) for answer in answers]
        found.append(Trial(lookback, anchor, transform, min(errors), _error(rows, judged, base)))
    return found


def ridge_weights(x: Floats, y: Floats) -> Iterator[Floats]:
    """Least squares without intercept, one solution [F, K] per penalty (Hoerl & Kennard 1970).

    Args:
        x: [n, F].
        y: [n, K].
    """
    products, moments = x.T @ x, x.T @ y
    size = float(np.trace(products)) / len(x)
    for penalty in PENALTIES:
        weight = penalty * size or 1.0  # inputs that are all 0 explain nothing
        yield np.asarray(np.linalg.solve(products + weight * np.eye(len(products)), moments))


def _units(training: Panel, levels: Floats, border: Rows, season: int) -> tuple[Floats, Floats]:
    """Standard deviation of the levels before the border, and MASE scale, by series: [S] each, never 0."""
    unit, scale = np.ones(len(training)), np.ones(len(training))
    for s in np.flatnonzero(training.lengths > 1):
        rows = training.rows(int(s))
        values, lag = training.values[rows, 0], season if training.lengths[s] > season else 1
        unit[s] = float(np.std(levels[rows.start : max(int(border[s]), rows.start + 2)]))
        scale[s] = float(np.mean(np.abs(values[lag:] - values[:-lag])))
    return np.where(unit > 0, unit, 1.0), np.where(scale > 0, scale, 1.0)


def _windows(rows: _Rows, first: Rows, end: Rows, *, most: int) -> Windows:
    """At most so many of the windows whose targets lie from ``first`` to ``end`` [S], all observed."""
    panel, horizon = rows.panel, rows.horizon
    found = windows_in(first, end, offsets=panel.offsets, lookback=rows.lookback, horizon=horizon)
    unknown = np.concatenate([[0], np.cumsum(~panel.observed[:, 0])])
    after = found.start + rows.lookback
    kept = np.flatnonzero(unknown[after + horizon] == unknown[after])
    if len(kept) > most:
        kept = kept[np.linspace(0, len(kept) - 1, most).astype(np.int64)]
    return Windows(found.start[kept], found.series[kept])


def _inputs(rows: _Rows, windows: Windows) -> Floats:
    """What is seen of windows: [W, L - 1]; the last row, less itself, is left out."""
    seen = rows.levels[windows.start[:, None] + np.arange(rows.lookback)]
    return np.asarray(seen[:, :-1] - seen[:, -1:])


def _base(rows: _Rows, windows: Windows, anchor: Base) -> Floats:
    """The anchor of every step, [W, H]."""
    steps = (
        season_rows(rows.horizon, rows.season) if anchor == "seasonal" else np.zeros(rows.horizon, np.int64)
    )
    return np.asarray(rows.levels[windows.start[:, None] + rows.lookback - 1 + steps])


def _after(rows: _Rows, windows: Windows) -> Floats:
    """The levels that come after the windows, [W, H]."""
    return np.asarray(rows.levels[windows.start[:, None] + rows.lookback + np.arange(rows.horizon)])


def _error(rows: _Rows, windows: Windows, levels: Floats) -> float:
    """Mean absolute error over the MASE scale of forecasts given as levels, [W, H]."""
    changed = levels * rows.unit[windows.series, None]
    forecast = restored(changed, changed, rows.transform, anchored=False)
    after = windows.start[:, None] + rows.lookback + np.arange(rows.horizon)
    errors = np.abs(forecast - rows.panel.values[after, 0])
    return float(np.mean(errors / rows.scale[windows.series, None]))
