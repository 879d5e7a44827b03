"""What a training does to the older runs of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_forecast import recording
from lstm_forecast.errors import StorageError
from lstm_forecast.events import Events
from lstm_forecast.runs import run as runs
from lstm_forecast.runs.run import FILES, Run

CONTENT = dict.fromkeys(FILES, b"x")


def published(folder: Path, day: str) -> Run:
    """A complete run that began on that day and whose process has ended."""
    run = runs.create_run(folder, "a")
    runs.publish(run, CONTENT)
    runs.write_status(run, "complete", exit_code=0)
    return Run(run.path.rename(run.path.with_name(f"{day}T000000Z-{run.id[-6:]}")))


def test_keep_leaves_the_newest_and_says_how_many_went(tmp_path: Path) -> None:
    said: list[object] = []
    events = Events([lambda event: said.append(event.fields.get("lines"))])
    made = [published(tmp_path, f"2024010{day}") for day in range(1, 6)]
    recording.remove_older(made[-1], None, events)
    assert (runs.sorted_runs(tmp_path / "a"), said) == (made[::-1], [])
    recording.remove_older(made[-1], 2, events)
    assert runs.sorted_runs(tmp_path / "a") == [made[4], made[3]]
    assert said == [["removed 3 older runs of a (run.keep: 2)"]]
    recording.remove_older(made[-1], 2, events)
    assert len(said) == 1


def test_a_run_that_cannot_be_removed_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("storage.io", "cannot be written", where="a", errno=5)

    monkeypatch.setattr(recording, "prune", full)
    made, events = [published(tmp_path, day) for day in ("20240101", "20240102")], Events()
    recording.remove_older(made[1], 1, events)
    assert [id for id, _ in events.warnings] == ["runs.not_pruned"]
    assert runs.sorted_runs(tmp_path / "a") == made[::-1]
