"""What several suites share: one tiny trained run, and the program run as a process or in this one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lstm_forecast.cli.app import main
from lstm_forecast.runs.run import Run
from tests.training.jobs import days, momentum, trained, write_csv

if TYPE_CHECKING:
    from tests.forked import Warm

ROOT = Path(__file__).resolve().parent.parent
CRON = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C", "OMP_NUM_THREADS": "1"}
# The settings of a network that trains in a blink, as words of the command line.
SMALL = ["--lookback", "8", "--horizon", "2", "--epochs", "1", "--device", "cpu"]
SMALL += ["--set", "model.hidden_size=3", "--set", "model.num_layers=1"]
ROOM = 2**30  # bytes that the files of the tests never need at once


def pytest_configure(config: pytest.Config) -> None:
    """Files of the tests lie in memory where there is room: on a disk every fsync of a run is waited for."""
    memory = Path("/dev/shm")
    if config.option.basetemp or "PYTEST_DEBUG_TEMPROOT" in os.environ or not os.access(memory, os.W_OK):
        return
    found = os.statvfs(memory)
    if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(memory)


@dataclass(frozen=True)
class Result:
    """What a process leaves."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Tiny:
    """A trained run: its data, its folder of runs, and the run itself."""

    csv: Path
    runs: Path
    run: Run


Cli = Callable[..., Result]


def run_cli(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] = {},
    cwd: Path | None = None,
    timeout: float = 60.0,
    stdin: str = "",
) -> Result:
    """The program as cron starts it: almost no environment, no terminal, nothing to read."""
    done = subprocess.run(
        [sys.executable, "-m", "lstm_forecast", *map(str, arguments)],
        env={**CRON, "PYTHONPATH": str(ROOT), **env},
        cwd=cwd,
        timeout=timeout,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """The program in this process: quick, because torch is imported once."""

    def call(*arguments: str | Path) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        code = left.value.code
        return Result(code if isinstance(code, int) else 0, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """The program in processes of its own, which begin where everything is imported: see ``forked.py``."""
    from tests.forked import statement, warmed

    folder = tmp_path_factory.mktemp("warm")
    csv = write_csv(folder / "warm.csv", {"date": days(120), "value": momentum(120)})
    runs = ["--runs-dir", str(folder / "runs"), "-q"]
    commands = [["train", str(csv), *SMALL, *runs], ["predict", "warm", "--output", "-", *runs]]
    with warmed(folder, statement(*commands)) as warm:
        yield warm


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> Iterator[None]:
    """A shell's background job ignores SIGINT, nohup SIGHUP, and so would every program started here."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in usual}
    for number, handler in usual.items():
        if before[number] == signal.SIG_IGN:
            signal.signal(number, handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LSTM_FORECAST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """One tiny run for the whole session; nobody may change it."""
    folder = tmp_path_factory.mktemp("tiny")
    csv = write_csv(folder / "tiny.csv", {"date": days(160), "value": momentum(160)})
    result = trained(csv, {"training.patience": "null", "run.name": "tiny"})
    return Tiny(csv, folder / "runs", result.run)


@pytest.fixture
def tiny(trained_once: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A copy of the tiny run that a test may damage, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    shutil.copytree(trained_once.runs, runs, symlinks=True)
    csv = tmp_path / "tiny.csv"
    shutil.copy(trained_once.csv, csv)
    return Tiny(csv, runs, Run(runs / "tiny" / trained_once.run.id))


@pytest.fixture(params=["compiled", "numpy"])
def cells_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What finds the cells of files and their numbers in this test: our compiled functions, or numpy."""
    from lstm_forecast.data import cell_kernel

    wanted: str = request.param
    if wanted == "numpy":
        monkeypatch.setattr(cell_kernel, "kernel_or_reason", lambda: (None, "as the test asks"))
    elif cell_kernel.kernel() is None:
        pytest.skip("the functions were not compiled")
    return wanted


@pytest.fixture
def lstm_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What computes LSTMs on the CPU in this test: ``compiled``, our own kernel, or ``torch``."""
    from lstm_forecast.model import lstm_layer
    from lstm_forecast.model.lstm_kernel import Kernel, kernel

    wanted: str = request.param
    if wanted == "torch":
        monkeypatch.setattr(lstm_layer, "kernel", lambda: Kernel(None, "torch's LSTM: as the test asks"))
    elif kernel().library is None:
        pytest.skip(kernel().about)
    return wanted
