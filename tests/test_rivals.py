"""Which simple baseline the network has to beat, where validation holds many horizons and where one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast.config import Config
from lstm_forecast.data.panel import Panel
from lstm_forecast.evaluation.held_out import HeldOut, actual_values, cutoffs
from lstm_forecast.rivals import ENOUGH, best_simple
from tests.data.panels import panel_of
from tests.training.jobs import job

Floats = NDArray[np.float64]
H, SEASON, ROWS = 4, 4, 80
NAMES = ("naive", "seasonal_naive", "drift", "mean")
_noise = np.random.default_rng(3).normal(size=ROWS)
YEARS: Floats = 50 + np.tile([0.0, 10, 30, 5], ROWS // 4) + 0.1 * _noise
CALM = YEARS[: ROWS - H].mean() + np.resize([0.1, -0.1, -0.1], ROWS)  # no season: the mean is best
FLAT = np.where(np.arange(ROWS) < ROWS - H, YEARS, YEARS[: ROWS - H].mean())  # in the last horizon a crisis


def settled(tmp_path: Path) -> Config:
    return job(tmp_path / "a.csv", {"window.horizon": str(H), "data.season": str(SEASON)}).config


def held(panel: Panel, end: NDArray[np.int64], count: int) -> HeldOut:
    """The validation windows of ``count`` rows, and what came; what was forecast is not looked at."""
    rows, series = cutoffs(panel, end - count, end, least=1)
    actual = actual_values(panel, rows, series, end=end, steps=H)
    return HeldOut(rows, series, rows, actual[:, 0], actual, actual * np.nan, None, (), {})


def slow(values: Floats, end: int, first: int) -> str:
    """The best for all horizons whose targets lie in these rows, by a loop."""
    errors: dict[str, list[Floats]] = {name: [] for name in NAMES}
    for known in range(max(first, 1), end - H + 1):
        past, then, last = values[:known], values[known : known + H], values[known - 1]
        slope = (last - past[0]) / max(known - 1, 1)
        season = past[-SEASON:] if known >= SEASON else np.full(SEASON, last)
        made = (np.full(H, last), season, last + slope * np.arange(1, H + 1), np.full(H, past.mean()))
        for name, forecast in zip(NAMES, made, strict=True):
            errors[name].append(np.abs(forecast - then))
    return min(NAMES, key=lambda name: np.mean(errors[name]))


def test_one_horizon_does_not_choose_alone(tmp_path: Path) -> None:
    panel, end = panel_of(FLAT), np.array([ROWS])
    assert slow(FLAT, ROWS, ROWS - H) == "mean"
    assert slow(FLAT, ROWS, ROWS - ENOUGH * H) == "seasonal_naive"
    assert best_simple(settled(tmp_path), panel, held(panel, end, H), end=end) == "seasonal_naive"


@pytest.mark.parametrize("count", [4, 8, 12])
def test_rows_before_validation_count_where_it_holds_few_horizons(count: int, tmp_path: Path) -> None:
    values = np.where(np.arange(ROWS) < ROWS - 12, YEARS, CALM)
    panel, end = panel_of(values), np.array([ROWS])
    assert slow(values, ROWS, ROWS - count) == "mean"
    assert slow(values, ROWS, ROWS - ENOUGH * H) == "seasonal_naive"
    assert best_simple(settled(tmp_path), panel, held(panel, end, count), end=end) == "seasonal_naive"


@pytest.mark.parametrize(
    ("baselines", "wanted"),
    [("[naive, seasonal_naive, drift, mean]", "seasonal_naive"), ("[naive, drift]", "drift")],
)
def test_what_was_best_gives_way_where_validation_prefers_the_season(
    baselines: str, wanted: str, tmp_path: Path
) -> None:
    """Steady growth, and a last year like the one before."""
    values = np.arange(ROWS) + 0.01 * _noise
    values[-H:] = values[-2 * H : -H]
    panel, end = panel_of(values), np.array([ROWS])
    assert slow(values, ROWS, ROWS - ENOUGH * H) == "drift"
    assert slow(values, ROWS, ROWS - H) == "seasonal_naive"
    changes = {"window.horizon": str(H), "data.season": str(SEASON), "evaluation.baselines": baselines}
    config = job(tmp_path / "a.csv", changes).config
    assert best_simple(config, panel, held(panel, end, H), end=end) == wanted


def test_many_windows_choose_alone(tmp_path: Path) -> None:
    wild = CALM.mean() + np.tile([-500.0, 0, 700, -200], ROWS // 4)
    values = np.where(np.arange(ROWS) < ROWS - 44, wild, CALM)
    panel, end = panel_of(values), np.array([ROWS])
    assert slow(values, ROWS, 1) == "seasonal_naive"
    assert slow(values, ROWS, ROWS - ENOUGH * H) == "mean"
    assert best_simple(settled(tmp_path), panel, held(panel, end, ENOUGH * H), end=end) == "mean"


def test_ten_series_of_one_horizon_are_as_good_as_ten_horizons(tmp_path: Path) -> None:
    for count, wanted in ((ENOUGH, "mean"), (ENOUGH - 1, "seasonal_naive")):
        panel = panel_of(*[FLAT] * count)
        end = panel.offsets[1:]
        assert best_simple(settled(tmp_path), panel, held(panel, end, H), end=end) == wanted


def test_nothing_after_validation_chooses(tmp_path: Path) -> None:
    found = []
    for factor in (1, 1e6):
        values = np.where(np.arange(ROWS) < ROWS - 12, FLAT, FLAT * factor)
        panel, end = panel_of(values), np.array([ROWS - 12])
        found.append(best_simple(settled(tmp_path), panel, held(panel, end, H), end=end))
    assert found == ["seasonal_naive"] * 2


def test_rows_too_few_for_ten_horizons_all_count(tmp_path: Path) -> None:
    values = FLAT[-16:]
    panel, end = panel_of(values), np.array([16])
    assert best_simple(settled(tmp_path), panel, held(panel, end, H), end=end) == slow(values, 16, 0)
