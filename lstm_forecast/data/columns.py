"""Which column is what: the named roles checked, the others found by their headers and first cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstm_forecast.data.dates import given_pattern
from lstm_forecast.data.guess import guess_spelling, is_clock, is_date_like, majority_guess
from lstm_forecast.data.header import Header
from lstm_forecast.data.names import CLOCK, SERIES, TARGET, TIME_CERTAIN, TIME_POSSIBLE, simplified
from lstm_forecast.data.spelling import read_cells
from lstm_forecast.data.values import GAPS, is_number_like
from lstm_forecast.errors import DataInvalid, SeveralTargets, nearest


@dataclass(frozen=True)
class Named:
    """The roles as the user named them; None and empty where they are to be found."""

    time: str | None
    target: str | tuple[str, ...] | None
    series_id: str | None
    past_covariates: tuple[str, ...]
    date_format: str | None = None
    future_covariates: tuple[str, ...] = ()
    static_covariates: tuple[str, ...] = ()
    without_target: bool = False


@dataclass(frozen=True)
class Roles:
    """Column numbers (from 0) of every role."""

    time: tuple[int, ...]  # two where a date and a clock stand apart; none: row numbers
    target: tuple[int, ...]
    covariates: tuple[int, ...]  # past, then future ones
    series_id: int | None  # named
    series_guesses: tuple[int, ...]  # might tell series apart; the rows decide
    numeric: tuple[int, ...]  # columns of numbers and no-trade marks, ids and parts of dates apart
    text: tuple[int, ...]  # columns of repeated text
    said: tuple[str, ...]
    given: tuple[int, ...] = ()  # future and static covariates: a day without trade has them all the same
    static: tuple[int, ...] = ()

    @property
    def values(self) -> tuple[int, ...]:
        """The columns that become numbers: targets, then covariates."""
        return self.target + self.covariates


def find_roles(header: Header, named: Named, *, name: str) -> Roles:
    """The role of each column.

    Raises:
        DataInvalid: ``data.column`` for a name that is not there or named twice, ``data.target`` where none
            can be chosen, ``data.time`` for a date column whose cells are no dates.
    """
    columns = _Columns(header, name, named.date_format)
    past = tuple(columns.find(c, "data.past_covariates") for c in named.past_covariates)
    future = tuple(columns.find(c, "data.future_covariates") for c in named.future_covariates)
    static = tuple(columns.find(c, "data.static_covariates") for c in named.static_covariates)
    covariates = (*past, *future, *static)
    series_id = columns.find(named.series_id, "data.series_id") if named.series_id is not None else None
    time, time_said = _find_time(columns, named.time)
    guesses = () if series_id is not None else columns.ranked(SERIES)
    guesses = tuple(c for c in guesses if c not in (*time, *covariates) and columns.could_be_ids(c))
    aside = (*time, series_id, *columns.ranked(SERIES), *columns.ranked(TIME_CERTAIN + TIME_POSSIBLE))
    numeric = tuple(c for c in range(columns.width) if c not in aside and columns.is_numeric(c))
    target, target_said = (
        ((), ()) if named.without_target else _find_target(columns, named.target, numeric, taken=covariates)
    )
    named_columns = [*time, *([series_id] if series_id is not None else []), *target, *covariates]
    _require_distinct(named_columns, columns)
    guesses = tuple(c for c in guesses if c not in target)
    time_said, target_said = (
        time_said or columns.named(time, "time"),
        target_said or (columns.named(target, "target") if target else ()),
    )
    text = tuple(c for c in range(columns.width) if c not in named_columns and columns.repeats(c))
    said = (*time_said, *target_said)
    values = (*past, *future)
    return Roles(
        time, target, values, series_id, guesses, numeric, text, said, given=(*future, *static), static=static
    )


class _Columns:
    """The header with the first cells of each column."""

    def __init__(self, header: Header, name: str, date_format: str | None) -> None:
        self.date_pattern = given_pattern(date_format) if date_format else None
        self.names = header.names
        self.tickers = header.tickers
        self.width = len(header.names)
        self.where = f"{name}:{header.line}" if header.line else name
        rows = [row for row in header.sample if len(row) == self.width]
        self.cells = [[row[column] for row in rows] for column in range(self.width)]

    def find(self, wanted: str, key: str) -> int:
        if wanted in self.names and wanted:
            return self.names.index(wanted)
        listed = [column for column in self.names if column]
        guess = nearest(wanted, listed)
        raise DataInvalid(
            "data.column",
            f"no column {wanted!r} ({key})",
            where=self.where,
            details=[f"columns: {', '.join(listed[:40])}" + (" …" if len(listed) > 40 else "")],
            hint=f"did you mean {guess!r}?" if guess else f"set {key} to one of these names",
        )

    def named(self, columns: Sequence[int], role: str) -> tuple[str, ...]:
        """The line that says a role was given, not found."""
        listed = ", ".join(repr(self.names[column]) for column in columns[:6])
        return (f"{role}: column {listed}" + (f" and {len(columns) - 6} more" if len(columns) > 6 else ""),)

    def ranked(self, aliases: Sequence[str]) -> tuple[int, ...]:
        """Columns whose header is an alias, best alias first."""
        found = [(aliases.index(s), c) for c, n in enumerate(self.names) if (s := simplified(n)) in aliases]
        return tuple(column for _, column in sorted(found))

    def filled(self, column: int) -> list[str]:
        return [cell for cell in self.cells[column] if cell not in GAPS]

    def is_numeric(self, column: int) -> bool:
        """Mostly numbers; an unnamed first column is an index, not a quantity."""
        filled = self.filled(column)
        header = self.names[column]
        if not filled or not header or header.startswith("Unnamed: "):
            return False
        return sum(is_number_like(cell) for cell in filled) >= 0.8 * len(filled)

    def is_time(self, column: int) -> bool:
        """Mostly dates or times, plain numbers such as 20240301 included."""
        filled = [cell for cell in self.cells[column] if cell]
        if self.date_pattern:
            return 2 * int(read_cells(filled, self.date_pattern).fits.sum()) > len(filled)
        guess = majority_guess(filled)
        if guess is None:
            return False
        if guess.kind != "date":
            return True
        return 2 * sum(guess_spelling(cell) is not None for cell in filled) >= len(filled)

    def is_real_date(self, column: int) -> bool:
        """Dates only, and none that could be a number."""
        filled = self.filled(column)
        if self.date_pattern:
            return bool(filled) and bool(read_cells(filled, self.date_pattern).fits.all())
        return bool(filled) and all(is_date_like(cell) for cell in filled)

    def repeats(self, column: int) -> bool:
        filled = self.filled(column)
        return len(set(filled)) < len(filled) and not self.is_numeric(column)

    def could_be_ids(self, column: int) -> bool:
        """Mostly filled, and not with decimal numbers."""
        filled = self.filled(column)
        decimals = sum("." in cell and is_number_like(cell) for cell in filled)
        return 2 * len(filled) > len(self.cells[column]) and 2 * decimals < len(filled)


def _find_time(columns: _Columns, named: str | None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if named is not None:
        return (columns.find(named, "data.time"),), ()
    for column in columns.ranked(TIME_CERTAIN + TIME_POSSIBLE):
        header = columns.names[column]
        if columns.is_time(column):
            clock = _clock_beside(columns, column)
            if clock is not None:
                said = f"time: columns {header!r} and {columns.names[clock]!r} together (data.time)"
                return (column, clock), (said,)
            return (column,), (f"time: column {header!r} (data.time)",)
        if simplified(header) in TIME_CERTAIN and not all(is_clock(cell) for cell in columns.filled(column)):
            _refuse_dates(columns, column)
    for column in range(columns.width):
        if columns.is_real_date(column):
            return (column,), (
                f"time: column {columns.names[column] or 'without a name'!r}, of dates (data.time)",
            )
    return (), ("no time column: rows are numbered 1, 2, … (data.time)",)


def _clock_beside(columns: _Columns, date: int) -> int | None:
    """The column with the time of day, where the dates of the other have none."""
    if any(":" in cell or len(cell) > 11 for cell in columns.cells[date]):
        return None
    for column in columns.ranked(CLOCK):
        filled = columns.filled(column)
        if column != date and filled and all(is_clock(cell) for cell in filled):
            return column
    return None


def _refuse_dates(columns: _Columns, column: int) -> None:
    filled = columns.filled(column)
    if not filled:
        return
    remedy = 'set data.date_format (for example "%d/%m/%Y"), or name another column: data.time'
    if all(cell.isdecimal() and len(cell) == 5 for cell in filled):
        remedy = "these are Excel's day numbers: format the column as a date there and save again"
    raise DataInvalid(
        "data.time",
        f"column {columns.names[column]!r}: {filled[0][:40]!r} is not a date or time that can be read",
        where=columns.where,
        hint=remedy,
    )


def _find_target(
    columns: _Columns, named: str | tuple[str, ...] | None, numeric: tuple[int, ...], taken: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if isinstance(named, tuple):
        return tuple(columns.find(target, "data.target") for target in named), ()
    if named is not None:
        _refuse_many_tickers(columns, named)
        return (columns.find(named, "data.target"),), ()
    _refuse_many_tickers(columns, None)
    for column in columns.ranked(TARGET):
        if column not in taken:
            return (column,), (f"target: column {columns.names[column]!r}, known by its name (--target)",)
    candidates = [column for column in numeric if column not in taken]
    if len(candidates) == 1:
        return (candidates[0],), (
            f"target: column {columns.names[candidates[0]]!r}, the only numbers (--target)",
        )
    listed = [columns.names[column] for column in candidates]
    if not listed:
        raise DataInvalid(
            "data.target",
            "no column of numbers",
            where=columns.where,
            details=[f"columns: {', '.join(filter(None, columns.names))}"],
            hint="check data.separator, data.decimal and data.header_row",
        )
    raise SeveralTargets(
        f"{len(listed)} columns could be the target",
        where=columns.where,
        candidates=listed,
        details=[f"candidates: {', '.join(listed[:40])}" + (" …" if len(listed) > 40 else "")],
        hint=f"choose one: --target '{listed[-1]}' (data.target)",
    )


def _refuse_many_tickers(columns: _Columns, named: str | None) -> None:
    if len(columns.tickers) < 2 or named in columns.names:
        return
    example = next((n for n in columns.names if n.startswith("Close ")), columns.names[1])
    raise SeveralTargets(
        f"a file of {len(columns.tickers)} tickers: {', '.join(columns.tickers[:8])}",
        where=columns.where,
        candidates=[name for name in columns.names[1:] if name],
        details=[f"columns: {', '.join(columns.names[1:41])}"],
        hint=f"choose one: --target '{example}' (data.target; a list makes one series of each)",
    )


def _require_distinct(used: list[int], columns: _Columns) -> None:
    for column in used:
        if used.count(column) > 1:
            raise DataInvalid(
                "data.column",
                f"column {columns.names[column]!r} has two roles",
                where=columns.where,
                hint="name it once among data.time, data.series_id, data.target and the covariates",
            )
