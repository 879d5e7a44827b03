"""The pictures of ``tutorial.py``, in the style of the program's own."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.program import ROOT
from lstm_forecast.reporting.fonts import drawing
from lstm_forecast.reporting.panels import (
    ACTUAL,
    BLUE,
    DARK_GREY,
    GREEN,
    GREY,
    VERMILLION,
    WIDTH_INCHES,
    Array,
    Look,
    finished,
    frame,
    line,
    open_panels,
    render,
    write_heading,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kept = Mapping[str, Mapping[str, Any]]
TUTORIAL = Look("the tutorial network", GREEN, 1.8, 2.5)
LAST_VALUE = Look("no change: the last value", BLUE, 1.2, 2.8, "--")
RECIPE = Look("the recommended recipe", VERMILLION, 1.4, 2.6)
YESTERDAY = Look("the same half-hour of the day before", BLUE, 1.2, 2.4, "--")
ZOOM_FROM, ZOOM_DAYS = 150, 35  # of the test rows until 2009: an ordinary stretch
WEEK = 3 * 48  # half-hours shown of the demand
INCH = 0.85 * WIDTH_INCHES


def draw_all(kept: Kept, ladders: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Draws every picture whose trainings have been measured."""
    made: dict[str, Callable[[], bytes]] = {
        "tutorial-shifted": lambda: shifted(kept),
        "tutorial-range": lambda: out_of_range(kept),
        "tutorial-ladder": lambda: ladder(kept, {name: ladders[name] for name in ("ibm", "walk")}),
        "tutorial-season": lambda: season(kept, ladders["demand"]),
    }
    for name, draw in made.items():
        try:
            (folder / f"{name}.png").write_bytes(draw())
        except KeyError as missing:
            print(f"docs/images/{name}.png is left as it is: not measured yet: {missing}")


def shifted(kept: Kept) -> bytes:
    """The famous picture, and a month of it from near."""
    found = kept["ibm 2009 | the tutorial | seed 0"]
    times, actual, forecast, last = _test(found, "stock.csv", "Open")
    title = "It looks right, and is late: IBM's opening price, test rows of 2009"
    with drawing([title]):
        figure, (whole, near) = open_panels(2, title=title, time_label="", value_label="US dollars")
        write_heading(whole, "as the tutorials draw it", room_inches=INCH)
        late, moved, error = _lateness(actual, forecast)
        gain = f"moved back by {late} days the mean error is {moved:.2f} instead of {error:.2f}"
        heading = f"{ZOOM_DAYS} days of it: late ({gain})"
        write_heading(near, heading, room_inches=INCH)
        part = slice(ZOOM_FROM, ZOOM_FROM + ZOOM_DAYS)
        for panel, rows, few in ((whole, slice(None), 0), (near, part, 100)):
            for look, values in ((ACTUAL, actual), (TUTORIAL, forecast)):
                line(panel, times[rows], values[rows], _marked(look, few))
            frame(panel, times[rows])
        line(near, times[part], last[part], _marked(LAST_VALUE, 0))
        return render(finished(figure), "png")


def out_of_range(kept: Kept) -> bytes:
    """Test prices above everything in the training rows."""
    times, actual, tutorial, _ = _test(kept["ibm | the tutorial | seed 0"], "stock.csv", "Open")
    _, _, recipe, _ = _test(kept["ibm | configs/stock.yaml | seed 0"], "stock.csv", "Open")
    title = "A network that has to say the price cannot say one it has never seen"
    with drawing([title]):
        figure, (panel,) = open_panels(1, title=title, time_label="", value_label="US dollars")
        highest = _training_maximum()
        panel.axhline(highest, color=GREY, linewidth=1.0, linestyle=":", label="highest price in training")
        line(panel, times, actual, _marked(ACTUAL, 0))
        line(panel, times, tutorial, TUTORIAL)
        line(panel, times, recipe, RECIPE)
        frame(panel, times)
        return render(finished(figure), "png")


def ladder(kept: Kept, ladders: Mapping[str, Sequence[str]]) -> bytes:
    """Error over that of the last value, rung by rung."""
    title = (
        "From the tutorial to the recipe: error over that of the last value (1 = no better than no change)"
    )
    names = {
        "ibm": "IBM's opening price: there is nothing to find, the best is to do no harm",
        "walk": "a series whose steps resemble the step before: there is something to find",
    }
    with drawing([title]):
        figure, panels = open_panels(2, title=title, time_label="", value_label="")
        for panel, (series, rungs) in zip(panels, ladders.items(), strict=True):
            write_heading(panel, names[series], room_inches=INCH)
            _bars(panel, kept, series, rungs)
        return render(finished(figure), "png")


def season(kept: Kept, rungs: Sequence[str]) -> bytes:
    """Days of demand, and the same ladder for a series with a season."""
    times, actual, tutorial, rival = _test(kept[f"demand | {rungs[0]} | seed 0"], "demand.csv", "demand")
    _, _, recipe, _ = _test(kept[f"demand | {rungs[-1]} | seed 0"], "demand.csv", "demand")
    title = "A day of electricity at once: the tutorial network does not reach yesterday's values"
    with drawing([title]):
        figure, (days, bars) = open_panels(2, title=title, time_label="", value_label="")
        write_heading(
            days, "72 hours of the test rows, each 24 forecast at once (megawatts)", room_inches=INCH
        )
        for look, values in ((ACTUAL, actual), (TUTORIAL, tutorial), (YESTERDAY, rival), (RECIPE, recipe)):
            line(days, times[:WEEK], values[:WEEK], _marked(look, 0))
        frame(days, times[:WEEK])
        write_heading(bars, "error over that of the same half-hour of the day before", room_inches=INCH)
        _bars(bars, kept, "demand", rungs)
        return render(finished(figure), "png")


def _bars(panel: Axes, kept: Kept, series: str, rungs: Sequence[str]) -> None:
    """A bar for each rung, its number at the end, the seeds as dots, and a line at 1."""
    for place, rung in enumerate(rungs):
        found = [one["mae"] for key, one in kept.items() if key.startswith(f"{series} | {rung} | ")]
        if not found:
            continue
        middle = statistics.fmean(found)
        panel.barh(place, middle, height=0.6, color=GREEN if place == 0 else VERMILLION, alpha=0.8)
        panel.plot(found, [place] * len(found), ".", color=DARK_GREY, markersize=4, zorder=4.0)
        panel.annotate(
            f"{middle:.3f}" if middle < 10 else f"{middle:.1f}",
            (max(found), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            zorder=5.0,
        )
    panel.axvline(1.0, color=BLUE, linewidth=1.2, linestyle="--", zorder=3.0)
    panel.set_yticks(range(len(rungs)), [_short(rung) for rung in rungs], fontsize=9)
    panel.invert_yaxis()
    panel.set_xlim(left=0.0, right=1.12 * panel.get_xlim()[1])


def _short(rung: str) -> str:
    """What a rung adds, without the key in brackets."""
    words = rung.partition(" (")[0]
    return words if words.startswith(("the ", "configs")) else f"+ {words}"


def _lateness(actual: Array, forecast: Array) -> tuple[int, float, float]:
    """By how many days back the forecasts fit best; their mean absolute error then, and as they are."""
    errors = [np.abs(forecast[days:] - actual[: len(actual) - days]).mean() for days in range(11)]
    best = int(np.argmin(errors))
    return best, float(errors[best]), float(errors[0])


def _test(found: Mapping[str, Any], name: str, column: str) -> tuple[Array, Array, Array, Array]:
    """Times, actual values, the network's forecasts and the rival's, on the test rows that were kept."""
    actual, forecast, rival = (np.array(found[key], float) for key in ("actual", "forecast", "rival"))
    with (ROOT / "data" / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    values = np.round([float(row[column]) for row in rows], 3)
    windows = np.lib.stride_tricks.sliding_window_view(values, len(actual))
    (start,) = np.flatnonzero((windows == actual).all(axis=1))
    key = next(iter(rows[0]))
    times = np.array([row[key] for row in rows[start : start + len(actual)]], "datetime64[us]")
    return times, actual, forecast, rival


def _training_maximum() -> float:
    """The highest opening price of the first eight tenths."""
    with (ROOT / "data" / "stock.csv").open(encoding="utf-8") as file:
        opens = [float(row["Open"]) for row in csv.DictReader(file)]
    return max(opens[: int(0.8 * len(opens))])


def _marked(look: Look, few: int) -> Look:
    """The look with a marker on each of up to ``few`` values."""
    return Look(look.label, look.color, look.width, look.layer, look.dashes, look.marker, few)
