"""Cells and numbers from the bytes of a file: the compiled functions find what numpy finds."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_forecast.data import cell_kernel
from lstm_forecast.data.cell_kernel import kernel, kernel_or_reason
from lstm_forecast.data.cuts import Cuts, find_cuts

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
QUIET = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
# A block of the compiled functions is 64 bytes: what crosses its end is what they could see wrongly.
LINES = st.lists(
    st.sampled_from([b",", b"\n", b" ", b"1", b"\t", b"\x1f", b"\x80", b"\xff", b"x" * 60, b"1234567,"]),
    max_size=200,
).map(b"".join)


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler")
def test_where_a_compiler_was_there_its_functions_are_used() -> None:
    assert kernel() is not None


@pytest.fixture
def asked_again() -> Iterator[None]:
    """The functions are looked for anew, in this test and after it."""
    kernel_or_reason.cache_clear()
    yield
    kernel_or_reason.cache_clear()


@pytest.mark.usefixtures("asked_again")
def test_without_the_file_numpy_does_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cell_kernel, "_FILE", tmp_path / "none.so")
    assert kernel() is None


@pytest.mark.usefixtures("asked_again")
def test_functions_of_another_version_are_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_kernel, "VERSION", cell_kernel.VERSION + 1)
    assert kernel() is None


@pytest.mark.usefixtures("asked_again")
def test_words_that_begin_with_their_highest_byte_are_not_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_kernel.sys, "byteorder", "big")
    assert kernel() is None


def cuts_of(content: bytes, separator: bytes = b",") -> Cuts:
    return find_cuts(np.frombuffer(content, dtype=np.uint8), separator[0])


@QUIET
@given(LINES, st.sampled_from([b",", b"\t"]))
@example(b"x" * 63, b",")
@example(b"x" * 62 + b" ", b",")
@example(b"x" * 63 + b" ", b",")
@example(b"x" * 64 + b" ", b",")
@example(b"x" * 63 + b", 1", b",")
@example(b"," * 200, b",")
def test_cuts_are_those_of_a_loop_over_the_bytes(cells_by: str, content: bytes, separator: bytes) -> None:
    content += b"\n"
    found = cuts_of(content, separator)
    edges = {separator[0], ord("\n")}
    assert found.places.tolist() == [at for at, byte in enumerate(content) if byte in edges]
    assert found.newlines == content.count(b"\n")
    assert found.unprinted == any(byte < 32 and byte not in edges for byte in content)
    assert found.begins_blank == any(
        byte == 32 and (not at or content[at - 1] in edges) for at, byte in enumerate(content)
    )
    assert found.ends_blank == any(byte == 32 and content[at + 1] in edges for at, byte in enumerate(content))


def test_nothing_behind_the_text_counts(cells_by: str) -> None:
    for size in range(1, 200):
        room = np.full(400, ord(","), dtype=np.uint8)
        room[:size] = ord("1")
        found = find_cuts(room[:size], ord(","))
        assert (found.places.tolist(), found.newlines, found.unprinted) == ([], 0, False), size


def numbers_of(texts: list[str]) -> tuple[np.ndarray, int]:
    """What the compiled functions say of cells."""
    library = kernel()
    if library is None:
        pytest.skip("the functions were not compiled")
    content = "\n".join(texts).encode()
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    words = np.zeros(len(content) // 8 + 1, dtype=np.uint64)
    words.view(np.uint8)[: len(content)] = np.frombuffer(content, dtype=np.uint8)
    return cell_kernel.read(library, words, np.cumsum(sizes + 1) - sizes - 1, sizes, ord("."))


def test_zeros_before_the_first_digit_are_no_digits() -> None:
    """Returns of prices are such numbers: 21 characters and more, of which 17 count."""
    values = np.random.default_rng(0).normal(0, 1e-4, 5000)
    texts = [f"{value:.22f}".rstrip("0") for value in values.tolist()] + ["0" * 40 + "7.5", "-0.000", "000"]
    numbers, found = numbers_of(texts)
    assert not found & cell_kernel.OPEN
    assert numbers.tobytes() == np.array([float(text) for text in texts]).tobytes()


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("9" * 19, False),
        ("9" * 20, True),
        ("0." + "0" * 21 + "1", False),
        ("0." + "0" * 22 + "1", True),
        ("1" + "0" * 18 + ".", False),
        ("1" + "0" * 18 + ".0", True),
        ("0." + "9" * 19, False),
        ("0." + "9" * 20, True),
    ],
)
def test_what_has_too_many_digits_is_left_open(text: str, is_open: bool) -> None:
    for sign in ("", "-"):
        (number,), found = numbers_of([sign + text])
        assert bool(found & cell_kernel.OPEN) == np.isnan(number) == is_open
        assert is_open or number == float(sign + text)


def test_a_number_half_way_between_two_is_left_open_or_even() -> None:
    """2^53 + 1 and others that lie half way, and their neighbours to the last of 19 digits."""
    halves = [2**53 + 1, 2**53 + 3, 2**60 + 2**7, 2**60 + 3 * 2**7, 2**63 + 2**10, 2**63 + 3 * 2**10]
    texts = [str(half + more) for half in halves for more in (-1, 0, 1)]
    texts += [text[:4] + "." + text[4:] for text in texts]
    numbers, _ = numbers_of(texts)
    is_open = np.isnan(numbers)
    assert is_open.sum() < len(texts) / 4
    expected = np.array([float(text) for text in texts])
    assert numbers[~is_open].tobytes() == expected[~is_open].tobytes()


def test_numbers_next_to_half_way_between_two_are_left_open_or_right() -> None:
    """Of 19 digits, with 22 behind the mark, nearer to the middle of two doubles than 2^-100 of their value.

    An odd h of 54 bits over 2^s lies half way between two doubles. Where h 5^22 leaves a remainder of 1
    or -1 by 2^(s - 22), h 10^22 / 2^s is that near to an integer, the mantissa.
    """
    decimals, texts = 22, []
    for bits in (41, 42, 43, 44):
        modulus = 2**bits
        for remainder in (1, -1):
            root = remainder * pow(5**decimals, -1, modulus) % modulus
            for factor in range(2**53 // modulus + 1, 2**53 // modulus + 200):
                half = root + factor * modulus
                mantissa = (half * 5**decimals - remainder) // modulus
                if mantissa < 10**19:
                    texts.append(f"0.{mantissa:022d}")
    assert len(texts) > 500
    numbers, _ = numbers_of(texts)
    is_open = np.isnan(numbers)
    expected = np.array([float(text) for text in texts])
    assert numbers[~is_open].tobytes() == expected[~is_open].tobytes()
    assert is_open.any()
