"""Pictures of a run, drawn from its own files alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import predicting
from lstm_forecast.errors import ArtifactRejected, ForecastError, UsageError
from lstm_forecast.evaluation.held_out import HeldOut, cutoffs, hold_out
from lstm_forecast.events import Events
from lstm_forecast.opening import Opened
from lstm_forecast.reporting.plots import (
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

Kind = Literal["forecast", "test", "loss"]
KINDS: tuple[Kind, ...] = ("forecast", "test", "loss")


def picture(
    opened: Opened, kind: Kind, *, form: Literal["png", "svg", "pdf"], series: str | None, events: Events
) -> bytes:
    """One picture as the bytes of a file.

    Raises:
        UsageError: no such series, or a test picture of a run without a test split.
    """
    notice = font_notice([*opened.preprocess.columns, *opened.preprocess.series_ids, opened.run.name])
    if notice:
        events.warn("plot.font", notice)
    if kind == "loss":
        return render(_loss(opened), form)
    chosen = _chosen(opened, series)
    draw = plot_forecast if kind == "forecast" else plot_test
    parts = _series_plots(opened, chosen, future=kind == "forecast")
    if kind == "test" and not any(len(part.test_times) for part in parts):
        raise UsageError(
            "plot.no_test",
            "the run has no test forecasts",
            where="--kind test",
            hint="train again with split.test: 0.1",
        )
    titles = {"forecast": "forecast", "test": "actual and predicted on the test rows"}
    figure = draw(
        parts,
        title=f"{opened.run.name}: {titles[kind]}",
        value_label=opened.preprocess.columns[0],
        time_label=opened.preprocess.time_name,
    )
    return render(figure, form)


def draw_all(opened: Opened, events: Events) -> None:
    """Draws every kind into the run's ``plots`` folder; one that fails is a warning, the run stands."""
    folder = opened.run.path / "plots"
    make_directory(folder)
    for kind in KINDS:
        if kind == "test" and opened.config.split.test == 0:
            continue
        try:
            data = picture(opened, kind, form="png", series=None, events=events)
            write_atomic(folder / f"{kind}.png", data)
        except (ForecastError, ValueError, RuntimeError, OSError) as error:
            events.warn("plot.failed", f"{kind}: {error}")


def test_forecasts(opened: Opened) -> HeldOut:
    """The tested networks' forecasts on the run's test rows, made again from its weights and rows."""
    context, forecaster = opened.context, opened.tested
    ends, horizon = context.offsets[1:], opened.config.window.horizon
    first = np.where(forecaster.scaling.trained, opened.splits.validation_end, ends)
    rows, series = cutoffs(context, first, ends, least=forecaster.lookback)
    whole = rows + horizon < ends[series]
    return hold_out(forecaster, context, rows[whole], series[whole], end=ends, steps=horizon)


def _series_plots(opened: Opened, chosen: Sequence[int], *, future: bool) -> list[SeriesPlot]:
    context = opened.context
    horizon = opened.config.forecast.horizon or opened.config.window.horizon
    test, levels = test_forecasts(opened), predicting.chosen_levels(opened, None)
    ahead = predicting.forecast_panel(opened, context, horizon=horizon, levels=levels)
    times = predicting.future_times(opened, context, horizon=horizon)
    plots = []
    for s in chosen:
        rows = context.rows(s)
        mine = test.series == s
        shown = slice(None) if future else slice(0)
        bands = [Band(level, low[s], high[s]) for level, (low, high) in ahead.bounds.items()]
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


def _chosen(opened: Opened, series: str | None) -> list[int]:
    return predicting.chosen_series(opened, opened.context, series)


def _clock(opened: Opened, times: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.datetime64]:
    """Times as matplotlib wants them: dates, or row numbers."""
    return times if opened.preprocess.frequency.unit == "row" else times.astype("datetime64[us]")


def _loss(opened: Opened) -> Figure:
    try:
        lines = csv.DictReader(io.StringIO(opened.files["history.csv"].decode()))
        rows = [row for row in lines if row["network"] == "1"]
        epochs = [int(row["epoch"]) for row in rows]
        training, validation = ([_number(row[name]) for row in rows] for name in ("train_loss", "val_loss"))
        best = int(opened.metrics["best_epoch"])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        where = str(opened.run.path / "history.csv")
        raise ArtifactRejected("artifact.history", f"cannot be read: {error!r}", where=where) from error
    return plot_loss(
        epochs,
        training,
        validation,
        best_epoch=best,
        title=f"{opened.run.name}: loss by epoch",
        loss_label=f"{opened.config.training.loss} ({_unit(opened)})",
    )


def _unit(opened: Opened) -> str:
    differences = opened.config.model.normalize == "diff"
    return "in standard deviations of the training differences" if differences else "scaled values"


def _number(text: str) -> float | None:
    return float(text) if text else None
