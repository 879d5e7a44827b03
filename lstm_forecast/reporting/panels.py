"""What all pictures are made of: sizes, colours, panels, lines, intervals, axes, and a file's bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from lstm_forecast.errors import UsageError, nearest
from lstm_forecast.reporting.fonts import drawing, plain_numbers, write

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]
Form = Literal["png", "svg", "pdf"]

FORMATS: tuple[Form, ...] = ("png", "svg", "pdf")
PNG_DPI = 150
WIDTH_INCHES = 10.0
HEIGHT_INCHES = (5.2, 6.6, 8.6)  # of one, two and three rows of panels
HEAD_INCHES, TITLE_INCHES = 0.66, 0.26  # above the panels: the title and the legend below it; the title alone
EDGE_INCHES = 0.1
BAR_POINTS = 5.0  # width of an interval that stands alone
DRAWABLE_DATES = np.array(["0001-01-01", "9999-12-31"], "datetime64[us]")  # matplotlib draws no others
LOG_RATIO = 50.0  # losses and errors that differ by more are drawn on a logarithmic axis
FULL_WIDTH = 0.775  # of a figure, before the layout is settled: a panel beside which there is no other


@dataclass(frozen=True)
class Look:
    """How a line is drawn and what the legend calls it."""

    label: str
    color: str
    width: float
    layer: float
    dashes: Any = "-"  # as matplotlib's linestyle
    marker: str = "o"
    few: int = 30  # up to so many values each has a marker


@dataclass(frozen=True)
class Band:
    """An interval around each step of a forecast; NaN bounds leave a hole.

    Args:
        level: the share of actual values it is meant to hold, between 0 and 1.
        lower: its lower bounds, one per step.
        upper: its upper bounds, one per step.
        note: what the legend says beside the level.
    """

    level: float
    lower: Array
    upper: Array
    note: str = ""


# Okabe & Ito's palette, told apart with every kind of colour vision. A good one-step forecast lies on the
# actual values: it is the wide line below, they are the thin one above, so that both are seen.
BLACK, GREEN, VERMILLION, BLUE = "#000000", "#009E73", "#D55E00", "#0072B2"
SKY_BLUE, ORANGE, PURPLE = "#56B4E9", "#E69F00", "#CC79A7"
GREY, DARK_GREY = "#8c8c8c", "#404040"
ACTUAL = Look("actual", BLACK, 0.9, 3.0)
FORECAST = Look("forecast", VERMILLION, 1.8, 4.0)


def open_figure(rows: int, *, title: str, time_label: str, value_label: str) -> Figure:
    """A figure without panels yet, as high as ``rows`` of them need, with its title and its two labels."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = HEIGHT_INCHES[rows - 1]
    figure = Figure(figsize=(WIDTH_INCHES, height))
    edges = EDGE_INCHES / WIDTH_INCHES, EDGE_INCHES / height
    room = 1 - 2 * edges[0], 1 - edges[1] - HEAD_INCHES / height
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(*edges, *room), hspace=0.04, wspace=0.03))
    heading = figure.text(edges[0], 1 - edges[1], "", va="top", fontsize=13, fontweight="bold")
    write(heading, title, room_inches=WIDTH_INCHES - 2 * EDGE_INCHES)
    if time_label:
        write(figure.supxlabel("", fontsize=10, color=DARK_GREY), time_label, room_inches=0.9 * WIDTH_INCHES)
    if value_label:
        write(figure.supylabel("", fontsize=10, color=DARK_GREY), value_label, room_inches=0.75 * height)
    return figure


def open_panels(count: int, *, title: str, time_label: str, value_label: str) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` empty panels, its title and the labels that they share."""
    columns = columns_for(count)
    rows = math.ceil(count / columns)
    figure = open_figure(rows, title=title, time_label=time_label, value_label=value_label)
    grid = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(grid[divmod(place, columns)]) for place in range(count)]


def columns_for(count: int) -> int:
    """Panels side by side: time series are wide, so up to three stand one above the other."""
    return 1 if count <= 3 else 2


def write_heading(panel: Axes, text: str, *, room_inches: float) -> None:
    """What a panel shows, above its left end."""
    write(panel.set_title("", loc="left", fontsize=10, color=DARK_GREY), text, room_inches=room_inches)


def write_labels(panel: Axes, *, below: str = "", beside: str = "") -> None:
    """The labels of a panel's own axes, no longer than the panel."""
    place = panel.get_position()
    figure = panel.get_figure(root=True)
    assert figure is not None
    if below:
        write(panel.set_xlabel("", fontsize=9), below, room_inches=place.width * WIDTH_INCHES)
    if beside:
        write(panel.set_ylabel("", fontsize=9), beside, room_inches=place.height * figure.get_figheight())


def line(panel: Axes, times: Array, values: Array, look: Look) -> None:
    """Draw a series; the few values that a line cannot show, having no neighbour, are marked."""
    if not np.isfinite(values).any():
        return
    times, values = thin(times, values)
    values = np.where(np.isfinite(values), values, np.nan)
    here = np.isfinite(values)
    marked = here if len(values) <= look.few else _alone(here)
    panel.plot(
        times,
        values,
        color=look.color,
        linewidth=look.width,
        label=look.label,
        zorder=look.layer,
        linestyle=look.dashes,
        marker=look.marker if marked.any() else "None",
        markersize=2.4 + look.width,
        markevery=marked.tolist(),
    )


def _alone(here: Array) -> Array:
    """Where a value is there whose two neighbours are not."""
    before, after = np.append(False, here[:-1]), np.append(here[1:], False)
    return np.asarray(here & ~before & ~after)


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


def connect(panel: Axes, known: tuple[Array, Array], forecast: tuple[Array, Array]) -> None:
    """A dotted line from the last of the ``known`` times and values to the first of a ``forecast``'s."""
    if len(known[0]) and len(forecast[0]):
        times = np.concatenate([known[0][-1:], forecast[0][:1]])
        ends = [known[1][-1], forecast[1][0]]
        panel.plot(times, ends, color=VERMILLION, linewidth=1.2, linestyle=":", zorder=3.5)


def draw_bands(panel: Axes, times: Array, bands: Sequence[Band]) -> None:
    """Fill each interval, the widest below the others; nothing is drawn where a bound is not finite."""
    narrow_first = sorted(bands, key=lambda band: band.level)  # as the legend names them
    for place, band in enumerate(narrow_first):
        here = np.isfinite(band.lower) & np.isfinite(band.upper)
        alone = _alone(here)
        wide = here & ~alone
        label = f"{100 * band.level:g} %{band.note}"
        alpha, layer = (0.16 if place == len(bands) - 1 else 0.3), 1.9 - 0.1 * place
        if wide.any():
            area = panel.fill_between(times, band.lower, band.upper, where=wide, color=VERMILLION)
            area.set(alpha=alpha, linewidth=0, zorder=layer, label=label)
            label = "_" + label
        if alone.any():  # a step without neighbours has no area: it gets a broad bar
            bars = panel.vlines(times[alone], band.lower[alone], band.upper[alone], color=VERMILLION)
            bars.set(alpha=alpha, linewidth=BAR_POINTS, zorder=layer, label=label)


def frame(panel: Axes, times: Array) -> None:
    """The two axes: from the first to the last time with some air, dates or row numbers, plain values."""
    from matplotlib import dates
    from matplotlib.ticker import MaxNLocator

    plain_numbers(panel.yaxis)
    if not len(times):
        panel.set_xticks([])
        return
    dated = times.dtype.kind == "M"
    columns = max(1, round(FULL_WIDTH / panel.get_position().width))  # that fit side by side
    first, last = times.min(), times.max()
    air = (last - first) * 0.02 if last > first else (np.timedelta64(1, "D") if dated else 1)
    limits = np.array([first - air, last + air])
    panel.set_xlim(*(np.clip(limits, *DRAWABLE_DATES) if dated else limits))
    if dated:
        locator = dates.AutoDateLocator(minticks=3, maxticks=9 - 2 * columns)  # type: ignore[no-untyped-call]
        # For spans of fewer than three years, days or hours a narrow panel has no room to show every sixth
        # month, twelfth hour, thirtieth minute; matplotlib has no longer steps there, and warns.
        whole = {dates.MONTHLY: 12, dates.HOURLY: 24, dates.MINUTELY: 60, dates.SECONDLY: 60}
        whole |= {dates.MICROSECONDLY: 1_000_000}
        for frequency, most in whole.items():
            locator.intervald[frequency] = [*locator.intervald[frequency], most, 2 * most]
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=10 // columns, steps=[1, 2, 5, 10], integer=True))
        plain_numbers(panel.xaxis)


def logarithmic_if_wide(panel: Axes, values: Sequence[Array]) -> None:
    """A logarithmic value axis where all values are positive and the largest is over 50 times the smallest.

    Its ticks stand at 1, 2 and 5 of each decade, written as plain numbers.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    finite = np.concatenate(values)[np.isfinite(np.concatenate(values))]
    if not len(finite) or not 0 < finite.min() * LOG_RATIO < finite.max():
        return
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def say_if_missing(panel: Axes, wanted: Sequence[Array], others: Sequence[Array], note: str) -> None:
    """Say so when no line of ``wanted`` has a finite value: below the panel if ``others`` are drawn in it."""
    if any(np.isfinite(values).any() for values in wanted):
        return
    if any(np.isfinite(values).any() for values in others):
        panel.set_xlabel(note, fontsize=9)
        return
    place = panel.text(0.5, 0.5, note, transform=panel.transAxes, ha="center", va="center", color=DARK_GREY)
    place.set_bbox({"facecolor": "white", "edgecolor": "none"})
    panel.set_yticks([])


def finished(figure: Figure) -> Figure:
    """Add one legend for all panels and settle the layout, so that every drawing of it is the same."""
    fullest_first = sorted(figure.axes, key=lambda panel: -len(panel.get_lines()))
    shown: dict[str, Artist] = {}
    for panel in fullest_first:
        artists, labels = panel.get_legend_handles_labels()
        shown |= dict(zip(labels, artists, strict=True))
    place = EDGE_INCHES / WIDTH_INCHES, 1 - (EDGE_INCHES + TITLE_INCHES) / figure.get_figheight()
    columns = max(1, len(shown))
    legend = figure.legend(shown.values(), shown, loc="upper left", bbox_to_anchor=place, ncols=columns)
    if legend.get_window_extent().width > (WIDTH_INCHES - 2 * EDGE_INCHES) * figure.dpi:  # two rows, then
        legend.remove()
        small = {"ncols": math.ceil(columns / 2), "fontsize": 8.0, "labelspacing": 0.2}
        legend = figure.legend(shown.values(), shown, loc="upper left", bbox_to_anchor=place, **small)
    legend.set_in_layout(False)
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine("none")
    for panel in figure.axes:  # the solver's last bits differ from one drawing to the next
        left, bottom, width, height = (round(edge, 9) for edge in panel.get_position().bounds)
        panel.set_position((left, bottom, width, height))
    return figure


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
