"""A module imports only from lower levels, or from its own folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.contract.trees import tree_of

PACKAGE = ROOT / "lstm_forecast"
# The verbs and the stages they are made of share one level; within it, imports go one way only.
STAGES_IN_ORDER = (
    "covariates",
    "stages",
    "usable_series",
    "choices",
    "choosing",
    "networks",
    "ages",
    "fitting",
    "courses",
    "gating",
    "rivals",
    "judging",
    "room",
    "falling_back",
    "boards",
    "documents",
    "opening",
    "naming",
    "backtests",
    "latest",
    "cold_starts",
    "coming",
    "warm_starts",
    "champions",
    "spreadsheets",
    "dated",
    "interval_levels",
    "predicting",
    "evaluating",
    "auditing",
    "recording",
    "tracking",
    "resuming",
    "drawing",
    "initialising",
    "trainings",
    "pipeline",
    "skipping",
)
LEVELS = {
    "__init__": 7,  # the public names, each imported from its home on first use
    "__main__": 8,
    "errors": 0,
    "redaction": 0,
    "cores": 0,
    "c_library": 0,
    "events": 1,
    "signals": 1,
    "config": 1,
    "version": 1,
    "data": 2,
    "model": 2,
    "runs": 2,
    "training": 3,
    "forecasting": 3,
    "evaluation": 4,
    "reporting": 4,
    **dict.fromkeys(STAGES_IN_ORDER, 5),
    "scale": 6,
    "cli": 7,
}
EXCEPTIONS: dict[tuple[str, str], str] = {}  # (module, imported part): reason


def part(module: str) -> str:
    """``lstm_forecast.data.panel`` belongs to ``data``; the package itself to ``__init__``."""
    return module.split(".")[1] if "." in module else "__init__"


def imported(tree: ast.Module) -> list[str]:
    """Every module of ours that a file imports, also inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = node.module or ""
            # ``from lstm_forecast import stages`` names a module; from a deeper one come its own names
            found += [f"{base}.{alias.name}" for alias in node.names] if base == "lstm_forecast" else [base]
    return [name for name in found if name.split(".")[0] == "lstm_forecast"]


def faults(path: Path, tree: ast.Module) -> list[str]:
    """The imports of a file that go up, or sideways out of its folder."""
    relative = path.relative_to(PACKAGE).with_suffix("")
    own = relative.parts[0]
    wrong = []
    for name in imported(tree):
        other = part(name)
        if other == own or (str(relative), other) in EXCEPTIONS:
            continue
        if own in STAGES_IN_ORDER and other in STAGES_IN_ORDER:
            fine = STAGES_IN_ORDER.index(other) < STAGES_IN_ORDER.index(own)
        else:
            fine = LEVELS[other] < LEVELS[own]
        if not fine:
            wrong.append(f"{relative} (level {LEVELS[own]}) imports {name} (level {LEVELS[other]})")
    return wrong


def test_every_part_of_the_package_has_a_level() -> None:
    parts = {path.stem for path in PACKAGE.glob("*.py")}
    parts |= {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert parts == set(LEVELS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_downward(path: Path) -> None:
    assert faults(path, tree_of(path)) == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("data/panel.py", "from lstm_forecast.model.cells import Cell"),
        ("model/cells.py", "def f():\n    import lstm_forecast.training.loop"),
        ("stages.py", "from lstm_forecast import pipeline"),
        ("errors.py", "from lstm_forecast.events import Events"),
    ],
)
def test_an_upward_import_would_be_found(where: str, text: str) -> None:
    assert len(faults(PACKAGE / where, ast.parse(text))) == 1
