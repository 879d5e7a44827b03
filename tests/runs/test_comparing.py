"""Runs side by side: when their errors may be compared, and what differs between them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.config import load_config
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.runs.comparing import compare
from lstm_forecast.runs.run import Run
from tests.conftest import Tiny

Edit = Callable[[dict[str, Any]], None]


def changed(tiny: Tiny, edit: Edit | None = None, *, setting: tuple[str, str] | None = None) -> Run:
    """A copy of the tiny run with other metrics or another line of its configuration."""
    path = tiny.run.path.with_name("20200101T000000Z-abcdef")
    shutil.copytree(tiny.run.path, path)
    if edit is not None:
        metrics = json.loads((path / "metrics.json").read_text())
        edit(metrics)
        (path / "metrics.json").write_text(json.dumps(metrics))
    if setting is not None:
        text = (path / "config.yaml").read_text()
        assert setting[0] in text
        (path / "config.yaml").write_text(text.replace(*setting, 1))
    return Run(path)


def test_a_run_and_its_copy_are_comparable_and_alike(tiny: Tiny) -> None:
    found = compare([tiny.run, changed(tiny)])
    metrics = json.loads((tiny.run.path / "metrics.json").read_text())
    assert (found.obstacles, found.differing) == ((), {})
    for one in found.runs:
        assert (one.verdict, one.skill, one.baseline) == (
            metrics["verdict"],
            metrics["skill"],
            metrics["baseline"],
        )
        assert one.metrics == metrics["metrics"]["model"]
        assert one.windows == metrics["test"]["windows"]
        assert one.data == json.loads((tiny.run.path / "run.json").read_text())["data"]["sha256"]


@pytest.mark.parametrize(
    ("edit", "obstacle"),
    [
        (lambda m: m["test"].update(windows=7), "the test windows differ"),
        (lambda m: m["test"].update({"from": "2020-01-01"}), "the test windows differ"),
        (lambda m: m["test"].update(to="2020-01-01"), "the test windows differ"),
        (lambda m: m["metrics"]["naive"].update(mae=1e9), "the values of the test windows differ"),
    ],
)
def test_other_test_values_cannot_be_compared(edit: Edit, obstacle: str, tiny: Tiny) -> None:
    assert compare([tiny.run, changed(tiny, edit)]).obstacles == (obstacle,)


def test_a_run_without_test_windows_cannot_be_compared(tiny: Tiny) -> None:
    def untested(metrics: dict[str, Any]) -> None:
        metrics["test"] = {"windows": 0, "from": None, "to": None}
        metrics["metrics"] = {}

    found = compare([tiny.run, changed(tiny, untested)])
    assert found.obstacles == ("a run without test windows has no error", "the test windows differ")
    assert found.runs[1].metrics == {}


def test_a_run_that_was_not_compared_with_the_naive_forecast_is_no_obstacle(tiny: Tiny) -> None:
    def without(metrics: dict[str, Any]) -> None:
        del metrics["metrics"]["naive"]

    assert compare([tiny.run, changed(tiny, without)]).obstacles == ()


def test_another_horizon_cannot_be_compared(tiny: Tiny) -> None:
    found = compare([tiny.run, changed(tiny, setting=("\n  horizon: 2\n", "\n  horizon: 3\n"))])
    assert found.obstacles == ("the horizons differ",)
    assert found.differing == {"window.horizon": (2, 3)}


def test_the_settings_that_differ_stand_as_a_file_has_them(tiny: Tiny) -> None:
    found = compare([tiny.run, changed(tiny, setting=("lr: 0.001", "lr: 0.02")), tiny.run])
    assert (found.obstacles, found.differing) == ((), {"training.lr": (0.001, 0.02, 0.001)})
    config = load_config(tiny.run.path / "config.yaml", environ={}).config
    assert found.runs[0].values["training.lr"] == config.training.lr


def test_a_setting_that_only_a_later_run_has_elsewhere_counts_too(tiny: Tiny) -> None:
    other = changed(tiny, setting=("lr: 0.001", "lr: 0.02"))
    assert set(compare([tiny.run, tiny.run, other]).differing) == {"training.lr"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.json", "{}"),
        ("metrics.json", '{"metrics": [], "test": {}, "verdict": 1, "skill": 2, "baseline": 3}'),
        ("metrics.json", "[]"),
        ("run.json", '{"data": 3}'),
        ("config.yaml", "data: {path: x}\nmodel: {cell: abacus}"),
        ("config.yaml", ""),
    ],
)
def test_a_file_that_makes_no_sense_is_rejected_by_name(name: str, text: str, tiny: Tiny) -> None:
    run = changed(tiny)
    (run.path / name).write_text(text)
    with pytest.raises(ArtifactRejected) as caught:
        compare([tiny.run, run])
    assert str(run.path) in caught.value.where


@pytest.mark.parametrize("value", ['"high"', "true", "NaN", "Infinity", "[]"])
def test_a_number_that_is_none_is_left_out(value: str, tiny: Tiny) -> None:
    run = changed(tiny)
    metrics = json.loads((run.path / "metrics.json").read_text()) | {"skill": "SKILL"}
    (run.path / "metrics.json").write_text(json.dumps(metrics).replace('"SKILL"', value))
    assert compare([run, run]).runs[0].skill is None


def test_the_files_are_only_read(tiny: Tiny) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(tiny.runs).rglob("*")}
    compare([tiny.run, tiny.run])
    assert {path: path.stat().st_mtime_ns for path in Path(tiny.runs).rglob("*")} == before
