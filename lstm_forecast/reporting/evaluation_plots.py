"""Pictures of how good forecasts are: error by step ahead, residuals, and forecasts made at past cutoffs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_forecast.errors import visible
from lstm_forecast.reporting.fonts import drawing, plain_numbers, shorten
from lstm_forecast.reporting.panels import (
    ACTUAL,
    BLACK,
    BLUE,
    DARK_GREY,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILLION,
    WIDTH_INCHES,
    Array,
    Band,
    Look,
    connect,
    draw_bands,
    finished,
    frame,
    line,
    logarithmic_if_wide,
    open_figure,
    open_panels,
    say_if_missing,
    write_heading,
    write_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

MOST_RESIDUALS = 3  # series: a row of panels each
MOST_ORIGINS = 8
MOST_LAGS = 40
MOST_BINS = 60
LEAST_BINS = 5
EQUAL = 1e-12  # errors that differ by a smaller share of the largest differ by rounding only
LEAST_LEAD = 10  # rows before the first cutoff of a backtest
LONGEST_NAME = 28  # characters of a model's name in the legend
BACKTESTED = Look("forecast", VERMILLION, 1.8, 4.0, few=3)
ERROR = Look("error: forecast − actual", BLUE, 0.9, 3.0)
# Baselines differ in colour, dashes and marker, so that many lines, and grey prints, can be told apart.
BASELINE_LOOKS = (
    (BLUE, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (6, 1.5)), "v"),
    (SKY_BLUE, (0, (3, 1, 1, 1, 1, 1)), "P"),
    (BLACK, (0, (1, 1.5)), "X"),
    (GREY, "-", "o"),
)


@dataclass(frozen=True)
class ResidualPlot:
    """The errors of one series' forecasts one step ahead, row by row; any array may be empty.

    Args:
        name: the series as the user calls it; empty for the only series of a file.
        times: ascending ``datetime64[us]``, or int64 row numbers, of the forecast rows.
        errors: forecast - actual in original units; NaN where there is no actual value.
    """

    name: str
    times: Array
    errors: Array


@dataclass(frozen=True)
class OriginPlot:
    """The forecast made at one past cutoff.

    Args:
        cutoff_time: the last time it knew, ``datetime64[us]`` or a row number.
        times: of its steps, ascending, all after the cutoff.
        forecast: one value per step, in original units; NaN leaves a hole.
        bands: intervals around it.
    """

    cutoff_time: np.datetime64 | int
    times: Array
    forecast: Array
    bands: tuple[Band, ...] = ()


def plot_error(
    steps: Sequence[int], errors: Mapping[str, Sequence[float]], *, title: str, value_label: str
) -> Figure:
    """The error of a model (thick) and of the baselines (thin) at each of the steps 1 … H ahead.

    ``errors`` has one number per step and name, the model first; NaN leaves a hole. The legend shows a name
    with spaces for underscores. The axis is logarithmic where the largest error is more than 50 times the
    smallest; else it begins at zero, so that heights can be compared.
    """
    names = [visible(shorten(name.replace("_", " "), length=LONGEST_NAME)) for name in errors]
    with drawing([title, value_label, *names]):
        ahead = f"{steps[0]} step{'s' * (steps[0] != 1)} ahead" if len(steps) == 1 else "steps ahead"
        figure, (panel,) = open_panels(1, title=title, time_label=ahead, value_label=value_label)
        places, values = np.asarray(steps, np.int64), [np.asarray(one, float) for one in errors.values()]
        if len(steps) == 1:
            _draw_one_step(panel, names, np.concatenate(values))
        else:
            for rank, (name, one) in enumerate(zip(names, values, strict=True)):
                line(panel, places, one, _error_look(name, rank))
            frame(panel, places)
        logarithmic_if_wide(panel, values)
        if panel.get_yscale() == "linear" and not any((one < 0).any() for one in values):
            panel.set_ylim(bottom=0.0)
        say_if_missing(panel, values, [], "no errors to draw")
        return finished(figure)


def plot_residuals(
    series: Sequence[ResidualPlot], *, title: str, value_label: str, time_label: str, of: int | None = None
) -> Figure:
    """Errors over time, how they are distributed, and how each depends on those before it.

    The autocorrelations of independent errors lie within +-1.96 / sqrt(n) in 95 of 100 cases (Box, Jenkins &
    Reinsel, "Time Series Analysis"; Bartlett 1946). ``value_label`` says what the errors are of.
    One series gets the whole picture, up to three a row each; of more the title says how many there are:
    ``of``, or as many as are given.
    """
    shown, count = series[:MOST_RESIDUALS], len(series) if of is None else of
    if count > len(shown):
        title = f"{title} ({len(shown)} of {count:,} series)"
    with drawing([title, value_label, time_label, *(one.name for one in shown)]):
        figure = open_figure(max(2, len(shown)), title=title, time_label="", value_label="")
        for one, places in zip(shown, _residual_places(figure, len(shown)), strict=True):
            over_time, autocorrelated = figure.add_subplot(places[0]), figure.add_subplot(places[2])
            histogram = figure.add_subplot(places[1], sharey=over_time)
            last = one is shown[-1]
            if len(shown) > 1 or one.name not in title:
                write_heading(over_time, one.name, room_inches=0.4 * WIDTH_INCHES)
            _draw_errors(over_time, one)
            write_labels(over_time, below=time_label if last else "", beside=f"error ({value_label})")
            _draw_histogram(histogram, one.errors)
            write_labels(histogram, below="rows" if last else "")
            _draw_autocorrelation(autocorrelated, one.errors)
            write_labels(autocorrelated, below="lag (steps)" if last else "", beside="autocorrelation")
        if not shown:
            say_if_missing(figure.add_subplot(), [], [], "no series to draw")
        return finished(figure)


def plot_backtest(
    actual: tuple[Array, Array],
    origins: Sequence[OriginPlot],
    *,
    title: str,
    value_label: str,
    time_label: str,
) -> Figure:
    """The forecasts made at several past cutoffs, over the actual values.

    At most eight forecasts are drawn that do not overlap, the last of ``origins`` and others at even
    distances before it; the title says of how many. ``origins`` are in order of time. ``actual`` is the
    series' times and values, NaN where there is none; it is drawn from somewhat before the first cutoff to
    the last time that was forecast.
    """
    apart = _apart(origins)
    shown = apart[:: -max(1, math.ceil(len(apart) / MOST_ORIGINS))][::-1]
    if len(origins) > len(shown):
        title = f"{title} ({len(shown)} of {len(origins):,})"
    with drawing([title, value_label, time_label]):
        figure, (panel,) = open_panels(1, title=title, time_label=time_label, value_label=value_label)
        times, values = _around(actual, shown)
        line(panel, times, values, ACTUAL)
        for origin in shown:
            _draw_origin(panel, (times, values), origin)
        frame(panel, np.concatenate([times, *(origin.times for origin in shown)]))
        say_if_missing(panel, [values], [origin.forecast for origin in shown], "no actual values")
        return finished(figure)


def autocorrelation(errors: Array, *, lags: int) -> Array:
    """The autocorrelation at lag 1 … ``lags``, from the pairs of rows that both have a value; ``[lags]``.

    r_k = sum (e_t - m) (e_{t+k} - m) / sum (e_t - m)^2 with the mean m of all values (Box, Jenkins &
    Reinsel, eq. 2.1.13). NaN where the values do not vary.
    """
    here = np.isfinite(errors)
    scale = np.abs(errors[here]).max(initial=0.0) or 1.0  # squares of very large values would overflow
    values = np.where(here, errors, 0.0) / scale
    centred = np.where(here, values - values.sum() / max(1, here.sum()), 0.0)
    power = float(centred @ centred)
    if np.abs(centred).max(initial=0.0) < EQUAL:
        return np.full(lags, math.nan)
    return np.array([centred[:-lag] @ centred[lag:] / power for lag in range(1, lags + 1)])


def _error_look(name: str, rank: int) -> Look:
    """The model's line thick and on top, the baselines' thin and each of another kind."""
    if rank == 0:
        return Look(name, VERMILLION, 2.6, 4.0)
    color, dashes, marker = BASELINE_LOOKS[(rank - 1) % len(BASELINE_LOOKS)]
    return Look(name, color, 1.2, 3.0, dashes, marker)


def _draw_one_step(panel: Axes, names: Sequence[str], errors: Array) -> None:
    """A point for each name, side by side: on one vertical line they would hide each other."""
    places = np.arange(len(names))
    frame(panel, places)
    for rank, error in enumerate(errors):
        line(panel, places[rank : rank + 1], np.array([error]), _error_look("_", rank))
        if math.isfinite(error):
            text = f"{error:,.0f}" if 1e3 <= error < 1e12 else f"{error:.4g}"
            note = panel.annotate(text, (rank, error), (0, 8), textcoords="offset points", ha="center")
            note.set(color=DARK_GREY, fontweight="bold" if rank == 0 else "normal")
    length = max(6, 90 // len(names))  # characters: as many as fit side by side
    panel.set_xticks(places, [shorten(name, length=length) for name in names])
    panel.set_xlim(-0.6, len(names) - 0.4)


def _residual_places(figure: Figure, count: int) -> list[list[SubplotSpec]]:
    """Where the three panels of each series stand: the last below the others, or all side by side."""
    if count == 1:
        grid = figure.add_gridspec(2, 2, width_ratios=(5.0, 1.0), height_ratios=(1.2, 1.0))
        return [[grid[0, 0], grid[0, 1], grid[1, :]]]
    grid = figure.add_gridspec(max(1, count), 3, width_ratios=(3.0, 1.0, 2.0))
    return [[grid[row, column] for column in range(3)] for row in range(count)]


def _draw_errors(panel: Axes, one: ResidualPlot) -> None:
    """Errors over time around zero."""
    panel.axhline(0.0, color=GREY, linewidth=1.0, zorder=2.0)
    line(panel, one.times, one.errors, ERROR)
    frame(panel, one.times)
    say_if_missing(panel, [one.errors], [], "no errors to draw")


def _draw_histogram(panel: Axes, errors: Array) -> None:
    """How often errors of which size occur, beside the errors over time; zero and their mean are marked."""
    from matplotlib.ticker import MaxNLocator

    panel.tick_params(labelleft=False)
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        panel.set_xticks([])
        return
    bins = _bin_edges(finite).tolist()
    panel.hist(finite, bins=bins, orientation="horizontal", histtype="stepfilled", color=SKY_BLUE)
    panel.axhline(0.0, color=GREY, linewidth=1.0, zorder=2.0)
    mean = float(finite.mean())
    panel.axhline(mean, color=VERMILLION, linewidth=1.5, linestyle="--", label="mean error", zorder=3.0)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10], integer=True))
    plain_numbers(panel.xaxis)


def _bin_edges(finite: Array) -> Array:
    """Bins of the width that Freedman & Diaconis 1981 give, 2 IQR / n^(1/3), but from 5 to 60 of them."""
    low, high = float(finite.min()), float(finite.max())
    if high == low:
        air = (abs(low) or 1.0) / 2
        return np.linspace(low - air, low + air, LEAST_BINS + 1)
    quartiles = np.quantile(finite, [0.25, 0.75])
    width = 2 * float(quartiles[1] - quartiles[0]) / len(finite) ** (1 / 3)
    wanted = (high - low) / width if width > 0 else MOST_BINS
    return np.linspace(low, high, round(min(max(wanted, LEAST_BINS), MOST_BINS)) + 1)


def _draw_autocorrelation(panel: Axes, errors: Array) -> None:
    """A stem per lag, and the band within which those of independent errors stay."""
    from matplotlib.ticker import MaxNLocator

    count = int(np.isfinite(errors).sum())
    lags = min(MOST_LAGS, count // 4)  # Box & Jenkins: further ones are too uncertain to be read
    found = autocorrelation(errors, lags=lags)
    if not np.isfinite(found).any():
        say_if_missing(panel, [], [], "too few errors" if lags == 0 else "all errors are equal")
        panel.set_xticks([])
        return
    places = np.arange(1, lags + 1)
    bound = 1.96 / math.sqrt(count)
    panel.axhspan(-bound, bound, color=GREY, alpha=0.2, linewidth=0, label="95 % range of independent errors")
    panel.axhline(0.0, color=GREY, linewidth=1.0, zorder=2.0)
    panel.vlines(places, 0.0, found, color=BLUE, linewidth=1.5)
    panel.plot(places, found, "o", color=BLUE, markersize=3.0)
    largest = max(float(np.abs(found).max()), 2 * bound)
    panel.set_ylim(-1.15 * largest, 1.15 * largest)
    panel.set_xlim(0.0, lags + 1.0)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    plain_numbers(panel.yaxis)


def _apart(origins: Sequence[OriginPlot]) -> list[OriginPlot]:
    """Those, counted from the last one back, whose forecasts end before the next one's cutoff or at it."""
    kept: list[OriginPlot] = []
    for origin in reversed(origins):
        if not kept or not len(origin.times) or origin.times[-1] <= kept[-1].cutoff_time:
            kept.append(origin)
    return kept[::-1]


def _around(actual: tuple[Array, Array], origins: Sequence[OriginPlot]) -> tuple[Array, Array]:
    """The actual values from a fifth of the span before the first cutoff to the last forecast."""
    times, values = actual
    if not origins or not len(times):
        return times, values
    first = np.array([origin.cutoff_time for origin in origins]).min()
    last = np.concatenate([np.array([first]), *(origin.times for origin in origins)]).max()
    row = int(np.searchsorted(times, first, side="right"))
    end = int(np.searchsorted(times, last, side="right"))
    begin = max(0, row - max(LEAST_LEAD, (end - row) // 5))
    return times[begin:end], values[begin:end]


def _draw_origin(panel: Axes, known: tuple[Array, Array], origin: OriginPlot) -> None:
    """One forecast, its intervals, and where it begins."""
    times, values = known
    line(panel, origin.times, origin.forecast, BACKTESTED)
    draw_bands(panel, origin.times, origin.bands)
    begin: Any = origin.cutoff_time  # matplotlib takes dates wherever it takes numbers
    panel.axvline(begin, color=GREY, linewidth=0.8, linestyle=":", zorder=2.0)
    until = int(np.searchsorted(times, origin.cutoff_time, side="right"))
    connect(panel, (times[:until], values[:until]), (origin.times, origin.forecast))
