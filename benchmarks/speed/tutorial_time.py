"""Seconds of training to the test error that the tutorial ends with: recommended recipe beside the classic.

    python benchmarks/speed/tutorial_time.py

Trains configs/classic.yaml (4 x LSTM(50), 20 epochs) and configs/stock.yaml on one column of data/stock.csv,
with one split, and looks at the root mean square error of the one-step forecasts of the test rows after every
epoch. The clock runs in the epochs and their validation, not while the test rows are looked at. The
recommended recipe begins as the naive forecast, so its first state (epoch 0) may reach the error already: the
time of the first trained epoch that does is printed beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from lstm_forecast.training.course import Kept, State


class Moment(NamedTuple):
    """One epoch: its number, the seconds of training until its end, and the test error."""

    epoch: int
    elapsed_s: float
    rmse: float


def main() -> int:
    """Prints the courses and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--target", default="Open", help="column of the file, default Open")
    parser.add_argument("--turns", type=int, default=1, metavar="N", help="pairs of trainings, default 1")
    given = parser.parse_args()
    for _ in range(given.turns):
        classic = course(ROOT / "configs" / "classic.yaml", given.target)
        ours = course(ROOT / "configs" / "stock.yaml", given.target)
        goal = classic[-1].rmse
        print(
            f"classic: test RMSE {goal:.3f} after {classic[-1].epoch} epochs, {classic[-1].elapsed_s:.2f} s"
        )
        first = next((one for one in ours if one.rmse <= goal), None)
        trained = next((one for one in ours if one.epoch and one.rmse <= goal), None)
        if first is None or trained is None:
            print(f"recommended: never reached it; its best was {min(one.rmse for one in ours):.3f}")
            continue
        for name, one in (("first state", first), ("first trained epoch", trained)):
            ratio = one.elapsed_s / classic[-1].elapsed_s
            print(
                f"recommended, {name} that reaches it: epoch {one.epoch}, test RMSE {one.rmse:.3f}, "
                f"{one.elapsed_s:.2f} s: {ratio:.3f} of the classic time"
            )
    return 0


def course(path: Path, target: str) -> list[Moment]:
    """Every epoch of one training, epoch 0 included where the recipe has one."""
    import numpy as np
    import torch

    from lstm_forecast import fitting, networks
    from lstm_forecast.config import load_config
    from lstm_forecast.evaluation.held_out import actual_values
    from lstm_forecast.events import Events
    from lstm_forecast.training.allocator import keep_freed_memory
    from lstm_forecast.training.course import Kept

    keep_freed_memory()
    plan = fitting.plan_training(load_config(path, sets=[f"data.target={target}"]), Events())
    config, prepared, cpu = plan.config, plan.prepared, torch.device("cpu")
    panel, test = prepared.panel, prepared.test
    training = panel.until(prepared.splits.train_end)
    rows = test.start + config.window.lookback - 1
    actual = actual_values(panel, rows, test.series, end=panel.offsets[1:], steps=1)
    scaling = networks.fit_units(config, training)
    [network] = networks.first_networks(config, training, device=cpu)
    forecaster = networks.forecaster_of(config, [network.eval()], scaling)
    moments: list[Moment] = []
    paused_s, began = 0.0, time.perf_counter()

    def look(epoch: int) -> None:
        nonlocal paused_s
        now = time.perf_counter()
        point = forecaster.at(panel, rows, test.series, horizon=1).point
        rmse = float(np.sqrt(np.mean((point - actual) ** 2)))
        moments.append(Moment(epoch, now - began - paused_s, rmse))
        paused_s += time.perf_counter() - now

    def offer(state: Callable[[], State]) -> None:
        now = state()
        network.load_state_dict(now.weights)
        look(now.epoch)

    def kept(_part: str) -> Kept:
        return Kept(None, offer)

    fitting.learn(
        config,
        prepared,
        device=cpu,
        on_epoch=lambda _network, epoch, _best: None if epoch.epoch else look(0),
        keep=kept,
    )
    return moments


if __name__ == "__main__":
    sys.exit(main())
