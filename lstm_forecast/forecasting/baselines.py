"""What costs nothing: the forecasts a network has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def naive(last: Floats, horizon: int) -> Floats:
    """Tomorrow is today: the last value ``last`` [B] at every step, [B, H]."""
    return np.repeat(last[:, None], horizon, axis=1)
