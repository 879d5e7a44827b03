"""Pictures of a run, drawn from its own files alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import predicting
from lstm_forecast.backtests import Drawable, drawable, one_step_test, test_cutoffs
from lstm_forecast.cold_starts import with_cold_starts
from lstm_forecast.coming import future_times, known_ahead
from lstm_forecast.data.findings import plural
from lstm_forecast.dated import Interval
from lstm_forecast.errors import ArtifactRejected, DataInvalid, ForecastError, UsageError
from lstm_forecast.events import Events
from lstm_forecast.gating import MODEL
from lstm_forecast.interval_levels import chosen_levels, interval_list
from lstm_forecast.opening import Opened
from lstm_forecast.reporting.evaluation_plots import (
    MOST_RESIDUALS,
    OriginPlot,
    ResidualPlot,
    plot_backtest,
    plot_error,
    plot_residuals,
)
from lstm_forecast.reporting.gate_plots import plot_gates
from lstm_forecast.reporting.plots import (
    MOST_PANELS,
    Band,
    SeriesPlot,
    font_notice,
    plot_forecast,
    plot_loss,
    plot_test,
    render,
)
from lstm_forecast.runs.storage import make_directory, write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
Kind = Literal["forecast", "test", "loss", "residuals", "error", "backtest", "gates", "track"]
KINDS: tuple[Kind, ...] = ("forecast", "test", "loss")  # drawn after every training


def picture(
    opened: Opened, kind: Kind, *, form: Literal["png", "svg", "pdf"], series: str | None, events: Events
) -> bytes:
    """One picture as the bytes of a file.

    Raises:
        UsageError: no such series, nothing held out to draw, or a cell without gates.
    """
    notice = font_notice([*opened.preprocess.columns, *opened.preprocess.series_ids, opened.run.name])
    if notice:
        events.warn("plot.font", notice)
    if kind != "forecast" and not opened.trained:
        raise UsageError(
            "plot.no_network",
            str(opened.metrics.get("sentence")),
            where=f"--kind {kind}",
            hint="--kind forecast",
        )
    if kind == "loss":
        return render(_loss(opened), form)
    if kind == "gates":
        return render(_gates(opened, series), form)
    if kind in ("residuals", "error", "backtest"):
        return render(_held_out(opened, kind, series), form)
    chosen = _chosen(opened, series)
    draw = plot_forecast if kind == "forecast" else plot_test
    if kind == "test" and not np.isin(test_cutoffs(opened)[1], chosen).any():
        raise _nothing_held_out(kind)
    parts = _series_plots(opened, chosen[:MOST_PANELS], future=kind == "forecast", events=events)
    titles = {"forecast": "forecast", "test": "actual and predicted on the test rows"}
    figure = draw(
        parts,
        title=f"{opened.run.name}: {titles[kind]}{_of_baseline(opened)}",
        value_label=opened.preprocess.columns[0],
        time_label=opened.preprocess.time_name,
        of=len(chosen),
    )
    return render(figure, form)


def draw_all(opened: Opened, events: Events, *, kinds: Sequence[Kind] = KINDS) -> None:
    """Draws these kinds into the run's ``plots`` folder; one that fails is a warning, the run stands."""
    folder = opened.run.path / "plots"
    make_directory(folder)
    for kind in kinds:
        if (kind != "forecast" and not opened.trained) or (kind == "test" and opened.config.split.test == 0):
            continue
        try:
            data = picture(opened, kind, form="png", series=None, events=events)
            write_atomic(folder / f"{kind}.png", data)
        except (ForecastError, ValueError, RuntimeError, OSError) as error:
            events.warn("plot.failed", f"{kind}: {error}")


def _held_out(opened: Opened, kind: Kind, series: str | None) -> Figure:
    """Errors by step, residuals, or several forecasts over what came."""
    found = drawable(opened)
    if len(found.series) == 0:
        raise _nothing_held_out(kind)
    value, clock = opened.preprocess.columns[0], opened.preprocess.time_name
    name = opened.run.name
    if kind == "error":
        steps = list(range(1, found.times.shape[1] + 1))
        title = f"{name}: mean absolute error by step, {found.title}"
        return plot_error(steps, found.errors, title=title, value_label=value)
    tested = frozenset(found.series.tolist())
    chosen = [s for s in _chosen(opened, series) if s in tested]
    if not chosen:
        raise _nothing_held_out(kind)
    if kind == "residuals":
        plots = [_residuals(opened, found, s) for s in chosen[:MOST_RESIDUALS]]
        title = f"{name}: errors one step ahead{_of_baseline(opened)}, {found.title}"
        return plot_residuals(plots, title=title, value_label=value, time_label=clock, of=len(chosen))
    one = chosen[0]
    of = f", {opened.context.series_ids[one]}" if len(opened.context) > 1 else ""
    mine = np.flatnonzero(found.series == one)
    return plot_backtest(
        _actual(opened, found, one),
        [_origin(opened, found, window) for window in mine.tolist()],
        title=f"{name}: forecasts from past cutoffs{_of_baseline(opened)}{of}",
        value_label=value,
        time_label=clock,
    )


def _of_baseline(opened: Opened) -> str:
    """For the title: whose forecast is drawn, where it is not the network's."""
    return "" if opened.issued == MODEL else f" ({opened.issued.replace('_', ' ')})"


def _residuals(opened: Opened, found: Drawable, series: int) -> ResidualPlot:
    mine = found.series == series
    errors = found.forecast[mine, 0] - found.actual[mine, 0]
    name = opened.context.series_ids[series] if len(opened.context) > 1 else ""
    return ResidualPlot(name, _clock(opened, found.times[mine, 0]), errors)


def _actual(opened: Opened, found: Drawable, series: int) -> tuple[Array, Array]:
    """What came in one series: the run's own rows, and the targets of the forecasts beyond them."""
    context, mine = opened.context, found.series == series
    rows = context.rows(series)
    own = np.where(context.observed[rows, 0], context.values[rows, 0], np.nan)
    times = np.concatenate([context.times[rows], found.times[mine].reshape(-1)])
    values = np.concatenate([own, found.actual[mine].reshape(-1)])
    times, first = np.unique(times, return_index=True)
    return _clock(opened, times), values[first]


def _origin(opened: Opened, found: Drawable, window: int) -> OriginPlot:
    """One window's forecast with the bounds of its lowest level."""
    bands = tuple(
        Band(level / 100, low[window], high[window]) for level, (low, high) in list(found.bounds.items())[:1]
    )
    cutoff = _clock(opened, found.origins[window : window + 1])[0]
    return OriginPlot(cutoff, _clock(opened, found.times[window]), found.forecast[window], bands)


def _gates(opened: Opened, series: str | None) -> Figure:
    """The gates of the last layer over the newest window of one series."""
    from lstm_forecast.data.scaling import network_inputs
    from lstm_forecast.model.gates import gate_activations

    context, forecaster = opened.context, opened.in_numpy
    if opened.config.model.cell == "rnn":
        raise UsageError(
            "plot.gates",
            "a plain recurrent cell has no gates; expected model.cell lstm, lstm_peephole or gru",
            where="--kind gates",
            hint="train with model.cell: lstm",
        )
    long = [s for s in _chosen(opened, series) if context.lengths[s] >= forecaster.lookback]
    if not long:
        raise UsageError(
            "plot.gates",
            f"no series has {plural(forecaster.lookback, 'row')} to look at",
            where="--kind gates",
        )
    end = int(context.offsets[long[0] + 1])
    rows = slice(end - forecaster.lookback, end)
    one, statics = np.array(long[:1]), forecaster.scaling.statics
    inputs = network_inputs(context.values[rows][None], forecaster.scaling, one)
    layers = gate_activations(forecaster.arrays[0], inputs, None if statics is None else statics.codes[one])
    segment = opened.config.model.segment
    seen = np.arange(
        end - forecaster.lookback + segment - 1, end, segment
    )  # a segment is over at its last step
    forward = [number for number, layer in enumerate(layers) if not layer.backward]
    of = f", {context.series_ids[long[0]]}" if len(context) > 1 else ""
    return plot_gates(
        layers,
        np.where(context.observed[seen, 0], context.values[seen, 0], np.nan),
        _clock(opened, context.times[seen]),
        title=f"{opened.run.name}: what the gates do over the newest window{of}",
        value_label=opened.preprocess.columns[0],
        time_label=opened.preprocess.time_name,
        shown=forward[-1],
    )


def _nothing_held_out(kind: str) -> UsageError:
    return UsageError(
        "plot.no_test",
        "the run has no test forecasts",
        where=f"--kind {kind}",
        hint="train again with split.test: 0.1",
    )


def _own_ahead(
    opened: Opened, chosen: Sequence[int], horizon: int, events: Events
) -> tuple[Array | None, bool]:
    """The columns known ahead as the run has them itself, and whether it has them."""
    given = [] if opened.ahead is None else [("the run", opened.ahead)]
    try:
        known = known_ahead(opened, opened.context, given, horizon=horizon, series=chosen, events=events)
    except DataInvalid as error:
        if error.id != "predict.future_covariates":
            raise
        events.say(["the picture ends with the rows: the run has no future covariates of the steps to come"])
        return None, False
    return known, True


def _series_plots(opened: Opened, chosen: Sequence[int], *, future: bool, events: Events) -> list[SeriesPlot]:
    context = opened.context
    cold = with_cold_starts(opened, context)
    horizon = opened.config.forecast.horizon or opened.config.window.horizon
    test, levels = one_step_test(opened, chosen), chosen_levels(opened, None)
    known = None
    if future:
        known, future = _own_ahead(cold, chosen, horizon, events)
    ahead = predicting.forecast_panel(cold, context, horizon=horizon, levels=levels, known=known, only=chosen)
    times = future_times(opened, context, horizon=horizon)
    behind = interval_list(opened, levels, horizon, series=chosen)
    plots = []
    for s in chosen:
        rows = context.rows(s)
        mine = test.series == s
        shown = slice(None) if future else slice(0)
        bands = [
            Band(interval.level / 100, low[s], high[s], _note(interval))
            for interval, (low, high) in zip(behind, ahead.bounds.values(), strict=True)
        ]
        plots.append(
            SeriesPlot(
                name=context.series_ids[s] if len(context) > 1 else "",
                history_times=_clock(opened, context.times[rows]),
                history=np.where(context.observed[rows, 0], context.values[rows, 0], np.nan),
                test_times=_clock(opened, context.times[test.rows[mine] + 1]),  # one step ahead
                test_forecast=test.forecast[mine, 0],
                future_times=_clock(opened, times[s][shown]),
                future=ahead.values[s][shown],
                bands=tuple(bands) if future else (),
            )
        )
    return plots


def _note(interval: Interval) -> str:
    """What stands behind an interval, for the legend."""
    if interval.coverage is None:
        return f" ({interval.windows_text} windows)"
    return f" ({interval.windows_text} windows; held {100 * interval.coverage:.0f} % in the test)"


def _chosen(opened: Opened, series: str | None) -> list[int]:
    return predicting.chosen_series(opened, opened.context, series)


def _clock(opened: Opened, times: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.datetime64]:
    """Times as matplotlib wants them: dates, or row numbers."""
    if opened.preprocess.frequency.unit == "row":
        return times
    form = opened.preprocess.time_format
    # Where the clock is put back, an hour is drawn on one spot: no line runs backwards.
    shown = np.maximum.accumulate(form.clock(times)) if form.timezone else times
    return shown.astype("datetime64[us]")


def _loss(opened: Opened) -> Figure:
    try:
        lines = csv.DictReader(io.StringIO(opened.files["history.csv"].decode()))
        rows = [row for row in lines if row["network"] == "1"]
        epochs = [int(row["epoch"]) for row in rows]
        training, validation = ([_number(row[name]) for row in rows] for name in ("train_loss", "val_loss"))
        validated = any(loss is not None for loss in validation)
        best = int(opened.metrics["best_epoch"]) if validated else None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        where = str(opened.run.path / "history.csv")
        raise ArtifactRejected("artifact.history", f"cannot be read: {error!r}", where=where) from error
    return plot_loss(
        epochs,
        training,
        validation,
        best_epoch=best,
        title=f"{opened.run.name}: loss by epoch",
        loss_label=_loss_label(opened),
    )


def _loss_label(opened: Opened) -> str:
    """What the axis of the losses measures, and in which unit; smape and mase have none."""
    loss = opened.config.training.loss
    if isinstance(loss, tuple):
        return " + ".join(loss)
    return loss if loss in ("smape", "mase") else f"{loss} ({_unit(opened)})"


def _unit(opened: Opened) -> str:
    differences = opened.config.model.normalize == "diff"
    return "in standard deviations of the training differences" if differences else "scaled values"


def _number(text: str) -> float | None:
    return float(text) if text else None
