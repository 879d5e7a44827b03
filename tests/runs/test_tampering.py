"""Rows 29 to 34: a run directory is untrusted, and every fault of it is said with the file's name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import numpy as safe_numpy
from safetensors.torch import load, save

from lstm_forecast import pipeline
from lstm_forecast.config import dump_config, parse_config, with_values
from lstm_forecast.config.left_open import CHOSEN
from lstm_forecast.errors import ArtifactRejected, ForecastError, RunMissing
from lstm_forecast.events import Events
from lstm_forecast.forecasting import trained as packing
from lstm_forecast.forecasting.trained import Preprocess, unpack_context
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.opening import Opened, opened
from lstm_forecast.runs.run import FILES, MANIFEST, Run
from lstm_forecast.runs.storage import json_bytes, sha256_of
from lstm_forecast.runs.verifying import open_run, verify_run
from tests.conftest import Tiny
from tests.training.jobs import days, momentum, trained, write_csv

Change = Callable[[bytes], bytes]


def replaced(run: Run, name: str, data: bytes) -> None:
    """Another file, and a manifest that fits it: what somebody could do who wants to be read."""
    (run.path / name).write_bytes(data)
    manifest = json.loads((run.path / MANIFEST).read_bytes())
    for entry in manifest["files"]:
        if entry["path"] == name:
            entry.update(size_bytes=len(data), sha256=sha256_of(data))
    (run.path / MANIFEST).write_bytes(json_bytes(manifest))


def edited(run: Run, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """A JSON file changed, and its manifest with it."""
    document = json.loads((run.path / name).read_bytes())
    change(document)
    replaced(run, name, json.dumps(document).encode())


def everything(run: Run) -> None:
    """All that a run is read for."""
    chosen = opened(run)
    for forecaster in (chosen.forecaster, chosen.tested):
        assert all(isinstance(network, RegLSTM) for network in forecaster.networks)
    if chosen.calibration is not None:
        assert len(chosen.calibration.windows())
    pipeline.predict(run.path)
    for kind in ("forecast", "test", "loss"):
        pipeline.plot(run.path, kind)


def rejected(run: Run) -> ArtifactRejected:
    """The refusal of a run."""
    with pytest.raises(ArtifactRejected) as caught:
        everything(run)
    assert caught.value.code == 13
    return caught.value


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda data: data[:8], id="8 bytes"),
        pytest.param(lambda data: data[: len(data) // 2], id="half"),
        pytest.param(lambda data: data[:-1], id="one byte less"),
        pytest.param(lambda data: data + b"\0", id="one byte more"),
        pytest.param(lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:], id="one bit"),
    ],
)
def test_row_29_a_damaged_file_is_named(name: str, change: Change, tiny: Tiny) -> None:
    path = tiny.run.path / name
    path.write_bytes(change(path.read_bytes()))
    error = rejected(tiny.run)
    assert (error.id, error.where) == ("artifact.hash", str(path))
    assert error.details[0].startswith("expected: ")
    assert error.details[1].startswith("got: ")
    assert [fault.where for fault in verify_run(tiny.run)] == [str(path)]


@pytest.mark.parametrize("name", FILES)
def test_row_29_a_missing_file_is_named(name: str, tiny: Tiny) -> None:
    (tiny.run.path / name).unlink()
    assert rejected(tiny.run).where == str(tiny.run.path / name)


def test_row_29_all_damaged_files_are_found_at_once(tiny: Tiny) -> None:
    assert verify_run(tiny.run) == []
    for name in ("history.csv", "run.json"):
        (tiny.run.path / name).write_bytes(b"")
    assert [Path(fault.where).name for fault in verify_run(tiny.run)] == ["history.csv", "run.json"]


def test_row_30_without_a_manifest_the_run_is_incomplete(tiny: Tiny) -> None:
    (tiny.run.path / MANIFEST).unlink()
    with pytest.raises(RunMissing) as caught:
        pipeline.predict("tiny", runs_dir=tiny.runs)
    assert caught.value.id == "run.incomplete"


def test_row_31_a_newer_format_is_refused(tiny: Tiny) -> None:
    manifest = json.loads((tiny.run.path / MANIFEST).read_bytes())
    (tiny.run.path / MANIFEST).write_bytes(json_bytes(manifest | {"format_version": 2}))
    error = rejected(tiny.run)
    assert (error.id, error.message) == (
        "artifact.version",
        "format version 2; this program reads up to 1",
    )
    assert error.hint.startswith("upgrade lstm-forecast")


def weights(run: Run) -> dict[str, torch.Tensor]:
    """The tensors of the network's file."""
    found: dict[str, torch.Tensor] = load((run.path / "model.safetensors").read_bytes())
    return found


FIRST = "head.0.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda t: {**t, min(t): t[min(t)][..., :-1].contiguous()}, "expected float32", id="shape"
        ),
        pytest.param(lambda t: {**t, min(t): t[min(t)].double()}, "got float64", id="type"),
        pytest.param(lambda t: {k: v for k, v in t.items() if k != min(t)}, "got nothing", id="missing"),
        pytest.param(lambda t: {**t, "a": torch.zeros(1)}, "tensor 'a': expected nothing", id="extra"),
        pytest.param(lambda t: {**t, min(t): t[min(t)] * float("nan")}, "is not finite", id="NaN"),
        pytest.param(lambda t: {**t, min(t): t[min(t)] + float("inf")}, "is not finite", id="infinite"),
    ],
)
def test_row_32_weights_that_do_not_fit_are_refused_by_name(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], said: str, tiny: Tiny
) -> None:
    before = weights(tiny.run)
    replaced(tiny.run, "model.safetensors", save(change(before)))
    error = rejected(tiny.run)
    assert error.id == "artifact.tensor"
    assert said in error.message
    assert repr("a" if "'a'" in said else min(before)) in error.message


@pytest.mark.parametrize("width", ["1000000000", "65536", "[4, 4, 4]"])
def test_row_32_a_description_of_a_huge_network_allocates_nothing(
    width: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tiny.run.path / "config.yaml").read_text()
    assert "hidden_size: 3" in text
    replaced(tiny.run, "config.yaml", text.replace("hidden_size: 3", f"hidden_size: {width}").encode())
    built: list[torch.device] = []
    true_build = RegLSTM.__init__

    def watched(self: RegLSTM, *arguments: Any, **named: Any) -> None:
        true_build(self, *arguments, **named)
        built.append(next(self.parameters()).device)

    monkeypatch.setattr(RegLSTM, "__init__", watched)
    error = rejected(tiny.run)
    assert error.id in ("artifact.config", "artifact.tensor")
    assert {device.type for device in built} <= {"meta"}


@pytest.mark.parametrize("key", [*CHOSEN, "window.stride"])
def test_row_32_a_configuration_that_leaves_a_choice_open_was_never_trained(key: str, tiny: Tiny) -> None:
    """It would be chosen anew, from other rows, for weights that were trained with the first choice."""
    path = tiny.run.path / "config.yaml"
    config = opened(tiny.run).config
    replaced(tiny.run, "config.yaml", dump_config(with_values(config, {key: "auto"})).encode())
    error = rejected(tiny.run)
    assert (error.id, error.where) == ("artifact.config", str(path))
    assert error.message == f"{key}: expected the value it was trained with, got auto"


def test_row_33_a_pickle_in_place_of_weights_is_never_loaded(tiny: Tiny, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    # Protocol 0 by hand: calls os.system("touch marker") when unpickled.
    payload = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    for stray in ("model.pt", "scaler.joblib", "model.pkl"):
        (tiny.run.path / stray).write_bytes(payload)
    everything(tiny.run)  # stray files are ignored
    for name in ("model.safetensors", "context.safetensors"):
        before = (tiny.run.path / name).read_bytes()
        replaced(tiny.run, name, payload)
        error = rejected(tiny.run)
        assert (error.id, error.where) == ("artifact.safetensors", str(tiny.run.path / name))
        replaced(tiny.run, name, before)
    assert not marker.exists()


@pytest.mark.parametrize(
    "path", ["../run.json", "/etc/passwd", "run.json\0", "RUN.json", "model.safetensors", "", "log.jsonl"]
)
def test_row_34_a_manifest_that_lists_another_path_is_refused(
    path: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = json.loads((tiny.run.path / MANIFEST).read_bytes())
    manifest["files"][-1]["path"] = path
    (tiny.run.path / MANIFEST).write_bytes(json.dumps(manifest).encode())
    opened_paths: list[str] = []
    true_open = os.open

    def watched(path: str | Path, *rest: Any, **named: Any) -> int:
        opened_paths.append(str(path))
        return true_open(path, *rest, **named)

    monkeypatch.setattr(os, "open", watched)
    error = rejected(tiny.run)
    assert error.id == "artifact.path"
    assert repr(path) in error.message
    assert {Path(p).name for p in opened_paths} <= {MANIFEST}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format_version": 1}',
        b'{"format_version": "99", "files": []}',
        b'{"format_version": 1, "files": 3}',
        b'{"format_version": 1, "files": {"a": 1}}',
        b'{"format_version": 1, "files": [{"path": "run.json", "size_bytes": "x", "sha256": ""}]}',
        b'{"format_version": 1, "files": []}',
        b"[" * 10_000,
        b'{"a":' * 10_000,
    ],
)
def test_row_34_a_manifest_that_is_none_is_refused(manifest: bytes, tiny: Tiny) -> None:
    (tiny.run.path / MANIFEST).write_bytes(manifest)
    error = rejected(tiny.run)
    assert error.id in ("artifact.json", "artifact.manifest", "artifact.path")
    assert error.where == str(tiny.run.path / MANIFEST)
    assert len(verify_run(tiny.run)) == 1


@pytest.mark.parametrize("name", ["model.safetensors", "run.json", MANIFEST])
def test_row_34_a_link_out_of_the_run_is_not_followed(name: str, tiny: Tiny, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tiny.run.path / name).rename(outside)
    (tiny.run.path / name).symlink_to(outside)
    error = rejected(tiny.run)
    assert (error.id, error.where) == ("artifact.unreadable", str(tiny.run.path / name))


@pytest.mark.parametrize("name", ["preprocess.json", "metrics.json"])
def test_row_34_deep_json_is_refused(name: str, tiny: Tiny) -> None:
    replaced(tiny.run, name, b"[" * 10_000 + b"]" * 10_000)
    assert rejected(tiny.run).where == str(tiny.run.path / name)


def _set(*path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_set("series_ids", value=[]), id="no series"),
        pytest.param(_set("series_ids", value=7), id="series no list"),
        pytest.param(_set("columns", value=["a", "b"]), id="more columns"),
        pytest.param(_set("scaling", value=None), id="no scaling"),
        pytest.param(_set("scaling", "unit", value=[[1e400]]), id="infinite unit"),
        pytest.param(_set("scaling", "offset", value=[["x"]]), id="text for a number"),
        pytest.param(_set("scaling", "offset", value=[[1.0], [2.0, 3.0]]), id="ragged"),
        pytest.param(_set("scaling", "normalize", value="os.system"), id="unknown normalize"),
        pytest.param(_set("scaling", "trained", value=[True, True]), id="more flags"),
        pytest.param(_set("scaling", "transform", value="sqrt"), id="unknown transform"),
        pytest.param(_set("scaling", "transform", value=["log"]), id="transform no word"),
        pytest.param(_set("scaling", "input_low", value=[[-1e400]]), id="endless range"),
        pytest.param(_set("scaling", "mase_scale", value=[-1.0]), id="error scale below 0"),
        pytest.param(_set("scaling", "rmsse_scale", value=[[1.0]]), id="error scale by column"),
        pytest.param(_set("held_out_scaling", value={"normalize": "none"}), id="half a second scaling"),
        pytest.param(_set("season", value=0), id="season of no step"),
        pytest.param(_set("season", value=10**9), id="season without end"),
        pytest.param(_set("time_format", value={"kind": "date", "pattern": "%Z", "zone": ""}), id="pattern"),
        pytest.param(_set("time_format", value=[]), id="time format no object"),
        pytest.param(_set("frequency", value={}), id="no frequency"),
        pytest.param(_set("frequency", "step", value=0), id="frequency that stands still"),
        pytest.param(_set("frequency", "step", value=-5), id="frequency that goes back"),
        pytest.param(_set("frequency", "step", value=1e400), id="frequency without end"),
        pytest.param(_set("frequency", "unit", value="aeon"), id="unknown unit"),
        pytest.param(_set("frequency", "weekdays", value=[]), id="never open"),
        pytest.param(_set("frequency", "weekdays", value=[9]), id="no such weekday"),
    ],
)
def test_row_32_units_and_rhythm_that_make_no_sense_are_refused(
    change: Callable[[dict[str, Any]], None], tiny: Tiny
) -> None:
    edited(tiny.run, "preprocess.json", change)
    error = rejected(tiny.run)
    assert error.id == "artifact.preprocess"
    assert error.where == str(tiny.run.path / "preprocess.json")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("values", np.full((1, 1), np.nan)),
        ("values", None),
        ("times", np.zeros((2, 2), dtype=np.int64)),
        ("offsets", np.array([0, 10**9])),
        ("offsets", np.array([5, 1])),
        ("train_end", np.array([-1])),
        ("validation_end", np.array([10**9])),
        ("validation_end", np.array([0.5])),
    ],
)
def test_row_32_rows_that_make_no_sense_are_refused(name: str, array: np.ndarray | None, tiny: Tiny) -> None:
    arrays = safe_numpy.load((tiny.run.path / "context.safetensors").read_bytes())
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array if array.shape != (1, 1) else np.full_like(arrays["values"], np.nan)
    replaced(tiny.run, "context.safetensors", safe_numpy.save(arrays))
    error = rejected(tiny.run)
    assert (error.id, error.where) == ("artifact.tensor", str(tiny.run.path / "context.safetensors"))


def test_row_32_units_of_tested_networks_without_their_weights_are_refused(tiny: Tiny) -> None:
    """And the other way round: see the run that was trained twice."""
    edited(tiny.run, "preprocess.json", lambda d: d.update(held_out_scaling=d["scaling"]))
    error = rejected(tiny.run)
    assert error.id == "artifact.tensor"
    assert error.message.startswith("tensor 'held_out.0.head.0.bias': expected float32 [2], got nothing")


@pytest.fixture(scope="module")
def rich_once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with everything: two networks of quantiles of logarithms, trained again on all rows."""
    csv = write_csv(tmp_path_factory.mktemp("rich") / "rich.csv", {"date": days(160), "v": momentum(160)})
    rich = {"training.ensemble": "2", "training.refit": "full", "model.head": "quantile"}
    return trained(csv, {**rich, "data.transform": "log1p", "training.patience": "null"}).run


@pytest.fixture
def rich(rich_once: Run, tmp_path: Path) -> Run:
    """A copy that may be damaged."""
    shutil.copytree(rich_once.path, tmp_path / "rich" / rich_once.id)
    return Run(tmp_path / "rich" / rich_once.id)


def test_a_run_with_everything_reads_back_to_the_last_bit(rich: Run) -> None:
    chosen = opened(rich)
    final, tested, calibration = chosen.forecaster, chosen.tested, chosen.calibration
    assert len(final.networks) == len(tested.networks) == 2
    assert final.levels == tested.levels == (0.025, 0.1, 0.5, 0.9, 0.975)
    assert packing.pack_weights(final.networks, tested.networks) == chosen.files["model.safetensors"]
    assert chosen.preprocess.to_bytes() == chosen.files["preprocess.json"]
    assert final.scaling.transform == tested.scaling.transform == "log1p"
    assert not np.array_equal(final.scaling.unit, tested.scaling.unit)
    assert calibration is not None
    assert calibration.to_json() == chosen.metrics["calibration"]
    assert (calibration.method, calibration.pairs) == ("quantile", (95.0, 80.0))
    assert {name: array.tobytes() for name, array in calibration.to_arrays().items()} == {
        name: array.tobytes() for name, array in chosen.scores.items()
    }
    everything(rich)


def test_row_32_every_network_of_a_run_needs_its_weights_and_no_other(rich: Run) -> None:
    before = weights(rich)
    prefixes = ("network.0", "network.1", "held_out.0", "held_out.1")
    assert {".".join(name.split(".")[:2]) for name in before} == set(prefixes)
    for prefix in prefixes:
        name = f"{prefix}.head.0.weight"
        replaced(rich, "model.safetensors", save({k: v for k, v in before.items() if k != name}))
        assert repr(name) in rejected(rich).message
    name = "network.2.head.0.bias"
    replaced(rich, "model.safetensors", save({**before, name: before["network.1.head.0.bias"].clone()}))
    assert rejected(rich).message.startswith(f"tensor {name!r}: expected nothing, got float32")
    replaced(rich, "model.safetensors", save(before))
    edited(rich, "preprocess.json", lambda document: document.update(held_out_scaling=None))
    assert rejected(rich).message == ("tensor 'held_out.0.head.0.bias': expected nothing, got float32 [10]")


def _calibration(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        part = document
        for key in ("calibration", *path)[:-1]:
            part = part[key]  # type: ignore[index]
        part[("calibration", *path)[-1]] = value  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_calibration(value=[]), id="no mapping"),
        pytest.param(_calibration(value={}), id="empty"),
        pytest.param(_calibration(value="conformal"), id="a word"),
        pytest.param(_calibration("method", value="magic"), id="unknown method"),
        pytest.param(_calibration("scale", value=1), id="unknown scale"),
        pytest.param(_calibration("pairs", value=[80]), id="pairs without quantiles"),
        pytest.param(_calibration("coverage", value={}), id="no coverage"),
        pytest.param(_calibration("coverage", 0, "share", value=[]), id="coverage of no step"),
        pytest.param(_calibration("coverage", 0, "level", value=100), id="certainty"),
        pytest.param(_calibration("coverage", 0, "count", 0, value=-1), id="negative count"),
        pytest.param(_calibration("coverage", 0, "share", 0, value=1.5), id="more than all"),
    ],
)
def test_row_32_a_calibration_that_makes_no_sense_is_refused(
    change: Callable[[dict[str, Any]], None], tiny: Tiny
) -> None:
    edited(tiny.run, "metrics.json", change)
    error = rejected(tiny.run)
    assert (error.id, error.where) == ("artifact.calibration", str(tiny.run.path / "metrics.json"))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("scores", None),
        ("scores", np.ones((3, 2))),
        ("scores", np.ones((3, 2, 1))),
        ("scores", np.ones((16, 2, 1), dtype=np.float32)),
        ("scores", -np.ones((16, 16, 1))),
        ("scores", np.full((16, 16, 1), np.inf)),
        ("series", np.ones(16, dtype=np.int64)),
        ("floor", np.zeros(1)),
        ("more", np.zeros(1)),
    ],
)
def test_row_32_scores_that_make_no_sense_are_refused(
    name: str, array: np.ndarray | None, tiny: Tiny
) -> None:
    arrays = safe_numpy.load((tiny.run.path / "context.safetensors").read_bytes())
    assert arrays["calibration.scores"].shape == (16, 16, 1)
    if array is None:
        del arrays[f"calibration.{name}"]
    else:
        arrays[f"calibration.{name}"] = array
    replaced(tiny.run, "context.safetensors", safe_numpy.save(arrays))
    assert rejected(tiny.run).id == "artifact.calibration"


def test_a_baseline_that_is_none_is_not_believed(tiny: Tiny) -> None:
    edited(tiny.run, "metrics.json", lambda document: document.update(baseline="os.system"))
    everything(tiny.run)


@pytest.mark.parametrize("time", [2**62, -(2**62), 2**63 - 1])
def test_row_32_times_that_no_calendar_has_are_refused(time: int, tiny: Tiny) -> None:
    arrays = safe_numpy.load((tiny.run.path / "context.safetensors").read_bytes())
    arrays["times"][-1] = time
    replaced(tiny.run, "context.safetensors", safe_numpy.save(arrays))
    assert rejected(tiny.run).id == "artifact.tensor"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("history.csv", b"\xff\xfe"),
        ("history.csv", b"a,b\n1,2\n"),
        ("history.csv", b"epoch,train_loss,val_loss\nx,1,1\n"),
        ("metrics.json", b"[]"),
        ("metrics.json", b'{"best_epoch": "x"}'),
        ("config.yaml", b"\x00"),
        ("config.yaml", b"!!python/object/apply:os.system ['true']"),
        ("config.yaml", b"data: {path: x.csv, nonsense: 1}"),
    ],
)
def test_row_32_other_files_that_make_no_sense_are_refused(name: str, data: bytes, tiny: Tiny) -> None:
    replaced(tiny.run, name, data)
    assert rejected(tiny.run).code == 13


def test_the_config_of_a_run_is_equal_after_a_round_trip(tiny: Tiny) -> None:
    data = (tiny.run.path / "config.yaml").read_bytes()
    config = parse_config(data, where="config.yaml").config
    assert dump_config(config).encode() == data
    assert parse_config(dump_config(config).encode(), where="again").config == config
    assert config.data.target == "value"  # found columns are spelled out
    assert config.window.stride != "auto"


def test_the_config_of_a_run_trains_the_same_run_again(tiny: Tiny, tmp_path: Path) -> None:
    from lstm_forecast.config import load_config

    loaded = load_config(tiny.run.path / "config.yaml", environ={})
    again = pipeline.train(loaded, runs_dir=tmp_path / "again")
    name = "model.safetensors"
    assert (again.run.path / name).read_bytes() == (tiny.run.path / name).read_bytes()


def test_preprocess_and_context_are_equal_after_a_round_trip(tiny: Tiny) -> None:
    files = open_run(tiny.run)
    preprocess = Preprocess.from_bytes(files["preprocess.json"], where="x")
    assert preprocess.to_bytes() == files["preprocess.json"]
    panel, splits, scores = unpack_context(files["context.safetensors"], preprocess, where="x")
    assert packing.pack_context(panel, splits, scores, at_least=10**6) == files["context.safetensors"]
    lines = tiny.csv.read_text().splitlines()[1:]
    kept = [float(line.split(",")[1]) for line in lines][-len(panel.times) :]
    assert panel.values[:, 0].tolist() == kept  # the file's own numbers, exactly


def test_weights_are_equal_after_a_round_trip(tiny: Tiny) -> None:
    chosen = opened(tiny.run)
    assert chosen.tested is chosen.forecaster
    assert packing.pack_weights(chosen.forecaster.networks, ()) == chosen.files["model.safetensors"]
    assert set(weights(tiny.run)) == {
        f"network.0.{name}" for name in chosen.forecaster.networks[0].state_dict()
    }


def test_metrics_and_history_are_readable_and_finite(tiny: Tiny) -> None:
    chosen: Opened = opened(tiny.run)
    assert set(chosen.metrics) >= {"verdict", "skill", "baseline", "p_value", "metrics", "test", "best_epoch"}
    lines = chosen.files["history.csv"].decode().splitlines()
    assert lines[0].startswith("network,epoch,train_loss,val_loss,val_score,lr,grad_norm,")
    assert lines[0].endswith(",elapsed_s")
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "1"], ["1", "2"]]
    assert all(np.isfinite(float(cell)) for line in lines[1:] for cell in line.split(",") if cell)


def test_the_log_of_a_run_begins_and_ends_as_it_should(tiny: Tiny) -> None:
    lines = [json.loads(line) for line in (tiny.run.path / "log.jsonl").read_text().splitlines()]
    names = [line["event"] for line in lines]
    assert (names[0], names[-1]) == ("run.start", "run.end")
    assert names.count("epoch.end") == 2
    assert all({"v", "ts", "t", "level", "event"} <= set(line) for line in lines)
    assert lines[-1]["exit_code"] == 0
    assert json.loads((tiny.run.path / "status.json").read_text())["status"] == "complete"


def test_opening_never_writes(tiny: Tiny) -> None:
    def snapshot() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(tiny.runs.rglob("*")) if p.is_file()}

    before = snapshot()
    everything(tiny.run)
    try:
        pipeline.predict("tiny", runs_dir=tiny.runs, events=Events())
    except ForecastError:
        pytest.fail("a good run was refused")
    assert snapshot() == before
