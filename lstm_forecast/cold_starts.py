"""Series that the networks were not trained on: units of their own rows, and the pooled measure of intervals.

What the networks learned of all series is not bound to one of them: they see values in units of each series,
and answer in these. So a series that came after the training needs its units and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import FLAGS, NUMBERS, Scaling
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.statics import Statics
from lstm_forecast.errors import nearest
from lstm_forecast.events import Events
from lstm_forecast.gating import MODEL
from lstm_forecast.opening import Opened

_NAMED = 5  # series in a warning
_SHARED = ("offset", "unit", "step_unit")  # of all series, where scaling.per is global


def with_cold_starts(opened: Opened, panel: Panel) -> Opened:
    """The run with units for the series that have none, fitted on their rows in this panel.

    These are the series of the panel that the run never saw, and where the network forecasts, those that had
    fewer than two training rows.

    Args:
        opened: the run.
        panel: its series, then the new ones.
    """
    preprocess, known = opened.preprocess, len(opened.preprocess.series_ids)
    new = len(panel) - known
    bare = np.flatnonzero(~preprocess.scaling.trained & (panel.lengths[:known] > 0))
    bare = bare if opened.issued == MODEL else bare[:0]
    cold = [int(s) for s in (*bare, *range(known, len(panel)))]
    if not cold:
        return opened
    ids = panel.series_ids
    own = networks.fit_units(opened.config, panel.pick(cold, tuple(ids[s] for s in cold)))
    held_out, last = preprocess.held_out_scaling, opened.context.offsets[-1:]
    what = panel.statics
    named = replace(
        preprocess,
        series_ids=ids,
        scaling=_with_units(opened, preprocess.scaling, own, cold, what),
        held_out_scaling=None if held_out is None else _with_units(opened, held_out, own, cold, what),
    )
    offsets = np.concatenate([opened.context.offsets, np.repeat(last, new)])
    ends = (np.concatenate([end, np.repeat(last, new)]) for end in vars(opened.splits).values())
    scores = opened.scores
    if opened.calibration is not None:
        floor = _extended(opened.calibration.floor, new)
        floor[cold] = own.error_unit
        scores = {**scores, "floor": floor}
    context = replace(opened.context, offsets=offsets, series_ids=ids)
    return replace(
        opened,
        preprocess=named,
        context=context,
        splits=Splits(*ends),
        scores=scores,
        cold=tuple(cold),
        new=new,
    )


def warn_of_cold(opened: Opened, series: Sequence[int], issued: Sequence[int], events: Events) -> None:
    """Says which of these series were not trained on; a new one may be a known one under another name.

    Args:
        opened: the run.
        series: those that are forecast.
        issued: those of them that are forecast by what the run issues.
        events: told so.
    """
    ids = opened.preprocess.series_ids
    known = ids[: len(ids) - opened.new]
    cold = frozenset(opened.cold)
    new = [s for s in series if s in cold and s >= len(known)]
    bare = [s for s in issued if s in cold and s < len(known)]
    if new:
        near = {s: nearest(ids[s], known) for s in new[:_NAMED]}
        names = [ids[s] + (f" (nearest known: {near[s]})" if near[s] else "") for s in new[:_NAMED]]
        what = f"{len(new)} series not seen in training: {_listed(names, len(new))}"
        shared = opened.config.scaling.per == "global"
        units = "the units of all series" if shared else "units of their own rows"
        events.warn("predict.new_series", f"{what}; forecast all the same, in {units}")
    if bare:
        names = [ids[s] for s in bare[:_NAMED]]
        what = f"{len(bare)} series without rows to train on: {_listed(names, len(bare))}"
        events.warn("predict.untrained", f"{what}; forecast all the same, in units of their newer rows")


def _listed(names: Sequence[str], count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")


def _with_units(
    opened: Opened, scaling: Scaling, own: Scaling, cold: Sequence[int], statics: Statics | None
) -> Scaling:
    """The scaling with these series in their own units, or in those that all share, and what all series are.

    What the networks were trained on is the range of all series that they were trained on.
    """
    arrays: dict[str, Any] = {}
    for name in (*NUMBERS, *FLAGS):
        old = getattr(scaling, name)
        arrays[name] = _extended(old, max(cold) + 1 - len(old))
        shared = name in _SHARED and opened.config.scaling.per == "global"
        arrays[name][list(cold)] = old[0] if shared else getattr(own, name)
    if scaling.trained.any():
        arrays["input_low"][list(cold)] = scaling.input_low[scaling.trained].min(axis=0)
        arrays["input_high"][list(cold)] = scaling.input_high[scaling.trained].max(axis=0)
    return replace(scaling, statics=statics, **arrays)


def _extended(array: NDArray[np.float64], more: int) -> NDArray[np.float64]:
    """A copy with so many rows more, to be filled."""
    return np.concatenate([array, np.repeat(array[:1], max(more, 0), axis=0)])
