"""Freed memory stays with the process, where the C library is glibc and nobody has settings of his own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from lstm_forecast.training import allocator
from tests.conftest import CRON, ROOT

# Large blocks taken and freed again and again: with the defaults every page of them is faulted in anew.
FAULTS = """
import ctypes, resource, sys
from lstm_forecast.training.allocator import keep_freed_memory
done = sys.argv[1] == "kept" and keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
for turn in range(30):
    blocks = [libc.malloc(1 << 23) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, 1 << 23)
    for block in blocks:
        libc.free(block)
    if turn == 9:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
GLIBC = allocator._glibc()


def faults(way: str, environment: Mapping[str, str] = MappingProxyType({})) -> tuple[bool, int]:
    """Whether it was done, and the pages that were faulted in."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, way],
        env={**CRON, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    told, pages = done.stdout.split()
    return told == "True", int(pages)


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_pages_that_were_freed_are_not_faulted_in_again() -> None:
    assert faults("usual")[1] > 1000
    done, pages = faults("kept")
    assert done
    assert pages < 100


@pytest.mark.skipif(not GLIBC, reason="another C library")
@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_environment_are_left_alone(name: str) -> None:
    value = "131072" if name.startswith("MALLOC") else "glibc.malloc.trim_threshold=131072"
    assert not faults("kept", {name: value})[0]


@pytest.mark.parametrize("version", [None, "musl 1.2"])
def test_another_c_library_is_left_alone(version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(_name: str) -> str | None:
        if version is None:
            raise ValueError("unrecognized configuration name")
        return version

    monkeypatch.setattr(allocator.os, "confstr", confstr, raising=False)
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda *_: pytest.fail("nothing is called"))
    assert not allocator.keep_freed_memory()
