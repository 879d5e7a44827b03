"""Results as text for a person and as documents for a program."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_forecast.errors import visible

if TYPE_CHECKING:
    from lstm_forecast.fitting import Plan
    from lstm_forecast.pipeline import TrainResult
    from lstm_forecast.predicting import Forecast

MOST_ROWS = 40  # of a forecast on a terminal


def train_text(result: TrainResult, runs_dir: Path | None) -> str:
    """Verdict, metrics, and what to type next; with the --runs-dir that was given."""
    verdict, test = result.verdict, result.test
    lines = []
    if verdict.metrics:
        lines.append(f"Test: {test['windows']:,} windows, forecast from {test['from']} to {test['to']}")
        lines += table(_metric_rows(verdict.metrics))
    lines.append(f"Verdict: {verdict.sentence}")
    path = os.path.relpath(result.run.path)
    lines.append(
        f"Run: {result.run.handle} in {path if len(path) < len(str(result.run.path)) else result.run.path}"
    )
    where = f" --runs-dir {quoted(str(runs_dir))}" if runs_dir is not None else ""
    lines.append(f"Next: lstm-forecast predict {quoted(result.run.name)}{where}")
    return "\n".join(lines) + "\n"


def train_document(result: TrainResult) -> dict[str, Any]:
    """The JSON document of ``train``."""
    from lstm_forecast.recording import finite

    verdict = result.verdict
    return {
        "run": result.run.handle,
        "path": str(result.run.path),
        "current": result.current,
        "verdict": verdict.word,
        "skill": finite(verdict.skill),
        "baseline": verdict.baseline,
        "p_value": finite(verdict.p_value),
        "metrics": {
            name: {key: finite(value) for key, value in row.items()} for name, row in verdict.metrics.items()
        },
        "test": dict(result.test),
        "elapsed_s": round(result.elapsed_s, 3),
    }


def plan_document(plan: Plan, folder: Path) -> dict[str, Any]:
    """The JSON document of a dry run of ``train`` into ``folder``."""
    prepared = plan.prepared
    return {
        "dry_run": True,
        "name": folder.name,
        "path": str(folder),
        "windows": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "test": len(prepared.test),
        },
    }


def plan_text(plan: Plan, folder: Path) -> str:
    """What a dry run of ``train`` into ``folder`` found."""
    window = plan.config.window
    return (
        f"Would train {quoted(folder.name)} on {len(plan.prepared.train):,} windows of"
        f" {window.lookback} steps, {window.horizon} ahead,"
        f" at most {plan.config.training.epochs} epochs, into {folder}\n"
    )


def forecast_text(forecast: Forecast) -> str:
    """The forecast as a table for a terminal."""
    several = len({row.series for row in forecast.rows}) > 1
    header = [*([forecast.series_name] if several else []), forecast.time_name, "step", "forecast", "source"]
    shown = forecast.rows[:MOST_ROWS]
    rows = [
        [*([row.series] if several else []), row.time, str(row.step), number(row.forecast), row.source]
        for row in shown
    ]
    lines = table([header, *rows])
    if len(forecast.rows) > len(shown):
        lines.append(f"… {len(forecast.rows) - len(shown):,} more rows: --output FILE.csv writes them all")
    return "\n".join(lines) + "\n"


def _metric_rows(metrics: Any) -> list[list[str]]:
    names = list(next(iter(metrics.values())))
    rows = [["", *(name.upper() for name in names)]]
    rows += [[model, *(number(row[name]) for name in names)] for model, row in metrics.items()]
    ratios = [
        f"{metrics['model'][name] / metrics['naive'][name]:.4f}" if metrics["naive"][name] else "-"
        for name in names
    ]
    return [*rows, ["model / naive", *ratios]]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned first column, right-aligned others, two spaces between."""
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        others = [
            " " * (width - _width(cell)) + cell for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  " + "  ".join([first, *others]).rstrip())
    return lines


def _width(text: str) -> int:
    """Columns a text takes on a terminal: Chinese signs take two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def number(value: float) -> str:
    """Six significant digits, thousands apart where that reads well."""
    if 1e3 <= abs(value) < 1e9:
        return f"{value:,.2f}"
    return f"{value:.6g}"


def quoted(name: str) -> str:
    """A name as a shell takes it."""
    import shlex

    return shlex.quote(name)
