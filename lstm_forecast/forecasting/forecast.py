"""From the network's answers to numbers in original units, directly or block by block."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling, network_inputs
from lstm_forecast.data.tensors import PanelTensors, final_outputs
from lstm_forecast.data.windows import Windows
from lstm_forecast.errors import UsageError
from lstm_forecast.model.reglstm import RegLSTM

Floats = NDArray[np.float64]


def forecast_windows(
    model: RegLSTM,
    tensors: PanelTensors,
    panel: Panel,
    scaling: Scaling,
    windows: Windows,
    *,
    lookback: int,
    minimum: Floats,
) -> Floats:
    """Forecasts at the end of each window, in original units: [W, H].

    Args:
        model: in evaluation mode.
        tensors: the panel on the device.
        panel: the same rows in original units, for the anchors.
        scaling: units.
        windows: where to forecast.
        lookback: L.
        minimum: lowest value a forecast may have, by series [S]; -inf for none.
    """
    start = torch.from_numpy(windows.start).to(tensors.inputs.device)
    answers = final_outputs(model.final, tensors, start, lookback=lookback)
    last = panel.values[windows.start + lookback - 1, 0]
    return original_units(
        answers.to("cpu", torch.float64).numpy(),
        last,
        scaling,
        windows.series,
        anchored=tensors.anchored,
        minimum=minimum,
    )


def forecast_future(
    model: RegLSTM,
    values: Floats,
    scaling: Scaling,
    series: NDArray[np.int64],
    *,
    horizon: int,
    anchored: bool,
    minimum: Floats,
) -> Floats:
    """The next ``horizon`` steps after the given rows, in original units: [B, horizon].

    Direct up to the trained horizon; beyond it each block of forecasts is read as if it had been observed.

    Args:
        model: in evaluation mode, on any device.
        values: the last L rows of each series, [B, L, C] in original units, the target first.
        scaling: units of all series of the run.
        series: which of them the B rows are.
        horizon: steps ahead.
        anchored: whether the answer is a difference from the last row.
        minimum: lowest value a forecast may have, by series [S].

    Raises:
        UsageError: a horizon beyond the trained one with past covariates, whose future nobody knows.
    """
    trained = model.output_size
    if horizon > trained and values.shape[2] > 1:
        raise UsageError(
            "predict.horizon",
            f"{horizon} steps asked, {trained} trained, and the run uses past covariates",
            where="--horizon",
            details=["past covariates are not known beyond the last row, so a forecast cannot be fed back"],
            hint=f"train with --horizon {horizon}, or predict --horizon {trained}",
        )
    device = next(model.parameters()).device
    window, blocks = values, []
    for _ in range(0, horizon, trained):
        inputs = torch.from_numpy(network_inputs(window, scaling, series)).to(torch.float32).to(device)
        with torch.inference_mode():
            parts = [model.final(part) for part in torch.split(inputs, 1024)]
            answer = torch.cat(parts).to("cpu", torch.float64).numpy()
        block = original_units(answer, window[:, -1, 0], scaling, series, anchored=anchored, minimum=minimum)
        blocks.append(block)
        window = (
            np.concatenate([window, block[:, :, None]], axis=1)[:, -values.shape[1] :]
            if horizon > trained
            else window
        )
    return np.concatenate(blocks, axis=1)[:, :horizon]


def original_units(
    answers: Floats,
    last: Floats,
    scaling: Scaling,
    series: NDArray[np.int64],
    *,
    anchored: bool,
    minimum: Floats,
) -> Floats:
    """The network's answers [B, H] in original units.

    The anchor ``last`` [B] is added in float64 from the unscaled rows: an answer of zero is the last value
    itself, bit for bit, which a way through the scaler and back would not give.
    """
    still = scaling.still[series, None]
    spread = np.where(still, 0.0, answers * scaling.head_unit[series, None])
    base = np.where(still | anchored, last[:, None], scaling.offset[series, 0][:, None])
    return np.asarray(np.maximum(base + spread, minimum[series, None]), dtype=np.float64)


def lowest_values(minimum: float | str | None, scaling: Scaling) -> Floats:
    """The lowest value a forecast may have, by series [S].

    ``auto``: 0 where no training value is negative, else none; a number for all; None: none.
    """
    if minimum == "auto":
        return np.where(scaling.negative, -np.inf, 0.0)
    return np.full(len(scaling.negative), -np.inf if minimum is None else float(minimum))
