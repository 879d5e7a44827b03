"""How many bytes a training will write, told from its plan alone: no torch, nothing trained."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_forecast.config import Config
from lstm_forecast.covariates import ahead_columns
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.judging import calibrated_steps
from lstm_forecast.networks import quantile_levels, static_sizes
from lstm_forecast.runs.places import Need, open_to_others, require_place

CHECKPOINTS = 3  # two are kept while the third is written
WEIGHT = 4  # bytes of a float32
NUMBER = 20  # bytes of a float64 as text, with its comma
FIXED = 200_000  # assumption: configuration, status, log and the rest of small files; measured: under 60,000
HEADER = 20_000  # assumption: names and shapes in a file of tensors; measured: under 4,000
PICTURES = 500_000  # assumption: three pictures; measured: under 350,000
MOST_LINES = 1_000  # epochs whose lines are counted: patience seldom lets a training get further
MOST_PREDICTIONS = 1_000_000  # rows of test.csv; above, it holds only origins every H steps
_GATES = {"lstm": 4, "lstm_peephole": 4, "gru": 3, "rnn": 1}
_MOST_EMBEDDED, _MOST_STEP = 16, 32  # widths of an embedding, and of the head of steps known ahead
_STATES = {"lstm": 2, "lstm_peephole": 2, "gru": 1, "rnn": 1}


def room_needed(plan: Plan) -> Need:
    """Bytes that the run takes at most, nearly: three checkpoints and its files; and its largest file."""
    config, panel = plan.config, plan.prepared.panel
    sizes = static_sizes(panel.statics)
    weights = WEIGHT * weight_count(config, features=len(panel.columns), sizes=sizes)
    trainings = config.training.ensemble * (2 if config.training.refit == "full" else 1)
    epochs = min(config.training.epochs, MOST_LINES)
    layers = len(_widths(config))
    lines = trainings * epochs * NUMBER * (12 + layers)  # loss, score, rate, norms of one epoch
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


def weight_count(config: Config, *, features: int, sizes: Sequence[int] = ()) -> int:
    """How many numbers one network of a settled configuration learns."""
    model = config.model
    directions = 2 if model.bidirectional else 1
    widths = _widths(config)
    embedded = [min(_MOST_EMBEDDED, (size + 1) // 2) for size in sizes]  # 0: a number
    inputs = features * model.segment + sum(width or 1 for width in embedded)
    count = sum(size * width for size, width in zip(sizes, embedded, strict=True))
    for width in widths:
        of_gates = _GATES[model.cell] * width
        one = of_gates * (inputs + width) + (2 * of_gates if model.bias else 0)
        one += 3 * width if model.cell == "lstm_peephole" else 0
        one += _STATES[model.cell] * width if model.initial_state == "learned" else 0
        inputs = directions * width
        count += directions * one + (2 * inputs if model.layer_norm else 0)
    inputs = directions * widths[-1] * (2 if model.readout == "both" else 1)
    numbers = config.window.horizon * max(1, len(quantile_levels(config)))
    count += (config.window.lookback + 1) * numbers if model.linear_skip else 0
    if ahead := ahead_columns(config).count:
        width, each = min(inputs, _MOST_STEP), max(1, len(quantile_levels(config)))
        count += width * (inputs + 1 + ahead) + each * (width + 1)
    for width in (*model.head_layers, numbers):
        count += (inputs + 1) * width
        inputs = width
    return count


def _widths(config: Config) -> tuple[int, ...]:
    """The width of every recurrent layer."""
    given = config.model.hidden_size
    return (given,) * config.model.num_layers if isinstance(given, int) else tuple(given)


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
