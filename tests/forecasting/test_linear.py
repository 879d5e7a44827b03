"""Linear forecasts of training rows, beside scikit-learn and a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.transform import Transform
from lstm_forecast.forecasting.linear import (
    JUDGED_SHARE,
    MOST_FITTED,
    MOST_JUDGED,
    PENALTIES,
    Base,
    Trial,
    linear_trials,
    ridge_weights,
)
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
BOTH: tuple[Base, Base] = ("last", "seasonal")


def noise(rows: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=rows)


def sevens(rows: int, seed: int = 0) -> Floats:
    """A week on a slow walk, well above 0."""
    week = np.array([0.0, 3.0, 5.0, 4.0, 8.0, -6.0, -9.0])
    return 100 + week[np.arange(rows) % 7] + 0.3 * noise(rows, seed).cumsum() + noise(rows, seed + 1)


def tried(
    panel: Panel,
    lookback: int,
    horizon: int,
    *anchors: Base,
    transform: Transform = "none",
    season: int = 7,
) -> list[Trial]:
    """The trials of this lookback and horizon."""
    return linear_trials(
        panel, lookback=lookback, horizon=horizon, season=season, anchors=anchors, transform=transform
    )


def by_hand(
    series: Sequence[Floats],
    *,
    lookback: int,
    horizon: int,
    anchor: Base,
    transform: Transform = "none",
    season: int = 7,
    unknown: frozenset[tuple[int, int]] = frozenset(),
) -> tuple[float, float]:
    """The best error and that of the anchor alone, row by row, with scikit-learn's ridge regression.

    Args:
        series: one array per series, in original units.
        lookback: L.
        horizon: H.
        anchor: what the forecast counts from.
        transform: none or log.
        season: m.
        unknown: (series, row) of the cells that were filled.
    """
    change, back = (np.log, np.exp) if transform == "log" else (np.array, np.array)
    seen: dict[str, list[Floats]] = {"fit": [], "judge": []}
    after: dict[str, list[Floats]] = {"fit": [], "judge": []}
    bases, actual, units, scales = [], [], [], []
    for s, values in enumerate(series):
        rows, levels = len(values), change(values)
        border = max(rows - int(max(rows * JUDGED_SHARE, horizon)), 0)
        unit = np.std(levels[:border])
        lag = season if rows > season else 1
        scale = np.mean([abs(values[n] - values[n - lag]) for n in range(lag, rows)])
        for row in range(lookback, rows - horizon + 1):  # the first row of the targets
            part = "fit" if row + horizon <= border else "judge" if row >= border else "between"
            if part == "between" or any((s, row + h) in unknown for h in range(horizon)):
                continue
            inside = np.array([levels[row - back_] for back_ in range(lookback, 0, -1)]) / unit
            base = []
            for h in range(1, horizon + 1):
                at = row - 1
                if anchor == "seasonal":
                    at = row - 1 + h
                    while at >= row:
                        at -= season
                base.append(levels[at] / unit)
            seen[part].append((inside - inside[-1])[:-1])
            after[part].append(levels[row : row + horizon] / unit - np.array(base))
            if part == "judge":
                bases.append(np.array(base))
                actual.append(values[row : row + horizon])
                units.append(unit)
                scales.append(scale)
    x, y = np.array(seen["fit"]), np.array(after["fit"])
    power = sum(float(row @ row) for row in x) / len(x)
    errors = []
    for penalty in (*PENALTIES, None):
        moves = np.zeros_like(np.array(bases))
        if penalty is not None:
            ridge = Ridge(alpha=penalty * power, fit_intercept=False, solver="cholesky").fit(x, y)
            moves = ridge.predict(np.array(seen["judge"])).reshape(len(bases), horizon)
        told = [
            np.mean(np.abs(back((base + move) * unit) - true)) / scale
            for base, move, unit, true, scale in zip(bases, moves, units, actual, scales, strict=True)
        ]
        errors.append(float(np.mean(told)))
    return min(errors[:-1]), errors[-1]


def test_the_weights_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(80, 12)), draw.normal(size=(80, 3))
    power = (x**2).sum() / len(x)
    found = list(ridge_weights(x, y))
    assert len(found) == len(PENALTIES) == 3
    for penalty, weights in zip(PENALTIES, found, strict=True):
        ridge = Ridge(alpha=penalty * power, fit_intercept=False, solver="svd").fit(x, y)
        np.testing.assert_allclose(weights, ridge.coef_.T, rtol=1e-9, atol=1e-12)


def test_inputs_that_never_move_explain_nothing() -> None:
    for weights in ridge_weights(np.zeros((5, 3)), np.ones((5, 2))):
        assert (weights == 0).all()
    for weights in ridge_weights(np.zeros((5, 0)), np.ones((5, 2))):  # a lookback of one row
        assert weights.shape == (0, 2)


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("anchor", BOTH)
@pytest.mark.parametrize(("lookback", "horizon"), [(14, 7), (7, 1), (21, 10)])
def test_a_trial_of_one_series_is_that_of_the_loop(
    lookback: int, horizon: int, anchor: Base, transform: Transform
) -> None:
    values = sevens(150)
    (trial,) = tried(panel_of(values), lookback, horizon, anchor, transform=transform)
    expected = by_hand([values], lookback=lookback, horizon=horizon, anchor=anchor, transform=transform)
    assert (trial.lookback, trial.anchor, trial.transform) == (lookback, anchor, transform)
    assert (trial.error, trial.untouched) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("anchor", BOTH)
def test_a_trial_of_a_panel_pools_windows_and_measures_each_series_by_its_own_scale(anchor: Base) -> None:
    """Two series, of other lengths and levels, and a third too short for any window."""
    series = [sevens(150), 1e6 * sevens(90, seed=5), sevens(12, seed=8)]
    (trial,) = tried(panel_of(*series), 14, 3, anchor)
    expected = by_hand(series, lookback=14, horizon=3, anchor=anchor)
    assert (trial.error, trial.untouched) == pytest.approx(expected, rel=1e-9)


def test_anchors_tried_together_are_those_tried_alone() -> None:
    panel = panel_of(sevens(200))
    alone = [tried(panel, 14, 7, anchor)[0] for anchor in BOTH]
    for one, other in zip(tried(panel, 14, 7, *BOTH), alone, strict=True):
        assert one.anchor == other.anchor
        assert one.error == pytest.approx(other.error, rel=1e-12)


def test_a_filled_cell_is_an_input_and_never_a_target() -> None:
    values, filled = sevens(150), [60, 61, 130]
    panel = panel_of(values)
    observed = panel.observed.copy()
    observed[filled] = False
    (trial,) = tried(replace(panel, observed=observed), 14, 3, "last")
    unknown = frozenset((0, row) for row in filled)
    expected = by_hand([values], lookback=14, horizon=3, anchor="last", unknown=unknown)
    assert (trial.error, trial.untouched) == pytest.approx(expected, rel=1e-9)
    assert tried(panel, 14, 3, "last")[0].error != trial.error


def test_an_untouched_seasonal_anchor_is_the_seasonal_naive_forecast() -> None:
    """Its error at one step ahead, on the last fifth: the mean move over a season, over the MASE scale."""
    values = sevens(200)
    last, seasonal = tried(panel_of(values), 14, 1, *BOTH)
    moves = np.abs(values[7:] - values[:-7])
    assert seasonal.untouched == pytest.approx(moves[-40:].mean() / moves.mean())
    assert last.untouched == pytest.approx(np.abs(np.diff(values))[-40:].mean() / moves.mean())


def test_a_pure_season_is_forecast_without_error_from_its_anchor() -> None:
    (trial,) = tried(panel_of(np.tile([1.0, 5.0, 2.0, 9.0], 30)), 8, 6, "seasonal", season=4)
    assert trial.error == pytest.approx(0.0, abs=1e-9)
    assert trial.untouched == 0.0


@pytest.mark.parametrize("lag", [14, 21])
def test_the_best_lookback_reaches_back_to_what_returns(lag: int) -> None:
    """What happens returns after ``lag`` rows and nothing else does: shorter lookbacks know nothing of it."""
    values = noise(lag)
    for _ in range(40):
        values = np.concatenate([values, values[-lag:] + 0.3 * noise(lag, len(values))])
    panel = panel_of(values)
    errors = {lookback: tried(panel, lookback, 1, "last")[0].error for lookback in (7, 14, 21, 28)}
    assert min(errors, key=errors.__getitem__) >= lag
    short = min(error for lookback, error in errors.items() if lookback < lag)
    assert errors[lag] < 0.7 * short


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 16])
def test_too_few_rows_give_no_trial(rows: int) -> None:
    assert tried(panel_of(sevens(rows)), 14, 2, *BOTH) == []


def test_a_horizon_longer_than_the_last_fifth_is_judged_on_one_horizon() -> None:
    values = sevens(60)
    (trial,) = tried(panel_of(values), 14, 20, "last")
    expected = by_hand([values], lookback=14, horizon=20, anchor="last")
    assert (trial.error, trial.untouched) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e12])
def test_a_constant_series_is_forecast_without_error(value: float) -> None:
    trials = tried(panel_of(np.full(80, value)), 14, 3, *BOTH)
    assert [(trial.error, trial.untouched) for trial in trials] == [(0.0, 0.0)] * 2


def test_of_many_windows_evenly_spread_ones_are_taken() -> None:
    """The error of the 3,000 and 1,000 windows that are taken stays close to that of all of them."""
    values = sevens(6_000)
    assert 6_000 * JUDGED_SHARE > MOST_JUDGED
    assert 6_000 * (1 - JUDGED_SHARE) > MOST_FITTED
    (trial,) = tried(panel_of(values), 14, 2, "seasonal")
    expected = by_hand([values], lookback=14, horizon=2, anchor="seasonal")
    assert (trial.error, trial.untouched) == pytest.approx(expected, rel=0.03)
    assert trial.error != expected[0]


def test_only_the_target_is_looked_at() -> None:
    wide = random_walks(200, columns=3)
    assert tried(wide, 14, 2, *BOTH) == tried(panel_of(wide.values[:, 0]), 14, 2, *BOTH)
