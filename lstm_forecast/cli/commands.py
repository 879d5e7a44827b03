"""The commands by name. Each is imported when it is wanted: the parts of all take longer than most jobs."""

from __future__ import annotations

import typer

NAMES = (
    "train",
    "predict",
    "plot",
    "evaluate",
    "track",
    "batch",
    "check",
    "init",
    "doctor",
    "config",
    "runs",
)


def add_command(program: typer.Typer, name: str) -> None:
    """Gives a program one of the commands, or one of the two groups of commands."""
    match name:
        case "train":
            from lstm_forecast.cli.train import train

            program.command()(train)
        case "predict":
            from lstm_forecast.cli.predict import predict

            program.command()(predict)
        case "plot":
            from lstm_forecast.cli.plot import plot

            program.command()(plot)
        case "evaluate":
            from lstm_forecast.cli.evaluate import evaluate

            program.command()(evaluate)
        case "track":
            from lstm_forecast.cli.track import track

            program.command()(track)
        case "batch":
            from lstm_forecast.cli.batch import batch

            program.command()(batch)
        case "check":
            from lstm_forecast.cli.check import check

            program.command()(check)
        case "init":
            from lstm_forecast.cli.init import init

            program.command()(init)
        case "doctor":
            from lstm_forecast.cli.doctor import doctor

            program.command()(doctor)
        case "config":
            from lstm_forecast.cli import config

            program.add_typer(config.app, name=name)
        case "runs":
            from lstm_forecast.cli import runs

            program.add_typer(runs.app, name=name)
