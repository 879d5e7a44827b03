"""The quantiles that bound an interval, and whether a configuration takes its intervals from them."""

from collections.abc import Sequence

from lstm_forecast.config.kinds import QUANTILE_TOLERANCE, trimmed
from lstm_forecast.config.loading import Loaded


def has_quantile_head(loaded: Loaded) -> bool:
    """Whether the head gives quantiles; where it was not set, the keys that only go with one decide."""
    config = loaded.config
    if loaded.was_set("model.head"):
        return config.model.head == "quantile"
    return config.forecast.intervals.method == "quantile" or config.training.loss == "pinball"


def takes_quantiles(loaded: Loaded) -> bool:
    """Whether the intervals are those of the quantile head; where that was not set, the head decides."""
    if loaded.was_set("forecast.intervals.method"):
        return loaded.config.forecast.intervals.method == "quantile"
    return has_quantile_head(loaded)


def bounds(level: float) -> tuple[float, float]:
    """The two quantiles between which lies the share ``level`` (percent) of the values."""
    # Rounded because (1 - 0.9) / 2 is not 0.05 to the last digit.
    return round((1 - level / 100) / 2, 12), round((1 + level / 100) / 2, 12)


def missing_quantiles(levels: Sequence[float], quantiles: Sequence[float]) -> tuple[float, ...]:
    """The quantiles that these levels (percent) need beside the given ones, in order."""
    needed = {bound for level in levels for bound in bounds(level)}
    return tuple(sorted(q for q in needed if all(abs(q - given) > QUANTILE_TOLERANCE for given in quantiles)))


def paired_levels(levels: Sequence[float], quantiles: Sequence[float]) -> tuple[float, ...]:
    """Those of the levels (percent) whose two quantiles are given."""
    return tuple(level for level in levels if not missing_quantiles([level], quantiles))


def levels_of(quantiles: Sequence[float]) -> tuple[float, ...]:
    """The levels (percent) of the pairs around the median, in order."""
    upper = quantiles[len(quantiles) // 2 + 1 :]
    return tuple(trimmed(round((2 * q - 1) * 100, 9)) for q in upper)
