"""The gate: where validation finds the network hardly better than a simple baseline, that one forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast import networks
from lstm_forecast.config import Config
from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.events import Events
from lstm_forecast.forecasting.baselines import SIMPLE

if TYPE_CHECKING:
    from lstm_forecast.evaluation.held_out import HeldOut
    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.forecasting.simple import Issuer

MODEL = "model"  # what has forecast where it is the network
# The network's epoch was chosen on the same validation rows, so its error there is a little too low: above
# this share of the baseline's it was mostly no better on later rows. Measured: see the lab log.
WORTH = 0.95
FEW = 20  # horizons from which on one of them alone makes no larger lead than that: 1 / (1 - WORTH)
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Gate:
    """Which forecast validation preferred; one decision for all series of a run.

    Attributes:
        issued: what ``predict`` gives: ``model``, or the name of the baseline.
        baseline: the best simple one.
        model_error: of the network: mean absolute error over the MASE scale, one mean per origin; NaN where
            no value was observed, infinite where a forecast has no number.
        baseline_error: of the baseline, as ``predict`` would give it.
        windows: number of complete validation windows.
        apart: how many of these can be had without two that overlap, all series together; None in runs of
            versions that did not ask.
    """

    issued: str
    baseline: str
    model_error: float
    baseline_error: float
    windows: int
    apart: int | None = None

    @property
    def closed(self) -> bool:
        """Whether the baseline forecasts."""
        return self.issued != MODEL

    @property
    def sentence(self) -> str:
        """The decision with both errors."""
        rule = self.baseline.replace("_", " ")
        windows = plural(self.windows, "validation window")
        errors = f"{rule} {self.baseline_error:.4g}, the network {self.model_error:.4g}"
        found = f"error on {windows}, over the MASE scale: {errors}"
        if self.closed and self.model_error < self.baseline_error:
            found += f"; {_doubt(self.apart)}"
        if self.closed:
            return f"the forecast is the {rule} one, not the network's ({found})"
        return f"the forecast is the network's ({found})"

    def say(self, events: Events) -> None:
        """Tells what was decided: a warning where the network does not forecast."""
        events.emit("gate.decided", self.to_document())
        if self.closed:
            events.warn("gate.closed", self.sentence)
        else:
            events.say([f"gate: {self.sentence}"])

    def to_document(self) -> dict[str, Any]:
        """The field ``gate`` of ``metrics.json``."""
        errors = (self.model_error, self.baseline_error)
        model, baseline = (error if math.isfinite(error) else None for error in errors)
        return {
            "issued": self.issued,
            "baseline": self.baseline,
            "model_error": model,
            "baseline_error": baseline,
            "windows": self.windows,
            "apart": self.apart,
        }


def needed_lead(apart: int) -> float:
    """By how much of the baseline's error the network's has to be lower, with so many horizons apart.

    By 5 %, and by more than one horizon alone can make: among n alike ones, a network that is perfect in one
    and equal in all others leads by 1 / n. So one horizon never opens the gate, and from 20 on 5 % decides.
    """
    return 1 / apart if 0 < apart < FEW else 1 - WORTH


def _doubt(apart: int | None) -> str:
    """Why a lower error was not enough."""
    if apart is None or apart >= FEW:
        return f"less than {100 * (1 - WORTH):.0f} % may be chance"
    if apart == 1:
        return "one horizon alone may be chance"
    return f"less than {100 * needed_lead(apart):.2g} % on {apart} horizons may be chance"


def gate_of(
    config: Config, panel: Panel, forecaster: Forecaster, validation: HeldOut, *, best: str, end: Rows
) -> Gate | None:
    """The decision of a run; None where ``evaluation.gate`` asks for none.

    Args:
        config: settled.
        panel: the rows; of those from ``end`` on nothing is used.
        forecaster: the networks that are tested.
        validation: their forecasts of the validation rows.
        best: the best simple baseline there.
        end: flat row after the last validation row of each series, [S].
    """
    from lstm_forecast.evaluation.held_out import complete, count_apart
    from lstm_forecast.evaluation.verdict import scaled_error

    if config.evaluation.gate == "none":
        return None
    horizon = config.window.horizon
    held = validation.part(complete(validation, end=end, horizon=horizon), steps=horizon)
    theirs = issuer_of(config, forecaster, best).at(panel, held.rows, held.series, horizon=horizon).point
    truth = held.truth(forecaster.scaling)
    ours, other = scaled_error(truth, held.forecast), scaled_error(truth, theirs)
    apart = count_apart(held, horizon=horizon)
    issued = MODEL if ours < (1 - needed_lead(apart)) * other else best
    return Gate(issued, best, ours, other, len(held), apart)


def issuer_of(config: Config, forecaster: Forecaster, issued: str) -> Issuer:
    """What forecasts under this name: the networks, or the baseline in their place."""
    if issued == MODEL:
        return forecaster
    return networks.simple_forecaster_of(config, issued, forecaster.scaling)


def read_gate(document: Any) -> Gate | None:
    """The decision as ``metrics.json`` has it, which may hold anything; older ones say no ``apart``.

    Raises:
        ValueError: it makes no sense.
    """
    if document is None:
        return None
    issued, baseline, windows = (document[name] for name in ("issued", "baseline", "windows"))
    if baseline not in SIMPLE or issued not in (MODEL, baseline) or type(windows) is not int or windows < 0:
        raise ValueError(f"gate: {issued!r} after a comparison with {baseline!r} on {windows!r} windows")
    apart = document.get("apart")
    if apart is not None and (type(apart) is not int or not 0 <= apart <= windows):
        raise ValueError(f"gate: {apart!r} windows apart of {windows}")
    ours, theirs = (_error(document[name]) for name in ("model_error", "baseline_error"))
    return Gate(issued, baseline, ours, theirs, windows, apart)


def _error(value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"gate: {value!r} is not an error")
    return float(value)
