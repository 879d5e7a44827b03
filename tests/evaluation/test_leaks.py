"""Columns that know the target's next value are named, and honest ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from lstm_forecast.data.panel import Panel
from lstm_forecast.evaluation.leaks import explained_changes, leaking_covariates
from tests.data.panels import NAN, panel_of

Floats = NDArray[np.float64]
ROWS, MARGIN = 1500, 20
DATA = Path(__file__).resolve().parents[2] / "data"


def walk(seed: int = 0) -> Floats:
    """A random walk, with rows to look ahead and back."""
    return 100 + np.random.default_rng(seed).normal(size=ROWS + 2 * MARGIN).cumsum()


def at(values: Floats, ahead: int) -> Floats:
    """The value so many rows after each row."""
    return values[MARGIN + ahead : MARGIN + ROWS + ahead]


def table(*columns: Floats) -> Panel:
    """One series: the target, then the covariates x1, x2, …"""
    return panel_of(np.column_stack(columns))


def centred_average(values: Floats, reach: int) -> Floats:
    return np.mean([at(values, ahead) for ahead in range(-reach, reach + 1)], axis=0)


def shares(*columns: Floats) -> list[float]:
    return explained_changes(table(*columns)).tolist()


def names(panel: Panel) -> list[str]:
    return [found.name for found in leaking_covariates(panel)]


def slow(panel: Panel, column: int, *, lags: int = 5) -> float:
    """The same by a loop over rows, scikit-learn, and a dummy column per series."""
    answers, own, told, series = [], [], [], []
    for s in range(len(panel)):
        rows = panel.rows(s)
        y = np.where(panel.observed[rows, 0], panel.values[rows, 0], NAN)
        c = np.where(panel.observed[rows, column], panel.values[rows, column], NAN)
        kept = [
            t
            for t in range(lags, len(y) - 1)
            if not np.isnan([*y[t - lags : t + 2], *c[t - lags : t + 1]]).any()
        ]
        unit = np.mean([abs(y[t + 1] - y[t]) for t in kept])
        spread = np.mean([abs(c[t] - c[t - 1]) for t in kept])
        for t in kept:
            answers.append((y[t + 1] - y[t]) / unit)
            own.append([y[t] / unit, *((y[t - k] - y[t - k - 1]) / unit for k in range(lags))])
            told.append([c[t] / spread, *((c[t - k] - c[t - k - 1]) / spread for k in range(lags))])
            series.append(s)
    dummies = np.eye(len(panel))[series]
    change, past = np.array(answers), np.hstack([own, dummies])
    full = np.hstack([past, told])
    errors = [change - LinearRegression(fit_intercept=False).fit(x, change).predict(x) for x in (past, full)]
    deciding = np.abs(errors[0]) <= np.quantile(np.abs(errors[0]), 0.99)
    before, after = (float((error[deciding] ** 2).sum()) for error in errors)
    return 1 - after / before


def test_the_share_is_that_of_two_regressions_of_another_library() -> None:
    draw = np.random.default_rng(1)
    blocks = []
    for size, scale in ((150, 1.0), (90, 1e4), (60, 1e-3)):
        y = scale * draw.normal(size=size + 1).cumsum()
        clue = np.diff(y) + 0.5 * scale * draw.normal(size=size)
        noise = 7 + draw.normal(size=size)
        blocks.append(np.column_stack([y[:-1], clue, noise]))
    for block in blocks:
        block[draw.random(block.shape) < 0.03] = NAN
    panel = panel_of(*blocks)
    found = explained_changes(panel)
    assert found == pytest.approx([slow(panel, 1), slow(panel, 2)], abs=1e-9)
    assert 0.5 < found[0] < 0.9
    assert found[1] < 0.1


def test_columns_that_are_tomorrow_are_named_in_their_order() -> None:
    y = walk()
    today, tomorrow = at(y, 0), at(y, 1)
    panel = table(today, tomorrow, at(walk(1), 0), tomorrow - today, 32 + 1.8 * tomorrow)
    assert explained_changes(panel)[[0, 2, 3]] == pytest.approx([1, 1, 1])
    assert names(panel) == ["x1", "x3", "x4"]


def test_the_words_name_column_and_share() -> None:
    (found,) = leaking_covariates(table(at(walk(), 0), at(walk(), 1)))
    assert found.finding == "'x1' knows tomorrow (R² 1.00)"
    assert found.question == (
        "column 'x1' knows tomorrow's target (R² 1.00 on training rows): is it known only afterwards?"
    )


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_of_a_change_with_noise_its_share_of_the_variance_is_left(noise: float) -> None:
    """1 / (1 + noise²) for normal changes of variance 1."""
    y = walk()
    clue = at(y, 1) - at(y, 0) + noise * np.random.default_rng(2).normal(size=ROWS)
    assert shares(at(y, 0), clue) == pytest.approx([1 / (1 + noise**2)], abs=0.04)


def test_tomorrow_with_ten_percent_of_a_change_as_noise_is_named() -> None:
    y = walk()
    assert names(table(at(y, 0), at(y, 1) + 0.1 * np.random.default_rng(2).normal(size=ROWS))) == ["x1"]


@pytest.mark.parametrize(("reach", "named"), [(1, True), (2, True), (3, True), (5, False), (8, False)])
def test_a_centred_average_is_named_up_to_three_rows_ahead(reach: int, named: bool) -> None:
    """Of longer ones a part is known, and said: 0.84 at four rows, 0.66 at five."""
    y = walk()
    (share,) = shares(at(y, 0), centred_average(y, reach))
    assert (share >= 0.9) == named
    assert share > 0.2


def test_what_is_known_in_two_rows_time_is_known_tomorrow() -> None:
    y = walk()
    assert shares(at(y, 0), at(y, 2), at(y, 3)) == pytest.approx([1, 1])


def test_the_past_of_the_target_is_no_news() -> None:
    y = walk()
    past = [at(y, -lag) for lag in range(9)]
    trailing = np.mean(past[:6], axis=0)
    assert max(shares(at(y, 0), *past, trailing, 5 - 2 * past[3])) < 0.02


def test_unrelated_walks_are_no_news() -> None:
    assert max(shares(*(at(walk(seed), 0) for seed in range(12)))) < 0.02


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0, 3.0])
def test_a_season_that_both_share_is_no_leak(noise: float) -> None:
    draw, hours = np.random.default_rng(3), np.arange(ROWS)
    temperature = 15 - 8 * np.cos(2 * np.pi * (hours - 3) / 24)
    profile = 10 * draw.normal(size=24)
    smooth = 50 + 10 * np.sin(2 * np.pi * hours / 24) + noise * draw.normal(size=ROWS)
    jagged = profile[hours % 24] + noise * draw.normal(size=ROWS)
    uneven = temperature + draw.normal(size=ROWS)
    for demand in (smooth, jagged):
        assert max(shares(demand, temperature, uneven)) < 0.6


@pytest.mark.parametrize("target", ["Close", "Adj Close", "High", "Low"])
def test_the_prices_of_a_day_do_not_know_tomorrow(target: str) -> None:
    read = pd.read_csv(DATA / "stock.csv")
    others = [name for name in ("Open", "High", "Low", "Close", "Adj Close", "Volume") if name != target]
    assert max(shares(read[target].to_numpy(), *(read[name].to_numpy() for name in others))) < 0.3


def test_the_weather_of_a_day_does_not_know_tomorrow() -> None:
    columns = ["temp_max", "temp_min", "precipitation", "wind"]
    blocks = [place[columns].to_numpy() for _, place in pd.read_csv(DATA / "weather.csv").groupby("location")]
    assert np.nanmax(explained_changes(panel_of(*blocks))) < 0.2


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_make_no_difference(scale: float) -> None:
    y = walk()
    today, clue = at(y, 0), at(y, 1) + 0.4 * np.random.default_rng(4).normal(size=ROWS)
    (usual,) = shares(today, clue)
    assert 0.8 < usual < 0.9
    assert shares(scale * today, clue) == pytest.approx([usual], abs=1e-6)
    assert shares(today, scale * clue) == pytest.approx([usual], abs=1e-6)


def test_what_never_changes_is_no_leak_and_has_none() -> None:
    y, still = walk(), np.full(ROWS, 7.0)
    # All but 0: least squares round, each BLAS in its own way.
    assert shares(at(y, 0), still, 0 * still) == pytest.approx([0, 0], abs=1e-12)
    assert shares(still, at(y, 1)) == [0]


def test_nothing_is_left_to_know_of_a_line_or_a_wave() -> None:
    rows = np.arange(ROWS, dtype=np.float64)
    for target in (rows, 1e9 + 0.01 * rows, np.sin(rows / 5)):
        assert shares(target[:-1], target[1:], np.random.default_rng(5).normal(size=ROWS - 1)) == [0, 0]


def test_one_crash_beside_one_spike_is_chance() -> None:
    y, volume = at(walk(), 0).copy(), np.random.default_rng(6).lognormal(size=ROWS)
    volume[700] = 500
    y[701:] -= 80
    assert shares(y, volume)[0] < 0.02


def test_too_few_rows_say_nothing() -> None:
    y = walk()
    long = [explained_changes(table(at(y, 0)[:rows], at(y, 1)[:rows]))[0] for rows in range(1, 60)]
    assert np.isnan(long[:26]).all()  # 20 rows beyond intercept, two levels, two changes; two have no next
    assert long[30:] == pytest.approx([1] * 29)
    assert names(table(at(y, 0)[:10], at(y, 1)[:10])) == []


def test_few_rows_of_noise_are_never_named() -> None:
    draw = np.random.default_rng(7)
    for rows in (27, 28, 30, 35, 40):
        walks = draw.normal(size=(rows, 60)).cumsum(axis=0)
        assert np.nanmax(explained_changes(table(*walks.T))) < 0.85


def test_several_short_series_are_judged_together() -> None:
    y = walk()
    blocks = [10.0**n * np.column_stack([at(y, 0), at(y, 1)])[n * 12 : n * 12 + 12] for n in range(8)]
    assert np.isnan(explained_changes(panel_of(blocks[0]))[0])
    assert explained_changes(panel_of(*blocks)) == pytest.approx([1])


def test_filled_cells_are_not_looked_at() -> None:
    y = walk()
    values = np.column_stack([at(y, 0), at(y, 1) + 0.3 * np.random.default_rng(8).normal(size=ROWS)])
    values[np.random.default_rng(9).random(values.shape) < 0.05] = NAN
    panel = panel_of(values)
    usual = explained_changes(panel)
    panel.values[np.isnan(values)] = 1e6
    assert explained_changes(panel).tolist() == usual.tolist()


def test_a_panel_without_covariates_has_none_that_leak() -> None:
    assert leaking_covariates(table(at(walk(), 0))) == []
