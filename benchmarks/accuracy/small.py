"""Small seasonal series: MASE of a bare CSV, against seasonal naive, AutoETS and AutoARIMA.

    .venv/bin/python -m benchmarks.accuracy.fetch FOLDER
    .venv/bin/python -m benchmarks.accuracy.small FOLDER         # the development set, to choose by
    .venv/bin/python -m benchmarks.accuracy.small FOLDER --only co2,ukgas --set window.lookback=24
    .venv/bin/python -m benchmarks.accuracy.small FOLDER --test  # airline, wineind, ausbeer: test values

    python3 -m venv peers && peers/bin/pip install statsforecast==2.1.1   # not with the program
    peers/bin/python -m benchmarks.accuracy.small FOLDER --peers --test           # and without --test

From each of three origins, one horizon apart, the rows before it are written to a file, which the program
trains on and forecasts from; the horizon is all it is told. MASE: the mean absolute error over the mean
absolute seasonal difference of the rows before the origin, mean of the three origins. What the peers reach
is kept in ``results/peers-small.json``, so that a rerun needs no peers; the table without ``--set`` in
``results/``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.program import RESULTS, ROOT, run, save_table

PEERS = RESULTS / "peers-small.json"
ORIGINS = 3
MUST = 1.05  # MASE over that of seasonal naive, on each series
TEST = {"airline": (12, 12), "wineind": (12, 12), "ausbeer": (4, 8)}  # season and horizon
DEVELOPMENT = {
    "nottem": (12, 12),
    "co2": (12, 12),
    "drivers": (12, 12),
    "accidents": (12, 12),
    "lungs": (12, 12),
    "elec_equip": (12, 12),
    "unemployment": (12, 12),
    "sunspots": (12, 12),
    "woolyrnq": (4, 8),
    "ukgas": (4, 8),
    "johnson": (4, 8),
    "lynx": (1, 6),
}
NAIVE, ETS, ARIMA = "seasonal naive", "AutoETS", "AutoARIMA"
HEAD = [
    "| series | rows | MASE | seasonal naive | AutoETS | AutoARIMA | over naive | issued | seconds |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
]
Floats = NDArray[np.float64]


@dataclass
class Measured:
    """One series: MASE of the program and of the others, one value per origin."""

    name: str
    rows: int
    mase: list[float] = field(default_factory=list)
    others: dict[str, list[float]] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mb: float = 0.0

    @property
    def ratio(self) -> float:
        """Over seasonal naive."""
        return float(np.mean(self.mase) / np.mean(self.others[NAIVE]))

    def text(self) -> str:
        """The line of the table."""
        each = [self.mase, *(self.others.get(name) for name in (NAIVE, ETS, ARIMA))]
        means = ["" if one is None else f"{np.mean(one):.3f}" for one in each]
        rest = [f"{self.ratio:.3f}", ", ".join(self.issued), f"{self.seconds:.0f}"]
        return f"| {' | '.join([self.name, str(self.rows), *means, *rest])} |"


def main() -> int:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="what fetch.py wrote")
    parser.add_argument("--test", action="store_true", help="the three named series, not the development set")
    parser.add_argument("--only", default="", help="some of the series")
    parser.add_argument("--peers", action="store_true", help="measure AutoETS and AutoARIMA, and keep them")
    parser.add_argument("--set", action="append", default=[], help="a trial: KEY=VALUE for every training")
    options = parser.parse_args()
    series = TEST if options.test else DEVELOPMENT
    names = options.only.split(",") if options.only else list(series)
    if set(names) - set(series):
        parser.error(f"--only: expected some of {','.join(series)}; got {options.only}")
    if options.peers:
        _keep_peers(options.folder, {name: series[name] for name in names})
        return 0
    found = []
    print(*HEAD, sep="\n", flush=True)
    for one in measure(options.folder, {name: series[name] for name in names}, options.set):
        found.append(one)
        print(one.text(), flush=True)
    print(mean_line(found))
    if not options.set and not options.only:
        name, flag = ("small", " --test") if options.test else ("small-development", "")
        lines = [*HEAD, *(one.text() for one in found), mean_line(found)]
        title = "Small seasonal series" + ("" if options.test else ", development set")
        save_table(name, title, lines, f"benchmarks/accuracy/small.py{flag}")
    return 0


def measure(folder: Path, series: Mapping[str, tuple[int, int]], sets: Sequence[str]) -> Iterator[Measured]:
    """Each series in turn."""
    kept = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else {}
    for name, (season, horizon) in series.items():
        header, times, values = read(folder, name)
        others = {peer: kept[peer][name] for peer in (ETS, ARIMA) if name in kept.get(peer, {})}
        found = Measured(name, len(values), others={NAIVE: [], **others})
        for known, actual in origins(values, horizon):
            scale = mase_scale(known, season)
            with tempfile.TemporaryDirectory() as work:
                path, output = Path(work) / f"{name}.csv", Path(work) / "forecast.csv"
                lines = [f"{time},{value!r}" for time, value in zip(times, known.tolist(), strict=False)]
                path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
                _, spent = run(Path(work), "train", path, "--horizon", horizon, sets=sets)
                _, then = run(Path(work), "predict", name, "--horizon", horizon, "--output", output)
                forecast, source = _forecast(output)
            found.mase.append(float(np.mean(np.abs(forecast - actual)) / scale))
            naive = np.resize(known[len(known) - season :], horizon)
            found.others[NAIVE].append(float(np.mean(np.abs(naive - actual)) / scale))
            found.issued.append(source)
            found.seconds += spent.seconds + then.seconds
            found.peak_mb = max(found.peak_mb, spent.peak_mb, then.peak_mb)
        yield found


def mean_line(found: Sequence[Measured]) -> str:
    """The mean over the series of everything that is known for all of them."""

    def mean(name: str) -> str:
        each = [one.others.get(name, []) for one in found]
        return f"{np.mean([np.mean(one) for one in each]):.3f}" if all(each) else ""

    mase = np.mean([np.mean(one.mase) for one in found])
    seconds = sum(one.seconds for one in found)
    ratio = np.mean([one.ratio for one in found])
    others = " | ".join(mean(name) for name in (NAIVE, ETS, ARIMA))
    return f"| mean | | {mase:.3f} | {others} | {ratio:.3f} | | {seconds:.0f} |"


def read(folder: Path, name: str) -> tuple[str, list[str], Floats]:
    """Header, times and values of a series; the one that ships with the project comes from there."""
    path = ROOT / "data" / "airline.csv" if name == "airline" else folder / "small" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return ",".join(header), [row[0] for row in rows], np.array([float(row[1]) for row in rows])


def origins(values: Floats, horizon: int) -> Iterator[tuple[Floats, Floats]]:
    """What is known at each origin, and the values after it."""
    for back in range(ORIGINS, 0, -1):
        cutoff = len(values) - back * horizon
        yield values[:cutoff], values[cutoff : cutoff + horizon]


def mase_scale(known: Floats, season: int) -> float:
    """Mean absolute seasonal difference."""
    return float(np.mean(np.abs(known[season:] - known[:-season])))


def _forecast(path: Path) -> tuple[Floats, str]:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row["forecast"]) for row in rows]), rows[0]["source"].replace("_", " ")


def _keep_peers(folder: Path, series: Mapping[str, tuple[int, int]]) -> None:
    """Adds what AutoETS and AutoARIMA reach on these series to the file that is kept."""
    from importlib.metadata import version

    from statsforecast.models import AutoARIMA, AutoETS

    kept = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else {}
    kept["made with"] = f"statsforecast {version('statsforecast')}, numpy {version('numpy')}"
    for name, (season, horizon) in series.items():
        _, _, values = read(folder, name)
        for peer, model in ((ETS, AutoETS), (ARIMA, AutoARIMA)):
            errors = [
                np.mean(np.abs(model(season_length=season).forecast(y=known, h=horizon)["mean"] - actual))
                / mase_scale(known, season)
                for known, actual in origins(values, horizon)
            ]
            kept.setdefault(peer, {})[name] = [round(float(error), 4) for error in errors]
            print(name, peer, kept[peer][name], flush=True)
        PEERS.parent.mkdir(exist_ok=True)
        PEERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
