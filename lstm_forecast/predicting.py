"""The future from a run: which rows are read, and the dated rows that come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.cold_starts import warn_of_cold
from lstm_forecast.coming import future_times
from lstm_forecast.covariates import ahead_columns
from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.dated import ForecastRow, Origin, forecast_rows
from lstm_forecast.errors import UsageError, nearest
from lstm_forecast.events import Events
from lstm_forecast.gating import MODEL
from lstm_forecast.opening import Opened

if TYPE_CHECKING:
    from lstm_forecast.forecasting.forecast import Outlook

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Ahead:
    """The next steps of every series with rows.

    Attributes:
        values: [S, H] in original units.
        bounds: lower and upper by level, each [S, H]; NaN where not calibrated.
        sources: what made each series' forecast: S words.
    """

    values: Floats
    bounds: Mapping[float, tuple[Floats, Floats]]
    sources: list[str]


def forecast_panel(
    opened: Opened,
    panel: Panel,
    *,
    horizon: int,
    levels: Sequence[float],
    known: Floats | None = None,
    only: Sequence[int] | None = None,
) -> Ahead:
    """The next ``horizon`` values of every series with rows, and their intervals.

    A series with fewer rows than the network's lookback, or without units, gets the forecast of the baseline
    that did best on validation, without intervals. A run that issues a baseline does so for every series.
    ``known`` are the columns known ahead at those steps, [S, horizon, P]; None where there are none. Where
    ``only`` some series are named, the others have zeros.
    """
    last = np.maximum(panel.offsets[1:] - 1, 0)
    present, able = np.flatnonzero(panel.lengths), opened.able(panel)
    if only is not None:
        present, able = np.intersect1d(present, only), np.intersect1d(able, only)
    short = np.setdiff1d(present, able)
    values, sources = np.zeros((len(panel), horizon)), [opened.issued] * len(panel)
    bounds = {level: _unknown(len(panel), horizon) for level in levels}
    if len(able):
        ahead = None if known is None else known[able]
        issuer = opened.issuer_for(windows=len(able), horizon=horizon)
        outlook = issuer.at(panel, last[able], able, horizon=horizon, ahead=ahead)
        values[able] = outlook.point
        measured = _with_unit(opened, able)
        for level, pair in _bounds(opened, panel, last[able], able, outlook, levels).items():
            for whole, part in zip(bounds[level], pair, strict=True):
                whole[able[measured]] = part[measured]
    if opened.issued == MODEL:
        name, simple = _simple(opened, panel, last[short], short, horizon=horizon)
        values[short] = simple
        sources = [name] * len(panel)
        for s in able.tolist():
            sources[s] = opened.issued
    return Ahead(values, bounds, sources)


def _simple(opened: Opened, panel: Panel, rows: Rows, series: Rows, *, horizon: int) -> tuple[str, Floats]:
    """The baseline for series that the network cannot forecast: its name, and what it gives, [W, H]."""
    from lstm_forecast.forecasting.baselines import SIMPLE, baseline_forecasts

    best = opened.metrics.get("baseline")
    name = str(best) if best in SIMPLE else "naive"
    season = opened.preprocess.season
    return name, baseline_forecasts([name], panel, rows, series, horizon=horizon, season=season)[name]


def _with_unit(opened: Opened, series: Rows) -> NDArray[np.bool_]:
    """Which of these series, all with a forecast of what the run issues, have a unit of errors: bool [W].

    One that the networks were not trained on has none where its values never change: nothing says what of the
    others' errors would be small there.
    """
    scaling = opened.preprocess.scaling
    cold = np.isin(series, opened.cold)
    known = ~cold | (scaling.trained & ~scaling.still)[series]
    if opened.issued == MODEL or not opened.trained:  # of a file too short for a network every row gave units
        return np.asarray(known)
    return np.asarray(known & opened.tested_issuer.scaling.trained[series])


def _unknown(count: int, horizon: int) -> tuple[Floats, Floats]:
    return np.full((count, horizon), np.nan), np.full((count, horizon), np.nan)


def _bounds(
    opened: Opened, panel: Panel, rows: Rows, series: Rows, outlook: Outlook, levels: Sequence[float]
) -> dict[float, tuple[Floats, Floats]]:
    """The intervals of forecasts made at these rows, from the calibration on validation."""
    from lstm_forecast.forecasting.intervals import interval_bounds
    from lstm_forecast.forecasting.volatility import interval_units

    calibration, issuer = opened.calibration, opened.issuer
    if calibration is None:
        return {}
    unit = interval_units(calibration.scale, panel, rows, series=series, floor=calibration.floor)
    lowest = issuer.lowest(panel, rows, series)
    return {
        level: interval_bounds(
            calibration,
            level,
            outlook.point,
            margins=calibration.margins(level, series=series, unit=unit),
            quantiles=outlook.quantiles,
            quantile_levels=issuer.levels,
            minimum=lowest,
        )
        for level in levels
    }


def dated_rows(
    opened: Opened,
    panel: Panel,
    *,
    horizon: int,
    chosen: Sequence[int],
    levels: Sequence[float],
    known: Floats | None,
    events: Events,
) -> tuple[ForecastRow, ...]:
    """Forecasts these series of the panel and dates the steps; ``known`` as for :func:`forecast_panel`."""
    ahead = forecast_panel(opened, panel, horizon=horizon, levels=levels, known=known)
    times = future_times(opened, panel, horizon=horizon)
    ids = opened.preprocess.series_ids
    issued = [s for s in chosen if ahead.sources[s] == opened.issued]
    warn_of_cold(opened, chosen, issued, events)
    if opened.issued == MODEL:
        _warn_short(opened, [ids[s] for s in chosen if ahead.sources[s] != MODEL], ahead.sources, events)
        _warn_out_of_range(opened, panel, np.array(issued, dtype=np.int64), known, events)
    else:
        events.say([opened.gate.sentence if opened.gate else str(opened.metrics.get("sentence"))])
    issued = _warn_without_unit(opened, issued, events)
    _warn_uncalibrated(opened, ahead, issued, events)
    return forecast_rows(
        [ids[s] for s in chosen],
        times[chosen],
        opened.preprocess.time_format.format(times[chosen].reshape(-1)),
        ahead.values[chosen],
        [(low[chosen], high[chosen]) for low, high in ahead.bounds.values()],
        sources=[ahead.sources[s] for s in chosen],
        origins=_origins(opened, panel, chosen),
    )


def _origins(opened: Opened, panel: Panel, series: Sequence[int]) -> list[Origin]:
    """The last row of each of these series, and the last one that the run was trained with."""
    numbers, context = np.array(series, dtype=np.int64), opened.context
    last = panel.offsets[numbers + 1] - 1
    newest = panel.times[last].copy()
    trained = context.lengths[numbers] > 0
    newest[trained] = context.times[context.offsets[numbers[trained] + 1] - 1]
    known = panel.times[last].tolist(), panel.values[last, 0].tolist(), newest.tolist()
    return [Origin(*numbers) for numbers in zip(*known, strict=True)]


def _warn_short(opened: Opened, short: list[str], sources: list[str], events: Events) -> None:
    if not short:
        return
    lookback = opened.config.window.lookback
    names = ", ".join(short[:5]) + (", …" if len(short) > 5 else "")
    source = next(word for word in sources if word != MODEL).replace("_", " ")
    events.warn(
        "predict.too_short",
        f"{len(short)} series with fewer than {plural(lookback, 'row')}, or none to train on: {names};"
        f" the {source} forecast is given",
    )


def _warn_without_unit(opened: Opened, series: list[int], events: Events) -> list[int]:
    """Says which series have no bounds for want of rows that tell how they change, and gives the others."""
    known = _with_unit(opened, np.array(series, dtype=np.int64))
    without = [s for s, fine in zip(series, known, strict=True) if not fine]
    still = opened.preprocess.scaling.still
    for why, found in (
        ("for want of rows to train on", [s for s in without if not still[s]]),
        ("where the values never change", [s for s in without if still[s]]),
    ):
        names = ", ".join(opened.preprocess.series_ids[s] for s in found[:5])
        if found:
            more = ", …" if len(found) > 5 else ""
            events.warn("intervals.uncalibrated", f"no bounds {why}: {names}{more}")
    return [s for s, fine in zip(series, known, strict=True) if fine]


def _warn_uncalibrated(opened: Opened, ahead: Ahead, series: list[int], events: Events) -> None:
    """Says from which step on there are no bounds, and what would give them."""
    empty = [
        (level, int(np.argmax(np.isnan(low[series]).any(axis=0))) + 1)
        for level, (low, _) in ahead.bounds.items()
        if len(series) and np.isnan(low[series]).any()
    ]
    if not empty:
        return
    steps, window = len(ahead.values[0]), opened.config.window
    reached = max(window.horizon, opened.config.forecast.horizon or 0)
    named = ", ".join(f"{level:g} % from step {step} on" for level, step in empty)
    if not opened.trained:
        remedy = "more rows would give them"
    elif min(step for _, step in empty) <= reached:
        remedy = "a larger split.validation gives them more rows"
    elif opened.issuer.furthest(len(opened.preprocess.columns)) is not None:
        remedy = f"train with window.horizon: {steps} for bounds there"
    else:
        remedy = f"train with forecast.horizon: {steps}, and validation rows enough, for bounds there"
    events.warn("intervals.uncalibrated", f"no bounds of {named}: those steps were not calibrated; {remedy}")


def _warn_out_of_range(
    opened: Opened, panel: Panel, series: Rows, known: Floats | None, events: Events
) -> None:
    """Says how much of what the network receives is unlike anything it was trained on."""
    forecaster = opened.in_numpy
    ahead = None if known is None else known[series]
    outside, whole = forecaster.outside(panel, panel.offsets[1:][series] - 1, series, ahead=ahead)
    if not outside:
        return
    if len(series) == 1:
        columns = opened.preprocess.columns
        named = len(columns) - ahead_columns(opened.config).calendar  # the calendar's columns are nobody's
        low, high = (
            ", ".join(f"{value:.4g}" for value in ends[series[0]][:named])
            for ends in (forecaster.scaling.input_low, forecaster.scaling.input_high)
        )
        whose = f"{', '.join(columns[:named])}: " if named > 1 else ""
        limits = f" ({whose}{low} to {high} after scaling)"
    else:
        limits = ""
    events.warn(
        "predict.out_of_range",
        f"{100 * outside / whole:.2g} % of what the network receives lies outside the range it was trained"
        f" on{limits}: expect less of this forecast",
    )


def chosen_series(opened: Opened, panel: Panel, series: str | None) -> list[int]:
    """The series with rows, or the one asked for.

    Raises:
        UsageError: no such series, with the nearest name.
    """
    ids = opened.preprocess.series_ids
    present = [int(s) for s in np.flatnonzero(panel.lengths)]
    if series is None:
        return present
    if series not in ids or ids.index(series) not in present:
        near = nearest(series, ids)
        known = ", ".join(ids[:8]) + (", …" if len(ids) > 8 else "")
        raise UsageError(
            "predict.series",
            f"no series {series!r}; the run knows {known}",
            where="--series",
            hint=f"did you mean {near}?" if near else "",
        )
    return [ids.index(series)]
