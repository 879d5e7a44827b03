"""Row 32 for covariates: what a run says of its series, its calendar and what is known ahead is checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.opening import opened
from lstm_forecast.runs.run import Run
from tests.runs.test_tampering import _set, edited, everything, replaced
from tests.training.jobs import days, momentum, trained, write_csv

Arrays = dict[str, np.ndarray]
ROWS = 100


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two shops with a promotion that is planned for five days more, and days off."""
    folder = tmp_path_factory.mktemp("good")
    columns: dict[str, list[str]] = {name: [] for name in ("date", "shop", "kind", "sales", "promo")}
    for number, shop in enumerate(("a", "b")):
        sales = [repr(float(value)) for value in momentum(ROWS, seed=number)]
        columns["date"] += days(ROWS + 5)
        columns["shop"] += [shop] * (ROWS + 5)
        columns["kind"] += [("mall", "street")[number]] * (ROWS + 5)
        columns["sales"] += [*sales, *[""] * 5]
        columns["promo"] += [str(n % 3 % 2) for n in range(ROWS + 5)]
    (folder / "off.txt").write_text("\n".join(days(ROWS + 9)[::6]))
    keys = {
        "data.target": "sales",
        "data.series_id": "shop",
        "data.future_covariates": "[promo]",
        "data.static_covariates": "[kind]",
        "data.calendar_features": "[dayofweek, holiday]",
        "data.holidays": str(folder / "off.txt"),
        "run.name": "good",
    }
    run = trained(write_csv(folder / "a.csv", columns), keys).run
    (folder / "a.csv").unlink()
    (folder / "off.txt").unlink()
    return run


@pytest.fixture
def run(good: Run, tmp_path: Path) -> Run:
    """A copy that may be spoilt."""
    copy = tmp_path / "runs" / good.path.parent.name / good.path.name
    shutil.copytree(good.path, copy)
    return Run(copy)


def rejected(run: Run, name: str) -> ArtifactRejected:
    with pytest.raises(ArtifactRejected) as caught:
        everything(run)
    assert caught.value.code == 13
    assert caught.value.where == str(run.path / name)
    return caught.value


def test_a_run_that_nobody_touched_needs_no_file_but_its_own(run: Run) -> None:
    everything(run)
    chosen = opened(run)
    assert chosen.preprocess.columns == ("sales", "promo", "dayofweek sin", "dayofweek cos", "holiday")
    assert chosen.preprocess.to_bytes() == chosen.files["preprocess.json"]
    assert chosen.ahead is not None
    assert chosen.ahead.values[:, 0].tolist() == [n % 3 % 2 for n in range(ROWS, ROWS + 5)] * 2


TWO_KINDS = {"name": "kind", "vocabulary": ["mall", "street"], "offset": 0.0, "unit": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_set("scaling", "ahead", value=1), id="fewer ahead"),
        pytest.param(_set("scaling", "ahead", value=5), id="all ahead"),
        pytest.param(_set("scaling", "ahead", value=-1), id="less than none ahead"),
        pytest.param(_set("scaling", "ahead", value="x"), id="ahead no number"),
        pytest.param(_set("scaling", "statics", value=None), id="no statics"),
        pytest.param(_set("scaling", "statics", value=[]), id="statics no object"),
        pytest.param(_set("scaling", "statics", "codes", value=[[1.0], [3.0]]), id="no such category"),
        pytest.param(_set("scaling", "statics", "codes", value=[[1.0]]), id="a series less"),
        pytest.param(_set("scaling", "statics", "columns", value=[TWO_KINDS] * 2), id="a column more"),
        pytest.param(_set("scaling", "statics", "columns", value=[{**TWO_KINDS, "name": "x"}]), id="renamed"),
        pytest.param(_set("holidays", value=["2024-02-30"]), id="no such day"),
        pytest.param(_set("holidays", value="2024-02-03"), id="holidays no list"),
        pytest.param(_set("holidays", value=[5]), id="holidays no texts"),
    ],
)
def test_what_makes_no_sense_is_refused(change: Callable[[dict[str, Any]], None], run: Run) -> None:
    edited(run, "preprocess.json", change)
    assert rejected(run, "preprocess.json").id == "artifact.preprocess"


def test_more_categories_than_the_weights_have_are_refused(run: Run) -> None:
    more = {**TWO_KINDS, "vocabulary": ["mall", "street", "pier"]}
    edited(run, "preprocess.json", _set("scaling", "statics", "columns", value=[more]))
    assert rejected(run, "model.safetensors").id == "artifact.tensor"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a: {**a, "ahead.series": a["ahead.series"] + 1}, id="no such series"),
        pytest.param(lambda a: {**a, "ahead.series": a["ahead.series"].astype(np.int32)}, id="type"),
        pytest.param(lambda a: {**a, "ahead.times": a["ahead.times"][1:]}, id="length"),
        pytest.param(lambda a: {**a, "ahead.times": a["ahead.times"] * 2**20}, id="far away"),
        pytest.param(lambda a: {**a, "ahead.values": a["ahead.values"] + np.inf}, id="infinite"),
        pytest.param(lambda a: {**a, "ahead.values": a["ahead.values"].repeat(2, axis=1)}, id="columns"),
        pytest.param(lambda a: {k: v for k, v in a.items() if k != "ahead.values"}, id="missing"),
        pytest.param(lambda a: {**a, "ahead.more": a["ahead.times"]}, id="more"),
    ],
)
def test_rows_ahead_that_make_no_sense_are_refused(change: Callable[[Arrays], Arrays], run: Run) -> None:
    arrays = load((run.path / "context.safetensors").read_bytes())
    replaced(run, "context.safetensors", save(change(arrays)))
    assert rejected(run, "context.safetensors").id == "artifact.tensor"
