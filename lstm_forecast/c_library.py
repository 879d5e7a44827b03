"""The libraries of C files that are compiled, each beside its source, when the program is installed."""

from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path

_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX") or ".so"


def library_beside(module: str, name: str) -> Path:
    """Where the library of ``name.c`` lies, beside a module of this file."""
    return Path(module).with_name(f"_{name}{_SUFFIX}")


def load_library(file: Path, version_function: str, version: int) -> tuple[ctypes.CDLL | None, str]:
    """The library; or None, and why there is none.

    Args:
        file: the library.
        version_function: its function that says for which version of their arguments it was built.
        version: the one that is wanted.
    """
    try:
        library = ctypes.CDLL(str(file))
        built = getattr(library, version_function)()
    except (OSError, AttributeError):
        return None, "ours was not compiled; install gcc or clang, then lstm-forecast again"
    if built != version:
        return None, "the compiled one is of another version, install again"
    return library, ""
