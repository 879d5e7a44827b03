"""One epoch of the recipe for M4 Hourly: this program's loop beside a plain implementation in torch.

    python benchmarks/speed/m4_recipe.py FOLDER

FOLDER holds ``m4_hourly_train.csv`` (benchmarks/accuracy/fetch.py says where it comes from). An epoch has
250 batches of 256 windows of 240 hours, every series as likely as the other: logarithms, each window from
its last value on, segments of 24 hours, LSTM(128) with dropout, a linear map beside it, the forecast added to
that of the day before, sMAPE and MASE in original units, AdamW with warm-up and cosine, gradients clipped.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.speed.interleaved import contend, measured, report
from benchmarks.speed.own_loop import epochs_of

CONTENDERS = {
    "plain": "plain torch, all defaults",
    "kept": "plain torch, our allocator settings",
    "ours": "this program",
}
CONFIG = Path(__file__).parents[1] / "accuracy" / "configs" / "m4-hourly.yaml"
LOOKBACK, HORIZON, SEASON, HIDDEN = 240, 48, 24, 128
BATCH, EPOCHS, WARMUP = 256, 20, 100


def main() -> int:
    """Prints a table of the contenders and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=250, metavar="N", help="of an epoch, default 250")
    parser.add_argument("--turns", type=int, default=9, metavar="N", help="epochs of each, default 9")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        if given.contender != "plain":
            from lstm_forecast.training.allocator import keep_freed_memory

            keep_freed_memory()
        contend((ours if given.contender == "ours" else plain)(given.folder, given.steps))
        return 0
    commands = {name: [sys.executable, __file__, *sys.argv[1:], "--contender", name] for name in given.only}
    report(measured(commands, turns=given.turns), CONTENDERS)
    return 0


def plain(folder: Path, steps: int) -> Callable[[], None]:
    """The recipe as one writes it with torch."""
    import numpy as np
    import torch
    from torch import Tensor, nn

    from benchmarks.accuracy.m4 import read_wide

    torch.manual_seed(0)
    series = [values[:-HORIZON] for values in read_wide(folder / "m4_hourly_train.csv").values()]
    lengths = torch.tensor([len(values) for values in series])
    begins = torch.cumsum(lengths, 0) - lengths
    logs = torch.from_numpy(np.log(np.concatenate(series)).astype(np.float32))
    spread, errors = logs.std(), [np.abs(v[SEASON:] - v[:-SEASON]).mean() for v in series]
    mase = torch.from_numpy(np.array(errors, dtype=np.float32))[:, None]
    smape = float(np.mean([200 * np.mean(np.abs(np.diff(v)) / (v[1:] + v[:-1])) for v in series]))
    within = torch.arange(LOOKBACK + HORIZON)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.dropout = nn.LSTM(SEASON, HIDDEN, batch_first=True), nn.Dropout(0.1)
            self.head, self.skip = nn.Linear(HIDDEN, HORIZON), nn.Linear(LOOKBACK, HORIZON)
            for layer in (self.head, self.skip):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            state = self.lstm(x.view(len(x), -1, SEASON))[1][0][-1]
            answer: Tensor = self.head(self.dropout(state)) + self.skip(x)
            return answer

    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.004, weight_decay=0.0)

    def share(step: int) -> float:
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / (steps * EPOCHS))))
        return min(1.0, (step + 1) / WARMUP) * cosine

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)

    def epoch() -> None:
        network.train()
        for _ in range(steps):
            chosen = torch.randint(len(lengths), (BATCH,))
            free = lengths[chosen] - (LOOKBACK + HORIZON) + 1
            start = begins[chosen] + (torch.rand(BATCH) * free).long()
            window = logs[start[:, None] + within] / spread
            x = window[:, :LOOKBACK] - window[:, LOOKBACK - 1 : LOOKBACK]
            base = window[:, LOOKBACK - SEASON : LOOKBACK].repeat(1, HORIZON // SEASON)
            forecast = ((network(x) + base) * spread).exp()
            actual = (window[:, LOOKBACK:] * spread).exp()
            error = (forecast - actual).abs()
            parts = 200 * error / (forecast.abs() + actual.abs()) / smape + error / mase[chosen]
            optimizer.zero_grad()
            (parts.mean() / 2).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()

    return epoch


def ours(folder: Path, steps: int) -> Callable[[], None]:
    """An epoch of this program."""
    from benchmarks.accuracy.m4 import _write, read_wide
    from lstm_forecast import fitting
    from lstm_forecast.config import load_config
    from lstm_forecast.events import Events

    with TemporaryDirectory() as name:
        path = Path(name) / "m4_hourly.csv"
        _write(read_wide(folder / "m4_hourly_train.csv"), path, dated=False)
        sets = [f"data.path={path}", f"training.steps_per_epoch={steps}"]
        plan = fitting.plan_training(load_config(CONFIG, sets=sets), Events())
    config, prepared = plan.config, plan.prepared
    training = prepared.panel.until(prepared.splits.train_end)
    shift = prepared.panel.offsets[:-1] - training.offsets[:-1]
    return epochs_of(config, training, fitting._moved(prepared.train, shift))


if __name__ == "__main__":
    sys.exit(main())
