"""On how many horizons to choose the simple baseline: its error on the next one, over seasonal naive's.

    .venv/bin/python -m benchmarks.accuracy.fetch FOLDER
    .venv/bin/python -m benchmarks.accuracy.opponent FOLDER

The development set of ``small.py``, at most 700 rows each and 24 origins, one horizon apart. Of the rows
before an origin the last tenth is the test and the tenth before it validation, each one horizon at least, as
in a bare file. The baseline with the lowest error on validation, and on so many horizons before its end if
they are more, forecasts after the origin. It *gives way* to the seasonal naive forecast where that one is
better on validation. No network is trained. *hindsight*: over the best of the four at each origin.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.small import DEVELOPMENT, read
from lstm_forecast.data.panel import Panel
from lstm_forecast.forecasting.baselines import SIMPLE, baseline_forecasts

Floats = NDArray[np.float64]
HORIZONS = (0, 2, 3, 4, 5, 6, 8, 10, 15, 20, 1000)  # 0: validation alone; 1000: all rows
ROWS, ORIGINS, FEWEST, SHARE = 700, 24, 60, 0.1


def errors(values: Floats, season: int, horizon: int) -> dict[str, Floats]:
    """Mean absolute error of each baseline by the number of rows that it knows, [n + 1]; else NaN."""
    count = len(values)
    ends = np.array([0, count])
    panel = Panel(values[:, None], np.ones((count, 1), bool), np.arange(count), ends, ("y",), ("y",))
    rows = np.arange(count - horizon)
    made = baseline_forecasts(SIMPLE, panel, rows, rows * 0, horizon=horizon, season=season)
    actual = values[rows[:, None] + 1 + np.arange(horizon)]
    found = {name: np.full(count + 1, np.nan) for name in SIMPLE}
    for name in SIMPLE:
        found[name][rows + 1] = np.abs(made[name] - actual).mean(axis=1)
    return found


def chosen(found: Mapping[str, Floats], origin: int, horizon: int, least: int, *, gives_way: bool) -> str:
    """The best one before this origin, on validation and ``least`` horizons."""
    part = max(round(SHARE * origin), horizon)
    end = origin - part

    def best(names: Sequence[str], first: int) -> str:
        return min(names, key=lambda name: found[name][max(1, first) : end - horizon + 1].mean())

    name = best(SIMPLE, min(end - part, end - least * horizon))
    return best((name, "seasonal_naive"), end - part) if gives_way else name


def main() -> int:
    """Prints a table."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    rules = [(least, gives_way) for gives_way in (False, True) for least in HORIZONS]
    over: dict[tuple[int, bool], list[float]] = {rule: [] for rule in rules}
    hindsight: dict[tuple[int, bool], list[float]] = {rule: [] for rule in rules}
    for name, (season, horizon) in DEVELOPMENT.items():
        values = read(Path(sys.argv[1]), name)[2][-ROWS:]
        found = errors(values, season, horizon)
        origins = [len(values) - back * horizon for back in range(1, ORIGINS + 1)]
        origins = [origin for origin in origins if origin >= FEWEST]
        naive = np.mean([found["seasonal_naive"][origin] for origin in origins])
        best = np.mean([min(found[one][origin] for one in SIMPLE) for origin in origins])
        for rule in rules:
            names = [chosen(found, origin, horizon, rule[0], gives_way=rule[1]) for origin in origins]
            error = np.mean([found[one][origin] for one, origin in zip(names, origins, strict=True)])
            over[rule].append(float(error / naive))
            hindsight[rule].append(float(error / best))
    print("| horizons | gives way | over seasonal naive | worst series | hindsight |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for rule in rules:
        mean, late = (np.exp(np.mean(np.log(one[rule]))) for one in (over, hindsight))
        way = "yes" if rule[1] else "no"
        print(f"| {rule[0]} | {way} | {mean:.3f} | {max(over[rule]):.2f} | {late:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
