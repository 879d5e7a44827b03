"""Every row of the fault matrix that must have a test has one, and no test names a row that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.contract.trees import tree_of

PAGE = ROOT / "docs" / "reference" / "faults.md"
_LINE = re.compile(r"\| (\d+) \| .+ \| .+ \| (P[012]) \|")
_TEST = re.compile(r"test_rows?_(\d+(?:_and_\d+)*)_")
# Rows without a test, and why.
WITHOUT: dict[int, str] = {
    60: "waits for distributed training",
    61: "waits for distributed training",
    62: "waits for distributed training",
    63: "waits for distributed training",
}


def priorities(page: str) -> dict[int, str]:
    """Priority by row."""
    return {int(match[1]): match[2] for line in page.splitlines() if (match := _LINE.fullmatch(line))}


def rows_of(name: str) -> set[int]:
    """The rows that a test's name says it is about."""
    match = _TEST.match(name)
    return {int(number) for number in match[1].split("_and_")} if match else set()


def names(folder: Path) -> Iterable[str]:
    """The names of all test functions below a folder."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name


def faults(table: dict[int, str], without: Iterable[int], tests: Iterable[str]) -> list[str]:
    """What does not fit together."""
    tested = set().union(*map(rows_of, tests))
    needed = {row for row, priority in table.items() if priority in ("P0", "P1")}
    return [
        *(f"row {row} has no test" for row in sorted(needed - tested - set(without))),
        *(f"row {row} has a test and a reason to have none" for row in sorted(tested & set(without))),
        *(f"a test names row {row}, which is not there" for row in sorted(tested - set(table))),
        *(f"a reason names row {row}, which needs none" for row in sorted(set(without) - needed)),
    ]


def test_the_page_lists_every_row_once_and_in_order() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [int(match[1]) for line in lines if (match := _LINE.fullmatch(line))] == list(range(1, 71))


def test_every_row_has_a_test() -> None:
    table = priorities(PAGE.read_text(encoding="utf-8"))
    assert faults(table, WITHOUT, names(ROOT / "tests")) == []


TABLE = {1: "P0", 2: "P1", 3: "P2"}


@pytest.mark.parametrize(
    ("without", "tests", "expected"),
    [
        ((), ["test_row_1_x", "test_rows_1_and_2_x"], []),
        ((2,), ["test_row_1_2_x", "test_arrow_9_x", "test_row_1"], []),
        ((), ["test_row_2_x"], ["row 1 has no test"]),
        ((1,), ["test_rows_1_and_2_x"], ["row 1 has a test and a reason to have none"]),
        ((), ["test_rows_1_and_2_and_4_x"], ["a test names row 4, which is not there"]),
        ((3,), ["test_rows_1_and_2_x"], ["a reason names row 3, which needs none"]),
    ],
)
def test_what_does_not_fit_would_be_found(
    without: tuple[int, ...], tests: list[str], expected: list[str]
) -> None:
    assert faults(TABLE, without, tests) == expected
