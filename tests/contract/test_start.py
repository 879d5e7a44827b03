"""Heavy packages are imported only where they are needed: a help text must not wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CRON, ROOT, Tiny, run_cli

HEAVY = (
    "torch",
    "pandas",
    "sklearn",
    "scipy",
    "matplotlib",
    "statsmodels",
    "tensorboardX",
    "holidays",
)
COMMANDS = [
    "train",
    "predict",
    "evaluate",
    "plot",
    "track",
    "batch",
    "check",
    "init",
    "doctor",
    "help",
    "config",
    "runs",
]
SUBCOMMANDS = ["config show", "config schema", "runs list", "runs show", "runs verify", "runs promote"]
SUBCOMMANDS += ["runs prune", "runs pin", "runs compare"]
# Runs the program, then says on stderr which of the heavy packages were imported, and how it left.
PROBE = """
import json, sys
from lstm_forecast.cli.app import main
jobs = json.loads(sys.argv[1])
for job in jobs:
    try:
        main(job)
    except SystemExit as left:
        heavy = [name for name in HEAVY if name in sys.modules]
        print(json.dumps([job, left.code, heavy]), file=sys.stderr)
""".replace("HEAVY", repr(HEAVY))


def probed(jobs: list[list[str]], cwd: Path) -> list[tuple[list[str], int, list[str]]]:
    """(arguments, exit code, heavy packages imported so far), for jobs run one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(jobs)],
        env={**CRON, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [tuple(json.loads(line)) for line in done.stderr.splitlines() if line.startswith("[[")]


def test_no_help_text_imports_a_heavy_package(tmp_path: Path) -> None:
    jobs = [["--help"], ["--version"], ["help", "exit-codes"], ["help", "environment"]]
    jobs += [[*command.split(), "--help"] for command in (*COMMANDS, *SUBCOMMANDS)]
    assert probed(jobs, tmp_path) == [(job, 0, []) for job in jobs]


def test_config_and_runs_import_no_heavy_package(tiny: Tiny) -> None:
    runs = ["--runs-dir", str(tiny.runs)]
    jobs = [["config", "show", str(ROOT / "configs/stock.yaml")], ["config", "schema"]]
    jobs += [["runs", "list", *runs], ["runs", "show", "tiny", *runs], ["runs", "verify", *runs]]
    jobs += [["runs", "promote", tiny.run.handle, *runs]]
    jobs += [["runs", "compare", "tiny", tiny.run.handle, *runs]]
    jobs += [["runs", "pin", tiny.run.handle, *runs], ["runs", "prune", *runs]]
    assert probed(jobs, tiny.runs.parent) == [(job, 0, []) for job in jobs]


def test_check_never_imports_torch(tmp_path: Path) -> None:
    ((_, code, heavy),) = probed([["check", str(ROOT / "data/stock.csv")]], tmp_path)
    assert code == 0
    assert "torch" not in heavy
    assert "matplotlib" not in heavy


def test_doctor_imports_torch_only_where_the_device_is_wanted(tmp_path: Path) -> None:
    (first, second) = probed([["doctor", "--no-torch"], ["doctor"]], tmp_path)
    assert first == (["doctor", "--no-torch"], 0, [])
    assert second == (["doctor"], 0, ["torch"])


def test_check_on_the_main_example_is_content(tmp_path: Path) -> None:
    result = run_cli(["check", ROOT / "data/stock.csv"], cwd=tmp_path)
    assert (result.code, result.out) == (0, "ok: train would work\n")


@pytest.mark.parametrize("command", [*COMMANDS, *SUBCOMMANDS])
def test_every_help_text_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from lstm_forecast.cli.app import main

    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    text = capsys.readouterr().out
    if command not in ("config", "runs"):  # these two only list their commands
        assert f"Examples:\n    lstm-forecast {command}" in text


def test_importing_the_package_is_quick_too(tmp_path: Path) -> None:
    text = f"import lstm_forecast, sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
