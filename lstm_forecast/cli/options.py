"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    str, typer.Argument(metavar="CONFIG|CSV", help="A YAML configuration, or a CSV file (- reads stdin).")
]

# Shorthands for the everyday keys of the configuration.
Target = Annotated[str | None, typer.Option("--target", help="Column to forecast (data.target).")]
Time = Annotated[str | None, typer.Option("--time", help="Column of dates or times (data.time).")]
SeriesId = Annotated[str | None, typer.Option("--series-id", help="Column of series names (data.series_id).")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Steps ahead (window.horizon).")]
Lookback = Annotated[int | None, typer.Option("--lookback", help="Steps the network sees (window.lookback).")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="At most so many epochs (training.epochs).")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, mps (training.device).")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness (training.seed).")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run (run.name).")]
