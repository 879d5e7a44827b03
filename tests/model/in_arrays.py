"""A torch network as the NumPy one of the same weights."""

from __future__ import annotations

from torch import nn

from lstm_forecast.model.architecture import Architecture
from lstm_forecast.model.numpy_forward import ArrayNetwork
from lstm_forecast.model.reglstm import RegLSTM


def in_arrays(model: RegLSTM) -> ArrayNetwork:
    """What it is made of, told from its parts, with its weights."""
    dense = [part.out_features for part in model.head if isinstance(part, nn.Linear)]
    made = Architecture(
        input_size=model.input_size,
        hidden_size=model.hidden_sizes,
        num_layers=model.num_layers,
        output_size=model.output_size,
        num_quantiles=model.num_quantiles,
        cell=model.cell,
        nonlinearity=model.nonlinearity,
        bias="layers.0.bias_ih_l0" in model.state_dict(),
        dropout=model.dropout,
        bidirectional=model.directions == 2,
        layer_norm=len(model.norms) > 0,
        initial_state=model.initial_state,
        readout=model.readout,
        head_layers=dense[:-1],
        segment=model.segment,
        skip_steps=model.skip_steps,
        ahead_size=model.ahead_size,
        static_sizes=model.static_sizes,
    )
    return ArrayNetwork(made, {name: value.numpy() for name, value in model.state_dict().items()})
