"""A trained network without torch: the same weights, and the same numbers but for rounding.

Importing torch takes longer than all else that a forecast of a few series needs. So where there is little to
compute, the forward pass is done here. :class:`RegLSTM` says what each part means; this is its ``final``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.model.architecture import Architecture
from lstm_forecast.model.numpy_cells import Array, Scanned, direction, relu, scan, step_of

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_NORM_EPS = 1e-5  # of torch.nn.LayerNorm


class ArrayNetwork:
    """A network in evaluation mode. It computes in float64.

    So what a window's answer owes to the order of summation, which depends on the windows beside it and on
    the machine, lies far below the digits that torch gives in float32.

    Args:
        made: what it is made of.
        weights: by the names and of the shapes of :func:`architecture.weight_shapes`.
    """

    def __init__(self, made: Architecture, weights: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        self.made = made
        self._weights = {name: array.astype(np.float64) for name, array in weights.items()}
        self._step = step_of(made.cell, made.nonlinearity)
        self._layers = [
            [direction(self._weights, f"layers.{k}.", end, cell=made.cell) for end in made.suffixes]
            for k in range(made.num_layers)
        ]

    @property
    def output_size(self) -> int:
        """H, the steps ahead."""
        return self.made.output_size

    def final(self, x: Array, *, ahead: Array | None = None, static: Array | None = None) -> Array:
        """The head's answer to windows: [B, H], or [B, H, Q] with quantiles.

        Args:
            x: [B, L, F].
            ahead: features known ahead of the H steps, [B, H, P].
            static: what the windows' series are, [B, K].

        Raises:
            ValueError: arrays of other shapes than the network has.
        """
        made, batch = self.made, len(x)
        _require("ahead", ahead, (batch, made.output_size, made.ahead_size), there=made.ahead_size > 0)
        with on_one_thread():
            return self._final(x, ahead, static)

    def _final(self, x: Array, ahead: Array | None, static: Array | None) -> Array:
        made = self.made
        *_, last = self.layers(x, static)
        parts = []
        if made.readout != "cell":
            hidden = np.concatenate([scanned.ends[0] for scanned in last], axis=1)
            parts.append(self._normalised(hidden, layer=made.num_layers - 1))
        if made.readout != "hidden":
            parts.append(np.concatenate([scanned.ends[1] for scanned in last], axis=1))
        read = np.concatenate(parts, axis=1)
        numbers = self._head(read)
        if ahead is not None:
            numbers = numbers + self._steps(read, ahead)
        if made.skip_steps:
            numbers = numbers + self._dense("skip.", x[:, :, 0])
        return numbers.reshape(len(x), made.output_size, -1) if made.num_quantiles else numbers

    def layers(
        self, x: Array, static: Array | None, *, keep: Sequence[str] = ("hidden",)
    ) -> Iterator[list[Scanned]]:
        """What each layer does over the windows [B, L, F], by direction; the one next to the input first.

        Args:
            x: [B, L, F].
            static: as for :meth:`final`.
            keep: the activations that are wanted, ``hidden`` among them.
        """
        made = self.made
        if x.ndim != 3 or x.shape[2] != made.input_size or x.shape[1] < 1 or x.shape[1] % made.segment:
            wanted = f"[B, L, {made.input_size}] with L a multiple of {made.segment}"
            raise ValueError(f"x: got shape {x.shape}, expected {wanted}")
        sequence = self._with_static(_in_segments(x.swapaxes(0, 1), made.segment), static)
        for k, directions in enumerate(self._layers):
            found = [
                scan(sequence, self._start(k, d, len(x)), one, step=self._step, backward=d == 1, keep=keep)
                for d, one in enumerate(directions)
            ]
            yield found
            hidden = np.concatenate([scanned.kept["hidden"] for scanned in found], axis=2)
            sequence = self._normalised(hidden, layer=k)

    def _start(self, layer: int, direction: int, batch: int) -> list[Array]:
        """The state before a layer's first step."""
        made = self.made
        if made.initial_state == "learned":
            learned = self._weights[f"learned_state.{layer}"]
            return [np.repeat(part[direction], batch, axis=0) for part in learned]
        return [np.zeros((batch, made.hidden_sizes[layer]))] * made.state_parts

    def _normalised(self, outputs: Array, *, layer: int) -> Array:
        """LayerNorm over a layer's outputs [..., W], where there is one (Ba, Kiros & Hinton 2016)."""
        if not self.made.layer_norm:
            return outputs
        centred = outputs - outputs.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _NORM_EPS)
        weight, bias = (self._weights[f"norms.{layer}.{name}"] for name in ("weight", "bias"))
        return np.asarray(centred / spread * weight + bias)

    def _with_static(self, sequence: Array, static: Array | None) -> Array:
        """[L, B, F] → [L, B, F + E]: embeddings of categories, numbers as they are."""
        sizes = self.made.static_sizes
        _require("static", static, (sequence.shape[1], len(sizes)), there=len(sizes) > 0)
        if static is None:
            return sequence
        parts, tables = [], 0
        for column, size in zip(static.T, sizes, strict=True):
            if not size:
                parts.append(column[:, None])
                continue
            known = self._weights[f"static.embeddings.{tables}.weight"]
            tables += 1
            whole = np.concatenate([known.mean(axis=0, keepdims=True), known])  # code 0: not seen in training
            parts.append(whole[column.astype(np.int64)])
        series = np.concatenate(parts, axis=1)
        return np.concatenate([sequence, np.broadcast_to(series, (len(sequence), *series.shape))], axis=2)

    def _head(self, read: Array) -> Array:
        """ReLU layers, then a linear one: [B, W] → [B, H · Q]."""
        last = len(self.made.head_layers)
        for k in range(last):
            read = relu(self._dense(f"head.{2 * k}.", read))
        return self._dense(f"head.{2 * last}.", read)

    def _steps(self, read: Array, ahead: Array) -> Array:
        """What features known ahead add, from [B, W] and [B, H, P]: [B, H · Q]."""
        of_ahead = ahead @ self._weights["steps.of_ahead.weight"].T
        hidden = relu(self._dense("steps.of_state.", read)[:, None] + of_ahead)
        return self._dense("steps.out.", hidden).reshape(len(read), -1)

    def _dense(self, prefix: str, x: Array) -> Array:
        return np.asarray(x @ self._weights[f"{prefix}weight"].T + self._weights[f"{prefix}bias"])


@contextmanager
def on_one_thread() -> Iterator[None]:
    """A block whose matrix products take one thread.

    Those of two threads wait for each other at every step: on two busy cores 64 units took 2 to 20 times as
    long, and on idle ones these small products gain little (benchmarks/speed/engines.py).
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _in_segments(x: Array, segment: int) -> Array:
    """[L, B, F] → [L / n, B, n · F], the steps of a segment one after the other."""
    length, batch, features = x.shape
    parts = x.reshape(length // segment, segment, batch, features)
    return parts.swapaxes(1, 2).reshape(-1, batch, segment * features)


def _require(name: str, found: Array | None, shape: tuple[int, ...], *, there: bool) -> None:
    got = None if found is None else found.shape
    if got != (shape if there else None):
        raise ValueError(f"{name}: got shape {got}, expected {shape if there else None}")
