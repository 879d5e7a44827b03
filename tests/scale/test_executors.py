"""Tasks in processes: answers, deaths, limits of time, signals, and a batch that is killed itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstm_forecast import signals
from lstm_forecast.scale.batch import PRELOAD
from lstm_forecast.scale.executors import Ending, Task, run_tasks
from tests.conftest import CRON, ROOT
from tests.scale.clock import hours_later
from tests.scale.tasks import told


def run(
    folder: Path, *texts: str, workers: int = 1, timeout_s: float | None = None
) -> tuple[dict[int, Ending], int | None]:
    """How each task ended, by its number, and the signal that stopped all."""
    tasks = [Task(f"t{n}", text, folder / f"t{n}.log") for n, text in enumerate(texts)]
    endings: dict[int, Ending] = {}
    with signals.caught(lambda _: None):
        stopped = run_tasks(
            tasks,
            told,
            preload=PRELOAD,
            workers=workers,
            timeout_s=timeout_s,
            on_end=lambda number, ending: endings.update({number: ending}),
        )
    return endings, stopped


def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_each_task_gives_its_answer_and_does_not_hear_ctrl_c(tmp_path: Path) -> None:
    endings, stopped = run(tmp_path, "echo one", "echo 二", workers=2)
    assert stopped is None
    assert [endings[n].text for n in range(2)] == ["one True", "二 True"]
    assert [endings[n].exit_code for n in range(2)] == [0, 0]


def test_as_many_run_at_once_as_there_are_workers(tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    endings, _ = run(tmp_path, *[f"together {meeting} 3"] * 3, workers=3)
    assert all(endings[n].text is not None for n in range(3))
    assert len({path.name for path in meeting.iterdir()}) == 3


def test_what_a_task_says_goes_to_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    endings, _ = run(tmp_path, "say hello")
    assert endings[0].text == "said"
    assert (tmp_path / "t0.log").read_text() == "hello\nhello\n"
    assert capfd.readouterr() == ("", "")


def test_a_task_that_dies_stops_no_other(tmp_path: Path) -> None:
    endings, stopped = run(tmp_path, f"die {signal.SIGKILL:d}", "break wheel", "echo still")
    assert stopped is None
    assert [endings[n].text for n in range(3)] == [None, None, "still True"]
    assert [endings[n].exit_code for n in range(2)] == [-signal.SIGKILL, 1]
    assert "AttributeError: wheel" in (tmp_path / "t1.log").read_text()


def test_a_task_that_takes_too_long_is_asked_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = tmp_path / "pid"
    hours_later(monkeypatch, lambda: asleep.exists() and asleep.read_text() != "")
    endings, stopped = run(tmp_path, f"sleep {asleep}", "echo next", timeout_s=600)
    assert stopped is None
    assert (endings[0].text, endings[0].timed_out, endings[1].text) == ("stopped", True, "next True")


def test_a_signal_to_the_batch_stops_its_tasks_and_begins_no_other(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        endings, stopped = run(tmp_path, f"signal {number:d}", "echo never")
        assert stopped == number
        assert list(endings) == [0]
        assert (endings[0].text, endings[0].stopped) == ("143", True)


def test_a_second_ctrl_c_leaves_at_once_and_leaves_nobody_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, f"twice {tmp_path / 'pid'}")
    assert gone(int((tmp_path / "pid").read_text()), 30)


def test_a_batch_that_is_killed_takes_its_tasks_along(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from lstm_forecast.scale.executors import Task, run_tasks
from tests.scale.tasks import told
folder = Path(sys.argv[1])
task = Task("long", f"sleep {folder / 'pid'}", folder / "long.log")
run_tasks([task], told, preload="json", workers=1, timeout_s=None, on_end=print)
"""
    env = {**CRON, "PYTHONPATH": str(ROOT)}
    batch = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], env=env, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < until
        assert batch.poll() is None
        time.sleep(0.02)
    batch.kill()
    batch.wait()
    assert gone(int((tmp_path / "pid").read_text()), 30)


def test_closed_streams_do_not_reach_a_task(tmp_path: Path) -> None:
    """Another file would get the number 1 or 2, and the log would be written over it."""
    script = """
import sys
from pathlib import Path
from lstm_forecast.scale.executors import Task, run_tasks
from tests.scale.tasks import told
folder = Path(sys.argv[1])
def end(number, ending):
    (folder / "text").write_text(str(ending.text))
task = Task("a", "echo a", folder / "a.log")
run_tasks([task], told, preload="json", workers=1, timeout_s=None, on_end=end)
"""
    env = {**CRON, "PYTHONPATH": str(ROOT)}
    words = ["/bin/sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(words, env=env, timeout=60).returncode == 0
    assert (tmp_path / "text").read_text().startswith("a ")


def test_no_task_gives_nothing(tmp_path: Path) -> None:
    assert run(tmp_path) == ({}, None)
    assert list(tmp_path.iterdir()) == []
