"""Stacked LSTM layers on the CPU by the compiled kernel, their rows split over threads.

As ``torch.nn.LSTM`` computes them, derivatives included. Rows of a batch meet in the gradients of the weights
only, so each thread takes its rows through all layers, and what they found is added in their order.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lstm_forecast.model.lstm_kernel import LANES, Back, Batch, Layer, kernel

Item = TypeVar("Item")
Result = TypeVar("Result")
Tensors = Sequence[Tensor | None]
FIELDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "hidden0", "cell0")  # of a layer, in this order
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


def run(way: Way, x: Tensor, tensors: Tensors) -> tuple[Tensor, Tensor, Tensor]:
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
        batch, answers = _batch(way, x, tensors, most=_count(shards[0]))  # no shard has more rows
        rooms = [_take(batch.places.needed) for _ in shards]
        forward = _library().lstm_forward

        def forth(mine: tuple[slice, Tensor]) -> None:
            rows, room = mine
            forward(batch.given, rows.start, _count(rows), room.data_ptr())

        way.threads.each(forth, list(zip(shards, rooms, strict=True)))
        if not way.keep:
            _give_back(rooms)
            return answers
        ctx.set_materialize_grads(False)
        ctx.way, ctx.shards, ctx.batch, ctx.rooms = way, shards, batch, rooms
        ctx.save_for_backward(x, *tensors)
        return answers  # which ctx may not hold: they hold it

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *by_answers: Tensor | None) -> tuple[Tensor | None, ...]:
        """Derivatives by everything that ``forward`` took, in its order."""
        if ctx.rooms is None:
            raise RuntimeError("a second way back through LSTM layers: the first one overwrote their gates")
        rooms, ctx.rooms = ctx.rooms, None
        x, *_ = ctx.saved_tensors  # says so where a weight was changed since
        batch: _Batch = ctx.batch
        layers, rows = batch.layers, x.shape[1]
        wanted = ctx.needs_input_grad[2:]
        begins = [
            _empty(2, rows, layer.size) if any(wanted[len(FIELDS) * k + 4 : len(FIELDS) * (k + 1)]) else None
            for k, layer in enumerate(layers)
        ]
        given = [None if one is None else one.contiguous() for one in by_answers]
        dx = _empty(*x.shape) if ctx.needs_input_grad[1] else None
        states = (ctypes.c_void_p * len(layers))(*map(_address, begins))
        back = Back(*map(_address, given), _address(dx), states)
        parts = [_empty(batch.places.weights) for _ in rooms]
        backward = _library().lstm_backward

        def go_back(mine: tuple[slice, Tensor, Tensor]) -> None:
            rows, room, weights = mine
            backward(batch.given, back, rows.start, _count(rows), room.data_ptr(), weights.data_ptr())

        ctx.way.threads.each(go_back, list(zip(ctx.shards, rooms, parts, strict=True)))
        _give_back(rooms)
        weights = parts[0]
        for other in parts[1:]:
            weights.add_(other)
        derivatives: list[Tensor | None] = []
        for mine, begin in zip(_by_layer(weights, layers), begins, strict=True):
            derivatives += (*mine, *((None, None) if begin is None else begin.unbind()))
        return (
            *(None, dx),
            *(one if wants else None for one, wants in zip(derivatives, wanted, strict=True)),
        )


@dataclass(frozen=True)
class _Places:
    """Where in a workspace what is, in floats.

    Attributes:
        copy: the input.
        layers: of each its gates, its cells, what it gives out, and that with dropout, which the next one
            reads, -1 where the next one reads what the layer gives out; and where its derivatives begin among
            those by all weights.
        needed: floats in all.
        weights: numbers in the derivatives by all weights.
    """

    copy: int
    layers: list[tuple[int, int, int, int, int]]
    needed: int
    weights: int


@lru_cache(maxsize=64)
def _places(
    steps: int, rows: int, widths: tuple[int, ...], masked: tuple[bool, ...], *, keep: bool
) -> _Places:
    """For so many rows, or fewer.

    Where no derivatives follow, all layers have their gates and cells in the same places, and what they give
    out alternates between two.

    Args:
        steps: L.
        rows: of the batch.
        widths: features, then units of each layer.
        masked: the layers with dropout.
        keep: derivatives follow.
    """
    sizes, cells, needed = widths[1:], steps * rows, 0

    def place(floats: int) -> int:
        nonlocal needed
        needed += floats
        return needed - floats

    def room_of(size: int, outputs: int) -> tuple[int, ...]:
        return place(4 * cells * size + LANES), *(place(cells * size) for _ in range(1 + outputs))

    place(max(_library().lstm_room(rows, *pair) for pair in pairwise(widths)))
    copy = place(cells * widths[0])
    shared = None if keep else room_of(max(sizes), outputs=2)
    layers, weights = [], 0
    for k, size in enumerate(sizes):
        gates, cell, hidden = room_of(size, 1) if shared is None else (*shared[:2], shared[2 + k % 2])
        passed = k + 1 < len(sizes) and (keep or masked[k])
        layers.append((gates, cell, hidden, place(cells * size) if passed else -1, weights))
        weights += sum(_counts(widths[k], size))
    return _Places(copy, layers, needed, weights)


@dataclass(frozen=True)
class _Batch:
    """What the library is told of a batch.

    Attributes:
        given: all of it.
        layers: of ``given``.
        places: in every workspace.
        kept: what there are addresses of.
    """

    given: Batch
    layers: ctypes.Array[Layer]
    places: _Places
    kept: Tensors


def _batch(way: Way, x: Tensor, tensors: Tensors, most: int) -> tuple[_Batch, tuple[Tensor, Tensor, Tensor]]:
    """For shards of at most so many rows; with the answers to be filled: hidden states, last h, last c."""
    steps, rows, features = x.shape
    x, masks = _side_by_side(x), [None if mask is None else _side_by_side(mask) for mask in way.masks]
    sizes = [one.shape[1] for one in tensors[1 :: len(FIELDS)] if one is not None]
    widths = (features, *sizes)
    places = _places(steps, most, widths, tuple(mask is not None for mask in masks), keep=way.keep)
    layers = (Layer * len(sizes))()
    for k, (mask, pair) in enumerate(zip(masks, pairwise(widths), strict=True)):
        mine = map(_address, tensors[k * len(FIELDS) : (k + 1) * len(FIELDS)])
        strides = (0, 0) if mask is None else mask.stride()[:2]
        layers[k] = Layer(*pair, *mine, _address(mask), *strides, *places.layers[k])
    hidden = _empty(steps, rows, sizes[-1]) if way.whole else _empty(0)
    h, c = _empty(rows, sizes[-1]), _empty(rows, sizes[-1])
    out = hidden.data_ptr() if way.whole else None
    where = x.data_ptr(), *x.stride()[:2], places.copy, out, h.data_ptr(), c.data_ptr()
    given = Batch(len(sizes), steps, rows, way.backwards, layers, *where)
    return _Batch(given, layers, places, kept=(x, *tensors, *masks)), (hidden, h, c)


def _by_layer(weights: Tensor, layers: ctypes.Array[Layer]) -> list[tuple[Tensor, ...]]:
    """The derivatives by the weights of each layer, and by its two biases."""
    counts = [count for layer in layers for count in _counts(layer.features, layer.size)]
    parts = iter(torch.split(weights, counts))
    return [
        (
            next(parts).view(4 * layer.size, layer.features),
            next(parts).view(4 * layer.size, layer.size),
            *next(parts).view(2, 4 * layer.size).unbind(),
        )
        for layer in layers
    ]


def _counts(features: int, size: int) -> tuple[int, int, int]:
    """Numbers in the derivatives by the weights of a layer, and by both biases."""
    return 4 * size * features, 4 * size * size, 8 * size


def _side_by_side(x: Tensor) -> Tensor:
    """[L, B, …] with the numbers of a row one after the other."""
    return x if x.stride(2) == 1 else x.contiguous()


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


def _give_back(rooms: Sequence[Tensor]) -> None:
    _spare.extend(rooms[: max(0, _MOST_SPARE - len(_spare))])


def _empty(*shape: int) -> Tensor:
    """What the library can write to, whatever torch's default type and device are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def _library() -> ctypes.CDLL:
    library = kernel().library
    assert library is not None
    return library


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
