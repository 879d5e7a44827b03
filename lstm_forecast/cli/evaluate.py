"""``lstm-forecast evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.terminal import finish, listening, put, put_json, warning_list
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import CheckFailed, UsageError
from lstm_forecast.runs.storage import json_bytes, make_directory, require_new, write_atomic, write_new

if TYPE_CHECKING:
    from lstm_forecast import pipeline


Data = Annotated[
    str | None, typer.Option("--data", metavar="CSV", help="Rows to test on (default: the trained file).")
]
Origins = Annotated[
    int | None,
    typer.Option("--origins", metavar="N", min=1, help="Newest so many origins (default: the test split)."),
]
Every = Annotated[int, typer.Option("--every", metavar="N", min=1, help="Rows from one origin to the next.")]
RefitEvery = Annotated[
    int | None,
    typer.Option("--refit-every", metavar="N", min=1, help="Train again after so many, on what was known."),
]
By = Annotated[
    Literal["step", "series"] | None, typer.Option("--by", help="Also show the errors by step or series.")
]
AuditToo = Annotated[
    bool, typer.Option("--audit", help="Prove that nothing later reached the training; exit 19 if not.")
]


def evaluate(
    run: options.RunArgument,
    data: Data = None,
    origins: Origins = None,
    every: Every = 1,
    refit_every: RefitEvery = None,
    by: By = None,
    audit: AuditToo = False,
    fail_if_worse: options.FailIfWorse = False,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="FILE", help="A .csv or .json file (default: in the run)."),
    ] = None,
    overwrite: options.Overwrite = False,
    runs_dir: options.RunsDir = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Test a run from many past origins against the baselines: a rolling-origin backtest.

    Forecasts with the networks that never saw the test rows, also where the run was trained again on all.
    Intervals are calibrated anew at each origin, with what was known by then.

    \b
    Examples:
      lstm-forecast evaluate stock
      lstm-forecast evaluate stock --origins 100 --refit-every 20 --output backtest.csv
      lstm-forecast evaluate stock --audit
    """
    if output is not None:
        _check_output(output, overwrite=overwrite)
    from lstm_forecast import pipeline
    from lstm_forecast.cli.evaluation_text import evaluation_text
    from lstm_forecast.evaluating import Backtest

    with listening(quiet=quiet, log_format=log_format) as events:
        result = pipeline.evaluate(
            run,
            backtest=Backtest(origins, every, refit_every),
            runs_dir=runs_dir,
            data=data,
            audit=audit,
            fail_if_worse=fail_if_worse,
            events=events,
        )
        if dry_run:
            events.say([f"would write {plural(result.evaluation.held.forecast.size, 'row')}"])
        elif output is None:
            events.say([f"wrote {_keep(result)}"])
        else:
            events.say([f"wrote {_write(result, Path(output), overwrite=overwrite)}"])
    if json:
        put_json(_document(result) | {"warnings": warning_list(events)})
    elif not quiet:
        put(evaluation_text(result, by))
    finish(events, fail_on_warning)
    _refuse(result)


def _document(result: pipeline.EvaluateResult) -> dict[str, Any]:
    """Everything measured, and the audit where there was one."""
    audit = {} if result.audit is None else {"audit": result.audit.to_document()}
    return {**result.document, **audit}


def _write(result: pipeline.EvaluateResult, output: Path, *, overwrite: bool) -> Path:
    """Leaves the table or the summary where the user wants it."""
    as_json = output.suffix.lower() == ".json"
    data = json_bytes(_document(result)) if as_json else result.files["backtest.csv"]
    write_new(output, data, overwrite=overwrite)
    return output


def _keep(result: pipeline.EvaluateResult) -> Path:
    """Leaves table, summary and audit in the run, beside the files that its manifest lists."""
    folder = result.run.path / "predictions"
    make_directory(folder)
    for name, data in result.files.items():
        write_atomic(folder / name, data)
    if result.audit is not None:
        write_atomic(result.run.path / "audit.json", json_bytes(result.audit.to_document()))
    return folder / "backtest.csv"


def _refuse(result: pipeline.EvaluateResult) -> None:
    """Leaves with the code of what the evaluation found.

    Raises:
        CheckFailed: the audit found a leak.
        Worse: the networks do not reach the best simple baseline, and that was to be an error.
    """
    if result.audit is not None and not result.audit.ok:
        raise CheckFailed(
            "audit.failed",
            result.audit.line,
            where=str(result.run.path),
            hint="mend what is named and train again",
        )
    if result.failed:
        raise options.worse(result.evaluation.verdict.sentence, str(result.run.path))


def _check_output(output: str, *, overwrite: bool) -> None:
    if Path(output).suffix.lower() not in (".csv", ".json"):
        raise UsageError(
            "evaluate.output",
            f"got {output!r}; expected a name that ends in .csv or .json",
            where="--output",
            hint="--output backtest.csv",
        )
    require_new(Path(output), overwrite=overwrite)
