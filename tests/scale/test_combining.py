"""Forecasts of several jobs as one table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

from lstm_forecast import pipeline
from lstm_forecast.scale.combining import combined_csv, packed, unpacked
from tests.conftest import Tiny


def test_a_forecast_comes_back_from_its_text_bit_for_bit(tiny: Tiny) -> None:
    forecast = pipeline.predict("tiny", runs_dir=tiny.runs, horizon=4)
    first, *others = forecast.rows
    assert first.bounds[0][0] is not None
    forecast = replace(forecast, rows=(replace(first, bounds=((None, None), *first.bounds[1:])), *others))
    assert unpacked(json.loads(json.dumps(packed(forecast)))) == forecast


def test_one_table_has_the_name_before_the_columns_of_each_job(tiny: Tiny) -> None:
    one = pipeline.predict("tiny", runs_dir=tiny.runs)
    other = replace(one, time_name="day, or so", rows=one.rows[:1])
    narrow = replace(one, intervals=one.intervals[:0], rows=tuple(replace(r, bounds=()) for r in one.rows))
    text = combined_csv({"one": one, "other": other, "narrow": narrow})
    header, *rows = csv.reader(io.StringIO(text))
    own = list(csv.reader(io.StringIO(one.to_csv())))
    assert header == ["name", *own[0], "day, or so"]
    assert [row[0] for row in rows] == ["one", "one", "other", "narrow", "narrow"]
    assert [row[1:-1] for row in rows[:2]] == own[1:]
    time = own[0].index("date") + 1
    assert (rows[2][time], rows[2][-1]) == ("", own[1][time - 1])
    assert rows[3][own[0].index("lo_80") + 1] == ""


def test_row_66_a_table_for_a_spreadsheet_runs_no_name(tiny: Tiny) -> None:
    one = pipeline.predict("tiny", runs_dir=tiny.runs)
    one = replace(one, time_name="=now()", rows=tuple(replace(row, series="@SUM(1)") for row in one.rows))
    text = combined_csv({"-cmd": one}, excel=True)
    assert text.startswith("\ufeffname,")
    header, *rows = csv.reader(io.StringIO(text[1:]))
    assert "'=now()" in header
    assert {(row[0], row[1]) for row in rows} == {("'-cmd", "'@SUM(1)")}
    plain = list(csv.reader(io.StringIO(combined_csv({"-cmd": one}))))
    assert (plain[1][0], plain[1][1]) == ("-cmd", "@SUM(1)")
    assert [row[3:] for row in rows] == [row[3:] for row in plain[1:]]  # numbers are left alone
