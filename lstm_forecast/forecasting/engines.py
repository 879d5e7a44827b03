"""Which of two ways a forecast is computed: in NumPy, which is there at once, or in torch, which is faster.

They agree but for rounding, so the choice has to be the same wherever and whenever the same is asked: it
depends on the work alone, not on the machine nor on what is imported already.
"""

from __future__ import annotations

import math
from typing import Literal

from lstm_forecast.model.architecture import Architecture, weight_shapes

Engine = Literal["numpy", "torch"]
PART = 128  # windows that NumPy computes at once
# Measured, benchmarks/speed/engines.py: NumPy takes about 0.15 ns for a weight and window, and for each step
# of a layer as long as for 100,000 of them. The most work takes it 0.6 s, torch 0.3 s and 1.4 s to be
# imported.
STEP = 100_000
MOST_WORK = 4_000_000_000


def engine_for(made: Architecture, *, networks: int, lookback: int, windows: int, horizon: int) -> Engine:
    """The engine of a forecast.

    Args:
        made: what each network is made of.
        networks: number of them.
        lookback: L.
        windows: forecasts wanted.
        horizon: steps ahead of each.
    """
    work = numpy_work(made, lookback=lookback, windows=windows, horizon=horizon)
    return "numpy" if networks * work <= MOST_WORK else "torch"


def numpy_work(made: Architecture, *, lookback: int, windows: int, horizon: int) -> int:
    """Multiplications of weights that NumPy takes as long as for these forecasts by one network, nearly."""
    steps = lookback // made.segment * math.ceil(horizon / made.output_size)
    shapes = [shape for name, shape in weight_shapes(made).items() if name.startswith("layers.")]
    weights = sum(map(math.prod, shapes))
    parts = math.ceil(windows / PART)
    return steps * (parts * STEP * made.num_layers * made.directions + windows * weights)
