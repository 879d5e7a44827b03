"""The places a value can come from: file, environment, ``--set``, flags, and a bare CSV."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from lstm_forecast.config.hints import section_hint
from lstm_forecast.config.kinds import is_country
from lstm_forecast.config.models import KEYS, SECTIONS
from lstm_forecast.config.suggestions import planned_name, suggest
from lstm_forecast.config.validation import Given
from lstm_forecast.config.wording import shown
from lstm_forecast.config.yaml_reader import (
    MAX_BYTES,
    ListNode,
    MappingNode,
    Node,
    Pair,
    Scalar,
    plain,
    read_value,
    read_yaml,
)
from lstm_forecast.errors import ConfigError, Problem, nearest

_PREFIX = "LSTM_FORECAST_"
_NOT_KEYS = {"LSTM_FORECAST_RUNS_DIR"}
_PATH_KEYS = ("data.path", "data.future_path", "data.holidays", "run.dir")
_OFF_BY_NULL = ("data.resample",)
_MOST_UNKNOWN = 25


@dataclass
class Source:
    """What one source gave, what was wrong with it, and the keys it named without a readable value."""

    given: dict[str, Given]
    problems: list[Problem]
    unreadable: tuple[str, ...] = ()


def from_file(path: Path) -> Source:
    """The keys of a YAML file; paths in it are relative to its folder."""
    try:
        data = file_bytes(path)
    except ConfigError as error:
        return Source({}, list(error.problems), unreadable=KEYS)
    # Not resolve(): that would follow the link of the file itself, away from the folder it is named in.
    return from_text(data, str(path), Path(os.path.abspath(path)).parent)  # noqa: PTH100


def from_text(data: bytes, where: str, folder: Path) -> Source:
    """The keys of a YAML text; ``where`` names it in messages, and its paths are relative to ``folder``."""
    source = Source({}, [])
    try:
        root = read_yaml(data, where)
    except ConfigError as error:
        return Source({}, list(error.problems), unreadable=KEYS)
    if not isinstance(root, MappingNode):
        return Source({}, [_not_a_mapping(root, where)], unreadable=KEYS)
    unknown: list[Problem] = []
    seen: dict[str, Pair] = {}
    for key, pair in _flattened(root, source.problems, where):
        place = f"{where}:{pair.line}:{pair.column}"
        if key in seen:
            message = f"{_short(key)} stands twice; the first is on line {seen[key].line}"
            source.problems.append(Problem("config.duplicate", message, place, "keep one of them"))
        elif key in KEYS:
            origin = f"{PurePath(where).name}:{pair.line}"
            source.given[key] = Given(absolute(key, plain(pair.value), folder), place, origin, pair.value)
        elif len(unknown) < _MOST_UNKNOWN:
            unknown.append(_unknown(key, place))
        seen.setdefault(key, pair)
    source.problems += unknown
    if more := len(seen.keys() - set(KEYS)) - len(unknown):
        source.problems.append(Problem("config.unknown_key", f"{more} more unknown keys", where))
    return source


def file_bytes(path: Path) -> bytes:
    """The start of a YAML file, one byte more than may be read at most.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        close = nearest(path.name, siblings)
        other = "a CSV alone trains too: lstm-forecast train FILE.csv"
        hint = f"did you mean {path.parent / close}?" if close else other
        raise ConfigError([Problem("config.not_found", "no such file", str(path), hint)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem("config.unreadable", f"cannot be read: {reason}", str(path))]) from error


def _not_a_mapping(root: Scalar | ListNode, where: str) -> Problem:
    hint = "begin with `data:` and, indented under it, `path: FILE.csv`"
    if isinstance(root, Scalar) and root.value is None and not root.quoted:
        return Problem("config.empty", "the file is empty", where, hint)
    got = "a list" if isinstance(root, ListNode) else shown(root.value)
    return Problem("config.not_mapping", f"expected sections with keys, got {got}", where, hint)


def _flattened(root: MappingNode, problems: list[Problem], where: str) -> list[tuple[str, Pair]]:
    """Every leaf under its dotted key; an unknown section is one leaf, so that it is reported once."""
    leaves: list[tuple[str, Pair]] = []
    sections: dict[str, Pair] = {}
    for key, pair in _below("", root):
        if key not in SECTIONS:
            leaves.append((key, pair))
            continue
        place = f"{where}:{pair.line}:{pair.column}"
        if key in sections:
            message = f"{key} stands twice; the first is on line {sections[key].line}"
            problems.append(Problem("config.duplicate", message, place, "move its keys under the first"))
        sections.setdefault(key, pair)
        if not isinstance(pair.value, MappingNode) and not _is_empty(key, pair.value):
            problems.append(_section_problem(key, pair.value, place))
    return leaves


def _below(prefix: str, node: MappingNode) -> Iterator[tuple[str, Pair]]:
    """Every key of a mapping under its dotted name, a section followed by the keys in it."""
    for pair in node.pairs:
        key = f"{prefix}{pair.key}"
        yield key, pair
        if key in SECTIONS and isinstance(pair.value, MappingNode):
            yield from _below(f"{key}.", pair.value)


def _is_empty(section: str, node: Node) -> bool:
    """Whether a section stands there without keys; a written null in an inner one may mean that it is off."""
    if not isinstance(node, Scalar) or node.value is not None:
        return False
    return "." not in section or not node.text or section in _OFF_BY_NULL


def _section_problem(section: str, node: Node, where: str) -> Problem:
    got = shown(plain(node))
    keys = [key for key in suggest(section).keys if key != section]
    hint = section_hint(section, node) or (
        f"did you mean {' or '.join(keys)}?" if keys else f"keys of {section}: {_keys_of(section)}"
    )
    return Problem("config.type", f"{section}: expected a section with keys, got {got}", where, hint)


def from_environment(environ: Mapping[str, str]) -> Source:
    """The keys in variables such as ``LSTM_FORECAST_TRAINING__EPOCHS``; the values are read as YAML."""
    source = Source({}, [])
    names = sorted(name for name in environ if name.startswith(_PREFIX) and name not in _NOT_KEYS)
    for name in names:
        key = name.removeprefix(_PREFIX).lower().replace("__", ".")
        if key not in KEYS:
            source.problems.append(_unknown(key, name, environ[name], in_environment=True))
            continue
        _add_text(source, key, environ[name], name, f"environment {name}")
    return source


def from_command_line(sets: Sequence[str], flags: Mapping[str, tuple[str, object]]) -> Source:
    """Flags and ``--set`` have one rank, so a key that is given twice has no winner and is refused."""
    source = from_values(flags)
    given_by = {key: spelling for key, (spelling, _) in flags.items()}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            message = f"expected KEY=VALUE, got {shown(text)}"
            source.problems.append(
                Problem("config.set", message, "--set", "for example --set training.epochs=5")
            )
        elif key in given_by:
            message = f"{key} is given twice, by {given_by[key]} and by --set"
            source.problems.append(Problem("config.duplicate", message, "--set", "keep one of them"))
        elif key in KEYS:
            given_by[key] = "--set"
            _add_text(source, key, value, "--set", "--set")
        else:
            source.problems.append(_unknown(key, "--set", value))
    return source


def _add_text(source: Source, key: str, text: str, where: str, origin: str) -> None:
    try:
        node = read_value(text, where)
    except ConfigError as error:
        source.problems += [
            replace(problem, message=f"{key}: {problem.message}") for problem in error.problems
        ]
        source.unreadable += (key,)
        return
    source.given[key] = Given(absolute(key, plain(node), Path.cwd()), where, origin, node)


def from_values(values: Mapping[str, tuple[str, object]]) -> Source:
    """Dotted key to (origin, Python value)."""
    source = Source({}, [])
    for key, (origin, value) in values.items():
        if key not in KEYS:
            source.problems.append(_unknown(key, origin))
            continue
        source.given[key] = Given(absolute(key, _as_read(value), Path.cwd()), origin, origin)
    return source


def _as_read(value: object) -> object:
    """A caller's value in the types that the YAML reader gives."""
    if isinstance(value, PurePath):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


def absolute(key: str, value: object, folder: Path) -> object:
    """The value, made an absolute path where the key is one; ``-``, ``scheme://`` and countries stay."""
    if key not in _PATH_KEYS or not isinstance(value, str) or not value:
        return value
    if value == "-" or "://" in value or (key == "data.holidays" and is_country(value)):
        return value
    return os.path.abspath(folder / value)  # noqa: PTH100 - resolve() would follow links, and the name is shown


def _unknown(key: str, where: str, text: str | None = None, *, in_environment: bool = False) -> Problem:
    if planned_name(key):
        return Problem("config.not_in_version", f"{_short(key)} is not in this version", where, "remove it")
    if key in SECTIONS:
        fitting = "" if text is None else _hint_of_text(key, text)
        hint = fitting or f"give one of its keys: {_keys_of(key)}"
        return Problem("config.unknown_key", f"{key} is a section, not a key", where, hint)
    found = suggest(key).keys
    if found:
        names = [_env_name(k) if in_environment else k for k in found]
        late = [
            f"{name} (not in this version)" if planned_name(k) else name
            for name, k in zip(names, found, strict=True)
        ]
        hint = f"did you mean {' or '.join(late)}?"
    else:
        section = key.rpartition(".")[0] if key.rpartition(".")[0] in SECTIONS else key.partition(".")[0]
        hint = (
            f"keys of {section}: {_keys_of(section)}"
            if section in SECTIONS
            else f"sections: {', '.join(name for name in SECTIONS if '.' not in name)}"
        )
    return Problem("config.unknown_key", f"unknown key {_short(key)}", where, hint)


def _hint_of_text(section: str, text: str) -> str:
    try:
        return section_hint(section, read_value(text, ""))
    except ConfigError:
        return ""


def _env_name(key: str) -> str:
    return _PREFIX + key.upper().replace(".", "__")


def _keys_of(section: str) -> str:
    return ", ".join(key.removeprefix(f"{section}.") for key in KEYS if key.startswith(f"{section}."))


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
