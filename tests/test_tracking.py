"""Recording what is forecast, and judging it by what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.dated import Forecast
from lstm_forecast.errors import DataInvalid, StorageError, UsageError
from lstm_forecast.events import Events
from lstm_forecast.opening import opened
from lstm_forecast.runs.ledger import NAME, Recorded, open_ledger
from lstm_forecast.runs.storage import sha256_of
from lstm_forecast.tracking import Tracked, one_run, record, track, track_picture
from tests.conftest import Tiny
from tests.training.jobs import days, momentum, trained, write_csv

VALUES = momentum(300)


def upto(folder: Path, count: int, changes: Mapping[int, float] = {}) -> Path:
    """The tiny run's series as it goes on, with some values changed."""
    values = VALUES[:count].copy()
    for row, value in changes.items():
        values[row] = value
    return write_csv(folder / f"upto{count}.csv", {"date": days(count), "value": values})


def forecast(tiny: Tiny, count: int, **named: Any) -> Forecast:
    return pipeline.predict("tiny", runs_dir=tiny.runs, data=str(upto(tiny.csv.parent, count)), **named)


def tracked(tiny: Tiny, data: Path | None, **named: Any) -> Tracked:
    words: dict[str, Any] = {"only": False, "series": None, "dry_run": False, "events": Events(), **named}
    return track(opened(tiny.run), data=None if data is None else str(data), **words)


@pytest.fixture(autouse=True)
def _same_series(tiny: Tiny) -> None:
    assert np.array_equal(momentum(160), VALUES[:160]), "a longer series begins as the shorter one"


def test_the_numbers_are_those_of_a_plain_loop(tiny: Tiny) -> None:
    issued = [forecast(tiny, count, horizon=3) for count in range(160, 200)]
    for one in issued:
        assert record(one, Events()) == Recorded(3, 0, 0)
    found = tracked(tiny, upto(tiny.csv.parent, 190))
    errors: dict[int, list[tuple[float, float, bool]]] = {1: [], 2: [], 3: []}
    for count, one in zip(range(160, 200), issued, strict=True):
        for row in one.rows:
            place = count + row.step - 1
            if place < 190:
                (low, high), truth = row.bounds[0], VALUES[place]
                assert low is not None
                assert high is not None
                naive = VALUES[count - 1] - truth
                errors[row.step].append((row.forecast - truth, naive, low <= truth <= high))
    for step, rows in errors.items():
        score = found.by_step[step]
        assert score.count == len(rows) == 31 - step
        assert score.mae == pytest.approx(np.mean([abs(e) for e, _, _ in rows]), rel=1e-12)
        assert score.naive_mae == pytest.approx(np.mean([abs(n) for _, n, _ in rows]), rel=1e-12)
        assert score.bias == pytest.approx(np.mean([e for e, _, _ in rows]), rel=1e-12)
        assert score.coverage[80.0] == pytest.approx(np.mean([inside for _, _, inside in rows]), rel=1e-12)
    flat = [row for rows in errors.values() for row in rows]
    mae, naive_mae = (np.mean([abs(row[n]) for row in flat]) for n in (0, 1))
    assert found.score.mae == pytest.approx(mae, rel=1e-12)
    assert found.score.skill == pytest.approx(1 - mae / naive_mae, rel=1e-12)
    # rows 160 … 189 of 2024-01-01 on: 22 days of June, 8 of July; one and two early targets have fewer steps
    assert {month: score.count for month, score in found.by_month.items()} == {"2024-06": 63, "2024-07": 24}
    assert (found.recorded, found.score.count, found.waiting, found.missed) == (120, 87, 33, 0)
    assert (found.span, found.due) == (("2024-06-09", "2024-07-08"), "2024-07-09")
    assert (found.new, found.revised, found.runs) == (30, 0, 1)


def test_what_came_later_changes_no_recorded_forecast(tiny: Tiny) -> None:
    record(forecast(tiny, 170), Events())
    before = tracked(tiny, upto(tiny.csv.parent, 171)).score
    wild = upto(tiny.csv.parent, 175, dict.fromkeys(range(171, 175), 1000000.0))
    after = tracked(tiny, wild).by_step[1]
    assert (after.mae, after.naive_mae) == (before.mae, before.naive_mae)


def test_the_ledger_says_what_was_read_and_when(tiny: Tiny) -> None:
    file = upto(tiny.csv.parent, 170)
    given = forecast(tiny, 170)
    assert given.sha256 == sha256_of(file.read_bytes())
    record(given, Events())
    with open_ledger(tiny.runs / NAME) as ledger:
        found = ledger.read("tiny", "value", run_id=tiny.run.id)
        (sha256, _), *_ = ledger._connection.execute(
            "SELECT data_sha256, recorded_at FROM readings"
        ).fetchall()
    assert sha256 == given.sha256
    assert found.forecast.tolist() == [row.forecast for row in given.rows]
    assert found.naive.tolist() == [VALUES[169]] * 2
    day = 86_400_000_000
    assert (found.times - found.as_of).tolist() == [day, 2 * day]
    assert found.as_of[0] == np.datetime64("2024-01-01T00:00:00", "us").astype(int) + 169 * day


def test_without_a_file_the_hash_is_that_of_the_runs_own_rows(tiny: Tiny, trained_once: Tiny) -> None:
    chosen = replace(opened(tiny.run))
    away = chosen.config.model_copy(
        update={"data": chosen.config.data.model_copy(update={"path": str(tiny.csv.parent / "gone.csv")})}
    )
    from lstm_forecast.latest import CONTEXT, latest_panel

    found = latest_panel(replace(chosen, config=away), None, Events())
    assert found.path == CONTEXT
    assert found.sha256 == sha256_of((tiny.run.path / "context.safetensors").read_bytes())


def test_forecasts_of_rows_the_run_was_trained_with_are_not_recorded(tiny: Tiny) -> None:
    events = Events()
    assert record(forecast(tiny, 159), events) == Recorded(0, 0, 0)
    assert [id for id, _ in events.warnings] == ["record.hindsight"]
    assert record(forecast(tiny, 160), events) == Recorded(2, 0, 0)


def test_another_value_is_said_and_the_first_kept(tiny: Tiny) -> None:
    given = forecast(tiny, 170)
    record(given, Events())
    events = Events()
    other = replace(given, rows=(replace(given.rows[0], forecast=1.0), *given.rows[1:]))
    assert record(other, events) == Recorded(0, 1, 1)
    assert [id for id, _ in events.warnings] == ["record.kept"]


def test_a_dry_run_stores_nothing_and_a_revision_is_counted(tiny: Tiny) -> None:
    record(forecast(tiny, 160), Events())
    file = upto(tiny.csv.parent, 170)
    assert tracked(tiny, file, dry_run=True).score.count == 2
    assert tracked(tiny, upto(tiny.csv.parent, 160)).score.count == 0
    assert tracked(tiny, file).new == 2
    found = tracked(tiny, upto(tiny.csv.parent, 171, {160: 1.0}))
    assert (found.new, found.revised) == (0, 1)


def test_a_time_at_which_no_value_came_is_missed_not_waited_for(tmp_path: Path) -> None:
    """A cell that ``data.missing: ffill`` fills is not a value that came."""
    run = trained(upto(tmp_path, 160), {"run.name": "own", "data.missing": "ffill"}).run
    record(pipeline.predict("own", runs_dir=tmp_path / "runs", horizon=3), Events())
    here = Tiny(tmp_path / "upto160.csv", tmp_path / "runs", run)
    found = tracked(here, upto(tmp_path, 162, {160: np.nan}))
    assert (found.score.count, found.missed, found.waiting) == (1, 1, 1)
    assert found.due == "2024-06-11"


def test_a_name_means_all_its_runs_and_a_run_itself(tiny: Tiny) -> None:
    record(forecast(tiny, 160), Events())
    later = replace(forecast(tiny, 170), run="tiny@20990101T000000Z-000000")
    record(later, Events())
    file = upto(tiny.csv.parent, 180)
    assert (tracked(tiny, file).runs, tracked(tiny, file).recorded) == (2, 4)
    assert tracked(tiny, file, only=True).recorded == 2
    assert tracked(tiny, file, only=True).run == tiny.run.handle
    chosen = opened(tiny.run)
    assert [one_run(word, chosen) for word in ("tiny", "tiny@2", tiny.run.path, tiny.run.path.parent)] == [
        False,
        True,
        True,
        False,
    ]


def test_series_are_judged_each_by_its_own_values(tmp_path: Path) -> None:
    def shops(count: int) -> Path:
        columns = {"date": days(count) * 2, "id": ["a"] * count + ["b"] * count}
        values = np.concatenate([momentum(300, seed=1)[:count], 100 + momentum(300, seed=2)[:count]])
        return write_csv(tmp_path / "shops.csv", {**columns, "value": values})

    run = trained(shops(120), {"data.series_id": "id", "run.name": "shops"}).run
    given = pipeline.predict("shops", runs_dir=tmp_path / "runs")
    record(given, Events())
    words: dict[str, Any] = {"only": False, "dry_run": False, "events": Events(), "data": str(shops(121))}
    both, only_b = (track(opened(run), series=series, **words) for series in (None, "b"))
    truth = {"a": momentum(300, seed=1)[120], "b": 100 + momentum(300, seed=2)[120]}
    errors = {row.series: abs(row.forecast - truth[row.series]) for row in given.rows if row.step == 1}
    assert both.by_step[1].mae == pytest.approx(np.mean(list(errors.values())), rel=1e-12)
    assert only_b.by_step[1].mae == pytest.approx(errors["b"], rel=1e-12)
    with pytest.raises(UsageError, match="no forecast of 'bb' was recorded") as caught:
        track(opened(run), series="bb", **words)
    assert caught.value.hint == "did you mean b?"


def test_without_the_recorded_file_the_values_stored_before_count(tmp_path: Path) -> None:
    csv = upto(tmp_path, 160)
    run = trained(csv, {"run.name": "own"}).run
    here = Tiny(csv, tmp_path / "runs", run)
    record(pipeline.predict("own", runs_dir=here.runs), Events())
    tracked(here, upto(tmp_path, 161))
    csv.unlink()
    found = tracked(here, None)
    assert (found.input, found.score.count, found.new) == (None, 1, 0)


def test_row_numbers_have_no_months(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "rows.csv", {"value": VALUES[:160]})
    run = trained(csv, {"run.name": "rows"}).run
    record(pipeline.predict("rows", runs_dir=tmp_path / "runs"), Events())
    here = Tiny(csv, tmp_path / "runs", run)
    found = tracked(here, write_csv(tmp_path / "more.csv", {"value": VALUES[:165]}))
    assert (found.score.count, found.by_month, found.span) == (2, {}, ("161", "162"))
    words: dict[str, Any] = {"only": False, "series": None, "form": "png", "events": Events()}
    assert track_picture(opened(run), **words).startswith(b"\x89PNG")


def test_nothing_recorded_nothing_arrived_and_a_foreign_file_are_said(tiny: Tiny) -> None:
    words: dict[str, Any] = {"only": False, "series": None, "form": "png", "events": Events()}
    for call in (lambda: tracked(tiny, None), lambda: track_picture(opened(tiny.run), **words)):
        with pytest.raises(UsageError, match="no forecast of tiny was recorded") as caught:
            call()
        assert caught.value.hint == "lstm-forecast predict tiny --record"
    assert not (tiny.runs / NAME).exists()
    record(forecast(tiny, 160), Events())
    with pytest.raises(UsageError, match="no actual value of a recorded forecast has arrived"):
        track_picture(opened(tiny.run), **words)
    other = write_csv(
        tiny.csv.parent / "other.csv", {"date": days(160), "price": VALUES[:160], "x": VALUES[:160]}
    )
    with pytest.raises(DataInvalid):
        tracked(tiny, other)


def test_whatever_hinders_recording_is_one_kind_of_error(tiny: Tiny) -> None:
    given = forecast(tiny, 160)
    (tiny.runs / NAME).write_text("mine")
    with pytest.raises(StorageError, match="the forecast was made, but not recorded") as caught:
        record(given, Events())
    assert (caught.value.code, caught.value.where) == (15, str(tiny.runs / NAME))
    assert "move it away" in caught.value.hint
    assert (tiny.runs / NAME).read_text() == "mine"
