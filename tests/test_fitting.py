"""From a configuration to trained networks: what selects them, several at once, and once more on all rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lstm_forecast.courses import course_line
from lstm_forecast.events import Event, Events
from lstm_forecast.fitting import Learned, Plan, learn, learn_again, plan_training
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.networks import build_model, member_seeds, recipe_of
from lstm_forecast.training.recipe import Recipe
from tests.training.jobs import days, job, momentum, trained, write_csv

Floats = NDArray[np.float64]
CPU = torch.device("cpu")
KEEP_LAST = {"training.patience": "null", "training.lr": "0.01"}


def shops(folder: Path, rows: int = 100) -> Path:
    """Two series, of which the second begins later and lies higher."""
    first, second = momentum(rows), 3 * momentum(rows - 20, seed=1)
    dates = [*days(rows), *days(rows)[20:]]
    names = ["a"] * rows + ["b"] * (rows - 20)
    return write_csv(folder / "a.csv", {"date": dates, "id": names, "v": np.concatenate([first, second])})


def learned(csv: Path, changes: dict[str, str]) -> tuple[Plan, Learned]:
    plan = plan_training(job(csv, changes), Events())
    return plan, learn(plan.config, plan.prepared, device=CPU, on_epoch=lambda *_: None)


def bits(network: RegLSTM) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("head", ["point", "quantile"])
@pytest.mark.parametrize("transform", ["none", "log", "log1p", "diff"])
def test_validation_is_scored_in_original_units_over_each_series_own_scale(
    transform: str, head: str, tmp_path: Path
) -> None:
    """Window by window in a slow loop; the last epoch's score is that of the weights that were kept."""
    changes = {**KEEP_LAST, "data.series_id": "id", "data.transform": transform, "model.head": head}
    plan, found = learned(shops(tmp_path), changes)
    prepared, levels = plan.prepared, found.forecaster.levels
    errors = []
    windows = prepared.validation
    for start, s in zip(windows.start.tolist(), windows.series.tolist(), strict=True):
        values = prepared.panel.values[start : start + 10, 0]  # lookback 8, horizon 2
        outlook = found.forecaster.after(values[None, :8, None], np.array([s]), horizon=2)
        known = prepared.panel.values[prepared.panel.offsets[s] : prepared.splits.train_end[s], 0]
        season = plan.config.data.season or 1
        scale = np.mean(np.abs(known[season:] - known[:-season]))
        for h in range(2):
            if outlook.quantiles is None:
                errors.append(abs(outlook.point[0, h] - values[8 + h]) / scale)
                continue
            below = values[8 + h] - outlook.quantiles[0, h]
            losses = [max(q * b, (q - 1) * b) for q, b in zip(levels, below, strict=True)]
            errors.append(np.mean(losses) / scale)
    assert len(errors) == 2 * (9 + 9)
    assert found.courses[0].history[-1].val_score == pytest.approx(np.mean(errors), rel=1e-4)


def test_filled_rows_have_no_say_in_the_score_of_a_transformed_target(tmp_path: Path) -> None:
    values = momentum(100)
    values[[83, 84]] = np.nan  # of the validation rows 80 to 89
    csv = write_csv(tmp_path / "a.csv", {"date": days(100), "v": values})
    changes = {**KEEP_LAST, "data.missing": "ffill", "data.transform": "log"}
    plan, found = learned(csv, changes)
    errors = []
    for row in range(79, 88):
        window = plan.prepared.panel.values[None, row - 7 : row + 1]
        point = found.forecaster.after(window, np.array([0]), horizon=2).point[0]
        errors += [abs(point[h] - values[row + 1 + h]) for h in range(2) if row + 1 + h not in (83, 84)]
    assert len(errors) == 18 - 4
    known = momentum(100)[:80]
    season = plan.config.data.season or 1
    scale = np.mean(np.abs(known[season:] - known[:-season]))
    assert found.courses[0].history[-1].val_score == pytest.approx(np.mean(errors) / scale, rel=1e-4)


def test_the_first_network_of_several_is_the_one_that_would_be_trained_alone(tmp_path: Path) -> None:
    csv = shops(tmp_path)
    changes = {"data.series_id": "id", "training.lr": "0.01", "model.dropout": "0.3"}
    _, alone = learned(csv, changes)
    _, several = learned(csv, {**changes, "training.ensemble": "3"})
    assert [len(part) for part in (several.forecaster.networks, several.courses, several.seeds)] == [3, 3, 3]
    assert bits(several.forecaster.networks[0]) == bits(alone.forecaster.networks[0])
    assert several.courses[0].best_epoch == alone.courses[0].best_epoch
    first, second, third = (bits(network) for network in several.forecaster.networks)
    assert all(first[name] != second[name] for name in first)
    assert all(second[name] != third[name] for name in second)


def test_every_network_has_a_seed_of_its_own_and_the_first_the_configurations(tmp_path: Path) -> None:
    csv = shops(tmp_path)
    seeds = [
        member_seeds(job(csv, {"training.seed": seed, "training.ensemble": "5"}).config)
        for seed in ("7", "8")
    ]
    assert (seeds[0][0], seeds[1][0]) == (7, 8)
    assert len({*seeds[0], *seeds[1]}) == 10
    assert member_seeds(job(csv, {"training.seed": "7", "training.ensemble": "2"}).config) == seeds[0][:2]
    assert member_seeds(job(csv).config) == (0,)


def test_epochs_are_told_with_the_number_of_their_network(tmp_path: Path) -> None:
    seen: list[tuple[object, object]] = []

    def read(event: Event) -> None:
        if event.name == "epoch.end":
            seen.append((event.fields.get("network"), event.fields["epoch"]))

    trained(shops(tmp_path), {**KEEP_LAST, "data.series_id": "id"}, events=Events([read]))
    assert seen == [(None, 1), (None, 2)]
    seen.clear()
    trained(
        shops(tmp_path),
        {**KEEP_LAST, "data.series_id": "id", "training.ensemble": "2"},
        events=Events([read]),
    )
    assert sorted(seen) == [(1, 1), (1, 2), (2, 1), (2, 2)]  # they train side by side
    assert [epoch for network, epoch in seen if network == 2] == [1, 2]


def test_the_history_has_a_line_for_every_network_and_epoch(tmp_path: Path) -> None:
    result = trained(shops(tmp_path), {"data.series_id": "id", "training.ensemble": "2"})
    lines = [line.split(",")[:2] for line in (result.run.path / "history.csv").read_text().splitlines()[1:]]
    assert lines == [["1", "0"], ["1", "1"], ["1", "2"], ["2", "0"], ["2", "1"], ["2", "2"]]
    metrics = json.loads((result.run.path / "metrics.json").read_text())
    assert len(metrics["best_epochs"]) == 2
    assert metrics["best_epoch"] == metrics["best_epochs"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.ensemble": "2", "model.dropout": "0.4"},
        {"model.head": "quantile"},
        {"data.transform": "diff"},
        {"data.transform": "log", "model.anchor": "none", "model.supervision": "last"},
    ],
    ids=lambda changes: ",".join(changes.values()) or "default",
)
def test_trained_again_on_all_rows_is_trained_on_a_longer_file_of_which_these_are_the_training_rows(
    changes: dict[str, str], tmp_path: Path
) -> None:
    """Weights and units, bit for bit."""
    values = momentum(120)
    short = write_csv(tmp_path / "short.csv", {"date": days(90), "v": values[:90]})
    whole = write_csv(tmp_path / "long.csv", {"date": days(120), "v": values})
    settings = {**KEEP_LAST, "window.stride": "2", "data.season": "1", **changes}
    plan, tested = learned(short, {**settings, "split.validation": "10", "split.test": "10"})
    again = learn_again(plan.config, plan.prepared, tested)
    _, expected = learned(whole, {**settings, "split.validation": "15", "split.test": "15"})
    for got, wanted, old in zip(
        again.networks, expected.forecaster.networks, tested.forecaster.networks, strict=True
    ):
        assert bits(got) == bits(wanted)
        assert all(bits(got)[name] != bits(old)[name] for name in bits(got))
        assert not got.training
    assert again.scaling.to_json() == expected.forecaster.scaling.to_json()


def test_each_network_is_trained_again_for_its_own_best_number_of_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from lstm_forecast.training import loop

    plan, tested = learned(shops(tmp_path), {"data.series_id": "id", "training.ensemble": "2"})
    courses = tuple(replace(c, best_epoch=best) for c, best in zip(tested.courses, (0, 3), strict=True))
    told: list[tuple[int, int]] = []
    sound = loop.train_epochs

    def watched(
        model: RegLSTM, tensors: object, windows: object, recipe: Recipe, *, scores: list[float], kept: object
    ) -> None:
        told.append((recipe.seed, recipe.epochs))
        assert scores == [epoch.val_score for epoch in courses[len(told) - 1].history if epoch.epoch]
        sound(model, tensors, windows, recipe, scores=scores, kept=kept)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train_epochs", watched)
    again = learn_again(plan.config, plan.prepared, replace(tested, courses=courses))
    assert told == [(tested.seeds[0], 0), (tested.seeds[1], 3)]
    untouched = again.members()[0].at(plan.prepared.panel, np.array([50]), np.array([0]), horizon=2)
    assert untouched.point.tolist() == [[plan.prepared.panel.values[50, 0]] * 2]  # epoch 0: the last value


def test_a_series_too_short_to_train_takes_part_in_the_fit_on_all_rows_where_it_is_long_enough(
    tmp_path: Path,
) -> None:
    """The second series begins within the test rows of the first: nothing of it could be trained on."""
    dates = [*days(100), *days(100)[85:]]
    names = ["a"] * 100 + ["b"] * 15
    values = np.concatenate([momentum(100), momentum(15, seed=2)])
    csv = write_csv(tmp_path / "a.csv", {"date": dates, "id": names, "v": values})
    plan, tested = learned(csv, {**KEEP_LAST, "data.series_id": "id"})
    assert tested.forecaster.scaling.trained.tolist() == [True, False]
    again = learn_again(plan.config, plan.prepared, tested)
    assert again.scaling.trained.tolist() == [True, True]


def test_one_line_says_how_the_training_went(tmp_path: Path) -> None:
    _, one = learned(shops(tmp_path), {**KEEP_LAST, "data.series_id": "id"})
    assert course_line(one).startswith("trained 2 epochs in ")
    assert course_line(one).endswith(" s (all of them); kept: epoch 2")
    _, two = learned(shops(tmp_path), {**KEEP_LAST, "data.series_id": "id", "training.ensemble": "2"})
    assert course_line(two).startswith("trained 2 networks, the longest in ")
    assert course_line(two).endswith(" s; kept epochs 2, 2")
    _, none = learned(shops(tmp_path), {"data.series_id": "id", "training.lr": "1e6"})
    assert course_line(none).endswith("kept: the untrained model, which is the naive forecast")


def test_the_head_and_the_recipe_follow_the_configuration(tmp_path: Path) -> None:
    plan, found = learned(shops(tmp_path), {**KEEP_LAST, "data.series_id": "id", "model.head": "quantile"})
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    training = plan.prepared.panel.until(plan.prepared.splits.train_end)
    recipe = recipe_of(plan.config, training, seed=5)
    assert (recipe.loss, recipe.quantiles, recipe.seed) == ("pinball", levels, 5)
    assert build_model(plan.config, features=1).num_quantiles == 5
    assert found.forecaster.levels == levels
    plain = plan_training(job(shops(tmp_path), {"data.series_id": "id"}), Events()).config
    simple = recipe_of(plain, training, seed=0)
    assert (simple.loss, simple.quantiles) == ("mse", ())
    assert build_model(plain, features=1).num_quantiles == 0
