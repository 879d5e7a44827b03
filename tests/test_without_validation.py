"""``split.validation: 0``: all epochs run, nothing is chosen by rows that nobody kept for it."""

from __future__ import annotations

import csv as csv_format
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.evaluating import Backtest
from tests.conftest import Cli
from tests.training.jobs import days, files, momentum, trained, write_csv

Floats = NDArray[np.float64]
NONE = {"split.validation": "0", "split.test": "10"}


def written(path: Path, values: Floats) -> Path:
    return write_csv(path, {"date": days(len(values)), "value": values})


def test_the_weights_are_those_of_all_epochs_on_the_rows_before_the_test(tmp_path: Path) -> None:
    """A run that does validate, but on rows after these, and keeps the last weights, has the same."""
    values = momentum(110)
    blind = files(trained(written(tmp_path / "a.csv", values[:100]), NONE))
    seeing = {"split.validation": "10", "split.test": "10", "training.patience": "null"}
    watched = files(trained(written(tmp_path / "b.csv", values), seeing))
    assert blind["model.safetensors"] == watched["model.safetensors"]
    lines = [
        list(csv_format.DictReader(text["history.csv"].decode().splitlines())) for text in (blind, watched)
    ]
    assert [line["train_loss"] for line in lines[0]] == [line["train_loss"] for line in lines[1]]
    assert {line["val_loss"] + line["val_score"] for line in lines[0]} == {""}
    assert "" not in {line["val_loss"] for line in lines[1]}


STEADY = np.arange(60.0)  # the value before is off by one, that of two rows before by two
ALTERNATING = np.tile([0.0, 4.0], 30)  # the value before is off by four, that of two rows before by nothing


@pytest.mark.parametrize(
    ("early", "late", "best"), [(ALTERNATING, STEADY, "naive"), (STEADY, ALTERNATING, "seasonal_naive")]
)
def test_the_rival_is_the_best_rule_of_the_last_training_rows(
    early: Floats, late: Floats, best: str, tmp_path: Path
) -> None:
    """As many as the test has: the other rule is the better one on the rows before, and on the test."""
    values = np.concatenate([early, late[:20], early[:20]])
    changes = {**NONE, "split.test": "20", "data.season": "2", "window.horizon": "1"}
    result = trained(
        written(tmp_path / "a.csv", values), {**changes, "evaluation.baselines": "[naive, seasonal_naive]"}
    )
    assert result.verdict.baseline == best
    metrics = result.verdict.metrics
    other = "naive" if best == "seasonal_naive" else "seasonal_naive"
    assert metrics[other]["mae"] < metrics[best]["mae"]


def test_the_test_rows_reach_nothing(tmp_path: Path) -> None:
    found = []
    for factor in (1.0, 1e6):
        values = momentum(100)
        values[90:] *= factor
        found.append(files(trained(written(tmp_path / "a.csv", values), NONE)))
    assert found[0] == found[1]
    values = momentum(100)
    values[89] *= 1e6  # the last training row does
    assert files(trained(written(tmp_path / "a.csv", values), NONE)) != found[0]


def test_without_test_rows_too_there_is_no_verdict_and_a_forecast_all_the_same(
    tmp_path: Path, cli: Cli
) -> None:
    csv = written(tmp_path / "a.csv", momentum(100))
    result = trained(csv, {"split.validation": "0", "split.test": "0", "training.ensemble": "2"})
    assert result.verdict.word is None
    assert result.verdict.sentence == "No verdict: there is no test split (split.test: 0)."
    forecast = pipeline.predict(result.run.path)
    assert [(row.source, row.bounds) for row in forecast.rows] == [("model", ())] * 2
    refused = cli("evaluate", "a", "--runs-dir", csv.parent / "runs")
    assert (refused.code, refused.out) == (11, "")
    assert "evaluate.no_origins" in refused.err


def test_everything_after_a_training_copes(tmp_path: Path, cli: Cli) -> None:
    """Pictures, the final fit, backtests that train again, the audit, a contest, the next run."""
    csv = written(tmp_path / "a.csv", momentum(100))
    changes = {**NONE, "training.refit": "full", "run.plots": "true", "run.promote": "if_better"}
    first = trained(csv, changes)
    assert (first.refitted, first.judged.calibration, first.judged.gate) == (True, None, None)
    assert (first.run.path / "plots" / "loss.png").is_file()
    found = pipeline.evaluate(first.run.path, backtest=Backtest(None, 1, 4), audit=True)
    assert found.evaluation.refits == 2
    assert found.audit is not None
    assert found.audit.ok, found.audit.line
    assert found.evaluation.bounds == {}
    second = trained(csv, {**changes, "training.lr": "0.01"})
    assert second.contest is not None
    metrics = json.loads((second.run.path / "metrics.json").read_text())
    assert (metrics["best_epoch"], metrics["stopped"], metrics["calibration"]) == (2, "epochs", None)
    checked = cli("check", csv, "--set", "split.validation=0", "--json")
    assert checked.code == 0, checked.err
    asked = cli("predict", "a", "--levels", "80", "--runs-dir", csv.parent / "runs")
    assert asked.code == 2
    assert "train again with forecast.intervals.method: conformal and split.validation: 0.1" in asked.err


def test_a_bare_csv_gets_no_gate_for_it(tmp_path: Path, cli: Cli) -> None:
    """The default gives way; only a gate that was asked for is refused."""
    csv = written(tmp_path / "a.csv", momentum(100))
    words = [
        "--lookback",
        "8",
        "--epochs",
        "1",
        "--runs-dir",
        tmp_path / "runs",
        "--set",
        "split.validation=0",
    ]
    done = cli("train", csv, *words, "--set", "run.plots=false")
    assert done.code == 0, done.err
    assert "evaluation.gate" not in done.err
    assert "training.patience: null, because split.validation: 0" in done.err
    assert "best simple one on the last 10 training rows" in done.err
    refused = cli("train", csv, *words, "--set", "evaluation.gate=baseline")
    assert (refused.code, refused.out) == (2, "")
    assert "split.validation: 0 and evaluation.gate: baseline do not go together" in refused.err
