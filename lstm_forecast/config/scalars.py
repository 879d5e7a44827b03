"""What an unquoted YAML word means: null, a truth value, a number, text, or a form that surprises people."""

import re
from dataclasses import dataclass

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_OTHER_BASE = re.compile(r"([-+]?)0(x[0-9a-fA-F_]+|b[01_]+|o?[0-9_]+)")
_BASE_60 = re.compile(r"([-+]?)([0-9]+(?::[0-5]?[0-9])+)(?:\.[0-9_]*)?")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
# Python refuses to convert more than 4300 digits; no honest number of a configuration has 400.
_LONGEST_NUMBER = 400


@dataclass(frozen=True)
class Odd:
    """A word that YAML readers turn into something its writer hardly meant; no key accepts it unquoted."""

    text: str
    reading: str


def resolve(text: str) -> object:
    """None, bool, int, float, str or `Odd` for an unquoted word.

    Differs from YAML 1.1 where that is known to hurt: ``1e-3`` is a number, dates stay text, and
    ``010``, ``0x10``, ``1_000`` and ``12:30:00`` are `Odd` rather than silently another number.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return _number(text)


def _number(text: str) -> object:
    if not text.lstrip("+-")[:1].isdigit() and not text.lstrip("+-").startswith("."):
        return text
    looks_numeric = any(p.fullmatch(text) for p in (_INT, _FLOAT, _UNDERSCORES, _OTHER_BASE))
    if looks_numeric and len(text) > _LONGEST_NUMBER:
        return Odd(text, f"a number of {len(text)} characters")
    if _INT.fullmatch(text):
        return int(text)
    reading = _odd_reading(text)
    if reading is not None:
        return Odd(text, reading)
    return float(text) if _FLOAT.fullmatch(text) else text


def _odd_reading(text: str) -> str | None:
    if (found := _OTHER_BASE.fullmatch(text)) and any(c.isdigit() for c in found[2]):
        return _other_base(found[1], found[2].replace("_", ""))
    if (found := _BASE_60.fullmatch(text)) and len(text) <= _LONGEST_NUMBER:
        total = 0
        for part in found[2].split(":"):
            total = total * 60 + int(part)
        return f"{found[1].lstrip('+')}{total} (base 60)"
    if "_" in text and _UNDERSCORES.fullmatch(text):
        return text.replace("_", "")
    return None


def _other_base(sign: str, digits: str) -> str:
    sign = sign.lstrip("+")
    if digits.startswith("x"):
        return f"{sign}{int(digits[1:], 16)} (base 16)"
    if digits.startswith("b"):
        return f"{sign}{int(digits[1:], 2)} (base 2)"
    octal = digits.removeprefix("o")
    if set(octal) <= set("01234567"):
        return f"{sign}{int(octal, 8)} (base 8)"
    return "text, because of the leading 0"
