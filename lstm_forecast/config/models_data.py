"""The sections of the configuration that say which rows are read and what they are for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lstm_forecast.config.kinds import (
    Age,
    CalendarFeatures,
    ColumnName,
    ColumnNames,
    Count,
    CountOrNone,
    DateFormat,
    DateText,
    Encoding,
    Fraction,
    Frequency,
    Holidays,
    Mark,
    OrAuto,
    PathText,
    Rows,
    SizeBytes,
    Steps,
    TimeZone,
    WideColumns,
)

RULES = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)


class ResampleConfig(BaseModel):
    """Periods that rows are gathered into before anything else is done with them."""

    model_config = RULES

    to: Frequency | None = Field(
        None,
        description="Length of the periods as a pandas offset (15min, h, D, W, W-FRI, MS, ME, QS, YS); "
        "null leaves the rows as they are.",
    )
    how: Literal["sum", "mean", "last"] | None = Field(
        None, description="What becomes of the values of a period, in every column; empty cells are left out."
    )


class DataConfig(BaseModel):
    """Which file is read, and how."""

    model_config = RULES

    path: PathText = Field(
        description="The CSV file, relative to this configuration file; - reads standard input. "
        "A folder (its *.csv and *.csv.gz) or a pattern with *, ?, [ ] or ** is read as one panel, "
        "each file a series with its name."
    )
    time: ColumnName | None = Field(
        None, description="Column of the times; null finds it, and rows are numbered where there is none."
    )
    target: ColumnName | WideColumns | None = Field(
        None,
        description="Column to forecast, or a list for a wide file where each column is one series; "
        "null finds it and says so.",
    )
    series_id: ColumnName | None = Field(
        None, description="Column that tells the series of a long file apart; null finds it where needed."
    )
    past_covariates: ColumnNames = Field(
        (), description="Further input columns whose values are known only up to now."
    )
    future_covariates: ColumnNames = Field(
        (),
        description="Further input columns whose values are known ahead, such as promotions; predict needs "
        "them for every step of its horizon.",
    )
    future_path: PathText | None = Field(
        None,
        description="CSV file with the future covariates of the steps to come, relative to this "
        "configuration file; null takes the rows after the last target of data.path; "
        "--future FILE goes before both.",
    )
    static_covariates: ColumnNames = Field(
        (),
        description="Columns that say what a series is, one value each: text becomes an embedding, numbers "
        "are scaled.",
    )
    encoding: Encoding | None = Field(
        None, description="Text encoding of the file; null tries utf-8, then gb18030."
    )
    separator: Mark | None = Field(None, description="Character between the fields; null finds it.")
    decimal: Literal[".", ","] | None = Field(None, description="Decimal sign of the numbers; null finds it.")
    thousands: Mark | None = Field(
        None, description="Character that groups the digits of large numbers; null finds it."
    )
    header_row: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        "auto",
        description="Line of the column names, counted from 1; auto finds it, "
        "null says there is none and names the columns 1, 2, and so on.",
    )
    skip_rows: Rows = Field(0, description="Number of lines to leave out after the header.")
    date_format: DateFormat | None = Field(
        None, description="Form of the times in strptime directives; null recognises the usual forms."
    )
    timezone: TimeZone | None = Field(
        None,
        description="Zone whose clock the times show, with daylight saving; null takes them as they are.",
    )
    na_values: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)] = Field(
        (), description="Cell texts that mean a missing value, beside the usual spellings."
    )
    missing: Literal["error", "ffill", "interpolate", "drop"] = Field(
        "error", description="What happens to an empty target cell."
    )
    duplicates: Literal["error", "first", "last", "sum", "mean"] = Field(
        "error", description="What happens to several rows of one series at one time."
    )
    gaps: Literal["auto", "keep", "fill", "error"] = Field(
        "auto",
        description="What happens to missing times: auto keeps them on trading days "
        "and refuses them on a regular frequency.",
    )
    resample: ResampleConfig = Field(
        ResampleConfig(), description="Periods that rows are gathered into, such as days of hours."
    )
    bad_rows: Literal["error", "skip"] = Field(
        "error", description="Whether a row that cannot be read stops the run or is left out and listed."
    )
    max_bad_rows: Rows = Field(0, description="How many rows bad_rows: skip may leave out before it fails.")
    bad_series: Literal["error", "skip"] = Field(
        "error",
        description="Whether a series whose rows cannot be used stops the run, or is left out, named and "
        "listed; in a folder of files also a file that cannot be read.",
    )
    strict: bool = Field(False, description="Whether warnings of the reader become errors.")
    max_bytes: SizeBytes = Field(8 * 2**30, description="Largest input read, counted after decompression.")
    until: Count | DateText | None = Field(
        None,
        description="Last date that is read, or number of rows of each series; what comes after is left out.",
    )
    season: Steps | None = Field(
        None, description="Number of steps in one season; null infers it from the training rows."
    )
    max_input_age: Age | None = Field(
        None,
        description="Age of the newest row above which the input is refused, by train, check and predict; "
        "null has no limit.",
    )
    frequency: Frequency | None = Field(
        None, description="Distance between the rows as a pandas offset; null infers it from the times."
    )
    calendar_features: CalendarFeatures = Field(
        "auto",
        description="What the network is told of every date, past and future: a list of dayofweek, month, "
        "hour, holiday; auto is holiday where data.holidays is set, else none.",
    )
    holidays: Holidays | None = Field(
        None,
        description="Country code such as DE or US-NY (needs the extra holidays), or a file of dates, one a "
        "line, relative to this configuration file.",
    )
    transform: OrAuto[Literal["none", "log", "log1p", "diff"]] = Field(
        "none",
        description="What is done to the target before it is scaled, and undone after: its logarithm, "
        "that of one plus it, or its changes from row to row; auto takes log where the training rows gain.",
    )


class SplitConfig(BaseModel):
    """Which rows are held back from training."""

    model_config = RULES

    validation: CountOrNone | Fraction | DateText = Field(
        0.1,
        description="Rows for choosing the best epoch: a fraction, a count of rows, or their first date; "
        "0 gives none: every epoch runs, and there are no intervals.",
    )
    test: CountOrNone | Fraction | DateText = Field(
        0.1,
        description="Rows for the verdict: a fraction, a count of rows, or their first date; 0 gives none.",
    )
