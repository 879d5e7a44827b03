"""``doctor``: what is found on this machine, and that what is wrong ends with 19."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.cli import doctor as module
from lstm_forecast.runs import file_systems, ledger_file
from lstm_forecast.runs.file_systems import FileSystem
from lstm_forecast.runs.storage import held_lock
from tests.conftest import Cli, Tiny, run_cli

KEYS = {"ok", "problems", "versions", "cores", "environment", "torch", "runs", "locks", "extras", "warnings"}
KEYS |= {"ledger", "files"}


def document(cli: Cli, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """The JSON document of one call."""
    result = cli("doctor", "--json", *words)
    assert result.code == code, result.err
    found = json.loads(result.out)
    assert set(found) == KEYS
    assert found["ok"] is (code == 0)
    return found


def test_everything_it_finds_is_what_the_machine_has(cli: Cli, tiny: Tiny) -> None:
    import torch

    from lstm_forecast.model.lstm_kernel import kernel

    before = sorted(tiny.runs.parent.rglob("*"))
    found = document(cli, "--runs-dir", tiny.runs)
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["torch"] == version("torch")
    usable = len(os.sched_getaffinity(0))  # and OMP_NUM_THREADS=1
    assert found["cores"] == {"machine": os.cpu_count(), "usable": usable, "training_threads": 1}
    assert found["torch"]["threads"] == torch.get_num_threads()
    assert found["torch"]["device"].split()[0] in ("cpu", "cuda", "mps")
    assert (found["torch"]["kernel"], found["torch"]["why"]) == (kernel().name, kernel().about)
    place = found["runs"]
    assert (place["path"], place["exists"], place["writable"]) == (str(tiny.runs), True, True)
    assert (place["runs"], place["names"], place["leftovers"]) == (1, 1, 0)
    assert place["free_bytes"] == pytest.approx(shutil.disk_usage(tiny.runs).free, rel=0.05)
    assert sorted(tiny.runs.parent.rglob("*")) == before


def test_it_says_why_torch_computes_lstms(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_forecast.model import lstm_kernel

    why = "torch's LSTM: ours was not compiled; install gcc or clang, then lstm-forecast again"
    monkeypatch.setattr(lstm_kernel, "kernel", lambda: lstm_kernel.Kernel(None, why))
    assert f"kernel:    {why}\n" in cli("doctor", "--runs-dir", tiny.runs).out
    about = document(cli, "--runs-dir", tiny.runs)["torch"]
    assert (about["kernel"], about["why"], about["failed"]) == ("torch", why, False)


def test_it_says_what_reads_files(cli: Cli, tiny: Tiny, cells_by: str) -> None:
    found = document(cli, "--no-torch", "--runs-dir", tiny.runs)["files"]
    assert found["kernel"] == cells_by
    assert f"files:     {found['why']}\n" in cli("doctor", "--no-torch", "--runs-dir", tiny.runs).out
    assert (found["why"] == "numpy: as the test asks") is (cells_by == "numpy")


def test_without_torch_everything_else_is_there(tiny: Tiny) -> None:
    result = run_cli(["doctor", "--no-torch", "--runs-dir", tiny.runs])
    assert (result.code, result.err) == (0, "")
    heads = [line.split(":")[0] for line in result.out.splitlines()]
    assert heads[:7] == ["versions", "packages", "cores", "files", "runs", "disk", "locks"]
    assert heads[7:] == ["ledger", "extra", "extra", "extra", "ok"]


def test_the_lines_name_a_held_lock_and_what_a_crash_left(cli: Cli, tiny: Tiny) -> None:
    words = ["doctor", "--no-torch", "--runs-dir", tiny.runs]
    (tiny.runs / "tiny" / ".trash-20200101T000000Z-abcdef").mkdir()
    with held_lock(tiny.runs / ".locks" / "tiny.lock", timeout_s=0.0):
        out = cli(*words).out
        assert "locks:     tiny held by " in out
        assert "1 run of 1 name, 1 removed but not yet deleted (runs prune)" in out
        locks = document(cli, *words[1:])["locks"]
        assert [(lock["name"], lock["held"]) for lock in locks] == [("tiny", True)]
    assert "locks:     none held" in cli(*words).out
    assert cli(*words, "-q").out == ""


def test_a_runs_folder_that_cannot_be_is_a_problem(cli: Cli, tiny: Tiny) -> None:
    result = cli("doctor", "--no-torch", "--runs-dir", tiny.csv / "runs")
    assert result.code == 19
    assert result.err.startswith("error[storage.io]: ")
    assert "hint: choose another folder with --runs-dir" in result.err
    found = document(cli, "--no-torch", "--runs-dir", tiny.csv / "runs", code=19)
    assert [problem["id"] for problem in found["problems"]] == ["storage.io"]
    assert (found["runs"]["writable"], found["runs"]["exists"]) == (False, False)


def test_a_full_disk_a_missing_package_and_a_broken_card_are_all_named(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.statvfs_result((4096, 1, 10**9, 1_000, 1_000, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    monkeypatch.setattr(module, "PACKAGES", (*module.PACKAGES, "no-such-package"))
    broken = "device: cpu (a CUDA device is there but failed: no kernel image)"
    monkeypatch.setattr("lstm_forecast.model.devices.choose_device", lambda _: (None, broken))
    found = document(cli, "--runs-dir", tiny.runs, code=19)
    ids = [problem["id"] for problem in found["problems"]]
    assert ids == ["storage.full", "packages.missing", "device.failed"]
    result = cli("doctor", "--runs-dir", tiny.runs)
    assert result.code == 19
    for word in ("1,000 bytes free", "no-such-package", "no kernel image"):
        assert word in result.err


def test_a_missing_extra_is_no_problem_and_comes_with_its_line(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXTRAS", {"baselines": "no-such-package"})
    result = cli("doctor", "--no-torch", "--runs-dir", tiny.runs)
    assert result.code == 0
    assert "extra:     baselines: pip install 'lstm-forecast[baselines]'" in result.out


def test_the_extras_are_those_of_the_project() -> None:
    import tomllib

    from tests.conftest import ROOT

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name != "dev"}
    assert set(extras) == set(module.EXTRAS)
    assert all(needs[0].startswith(module.EXTRAS[name]) for name, needs in extras.items())


def test_the_ledger_is_described_and_a_foreign_one_is_a_problem(cli: Cli, tiny: Tiny) -> None:
    words = ["--no-torch", "--runs-dir", tiny.runs]
    found = document(cli, *words)["ledger"]
    assert (found["exists"], found["forecasts"], found["problem"]) == (False, None, None)
    assert "ledger:    none yet (predict --record begins one)" in cli("doctor", *words).out
    assert cli("predict", "tiny", "--runs-dir", tiny.runs, "--record").code == 0
    found = document(cli, *words)["ledger"]
    assert (found["exists"], found["forecasts"], found["schema"]) == (True, 2, 1)
    path = tiny.runs / "ledger.sqlite"
    connection = sqlite3.connect(path)
    assert [(found["journal"],)] == connection.execute("PRAGMA journal_mode").fetchall()
    connection.close()
    assert (
        f"ledger:    {path}: 2 forecasts, schema 1; journal {found['journal']} (" in cli("doctor", *words).out
    )
    path.write_text("something else, " * 100)
    found = document(cli, *words, code=19)
    assert [problem["id"] for problem in found["problems"]] == ["ledger.damaged"]
    assert "error[ledger.damaged]: " in cli("doctor", *words).err


def test_a_write_ahead_log_on_a_network_drive_is_a_problem(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--no-torch", "--runs-dir", tiny.runs]
    for kind, local in (("xfs", True), ("nfs4", False)):
        place = FileSystem(kind, local)
        monkeypatch.setattr(file_systems, "file_system", lambda _, place=place: place)
        monkeypatch.setattr(ledger_file, "file_system", lambda _, place=place: place)
        if local:
            assert cli("predict", "tiny", "--runs-dir", tiny.runs, "--record").code == 0
            assert document(cli, *words)["ledger"]["why"].startswith("xfs is local: a write-ahead log")
    (problem,) = document(cli, *words, code=19)["problems"]
    assert (problem["id"], problem["where"]) == ("ledger.journal", str(tiny.runs / "ledger.sqlite"))
    assert "nfs4 is not local" in problem["message"]
