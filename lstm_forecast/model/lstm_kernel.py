"""An LSTM layer whose recurrence on the CPU is computed by ``lstm_kernel.c``, where that was compiled.

``torch.nn.LSTM`` in every other respect: parameters, shapes, gradients. Where there is no compiled kernel, and
on GPUs, in other precisions and within autocast, torch's own computes.
"""

from __future__ import annotations

import ctypes
import platform
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

VERSION = 1  # of the functions' arguments, here and in the C file
_LANES = 8  # floats of a vector there; so many are read behind the gates
_FILE = Path(__file__).with_name("_lstm_kernel" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
_ADDRESS = ctypes.c_void_p

State = tuple[Tensor, Tensor]


class _Layer(ctypes.Structure):
    """Sizes and addresses of a pass; the C file says what each is."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("steps", "rows", "features", "size", "backwards")),
        *((name, _ADDRESS) for name in ("x", "weight_ih", "weight_hh", "bias", "hidden0", "cell0")),
        *((name, _ADDRESS) for name in ("gates", "hidden", "cell", "room")),
    )


class _Derivatives(ctypes.Structure):
    """Addresses of what the backward pass reads and fills."""

    _fields_ = tuple(
        (name, _ADDRESS) for name in ("out", "dh", "dc", "x", "weight_ih", "weight_hh", "bias")
    )


@dataclass(frozen=True)
class Kernel:
    """What computes the recurrence of LSTM layers in float32 on the CPU.

    Attributes:
        library: the compiled functions; None where torch's kernel computes.
        about: one line for people.
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
        return Kernel(None, "torch (the compiled one needs a processor with AVX2)")
    try:
        library = ctypes.CDLL(str(_FILE))
        library.lstm_kernel_version.argtypes = ()
        built = library.lstm_kernel_version()
    except (OSError, AttributeError):
        return Kernel(None, "torch (no C compiler was found when lstm-forecast was installed)")
    if built != VERSION:
        return Kernel(None, "torch (the compiled one is of another version: install lstm-forecast again)")
    library.lstm_forward.argtypes = (ctypes.POINTER(_Layer),)
    library.lstm_backward.argtypes = (ctypes.POINTER(_Layer), ctypes.POINTER(_Derivatives))
    library.lstm_forward.restype = library.lstm_backward.restype = None
    return Kernel(library, "compiled")


def _has_avx2() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AVX")


class LSTMLayer(nn.LSTM):
    """One layer of ``torch.nn.LSTM``, ``[L, B, F]`` in, ``[L, B, directions * D]`` out.

    Args:
        input_size: F, features per step.
        hidden_size: D, units.
        bias: False leaves out both biases.
        bidirectional: a second direction, from the last step to the first.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, bias: bool = True, bidirectional: bool = False
    ) -> None:
        super().__init__(input_size, hidden_size, bias=bias, bidirectional=bidirectional)

    def forward(  # type: ignore[override]  # the inherited one takes packed sequences as well
        self, x: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Every step's hidden state, and the last hidden and cell state; as ``torch.nn.LSTM`` has it.

        Args:
            x: ``[L, B, F]``.
            state: ``h0, c0``, each ``[directions, B, D]``; None means zeros.
        """
        library = kernel().library
        if library is None or not self._fits(x, state):
            out: tuple[Tensor, State] = super().forward(x, state)
            return out
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        parts = [self._direction(library, x, state, k, suffix) for k, suffix in enumerate(suffixes)]
        if len(parts) == 1:
            [(hidden, h, c)] = parts
            return hidden, (h[None], c[None])
        hidden, h, c = zip(*parts, strict=True)
        return torch.cat(hidden, dim=-1), (torch.stack(h), torch.stack(c))

    def _fits(self, x: Tensor, state: State | None) -> bool:
        """Whether the compiled kernel computes this; what it does not know is torch's, its errors too."""
        tensors = (x, self.weight_hh_l0, *(state or ()))
        return (
            all(one.dtype == torch.float32 and one.device.type == "cpu" for one in tensors)
            and not torch.is_autocast_enabled("cpu")
            and x.ndim == 3
            and min(x.shape) > 0
            and x.shape[2] == self.input_size
            and (state is None or all(one.shape[1:] == (x.shape[1], self.hidden_size) for one in state))
        )

    def _direction(
        self, library: ctypes.CDLL, x: Tensor, state: State | None, number: int, suffix: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``[L, B, D]`` and the last states ``[B, D]`` of one direction."""
        # getattr and not get_parameter: torch.func puts plain tensors where the parameters were
        weight_ih, weight_hh = (getattr(self, f"weight_{name}_l0{suffix}") for name in ("ih", "hh"))
        bias = None
        if self.bias:
            bias = getattr(self, f"bias_ih_l0{suffix}") + getattr(self, f"bias_hh_l0{suffix}")
        h0, c0 = (None, None) if state is None else (part[number] for part in state)
        parts: tuple[Tensor, Tensor, Tensor] = _Recurrence.apply(  # type: ignore[no-untyped-call]
            library, number == 1, x, weight_ih, weight_hh, bias, h0, c0
        )
        return parts


class _Recurrence(torch.autograd.Function):
    """One direction of a layer."""

    @staticmethod
    def forward(
        ctx: Any,
        library: ctypes.CDLL,
        backwards: bool,
        x: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None,
        h0: Tensor | None,
        c0: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states ``[L, B, D]``, then the last h and c, ``[B, D]``."""
        (steps, rows, features), size = x.shape, weight_hh.shape[1]
        if c0 is None:
            c0 = x.new_zeros(rows, size)
        given = tuple(
            None if one is None else one.contiguous() for one in (x, weight_ih, weight_hh, bias, h0, c0)
        )
        gates = x.new_empty(steps * rows * 4 * size + _LANES)
        hidden, cell = x.new_empty(steps, rows, size), x.new_empty(steps, rows, size)
        room = x.new_empty((4 * size + _LANES) * (features + size + 2 * _LANES))
        sizes = (steps, rows, features, size, backwards)
        library.lstm_forward(_Layer(*sizes, *_addresses(*given, gates, hidden, cell, room)))
        ctx.set_materialize_grads(False)
        ctx.library, ctx.sizes, ctx.spent = library, sizes, False
        ctx.save_for_backward(*given, gates, hidden, cell)
        end = 0 if backwards else -1
        return hidden, hidden[end].clone(), cell[end].clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(
        ctx: Any, d_hidden: Tensor | None, d_last_h: Tensor | None, d_last_c: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Derivatives by everything that ``forward`` took, in its order."""
        if ctx.spent:
            raise RuntimeError("a second backward pass through an LSTM layer: its gates are overwritten")
        ctx.spent = True
        layer = ctx.saved_tensors
        x = layer[0]
        _, rows, features, size, _ = ctx.sizes
        wanted = ctx.needs_input_grad[2:]
        out = None if d_hidden is None else d_hidden.contiguous()
        dh, dc = (
            x.new_zeros(rows, size) if last is None else last.clone(memory_format=torch.contiguous_format)
            for last in (d_last_h, d_last_c)
        )
        dx = torch.empty_like(x) if wanted[0] else None
        d_ih, d_hh = x.new_zeros(features, 4 * size), x.new_zeros(size, 4 * size)
        d_bias = x.new_zeros(4 * size)
        room = x.new_empty((4 * size + _LANES) * (features + size + 2 * _LANES))
        ctx.library.lstm_backward(
            _Layer(*ctx.sizes, *_addresses(*layer, room)),
            _Derivatives(*_addresses(out, dh, dc, dx, d_ih, d_hh, d_bias)),
        )
        found = (dx, d_ih.t().contiguous(), d_hh.t().contiguous(), d_bias, dh, dc)
        return (None, None, *(one if wants else None for one, wants in zip(found, wanted, strict=True)))


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    """Where each begins; whoever passes them on keeps the tensors."""
    return [None if one is None else one.data_ptr() for one in tensors]
