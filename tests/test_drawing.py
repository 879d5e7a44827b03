"""What each picture of a run is given to draw: the right forecasts, rows and names."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lstm_forecast import backtests, drawing, pipeline
from lstm_forecast.drawing import Kind, draw_all, picture
from lstm_forecast.errors import UsageError
from lstm_forecast.evaluating import Backtest
from lstm_forecast.events import Events
from lstm_forecast.model.gates import gate_activations
from lstm_forecast.opening import opened
from lstm_forecast.runs.run import Run
from tests.conftest import Tiny
from tests.training.jobs import days, momentum, trained, write_csv

Given = dict[str, tuple[tuple[Any, ...], dict[str, Any]]]
HELD_OUT: tuple[Kind, ...] = ("error", "residuals", "backtest")
ROUNDING = 1e-6 * 500  # training computed in torch, a picture is computed in NumPy; all values are near 500
DAYS = [np.datetime64(day, "us") for day in days(200)]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """What the drawing functions were called with, by name; they draw all the same."""
    calls: Given = {}

    def watched(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            calls[name] = (args, named)
            return draw(*args, **named)

        return call

    kinds = ("error", "residuals", "backtest", "gates", "forecast", "test", "loss")
    for name in map("plot_{}".format, kinds):
        monkeypatch.setattr(drawing, name, watched(name, getattr(drawing, name)))
    return calls


def draw(run: Run, kind: Kind, series: str | None = None) -> bytes:
    return picture(opened(run), kind, form="png", series=series, events=Events())


def keep(run: Run, plan: Backtest, data: Path | None = None) -> list[dict[str, str]]:
    """An evaluation left in the run as the command does it; the lines of its table."""
    found = pipeline.evaluate(run.path, backtest=plan, data=None if data is None else str(data))
    for name, text in found.files.items():
        (run.path / "predictions" / name).write_bytes(text)
    return rows_of(found.files["backtest.csv"].decode())


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def held_out_rows(run: Run) -> list[dict[str, str]]:
    return rows_of((run.path / "predictions" / "test.csv").read_text())


def column(rows: Sequence[dict[str, str]], name: str) -> NDArray[np.float64]:
    return np.array([float(row[name]) for row in rows])


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Shop c is too short to be trained on or tested."""
    names, dates, values = [], [], []
    for number, (name, first) in enumerate({"b": 0, "a": 0, "c": 113}.items()):
        names += [name] * (120 - first)
        dates += days(120)[first:]
        values += momentum(120, seed=number)[first:].tolist()
    path = tmp_path_factory.mktemp("shops") / "p.csv"
    write_csv(path, {"date": dates, "shop": names, "value": np.array(values)})
    return trained(path, {"data.series_id": "shop", "split.validation": "20"}).run


@pytest.mark.parametrize("evaluated", [False, True])
def test_errors_are_those_of_the_test_rows_or_of_the_last_evaluation(
    evaluated: bool, given: Given, tiny: Tiny
) -> None:
    rows = keep(tiny.run, Backtest(6, 1, None)) if evaluated else held_out_rows(tiny.run)
    assert draw(tiny.run, "error").startswith(b"\x89PNG")
    (steps, errors), named = given["plot_error"]
    assert steps == [1, 2]
    names = ["forecast", "naive", "seasonal_naive", "drift", "mean"]
    assert list(errors) == ["model", *names[1:]]
    for name, found in zip(names, errors.values(), strict=True):
        missed = np.abs(column(rows, name) - column(rows, "actual"))
        assert found == pytest.approx([missed[0::2].mean(), missed[1::2].mean()])
    of = "backtest" if evaluated else "test rows"
    assert named == {"title": f"tiny: mean absolute error by step, {of}", "value_label": "value"}


@pytest.mark.parametrize("evaluated", [False, True])
def test_residuals_are_forecast_less_actual_one_step_ahead(evaluated: bool, given: Given, tiny: Tiny) -> None:
    rows = keep(tiny.run, Backtest(6, 1, None)) if evaluated else held_out_rows(tiny.run)
    draw(tiny.run, "residuals")
    ((plots,), named) = given["plot_residuals"]
    (plot,) = plots
    first = [row for row in rows if row["step"] == "1"]
    errors = (column(first, "forecast") - column(first, "actual")).tolist()
    assert plot.errors.tolist() == pytest.approx(errors, abs=ROUNDING)
    assert plot.times.tolist() == [np.datetime64(row["time"], "us").tolist() for row in first]
    assert plot.name == ""
    assert named["title"].endswith("backtest" if evaluated else "test rows")
    assert (named["value_label"], named["time_label"]) == ("value", "date")


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_backtest_has_every_origin_with_its_lowest_interval(
    evaluated: bool, given: Given, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    changes = {"split.validation": "30", "forecast.intervals.levels": "[95, 80]"}
    run = trained(data, changes).run
    rows = keep(run, Backtest(None, 3, None)) if evaluated else held_out_rows(run)
    draw(run, "backtest")
    (actual, origins), _ = given["plot_backtest"]
    assert len(origins) == len(rows) / 2 == (5 if evaluated else 15)
    for place, origin in enumerate(origins):
        mine = rows[2 * place : 2 * place + 2]
        assert origin.cutoff_time == np.datetime64(mine[0]["cutoff"], "us")
        assert origin.times.tolist() == [np.datetime64(row["time"], "us").tolist() for row in mine]
        assert origin.forecast.tolist() == pytest.approx(column(mine, "forecast").tolist(), abs=ROUNDING)
        (band,) = origin.bands
        assert band.level == 0.8
        for drawn, name in ((band.lower, "lo_80"), (band.upper, "hi_80")):
            assert drawn.tolist() == pytest.approx(column(mine, name).tolist(), abs=ROUNDING)
    times, values = actual
    assert times.tolist() == [day.tolist() for day in DAYS[:160]]
    assert values.tolist() == momentum(160).tolist()


def test_rows_newer_than_the_run_are_drawn_from_the_evaluation(given: Given, tiny: Tiny) -> None:
    data = write_csv(Path("more.csv"), {"date": days(170), "value": momentum(170)})
    keep(tiny.run, Backtest(4, 1, None), data)
    draw(tiny.run, "backtest")
    ((times, values), origins), _ = given["plot_backtest"]
    known = [*range(160), *range(165, 170)]  # its own rows, and the targets of the four origins
    assert times.tolist() == [DAYS[row].tolist() for row in known]
    assert values.tolist() == [*momentum(160).tolist(), *momentum(170)[165:].tolist()]
    assert [origin.cutoff_time for origin in origins] == DAYS[164:168]


def test_of_a_panel_residuals_show_all_and_a_backtest_the_first_or_the_one_asked_for(
    given: Given, shops: Run
) -> None:
    draw(shops, "residuals")
    assert [plot.name for plot in given["plot_residuals"][0][0]] == ["b", "a"]
    for asked, expected in [(None, "b"), ("a", "a")]:
        draw(shops, "backtest", asked)
        (actual, origins), named = given["plot_backtest"]
        assert named["title"] == f"p: forecasts from past cutoffs, {expected}"
        rows = [row for row in held_out_rows(shops) if row["series"] == expected]
        forecasts = column(rows[0::2], "forecast").tolist()
        assert [origin.forecast[0] for origin in origins] == pytest.approx(forecasts, abs=ROUNDING)
        assert actual[1].tolist() == momentum(120, seed=0 if expected == "b" else 1).tolist()
    draw(shops, "residuals", "a")
    assert [plot.name for plot in given["plot_residuals"][0][0]] == ["a"]


@pytest.mark.parametrize("kind", ["residuals", "backtest"])
def test_a_series_without_held_out_rows_cannot_be_drawn(kind: Kind, shops: Run) -> None:
    with pytest.raises(UsageError) as caught:
        draw(shops, kind, "c")
    assert (caught.value.id, caught.value.where) == ("plot.no_test", f"--kind {kind}")
    with pytest.raises(UsageError, match="no series 'd'"):
        draw(shops, kind, "d")


def test_without_test_rows_an_evaluation_is_drawn_once_there_is_one(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    run = trained(data, {"split.test": "0"}).run
    for kind in (*HELD_OUT, "test"):
        with pytest.raises(UsageError) as caught:
            draw(run, kind)  # type: ignore[arg-type]
        assert (caught.value.id, caught.value.hint) == ("plot.no_test", "train again with split.test: 0.1")
    more = write_csv(tmp_path / "b.csv", {"date": days(180), "value": momentum(180)})
    keep(run, Backtest(None, 1, None), more)
    for kind in HELD_OUT:
        assert draw(run, kind).startswith(b"\x89PNG")


@pytest.mark.parametrize("changes", [{}, {"model.num_layers": "2", "model.cell": "gru"}])
def test_gates_are_those_of_the_newest_window(changes: dict[str, str], given: Given, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    run = trained(data, {**changes, "training.refit": "full"}).run
    draw(run, "gates")
    (layers, values, times), named = given["plot_gates"]
    newest = momentum(160)[-8:]
    assert values.tolist() == newest.tolist()
    assert times.tolist() == [day.tolist() for day in DAYS[152:160]]
    forecaster = opened(run).in_numpy  # that which predict uses: trained again on all rows
    steps = np.diff(newest, prepend=newest[0]) / forecaster.scaling.step_unit[0, 0]
    expected = gate_activations(forecaster.arrays[0], steps.reshape(1, 8, 1))
    assert len(layers) == len(expected) == (2 if changes else 1)
    for ours, theirs in zip(layers, expected, strict=True):
        assert list(ours.activations) == list(theirs.activations)
        for name, gate in theirs.activations.items():
            assert ours.activations[name].tobytes() == gate.tobytes()
    assert (named["shown"], named["value_label"], named["time_label"]) == (len(layers) - 1, "value", "date")


def test_both_directions_of_the_last_layer_are_known_and_the_forward_one_is_shown(
    given: Given, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    changes = {"model.bidirectional": "true", "model.supervision": "last", "model.num_layers": "2"}
    draw(trained(data, changes).run, "gates")
    (layers, *_), named = given["plot_gates"]
    assert [layer.backward for layer in layers] == [False, True, False, True]
    assert named["shown"] == 2


def test_gates_of_a_panel_are_those_of_a_long_series(given: Given, shops: Run) -> None:
    draw(shops, "gates", "a")
    (_, values, _), named = given["plot_gates"]
    assert values.tolist() == momentum(120, seed=1)[-8:].tolist()
    assert named["title"].endswith(", a")
    with pytest.raises(UsageError) as caught:
        draw(shops, "gates", "c")  # 7 rows
    assert (caught.value.id, caught.value.message) == ("plot.gates", "no series has 8 rows to look at")


def test_a_plain_recurrent_cell_has_no_gates(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    with pytest.raises(UsageError) as caught:
        draw(trained(data, {"model.cell": "rnn"}).run, "gates")
    assert (caught.value.code, caught.value.id) == (2, "plot.gates")
    assert caught.value.hint == "train with model.cell: lstm"


def test_forecast_and_test_are_given_what_predict_and_the_test_say(given: Given, tiny: Tiny) -> None:
    draw(tiny.run, "forecast")
    ((parts,), _) = given["plot_forecast"]
    (part,) = parts
    assert part.history.tolist() == momentum(160).tolist()
    rows = pipeline.predict(tiny.run.path).rows
    assert part.future.tolist() == [row.forecast for row in rows]
    (band,) = part.bands
    assert list(zip(band.lower.tolist(), band.upper.tolist(), strict=True)) == [row.bounds[0] for row in rows]
    first = [row for row in held_out_rows(tiny.run) if row["step"] == "1"]
    draw(tiny.run, "test")
    ((parts,), _) = given["plot_test"]
    for one in (part, parts[0]):
        assert one.test_forecast.tolist() == pytest.approx(column(first, "forecast").tolist(), abs=ROUNDING)
        assert one.test_times.tolist() == [np.datetime64(row["time"], "us").tolist() for row in first]
    assert (len(parts[0].future), parts[0].bands) == (0, ())


def test_after_a_training_three_kinds_are_drawn_and_a_failure_is_a_warning(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, folder = Events(), tiny.run.path / "plots"
    draw_all(opened(tiny.run), events)
    assert sorted(path.name for path in folder.iterdir()) == ["forecast.png", "loss.png", "test.png"]
    assert events.warnings == []

    def fail(*args: object, **named: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(drawing, "plot_test", fail)
    (folder / "loss.png").unlink()
    draw_all(opened(tiny.run), events)
    assert events.warnings == [("plot.failed", "test: no ink")]
    assert (folder / "loss.png").exists()


def test_the_test_rows_are_forecast_once_for_all_pictures(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, hold_out = [], backtests.hold_out

    def counted(*arguments: Any, **named: Any) -> Any:
        made.append(named["steps"])
        return hold_out(*arguments, **named)

    monkeypatch.setattr(backtests, "hold_out", counted)
    draw_all(opened(tiny.run), Events())
    assert made == [1]


def test_without_test_rows_no_test_is_drawn_after_a_training(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(160), "value": momentum(160)})
    events = Events()
    run = trained(data, {"split.test": "0", "run.plots": "true"}, events=events).run
    assert sorted(path.name for path in (run.path / "plots").iterdir()) == ["forecast.png", "loss.png"]
    assert [id for id, _ in events.warnings if id.startswith("plot")] == []


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        ("mae", "mae (scaled values)"),
        ("mase", "mase"),  # measured in original units, and without a unit
        ("[smape, mase]", "smape + mase"),
    ],
)
def test_the_losses_axis_names_the_loss_and_its_unit(
    loss: str, label: str, given: Given, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "a.csv", {"date": days(120), "value": momentum(120)})
    reads = {"model.supervision": "last", "model.normalize": "none"}
    draw(trained(data, {**reads, "training.loss": loss}).run, "loss")
    assert given["plot_loss"][1]["loss_label"] == label


def test_no_more_series_are_forecast_than_are_drawn(
    given: Given, shops: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(shops, "forecast")
    (whole,), named = given["plot_forecast"]
    assert [plot.name for plot in whole] == ["b", "a", "c"]
    assert named["of"] == 3
    monkeypatch.setattr(drawing, "MOST_PANELS", 1)
    for kind, name in (("forecast", "plot_forecast"), ("test", "plot_test")):
        draw(shops, kind)
        (parts,), named = given[name]
        assert [plot.name for plot in parts] == ["b"]
        assert named["of"] == 3
    (parts,), _ = given["plot_forecast"]
    assert parts[0].future == pytest.approx(whole[0].future, rel=1e-6)
    assert parts[0].test_forecast == pytest.approx(whole[0].test_forecast, rel=1e-6)


def test_the_test_picture_of_a_series_without_test_rows_is_refused(shops: Run) -> None:
    with pytest.raises(UsageError) as caught:
        draw(shops, "test", series="c")
    assert caught.value.id == "plot.no_test"
