"""Is the network worth anything? Its errors against a simple forecast's, and a plain sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.evaluation.measures import Measures, Truth, measure
from lstm_forecast.evaluation.metrics import mae

Floats = NDArray[np.float64]
Word = Literal["beats", "ties", "loses"]
_LEVEL = 0.05  # probability of calling a forecast better or worse that is neither
_WORDS = {"seasonal_naive": "seasonal naive", "mean": "the mean", "ets": "ETS", "theta": "Theta"}
_COUNTS = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


@dataclass(frozen=True)
class SeedSpread:
    """How far forecasts of the same network from different seeds lie apart.

    Attributes:
        count: number of seeds, two or more.
        mae_mean: mean of their MAE.
        mae_sd: its standard deviation, with n - 1.
        skill_mean: mean of their skill; None where the baseline makes no error.
        skill_sd: its standard deviation.
        outside: whether the baseline's MAE lies outside the mean ± 2 standard deviations.
    """

    count: int
    mae_mean: float
    mae_sd: float
    skill_mean: float | None
    skill_sd: float | None
    outside: bool


@dataclass(frozen=True)
class Verdict:
    """The model against the baseline on the test windows.

    Attributes:
        word: ``beats``, ``ties`` or ``loses``; None where there is no test split.
        skill: 1 - MAE(model) / MAE(baseline); None where the baseline makes no error.
        baseline: the forecast it was compared with.
        p_value: two-sided, of the Diebold-Mariano test; None with too few origins or no difference.
        metrics: metric by name, by forecast: ``{"model": {"mae": …}, "naive": {…}}``; NaN where undefined.
        reasons: why, for each that is NaN, in the same shape.
        sentence: the verdict in plain words.
        seeds: how far the members of an ensemble lie apart; None with fewer than two.
    """

    word: Word | None
    skill: float | None
    baseline: str
    p_value: float | None
    metrics: Mapping[str, Mapping[str, float]]
    reasons: Mapping[str, Mapping[str, str]]
    sentence: str
    seeds: SeedSpread | None

    @property
    def worse(self) -> bool:
        """Whether the model is worse than the baseline beyond chance."""
        return self.word == "loses"


def best_baseline(actual: Floats, forecasts: Mapping[str, Floats]) -> str:
    """Name of the forecast with the lowest MAE, the first of equals; arrays [W, H] of validation windows.

    A forecast whose MAE is undefined is chosen only if all are.
    """
    errors = {name: mae(actual, forecast) for name, forecast in forecasts.items()}
    return min(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])


def judge(
    truth: Truth,
    forecasts: Mapping[str, Floats],
    *,
    baseline: str,
    reference: Floats | None = None,
    members: Sequence[Floats] = (),
) -> Verdict:
    """Compares the model with a baseline on the same windows, and measures all forecasts.

    Skill is in original units, the test in units of each series (its MASE scale; 1 where it has none): in a
    panel they can point apart, and then it is a tie.

    Args:
        truth: the test windows.
        forecasts: [W, H] by name; ``model`` is the one that is judged.
        baseline: name of the forecast it is compared with.
        reference: forecast [W, H] of Naive2, for OWA.
        members: forecasts [W, H] of each seed of an ensemble.

    Raises:
        ValueError: the model or the baseline has no forecast for a value that is known.
    """
    model, rival = forecasts["model"], forecasts[baseline]
    loss = (np.abs(model - truth.actual) - np.abs(rival - truth.actual)) / _units(truth)
    if not np.array_equal(np.isnan(loss), np.isnan(truth.actual)):
        raise ValueError("a forecast is missing where the value is known")
    naive2 = measure(truth, reference) if reference is not None else None
    measured = {name: measure(truth, values, reference=naive2) for name, values in forecasts.items()}
    ours, theirs = (measured[name].values["mae"] for name in ("model", baseline))
    skill = 1 - ours / theirs if theirs > 0 else None
    differences = by_origin(loss, truth.origins)
    horizon = truth.actual.shape[1]
    p_value = diebold_mariano(differences, horizon=horizon)
    word = _word(skill, p_value, differences)
    seeds = _seed_spread(truth.actual, members, rival)
    said = _sentence(word, skill, p_value, differences, horizon=horizon, name=_WORDS.get(baseline, baseline))
    if np.array_equal(model, rival) and skill is not None:
        said = _same_sentence(baseline)
    sentences = [said, *_better_ones(word, measured), *([_seeds_sentence(seeds, theirs)] if seeds else [])]
    return Verdict(
        word,
        skill,
        baseline,
        p_value,
        metrics={name: found.values for name, found in measured.items()},
        reasons={name: found.reasons for name, found in measured.items()},
        sentence=" ".join(sentences),
        seeds=seeds,
    )


def no_verdict() -> Verdict:
    """The verdict of a run without a test split: none."""
    sentence = "No verdict: there is no test split (split.test: 0)."
    return Verdict(None, None, "naive", None, metrics={}, reasons={}, sentence=sentence, seeds=None)


def scaled_error(truth: Truth, forecast: Floats) -> float:
    """The mean absolute error [W, H] in the unit of the test: each series by its MASE scale, one per origin.

    NaN where no value is known, infinite where a forecast of a known one is missing or has no number.
    """
    loss = np.abs(forecast - truth.actual) / _units(truth)
    known = ~np.isnan(truth.actual)
    if not np.isfinite(loss[known]).all():
        return math.inf
    means = by_origin(loss, truth.origins)
    return float(np.mean(means)) if len(means) else math.nan


def _units(truth: Truth) -> Floats:
    """What the errors of each window are divided by, [W, 1]."""
    return np.where(truth.mase_scale > 0, truth.mase_scale, 1.0)[truth.series, None]


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
    covariances = [float(np.sum(centred[lag:] * centred[: count - lag])) / count for lag in range(horizon)]
    variance = (covariances[0] + 2 * sum(covariances[1:])) / count
    if variance <= 0:
        return None
    from scipy.special import stdtr

    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = mean / math.sqrt(variance) * math.sqrt(correction)
    return float(2 * stdtr(count - 1, -abs(statistic)))


def _fewest(horizon: int) -> int:
    return max(20, 2 * horizon)


def _word(skill: float | None, p_value: float | None, differences: Floats) -> Word:
    if skill is None or p_value is None or p_value >= _LEVEL:
        return "ties"
    better = float(differences.mean()) < 0
    return "beats" if skill > 0 and better else "loses" if skill < 0 and not better else "ties"


def _seed_spread(actual: Floats, members: Sequence[Floats], rival: Floats) -> SeedSpread | None:
    """Spread of the members' errors beside those of the rival forecast."""
    errors = np.array([mae(actual, member) for member in members])
    baseline = mae(actual, rival)
    if len(errors) < 2 or np.isnan(errors).any():
        return None
    apart = errors - errors[0]  # seeds that agree have a spread of 0 and not of rounding
    mean, deviation = float(errors[0] + apart.mean()), float(apart.std(ddof=1))
    return SeedSpread(
        len(errors),
        mean,
        deviation,
        skill_mean=1 - mean / baseline if baseline > 0 else None,
        skill_sd=deviation / baseline if baseline > 0 else None,
        outside=abs(baseline - mean) > 2 * deviation,
    )


def _sentence(
    word: Word, skill: float | None, p_value: float | None, differences: Floats, *, horizon: int, name: str
) -> str:
    if len(differences) == 0:
        return f"No better than {name} can be shown: no value of the test split was observed."
    if skill is None:
        return f"No better than {name}: the {name.removeprefix('the ')} forecast makes no error here."
    if not np.any(differences):
        return f"No better than {name}: both make the same errors."
    size = f"{abs(skill):.1%}".replace("%", " %")
    found = f"MAE {size} {'lower' if skill > 0 else 'higher'}"
    if len(differences) < _fewest(horizon):
        count = (
            "1 forecast origin is" if len(differences) == 1 else f"{len(differences)} forecast origins are"
        )
        need = f"too few for a test (it needs {_fewest(horizon)})"
        return f"No better than {name} can be shown: {found}, but {count} {need}."
    if p_value is None:
        return f"No better than {name} can be shown: {found}, and the differences allow no test."
    shown = f"p = {p_value:.2g}" if p_value >= 0.001 else "p < 0.001"
    if word == "beats":
        return f"Beats {name} by {size} ({shown})."
    if word == "loses" and skill < -1:
        return f"Worse than {name}: {1 - skill:.1f} times its error ({shown}): do not use."
    if word == "loses":
        return f"Worse than {name} by {size} ({shown}): do not use."
    if p_value < _LEVEL:
        return f"No better than {name} can be shown: {found}, but not on most series ({shown})."
    return f"No better than {name}: {found}, which chance could explain ({shown})."


def _better_ones(word: Word, measured: Mapping[str, Measures]) -> list[str]:
    """Says where another forecast did better on these rows than a model that beats its baseline.

    The baseline was chosen on validation: the one that does best on the test may be another.
    """
    ours = measured["model"].values["mae"]
    better = [name for name, found in measured.items() if found.values["mae"] < ours]
    if word != "beats" or not better:
        return []
    best = min(better, key=lambda name: measured[name].values["mae"])
    return [f"But {_WORDS.get(best, best)} has a lower error still on these rows."]


def _same_sentence(baseline: str) -> str:
    if baseline == "naive":
        return "No better than naive: the model forecasts exactly the last value."
    name = _WORDS.get(baseline, baseline)
    return f"No better than {name}: the model forecasts exactly what {name} does."


def _seeds_sentence(seeds: SeedSpread, baseline: float) -> str:
    count = _COUNTS[seeds.count - 2] if seeds.count <= 10 else str(seeds.count)
    what = "gain" if seeds.mae_mean < baseline else "difference"
    lies = "outside" if seeds.outside else "within"
    spread = _plus_minus(seeds.mae_mean, seeds.mae_sd)
    return f"{count} seeds: MAE {spread}; the {what} lies {lies} the seed spread."


def _plus_minus(mean: float, deviation: float) -> str:
    """``1.23 ± 0.04``: decimals for one digit of the deviation, or for three of the mean where it is 0."""
    if not 1e-4 <= mean < 1e9:
        return f"{mean:.3g} ± {deviation:.1g}"
    places = -math.floor(math.log10(deviation or mean / 100))
    decimals = min(6, max(0, places))
    return f"{mean:,.{decimals}f} ± {deviation:,.{decimals}f}"
