"""The strict YAML reader: what it refuses, where it says the fault is, and how unquoted words are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lstm_forecast.config import yaml_reader
from lstm_forecast.config.scalars import Odd, resolve
from lstm_forecast.config.yaml_reader import (
    MAX_BYTES,
    MAX_NODES,
    ListNode,
    MappingNode,
    Scalar,
    plain,
    read_value,
    read_yaml,
)
from lstm_forecast.errors import ConfigError, Problem
from tests.hanging import never_hangs


def problem_of(data: bytes | str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        read_yaml(data.encode() if isinstance(data, str) else data, "f.yaml")
    assert caught.value.code == 2
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


BOMBS = {
    "nested brackets": "[" * 5000,
    "nested braces": "{a: " * 5000,
    "nested block lists": "- " * 5000,
    "nested block keys": "".join(" " * i + "a:\n" for i in range(400)),
    "billion laughs": 'a: &a ["x","x"]\n'
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(9)),
    "merge chain": "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 31)),
    "merge key without anchor": "a:\n  <<: {b: 1}\n",
    "lone alias": "a: *b\n",
    "lone anchor": "a: &b 1\n",
    "anchored key": "&b a: 1\n",
    "python tag": "!!python/object/apply:os.system ['touch {marker}']\n",
    "python tag on a value": "a: !!python/name:os.system\n",
    "harmless tag": "a: !!str 5\n",
    "local tag": "a: !x 5\n",
    "bare tag": "a: ! 5\n",
    "too many values": "a: [" + "1," * 20_000 + "]",
    "too many keys": "".join(f"k{i}: {i}\n" for i in range(20_000)),
    "ten megabytes": "a: 1\n" * 2_000_000,
}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[yaml.Event]:
    """The events that are taken from PyYAML: the work a text makes, whatever machine it is done on."""
    taken: list[yaml.Event] = []
    parse = yaml.parse

    def counting(*arguments: Any, **named: Any) -> Iterator[yaml.Event]:
        for event in parse(*arguments, **named):
            taken.append(event)
            yield event

    monkeypatch.setattr(yaml_reader.yaml, "parse", counting)
    return taken


@pytest.mark.parametrize("name", BOMBS)
def test_row_16_a_bomb_is_refused_as_unsafe_after_little_work(
    name: str, parsed: list[yaml.Event], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    text = BOMBS[name].replace("{marker}", str(marker))
    with never_hangs():
        problem = problem_of(text)
    nodes = [event for event in parsed if isinstance(event, yaml.NodeEvent)]
    assert len(nodes) <= MAX_NODES + 1
    assert len(parsed) <= 2 * len(nodes) + 2  # what ends a list or a mapping; the two that begin the text
    assert not nodes or nodes[-1].end_mark.index <= MAX_BYTES
    assert problem.id == "config.unsafe"
    assert problem.where.startswith("f.yaml")
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    ["a: " + "9" * 250_000 + "x", "a: " + "1:" * 120_000 + "1", "a: " + "1_" * 120_000 + "x", "#" * 250_000],
)
def test_a_long_scalar_is_read_without_searching_it_again_and_again(text: str) -> None:
    with never_hangs():
        read_yaml(text.encode(), "f.yaml")


def test_twenty_levels_are_read_and_twenty_one_are_not() -> None:
    read_yaml(("[" * 20 + "]" * 20).encode(), "f.yaml")
    problem = problem_of("[" * 21 + "]" * 21)
    assert (problem.id, problem.where) == ("config.unsafe", "f.yaml:1:21")


def test_ten_thousand_values_are_read_and_one_more_is_not() -> None:
    read_yaml(("[" + "1," * 9_999 + "]").encode(), "f.yaml")
    assert problem_of("[" + "1," * 10_000 + "]").message == "more than 10000 values"


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    read_yaml(b"#" * MAX_BYTES, "f.yaml")
    assert problem_of(b"#" * (MAX_BYTES + 1)).id == "config.unsafe"


@pytest.mark.parametrize(
    ("data", "id", "where", "words"),
    [
        ("a: 1\n---\nb: 2\n", "config.documents", "f.yaml:2:1", "second document"),
        ("a:\n\tb: 1\n", "config.syntax", "f.yaml:2:1", "cannot start any token"),
        ("a: [1, 2\n", "config.syntax", "f.yaml:2:1", "expected ',' or ']'"),
        ("b: 1\na: 'x\n", "config.syntax", "f.yaml:2:4", "a quote is opened here and never closed"),
        ("a: b: c\n", "config.syntax", "f.yaml:1:5", "mapping values are not allowed here"),
        ("a: %Y-%m\n", "config.syntax", "f.yaml:1:4", "cannot start any token"),
        ("a: *.csv\n", "config.syntax", "f.yaml:1:5", "expected alphabetic or numeric character"),
        ("a:\n  b: -\n", "config.syntax", "f.yaml:2:6", "sequence entries are not allowed here"),
        ("a: |\nb: 1\n", "config.syntax", "f.yaml:1:4", "| begins a block of text, and none follows"),
        ("[a]: 1\n", "config.syntax", "f.yaml:1:1", "a key must be a word"),
        ("x: 1\na: \x01\n", "config.syntax", "f.yaml:2:4", "U+0001 is not allowed"),
        ("a: 1\n".encode("utf-16"), "config.encoding", "f.yaml:1", "not UTF-8: byte 0xff at offset 0"),
        ("a: 1\nb: Größe\n".encode("latin-1"), "config.encoding", "f.yaml:2", "byte 0xf6 at offset 10"),
    ],
)
def test_row_15_unreadable_text_is_named_with_its_place(
    data: bytes | str, id: str, where: str, words: str
) -> None:
    problem = problem_of(data)
    assert (problem.id, problem.where) == (id, where)
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1\n", "YAML does not allow tabs; indent with spaces"),
        ("a: %Y\n", "a value that begins with % must stand in quotes"),
        ("a: *.csv\n", "a value that begins with * must stand in quotes"),
        ("a: ,\n", "a value that begins with , must stand in quotes"),
        ("a:\n  b: -\n", 'a bare - begins a list in YAML; write "-" in quotes'),
        ("a: |\n", 'write "|"'),
    ],
)
def test_a_syntax_error_says_what_to_type(text: str, hint: str) -> None:
    assert problem_of(text).hint == hint


def test_every_key_carries_its_line_and_column_and_a_byte_order_mark_is_no_text() -> None:
    root = read_yaml("\ufeffa:\n  b: 1\n  c: [x, 'y']\n".encode(), "f.yaml")
    assert isinstance(root, MappingNode)
    (top,) = root.pairs
    assert (top.key, top.line, top.column) == ("a", 1, 1)
    assert isinstance(top.value, MappingNode)
    assert [(p.key, p.line, p.column) for p in top.value.pairs] == [("b", 2, 3), ("c", 3, 3)]
    assert plain(top.value.pairs[1].value) == ("x", "y")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n", "---\n"])
def test_a_text_without_content_is_null(text: str) -> None:
    assert plain(read_yaml(text.encode(), "f.yaml")) is None


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.25", -0.25),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("no", False),
        ("Off", False),
        ("FALSE", False),
        ("yes", True),
        ("On", True),
        ("~", None),
        ("null", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:30:00", "2024-01-01 10:30:00"),
        ("None", "None"),
        ("nan", "nan"),
        ("y", "y"),
        ("1.2.3", "1.2.3"),
        ("30m", "30m"),
        ("cuda:1", "cuda:1"),
        ("٣", "٣"),
        ("3x", "3x"),
        (".", "."),
    ],
)
def test_row_13_an_unquoted_word_is_read_as_a_person_means_it(word: str, value: object) -> None:
    result = resolve(word)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("word", "reading"),
    [
        ("010", "8 (base 8)"),
        ("0x10", "16 (base 16)"),
        ("-0x10", "-16 (base 16)"),
        ("0b11", "3 (base 2)"),
        ("0o17", "15 (base 8)"),
        ("1_000", "1000"),
        ("12:30:00", "45000 (base 60)"),
        ("08", "text, because of the leading 0"),
        ("1" * 500, "a number of 500 characters"),
    ],
)
def test_row_13_a_word_that_yaml_turns_into_another_number_is_odd(word: str, reading: str) -> None:
    assert resolve(word) == Odd(word, reading)


@pytest.mark.parametrize("word", ["010", "0x10", "0b11", "1_000", "12:30:00", "-0x1F", "190:20:30"])
def test_the_explained_reading_is_the_one_of_pyyaml(word: str) -> None:
    odd = resolve(word)
    assert isinstance(odd, Odd)
    assert int(odd.reading.split(" ")[0]) == yaml.safe_load(word)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_config_error(text: str) -> None:
    try:
        read_yaml(text.encode(errors="surrogatepass"), "f.yaml")
    except ConfigError as error:
        assert error.problems[0].where.startswith("f.yaml")  # noqa: PT017 - only some texts are refused


@given(st.from_regex(r"[-+0-9_.xob:eE]{1,12}", fullmatch=True))
def test_a_number_is_the_decimal_number_that_stands_there_or_odd_or_text(word: str) -> None:
    value = resolve(word)
    if isinstance(value, int | float):
        assert value == float(word)
        assert "_" not in word


@pytest.mark.parametrize(
    ("text", "value"),
    [("-", "-"), (" 5 ", 5), ("[a, 1]", ("a", 1)), ("", None), ('"5"', "5"), ("a#b", "a#b"), ("x\n", "x")],
)
def test_a_value_of_a_flag_is_read_as_yaml(text: str, value: object) -> None:
    assert plain(read_value(text, "--set")) == value


@pytest.mark.parametrize("text", ["a #b", "#b", "5 # five"])
def test_a_value_that_yaml_would_cut_at_a_comment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_value(text, "--set")
    assert caught.value.problems[0].id == "config.syntax"
    assert "comment" in caught.value.problems[0].message


@pytest.mark.parametrize("text", ["[1", "*a", "!!x y", "\udc80", "a: b: c", "a\ud800"])
def test_a_bad_value_names_its_flag_without_a_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_value(text, "--set")
    assert caught.value.problems[0].where == "--set"


def test_quoted_words_stay_text() -> None:
    assert plain(read_yaml(b"['no', \"010\", '']", "f.yaml")) == ("no", "010", "")
    assert read_yaml(b"[]", "f.yaml") == ListNode(())
    assert read_yaml(b"no", "f.yaml") == Scalar(False, "no", quoted=False)
