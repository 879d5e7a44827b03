"""Splits by time, and how many rows they need, against counting by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.calendars import DAY
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Share, Splits, check_lengths, rows_needed, split_panel
from lstm_forecast.data.windows import windows_in
from lstm_forecast.errors import DataInvalid
from tests.data.panels import FIRST_DAY, panel_of

shares = st.one_of(st.floats(0.02, 0.4), st.integers(6, 15))


def flat(length: int) -> list[float]:
    return [float(value) for value in range(length)]


def counts(panel: Panel, splits: Splits) -> list[tuple[int, int, int]]:
    """Rows to train, validate and test, of each series."""
    parts = zip(panel.offsets[:-1], splits.train_end, splits.validation_end, panel.offsets[1:], strict=True)
    return [(int(train - first), int(valid - train), int(end - valid)) for first, train, valid, end in parts]


@pytest.mark.parametrize(
    ("rows", "validation", "test", "horizon", "expected"),
    [
        (100, 0.1, 0.1, 1, (80, 10, 10)),
        (100, 0.1, 0, 1, (90, 10, 0)),
        (100, 0, 0.1, 1, (90, 0, 10)),
        (30, 0, 4, 2, (26, 0, 4)),
        (30, 0, "2024-01-20", 1, (19, 0, 11)),
        (30, 0, 0, 2, (30, 0, 0)),
        (100, 0.25, 0.15, 1, (60, 25, 15)),
        (103, 0.1, 0.1, 1, (83, 10, 10)),
        (20, 0.1, 0.1, 5, (10, 5, 5)),
        (30, 7, 4, 2, (19, 7, 4)),
        (30, 0.2, 4, 2, (20, 6, 4)),
        (30, 4, 0.2, 2, (20, 4, 6)),
        (30, "2024-01-15", "2024-01-20", 1, (14, 5, 11)),
        (30, 0.1, "2024-01-20", 1, (16, 3, 11)),
        (30, "2024-01-15", 6, 1, (14, 10, 6)),
    ],
)
def test_one_series_is_cut_into_the_parts_asked_for(
    rows: int, validation: Share, test: Share, horizon: int, expected: tuple[int, int, int]
) -> None:
    panel = panel_of(flat(rows))
    splits = split_panel(panel, validation=validation, test=test, horizon=horizon)
    assert counts(panel, splits) == [expected]


def test_a_fraction_is_taken_of_the_union_of_the_times() -> None:
    # days 0-49 and 30-99: the union has 100 days, so test begins on day 90 and validation on day 80
    panel = panel_of(flat(50), flat(70), first_days=[0, 30])
    splits = split_panel(panel, validation=0.1, test=0.1, horizon=1)
    assert counts(panel, splits) == [(50, 0, 0), (50, 10, 10)]


def test_a_count_is_taken_of_each_series() -> None:
    panel = panel_of(flat(50), flat(70), first_days=[0, 30])
    splits = split_panel(panel, validation=5, test=8, horizon=1)
    assert counts(panel, splits) == [(37, 5, 8), (57, 5, 8)]


def test_a_date_is_one_date_for_all_series() -> None:
    panel = panel_of(flat(20), flat(25), first_days=[0, 5])
    splits = split_panel(panel, validation="2024-01-11", test="2024-01-16", horizon=1)
    assert counts(panel, splits) == [(10, 5, 5), (5, 5, 15)]


def test_a_series_shorter_than_a_count_gives_what_it_has() -> None:
    panel = panel_of(flat(3), flat(30))
    splits = split_panel(panel, validation=5, test=5, horizon=1)
    assert counts(panel, splits) == [(0, 0, 3), (20, 5, 5)]


@pytest.mark.parametrize("test", ["2023-01-01", "2024-01-01"])
@pytest.mark.parametrize("validation", [0.1, 5])
def test_a_test_date_before_every_row_leaves_nothing_and_does_not_crash(test: str, validation: Share) -> None:
    panel = panel_of(flat(30), flat(10))
    splits = split_panel(panel, validation=validation, test=test, horizon=1)
    assert counts(panel, splits) == [(0, 0, 30), (0, 0, 10)]


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    firsts=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    validation=st.floats(0.02, 0.45),
    test=st.floats(0.02, 0.45),
    horizon=st.integers(1, 5),
)
def test_with_fractions_no_series_trains_on_anothers_later_rows(
    lengths: list[int], firsts: list[int], validation: float, test: float, horizon: int
) -> None:
    panel = panel_of(*map(flat, lengths), first_days=firsts[: len(lengths)])
    splits = split_panel(panel, validation=validation, test=test, horizon=horizon)
    parts: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    for s in range(len(panel)):
        for row in range(int(panel.offsets[s]), int(panel.offsets[s + 1])):
            part = int(row >= splits.train_end[s]) + int(row >= splits.validation_end[s])
            parts[part].add(int(panel.times[row]))
    train, valid, last = parts
    assert not valid or not train or max(train) < min(valid)
    assert not last or not valid or max(valid) < min(last)
    union = sorted(set(panel.times.tolist()))
    size = max(round(test * len(union)), horizon)
    assert last == set(union[-size:])


def test_a_count_below_the_horizon_is_refused() -> None:
    with pytest.raises(DataInvalid) as caught:
        split_panel(panel_of(flat(50)), validation=10, test=3, horizon=5)
    assert str(caught.value) == (
        "error[split.too_short]: split.test: 3 rows are fewer than one horizon of 5\n"
        "  hint: set split.test: 5 or more"
    )
    with pytest.raises(DataInvalid) as caught:
        split_panel(panel_of(flat(50)), validation=4, test=0, horizon=5)
    assert caught.value.where == "split.validation"


@pytest.mark.parametrize("validation", ["2024-01-20", "2024-01-25"])
def test_validation_must_begin_before_test(validation: str) -> None:
    with pytest.raises(DataInvalid) as caught:
        split_panel(panel_of(flat(40)), validation=validation, test="2024-01-20", horizon=1)
    assert (caught.value.id, caught.value.code) == ("split.order", 11)
    assert caught.value.message == (
        f"validation begins at {validation} and test at 2024-01-20; expected validation first"
    )


def test_a_date_may_carry_a_clock_time() -> None:
    panel = panel_of(flat(40))
    splits = split_panel(panel, validation="2024-01-10T12:00:00", test=5, horizon=1)
    assert int(panel.times[splits.train_end[0]]) == FIRST_DAY + 10 * DAY


def has_windows(rows: int, *, lookback: int, horizon: int, validation: Share, test: Share) -> bool:
    """Whether a series of this length really gives a training and a validation window."""
    if rows < 1:
        return False
    panel = panel_of(flat(rows))
    splits = split_panel(panel, validation=validation, test=test, horizon=horizon)
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    bounds = [(starts + lookback, splits.train_end)]
    bounds += [(splits.train_end, splits.validation_end)] if validation else []
    bounds += [(splits.validation_end, ends)] if test else []
    return all(
        len(windows_in(first, end, offsets=panel.offsets, lookback=lookback, horizon=horizon)) > 0
        for first, end in bounds
    )


@settings(max_examples=60, deadline=None)
@given(
    lookback=st.integers(1, 12),
    horizon=st.integers(1, 5),
    validation=st.one_of(shares, st.just(0)),
    test=st.one_of(shares, st.just(0)),
)
def test_the_rows_needed_are_those_found_by_trying_every_length(
    lookback: int, horizon: int, validation: Share, test: Share
) -> None:
    found = next(
        rows
        for rows in range(1, 2000)
        if has_windows(rows, lookback=lookback, horizon=horizon, validation=validation, test=test)
    )
    assert rows_needed(lookback=lookback, horizon=horizon, validation=validation, test=test) == found


def test_a_length_is_refused_exactly_when_it_gives_no_windows() -> None:
    """Also just above the shortest that does: 74 rows train with lookback 59, 75 do not, since both tenths
    round up at once."""
    for rows in range(50, 100):
        panel = panel_of(flat(rows))
        refused = False
        try:
            check_lengths(panel, lookback=59, horizon=1, validation=0.1, test=0.1, where="a.csv")
        except DataInvalid as error:
            refused = error.id == "data.too_short"
        assert refused != has_windows(rows, lookback=59, horizon=1, validation=0.1, test=0.1), rows


def test_row_2_too_few_rows_are_refused_with_the_arithmetic_and_a_lookback_that_trains() -> None:
    with pytest.raises(DataInvalid) as caught:
        check_lengths(
            panel_of(flat(36)), lookback=60, horizon=1, validation=0.1, test=0.1, where="prices.csv"
        )
    # 77 - 8 - 8 = 61 = 60 + 1; and 36 - 4 - 4 = 28 rows have 14 windows of 14 steps and 1 ahead
    assert str(caught.value) == (
        "error[data.too_short]: prices.csv: need at least 77 rows, got 36\n"
        "  lookback 60 + horizon 1 = 61 rows to train on,\n"
        "  then validation 0.1 and test 0.1, each at least one horizon\n"
        "  hint: --lookback 14 would train"
    )
    assert caught.value.code == 11


@pytest.mark.parametrize(
    ("rows", "horizon", "hint"),
    [
        (36, 12, "--horizon 7 --lookback 8 would train"),  # 36 - 7 - 7 = 22: 8 windows of 8 + 7
        (17, 4, "--lookback 5 would train"),  # 17 - 4 - 4 = 9: 1 window of 5 + 4; roomier is shorter than 4
        (5, 4, "--horizon 1 --lookback 1 would train"),
        (3, 1, "give more rows"),
    ],
)
def test_the_advice_is_the_longest_horizon_with_a_lookback_that_leaves_room(
    rows: int, horizon: int, hint: str
) -> None:
    with pytest.raises(DataInvalid) as caught:
        check_lengths(
            panel_of(flat(rows)), lookback=60, horizon=horizon, validation=0.1, test=0.1, where="a.csv"
        )
    assert caught.value.hint == hint


def test_one_long_series_is_enough() -> None:
    panel = panel_of(flat(5), flat(100))
    check_lengths(panel, lookback=60, horizon=1, validation=0.1, test=0.1, where="a.csv")
    assert np.array_equal(panel.lengths, [5, 100])
