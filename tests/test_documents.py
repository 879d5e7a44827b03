"""Held-out forecasts as a table and as JSON: every number beside its name, and none where there is none."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import documents
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling, fit_scaling
from lstm_forecast.documents import (
    finite,
    intervals_document,
    parts_document,
    tidy_csv,
    verdict_document,
)
from lstm_forecast.evaluation.held_out import HeldOut
from lstm_forecast.evaluation.verdict import judge, no_verdict
from tests.data.panels import random_walks

Floats = NDArray[np.float64]
NAN = float("nan")


def scaling_of(panel: Panel) -> Scaling:
    return fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize="diff",
        transform="none",
        season=1,
    )


def made() -> tuple[Panel, HeldOut]:
    """Two forecasts of each of two series, two steps ahead; one value was not observed."""
    panel = random_walks(6, 6)
    rows = np.array([2, 3, 8, 9])
    actual = panel.values[rows[:, None] + [1, 2], 0]
    actual[1, 0] = NAN
    forecast = actual + np.array([[1.0, 2.0], [9.0, 3.0], [-1.0, 0.5], [2.0, -4.0]])
    forecast[1, 0] = 7.0
    last = panel.values[rows, 0]
    naive = np.repeat(last[:, None], 2, axis=1)
    series = np.array([0, 0, 1, 1])
    held = HeldOut(rows, series, panel.times[rows], last, actual, forecast, None, (), {"naive": naive})
    return panel, held


def bounds_of(held: HeldOut) -> dict[float, tuple[Floats, Floats]]:
    wide = (held.forecast - 3.0, held.forecast + 3.0)
    narrow = (held.forecast - 1.0, held.forecast + 1.0)
    narrow[0][:, 1] = narrow[1][:, 1] = NAN
    return {95.0: wide, 33.5: narrow}


def test_the_table_has_a_line_for_every_forecast_value() -> None:
    panel, held = made()
    bounds = bounds_of(held)
    text = b"".join(tidy_csv(held, bounds, panel, TimeFormat("date", "%Y-%m-%d"))).decode()
    lines = list(csv.reader(text.splitlines()))
    assert lines[0] == [
        *("series", "cutoff", "step", "time", "actual", "forecast", "naive"),
        *("lo_95", "hi_95", "lo_33.5", "hi_33.5"),
    ]
    assert len(lines) == 1 + 4 * 2
    day = [f"2024-01-0{number}" for number in range(1, 7)]
    place = 1
    for w, (row, s) in enumerate(zip(held.rows, held.series, strict=True)):
        for h in range(2):
            line = lines[place]
            assert line[:4] == [f"s{s}", day[row - 6 * s], str(h + 1), day[row - 6 * s + 1 + h]]
            numbers = [held.actual[w, h], held.forecast[w, h], held.last[w]]
            numbers += [bounds[95.0][0][w, h], bounds[95.0][1][w, h]]
            numbers += [bounds[33.5][0][w, h], bounds[33.5][1][w, h]]
            assert line[4:] == ["" if np.isnan(n) else repr(float(n)) for n in numbers]
            place += 1


def test_a_table_of_nothing_is_its_header() -> None:
    panel, held = made()
    nothing = held.part(np.zeros(4, dtype=bool))
    pieces = tidy_csv(nothing, {}, panel, TimeFormat("date", "%Y-%m-%d"))
    assert b"".join(pieces) == b"series,cutoff,step,time,actual,forecast,naive\n"


def test_a_table_is_the_same_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, held = made()
    whole = b"".join(tidy_csv(held, {}, panel, TimeFormat("date", "%Y-%m-%d")))
    monkeypatch.setattr("lstm_forecast.documents._PIECE", 5)
    pieces = list(tidy_csv(held, {}, panel, TimeFormat("date", "%Y-%m-%d")))
    assert len(pieces) == 3
    assert b"".join(pieces) == whole


def test_errors_by_step_and_series_are_those_of_their_cells() -> None:
    panel, held = made()
    document = parts_document(held, scaling_of(panel), panel.series_ids)
    assert document["by_step"]["model"]["mae"] == pytest.approx([4 / 3, 9.5 / 4])
    assert document["by_step"]["model"]["bias"] == pytest.approx([2 / 3, 1.5 / 4])
    assert document["by_series"]["model"]["s0"]["mae"] == pytest.approx(6 / 3)
    assert document["by_series"]["model"]["s1"]["mae"] == pytest.approx(7.5 / 4)
    assert set(document["by_step"]) == set(document["by_series"]) == {"model", "naive"}
    json.dumps(document, allow_nan=False)


def test_of_one_series_or_very_many_there_is_no_table_by_series(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, held = made()
    first = panel.take(np.arange(12) < 6)
    one = held.part(np.array([0, 1]))
    assert "by_series" not in parts_document(one, scaling_of(first), ["s0"])
    monkeypatch.setattr(documents, "MOST_SERIES", 1)
    assert "by_series" not in parts_document(held, scaling_of(panel), panel.series_ids)


def test_intervals_are_measured_by_level_where_value_and_bounds_are_known() -> None:
    _, held = made()
    document = intervals_document(held, bounds_of(held))
    wide, narrow = document["levels"]
    # errors 1, 2, -, 3, 1, 0.5, 2, 4 against a half width of 3; and 1, -, 1, 2 at step 1 against 1
    assert (wide["level"], wide["coverage"], wide["width"]) == (95, pytest.approx(6 / 7), pytest.approx(6))
    assert (narrow["level"], narrow["coverage"]) == (33.5, pytest.approx(2 / 3))
    assert wide["interval_score"] == pytest.approx(6 + (2 / 0.05) * 1 / 7)
    # the lines of the pinball loss between its levels, in the cells that have all five of them
    levels = [0.0, 0.025, 0.3325, 0.5, 0.6675, 0.975, 1.0]
    scores = []
    for error in (1.0, -1.0, 2.0):
        ends = [error - 3, error - 1, error, error + 1, error + 3]  # quantile less actual value
        losses = [max(-q * e, (1 - q) * e) for q, e in zip(levels[1:-1], ends, strict=True)]
        scores.append(np.trapezoid([0.0, *(2 * loss for loss in losses), 0.0], levels))
    assert document["crps"] == pytest.approx(np.mean(scores))
    assert intervals_document(held, {}) == {"levels": [], "crps": None}
    unknown = {95.0: (np.full((4, 2), NAN), np.full((4, 2), NAN))}
    assert intervals_document(held, unknown)["levels"][0] == {
        "level": 95,
        "coverage": None,
        "width": None,
        "interval_score": None,
    }


def test_a_metric_that_is_not_defined_is_null_with_its_reason() -> None:
    panel, held = made()
    verdict = judge(
        held.truth(scaling_of(panel)), {"model": held.forecast, **held.baselines}, baseline="naive"
    )
    document = json.loads(json.dumps(verdict_document(verdict), allow_nan=False))
    assert document["verdict"] == "ties"
    assert document["p_value"] is None
    for model, row in document["metrics"].items():
        nulls = {name for name, value in row.items() if value is None}
        assert nulls == set(document["undefined"].get(model, {})), model
    assert document["undefined"]["naive"]
    assert document["seeds"] is None


def test_without_a_verdict_the_document_says_so() -> None:
    document = verdict_document(no_verdict())
    assert (document["verdict"], document["metrics"]) == (None, {})
    assert document["sentence"] == "No verdict: there is no test split (split.test: 0)."


def test_only_numbers_that_json_knows_are_written() -> None:
    assert [finite(value) for value in (1.5, NAN, float("inf"), None)] == [1.5, None, None, None]
