"""The season: given, the calendar's, or found in simulated series where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.tsa.seasonal import seasonal_decompose

from lstm_forecast.data import season as season_module
from lstm_forecast.data.calendars import DAY, Frequency
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.season import Season, find_season, season_strength
from tests.conftest import ROOT
from tests.data.panels import NAN, panel_of

Floats = NDArray[np.float64]
HOUR = DAY // 24
BY_ROW = Frequency("row")
WORKDAYS = (0, 1, 2, 3, 4)
SESSION = tuple(HOUR * hour for hour in (10, 11, 12, 13, 14, 15))
SEEDS = range(100)


def noise(rows: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=rows)


def autoregression(phi: float, rows: int, seed: int) -> Floats:
    """AR(1) after 200 rows of running in; phi 1 is a random walk."""
    values = np.zeros(rows + 200)
    for row, shock in enumerate(noise(rows + 200, seed)[1:], start=1):
        values[row] = phi * values[row - 1] + shock
    return values[200:]


def found(values: Floats, frequency: Frequency = BY_ROW) -> int:
    return find_season(panel_of(values), frequency, given=None).steps


def airline() -> Floats:
    return np.loadtxt(ROOT / "data/airline.csv", delimiter=",", skiprows=1, usecols=1)


def test_a_given_season_is_taken_as_it_is() -> None:
    season = find_season(panel_of(noise(10, 0)), Frequency("month"), given=1_234)
    assert season == Season(1_234, "season: 1,234 steps, as set (data.season)")
    none = find_season(panel_of(noise(100, 0)), Frequency("month"), given=1)
    assert none == Season(1, "season: none, as set (data.season)")


@pytest.mark.parametrize(
    ("frequency", "steps", "why"),
    [
        (Frequency("month"), 12, "the year of monthly rows"),
        (Frequency("month", 2), 6, "the year of rows every 2 months"),
        (Frequency("month", 3), 4, "the year of quarterly rows"),
        (Frequency("time", 7 * DAY), 52, "the year of weekly rows"),
        (Frequency("time", 14 * DAY), 26, "the year of rows every 2 weeks"),
        (Frequency("time", DAY), 7, "the week of daily rows"),
        (Frequency("time", DAY, weekdays=WORKDAYS), 5, "the week of daily rows, Mon-Fri"),
        (Frequency("time", HOUR // 2), 48, "the day of rows every 30 minutes"),
        (Frequency("time", HOUR // 60), 1440, "the day of rows every minute"),
        (Frequency("time", 6 * HOUR), 4, "the day of rows every 6 hours"),
        (
            Frequency("time", HOUR // 2, weekdays=WORKDAYS, clock=SESSION),
            6,
            "the day of rows every 30 minutes, Mon-Fri, part of the day",
        ),
    ],
)
def test_the_calendar_names_the_season(frequency: Frequency, steps: int, why: str) -> None:
    expected = Season(steps, f"season: {steps:,} steps, {why} (data.season)")
    assert find_season(panel_of(noise(2 * steps, 0)), frequency, given=None) == expected


@pytest.mark.parametrize(
    "frequency",
    [
        BY_ROW,
        Frequency("month", 12),
        Frequency("month", 5),
        Frequency("time", 2 * DAY),
        Frequency("time", 7 * HOUR),
        Frequency("time", HOUR // 3600),
        Frequency("time", 21 * DAY),
        Frequency("time", DAY, regular=False),
        Frequency("time", DAY, weekdays=(2,)),
    ],
    ids=str,
)
def test_without_a_calendar_season_noise_has_none(frequency: Frequency) -> None:
    season = find_season(panel_of(noise(500, 3)), frequency, given=None)
    assert season == Season(1, "season: none found in the training rows (data.season)")


def test_a_calendar_season_needs_two_whole_seasons_in_the_longest_series() -> None:
    monthly = Frequency("month")
    short, long = noise(23, 0), noise(24, 1)
    assert find_season(panel_of(short, short), monthly, given=None).steps == 1
    assert find_season(panel_of(short, long), monthly, given=None).steps == 12


def hourly(day: float, week: float, rows: int = 24 * 7 * 4) -> Floats:
    """A day and a week of these amplitudes, below a little noise."""
    at = np.arange(rows)
    return day * np.sin(2 * np.pi * at / 24) + week * (at // 24 % 7 >= 5) + 0.1 * noise(rows, 5)


def test_hourly_rows_have_the_season_whose_naive_forecast_is_better() -> None:
    frequency = Frequency("time", HOUR)
    assert found(hourly(day=1, week=3), frequency) == 168
    assert found(hourly(day=1, week=0).cumsum(), frequency) == 24
    assert found(hourly(day=1, week=3, rows=335), frequency) == 24  # two weeks are 336 rows
    season = find_season(panel_of(hourly(day=1, week=3)), frequency, given=None)
    assert season.why == "season: 168 steps, the week of hourly rows (data.season)"


def test_rows_every_half_hour_have_a_day_however_clear_the_week() -> None:
    at = np.arange(48 * 28)
    values = np.sin(2 * np.pi * at / 48) + 3 * (at // 48 % 7 >= 5) + 0.1 * noise(len(at), 2)
    assert found(values, Frequency("time", HOUR // 2)) == 48


def test_hourly_rows_of_working_days_have_a_week_of_five_days() -> None:
    at = np.arange(24 * 5 * 5)
    values = np.sin(2 * np.pi * at / 24) + 3 * (at // 24 % 5 == 4) + 0.1 * noise(len(at), 2)
    assert found(values, Frequency("time", HOUR, weekdays=WORKDAYS)) == 120
    clock = Frequency("time", HOUR, weekdays=WORKDAYS, clock=SESSION)
    assert found(values, clock) in (6, 30)


def test_each_series_counts_in_its_own_unit() -> None:
    """Two series with a week are worth more than one without, however large its numbers are."""
    weekly, large = hourly(day=1, week=3), 1e6 * hourly(day=1, week=0).cumsum()
    frequency = Frequency("time", HOUR)
    assert find_season(panel_of(weekly, large, weekly), frequency, given=None).steps == 168
    assert find_season(panel_of(large), frequency, given=None).steps == 24


def test_series_too_short_for_the_longer_season_have_no_say() -> None:
    frequency = Frequency("time", HOUR)
    panel = panel_of(noise(100, 1), hourly(day=1, week=3), np.zeros(400), noise(1, 1))
    assert find_season(panel, frequency, given=None).steps == 168


@pytest.mark.parametrize("rows", [40, 60, 300, 1000])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.97, 1.0, -0.5, -0.9])
def test_series_without_a_season_are_given_none(phi: float, rows: int) -> None:
    false = [seed for seed in SEEDS if found(autoregression(phi, rows, seed)) != 1]
    assert len(false) <= 5


def test_the_cycle_of_an_autoregression_is_mostly_seen_through() -> None:
    """AR(2) with a cycle of 12 rows that loses half in each: measured, 38 of 100 pass for a season."""
    pulls = (2 * 0.95 * np.cos(2 * np.pi / 12), -(0.95**2))
    taken = 0
    for seed in SEEDS:
        values = noise(500, seed)
        for row in range(2, 500):
            values[row] += pulls[0] * values[row - 1] + pulls[1] * values[row - 2]
        taken += found(values[200:]) != 1
    assert taken <= 60


def test_a_level_that_steps_or_wanders_below_noise_is_no_season() -> None:
    step = 3.0 * (np.arange(300) > 150)
    assert sum(found(step + noise(300, seed)) != 1 for seed in SEEDS) <= 5
    walks = [autoregression(1, 300, seed) + 2 * noise(300, 1000 + seed) for seed in SEEDS]
    assert sum(found(walk) != 1 for walk in walks) <= 5


@pytest.mark.parametrize(("season", "rows"), [(12, 144), (12, 400), (24, 240), (24, 2000)])
def test_a_season_below_noise_is_found(season: int, rows: int) -> None:
    """A sine of twice the noise's standard deviation, on a slope."""
    wave = 2 * np.sqrt(2) * np.sin(2 * np.pi * np.arange(rows) / season)
    slope = 0.02 * np.arange(rows)
    right = [seed for seed in SEEDS if found(50 + wave + slope + noise(rows, seed)) == season]
    assert len(right) >= 95


def test_a_season_on_a_random_walk_is_found() -> None:
    pattern = np.tile([0, 3, -1, 4, 0, -5, -1], 60)
    right = [seed for seed in SEEDS if found(pattern + autoregression(1, len(pattern), seed)) == 7]
    assert len(right) >= 95


def test_the_whole_season_is_found_and_not_its_half() -> None:
    day = np.sin(2 * np.pi * np.arange(600) / 12) + 0.8 * np.sin(2 * np.pi * np.arange(600) / 24)
    assert found(day + 0.2 * noise(600, 0)) == 24


def test_the_airline_passengers_have_a_year_without_being_told() -> None:
    """Autocorrelation of the differences at lag 12: statsmodels.tsa.stattools.acf gives 0.8294."""
    season = find_season(panel_of(airline()), BY_ROW, given=None)
    assert season == Season(
        12,
        "season: 12 steps, where the autocorrelation of the training rows is 0.83 (data.season)",
    )


def test_gaps_and_filled_cells_are_not_looked_at() -> None:
    values = np.tile([0.0, 1.0, 5.0, 2.0, 1.0, 0.0, -3.0], 30) + 0.1 * noise(210, 0)
    values[40:60] = NAN
    panel = panel_of(values)
    assert find_season(panel, BY_ROW, given=None).steps == 7
    filled = replace(panel, values=np.nan_to_num(panel.values, nan=1e9))
    assert find_season(filled, BY_ROW, given=None) == find_season(panel, BY_ROW, given=None)
    weekly = hourly(day=1, week=3)
    gaps = np.where(noise(len(weekly), 1) > 1, NAN, weekly)
    assert found(gaps, Frequency("time", HOUR)) == 168
    large = replace(panel_of(gaps), values=np.nan_to_num(gaps, nan=1e9)[:, None])
    assert find_season(large, Frequency("time", HOUR), given=None).steps == 168


@pytest.mark.parametrize(
    "series",
    [
        [[]],
        [[1.0]],
        [[1.0, 2.0]],
        [[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0]],
        [[5.0] * 50],
        [list(range(50))],
        [[NAN] * 50],
        [[5.0] * 50, []],
        [[1e300, -1e300] * 20],
        [[1e-300 * (n % 3) for n in range(5)]],
    ],
)
@pytest.mark.parametrize("frequency", [BY_ROW, Frequency("time", HOUR)], ids=str)
def test_series_with_nothing_in_them_have_no_season_of_their_own(
    series: list[list[float]], frequency: Frequency
) -> None:
    expected = 24 if frequency.unit == "time" and max(map(len, series)) >= 48 else 1
    assert find_season(panel_of(*series), frequency, given=None).steps == expected


def test_the_largest_and_smallest_numbers_do_no_harm() -> None:
    pattern = np.tile([0.0, 1.0, 5.0, 2.0], 30)
    for unit in (1e-290, 1e-9, 1e9, 1e290):
        assert found(unit * pattern) == 4


def test_the_longest_series_decide() -> None:
    pattern = np.tile([0.0, 1.0, 5.0, 2.0, 1.0, 0.0, -3.0], 60)
    short = [noise(100, seed) for seed in range(30)]
    assert find_season(panel_of(*short, pattern), BY_ROW, given=None).steps == 7


@pytest.mark.parametrize(
    ("panel", "most"),
    [
        (panel_of(noise(9_000, 0)), (1, 4_000)),
        (panel_of(*np.random.default_rng(0).normal(size=(1_000, 200))), (10, 200)),
    ],
    ids=["long", "many"],
)
def test_of_much_it_looks_at_little(
    panel: Panel, most: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[tuple[int, ...]] = []
    of_one_block = season_module._autocorrelation

    def counting(block: Floats) -> Floats:
        looked_at.append(block.shape)
        return of_one_block(block)

    monkeypatch.setattr(season_module, "_autocorrelation", counting)
    find_season(panel, BY_ROW, given=None)
    assert looked_at == [(most[0], most[1] - 1), most]  # of the differences, and of the values


def test_of_hourly_rows_each_candidate_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    of_one_lag = season_module._mean_change

    def counting(values: Floats, series: Any, rows: Any, steps: int) -> Floats:
        tried.append(steps)
        return of_one_lag(values, series, rows, steps)

    monkeypatch.setattr(season_module, "_mean_change", counting)
    find_season(
        panel_of(*np.random.default_rng(0).normal(size=(20, 400))), Frequency("time", HOUR), given=None
    )
    assert tried == [1, 24, 168]  # the scale, the day, the week


def decomposed_strength(values: Floats, season: int) -> float:
    """From the classical decomposition of statsmodels, whose means of steps are centred, too.

    Its remainder is that around means of k seasons each, which lowers its variance by (k - 1) / k.
    """
    parts = seasonal_decompose(values, model="additive", period=season)
    around = values - parts.trend
    known = ~np.isnan(around)
    left, count = parts.resid[known], float(known.sum()) / season
    return max(0.0, 1 - float(np.var(left)) * count / (count - 1) / float(np.var(around[known])))


@pytest.mark.parametrize("season", [4, 7, 12])
@pytest.mark.parametrize("size", [0.0, 0.5, 1.0, 4.0])
def test_the_strength_is_that_of_a_classical_decomposition(size: float, season: int) -> None:
    shape = noise(season, 40)
    values = 10 + size * shape[np.arange(240) % season] + 0.05 * np.arange(240) + noise(240, 41)
    found = season_strength(panel_of(values), season)
    assert found == pytest.approx(decomposed_strength(values, season), abs=1e-9)
    assert (found > 0.5) == (size == 4.0)


@pytest.mark.parametrize("season", [2, 7, 12, 24])
def test_what_only_repeats_has_the_whole_strength_on_any_slope(season: int) -> None:
    pattern = np.tile(noise(season, 1), 10)
    for values in (pattern, pattern + 3.0 * np.arange(10 * season), 1e300 * pattern, 1e-200 * pattern):
        assert season_strength(panel_of(values), season) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("season", [4, 7, 24])
@pytest.mark.parametrize("seasons", [3, 5, 40])
def test_noise_has_no_strength_however_few_its_seasons(seasons: int, season: int) -> None:
    """Without the correction, one k-th of what moves would seem to repeat where k seasons have a trend."""
    found = [season_strength(panel_of(noise(seasons * season, seed)), season) for seed in SEEDS]
    assert float(np.mean(found)) < 0.6 / (seasons - 1)


def test_without_three_seasons_or_without_a_season_there_is_no_strength() -> None:
    pattern = np.tile(noise(7, 1), 10)
    assert season_strength(panel_of(pattern[:20]), 7) == 0.0
    assert season_strength(panel_of(pattern[:21]), 7) == pytest.approx(1.0)
    assert season_strength(panel_of(pattern), 1) == 0.0
    assert season_strength(panel_of(np.full(70, 5.0)), 7) == 0.0
    assert season_strength(panel_of([]), 7) == 0.0
    assert season_strength(panel_of([NAN] * 70), 7) == 0.0
    assert season_strength(panel_of([1e300, -1e300] * 20), 4) == pytest.approx(1.0)


def test_the_strength_of_a_panel_is_the_mean_of_its_ten_longest_series() -> None:
    weekly, flat = np.tile(noise(7, 1), 20), noise(140, 9)
    alone = season_strength(panel_of(flat), 7)
    assert season_strength(panel_of(weekly, 1e6 * flat), 7) == pytest.approx((1 + alone) / 2)
    many = [noise(70, seed) for seed in range(20)]
    assert season_strength(panel_of(*many, *[weekly] * 10), 7) == pytest.approx(1.0)


def test_filled_cells_have_no_say_in_the_strength() -> None:
    values = np.tile(noise(7, 1), 20) + 0.2 * noise(140, 2)
    values[[20, 21, 90]] = NAN
    panel = panel_of(values)
    filled = replace(panel, values=np.nan_to_num(panel.values, nan=1e9))
    assert season_strength(filled, 7) == season_strength(panel, 7) > 0.8


def test_the_strength_of_the_airline_passengers() -> None:
    """Independent: the decomposition of statsmodels, here of rows whose swings grow."""
    assert season_strength(panel_of(airline()), 12) == pytest.approx(
        decomposed_strength(airline(), 12), abs=1e-9
    )
