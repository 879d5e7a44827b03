"""Short ways to write a file and read it, for the tests of the reader."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lstm_forecast.data.reader import ReadOptions, Table, read_table

DEFAULT = ReadOptions()


def read(folder: Path, content: str | bytes, options: ReadOptions = DEFAULT, name: str = "x.csv") -> Table:
    """The table in a file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, options)


def moments(table: Table) -> list[str]:
    """The times as ISO texts, by the standard library."""
    return [
        datetime.fromtimestamp(t / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M:%S") for t in table.times.tolist()
    ]


def ids(table: Table) -> list[str]:
    """The ids of a table's notices."""
    return [notice.id for notice in table.notices]
