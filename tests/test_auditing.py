"""The audit passes a sound training and finds each way in which later rows could reach it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import auditing, choices, judging, pipeline, stages
from lstm_forecast.auditing import Audit, audit
from lstm_forecast.config import Config
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Splits
from lstm_forecast.errors import DataInvalid, DataMissing
from lstm_forecast.events import Events
from lstm_forecast.fitting import plan_training
from lstm_forecast.opening import Opened, opened
from lstm_forecast.runs.storage import sha256_of
from lstm_forecast.stages import Prepared
from tests.conftest import Tiny
from tests.training.jobs import days, job, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS = 120
CHECKS = ["scaler_rows", "split_borders", "targets_once", "mutation", "validation_units", "covariates"]


def one_series(folder: Path) -> Path:
    return write_csv(folder / "a.csv", {"date": days(ROWS), "price": momentum(ROWS)})


def with_holes(folder: Path) -> Path:
    values = momentum(ROWS)
    values[[0, 5, 6, 40, 94, 95, 96, 100, 107, 108, 109, 119]] = np.nan
    return write_csv(folder / "a.csv", {"date": days(ROWS), "price": values})


def several_series(folder: Path, ends: Sequence[int] = (ROWS, ROWS, ROWS)) -> Path:
    """The third begins late."""
    names, dates, values = [], [], []
    for number, (first, end) in enumerate(zip((0, 0, 40), ends, strict=True)):
        names += [f"shop {number}"] * (end - first)
        dates += days(ROWS)[first:end]
        values += (momentum(ROWS, seed=number) * 10.0**number)[first:end].tolist()
    return write_csv(folder / "a.csv", {"date": dates, "id": names, "price": np.array(values)})


def covariates(folder: Path) -> Path:
    columns = {name: momentum(ROWS, seed=seed) for seed, name in enumerate(("price", "high", "volume"))}
    return write_csv(folder / "a.csv", {"date": days(ROWS), **columns})


def tomorrow(folder: Path) -> Path:
    """A column that is the price of the next day, and one that is not."""
    price = momentum(ROWS + 1)
    columns = {"price": price[:-1], "volume": momentum(ROWS, seed=1), "late": price[1:]}
    return write_csv(folder / "a.csv", {"date": days(ROWS), **columns})


def weekly(folder: Path) -> Path:
    """Numbered rows with a season that only their autocorrelation shows."""
    draw = np.random.default_rng(0)
    values = 50 + np.tile([9.0, 1, 4, 0, 3, 7, 2], ROWS)[:ROWS] + 0.3 * draw.normal(size=ROWS)
    return write_csv(folder / "a.csv", {"price": values})


ONLY_PRICES = {"data.target": "price", "data.past_covariates": "[high, volume]"}
LATE = {"data.target": "price", "data.past_covariates": "[volume, late]"}
BY_ID = {"data.series_id": "id"}
CASES: dict[str, tuple[Callable[[Path], Path], dict[str, str]]] = {
    "default": (one_series, {}),
    "level": (one_series, {"model.anchor": "none", "model.supervision": "last"}),
    "log": (one_series, {"data.transform": "log"}),
    "diff": (one_series, {"data.transform": "diff"}),
    "refitted": (one_series, {"training.refit": "full"}),
    "quantiles": (one_series, {"forecast.intervals.method": "quantile"}),
    "ensemble": (one_series, {"training.ensemble": "2"}),
    "one split": (one_series, {"split.test": "0"}),
    "statistical": (one_series, {"evaluation.baselines": "[naive, theta]"}),
    "interpolate": (with_holes, {"data.missing": "interpolate"}),
    "ffill": (with_holes, {"data.missing": "ffill", "model.anchor": "none"}),
    "drop": (with_holes, {"data.missing": "drop", "data.gaps": "keep"}),
    "series": (several_series, BY_ID),
    "global": (several_series, {**BY_ID, "scaling.per": "global", "model.anchor": "none"}),
    "covariates": (covariates, ONLY_PRICES),
    "numbered": (weekly, {"model.anchor": "none"}),
}


def run_of(csv: Path, changes: Mapping[str, str] = {}) -> Opened:
    """A tiny run on this file."""
    return opened(trained(csv, changes).run)


def audited(run: Opened, data: str | None = None) -> Audit:
    return audit(run, data=data, events=Events())


def failed(found: Audit) -> dict[str, str]:
    """Detail of each check that did not pass."""
    return {check.name: check.detail for check in found.checks if not check.ok}


@pytest.fixture
def sound(tmp_path: Path) -> Opened:
    return run_of(one_series(tmp_path))


@pytest.mark.parametrize("case", CASES)
def test_a_sound_training_passes(case: str, tmp_path: Path) -> None:
    make, changes = CASES[case]
    found = audited(run_of(make(tmp_path), changes))
    assert failed(found) == {}
    assert [check.name for check in found.checks] == CHECKS


def test_the_result_is_one_line_and_a_document(trained_once: Tiny) -> None:
    run = opened(trained_once.run)
    before = sorted(trained_once.run.path.rglob("*"))
    found = audited(run)
    assert found.ok
    assert found.line == (
        "Audit: 6 checks passed: the test rows reached neither the network nor its intervals,"
        " and the validation rows neither units nor season"
    )
    document = json.loads(json.dumps(found.to_document(), allow_nan=False))
    assert (document["v"], document["ok"]) == (1, True)
    assert document["run"] == trained_once.run.handle
    assert document["data"] == {"sha256": sha256_of(trained_once.csv.read_bytes())}
    assert document["elapsed_s"] > 0
    details = {check["name"]: check["detail"] for check in document["checks"]}
    assert list(details) == CHECKS
    assert details["scaler_rows"] == "the units are those of the 128 training rows alone"
    assert details["split_borders"] == (
        "train 2024-01-01 to 2024-05-07, validation 2024-05-08 to 2024-05-23, test 2024-05-24 to 2024-06-08"
    )
    assert details["targets_once"] == "127 + 16 + 16 rows are targets in train, validation, test, none in two"
    assert details["mutation"] == (
        "16 test rows changed: the same season, settled configuration, units, weights, validation scores,"
        " first validation forecast, first test forecast, calibration, choice of baseline;"
        " control: the last training row changed units, weights, first validation forecast"
    )
    assert details["covariates"] == "no past covariates"
    assert sorted(trained_once.run.path.rglob("*")) == before


def test_an_open_door_to_later_rows_is_found(sound: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units, and where they are used weights and scores, come from all rows."""
    monkeypatch.setattr(Panel, "until", lambda panel, _: panel)
    found = failed(audited(sound))
    assert list(found) == ["mutation", "validation_units"]
    changed = "changed units, weights, validation scores, first validation forecast, first test forecast"
    assert f"test rows times 1,000,000 {changed}" in found["mutation"]
    assert f"test rows replaced by noise {changed}" in found["mutation"]
    assert "rows after training replaced by noise changed units, weights" in found["validation_units"]


def test_units_that_were_fitted_to_all_rows_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = one_series(tmp_path)
    with monkeypatch.context() as then:
        then.setattr(Panel, "until", lambda panel, _: panel)
        run = run_of(csv)
    found = failed(audited(run))
    assert list(found) == ["scaler_rows"]
    assert found["scaler_rows"].startswith("not those of the training rows alone: unit, step_unit")


def test_of_a_run_trained_again_the_tested_units_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = one_series(tmp_path)
    with monkeypatch.context() as then:
        then.setattr(Panel, "until", lambda panel, _: panel)
        run = run_of(csv, {"training.refit": "full"})
    assert list(failed(audited(run))) == ["scaler_rows"]


def test_a_season_found_in_all_rows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(weekly(tmp_path), {"model.anchor": "none"})
    assert run.config.data.season == 7
    find = choices.with_season

    def careless(config: Config, prepared: Prepared, frequency: Any) -> tuple[Config, str]:
        whole = Splits(prepared.panel.offsets[1:], prepared.panel.offsets[1:])
        return find(config, replace(prepared, splits=whole), frequency)

    monkeypatch.setattr(choices, "with_season", careless)
    found = failed(audited(run))
    assert list(found) == ["mutation", "validation_units"]
    assert "replaced by noise changed season, settled configuration" in found["mutation"]


@pytest.mark.parametrize(
    ("empty", "found_by"), [(slice(94, 96), "validation_units"), (slice(106, 108), "mutation")]
)
def test_a_cell_before_a_border_filled_from_behind_it_is_found(
    empty: slice, found_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a cell is never a target, and reaches no weight; but a forecast begins with it."""
    values = momentum(ROWS)
    values[empty] = np.nan
    csv = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "price": values})
    run = run_of(csv, {"data.missing": "interpolate"})
    assert audited(run).ok
    fill = stages.fill_missing

    def careless(panel: Panel, policy: Any, *, train_end: Any) -> Any:
        return fill(panel, policy, train_end=panel.offsets[1:])

    monkeypatch.setattr(stages, "fill_missing", careless)
    found = failed(audited(run))
    part = "validation" if found_by == "validation_units" else "test"
    assert list(found) == [found_by]
    assert f"replaced by noise changed first {part} forecast" in found[found_by]


def test_a_calibration_with_test_rows_is_found(sound: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrate = judging.calibrate

    def careless(config: Config, panel: Panel, *others: Any) -> Any:
        found = calibrate(config, panel, *others)
        return found and replace(found, floor=found.floor + np.ptp(panel.values))

    monkeypatch.setattr(judging, "calibrate", careless)
    assert failed(audited(sound)) == {
        "mutation": "test rows times 1,000,000 changed calibration;"
        " test rows replaced by noise changed calibration"
    }


def test_a_baseline_chosen_on_test_rows_is_found(sound: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(config: Config, panel: Panel, *_: Any, end: Any) -> str:
        return "naive" if panel.values.max() < 1e6 else "mean"

    monkeypatch.setattr(judging, "best_simple", careless)
    assert failed(audited(sound)) == {"mutation": "test rows times 1,000,000 changed choice of baseline"}


def test_a_target_in_two_splits_is_found(sound: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    windowed = stages.windowed

    def careless(config: Config, panel: Panel, splits: Splits) -> Prepared:
        found = windowed(config, panel, splits)
        late = windowed(config, panel, Splits(splits.train_end + 3, splits.validation_end))
        return replace(found, train=late.train)

    monkeypatch.setattr(stages, "windowed", careless)
    found = failed(audited(sound))
    assert found["targets_once"] == "3 target rows in more than one split"
    assert "validation_units" in found


def test_counts_of_rows_that_end_on_other_dates_are_found(tmp_path: Path) -> None:
    """The first series is trained until a date at which the third is tested already."""
    csv = several_series(tmp_path, ends=(ROWS, ROWS, ROWS - 30))
    run = run_of(csv, {**BY_ID, "split.validation": "10", "split.test": "10"})
    found = failed(audited(run))
    assert found == {
        "split_borders": f"train rows reach to {days(ROWS)[99]}, validation rows begin at {days(ROWS)[70]}:"
        " give split.validation and split.test as dates"
    }


def test_numbered_rows_of_several_series_share_no_time(tmp_path: Path) -> None:
    names = ["a"] * ROWS + ["b"] * (ROWS - 20)
    values = np.concatenate([momentum(ROWS), momentum(ROWS - 20, seed=1)])
    csv = write_csv(tmp_path / "a.csv", {"id": names, "price": values})
    run = run_of(csv, {**BY_ID, "split.validation": "10", "split.test": "10"})
    assert failed(audited(run)) == {}


def test_a_run_that_was_split_elsewhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = stages.split_panel

    def careless(panel: Panel, **named: Any) -> Splits:
        found = split(panel, **named)
        return Splits(found.train_end, found.validation_end + 2)

    with monkeypatch.context() as then:
        then.setattr(stages, "split_panel", careless)
        run = run_of(one_series(tmp_path))
    assert failed(audited(run)) == {
        "split_borders": "the run was split at other rows than its file and configuration give"
    }


def test_a_check_that_could_not_fail_does_not_pass(sound: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that looks at no rows at all is unmoved by any."""
    learn, once = auditing.learn, []

    def blind(*arguments: Any, **named: Any) -> Any:
        once[:] = once or [learn(*arguments, **named)]
        return once[0]

    monkeypatch.setattr(auditing, "learn", blind)
    assert failed(audited(sound)) == {
        "mutation": "control: the last training row changes no weight, so nothing is shown"
    }


def test_a_column_that_knows_tomorrow_is_named(tmp_path: Path) -> None:
    events = Events()
    run = opened(trained(tomorrow(tmp_path), LATE, events=events).run)
    found = audited(run)
    assert not found.ok
    assert found.line == "Audit FAILED: covariates: 'late' knows tomorrow (R² 1.00)"
    assert [message for id, message in events.warnings if id == "data.leak"] == [
        "column 'late' knows tomorrow's target (R² 1.00 on training rows): is it known only afterwards?"
    ]


@pytest.mark.parametrize("known", ["in training", "later"])
def test_planning_warns_by_the_training_rows_alone(known: str, tmp_path: Path) -> None:
    """What a column is later is for the test to show: nothing may be decided by it."""
    price, other, training = momentum(ROWS + 1), momentum(ROWS, seed=2), np.arange(ROWS) < 96
    late = np.where(training == (known == "in training"), price[1:], other)
    csv = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "price": price[:-1], "late": late})
    events = Events()
    plan_training(job(csv, {"data.target": "price", "data.past_covariates": "[late]"}), events)
    warned = [message for id, message in events.warnings if id == "data.leak"]
    assert len(warned) == (known == "in training")
    assert all("'late' knows tomorrow's target (R² 1.00" in message for message in warned)


def test_the_file_may_lie_elsewhere_now(tmp_path: Path) -> None:
    csv = one_series(tmp_path)
    run = run_of(csv)
    moved = csv.rename(tmp_path / "moved.csv")
    assert audited(run, str(moved)).ok
    with pytest.raises(DataMissing) as missing:
        audited(run)
    assert missing.value.id == "audit.data"
    assert str(csv) in missing.value.message
    assert "--data" in missing.value.hint


def test_another_file_to_test_on_leaves_the_audit_with_the_recorded_one(tmp_path: Path) -> None:
    csv = one_series(tmp_path)
    run = run_of(csv)
    newer = write_csv(tmp_path / "b.csv", {"date": days(ROWS + 20), "price": momentum(ROWS + 20)})
    found = audited(run, str(newer))
    assert found.ok
    assert found.sha256 == sha256_of(csv.read_bytes())


@pytest.mark.parametrize("named", [True, False])
def test_a_changed_file_is_refused(named: bool, tmp_path: Path) -> None:
    csv = one_series(tmp_path)
    run = run_of(csv)
    then = sha256_of(csv.read_bytes())
    csv.write_text(csv.read_text().replace("2024-01-01", "2023-12-31"))
    with pytest.raises(DataInvalid) as changed:
        audited(run, str(csv) if named else None)
    assert changed.value.where == str(csv)
    assert changed.value.details == (
        f"sha256 then: {then}",
        f"sha256 now:  {sha256_of(csv.read_bytes())}",
    )
    assert "--data" in changed.value.hint


def test_standard_input_is_not_there_to_be_read_again(sound: Opened) -> None:
    config = sound.config.model_copy(update={"data": sound.config.data.model_copy(update={"path": "-"})})
    with pytest.raises(DataMissing, match="standard input"):
        audited(replace(sound, config=config))


def test_the_verb_passes_the_audit_on(trained_once: Tiny) -> None:
    result = pipeline.evaluate(
        trained_once.run.path, backtest=pipeline.Backtest(5, 1, None), audit=True, events=Events()
    )
    assert result.audit is not None
    assert result.audit.ok
