"""``lstm-forecast batch``: many jobs, one exit code, and silence where all is well."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.runs.run import lock_path, read_status, sorted_runs
from lstm_forecast.runs.storage import held_lock
from lstm_forecast.runs.verifying import verify_run
from tests.conftest import CRON, ROOT, Cli, Result, run_cli
from tests.scale.clock import hours_later
from tests.training.jobs import days, momentum, write_csv

SMALL = """
window: {lookback: 8, horizon: 2}
model: {hidden_size: 3, num_layers: 1}
training: {epochs: 2, device: cpu}
run: {plots: false}
"""
JOBS = 'defaults: {config: small.yaml, output: "out/{name}.csv"}\njobs:\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and the place for outputs, which is the working directory."""
    (tmp_path / "out").mkdir()
    (tmp_path / "prices").mkdir()
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def price(place: Path, name: str, *, seed: int = 0) -> Path:
    columns = {"date": days(160), "value": momentum(160, seed=seed)}
    return write_csv(place / "prices" / f"{name}.csv", columns)


def bad(place: Path, name: str) -> Path:
    path = place / "prices" / f"{name}.csv"
    path.write_text("date,value\n2024-01-01,1\n2024-01-02,1,2\n")
    return path


def entries(place: Path, *lines: str, defaults: str = JOBS) -> Path:
    path = place / "jobs.yaml"
    path.write_text(defaults + "".join(f"  - {line}\n" for line in lines))
    return path


def summary(place: Path) -> dict[str, Any]:
    """The newest summary that a batch left."""
    newest = max((place / "runs" / ".batch").iterdir(), key=lambda path: path.name)
    document: dict[str, Any] = json.loads((newest / "summary.json").read_text())
    return document


def states(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Bytes, time and inode of every file."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in paths
    }


def test_row_44_one_bad_and_one_locked_of_five(cli: Cli, place: Path) -> None:
    for seed, name in enumerate(["a", "b", "c", "locked"]):
        price(place, name, seed=seed)
    bad(place, "bad")
    jobs = entries(place, "{files: prices/*.csv}")
    with held_lock(lock_path(place / "runs", "locked"), timeout_s=1):
        result = cli("batch", jobs)
    assert result.code == 3
    assert sorted(path.name for path in (place / "out").iterdir()) == ["a.csv", "b.csv", "c.csv"]
    found = summary(place)
    assert [(row["name"], row["done"], row["error"], row["code"]) for row in found["jobs"]] == [
        ("a", "trained", None, 0),
        ("b", "trained", None, 0),
        ("bad", "failed", "data.ragged", 11),
        ("c", "trained", None, 0),
        ("locked", "failed", "run.locked", 75),
    ]
    for name in "abc":
        forecast = cli("predict", name, "--output", "-").out
        assert (place / "out" / f"{name}.csv").read_text() == forecast
    assert "  bad: failed, error[data.ragged]: " in result.err
    assert "error[batch.failed]: 2 of 5 jobs failed" in result.err
    assert [line.split()[:2] for line in result.out.splitlines()[1:3]] == [["a", "trained"], ["b", "trained"]]


def test_one_good_job_among_nine_bad_ones(cli: Cli, place: Path) -> None:
    price(place, "good")
    bad(place, "ragged")
    lines = ["{name: n1, set: {data.path: prices/none.csv}}", "{files: 'none/*.csv'}"]
    lines += ["{name: n3, set: {data.path: prices}}", "{name: n4, set: {data.path: prices/ragged.csv}}"]
    lines += ["{name: n5, set: {data.path: prices/good.csv}, output: none/n5.csv}"]
    lines += ["{name: n6, set: {data.path: prices/good.csv}, retrain: never}"]
    lines += ["{name: n7, set: {data.path: prices/good.csv}, max_input_age: 1d}"]
    lines += ["{name: n8, set: {data.path: prices/good.csv, data.target: nothing}}"]
    lines += ["{name: n9, set: {data.path: prices/good.csv, window.lookback: 100000}}"]
    jobs = entries(place, *lines, "{files: prices/good.csv}")
    result = cli("batch", jobs, "--json")
    document = json.loads(result.out)
    codes = {row["name"]: row["code"] for row in document["jobs"]}
    assert codes == {
        "n1": 10,
        "none/*.csv": 10,
        "n3": 11,  # a folder is one panel, and one of its files is bad
        "n4": 11,
        "n5": 15,
        "n6": 12,
        "n7": 11,
        "n8": 11,
        "n9": 11,
        "good": 0,
    }
    assert (result.code, document["summary"]["exit_code"], document["summary"]["failed"]) == (3, 3, 9)
    assert document == summary(place)
    assert [path.name for path in (place / "out").iterdir()] == ["good.csv"]


def test_all_failed_gives_their_code_or_that_of_the_first(cli: Cli, place: Path) -> None:
    bad(place, "a")
    bad(place, "b")
    assert cli("batch", entries(place, "{files: prices/*.csv}")).code == 11
    assert cli("batch", entries(place, "{files: 'x/*.csv'}", "{files: prices/*.csv}")).code == 10


def test_row_45_silence_on_success_and_few_lines_on_failure_row_46_again_elsewhere_on_the_globe(
    cli: Cli, place: Path
) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/*.csv, plot: 'out/{name}.png'}")
    first = cli("batch", jobs, "-q")
    assert (first.code, first.out, first.err) == (0, "", "")
    before = states(place / "out")
    assert set(before) == {"a.csv", "a.png"}
    runs = states(place / "runs" / "a")
    for number in range(30):
        bad(place, f"b{number:02}")
    again = run_cli(["batch", jobs, "-q"], cwd=place, env={"TZ": "Pacific/Kiritimati"})
    assert (again.code, again.out) == (3, "")
    lines = again.err.splitlines()
    assert len(lines) <= 20
    assert lines[0] == "error[batch.failed]: 30 of 31 jobs failed"
    assert "  … and 15 more" in lines
    path = lines[-1].rpartition(" ")[2]
    (good, *_) = json.loads(Path(path).read_text())["jobs"]
    assert (good["name"], good["done"], good["written"]) == ("a", "already done", [])
    assert (states(place / "out"), states(place / "runs" / "a")) == (before, runs)
    assert len(list((place / "runs" / ".batch").iterdir())) == 2


def test_the_short_form_makes_one_table(cli: Cli, place: Path) -> None:
    for seed, name in enumerate(["b", "a"]):
        price(place, name, seed=seed)
    words = ["batch", "small.yaml", "prices/*.csv", "--horizon", "3", "--set", "training.seed=4"]
    result = cli(*words, "--output", "all.csv")
    assert result.code == 0
    rows = list(csv.reader((place / "all.csv").read_text().splitlines()))
    assert rows[0][:4] == ["name", "series", "date", "step"]
    assert [(row[0], row[3]) for row in rows[1:]] == [
        (name, str(step)) for name in "ab" for step in (1, 2, 3)
    ]
    forecast = cli("predict", "a", "--horizon", "3", "--output", "-").out
    assert [row[1:] for row in rows[:4]] == list(csv.reader(forecast.splitlines()))
    before = states(place)["all.csv"]
    again = cli(*words, "--output", "all.csv")
    assert [row["done"] for row in summary(place)["jobs"]] == ["already done", "already done"]
    assert (again.code, states(place)["all.csv"]) == (0, before)
    bad(place, "c")
    assert cli(*words, "--output", "all.csv").code == 3  # the rows of the good ones
    assert states(place)["all.csv"] == before
    piped = cli(*words, "--output", "-")
    assert (piped.code, piped.out.encode()) == (3, before[0])
    assert "c: failed, error[data.ragged]" in piped.err
    bad(place, "a")
    bad(place, "b")
    assert cli(*words, "--output", "all.csv").code == 11
    assert states(place)["all.csv"] == before  # no row at all: the old table stays
    recorded = cli("track", "b", "--data", price(place, "b"), "--json")
    assert json.loads(recorded.out)["recorded"] == 3


def test_files_without_a_configuration_are_bare_csvs(cli: Cli, place: Path) -> None:
    price(place, "a")
    small = ["--set", "window.lookback=8", "--set", "model.hidden_size=3", "--set", "model.num_layers=1"]
    small += ["--set", "training.epochs=1", "--set", "run.plots=false", "--set", "training.device=cpu"]
    assert cli("batch", "prices/*.csv", *small, "--output", "all.csv").code == 0
    shown = json.loads(cli("predict", "a", "--json").out)
    assert len(shown["rows"]) == 7  # the horizon that days suggest
    assert len((place / "all.csv").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["jobs.yaml", "--output", "x.csv"], "--output: is for the short form"),
        (["jobs.yaml", "--horizon", "3"], "--horizon: is for the short form"),
        (["jobs.yaml", "--set", "a=b"], "--set: is for the short form"),
        (["jobs.yaml", "prices/a.csv"], "a jobs file names its own files"),
        (["jobs.yaml", "--only", "aa"], "no job named 'aa'"),
        (["small.yaml"], "is a configuration and has no jobs"),
        (["joobs.yaml"], "did you mean jobs.yaml?"),
        (["small.yaml", "prices/a.csv", "--output", "-", "--json"], "both write to stdout"),
        (["small.yaml", "prices/a.csv", "--output", "all.txt"], "ends in .csv"),
        (["jobs.yaml", "--timeout", "soon"], "--timeout: got 'soon'"),
        (["jobs.yaml", "--wait", "soon"], "--wait: got 'soon'"),
        (["jobs.yaml", "--max-input-age", "3"], "--max-input-age"),
        (["jobs.yaml", "--jobs", "0"], "'--jobs'"),
    ],
)
def test_words_that_do_not_fit_are_refused_before_anything_runs(
    cli: Cli, place: Path, words: list[str], said: str
) -> None:
    price(place, "a")
    entries(place, "{files: prices/a.csv}")
    result = cli("batch", *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert not (place / "runs").exists()


def test_one_wrong_job_and_nothing_runs(cli: Cli, place: Path) -> None:
    price(place, "a")
    result = cli("batch", entries(place, "{files: prices/a.csv}", "{nam: b}"))
    assert (result.code, result.out) == (2, "")
    assert "jobs.yaml:4:6: unknown key nam\n  hint: did you mean name?" in result.err
    assert not (place / "runs").exists()


def test_a_summary_where_it_cannot_be_written_is_told_first(cli: Cli, place: Path) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/a.csv}")
    for flag, path in (("--summary", "none/s.json"), ("--runs-dir", "/proc/runs")):
        result = cli("batch", jobs, flag, path)
        assert (result.code, result.out) == (15, "")
    assert list((place / "out").iterdir()) == []


def test_only_dry_run_and_a_summary_of_ones_own(cli: Cli, place: Path) -> None:
    for seed, name in enumerate("ab"):
        price(place, name, seed=seed)
    jobs = entries(place, "{files: prices/*.csv}")
    planned = cli("batch", jobs, "--dry-run")
    assert planned.code == 0
    assert [line.split()[:3] for line in planned.out.splitlines()[1:3]] == [
        [name, "would", "train"] for name in "ab"
    ]
    assert not (place / "runs").exists()
    assert cli("batch", jobs, "--only", "b", "--summary", "s.json", "-q").code == 0
    assert [row["name"] for row in json.loads((place / "s.json").read_text())["jobs"]] == ["b"]
    assert not list((place / "runs" / ".batch").iterdir())
    assert "would forecast" in cli("batch", jobs, "--dry-run").out
    assert [path.name for path in (place / "out").iterdir()] == ["b.csv"]


def test_fail_on_warning_is_about_each_job(cli: Cli, place: Path) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/a.csv}")
    result = cli("batch", jobs, "--fail-on-warning", "predict.no_new_rows", "--json")
    assert result.code == 19
    assert json.loads(result.out)["jobs"][0]["error"] == "predict.no_new_rows"
    assert list((place / "out").iterdir()) == []


def test_max_input_age_of_the_command_line_is_for_all(cli: Cli, place: Path) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/a.csv, max_input_age: 36000d}")
    assert cli("batch", jobs, "--max-input-age", "3d").code == 11
    assert cli("batch", jobs).code == 0


def test_two_batches_of_the_same_jobs(cli: Cli, place: Path) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/a.csv}")
    assert cli("batch", jobs).code == 0
    (lock,) = (place / "runs" / ".locks").glob(".batch-*.lock")
    with held_lock(lock, timeout_s=1):
        result = cli("batch", jobs)
        assert (result.code, result.out) == (75, "")
        assert "error[batch.locked]" in result.err
        assert f"process {os.getpid()} on " in result.err
        assert cli("batch", jobs, "--wait", "0.3s").code == 75
        assert cli("batch", jobs, "--dry-run").code == 0
        (place / "other.yaml").write_text(jobs.read_text())
        assert cli("batch", "other.yaml").code == 0
    assert cli("batch", jobs).code == 0


def test_a_second_batch_waits_for_the_first(cli: Cli, place: Path) -> None:
    price(place, "a")
    jobs = entries(place, "{files: prices/a.csv}")
    assert cli("batch", jobs).code == 0
    (lock,) = (place / "runs" / ".locks").glob(".batch-*.lock")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with held_lock(lock, timeout_s=1):
            held.set()
            release.wait(30)

    first = threading.Thread(target=hold)
    first.start()
    held.wait(30)
    threading.Timer(0.5, release.set).start()
    result = cli("batch", jobs, "--wait", "30s")
    first.join()
    assert result.code == 0
    assert f"  waiting: {jobs} is held by process {os.getpid()}" in result.err


def test_events_have_one_line_per_job(cli: Cli, place: Path) -> None:
    price(place, "a")
    bad(place, "b")
    result = cli("batch", entries(place, "{files: prices/*.csv}"), "--log-format", "json", "-q")
    events = [json.loads(line) for line in result.err.splitlines()]
    assert [(e["event"], e.get("name"), e.get("code"), e["level"]) for e in events] == [
        ("batch.item", "a", 0, "info"),
        ("batch.item", "b", 11, "error"),
        ("error", None, None, "error"),
    ]
    (run,) = sorted_runs(place / "runs" / "a")
    log = [json.loads(line)["event"] for line in (run.path / "log.jsonl").read_text().splitlines()]
    assert (log[0], log[-1]) == ("run.start", "run.end")


def test_a_job_that_takes_too_long_goes_on_another_time(
    cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    price(place, "b", seed=1)
    jobs = entries(place, endless(place), "{files: prices/b.csv}")
    began = threading.Event()
    hours_later(monkeypatch, began.is_set)
    with while_training(place, "a", lambda _: began.set()):
        result = cli("batch", jobs, "--timeout", "1h", "--json")
    slow, quick = json.loads(result.out)["jobs"]
    assert (result.code, quick["done"]) == (3, "trained")
    assert (slow["code"], slow["error"], slow["done"]) == (143, "batch.timeout", "failed")
    (run,) = sorted_runs(place / "runs" / "a")
    assert read_status(run) == "interrupted"
    keys = "data.path: prices/a.csv, training.epochs: 3, training.patience: null"
    assert cli("batch", entries(place, f"{{name: a, set: {{{keys}}}}}")).code == 0
    assert [one.id for one in sorted_runs(place / "runs" / "a")] == [run.id]  # resumed: no second run


def test_a_killed_process_is_told_and_stops_no_other(cli: Cli, place: Path) -> None:
    price(place, "b", seed=1)
    with while_training(place, "a", lambda pid: os.kill(pid, signal.SIGKILL)):
        result = cli("batch", entries(place, endless(place), "{files: prices/b.csv}"), "-q")
    assert (result.code, result.out) == (3, "")
    assert "a: failed, error[resource.killed]: its process was ended by SIGKILL" in result.err
    assert [path.name for path in (place / "out").iterdir()] == ["b.csv"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_reaches_the_jobs_and_leaves_a_summary(
    cli: Cli, place: Path, number: signal.Signals
) -> None:
    price(place, "b", seed=1)
    pids: list[int] = []

    def stop(pid: int) -> None:
        pids.append(pid)
        os.kill(os.getpid(), number)

    with while_training(place, "a", stop):
        result = cli("batch", entries(place, endless(place), "{files: prices/b.csv}"))
    assert result.code == 128 + number
    assert f"  {number.name}: stopping" in result.err
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    (run,) = sorted_runs(place / "runs" / "a")
    assert read_status(run) == "interrupted"
    assert [(row["done"], row["code"]) for row in summary(place)["jobs"]] == [
        ("interrupted", 128 + number),
        ("not started", 128 + number),
    ]
    assert "interrupted" in result.out
    assert list((place / "out").iterdir()) == []


def test_an_interrupted_batch_leaves_the_table_as_it_was(cli: Cli, place: Path) -> None:
    price(place, "a")
    price(place, "b", seed=1)
    (place / "all.csv").write_text("old\n")
    words = ["batch", "small.yaml", "prices/*.csv", "--output", "all.csv"]
    long = ["--set", "training.epochs=100000", "--set", "training.patience=null"]
    long += ["--set", "training.max_time=2s"]
    with while_training(place, "b", lambda _: os.kill(os.getpid(), signal.SIGTERM)):  # a is done
        result = cli(*words, *long)
    assert result.code == 143
    assert [row["done"] for row in summary(place)["jobs"]] == ["trained", "interrupted"]
    assert (place / "all.csv").read_text() == "old\n"


def test_a_reader_that_goes_away(place: Path) -> None:
    jobs = entries(place, "{files: 'none/*.csv'}")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lstm_forecast", "batch", str(jobs)],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        cwd=place,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr.startswith("  none/*.csv: failed, error[data.not_found]")
    assert len(done.stderr.splitlines()) == 1
    assert summary(place)["summary"]["exit_code"] == 10


@contextmanager
def started(place: Path, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A batch as a process, ended at the end whatever happens."""
    batch = subprocess.Popen(
        [sys.executable, "-m", "lstm_forecast", "batch", *map(str, words)],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield batch
    finally:
        batch.kill()
        batch.wait()


def endless(place: Path) -> str:
    """An entry that trains for ever, under the name a."""
    price(place, "a")
    keys = "data.path: prices/a.csv, training.epochs: 100000, training.patience: null"
    return f"{{name: a, set: {{{keys}}}}}"


@contextmanager
def while_training(place: Path, name: str, act: Callable[[int], object]) -> Iterator[None]:
    """Acts on the process that trains a name, once it has ended an epoch."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for run in sorted_runs(place / "runs" / name):
                log = run.path / "log.jsonl"
                if log.is_file() and "epoch.end" in log.read_text():
                    act(int(json.loads((run.path / "status.json").read_text())["pid"]))
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
def test_killed_at_random_times_it_completes_in_the_end(place: Path) -> None:
    for number in range(6):
        price(place, f"s{number}", seed=number)
    jobs = entries(place, "{files: prices/*.csv, plot: 'out/{name}.png'}")
    draw = random.Random(20261121)
    for _ in range(8):
        with started(place, jobs, "-q", "--jobs", "2") as batch:
            time.sleep(draw.uniform(0.5, 8.0))
            batch.send_signal(draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP]))
            batch.wait(timeout=20)
        for path in (place / "out").iterdir():
            assert path.suffix == ".png" or len(path.read_text().splitlines()) == 3
    until = time.monotonic() + 60
    while run_cli(["batch", jobs, "-q"], cwd=place).code in (3, 75):  # one is still leaving
        assert time.monotonic() < until
    assert {row["code"] for row in summary(place)["jobs"]} == {0}
    assert len(list((place / "out").iterdir())) == 12
    for number in range(6):
        for run in sorted_runs(place / "runs" / f"s{number}"):
            assert not run.complete or verify_run(run) == []
    assert not list(place.rglob("*.tmp"))
    before = states(place / "out")
    assert run_cli(["batch", jobs, "-q"], cwd=place) == Result(0, "", "")
    assert {row["done"] for row in summary(place)["jobs"]} == {"already done"}
    assert states(place / "out") == before


@pytest.mark.slow
def test_three_hundred_jobs(place: Path) -> None:
    for number in range(300):
        price(place, f"s{number:03}", seed=number)
    words = ["batch", "small.yaml", "prices/*.csv", "--output", "all.csv", "--jobs", "2", "-q"]
    assert run_cli(words, cwd=place, timeout=1200) == Result(0, "", "")
    assert len((place / "all.csv").read_text().splitlines()) == 601
    before = states(place)["all.csv"]
    assert run_cli(words, cwd=place, timeout=600) == Result(0, "", "")
    assert {row["done"] for row in summary(place)["jobs"]} == {"already done"}
    assert states(place)["all.csv"] == before


def warned(place: Path) -> list[str]:
    """The warnings of the newest batch's first job."""
    return [warning["id"] for warning in summary(place)["jobs"][0]["warnings"]]


def test_row_66_excel_is_a_key_of_a_job_and_a_flag_of_the_short_form(cli: Cli, place: Path) -> None:
    path = price(place, "a")
    path.write_text(path.read_text().replace("value", "=value", 1))
    jobs = entries(place, "{files: prices/a.csv, excel: true}")
    assert cli("batch", jobs).code == 0
    assert (place / "out" / "a.csv").read_text().startswith("\ufeffseries,")
    assert "'=value" in (place / "out" / "a.csv").read_text()
    assert "output.formula" not in warned(place)
    assert cli("batch", entries(place, "{files: prices/a.csv}")).code == 0
    assert (place / "out" / "a.csv").read_text().startswith("series,")
    assert "output.formula" in warned(place)
    words = ["batch", "small.yaml", "prices/a.csv", "--excel"]
    assert cli(*words, "--output", "all.csv").code == 0
    assert (place / "all.csv").read_text().startswith("\ufeffname,")
    refused = cli(*words)
    assert refused.code == 2
    assert "error[batch.excel]: --excel: --excel is for --output" in refused.err
    assert cli("batch", jobs, "--excel").code == 2
