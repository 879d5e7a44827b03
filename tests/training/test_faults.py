"""Faults of numbers and of training, through the whole path from a file to a run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.errors import DataInvalid, Diverged
from lstm_forecast.evaluation.verdict import Verdict
from lstm_forecast.events import Events
from lstm_forecast.training import loop, objective
from lstm_forecast.training.objective import Score
from tests.training.jobs import days, files, job, momentum, trained, write_csv

IN_UNITS = ("mae", "rmse", "bias")  # metrics in the unit of the series; the others have none
KEEP_LAST = {"training.patience": "null", "training.lr": "0.01", "training.epochs": "3"}
NAN = float("nan")


def prices(folder: Path, values: np.ndarray[tuple[int], np.dtype[np.float64]], name: str = "a.csv") -> Path:
    return write_csv(folder / name, {"date": days(len(values)), "price": values})


def check_metrics(verdict: Verdict) -> None:
    """Errors are finite numbers, and whatever is not says why."""
    for model, row in verdict.metrics.items():
        assert np.isfinite([row[name] for name in IN_UNITS]).all(), model
        undefined = {name for name, value in row.items() if not np.isfinite(value)}
        assert undefined == set(verdict.reasons[model]), model


@pytest.mark.parametrize("value", [0.0, 42.5, -7.25, 0.1 + 0.2, 1e-30, 1e30])
def test_row_18_a_constant_series_is_forecast_as_that_constant(value: float, tmp_path: Path) -> None:
    events = Events()
    result = trained(prices(tmp_path, np.full(60, value)), events=events)
    few = "no interval of 95 %: 6 calibration windows are too few; the highest possible level is 85 %"
    assert events.warnings == [
        ("intervals.level", few),
        ("data.constant", "the training values never change, so their last value is the forecast: price"),
    ]
    assert (result.verdict.word, result.verdict.p_value, result.verdict.skill) == ("ties", None, None)
    assert {name: result.verdict.metrics["model"][name] for name in IN_UNITS} == dict.fromkeys(IN_UNITS, 0.0)
    check_metrics(result.verdict)
    forecast = pipeline.predict("a", runs_dir=tmp_path / "runs", horizon=5)
    assert [row.forecast for row in forecast.rows] == [value] * 5
    assert {row.source for row in forecast.rows} == {"model"}
    # 80 % needs 4 windows; of the 6 validation rows that is 3 steps ahead
    assert [row.bounds for row in forecast.rows] == [((value, value),)] * 3 + [((None, None),)] * 2


@pytest.mark.parametrize("value", [42.5, 1e-30])
def test_row_18_a_constant_series_is_forecast_as_that_constant_without_an_anchor(
    value: float, tmp_path: Path
) -> None:
    trained(prices(tmp_path, np.full(60, value)), {"model.anchor": "none"})
    forecast = pipeline.predict("a", runs_dir=tmp_path / "runs")
    assert [row.forecast for row in forecast.rows] == pytest.approx([value] * 2, rel=1e-6)


def test_row_18_a_series_constant_in_training_alone_is_warned_about_and_forecast(tmp_path: Path) -> None:
    values = np.full(60, 5.0)
    values[48:] += np.arange(12)  # validation and test move
    events = Events()
    result = trained(prices(tmp_path, values), events=events)
    assert (
        "data.constant",
        "the training values never change, so their last value is the forecast: price",
    ) in events.warnings
    check_metrics(result.verdict)
    assert result.verdict.reasons["model"]["mase"] == "the training values never change"
    rows = pipeline.predict("a", runs_dir=tmp_path / "runs").rows
    assert [row.forecast for row in rows] == [16.0, 16.0]


@pytest.fixture(scope="module")
def unscaled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pipeline.TrainResult]:
    """The training that all others are compared with, by anchor."""
    csv = prices(tmp_path_factory.mktemp("unscaled"), momentum(90))
    return {anchor: trained(csv, {**KEEP_LAST, "model.anchor": anchor}) for anchor in ("last", "none")}


@pytest.mark.parametrize("power", range(-30, 31))
def test_row_19_the_unit_of_the_series_does_not_matter(
    power: int, unscaled: dict[str, pipeline.TrainResult], tmp_path: Path
) -> None:
    anchor = "last" if power % 3 else "none"
    factor = 10.0**power
    result = trained(prices(tmp_path, momentum(90) * factor), {**KEEP_LAST, "model.anchor": anchor})
    expected = unscaled[anchor].verdict
    assert expected.skill != 0
    assert result.verdict.skill == pytest.approx(expected.skill, rel=1e-4)
    check_metrics(result.verdict)
    for model in expected.metrics:
        for name, value in expected.metrics[model].items():
            got = result.verdict.metrics[model][name] / (factor if name in IN_UNITS else 1)
            assert got == pytest.approx(value, rel=1e-4, nan_ok=True), (model, name)


def test_row_19_steps_of_a_hundredth_on_a_level_of_a_billion_are_learned(tmp_path: Path) -> None:
    moves = (momentum(90) - 500) * 0.01
    with_level = trained(prices(tmp_path, 1e9 + moves, "b.csv"), KEEP_LAST)
    without = trained(prices(tmp_path, moves, "c.csv"), KEEP_LAST)
    assert without.verdict.skill is not None
    assert with_level.verdict.skill == pytest.approx(without.verdict.skill, abs=1e-3)
    assert with_level.verdict.metrics["model"]["mae"] == pytest.approx(
        without.verdict.metrics["model"]["mae"], rel=1e-3
    )


@pytest.mark.parametrize("cell", ["1e308", "-1e308", "3.5e38", "1" + "0" * 40, "1e400", "inf"])
def test_row_20_a_value_beyond_single_precision_is_refused_before_training(cell: str, tmp_path: Path) -> None:
    texts = [repr(float(value)) for value in momentum(60)]
    texts[30] = cell
    csv = write_csv(tmp_path / "a.csv", {"date": days(60), "price": texts})
    with pytest.raises(DataInvalid) as caught:
        trained(csv)
    assert (caught.value.id, caught.value.code) == ("data.range", 11)
    assert caught.value.where == f"{csv}:32"
    assert caught.value.details == (f"line 32: {cell}",)
    assert not (tmp_path / "runs").exists()


def test_row_20_the_largest_values_allowed_give_finite_numbers(tmp_path: Path) -> None:
    values = momentum(90) / momentum(90).max() * 3.4e38
    result = trained(prices(tmp_path, values), KEEP_LAST)
    check_metrics(result.verdict)
    forecast = pipeline.predict("a", runs_dir=tmp_path / "runs", horizon=6)
    assert np.isfinite([row.forecast for row in forecast.rows]).all()


def current(folder: Path) -> str:
    return (folder / "runs" / "a" / "CURRENT").read_text()


def test_row_23_a_rate_of_a_million_diverges_and_the_name_keeps_its_run(tmp_path: Path) -> None:
    csv = prices(tmp_path, momentum(90))
    trained(csv)
    before = current(tmp_path)
    wild = {"training.lr": "1e6", "training.optimizer": "sgd", "training.clip_norm": "null"}
    with pytest.raises(Diverged) as caught:
        trained(csv, {**wild, "training.epochs": "20"})
    assert (caught.value.id, caught.value.code) == ("train.diverged", 14)
    # which of the two is the first one depends on where an LSTM's kernel overflows
    assert caught.value.message.startswith(
        ("the loss is not finite at ep", "the gradient is not finite at ep")
    )
    assert ", step " in caught.value.message
    assert "gradient norm: " in caught.value.details[0]
    assert caught.value.details[0].endswith("learning rate: 1e+06")
    assert caught.value.hint == (
        "try a smaller learning rate (--set training.lr=100000) or training.clip_norm: 1.0"
    )
    assert current(tmp_path) == before
    statuses = [path.read_text() for path in (tmp_path / "runs" / "a").glob("*/status.json")]
    assert sum('"failed"' in text and "14" in text for text in statuses) == 1


def test_row_23_where_clipping_keeps_a_rate_of_a_million_finite_the_untouched_model_wins(
    tmp_path: Path,
) -> None:
    result = trained(prices(tmp_path, momentum(90)), {"training.lr": "1e6"})
    assert result.judged.test.forecast.tolist() == result.judged.test.baselines["naive"].tolist()
    assert '"best_epoch": 0' in (result.run.path / "metrics.json").read_text()


def test_row_24_validation_that_is_never_finite_makes_no_run_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = prices(tmp_path, momentum(90))
    trained(csv)
    before = current(tmp_path)
    monkeypatch.setattr(objective, "validation_score", lambda *_: Score(NAN, NAN))
    with pytest.raises(Diverged) as caught:
        trained(csv)
    assert caught.value.code == 14
    assert current(tmp_path) == before


def test_row_28_a_split_without_windows_is_refused(tmp_path: Path) -> None:
    csv = prices(tmp_path, momentum(60))
    with pytest.raises(DataInvalid) as caught:
        trained(csv, {"split.validation": f"'{days(60)[58]}'", "split.test": f"'{days(60)[59]}'"})
    assert (caught.value.id, caught.value.code) == ("split.empty", 11)
    assert caught.value.message == "the validation split has no window with an observed target"
    assert caught.value.details == (
        "windows: {'train': 49, 'validation': 0, 'test': 0}, lookback 8, horizon 2",
    )


@pytest.mark.parametrize("test", ["2023-06-01", "2024-01-01"])
def test_row_28_a_test_date_before_all_rows_is_refused(test: str, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        trained(prices(tmp_path, momentum(60)), {"split.test": f"'{test}'"})
    assert caught.value.id == "split.empty"
    assert caught.value.message == "the train split has no window with an observed target"


def test_row_28_a_validation_split_whose_cells_were_all_filled_is_refused(tmp_path: Path) -> None:
    values = momentum(60)
    values[48:54] = NAN
    with pytest.raises(DataInvalid) as caught:
        trained(prices(tmp_path, values), {"data.missing": "ffill"})
    assert caught.value.message == "the validation split has no window with an observed target"


def test_row_28_a_last_batch_of_one_window_trains_like_any_other(tmp_path: Path) -> None:
    csv = prices(tmp_path, momentum(90))
    changes = {**KEEP_LAST, "window.stride": "1", "model.layer_norm": "true"}
    plan = pipeline.plan(job(csv, changes), runs_dir=tmp_path / "runs")
    count = len(plan.prepared.train)
    one_left = trained(csv, {**changes, "training.batch_size": str(count - 1)})
    together = trained(csv, {**changes, "training.batch_size": str(count)})
    check_metrics(one_left.verdict)
    assert files(one_left)["model.safetensors"] != files(together)["model.safetensors"]


def test_row_28_max_time_ends_a_training_with_a_complete_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 100 * 3600, 3600))
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(hours))))
    csv = prices(tmp_path, momentum(90))
    result = trained(csv, {"training.epochs": "50", "training.max_time": "90m"})
    assert result.current
    metrics = (result.run.path / "metrics.json").read_text()
    assert '"max_time"' in metrics
    assert '"epochs": 1' in metrics
