"""Small made series in which one covariate decides: nobody who does not know it can forecast them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.training.jobs import days, write_csv

Floats = NDArray[np.float64]
ROWS = 320
SPIKE = 50.0


def promotions(count: int, *, seed: int = 3) -> Floats:
    """Days with a promotion, one in five, at random: 0 or 1."""
    return (np.random.default_rng(seed).random(count) < 0.2).astype(np.float64)


def promoted(folder: Path, *, rows: int = ROWS, ahead: int = 0) -> Path:
    """Sales that jump on days of promotion and no others; ``ahead`` rows without sales follow."""
    promo = promotions(rows + ahead)
    sales = 100 + SPIKE * promo + np.random.default_rng(4).normal(size=rows + ahead)
    sales[rows:] = np.nan
    return write_csv(folder / "promoted.csv", {"date": days(rows + ahead), "sales": sales, "promo": promo})


def led(folder: Path) -> Path:
    """Orders of noise, and deliveries that are those of two days before."""
    orders = np.random.default_rng(5).normal(size=ROWS + 2)
    deliveries = 100 + 10 * orders[:-2] + 0.5 * np.random.default_rng(6).normal(size=ROWS)
    return write_csv(
        folder / "led.csv", {"date": days(ROWS), "deliveries": deliveries, "orders": orders[2:] * 7}
    )


def two_kinds(folder: Path) -> Path:
    """A street shop's day resembles the day before, a mall's is its mirror image; one day does not tell."""
    names, kinds, values = [], [], []
    for number, (kind, share) in enumerate([("street", 0.95), ("mall", -0.95)] * 2):
        own = np.random.default_rng(number).normal(size=160)
        for n in range(1, len(own)):
            own[n] += share * own[n - 1]
        values += own.tolist()
        names += [f"shop {number}"] * len(own)
        kinds += [kind] * len(own)
    columns = {"date": days(160) * 4, "shop": names, "kind": kinds, "value": np.array(values)}
    return write_csv(folder / "kinds.csv", columns)


def holidays(count: int) -> list[str]:
    """Days off, one in six, at random."""
    off = np.random.default_rng(8).random(count) < 1 / 6
    return [day for day, yes in zip(days(count), off, strict=True) if yes]


def closed_on_holidays(folder: Path) -> Path:
    """Visitors that stay away on days off, which stand in ``off.txt``."""
    every = days(ROWS)
    off = set(holidays(ROWS + 60))
    (folder / "off.txt").write_text("\n".join(sorted(off)) + "\n")
    visitors = np.array([0.0 if day in off else SPIKE for day in every])
    visitors += 100 + np.random.default_rng(9).normal(size=ROWS)
    return write_csv(folder / "visitors.csv", {"date": every, "visitors": visitors})


def sundays(folder: Path) -> Path:
    """Visitors that come on Sundays, to a network that sees three days."""
    every = days(ROWS)
    come = np.array([SPIKE * (date.fromisoformat(day).weekday() == 6) for day in every])
    visitors = 100 + come + np.random.default_rng(10).normal(size=ROWS)
    return write_csv(folder / "sundays.csv", {"date": every, "visitors": visitors})


@dataclass(frozen=True)
class Decisive:
    """A series, the keys of a fair network, and those that tell it what decides."""

    make: Callable[[Path], Path]
    keys: dict[str, str]
    told: dict[str, str]


LEVEL = {"model.normalize": "none", "model.anchor": "none"}
FAIR = {"training.epochs": "16", "training.lr": "0.03", "model.hidden_size": "8", "model.dropout": "0"}
DECISIVE = {
    "future": Decisive(promoted, {"data.target": "sales"}, {"data.future_covariates": "[promo]"}),
    "past": Decisive(led, {"data.target": "deliveries", **LEVEL}, {"data.past_covariates": "[orders]"}),
    "static": Decisive(
        two_kinds,
        {
            "data.target": "value",
            "data.series_id": "shop",
            "window.lookback": "1",
            "window.horizon": "1",
            "forecast.minimum": "null",
            **LEVEL,
        },
        {"data.static_covariates": "[kind]"},
    ),
    "holidays": Decisive(closed_on_holidays, {}, {"data.holidays": "off.txt"}),
    "day of week": Decisive(sundays, {"window.lookback": "3"}, {"data.calendar_features": "[dayofweek]"}),
}
