"""Every random stream of a run, derived from one seed.

A stream is named by its purpose, epoch, and further numbers (step, layer, rank), so nothing random has to be
stored for a run to be repeated or taken up again.
"""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, purpose: str, *numbers: int) -> int:
    """A 63-bit seed for one stream, the same on every machine."""
    text = ":".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, purpose: str, *numbers: int, device: torch.device | None = None) -> torch.Generator:
    """A generator that stands at the beginning of one stream."""
    generator = torch.Generator(device=device or torch.device("cpu"))
    generator.manual_seed(derive_seed(seed, purpose, *numbers))
    return generator
