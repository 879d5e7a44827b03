"""Parts that overlap are found, and later rows of a table are changed and no others."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_forecast.data.calendars import DAY
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.windows import Windows
from lstm_forecast.evaluation.separation import (
    CHANGES,
    Change,
    Overlap,
    changed_table,
    first_overlap,
    last_table_rows,
    newest_windows,
    part_times,
    rows_before,
    table_rows_from,
    target_rows,
)
from tests.data.panels import FIRST_DAY, NAN, panel_of, table_of


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def day(number: int) -> int:
    return FIRST_DAY + number * DAY


PANEL = panel_of([1.0] * 10, [2.0] * 6, first_days=[0, 4])  # rows 0-9 on days 0-9, rows 10-15 on days 4-9


def test_parts_that_follow_each_other_at_one_date_do_not_overlap() -> None:
    times = part_times(PANEL, Splits(ints(6, 12), ints(8, 14)))
    assert [found.tolist() for found in times["validation"]] == [[day(6), day(7)], [day(6), day(7)]]
    assert first_overlap(times, [0, 1]) is None


def test_a_border_that_differs_between_series_is_an_overlap() -> None:
    times = part_times(PANEL, Splits(ints(6, 13), ints(8, 14)))
    assert first_overlap(times, [0, 1]) == Overlap("train", day(6), "validation", day(6))
    assert first_overlap(times, [0]) is None
    assert first_overlap(times, [1]) is None


def test_without_validation_rows_train_is_compared_with_test() -> None:
    times = part_times(PANEL, Splits(ints(8, 15), ints(8, 15)))
    assert first_overlap(times, [0, 1]) == Overlap("train", day(8), "test", day(8))


def test_target_rows_are_the_chosen_steps_of_the_windows() -> None:
    windows = Windows(ints(0, 4), ints(0, 0))
    assert np.flatnonzero(target_rows(windows, 10, first=2, end=4)).tolist() == [2, 3, 6, 7]


def test_rows_before_are_counted_in_each_series() -> None:
    assert np.flatnonzero(rows_before(PANEL, ints(2, 11))).tolist() == [0, 1, 10]
    kept, truncated = PANEL.take(rows_before(PANEL, ints(2, 11))), PANEL.until(ints(2, 11))
    assert kept.times.tolist() == truncated.times.tolist()


def test_rows_of_the_table_are_found_by_time_where_the_panel_has_others() -> None:
    """The panel left out the first row of series 0 and filled one in series 1."""
    table = table_of([(0, NAN), (1, 1.0), (2, 2.0), (3, 3.0)], [(1, 1.0), (3, 3.0), (4, 4.0)])
    panel = panel_of([1.0, 2.0, 3.0], [1.0, NAN, 3.0, 4.0], first_days=[1, 1])
    assert np.flatnonzero(table_rows_from(table, panel, ints(1, 4))).tolist() == [2, 3, 5, 6]
    assert np.flatnonzero(table_rows_from(table, panel, ints(3, 6))).tolist() == [6]


def test_the_last_known_row_before_a_border_is_not_a_filled_one() -> None:
    table = table_of([(1, 1.0), (2, 2.0), (3, 3.0)], [(1, 1.0), (3, 3.0), (4, 4.0)])
    panel = panel_of([1.0, 2.0, 3.0], [1.0, NAN, 3.0, 4.0], first_days=[1, 1])
    assert np.flatnonzero(last_table_rows(table, panel, ints(2, 5))).tolist() == [1, 3]
    assert np.flatnonzero(last_table_rows(table, panel, ints(0, 6))).tolist() == [4]


@pytest.mark.parametrize("change", CHANGES)
def test_only_the_marked_rows_are_changed_and_empty_cells_stay_empty(change: Change) -> None:
    table = table_of([(0, 1.0), (1, -2.0), (2, NAN), (3, 4.0)])
    rows = np.array([False, True, True, True])
    changed = changed_table(table, rows, change, positive=False).values[:, 0]
    assert changed[0] == 1
    assert np.isnan(changed[2])
    assert table.values[1, 0] == -2
    assert all(abs(changed[[1, 3]]) >= 4)
    assert all(changed_table(table, rows, change, positive=True).values[[1, 3], 0] > 0)


def test_rows_grow_a_million_times_and_stay_finite() -> None:
    table = table_of([(0, 1.5), (1, -1e305)])
    changed = changed_table(table, np.array([True, True]), "times 1,000,000", positive=False)
    assert changed.values[:, 0].tolist() == [1.5e6, -1e300]


def test_noise_changes_even_a_column_of_zeros() -> None:
    table = table_of([(n, 0.0) for n in range(50)])
    changed = changed_table(table, np.arange(50) >= 10, "replaced by noise", positive=False).values[:, 0]
    assert (changed[:10] == 0).all()
    assert ((np.abs(changed[10:]) >= 1) & (np.abs(changed[10:]) <= 2)).all()
    assert (changed[10:] < 0).any()
    assert (changed[10:] > 0).any()


def test_the_newest_windows_of_each_series_are_kept() -> None:
    windows = Windows(ints(0, 1, 2, 3, 20, 40, 41, 42), ints(0, 0, 0, 0, 1, 3, 3, 3))
    kept = newest_windows(windows, 6)
    assert kept.start.tolist() == [2, 3, 20, 41, 42]
    assert kept.series.tolist() == [0, 0, 1, 3, 3]
    assert newest_windows(windows, 1).start.tolist() == [3, 20, 42]
    assert newest_windows(windows, 100).start.tolist() == windows.start.tolist()
