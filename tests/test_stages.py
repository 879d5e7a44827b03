"""What a configuration becomes once the data is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_forecast.config import load_config
from lstm_forecast.data.calendars import Frequency, infer_frequency
from lstm_forecast.events import Event, Events
from lstm_forecast.fitting import Plan, plan_training
from lstm_forecast.stages import usual_horizon
from tests.training.jobs import days, momentum, write_csv


def plan(folder: Path, rows: int, *sets: str) -> tuple[Plan, str]:
    """The plan for a bare CSV of so many rows, and the lines that were said."""
    csv = write_csv(folder / "a.csv", {"date": days(rows), "price": momentum(rows)})
    lines: list[str] = []

    def read(event: Event) -> None:
        lines.extend(event.fields.get("lines", []))

    loaded = load_config(None, sets=sets, base={"data.path": str(csv)}, environ={})
    return plan_training(loaded, Events([read])), "\n".join(lines)


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


def test_a_horizon_that_was_set_is_kept(tmp_path: Path) -> None:
    assert plan(tmp_path, 300)[0].config.window.horizon == 7
    assert plan(tmp_path, 300, "window.horizon=2")[0].config.window.horizon == 2


def test_short_data_gets_a_stride_that_gives_an_epoch_eight_steps(tmp_path: Path) -> None:
    short, said = plan(tmp_path, 800, "training.batch_size=16")
    # 640 training rows hold 574 windows of 67 rows; 574 // (8 x 16) = 4: 143 windows, 9 steps an epoch
    assert len(short.prepared.train) == 574
    assert short.config.window.stride == 4
    assert "window.stride: 4, because 10 would leave an epoch fewer than 8 steps" in said


def test_long_data_keeps_the_wide_stride_and_short_data_one_that_was_set(tmp_path: Path) -> None:
    long, said = plan(tmp_path, 800, "training.batch_size=2")
    assert long.config.window.stride == 10
    assert "would leave" not in said
    assert plan(tmp_path, 800, "window.stride=30")[0].config.window.stride == 30


def test_the_found_columns_stand_in_the_configuration(tmp_path: Path) -> None:
    data = plan(tmp_path, 300)[0].config.data
    assert (data.time, data.target, data.series_id) == ("date", "price", None)
