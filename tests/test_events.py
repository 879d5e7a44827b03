"""One event is one line of strict JSON, whatever its fields hold; a log keeps whole lines only."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_forecast.cli.terminal import tell_warnings
from lstm_forecast.errors import StorageError
from lstm_forecast.events import MOST_KEPT, Event, Events
from lstm_forecast.runs import storage
from lstm_forecast.runs.storage import append_line


def strict(text: str) -> dict[str, Any]:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    document: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return document


def told(fields: dict[str, object]) -> dict[str, Any]:
    """The fields of an event as a reader of its line gets them."""
    document = strict(Event("account", "info", fields, 1.23456, "2026-01-01T00:00:00.000Z").to_line())
    assert list(document)[:5] == ["v", "ts", "t", "level", "event"]
    return {name: value for name, value in document.items() if name not in ("v", "ts", "t", "level", "event")}


@pytest.mark.parametrize(
    ("value", "plain", "words"),
    [
        (math.nan, None, "nan"),
        (math.inf, None, "inf"),
        (-math.inf, None, "-inf"),
        ([1.5, math.nan, -math.inf], [1.5, None, None], [None, "nan", "-inf"]),
        ([[math.nan], [2]], [[None], [2]], [["nan"], None]),
        (np.float64("nan"), None, "nan"),
        (np.float32("inf"), None, "inf"),
        ((1, math.nan), [1, None], [None, "nan"]),
    ],
)
def test_a_number_that_is_not_finite_is_null_with_its_word(
    value: object, plain: object, words: object
) -> None:
    assert told({"loss": value}) == {"loss": plain, "loss_word": words}
    assert told({"by": {"a": value}}) == {"by": {"a": plain, "a_word": words}}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (1.5, 1.5),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (True, True),
        (None, None),
        (Path("/a b"), "/a b"),
        ([], []),
        ({1: "one"}, {"1": "one"}),
    ],
)
def test_other_values_stay_what_they_are(value: object, plain: object) -> None:
    assert told({"value": value}) == {"value": plain}


def test_row_69_control_characters_are_escaped_and_read_back() -> None:
    text = "".join(map(chr, range(32))) + "\x7f\x85\x9b\u2028\u202e[red]"
    line = Event("warning", "warning", {"message": text, text: [text]}, 0.0, "").to_line()
    assert line.isascii()
    assert line.isprintable()
    assert strict(line)["message"] == text


def test_what_happened_before_is_kept_once_and_no_more_than_a_thousand() -> None:
    events = Events()
    for number in range(MOST_KEPT + 5):
        events.say([str(number)])
    past = events.taken_past()
    assert len(past) == MOST_KEPT
    events.say(["later"])
    assert events.taken_past() == []


def test_events_belong_to_the_run_that_is_known() -> None:
    seen: list[Event] = []
    events = Events([seen.append])
    events.say(["a"])
    events.run = "name@id"
    events.warn("some.id", "b")
    assert [event.run for event in seen] == [None, "name@id"]
    assert "run" not in strict(seen[0].to_line())
    assert strict(seen[1].to_line())["run"] == "name@id"
    assert seen[0].t <= seen[1].t


def test_a_line_that_a_crash_has_cut_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_line(path, '{"a": 1}')
    path.write_bytes(path.read_bytes() + b'{"b": ')
    append_line(path, '{"c": 3}')
    assert path.read_text() == '{"a": 1}\n{"b": \n{"c": 3}\n'


def test_row_51_a_line_that_does_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    append_line(path, "first")
    true_write, calls = os.write, iter(range(10))

    def short(descriptor: int, data: bytes) -> int:
        if next(calls):
            raise OSError(28, "No space left on device")
        return true_write(descriptor, data[:3])

    monkeypatch.setattr(storage.os, "write", short)
    with pytest.raises(StorageError) as caught:
        append_line(path, "second")
    monkeypatch.undo()
    assert caught.value.id == "storage.full"
    assert path.read_text() == "first\n"


def test_row_51_a_line_is_written_on_where_the_system_took_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_write = os.write
    monkeypatch.setattr(storage.os, "write", lambda descriptor, data: true_write(descriptor, data[:2]))
    append_line(tmp_path / "log.jsonl", "a long line")
    monkeypatch.undo()
    assert (tmp_path / "log.jsonl").read_text() == "a long line\n"


def test_warnings_of_libraries_become_events(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        tell_warnings()
        warnings.warn("two\nlines", UserWarning, stacklevel=1)
    (line,) = capsys.readouterr().err.splitlines()
    found = strict(line)
    assert (found["event"], found["id"]) == ("warning", "python")
    assert found["message"].startswith("UserWarning: two\nlines (")


def test_a_stderr_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_forecast.cli.terminal import show_interrupted

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    show_interrupted(as_json=False)
