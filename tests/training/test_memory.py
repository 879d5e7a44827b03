"""Row 25: want of memory is 16 with a hint, checkpoints stay, and the next start tells of who was killed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lstm_forecast.errors import ForecastError, as_known
from lstm_forecast.runs.run import Run, read_status, sorted_runs
from lstm_forecast.training import loop
from lstm_forecast.training.checkpoints import newest_checkpoint
from tests.conftest import CRON, ROOT, SMALL, Cli, Result, Tiny
from tests.forked import Warm

WORDS = [word if word != "1" else "4" for word in SMALL]
WORDS += ["--set", "training.checkpoint_every=0s", "--set", "run.plots=false", "--name", "new"]
MID_3 = 18  # a step of the third epoch: 119 windows in batches of 16


@pytest.fixture
def train(cli: Cli, tiny: Tiny) -> Callable[..., Result]:
    return lambda *more: cli("train", tiny.csv, *WORDS, "--runs-dir", tiny.runs, *more)


def fails_at(step: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    true_loss, steps = loop._loss, iter(range(10**6))

    def loss(*arguments: Any) -> Any:
        if next(steps) == step:
            raise error
        return true_loss(*arguments)

    monkeypatch.setattr(loop, "_loss", loss)


def newest(tiny: Tiny) -> Run:
    return sorted_runs(tiny.runs / "new")[0]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 8 bytes"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=["gpu", "cpu", "cublas", "python", "system"],
)
def test_row_25_no_memory_in_mid_training_is_16_and_the_checkpoint_stays(
    error: Exception, train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tiny.runs / "tiny" / "CURRENT").read_bytes()
    with monkeypatch.context() as patched:
        fails_at(MID_3, error, patched)
        result = train()
    assert (result.code, result.out) == (16, "")
    assert "error[resource.memory]: not enough memory\n" in result.err
    assert "hint: set a smaller training.batch_size, model.hidden_size or window.lookback" in result.err
    assert "Traceback" not in result.err
    run = newest(tiny)
    status = json.loads((run.path / "status.json").read_text())
    assert (status["status"], status["exit_code"]) == ("failed", 16)
    last = json.loads((run.path / "log.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["exit_code"], last["error"]) == ("run.end", 16, "resource.memory")
    found = newest_checkpoint(run.path / "checkpoints")
    assert found is not None
    assert [state.epoch for state in found.parts.values()] == [2]
    assert (tiny.runs / "tiny" / "CURRENT").read_bytes() == before
    assert train("--resume").code == 0
    assert newest(tiny) == run


def test_row_25_no_memory_to_save_with_hides_no_reason(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast.training import checkpoints

    def greedy(*arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        fails_at(MID_3, MemoryError("the first"), patched)
        patched.setattr(checkpoints, "_packed", greedy)
        words = [word.replace("every=0s", "every=1h") for word in WORDS]
        assert cli("train", tiny.csv, *words, "--runs-dir", tiny.runs).code == 16
    assert json.loads((newest(tiny).path / "log.jsonl").read_text().splitlines()[-1])["details"] == [
        "system: the first"
    ]


@pytest.mark.parametrize(
    ("error", "id"),
    [
        (OSError(errno.EMFILE, "Too many open files", "x"), "storage.files"),
        (ImportError("libtorch.so: cannot open shared object file: Too many open files"), "storage.files"),
        (OSError(errno.EIO, "Input/output error", "x"), "storage.io"),
        (ImportError("no such module"), None),
        (ValueError("the user wrote: out of memory"), None),
        (AttributeError("allocate memory"), None),
    ],
)
def test_row_53_what_the_system_refuses_is_known_and_a_bug_is_not(error: Exception, id: str | None) -> None:
    known = as_known(error)
    assert (None if known is None else known.id) == id
    assert known is None or (known.code == 15 and "x" in (known.where or "x"))


def test_an_error_of_ours_is_itself() -> None:
    error = ForecastError("some.id", "out of memory")
    assert as_known(error) is error


def test_row_25_a_training_that_was_killed_is_told_of_by_the_next(
    train: Callable[..., Result], tiny: Tiny, warm: Warm
) -> None:
    words = ["train", str(tiny.csv), *WORDS, "--runs-dir", str(tiny.runs)]
    died = warm.run([str(MID_3), "SIGKILL", *words], script=ROOT / "tests/training/killed.py")
    assert died.code == -signal.SIGKILL
    run = newest(tiny)
    assert read_status(run) == "died"
    result = train()
    assert result.code == 0
    said = f"warning[run.died]: the training before, {run.handle}, died without a word: killed, perhaps for"
    assert said in result.err
    assert "run.died" in (newest(tiny).path / "log.jsonl").read_text()
    assert "run.died" not in train().err  # told once: the training before is now a whole one
    assert newest_checkpoint(run.path / "checkpoints") is not None


def test_row_25_a_number_of_a_process_that_is_used_again_hides_no_death(
    train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_at(1, MemoryError(), monkeypatch)
    train()
    monkeypatch.undo()
    monkeypatch.chdir(tiny.csv.parent)
    path = newest(tiny).path / "status.json"
    status = json.loads(path.read_text()) | {"status": "running", "pid": os.getpid()}
    path.write_text(json.dumps(status))
    assert "warning[run.died]" in train("--resume").err


def test_row_25_a_failure_that_was_told_is_no_death(
    train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fails_at(1, MemoryError(), patched)
        assert train().code == 16
    assert "run.died" not in train().err


@pytest.mark.slow
def test_row_25_a_real_limit_of_memory_is_16(tiny: Tiny) -> None:
    """A batch of 100,000 windows of 1,000 steps needs more than the process may have."""
    rows = ["value", *(str(n % 7) for n in range(12_000))]
    Path("long.csv").write_text("\n".join(rows) + "\n")
    words = ["train", "long.csv", "--lookback", "1000", "--horizon", "2", "--epochs", "1", "--device", "cpu"]
    words += [
        "--set",
        "training.batch_size=100000",
        "--runs-dir",
        "runs",
        "--name",
        "big",
    ]
    words += ["--set", "model.hidden_size=64", "--set", "window.stride=1"]
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'ulimit -v 6000000 && exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "lstm_forecast",
            *words,
        ],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 16, done.stderr
    assert "error[resource.memory]: not enough memory" in done.stderr
    assert "Traceback" not in done.stderr
