"""What reading a file brings to light beside its numbers: warnings and the kinds of a cell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """A warning: something was done or seen that may not be meant."""

    id: str
    message: str


@dataclass(frozen=True)
class LeftOut:
    """A series that cannot be used, left out: its name, rows and file, where its fault is, and what it is."""

    series: str
    rows: int  # 0 of a file that cannot be read
    file: str
    line: int  # 0 where the fault has no line
    reason: str


@dataclass(frozen=True)
class BadCell:
    """A cell that cannot be read: its row (0-based), its text, why."""

    row: int
    text: str
    reason: str


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def counted(count: int, noun: str) -> str:
    """``1 row is``, ``2,000 rows are``."""
    return plural(count, noun) + (" is" if count == 1 else " are")
