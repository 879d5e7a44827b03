"""Losses of point and quantile forecasts, each a weighted mean.

Those of ``LOSSES`` are taken in the unit of the network's head, those of ``MEASURES`` in original units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

LossName = Literal["mse", "mae", "huber"]
LOSSES: tuple[LossName, ...] = get_args(LossName)
MeasureName = Literal["smape", "mase"]
MEASURES: tuple[MeasureName, ...] = get_args(MeasureName)
LEAST_SUM = 1e-30  # of a forecast and an actual, in their unit; their quotient stays a float32
HUBER_DELTA = 1.0  # in the head's unit; below it squared error / 2, above it absolute error - 1/2


def point_loss(name: LossName, forecast: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean of the elementwise losses, a scalar that carries the gradient of ``forecast``.

    Args:
        name: one of ``LOSSES``.
        forecast: any shape, for example ``[B, H]`` or ``[B, L, H]``.
        target: same shape; may be NaN wherever ``weight`` is 0, since such elements are never read.
        weight: same shape; 1 counts, 0 does not. All zero gives 0, with gradients of 0.

    Shards of one batch add up to the batch's loss when each is multiplied by its own ``weight.sum()``
    and the total is divided by the sum of those.

    Raises:
        ValueError: an unknown name, or shapes that differ (they would broadcast into a wrong number).
    """
    if name not in LOSSES:
        raise ValueError(f"loss: got {name!r}, expected one of {', '.join(LOSSES)}")
    if not forecast.shape == target.shape == weight.shape:
        shapes = [tuple(t.shape) for t in (forecast, target, weight)]
        raise ValueError(
            f"forecast, target and weight must have one shape; got {shapes[0]}, {shapes[1]}, {shapes[2]}"
        )
    # 0 * NaN is NaN: an element that does not count is compared with itself instead
    known = torch.where(weight > 0, target, forecast.detach())
    total = weight.sum()
    return (_elementwise(name, forecast, known) * weight).sum() / torch.where(total > 0, total, 1)


def measure_loss(
    names: Sequence[MeasureName],
    forecast: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    scales: Mapping[MeasureName, Tensor | float],
) -> Tensor:
    """The mean of error measures that are usually only read, as a loss in original units.

    ``smape`` is 200 |f - y| / (|f| + |y|) (Makridakis 1993), ``mase`` |f - y|. Each is divided by its scale,
    so that several are added in one unit.

    Args:
        names: which ones.
        forecast: original units, any shape.
        target: same shape; never read where ``weight`` is 0.
        weight: same shape; 1 counts, 0 does not. All zero gives 0.
        scales: of each measure, a number or of a shape that fits.
    """
    factors = {name: 1.0 / (len(names) * scales[name]) for name in names}
    loss: Tensor = _Measures.apply(  # type: ignore[no-untyped-call]
        forecast, target, weight, factors.get("smape"), factors.get("mase")
    )
    return loss


class _Measures(torch.autograd.Function):
    """:func:`measure_loss` of what each measure is multiplied by, None for one that does not count.

    Its derivative is worked out along with it: autograd does the same by forty small operations, which took
    a twentieth of a step of the M4 recipe.
    """

    @staticmethod
    def forward(
        ctx: Any,
        forecast: Tensor,
        target: Tensor,
        weight: Tensor,
        smape: Tensor | float | None,
        mase: Tensor | float | None,
    ) -> Tensor:
        """The loss, a scalar."""
        known = torch.where(weight > 0, target, forecast)
        error, total = forecast - known, weight.sum()
        size = error.abs()
        slope: Tensor | float = 0.0 if mase is None else mase  # of the loss by the size of an error
        if smape is not None:
            # where both are 0 there is no error, and the share is 0 instead of 0 / 0
            sum_ = (forecast.abs() + known.abs()).clamp(min=LEAST_SUM)
            share = 200.0 * smape / sum_
            slope = share + slope
        counts = weight / torch.where(total > 0, total, 1)
        if ctx.needs_input_grad[0]:
            by_forecast = error.sign() * slope
            if smape is not None:
                by_forecast -= size / sum_ * share * forecast.sign()
            ctx.save_for_backward(by_forecast * counts)
        return (size * slope * counts).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_loss: Tensor) -> tuple[Tensor | None, ...]:
        """The derivative by the forecast; nothing else is learned."""
        (by_forecast,) = ctx.saved_tensors
        return by_loss * by_forecast, None, None, None, None


def pinball_loss(levels: Sequence[float], forecast: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean pinball loss over all quantiles, a scalar (Koenker & Bassett 1978).

    Args:
        levels: Q quantile levels in (0, 1).
        forecast: ``[…, Q]``, for example ``[B, H, Q]``.
        target: ``[…]``; may be NaN wherever ``weight`` is 0.
        weight: ``[…]``; 1 counts, 0 does not. All zero gives 0.

    Raises:
        ValueError: shapes that do not fit.
    """
    expected = (*target.shape, len(levels))
    if tuple(forecast.shape) != expected or target.shape != weight.shape:
        raise ValueError(
            f"forecast must be {expected} and weight {tuple(target.shape)};"
            f" got {tuple(forecast.shape)} and {tuple(weight.shape)}"
        )
    # filled in place: a copy of the numbers to a GPU would be waited for at every step
    level = torch.stack([forecast.new_full((), level) for level in levels])
    known = torch.where(weight > 0, target, forecast.detach()[..., 0])
    below = known[..., None] - forecast
    loss = torch.maximum(level * below, (level - 1) * below).mean(dim=-1)
    total = weight.sum()
    return (loss * weight).sum() / torch.where(total > 0, total, 1)


def _elementwise(name: LossName, forecast: Tensor, target: Tensor) -> Tensor:
    if name == "mse":
        return functional.mse_loss(forecast, target, reduction="none")
    if name == "mae":
        return functional.l1_loss(forecast, target, reduction="none")
    return functional.huber_loss(forecast, target, reduction="none", delta=HUBER_DELTA)
