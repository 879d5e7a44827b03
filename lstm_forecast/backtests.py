"""Held-out forecasts kept for pictures: those of the last ``evaluate``, else those of the test split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.evaluation.held_out import HeldOut, cutoffs, hold_out
from lstm_forecast.forecasting.trained import MOST_DAYS
from lstm_forecast.judging import Bounds, fixed_bounds
from lstm_forecast.opening import Opened
from lstm_forecast.runs.storage import parse_json, read_file

Floats = NDArray[np.float64]
TABLE, SUMMARY, ARRAYS = "backtest.csv", "backtest.json", "backtest.safetensors"  # under predictions/
_LIMIT = 2**31  # bytes of a file read back


@dataclass(frozen=True)
class Drawable:
    """Forecasts of W windows beside what came.

    Attributes:
        title: what they are.
        series: [W].
        origins: time of the cutoff, [W].
        times: of the targets, [W, H].
        actual: [W, H], NaN where not observed.
        forecast: [W, H].
        bounds: lower and upper by level, each [W, H].
        errors: mean absolute error by step of every forecast, by name.
    """

    title: str
    series: NDArray[np.int64]
    origins: NDArray[np.int64]
    times: NDArray[np.int64]
    actual: Floats
    forecast: Floats
    bounds: Bounds
    errors: Mapping[str, list[float]]


def pack_backtest(held: HeldOut, bounds: Bounds, panel: Panel) -> bytes:
    """``predictions/backtest.safetensors``."""
    from safetensors.numpy import save

    steps = np.arange(1, held.forecast.shape[1] + 1)
    arrays = {
        "series": held.series,
        "origins": held.origins,
        "times": panel.times[held.rows[:, None] + steps],
        "actual": held.actual,
        "forecast": held.given,
    }
    for level, (lower, upper) in bounds.items():
        arrays |= {f"lo_{level:g}": lower, f"hi_{level:g}": upper}
    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def drawable(opened: Opened) -> Drawable:
    """The forecasts of the last ``evaluate``, or else those of the run's own test rows.

    Raises:
        ArtifactRejected: a file of the last ``evaluate`` makes no sense.
    """
    folder = opened.run.path / "predictions"
    if (folder / ARRAYS).is_file() and (folder / SUMMARY).is_file():
        return _read(opened)
    test, bounds = held_out_test(opened)
    steps = np.arange(1, test.forecast.shape[1] + 1)
    times = opened.context.times[test.rows[:, None] + steps]
    where = str(opened.run.path / "metrics.json")
    errors = _errors(opened.metrics, steps=len(steps), where=where) if len(test) else {}
    return Drawable("test rows", test.series, test.origins, times, test.actual, test.forecast, bounds, errors)


def test_cutoffs(opened: Opened) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the run's test forecasts were made: flat rows of its context and their series, [W] each."""
    context, scaling = opened.context, opened.preprocess.held_out_scaling or opened.preprocess.scaling
    ends, horizon = context.offsets[1:], opened.config.window.horizon
    first = np.where(scaling.trained, opened.splits.validation_end, ends)
    return cutoffs(context, first, ends - (horizon - 1), least=opened.config.window.lookback)


def one_step_test(opened: Opened, only: Sequence[int]) -> HeldOut:
    """What was forecast one step ahead on the test rows of these series: see :func:`held_out_test`.

    Kept with the opened run: two pictures show it.
    """
    key = tuple(only)
    if key not in opened.one_step_tests:
        rows, series = test_cutoffs(opened)
        mine = np.isin(series, only)
        context = opened.context
        forecaster = opened.tested_issuer_for(windows=int(mine.sum()), horizon=1)
        opened.one_step_tests[key] = hold_out(
            forecaster, context, rows[mine], series[mine], end=context.offsets[1:], steps=1
        )
    return opened.one_step_tests[key]


def held_out_test(opened: Opened) -> tuple[HeldOut, Bounds]:
    """What was forecast on the run's test rows, made again from its weights and rows.

    By the tested networks, or by the baseline that stands in their place.
    """
    context, horizon = opened.context, opened.config.window.horizon
    rows, series = test_cutoffs(opened)
    forecaster = opened.tested_issuer_for(windows=len(rows), horizon=horizon)
    test = hold_out(forecaster, context, rows, series, end=context.offsets[1:], steps=horizon)
    if opened.calibration is None:
        return test, {}
    return test, fixed_bounds(opened.config, opened.calibration, context, forecaster, test)


def _read(opened: Opened) -> Drawable:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = opened.run.path / "predictions"
    where = str(folder / ARRAYS)
    try:
        arrays = load(read_file(folder / ARRAYS, limit=_LIMIT))
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactRejected("artifact.safetensors", f"cannot be read: {error}", where=where) from error
    _check(arrays, series=len(opened.context), where=where)
    levels = [float(name.removeprefix("lo_")) for name in arrays if name.startswith("lo_")]
    bounds = {level: (arrays[f"lo_{level:g}"], arrays[f"hi_{level:g}"]) for level in sorted(levels)}
    summary = parse_json(read_file(folder / SUMMARY, limit=_LIMIT), where=str(folder / SUMMARY))
    return Drawable(
        "backtest",
        arrays["series"],
        arrays["origins"],
        arrays["times"],
        arrays["actual"],
        arrays["forecast"],
        bounds,
        _errors(summary, steps=arrays["times"].shape[1], where=str(folder / SUMMARY)),
    )


def _check(arrays: Mapping[str, NDArray[Any]], *, series: int, where: str) -> None:
    """Names, types, shapes and ranges of the arrays."""
    bounds = {name for name in arrays if name.startswith(("lo_", "hi_"))}
    wanted: dict[str, type] = {"series": np.int64, "origins": np.int64, "times": np.int64}
    wanted |= dict.fromkeys(("actual", "forecast", *bounds), np.float64)
    shape = arrays["times"].shape if "times" in arrays else ()
    fine = set(arrays) == set(wanted) and len(shape) == 2 and min(shape) > 0
    for name, kind in wanted.items():
        expected = shape[:1] if name in ("series", "origins") else shape
        fine = fine and arrays[name].dtype == kind and arrays[name].shape == expected
    pairs = all(f"hi_{name[3:]}" in bounds and _is_level(name[3:]) for name in bounds if name[:3] == "lo_")
    if fine and pairs and len(bounds) % 2 == 0:
        inside = (arrays["series"] >= 0) & (arrays["series"] < series)
        furthest = MOST_DAYS * 86_400_000_000
        moments = np.concatenate([arrays["times"].reshape(-1), arrays["origins"]])
        if inside.all() and ((moments > -furthest) & (moments < furthest)).all():
            return
    raise ArtifactRejected("artifact.tensor", "the arrays of the backtest make no sense", where=where)


def _is_level(text: str) -> bool:
    try:
        return 0 < float(text) < 100 and f"{float(text):g}" == text
    except ValueError:
        return False


def _errors(document: Any, *, steps: int, where: str) -> dict[str, list[float]]:
    """Mean absolute error by step of every forecast, from a document's ``by_step``."""
    try:
        errors = {str(name): [_error(mae) for mae in by["mae"]] for name, by in document["by_step"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactRejected("artifact.json", f"cannot be read: {error!r}", where=where) from error
    if not errors or any(len(one) != steps for one in errors.values()):
        raise ArtifactRejected("artifact.json", f"by_step: not {steps} errors of each forecast", where=where)
    return errors


def _error(value: Any) -> float:
    """A mean absolute error, NaN for one that was not defined."""
    if value is None:
        return float("nan")
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"by_step: {value!r} is not an error")
    return float(value)
