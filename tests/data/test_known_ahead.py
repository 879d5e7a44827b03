"""Columns known ahead: in units, in batches and after the last target, against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lstm_forecast.data.ahead import rows_ahead, with_rows_ahead
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import (
    AheadColumns,
    Method,
    Normalize,
    Scaling,
    ahead_inputs,
    fit_scaling,
    network_inputs,
    outside_range,
)
from lstm_forecast.data.statics import StaticColumn, Statics
from lstm_forecast.data.tensors import final_outputs, gather_batch, gather_inputs, panel_tensors
from tests.data.panels import NAN, panel_of, random_walks, table_of

CPU, L, H = torch.device("cpu"), 4, 3
KNOWN = AheadColumns(given=1, calendar=1)  # of four columns: target, past, future, calendar


def scaled(panel: Panel, normalize: Normalize, *, method: Method = "minmax") -> Scaling:
    return fit_scaling(
        panel,
        method=method,
        scaled_range=(0.0, 1.0),
        per="series",
        normalize=normalize,
        transform="none",
        season=1,
        ahead=KNOWN,
    )


@pytest.mark.parametrize("method", ["minmax", "standard", "robust", "none"])
def test_future_covariates_are_scaled_and_the_calendar_is_not(method: Method) -> None:
    panel = random_walks(30, 20, columns=4)
    found, plain = scaled(panel, "diff", method=method), panel.first_columns(3)
    alone = fit_scaling(
        plain, method=method, scaled_range=(0, 1), per="series", normalize="diff", transform="none", season=1
    )
    assert np.array_equal(found.offset[:, :3], alone.offset)
    assert np.array_equal(found.unit[:, :3], alone.unit)
    assert found.offset[:, 3].tolist() == [0, 0]
    assert found.unit[:, 3].tolist() == [1, 1]


@pytest.mark.parametrize("normalize", ["none", "diff", "last", "mean_std"])
def test_columns_known_ahead_go_in_scaled_whatever_is_done_to_the_others(normalize: Normalize) -> None:
    panel = random_walks(30, 20, columns=4)
    scaling = scaled(panel, normalize)
    rows, series = np.array([3, 33])[:, None] + np.arange(L), np.array([0, 1])
    found = network_inputs(panel.values[rows], scaling, series)
    alone = fit_scaling(
        panel.first_columns(2),
        method="minmax",
        scaled_range=(0, 1),
        per="series",
        normalize=normalize,
        transform="none",
        season=1,
    )
    assert np.array_equal(found[:, :, :2], network_inputs(panel.values[rows][:, :, :2], alone, series))
    for b, s in enumerate(series):
        for step in range(L):
            value = panel.values[rows[b, step], 2]
            lowest, highest = (f(panel.values[panel.rows(s), 2]) for f in (np.min, np.max))
            assert found[b, step, 2] == pytest.approx((value - lowest) / (highest - lowest))
            assert found[b, step, 3] == panel.values[rows[b, step], 3]


@pytest.mark.parametrize("normalize", ["none", "diff", "last", "mean_std"])
def test_a_batch_holds_what_the_network_will_be_shown(normalize: Normalize) -> None:
    panel = random_walks(30, 20, columns=4)
    scaling = scaled(panel, normalize)
    tensors = panel_tensors(panel, scaling, anchor="last", season=1, device=CPU)
    start, series = np.array([0, 5, 30, 41]), np.array([0, 0, 1, 1])
    raw = np.stack([panel.values[row : row + L] for row in start])
    shown = torch.from_numpy(network_inputs(raw, scaling, series)).to(torch.float32)
    torch.testing.assert_close(gather_inputs(tensors, torch.from_numpy(start), L), shown)


@pytest.mark.parametrize("segment", [1, 2])
@pytest.mark.parametrize("every_step", [True, False])
def test_every_target_has_the_features_of_its_own_row(every_step: bool, segment: int) -> None:
    panel = random_walks(30, 20, columns=4)
    scaling = scaled(panel, "diff")
    tensors = panel_tensors(panel, scaling, anchor="last", season=1, device=CPU)
    starts = [2, 31]
    batch = gather_batch(
        tensors, torch.tensor(starts), lookback=L, horizon=H, every_step=every_step, segment=segment
    )
    assert batch.ahead is not None
    ends = range(segment - 1, L, segment) if every_step else [L - 1]
    for b, (start, s) in enumerate(zip(starts, (0, 1), strict=True)):
        for t, end in enumerate(ends):
            for h in range(H):
                row = start + end + 1 + h
                expected = (panel.values[row, 2:] - scaling.offset[s, 2:]) / scaling.unit[s, 2:]
                found = batch.ahead[b, t, h] if every_step else batch.ahead[b, h]
                np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_final_answers_are_given_the_same_as_a_batch() -> None:
    panel = random_walks(30, 20, columns=4)
    codes = np.array([[1.0, 0.5], [2.0, -0.5]])
    kinds = (StaticColumn("kind", ("a", "b")), StaticColumn("size"))
    panel = replace(panel, statics=Statics(kinds, codes))
    tensors = panel_tensors(panel, scaled(panel, "diff"), anchor="last", season=1, device=CPU)
    start, seen = torch.tensor([2, 31, 35]), []

    def final(x: torch.Tensor, ahead: torch.Tensor | None, static: torch.Tensor | None) -> torch.Tensor:
        seen.append((x, ahead, static))
        return x[:, 0]

    final_outputs(final, tensors, start, lookback=L, horizon=H, batch=2)
    batch = gather_batch(tensors, start, lookback=L, horizon=H, every_step=False)
    for found, expected in zip(zip(*seen, strict=True), (batch.x, batch.ahead, batch.static), strict=True):
        assert expected is not None
        assert torch.equal(torch.cat(found), expected)
    assert batch.static is not None
    assert batch.static.tolist() == codes[[0, 1, 1]].tolist()


def test_without_such_columns_nothing_stands_beside_a_batch() -> None:
    panel = random_walks(30)
    plain = fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0, 1),
        per="series",
        normalize="diff",
        transform="none",
        season=1,
    )
    tensors = panel_tensors(panel, plain, anchor="last", season=1, device=CPU)
    batch = gather_batch(tensors, torch.tensor([0]), lookback=L, horizon=H, every_step=True)
    assert (batch.ahead, batch.static) == (None, None)
    assert "ahead" not in plain.to_json()
    assert "statics" not in plain.to_json()


def test_scaling_survives_json() -> None:
    panel = replace(
        random_walks(30, 20, columns=4),
        statics=Statics((StaticColumn("k", ("é", "b")),), np.array([[2.0], [0.0]])),
    )
    scaling = scaled(panel, "none")
    back = Scaling.from_json(scaling.to_json())
    assert back.to_json() == scaling.to_json()
    assert back.ahead == 2
    assert back.statics is not None
    assert back.statics.columns == (StaticColumn("k", ("é", "b")),)


def test_what_lies_outside_the_trained_range_counts_in_the_columns_ahead_too() -> None:
    panel = panel_of(np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]))
    scaling = fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0, 1),
        per="series",
        normalize="diff",
        transform="none",
        season=1,
        ahead=AheadColumns(given=1),
    )
    ahead = np.array([[[5.0], [7.5], [4.0]]])
    outside = outside_range(ahead_inputs(ahead, scaling, np.array([0])), scaling, np.array([0]))
    assert outside[0, :, 0].tolist() == [False, True, True]


def test_the_rows_after_a_cutoff_end_with_the_series() -> None:
    panel = panel_of(np.arange(12.0).reshape(6, 2), 100 + np.arange(8.0).reshape(4, 2))
    found = rows_ahead(panel, np.array([0, 4, 6]), steps=3, count=1)
    assert found[:, :, 0].tolist() == [[3, 5, 7], [11, 11, 11], [103, 105, 107]]
    assert rows_ahead(panel, np.array([0]), steps=3, count=0).shape == (1, 3, 0)


def test_rows_after_the_last_target_leave_the_table() -> None:
    table = table_of([(0, 1.0), (1, NAN), (2, 3.0), (3, NAN), (4, NAN)], [(0, 1.0), (1, 2.0), (2, NAN)])
    promo = np.array([0.0, 1, 0, 1, NAN, 0, 1, 0])
    table = replace(table, values=np.column_stack([table.values, promo]), columns=("y", "promo"))
    found = with_rows_ahead(table, 1)
    assert found.times.tolist() == table.times[[0, 1, 2, 5, 6]].tolist()
    assert found.lines.tolist() == table.lines[[0, 1, 2, 5, 6]].tolist()
    assert found.ahead is not None
    assert found.ahead.series.tolist() == [0, 0, 1]
    assert found.ahead.times.tolist() == table.times[[3, 4, 7]].tolist()
    np.testing.assert_array_equal(found.ahead.values[:, 0], [1, NAN, 0])
    assert found.account[-1] == "3 rows after the last target: 2 with every future covariate"


def test_without_future_covariates_an_empty_target_at_the_end_stays() -> None:
    table = table_of([(0, 1.0), (1, NAN)])
    assert with_rows_ahead(table, 0) is table


def test_a_series_without_any_target_stays_to_be_refused() -> None:
    table = table_of([(0, NAN), (1, NAN)], [(0, 1.0), (1, 2.0)])
    table = replace(table, values=np.column_stack([table.values, [0.0, 1, 0, 1]]), columns=("y", "promo"))
    assert with_rows_ahead(table, 1) is table
