"""A bare CSV against the tuned YAML: the error of the one over that of the other.

    .venv/bin/python -m benchmarks.accuracy.bare FOLDER --pseudo      # for choosing: no test row is read
    .venv/bin/python -m benchmarks.accuracy.bare FOLDER --pseudo --parts m4 --set training.max_time=5m
    .venv/bin/python -m benchmarks.accuracy.bare FOLDER                     # a look at the test values

FOLDER holds the public files that ``run.py`` names. With ``--pseudo`` the truth is cut from the rows before
the test: of M4 the last 48 values of each training series, of ETTh1 the first 11,520 rows with 1,440 for
validation and for test, of the shipped files the first 85 % of the rows. What the YAML reaches is kept in
``results/tuned.json``: ``--tuned`` measures it again. On prices and small series see ``prices.py`` and
``small.py``. The table without ``--set`` is kept.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import etth1, m4
from benchmarks.accuracy.program import RESULTS, ROOT, Failed, Spent, run, save_table

TUNED = RESULTS / "tuned.json"
HORIZONS = (96, 192, 336, 720)
# what the shipped YAML says of the data, which the file alone does not
SHIPPED = {
    "demand": [],
    "weather": [
        "data.target=temp_max",
        "data.past_covariates=[temp_min, precipitation, wind]",
        "window.horizon=3",
        "split.validation=0.15",
        "split.test=0.15",
    ],
}
PSEUDO_ROWS = {"demand": 3427, "weather": 308}  # of each series
PARTS = ("m4", *(f"etth1-{horizon}" for horizon in HORIZONS), *SHIPPED)
LIMITS = (1.05, 1.02)
HEAD = [
    "| data | bare CSV | tuned YAML | ratio | issued | seconds | peak MB |",
    "| --- | --- | --- | ---: | --- | ---: | ---: |",
]


@dataclass(frozen=True)
class Measured:
    """One part: errors of a bare CSV and of the YAML; without a ratio ``bare`` says why there is none."""

    part: str
    bare: str
    tuned: str
    ratio: float = math.nan
    issued: str = ""
    spent: Spent | None = None

    @property
    def said(self) -> str:
        """The row of the large table, in words."""
        if self.spent is None:
            return self.bare
        return f"{self.bare} ({self.issued}), over the YAML's {self.tuned}: {self.ratio:.3f}"

    def text(self) -> str:
        """The line of the table."""
        rest = ["", "", "", ""]
        if self.spent is not None:
            spent = self.spent
            rest = [f"{self.ratio:.3f}", self.issued, f"{spent.seconds:.0f}", f"{spent.peak_mb:.0f}"]
        return f"| {' | '.join([self.part, self.bare, self.tuned, *rest])} |"


def main() -> int:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the public files are")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--pseudo", action="store_true", help="on rows before the test ones")
    parser.add_argument("--tuned", action="store_true", help="measure the YAML again")
    parser.add_argument(
        "--set", action="append", default=[], help="a trial: KEY=VALUE for every bare training"
    )
    options = parser.parse_args()
    parts = options.parts.split(",")
    if set(parts) - set(PARTS):
        parser.error(f"--parts: expected some of {','.join(PARTS)}; got {options.parts}")
    lines = [*HEAD]
    print(*HEAD, sep="\n", flush=True)
    for found in measure(options.folder, parts, pseudo=options.pseudo, again=options.tuned, sets=options.set):
        lines.append(found.text())
        print(found.text(), flush=True)
    if not options.set and tuple(parts) == PARTS:
        flag = " --pseudo" if options.pseudo else ""
        name = "bare-pseudo" if options.pseudo else "bare"
        save_table(
            name,
            f"A bare CSV{flag and ', before the test rows'}",
            lines,
            f"benchmarks/accuracy/bare.py{flag}",
        )
    return 0


def measure(
    folder: Path, parts: Sequence[str], *, pseudo: bool, again: bool, sets: Sequence[str]
) -> Iterator[Measured]:
    """Each part in turn; a training that fails or takes too long is said and left."""
    kept: dict[str, list[float]] = json.loads(TUNED.read_text(encoding="utf-8")) if TUNED.exists() else {}
    for part in parts:
        key = f"{part} pseudo" if pseudo else part
        if again or key not in kept:
            kept[key], _, _ = one(part, folder, bare=False, pseudo=pseudo, sets=())
            keep(key, kept[key])
        try:
            found, issued, spent = one(part, folder, bare=True, pseudo=pseudo, sets=sets)
        except Failed as failed:
            yield Measured(part, str(failed), _numbers(kept[key]))
            continue
        ratio = max(mine / other for mine, other in zip(found, kept[key], strict=True))
        yield Measured(part, _numbers(found), _numbers(kept[key]), ratio, issued, spent)


def one(
    part: str, folder: Path, *, bare: bool, pseudo: bool, sets: Sequence[str]
) -> tuple[list[float], str, Spent]:
    """Errors, what was issued and the cost of one training."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name) / "work"
        if part == "m4":
            found = m4.measure(folder, work, bare=bare, pseudo=pseudo, sets=sets)
            return [found.owa], found.issued, found.spent
        if part.startswith("etth1"):
            horizon = int(part.split("-")[1])
            errors = etth1.measure(folder, work, horizon=horizon, bare=bare, pseudo=pseudo, sets=sets)
            return [errors.mse, errors.mae], errors.issued, errors.spent
        return shipped(part, work, bare=bare, pseudo=pseudo, sets=sets)


def shipped(
    name: str, work: Path, *, bare: bool, pseudo: bool, sets: Sequence[str]
) -> tuple[list[float], str, Spent]:
    """MAE over that of seasonal naive or naive on the test rows of a shipped file."""
    work.mkdir(parents=True)
    until = [f"data.until={PSEUDO_ROWS[name]}"] if pseudo else []
    job = ROOT / "data" / f"{name}.csv" if bare else ROOT / "configs" / f"{name}.yaml"
    said = SHIPPED[name] if bare else []
    document, spent = run(work, "train", job, sets=[*said, *until, *sets])
    issued = document["gate"]["issued"] if document["gate"] else "model"
    return [document["metrics"][issued]["mae"]], issued, spent


def keep(key: str, figures: Sequence[float]) -> None:
    """Remembers what a YAML reached."""
    kept = json.loads(TUNED.read_text(encoding="utf-8")) if TUNED.exists() else {}
    kept[key] = [round(figure, 6) for figure in figures]
    TUNED.parent.mkdir(exist_ok=True)
    TUNED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _numbers(figures: Sequence[float]) -> str:
    return "/".join(f"{figure:.4g}" for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
