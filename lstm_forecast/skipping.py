"""Whether a training would only repeat a run that is there."""

from __future__ import annotations

from pathlib import Path

from lstm_forecast.choices import with_name
from lstm_forecast.config import Loaded, dump_config
from lstm_forecast.errors import UsageError
from lstm_forecast.fitting import Plan
from lstm_forecast.naming import run_name, runs_folder
from lstm_forecast.pipeline import plan
from lstm_forecast.runs.run import Run
from lstm_forecast.runs.verifying import same_training


def unchanged(loaded: Loaded, *, runs_dir: Path | None = None) -> Run | None:
    """The current run, if it came from the input as it is now and from this configuration; else None.

    Raises:
        ForecastError: what ``train`` would raise before its first epoch.
    """
    if loaded.config.data.path == "-":
        message = "standard input can be read only once"
        raise UsageError("train.if_changed", message, where="--if-changed", hint="train on a file")
    found, name = plan(loaded, runs_dir=runs_dir), run_name(loaded)
    return same_training(
        runs_folder(runs_dir, loaded) / name, resolved_config(found, name), found.table.source.sha256
    )


def resolved_config(found: Plan, name: str) -> bytes:
    """``config.yaml`` of the run that training this plan under this name would give."""
    return dump_config(with_name(found.config, name)).encode()
