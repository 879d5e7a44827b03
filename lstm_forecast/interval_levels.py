"""The levels of a forecast's intervals: which ones a run can give, and what stands behind each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_forecast.dated import Interval
from lstm_forecast.errors import DataInvalid, UsageError
from lstm_forecast.opening import Opened


def chosen_levels(opened: Opened, asked: Sequence[float] | None) -> tuple[float, ...]:
    """The levels of this forecast's intervals: those asked for, else the run's.

    Raises:
        UsageError: the run has no intervals, or not this pair of quantiles.
        DataInvalid: too few calibration windows for a level.
    """
    calibration = opened.calibration
    if asked is None:
        return opened.config.forecast.intervals.levels if calibration is not None else ()
    if calibration is None:
        raise UsageError(
            "predict.levels",
            "the run has no intervals (forecast.intervals.method: none)",
            where="--levels",
            hint="train again with forecast.intervals.method: conformal"
            + (" and split.validation: 0.1" if opened.config.split.validation == 0 else ""),
        )
    count = int(calibration.windows()[0])
    for level in asked:
        if calibration.column(level) is None:
            known = ", ".join(f"{pair:g}" for pair in sorted(calibration.pairs))
            raise UsageError(
                "predict.levels",
                f"no quantiles of {level:g} % were trained; expected {known}",
                where="--levels",
                hint="train again with their quantiles in model.quantiles",
            )
        if not calibration.possible(level)[0]:
            raise _too_few(level, count)
    return tuple(sorted(set(asked)))


def interval_list(
    opened: Opened, levels: Sequence[float], horizon: int, *, series: Sequence[int]
) -> tuple[Interval, ...]:
    """What stands behind the bounds of each level, for a forecast of ``horizon`` steps of these series."""
    calibration = opened.calibration
    found = []
    for level in levels:
        assert calibration is not None
        counts = calibration.windows_behind(np.array(series, dtype=np.int64)).min(axis=0, initial=2**31)
        fewest = min(counts[:horizon][calibration.possible(level)[:horizon]].tolist(), default=0)
        measured = calibration.coverage.get(level)
        count = 0 if measured is None else int(measured.count[:horizon].sum())
        inside = 0.0 if measured is None else float(np.nansum((measured.share * measured.count)[:horizon]))
        found.append(Interval(level, int(counts[0]), int(fewest), inside / count if count else None, count))
    return tuple(found)


def _too_few(level: float, count: int) -> DataInvalid:
    from lstm_forecast.forecasting.calibration import highest_level, windows_needed

    highest = highest_level(count)
    return DataInvalid(
        "intervals.level",
        f"an interval of {level:g} % needs {windows_needed(level)} calibration windows, the run has {count}",
        where="--levels",
        hint=f"ask for at most {highest:g} %" if highest else "train again with a larger split.validation",
    )
