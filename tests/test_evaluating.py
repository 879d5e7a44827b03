"""The rolling-origin backtest: the right networks at the right cutoffs, and nothing known too early."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import naming, pipeline
from lstm_forecast.documents import verdict_document
from lstm_forecast.errors import DataInvalid, DataMissing
from lstm_forecast.evaluating import Backtest, original_path
from lstm_forecast.events import Events
from lstm_forecast.opening import Opened, opened
from lstm_forecast.pipeline import EvaluateResult
from tests.training.jobs import days, momentum, trained, write_csv

Floats = NDArray[np.float64]
ROWS, TRAIN_END, VALIDATION_END, HORIZON = 160, 128, 144, 2
ALL = Backtest(None, 1, None)
OWN_CUTOFFS = list(range(VALIDATION_END - 1, ROWS - HORIZON))  # 15: the last one still has both its targets
SIMPLE = {"data.season": "1", "window.stride": "1"}  # nothing left that a file's length would decide


def prices(count: int = ROWS) -> Floats:
    """A walk that is the same however many rows of it are taken."""
    return momentum(400)[:count]


def one_series(path: Path, values: Floats, *, first: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_csv(path, {"date": days(400)[first : first + len(values)], "value": values})


def several(path: Path, parts: Mapping[str, tuple[int, int]]) -> Path:
    """Rows ``first … end - 1`` of each shop; shop b is twice shop a in size."""
    names, dates, values = [], [], []
    for name, (first, end) in parts.items():
        names += [name] * (end - first)
        dates += days(400)[first:end]
        values += (momentum(400, seed=ord(name)) * (1 + (name == "b")))[first:end].tolist()
    path.parent.mkdir(exist_ok=True)
    return write_csv(path, {"date": dates, "shop": names, "value": np.array(values)})


def evaluated(
    run: Path, plan: Backtest = ALL, *, data: Path | None = None, events: Events | None = None
) -> EvaluateResult:
    return pipeline.evaluate(run, backtest=plan, data=None if data is None else str(data), events=events)


def cells(text: str, names: Sequence[str]) -> list[list[str]]:
    """These columns of a CSV, as they stand there."""
    return [[row[name] for name in names] for row in csv.DictReader(io.StringIO(text))]


def cutoffs(found: EvaluateResult) -> list[int]:
    return found.evaluation.held.rows.tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluating")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A run on 160 rows: 128 to train, 16 to validate, 16 to test."""
    return trained(
        one_series(folder / "one" / "a.csv", prices()), {"split.validation": "16", **SIMPLE}
    ).run.path


@pytest.fixture(scope="module")
def panel_run(folder: Path) -> Path:
    """Three shops; shop c has too few rows to train on."""
    path = several(folder / "panel" / "p.csv", {"a": (0, 120), "b": (0, 120), "c": (110, 120)})
    return trained(path, {"data.series_id": "shop", "split.validation": "14", **SIMPLE}).run.path


SHARED = [
    "series",
    "cutoff",
    "step",
    "time",
    "actual",
    "forecast",
    "naive",
    "seasonal_naive",
    "drift",
    "mean",
]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.refit": "full"},
        {"training.ensemble": "2", "training.refit": "full"},
        {"model.head": "quantile", "split.validation": "25"},
        {"data.transform": "log"},
    ],
)
def test_the_own_file_gives_the_test_forecasts_and_the_verdict_of_the_training(
    changes: dict[str, str], tmp_path: Path
) -> None:
    result = trained(one_series(tmp_path / "a.csv", prices()), changes)
    found = evaluated(result.run.path)
    ours = found.files["backtest.csv"].decode()
    theirs = (result.run.path / "predictions" / "test.csv").read_text()
    assert ours.splitlines()[0] == theirs.splitlines()[0]
    assert cells(ours, SHARED) == cells(theirs, SHARED)
    assert len(cells(ours, SHARED)) == HORIZON * len(OWN_CUTOFFS)
    assert verdict_document(found.evaluation.verdict) == verdict_document(result.verdict)
    assert (found.evaluation.refits, found.failed, found.audit) == (0, False, None)
    assert cells(ours, ["lo_80", "hi_80"]) != cells(theirs, ["lo_80", "hi_80"])  # calibrated as they go
    run = opened(result.run)
    last = np.array(OWN_CUTOFFS)
    final = run.forecaster.at(found.evaluation.panel, last, np.zeros_like(last), horizon=HORIZON).point
    again = changes.get("training.refit") == "full"
    assert bool((final == found.evaluation.held.forecast).all()) is not again


def test_the_metrics_are_those_of_the_training_where_the_run_keeps_no_training_row(tmp_path: Path) -> None:
    values = 500 + 20 * np.sin(np.arange(340) * 2 * np.pi / 7) + momentum(340) / 500
    changes = {"split.validation": "260", "split.test": "20", "data.season": "7"}
    result = trained(one_series(tmp_path / "a.csv", values), changes)
    run = opened(result.run)
    assert run.splits.train_end.tolist() == [0]  # of the rows in the run, which are the last 280
    naive = result.verdict.metrics["naive"]["owa"]
    assert naive != 1  # the reference of the metric depends on the training rows
    found = evaluated(result.run.path).evaluation
    assert verdict_document(found.verdict) == verdict_document(result.verdict)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (ALL, OWN_CUTOFFS),
        (Backtest(3, 1, None), [155, 156, 157]),
        (Backtest(15, 1, None), OWN_CUTOFFS),
        (Backtest(None, 4, None), [145, 149, 153, 157]),
        (Backtest(2, 4, None), [153, 157]),
        (Backtest(1, 99, None), [157]),
    ],
)
def test_origins_are_the_newest_and_counted_from_the_last(
    plan: Backtest, expected: list[int], run: Path
) -> None:
    events = Events()
    found = evaluated(run, plan, events=events)
    assert cutoffs(found) == expected
    written = [days(ROWS)[row] for row in expected for _ in range(HORIZON)]
    assert [row[0] for row in cells(found.files["backtest.csv"].decode(), ["cutoff"])] == written
    whole = evaluated(run).evaluation.held
    mine = np.isin(whole.rows, expected)
    assert found.evaluation.held.forecast.tobytes() == whole.forecast[mine].tobytes()
    assert events.warnings == []


def test_more_origins_than_there_are_is_a_warning(run: Path) -> None:
    events = Events()
    assert cutoffs(evaluated(run, Backtest(16, 1, None), events=events)) == OWN_CUTOFFS
    assert events.warnings == [("evaluate.origins", "16 origins asked, 15 after the validation rows")]


def test_the_keys_of_the_run_act_as_the_flags_and_flags_come_first(tmp_path: Path) -> None:
    changes = {"evaluation.origins": "6", "evaluation.refit_every": "2"}
    run = trained(one_series(tmp_path / "a.csv", prices()), changes).run.path
    usual = evaluated(run)
    assert (cutoffs(usual), usual.evaluation.refits) == (OWN_CUTOFFS[-6:], 2)
    flagged = evaluated(run, Backtest(4, 1, 1))
    assert (cutoffs(flagged), flagged.evaluation.refits) == (OWN_CUTOFFS[-4:], 3)


def test_the_first_block_is_forecast_by_the_own_networks_and_others_by_later_ones(run: Path) -> None:
    plain, said = evaluated(run).evaluation, []
    events = Events([lambda event: said.append(event.fields.get("lines"))])
    again = evaluated(run, Backtest(None, 1, 6), events=events).evaluation
    assert again.refits == 2  # after 6 of 15 origins, and after 12
    assert again.held.rows.tolist() == plain.held.rows.tolist()
    assert again.held.forecast[:6].tobytes() == plain.held.forecast[:6].tobytes()
    assert not (again.held.forecast[6:] == plain.held.forecast[6:]).any()
    lines = [line for lines in said if lines for line in lines if str(line).startswith("trained again")]
    moments = [str(line).split(" up to ")[1].split(" ")[0] for line in lines]
    assert moments == [days(ROWS)[149], days(ROWS)[155]]
    assert evaluated(run, Backtest(None, 1, 15)).evaluation.refits == 0


@pytest.mark.parametrize("begin", [0, 100, 135])
def test_a_refit_is_the_training_on_the_rows_known_by_then(begin: int, run: Path, tmp_path: Path) -> None:
    """Also where the file begins after the run's training rows: then it validates on as many all the same."""
    data = one_series(tmp_path / "b.csv", prices(200)[begin:], first=begin)
    found = evaluated(run, Backtest(None, 1, 21), data=data).evaluation
    first = begin + int(found.held.rows[21])
    known = one_series(tmp_path / "known" / "a.csv", prices(first + 1)[begin:], first=begin)
    by_hand = trained(known, {"split.validation": "16", "split.test": "0", **SIMPLE})
    rows = found.held.rows[21:42]
    forecaster = opened(by_hand.run).tested
    expected = forecaster.at(found.panel, rows, np.zeros_like(rows), horizon=HORIZON).point
    assert found.held.forecast[21:42].tobytes() == expected.tobytes()


@pytest.mark.parametrize("refit_every", [None, 5])
def test_no_forecast_and_no_bound_depends_on_a_later_row(
    refit_every: int | None, run: Path, tmp_path: Path
) -> None:
    plan = Backtest(None, 1, refit_every)
    usual = evaluated(run, plan).evaluation
    for cutoff in (143, 148, 153, 155):
        values = prices()
        values[cutoff + 1 :] *= 1e6
        data = one_series(tmp_path / f"{cutoff}.csv", values)
        changed = evaluated(run, plan, data=data).evaluation
        by_then = usual.held.rows <= cutoff
        assert changed.held.forecast[by_then].tobytes() == usual.held.forecast[by_then].tobytes()
        assert list(changed.bounds) == list(usual.bounds) == [80.0]
        for level, pair in usual.bounds.items():
            for end, other in zip(pair, changed.bounds[level], strict=True):
                assert np.isfinite(end).all()
                assert end[by_then].tobytes() == other[by_then].tobytes()
        after = usual.held.rows == cutoff + 1
        if after.any():  # the control: the changed row itself is seen by the next forecast
            assert (changed.held.forecast[after] != usual.held.forecast[after]).all()


def test_statistical_baselines_are_fitted_without_the_rows_they_are_tested_on(tmp_path: Path) -> None:
    """Their parameters rest on the rows up to the end of validation, also where the file has many more."""
    changes = {"evaluation.baselines": "[naive, ets, theta]", **SIMPLE}
    run = trained(one_series(tmp_path / "a.csv", prices()), changes).run.path
    usual = evaluated(run).evaluation
    values = prices(200)
    values[151:] *= 3
    changed = evaluated(run, data=one_series(tmp_path / "b.csv", values)).evaluation
    by_then = usual.held.rows <= 150
    for name in ("ets", "theta"):
        ours = changed.held.baselines[name][changed.held.rows <= 150]
        assert ours.tobytes() == usual.held.baselines[name][by_then].tobytes()
        assert not (usual.held.baselines[name] == usual.held.baselines["naive"]).all()


def covering(scores: list[float], level: float) -> float:
    """The score that covers: the ⌈(n + 1) · level⌉-th smallest, counted out."""
    wanted = math.ceil(round((len(scores) + 1) * level, 9) / 100)
    return sorted(scores)[wanted - 1] if wanted <= len(scores) else math.nan


def movement(values: Floats, floor: float) -> float:
    """The mean change of the last 200 rows, half as heavy every 20 rows."""
    changes = np.abs(np.diff(values))[::-1][:200]
    weights = 2.0 ** (-np.arange(len(changes)) / 20)
    return max(float((weights * changes).sum() / weights.sum()), floor / 10)


@pytest.mark.parametrize("scale", ["none", "volatility"])
def test_bounds_are_the_scores_known_at_each_origin(scale: str, tmp_path: Path) -> None:
    """Against a loop that looks at every validation and backtest score and asks when it was known."""
    changes = {"split.validation": "30", "forecast.intervals.scale": scale, "forecast.minimum": "null"}
    run = trained(one_series(tmp_path / "a.csv", prices()), {**changes, **SIMPLE}).run
    values = prices(400)
    found = evaluated(run.path, data=one_series(tmp_path / "b.csv", values)).evaluation
    held, calibration = found.held, opened(run).calibration
    assert calibration is not None
    floor = float(np.abs(np.diff(values[:114])).mean())  # 160 rows less 16 to test and 30 to validate
    rows = held.rows.tolist()
    units = [movement(values[: row + 1], floor) if scale == "volatility" else floor for row in rows]
    assert len(held) > 250  # more than are looked back at
    assert list(found.bounds) == [80.0, 95.0]
    for level, (lower, upper) in found.bounds.items():
        for step in (1, 2):
            before = calibration.scores[:, step - 1, 0].tolist()
            known = [score for score in before if not math.isnan(score)]
            missed = [abs(values[row + step] - held.forecast[n, step - 1]) for n, row in enumerate(rows)]
            ours = [(row + step, one / unit) for row, one, unit in zip(rows, missed, units, strict=True)]
            for place, row in enumerate(rows):
                pool = known + [score for when, score in ours if when <= row]
                margin = covering(pool[-250:], level) * units[place]
                middle = held.forecast[place, step - 1]
                expected = (middle - margin, middle + margin)
                assert (lower[place, step - 1], upper[place, step - 1]) == pytest.approx(expected, rel=1e-12)


def test_newer_rows_are_tested_with_the_same_networks_at_more_origins(run: Path, tmp_path: Path) -> None:
    usual, longer = evaluated(run), evaluated(run, data=one_series(tmp_path / "b.csv", prices(200)))
    assert cutoffs(longer) == list(range(143, 198))
    assert longer.evaluation.held.forecast[:15].tobytes() == usual.evaluation.held.forecast.tobytes()
    assert longer.evaluation.input == str(tmp_path / "b.csv")
    later = evaluated(run, data=one_series(tmp_path / "c.csv", prices(200)[150:], first=150)).evaluation
    assert (later.held.rows + 150).tolist() == list(range(157, 198))  # the first with 8 rows to see
    assert later.held.forecast.tobytes() == longer.evaluation.held.forecast[14:].tobytes()


@pytest.mark.parametrize(("first", "end"), [(0, 145), (0, 100), (192, 200), (150, 159)])
def test_without_an_origin_the_evaluation_says_what_it_needs(
    first: int, end: int, run: Path, tmp_path: Path
) -> None:
    data = one_series(tmp_path / "b.csv", prices(end)[first:], first=first)
    with pytest.raises(DataInvalid) as caught:
        evaluated(run, data=data)
    assert (caught.value.id, caught.value.where) == ("evaluate.no_origins", str(data))
    assert f"8 rows to see, and then 2 after {days(ROWS)[143]}" in caught.value.message
    assert "--data" in caught.value.hint


def test_one_more_row_makes_the_first_origin(run: Path, tmp_path: Path) -> None:
    assert cutoffs(evaluated(run, data=one_series(tmp_path / "a.csv", prices(146)))) == [143]
    late = evaluated(run, data=one_series(tmp_path / "b.csv", prices(160)[150:], first=150))
    assert cutoffs(late) == [7]


@pytest.mark.parametrize("begin", [140, 144, 150])
def test_a_file_that_does_not_reach_back_cannot_train_again(begin: int, run: Path, tmp_path: Path) -> None:
    data = one_series(tmp_path / "b.csv", prices(200)[begin:], first=begin)
    assert len(evaluated(run, data=data).evaluation.held)
    with pytest.raises(DataInvalid) as caught:
        evaluated(run, Backtest(None, 1, 5), data=data)
    assert (caught.value.id, caught.value.where) == ("evaluate.refit", str(data))
    assert "--refit-every" in caught.value.hint
    assert caught.value.details[0].startswith("16 to validate")


def test_without_the_file_there_is_nothing_to_test_on(tmp_path: Path) -> None:
    path = one_series(tmp_path / "a.csv", prices())
    run = trained(path).run.path
    text = path.read_bytes()
    path.write_bytes(text + b"2024-06-09,500.0\n")
    with pytest.raises(DataInvalid) as changed:
        evaluated(run)
    assert (changed.value.id, changed.value.where) == ("evaluate.data", str(path))
    assert changed.value.hint == f"to test the run on it as it is now: --data {path}"
    assert len(changed.value.details) == 2
    assert len(evaluated(run, data=path).evaluation.held) == 16
    path.unlink()
    with pytest.raises(DataMissing) as gone:
        evaluated(run)
    assert (gone.value.id, str(path) in gone.value.message) == ("evaluate.data", True)
    path.write_bytes(text)
    assert original_path(opened(naming.find_reference(str(run), None))) == str(path)


def test_a_run_from_standard_input_asks_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = one_series(tmp_path / "a.csv", prices())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(path.read_bytes())  # a file of that name is not what was read
    run = trained(path, {"data.path": "-", "data.target": "value"}).run.path
    with pytest.raises(DataMissing, match="standard input") as caught:
        evaluated(run)
    assert (caught.value.code, caught.value.hint) == (10, "give the rows with --data FILE.csv")
    assert cutoffs(evaluated(run, data=path)) == OWN_CUTOFFS


def test_a_run_without_test_rows_can_be_tested_on_newer_ones(tmp_path: Path) -> None:
    run = trained(one_series(tmp_path / "a.csv", prices()), {"split.test": "0"}).run.path
    with pytest.raises(DataInvalid) as caught:
        evaluated(run)
    assert (caught.value.id, caught.value.code) == ("evaluate.no_origins", 11)
    found = evaluated(run, Backtest(None, 1, 9), data=one_series(tmp_path / "b.csv", prices(180)))
    assert cutoffs(found) == list(range(159, 178))
    assert found.evaluation.refits == 2
    assert found.evaluation.verdict.word == "ties"  # 19 origins are too few


def by_shop(found: EvaluateResult) -> dict[str, list[str]]:
    """The cutoffs of each shop, as dates."""
    lines = cells(found.files["backtest.csv"].decode(), ["series", "cutoff", "step"])
    return {name: [cut for shop, cut, step in lines if (shop, step) == (name, "1")] for name in "abc"}


def test_a_panel_leaves_out_the_series_that_was_not_trained(panel_run: Path) -> None:
    dates = by_shop(evaluated(panel_run))
    assert dates["a"] == dates["b"] == days(120)[107:118]
    assert dates["c"] == []
    document = evaluated(panel_run).document
    assert document["test"] == {"windows": 22, "origins": 11, "from": days(120)[107], "to": days(120)[117]}
    assert set(document["by_series"]["model"]) == {"a", "b"}


def test_series_missing_or_short_in_the_file_are_left_out(panel_run: Path, tmp_path: Path) -> None:
    parts = {"c": (0, 130), "b": (0, 130)}  # another order; c is long now, but the networks never saw it
    found = evaluated(panel_run, data=several(tmp_path / "b.csv", parts))
    assert {name: len(dates) for name, dates in by_shop(found).items()} == {"a": 0, "b": 21, "c": 0}
    usual = evaluated(panel_run).evaluation.held
    mine = found.evaluation.held.forecast
    assert mine[:11].tobytes() == usual.forecast[usual.series == 1].tobytes()
    short = several(
        tmp_path / "s.csv", {"a": (0, 130), "b": (122, 130)}
    )  # 8 rows of b: none left to forecast
    assert {n: len(d) for n, d in by_shop(evaluated(panel_run, data=short)).items()} == {
        "a": 21,
        "b": 0,
        "c": 0,
    }


def test_a_series_too_short_to_train_on_again_keeps_the_own_networks(panel_run: Path, tmp_path: Path) -> None:
    data = several(tmp_path / "b.csv", {"a": (0, 130), "b": (108, 130)})
    plain = evaluated(panel_run, data=data).evaluation.held
    again = evaluated(panel_run, Backtest(None, 1, 10), data=data).evaluation
    mine = plain.series == 1
    # b has 10 rows at the first refit and 20 at the second: 14 to validate leave 0 and 6 to train on
    late = plain.rows - again.panel.offsets[1] >= 19
    assert again.refits == 2
    assert (mine & late).sum() == 1
    assert again.held.forecast[mine & ~late].tobytes() == plain.forecast[mine & ~late].tobytes()
    assert not (again.held.forecast[mine & late] == plain.forecast[mine & late]).any()
    assert again.held.rows.tolist() == plain.rows.tolist()


def test_origins_of_a_panel_are_times_and_not_rows(panel_run: Path, tmp_path: Path) -> None:
    data = several(tmp_path / "b.csv", {"a": (0, 130), "b": (0, 126)})
    dates = by_shop(evaluated(panel_run, Backtest(6, 1, None), data=data))
    assert dates["a"] == days(130)[122:128]
    assert dates["b"] == days(130)[122:124]
    again = evaluated(panel_run, Backtest(6, 1, 2), data=data).evaluation
    assert again.refits == 2  # blocks of two times each


def test_nothing_is_written(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    evaluated(run, Backtest(4, 1, 2))
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_document_has_the_promised_fields(run: Path) -> None:
    document = evaluated(run, Backtest(8, 2, 3)).document
    fields = {"run", "path", "current", "input", "verdict", "skill", "baseline", "p_value", "sentence"}
    fields |= {"metrics", "undefined", "seeds", "test", "refits", "intervals", "by_step", "gate", "elapsed_s"}
    assert set(document) == fields
    assert (document["refits"], document["current"], document["verdict"]) == (2, True, "ties")
    assert document["test"] == {"windows": 8, "origins": 8, "from": days(ROWS)[143], "to": days(ROWS)[157]}
    lines = evaluated(run, Backtest(8, 2, 3)).files["backtest.csv"].decode()
    errors = [abs(float(f) - float(a)) for f, a in cells(lines, ["forecast", "actual"])]
    assert document["metrics"]["model"]["mae"] == pytest.approx(sum(errors) / len(errors), rel=1e-12)
    steps = document["by_step"]["model"]["mae"]
    assert steps == pytest.approx([np.mean(errors[0::2]), np.mean(errors[1::2])], rel=1e-12)
    inside = [float(lo) <= float(a) <= float(hi) for lo, a, hi in cells(lines, ["lo_80", "actual", "hi_80"])]
    (level,) = document["intervals"]["levels"]
    assert (level["level"], level["coverage"]) == (80.0, pytest.approx(sum(inside) / len(inside)))


def test_the_baseline_is_the_one_that_validation_chose(run: Path) -> None:
    document = evaluated(run, Backtest(3, 1, None)).document
    chosen: Opened = opened(naming.find_reference(str(run), None))
    assert document["baseline"] == chosen.metrics["baseline"]
    maes = {name: row["mae"] for name, row in document["metrics"].items() if name != "model"}
    assert document["skill"] == pytest.approx(
        1 - document["metrics"]["model"]["mae"] / maes[document["baseline"]], rel=1e-9
    )
