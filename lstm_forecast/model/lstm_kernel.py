"""The functions of ``lstm_kernel.c``, where they were compiled when the program was installed."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from functools import cache

import torch

from lstm_forecast.c_library import library_beside, load_library

VERSION = 2  # of the functions' arguments, here and in the C file
LANES = 8  # floats of a vector there; up to so many are read behind the gates
_FILE = library_beside(__file__, "lstm_kernel")
_ADDRESS = ctypes.c_void_p


class Layer(ctypes.Structure):
    """``Given`` of the C file: sizes, addresses and places of a layer."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("features", "size")),
        *((name, _ADDRESS) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        *((name, _ADDRESS) for name in ("hidden0", "cell0", "mask")),
        *((name, ctypes.c_int64) for name in ("mask_step", "mask_row")),
        *((name, ctypes.c_int64) for name in ("gates", "cell", "hidden", "passed", "weights")),
    )


class Batch(ctypes.Structure):
    """A batch, its layers, and where their answers go."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("count", "steps", "rows", "backwards")),
        ("layers", ctypes.POINTER(Layer)),
        ("x", _ADDRESS),
        *((name, ctypes.c_int64) for name in ("x_step", "x_row", "copy")),
        *((name, _ADDRESS) for name in ("out", "h", "c")),
    )


class Back(ctypes.Structure):
    """The derivatives that the way back begins with, and where others go."""

    _fields_ = (
        *((name, _ADDRESS) for name in ("out", "h", "c", "x")),
        ("states", ctypes.POINTER(_ADDRESS)),
    )


@dataclass(frozen=True)
class Kernel:
    """What computes LSTM layers in float32 on the CPU.

    Attributes:
        library: the compiled functions; None where torch's LSTM computes.
        about: what it is, or why there is none, for people.
    """

    library: ctypes.CDLL | None
    about: str

    @property
    def name(self) -> str:
        """``compiled`` or ``torch``, as runs record it."""
        return "torch" if self.library is None else "compiled"


@cache
def kernel() -> Kernel:
    """The kernel of this process: the compiled one, where it is there and the processor has what it needs.

    ``ATEN_CPU_CAPABILITY=default``, the environment variable by which torch leaves AVX2 alone, is heeded.
    """
    if platform.machine() in ("x86_64", "AMD64") and not _has_avx2():
        return Kernel(
            None,
            "torch's LSTM: the compiled one needs AVX2, and the processor or ATEN_CPU_CAPABILITY has none",
        )
    library, why = load_library(_FILE, "lstm_kernel_version", VERSION)
    if library is None:
        return Kernel(None, f"torch's LSTM: {why}")
    batch, back, number = ctypes.POINTER(Batch), ctypes.POINTER(Back), ctypes.c_int
    library.lstm_forward.argtypes = (batch, number, number, _ADDRESS)
    library.lstm_backward.argtypes = (batch, back, number, number, _ADDRESS, _ADDRESS)
    library.lstm_forward.restype = library.lstm_backward.restype = None
    library.lstm_room.argtypes, library.lstm_room.restype = (number, number, number), ctypes.c_int64
    return Kernel(library, "an LSTM of our own, compiled at installation")


def _has_avx2() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AVX")
