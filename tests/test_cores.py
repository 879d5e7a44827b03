"""Cores that are usable, and the threads they give a batch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lstm_forecast import cores
from lstm_forecast.choices import with_threads
from tests.training.jobs import job

MANY = 60 * 4 * 50  # hidden values of a row, enough for any number of threads


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores, and nobody who asks for fewer threads."""
    monkeypatch.setattr(cores, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("batch_size", "threads"), [(1, 1), (15, 1), (16, 2), (32, 4), (63, 7), (64, 8), (1000, 8)]
)
def test_every_thread_has_at_least_eight_rows_and_a_core(batch_size: int, threads: int) -> None:
    assert cores.threads_for(batch_size, networks=1, row_values=MANY) == threads


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("batch_size", "row_values", "threads"),
    [
        (64, 937, 1),
        (64, 938, 2),
        (64, 2813, 6),
        (16, 24 * 2 * 20, 1),
        (32, 60 * 4 * 50, 4),
        (128, 10 * 128, 5),
    ],
)
def test_every_thread_has_something_to_compute(batch_size: int, row_values: int, threads: int) -> None:
    assert cores.threads_for(batch_size, networks=1, row_values=row_values) == threads


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("changes", "threads"),
    [
        ({"model.hidden_size": "10"}, 1),  # 32 rows of 24 steps of 2 layers of 10 units: 15,360
        ({"model.hidden_size": "50"}, 2),
        ({"model.hidden_size": "[30, 70]"}, 2),
        ({"model.hidden_size": "50", "model.bidirectional": "true"}, 4),
        ({"model.hidden_size": "50", "model.segment": "3"}, 1),
        ({"model.hidden_size": "50", "window.lookback": "36"}, 3),
        ({"model.hidden_size": "50", "training.batch_size": "64"}, 5),
        ({"model.hidden_size": "10", "training.threads": "4"}, 4),
    ],
)
def test_a_configuration_gets_threads_by_what_a_batch_computes(
    changes: dict[str, str], threads: int, tmp_path: Path
) -> None:
    usual = {
        "window.lookback": "24",
        "model.num_layers": "2",
        "training.batch_size": "32",
        "model.segment": "1",
    }
    config = with_threads(job(tmp_path / "a.csv", {**usual, **changes}).config)
    assert config.training.threads == threads


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("networks", "threads"), [(1, 8), (2, 4), (4, 2), (8, 1), (16, 1), (5, 8)])
def test_networks_side_by_side_share_the_cores(networks: int, threads: int) -> None:
    """Five networks: one after the other on eight threads is done before two rounds of two threads."""
    assert cores.threads_for(256, networks=networks, row_values=MANY) == threads


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("asked", "threads"), [("1", 1), ("3", 3), ("3,2", 3), ("64", 8), ("", 8), ("0", 1), ("x", 8)]
)
def test_a_number_of_threads_in_the_environment_is_the_most(
    asked: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert cores.threads_for(256, networks=1, row_values=MANY) == threads


def test_many_cores_are_not_all_used_for_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "usable_cores", lambda: 128)
    assert cores.threads_for(4096, networks=1, row_values=MANY) == 16


@pytest.mark.parametrize(
    ("files", "granted"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "garbage"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_a_control_group_grants_so_many_cores(
    files: dict[str, str], granted: int | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores._granted(tmp_path) == granted


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_a_process_bound_to_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
