"""Batches gathered by index, against plain loops over the panel."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Normalize, Scaling, fit_scaling, network_inputs
from lstm_forecast.data.tensors import PanelTensors, final_outputs, gather_batch, gather_inputs, panel_tensors
from lstm_forecast.data.transform import Transform
from tests.data.panels import panel_of, random_walks

CPU = torch.device("cpu")
L, H = 5, 3


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


def ready(
    panel: Panel, normalize: Normalize, transform: Transform = "none", *, anchored: bool
) -> tuple[Scaling, PanelTensors]:
    scaling = scaled(panel, normalize, transform)
    return scaling, panel_tensors(panel, scaling, anchor="last" if anchored else "none", season=1, device=CPU)


def gathered(tensors: PanelTensors, start: int, *, every_step: bool) -> tuple[Tensor, Tensor, Tensor]:
    batch = gather_batch(tensors, torch.tensor([start]), lookback=L, horizon=H, every_step=every_step)
    return batch.x[0], batch.y[0], batch.weight[0]


def target(panel: Panel, scaling: Scaling, row: int, origin: int, *, anchored: bool) -> float:
    """The target at ``row`` forecast at ``origin``, in units of the head, in plain Python."""
    series = int(np.searchsorted(panel.offsets, row, side="right")) - 1
    unit = float((scaling.step_unit if scaling.normalize == "diff" else scaling.unit)[series, 0])
    base = float(panel.values[origin, 0]) if anchored else float(scaling.offset[series, 0])
    return (float(panel.values[row, 0]) - base) / unit


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("normalize", ["none", "diff"])
@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(L + H, 14), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_every_window_holds_what_a_plain_loop_finds(
    normalize: Normalize, anchored: bool, lengths: list[int], seed: int
) -> None:
    panel = random_walks(*lengths, columns=2, seed=seed)
    observed = np.random.default_rng(seed).random(panel.values.shape) < 0.7
    panel = replace(panel, observed=observed)
    scaling, tensors = ready(panel, normalize, anchored=anchored)
    for s, length in enumerate(lengths):
        start = int(panel.offsets[s]) + seed % (length - L - H + 1)
        x, last, last_weight = gathered(tensors, start, every_step=False)
        _, every, every_weight = gathered(tensors, start, every_step=True)
        for step in range(L):
            for column in range(2):
                value = panel.values[start + step, column]
                if normalize == "diff":
                    before = panel.values[start + step - 1, column] if step else value
                    seen = (value - before) / scaling.step_unit[s, column]
                else:
                    seen = (value - scaling.offset[s, column]) / scaling.unit[s, column]
                assert float(x[step, column]) == pytest.approx(seen, rel=1e-5, abs=1e-6)
            for ahead in range(H):
                row = start + step + 1 + ahead
                wanted = target(panel, scaling, row, start + step, anchored=anchored)
                assert float(every[step, ahead]) == pytest.approx(wanted, rel=1e-5, abs=1e-6)
                assert float(every_weight[step, ahead]) == float(observed[row, 0])
        assert torch.equal(last, every[-1])
        assert torch.equal(last_weight, every_weight[-1])


def test_shapes_are_those_of_the_docstring() -> None:
    _, tensors = ready(random_walks(20, columns=2), "none", anchored=False)
    start = torch.tensor([0, 3, 7, 12])
    last = gather_batch(tensors, start, lookback=L, horizon=H, every_step=False)
    every = gather_batch(tensors, start, lookback=L, horizon=H, every_step=True)
    assert last.x.shape == every.x.shape == (4, L, 2)
    assert last.y.shape == last.weight.shape == (4, H)
    assert every.y.shape == every.weight.shape == (4, L, H)
    assert {last.x.dtype, last.y.dtype, last.weight.dtype} == {torch.float32}


def test_a_filled_cell_is_an_input_and_has_no_weight_as_a_target() -> None:
    panel = panel_of(np.arange(10.0))
    observed = panel.observed.copy()
    observed[6] = False
    _, tensors = ready(replace(panel, observed=observed), "none", anchored=True)
    x, _, weight = gathered(tensors, 0, every_step=False)
    assert weight.tolist() == [1, 0, 1]  # rows 5, 6 and 7
    x, _, weight = gathered(tensors, 2, every_step=False)
    assert float(x[4, 0]) == pytest.approx(6 / 9)
    assert weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize("transform", ["none", "log", "log1p", "diff"])
@pytest.mark.parametrize("normalize", ["none", "diff"])
def test_the_network_is_trained_on_what_it_will_be_shown(normalize: Normalize, transform: Transform) -> None:
    """`gather_inputs` from the panel and `network_inputs` from raw rows are the same numbers."""
    if normalize == transform == "diff":
        return  # the configuration refuses changes of changes
    panel = random_walks(30, 25, columns=2)
    scaling, tensors = ready(panel, normalize, transform, anchored=transform != "diff")
    start = np.array([0, 4, 25, 30, 49])
    series = np.array([0, 0, 0, 1, 1])
    raw = np.stack([panel.values[row : row + L] for row in start])
    shown = torch.from_numpy(network_inputs(raw, scaling, series)).to(torch.float32)
    assert torch.equal(gather_inputs(tensors, torch.from_numpy(start), L), shown)


def test_a_window_of_changes_begins_with_no_change_in_the_units_of_the_scaler() -> None:
    """Not with 0, which in MinMax units is the smallest change there was."""
    panel = panel_of([5.0, 7.0, 6.0, 10.0, 9.0, 9.5, 11.0, 12.0, 14.0])
    scaling, tensors = ready(panel, "none", "diff", anchored=False)
    x = gather_inputs(tensors, torch.tensor([2]), L)[0, :, 0]
    lowest, spread = -1.0, 5.0  # of the changes 2, -1, 4, -1, 0.5, …
    assert (scaling.offset[0, 0], scaling.unit[0, 0]) == (lowest, spread)
    assert x.tolist() == pytest.approx([(change - lowest) / spread for change in (0, 4, -1, 0.5, 1.5)])


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize(
    ("transform", "anchored"), [("log", True), ("log", False), ("log1p", True), ("diff", False)]
)
def test_the_targets_of_a_transformed_series_are_transformed(
    transform: Transform, *, anchored: bool, every_step: bool
) -> None:
    panel = random_walks(20)
    values = [float(value) for value in panel.values[:, 0]]
    changed = {
        "log": [math.log(value) for value in values],
        "log1p": [math.log(1 + value) for value in values],
        "diff": [0.0] + [after - before for before, after in pairwise(values)],
    }[transform]
    scaling, tensors = ready(panel, "none", transform, anchored=anchored)
    low, unit = float(scaling.offset[0, 0]), float(scaling.unit[0, 0])
    _, y, _ = gathered(tensors, 4, every_step=every_step)
    for step in range(L) if every_step else [L - 1]:
        base = changed[4 + step] if anchored else low
        wanted = [(changed[4 + step + 1 + ahead] - base) / unit for ahead in range(H)]
        got = y[step] if every_step else y
        assert got.tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_a_change_is_a_target_where_both_its_rows_were_observed() -> None:
    panel = panel_of(np.arange(10.0) ** 1.5, np.arange(10.0))
    observed = panel.observed.copy()
    observed[[6, 7]] = False
    _, tensors = ready(replace(panel, observed=observed), "none", "diff", anchored=False)
    assert tensors.known.tolist() == [0, 1, 1, 1, 1, 1, 0, 0, 0, 1] + [0] + [1] * 9
    _, plain = ready(replace(panel, observed=observed), "none", "log1p", anchored=True)
    assert plain.known.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1, 1] + [1] * 10


def test_gathering_leaves_the_panel_as_it_is() -> None:
    for normalize, transform in (("diff", "none"), ("none", "diff")):
        _, tensors = ready(random_walks(20), normalize, transform, anchored=False)
        before = tensors.inputs.clone()
        gather_inputs(tensors, torch.tensor([3, 4]), L)
        assert torch.equal(tensors.inputs, before)


def test_small_moves_of_a_large_level_keep_their_digits() -> None:
    steps: NDArray[np.float64] = np.random.default_rng(3).normal(scale=0.01, size=60)
    small, large = panel_of(steps.cumsum()), panel_of(1e9 + steps.cumsum())
    scaling = scaled(small, "diff")
    wanted = panel_tensors(small, scaling, anchor="last", season=1, device=CPU)
    got = panel_tensors(large, scaling, anchor="last", season=1, device=CPU)
    start = torch.arange(50)
    y = gather_batch(wanted, start, lookback=L, horizon=H, every_step=True).y
    # 1e9 leaves 1.2e-7 of room for a value: a hundred-thousandth of a step
    torch.testing.assert_close(
        gather_batch(got, start, lookback=L, horizon=H, every_step=True).y, y, rtol=0, atol=5e-5
    )


def test_anchored_levels_are_counted_from_the_first_value_of_each_series() -> None:
    """So they stay small where a device has single precision only."""
    panel = panel_of(1e9 + np.array([0.0, 0.02, 0.01]), [-5.0, -4.0, -7.0])
    scaling, tensors = ready(panel, "diff", anchored=True)
    expected = np.array([0, 0.02, 0.01]) / scaling.step_unit[0, 0]
    np.testing.assert_allclose(tensors.levels[:3], expected, atol=1e-4)
    assert tensors.levels[3].item() == 0


def test_an_empty_series_is_no_obstacle() -> None:
    panel = random_walks(12, 9).take(np.array([True] * 12 + [False] * 9))
    _, tensors = ready(panel, "diff", anchored=True)
    assert len(tensors.inputs) == 12
    assert bool(torch.isfinite(tensors.inputs).all())


def test_a_series_begins_with_a_step_of_zero() -> None:
    panel = panel_of([1.0, 2.0, 4.0], [1000.0, 1001.0, 1003.0])
    _, tensors = ready(panel, "diff", anchored=True)
    assert tensors.inputs[[0, 3], 0].tolist() == [0, 0]


def test_final_outputs_are_the_same_in_any_portion() -> None:
    _, tensors = ready(random_walks(40), "none", anchored=False)
    start = torch.arange(30)

    def mean_of_window(x: Tensor, *_: Tensor | None) -> Tensor:
        return x.mean(dim=1)

    whole = final_outputs(mean_of_window, tensors, start, lookback=L, horizon=H)
    parts = final_outputs(mean_of_window, tensors, start, lookback=L, horizon=H, batch=7)
    assert torch.equal(whole, parts)
    assert whole.shape == (30, 1)
