"""Texts from bytes are numbered as a dictionary numbers them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.data.plain_texts import Vocabulary
from lstm_forecast.data.words import PAD

texts = st.text(
    st.characters(min_codepoint=1, exclude_characters="\n", exclude_categories=["Cs"]), max_size=12
)
QUIET = settings(deadline=None, max_examples=200)


def codes_of(vocabulary: Vocabulary, cells: list[str]) -> list[int] | None:
    encoded = [cell.encode() for cell in cells]
    sizes = np.array([len(cell) for cell in encoded], dtype=np.int64)
    ends = np.cumsum(sizes + 1) - 1
    content = b"\n".join(encoded)
    room = np.zeros((len(content) + PAD) // 8 + 1, dtype=np.uint64)
    room.view(np.uint8)[: len(content)] = np.frombuffer(content, dtype=np.uint8)
    found = vocabulary.codes_of(content, room, ends - sizes, ends)
    return None if found is None else found.tolist()


@QUIET
@given(
    st.lists(texts, min_size=1, max_size=6),
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), max_size=4),
)
def test_numbers_are_given_in_order_of_appearance(words: list[str], pieces: list[list[int]]) -> None:
    vocabulary, known = Vocabulary(), dict[str, int]()
    for piece in pieces:
        cells = [words[place % len(words)] for place in piece]
        assert codes_of(vocabulary, cells) == [known.setdefault(cell, len(known)) for cell in cells]
    assert vocabulary.texts() == tuple(known)


def test_many_texts_that_share_places_of_the_table() -> None:
    vocabulary = Vocabulary()
    cells = [f"M{number:05}" for number in range(30_000)]
    assert codes_of(vocabulary, cells) == list(range(30_000))
    shuffled = np.random.default_rng(0).permutation(30_000)
    assert codes_of(vocabulary, [cells[place] for place in shuffled]) == shuffled.tolist()


def test_a_text_that_begins_like_another_one_is_another_one() -> None:
    vocabulary = Vocabulary()
    assert codes_of(vocabulary, ["12345678", "123456789", "1234567812345678", "", "12345678"]) == [
        0,
        1,
        2,
        3,
        0,
    ]


def test_a_very_long_text_is_left_to_the_other_reader() -> None:
    assert codes_of(Vocabulary(), ["a", "x" * 65]) is None
