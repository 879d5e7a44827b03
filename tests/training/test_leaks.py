"""Nothing that came later may reach the network: the later values are multiplied by a million.

What must not change is compared byte by byte, in the files that a forecast is made from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load
from torch import Tensor

from lstm_forecast.data.tensors import PanelTensors
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training import loop
from tests.training.jobs import days, files, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS, VALIDATION, TEST = 100, 80, 90  # rows of a series; first validation and test row
BY_DATE = {"split.validation": f"'{days(ROWS)[VALIDATION]}'", "split.test": f"'{days(ROWS)[TEST]}'"}


def one_series(folder: Path, *, since: int, factor: float) -> Path:
    values = momentum(ROWS)
    values[since:] *= factor
    return write_csv(folder / "a.csv", {"date": days(ROWS), "price": values})


def with_holes(folder: Path, *, since: int, factor: float) -> Path:
    """Empty cells inside every part and across both borders."""
    values = momentum(ROWS)
    values[since:] *= factor
    values[[5, 6, 40, 78, 79, 80, 85, 88, 89, 90, 95]] = np.nan
    return write_csv(folder / "a.csv", {"date": days(ROWS), "price": values})


def several_series(folder: Path, *, since: int, factor: float) -> Path:
    """The third begins late: the borders are dates, not row numbers."""
    names, dates, values = [], [], []
    for number, first in enumerate((0, 0, 30)):
        walk = momentum(ROWS, seed=number) * 10.0**number
        walk[since:] *= factor
        names += [f"shop {number}"] * (ROWS - first)
        dates += days(ROWS)[first:]
        values += walk[first:].tolist()
    return write_csv(folder / "a.csv", {"date": dates, "id": names, "price": np.array(values)})


def covariates(folder: Path, *, since: int, factor: float) -> Path:
    columns = {name: momentum(ROWS, seed=seed) for seed, name in enumerate(("price", "high", "volume"))}
    for values in columns.values():
        values[since:] *= factor
    return write_csv(folder / "a.csv", {"date": days(ROWS), **columns})


def known_ahead(folder: Path, *, since: int, factor: float) -> Path:
    """Two shops with a promotion that changes after ``since``, too, and a kind."""
    columns: dict[str, list[str]] = {name: [] for name in ("date", "id", "price", "promo", "kind")}
    for number in range(2):
        price, promo = momentum(ROWS, seed=number), momentum(ROWS, seed=number + 5)
        for values in (price, promo):
            values[since:] *= factor
        columns["date"] += days(ROWS)
        columns["id"] += [f"shop {number}"] * ROWS
        columns["price"] += [repr(float(value)) for value in price]
        columns["promo"] += [repr(float(value)) for value in promo]
        columns["kind"] += ["mall" if number else "street"] * ROWS
    return write_csv(folder / "a.csv", columns)


AHEAD = {
    "data.target": "price",
    "data.series_id": "id",
    "data.future_covariates": "[promo]",
    "data.static_covariates": "[kind]",
    "data.calendar_features": "[dayofweek, month]",
}
BY_CHANGES = {"data.transform": "diff", "model.anchor": "none"}
CASES: dict[str, tuple[Callable[..., Path], dict[str, str]]] = {
    "default": (one_series, {}),
    "level": (one_series, {"model.anchor": "none", "model.supervision": "last"}),
    "standard": (one_series, {"model.anchor": "none", "scaling.method": "standard"}),
    "interpolate": (with_holes, {"data.missing": "interpolate"}),
    "ffill": (with_holes, {"data.missing": "ffill", "model.anchor": "none"}),
    "series": (several_series, {"data.series_id": "id"}),
    "global": (several_series, {"data.series_id": "id", "scaling.per": "global", "model.anchor": "none"}),
    "covariates": (covariates, {"data.target": "price", "data.past_covariates": "[high, volume]"}),
    "known ahead": (known_ahead, AHEAD),
    "log": (one_series, {"data.transform": "log"}),
    "log1p": (with_holes, {"data.transform": "log1p", "data.missing": "ffill", "model.anchor": "none"}),
    "diff": (one_series, BY_CHANGES),
    "diff of holes": (with_holes, {**BY_CHANGES, "data.missing": "interpolate"}),
    "diff of series": (several_series, {**BY_CHANGES, "data.series_id": "id", "scaling.per": "global"}),
    "season": (several_series, {"data.series_id": "id", "data.season": "7"}),
    "quantiles": (several_series, {"data.series_id": "id", "model.head": "quantile"}),
    "ensemble": (one_series, {"training.ensemble": "2", "data.transform": "log1p"}),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Callable[..., Path], dict[str, str]]:
    return CASES[request.param]


def run_files(
    folder: Path, case: tuple[Callable[..., Path], dict[str, str]], since: int, factor: float
) -> dict[str, bytes]:
    """The files of a training on this case, its values from row ``since`` on times ``factor``."""
    make, changes = case
    csv = make(folder, since=since, factor=factor)
    return files(trained(csv, {**BY_DATE, "training.patience": "null", **changes}))


def test_row_21_the_test_split_reaches_neither_units_nor_weights_nor_validation(
    case: tuple[Callable[..., Path], dict[str, str]], tmp_path: Path
) -> None:
    assert run_files(tmp_path, case, TEST, 1.0) == run_files(tmp_path, case, TEST, 1e6)


def test_the_validation_split_reaches_neither_units_nor_the_weights_of_an_epoch(
    case: tuple[Callable[..., Path], dict[str, str]], tmp_path: Path
) -> None:
    """All epochs run here, so that not even the choice of the best one differs."""
    before, after = run_files(tmp_path, case, VALIDATION, 1.0), run_files(tmp_path, case, VALIDATION, 1e6)
    assert before["preprocess.json"] == after["preprocess.json"]
    assert before["model.safetensors"] == after["model.safetensors"]
    assert before["config.yaml"] == after["config.yaml"]
    assert before["history.csv"] != after["history.csv"]  # validation was looked at, and only there
    assert before["calibration"] != after["calibration"]


@pytest.mark.parametrize("what", ["preprocess.json", "model.safetensors"])
def test_the_last_training_row_does_reach_them(what: str, tmp_path: Path) -> None:
    """The comparison above can fail: one row earlier it does."""
    before = run_files(tmp_path, CASES["default"], VALIDATION - 1, 1.0)
    assert before[what] != run_files(tmp_path, CASES["default"], VALIDATION - 1, 1e6)[what]


def test_row_21_early_stopping_chooses_without_the_test_split(tmp_path: Path) -> None:
    chosen = {"training.patience": "2", "training.epochs": "6", "training.lr": "0.01"}
    case = (one_series, chosen)
    make, changes = case
    first = files(trained(make(tmp_path, since=TEST, factor=1.0), {**BY_DATE, **changes}))
    second = files(trained(make(tmp_path, since=TEST, factor=1e6), {**BY_DATE, **changes}))
    assert first == second


def test_the_loop_is_handed_no_row_after_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not look at the test split if it wanted to."""
    handed: list[Tensor] = []
    sound = loop.fit

    def watched(model: RegLSTM, tensors: PanelTensors, *arguments: Any, **named: Any) -> loop.Fitted:
        handed.extend([tensors.inputs, tensors.levels, tensors.known])
        return sound(model, tensors, *arguments, **named)

    monkeypatch.setattr(loop, "fit", watched)
    trained(several_series(tmp_path, since=ROWS, factor=1.0), {**BY_DATE, "data.series_id": "id"})
    assert [len(tensor) for tensor in handed] == [TEST + TEST + TEST - 30] * 3


@pytest.mark.parametrize("case", ["default", "diff of series", "quantiles"])
def test_row_21_after_a_refit_the_tested_networks_are_still_those_that_never_saw_the_test(
    case: str, tmp_path: Path
) -> None:
    """Those that forecast did see it: their weights and units are others."""

    def parts(factor: float) -> tuple[dict[str, bytes], dict[str, bytes]]:
        make, changes = CASES[case]
        settings = {**BY_DATE, "training.patience": "null", **changes, "training.refit": "full"}
        result = trained(make(tmp_path, since=TEST, factor=factor), settings)
        weights = load((result.run.path / "model.safetensors").read_bytes())
        units = json.loads((result.run.path / "preprocess.json").read_text())
        held_out = {name: value.tobytes() for name, value in weights.items() if name.startswith("held_out.")}
        final = {name: value.tobytes() for name, value in weights.items() if name.startswith("network.")}
        found = files(result)
        held_out |= {name: found[name] for name in ("history.csv", "calibration", "baseline", "config.yaml")}
        held_out["units"] = json.dumps(units["held_out_scaling"]).encode()
        final["units"] = json.dumps(units["scaling"]).encode()
        return held_out, final

    before, after = parts(1.0), parts(1e6)
    assert len(before[0]) >= 11
    assert before[0] == after[0]
    assert all(before[1][name] != after[1][name] for name in before[1])


@pytest.mark.parametrize("case", ["default", "diff", "quantiles"])
def test_row_21_the_test_rows_reach_no_test_forecast_before_their_time(case: str, tmp_path: Path) -> None:
    """From the third test row on everything changes: the forecasts made before it do not."""
    make, changes = CASES[case]
    found = []
    for factor in (1.0, 1e6):
        result = trained(make(tmp_path, since=TEST + 3, factor=factor), {**BY_DATE, **changes})
        test = result.judged.test
        known = test.rows < TEST + 3  # rows of the first series are counted from 0
        early = test.part((test.series == 0) & known)
        bounds = [end[(test.series == 0) & known] for pair in result.judged.bounds.values() for end in pair]
        found.append([early.forecast, *early.baselines.values(), *bounds])
    assert len(found[0][0]) == 4  # made at the last validation row and the first three of the test
    assert [part.tobytes() for part in found[0]] == [part.tobytes() for part in found[1]]
