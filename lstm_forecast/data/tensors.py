"""The panel as tensors on a device, and batches gathered from them by index.

The data lives on the device once; a batch is ``tensor[start[:, None] + arange(length)]``, so memory grows
with the rows and not with rows × lookback, and no loader stands between the data and the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.data.transform import transformed_panel


@dataclass(frozen=True)
class PanelTensors:
    """A panel as the network uses it.

    Attributes:
        inputs: float32 [N, F], what the network sees.
        levels: [N], the target in units of the head; float64, but float32 where the device has no float64.
        known: float32 [N], 1 where the target was observed, 0 where it was filled.
        anchored: whether the head gives the difference from the last observed value.
        first: float32 [N, F], what a window that begins at a row sees in its first step, where inputs are
            differences and that step has nothing before it; None where it sees the row's own inputs.
    """

    inputs: Tensor
    levels: Tensor
    known: Tensor
    anchored: bool
    first: Tensor | None


@dataclass(frozen=True)
class Batch:
    """``x`` [B, L, F]; ``y`` and ``weight`` [B, H], or [B, L, H] with every step supervised."""

    x: Tensor
    y: Tensor
    weight: Tensor


def panel_tensors(panel: Panel, scaling: Scaling, *, anchored: bool, device: torch.device) -> PanelTensors:
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
    if scaling.transform == "diff":
        first = inputs.copy()
        first[:, 0] = (-scaling.offset[:, 0] / scaling.unit[:, 0])[series]
        known = known & np.concatenate([[False], known[:-1]])
        known[starts] = False
    # An anchored target is a difference: measured from the series' first value it keeps its digits also where
    # the level is large and the moves are small.
    begin = values[np.minimum(panel.offsets[:-1], len(values) - 1), 0]
    origin = begin if anchored else scaling.offset[:, 0]
    levels = (values[:, 0] - origin[series]) / scaling.head_unit[series]
    wide = torch.float32 if device.type == "mps" else torch.float64
    return PanelTensors(
        inputs=torch.from_numpy(inputs).to(torch.float32).to(device),
        levels=torch.from_numpy(levels).to(wide).to(device),
        known=torch.from_numpy(known).to(torch.float32).to(device),
        anchored=anchored,
        first=None if first is None else torch.from_numpy(first).to(torch.float32).to(device),
    )


def gather_inputs(tensors: PanelTensors, start: Tensor, lookback: int) -> Tensor:
    """Inputs of the windows that begin at flat rows ``start`` [B]: [B, L, F]."""
    x = tensors.inputs[start[:, None] + torch.arange(lookback, device=start.device)]
    if tensors.first is not None:
        x[:, 0] = tensors.first[start]
    return x


def gather_batch(
    tensors: PanelTensors, start: Tensor, *, lookback: int, horizon: int, every_step: bool
) -> Batch:
    """Inputs and targets of the windows that begin at flat rows ``start`` [B].

    With ``every_step`` the targets of step t are the H values after it ("forking sequences", Wen et al. 2017,
    arXiv 1711.11053); else only those after the window's end.
    """
    rows = start[:, None] + torch.arange(lookback + horizon, device=start.device)
    levels, known = tensors.levels[rows], tensors.known[rows]
    if every_step:
        y = levels.unfold(1, horizon, 1)[:, 1:]  # [B, L, H]
        weight = known.unfold(1, horizon, 1)[:, 1:]
        anchor = levels[:, :lookback, None]
    else:
        y, weight = levels[:, lookback:], known[:, lookback:]  # [B, H]
        anchor = levels[:, lookback - 1 : lookback]
    if tensors.anchored:
        y = y - anchor
    return Batch(gather_inputs(tensors, start, lookback), y.to(torch.float32), weight)


def final_outputs(
    final: Callable[[Tensor], Tensor],
    tensors: PanelTensors,
    start: Tensor,
    *,
    lookback: int,
    batch: int = 1024,
) -> Tensor:
    """The network's answers at the end of each window, in units of the head: [W, H] or [W, H, Q]."""
    with torch.inference_mode():
        parts = [final(gather_inputs(tensors, rows, lookback)) for rows in torch.split(start, batch)]
    return torch.cat(parts)
