"""Values under dotted keys in, a Config or a list of problems out, each with its source and its remedy."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lstm_forecast.config.hints import hint
from lstm_forecast.config.models import KEYS, SECTIONS, Config
from lstm_forecast.config.wording import expected, shown
from lstm_forecast.config.yaml_reader import Node
from lstm_forecast.errors import Problem

_TYPE_ERRORS = {
    "type",
    "int_type",
    "int_from_float",
    "float_type",
    "bool_type",
    "string_type",
    "string_unicode",
    "tuple_type",
}


@dataclass(frozen=True)
class Given:
    """A value that somebody gave: its place for messages, its origin, and its YAML if it had one."""

    value: object
    where: str
    origin: str
    node: Node | None = None


def validated(given: Mapping[str, Given], fallback_where: str) -> tuple[Config | None, list[Problem]]:
    """The configuration, or None and every problem of the given values.

    Args:
        given: dotted key to value; every key is one of KEYS.
        fallback_where: the place for a key that is missing altogether.
    """
    nested: dict[str, object] = {}
    sections = {"": nested}
    for section in SECTIONS:
        parent, _, name = section.rpartition(".")
        sections[section] = {}
        sections[parent][name] = sections[section]
    for key, item in given.items():
        section, _, name = key.rpartition(".")
        sections[section][name] = item.value
    try:
        return Config.model_validate(nested), []
    except ValidationError as error:
        return None, _problems(error, given, fallback_where)


def _problems(error: ValidationError, given: Mapping[str, Given], fallback_where: str) -> list[Problem]:
    by_key: defaultdict[str, list[ErrorDetails]] = defaultdict(list)
    for detail in error.errors(include_url=False):
        by_key[_dotted(detail["loc"])].append(detail)
    return [
        _problem(key, by_key[key], given.get(key), fallback_where)
        for key in KEYS
        if by_key.get(key) is not None
    ]


def _dotted(loc: tuple[int | str, ...]) -> str:
    """The key that a place in the models belongs to; after the key come the members of a union or list."""
    dotted = [".".join(str(part) for part in loc[:depth]) for depth in range(1, len(loc) + 1)]
    return next(key for key in dotted if key in KEYS)


def _problem(key: str, details: list[ErrorDetails], item: Given | None, fallback_where: str) -> Problem:
    if item is None:
        remedy = "write `path: FILE.csv` under `data:`, or give --set data.path=FILE.csv"
        return Problem("config.missing", f"{key} is missing", fallback_where, remedy)
    message = f"{key}: expected {expected(key)}, got {shown(item.value)}"
    return Problem(_id(details), message, item.where, hint(key, item.value, item.node))


def _id(details: list[ErrorDetails]) -> str:
    """The id of one key's faults; a union reports one fault per member, the most telling one names it."""
    kinds = {"config.type"}
    for detail in details:
        if detail["type"] in {"literal_error", "choice"}:
            kinds.add("config.choice" if isinstance(detail["input"], str) else "config.type")
        elif detail["type"] not in _TYPE_ERRORS and not _counts_only_good_items(detail):
            kinds.add("config.range")
    return next(kind for kind in ("config.range", "config.choice", "config.type") if kind in kinds)


def _counts_only_good_items(detail: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items, of another type, were not counted."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]
