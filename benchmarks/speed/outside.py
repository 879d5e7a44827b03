"""What ``train`` spends outside of forward, backward and optimiser: 20 epochs of the classic recipe.

    python benchmarks/speed/outside.py
    python benchmarks/speed/outside.py configs/stock.yaml

The command runs in a process of its own, from its start to its end. Inside is what the steps take: gathering
a batch, forward, loss, backward, clipping, optimiser. Outside is the rest: the start of Python, imports,
reading, dropout masks that nobody computed meanwhile, validation, checkpoints, the test, pictures, the files
of the run. Prints seconds of each part by the wall and of the processor, which other programs disturb less,
and the share outside.
"""

from __future__ import annotations

import argparse
import json
import resource
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
    medians = {part: [statistics.median(one[part][n] for one in found) for n in (0, 1)] for part in PARTS}
    whole = sum(wall for wall, _ in medians.values())
    print("| part | s | share | of the processor, s |\n| --- | ---: | ---: | ---: |")
    for part, (wall, processor) in medians.items():
        print(f"| {part} | {wall:.2f} | {wall / whole:.1%} | {processor:.2f} |")
    outside = [sum(medians[part][n] for part in PARTS if part != "steps") for n in (0, 1)]
    print(f"outside of the steps: {outside[0]:.2f} s, {outside[0] / whole:.1%} of {whole:.1f} s", end="")
    print(f"; of the processor {outside[1]:.2f} s")
    return 0


def _measured(config: Path, sets: list[str]) -> dict[str, tuple[float, float]]:
    """Seconds of each part of one training, by the wall and of the processor."""
    words = [word for one in sets for word in ("--set", one)]
    began = time.time(), _children_s()
    done = subprocess.run(
        [sys.executable, __file__, str(config), "--inside", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    ended = time.time(), _children_s() - began[1]
    told: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    parts = []
    for start, end, first, last, steps in zip(
        (began[0], 0.0), ended, told["first"], told["last"], told["steps"], strict=True
    ):
        parts.append((first - start, steps, last - first - steps, end - last))
    return dict(zip(PARTS, zip(*parts, strict=True), strict=True))


def _children_s() -> float:
    """Seconds of the processor that processes started here and at their end have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _train(config: Path, sets: list[str]) -> int:
    """The command itself, with a clock around the two halves of a step."""
    sys.path.insert(0, str(ROOT))
    from lstm_forecast.cli.app import main as command

    moments: list[tuple[float, float]] = []  # before and after each half, by the wall and of the processor

    def watch() -> None:
        from lstm_forecast.training import loop
        from lstm_forecast.training.optimizers import Optimizer

        def timed(work: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any) -> Any:
                moments.append((time.time(), time.process_time()))
                result = work(*arguments)
                moments.append((time.time(), time.process_time()))
                return result

            return run

        loop._gradients = timed(loop._gradients)
        Optimizer.step = timed(Optimizer.step)  # type: ignore[method-assign]

    _before_training(watch)
    with TemporaryDirectory() as folder:
        try:
            words = [word for one in sets for word in ("--set", one)]
            command(["train", str(config), "--quiet", "--runs-dir", folder, *words])
        except SystemExit as end:
            if end.code:
                raise
    steps = [
        sum(end[n] - start[n] for start, end in zip(moments[::2], moments[1::2], strict=True)) for n in (0, 1)
    ]
    print(json.dumps({"first": moments[0], "last": moments[-1], "steps": steps}))
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
