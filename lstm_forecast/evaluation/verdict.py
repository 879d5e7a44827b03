"""Is the network worth anything? Its errors against the naive forecast's, and a plain sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.evaluation.metrics import mae, rmse

Floats = NDArray[np.float64]
Word = Literal["beats", "ties", "loses"]
_LEVEL = 0.05  # probability of calling a forecast better or worse that is neither


@dataclass(frozen=True)
class Verdict:
    """The model against the baseline on the test windows.

    Attributes:
        word: ``beats``, ``ties`` or ``loses``; None where there is no test split.
        skill: 1 - MAE(model) / MAE(baseline); None where the baseline makes no error.
        p_value: two-sided, of the Diebold-Mariano test; None with too few origins or no difference.
        metrics: metric by name, by model: ``{"model": {"mae": …}, "naive": {…}}``; original units.
        sentence: the same in plain words.
    """

    word: Word | None
    skill: float | None
    baseline: str
    p_value: float | None
    metrics: Mapping[str, Mapping[str, float]]
    sentence: str


def judge(
    actual: Floats,
    forecast: Floats,
    baseline: Floats,
    *,
    origins: NDArray[np.int64],
    scale: Floats,
) -> Verdict:
    """Compares model and naive forecast on the same windows.

    Args:
        actual: [W, H] in original units, NaN where not observed.
        forecast: the model's, [W, H].
        baseline: the naive forecast's, [W, H].
        origins: time of each window's last input, [W]; windows of one time are one observation for the test.
        scale: MASE scale of each window's series, [W].
    """
    metrics = {
        name: {"mae": mae(actual, values), "rmse": rmse(actual, values)}
        for name, values in (("model", forecast), ("naive", baseline))
    }
    ours, theirs = metrics["model"]["mae"], metrics["naive"]["mae"]
    skill = 1 - ours / theirs if theirs > 0 else None
    loss = (np.abs(forecast - actual) - np.abs(baseline - actual)) / scale[:, None]
    differences = by_origin(loss, origins)
    p_value = diebold_mariano(differences, horizon=actual.shape[1])
    word: Word = "ties"
    if p_value is not None and p_value < _LEVEL and skill is not None:
        # Skill is in original units, the test in units of each series: in a panel they can point apart.
        better = float(differences.mean()) < 0
        word = "beats" if skill > 0 and better else "loses" if skill < 0 and not better else "ties"
    sentence = _sentence(word, skill, p_value, differences, _fewest(actual.shape[1]))
    return Verdict(word, skill, "naive", p_value, metrics, sentence)


def no_verdict() -> Verdict:
    """The verdict of a run without a test split: none."""
    return Verdict(None, None, "naive", None, {}, "No verdict: there is no test split (split.test: 0).")


def by_origin(loss: Floats, origins: NDArray[np.int64]) -> Floats:
    """One mean per origin, oldest first: over steps, and over the series present at that origin."""
    known = ~np.isnan(loss)
    moments, where = np.unique(origins, return_inverse=True)
    total = np.bincount(where, weights=np.where(known, loss, 0.0).sum(axis=1), minlength=len(moments))
    count = np.bincount(where, weights=known.sum(axis=1).astype(float), minlength=len(moments))
    return np.asarray(total[count > 0] / count[count > 0], dtype=np.float64)


def diebold_mariano(differences: Floats, *, horizon: int) -> float | None:
    """Two-sided p-value that the mean loss difference is zero.

    Diebold & Mariano 1995 with the small-sample correction of Harvey, Leybourne & Newbold 1997, eq. 9, and
    Student's t with n - 1 degrees of freedom; autocovariances up to lag ``horizon`` - 1.

    Args:
        differences: one per origin in time order, [n].
        horizon: steps ahead, h.

    Returns:
        The p-value; None with fewer than max(20, 2h) origins, or where the variance is not positive.
    """
    count = len(differences)
    if count < _fewest(horizon) or not np.any(differences):
        return None
    scaled = differences / np.abs(differences).max()  # the test has no unit, and squares of 1e200 no room
    mean = float(scaled.mean())
    centred = scaled - mean
    covariances = [float(centred[lag:] @ centred[: count - lag]) / count for lag in range(horizon)]
    variance = (covariances[0] + 2 * sum(covariances[1:])) / count
    if variance <= 0:
        return None
    from scipy.special import stdtr

    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = mean / math.sqrt(variance) * math.sqrt(correction)
    return float(2 * stdtr(count - 1, -abs(statistic)))


def _fewest(horizon: int) -> int:
    return max(20, 2 * horizon)


def _sentence(
    word: Word, skill: float | None, p_value: float | None, differences: Floats, fewest: int
) -> str:
    if len(differences) == 0:
        return "No better than naive can be shown: no value of the test split was observed."
    if skill is None:
        return "No better than naive: the naive forecast makes no error here."
    if not np.any(differences):
        return "No better than naive: the model forecasts exactly the last value."
    size = f"{abs(skill):.1%}".replace("%", " %")
    way = "lower" if skill > 0 else "higher"
    if p_value is None:
        return (
            f"No better than naive can be shown: MAE {size} {way}, but {len(differences)} forecast origins"
            f" are too few for a test (it needs {fewest})."
            if len(differences) < fewest
            else f"No better than naive can be shown: MAE {size} {way}, and the differences allow no test."
        )
    shown = f"p = {p_value:.2g}" if p_value >= 0.001 else "p < 0.001"
    if word == "beats":
        return f"Beats naive by {size} ({shown})."
    if word == "loses":
        return f"Worse than naive by {size} ({shown}): do not use."
    if p_value < _LEVEL:
        return f"No better than naive can be shown: MAE {size} {way}, but not on most series ({shown})."
    return f"No better than naive: MAE {size} {way}, which chance explains ({shown})."
