"""What a RegLSTM can be built from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from lstm_forecast.model.architecture import Architecture, CellName, InitialState, Nonlinearity, Readout

if TYPE_CHECKING:
    from lstm_forecast.model.reglstm import RegLSTM


def check_arguments(model: RegLSTM | Architecture, head_layers: Sequence[int]) -> None:
    """Refuses what no network can be built from.

    Raises:
        ValueError: an argument out of its range, or two that contradict each other.
    """
    for name, value, allowed in (
        ("cell", model.cell, get_args(CellName)),
        ("nonlinearity", model.nonlinearity, get_args(Nonlinearity)),
        ("initial_state", model.initial_state, get_args(InitialState)),
        ("readout", model.readout, get_args(Readout)),
    ):
        if value not in allowed:
            raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
    if model.num_quantiles < 0:
        raise ValueError(f"num_quantiles: got {model.num_quantiles}, expected 0 or more")
    sizes = (model.input_size, model.num_layers, model.output_size, *model.hidden_sizes, *head_layers)
    if min(sizes) < 1:
        raise ValueError(
            "input_size, num_layers, output_size, hidden_size and head_layers must be 1 or more; "
            f"got {model.input_size}, {model.num_layers}, {model.output_size}, {list(model.hidden_sizes)} "
            f"and {list(head_layers)}"
        )
    if len(model.hidden_sizes) != model.num_layers:
        raise ValueError(
            f"hidden_size lists {len(model.hidden_sizes)} widths and num_layers is {model.num_layers}; "
            "make them equal"
        )
    if not 0 <= model.dropout < 1:
        raise ValueError(f"dropout: got {model.dropout}, expected 0 <= dropout < 1")
    if model.nonlinearity == "relu" and model.cell != "rnn":
        raise ValueError(f'nonlinearity "relu" is for cell "rnn" only; got cell "{model.cell}"')
    if model.readout != "hidden" and model.state_parts == 1:
        raise ValueError(f'readout "{model.readout}" needs a cell state, which cell "{model.cell}" has not')
    if model.segment < 1 or model.skip_steps < 0:
        raise ValueError(
            f"segment must be 1 or more and skip_steps 0 or more; got {model.segment}, {model.skip_steps}"
        )
    if min(model.ahead_size, *model.static_sizes, 0) < 0:
        raise ValueError(
            f"ahead_size and static_sizes must be 0 or more; got {model.ahead_size}, {model.static_sizes}"
        )
