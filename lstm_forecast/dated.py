"""The dated forecast as rows, as CSV and as a JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.events import Events
from lstm_forecast.reporting.csv_text import csv_lines, digits, quoted
from lstm_forecast.spreadsheets import BOM, escaped, is_formula

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Origin:
    """What was known of one series when it was forecast; times as in a panel.

    Attributes:
        time: of its last row.
        value: its last value, which is the naive forecast of every step.
        trained: time of the last row of this series that the run was trained with.
    """

    time: int
    value: float
    trained: int


@dataclass(frozen=True)
class ForecastRow:
    """One dated forecast in original units.

    Attributes:
        time: in the input's form.
        moment: the same as a number.
        bounds: lower and upper bound by level in percent; None where the step was not calibrated.
        source: what made it: ``model``, or the name of a baseline.
        origin: what it continues.
    """

    series: str
    time: str
    moment: int
    step: int
    forecast: float
    bounds: tuple[tuple[float | None, float | None], ...]
    source: str
    origin: Origin


@dataclass(frozen=True)
class Interval:
    """What stands behind the bounds of one level.

    Attributes:
        level: percent.
        windows: calibration windows that the width of the first step rests on, of the series that has fewest.
        fewest: of the calibrated step that has fewest.
        coverage: share of the values of the test split that lay inside, over the steps of this forecast; None
            where there was no test split.
        tested: how many values that were.
    """

    level: float
    windows: int
    fewest: int
    coverage: float | None
    tested: int

    @property
    def windows_text(self) -> str:
        """The number of windows, or from the fewest of a step to the most."""
        return f"{self.windows:,}" if self.fewest == self.windows else f"{self.fewest:,} to {self.windows:,}"

    @property
    def line(self) -> str:
        """The same in words."""
        behind = f"{self.level:g} %: from {self.windows_text} calibration windows"
        if self.coverage is None:
            return f"{behind}; not tested"
        return f"{behind}; held {100 * self.coverage:.1f} % of {self.tested:,} test values"


@dataclass(frozen=True)
class Forecast:
    """Dated rows, by series and step.

    Attributes:
        run: ``name@id``.
        runs_dir: folder of all runs.
        target: header of the column that is forecast.
        as_of: the newest time read, in the input's form.
        input: path of the rows read, or ``context``.
        sha256: hash of that file.
        series_name: the user's header of the id column.
        time_name: the user's header of the time column.
        rows: the forecast.
        intervals: what stands behind the bounds, in the order of the rows' bounds.
        gate: what validation decided, as ``metrics.json`` has it; None where ``evaluation.gate`` was none.
        engine: what computed the networks' answers, ``numpy`` or ``torch``: the work decides, and they agree
            but for rounding; None where no network forecast.
    """

    run: str
    runs_dir: Path
    target: str
    as_of: str
    input: str
    sha256: str
    series_name: str
    time_name: str
    rows: tuple[ForecastRow, ...]
    intervals: tuple[Interval, ...]
    gate: Mapping[str, Any] | None = None
    engine: str | None = None

    @property
    def bound_names(self) -> list[str]:
        """``lo_80, hi_80, …``: a column for each bound."""
        return [f"{end}_{interval.level:g}" for interval in self.intervals for end in ("lo", "hi")]

    @property
    def formulas(self) -> list[str]:
        """Names and times that a spreadsheet would run as formulas."""
        cells = [
            self.series_name,
            self.time_name,
            *(cell for row in self.rows for cell in (row.series, row.time)),
        ]
        return [cell for cell in dict.fromkeys(cells) if is_formula(cell)]

    def to_csv(self, *, excel: bool = False) -> str:
        """The rows under the user's own names of series and time.

        Args:
            excel: begins with a byte order mark, and no cell of text is run by a spreadsheet.
        """
        form = escaped if excel else str
        names = [
            form(self.series_name),
            form(self.time_name),
            "step",
            "forecast",
            *self.bound_names,
            "source",
        ]
        header = csv_lines([[name] for name in quoted(names)])
        known = [quoted([form(text) for text in texts]) for texts in self._texts]
        ends = np.array([row.bounds for row in self.rows], dtype=np.float64).reshape(
            len(self.rows), 2 * len(self.intervals)
        )
        cells = [
            *known,
            [str(row.step) for row in self.rows],
            digits(np.array([row.forecast for row in self.rows])),
            *(digits(end) for end in ends.T),
            [row.source for row in self.rows],
        ]
        return (BOM if excel else "") + header + csv_lines(cells)

    @property
    def _texts(self) -> tuple[list[str], list[str]]:
        """Names and times of the rows."""
        return [row.series for row in self.rows], [row.time for row in self.rows]

    def to_document(self, warnings: list[dict[str, str]]) -> dict[str, Any]:
        """The one JSON document of ``predict --json``."""
        rows = []
        for row in self.rows:
            ends = dict(zip(self.bound_names, (end for pair in row.bounds for end in pair), strict=True))
            first = {"series": row.series, "time": row.time, "step": row.step, "forecast": row.forecast}
            rows.append({**first, **ends, "source": row.source})
        return {
            "run": self.run,
            "as_of": self.as_of,
            "input": self.input,
            "rows": rows,
            "intervals": [asdict(interval) for interval in self.intervals],
            "gate": None if self.gate is None else dict(self.gate),
            "engine": self.engine,
            "warnings": warnings,
        }

    def to_json(self, warnings: list[dict[str, str]]) -> str:
        """The document as text."""
        return json.dumps(self.to_document(warnings), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def forecast_rows(
    series: Sequence[str],
    moments: NDArray[np.int64],
    times: Sequence[str],
    values: Floats,
    bounds: Sequence[tuple[Floats, Floats]],
    *,
    sources: Sequence[str],
    origins: Sequence[Origin],
) -> tuple[ForecastRow, ...]:
    """The rows of a forecast, by series and step.

    Args:
        series: S names.
        moments: time of each step, [S, H].
        times: the same in the input's form, S · H of them.
        values: [S, H].
        bounds: lower and upper of each level, [S, H] each; NaN where not calibrated.
        sources: what made each series' forecast.
        origins: what each continues.
    """
    steps = moments.shape[1]
    ends = [zip(_numbers(low), _numbers(high), strict=True) for low, high in bounds]
    columns = (
        _each(series, steps),
        times,
        moments.reshape(-1).tolist(),
        list(range(1, steps + 1)) * len(series),
        values.reshape(-1).tolist(),
        zip(*ends, strict=True) if ends else [()] * len(times),
        _each(sources, steps),
        _each(origins, steps),
    )
    return tuple(ForecastRow(*cells) for cells in zip(*columns, strict=True))


def _each(items: Sequence[Any], count: int) -> list[Any]:
    """Every item so many times."""
    return [item for item in items for _ in range(count)]


def _numbers(values: Floats) -> list[float | None]:
    """The values one behind the other, None for NaN."""
    return [None if math.isnan(value) else value for value in values.reshape(-1).tolist()]


def warn_of_formulas(forecast: Forecast, events: Events) -> None:
    """Says, for a CSV that is written as it is, that a spreadsheet would run some of its cells."""
    found = forecast.formulas
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        what = f"a spreadsheet would run {found[0]!r}{more} as a formula"
        events.warn("output.formula", f"{what}; --excel writes such cells as text")
