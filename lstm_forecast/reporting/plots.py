"""Pictures of a run: the forecast, the test as the tutorials draw it, and the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_forecast.reporting.fonts import drawing, font_notice
from lstm_forecast.reporting.panels import (
    ACTUAL,
    BLUE,
    FORECAST,
    FORMATS,
    GREEN,
    GREY,
    VERMILLION,
    WIDTH_INCHES,
    Array,
    Band,
    Look,
    columns_for,
    connect,
    draw_bands,
    finished,
    frame,
    line,
    logarithmic_if_wide,
    open_panels,
    render,
    say_if_missing,
    write_heading,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "Band",
    "SeriesPlot",
    "font_notice",
    "plot_forecast",
    "plot_loss",
    "plot_test",
    "render",
]

MOST_PANELS = 6
LEAST_HISTORY = 120  # rows before the forecast: enough to see how the series moves
HISTORY_PER_STEP = 6  # rows before it for each step of a forecast: it gets a seventh of the width
PREDICTED = Look("predicted (1 step ahead)", GREEN, 2.2, 2.5)
TESTED = Look("predicted on test rows (1 step ahead)", GREEN, 2.2, 2.5)
TRAINING = Look("training", GREY, 1.5, 2.5)
VALIDATION = Look("validation", BLUE, 1.5, 3.0)


@dataclass(frozen=True)
class SeriesPlot:
    """One series' worth of a picture; any array may be empty.

    Times are ascending ``datetime64[us]``, or int64 row numbers; values are float64 in original units, and
    one that is not finite leaves a hole in the line.

    Args:
        name: the series as the user calls it; empty for the only series of a file.
        history: the actual values, test rows included.
        test_forecast: forecasts for test rows, one per target time.
        future: the forecast of the steps after the last row.
        bands: intervals around ``future``, one per level, in any order.
    """

    name: str
    history_times: Array
    history: Array
    test_times: Array
    test_forecast: Array
    future_times: Array
    future: Array
    bands: tuple[Band, ...] = ()


def plot_forecast(
    series: Sequence[SeriesPlot], *, title: str, value_label: str, time_label: str, of: int | None = None
) -> Figure:
    """The last rows of each series, the forecasts of test rows among them, and the forecast after them.

    The forecast's intervals, where it has any, are shaded. At most six series are drawn; the title says
    ``of`` how many, which are the given ones unless it is said.
    """
    labels = {"title": _title(title, series, of), "value_label": value_label, "time_label": time_label}
    return _plot_series(series[:MOST_PANELS], _draw_forecast, **labels)


def plot_test(
    series: Sequence[SeriesPlot], *, title: str, value_label: str, time_label: str, of: int | None = None
) -> Figure:
    """Actual (black) against predicted (green) values on the test rows of each series.

    At most six series are drawn; the title says of how many, as that of :func:`plot_forecast`.
    """
    labels = {"title": _title(title, series, of), "value_label": value_label, "time_label": time_label}
    return _plot_series(series[:MOST_PANELS], _draw_test, **labels)


def _title(title: str, series: Sequence[SeriesPlot], of: int | None) -> str:
    """The title, with the number of series where they are more than are drawn."""
    count, drawn = len(series) if of is None else of, min(len(series), MOST_PANELS)
    return f"{title} ({drawn} of {count:,} series)" if count > drawn else title


def plot_loss(
    epochs: Sequence[int],
    train: Sequence[float | None],
    validation: Sequence[float | None],
    *,
    best_epoch: int | None,
    title: str,
    loss_label: str,
) -> Figure:
    """Training and validation loss per epoch, both in one unit, with the best epoch marked, if there is one.

    None and values that are not finite leave a hole. The axis is logarithmic where the largest loss is more
    than 50 times the smallest.
    """
    with drawing([title, loss_label]):
        figure, (panel,) = open_panels(1, title=title, time_label="epoch", value_label=loss_label)
        times, losses = np.asarray(epochs, np.int64), [_numbers(train), _numbers(validation)]
        for look, values in zip((TRAINING, VALIDATION), losses, strict=True):
            line(panel, times, values, look)
        if best_epoch is not None:
            panel.axvline(best_epoch, color=VERMILLION, linewidth=1.0, linestyle="--", zorder=2.0)
            marked = [
                v for values in reversed(losses) for v in values[times == best_epoch] if math.isfinite(v)
            ]
            height, label = (marked[0] if marked else math.nan), f"best epoch: {best_epoch}"
            panel.plot([best_epoch], [height], "o", color=VERMILLION, markersize=7, label=label, zorder=4.0)
        frame(panel, times)
        logarithmic_if_wide(panel, losses)
        say_if_missing(panel, losses, [], "no losses to draw")
        return finished(figure)


def _plot_series(
    series: Sequence[SeriesPlot],
    draw: Callable[[Axes, SeriesPlot], None],
    *,
    title: str,
    value_label: str,
    time_label: str,
) -> Figure:
    """A picture with a panel for each of at most six series."""
    with drawing([title, value_label, time_label, *(one.name for one in series)]):
        count = max(1, len(series))
        figure, panels = open_panels(count, title=title, time_label=time_label, value_label=value_label)
        for panel, one in zip(panels, series, strict=False):
            if len(series) > 1 or one.name not in title:
                write_heading(panel, one.name, room_inches=0.8 * WIDTH_INCHES / columns_for(len(series)))
            draw(panel, one)
        if not series:
            say_if_missing(panels[0], [], [], "no series to draw")
        return finished(figure)


def _draw_forecast(panel: Axes, one: SeriesPlot) -> None:
    """One panel of `plot_forecast`."""
    rows = max(LEAST_HISTORY, HISTORY_PER_STEP * len(one.future))
    times, actual = one.history_times[-rows:], one.history[-rows:]
    tested = one.test_times >= times[0] if len(times) else np.ones(len(one.test_times), bool)
    tested_times, predicted = one.test_times[tested], one.test_forecast[tested]
    line(panel, times, actual, ACTUAL)
    line(panel, tested_times, predicted, TESTED)
    line(panel, one.future_times, one.future, FORECAST)
    if len(times):
        panel.axvline(times[-1], color=GREY, linewidth=0.8, zorder=2.0)
    connect(panel, (times, actual), (one.future_times, one.future))
    draw_bands(panel, one.future_times, one.bands)
    frame(panel, np.concatenate([times, tested_times, one.future_times]))
    say_if_missing(panel, [actual], [predicted, one.future], "no actual values")


def _draw_test(panel: Axes, one: SeriesPlot) -> None:
    """One panel of `plot_test`."""
    times = one.test_times
    tested = np.zeros(len(one.history), bool)
    if len(times):
        tested = (one.history_times >= times[0]) & (one.history_times <= times[-1])
    line(panel, one.history_times[tested], one.history[tested], ACTUAL)
    line(panel, times, one.test_forecast, PREDICTED)
    frame(panel, times)
    note = "no actual values on the test rows" if len(times) else "no test rows"
    say_if_missing(panel, [one.history[tested]], [one.test_forecast], note)


def _numbers(losses: Sequence[float | None]) -> Array:
    """Losses as an array, NaN where there is none."""
    return np.array([math.nan if loss is None else loss for loss in losses], float)
