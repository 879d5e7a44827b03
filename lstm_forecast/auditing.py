"""The leak audit: whether anything after the training rows can have reached what was learned from them.

A training is repeated in short form on the user's own data, then on the same data with its later rows changed
out of all reason. What may not depend on those rows has to come out the same, bit by bit.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks, stages
from lstm_forecast.config import Loaded, dump_config, parse_config
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.reader import Table
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.data.windows import Windows
from lstm_forecast.errors import DataInvalid, DataMissing, Diverged
from lstm_forecast.evaluation.leaks import leaking_covariates
from lstm_forecast.events import Events
from lstm_forecast.fitting import Learned, Plan, learn, plan_table
from lstm_forecast.forecasting.baselines import SIMPLE
from lstm_forecast.judging import judge_held_out
from lstm_forecast.opening import Opened
from lstm_forecast.runs.storage import json_bytes, parse_json

Mask = NDArray[np.bool_]
Change = Literal["times 1,000,000", "replaced by noise"]
Outcome = dict[str, bytes]  # what a training decided and learned, by name, to be compared bit by bit

EPOCHS = 2
STEPS = 16  # of an epoch: enough for every weight to have moved, few enough to be repeated six times
FACTOR = 1e6
LARGEST = 1e300  # that a changed value may have
CHANGES: tuple[Change, ...] = ("times 1,000,000", "replaced by noise")
EARLY = ("season", "settled configuration", "units", "weights")  # known before validation is looked at


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its name, whether it is as it should be, and what was found."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Audit:
    """What the leak audit of a run found.

    Attributes:
        run: name and id.
        sha256: of the file the run was trained on.
        checks: in the order they were made.
        elapsed_s: wall time.
    """

    run: str
    sha256: str
    checks: tuple[Check, ...]
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    @property
    def line(self) -> str:
        """The result in one line."""
        if self.ok:
            return (
                f"Audit: {len(self.checks)} checks passed:"
                " nothing after the training rows reached units, season or weights"
            )
        return "Audit FAILED: " + "; ".join(f"{c.name}: {c.detail}" for c in self.checks if not c.ok)

    def to_document(self) -> dict[str, Any]:
        """``audit.json``."""
        return {
            "v": 1,
            "ok": self.ok,
            "checks": [vars(check) for check in self.checks],
            "run": self.run,
            "data": {"sha256": self.sha256},
            "elapsed_s": round(self.elapsed_s, 3),
        }


def audit(opened: Opened, *, data: str | None, events: Events) -> Audit:
    """Checks a run against the file it was trained on; nothing is written.

    Args:
        opened: the run.
        data: where that file is now; None, or another file: where the run says it was.
        events: told what is done.

    Raises:
        DataMissing: the file is gone.
        DataInvalid: it has changed.
    """
    began = time.monotonic()
    sha256 = _recorded_sha256(opened)
    table = stages.read_input(opened.config, _training_file(opened, data, sha256))
    loaded = _short_form(opened)
    plan = plan_table(loaded, table, Events())
    events.say(
        [f"audit: training repeated in short form on {table.source.path}, with and without changed rows"]
    )
    with networks.network_threads(plan.config), np.errstate(all="ignore"):
        learned, usual = _trained(plan)
        usual |= _judged(plan, learned)
        checks = (
            _scaler_rows(opened, plan),
            _split_borders(opened, plan),
            _targets_once(plan),
            _mutation(loaded, plan, usual),
            _validation_units(loaded, plan, usual),
            _covariates(plan),
        )
    return Audit(opened.run.handle, sha256, checks, time.monotonic() - began)


def _recorded_sha256(opened: Opened) -> str:
    about = parse_json(opened.files["run.json"], where=str(opened.run.path / "run.json"))
    recorded = about.get("data") if isinstance(about, dict) else None
    return str(recorded.get("sha256")) if isinstance(recorded, dict) else ""


def _training_file(opened: Opened, data: str | None, sha256: str) -> str:
    """Where the file that the run was trained on is, as it was then."""
    found = {}
    for path in (data, opened.config.data.path):
        if path is not None and path != "-" and Path(path).is_file():
            with Path(path).open("rb") as file:
                found[path] = hashlib.file_digest(file, "sha256").hexdigest()
            if found[path] == sha256:
                return path
    if not found:
        recorded = opened.config.data.path
        what = "standard input" if recorded == "-" else recorded
        raise DataMissing(
            "audit.data",
            f"the run was trained on {what}, which is not there to be read again",
            hint="say where the file is with --data FILE.csv",
        )
    path, now = next(iter(found.items()))
    raise DataInvalid(
        "audit.data",
        "is not the file the run was trained on, or has changed since",
        where=path,
        details=[f"sha256 then: {sha256}", f"sha256 now:  {now}"],
        hint="give the file as it was with --data FILE.csv, or train again and audit that run",
    )


def _short_form(opened: Opened) -> Loaded:
    """The run's configuration for two epochs of one network, with the season to be found anew.

    All epochs run, on the CPU and without a clock: nothing but the rows can make a difference.
    """
    where = str(opened.run.path / "config.yaml")
    loaded = parse_config(opened.files["config.yaml"], where=where)
    config = loaded.config
    short = {"epochs": EPOCHS, "patience": None, "max_time": None, "ensemble": 1, "device": "cpu"}
    baselines = tuple(name for name in config.evaluation.baselines if name in SIMPLE)
    changed = {
        "data": config.data.model_copy(update={"season": None}),
        "window": config.window.model_copy(update={"stride": 1}),
        "training": config.training.model_copy(update=short),
        "evaluation": config.evaluation.model_copy(update={"baselines": baselines}),
    }
    return replace(loaded, config=config.model_copy(update=changed))


def _scaler_rows(opened: Opened, plan: Plan) -> Check:
    """Whether the tested networks' units are those of the training rows alone."""
    tested = opened.preprocess.held_out_scaling or opened.preprocess.scaling
    rows = _rows_before(plan.prepared.panel, plan.prepared.splits.train_end)
    again = networks.fit_units(opened.config, plan.prepared.panel.take(rows))
    if _units(again) == _units(tested):
        return Check(
            "scaler_rows", True, f"the units are those of the {int(rows.sum()):,} training rows alone"
        )
    wrong = [name for name, value in again.to_json().items() if tested.to_json()[name] != value]
    return Check("scaler_rows", False, f"not those of the training rows alone: {', '.join(wrong)}")


def _split_borders(opened: Opened, plan: Plan) -> Check:
    """Whether train, validation and test follow each other, at one time for all series, as in the run."""
    name, panel, splits = "split_borders", plan.prepared.panel, plan.prepared.splits
    ours, context = opened.splits, opened.context
    for now, then in ((splits.train_end, ours.train_end), (splits.validation_end, ours.validation_end)):
        if not np.array_equal(panel.offsets[1:] - now, context.offsets[1:] - then):
            return Check(name, False, "the run was split at other rows than its file and configuration give")
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    borders = (starts, splits.train_end, splits.validation_end, ends)
    parts = {
        part: [panel.times[first:end] for first, end in zip(*pair, strict=True)]
        for part, pair in zip(
            ("train", "validation", "test"), zip(borders, borders[1:], strict=False), strict=True
        )
    }
    comparable = plan.frequency.unit != "row"  # numbered rows of two series share no time
    groups = [range(len(panel))] if comparable else [[s] for s in range(len(panel))]
    fault = next(filter(None, (_order_fault(plan.table, parts, group) for group in groups)), None)
    if fault is not None:
        return Check(name, False, fault)
    return Check(name, True, _spans(plan.table, parts))


def _order_fault(table: Table, parts: dict[str, list[NDArray[np.int64]]], group: Iterable[int]) -> str | None:
    """What is wrong with the order of the parts in these series, in words; None where nothing is."""
    chosen = list(group)
    known = [(part, np.concatenate([times[s] for s in chosen])) for part, times in parts.items()]
    known = [(part, times) for part, times in known if len(times)]
    for (before, earlier), (after, later) in zip(known, known[1:], strict=False):
        if earlier.max() >= later.min():
            last, first = table.time_format.format(np.array([earlier.max(), later.min()]))
            return f"{before} rows reach to {last}, {after} rows begin at {first} (dates in split keep them apart)"
    return None


def _spans(table: Table, parts: dict[str, list[NDArray[np.int64]]]) -> str:
    spans = []
    for part, times in parts.items():
        together = np.concatenate(times)
        if len(together):
            first, last = table.time_format.format(np.array([together.min(), together.max()]))
            spans.append(f"{part} {first} to {last}")
    return ", ".join(spans)


def _targets_once(plan: Plan) -> Check:
    """Whether no row is a target in two splits."""
    prepared, window = plan.prepared, plan.config.window
    count = len(prepared.panel.times)
    every_step = plan.config.model.supervision == "every_step"
    first = 1 if every_step else window.lookback
    training = _targets(prepared.train, count, first=first, end=window.lookback + window.horizon)
    later = [
        _targets(part, count, first=window.lookback, end=window.lookback + window.horizon)
        for part in (prepared.validation, prepared.test)
    ]
    twice = int(np.sum(np.sum([training, *later], axis=0) > 1))
    rows = " + ".join(f"{int(part.sum()):,}" for part in (training, *later))
    if twice:
        return Check("targets_once", False, f"{twice:,} rows are targets in more than one of the splits")
    return Check("targets_once", True, f"{rows} rows are targets in train, validation, test, each in one")


def _targets(windows: Windows, rows: int, *, first: int, end: int) -> Mask:
    """Rows that are step ``first … end - 1`` of a window: bool [N]."""
    marked = np.zeros(rows, dtype=bool)
    for step in range(first, end):
        marked[windows.start + step] = True
    return marked


def _mutation(loaded: Loaded, plan: Plan, usual: Outcome) -> Check:
    """Whether the test rows reach nothing, and the last training row does: without it the check proves nothing."""
    name, panel, splits = "mutation", plan.prepared.panel, plan.prepared.splits
    control = _mutated_plan(loaded, plan, _last_rows(plan, splits.train_end), "replaced by noise")
    moved = _differing(usual, _trained(control)[1], EARLY)
    if "weights" not in moved:
        return Check(
            name, False, "control: the last training row changes no weight, so the check cannot fail"
        )
    rows = _rows_from(plan.table, panel, splits.validation_end)
    faults = []
    for change in CHANGES if rows.any() else ():
        changed = _mutated_plan(loaded, plan, rows, change)
        learned, found = _trained(changed)
        differing = _differing(usual, found | _judged(changed, learned), usual)
        if differing:
            faults.append(f"the test rows {change} changed {', '.join(differing)}")
    if faults:
        return Check(name, False, "; ".join(faults))
    same = (
        f"{int(rows.sum()):,} test rows changed: {', '.join(usual)} the same"
        if rows.any()
        else "no test rows"
    )
    return Check(name, True, f"{same}; control: the last training row changed {', '.join(moved)}")


def _validation_units(loaded: Loaded, plan: Plan, usual: Outcome) -> Check:
    """Whether validation and test rows reach neither the units nor, without early stopping, the weights."""
    rows = _rows_from(plan.table, plan.prepared.panel, plan.prepared.splits.train_end)
    faults = []
    for change in CHANGES:
        found = _trained(_mutated_plan(loaded, plan, rows, change))[1]
        if differing := _differing(usual, found, EARLY):
            faults.append(f"the rows after training {change} changed {', '.join(differing)}")
    if faults:
        return Check("validation_units", False, "; ".join(faults))
    return Check(
        "validation_units",
        True,
        f"{int(rows.sum()):,} rows after training changed: {', '.join(EARLY)} the same",
    )


def _covariates(plan: Plan) -> Check:
    """Whether no past covariate knows the target's next value."""
    panel = plan.prepared.panel
    leaking = leaking_covariates(panel.take(_rows_before(panel, plan.prepared.splits.train_end)))
    if leaking:
        return Check("covariates", False, ", ".join(column.finding for column in leaking))
    count = len(panel.columns) - 1
    return Check("covariates", True, f"none of {count} knows tomorrow" if count else "no past covariates")


def _mutated_plan(loaded: Loaded, plan: Plan, rows: Mask, change: Change) -> Plan:
    """Everything from the table on again, with these rows of it [N] changed; empty cells stay empty."""
    values = plan.table.values.copy()
    positive = plan.config.data.transform in ("log", "log1p")  # a changed row must not be refused
    if change == "times 1,000,000":
        changed = np.clip(values[rows] * FACTOR, -LARGEST, LARGEST)
    else:
        draw = np.random.default_rng(0)
        size = np.nanmax(np.abs(values), axis=0, initial=0.0)
        sign = draw.choice([-1.0, 1.0], size=values[rows].shape)
        changed = (
            sign * draw.uniform(1, 2, size=sign.shape) * np.where(size > 0, np.minimum(size, LARGEST), 1.0)
        )
        changed = np.where(np.isnan(values[rows]), np.nan, changed)
    values[rows] = np.abs(changed) if positive else changed
    return plan_table(loaded, replace(plan.table, values=values), Events())


def _rows_before(panel: Panel, end: NDArray[np.int64]) -> Mask:
    """Rows of the panel before flat row ``end[s]`` of their series: bool [N].

    Not :meth:`Panel.until`: what is audited does not check itself.
    """
    return np.asarray(np.arange(len(panel.times)) < np.repeat(end, panel.lengths))


def _rows_from(table: Table, panel: Panel, border: NDArray[np.int64]) -> Mask:
    """Rows of the table at or after the time of flat row ``border[s]`` of the panel: bool [N]."""
    first = np.full(len(panel), np.iinfo(np.int64).max)
    inside = border < panel.offsets[1:]
    first[inside] = panel.times[border[inside]]
    return np.asarray(table.times >= first[table.series])


def _last_rows(plan: Plan, end: NDArray[np.int64]) -> Mask:
    """The row of the table with each series' last observed target before flat row ``end[s]``: bool [N]."""
    panel, table = plan.prepared.panel, plan.table
    marked = np.zeros(len(table.times), dtype=bool)
    for series, (start, stop) in enumerate(zip(panel.offsets[:-1], end, strict=True)):
        known = np.flatnonzero(panel.observed[start:stop, 0])
        if len(known):
            marked |= (table.series == series) & (table.times == panel.times[start + known[-1]])
    return marked


def _trained(plan: Plan) -> tuple[Learned | None, Outcome]:
    """A short training, and what it decided and learned; None for networks whose loss was not finite."""
    import torch

    found = {
        "season": str(plan.config.data.season).encode(),
        "settled configuration": dump_config(plan.config).encode(),
    }
    prepared = replace(
        plan.prepared, train=_newest(plan.prepared.train, STEPS * plan.config.training.batch_size)
    )
    try:
        learned = learn(plan.config, prepared, device=torch.device("cpu"), on_epoch=lambda *_: None)
    except Diverged:
        return None, found
    weights = learned.forecaster.networks[0].state_dict().values()
    scores = [(epoch.val_loss, epoch.val_score) for epoch in learned.courses[0].history]
    return learned, found | {
        "units": _units(learned.forecaster.scaling),
        "weights": b"".join(weight.numpy().tobytes() for weight in weights),
        "validation scores": np.array(scores).tobytes(),
    }


def _judged(plan: Plan, learned: Learned | None) -> Outcome:
    """What is chosen and measured on validation after training."""
    if learned is None:
        return {}
    judged = judge_held_out(plan.config, plan.prepared, learned.forecaster, Events())
    calibration = judged.calibration
    arrays = calibration.to_arrays().values() if calibration is not None else ()
    return {
        "calibration": b"".join(array.tobytes() for array in arrays),
        "choice of baseline": judged.verdict.baseline.encode(),
    }


def _newest(windows: Windows, most: int) -> Windows:
    """About ``most`` windows: the last ones of each series, nearest to what must not be seen."""
    count = len(np.unique(windows.series))
    each = max(1, most // max(count, 1))
    kept = np.zeros(len(windows), dtype=bool)
    ends = np.flatnonzero(np.diff(windows.series, append=-1)) + 1
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        kept[max(first, end - each) : end] = True
    return Windows(windows.start[kept], windows.series[kept])


def _units(scaling: Scaling) -> bytes:
    return json_bytes(scaling.to_json())


def _differing(usual: Outcome, found: Outcome, names: Sequence[str] | Outcome) -> list[str]:
    return [name for name in names if usual.get(name) != found.get(name)]
