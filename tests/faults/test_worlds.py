"""The same program in other worlds: cron's, one whose clock is set back, one whose folders vanish."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lstm_forecast import stages
from lstm_forecast.runs import run as runs
from lstm_forecast.runs.run import Run, sorted_runs
from lstm_forecast.training import loop
from tests.conftest import Cli, Tiny
from tests.faults.commands import table, train
from tests.faults.harness import assert_clean, newest, run_cli, status, without_escapes
from tests.training.jobs import days, files, momentum, trained, write_csv

ODD = {
    "OPENBLAS_CORETYPE": "Prescott",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "POSIX",
    "PYTHONHASHSEED": "42",
    "COLUMNS": "40",
}
CONFIG = """\
data: {path: ../tables/a.csv}
window: {lookback: 8, horizon: 2}
model: {hidden_size: 4, num_layers: 1}
training: {epochs: 2, device: cpu}
run: {plots: false, dir: ../kept}
"""


@pytest.mark.parametrize("trains", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_row_42_cron_and_a_terminal_leave_the_same_bytes(trains: bool, cli: Cli, tmp_path: Path) -> None:
    """Paths in a configuration are relative to it; everything else of the two worlds differs too."""
    kept: dict[str, dict[str, bytes]] = {}
    said: dict[str, set[str]] = {}
    for world in ("cron", "tty"):
        folder = tmp_path / world
        for name in ("tables", "configs", "elsewhere"):
            (folder / name).mkdir(parents=True)
        table(folder / "tables")
        config = folder / "configs" / "b.yaml"
        config.write_text(CONFIG)
        env: Any = world
        odd, cwd = (ODD, Path("/")) if world == "cron" else ({}, folder / "elsewhere")
        train_words: list[str | Path] = ["train", config]
        if trains:
            result = run_cli(train_words, env=env, more=odd, cwd=cwd)
            lines = without_escapes(result.out).splitlines()
            said[world] = {line for line in lines if not line.startswith("Run: ")}  # its id
        else:
            result = cli(*train_words)
        assert result.code == 0, result
        output = folder / "out.csv"
        predicted = run_cli(["predict", config, "--output", output], env=env, more=odd, cwd=cwd)
        assert predicted.code == 0, predicted
        if world == "cron":
            assert not {"\x1b", "\r"} & set(predicted.out + predicted.err)
            assert not trains or not {"\x1b", "\r"} & set(result.out + result.err)
        kept[world] = results(newest(folder / "kept", "b")) | {"forecast": output.read_bytes()}
        assert list((folder / "elsewhere").iterdir()) == []
    assert kept["cron"] == kept["tty"]
    if trains:
        assert any(line.startswith("Test: ") for line in said["cron"])
        assert said["cron"] <= said["tty"]  # which shows the account, too


def results(run: Run) -> dict[str, bytes]:
    """Everything of a run that holds no time, no path and no name."""
    names = ("model.safetensors", "preprocess.json", "context.safetensors", "metrics.json")
    found = {name: (run.path / name).read_bytes() for name in names}
    found["history"] = untimed(run)
    found["test"] = (run.path / "predictions" / "test.csv").read_bytes()
    return found


def untimed(run: Run) -> bytes:
    """The history without the column that holds the clock."""
    lines = (run.path / "history.csv").read_text().splitlines()
    return "\n".join(line.rpartition(",")[0] for line in lines).encode()


class Backwards(datetime):
    """A clock that is set back by an hour at every look."""

    _looks: ClassVar[count[int]] = count()

    @classmethod
    def now(cls, _tz: Any = None) -> Backwards:
        return cls(2026, 10, 25, 12, tzinfo=UTC) - timedelta(hours=next(cls._looks))


def test_row_46_a_clock_set_back_changes_neither_order_nor_durations(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    later = count(0, -3600)
    monkeypatch.setattr(runs, "datetime", Backwards)
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(later))
    made = []
    for _ in range(3):
        assert cli(*train(csv, runs_dir)).code == 0
        made += [run for run in sorted_runs(runs_dir / "a") if run not in made]
    assert sorted_runs(runs_dir / "a") == made[::-1]
    assert made[-1].current
    for run in made:
        about = json.loads((run.path / "run.json").read_bytes())
        assert 0 < about["elapsed_s"] < 60
        events = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
        moments = [event["t"] for event in events[1:]]  # run.start comes first; the input was read before it
        assert moments == sorted(moments)
        assert 0 <= moments[-1] - moments[0] < 60


def test_row_46_a_repeated_job_is_done_once_on_request(cli: Cli, tmp_path: Path) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    words = train(csv, runs_dir, "--if-changed")
    assert [cli(*words).code, cli(*words).code] == [0, 0]
    assert len(sorted_runs(runs_dir / "a")) == 1
    assert cli(*train(csv, runs_dir)).code == 0  # without the flag it always trains
    assert len(sorted_runs(runs_dir / "a")) == 2


def at_step(step: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Does something before one step of a training."""
    steps, true_loss = count(), loop._loss

    def loss(*arguments: Any) -> Any:
        if next(steps) == step:
            act()
        return true_loss(*arguments)

    monkeypatch.setattr(loop, "_loss", loss)


def test_row_54_a_run_whose_folder_is_removed_ends_with_15(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    assert cli(*train(csv, runs_dir)).code == 0
    first = newest(runs_dir, "a")
    at_step(3, lambda: shutil.rmtree(newest(runs_dir, "a").path), monkeypatch)
    result = cli(*train(csv, runs_dir))
    monkeypatch.undo()
    assert (result.code, result.out) == (15, "")
    assert "error[storage.io]: " in result.err
    assert "Traceback" not in result.err
    assert sorted_runs(runs_dir / "a") == [first]
    assert first.current
    assert cli(*train(csv, runs_dir)).code == 0
    assert_clean(runs_dir)


def test_row_54_a_run_whose_folder_became_a_link_writes_nothing_where_it_points(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv, runs_dir, mine = table(tmp_path), tmp_path / "runs", tmp_path / "mine"
    mine.mkdir()
    (mine / "precious.txt").write_text("x")

    def replace() -> None:
        path = newest(runs_dir, "a").path
        shutil.rmtree(path)
        path.symlink_to(mine)

    at_step(3, replace, monkeypatch)
    result = cli(*train(csv, runs_dir))
    monkeypatch.undo()
    assert (result.code, result.out) == (15, "")
    assert [path.name for path in mine.iterdir()] == ["precious.txt"]
    assert cli(*train(csv, runs_dir)).code == 0


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_row_57_a_signal_while_the_input_is_read_begins_nothing(
    name: str, code: int, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    true_read = stages.read_input

    def read(*arguments: Any) -> Any:
        signal.raise_signal(getattr(signal, name))
        return true_read(*arguments)

    monkeypatch.setattr(stages, "read_input", read)
    result = cli(*train(csv, runs_dir))
    assert (result.code, result.out) == (code, "")
    assert not (runs_dir / "a").exists()
    monkeypatch.undo()
    assert cli(*train(csv, runs_dir)).code == 0


def test_row_57_a_signal_while_a_checkpoint_is_saved_leaves_a_whole_one(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    true_sync, sent = os.fsync, list[int]()

    def sync(descriptor: int) -> None:
        if not sent and list(runs_dir.glob("a/*/checkpoints/.ckpt-*.json.*.tmp")):
            sent.append(1)
            signal.raise_signal(signal.SIGTERM)
        true_sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    result = cli(*train(csv, runs_dir))
    monkeypatch.undo()
    assert (result.code, sent) == (143, [1])
    run = newest(runs_dir, "a")
    assert (run.path / "checkpoints" / "LAST").read_text() == "ckpt-000001\n"
    assert status(run)["exit_code"] == 143
    assert cli(*train(csv, runs_dir), f"--resume={run.id}").code == 0
    assert_clean(runs_dir)


def test_row_4_rows_that_were_left_out_are_listed_in_the_run(cli: Cli, tmp_path: Path) -> None:
    csv, runs_dir = table(tmp_path), tmp_path / "runs"
    lines = csv.read_text().splitlines()
    lines[40:40] = ["2024-02-09,1,2", "2024-02-09,\x1b[31m"]
    csv.write_text("\n".join(lines) + "\n")
    words = [
        word
        for word in train(csv, runs_dir, "--set", "data.bad_rows=skip", "--set", "data.max_bad_rows=2")
        if word != "-q"
    ]
    result = cli(*words)
    assert result.code == 0
    assert "warning[data.bad_rows]: 2 bad rows left out, the first in line 41" in result.err
    rejects = (newest(runs_dir, "a").path / "rejects.jsonl").read_text()
    assert "\x1b" not in rejects
    found = [json.loads(line) for line in rejects.splitlines()]
    assert [reject["line"] for reject in found] == [41, 42]
    assert found[0]["row"] == "2024-02-09,1,2"


def _quoted(text: str) -> str:
    return '"' + text.strip().replace(",", '","').replace("\n", '"\n"') + '"\n'


def _shuffled(text: str) -> str:
    head, *rows = text.splitlines()
    return "\n".join([head, *rows[1::2], *rows[::2]]) + "\n"


def test_rows_6_and_7_and_10_the_way_a_file_is_written_does_not_change_the_model(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "plain.csv", {"date": days(90), "value": momentum(90)}).read_text()
    variants = {
        "bom": "\ufeff" + plain,
        "crlf": plain.replace("\n", "\r\n"),
        "quoted": _quoted(plain),
        "shuffled": _shuffled(plain),
    }
    expected = files(trained(tmp_path / "plain.csv", {"run.name": "plain"}))
    del expected["config.yaml"]  # holds the path and the name
    for name, text in variants.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(text, newline="", encoding="utf-8")
        found = files(trained(path, {"run.name": name}))
        assert {part: found[part] for part in expected} == expected, name


def test_row_10_an_hour_that_came_twice_is_refused_and_one_that_never_came_is_a_gap(
    cli: Cli, tiny: Tiny
) -> None:
    """Local times without a zone around both changes of the clocks in Berlin."""
    start = datetime(2024, 10, 20)  # noqa: DTZ001 - local times are the point
    hours = [start + timedelta(hours=n) for n in range(24 * 12)]
    twice = datetime(2024, 10, 27, 2)  # noqa: DTZ001
    for name, moments, id in (
        ("autumn", sorted([*hours, twice]), "data.duplicates"),
        ("spring", [hour for hour in hours if hour != twice], "data.gaps"),
    ):
        lines = [f"{moment:%Y-%m-%d %H:%M},{500 + n % 24}" for n, moment in enumerate(moments)]
        path = tiny.csv.with_name(f"{name}.csv")
        path.write_text("\n".join(["time,value", *lines]) + "\n")
        result = cli("check", path, "--runs-dir", tiny.runs, "--lookback", "8", "--horizon", "2")
        assert result.code == 11
        assert f"error[{id}]: " in result.err
        assert "2024-10-27 02:00" in result.err
