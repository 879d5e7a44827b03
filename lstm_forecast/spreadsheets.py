"""Text that a spreadsheet would run as a formula, and the form in which it does not.

OWASP, "CSV injection": a cell that begins with one of these signs is run when the file is opened. A quote
before it makes it text. A cell that is a number as a whole stays as it is: -1.5 is no formula.
"""

from __future__ import annotations

import re

BOM = "\ufeff"  # tells a spreadsheet that the file is UTF-8
# The last four are the full-width forms, which some editions take for the plain ones.
_SIGNS = "=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"[{_SIGNS}].*", re.DOTALL)
_QUOTED = re.compile(rf"'+[{_SIGNS}].*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run this cell."""
    return _FORMULA.fullmatch(text) is not None and _NUMBER.fullmatch(text) is None


def escaped(text: str) -> str:
    """The cell with a quote before it where it needs one, or could be taken for one that has got it."""
    quoted = _QUOTED.fullmatch(text) is not None and is_formula(text.lstrip("'"))
    return f"'{text}" if quoted or is_formula(text) else text


def unescaped(text: str) -> str:
    """The inverse of :func:`escaped`."""
    return text[1:] if text.startswith("'") and is_formula(text.lstrip("'")) else text
