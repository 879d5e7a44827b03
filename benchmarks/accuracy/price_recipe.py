"""MAE of configs/stock.yaml over that of the naive forecast, on daily prices and on walks of a known law.

    .venv/bin/python benchmarks/accuracy/price_recipe.py
    .venv/bin/python benchmarks/accuracy/price_recipe.py --init keras
    .venv/bin/python benchmarks/accuracy/price_recipe.py --seeds 0 1 2 3 --set training.loss=mae

Prices: the adjusted closes of data/stocks.csv and four columns of data/stock.csv. Walks: 2,000 rows
whose differences are AR(1) with the coefficient phi in the name; "best" is the ratio of a forecaster
that knows phi.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn

from lstm_forecast import fitting, judging, load_config
from lstm_forecast.events import Events
from lstm_forecast.model import first_weights, reglstm

ROOT = Path(__file__).parents[2]
Series = tuple[str, list[str], list[float]]


def prices() -> Iterator[Series]:
    """Names, dates and values of the daily prices that ship with the project."""
    with (ROOT / "data" / "stocks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for symbol in sorted({row["Symbol"] for row in rows}):
        mine = [row for row in rows if row["Symbol"] == symbol]
        yield symbol, [row["Date"] for row in mine], [float(row["Adj Close"]) for row in mine]
    with (ROOT / "data" / "stock.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in ("Open", "High", "Low", "Close"):
        yield f"IBM {column}", [row["Date"] for row in rows], [float(row[column]) for row in rows]


def walks(dates: list[str]) -> Iterator[tuple[Series, float]]:
    """Random walks with AR(1) differences, and the ratio that knowing phi gives on the last tenth."""
    generator = np.random.default_rng(1)
    for phi in (0.0, 0.2, 0.7):
        for number in range(2):
            noise, steps = generator.normal(size=2000), np.zeros(2000)
            for row in range(1, 2000):
                steps[row] = phi * steps[row - 1] + noise[row]
            test, before = steps[-200:], steps[-201:-1]
            best = float(np.abs(test - phi * before).mean() / np.abs(test).mean())
            yield (f"walk {phi} #{number}", dates[:2000], (500 + np.cumsum(steps)).tolist()), best


def keras_rule(model: reglstm.RegLSTM, generator: torch.Generator) -> None:
    """Keras' first weights: Glorot input kernels, orthogonal recurrent kernels, forget bias 1."""
    with torch.no_grad():
        for layer, width in zip(model.layers, model.hidden_sizes, strict=True):
            for name, weight in layer.named_parameters():
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(weight, generator=generator)
                elif name.startswith("weight_hh"):
                    nn.init.orthogonal_(weight, generator=generator)
                else:
                    nn.init.zeros_(weight)
                if name.startswith("bias_ih"):
                    weight[width : 2 * width] = 1.0
        for parameter in model.head[-1].parameters():
            nn.init.zeros_(parameter)


def ratio(series: Series, folder: Path, seed: int, sets: list[str]) -> tuple[float, int]:
    """MAE over naive MAE on the test rows, and the chosen epoch."""
    name, dates, values = series
    path = folder / f"{name.replace(' ', '_').replace('#', '')}.csv"
    lines = [f"{date},{value!r}" for date, value in zip(dates, values, strict=True)]
    path.write_text("Date,Close\n" + "\n".join(lines) + "\n", encoding="utf-8")
    sets = [f"data.path={path}", f"training.seed={seed}", *sets]
    loaded = load_config(ROOT / "configs" / "stock.yaml", sets=sets, environ={})
    trained = judging.fit_and_test(fitting.plan_training(loaded, Events()), Events())
    metrics = trained.judged.verdict.metrics
    return metrics["model"]["mae"] / metrics["naive"]["mae"], trained.learned.courses[0].best_epoch


def main() -> None:
    """Prints one line per series and the extremes over the prices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--init", choices=["torch", "keras"], default="torch")
    parser.add_argument("--set", dest="sets", action="append", default=[])
    options = parser.parse_args()
    rule = keras_rule if options.init == "keras" else first_weights.initialise
    jobs: list[tuple[Series, float | None]] = [(series, None) for series in prices()]
    jobs += walks(jobs[-1][0][1])
    on_prices = []
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(first_weights, "initialise", rule):
        for series, best in jobs:
            found = [ratio(series, Path(folder), seed, options.sets) for seed in options.seeds]
            on_prices += [value for value, _ in found] if best is None else []
            texts = "  ".join(f"{value:.4f} (epoch {epoch})" for value, epoch in found)
            print(f"{series[0]:<12} {texts}" + ("" if best is None else f"  best {best:.4f}"), flush=True)
    print(f"prices: median {statistics.median(on_prices):.4f}, worst {max(on_prices):.4f}")


if __name__ == "__main__":
    main()
