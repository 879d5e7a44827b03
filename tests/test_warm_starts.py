"""``train --from``: which weights a training begins with, which runs are refused, and that no row leaks."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.config import load_config
from lstm_forecast.errors import ArtifactRejected, RunMissing, UsageError
from lstm_forecast.events import Events
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.opening import opened
from lstm_forecast.runs.run import publish, sorted_runs
from lstm_forecast.warm_starts import rows_seen
from tests.conftest import ROOT, SMALL, Cli
from tests.forked import Warm
from tests.training.jobs import Floats, days, files, job, momentum, write_csv

# So many rows of each part: the same ones again, or later ones, as the file grows.
PARTS = {"split.validation": "20", "split.test": "20"}
FULL = {"training.refit": "full", "training.ensemble": "2"}
# Steps far too long: no epoch is better than the weights it began with, which are therefore kept.
USELESS = {"training.optimizer": "sgd", "training.lr": "100", "training.clip_norm": "100"}


def prices(path: Path, count: int, *, blown_up_from: int | None = None) -> Path:
    """The first days of one walk, those from a row on a million times as large."""
    values = momentum(400)[:count]
    if blown_up_from is not None:
        values[blown_up_from:] *= 1e6
    return write_csv(path, {"date": days(count), "value": values})


def train(
    csv: Path,
    changes: Mapping[str, str] = {},
    *,
    start_from: str | Path | None = None,
    events: Events | None = None,
) -> pipeline.TrainResult:
    loaded = job(csv, {**PARTS, **changes})
    return pipeline.train(loaded, runs_dir=csv.parent / "runs", start_from=start_from, events=events)


def bits(networks: Sequence[RegLSTM]) -> list[bytes]:
    return [b"".join(w.numpy().tobytes() for w in network.state_dict().values()) for network in networks]


def lines(events: Events) -> list[str]:
    """Collects the account."""
    found: list[str] = []
    events.readers.append(lambda e: found.extend(e.fields["lines"]) if e.name == "account" else None)  # type: ignore[call-overload]
    return found


def refusal(csv: Path, changes: Mapping[str, str], start_from: str | Path) -> UsageError:
    """The error of a training that does not begin; it writes nothing."""
    before = sorted(csv.parent.rglob("*"))
    with pytest.raises(UsageError) as caught:
        train(csv, changes, start_from=start_from)
    assert sorted(csv.parent.rglob("*")) == before
    return caught.value


# Which weights.


def test_every_network_begins_where_its_own_ended(tmp_path: Path) -> None:
    """Kept as they began: the tested ones like the tested ones, the final ones like the final ones."""
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv, FULL)
    prices(csv, 200)
    events = Events()
    said = lines(events)
    second = train(csv, {**FULL, **USELESS}, start_from="a", events=events)
    old, new = opened(first.run), opened(second.run)
    assert new.metrics["best_epochs"] == [0, 0]
    assert bits(new.tested.networks) == bits(old.tested.networks)
    assert bits(new.forecaster.networks) == bits(old.forecaster.networks)
    assert len({*bits(old.tested.networks), *bits(old.forecaster.networks)}) == 4
    assert any(f"starts with the weights of {first.run.handle};" in line for line in said)
    # everything else is fitted anew, on the new training rows: 160 of 200
    scaling = new.tested.scaling
    rows = momentum(400)[:160]
    assert scaling.offset[0, 0] == pytest.approx(rows.min(), rel=1e-12)
    assert scaling.step_unit[0, 0] == pytest.approx(np.diff(rows).std(), rel=1e-12)


def test_it_is_trained_on_from_there_and_differs_from_a_training_of_its_own(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv)
    prices(csv, 200)
    changes = {"training.patience": "null"}
    warm, fresh = train(csv, changes, start_from=first.run.path), train(csv, changes)
    weights = [bits(opened(result.run).tested.networks) for result in (first, warm, fresh)]
    assert weights[0] != weights[1] != weights[2] != weights[0]
    assert files(warm)["preprocess.json"] == files(fresh)["preprocess.json"]
    again = train(csv, changes, start_from=first.run.handle)
    assert files(again) == files(warm)


@pytest.mark.parametrize("anchor", ["none", "last"])
def test_the_weights_as_they_begin_are_kept_where_no_epoch_is_better(anchor: str, tmp_path: Path) -> None:
    """Without an anchor first weights are no forecast and no epoch 0 is scored; weights of a run are."""
    csv = prices(tmp_path / "a.csv", 160)
    changes = {"model.anchor": anchor}
    first = train(csv, changes)
    begun = [line.split(",")[1] for line in (first.run.path / "history.csv").read_text().splitlines()[1:]]
    assert begun[0] == ("1" if anchor == "none" else "0")
    prices(csv, 180)
    events = Events()
    said = lines(events)
    second = train(csv, {**changes, **USELESS}, start_from="a", events=events)
    history = (second.run.path / "history.csv").read_text().splitlines()
    assert history[1].startswith("1,0,")
    assert any(f"kept: the weights of {first.run.handle} as they were" in line for line in said)
    assert bits(opened(second.run).tested.networks) == bits(opened(first.run).tested.networks)


def test_the_run_and_every_result_say_where_it_began(cli: Cli, tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    words = ["train", csv, *SMALL, "--set", "run.plots=false", "--runs-dir", tmp_path / "runs"]
    assert json.loads(cli(*words, "--json").out)["from"] is None
    (first,) = sorted_runs(tmp_path / "runs" / "a")
    prices(csv, 200)
    dry = cli(*words, "--from", "a", "--dry-run")
    assert (dry.code, len(sorted_runs(tmp_path / "runs" / "a"))) == (0, 1)
    assert f"Would train a, from {first.handle} on " in dry.out
    assert json.loads(cli(*words, "--from", "a", "--dry-run", "--json").out)["from"] == first.handle
    assert json.loads(cli(*words, "--from", "a", "--json").out)["from"] == first.handle
    newest = sorted_runs(tmp_path / "runs" / "a")[0]
    assert json.loads((newest.path / "run.json").read_text())["from"] == first.handle
    assert json.loads((first.path / "run.json").read_text())["from"] is None
    assert f"from:     {first.handle}" in cli("runs", "show", "a", "--runs-dir", tmp_path / "runs").out
    assert "from: " not in cli("runs", "show", first.path).out
    same = json.loads(cli(*words, "--from", "nosuch", "--if-changed", "--json").out)  # nothing to begin
    assert (same["trained"], same["from"]) == (False, first.handle)


# Which runs.


def test_all_that_differs_is_listed(tmp_path: Path) -> None:
    csv = write_csv(
        tmp_path / "a.csv",
        {"date": days(160), "value": momentum(160), "volume": momentum(160, seed=1)},
    )
    chosen = {"data.target": "value", "run.name": "old"}
    first = train(csv, chosen)
    other = {
        "data.target": "volume",
        "data.past_covariates": "[value]",
        "data.transform": "log",
        "window.horizon": "3",
        "window.lookback": "9",  # may be another
        "model.hidden_size": "4",
        "model.dropout": "0.5",
        "training.ensemble": "2",
        "scaling.method": "standard",
    }
    error = refusal(csv, other, first.run.path)
    handle = first.run.handle
    assert (error.id, error.where) == ("from.differs", "--from")
    assert sorted(error.details) == [
        f"covariates: value here, none in {handle}",
        f"data.transform: log here, none in {handle}",
        f"model.dropout: 0.5 here, 0.2 in {handle}",
        f"model.hidden_size: 4 here, 3 in {handle}",
        f"scaling.method: standard here, minmax in {handle}",
        f"target: volume here, value in {handle}",
        f"training.ensemble: 2 here, 1 in {handle}",
        f"window.horizon: 3 here, 2 in {handle}",
    ]
    assert error.hint == "make them the same, or train without --from"  # no key makes a column another
    assert train(csv, {**chosen, "window.lookback": "9"}, start_from="old").start == handle
    keys = {**chosen, "model.dropout": "0.5", "training.ensemble": "2"}
    assert refusal(csv, keys, first.run.path).hint == (
        "make them the same: --set 'model.dropout=0.2' --set 'training.ensemble=1', or train without --from"
    )


def test_the_configuration_of_the_run_is_named_where_newer_rows_choose_other_networks(tmp_path: Path) -> None:
    reads = {"model.supervision": "last", "model.normalize": "none", "model.linear_skip": "true"}
    auto = {**reads, "window.lookback": "auto", "run.name": "old"}
    first = train(prices(tmp_path / "a.csv", 200), auto)
    longer = prices(tmp_path / "a.csv", 360)
    error = refusal(longer, auto, "old")
    kept = first.run.path / "config.yaml"
    handle = first.run.handle
    assert list(error.details) == [
        f"window.lookback: 40 here, 20 in {handle}"
    ]  # an eighth of the training rows
    assert error.hint == f"train with what was chosen then: {kept}, or train without --from"
    events = Events()
    loaded = load_config(kept, environ={})
    assert pipeline.train(loaded, runs_dir=tmp_path / "runs", start_from="old", events=events).start == handle


def test_the_same_columns_in_other_roles_are_other_networks(tmp_path: Path) -> None:
    kind = ["x"] * 160
    csv = write_csv(
        tmp_path / "a.csv",
        {"date": days(160), "value": momentum(160), "volume": momentum(160, seed=1), "kind": kind},
    )
    chosen = {"data.target": "value", "run.name": "old", "data.past_covariates": "[volume]"}
    first = train(csv, chosen)
    other = {"data.target": "value", "data.future_covariates": "[volume]", "data.static_covariates": "[kind]"}
    error = refusal(csv, other, first.run.path)
    handle = first.run.handle
    assert sorted(error.details) == [
        f"known ahead: 1 column and 0 of the calendar here, 0 columns and 0 of the calendar in {handle}",
        f"static covariates: kind (x) here, none in {handle}",
    ]


def test_rows_with_numbers_cannot_be_told_from_rows_with_dates(tmp_path: Path) -> None:
    first = train(prices(tmp_path / "dated.csv", 160))
    csv = write_csv(tmp_path / "a.csv", {"value": momentum(200)})
    assert refusal(csv, {}, first.run.path).details == (
        f"times: row numbers here, dates in {first.run.handle}",
    )


def test_a_run_without_a_network_is_refused_and_a_file_without_one_says_so(tmp_path: Path) -> None:
    bare = {"run.name": "short"}
    csv = prices(tmp_path / "a.csv", 40)
    loaded = job(csv, bare)
    window = loaded.config.window.model_copy(update={"lookback": 60})  # nobody's own: there it is an error
    origins = {**loaded.origins, "window.lookback": "default"}
    short = replace(loaded, config=loaded.config.model_copy(update={"window": window}), origins=origins)
    fallen = pipeline.train(short, runs_dir=tmp_path / "runs")
    assert fallen.verdict.word is None
    prices(csv, 160)
    error = refusal(csv, {}, "short")
    assert (error.id, error.code) == ("from.no_network", 2)
    good = train(csv)
    prices(csv, 40)
    events = Events()
    begun = pipeline.train(short, runs_dir=tmp_path / "runs", start_from=good.run.path, events=events)
    assert begun.start is None
    assert [id for id, _ in events.warnings if id.startswith("from")] == ["from.unused"]


def test_a_missing_run_is_12_and_a_damaged_one_13(tmp_path: Path, cli: Cli) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv)
    with pytest.raises(RunMissing):
        train(csv, start_from="b")
    words = ["train", csv, *SMALL, "--runs-dir", tmp_path / "runs", "--from"]
    assert cli(*words, "b").code == 12
    path = first.run.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactRejected):
        train(csv, start_from="a")
    damaged = cli(*words, "a")
    assert (damaged.code, damaged.out) == (13, "")
    assert len(sorted_runs(tmp_path / "runs" / "a")) == 1


# No row leaks.


def test_no_later_row_reaches_the_weights_through_the_run_they_began_with(tmp_path: Path) -> None:
    """That run's final fit saw the rows that are tested here; its tested networks did not."""
    begun = []
    for name, blown_up_from in (("plain", None), ("changed", 180)):  # 200 rows: the test split is 180 … 199
        folder = tmp_path / name
        folder.mkdir()
        csv = prices(folder / "a.csv", 200, blown_up_from=blown_up_from)
        first = train(csv, {"training.refit": "full"})
        second = train(csv, {"training.refit": "full"}, start_from="a")
        begun.append((opened(first.run), opened(second.run), files(second)))
    (old, new, plain), (old_changed, new_changed, changed) = begun
    assert bits(old.forecaster.networks) != bits(old_changed.forecaster.networks)  # the change is seen
    assert bits(new.tested.networks) == bits(new_changed.tested.networks)
    same = ("history.csv", "calibration", "baseline")
    assert {name: plain[name] for name in same} == {name: changed[name] for name in same}


def first_days(rows: int) -> str:
    return (date(2024, 1, 1) + timedelta(days=rows)).isoformat()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # 160 rows each. Fitted on rows 0 … 139, chosen by 140 … 149; then validation begins at row 120.
        ((10, 10), (20, 20), [("validation", 120, "fitted to", 139), ("test", 140, "chosen by", 149)]),
        # fitted on rows 0 … 119, chosen by 120 … 149; then validation 120 … 129 and test 130 … 159
        ((30, 10), (10, 30), [("test", 130, "chosen by", 149)]),
        ((10, 10), (11, 10), [("validation", 139, "fitted to", 139)]),
        ((10, 10), (10, 10), []),  # the very same split
        ((20, 10), (10, 20), [("test", 140, "chosen by", 149)]),
        ((20, 10), (5, 10), []),
        ((10, 10), (0, 30), [("test", 130, "chosen by", 149)]),
        ((0, 10), (0, 20), [("test", 140, "chosen by", 149)]),
        ((0, 10), (0, 10), []),
    ],
)
def test_a_run_that_saw_the_rows_to_be_judged_by_is_refused(
    old: tuple[int, int],
    new: tuple[int, int],
    said: list[tuple[str, int, str, int]],
    tmp_path: Path,
    cli: Cli,
) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first = train(csv, {"split.validation": str(old[0]), "split.test": str(old[1])})
    parts = {"split.validation": str(new[0]), "split.test": str(new[1])}
    if not said:
        assert train(csv, parts, start_from="a").start == first.run.handle
        return
    error = refusal(csv, parts, "a")
    assert (error.id, error.code) == ("from.leak", 2)
    assert list(error.details) == [
        f"{part} begins at {first_days(begins)}; the networks were {how} rows up to {first_days(last)}"
        for part, begins, how, last in said
    ]
    if "--set" in error.hint:  # what is to be typed does work
        words = error.hint.split(": ", 1)[1].split()
        keys = dict(word.split("=") for word in words if word != "--set")
        keys = {"split.validation": "0", **keys} if new[0] == 0 else keys
        assert train(csv, keys, start_from="a").start == first.run.handle


def test_the_hint_of_a_split_without_room_is_to_wait(tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    train(csv, {"split.validation": "10", "split.test": "2"})
    error = refusal(csv, {"split.validation": "20", "split.test": "10"}, "a")
    # fitted up to row 147, chosen by 148 … 157: both parts fit behind that, two rows the last one
    assert error.hint.endswith("--set split.validation=2024-05-28 --set split.test=2024-06-07")
    train(csv, {"split.validation": "2", "split.test": "2", "run.name": "late"})
    prices(csv, 159)
    error = refusal(csv, {"split.validation": "20", "split.test": "10", "run.name": "late"}, "late")
    assert error.hint == "train without --from, or wait for newer rows"


def test_rows_without_times_are_counted(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"value": momentum(160)})
    train(csv, {"split.validation": "10", "split.test": "10"})
    error = refusal(csv, {}, "a")
    assert error.details[0].startswith("validation begins at ")
    assert error.hint == "train without --from, or give split.validation and split.test fewer rows"


def test_a_run_that_kept_no_training_row_is_known_by_its_first_validation_row(tmp_path: Path) -> None:
    """A validation split longer than what a run keeps before its test rows: 300 rows."""
    csv = prices(tmp_path / "a.csv", 400)
    first = train(csv, {"split.validation": "300", "split.test": "20"})
    kept = opened(first.run)
    assert kept.splits.train_end[0] == kept.context.offsets[0]  # none of rows 0 … 79
    error = refusal(csv, {"split.validation": "301", "split.test": "20"}, "a")
    begins = f"validation begins at {first_days(79)}; the networks were fitted to rows up to {first_days(79)}"
    assert list(error.details) == [begins]
    assert train(csv, {"split.validation": "300", "split.test": "20"}, start_from="a").start is not None


def shops(path: Path, counts: Mapping[str, int]) -> Path:
    """A long file: so many days of each shop."""
    columns: dict[str, Sequence[str] | Floats] = {
        "date": [day for count in counts.values() for day in days(count)],
        "shop": [name for name, count in counts.items() for _ in range(count)],
        "value": np.concatenate([momentum(count, seed=ord(name)) for name, count in counts.items()]),
    }
    return write_csv(path, columns)


TEN = {"data.series_id": "shop", "split.validation": "10", "split.test": "10"}


def test_every_series_has_its_own_rows_and_a_new_one_has_none(tmp_path: Path) -> None:
    csv = shops(tmp_path / "a.csv", {"a": 160, "b": 120})
    train(csv, TEN)
    shops(csv, {"a": 180, "b": 120, "c": 80})
    error = refusal(csv, {**TEN, "split.test": "20"}, "a")
    expected = [
        f"{part} of b begins at {first_days(begins)}; the networks were {how} rows up to {first_days(last)}"
        for part, begins, how, last in (("validation", 90, "fitted to", 99), ("test", 100, "chosen by", 109))
    ]
    assert list(error.details) == expected
    assert train(csv, TEN, start_from="a").start is not None


def test_what_the_first_of_three_runs_saw_is_not_forgotten_by_the_third(tmp_path: Path) -> None:
    """A series that the second run did not have: its rows are known from the first one all the same."""
    csv = shops(tmp_path / "a.csv", {"a": 160, "b": 160})
    first = train(csv, TEN)
    shops(csv, {"a": 200, "c": 160})
    second = train(csv, TEN, start_from="a")
    seen = rows_seen(opened(second.run))
    assert seen["b"] == rows_seen(opened(first.run))["b"]
    shops(csv, {"a": 200, "b": 160})
    error = refusal(csv, {**TEN, "split.validation": "12"}, second.run.handle)
    assert [line.split(" begins")[0] for line in error.details] == ["validation of a", "validation of b"]
    shutil.rmtree(first.run.path)  # nor when that run is gone
    assert list(refusal(csv, {**TEN, "split.validation": "12"}, "a").details) == list(error.details)


@pytest.mark.parametrize(
    "damage", ['["b"]', '{"b": 1}', '{"b": [1]}', '{"b": ["x", 1]}', '{"b": [1, 1e300]}']
)
def test_what_a_run_says_it_saw_is_not_trusted(damage: str, tmp_path: Path) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    run = opened(train(csv).run)
    about = {**run.about, "from_seen": json.loads(damage)}
    publish(run.run, {**run.files, "run.json": json.dumps(about).encode()})
    with pytest.raises(ArtifactRejected, match="from_seen"):
        train(csv, start_from="a")


# Taken up again.


def test_row_26_a_killed_warm_start_goes_on_to_the_same_bits_from_the_same_run_only(
    tmp_path: Path, cli: Cli, warm: Warm
) -> None:
    csv = prices(tmp_path / "a.csv", 160)
    first, other = train(csv, {"run.name": "old"}), train(csv, {"run.name": "other", "training.seed": "7"})
    words = ["train", str(csv), "--lookback", "8", "--horizon", "2", "--epochs", "4", "--device", "cpu"]
    sets = {
        **PARTS,
        "model.hidden_size": "3",
        "model.num_layers": "1",
        "training.refit": "full",
        "training.checkpoint_every": "0s",
        "run.plots": "false",
    }
    words += [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    words += ["--runs-dir", str(tmp_path / "runs")]
    began = [*words, "--from", "old"]
    assert cli(*began, "--name", "straight").code == 0
    script = ROOT / "tests/training/killed.py"
    died = warm.run(["12", "SIGKILL", *began, "--name", "job"], script=script)
    assert died.code == -signal.SIGKILL
    (run,) = sorted_runs(tmp_path / "runs" / "job")
    for more, now in (([], "not given"), (["--from", other.run.handle], other.run.handle)):
        refused = cli(*words, "--name", "job", f"--resume={run.id}", *more)
        assert refused.code == 2
        assert f"changed: --from (was {first.run.handle}, is {now})" in refused.err
    assert cli(*began, "--name", "job", f"--resume={run.id}").code == 0
    straight = sorted_runs(tmp_path / "runs" / "straight")[0]
    for name in ("model.safetensors", "preprocess.json"):
        assert (run.path / name).read_bytes() == (straight.path / name).read_bytes()
