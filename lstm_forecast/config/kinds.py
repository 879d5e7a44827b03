"""What a key can hold: its bounds, its words, and the forms that people write (8GiB, 30m, dates)."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

_SIZE_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([KMGT]?I?B)", re.IGNORECASE)
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,17})?)([smhd])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(?::[0-9]{1,3})?")
_FREQUENCY = re.compile(r"[0-9]{0,6}[A-Za-z]{1,10}(?:-[A-Za-z]{1,10})?")
# A file name may hold 255 bytes, and the lock file adds its suffix to the run's name.
_COUNTRY = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")
_MAX_NAME_BYTES = 200


SIMPLE_BASELINES = ("naive", "seasonal_naive", "drift", "mean")
# Two quantiles, and the two ends of an interval, are one level up to this.
QUANTILE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Says:
    """The words for a kind of value whose rule is a function, so that no bounds can be read off it."""

    words: str


def parse_size(value: object) -> object:
    """Bytes of a text such as ``8GiB``; anything that is not text goes on to the whole-number check."""
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if not found or found[2].upper() not in _SIZE_UNITS:
        raise PydanticCustomError("type", "not a size")
    return int(Decimal(found[1]) * _SIZE_UNITS[found[2].upper()])


def size_text(size_bytes: int) -> int | str:
    """The shortest exact form of a size that `parse_size` reads back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        count, rest = divmod(size_bytes, _SIZE_UNITS[unit.upper()])
        if count and not rest:
            return f"{count}{unit}"
    return size_bytes


def parse_duration(value: object) -> object:
    """Seconds of a text such as ``30m``; a bare number is refused because its unit is anybody's guess."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise PydanticCustomError("type", "not a duration")
    return float(found[1]) * _DURATION_UNITS[found[2]]


def duration_text(seconds: float) -> str:
    """The shortest exact form of a duration that `parse_duration` reads back."""
    if seconds == 0:
        return "0s"
    if seconds != int(seconds):
        return f"{seconds!r}s"
    for unit in ("d", "h", "m"):
        if seconds % _DURATION_UNITS[unit] == 0:
            return f"{int(seconds) // _DURATION_UNITS[unit]}{unit}"
    return f"{int(seconds)}s"


def _check_date(value: str) -> str:
    if not _DATE.fullmatch(value):
        raise PydanticCustomError("type", "not a date")
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("range", "no such date") from error
    return value


def _check_name(value: str) -> str:
    inner = all(c.isalnum() or c in "._- " or unicodedata.category(c).startswith("M") for c in value)
    edges = (value[0].isalnum() or value[0] == "_") and value[-1] != " "
    if not (inner and edges and len(value.encode()) <= _MAX_NAME_BYTES):
        raise PydanticCustomError("range", "not a name")
    return value


def _check_path(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("range", "a path holds no NUL character")
    return value


def _check_mark(value: str) -> str:
    if value.isalnum() or value in '"\r\n\0':
        raise PydanticCustomError("range", "not a separator")
    return value


def _check_encoding(value: str) -> str:
    try:
        "a".encode(value)
    except (LookupError, ValueError) as error:
        raise PydanticCustomError("choice", "unknown encoding") from error
    return value


def _check_date_format(value: str) -> str:
    if "%" not in value:
        raise PydanticCustomError("range", "no directive")
    return value


def _check_frequency(value: str) -> str:
    if not _FREQUENCY.fullmatch(value):
        raise PydanticCustomError("range", "not an offset")
    return value


def _check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:  # not found is a KeyError; a folder of zones an OSError
        raise PydanticCustomError("choice", "unknown time zone") from error
    return value


def _check_device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise PydanticCustomError("choice", "unknown device")
    return value


def is_country(holidays: str) -> bool:
    """Whether a value of ``data.holidays`` is a country's code, with or without a part of it; else a path."""
    return _COUNTRY.fullmatch(holidays) is not None


def _check_increasing(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise PydanticCustomError("range", "the first number is not below the second")
    return value


def _check_distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("range", "a name stands twice")
    return value


def trimmed(number: float) -> float:
    """The number as people write it: 80 for 80.0."""
    return int(number) if number == int(number) else number


def _check_quantiles(value: tuple[float, ...]) -> tuple[float, ...]:
    rising = all(low < high for low, high in pairwise(value))
    middle = value[len(value) // 2] == 0.5
    # 1 - 0.9 is not 0.1 to the last digit.
    paired = all(
        abs(low + high - 1) <= QUANTILE_TOLERANCE for low, high in zip(value, value[::-1], strict=True)
    )
    if not (rising and middle and paired):
        raise PydanticCustomError("range", "not increasing, or not symmetric around 0.5")
    return value


def _check_levels(value: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("range", "a level stands twice")
    if max(value) < 1:
        # [0.8, 0.95] would be intervals of less than one percent, which nobody means.
        raise PydanticCustomError("range", "shares, where percent are meant")
    return tuple(trimmed(level) for level in sorted(value))


def _check_measures(names: tuple[str, str]) -> tuple[str, str]:
    if names[0] == names[1]:
        raise PydanticCustomError("range", "the same measure twice")
    return names


def _check_baselines(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("range", "a baseline stands twice")
    if not set(value) & set(SIMPLE_BASELINES):
        raise PydanticCustomError("range", "no simple baseline")
    return value


_Kind = TypeVar("_Kind")
if TYPE_CHECKING:  # code that computes meets settled configurations alone, in which no key says auto
    OrAuto = Annotated[_Kind, "or auto"]
else:

    class OrAuto:
        """A kind of value, or the word auto: then the data decide."""

        def __class_getitem__(cls, kind: Any) -> Any:
            """The kind with the word beside it."""
            return kind | Literal["auto"]


Steps = Annotated[int, Field(ge=1, le=100_000)]
Width = Annotated[int, Field(ge=1, le=8192)]
Rows = Annotated[int, Field(ge=0, le=1_000_000)]
# 20240101 read as a count would be a silent misreading of a date: no count is that large.
Count = Annotated[int, Field(ge=1, le=10_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=10_000_000)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]
Origins = Annotated[int, Field(ge=1, le=1_000_000)]
Positive = Annotated[float, Field(gt=0, le=1_000_000)]

DateText = Annotated[str, AfterValidator(_check_date), Says("date such as 2024-01-31")]
SizeBytes = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=int | str),
    Field(ge=1, le=2**50),
    PlainSerializer(size_text),
    Says("size such as 8GiB or 500MB, or whole number of bytes, at most 1024TiB"),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    Field(ge=1, le=366 * 86400),
    PlainSerializer(duration_text),
    Says("duration such as 90s, 30m or 2h, from 1s to 366d"),
]
Age = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    Field(ge=1, le=36_600 * 86400),
    PlainSerializer(duration_text),
    Says("duration such as 12h or 3d, from 1s to 36600d"),
]
Pause = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    Field(ge=0, le=366 * 86400),
    PlainSerializer(duration_text),
    Says("duration such as 30s or 5m, from 0s to 366d"),
]
RunName = Annotated[
    str,
    Field(min_length=1, max_length=100),
    AfterValidator(_check_name),
    Says(
        "name of letters, digits, . _ - and inner spaces, no . or - first, at most 100 characters (200 bytes)"
    ),
]
PathText = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_check_path), Says("path")]
ColumnName = Annotated[str, Field(min_length=1, max_length=20_000), Says("column name")]
ColumnNames = Annotated[tuple[ColumnName, ...], Field(max_length=10_000), AfterValidator(_check_distinct)]
WideColumns = Annotated[
    tuple[ColumnName, ...], Field(min_length=1, max_length=10_000), AfterValidator(_check_distinct)
]
Mark = Annotated[
    str,
    Field(min_length=1, max_length=1),
    AfterValidator(_check_mark),
    Says("one character that is no letter, digit or quote"),
]
Encoding = Annotated[
    str,
    Field(min_length=1, max_length=40),
    AfterValidator(_check_encoding),
    Says("name of a text encoding such as utf-8 or gb18030"),
]
DateFormat = Annotated[
    str,
    Field(max_length=100),
    AfterValidator(_check_date_format),
    Says("date format such as '%d/%m/%Y'"),
]
Frequency = Annotated[str, AfterValidator(_check_frequency), Says("pandas offset such as D, B, 15min or MS")]
TimeZone = Annotated[
    str,
    Field(min_length=1, max_length=100),
    AfterValidator(_check_timezone),
    Says("IANA time zone such as Europe/Berlin"),
]
CalendarFeature = Literal["dayofweek", "month", "hour", "holiday"]
CalendarFeatures = (
    Literal["auto", "none"]
    | Annotated[
        tuple[CalendarFeature, ...],
        Field(min_length=1, max_length=4),
        AfterValidator(_check_distinct),
        Says("list of dayofweek, month, hour, holiday, each once"),
    ]
)
Holidays = Annotated[
    str,
    Field(min_length=1, max_length=4096),
    AfterValidator(_check_path),
    Says("country code such as DE or US-NY, or path of a file of dates"),
]
Device = Annotated[str, AfterValidator(_check_device), Says("auto | cpu | cuda | cuda:N | mps")]
ScaleRange = Annotated[
    tuple[Annotated[float, Field(ge=-1e6, le=1e6)], Annotated[float, Field(ge=-1e6, le=1e6)]],
    AfterValidator(_check_increasing),
    Says("two numbers between -1e6 and 1e6, the lower first, such as [0.0, 1.0]"),
]
_PERCENT = Field(gt=0, lt=100)
Quantiles = Annotated[
    tuple[Annotated[float, Field(gt=0, lt=1)], ...],
    Field(min_length=1, max_length=99),
    AfterValidator(_check_quantiles),
    Says("list of 1 to 99 increasing levels between 0 and 1, symmetric around 0.5, such as [0.1, 0.5, 0.9]"),
]
Levels = Annotated[
    tuple[Annotated[int, _PERCENT] | Annotated[float, _PERCENT], ...],
    Field(min_length=1, max_length=20),
    AfterValidator(_check_levels),
    Says("list of 1 to 20 different percentages between 0 and 100, such as [80, 95]"),
]
Baselines = Annotated[
    tuple[Literal["naive", "seasonal_naive", "drift", "mean", "ets", "theta"], ...],
    Field(min_length=1, max_length=6),
    AfterValidator(_check_baselines),
    Says("list of naive, seasonal_naive, drift, mean, ets, theta, each once, at least one of the first four"),
]
Measure = Literal["smape", "mase"]
Loss = (
    Literal["mse", "mae", "huber", "smape", "mase", "pinball"]
    | Annotated[
        tuple[Measure, Measure],
        AfterValidator(_check_measures),
        Says("the list [smape, mase]"),
    ]
)
