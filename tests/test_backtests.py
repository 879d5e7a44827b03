"""Forecasts kept for pictures: read back as they were, else made again; what makes no sense is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from lstm_forecast import pipeline
from lstm_forecast.backtests import ARRAYS, SUMMARY, TABLE, drawable, held_out_test
from lstm_forecast.drawing import Kind
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.evaluating import Backtest
from lstm_forecast.opening import opened
from lstm_forecast.runs.run import Run
from lstm_forecast.runs.storage import json_bytes
from tests.conftest import Tiny
from tests.training.jobs import days, momentum, trained, write_csv

Arrays = dict[str, NDArray[Any]]
DRAWN = ("error", "residuals", "backtest")
ALL = Backtest(None, 1, None)


def kept(run: Run, plan: Backtest = ALL) -> pipeline.EvaluateResult:
    """An evaluation whose files lie in the run, as the command leaves them."""
    found = pipeline.evaluate(run.path, backtest=plan)
    for name, data in found.files.items():
        (run.path / "predictions" / name).write_bytes(data)
    return found


def test_the_files_have_the_promised_names(tiny: Tiny) -> None:
    assert set(kept(tiny.run).files) == {"backtest.csv", "backtest.json", "backtest.safetensors"}
    assert {TABLE, SUMMARY, ARRAYS} == {"backtest.csv", "backtest.json", "backtest.safetensors"}


def test_without_an_evaluation_the_test_rows_are_drawn(tiny: Tiny) -> None:
    run = opened(tiny.run)
    found = drawable(run)
    lines = (tiny.run.path / "predictions" / "test.csv").read_text().splitlines()
    names, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    columns = {name: np.array([row[place] for row in rows]) for place, name in enumerate(names)}
    written = {"actual": found.actual, "forecast": found.forecast}
    written |= {"lo_80": found.bounds[80.0][0], "hi_80": found.bounds[80.0][1]}
    for name, values in written.items():
        # the training computed in torch, a picture is computed in NumPy
        assert columns[name].astype(float).tolist() == pytest.approx(values.reshape(-1).tolist(), rel=1e-6)
    assert run.preprocess.time_format.format(found.times.reshape(-1)) == columns["time"].tolist()
    assert run.preprocess.time_format.format(np.repeat(found.origins, 2)) == columns["cutoff"].tolist()
    assert (found.title, found.series.tolist()) == ("test rows", [0] * 15)
    for name in ("naive", "drift"):
        missed = np.abs(columns[name].astype(float) - columns["actual"].astype(float))
        assert found.errors[name] == pytest.approx([missed[0::2].mean(), missed[1::2].mean()])
    assert list(found.errors) == ["model", "naive", "seasonal_naive", "drift", "mean"]


@pytest.mark.parametrize("changes", [{}, {"training.refit": "full", "training.ensemble": "2"}])
def test_the_test_rows_are_forecast_again_by_the_networks_that_never_saw_them(
    changes: dict[str, str], tmp_path: Path
) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    result = trained(csv, changes)
    run, test = opened(result.run), result.judged.test
    again, bounds = held_out_test(run)
    in_torch = run.tested.at(run.context, again.rows, again.series, horizon=2).point
    assert in_torch.tobytes() == test.forecast.tobytes()  # the training computed in torch
    np.testing.assert_allclose(again.forecast, test.forecast, rtol=1e-6)
    assert again.actual.tobytes() == test.actual.tobytes()
    assert list(bounds) == list(result.judged.bounds) == [80.0]
    for ours, theirs in zip(bounds[80.0], result.judged.bounds[80.0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("plan", [Backtest(None, 1, None), Backtest(5, 2, 2)])
def test_the_last_evaluation_is_read_back_as_it_was(plan: Backtest, tiny: Tiny) -> None:
    evaluation = kept(tiny.run, plan).evaluation
    found, held = drawable(opened(tiny.run)), evaluation.held
    assert found.title == "backtest"
    for ours, theirs in [
        (found.series, held.series),
        (found.origins, held.origins),
        (found.actual, held.actual),
        (found.forecast, held.forecast),
        (found.times, evaluation.panel.times[held.rows[:, None] + [1, 2]]),
        *zip(found.bounds[80.0], evaluation.bounds[80.0], strict=True),
    ]:
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())
    assert list(found.bounds) == [80.0]
    by_step = np.abs(held.forecast - held.actual).mean(axis=0)
    assert found.errors["model"] == pytest.approx(by_step.tolist())


@pytest.mark.parametrize("name", [ARRAYS, SUMMARY])
def test_half_an_evaluation_is_none(name: str, tiny: Tiny) -> None:
    kept(tiny.run)
    (tiny.run.path / "predictions" / name).unlink()
    assert drawable(opened(tiny.run)).title == "test rows"


def test_a_run_without_intervals_has_no_bounds(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    run = trained(csv, {"forecast.intervals.method": "none"}).run
    assert drawable(opened(run)).bounds == {}
    document = kept(run).document
    assert document["intervals"] == {"levels": [], "crps": None}
    assert drawable(opened(run)).bounds == {}


def with_one(name: str, place: tuple[int, ...], value: float) -> Callable[[Arrays], Arrays]:
    """One number of an array changed."""

    def change(arrays: Arrays) -> Arrays:
        array = arrays[name].copy()
        array[place] = value
        return {**arrays, name: array}

    return change


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def renamed(old: str, new: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {new if key == old else key: array for key, array in arrays.items()}


CHANGES: dict[str, Callable[[Arrays], Arrays]] = {
    "dtype": lambda a: {**a, "forecast": a["forecast"].astype(np.float32)},
    "bound's dtype": lambda a: {**a, "hi_80": a["hi_80"].astype(np.float32)},
    "series not a number": lambda a: {**a, "series": np.full(len(a["series"]), np.nan)},
    "series int32": lambda a: {**a, "series": a["series"].astype(np.int32)},
    "series unknown": with_one("series", (0,), 1),
    "series negative": with_one("series", (0,), -1),
    "a step less": lambda a: {**a, "forecast": a["forecast"][:, :1]},
    "a window less": lambda a: {**a, "actual": a["actual"][:-1]},
    "an origin less": lambda a: {**a, "origins": a["origins"][:-1]},
    "a bound's step less": lambda a: {**a, "lo_80": a["lo_80"][:, :1]},
    "times flat": lambda a: {**a, "times": a["times"].reshape(-1)},
    "no windows": lambda a: {name: array[:0] for name, array in a.items()},
    "no steps": lambda a: {name: array[:, :0] if array.ndim == 2 else array for name, array in a.items()},
    "no time": with_one("times", (0, 0), -(2**63)),
    "late time": with_one("times", (0, 0), 2**62),
    "no origin": with_one("origins", (0,), -(2**63)),
    "late origin": with_one("origins", (0,), 2**62),
    "lo_x": renamed("lo_80", "lo_x"),
    "lo_x and hi_x": lambda a: renamed("hi_80", "hi_x")(renamed("lo_80", "lo_x")(a)),
    "level 0": lambda a: renamed("hi_80", "hi_0")(renamed("lo_80", "lo_0")(a)),
    "level 100": lambda a: renamed("hi_80", "hi_100")(renamed("lo_80", "lo_100")(a)),
    "level nan": lambda a: renamed("hi_80", "hi_nan")(renamed("lo_80", "lo_nan")(a)),
    "level twice": lambda a: renamed("hi_80", "hi_80.0")(renamed("lo_80", "lo_80.0")(a)),
    "one bound": without("hi_80"),
    "no bounds for it": renamed("hi_80", "hi_90"),
    "no forecast": without("forecast"),
    "no times": without("times"),
    "one too many": lambda a: {**a, "more": a["actual"]},
    "nothing": lambda _: {},
}


@pytest.fixture(scope="module")
def files(trained_once: Tiny) -> Mapping[str, bytes]:
    """What an evaluation of the tiny run leaves."""
    return pipeline.evaluate(trained_once.run.path, backtest=ALL).files


@pytest.fixture
def folder(files: Mapping[str, bytes], tiny: Tiny) -> Path:
    """The folder in which they lie."""
    for name, data in files.items():
        (tiny.run.path / "predictions" / name).write_bytes(data)
    return tiny.run.path / "predictions"


def refused(run: Run, name: str, id: str) -> None:
    """What is drawn is refused with the file's name."""
    with pytest.raises(ArtifactRejected) as caught:
        drawable(opened(run))
    assert (caught.value.id, caught.value.code) == (id, 13)
    assert caught.value.where == str(run.path / "predictions" / name)


@pytest.mark.parametrize("kind", DRAWN)
def test_every_picture_of_held_out_forecasts_looks_before_it_draws(kind: Kind, tiny: Tiny) -> None:
    kept(tiny.run)
    (tiny.run.path / "predictions" / SUMMARY).write_text("{}")
    with pytest.raises(ArtifactRejected):
        pipeline.plot(tiny.run.path, kind)


@pytest.mark.parametrize("change", CHANGES)
def test_arrays_that_make_no_sense_are_refused(
    change: str, files: Mapping[str, bytes], folder: Path, tiny: Tiny
) -> None:
    arrays = load(files[ARRAYS])
    changed = {name: np.ascontiguousarray(array) for name, array in CHANGES[change](arrays).items()}
    (folder / ARRAYS).write_bytes(save(changed))
    refused(tiny.run, ARRAYS, "artifact.tensor")


def foreign(kind: str, size: int) -> bytes:
    """A file with one array of a type that NumPy does not have."""
    header = json.dumps({"times": {"dtype": kind, "shape": [2, 2], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\xff" * 64, b"PK\x03\x04" * 9, foreign("BF16", 8), foreign("F8_E4M3", 4)]
)
def test_a_file_that_is_no_safetensors_is_refused(data: bytes, folder: Path, tiny: Tiny) -> None:
    (folder / ARRAYS).write_bytes(data)
    refused(tiny.run, ARRAYS, "artifact.safetensors")


def test_a_link_is_not_followed(files: Mapping[str, bytes], folder: Path, tiny: Tiny) -> None:
    path = folder / ARRAYS
    (tiny.csv.parent / "elsewhere").write_bytes(files[ARRAYS])
    path.unlink()
    path.symlink_to(tiny.csv.parent / "elsewhere")
    refused(tiny.run, ARRAYS, "artifact.unreadable")


def with_errors(errors: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: {**document, "by_step": {"model": {"mae": errors}}}


DOCUMENTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "list": lambda _: [],
    "null": lambda _: None,
    "no by_step": lambda d: {name: value for name, value in d.items() if name != "by_step"},
    "by_step list": lambda d: {**d, "by_step": []},
    "by_step empty": lambda d: {**d, "by_step": {}},
    "no mae": lambda d: {**d, "by_step": {"model": {}}},
    "too few": with_errors([1.0]),
    "too many": with_errors([1.0, 1.0, 1.0]),
    "none": with_errors([]),
    "no list": with_errors(None),
    "text": with_errors("12"),
    "words": with_errors(["1", "2"]),
    "truth": with_errors([True, True]),
    "negative": with_errors([1.0, -1.0]),
    "beyond all": with_errors([1.0, 10**400]),
    "mapping": with_errors({"1": 1, "2": 2}),
}


@pytest.mark.parametrize("change", DOCUMENTS)
def test_a_summary_that_makes_no_sense_is_refused(
    change: str, files: Mapping[str, bytes], folder: Path, tiny: Tiny
) -> None:
    document = DOCUMENTS[change](json.loads(files[SUMMARY]))
    (folder / SUMMARY).write_text(json.dumps(document))
    refused(tiny.run, SUMMARY, "artifact.json")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"by_step": {"a": {"mae": [1e999, 1]}}}']
)
def test_a_summary_that_is_no_json_is_refused(data: bytes, folder: Path, tiny: Tiny) -> None:
    (folder / SUMMARY).write_bytes(data)
    refused(tiny.run, SUMMARY, "artifact.json")


def test_an_error_that_is_not_defined_leaves_a_hole(
    files: Mapping[str, bytes], folder: Path, tiny: Tiny
) -> None:
    document = with_errors([None, 2.5])(json.loads(files[SUMMARY]))
    (folder / SUMMARY).write_bytes(json_bytes(document))
    first, second = drawable(opened(tiny.run)).errors["model"]
    assert (np.isnan(first), second) == (True, 2.5)
