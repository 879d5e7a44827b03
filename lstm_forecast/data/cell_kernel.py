"""The functions of ``cell_kernel.c``, where they were compiled when the program was installed.

They find the cells and numbers that :mod:`cuts` and :mod:`plain_numbers` find by operations of numpy, sooner.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.c_library import library_beside, load_library
from lstm_forecast.data.words import Places, Words

VERSION = 1  # of the functions' arguments, here and in the C file
MARKED, DECIDED, OPEN = 1, 2, 4
_FILE = library_beside(__file__, "cell_kernel")
_MORE = 8  # places that may be written behind the last one
_ADDRESS, _COUNT = ctypes.c_void_p, ctypes.c_int64


class Seen(ctypes.Structure):
    """How many newlines there are; whether any character is unprinted, any cell begins or ends blank."""

    _fields_ = tuple((name, _COUNT) for name in ("newlines", "unprinted", "begins_blank", "ends_blank"))


def kernel() -> ctypes.CDLL | None:
    """The compiled functions; None where there are none, and numpy does their work."""
    return kernel_or_reason()[0]


@cache
def kernel_or_reason() -> tuple[ctypes.CDLL | None, str]:
    """The compiled functions; or None, and why there are none."""
    if sys.byteorder != "little":
        return None, "ours are for processors whose words begin with the lowest byte"
    library, why = load_library(_FILE, "cell_kernel_version", VERSION)
    if library is None:
        return None, why
    cut, read = library.cells_cut, library.cells_read
    cut.argtypes = (_ADDRESS, _COUNT, ctypes.c_uint8, _ADDRESS, ctypes.POINTER(Seen))
    cut.restype = _COUNT
    read.argtypes = (_ADDRESS, _ADDRESS, _ADDRESS, _COUNT, ctypes.c_uint8, _ADDRESS)
    return library, ""


def cut(library: ctypes.CDLL, text: NDArray[np.uint8], separator: int) -> tuple[Places, Seen]:
    """Where newlines and separators stand: [K], and what was seen on the way.

    Args:
        library: the kernel.
        text: bytes one behind the other.
        separator: the byte between cells.
    """
    text = np.ascontiguousarray(text)
    places, seen = np.empty(len(text) + _MORE, dtype=np.int64), Seen()
    count = library.cells_cut(text.ctypes.data, len(text), separator, places.ctypes.data, ctypes.byref(seen))
    return places[:count], seen


def read(
    library: ctypes.CDLL, words: Words, begins: Places, sizes: Places, mark: int
) -> tuple[NDArray[np.float64], int]:
    """The numbers of cells, NaN where one is left open: [K]; and of MARKED, DECIDED and OPEN what was found.

    Args:
        library: the kernel.
        words: the bytes of the text.
        begins: [K] where each cell begins.
        sizes: [K] its number of bytes.
        mark: the decimal mark.
    """
    begins, sizes = np.ascontiguousarray(begins), np.ascontiguousarray(sizes)
    numbers = np.empty(len(begins))
    found = library.cells_read(
        words.ctypes.data, begins.ctypes.data, sizes.ctypes.data, len(begins), mark, numbers.ctypes.data
    )
    return numbers, found
