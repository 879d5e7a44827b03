"""Where the network runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lstm_forecast.errors import ResourceError


def choose_device(wanted: str) -> tuple[torch.device, str]:
    """The device and one plain line about the choice.

    Args:
        wanted: ``auto`` (CUDA, else Apple's MPS, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        ResourceError: a device asked for by name is not there.
    """
    if wanted == "auto":
        return _automatic()
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise _absent(wanted, f"this machine shows {count} CUDA devices to torch {torch.__version__}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise _absent(wanted, f"torch {torch.__version__} has no MPS here")
    return device, f"device: {device}"


NARROW = 256  # up to here a training takes seconds: what two threads save is small, what they risk is not


def threads_for(width: int) -> int:
    """Threads within a kernel that a network of this width runs with on the CPU.

    Threads within a kernel wait for each other at every time step. On two cores alone they took 0.5 to 0.7 of
    one thread's time, beside one busy process 4 to 14 times as long (benchmarks/speed/threads.py). So a
    narrow network gets one; a wider one, for which the gain counts, torch's own number.
    """
    return 1 if width <= NARROW else torch.get_num_threads()


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Runs the block with so many threads within a kernel, and puts the former number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _automatic() -> tuple[torch.device, str]:
    if torch.cuda.is_available():
        try:  # a driver can announce a card that a kernel cannot use
            torch.zeros(1, device="cuda").add_(1)
            return torch.device("cuda"), f"device: cuda ({torch.cuda.get_device_name(0)})"
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            return torch.device("cpu"), f"device: cpu (a CUDA device is there but failed: {reason})"
    if torch.backends.mps.is_available():
        return torch.device("mps"), "device: mps"
    return torch.device("cpu"), "device: cpu"


def _absent(wanted: str, reason: str) -> ResourceError:
    return ResourceError(
        "resource.device",
        f"device {wanted!r} is not available: {reason}",
        where="training.device",
        hint="use --device auto or --device cpu",
    )
