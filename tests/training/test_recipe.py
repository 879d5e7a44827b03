"""Schedules against torch's own, windows drawn in balance, losses in original units."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lstm_forecast.data.scaling import fit_scaling, season_smape
from lstm_forecast.data.tensors import Batch, PanelTensors, gather_batch, panel_tensors
from lstm_forecast.data.transform import Transform
from lstm_forecast.data.windows import Windows, windows_in
from lstm_forecast.model.losses import MeasureName, measure_loss
from lstm_forecast.training import draws
from lstm_forecast.training.draws import drawn_windows, gathered
from lstm_forecast.training.objective import objective
from lstm_forecast.training.recipe import STEADY, Schedule, ScheduleName, plateau_share
from tests.data.panels import panel_of
from tests.training.small import RECIPE, H, L, problem


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler: torch.optim.lr_scheduler.LRScheduler, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        scheduler.optimizer.step()
        scheduler.step()
    return found


def shares(schedule: Schedule, *, steps: int) -> list[float]:
    """Of every step of the whole course."""
    return [schedule.share(e, s, steps) for e in range(1, schedule.epochs + 1) for s in range(steps)]


def test_the_cosine_is_torchs() -> None:
    wanted = rates(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer(), T_max=12), 12)
    np.testing.assert_allclose(shares(Schedule("cosine", 0, 4), steps=3), wanted, atol=1e-12)


def test_the_steps_are_torchs() -> None:
    wanted = rates(torch.optim.lr_scheduler.StepLR(optimizer(), step_size=3, gamma=0.1), 9)
    got = [Schedule("step", 0, 9).share(epoch, 0, 5) for epoch in range(1, 10)]
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_the_rate_rises_from_the_first_step_and_stays() -> None:
    assert shares(Schedule("none", 4, 2), steps=3) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert shares(STEADY, steps=3) == [1.0, 1.0, 1.0]


def test_the_plateau_is_torchs() -> None:
    scores = [5.0, 4.0, 4.0, 4.5, 4.1, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 2.0]
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer(), factor=0.5, patience=2, threshold=0)
    wanted = []
    for score in scores:
        torchs.step(score)
        wanted.append(torchs.optimizer.param_groups[0]["lr"])
    schedule = Schedule("plateau", 0, 20)
    assert [plateau_share(schedule, scores[: n + 1]) for n in range(len(scores))] == wanted
    assert plateau_share(replace(schedule, name="none"), scores) == 1.0


@pytest.mark.parametrize("name", ["none", "step", "cosine", "plateau"])
def test_a_resumed_course_has_the_rates_of_a_straight_one(name: ScheduleName) -> None:
    """The share depends on nothing but the place in the course."""
    schedule = Schedule(name, 5, 6)
    straight = shares(schedule, steps=4)
    assert [schedule.share(4, step, 4) for step in range(4)] == straight[12:16]


def test_every_series_is_drawn_as_often_as_the_other_however_long_it_is() -> None:
    offsets = np.array([0, 30, 230, 250])
    windows = windows_in(offsets[:-1] + 8, offsets[1:], offsets=offsets, lookback=8, horizon=2)
    recipe = replace(RECIPE, steps_per_epoch=100, batch_size=30)
    drawn = drawn_windows(windows, recipe, 1).numpy()
    assert len(drawn) == 3000
    assert set(drawn.tolist()) <= set(windows.start.tolist())
    counts = Counter((np.searchsorted(offsets, drawn, side="right") - 1).tolist())
    assert all(abs(counts[s] - 1000) < 100 for s in range(3))  # four standard deviations
    assert len(set(drawn[(drawn >= 30) & (drawn < 230)].tolist())) > 180  # of 191 windows
    assert drawn_windows(windows, recipe, 1).tolist() == drawn.tolist()
    assert drawn_windows(windows, recipe, 2).tolist() != drawn.tolist()
    assert drawn_windows(windows, replace(recipe, seed=9), 1).tolist() != drawn.tolist()


def test_a_series_without_a_window_is_never_drawn() -> None:
    windows = Windows(np.array([4, 5, 40]), np.array([1, 1, 3]))
    drawn = drawn_windows(windows, replace(RECIPE, steps_per_epoch=5, batch_size=8), 1)
    assert set(drawn.tolist()) == {4, 5, 40}


def test_smape_and_mase_are_those_of_a_slow_loop() -> None:
    forecast, actual = [[2.0, -1.0, 0.0], [5.0, 5.0, 1.0]], [[1.0, 1.0, 0.0], [5.0, 4.0, 9.0]]
    weight = [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    shares_, errors, count = 0.0, 0.0, 0
    for f_row, y_row, w_row, scale in zip(forecast, actual, weight, (2.0, 4.0), strict=True):
        for f, y, w in zip(f_row, y_row, w_row, strict=True):
            if w:
                shares_ += 0.0 if f == y == 0 else 200 * abs(f - y) / (abs(f) + abs(y))
                errors += abs(f - y) / scale
                count += 1
    scales: dict[MeasureName, torch.Tensor | float] = {"smape": 10.0, "mase": torch.tensor([[2.0], [4.0]])}
    f, y, w = torch.tensor(forecast, requires_grad=True), torch.tensor(actual), torch.tensor(weight)
    both = measure_loss(("smape", "mase"), f, y, w, scales=scales)
    assert float(both.detach()) == pytest.approx((shares_ / 10 + errors) / count / 2)
    assert float(measure_loss(("mase",), f.detach(), y, w, scales=scales)) == pytest.approx(errors / count)
    both.backward()  # type: ignore[no-untyped-call]
    assert f.grad is not None
    assert torch.isfinite(f.grad).all()
    assert f.grad[1, 2] == 0


@pytest.mark.parametrize("names", [("smape",), ("mase",), ("mase", "smape")], ids="+".join)
def test_measures_have_the_derivative_that_autograd_finds(names: tuple[MeasureName, ...]) -> None:
    generator = torch.Generator().manual_seed(4)
    f, y = (torch.randn(5, 3, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    w = (torch.rand(5, 3, 7, generator=generator) > 0.3).double()
    scales: dict[MeasureName, torch.Tensor | float] = {
        "smape": 13.0,
        "mase": 1 + torch.rand(5, 1, 1, generator=generator).double(),
    }
    ours, plain = f.clone().requires_grad_(), f.clone().requires_grad_()
    loss = measure_loss(names, ours, torch.where(w > 0, y, torch.nan), w, scales=scales)
    parts = {"smape": 200 * (plain - y).abs() / (plain.abs() + y.abs()), "mase": (plain - y).abs()}
    expected = sum(((parts[name] / scales[name]) * w).sum() for name in names) / len(names) / w.sum()
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(loss, expected)
    [mine], [theirs] = (torch.autograd.grad(3 * one, of) for one, of in ((loss, ours), (expected, plain)))
    torch.testing.assert_close(mine, theirs)


def test_a_forecast_of_nothing_where_nothing_came_has_a_gradient() -> None:
    f = torch.zeros(1, 1, requires_grad=True)
    loss = measure_loss(("smape",), f, torch.zeros(1, 1), torch.ones(1, 1), scales={"smape": 1.0})
    [found] = torch.autograd.grad(loss, f)
    assert (float(loss.detach()), float(found)) == (0.0, 0.0)


@pytest.mark.parametrize("transform", ["none", "log", "log1p"])
def test_measures_are_taken_in_original_units_of_each_series(transform: Transform) -> None:
    """An answer of 0 is the seasonal naive forecast: its sMAPE and MASE by hand, from the rows alone."""
    generator = np.random.default_rng(3)
    panel = panel_of(5 + generator.random(40), 500 + 300 * generator.random(40))
    scaling = fit_scaling(
        panel,
        method="standard",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize="mean_std",
        transform=transform,
        season=4,
    )
    tensors = panel_tensors(panel, scaling, anchor="seasonal", season=4, device=torch.device("cpu"))
    start = torch.tensor([3, 47, 12])
    batch = gather_batch(tensors, start, lookback=8, horizon=6, every_step=False)
    recipe = replace(RECIPE, loss=("smape", "mase"), measure_scales={"smape": 20.0, "mase": 1.0})
    got = float(objective(recipe, batch, tensors)(torch.zeros(3, 6)))
    total = 0.0
    for first, series in ((3, 0), (47, 1), (12, 0)):
        for h in range(6):
            y = panel.values[first + 8 + h, 0]
            f = panel.values[first + 8 + h - (4 if h < 4 else 8), 0]
            total += 200 * abs(f - y) / (f + y) / 20 + abs(f - y) / scaling.mase_scale[series]
    assert got == pytest.approx(total / 2 / 18, rel=1e-5)


def test_the_usual_smape_is_that_of_the_value_one_season_before() -> None:
    panel = panel_of([1.0, 2.0, 3.0, 3.0, 2.0], [10.0, 10.0], [0.0, 0.0, 0.0, 0.0])
    first = np.mean([200 * 2 / 4, 200 * 1 / 5, 200 * 1 / 5])
    assert season_smape(panel, 2) == pytest.approx((first + 0.0 + 0.0) / 3)
    assert season_smape(panel_of([4.0, 4.0]), 1) == 1.0


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("together", [1, 3, 100], ids="{} at once".format)
def test_a_batch_is_the_same_however_many_are_gathered_at_once(
    monkeypatch: pytest.MonkeyPatch, together: int, every_step: bool
) -> None:
    of = problem()
    recipe = replace(RECIPE, every_step=every_step, batch_size=13)
    numbers = 13 * (L + (L * H if every_step else H))
    monkeypatch.setattr(draws, "GATHERED_AT_ONCE", together * numbers)
    asked = []

    def gather(tensors: PanelTensors, start: torch.Tensor, **sizes: Any) -> Batch:
        asked.append(len(start))
        return gather_batch(tensors, start, **sizes)

    monkeypatch.setattr(draws, "gather_batch", gather)
    order = drawn_windows(of.train, recipe, 1)
    batch_of = gathered(of.tensors, order, recipe)
    parts = torch.split(order, 13)
    for step, start in enumerate(parts):
        got = batch_of(step)
        wanted = gather_batch(of.tensors, start, lookback=L, horizon=H, every_step=every_step)
        for name in ("x", "y", "weight", "base", "start"):
            assert torch.equal(getattr(got, name), getattr(wanted, name)), name
    assert len(asked) == -(-len(parts) // together)
    assert sum(asked) == len(order)
