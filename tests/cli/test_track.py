"""``predict --record`` and ``track`` as they are typed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Cli, Result, Tiny
from tests.forked import Warm
from tests.training.jobs import days, momentum, write_csv


@pytest.fixture
def newer(tiny: Tiny) -> Path:
    """One of the two forecast days has come."""
    return write_csv(tiny.csv.parent / "newer.csv", {"date": days(161), "value": momentum(161)})


@pytest.fixture
def do(cli: Cli, tiny: Tiny) -> Cli:
    """A command on the tiny run with further words."""
    return lambda command, *words: cli(command, "tiny", "--runs-dir", tiny.runs, *words)


def test_recording_changes_no_output_and_a_second_time_adds_nothing(do: Cli, tiny: Tiny) -> None:
    plain = do("predict", "-q").out
    assert not (tiny.runs / "ledger.sqlite").exists()  # only --record writes it
    first, second = do("predict", "--record"), do("predict", "--record", "--output", "a.csv")
    assert (first.code, second.code) == (0, 0)
    assert first.out == plain == Path("a.csv").read_text()
    assert "  recorded 2 forecasts\n" in first.err
    assert second.err.endswith("  recorded 0 forecasts; recorded before: 2\n")


def test_a_dry_run_and_a_refused_output_record_nothing(do: Cli, tiny: Tiny) -> None:
    assert "would record 2 forecasts" in do("predict", "--record", "--dry-run").err
    Path("a.csv").write_text("mine")
    assert do("predict", "--record", "--output", "a.csv").code == 18
    assert do("predict", "--record", "--fail-on-warning", "predict.no_new_rows").code == 19
    assert not (tiny.runs / "ledger.sqlite").exists()


def test_nobody_was_told_so_nothing_is_recorded(tiny: Tiny, warm: Warm) -> None:
    done = warm.run(["predict", "tiny", "--runs-dir", tiny.runs, "--record"], out=Path("/dev/full"))
    assert done.code == 15
    assert "No space left" in done.err
    assert not (tiny.runs / "ledger.sqlite").exists()


def test_piped_it_is_csv(do: Cli, newer: Path) -> None:
    do("predict", "--record")
    result = do("track", "--data", newer)
    assert result.code == 0
    assert f"  input: {newer}\n  stored 1 new actual value\n" in result.err
    rows = list(csv.DictReader(result.out.splitlines()))
    assert list(rows[0]) == ["by", "group", "count", "mae", "naive_mae", "skill", "bias", "coverage_80"]
    found = [(row["by"], row["group"], row["count"]) for row in rows]
    assert found == [("all", "", "1"), ("step", "1", "1"), ("step", "2", "0"), ("month", "2024-06", "1")]
    truth = momentum(161)
    assert float(rows[0]["naive_mae"]) == abs(truth[160] - truth[159])
    assert float(rows[0]["skill"]) == 1 - float(rows[0]["mae"]) / float(rows[0]["naive_mae"])
    assert rows[2]["mae"] == ""
    assert do("track", "-q", "--data", newer).err == ""


def test_json_is_one_document(do: Cli, newer: Path, tiny: Tiny) -> None:
    do("predict", "--record")
    document = json.loads(do("track", "--data", newer, "--json").out)
    assert list(document)[:8] == ["run", "input", "runs", "recorded", "waiting", "missed", "actuals", "from"]
    assert (document["recorded"], document["count"], document["waiting"]) == (2, 1, 1)
    assert document["actuals"] == {"new": 1, "revised": 0}
    assert (document["from"], document["to"], document["due"]) == ("2024-06-09", "2024-06-09", "2024-06-10")
    assert [row["step"] for row in document["by_step"]] == [1, 2]
    assert document["by_step"][1]["mae"] is None
    assert [row["month"] for row in document["by_month"]] == ["2024-06"]
    assert document["warnings"] == []


def on_terminal(do: Cli, monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> Result:
    monkeypatch.setattr("lstm_forecast.cli.track.is_terminal", lambda _: True)
    return do("track", *words)


def test_a_terminal_gets_tables(do: Cli, newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    do("predict", "--record")
    lines = on_terminal(do, monkeypatch).out.splitlines()
    assert lines == [
        "tiny: 2 forecasts of 1 run: 0 judged, 2 waiting",
        "Nothing to judge yet: the first value is due 2024-06-09",
    ]
    lines = on_terminal(do, monkeypatch, "--data", newer).out.splitlines()
    assert lines[:2] == ["tiny: 2 forecasts of 1 run: 1 judged, 1 waiting", "Judged: 2024-06-09"]
    assert lines[2].split() == ["judged", "MAE", "naive", "MAE", "skill", "bias", "in", "80", "%"]
    assert lines[3].split()[:2] == ["all", "1"]
    assert lines[6].split() == ["2", "0", "-", "-", "-", "-", "-"]
    assert lines[8].split()[:2] == ["2024-06", "1"]


def test_a_dry_run_says_what_it_would_store(do: Cli, newer: Path) -> None:
    do("predict", "--record")
    assert "would store 1 new actual value" in do("track", "--data", newer, "--dry-run").err
    assert "stored 1 new actual value" in do("track", "--data", newer).err


def test_nothing_recorded_and_an_unknown_series_are_2(do: Cli, tiny: Tiny) -> None:
    result = do("track")
    assert (result.code, result.out) == (2, "")
    assert "hint: lstm-forecast predict tiny --record" in result.err
    do("predict", "--record")
    result = do("track", "--series", "valeu")
    assert result.code == 2
    assert "hint: did you mean value?" in result.err
    assert do("track", "--data", "none.csv").code == 10


def test_the_picture_of_the_track_record(do: Cli, newer: Path, tiny: Tiny) -> None:
    assert do("plot", "--kind", "track").code == 2
    do("predict", "--record")
    do("track", "--data", newer)
    result = do("plot", "--kind", "track")
    path = tiny.run.path / "plots" / "track.png"
    assert (result.code, result.out) == (0, f"{path}\n")
    assert path.read_bytes().startswith(b"\x89PNG")
    first = path.read_bytes()
    assert do("plot", "--kind", "track").code == 0
    assert path.read_bytes() == first


def test_as_cron_runs_it(tiny: Tiny, newer: Path, warm: Warm) -> None:
    common = ["tiny", "--runs-dir", str(tiny.runs)]
    assert warm.run(["predict", *common, "--record", "-q"], cwd=tiny.runs).code == 0
    result = warm.run(["track", *common, "--data", str(newer), "-q"], cwd=tiny.runs)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("by,group,count,")
