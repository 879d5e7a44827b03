"""The folder of runs as a place: who holds which lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lstm_forecast.runs.places import Lock, name_locks
from lstm_forecast.runs.storage import held_lock, is_held


def test_a_lock_is_held_exactly_while_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / ".locks" / "a.lock"
    assert is_held(path) is None
    with held_lock(path, timeout_s=0.0):
        assert is_held(path) is True
        assert name_locks(tmp_path)[0].held is True
    assert is_held(path) is False
    assert name_locks(tmp_path) == [Lock("a", False, "")]
    with held_lock(path, timeout_s=0.0):  # asking has left nothing behind
        pass


def test_asking_neither_follows_a_link_nor_waits_for_a_pipe(tmp_path: Path) -> None:
    import os

    (tmp_path / "a.lock").symlink_to(tmp_path / "file")
    (tmp_path / "file").touch()
    assert is_held(tmp_path / "a.lock") is None
    os.mkfifo(tmp_path / "b.lock")
    assert is_held(tmp_path / "b.lock") in (False, None)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        (
            json.dumps({"pid": 7, "host": "vm", "since": "2026-01-01T00:00:00+00:00"}),
            "process 7 on vm since 2026-01-01T00:00:00+00:00",
        ),
        ("{}", "another process"),
        ("[]", "another process"),
        ("", "another process"),
        ("3", "another process"),
    ],
)
def test_who_holds_a_lock_is_what_he_wrote_beside_it(text: str, by: str, tmp_path: Path) -> None:
    with held_lock(tmp_path / ".locks" / "a.lock", timeout_s=0.0):
        (tmp_path / ".locks" / "a.lock.json").write_text(text)
        assert name_locks(tmp_path) == [Lock("a", True, by)]


def test_a_folder_without_locks_has_none(tmp_path: Path) -> None:
    assert name_locks(tmp_path) == []
