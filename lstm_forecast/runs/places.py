"""The folder of all runs as a place: which names are locked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.runs.storage import holder, is_held


@dataclass(frozen=True)
class Lock:
    """The lock of a run name; ``by`` says who holds it as far as he wrote it down."""

    name: str
    held: bool | None
    by: str


def name_locks(runs_dir: Path) -> list[Lock]:
    """The lock of every name that was ever locked; ``held`` is None where the system cannot be asked."""
    folder = runs_dir / ".locks"
    if not folder.is_dir():
        return []
    locks = []
    for path in sorted(folder.glob("*.lock")):
        held = is_held(path)
        by = holder(path.with_name(f"{path.name}.json")) if held else ""
        locks.append(Lock(path.name.removesuffix(".lock"), held, by))
    return locks
