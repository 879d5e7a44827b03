"""A panel of very different lengths and levels: every number is right, and short series stop nothing."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from lstm_forecast import pipeline
from lstm_forecast.events import Events
from lstm_forecast.trainings import TrainResult
from tests.conftest import Cli
from tests.training.jobs import days, momentum, trained

COUNT, LONGEST, HORIZON, LOOKBACK, TEST = 40, 400, 2, 8, 20
LENGTHS = np.random.default_rng(3).permutation(np.geomspace(2, LONGEST, COUNT).astype(int))
LEVELS = 10.0 ** np.linspace(-3, 9, COUNT)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Series of 2 to 400 rows that end on one day, around 0.001 to 1,000,000,000."""
    parts = []
    for number, (rows, level) in enumerate(zip(LENGTHS, LEVELS, strict=True)):
        values = level * momentum(LONGEST, seed=number)[:rows] / 500
        dates = days(LONGEST)[LONGEST - rows :]
        parts.append(pd.DataFrame({"id": f"s{number:02}", "day": dates, "v": values}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """The lines that the training says."""
    return []


@pytest.fixture(scope="module")
def run(panel: pd.DataFrame, said: list[str], tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("panel")
    panel.to_csv(folder / "p.csv", index=False)
    counts = {"split.validation": str(TEST), "split.test": str(TEST)}
    changes = {"data.series_id": "id", "data.season": "1", "run.name": "p", **counts}
    events = Events([lambda event: said.extend(event.fields.get("lines", []))])
    return trained(folder / "p.csv", changes, events=events)


def able() -> list[int]:
    """Series with two training rows and a window before the test rows."""
    return [n for n, rows in enumerate(LENGTHS) if rows - 2 * TEST >= 2]


def test_short_series_are_counted_and_named_and_stop_nothing(
    run: TrainResult, panel: pd.DataFrame, said: list[str]
) -> None:
    absent = [n for n, rows in enumerate(LENGTHS) if rows - 2 * TEST < LOOKBACK + HORIZON]
    names = ", ".join(f"s{n:02}" for n in absent[:5])
    assert f"{len(absent)} series have too few rows for training: {names}, …" in said
    forecast = pipeline.predict(run.run.path)
    assert [row.series for row in forecast.rows] == [f"s{n:02}" for n in range(COUNT) for _ in range(HORIZON)]
    sources = {row.series: row.source for row in forecast.rows}
    for number, rows in enumerate(LENGTHS):
        assert (sources[f"s{number:02}"] == "model") == (rows >= LOOKBACK)
    last = panel.groupby("id")["v"].last()
    for row in forecast.rows:  # of the size of its series, whatever the sizes of the others are
        assert row.forecast == pytest.approx(last[row.series], rel=0.5)
        for low, high in row.bounds:
            assert low is None or high is None or 0 <= low <= row.forecast <= high


def test_errors_by_series_and_in_all_are_those_of_scikit_learn_and_a_loop(
    run: TrainResult, panel: pd.DataFrame
) -> None:
    document = json.loads((run.run.path / "metrics.json").read_text())
    with (run.run.path / "predictions" / "test.csv").open(newline="") as file:
        table = pd.DataFrame(list(csv.DictReader(file)))
    series = {name: part["v"].to_numpy() for name, part in panel.groupby("id")}
    place = {
        name: dict(zip(part["day"], range(len(part)), strict=True)) for name, part in panel.groupby("id")
    }
    truth, model, naive, owner = [], [], [], []
    for row in table.to_dict("records"):
        name = row["series"]
        at = place[name][row["time"]]
        truth.append(series[name][at])
        naive.append(series[name][at - int(row["step"])])
        model.append(float(row["forecast"]))
        owner.append(name)
    y, owners = np.array(truth), np.array(owner)
    assert sorted(set(owner)) == [f"s{n:02}" for n in able()]
    for forecaster, found in (("model", np.array(model)), ("naive", np.array(naive))):
        scaled = []
        for name in dict.fromkeys(owner):
            mine, shown = owners == name, document["by_series"][forecaster][name]
            assert shown["mae"] == pytest.approx(mean_absolute_error(y[mine], found[mine]), rel=1e-9)
            assert shown["rmse"] == pytest.approx(root_mean_squared_error(y[mine], found[mine]), rel=1e-9)
            past = series[name][: len(series[name]) - 2 * TEST]
            scaled.append(shown["mae"] / np.abs(np.diff(past)).mean())
            assert shown["mase"] == pytest.approx(scaled[-1], rel=1e-9)
        whole = document["metrics"][forecaster]
        assert whole["mae"] == pytest.approx(mean_absolute_error(y, found), rel=1e-9)
        assert whole["rmse"] == pytest.approx(root_mean_squared_error(y, found), rel=1e-9)
        assert whole["mase"] == pytest.approx(np.mean(scaled), rel=1e-9)
    assert set(document["by_series"]["model"]) == set(owner)


def test_evaluate_shows_them_by_series(run: TrainResult, cli: Cli) -> None:
    document = json.loads((run.run.path / "metrics.json").read_text())
    result = cli("evaluate", run.run.path, "--by", "series", "--json")
    assert result.code == 0, result.err
    shown = json.loads(result.out)["by_series"]["model"]
    assert list(shown) == list(document["by_series"]["model"])
    for name, found in shown.items():
        assert found["mae"] == pytest.approx(document["by_series"]["model"][name]["mae"], rel=1e-9)
