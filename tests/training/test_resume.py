"""Row 26: a training that was killed and taken up ends with the bits of one that never stopped."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from lstm_forecast.runs.run import Run, read_status, sorted_runs
from lstm_forecast.training.checkpoints import newest_checkpoint
from tests.conftest import ROOT, Cli, Result
from tests.forked import Warm
from tests.training.jobs import days, momentum, write_csv

EPOCHS, STEPS = 6, 15  # 119 windows in batches of 8
WORDS = ["--lookback", "8", "--horizon", "2", "--epochs", str(EPOCHS), "--device", "cpu"]
KEYS = {
    "model.hidden_size": "3",
    "model.num_layers": "2",
    "model.dropout": "0.3",
    "training.batch_size": "8",
    "training.checkpoint_every": "0s",
    "training.refit": "none",
    "run.plots": "false",
    "evaluation.gate": "none",
}
MID_4 = 3 * STEPS + 7  # a step in the middle of the fourth epoch
CASES: dict[str, tuple[dict[str, str], int]] = {
    "best weights": ({}, MID_4),
    "last weights": ({"training.patience": "null"}, MID_4),
    "early stopping, best epoch before the kill": (
        {"training.optimizer": "sgd", "training.lr": "0.5", "training.patience": "2", "model.dropout": "0"},
        5 * STEPS + 7,
    ),
    "sgd": ({"training.optimizer": "sgd", "training.lr": "0.1"}, MID_4),
    "adamw": ({"training.optimizer": "adamw", "training.weight_decay": "0.1"}, MID_4),
    "cosine": ({"training.schedule": "cosine", "training.warmup_steps": "20"}, MID_4),
    "plateau": ({"training.schedule": "plateau", "training.lr": "0.3", "training.optimizer": "sgd"}, MID_4),
    "drawn windows": ({"training.steps_per_epoch": str(STEPS), "model.segment": "2"}, MID_4),
    "no validation": ({"split.validation": "0"}, MID_4),
    "bfloat16": ({"training.precision": "bfloat16", "model.cell": "lstm_peephole"}, MID_4),
    "first of an ensemble": ({"training.ensemble": "2"}, MID_4),
    "second of an ensemble": ({"training.ensemble": "2"}, EPOCHS * STEPS + MID_4),
    "open gate": ({"evaluation.gate": "baseline", "training.refit": "full", "training.lr": "0.02"}, MID_4),
    "closed gate": (
        {
            "evaluation.gate": "baseline",
            "training.refit": "full",
            "model.anchor": "none",
            "training.lr": "1e-6",
        },
        MID_4,
    ),
    "final fit": ({"training.refit": "full"}, EPOCHS * STEPS + MID_4),
    "final fit of an ensemble": (
        {"training.refit": "full", "training.ensemble": "2"},
        2 * EPOCHS * STEPS + EPOCHS * 19 + 30,  # all rows: 19 steps
    ),
}


# What was begun by then: the cases reach the parts that they are named for.
PARTS = {
    "second of an ensemble": {"network.0", "network.1"},
    "final fit": {"network.0", "again.0"},
    "final fit of an ensemble": {"network.0", "network.1", "again.0", "again.1"},
}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """160 days."""
    return write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})


def words(csv: Path, runs: str, changes: Mapping[str, str] = {}) -> list[str]:
    """The training, as words of the command line."""
    sets = [word for key, value in {**KEYS, **changes}.items() for word in ("--set", f"{key}={value}")]
    return ["train", str(csv), *WORDS, *sets, "--runs-dir", str(csv.parent / runs)]


def killed(warm: Warm, arguments: list[str], step: int, name: str = "SIGKILL") -> Result:
    """The training in a process of its own that gets a signal in this step."""
    return warm.run([str(step), name, *arguments], script=ROOT / "tests/training/killed.py")


def only_run(csv: Path, runs: str) -> Run:
    (run,) = sorted_runs(csv.parent / runs / "a")
    return run


def result(run: Run) -> tuple[str, list[str], object]:
    """Hash of the weights, history without its clock, metrics."""
    history = (run.path / "history.csv").read_text().splitlines()
    weights = hashlib.sha256((run.path / "model.safetensors").read_bytes()).hexdigest()
    metrics = json.loads((run.path / "metrics.json").read_text())
    return weights, [line.rpartition(",")[0] for line in history], metrics


@pytest.mark.parametrize("case", CASES)
def test_row_26_killed_in_mid_epoch_and_resumed_gives_the_same_bits(
    case: str, csv: Path, cli: Cli, warm: Warm
) -> None:
    changes, step = CASES[case]
    assert cli(*words(csv, "straight", changes)).code == 0
    died = killed(warm, words(csv, "killed", changes), step)
    assert died.code == -signal.SIGKILL, died.err
    run = only_run(csv, "killed")
    assert (run.complete, read_status(run)) == (False, "died")
    found = newest_checkpoint(run.path / "checkpoints")
    assert found is not None
    assert set(found.parts) == PARTS.get(case, set(found.parts))
    done = sum(state.epoch for state in found.parts.values())
    if "final fit" not in case:  # that one has other epochs, and more rows
        begun = 1 if "ensemble" in case else 0  # two networks train side by side, each within an epoch
        assert 0 < step // STEPS - begun <= done <= step // STEPS
    resumed = cli(*words(csv, "killed", changes), "--resume")
    assert resumed.code == 0
    assert f"going on with {run.handle} after network 1 epoch " in resumed.err
    assert only_run(csv, "killed") == run
    assert result(run) == result(only_run(csv, "straight"))
    assert read_status(run) == "complete"
    assert not list(csv.parent.rglob("*.tmp"))
    if "gate" in case:
        gate = json.loads((run.path / "metrics.json").read_text())["gate"]
        assert (gate["issued"] == "model") == case.startswith("open")
    if case.startswith("early"):
        _, _, metrics = result(run)
        assert isinstance(metrics, dict)
        assert (metrics["stopped"], metrics["best_epoch"]) == ("patience", 4)


def test_row_26_killed_twice(csv: Path, cli: Cli, warm: Warm) -> None:
    assert cli(*words(csv, "straight")).code == 0
    assert killed(warm, words(csv, "killed"), STEPS + 3).code == -signal.SIGKILL
    again = killed(warm, [*words(csv, "killed"), "--resume"], 2 * STEPS + 3)
    assert again.code == -signal.SIGKILL, again.err
    assert cli(*words(csv, "killed"), "--resume").code == 0
    assert result(only_run(csv, "killed")) == result(only_run(csv, "straight"))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_row_57_a_signal_keeps_the_last_whole_epoch(name: str, csv: Path, cli: Cli, warm: Warm) -> None:
    """Also where no checkpoint was due."""
    changes = {"training.checkpoint_every": "1d"}
    assert cli(*words(csv, "straight", changes)).code == 0
    assert not (only_run(csv, "straight").path / "checkpoints").exists()
    stopped = killed(warm, words(csv, "stopped", changes), MID_4, name)
    assert stopped.code == 128 + getattr(signal, name)
    assert "repeat the command with --resume" in stopped.err
    run = only_run(csv, "stopped")
    assert read_status(run) == "interrupted"
    found = newest_checkpoint(run.path / "checkpoints")
    assert found is not None
    assert found.parts["network.0"].epoch == 3
    assert cli(*words(csv, "stopped", changes), "--resume").code == 0
    assert result(run) == result(only_run(csv, "straight"))


def test_row_29_a_damaged_checkpoint_falls_back_to_the_one_before(csv: Path, cli: Cli, warm: Warm) -> None:
    assert cli(*words(csv, "straight")).code == 0
    killed(warm, words(csv, "killed"), MID_4)
    run = only_run(csv, "killed")
    path = run.path / "checkpoints" / "ckpt-000003.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    resumed = cli(*words(csv, "killed"), "--resume")
    assert resumed.code == 0
    assert f"warning[checkpoint.fallback]: an older checkpoint is used: {path}" in resumed.err
    assert "after network 1 epoch 2" in resumed.err
    assert result(run) == result(only_run(csv, "straight"))
    events = [json.loads(line)["event"] for line in (run.path / "log.jsonl").read_text().splitlines()]
    assert "checkpoint.fallback" in events


def test_row_29_no_whole_checkpoint_is_never_a_silent_restart(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), MID_4)
    run = only_run(csv, "killed")
    for path in (run.path / "checkpoints").glob("ckpt-*.json"):
        path.write_bytes(path.read_bytes()[:-30])
    asked = cli(*words(csv, "killed"), f"--resume={run.id}")
    assert (asked.code, asked.out) == (13, "")
    assert "error[artifact." in asked.err
    newest = cli(*words(csv, "killed"), "--resume")
    assert newest.code == 0
    assert f"warning[checkpoint.fallback]: {run.handle} is not resumed" in newest.err
    assert len(sorted_runs(csv.parent / "killed" / "a")) == 2
    assert not run.complete


def test_row_17_what_may_change_and_what_may_not(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), MID_4)
    run = only_run(csv, "killed")
    last = f"--resume={run.id}"
    asked = [*words(csv, "killed"), last]
    wider = {"model.hidden_size": "4"}
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    refused = cli(*words(csv, "killed", wider), last, "--seed", "7")
    assert (refused.code, refused.out) == (2, "")
    assert "error[resume.changed]" in refused.err
    for line in ("model.hidden_size (was 3, is 4)", "training.seed (was 0, is 7)"):
        assert f"\n  changed: {line}\n" in refused.err
    refused = cli(*words(csv, "killed", {"training.patience": "null"}), last)
    assert refused.code == 2
    assert "changed: training.patience (was 10, is None)" in refused.err
    newest = cli(*words(csv, "killed", wider), "--resume")
    assert newest.code == 0
    assert f"{run.handle} is not resumed: changed: model.hidden_size (was 3, is 4)" in newest.err
    assert "nothing to resume: a new run begins" in newest.err
    text = csv.read_text()
    csv.write_text(text.replace("2024-01-05,", "2024-01-05,1"))
    refused = cli(*asked)
    assert refused.code == 2
    assert f"changed: the rows of {csv}" in refused.err
    csv.write_text(text)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    longer = cli(*asked, "--epochs", "8", "--set", "training.patience=9", "--set", "training.max_time=1h")
    assert longer.code == 0
    assert "trained 8 epochs" in longer.err
    assert run.current


def test_more_epochs_after_a_resume_are_those_of_one_long_training(csv: Path, cli: Cli, warm: Warm) -> None:
    assert cli(*words(csv, "straight", {"training.ensemble": "2"}), "--epochs", "9").code == 0
    killed(warm, words(csv, "killed", {"training.ensemble": "2"}), EPOCHS * STEPS + MID_4)
    assert cli(*words(csv, "killed", {"training.ensemble": "2"}), "--epochs", "9", "--resume").code == 0
    assert result(only_run(csv, "killed")) == result(only_run(csv, "straight"))


def test_row_27_a_finished_run_is_already_complete(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), MID_4)
    run = only_run(csv, "killed")
    asked = [*words(csv, "killed"), f"--resume={run.id}"]
    assert cli(*asked).code == 0
    folder = csv.parent / "killed" / "a"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = cli(*asked)
    assert (again.code, again.out) == (0, f"{run.handle} is already complete: nothing to do\n")
    document = json.loads(cli(*asked, "--json").out)
    assert document == {"path": str(run.path), "already_complete": True, "warnings": document["warnings"]}
    assert cli(*asked, "--quiet").out == ""
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    anew = cli(*words(csv, "killed"), "--resume")  # nothing is interrupted: a new run, and it is said
    assert anew.code == 0
    assert "nothing to resume: a new run begins" in anew.err
    assert len(sorted_runs(folder)) == 2


def test_an_older_interrupted_run_does_not_overtake_a_complete_one(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), MID_4)
    old = only_run(csv, "killed")
    assert cli(*words(csv, "killed")).code == 0
    assert cli(*words(csv, "killed"), "--resume").code == 0
    assert not old.complete
    assert len(sorted_runs(csv.parent / "killed" / "a")) == 3


def test_row_30_a_died_run_says_how_to_go_on(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), MID_4)
    run = only_run(csv, "killed")
    for reference in ("a", run.handle, str(run.path)):
        missing = cli("predict", reference, "--runs-dir", csv.parent / "killed")
        assert missing.code == 12
        assert "error[run.incomplete]" in missing.err
        assert f"train … --resume={run.id} goes on with it" in missing.err
    unknown = cli(*words(csv, "killed"), "--resume=20990101T000000Z-000000")
    assert unknown.code == 12
    assert "fits 0 runs" in unknown.err


def test_a_run_that_ended_before_its_first_checkpoint(csv: Path, cli: Cli, warm: Warm) -> None:
    killed(warm, words(csv, "killed"), 3)
    run = only_run(csv, "killed")
    asked = cli(*words(csv, "killed"), f"--resume={run.id}")
    assert asked.code == 12
    assert "error[run.no_checkpoint]" in asked.err
    newest = cli(*words(csv, "killed"), "--resume")
    assert newest.code == 0
    assert f"{run.handle} is not resumed: it has no checkpoint" in newest.err


def test_row_23_a_divergence_leaves_the_last_good_checkpoint(csv: Path, cli: Cli) -> None:
    wild = {
        "training.lr": "1000.0",
        "training.optimizer": "sgd",
        "training.clip_norm": "null",
        "training.checkpoint_every": "1d",
        "model.cell": "rnn",
        "model.nonlinearity": "relu",
        "model.anchor": "none",
        "model.normalize": "none",
    }
    assert cli(*words(csv, "wild", {**wild, "training.lr": "0.01"}), "--epochs", "2").code == 0
    result = cli(*words(csv, "wild", wild), "--epochs", "60")
    assert result.code == 14
    newest, good = sorted_runs(csv.parent / "wild" / "a")
    assert good.current
    found = newest_checkpoint(newest.path / "checkpoints")
    assert found is None or found.parts["network.0"].epoch >= 1
