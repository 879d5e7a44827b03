"""Series that training would refuse, found and left out (``data.bad_series: skip``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from lstm_forecast import stages
from lstm_forecast.config import Config
from lstm_forecast.data.broken import part_of, without_series
from lstm_forecast.data.calendars import Frequency, infer_frequency
from lstm_forecast.data.panel import fill_missing
from lstm_forecast.data.table import Table
from lstm_forecast.data.transform import check_transform
from lstm_forecast.errors import DataInvalid

_OF_A_SERIES = ("data.missing", "data.gaps", "data.transform")  # errors that are a fault of its rows


def usable(config: Config, table: Table) -> tuple[Table, Frequency]:
    """The table and its rhythm; with ``data.bad_series: skip`` without the series that cannot be used.

    Where the rhythm of all rows is broken by some series, it is that which most series have by themselves.

    Raises:
        DataInvalid: no series is left; the error of the first.
    """
    frequency = stages.frequency_of(config, table)
    if config.data.bad_series == "error":
        return table, frequency
    faults = _faults(config, table, frequency)
    rhythm = _usual_rhythm(table) if faults and config.data.frequency is None else None
    if rhythm is not None and len(others := _faults(config, table, rhythm)) < len(faults):
        frequency, faults = rhythm, others
    kept = _without(config, table, faults)
    if faults:  # as if they had never been there, where the others alone have a rhythm
        rhythm = stages.frequency_of(config, kept)
        frequency = frequency if _faults(config, kept, rhythm) else rhythm
    return kept, frequency


@contextmanager
def naming_skip(config: Config, table: Table) -> Iterator[None]:
    """Errors about the rows of one of several series say how to go on without it."""
    try:
        yield
    except DataInvalid as error:
        if error.id in _OF_A_SERIES and config.data.bad_series == "error" and len(table.series_ids) > 1:
            error.hint += "; or go on without such series: data.bad_series: skip"
        raise


def usable_at(config: Config, table: Table, frequency: Frequency) -> Table:
    """The same for a table whose rhythm is known.

    Raises:
        DataInvalid: no series is left; the error of the first.
    """
    skip = config.data.bad_series == "skip"
    return _without(config, table, _faults(config, table, frequency)) if skip else table


def _without(config: Config, table: Table, faults: Mapping[int, DataInvalid]) -> Table:
    """The table without these series, unless that are all."""
    if len(faults) == len(table.series_ids):
        first = faults[0]
        if len(faults) > 1:
            first.details = (*first.details, "no other series could be used either (data.bad_series: skip)")
        raise first
    kept = without_series(table, faults)
    if config.data.strict and kept.left_out:
        message = kept.notices[-1].message
        raise DataInvalid(
            "data.bad_series",
            message,
            where=table.source.path,
            hint="correct the file, or set data.strict: false",
        )
    return kept


def _faults(config: Config, table: Table, frequency: Frequency) -> dict[int, DataInvalid]:
    """The series that would be refused if each stood alone, and why; found by halves, for few mostly are."""
    found: dict[int, DataInvalid] = {}
    waiting = [(0, len(table.series_ids))]
    while waiting:
        first, stop = waiting.pop()
        fault = _fault(config, part_of(table, first, stop), frequency)
        if fault is not None and stop - first == 1:
            found[first] = fault
        elif fault is not None:
            middle = (first + stop) // 2
            waiting += [(middle, stop), (first, middle)]
    return found


def _fault(config: Config, table: Table, frequency: Frequency) -> DataInvalid | None:
    """What training would refuse these rows for."""
    try:
        panel, _ = stages.clean_panel(config, table, frequency)
        if config.data.missing == "error":
            fill_missing(panel, "error", train_end=panel.offsets[:-1])
        check_transform(panel, config.data.transform, where=table.file_of(0))
    except DataInvalid as error:
        return error
    return None


def _usual_rhythm(table: Table) -> Frequency | None:
    """The rhythm that most series have by themselves; None where none has one."""
    borders = np.searchsorted(table.series, np.arange(1, len(table.series_ids)))
    alike = Counter(times.tobytes() for times in np.split(table.times, borders) if len(times) > 1)
    rhythms: Counter[Frequency] = Counter()
    for times, count in alike.items():
        found = infer_frequency([np.frombuffer(times, dtype=np.int64)])
        rhythms.update({found: count} if found.regular else {})
    return rhythms.most_common(1)[0][0] if rhythms else None
