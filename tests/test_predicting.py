"""The dated forecast: its intervals, how far they reach, and what the network has never seen the like of."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import naming, pipeline
from lstm_forecast.dated import Forecast
from lstm_forecast.errors import DataInvalid, UsageError
from lstm_forecast.events import Events
from lstm_forecast.opening import opened
from tests.training.jobs import days, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS, TRAIN, VALIDATION = 200, 150, 175  # rows; the first of validation, the first of the test
SPLIT = {
    "split.validation": "25",
    "split.test": "25",
    "training.patience": "null",
    "training.lr": "0.01",
    "run.name": "a",
}


def prices(folder: Path, name: str = "a.csv", *, rows: int = ROWS, factor: float = 1.0) -> Path:
    """Rows after the 200th move ``factor`` times as much."""
    steps = np.diff(momentum(rows), prepend=500.0)
    steps[ROWS:] *= factor
    return write_csv(folder / name, {"date": days(rows), "v": 500 + steps.cumsum()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``a``, ``quantiles`` and ``none``, all of one file."""
    folder = tmp_path_factory.mktemp("predicting")
    file = prices(folder)
    trained(file, {**SPLIT, "forecast.intervals.scale": "none"})
    trained(file, {**SPLIT, "run.name": "quantiles", "model.head": "quantile"})
    trained(file, {**SPLIT, "run.name": "none", "forecast.intervals.method": "none"})
    columns = {"date": days(ROWS), "v": momentum(ROWS), "w": momentum(ROWS, seed=5)}
    both = write_csv(folder / "both.csv", columns)
    trained(both, {**SPLIT, "run.name": "both", "data.target": "v", "data.past_covariates": "[w]"})
    return folder


def predict(
    folder: Path,
    run: str = "a",
    *,
    horizon: int | None = None,
    levels: Sequence[float] | None = None,
    data: Path | None = None,
    events: Events | None = None,
) -> Forecast:
    return pipeline.predict(
        run,
        runs_dir=folder / "runs",
        horizon=horizon,
        levels=levels,
        data=None if data is None else str(data),
        events=events,
    )


def test_the_bounds_are_those_of_a_slow_loop_over_the_validation_errors(folder: Path) -> None:
    """Split conformal by hand, without volatility: the k-th smallest error is the half width."""
    chosen = opened(naming.find_reference("a", folder / "runs"))
    values = momentum(ROWS)
    for row in predict(folder, horizon=12).rows:
        errors = []
        for cutoff in range(TRAIN - 1, VALIDATION - row.step):
            window = values[None, cutoff - 7 : cutoff + 1, None]
            forecast = chosen.tested.after(window, np.array([0]), horizon=row.step).point[0, -1]
            errors.append(abs(forecast - values[cutoff + row.step]))
        assert len(errors) == 26 - row.step
        for level, (low, high) in zip((80, 95), row.bounds, strict=True):
            rank = math.ceil((len(errors) + 1) * level / 100)
            if rank > len(errors):
                assert (low, high) == (None, None)
                continue
            width = sorted(errors)[rank - 1]
            assert low == pytest.approx(max(row.forecast - width, 0), rel=1e-6)
            assert high == pytest.approx(row.forecast + width, rel=1e-6)


def test_steps_without_enough_validation_rows_have_empty_bounds_and_say_what_would_help(folder: Path) -> None:
    events = Events()
    forecast = predict(folder, horizon=28, events=events)
    # 25 validation rows: 95 % needs 19 of them, up to step 7; 80 % needs 4, up to step 22
    for level, last in ((0, 22), (1, 7)):
        known = [row.bounds[level] != (None, None) for row in forecast.rows]
        assert known == [True] * last + [False] * (28 - last)
    said = dict(events.warnings)["intervals.uncalibrated"]
    assert said == (
        "no bounds of 80 % from step 23 on, 95 % from step 8 on: those steps were not calibrated; train with"
        " forecast.horizon: 28, and validation rows enough, for bounds there"
    )
    events = Events()
    predict(folder, horizon=7, events=events)
    assert "intervals.uncalibrated" not in dict(events.warnings)


def test_csv_and_json_have_a_column_for_every_bound_and_nothing_where_there_is_none(folder: Path) -> None:
    forecast = predict(folder, horizon=9)
    lines = list(csv.reader(forecast.to_csv().splitlines()))
    assert lines[0] == ["series", "date", "step", "forecast", "lo_80", "hi_80", "lo_95", "hi_95", "source"]
    document = json.loads(forecast.to_json([]))
    for line, row, shown in zip(lines[1:], forecast.rows, document["rows"], strict=True):
        assert list(shown) == ["series", "time", *lines[0][2:]]
        (low, high), wide = row.bounds
        assert [float(cell) for cell in line[3:6]] == [row.forecast, low, high]
        assert [shown[name] for name in ("forecast", "lo_80", "hi_80")] == [row.forecast, low, high]
        if row.step <= 7:
            assert tuple(float(cell) for cell in line[6:8]) == wide == (shown["lo_95"], shown["hi_95"])
        else:
            assert line[6:8] == ["", ""]
            assert (shown["lo_95"], shown["hi_95"]) == (None, None)
    assert [interval["level"] for interval in document["intervals"]] == [80, 95]
    assert {interval["windows"] for interval in document["intervals"]} == {25}


def test_other_levels_can_be_asked_for_where_the_errors_allow_them(folder: Path) -> None:
    forecast = predict(folder, levels=[90, 33.5, 90])
    assert forecast.bound_names == ["lo_33.5", "hi_33.5", "lo_90", "hi_90"]
    for row in forecast.rows:
        (low, high), (lower, higher) = row.bounds
        assert low is not None
        assert high is not None
        assert lower is not None
        assert higher is not None
        assert lower <= low <= row.forecast <= high <= higher
    assert [interval.coverage for interval in forecast.intervals] == [None, None]  # tested were 80 and 95
    usual = predict(folder)
    assert [row.bounds[:1] for row in predict(folder, levels=[80]).rows] == [
        row.bounds[:1] for row in usual.rows
    ]


def test_the_coverage_told_is_that_of_the_steps_forecast(folder: Path) -> None:
    result = opened(naming.find_reference("a", folder / "runs"))
    assert result.calibration is not None
    measured = result.calibration.coverage[80.0]
    for horizon in (1, 2, 5):
        interval = predict(folder, horizon=horizon).intervals[0]
        inside = (measured.share * measured.count)[:horizon].sum()
        assert interval.tested == measured.count[:horizon].sum() == sum(25 - h for h in range(horizon))
        assert interval.coverage == pytest.approx(inside / interval.tested)


def test_a_level_with_too_few_windows_is_11_with_the_highest_that_is_possible(folder: Path) -> None:
    assert predict(folder, levels=[96]).bound_names == ["lo_96", "hi_96"]
    with pytest.raises(DataInvalid) as caught:
        predict(folder, levels=[80, 97])
    assert (caught.value.id, caught.value.code, caught.value.where) == ("intervals.level", 11, "--levels")
    assert caught.value.message == "an interval of 97 % needs 33 calibration windows, the run has 25"
    assert caught.value.hint == "ask for at most 96 %"


def test_a_run_without_intervals_has_none_to_ask_for(folder: Path) -> None:
    assert predict(folder, "none").bound_names == []
    with pytest.raises(UsageError) as caught:
        predict(folder, "none", levels=[80])
    assert (caught.value.id, caught.value.code) == ("predict.levels", 2)
    assert "forecast.intervals.method: none" in caught.value.message


def test_quantile_intervals_have_the_levels_of_their_pairs_and_no_other(folder: Path) -> None:
    forecast = predict(folder, "quantiles", levels=[80])
    assert forecast.bound_names == ["lo_80", "hi_80"]
    with pytest.raises(UsageError) as caught:
        predict(folder, "quantiles", levels=[50])
    assert caught.value.message == "no quantiles of 50 % were trained; expected 80, 95"
    chosen = opened(naming.find_reference("quantiles", folder / "runs"))
    outlook = chosen.in_numpy.at(chosen.context, np.array([ROWS - 1]), np.array([0]), horizon=2)
    assert [row.forecast for row in forecast.rows] == outlook.point[0].tolist()


def test_with_past_covariates_bounds_end_with_the_trained_horizon(folder: Path) -> None:
    forecast = predict(folder, "both")
    assert all(end is not None for row in forecast.rows for pair in row.bounds for end in pair)
    with pytest.raises(UsageError) as caught:
        predict(folder, "both", horizon=3)
    assert caught.value.id == "predict.horizon"


def test_no_bound_falls_below_the_lowest_value_a_forecast_may_have(tmp_path: Path) -> None:
    near_zero = np.abs(momentum(ROWS) - 500) / 100
    file = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": near_zero})
    trained(file, {**SPLIT, "forecast.minimum": "0.02"})
    forecast = predict(tmp_path, horizon=7)
    lows = [low for row in forecast.rows for low, _ in row.bounds]
    assert min(low for low in lows if low is not None) == 0.02


def test_an_interval_is_wider_where_the_rows_moved_more_of_late(tmp_path: Path) -> None:
    calm, wild = prices(tmp_path, "calm.csv", rows=230), prices(tmp_path, "wild.csv", rows=230, factor=5)
    trained(prices(tmp_path), SPLIT)

    def width(data: Path) -> float:
        low, high = predict(tmp_path, data=data).rows[0].bounds[0]
        assert low is not None
        assert high is not None
        return high - low

    assert width(wild) > 2 * width(calm)


def test_the_future_of_the_file_changes_no_bound_of_a_forecast_from_before(
    folder: Path, tmp_path: Path
) -> None:
    """A file that ends earlier gives what the longer one's calibration would give at that row."""
    short = prices(tmp_path, "short.csv", rows=190)
    forecast = predict(folder, "quantiles", data=short)
    table = csv.DictReader(
        (naming.find_reference("quantiles", folder / "runs").path / "predictions" / "test.csv")
        .read_text()
        .splitlines()
    )
    rows = [row for row in table if row["cutoff"] == days(190)[-1]]
    near = pytest.approx  # training computed in torch, the forecast is computed in NumPy
    assert [float(row["forecast"]) for row in rows] == near([row.forecast for row in forecast.rows], rel=1e-6)
    for place, level in enumerate((80, 95)):
        for row, wanted in zip(rows, forecast.rows, strict=True):
            low, high = wanted.bounds[place]
            assert (float(row[f"lo_{level}"]), float(row[f"hi_{level}"])) == near((low, high), rel=1e-6)


# Row 22: what the network was never trained on.


@pytest.mark.parametrize("anchor", ["last", "none"])
def test_row_22_an_input_of_ten_times_the_training_range_is_warned_about_and_forecast(
    anchor: str, tmp_path: Path
) -> None:
    """Of an anchored, differenced model the moves count; else the level."""
    trained(prices(tmp_path), {**SPLIT, "model.anchor": anchor})
    values = momentum(210)
    values[ROWS:] = 500 + 10 * (values[ROWS:] - 400)
    data = write_csv(tmp_path / "new.csv", {"date": days(210), "v": values})
    events = Events()
    forecast = predict(tmp_path, data=data, events=events)
    assert np.isfinite([row.forecast for row in forecast.rows]).all()
    window, known = values[-8:], values[:TRAIN]
    if anchor == "last":
        window, known = np.diff(window, prepend=window[0]), np.diff(known)
    outside = int(((window < known.min()) | (window > known.max())).sum())
    assert outside > 0
    said = dict(events.warnings)["predict.out_of_range"]
    assert said.startswith(
        f"{100 * outside / 8:.2g} % of what the network receives lies outside the range it was "
    )
    assert said.endswith(" after scaling): expect less of this forecast")
    if anchor == "none":
        assert "(0 to 1 after scaling)" in said
        assert outside == 8


def test_row_22_the_ranges_named_are_those_of_the_users_columns(tmp_path: Path) -> None:
    keys = {**SPLIT, "data.target": "v", "model.anchor": "none", "data.calendar_features": "[dayofweek]"}
    both = {"date": days(ROWS), "v": momentum(ROWS), "w": momentum(ROWS, seed=5)}
    data = write_csv(tmp_path / "new.csv", {**both, "v": both["v"] + 1e4})
    for past, limits in (
        ({}, " (0 to 1 after scaling)"),
        ({"data.past_covariates": "[w]"}, " (v, w: 0, 0 to 1, 1 after"),
    ):
        trained(write_csv(tmp_path / "a.csv", both), {**keys, **past})
        events = Events()
        predict(tmp_path, data=data, events=events)
        assert limits in dict(events.warnings)["predict.out_of_range"]


def test_row_22_an_anchored_level_may_leave_its_range_freely(tmp_path: Path) -> None:
    trained(prices(tmp_path), SPLIT)
    same_moves = write_csv(tmp_path / "new.csv", {"date": days(ROWS), "v": momentum(ROWS) + 1e5})
    shifted, usual = Events(), Events()
    far, near = predict(tmp_path, data=same_moves, events=shifted), predict(tmp_path, events=usual)
    ids = [[id for id, _ in events.warnings] for events in (shifted, usual)]
    assert ids[0] == ids[1]
    moved = [row.forecast - 1e5 for row in far.rows]
    assert moved == pytest.approx([row.forecast for row in near.rows], abs=1e-3)


def test_several_series_are_counted_together_and_those_without_a_network_not(tmp_path: Path) -> None:
    names = ["a"] * ROWS + ["b"] * ROWS + ["c"] * 5
    dates = [*days(ROWS), *days(ROWS), *days(ROWS)[-5:]]
    values = np.concatenate([momentum(ROWS), momentum(ROWS, seed=1), [1.0, 9e6, 1.0, 9e6, 1.0]])
    file = write_csv(tmp_path / "a.csv", {"date": dates, "id": names, "v": values})
    trained(file, {**SPLIT, "data.series_id": "id", "split.validation": "0.125", "split.test": "0.125"})
    values[ROWS - 3] += 1e4  # two moves of series a that training never saw
    known = [np.diff(momentum(ROWS, seed=seed)[:TRAIN]) for seed in (0, 1)]
    outside = 0
    for seen, steps in zip((values[:ROWS], values[ROWS : 2 * ROWS]), known, strict=True):
        moves = np.diff(seen[-8:])
        outside += int(((moves < steps.min()) | (moves > steps.max())).sum())
    data = write_csv(tmp_path / "new.csv", {"date": dates, "id": names, "v": values})
    events = Events()
    forecast = predict(tmp_path, data=data, events=events)
    sources = {row.series: row.source for row in forecast.rows}
    assert sources["a"] == sources["b"] == "model"
    assert sources["c"] != "model"
    assert all(row.bounds == ((None, None), (None, None)) for row in forecast.rows if row.series == "c")
    assert outside >= 2
    assert dict(events.warnings)["predict.out_of_range"] == (
        f"{100 * outside / 16:.2g} % of what the network receives lies outside the range it was trained on:"
        " expect less of this forecast"
    )
    assert "predict.too_short" in dict(events.warnings)
