"""The first configuration of a file, for people: what was found, with its reason, and what may be changed."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.config import KEYS, Loaded, config_values, field_table, parse_config, yaml_text
from lstm_forecast.errors import visible
from lstm_forecast.fitting import Plan

DECIDED = (  # by the file or for it; written out also where the value is that of the default
    "data.path",
    "data.time",
    "data.target",
    "data.season",
    "window.horizon",
    "window.stride",
    "model.normalize",
    "model.supervision",
    "training.refit",
)
EVERYDAY = (  # shown as comments: what users change first
    "data.series_id",
    "data.past_covariates",
    "data.missing",
    "data.gaps",
    "data.until",
    "data.frequency",
    "data.transform",
    "split.validation",
    "split.test",
    "window.lookback",
    "window.stride",
    "scaling.method",
    "model.num_layers",
    "model.hidden_size",
    "model.dropout",
    "model.anchor",
    "training.epochs",
    "training.batch_size",
    "training.lr",
    "training.loss",
    "training.patience",
    "training.seed",
    "training.ensemble",
    "training.device",
    "evaluation.fail_if_worse",
    "forecast.horizon",
    "forecast.minimum",
    "forecast.intervals.levels",
)
# Of a file too short for a network these stay open: they depend on the number of rows, and more may come.
BY_ROWS = ("data.season", "window.stride", "forecast.intervals.levels", "forecast.intervals.method")
# auto says the same: the one follows from data.holidays, the other from the machine that trains
FOLLOWING = ("data.calendar_features", "training.threads")
WIDTH = 110
_MOST_OTHERS = 6  # columns of numbers that are named beside the target
_COLUMN = 28  # where the comment at the end of a line begins
# What the account calls the keys that it names by another word.
_CALLED = {
    "time": "data.time",
    "target": "data.target",
    "series": "data.series_id",
    "frequency": "data.frequency",
    "season": "data.season",
    "horizon": "window.horizon",
    "rows": "split",
}
_MENTION = re.compile(r"; --[a-z-]+(?=\))| \((?:--[a-z-]+|data\.(?:time|season|series_id))\)")
_LAST_KEY = re.compile(r" \((data\.[a-z_]+)\)$")
_HEADER = """\
# What was found in {source}, as a configuration. Written by lstm-forecast init.
#
#   lstm-forecast train {file}
#   lstm-forecast predict {name}
#   lstm-forecast plot {name}
#   lstm-forecast evaluate {name}
#
# A value that was found or chosen stands beside its reason, and is kept from now on.
# A line such as "# epochs: 100" is a default: to change it, take away the "# " and write another value.
"""


@dataclass(frozen=True)
class Entry:
    """One key of the file.

    Attributes:
        key: dotted.
        value: of the plan, as JSON has it.
        text: what stands in the file, as YAML: the value, or the default of a comment.
        spelled: whether it is written out, or a comment that shows its default.
        why: the reason, or what the key does.
    """

    key: str
    value: object
    text: str
    spelled: bool
    why: str


@dataclass(frozen=True)
class Draft:
    """A configuration as text, and the keys that are written out in it."""

    text: str
    found: Mapping[str, Entry]


def draft(
    loaded: Loaded, plan: Plan, *, warnings: Sequence[tuple[str, str]], file: Path, given: str, name: str
) -> Draft:
    """The commented YAML whose training is that of the bare file, key for key.

    Args:
        loaded: the bare file with the keys that the user gave.
        plan: what training it would do.
        warnings: (id, message) of those that planning gave.
        file: where the text will stand; paths in it are relative to its folder.
        given: the input as the user wrote it.
        name: of the run.

    Raises:
        ConfigError: a value has no form that a configuration can hold, such as a name of 2,000 characters.
    """
    reasons, free = _reasons(plan, warnings)
    values = config_values(plan.config)
    values["data.path"] = _path_text(str(values["data.path"]), given, file)
    entries = list(_entries(loaded, plan, values, reasons))
    header = _HEADER.format(
        source=visible(given),
        file=visible(shlex.quote(str(file))),
        name=visible(shlex.quote(name)),
    )
    notes = {"data": free, "split": [reasons["split"]] if "split" in reasons else []}
    parts = [header + "".join(f"{line}\n" for line in _short_lines(plan))]
    for section in dict.fromkeys(entry.key.partition(".")[0] for entry in entries):
        own = [entry for entry in entries if entry.key.startswith(f"{section}.")]
        parts.append("".join(f"{line}\n" for line in _section(section, own, notes.get(section, []))))
    text = "\n".join(parts)
    parse_config(text.encode(), where=str(file))
    return Draft(text, {entry.key: entry for entry in entries if entry.spelled})


def _path_text(path: str, given: str, file: Path) -> str:
    """The data path as it stands in the file: relative to it where the user wrote a relative one."""
    if Path(given).is_absolute() or path != os.path.abspath(given):  # noqa: PTH100 - links keep their names
        return path
    relative = os.path.relpath(path, file.absolute().parent)
    return f".{os.sep}{relative}" if relative == "-" else relative


def _entries(
    loaded: Loaded, plan: Plan, values: Mapping[str, object], reasons: Mapping[str, str]
) -> Iterator[Entry]:
    """The keys that are shown, in the order of the models."""
    rows = {row.key: row for row in field_table()}
    chosen = {key for key, _, why in (line.partition(": ") for line in plan.account) if ", because " in why}
    for key in KEYS:
        if "." not in key:
            continue
        text, default = yaml_text(values[key]), rows[key].default
        is_open = plan.shortfall is not None and key in BY_ROWS and not loaded.was_set(key)
        decided = key in DECIDED or key in chosen or loaded.was_set(key)
        decided = decided or (text != default and key not in FOLLOWING)
        spelled = decided and not is_open
        if not (spelled or key in EVERYDAY or key in reasons):
            continue
        why = reasons.get(key, rows[key].description)
        if spelled and key != "data.path" and loaded.was_set(key):
            why = f"as asked for: {loaded.origins[key]}"
        if key == "data.path":
            why = "relative to this file" if not os.path.isabs(str(values[key])) else ""  # noqa: PTH117
        yield Entry(key, values[key], text if spelled else default, spelled, visible(why))


def _reasons(plan: Plan, warnings: Sequence[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Why a key has its value, by key, from the lines of the account; and the lines that belong to none."""
    about_file = f"{plan.table.source.path}: "
    reasons: dict[str, str] = {}
    free = [visible(line.removeprefix(about_file)) for line in plan.account[:1]]
    for line in plan.account[1:]:
        word, colon, text = line.partition(": ")
        key = _CALLED.get(word, word)
        if colon and (key in KEYS or key == "split"):
            reasons[key] = _reason(key, text, plan)
        elif (last := _LAST_KEY.search(line)) and last[1] in KEYS:
            reasons[last[1]] = line[: last.start()]
        else:
            free.append(visible(line.removesuffix(":")))
    for id, message in warnings:
        if id == "intervals.level" and not plan.shortfall:
            given_way = "method" if plan.config.forecast.intervals.method == "none" else "levels"
            reasons[f"forecast.intervals.{given_way}"] = message
    others = [name for name in plan.table.candidates if name != plan.config.data.target]
    if others and "data.target" in reasons:
        shown = ", ".join(others[:_MOST_OTHERS]) + (" …" if len(others) > _MOST_OTHERS else "")
        reasons["data.target"] += f"; other columns of numbers: {shown}"
    return reasons, free


def _reason(key: str, text: str, plan: Plan) -> str:
    """A line of the account without what the line of the key says itself: the value, and the key's name."""
    if key == "split":
        return f"rows: {text}"
    value = yaml_text(config_values(plan.config)[key])
    text = text.removeprefix(f"{value}, ").removeprefix(f"{value} steps, ")
    return _MENTION.sub("", text).removeprefix("because ")


def _short_lines(plan: Plan) -> list[str]:
    """The warning of a file too short for a network."""
    if plan.shortfall is None:
        return []
    short = plan.shortfall
    said = f"No network can be trained yet: {short.message} ({short.arithmetic}); {short.advice}."
    said += " Until then train gives the forecast of the best simple baseline."
    return ["#", *_wrapped(visible(said), "")]


def _section(section: str, entries: Sequence[Entry], notes: Sequence[str]) -> Iterator[str]:
    """The lines of one section; an inner one is opened where its first key stands."""
    yield f"{section}:"
    for note in notes:
        yield from _wrapped(note, "  ")
    opened = section
    for entry in entries:
        owner, _, name = entry.key.rpartition(".")
        indent = "  " * owner.count(".") + "  "
        if owner != opened and owner != section:  # the keys of an inner section may stand amid the others
            yield f"{indent[2:]}{owner.rpartition('.')[2]}:"
        opened = owner
        line = f"{indent}{'' if entry.spelled else '# '}{name}: {entry.text}"
        if entry.why and len(full := f"{line:<{_COLUMN}} # {entry.why}") <= WIDTH:
            line = full
        elif entry.why:
            yield from _wrapped(entry.why, indent)
        yield line


def _wrapped(text: str, indent: str) -> list[str]:
    """A comment of its own, on as many lines as it needs."""
    before = f"{indent}# "
    return textwrap.wrap(text, WIDTH, initial_indent=before, subsequent_indent=before, break_on_hyphens=False)
