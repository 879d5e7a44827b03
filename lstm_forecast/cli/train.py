"""``lstm-forecast train``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_forecast.cli import options
from lstm_forecast.cli.inputs import load_input
from lstm_forecast.cli.terminal import finish, listening, put, put_json, warning_list
from lstm_forecast.errors import AlreadyComplete
from lstm_forecast.events import Events
from lstm_forecast.runs.run import Run, read_json

if TYPE_CHECKING:
    from lstm_forecast.config import Loaded
    from lstm_forecast.trainings import TrainResult

RESULT_FIELDS = (  # of a run's metrics.json: the ones that the JSON result of train has too
    "verdict",
    "skill",
    "baseline",
    "p_value",
    "sentence",
    "metrics",
    "undefined",
    "seeds",
    "test",
    "intervals",
    "gate",
    "refitted",
    "champion",
)


def train(
    given: options.Input,
    target: options.Target = None,
    time: options.Time = None,
    series_id: options.SeriesId = None,
    horizon: options.Horizon = None,
    lookback: options.Lookback = None,
    epochs: options.Epochs = None,
    device: options.Device = None,
    seed: options.Seed = None,
    name: options.Name = None,
    promote: options.Promote = None,
    fail_if_worse: options.FailIfWorse = False,
    if_changed: options.IfChanged = False,
    sets: options.Set = None,
    runs_dir: options.RunsDir = None,
    resume: options.Resume = None,
    start_from: options.From = None,
    wait: options.Wait = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
    fail_on_warning: options.FailOnWarning = None,
) -> None:
    """Train a network and judge it against the forecasts that cost nothing.

    \b
    Examples:
      lstm-forecast train configs/stock.yaml
      lstm-forecast train prices.csv --target Close --horizon 5
      lstm-forecast train configs/stock.yaml --set training.epochs=5 --name trial
      lstm-forecast train configs/stock.yaml --if-changed --quiet
      lstm-forecast train configs/stock.yaml --resume
      lstm-forecast train configs/stock.yaml --from stock --promote if_better
      lstm-forecast train configs/stock.yaml --fail-if-worse --promote if_better
    """
    flags = {
        "data.target": ("--target", target),
        "data.time": ("--time", time),
        "data.series_id": ("--series-id", series_id),
        "window.horizon": ("--horizon", horizon),
        "window.lookback": ("--lookback", options.number_or_word(lookback)),
        "training.epochs": ("--epochs", options.number_or_word(epochs)),
        "training.device": ("--device", device),
        "training.seed": ("--seed", seed),
        "run.name": ("--name", name),
        "run.promote": ("--promote", promote),
        "evaluation.fail_if_worse": ("--fail-if-worse", True if fail_if_worse else None),
    }
    wait_s = options.parsed_wait(wait)
    loaded = load_input(given, sets=sets, flags=flags)
    from lstm_forecast import pipeline
    from lstm_forecast.skipping import unchanged

    if if_changed and (same := unchanged(loaded, runs_dir=runs_dir)) is not None:
        _nothing_to_do(same, json=json, quiet=quiet)
        return
    with listening(quiet=quiet, log_format=log_format) as events:
        if dry_run:
            _dry_run(loaded, runs_dir, start_from, events, fail_on_warning, json=json, quiet=quiet)
            return
        begin = partial(pipeline.train, wait_s=wait_s, resume=resume, start_from=start_from)
        try:
            result = begin(loaded, runs_dir=runs_dir, events=events, argv=sys.argv)
        except AlreadyComplete as done:
            _say_complete(done, events, json=json, quiet=quiet)
            return
    _put(result, runs_dir, events, json=json, quiet=quiet)
    finish(events, fail_on_warning)
    if result.failed:
        raise options.worse(result.verdict.sentence, str(result.run.path))


def _put(result: TrainResult, runs_dir: Path | None, events: Events, *, json: bool, quiet: bool) -> None:
    """The verdict, for a person or a program."""
    from lstm_forecast.cli.rendering import train_document, train_text

    if json:
        put_json(train_document(result) | {"warnings": warning_list(events)})
    elif not quiet:
        put(train_text(result, runs_dir))


def _say_complete(done: AlreadyComplete, events: Events, *, json: bool, quiet: bool) -> None:
    """What ``--resume=ID`` of a complete run gives: nothing was done, and that is no error."""
    if json:
        put_json({"path": done.where, "already_complete": True, "warnings": warning_list(events)})
    elif not quiet:
        put(f"{done.message}: nothing to do\n")


def _dry_run(
    loaded: Loaded,
    runs_dir: Path | None,
    start_from: str | None,
    events: Events,
    fail_on_warning: list[str] | None,
    *,
    json: bool,
    quiet: bool,
) -> None:
    """What would be trained and where."""
    from lstm_forecast import naming, pipeline
    from lstm_forecast.cli.rendering import plan_document, plan_text

    plan = pipeline.plan(loaded, runs_dir=runs_dir, events=events, start_from=start_from)
    finish(events, fail_on_warning)
    folder = naming.runs_folder(runs_dir, loaded) / naming.run_name(loaded)
    if json:
        put_json(plan_document(plan, folder) | {"warnings": warning_list(events)})
    elif not quiet:
        put(plan_text(plan, folder))


def _nothing_to_do(run: Run, *, json: bool, quiet: bool) -> None:
    """Says that the current run is the one that training would give, and how good that is."""
    if json:
        metrics = read_json(run, "metrics.json")
        kept = {name: metrics.get(name) for name in RESULT_FIELDS}
        kept["from"] = read_json(run, "run.json").get("from")
        put_json(
            {"run": run.handle, "path": str(run.path), "current": True, **kept}
            | {"trained": False, "elapsed_s": 0.0, "warnings": []}
        )
    elif not quiet:
        put(f"Nothing to do: the input and the configuration are those of {run.handle}\n")
