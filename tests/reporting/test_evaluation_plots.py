"""Pictures of how good forecasts are hold the numbers they were given, and statistics computed elsewhere."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, cast

import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from scipy import stats

from lstm_forecast.reporting.evaluation_plots import (
    OriginPlot,
    ResidualPlot,
    autocorrelation,
    plot_backtest,
    plot_error,
    plot_residuals,
)
from lstm_forecast.reporting.panels import FORMATS, Band, render

Array = npt.NDArray[Any]
DAY = np.timedelta64(1, "D")
ERROR = {"title": "stock: error by step ahead", "value_label": "MAE (close)"}
LABELS = {"title": "stock: errors", "value_label": "close", "time_label": "date"}
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def days(rows: int) -> Array:
    return np.datetime64("2020-01-01", "us") + np.arange(rows) * DAY


def noise(rows: int, *, seed: int = 1, name: str = "") -> ResidualPlot:
    return ResidualPlot(name, days(rows), np.random.default_rng(seed).normal(size=rows))


def by_label(panel: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in panel.get_lines()}


def points(line: Line2D) -> tuple[list[Any], list[float]]:
    times, values = line.get_data(orig=True)
    return np.asarray(times).tolist(), np.asarray(values, float).tolist()


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def all_texts(figure: Figure) -> list[str]:
    return [artist.get_text() for artist in cast("list[Text]", figure.findobj(Text))]


# ---- error by step ahead


def test_errors_are_drawn_by_step_the_model_thick_and_the_baselines_told_apart() -> None:
    errors = {"LSTM": [1.0, 1.5, 1.75], "naive": [1.0, 2.0, 3.0], "seasonal_naive": [2.0, 2.0, 2.5]}
    figure = plot_error([1, 2, 3], errors, **ERROR)
    lines = by_label(figure.axes[0])
    for name, values in errors.items():
        assert points(lines[name.replace("_", " ")]) == ([1, 2, 3], values)
    assert legend_texts(figure) == ["LSTM", "naive", "seasonal naive"]
    model, *others = lines.values()
    assert all(model.get_linewidth() > 2 * other.get_linewidth() for other in others)
    assert all(model.get_zorder() > other.get_zorder() for other in others)
    kinds = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()]
    assert [len(set(kind)) for kind in zip(*kinds, strict=True)] == [3, 3, 3]
    assert figure.axes[0].get_ylim()[0] == 0.0
    assert {"stock: error by step ahead", "MAE (close)", "steps ahead"} <= set(all_texts(figure))


def test_seven_baselines_have_seven_looks() -> None:
    figure = plot_error([1, 2], {f"model {n}": [1.0 + n, 2.0 + n] for n in range(8)}, **ERROR)
    lines = figure.axes[0].get_lines()
    assert len({line.get_color() for line in lines}) == 8
    assert len({line.get_marker() for line in lines}) >= 7


def test_one_step_is_a_labelled_point_per_name_side_by_side() -> None:
    figure = plot_error([1], {"LSTM": [0.5], "seasonal_naive": [0.25], "mean": [12345.6]}, **ERROR)
    panel = figure.axes[0]
    drawn = [points(line) for line in panel.get_lines()]
    assert drawn == [([0], [0.5]), ([1], [0.25]), ([2], [12345.6])]
    assert all(line.get_markevery() == [True] for line in panel.get_lines())
    assert [text.get_text() for text in panel.get_xticklabels()] == ["LSTM", "seasonal naive", "mean"]
    assert {"0.5", "0.25", "12,346", "1 step ahead"} <= set(all_texts(figure))


def test_one_later_step_is_named() -> None:
    assert "12 steps ahead" in all_texts(plot_error([12], {"LSTM": [0.5]}, **ERROR))


@pytest.mark.parametrize(("largest", "scale"), [(50.0, "linear"), (50.1, "log")])
def test_errors_that_differ_more_than_fiftyfold_get_a_logarithmic_axis(largest: float, scale: str) -> None:
    figure = plot_error([1, 2], {"LSTM": [1.0, 2.0], "drift": [3.0, largest]}, **ERROR)
    assert figure.axes[0].get_yscale() == scale
    assert render(figure, "png").startswith(MAGIC["png"])


def test_values_below_zero_are_not_cut_off() -> None:
    assert plot_error([1, 2], {"LSTM": [-3.0, 2.0]}, **ERROR).axes[0].get_ylim()[0] < -3.0


def test_errors_that_are_missing_leave_a_hole_or_are_said() -> None:
    figure = plot_error([1, 2, 3], {"LSTM": [1.0, math.nan, 3.0], "naive": [math.nan] * 3}, **ERROR)
    assert np.isnan(points(by_label(figure.axes[0])["LSTM"])[1]).tolist() == [False, True, False]
    assert legend_texts(figure) == ["LSTM"]
    for steps in ([], [1], [1, 2]):
        empty = plot_error(steps, {"LSTM": [math.nan] * len(steps)}, **ERROR)
        assert "no errors to draw" in all_texts(empty)
        assert render(empty, "png").startswith(MAGIC["png"])


# ---- residuals


def test_autocorrelation_of_a_table_made_by_hand() -> None:
    # mean 3; centred -2 -1 0 1 2, squares 10; lag 1: 2 + 0 + 0 + 2, lag 2: 0 - 1 + 0, lag 3: -2 - 2
    found = autocorrelation(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), lags=3)
    np.testing.assert_allclose(found, [0.4, -0.1, -0.4], rtol=1e-12)


def test_autocorrelation_uses_the_pairs_of_rows_that_both_have_a_value() -> None:
    # mean 3; centred -2 -1 . 1 2, squares 10; lag 1: 2 + 2, lag 2: -1, lag 3: -2 - 2
    found = autocorrelation(np.array([1.0, 2.0, math.nan, 4.0, 5.0]), lags=3)
    np.testing.assert_allclose(found, [0.4, -0.1, -0.4], rtol=1e-12)


def test_autocorrelation_is_that_of_statsmodels() -> None:
    acf = pytest.importorskip("statsmodels.tsa.stattools").acf
    errors = np.cumsum(np.random.default_rng(3).normal(size=200)) + 1e3
    np.testing.assert_allclose(autocorrelation(errors, lags=40), acf(errors, nlags=40)[1:], atol=1e-12)
    errors[[3, 50, 51, 120]] = math.nan
    expected = acf(errors, nlags=40, missing="conservative")[1:]
    np.testing.assert_allclose(autocorrelation(errors, lags=40), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_autocorrelation_has_no_unit(scale: float) -> None:
    errors = np.random.default_rng(4).normal(size=50)
    found = autocorrelation(errors * scale, lags=9)
    np.testing.assert_allclose(found, autocorrelation(errors, lags=9), rtol=1e-9)


@pytest.mark.parametrize("errors", [[0.1] * 9, [0.0] * 9, [math.nan] * 9, []])
def test_errors_that_do_not_vary_have_no_autocorrelation(errors: list[float]) -> None:
    assert np.isnan(autocorrelation(np.array(errors), lags=2)).tolist() == [True, True]


def test_the_residuals_of_one_series_are_a_curve_a_histogram_and_autocorrelations() -> None:
    one = noise(400)
    figure = plot_residuals([one], **LABELS)
    over_time, autocorrelated, histogram = figure.axes
    assert points(by_label(over_time)["error: forecast − actual"]) == (
        one.times.tolist(),
        one.errors.tolist(),
    )
    assert [0.0, 0.0] in [points(line)[1] for line in over_time.get_lines()]
    assert (over_time.get_xlabel(), over_time.get_ylabel()) == ("date", "error (close)")
    assert (histogram.get_xlabel(), autocorrelated.get_xlabel()) == ("rows", "lag (steps)")
    assert {"error: forecast − actual", "mean error", "95 % range of independent errors"} == set(
        legend_texts(figure)
    )
    assert histogram.get_ylim() == over_time.get_ylim()
    mean = by_label(histogram)["mean error"].get_ydata()
    np.testing.assert_allclose(np.asarray(mean, float), one.errors.mean(), rtol=1e-12)


def test_errors_and_their_histogram_share_the_axis_of_errors() -> None:
    figure = plot_residuals([ResidualPlot("", days(9), np.full(9, 2.0))], **LABELS)
    over_time, _, histogram = figure.axes
    assert histogram.get_ylim() == over_time.get_ylim()
    assert histogram.get_ylim()[1] > 3.0  # of five bins around 2 the last ends at 3


def test_the_histogram_counts_every_error_in_bins_of_freedman_and_diaconis() -> None:
    one = noise(400)
    one.errors[7] = math.nan
    finite = one.errors[np.isfinite(one.errors)]
    histogram = plot_residuals([one], **LABELS).axes[2]
    corners = np.asarray(histogram.patches[0].get_path().vertices)
    width = 2 * stats.iqr(finite) / 399 ** (1 / 3)
    bins = round(float(np.ptp(finite) / width))
    edges = finite.min() + np.arange(bins + 1) * np.ptp(finite) / bins
    np.testing.assert_allclose(np.unique(np.round(corners[:, 1], 9)), np.round(edges, 9), atol=2e-9)
    counts = [((finite >= low) & (finite < high)).sum() for low, high in pairwise(edges)]
    counts[-1] += 1  # the largest error stands on the last edge
    assert sum(counts) == 399
    middles = (edges[1:] + edges[:-1]) / 2
    for middle, count in zip(middles, counts, strict=True):
        across = corners[(np.abs(corners[:, 1] - middle) < width / 1.9) & (corners[:, 0] > 0), 0]
        assert count == 0 or count in across.tolist()


def test_the_stems_are_the_autocorrelations_and_the_band_is_that_of_independent_errors() -> None:
    one = noise(400, seed=2)
    one.errors[:39] = math.nan
    panel = plot_residuals([one], **LABELS).axes[1]
    lags, heights = points(panel.get_lines()[-1])
    assert lags == list(range(1, 41))
    centred = one.errors[39:] - one.errors[39:].mean()
    expected = [sum(centred[:-k] * centred[k:]) / sum(centred**2) for k in range(1, 41)]
    np.testing.assert_allclose(heights, expected, atol=1e-12)
    stems = panel.collections[0].get_paths()
    assert [path.vertices[:, 1].tolist() for path in stems] == [[0.0, height] for height in heights]
    band = panel.patches[0].get_extents().transformed(panel.transData.inverted())
    np.testing.assert_allclose([band.y0, band.y1], [-1.96 / 19, 1.96 / 19], rtol=1e-9)  # 361 errors


@pytest.mark.parametrize(("rows", "lags"), [(4, 1), (40, 10), (159, 39), (160, 40), (5000, 40)])
def test_there_are_as_many_lags_as_a_quarter_of_the_errors_up_to_forty(rows: int, lags: int) -> None:
    panel = plot_residuals([noise(rows)], **LABELS).axes[1]
    assert points(panel.get_lines()[-1])[0] == list(range(1, lags + 1))


def test_each_of_three_series_gets_a_row_and_more_are_counted_in_the_title() -> None:
    series = [noise(30 + n, seed=n, name=f"S{n}") for n in range(5)]
    figure = plot_residuals(series, **LABELS)
    assert len(figure.axes) == 9
    assert [panel.get_title(loc="left") for panel in figure.axes[::3]] == ["S0", "S1", "S2"]
    assert [panel.get_xlabel() for panel in figure.axes[::3]] == ["", "", "date"]
    assert "stock: errors (3 of 5 series)" in all_texts(figure)
    lefts = [round(panel.get_position().x0, 6) for panel in figure.axes]
    assert len(set(lefts)) == 3


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([], "no errors to draw"),
        ([math.nan] * 9, "no errors to draw"),
        ([3.5], "too few errors"),
        ([1.0, 2.0, -1e300], "too few errors"),
        ([0.1] * 9, "all errors are equal"),
        ([0.0] * 9, "all errors are equal"),
    ],
)
def test_what_cannot_be_drawn_of_few_or_equal_errors_is_said(errors: list[float], said: str) -> None:
    one = ResidualPlot("", days(len(errors)), np.array(errors))
    figure = plot_residuals([one], **LABELS)
    assert said in all_texts(figure)
    assert render(figure, "png").startswith(MAGIC["png"])


def test_no_series_at_all_is_a_picture_that_says_so() -> None:
    assert "no series to draw" in all_texts(plot_residuals([], **LABELS))


# ---- backtest


def origin(cutoff: int, *, horizon: int = 5, width: float | None = None) -> OriginPlot:
    """A forecast of 1000 * cutoff + step from row ``cutoff`` of `days`."""
    values = 1000.0 * cutoff + np.arange(1, horizon + 1)
    bands = () if width is None else (Band(0.8, values - width, values + width),)
    return OriginPlot(days(400)[cutoff], days(400)[cutoff + 1 : cutoff + 1 + horizon], values, bands)


def backtest(origins: list[OriginPlot], rows: int = 400) -> Figure:
    return plot_backtest((days(rows), np.arange(rows, dtype=float)), origins, **LABELS)


def forecasts(figure: Figure) -> list[tuple[list[Any], list[float]]]:
    return [points(line) for line in figure.axes[0].get_lines() if line.get_label() == "forecast"]


def test_forecasts_lie_over_the_actual_values_from_their_cutoffs_on() -> None:
    origins = [origin(200, width=7.0), origin(240, width=7.0), origin(300, width=7.0)]
    figure = backtest(origins)
    panel = figure.axes[0]
    assert forecasts(figure) == [(one.times.tolist(), one.forecast.tolist()) for one in origins]
    times, actual = points(by_label(panel)["actual"])
    assert actual == [float(row) for row in range(201 - 105 // 5, 306)]  # a fifth of rows 201 … 305 before
    assert times == days(400)[180:306].tolist()
    assert by_label(panel)["actual"].get_color() == "#000000"
    drawn = [points(line) for line in panel.get_lines()]
    for one, row in zip(origins, (200, 240, 300), strict=True):
        assert ([one.cutoff_time.tolist()] * 2, [0.0, 1.0]) in drawn
        ends = [one.cutoff_time.tolist(), one.times[0].tolist()]
        assert (ends, [float(row), 1000.0 * row + 1]) in drawn
    assert legend_texts(figure) == ["actual", "forecast", "80 %"]
    x = mdates.date2num(origins[0].times).tolist()
    corners = {tuple(corner) for corner in panel.collections[0].get_paths()[0].vertices.tolist()}
    assert corners == {(x[k], 200_001.0 + k + sign * 7.0) for k in range(5) for sign in (-1, 1)}


def test_at_most_eight_forecasts_are_drawn_at_even_distances_the_last_among_them() -> None:
    figure = backtest([origin(cutoff) for cutoff in range(100, 390, 10)])  # 29
    assert [values[0] for _, values in forecasts(figure)] == [
        1000.0 * cutoff + 1 for cutoff in (100, 140, 180, 220, 260, 300, 340, 380)
    ]
    assert "stock: errors (8 of 29)" in all_texts(figure)


def test_forecasts_that_would_overlap_a_later_one_are_left_out() -> None:
    figure = backtest([origin(cutoff) for cutoff in range(300, 311)])
    assert [values[0] for _, values in forecasts(figure)] == [300_001.0, 305_001.0, 310_001.0]
    assert "stock: errors (3 of 11)" in all_texts(figure)


def test_actual_values_after_a_cutoff_do_not_move_what_is_drawn_of_its_forecast() -> None:
    origins = [origin(200), origin(240)]
    changed = np.arange(400.0)
    changed[241:] *= 1e6
    figure = plot_backtest((days(400), changed), origins, **LABELS)
    dotted = [points(line) for line in figure.axes[0].get_lines() if line.get_linestyle() == ":"]
    usual = [points(line) for line in backtest(origins).axes[0].get_lines() if line.get_linestyle() == ":"]
    assert dotted == usual


def test_a_backtest_of_one_step_has_points_and_bars() -> None:
    figure = backtest([origin(cutoff, horizon=1, width=3.0) for cutoff in (200, 210)])
    for line in figure.axes[0].get_lines():
        if line.get_label() == "forecast":
            assert line.get_marker() == "o"
    bars = [bar.get_paths()[0].vertices[:, 1].tolist() for bar in figure.axes[0].collections]
    assert bars == [[199_998.0, 200_004.0], [209_998.0, 210_004.0]]


def test_a_backtest_by_row_numbers_and_one_without_origins_or_actual_values_are_drawn() -> None:
    rows = np.arange(50)
    one = OriginPlot(30, rows[31:36], np.full(5, 2.0))
    figure = plot_backtest((rows, rows * 1.0), [one], **LABELS)
    assert points(by_label(figure.axes[0])["actual"])[0] == list(range(21, 36))
    figure = plot_backtest((rows, np.full(50, math.nan)), [one], **LABELS)
    assert "no actual values" in all_texts(figure)
    figure = plot_backtest((rows[:0], np.array([])), [], **LABELS)
    assert "no actual values" in all_texts(figure)
    assert render(figure, "png").startswith(MAGIC["png"])


# ---- all of them


def test_the_same_numbers_give_the_same_bytes_and_the_texts_of_users_are_plain() -> None:
    name = "$a_1^{\\frac{1$ %&#~\n\x1b[31m"
    shown = "$a_1^{\\frac{1$ %&#~\\n\\x1b[31m"
    words = {"title": name, "value_label": name}
    pictures = [
        lambda: plot_error([1, 2], {name: [1.0, 2.0], "naive": [2.0, 1.0]}, **words),
        lambda: plot_error([1], {name: [1.0]}, **words),
        lambda: plot_residuals([noise(20, name="S")], time_label=name, **words),
        lambda: plot_backtest((days(400), np.arange(400.0)), [origin(200)], time_label=name, **words),
    ]
    for picture in pictures:
        first, again = picture(), picture()
        assert any(shown in text for text in all_texts(first))
        assert not any(name in text for text in all_texts(first))
        assert not any(text.get_parse_math() for text in cast("list[Text]", first.findobj(Text)))
        for form in FORMATS if picture is pictures[0] else ("svg",):
            data = render(first, form)
            assert data.startswith(MAGIC[form])
            assert data == render(again, form)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_values_of_any_size_and_ten_thousand_rows_are_drawn(size: float) -> None:
    one = noise(10_000)
    figures = [
        plot_error([1, 2], {"LSTM": [size, 2 * size]}, **ERROR),
        plot_residuals([ResidualPlot("", one.times, one.errors * size)], **LABELS),
        plot_backtest((days(400), np.arange(400) * size), [origin(300)], **LABELS),
    ]
    for figure in figures:
        assert render(figure, "png").startswith(MAGIC["png"])


def test_the_panels_stand_at_the_same_places_whenever_they_are_laid_out() -> None:
    places, kept = set(), []
    for number in range(12):  # the layout's solver goes by addresses in memory, which must be made to differ
        figure = plot_residuals([noise(20)], **LABELS)
        kept.append(figure if number % 2 else object())
        places.add(tuple(edge for panel in figure.axes for edge in panel.get_position().bounds))
    assert len(places) == 1


def test_nothing_overlaps_in_three_rows_of_residuals() -> None:
    series = [
        ResidualPlot(f"S{n}", days(300), noise(300, seed=n).errors * scale)
        for n, scale in enumerate([1e9, 1.0, 1e-9])
    ]
    figure = plot_residuals(series, **LABELS)
    boxes = [box for panel in figure.axes if (box := panel.get_tightbbox()) is not None]
    boxes += [figure.legends[0].get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    width, height = (figure.get_size_inches() * figure.dpi).tolist()
    for place, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
