"""Secrets taken out of what is kept or shown: values whose name says so, and the user part of addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

REDACTED = "[redacted]"
_WORD = r"(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
_NAME = re.compile(_WORD, re.IGNORECASE)
# name=value, also where name or value is quoted; a value without quotes ends at the next blank. Names are
# bounded: without a bound, the time for a name of 10,000 characters grows with their square.
_PAIR = re.compile(
    rf"""({_WORD}[\w.\-]{{0,60}}["']?\s{{0,5}}=\s{{0,5}})("[^"]*"|'[^']*'|[^\s"']+)""", re.IGNORECASE
)
_ASSIGNED = re.compile(rf"(.*?{_WORD}[^=]*=)(.+)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.\-]{0,30}://)[^/\s@]{1,500}@", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether the value of a key, option or variable of this name is nobody's business."""
    return _NAME.search(name) is not None


def redacted(text: str) -> str:
    """Text in which ``password=…`` and ``https://user:pass@host`` say ``[redacted]`` instead."""
    return _ADDRESS.sub(rf"\1{REDACTED}@", _PAIR.sub(rf"\1{REDACTED}", text))


def redacted_words(words: Sequence[str]) -> list[str]:
    """A command line without its secrets: also ``--token abc``, and values that hold blanks."""
    kept: list[str] = []
    follows = False
    for word in words:
        assigned = _ASSIGNED.fullmatch(word) if is_secret(word) else None
        if follows and not word.startswith("--"):
            kept.append(REDACTED)
        elif assigned is not None:
            kept.append(assigned[1] + REDACTED)
        else:
            kept.append(redacted(word))
        follows = word.startswith("-") and "=" not in word and is_secret(word)
    return kept
