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
LAGS = 5  # changes looked back at, of the target and of the column; an assumption
LEAST_FREE = 20  # rows beyond the coefficients; six columns of noise then explain 0.9 once in 10^8 times
_DECIDING = 0.99  # of the rows decide: no single crash beside a single spike is taken for knowledge
_NOTHING = 1e-6  # of the squared changes: where the past leaves no more than that, nothing is left to know
_DEPENDENT = 1e-13  # relative eigenvalue below which columns depend on each other


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
    level c[t] and its last five changes. A column that is y[t+1] in any unit gives 1: its last change is the
    next change of y. The level y[t] is there because a noisy one tells more by c[t] - y[t]; the older changes
    are there for columns that know more than one step, as a centred average does.

    Both are fitted to all rows, pooled over the series, each in units of its own; the squares are summed over
    the 99 % of rows that the own past explains best. Rows with an unobserved part are left out.
    0 where the own past leaves nothing to explain; NaN where there are too few rows to say (fewer changes are
    looked back at before that).

    A high share is a question, not a proof: today's close does know tomorrow's open.
    """
    shares = [_explained(training, column) for column in range(1, len(training.columns))]
    return np.array(shares, dtype=np.float64)


def _explained(training: Panel, column: int) -> float:
    for lags in range(LAGS, 0, -1):
        rows, series = _whole_rows(training, column, lags)
        if len(rows) - np.count_nonzero(np.bincount(series)) - 2 * (1 + lags) >= LEAST_FREE:
            return _partial_r_squared(*_regression(training, column, rows, series, lags))
    return float("nan")


def _whole_rows(training: Panel, column: int, lags: int) -> tuple[Rows, Rows]:
    """Flat rows t at which y[t - lags] … y[t + 1] and c[t - lags] … c[t] were observed, and their series."""
    series = np.repeat(np.arange(len(training)), training.lengths)
    within = np.arange(len(series)) - training.offsets[series]
    rows = np.flatnonzero((within >= lags) & (within < training.lengths[series] - 1))
    target, covariate = training.observed[:, 0], training.observed[:, column]
    whole = target[rows + 1].copy()
    for back in range(lags + 1):
        whole &= target[rows - back] & covariate[rows - back]
    return rows[whole], series[rows[whole]]


def _regression(
    training: Panel, column: int, rows: Rows, series: Rows, lags: int
) -> tuple[Floats, Floats, Floats, float]:
    """Next change [W], own past [1 + lags, W] and the column's [1 + lags, W], each about its series' mean.

    Returns:
        These in units of each series' mean absolute change, and the sum of the squared next changes.
    """
    target, covariate = training.values[:, 0], training.values[:, column]
    following = target[rows + 1] - target[rows]
    recent = _recent(covariate, rows, lags)
    unit, spread = _unit(following, series), _unit(recent[1], series)
    own = _series_centred(np.array([following, *_recent(target, rows, lags)]), series) / unit
    told = _series_centred(np.array(recent), series) / spread
    return own[0], own[1:], told, float(np.sum((following / unit) ** 2))


def _recent(values: Floats, rows: Rows, lags: int) -> list[Floats]:
    """The value at each row, its change, and the changes before that, [W] each."""
    return [values[rows], *(values[rows - back] - values[rows - back - 1] for back in range(lags))]


def _series_centred(values: Floats, series: Rows) -> Floats:
    """Values [K, W] less the mean of their series."""
    return np.asarray(values - _series_means(values, series))


def _unit(values: Floats, series: Rows) -> Floats:
    """Mean size of the values [W] of each row's series, 1 where that is 0: [W]."""
    means = _series_means(np.abs(values)[None], series)[0]
    return np.where(means > 0, means, 1.0)


def _series_means(values: Floats, series: Rows) -> Floats:
    """Mean of each row's series, of values [K, W] that are sorted by series: [K, W]."""
    first = np.flatnonzero(np.diff(series, prepend=-1))
    counts = np.diff(first, append=len(series))
    return np.repeat(np.add.reduceat(values, first, axis=1) / counts, counts, axis=1)


def _partial_r_squared(change: Floats, own: Floats, told: Floats, whole: float) -> float:
    """1 - SSE(full) / SSE(own) over the rows that decide; ``whole`` is the sum of the squared changes."""
    base, full = _left_over(change, own), _left_over(change, np.concatenate([own, told]))
    size = np.abs(base)
    deciding = size <= np.quantile(size, _DECIDING)
    unexplained = float(np.sum(base[deciding] ** 2))
    if unexplained <= _NOTHING * whole:
        return 0.0
    return max(0.0, 1.0 - float(np.sum(full[deciding] ** 2)) / unexplained)


def _left_over(answer: Floats, regressors: Floats) -> Floats:
    """Residuals [W] of least squares on regressors [P, W], which may depend on each other or be zero."""
    lengths = np.linalg.norm(regressors, axis=1, keepdims=True)
    rows = regressors / np.where(lengths > 0, lengths, 1.0)
    # By the normal equations: twenty times as fast as an orthogonal factorisation, and exact enough here.
    coefficients = np.linalg.lstsq(rows @ rows.T, rows @ answer, rcond=_DEPENDENT)[0]
    return np.asarray(answer - coefficients @ rows)
