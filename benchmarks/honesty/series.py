"""The series whose law is known, and the prices that ship with the project, as CSV files.

Every generated series is a function of its seed and its number of rows alone. ε is standard normal noise.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Callable[[int, int], Floats]  # of seed and rows

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "configs" / "stock.yaml"
NETWORK = ["evaluation.gate=none"]  # what is measured is the network's, whatever validation says of it
FIRST_DAY = dt.date(1990, 1, 1)
START = 1000.0  # far above 0, so that no forecast meets its lowest value
SHIFT_AT = 0.9  # of the rows: the middle of a test part of a fifth


def random_walk(seed: int, rows: int) -> Floats:
    """y_t = y_{t-1} + ε_t: nothing to find."""
    return START + np.cumsum(np.random.default_rng(seed).normal(size=rows))


def ar1_level(seed: int, rows: int) -> Floats:
    """y_t = 1000 + a_t with a_t = 0.9 a_{t-1} + ε_t: the level comes back."""
    return START + _autoregression(np.random.default_rng(seed).normal(size=rows), 0.9)


def seasonal(seed: int, rows: int) -> Floats:
    """y_t = 1000 + 5 sin(2π t / 7) + ε_t: a week and noise."""
    noise = np.random.default_rng(seed).normal(size=rows)
    return START + 5 * np.sin(2 * np.pi * np.arange(rows) / 7) + noise


def garch_walk(seed: int, rows: int) -> Floats:
    """y_t = y_{t-1} + s_t ε_t with s_t² = 0.05 + 0.1 (s_{t-1} ε_{t-1})² + 0.85 s_{t-1}²: calm and wild times.

    GARCH(1, 1) (Bollerslev 1986, eq. 1 and 2) with a mean square of 1; its coefficients are an assumption,
    near those of daily prices.
    """
    noise, steps, square = np.random.default_rng(seed).normal(size=rows), np.zeros(rows), 1.0
    for row in range(rows):
        steps[row] = np.sqrt(square) * noise[row]
        square = 0.05 + 0.1 * steps[row] ** 2 + 0.85 * square
    return START + np.cumsum(steps)


def level_shift(seed: int, rows: int) -> Floats:
    """y_t = 1000 + ε_t, and 10 more from nine tenths of the rows on."""
    level = START + 10.0 * (np.arange(rows) >= int(SHIFT_AT * rows))
    return level + np.random.default_rng(seed).normal(size=rows)


def ar1_steps(seed: int, rows: int) -> Floats:
    """y_t = y_{t-1} + d_t with d_t = 0.7 d_{t-1} + ε_t: the last move tells the next one."""
    return START + np.cumsum(_autoregression(np.random.default_rng(seed).normal(size=rows), 0.7))


LAWS: Mapping[str, Law] = {
    "random walk": random_walk,
    "AR(1) level": ar1_level,
    "seasonal": seasonal,
    "GARCH walk": garch_walk,
    "level shift": level_shift,
}


def write_series(path: Path, values: Floats) -> Path:
    """A CSV of consecutive days with the columns that the price recipe reads."""
    days = (FIRST_DAY + dt.timedelta(days=row) for row in range(len(values)))
    lines = [f"{day},{value!r}" for day, value in zip(days, values.tolist(), strict=True)]
    path.write_text("Date,Close\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_prices(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each price series that ships with the project, those of a long file one by one."""
    yield "stock", ROOT / "data" / "stock.csv"
    yield "stock_zh", ROOT / "data" / "stock_zh.csv"
    with (ROOT / "data" / "stocks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for symbol in sorted({row["Symbol"] for row in rows}):
        lines = [f"{row['Date']},{row['Close']}" for row in rows if row["Symbol"] == symbol]
        path = folder / f"{symbol}.csv"
        path.write_text("Date,Close\n" + "\n".join(lines) + "\n", encoding="utf-8")
        yield f"stocks {symbol}", path


def _autoregression(noise: Floats, coefficient: float) -> Floats:
    """a_t = coefficient · a_{t-1} + noise_t, from 0."""
    values, last = np.zeros(len(noise)), 0.0
    for row, one in enumerate(noise.tolist()):
        last = coefficient * last + one
        values[row] = last
    return values
