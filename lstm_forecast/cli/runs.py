"""``lstm-forecast runs list|show|verify|promote``; the others stand in files of their own."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.compare import compare_runs
from lstm_forecast.cli.prune import pin_run, prune_runs
from lstm_forecast.cli.rendering import METRIC_NAMES, SHOWN, number, table
from lstm_forecast.cli.terminal import put, put_json
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import ArtifactRejected, CheckFailed, visible
from lstm_forecast.runs.run import Run, all_runs, find_run, no_such_run, promote, read_json, read_status
from lstm_forecast.runs.verifying import verify_run

app = typer.Typer(help="What was trained, with what, and how good it is.", rich_markup_mode=None)
app.command("compare")(compare_runs)
app.command("prune")(prune_runs)
app.command("pin")(pin_run)
OptionalRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's name, name@id or path; none: all runs.")
]
ListedName = Annotated[str | None, typer.Argument(metavar="NAME", help="Only runs of this name.")]


@app.command("list")
def list_runs(name: ListedName = None, runs_dir: options.RunsDir = None, json: options.Json = False) -> None:
    """Every run, newest first under its name; * marks the one that the name means.

    \b
    Examples:
      lstm-forecast runs list
    """
    from lstm_forecast.naming import runs_folder

    folder = runs_folder(runs_dir)
    rows = [_row(run) for run in all_runs(folder) if name in (None, run.name)]
    if name is not None and not rows:
        raise no_such_run(name, folder)
    if json:
        put_json({"runs": rows, "warnings": []})
        return
    if not rows:
        put(f"no runs in {folder}\n")
        return
    lines = [["run", "", "status", "verdict", "skill", "created"]]
    for row in rows:
        skill = "-" if row["skill"] is None else f"{row['skill']:+.2%}"
        mark = "*" if row["current"] else ""
        lines.append([row["run"], mark, row["status"], row["verdict"] or "-", skill, row["created"] or "-"])
    put("\n".join(table(lines)) + "\n")


@app.command("show")
def show(run: options.RunArgument, runs_dir: options.RunsDir = None, json: options.Json = False) -> None:
    """One run: data, versions, verdict and metrics.

    \b
    Examples:
      lstm-forecast runs show stock
    """
    from lstm_forecast.naming import find_reference

    found = find_reference(run, runs_dir)
    about, metrics = read_json(found, "run.json"), read_json(found, "metrics.json")
    if json:
        put_json({**_row(found), "about": about, "metrics": metrics, "warnings": []})
        return
    try:
        lines = _shown(found, about, metrics)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        where = str(found.path)
        raise ArtifactRejected("artifact.json", f"cannot be shown: {error!r}", where=where) from error
    put("\n".join(visible(line) for line in lines) + "\n")


def _shown(found: Run, about: dict[str, Any], metrics: dict[str, Any]) -> list[str]:
    """The lines of ``runs show``."""
    data = about["data"]
    lines = [
        f"run:      {found.handle}{' (current)' if found.current else ''}",
        f"path:     {found.path}",
        f"created:  {about['created']}, {about['elapsed_s']:.0f} s"
        + ("" if about["device"] == "none" else f" on {about['device']}"),
        f"data:     {data['path']}: {_counted(data)}",
        f"          {data['from']} to {data['to']}",
        *([f"from:     {about['from']}"] if about.get("from") else []),
        f"versions: lstm-forecast {about['lstm_forecast']}, torch {about['torch']}, Python {about['python']}",
        *_training_line(metrics),
        f"verdict:  {metrics['sentence']}",
        *_gate_line(metrics),
    ]
    rows = [["", *(METRIC_NAMES[name] for name in SHOWN)]]
    for model, row in metrics["metrics"].items():
        rows.append([model.replace("_", " "), *(number(row[name]) for name in SHOWN)])
    lines += table(rows) if len(rows) > 1 else []
    return lines


def _counted(data: dict[str, Any]) -> str:
    files = data.get("files", 1)
    shown = f"{files:,} files, " if files > 1 else ""
    return f"{shown}{plural(data['rows'], 'row')}, {data['series']} series"


def _training_line(metrics: dict[str, Any]) -> list[str]:
    if metrics.get("network") is False:
        return []
    return [f"epochs:   {metrics['epochs']}, best {metrics['best_epoch']}, stopped by {metrics['stopped']}"]


def _gate_line(metrics: dict[str, Any]) -> list[str]:
    from lstm_forecast.gating import read_gate

    gate = read_gate(metrics.get("gate"))
    return [f"gate:     {gate.sentence}"] if gate else []


@app.command("verify")
def verify(
    run: OptionalRun = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare every file of a run, or of all complete runs, with its hash; exit 19 if one differs.

    \b
    Examples:
      lstm-forecast runs verify
      lstm-forecast runs verify stock
    """
    from lstm_forecast.naming import find_reference, runs_folder

    folder = runs_folder(runs_dir)
    runs = [find_reference(run, runs_dir)] if run else [one for one in all_runs(folder) if one.complete]
    faults = {one.handle: verify_run(one) for one in runs}
    if json:
        put_json({"runs": [_verified(handle, found) for handle, found in faults.items()], "warnings": []})
    bad = [error for found in faults.values() for error in found]
    if bad:
        details = [f"{error.where}: {error.message}" for error in bad]
        raise CheckFailed(
            "runs.damaged", f"{len(bad)} damaged files", where=str(folder), details=details, hint=bad[0].hint
        )
    if not json and not quiet:
        put(f"ok: {plural(len(runs), 'run')}, every file as it was written\n")


@app.command("promote")
def promote_run(
    run: Annotated[str, typer.Argument(metavar="NAME@ID", help="The run that its name shall mean.")],
    runs_dir: options.RunsDir = None,
    quiet: options.Quiet = False,
    dry_run: options.DryRun = False,
) -> None:
    """Make a run the one that its name means; also the way back to an older one.

    \b
    Examples:
      lstm-forecast runs promote stock@20261120T185735Z-7f3a9c
    """
    from lstm_forecast.naming import runs_folder

    found = find_run(run, runs_folder(runs_dir))
    damaged = verify_run(found)
    if damaged:
        raise damaged[0]
    if not dry_run:
        promote(found)
    if not quiet:
        put(f"{'would make' if dry_run else 'made'} {found.handle} the current run of {found.name}\n")


def _row(run: Run) -> dict[str, Any]:
    """One run of a listing; a file that cannot be read leaves its fields empty."""
    row: dict[str, Any] = {
        "run": run.handle,
        "path": str(run.path),
        "status": read_status(run),
        "current": run.current,
        "verdict": None,
        "skill": None,
        "created": None,
        "config": str(run.path / "config.yaml"),
    }
    if not run.complete:
        return row
    try:
        metrics, about = read_json(run, "metrics.json"), read_json(run, "run.json")
    except ArtifactRejected as error:
        return row | {"status": f"damaged: {error.message}"}
    return row | {
        "verdict": _of_kind(metrics.get("verdict"), str),
        "skill": _of_kind(metrics.get("skill"), int | float),
        "created": _of_kind(about.get("created"), str),
    }


def _of_kind(value: object, kind: type | UnionType) -> Any:
    """The value, or None: a listing reads files that nobody has verified."""
    return value if isinstance(value, kind) else None


def _verified(handle: str, faults: list[ArtifactRejected]) -> dict[str, Any]:
    problems = [{"id": e.id, "message": e.message, "where": e.where, "hint": e.hint} for e in faults]
    return {"run": handle, "ok": not faults, "problems": problems}
