"""The syntax trees of files, each parsed once for all tests of the contract."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def tree_of(path: Path) -> ast.Module:
    """Nobody may change it."""
    return ast.parse(path.read_text(encoding="utf-8"))
