"""How accurate the forecasts are on public data, from YAML and bare CSV that only use what every user has.

    .venv/bin/python -m benchmarks.accuracy.run FOLDER --series SERIES
    .venv/bin/python -m benchmarks.accuracy.run FOLDER --parts m4 --set training.seed=1
    .venv/bin/python -m benchmarks.accuracy.run --parts shipped

FOLDER holds the public files, which are not part of the project: ``m4_hourly_train.csv`` and
``m4_hourly_test.csv`` (Hourly-train.csv and Hourly-test.csv of the M4 competition, Makridakis et al. 2020)
and ``ETTh1.csv`` (ETDataset, Zhou et al., AAAI 2021). SERIES is what ``fetch.py`` wrote, for the parts
small and prices. Each job is the program in processes of its own: seconds and peak memory are theirs,
training and prediction together. All parts together leave ``results/accuracy.md``, others
``results/accuracy-PARTS.md``; nothing is kept if ``--set`` changed something. Every row is a look at test
values: settings are chosen on validation and with ``bare.py --pseudo`` and the development set of
``small.py``, see docs/lab-log.md. A part alone, with its details: ``small.py --test``, ``prices.py``,
``bare.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy import bare, etth1, m4, prices, small
from benchmarks.accuracy.program import HEAD, ROOT, Failed, Row, Spent, run, save_table

PARTS = ("m4", "etth1", "shipped", "small", "prices", "bare")
NEED = {"m4": "folder", "etth1": "folder", "bare": "folder", "small": "series", "prices": "series"}
SHIPPED = ("stock", "demand", "weather")


def main() -> int:
    """Runs the parts that are asked for and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the public files are")
    parser.add_argument("--series", type=Path, help="what fetch.py wrote")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--set", action="append", default=[], help="a trial: KEY=VALUE for every job")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    if set(wanted) - set(PARTS):
        parser.error(f"--parts: expected some of {','.join(PARTS)}; got {options.parts}")
    for part in wanted:
        if part in NEED and getattr(options, NEED[part]) is None:
            needed = {"folder": "the folder of the public files", "series": "--series, which fetch.py writes"}
            parser.error(f"the part {part} needs {needed[NEED[part]]}")
    lines = [*HEAD]
    for row in _rows(wanted, options.folder, options.series, options.set):
        print(row.text(), flush=True)
        lines.append(row.text())
    if not options.set:
        name = "accuracy" if tuple(wanted) == PARTS else f"accuracy-{'-'.join(wanted)}"
        save_table(name, "Accuracy", lines, f"benchmarks/accuracy/run.py --parts {','.join(wanted)}")
    return 0


def _rows(parts: Sequence[str], folder: Path, series: Path, sets: Sequence[str]) -> Iterator[Row]:
    """The lines of each part; one that fails is said, and the others go on."""
    makers: dict[str, Callable[[Path], Iterator[Row]]] = {
        "m4": lambda work: _m4(folder, work, sets),
        "etth1": lambda work: _etth1(folder, work, sets),
        "shipped": lambda work: _shipped(work, sets),
        "small": lambda _work: _small(series, sets),
        "prices": lambda _work: _prices(series, sets),
        "bare": lambda _work: _bare(folder, sets),
    }
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            try:
                yield from makers[part](Path(name))
            except Failed as failed:
                yield Row(part, str(failed))


def _m4(folder: Path, work: Path, sets: Sequence[str]) -> Iterator[Row]:
    found = m4.measure(folder, work / "m4", sets=sets)
    if not sets:
        bare.keep("m4", [found.owa])
    yield found.row("M4 Hourly")


def _etth1(folder: Path, work: Path, sets: Sequence[str]) -> Iterator[Row]:
    for horizon in etth1.LIMITS:
        found = etth1.measure(folder, work / str(horizon), horizon=horizon, sets=sets)
        if not sets:
            bare.keep(f"etth1-{horizon}", [found.mse, found.mae])
        yield found.row(f"ETTh1, {horizon}")


def _shipped(work: Path, sets: Sequence[str]) -> Iterator[Row]:
    """The verdicts of shipped configurations."""
    for name in SHIPPED:
        found, spent = run(work, "train", ROOT / "configs" / f"{name}.yaml", sets=sets)
        said = f"MAE / {found['baseline']} {1 - found['skill']:.4f} ({found['verdict']})"
        yield Row(f"configs/{name}.yaml", said, spent)


def _small(series: Path, sets: Sequence[str]) -> Iterator[Row]:
    """A bare CSV on the three small series, from three origins each."""
    found = []
    for one in small.measure(series, small.TEST, sets):
        found.append(one)
        said = f"MASE {np.mean(one.mase):.3f}, over seasonal naive {one.ratio:.3f} ({', '.join(one.issued)})"
        spent = Spent(one.seconds, one.peak_mb)
        yield Row(f"{one.name}, bare", said, spent, (one.ratio,), ((small.MUST,),))
    mean = float(np.mean([np.mean(one.mase) for one in found]))
    peers = tuple(
        float(np.mean([np.mean(one.others[peer]) for one in found])) for peer in (small.ETS, small.ARIMA)
    )
    said = f"MASE {mean:.3f} (AutoETS {peers[0]:.3f}, AutoARIMA {peers[1]:.3f})"
    limits = (float("inf"), *(round(peer, 3) for peer in peers))
    yield Row("small series, mean", said, None, (mean,), (limits,))


def _prices(series: Path, sets: Sequence[str]) -> Iterator[Row]:
    """Each series one step ahead, and what the limits say of all of them."""
    found = []
    for one in prices.measure(series, [], sets):
        found.append(one)
        held = "".join(f", {level:g} % held {100 * share:.1f}" for level, share in one.held.items())
        said = f"RMSE / naive {one.bare:.4f} ({one.issued}), stock.yaml {one.tuned:.4f}{held}"
        limits = (prices.MUST, prices.GOAL)
        yield Row(
            f"{one.name}, bare", said, Spent(one.seconds, one.peak_mb), (one.bare, one.tuned), (limits,) * 2
        )
    for line in prices.summary(found):
        yield Row("prices", line)


def _bare(folder: Path, sets: Sequence[str]) -> Iterator[Row]:
    """A bare CSV over the tuned YAML."""
    for one in bare.measure(folder, bare.PARTS, pseudo=False, again=False, sets=sets):
        if one.spent is None:
            yield Row(f"{one.part}, bare", one.said)
        else:
            yield Row(f"{one.part}, bare", one.said, one.spent, (one.ratio,), (bare.LIMITS,))


if __name__ == "__main__":
    sys.exit(main())
