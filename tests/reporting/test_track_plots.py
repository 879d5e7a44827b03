"""The picture of a track record, looked at through what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_forecast.reporting.panels import render
from lstm_forecast.reporting.track_plots import Course, plot_track

DAYS = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]").astype("datetime64[us]")
ERRORS = Course(DAYS, {"model": np.arange(10) + 1.0, "naive": np.arange(10) + 2.0})
SHARES = Course(DAYS[::3], {95.0: np.array([1.0, 0.9, np.nan, 1.0]), 80.0: np.array([0.8, 0.7, 1.0, 0.6])})
WORDS = {"title": "a: issued forecasts", "value_label": "Close", "time_label": "date"}


def test_errors_above_shares_below_and_what_is_promised_is_dotted() -> None:
    figure = plot_track(ERRORS, SHARES, **WORDS)
    errors, shares = figure.axes
    drawn = {str(one.get_label()): np.asarray(one.get_ydata()).tolist() for one in errors.get_lines()}
    assert drawn == {
        "forecast": ERRORS.lines["model"].tolist(),
        "naive, issued at the same time": ERRORS.lines["naive"].tolist(),
    }
    assert errors.get_ylim()[0] == 0
    assert errors.get_title(loc="left") == "mean absolute error (Close)"
    low, high = shares.get_lines()
    assert [low.get_label(), high.get_label()] == ["80 % interval", "95 % interval"]
    assert np.asarray(low.get_ydata()) == pytest.approx([80, 70, 100, 60])
    levels = [np.asarray(one.get_segments()[0])[0][1] for one in shares.collections]  # type: ignore[attr-defined]
    assert levels == [80, 95]
    assert shares.get_ylim()[0] < 60
    assert shares.get_ylim()[1] > 100
    assert errors.get_xlim() == shares.get_xlim()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == "forecast"
    assert len(legend) == 4
    assert render(figure, "png") == render(plot_track(ERRORS, SHARES, **WORDS), "png")


def test_without_intervals_there_is_one_panel_and_row_numbers_are_no_dates() -> None:
    course = Course(np.arange(10), ERRORS.lines)
    figure = plot_track(course, Course(np.arange(10), {}), **WORDS)
    (panel,) = figure.axes
    figure.canvas.draw()
    shown = [text.get_text() for text in panel.get_xticklabels()]
    assert {"0", "2", "4", "6", "8"} <= set(shown)


def test_one_stretch_is_a_point_and_errors_of_many_sizes_get_a_logarithmic_axis() -> None:
    one = {name: values[:1] for name, values in ERRORS.lines.items()}
    figure = plot_track(Course(DAYS[:1], one), Course(DAYS[:1], {80.0: np.array([1.0])}), **WORDS)
    assert all(line.get_marker() != "None" for panel in figure.axes for line in panel.get_lines())
    wide = {"model": np.geomspace(1, 1000, 10), "naive": np.full(10, 5.0)}
    assert plot_track(Course(DAYS, wide), SHARES, **WORDS).axes[0].get_yscale() == "log"
