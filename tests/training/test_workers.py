"""A batch over threads: the sums of one thread in another order, and the same bits each time."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from ctypes import CDLL
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.data.tensors import gather_batch
from lstm_forecast.events import Events
from lstm_forecast.fitting import Learned, learn, plan_training
from lstm_forecast.model import lstm_kernel, lstm_stack
from lstm_forecast.model.lstm_kernel import Kernel, kernel
from lstm_forecast.model.lstm_layer import LSTM
from lstm_forecast.networks import kernel_of
from lstm_forecast.training import loop
from lstm_forecast.training.draws import drawn_windows
from lstm_forecast.training.loop import train_epochs
from lstm_forecast.training.recipe import Recipe
from lstm_forecast.training.workers import Workers, weighted_gradients, workers_on
from tests.conftest import Cli
from tests.forked import Warm
from tests.training.jobs import days, job, momentum, write_csv
from tests.training.small import CPU, RECIPE, H, L, bits, network, problem, without_validation
from tests.training.test_resume import MID_4, killed, only_run, result, words

LAST = {"model.supervision": "last"}
OPTIONS: dict[str, dict[str, str]] = {
    "dropout": {"model.dropout": "0.4", "model.num_layers": "2"},
    "gru": {"model.cell": "gru", "model.dropout": "0.2"},
    "rnn": {"model.cell": "rnn", "model.layer_norm": "true", "model.initial_state": "learned"},
    # at the usual rate rounding grows to 0.2 to 1.4 times the bound below, over eight seeds
    "peephole": {**LAST, "model.cell": "lstm_peephole", "model.dropout": "0.3", "training.lr": "0.02"},
    "bidirectional": {**LAST, "model.bidirectional": "true", "model.dropout": "0.3"},
    "random states": {**LAST, "model.initial_state": "random", "model.readout": "both"},
    "quantiles": {"model.head": "quantile", "training.clip_norm": "0.1"},
    "measures": {
        **LAST,
        "training.loss": "[smape, mase]",
        "model.normalize": "last",
        "model.linear_skip": "true",
        "model.segment": "2",
        "data.transform": "log",
    },
    "mean and std": {**LAST, "model.normalize": "mean_std", "training.optimizer": "adamw"},
    "seasonal": {"model.anchor": "seasonal", "data.season": "7", "data.missing": "ffill"},
    "panel": {"data.series_id": "shop", "data.static_covariates": "[kind]", "training.steps_per_epoch": "4"},
    "known ahead": {"data.future_covariates": "[plan]", "model.head_layers": "[4]"},
    "bfloat16": {"training.precision": "bfloat16", "model.cell": "lstm_peephole"},
}


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shops of 70 days, some values missing."""
    values = [momentum(70, seed=seed) for seed in (1, 2)]
    for part in values:
        part[20:70:9] = float("nan")
    table = {
        "date": [*days(70), *days(70)],
        "value": [repr(float(v)) if v == v else "" for part in values for v in part],
        "shop": ["a"] * 70 + ["b"] * 70,
        "kind": ["x"] * 70 + ["y"] * 70,
        "plan": [str(n % 5) for n in range(140)],
    }
    return write_csv(tmp_path_factory.mktemp("threads") / "shops.csv", table)


def learned(csv: Path, changes: Mapping[str, str], threads: int) -> Learned:
    """The networks of a short training over so many threads."""
    usual = {
        "data.target": "value",
        "data.series_id": "shop",
        "data.missing": "ffill",
        "training.patience": "null",
        "training.optimizer": "sgd",  # adam divides a rounding error by itself where a gradient is next to 0
        "training.lr": "0.1",
        "training.batch_size": "13",
    }
    plan = plan_training(job(csv, {**usual, **changes, "training.threads": str(threads)}), Events())
    return learn(plan.config, plan.prepared, device=CPU, on_epoch=lambda *_: None)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_number_of_threads_changes_rounding_alone(option: str, csv: Path) -> None:
    one, three = (learned(csv, OPTIONS[option], threads) for threads in (1, 3))
    rough = option == "bfloat16"
    for mine, other in zip(one.courses[0].history, three.courses[0].history, strict=True):
        for name in ("train_loss", "val_loss", "val_score", "grad_norm"):
            expected = getattr(mine, name)
            assert getattr(other, name) == pytest.approx(expected, rel=0.05 if rough else 1e-4), name
    weights = [of.forecaster.networks[0].state_dict() for of in (one, three)]
    for name, value in weights[0].items():
        close = {"rtol": 0.05, "atol": 0.01} if rough else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(weights[1][name], value, msg=name, **close)


@pytest.mark.parametrize("lstm_by", ["compiled", "torch"], indirect=True)
def test_no_thread_has_to_be_quick(lstm_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which shard is done first is decided anew at every step: the bits stay."""
    recipe = without_validation(replace(RECIPE, threads=3, batch_size=17))
    of, found = problem(), []

    def late(true: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            time.sleep(random.random() / 500)
            return true(*arguments)

        return function

    for _ in range(3):
        model = network(dropout=0.3, layers=2)
        train_epochs(model, of.tensors, of.train, recipe)
        found.append(bits(model))
        if len(found) > 1:
            continue
        if lstm_by == "torch":
            monkeypatch.setattr(loop, "_loss", late(loop._loss))
        else:
            library = lstm_stack._library()
            passes = {name: late(getattr(library, name)) for name in ("lstm_forward", "lstm_backward")}
            monkeypatch.setattr(
                lstm_stack, "_library", partial(SimpleNamespace, lstm_room=library.lstm_room, **passes)
            )
    assert found[0] == found[1] == found[2]


def plain_training(layers: nn.ModuleList, head: nn.Linear, recipe: Recipe) -> None:
    """What one writes with layers of torch's kind."""
    of, parameters = problem(anchored=False), [*layers.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=recipe.lr, fused=True)
    for epoch in range(1, recipe.epochs + 1):
        for start in torch.split(drawn_windows(of.train, recipe, epoch), recipe.batch_size):
            batch = gather_batch(of.tensors, start, lookback=L, horizon=H, every_step=False)
            x = batch.x.transpose(0, 1)
            for layer in layers:
                x, (state, _) = layer(x)
            optimizer.zero_grad()
            nn.functional.mse_loss(head(state[-1]), batch.y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


@pytest.mark.parametrize("lstm_by", ["compiled", "torch"], indirect=True)
def test_one_thread_gives_the_bits_of_a_plain_loop(lstm_by: str) -> None:
    """Batches of 16 windows with two targets: a division by 32 rounds nothing, however a mean is written."""
    recipe = replace(RECIPE, clip_norm=None, every_step=False, steps_per_epoch=6, untouched_first=False)
    ours = network(zero_head=False, layers=2)
    kind = LSTM if lstm_by == "compiled" else nn.LSTM
    plain, head = nn.ModuleList([kind(1, 4), kind(4, 4)]), deepcopy(ours.head[0])
    assert isinstance(head, nn.Linear)
    plain.load_state_dict(ours.layers.state_dict())
    of = problem(anchored=False)
    train_epochs(ours, of.tensors, of.train, replace(recipe, patience=None))
    plain_training(plain, head, recipe)
    for name, value in ours.layers.named_parameters():
        assert torch.equal(value, plain.get_parameter(name)), name
    assert torch.equal(ours.get_parameter("head.0.weight"), head.weight)


@pytest.mark.parametrize(
    ("count", "sizes"), [(7, [3, 2, 2]), (6, [2, 2, 2]), (2, [1, 1]), (1, [1]), (0, [0])]
)
def test_shards_are_alike_in_size_and_none_is_empty(count: int, sizes: list[int]) -> None:
    shards = Workers(3).shards(count)
    assert [part.stop - part.start for part in shards] == sizes
    assert [row for part in shards for row in range(count)[part]] == list(range(count))


def test_the_gradients_are_added_by_their_shares() -> None:
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])
    found = weighted_gradients([[one, None], [two, None]], [0.75, 0.25])
    assert isinstance(found[0], Tensor)
    assert found[0].tolist() == [3.25, 6.5]
    assert found[1] is None


def test_every_item_has_a_thread_and_the_first_one_this() -> None:
    meet = threading.Barrier(3, timeout=10)  # passed only where all three are at work at once

    def where(item: int) -> tuple[int, bool, int]:
        meet.wait()
        return item, threading.current_thread() is threading.main_thread(), torch.get_num_threads()

    before = torch.get_num_threads()
    with Workers(3) as workers:
        found = workers.each(where, [5, 6, 7])
    assert [item for item, _, _ in found] == [5, 6, 7]
    assert [here for _, here, _ in found] == [True, False, False]
    assert {threads for _, _, threads in found[1:]} == {1}
    torch.set_num_threads(before)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_comes_out_after_all_threads_have_ended(failing: int) -> None:
    ended: list[int] = []

    def work(item: int) -> None:
        if item == failing:
            raise MemoryError(str(item))
        time.sleep(0.05)
        ended.append(item)

    with Workers(3) as workers, pytest.raises(MemoryError, match=str(failing)):
        workers.each(work, [0, 1, 2])
    assert sorted(ended) == [item for item in range(3) if item != failing]


def test_one_thread_begins_nothing_before_it_is_asked() -> None:
    begun: list[int] = []
    with Workers(1) as workers:
        result = workers.begin_behind(lambda: begun.append(1))
        assert begun == []
        assert workers.each(str, [1, 2]) == ["1", "2"]
        assert begun == []
        result()
    assert begun == [1]


def test_what_is_asked_for_before_anything_was_split_is_begun_then() -> None:
    with Workers(2) as workers:
        assert workers.begin_behind(lambda: threading.current_thread().name)().startswith("rows")


@pytest.mark.parametrize("items", [[0], [0, 1], [0, 1, 2]], ids=str)
def test_another_thread_begins_what_is_behind_its_part(items: list[int]) -> None:
    """And not before it; the calling thread is at its own part meanwhile."""
    order: list[str] = []
    begun = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert begun.wait(10)
        order.append(f"part {item}")
        return item

    def behind() -> str:
        order.append("behind")
        begun.set()
        return threading.current_thread().name

    with Workers(2) as workers:
        result = workers.begin_behind(behind)
        time.sleep(0.02)
        assert order == []
        assert workers.each(work, items) == items
        assert result().startswith("rows")
        assert workers.each(str, items) == list(map(str, items))  # it is not begun once more
    assert order == [*(f"part {item}" for item in items[1:]), "behind", "part 0"]


def test_another_device_is_given_whole_batches() -> None:
    assert [workers_on(torch.device(kind), 4).threads for kind in ("cpu", "cuda", "mps")] == [4, 1, 1]


def test_a_machine_with_other_cores_goes_on_with_the_threads_that_were(
    tmp_path: Path, cli: Cli, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    two = {"training.threads": "2"}
    assert cli(*words(csv, "straight", two)).code == 0
    losses = 1 if kernel().library is not None else 2  # torch's way takes one for each of the two shards
    stopped = killed(warm, words(csv, "same", two), losses * MID_4, "SIGTERM")
    assert (stopped.code, "Traceback" in stopped.err) == (143, False)
    shutil.copytree(tmp_path / "same", tmp_path / "other")
    monkeypatch.setattr("lstm_forecast.choices.threads_for", lambda *_, **__: 1)
    resumed = cli(*words(csv, "same"), "--resume")
    assert resumed.code == 0
    assert "resume.threads" not in resumed.err
    assert result(only_run(csv, "same")) == result(only_run(csv, "straight"))
    asked = cli(*words(csv, "other", {"training.threads": "1"}), "--resume")
    assert asked.code == 0
    assert "warning[resume.threads]: 2 threads before, 1 now: the last bits" in asked.err
    kept = (only_run(csv, "other").path / "run.json").read_text()
    assert '"threads": 1' in kept


def test_another_kernel_is_recorded_and_a_resumed_training_warns_of_it(
    tmp_path: Path, cli: Cli, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    stopped = killed(warm, words(csv, "runs"), MID_4, "SIGTERM")
    assert stopped.code == 143
    shutil.copytree(tmp_path / "runs", tmp_path / "other")
    assert "resume.kernel" not in cli(*words(csv, "runs"), "--resume").err
    assert f'"kernel": "{kernel().name}"' in (only_run(csv, "runs").path / "run.json").read_text()
    other = "compiled" if kernel().name == "torch" else "torch"
    monkeypatch.setattr(
        lstm_kernel, "kernel", lambda: Kernel(None if other == "torch" else CDLL(None), other)
    )
    resumed = cli(*words(csv, "other"), "--resume")
    assert resumed.code == 0
    expected = f"warning[resume.kernel]: LSTM kernel {kernel().name!r} before, {other!r} now: the last bits"
    assert expected in resumed.err
    assert f'"kernel": "{other}"' in (only_run(csv, "other").path / "run.json").read_text()


@pytest.mark.parametrize(
    ("changes", "device", "ours"),
    [
        ({}, "cpu", True),
        ({}, "auto", True),
        ({}, "cuda", False),
        ({"model.cell": "gru"}, "cpu", False),
        ({"training.precision": "bfloat16", "model.cell": "lstm"}, "cpu", False),
    ],
)
def test_the_kernel_is_that_of_cell_precision_and_device(
    changes: dict[str, str], device: str, ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm_kernel, "kernel", lambda: Kernel(CDLL(None), "compiled"))
    config = job(tmp_path / "a.csv", changes).config
    assert kernel_of(config, device) == ("compiled" if ours else "torch")
