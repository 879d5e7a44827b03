"""Series that a run has never seen: what they are forecast with, and what is said of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.dated import Forecast
from lstm_forecast.errors import DataInvalid
from lstm_forecast.events import Events
from lstm_forecast.opening import Opened, opened
from tests.training.jobs import days, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS, LOOKBACK = 120, 8
SHOPS = {"data.series_id": "id", "data.season": "1", "forecast.intervals.scale": "none"}


def shops(path: Path, series: dict[str, Floats], *, end: int = ROWS) -> Path:
    """A long file; all series end on one day."""
    columns = {
        "date": [day for values in series.values() for day in days(end)[end - len(values) :]],
        "id": [name for name, values in series.items() for _ in values],
        "v": np.concatenate(list(series.values())),
    }
    return write_csv(path, columns)


KNOWN = {name: momentum(ROWS, seed=seed) for seed, name in enumerate(("apple", "pear", "plum"))}
NEW = 3 * momentum(ROWS, seed=9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A run of three series."""
    folder = tmp_path_factory.mktemp("cold")
    return opened(trained(shops(folder / "fruit.csv", KNOWN), {**SHOPS, "training.lr": "0.05"}).run)


def predicted(run: Opened, file: Path, *, events: Events | None = None, **asked: str) -> Forecast:
    return pipeline.predict(run.run.path, data=str(file), events=events, **asked)  # type: ignore[arg-type]


def values(forecast: Forecast, name: str) -> list[float]:
    return [row.forecast for row in forecast.rows if row.series == name]


def warnings(run: Opened, file: Path) -> dict[str, str]:
    events = Events()
    predicted(run, file, events=events)
    return dict(events.warnings)


def test_the_network_forecasts_it_in_units_of_all_its_own_rows(run: Opened, tmp_path: Path) -> None:
    """By hand: differences over their deviation go in, the last value plus the answer in it comes out."""
    forecast = predicted(run, shops(tmp_path / "new.csv", {"quince": NEW}))
    unit = np.std(np.diff(NEW))
    steps = np.diff(NEW[-LOOKBACK:], prepend=NEW[-LOOKBACK]) / unit
    with torch.inference_mode():
        answer = run.forecaster.networks[0].final(torch.tensor(steps[None, :, None], dtype=torch.float32))
    assert np.any(np.abs(answer.numpy()) > 1e-3)
    expected = NEW[-1] + answer.numpy()[0].astype(np.float64) * unit
    np.testing.assert_allclose(values(forecast, "quince"), expected, rtol=1e-7)
    assert {(row.series, row.source) for row in forecast.rows} == {("quince", "model")}
    assert [row.time for row in forecast.rows] == days(ROWS + 2)[ROWS:]


def test_its_bounds_are_the_scores_of_all_series_in_its_own_unit(run: Opened, tmp_path: Path) -> None:
    forecast = predicted(run, shops(tmp_path / "new.csv", {"quince": NEW}))
    unit = np.abs(np.diff(NEW)).mean()  # the MASE scale of season 1
    for row in forecast.rows:
        scores = np.sort(run.scores["scores"][:, row.step - 1, 0])
        scores = scores[~np.isnan(scores)]
        for level, (low, high) in zip((80, 95), row.bounds, strict=True):
            width = scores[math.ceil((len(scores) + 1) * level / 100) - 1] * unit
            assert high == pytest.approx(row.forecast + width, rel=1e-9)
            assert low == pytest.approx(max(row.forecast - width, 0), rel=1e-9)


def test_1024_times_the_values_are_1024_times_the_forecast(run: Opened, tmp_path: Path) -> None:
    forecast = predicted(run, shops(tmp_path / "new.csv", {"a": NEW, "b": 1024 * NEW, "c": NEW / 2**20}))
    for name, factor in (("b", 1024), ("c", 2**-20)):
        assert values(forecast, name) == [factor * value for value in values(forecast, "a")]
    ends = {row.series: row.bounds for row in forecast.rows if row.step == 1}
    np.testing.assert_allclose(np.array(ends["b"]), 1024 * np.array(ends["a"]), rtol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {"model.normalize": "none", "model.anchor": "none", "scaling.method": "standard"},
        {"model.normalize": "last"},
        {"model.normalize": "mean_std", "model.anchor": "none"},
        {"data.transform": "log"},
        {"data.transform": "diff", "model.normalize": "none", "model.anchor": "none"},
        {"model.head": "quantile", "forecast.intervals.method": "quantile"},
        {"training.refit": "full", "training.ensemble": "2"},
    ],
    ids=lambda changes: " ".join(changes.values()),
)
def test_every_kind_of_unit_is_fitted(changes: dict[str, str], tmp_path: Path) -> None:
    """A known series under another name, cut where training ended, is forecast as the run would do it."""
    chosen = opened(trained(shops(tmp_path / "fruit.csv", KNOWN), {**SHOPS, **changes}).run)
    border = ROWS if "training.refit" in changes else chosen_end(chosen)
    cut = {name: series[:border] for name, series in KNOWN.items()}
    known = predicted(chosen, shops(tmp_path / "cut.csv", cut, end=border))
    renamed = {f"new {name}": series for name, series in cut.items()}
    new = predicted(chosen, shops(tmp_path / "new.csv", renamed, end=border))
    for name in KNOWN:
        assert values(new, f"new {name}") == values(known, name)


def chosen_end(run: Opened) -> int:
    """Rows of each series that the units were fitted on."""
    last = run.context.times[run.splits.train_end[0] - 1] if run.splits.train_end[0] else None
    first = run.context.times[0]
    day = 86_400_000_000
    start = np.datetime64(days(1)[0], "us").astype(np.int64)
    return int(((last + day if last is not None else first) - start) // day)


def test_one_scale_for_all_is_also_that_of_a_new_series_and_another_level_is_warned_of(
    tmp_path: Path,
) -> None:
    changes = {"scaling.per": "global", "scaling.method": "standard", "model.normalize": "none"}
    chosen = opened(
        trained(shops(tmp_path / "fruit.csv", KNOWN), {**SHOPS, **changes, "model.anchor": "none"}).run
    )
    end = chosen_end(chosen)
    pooled = np.concatenate([series[:end] for series in KNOWN.values()])
    new = KNOWN["pear"] + 1.0
    forecast = predicted(chosen, shops(tmp_path / "new.csv", {"new": new}))
    inputs = (new[-LOOKBACK:] - pooled.mean()) / pooled.std()
    with torch.inference_mode():
        answer = chosen.forecaster.networks[0].final(torch.tensor(inputs[None, :, None], dtype=torch.float32))
    expected = pooled.mean() + answer.numpy()[0].astype(np.float64) * pooled.std()
    np.testing.assert_allclose(values(forecast, "new"), expected, rtol=1e-6)
    said = warnings(chosen, shops(tmp_path / "far.csv", {"far": 100 * NEW}))
    assert said["predict.new_series"].endswith("; forecast all the same, in the units of all series")
    assert said["predict.out_of_range"].startswith("1e+02 % of what the network receives lies outside")


def test_known_series_are_forecast_to_the_bit_as_without_it(run: Opened, tmp_path: Path) -> None:
    alone = predicted(run, shops(tmp_path / "known.csv", KNOWN))
    both = predicted(run, shops(tmp_path / "both.csv", {"fig": NEW, **KNOWN, "kiwi": NEW[-30:]}))
    new = predicted(run, shops(tmp_path / "new.csv", {"fig": NEW, "kiwi": NEW[-30:]}))
    assert (
        both.rows == alone.rows + new.rows
    )  # the run's own first, then the others as they stand in the file
    assert predicted(run, tmp_path / "both.csv", series="fig").rows == new.rows[:2]


def test_it_is_named_with_the_nearest_known_one(run: Opened, tmp_path: Path) -> None:
    file = shops(tmp_path / "new.csv", {"Aple": NEW, "pear": KNOWN["pear"], "xyz": NEW})
    said = warnings(run, file)
    assert said["predict.new_series"] == (
        "2 series not seen in training: Aple (nearest known: apple), xyz; forecast all the same, in units of"
        " their own rows"
    )
    many = {f"shop {n:02}": NEW for n in range(7)}
    assert (
        "7 series not seen in training: shop 00, shop 01, shop 02, shop 03, shop 04, …;"
        in (warnings(run, shops(tmp_path / "many.csv", many))["predict.new_series"])
    )
    events = Events()
    predicted(run, file, events=events, series="pear")
    assert "predict.new_series" not in dict(events.warnings)


def test_one_that_is_too_short_gets_the_baseline_also_where_it_is_alone(run: Opened, tmp_path: Path) -> None:
    short = NEW[: LOOKBACK - 1]
    for series in ({"fig": short}, {"fig": short, "pear": KNOWN["pear"]}, {"fig": short[:1]}):
        file = shops(tmp_path / "new.csv", series)
        forecast = predicted(run, file)
        mine = [row for row in forecast.rows if row.series == "fig"]
        assert {row.source for row in mine} == {run.metrics["baseline"]}
        assert all(bound == (None, None) for row in mine for bound in row.bounds)
        assert (
            "1 series with fewer than 8 rows, or none to train on: fig"
            in warnings(run, file)["predict.too_short"]
        )


def test_one_that_never_moves_keeps_its_value_and_has_no_bounds(run: Opened, tmp_path: Path) -> None:
    file = shops(tmp_path / "new.csv", {"fig": np.full(30, 1e-3), "kiwi": NEW})
    forecast = predicted(run, file)
    assert values(forecast, "fig") == [1e-3, 1e-3]
    bounds = {row.series: row.bounds[0] for row in forecast.rows}
    assert bounds["fig"] == (None, None) != bounds["kiwi"]
    assert warnings(run, file)["intervals.uncalibrated"] == "no bounds where the values never change: fig"


def test_behind_a_closed_gate_it_gets_the_baseline_with_bounds(tmp_path: Path) -> None:
    changes = {"evaluation.gate": "baseline", "training.lr": "0.000001", "training.epochs": "1"}
    level = {"model.normalize": "none", "model.anchor": "none"}
    baselines = {"evaluation.baselines": "[naive]", "forecast.intervals.levels": "[50]"}
    chosen = opened(
        trained(shops(tmp_path / "fruit.csv", KNOWN), {**SHOPS, **changes, **level, **baselines}).run
    )
    assert chosen.issued == "naive"
    forecast = predicted(chosen, shops(tmp_path / "new.csv", {"fig": NEW, "one": NEW[:1]}))
    unit = np.abs(np.diff(NEW)).mean()
    scores = np.sort(chosen.scores["scores"][:, 0, 0])
    width = scores[math.ceil((len(scores) + 1) / 2) - 1] * unit
    first = next(row for row in forecast.rows if row.series == "fig")
    assert (first.forecast, first.source) == (NEW[-1], "naive")
    assert first.bounds[0][1] == pytest.approx(NEW[-1] + width, rel=1e-9)
    assert values(forecast, "one") == [NEW[0]] * 2
    assert all(row.bounds == ((None, None),) for row in forecast.rows if row.series == "one")


def test_a_known_series_that_came_too_late_to_train_on_is_forecast_by_the_network_too(tmp_path: Path) -> None:
    late = {**KNOWN, "late": NEW[-10:]}  # of the last twelve days, which are the test
    chosen = opened(trained(shops(tmp_path / "fruit.csv", late), SHOPS).run)
    assert chosen.preprocess.scaling.trained.tolist() == [True, True, True, False]
    forecast = predicted(chosen, tmp_path / "fruit.csv")
    alone = predicted(chosen, shops(tmp_path / "new.csv", {"new": NEW[-10:]}))
    assert values(forecast, "late") == values(alone, "new")
    assert {row.source for row in forecast.rows} == {"model"}
    said = warnings(chosen, tmp_path / "fruit.csv")
    assert said["predict.untrained"] == (
        "1 series without rows to train on: late; forecast all the same, in units of their newer rows"
    )


def test_a_run_of_one_series_refuses_another(tmp_path: Path) -> None:
    """It learned nothing that holds for others; the file is likely not the one that was meant."""
    chosen = opened(trained(shops(tmp_path / "one.csv", {"apple": KNOWN["apple"]}), SHOPS).run)
    for series in ({"pear": NEW}, {"apple": NEW, "pear": NEW}):
        with pytest.raises(DataInvalid) as caught:
            predicted(chosen, shops(tmp_path / "other.csv", series))
        assert (caught.value.id, caught.value.message) == (
            "predict.unknown_series",
            "series not seen in training: pear",
        )
        assert caught.value.details == ("the run was trained on one series, apple, and forecasts no other",)
        assert caught.value.hint == "if it is the same series, give it that name; else train on both"
    plain = write_csv(tmp_path / "plain.csv", {"date": days(ROWS), "id": ["apple"] * ROWS, "v": NEW})
    assert {row.series for row in predicted(chosen, plain).rows} == {"apple"}


def test_a_run_too_short_for_a_network_gives_its_baseline(tmp_path: Path) -> None:
    brief = {name: series[:7] for name, series in KNOWN.items()}
    file = shops(tmp_path / "fruit.csv", brief, end=7)
    from lstm_forecast.config import load_config

    loaded = load_config(
        None, sets=["data.series_id=id", "run.plots=false"], base={"data.path": str(file)}, environ={}
    )
    chosen = opened(pipeline.train(loaded, runs_dir=tmp_path / "runs").run)
    assert not chosen.trained
    forecast = predicted(chosen, shops(tmp_path / "new.csv", {"fig": NEW[:7]}, end=7))
    assert {(row.series, row.source) for row in forecast.rows} == {("fig", chosen.issued)}
