"""From the network's answers to original units: exact where it must be, recursion against a plain loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Normalize, Scaling, fit_scaling, network_inputs
from lstm_forecast.data.transform import Transform
from lstm_forecast.errors import UsageError
from lstm_forecast.evaluation.measures import Truth
from lstm_forecast.evaluation.verdict import judge
from lstm_forecast.forecasting import forecast as forecasting
from lstm_forecast.forecasting.baselines import naive
from lstm_forecast.forecasting.forecast import Forecaster, lowest_values
from lstm_forecast.model.reglstm import RegLSTM
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
L, H = 6, 3
LEVELS = (0.1, 0.5, 0.9)


def network(
    *, zero_head: bool = False, features: int = 1, quantiles: int = 0, horizon: int = H, seed: int = 8
) -> RegLSTM:
    torch.manual_seed(seed)
    return RegLSTM(
        features, 5, 2, output_size=horizon, num_quantiles=quantiles, dropout=0.5, zero_head=zero_head
    ).eval()


def scaled(panel: Panel, normalize: Normalize, transform: Transform = "none") -> Scaling:
    return fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize=normalize,
        transform=transform,
        season=1,
    )


def forecaster(
    model: RegLSTM | Sequence[RegLSTM],
    panel: Panel,
    *,
    anchored: bool,
    minimum: float | str | None = None,
    transform: Transform = "none",
) -> Forecaster:
    """The network or networks with the units of this panel."""
    networks = (model,) if isinstance(model, RegLSTM) else tuple(model)
    scaling = scaled(panel, "diff" if anchored else "none", transform)
    levels = LEVELS if networks[0].num_quantiles else ()
    return Forecaster(
        networks, scaling, L, "last" if anchored else "none", 1, lowest_values(minimum, scaling), levels
    )


def every_row(panel: Panel) -> tuple[Rows, Rows]:
    """Every row that a forecast can be made at, and its series."""
    counts = panel.lengths - L + 1
    rows = [np.arange(count) + first + L - 1 for first, count in zip(panel.offsets, counts, strict=False)]
    return np.concatenate(rows), np.repeat(np.arange(len(panel)), counts)


def all_windows(
    model: RegLSTM, panel: Panel, *, anchored: bool, minimum: float | str | None = None
) -> Floats:
    """The forecasts of every window of the panel whose targets are known: [W, H]."""
    rows, series = every_row(panel)
    whole = rows + H < panel.offsets[1:][series]
    made = forecaster(model, panel, anchored=anchored, minimum=minimum)
    return made.at(panel, rows[whole], series[whole], horizon=H).point


def future(
    model: RegLSTM, panel: Panel, *, horizon: int, anchored: bool, minimum: float | str | None = None
) -> Floats:
    """The forecasts after the last row of every series: [S, horizon]."""
    made = forecaster(model, panel, anchored=anchored, minimum=minimum)
    rows = np.stack([panel.values[end - L : end] for end in panel.offsets[1:]])
    return made.after(rows, np.arange(len(panel)), horizon=horizon).point


AWKWARD = [
    np.full(20, 0.1 + 0.2) + np.arange(20) * 0.1,
    1e9 + 0.01 * np.arange(20) ** 2,
    1e-30 * np.arange(20, 0, -1) / 3,
    np.random.default_rng(0).normal(size=20).cumsum() * 1e30 / 7,
    np.array([-0.0, 1 / 3] * 10),
]


@pytest.mark.parametrize("number", range(len(AWKWARD)))
def test_an_untouched_anchored_model_is_the_naive_forecast_bit_for_bit(number: int) -> None:
    panel = panel_of(AWKWARD[number], AWKWARD[number][::-1])
    forecast = all_windows(network(zero_head=True), panel, anchored=True)
    rows = [start + L - 1 for first in (0, 20) for start in range(first, first + 20 - L - H + 1)]
    last = panel.values[rows, 0]
    assert np.array_equal(forecast, np.repeat(last[:, None], H, axis=1))
    ahead = future(network(zero_head=True), panel, horizon=3 * H, anchored=True)
    assert np.array_equal(ahead, np.repeat(panel.values[[19, 39], :1], 3 * H, axis=1))


def test_an_untouched_anchored_model_ties_with_naive_and_the_sentence_says_why() -> None:
    panel = random_walks(60)
    forecast = all_windows(network(zero_head=True), panel, anchored=True)
    count = len(forecast)
    ends = np.arange(count) + L - 1
    actual = panel.values[ends[:, None] + 1 + np.arange(H), 0]
    last, series = panel.values[ends, 0], np.zeros(count, dtype=np.int64)
    truth = Truth(actual, last, series, panel.times[ends], np.ones(1), np.ones(1))
    verdict = judge(truth, {"model": forecast, "naive": naive(last, H)}, baseline="naive")
    assert (verdict.word, verdict.p_value, verdict.skill) == ("ties", None, 0.0)
    assert verdict.sentence == "No better than naive: the model forecasts exactly the last value."


def test_the_naive_forecast_repeats_the_last_value() -> None:
    assert naive(np.array([1.5, -2.0]), 3).tolist() == [[1.5, 1.5, 1.5], [-2.0, -2.0, -2.0]]


@pytest.mark.parametrize("anchored", [False, True])
def test_answers_become_original_units_by_offset_or_anchor_and_unit(*, anchored: bool) -> None:
    panel = panel_of([2.0, 6.0, 4.0], [100.0, 130.0, 100.0])
    scaling = scaled(panel, "none")  # units 4 and 30
    answers = np.array([[0.5, -1.0], [0.1, 2.0]])
    last = np.array([7.0, 50.0])
    made = Forecaster((network(),), scaling, 1, "last" if anchored else "none", 1, np.full(2, -np.inf))
    got = made._original(answers, last[:, None, None], np.array([1, 0]))
    expected = [[22.0, -23.0], [50.4, 58.0]] if anchored else [[115.0, 70.0], [2.4, 10.0]]
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def plain_recursion(
    model: RegLSTM, values: Floats, scaling: Scaling, horizon: int, *, anchored: bool
) -> list[float]:
    """One series, block after block, in plain Python floats."""
    rows = [float(value) for value in values]
    unit = float(scaling.step_unit[0, 0] if anchored else scaling.unit[0, 0])
    made: list[float] = []
    while len(made) < horizon:
        window = rows[-L:]
        if anchored:
            seen = [0.0] + [(b - a) / unit for a, b in pairwise(window)]
        else:
            seen = [(value - float(scaling.offset[0, 0])) / unit for value in window]
        with torch.no_grad():
            answer = model(torch.tensor(seen, dtype=torch.float32)[None, :, None])[0, -1].tolist()
        base = window[-1] if anchored else float(scaling.offset[0, 0])
        block = [base + step * unit for step in answer]
        made += block
        rows += block
    return made[:horizon]


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 6, 7, 20])
def test_forecasts_beyond_the_trained_horizon_are_fed_back_in_blocks(horizon: int, *, anchored: bool) -> None:
    panel, model = random_walks(40), network()
    got = future(model, panel, horizon=horizon, anchored=anchored)
    scaling = scaled(panel, "diff" if anchored else "none")
    expected = plain_recursion(model, panel.values[:, 0], scaling, horizon, anchored=anchored)
    assert got.shape == (1, horizon)
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)


@pytest.mark.parametrize("anchored", [False, True])
def test_up_to_the_trained_horizon_the_future_is_a_window_like_any_other(*, anchored: bool) -> None:
    whole, model = random_walks(40), network()
    windows = all_windows(model, whole, anchored=anchored)
    rows = whole.values[None, 40 - L - H : 40 - H]
    got = forecaster(model, whole, anchored=anchored).after(rows, np.array([0]), horizon=H)
    np.testing.assert_allclose(got.point[0], windows[-1], rtol=1e-6)


@pytest.mark.parametrize("anchored", [False, True])
def test_a_batch_of_series_is_forecast_as_each_alone(*, anchored: bool) -> None:
    panel, model = random_walks(30, 12, 55), network()
    made = forecaster(model, panel, anchored=anchored)
    together = future(model, panel, horizon=8, anchored=anchored)
    for s, end in enumerate(panel.offsets[1:]):
        alone = made.after(panel.values[None, end - L : end], np.array([s]), horizon=8).point
        np.testing.assert_allclose(together[s], alone[0], rtol=1e-6)


def test_no_forecast_falls_below_the_minimum_and_what_is_fed_back_is_the_clamped_value() -> None:
    panel, model = panel_of(np.r_[np.linspace(60.0, 0.0, 40), 0.0]), network(zero_head=True)
    with torch.no_grad():
        model.head.get_parameter("0.bias").fill_(-1.0)  # every answer is one unit down
    free = future(model, panel, horizon=2 * H, anchored=True)
    clamped = future(model, panel, horizon=2 * H, anchored=True, minimum="auto")
    unit = float(scaled(panel, "diff").step_unit[0, 0])
    np.testing.assert_allclose(free[0], [-unit] * H + [-2 * unit] * H, rtol=1e-12)
    assert clamped.tolist() == [[0.0] * (2 * H)]
    windows = all_windows(model, panel, anchored=True, minimum=10.0)
    assert windows.min() == 10.0
    assert windows.max() > 10.0


def test_the_automatic_minimum_is_zero_where_no_training_value_is_negative() -> None:
    scaling = scaled(panel_of([1.0, 0.0, 2.0], [1.0, -1.0, 2.0]), "diff")
    assert lowest_values("auto", scaling).tolist() == [0.0, -np.inf]
    assert lowest_values(None, scaling).tolist() == [-np.inf, -np.inf]
    assert lowest_values(-3, scaling).tolist() == [-3.0, -3.0]


def test_past_covariates_end_at_the_trained_horizon() -> None:
    panel, model = random_walks(30, columns=2), network(features=2)
    assert future(model, panel, horizon=H, anchored=True).shape == (1, H)
    with pytest.raises(UsageError) as caught:
        future(model, panel, horizon=H + 1, anchored=True)
    assert str(caught.value) == (
        "error[predict.horizon]: --horizon: 4 steps asked, 3 trained, and the run uses past covariates\n"
        "  past covariates are not known beyond the last row, so a forecast cannot be fed back\n"
        "  hint: train with --horizon 4, or predict --horizon 3"
    )
    assert caught.value.code == 2


def test_covariates_reach_the_network_in_their_own_units() -> None:
    panel = random_walks(30, columns=2)
    other = replace(panel, values=panel.values * [1.0, 1000.0])
    model = network(features=2)
    np.testing.assert_allclose(
        future(model, panel, horizon=H, anchored=True),
        future(model, other, horizon=H, anchored=True),
        rtol=1e-6,
    )
    inputs = network_inputs(other.values[None, :L], scaled(other, "diff"), np.array([0]))
    assert np.abs(inputs).max() < 10


def test_forecasting_changes_no_row() -> None:
    panel, model = random_walks(30), network()
    before = panel.values.copy()
    future(model, panel, horizon=9, anchored=True)
    all_windows(model, panel, anchored=True)
    assert np.array_equal(panel.values, before)


# One forecaster for everybody: the test, calibration, the backtest and predict.


@pytest.mark.parametrize("transform", ["none", "log1p", "diff"])
@pytest.mark.parametrize("quantiles", [0, 3])
@pytest.mark.parametrize("horizon", [2, H, 2 * H + 1])
def test_a_forecast_at_a_row_is_that_after_the_window_which_ends_there(
    horizon: int, quantiles: int, transform: Transform
) -> None:
    panel = random_walks(30, 12, 25)
    made = forecaster(network(quantiles=quantiles), panel, anchored=transform == "none", transform=transform)
    rows, series = every_row(panel)
    at = made.at(panel, rows, series, horizon=horizon)
    windows = np.stack([panel.values[row - L + 1 : row + 1] for row in rows])
    after = made.after(windows, series, horizon=horizon)
    assert at.point.shape == (len(rows), horizon)
    np.testing.assert_allclose(at.point, after.point, rtol=1e-6)  # other parts, other order of summation
    assert (at.quantiles is None) == (quantiles == 0)
    if at.quantiles is not None and after.quantiles is not None:
        np.testing.assert_allclose(at.quantiles, after.quantiles, rtol=1e-6)


@pytest.mark.parametrize("transform", ["none", "log", "diff"])
@pytest.mark.parametrize("horizon", [H, 3 * H])
def test_a_forecast_at_a_row_sees_nothing_after_it(horizon: int, transform: Transform) -> None:
    """Bit for bit, recursion included; and what is one row earlier it does see."""
    panel = random_walks(40, 40)
    made = forecaster(network(quantiles=3), panel, anchored=transform == "none", transform=transform)
    rows, series = np.array([20, 60]), np.array([0, 1])
    before = made.at(panel, rows, series, horizon=horizon)
    later, at_the_row = panel.values.copy(), panel.values.copy()
    later[21:40] *= 1e6
    later[61:] *= 1e6
    at_the_row[20] *= 1.5
    same = made.at(replace(panel, values=later), rows, series, horizon=horizon)
    assert same.point.tobytes() == before.point.tobytes()
    assert same.quantiles is not None
    assert before.quantiles is not None
    assert same.quantiles.tobytes() == before.quantiles.tobytes()
    changed = made.at(replace(panel, values=at_the_row), rows, series, horizon=horizon)
    assert not np.isclose(changed.point[0, :H], before.point[0, :H]).any()
    assert np.array_equal(changed.point[1], before.point[1])


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = random_walks(60)
    made = forecaster(network(quantiles=3), panel, anchored=True)
    rows, series = every_row(panel)
    whole = made.at(panel, rows, series, horizon=2 * H)
    outside = made.outside(panel, rows, series)
    assert whole.quantiles is not None
    for many in (16, 1000):  # the few windows of a processor, and the many
        monkeypatch.setattr(forecasting, "MANY", many)
        monkeypatch.setattr(forecasting, "SMALL", 7)
        monkeypatch.setattr(forecasting, "LARGE", 11)
        parts = made.at(panel, rows, series, horizon=2 * H)
        assert parts.quantiles is not None
        np.testing.assert_allclose(parts.point, whole.point, rtol=1e-6)
        np.testing.assert_allclose(parts.quantiles, whole.quantiles, rtol=1e-6)
        assert made.outside(panel, rows, series) == outside


def test_the_number_of_cores_changes_no_bit_and_no_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = random_walks(150)
    made = forecaster(network(), panel, anchored=True)
    rows, series = every_row(panel)
    threads, found = torch.get_num_threads(), []
    for cores in (1, 2, 5):
        monkeypatch.setattr(forecasting.os, "cpu_count", lambda cores=cores: cores)
        found.append(made.at(panel, rows, series, horizon=3 * H).point.tobytes())
    assert found[0] == found[1] == found[2]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("quantiles", [0, 3])
def test_no_rows_give_no_forecasts(quantiles: int) -> None:
    panel = random_walks(30)
    none = np.empty(0, dtype=np.int64)
    outlook = forecaster(network(quantiles=quantiles), panel, anchored=True).at(panel, none, none, horizon=5)
    assert outlook.point.shape == (0, 5)
    assert (None if outlook.quantiles is None else outlook.quantiles.shape) == (
        (0, 5, 3) if quantiles else None
    )


@pytest.mark.parametrize("transform", ["log", "log1p"])
def test_an_untouched_model_of_logarithms_is_the_naive_forecast_bit_for_bit(transform: Transform) -> None:
    panel = panel_of(np.abs(random_walks(30).values[:, 0]) / 7, 1e-9 + np.arange(30.0) / 3)
    made = forecaster(network(zero_head=True), panel, anchored=True, transform=transform)
    rows, series = every_row(panel)
    got = made.at(panel, rows, series, horizon=2 * H).point
    assert got.tobytes() == naive(panel.values[rows, 0], 2 * H).tobytes()


def plain_transform_recursion(
    model: RegLSTM, values: Floats, scaling: Scaling, horizon: int, *, anchored: bool
) -> list[float]:
    """Block after block in plain floats, for a target with a transform: the level is seen, not its steps."""
    forward = {"log": math.log, "log1p": math.log1p, "diff": float}[scaling.transform]
    back = {"log": math.exp, "log1p": math.expm1, "diff": float}[scaling.transform]
    offset, unit = float(scaling.offset[0, 0]), float(scaling.unit[0, 0])
    rows, made = [float(value) for value in values], []
    while len(made) < horizon:
        window = rows[-L:]
        if scaling.transform == "diff":
            levels = [0.0] + [b - a for a, b in pairwise(window)]
        else:
            levels = [forward(value) for value in window]
        seen = [(level - offset) / unit for level in levels]
        with torch.no_grad():
            answer = model(torch.tensor(seen, dtype=torch.float32)[None, :, None])[0, -1].tolist()
        block = []
        for step in answer:
            if scaling.transform == "diff":
                block.append((block[-1] if block else window[-1]) + offset + step * unit)
            elif anchored:
                block.append(back(forward(window[-1]) + step * unit))
            else:
                block.append(back(offset + step * unit))
        made += block
        rows += block
    return made[:horizon]


@pytest.mark.parametrize(
    ("transform", "anchored"),
    [("log", True), ("log", False), ("log1p", True), ("log1p", False), ("diff", False)],
)
@pytest.mark.parametrize("horizon", [2, H, 7])
def test_forecasts_of_a_transformed_target_are_those_of_a_plain_loop(
    horizon: int, transform: Transform, *, anchored: bool
) -> None:
    panel, model = random_walks(40), network()
    scaling = scaled(panel, "none", transform)
    made = Forecaster((model,), scaling, L, "last" if anchored else "none", 1, np.full(1, -np.inf))
    got = made.at(panel, np.array([39]), np.array([0]), horizon=horizon).point
    expected = plain_transform_recursion(model, panel.values[:, 0], scaling, horizon, anchored=anchored)
    np.testing.assert_allclose(got[0], expected, rtol=1e-5)


def test_a_series_that_stood_still_in_training_keeps_its_last_value() -> None:
    panel = panel_of([5.0] * 30, np.arange(30.0))
    for anchored in (False, True):
        made = forecaster(network(), panel, anchored=anchored)
        values = np.repeat(np.arange(10.0, 10.0 + L)[None, :, None], 2, axis=0)
        got = made.after(values, np.array([0, 1]), horizon=2 * H).point
        assert got[0].tolist() == [15.0] * (2 * H)
        assert not np.isclose(got[1], 15.0).any()


# Quantile heads.


def test_the_quantiles_never_cross_and_the_median_is_the_forecast() -> None:
    panel = random_walks(60, seed=4)
    model = network(quantiles=3)
    made = forecaster(model, panel, anchored=True)
    rows, series = every_row(panel)
    outlook = made.at(panel, rows, series, horizon=H)
    assert outlook.quantiles is not None
    assert outlook.quantiles.shape == (len(rows), H, 3)
    raw = raw_quantiles(model, panel, made.scaling, rows)
    assert (np.diff(raw, axis=-1) < 0).any()  # left alone they would cross
    np.testing.assert_allclose(outlook.quantiles, np.sort(raw, axis=-1), rtol=1e-6)
    assert np.array_equal(outlook.point, outlook.quantiles[:, :, 1])


def raw_quantiles(model: RegLSTM, panel: Panel, scaling: Scaling, rows: Rows) -> Floats:
    """What an anchored network of differences says at these rows, in original units, as it comes."""
    unit = float(scaling.step_unit[0, 0])
    found = []
    for row in rows:
        window = panel.values[row - L + 1 : row + 1, 0]
        seen = torch.tensor(np.diff(window, prepend=window[0]) / unit, dtype=torch.float32)
        with torch.no_grad():
            found.append(window[-1] + model(seen[None, :, None])[0, -1].double().numpy() * unit)
    return np.stack(found)


def test_an_untouched_quantile_head_forecasts_the_last_value_at_every_level() -> None:
    panel = panel_of(AWKWARD[0], AWKWARD[3])
    made = forecaster(network(zero_head=True, quantiles=3), panel, anchored=True)
    rows, series = every_row(panel)
    outlook = made.at(panel, rows, series, horizon=2 * H)
    assert outlook.quantiles is not None
    assert np.array_equal(outlook.point, naive(panel.values[rows, 0], 2 * H))
    assert np.array_equal(outlook.quantiles, np.repeat(outlook.point[:, :, None], 3, axis=2))


def test_beyond_the_trained_horizon_the_median_is_fed_back() -> None:
    panel = random_walks(40)
    made = forecaster(network(quantiles=3), panel, anchored=True)
    whole = made.after(panel.values[None, -L:], np.array([0]), horizon=2 * H)
    longer = np.concatenate([panel.values[:, 0], whole.point[0, :H]])
    second = made.after(longer[None, -L:, None], np.array([0]), horizon=H)
    assert whole.quantiles is not None
    assert second.quantiles is not None
    assert np.array_equal(whole.point[:, H:], second.point)
    assert np.array_equal(whole.quantiles[:, H:], second.quantiles)


def test_no_quantile_falls_below_the_minimum() -> None:
    panel = panel_of(np.abs(random_walks(40).values[:, 0] - 100))
    made = forecaster(network(quantiles=3), panel, anchored=True, minimum=1.5)
    rows, series = every_row(panel)
    outlook = made.at(panel, rows, series, horizon=H)
    assert outlook.quantiles is not None
    assert outlook.quantiles.min() == 1.5
    assert outlook.quantiles.max() > 1.5


# Ensembles.


@pytest.mark.parametrize("quantiles", [0, 3])
def test_the_forecast_of_several_networks_is_the_mean_of_their_answers(quantiles: int) -> None:
    panel = random_walks(40)
    models = [network(quantiles=quantiles, seed=seed) for seed in (1, 2, 3)]
    made = forecaster(models, panel, anchored=True)
    rows, series = every_row(panel)
    together = made.at(panel, rows, series, horizon=H)
    alone = [member.at(panel, rows, series, horizon=H) for member in made.members()]
    assert len(alone) == 3
    if quantiles:
        raw = np.mean([raw_quantiles(model, panel, made.scaling, rows) for model in models], axis=0)
        assert together.quantiles is not None
        np.testing.assert_allclose(together.quantiles, np.sort(raw, axis=-1), rtol=1e-6)
        return
    mean = np.mean([outlook.point for outlook in alone], axis=0)
    np.testing.assert_allclose(together.point, mean, rtol=1e-12)
    assert not np.allclose(alone[0].point, alone[1].point, rtol=1e-6)


def test_what_is_fed_back_is_the_mean_and_not_each_members_own() -> None:
    panel = random_walks(40)
    made = forecaster([network(seed=1), network(seed=2)], panel, anchored=True)
    window, only = panel.values[None, -L:], np.array([0])
    whole = made.after(window, only, horizon=2 * H).point
    longer = np.concatenate([panel.values[:, 0], whole[0, :H]])
    assert np.array_equal(whole[:, H:], made.after(longer[None, -L:, None], only, horizon=H).point)


def test_the_members_of_one_network_are_itself() -> None:
    panel = random_walks(30)
    made = forecaster(network(), panel, anchored=True)
    assert made.members() == [made]


# How much of what the network receives is unlike anything it was trained on.


@pytest.mark.parametrize(("normalize", "transform"), [("none", "none"), ("diff", "none"), ("none", "log")])
def test_numbers_outside_the_range_of_training_are_those_of_a_slow_loop(
    normalize: Normalize, transform: Transform
) -> None:
    panel = random_walks(40, 40, columns=2)
    training = panel.until(np.array([20, 60]))
    scaling = scaled(training, normalize, transform)
    made = Forecaster((network(features=2),), scaling, L, "none", 1, np.full(2, -np.inf))
    rows, series = every_row(panel)
    outside = 0
    for row, s in zip(rows.tolist(), series.tolist(), strict=True):
        for c in range(2):
            window = panel.values[row - L + 1 : row + 1, c]
            known = training.values[training.rows(s), c]
            if transform == "log" and c == 0:
                window, known = np.log(window), np.log(known)
            if normalize == "diff":
                window = np.diff(window, prepend=window[0])
                known = np.concatenate([[0.0], np.diff(known)])
            outside += int(((window < known.min()) | (window > known.max())).sum())
    assert 0 < outside < len(rows) * L * 2
    assert made.outside(panel, rows, series) == (outside, len(rows) * L * 2)


def test_rows_of_training_are_not_outside() -> None:
    panel = random_walks(40, 30)
    made = forecaster(network(), panel, anchored=True)
    rows, series = every_row(panel)
    assert made.outside(panel, rows, series) == (0, len(rows) * L)
