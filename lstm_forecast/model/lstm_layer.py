"""LSTM layers: parameters, shapes and numbers of ``torch.nn.LSTM``, by the compiled kernel where it can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lstm_forecast.model.lstm_kernel import kernel
from lstm_forecast.model.lstm_stack import OneThread, Threads, Way, run

State = tuple[Tensor, Tensor]


class LSTM(nn.LSTM):
    """One layer, ``[L, B, F]`` in, ``[L, B, directions * D]`` out.

    Args:
        input_size: F, features per step.
        hidden_size: D, units.
        bias: False leaves out both biases.
        bidirectional: a second direction, from the last step to the first.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, bias: bool = True, bidirectional: bool = False
    ) -> None:
        super().__init__(input_size, hidden_size, bias=bias, bidirectional=bidirectional)

    def forward(  # type: ignore[override]  # the inherited one takes packed sequences as well
        self, x: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Every step's hidden state, and the last hidden and cell state; as ``torch.nn.LSTM`` has it.

        Args:
            x: ``[L, B, F]``.
            state: ``h0, c0``, each ``[directions, B, D]``; None means zeros.
        """
        if not (compiled([self]) and _fits(self, x, state)):
            out: tuple[Tensor, State] = super().forward(x, state)
            return out
        parts = []
        for number in range(2 if self.bidirectional else 1):
            start = (None, None) if state is None else (state[0][number], state[1][number])
            way = Way([None], backwards=number == 1, keep=torch.is_grad_enabled())
            parts.append(run(way, x, [*self.weights(number), *start]))
        hidden, h, c = zip(*parts, strict=True)
        whole = hidden[0] if len(parts) == 1 else torch.cat(hidden, dim=-1)
        return whole, (torch.stack(h), torch.stack(c))

    def weights(self, number: int = 0) -> list[Tensor | None]:
        """Those of a direction: by the input, by the hidden state, and the biases of both."""
        suffix = "_l0_reverse" if number else "_l0"
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        # getattr and not get_parameter: torch.func puts plain tensors where the parameters were
        return [getattr(self, name + suffix) if self.bias or "bias" not in name else None for name in names]


def compiled(layers: Iterable[nn.Module]) -> bool:
    """Whether the compiled kernel computes these layers: LSTMs on the CPU in float32, not within autocast."""
    return (
        kernel().library is not None
        and not torch.is_autocast_enabled("cpu")
        and all(
            isinstance(layer, LSTM)
            and layer.weight_hh_l0.dtype == torch.float32
            and layer.weight_hh_l0.device.type == "cpu"
            for layer in layers
        )
    )


def plain(x: Tensor, states: Sequence[Any], masks: Sequence[Tensor | None]) -> bool:
    """Whether the compiled kernel can read all of this: float32 on the CPU, and some numbers at all."""
    parts = [part for state in states if state is not None for part in state]
    return x.numel() > 0 and all(
        one is None or (one.dtype == torch.float32 and one.device.type == "cpu")
        for one in (x, *parts, *masks)
    )


def stacked(
    layers: Iterable[nn.Module],
    x: Tensor,
    states: Sequence[Any],
    masks: Sequence[Tensor | None],
    *,
    whole: bool,
    threads: Threads | None,
) -> tuple[Tensor, State]:
    """Layers of one direction, one after the other, with dropout between them, by the compiled kernel.

    Args:
        layers: N :class:`LSTM`, which are :func:`compiled`.
        x: ``[L, B, F]``.
        states: of each layer ``(h0, c0)``, ``[1, B, D]`` each, or None for zeros.
        masks: dropout of each layer's outputs, ``[L, B, D]``, or None; that of the last one is not applied.
        whole: every step's hidden state is wanted.
        threads: what the rows are split over; None: nothing.

    Returns:
        The last layer's hidden states ``[L, B, D]`` (nothing without ``whole``), its last h and c, each
        ``[1, B, D]``.
    """
    tensors = [
        one
        for layer, state in zip(layers, states, strict=True)
        if isinstance(layer, LSTM)
        for one in (*layer.weights(), *((None, None) if state is None else (state[0][0], state[1][0])))
    ]
    way = Way(masks, whole=whole, keep=torch.is_grad_enabled(), threads=threads or OneThread())
    hidden, h, c = run(way, x, tensors)
    return hidden, (h[None], c[None])


def _fits(layer: LSTM, x: Tensor, state: State | None) -> bool:
    """Whether shapes and types are what they have to be; torch says what is wrong with others."""
    expected = (2 if layer.bidirectional else 1, x.shape[1] if x.ndim == 3 else 0, layer.hidden_size)
    return (
        x.ndim == 3
        and x.shape[2] == layer.input_size
        and plain(x, [state], [])
        and all(tuple(part.shape) == expected for part in state or ())
    )
