"""``lstm-forecast check``: data, configuration and arithmetic, without training and without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_forecast.cli import options
from lstm_forecast.cli.inputs import load_input
from lstm_forecast.cli.terminal import listening, put, put_json, warning_list
from lstm_forecast.errors import CheckFailed, ConfigError, ForecastError
from lstm_forecast.events import Events
from lstm_forecast.redaction import redacted

if TYPE_CHECKING:
    from lstm_forecast.runs.places import Need


def check(
    given: options.Input,
    target: options.Target = None,
    time: options.Time = None,
    series_id: options.SeriesId = None,
    horizon: options.Horizon = None,
    lookback: options.Lookback = None,
    name: options.Name = None,
    sets: options.Set = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
) -> None:
    """Say whether train would work, without training.

    Looks at the file, its columns and dates, the rows per split, and the disk; writes nothing.

    \b
    Examples:
      lstm-forecast check prices.csv
      lstm-forecast check configs/stock.yaml --json
    """
    flags = {
        "data.target": ("--target", target),
        "data.time": ("--time", time),
        "data.series_id": ("--series-id", series_id),
        "window.horizon": ("--horizon", horizon),
        "window.lookback": ("--lookback", options.number_or_word(lookback)),
        "run.name": ("--name", name),
    }
    with listening(quiet=quiet, log_format=log_format) as events:
        try:
            document = _findings(given, sets, flags, runs_dir, events)
        except ForecastError as error:
            if json:
                put_json(_failed(error) | {"warnings": warning_list(events)})
            raise
    if json:
        put_json(document | {"warnings": warning_list(events)})
    if not document["ok"]:
        problem = document["problems"][0]
        raise CheckFailed(
            problem["id"], problem["message"], where=str(problem["where"]), hint=str(problem["hint"])
        )
    if not quiet and not json:
        put("ok: train would work\n")


def _findings(
    given: str, sets: list[str] | None, flags: Any, runs_dir: Path | None, events: Events
) -> dict[str, Any]:
    """The document of a check whose data and configuration are good."""
    loaded = load_input(given, sets=sets, flags=flags)
    from lstm_forecast import naming, pipeline
    from lstm_forecast.room import room_needed, warn_of_others

    plan = pipeline.plan(loaded, runs_dir=runs_dir, events=events)
    folder = naming.runs_folder(runs_dir, loaded)
    problems = disk_problems(folder, room_needed(plan))
    warn_of_others(folder, naming.run_name(loaded), events)
    if plan.shortfall:
        message = f"{plan.shortfall.message}; train would give a baseline's forecast"
        problems.append(problem_row("data.too_short", message, plan.table.source.path, plan.shortfall.advice))
    panel, prepared, source = plan.prepared.panel, plan.prepared, plan.table.source
    write = plan.table.time_format.format
    return {
        "ok": not problems,
        "problems": problems,
        "data": {
            "files": source.files,
            "rows": len(panel.times),
            "series": len(panel),
            "from": write(panel.times.min(keepdims=True))[0],
            "to": write(panel.times.max(keepdims=True))[0],
            "frequency": str(plan.frequency),
            "encoding": source.encoding,
            "separator": source.separator,
            "columns": list(plan.table.header),
        },
        "windows": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "test": len(prepared.test),
        },
    }


def disk_problems(folder: Path, need: Need) -> list[dict[str, str]]:
    """Whether a run that needs so much could be written; writes nothing."""
    from lstm_forecast.runs.places import place_problem

    found = place_problem(folder, need)
    return [] if found is None else [problem_row(found.id, found.message, found.where, found.hint)]


def problem_row(id: str, message: str, where: str, hint: str) -> dict[str, str]:
    """One problem as it stands in a JSON document, without secrets."""
    return {"id": id, "message": redacted(message), "where": redacted(where), "hint": redacted(hint)}


def _failed(error: ForecastError) -> dict[str, Any]:
    found = error.problems if isinstance(error, ConfigError) else [error]
    problems = [problem_row(p.id, p.message, p.where, p.hint) for p in found]
    return {"ok": False, "problems": problems, "data": None, "windows": None}
