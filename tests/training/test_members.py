"""Networks trained side by side: the bits of one after the other, one failure ends all, signals are heard."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from lstm_forecast import networks
from lstm_forecast.signals import Abandoned, deferred, heeding
from lstm_forecast.training.checkpoints import newest_checkpoint
from lstm_forecast.training.members import side_by_side
from tests.conftest import Cli
from tests.forked import Warm
from tests.training.jobs import days, files, job, momentum, trained, write_csv
from tests.training.test_resume import MID_4, killed, only_run, result, words

ENSEMBLE = {"training.ensemble": "3", "training.refit": "full", "model.dropout": "0.3"}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """160 days."""
    return write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})


@pytest.mark.parametrize("changes", [{}, {"data.transform": "log"}, {"split.validation": "0"}])
def test_side_by_side_has_the_bits_of_one_after_the_other(
    changes: Mapping[str, str], csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "workers_for", lambda *_: 1)
    alone = files(trained(csv, {**ENSEMBLE, **changes}))
    monkeypatch.setattr(networks, "workers_for", lambda *_: 3)
    assert files(trained(csv, {**ENSEMBLE, **changes})) == alone


def test_results_stand_in_the_order_of_the_trainings_and_nobody_has_threads_of_his_own() -> None:
    second = threading.Event()

    def first_ends_last() -> tuple[str, int, bool]:
        second.wait(10)
        return "first", torch.get_num_threads(), threading.current_thread() is threading.main_thread()

    def second_ends_first() -> tuple[str, int, bool]:
        second.set()
        return "second", torch.get_num_threads(), threading.current_thread() is threading.main_thread()

    found = side_by_side([first_ends_last, second_ends_first], workers=2)
    assert found == [("first", 1, False), ("second", 1, False)]
    assert side_by_side([second_ends_first], workers=2)[0][2]  # one alone needs no thread
    assert side_by_side([], workers=2) == []


def test_one_failure_ends_the_others_before_their_next_step_and_is_what_is_told() -> None:
    running, steps, begun = threading.Event(), itertools.count(), []

    def endless() -> None:
        begun.append("endless")
        with deferred() as stop:
            while True:
                running.set()
                next(steps)
                stop()

    def failing() -> None:
        running.wait(10)
        raise ValueError("this one")

    def never() -> None:
        begun.append("never")

    with pytest.raises(ValueError, match="this one"):
        side_by_side([endless, failing, never], workers=2)
    assert next(steps) > 0
    assert begun[0] == "endless"
    with heeding(threading.Event()), deferred() as stop:
        stop()  # nothing was set


def test_a_thread_that_heeds_an_event_leaves_where_it_asks() -> None:
    raised: list[bool] = []

    def work() -> None:
        left = threading.Event()
        with heeding(left), deferred() as stop:
            stop()
            left.set()
            try:
                stop()
            except Abandoned:
                raised.append(True)
        with deferred() as stop:
            stop()  # the next work of this thread does not hear of it

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == [True]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_keeps_the_last_whole_epoch_of_every_network(
    name: str, csv: Path, cli: Cli, warm: Warm
) -> None:
    changes = {"training.ensemble": "2", "training.checkpoint_every": "1d"}
    assert cli(*words(csv, "straight", changes)).code == 0
    stopped = killed(warm, words(csv, "stopped", changes), 2 * MID_4, name)
    assert stopped.code == 128 + getattr(signal, name), stopped.err
    assert "Traceback" not in stopped.err
    run = only_run(csv, "stopped")
    found = newest_checkpoint(run.path / "checkpoints")
    assert found is not None
    assert sum(state.epoch for state in found.parts.values()) >= 5
    assert cli(*words(csv, "stopped", changes), "--resume").code == 0
    assert result(run) == result(only_run(csv, "straight"))


@pytest.mark.parametrize(("threads", "at_once"), [(1, 3), (2, 2), (3, 1), (8, 1)])
def test_networks_train_side_by_side_where_all_their_threads_find_cores(
    threads: int, at_once: int, csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "usable_cores", lambda: 4)
    config = job(csv, {"training.ensemble": "3", "training.threads": str(threads)}).config
    assert networks.workers_for(config, torch.device("cpu")) == at_once
    assert networks.workers_for(config, torch.device("cuda")) == 1
