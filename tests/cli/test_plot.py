"""``plot``: pictures without a screen, wherever and however it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli, Tiny, run_cli
from tests.training.jobs import days, momentum, trained, write_csv

SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture
def plot(cli: Cli, tiny: Tiny) -> Cli:
    """``plot tiny`` with further words."""
    return lambda *words: cli("plot", "tiny", "--runs-dir", tiny.runs, *words)


KINDS = ["forecast", "test", "loss", "error", "residuals", "backtest", "gates"]  # track: test_track.py
HELD_OUT = ["error", "residuals", "backtest"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_into_the_run_and_its_path_printed(kind: str, plot: Cli, tiny: Tiny) -> None:
    result = plot("--kind", kind)
    path = tiny.run.path / "plots" / f"{kind}.png"
    assert (result.code, result.out) == (0, f"{path}\n")
    assert path.read_bytes().startswith(SIGNATURES["png"])
    assert plot("--kind", kind).code == 0  # the run's own picture is replaced


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_suffix_says_the_form(form: str, plot: Cli) -> None:
    result = plot("--kind", "loss", "--output", f"a.{form}")
    assert (result.code, result.out, result.err) == (0, f"a.{form}\n", "")
    assert Path(f"a.{form}").read_bytes().startswith(SIGNATURES[form])


@pytest.mark.parametrize("name", ["a.jpeg", "a", "a.csv"])
def test_row_41_another_form_is_2_and_lists_the_forms(name: str, plot: Cli) -> None:
    result = plot("--output", name)
    assert (result.code, result.out) == (2, "")
    assert "expected .png, .svg or .pdf" in result.err
    assert "hint: --output a.png" in result.err


def test_row_37_outputs_are_refused_as_for_a_forecast(plot: Cli) -> None:
    Path("a.png").write_text("mine")
    assert plot("--output", "a.png").code == 18
    assert Path("a.png").read_text() == "mine"
    assert plot("--output", "a.png", "--overwrite").code == 0
    assert plot("--output", "none/a.png").code == 15
    assert not Path("none").exists()


def test_dry_run_writes_nothing(plot: Cli, tiny: Tiny) -> None:
    before = sorted(tiny.csv.parent.rglob("*"))
    assert plot("--dry-run").code == 0
    result = plot("--dry-run", "--output", "a.png")
    assert (result.code, result.out) == (0, "")
    assert "bytes to a.png" in result.err
    assert sorted(tiny.csv.parent.rglob("*")) == before


def test_json_and_quiet(plot: Cli) -> None:
    document = json.loads(plot("--output", "a.svg", "--json").out)
    assert document == {"plot": "a.svg", "kind": "forecast", "warnings": []}
    result = plot("--output", "a.svg", "--overwrite", "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_an_unknown_series_and_an_unknown_kind_are_2(plot: Cli) -> None:
    result = plot("--series", "valeu")
    assert (result.code, result.out) == (2, "")
    assert "hint: did you mean value?" in result.err
    result = plot("--kind", "los")
    assert (result.code, result.out) == (2, "")
    assert "--kind" in result.err


@pytest.mark.parametrize("kind", HELD_OUT)
def test_after_an_evaluation_its_forecasts_are_drawn(kind: str, plot: Cli, cli: Cli, tiny: Tiny) -> None:
    assert plot("--kind", kind, "--output", "test_rows.png").code == 0
    words = ["--runs-dir", tiny.runs, "-q", "--origins", "4"]
    assert cli("evaluate", "tiny", *words).code == 0
    assert plot("--kind", kind, "--output", "evaluated.png").code == 0
    assert Path("evaluated.png").read_bytes() != Path("test_rows.png").read_bytes()
    assert plot("--kind", kind, "--output", "again.png").code == 0
    assert Path("evaluated.png").read_bytes() == Path("again.png").read_bytes()


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("error", "backtest.safetensors", b""),
        ("residuals", "backtest.safetensors", b"\0" * 64),
        ("backtest", "backtest.json", b"{}"),
        ("error", "backtest.json", b'{"by_step": {"model": {"mae": [1]}}}'),
    ],
)
def test_a_damaged_evaluation_is_13_without_a_traceback(
    kind: str, name: str, data: bytes, plot: Cli, cli: Cli, tiny: Tiny
) -> None:
    assert cli("evaluate", "tiny", "--runs-dir", tiny.runs, "-q").code == 0
    (tiny.run.path / "predictions" / name).write_bytes(data)
    result = plot("--kind", kind)
    assert (result.code, result.out) == (13, "")
    assert result.err.startswith("error[artifact.")
    assert f"{tiny.run.path}/predictions/{name}: " in result.err
    assert "Traceback" not in result.err
    assert plot("--kind", "loss").code == 0  # what rests on the run's own files is still drawn
    assert cli("evaluate", "tiny", "--runs-dir", tiny.runs, "-q").code == 0
    assert plot("--kind", kind).code == 0  # a new evaluation mends it


def test_what_a_run_cannot_show_is_2(cli: Cli, tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(100), "value": momentum(100)})
    changes = {"model.cell": "rnn", "split.test": "0", "run.name": "plain"}
    runs = trained(csv, changes).run.path.parent.parent
    gates = cli("plot", "plain", "--runs-dir", runs, "--kind", "gates")
    assert (gates.code, gates.out) == (2, "")
    assert "a plain recurrent cell has no gates" in gates.err
    for kind in (*HELD_OUT, "test"):
        result = cli("plot", "plain", "--runs-dir", runs, "--kind", kind)
        assert (result.code, result.out) == (2, "")
        assert f"error[plot.no_test]: --kind {kind}: the run has no test forecasts" in result.err


def test_row_39_a_hostile_environment_changes_no_picture(plot: Cli, tiny: Tiny) -> None:
    assert plot("--kind", "forecast", "--output", "here.png").code == 0
    folder = tiny.csv.parent / "elsewhere"
    folder.mkdir()
    (folder / "matplotlibrc").write_text("text.usetex: True\nfigure.facecolor: red\nbackend: TkAgg\n")
    env = {"MPLBACKEND": "bogus", "MPLCONFIGDIR": "/proc/none", "LC_ALL": "POSIX", "HOME": "/proc/none"}
    words: list[str | Path] = ["plot", "tiny", "--runs-dir", tiny.runs, "--output", "there.png"]
    result = run_cli(words, env=env, cwd=folder)
    assert (result.code, result.out, result.err) == (0, "there.png\n", "")
    assert (folder / "there.png").read_bytes() == Path("here.png").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["matplotlibrc", "there.png"]
