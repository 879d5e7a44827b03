"""The dated forecast as rows, as CSV and as a JSON document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstm_forecast.events import Events
from lstm_forecast.spreadsheets import BOM, escaped, is_formula


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
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = [
            form(self.series_name),
            form(self.time_name),
            "step",
            "forecast",
            *self.bound_names,
            "source",
        ]
        writer.writerow(names)
        for row in self.rows:
            ends = ["" if end is None else repr(end) for pair in row.bounds for end in pair]
            cells = [form(row.series), form(row.time), row.step, repr(row.forecast), *ends, row.source]
            writer.writerow(cells)
        return (BOM if excel else "") + text.getvalue()

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


def warn_of_formulas(forecast: Forecast, events: Events) -> None:
    """Says, for a CSV that is written as it is, that a spreadsheet would run some of its cells."""
    found = forecast.formulas
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        what = f"a spreadsheet would run {found[0]!r}{more} as a formula"
        events.warn("output.formula", f"{what}; --excel writes such cells as text")
