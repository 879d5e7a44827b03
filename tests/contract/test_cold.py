"""A forecast of a few series imports none of the heavy packages, a picture only matplotlib."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from tests.contract.test_start import probed
from tests.training.jobs import days, momentum, trained, write_csv

ROWS = 160
PLAIN = {"training.patience": "null", "training.epochs": "1"}
RUNS: dict[str, dict[str, str]] = {
    "plain": {"training.refit": "full"},
    "gated": {"evaluation.gate": "baseline", "training.lr": "1e-9"},
    "quantiles": {"model.head": "quantile", "model.cell": "gru", "training.ensemble": "2"},
    "peephole": {"model.cell": "lstm_peephole", "model.normalize": "mean_std", "model.supervision": "last"},
    "covariates": {
        "data.past_covariates": "[w]",
        "data.future_covariates": "[promo]",
        "data.calendar_features": "[dayofweek, month, holiday]",
        "data.holidays": "closed.txt",
    },
    "bfloat16": {"training.precision": "bfloat16", "model.cell": "rnn"},
}
PANEL = {"run.name": "panel", "data.series_id": "shop", "data.static_covariates": "[kind]"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind, on one series of three columns; and a panel of three series."""
    folder = tmp_path_factory.mktemp("cold")
    columns = {"date": days(ROWS), "v": momentum(ROWS), "w": momentum(ROWS, seed=5)}
    promo = (np.arange(ROWS) % 3 == 0).astype(np.float64)
    (folder / "closed.txt").write_text("2024-05-01\n2024-06-20\n")
    known = write_csv(folder / "a.csv", {**columns, "promo": promo})
    for name, changes in RUNS.items():
        here = {key: value.replace("closed", str(folder / "closed")) for key, value in changes.items()}
        trained(known, {**PLAIN, "data.target": "v", "run.name": name, **here})
    shops = [name for name in "abc" for _ in range(60)]
    kinds = [{"a": "x", "b": "x", "c": "y"}[name] for name in shops]
    values = np.concatenate([momentum(60, seed=seed) for seed in range(3)])
    written = {"date": days(60) * 3, "shop": shops, "kind": kinds, "v": values}
    trained(write_csv(folder / "panel.csv", written), {**PLAIN, **PANEL})
    write_csv(folder / "coming.csv", {"date": days(ROWS + 9)[ROWS:], "promo": np.zeros(9)})
    return folder


def test_a_forecast_imports_no_heavy_package(folder: Path) -> None:
    jobs = [["predict", name, "--json"] for name in RUNS if name != "covariates"]
    jobs += [["predict", "covariates", "--future", "coming.csv", "--output", "x.csv", "--overwrite"]]
    jobs += [["predict", "plain", "--horizon", "9", "--output", "y.csv", "--overwrite", "--record"]]
    jobs += [["predict", "plain", "--data", "a.csv", "--levels", "50", "--excel", "--output", "z.csv"]]
    jobs += [["predict", "panel", "--output", "p.csv"], ["predict", "panel", "--series", "b"]]
    found = probed([["predict", "plain", "--output", "first.csv"], *jobs], folder)
    assert [(code, heavy) for _, code, heavy in found] == [(0, [])] * (len(jobs) + 1)


@pytest.mark.parametrize("name", [*RUNS, "panel"])
def test_what_computed_it_is_told(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    future = "coming.csv" if name == "covariates" else None
    forecast = pipeline.predict(name, runs_dir=folder / "runs", future=future)
    assert all((row.source == "model") == (name != "gated") for row in forecast.rows)
    assert forecast.engine == (None if name == "gated" else "numpy")
    assert json.loads(forecast.to_json([]))["engine"] == forecast.engine


def test_a_picture_imports_matplotlib_alone(folder: Path) -> None:
    jobs = [["plot", "plain", "--output", "a.svg"], ["plot", "panel", "--kind", "residuals"]]
    jobs += [["plot", "peephole", "--kind", "gates"], ["plot", "quantiles", "--kind", "backtest"]]
    found = probed(jobs, folder)
    assert [(code, heavy) for _, code, heavy in found] == [(0, ["matplotlib"])] * len(jobs)
