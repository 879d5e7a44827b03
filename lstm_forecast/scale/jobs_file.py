"""The jobs file: strict YAML in, one checked specification per job out, or every problem at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from lstm_forecast.config.kinds import Age, Levels, PathText, Steps
from lstm_forecast.config.models import SECTIONS
from lstm_forecast.config.models_data import RULES
from lstm_forecast.config.sources import file_bytes
from lstm_forecast.config.suggestions import suggest
from lstm_forecast.config.wording import shown
from lstm_forecast.config.yaml_reader import (
    ListNode,
    MappingNode,
    Node,
    Pair,
    Plain,
    Scalar,
    plain,
    read_yaml,
)
from lstm_forecast.errors import ConfigError, Problem, nearest

_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class PlotSpec(BaseModel):
    """A picture to draw."""

    model_config = RULES

    path: PathText
    kind: Literal["forecast", "test", "loss", "residuals", "error", "backtest", "gates", "track"] = "forecast"


class MaxAge(BaseModel):
    """Trained again when the run is older, in seconds."""

    model_config = RULES

    max_age: Age


class JobSpec(BaseModel):
    """The keys of a job, or of ``defaults``, as they are written; ``set`` is read apart."""

    model_config = RULES

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    config: PathText | None = None
    files: PathText | None = None
    horizon: Steps | None = None
    levels: Levels | None = None
    output: PathText | None = None
    excel: bool = False
    plot: PathText | PlotSpec | None = None
    retrain: Literal["never", "always", "if-changed"] | MaxAge = "if-changed"
    max_input_age: Age | None = None


JOB_KEYS = (*JobSpec.model_fields, "set")
DEFAULT_KEYS = tuple(key for key in JOB_KEYS if key not in ("name", "files"))
_EXPECTED = {
    "name": "text of at most 200 characters",
    "config": "path of a YAML configuration",
    "files": "path with wildcards such as prices/*.csv",
    "set": "mapping of configuration keys to values, such as {training.epochs: 5}",
    "horizon": "whole number from 1 to 100000",
    "levels": "list of 1 to 20 different percentages between 0 and 100, such as [80, 95]",
    "output": "path of a .csv or .json file",
    "excel": "true | false",
    "plot": "path of a .png, .svg or .pdf file, or {path: FILE, kind: forecast}",
    "retrain": "never | always | if-changed | {max_age: 7d}",
    "max_input_age": "duration such as 12h or 3d, from 1s to 36600d",
}


@dataclass(frozen=True)
class Spec:
    """One entry of ``jobs``, the defaults filled in.

    Attributes:
        fields: the keys.
        sets: configuration keys with their values.
        places: ``jobs.yaml:3:5`` of each key that was given, of ``set.KEY``, and of the entry under "".
    """

    fields: JobSpec
    sets: Mapping[str, object]
    places: Mapping[str, str]

    def place(self, key: str) -> str:
        """Where the key was given, else where the entry begins."""
        return self.places.get(key, self.places[""])


def is_jobs_file(path: Path) -> bool:
    """Whether a YAML file has jobs at its top; one that cannot be read has none."""
    try:
        root = read_yaml(file_bytes(path), str(path))
    except ConfigError:
        return False
    return isinstance(root, MappingNode) and any(pair.key == "jobs" for pair in root.pairs)


def read_specs(path: Path) -> tuple[list[Spec], list[Problem]]:
    """The entries of a jobs file that can be read, and what is wrong with the others.

    Raises:
        ConfigError: it is no jobs file at all.
    """
    where = str(path)
    root = read_yaml(file_bytes(path), where)
    problems: list[Problem] = []
    if not isinstance(root, MappingNode):
        raise ConfigError([Problem("jobs.form", "expected a list under jobs:", where, _FORM)])
    top = _once(root, where, problems)
    if "jobs" not in top and any(key in SECTIONS for key in top):
        hint = f"give it files: lstm-forecast batch {shlex.quote(where)} 'prices/*.csv'"
        raise ConfigError([Problem("jobs.form", "is a configuration and has no jobs", where, hint)])
    for key, pair in top.items():
        if key not in ("defaults", "jobs"):
            problems.append(_unknown_at_top(key, _place(where, pair)))
    if "jobs" not in top:
        raise ConfigError(problems or [Problem("jobs.form", "has no jobs", where, _FORM)])
    defaults = Spec(JobSpec(), {}, {"": where})
    if "defaults" in top:
        given = top["defaults"]
        defaults = _spec(given.value, _place(where, given), where, DEFAULT_KEYS, problems) or defaults
    entries = top["jobs"].value
    if not isinstance(entries, ListNode) or not entries.items:
        place = _place(where, top["jobs"])
        raise ConfigError([*problems, Problem("jobs.form", "jobs: expected a list of jobs", place, _FORM)])
    found = []
    for number, node in enumerate(entries.items, start=1):
        spec = _spec(node, _entry_place(node, where, number), where, JOB_KEYS, problems)
        if spec is not None:
            found.append(_with_defaults(spec, defaults))
    return found, problems


_FORM = "write `jobs:` and under it lines such as `- {name: aapl, config: stock.yaml, output: aapl.csv}`"


def filled(text: str, *, stem: str | None, name: str | None) -> str:
    """The text with ``{stem}`` and ``{name}`` filled in.

    Raises:
        ValueError: it has a placeholder that nothing fills; its text says which.
    """
    values = {"stem": stem, "name": name}

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            raise ValueError(match[0])
        return value

    return _PLACEHOLDER.sub(fill, text)


def _spec(
    node: Node, begins: str, where: str, allowed: Sequence[str], problems: list[Problem]
) -> Spec | None:
    """One mapping of job keys; None where it cannot be read, the reasons then stand in ``problems``."""
    if not isinstance(node, MappingNode):
        message = f"expected a mapping of keys, got {_shown(node)}"
        problems.append(Problem("jobs.form", message, begins, _FORM))
        return None
    before, values, nodes = len(problems), {}, {}
    places: dict[str, str] = {"": begins}
    sets: dict[str, object] = {}
    for key, pair in _once(node, where, problems).items():
        places[key] = _place(where, pair)
        if key not in allowed:
            problems.append(_unknown(key, places[key], allowed))
        elif key == "set":
            sets, set_places = _sets(pair, where, problems)
            places |= set_places
        else:
            nodes[key], values[key] = pair.value, _value(key, pair.value)
    try:
        fields = JobSpec.model_validate(values)
    except ValidationError as error:
        for key in dict.fromkeys(str(detail["loc"][0]) for detail in error.errors(include_url=False)):
            message = f"{key}: expected {_EXPECTED[key]}, got {_shown(nodes[key])}"
            problems.append(Problem("jobs.value", message, places[key]))
        return None
    return Spec(fields, sets, places) if len(problems) == before else None


def _sets(pair: Pair, where: str, problems: list[Problem]) -> tuple[dict[str, object], dict[str, str]]:
    """The values under ``set`` by configuration key, and their places."""
    if not isinstance(pair.value, MappingNode):
        message = f"set: expected {_EXPECTED['set']}, got {_shown(pair.value)}"
        problems.append(Problem("jobs.value", message, _place(where, pair)))
        return {}, {}
    pairs = _once(pair.value, where, problems)
    places = {f"set.{key}": _place(where, inner) for key, inner in pairs.items()}
    return {key: plain(inner.value) for key, inner in pairs.items()}, places


def _with_defaults(spec: Spec, defaults: Spec) -> Spec:
    """The entry with what only the defaults say; ``set`` is merged key by key."""
    given = {name: getattr(defaults.fields, name) for name in defaults.fields.model_fields_set}
    given |= {name: getattr(spec.fields, name) for name in spec.fields.model_fields_set}
    return replace(
        spec,
        fields=JobSpec.model_construct(**given),
        sets={**defaults.sets, **spec.sets},
        places={**defaults.places, **spec.places},
    )


def _once(node: MappingNode, where: str, problems: list[Problem]) -> dict[str, Pair]:
    """The pairs by key; a key that stands twice is a problem."""
    pairs: dict[str, Pair] = {}
    for pair in node.pairs:
        if pair.key in pairs:
            message = f"{_short(pair.key)} stands twice; the first is on line {pairs[pair.key].line}"
            problems.append(Problem("jobs.duplicate", message, _place(where, pair), "keep one of them"))
        pairs.setdefault(pair.key, pair)
    return pairs


def _value(key: str, node: Node) -> Any:
    """The Python value of a key; a name is what was written, so 600519 needs no quotes."""
    if isinstance(node, MappingNode):
        return {pair.key: plain(pair.value) for pair in node.pairs}
    if key == "name" and isinstance(node, Scalar) and node.value is not None:
        return node.text
    return plain(node)


def _shown(node: Node) -> str:
    return shown(Plain("a mapping") if isinstance(node, MappingNode) else plain(node))


def _unknown(key: str, place: str, allowed: Sequence[str]) -> Problem:
    if key in JOB_KEYS:
        return Problem("jobs.unknown_key", f"{key} cannot stand under defaults", place, "give it in each job")
    close, meant = nearest(key[:60], allowed), suggest(key[:200]).keys
    if close:
        hint = f"did you mean {close}?"
    elif meant:
        hint = f"configuration keys stand under set: set: {{{meant[0]}: …}}"
    else:
        hint = f"keys of a job: {', '.join(allowed)}"
    return Problem("jobs.unknown_key", f"unknown key {_short(key)}", place, hint)


def _unknown_at_top(key: str, place: str) -> Problem:
    close = nearest(key[:60], ("defaults", "jobs"))
    hint = f"did you mean {close}?" if close else "at the top stand defaults and jobs"
    return Problem("jobs.unknown_key", f"unknown key {_short(key)}", place, hint)


def _entry_place(node: Node, where: str, number: int) -> str:
    """Line and column of an entry's first key; the reader keeps no place for what has none."""
    if isinstance(node, MappingNode) and node.pairs:
        return _place(where, node.pairs[0])
    return f"{where}: entry {number} of jobs"


def _place(where: str, pair: Pair) -> str:
    return f"{where}:{pair.line}:{pair.column}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
