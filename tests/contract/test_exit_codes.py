"""Every exit code of the public table, reached by the program as a stranger would reach it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from lstm_forecast.cli.app import exit_codes_text
from lstm_forecast.errors import EXIT_CODES
from lstm_forecast.runs import run as runs
from lstm_forecast.runs.storage import held_lock
from tests.conftest import CRON, ROOT, SMALL, Cli, Tiny
from tests.forked import Warm, awaited
from tests.training.jobs import days, momentum, write_csv


def test_this_file_has_a_test_for_every_code() -> None:
    tests = [name for name in globals() if name.startswith("test_code_")]
    assert {int(name.split("_")[2]) for name in tests} == {row.code for row in EXIT_CODES}


def test_help_prints_the_table_from_the_code(cli: Cli) -> None:
    result = cli("help", "exit-codes")
    assert (result.code, result.out) == (0, exit_codes_text())
    for row in EXIT_CODES:
        assert any(
            line.split()[0] == str(row.code) and row.meaning in line for line in result.out.splitlines()
        )


def test_code_0_ok(cli: Cli, tiny: Tiny) -> None:
    assert cli("predict", "tiny", "--runs-dir", tiny.runs).code == 0


def test_code_1_a_bug_gives_a_traceback(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_forecast import pipeline

    def broken(*arguments: object, **named: object) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(pipeline, "predict", broken)
    result = cli("predict", "tiny", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Traceback")
    assert result.err.endswith("AttributeError: a bug\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian", "x.csv"], "No such command 'trian'. Did you mean 'train'"),
        (["train", "x.csv", "--epoch", "3"], "No such option: --epoch"),
        (["train"], "Missing argument"),
        (["predict", "tiny", "--horizon", "soon"], "Invalid value for '--horizon'"),
        (["train", "x.csv", "--set", "training.epoch=3"], "did you mean training.epochs?"),
        (["train", "none.yaml"], "none.yaml: no such file"),
    ],
)
def test_code_2_usage(words: list[str], said: str, cli: Cli, tmp_path: Path) -> None:
    result = cli(*words, *(["--runs-dir", tmp_path / "runs"] if words[0] == "train" else []))
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert not (tmp_path / "runs").exists()


def test_code_3_row_44_some_jobs_failed(cli: Cli, tiny: Tiny) -> None:
    job = "{{name: {name}, set: {{data.path: tiny.csv}}, retrain: never, output: out-{name}.csv}}"
    lines = [job.format(name=name) for name in ("tiny", "tniy")]
    (tiny.csv.parent / "jobs.yaml").write_text("jobs:\n" + "".join(f"  - {line}\n" for line in lines))
    result = cli("batch", "jobs.yaml", "--runs-dir", tiny.runs)
    assert result.code == 3
    assert "tniy: failed, error[run.not_found]" in result.err
    assert sorted(path.name for path in tiny.csv.parent.glob("out-*")) == ["out-tiny.csv"]


def test_code_10_data_missing(cli: Cli, tiny: Tiny) -> None:
    result = cli("train", "tyni.csv", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (10, "")
    assert result.err.startswith("error[data.not_found]: ")
    assert "did you mean" in result.err


def test_code_11_data_invalid(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("date,value\n2024-01-01,1\n2024-01-02,1,2\n")
    result = cli("train", tmp_path / "bad.csv", "--runs-dir", tmp_path / "runs")
    assert (result.code, result.out) == (11, "")
    assert f"error[data.ragged]: {tmp_path / 'bad.csv'}:3: expected 2 fields, found 3" in result.err
    assert not (tmp_path / "runs").exists()


def test_code_12_run_missing(cli: Cli, tiny: Tiny) -> None:
    for command in ("predict", "plot"):
        result = cli(command, "tniy", "--runs-dir", tiny.runs)
        assert (result.code, result.out) == (12, "")
        assert "hint: did you mean tiny?" in result.err


def test_code_13_artifact_rejected(cli: Cli, tiny: Tiny) -> None:
    path = tiny.run.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    for words in (["predict", "tiny"], ["plot", "tiny"], ["runs", "promote", tiny.run.handle]):
        result = cli(*words, "--runs-dir", tiny.runs)
        assert (result.code, result.out) == (13, "")
        assert f"error[artifact.hash]: {path}" in result.err


def test_code_13_a_ledger_of_a_newer_program(cli: Cli, tiny: Tiny) -> None:
    assert cli("predict", "tiny", "--runs-dir", tiny.runs, "--record").code == 0
    connection = sqlite3.connect(tiny.runs / "ledger.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for words in (["track", "tiny"], ["plot", "tiny", "--kind", "track"]):
        result = cli(*words, "--runs-dir", tiny.runs)
        assert (result.code, result.out) == (13, "")
        assert "error[ledger.version]: " in result.err


def test_code_14_diverged(cli: Cli, tiny: Tiny) -> None:
    settings = [
        "--set",
        "training.lr=1000000.0",
        "--set",
        "training.optimizer=sgd",
        "--set",
        "model.anchor=none",
    ]
    settings += [
        "--set",
        "training.clip_norm=null",
        "--set",
        "model.cell=rnn",
        "--set",
        "model.nonlinearity=relu",
    ]
    small = [word if word != "1" else "50" for word in SMALL]
    result = cli("train", tiny.csv, *small, *settings, "--name", "wild", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (14, "")
    assert "error[train.diverged]: " in result.err
    assert not (tiny.runs / "wild" / "CURRENT").exists()
    (failed,) = (path for path in (tiny.runs / "wild").iterdir())
    assert json.loads((failed / "status.json").read_text())["status"] == "failed"
    assert json.loads((failed / "status.json").read_text())["exit_code"] == 14


def test_code_15_runs_folder_that_cannot_be(cli: Cli, tiny: Tiny) -> None:
    for folder in (
        tiny.csv / "runs",
        Path("/proc/runs"),
    ):  # under a file; where nobody may write, root included
        result = cli("train", tiny.csv, *SMALL, "--name", "new", "--runs-dir", folder)
        assert (result.code, result.out) == (15, "")
        assert "error[storage." in result.err
        assert "--runs-dir" in result.err
        assert not re.search(r"epoch \d|trained", result.err)  # before the first epoch


def test_code_15_a_forecast_that_was_not_recorded(cli: Cli, tiny: Tiny) -> None:
    (tiny.runs / "ledger.sqlite").mkdir()
    words = ["predict", "tiny", "--runs-dir", tiny.runs, "--record", "--output", "out.csv"]
    result = cli(*words)
    assert (result.code, result.out) == (15, "")
    assert "error[record.failed]: " in result.err
    assert len((tiny.csv.parent / "out.csv").read_text().splitlines()) == 3  # the forecast itself stands


@pytest.mark.parametrize("words", [["help", "exit-codes"], ["--help"], ["train", "--help"], ["runs", "list"]])
def test_code_15_row_38_stdout_closed_or_full(words: list[str], tmp_path: Path) -> None:
    env = {**CRON, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lstm_forecast", *words]
    for redirect, said in ((">&-", "standard output is closed"), (">/dev/full", "No space left on device")):
        done = subprocess.run(
            ["/bin/sh", "-c", f'"$@" {redirect}', "sh", *command],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 15, (redirect, done.stderr)
        assert done.stderr.startswith("error[storage.stdout]: standard output ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


def test_code_16_a_device_that_is_not_there(cli: Cli, tiny: Tiny) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    words = [word if word != "cpu" else "cuda" for word in SMALL]
    result = cli("train", tiny.csv, *words, "--name", "new", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (16, "")
    assert "error[resource.device]" in result.err


def test_code_16_memory(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_forecast import pipeline

    def greedy(*arguments: object, **named: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(pipeline, "train", greedy)
    result = cli("train", tiny.csv, "--runs-dir", tiny.runs)
    assert result.code == 16
    assert "error[resource.memory]: not enough memory" in result.err
    assert "training.batch_size" in result.err


def test_code_18_exists(cli: Cli, tiny: Tiny) -> None:
    (tiny.csv.parent / "out.csv").write_text("mine")
    result = cli("predict", "tiny", "--runs-dir", tiny.runs, "--output", "out.csv")
    assert (result.code, result.out) == (18, "")
    assert "hint: add --overwrite" in result.err
    assert (tiny.csv.parent / "out.csv").read_text() == "mine"
    other = write_csv(tiny.csv.parent / "other.csv", {"date": days(160), "value": momentum(160, seed=2)})
    result = cli("train", other, *SMALL, "--name", "tiny", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (18, "")
    assert "error[run.name_taken]" in result.err


def test_code_19_check_failed(cli: Cli, tiny: Tiny) -> None:
    result = cli("predict", "tiny", "--runs-dir", tiny.runs, "--fail-on-warning", "predict.no_new_rows")
    assert (result.code, result.out) == (19, "")
    assert "error[predict.no_new_rows]" in result.err
    (tiny.run.path / "run.json").write_bytes(b"{}")
    result = cli("runs", "verify", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (19, "")
    assert "error[runs.damaged]" in result.err
    assert "run.json" in result.err


def test_code_20_worse_than_the_best_simple_baseline(cli: Cli, tiny: Tiny) -> None:
    """An untrained network on the level loses to all of them."""
    words = ["train", tiny.csv, *SMALL, "--set", "run.plots=false", "--name", "new", "--runs-dir", tiny.runs]
    assert cli(*words).code == 0
    folder = tiny.runs / "new"
    before = (folder / "CURRENT").read_text()
    bad = ["--set", "model.anchor=none", "--set", "training.lr=0.000001", "--set", "split.test=30"]
    result = cli(*words, *bad, "--fail-if-worse")
    assert result.code == 20
    assert "error[verdict.worse]: " in result.err
    assert "do not use" in result.err
    assert "Next: " not in result.out
    assert (folder / "CURRENT").read_text() == before
    (other,) = (path for path in folder.iterdir() if path.name not in ("CURRENT", before.strip()))
    status = json.loads((other / "status.json").read_text())
    assert (status["status"], status["exit_code"]) == ("complete", 20)
    assert cli("predict", other, "--runs-dir", tiny.runs).code == 0  # kept, and usable by its id
    assert cli(*words, *bad).code == 0  # nobody asked: a verdict, and no error
    assert (folder / "CURRENT").read_text() != before


def test_code_75_the_file_changed_while_it_was_read(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast.data import source

    true_read = source._read_all

    def read_and_changed(stream: BinaryIO, name: str, most: int) -> bytes:
        data = true_read(stream, name, most)
        with tiny.csv.open("a") as file:
            file.write("2030-01-01,1\n")
        return data

    monkeypatch.setattr(source, "_read_all", read_and_changed)
    result = cli("check", tiny.csv, *SMALL[:4], "--name", "new", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (75, "")
    assert "error[data.changed]" in result.err


def test_code_75_a_name_that_is_locked(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOCK_TIMEOUT_S", 0.0)
    with held_lock(tiny.runs / ".locks" / "tiny.lock", timeout_s=1):
        result = cli("runs", "promote", tiny.run.handle, "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (75, "")
    assert "error[run.locked]" in result.err


def stopped_in_mid_training(tiny: Tiny, warm: Warm, number: signal.Signals) -> str:
    """Sends a signal after the first epoch, checks what every signal leaves, and gives stderr."""
    words = [word if word != "1" else "100000" for word in SMALL]
    words += ["--set", "training.patience=null", "--set", "run.plots=false"]
    child = warm.start(["train", tiny.csv, *words, "--name", "long", "--runs-dir", tiny.runs])
    logs = (tiny.runs / "long").glob
    awaited(lambda: any("epoch.end" in log.read_text() for log in logs("*/log.jsonl")))
    os.kill(child.pid, number)
    done = child.result()
    code = 128 + number
    assert (done.code, done.out) == (code, "")
    assert f"  {number.name}: stopping" in done.err
    assert "Traceback" not in done.err
    (run,) = (path for path in (tiny.runs / "long").iterdir())
    assert run.name != "CURRENT"
    status = json.loads((run / "status.json").read_text())
    assert (status["status"], status["exit_code"]) == ("interrupted", code)
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [event["signal"] for event in events if event["event"] == "signal"] == [number.name]
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("run.end", code)
    assert not list(tiny.runs.rglob("*.tmp"))
    after = warm.run(["predict", "long", "--runs-dir", tiny.runs])
    assert after.code == 12
    assert "is interrupted" in after.err
    return done.err


def test_code_129_row_57_hangup_in_mid_training(tiny: Tiny, warm: Warm) -> None:
    stopped_in_mid_training(tiny, warm, signal.SIGHUP)


def test_code_130_row_56_ctrl_c_in_mid_training(tiny: Tiny, warm: Warm) -> None:
    err = stopped_in_mid_training(tiny, warm, signal.SIGINT)
    assert "Ctrl-C once more leaves at once" in err
    assert err.endswith("interrupted\n")


def test_code_143_row_57_termination_in_mid_training(tiny: Tiny, warm: Warm) -> None:
    stopped_in_mid_training(tiny, warm, signal.SIGTERM)


@pytest.mark.parametrize("words", [["help", "exit-codes"], ["--help"], ["check", "--help"]])
def test_code_141_row_38_the_reader_of_the_pipe_has_gone(words: list[str], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lstm_forecast", *words],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
