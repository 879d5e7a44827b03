"""Covariates of a configuration: what is known ahead, what the calendar tells, what the series are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.config import Config
from lstm_forecast.config.kinds import is_country
from lstm_forecast.data.ahead import with_rows_ahead
from lstm_forecast.data.calendar_features import Feature, calendar_names, calendar_values
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.files import is_there
from lstm_forecast.data.holidays import NO_DAYS, Days, country_holidays, holiday_file, years_of
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import AheadColumns
from lstm_forecast.data.statics import fit_statics
from lstm_forecast.data.table import Table
from lstm_forecast.errors import DataInvalid

SPARE_YEARS = 10  # a run keeps a country's holidays of so many years after its rows


def calendar_of(config: Config) -> tuple[Feature, ...]:
    """The calendar features of a settled configuration."""
    chosen = config.data.calendar_features
    return chosen if isinstance(chosen, tuple) else ()


def ahead_columns(config: Config) -> AheadColumns:
    """How many of a panel's last columns are known ahead."""
    return AheadColumns(len(config.data.future_covariates), len(calendar_names(calendar_of(config))))


def past_columns(config: Config) -> int:
    """How many of a panel's first columns are target and past covariates."""
    return 1 + len(config.data.past_covariates)


def split_ahead(config: Config, table: Table) -> Table:
    """The table with the rows that have future covariates and no target yet beside it."""
    return with_rows_ahead(table, len(config.data.future_covariates))


def holidays_of(config: Config, times: NDArray[np.int64], *, known: Days | None = None) -> Days:
    """The holidays that the calendar features of these times need.

    Args:
        config: settled.
        times: by the clock; the first and the last count.
        known: what a run kept; None in training, which finds those of the next ten years too.

    Raises:
        DataMissing, DataInvalid: the file of dates is not there, or not one.
        ResourceError, UsageError: the country's are needed, and the package is not there or has none.
    """
    rule = config.data.holidays
    if rule is None or not len(times):
        return NO_DAYS
    kept = NO_DAYS if known is None else known
    if not is_country(rule):
        return kept if len(kept) and not is_there(rule) else holiday_file(rule)
    wanted = years_of(int(times.min()), int(times.max()))
    if len(kept):
        wanted = range(min(wanted[0], _year(kept[0])), wanted[-1] + 1)
        if _year(kept[0]) <= wanted[0] and wanted[-1] <= _year(kept[-1]):
            return kept
    else:
        wanted = range(wanted[0], wanted[-1] + 1 + SPARE_YEARS)
    found = country_holidays(rule, wanted)
    return np.union1d(found[(found < kept[0]) | (found > kept[-1])], kept) if len(kept) else found


def last_year(days: Days) -> int:
    """The year of the last holiday."""
    return _year(days[-1])


def _year(day: np.int64) -> int:
    return date.fromordinal(int(day) + date(1970, 1, 1).toordinal()).year


def with_calendar(
    config: Config, panel: Panel, form: TimeFormat, *, known: Days | None = None, where: str
) -> tuple[Panel, Days]:
    """The panel with the calendar's columns at its end, and the holidays that they know.

    Args:
        config: settled.
        panel: as it was read.
        form: of its times.
        known: the holidays that a run kept; None in training.
        where: the file, for messages.

    Raises:
        DataInvalid: the rows have no dates.
    """
    features = calendar_of(config)
    times = form.calendar(panel.times, config.data.timezone)
    days = holidays_of(config, times, known=known)
    if not features:
        return panel, days
    if form.kind == "row":
        raise DataInvalid(
            "data.calendar_features",
            "the rows have no dates, so the calendar tells nothing of them",
            where=where,
            hint="name the column of the times: data.time; or set data.calendar_features: none",
        )
    return panel.with_columns(calendar_names(features), calendar_values(times, features, days)), days


def with_statics(config: Config, panel: Panel, table: Table, trained: NDArray[np.bool_]) -> Panel:
    """The panel with what its series are, in the categories and units of those that train, bool [S]."""
    names = config.data.static_covariates
    if not names:
        return panel
    return replace(panel, statics=fit_statics(names, table.static, trained, decimal=table.source.decimal))
