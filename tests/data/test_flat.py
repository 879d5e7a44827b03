"""All series at once against one after the other: bit for bit, on panels of every shape."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY, Frequency
from lstm_forecast.data.column_units import Method
from lstm_forecast.data.flat import blocks, count_marked, marked, ranges
from lstm_forecast.data.holes import holes_in
from lstm_forecast.data.panel import Missing, Panel, fill_missing, trim_leading
from lstm_forecast.data.scaling import AheadColumns, Normalize, Per, fit_scaling, season_smape
from lstm_forecast.data.splits import split_panel
from lstm_forecast.data.transform import Transform
from tests.data import one_by_one
from tests.data.panels import FIRST_DAY

LENGTHS = st.lists(st.sampled_from([0, 1, 2, 3, 3, 8, 9, 17, 40, 130]), min_size=1, max_size=7).filter(any)
SEEDS = st.integers(0, 2**32 - 1)
HOUR = DAY // 24


def panel_like(lengths: list[int], seed: int, *, columns: int = 1, holes: float = 0.0) -> Panel:
    """Walks of any magnitude, some of ticks, some still; ``holes`` is the share of cells not observed."""
    draw = np.random.default_rng(seed)
    count = sum(lengths)
    values = np.abs(draw.normal(size=(count, columns)).cumsum(axis=0)) * 10.0 ** draw.integers(-12, 12)
    values += draw.choice([0.0, 1e-3, 1e9])
    if draw.random() < 0.3:
        values = np.round(values, 2)
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    for start, stop in pairwise(offsets.tolist()):
        if draw.random() < 0.2:
            values[start:stop] = values[start : start + 1]
    names = tuple(f"s{number}" for number in range(len(lengths)))
    observed = draw.random((count, columns)) >= holes
    times = np.arange(count, dtype=np.int64)
    return Panel(values, observed, times, offsets, names, tuple(f"c{n}" for n in range(columns)))


@given(LENGTHS, st.integers(1, 300))
def test_blocks_hold_each_series_once_and_whole(lengths: list[int], cells: int) -> None:
    offsets = np.cumsum([0, *lengths])
    flat, written = np.arange(offsets[-1]), np.full(offsets[-1], -1)
    for block in blocks(offsets[:-1], np.array(lengths), cells=cells):
        assert len(block.series) == 1 or len(block.series) * block.length <= cells
        rows = block.of(flat)
        for s, mine in zip(block.series.tolist(), rows.tolist(), strict=True):
            assert mine == list(range(offsets[s], offsets[s + 1]))
        block.put(written, rows)
    assert written.tolist() == flat.tolist()


@given(LENGTHS, SEEDS)
def test_marks_and_counts_are_those_of_each_series(lengths: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    panel = panel_like(lengths, seed)
    begin = panel.offsets[:-1] + draw.integers(0, np.array(lengths) + 1)
    end = np.maximum(begin, draw.integers(panel.offsets[:-1], panel.offsets[1:] + 1))
    rows = marked(begin, end, len(panel.times))
    expected = [row for first, stop in zip(begin, end, strict=True) for row in range(first, stop)]
    assert np.flatnonzero(rows).tolist() == expected
    assert ranges(begin, end - begin).tolist() == expected
    assert count_marked(rows, panel.offsets).tolist() == (end - begin).tolist()
    kept = panel.until(end)
    mine = one_by_one.until(panel, end)
    assert kept.times.tolist() == panel.times[mine].tolist()
    assert kept.lengths.tolist() == (end - panel.offsets[:-1]).tolist()


@settings(deadline=None, max_examples=60)
@given(
    LENGTHS,
    SEEDS,
    st.sampled_from(get_args(Method)),
    st.sampled_from(get_args(Per)),
    st.sampled_from(get_args(Normalize)),
    st.sampled_from(get_args(Transform)),
    st.sampled_from([1, 2, 7, 12]),
    st.sampled_from([(1, 0, 0), (3, 1, 1), (2, 1, 0)]),
    st.sampled_from([0.0, 0.1, 0.9]),
)
def test_units_are_those_of_each_series_alone(
    lengths: list[int],
    seed: int,
    method: Method,
    per: Per,
    normalize: Normalize,
    transform: Transform,
    season: int,
    columns: tuple[int, int, int],
    holes: float,
) -> None:
    panel = panel_like(lengths, seed, columns=columns[0], holes=holes)
    panel.values[:] += transform == "log"
    ahead, scaled_range = AheadColumns(*columns[1:]), (-1.0, 1.0)
    found = fit_scaling(
        panel,
        method=method,
        scaled_range=scaled_range,
        per=per,
        normalize=normalize,
        transform=transform,
        season=season,
        ahead=ahead,
    )
    expected = one_by_one.units(panel, transform, method, scaled_range, per)
    for numbers, usual in zip(expected, (0.0, 1.0, 1.0), strict=True):
        numbers[:, columns[0] - ahead.calendar :] = usual
    low, high = one_by_one.all_input_ends(panel, expected, normalize, transform, ahead)
    targets = [values[:, 0] for values in one_by_one.known_values(panel, "none")]
    scales = np.array([one_by_one.season_scales(values, season) for values in targets])
    smapes = [one_by_one.season_smape(values, season) for values in targets]
    smapes = [smape for smape in smapes if not np.isnan(smape)]
    arrays = (*expected, low, high, *scales.T)
    names = ("offset", "unit", "step_unit", "input_low", "input_high", "mase_scale", "rmsse_scale")
    for name, wanted in zip(names, arrays, strict=True):
        np.testing.assert_array_equal(getattr(found, name), wanted, err_msg=name)
    known = [set(values[~np.isnan(values)].tolist()) for values in targets]
    assert found.negative.tolist() == [min(values, default=0.0) < 0 for values in known]
    assert found.still.tolist() == [len(values) == 1 for values in known]
    mean = float(np.mean(smapes)) if smapes else 0.0
    assert season_smape(panel, season) == (mean if mean > 0 else 1.0)


@given(LENGTHS, SEEDS, st.sampled_from(["ffill", "interpolate"]), st.sampled_from([0.1, 0.5, 0.95]))
def test_cells_are_filled_and_rows_left_out_as_in_each_series(
    lengths: list[int], seed: int, policy: Missing, holes: float
) -> None:
    panel = panel_like(lengths, seed, columns=2, holes=holes)
    panel.values[~panel.observed] = np.nan
    first = one_by_one.first_complete(panel)
    panel, _ = trim_leading(panel)
    assert panel.lengths.tolist() == (np.cumsum(lengths) - first).tolist()
    inside = np.random.default_rng(seed).integers(0, panel.lengths + 1)
    found, _ = fill_missing(panel, policy, train_end=panel.offsets[:-1] + inside)
    for s in range(len(panel)):
        rows = panel.rows(s)
        for column in range(2):
            wanted = one_by_one.filled(
                panel.values[rows, column], inside[s] if policy == "interpolate" else 0
            )
            np.testing.assert_array_equal(found.values[rows, column], wanted)


RHYTHMS = (
    Frequency("time", DAY),
    Frequency("time", HOUR),
    Frequency("time", DAY, weekdays=(0, 1, 2, 3, 4)),
    Frequency("time", HOUR, weekdays=(0, 1, 2, 3, 4), clock=tuple(hour * HOUR for hour in range(9, 17))),
    Frequency("time", HOUR, zone="Europe/Berlin"),
    Frequency("month", 1, day=0),
    Frequency("month", 1, day=15),
)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
    SEEDS,
    st.sampled_from(RHYTHMS),
    st.sampled_from([DAY, HOUR, 28 * DAY, 17 * HOUR]),
    st.booleans(),
)
def test_holes_are_those_of_each_series(
    lengths: list[int], seed: int, frequency: Frequency, step: int, together: bool
) -> None:
    draw = np.random.default_rng(seed)
    begins = np.zeros(len(lengths), np.int64) if together else draw.integers(0, 10, len(lengths))
    parts = [
        FIRST_DAY + 9 * HOUR + step * (begin + np.sort(draw.choice(2 * n + 1, n, replace=False)))
        for begin, n in zip(begins.tolist(), lengths, strict=True)
    ]
    if draw.random() < 0.5:  # whole series
        parts = [part[:1] + step * np.arange(len(part)) for part in parts]
    times = np.concatenate(parts).astype(np.int64)
    found, off_grid = holes_in(frequency, times, np.cumsum([0, *lengths]))
    expected = [one_by_one.holes(frequency, part) for part in parts]
    wanted = [(s, time) for s, (missing, _) in enumerate(expected) for time in missing]
    assert list(zip(found.series.tolist(), found.times.tolist(), strict=True)) == wanted
    assert off_grid == next((s for s, (_, beside) in enumerate(expected) if beside), None)


@given(LENGTHS, SEEDS, st.sampled_from([0.1, 0.3, 2, "2024-01-09"]), st.sampled_from([0.1, 0.2, 3]))
def test_splits_begin_where_each_series_reaches_the_date(
    lengths: list[int], seed: int, test: float | str, validation: float
) -> None:
    panel = panel_like(lengths, seed)
    draw = np.random.default_rng(seed)
    parts = [FIRST_DAY + DAY * np.sort(draw.choice(200, n, replace=False)) for n in lengths]
    panel.times[:] = np.concatenate(parts)
    found = split_panel(panel, validation=validation, test=test, horizon=1)
    union = np.unique(panel.times)
    for s, times in enumerate(parts):
        if isinstance(test, int):
            wanted = max(len(times) - test, 0)
        else:
            share = -min(max(round(len(union) * test), 1), len(union)) if isinstance(test, float) else 0
            first = union[share] if share else np.datetime64(test, "us").astype(np.int64)
            wanted = int(np.searchsorted(times, first))
        assert found.validation_end[s] - panel.offsets[s] == wanted
        assert panel.offsets[s] <= found.train_end[s] <= found.validation_end[s]


def test_a_panel_of_the_same_series_is_picked_without_a_copy() -> None:
    panel = panel_like([3, 2], 0)
    same = panel.pick([0, 1], ("a", "b"))
    assert np.shares_memory(same.values, panel.values)
    other = panel.pick([1, None, 0], ("b", "c", "a"))
    assert other.values[:, 0].tolist() == [*panel.values[3:, 0], *panel.values[:3, 0]]
    assert other.offsets.tolist() == [0, 2, 2, 5]


@pytest.mark.parametrize("lag", [1, 7])
def test_a_step_from_one_series_to_the_next_is_none(lag: int) -> None:
    from lstm_forecast.data.column_units import differences

    values: NDArray[np.float64] = np.array([1e308, -1e308, 1e308] * 3)
    steps = differences(np.repeat(values, 3), np.arange(0, 28, 3), lag)
    assert np.nan_to_num(steps, nan=-1.0).tolist() == ([-1.0, 0.0, 0.0] * 9 if lag == 1 else [-1.0] * 27)
