"""Pictures hold the numbers they were given, whatever those are, and the same ones give the same bytes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import matplotlib.dates as mdates
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from lstm_forecast.errors import UsageError
from lstm_forecast.reporting import plots
from lstm_forecast.reporting.plots import Band, SeriesPlot, plot_forecast, plot_loss, plot_test, render

DAY = np.timedelta64(1, "D")
NO_TIMES = np.array([], "datetime64[us]")
NO_VALUES = np.array([], float)
LABELS = {"title": "stock: forecast", "value_label": "close", "time_label": "date"}
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def daily(rows: int, *, tested: int = 40, horizon: int = 5, name: str = "AAPL") -> SeriesPlot:
    """A series of days whose values say where they stand: row, row + 0.5 as predicted, 1000 + step ahead."""
    times = np.datetime64("2020-01-01", "us") + np.arange(rows + horizon) * DAY
    row = np.arange(rows, dtype=float)
    first = rows - tested
    return SeriesPlot(
        name=name,
        history_times=times[:rows],
        history=row,
        test_times=times[first:rows],
        test_forecast=row[first:] + 0.5,
        future_times=times[rows:],
        future=1000.0 + np.arange(horizon),
    )


def few(*, name: str) -> SeriesPlot:
    """Five rows: quick to draw."""
    return daily(5, tested=2, horizon=1, name=name)


def by_label(panel: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in panel.get_lines()}


def points(line: Line2D) -> tuple[list[Any], list[float]]:
    """The times and values a line was given."""
    times, values = line.get_data(orig=True)
    return np.asarray(times).tolist(), np.asarray(values, float).tolist()


def marks(line: Line2D) -> list[bool]:
    marked = line.get_markevery()
    assert isinstance(marked, list)
    return [bool(one) for one in marked]


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def text_artists(figure: Figure) -> list[Text]:
    return cast("list[Text]", figure.findobj(Text))


def all_texts(figure: Figure) -> list[str]:
    return [artist.get_text() for artist in text_artists(figure)]


def test_each_format_begins_with_its_magic_bytes_and_is_the_same_when_drawn_again() -> None:
    figure, again = (plot_forecast([few(name="AAPL")], **LABELS) for _ in range(2))
    for form in plots.FORMATS:
        first = render(figure, form)
        assert first.startswith(MAGIC[form])
        assert render(figure, form) == first
        assert render(again, form) == first


def test_other_numbers_give_another_picture() -> None:
    assert render(plot_test([daily(300)], **LABELS), "png") != render(
        plot_test([daily(301)], **LABELS), "png"
    )


def test_no_file_says_when_or_with_what_it_was_made() -> None:
    figure = plot_forecast([few(name="")], **LABELS)
    for form in plots.FORMATS:
        data = render(figure, form).lower()
        assert b"date>" not in data
        assert b"creationdate" not in data
        assert b"matplotlib" not in data.replace(b'"matplotlib', b"")  # ids of an SVG may


@pytest.mark.parametrize(("form", "near"), [("jpg", "png"), ("sgv", "svg"), ("PDF", "pdf"), ("", "png")])
def test_an_unknown_format_is_a_usage_error_that_lists_the_formats(form: Any, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(Figure(), form)
    assert caught.value.code == 2
    assert str(caught.value) == (
        f"error[plot.format]: cannot draw a picture as {form!r}: expected png, svg or pdf\n"
        f"  hint: let the name of the output file end in .{near}"
    )


@pytest.mark.parametrize(("panels", "inches"), [(2, 6.6), (3, 8.6), (5, 8.6)])
def test_a_picture_is_ten_inches_wide_and_grows_with_its_rows_of_panels(panels: int, inches: float) -> None:
    figure = plot_forecast([few(name=str(number)) for number in range(panels)], **LABELS)
    assert figure.get_size_inches().tolist() == [10.0, inches]
    assert len(figure.axes) == panels


def test_a_png_has_150_dots_per_inch() -> None:
    data = render(plot_forecast([few(name="")], **LABELS), "png")
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (1500, 780)


def test_the_forecast_picture_holds_the_last_rows_the_test_forecasts_and_the_future() -> None:
    one = daily(500)
    lines = by_label(plot_forecast([one], **LABELS).axes[0])
    assert points(lines["actual"]) == (
        one.history_times[380:].tolist(),
        [float(row) for row in range(380, 500)],
    )
    tested = [row + 0.5 for row in range(460, 500)]
    assert points(lines["predicted on test rows (1 step ahead)"]) == (one.test_times.tolist(), tested)
    assert points(lines["forecast"]) == (one.future_times.tolist(), [1000.0, 1001.0, 1002.0, 1003.0, 1004.0])


def test_a_long_forecast_gets_a_seventh_of_the_picture() -> None:
    lines = by_label(plot_forecast([daily(5000, tested=4000, horizon=48)], **LABELS).axes[0])
    _, actual = points(lines["actual"])
    assert actual == [float(row) for row in range(5000 - 6 * 48, 5000)]
    _, tested = points(lines["predicted on test rows (1 step ahead)"])
    assert tested == [row + 0.5 for row in range(5000 - 6 * 48, 5000)]


def test_a_thin_line_stands_at_the_last_known_time() -> None:
    one = daily(300)
    drawn = [points(line) for line in plot_forecast([one], **LABELS).axes[0].get_lines()]
    last = one.history_times[-1].tolist()
    assert ([last, last], [0.0, 1.0]) in drawn  # from the bottom to the top of the panel


@pytest.mark.parametrize(("horizon", "marked"), [(1, 1), (30, 30), (31, 0)])
def test_a_short_forecast_has_markers(horizon: int, marked: int) -> None:
    line = by_label(plot_forecast([daily(300, horizon=horizon)], **LABELS).axes[0])["forecast"]
    assert sum(marks(line)) == marked
    assert line.get_marker() == ("o" if marked else "None")


def test_the_test_picture_has_actual_in_black_and_predicted_in_green_on_the_test_rows_only() -> None:
    one = daily(500)
    figure = plot_test([one], **LABELS)
    lines = by_label(figure.axes[0])
    assert points(lines["actual"]) == (one.test_times.tolist(), [float(row) for row in range(460, 500)])
    assert points(lines["predicted (1 step ahead)"]) == (
        one.test_times.tolist(),
        [row + 0.5 for row in range(460, 500)],
    )
    assert lines["actual"].get_color() == "#000000"
    assert lines["predicted (1 step ahead)"].get_color() == "#009E73"
    assert legend_texts(figure) == ["actual", "predicted (1 step ahead)"]


def test_title_and_axis_labels_are_those_given() -> None:
    texts = all_texts(plot_test([daily(300, name="")], title="平安", value_label="open", time_label="day"))
    assert {"平安", "open", "day"} <= set(texts)


def test_rows_without_dates_are_counted() -> None:
    rows = np.arange(2000, 2300)
    one = dataclasses.replace(
        daily(300), history_times=rows, test_times=rows[-40:], future_times=np.arange(2300, 2305)
    )
    figure = plot_forecast([one], **LABELS)
    times, _ = points(by_label(figure.axes[0])["actual"])
    assert times == list(range(2180, 2300))
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert {"2,180", "2,240", "2,300"} <= set(ticks)


def test_more_than_six_series_are_counted_in_the_title() -> None:
    figure = plot_test([few(name=f"S{number}") for number in range(1240)], **LABELS)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["S0", "S1", "S2", "S3", "S4", "S5"]
    assert "stock: forecast (6 of 1,240 series)" in all_texts(figure)


def test_one_series_is_named_unless_the_title_names_it() -> None:
    assert plot_test([daily(300)], **LABELS).axes[0].get_title(loc="left") == "AAPL"
    assert plot_test([daily(300, name="stock")], **LABELS).axes[0].get_title(loc="left") == ""


def test_nothing_overlaps_and_nothing_is_cut_off() -> None:
    figure = plot_forecast([daily(300, name=f"series {n}") for n in range(8)], **LABELS)
    panels = [box for panel in figure.axes if (box := panel.get_tightbbox()) is not None]
    assert len(panels) == 6
    assert {"stock: forecast (6 of 8 series)", "date", "close"} <= set(all_texts(figure))
    boxes = [
        *panels,
        figure.legends[0].get_window_extent(),
        *(text.get_window_extent() for text in figure.texts),
    ]
    width, height = (figure.get_size_inches() * figure.dpi).tolist()
    for place, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_a_hole_stays_a_hole_and_a_value_between_two_holes_is_marked() -> None:
    one = daily(300)
    history = one.history.copy()
    history[[290, 292, 295]] = math.nan, math.inf, -math.inf
    line = by_label(plot_forecast([dataclasses.replace(one, history=history)], **LABELS).axes[0])["actual"]
    _, values = points(line)
    assert [row for row, value in zip(range(180, 300), values, strict=True) if math.isnan(value)] == [
        290,
        292,
        295,
    ]
    assert [180 + place for place, marked in enumerate(marks(line)) if marked] == [291]


@pytest.mark.parametrize("draw", [plot_forecast, plot_test])
def test_row_41_actual_values_that_are_all_missing_are_said(draw: Callable[..., Figure]) -> None:
    one = daily(300)
    figure = draw([dataclasses.replace(one, history=np.full(300, math.nan))], **LABELS)
    assert any(text.startswith("no actual values") for text in all_texts(figure))
    assert "actual" not in by_label(figure.axes[0])
    assert len(legend_texts(figure)) == (2 if draw is plot_forecast else 1)
    assert render(figure, "png").startswith(MAGIC["png"])


def test_no_test_rows_are_said() -> None:
    one = dataclasses.replace(daily(300), test_times=NO_TIMES, test_forecast=NO_VALUES)
    figure = plot_test([one], **LABELS)
    assert "no test rows" in all_texts(figure)
    assert "actual" in legend_texts(plot_forecast([one], **LABELS))
    assert render(figure, "png").startswith(MAGIC["png"])


def test_row_41_one_row_is_a_marked_point() -> None:
    one = SeriesPlot("one", NO_TIMES, NO_VALUES, NO_TIMES, NO_VALUES, NO_TIMES, NO_VALUES)
    figure = plot_forecast([one], **LABELS)
    assert "no actual values" in all_texts(figure)
    day = np.array(["2024-03-01"], "datetime64[us]")
    figure = plot_forecast([dataclasses.replace(one, history_times=day, history=np.array([3.5]))], **LABELS)
    line = by_label(figure.axes[0])["actual"]
    assert points(line) == (day.tolist(), [3.5])
    assert marks(line) == [True]
    assert render(figure, "png").startswith(MAGIC["png"])


def test_no_series_at_all_is_a_picture_that_says_so() -> None:
    assert "no series to draw" in all_texts(plot_forecast([], **LABELS))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_there_is_are_drawn(day: str) -> None:
    times = np.array([day], "datetime64[us]")
    one = SeriesPlot("", times, np.array([1.0]), times, np.array([1.0]), NO_TIMES, NO_VALUES)
    assert render(plot_test([one], **LABELS), "png").startswith(MAGIC["png"])


def test_values_of_any_size_are_drawn() -> None:
    one = daily(300)
    sizes = [(1e-30, 0.0), (1e-9, -1e3), (1e8, -1e3), (1e34, 0.0)]
    sized = [
        dataclasses.replace(
            one,
            history=(one.history + offset) * scale,
            test_forecast=(one.test_forecast + offset) * scale,
            future=(one.future + offset) * scale,
        )
        for scale, offset in sizes
    ]
    figure = plot_forecast(sized, **LABELS)
    assert render(figure, "png").startswith(MAGIC["png"])
    ticks = [[text.get_text() for text in panel.get_yticklabels()] for panel in figure.axes]
    assert "1.0e-27" in ticks[0]
    assert {"-8.0e-07", "0"} <= set(ticks[1])
    assert "−20,000,000,000" in ticks[2]
    assert "1.0e+37" in ticks[3]


def test_hostile_names_are_plain_text_on_one_line() -> None:
    name = "$a_1^{\\frac{1$ %&#~ [red]x[/red]\n\x1b[31m\t\udce9"
    figure = plot_forecast([few(name=name)] * 2, title=name, value_label=name, time_label=name)
    shown = "$a_1^{\\frac{1$ %&#~ [red]x[/red]\\n\\x1b[31m\\t\\udce9"
    assert all_texts(figure).count(shown) == 5
    assert not any(artist.get_parse_math() for artist in text_artists(figure))
    for form in plots.FORMATS:
        assert render(figure, form).startswith(MAGIC[form])


@pytest.mark.parametrize("letter", ["W", "价", "\n"])
def test_a_name_of_ten_thousand_characters_is_shortened_to_its_room(letter: str) -> None:
    name = "begin" + letter * 10_000 + "end"
    figure = plot_forecast([few(name=name + "s")], title=name, value_label=name, time_label=name)
    long = [artist for artist in text_artists(figure) if "…" in artist.get_text()]
    assert len(long) == 4
    width, height = (figure.get_size_inches() * figure.dpi).tolist()
    for artist in long:
        assert artist.get_text().startswith("begin")
        assert artist.get_text().rstrip("s").endswith("end")
        box = artist.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_row_41_five_million_rows_are_drawn_as_a_few_thousand_points() -> None:
    rows = 5_000_000
    times = np.datetime64("2000-01-01", "us") + np.arange(rows) * np.timedelta64(1, "m")
    values = np.sin(np.arange(rows) / 1e5)
    values[1_234_567], values[3_456_789] = 40.0, -70.0
    figure = plot_test([SeriesPlot("", times, values, times, values, NO_TIMES, NO_VALUES)], **LABELS)
    data = render(figure, "png")
    assert len(data) < 1_000_000
    drawn_times, drawn = points(by_label(figure.axes[0])["actual"])
    assert len(drawn) <= 6000
    assert drawn_times[drawn.index(40.0)] == times[1_234_567].tolist()
    assert drawn_times[drawn.index(-70.0)] == times[3_456_789].tolist()


def interval(level: float, *, width: float, holes: Sequence[int] = ()) -> Band:
    """Around the future of `daily`: 1000 + step ahead, give or take ``width``."""
    middle = 1000.0 + np.arange(5)
    middle[list(holes)] = math.nan
    return Band(level, middle - width, middle + width)


def areas(panel: Axes) -> dict[str, list[Any]]:
    """What is filled, by label: the corners of each polygon, or the two ends of each bar."""
    found: dict[str, list[Any]] = {}
    for artist in panel.collections:
        corners = [[tuple(corner) for corner in path.vertices.tolist()] for path in artist.get_paths()]
        found[str(artist.get_label())] = corners
    return found


def test_intervals_lie_around_the_forecast_the_widest_below() -> None:
    one = dataclasses.replace(daily(300), bands=(interval(0.95, width=20.0), interval(0.8, width=10.0)))
    figure = plot_forecast([one], **LABELS)
    drawn = areas(figure.axes[0])
    assert list(drawn) == ["80 %", "95 %"]
    numbers = mdates.date2num(one.future_times).tolist()
    for label, width in (("80 %", 10.0), ("95 %", 20.0)):
        (corners,) = drawn[label]
        edge = {(x, 1000.0 + step + sign * width) for step, x in enumerate(numbers) for sign in (-1, 1)}
        assert set(corners) == edge
    narrow, wide = figure.axes[0].collections
    line = by_label(figure.axes[0])["forecast"]
    assert wide.get_zorder() < narrow.get_zorder() < line.get_zorder()
    assert legend_texts(figure)[2:] == ["forecast", "80 %", "95 %"]
    assert (wide.get_alpha() or 1.0) < (narrow.get_alpha() or 1.0) < 1.0
    low, high = figure.axes[0].get_ylim()
    assert low < 980.0
    assert high > 1024.0


def test_a_missing_bound_leaves_a_hole_and_a_step_between_two_holes_gets_a_bar() -> None:
    band = interval(0.9, width=10.0, holes=[2])
    upper = band.upper.copy()
    upper[4] = math.inf
    figure = plot_forecast([dataclasses.replace(daily(300), bands=(Band(0.9, band.lower, upper),))], **LABELS)
    x = mdates.date2num(daily(300).future_times).tolist()
    drawn = areas(figure.axes[0])
    (corners,) = drawn["90 %"]
    assert set(corners) == {(x[0], 990.0), (x[0], 1010.0), (x[1], 991.0), (x[1], 1011.0)}
    assert drawn["_90 %"] == [[(x[3], 993.0), (x[3], 1013.0)]]
    assert legend_texts(figure).count("90 %") == 1


def test_a_forecast_of_one_step_shows_its_interval() -> None:
    one = daily(300, horizon=1)
    band = Band(0.995, np.array([900.0]), np.array([1100.0]))
    figure = plot_forecast([dataclasses.replace(one, bands=(band,))], **LABELS)
    x = mdates.date2num(one.future_times).tolist()[0]
    assert areas(figure.axes[0]) == {"99.5 %": [[(x, 900.0), (x, 1100.0)]]}
    assert "99.5 %" in legend_texts(figure)


def test_an_interval_without_a_single_bound_is_not_in_the_legend() -> None:
    nothing = np.full(5, math.nan)
    figure = plot_forecast([dataclasses.replace(daily(300), bands=(Band(0.8, nothing, nothing),))], **LABELS)
    assert areas(figure.axes[0]) == {}
    assert "80 %" not in legend_texts(figure)


def test_the_test_picture_stays_as_it_is_whatever_intervals_the_future_has() -> None:
    one = daily(300)
    banded = dataclasses.replace(one, bands=(interval(0.8, width=10.0),))
    assert render(plot_test([banded], **LABELS), "png") == render(plot_test([one], **LABELS), "png")


def loss_figure(train: list[float | None], validation: list[float | None], *, best: int) -> Figure:
    epochs = list(range(len(train)))
    return plot_loss(
        epochs, train, validation, best_epoch=best, title="stock: loss", loss_label="mse (scaled)"
    )


def test_the_loss_picture_holds_both_losses_and_marks_the_best_epoch() -> None:
    figure = loss_figure([None, 0.9, 0.7, 0.6], [1.0, 0.8, 0.5, 0.55], best=2)
    lines = by_label(figure.axes[0])
    epochs, train = points(lines["training"])
    assert epochs == [0, 1, 2, 3]
    assert math.isnan(train[0])
    assert train[1:] == [0.9, 0.7, 0.6]
    assert points(lines["validation"]) == ([0, 1, 2, 3], [1.0, 0.8, 0.5, 0.55])
    assert points(lines["best epoch: 2"]) == ([2], [0.5])
    assert legend_texts(figure) == ["training", "validation", "best epoch: 2"]
    assert figure.axes[0].get_yscale() == "linear"


def test_without_validation_the_best_epoch_is_marked_on_the_training_loss() -> None:
    figure = loss_figure([None, 0.9, 0.7], [None, None, None], best=2)
    assert points(by_label(figure.axes[0])["best epoch: 2"]) == ([2], [0.7])
    assert legend_texts(figure) == ["training", "best epoch: 2"]


@pytest.mark.parametrize(("largest", "scale"), [(50.0, "linear"), (50.1, "log")])
def test_the_loss_axis_is_logarithmic_only_where_losses_differ_more_than_fiftyfold(
    largest: float, scale: str
) -> None:
    figure = loss_figure([None, largest, 2.0], [3.0, 2.0, 1.0], best=2)
    assert figure.axes[0].get_yscale() == scale
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert not any("$" in tick for tick in ticks)
    assert "10" in ticks
    assert render(figure, "png").startswith(MAGIC["png"])


def test_a_loss_of_zero_keeps_the_axis_linear() -> None:
    assert loss_figure([None, 100.0], [5.0, 0.0], best=1).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("losses", [[], [None], [math.inf, math.nan]])
def test_a_training_without_a_finite_loss_is_a_picture_that_says_so(losses: list[float | None]) -> None:
    figure = loss_figure(losses, losses, best=0)
    assert "no losses to draw" in all_texts(figure)
    assert render(figure, "png").startswith(MAGIC["png"])
