"""Networks from a configuration: how one is built, trained and used, as plain arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lstm_forecast.config import Config
from lstm_forecast.cores import usable_cores
from lstm_forecast.covariates import ahead_columns
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling, fit_scaling, season_smape
from lstm_forecast.data.statics import Statics
from lstm_forecast.model.architecture import Architecture

if TYPE_CHECKING:
    import torch

    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.forecasting.simple import SimpleForecaster
    from lstm_forecast.forecasting.trained import Weights
    from lstm_forecast.model.losses import LossName, MeasureName
    from lstm_forecast.model.numpy_forward import ArrayNetwork
    from lstm_forecast.model.reglstm import RegLSTM
    from lstm_forecast.training.recipe import Recipe

Seen = Mapping[str, tuple[int, int]]  # by series: fitted on rows before this time, chosen by rows before that


@dataclass(frozen=True)
class Start:
    """An earlier run whose weights new networks begin with.

    Attributes:
        run: its handle, ``name@id``.
        tested: reads its networks that never saw its test rows; the ones that will be tested begin there.
        final: reads those that forecast; the final fit on all rows begins there.
        seen: the rows that the tested ones, and those they began with, have seen.
    """

    run: str
    tested: Callable[[], Sequence[RegLSTM]]
    final: Callable[[], Sequence[RegLSTM]]
    seen: Seen


def recipe_of(config: Config, training: Panel, *, seed: int, begun: bool = False) -> Recipe:
    """The training recipe of a settled configuration (no ``auto`` left), for one seed.

    Args:
        config: settled.
        training: the training rows and nothing else; a sMAPE in the loss is divided by that of the value one
            season before.
        seed: of this network.
        begun: whether the network has weights worth something before its first epoch.
    """
    from lstm_forecast.training.recipe import Recipe, Schedule

    how, window = config.training, config.window
    assert isinstance(window.stride, int)
    loss: tuple[MeasureName, ...] | LossName | Literal["pinball"]
    loss = (how.loss,) if how.loss == "smape" or how.loss == "mase" else how.loss
    smape = season_smape(training, config.data.season or 1) if "smape" in loss else 1.0
    return Recipe(
        epochs=how.epochs,
        batch_size=how.batch_size,
        optimizer=how.optimizer,
        lr=how.lr,
        weight_decay=how.weight_decay,
        loss=loss,
        clip_norm=how.clip_norm,
        patience=how.patience,
        max_time_s=how.max_time,
        seed=seed,
        lookback=window.lookback,
        horizon=window.horizon,
        stride=window.stride,
        every_step=config.model.supervision == "every_step",
        untouched_first=(begun or config.model.anchor != "none") and how.patience is not None,
        quantiles=quantile_levels(config),
        segment=config.model.segment,
        steps_per_epoch=how.steps_per_epoch,
        schedule=Schedule(how.schedule, how.warmup_steps, how.epochs),
        precision=how.precision,
        measure_scales={"smape": smape, "mase": 1.0},
        threads=batch_threads(config),
    )


def architecture_of(config: Config, *, features: int, static_sizes: Sequence[int] = ()) -> Architecture:
    """What the networks of a configuration are made of.

    Args:
        config: settled.
        features: value columns.
        static_sizes: of each static column its number of categories, 0 for numbers.
    """
    model = config.model
    return Architecture(
        input_size=features,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        output_size=config.window.horizon,
        num_quantiles=len(quantile_levels(config)),
        cell=model.cell,
        nonlinearity=model.nonlinearity,
        bias=model.bias,
        dropout=model.dropout,
        bidirectional=model.bidirectional,
        layer_norm=model.layer_norm,
        initial_state=model.initial_state,
        readout=model.readout,
        head_layers=model.head_layers,
        zero_head=model.anchor != "none",
        segment=model.segment,
        skip_steps=config.window.lookback if model.linear_skip else 0,
        ahead_size=ahead_columns(config).count,
        static_sizes=static_sizes,
    )


def build_model(config: Config, *, features: int, static_sizes: Sequence[int] = ()) -> RegLSTM:
    """The network of :func:`architecture_of`, with torch's own first weights."""
    from lstm_forecast.model.reglstm import RegLSTM

    return RegLSTM(**vars(architecture_of(config, features=features, static_sizes=static_sizes)))


def networks_with(made: Architecture, weights: Sequence[Weights]) -> tuple[RegLSTM, ...]:
    """Networks of these weights in torch, on the CPU and in evaluation mode."""
    import torch

    from lstm_forecast.model.reglstm import RegLSTM

    networks = []
    for one in weights:
        with torch.device("meta"):  # no weights are drawn that are then replaced
            network = RegLSTM(**vars(made))
        network.load_state_dict({name: torch.tensor(array) for name, array in one.items()}, assign=True)
        networks.append(network.eval())
    return tuple(networks)


def static_sizes(statics: Statics | None) -> tuple[int, ...]:
    """Of each static column its number of categories; none where nothing is said of the series."""
    return statics.sizes if statics is not None else ()


def first_networks(
    config: Config, panel: Panel, *, device: torch.device, begin: Sequence[RegLSTM] = ()
) -> list[RegLSTM]:
    """One network per seed before its first epoch: with first weights of its own, or those of ``begin``.

    Raises:
        ResourceError: the device cannot train it in ``training.precision``.
    """
    from lstm_forecast.model.first_weights import initialise
    from lstm_forecast.model.precision import require_precision
    from lstm_forecast.training.seeds import stream

    made = []
    for number, seed in enumerate(member_seeds(config)):
        sizes = static_sizes(panel.statics)
        network = build_model(config, features=len(panel.columns), static_sizes=sizes)
        if begin:
            network.load_state_dict(begin[number].state_dict())
        else:
            initialise(network, stream(seed, "weights", 0, 0))
        made.append(network.to(device))
    require_precision(made[0], config.training.precision, lookback=config.window.lookback)
    return made


def quantile_levels(config: Config) -> tuple[float, ...]:
    """The levels of a quantile head; empty for a point head."""
    return config.model.quantiles if config.model.head == "quantile" else ()


def member_seeds(config: Config) -> tuple[int, ...]:
    """One seed per network of an ensemble; the first is the configuration's own."""
    from lstm_forecast.training.seeds import derive_seed

    seed = config.training.seed
    return (seed, *(derive_seed(seed, "network", number, 0) for number in range(1, config.training.ensemble)))


def fit_units(config: Config, training: Panel) -> Scaling:
    """The units of the network's inputs and answers, from these rows and nothing else."""
    return fit_scaling(
        training,
        method=config.scaling.method,
        scaled_range=config.scaling.range,
        per=config.scaling.per,
        normalize="none" if config.model.normalize == "auto" else config.model.normalize,
        transform=config.data.transform,
        season=config.data.season or 1,
        ahead=ahead_columns(config),
    )


def forecaster_of(
    config: Config, networks: Sequence[RegLSTM], scaling: Scaling, *, arrays: Sequence[ArrayNetwork] = ()
) -> Forecaster:
    """Trained networks with their units, ready to forecast: those in torch, or else those in NumPy."""
    from lstm_forecast.forecasting.forecast import Forecaster, lowest_values

    return Forecaster(
        tuple(networks),
        scaling,
        config.window.lookback,
        config.model.anchor,
        config.data.season or 1,
        lowest_values(config.forecast.minimum, scaling),
        quantile_levels(config),
        tuple(arrays),
    )


def simple_forecaster_of(config: Config, name: str, scaling: Scaling) -> SimpleForecaster:
    """A simple baseline that stands where the networks of this configuration would."""
    from lstm_forecast.forecasting.simple import SimpleForecaster

    season, minimum = config.data.season or 1, config.forecast.minimum
    return SimpleForecaster(name, scaling, config.window.lookback, season, minimum)


def workers_for(config: Config, device: torch.device) -> int:
    """How many networks train at once: on the CPU as many as find cores for all their threads, else one."""
    at_once = usable_cores() // batch_threads(config) if device.type == "cpu" else 1
    return max(1, min(config.training.ensemble, at_once))


def batch_threads(config: Config) -> int:
    """Threads that a batch is split over; one for a run from before there was a choice."""
    threads = config.training.threads
    return 1 if threads == "auto" else threads


def kernel_of(config: Config, device: str) -> str:
    """What computes the LSTM layers of a training: ``compiled``, our own kernel, or ``torch``.

    Args:
        config: cell and precision.
        device: that it trains on; ``auto`` counts as a CPU.
    """
    from lstm_forecast.model.lstm_kernel import kernel

    ours = config.model.cell == "lstm" and config.training.precision == "float32"
    return kernel().name if ours and device in ("auto", "cpu") else "torch"


@contextmanager
def network_threads(config: Config) -> Iterator[None]:
    """Runs the block with the threads within a kernel that a network of this width forecasts with."""
    from lstm_forecast.model.devices import threads_for, using_threads

    width = config.model.hidden_size
    with using_threads(threads_for(width if isinstance(width, int) else max(width))):
        yield
