"""The picture of what a layer's gates did over one window: the boxes of the textbooks on the user's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_forecast.reporting.fonts import drawing, write
from lstm_forecast.reporting.panels import (
    BLACK,
    BLUE,
    DARK_GREY,
    DRAWABLE_DATES,
    EDGE_INCHES,
    GREEN,
    GREY,
    TITLE_INCHES,
    VERMILLION,
    WIDTH_INCHES,
    Array,
    Look,
    finished,
    frame,
    line,
    open_figure,
    say_if_missing,
    write_heading,
    write_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from lstm_forecast.model.gates import LayerGates  # torch is not needed to draw

# name of an activation -> what the picture calls it; gates first, then what they act on
GATES = {
    "input": "input gate: what enters the cell",
    "forget": "forget gate: what the cell keeps",
    "output": "output gate: what the cell shows",
    "reset": "reset gate: how much of the last state the candidate sees",
    "update": "update gate: what the unit keeps",
}
STATES = {"cell": "cell state", "hidden": "hidden state"}
MEMORY = ("forget", "update")  # a unit whose gate of this name is open keeps what it has
DARK_GREEN, DARK_BLUE, DARK_BROWN = "#00382A", "#00304F", "#5A2400"
INPUT = Look("_", BLACK, 1.2, 3.0)
MOST_VALUES = 0.98  # of a state's, within the ends of its scale
MOST_COLUMNS = 1500  # of a heat map: more than a picture has dots


def plot_gates(
    layers: Sequence[LayerGates],
    inputs: Array,
    times: Array,
    *,
    title: str,
    value_label: str,
    time_label: str,
    shown: int = -1,
) -> Figure:
    """One layer's gates and state, unit by step, below the values it read.

    Gates share one scale from 0 (shut) to 1 (open). The state is the cell state, or the hidden state of a
    GRU, which has no other; its scale is symmetric around zero and holds 98 of 100 absolute values, so that
    one large unit does not fade the others. Units are sorted by the mean over the window of their forget
    gate (GRU: update gate), in every panel alike: those that remember longest stand on top.

    Args:
        layers: as `lstm_forecast.model.gates.gate_activations` gives them.
        inputs: ``[L]``, the target over the window in original units, NaN where there is none.
        times: ``[L]``, ``datetime64[us]`` or int64 row numbers, ascending.
        title: of the picture; the layer is named below it.
        value_label: what ``inputs`` are.
        time_label: what ``times`` are.
        shown: which of ``layers``, as an index; -1 is the last.

    Raises:
        ValueError: inputs, times and activations differ in length.
    """
    layer = layers[shown]
    steps = {len(inputs), len(times), *(len(values) for values in layer.activations.values())}
    if len(steps) != 1:
        raise ValueError(f"inputs, times and activations must have one length; got {sorted(steps)}")
    order = memory_order(layer.activations)
    gates = [name for name in GATES if name in layer.activations]
    state = next(name for name in STATES if name in layer.activations)
    with drawing([title, value_label, time_label]):
        figure = open_figure(3, title=title, time_label=time_label, value_label="")
        write(_note(figure), _about(layers, layer), room_inches=WIDTH_INCHES - 2 * EDGE_INCHES)
        heights = [1.3, *[1.0] * len(gates), 1.2]
        grid = figure.add_gridspec(len(heights), 2, width_ratios=(60.0, 1.0), height_ratios=heights)
        top = figure.add_subplot(grid[0, 0])
        panels = [figure.add_subplot(grid[row, 0], sharex=top) for row in range(1, len(heights))]
        _draw_inputs(top, times, inputs, value_label)
        for panel, name in zip(panels, [*gates, state], strict=True):
            values = layer.activations[name][:, order]
            mesh = _draw_units(panel, times, values, limit=None if name in GATES else _limit(values))
            write_heading(panel, (GATES | STATES)[name], room_inches=0.8 * WIDTH_INCHES)
            if name not in gates[1:]:
                last = name == state
                _draw_scale(figure.add_subplot(grid[-1, 1] if last else grid[1:-1, 1]), mesh)
        _label_last_only([top, *panels])
        return finished(figure)


def memory_order(activations: Mapping[str, Array]) -> Array:
    """Units in the order of the picture: the highest mean forget (or update) gate first, ``[D]``."""
    gate = next(activations[name] for name in MEMORY if name in activations)
    return np.argsort(-gate.mean(axis=0), kind="stable")


def step_edges(times: Array) -> Array:
    """Where each step's cell begins and ends: halfway to its neighbours; ``[L + 1]``.

    Dates beyond those that can be drawn are moved to the last that can.
    """
    dated = times.dtype.kind == "M"
    place = times if dated else times.astype(float)
    if len(times) < 2:
        half = np.timedelta64(12, "h") if dated else 0.5
        edges = np.concatenate([place - half, place + half])
    else:
        gaps = np.diff(place) / 2
        edges = np.concatenate([place[:1] - gaps[:1], place[:-1] + gaps, place[-1:] + gaps[-1:]])
    return np.clip(edges, *DRAWABLE_DATES) if dated else edges


def joined(edges: Array, values: Array, *, most: int) -> tuple[Array, Array]:
    """At most ``most`` columns of a heat map: the means of equally many neighbours, and their edges.

    Args:
        edges: ``[L + 1]``.
        values: ``[L, D]``.
        most: columns.
    """
    together = -(-len(values) // most)
    firsts = np.arange(0, len(values), together)
    counts = np.diff(np.append(firsts, len(values)))
    return edges[np.append(firsts, len(values))], np.add.reduceat(values, firsts) / counts[:, None]


def _about(layers: Sequence[LayerGates], layer: LayerGates) -> str:
    """One line about what is drawn."""
    steps, units = layer.activations["hidden"].shape
    count = max(one.layer for one in layers)
    two = any(one.backward for one in layers)
    direction = (", reading backward" if layer.backward else ", reading forward") if two else ""
    counted = f"{units:,} unit{'s' * (units > 1)}, {steps:,} step{'s' * (steps > 1)}"
    gate = next(name for name in MEMORY if name in layer.activations)
    order = f"; sorted by mean {gate} gate, the most open on top" if units > 1 else ""
    return f"layer {layer.layer} of {count}{direction}: {counted}{order}"


def _note(figure: Figure) -> Text:
    """An empty line of text below the title, where other pictures have their legend."""
    height = 1 - (EDGE_INCHES + TITLE_INCHES + 0.04) / figure.get_figheight()
    return figure.text(EDGE_INCHES / WIDTH_INCHES, height, "", va="top", fontsize=9, color=DARK_GREY)


def _draw_inputs(panel: Axes, times: Array, inputs: Array, value_label: str) -> None:
    """The curve above the heat maps."""
    line(panel, times, inputs, INPUT)
    frame(panel, times)
    edges = step_edges(times)
    panel.set_xlim(edges[0], edges[-1])
    say_if_missing(panel, [inputs], [], "no actual values")
    write_labels(panel, beside=value_label)


def _draw_units(panel: Axes, times: Array, values: Array, *, limit: float | None) -> QuadMesh:
    """A heat map, the first unit on top: from 0 to 1 in green, or within +-``limit`` in blue and orange."""
    from matplotlib.colors import LinearSegmentedColormap

    gate, state = ("white", GREEN, DARK_GREEN), (DARK_BLUE, BLUE, "white", VERMILLION, DARK_BROWN)
    colours = LinearSegmentedColormap.from_list("units", gate if limit is None else state)
    scale = colours.with_extremes(bad=GREY)
    edges, means = joined(step_edges(times), values, most=MOST_COLUMNS)
    units = values.shape[1]
    mesh = panel.pcolormesh(edges, np.arange(units + 1), np.ma.masked_invalid(means.T), cmap=scale)
    mesh.set_clim(*((0.0, 1.0) if limit is None else (-limit, limit)))
    mesh.set_rasterized(True)  # tens of thousands of cells are an image, in an SVG and a PDF too
    panel.grid(visible=False)
    panel.set_ylim(units, 0)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    write_labels(panel, beside="unit" if units == 1 else "units")
    return mesh


def _draw_scale(panel: Axes, mesh: QuadMesh) -> None:
    """The colours of a heat map and the numbers they stand for."""
    figure = panel.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(mesh, cax=panel)
    low, high = mesh.get_clim()
    assert high is not None
    gate = low == 0.0
    middle = high / 2 if gate else 0.0
    largest = np.abs(np.ma.compressed(np.ma.asarray(mesh.get_array()))).max(initial=0.0)
    least, most = ("≤ ", "≥ ") if largest > high else ("", "")
    ends = [f"{least}\N{MINUS SIGN}{high:.3g}", "0", f"{most}+{high:.3g}"]
    texts = ["0 shut", "0.5", "1 open"] if gate else ends
    bar.set_ticks([0.0 if gate else -high, middle, high], labels=texts)
    bar.outline.set(edgecolor=GREY, linewidth=0.6)  # white ends are seen


def _limit(values: Array) -> float:
    """The absolute value that 98 of 100 do not exceed; the largest, or 1, where that is zero."""
    sizes = np.abs(values[np.isfinite(values)])
    if not len(sizes):
        return 1.0
    return float(np.quantile(sizes, MOST_VALUES)) or float(sizes.max()) or 1.0


def _label_last_only(panels: Sequence[Axes]) -> None:
    """Times below the last panel only: the others share them."""
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
        panel.xaxis.get_offset_text().set_visible(False)
