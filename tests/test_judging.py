"""What held-out rows say: the verdict, the intervals, and a final fit that changes neither."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.config import load_config
from lstm_forecast.evaluation.held_out import cutoffs, hold_out
from lstm_forecast.events import Events
from lstm_forecast.judging import share
from lstm_forecast.opening import Opened, opened
from tests.training.jobs import days, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS, TRAIN, VALIDATION = 200, 150, 175  # rows; the first of validation, the first of the test
SPLIT = {"split.validation": "25", "split.test": "25", "training.lr": "0.01"}
KINDS: dict[str, dict[str, str]] = {
    "point": {},
    "ensemble": {"training.ensemble": "2"},
    "quantile": {"model.head": "quantile"},
    "log1p": {"data.transform": "log1p"},
    "plain units": {"forecast.intervals.scale": "none", "forecast.intervals.levels": "[50, 80]"},
}


def prices(folder: Path, *, rows: int = ROWS, seed: int = 0) -> Path:
    return write_csv(folder / "a.csv", {"date": days(rows), "v": momentum(rows, seed=seed)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[tuple[str, str], pipeline.TrainResult]:
    """Each kind of network with and without a final fit."""
    file = prices(folder)
    return {
        (kind, refit): trained(
            file, {**SPLIT, "training.patience": "null", **changes, "training.refit": refit}
        )
        for kind, changes in KINDS.items()
        for refit in ("none", "full")
    }


def metrics(result: pipeline.TrainResult) -> dict[str, object]:
    found: dict[str, object] = json.loads((result.run.path / "metrics.json").read_text())
    return found


def table(result: pipeline.TrainResult) -> list[dict[str, str]]:
    return list(csv.DictReader((result.run.path / "predictions" / "test.csv").read_text().splitlines()))


def column(rows: list[dict[str, str]], name: str) -> Floats:
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


@pytest.mark.parametrize("kind", KINDS)
def test_a_final_fit_leaves_verdict_and_intervals_as_they_are_bit_for_bit(
    kind: str, results: dict[tuple[str, str], pipeline.TrainResult]
) -> None:
    plain, again = results[kind, "none"], results[kind, "full"]
    assert (plain.refitted, again.refitted) == (False, True)
    one, other = metrics(plain), metrics(again)
    assert (one.pop("refitted"), other.pop("refitted")) == (False, True)
    assert one == other
    assert table(plain) == table(again)
    first, second = opened(plain.run), opened(again.run)
    assert {name: array.tobytes() for name, array in first.scores.items()} == {
        name: array.tobytes() for name, array in second.scores.items()
    }
    for mine, theirs in zip(first.tested.networks, second.tested.networks, strict=True):
        weights = zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in weights)


@pytest.mark.parametrize("kind", KINDS)
def test_predict_uses_the_networks_of_the_final_fit(
    kind: str, results: dict[tuple[str, str], pipeline.TrainResult]
) -> None:
    plain, again = (pipeline.predict(results[kind, refit].run.path) for refit in ("none", "full"))
    chosen = opened(results[kind, "full"].run)
    last = np.array([ROWS - 1])
    own = chosen.in_numpy.at(panel_of_run(chosen), last, np.array([0]), horizon=2).point[0]
    assert [row.forecast for row in again.rows] == own.tolist()
    tested = chosen.tested_in_numpy.at(panel_of_run(chosen), last, np.array([0]), horizon=2).point[0]
    assert [row.forecast for row in plain.rows] == tested.tolist()
    assert not np.isclose(own, tested, rtol=1e-6).any()
    assert chosen.forecaster.scaling.to_json() != chosen.tested.scaling.to_json()


def panel_of_run(chosen: Opened):  # type: ignore[no-untyped-def]
    """The kept rows: all there are, because the file is short."""
    assert len(chosen.context.times) == ROWS
    return chosen.context


@pytest.mark.parametrize("refit", ["none", "full"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_tested_networks_read_back_give_the_test_predictions_again_bit_for_bit(
    kind: str, refit: str, results: dict[tuple[str, str], pipeline.TrainResult]
) -> None:
    chosen, rows = opened(results[kind, refit].run), table(results[kind, refit])
    panel, ends = panel_of_run(chosen), np.array([ROWS])
    made_at, series = cutoffs(panel, np.array([VALIDATION]), ends - 1, least=8)
    assert made_at.tolist() == list(range(VALIDATION - 1, ROWS - 2))
    held = hold_out(chosen.tested, panel, made_at, series, end=ends, steps=2)
    assert column(rows, "forecast").tolist() == held.forecast.reshape(-1).tolist()
    assert column(rows, "actual").tolist() == held.actual.reshape(-1).tolist()
    assert column(rows, "naive").tolist() == np.repeat(held.last, 2).tolist()


def test_the_final_networks_did_see_the_test_rows(
    results: dict[tuple[str, str], pipeline.TrainResult],
) -> None:
    scaling = opened(results["point", "full"].run).preprocess
    assert scaling.held_out_scaling is not None
    values = momentum(ROWS)
    assert scaling.scaling.step_unit[0, 0] == pytest.approx(np.std(np.diff(values)), rel=1e-9)
    assert scaling.held_out_scaling.step_unit[0, 0] == pytest.approx(
        np.std(np.diff(values[:TRAIN])), rel=1e-9
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_calibrated_on_the_validation_rows_that_reach_it(
    kind: str, results: dict[tuple[str, str], pipeline.TrainResult]
) -> None:
    calibration = results[kind, "none"].judged.calibration
    assert calibration is not None
    assert calibration.windows().tolist() == list(range(25, 0, -1))


def test_the_scores_are_the_errors_of_validation_forecasts_made_by_a_slow_loop(
    results: dict[tuple[str, str], pipeline.TrainResult],
) -> None:
    """One forecast after the other, fed back beyond two steps; units without volatility."""
    chosen = opened(results["plain units", "none"].run)
    values = momentum(ROWS)
    season = chosen.preprocess.season
    unit = np.mean(np.abs(values[season:TRAIN] - values[: TRAIN - season]))
    expected = np.full((25, 25), np.nan)
    for place, row in enumerate(range(TRAIN - 1, VALIDATION - 1)):
        window = values[None, row - 7 : row + 1, None]
        forecast = chosen.tested.after(window, np.array([0]), horizon=25).point[0]
        known = values[row + 1 : VALIDATION]
        expected[place, : len(known)] = np.abs(forecast[: len(known)] - known) / unit
    assert chosen.calibration is not None
    np.testing.assert_allclose(chosen.calibration.scores[:, :, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_measured_coverage_is_that_of_the_bounds_in_the_table(
    kind: str, results: dict[tuple[str, str], pipeline.TrainResult]
) -> None:
    result, rows = results[kind, "none"], table(results[kind, "none"])
    document = metrics(result)["intervals"]
    assert isinstance(document, dict)
    levels = [50, 80] if kind == "plain units" else [80, 95]
    assert [level["level"] for level in document["levels"]] == levels
    actual = column(rows, "actual")
    for found, level in zip(document["levels"], levels, strict=True):
        low, high = column(rows, f"lo_{level}"), column(rows, f"hi_{level}")
        assert (low <= column(rows, "forecast")).all()
        assert (column(rows, "forecast") <= high).all()
        assert found["coverage"] == pytest.approx(((low <= actual) & (actual <= high)).mean())
        assert found["width"] == pytest.approx((high - low).mean())
    assert results[kind, "none"].judged.calibration is not None


def test_the_baseline_is_the_simple_one_that_was_best_on_validation(tmp_path: Path) -> None:
    """By a slow loop over the validation windows; on the test rows another one may be better."""
    chosen = set()
    noise = np.random.default_rng(4).normal(size=ROWS)
    trend = np.where(np.arange(ROWS) < VALIDATION, 2.0, -2.0).cumsum() + 0.1 * noise  # until the test rows
    for number, values in enumerate((trend, momentum(ROWS, seed=2), 10 + noise)):
        file = write_csv(tmp_path / f"{number}.csv", {"date": days(ROWS), "v": values})
        result = trained(file, {**SPLIT, "data.season": "7"})
        errors: dict[str, list[float]] = {name: [] for name in ("naive", "seasonal_naive", "drift", "mean")}
        for row in range(TRAIN - 1, VALIDATION - 2):
            for h in (1, 2):
                line = values[row] + h * (values[row] - values[0]) / row
                made = (values[row], values[row - 7 + h], line, values[: row + 1].mean())
                for name, forecast in zip(errors, made, strict=True):
                    errors[name].append(abs(forecast - values[row + h]))
        best = min(errors, key=lambda name: np.mean(errors[name]))
        assert result.verdict.baseline == best
        skill = 1 - result.verdict.metrics["model"]["mae"] / result.verdict.metrics[best]["mae"]
        assert result.verdict.skill == pytest.approx(skill)
        chosen.add(best)
    assert chosen == {"drift", "naive", "mean"}


def test_an_ensemble_has_a_spread_of_its_seeds_and_forecasts_their_mean(
    results: dict[tuple[str, str], pipeline.TrainResult],
) -> None:
    result = results["ensemble", "none"]
    test, seeds = result.judged.test, result.verdict.seeds
    assert seeds is not None
    np.testing.assert_allclose(np.mean(test.members, axis=0), test.forecast, rtol=1e-12)
    errors = [np.mean(np.abs(member - test.actual)) for member in test.members]
    assert seeds.count == 2
    assert seeds.mae_mean == pytest.approx(np.mean(errors))
    assert seeds.mae_sd == pytest.approx(np.std(errors, ddof=1))
    document = metrics(result)["seeds"]
    assert isinstance(document, dict)
    assert document["count"] == 2
    assert results["point", "none"].verdict.seeds is None
    weights = opened(result.run).forecaster.networks[0].state_dict()
    alone = opened(results["point", "none"].run).forecaster.networks[0].state_dict()
    assert all(weights[name].numpy().tobytes() == alone[name].numpy().tobytes() for name in alone)


def test_a_quantile_head_that_learned_nothing_forecasts_the_last_value_with_intervals(tmp_path: Path) -> None:
    """Epoch 0: all its quantiles are one value, and the calibration gives them their width."""
    result = trained(prices(tmp_path), {**SPLIT, "model.head": "quantile", "training.lr": "1e6"})
    assert metrics(result)["best_epoch"] == 0
    test = result.judged.test
    assert np.array_equal(test.forecast, test.baselines["naive"])
    assert test.quantiles is not None
    assert np.array_equal(test.quantiles, np.repeat(test.forecast[:, :, None], 5, axis=2))
    for low, high in result.judged.bounds.values():
        assert (low < test.forecast).all()
        assert (test.forecast < high).all()


def test_without_intervals_nothing_is_calibrated(tmp_path: Path) -> None:
    result = trained(prices(tmp_path), {**SPLIT, "forecast.intervals.method": "none"})
    assert result.judged.calibration is None
    assert result.judged.bounds == {}
    assert metrics(result)["calibration"] is None
    assert metrics(result)["intervals"] == {"levels": [], "crps": None}
    assert "lo_80" not in table(result)[0]
    assert [row.bounds for row in pipeline.predict(result.run.path).rows] == [(), ()]


def test_without_a_test_split_there_is_no_verdict_and_the_intervals_are_untested(tmp_path: Path) -> None:
    result = trained(prices(tmp_path), {**SPLIT, "split.test": "0"})
    assert (result.verdict.word, result.failed, len(result.judged.test)) == (None, False, 0)
    forecast = pipeline.predict(result.run.path)
    assert [interval.coverage for interval in forecast.intervals] == [None, None]
    assert [interval.windows for interval in forecast.intervals] == [25, 25]
    assert all(low is not None and low < row.forecast for row in forecast.rows for low, _ in row.bounds)


def test_intervals_reach_as_far_as_forecast_horizon_asks_and_validation_has_rows(tmp_path: Path) -> None:
    file = prices(tmp_path)
    for changes, steps in (
        ({"split.validation": "40"}, 30),
        ({"split.validation": "40", "forecast.horizon": "35"}, 35),
        ({"split.validation": "40", "forecast.horizon": "60"}, 40),
        ({"split.validation": "40", "window.horizon": "3"}, 30),
    ):
        calibration = trained(file, {**SPLIT, **changes}).judged.calibration
        assert calibration is not None
        assert calibration.scores.shape[1] == steps


def test_what_the_test_showed_the_network_for_the_first_time_is_said(tmp_path: Path) -> None:
    """Twice the moves: counted by a slow loop over the windows of the test."""
    steps = np.diff(momentum(ROWS), prepend=500.0)
    steps[VALIDATION:] *= 3
    values = 500 + steps.cumsum()
    events = Events()
    trained(write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": values}), SPLIT, events=events)
    known = np.diff(values[:TRAIN])
    outside = 0
    for row in range(VALIDATION - 1, ROWS - 2):
        seen = np.diff(values[row - 7 : row + 1])
        outside += int(((seen < known.min()) | (seen > known.max())).sum())
    assert outside > 0
    whole = (ROWS - 1 - VALIDATION) * 8
    said = (
        f"{share(outside, whole)} of what the network received for the test lay outside the range it was"
        " trained on"
    )
    assert ("test.out_of_range", said) in events.warnings


def test_a_share_is_never_rounded_to_nothing() -> None:
    assert [share(0, 9), share(1, 10**6), share(1, 1000), share(1, 3), share(5, 5)] == [
        "0.0 %",
        "less than 0.1 %",
        "0.1 %",
        "33.3 %",
        "100.0 %",
    ]


# A model that is worse than what costs nothing.

BAD = {**SPLIT, "model.anchor": "none", "training.epochs": "1", "training.lr": "1e-6"}


def statuses(folder: Path) -> dict[str, dict[str, object]]:
    return {
        path.parent.name: json.loads(path.read_text())
        for path in (folder / "runs" / "a").glob("*/status.json")
    }


@pytest.mark.parametrize(
    ("changes", "exit_code", "promoted"),
    [
        ({}, 0, True),
        ({"run.promote": "if_better"}, 0, False),
        ({"evaluation.fail_if_worse": "true"}, 20, False),
        ({"evaluation.fail_if_worse": "true", "run.promote": "if_better"}, 20, False),
    ],
    ids=["always", "if_better", "fail", "both"],
)
def test_a_worse_model_is_kept_and_only_promoted_where_nobody_minds(
    changes: dict[str, str], exit_code: int, promoted: bool, tmp_path: Path
) -> None:
    file = prices(tmp_path)
    good = trained(file, SPLIT)
    assert not good.verdict.worse
    events = Events()
    bad = trained(file, {**BAD, **changes}, events=events)
    assert (bad.verdict.word, bad.verdict.worse) == ("loses", True)
    assert "do not use" in bad.verdict.sentence
    assert (bad.failed, bad.current, good.run.current) == (exit_code == 20, promoted, not promoted)
    current = bad if promoted else good
    assert (tmp_path / "runs" / "a" / "CURRENT").read_text() == f"{current.run.id}\n"
    found = statuses(tmp_path)
    assert (found[good.run.id]["status"], found[good.run.id]["exit_code"]) == ("complete", 0)
    assert (found[bad.run.id]["status"], found[bad.run.id]["exit_code"]) == ("complete", exit_code)
    warned = [message for id, message in events.warnings if id == "run.not_promoted"]
    baseline = bad.verdict.baseline.replace("_", " ")
    why = f"this run is worse than the {baseline} forecast; " if exit_code else "this run's error is "
    assert len(warned) == (0 if promoted else 1)
    assert all(message.startswith(f"a means what it meant before: {why}") for message in warned)
    assert pipeline.predict("a", runs_dir=tmp_path / "runs").run == current.run.handle
    assert pipeline.predict(bad.run.path).run == bad.run.handle  # kept, for who wants to see
    log = [json.loads(line) for line in (bad.run.path / "log.jsonl").read_text().splitlines()]
    assert (log[-1]["event"], log[-1]["exit_code"]) == ("run.end", exit_code)


def test_a_model_that_is_not_worse_is_promoted_under_either_rule(tmp_path: Path) -> None:
    file = prices(tmp_path)
    careful = {**SPLIT, "run.promote": "if_better", "evaluation.fail_if_worse": "true"}
    for _ in range(2):
        result = trained(file, careful)
        assert result.verdict.word in ("ties", "beats")
        assert (result.failed, result.current) == (False, True)


def test_a_worse_first_run_leaves_the_name_without_a_meaning(tmp_path: Path) -> None:
    result = trained(prices(tmp_path), {**BAD, "run.promote": "if_better"})
    assert not result.current
    assert not (tmp_path / "runs" / "a" / "CURRENT").exists()


def test_the_configuration_of_a_refitted_run_trains_the_same_files_again(
    folder: Path, results: dict[tuple[str, str], pipeline.TrainResult], tmp_path: Path
) -> None:
    for kind in ("ensemble", "quantile"):
        run = results[kind, "full"].run
        again = pipeline.train(load_config(run.path / "config.yaml", environ={}), runs_dir=tmp_path)
        for name in ("model.safetensors", "preprocess.json", "context.safetensors", "config.yaml"):
            assert (again.run.path / name).read_bytes() == (run.path / name).read_bytes(), name
