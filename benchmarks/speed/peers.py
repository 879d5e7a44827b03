"""One epoch of the classic work: this program beside Keras, darts and neuralforecast, and plain torch.

    benchmarks/speed/peers.sh                       # once: an environment for each, under build/peers
    .venv/bin/python benchmarks/speed/peers.py
    .venv/bin/python benchmarks/speed/peers.py --busy --turns 3

The same work for all: 1,975 windows of 60 daily prices, 4 x LSTM(50) with dropout 0.2, a linear head on the
last state, mean squared error, Adam with rate 0.001, batches of 32, float32, every library as its manual uses
it. Each is a process of its own that does an epoch when it is its turn; the first is not counted. What has
not been built is left out, and said.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.speed.interleaved import answer_when_asked, contend, measured, report

ROOT = Path(__file__).parents[2]
ROWS, LOOKBACK, LAYERS, HIDDEN, DROPOUT, BATCH, RATE = 2035, 60, 4, 50, 0.2, 32, 0.001
STEPS = -(-(ROWS - LOOKBACK) // BATCH)  # of an epoch
MANY = 10_000  # epochs: more than will be asked for
NAMES = {
    "keras-tensorflow": "Keras on TensorFlow",
    "keras-torch": "Keras on torch",
    "darts": "darts (BlockRNNModel)",
    "neuralforecast": "neuralforecast (LSTM)",
    "plain": "plain torch, all defaults",
    "ours": "this program",
}
BUILT = ROOT / "build" / "peers"


def main() -> int:
    """Prints a table of the contenders and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="epochs of each, default 5")
    parser.add_argument("--busy", action="store_true", help="one busy process beside the training")
    parser.add_argument("--contender", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        CONTENDERS[given.contender]()
        return 0
    commands = {}
    for name in CONTENDERS:
        if (BUILT / name / ".ready").exists():
            commands[name] = [str(BUILT / name / "bin" / "python"), __file__, "--contender", name]
        else:
            print(f"left out: {NAMES[name]}; to have it, type: benchmarks/speed/peers.sh {name}")
    training = str(Path(__file__).with_name("training.py"))
    for name in ("plain", "ours"):
        commands[name] = [sys.executable, training, "--contender", name]
    report(measured(commands, turns=given.turns, busy=given.busy), NAMES)
    return 0


def prices() -> Any:
    """[ROWS] between 0 and 1, float32."""
    import numpy as np

    walk = np.random.default_rng(0).normal(size=ROWS).cumsum()
    return ((walk - walk.min()) / (walk.max() - walk.min())).astype(np.float32)


def keras(backend: str) -> None:
    """Windows and targets as arrays, an epoch a call of ``fit``."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras as library
    import numpy as np

    values = prices()
    windows = np.lib.stride_tricks.sliding_window_view(values[:-1], LOOKBACK)[..., None].copy()
    targets = values[LOOKBACK:, None]
    layers: list[Any] = [library.Input((LOOKBACK, 1))]
    for number in range(LAYERS):
        layers.append(library.layers.LSTM(HIDDEN, return_sequences=number < LAYERS - 1))
        layers.append(library.layers.Dropout(DROPOUT))
    network = library.Sequential([*layers, library.layers.Dense(1)])
    network.compile(optimizer=library.optimizers.Adam(RATE), loss="mse")

    def epoch() -> None:
        network.fit(windows, targets, batch_size=BATCH, epochs=1, verbose=0)

    contend(epoch)


def darts() -> None:
    """A TimeSeries; Lightning's loop over epochs waits at each for its turn."""
    import pandas as pd
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    days = pd.date_range("2000-01-01", periods=ROWS, freq="D")
    model = BlockRNNModel(
        model="LSTM",
        input_chunk_length=LOOKBACK,
        output_chunk_length=1,
        n_rnn_layers=LAYERS,
        hidden_dim=HIDDEN,
        dropout=DROPOUT,
        batch_size=BATCH,
        n_epochs=MANY,
        optimizer_kwargs={"lr": RATE},
        pl_trainer_kwargs=_quiet([_at_turns(1, of="epoch")]),
    )
    model.fit(TimeSeries.from_times_and_values(days, prices()))


def neuralforecast() -> None:
    """A frame of one series; as many steps of as many windows are called an epoch."""
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM

    days = pd.date_range("2000-01-01", periods=ROWS, freq="D")
    frame = pd.DataFrame({"unique_id": "one", "ds": days, "y": prices()})
    model = LSTM(
        h=1,
        input_size=LOOKBACK,
        encoder_n_layers=LAYERS,
        encoder_hidden_size=HIDDEN,
        encoder_dropout=DROPOUT,
        decoder_layers=1,
        decoder_hidden_size=HIDDEN,
        loss=MSE(),
        max_steps=MANY * STEPS,
        num_lr_decays=0,
        learning_rate=RATE,
        batch_size=1,
        windows_batch_size=BATCH,
        callbacks=[_at_turns(STEPS, of="batch")],
        **_quiet([]),
    )
    NeuralForecast([model], freq="D").fit(frame)


def _quiet(callbacks: list[Any]) -> dict[str, Any]:
    """Settings of a Lightning trainer that does nothing but train."""
    names = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
    off = dict.fromkeys(names, False)
    return {"accelerator": "cpu", **off, **({"callbacks": callbacks} if callbacks else {})}


def _at_turns(every: int, *, of: str) -> Any:
    """A callback that waits for its turn before every so many epochs or batches, and answers after them."""
    from pytorch_lightning import Callback

    turns, count = answer_when_asked(), 0

    def begin(*_: object) -> None:
        if count % every == 0:
            next(turns)

    def end(*_: object) -> None:
        nonlocal count
        count += 1
        if count % every == 0:
            next(turns)

    callback = Callback()
    setattr(callback, f"on_train_{of}_start", begin)
    setattr(callback, f"on_train_{of}_end", end)
    return callback


CONTENDERS: dict[str, Callable[[], None]] = {
    "keras-tensorflow": lambda: keras("tensorflow"),
    "keras-torch": lambda: keras("torch"),
    "darts": darts,
    "neuralforecast": neuralforecast,
}

if __name__ == "__main__":
    sys.exit(main())
