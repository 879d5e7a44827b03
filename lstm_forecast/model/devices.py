"""Where the network runs."""

from __future__ import annotations

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
    return torch.device("cpu"), f"device: cpu, {torch.get_num_threads()} threads"


def _absent(wanted: str, reason: str) -> ResourceError:
    return ResourceError(
        "resource.device",
        f"device {wanted!r} is not available: {reason}",
        where="training.device",
        hint="use --device auto or --device cpu",
    )
