"""A checkpoint is read back bit for bit, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lstm_forecast.errors import ArtifactRejected, StorageError
from lstm_forecast.events import Event, Events
from lstm_forecast.runs.storage import json_bytes, sha256_of
from lstm_forecast.training import checkpoints as module
from lstm_forecast.training.checkpoints import Checkpoints, Facts, newest_checkpoint
from lstm_forecast.training.course import Epoch, Kept, State, take_up
from lstm_forecast.training.loop import fit
from lstm_forecast.training.recipe import make_optimizer
from tests.training.small import RECIPE, network, problem, scores

FACTS = Facts({"training.epochs": 3, "data.path": "größe.csv", "scaling.range": [0.0, 1.0]}, "abc", 1)
HISTORY = (
    Epoch(0, None, 0.1, 1 / 3, 1e-3, None, {}, 0.25),
    Epoch(1, float("nan"), float("inf"), float("nan"), 1e-3, 0.1 + 0.2, {"layers.0": 5e-324}, 1.5),
)


def state(epoch: int = 1) -> State:
    """A state with awkward numbers."""
    generator = torch.Generator().manual_seed(epoch)
    weights = {"a.weight": torch.randn(3, 4, generator=generator), "b": torch.tensor([-0.0, 1e-45])}
    memory = {"0.step": torch.tensor(7.0), "0.exp_avg": torch.randn(3, 4, generator=generator)}
    return State(epoch, 1, 0, 1 / 3, HISTORY, weights, memory, weights)


def kept(folder: Path, *, every_s: float = 0.0, events: Events | None = None) -> Checkpoints:
    return Checkpoints(folder, FACTS, every_s, events or Events())


def written(folder: Path, count: int) -> Checkpoints:
    """So many checkpoints, of the epochs 1 to ``count``."""
    checkpoints = kept(folder)
    for epoch in range(1, count + 1):
        checkpoints.part("network.0").offer(lambda epoch=epoch: state(epoch))  # type: ignore[misc]
    return checkpoints


def bits(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[str, bytes]]:
    return {name: (str(t.dtype), t.numpy().tobytes()) for name, t in tensors.items()}


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    checkpoints = kept(tmp_path / "c")
    checkpoints.part("network.0").offer(state)
    checkpoints.part("again.0").offer(lambda: replace(state(2), best={}, history=(), best_score=float("inf")))
    found = newest_checkpoint(tmp_path / "c")
    assert found is not None
    assert (found.number, found.facts, found.damaged) == (2, FACTS, ())
    assert set(found.parts) == {"network.0", "again.0"}
    one, other = found.parts["network.0"], found.parts["again.0"]
    assert repr(one.history) == repr(HISTORY)  # nan is nan
    assert (one.epoch, one.waited, one.best_epoch, one.best_score) == (1, 1, 0, 1 / 3)
    for group in ("weights", "optimizer", "best"):
        assert bits(getattr(one, group)) == bits(getattr(state(), group))
    assert (other.epoch, other.best_score, other.best, other.history) == (2, float("inf"), {}, ())


def test_two_are_kept_and_LAST_names_the_newest(tmp_path: Path) -> None:  # noqa: N802
    written(tmp_path, 5)
    names = sorted(path.name for path in tmp_path.iterdir())
    pairs = [f"ckpt-00000{n}.{kind}" for n in (4, 5) for kind in ("json", "safetensors")]
    assert names == ["LAST", *pairs]
    assert (tmp_path / "LAST").read_text() == "ckpt-000005\n"


@pytest.mark.parametrize("name", ["ckpt-000003.json", "ckpt-000003.safetensors"])
@pytest.mark.parametrize("how", ["gone", "empty", "half", "one byte less", "one bit", "a link"])
def test_row_29_a_damaged_one_is_told_and_the_one_before_is_read(how: str, name: str, tmp_path: Path) -> None:
    written(tmp_path, 3)
    path = tmp_path / name
    data = path.read_bytes()
    path.unlink()
    flipped = bytearray(data)
    place = data.index(b'"waited": 1') + 10 if name.endswith("json") else len(data) - 3
    flipped[place] ^= 1
    ways = {"empty": b"", "half": data[: len(data) // 2], "one byte less": data[:-3], "one bit": flipped}
    if how == "a link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif how != "gone":
        path.write_bytes(ways[how])
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert (found.number, found.parts["network.0"].epoch) == (2, 2)
    (told,) = found.damaged
    assert "ckpt-000003" in told.where
    # The next one is not written over it, and the whole one stays.
    again = Checkpoints(tmp_path, FACTS, 0.0, Events(), found)
    again.part("network.0").offer(lambda: state(9))
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert (newest.number, newest.damaged) == (4, ())
    assert (tmp_path / "ckpt-000002.json").exists()


def test_all_damaged_is_an_error_and_none_at_all_is_none(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "never") is None
    assert newest_checkpoint(tmp_path) is None
    written(tmp_path, 3)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(ArtifactRejected, match=r"does not match ckpt-000003\.json"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("last", [None, b"", b"\xff\xfe", b"../../etc/passwd"])
def test_without_LAST_the_highest_number_is_the_newest(last: bytes | None, tmp_path: Path) -> None:  # noqa: N802
    written(tmp_path, 3)
    (tmp_path / "LAST").unlink()
    if last is not None:
        (tmp_path / "LAST").write_bytes(last)
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert (found.number, found.damaged) == (3, ())


def test_row_58_one_that_was_killed_while_it_was_written_is_no_damage(tmp_path: Path) -> None:
    written(tmp_path, 3)
    (tmp_path / "ckpt-000004.safetensors").write_bytes(b"half")
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert (found.number, found.damaged) == (3, ())


def test_one_of_a_newer_form_or_of_nonsense_is_refused(tmp_path: Path) -> None:
    for change, said in (
        ({"format_version": 2}, "newer version"),
        ({"parts": {"network.0": {}}}, "cannot be read"),
        ({"facts": {}}, "cannot be read"),
        ({"tensors": []}, "cannot be read"),
    ):
        written(tmp_path, 1)
        path = max(tmp_path.glob("*.json"))
        document = json.loads(path.read_bytes())["document"] | change
        path.write_bytes(json_bytes({"sha256": sha256_of(json_bytes(document)), "document": document}))
        for other in tmp_path.glob("ckpt-*"):
            if other.stem != path.stem:
                other.unlink()
        with pytest.raises(ArtifactRejected, match=said):
            newest_checkpoint(tmp_path)
    path.write_bytes(b"[]")
    with pytest.raises(ArtifactRejected):
        newest_checkpoint(tmp_path)


def test_one_is_written_when_it_is_due_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    told: list[Event] = []
    checkpoints = kept(tmp_path, every_s=30.0, events=Events([told.append]))
    checkpoints._saved_at = now[0]
    for epoch in range(1, 9):
        now[0] += 10.0
        checkpoints.part("network.0").offer(lambda epoch=epoch: state(epoch))  # type: ignore[misc]
    saved = [event.fields["epochs"] for event in told if event.name == "checkpoint.saved"]
    assert saved == [{"network.0": 3}, {"network.0": 6}]


@pytest.mark.parametrize("reason", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_last_whole_epoch_is_saved_whatever_ends_the_training(
    reason: type[BaseException], tmp_path: Path
) -> None:
    checkpoints = kept(tmp_path, every_s=1e9)
    with pytest.raises(reason), checkpoints.saving():  # noqa: PT012
        checkpoints.part("network.0").offer(lambda: state(5))
        assert not list(tmp_path.iterdir())
        raise reason
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found.parts["network.0"].epoch == 5
    checkpoints.save()  # nothing has changed
    assert found == replace(found, number=1)
    assert not list(tmp_path.glob("ckpt-000002*"))


def test_row_51_a_full_disk_ends_the_training_and_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = written(tmp_path, 1)

    def full(path: Path, data: bytes) -> None:
        raise StorageError("storage.full", "no space", where=str(path))

    monkeypatch.setattr(module, "write_atomic", full)
    with pytest.raises(StorageError, match="no space"), checkpoints.saving():
        checkpoints.part("network.0").offer(lambda: state(2))
    with pytest.raises(KeyboardInterrupt), checkpoints.saving():  # the reason to leave stays the reason
        raise KeyboardInterrupt
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found.parts["network.0"].epoch == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {}},
        {"best": {"a": torch.zeros(2)}},
        {"optimizer": {"99.exp_avg": torch.zeros(2)}},
        {"optimizer": {"0.exp_avg": torch.zeros(2, 7)}},
        {"optimizer": {"x.exp_avg": torch.zeros(())}},
    ],
)
def test_the_state_of_another_network_is_refused(wrong: dict[str, dict[str, torch.Tensor]]) -> None:
    model = network()
    optimizer = make_optimizer(model, RECIPE)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    good = State(1, 0, 1, 0.5, (), weights, {}, weights)
    take_up(good, model, optimizer)
    with pytest.raises(ArtifactRejected, match="another network"):
        take_up(replace(good, **wrong), model, optimizer)


def test_the_time_before_an_interruption_counts() -> None:
    states: list[State] = []
    kept_once = Kept(None, lambda make: states.append(make()))
    of, model = problem(), network()
    score = scores(of, model, RECIPE)
    fit(model, of.tensors, of.train, RECIPE, score=score, on_epoch=lambda *_: None, kept=kept_once)
    first = states[0]
    late = replace(first, history=tuple(replace(epoch, elapsed_s=100.0) for epoch in first.history))
    for most, epochs, why in ((50.0, 1, "max_time"), (500.0, 3, "epochs")):
        recipe = replace(RECIPE, max_time_s=most)
        again = network()
        ended = fit(
            again,
            of.tensors,
            of.train,
            recipe,
            score=scores(of, again, recipe),
            on_epoch=lambda *_: None,
            kept=Kept(late, lambda _make: None),
        )
        assert (ended.history[-1].epoch, ended.stopped) == (epochs, why)
        assert ended.history[-1].elapsed_s >= 100.0
