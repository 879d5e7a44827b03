"""Modules, functions and parameter lists stay small enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.contract.trees import tree_of

PACKAGE = ROOT / "lstm_forecast"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 350
MOST_FUNCTION_LINES = 60
MOST_PARAMETERS = 8
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MANY_PARAMETERS = {
    "cli/train.py:train": "one parameter per option: typer builds the command from them",
    "cli/predict.py:predict": "one parameter per option",
    "cli/plot.py:plot": "one parameter per option",
    "cli/evaluate.py:evaluate": "one parameter per option",
    "cli/prune.py:prune_runs": "one parameter per option",
    "cli/check.py:check": "one parameter per option",
    "cli/init.py:init": "one parameter per option",
    "cli/track.py:track": "one parameter per option",
    "cli/batch.py:batch": "one parameter per option",
    "model/reglstm.py:__init__": "the public network: one argument per property",
    "pipeline.py:predict": "the public verb: one argument per option of the command",
    "data/dates.py:_microseconds": "a moment has that many parts",
}
# A first plain True or False at a call says nothing; a boolean stands behind its name.
POSITIONAL_BOOLEANS = {
    "cli": "typer builds the options from the parameters and calls them by name",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, Function):
                yield f"{path.relative_to(PACKAGE)}:{node.name}", node


def test_modules_have_at_most_350_lines() -> None:
    long = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }
    assert long == set(LONG_MODULES)


def test_functions_have_at_most_60_lines_beside_their_docstring() -> None:
    long = set()
    for name, node in functions():
        doc = node.body[0] if ast.get_docstring(node) is not None else None
        lines = (node.end_lineno or 0) - node.lineno + 1
        lines -= ((doc.end_lineno or 0) - doc.lineno + 1) if doc else 0
        if lines > MOST_FUNCTION_LINES:
            long.add(name)
    assert long == set(LONG_FUNCTIONS)


def test_functions_take_at_most_8_parameters() -> None:
    many = set()
    for name, node in functions():
        taken = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if len([arg for arg in taken if arg not in ("self", "cls")]) > MOST_PARAMETERS:
            many.add(name)
    assert many <= set(MANY_PARAMETERS), many - set(MANY_PARAMETERS)


def test_no_function_takes_arbitrary_keywords() -> None:
    assert [name for name, node in functions() if node.args.kwarg is not None] == []


def test_no_boolean_is_positional() -> None:
    found = []
    for name, node in functions():
        positional = [*node.args.posonlyargs, *node.args.args]
        booleans = [a for a in positional if a.annotation is not None and ast.unparse(a.annotation) == "bool"]
        if booleans and name.split("/")[0] not in POSITIONAL_BOOLEANS:
            found.append(name)
    assert [name for name in found if not name.endswith("__init__")] == []


@pytest.mark.parametrize("word", ["utils", "common", "helpers", "misc"])
def test_no_module_is_called(word: str) -> None:
    assert [path for path in MODULES if path.stem == word or path.parent.name == word] == []
