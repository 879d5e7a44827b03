"""The folders that batches leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_forecast.scale import records
from lstm_forecast.scale.records import KEPT, close_record, new_record


def test_ids_sort_by_time_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    (tmp_path / ".batch" / "29990101T000000Z-abcdef").mkdir(parents=True)
    made = [new_record(tmp_path).name for _ in range(3)]
    assert made == sorted(made)
    assert [name[:16] for name in made] == ["29990101T000001Z", "29990101T000002Z", "29990101T000003Z"]


def test_only_what_holds_something_stays(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    (record / "a.log").write_text("")
    (record / "b.log").write_text("Traceback")
    close_record(record)
    assert [path.name for path in record.iterdir()] == ["b.log"]
    empty = new_record(tmp_path)
    close_record(empty)
    assert not empty.exists()


def test_the_newest_thirty_are_kept_and_nothing_else_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEPT == 30
    monkeypatch.setattr(records, "KEPT", 2)
    (tmp_path / ".batch" / "notes").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / ".batch" / "20000101T000000Z-000000").symlink_to(tmp_path / "precious")
    made = [new_record(tmp_path) for _ in range(4)]
    for record in made:
        (record / "summary.json").write_text("{}")
    close_record(made[-1])
    left = {path.name for path in (tmp_path / ".batch").iterdir()}
    assert left == {"notes", "20000101T000000Z-000000", made[2].name, made[3].name}
    assert (tmp_path / "precious").is_dir()
