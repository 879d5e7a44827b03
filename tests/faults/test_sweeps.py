"""Rows 51, 52 and 58: each call of the system fails, or the program is killed before it, one after the other.

strace tampers with the N-th call, N = 1, 2, … until the program ends unharmed. A warm process forks one child
for each N, so that the sweep of a whole training takes minutes and not hours.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lstm_forecast.runs.ledger import open_ledger
from lstm_forecast.runs.run import Run, all_runs, sorted_runs
from tests.conftest import Result
from tests.faults.commands import table, train
from tests.faults.harness import (
    KILLED,
    Before,
    Fault,
    age_temporaries,
    assert_clean,
    assert_invariants,
    before,
    newest,
    strace_missing,
    traced,
)
from tests.forked import Warm, statement, warmed

MISSING = strace_missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

OPEN, WRITE, SYNC, DATA_SYNC = "?openat", "?write", "?fsync", "?fdatasync"
RENAME, UNLINK, MKDIR = "?rename,?renameat,?renameat2", "?unlink,?unlinkat,?rmdir", "?mkdir,?mkdirat"
CALLS = {
    "open": OPEN,
    "write": WRITE,
    "fsync": SYNC,
    "rename": RENAME,
    "unlink": UNLINK,
    "mkdir": MKDIR,
}
ERRORS = tuple(f"error={name}" for name in ("ENOSPC", "EIO", "EDQUOT", "EACCES"))
MOST = 400  # no command here makes so many calls of one kind


@dataclass(frozen=True)
class World:
    """A warm process, and what every case begins from.

    Attributes:
        folder: where the cases are.
        warm: forks the commands.
        template: a folder of runs that is copied for each case.
        csv: the rows that are trained on.
        weights: of the run in it, which every training here must give again.
    """

    folder: Path
    warm: Warm
    template: Path
    csv: Path
    weights: bytes

    def runs_dir(self) -> Path:
        """A fresh copy of the template, always at the same place."""
        place = self.folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.template, place, symlinks=True)
        return place


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sweeps")
    csv, template = table(folder), folder / "template"
    table(folder, rows=81, name="longer.csv")
    first = train(csv, template)
    early = ["predict", "a", "--record", "-q"]
    prune = ["runs", "prune", "--runs-dir", str(template), "-q"]
    with warmed(folder, statement(first, [*early, "--runs-dir", str(template)], prune)) as warm:
        while not list(template.glob("a/CURRENT")):
            assert warm.run(["help", "exit-codes"]).code == 0
        yield World(folder, warm, template, csv, weights(newest(template, "a")))


def weights(run: Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def faults(actions: Sequence[str], calls: str) -> Iterator[Fault]:
    for number in range(1, MOST):
        yield Fault(calls, actions[number % len(actions)], number)
    pytest.fail("the sweep never ended")


def swept(action: str, calls: str, once: Callable[[Fault], list[str]]) -> int:
    """Goes on until nothing was tampered with; how many faults there were.

    With the action ``errors`` the errors come in turn: four times as many cases would take as much longer.
    """
    for fault in faults(ERRORS if action == "errors" else (action,), calls):
        if not once(fault):
            return fault.number - 1
    return 0


def reported(result: Result, hits: list[str], place: Path) -> None:
    """A fault of a write below this place is an error of storage that names a file."""
    others = ("O_RDONLY", 'a.lock"')  # filelock opens its file twice
    inside = [hit for hit in hits if str(place) in hit and not any(other in hit for other in others)]
    if inside and result.code != KILLED:
        assert result.code == 15, (result, hits)
        assert str(place) in result.err, result.err


ACTIONS = [*ERRORS, "signal=KILL"]
by_call = pytest.mark.parametrize("call", CALLS)
in_turn = pytest.mark.parametrize("action", ["errors", "signal=KILL"], ids=lambda a: a.partition("=")[2] or a)
by_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.partition("=")[2])


@by_call
@in_turn
def test_rows_51_and_52_and_58_a_training_at_every_call(action: str, call: str, world: World) -> None:
    def once(fault: Fault) -> list[str]:
        runs_dir = world.runs_dir()
        was, words = before(runs_dir), train(world.csv, runs_dir)
        result, hits = traced(world.warm.start(words, waits=True), fault)
        assert_invariants(was, result)
        assert not hits or result.code != 1, (hits, result)
        if call not in ("unlink", "mkdir"):
            reported(result, hits, runs_dir)
        age_temporaries(runs_dir)
        again = [*words, "--resume"] if fault.number % 2 else words
        done = world.warm.run(again)
        assert done.code == 0, (hits, done)
        assert_invariants(was, done, said=False)
        assert_clean(runs_dir)
        assert weights(newest(runs_dir, "a")) == world.weights
        assert newest(runs_dir, "a").current
        return hits

    assert swept(action, CALLS[call], once) > 0


STORED = Path(__file__).with_name("stored.py")


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """A warm process without torch."""
    imports = "import filelock\nfrom lstm_forecast.runs import run, storage\n"
    with warmed(
        tmp_path_factory.mktemp("stored"), imports + "import sys; assert 'torch' not in sys.modules"
    ) as w:
        yield w


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename", "mkdir"])
@by_action
def test_rows_51_and_52_and_58_a_run_is_written_at_every_call(
    action: str, call: str, light: Warm, tmp_path: Path
) -> None:
    assert light.start([tmp_path / "template"], script=STORED).result().code == 0

    def once(fault: Fault) -> list[str]:
        runs_dir = tmp_path / "runs"
        shutil.rmtree(runs_dir, ignore_errors=True)
        shutil.copytree(tmp_path / "template", runs_dir)
        was = before(runs_dir)
        result, hits = traced(light.start([runs_dir], script=STORED, waits=True), fault)
        assert_invariants(was, result, said=False)
        if call != "mkdir":
            reported(result, hits, runs_dir)
        assert light.start([runs_dir], script=STORED).result().code == 0
        assert newest(runs_dir, "a").current
        return hits

    assert swept(action, CALLS[call], once) > 0


@pytest.mark.parametrize("call", [OPEN, WRITE, "?pwrite64", SYNC, DATA_SYNC, UNLINK, "?ftruncate"])
@in_turn
def test_rows_51_and_52_and_58_a_forecast_is_recorded_at_every_call(
    action: str, call: str, world: World
) -> None:
    def rows(runs_dir: Path) -> int:
        with open_ledger(runs_dir / "ledger.sqlite") as ledger:
            return len(ledger.read("a", "value").steps)

    def once(fault: Fault) -> list[str]:
        runs_dir = world.runs_dir()
        was = before(runs_dir)
        words = ["predict", "a", "--data", str(world.folder / "longer.csv"), "--record", "-q"]
        words += ["--output", "-", "--runs-dir", str(runs_dir)]
        result, hits = traced(world.warm.start(words, waits=True), fault)
        assert_invariants(was, result, said=False)
        found = rows(runs_dir)
        assert found in ((4,) if result.code == 0 else (2, 4)), (hits, result)
        assert world.warm.run(words).code == 0
        assert rows(runs_dir) == 4
        assert_clean(runs_dir)
        return hits

    swept(action, call, once)


@pytest.mark.parametrize("call", ["open", "fsync", "rename", "unlink"])
@in_turn
def test_rows_50_and_52_and_58_runs_are_pruned_at_every_call(action: str, call: str, world: World) -> None:
    def once(fault: Fault) -> list[str]:
        runs_dir = world.runs_dir()
        first = newest(runs_dir, "a")
        for day in range(1, 4):
            shutil.copytree(first.path, runs_dir / "a" / f"2020010{day}T000000Z-abcdef")
        was = before(runs_dir)
        words = ["runs", "prune", "a", "--keep-last", "1", "--keep-best", "0", "--keep-days", "0", "-q"]
        words += ["--runs-dir", str(runs_dir)]
        result, hits = traced(world.warm.start(words, waits=True), fault)
        there = {run.path for run in all_runs(runs_dir)}
        kept = {path: data for path, data in was.files.items() if path.parent in there}
        assert_invariants(Before(runs_dir, kept, was.handles), result, said=False)
        assert world.warm.run(words).code == 0
        assert [run.id for run in sorted_runs(runs_dir / "a")] == [first.id]
        assert_clean(runs_dir)
        return hits

    assert swept(action, CALLS[call], once) > 0
