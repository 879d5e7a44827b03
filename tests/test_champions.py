"""``run.promote: if_better``: the new run against the one its name means, on rows that neither has seen."""

from __future__ import annotations

import csv as csv_files
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.evaluating import Backtest
from lstm_forecast.evaluation.measures import Truth
from lstm_forecast.evaluation.verdict import scaled_error
from lstm_forecast.events import Events
from lstm_forecast.runs.run import Run
from tests.conftest import SMALL, Cli
from tests.training.jobs import Floats, days, files, job, momentum, write_csv

# The season is given, so that the MASE scale can be computed by hand.
PARTS = {"split.validation": "20", "split.test": "30", "data.season": "1", "run.promote": "if_better"}
# As good as untrained, and without an anchor: it forecasts the wrong level.
BROKEN = {"training.epochs": "1", "training.lr": "1e-12"}
LEVEL = {"model.anchor": "none"}


def prices(path: Path, count: int) -> Path:
    return write_csv(path, {"date": days(count), "value": momentum(400)[:count]})


def train(
    csv: Path,
    changes: Mapping[str, str] = {},
    *,
    start_from: str | None = None,
    events: Events | None = None,
) -> pipeline.TrainResult:
    loaded = job(csv, {**PARTS, **changes})
    return pipeline.train(loaded, runs_dir=csv.parent / "runs", start_from=start_from, events=events)


def champion_of(result: pipeline.TrainResult) -> dict[str, Any]:
    """The field of ``metrics.json``."""
    found: dict[str, Any] = json.loads((result.run.path / "metrics.json").read_text())["champion"]
    return found


def errors_in(table: bytes | str, *, since: str) -> Floats:
    """Absolute errors of a table of held-out forecasts, one per row whose cutoff is not before ``since``."""
    text = table if isinstance(table, str) else table.decode()
    rows = [row for row in csv_files.DictReader(text.splitlines()) if row["cutoff"] >= since]
    return np.array([abs(float(row["forecast"]) - float(row["actual"])) for row in rows])


def said_by(events: Events) -> list[str]:
    found: list[str] = []
    events.readers.append(lambda e: found.extend(e.fields["lines"]) if e.name == "account" else None)  # type: ignore[call-overload]
    return found


@pytest.mark.parametrize("refit", ["none", "full"])
def test_both_errors_are_those_of_their_held_out_forecasts(refit: str, tmp_path: Path) -> None:
    """The champion's come from its own backtest on the new file, the challenger's from its test table."""
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv, {"training.refit": refit})
    assert champion_of(first) == {
        "run": None,
        "promoted": True,
        "metric": "scaled_mae",
        "windows": 0,
        "from": None,
        "to": None,
        "error": None,
        "challenger_error": None,
        "not_compared": "a has none",
    }
    prices(csv, 200)  # validation is 150 … 169 and test 170 … 199
    second = train(csv, {"training.refit": refit, "model.hidden_size": "4", "window.lookback": "6"})
    found = champion_of(second)
    unit = np.abs(np.diff(momentum(400)[:150])).mean()
    begins, ends = days(200)[169], days(200)[197]  # two steps ahead
    assert (found["run"], found["windows"]) == (first.run.handle, 29)
    assert (found["from"], found["to"]) == (begins, ends)
    backtest = pipeline.evaluate(first.run.path, backtest=Backtest(), data=str(csv))
    theirs = errors_in(backtest.files["backtest.csv"], since=begins)
    ours = errors_in((second.run.path / "predictions" / "test.csv").read_text(), since=begins)
    # The backtest also has the last row's forecast of one step.
    assert found["error"] == pytest.approx(theirs[: len(ours)].mean() / unit, rel=1e-9)
    assert found["challenger_error"] == pytest.approx(ours.mean() / unit, rel=1e-9)
    assert found["promoted"] == (found["challenger_error"] <= found["error"]) == second.current


def test_only_windows_after_the_last_row_the_champion_was_chosen_by_count(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv, {"split.validation": "30", "split.test": "10"})  # chosen by rows up to 149
    second = train(csv)  # tested on rows 130 … 159
    found = champion_of(second)
    assert found["run"] == first.run.handle
    # first targets 150 … 158, two steps each
    assert (found["windows"], found["from"], found["to"]) == (9, days(160)[149], days(160)[157])


def test_an_equal_error_is_not_worse(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first, again = train(csv), train(csv)
    found = champion_of(again)
    assert (found["run"], found["promoted"], again.current) == (first.run.handle, True, True)
    assert found["error"] == found["challenger_error"] > 0


def test_looking_at_the_champion_changes_no_bit_of_the_new_run(tmp_path: Path) -> None:
    alone, compared = tmp_path / "alone", tmp_path / "compared"
    results = []
    for folder in (alone, compared):
        folder.mkdir()
        csv = prices(folder / "a.csv", 160)
        if folder is compared:
            train(csv, {"training.seed": "3", "model.hidden_size": "5", "data.transform": "log"})
        results.append(train(csv, {"training.refit": "full", "training.ensemble": "2"}))
    without, with_champion = results
    assert (champion_of(without)["run"], champion_of(with_champion)["windows"]) == (None, 29)
    one, other = files(without), files(with_champion)
    one.pop("config.yaml"), other.pop("config.yaml")  # the path of the file
    assert one == other
    documents = [json.loads((r.run.path / "metrics.json").read_text()) for r in results]
    assert [document.pop("champion") is None for document in documents] == [False, False]
    assert documents[0] == documents[1]


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_that_loses_to_a_baseline_yet_beats_the_current_one_becomes_current(
    fails: bool, tmp_path: Path
) -> None:
    """What counts is which of the two ``predict`` should use; ``fail_if_worse`` lets no loser in."""
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv, {**BROKEN, **LEVEL, "run.promote": "always"})
    better = {**LEVEL, "training.epochs": "5", "training.lr": "0.01", "evaluation.fail_if_worse": str(fails)}
    second = train(csv, {key: value.lower() for key, value in better.items()})
    found = champion_of(second)
    assert first.verdict.worse
    assert second.verdict.worse
    assert found["challenger_error"] < found["error"]
    assert (second.current, second.failed, found["promoted"]) == (not fails, fails, not fails)


def test_always_compares_nothing(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    train(csv)
    bad = train(csv, {**BROKEN, **LEVEL, "run.promote": "always"})
    assert (bad.current, bad.contest, champion_of(bad)) == (True, None, None)


def test_the_terminal_and_the_document_have_both_figures_and_the_way_back(cli: Cli, tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    words = ["train", csv, *SMALL, "--set", "run.plots=false", "--set", "split.test=30"]
    words += ["--runs-dir", tmp_path / "runs", "--promote", "if_better", "--set", "evaluation.gate=none"]
    first = json.loads(cli(*words, "--json").out)
    assert (first["current"], first["champion"]["not_compared"]) == (True, "a has none")
    broken = [*words, "--set", "model.anchor=none", "--set", "training.lr=1e-12"]
    lost = cli(*broken)
    assert lost.code == 0
    found = json.loads((newest(tmp_path).path / "metrics.json").read_text())["champion"]
    theirs = f"that of the current {first['run']} {found['error']:.4g}"
    figures = f"{found['challenger_error']:.4g}, {theirs}, on 29 windows"
    assert f"Error over the MASE scale: {figures}: not made current\n" in lost.out
    assert "Next: " not in lost.out
    handle = newest(tmp_path).handle
    command = f"lstm-forecast runs promote {handle} --runs-dir {tmp_path / 'runs'}"
    warning = f"this run's error is {figures}; to make this run current all the same: {command}"
    assert f"warning[run.not_promoted]: a means what it meant before: {warning}\n" in lost.err
    document = json.loads(cli(*broken, "--json").out)
    assert (document["current"], document["champion"]) == (False, {**found, "run": first["run"]})
    assert [w["id"] for w in document["warnings"]].count("run.not_promoted") == 1
    assert cli(*broken, "--fail-if-worse", "--quiet").code == 20
    assert cli(*command.split()[1:]).code == 0  # the line can be typed as it stands
    won = cli(*words)
    assert f", that of the current {handle} " in won.out
    assert ", on 29 windows: made current\n" in won.out
    back = cli("runs", "promote", first["run"], "--runs-dir", tmp_path / "runs")
    assert back.code == 0
    assert pipeline.predict("a", runs_dir=tmp_path / "runs").run == first["run"]


def newest(folder: Path) -> Run:
    return Run(max((folder / "runs" / "a").glob("2*")))


# Where the two cannot be compared, the simple baseline decides alone, and one line says why.


def damage(csv: Path, champion: Run) -> None:
    path = champion.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def shrink(csv: Path, champion: Run) -> None:
    prices(csv, 120)


def remove(csv: Path, champion: Run) -> None:
    (champion.path / "MANIFEST.json").unlink()


@pytest.mark.parametrize(
    ("changes", "between", "why"),
    [
        ({"window.horizon": "3"}, None, "forecasts 2 steps, the new run 3"),
        ({"data.target": "volume"}, None, "forecasts value, the new run volume"),
        ({"data.past_covariates": "[volume]"}, None, "sees value, the new run value, volume"),
        ({"split.test": "0"}, None, "has no opponent: the new run has no test window"),
        ({}, shrink, f"was trained or chosen on rows up to {days(160)[129]}: no test row is new to it"),
        ({}, damage, "cannot be read"),
        ({}, remove, "cannot be read"),
    ],
    ids=["horizon", "target", "covariates", "no test", "all seen", "damaged", "incomplete"],
)
@pytest.mark.parametrize("broken", [False, True])
def test_where_nothing_can_be_compared_the_simple_baseline_decides(
    changes: dict[str, str], between: Any, why: str, broken: bool, tmp_path: Path
) -> None:
    csv = tmp_path / "a.csv"
    write_csv(csv, {"date": days(160), "value": momentum(160), "volume": momentum(160, seed=1)})
    first = train(csv, {"data.target": "value"})
    if between is not None:
        between(csv, first.run)
    events = Events()
    said = said_by(events)
    bad = {**BROKEN, **LEVEL} if broken else {}
    second = train(csv, {"data.target": "value", **changes, **bad}, events=events)
    assert second.contest is not None
    assert (second.contest.champion, second.contest.why_not) == (
        first.run.handle,
        f"{first.run.handle} {why}",
    )
    assert [line for line in said if "not compared" in line] == [
        f"not compared with a current run: {first.run.handle} {why}"
    ]
    if broken:
        assert second.verdict.worse == (changes.get("split.test") != "0")
    assert second.current != second.verdict.worse
    found = champion_of(second)
    assert (found["promoted"], found["windows"]) == (second.current, 0)
    unreadable = [message for id, message in events.warnings if id == "champion.unreadable"]
    assert len(unreadable) == (1 if between in (damage, remove) else 0)
    assert all(first.run.handle in message for message in unreadable)


def test_a_champion_that_cannot_take_the_logarithm_of_the_new_rows_is_not_compared(tmp_path: Path) -> None:
    values = momentum(200)
    csv = write_csv(tmp_path / "a.csv", {"date": days(160), "value": values[:160]})
    first = train(csv, {"data.transform": "log"})
    values[-1] = -1.0
    write_csv(csv, {"date": days(200), "value": values})
    found = champion_of(train(csv))
    why = "cannot read these rows: 1 of the target's values has no log; the lowest is -1"
    assert found["not_compared"] == f"{first.run.handle} {why}"


def test_series_that_the_champion_does_not_know_are_left_out(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"

    def shops(*names: str) -> None:
        columns = {
            "date": days(160) * len(names),
            "shop": [name for name in names for _ in range(160)],
            "value": np.concatenate([momentum(160, seed=ord(name)) for name in names]),
        }
        write_csv(csv, columns)

    # trained far enough that the unit of each series matters
    panel = {"data.series_id": "shop", "training.patience": "null", "training.lr": "0.03"}
    shops("b", "c")
    train(csv, panel)
    shops("a", "b")
    second = train(csv, panel)
    found = champion_of(second)
    assert found["windows"] == 29  # of b alone, which is the first series there and the second one here
    unit = np.abs(np.diff(momentum(160, seed=ord("b"))[:110])).mean()
    rows = list(csv_files.DictReader((second.run.path / "predictions/test.csv").read_text().splitlines()))
    ours = [abs(float(r["forecast"]) - float(r["actual"])) for r in rows if r["series"] == "b"]
    assert found["challenger_error"] == pytest.approx(np.mean(ours) / unit, rel=1e-9)
    backtest = pipeline.evaluate(
        found["run"], backtest=Backtest(), runs_dir=tmp_path / "runs", data=str(only_b(csv))
    )
    rows = list(csv_files.DictReader(backtest.files["backtest.csv"].decode().splitlines()))
    theirs = [abs(float(r["forecast"]) - float(r["actual"])) for r in rows if r["series"] == "b"]
    assert found["error"] == pytest.approx(np.mean(theirs[: len(ours)]) / unit, rel=1e-9)
    shops("d")
    assert champion_of(train(csv, {**panel, "split.test": "20"}))["not_compared"].endswith(
        "knows none of the series that are tested here"
    )


def only_b(csv: Path) -> Path:
    """The rows of one series, in a file beside."""
    lines = csv.read_text().splitlines()
    kept = csv.with_name("b.csv")
    kept.write_text("\n".join([lines[0], *(line for line in lines if ",b," in line)]) + "\n")
    return kept


def test_a_baseline_as_champion_is_compared_by_its_own_forecasts(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 40)
    loaded = job(csv, {"data.season": "1", "evaluation.baselines": "[naive]"})
    window = loaded.config.window.model_copy(update={"lookback": 60})
    origins = {**loaded.origins, "window.lookback": "default"}
    short = replace(loaded, config=loaded.config.model_copy(update={"window": window}), origins=origins)
    first = pipeline.train(short, runs_dir=tmp_path / "runs")
    assert first.verdict.baseline == "naive"
    prices(csv, 160)
    second = train(csv)
    found, values = champion_of(second), momentum(400)[:160]
    errors = [abs(values[r + step] - values[r]) for r in range(129, 158) for step in (1, 2)]
    unit = np.abs(np.diff(values[:110])).mean()
    assert (found["run"], found["windows"]) == (first.run.handle, 29)
    assert found["error"] == pytest.approx(np.mean(errors) / unit, rel=1e-9)


def test_the_scaled_error_is_a_mean_over_origins_of_means_over_series_and_steps() -> None:
    nan = np.nan
    actual = np.array([[1.0, 2.0], [10.0, nan], [5.0, 5.0], [nan, nan]])
    series, origins = np.array([0, 1, 0, 1]), np.array([7, 7, 8, 9])
    truth = Truth(actual, np.zeros(4), series, origins, np.array([2.0, 0.0]), np.ones(2))
    forecast = np.array([[2.0, 4.0], [13.0, 0.0], [5.0, 9.0], [nan, nan]])
    # origin 7: (1/2, 2/2, 3/1) → 1.5; origin 8: (0, 4/2) → 1; origin 9: nothing known
    assert scaled_error(truth, forecast) == 1.25
    assert scaled_error(truth, np.where(forecast == 13, nan, forecast)) == np.inf
    assert scaled_error(truth, np.where(forecast == 13, np.inf, forecast)) == np.inf
    assert np.isnan(scaled_error(replace(truth, actual=np.full((4, 2), nan)), forecast))


# Months of retraining.


def test_a_champion_outlives_a_broken_challenger_and_yields_to_a_better_one(tmp_path: Path) -> None:
    """A series grows by 30 days a month; each training begins with the weights of the current run."""
    csv = prices(tmp_path / "a.csv", 160)
    usual = {"training.epochs": "4", "training.refit": "full"}
    start = train(csv, {**BROKEN, "training.refit": "full"})  # hardly trained: as good as the naive forecast
    assert start.current
    current, changes = start.run, []
    months: list[tuple[dict[str, str], str | None]] = [
        (usual, "a"),  # trained on from there
        ({**BROKEN, **LEVEL}, None),  # random weights on the level
        (usual, "a"),
        ({**BROKEN, **LEVEL}, None),
        ({**usual, "training.lr": "0.01"}, "a"),
    ]
    for month, (changed, begins) in enumerate(months):
        prices(csv, 190 + 30 * month)
        result = train(csv, changed, start_from=begins)
        found = champion_of(result)
        assert result.start == (current.handle if begins else None)
        assert (found["run"], found["windows"]) == (current.handle, 29)
        assert result.current == (found["challenger_error"] <= found["error"])
        assert pipeline.predict("a", runs_dir=tmp_path / "runs").run == (
            result.run.handle if result.current else current.handle
        )
        changes.append(result.current)
        current = result.run if result.current else current
    assert (changes[1], changes[3]) == (False, False)  # the broken ones
    assert changes[0]  # a trained one takes the place of one that was hardly trained
    assert current != start.run
