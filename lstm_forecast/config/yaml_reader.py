"""Strict YAML: text in, a small tree with the line and column of every key out, or problems.

The tree is built from PyYAML's event stream, never by its constructors: size, depth and number of nodes are
capped while the events arrive, so nested brackets, alias bombs and tags end before anything is built.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import yaml

from lstm_forecast.config.scalars import resolve
from lstm_forecast.errors import ConfigError, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
_NEEDS_QUOTES = re.compile(r"(?:^|[:\-\[,])\s+([%@`,*&!])")


@dataclass(frozen=True)
class Scalar:
    """One value; ``text`` is how it was written, ``quoted`` whether it stood in quotes."""

    value: object
    text: str
    quoted: bool


@dataclass(frozen=True)
class ListNode:
    """A YAML list."""

    items: tuple["Node", ...]


@dataclass(frozen=True)
class Pair:
    """One key of a mapping with its value; line and column are those of the key, counted from 1."""

    key: str
    value: "Node"
    line: int
    column: int


@dataclass(frozen=True)
class MappingNode:
    """A YAML mapping in the order of the text; a key that stands twice is here twice."""

    pairs: tuple[Pair, ...]


Node = Scalar | ListNode | MappingNode


@dataclass(frozen=True)
class Plain:
    """A mapping or list where a plain value is expected, kept only to be shown in a message."""

    shown: str


def read_yaml(data: bytes, where: str) -> Node:
    """The tree of one YAML document.

    Args:
        data: the whole text as bytes; must be UTF-8 (a byte order mark is fine) and at most 256 KiB.
        where: the file, flag or variable for messages; a line and column are added.

    Raises:
        ConfigError: ids ``config.unsafe``, ``config.encoding``, ``config.syntax``, ``config.documents``.
    """
    if len(data) > MAX_BYTES:
        _fail(
            "config.unsafe",
            f"larger than {MAX_BYTES // 1024} KiB; a configuration has a few lines",
            where,
            hint="is this a configuration file? data.path names the CSV",
        )
    text = _decoded(data, where)
    try:
        events = list(_guarded(text, where))
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, text, where)]) from error
    if not events:
        return Scalar(None, "", quoted=False)
    stream = iter(events)
    return _node(next(stream), stream, where)


def read_value(text: str, where: str) -> Node:
    """The tree of one value from ``--set`` or the environment; a bare ``-`` is text.

    Raises:
        ConfigError: as `read_yaml`, and where a comment sign would swallow a part of the value.
    """
    if text.strip() == "-":
        return Scalar("-", "-", quoted=False)
    try:
        node = read_yaml(text.encode(errors="surrogatepass"), where)
    except ConfigError as error:
        # A line and column would only confuse where the whole text is one short value.
        raise ConfigError([replace(problem, where=where) for problem in error.problems]) from error
    if isinstance(node, Scalar) and not node.quoted and node.text != text.strip() and "#" in text:
        _fail(
            "config.syntax",
            f"YAML reads everything after # as a comment, which leaves `{node.text}`",
            where,
            hint="put the value in quotes inside the quotes of the shell",
        )
    return node


def plain(node: Node) -> object:
    """The Python value of a node: lists become tuples, a mapping (no key takes one) becomes `Plain`."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return tuple(plain(item) for item in node.items)
    return Plain("a mapping")


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _fail(
            "config.encoding",
            f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            f"{where}:{line}",
            hint="save the file as UTF-8",
        )


def _guarded(text: str, where: str) -> Iterator[yaml.Event]:
    """The events that make nodes, checked one by one before anything is built from them."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = _place(where, event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                _fail(
                    "config.documents", "a second document begins here", place, hint="keep one, without ---"
                )
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
            _refuse_unsafe(event, place)
            depth += isinstance(event, yaml.CollectionStartEvent)
            if depth > MAX_DEPTH:
                _fail("config.unsafe", f"nested more than {MAX_DEPTH} levels deep", place)
            if nodes > MAX_NODES:
                _fail("config.unsafe", f"more than {MAX_NODES} values", place)
            yield event
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            yield event


def _refuse_unsafe(event: yaml.NodeEvent, place: str) -> None:
    if isinstance(event, yaml.AliasEvent):
        _fail("config.unsafe", "aliases (*) are not allowed", place, hint="write the value out, or in quotes")
    if event.anchor is not None:
        _fail("config.unsafe", "anchors (&) are not allowed", place, hint="write the value out, or in quotes")
    tag = getattr(event, "tag", None)
    if tag is not None:
        _fail(
            "config.unsafe", f"tags are not allowed, got {_short(tag)}", place, hint="remove the tag (!...)"
        )


def _node(event: yaml.Event, stream: Iterator[yaml.Event], where: str) -> Node:
    """The node that begins with this event; recursion is bounded by MAX_DEPTH."""
    if isinstance(event, yaml.ScalarEvent):
        quoted = event.style is not None
        if event.style in {"|", ">"} and not event.value:
            place = _place(where, event.start_mark)
            sign = event.style
            _fail(
                "config.syntax",
                f"{sign} begins a block of text, and none follows",
                place,
                hint=f'write "{sign}"',
            )
        return Scalar(event.value if quoted else resolve(event.value), event.value, quoted)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(stream), yaml.SequenceEndEvent):
            items.append(_node(event, stream, where))
        return ListNode(tuple(items))
    pairs = []
    while not isinstance(event := next(stream), yaml.MappingEndEvent):
        mark = event.start_mark
        assert mark is not None
        key = _key(event, _place(where, mark))
        pairs.append(Pair(key, _node(next(stream), stream, where), mark.line + 1, mark.column + 1))
    return MappingNode(tuple(pairs))


def _key(event: yaml.Event, place: str) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        _fail("config.syntax", "a key must be a word, got a list or a mapping", place)
    if event.value == "<<" and event.style is None:
        _fail("config.unsafe", "merge keys (<<) are not allowed", place, hint="write the keys out")
    return str(event.value)


def _syntax_problem(error: yaml.YAMLError, text: str, where: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        position = int(error.position)
        line = text.count("\n", 0, position)
        column = position - (text.rfind("\n", 0, position) + 1)
        what = f"the character U+{ord(text[position]):04X} is not allowed in YAML"
        return Problem("config.syntax", what, f"{where}:{line + 1}:{column + 1}", "remove it")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem("config.syntax", "not readable as YAML", where)
    what = str(getattr(error, "problem", None) or getattr(error, "context", None) or "not readable as YAML")
    hint = _syntax_hint(text, mark.index)
    opened = getattr(error, "context_mark", None)
    if opened and "quoted scalar" in str(getattr(error, "context", "")) and "end of stream" in what:
        mark, what, hint = opened, "a quote is opened here and never closed", "close the quote"
    return Problem("config.syntax", what, _place(where, mark), hint)


def _place(where: str, mark: Any) -> str:
    """File, line and column of a PyYAML mark; typed Any because its two kinds share no name."""
    return f"{where}:{mark.line + 1}:{mark.column + 1}"


def _syntax_hint(text: str, index: int) -> str:
    """What to type instead, told from the character where the YAML reader stopped."""
    start = text.rfind("\n", 0, index) + 1
    line = text[start:].split("\n", 1)[0]
    if "\t" in line[: len(line) - len(line.lstrip())] or text[index : index + 1] == "\t":
        return "YAML does not allow tabs; indent with spaces"
    if line.rstrip().endswith(": -"):
        return 'a bare - begins a list in YAML; write "-" in quotes'
    if sign := _NEEDS_QUOTES.search(line):
        return f"a value that begins with {sign[1]} must stand in quotes"
    return "write `key: value` with spaces for indentation; a value with : # or brackets must stand in quotes"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _fail(id: str, message: str, where: str, *, hint: str = "") -> NoReturn:
    raise ConfigError([Problem(id, message, where, hint)])
