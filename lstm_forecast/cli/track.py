"""``lstm-forecast track``."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.rendering import number, table
from lstm_forecast.cli.terminal import finish, is_terminal, listening, put, put_json, warning_list
from lstm_forecast.data.findings import plural

if TYPE_CHECKING:
    from lstm_forecast.evaluation.live import Score
    from lstm_forecast.tracking import Tracked

MOST_MONTHS = 24  # on a terminal, the newest ones


def track(
    run: options.RunArgument,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="CSV", help="Rows with what came (default: the trained file)."),
    ] = None,
    series: options.Series = None,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Judge the forecasts that predict --record kept by the values that have arrived since.

    Shows the live error, the skill against the naive forecast issued at the same time, and what the intervals
    held: in all, by step and by month. A name means the forecasts of all its runs, NAME@ID those of one.

    \b
    Examples:
      lstm-forecast track stock --data new.csv
      lstm-forecast predict stock --record
      lstm-forecast plot stock --kind track
    """
    from lstm_forecast import naming, tracking

    with listening(quiet=quiet, log_format=log_format) as events:
        chosen = naming.open_reference(run, runs_dir, events)
        only = tracking.one_run(run, chosen)
        tracked = tracking.track(chosen, data=data, only=only, series=series, dry_run=dry_run, events=events)
        stored = plural(tracked.new, "new actual value") + (
            f", {tracked.revised} revised" if tracked.revised else ""
        )
        events.say([f"would store {stored}" if dry_run else f"stored {stored}"])
        finish(events, fail_on_warning)
    if json:
        put_json({**tracked.to_document(), "warnings": warning_list(events)})
    elif not is_terminal(sys.stdout):
        put(track_csv(tracked))
    elif not quiet:
        put(track_text(tracked))


def track_csv(tracked: Tracked) -> str:
    """One line for all, one per step and one per month; an empty cell is a number that is not defined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    levels = [f"coverage_{level:g}" for level in tracked.score.coverage]
    writer.writerow(["by", "group", "count", "mae", "naive_mae", "skill", "bias", *levels])
    for by, groups in _groups(tracked).items():
        for group, score in groups.items():
            numbers = (score.mae, score.naive_mae, score.skill, score.bias, *score.coverage.values())
            cells = [repr(value) if math.isfinite(value) else "" for value in numbers]
            writer.writerow([by, group, score.count, *cells])
    return text.getvalue()


def track_text(tracked: Tracked) -> str:
    """Counts, and the same numbers as tables."""
    score = tracked.score
    runs = plural(tracked.runs, "run")
    counts = [f"{score.count:,} judged", f"{tracked.waiting:,} waiting"]
    if tracked.missed:
        counts.append(f"{tracked.missed:,} about times at which no value came")
    lines = [f"{tracked.run}: {plural(tracked.recorded, 'forecast')} of {runs}: {', '.join(counts)}"]
    if not score.count:
        return "\n".join([*lines, f"Nothing to judge yet: the first value is due {tracked.due}", ""])
    lines.append(f"Judged: {' to '.join(dict.fromkeys(tracked.span))}")
    for by, groups in _groups(tracked).items():
        shown = dict(list(groups.items())[-MOST_MONTHS:]) if by == "month" else groups
        lines += table([_header(by, score), *(_row(group, one) for group, one in shown.items())])
        if len(shown) < len(groups):
            lines.append(f"  … {len(groups) - len(shown):,} earlier months: --json shows all")
    return "\n".join(lines) + "\n"


def _groups(tracked: Tracked) -> dict[str, Mapping[str, Score]]:
    steps = {str(step): score for step, score in tracked.by_step.items()}
    return {"all": {"": tracked.score}, "step": steps, "month": tracked.by_month}


def _header(by: str, score: Score) -> list[str]:
    levels = [f"in {level:g} %" for level in score.coverage]
    return ["" if by == "all" else by, "judged", "MAE", "naive MAE", "skill", "bias", *levels]


def _row(group: str, score: Score) -> list[str]:
    """One line of a table; a group of which nothing was judged has dashes."""
    errors = [number(score.mae), number(score.naive_mae), _percent(score.skill, "+.1%"), number(score.bias)]
    held = [_percent(share, ".1%") for share in score.coverage.values()]
    return [group or "all", f"{score.count:,}", *errors, *held]


def _percent(share: float, form: str) -> str:
    return format(share, form) if math.isfinite(share) else "-"
