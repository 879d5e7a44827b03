"""Past covariates that know the target's next value: recorded late, shifted by mistake, or averaged ahead.

Of a covariate that is known in time, something about the next change may be learned; nearly all of it never.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

SUSPECT = 0.9  # share of the next change, from which a column is named; an assumption
LAGS = 5  # changes of the target that its own past is told by; an assumption
LEAST_FREE = 20  # rows beyond the coefficients: two columns of noise then explain 0.9 once in 10^10 times
_DECIDING = 0.99  # of the rows decide: no single crash beside a single spike is taken for knowledge
_ROUNDING = 1e-9  # of the squared changes: where the past leaves no more than that, nothing is left to know
_SPANNED = 1e-9  # of a column's length left beyond the target's own past: the column is a copy of it


@dataclass(frozen=True)
class LeakingCovariate:
    """A column that knows the target's next value; ``r_squared`` as :func:`explained_changes` gives it."""

    name: str
    r_squared: float

    @property
    def finding(self) -> str:
        """In words, with the share."""
        return f"{self.name!r} knows tomorrow (R² {self.r_squared:.2f})"

    @property
    def question(self) -> str:
        """What to ask the person who made the column."""
        return (
            f"column {self.name!r} knows tomorrow's target (R² {self.r_squared:.2f} on training rows):"
            " is it known only afterwards?"
        )


def leaking_covariates(training: Panel) -> list[LeakingCovariate]:
    """The past covariates that explain 0.9 or more of the target's next change, in the order of the columns.

    Args:
        training: the training rows and nothing else.
    """
    shares = zip(training.columns[1:], explained_changes(training).tolist(), strict=True)
    return [LeakingCovariate(name, share) for name, share in shares if share >= SUSPECT]


def explained_changes(training: Panel) -> Floats:
    """What each past covariate adds to the target's own past about its next change, 0 … 1: [C - 1].

    The partial R², 1 - SSE(full) / SSE(own), of two least-squares regressions of y[t+1] - y[t] with one
    intercept per series: *own* on y[t] and the last five changes of y, *full* on these and on the column's
    c[t] and c[t] - c[t-1]. A column that is y[t+1] in any unit gives 1: its change is the next change, and
    its level less y[t] is too.

    Both are fitted to all rows, pooled over the series, each in units of its own; the squares are summed over
    the 99 % of rows that the own past explains best. Rows with an unobserved part are left out.
    0 where the own past leaves nothing to explain; NaN where there are too few rows to say (fewer changes are
    looked back at before that).
    """
    shares = [_explained(training, column) for column in range(1, len(training.columns))]
    return np.array(shares, dtype=np.float64)


def _explained(training: Panel, column: int) -> float:
    for lags in range(LAGS, 0, -1):
        rows, series = _whole_rows(training, column, lags)
        if len(rows) - len(np.unique(series)) - (1 + lags + 2) >= LEAST_FREE:
            return _partial_r_squared(*_regression(training, column, rows, series, lags))
    return float("nan")


def _whole_rows(training: Panel, column: int, lags: int) -> tuple[Rows, Rows]:
    """Flat rows t at which everything from y[t - lags] to y[t + 1] and c[t - 1], c[t] was observed; series."""
    series = np.repeat(np.arange(len(training)), training.lengths)
    within = np.arange(len(series)) - training.offsets[series]
    inside = (within >= lags) & (within < training.lengths[series] - 1)
    rows, (target, covariate) = np.flatnonzero(inside), training.observed[:, [0, column]].T
    whole = covariate[rows] & covariate[rows - 1]
    for step in range(-lags, 2):
        whole &= target[rows + step]
    return rows[whole], series[rows[whole]]


def _regression(
    training: Panel, column: int, rows: Rows, series: Rows, lags: int
) -> tuple[Floats, Floats, Floats, float]:
    """Next change [W], own past [W, 1 + lags] and what the column says [W, 2], each series about its own means.

    Returns:
        These in units of each series' mean change and mean spread, and the sum of the squared changes.
    """
    target, covariate = training.values[:, 0], training.values[:, column]
    steps = [target[rows + 1 - back] - target[rows - back] for back in range(lags + 1)]
    unit = _unit(np.abs(steps[0]), series)
    change = steps[0] / unit
    own = [_centred(values, series) / unit for values in (target[rows], *steps[1:])]
    level = _centred(covariate[rows], series)
    spread = _unit(np.abs(level), series)
    told = [level / spread, _centred(covariate[rows] - covariate[rows - 1], series) / spread]
    return _centred(change, series), np.stack(own, axis=1), np.stack(told, axis=1), float(change @ change)


def _partial_r_squared(change: Floats, own: Floats, told: Floats, whole: float) -> float:
    """Both regressions at once: what the own past leaves of the column, on what it leaves of the change.

    The residuals of the full regression are those of the second step (Frisch & Waugh 1933; Lovell 1963).
    """
    together = np.column_stack([change, _unit_length(told)])
    left = together - _fitted(own, together)
    base, rest = left[:, 0], left[:, 1:]
    rest = np.where(np.linalg.norm(rest, axis=0) > _SPANNED, rest, 0.0)
    full = base - _fitted(rest, base[:, None])[:, 0]
    size = np.abs(base)
    deciding = size <= np.quantile(size, _DECIDING)
    unexplained = float(np.sum(base[deciding] ** 2))
    if unexplained <= _ROUNDING * whole:
        return 0.0
    return max(0.0, 1.0 - float(np.sum(full[deciding] ** 2)) / unexplained)


def _fitted(regressors: Floats, answers: Floats) -> Floats:
    """Least-squares fit of answers [W, K] by regressors [W, P], which may depend on each other."""
    columns = _unit_length(regressors)
    return np.asarray(columns @ np.linalg.lstsq(columns, answers, rcond=1e-10)[0])


def _unit_length(columns: Floats) -> Floats:
    """Columns [W, K] divided by their lengths; one of zeros stays."""
    lengths = np.linalg.norm(columns, axis=0)
    return np.asarray(columns / np.where(lengths > 0, lengths, 1.0))


def _centred(values: Floats, series: Rows) -> Floats:
    """Values [W] less the mean of their series."""
    return np.asarray(values - _series_mean(values, series)[series])


def _unit(sizes: Floats, series: Rows) -> Floats:
    """Mean of the sizes of each row's series, 1 where that is 0: [W]."""
    means = _series_mean(sizes, series)
    return np.asarray(np.where(means > 0, means, 1.0)[series])


def _series_mean(values: Floats, series: Rows) -> Floats:
    """Mean of each series up to the last that has rows."""
    counts = np.bincount(series)
    return np.asarray(np.bincount(series, weights=values) / np.maximum(counts, 1))
