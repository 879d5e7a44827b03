"""What the data decides where the configuration leaves it open, and that it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_forecast.choices import usual_horizon
from lstm_forecast.config import dump_config, load_config, parse_config
from lstm_forecast.data.calendars import Frequency, infer_frequency
from lstm_forecast.errors import DataInvalid
from lstm_forecast.events import Event, Events
from lstm_forecast.fitting import Plan, plan_training
from tests.training.jobs import days, momentum, write_csv


def plan(folder: Path, rows: int, *sets: str) -> tuple[Plan, str, list[tuple[str, str]]]:
    """The plan for a bare CSV of so many rows, the lines that were said, and the warnings."""
    csv = write_csv(folder / "a.csv", {"date": days(rows), "price": momentum(rows)})
    return planned(csv, *sets)


def planned(csv: Path, *sets: str) -> tuple[Plan, str, list[tuple[str, str]]]:
    lines: list[str] = []

    def read(event: Event) -> None:
        lines.extend(event.fields.get("lines", []))

    events = Events([read])
    loaded = load_config(None, sets=sets, base={"data.path": str(csv)}, environ={})
    return plan_training(loaded, events), "\n".join(lines), events.warnings


USUAL = {
    "B": 5,
    "D": 7,
    "h": 24,
    "30min": 48,
    "15min": 96,
    "5min": 12,
    "min": 60,
    "W": 4,
    "MS": 12,
    "QE": 4,
    "YS": 1,
}


@pytest.mark.parametrize(("alias", "steps"), USUAL.items())
def test_a_bare_csv_gets_the_horizon_of_its_frequency(alias: str, steps: int) -> None:
    times = pd.date_range("2024-01-01", periods=400, freq=alias).to_numpy().astype("datetime64[us]")
    assert usual_horizon(infer_frequency([times.astype(np.int64)])) == steps


def test_rows_without_a_calendar_get_a_horizon_of_one() -> None:
    assert usual_horizon(Frequency("row")) == 1
    assert usual_horizon(Frequency("time", 600, regular=False)) == 1


def test_a_single_dated_row_is_too_few_as_a_numbered_one_is(tmp_path: Path) -> None:
    for row in ("date,v\n2024-01-01,5\n", "v\n5\n"):
        (tmp_path / "a.csv").write_text(row)
        with pytest.raises(DataInvalid, match="got 1") as caught:
            planned(tmp_path / "a.csv")
        assert (caught.value.id, caught.value.hint) == ("data.too_short", "give more rows")


def test_a_horizon_that_was_set_is_kept(tmp_path: Path) -> None:
    assert plan(tmp_path, 300)[0].config.window.horizon == 7
    assert plan(tmp_path, 300, "window.horizon=2")[0].config.window.horizon == 2


def test_a_bare_csv_is_fitted_to_all_rows_in_the_end_and_a_configuration_says_for_itself(
    tmp_path: Path,
) -> None:
    bare, said, _ = plan(tmp_path, 300)
    assert bare.config.training.refit == "full"
    assert "training.refit: full, so that the forecast knows the newest rows" in said
    assert plan(tmp_path, 300, "training.refit=none")[0].config.training.refit == "none"
    (tmp_path / "a.yaml").write_text("data: {path: a.csv}\n")
    loaded = load_config(tmp_path / "a.yaml", environ={})
    assert plan_training(loaded, Events()).config.training.refit == "none"


def test_short_data_gets_a_stride_that_gives_an_epoch_eight_steps(tmp_path: Path) -> None:
    short, said, _ = plan(tmp_path, 800, "training.batch_size=16")
    # 640 training rows hold 574 windows of 67 rows; 574 // (8 x 16) = 4: 143 windows, 9 steps an epoch
    assert len(short.prepared.train) == 574
    assert short.config.window.stride == 4
    assert "window.stride: 4, because 10 would leave an epoch fewer than 8 steps" in said
    for told in (said, "\n".join(short.account)):
        assert told.count("window.stride: ") == 1  # not also as what auto was before


def test_long_data_keeps_the_wide_stride_and_short_data_one_that_was_set(tmp_path: Path) -> None:
    long, said, _ = plan(tmp_path, 800, "training.batch_size=2")
    assert long.config.window.stride == 10
    assert "would leave" not in said
    assert plan(tmp_path, 800, "window.stride=30")[0].config.window.stride == 30


def test_the_found_columns_stand_in_the_configuration(tmp_path: Path) -> None:
    data = plan(tmp_path, 300)[0].config.data
    assert (data.time, data.target, data.series_id) == ("date", "price", None)


def weekly(rows: int, *, break_at: int | None = None) -> list[float]:
    """A week with a shape; from ``break_at`` on without one."""
    shape = np.array([0.0, 3.0, 5.0, 4.0, 8.0, -6.0, -9.0])
    noise = np.random.default_rng(1).normal(scale=0.3, size=rows)
    values = 50 + shape[np.arange(rows) % 7] + noise
    if break_at is not None:
        values[break_at:] = 50 + noise[break_at:]
    return [float(value) for value in values]


def steps_of_chance(rows: int) -> np.ndarray:
    return 50 + np.random.default_rng(3).normal(size=rows).cumsum()


def test_the_season_is_the_calendars_or_found_in_the_training_rows_alone(tmp_path: Path) -> None:
    dated, said, _ = plan(tmp_path, 300)
    assert dated.config.data.season == 7
    assert "season: 7 steps, the week of daily rows (data.season)" in said
    given, said, _ = plan(tmp_path, 300, "data.season=5")
    assert given.config.data.season == 5
    assert "season: 5 steps, as set (data.season)" in said
    rows = 250  # without dates: 200 train
    for name, values, season in (
        ("all.csv", weekly(rows), 7),
        ("before.csv", weekly(rows, break_at=200), 7),
        ("after.csv", steps_of_chance(rows), 1),
    ):
        csv = write_csv(tmp_path / name, {"v": np.array(values)})
        assert planned(csv)[0].config.data.season == season, name
    values = steps_of_chance(rows)
    values[200:] = np.array(weekly(rows))[200:] * 1000  # a season that only later rows have
    csv = write_csv(tmp_path / "later.csv", {"v": values})
    assert planned(csv)[0].config.data.season == 1


def test_a_seasonal_anchor_needs_its_season_within_the_lookback(tmp_path: Path) -> None:
    seasonal = plan(tmp_path, 300, "model.anchor=seasonal")
    assert seasonal[0].config.model.anchor == "seasonal"
    # A lookback that nobody set gives way; one that was set does not.
    assert plan(tmp_path, 300, "model.anchor=seasonal", "data.season=90")[0].config.window.lookback == 90
    with pytest.raises(DataInvalid, match="the season has 90 steps, the lookback 60") as caught:
        plan(tmp_path, 300, "model.anchor=seasonal", "data.season=90", "window.lookback=60")
    assert (caught.value.id, caught.value.where) == ("model.anchor", "model.anchor")
    assert caught.value.hint == "set model.anchor: last, or window.lookback: 90"
    with pytest.raises(DataInvalid, match="no season was found") as caught:
        plan(tmp_path, 300, "model.anchor=seasonal", "data.season=1")
    assert caught.value.hint == "set model.anchor: last, or data.season"


def test_what_was_chosen_settles_to_itself(tmp_path: Path) -> None:
    for sets in ((), ("model.head=quantile",), ("data.transform=diff",), ("forecast.intervals.levels=[50]",)):
        config = plan(tmp_path, 300, *sets)[0].config
        text = dump_config(config)
        assert parse_config(text.encode(), where="a").config == config
        (tmp_path / "again.yaml").write_text(text)
        loaded = load_config(tmp_path / "again.yaml", environ={})
        events = Events()
        assert plan_training(loaded, events).config == config
        assert events.warnings == []


@pytest.mark.parametrize(
    ("validation", "levels", "said"),
    [
        (39, (80, 95), ""),
        (19, (80, 95), ""),
        (
            18,
            (80,),
            "no interval of 95 %: 18 calibration windows are too few; the highest possible level is 94 %",
        ),
        (
            4,
            (80,),
            "no interval of 95 %: 4 calibration windows are too few; the highest possible level is 80 %",
        ),
    ],
)
def test_a_default_level_without_enough_windows_is_left_out_and_said(
    validation: int, levels: tuple[float, ...], said: str, tmp_path: Path
) -> None:
    found, _, warnings = plan(
        tmp_path, 300, f"split.validation={validation}", "window.horizon=1", "split.test=10"
    )
    assert found.config.forecast.intervals.levels == levels
    assert found.config.forecast.intervals.method == "conformal"
    assert warnings == ([("intervals.level", said)] if said else [])


def test_without_a_single_possible_level_there_are_no_intervals(tmp_path: Path) -> None:
    sets = ("split.validation=3", "split.test=10", "window.horizon=1", "window.lookback=8")
    found, _, warnings = plan(tmp_path, 300, *sets)
    assert found.config.forecast.intervals.method == "none"
    said = (
        "no interval of 80 % and 95 %: 3 calibration windows are too few; the highest possible level is 75 %"
    )
    assert warnings == [("intervals.level", said)]


def test_a_level_that_was_asked_for_and_cannot_be_is_an_error(tmp_path: Path) -> None:
    sets = ("split.validation=19", "split.test=10", "window.horizon=1")
    assert plan(tmp_path, 300, *sets, "forecast.intervals.levels=[95]")[2] == []
    with pytest.raises(DataInvalid) as caught:
        plan(tmp_path, 300, *sets, "forecast.intervals.levels=[50, 96]")
    assert (caught.value.id, caught.value.code) == ("intervals.level", 11)
    assert caught.value.where == "forecast.intervals.levels"
    assert caught.value.message == (
        "no interval of 96 %: 19 calibration windows are too few; the highest possible level is 95 %"
    )
    assert caught.value.hint == "ask for lower levels, or set a larger split.validation"


def test_rows_that_were_filled_calibrate_nothing(tmp_path: Path) -> None:
    values = momentum(300)
    values[275:277] = np.nan  # 2 of the 20 validation rows
    csv = write_csv(tmp_path / "a.csv", {"date": days(300), "price": values})
    sets = ("split.validation=20", "split.test=10", "window.horizon=1", "data.missing=ffill")
    _, _, warnings = planned(csv, *sets)
    assert [id for id, _ in warnings] == ["intervals.level"]
    assert "18 calibration windows are too few" in warnings[0][1]
