"""What a command means by a run and by the folder of runs."""

from __future__ import annotations

import os
from pathlib import Path

from lstm_forecast.config import Loaded, load_config
from lstm_forecast.data.files import folder_name, is_many
from lstm_forecast.events import Events
from lstm_forecast.opening import Opened, opened
from lstm_forecast.runs.run import Run, check_name, find_run, name_from, read_status, sorted_runs


def open_reference(reference: str | Path, runs_dir: Path | None, events: Events) -> Opened:
    """Opens the run that a name, ``name@id-prefix``, path or configuration means."""
    run = find_reference(str(reference), runs_dir)
    events.run = run.handle
    newer = [other for other in sorted_runs(run.path.parent) if other.id > run.id and not other.complete]
    failed = [other for other in newer if read_status(other) in ("failed", "interrupted", "died")]
    if failed:
        events.warn("run.newer_failed", f"a newer training of {run.name} ended badly: {failed[0].id}")
    return opened(run)


def find_reference(reference: str, runs_dir: Path | None) -> Run:
    """The complete run that a reference means.

    Raises:
        RunMissing: there is none.
    """
    path = Path(reference)
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        loaded = load_config(path)
        return find_run(run_name(loaded), runs_folder(runs_dir, loaded))
    return find_run(reference, runs_folder(runs_dir))


def runs_folder(runs_dir: Path | None, loaded: Loaded | None = None) -> Path:
    """Where runs are kept: the argument, LSTM_FORECAST_RUNS_DIR, ``run.dir``, else ``runs``."""
    configured = loaded.config.run.dir if loaded is not None else None
    named = runs_dir or os.environ.get("LSTM_FORECAST_RUNS_DIR") or configured or "runs"
    return Path(named).absolute()


def run_name(loaded: Loaded) -> str:
    """``run.name``, else the stem of the configuration file or of the bare CSV, or the folder of many."""
    if loaded.config.run.name is not None:
        return check_name(loaded.config.run.name)
    if loaded.path is not None:
        return name_from(loaded.path.stem)
    data = loaded.config.data.path
    if is_many(data):
        return name_from(folder_name(data))
    return "stdin" if data == "-" else name_from(Path(data.removesuffix(".gz")).stem)
