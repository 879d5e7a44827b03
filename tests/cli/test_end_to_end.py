"""From every CSV and every configuration that is shipped to a forecast and a picture."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

from lstm_forecast.cli.app import program
from lstm_forecast.forecasting.baselines import SIMPLE
from tests.conftest import ROOT, Cli

FILES = sorted((ROOT / "data").glob("*.csv"))
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
# Everything that makes a training long is cut; what the file is about stays as it is.
SHORT = {
    "training.epochs": "1",
    "model.hidden_size": "4",
    "training.batch_size": "256",
    "window.stride": "32",
}


def sets(changes: dict[str, str]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def whole_path(cli: Cli, given: Path, name: str, words: list[str]) -> None:
    """train, predict, plot: each says what the next one needs."""
    drawn = set() if "run.plots=false" in words else {"forecast.png", "test.png", "loss.png"}
    trained = cli("train", given, *words, "--name", name, "--runs-dir", "runs", "--json")
    assert trained.code == 0, trained.err
    assert json.loads(trained.out)["verdict"] in ("beats", "ties", "loses")
    document = json.loads(trained.out)
    assert {p.name for p in Path(document["path"]).glob("plots/*")} == drawn
    assert "plot.failed" not in trained.err
    forecast = cli("predict", name, "--runs-dir", "runs", "--output", f"{name}.csv")
    assert forecast.code == 0, forecast.err
    with Path(f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["source"] for row in rows} <= {"model", *SIMPLE}
    assert all(float(row["forecast"]) == float(row["forecast"]) for row in rows)
    assert cli("plot", name, "--runs-dir", "runs", "--kind", "test", "--output", f"{name}.svg").code == 0
    assert cli("runs", "verify", "--runs-dir", "runs").code == 0


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_bare_csv(path: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Of the pictures one is drawn at the end; that a training draws its own is shown with the configurations.
    words = sets({**SHORT, "model.num_layers": "1", "run.plots": "false"})
    if path.name in (
        "weather.csv",
        "stocks.csv",
        "promotions.csv",
    ):  # several series: which column tells them apart is the user's
        (column,) = (
            c
            for c in path.read_text().splitlines()[0].split(",")
            if c in ("location", "Symbol", "symbol", "shop")
        )
        words += ["--series-id", column]
    if path.name == "weather.csv":
        words += ["--target", "temp_max"]
    if path.name == "promotions.csv":  # its last rows have no target, and are what is planned
        words += ["--target", "sales", *sets({"data.future_covariates": "[promo]"})]
    whole_path(cli, path, path.stem, words)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_a_configuration_in_short_form(
    path: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changes = dict(SHORT)
    if path.stem == "reglstm":
        changes["model.hidden_size"] = "[4, 3]"
    if path.stem == "demand":
        changes["split.validation"] = "200"
        changes["split.test"] = "200"
        del changes["window.stride"]  # it draws its windows
        changes["training.steps_per_epoch"] = "2"
    whole_path(cli, path, path.stem, sets(changes))
    if path.stem == "panel":  # a sector that the run has never seen
        new = ROOT / "data" / "employment_new.csv"
        result = cli("predict", "panel", "--data", new, "--runs-dir", "runs", "--json")
        assert result.code == 0, result.err
        document = json.loads(result.out)
        assert [row["series"] for row in document["rows"]] == ["information"] * 3
        assert [row["time"] for row in document["rows"]] == ["2016-01-01", "2016-02-01", "2016-03-01"]
        assert all(0 < row["lo_80"] < row["forecast"] < row["hi_80"] for row in document["rows"])
        assert "predict.new_series" in [warning["id"] for warning in document["warnings"]]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_a_configuration_begins_with_the_commands_that_run_it(path: Path) -> None:
    comment = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    commands = [line.split("   #")[0] for line in comment if line.startswith("lstm-forecast ")]
    assert commands[0] == f"lstm-forecast train configs/{path.name}"
    known = {
        command.name or command.callback.__name__
        for command in program().registered_commands
        if command.callback
    }
    names = {path.stem}  # what is trained before it is used
    for command in commands:
        words = shlex.split(command)
        assert words[1] in known
        names |= {words[words.index("--name") + 1]} if "--name" in words else set()
        assert words[2] == f"configs/{path.name}" or (words[1] != "train" and words[2] in names), command
        assert all((ROOT / word).is_file() for word in words if word.startswith("configs/"))
        for key in re.findall(r"--set ([\w.]+)=", command):
            from lstm_forecast.config import KEYS

            assert key in KEYS
