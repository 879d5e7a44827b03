"""What networks answer to windows: in torch, or in NumPy where the same networks are there as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.scaling import Scaling, ahead_inputs

if TYPE_CHECKING:
    import torch

    from lstm_forecast.model.beside import Beside
    from lstm_forecast.model.numpy_forward import ArrayNetwork
    from lstm_forecast.model.reglstm import RegLSTM

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
PART = 1024  # windows that go through a torch network at once


def answers_of_arrays(
    networks: Sequence[ArrayNetwork], inputs: Floats, scaling: Scaling, series: Rows, ahead: Floats
) -> Floats:
    """The mean of the networks' answers to windows: [B, H], or [B, H, Q] with quantiles.

    What goes in and what comes out is rounded to float32, as torch has it. Below that lies what the order of
    summation does, so a series has one forecast, alone or among others, on whatever machine.

    Args:
        networks: one or more.
        inputs: what they see, [B, L, C].
        scaling: units of the series.
        series: which series of the run the B windows are of.
        ahead: the columns known ahead, [B, H, P] in original units.
    """
    known = _rounded(ahead_inputs(ahead, scaling, series)) if scaling.ahead else None
    static = _rounded(scaling.statics.codes[series]) if scaling.statics is not None else None
    answers = [network.final(_rounded(inputs), ahead=known, static=static) for network in networks]
    return np.asarray(np.mean([_rounded(answer) for answer in answers], axis=0))


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def answers_of_torch(
    networks: Sequence[RegLSTM], inputs: Floats, scaling: Scaling, series: Rows, ahead: Floats
) -> Floats:
    """The same from networks in torch, on their device and in float32."""
    import torch

    device = next(networks[0].parameters()).device
    x = torch.from_numpy(inputs).to(torch.float32).to(device)
    beside = [
        beside_of(scaling, series[i : i + PART], ahead[i : i + PART], device)
        for i in range(0, len(series), PART)
    ]
    with torch.inference_mode():
        answers = [
            torch.cat(
                [
                    network.final(part, beside=known)
                    for part, known in zip(torch.split(x, PART), beside, strict=True)
                ]
            )
            for network in networks
        ]
    return torch.stack(answers).to("cpu", torch.float64).mean(dim=0).numpy()


def beside_of(scaling: Scaling, series: Rows, ahead: Floats, device: torch.device) -> Beside:
    """What a torch network is given beside windows of these series [B], with columns ahead [B, H, P]."""
    import torch

    from lstm_forecast.model.beside import Beside

    def narrow(array: Floats) -> torch.Tensor:
        return torch.from_numpy(array).to(torch.float32).to(device)

    return Beside(
        narrow(ahead_inputs(ahead, scaling, series)) if scaling.ahead else None,
        narrow(scaling.statics.codes[series]) if scaling.statics is not None else None,
    )
