"""Forecasts and scores of all series at once against one series after the other, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.forecasting.baselines import baseline_forecasts, naive2
from lstm_forecast.forecasting.calibration import OWN_SCORES, Calibration, rank, smallest_covering
from tests.data.test_flat import panel_like

Floats = NDArray[np.float64]
LENGTHS = st.lists(st.sampled_from([0, 1, 2, 5, 9, 40, 40, 100, 301]), min_size=1, max_size=6).filter(any)
SEEDS = st.integers(0, 2**32 - 1)


def seasonal_indices(values: Floats, season: int) -> Floats:
    """Of one series: the M4 competition's test, and the classical decomposition; 1 where it fails."""
    if season == 1 or len(values) < 3 * season or values.min() <= 0 or np.ptp(values) == 0:
        return np.ones(season)
    centred = (values - values[0]) / np.ptp(values)
    centred = centred - centred.mean()
    products = [np.sum(centred[: len(values) - lag] * centred[lag:]) for lag in range(season + 1)]
    correlation = np.array(products[1:]) / products[0]
    if abs(correlation[-1]) <= 1.645 * np.sqrt((1 + 2 * np.sum(correlation[:-1] ** 2)) / len(values)):
        return np.ones(season)
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    spans = np.lib.stride_tricks.sliding_window_view(values, len(weights))
    half = season // 2
    ratio = values[half : len(values) - half] / (spans * (weights / season)).sum(axis=1)
    phase = (half + np.arange(len(ratio))) % season
    return np.asarray(np.bincount(phase, weights=ratio) / np.bincount(phase))


def cutoffs_of(panel: Panel) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The last third of each series: rows, series, and where the training rows end."""
    train_end = panel.offsets[:-1] + panel.lengths * 2 // 3
    first = np.maximum(train_end - 1, panel.offsets[:-1])
    rows = [np.arange(begin, end) for begin, end in zip(first, panel.offsets[1:], strict=True)]
    return np.concatenate(rows), np.repeat(np.arange(len(panel)), list(map(len, rows))), train_end


@settings(deadline=None, max_examples=40)
@given(LENGTHS, SEEDS, st.sampled_from([1, 2, 3, 7, 12]), st.booleans())
def test_baselines_are_those_of_each_series_alone(
    lengths: list[int], seed: int, season: int, waves: bool
) -> None:
    panel = panel_like(lengths, seed, holes=0.1)
    if waves:
        panel.values[:, 0] += panel.values.max() * (2 + np.sin(np.arange(sum(lengths)) * 2 * np.pi / season))
    rows, series, train_end = cutoffs_of(panel)
    found = naive2(panel, rows, series, horizon=5, season=season, train_end=train_end)
    mean = baseline_forecasts(["mean"], panel, rows, series, horizon=1, season=season)["mean"][:, 0]
    for s in range(len(panel)):
        mine, values = series == s, panel.values[panel.rows(s), 0]
        if not mine.any():
            continue
        within = rows[mine] - panel.offsets[s]
        indices = seasonal_indices(values[: train_end[s] - panel.offsets[s]], season)
        ahead = (within[:, None] + np.arange(1, 6)) % season
        wanted = values[within, None] * (indices[ahead] / indices[within % season][:, None])
        np.testing.assert_array_equal(found[mine], wanted)
        observed = panel.observed[panel.rows(s), 0]
        sums = np.cumsum(np.where(observed, values - values[0], 0.0))[within]
        counts = np.cumsum(observed)[within]
        wanted = np.where(counts > 0, values[0] + sums / np.maximum(counts, 1), values[within])
        np.testing.assert_array_equal(mean[mine], wanted)


def covering(scores: Floats, level: float) -> Floats:
    """The smallest covering score by column, from all of them in order."""
    found = []
    for column in scores.T:
        known = np.sort(column[~np.isnan(column)])
        place = int(rank(np.array([len(known)]), level)[0])
        found.append(known[place - 1] if place <= len(known) else np.nan)
    return np.array(found)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from([0, 3, 99, 100, 100, 150]), min_size=1, max_size=6).filter(any),
    SEEDS,
    st.sampled_from([50.0, 80.0, 95.0, 99.5]),
)
def test_margins_are_those_of_each_series_own_scores(counts: list[int], seed: int, level: float) -> None:
    draw = np.random.default_rng(seed)
    series = draw.permutation(np.repeat(np.arange(len(counts)), counts))
    scores = np.round(draw.exponential(size=(len(series), 3, 1)), 1)
    scores[draw.random(scores.shape) < 0.02] = np.nan
    calibration = Calibration("conformal", "none", scores, series, np.ones(len(counts)), (), {})
    table = calibration.covering(level, np.arange(len(counts)))
    behind = calibration.windows_behind(np.arange(len(counts)))
    pooled, known = covering(scores[:, :, 0], level), ~np.isnan(scores[:, :, 0])
    np.testing.assert_array_equal(smallest_covering(scores[:, :, 0], level), pooled)
    np.testing.assert_array_equal(smallest_covering(scores, level)[:, 0], pooled)
    for s in range(len(counts)):
        own, mine = covering(scores[series == s, :, 0], level), known[series == s].sum(axis=0)
        alone = (mine >= OWN_SCORES) & ~np.isnan(own)
        np.testing.assert_array_equal(table[s], np.where(alone, own, pooled))
        np.testing.assert_array_equal(behind[s], np.where(mine >= OWN_SCORES, mine, calibration.windows()))


def test_only_the_series_that_are_asked_for_have_scores_of_their_own() -> None:
    draw = np.random.default_rng(0)
    scores = draw.exponential(size=(300, 2, 1))
    calibration = Calibration("conformal", "none", scores, np.repeat(np.arange(3), 100), np.ones(3), (), {})
    table = calibration.covering(80, np.array([2, 2]))
    assert table[0].tolist() == table[1].tolist() == covering(scores[:, :, 0], 80).tolist()
    assert table[2].tolist() == covering(scores[200:, :, 0], 80).tolist()
    same = replace(calibration, series=np.zeros(300, dtype=np.int64))
    assert same.covering(80, np.array([0]))[0].tolist() == table[0].tolist()
