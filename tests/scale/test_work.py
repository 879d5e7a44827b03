"""One job: when it trains, what it leaves, and how it fails; in this process, where nothing is hidden."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast import pipeline, tracking
from lstm_forecast.errors import StorageError
from lstm_forecast.events import Events
from lstm_forecast.runs.run import Run, current_id, lock_path, sorted_runs
from lstm_forecast.runs.storage import held_lock
from lstm_forecast.scale.jobs import Job
from lstm_forecast.scale.work import Order, order_text, work, write_changed
from tests.conftest import Tiny
from tests.training.jobs import TINY, days, momentum, write_csv

ORDER = Order(argv=(), fail_on=(), rows=False, dry_run=False, one_thread=False)
ALWAYS = {"run.promote": ("test", "always")}  # here the question is what trains, not which run is better
LOSER = {"model.anchor": ("test", "none"), "training.lr": ("test", 0.000001), "split.test": ("test", 30)}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "prices.csv", {"date": days(160), "value": momentum(160)})


def job(csv: Path, changes: Mapping[str, tuple[str, object]] = {}) -> Job:
    """A job of a tiny network that writes ``out.csv`` beside its input."""
    tiny = tuple(f"{key}={value}" for key, value in TINY.items())
    base = {"data.path": str(csv), "run.promote": "if_better"}
    flags = {"run.name": ("test", "a"), **changes}
    output = str(csv.parent / "out.csv")
    return Job("a", "jobs.yaml:2:5", None, base, flags, tiny, output=output)


def did(job: Job, order: Order = ORDER) -> dict[str, Any]:
    """What became of the job, under ``runs`` beside its output."""
    folder = Path(job.base["data.path"]).parent / "runs"  # type: ignore[arg-type]
    done: dict[str, Any] = json.loads(work(order_text(order, job, folder)))
    return done


def test_it_trains_once_and_then_has_nothing_to_do(csv: Path) -> None:
    first = did(job(csv))
    assert (first["done"], first["code"], first["error"]) == ("trained", 0, None)
    assert first["verdict"] in ("beats", "ties", "loses")
    output = csv.parent / "out.csv"
    before = (output.read_bytes(), output.stat().st_mtime_ns)
    assert pipeline.predict("a", runs_dir=csv.parent / "runs").to_csv().encode() == before[0]
    again = did(job(csv))
    assert (again["done"], again["code"], again["written"]) == ("already done", 0, [])
    assert again["run"] == first["run"]
    assert (output.read_bytes(), output.stat().st_mtime_ns) == before
    output.unlink()
    assert did(job(csv))["done"] == "forecast"
    assert output.read_bytes() == before[0]


def test_new_rows_and_other_settings_train_again(csv: Path) -> None:
    runs = [did(job(csv, ALWAYS))["run"]]
    with csv.open("a") as file:
        file.write("2024-06-09,500.0\n")
    runs.append(did(job(csv, ALWAYS))["run"])
    runs.append(did(job(csv, {**ALWAYS, "training.seed": ("test", 5)}))["run"])
    assert len(set(runs)) == 3


def test_never_and_always(csv: Path) -> None:
    refused = did(replace(job(csv), retrain="never"))
    assert (refused["done"], refused["code"], refused["error"]) == ("failed", 12, "run.not_found")
    assert not (csv.parent / "runs").exists()
    first = did(replace(job(csv), retrain="always"))
    second = did(replace(job(csv), retrain="always"))
    assert (second["done"], second["run"] != first["run"]) == ("trained", True)
    with csv.open("a") as file:
        file.write("2024-06-09,500.0\n")
    kept = did(replace(job(csv, {"training.seed": ("test", 5)}), retrain="never"))
    assert (kept["done"], kept["run"]) == ("forecast", second["run"])
    assert (csv.parent / "out.csv").read_text().splitlines()[1].split(",")[1] == "2024-06-10"


def test_max_age_looks_at_the_run_and_at_the_settings_but_not_at_the_rows(
    csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast.scale import work as module

    weekly = replace(job(csv, ALWAYS), retrain="max_age", most_model_s=7 * 86400.0)
    first = did(weekly)["run"]
    with csv.open("a") as file:
        file.write("2024-06-09,500.0\n")
    assert did(weekly)["run"] == first

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Later:
            return cls.fromtimestamp(datetime.now(UTC).timestamp() + later_s, tz)

    monkeypatch.setattr(module, "datetime", Later)
    later_s = timedelta(days=6, hours=23).total_seconds()
    assert did(weekly)["run"] == first
    later_s = timedelta(days=7, minutes=1).total_seconds()
    second = did(weekly)
    assert (second["done"], second["run"] != first) == ("trained", True)
    later_s = 0.0
    assert did(replace(weekly, flags={**weekly.flags, "training.seed": ("test", 5)}))["done"] == "trained"


def test_a_first_run_that_loses_is_current_and_is_not_trained_twice(csv: Path) -> None:
    first = did(job(csv, LOSER))
    assert (first["done"], first["verdict"], first["code"]) == ("trained", "loses", 0)
    assert {"batch.first_run", "run.not_promoted"} <= {id for id, _ in first["warnings"]}
    assert did(job(csv, LOSER))["done"] == "already done"


def test_a_later_run_that_loses_leaves_the_name_as_it_was(csv: Path) -> None:
    good = did(job(csv))["run"]
    lost = did(job(csv, LOSER))
    assert (lost["done"], lost["verdict"], lost["run"]) == ("trained", "loses", good)
    assert f"a@{current_id(csv.parent / 'runs' / 'a')}" == good
    assert did(job(csv, LOSER))["done"] == "already done"  # the same rows would only lose again


def test_a_damaged_current_run_is_replaced(csv: Path) -> None:
    first = did(job(csv))
    (run,) = sorted_runs(csv.parent / "runs" / "a")
    (run.path / "model.safetensors").write_bytes(b"")
    second = did(job(csv))
    assert (second["done"], second["run"] != first["run"]) == ("trained", True)


def test_a_training_that_fails_leaves_the_old_forecast(csv: Path) -> None:
    did(job(csv))
    output = csv.parent / "out.csv"
    before = output.read_bytes()
    with csv.open("a") as file:
        file.write("2024-06-09,1,2,3\n")
    failed = did(job(csv))
    assert (failed["done"], failed["code"], failed["error"]) == ("failed", 11, "data.ragged")
    assert failed["message"].startswith(f"{csv}:162: expected 2 fields")
    assert failed["message"].endswith(f"{output} is as it was")
    assert output.read_bytes() == before


def test_worse_is_an_error_where_it_was_to_be_one(csv: Path) -> None:
    failed = did(job(csv, {**LOSER, "evaluation.fail_if_worse": ("test", True)}))
    assert (failed["code"], failed["error"]) == (20, "verdict.worse")
    assert not (csv.parent / "out.csv").exists()


@pytest.mark.parametrize("key", ["output", "plot"])
def test_a_folder_that_is_not_there_is_told_before_training(csv: Path, key: str) -> None:
    path = str(csv.parent / "none" / ("a.csv" if key == "output" else "a.png"))
    failed = did(replace(job(csv), **{key: path}))  # type: ignore[arg-type]
    assert (failed["code"], failed["error"]) == (15, "storage.no_folder")
    assert not (csv.parent / "runs").exists()


def test_rows_that_are_too_old_are_refused_before_training(csv: Path) -> None:
    for retrain in ("always", "if-changed", "never"):
        failed = did(replace(job(csv), most_input_s=86400.0, retrain=retrain))
        assert failed["code"] == (12 if retrain == "never" else 11)
    assert not (csv.parent / "runs").exists()
    assert did(replace(job(csv), most_input_s=36_000 * 86400.0))["code"] == 0
    assert did(replace(job(csv), most_input_s=86400.0, retrain="never"))["error"] == "data.too_old"


def test_a_locked_name_is_busy(csv: Path) -> None:
    with held_lock(lock_path(csv.parent / "runs", "a"), timeout_s=1):
        failed = did(job(csv))
    assert (failed["code"], failed["error"]) == (75, "run.locked")


def test_horizon_levels_json_and_picture(csv: Path) -> None:
    wanted = replace(
        job(csv),
        horizon=5,
        levels=(50.0,),
        output=str(csv.parent / "out.json"),
        plot=str(csv.parent / "loss.svg"),
        kind="loss",
    )
    first = did(wanted)
    assert first["written"] == [wanted.output, wanted.plot]
    rows = json.loads((csv.parent / "out.json").read_text())["rows"]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert {"lo_50", "hi_50"} <= set(rows[0])
    assert "<svg" in (csv.parent / "loss.svg").read_text()
    assert did(wanted)["done"] == "already done"


def test_a_warning_that_is_an_error_writes_nothing(csv: Path) -> None:
    order = replace(ORDER, fail_on=("predict.no_new_rows",))
    failed = did(job(csv), order)
    assert (failed["code"], failed["error"]) == (19, "predict.no_new_rows")
    assert not (csv.parent / "out.csv").exists()


def test_a_dry_run_writes_nothing(csv: Path) -> None:
    assert did(job(csv), replace(ORDER, dry_run=True))["done"] == "would train"
    assert sorted(path.name for path in csv.parent.iterdir()) == ["prices.csv"]
    did(job(csv))
    (csv.parent / "out.csv").unlink()
    assert did(job(csv), replace(ORDER, dry_run=True))["done"] == "would forecast"
    assert not (csv.parent / "out.csv").exists()


def test_what_was_given_out_is_recorded_as_predict_records_it(csv: Path) -> None:
    did(job(csv))
    again = tracking.record(pipeline.predict("a", runs_dir=csv.parent / "runs"), Events())
    assert (again.new, again.same, again.different) == (0, 2, 0)


def test_a_ledger_that_cannot_be_written_is_a_warning(csv: Path) -> None:
    (csv.parent / "runs" / "ledger.sqlite").mkdir(parents=True)
    done = did(job(csv))
    assert (done["done"], done["code"]) == ("trained", 0)
    assert "record.failed" in [id for id, _ in done["warnings"]]
    assert (csv.parent / "out.csv").exists()


def test_without_an_output_nothing_is_forecast_or_recorded(csv: Path) -> None:
    done = did(replace(job(csv), output=None))
    assert (done["done"], done["written"]) == ("trained", [])
    assert not (csv.parent / "runs" / "ledger.sqlite").exists()
    assert did(replace(job(csv), output=None))["done"] == "already done"


def test_a_bug_is_code_1_with_its_traceback(
    csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(pipeline, "train", broken)
    failed = did(job(csv))
    assert (failed["code"], failed["error"], failed["message"]) == (
        1,
        "internal",
        "a bug: AttributeError: a bug",
    )
    assert "Traceback" in capsys.readouterr().err


def test_memory_that_is_not_there_is_no_bug(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(pipeline, "train", greedy)
    failed = did(job(csv))
    assert (failed["code"], failed["error"]) == (16, "resource.memory")


def test_the_input_never_trained_again_when_the_current_run_was_chosen_by_hand(tiny: Tiny) -> None:
    """``runs promote`` is the way back: the next batch does not undo it."""
    csv = tiny.csv
    first = did(job(csv, ALWAYS))["run"]
    second = did(job(csv, {**ALWAYS, "training.seed": ("test", 5)}))["run"]
    assert first != second
    from lstm_forecast.runs.run import promote

    promote(Run(csv.parent / "runs" / "a" / first.partition("@")[2]))
    kept = did(job(csv, {**ALWAYS, "training.seed": ("test", 5)}))
    assert (kept["done"], kept["run"]) == ("forecast", first)


def test_equal_bytes_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert write_changed(path, b"one")
    before = path.stat()
    assert not write_changed(path, b"one")
    assert path.stat().st_ino == before.st_ino
    assert write_changed(path, b"two")
    assert path.read_bytes() == b"two"
    with pytest.raises(StorageError):
        write_changed(tmp_path / "none" / "out.csv", b"one")


def test_a_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert write_changed(tmp_path / "link.csv", b"new")
    assert ((tmp_path / "link.csv").is_symlink(), (tmp_path / "real.csv").read_bytes()) == (True, b"new")
