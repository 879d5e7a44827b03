"""The picture of gates holds every activation, sorted by memory, below the values that the layer read."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text

from lstm_forecast.model.gates import LayerGates
from lstm_forecast.reporting.gate_plots import joined, memory_order, plot_gates, step_edges
from lstm_forecast.reporting.panels import FORMATS, render

Array = npt.NDArray[Any]
LABELS = {"title": "stock: gates", "value_label": "close", "time_label": "date"}
LSTM = ("input", "forget", "candidate", "output", "cell", "hidden")
GRU = ("reset", "update", "candidate", "hidden")
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def days(*numbers: int) -> Array:
    return np.datetime64("2024-01-01", "us") + np.array(numbers) * np.timedelta64(1, "D")


def layer(
    names: tuple[str, ...] = LSTM, *, number: int = 1, backward: bool = False, steps: int = 6, units: int = 4
) -> LayerGates:
    """Activations all different: gates within 0..1, states within -5..5."""
    generator = np.random.default_rng(number + 10 * backward)
    gate = {name: generator.uniform(size=(steps, units)) for name in names}
    states = {
        name: generator.uniform(-5, 5, size=(steps, units)) for name in ("cell", "hidden") if name in names
    }
    return LayerGates(number, backward, gate | states)


def picture(layers: list[LayerGates], *, shown: int = -1) -> Figure:
    steps = len(layers[0].activations["hidden"])
    return plot_gates(layers, np.arange(steps) + 100.0, days(*range(steps)), shown=shown, **LABELS)


def meshes(figure: Figure) -> dict[str, QuadMesh]:
    """The heat maps by the first words of their headings."""
    found = {}
    for panel in figure.axes:
        heading = panel.get_title(loc="left")
        if heading:
            (found[heading.split(":")[0]],) = [c for c in panel.collections if isinstance(c, QuadMesh)]
    return found


def values(mesh: QuadMesh) -> Array:
    return np.ma.getdata(np.ma.asarray(mesh.get_array()))


def all_texts(figure: Figure) -> list[str]:
    return [artist.get_text() for artist in cast("list[Text]", figure.findobj(Text))]


def scales(figure: Figure) -> list[list[str]]:
    """The texts of the colour bars."""
    bars = [mesh.colorbar for mesh in meshes(figure).values() if mesh.colorbar is not None]
    return [[text.get_text() for text in bar.ax.get_yticklabels()] for bar in bars]


def test_every_gate_and_the_cell_state_are_drawn_unit_by_step_in_the_order_of_the_forget_gate() -> None:
    one = layer()
    one.activations["forget"][:] = [0.2, 0.9, 0.1, 0.6]  # every step alike: means that one can see
    drawn = meshes(picture([one]))
    assert list(drawn) == ["input gate", "forget gate", "output gate", "cell state"]
    for heading, name in zip(drawn, ("input", "forget", "output", "cell"), strict=True):
        np.testing.assert_array_equal(values(drawn[heading]), one.activations[name][:, [1, 3, 0, 2]].T)


def test_the_first_row_is_on_top() -> None:
    panel = meshes(picture([layer()]))["cell state"].axes
    assert isinstance(panel, Axes)
    assert panel.get_ylim() == (4.0, 0.0)


def test_a_gru_shows_its_two_gates_and_its_hidden_state_in_the_order_of_the_update_gate() -> None:
    one = layer(GRU)
    one.activations["update"][:] = [0.2, 0.3, 0.1, 0.6]
    figure = picture([one])
    drawn = meshes(figure)
    assert list(drawn) == ["reset gate", "update gate", "hidden state"]
    for heading, name in zip(drawn, ("reset", "update", "hidden"), strict=True):
        np.testing.assert_array_equal(values(drawn[heading]), one.activations[name][:, [3, 1, 0, 2]].T)
    assert "layer 1 of 1: 4 units, 6 steps; sorted by mean update gate, the most open on top" in all_texts(
        figure
    )


def test_units_of_equal_memory_keep_their_order() -> None:
    assert memory_order({"forget": np.full((3, 5), 0.5)}).tolist() == [0, 1, 2, 3, 4]


def test_gates_share_one_scale_and_the_state_has_a_symmetric_one_of_its_own() -> None:
    one = layer(steps=50)
    one.activations["cell"][7, 2] = -80.0  # one value of 200: beyond the scale's end
    figure = picture([one])
    drawn = meshes(figure)
    sizes = sorted(np.abs(one.activations["cell"]).ravel().tolist())  # 200: place 0.98 * 199 = 195.02
    limit = sizes[195] + 0.02 * (sizes[196] - sizes[195])
    assert [drawn[name].get_clim() for name in list(drawn)[:3]] == [(0.0, 1.0)] * 3
    np.testing.assert_allclose(drawn["cell state"].get_clim(), (-limit, limit), rtol=1e-12)
    assert 4 < limit < 5
    assert scales(figure) == [["0 shut", "0.5", "1 open"], [f"≤ −{limit:.3g}", "0", f"≥ +{limit:.3g}"]]


@pytest.mark.parametrize(("state", "ends"), [(0.0, 1.0), (-2.5, 2.5), (math.nan, 1.0)])
def test_states_that_are_all_equal_have_a_scale_too(state: float, ends: float) -> None:
    one = layer()
    one.activations["cell"][:] = state
    figure = picture([one])
    assert meshes(figure)["cell state"].get_clim() == (-ends, ends)
    assert scales(figure)[1] == [f"−{ends:.3g}", "0", f"+{ends:.3g}"]
    assert render(figure, "png").startswith(MAGIC["png"])


def test_the_input_stands_above_on_the_same_axis_of_time() -> None:
    figure = picture([layer()])
    top = figure.axes[0]
    (line,) = top.get_lines()
    times, inputs = line.get_data(orig=True)
    assert np.asarray(times).tolist() == days(*range(6)).tolist()
    assert np.asarray(inputs).tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    assert top.get_ylabel() == "close"
    maps = [mesh.axes for mesh in meshes(figure).values()]
    assert all(panel is not None and panel.get_xlim() == top.get_xlim() for panel in maps)
    lefts = {(panel.get_position().x0, panel.get_position().x1) for panel in [top, *cast("list[Axes]", maps)]}
    assert len(lefts) == 1
    shown = [panel for panel in figure.axes if any(text.get_text() for text in panel.get_xticklabels())]
    labelled = [panel for panel in shown if panel.xaxis.get_tick_params()["labelbottom"]]
    assert maps[-1] in labelled
    assert not set(labelled) & {top, *maps[:-1]}


def test_the_last_layer_is_drawn_unless_another_is_named() -> None:
    layers = [layer(number=n, backward=b) for n in (1, 2) for b in (False, True)]
    about = "; sorted by mean forget gate, the most open on top"
    for shown, words in ((-1, "layer 2 of 2, reading backward"), (0, "layer 1 of 2, reading forward")):
        figure = picture(layers, shown=shown)
        assert f"{words}: 4 units, 6 steps{about}" in all_texts(figure)
        one = layers[shown].activations
        order = np.argsort(-one["forget"].mean(axis=0))
        np.testing.assert_array_equal(values(meshes(figure)["input gate"]), one["input"][:, order].T)


@pytest.mark.parametrize(
    ("times", "edges"),
    [
        (np.array([7]), [6.5, 7.5]),
        (np.array([0, 1, 2]), [-0.5, 0.5, 1.5, 2.5]),
        (np.array([0, 2, 6]), [-1.0, 1.0, 4.0, 8.0]),
    ],
)
def test_a_step_reaches_halfway_to_its_neighbours(times: Array, edges: list[float]) -> None:
    assert step_edges(times).tolist() == edges


def test_a_day_reaches_from_noon_to_noon_and_a_friday_into_the_weekend() -> None:
    # Wednesday 3 January 2024 to Monday 8
    found = step_edges(days(2, 3, 4, 7)).astype("datetime64[h]").astype(str).tolist()
    assert found == ["2024-01-02T12", "2024-01-03T12", "2024-01-04T12", "2024-01-06T12", "2024-01-09T12"]
    assert step_edges(days(2)).astype("datetime64[h]").astype(str).tolist() == [
        "2024-01-02T12",
        "2024-01-03T12",
    ]


def test_the_last_days_there_are_have_edges_that_can_be_drawn() -> None:
    last = np.array(["9999-12-11", "9999-12-31"], "datetime64[us]")
    assert step_edges(last).astype("datetime64[D]").astype(str).tolist() == [
        "9999-12-01",
        "9999-12-21",
        "9999-12-31",
    ]
    figure = plot_gates([layer(steps=2)], np.array([1.0, 2.0]), last, **LABELS)
    assert render(figure, "png").startswith(MAGIC["png"])


def test_one_step_of_one_unit_is_drawn() -> None:
    figure = plot_gates([layer(steps=1, units=1)], np.array([1.0]), days(3), **LABELS)
    assert "layer 1 of 1: 1 unit, 1 step" in all_texts(figure)
    assert render(figure, "png").startswith(MAGIC["png"])


def test_row_numbers_below_the_last_heat_map_are_written_as_in_other_pictures() -> None:
    figure = plot_gates([layer()], np.arange(6.0), np.arange(5000, 5006), **LABELS)
    panel = meshes(figure)["cell state"].axes
    assert panel is not None
    assert {"5,000", "5,001", "5,005"} <= {text.get_text() for text in panel.get_xticklabels()}


def test_more_columns_than_dots_are_joined_to_their_means() -> None:
    activations = np.arange(14.0).reshape(7, 2)
    edges, means = joined(np.arange(8), activations, most=3)
    assert edges.tolist() == [0, 3, 6, 7]
    assert means.tolist() == [[2.0, 3.0], [8.0, 9.0], [12.0, 13.0]]
    edges, means = joined(np.arange(8), activations, most=7)
    assert edges.tolist() == list(range(8))
    assert means.tolist() == activations.tolist()


def test_ten_thousand_steps_are_drawn() -> None:
    one = layer(steps=10_000, units=3)
    figure = plot_gates([one], np.arange(10_000.0), np.arange(10_000), **LABELS)
    assert values(meshes(figure)["forget gate"]).shape == (3, 1429)  # 7 steps a column
    assert render(figure, "svg").count(b"<image") >= 4  # an image for each heat map, no path for each cell


def test_missing_inputs_leave_holes_or_are_said() -> None:
    one = layer()
    inputs = np.array([1.0, math.nan, 3.0, math.inf, 5.0, 6.0])
    (line,) = plot_gates([one], inputs, np.arange(6), **LABELS).axes[0].get_lines()
    assert np.isnan(np.asarray(line.get_ydata(orig=True))).tolist() == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]
    figure = plot_gates([one], np.full(6, math.nan), np.arange(6), **LABELS)
    assert "no actual values" in all_texts(figure)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have one length; got \[5, 6\]"):
        plot_gates([layer()], np.arange(5.0), np.arange(6), **LABELS)
    with pytest.raises(ValueError, match=r"must have one length; got \[6, 7\]"):
        plot_gates([layer()], np.arange(6.0), np.arange(7), **LABELS)


def test_the_same_activations_give_the_same_bytes_and_hostile_names_are_plain_text() -> None:
    name = "$a_1^{\\frac{1$ %&#~\n\x1b[31m"
    words = {"title": name, "value_label": name, "time_label": name}
    figures = [
        plot_gates([layer(units=40)], np.arange(6.0) * 1e9, days(*range(6)), **words) for _ in range(2)
    ]
    assert all_texts(figures[0]).count("$a_1^{\\frac{1$ %&#~\\n\\x1b[31m") >= 2
    for form in FORMATS:
        first = render(figures[0], form)
        assert first.startswith(MAGIC[form])
        assert render(figures[0], form) == first
        assert render(figures[1], form) == first


def test_nothing_overlaps_and_nothing_is_cut_off() -> None:
    figure = plot_gates([layer(steps=60)], np.arange(60) * 1e9, days(*range(60)), **LABELS)
    boxes = [box for panel in figure.axes if (box := panel.get_tightbbox()) is not None]
    boxes += [text.get_window_extent() for text in figure.texts]
    width, height = (figure.get_size_inches() * figure.dpi).tolist()
    for place, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
