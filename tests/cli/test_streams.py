"""Closed pipes, full disks, forced colours, and names that no label was made for."""

from __future__ import annotations

import csv
import os
import pty
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_forecast.config import load_config
from tests.conftest import CRON, ROOT, SMALL, Cli, Tiny, run_cli
from tests.training.jobs import days, momentum

RESULTS = [
    ["predict", "tiny"],
    ["runs", "show", "tiny"],
    ["doctor", "--no-torch"],
]


def in_shell(line: str, words: list[str], tiny: Tiny) -> subprocess.CompletedProcess[str]:
    """The program as part of a line of bash, where it stands as ``"$@"``."""
    command = [sys.executable, "-m", "lstm_forecast", *words]
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", *command],
        env={**CRON, "PYTHONPATH": str(ROOT), "LSTM_FORECAST_RUNS_DIR": str(tiny.runs)},
        cwd=tiny.csv.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("words", RESULTS, ids=" ".join)
def test_row_38_a_result_that_nobody_can_receive_is_15(words: list[str], tiny: Tiny) -> None:
    for redirect, said in ((">&-", "is closed"), (">/dev/full", "No space left on device")):
        done = in_shell(f'"$@" {redirect}', words, tiny)
        assert done.returncode == 15, (redirect, done.stderr)
        assert "storage.stdout" in done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


def test_row_38_head_ends_the_program_with_141(tiny: Tiny) -> None:
    """The forecast is longer than a pipe holds, and head leaves after a line."""
    line = '{ "$@" --horizon 20000; echo "code $?" >&2; } | head -1'
    done = in_shell(line, ["predict", "tiny", "-q"], tiny)
    assert done.stdout.startswith("series,date,step,forecast")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "code 141\n"


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"])
def test_row_38_what_is_said_may_be_lost_but_not_the_result_and_the_code(redirect: str, tiny: Tiny) -> None:
    done = in_shell(f'"$@" {redirect}', ["predict", "tiny"], tiny)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert in_shell(f'"$@" {redirect}', ["predict", "none"], tiny).returncode == 12


FORCED = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm"}
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-LSTfhlnsu]|\r|\x1b[78M]")  # every escape but colours, which end with m


def test_row_43_forced_colours_bring_no_animation(tiny: Tiny) -> None:
    words = ["train", tiny.csv, *SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs, "--name", "new"]
    forced = run_cli(words, cwd=tiny.csv.parent, env=FORCED)
    assert forced.code == 0, forced.err
    failed = run_cli(["train", "none.csv"], cwd=tiny.csv.parent, env=FORCED)
    assert failed.code == 10
    for text in (forced.out, forced.err, failed.err):
        assert MOVES.search(text) is None


def test_row_43_a_bar_moves_where_a_person_looks(tiny: Tiny) -> None:
    """Against the row before: on a terminal there is a bar, so the pattern above would find one."""
    ours, theirs = pty.openpty()
    words = [str(word) for word in ("train", tiny.csv, *SMALL, "--set", "run.plots=false", "--name", "new")]
    child = subprocess.Popen(
        [sys.executable, "-m", "lstm_forecast", *words, "--runs-dir", str(tiny.runs)],
        env={**CRON, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert child.wait(timeout=60) == 0
    text = said.decode().replace("\r\n", "\n")  # a terminal writes line ends so
    assert MOVES.search(text) is not None


NAMES = {
    "mathtext": "$x_{y}$ and $\\frac{",
    "under": "a_b^c",
    "backslash": "\\alpha\\n \\x1b",
    "newline": "two\nlines",
    "long": "n" * 10_000,
    "chinese": "收盘价",
    "markup": "[red]bold[/red] [/]",
    "xml": "<b>&amp;\"'",
}


@pytest.mark.parametrize("place", ["target", "series"])
def test_row_40_any_name_can_be_drawn(place: str, cli: Cli, tiny: Tiny) -> None:
    path, words = Path("wild.csv"), [*SMALL, "--runs-dir", str(tiny.runs)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if place == "series":
            writer.writerow(["date", "id", "value"])
            for number, name in enumerate(NAMES.values()):
                rows = zip(days(80), momentum(80, seed=number).tolist(), strict=True)
                writer.writerows((day, name, value) for day, value in rows)
            words += ["--series-id", "id"]
        else:
            writer.writerow(["date", *NAMES.values()])
            columns = [momentum(80, seed=number).tolist() for number in range(len(NAMES))]
            writer.writerows(zip(days(80), *columns, strict=True))
            config = Path("wild.yaml")
            config.write_text(_yaml(list(NAMES.values())))
            path = config
    result = cli("train", path, *words)
    assert result.code == 0, result.err[-500:]
    assert "plot.failed" not in result.err
    for kind in ("forecast", "test", "error", "gates"):
        for form in ("png", "svg"):
            output = Path(f"{kind}.{form}")
            drawn = cli("plot", "wild", "--kind", kind, "--runs-dir", tiny.runs, "--output", output)
            assert drawn.code == 0, (kind, form, drawn.err[-500:])
            assert "\x1b" not in drawn.err
        width, height = struct.unpack(">II", Path(f"{kind}.png").read_bytes()[16:24])
        assert width <= 2000
        assert height <= 4000
    for name in (NAMES["mathtext"], NAMES["newline"], NAMES["long"]):
        one = cli(
            "plot", "wild", "--series", name, "--runs-dir", tiny.runs, "--output", "a.png", "--overwrite"
        )
        assert one.code == 0, one.err[-500:]


def _yaml(names: list[str]) -> str:
    import json

    return "data: {path: wild.csv, target: " + json.dumps(names, ensure_ascii=False) + "}\n"


def test_names_too_long_to_be_kept_are_refused_before_training(cli: Cli, tiny: Tiny) -> None:
    name = "n" * 20_001
    Path("long.csv").write_text(
        f"date,{name}\n" + "\n".join(f"{d},{v}" for d, v in zip(days(80), momentum(80), strict=True))
    )
    result = cli("train", "long.csv", *SMALL, "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (11, "")
    assert "error[data.column_name]: " in result.err
    assert "hint: give the columns shorter names" in result.err
    assert not (tiny.runs / "long").exists()
    assert load_config(
        None, base={"data.path": "x.csv"}, sets=[f"data.target={'n' * 20_000}"]
    ).config.data.target
