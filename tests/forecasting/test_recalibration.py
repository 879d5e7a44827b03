"""Rolling margins against a plain loop that asks of every score whether it was known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.forecasting.calibration import Calibration, calibrate_conformal
from lstm_forecast.forecasting.recalibration import by_series, rolling_margins
from tests.data.panels import NAN

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Backtest:
    """Windows of a backtest: one every few rows of each series."""

    scores: Floats  # [W, K, 1]
    origins: Counts
    known_at: Counts
    series: Counts

    def margins(self, calibration: Calibration, level: float) -> Floats:
        return rolling_margins(
            calibration,
            level,
            self.scores,
            origins=self.origins,
            known_at=self.known_at,
            series=self.series,
            unit=np.ones(len(self.series)),
        )


def backtest(
    series_count: int, windows: int, *, steps: int, every: int, unknown: float, seed: int
) -> Backtest:
    draw = np.random.default_rng(seed)
    series = np.repeat(np.arange(series_count), windows)
    origins = np.tile(1000 + every * np.arange(windows), series_count)
    scores = draw.random((len(series), steps, 1)) * (1 + origins[:, None, None] - 1000)
    scores[draw.random(scores.shape) < unknown] = NAN
    return Backtest(scores, origins, origins[:, None] + 1 + np.arange(steps), series)


def calibrated(counts: list[int], *, steps: int, unknown: float, seed: int) -> Calibration:
    draw = np.random.default_rng(seed)
    series = np.repeat(np.arange(len(counts)), counts)
    actual = draw.random((len(series), steps)) * (1 + series[:, None])
    actual[draw.random(actual.shape) < unknown] = NAN
    return calibrate_conformal(
        actual,
        np.zeros_like(actual),
        np.ones(len(series)),
        series=series,
        scale="none",
        floor=np.ones(len(counts)),
    )


def covering(scores: list[float], level: float) -> float:
    wanted = math.ceil((len(scores) + 1) * Fraction(str(level)) / 100)
    return sorted(scores)[wanted - 1] if wanted <= len(scores) else NAN


def known_scores(
    calibration: Calibration, test: Backtest, *, window: int, step: int, series: list[int], keep: int
) -> list[float]:
    """The scores of the last ``keep`` times known at the cutoff of a window."""
    cutoff = test.origins[window]
    by_time: dict[int, list[float]] = {}
    for w, s in enumerate(test.series):
        score, when = test.scores[w, step, 0], int(test.known_at[w, step])
        if int(s) in series and when <= cutoff and not math.isnan(score):
            by_time.setdefault(when, []).append(float(score))
    for s in series:
        mine = [float(x) for x in calibration.scores[calibration.series == s, step, 0] if not math.isnan(x)]
        for age, score in enumerate(reversed(mine)):
            by_time.setdefault(-1 - age, []).append(score)
    slots = sorted(time for time in by_time if time >= 0)
    rank = {time: number for number, time in enumerate(slots)}
    first = len(slots) - keep
    return [x for time, scores in by_time.items() if rank.get(time, time) >= first for x in scores]


def by_loop(calibration: Calibration, test: Backtest, level: float, *, keep: int) -> list[list[float]]:
    everyone = sorted({*calibration.series.tolist(), *test.series.tolist()})
    rows = []
    for window, s in enumerate(test.series.tolist()):
        row = []
        for step in range(test.scores.shape[1]):
            mine = calibration.scores[calibration.series == s, step, 0]
            found = NAN
            if np.count_nonzero(~np.isnan(mine)) >= 100:
                own = known_scores(calibration, test, window=window, step=step, series=[s], keep=keep)
                found = covering(own, level)
            if math.isnan(found):
                pool = known_scores(calibration, test, window=window, step=step, series=everyone, keep=keep)
                found = covering(pool, level)
            row.append(found)
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("counts", "windows", "steps", "every", "unknown"),
    [
        ([150], 200, 5, 1, 0.0),  # one series of its own, the queue fills up
        ([300], 40, 5, 1, 0.2),
        ([60], 260, 5, 3, 0.1),  # origins apart: a score of step 5 is known two origins later
        ([120, 30, 0], 60, 5, 1, 0.1),  # one alone, two sharing
        ([105, 101], 30, 5, 2, 0.03),  # whether alone depends on the step
        ([60, 90], 290, 1, 1, 0.3),  # 250 times of two series have now more scores, now fewer
        ([0], 30, 5, 1, 0.0),  # nothing to begin with
    ],
)
def test_margins_are_those_of_a_plain_loop(
    counts: list[int], windows: int, steps: int, every: int, unknown: float
) -> None:
    calibration = calibrated(counts, steps=steps, unknown=unknown, seed=1)
    test = backtest(len(counts), windows, steps=steps, every=every, unknown=unknown, seed=2)
    for level in (80, 95):
        expected = by_loop(calibration, test, level, keep=250)
        np.testing.assert_allclose(test.margins(calibration, level), expected, rtol=1e-14)


def test_the_250_newest_by_hand() -> None:
    """Calibration scores 1 … 300, then 1000 at each origin: the 200th of the 250 newest."""
    actual = np.arange(1.0, 301.0)[:, None]
    zeros = np.zeros(300, dtype=np.int64)
    calibration = calibrate_conformal(
        actual, np.zeros((300, 1)), np.ones(300), series=zeros, scale="none", floor=np.ones(1)
    )
    origins = np.arange(60)
    test = Backtest(np.full((60, 1, 1), 1000.0), origins, origins[:, None] + 1, np.zeros(60, np.int64))
    found = test.margins(calibration, 80)[:, 0]
    # ⌈251 · 0.8⌉ = 201; at the first cutoff of 51 … 300: 251; with n of the backtest known: 251 + n
    np.testing.assert_allclose(found[:50], 251 + np.arange(50), rtol=1e-14)
    np.testing.assert_allclose(found[50:], 1000, rtol=1e-14)


def test_a_level_that_250_scores_do_not_allow_takes_more() -> None:
    calibration = calibrated([1200], steps=1, unknown=0, seed=3)
    test = backtest(1, 20, steps=1, every=1, unknown=0, seed=4)
    expected = by_loop(calibration, test, 99.9, keep=999)
    np.testing.assert_allclose(test.margins(calibration, 99.9), expected, rtol=1e-14)
    assert not np.isnan(expected).any()


def test_scores_not_yet_known_change_no_bit() -> None:
    calibration = calibrated([120, 40], steps=4, unknown=0, seed=5)
    test = backtest(2, 50, steps=4, every=1, unknown=0, seed=6)
    before = test.margins(calibration, 80)
    for cutoff in (1000, 1010, 1049):
        scores = np.where(test.known_at[:, :, None] > cutoff, test.scores * 1e6, test.scores)
        after = Backtest(scores, test.origins, test.known_at, test.series).margins(calibration, 80)
        early = test.origins <= cutoff
        assert after[early].tolist() == before[early].tolist()
        if cutoff == 1010:
            assert after[~early].tolist() != before[~early].tolist()


def test_the_order_of_windows_does_not_matter() -> None:
    calibration = calibrated([120, 40], steps=2, unknown=0, seed=5)
    test = backtest(2, 50, steps=2, every=1, unknown=0.1, seed=6)
    mix = np.random.default_rng(0).permutation(100)
    mixed = Backtest(test.scores[mix], test.origins[mix], test.known_at[mix], test.series[mix])
    np.testing.assert_array_equal(mixed.margins(calibration, 80), test.margins(calibration, 80)[mix])


def test_margins_are_in_the_unit_of_the_window() -> None:
    calibration = calibrated([120], steps=1, unknown=0, seed=5)
    test = backtest(1, 3, steps=1, every=1, unknown=0, seed=6)
    unit = np.array([1.0, 10.0, 0.5])
    found = rolling_margins(
        calibration,
        80,
        test.scores,
        origins=test.origins,
        known_at=test.known_at,
        series=test.series,
        unit=unit,
    )
    np.testing.assert_allclose(found, test.margins(calibration, 80) * unit[:, None], rtol=1e-14)


def test_steps_beyond_the_calibration_have_no_margin() -> None:
    calibration = calibrated([120], steps=2, unknown=0, seed=5)
    found = backtest(1, 30, steps=3, every=1, unknown=0, seed=6).margins(calibration, 80)
    assert not np.isnan(found[:, :2]).any()
    assert np.isnan(found[:, 2]).all()


def test_a_level_without_its_quantiles_has_no_margin() -> None:
    calibration = calibrated([120], steps=1, unknown=0, seed=5)
    paired = Calibration("quantile", "none", calibration.scores, calibration.series, np.ones(1), (80.0,), {})
    test = backtest(1, 30, steps=1, every=1, unknown=0, seed=6)
    assert np.isnan(test.margins(paired, 95)).all()
    assert not np.isnan(test.margins(paired, 80)).any()


def test_the_time_of_a_target_that_never_came_does_not_matter() -> None:
    calibration = calibrated([120], steps=2, unknown=0, seed=5)
    test = backtest(1, 20, steps=2, every=1, unknown=0.3, seed=6)
    times = np.where(np.isnan(test.scores[:, :, 0]), -1, test.known_at)
    found = Backtest(test.scores, test.origins, times, test.series).margins(calibration, 80)
    np.testing.assert_array_equal(found, test.margins(calibration, 80))


def test_a_target_at_its_own_cutoff_is_refused() -> None:
    calibration = calibrated([120], steps=1, unknown=0, seed=5)
    test = backtest(1, 3, steps=1, every=1, unknown=0, seed=6)
    with pytest.raises(ValueError, match="expected later times"):
        Backtest(test.scores, test.origins, test.known_at - 1, test.series).margins(calibration, 80)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), jump=st.floats(2, 20))
def test_after_a_jump_of_the_errors_coverage_comes_back(seed: int, jump: float) -> None:
    """Errors grow at the start of the backtest; from 250 rows on the margins know nothing else."""
    draw = np.random.default_rng(seed)
    old = draw.exponential(size=(300, 1))
    calibration = calibrate_conformal(
        old, np.zeros((300, 1)), np.ones(300), series=np.zeros(300, np.int64), scale="none", floor=np.ones(1)
    )
    scores = jump * draw.exponential(size=(1250, 1, 1))
    origins = np.arange(1250)
    test = Backtest(scores, origins, origins[:, None] + 1, np.zeros(1250, np.int64))
    inside = scores[:, 0, 0] <= test.margins(calibration, 80)[:, 0]
    assert abs(inside[250:].mean() - 0.8) < 0.04


def test_windows_by_series_keep_their_order() -> None:
    found = by_series(np.array([2, 0, 2, 0, 0]), 4)
    assert [places.tolist() for places in found] == [[1, 3, 4], [], [0, 2], []]
