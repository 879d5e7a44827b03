"""The functions of ``lstm_kernel.c``, where they were compiled when the program was installed."""

from __future__ import annotations

import ctypes
import platform
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

VERSION = 2  # of the functions' arguments, here and in the C file
LANES = 8  # floats of a vector there; up to so many are read behind the gates
_FILE = Path(__file__).with_name("_lstm_kernel" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
_ADDRESS = ctypes.c_void_p


class Layer(ctypes.Structure):
    """Sizes and addresses of a layer; the C file says what each is."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("steps", "rows", "features", "size", "backwards")),
        *((name, _ADDRESS) for name in ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        *((name, _ADDRESS) for name in ("hidden0", "cell0", "mask")),
        *((name, ctypes.c_int64) for name in ("mask_step", "mask_row")),
        *((name, _ADDRESS) for name in ("gates", "hidden", "cell", "passed")),
    )


class Derivatives(ctypes.Structure):
    """Addresses of what the way back reads and fills."""

    _fields_ = tuple((name, _ADDRESS) for name in ("out", "dh", "dc", "x", "weight_ih", "weight_hh", "bias"))


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
    try:
        library = ctypes.CDLL(str(_FILE))
        built = library.lstm_kernel_version()
    except (OSError, AttributeError):
        return Kernel(
            None, "torch's LSTM: ours was not compiled; install gcc or clang, then lstm-forecast again"
        )
    if built != VERSION:
        return Kernel(None, "torch's LSTM: the compiled one is of another version, install again")
    layers, derivatives = ctypes.POINTER(Layer), ctypes.POINTER(Derivatives)
    library.lstm_forward.argtypes = (ctypes.c_int, layers, _ADDRESS)
    library.lstm_backward.argtypes = (ctypes.c_int, layers, derivatives, _ADDRESS)
    library.lstm_forward.restype = library.lstm_backward.restype = None
    library.lstm_room.argtypes, library.lstm_room.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int64
    return Kernel(library, "an LSTM of our own, compiled at installation")


def _has_avx2() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AVX")
