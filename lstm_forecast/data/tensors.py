"""The panel as tensors on a device, and batches gathered from them by index.

The data lives on the device once; a batch is ``tensor[start[:, None] + arange(length)]``, so memory grows
with the rows and not with rows × lookback, and no loader stands between the data and the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import WINDOWED, Anchor, Normalize, Scaling
from lstm_forecast.data.transform import Transform, transformed_panel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PanelTensors:
    """A panel as the network uses it.

    Attributes:
        inputs: float32 [N, F], what the network sees, but for what is taken out window by window.
        levels: [N], the transformed target in units of the head; float64, but float32 where the device has
            no float64.
        known: float32 [N], 1 where the target was observed, 0 where it was filled.
        anchor: what the head's answer is added to.
        season: steps per season, m.
        normalize: what is taken out of each window, ``last`` or ``mean_std``; else nothing here.
        begin: int64 [N], first flat row of each row's series; None unless the anchor is seasonal.
        floor: float32 [N, F], lowest scale of a window in units of the inputs; None unless mean_std.
        first: float32 [N, F], what a window that begins at a row sees in its first step, where inputs are
            differences and that step has nothing before it; None where it sees the row's own inputs.
        units: the way from units of the head to original ones, for losses that are taken there.
        ahead: P, number of last inputs that are known ahead.
        statics: float32 [S, K], what the series are; None where nothing is said of that.
        owner: int64 [N], the series of each row; None without ``statics``.
    """

    inputs: Tensor
    levels: Tensor
    known: Tensor
    anchor: Anchor
    season: int
    normalize: Normalize
    begin: Tensor | None
    floor: Tensor | None
    first: Tensor | None
    units: Units
    ahead: int = 0
    statics: Tensor | None = None
    owner: Tensor | None = None


@dataclass(frozen=True)
class Units:
    """From a level in units of the head to the target in its own.

    Attributes:
        transform: of the target.
        unit: float32 [N], transformed units in one of the head's; that of each row's series.
        origin: float32 [N], transformed value where the level is 0.
        error: float32 [N], the MASE scale.
    """

    transform: Transform
    unit: Tensor
    origin: Tensor
    error: Tensor


@dataclass(frozen=True)
class Batch:
    """``x`` [B, L, F]; ``y`` and ``weight`` [B, H], or [B, T, H] at T supervised steps.

    ``base`` is what answers are added to, in units of the head: of y's shape, or [B, T, 1]; ``scale`` is what
    they are multiplied by before, [B, 1] or 1; ``start`` [B] are the flat rows that the windows begin at;
    ``ahead`` [B, H, P] or [B, T, H, P] are the inputs known ahead of those steps, ``static`` [B, K] what the
    series are, None where there are none.
    """

    x: Tensor
    y: Tensor
    weight: Tensor
    base: Tensor
    scale: Tensor
    start: Tensor
    ahead: Tensor | None = None
    static: Tensor | None = None

    def rows(self, rows: slice) -> Batch:
        """These windows of it, as views."""
        ahead, static = (None if part is None else part[rows] for part in (self.ahead, self.static))
        scale = self.scale if len(self.scale) == 1 else self.scale[rows]
        x, y, weight, base = (part[rows] for part in (self.x, self.y, self.weight, self.base))
        return Batch(x, y, weight, base, scale, self.start[rows], ahead, static)


def panel_tensors(
    panel: Panel, scaling: Scaling, *, anchor: Anchor, season: int, device: torch.device
) -> PanelTensors:
    """Moves a panel without empty cells to a device, in the units of the network."""
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    values = transformed_panel(panel, scaling.transform)
    starts = panel.offsets[:-1]
    starts = starts[starts < len(values)]
    first, known = None, panel.observed[:, 0]
    if scaling.normalize == "diff":
        steps = np.diff(values, axis=0, prepend=values[:1])
        steps[starts] = 0.0  # a series' first row has nothing before it
        inputs = steps / scaling.step_unit[series]
        first = np.zeros_like(inputs)
    else:
        inputs = (values - scaling.offset[series]) / scaling.unit[series]
    if scaling.ahead:
        plain = slice(-scaling.ahead, None)
        inputs[:, plain] = (values - scaling.offset[series])[:, plain] / scaling.unit[series][:, plain]
        if first is not None:
            first[:, plain] = inputs[:, plain]
    if scaling.transform == "diff":
        first = inputs.copy()
        first[:, 0] = (-scaling.offset[:, 0] / scaling.unit[:, 0])[series]
        known = known & np.concatenate([[False], known[:-1]])
        known[starts] = False
    # An anchored target is a difference: measured from the series' first value it keeps its digits also where
    # the level is large and the moves are small.
    counted = anchor != "none" or scaling.normalize in WINDOWED
    begin = values[np.minimum(panel.offsets[:-1], len(values) - 1), 0]
    origin = begin if counted else scaling.offset[:, 0]
    levels = (values[:, 0] - origin[series]) / scaling.head_unit[series]
    wide = torch.float32 if device.type == "mps" else torch.float64

    def narrow(array: Floats) -> Tensor:
        return torch.from_numpy(array).to(torch.float32).to(device)

    return PanelTensors(
        inputs=narrow(inputs),
        levels=torch.from_numpy(levels).to(wide).to(device),
        known=torch.from_numpy(known.astype(np.float32)).to(device),
        anchor=anchor,
        season=season,
        normalize=scaling.normalize,
        begin=torch.from_numpy(panel.offsets[series]).to(device) if anchor == "seasonal" else None,
        floor=narrow(scaling.floor[series]) if scaling.normalize == "mean_std" else None,
        first=None if first is None else narrow(first),
        units=Units(
            scaling.transform,
            *(narrow(array[series]) for array in (scaling.head_unit, origin, scaling.error_unit)),
        ),
        ahead=scaling.ahead,
        statics=None if scaling.statics is None else narrow(scaling.statics.codes),
        owner=None if scaling.statics is None else torch.from_numpy(series).to(device),
    )


def _stretches(values: Tensor, start: Tensor, length: int) -> Tensor:
    """So many rows from each flat row ``start`` [B] on: [N, …] → [B, length, …]."""
    if values.device.type != "cpu":
        return values[start[:, None] + torch.arange(length, device=start.device)]
    # Whole stretches of a view in which they overlap: a tenth of the time of an index for every row. Another
    # device may copy such a view before it looks into it.
    shape = max(len(values) - length + 1, 0), length, *values.shape[1:]
    return values.as_strided(shape, (values.stride(0), *values.stride())).index_select(0, start)


def gather_inputs(tensors: PanelTensors, start: Tensor, lookback: int) -> Tensor:
    """Inputs of the windows that begin at flat rows ``start`` [B]: [B, L, F]."""
    x = _stretches(tensors.inputs, start, lookback)
    if tensors.first is not None:
        x[:, 0] = tensors.first[start]
    if tensors.normalize not in WINDOWED:
        return x
    if tensors.floor is None:
        shown = x - x[:, -1:]
    else:
        deviation = x.std(dim=1, keepdim=True, correction=0)
        shown = (x - x.mean(dim=1, keepdim=True)) / torch.maximum(deviation, tensors.floor[start, None])
    if tensors.ahead:
        shown[:, :, -tensors.ahead :] = x[:, :, -tensors.ahead :]
    return shown


def gather_ahead(tensors: PanelTensors, ends: Tensor, horizon: int) -> Tensor | None:
    """Inputs known ahead of the H rows after each flat row ``ends`` [...]: [..., H, P]; None without any."""
    if not tensors.ahead:
        return None
    rows = _stretches(tensors.inputs[:, -tensors.ahead :], ends.flatten() + 1, horizon)
    return rows.view(*ends.shape, horizon, tensors.ahead)


def gather_static(tensors: PanelTensors, start: Tensor) -> Tensor | None:
    """What the series of windows that begin at flat rows ``start`` [B] are: [B, K]; None without statics."""
    if tensors.statics is None or tensors.owner is None:
        return None
    return tensors.statics[tensors.owner[start]]


def gather_batch(
    tensors: PanelTensors,
    start: Tensor,
    *,
    lookback: int,
    horizon: int,
    every_step: bool,
    segment: int = 1,
) -> Batch:
    """Inputs and targets of the windows that begin at flat rows ``start`` [B].

    With ``every_step`` the targets of a step are the H values after it ("forking sequences", Wen et al. 2017,
    arXiv 1711.11053), at the last step of every segment; else only those after the window's end.
    """
    device = start.device
    levels, known = (_stretches(part, start, lookback + horizon) for part in (tensors.levels, tensors.known))
    first = segment if every_step else lookback
    y = levels.unfold(1, horizon, 1)[:, first::segment]  # [B, T, H]
    weight = known.unfold(1, horizon, 1)[:, first::segment]
    ends = torch.arange(first - 1, lookback, segment, device=device)
    if tensors.anchor == "seasonal":
        steps = torch.arange(1, horizon + 1, device=device)
        back = steps - tensors.season * -(-steps // tensors.season)  # season_rows, and no copy to wait for
        seen = ends[:, None] + back  # [T, H], from the window's first row
        if first >= tensors.season:  # no answer looks back behind it
            base = levels.index_select(1, seen.flatten()).view(-1, *seen.shape)  # [B, T, H]
        else:
            before = start[:, None, None] + seen
            assert tensors.begin is not None
            weight = weight * (before >= tensors.begin[start, None, None])
            base = tensors.levels[before.clamp(min=0)]
    elif tensors.anchor == "last" or tensors.normalize == "last":
        base = levels[:, first - 1 : lookback : segment, None]  # [B, T, 1]
    else:
        base = torch.zeros_like(levels[:, :1, None])
    if tensors.floor is None:
        scale, y = torch.ones(1, 1, dtype=levels.dtype, device=device), y - base
    else:
        past = levels[:, :lookback]
        lowest = tensors.floor[start, 0].to(levels)[:, None]
        scale = torch.maximum(past.std(dim=1, keepdim=True, correction=0), lowest)  # [B, 1]
        if tensors.anchor == "none":
            base = past.mean(dim=1)[:, None, None]
        y = (y - base) / scale[:, :, None]
    if not every_step:
        y, weight, base = y[:, 0], weight[:, 0], base[:, 0]
    from_ends = start[:, None] + ends if every_step else start + (lookback - 1)
    return Batch(
        gather_inputs(tensors, start, lookback),
        y.to(torch.float32),
        weight,
        base,
        scale,
        start,
        gather_ahead(tensors, from_ends, horizon),
        gather_static(tensors, start),
    )


def final_outputs(
    final: Callable[[Tensor, Tensor | None, Tensor | None], Tensor],
    tensors: PanelTensors,
    start: Tensor,
    *,
    lookback: int,
    horizon: int,
    batch: int = 1024,
) -> Tensor:
    """The network's answers at the end of each window, in units of the head: [W, H] or [W, H, Q].

    ``final`` is called with the inputs, those known ahead, and what the series are.
    """
    answers = None
    with torch.inference_mode():
        for first in range(0, max(len(start), 1), batch):
            rows = start[first : first + batch]
            answer = final(
                gather_inputs(tensors, rows, lookback),
                gather_ahead(tensors, rows + (lookback - 1), horizon),
                gather_static(tensors, rows),
            )
            if answers is None:  # one block: small ones kept between the large ones would split the heap up
                answers = answer.new_empty(len(start), *answer.shape[1:])
            answers[first : first + batch] = answer
    assert answers is not None
    return answers
