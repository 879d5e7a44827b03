"""``lstm-forecast runs prune|pin``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.rendering import table
from lstm_forecast.cli.terminal import finish, listening, put, put_json, warning_list
from lstm_forecast.errors import Busy
from lstm_forecast.events import Events
from lstm_forecast.runs.pruning import Keep, Pruned, leftovers, pin, prune, unpin
from lstm_forecast.runs.run import find_run, lock_path, no_such_run, sorted_runs
from lstm_forecast.runs.storage import held_lock

PrunedName = Annotated[str | None, typer.Argument(metavar="NAME", help="Only runs of this name; none: all.")]
KeepLast = Annotated[
    int,
    typer.Option(
        "--keep-last", min=1, help="Newest complete runs of a name that stay, and as many unfinished ones."
    ),
]
KeepBest = Annotated[
    int, typer.Option("--keep-best", min=0, help="Runs of a name with the highest skill that stay.")
]
KeepDays = Annotated[
    float, typer.Option("--keep-days", min=0, max=36_500, help="Runs that began within so many days stay.")
]


def prune_runs(
    name: PrunedName = None,
    keep_last: KeepLast = 10,
    keep_best: KeepBest = 1,
    keep_days: KeepDays = 90,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Remove old runs, logs included; a run that one of the three rules keeps stays.

    The current run of a name, pinned and running runs, and names in use by another process always stay.

    \b
    Examples:
      lstm-forecast runs prune --dry-run
      lstm-forecast runs prune stock --keep-last 5 --keep-days 30
    """
    from lstm_forecast.naming import runs_folder

    keep, found = Keep(keep_last, keep_best, keep_days), []
    with listening(quiet=quiet, log_format=log_format) as events:
        for folder in _folders(runs_folder(runs_dir), name):
            found += _pruned(folder, keep, events, dry_run=dry_run, required=name is not None)
    if json:
        put_json(_document(found, dry_run=dry_run) | {"warnings": warning_list(events)})
    elif not quiet:
        put("\n".join(_lines(found, dry_run=dry_run)) + "\n")
    finish(events, fail_on_warning)


def pin_run(
    run: Annotated[str, typer.Argument(metavar="NAME@ID", help="The run that is to stay.")],
    off: Annotated[bool, typer.Option("--off", help="Let the run be pruned again.")] = False,
    runs_dir: options.RunsDir = None,
    quiet: options.Quiet = False,
    dry_run: options.DryRun = False,
) -> None:
    """Keep a run whatever prune is told; --off lets it go again.

    \b
    Examples:
      lstm-forecast runs pin stock@20261120T185735Z-7f3a9c
      lstm-forecast runs pin stock@20261120T185735Z-7f3a9c --off
    """
    from lstm_forecast.naming import runs_folder

    found = find_run(run, runs_folder(runs_dir))
    if not dry_run:
        (unpin if off else pin)(found)
    if not quiet:
        put(f"{'would have ' if dry_run else ''}{'unpinned' if off else 'pinned'} {found.handle}\n")


def _folders(runs_dir: Path, name: str | None) -> list[Path]:
    """The folders of the names that are looked at.

    Raises:
        RunMissing: the one name asked for has no run.
    """
    if not runs_dir.is_dir():
        everything = []
    else:
        everything = sorted(p for p in runs_dir.iterdir() if p.is_dir() and not p.name.startswith("."))
    used = [folder for folder in everything if sorted_runs(folder) or leftovers(folder)]
    if name is None:
        return used
    chosen = [folder for folder in used if folder.name == name]
    if not chosen:
        raise no_such_run(name, runs_dir)
    return chosen


def _pruned(folder: Path, keep: Keep, events: Events, *, dry_run: bool, required: bool) -> list[Pruned]:
    """What was found of one name; a name in use is left alone, which is an error where it was asked for."""
    now = datetime.now(UTC)
    if dry_run:  # writes nothing, not even a lock
        return prune(folder, keep, now=now, dry_run=True)
    try:
        with held_lock(lock_path(folder.parent, folder.name), timeout_s=0.0):
            return prune(folder, keep, now=now, dry_run=False)
    except Busy:
        if required:
            raise
        events.warn("runs.locked", f"{folder.name} is in use by another process; nothing of it was removed")
        return []


def _lines(found: Sequence[Pruned], *, dry_run: bool) -> list[str]:
    """What goes, in a dry run also what stays and why; and the sum."""
    gone = [item for item in found if not item.why]
    rows = [[item.run.handle, item.status, _megabytes(item.size_bytes)] for item in gone]
    if dry_run:
        rows = [
            [item.run.handle, item.status, "stays: " + item.why if item.why else _megabytes(item.size_bytes)]
            for item in found
        ]
    total = _megabytes(sum(item.size_bytes for item in gone))
    runs = f"{len(gone):,} run{'' if len(gone) == 1 else 's'}"
    verb, rest = ("would remove", "would stay") if dry_run else ("removed", "stay")
    return [*(table(rows) if rows else []), f"{verb} {runs}, {total}; {len(found) - len(gone):,} {rest}"]


def _document(found: Sequence[Pruned], *, dry_run: bool) -> dict[str, Any]:
    gone = [item for item in found if not item.why]
    return {
        "dry_run": dry_run,
        "removed": [
            {
                "run": item.run.handle,
                "path": str(item.run.path),
                "status": item.status,
                "size_bytes": item.size_bytes,
            }
            for item in gone
        ],
        "kept": [{"run": item.run.handle, "why": item.why} for item in found if item.why],
        "size_bytes": sum(item.size_bytes for item in gone),
    }


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
