"""The panel: gaps and missing cells, against pandas and hand tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.calendars import DAY, EVERY_DAY, Frequency
from lstm_forecast.data.panel import (
    Missing,
    build_panel,
    check_missing,
    drop_missing,
    fill_missing,
    trim_leading,
)
from lstm_forecast.errors import DataInvalid
from tests.data.panels import FIRST_DAY, NAN, panel_of, table_of

DAILY = Frequency("time", DAY)
WORKDAYS = Frequency("time", DAY, weekdays=(0, 1, 2, 3, 4))

cells = st.one_of(st.just(NAN), st.floats(-100, 100))
columns_with_holes = st.lists(cells, min_size=1, max_size=25).map(lambda column: [1.0, *column])


def test_a_panel_knows_its_series_and_rows() -> None:
    panel = panel_of([1, 2, 3], [10, 20])
    assert len(panel) == 2
    assert panel.lengths.tolist() == [3, 2]
    assert panel.values[panel.rows(1), 0].tolist() == [10, 20]


def test_until_is_a_copy_without_anything_later() -> None:
    panel = panel_of([1, 2, 3], [10, 20])
    known = panel.until(np.array([2, 4]))
    assert known.values[:, 0].tolist() == [1, 2, 10]
    assert known.offsets.tolist() == [0, 2, 3]
    known.values[:] = -1
    assert panel.values[:, 0].tolist() == [1, 2, 3, 10, 20]


def test_take_keeps_a_series_that_loses_all_its_rows() -> None:
    taken = panel_of([1, 2], [10], [5, 6]).take(np.array([True, False, False, True, True]))
    assert taken.offsets.tolist() == [0, 1, 1, 3]
    assert taken.series_ids == ("s0", "s1", "s2")


def test_row_9_missing_cells_are_refused_with_count_lines_and_longest_run() -> None:
    pairs = [(0, 1.0), (1, NAN), (2, 2.0), (3, NAN), (4, NAN), (5, NAN), (6, 3.0)]
    with pytest.raises(DataInvalid) as caught:
        check_missing(table_of(pairs))
    assert str(caught.value) == (
        "error[data.missing]: prices.csv:3: 4 empty cells, first in column 'y'; "
        "expected a number in every row\n"
        "  first lines: 3, 5, 6\n"
        "  longest run: 3 rows\n"
        "  hint: set data.missing: ffill, interpolate or drop (--set data.missing=ffill)"
    )
    assert caught.value.code == 11


def test_a_full_table_is_not_refused() -> None:
    check_missing(table_of([(0, 1.0), (1, 2.0)]))


def test_interpolation_is_linear_inside_training_and_repeats_the_last_value_after_it() -> None:
    panel = panel_of([1, NAN, NAN, 4, NAN, 6, NAN, 8])
    filled, notes = fill_missing(panel, "interpolate", train_end=np.array([5]))
    # row 4 is the last of training: the next known value, 6, lies after it
    assert filled.values[:, 0].tolist() == [1, 2, 3, 4, 4, 6, 6, 8]
    assert filled.observed[:, 0].tolist() == [True, False, False, True, False, True, False, True]
    assert notes == ["4 empty cells filled (data.missing: interpolate); they are inputs, never targets"]


@settings(max_examples=60, deadline=None)
@given(column=columns_with_holes, share=st.floats(0, 1))
def test_interpolation_agrees_with_pandas_on_the_training_rows_alone(
    column: list[float], share: float
) -> None:
    end = round(share * len(column))
    filled, _ = fill_missing(panel_of(column), "interpolate", train_end=np.array([end]))
    whole = pd.Series(column)
    training = whole[:end].interpolate("linear", limit_area="inside")
    expected = pd.concat([training, whole[end:]]).ffill()
    np.testing.assert_allclose(filled.values[:, 0], expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(column=columns_with_holes)
def test_ffill_agrees_with_pandas_in_every_series(column: list[float]) -> None:
    other = [5.0, NAN, 7.0]
    filled, _ = fill_missing(panel_of(column, other), "ffill", train_end=np.array([1, len(column) + 1]))
    np.testing.assert_array_equal(filled.values[: len(column), 0], pd.Series(column).ffill())
    assert filled.values[len(column) :, 0].tolist() == [5, 5, 7]


@pytest.mark.parametrize("policy", ["interpolate", "ffill"])
def test_values_after_training_change_nothing_before_its_end(policy: Missing) -> None:
    column = [1, NAN, 3, NAN, NAN, 9, NAN, 2]
    end = np.array([5])
    before, _ = fill_missing(panel_of(column), policy, train_end=end)
    after, _ = fill_missing(panel_of([*column[:5], 9e6, NAN, 2e6]), policy, train_end=end)
    np.testing.assert_array_equal(before.values[:5], after.values[:5])
    assert before.values[5, 0] != after.values[5, 0]


def test_each_column_is_filled_from_itself() -> None:
    panel = panel_of(np.array([[1, 10], [NAN, 20], [3, NAN]]))
    filled, _ = fill_missing(panel, "ffill", train_end=np.array([3]))
    assert filled.values.tolist() == [[1, 10], [1, 20], [3, 20]]


def test_a_panel_without_holes_is_passed_on() -> None:
    panel = panel_of([1, 2])
    assert fill_missing(panel, "error", train_end=np.array([2])) == (panel, [])


def test_policy_error_refuses_the_empty_rows_that_filling_gaps_made() -> None:
    with pytest.raises(DataInvalid) as caught:
        fill_missing(panel_of([1, NAN, 2]), "error", train_end=np.array([2]))
    assert (caught.value.id, caught.value.code) == ("data.missing", 11)
    assert caught.value.hint == "set data.missing: ffill or interpolate beside data.gaps: fill"


def test_drop_leaves_out_every_row_with_an_empty_cell() -> None:
    panel = panel_of(np.array([[1, 10], [NAN, 20], [3, NAN], [4, 40]]), np.array([[5, NAN]]))
    dropped, notes = drop_missing(panel)
    assert dropped.values.tolist() == [[1, 10], [4, 40]]
    assert dropped.offsets.tolist() == [0, 2, 2]
    assert notes == ["3 rows with empty cells left out (data.missing: drop)"]


def test_leading_rows_are_left_out_until_the_first_complete_one() -> None:
    panel = panel_of([NAN, NAN, 3, NAN, 5], [NAN, NAN], [1, 2])
    trimmed, notes = trim_leading(panel)
    np.testing.assert_array_equal(trimmed.values[:, 0], [3, NAN, 5, 1, 2])
    assert trimmed.offsets.tolist() == [0, 3, 3, 5]
    assert notes == ["4 rows before the first complete one left out"]


def test_a_hole_in_a_daily_series_is_an_error_that_names_the_first_missing_day() -> None:
    table = table_of([(0, 1.0), (1, 2.0), (4, 3.0), (5, 3.0)])
    with pytest.raises(DataInvalid) as caught:
        build_panel(table, DAILY, gaps="auto")
    assert str(caught.value) == (
        "error[data.gaps]: prices.csv: 2 times are missing from a series that is daily; "
        "the first is 2024-01-03\n"
        "  hint: set data.gaps: fill (with data.missing: ffill) or keep (--set data.gaps=keep)"
    )


def test_a_hole_in_one_of_several_series_is_named_with_its_series() -> None:
    table = table_of([(0, 1.0), (1, 2.0)], [(0, 1.0), (2, 2.0)])
    with pytest.raises(DataInvalid) as caught:
        build_panel(table, DAILY, gaps="auto")
    assert caught.value.where == "prices.csv, series s1"


def test_gaps_keep_counts_each_row_as_one_step() -> None:
    panel, notes = build_panel(table_of([(0, 1.0), (1, 2.0), (4, 3.0)]), DAILY, gaps="keep")
    assert panel.values[:, 0].tolist() == [1, 2, 3]
    assert notes == []


def test_gaps_fill_puts_an_empty_row_at_every_missing_time_of_every_series() -> None:
    table = table_of([(0, 1.0), (3, 2.0)], [(1, 5.0), (2, 6.0), (4, 7.0)])
    panel, notes = build_panel(table, DAILY, gaps="fill")
    np.testing.assert_array_equal(panel.values[:, 0], [1, NAN, NAN, 2, 5, 6, NAN, 7])
    assert panel.observed[:, 0].tolist() == [True, False, False, True, True, True, False, True]
    assert ((panel.times - FIRST_DAY) // DAY).tolist() == [0, 1, 2, 3, 1, 2, 3, 4]
    assert panel.offsets.tolist() == [0, 4, 8]
    assert notes == ["3 missing times filled with empty rows (data.gaps: fill)"]


def test_gaps_auto_keeps_holidays_on_a_trading_pattern_and_says_how_many() -> None:
    table = table_of([(0, 1.0), (1, 2.0), (4, 3.0), (7, 4.0)])  # Mon Tue Fri Mon
    panel, notes = build_panel(table, WORKDAYS, gaps="auto")
    assert len(panel.times) == 4
    assert notes == ["2 days of the trading pattern have no row: taken as closed (data.gaps)"]


def test_gaps_error_refuses_holidays_too() -> None:
    table = table_of([(0, 1.0), (1, 2.0), (4, 3.0), (7, 4.0)])
    with pytest.raises(DataInvalid) as caught:
        build_panel(table, WORKDAYS, gaps="error")
    assert caught.value.message == (
        "2 times are missing from a series that is daily, Mon-Fri; the first is 2024-01-03"
    )


def test_a_weekend_is_no_gap_on_a_trading_pattern() -> None:
    days = [day for day in range(21) if day % 7 < 5]
    panel, notes = build_panel(table_of([(day, 1.0 * day) for day in days]), WORKDAYS, gaps="error")
    assert len(panel.times) == 15
    assert notes == []


def test_rows_without_a_common_step_are_refused_unless_kept() -> None:
    irregular = Frequency("time", DAY, regular=False)
    table = table_of([(0, 1.0), (1, 2.0), (5, 3.0)])
    with pytest.raises(DataInvalid) as caught:
        build_panel(table, irregular, gaps="auto")
    assert (caught.value.id, caught.value.details) == ("data.irregular", ("median step: 86400 seconds",))
    kept, _ = build_panel(table, irregular, gaps="keep")
    assert len(kept.times) == 3


def test_a_row_between_the_steps_is_refused() -> None:
    every_second = Frequency("time", 2 * DAY, weekdays=EVERY_DAY)
    with pytest.raises(DataInvalid) as caught:
        build_panel(table_of([(0, 1.0), (2, 2.0), (3, 2.5), (4, 3.0)]), every_second, gaps="auto")
    assert caught.value.message == "some rows lie between the steps of a series that is every 2 days"


def test_row_numbers_have_no_gaps() -> None:
    panel, notes = build_panel(table_of([(0, 1.0), (9, 2.0)]), Frequency("row"), gaps="error")
    assert len(panel.times) == 2
    assert notes == []


def test_rows_between_the_steps_are_refused_also_where_missing_times_are_filled() -> None:
    half = FIRST_DAY + DAY // 2
    table = table_of([(0, 1.0), (1, 2.0), (2, 3.0), (5, 4.0)])
    table = replace(table, times=np.sort(np.append(table.times[:-1], half)))
    with pytest.raises(DataInvalid) as caught:
        build_panel(table, DAILY, gaps="fill")
    assert caught.value.message == "some rows lie between the steps of a series that is daily"


def test_the_longest_run_of_empty_cells_ends_with_its_series() -> None:
    table = table_of([(0, 1.0), (1, np.nan)], [(0, np.nan), (1, np.nan), (2, 5.0)])
    with pytest.raises(DataInvalid) as caught:
        check_missing(table)
    assert caught.value.details[1] == "longest run: 2 rows"


def test_rows_after_the_last_target_are_taken_for_those_to_come() -> None:
    with pytest.raises(DataInvalid) as caught:
        check_missing(table_of([(0, 1.0), (1, 2.0), (2, NAN)], [(0, 1.0), (1, NAN), (2, NAN)]))
    assert caught.value.hint.startswith("no target comes after them: remove these rows, or name what is")
    with pytest.raises(DataInvalid) as caught:
        check_missing(table_of([(0, 1.0), (1, NAN), (2, 3.0)], [(0, 1.0), (1, NAN)]))
    assert caught.value.hint.startswith("set data.missing: ffill")
