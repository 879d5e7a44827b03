"""One recurrent layer: torch's LSTM, GRU and RNN, and the LSTM with peepholes.

Also how its weights start, and the dropout mask of what it gives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lstm_forecast.model.architecture import CellName, Nonlinearity
from lstm_forecast.model.lstm_layer import LSTM


def recurrent_layer(
    cell: CellName,
    input_size: int,
    hidden_size: int,
    *,
    nonlinearity: Nonlinearity,
    bias: bool,
    bidirectional: bool,
) -> nn.Module:
    """One layer, called like ``torch.nn.LSTM``: ``[L, B, F]`` in, ``[L, B, directions * D]`` out."""
    if cell == "gru":
        return nn.GRU(input_size, hidden_size, bias=bias, bidirectional=bidirectional)
    if cell == "rnn":
        return nn.RNN(
            input_size, hidden_size, nonlinearity=nonlinearity, bias=bias, bidirectional=bidirectional
        )
    if cell == "lstm_peephole":
        return PeepholeLSTM(input_size, hidden_size, bias=bias, bidirectional=bidirectional)
    return LSTM(input_size, hidden_size, bias=bias, bidirectional=bidirectional)


class PeepholeLSTM(nn.Module):
    """One LSTM layer whose gates also see the cell state.

    Source: Gers & Schmidhuber 2000, "Recurrent nets that time and count". The input and forget gate see the
    cell state before the step, the output gate the one after it.

    Called like a one-layer ``torch.nn.LSTM``, with the same parameter names and the same order of gates
    (input, forget, cell, output); ``weight_peephole_l0 [3, D]`` holds the diagonal weights of the input,
    forget and output gate. With zero peepholes it is ``torch.nn.LSTM``. Gradients are full, not truncated
    at the gates as in the paper.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, bias: bool = True, bidirectional: bool = False
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.suffixes = ("", "_reverse") if bidirectional else ("",)
        gates = 4 * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih_l0": (gates, input_size),
            "weight_hh_l0": (gates, hidden_size),
            "weight_peephole_l0": (3, hidden_size),
        }
        if bias:
            shapes |= {"bias_ih_l0": (gates,), "bias_hh_l0": (gates,)}
        self.names = tuple(shapes)
        for suffix in self.suffixes:
            for name, shape in shapes.items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Every weight uniform within 1 / sqrt(D), from the global generator: torch's default."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Every step's hidden state, and the last hidden and cell state.

        Args:
            x: ``[L, B, F]``.
            state: ``h0, c0``, each ``[directions, B, D]``; None means zeros.

        Returns:
            Hidden states ``[L, B, directions * D]``, then ``h_n, c_n``, each ``[directions, B, D]``; those of
            the backward direction belong to step 0.
        """
        if state is None:
            zeros = x.new_zeros(len(self.suffixes), x.shape[1], self.hidden_size)
            state = (zeros, zeros)
        sequences, hidden_ends, cell_ends = [], [], []
        for suffix, h, c in zip(self.suffixes, *state, strict=True):
            sequence, h_end, c_end = self._scan(x, h, c, suffix)
            sequences.append(sequence)
            hidden_ends.append(h_end)
            cell_ends.append(c_end)
        out = sequences[0] if len(sequences) == 1 else torch.cat(sequences, dim=-1)
        return out, (torch.stack(hidden_ends), torch.stack(cell_ends))

    def _scan(self, x: Tensor, h: Tensor, c: Tensor, suffix: str) -> tuple[Tensor, Tensor, Tensor]:
        """One direction: hidden states ``[L, B, D]`` in order of time; last ``h`` and ``c``, ``[B, D]``."""
        # getattr and not get_parameter: torch.func puts plain tensors where the parameters were
        weights = [getattr(self, name + suffix) for name in self.names]
        weight_ih, weight_hh, weight_peephole, *biases = weights
        # what the input gives to the gates does not depend on the state: one product for all steps
        bias = biases[0] + biases[1] if biases else None
        steps = functional.linear(x, weight_ih, bias).unbind(0)  # L times [B, 4D]
        recurrent = weight_hh.t()  # [D, 4D]
        see_i, see_f, see_o = weight_peephole.unbind(0)
        outputs = []
        for step in reversed(steps) if suffix else steps:
            in_i, in_f, in_g, in_o = torch.addmm(step, h, recurrent).chunk(4, dim=1)
            i = torch.sigmoid(torch.addcmul(in_i, see_i, c))
            f = torch.sigmoid(torch.addcmul(in_f, see_f, c))
            c = torch.addcmul(f * c, i, torch.tanh(in_g))
            o = torch.sigmoid(torch.addcmul(in_o, see_o, c))  # sees the new cell state
            h = o * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs[::-1] if suffix else outputs), h, c


def initialise_layer(layer: nn.Module, generator: torch.Generator) -> None:
    """Starting weights of one recurrent layer, drawn from ``generator`` alone.

    Every weight and bias is uniform within +-1/sqrt(D), torch's own rule. Peepholes start at zero, so such a
    layer starts as a plain LSTM.
    """
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if "peephole" in name:
                nn.init.zeros_(weight)
            else:
                bound = 1 / math.sqrt(layer.get_parameter("weight_hh_l0").shape[1])
                nn.init.uniform_(weight, -bound, bound, generator=generator)


def dropout_mask(
    shape: tuple[int, int, int], p: float, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """0 with probability p, else 1 / (1 - p).

    Every 64-bit random number decides four elements, which takes 0.4 of the time of ``bernoulli_`` (measured
    on one core, 96,000 elements); p is thereby rounded to a multiple of 2**-16.
    """
    count = shape[0] * shape[1] * shape[2]
    words = torch.empty((count + 3) // 4, dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)
    # never 2**15: int16 would take it for -2**15 and keep everything
    threshold = min(round(p * 2**16), 2**16 - 1) - 2**15
    # compared straight into floats: a product of booleans and a number takes five times as long
    mask = torch.empty(shape, device=device)
    torch.ge(words.view(torch.int16)[:count].view(shape), threshold, out=mask)
    return mask.mul_(1 / (1 - p))
