"""What all pictures share: lines thinned without a trace, legends that fit, values on a logarithmic axis."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstm_forecast.reporting import panels
from lstm_forecast.reporting.fonts import drawing


def test_thinning_keeps_first_last_lowest_and_highest_of_each_stretch_of_time() -> None:
    generator = np.random.default_rng(5)
    times = np.sort(generator.choice(100_000, 20_000, replace=False))
    values = generator.normal(size=20_000)
    values[generator.choice(20_000, 500, replace=False)] = math.nan
    kept_times, kept = panels.thin(times, values, columns=50)
    expected = []
    width = (int(times[-1]) - int(times[0])) / 50
    for column in range(50):
        low, high = times[0] + column * width, times[0] + (column + 1) * width
        inside = [
            (int(t), float(v))
            for t, v in zip(times, values, strict=True)
            if (low <= t < high or (column == 49 and t >= high)) and not math.isnan(v)
        ]
        best = {inside[0], inside[-1], min(inside, key=lambda p: p[1]), max(inside, key=lambda p: p[1])}
        expected += sorted(best)
    assert list(zip(kept_times.tolist(), kept.tolist(), strict=True)) == expected


def test_thinning_leaves_a_hole_where_a_stretch_has_no_value() -> None:
    values = np.arange(1000, dtype=float)
    values[300:500] = math.nan
    times, kept = panels.thin(np.arange(1000), values, columns=10)
    assert [int(t) for t, v in zip(times, kept, strict=True) if math.isnan(v)] == [300, 400]


def test_a_series_that_fits_is_not_thinned() -> None:
    times, values = panels.thin(np.arange(40), np.arange(40.0), columns=10)
    assert times.tolist() == list(range(40))
    assert values.tolist() == [float(row) for row in range(40)]


@pytest.mark.parametrize(("count", "rows"), [(3, 1), (9, 2)])
def test_a_legend_that_is_too_wide_gets_two_rows_between_title_and_panel(count: int, rows: int) -> None:
    names = [f"a name of many letters {number}" for number in range(count)]
    with drawing([]):
        figure, (panel,) = panels.open_panels(1, title="title", time_label="time", value_label="value")
        for number, name in enumerate(names):
            line = panels.Look(name, "red", 1.0, 3.0)
            panels.line(panel, np.arange(3), np.arange(3.0) + number, line)
        panels.finished(figure)
        figure.draw_without_rendering()
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == set(names)
    assert len({round(text.get_window_extent().y0) for text in legend.get_texts()}) == rows
    box = legend.get_window_extent()
    assert box.y0 >= panel.get_window_extent().y1
    assert box.y1 <= figure.texts[0].get_window_extent().y0


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1.0, 50.0], "linear"),
        ([1.0, 50.1], "log"),
        ([0.0, 100.0], "linear"),
        ([-1.0, 100.0], "linear"),
        ([math.nan, 1.0, math.inf, 60.0], "log"),
        ([], "linear"),
    ],
)
def test_only_positive_values_that_differ_fiftyfold_get_a_logarithmic_axis(
    values: list[float], scale: str
) -> None:
    with drawing([]):
        _, (panel,) = panels.open_panels(1, title="title", time_label="time", value_label="value")
        panels.logarithmic_if_wide(panel, [np.array(values), np.array([1.0] if values else [])])
    assert panel.get_yscale() == scale


def test_a_line_is_drawn_between_the_last_known_value_and_the_first_of_the_forecast_only_if_both_are() -> (
    None
):
    rows, nothing = np.arange(3), (np.array([], int), np.array([]))
    with drawing([]):
        _, (panel,) = panels.open_panels(1, title="title", time_label="time", value_label="value")
        panels.connect(panel, nothing, (rows, rows * 2.0))
        panels.connect(panel, (rows, rows * 1.0), nothing)
        assert len(panel.get_lines()) == 0
        panels.connect(panel, (rows, rows * 1.0), (rows + 3, rows + 7.0))
    (line,) = panel.get_lines()
    assert np.asarray(line.get_data(orig=True)).tolist() == [[2.0, 3.0], [2.0, 7.0]]


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("unit", ["s", "m", "h", "D", "M"])
def test_dates_of_every_span_have_ticks_and_no_warning(unit: str, columns: int) -> None:
    """Warnings are errors here; matplotlib gives one where no step leaves few enough ticks for a span."""
    import matplotlib.pyplot as plt

    for count in (1, 2, 5, 13, 24, 28, 30, 35, 37, 50, 61, 71, 90, 119, 130, 170, 179, 190):
        times = np.datetime64("2013-06-01", unit) + np.arange(count + 1)
        with drawing([]):
            figure = plt.figure(figsize=(10, 3))
            panel = figure.add_axes((0.05, 0.1, 0.9 / columns, 0.8))
            panels.frame(panel, times.astype("datetime64[us]"))
            assert len(panel.get_xticks()) <= 12
            plt.close(figure)
