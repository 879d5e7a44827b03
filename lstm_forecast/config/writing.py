"""Single values as YAML text."""

import json
import re

from lstm_forecast.config.scalars import resolve

# Other readers take y and n for truth values, and a date for something that is not text.
_PLAIN = re.compile(r"(?!(?:[yn]|null|~)$)(?:[a-z/][\w./-]*|[0-9][a-z0-9]*)", re.ASCII | re.IGNORECASE)


def yaml_text(value: object) -> str:
    """One value as YAML on one line, in a form that every YAML reader reads alike."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    if isinstance(value, str):
        return value if _reads_as_itself(value) else _quoted(value)
    if isinstance(value, float):
        # Many YAML readers take 1e-05 for text, and 1.0e-05 for a number.
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}"
    return json.dumps(value)


def _reads_as_itself(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and resolve(text) == text


def _quoted(text: str) -> str:
    return f'"{"".join(_escaped(c) for c in text)}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
