"""Whole programs that are killed, stopped, started together or run out of room."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from lstm_forecast import pipeline
from lstm_forecast.errors import ForecastError
from lstm_forecast.runs.run import Run, lock_path, promote, read_status, sorted_runs
from lstm_forecast.runs.storage import held_lock
from tests.conftest import SMALL, Cli, Tiny
from tests.faults.commands import table, train
from tests.faults.harness import (
    KILLED,
    Terminal,
    age_temporaries,
    assert_clean,
    assert_invariants,
    before,
    newest,
    run_cli,
    status,
)
from tests.forked import Child, Warm, awaited
from tests.hanging import never_hangs

LONG = 100_000  # epochs; nobody waits for them


@dataclass(frozen=True)
class World:
    """A warm process, the rows that are trained on, and a folder of runs with one run of them."""

    folder: Path
    warm: Warm
    csv: Path
    template: Path

    def runs_dir(self) -> Path:
        """A folder of runs of its own."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "runs"
        shutil.copytree(self.template, place)
        return place


@pytest.fixture(scope="module")
def world(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("processes")
    csv, template = table(folder), folder / "template"
    assert warm.run(train(csv, template)).code == 0
    return World(folder, warm, csv, template)


def few_or_many(few: int, many: int) -> pytest.MarkDecorator:
    """So many times, and many more where time does not matter."""
    counts = [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.slow)]
    return pytest.mark.parametrize("count", counts)


def weights(run: Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


@few_or_many(3, 200)
def test_row_59_killed_at_random_times_nothing_is_lost(count: int, world: World) -> None:
    epochs = 12
    straight = world.runs_dir()
    began = time.monotonic()
    assert world.warm.run(train(world.csv, straight, epochs=epochs)).code == 0
    duration = time.monotonic() - began
    runs_dir, draw, killed = world.runs_dir(), random.Random(59), 0
    words = [*train(world.csv, runs_dir, epochs=epochs), "--resume"]
    for _ in range(count):
        was = before(runs_dir)
        child = world.warm.start(words)
        time.sleep(draw.uniform(0, duration))
        os.kill(child.pid, signal.SIGKILL)
        result = child.result()
        assert result.code in (0, KILLED), result
        killed += result.code == KILLED
        assert_invariants(was, result)
    assert killed > 0
    age_temporaries(runs_dir)
    done = world.warm.run(words)
    assert done.code == 0, done
    assert_clean(runs_dir)
    expected = weights(newest(straight, "a"))
    complete = [run for run in sorted_runs(runs_dir / "a") if run.complete]
    assert complete[0].current
    assert {weights(run) for run in complete[:-1]} == {expected}  # the oldest was there before


@few_or_many(1, 60)
def test_row_59_a_long_stop_is_no_reason_to_fail(count: int, world: World) -> None:
    runs_dir = world.runs_dir()
    was = before(runs_dir)
    child = world.warm.start(train(world.csv, runs_dir, epochs=30))
    begun(runs_dir, was.handles)
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(count)
    os.kill(child.pid, signal.SIGCONT)
    result = child.result()
    assert result.code == 0, result
    assert_invariants(was, result)
    assert_clean(runs_dir)


def begun(runs_dir: Path, handles: frozenset[str]) -> Run:
    """The run that is not among these, once its first checkpoint is there."""
    found: list[Run] = []

    def happened() -> bool:
        runs = [run for run in sorted_runs(runs_dir / "a") if run.handle not in handles]
        found[:] = [run for run in runs if (run.path / "checkpoints" / "LAST").exists()]
        return bool(found)

    awaited(happened)
    return found[0]


def together(world: World, *commands: list[str]) -> list[Child]:
    """Children that begin at the same moment, everything imported."""
    children = [world.warm.start(words, waits=True) for words in commands]
    for child in children:
        child.ready()
    for child in children:
        child.go()
    return children


@few_or_many(3, 50)
def test_row_47_of_two_trainings_of_one_name_one_works(count: int, world: World) -> None:
    for _ in range(count):
        runs_dir = world.runs_dir()
        was, words = before(runs_dir), train(world.csv, runs_dir, epochs=LONG)
        children = together(world, words, words)
        about = runs_dir / ".locks" / "a.lock.json"
        awaited(about.exists)
        holder = json.loads(about.read_bytes())
        winner, loser = sorted(children, key=lambda child: child.pid != holder["pid"])
        left = loser.result(timeout=60)  # while the other one works
        assert (left.code, left.out) == (75, "")
        said = f"is held by process {winner.pid} on {holder['host']} since {holder['since']}; waited 0 s"
        assert said in left.err
        run = begun(runs_dir, was.handles)
        os.kill(winner.pid, signal.SIGTERM)
        stopped = winner.result(timeout=60)
        assert stopped.code == 143
        assert_invariants(was, stopped)
        assert [run.handle for run in sorted_runs(runs_dir / "a") if run.handle not in was.handles] == [
            run.handle
        ]
        assert world.warm.run(train(world.csv, runs_dir)).code == 0
        assert_clean(runs_dir)


def test_row_47_one_that_waits_trains_after_the_other(world: World) -> None:
    runs_dir = world.runs_dir()
    was, words = before(runs_dir), [*train(world.csv, runs_dir), "--wait", "60s"]
    for child in together(world, words, words, words):
        result = child.result()
        assert result.code == 0, result
    assert len(sorted_runs(runs_dir / "a")) == len(was.handles) + 3
    assert len({weights(run) for run in sorted_runs(runs_dir / "a")}) == 1
    assert_clean(runs_dir)


def test_row_51_a_limit_on_the_size_of_files_is_a_storage_error(world: World) -> None:
    """The kernel cuts the write that goes beyond it, and the next one fails."""
    for most_bytes in (1500, 3000, 100_000):
        runs_dir = world.runs_dir()
        was, words = before(runs_dir), train(world.csv, runs_dir)
        result = world.warm.start(words, most_bytes=most_bytes).result()
        assert result.code == (0 if most_bytes == 100_000 else 15), result
        assert_invariants(was, result)
        assert world.warm.run(words).code == 0
        assert_clean(runs_dir)


MOUNT = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
shift; keep="$1"; shift
"$@"; code=$?
cp -a . "$keep"
exit $code
"""


def test_row_51_a_disk_of_a_megabyte_is_full_before_a_checkpoint_is_written(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("unshare -rm is not allowed")
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    csv, runs_dir = table(tmp_path), small / "runs"
    wide = ["model.hidden_size=200" if w.startswith("model.hidden_size") else w for w in train(csv, runs_dir)]
    mounting = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        f"cd {tmp_path}\n" + MOUNT.replace("cp -a .", f"cp -a {small}/."),
    ]
    result = run_cli(wide, fault=[*mounting, "sh", str(small), str(kept)])
    if result.code == 99:
        pytest.skip("tmpfs cannot be mounted")
    assert (result.code, result.out) == (15, "")
    assert "error[storage.full]: " in result.err
    assert "Traceback" not in result.err
    assert list(kept.rglob("*.tmp")) == []
    for run in sorted_runs(kept / "runs" / "a"):
        assert not run.complete
        assert status(run)["exit_code"] in (15, None)  # None: there was no room for the word either


def test_row_49_a_forecast_is_the_old_ones_or_the_new_ones(cli: Cli, tiny: Tiny) -> None:
    words = [
        "train",
        tiny.csv,
        *SMALL,
        "--set",
        "run.plots=false",
        "--set",
        "evaluation.gate=none",
        "--name",
        "b",
        "--runs-dir",
        tiny.runs,
    ]
    for seed in ("1", "2"):
        assert cli(*words, "--seed", seed, "-q").code == 0
    new, old = sorted_runs(tiny.runs / "b")
    expected = {run.handle: pipeline.predict(run.path).rows for run in (old, new)}
    assert expected[new.handle] != expected[old.handle]
    over = threading.Event()

    def flip() -> None:
        for number in itertools.count():
            promote(new if number % 2 else old)
            if over.is_set():
                return

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        with never_hangs():
            seen: set[str] = set()
            while len(seen) < 2:
                for _ in range(20):
                    forecast = pipeline.predict("b", runs_dir=tiny.runs)
                    assert forecast.rows == expected[forecast.run]
                    seen.add(forecast.run)
    finally:
        over.set()
        thread.join()
    assert seen == set(expected)


def aged(run: Run, count: int) -> list[Path]:
    """Old copies of a run, as many as asked for."""
    copies = [run.path.with_name(f"202001{day:02d}T000000Z-abcdef") for day in range(1, count + 1)]
    for copy in copies:
        shutil.copytree(run.path, copy)
    return copies


def pruning(runs_dir: Path) -> list[str]:
    keep = ["--keep-last", "1", "--keep-best", "0", "--keep-days", "0", "--runs-dir", str(runs_dir)]
    return ["runs", "prune", *keep, "-q"]


def test_row_50_forecasts_while_runs_are_pruned_are_whole_or_refused(cli: Cli, tiny: Tiny) -> None:
    expected = pipeline.predict("tiny", runs_dir=tiny.runs).rows
    copies, over = aged(tiny.run, 28), threading.Event()
    faults: list[str] = []

    def read() -> None:
        while not over.is_set():
            for path in copies:
                try:
                    assert pipeline.predict(path).rows == expected
                except ForecastError as error:
                    faults.append(error.id)
            assert pipeline.predict("tiny", runs_dir=tiny.runs).rows == expected

    thread = threading.Thread(target=read)
    thread.start()
    result = cli(*pruning(tiny.runs))
    over.set()
    thread.join()
    assert result.code == 0, result
    assert set(faults) <= {"run.not_found", "artifact.unreadable", "run.incomplete"}
    assert sorted_runs(tiny.runs / "tiny") == [tiny.run]
    assert_clean(tiny.runs)


@few_or_many(2, 30)
def test_row_50_two_prunings_and_a_training_at_once(count: int, world: World) -> None:
    for _ in range(count):
        runs_dir = world.runs_dir()
        first = newest(runs_dir, "a")
        aged(first, 5)
        words = pruning(runs_dir)
        one, other, third = together(world, words, words, [*train(world.csv, runs_dir), "--wait", "30s"])
        for child in (one, other, third):
            result = child.result()
            assert result.code == 0, result
            assert "Traceback" not in result.err
        run = newest(runs_dir, "a")
        assert run.current
        assert weights(run) == weights(first) if first.path.exists() else run.complete
        assert world.warm.run(words).code == 0
        assert [run] == sorted_runs(runs_dir / "a")
        assert_clean(runs_dir)


def test_row_50_a_name_that_is_trained_is_not_pruned(cli: Cli, tiny: Tiny) -> None:
    copies = aged(tiny.run, 2)
    with held_lock(lock_path(tiny.runs, "tiny"), timeout_s=0):
        result = cli(*[word for word in pruning(tiny.runs) if word != "-q"])
        assert result.code == 0
        assert "warning[runs.locked]: tiny is in use by another process" in result.err
        assert all((path / "MANIFEST.json").exists() for path in copies)
    assert cli(*pruning(tiny.runs)).code == 0
    assert not any(path.exists() for path in copies)


def typed(world: World, runs_dir: Path, keys: str) -> tuple[int, str, Run]:
    """What a training at a terminal leaves when these keys come in its midst."""
    was = before(runs_dir)
    words = [word for word in train(world.csv, runs_dir, epochs=LONG) if word != "-q"]
    env = {"TERM": "xterm", "LANG": "C.UTF-8"}
    with Terminal.forked(world.warm, words, env) as terminal:
        terminal.wait_for("epoch", timeout=60)
        run = begun(runs_dir, was.handles)
        terminal.type(keys)
        terminal.wait_for("SIGINT: stopping", timeout=60)
        return terminal.ended(60), terminal.text(), run


@pytest.mark.parametrize("keys", ["\x03", "\x03\x03"], ids=["once", "twice"])
def test_row_56_ctrl_c_at_a_terminal(keys: str, world: World) -> None:
    runs_dir = world.runs_dir()
    was = before(runs_dir)
    code, text, run = typed(world, runs_dir, keys)
    assert code == 130
    assert "Traceback" not in text
    assert "Ctrl-C once more leaves at once" in text
    assert text.rstrip().endswith("interrupted")
    if len(keys) == 1:
        assert (read_status(run), status(run)["exit_code"]) == ("interrupted", 130)
    assert not run.complete
    resumed = world.warm.run([*train(world.csv, runs_dir, epochs=10), f"--resume={run.id}"])
    assert resumed.code == 0, resumed
    assert newest(runs_dir, "a") == run
    assert {path: path.read_bytes() for path in was.files} == dict(was.files)
    assert_clean(runs_dir)
