"""Options that several commands share, each declared once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from lstm_forecast.errors import UsageError, Worse

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Nothing on success; errors only.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
LogFormat = Annotated[
    Literal["text", "json"], typer.Option("--log-format", help="stderr as text, or one JSON event per line.")
]
RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir", metavar="DIR", help="Folder of all runs (LSTM_FORECAST_RUNS_DIR; default: runs)."
    ),
]
FailOnWarning = Annotated[
    list[str] | None,
    typer.Option("--fail-on-warning", metavar="ID", help="Exit 19 if this warning occurs; may be repeated."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key: --set training.epochs=5; may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and write nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")]
Series = Annotated[str | None, typer.Option("--series", metavar="ID", help="Only this series.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, name@id, path, or the CONFIG that trained it.")
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG|CSV",
        help="A YAML configuration, a CSV file (- reads stdin), or a folder or 'pattern*' of CSV files.",
    ),
]

# Shorthands for the everyday keys of the configuration.
Target = Annotated[str | None, typer.Option("--target", help="Column to forecast (data.target).")]
Time = Annotated[str | None, typer.Option("--time", help="Column of dates or times (data.time).")]
SeriesId = Annotated[str | None, typer.Option("--series-id", help="Column of series names (data.series_id).")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Steps ahead (window.horizon).")]
Lookback = Annotated[
    str | None,
    typer.Option(
        "--lookback",
        metavar="<int|auto>",
        help="Steps the network sees; auto: the data decide (window.lookback).",
    ),
]
Epochs = Annotated[
    str | None,
    typer.Option(
        "--epochs", metavar="<int|auto>", help="At most so many epochs; auto goes by rows (training.epochs)."
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, mps (training.device).")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness (training.seed).")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run (run.name).")]
Promote = Annotated[
    Literal["always", "if_better"] | None,
    typer.Option("--promote", help="Whether the name then means this run (run.promote)."),
]
IfChanged = Annotated[
    bool,
    typer.Option("--if-changed", help="Do nothing if input and configuration are those of the current run."),
]
FailIfWorse = Annotated[
    bool, typer.Option("--fail-if-worse", help="Exit 20 if worse than the best simple baseline.")
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="[=ID]",
        help="Go on with the newest interrupted run of this name, or with the run ID.",
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="RUN", help="Begin with the weights of this run, not with random ones."),
]
Wait = Annotated[
    str | None,
    typer.Option("--wait", metavar="TIME", help="Wait so long (30s, 10m) while another trains this name."),
]
Levels = Annotated[
    str | None, typer.Option("--levels", metavar="LIST", help="Levels of the intervals: 80,95 (percent).")
]


MaxInputAge = Annotated[
    str | None,
    typer.Option(
        "--max-input-age",
        metavar="TIME",
        help="Exit 11 if the newest row is older: 3d (default: the run's).",
    ),
]
MaxModelAge = Annotated[
    str | None,
    typer.Option("--max-model-age", metavar="TIME", help="Exit 12 if the run was trained longer ago: 7d."),
]


def number_or_word(text: str | None) -> int | str | None:
    """A whole number as one; any other word, such as auto, as it stands: the configuration judges it."""
    return int(text) if text is not None and re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def parsed_age(text: str | None, flag: str) -> float | None:
    """The seconds of a length of time such as 3d; None where there is none.

    Raises:
        UsageError: it is none, or not above zero.
    """
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from lstm_forecast.config.kinds import Age

    try:
        return TypeAdapter(Age).validate_python(text)
    except ValidationError:
        message = f"got {text!r}; expected a time from 1s to 36600d such as 12h or 3d"
        raise UsageError("predict.age", message, where=flag, hint=f"{flag} 3d") from None


def parsed_levels(text: str | None) -> tuple[float, ...] | None:
    """The levels of a comma-separated list, in percent.

    Raises:
        UsageError: something in it is not a number between 0 and 100.
    """
    if text is None:
        return None
    try:
        levels = tuple(sorted({float(part) for part in text.replace("%", "").split(",")}))
    except ValueError:
        levels = ()
    if not levels or not all(0 < level < 100 for level in levels):
        raise UsageError(
            "predict.levels",
            f"got {text!r}; expected percentages between 0 and 100, with commas",
            where="--levels",
            hint="--levels 80,95",
        )
    return levels


def parsed_wait(text: str | None, flag: str = "--wait") -> float:
    """Seconds of ``--wait``, or of another flag that takes a duration; 0 without it.

    Raises:
        UsageError: no duration.
    """
    if text is None:
        return 0.0
    from pydantic_core import PydanticCustomError

    from lstm_forecast.config.kinds import parse_duration

    try:
        return float(str(parse_duration(text)))
    except PydanticCustomError:
        message = f"got {text!r}; expected a duration such as 30s, 10m or 2h"
        raise UsageError("train.wait", message, where=flag, hint=f"{flag} 10m") from None


def worse(sentence: str, where: str) -> Worse:
    """The error of ``--fail-if-worse``."""
    return Worse(
        "verdict.worse",
        sentence,
        where=where,
        hint="keep the baseline, train on more rows, or leave out --fail-if-worse (evaluation.fail_if_worse)",
    )
