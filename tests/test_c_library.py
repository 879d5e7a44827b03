"""C files compiled at installation: no warning, and what cannot be used is not used, with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from lstm_forecast.c_library import library_beside, load_library
from tests.conftest import ROOT

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
NOT_COMPILED = "ours was not compiled; install gcc or clang, then lstm-forecast again"
WORDS = ["-O3", "-Wall", "-Wextra", "-Werror", "-std=gnu11", "-fPIC", "-shared"]


@pytest.mark.parametrize("source", ["model/lstm_kernel.c", "data/cell_kernel.c"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_has_a_warning(compiler: str, source: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    words = [compiler, *WORDS, ROOT / "lstm_forecast" / source, "-o", tmp_path / "k.so", "-lm"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_library_lies_beside_its_module() -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert library_beside("/a/b/kernel.py", "lstm_kernel") == Path(f"/a/b/_lstm_kernel{suffix}")


def test_without_the_file_there_is_a_reason(tmp_path: Path) -> None:
    assert load_library(tmp_path / "none.so", "version", 1) == (None, NOT_COMPILED)


def test_a_file_that_is_no_library_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "k.so").write_bytes(b"\x7fELF and nothing behind it")
    assert load_library(tmp_path / "k.so", "version", 1) == (None, NOT_COMPILED)


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler")
def test_a_library_is_used_in_its_own_version_only(tmp_path: Path) -> None:
    source, file = tmp_path / "k.c", tmp_path / "k.so"
    source.write_text("int version(void) { return 3; }\n")
    subprocess.run([COMPILER, "-fPIC", "-shared", source, "-o", file], check=True)
    library, why = load_library(file, "version", 3)
    assert library is not None
    assert (library.version(), why) == (3, "")
    assert load_library(file, "version", 4) == (None, "the compiled one is of another version, install again")
    assert load_library(file, "another", 3) == (None, NOT_COMPILED)
