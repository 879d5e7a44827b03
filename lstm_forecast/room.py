"""How many bytes a training will write, told from its plan alone: no torch, nothing trained."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.judging import calibrated_steps
from lstm_forecast.model.architecture import weight_count
from lstm_forecast.networks import architecture_of, quantile_levels, static_sizes
from lstm_forecast.runs.places import Need, open_to_others, require_place

CHECKPOINTS = 3  # two are kept while the third is written
WEIGHT = 4  # bytes of a float32
NUMBER = 20  # bytes of a float64 as text, with its comma
FIXED = 200_000  # assumption: configuration, status, log and the rest of small files; measured: under 60,000
HEADER = 20_000  # assumption: names and shapes in a file of tensors; measured: under 4,000
PICTURES = 500_000  # assumption: three pictures; measured: under 350,000
MOST_LINES = 1_000  # epochs whose lines are counted: patience seldom lets a training get further
MOST_PREDICTIONS = 1_000_000  # rows of test.csv; above, it holds only origins every H steps


def room_needed(plan: Plan) -> Need:
    """Bytes that the run takes at most, nearly: three checkpoints and its files; and its largest file."""
    config, panel = plan.config, plan.prepared.panel
    sizes = static_sizes(panel.statics)
    made = architecture_of(config, features=len(panel.columns), static_sizes=sizes)
    weights = WEIGHT * weight_count(made)
    trainings = config.training.ensemble * (2 if config.training.refit == "full" else 1)
    epochs = min(config.training.epochs, MOST_LINES)
    lines = trainings * epochs * NUMBER * (12 + made.num_layers)  # loss, score, rate, norms of one epoch
    # The weights now and at their best, and with Adam two numbers that it remembers of each.
    tensors = trainings * weights * (2 if config.training.optimizer == "sgd" else 4)
    checkpoint = 0 if plan.shortfall else tensors + 3 * lines  # indented JSON with names
    context, table = _context(plan), _predictions(plan)
    described = len(panel) * (
        len(panel.columns) * 10 * NUMBER * 2 + 2_500
    )  # units and metrics of each series
    logs = 3 * lines + (4 * lines if config.training.tensorboard else 0)
    rejects = 300 * len(plan.table.rejects)
    pictures = PICTURES if config.run.plots else 0
    files = trainings * weights + context + table + described + logs + rejects + pictures + FIXED
    return Need(CHECKPOINTS * checkpoint + files, max(tensors + HEADER, context, table, pictures // 4))


def require_room(runs_dir: Path, name: str, plan: Plan, events: Events) -> None:
    """Makes sure, before torch is imported, that the run can be written; warns if others can write there.

    Raises:
        StorageError: there is too little room, or the folder cannot be written.
    """
    require_place(runs_dir / name, room_needed(plan))
    warn_of_others(runs_dir, name, events)


def warn_of_others(runs_dir: Path, name: str, events: Events) -> None:
    """Says if everybody on this machine may replace the runs of a name."""
    for folder in (runs_dir, runs_dir / name):
        found = open_to_others(folder)
        if found is not None:
            events.warn("storage.writable_by_others", f"{found}; chmod o-w {shlex.quote(str(folder))}")


def _context(plan: Plan) -> int:
    """Bytes of ``context.safetensors``: the rows, at most all of them, and the scores of the intervals."""
    panel, splits = plan.prepared.panel, plan.prepared.splits
    rows = len(panel.times) * (8 + 9 * len(panel.columns))
    if plan.config.forecast.intervals.method == "none":
        return rows
    if plan.shortfall:  # every row of a file too short for a network may stand behind its intervals
        steps, cutoffs = max(plan.config.window.horizon, plan.config.forecast.horizon or 0), len(panel.times)
    else:
        steps = calibrated_steps(plan.config, plan.prepared)
        cutoffs = int((splits.validation_end - splits.train_end).sum())
    pairs = max(1, len(quantile_levels(plan.config)) // 2)
    return rows + 8 * cutoffs * (steps * pairs + 1)


def _predictions(plan: Plan) -> int:
    """Bytes of ``predictions/test.csv``."""
    config, panel = plan.config, plan.prepared.panel
    rows = len(plan.prepared.test) * config.window.horizon
    if rows > MOST_PREDICTIONS:
        rows = len(plan.prepared.test)
    names = max((len(name.encode()) for name in panel.series_ids), default=0)
    times = max(
        (len(time) for time in plan.table.time_format.format(np.unique(panel.times[[0, -1]]))), default=0
    )
    numbers = 2 + len(config.evaluation.baselines) + 2 * len(config.forecast.intervals.levels)
    return rows * (names + 2 * times + 8 + NUMBER * numbers)
