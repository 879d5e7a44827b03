"""The configuration as pydantic models: every key, its kind, its default and what it does."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from lstm_forecast.config.kinds import (
    Baselines,
    Device,
    Epochs,
    Levels,
    Loss,
    OrAuto,
    Origins,
    PathText,
    Pause,
    Positive,
    Quantiles,
    RunName,
    Says,
    ScaleRange,
    Seconds,
    Steps,
    Width,
)
from lstm_forecast.config.models_data import RULES, DataConfig, SplitConfig


class RunConfig(BaseModel):
    """How the run is called and where it is kept."""

    model_config = RULES

    name: RunName | None = Field(
        None, description="Name of the run; null takes the stem of the configuration file or of the bare CSV."
    )
    dir: PathText | None = Field(
        None,
        description="Folder that holds the runs; null takes --runs-dir, LSTM_FORECAST_RUNS_DIR, "
        "else runs under the working directory.",
    )
    keep: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        description="Number of complete runs of the name that stay after a successful training; "
        "null keeps all.",
    )
    plots: bool = Field(True, description="Whether forecast, test and loss pictures are drawn into the run.")
    promote: Literal["always", "if_better"] = Field(
        "always",
        description="When this run becomes the one its name means; if_better keeps the current one where it "
        "has a lower error on the test rows that neither has seen, and where the two cannot be compared, "
        "if this run loses to the best simple baseline.",
    )


class WindowConfig(BaseModel):
    """How many steps the network sees and how many it forecasts."""

    model_config = RULES

    lookback: OrAuto[Steps] = Field(
        60,
        description="Number of past steps that the network sees; auto finds it in the training rows.",
    )
    horizon: Steps = Field(1, description="Number of steps ahead that the network is trained to forecast.")
    stride: Literal["auto"] | Steps = Field(
        "auto",
        description="Steps between the starts of two training windows; "
        "auto is 1 for supervision last, and for every_step a sixth of the lookback, "
        "less where an epoch would have fewer than eight steps.",
    )


class ScalingConfig(BaseModel):
    """How values are scaled before the network sees them, fitted on training rows only."""

    model_config = RULES

    method: Literal["minmax", "standard", "robust", "none"] = Field(
        "minmax", description="How the values are scaled."
    )
    range: ScaleRange = Field((0.0, 1.0), description="Lowest and highest scaled training value of minmax.")
    per: Literal["series", "global"] = Field(
        "series", description="Whether each series has its own scale or all share one."
    )


class ModelConfig(BaseModel):
    """The recurrent network."""

    model_config = RULES

    cell: Literal["lstm", "gru", "rnn", "lstm_peephole"] = Field(
        "lstm", description="Kind of recurrent cell."
    )
    num_layers: Annotated[int, Field(ge=1, le=16)] = Field(
        2, description="Number of recurrent layers; a list for hidden_size sets it."
    )
    hidden_size: OrAuto[Width | Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]] = Field(
        50,
        description="Width of every recurrent layer, or a list of widths; auto goes by the rows.",
    )
    bias: bool = Field(True, description="Whether the recurrent layers have bias terms.")
    nonlinearity: Literal["tanh", "relu"] = Field(
        "tanh", description="Activation of the plain recurrent cell; only for cell rnn."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="Share of the outputs of every recurrent layer dropped in training."
    )
    bidirectional: bool = Field(False, description="Whether the layers also read the window backwards.")
    layer_norm: bool = Field(False, description="Whether the output of every recurrent layer is normalised.")
    initial_state: Literal["zeros", "random", "learned"] = Field(
        "zeros", description="State in which a window begins; random is drawn in training only."
    )
    readout: Literal["hidden", "cell", "both"] = Field(
        "hidden", description="Final state that the head reads; cell and both need an LSTM cell."
    )
    head_layers: Annotated[tuple[Width, ...], Field(max_length=16)] = Field(
        (), description="Widths of dense layers between the final state and the forecast."
    )
    segment: OrAuto[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        1,
        description="Consecutive steps that the network reads as one; lookback is a multiple of it, and is "
        "made one where it was not set; auto is a season or a part of it, where one is strong, else 1.",
    )
    normalize: Literal["auto", "none", "diff", "last", "mean_std"] = Field(
        "auto",
        description="What the network sees: none the scaled level, diff its changes, last the level less "
        "that of the window's end, mean_std less the window's mean and over its deviation; "
        "auto is last beside a segment that was chosen, else diff where supervision is every_step and there "
        "is an anchor, else none.",
    )
    anchor: OrAuto[Literal["none", "last", "seasonal"]] = Field(
        "last",
        description="What the head's output is added to: nothing, the last value, "
        "or that one season before; auto tries both.",
    )
    linear_skip: OrAuto[bool] = Field(
        False,
        description="Whether a linear map from the window to the horizon is added beside the network; "
        "auto adds it beside a chosen segment.",
    )
    supervision: Literal["auto", "last", "every_step"] = Field(
        "auto",
        description="Whether the loss is taken at the end of a window or at every step; "
        "auto is every_step where that is causal.",
    )
    head: Literal["point", "quantile"] = Field(
        "point",
        description="What the network gives for every step: one number, or one for each of quantiles.",
    )
    quantiles: Quantiles = Field(
        (0.025, 0.1, 0.5, 0.9, 0.975),
        description="Levels that the quantile head forecasts; a pair such as 0.1 and 0.9 bounds an interval.",
    )


class TrainingConfig(BaseModel):
    """How the network is trained."""

    model_config = RULES

    epochs: OrAuto[Epochs] = Field(
        100,
        description="Largest number of passes over the training windows; auto goes by rows.",
    )
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        description="Batches per epoch, of windows drawn with every series as likely as the other; "
        "null takes each window of the stride once.",
    )
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        32, description="Number of windows per training step."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Rule that updates the weights.")
    lr: Positive = Field(0.001, description="Learning rate of the optimizer.")
    schedule: Literal["none", "step", "cosine", "plateau"] = Field(
        "none",
        description="How the learning rate falls: to a tenth after each third of the epochs, along a cosine "
        "to 0 at the last one, or to a half where validation stays on a plateau.",
    )
    warmup_steps: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Training steps at the beginning over which the learning rate rises from 0."
    )
    weight_decay: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        0.0, description="Pull of the weights towards zero."
    )
    loss: Loss = Field(
        "mse",
        description="Error that training makes small; smape and mase are taken in original units, and a list "
        "of both adds them; pinball is that of the quantile head, and no other.",
    )
    clip_norm: Positive | None = Field(
        1.0, description="Largest norm of the gradient, longer ones are shortened; null never shortens."
    )
    patience: Epochs | None = Field(
        10,
        description="Epochs without improvement on validation after which training stops; "
        "null trains all epochs and keeps the last weights.",
    )
    refit: Literal["none", "full"] = Field(
        "none",
        description="Whether the network is trained again on all rows after it was evaluated; "
        "full does, for the number of epochs found best.",
    )
    max_time: Seconds | None = Field(
        None, description="Time after which training stops and keeps the best weights; null has no limit."
    )
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        0, description="Number from which every random choice is derived."
    )
    ensemble: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="Number of networks, each from a seed of its own, that are trained and averaged."
    )
    device: Device = Field("auto", description="Where the network runs; auto takes a GPU where there is one.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Numbers that the layers compute with in training; bfloat16 is half as wide and pays on "
        "hardware that has it. Weights, losses and forecasts are float32 all the same.",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto",
        description="Threads that each batch is split over on the CPU; auto goes by the cores that are free "
        "to use, OMP_NUM_THREADS, batch_size and the network. Other numbers give weights that differ by "
        "rounding.",
    )
    checkpoint_every: Pause = Field(  # type: ignore[assignment]  # a duration is written with its unit
        "30s",
        description="Time from one checkpoint to the next, at least; 0s keeps one after every epoch.",
    )
    tensorboard: bool = Field(False, description="Whether the course of training is written for TensorBoard.")


class EvaluationConfig(BaseModel):
    """What the network is compared with, and on which forecasts."""

    model_config = RULES

    baselines: Baselines = Field(
        ("naive", "seasonal_naive", "drift", "mean"),
        description="Methods that the network is compared with; ets and theta beside the simple ones.",
    )
    origins: Origins | None = Field(
        None, description="Number of times in the past from which is forecast; null takes the test split."
    )
    refit_every: Origins | None = Field(
        None, description="Number of those times between two trainings; null trains once, before the first."
    )
    gate: Literal["none", "baseline"] = Field(
        "none",
        description="What predict issues where validation finds the network less than 5 % better than the "
        "best simple baseline, or less than 1/n where it holds n < 20 horizons: with baseline that forecast, "
        "with none the network's all the same.",
    )
    fail_if_worse: bool = Field(
        False, description="Whether a network that loses to the best simple baseline ends in an error."
    )


class IntervalsConfig(BaseModel):
    """The intervals around the forecast."""

    model_config = RULES

    levels: Levels = Field(
        (80, 95), description="Share of the values to come, in percent, that each interval should hold."
    )
    method: Literal["conformal", "quantile", "none"] = Field(
        "conformal",
        description="Where the intervals come from: the errors on validation, the quantile head, "
        "or none are made.",
    )
    scale: Literal["none", "volatility"] = Field(
        "volatility",
        description="Whether a conformal interval is wider where the values moved more of late.",
    )


class ForecastConfig(BaseModel):
    """How far the forecast reaches, what it may not fall below, and its intervals."""

    model_config = RULES

    horizon: Steps | None = Field(
        None, description="Number of steps that predict gives; null takes window.horizon."
    )
    minimum: Literal["auto"] | float | None = Field(
        "auto",
        description="Lowest value a forecast may have; auto is 0 where no training value is negative, "
        "null has no limit.",
    )
    intervals: IntervalsConfig = Field(
        IntervalsConfig(), description="The intervals around every value of the forecast."
    )


class Config(BaseModel):
    """One training job: what is read, how the network is built and trained, what is forecast."""

    model_config = RULES

    schema_version: Annotated[int, Field(ge=1, le=1), Says("1")] = Field(
        1, description="Version of this file's form; a newer one needs a newer lstm-forecast."
    )
    run: RunConfig = RunConfig()
    data: DataConfig
    split: SplitConfig = SplitConfig()
    window: WindowConfig = WindowConfig()
    scaling: ScalingConfig = ScalingConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    forecast: ForecastConfig = ForecastConfig()


def _sections(owner: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in owner.model_fields.items():
        part = info.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield f"{prefix}{name}", part
            yield from _sections(part, f"{prefix}{name}.")


def _keys(owner: type[BaseModel], prefix: str) -> Iterator[str]:
    for name in owner.model_fields:
        section = SECTIONS.get(f"{prefix}{name}")
        yield from [f"{prefix}{name}"] if section is None else _keys(section, f"{prefix}{name}.")


# Dotted names: a section may stand in another one, as forecast.intervals does.
SECTIONS: dict[str, type[BaseModel]] = dict(_sections(Config, ""))

KEYS: tuple[str, ...] = tuple(_keys(Config, ""))
