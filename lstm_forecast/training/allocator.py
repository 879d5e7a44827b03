"""Memory that a training step frees stays with the process for the next step.

A recurrent layer takes its workspace anew at every step. By glibc's defaults the larger blocks are mapped and
unmapped each time, and every page of them is faulted in again: about half of the time of a training.
"""

from __future__ import annotations

import ctypes
import os

_MIB = 2**20
# The options of mallopt(3). 32 MiB is the most that glibc takes as the threshold of mapped blocks.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = ((_MMAP_THRESHOLD, 32 * _MIB), (_TRIM_THRESHOLD, 512 * _MIB), (_TOP_PAD, 16 * _MIB))
_OWN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Has glibc keep what is freed, for the whole process; says whether it was done.

    Nothing happens with another C library (macOS, musl), nor where the environment has settings of its own.
    Blocks of 32 MiB and more go back to the system as ever.
    """
    if not _glibc() or any(name in os.environ for name in _OWN):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    done = [mallopt(option, size) for option, size in _SETTINGS]  # 1 for each that was taken
    return all(done)


def _glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError, AttributeError):  # no such name, or no confstr at all
        return False
