"""Random streams: the same on every machine, and independent of each other."""

from __future__ import annotations

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.training.seeds import derive_seed, stream


@given(
    seed=st.integers(0, 2**63 - 1),
    purpose=st.sampled_from(["weights", "shuffle", "phase", "dropout"]),
    numbers=st.lists(st.integers(0, 10**6), max_size=3),
)
def test_a_seed_is_the_first_63_bits_of_a_sha256(seed: int, purpose: str, numbers: list[int]) -> None:
    text = ":".join([str(seed), purpose, *(str(number) for number in numbers)])
    bits = f"{int(hashlib.sha256(text.encode()).hexdigest(), 16):0256b}"
    assert derive_seed(seed, purpose, *numbers) == int(bits[:63], 2)


def test_the_seed_of_one_stream_never_changes() -> None:
    """Pinned: `printf 0:weights:0:0 | sha256sum` begins with these 16 digits; half of them is the seed."""
    assert derive_seed(0, "weights", 0, 0) == 0x57BEE0AC5F045563 >> 1


def test_streams_differ_in_every_part_of_their_name() -> None:
    names = [(0, "a", 1, 2), (1, "a", 1, 2), (0, "b", 1, 2), (0, "a", 2, 1), (0, "a", 12), (0, "a", 1, 2, 0)]
    seeds = {derive_seed(seed, purpose, *numbers) for seed, purpose, *numbers in names}  # type: ignore[arg-type]
    assert len(seeds) == len(names)


def test_a_stream_begins_at_its_beginning_each_time() -> None:
    draws = [torch.rand(5, generator=stream(3, "dropout", 1, 2, 0)) for _ in range(2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], torch.rand(5, generator=stream(3, "dropout", 1, 2, 1)))


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_a_stream_leaves_the_global_generator_alone(device: torch.device | None) -> None:
    before = torch.get_rng_state()
    torch.rand(5, generator=stream(3, "dropout", device=device))
    assert torch.equal(torch.get_rng_state(), before)
