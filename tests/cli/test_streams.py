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
from typing import Any

import pytest

from lstm_forecast.config import load_config
from tests.conftest import CRON, ROOT, SMALL, Cli, Result, Tiny
from tests.forked import Warm
from tests.training.jobs import days, momentum

RESULTS = [
    ["predict", "tiny"],
    ["runs", "show", "tiny"],
    ["doctor", "--no-torch"],
]
FULL = Path("/dev/full")


def in_shell(line: str, words: list[str], tiny: Tiny) -> Result:
    """The program as part of a line of bash, where it stands as ``"$@"``."""
    command = [sys.executable, "-m", "lstm_forecast", *words]
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *command],
        env={**CRON, "PYTHONPATH": str(ROOT), "LSTM_FORECAST_RUNS_DIR": str(tiny.runs)},
        cwd=tiny.csv.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def there(tiny: Tiny) -> dict[str, Any]:
    """Where a forked program begins."""
    return {"env": {"LSTM_FORECAST_RUNS_DIR": str(tiny.runs)}, "cwd": tiny.csv.parent}


@pytest.mark.parametrize("words", RESULTS, ids=" ".join)
def test_row_38_a_result_that_nobody_can_receive_is_15(words: list[str], tiny: Tiny, warm: Warm) -> None:
    closed = in_shell('"$@" >&-', words, tiny)
    full = warm.run(words, out=FULL, **there(tiny))
    for done, said in ((closed, "is closed"), (full, "No space left on device")):
        assert done.code == 15, (said, done.err)
        assert "storage.stdout" in done.err
        assert said in done.err
        assert "Traceback" not in done.err
        assert "Exception ignored" not in done.err


def test_row_38_a_reader_like_head_ends_the_program_with_141(tiny: Tiny, warm: Warm) -> None:
    """The forecast is longer than a pipe holds, and its reader leaves after a line."""
    pipe = tiny.csv.parent / "pipe"
    os.mkfifo(pipe)
    child = warm.start(["predict", "tiny", "-q", "--horizon", "4000"], out=pipe, **there(tiny))
    with pipe.open() as head:
        assert head.readline().startswith("series,date,step,forecast")
    done = child.result()
    assert (done.code, done.err) == (141, "")


def test_row_38_what_is_said_may_be_lost_but_not_the_result_and_the_code(tiny: Tiny, warm: Warm) -> None:
    closed = [in_shell('"$@" 2>&-', ["predict", name], tiny) for name in ("tiny", "none")]
    full = [warm.run(["predict", name], err=FULL, **there(tiny)) for name in ("tiny", "none")]
    for good, bad in (closed, full):
        assert (good.code, bad.code) == (0, 12)
        assert len(good.out.splitlines()) == 3


FORCED = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm"}
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-LSTfhlnsu]|\r|\x1b[78M]")  # every escape but colours, which end with m


def test_row_43_forced_colours_bring_no_animation(tiny: Tiny, warm: Warm) -> None:
    words = ["train", tiny.csv, *SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs, "--name", "new"]
    forced = warm.run(words, cwd=tiny.csv.parent, env=FORCED)
    assert forced.code == 0, forced.err
    failed = warm.run(["train", "none.csv"], cwd=tiny.csv.parent, env=FORCED)
    assert failed.code == 10
    for text in (forced.out, forced.err, failed.err):
        assert MOVES.search(text) is None


def test_row_43_a_bar_moves_where_a_person_looks(tiny: Tiny, warm: Warm) -> None:
    """Against the row before: on a terminal there is a bar, so the pattern above would find one."""
    ours, theirs = pty.openpty()
    words = ["train", tiny.csv, *SMALL, "--set", "run.plots=false", "--name", "new", "--runs-dir", tiny.runs]
    child = warm.start(words, env={"TERM": "xterm"}, err=Path(os.ttyname(theirs)), waits=True)
    child.ready()  # it has opened its end
    os.close(theirs)
    child.go()
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
    assert child.result().code == 0
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
    path, words = Path("wild.csv"), [*SMALL, "--set", "run.plots=false", "--runs-dir", str(tiny.runs)]
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
    for kind in ("forecast", "test", "error", "gates"):
        for form in ("png", "svg") if kind in ("test", "gates") else ("png",):
            output = Path(f"{kind}.{form}")
            drawn = cli("plot", "wild", "--kind", kind, "--runs-dir", tiny.runs, "--output", output)
            assert drawn.code == 0, (kind, form, drawn.err[-500:])
            assert "\x1b" not in drawn.err
        width, height = struct.unpack(">II", Path(f"{kind}.png").read_bytes()[16:24])
        assert width <= 2000
        assert height <= 4000
    for name in (NAMES["mathtext"], NAMES["long"]) if place == "series" else (NAMES["newline"],):
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
