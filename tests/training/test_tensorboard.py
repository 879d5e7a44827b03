"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import errno
import math
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch import Tensor

from lstm_forecast.errors import ResourceError, StorageError
from lstm_forecast.model.beside import NOTHING, Beside
from lstm_forecast.model.draws import Draws
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.course import Epoch
from lstm_forecast.training.tensorboard import BoardWriter, open_board
from tests.training.small import RECIPE, bits, fitted, network

F, L, H = 2, 5, 3
UNTRAINED = Epoch(0, None, 0.75, 1.25, 0.01, None, {}, 0.1)
FIRST = Epoch(1, 0.5, 0.625, 1.0, 0.01, 2.5, {"layers.0": 1.5, "head": 2.0}, 0.2)
SECOND = Epoch(2, 0.25, 0.375, 0.875, 0.005, 1.3, {"layers.0": 0.5, "head": 1.2}, 0.3)
# Numbers of a binary fraction survive TensorBoard's float32; the others are compared to its precision.
EXPECTED = {
    "train_loss": [(1, 0.5), (2, 0.25)],
    "val_loss": [(0, 0.75), (1, 0.625), (2, 0.375)],
    "val_score": [(0, 1.25), (1, 1.0), (2, 0.875)],
    "lr": [(0, 0.01), (1, 0.01), (2, 0.005)],
    "grad_norm": [(1, 2.5), (2, 1.3)],
    "grad_norm/layers.0": [(1, 1.5), (2, 0.5)],
    "grad_norm/head": [(1, 2.0), (2, 1.2)],
}


def read(folder: Path) -> EventAccumulator:
    """What TensorBoard finds in a folder."""
    found = EventAccumulator(str(folder))
    return found.Reload()


def points(found: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in found.Scalars(tag)]


def nodes(folder: Path) -> dict[str, Any]:
    """The graph's nodes by name, in their order; no name stands twice."""
    graph = read(folder).Graph()
    named = {node.name: node for node in graph.node}
    assert len(named) == len(graph.node)
    return named


def arrows(named: dict[str, Any]) -> dict[str, list[str]]:
    return {name: list(node.input) for name, node in named.items()}


def shapes(node: Any) -> list[list[int]]:
    return [[dim.size for dim in shape.dim] for shape in node.attr["_output_shapes"].list.shape]


def drawn(folder: Path, model: RegLSTM) -> dict[str, Any]:
    open_board(folder).graph(model, torch.zeros(1, L, F))
    return nodes(folder)


def plugin_data(found: EventAccumulator, tag: str) -> HParamsPluginData:
    data = HParamsPluginData()
    data.ParseFromString(found.SummaryMetadata(tag).plugin_data.content)
    return data


def test_every_number_of_every_epoch_is_read_back(tmp_path: Path) -> None:
    board = open_board(tmp_path / "run" / "tensorboard")
    for epoch in (UNTRAINED, FIRST, SECOND):
        board.epoch(epoch)
    found = read(tmp_path / "run" / "tensorboard")
    assert set(found.Tags()["scalars"]) == set(EXPECTED)
    for tag, expected in EXPECTED.items():
        got = points(found, tag)
        assert [step for step, _ in got] == [step for step, _ in expected], tag
        assert [value for _, value in got] == pytest.approx([value for _, value in expected], rel=1e-7), tag


def test_a_number_that_is_zero_is_a_number(tmp_path: Path) -> None:
    open_board(tmp_path).epoch(Epoch(1, 0.0, 0.0, 0.0, 0.01, 0.0, {"head": 0.0}, 0.1))
    found = read(tmp_path)
    for tag in ("train_loss", "val_loss", "val_score", "grad_norm", "grad_norm/head"):
        assert points(found, tag) == [(1, 0.0)]


def test_a_viewer_reads_along(tmp_path: Path) -> None:
    board = open_board(tmp_path)
    viewer = read(tmp_path)
    assert viewer.Tags()["scalars"] == []
    for epoch in (FIRST, SECOND):
        board.epoch(epoch)
        assert points(viewer.Reload(), "val_loss")[-1] == (epoch.epoch, epoch.val_loss)


def test_a_loss_that_is_not_finite_is_shown_and_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_board(tmp_path).epoch(Epoch(1, 0.5, math.nan, math.inf, 0.01, 1.0, {}, 0.1))
    assert not caplog.records
    found = read(tmp_path)
    assert math.isnan(points(found, "val_loss")[0][1])
    assert points(found, "val_score") == [(1, math.inf)]


def test_a_training_is_told_of_as_its_history_says_and_is_not_changed(tmp_path: Path) -> None:
    plain, watched = network(dropout=0.3, layers=2), network(dropout=0.3, layers=2)
    expected = fitted(plain, RECIPE).history
    board = open_board(tmp_path)

    def on_epoch(epoch: Epoch, best: int) -> None:
        board.epoch(epoch)
        board.graph(watched, torch.zeros(1, L, 1))

    fitted(watched, RECIPE, on_epoch=on_epoch)
    assert bits(watched) == bits(plain)
    found = read(tmp_path)
    assert points(found, "val_score") == [(e.epoch, float(np.float32(e.val_score))) for e in expected]
    norms = [(e.epoch, float(np.float32(e.layer_norms["layers.1"]))) for e in expected[1:]]
    assert points(found, "grad_norm/layers.1") == norms


def test_the_graph_is_the_textbook_drawing(tmp_path: Path) -> None:
    named = drawn(tmp_path, RegLSTM(F, [4, 3], 2, output_size=H, layer_norm=True, head_layers=[5]))
    assert arrows(named) == {
        "input": [],
        "transpose": ["input"],
        "layers.0": ["transpose"],
        "norms.0": ["layers.0"],
        "layers.1": ["norms.0"],
        "transpose_1": ["layers.1"],
        "flatten": ["transpose_1"],
        "norms.1": ["flatten"],
        "head/0": ["norms.1"],
        "head/1": ["head/0"],
        "head/2": ["head/1"],
        "output": ["head/2"],
    }
    assert {name: named[name].op for name in ("layers.0", "norms.1", "head/1", "transpose_1")} == {
        "layers.0": "LSTM",
        "norms.1": "LayerNorm",
        "head/1": "ReLU",
        "transpose_1": "transpose",
    }
    assert named["layers.1"].attr["attr"].s == b"LSTM(4, 3)"
    assert shapes(named["input"]) == [[1, L, F]]
    assert shapes(named["layers.0"]) == [[L, 1, 4], [1, 1, 4], [1, 1, 4]]
    assert shapes(named["output"]) == [[1, H]]


def test_the_graph_shows_both_states_that_the_head_reads(tmp_path: Path) -> None:
    named = drawn(tmp_path, RegLSTM(F, 4, readout="both"))
    assert list(named["cat"].input) == ["flatten", "flatten_1"]
    assert list(named["flatten_1"].input) == ["transpose_2"]
    assert list(named["transpose_2"].input) == ["layers.0"]


def test_the_graph_shows_where_a_learned_state_enters(tmp_path: Path) -> None:
    named = drawn(tmp_path, RegLSTM(F, 4, cell="gru", initial_state="learned"))
    assert list(named["layers.0"].input) == ["transpose", "contiguous"]
    assert list(named["contiguous"].input) == ["expand"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (RegLSTM(F, 4, 2, output_size=H, cell="lstm_peephole", bidirectional=True), "PeepholeLSTM"),
        (RegLSTM(F, 4, 2, output_size=H, cell="gru", initial_state="learned"), "GRU"),
        (RegLSTM(F, 4, 2, output_size=H, cell="rnn", dropout=0.5, num_quantiles=3), "RNN"),
        (RegLSTM(F, 4, 2, output_size=H, initial_state="random", batch_first=False), "LSTM"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_in_every_graph_each_layer_has_one_box_between_input_and_output(
    tmp_path: Path, model: RegLSTM, kind: str
) -> None:
    named = drawn(tmp_path, model)
    assert [name for name, node in named.items() if node.op == kind] == ["layers.0", "layers.1"]
    before: set[str] = set()
    waiting = ["output"]
    while waiting:
        inputs = list(named[waiting.pop()].input)
        before |= set(inputs)
        waiting += inputs
    assert {"input", "layers.0", "layers.1", "head/0"} <= before
    assert shapes(named["output"])[0][:2] == [1, H]


class ByKeyword(RegLSTM):
    """Hands tensors to operations by name, and in lists."""

    def final(self, x: Tensor, *, beside: Beside = NOTHING, draws: Draws | None = None) -> Tensor:
        del beside, draws
        return torch.cat(tensors=[x, torch.neg(input=x)])


def test_the_graph_follows_tensors_that_go_by_keyword(tmp_path: Path) -> None:
    expected = {"input": [], "neg": ["input"], "cat": ["input", "neg"], "output": ["cat"]}
    assert arrows(drawn(tmp_path, ByKeyword(F, 4))) == expected


def test_drawing_leaves_the_model_and_chance_as_they_were(tmp_path: Path) -> None:
    model = RegLSTM(F, 4, 2, dropout=0.5, initial_state="random")
    before, chance = bits(model), torch.get_rng_state()
    for training in (True, False):
        model.train(training)
        open_board(tmp_path).graph(model, torch.zeros(1, L, F))
        assert all(module.training is training for module in model.modules())
    assert bits(model) == before
    assert torch.equal(torch.get_rng_state(), chance)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_that_refuses_the_example_is_left_as_it_was(tmp_path: Path) -> None:
    model = RegLSTM(F, 4)
    with pytest.raises(ValueError, match="expected"):
        open_board(tmp_path).graph(model, torch.zeros(1, L, F + 1))
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_settings_and_final_metrics_are_hyper_parameters(tmp_path: Path) -> None:
    settings = {"model.cell": "lstm", "training.lr": 0.01, "window.lookback": 60, "run.plots": False}
    board = open_board(tmp_path)
    board.epoch(FIRST)
    board.epoch(SECOND)
    board.finish(settings, {"mae": 1.5, "skill": -0.25})
    found = read(tmp_path)
    start = plugin_data(found, "_hparams_/session_start_info").session_start_info
    values = {key: (value.WhichOneof("kind"), value) for key, value in start.hparams.items()}
    assert {key: (kind, getattr(value, kind)) for key, (kind, value) in values.items()} == {
        "model.cell": ("string_value", "lstm"),
        "training.lr": ("number_value", 0.01),
        "window.lookback": ("number_value", 60.0),
        "run.plots": ("bool_value", False),
    }
    experiment = plugin_data(found, "_hparams_/experiment").experiment
    assert [info.name for info in experiment.hparam_infos] == list(settings)
    assert [info.name.tag for info in experiment.metric_infos] == ["final/mae", "final/skill"]
    assert points(found, "final/mae") == [(2, 1.5)]
    assert points(found, "final/skill") == [(2, -0.25)]
    assert plugin_data(found, "_hparams_/session_end_info").HasField("session_end_info")
    metadata = found.SummaryMetadata("_hparams_/experiment")
    assert metadata.plugin_data.plugin_name == "hparams"


def test_the_file_is_a_row_of_records_that_names_no_machine(tmp_path: Path) -> None:
    board = open_board(tmp_path)
    board.epoch(FIRST)
    assert list(tmp_path.iterdir()) == [board.file]
    assert "tfevents" in board.file.name
    assert platform.node() not in board.file.name
    data, lengths = board.file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        lengths.append(length)
        data = data[8 + 4 + length + 4 :]
    assert len(lengths) == 2  # the version, then all numbers of the epoch at once
    assert b"brain.Event:2" in board.file.read_bytes()[12 : 12 + lengths[0]]


def test_a_second_board_in_a_folder_spares_the_first(tmp_path: Path) -> None:
    open_board(tmp_path).epoch(FIRST)
    open_board(tmp_path).epoch(SECOND)
    assert points(read(tmp_path), "val_loss") == [(1, 0.625), (2, 0.375)]


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ResourceError) as raised:
        open_board(tmp_path / "board")
    assert (raised.value.id, raised.value.code) == ("resource.extra", 16)
    assert raised.value.hint == "pip install 'lstm-forecast[tensorboard]'"
    assert not (tmp_path / "board").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_told_of_by_the_call_that_meets_it() -> None:
    board = BoardWriter(Path("/dev/full"))
    calls = [
        lambda: board.epoch(FIRST),
        lambda: board.graph(RegLSTM(F, 4), torch.zeros(1, L, F)),
        lambda: board.finish({"seed": 0}, {}),
    ]
    for call in calls:
        with pytest.raises(StorageError) as raised:
            call()
        assert (raised.value.id, raised.value.errno) == ("storage.full", errno.ENOSPC)
        assert raised.value.where == "/dev/full"


def test_an_error_that_shows_only_when_the_disk_is_waited_for_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = open_board(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as raised:
        board.epoch(FIRST)
    assert (raised.value.id, raised.value.errno) == ("storage.io", errno.EIO)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError):
        open_board(tmp_path / "taken")


def test_the_package_is_not_imported_before_a_board_is_opened(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "import lstm_forecast.pipeline, lstm_forecast.training.tensorboard as board\n"
        "names = ('tensorboardX', 'google.protobuf', 'tensorboard')\n"
        "known = lambda: [name in sys.modules for name in names]\n"
        "print(known())\n"
        "board.open_board(pathlib.Path(sys.argv[1]))\n"
        "print(known())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[False, False, False]", "[True, True, False]"]
