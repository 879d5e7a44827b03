"""How wrong held-out forecasts were, by step: what an interval's width is taken from.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, section 2.2): where the next score
may as well have any rank among the n known ones, the ⌈(n + 1) · level⌉-th smallest of them covers it with at
least that probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.flat import BLOCK_CELLS, blocks
from lstm_forecast.forecasting.volatility import Scale

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Method = Literal["conformal", "quantile"]
OWN_SCORES = 100  # windows from which a series stands alone; an assumption: 95 % is then its 96th score
MOST_LEVELS = 99  # pairs or levels in a run's file; the configuration allows 49 pairs and 20 levels
LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Coverage:
    """How often held-out values lay inside the bounds, by step.

    ``share`` float64 [K], NaN where nothing was counted; ``count`` int64 [K], how many were.
    """

    share: Floats
    count: Counts


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out forecasts, by step.

    Attributes:
        method: ``conformal``: one score per forecast; ``quantile``: one per pair of quantiles.
        scale: what the scores were divided by.
        scores: [n, K, P], oldest first within each series; NaN where the value was not observed.
            See :func:`residual_scores` and :func:`quantile_scores`.
        series: each window's series, [n].
        floor: MASE scale of each series in original units, [S].
        pairs: levels of the P pairs of quantiles in percent; empty for ``conformal``, where P is 1.
        coverage: measured on the test split, by level in percent.
    """

    method: Method
    scale: Scale
    scores: Floats
    series: Counts
    floor: Floats
    pairs: tuple[float, ...]
    coverage: Mapping[float, Coverage]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The tensors of a run's file."""
        return {"scores": self.scores, "series": self.series, "floor": self.floor}

    def to_json(self) -> dict[str, Any]:
        """The rest, as plain JSON: a share that was not measured is null."""
        measured = [
            {
                "level": level,
                "share": [None if np.isnan(share) else share for share in found.share.tolist()],
                "count": found.count.tolist(),
            }
            for level, found in self.coverage.items()
        ]
        return {
            "method": self.method,
            "scale": self.scale,
            "pairs": list(self.pairs),
            "coverage": measured,
        }

    @classmethod
    def from_parts(cls, arrays: Mapping[str, NDArray[Any]], fields: Any, *, series_count: int) -> Calibration:
        """The inverse of :meth:`to_arrays` and :meth:`to_json`, from files that may hold anything.

        Raises:
            ValueError: saying which part is missing, of another shape or type, or out of range.
        """
        if not isinstance(fields, dict) or set(fields) != {"method", "scale", "pairs", "coverage"}:
            raise ValueError("the calibration is not a mapping of method, scale, pairs and coverage")
        if fields["method"] not in get_args(Method) or fields["scale"] not in get_args(Scale):
            raise ValueError(f"method {fields['method']!r} or scale {fields['scale']!r} is unknown")
        pairs = _checked_pairs(fields["pairs"], fields["method"])
        _check_arrays(arrays, columns=max(1, len(pairs)), series_count=series_count)
        scores, series, floor = (arrays[name] for name in ("scores", "series", "floor"))
        if fields["method"] == "conformal" and (scores < 0).any():
            raise ValueError("scores: some are negative; distances are not")
        coverage = _checked_coverage(fields["coverage"], scores.shape[1])
        return cls(fields["method"], fields["scale"], scores, series, floor, pairs, coverage)

    def with_coverage(self, coverage: Mapping[float, Coverage]) -> Calibration:
        """The same, with what was measured on the test split."""
        return replace(self, coverage=dict(coverage))

    def windows(self) -> Counts:
        """Calibration windows whose value was observed, over all series: [K]."""
        return _known(self.scores[:, :, 0])

    def windows_behind(self, series: Counts) -> Counts:
        """Calibration windows that the intervals of each of these series rest on: [S', K]."""
        known, size = ~np.isnan(self.scores[:, :, 0]), len(self.floor)
        own = np.array([np.bincount(self.series[step], minlength=size)[series] for step in known.T])
        return np.where(own.T >= OWN_SCORES, own.T, self.windows())

    def possible(self, level: float) -> NDArray[np.bool_]:
        """Whether there is an interval of this level, by step: [K]."""
        counts = self.windows()
        return (rank(counts, level) <= counts) & (self.column(level) is not None)

    def column(self, level: float) -> int | None:
        """Which of the P scores belongs to a level; None where its quantiles were not trained."""
        if self.method == "conformal":
            return 0
        near = [number for number, pair in enumerate(self.pairs) if abs(pair - level) < 1e-6]
        return near[0] if near else None

    def margins(self, level: float, *, series: Counts, unit: Floats) -> Floats:
        """How far each interval reaches beyond the forecast, in original units: [W, K].

        Args:
            level: percent.
            series: each window's series, [W].
            unit: unit of each window's scores, [W].
        """
        return in_units(self.covering(level, series)[series], unit)

    def covering(self, level: float, series: Counts) -> Floats:
        """The score that covers with this probability, of each series that comes in ``series`` [W]: [S, K].

        From the series' own scores where it has 100 and the level is possible with them, else from all.
        NaN at a step with too few scores. Those of quantiles may be negative: the interval shrinks.
        """
        column, steps = self.column(level), self.scores.shape[1]
        if column is None:
            return np.full((len(self.floor), steps), np.nan)
        scores = self.scores[:, :, column]
        table = np.tile(smallest_covering(scores, level), (len(self.floor), 1))
        counts = np.bincount(self.series, minlength=len(self.floor))
        if np.count_nonzero(counts) == 1:  # its own scores are all there are
            return table
        order = np.argsort(self.series, kind="stable")
        wanted = np.where(np.isin(np.arange(len(counts)), series) & (counts >= OWN_SCORES), counts, 0)
        for block in blocks(np.cumsum(counts) - counts, wanted, cells=max(1, BLOCK_CELLS // steps)):
            own = np.moveaxis(scores[block.of(order)], 1, 0)  # [n, G, K]
            own_score = smallest_covering(own, level)
            alone = (_known(own) >= OWN_SCORES) & ~np.isnan(own_score)
            table[block.series] = np.where(alone, own_score, table[block.series])
        return table


def calibrate_conformal(
    actual: Floats, forecast: Floats, unit: Floats, *, series: Counts, scale: Scale, floor: Floats
) -> Calibration:
    """A calibration from the forecasts [W, K] of windows whose future is known, oldest first in each series.

    Args:
        actual: what came, [W, K]; NaN where not observed.
        forecast: what was forecast, [W, K].
        unit: of each window's scores, in original units, [W].
        series: each window's series, [W].
        scale: what ``unit`` is.
        floor: MASE scale of each series, [S].
    """
    scores = residual_scores(actual, forecast, unit)
    return Calibration("conformal", scale, scores, series, floor, (), {})


def calibrate_quantile(
    actual: Floats,
    quantiles: Floats,
    unit: Floats,
    *,
    levels: Sequence[float],
    series: Counts,
    scale: Scale,
    floor: Floats,
) -> Calibration:
    """The same from forecast quantiles [W, K, Q]; ``levels`` [Q]: their probabilities, rising, in pairs."""
    scores = quantile_scores(actual, quantiles, unit)
    return Calibration("quantile", scale, scores, series, floor, pair_levels(levels), {})


def residual_scores(actual: Floats, forecast: Floats, unit: Floats) -> Floats:
    """The distance between forecast and actual value, in units: [W, K, 1]."""
    return _scores(np.abs(actual - forecast)[:, :, None], unit)


def quantile_scores(actual: Floats, quantiles: Floats, unit: Floats) -> Floats:
    """How far the value lay outside each pair of quantiles, negative inside, in units: [W, K, P].

    max(lower - actual, actual - upper), the score of conformalised quantile regression (Romano, Patterson &
    Candès 2019, eq. 6). Outermost pair first.
    """
    pairs = quantiles.shape[2] // 2
    lower, upper = quantiles[:, :, :pairs], quantiles[:, :, ::-1][:, :, :pairs]
    value = actual[:, :, None]
    return _scores(np.maximum(lower - value, value - upper), unit)


def pair_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Percent between each pair of quantiles, outermost first: 0.025 … 0.975 make 95."""
    exact = [Fraction(str(float(level))) for level in levels]
    pairs = zip(exact[: len(exact) // 2], reversed(exact), strict=False)
    return tuple(float(round(100 * (high - low), 6)) for low, high in pairs)


def rank(counts: Counts, level: float) -> Counts:
    """⌈(n + 1) · level⌉, at least 1, for each n: which score covers with probability ``level``.

    Exact: 19 scores at 95 % give 19, where floating point could give 20. Decimals of a percentage beyond the
    sixth do not count.

    Raises:
        ValueError: a level outside 0 … 100.
    """
    share = _probability(level)
    return np.maximum(-(-(counts + 1) * share.numerator // share.denominator), 1)


def highest_level(count: int) -> float | None:
    """The highest level that ``count`` windows allow, in whole percent, from 99 on in tenths; None: none."""
    whole = 100 * count // (count + 1)
    return (1000 * count // (count + 1)) / 10 if whole >= 99 else float(whole) or None


def windows_needed(level: float) -> int:
    """The fewest calibration windows with which a level is possible: 19 for 95 %."""
    share = _probability(level)
    return max(1, -(-share.numerator // (share.denominator - share.numerator)))


def smallest_covering(scores: Floats, level: float) -> Floats:
    """The smallest known score that covers with probability ``level``, by column: [n, …] gives […].

    NaN scores do not count. NaN where the known ones are too few.
    """
    counts = _known(scores)
    wanted = rank(counts, level)
    if len(scores) == 0:
        return np.full(scores.shape[1:], np.nan)
    if scores.ndim == 2 and len(scores) > scores.shape[1]:  # no copy of all
        return np.array([_smallest(*one) for one in zip(scores.T, counts, wanted, strict=True)])
    ordered = np.sort(scores, axis=0)  # NaN last
    place = np.minimum(wanted, len(scores)) - 1
    found = np.take_along_axis(ordered, place[None], axis=0)[0]
    return np.where(wanted <= counts, found, np.nan)


def _smallest(scores: Floats, count: int, wanted: int) -> float:
    """The ``wanted``-th smallest of the ``count`` known ones; NaN where there are not as many."""
    if wanted > count:
        return float("nan")
    return float(np.partition(scores[~np.isnan(scores)], wanted - 1)[wanted - 1])


def in_units(scores: Floats, unit: Floats) -> Floats:
    """Scores [W, K] in original units; NaN where that is beyond every number.

    Four roundings wider than the product: dividing by a unit and multiplying again may lose a bit, and of
    values that move in ticks, many lie right on the bound.
    """
    with np.errstate(over="ignore"):
        margin = scores * unit[:, None]
        margin += 4 * np.finfo(np.float64).eps * np.abs(margin)
    return np.where(np.isinf(margin), np.nan, margin)


def _probability(level: float) -> Fraction:
    """Percent as an exact fraction of 1."""
    if not 0 < level < 100:
        raise ValueError(f"a level of {level} % was asked; expected one between 0 and 100")
    share = Fraction(str(float(level))).limit_denominator(10**6) / 100
    return min(share, 1 - Fraction(1, 10**8))


def _scores(distance: Floats, unit: Floats) -> Floats:
    """A distance [W, K, P] in units, never infinite; in its place."""
    with np.errstate(over="ignore"):
        distance /= unit[:, None, None]
    return np.clip(distance, -LARGEST, LARGEST, out=distance)


def _known(scores: Floats) -> Counts:
    return np.asarray((~np.isnan(scores)).sum(axis=0), dtype=np.int64)


def _checked_pairs(pairs: Any, method: Method) -> tuple[float, ...]:
    if not isinstance(pairs, list) or len(pairs) > MOST_LEVELS or not all(map(_is_level, pairs)):
        raise ValueError("pairs: not a list of levels between 0 and 100")
    if bool(pairs) != (method == "quantile"):
        raise ValueError(f"pairs: {len(pairs)} of them with method {method}")
    return tuple(map(float, pairs))


def _check_arrays(arrays: Mapping[str, NDArray[Any]], *, columns: int, series_count: int) -> None:
    kinds = {"scores": (np.float64, 3), "series": (np.int64, 1), "floor": (np.float64, 1)}
    if set(arrays) != set(kinds):
        raise ValueError(
            f"expected the tensors {', '.join(kinds)}; got {', '.join(sorted(arrays)) or 'none'}"
        )
    for name, (kind, dimensions) in kinds.items():
        array = arrays[name]
        if array.dtype != kind or array.ndim != dimensions:
            raise ValueError(f"{name}: {array.dtype} {list(array.shape)}; expected {np.dtype(kind)}")
    scores, series, floor = arrays["scores"], arrays["series"], arrays["floor"]
    if scores.shape[0] != len(series) or scores.shape[1] < 1 or scores.shape[2] != columns:
        raise ValueError(f"scores: {list(scores.shape)} of {len(series)} windows and {columns} columns")
    if np.isinf(scores).any():
        raise ValueError("scores: some are infinite")
    if len(floor) != series_count or not (np.isfinite(floor) & (floor > 0)).all():
        raise ValueError(f"floor: expected {series_count} finite numbers above 0")
    if ((series < 0) | (series >= series_count)).any():
        raise ValueError(f"series: some are not one of {series_count}")


def _checked_coverage(measured: Any, steps: int) -> dict[float, Coverage]:
    if not isinstance(measured, list) or len(measured) > MOST_LEVELS:
        raise ValueError("coverage: not a short list")
    found = {}
    for entry in measured:
        if not isinstance(entry, dict) or set(entry) != {"level", "share", "count"}:
            raise ValueError("coverage: an entry is not level, share and count")
        level, shares, counts = entry["level"], entry["share"], entry["count"]
        lists = isinstance(shares, list) and isinstance(counts, list)
        if not _is_level(level) or not lists or not len(shares) == len(counts) == steps:
            raise ValueError(f"coverage: a level without {steps} shares and counts")
        if not all(share is None or (type(share) in (int, float) and 0 <= share <= 1) for share in shares):
            raise ValueError(f"coverage: a share of level {level} is not between 0 and 1")
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
            raise ValueError(f"coverage: a count of level {level} is not a whole number")
        share = np.array([np.nan if share is None else share for share in shares], dtype=np.float64)
        found[float(level)] = Coverage(share, np.array(counts, dtype=np.int64))
    return found


def _is_level(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 100
