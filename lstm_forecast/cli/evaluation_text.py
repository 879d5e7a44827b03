"""A backtest as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lstm_forecast.cli.rendering import interval_lines, metric_rows, number, table
from lstm_forecast.data.findings import plural

if TYPE_CHECKING:
    from lstm_forecast.pipeline import EvaluateResult

MOST_SERIES = 40  # shown of a panel


def evaluation_text(result: EvaluateResult, by: Literal["step", "series"] | None) -> str:
    """Origins, metrics, intervals and verdict; by step or series where asked; the audit's line."""
    document, verdict = result.document, result.evaluation.verdict
    test = document["test"]
    refits = document["refits"]
    again = f", trained again {'once' if refits == 1 else f'{refits} times'}" if refits else ""
    lines = [f"Backtest: {plural(test['origins'], 'origin')} from {test['from']} to {test['to']}{again}"]
    lines += table(metric_rows(verdict))
    if by == "step":
        lines += ["MAE by step:", *table(_by_step(document["by_step"]))]
    if by == "series":
        lines += _by_series(document.get("by_series", {}))
    lines += interval_lines(document["intervals"])
    if result.evaluation.held.issued is not None:
        rule = document["gate"]["issued"].replace("_", " ")
        lines.append(f"Gate: intervals are those of the {rule} forecast, which predict gives")
    lines.append(f"Verdict: {verdict.sentence}")
    if result.audit is not None:
        lines.append(result.audit.line)
    return "\n".join(lines) + "\n"


def _by_step(models: dict[str, Any]) -> list[list[str]]:
    steps = range(len(next(iter(models.values()))["mae"]))
    rows = [["step", *(name.replace("_", " ") for name in models)]]
    return rows + [
        [str(step + 1), *(number(found["mae"][step]) for found in models.values())] for step in steps
    ]


def _by_series(models: dict[str, Any]) -> list[str]:
    if not models:
        return ["MAE by series: one series, or more than 1,000; the rows of all are in the table"]
    names = list(next(iter(models.values())))
    rows = [["series", *(name.replace("_", " ") for name in models)]]
    rows += [
        [name, *(number(found[name]["mae"]) for found in models.values())] for name in names[:MOST_SERIES]
    ]
    more = [f"  … {len(names) - MOST_SERIES:,} more series"] if len(names) > MOST_SERIES else []
    return ["MAE by series:", *table(rows), *more]
