"""Every key of the configuration does something: two jobs that differ in it alone differ in what they do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lstm_forecast import pipeline
from lstm_forecast.config import KEYS
from lstm_forecast.errors import ForecastError
from lstm_forecast.evaluating import Backtest
from lstm_forecast.runs.run import sorted_runs
from tests.training.jobs import days, job, momentum

VALUES = [f"{value:.3f}" for value in momentum(100)]
DAYS = days(100)


def table(*rows: str, header: str = "date,value") -> str:
    """A CSV of these lines under a header."""
    return "\n".join([header, *rows]) + "\n"


DATED = list(zip(DAYS, VALUES, strict=True))
PLAIN = [f"{day},{value}" for day, value in DATED]
TWO_TIMES = [f"{day},{day[:3]}8{day[4:]},{value}" for day, value in DATED]
TWO_COLUMNS = [f"{day},{value},{float(value) * 2 + n % 5}" for n, (day, value) in enumerate(DATED)]
LONG = [f"{d},{float(v) * factor},{shop}" for shop, factor in (("a", 1), ("b", 2)) for d, v in DATED]
SLASHES = [f"{day[8:]}/{day[5:7]}/{day[:4]},{value}" for day, value in DATED[:12]]
FILES = {
    "plain": table(*PLAIN),
    "other": table(*PLAIN[:90]),
    "two times": table(*TWO_TIMES, header="a,b,value"),
    "two columns": table(*TWO_COLUMNS, header="date,value,second"),
    "long": table(*LONG, header="date,value,shop"),
    "one empty": table(*LONG[:30], f"{DAYS[30]},,a", *LONG[31:], header="date,value,shop"),
    "kinds": table(*(f"{row},{row[-1] * 3}" for row in LONG), header="date,value,shop,kind"),
    "ahead": table(*(f"2024-04-{n},{n}" for n in range(10, 30)), header="date,second"),
    "off": "".join(f"{day}\n" for day in DAYS[::6]),
    "umlaut": table(*PLAIN, header="date,größe"),
    "german": table(*(f"{d};{v.replace('.', ',')}" for d, v in DATED), header="date;value"),
    "points": table(*(f"{d};{v}" for d, v in DATED), header="date;value"),
    "slashes": table(*SLASHES),
    "gone": table(*PLAIN[:30], f"{DAYS[30]},gone", *PLAIN[31:]),
    "empty cell": table(*PLAIN[:30], f"{DAYS[30]},", *PLAIN[31:]),
    "twice": table(*PLAIN[:30], f"{DAYS[30]},1.5", *PLAIN[30:]),
    "hole": table(*PLAIN[:30], *PLAIN[31:]),
    "long row": table(*PLAIN[:30], f"{PLAIN[30]},9", *PLAIN[31:]),
    "hours": table(*(f"{DAYS[n // 4]} {n % 4 * 6:02}:00,{value}" for n, value in enumerate(VALUES))),
    "unsorted": table(*PLAIN[:30], PLAIN[31], PLAIN[30], *PLAIN[32:]),
}


@dataclass(frozen=True)
class Row:
    """One key, its other value, and the observation that must differ.

    Attributes:
        other: the value the second job has, as it stands after ``--set KEY=``.
        seen: what is compared: a field of the plan, of the run, or the error's id.
        file: name of the input.
        first: the value of the first job; None leaves the key out.
        shared: what both jobs set beside it.
    """

    other: str
    seen: str
    file: str = "plain"
    first: str | None = None
    shared: Mapping[str, str] = field(default_factory=dict)


LEVEL = {"model.normalize": "none", "model.anchor": "none"}
# A network on the level that learned nothing: worse than any simple forecast, on test rows enough to say so.
WORSE = {**LEVEL, "training.lr": "0.000001", "training.epochs": "1", "split.test": "30"}
ROWS: dict[str, Row] = {
    "schema_version": Row("2", "error"),
    "run.name": Row("other", "name"),
    "run.dir": Row("there", "folder", first="here"),
    "run.keep": Row("1", "runs"),
    "run.plots": Row("true", "pictures"),
    "run.promote": Row("if_better", "current", shared=WORSE),
    "data.path": Row("other.csv", "rows"),
    "data.time": Row("b", "time_name", "two times", first="a"),
    "data.target": Row("second", "columns", "two columns", first="value"),
    "data.series_id": Row("shop", "error", "long"),
    "data.past_covariates": Row("[second]", "columns", "two columns", shared={"data.target": "value"}),
    "data.future_covariates": Row("[second]", "columns", "two columns", shared={"data.target": "value"}),
    "data.future_path": Row(
        "ahead.csv",
        "predicts",
        "two columns",
        shared={"data.target": "value", "data.future_covariates": "[second]"},
    ),
    "data.static_covariates": Row(
        "[kind]", "weights", "kinds", shared={"data.target": "value", "data.series_id": "shop"}
    ),
    "data.encoding": Row("latin-1", "columns", "umlaut"),
    "data.separator": Row(";", "error"),
    "data.decimal": Row(".", "error", "german"),
    "data.thousands": Row(".", "error", "points"),
    "data.header_row": Row("3", "header"),
    "data.skip_rows": Row("5", "rows"),
    "data.date_format": Row(
        "'%d/%m/%Y'",
        "times",
        "slashes",
        first="'%m/%d/%Y'",
        shared={"window.lookback": "2", "window.horizon": "1", "data.gaps": "keep"},
    ),
    "data.timezone": Row("Europe/Berlin", "times", "hours"),
    "data.resample.to": Row("D", "rows", "hours", first="12h", shared={"data.resample.how": "sum"}),
    "data.resample.how": Row("mean", "values", "hours", first="sum", shared={"data.resample.to": "12h"}),
    "data.na_values": Row("[gone]", "error", "gone", shared={"data.missing": "drop", "data.gaps": "keep"}),
    "data.missing": Row("ffill", "error", "empty cell"),
    "data.duplicates": Row("last", "error", "twice"),
    "data.gaps": Row("fill", "error", "hole", shared={"data.missing": "ffill"}),
    "data.bad_rows": Row("skip", "error", "long row", shared={"data.max_bad_rows": "5", "data.gaps": "keep"}),
    "data.max_bad_rows": Row("1", "error", "long row", shared={"data.bad_rows": "skip", "data.gaps": "keep"}),
    "data.bad_series": Row("skip", "error", "one empty", shared={"data.series_id": "shop"}),
    "data.strict": Row("true", "error", "unsorted"),
    "data.max_bytes": Row("1KiB", "error"),
    "data.until": Row("80", "rows"),
    "data.season": Row("3", "metrics"),
    "data.max_input_age": Row("30d", "error"),
    "data.transform": Row("log1p", "weights"),
    "data.calendar_features": Row("[month]", "weights", first="none"),
    "data.holidays": Row("off.txt", "weights"),
    "data.frequency": Row("W", "frequency", shared={"data.gaps": "keep"}),
    "split.validation": Row("0.3", "windows"),
    "split.test": Row("0.3", "windows"),
    "window.lookback": Row("9", "windows"),
    "window.horizon": Row("3", "windows"),
    "window.stride": Row("3", "weights"),
    "scaling.method": Row("standard", "weights", shared=LEVEL),
    "scaling.range": Row("[-1, 1]", "weights", shared=LEVEL),
    "scaling.per": Row("global", "weights", "long", shared={"data.series_id": "shop", **LEVEL}),
    "model.cell": Row("gru", "weights"),
    "model.num_layers": Row("2", "weights"),
    "model.hidden_size": Row("4", "weights"),
    "model.bias": Row("false", "weights"),
    "model.nonlinearity": Row("relu", "weights", shared={"model.cell": "rnn"}),
    "model.dropout": Row("0.5", "weights"),
    "model.bidirectional": Row("true", "weights", shared={"model.supervision": "last"}),
    "model.layer_norm": Row("true", "weights"),
    "model.initial_state": Row("random", "weights"),
    "model.readout": Row("cell", "weights", shared={"model.supervision": "last"}),
    "model.head_layers": Row("[3]", "weights"),
    "model.segment": Row("2", "weights"),
    "model.linear_skip": Row("true", "weights"),
    "model.normalize": Row("none", "weights", first="diff"),
    "model.anchor": Row("none", "weights", shared={"model.normalize": "none"}),
    "model.supervision": Row("last", "weights", shared={"model.normalize": "none", "window.stride": "1"}),
    "model.head": Row("quantile", "weights"),
    "model.quantiles": Row(
        "[0.05, 0.1, 0.5, 0.9, 0.95]",
        "weights",
        first="[0.1, 0.5, 0.9]",
        shared={"model.head": "quantile", "forecast.intervals.levels": "[80]"},
    ),
    "training.epochs": Row("3", "epochs"),
    "training.steps_per_epoch": Row("2", "weights"),
    "training.batch_size": Row("8", "weights"),
    "training.optimizer": Row("sgd", "weights"),
    "training.lr": Row("0.01", "weights"),
    "training.schedule": Row("cosine", "weights"),
    "training.warmup_steps": Row("10", "weights"),
    "training.weight_decay": Row("0.5", "weights"),
    "training.loss": Row("mae", "weights"),
    "training.clip_norm": Row("0.0001", "weights", shared={"training.optimizer": "sgd"}),
    "training.patience": Row(
        "1", "epochs", first="50", shared={"training.epochs": "6", "training.lr": "0.5"}
    ),
    "training.refit": Row("full", "weights", first="none"),
    "training.max_time": Row("15s", "epochs", shared={"training.epochs": "6"}),
    "training.precision": Row("bfloat16", "weights", shared={"model.cell": "lstm_peephole"}),
    "training.threads": Row("2", "weights", first="1"),
    "training.checkpoint_every": Row("0s", "checkpoints", first="30s"),
    "training.seed": Row("1", "weights"),
    "training.ensemble": Row("2", "weights"),
    "training.device": Row("cuda", "device"),
    "training.tensorboard": Row("true", "board"),
    "evaluation.baselines": Row("[naive, mean]", "metrics"),
    "evaluation.origins": Row("5", "backtest"),
    "evaluation.refit_every": Row("4", "backtest"),
    "evaluation.gate": Row("baseline", "forecast", shared=WORSE),
    "evaluation.fail_if_worse": Row("true", "exit_code", shared=WORSE),
    "forecast.horizon": Row("5", "forecast"),
    "forecast.minimum": Row("1000000.0", "forecast"),
    "forecast.intervals.levels": Row("[50]", "bounds"),
    "forecast.intervals.method": Row("none", "bounds"),
    "forecast.intervals.scale": Row("none", "bounds"),
}
PLANNED = {"header", "columns", "rows", "time_name", "times", "values", "frequency", "windows"}


def planned(loaded: object, runs: Path) -> dict[str, object]:
    """What a job would read and cut."""
    plan = pipeline.plan(loaded, runs_dir=runs)  # type: ignore[arg-type]
    table, prepared = plan.table, plan.prepared
    return {
        "error": None,
        "header": table.header,
        "columns": table.columns,
        "rows": len(table.times),
        "time_name": table.time_name,
        "times": table.times.tolist(),
        "values": table.values.tolist(),
        "frequency": str(plan.frequency),
        "windows": [len(part) for part in (prepared.train, prepared.validation, prepared.test)],
    }


def ran(loaded: object, runs: Path | None, *, tested_again: bool) -> dict[str, object]:
    """What a job leaves."""
    result = pipeline.train(loaded, runs_dir=runs)  # type: ignore[arg-type]
    path = result.run.path
    try:
        forecast, refused = pipeline.predict(path), ""
    except ForecastError as error:
        if not loaded.config.data.future_covariates:  # type: ignore[attr-defined]
            raise
        return {"predicts": error.id}
    return {
        "error": None,
        "name": result.run.name,
        "runs": len(sorted_runs(path.parent)),
        "folder": path.parent.parent.name,
        "current": result.current,
        "exit_code": json.loads((path / "status.json").read_text())["exit_code"],
        "pictures": (path / "plots").is_dir(),
        "checkpoints": (path / "checkpoints").is_dir(),
        "board": (path / "tensorboard").is_dir(),
        "metrics": repr(result.verdict.metrics),  # a metric that is not defined is no number
        "backtest": backtested(path) if tested_again else None,
        "weights": (path / "model.safetensors").read_bytes(),
        "epochs": len((path / "history.csv").read_text().splitlines()),
        "device": (path / "run.json").read_text().partition('"device": ')[2].split(",")[0],
        "predicts": refused,
        "forecast": [row.forecast for row in forecast.rows],
        "bounds": [row.bounds for row in forecast.rows],
    }


def backtested(run: Path) -> list[list[float]]:
    """The forecasts of ``evaluate``, by origin."""
    found = pipeline.evaluate(run, backtest=Backtest(None, 1, None))
    return found.evaluation.held.forecast.tolist()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def done() -> dict[object, dict[str, object]]:
    """What jobs left that many rows have in common: each is done twice for the first row that needs it."""
    return {}


def observed(
    row: Row, folder: Path, changes: Mapping[str, str], done: dict[object, dict[str, object]]
) -> object:
    """The row's observation of one job, in a fresh folder; an error's id where it fails."""
    settings = {"training.patience": "null", "model.dropout": "0.0", **row.shared, **changes}
    planning, tested = row.seen in PLANNED or row.seen == "error", row.seen == "backtest"
    own = row.seen in ("runs", "folder", "name", "current") or "training.max_time" in settings
    asked = (
        folder.name,
        row.file,
        tuple(sorted(settings.items())),
        planning,
        tested,
        id(row) if own else None,
    )
    if asked not in done:
        done[asked] = left(row, folder, settings, planning=planning, tested=tested)
    if done[asked].get("error") is not None and row.seen not in ("error", "device"):
        pytest.fail(f"{done[asked]}")
    return done[asked].get(row.seen, done[asked].get("error"))


def left(
    row: Row, folder: Path, settings: dict[str, str], *, planning: bool, tested: bool
) -> dict[str, object]:
    """What a job leaves in a fresh folder."""
    folder.mkdir()
    (folder / f"{row.file}.csv").write_text(FILES[row.file], encoding="utf-8")
    settings = dict(settings)
    for key in ("data.path", "data.future_path", "data.holidays", "run.dir"):
        if key in settings:
            name = settings[key]
            settings[key] = str(folder / name)
            if key != "run.dir":
                (folder / name).write_text(FILES[Path(name).stem], encoding="utf-8")
    try:
        loaded = job(folder / f"{row.file}.csv", settings)
        if row.seen == "runs":  # an older one, which may go or stay
            older = pipeline.train(loaded, runs_dir=folder).run
            older.path.rename(older.path.with_name("20200101T000000Z-abcdef"))
        if planning:
            return planned(loaded, folder)
        return ran(loaded, None if row.seen == "folder" else folder, tested_again=tested)
    except ForecastError as error:
        return {"error": error.id}


def test_every_key_has_a_row() -> None:
    assert set(ROWS) == set(KEYS)


@pytest.mark.parametrize("key", ROWS)
def test_a_change_of_the_key_changes_what_happens(
    key: str, done: dict[object, dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if key == "training.max_time":  # a clock on which every look costs ten seconds
        ticks = itertools.count(step=10.0)
        monkeypatch.setattr("lstm_forecast.training.loop.time.monotonic", lambda: next(ticks))
    row = ROWS[key]
    usual = {} if row.first is None else {key: row.first}
    first, again = (observed(row, tmp_path / name, usual, done) for name in ("first", "again"))
    other = observed(row, tmp_path / "other", {key: row.other}, done)
    assert first == again  # nothing but the key makes the difference
    assert first != other


def test_the_expected_errors_are_those_of_the_key(tmp_path: Path) -> None:
    expected = {
        "schema_version": (None, "config.newer"),
        "data.series_id": ("data.duplicates", None),
        "data.separator": (None, "data.target"),
        "data.decimal": ("data.decimal", None),
        "data.thousands": ("data.decimal", None),
        "data.na_values": ("data.value", None),
        "data.missing": ("data.missing", None),
        "data.duplicates": ("data.duplicates", None),
        "data.gaps": ("data.gaps", None),
        "data.bad_rows": ("data.ragged", None),
        "data.max_bad_rows": ("data.bad_rows", None),
        "data.bad_series": ("data.missing", None),
        "data.strict": (None, "data.unsorted"),
        "data.max_bytes": (None, "data.limit"),
        "data.max_input_age": (None, "data.too_old"),
    }
    assert set(expected) == {key for key, row in ROWS.items() if row.seen == "error"}
    found = {}
    for key, row in ROWS.items():
        if row.seen == "error":
            one = observed(row, tmp_path / key, {}, {})
            found[key] = (one, observed(row, tmp_path / f"{key} other", {key: row.other}, {}))
    assert found == expected
