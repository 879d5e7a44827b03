"""A picture of a track record: the error of issued forecasts and what their intervals held, over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from lstm_forecast.reporting.fonts import drawing
from lstm_forecast.reporting.panels import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILLION,
    WIDTH_INCHES,
    Array,
    Look,
    finished,
    frame,
    line,
    logarithmic_if_wide,
    open_figure,
    say_if_missing,
    write_heading,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORECAST = Look("forecast", VERMILLION, 2.2, 4.0)
NAIVE = Look("naive, issued at the same time", BLUE, 1.4, 3.0, "--", "s")
SHARE_LOOKS = ((PURPLE, "o"), (GREEN, "^"), (ORANGE, "D"), (SKY_BLUE, "v"))
AIR = 0.03  # of the share's axis, above and below
Name = TypeVar("Name")


@dataclass(frozen=True)
class Course(Generic[Name]):
    """Lines over stretches of time.

    Args:
        times: the last time of each stretch, ascending, ``datetime64[us]`` or int64 row numbers.
        lines: by name, one value per stretch; NaN leaves a hole.
    """

    times: Array
    lines: Mapping[Name, Array]


def plot_track(
    errors: Course[str], shares: Course[float], *, title: str, value_label: str, time_label: str
) -> Figure:
    """The mean absolute error of ``model`` and ``naive``; below it the share of values inside each interval.

    ``shares`` has a line by level in percent, which a dotted line marks; without any there is one panel. The
    axis of errors begins at zero, but is logarithmic where the largest is over 50 times the smallest.
    """
    with drawing([title, value_label, time_label]):
        rows = 2 if shares.lines else 1
        figure = open_figure(rows, title=title, time_label=time_label, value_label="")
        grid = figure.add_gridspec(rows, 1, height_ratios=(1.5, 1.0)[:rows])
        panel = figure.add_subplot(grid[0])
        write_heading(panel, f"mean absolute error ({value_label})", room_inches=0.8 * WIDTH_INCHES)
        _draw_errors(panel, errors)
        if shares.lines:
            below = figure.add_subplot(grid[1], sharex=panel)
            held = "actual values inside the intervals, % (dotted: what the level promises)"
            write_heading(below, held, room_inches=0.8 * WIDTH_INCHES)
            _draw_shares(below, shares)
            frame(panel, np.concatenate([errors.times, shares.times]))
            panel.tick_params(labelbottom=False)
        return finished(figure)


def _draw_errors(panel: Axes, errors: Course[str]) -> None:
    values = [errors.lines["model"], errors.lines["naive"]]
    for look, one in zip((FORECAST, NAIVE), values, strict=True):
        line(panel, errors.times, one, look)
    frame(panel, errors.times)
    logarithmic_if_wide(panel, values)
    if panel.get_yscale() == "linear":
        panel.set_ylim(bottom=0.0)
    say_if_missing(panel, values, [], "no errors to draw")


def _draw_shares(panel: Axes, shares: Course[float]) -> None:
    lowest = 100.0
    for place, (level, values) in enumerate(sorted(shares.lines.items())):
        color, marker = SHARE_LOOKS[place % len(SHARE_LOOKS)]
        line(panel, shares.times, 100 * values, Look(f"{level:g} % interval", color, 1.6, 3.0, "-", marker))
        promised = panel.hlines(level, 0, 1, transform=panel.get_yaxis_transform(), color=color)
        promised.set(linewidth=0.9, linestyle=":", zorder=2.0)
        lowest = min(lowest, level, *(100 * values[np.isfinite(values)]).tolist())
    frame(panel, shares.times)
    room = AIR * (100 - lowest + 1)
    panel.set_ylim(lowest - room, 100 + room)
    say_if_missing(panel, list(shares.lines.values()), [], "no intervals to judge")
