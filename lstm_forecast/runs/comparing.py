"""Runs side by side: how good each was, whether that may be compared, and which settings differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lstm_forecast.config import config_values, parse_config
from lstm_forecast.errors import ArtifactRejected, ConfigError
from lstm_forecast.runs.run import SMALL, Run, read_json
from lstm_forecast.runs.storage import read_file


@dataclass(frozen=True)
class Summary:
    """What is known of one run; a number is None where the run has none.

    Attributes:
        run: the run.
        verdict: beats, ties or loses.
        skill: share of the baseline's error that the model saves.
        baseline: the simple forecast it was compared with.
        metrics: of the model, on its test windows.
        naive: metrics of the naive forecast on the same windows.
        windows: number of test windows.
        tested: times of the first and the last test origin.
        data: SHA-256 of the file it was trained on.
        values: the configuration by dotted key.
    """

    run: Run
    verdict: str | None
    skill: float | None
    baseline: str | None
    metrics: dict[str, float | None]
    naive: dict[str, float | None]
    windows: int
    tested: tuple[str | None, str | None]
    data: str | None
    values: dict[str, object]


@dataclass(frozen=True)
class Comparison:
    """Several runs.

    Attributes:
        runs: one summary each, in the order asked for.
        obstacles: why their numbers cannot be compared; empty where they can.
        differing: dotted keys whose values differ, with the value in each run.
    """

    runs: tuple[Summary, ...]
    obstacles: tuple[str, ...]
    differing: dict[str, tuple[object, ...]]


def compare(runs: Sequence[Run]) -> Comparison:
    """Reads the runs and finds what differs.

    Raises:
        ArtifactRejected: a file of one cannot be read or makes no sense.
    """
    found = tuple(_summary(run) for run in runs)
    columns = {key: tuple(one.values[key] for one in found) for key in found[0].values}
    differing = {key: column for key, column in columns.items() if any(v != column[0] for v in column)}
    return Comparison(found, _obstacles(found), differing)


def _obstacles(found: Sequence[Summary]) -> tuple[str, ...]:
    """Errors are comparable only on the same values, as many steps ahead."""
    first, reasons = found[0], []
    if any(not one.windows for one in found):
        reasons.append("a run without test windows has no error")
    if any((one.windows, one.tested) != (first.windows, first.tested) for one in found):
        reasons.append("the test windows differ")
    if any(one.values["window.horizon"] != first.values["window.horizon"] for one in found):
        reasons.append("the horizons differ")
    # The naive forecast learns nothing: on the same windows of the same values its error is the same.
    naive = {one.naive.get("mae") for one in found} - {None}
    if not reasons and len(naive) > 1:
        reasons.append("the values of the test windows differ")
    return tuple(reasons)


def _summary(run: Run) -> Summary:
    metrics, about = read_json(run, "metrics.json"), read_json(run, "run.json")
    try:
        tables, test, data = metrics["metrics"], metrics["test"], about["data"]
        return Summary(
            run,
            _text(metrics["verdict"]),
            _number(metrics["skill"]),
            _text(metrics["baseline"]),
            {str(name): _number(value) for name, value in tables.get("model", {}).items()},
            {str(name): _number(value) for name, value in tables.get("naive", {}).items()},
            int(test["windows"]),
            (_text(test["from"]), _text(test["to"])),
            _text(data["sha256"]),
            _values(run),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactRejected(
            "artifact.json",
            f"cannot be compared: {error!r}",
            where=str(run.path),
            hint=f"lstm-forecast runs verify '{run.handle}'",
        ) from error


def _values(run: Run) -> dict[str, object]:
    path = run.path / "config.yaml"
    try:
        return config_values(parse_config(read_file(path, limit=SMALL), where=str(path)).config)
    except ConfigError as error:
        raise ArtifactRejected("artifact.config", error.problems[0].message, where=str(path)) from error


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < float("inf") else None
