"""Stacked LSTM layers on the CPU by the compiled kernel, their rows split over threads.

As ``torch.nn.LSTM`` computes them, derivatives included. Rows of a batch meet in the gradients of the weights
only, so each thread takes its rows through all layers, and what they found is added in their order.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lstm_forecast.model.lstm_kernel import LANES, Derivatives, Layer, kernel

Item = TypeVar("Item")
Result = TypeVar("Result")
Given = Sequence[Tensor | None]
FIELDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "hidden0", "cell0")  # of a layer, in this order
_FLOAT = 4  # bytes
_MOST_SPARE = 16


class Threads(Protocol):
    """What rows are split over."""

    def shards(self, count: int) -> list[slice]:
        """The rows of each thread."""

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` of every item, one thread each, in the order of the items."""


class OneThread:
    """All rows in the calling thread."""

    def shards(self, count: int) -> list[slice]:
        """All rows at once."""
        return [slice(0, count)]

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``work`` of every item."""
        return [work(item) for item in items]


@dataclass(frozen=True)
class Way:
    """How a batch goes through the layers.

    Attributes:
        masks: dropout between the layers, ``[L, B, D]`` each or None; that of the last one is not looked at.
        backwards: from the last step to the first.
        whole: every step's hidden state is wanted, not just the last.
        keep: derivatives follow.
        threads: what the rows are split over.
    """

    masks: Sequence[Tensor | None]
    backwards: bool = False
    whole: bool = True
    keep: bool = True
    threads: Threads = field(default_factory=OneThread)


def run(way: Way, x: Tensor, tensors: Given) -> tuple[Tensor, Tensor, Tensor]:
    """The last layer's hidden states ``[L, B, D]`` (nothing without ``whole``), its last h and c, ``[B, D]``.

    Args:
        way: how.
        x: ``[L, B, F]``.
        tensors: of each layer, one after the other, what ``FIELDS`` names: weights and biases as torch has
            them, the state before the first step, ``[B, D]``; biases and states may be None.
    """
    contiguous = (one if one is None else one.contiguous() for one in tensors)
    parts: tuple[Tensor, Tensor, Tensor] = _Stack.apply(way, x, *contiguous)  # type: ignore[no-untyped-call]
    return parts


class _Stack(torch.autograd.Function):
    """All layers forth, and all of them back."""

    @staticmethod
    def forward(ctx: Any, way: Way, x: Tensor, *tensors: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """As :func:`run` has it."""
        shards = way.threads.shards(x.shape[1])
        places = _places(way, len(x), _count(shards[0]), _widths(x, tensors))  # no shard has more rows
        rooms = [_take(places.needed) for _ in shards]
        forth = partial(_forth, way, places, x, tensors)
        parts = way.threads.each(forth, list(zip(shards, rooms, strict=True)))
        end = 0 if way.backwards else len(x) - 1
        hidden = torch.cat([part.hidden for part in parts], dim=1) if way.whole else x.new_empty(0)
        h, c = (torch.cat([getattr(part, name)[end] for part in parts]) for name in ("hidden", "cell"))
        if not way.keep:
            for part in parts:
                _give_back(part.room)
            return hidden, h, c
        ctx.set_materialize_grads(False)
        ctx.way, ctx.shards, ctx.parts = way, shards, parts
        ctx.save_for_backward(x, *tensors)
        return hidden, h, c

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_hidden: Tensor | None, d_h: Tensor | None, d_c: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Derivatives by everything that ``forward`` took, in its order."""
        if ctx.parts is None:
            raise RuntimeError("a second way back through LSTM layers: the first one overwrote their gates")
        parts, ctx.parts = ctx.parts, None
        _ = ctx.saved_tensors  # says so where a weight was changed since
        way: Way = ctx.way
        wants_x = ctx.needs_input_grad[1]

        def back(number: int) -> _Found:
            rows = ctx.shards[number]
            mine = [None if one is None else one[..., rows, :] for one in (d_hidden, d_h, d_c)]
            return _back(parts[number], *mine, wants_x=wants_x)

        found = way.threads.each(back, range(len(parts)))
        for part in parts:
            _give_back(part.room)
        weights = found[0].weights
        for other in found[1:]:
            weights.add_(other.weights)
        dx = torch.cat([one.x for one in found if one.x is not None], dim=1) if wants_x else None
        wanted = ctx.needs_input_grad[2:]
        derivatives: list[Tensor | None] = []
        for k, (ih, hh, biases) in enumerate(_by_layer(weights, parts[0].layers)):
            states: tuple[Tensor | None, ...] = (None, None)
            if any(wanted[k * len(FIELDS) + 4 : (k + 1) * len(FIELDS)]):
                states = torch.cat([one.states[k] for one in found], dim=1).unbind()
            derivatives += (ih, hh, *biases, *states)
        return (
            *(None, dx),
            *(one if wants else None for one, wants in zip(derivatives, wanted, strict=True)),
        )


@dataclass(frozen=True)
class _Part:
    """Some rows on their way.

    Attributes:
        layers: as the library takes them.
        room: what it works in.
        hidden, cell: of the last layer, [L, b, D], within the room.
        kept: what ``layers`` has the addresses of.
    """

    layers: ctypes.Array[Layer]
    room: Tensor
    hidden: Tensor
    cell: Tensor
    kept: Given


@dataclass(frozen=True)
class _Found:
    """Derivatives that some rows found: of all weights in one piece, of each layer's state, of the input."""

    weights: Tensor
    states: list[Tensor]
    x: Tensor | None


@dataclass(frozen=True)
class _Places:
    """Where in a workspace what is, in floats.

    Attributes:
        layers: of each its gates, its cells, what it gives out, and that with dropout, which the next one
            reads; the last is missing where the next one reads what the layer gives out.
        needed: floats in all.
    """

    layers: list[tuple[int, ...]]
    needed: int


def _places(way: Way, steps: int, rows: int, widths: Sequence[int]) -> _Places:
    """For so many rows, or fewer.

    Where no derivatives follow, all layers have their gates and cells in the same places, and what they give
    out alternates between two.

    Args:
        way: how.
        steps: L.
        rows: of the batch.
        widths: features, then units of each layer.
    """
    sizes, cells, needed = widths[1:], steps * rows, 0

    def place(floats: int) -> int:
        nonlocal needed
        needed += floats
        return needed - floats

    place(max(_library().lstm_room(*pair) for pair in pairwise(widths)))

    def room_of(size: int, outputs: int) -> tuple[int, ...]:
        return place(4 * cells * size + LANES), *(place(cells * size) for _ in range(1 + outputs))

    shared = None if way.keep else room_of(max(sizes), outputs=2)
    layers = []
    for k, size in enumerate(sizes):
        mine = room_of(size, outputs=1) if shared is None else (*shared[:2], shared[2 + k % 2])
        passed = k + 1 < len(sizes) and (way.keep or way.masks[k] is not None)
        layers.append((*mine, place(cells * size)) if passed else mine)
    return _Places(layers, needed)


def _forth(way: Way, places: _Places, x: Tensor, tensors: Given, mine: tuple[slice, Tensor]) -> _Part:
    """Some rows through all layers, in a workspace."""
    rows, room = mine
    each, widths = len(FIELDS), _widths(x, tensors)
    x = x[:, rows].contiguous()
    tensors = [one if k % each < 4 or one is None else one[rows] for k, one in enumerate(tensors)]
    masks = [None if mask is None else mask[:, rows] for mask in way.masks]
    masks = [mask if mask is None or mask.stride(2) == 1 else mask.contiguous() for mask in masks]
    layers, given = (Layer * len(masks))(), x.data_ptr()
    for k, layer in enumerate(layers):
        layer.steps, layer.rows, layer.features, layer.size = *x.shape[:2], widths[k], widths[k + 1]
        layer.backwards, layer.x = way.backwards, given
        for name, one in zip(FIELDS, tensors[k * each : (k + 1) * each], strict=True):
            setattr(layer, name, _address(one))
        addresses = [room.data_ptr() + _FLOAT * at for at in places.layers[k]]
        layer.gates, layer.cell, layer.hidden, given = *addresses[:3], addresses[-1]
        mask = masks[k]
        if len(addresses) > 3:
            layer.passed = given
            if mask is not None:
                layer.mask, layer.mask_step, layer.mask_row = mask.data_ptr(), mask.stride(0), mask.stride(1)
    _library().lstm_forward(len(layers), layers, room.data_ptr())
    _, cell, hidden = places.layers[-1]
    shape = (*x.shape[:2], widths[-1])
    outputs, cells = (room[at : at + prod(shape)].view(shape) for at in (hidden, cell))
    return _Part(layers, room, outputs, cells, kept=(x, *tensors, *masks))


def _back(
    part: _Part, d_hidden: Tensor | None, d_h: Tensor | None, d_c: Tensor | None, *, wants_x: bool
) -> _Found:
    """The derivatives of these rows; their gates are overwritten."""
    layers, last = part.layers, part.layers[-1]
    out = None if d_hidden is None else d_hidden.contiguous()
    states = [_empty(2, layer.rows, layer.size).zero_() for layer in layers]
    for state, derivative in zip(states[-1], (d_h, d_c), strict=True):
        if derivative is not None:
            state.copy_(derivative)
    dx = _empty(last.steps, last.rows, layers[0].features) if wants_x else None
    weights = _empty(sum(sum(_counts(layer)) for layer in layers))
    by, at = (Derivatives * len(layers))(), weights.data_ptr()
    for k, (layer, mine) in enumerate(zip(layers, by, strict=True)):
        mine.out = layers[k + 1].x if k + 1 < len(layers) else _address(out)
        mine.x = layer.x if k else _address(dx)  # the input is overwritten where it has been read
        mine.dh = states[k].data_ptr()
        mine.dc = mine.dh + _FLOAT * layer.rows * layer.size
        for name, count in zip(("weight_ih", "weight_hh", "bias"), _counts(layer), strict=True):
            setattr(mine, name, at)
            at += _FLOAT * count
    _library().lstm_backward(len(layers), layers, by, part.room.data_ptr())
    return _Found(weights, states, dx)


def _by_layer(weights: Tensor, layers: ctypes.Array[Layer]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The derivatives by the weights of each layer, and by its two biases, ``[2, 4D]``."""
    counts = [count for layer in layers for count in _counts(layer)]
    parts = iter(torch.split(weights, counts))
    return [
        (
            next(parts).view(4 * layer.size, layer.features),
            next(parts).view(4 * layer.size, layer.size),
            next(parts).view(2, 4 * layer.size),
        )
        for layer in layers
    ]


def _counts(layer: Layer) -> tuple[int, int, int]:
    """Numbers in the derivatives by the weights of a layer."""
    gates: int = 4 * layer.size
    return gates * layer.features, gates * layer.size, 2 * gates


def _widths(x: Tensor, tensors: Given) -> list[int]:
    """Features of the input, then D of every layer."""
    return [x.shape[2], *(one.shape[1] for one in tensors[1 :: len(FIELDS)] if one is not None)]


def _count(rows: slice) -> int:
    count: int = rows.stop - rows.start
    return count


# Workspaces of passes that are over: large blocks would be mapped and faulted in anew at every step.
_spare: list[Tensor] = []


def _take(floats: int) -> Tensor:
    """A workspace of so many floats, or more."""
    try:
        room = _spare.pop()
    except IndexError:
        room = None
    if room is not None and len(room) >= floats:
        return room
    with torch.inference_mode(False):  # it outlives this pass, and a training may have it next
        return _empty(floats)


def _give_back(room: Tensor) -> None:
    if len(_spare) < _MOST_SPARE:
        _spare.append(room)


def _empty(*shape: int) -> Tensor:
    """What the library can write to, whatever torch's default type and device are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def _library() -> ctypes.CDLL:
    library = kernel().library
    assert library is not None
    return library


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
