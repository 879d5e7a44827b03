"""``evaluation.gate: baseline``: a baseline forecasts where validation finds the network no better."""

from __future__ import annotations

import csv as csv_files
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.backtests import drawable, held_out_test
from lstm_forecast.config import load_config
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.evaluating import Backtest
from lstm_forecast.events import Events
from lstm_forecast.gating import Gate, needed_lead, read_gate
from lstm_forecast.opening import opened
from tests.conftest import SMALL, Cli
from tests.training.jobs import Floats, days, files, momentum, trained, write_csv

ROWS, TRAIN, VALIDATION, SEASON = 200, 150, 175, 7  # rows; first of validation; first of the test; steps
GATED = {
    "evaluation.gate": "baseline",
    "split.validation": str(VALIDATION - TRAIN),
    "split.test": str(ROWS - VALIDATION),
    "data.season": str(SEASON),
}
# A network on the level that learned nothing: no baseline is as bad.
BAD = {"model.normalize": "none", "model.anchor": "none", "training.lr": "1e-6", "training.epochs": "1"}
GOOD = {"training.epochs": "12", "training.lr": "0.02", "training.batch_size": "16"}
NAMES = ("naive", "seasonal_naive", "drift", "mean")
_noise = np.random.default_rng(4).normal(size=ROWS)
LAWS: dict[str, Floats] = {
    "naive": 500 + np.random.default_rng(6).normal(size=ROWS).cumsum(),
    "seasonal_naive": 100 + np.tile([1.0, 9, 4, 20, 2, 7, 30], 29)[:ROWS] + 0.1 * _noise,
    "drift": 100 + 2.0 * np.arange(ROWS) + 0.1 * _noise,
    "mean": 100 + _noise,
}


def table(path: Path, values: Floats) -> Path:
    return write_csv(path, {"date": days(len(values)), "v": values})


def run(csv: Path, changes: Mapping[str, str] = {}, *, events: Events | None = None) -> pipeline.TrainResult:
    return trained(csv, {**GATED, **changes}, events=events)


def metrics(result: pipeline.TrainResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((result.run.path / "metrics.json").read_text())
    return found


def test_table(result: pipeline.TrainResult) -> list[dict[str, str]]:
    return list(csv_files.DictReader((result.run.path / "predictions" / "test.csv").read_text().splitlines()))


test_table.__test__ = False  # type: ignore[attr-defined]


def column(rows: Sequence[Mapping[str, str]], name: str) -> Floats:
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


# By slow loops.


def simple(name: str, known: Floats, horizon: int) -> Floats:
    """One baseline after these values."""
    last, count = known[-1], len(known)
    if name == "seasonal_naive":
        return np.array([known[count - SEASON + h % SEASON] for h in range(horizon)])
    if name == "drift":
        return np.array([last + (h + 1) * (last - known[0]) / (count - 1) for h in range(horizon)])
    return np.full(horizon, known.mean() if name == "mean" else last)


def unit_of(known: Floats, floor: float) -> float:
    """How much the values moved of late: half as heavy every 20 rows, over 200 rows."""
    moves = np.abs(np.diff(known))[::-1][:200]
    weights = 2.0 ** (-np.arange(len(moves)) / 20)
    return max(float((weights * moves).sum() / weights.sum()), floor / 10)


@dataclass(frozen=True)
class Expected:
    """What a closed gate has to give, with 25 validation rows and two steps."""

    name: str
    error: float
    forecast: Floats
    margins: dict[int, Floats]
    calibrated: Floats


def expected(values: Floats, *, until: int = ROWS, horizon: int = 2) -> Expected:
    floor = float(np.abs(values[SEASON:TRAIN] - values[: TRAIN - SEASON]).mean())
    errors: dict[str, list[Floats]] = {name: [] for name in NAMES}
    for row in range(TRAIN, VALIDATION - 1):  # rows known; both targets before the test rows
        for name in NAMES:
            errors[name].append(np.abs(values[row : row + 2] - simple(name, values[:row], 2)))
    best = min(NAMES, key=lambda name: np.mean(errors[name]))
    scores: list[list[float]] = [[] for _ in range(25)]
    for row in range(TRAIN, VALIDATION):
        made = simple(best, values[:row], 25)
        for h in range(VALIDATION - row):
            scores[h].append(abs(values[row + h] - made[h]) / unit_of(values[:row], floor))
    margins = {}
    for level in (80, 95):
        ranks = [math.ceil((len(found) + 1) * level / 100) for found in scores[:horizon]]
        taken = [
            sorted(found)[rank - 1] if rank <= len(found) else np.nan
            for found, rank in zip(scores, ranks, strict=False)
        ]
        margins[level] = np.array(taken) * unit_of(values[:until], floor)
    error = float(np.mean([np.mean(part) for part in errors[best]])) / floor
    counts = np.array([len(found) for found in scores])
    return Expected(best, error, simple(best, values[:until], horizon), margins, counts)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pipeline.TrainResult]:
    """A bad network on each law."""
    folder = tmp_path_factory.mktemp("closed")
    return {name: run(table(folder / f"{name}.csv", values), BAD) for name, values in LAWS.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_best_baseline_forecasts_with_intervals_of_its_own(
    name: str, closed: dict[str, pipeline.TrainResult]
) -> None:
    wanted, values = expected(LAWS[name]), LAWS[name]
    assert wanted.name == name  # each of the four has a law that it is best on
    forecast = pipeline.predict(closed[name].run.path)
    assert [row.source for row in forecast.rows] == [name] * 2
    exact = name in ("naive", "seasonal_naive")
    made = [row.forecast for row in forecast.rows]
    assert made == (wanted.forecast.tolist() if exact else pytest.approx(wanted.forecast, rel=1e-12))
    for place, row in enumerate(forecast.rows):
        for (low, high), level in zip(row.bounds, (80, 95), strict=True):
            margin = wanted.margins[level][place]
            ends = (wanted.forecast[place] - margin, wanted.forecast[place] + margin)
            assert (low, high) == pytest.approx(ends, rel=1e-9), (place, level)
    calibration = closed[name].judged.calibration
    assert calibration is not None
    assert calibration.method == "conformal"
    assert calibration.windows().tolist() == wanted.calibrated.tolist()
    assert values[-1] != values[-2]


@pytest.mark.parametrize("name", NAMES)
def test_both_errors_are_those_of_the_validation_windows(
    name: str, closed: dict[str, pipeline.TrainResult]
) -> None:
    result, values = closed[name], LAWS[name]
    gate, chosen = metrics(result)["gate"], opened(result.run)
    assert set(gate) == {"issued", "baseline", "model_error", "baseline_error", "windows", "apart"}
    assert (gate["issued"], gate["windows"], gate["apart"]) == (name, 24, 12)
    assert gate["baseline_error"] == pytest.approx(expected(values).error, rel=1e-9)
    floor = np.abs(values[SEASON:TRAIN] - values[: TRAIN - SEASON]).mean()
    errors = []
    for row in range(TRAIN, VALIDATION - 1):
        window = values[None, row - 8 : row, None]
        made = chosen.tested.after(window, np.array([0]), horizon=2).point[0]
        errors.append(np.abs(values[row : row + 2] - made).mean() / floor)
    assert gate["model_error"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert gate["model_error"] > gate["baseline_error"]


@pytest.mark.parametrize("name", NAMES)
def test_the_test_table_has_what_predict_would_have_given_and_the_network_beside_it(
    name: str, closed: dict[str, pipeline.TrainResult]
) -> None:
    result, values = closed[name], LAWS[name]
    rows = test_table(result)
    names = ["series", "cutoff", "step", "time", "actual", "forecast", "model", *NAMES]
    assert list(rows[0]) == [*names, "lo_80", "hi_80", "lo_95", "hi_95"]
    made = np.concatenate([simple(name, values[:row], 2) for row in range(VALIDATION, ROWS - 1)])
    np.testing.assert_allclose(column(rows, "forecast"), made, rtol=1e-12)
    actual, model = column(rows, "actual"), column(rows, "model")
    found = metrics(result)
    assert found["metrics"]["model"]["mae"] == pytest.approx(np.abs(model - actual).mean())
    assert found["metrics"][name]["mae"] == pytest.approx(np.abs(made - actual).mean())
    wanted = expected(values)
    floor = float(np.abs(values[SEASON:TRAIN] - values[: TRAIN - SEASON]).mean())
    for level, document in zip((80, 95), found["intervals"]["levels"], strict=True):
        scores = wanted.margins[level] / unit_of(values, floor)
        units = [unit_of(values[:row], floor) for row in range(VALIDATION, ROWS - 1)]
        margins = np.concatenate([scores * unit for unit in units])
        np.testing.assert_allclose(column(rows, f"lo_{level}"), made - margins, rtol=1e-9)
        np.testing.assert_allclose(column(rows, f"hi_{level}"), made + margins, rtol=1e-9)
        inside = (np.abs(actual - made) <= margins * (1 + 1e-12)).mean()
        assert document["coverage"] == pytest.approx(inside)
    interval = pipeline.predict(result.run.path).intervals[0]
    steps = [
        abs(values[row + h] - simple(name, values[:row], 2)[h])
        <= wanted.margins[80][h] / unit_of(values, floor) * unit_of(values[:row], floor) * (1 + 1e-12)
        for h in (0, 1)
        for row in range(VALIDATION, ROWS - h)
    ]
    assert (interval.tested, interval.coverage) == (len(steps), pytest.approx(np.mean(steps)))


@pytest.mark.parametrize("name", NAMES)
def test_pictures_draw_what_is_issued(
    name: str, closed: dict[str, pipeline.TrainResult], tmp_path: Path
) -> None:
    chosen, rows = opened(closed[name].run), test_table(closed[name])
    test, bounds = held_out_test(chosen)
    assert test.forecast.reshape(-1).tolist() == column(rows, "forecast").tolist()
    assert bounds[80][0].reshape(-1).tolist() == column(rows, "lo_80").tolist()
    found = drawable(chosen)
    assert found.forecast.tolist() == test.forecast.tolist()
    assert set(found.errors) == {"model", *NAMES}
    kinds = ("forecast", "test", "loss", "error", "residuals", "backtest", "gates")
    for kind in kinds if name == "drift" else ():
        assert pipeline.plot(closed[name].run.path, kind).startswith(b"\x89PNG")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_backtest_judges_the_network_and_bounds_what_is_issued(
    name: str, closed: dict[str, pipeline.TrainResult], tmp_path: Path
) -> None:
    values = LAWS[name]
    found = pipeline.evaluate(closed[name].run.path, backtest=Backtest(None, 1, None))
    rows = list(csv_files.DictReader(found.files["backtest.csv"].decode().splitlines()))
    made = np.concatenate([simple(name, values[:row], 2) for row in range(VALIDATION, ROWS - 1)])
    np.testing.assert_allclose(column(rows, "forecast"), made, rtol=1e-12)
    error = np.abs(column(rows, "model") - column(rows, "actual")).mean()
    assert found.document["metrics"]["model"]["mae"] == pytest.approx(error)
    assert found.document["gate"] == metrics(closed[name])["gate"]
    # At the first origin nothing but validation is known: the bounds are those of predict.
    wanted = expected(values, until=VALIDATION)
    for level in (80, 95):
        low, high = column(rows, f"lo_{level}")[:2], column(rows, f"hi_{level}")[:2]
        np.testing.assert_allclose(low, wanted.forecast - wanted.margins[level], rtol=1e-9)
        np.testing.assert_allclose(high, wanted.forecast + wanted.margins[level], rtol=1e-9)
    # At the last one 25 scores of each step have been added, as far as they are known by then.
    floor = float(np.abs(values[SEASON:TRAIN] - values[: TRAIN - SEASON]).mean())
    for h in (0, 1):
        known = [
            abs(values[row + h] - simple(name, values[:row], 2)[h]) / unit_of(values[:row], floor)
            for row in range(TRAIN, ROWS - 2 - h)
            if row + h < VALIDATION or row >= VALIDATION
        ]
        score = sorted(known)[math.ceil((len(known) + 1) * 0.8) - 1]
        margin = score * unit_of(values[: ROWS - 2], floor)
        middle = simple(name, values[: ROWS - 2], 2)[h]
        assert column(rows, "hi_80")[-2 + h] == pytest.approx(middle + margin, rel=1e-9)


def test_a_network_that_is_better_forecasts_as_if_there_were_no_gate(tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", momentum(ROWS))
    events = Events()
    gated, free = run(csv, GOOD, events=events), run(csv, {**GOOD, "evaluation.gate": "none"})
    gate = metrics(gated).pop("gate")
    assert gate["issued"] == "model"
    assert gate["model_error"] < 0.9 * gate["baseline_error"]
    assert metrics(free)["gate"] is None
    assert {**metrics(gated), "gate": None} == metrics(free)
    assert {**files(gated), "config.yaml": b""} == {**files(free), "config.yaml": b""}
    assert test_table(gated) == test_table(free)
    assert "model" not in test_table(gated)[0]
    ahead, usual = (pipeline.predict(result.run.path) for result in (gated, free))
    assert ahead.rows == usual.rows
    assert {row.source for row in ahead.rows} == {"model"}
    assert (ahead.gate, usual.gate) == (gate, None)
    assert "gate.closed" not in [id for id, _ in events.warnings]


@pytest.mark.parametrize(
    ("horizon", "share", "doubt"),
    [
        (1, 0.94, None),  # 25 windows, none of which overlap
        (1, 0.951, "; less than 5 % may be chance)"),
        (2, 0.916, None),  # 24, of which 12 do not: one of them alone makes 8.3 %
        (2, 0.917, "; less than 8.3 % on 12 horizons may be chance)"),
        (12, 0.499, None),  # 14 and 2
        (12, 0.501, "; less than 50 % on 2 horizons may be chance)"),
        (13, 0.01, "; one horizon alone may be chance)"),  # 13 and 1
        (13, 1.0, ")"),
    ],
)
def test_a_network_has_to_be_better_than_one_horizon_alone_could_make_it(
    horizon: int, share: float, doubt: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = itertools.cycle([share, 1.0])
    monkeypatch.setattr("lstm_forecast.evaluation.verdict.scaled_error", lambda *_: next(errors))
    events = Events()
    changes = {**BAD, "window.horizon": str(horizon)}
    result = run(table(tmp_path / "a.csv", LAWS["mean"]), changes, events=events)
    assert metrics(result)["gate"]["issued"] == ("mean" if doubt else "model")
    said = dict(events.warnings).get("gate.closed")
    assert (said is None) == (doubt is None)
    assert said is None or said.endswith(f"the network {share:.4g}{doubt}")


def test_the_lead_that_is_needed_falls_to_five_percent() -> None:
    leads = [needed_lead(apart) for apart in range(1, 500)]
    assert leads[:5] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert leads[18] == 1 / 19
    assert leads[19:] == [pytest.approx(0.05)] * 480
    assert leads == sorted(leads, reverse=True)


@pytest.mark.parametrize("apart", range(2, 20))
def test_one_lucky_horizon_does_not_open_the_gate(apart: int) -> None:
    """As good as the baseline everywhere, and without any error in one of so many horizons."""
    theirs = np.ones(apart)
    ours = theirs.copy()
    ours[0] = 0
    assert not ours.mean() < (1 - needed_lead(apart)) * theirs.mean() - 1e-12
    ours[1] = 0
    assert ours.mean() < (1 - needed_lead(apart)) * theirs.mean()


def test_an_equal_network_does_not_forecast(tmp_path: Path) -> None:
    """Epoch 0 is the naive forecast itself."""
    changes = {"training.lr": "1e6", "evaluation.baselines": "[naive]"}
    result = run(table(tmp_path / "a.csv", LAWS["naive"]), changes)
    gate = metrics(result)["gate"]
    assert metrics(result)["best_epoch"] == 0
    assert gate["model_error"] == gate["baseline_error"]
    assert gate["issued"] == "naive"
    assert result.verdict.word == "ties"


@pytest.mark.parametrize("kind", ["closed", "open"])
def test_no_test_row_reaches_the_decision_or_the_intervals(kind: str, tmp_path: Path) -> None:
    values = LAWS["mean"] if kind == "closed" else momentum(ROWS)
    changed = np.where(np.arange(ROWS) < VALIDATION, values, values * 1e6)
    found = []
    for number, rows in enumerate((values, changed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        result = run(table(folder / "a.csv", rows), BAD if kind == "closed" else GOOD)
        parts = files(result)
        parts.pop("config.yaml")  # the path of the file
        found.append((metrics(result)["gate"], parts))
    assert found[0] == found[1]
    assert found[0][0]["issued"] == ("mean" if kind == "closed" else "model")


def test_validation_rows_do_reach_the_decision(tmp_path: Path) -> None:
    """The control of the test above."""
    values = LAWS["mean"].copy()
    first = run(table(tmp_path / "a.csv", values), BAD)
    values[VALIDATION - 1] += 1
    second = run(table(tmp_path / "b.csv", values), BAD)
    assert metrics(first)["gate"] != metrics(second)["gate"]


def test_a_closed_gate_spares_the_final_fit_and_an_open_one_has_it(tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", momentum(ROWS))
    lines: list[str] = []
    events = Events([lambda event: lines.extend(event.fields.get("lines", []))])  # type: ignore[arg-type]
    bad = run(csv, {**BAD, "training.refit": "full"}, events=events)
    assert not bad.refitted
    assert "not trained again on all rows (training.refit): the network does not forecast" in lines
    assert (bad.run.path / "model.safetensors").read_bytes() == (
        run(csv, BAD).run.path / "model.safetensors"
    ).read_bytes()
    good = run(csv, {**GOOD, "training.refit": "full"})
    assert good.refitted
    assert {row.source for row in pipeline.predict(good.run.path).rows} == {"model"}


def test_a_quantile_head_gives_way_to_conformal_intervals(
    closed: dict[str, pipeline.TrainResult], tmp_path: Path
) -> None:
    quantiles = {"model.head": "quantile", "forecast.intervals.method": "quantile"}
    result = run(table(tmp_path / "mean.csv", LAWS["mean"]), {**BAD, **quantiles})
    usual = closed["mean"]
    assert metrics(result)["gate"]["issued"] == "mean"
    assert metrics(result)["calibration"]["method"] == "conformal"
    ours, theirs = (pipeline.predict(one.run.path) for one in (result, usual))
    assert [(row.forecast, row.bounds) for row in ours.rows] == [(r.forecast, r.bounds) for r in theirs.rows]
    asked = pipeline.predict(result.run.path, levels=[60]).rows[0].bounds[0]
    assert asked[0] is not None  # no pair of quantiles was trained for 60 %
    assert asked[0] > ours.rows[0].bounds[0][0]  # type: ignore[operator]
    table_again = pipeline.evaluate(result.run.path, backtest=Backtest(5, 1, None)).files["backtest.csv"]
    other = pipeline.evaluate(usual.run.path, backtest=Backtest(5, 1, None)).files["backtest.csv"]
    ends = [
        [(row["lo_80"], row["hi_80"]) for row in csv_files.DictReader(text.decode().splitlines())]
        for text in (table_again, other)
    ]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ["drift", "mean"])
def test_a_baseline_that_looks_back_to_the_first_row_finds_it_in_the_run(name: str, tmp_path: Path) -> None:
    """600 rows, of which a run keeps 250 before the test where nobody needs more."""
    rows = np.arange(600)
    level = 10 + 0.5 * rows if name == "drift" else 50 + 10 * (rows < 200)
    values = level + 0.1 * np.random.default_rng(2).normal(size=600)
    csv = table(tmp_path / "a.csv", values)
    names = "[drift]" if name == "drift" else "[mean]"
    result = run(csv, {**BAD, "evaluation.baselines": names})
    assert len(opened(result.run).context.times) == 600
    from_file = pipeline.predict(result.run.path)
    csv.rename(tmp_path / "gone.csv")
    from_run = pipeline.predict(result.run.path)
    assert from_run.input == "context"
    assert from_run.rows == from_file.rows
    np.testing.assert_allclose([row.forecast for row in from_run.rows], simple(name, values, 2), rtol=1e-12)
    test, _ = held_out_test(opened(result.run))
    assert test.forecast.reshape(-1).tolist() == column(test_table(result), "forecast").tolist()


def test_other_runs_keep_no_more_rows_than_before(tmp_path: Path) -> None:
    values = 50 + np.random.default_rng(2).normal(size=600).cumsum()
    result = run(table(tmp_path / "a.csv", values), {**BAD, "evaluation.baselines": "[naive]"})
    assert len(opened(result.run).context.times) == 275


def panel(path: Path, parts: Mapping[str, tuple[int, Floats]]) -> Path:
    """Series by name: the day each begins, and its values."""
    dates = [day for first, values in parts.values() for day in days(first + len(values))[first:]]
    shops = [name for name, (_, values) in parts.items() for _ in values]
    together = np.concatenate([values for _, values in parts.values()])
    return write_csv(path, {"date": dates, "shop": shops, "v": together})


SHOPS = {"data.series_id": "shop"}


def test_a_panel_has_one_decision_for_all_series(tmp_path: Path) -> None:
    """Errors are divided by each series' own unit, and then one mean is taken per origin."""
    a, b = LAWS["naive"], 1000 * LAWS["naive"][::-1].copy()
    result = run(panel(tmp_path / "p.csv", {"a": (0, a), "b": (0, b)}), {**BAD, **SHOPS})
    gate = metrics(result)["gate"]
    errors: dict[str, list[float]] = {name: [] for name in NAMES}
    raw: dict[str, list[float]] = {name: [] for name in NAMES}
    for name in NAMES:
        for row in range(TRAIN, VALIDATION - 1):
            scaled = []
            for values in (a, b):
                floor = np.abs(values[SEASON:TRAIN] - values[: TRAIN - SEASON]).mean()
                missed = np.abs(values[row : row + 2] - simple(name, values[:row], 2))
                raw[name].append(missed.mean())
                scaled.append(missed.mean() / floor)
            errors[name].append(float(np.mean(scaled)))
    best = min(NAMES, key=lambda name: np.mean(raw[name]))
    assert (gate["issued"], gate["windows"], gate["apart"]) == (best, 48, 24)
    assert gate["baseline_error"] == pytest.approx(np.mean(errors[best]), rel=1e-9)
    forecast = pipeline.predict(result.run.path)
    for series, values in (("a", a), ("b", b)):
        mine = [row for row in forecast.rows if row.series == series]
        np.testing.assert_allclose([r.forecast for r in mine], simple(best, values, 2), rtol=1e-12)
        assert {row.source for row in mine} == {best}
        assert all(low is not None and low < row.forecast for row in mine for low, _ in row.bounds)


def test_short_series_get_the_same_baseline_with_bounds_where_they_have_a_unit(tmp_path: Path) -> None:
    long = LAWS["mean"]
    parts = {"long": (0, long), "short": (TRAIN - 3, long[:5]), "new": (ROWS - 4, long[:4])}
    events = Events()
    borders = {"split.validation": days(ROWS)[TRAIN], "split.test": days(ROWS)[VALIDATION]}
    result = run(panel(tmp_path / "p.csv", parts), {**BAD, **SHOPS, **borders})
    forecast = pipeline.predict(result.run.path, events=events)
    assert {row.source for row in forecast.rows} == {"mean"}
    bounds = {row.series: row.bounds[0] for row in forecast.rows}
    assert bounds["new"] == (None, None)  # it has no training row
    assert all(None not in bounds[name] for name in ("long", "short"))
    means = {row.series: row.forecast for row in forecast.rows}
    assert means == pytest.approx({"long": long.mean(), "short": long[:5].mean(), "new": long[:4].mean()})
    ids = [id for id, _ in events.warnings]
    assert ids == ["predict.no_new_rows", "intervals.uncalibrated"]
    assert events.warnings[1][1] == "no bounds for want of rows to train on: new"


def test_rows_fewer_than_the_lookback_are_enough(
    closed: dict[str, pipeline.TrainResult], tmp_path: Path
) -> None:
    events = Events()
    few = table(tmp_path / "few.csv", np.array([3.0, 4.0, 8.0]))
    forecast = pipeline.predict(closed["mean"].run.path, data=str(few), events=events)
    assert [row.forecast for row in forecast.rows] == [5.0, 5.0]
    assert [id for id, _ in events.warnings] == ["predict.no_new_rows"]


def test_the_lowest_value_holds_for_a_baseline_too(tmp_path: Path) -> None:
    falling = 400.0 - 2 * np.arange(ROWS) + np.abs(_noise) / 9  # drift ends below 0, the values do not
    result = run(table(tmp_path / "a.csv", falling), {**BAD, "forecast.horizon": "12"})
    forecast = pipeline.predict(result.run.path)
    wanted = simple("drift", falling, 12)
    assert {row.source for row in forecast.rows} == {"drift"}
    assert wanted.min() < 0
    assert [row.forecast for row in forecast.rows] == pytest.approx(np.maximum(wanted, 0), rel=1e-9)
    assert min(low for row in forecast.rows for low, _ in row.bounds if low is not None) == 0
    given = run(table(tmp_path / "b.csv", falling), {**BAD, "forecast.minimum": "30"})
    assert [row.forecast for row in pipeline.predict(given.run.path).rows] == [30.0, 30.0]


def test_a_value_below_0_that_comes_after_training_is_forecast_as_it_is(tmp_path: Path) -> None:
    """The network's lowest value is that of its training rows; a baseline was not trained."""
    values = np.where(np.arange(ROWS) < VALIDATION, 20 + LAWS["naive"] - 500, -30 + _noise)
    assert values[:VALIDATION].min() > 0
    result = run(table(tmp_path / "a.csv", values), {**BAD, "evaluation.baselines": "[naive]"})
    row = pipeline.predict(result.run.path).rows[0]
    assert row.forecast == values[-1] < 0
    assert row.bounds[0][0] is not None
    assert row.bounds[0][0] < row.forecast
    rows = test_table(result)
    assert column(rows, "forecast").tolist() == column(rows, "naive").tolist()
    assert (column(rows, "lo_80")[2:] < column(rows, "forecast")[2:]).all()


def test_covariates_do_not_limit_how_far_a_baseline_forecasts(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": LAWS["naive"], "w": LAWS["mean"]})
    changes = {**BAD, "data.target": "v", "data.past_covariates": "[w]"}
    result = run(csv, changes)
    events = Events()
    rows = pipeline.predict(result.run.path, horizon=10, events=events).rows
    assert [row.forecast for row in rows] == [LAWS["naive"][-1]] * 10
    assert all(None not in row.bounds[0] for row in rows)
    free = run(csv, {**changes, "evaluation.gate": "none"})
    assert free.judged.calibration is not None
    assert free.judged.calibration.scores.shape[1] == 2


def test_without_intervals_and_without_a_test_split(tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", LAWS["mean"])
    bare = run(csv, {**BAD, "forecast.intervals.method": "none"})
    assert [row.bounds for row in pipeline.predict(bare.run.path).rows] == [(), ()]
    untested = run(csv, {**BAD, "split.test": "0"})
    assert untested.verdict.word is None
    assert metrics(untested)["gate"]["issued"] == "mean"
    assert {row.source for row in pipeline.predict(untested.run.path).rows} == {"mean"}


def test_an_ensemble_is_one_network_to_the_gate(tmp_path: Path) -> None:
    result = run(table(tmp_path / "a.csv", LAWS["mean"]), {**BAD, "training.ensemble": "2"})
    assert metrics(result)["gate"]["issued"] == "mean"
    assert metrics(result)["seeds"]["count"] == 2  # the verdict is about the networks


# Runs that are compared, and runs that are worse.


def contest(result: pipeline.TrainResult) -> dict[str, Any]:
    found: dict[str, Any] = metrics(result)["champion"]
    return found


def test_two_runs_are_compared_by_what_each_would_issue(tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", LAWS["mean"])
    promote = {"run.promote": "if_better"}
    free = run(csv, {**BAD, "evaluation.gate": "none"})
    shut = run(csv, {**BAD, **promote})
    again = run(csv, {**BAD, **promote})
    rows = test_table(shut)
    actual = column(rows, "actual")
    ours, network = (np.abs(column(rows, name) - actual).mean() for name in ("forecast", "model"))
    found = contest(shut)
    assert (found["run"], found["promoted"], shut.current) == (free.run.handle, True, True)
    assert found["error"] / found["challenger_error"] == pytest.approx(network / ours, rel=1e-9)
    same = contest(again)
    assert same["error"] == same["challenger_error"] == found["challenger_error"]
    back = run(csv, {**BAD, **promote, "evaluation.gate": "none"})
    assert (contest(back)["promoted"], back.current) == (False, False)


def test_what_a_closed_gate_lets_out_is_not_worse_than_the_baseline(tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", LAWS["mean"])
    loses = {**BAD, "run.promote": "if_better", "split.test": "40"}
    free, shut = run(csv, {**loses, "evaluation.gate": "none"}), run(csv, loses)
    assert free.verdict.worse
    assert shut.verdict.worse
    assert (free.current, shut.current) == (False, True)  # neither had a run to be compared with
    asked = run(csv, {**loses, "evaluation.fail_if_worse": "true"})
    assert (asked.failed, asked.current) == (True, False)  # that key is about the network


# What is said.


@pytest.fixture
def words(tmp_path: Path) -> list[str | Path]:
    csv = table(tmp_path / "a.csv", LAWS["mean"])
    keys = {key: value for key, value in BAD.items() if key != "training.epochs"}
    sets = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    return [csv, *SMALL, *sets, "--set", "run.plots=false", "--runs-dir", tmp_path / "runs"]


def test_a_bare_csv_has_the_gate_and_is_told(cli: Cli, words: list[str | Path], tmp_path: Path) -> None:
    done = cli("train", *words)
    assert done.code == 0
    said = "so that the network forecasts only where validation finds it clearly better"
    assert f"  evaluation.gate: baseline, {said}\n" in done.err
    (metrics_file,) = (tmp_path / "runs" / "a").glob("*/metrics.json")
    gate = json.loads(metrics_file.read_text())["gate"]
    errors = f"mean {gate['baseline_error']:.4g}, the network {gate['model_error']:.4g}"
    found = f"error on {gate['windows']} validation windows, over the MASE scale: {errors}"
    sentence = f"the forecast is the mean one, not the network's ({found})"
    assert f"Gate: {sentence}\n" in done.out
    assert f"warning[gate.closed]: {sentence}\n" in done.err
    assert done.err.count("the forecast is the mean one") == 1
    assert "Verdict: No better than the mean can be shown: MAE " in done.out  # of the network
    assert "gate: baseline" in metrics_file.with_name("config.yaml").read_text()
    forecast = cli("predict", "a", "--runs-dir", tmp_path / "runs")
    assert f"  {sentence}\n" in forecast.err
    assert "gate.closed" not in forecast.err
    assert all(line.endswith(",mean") for line in forecast.out.splitlines()[1:])
    shown = cli("runs", "show", "a", "--runs-dir", tmp_path / "runs")
    assert f"gate:     {sentence}\n" in shown.out
    again = cli("evaluate", "a", "--runs-dir", tmp_path / "runs")
    assert "Gate: intervals are those of the mean forecast, which predict gives\n" in again.out


def test_every_document_carries_the_decision(cli: Cli, words: list[str | Path], tmp_path: Path) -> None:
    runs = ["--runs-dir", tmp_path / "runs", "--json"]
    document = json.loads(cli("train", *words, "--json").out)
    gate = document["gate"]
    assert (gate["issued"], document["baseline"]) == ("mean", "mean")
    assert "gate.closed" in [warning["id"] for warning in document["warnings"]]
    forecast = json.loads(cli("predict", "a", *runs).out)
    assert forecast["gate"] == gate
    assert {row["source"] for row in forecast["rows"]} == {"mean"}
    assert json.loads(cli("runs", "show", "a", *runs).out)["metrics"]["gate"] == gate
    assert json.loads(cli("evaluate", "a", *runs).out)["gate"] == gate
    unchanged = json.loads(cli("train", *words, "--if-changed", "--json").out)
    assert (unchanged["trained"], unchanged["gate"]) == (False, gate)
    off = json.loads(cli("train", *words, "--set", "evaluation.gate=none", "--json").out)
    assert off["gate"] is None
    assert json.loads(cli("predict", "a", *runs).out)["gate"] is None


def test_a_closed_gate_can_be_made_an_error(cli: Cli, words: list[str | Path]) -> None:
    assert cli("train", *words, "--fail-on-warning", "gate.closed").code == 19


def test_an_open_gate_is_one_line(cli: Cli, tmp_path: Path) -> None:
    csv = table(tmp_path / "a.csv", momentum(ROWS))
    more = [part for key, value in {**GOOD, **GATED}.items() for part in ("--set", f"{key}={value}")]
    runs = ["--runs-dir", tmp_path / "runs"]
    done = cli("train", csv, "--lookback", "8", "--horizon", "1", *more, *SMALL[6:], *runs)
    assert done.code == 0
    assert "  gate: the forecast is the network's (error on 25 validation windows" in done.err
    assert "Gate: the forecast is the network's (" in done.out
    assert "the forecast is" not in cli("predict", "a", *runs).err


def test_the_ledger_keeps_who_forecast(cli: Cli, words: list[str | Path], tmp_path: Path) -> None:
    import sqlite3

    assert cli("train", *words).code == 0
    assert cli("predict", "a", "--runs-dir", tmp_path / "runs", "--record").code == 0
    ledger = sqlite3.connect(tmp_path / "runs" / "ledger.sqlite")
    try:
        text = "\n".join(ledger.iterdump())
    finally:
        ledger.close()
    assert "'mean'" in text
    assert "'model'" not in text


def test_the_audit_shows_that_the_decision_stands(cli: Cli, words: list[str | Path], tmp_path: Path) -> None:
    assert cli("train", *words).code == 0
    done = cli("evaluate", "a", "--runs-dir", tmp_path / "runs", "--audit")
    assert done.code == 0
    (document,) = (tmp_path / "runs" / "a").glob("*/audit.json")
    checks = {check["name"]: check for check in json.loads(document.read_text())["checks"]}
    assert "choice of baseline, gate" in checks["mutation"]["detail"]


def test_a_configuration_has_no_gate_unless_it_asks(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", LAWS["mean"])
    (tmp_path / "a.yaml").write_text("data: {path: a.csv}\n")
    assert load_config(tmp_path / "a.yaml", environ={}).config.evaluation.gate == "none"


# What a file may say.


GATE = {
    "issued": "drift",
    "baseline": "drift",
    "model_error": 2.0,
    "baseline_error": 1.5,
    "windows": 3,
    "apart": 2,
}


def test_the_decision_is_read_back() -> None:
    gate = Gate("drift", "drift", 2.0, 1.5, 3, 2)
    assert gate.to_document() == GATE
    assert read_gate(GATE) == gate
    assert read_gate(None) is None
    endless = Gate("drift", "drift", math.inf, 1.5, 1, 1)
    assert endless.to_document()["model_error"] is None
    assert "on 1 validation window, " in endless.sentence
    again = read_gate(endless.to_document())
    assert again is not None
    assert (again.closed, math.isnan(again.model_error)) == (True, True)


def test_a_decision_of_an_older_version_is_read_and_told() -> None:
    older = {name: value for name, value in GATE.items() if name != "apart"} | {"model_error": 1.45}
    gate = read_gate(older)
    assert gate == Gate("drift", "drift", 1.45, 1.5, 3)
    assert gate.sentence.endswith("drift 1.5, the network 1.45; less than 5 % may be chance)")
    assert read_gate(gate.to_document()) == gate


@pytest.mark.parametrize(
    "change",
    [
        {"issued": "theta"},
        {"issued": "naive"},
        {"issued": None},
        {"baseline": "theta"},
        {"baseline": None, "issued": None},
        {"issued": ["drift"]},
        {"model_error": "2"},
        {"model_error": -1.0},
        {"baseline_error": True},
        {"windows": 1.5},
        {"windows": -1},
        {"windows": True},
        {"apart": 4},
        {"apart": -1},
        {"apart": 2.0},
        {"apart": True},
    ],
)
def test_nonsense_is_refused(change: dict[str, object], closed: dict[str, pipeline.TrainResult]) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_gate({**GATE, **change})
    chosen = opened(closed["drift"].run)
    chosen.metrics["gate"] = {**GATE, **change}
    with pytest.raises(ArtifactRejected) as caught:
        _ = chosen.issued
    assert caught.value.id == "artifact.gate"


@pytest.mark.parametrize("document", [[], "drift", 1, {}, {"issued": "drift"}])
def test_another_form_is_refused(document: object, closed: dict[str, pipeline.TrainResult]) -> None:
    chosen = opened(closed["drift"].run)
    chosen.metrics["gate"] = document
    with pytest.raises(ArtifactRejected):
        _ = chosen.issued
