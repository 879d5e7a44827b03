"""The words for what a key accepts, read off the models, and for what it was given."""

import json
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lstm_forecast.config.kinds import Says
from lstm_forecast.config.models import SECTIONS, Config
from lstm_forecast.config.models_data import RULES
from lstm_forecast.config.scalars import Odd
from lstm_forecast.config.yaml_reader import Plain

_LONGEST_SHOWN = 80


def expected(key: str) -> str:
    """What the key accepts, for example ``whole number from 1 to 100000 | null``."""
    return _words(annotation(key))


def choices(key: str) -> tuple[str, ...]:
    """The words that the key accepts literally."""
    return tuple(
        word for part in _members(annotation(key)) if get_origin(part) is Literal for word in get_args(part)
    )


def kinds(key: str) -> set[type]:
    """The plain types that the key accepts, those inside lists included; literal words are not text here."""
    return {part for part in _members(annotation(key)) if isinstance(part, type)}


def _members(part: object) -> list[object]:
    origin = get_origin(part)
    if origin is Annotated:
        return _members(get_args(part)[0])
    if origin in (Union, UnionType, tuple):
        return [leaf for member in get_args(part) if member is not Ellipsis for leaf in _members(member)]
    return [part]


def annotation(key: str) -> object:
    """The annotation of a dotted key as it stands in the models, with its bounds."""
    section, _, name = key.rpartition(".")
    owner = SECTIONS[section] if section else Config
    hints: dict[str, object] = get_type_hints(owner, include_extras=True)
    return hints[name]


def fits(key: str, value: object) -> bool:
    """Whether the key accepts the value, which is as YAML gives it: lists are tuples."""
    adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, annotation(key)), config=RULES)
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def shown(value: object) -> str:
    """A value as it is shown in a message, the same for a file, a flag and the environment."""
    if isinstance(value, Odd):
        text = value.text
    elif isinstance(value, Plain):
        text = value.shown
    elif isinstance(value, tuple | list):
        text = f"[{', '.join(shown(item) for item in value[:10])}{', ...' if len(value) > 10 else ''}]"
    elif value is None or isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = _digits(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def _digits(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python prints no whole number of more than 4300 digits
        return "a number of thousands of digits"


def _words(part: object) -> str:
    if part is NoneType:
        return "null"
    origin = get_origin(part)
    if origin is Annotated:
        return _bounded(part)
    if origin in (Union, UnionType):
        return " | ".join(_words(member) for member in get_args(part))
    if origin is Literal:
        return " | ".join(str(word) for word in get_args(part))
    if origin is tuple:
        return f"list of {_words(get_args(part)[0])}"
    return {bool: "true | false", int: "whole number", float: "number", str: "text"}[part]  # type: ignore[index]


def _bounded(part: object) -> str:
    base, *marks = get_args(part)
    for mark in marks:
        if isinstance(mark, Says):
            return mark.words
    limits = [limit for mark in marks for limit in getattr(mark, "metadata", ())]
    fewest, most = _limit(limits, "min_length"), _limit(limits, "max_length")
    if get_origin(base) is tuple:
        count = f"{fewest} to {most}" if fewest else f"at most {most}"
        return f"list of {count} values ({_words(get_args(base)[0])})"
    if base is str:
        return f"text of at most {most} characters"
    return f"{_words(base)}{_range_words(limits)}"


def _range_words(limits: list[object]) -> str:
    at_least, above = _limit(limits, "ge"), _limit(limits, "gt")
    at_most, below = _limit(limits, "le"), _limit(limits, "lt")
    low = f" from {at_least}" if at_least is not None else f" above {above}"
    if at_most is None:
        return f"{low.replace('from', 'at least')} and below {below}"
    return f"{low} to {at_most}" if at_least is not None else f"{low} and at most {at_most}"


def _limit(limits: list[object], name: str) -> object:
    return next((getattr(limit, name) for limit in limits if hasattr(limit, name)), None)
