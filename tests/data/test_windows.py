"""Windows against a plain loop over ragged panels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.windows import Windows, thin, windows_in

cuts = st.lists(
    st.tuples(st.integers(0, 20), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5
)  # length of a series; where its part begins and ends


def bounds(series: list[tuple[int, float, float]]) -> tuple[list[int], list[int], list[int]]:
    """Offsets, first target rows and end rows."""
    offsets, first, end = [0], [], []
    for length, one, other in series:
        low, high = sorted((round(one * length), round(other * length)))
        first.append(offsets[-1] + low)
        end.append(offsets[-1] + high)
        offsets.append(offsets[-1] + length)
    return offsets, first, end


def rows_of(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def find(offsets: list[int], first: list[int], end: list[int], *, lookback: int, horizon: int) -> Windows:
    return windows_in(
        rows_of(first), rows_of(end), offsets=rows_of(offsets), lookback=lookback, horizon=horizon
    )


@settings(max_examples=200, deadline=None)
@given(series=cuts, lookback=st.integers(1, 6), horizon=st.integers(1, 4))
def test_windows_are_those_of_a_plain_loop(
    series: list[tuple[int, float, float]], lookback: int, horizon: int
) -> None:
    offsets, first, end = bounds(series)
    expected = []
    for s in range(len(series)):
        for start in range(offsets[s], offsets[s + 1]):
            inputs = range(start, start + lookback)
            targets = range(start + lookback, start + lookback + horizon)
            inside = all(offsets[s] <= row < offsets[s + 1] for row in [*inputs, *targets])
            if inside and all(first[s] <= row < end[s] for row in targets):
                expected.append((start, s))
    found = find(offsets, first, end, lookback=lookback, horizon=horizon)
    assert list(zip(found.start.tolist(), found.series.tolist(), strict=True)) == expected
    assert len(found) == len(expected)


@settings(max_examples=100, deadline=None)
@given(series=cuts, lookback=st.integers(1, 6), horizon=st.integers(1, 4))
def test_a_target_row_lies_in_one_split_only(
    series: list[tuple[int, float, float]], lookback: int, horizon: int
) -> None:
    offsets, one, other = bounds(series)
    starts, ends = offsets[:-1], offsets[1:]
    seen: list[set[int]] = []
    for first, end in ((starts, one), (one, other), (other, ends)):
        found = find(offsets, first, end, lookback=lookback, horizon=horizon)
        seen.append({int(s) + lookback + h for s in found.start for h in range(horizon)})
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]
    assert not seen[0] & seen[2]


def test_inputs_reach_back_over_the_splits_border() -> None:
    found = find([0, 20], [15], [20], lookback=5, horizon=2)
    assert found.start.tolist() == [10, 11, 12, 13]


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    stride=st.integers(1, 7),
    phase=st.integers(0, 6),
)
def test_thinning_takes_every_nth_window_of_each_series(counts: list[int], stride: int, phase: int) -> None:
    phase %= stride
    series = [s for s, count in enumerate(counts) for _ in range(count)]
    windows = Windows(np.arange(100, 100 + len(series)), rows_of(series))
    expected: list[int] = []
    for s, count in enumerate(counts):
        mine = [100 + place for place, owner in enumerate(series) if owner == s]
        expected += mine[phase::stride] if phase < count else mine[-1:]
    thinned = thin(windows, stride=stride, phase=phase)
    assert thinned.start.tolist() == expected
    assert thinned.series.tolist() == [series[start - 100] for start in expected]
    assert set(thinned.series.tolist()) == {s for s, count in enumerate(counts) if count}


def test_the_phases_together_give_every_window_once() -> None:
    windows = Windows(np.arange(50), np.repeat([0, 1], [20, 30]))
    parts = [thin(windows, stride=4, phase=phase).start for phase in range(4)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(50))


def test_the_windows_of_one_series_can_be_asked_for() -> None:
    windows = Windows(np.array([0, 1, 7, 8]), np.array([0, 0, 2, 2]))
    assert windows.of(2).start.tolist() == [7, 8]
    assert len(windows.of(1)) == 0
