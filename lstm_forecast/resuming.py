"""The run that a training writes: its name locked, begun afresh or taken up where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_forecast.config import config_values, with_values
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import AlreadyComplete, ArtifactRejected, RunMissing, UsageError
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.networks import batch_threads, kernel_of
from lstm_forecast.runs.pruning import remove_temporaries
from lstm_forecast.runs.run import (
    Run,
    create_run,
    lock_path,
    read_status,
    run_by_prefix,
    sorted_runs,
    write_status,
)
from lstm_forecast.runs.storage import held_lock, json_bytes, parse_json

if TYPE_CHECKING:
    from lstm_forecast.training.checkpoints import Checkpoints, Facts, Found

NEWEST = "newest"
# What may be another after an interruption: how long is trained and where, and what happens to the result.
MAY_CHANGE = {
    "training.epochs",
    "training.patience",
    "training.max_time",
    "training.device",
    "training.threads",  # a warning says what that changes
    "training.checkpoint_every",
    "evaluation.fail_if_worse",
    "run.dir",
    "run.plots",
    "run.promote",
    "data.path",  # the hash of what it holds counts
}


@contextmanager
def locked_name(runs_dir: Path, name: str, *, wait_s: float, events: Events) -> Iterator[None]:
    """Holds the lock of a run name while the block trains.

    Raises:
        Busy: somebody else trains this name, and did so for ``wait_s``.
    """

    def waiting(holder: str) -> None:
        events.emit("lock.wait", {"name": name, "holder": holder, "wait_s": wait_s})

    with held_lock(lock_path(runs_dir, name), timeout_s=wait_s, on_wait=waiting):
        yield


def begin_run(
    runs_dir: Path, name: str, plan: Plan, *, resume: str | None, events: Events
) -> tuple[Run, Checkpoints]:
    """The run to train into and its checkpoints; who calls holds the lock of the name.

    Args:
        runs_dir: folder of all runs.
        name: of the run.
        plan: what is trained.
        resume: None for a new run; ``newest`` for the newest that was interrupted and fits, else a new one;
            or the id of a run.
        events: told what is taken up, and what is not and why.

    Raises:
        RunMissing: no such run, or it was interrupted before its first checkpoint.
        AlreadyComplete: the run was not interrupted.
        UsageError: data or configuration are others than the run's.
        ArtifactRejected: every checkpoint of the run is damaged.
    """
    runs = sorted_runs(runs_dir / name)
    _tell_death(runs, events)
    facts = _facts(plan)
    remove_temporaries(runs_dir / name)
    found = None
    if resume == NEWEST:
        found = _newest_that_fits(runs, facts, events)
    elif resume is not None:
        found = _asked_for(runs, name, resume, facts)
    if found is None:
        run = create_run(runs_dir, name)
        return run, _checkpoints(run, plan, facts, events)
    run, checkpoint = found
    write_status(run, "running", exit_code=None)
    return run, _checkpoints(run, plan, facts, events, found=checkpoint)


def with_stored_threads(plan: Plan, checkpoints: Checkpoints) -> Plan:
    """The plan with the threads of the training that is gone on with, for the same bits; else as it is."""
    if checkpoints.found is None:
        return plan
    threads = checkpoints.found.facts.threads
    checkpoints.facts = replace(checkpoints.facts, threads=threads)
    return replace(plan, config=with_values(plan.config, {"training.threads": threads}))


def say_taken_up(run: Run, checkpoints: Checkpoints, events: Events) -> None:
    """Says where a training goes on, and with which reservations; nothing of a new one."""
    found = checkpoints.found
    if found is None:
        return
    for error in found.damaged:
        events.emit("checkpoint.fallback", {"path": error.where, "message": error.message}, level="warning")
        events.warn("checkpoint.fallback", f"an older checkpoint is used: {error.where} {error.message}")
    if found.facts.threads != checkpoints.facts.threads:
        counts = f"{plural(found.facts.threads, 'thread')} before, {checkpoints.facts.threads} now"
        events.warn("resume.threads", f"{counts}: the last bits of the weights may differ")
    if found.facts.kernel != checkpoints.facts.kernel:
        kernels = f"LSTM kernel {found.facts.kernel!r} before, {checkpoints.facts.kernel!r} now"
        events.warn("resume.kernel", f"{kernels}: the last bits of the weights may differ")
    where = ", ".join(
        f"{_part_name(name)} epoch {state.epoch}"
        for name, state in sorted(found.parts.items(), key=_part_order)
    )
    events.say([f"going on with {run.handle} after {where}"])


def _newest_that_fits(runs: list[Run], facts: Facts, events: Events) -> tuple[Run, Found] | None:
    """The newest interrupted run after the last complete one whose data and configuration are these."""
    from lstm_forecast.training.checkpoints import newest_checkpoint

    for run in runs:
        if run.complete:
            break
        try:
            found = newest_checkpoint(run.path / "checkpoints")
        except ArtifactRejected as error:
            events.warn("checkpoint.fallback", f"{run.handle} is not resumed: {error.where} {error.message}")
            continue
        changed = [] if found is None else _changes(found.facts, facts)
        if found is not None and not changed:
            return run, found
        why = f"changed: {', '.join(changed)}" if changed else "it has no checkpoint"
        events.say([f"{run.handle} is not resumed: {why}"])
    events.say(["nothing to resume: a new run begins"])
    return None


def _asked_for(runs: list[Run], name: str, reference: str, facts: Facts) -> tuple[Run, Found]:
    from lstm_forecast.training.checkpoints import newest_checkpoint

    run = run_by_prefix(runs, reference.removeprefix(f"{name}@"), f"{name}@{reference}")
    if run.complete:
        raise AlreadyComplete("run.complete", f"{run.handle} is already complete", where=str(run.path))
    found = newest_checkpoint(run.path / "checkpoints")
    if found is None:
        raise RunMissing(
            "run.no_checkpoint",
            f"{run.handle} ended before its first checkpoint",
            where=str(run.path),
            hint="train again without --resume; training.checkpoint_every sets how often one is kept",
        )
    changed = _changes(found.facts, facts)
    if changed:
        raise UsageError(
            "resume.changed",
            f"{run.handle} was begun with other data or another configuration",
            where=str(run.path),
            details=[f"changed: {line}" for line in changed],
            hint="train again without --resume, or take the changes back",
        )
    return run, found


def _part_order(part: tuple[str, object]) -> tuple[bool, int]:
    """The networks that are tested by number, then those on all rows."""
    kind, _, number = part[0].partition(".")
    return kind != "network", int(number)


def _part_name(part: str) -> str:
    kind, _, number = part.partition(".")
    return f"network {int(number) + 1}" if kind == "network" else f"network {int(number) + 1} on all rows"


def _checkpoints(
    run: Run, plan: Plan, facts: Facts, events: Events, *, found: Found | None = None
) -> Checkpoints:
    from lstm_forecast.training.checkpoints import Checkpoints

    every_s = plan.config.training.checkpoint_every
    return Checkpoints(run.path / "checkpoints", facts, every_s, events, found)


def _facts(plan: Plan) -> Facts:
    from lstm_forecast.training.checkpoints import Facts

    config: dict[str, Any] = parse_json(json_bytes(config_values(plan.config)), where="config")
    start = plan.start.run if plan.start else None
    kernel = kernel_of(plan.config, plan.config.training.device)
    return Facts(config, plan.table.source.sha256, batch_threads(plan.config), start, kernel)


def _changes(before: Facts, now: Facts) -> list[str]:
    """What differs and may not, for people: ``model.hidden_size (was 3, is 4)``."""
    keys = [key for key in now.config if key not in MAY_CHANGE or _patience_switched(key, before, now)]
    keys += [key for key in before.config if key not in now.config]
    lines = [
        f"{key} (was {before.config.get(key)}, is {now.config.get(key)})"
        for key in keys
        if before.config.get(key) != now.config.get(key)
    ]
    if before.data_sha256 != now.data_sha256:
        lines.append(f"the rows of {now.config['data.path']}")
    if before.start != now.start:
        lines.append(f"--from (was {before.start or 'not given'}, is {now.start or 'not given'})")
    return lines


def _patience_switched(key: str, before: Facts, now: Facts) -> bool:
    """With and without patience other weights are chosen: its number may change, whether it is there not."""
    return key == "training.patience" and (before.config.get(key) is None) != (now.config[key] is None)


def _tell_death(runs: list[Run], events: Events) -> None:
    """Says if the training before this one ended without a word. Its status may still say that it runs.

    Who calls holds the lock of the name, so nobody does.
    """
    if runs and not runs[0].complete and read_status(runs[0]) in ("died", "running"):
        why = "killed, perhaps for want of memory, or the machine went down"
        events.warn("run.died", f"the training before, {runs[0].handle}, died without a word: {why}")
