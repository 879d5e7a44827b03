"""Every command of the recipes for cron and systemd, run with the environment that these give."""

from __future__ import annotations

import configparser
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import CRON, ROOT
from tests.training.jobs import days, momentum, write_csv

HOW_TO = ROOT / "docs" / "how-to"
HOME = "/srv/forecast"
PROGRAM = "/usr/local/bin/lstm-forecast"
SMALL = """\
window: {lookback: 8, horizon: 2}
training: {epochs: 1}
model: {hidden_size: 3, num_layers: 1}
run: {plots: false}
data: {path: prices/aapl.csv}
"""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in order."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def made(place: Path) -> Path:
    """``/srv/forecast`` of the recipes with two files of prices, and a program to be found on the path."""
    folder, programs = place / "forecast", place / "bin"
    for path in (folder / "prices", folder / "out", programs):
        path.mkdir(parents=True)
    for name, seed in (("aapl", 1), ("msft", 2)):
        write_csv(folder / "prices" / f"{name}.csv", {"date": days(120), "close": momentum(120, seed=seed)})
    program = programs / "lstm-forecast"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} OMP_NUM_THREADS=1 exec {sys.executable} -m lstm_forecast "$@"\n'
    )
    program.chmod(0o755)
    # small networks in the place of full ones, and rows that are as old as the test: nothing else is changed
    jobs = here(blocks("cron.md", "yaml")[0], folder).replace("max_input_age: 4d", "config: small.yaml")
    (folder / "small.yaml").write_text(SMALL)
    (folder / "jobs.yaml").write_text(jobs)
    (folder / "nightly.sh").write_text(here(blocks("cron.md", "sh")[0], folder))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder before the first night."""
    return made(tmp_path)


@dataclass(frozen=True)
class Night:
    """The folder after its first night, what that night said, its log and how many forecasts it recorded."""

    home: Path
    done: subprocess.CompletedProcess[str]
    log: str
    recorded: int


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """One first night for the module; tests may add nights, and take away what they put in."""
    home = made(tmp_path_factory.mktemp("srv"))
    done = shell(crontab(0, home), home)
    with contextlib.closing(sqlite3.connect(home / "runs" / "ledger.sqlite")) as ledger:
        (recorded,) = ledger.execute("select count(*) from forecasts").fetchone()
    return Night(home, done, (home / "nightly.log").read_text(), recorded)


def here(text: str, folder: Path) -> str:
    """The text of a recipe with its folder and its program where the test has them, and without pauses."""
    programs = folder.parent / "bin"
    text = text.replace(HOME, str(folder)).replace(PROGRAM, str(programs / "lstm-forecast"))
    return text.replace("PATH=/usr/local/bin", f"PATH={programs}").replace("60 300 900", "0 0 0")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One line as cron starts it: ``/bin/sh -c`` in an empty environment, from the home directory."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "SHELL": "/bin/sh"}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env=environment,
        cwd=folder.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def crontab(number: int, folder: Path) -> str:
    """The command of a crontab of the page; its five fields are checked."""
    lines = [
        line for line in blocks("cron.md", "cron")[number].splitlines() if not re.match(r"[A-Z]+=", line)
    ]
    (line,) = lines
    *times, command = line.split(maxsplit=5)
    assert len(times) == 5
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in times)
    return here(command, folder)


def test_the_crontab_line_is_silent_where_all_is_well_and_forecasts(night: Night) -> None:
    assert (night.done.returncode, night.done.stdout, night.done.stderr) == (0, "", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d 0\n", night.log)
    assert night.recorded == 10
    out = night.home / "out"
    for name in ("aapl", "msft"):
        assert len((out / f"{name}.csv").read_text().splitlines()) == 6
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    again = shell(crontab(0, night.home), night.home)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_failure_is_told_with_its_code_and_the_good_output_stands(night: Night) -> None:
    bad = night.home / "prices" / "bad.csv"
    bad.write_text("date,close\n2024-01-01,what\n")
    done = shell(crontab(0, night.home), night.home)
    bad.unlink()
    assert done.returncode == 3
    assert "bad" in done.stdout
    assert done.stdout.endswith("exit code 3; their meaning: lstm-forecast help exit-codes\n")
    assert len(done.stdout.splitlines()) <= 21
    assert "Traceback" not in done.stdout + done.stderr
    assert (night.home / "out" / "aapl.csv").is_file()
    assert (night.home / "nightly.log").read_text().endswith(" 3\n")


def test_75_is_tried_again_four_times_and_other_codes_once(home: Path) -> None:
    program, calls = home.parent / "bin" / "lstm-forecast", home / "calls"
    for code, count in ((75, 4), (11, 1), (0, 1)):
        program.write_text(f"#!/bin/sh\necho x >> {calls}\necho said\nexit {code}\n")
        done = shell(crontab(0, home), home)
        assert done.returncode == code
        assert len(calls.read_text().splitlines()) == count
        assert ("said" in done.stdout) == (code != 0)
        calls.unlink()


@pytest.mark.parametrize("page", ["cron.md", "systemd.md"])
def test_every_command_line_of_the_page_is_run(page: str, night: Night) -> None:
    for block in blocks(page, "console"):
        lines = [here(line[2:], night.home) for line in block.splitlines() if line.startswith("$ ")]
        for line in lines:
            whole = f"PATH={night.home.parent / 'bin'}:$PATH; cd {night.home}; {line}"
            done = shell(whole, night.home)
            assert done.returncode == 0, (line, done.stderr)
    if page == "systemd.md":  # what only root and a running systemd can do is at least a known program
        assert all(line.split()[1] in ("systemctl", "journalctl") for line in block.splitlines())


def test_the_weekly_line_prunes(night: Night) -> None:
    done = shell(crontab(1, night.home), night.home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def units(folder: Path) -> dict[str, configparser.ConfigParser]:
    found = {}
    for block in blocks("systemd.md", "systemd"):
        name = block.splitlines()[0].rpartition("/")[2]
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(here(block, folder))
        found[name] = unit
    return found


def test_the_service_runs_what_it_says_in_the_environment_of_a_service(night: Night) -> None:
    home = night.home
    (home / "out" / "msft.csv").unlink()
    service = units(home)["forecast.service"]["Service"]
    done = subprocess.run(
        service["ExecStart"].split(),
        env={"PATH": CRON["PATH"]},
        cwd=service["WorkingDirectory"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / "out" / "msft.csv").is_file()
    summary = max((home / "runs" / ".batch").glob("*/summary.json"))
    assert [job["code"] for job in json.loads(summary.read_text())["jobs"]] == [0, 0]
    assert service["RestartForceExitStatus"] == "75"


def test_the_units_name_each_other() -> None:
    found = units(Path(HOME))
    assert set(found) == {"forecast.service", "forecast.timer", "forecast-failed.service"}
    assert found["forecast.service"]["Unit"]["OnFailure"] in found
    assert "forecast.timer" in (HOW_TO / "systemd.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_units(home: Path) -> None:
    for block in blocks("systemd.md", "systemd"):
        name = block.splitlines()[0].rpartition("/")[2]
        (home / name).write_text(here(block, home))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(home / name) for name in units(home))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "forecast" in line] == []


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
def test_logrotate_turns_the_log(home: Path) -> None:
    rules = home / "rules"
    rules.write_text(here(blocks("cron.md", "logrotate")[0], home))
    (home / "nightly.log").write_text("2026-01-01T02:30:00 0\n")
    done = subprocess.run(
        ["logrotate", "--force", "--state", str(home / "state"), str(rules)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (home / "nightly.log.1").read_text() == "2026-01-01T02:30:00 0\n"
