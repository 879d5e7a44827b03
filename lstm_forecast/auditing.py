"""The leak audit: whether anything after the training rows can have reached what was learned from them.

A training is repeated in short form on the user's own data, then on the same with its later rows changed out
of all reason. What may not depend on those rows has to come out the same, bit by bit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks, stages
from lstm_forecast.config import Loaded, dump_config, parse_config, with_values
from lstm_forecast.covariates import past_columns
from lstm_forecast.data.files import is_there, sha256_of_input
from lstm_forecast.data.findings import plural
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.errors import DataInvalid, DataMissing, Diverged
from lstm_forecast.evaluation.held_out import cutoffs
from lstm_forecast.evaluation.leaks import leaking_covariates
from lstm_forecast.evaluation.separation import (
    CHANGES,
    Change,
    Mask,
    Rows,
    changed_table,
    first_overlap,
    last_table_rows,
    newest_windows,
    part_ends,
    part_times,
    rows_before,
    table_rows_from,
    target_rows,
)
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan, learn, plan_table
from lstm_forecast.forecasting.baselines import SIMPLE
from lstm_forecast.judging import judge_held_out
from lstm_forecast.opening import Opened
from lstm_forecast.runs.storage import json_bytes

if TYPE_CHECKING:
    from lstm_forecast.forecasting.forecast import Forecaster

Outcome = dict[str, bytes]  # what a training decided and learned, by name, to be compared bit by bit

EPOCHS = 2
STEPS = 8  # of an epoch: enough for every weight to have moved, few enough to be repeated six times
# What validation rows may not reach either, as long as all epochs run.
EARLY = ("season", "settled configuration", "units", "weights", "first validation forecast")


@dataclass(frozen=True)
class _Usual:
    """The training that the changed ones are compared with: its configuration, its plan, what came out."""

    loaded: Loaded
    plan: Plan
    outcome: Outcome


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
                " the test rows reached neither the network nor its intervals, and the validation rows"
                " neither units nor season"
            )
        return "Audit FAILED: " + "; ".join(f"{c.name}: {c.detail}" for c in self.checks if not c.ok)

    def to_document(self) -> dict[str, Any]:
        """``audit.json``."""
        return {
            "v": 1,
            "ok": self.ok,
            "checks": [dict(vars(check)) for check in self.checks],
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
    sha256 = opened.data_sha256
    table = stages.read_input(opened.config, _training_file(opened, data, sha256))
    loaded = _short_form(opened)
    plan = plan_table(loaded, table, Events())
    events.say([f"audit: short trainings on {table.source.path}, as it is and with later rows changed"])
    with networks.network_threads(plan.config), np.errstate(all="ignore"):
        usual = _Usual(loaded, plan, _outcome(plan, judged=True))
        checks = (
            _scaler_rows(opened, plan),
            _split_borders(opened, plan),
            _targets_once(plan),
            _mutation(usual),
            _validation_units(usual),
            _covariates(plan),
        )
    return Audit(opened.run.handle, sha256, checks, time.monotonic() - began)


def _training_file(opened: Opened, data: str | None, sha256: str) -> str:
    """Where the file that the run was trained on is, as it was then."""
    found = {}
    for path in (data, opened.config.data.path):
        if path is not None and is_there(path):
            found[path] = sha256_of_input(path)
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
    """The run's configuration for two epochs of one network; season and chosen keys are found anew.

    All epochs run, on the CPU and without a clock: nothing but the rows can make a difference.
    """
    loaded = parse_config(opened.files["config.yaml"], where=str(opened.run.path / "config.yaml"))
    config = loaded.config
    short = {"epochs": EPOCHS, "patience": None, "max_time": None, "ensemble": 1, "device": "cpu"}
    short["precision"] = "float32"  # the CPU may know no other
    baselines = tuple(name for name in config.evaluation.baselines if name in SIMPLE)
    changed = {
        "data": config.data.model_copy(update={"season": None}),
        "window": config.window.model_copy(update={"stride": 1}),
        "training": config.training.model_copy(update=short),
        "evaluation": config.evaluation.model_copy(update={"baselines": baselines}),
    }
    again = dict.fromkeys((key for key in opened.chosen_keys if key != "training.epochs"), "auto")
    return replace(loaded, config=with_values(config.model_copy(update=changed), again))


def _scaler_rows(opened: Opened, plan: Plan) -> Check:
    """Whether the tested networks' units are those of the training rows alone."""
    tested = opened.preprocess.held_out_scaling or opened.preprocess.scaling
    rows = rows_before(plan.prepared.panel, plan.prepared.splits.train_end)
    again = networks.fit_units(opened.config, plan.prepared.panel.take(rows))
    if _units(again) == _units(tested):
        return Check("scaler_rows", True, f"the units are those of the {rows.sum():,} training rows alone")
    wrong = [name for name, value in again.to_json().items() if tested.to_json()[name] != value]
    return Check("scaler_rows", False, f"not those of the training rows alone: {', '.join(wrong)}")


def _split_borders(opened: Opened, plan: Plan) -> Check:
    """Whether train, validation and test follow each other, at one time for all series, as in the run."""
    name, panel, splits = "split_borders", plan.prepared.panel, plan.prepared.splits
    ours, context = opened.splits, opened.context
    for now, then in ((splits.train_end, ours.train_end), (splits.validation_end, ours.validation_end)):
        if not np.array_equal(panel.offsets[1:] - now, context.offsets[1:] - then):
            return Check(name, False, "the run was split at other rows than its file and configuration give")
    write, times = plan.table.time_format.format, part_times(panel, splits)
    numbered = plan.frequency.unit == "row"  # numbered rows of two series share no time
    groups = [[s] for s in range(len(panel))] if numbered else [list(range(len(panel)))]
    for found in filter(None, (first_overlap(times, group) for group in groups)):
        last, first = write(np.array([found.last, found.first]))
        where = f"{found.earlier} rows reach to {last}, {found.later} rows begin at {first}"
        return Check(name, False, f"{where}: give split.validation and split.test as dates")
    ends = {part: write(np.array(pair)) for part, pair in part_ends(times).items()}
    return Check(name, True, ", ".join(f"{part} {first} to {last}" for part, (first, last) in ends.items()))


def _targets_once(plan: Plan) -> Check:
    """Whether no row is a target in two splits; in training every step may be one."""
    prepared, lookback = plan.prepared, plan.config.window.lookback
    rows, end = len(prepared.panel.times), lookback + plan.config.window.horizon
    first = 1 if plan.config.model.supervision == "every_step" else lookback
    parts = [target_rows(prepared.train, rows, first=first, end=end)]
    parts += [target_rows(w, rows, first=lookback, end=end) for w in (prepared.validation, prepared.test)]
    if twice := int(np.sum(np.sum(parts, axis=0) > 1)):
        return Check("targets_once", False, f"{plural(twice, 'target row')} in more than one split")
    counts = " + ".join(f"{int(part.sum()):,}" for part in parts)
    return Check("targets_once", True, f"{counts} rows are targets in train, validation, test, none in two")


def _mutation(usual: _Usual) -> Check:
    """Whether test rows reach nothing. The last training row has to: else nothing was shown."""
    name, table, prepared = "mutation", usual.plan.table, usual.plan.prepared
    last = last_table_rows(table, prepared.panel, prepared.splits.train_end)
    moved = _differing(usual, _changed(usual, last, CHANGES[-1], judged=False), EARLY)
    if "weights" not in moved:
        return Check(name, False, "control: the last training row changes no weight, so nothing is shown")
    rows = table_rows_from(table, prepared.panel, prepared.splits.validation_end)
    names = tuple(usual.outcome)
    faults = _faults(usual, rows, words="test rows", names=names) if rows.any() else []
    if faults:
        return Check(name, False, "; ".join(faults))
    same = f"{rows.sum():,} test rows changed: the same {', '.join(names)}" if rows.any() else "no test rows"
    return Check(name, True, f"{same}; control: the last training row changed {', '.join(moved)}")


def _validation_units(usual: _Usual) -> Check:
    """Whether validation and test rows reach neither the units nor, without early stopping, the weights."""
    name, prepared = "validation_units", usual.plan.prepared
    rows = table_rows_from(usual.plan.table, prepared.panel, prepared.splits.train_end)
    if not rows.any():
        return Check(name, True, "no rows after training")
    faults = _faults(usual, rows, words="rows after training", names=EARLY)
    if faults:
        return Check(name, False, "; ".join(faults))
    return Check(name, True, f"{rows.sum():,} rows after training changed: the same {', '.join(EARLY)}")


def _faults(usual: _Usual, rows: Mask, *, words: str, names: tuple[str, ...]) -> list[str]:
    """What comes out another way after each change of these rows of the table, in words."""
    judged = names != EARLY
    found = ((c, _differing(usual, _changed(usual, rows, c, judged=judged), names)) for c in CHANGES)
    return [f"{words} {change} changed {', '.join(differing)}" for change, differing in found if differing]


def _covariates(plan: Plan) -> Check:
    """Whether no past covariate knows the target's next value."""
    panel = plan.prepared.panel
    past = past_columns(plan.config)
    training = panel.take(rows_before(panel, plan.prepared.splits.train_end))
    leaking = leaking_covariates(training.first_columns(past))
    if leaking:
        return Check("covariates", False, ", ".join(column.finding for column in leaking))
    none = f"none of {past - 1} knows tomorrow" if past > 1 else "no past covariates"
    return Check("covariates", True, none)


def _changed(usual: _Usual, rows: Mask, change: Change, *, judged: bool) -> Outcome:
    """What comes out where these rows [N] are others, everything from the table on done again."""
    positive = usual.plan.config.data.transform in ("log", "log1p")  # a changed row must not be refused
    table = changed_table(usual.plan.table, rows, change, positive=positive)
    return _outcome(plan_table(usual.loaded, table, Events()), judged=judged)


def _outcome(plan: Plan, *, judged: bool) -> Outcome:
    """A short training, and what it decided and learned; a loss that is not finite leaves only the first.

    Args:
        plan: from the short form of the configuration.
        judged: whether to go on to what is chosen and measured on validation after training.
    """
    import torch

    found = {
        "season": str(plan.config.data.season).encode(),
        "settled configuration": dump_config(plan.config).encode(),
    }
    windows = newest_windows(plan.prepared.train, STEPS * plan.config.training.batch_size)
    prepared, splits = replace(plan.prepared, train=windows), plan.prepared.splits
    try:
        learned = learn(plan.config, prepared, device=torch.device("cpu"), on_epoch=lambda *_: None)
    except Diverged:
        return found
    weights = learned.forecaster.networks[0].state_dict().values()
    history = learned.courses[0].history if plan.config.split.validation != 0 else []
    scores = [(epoch.val_loss, epoch.val_score) for epoch in history]
    found |= {
        "units": _units(learned.forecaster.scaling),
        "weights": b"".join(weight.numpy().tobytes() for weight in weights),
        "validation scores": np.array(scores).tobytes(),
    }
    for part, end in (("validation", splits.train_end), ("test", splits.validation_end)):
        found[f"first {part} forecast"] = _forecast_at(plan, learned.forecaster, end).tobytes()
    return found | (_chosen(plan, learned.forecaster) if judged else {})


def _forecast_at(plan: Plan, forecaster: Forecaster, border: Rows) -> NDArray[np.float64]:
    """What is forecast with the rows before flat row ``border[s]``, known columns as in the last: [W, H]."""
    panel = plan.prepared.panel
    end = np.where(forecaster.scaling.trained, border + 1, border)
    rows, series = cutoffs(panel, border, end, least=forecaster.lookback)
    steps, count = plan.config.window.horizon, forecaster.scaling.ahead
    ahead = np.repeat(panel.values[rows, None, len(panel.columns) - count :], steps, axis=1)
    return forecaster.at(panel, rows, series, horizon=steps, ahead=ahead).point


def _chosen(plan: Plan, forecaster: Forecaster) -> Outcome:
    """What validation chooses and measures once the networks are trained."""
    judged = judge_held_out(plan.config, plan.prepared, forecaster, Events())
    calibration = judged.calibration
    arrays = calibration.to_arrays().values() if calibration is not None else ()
    scores = b"".join(array.tobytes() for array in arrays)
    chosen = {"calibration": scores, "choice of baseline": judged.verdict.baseline.encode()}
    return chosen | ({"gate": json_bytes(judged.gate.to_document())} if judged.gate else {})


def _units(scaling: Scaling) -> bytes:
    return json_bytes(scaling.to_json())


def _differing(usual: _Usual, found: Outcome, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if usual.outcome.get(name) != found.get(name)]
