"""``lstm-forecast runs compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.rendering import METRIC_NAMES, SHOWN, number, table
from lstm_forecast.cli.terminal import finish, listening, put, put_json, warning_list
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import UsageError

if TYPE_CHECKING:
    from lstm_forecast.runs.comparing import Comparison, Summary

ComparedRuns = Annotated[
    list[str], typer.Argument(metavar="RUN RUN...", help="Runs by name, name@id, path or CONFIG.")
]


def compare_runs(
    runs: ComparedRuns,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Several runs on one table, and the settings that differ; says when their errors cannot be compared.

    \b
    Examples:
      lstm-forecast runs compare stock trial
      lstm-forecast runs compare stock stock@20261120T185735Z-7f3a9c --json
    """
    from lstm_forecast.naming import find_reference
    from lstm_forecast.runs.comparing import compare

    if len(runs) < 2:
        raise UsageError(
            "runs.compare", f"got {len(runs)} run, expected at least two", hint="lstm-forecast runs list"
        )
    found = compare([find_reference(run, runs_dir) for run in runs])
    with listening(quiet=False, log_format=log_format) as events:
        if found.obstacles:
            events.warn(
                "runs.not_comparable", f"these errors cannot be compared: {', '.join(found.obstacles)}"
            )
    if json:
        put_json(_document(found) | {"warnings": warning_list(events)})
    else:
        put("\n".join(_lines(found)) + "\n")
    finish(events, fail_on_warning)


def _lines(found: Comparison) -> list[str]:
    """A numbered line per run; then a line per key that differs, with a column per run."""
    rows = [["", "run", "verdict", "skill", "over", *(METRIC_NAMES[name] for name in SHOWN), "tested on"]]
    rows += [[str(place), *_row(one)] for place, one in enumerate(found.runs, start=1)]
    lines = table(rows)
    if not found.differing:
        return [*lines, "Settings: all alike"]
    places = [str(place) for place in range(1, len(found.runs) + 1)]
    settings = [["", *places]]
    settings += [[key, *(_value(value) for value in values)] for key, values in found.differing.items()]
    return [*lines, "Settings that differ:", *table(settings)]


def _row(one: Summary) -> list[str]:
    tested = f"{plural(one.windows, 'window')}, {one.tested[0]} to {one.tested[1]}" if one.windows else "-"
    return [
        one.run.handle,
        one.verdict or "-",
        "-" if one.skill is None else f"{one.skill:+.2%}",
        (one.baseline or "-").replace("_", " "),
        *(number(one.metrics.get(name)) for name in SHOWN),
        tested,
    ]


def _value(value: object) -> str:
    from lstm_forecast.config import yaml_text

    return yaml_text(value)


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run": one.run.handle,
                "path": str(one.run.path),
                "verdict": one.verdict,
                "skill": one.skill,
                "baseline": one.baseline,
                "metrics": one.metrics,
                "test": {"windows": one.windows, "from": one.tested[0], "to": one.tested[1]},
                "data_sha256": one.data,
            }
            for one in found.runs
        ],
        "comparable": not found.obstacles,
        "obstacles": list(found.obstacles),
        "differing": {key: list(values) for key, values in found.differing.items()},
    }
