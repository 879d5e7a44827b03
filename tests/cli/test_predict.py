"""``predict``: which rows are read, what comes out and where it goes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from tests.conftest import SMALL, Cli, Tiny, run_cli
from tests.training.jobs import days, momentum, write_csv

DATED = list(zip(days(120), momentum(120), strict=True))
HEADER = "series,date,step,forecast,lo_80,hi_80,source"  # 16 validation rows are too few for 95 %


@pytest.fixture
def predict(cli: Cli, tiny: Tiny) -> Cli:
    """``predict tiny`` with further words."""
    return lambda *words: cli("predict", "tiny", "--runs-dir", tiny.runs, *words)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_stdout_is_the_forecast_as_csv_and_nothing_else(predict: Cli) -> None:
    result = predict()
    assert result.code == 0
    assert result.out.splitlines()[0] == HEADER
    found = rows(result.out)
    # 160 days from 2024-01-01 (a leap year) end on 2024-06-08
    assert [row["date"] for row in found] == ["2024-06-09", "2024-06-10"]
    assert [row["step"] for row in found] == ["1", "2"]
    assert {row["series"] for row in found} == {"value"}
    assert {row["source"] for row in found} == {"model"}
    assert all(abs(float(row["forecast"])) < 1e6 for row in found)
    assert all(float(row["lo_80"]) < float(row["forecast"]) < float(row["hi_80"]) for row in found)
    assert "as of 2024-06-08, run tiny@" in result.err


def test_output_dash_is_the_same_csv_and_a_terminal_gets_a_table(
    predict: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = predict()
    assert predict("--output", "-").out == piped.out
    monkeypatch.setattr("lstm_forecast.cli.predict.is_terminal", lambda _: True)
    shown = predict().out.splitlines()
    assert shown[0].split() == ["date", "step", "forecast", "lo_80", "hi_80", "source"]
    assert shown[1].split()[:2] == ["2024-06-09", "1"]
    # 16 validation rows and as many of the test, forecast 1 and 2 steps ahead
    assert shown[3].startswith("80 %: from 15 to 16 calibration windows; held ")
    assert shown[3].endswith(" of 31 test values")
    assert predict("--output", "-").out == piped.out


def test_json_is_one_document_with_the_promised_fields(predict: Cli, tiny: Tiny, trained_once: Tiny) -> None:
    result = predict("--json")
    document = json.loads(result.out)
    assert set(document) == {"run", "as_of", "input", "rows", "intervals", "gate", "warnings"}
    assert document["run"] == tiny.run.handle
    assert document["as_of"] == "2024-06-08"
    assert document["input"] == str(trained_once.csv)
    assert list(document["rows"][0]) == ["series", "time", "step", "forecast", "lo_80", "hi_80", "source"]
    (interval,) = document["intervals"]
    assert set(interval) == {"level", "windows", "fewest", "coverage", "tested"}
    assert (interval["level"], interval["windows"], interval["fewest"]) == (80, 16, 15)
    assert interval["tested"] == 31
    assert 0 <= interval["coverage"] <= 1
    # the file moves more in its last 8 rows than in the 128 training rows
    steps = np.diff(momentum(160))
    assert not steps[:127].min() <= steps[-7:].min() <= steps[-7:].max() <= steps[:127].max()
    assert [warning["id"] for warning in document["warnings"]] == [
        "predict.no_new_rows",
        "predict.out_of_range",
    ]
    assert [repr(row["forecast"]) for row in document["rows"]] == [
        row["forecast"] for row in rows(predict().out)
    ]


def test_a_csv_file_and_a_json_file_hold_what_stdout_would(predict: Cli) -> None:
    text = predict().out
    for name in ("a.csv", "a.CSV", "a.json"):
        result = predict("--output", name)
        assert (result.code, result.out) == (0, "")
        assert f"wrote 2 rows to {name}" in result.err
    assert Path("a.csv").read_text() == Path("a.CSV").read_text() == text
    assert json.loads(Path("a.json").read_text()) == json.loads(predict("--json").out)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.xlsx", "a.csv.gz"])
def test_another_suffix_is_refused_before_any_work(name: str, predict: Cli) -> None:
    result = predict("--output", name)
    assert (result.code, result.out) == (2, "")
    assert f"error[predict.output]: --output: got '{name}'" in result.err
    assert "as of" not in result.err


def test_row_37_an_existing_output_needs_overwrite(predict: Cli) -> None:
    Path("a.csv").write_text("mine")
    assert predict("--output", "a.csv").code == 18
    assert predict("--output", "a.csv", "--dry-run").code == 18
    assert Path("a.csv").read_text() == "mine"
    assert predict("--output", "a.csv", "--overwrite").code == 0
    assert Path("a.csv").read_text() == predict().out


def test_row_37_a_missing_folder_is_not_made(predict: Cli) -> None:
    result = predict("--output", "none/a.csv")
    assert (result.code, result.out) == (15, "")
    assert "hint: mkdir -p none" in result.err
    assert not Path("none").exists()


def test_row_37_a_folder_is_no_output(predict: Cli) -> None:
    Path("a.csv").mkdir()
    result = predict("--output", "a.csv", "--overwrite")
    assert result.code == 18
    assert "is a folder" in result.err


def test_row_37_the_input_is_never_written(predict: Cli, tiny: Tiny) -> None:
    before = tiny.csv.read_bytes()
    Path("link.csv").symlink_to(tiny.csv)
    os.link(tiny.csv, "hard.csv")
    for name in ("tiny.csv", "link.csv", "hard.csv", "./tiny.csv"):
        result = predict("--data", tiny.csv, "--output", name, "--overwrite")
        assert result.code == 2, name
        assert "is the file the forecast was made from" in result.err
    assert tiny.csv.read_bytes() == before


def test_row_37_a_link_is_written_where_it_points(predict: Cli) -> None:
    Path("target.csv").write_text("old")
    Path("link.csv").symlink_to("target.csv")
    assert predict("--output", "link.csv", "--overwrite").code == 0
    assert Path("link.csv").is_symlink()
    assert Path("target.csv").read_text() == predict().out


def test_with_output_a_runs_folder_that_cannot_be_written_is_enough(
    predict: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(str(path) for path in tiny.runs.rglob("*"))
    assert predict("--output", "a.csv").code == 0
    assert sorted(str(path) for path in tiny.runs.rglob("*")) == before


def test_dry_run_writes_nothing(predict: Cli) -> None:
    result = predict("--output", "a.csv", "--dry-run")
    assert (result.code, result.out) == (0, "")
    assert "would write 2 rows to a.csv" in result.err
    assert not Path("a.csv").exists()


def test_row_45_quiet_says_nothing_but_the_result(predict: Cli) -> None:
    result = predict("-q", "--output", "a.csv")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert predict("-q").err == ""
    assert predict("-q").out.splitlines()[0] == HEADER


def test_it_reads_the_recorded_file_as_it_is_now(predict: Cli, tiny: Tiny, cli: Cli) -> None:
    cli("train", tiny.csv, *SMALL, "--name", "own", "--runs-dir", tiny.runs)
    with tiny.csv.open("a") as file:
        file.write("2024-06-09,500.0\n")
    result = cli("predict", "own", "--runs-dir", tiny.runs)
    assert rows(result.out)[0]["date"] == "2024-06-10"
    assert f"input: {tiny.csv}" in result.err
    assert "predict.no_new_rows" not in result.err
    assert "as of 2024-06-09" in result.err
    tiny.csv.unlink()
    result = cli("predict", "own", "--runs-dir", tiny.runs)
    assert rows(result.out)[0]["date"] == "2024-06-09"
    assert f"input: the run's own rows ({tiny.csv} is not there to be read again)" in result.err
    assert "warning[predict.no_new_rows]: nothing newer than 2024-06-08" in result.err
    document = json.loads(cli("predict", "own", "--runs-dir", tiny.runs, "--json").out)
    assert document["input"] == "context"


def test_the_runs_own_rows_give_the_same_bytes_as_the_file(cli: Cli, tiny: Tiny) -> None:
    cli("train", tiny.csv, *SMALL, "--name", "own", "--runs-dir", tiny.runs)
    from_file = cli("predict", "own", "--runs-dir", tiny.runs).out
    tiny.csv.unlink()
    assert cli("predict", "own", "--runs-dir", tiny.runs).out == from_file


def test_data_is_read_instead_also_packed_and_from_stdin(
    predict: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = write_csv(Path("new.csv"), {"date": days(165), "value": momentum(165)})
    expected = predict("--data", newer)
    assert [row["date"] for row in rows(expected.out)] == ["2024-06-14", "2024-06-15"]
    Path("new.csv.gz").write_bytes(gzip.compress(newer.read_bytes()))
    assert predict("--data", "new.csv.gz").out == expected.out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(newer.read_bytes())))
    piped = predict("--data", "-")
    assert piped.out == expected.out
    assert "input: -" in piped.err


def test_row_35_reordered_columns_and_more_of_them_give_the_same_bytes(predict: Cli, tiny: Tiny) -> None:
    lines = [line.split(",") for line in tiny.csv.read_text().splitlines()]
    Path("other.csv").write_text(
        "".join(f"{v},{n},{d}\n" for n, (d, v) in enumerate(lines)).replace(",0,", ",x,", 1)
    )
    assert predict("--data", "other.csv").out == predict("--data", tiny.csv).out


def test_row_35_a_renamed_column_is_11_with_the_nearest_name(predict: Cli, tiny: Tiny) -> None:
    Path("other.csv").write_text(tiny.csv.read_text().replace("value", "valeu"))
    result = predict("--data", "other.csv")
    assert (result.code, result.out) == (11, "")
    assert "error[data.column]" in result.err
    assert "did you mean 'valeu'?" in result.err


def test_row_35_rows_shorter_than_the_lookback_are_11(predict: Cli, tiny: Tiny) -> None:
    lines = tiny.csv.read_text().splitlines()
    for count, code in ((7, 11), (8, 0)):
        Path("other.csv").write_text("\n".join([lines[0], *lines[-count:]]) + "\n")
        result = predict("--data", "other.csv")
        assert result.code == code
    Path("other.csv").write_text("\n".join([lines[0], *lines[-7:]]) + "\n")
    result = predict("--data", "other.csv")
    assert result.out == ""
    assert "error[data.too_short]: " in result.err
    assert "need at least 8 rows of a series, got 7" in result.err


def panel(cli: Cli, folder: Path, runs: Path) -> list[str]:
    """A run ``shops`` of three series; the lines of its file."""
    lines = [f"{day},{shop},{value}" for shop, seed in (("Aa", 1), ("Bb", 2), ("Cc", 3))
             for day, value in zip(days(120), momentum(120, seed=seed), strict=True)]  # fmt: skip
    (folder / "shops.csv").write_text("\n".join(["date,shop,value", *lines]) + "\n")
    words = ["--series-id", "shop", "--set", "evaluation.gate=none"]
    result = cli("train", "shops.csv", *SMALL, *words, "--runs-dir", runs)
    assert result.code == 0, result.err
    return ["date,shop,value", *lines]


def test_row_35_one_series_of_several_too_short_gets_its_last_value(cli: Cli, tiny: Tiny) -> None:
    lines = panel(cli, tiny.csv.parent, tiny.runs)
    kept = [lines[0], *lines[1:121], *lines[121:126]]
    Path("short.csv").write_text("\n".join(kept) + "\n")
    result = cli("predict", "shops", "--data", "short.csv", "--runs-dir", tiny.runs)
    assert result.code == 0
    found = rows(result.out)
    assert [(row["shop"], row["source"]) for row in found] == [("Aa", "model")] * 2 + [("Bb", "naive")] * 2
    assert [row["forecast"] for row in found[2:]] == [lines[125].split(",")[2]] * 2
    assert "warning[predict.too_short]" in result.err


def test_one_series_is_the_same_alone_and_among_all(cli: Cli, tiny: Tiny) -> None:
    panel(cli, tiny.csv.parent, tiny.runs)
    every = rows(cli("predict", "shops", "--runs-dir", tiny.runs).out)
    alone = rows(cli("predict", "shops", "--series", "Bb", "--runs-dir", tiny.runs).out)
    assert alone == [row for row in every if row["shop"] == "Bb"]


def test_an_unknown_series_gets_the_nearest(cli: Cli, tiny: Tiny) -> None:
    lines = panel(cli, tiny.csv.parent, tiny.runs)
    result = cli("predict", "shops", "--series", "bbb", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (2, "")
    assert "error[predict.series]: --series: no series 'bbb'; the run knows Aa, Bb, Cc" in result.err
    assert "hint: did you mean Bb?" in result.err
    Path("more.csv").write_text(
        "\n".join([*lines, *(line.replace(",Cc,", ",Dd,") for line in lines[241:])]) + "\n"
    )
    words = ("predict", "shops", "--data", "more.csv", "--runs-dir", tiny.runs)
    result = cli(*words)
    assert [row["shop"] for row in rows(result.out)] == [
        name for name in ("Aa", "Bb", "Cc", "Dd") for _ in "12"
    ]
    assert "warning[predict.new_series]: 1 series not seen in training: Dd" in result.err
    new = rows(cli(*words, "--series", "Dd").out)
    assert new == rows(result.out)[6:]
    assert cli(*words, "--fail-on-warning", "predict.new_series").code == 19


@pytest.mark.parametrize("horizon", ["0", "-1", "1000000", "100001"])
def test_row_36_a_horizon_out_of_range_is_2(horizon: str, predict: Cli) -> None:
    result = predict("--horizon", horizon)
    assert (result.code, result.out) == (2, "")
    assert f"error[predict.horizon]: --horizon: got {horizon}, expected 1 to 100,000" in result.err


def test_row_36_another_rhythm_and_a_gap_after_the_training_are_11(predict: Cli, tiny: Tiny) -> None:
    lines = tiny.csv.read_text().splitlines()
    Path("weekly.csv").write_text("\n".join([lines[0], *lines[1::7]]) + "\n")
    Path("late.csv").write_text("\n".join([*lines, "2024-08-01,500"]) + "\n")
    for name in ("weekly.csv", "late.csv"):
        result = predict("--data", name)
        assert (result.code, result.out) == (11, "")
        assert "error[data.gaps]" in result.err


def test_a_longer_horizon_continues_the_shorter_one(predict: Cli) -> None:
    short, long = rows(predict().out), rows(predict("--horizon", "7").out)
    assert long[:2] == short
    assert [row["step"] for row in long] == [str(step) for step in range(1, 8)]


def test_every_way_to_name_a_run_gives_the_same(cli: Cli, tiny: Tiny) -> None:
    Path("tiny.yaml").write_text("data: {path: tiny.csv}\n")
    expected = cli("predict", "tiny", "--runs-dir", tiny.runs).out
    run = tiny.run
    for reference in (
        run.handle,
        f"tiny@{run.id[:16]}",
        f"tiny@{run.id[-6:]}",
        run.path,
        run.path.parent,
        "tiny.yaml",
    ):
        result = cli("predict", reference, "--runs-dir", tiny.runs)
        assert (result.code, result.out) == (0, expected), reference
    os.environ["LSTM_FORECAST_RUNS_DIR"] = str(tiny.runs)
    try:
        assert cli("predict", "tiny").out == expected
    finally:
        del os.environ["LSTM_FORECAST_RUNS_DIR"]
    assert cli("predict", "tiny").out == expected  # runs/ under the working directory


def test_a_newer_run_that_failed_is_a_warning(predict: Cli, tiny: Tiny) -> None:
    newer = tiny.run.path.with_name("29991231T235959Z-abcdef")
    newer.mkdir()
    (newer / "status.json").write_text('{"status": "failed", "exit_code": 14}')
    result = predict()
    assert result.code == 0
    assert f"warning[run.newer_failed]: a newer training of tiny ended badly: {newer.name}" in result.err
    assert predict("--fail-on-warning", "run.newer_failed").code == 19


def test_fail_on_warning_writes_no_output(predict: Cli) -> None:
    result = predict("--fail-on-warning", "predict.no_new_rows", "--output", "a.csv")
    assert (result.code, result.out) == (19, "")
    assert "hint: asked for by --fail-on-warning predict.no_new_rows" in result.err
    assert not Path("a.csv").exists()
    assert predict("--fail-on-warning", "data.constant").code == 0


def test_an_error_in_json_mode_is_an_event_on_stderr(predict: Cli) -> None:
    result = predict("--json", "--horizon", "0")
    assert (result.code, result.out) == (2, "")
    (event,) = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert (event["event"], event["id"], event["exit_code"]) == ("error", "predict.horizon", 2)
    assert {"v", "ts", "t", "level", "message", "where", "hint"} <= set(event)


def test_log_format_json_gives_one_object_per_line(predict: Cli) -> None:
    result = predict("--log-format", "json")
    events = [json.loads(line) for line in result.err.splitlines()]
    assert {"account", "warning"} <= {event["event"] for event in events}
    assert result.out.splitlines()[0] == HEADER


def test_row_42_cron_gives_the_same_bytes_and_no_escape_codes(
    predict: Cli, tiny: Tiny, tmp_path: Path
) -> None:
    here = predict()
    for env in ({"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"},):
        there = run_cli(["predict", "tiny", "--runs-dir", tiny.runs], env=env, cwd=Path("/"))
        assert (there.code, there.out) == (0, here.out)
        assert "\x1b" not in there.out + there.err


def test_row_69_series_that_hold_control_characters_are_shown_and_not_obeyed(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("odd.csv").write_text(
        "date,id,value\n" + "".join(f"{d},{s},{v}\n" for s in ("a\x1b[31m", "b[red]") for d, v in DATED)
    )
    words = [*SMALL, "--series-id", "id", "--set", "run.plots=false", "--runs-dir", tiny.runs]
    assert cli("train", "odd.csv", *words).code == 0
    monkeypatch.setattr("lstm_forecast.cli.predict.is_terminal", lambda _: True)
    result = cli("predict", "odd", "--runs-dir", tiny.runs)
    assert "\x1b" not in result.out + result.err
    table = [line for line in result.out.splitlines() if " %: from " not in line]
    assert {line.split()[0] for line in table} == {"id", "a\\x1b[31m", "b[red]"}
    error = cli("predict", "odd", "--series", "a\x1b[32m", "--runs-dir", tiny.runs).err
    assert "\x1b" not in error
    written = rows(cli("predict", "odd", "--output", "-", "--runs-dir", tiny.runs).out)
    assert {row["id"] for row in written} == {"a\x1b[31m", "b[red]"}  # a file keeps the ids it was given


def test_row_36_a_last_row_beside_the_rhythm_is_11_and_never_a_hang(cli: Cli, tiny: Tiny) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(24 * 40)]
    opened = [hour for hour in hours if hour.weekday() < 5 and 9 <= hour.hour <= 15][:150]
    lines = ["time,value", *(f"{t:%Y-%m-%d %H:%M},{100 + t.hour % 5}" for t in opened)]
    Path("hours.csv").write_text("\n".join(lines) + "\n")
    words = [*SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs]
    assert cli("train", "hours.csv", *words).code == 0
    last = opened[-1] + timedelta(minutes=30)
    Path("late.csv").write_text("\n".join([*lines, f"{last:%Y-%m-%d %H:%M},103"]) + "\n")
    result = cli("predict", "hours", "--data", "late.csv", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (11, "")
    assert "error[data.frequency]: no time after the last row falls on the rhythm of the run" in result.err


def test_an_input_that_is_too_old_gives_11_and_nothing_else(cli: Cli, tiny: Tiny) -> None:
    words = ["predict", "tiny", "--runs-dir", tiny.runs, "--output", "out.csv"]  # rows of 2024
    result = cli(*words, "--max-input-age", "3d")
    assert (result.code, result.out) == (11, "")
    assert "the newest row is " in result.err
    assert "hint: bring the file up to date, or allow more: --max-input-age" in result.err
    assert "newest row: 2024-06-08 00:00:00 local time" in result.err
    assert not (tiny.csv.parent / "out.csv").exists()
    assert cli(*words, "--max-input-age", "36600d").code == 0


def test_the_runs_own_limit_holds_until_the_flag_allows_more(cli: Cli, tiny: Tiny) -> None:
    begin = datetime.now() - timedelta(days=170)  # noqa: DTZ005 - the file's times are local
    days = [(begin + timedelta(days=n)).date().isoformat() for n in range(160)]
    old = tiny.csv.read_text().splitlines()
    fresh = [old[0], *(f"{day},{line.split(',')[1]}" for day, line in zip(days, old[1:], strict=True))]
    tiny.csv.write_text("\n".join(fresh) + "\n")
    limit, runs = ["--set", "data.max_input_age=20d"], ["--runs-dir", tiny.runs]
    assert cli("train", tiny.csv, *SMALL, *limit, "--name", "aged", *runs).code == 0
    assert cli("predict", "aged", *runs).code == 0
    assert cli("predict", "aged", *runs, "--max-input-age", "5d").code == 11
    tiny.csv.write_text("\n".join([old[0], *old[1:]]) + "\n")
    assert cli("predict", "aged", *runs).code == 11
    assert cli("predict", "aged", *runs, "--max-input-age", "36600d").code == 0
    refused = cli("train", tiny.csv, *SMALL, *limit, "--name", "aged", *runs)
    assert refused.code == cli("check", tiny.csv, *limit, "--name", "c").code == 11
    assert "--set data.max_input_age=null" in refused.err
    tiny.csv.unlink()  # the run's own rows are ten days old
    assert cli("predict", "aged", *runs).code == 0
    result = cli("predict", "aged", *runs, "--max-input-age", "9d")
    assert result.code == 11
    assert str(tiny.runs / "aged") in result.err


class Later(datetime):
    """A clock that is three seconds ahead; the creation time of a run has whole seconds."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Later:
        return super().now(tz) + timedelta(seconds=3)


def test_a_run_that_is_too_old_gives_12(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["predict", "tiny", "--runs-dir", tiny.runs]
    assert cli(*words, "--max-model-age", "1d").code == 0
    monkeypatch.setattr(pipeline, "datetime", Later)
    result = cli(*words, "--max-model-age", "1s")
    assert (result.code, result.out) == (12, "")
    assert "error[run.too_old]" in result.err
    assert "--max-model-age 30d" in result.err


@pytest.mark.parametrize("text", ["3", "soon", "-3d", "0s", "0.5s", "nan", "40000d", ""])
def test_a_limit_that_is_no_time_gives_2(text: str, cli: Cli, tiny: Tiny) -> None:
    for flag in ("--max-input-age", "--max-model-age"):
        result = cli("predict", "tiny", "--runs-dir", tiny.runs, flag, text)
        assert (result.code, result.out) == (2, "")
        assert f"{flag}: got {text!r}; expected a time" in result.err
