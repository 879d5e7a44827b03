"""What a training will write is known before it begins, and a folder that cannot take it is refused then."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lstm_forecast import pipeline, room
from lstm_forecast.config import Loaded
from lstm_forecast.errors import StorageError
from lstm_forecast.events import Events
from lstm_forecast.model.architecture import weight_count
from lstm_forecast.networks import architecture_of, build_model
from lstm_forecast.room import room_needed
from lstm_forecast.runs import places
from lstm_forecast.runs.places import Need, open_to_others, place_problem, require_place
from tests.conftest import CRON, ROOT, SMALL, Cli, Result, Tiny
from tests.training import jobs
from tests.training.jobs import days, momentum, write_csv

MODELS: list[dict[str, str]] = [
    {},
    {"model.num_layers": "3", "model.bias": "false"},
    {"model.hidden_size": "[5, 2, 7]", "model.num_layers": "3", "model.layer_norm": "true"},
    {"model.cell": "gru", "model.initial_state": "learned"},
    {"data.calendar_features": "[month, hour]", "model.head": "quantile", "model.hidden_size": "40"},
    {"model.cell": "rnn", "model.head_layers": "[4, 6]"},
    {"model.cell": "lstm_peephole", "model.readout": "both", "model.supervision": "last"},
    {
        "model.cell": "lstm_peephole",
        "model.bidirectional": "true",
        "model.initial_state": "learned",
        "model.supervision": "last",
    },
    {
        "model.head": "quantile",
        "training.loss": "pinball",
        "model.bidirectional": "true",
        "model.num_layers": "2",
        "model.supervision": "last",
        "model.layer_norm": "true",
    },
]


def job(csv: Path, changes: Mapping[str, str] = {}) -> Loaded:
    """A tiny network under a name of its own."""
    return jobs.job(csv, {"run.name": "job", **changes})


@pytest.mark.parametrize(
    "changes", MODELS, ids=lambda c: ",".join(f"{k}={v}" for k, v in c.items()) or "usual"
)
def test_the_weights_counted_are_those_torch_makes(changes: dict[str, str], tiny: Tiny) -> None:
    config = pipeline.plan(job(tiny.csv, changes)).config
    for features, sizes in ((1, ()), (4, ()), (4, (0, 1, 7, 90))):
        network = build_model(config, features=features, static_sizes=sizes)
        counted = weight_count(architecture_of(config, features=features, static_sizes=sizes))
        assert counted == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"run.plots": "true"},
        {"training.refit": "full", "training.ensemble": "2", "model.hidden_size": "60"},
        {"training.optimizer": "sgd", "model.hidden_size": "60", "training.epochs": "30"},
        {
            "window.horizon": "20",
            "split.test": "60",
            "split.validation": "40",
            "training.tensorboard": "true",
        },
    ],
    ids=["pictures", "ensemble", "sgd", "horizon"],
)
def test_a_run_takes_no_more_than_was_foreseen_and_not_far_less(changes: dict[str, str], tiny: Tiny) -> None:
    loaded = job(tiny.csv, {"training.checkpoint_every": "0s", **changes})
    need = room_needed(pipeline.plan(loaded))
    path = pipeline.train(loaded, runs_dir=tiny.csv.parent / "new").run.path
    sizes = {file: file.stat().st_size for file in path.rglob("*") if file.is_file()}
    checkpoints = [size for file, size in sizes.items() if file.parent.name == "checkpoints"]
    # Two are kept and a third may be half written beside them.
    taken = sum(sizes.values()) + max(checkpoints)
    assert taken <= need.total
    assert max(sizes.values()) <= need.largest
    assert need.total - room.FIXED - room.PICTURES <= 3 * taken


def test_more_series_rows_and_levels_need_more(tiny: Tiny) -> None:
    usual = room_needed(pipeline.plan(job(tiny.csv)))
    other = Path("other.csv")
    write_csv(other, {"date": days(900), "value": momentum(900)})
    for more in (
        job(other),
        job(tiny.csv, {"model.hidden_size": "40"}),
        job(tiny.csv, {"window.horizon": "9"}),
        job(tiny.csv, {"run.plots": "true"}),
        job(tiny.csv, {"training.ensemble": "3"}),
    ):
        assert room_needed(pipeline.plan(more)).total > usual.total


def disk(free: int, available: int) -> Callable[[object], os.statvfs_result]:
    """A file system with so many free bytes, and so many of them for who is not root."""
    return lambda _: os.statvfs_result((4096, 1, 10**9, free, available, 0, 0, 0, 0, 255))


def test_row_53_free_bytes_are_those_that_a_user_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", disk(9_000_000, 700_000))
    assert place_problem(tmp_path, Need(700_000)) is None
    problem = place_problem(tmp_path / "runs" / "name", Need(700_001))
    assert problem is not None
    assert (problem.id, problem.where) == ("storage.full", str(tmp_path / "runs" / "name"))
    assert problem.message == "700,000 bytes free, needed 700,001"


def test_row_53_a_full_disk_is_15_before_the_first_epoch_and_check_says_the_same(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--lookback", "8", "--horizon", "2", "--name", "job", "--runs-dir", tiny.runs]
    monkeypatch.setattr(os, "statvfs", disk(10_000, 10_000))
    result = cli("train", tiny.csv, *SMALL, *words[4:])
    assert (result.code, result.out) == (15, "")
    line = next(line for line in result.err.splitlines() if line.startswith("error"))
    assert line.startswith(f"error[storage.full]: {tiny.runs / 'job'}: 10,000 bytes free, needed ")
    assert "  hint: free some space, or choose another folder with --runs-dir" in result.err
    assert "epoch" not in result.err
    assert not (tiny.runs / "job").exists()
    checked = cli("check", tiny.csv, *words, "--json")
    document = json.loads(checked.out)
    assert (checked.code, document["ok"]) == (19, False)
    assert document["problems"][0]["id"] == "storage.full"
    assert document["problems"][0]["hint"] == "free some space, or choose another folder with --runs-dir"


def test_row_53_a_folder_that_takes_no_file_is_15_and_nothing_is_left(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise StorageError("storage.readonly", "cannot be written: Permission denied", errno=13)

    monkeypatch.setattr(places, "probe", refuse)
    result = cli("train", tiny.csv, *SMALL, "--name", "job", "--runs-dir", tiny.runs)
    assert result.code == 15
    assert "error[storage.readonly]: " in result.err
    assert not (tiny.runs / "job").exists()
    with pytest.raises(StorageError):
        require_place(tiny.runs / "tiny", Need(1))
    assert tiny.run.path.is_dir()  # a folder that was there stays


def test_row_53_the_folder_is_tried_by_writing_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    require_place(tmp_path, Need(1))
    require_place(tmp_path / "new", Need(1))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "new"]


def limited(arguments: list[str | Path], limit: str, cwd: Path) -> Result:
    """The program under a limit of the shell."""
    words = [sys.executable, "-m", "lstm_forecast", *map(str, arguments)]
    done = subprocess.run(
        ["/bin/sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *words],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_row_53_sixteen_open_files_are_enough_or_the_error_is_clean(tiny: Tiny) -> None:
    words = ["train", tiny.csv, *SMALL, "--name", "job", "--runs-dir", tiny.runs, "--set", "run.plots=false"]
    result = limited(words, "-n 16", tiny.csv.parent)
    assert result.code in (0, 15), result.err
    assert "Traceback" not in result.err
    assert (result.code == 0) == (tiny.runs / "job" / "CURRENT").is_file()


def test_row_53_too_few_open_files_are_15_before_the_first_epoch(tiny: Tiny) -> None:
    words = ["train", tiny.csv, *SMALL, "--name", "job", "--runs-dir", tiny.runs]
    result = limited(words, "-n 9", tiny.csv.parent)
    assert (result.code, result.out) == (15, "")
    assert "error[storage.files]: " in result.err
    assert " more files can be opened, needed 8" in result.err
    assert "  hint: allow more open files: ulimit -n 256" in result.err
    assert "device:" not in result.err  # torch was not asked for anything


def test_row_53_a_limit_of_the_size_of_files_is_15_before_the_first_epoch(tiny: Tiny) -> None:
    words = ["train", tiny.csv, *SMALL, "--name", "job", "--runs-dir", tiny.runs]
    result = limited(words, "-f 100", tiny.csv.parent)
    assert (result.code, result.out) == (15, "")
    assert "error[storage.full]: " in result.err
    assert "no file may be larger than 51,200 bytes, needed " in result.err
    assert "  hint: ulimit -f unlimited" in result.err


def in_a_small_disk(script: str, tiny: Tiny, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Runs a shell script as root of a name space of its own; skips where that is not allowed."""
    tried = subprocess.run(["unshare", "-rm", "true"], capture_output=True)
    if tried.returncode != 0:
        pytest.skip("no name space of one's own here (unshare -rm)")
    (tiny.csv.parent / "disk").mkdir()
    words = [sys.executable, "-m", "lstm_forecast", "train", tiny.csv, *SMALL, "--runs-dir", "disk/runs"]
    return subprocess.run(
        ["unshare", "-rm", "/bin/sh", "-c", script, "sh", *map(str, words)],
        env={**CRON, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        cwd=tiny.csv.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_row_53_a_disk_of_300_kilobytes_is_15_before_the_first_epoch(tiny: Tiny) -> None:
    done = in_a_small_disk('mount -t tmpfs -o size=300k none disk && "$@"', tiny)
    assert done.returncode == 15, done.stderr
    assert "error[storage.full]: " in done.stderr
    assert " bytes free, needed " in done.stderr
    assert "device:" not in done.stderr


def test_row_53_a_read_only_disk_is_15_before_the_first_epoch(tiny: Tiny) -> None:
    script = 'mount -t tmpfs none disk && mkdir disk/runs && mount -o remount,ro disk && "$@"'
    done = in_a_small_disk(script, tiny)
    assert done.returncode == 15, done.stderr
    assert "error[storage.readonly]: " in done.stderr
    assert "Read-only file system" in done.stderr
    assert "device:" not in done.stderr


@pytest.mark.parametrize(
    ("mode", "told"), [(0o755, False), (0o775, False), (0o777, True), (0o757, True), (0o1777, False)]
)
def test_row_70_a_folder_that_everybody_may_write_is_told(
    mode: int, told: bool, cli: Cli, tiny: Tiny
) -> None:
    if places.file_system(tiny.runs).local is not True:
        pytest.skip("a file system that may make the modes up")
    tiny.runs.chmod(mode)
    assert (open_to_others(tiny.runs) is not None) is told
    result = cli(
        "train", tiny.csv, *SMALL, "--name", "job", "--runs-dir", tiny.runs, "--set", "run.plots=false"
    )
    assert result.code == 0
    assert ("warning[storage.writable_by_others]: " in result.err) is told
    assert (f"chmod o-w {shlex.quote(str(tiny.runs))}" in result.err) is told
    document = json.loads(cli("doctor", "--no-torch", "--json", "--runs-dir", tiny.runs).out)
    assert [one["id"] for one in document["warnings"]] == ["storage.writable_by_others"] * told
    found = cli("doctor", "--no-torch", "--runs-dir", tiny.runs)
    assert (found.code, "warning[storage.writable_by_others]: " in found.out) == (0, told)
    checked = cli("check", tiny.csv, "--lookback", "8", "--name", "job", "--runs-dir", tiny.runs)
    assert (checked.code, "warning[storage.writable_by_others]: " in checked.err) == (0, told)


def test_a_folder_whose_modes_are_made_up_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    for kind, local in (("9p", False), ("vfat", None)):
        place = places.file_system(tmp_path).__class__(kind, local)
        monkeypatch.setattr(places, "file_system", lambda _, place=place: place)
        assert open_to_others(tmp_path) is None


def test_the_warning_comes_once_a_folder(tiny: Tiny) -> None:
    tiny.runs.chmod(0o777)
    events = Events()
    plan = pipeline.plan(job(tiny.csv))
    room.require_room(tiny.runs, "tiny", plan, events)
    room.require_room(tiny.runs, "tiny", plan, events)
    assert len(events.warnings) <= 1
