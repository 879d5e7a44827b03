"""What a network is made of, and the names and shapes of its weights: without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CellName = Literal["lstm", "gru", "rnn", "lstm_peephole"]
Nonlinearity = Literal["tanh", "relu"]
InitialState = Literal["zeros", "random", "learned"]
Readout = Literal["hidden", "cell", "both"]

CELLS_WITH_CELL_STATE: tuple[CellName, ...] = ("lstm", "lstm_peephole")
CELLS_WITH_GATES: tuple[CellName, ...] = ("lstm", "lstm_peephole", "gru")
GATES: dict[CellName, int] = {"lstm": 4, "gru": 3, "rnn": 1, "lstm_peephole": 4}  # a layer's rows, over D
_MOST_HIDDEN = 32  # units of the step head
_MOST_WIDTH = 16  # numbers that stand for a category

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The arguments of a :class:`RegLSTM` of the same names."""

    input_size: int
    hidden_size: int | Sequence[int]
    num_layers: int
    output_size: int = 1
    num_quantiles: int = 0
    cell: CellName = "lstm"
    nonlinearity: Nonlinearity = "tanh"
    bias: bool = True
    dropout: float = 0.0
    bidirectional: bool = False
    layer_norm: bool = False
    initial_state: InitialState = "zeros"
    readout: Readout = "hidden"
    head_layers: Sequence[int] = ()
    zero_head: bool = False
    segment: int = 1
    skip_steps: int = 0
    ahead_size: int = 0
    static_sizes: Sequence[int] = ()

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """D of every layer."""
        given = self.hidden_size
        return (given,) * self.num_layers if isinstance(given, int) else tuple(given)

    @property
    def directions(self) -> int:
        """Of every layer, 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What torch's names of a layer's weights end in, by direction."""
        return ("_l0", "_l0_reverse")[: self.directions]

    @property
    def state_parts(self) -> int:
        """Hidden state alone, or hidden and cell state."""
        return 2 if self.cell in CELLS_WITH_CELL_STATE else 1

    @property
    def numbers(self) -> int:
        """H · Q that the head gives; H for a point head."""
        return self.output_size * max(self.num_quantiles, 1)

    @property
    def read_size(self) -> int:
        """W, width of the state that the head reads."""
        return self.directions * self.hidden_sizes[-1] * (2 if self.readout == "both" else 1)


def weight_shapes(made: Architecture) -> Shapes:
    """The weights of a network by the names that torch has for them in a :class:`RegLSTM`."""
    shapes, static = _static_shapes(made)
    widths = [made.directions * size for size in made.hidden_sizes]
    inputs = (made.input_size * made.segment + static, *widths[:-1])
    for k, (into, size) in enumerate(zip(inputs, made.hidden_sizes, strict=True)):
        shapes |= _layer_shapes(made, f"layers.{k}.", into, size)
    for k, width in enumerate(widths if made.layer_norm else ()):
        shapes |= {f"norms.{k}.weight": (width,), f"norms.{k}.bias": (width,)}
    for k, size in enumerate(made.hidden_sizes if made.initial_state == "learned" else ()):
        shapes[f"learned_state.{k}"] = (made.state_parts, made.directions, 1, size)
    return shapes | _head_shapes(made)


def weight_count(made: Architecture) -> int:
    """How many numbers a network learns."""
    return sum(math.prod(shape) for shape in weight_shapes(made).values())


def _layer_shapes(made: Architecture, prefix: str, into: int, size: int) -> Shapes:
    rows, shapes = GATES[made.cell] * size, Shapes()
    for end in made.suffixes:
        shapes |= {f"{prefix}weight_ih{end}": (rows, into), f"{prefix}weight_hh{end}": (rows, size)}
        if made.cell == "lstm_peephole":
            shapes[f"{prefix}weight_peephole{end}"] = (3, size)
        if made.bias:
            shapes |= {f"{prefix}bias_ih{end}": (rows,), f"{prefix}bias_hh{end}": (rows,)}
    return shapes


def _head_shapes(made: Architecture) -> Shapes:
    """Of the head, whose ReLU layers have none; of the linear skip; of the head of steps known ahead."""
    shapes, width = Shapes(), made.read_size
    for k, wide in enumerate((*made.head_layers, made.numbers)):
        shapes |= _dense(f"head.{2 * k}.", width, wide)
        width = wide
    if made.skip_steps:
        shapes |= _dense("skip.", made.skip_steps, made.numbers)
    if made.ahead_size:
        hidden = step_width(made.read_size)
        shapes |= _dense("steps.of_state.", made.read_size, hidden)
        shapes["steps.of_ahead.weight"] = (hidden, made.ahead_size)
        shapes |= _dense("steps.out.", hidden, max(made.num_quantiles, 1))
    return shapes


def _dense(prefix: str, into: int, out: int) -> Shapes:
    return {f"{prefix}weight": (out, into), f"{prefix}bias": (out,)}


def _static_shapes(made: Architecture) -> tuple[Shapes, int]:
    """The embeddings, and E, how many numbers a series becomes."""
    categories = [size for size in made.static_sizes if size]
    tables = {
        f"static.embeddings.{k}.weight": (size, embedding_width(size)) for k, size in enumerate(categories)
    }
    plain = len(made.static_sizes) - len(categories)
    return dict(tables), plain + sum(map(embedding_width, categories))


def embedding_width(size: int) -> int:
    """How many numbers stand for one of ``size`` categories: half as many, at most 16. An assumption."""
    return min(_MOST_WIDTH, (size + 1) // 2)


def step_width(read_size: int) -> int:
    """Units of the head of steps known ahead: as many as the state has, at most 32."""
    return min(read_size, _MOST_HIDDEN)
