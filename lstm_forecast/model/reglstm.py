"""RegLSTM: stacked recurrent layers, dropout after every layer, a dense head that gives H numbers or H × Q.

Inside, everything is time-major ``[L, B, ...]``, the layout torch's recurrent layers compute in, so nothing
is copied between the layers; ``batch_first`` concerns only what goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from lstm_forecast.model.architecture import (
    CELLS_WITH_CELL_STATE,
    CellName,
    InitialState,
    Nonlinearity,
    Readout,
)
from lstm_forecast.model.arguments import check_arguments
from lstm_forecast.model.beside import NOTHING, Beside, StaticInputs, StepHead
from lstm_forecast.model.cells import recurrent_layer
from lstm_forecast.model.draws import Draws, LayerState
from lstm_forecast.model.first_weights import dense_head, zero, zero_last
from lstm_forecast.model.lstm_layer import compiled, plain, stacked
from lstm_forecast.model.lstm_stack import Threads
from lstm_forecast.model.segments import in_segments
from lstm_forecast.model.states import State, at_the_ends, checked, per_layer, side_by_side


class RegLSTM(nn.Module):
    """x [B, L, F] -> stacked recurrent layers, dropout after every layer -> head -> [B, L, H] or [B, H].

    With ``num_quantiles`` the head gives Q numbers per step ahead: [B, L, H, Q] or [B, H, Q].

    Args:
        input_size: F, features per step.
        hidden_size: D, one width for all layers, or one per layer.
        num_layers: how many recurrent layers; must equal the number of widths where those are listed.
        output_size: H, steps ahead the head gives.
        num_quantiles: Q, numbers per step ahead; 0 for one without an axis of its own.
        cell: lstm, gru, rnn, or lstm_peephole (gates that see the cell state).
        nonlinearity: tanh or relu; relu for ``cell="rnn"`` only.
        bias: False leaves out the biases of the recurrent layers; LayerNorm and head keep theirs.
        dropout: share of every layer's outputs set to zero in training, the last (or only) layer included;
            0 <= p < 1.
        bidirectional: a second direction per layer; outputs are ``2 * D`` wide. Not causal.
        layer_norm: ``LayerNorm`` over each layer's outputs, before its dropout.
        initial_state: zeros; random: standard normal in training, zeros in evaluation; learned: parameters
            that start at zero.
        readout: what ``final`` reads: hidden state, cell state (LSTMs only; without LayerNorm), or both.
        head_layers: widths of dense ReLU layers before the last linear layer.
        zero_head: the last linear layer starts at zero, so an untrained model gives exactly 0.
        segment: n, consecutive steps that the first layer reads as one (Lin et al. 2023, SegRNN, arXiv
            2308.11200, section 4): L / n recurrent steps, and as many outputs of ``forward``, each after the
            last step of its segment. L has to be a multiple.
        ahead_size: P, features known ahead of every step of the horizon; a small network of the state and
            these is added to the step's output, and starts at zero. 0 for none.
        static_sizes: of each static column its number of categories, which become embeddings, or 0 for a
            number; they are inputs of every recurrent step.
        skip_steps: L, where a linear map from the first feature of the window to the H numbers is added to
            the final step's output; it starts at zero. 0 for none.
        batch_first: False takes ``[L, B, F]`` and gives ``[L, B, H]``.

    Weights start as torch's defaults, from the global generator; ``initialise`` sets them from a given one.

    Raises:
        ValueError: an argument out of its range, or two that contradict each other.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        output_size: int = 1,
        num_quantiles: int = 0,
        cell: CellName = "lstm",
        nonlinearity: Nonlinearity = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        layer_norm: bool = False,
        initial_state: InitialState = "zeros",
        readout: Readout = "hidden",
        head_layers: Sequence[int] = (),
        zero_head: bool = False,
        segment: int = 1,
        skip_steps: int = 0,
        ahead_size: int = 0,
        static_sizes: Sequence[int] = (),
        batch_first: bool = True,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        sizes = [hidden_size] * num_layers if isinstance(hidden_size, int) else hidden_size
        self.hidden_sizes = tuple(sizes)
        self.num_layers = num_layers
        self.output_size = output_size
        self.num_quantiles = num_quantiles
        self.cell = cell
        self.nonlinearity = nonlinearity
        self.dropout = dropout
        self.directions = 2 if bidirectional else 1
        self.initial_state = initial_state
        self.readout = readout
        self.zero_head = zero_head
        self.segment = segment
        self.skip_steps = skip_steps
        self.ahead_size = ahead_size
        self.static_sizes = tuple(static_sizes)
        self.batch_first = batch_first
        self.state_parts = 2 if cell in CELLS_WITH_CELL_STATE else 1
        check_arguments(self, head_layers)
        widths = [self.directions * size for size in self.hidden_sizes]  # of the layers' outputs
        make = partial(
            recurrent_layer, cell, nonlinearity=nonlinearity, bias=bias, bidirectional=bidirectional
        )
        self.static = StaticInputs(static_sizes) if static_sizes else None
        inputs = (input_size * segment + (self.static.width if self.static else 0), *widths[:-1])
        self.layers = nn.ModuleList(map(make, inputs, self.hidden_sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths if layer_norm)
        learned = self.hidden_sizes if initial_state == "learned" else ()
        self.learned_state = nn.ParameterList(
            torch.zeros(self.state_parts, self.directions, 1, size) for size in learned
        )
        self._add_heads(widths[-1] * (2 if readout == "both" else 1), head_layers)

    def _add_heads(self, read: int, head_layers: Sequence[int]) -> None:
        """What a state of this width is read by: the head, the linear skip, the head of steps known ahead."""
        numbers = self.output_size * max(self.num_quantiles, 1)
        self.head = dense_head(read, head_layers, numbers)
        if self.zero_head:
            zero_last(self.head)
        self.skip = nn.Linear(self.skip_steps, numbers) if self.skip_steps else None
        if self.skip is not None:
            zero(self.skip)
        self.steps = StepHead(read, self.ahead_size, max(self.num_quantiles, 1)) if self.ahead_size else None
        if self.steps is not None:
            zero(self.steps.out)

    def forward(
        self,
        x: Tensor,
        state: State | list[State] | None = None,
        *,
        beside: Beside = NOTHING,
        draws: Draws | None = None,
        threads: Threads | None = None,
    ) -> Tensor:
        """The head's output at every step, or after every segment.

        Args:
            x: ``[B, L, F]``, or ``[L, B, F]`` without ``batch_first``.
            state: goes before ``initial_state`` and ``draws``. As torch has it: ``h0`` or ``(h0, c0)``, each
                ``[num_layers * directions, B, D]`` whatever ``batch_first`` is; where layers differ in width,
                a list with one such state per layer, each tensor ``[directions, B, D_layer]``.
            beside: features known ahead, and what the series are.
            draws: masks and states of this step in training; None draws them from the global generator.
                In evaluation nothing is random, and they are ignored.
            threads: what the rows are split over within the layers where the model is ``compiled``.

        Returns:
            ``[B, L, H]``, or ``[L, B, H]`` without ``batch_first``; with quantiles a last axis Q. With
            segments of n steps L / n instead of L.

        Raises:
            ValueError: shapes that do not fit, or a readout other than hidden (the layers give the cell
                state of the last step only: use ``final``).
        """
        if self.readout != "hidden":
            raise ValueError(f'readout "{self.readout}" exists for the final state only; call final(x)')
        sequence, _, mask = self._run(x, state, beside, draws, threads, whole=True)
        read = self._regularise(sequence, mask, layer=-1)
        numbers = self.head(read)
        if self.steps is not None:
            numbers = numbers + self.steps(read, self._ahead(beside, sequence.shape[1], len(sequence)))
        if self.skip is not None:
            numbers = torch.cat([numbers[:-1], (numbers[-1] + self._skipped(x))[None]])
        out = self._by_quantile(numbers)
        return out.transpose(0, 1) if self.batch_first else out

    def final(
        self,
        x: Tensor,
        *,
        beside: Beside = NOTHING,
        draws: Draws | None = None,
        threads: Threads | None = None,
    ) -> Tensor:
        """The head's output from the final state, ``[B, H]`` or ``[B, H, Q]``; arguments as in ``forward``.

        With two directions that is the forward one's state at step L - 1 beside the backward one's at step 0:
        both have seen the whole window. LayerNorm and dropout act on this pair; the cell state, which is no
        output, gets the same dropout mask and no LayerNorm. The last layer's mask may have one step only.
        """
        _, ends, mask = self._run(x, None, beside, draws, threads, whole=False)
        keep = None if mask is None else at_the_ends(mask, self.directions)
        parts = []
        if self.readout != "cell":
            parts.append(self._regularise(side_by_side(ends[0]), keep, layer=-1))
        if self.readout != "hidden":
            c = side_by_side(ends[1])
            parts.append(c if keep is None else c * keep)
        read = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        numbers = self.head(read)
        if self.steps is not None:
            numbers = numbers + self.steps(read, self._ahead(beside, len(read)))
        if self.skip is not None:
            numbers = numbers + self._skipped(x)
        return self._by_quantile(numbers)

    def _skipped(self, x: Tensor) -> Tensor:
        """The linear map of the window's first feature: [B, H], or [B, H · Q] with quantiles."""
        assert self.skip is not None
        skipped: Tensor = self.skip(x[:, :, 0] if self.batch_first else x[:, :, 0].t())
        return skipped

    def _ahead(self, beside: Beside, batch: int, outputs: int | None = None) -> Tensor:
        """The features known ahead: [B, H, P], or [T, B, H, P] for so many outputs."""
        if outputs is None:
            return beside.ahead_of(batch, self.output_size, self.ahead_size)
        return beside.ahead_of(batch, outputs, self.output_size, self.ahead_size).transpose(0, 1)

    def _with_static(self, sequence: Tensor, beside: Beside) -> Tensor:
        """[L, B, F] → [L, B, F + E]."""
        if self.static is None:
            return sequence
        series = self.static(beside.static_of(sequence.shape[1], len(self.static_sizes)))
        return torch.cat([sequence, series.expand(len(sequence), -1, -1)], dim=-1)

    def _by_quantile(self, numbers: Tensor) -> Tensor:
        """[…, H · Q] → […, H, Q]; nothing to do without quantiles."""
        if not self.num_quantiles:
            return numbers
        return numbers.reshape(*numbers.shape[:-1], self.output_size, self.num_quantiles)

    def draw(
        self,
        batch: int,
        length: int,
        generators: Sequence[torch.Generator] | None = None,
        *,
        whole: bool = True,
    ) -> Draws:
        """Dropout masks and random initial states for one step of ``batch`` windows of ``length`` steps.

        Args:
            batch: B.
            length: L, steps of the windows.
            generators: one per layer, so that what a layer gets depends on nothing else; a layer's mask is
                drawn before its states. None takes the global generator.
            whole: for every step's output; without it, for :meth:`final`, the last layer's mask has one step.

        Raises:
            ValueError: not one generator per layer.
        """
        sources = [None] * self.num_layers if generators is None else list(generators)
        if len(sources) != self.num_layers:
            raise ValueError(
                f"generators: got {len(sources)}, expected one per layer, that is {self.num_layers}"
            )
        lengths = [*[length] * (self.num_layers - 1), length if whole else self.segment]
        parts = [self.draw_layer(k, batch, lengths[k], source) for k, source in enumerate(sources)]
        return Draws.of_layers(parts)

    def draw_layer(self, layer: int, batch: int, length: int, generator: torch.Generator | None) -> Draws:
        """What :meth:`draw` draws for one layer: at most one mask and one state."""
        size = self.hidden_sizes[layer]
        mask = (length // self.segment, batch, self.directions * size)
        state = (self.state_parts, self.directions, batch, size)
        return Draws.of_layer(
            mask if self.dropout > 0 else None,
            state if self.initial_state == "random" else None,
            p=self.dropout,
            generator=generator,
            like=next(self.parameters()),
        )

    @property
    def compiled(self) -> bool:
        """Whether the compiled kernel takes a batch through all layers, on whatever threads it is given."""
        watched = any(layer._forward_hooks or layer._forward_pre_hooks for layer in self.layers)
        return not self.norms and self.directions == 1 and not watched and compiled(self.layers)

    def _run(
        self,
        x: Tensor,
        state: State | list[State] | None,
        beside: Beside,
        draws: Draws | None,
        threads: Threads | None,
        *,
        whole: bool,
    ) -> tuple[Tensor, LayerState, Tensor | None]:
        """The last layer: outputs ``[L, B, W]`` before norm and dropout, final state, mask ``[L, B, W]``.

        Without ``whole`` the outputs may be missing, and the mask be that of the last step.
        """
        if x.ndim != 3 or x.shape[-1] != self.input_size or x.shape[1 if self.batch_first else 0] < 1:
            order = "B, L, F" if self.batch_first else "L, B, F"
            raise ValueError(
                f"x: got shape {tuple(x.shape)}, expected [{order}] with L >= 1 and F = {self.input_size}"
            )
        sequence = in_segments(x.transpose(0, 1) if self.batch_first else x, self.segment)
        sequence = self._with_static(sequence, beside)
        length, batch = sequence.shape[:2]
        if not self.training:
            draws = Draws()
        elif draws is None:
            draws = self.draw(batch, length * self.segment, whole=whole)
        starts = self._starts(batch, state, draws)
        masks = self._masks(batch, length, draws, whole=whole)
        if self.compiled and plain(sequence, starts, masks):
            return *stacked(self.layers, sequence, starts, masks, whole=whole, threads=threads), masks[-1]
        ends: LayerState = ()
        for k, layer in enumerate(self.layers):
            if k > 0:
                sequence = self._regularise(sequence, masks[k - 1], layer=k - 1)
            sequence, last = layer(sequence, starts[k])
            ends = last if isinstance(last, tuple) else (last,)
        return sequence, ends, masks[-1]

    def _regularise(self, outputs: Tensor, mask: Tensor | None, *, layer: int) -> Tensor:
        if self.norms:
            outputs = self.norms[layer](outputs)
        return outputs if mask is None else outputs * mask

    def _masks(self, batch: int, length: int, draws: Draws, *, whole: bool) -> Sequence[Tensor | None]:
        """What each layer's outputs are multiplied by, ``[L, B, W]``."""
        if self.dropout == 0 or not self.training:
            return [None] * self.num_layers
        expected = [(batch, length, self.directions * size) for size in self.hidden_sizes]
        return draws.time_major(expected, whole=whole)

    def _starts(self, batch: int, state: State | list[State] | None, draws: Draws) -> Sequence[State | None]:
        """What each layer is called with; None lets torch start at zero."""
        if state is not None:
            layers = per_layer(state, self.directions)
        elif self.initial_state == "learned":
            layers = [tuple(part.expand(-1, batch, -1) for part in learned) for learned in self.learned_state]
        elif self.initial_state == "random" and self.training:
            layers = list(draws.state or ())
        else:
            return [None] * self.num_layers
        expected = [(self.directions, batch, size) for size in self.hidden_sizes]
        return checked(layers, expected, self.state_parts)
