"""The simple forecasts against hand-made tables and plain loops, and against a changed future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.forecasting.baselines import SIMPLE, baseline_forecasts, naive, naive2
from tests.conftest import ROOT
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def forecasts(panel: Panel, rows: list[int], *, horizon: int, season: int) -> dict[str, Floats]:
    series = np.searchsorted(panel.offsets, rows, side="right") - 1
    return baseline_forecasts(SIMPLE, panel, np.array(rows), series, horizon=horizon, season=season)


def every_cutoff(panel: Panel) -> list[int]:
    return list(range(len(panel.times)))


def test_the_forecasts_are_those_of_a_table_made_by_hand() -> None:
    """Two series; cutoffs at the third row of the first and at the last of both."""
    panel = panel_of([2, 4, 9, 1, 6], [10, 20])
    found = forecasts(panel, [2, 4, 6], horizon=3, season=2)
    assert found["naive"].tolist() == [[9, 9, 9], [6, 6, 6], [20, 20, 20]]
    assert found["seasonal_naive"].tolist() == [[4, 9, 4], [1, 6, 1], [10, 20, 10]]
    assert found["drift"].tolist() == [[12.5, 16, 19.5], [7, 8, 9], [30, 40, 50]]
    assert found["mean"].tolist() == [[5, 5, 5], [4.4, 4.4, 4.4], [15, 15, 15]]
    assert list(found) == list(SIMPLE)


def test_only_the_forecasts_asked_for_are_given_in_their_order() -> None:
    panel = panel_of([1, 2])
    rows, series = np.array([1]), np.array([0])
    found = baseline_forecasts(["mean", "naive"], panel, rows, series, horizon=1, season=1)
    assert list(found) == ["mean", "naive"]
    with pytest.raises(ValueError, match="no simple forecast is called theta; there are"):
        baseline_forecasts(["naive", "theta"], panel, rows, series, horizon=1, season=1)


panels = st.lists(
    st.lists(st.integers(-50, 50), min_size=1, max_size=15).map(lambda values: [float(v) for v in values]),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(values=panels, season=st.integers(1, 7), horizon=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_forecasts_are_those_of_a_plain_loop(
    values: list[list[float]], season: int, horizon: int, seed: int
) -> None:
    panel = panel_of(*values)
    observed = np.random.default_rng(seed).random(panel.observed.shape) < 0.8
    panel = replace(panel, observed=observed)
    found = forecasts(panel, every_cutoff(panel), horizon=horizon, season=season)
    row = 0
    for series in values:
        for end in range(1, len(series) + 1):
            known = series[:end]
            mine = observed[row - end + 1 : row + 1, 0]
            seen = [value for value, there in zip(known, mine, strict=True) if there] or known[-1:]
            for step in range(1, horizon + 1):
                at = {name: found[name][row, step - 1] for name in SIMPLE}
                back = end - 1 + step
                while back >= end:
                    back -= season
                slope = (known[-1] - known[0]) / (end - 1) if end > 1 else 0
                assert at["naive"] == known[-1]
                assert at["seasonal_naive"] == (known[back] if end >= season else known[-1])
                assert at["drift"] == pytest.approx(known[-1] + step * slope, abs=1e-12)
                assert at["mean"] == pytest.approx(sum(seen) / len(seen), abs=1e-12)
            row += 1


AWKWARD = [
    np.full(20, 0.1 + 0.2) + np.arange(20) * 0.1,
    1e9 + 0.01 * np.arange(20) ** 2,
    1e-30 * np.arange(20, 0, -1) / 3,
    np.random.default_rng(0).normal(size=20).cumsum() * 1e30 / 7,
    np.array([-0.0, 1 / 3] * 10),
]


@pytest.mark.parametrize("number", range(len(AWKWARD)))
def test_without_a_season_the_seasonal_forecast_is_the_naive_one_bit_for_bit(number: int) -> None:
    panel = panel_of(AWKWARD[number], AWKWARD[number][::-1])
    found = forecasts(panel, every_cutoff(panel), horizon=4, season=1)
    assert found["seasonal_naive"].tobytes() == found["naive"].tobytes()
    rows, series = np.arange(40), np.repeat([0, 1], 20)
    plain = naive2(panel, rows, series, horizon=4, season=1, train_end=panel.offsets[:-1])
    assert plain.tobytes() == found["naive"].tobytes()
    assert found["naive"].tobytes() == naive(panel.values[:, 0], 4).tobytes()


def test_a_series_that_stands_still_is_forecast_exactly() -> None:
    panel = panel_of(np.full(1000, 0.1), np.full(1000, 1e300))
    for forecast in forecasts(panel, every_cutoff(panel), horizon=3, season=7).values():
        assert np.array_equal(forecast, np.repeat(panel.values, 3, axis=1))


def test_small_moves_on_a_high_level_keep_their_digits() -> None:
    """Sums of 1e9 would be good to 0.1 only; these numbers are exact in binary."""
    moves = np.arange(4096) % 2 / 128
    panel = panel_of(2.0**40 + moves)
    found = forecasts(panel, [4095], horizon=2, season=2)
    assert found["mean"].tolist() == [[2.0**40 + 1 / 256] * 2]
    assert found["drift"][0, 1] == pytest.approx(2.0**40 + 1 / 128 + 2 / 128 / 4095, abs=1e-12 * 2**40)


def changed_after(panel: Panel, row: int) -> Panel:
    """Everything after this row is other, and of another kind."""
    values, observed = panel.values.copy(), panel.observed.copy()
    values[row + 1 :] = -1e6 * values[row + 1 :] + 17
    observed[row + 1 :] ^= True
    return replace(panel, values=values, observed=observed)


@pytest.mark.parametrize("season", [1, 4, 30])
def test_nothing_after_a_cutoff_reaches_its_forecast(season: int) -> None:
    panel = random_walks(25, 40, 13)
    for row in (0, 7, 24, 25, 30, 60, 70):
        series = int(np.searchsorted(panel.offsets, row, side="right")) - 1
        rows = list(range(int(panel.offsets[series]), row + 1))
        before = forecasts(panel, rows, horizon=6, season=season)
        after = forecasts(changed_after(panel, row), rows, horizon=6, season=season)
        for name in SIMPLE:
            assert before[name].tobytes() == after[name].tobytes(), (name, row)


def test_no_other_series_reaches_a_forecast() -> None:
    panel = panel_of(
        1e12 * np.random.default_rng(0).normal(size=50), np.random.default_rng(1).normal(size=50)
    )
    alone = panel_of(panel.values[50:, 0])
    for name, forecast in forecasts(panel, list(range(50, 100)), horizon=5, season=3).items():
        assert forecast.tobytes() == forecasts(alone, list(range(50)), horizon=5, season=3)[name].tobytes()


def airline() -> Floats:
    return np.loadtxt(ROOT / "data/airline.csv", delimiter=",", skiprows=1, usecols=1)


def at_the_end(values: Floats, *, season: int, horizon: int, train: int | None = None) -> Floats:
    """Naive 2 after the last value: [H]."""
    end = np.array([len(values) if train is None else train])
    rows = np.array([len(values) - 1])
    panel = panel_of(values)
    return naive2(panel, rows, np.array([0]), horizon=horizon, season=season, train_end=end)[0]


def test_naive2_of_a_pure_season_goes_on_with_it() -> None:
    """Indices of a series 100 x (0.5, 1, 1.5) are these numbers, whatever moving average is taken."""
    found = at_the_end(np.tile([50.0, 100.0, 150.0], 5), season=3, horizon=5)
    assert found == pytest.approx([50, 100, 150, 50, 100], rel=1e-13)
    even = at_the_end(np.tile([80.0, 120.0, 60.0, 140.0], 20)[:-1], season=4, horizon=3)
    assert even == pytest.approx([140, 80, 120], rel=1e-13)


def test_naive2_knows_the_airline_passengers_indices() -> None:
    """The indices of R's decompose(AirPassengers, "multiplicative")$figure, as printed in many a course."""
    figure = [0.9102304, 0.8836253, 1.0073663, 0.9759060, 0.9813780, 1.1127758]
    figure += [1.2265555, 1.2199110, 1.0604919, 0.9217572, 0.8011781, 0.8988244]
    found = at_the_end(airline(), season=12, horizon=24)
    assert found[:12] == pytest.approx(432 / figure[11] * np.array(figure), rel=1e-6)
    assert np.array_equal(found[12:], found[:12])


def test_naive2_takes_the_phase_of_each_cutoff_and_the_indices_of_training_rows() -> None:
    values = airline()
    panel = panel_of(np.full(7, 3.0), values)  # a series before it must not move the phase
    rows = 7 + np.arange(119, 144)
    ends = np.array([7, 127])
    found = naive2(panel, rows, np.ones(25, dtype=int), horizon=3, season=12, train_end=ends)
    index = at_the_end(values[:120], season=12, horizon=12) / values[119]  # of January, relative to December
    for row, forecast in zip(range(119, 144), found, strict=True):
        months = [(row + step) % 12 for step in range(4)]
        expected = [values[row] / index[months[0]] * index[month] for month in months[1:]]
        assert forecast == pytest.approx(expected, rel=1e-12)


def test_naive2_is_naive_where_the_test_finds_no_season() -> None:
    noise = 100 + np.random.default_rng(4).normal(size=120)
    pattern = np.tile(100 + np.random.default_rng(1).normal(size=12), 3)  # exactly three whole seasons
    for values in (noise, pattern[:35], np.full(60, 4.0), -airline(), airline() - 104):
        assert np.array_equal(at_the_end(values, season=12, horizon=5), np.full(5, values[-1]))
    assert at_the_end(pattern, season=12, horizon=5) == pytest.approx(pattern[:5])


def test_the_test_for_a_season_is_that_of_the_m4_competition() -> None:
    """A plain loop over the published R code, on series from clearly seasonal to not at all."""
    answers = []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        season = np.tile(draw.normal(size=4), 15) * draw.uniform(0, 1.5)
        turned = np.repeat([1, (-1) ** seed] * 8, 4)[:60]  # every other series: up where it was down
        values = 50 + season * turned + draw.normal(size=60)
        mean, correlation = values.mean(), []
        for lag in range(1, 5):
            products = sum((values[t] - mean) * (values[t - lag] - mean) for t in range(lag, 60))
            correlation.append(products / sum((value - mean) ** 2 for value in values))
        limit = 1.645 / 60**0.5 * (1 + 2 * sum(r**2 for r in correlation[:3])) ** 0.5
        expected = abs(correlation[3]) > limit
        answers.append(expected * np.sign(correlation[3]))
        plain = np.array_equal(at_the_end(values, season=4, horizon=3), np.full(3, values[-1]))
        assert plain != expected, seed
    assert min(answers.count(-1), answers.count(0), answers.count(1)) > 5


def test_rows_after_training_do_not_change_the_indices() -> None:
    panel = panel_of(airline())
    rows, series, end = np.arange(119, 130), np.zeros(11, dtype=int), np.array([120])
    before = naive2(panel, rows, series, horizon=12, season=12, train_end=end)
    after = naive2(changed_after(panel, 129), rows, series, horizon=12, season=12, train_end=end)
    assert before.tobytes() == after.tobytes()
    with pytest.raises(ValueError, match="cutoff lies before the end"):
        naive2(panel, rows - 1, series, horizon=12, season=12, train_end=end)
