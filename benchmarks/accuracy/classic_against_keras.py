"""Final training loss of configs/classic.yaml and of the same network in Keras, on the same windows.

    .venv/bin/python benchmarks/accuracy/classic_against_keras.py ours 0 1 2 3 4
    KERAS_BACKEND=torch PYTHON_WITH_KERAS benchmarks/accuracy/classic_against_keras.py keras 0 1 2 3 4

Keras needs an environment of its own (``pip install keras torch pandas``). Both lines print the loss of
the last epoch per seed, then the median; the loss is the mean over the epoch's batches, dropout switched
on, as Keras logs it.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOOKBACK, EPOCHS, BATCH = 60, 20, 32


def ours(seed: int) -> float:
    """The last training loss of configs/classic.yaml."""
    from lstm_forecast import load_config
    from lstm_forecast.events import Events
    from lstm_forecast.fitting import plan_training
    from lstm_forecast.judging import fit_and_test

    loaded = load_config(ROOT / "configs" / "classic.yaml", sets=[f"training.seed={seed}"], environ={})
    fitted = fit_and_test(plan_training(loaded, Events()), Events()).learned.courses[0]
    loss = fitted.history[-1].train_loss
    assert loss is not None
    return loss


def keras(seed: int) -> float:
    """The last training loss of the tutorial's Keras network on the same training rows."""
    import numpy as np
    import pandas as pd
    from keras import Sequential, layers, utils

    utils.set_random_seed(seed)
    prices = pd.read_csv(ROOT / "data" / "stock.csv")["Open"].to_numpy(float)
    rows = prices[
        : len(prices) - 2 * round(0.1 * len(prices))
    ]  # our training split: the rest validates and tests
    scaled = (rows - rows.min()) / (rows.max() - rows.min())
    x = np.stack([scaled[i - LOOKBACK : i] for i in range(LOOKBACK, len(scaled))])[..., None].astype(
        "float32"
    )
    y = scaled[LOOKBACK:].astype("float32")
    network = Sequential([layers.Input((LOOKBACK, 1))])
    for layer in range(4):
        network.add(layers.LSTM(50, return_sequences=layer < 3))
        network.add(layers.Dropout(0.2))
    network.add(layers.Dense(1))
    network.compile(optimizer="adam", loss="mean_squared_error")
    history = network.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return float(history.history["loss"][-1])


if __name__ == "__main__":
    measure = {"ours": ours, "keras": keras}[sys.argv[1]]
    losses = []
    for seed in sys.argv[2:]:
        losses.append(measure(int(seed)))
        print(f"{sys.argv[1]} seed {seed}: {losses[-1]:.6f}", flush=True)
    print(f"median {statistics.median(losses):.6f}")
