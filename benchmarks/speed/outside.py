"""What ``train`` spends outside of forward, backward and optimiser: 20 epochs of the classic recipe.

    python benchmarks/speed/outside.py
    python benchmarks/speed/outside.py configs/stock.yaml

The command runs in a process of its own, from its start to its end. Inside is what the steps take: gathering
a batch, forward, loss, backward, clipping, optimiser. Outside is the rest: the start of Python, imports,
reading, dropout masks that nobody computed meanwhile, validation, checkpoints, the test, pictures, the files
of the run. Prints seconds of each part by the wall, and the share outside.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
PARTS = ("before the first step", "steps", "between the steps", "after the last step")


def main() -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs" / "classic.yaml")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="trainings, default 3")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="sets")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        return _train(given.config, given.sets)
    found = [_measured(given.config, given.sets) for _ in range(given.turns)]
    medians = {part: statistics.median(one[part] for one in found) for part in PARTS}
    whole = sum(medians.values())
    print("| part | s | share |\n| --- | ---: | ---: |")
    for part, seconds in medians.items():
        print(f"| {part} | {seconds:.2f} | {seconds / whole:.1%} |")
    print(f"outside of the steps: {1 - medians['steps'] / whole:.1%} of {whole:.1f} s")
    return 0


def _measured(config: Path, sets: list[str]) -> dict[str, float]:
    """Seconds of each part of one training."""
    words = [word for one in sets for word in ("--set", one)]
    began = time.time()
    done = subprocess.run(
        [sys.executable, __file__, str(config), "--inside", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    ended = time.time()
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    between = told["last"] - told["first"] - told["steps"]
    seconds = told["first"] - began, told["steps"], between, ended - told["last"]
    return dict(zip(PARTS, seconds, strict=True))


def _train(config: Path, sets: list[str]) -> int:
    """The command itself, with a clock around the two halves of a step."""
    sys.path.insert(0, str(ROOT))
    from lstm_forecast.cli.app import main as command

    spent, moments = [], []

    def watch() -> None:
        import torch

        from lstm_forecast.training import loop

        def timed(work: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any) -> Any:
                began = time.time()
                result = work(*arguments)
                moments.extend([began, time.time()])
                spent.append(moments[-1] - began)
                return result

            return run

        loop._gradients = timed(loop._gradients)
        for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
            kind.step = timed(kind.step)  # type: ignore[method-assign]

    _before_training(watch)
    with TemporaryDirectory() as folder:
        try:
            words = [word for one in sets for word in ("--set", one)]
            command(["train", str(config), "--quiet", "--runs-dir", folder, *words])
        except SystemExit as end:
            if end.code:
                raise
    print(json.dumps({"first": moments[0], "last": max(moments), "steps": sum(spent)}))
    return 0


def _before_training(watch: Callable[[], None]) -> None:
    """Calls ``watch`` once torch is imported anyway, so that the order of imports stays."""
    from lstm_forecast import trainings

    true = trainings.train_into

    def train_into(*arguments: Any, **named: Any) -> Any:
        watch()
        return true(*arguments, **named)

    trainings.train_into = train_into


if __name__ == "__main__":
    sys.exit(main())
