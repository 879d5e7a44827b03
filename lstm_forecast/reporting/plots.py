"""Pictures: the forecast, the test as the tutorials draw it, and the loss; PNG, SVG or PDF as bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from lstm_forecast.errors import UsageError, nearest
from lstm_forecast.reporting.fonts import drawing, font_notice, plain_numbers, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SeriesPlot", "font_notice", "plot_forecast", "plot_loss", "plot_test", "render"]

Array = npt.NDArray[Any]
Form = Literal["png", "svg", "pdf"]

FORMATS: tuple[Form, ...] = ("png", "svg", "pdf")
PNG_DPI = 150
WIDTH_INCHES = 10.0
HEIGHT_INCHES = (5.2, 6.6, 8.6)  # of one, two and three rows of panels
HEAD_INCHES, TITLE_INCHES = 0.66, 0.26  # above the panels: the title and the legend below it; the title alone
EDGE_INCHES = 0.1
MOST_PANELS = 6
LEAST_HISTORY = 120  # rows before the forecast: enough to see how the series moves
HISTORY_PER_STEP = 6  # rows before it for each step of a forecast: it gets a seventh of the width
FEW_POINTS = 30  # up to here each value has a marker
DRAWABLE_DATES = np.array(["0001-01-01", "9999-12-31"], "datetime64[us]")  # matplotlib draws no others
LOG_RATIO = 50.0  # losses that differ by more are drawn on a logarithmic axis


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
    """

    name: str
    history_times: Array
    history: Array
    test_times: Array
    test_forecast: Array
    future_times: Array
    future: Array


@dataclass(frozen=True)
class _Look:
    """How a line is drawn and what the legend calls it."""

    label: str
    color: str
    width: float
    layer: float


# Okabe & Ito's palette, told apart with every kind of colour vision. A good one-step forecast lies on the
# actual values: it is the wide line below, they are the thin one above, so that both are seen.
BLACK, GREEN, VERMILLION, BLUE = "#000000", "#009E73", "#D55E00", "#0072B2"
GREY, DARK_GREY = "#8c8c8c", "#404040"
ACTUAL = _Look("actual", BLACK, 0.9, 3.0)
PREDICTED = _Look("predicted (1 step ahead)", GREEN, 2.2, 2.5)
TESTED = _Look("predicted on test rows (1 step ahead)", GREEN, 2.2, 2.5)
FORECAST = _Look("forecast", VERMILLION, 1.8, 4.0)
TRAINING = _Look("training", GREY, 1.5, 2.5)
VALIDATION = _Look("validation", BLUE, 1.5, 3.0)


def plot_forecast(series: Sequence[SeriesPlot], *, title: str, value_label: str, time_label: str) -> Figure:
    """The last rows of each series, the forecasts of test rows among them, and the forecast after them.

    At most six series are drawn; the title says of how many.
    """
    return _plot_series(series, _draw_forecast, title=title, value_label=value_label, time_label=time_label)


def plot_test(series: Sequence[SeriesPlot], *, title: str, value_label: str, time_label: str) -> Figure:
    """Actual (black) against predicted (green) values on the test rows of each series.

    At most six series are drawn; the title says of how many.
    """
    return _plot_series(series, _draw_test, title=title, value_label=value_label, time_label=time_label)


def plot_loss(
    epochs: Sequence[int],
    train: Sequence[float | None],
    validation: Sequence[float | None],
    *,
    best_epoch: int,
    title: str,
    loss_label: str,
) -> Figure:
    """Training and validation loss per epoch, both in one unit, with the best epoch marked.

    None and values that are not finite leave a hole. The axis is logarithmic where the largest loss is more
    than 50 times the smallest.
    """
    with drawing([title, loss_label]):
        figure, (panel,) = _panels(1, title=title, time_label="epoch", value_label=loss_label)
        times, losses = np.asarray(epochs, np.int64), [_numbers(train), _numbers(validation)]
        for look, values in zip((TRAINING, VALIDATION), losses, strict=True):
            _line(panel, times, values, look)
        panel.axvline(best_epoch, color=VERMILLION, linewidth=1.0, linestyle="--", zorder=2.0)
        marked = [v for values in reversed(losses) for v in values[times == best_epoch] if math.isfinite(v)]
        height, label = (marked[0] if marked else math.nan), f"best epoch: {best_epoch}"
        panel.plot([best_epoch], [height], "o", color=VERMILLION, markersize=7, label=label, zorder=4.0)
        _frame(panel, times)
        finite = np.concatenate(losses)[np.isfinite(np.concatenate(losses))]
        if len(finite) and 0 < finite.min() * LOG_RATIO < finite.max():
            _logarithmic(panel)
        _say_if_missing(panel, losses, [], "no losses to draw")
        return _finished(figure)


def render(figure: Figure, form: Form) -> bytes:
    """A picture as the bytes of a file; the same picture gives the same bytes.

    Raises:
        UsageError: ``plot.format``, ``form`` is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise UsageError(
            "plot.format",
            f"cannot draw a picture as {form!r}: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}",
            hint=f"let the name of the output file end in .{nearest(form, FORMATS) or FORMATS[0]}",
        )
    undated: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    stream = io.BytesIO()
    with drawing([]):
        figure.savefig(stream, format=form, dpi=PNG_DPI, metadata=undated[form])
    return stream.getvalue()


def _plot_series(
    series: Sequence[SeriesPlot],
    draw: Callable[[Axes, SeriesPlot], None],
    *,
    title: str,
    value_label: str,
    time_label: str,
) -> Figure:
    """A picture with a panel for each of the first six series."""
    shown = series[:MOST_PANELS]
    if len(series) > len(shown):
        title = f"{title} ({len(shown)} of {len(series):,} series)"
    with drawing([title, value_label, time_label, *(one.name for one in shown)]):
        count = max(1, len(shown))
        figure, panels = _panels(count, title=title, time_label=time_label, value_label=value_label)
        for panel, one in zip(panels, shown, strict=False):
            if len(shown) > 1 or one.name not in title:
                heading = panel.set_title("", loc="left", fontsize=10, color=DARK_GREY)
                write(heading, one.name, room_inches=0.8 * WIDTH_INCHES / _columns(len(shown)))
            draw(panel, one)
        if not shown:
            _say_if_missing(panels[0], [], [], "no series to draw")
        return _finished(figure)


def _draw_forecast(panel: Axes, one: SeriesPlot) -> None:
    """One panel of `plot_forecast`."""
    rows = max(LEAST_HISTORY, HISTORY_PER_STEP * len(one.future))
    times, actual = one.history_times[-rows:], one.history[-rows:]
    tested = one.test_times >= times[0] if len(times) else np.ones(len(one.test_times), bool)
    tested_times, predicted = one.test_times[tested], one.test_forecast[tested]
    _line(panel, times, actual, ACTUAL)
    _line(panel, tested_times, predicted, TESTED)
    _line(panel, one.future_times, one.future, FORECAST)
    if len(times):
        panel.axvline(times[-1], color=GREY, linewidth=0.8, zorder=2.0)
    if len(times) and len(one.future):
        from_last = np.concatenate([times[-1:], one.future_times[:1]]), [actual[-1], one.future[0]]
        panel.plot(*from_last, color=VERMILLION, linewidth=1.2, linestyle=":", zorder=3.5)
    _frame(panel, np.concatenate([times, tested_times, one.future_times]))
    _say_if_missing(panel, [actual], [predicted, one.future], "no actual values")


def _draw_test(panel: Axes, one: SeriesPlot) -> None:
    """One panel of `plot_test`."""
    times = one.test_times
    tested = np.zeros(len(one.history), bool)
    if len(times):
        tested = (one.history_times >= times[0]) & (one.history_times <= times[-1])
    _line(panel, one.history_times[tested], one.history[tested], ACTUAL)
    _line(panel, times, one.test_forecast, PREDICTED)
    _frame(panel, times)
    note = "no actual values on the test rows" if len(times) else "no test rows"
    _say_if_missing(panel, [one.history[tested]], [one.test_forecast], note)


def _columns(panels: int) -> int:
    """Panels side by side: time series are wide, so up to three stand one above the other."""
    return 1 if panels <= 3 else 2


def _panels(count: int, *, title: str, time_label: str, value_label: str) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` empty panels, its title and the labels that they share."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = _columns(count)
    rows = math.ceil(count / columns)
    height = HEIGHT_INCHES[rows - 1]
    figure = Figure(figsize=(WIDTH_INCHES, height))
    edges = EDGE_INCHES / WIDTH_INCHES, EDGE_INCHES / height
    room = 1 - 2 * edges[0], 1 - edges[1] - HEAD_INCHES / height
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(*edges, *room), hspace=0.04, wspace=0.03))
    grid = figure.add_gridspec(rows, columns)
    panels = [figure.add_subplot(grid[divmod(place, columns)]) for place in range(count)]
    heading = figure.text(edges[0], 1 - edges[1], "", va="top", fontsize=13, fontweight="bold")
    write(heading, title, room_inches=WIDTH_INCHES - 2 * EDGE_INCHES)
    write(figure.supxlabel("", fontsize=10, color=DARK_GREY), time_label, room_inches=0.9 * WIDTH_INCHES)
    write(figure.supylabel("", fontsize=10, color=DARK_GREY), value_label, room_inches=0.75 * height)
    return figure, panels


def _line(panel: Axes, times: Array, values: Array, look: _Look) -> None:
    """Draw a series; the few values that a line cannot show, having no neighbour, are marked."""
    if not np.isfinite(values).any():
        return
    times, values = thin(times, values)
    values = np.where(np.isfinite(values), values, np.nan)
    here = np.isfinite(values)
    alone = here & ~np.append(False, here[:-1]) & ~np.append(here[1:], False)
    marked = here if len(values) <= FEW_POINTS else alone
    panel.plot(
        times,
        values,
        color=look.color,
        linewidth=look.width,
        label=look.label,
        zorder=look.layer,
        marker="o" if marked.any() else "None",
        markersize=2.4 + look.width,
        markevery=marked.tolist(),
    )


def thin(times: Array, values: Array, *, columns: int = 1500) -> tuple[Array, Array]:
    """The rows of a long series that change its picture: in each of ``columns`` stretches of time four.

    They are the first, the last, the lowest and the highest value (M4: Jugel, Jerzak, Hackenbroich & Markl,
    "M4: a visualization-oriented time series data aggregation", PVLDB 7(10), 2014), or a NaN where a
    stretch has no finite value. A series of up to four rows per column stays as it is.
    """
    if len(times) <= 4 * columns:
        return times, values
    ticks = times.astype(np.int64)
    edges = np.linspace(ticks[0], ticks[-1], columns + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(ticks, edges).tolist(), len(ticks)])
    kept: list[int] = []
    for start, end in pairwise(bounds.tolist()):
        block = values[start:end]
        finite = np.flatnonzero(np.isfinite(block))
        if not len(finite):
            kept.append(start)
            continue
        lowest, highest = finite[block[finite].argmin()], finite[block[finite].argmax()]
        kept += sorted({int(start + row) for row in (finite[0], lowest, highest, finite[-1])})
    return times[kept], values[kept]


def _frame(panel: Axes, times: Array) -> None:
    """The two axes: from the first to the last time with some air, dates or row numbers, plain values."""
    from matplotlib import dates
    from matplotlib.ticker import MaxNLocator

    plain_numbers(panel.yaxis)
    if not len(times):
        panel.set_xticks([])
        return
    dated = times.dtype.kind == "M"
    grid = panel.get_gridspec()
    columns = grid.ncols if grid else 1
    first, last = times.min(), times.max()
    air = (last - first) * 0.02 if last > first else (np.timedelta64(1, "D") if dated else 1)
    limits = np.array([first - air, last + air])
    panel.set_xlim(*(np.clip(limits, *DRAWABLE_DATES) if dated else limits))
    if dated:
        locator = dates.AutoDateLocator(minticks=3, maxticks=9 - 2 * columns)  # type: ignore[no-untyped-call]
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=10 // columns, steps=[1, 2, 5, 10], integer=True))
        plain_numbers(panel.xaxis)


def _logarithmic(panel: Axes) -> None:
    """A logarithmic value axis with ticks at 1, 2 and 5 of each decade, written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def _say_if_missing(panel: Axes, wanted: Sequence[Array], others: Sequence[Array], note: str) -> None:
    """Say so when no line of ``wanted`` has a finite value: below the panel if ``others`` are drawn in it."""
    if any(np.isfinite(values).any() for values in wanted):
        return
    if any(np.isfinite(values).any() for values in others):
        panel.set_xlabel(note, fontsize=9)
        return
    place = panel.text(0.5, 0.5, note, transform=panel.transAxes, ha="center", va="center", color=DARK_GREY)
    place.set_bbox({"facecolor": "white", "edgecolor": "none"})
    panel.set_yticks([])


def _numbers(losses: Sequence[float | None]) -> Array:
    """Losses as an array, NaN where there is none."""
    return np.array([math.nan if loss is None else loss for loss in losses], float)


def _finished(figure: Figure) -> Figure:
    """Add one legend for all panels and settle the layout, so that every drawing of it is the same."""
    fullest_first = sorted(figure.axes, key=lambda panel: -len(panel.get_lines()))
    lines = {str(line.get_label()): line for panel in fullest_first for line in panel.get_lines()}
    shown = {label: line for label, line in lines.items() if not label.startswith("_")}
    place = EDGE_INCHES / WIDTH_INCHES, 1 - (EDGE_INCHES + TITLE_INCHES) / figure.get_figheight()
    columns = max(1, len(shown))
    legend = figure.legend(shown.values(), shown, loc="upper left", bbox_to_anchor=place, ncols=columns)
    legend.set_in_layout(False)
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine("none")
    return figure
