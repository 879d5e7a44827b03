"""Training that begins with the weights of an earlier run: does that run fit, and would its rows leak?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lstm_forecast.config import Config, config_values, yaml_text
from lstm_forecast.covariates import ahead_columns
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.statics import Statics
from lstm_forecast.data.zones import calendar_times, readings
from lstm_forecast.errors import ArtifactRejected, UsageError
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.naming import find_reference
from lstm_forecast.networks import Seen, Start
from lstm_forecast.opening import Opened, opened

# Beside all of ``model``: the shape of the head, and what the weights' inputs and answers are measured in.
SAME = ("window.horizon", "training.ensemble", "data.transform", "scaling.method", "scaling.range")
NEVER = -(2**62)  # before every time
MOST_SHOWN = 5  # series of one message
_DAY = 86_400_000_000


def with_start(plan: Plan, reference: str | Path | None, runs_dir: Path, events: Events) -> Plan:
    """The plan with the run that its networks begin with; nothing is written, and no weight is read yet.

    Args:
        plan: what will be trained.
        reference: the run, as for ``predict``; None: the plan stays as it is.
        runs_dir: folder of all runs.
        events: told where the training starts.

    Raises:
        RunMissing: there is no such run.
        ArtifactRejected: it is damaged.
        UsageError: it has no network, its networks are others, or its rows would leak.
    """
    if reference is None:
        return plan
    source = opened(find_reference(str(reference), runs_dir))
    handle = source.run.handle
    if not source.trained:
        raise UsageError(
            "from.no_network",
            f"{handle} has no network to start from: it forecasts with a baseline, for want of rows",
            where="--from",
            hint="train without --from, or name another run: lstm-forecast runs list",
        )
    _refuse_other(source, plan)
    if plan.shortfall is not None:
        events.warn("from.unused", f"--from {handle} is not used: there is no network to train")
        return plan
    seen = in_names_of(plan.prepared.panel, source)
    _refuse_leak(handle, plan, seen)
    apart = "fitted to no row that this training validates or tests on"
    events.say([f"starts with the weights of {handle}; they were {apart}"])
    start = Start(handle, lambda: source.tested.networks, lambda: source.forecaster.networks, seen)
    return replace(plan, start=start)


def rows_seen(source: Opened) -> Seen:
    """Which rows a run's tested networks have seen, those they began with included, by its series' names.

    A row was fitted to, or chose the epoch, only before the two times; one at the very time did not.
    """
    context, own = source.context, {}
    for s, name in enumerate(context.series_ids):
        times, first = context.times[context.rows(s)], int(context.offsets[s])
        ends = (int(source.splits.train_end[s]) - first, int(source.splits.validation_end[s]) - first)
        fitted, chosen = (_after(times, end) for end in ends)
        own[name] = (fitted, chosen)
    return _latest(own, _recorded(source))


def partners(source: Opened, panel: Panel) -> dict[str, str]:
    """The run's name of each series of a panel that it knows: the same one, or that of its only series."""
    theirs, ours = source.preprocess.series_ids, panel.series_ids
    if len(theirs) == len(ours) == 1:  # the name may be a file's or a column's
        return {ours[0]: theirs[0]}
    known = set(theirs)
    return {name: name for name in ours if name in known}


def in_names_of(panel: Panel, source: Opened) -> Seen:
    """:func:`rows_seen` by the panel's names; series that are not in it keep theirs, for later runs."""
    seen = dict(rows_seen(source))
    renamed = {ours: seen.pop(theirs) for ours, theirs in partners(source, panel).items() if theirs in seen}
    return _latest(seen, renamed)


def _after(times: np.ndarray, end: int) -> int:
    """The first moment after the first ``end`` of a series' kept rows."""
    if end > 0:
        return int(times[end - 1]) + 1
    return int(times[0]) if len(times) else NEVER


def _latest(*parts: Seen) -> Seen:
    found: dict[str, tuple[int, int]] = {}
    for part in parts:
        for name, (fitted, chosen) in part.items():
            before = found.get(name, (NEVER, NEVER))
            found[name] = (max(fitted, before[0]), max(chosen, before[1]))
    return found


def _recorded(source: Opened) -> Seen:
    """What the networks that this run began with had seen.

    Raises:
        ArtifactRejected: ``run.json`` makes no sense.
    """
    where = str(source.run.path / "run.json")
    found = source.about.get("from_seen") or {}
    try:
        read = {str(name): (int(fitted), int(chosen)) for name, (fitted, chosen) in found.items()}
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactRejected("artifact.run", f"from_seen cannot be read: {error}", where=where) from error
    if any(abs(time) > -NEVER for times in read.values() for time in times):
        raise ArtifactRejected("artifact.run", "from_seen has a time that there is not", where=where)
    return read


def _refuse_other(source: Opened, plan: Plan) -> None:
    """Refuses a run whose weights mean something else here.

    Raises:
        UsageError: listing everything that differs.
    """
    handle = source.run.handle
    here, there = config_values(plan.config), config_values(source.config)
    same = (
        (*SAME, "window.lookback") if plan.config.model.linear_skip else SAME
    )  # the skip has a weight a step
    keys = [key for key in here if key.startswith("model.") or key in same]
    pairs = {key: (yaml_text(here[key]), yaml_text(there[key])) for key in keys}
    mine, other = plan.prepared.panel.columns, source.preprocess.columns
    pairs["target"] = (mine[0], other[0])
    pairs["covariates"] = (", ".join(mine[1:]) or "none", ", ".join(other[1:]) or "none")
    pairs["known ahead"] = (_known_ahead(plan.config), _known_ahead(source.config))
    statics = plan.prepared.panel.statics, source.preprocess.scaling.statics
    pairs["static covariates"] = (_categories(statics[0]), _categories(statics[1]))
    pairs["times"] = (_kind_of(plan.table.time_format), _kind_of(source.preprocess.time_format))
    differing = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    if differing:
        raise UsageError(
            "from.differs",
            f"the networks of {handle} are others: {', '.join(differing)}",
            where="--from",
            details=[
                f"{key}: {ours} here, {theirs} in {handle}" for key, (ours, theirs) in differing.items()
            ],
            hint=f"{_to_be_the_same(source, plan, pairs, differing)}, or train without --from",
        )


def _to_be_the_same(
    source: Opened, plan: Plan, pairs: Mapping[str, tuple[str, str]], differing: Collection[str]
) -> str:
    """What to type where keys differ: those of the run, or all of its configuration where the data chose."""
    if any(key in plan.chosen for key in differing):
        return f"train with what was chosen then: {source.run.path / 'config.yaml'}"
    if not all("." in key for key in differing):
        return "make them the same"
    return "make them the same: " + " ".join(f"--set '{key}={pairs[key][1]}'" for key in differing)


def _known_ahead(config: Config) -> str:
    ahead = ahead_columns(config)
    return f"{plural(ahead.given, 'column')} and {ahead.calendar} of the calendar"


def _categories(statics: Statics | None) -> str:
    """The static columns with their categories: an embedding's rows belong to them."""
    if statics is None:
        return "none"
    return ", ".join(f"{c.name} ({' '.join(c.vocabulary) or 'numbers'})" for c in statics.columns)


def _kind_of(form: TimeFormat) -> str:
    return "row numbers" if form.kind == "row" else "dates"


def _refuse_leak(handle: str, plan: Plan, seen: Seen) -> None:
    """Refuses weights that were fitted to a row of the new validation or test split, or chosen by a test row.

    Raises:
        UsageError: naming the dates, and splits that would do.
    """
    panel, splits = plan.prepared.panel, plan.prepared.splits
    parts = {
        "validation": (splits.train_end, splits.validation_end, 0, "fitted to"),
        "test": (splits.validation_end, panel.offsets[1:], 1, "chosen by"),
    }
    lines = []
    for part, (first, end, which, how) in parts.items():
        for s, name in enumerate(panel.series_ids):
            if first[s] == end[s] or panel.times[first[s]] >= seen.get(name, (NEVER, NEVER))[which]:
                continue
            mine = panel.times[panel.rows(s)]
            last = mine[np.searchsorted(mine, seen[name][which]) - 1]
            begins, reached = plan.table.time_format.format(np.array([panel.times[first[s]], last]))
            whose = f" of {name}" if len(panel) > 1 else ""
            lines.append(f"{part}{whose} begins at {begins}; the networks were {how} rows up to {reached}")
    if lines:
        more = [f"and {len(lines) - MOST_SHOWN:,} more"] if len(lines) > MOST_SHOWN else []
        raise UsageError(
            "from.leak",
            f"{handle} has seen rows that this training would be judged by",
            where="--from",
            details=[*lines[:MOST_SHOWN], *more],
            hint=_later_splits(plan, seen),
        )


def _later_splits(plan: Plan, seen: Seen) -> str:
    """What to type instead: dates that put both splits behind what was seen, where rows are left for them."""
    without = "train without --from"
    panel, splits, horizon = plan.prepared.panel, plan.prepared.splits, plan.config.window.horizon
    if plan.table.time_format.kind == "row":
        return f"{without}, or give split.validation and split.test fewer rows"
    bounds = [seen[name] for name in panel.series_ids if name in seen]
    fitted, chosen = (max(times) for times in zip(*bounds, strict=True))
    union, zone = np.unique(panel.times), plan.table.zone
    validation, validation_day = _day_from(fitted, zone)
    begun = [
        int(panel.times[s])
        for s, end in zip(splits.validation_end, panel.offsets[1:], strict=True)
        if s < end
    ]
    words, left = [], union
    if plan.config.split.validation != 0:
        words, left = [f"--set split.validation={validation_day}"], union[union >= validation]
    if begun:
        test, test_day = _day_from(max(chosen, min(begun)), zone)
        words.append(f"--set split.test={test_day}")
        left, tested = left[left < test], left[left >= test]
    if len(left) < horizon or (begun and len(tested) < horizon):
        return f"{without}, or wait for newer rows"
    return f"{without}, or with later splits: {' '.join(words)}"


def _day_from(time: int, zone: str) -> tuple[int, str]:
    """The first midnight, by the zone's clock, at or after a time, and its date: splits begin with a day."""
    shown = np.array([time], dtype=np.int64)
    midnight = -(-(calendar_times(shown, zone) if zone else shown) // _DAY) * _DAY
    moment = readings(midnight, zone).first if zone else midnight
    return int(moment[0]), str(midnight.astype("datetime64[us]").astype("datetime64[D]")[0])
