"""Optional packages: event files of a training, and without them a refusal before anything is written."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from lstm_forecast import pipeline
from lstm_forecast.config import config_values
from lstm_forecast.errors import ResourceError
from lstm_forecast.opening import opened
from tests.conftest import SMALL, Cli, Tiny
from tests.training.jobs import days, momentum, trained, write_csv

NUMBERS = ("train_loss", "val_loss", "val_score", "lr", "grad_norm")
PACKAGES = [
    ("tensorboardX", "training.tensorboard", "true", "lstm-forecast[tensorboard]"),
    ("statsmodels", "evaluation.baselines", "[naive, ets]", "lstm-forecast[baselines]"),
    ("statsmodels", "evaluation.baselines", "[theta, mean]", "lstm-forecast[baselines]"),
    ("holidays", "data.holidays", "DE", "lstm-forecast[holidays]"),
]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})


def board(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def history(result: pipeline.TrainResult, network: int) -> list[dict[str, str]]:
    """The epochs of one network."""
    text = (result.run.path / "history.csv").read_text()
    return [row for row in csv.DictReader(io.StringIO(text)) if row["network"] == str(network)]


def expect_course(found: EventAccumulator, epochs: list[dict[str, str]]) -> None:
    """Every number of the history stands in the event file, as float32."""
    layers = [name for name in epochs[0] if name.startswith("grad_norm.")]
    assert layers
    for column in (*NUMBERS, *layers):
        written = [(int(row["epoch"]), np.float32(row[column])) for row in epochs if row[column]]
        read = [
            (event.step, event.value) for event in found.Scalars(column.replace("grad_norm.", "grad_norm/"))
        ]
        assert read == written


def test_one_network_has_its_events_in_the_folder_itself(prices: Path) -> None:
    result = trained(prices, {"training.tensorboard": "true"})
    folder = result.run.path / "tensorboard"
    assert [path.name.split(".")[:3] for path in folder.iterdir()] == [["events", "out", "tfevents"]]
    found = board(folder)
    epochs = history(result, 1)
    assert [row["epoch"] for row in epochs] == ["0", "1", "2"]
    expect_course(found, epochs)
    names = {node.name for node in found.Graph().node}
    assert any("layers" in name for name in names)
    assert any("head" in name for name in names)


def test_the_settings_and_what_the_test_found_are_there(prices: Path) -> None:
    result = trained(prices, {"training.tensorboard": "true"})
    found, run = board(result.run.path / "tensorboard"), opened(result.run)
    metrics = {name: value for name, value in result.verdict.metrics["model"].items() if math.isfinite(value)}
    metrics["best_epoch"] = run.metrics["best_epoch"]
    finals = {tag for tag in found.Tags()["scalars"] if tag.startswith("final/")}
    assert finals == {f"final/{name}" for name in metrics}
    for name, value in metrics.items():
        (event,) = found.Scalars(f"final/{name}")
        assert (event.step, event.value) == (2, np.float32(value))
    data = HParamsPluginData()
    data.ParseFromString(found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
    settings = data.session_start_info.hparams
    assert set(settings) == set(config_values(run.config))
    assert settings["window.lookback"].number_value == 8
    assert settings["model.cell"].string_value == "lstm"


def test_every_network_of_an_ensemble_has_a_folder(prices: Path) -> None:
    result = trained(prices, {"training.tensorboard": "true", "training.ensemble": "2"})
    folder = result.run.path / "tensorboard"
    assert sorted(path.name for path in folder.iterdir()) == ["network-1", "network-2"]
    for number in (1, 2):
        found = board(folder / f"network-{number}")
        expect_course(found, history(result, number))
        (best,) = found.Scalars("final/best_epoch")
        assert best.value == opened(result.run).metrics["best_epochs"][number - 1]
    assert history(result, 1)[1]["train_loss"] != history(result, 2)[1]["train_loss"]


def test_the_files_change_nothing_else(prices: Path) -> None:
    plain, watched = trained(prices), trained(prices, {"training.tensorboard": "true"})
    assert not (plain.run.path / "tensorboard").exists()
    for name in ("model.safetensors", "preprocess.json", "predictions/test.csv"):
        assert (plain.run.path / name).read_bytes() == (watched.run.path / name).read_bytes()


def test_without_training_there_are_no_events(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(20), "value": momentum(20)})
    from tests.test_falling_back import bare

    result = bare(csv, {"training.tensorboard": "true", "data.season": "1"})
    assert result.verdict.word is None
    assert not (result.run.path / "tensorboard").exists()


@pytest.mark.parametrize(("package", "key", "value", "extra"), PACKAGES)
def test_a_package_that_is_missing_is_named_before_anything_is_written(
    package: str, key: str, value: str, extra: str, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ResourceError) as caught:
        trained(prices, {key: value})
    assert (caught.value.id, caught.value.code) == ("resource.extra", 16)
    assert (package in caught.value.message, extra in caught.value.hint) == (True, True)
    assert not list((prices.parent / "runs").glob("*/*/"))  # no run, finished or not


@pytest.mark.parametrize(("package", "key", "value", "extra"), PACKAGES[:2])
def test_the_command_exits_with_16(
    package: str,
    key: str,
    value: str,
    extra: str,
    cli: Cli,
    tiny: Tiny,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = cli("train", tiny.csv, *SMALL, "--runs-dir", "new", "--set", f"{key}={value}")
    assert (result.code, result.out) == (16, "")
    assert f"pip install '{extra}'" in result.err
    assert not list(Path("new").glob("*/*/"))


def test_packages_that_nobody_asked_for_may_be_missing(prices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, *_ in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    result = trained(prices)
    assert json.loads((result.run.path / "status.json").read_text())["exit_code"] == 0
