"""``lstm-forecast predict``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.terminal import finish, is_terminal, listening, put, put_json, warning_list
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import UsageError
from lstm_forecast.events import Events
from lstm_forecast.runs.storage import require_new, write_new

if TYPE_CHECKING:
    from lstm_forecast.dated import Forecast


Data = Annotated[
    str | None, typer.Option("--data", metavar="CSV", help="Rows to continue (default: the trained file).")
]
Future = Annotated[
    str | None,
    typer.Option(
        "--future", metavar="CSV", help="Future covariates of the steps to come (default: data.future_path)."
    ),
]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Steps ahead (default: as trained).")]
Output = Annotated[
    str | None, typer.Option("--output", metavar="FILE", help="A .csv or .json file; - for CSV on stdout.")
]
Excel = Annotated[
    bool,
    typer.Option(
        "--excel", help="CSV for a spreadsheet: a byte order mark, and no text is run as a formula."
    ),
]
Record = Annotated[
    bool, typer.Option("--record", help="Keep the forecast in the ledger, for track; exit 15 if it fails.")
]


@dataclass(frozen=True)
class _Form:
    """Whether a CSV is wanted, whether for a spreadsheet, and whether stdout gets the JSON document."""

    as_csv: bool
    excel: bool
    json: bool


def predict(
    run: options.RunArgument,
    data: Data = None,
    future: Future = None,
    horizon: Horizon = None,
    series: options.Series = None,
    levels: options.Levels = None,
    output: Output = None,
    max_input_age: options.MaxInputAge = None,
    max_model_age: options.MaxModelAge = None,
    overwrite: options.Overwrite = False,
    record: Record = False,
    excel: Excel = False,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Forecast the next dated steps, in original units.

    Reads --data, else the file the run was trained on as it is now, else the rows kept in the run.

    \b
    Examples:
      lstm-forecast predict stock
      lstm-forecast predict stock --data new.csv --horizon 10 --output forecast.csv
      lstm-forecast predict stock --levels 50,90
      lstm-forecast predict promotions --future next-weeks.csv
      lstm-forecast predict stock --max-input-age 3d --max-model-age 7d --output forecast.csv
      lstm-forecast predict stock --output forecast.csv --overwrite --record
      lstm-forecast predict stock --excel --output forecast.csv
    """
    _check_output(output, overwrite=overwrite)
    as_csv = _csv_wanted(output, json=json)
    if excel and not as_csv:
        raise _no_csv(output, json=json)
    wanted = options.parsed_levels(levels)
    input_s = options.parsed_age(max_input_age, "--max-input-age")
    model_s = options.parsed_age(max_model_age, "--max-model-age")
    from lstm_forecast import pipeline
    from lstm_forecast.ages import MostAge
    from lstm_forecast.dated import warn_of_formulas

    with listening(quiet=quiet, log_format=log_format) as events:
        forecast = pipeline.predict(
            run,
            runs_dir=runs_dir,
            data=data,
            horizon=horizon,
            series=series,
            levels=wanted,
            most_age=MostAge(input_s, model_s),
            future=future,
            events=events,
        )
        events.say([f"as of {forecast.as_of}, run {forecast.run}"])
        if json or output is not None or not is_terminal(sys.stdout):  # the table for a person has them below
            events.say([interval.line for interval in forecast.intervals])
        if as_csv and not excel:
            warn_of_formulas(forecast, events)
        finish(events, fail_on_warning)
        form = _Form(as_csv=as_csv, excel=excel, json=json)
        _give_out(forecast, output, form=form, overwrite=overwrite, dry_run=dry_run, events=events)
        if record:
            _record(forecast, dry_run=dry_run, events=events)
            finish(events, fail_on_warning)


def _csv_wanted(output: str | None, *, json: bool) -> bool:
    """Whether a CSV is written, to a file or to stdout."""
    if output is not None and output != "-":
        return Path(output).suffix.lower() == ".csv"
    return not json and (output == "-" or not is_terminal(sys.stdout))


def _no_csv(output: str | None, *, json: bool) -> UsageError:
    got = "--json" if json else output if output is not None else "the table for a terminal"
    message = f"is a form of CSV; got {got}"
    return UsageError("predict.excel", message, where="--excel", hint="--excel --output forecast.csv")


def _give_out(
    forecast: Forecast, output: str | None, *, form: _Form, overwrite: bool, dry_run: bool, events: Events
) -> None:
    """Leaves the forecast where the user wants it: in a file, on stdout, or both."""
    text = forecast.to_csv(excel=form.excel) if form.as_csv else ""
    if output is not None and output != "-":
        rows, path = len(forecast.rows), Path(output)
        if dry_run:
            events.say([f"would write {plural(rows, 'row')} to {output}"])
        else:
            _refuse_input(path, forecast.input)
            written = text or forecast.to_json(warning_list(events))
            write_new(path, written.encode(), overwrite=overwrite)
            events.say([f"wrote {plural(rows, 'row')} to {output}"])
    if form.json:
        put_json(forecast.to_document(warning_list(events)))
    elif output == "-" or (output is None and form.as_csv):
        put(text)
    elif output is None:
        from lstm_forecast.cli.rendering import forecast_text

        put(forecast_text(forecast))


def _record(forecast: Forecast, *, dry_run: bool, events: Events) -> None:
    """Into the ledger, after the forecast was given out: what nobody received was not issued."""
    from lstm_forecast import tracking

    if dry_run:
        events.say([f"would record {plural(len(forecast.rows), 'forecast')}"])
        return
    done = tracking.record(forecast, events)
    before = f"; recorded before: {done.same + done.different:,}" if done.same or done.different else ""
    events.say([f"recorded {plural(done.new, 'forecast')}{before}"])


def _check_output(output: str | None, *, overwrite: bool) -> None:
    if output is None or output == "-":
        return
    if Path(output).suffix.lower() not in (".csv", ".json"):
        raise UsageError(
            "predict.output",
            f"got {output!r}; expected a name that ends in .csv or .json",
            where="--output",
            hint="--output forecast.csv",
        )
    require_new(Path(output), overwrite=overwrite)


def _refuse_input(output: Path, read: str) -> None:
    """The input is never written to, also not with --overwrite."""
    if output.exists() and Path(read).exists() and output.samefile(read):
        raise UsageError(
            "predict.output", "is the file the forecast was made from", where=f"--output {output}"
        )
