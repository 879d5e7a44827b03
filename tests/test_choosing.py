"""What `auto` becomes: from the training rows alone, beside every key that was set, and with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast import pipeline
from lstm_forecast.choosing import LEAST_ROWS, _one_of_the_best
from lstm_forecast.config import Loaded, config_values, dump_config, load_config, with_values, yaml_text
from lstm_forecast.config.left_open import CHOSEN
from lstm_forecast.events import Event, Events
from lstm_forecast.fitting import Plan, learn, plan_training
from lstm_forecast.forecasting.linear import Trial
from tests.conftest import ROOT, Cli
from tests.training.jobs import days, files, momentum, write_csv

Floats = NDArray[np.float64]
WEEK = np.array([0.0, 3.0, 5.0, 4.0, 8.0, -6.0, -9.0])
REASON = re.compile(r"([a-z_]+(?:\.[a-z_]+)+): (\S.*?), because (\S.*)")
SEASONAL = {
    "model.segment": 7,
    "model.linear_skip": True,
    "model.normalize": "last",
    "model.supervision": "last",
    "scaling.method": "standard",
    "training.schedule": "cosine",
    "training.loss": "mae",
}
BY_STEPS = {
    "model.segment": 1,
    "model.linear_skip": False,
    "model.normalize": "diff",
    "model.supervision": "every_step",
    "model.anchor": "last",
    "scaling.method": "minmax",
    "training.schedule": "none",
    "data.transform": "none",
}


def weekly(rows: int, *, seed: int = 0, level: float = 50.0) -> Floats:
    """A week with a shape around a level, and noise."""
    noise = np.random.default_rng(seed).normal(size=rows)
    return np.asarray(level + WEEK[np.arange(rows) % 7] + noise)


def growing(rows: int) -> Floats:
    """A week whose swings grow with a level that doubles every hundred rows: steady in logarithms alone."""
    noise = np.random.default_rng(1).normal(scale=0.01, size=rows)
    return np.exp(np.arange(rows) * np.log(2) / 100 + WEEK[np.arange(rows) % 7] / 30 + noise)


def one(path: Path, values: Floats | Sequence[float]) -> Path:
    return write_csv(path, {"date": days(len(values)), "value": np.asarray(values, dtype=np.float64)})


def many(path: Path, *series: Floats) -> Path:
    """A long file; all series end on the same day."""
    most = max(map(len, series))
    dates = [day for values in series for day in days(most)[most - len(values) :]]
    names = [f"s{number}" for number, values in enumerate(series) for _ in values]
    return write_csv(path, {"date": dates, "id": names, "value": np.concatenate(series)})


def bare(csv: Path, *sets: str) -> Loaded:
    return load_config(None, sets=sets, base={"data.path": str(csv)}, environ={})


def written(csv: Path, text: str = "") -> Loaded:
    """A configuration beside the file; ``text`` is YAML with sections in one line each."""
    path = csv.with_suffix(".yaml")
    path.write_text(f"data: {{path: {csv.name}}}\n{text}" if not text.startswith("data:") else text)
    return load_config(path, environ={})


def planned(loaded: Loaded) -> tuple[Plan, list[str]]:
    """The plan, and the lines that were said."""
    lines: list[str] = []

    def read(event: Event) -> None:
        lines.extend(event.fields.get("lines", []))

    return plan_training(loaded, Events([read])), lines


def chosen(plan: Plan) -> dict[str, object]:
    """Every key but those of the file itself, which say nothing of a choice."""
    return {key: value for key, value in config_values(plan.config).items() if key != "data.path"}


def reasons(lines: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Key to value and reason, of the lines that say a choice."""
    found = [REASON.fullmatch(line) for line in lines if ", because " in line]
    assert all(found), lines
    return {match[1]: (match[2], match[3]) for match in found if match}


def trains(plan: Plan) -> None:
    """One short epoch of the planned network gives finite weights."""
    changes: dict[str, object] = {"training.epochs": 1, "training.max_time": None}
    if plan.config.window.stride == 1:
        changes["training.steps_per_epoch"] = 2
    if not isinstance(plan.config.model.hidden_size, tuple):
        changes["model.hidden_size"] = 3
    config = with_values(plan.config, changes)
    done = learn(config, plan.prepared, device=torch.device("cpu"), on_epoch=lambda *_: None)
    for network in done.forecaster.networks:
        assert all(torch.isfinite(weight).all() for weight in network.parameters())


def again(plan: Plan, folder: Path) -> Plan:
    """What the resolved configuration settles on when it is loaded as a file."""
    path = folder / "again.yaml"
    path.write_text(dump_config(plan.config))
    return planned(load_config(path, environ={}))[0]


SHIPPED: dict[str, Mapping[str, object]] = {
    "stock.csv": {**BY_STEPS, "window.lookback": 60, "training.batch_size": 16},
    "airline.csv": {**SEASONAL, "model.segment": 12, "data.transform": "log", "model.anchor": "seasonal"},
    "demand.csv": {**SEASONAL, "model.segment": 24, "model.anchor": "seasonal"},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipe_of_a_shipped_file_fits_its_season(name: str, tmp_path: Path) -> None:
    """Prices are read step by step; passengers and demand, which repeat, a season or a half at a time."""
    plan, lines = planned(bare(ROOT / "data" / name))
    values = chosen(plan)
    assert {key: values[key] for key in SHIPPED[name]} == SHIPPED[name]
    assert "auto" not in [values[key] for key in (*CHOSEN, "window.stride")]
    if name != "stock.csv":
        assert plan.config.window.lookback % (plan.config.data.season or 1) == 0
        assert set(reasons(lines)) >= {"model.segment", "window.lookback", "model.anchor", "data.transform"}
    assert again(plan, tmp_path).config == plan.config


def test_a_file_with_a_week_gets_the_seasonal_recipe_and_a_walk_the_one_by_steps(tmp_path: Path) -> None:
    season, lines = planned(bare(one(tmp_path / "week.csv", weekly(300))))
    values = chosen(season)
    assert {key: values[key] for key in SEASONAL} == SEASONAL
    said = reasons(lines)
    for key, (value, _) in said.items():
        assert str(values[key]) == value.replace("true", "True"), key
    assert said["model.segment"][1].startswith("the season of 7 steps is strong: 0.9")
    walk, lines = planned(bare(one(tmp_path / "walk.csv", momentum(300))))
    values = chosen(walk)
    assert {key: values[key] for key in BY_STEPS} == BY_STEPS
    assert reasons(lines)["window.lookback"][0] == str(walk.config.window.lookback) == "30"  # 240 // 8


def test_logarithms_are_taken_where_they_help_and_nowhere_else(tmp_path: Path) -> None:
    plan, lines = planned(bare(one(tmp_path / "grows.csv", growing(400))))
    assert plan.config.data.transform == "log"
    assert re.fullmatch(
        r"linear forecasts of training rows err by \S+ \(log\), \S+ \(none\)",
        reasons(lines)["data.transform"][1],
    )
    assert planned(bare(one(tmp_path / "a.csv", weekly(400))))[0].config.data.transform == "none"


NO_LOGARITHM = {
    "below 0": growing(400) - 3.0,
    "a zero": np.where(np.arange(400) == 77, 0.0, growing(400)),
    "near 0": np.where(np.arange(400) == 77, 1e-6, growing(400)),
    "below 0 later": np.where(np.arange(400) == 390, -1.0, growing(400)),
    "a zero later": np.where(np.arange(400) == 330, 0.0, growing(400)),
}


@pytest.mark.parametrize("name", NO_LOGARITHM)
def test_no_logarithm_is_chosen_that_a_row_does_not_have(name: str, tmp_path: Path) -> None:
    """Also a later row: training would refuse a transform that nobody asked for."""
    plan, _ = planned(bare(one(tmp_path / "a.csv", NO_LOGARITHM[name])))
    assert plan.config.data.transform == "none"
    assert plan.config.model.segment == 7


SET = {  # what was set, on a file with a week: every other key goes with it
    "window.lookback=25": 25,
    "window.lookback=5": 5,
    "window.stride=3": 3,
    "model.segment=2": 2,
    "model.segment=1": 1,
    "model.segment=11": 11,
    "model.anchor=none": "none",
    "model.anchor=last": "last",
    "model.anchor=seasonal": "seasonal",
    "model.linear_skip=false": False,
    "model.supervision=every_step": "every_step",
    "model.supervision=last": "last",
    "model.bidirectional=true": True,
    "model.readout=cell": "cell",
    "model.readout=both": "both",
    "model.cell=gru": "gru",
    "model.head=quantile": "quantile",
    "forecast.intervals.method=quantile": "quantile",
    "model.normalize=diff": "diff",
    "model.normalize=none": "none",
    "model.normalize=mean_std": "mean_std",
    "model.hidden_size=[4, 5]": [4, 5],
    "model.num_layers=3": 3,
    "data.transform=diff": "diff",
    "data.transform=log": "log",
    "data.transform=log1p": "log1p",
    "scaling.method=robust": "robust",
    "training.steps_per_epoch=5": 5,
    "training.epochs=3": 3,
    "training.batch_size=7": 7,
    "training.loss=smape": "smape",
    "training.schedule=plateau": "plateau",
    "training.patience=null": None,
    "split.validation=0": 0,
    "split.validation=2024-09-01": "2024-09-01",
    "window.horizon=30": 30,
    "data.season=14": 14,
    "data.season=1": 1,
}


@pytest.mark.parametrize("values", [weekly(300), momentum(300)], ids=["week", "walk"])
@pytest.mark.parametrize("given", SET)
def test_a_key_that_was_set_stays_and_the_others_go_with_it(
    given: str, values: Floats, tmp_path: Path
) -> None:
    plan, lines = planned(bare(one(tmp_path / "a.csv", values), given))
    key = given.partition("=")[0]
    found = config_values(plan.config)
    assert found[key] == SET[given]
    assert "auto" not in [found[key] for key in (*CHOSEN, "window.stride")]
    assert plan.shortfall is None
    said = reasons(lines)
    keys = [line.partition(": ")[0] for line in lines if ", because " in line]
    assert sorted(set(keys)) == sorted(said)
    assert [one for one in set(keys) if keys.count(one) > 1] in (
        [],
        ["window.stride"],
    )  # of few rows narrowed
    assert key not in said
    told = said.get("scaling.method", ("", ""))[1]
    assert f"{key.partition('.')[2]} " not in told
    trains(plan)
    assert again(plan, tmp_path).config == plan.config


def unlike(one: Plan, other: Plan) -> dict[str, tuple[object, object]]:
    before, after = chosen(one), chosen(other)
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


@pytest.mark.parametrize("name", ["airline.csv", "week", "walk"])
def test_a_key_that_is_set_to_what_would_be_chosen_changes_nothing(name: str, tmp_path: Path) -> None:
    csv = ROOT / "data" / name
    if name in ("week", "walk"):
        csv = one(tmp_path / "a.csv", weekly(300) if name == "week" else momentum(300))
    plan, lines = planned(bare(csv))
    values = chosen(plan)
    for key in reasons(lines):
        if key == "window.stride":  # of a stride that is named all windows are taken, none are drawn
            continue
        again_, _ = planned(bare(csv, f"{key}={yaml_text(values[key])}"))
        assert unlike(plan, again_) == {}, key


@pytest.mark.parametrize("given", ["scaling.method=robust", "training.optimizer=sgd", "model.num_layers=2"])
def test_one_key_of_the_recipe_leaves_the_others(given: str, tmp_path: Path) -> None:
    csv = one(tmp_path / "a.csv", weekly(300))
    key = given.partition("=")[0]
    assert set(unlike(planned(bare(csv))[0], planned(bare(csv, given))[0])) == {key}


def test_a_batch_that_was_set_draws_as_many_windows(tmp_path: Path) -> None:
    csv, drawn = one(tmp_path / "a.csv", weekly(300)), []
    for sets in ((), ("training.batch_size=5",)):
        how = planned(bare(csv, *sets))[0].config.training
        drawn.append((how.steps_per_epoch or 0) * how.batch_size * how.epochs)
    assert drawn[1] == pytest.approx(drawn[0], rel=0.02)


PAIRS = (
    ("model.supervision=every_step", "model.normalize=diff", "window.lookback=21"),
    ("model.head=quantile", "training.steps_per_epoch=4", "data.transform=log"),
    ("model.segment=3", "window.lookback=21", "model.anchor=none"),
    ("model.segment=5", "model.anchor=seasonal"),
    ("window.stride=4", "training.epochs=6", "model.anchor=seasonal"),
    ("data.transform=diff", "model.supervision=every_step"),
    ("model.bidirectional=true", "model.segment=7", "training.epochs=2"),
    ("model.cell=rnn", "model.nonlinearity=relu", "model.readout=hidden"),
    ("split.validation=0", "training.loss=[smape, mase]", "training.ensemble=2"),
)


@pytest.mark.parametrize("values", [weekly(300), momentum(300)], ids=["week", "walk"])
@pytest.mark.parametrize("given", PAIRS, ids=" ".join)
def test_several_keys_that_were_set_stay(given: Sequence[str], values: Floats, tmp_path: Path) -> None:
    csv = one(tmp_path / "a.csv", values)
    plan, _ = planned(bare(csv, *given))
    asked = load_config(None, sets=given, base={"data.path": str(csv)}, environ={}).config
    for key in (text.partition("=")[0] for text in given):
        assert config_values(plan.config)[key] == config_values(asked)[key]
    trains(plan)
    assert again(plan, tmp_path).config == plan.config


ALONE = ("data.transform", *(key for key in CHOSEN if key != "data.transform"))


@pytest.mark.parametrize("values", [weekly(300), momentum(300)], ids=["week", "walk"])
@pytest.mark.parametrize("key", ALONE)
def test_each_auto_alone_settles_in_a_configuration_and_leaves_the_rest(
    key: str, values: Floats, tmp_path: Path
) -> None:
    csv = one(tmp_path / "a.csv", values)
    section, _, name = key.partition(".")
    plain = f"data: {{path: {csv.name}, transform: auto}}\n" if section == "data" else ""
    plan, _ = planned(written(csv, plain or f"{section}: {{{name}: auto}}\n"))
    found, without = chosen(plan), chosen(planned(written(csv))[0])
    assert found[key] != "auto"
    # Of a chosen segment the network reads otherwise; what follows a lookback is the stride.
    follow = {"model.normalize", "model.supervision", "window.stride", key}
    assert {other for other in found if found[other] != without[other]} <= follow
    trains(plan)
    assert again(plan, tmp_path).config == plan.config


def test_all_autos_together_choose_as_a_bare_file_does(tmp_path: Path) -> None:
    csv = one(tmp_path / "a.csv", weekly(300))
    text = (
        f"data: {{path: {csv.name}, transform: auto}}\nwindow: {{lookback: auto, horizon: 7}}\n"
        "model: {segment: auto, hidden_size: auto, anchor: auto, linear_skip: auto}\n"
        "training: {epochs: auto}\n"
    )
    found, as_bare = chosen(planned(written(csv, text))[0]), chosen(planned(bare(csv))[0])
    for key in CHOSEN:
        if key != "training.epochs":  # a bare file gets the batches of an epoch, too
            assert found[key] == as_bare[key], key
    # As many windows are drawn: epochs x windows there, epochs x steps x batch size here.
    windows = len(planned(written(csv, text))[0].prepared.train)
    drawn = int(str(found["training.epochs"])) * windows
    bare_drawn = np.prod(
        [int(str(as_bare[f"training.{k}"])) for k in ("epochs", "steps_per_epoch", "batch_size")]
    )
    assert drawn == pytest.approx(bare_drawn, rel=0.05)


def test_a_wide_stride_is_given_more_epochs(tmp_path: Path) -> None:
    """As many windows are drawn in all, whether an epoch has all of them or every fourth."""
    csv, drawn = one(tmp_path / "a.csv", weekly(300)), {}
    for stride in (1, 4):
        plan, _ = planned(bare(csv, f"window.stride={stride}"))
        assert plan.config.training.steps_per_epoch is None
        drawn[stride] = plan.config.training.epochs * len(plan.prepared.train) / stride
    assert drawn[4] == pytest.approx(drawn[1], rel=0.05)


@pytest.mark.parametrize("values", [weekly(300), momentum(300)], ids=["week", "walk"])
def test_a_configuration_without_auto_is_left_alone(values: Floats, tmp_path: Path) -> None:
    plan, lines = planned(written(one(tmp_path / "a.csv", values)))
    model, config = plan.config.model, plan.config
    assert (config.window.lookback, config.training.epochs, config.data.transform) == (60, 100, "none")
    assert (model.segment, model.hidden_size, model.anchor, model.linear_skip) == (1, 50, "last", False)
    assert (model.normalize, model.supervision) == ("diff", "every_step")
    assert set(reasons(lines)) <= {"model.normalize", "model.supervision", "window.stride"}


def test_the_resolved_configuration_has_the_weights_of_the_bare_file(tmp_path: Path) -> None:
    csv = one(tmp_path / "a.csv", weekly(150))
    small = ("model.hidden_size=3", "training.epochs=2", "training.steps_per_epoch=3", "run.plots=false")
    first = pipeline.train(bare(csv, *small, "training.device=cpu"), runs_dir=tmp_path / "one")
    text = (first.run.path / "config.yaml").read_text()
    assert "auto" not in [config_values(load_of(text, tmp_path).config)[key] for key in CHOSEN]
    second = pipeline.train(load_of(text, tmp_path), runs_dir=tmp_path / "two")
    assert files(first) == files(second)


def load_of(text: str, folder: Path) -> Loaded:
    path = folder / "resolved.yaml"
    path.write_text(text)
    return load_config(path, environ={})


SHORT = (2, 3, 20, 60, 80, 100)


@pytest.mark.parametrize("rows", SHORT)
@pytest.mark.parametrize("kind", ["week", "walk"])
def test_a_short_file_is_planned_or_given_to_a_baseline(rows: int, kind: str, tmp_path: Path) -> None:
    values = weekly(rows) if kind == "week" else momentum(rows)
    plan, lines = planned(bare(one(tmp_path / "a.csv", values)))
    if plan.shortfall is None:
        trains(plan)
        assert again(plan, tmp_path).config == plan.config
    else:
        assert not [line for line in lines if ", because " in line]
    # Windows of two weeks fit into fewer rows than a network that reads step by step is given.
    assert (plan.shortfall is None) == (int(0.8 * rows) >= (48 if kind == "week" else LEAST_ROWS))


@pytest.mark.parametrize("given", ["model.segment=7", "model.segment=11", "model.anchor=seasonal"])
def test_a_key_that_was_set_is_no_conflict_in_a_short_file(given: str, tmp_path: Path) -> None:
    for rows in (20, 70, 100):
        plan, _ = planned(bare(one(tmp_path / "a.csv", momentum(rows)), given))
        assert plan.config.window.lookback % plan.config.model.segment == 0


EDGES = {
    "constant": np.full(200, 5.0),
    "zeros": np.zeros(200),
    "pure season": np.tile(WEEK, 30),
    "negative": weekly(200) - 100,
    "zeros between": weekly(200) * (np.arange(200) % 7 < 5),
    "tiny": weekly(200) * 1e-200,
    "huge": weekly(200) * 1e36,
    "a step": np.where(np.arange(200) < 100, 5.0, 1e9),
    "one spike": np.where(np.arange(200) == 50, 1e9, weekly(200)),
    "constant in training": np.where(np.arange(200) < 170, 5.0, weekly(200)),
}


@pytest.mark.parametrize("name", EDGES)
def test_an_odd_series_is_planned_and_trains(name: str, tmp_path: Path) -> None:
    plan, lines = planned(bare(one(tmp_path / "a.csv", EDGES[name])))
    assert plan.shortfall is None
    assert "nan" not in " ".join(lines).lower().replace("nan cells", "")
    trains(plan)
    assert again(plan, tmp_path).config == plan.config


def test_a_panel_of_very_different_lengths_and_levels(tmp_path: Path) -> None:
    csv = many(tmp_path / "a.csv", weekly(400), 1e6 * weekly(200, seed=1), weekly(30, seed=2))
    plan, _ = planned(bare(csv, "data.series_id=id"))
    values = chosen(plan)
    logs = values["data.transform"] == "log"
    expected = SEASONAL | {"training.loss": ["smape", "mase"] if logs else "mase"}
    assert {key: values[key] for key in SEASONAL} == expected
    assert len(np.unique(plan.prepared.train.series)) >= 2
    trains(plan)
    assert again(plan, tmp_path).config == plan.config


def test_a_series_without_a_training_row_has_no_say(tmp_path: Path) -> None:
    csv = many(tmp_path / "a.csv", weekly(300), 1e9 * momentum(20))
    plan, _ = planned(bare(csv, "data.series_id=id"))
    alone, _ = planned(bare(one(tmp_path / "b.csv", weekly(300))))
    for key in CHOSEN:
        assert chosen(plan)[key] == chosen(alone)[key]
    trains(plan)


def test_gaps_and_empty_cells_that_are_filled(tmp_path: Path) -> None:
    values = weekly(300)
    values[[40, 41, 100, 250]] = np.nan
    dates = days(300)
    kept = [row for row in range(300) if row not in (60, 61)]
    csv = write_csv(tmp_path / "a.csv", {"date": [dates[row] for row in kept], "value": values[kept]})
    plan, _ = planned(bare(csv, "data.gaps=fill", "data.missing=interpolate"))
    found = chosen(plan)
    assert {key: found[key] for key in SEASONAL} == SEASONAL
    trains(plan)


def test_a_split_by_date_chooses_as_the_same_split_by_count(tmp_path: Path) -> None:
    csv = one(tmp_path / "a.csv", weekly(300))
    dates = ("split.validation=2024-08-28", "split.test=2024-09-27")  # rows 240 and 270
    by_date, by_count = (
        planned(bare(csv, *sets))[0] for sets in (dates, ("split.validation=30", "split.test=30"))
    )
    assert by_date.prepared.splits.train_end.tolist() == [240]
    assert [chosen(by_date)[key] for key in CHOSEN] == [chosen(by_count)[key] for key in CHOSEN]


def beginning(plan: Plan) -> int:
    """The first validation row of the first series."""
    return int(plan.prepared.splits.train_end[0])


@pytest.mark.parametrize("values", [weekly(300), growing(300), momentum(300)], ids=["week", "grows", "walk"])
@pytest.mark.parametrize("how", ["times a million", "shuffled"])
def test_no_row_after_training_has_a_say(values: Floats, how: str, tmp_path: Path) -> None:
    """Leak: every key and every line but those that count rows is the same, whatever the future holds."""
    plan, lines = planned(bare(one(tmp_path / "a.csv", values)))
    first, other = beginning(plan), values.copy()
    assert first == 240
    other[first:] *= 1e6
    if how == "shuffled":
        np.random.default_rng(0).shuffle(other[first:])
    changed, said = planned(bare(one(tmp_path / "a.csv", other)))
    assert changed.config == plan.config
    assert reasons(said) == reasons(lines)
    assert said == lines


@pytest.mark.parametrize("how", ["times a million", "shuffled"])
def test_no_row_after_training_has_a_say_in_a_panel(how: str, tmp_path: Path) -> None:
    series = [weekly(300), 1e3 * weekly(260, seed=1), growing(200)]
    plan, lines = planned(bare(many(tmp_path / "a.csv", *series), "data.series_id=id"))
    changed = []
    for s, values in enumerate(series):
        other, first = values.copy(), int(plan.prepared.splits.train_end[s] - plan.prepared.panel.offsets[s])
        assert 0 < first < len(values)
        other[first:] *= 1e6
        if how == "shuffled":
            np.random.default_rng(s).shuffle(other[first:])
        changed.append(other)
    found, said = planned(bare(many(tmp_path / "a.csv", *changed), "data.series_id=id"))
    assert found.config == plan.config
    assert said == lines


def test_the_test_rows_change_no_weight_of_a_file_whose_recipe_was_chosen(tmp_path: Path) -> None:
    small = ("model.hidden_size=3", "training.epochs=2", "training.steps_per_epoch=3", "run.plots=false")
    small += ("training.device=cpu", "training.refit=none")
    values = weekly(150)
    first = files(pipeline.train(bare(one(tmp_path / "a.csv", values), *small), runs_dir=tmp_path / "one"))
    values[135:] *= 1e6
    second = files(pipeline.train(bare(one(tmp_path / "a.csv", values), *small), runs_dir=tmp_path / "two"))
    assert first == second


def test_two_plans_of_one_file_choose_the_same(tmp_path: Path) -> None:
    csv = many(tmp_path / "a.csv", weekly(300), growing(200))
    first, lines = planned(bare(csv, "data.series_id=id"))
    second, said = planned(bare(csv, "data.series_id=id"))
    assert first.config == second.config
    assert lines == said


def test_init_writes_the_reason_beside_the_key(tmp_path: Path, cli: Cli) -> None:
    """Every choice with a reason stands in the file as a value, not as a comment, and its reason by it."""
    csv = one(tmp_path / "a.csv", weekly(300))
    done = cli("init", csv, "--yes", "--output", tmp_path / "a.yaml")
    assert done.code == 0
    text = (tmp_path / "a.yaml").read_text()
    plan, lines = planned(bare(csv))
    flat = " ".join(re.sub(r"\s*#\s*", " ", text).split())
    for key, (value, why) in reasons(lines).items():
        assert re.search(rf"^ +{key.rpartition('.')[2]}: {re.escape(value)}( |$)", text, re.MULTILINE), key
        assert why in flat, key
        assert f"{key}: {value}, because {why}" in done.err
    loaded = load_config(tmp_path / "a.yaml", environ={})
    assert planned(loaded)[0].config == plan.config


def test_one_season_is_a_lookback_where_two_do_not_fit(tmp_path: Path) -> None:
    """The week of hourly rows: 168 steps, and 560 to train on."""
    hours = np.arange(700)
    values = (
        100
        + 40 * np.sin(hours * 2 * np.pi / 168)
        + 5 * np.sin(hours * 2 * np.pi / 24)
        + np.random.default_rng(0).normal(size=700)
    )
    times = np.datetime64("2024-01-01T00") + hours
    rows = [f"{time},{value!r}" for time, value in zip(times.astype(str), values.tolist(), strict=True)]
    csv = tmp_path / "a.csv"
    csv.write_text("time,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    plan, _ = planned(bare(csv, "window.horizon=24", "data.season=168"))
    assert chosen(plan)["window.lookback"] == 168
    assert chosen(plan)["model.segment"] == 24


def test_of_lookbacks_as_good_as_the_best_the_longest_is_for_many_rows() -> None:
    errors = {48: 1.02, 72: 1.009, 96: 1.0, 120: 1.008, 240: 1.011}
    trials = [Trial(steps, "last", "none", error, 2.0) for steps, error in errors.items()]
    assert _one_of_the_best(trials, longest=False).lookback == 72
    assert _one_of_the_best(trials, longest=True).lookback == 120
