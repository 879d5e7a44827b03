"""The precision that the layers compute with in training; weights, losses and forecasts are float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from lstm_forecast.errors import ResourceError
from lstm_forecast.model.beside import Beside
from lstm_forecast.model.reglstm import RegLSTM

Precision = Literal["float32", "bfloat16"]


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A block in which matrix products take numbers of this precision, and what needs digits float32.

    bfloat16 has the range of float32 and 8 bits of its 24 digits, so no gradient has to be scaled. With
    float32 the block does nothing at all.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def require_precision(model: RegLSTM, precision: Precision, *, lookback: int) -> None:
    """Trains one window of zeros for nothing, so that a device that cannot is found before training begins.

    The weights and the global random generator stay as they are.

    Args:
        model: on its device.
        precision: of its layers' numbers.
        lookback: L, steps of a window.

    Raises:
        ResourceError: the device cannot train this cell so.
    """
    if precision == "float32":
        return
    device = next(model.parameters()).device
    trained = model.training
    try:
        model.train()
        window = torch.zeros(1, lookback, model.input_size, device=device)
        generators = [torch.Generator(device).manual_seed(0) for _ in range(model.num_layers)]
        draws = model.draw(1, lookback, generators=generators)
        with computing_in(precision, device):
            answer = model.final(window, beside=_zeros_beside(model, device), draws=draws)
        answer.float().sum().backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ResourceError(
            "resource.precision",
            f"{device} cannot train cell {model.cell} in {precision}: {str(error).splitlines()[0][:200]}",
            where="training.precision",
            details=["on a CPU, an LSTM in bfloat16 takes one with instructions for it (AVX512-BF16 or AMX)"]
            if device.type == "cpu"
            else [],
            hint="use training.precision: float32 (--set training.precision=float32)",
        ) from error
    finally:
        model.zero_grad(set_to_none=True)
        model.train(trained)


def _zeros_beside(model: RegLSTM, device: torch.device) -> Beside:
    """What the network takes beside one window."""
    ahead, static = model.ahead_size, len(model.static_sizes)
    return Beside(
        ahead=torch.zeros(1, model.output_size, ahead, device=device) if ahead else None,
        static=torch.zeros(1, static, device=device) if static else None,
    )
