"""The events of a run's log: every fixed name is told at its place, and the log ends with run.end."""

from __future__ import annotations

import ast
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.events import EVENTS
from lstm_forecast.runs.run import lock_path, sorted_runs
from lstm_forecast.runs.storage import held_lock
from lstm_forecast.training import loop
from tests.conftest import ROOT, SMALL, Cli, Result, Tiny
from tests.contract.trees import tree_of
from tests.training.jobs import momentum

# run.start … run.end are promised to programs that read them: they are never renamed.
FIXED = ["run.start", "data.loaded", "data.rejects", "epoch.end", "checkpoint.saved", "checkpoint.fallback"]
FIXED += ["train.nonfinite", "signal", "lock.wait", "batch.item", "run.end"]
OTHERS = ["account", "warning", "error", "evaluation.end", "gate.decided", "champion.compared"]
ENVELOPE = ["v", "ts", "t", "level", "event"]
KEEP_ALL = ["--set", "training.checkpoint_every=0s"]
Line = dict[str, Any]


def lines(text: str) -> list[Line]:
    """The events of a text, each a whole JSON object of the agreed form."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        assert list(event)[:5] == ENVELOPE
        assert event["v"] == 1
        assert event["level"] in ("info", "warning", "error")
        assert event["ts"].endswith("Z")
        assert event["t"] >= 0
        assert event["event"] in EVENTS
    return events


@pytest.fixture
def train(cli: Cli, tiny: Tiny) -> Callable[..., Result]:
    """A tiny training under the name ``new`` that tells its events."""

    def call(*more: str | Path) -> Result:
        words = ["train", tiny.csv, *SMALL, "--name", "new", "--set", "run.plots=false"]
        return cli(*words, "--runs-dir", tiny.runs, "--log-format", "json", *more)

    return call


def log(tiny: Tiny) -> list[Line]:
    """The log of the newest run of ``new``: it is of that run, begins with its start, and has one end."""
    run = sorted_runs(tiny.runs / "new")[0]
    events = lines((run.path / "log.jsonl").read_text())
    assert {event["run"] for event in events} == {run.handle}
    assert events[0]["event"] == "run.start"
    assert events[-1]["event"] == "run.end"
    assert json.loads((run.path / "status.json").read_text())["exit_code"] == events[-1]["exit_code"]
    return events


def names(events: list[Line]) -> list[str]:
    return [event["event"] for event in events]


def interrupted_at(step: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Does something in one step of the trainings that follow, counted from 0."""
    true_loss, steps = loop._loss, iter(range(10**6))

    def loss(*arguments: Any) -> Any:
        if next(steps) == step:
            act()
        return true_loss(*arguments)

    monkeypatch.setattr(loop, "_loss", loss)


def test_the_table_holds_the_fixed_names_and_every_name_that_is_emitted() -> None:
    assert sorted(EVENTS) == sorted([*FIXED, *OTHERS])
    used = set()
    for path in (ROOT / "lstm_forecast").rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "emit":
                assert isinstance(node.args[0], ast.Constant), path
                used.add(node.args[0].value)
    assert used == set(EVENTS)


def test_the_reference_lists_every_event() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    for name, text in EVENTS.items():
        assert f"| `{name}` | {text} |" in page


def test_a_training_that_succeeds(train: Callable[..., Result], tiny: Tiny) -> None:
    result = train(*KEEP_ALL)
    assert result.code == 0
    events = log(tiny)
    wanted = {"data.loaded", "account", "epoch.end", "checkpoint.saved", "evaluation.end"}
    assert wanted <= set(names(events))
    assert names(events).count("run.end") == 1
    assert events[-1]["exit_code"] == 0
    loaded = next(event for event in events if event["event"] == "data.loaded")
    assert (loaded["path"], loaded["rows"]) == (str(tiny.csv), 160)
    # stderr has the same, in the order in which it happened; before the run was known it has no name
    told = lines(result.err)
    assert sorted(map(str, names(told))) == sorted(names(events))
    handle = events[0]["run"]
    start = names(told).index("run.start")
    assert [event.get("run") for event in told[:start]] == [None] * start
    assert {event.get("run") for event in told[start:]} == {handle}


def test_rejected_rows(train: Callable[..., Result], tiny: Tiny) -> None:
    tiny.csv.write_text(tiny.csv.read_text() + "2024-12-31,1,2\n")
    assert train("--set", "data.bad_rows=skip", "--set", "data.max_bad_rows=1").code == 0
    (rejected,) = [event for event in log(tiny) if event["event"] == "data.rejects"]
    assert (len(rejected["rows"]), rejected["level"]) == (1, "warning")


def test_a_divergence(train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    true_loss = loop._loss
    monkeypatch.setattr(loop, "_loss", lambda *arguments: true_loss(*arguments) * float("nan"))
    result = train()
    assert result.code == 14
    events = log(tiny)
    assert names(events)[-2:] == ["train.nonfinite", "run.end"]
    assert (events[-1]["exit_code"], events[-1]["error"]) == (14, "train.diverged")
    assert events[-1]["message"] == events[-2]["message"]
    told = lines(result.err)
    assert (told[-1]["event"], told[-1]["id"], told[-1]["exit_code"]) == ("error", "train.diverged", 14)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal(
    name: str, code: int, train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_at(4, lambda: signal.raise_signal(getattr(signal, name)), monkeypatch)
    result = train("--epochs", "3", *KEEP_ALL)
    assert result.code == code
    events = log(tiny)
    assert [event["signal"] for event in events if event["event"] == "signal"] == [name]
    assert events[-1]["exit_code"] == code
    lines(result.err)


def test_a_fallback_to_an_older_checkpoint(
    train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_at(25, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
    assert train("--epochs", "5", *KEEP_ALL).code == 143
    (run,) = sorted_runs(tiny.runs / "new")
    newest = max((run.path / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert train("--epochs", "5", *KEEP_ALL, "--resume").code == 0
    events = log(tiny)
    (fallback,) = [event for event in events if event["event"] == "checkpoint.fallback"]
    assert fallback["path"] == str(newest)
    assert names(events).count("run.start") == names(events).count("run.end") == 2


def test_waiting_for_a_lock(train: Callable[..., Result], tiny: Tiny) -> None:
    with held_lock(lock_path(tiny.runs, "new"), timeout_s=0):
        result = train("--wait", "0.1s")
    assert result.code == 75
    told = lines(result.err)
    (waiting,) = [event for event in told if event["event"] == "lock.wait"]
    assert (waiting["name"], waiting["wait_s"]) == ("new", 0.1)
    assert told[-1]["id"] == "run.locked"


def test_an_error_and_a_bug_in_mid_training(
    train: Callable[..., Result], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "somewhere")

    def broken() -> None:
        rows = momentum(20)
        raise AttributeError(f"a bug in {len(rows)} rows")

    for act, code, id in ((full, 15, "storage.io"), (broken, 1, "AttributeError")):
        monkeypatch.undo()
        monkeypatch.chdir(tiny.csv.parent)
        interrupted_at(1, act, monkeypatch)
        result = train()
        assert result.code == code
        last = log(tiny)[-1]
        assert (last["exit_code"], last["error"], last["level"]) == (code, id, "error")
        told = lines(result.err)
        assert (told[-1]["event"], told[-1]["exit_code"]) == ("error", code)
    assert told[-1]["id"] == "internal"
    assert told[-1]["message"] == "AttributeError: a bug in 20 rows"
    assert any(line.endswith(" in broken") for line in told[-1]["details"])
    assert any(line.endswith(" in broken") for line in last["details"])


COMMANDS: dict[str, list[str]] = {
    "train": ["train", "tiny.csv", *SMALL, "--name", "new"],
    "train --dry-run": ["train", "tiny.csv", "--lookback", "8", "--name", "new", "--dry-run"],
    "predict": ["predict", "tiny", "--data", "tiny.csv"],
    "predict --output": ["predict", "tiny", "--output", "out.csv", "--record"],
    "evaluate": ["evaluate", "tiny", "--data", "tiny.csv", "--origins", "4"],
    "plot": ["plot", "tiny"],
    "batch": ["batch", "tiny.csv", "--set", "run.name=new", "--set", "window.lookback=8"],
    "init": ["init", "tiny.csv", "--yes", "--output", "new.yaml", "--horizon", "2"],
    "check": ["check", "tiny.csv", "--lookback", "8", "--name", "new"],
    "track": ["track", "tiny"],
    "runs prune": ["runs", "prune", "tiny"],
    "runs compare": ["runs", "compare", "tiny", "{handle}"],
}
FAILING = [[*words, "--no-such-option"] for words in COMMANDS.values()]
FAILING += [["train", "none.csv"], ["check", "none.csv"], ["train", "none.yaml"]]
FAILING += [
    [*words[:1], "none"]
    for words in COMMANDS.values()
    if words[0] in ("predict", "evaluate", "plot", "track")
]
FAILING += [["runs", "prune", "none"], ["runs", "compare", "none"], ["predict", "tiny", "--horizon", "soon"]]


def test_every_command_with_the_flag_is_listed_here() -> None:
    from typer.main import get_command

    from lstm_forecast.cli.app import program

    def below(command: Any, path: str) -> list[str]:
        found = [path] if any("--log-format" in p.opts for p in command.params) else []
        return found + [
            n for name, c in getattr(command, "commands", {}).items() for n in below(c, f"{path} {name}")
        ]

    with_flag = {path.strip() for path in below(get_command(program()), "")}
    assert with_flag == {" ".join(w for w in name.split() if w[0] != "-") for name in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_stderr_holds_nothing_but_json(command: str, cli: Cli, tiny: Tiny) -> None:
    cli("predict", "tiny", "--runs-dir", tiny.runs, "--record")
    words = [word.format(handle=tiny.run.handle) for word in COMMANDS[command]]
    where = [] if command == "init" else ["--runs-dir", tiny.runs]  # it neither reads nor writes runs
    result = cli(*words, *where, "--log-format", "json")
    assert result.code == 0, result.err
    lines(result.err)


@pytest.mark.parametrize("words", FAILING, ids=" ".join)
def test_an_error_is_json_too(words: list[str], cli: Cli, tiny: Tiny) -> None:
    for form in (["--log-format", "json"], ["--log-format=json"]):
        result = cli(*words, "--runs-dir", tiny.runs, *form)
        assert result.code in (2, 10, 12), result.err
        told = lines(result.err)
        assert (told[-1]["event"], told[-1]["exit_code"], told[-1]["level"]) == (
            "error",
            result.code,
            "error",
        )
