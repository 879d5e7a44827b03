"""Forecasts of several jobs as one table, and the way of a forecast from a job's process to the batch's."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lstm_forecast.dated import Forecast, ForecastRow, Interval, Origin
from lstm_forecast.spreadsheets import BOM, escaped


def packed(forecast: Forecast) -> dict[str, Any]:
    """The forecast as plain JSON, every number exact."""
    return {**asdict(forecast), "runs_dir": str(forecast.runs_dir)}


def unpacked(document: Mapping[str, Any]) -> Forecast:
    """The forecast back from :func:`packed`."""
    rows = [
        ForecastRow(**{**row, "bounds": tuple(map(tuple, row["bounds"])), "origin": Origin(**row["origin"])})
        for row in document["rows"]
    ]
    behind = [Interval(**interval) for interval in document["intervals"]]
    fields = {"runs_dir": Path(document["runs_dir"]), "rows": tuple(rows), "intervals": tuple(behind)}
    return Forecast(**{**document, **fields})


def combined_csv(forecasts: Mapping[str, Forecast], *, excel: bool = False) -> str:
    """One table: the job's name, then the columns of ``predict``; ``excel`` as for one forecast.

    Where jobs differ in a column, it stands in the place of its first job and is empty in the others.
    """
    form = escaped if excel else str
    texts = {form(name): one.to_csv(excel=excel).removeprefix(BOM) for name, one in forecasts.items()}
    tables = {name: list(csv.reader(io.StringIO(text))) for name, text in texts.items()}
    columns = list(dict.fromkeys(column for rows in tables.values() for column in rows[0]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", *columns])
    for name, (header, *rows) in tables.items():
        places = [header.index(column) if column in header else None for column in columns]
        for row in rows:
            writer.writerow([name, *("" if place is None else row[place] for place in places)])
    return (BOM if excel else "") + text.getvalue()
