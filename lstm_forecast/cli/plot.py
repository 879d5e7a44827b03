"""``lstm-forecast plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.terminal import finish, listening, put, put_json, warning_list
from lstm_forecast.errors import UsageError
from lstm_forecast.runs.storage import make_directory, require_new, write_atomic, write_new


def plot(
    run: options.RunArgument,
    kind: Annotated[
        Literal["forecast", "test", "loss", "residuals", "error", "backtest", "gates", "track"],
        typer.Option("--kind", help="What to draw; see below."),
    ] = "forecast",
    series: options.Series = None,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="FILE", help="A .png, .svg or .pdf file (default: in the run)."),
    ] = None,
    overwrite: options.Overwrite = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show the picture afterwards.")] = False,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Draw a picture of a run; needs no screen.

    \b
    forecast   history, test predictions and the future with its intervals
    test       actual against predicted on the test rows
    loss       training and validation loss by epoch
    error      error by step ahead, beside the baselines'
    residuals  errors over time, their histogram and autocorrelation
    backtest   forecasts from several past cutoffs over what came
    gates      what each gate and the cell state do over the newest window
    track      live error of the recorded forecasts beside naive's, and what their intervals held

    error, residuals and backtest show the last evaluate, or else the test rows.

    \b
    Examples:
      lstm-forecast plot stock
      lstm-forecast plot stock --kind test --output test.svg
      lstm-forecast plot stock --kind gates
    """
    form = _form(output)
    if output:
        require_new(Path(output), overwrite=overwrite)
    from lstm_forecast import naming, pipeline

    with listening(quiet=quiet, log_format=log_format) as events:
        data = pipeline.plot(run, kind, form=form, series=series, runs_dir=runs_dir, events=events)
        finish(events, fail_on_warning)
        path = Path(output) if output else naming.find_reference(run, runs_dir).path / "plots" / f"{kind}.png"
        if dry_run:
            events.say([f"would write {len(data):,} bytes to {path}"])
        elif output:
            write_new(path, data, overwrite=overwrite)
        else:
            make_directory(path.parent)
            write_atomic(path, data)
    if json:
        put_json({"plot": str(path), "kind": kind, "warnings": warning_list(events)})
    elif not quiet and not dry_run:
        put(f"{path}\n")
    if open_it and not dry_run:
        typer.launch(str(path))


def _form(output: str | None) -> Literal["png", "svg", "pdf"]:
    suffix = Path(output).suffix.lower() if output else ".png"
    forms: dict[str, Literal["png", "svg", "pdf"]] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
    if suffix not in forms:
        raise UsageError(
            "plot.format",
            f"cannot draw a picture as {suffix or 'a file without a suffix'}; expected .png, .svg or .pdf",
            where=f"--output {output}",
            hint=f"--output {Path(str(output)).with_suffix('.png')}",
        )
    return forms[suffix]
