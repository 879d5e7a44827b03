"""Whole runs on local times and on periods: what is forecast when, what a run keeps, what it never sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_forecast import pipeline
from lstm_forecast.coming import known_ahead
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.events import Events
from lstm_forecast.opening import opened
from lstm_forecast.runs.storage import sha256_of
from tests.conftest import Cli
from tests.data.test_zones import us
from tests.training.jobs import days, files, momentum, trained, write_csv

FORM = "%Y-%m-%d %H:%M"
BERLIN = {"data.timezone": "Europe/Berlin"}
DAILY = {"data.resample.to": "D", "data.resample.how": "sum"}


def hourly(path: Path, start: str, end: str, *, changed_from: int | None = None) -> pd.DatetimeIndex:
    """A file of hourly local times of Berlin before ``end``; later values may be a million times larger."""
    index = pd.date_range(start, end, freq="h", tz="Europe/Berlin", inclusive="left")
    values = momentum(len(index))
    if changed_from is not None:
        values[changed_from:] *= 1e6
    write_csv(path, {"when": index.strftime(FORM).tolist(), "v": values})
    return index


@pytest.mark.parametrize("end", ["2024-10-26 23:00", "2024-10-27 02:00", "2024-03-30 22:00"])
def test_hours_are_dated_through_the_change_of_the_clock(end: str, tmp_path: Path) -> None:
    stop = pd.Timestamp(end, tz="Europe/Berlin") if "02:00" not in end else None
    last = (
        stop if stop is not None else pd.Timestamp("2024-10-27 00:00", tz="UTC").tz_convert("Europe/Berlin")
    )
    index = pd.date_range(end=last, periods=120, freq="h")
    write_csv(tmp_path / "h.csv", {"when": index.strftime(FORM).tolist(), "v": momentum(120)})
    result = trained(tmp_path / "h.csv", BERLIN)
    forecast = pipeline.predict(result.run.path, horizon=8)
    ahead = pd.date_range(last, periods=9, freq="h")[1:]
    assert [row.time for row in forecast.rows] == ahead.strftime(FORM).tolist()
    assert [row.moment for row in forecast.rows] == us(ahead).tolist()


def test_days_of_hours_stay_at_local_midnight_and_new_rows_are_gathered_alike(tmp_path: Path) -> None:
    index = hourly(tmp_path / "h.csv", "2024-07-01", "2024-10-25 15:00")
    result = trained(tmp_path / "h.csv", {**BERLIN, **DAILY})
    forecast = pipeline.predict(result.run.path, horizon=5)
    assert [row.time for row in forecast.rows] == [f"2024-10-{d} 00:00" for d in range(25, 30)]
    assert np.diff([row.moment for row in forecast.rows]).tolist() == [86_400e6, 86_400e6, 90_000e6, 86_400e6]
    # Fifteen hours of the 25th are no day: the newest value known is the sum of the 24th.
    sums = pd.Series(momentum(len(index)), index=index).resample("D").sum()
    assert forecast.rows[0].origin.value == pytest.approx(sums["2024-10-24"])
    hourly(tmp_path / "new.csv", "2024-09-01", "2024-10-29")
    later = pipeline.predict(result.run.path, data=str(tmp_path / "new.csv"))
    assert [row.time for row in later.rows] == ["2024-10-29 00:00", "2024-10-30 00:00"]


def test_later_hours_reach_neither_weights_nor_units_nor_choices(tmp_path: Path) -> None:
    splits = {"split.validation": "2024-10-01", "split.test": "2024-10-15"}
    runs = []
    for name, changed in (("a", None), ("b", 24 * 106)):  # from 15 October on, which is when the test begins
        folder = tmp_path / name
        folder.mkdir()
        index = hourly(folder / "h.csv", "2024-07-01", "2024-10-27", changed_from=changed)
        runs.append(files(trained(folder / "h.csv", {**BERLIN, **DAILY, **splits})))
    assert index[24 * 106].strftime(FORM) == "2024-10-15 00:00"
    for name in ("model.safetensors", "preprocess.json", "history.csv", "calibration", "baseline"):
        assert runs[0][name] == runs[1][name], name


def test_a_run_with_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    hourly(tmp_path / "h.csv", "2024-07-01", "2024-07-06")
    path = trained(tmp_path / "h.csv", BERLIN).run.path
    preprocess = path / "preprocess.json"
    kept = preprocess.read_bytes()
    assert json.loads(kept)["time_format"]["timezone"] == "Europe/Berlin"
    damaged = kept.replace(b"Europe/Berlin", b"../../secret!")
    preprocess.write_bytes(damaged)
    manifest = next(file for file in path.iterdir() if file.name.startswith("MANIFEST"))
    listed = manifest.read_text().replace(sha256_of(kept), sha256_of(damaged))
    manifest.write_text(listed)
    with pytest.raises(ArtifactRejected, match="unknown time zone"):
        pipeline.predict(path)


def test_check_says_what_was_gathered_and_what_was_left_out(cli: Cli, tmp_path: Path) -> None:
    hourly(tmp_path / "h.csv", "2024-07-01", "2024-10-28 15:00")
    sets = [f"--set={key}={value}" for key, value in {**BERLIN, **DAILY}.items()]
    result = cli("check", tmp_path / "h.csv", *sets)
    assert result.code == 0
    assert (
        "resampled to D by sum: 2,872 rows became 119 rows, from 2024-07-01 00:00 to 2024-10-27 00:00;"
        " 1 period left out, because rows at the start or the end are missing (data.resample)"
    ) in result.err
    assert "frequency: daily" in result.err


@pytest.mark.parametrize(
    ("changes", "id", "hint"),
    [
        (["data.resample.to=D"], "config.conflict", "{to: D, how: sum}"),
        (["data.resample.how=sum"], "config.conflict", "{to: D, how: sum}"),
        (["data.resample.to=5D", "data.resample.how=sum"], "data.resample", "15min or h, or D"),
        (["data.timezone=Europe/Berln"], "config.choice", "did you mean Europe/Berlin?"),
    ],
)
def test_what_is_wrong_with_the_keys_is_said(
    changes: list[str], id: str, hint: str, cli: Cli, tmp_path: Path
) -> None:
    write_csv(tmp_path / "h.csv", {"when": [f"2024-01-{d:02}" for d in range(1, 31)], "v": momentum(30)})
    result = cli("check", tmp_path / "h.csv", *(f"--set={change}" for change in changes))
    assert result.code == 2
    assert f"error[{id}]" in result.err
    assert hint in result.err


def test_null_turns_resampling_off_in_a_file(cli: Cli, tmp_path: Path) -> None:
    write_csv(tmp_path / "h.csv", {"when": days(200), "v": momentum(200)})
    config = tmp_path / "job.yaml"
    for text in ("resample: null", "resample: {to: W, how: mean}", "resample: {to: null, how: null}"):
        config.write_text(f"data:\n  path: h.csv\n  {text}\nwindow: {{lookback: 2}}\n")
        result = cli("check", config)
        assert ("resampled to W by mean" in result.err) == ("to: W" in text)


def test_init_writes_both_keys_and_what_it_wrote_trains(cli: Cli, tmp_path: Path) -> None:
    hourly(tmp_path / "h.csv", "2024-07-01", "2024-10-28")
    sets = [f"--set={key}={value}" for key, value in {**BERLIN, **DAILY}.items()]
    written = tmp_path / "job.yaml"
    assert cli("init", tmp_path / "h.csv", "--yes", "--output", written, *sets).code == 0
    text = written.read_text()
    assert "  timezone: Europe/Berlin" in text
    assert "  resample:\n    to: D " in text
    assert text.count("\ndata:\n") == 1
    assert cli("check", written).code == 0


@pytest.mark.parametrize(
    ("form", "zone", "clock"),
    [
        ("%Y-%m-%d %H:%M", "Europe/Berlin", "Europe/Berlin"),
        ("%Y-%m-%dT%H:%M:%SZ", "Europe/Berlin", "Europe/Berlin"),  # moments in UTC, days of Berlin
        ("%Y-%m-%dT%H:%M:%S+05:30", "null", "Asia/Kolkata"),  # no zone: the clock that the cells show
        ("%Y-%m-%d %H:%M", "null", "UTC"),
    ],
)
def test_the_calendar_is_that_of_the_clock(form: str, zone: str, clock: str, tmp_path: Path) -> None:
    """Hour, weekday and holiday of past and future rows, across the change of the clock; by pandas."""
    index = pd.date_range("2024-10-20", periods=160, freq="h", tz="UTC")
    shown = index.tz_convert("UTC" if form.endswith("Z") else clock)
    write_csv(tmp_path / "h.csv", {"when": shown.strftime(form).tolist(), "v": momentum(160)})
    (tmp_path / "days.txt").write_text("2024-10-23\n2024-10-27\n")
    features = {
        "data.timezone": zone,
        "data.calendar_features": "[hour, dayofweek, holiday]",
        "data.holidays": str(tmp_path / "days.txt"),
    }
    run = opened(trained(tmp_path / "h.csv", features).run)
    ahead = known_ahead(run, run.context, (), horizon=24, series=[0], events=Events())
    assert ahead is not None
    told = np.concatenate([run.context.values[:, 1:], ahead[0]])
    moments = np.concatenate([run.context.times, index[-1].value // 1000 + 3_600_000_000 * np.arange(1, 25)])
    local = pd.to_datetime(moments, unit="us", utc=True).tz_convert(clock)
    turns = np.column_stack([(local.hour + local.minute / 60) / 24, local.day_of_week / 7]) * 2 * np.pi
    expected = np.column_stack(
        [np.sin(turns[:, 0]), np.cos(turns[:, 0]), np.sin(turns[:, 1]), np.cos(turns[:, 1])]
    )
    np.testing.assert_allclose(told[:, :4], expected, atol=1e-12)
    assert told[:, 4].tolist() == np.isin(local.strftime("%m-%d"), ["10-23", "10-27"]).tolist()
