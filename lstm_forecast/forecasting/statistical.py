"""Exponential smoothing (ETS) and Theta by statsmodels, which the extra ``baselines`` installs.

Parameters and first states come from the training rows. From there the states are carried through the known
rows with the parameters held, so one fit serves every cutoff and a forecast reads nothing after its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.errors import ResourceError
from lstm_forecast.forecasting.baselines import naive

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

STATISTICAL = ("ets", "theta")
_MOST_ROWS = 1_000  # of the training rows, the last ones; a fit of ETS takes seconds by then (measured)
_LONGEST_SEASON = 24  # of ETS: each step of the season is a parameter (the bound of R's forecast::ets)


@dataclass(frozen=True)
class Statistical:
    """What :func:`statistical_forecasts` gives.

    Attributes:
        forecasts: by name, each [W, H] in original units.
        failed: by name, the numbers of the series that could not be fitted: their forecasts are naive.
    """

    forecasts: dict[str, Floats]
    failed: dict[str, tuple[int, ...]]


class _Form(NamedTuple):
    """Error, trend and season of an ETS model: ``add``, ``mul`` or None."""

    error: str
    trend: str | None
    damped: bool
    seasonal: str | None


class _Job(NamedTuple):
    """One series: its values to the last cutoff, how many of them are training rows, cutoffs among them."""

    values: Floats
    fitted: int
    cutoffs: Rows
    horizon: int
    season: int


def statistical_forecasts(
    names: Sequence[str],
    panel: Panel,
    rows: Rows,
    series: Rows,
    *,
    horizon: int,
    season: int,
    fit_end: Rows,
) -> Statistical:
    """The named forecasts at each cutoff, with parameters from the rows before ``fit_end``.

    ``ets``: of the forms that the series admits (:func:`_forms`) the one with the lowest AICc (Hyndman &
    Athanasopoulos 2021, Forecasting: Principles and Practice, section 8.6). ``theta``: Assimakopoulos &
    Nikolopoulos 2000, after a test for the season that asks for three whole ones. At most the last 1,000
    training rows are fitted. Filled cells count as values. A forecast that is not finite is replaced by
    naive, and so is one of a model with a multiplicative season once a value is not positive.

    Args:
        names: some of :data:`STATISTICAL`.
        panel: the rows, without empty cells in column 0.
        rows: the cutoffs, int64 [W]: flat rows of the last known value.
        series: whose they are, int64 [W].
        horizon: H.
        season: m; 1 for none.
        fit_end: flat row after the last row to fit of each series, int64 [S]; no cutoff lies before that row.

    Raises:
        ResourceError: statsmodels is not installed.
    """
    unknown = set(names) - set(STATISTICAL)
    if unknown:
        raise ValueError(f"no such forecast: {', '.join(sorted(unknown))}; there are {STATISTICAL}")
    if np.any(rows + 1 < fit_end[series]):
        raise ValueError("a cutoff lies before the end of the rows that are fitted")
    require_library()
    forecasts = {name: naive(panel.values[rows, 0], horizon) for name in names}
    failed: dict[str, list[int]] = {name: [] for name in names}
    for one in np.unique(series).tolist():
        windows = np.flatnonzero(series == one)
        begin = max(int(panel.offsets[one]), int(fit_end[one]) - _MOST_ROWS)
        cutoffs = rows[windows] - begin
        values = panel.values[begin : begin + int(cutoffs.max()) + 1, 0]
        job = _Job(values, int(fit_end[one]) - begin, cutoffs, horizon, season)
        for name in names:
            found = _quietly(_METHODS[name], job)
            if found is None:
                failed[name].append(one)
            else:
                finite = np.isfinite(found).all(axis=1)
                forecasts[name][windows[finite]] = found[finite]
    return Statistical(forecasts, {name: tuple(which) for name, which in failed.items()})


def require_library() -> None:
    """Refuses, before anything is computed, where statsmodels is not installed.

    Raises:
        ResourceError: it is not.
    """
    try:
        import statsmodels  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "resource.extra",
            "the baselines ets and theta need the package statsmodels, which is not installed",
            where="evaluation.baselines",
            hint="type pip install 'lstm-forecast[baselines]', or leave ets and theta out",
        ) from error


def _quietly(method: Callable[[_Job], Floats | None], job: _Job) -> Floats | None:
    """The forecasts [W, H], or None where the library cannot fit; what it warns of is not passed on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return method(job)
        except (ValueError, ArithmeticError, IndexError):
            return None


def _unit(training: Floats) -> float:
    """A power of two near the standard deviation: dividing by it rounds nothing.

    The library's optimiser takes steps of fixed size, so it wants numbers near 1.

    Raises:
        ValueError: the series stands still, or has no two rows.
    """
    deviation = float(np.std(training - training[0])) if len(training) > 1 else 0.0
    if not deviation > 0:
        raise ValueError("nothing to fit")
    return float(2.0 ** np.floor(np.log2(deviation)))


def _ets(job: _Job) -> Floats | None:
    """Forecasts of the ETS form with the lowest AICc: [W, H]."""
    first, unit = float(job.values[0]), _unit(job.values[: job.fitted])
    shifted, plain = (job.values - first) / unit, job.values / unit
    best, chosen = float("inf"), None
    for form in _forms(job.values[: job.fitted], job.season):
        values = shifted if _additive(form) else plain
        parameters, score = _fit(form, values[: job.fitted], job.season)
        if score < best:
            best, chosen = score, (form, parameters)
    if chosen is None:
        return None
    form, parameters = chosen
    if _additive(form):
        return first + unit * _carried(form, parameters, shifted, job)
    return unit * _carried(form, parameters, plain, job)


def _additive(form: _Form) -> bool:
    """Whether the form knows no level: then it is fitted to differences from the first value."""
    return form.error == "add" and form.seasonal != "mul"


def _forms(training: Floats, season: int) -> Iterator[_Form]:
    """The forms that are tried, additive errors first.

    Left out are: multiplicative trends, whose forecasts explode; additive errors with a multiplicative
    season, which divide by numbers near 0 (both as R's forecast::ets); multiplicative errors with an additive
    season, which cost the most time and were not best on any file tried; seasons of more than 24 steps, or
    with fewer than two of them in the training rows.
    """
    seasonal = 1 < season <= _LONGEST_SEASON and len(training) >= 2 * season
    errors = ("add", "mul") if training.min() > 0 else ("add",)
    for error in errors:
        for trend, damped in ((None, False), ("add", False), ("add", True)):
            yield _Form(error, trend, damped, None)
            if seasonal:
                yield _Form(error, trend, damped, error)


def _model(form: _Form, values: Floats, season: int) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    return ETSModel(
        values,
        error=form.error,
        trend=form.trend,
        damped_trend=form.damped,
        seasonal=form.seasonal,
        seasonal_periods=season if form.seasonal else None,
        initialization_method="estimated",
    )


def _fit(form: _Form, training: Floats, season: int) -> tuple[Floats, float]:
    """Maximum-likelihood parameters and AICc of one form; infinite where it has too many for these rows.

    AICc = AIC + 2 k (k + 1) / (n - k - 1), with k free parameters, first states and the error's variance.
    """
    model = _model(form, training, season)
    rows = len(training)
    count = len(model.param_names) + 1 - (form.seasonal is not None)  # one of the m indices is held
    if rows - count - 1 <= 0:
        return np.empty(0), float("inf")
    parameters = model.fit(disp=False, return_params=True)
    score = 2 * count - 2 * model.loglike(parameters) + 2 * count * (count + 1) / (rows - count - 1)
    return parameters, float(score) if not np.isnan(score) else float("inf")


def _carried(form: _Form, parameters: Floats, values: Floats, job: _Job) -> Floats:
    """Point forecasts [W, H] of a fitted form, its states carried to each cutoff; NaN where they cannot be.

    The smoothing equations are the same for both kinds of error, and the library admits only positive values
    with multiplicative ones: additive ones are named to it.
    """
    if form.seasonal == "mul":
        values = values[: _positive_rows(values)]
    model = _model(form._replace(error="add"), values, job.season)
    _, states = model.smooth(parameters, return_raw=True)
    named = dict(zip(model.param_names, parameters.tolist(), strict=True))
    known = job.cutoffs < len(values)
    at = np.minimum(job.cutoffs, len(values) - 1)
    ahead = np.arange(1, job.horizon + 1)
    level = states[at, 0][:, None]
    if form.trend:
        level = level + states[at, 1][:, None] * np.cumsum(named.get("damping_trend", 1.0) ** ahead)
    if form.seasonal:
        phase = states[at[:, None] - job.season + 1 + (ahead - 1) % job.season, -1]
        level = level + phase if form.seasonal == "add" else level * phase
    return np.where(known[:, None], np.broadcast_to(level, (len(at), job.horizon)), np.nan)


def _positive_rows(values: Floats) -> int:
    """How many values stand before the first that is not positive."""
    wrong = np.flatnonzero(values <= 0)
    return int(wrong[0]) if len(wrong) else len(values)


def _theta(job: _Job) -> Floats | None:
    """Forecasts of the Theta method with theta 2: [W, H].

    Half the slope of the straight line through the (seasonally adjusted) training rows is added to simple
    exponential smoothing (Hyndman & Billah 2003, Unmasking the Theta method, eq. 7). Slope, smoothing
    parameter and season are those of the training rows; the level goes on.
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel

    unit = _unit(job.values[: job.fitted])
    values, rows = job.values / unit, job.fitted
    seasonal = job.season > 1 and rows >= 3 * job.season
    model = ThetaModel(values[:rows], period=job.season if seasonal else None, deseasonalize=seasonal)
    result = model.fit(disp=False)
    slope, alpha = (float(number) for number in result.params)
    parts = result.forecast_components(job.season)
    index = np.roll(np.asarray(parts["seasonal"], dtype=np.float64), rows % job.season)  # by phase
    multiplies = model.method.startswith("mul")
    known = index[np.arange(rows, len(values)) % job.season]
    later = values[rows:] / known if multiplies else values[rows:] - known
    first = float(parts["ses"].iloc[0])
    levels = np.fromiter(
        accumulate(later, lambda level, y: level + alpha * (y - level), initial=first), float
    )
    level = levels[job.cutoffs + 1 - rows][:, None]
    seen = (job.cutoffs + 1)[:, None]
    ahead = np.arange(1, job.horizon + 1)
    drift = slope * (ahead - 1 + (1 - (1 - alpha) ** seen) / alpha) if alpha > 0 else slope * (ahead - 1)
    season = index[(seen + ahead - 1) % job.season]
    line = level + drift / 2
    return np.asarray(unit * (line * season if multiplies else line + season))


_METHODS: dict[str, Callable[[_Job], Floats | None]] = {"ets": _ets, "theta": _theta}
