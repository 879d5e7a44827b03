"""Results as text for a person and as documents for a program."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_forecast.data.findings import plural
from lstm_forecast.errors import visible

if TYPE_CHECKING:
    from lstm_forecast.dated import Forecast
    from lstm_forecast.evaluation.verdict import Verdict
    from lstm_forecast.fitting import Plan
    from lstm_forecast.trainings import TrainResult

MOST_ROWS = 40  # of a forecast on a terminal


SHOWN = ("mae", "rmse", "smape", "mase")  # metrics of the table on screen; the others are in the documents
METRIC_NAMES = {"mae": "MAE", "rmse": "RMSE", "smape": "sMAPE %", "mase": "MASE"}


def train_text(result: TrainResult, runs_dir: Path | None) -> str:
    """Verdict, metrics, and what to type next; with the --runs-dir that was given."""
    from lstm_forecast.documents import intervals_document

    test = result.test
    lines = []
    if result.verdict.metrics:
        lines.append(
            f"Test: {plural(test['windows'], 'window')}, forecast from {test['from']} to {test['to']}"
        )
        lines += table(metric_rows(result.verdict))
    lines += interval_lines(intervals_document(result.judged.test, result.judged.bounds))
    lines.append(f"Verdict: {result.verdict.sentence}")
    lines += [f"Gate: {gate.sentence}"] if (gate := result.judged.gate) else []
    lines += contest_lines(result)
    if result.refitted:
        lines.append("Forecast: by the network trained again on all rows, the test rows included.")
    path = os.path.relpath(result.run.path)
    lines.append(
        f"Run: {result.run.handle} in {path if len(path) < len(str(result.run.path)) else result.run.path}"
    )
    where = f" --runs-dir {quoted(str(runs_dir))}" if runs_dir is not None else ""
    if result.current:
        lines.append(f"Next: lstm-forecast predict {quoted(result.run.name)}{where}")
    return "\n".join(lines) + "\n"


def contest_lines(result: TrainResult) -> list[str]:
    """The run's error beside that of the run that was current, where they were compared."""
    if result.contest is None or result.contest.why_not:
        return []
    from lstm_forecast.champions import error_text

    outcome = "made current" if result.current else "not made current"
    return [f"Error over the MASE scale: {error_text(result.contest)}: {outcome}"]


def interval_lines(document: Mapping[str, Any]) -> list[str]:
    """How often the test values lay inside the intervals, in one line."""
    parts = [
        f"{level['level']:g} % held {100 * level['coverage']:.1f} %"
        for level in document["levels"]
        if level["coverage"] is not None
    ]
    return [f"Intervals: {', '.join(parts)} of the test values"] if parts else []


def train_document(result: TrainResult) -> dict[str, Any]:
    """The JSON document of ``train``."""
    from lstm_forecast.documents import intervals_document, verdict_document

    return {
        "run": result.run.handle,
        "path": str(result.run.path),
        "current": result.current,
        **verdict_document(result.verdict),
        "test": dict(result.test),
        "intervals": intervals_document(result.judged.test, result.judged.bounds),
        "gate": result.judged.gate.to_document() if result.judged.gate else None,
        "refitted": result.refitted,
        "from": result.start,
        "champion": result.contest.to_document(promoted=result.current) if result.contest else None,
        "trained": True,
        "elapsed_s": round(result.elapsed_s, 3),
    }


def plan_document(plan: Plan, folder: Path) -> dict[str, Any]:
    """The JSON document of a dry run of ``train`` into ``folder``."""
    prepared = plan.prepared
    return {
        "dry_run": True,
        "name": folder.name,
        "path": str(folder),
        "from": plan.start.run if plan.start else None,
        "windows": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "test": len(prepared.test),
        },
    }


def plan_text(plan: Plan, folder: Path) -> str:
    """What a dry run of ``train`` into ``folder`` found."""
    if plan.shortfall:
        return f"Would train no network: {plan.shortfall.message}; {folder} would get a baseline's forecast\n"
    window, start = plan.config.window, f", from {plan.start.run}" if plan.start else ""
    return (
        f"Would train {quoted(folder.name)}{start} on {plural(len(plan.prepared.train), 'window')} of"
        f" {plural(window.lookback, 'step')}, {window.horizon} ahead,"
        f" at most {plural(plan.config.training.epochs, 'epoch')}, into {folder}\n"
    )


def forecast_text(forecast: Forecast) -> str:
    """The forecast as a table for a terminal, and what stands behind its bounds."""
    several = len({row.series for row in forecast.rows}) > 1
    names = [forecast.time_name, "step", "forecast", *forecast.bound_names, "source"]
    header = [*([forecast.series_name] if several else []), *names]
    shown = forecast.rows[:MOST_ROWS]
    rows = [
        [
            *([row.series] if several else []),
            row.time,
            str(row.step),
            number(row.forecast),
            *(number(end) for pair in row.bounds for end in pair),
            row.source,
        ]
        for row in shown
    ]
    lines = table([header, *rows])
    if len(forecast.rows) > len(shown):
        lines.append(f"… {plural(len(forecast.rows) - len(shown), 'more row')}: --output FILE.csv writes all")
    lines += [interval.line for interval in forecast.intervals]
    return "\n".join(lines) + "\n"


def metric_rows(verdict: Verdict) -> list[list[str]]:
    """Model and baselines by metric, and the model's error over that of the baseline it is compared with."""
    metrics, baseline = verdict.metrics, verdict.baseline
    rows = [["", *(METRIC_NAMES[name] for name in SHOWN)]]
    for model, row in metrics.items():
        rows.append([model.replace("_", " "), *(number(row[name]) for name in SHOWN)])
    ratios = []
    for name in SHOWN:
        ours, theirs = metrics["model"][name], metrics[baseline][name]
        ratios.append(f"{ours / theirs:.4f}" if theirs and math.isfinite(ours / theirs) else "-")
    return [*rows, [f"model / {baseline.replace('_', ' ')}", *ratios]]


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


def number(value: float | None) -> str:
    """Six significant digits, thousands apart where that reads well; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    if 1e3 <= abs(value) < 1e9:
        return f"{value:,.2f}"
    return f"{value:.6g}"


def quoted(name: str) -> str:
    """A name as a shell takes it."""
    import shlex

    return shlex.quote(name)
