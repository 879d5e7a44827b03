"""A file too short for a network gets the best baseline's forecast, with intervals, and is told so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.config import load_config
from lstm_forecast.errors import DataInvalid, UsageError
from lstm_forecast.evaluating import Backtest
from lstm_forecast.events import Events
from lstm_forecast.opening import opened
from tests.conftest import Cli
from tests.training.jobs import days, write_csv

Floats = NDArray[np.float64]
SENTENCE = (
    "No network was trained: need at least 96 rows, got 36; --horizon 7 --lookback 8 would train."
    " The forecast is the seasonal naive one."
)
NAMES = ("naive", "seasonal_naive", "drift", "mean")


def months(count: int) -> list[str]:
    return [f"{2020 + n // 12}-{n % 12 + 1:02d}-01" for n in range(count)]


def yearly(count: int = 36) -> Floats:
    """A year's wave with some noise."""
    return 100 + 20 * np.sin(np.arange(count) * np.pi / 6) + np.random.default_rng(0).normal(size=count)


def monthly(path: Path, values: Floats, shops: Sequence[str] = ()) -> Path:
    columns: dict[str, Sequence[str] | Floats] = {"month": months(len(values))}
    if shops:
        first = [shops.index(shop) for shop in shops]
        columns = {"month": [months(60)[n - begin] for n, begin in enumerate(first)], "shop": shops}
    return write_csv(path, {**columns, "sales": values})


def bare(csv: Path, changes: Mapping[str, str] = {}, *, events: Events | None = None) -> pipeline.TrainResult:
    """A training of a CSV without a configuration, as ``train FILE.csv`` does it."""
    sets = [f"{key}={value}" for key, value in {"run.plots": "false", **changes}.items()]
    loaded = load_config(None, sets=sets, base={"data.path": str(csv)}, environ={})
    return pipeline.train(loaded, runs_dir=csv.parent / "runs", events=events)


def forecasts(values: Floats, season: int, horizon: int) -> dict[str, Floats]:
    """The four simple forecasts after these values, [H] each."""
    steps, count = np.arange(1, horizon + 1), len(values)
    phase = [
        values[count - season + (step - 1) % season] if count >= season else values[-1] for step in steps
    ]
    slope = (values[-1] - values[0]) / max(count - 1, 1)
    return {
        "naive": np.full(horizon, values[-1]),
        "seasonal_naive": np.array(phase),
        "drift": values[-1] + slope * steps,
        "mean": np.full(horizon, values.mean()),
    }


def movement(values: Floats, floor: float) -> float:
    """The mean change of the last rows, half as heavy every 20 rows."""
    changes = np.abs(np.diff(values))[::-1]
    if not len(changes):
        return floor
    weights = 2.0 ** (-np.arange(len(changes)) / 20)
    return max(float((weights * changes).sum() / weights.sum()), floor / 10)


def expected(values: Floats, season: int, horizon: int, level: int) -> tuple[str, Floats, Floats]:
    """The best forecast, its values and its margins, from every cutoff of the later half: a slow loop."""
    count = len(values)
    cuts = range(max(count // 2, 1), count)  # rows known at each
    seen = {cut: forecasts(values[:cut], season, horizon) for cut in cuts}
    missed = {
        name: [
            abs(values[cut + k] - seen[cut][name][k])
            for cut in cuts
            for k in range(min(horizon, count - cut))
        ]
        for name in NAMES
    }
    best = min(NAMES, key=lambda name: sum(missed[name]) / len(missed[name]))
    floor = float(np.abs(values[season:] - values[:-season]).mean()) or 1.0
    margins = np.full(horizon, np.nan)
    for k in range(horizon):
        scores = sorted(
            abs(values[cut + k] - seen[cut][best][k]) / movement(values[:cut], floor)
            for cut in cuts
            if cut + k < count
        )
        rank = math.ceil((len(scores) + 1) * level / 100)
        if rank <= len(scores):
            margins[k] = scores[rank - 1] * movement(values, floor)
    return best, forecasts(values, season, horizon)[best], margins


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> pipeline.TrainResult:
    """The run of 36 monthly rows."""
    return bare(monthly(tmp_path_factory.mktemp("short") / "m.csv", yearly()))


def test_the_run_has_no_verdict_and_says_why(short: pipeline.TrainResult) -> None:
    assert (short.verdict.word, short.verdict.baseline) == (None, "seasonal_naive")
    assert short.verdict.sentence == SENTENCE
    assert (short.current, short.failed, short.refitted) == (True, False, False)
    metrics = json.loads((short.run.path / "metrics.json").read_text())
    assert (metrics["verdict"], metrics["network"], metrics["metrics"]) == (None, False, {})
    assert (metrics["stopped"], metrics["epochs"]) == ("too_short", 0)
    assert not opened(short.run).trained


def test_the_forecast_and_its_intervals_are_those_of_a_slow_loop(short: pipeline.TrainResult) -> None:
    best, point, margins = expected(yearly(), 12, 12, 80)
    assert best == "seasonal_naive"
    forecast = pipeline.predict(short.run.path)
    assert [row.source for row in forecast.rows] == ["seasonal_naive"] * 12
    assert [row.forecast for row in forecast.rows] == point.tolist()
    assert [row.time for row in forecast.rows] == months(48)[36:]
    assert [interval.level for interval in forecast.intervals] == [80]  # 18 cutoffs: too few for 95 %
    assert forecast.intervals[0].windows == 18
    for row, middle, margin in zip(forecast.rows, point, margins, strict=True):
        assert row.bounds == (pytest.approx((middle - margin, middle + margin), rel=1e-12),)


@pytest.mark.parametrize(
    ("name", "values", "season"),
    [
        ("mean", 50 + np.random.default_rng(1).normal(size=30), 1),
        ("drift", 100.0 + np.arange(30) ** 1.01, 1),
        ("naive", np.repeat([10.0, 20], [8, 16]) + np.random.default_rng(5).normal(size=24) / 99, 1),
        ("seasonal_naive", np.tile([1.0, 5, 2, 8, 3], 6) + np.random.default_rng(3).normal(size=30) / 9, 5),
    ],
)
def test_the_best_on_the_later_rows_forecasts(name: str, values: Floats, season: int, tmp_path: Path) -> None:
    changes = {"data.season": str(season), "forecast.minimum": "null"}
    result = bare(monthly(tmp_path / "m.csv", values), changes)
    best, point, margins = expected(values, season, 12, 80)
    assert (best, result.verdict.baseline) == (name, name)
    for place, row in enumerate(pipeline.predict(result.run.path).rows):
        assert row.forecast == pytest.approx(point[place], rel=1e-12)
        if np.isnan(margins[place]):
            assert row.bounds == ((None, None),)
        else:
            ends = (point[place] - margins[place], point[place] + margins[place])
            assert row.bounds == (pytest.approx(ends, rel=1e-9),)


def test_only_the_named_baselines_take_part(tmp_path: Path) -> None:
    said: list[str] = []
    events = Events([lambda event: said.extend(event.fields.get("lines", []))])  # type: ignore[arg-type]
    changes = {"evaluation.baselines": "[mean, naive, theta]"}
    result = bare(monthly(tmp_path / "m.csv", yearly()), changes, events=events)
    assert result.verdict.baseline == "mean"
    assert "forecast: the mean one, the best of 2 on the later rows" in said


@pytest.mark.parametrize("count", [50, 120])
def test_newer_rows_are_continued_however_many_they_are(
    count: int, short: pipeline.TrainResult, tmp_path: Path
) -> None:
    """120 rows would fill the lookback: the network is there, but nobody trained it."""
    values = yearly(count)
    events = Events()
    forecast = pipeline.predict(short.run.path, data=str(monthly(tmp_path / "n.csv", values)), events=events)
    assert [row.forecast for row in forecast.rows] == values[-12:].tolist()
    assert [row.time for row in forecast.rows] == months(count + 12)[count:]
    assert {row.source for row in forecast.rows} == {"seasonal_naive"}
    assert events.warnings == []
    _, _, margins = expected(yearly(), 12, 12, 80)
    floor = float(np.abs(yearly()[12:] - yearly()[:-12]).mean())
    wider = movement(values, floor) / movement(
        yearly(), floor
    )  # the unit is of now, the scores are the run's
    for row, margin in zip(forecast.rows, margins, strict=True):
        assert row.bounds == (
            pytest.approx((row.forecast - margin * wider, row.forecast + margin * wider), rel=1e-12),
        )


def test_only_the_forecast_can_be_drawn_and_nothing_be_evaluated(short: pipeline.TrainResult) -> None:
    assert pipeline.plot(short.run.path).startswith(b"\x89PNG")
    for kind in ("test", "loss", "error", "residuals", "backtest", "gates"):
        with pytest.raises(UsageError) as caught:
            pipeline.plot(short.run.path, kind)  # type: ignore[arg-type]
        assert (caught.value.id, caught.value.message) == ("plot.no_network", SENTENCE)
        assert (caught.value.where, caught.value.hint) == (f"--kind {kind}", "--kind forecast")
    with pytest.raises(UsageError) as refused:
        pipeline.evaluate(short.run.path, backtest=Backtest(None, 1, None))
    assert (refused.value.id, refused.value.code) == ("evaluate.no_network", 2)
    assert SENTENCE in str(refused.value)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 2.0, 5.0]])
def test_two_rows_are_enough(values: list[float], tmp_path: Path) -> None:
    events = Events()
    csv = write_csv(tmp_path / "d.csv", {"date": days(len(values)), "value": np.array(values)})
    result = bare(csv, events=events)
    assert [id for id, _ in events.warnings] == ["data.too_short", "intervals.level"]
    rows = pipeline.predict(result.run.path).rows
    line = [values[-1] + (values[-1] - values[0]) / 2 * step for step in range(1, 8)]
    assert [row.forecast for row in rows] == ([2.0] * 7 if len(values) == 2 else line)
    assert {row.bounds for row in rows} == {()}


def test_one_row_is_too_few(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "d.csv", {"date": days(1), "value": np.array([1.0])})
    for changes in ({}, {"data.frequency": "D"}, {"data.gaps": "keep"}):
        with pytest.raises(DataInvalid):
            bare(csv, changes)
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]


def test_a_lookback_that_was_asked_for_is_not_given_up(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        bare(monthly(tmp_path / "m.csv", yearly()), {"window.lookback": "30"})
    assert (caught.value.id, caught.value.code) == ("data.too_short", 11)
    assert caught.value.message == "need at least 66 rows, got 36"  # 30 + 12 + 12 + 12


def test_a_lookback_that_would_train_is_named(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "v.csv", {"value": yearly(10)})
    sentence = bare(csv).verdict.sentence
    assert "; --lookback 4 would train." in sentence  # 8 rows to train on: 4 windows of 4 steps and 1 ahead
    assert bare(csv, {"window.lookback": "7", "training.epochs": "1"}).verdict.word == "ties"
    with pytest.raises(DataInvalid):
        bare(csv, {"window.lookback": "8"})


def test_a_series_that_stands_still_is_forecast_as_itself(tmp_path: Path) -> None:
    result = bare(monthly(tmp_path / "m.csv", np.full(12, 5.0)))
    rows = pipeline.predict(result.run.path).rows
    assert {row.forecast for row in rows} == {5.0}
    assert [row.bounds for row in rows[:3]] == [((5.0, 5.0),)] * 3  # 6, 5, 4 cutoffs are enough for 80 %
    assert [row.bounds for row in rows[3:]] == [((None, None),)] * 9


def test_a_panel_of_short_series_gets_one_rule_for_all(tmp_path: Path) -> None:
    values = np.concatenate([yearly(20), 2 * yearly(10), [7.0]])
    csv = monthly(tmp_path / "m.csv", values, ["a"] * 20 + ["b"] * 10 + ["c"])
    result = bare(csv, {"data.series_id": "shop"})
    assert result.verdict.baseline == "mean"
    rows = pipeline.predict(result.run.path).rows
    assert [row.series for row in rows] == ["a"] * 12 + ["b"] * 12 + ["c"] * 12
    means = {row.series: row.forecast for row in rows}
    assert means == pytest.approx({"a": yearly(20).mean(), "b": 2 * yearly(10).mean(), "c": 7.0})
    assert pipeline.plot(result.run.path, series="b").startswith(b"\x89PNG")
    scores = opened(result.run).calibration
    assert scores is not None
    assert scores.windows()[0] == 15  # 10 of a, 5 of b
    assert scores.series.tolist() == [0] * 10 + [1] * 5


@pytest.mark.parametrize(
    "changes",
    [
        {"training.ensemble": "2"},
        {"training.ensemble": "3", "training.refit": "full", "model.head": "quantile"},
        {"model.cell": "rnn", "model.bidirectional": "true", "model.supervision": "last"},
        {"data.transform": "log"},
        {"data.missing": "interpolate"},
        {"training.tensorboard": "true"},
    ],
)
def test_no_setting_of_the_network_that_was_not_trained_matters(
    changes: dict[str, str], short: pipeline.TrainResult, tmp_path: Path
) -> None:
    result = bare(monthly(tmp_path / "m.csv", yearly()), changes)
    usual, found = pipeline.predict(short.run.path), pipeline.predict(result.run.path)
    assert [(row.forecast, row.bounds) for row in found.rows] == [(r.forecast, r.bounds) for r in usual.rows]
    assert pipeline.plot(result.run.path).startswith(b"\x89PNG")


def test_intervals_reach_as_far_as_the_forecast(tmp_path: Path) -> None:
    changes = {"window.horizon": "3", "forecast.horizon": "6", "data.season": "12"}
    result = bare(monthly(tmp_path / "m.csv", yearly()), changes)
    best, point, margins = expected(yearly(), 12, 6, 80)
    rows = pipeline.predict(result.run.path).rows
    assert (best, len(rows)) == ("seasonal_naive", 6)
    for row, middle, margin in zip(rows, point, margins, strict=True):
        assert row.bounds == (pytest.approx((middle - margin, middle + margin), rel=1e-12),)


def test_without_intervals_there_are_none(tmp_path: Path) -> None:
    result = bare(monthly(tmp_path / "m.csv", yearly()), {"forecast.intervals.method": "none"})
    forecast = pipeline.predict(result.run.path)
    assert forecast.intervals == ()
    assert [row.forecast for row in forecast.rows] == yearly()[24:].tolist()


def test_the_lowest_value_holds_for_a_baseline_too(tmp_path: Path) -> None:
    result = bare(monthly(tmp_path / "m.csv", yearly()), {"forecast.minimum": "95"})
    rows = pipeline.predict(result.run.path).rows
    assert [row.forecast for row in rows] == np.maximum(yearly()[24:], 95).tolist()
    assert min(low for row in rows for low, _ in row.bounds if low is not None) == 95


def test_the_commands_say_it_and_exit_with_0(cli: Cli, tmp_path: Path) -> None:
    csv, runs = monthly(tmp_path / "sales.csv", yearly()), tmp_path / "runs"
    done = cli("train", csv, "--runs-dir", runs)
    assert done.code == 0
    assert f"Verdict: {SENTENCE}" in done.out
    assert "Next: lstm-forecast predict sales" in done.out
    assert "Test:" not in done.out
    assert "warning[data.too_short]: no network can be trained: need at least 96 rows, got 36" in done.err
    assert sorted(path.name for path in (runs / "sales").glob("*/plots/*")) == ["forecast.png"]
    document = json.loads(cli("train", csv, "--runs-dir", runs, "--json", "-q").out)
    assert (document["verdict"], document["skill"], document["p_value"]) == (None, None, None)
    assert (document["baseline"], document["sentence"]) == ("seasonal_naive", SENTENCE)
    assert document["test"] == {"windows": 0, "from": None, "to": None}
    forecast = cli("predict", "sales", "--runs-dir", runs)
    assert forecast.code == 0
    assert forecast.out.splitlines()[1].endswith(",seasonal_naive")
    assert SENTENCE in forecast.err
    assert cli("evaluate", "sales", "--runs-dir", runs).code == 2
    assert cli("plot", "sales", "--runs-dir", runs, "--kind", "error").code == 2
    assert cli("runs", "verify", "sales", "--runs-dir", runs).code == 0
    given = cli("train", csv, "--runs-dir", runs, "--lookback", "30")
    assert (given.code, given.out) == (11, "")


def test_check_and_a_dry_run_say_so_beforehand(cli: Cli, tmp_path: Path) -> None:
    csv = monthly(tmp_path / "sales.csv", yearly())
    checked = cli("check", csv, "--json")
    problem = json.loads(checked.out)["problems"][0]
    assert (checked.code, problem["id"]) == (19, "data.too_short")
    assert problem["message"] == "need at least 96 rows, got 36; train would give a baseline's forecast"
    dry = cli("train", csv, "--dry-run", "--runs-dir", tmp_path / "runs")
    assert dry.code == 0
    assert dry.out.startswith("Would train no network: need at least 96 rows, got 36; ")
    assert not (tmp_path / "runs").exists()
