"""``lstm-forecast batch``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.inputs import YAML_SUFFIXES
from lstm_forecast.cli.rendering import table
from lstm_forecast.cli.terminal import item_line, listening, put, put_json
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import JobsFailed, UsageError

if TYPE_CHECKING:
    from lstm_forecast.scale.batch import Report
    from lstm_forecast.scale.jobs import Batch

MOST_FAILURES = 15  # told one by one; a mail from cron stays short
Given = Annotated[
    str, typer.Argument(metavar="JOBS|CONFIG|CSV", help="A jobs file, or a configuration or CSV files.")
]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILES]...", help="CSV files or patterns in quotes: one job each."),
]
Output = Annotated[
    str | None,
    typer.Option("--output", metavar="FILE", help="With FILES: all forecasts as one .csv, or - for stdout."),
]
Excel = Annotated[
    bool, typer.Option("--excel", help="With --output: the table for a spreadsheet, no text is run.")
]
Horizon = Annotated[
    int | None, typer.Option("--horizon", min=1, max=100_000, help="With FILES: steps of each forecast.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="With FILES: any key of every job; may be repeated."),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=1000, help="So many jobs at once.")]
Timeout = Annotated[
    str | None, typer.Option("--timeout", metavar="TIME", help="Stop a job that takes longer: 20m.")
]
Wait = Annotated[
    str | None,
    typer.Option("--wait", metavar="TIME", help="Wait so long (30s, 10m) while the same batch runs."),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="Only this job; may be repeated.")
]
Summary = Annotated[
    Path | None,
    typer.Option("--summary", metavar="FILE", help="Summary as JSON (default: RUNS/.batch/ID/summary.json)."),
]


def batch(
    given: Given,
    files: Files = None,
    output: Output = None,
    excel: Excel = False,
    horizon: Horizon = None,
    sets: Sets = None,
    jobs: Jobs = 1,
    timeout: Timeout = None,
    only: Only = None,
    wait: Wait = None,
    summary: Summary = None,
    max_input_age: options.MaxInputAge = None,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Run many jobs: train where something changed, forecast, write, draw, record.

    Each job has a process of its own, and a bad one never stops the others. Exit code 0: all succeeded, or
    had nothing to do; 3: some failed; all failed: their code.

    \b
    Examples:
      lstm-forecast batch jobs.yaml --quiet
      lstm-forecast batch jobs.yaml --jobs 4 --timeout 20m --wait 30m
      lstm-forecast batch jobs.yaml --only aapl --dry-run
      lstm-forecast batch configs/stock.yaml 'prices/*.csv' --output all.csv
    """
    if json and output == "-":
        raise UsageError(
            "batch.output", "--json and --output - both write to stdout", hint="give --output a file"
        )
    timeout_s = None if timeout is None else options.parsed_wait(timeout, "--timeout")
    wait_s = options.parsed_wait(wait)
    input_s = options.parsed_age(max_input_age, "--max-input-age")
    if excel and output is None:
        message = "--excel is for --output; a jobs file says it for each job"
        raise UsageError("batch.excel", message, where="--excel", hint="write excel: true, under defaults:")
    table = (output, excel)
    chosen = _jobs(given, files or [], table, horizon, sets, runs_dir)
    if only:
        chosen = chosen.only(only)
    from lstm_forecast.scale.batch import Terms, run_batch

    terms = Terms(
        jobs, timeout_s, wait_s, input_s, tuple(fail_on_warning or ()), summary, dry_run, tuple(sys.argv)
    )
    with listening(quiet=quiet, log_format=log_format) as events:
        report = run_batch(chosen, terms, events)
        if report.combined is not None:
            put(report.combined)
            events.say(report_text(report).splitlines())
    if json:
        put_json(report.to_document())
    elif not quiet and report.combined is None:
        put(report_text(report))
    _leave(report, told=not quiet or log_format == "json")


def _jobs(
    given: str,
    files: list[str],
    table: tuple[str | None, bool],
    horizon: int | None,
    sets: Sequence[str] | None,
    runs_dir: Path | None,
) -> Batch:
    """The jobs that the words mean; ``table`` is the file for all forecasts, and whether for a spreadsheet.

    Raises:
        UsageError: the words do not go together, or a job is wrong.
    """
    from lstm_forecast.scale.collecting import batch_from_file, batch_from_words
    from lstm_forecast.scale.jobs_file import is_jobs_file

    output, excel = table
    is_yaml = given.lower().endswith(YAML_SUFFIXES)
    if is_yaml and files and is_jobs_file(Path(given)):
        message = "a jobs file names its own files"
        raise UsageError("batch.files", message, where=files[0], hint=f"lstm-forecast batch {given}")
    if is_yaml and not files:
        named = {"--output": output, "--horizon": horizon, "--set": sets}
        for flag in [flag for flag, value in named.items() if value]:
            message = "is for the short form, CONFIG FILES; a jobs file says it for each job"
            raise UsageError("batch.flag", message, where=flag, hint=f"write it in {given}, under defaults:")
        return batch_from_file(Path(given), runs_dir=runs_dir)
    return batch_from_words(
        Path(given) if is_yaml else None,
        files if is_yaml else [given, *files],
        sets=sets or (),
        horizon=horizon,
        output=output,
        excel=excel,
        runs_dir=runs_dir,
    )


def report_text(report: Report) -> str:
    """One line per job, and one for all."""
    header = ["job", "done", "verdict", "skill", "error", "seconds"]
    rows = [
        [
            row["name"],
            row["done"],
            row["verdict"] or "-",
            f"{row['skill']:+.1%}" if row["skill"] is not None else "-",
            row["error"] or "-",
            f"{row['elapsed_s']:.1f}",
        ]
        for row in report.rows
    ]
    lines = table([header, *rows])
    count = plural(len(rows), "job")
    failed = f", {len(report.failed):,} failed" if report.failed else ""
    lines.append(f"{count}{failed}, {report.elapsed_s:.1f} s")
    if report.summary is not None:
        lines.append(f"Summary: {report.summary}")
    return "\n".join(lines) + "\n"


def _leave(report: Report, *, told: bool) -> None:
    """Leaves with the code of the batch.

    Args:
        report: what became of it.
        told: whether each failure was told when it happened.

    Raises:
        JobsFailed: at least one job failed.
        SystemExit: a signal stopped the batch.
        KeyboardInterrupt: the signal was Ctrl-C.
    """
    if report.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if report.signal is not None:
        raise SystemExit(report.code)
    if not report.failed:
        return
    shown = [] if told else [item_line(row) for row in report.failed[:MOST_FAILURES]]
    if not told and len(report.failed) > MOST_FAILURES:
        shown.append(f"… and {len(report.failed) - MOST_FAILURES:,} more")
    message = f"{len(report.failed):,} of {len(report.rows):,} jobs failed"
    hint = f"all of it is in {report.summary}" if report.summary is not None else ""
    raise JobsFailed(message, code=report.code, details=shown, hint=hint)
