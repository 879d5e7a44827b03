"""The configuration as pydantic models: every key, its kind, its default and what it does."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lstm_forecast.config.kinds import (
    ColumnName,
    ColumnNames,
    Count,
    CountOrNone,
    DateFormat,
    DateText,
    Device,
    Encoding,
    Epochs,
    Fraction,
    Frequency,
    Mark,
    PathText,
    Positive,
    Rows,
    RunName,
    Says,
    ScaleRange,
    Seconds,
    SizeBytes,
    Steps,
    WideColumns,
    Width,
)

_RULES = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)


class RunConfig(BaseModel):
    """How the run is called and where it is kept."""

    model_config = _RULES

    name: RunName | None = Field(
        None, description="Name of the run; null takes the stem of the configuration file or of the bare CSV."
    )
    dir: PathText | None = Field(
        None,
        description="Folder that holds the runs; null takes --runs-dir, LSTM_FORECAST_RUNS_DIR, "
        "else runs under the working directory.",
    )
    plots: bool = Field(True, description="Whether forecast, test and loss pictures are drawn into the run.")


class DataConfig(BaseModel):
    """Which file is read, and how."""

    model_config = _RULES

    path: PathText = Field(
        description="The CSV file, relative to this configuration file; - reads standard input."
    )
    time: ColumnName | None = Field(
        None, description="Column of the times; null finds it, and rows are numbered where there is none."
    )
    target: ColumnName | WideColumns | None = Field(
        None,
        description="Column to forecast, or a list for a wide file where each column is one series; "
        "null finds it and says so.",
    )
    series_id: ColumnName | None = Field(
        None, description="Column that tells the series of a long file apart; null finds it where needed."
    )
    past_covariates: ColumnNames = Field(
        (), description="Further input columns whose values are known only up to now."
    )
    encoding: Encoding | None = Field(
        None, description="Text encoding of the file; null tries utf-8, then gb18030."
    )
    separator: Mark | None = Field(None, description="Character between the fields; null finds it.")
    decimal: Literal[".", ","] | None = Field(None, description="Decimal sign of the numbers; null finds it.")
    thousands: Mark | None = Field(
        None, description="Character that groups the digits of large numbers; null finds it."
    )
    header_row: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        "auto",
        description="Line of the column names, counted from 1; auto finds it, "
        "null says there is none and names the columns 1, 2, and so on.",
    )
    skip_rows: Rows = Field(0, description="Number of lines to leave out after the header.")
    date_format: DateFormat | None = Field(
        None, description="Form of the times in strptime directives; null recognises the usual forms."
    )
    na_values: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)] = Field(
        (), description="Cell texts that mean a missing value, beside the usual spellings."
    )
    missing: Literal["error", "ffill", "interpolate", "drop"] = Field(
        "error", description="What happens to an empty target cell."
    )
    duplicates: Literal["error", "first", "last", "sum", "mean"] = Field(
        "error", description="What happens to several rows of one series at one time."
    )
    gaps: Literal["auto", "keep", "fill", "error"] = Field(
        "auto",
        description="What happens to missing times: auto keeps them on trading days "
        "and refuses them on a regular frequency.",
    )
    bad_rows: Literal["error", "skip"] = Field(
        "error", description="Whether a row that cannot be read stops the run or is left out and listed."
    )
    max_bad_rows: Rows = Field(0, description="How many rows bad_rows: skip may leave out before it fails.")
    strict: bool = Field(False, description="Whether warnings of the reader become errors.")
    max_bytes: SizeBytes = Field(8 * 2**30, description="Largest input read, counted after decompression.")
    frequency: Frequency | None = Field(
        None, description="Distance between the rows as a pandas offset; null infers it from the times."
    )


class SplitConfig(BaseModel):
    """Which rows are held back from training."""

    model_config = _RULES

    validation: Count | Fraction | DateText = Field(
        0.1, description="Rows for choosing the best epoch: a fraction, a count of rows, or their first date."
    )
    test: CountOrNone | Fraction | DateText = Field(
        0.1,
        description="Rows for the verdict: a fraction, a count of rows, or their first date; 0 gives none.",
    )


class WindowConfig(BaseModel):
    """How many steps the network sees and how many it forecasts."""

    model_config = _RULES

    lookback: Steps = Field(60, description="Number of past steps that the network sees.")
    horizon: Steps = Field(1, description="Number of steps ahead that the network is trained to forecast.")
    stride: Literal["auto"] | Steps = Field(
        "auto",
        description="Steps between the starts of two training windows; "
        "auto is 1 for supervision last, and for every_step a sixth of the lookback, "
        "less where an epoch would have fewer than eight steps.",
    )


class ScalingConfig(BaseModel):
    """How values are scaled before the network sees them, fitted on training rows only."""

    model_config = _RULES

    method: Literal["minmax", "standard", "robust", "none"] = Field(
        "minmax", description="How the values are scaled."
    )
    range: ScaleRange = Field((0.0, 1.0), description="Lowest and highest scaled training value of minmax.")
    per: Literal["series", "global"] = Field(
        "series", description="Whether each series has its own scale or all share one."
    )


class ModelConfig(BaseModel):
    """The recurrent network."""

    model_config = _RULES

    cell: Literal["lstm", "gru", "rnn", "lstm_peephole"] = Field(
        "lstm", description="Kind of recurrent cell."
    )
    num_layers: Annotated[int, Field(ge=1, le=16)] = Field(
        2, description="Number of recurrent layers; a list for hidden_size sets it."
    )
    hidden_size: Width | Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = Field(
        50, description="Width of every recurrent layer, or a list with one width per layer."
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
    normalize: Literal["auto", "none", "diff"] = Field(
        "auto",
        description="What the network sees: none the scaled level, diff its changes; "
        "auto is diff where supervision is every_step and anchor is last.",
    )
    anchor: Literal["none", "last"] = Field(
        "last", description="What the head's output is added to: nothing, or the last observed value."
    )
    supervision: Literal["auto", "last", "every_step"] = Field(
        "auto",
        description="Whether the loss is taken at the end of a window or at every step; "
        "auto is every_step where that is causal.",
    )


class TrainingConfig(BaseModel):
    """How the network is trained."""

    model_config = _RULES

    epochs: Epochs = Field(100, description="Largest number of passes over the training windows.")
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        32, description="Number of windows per training step."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Rule that updates the weights.")
    lr: Positive = Field(0.001, description="Learning rate of the optimizer.")
    weight_decay: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        0.0, description="Pull of the weights towards zero."
    )
    loss: Literal["mse", "mae", "huber"] = Field("mse", description="Error that training makes small.")
    clip_norm: Positive | None = Field(
        1.0, description="Largest norm of the gradient, longer ones are shortened; null never shortens."
    )
    patience: Epochs | None = Field(
        10,
        description="Epochs without improvement on validation after which training stops; "
        "null trains all epochs and keeps the last weights.",
    )
    max_time: Seconds | None = Field(
        None, description="Time after which training stops and keeps the best weights; null has no limit."
    )
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        0, description="Number from which every random choice is derived."
    )
    device: Device = Field("auto", description="Where the network runs; auto takes a GPU where there is one.")


class ForecastConfig(BaseModel):
    """How far the forecast reaches and what it may not fall below."""

    model_config = _RULES

    horizon: Steps | None = Field(
        None, description="Number of steps that predict gives; null takes window.horizon."
    )
    minimum: Literal["auto"] | float | None = Field(
        "auto",
        description="Lowest value a forecast may have; auto is 0 where no training value is negative, "
        "null has no limit.",
    )


class Config(BaseModel):
    """One training job: what is read, how the network is built and trained, what is forecast."""

    model_config = _RULES

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
    forecast: ForecastConfig = ForecastConfig()


SECTIONS: dict[str, type[BaseModel]] = {
    "run": RunConfig,
    "data": DataConfig,
    "split": SplitConfig,
    "window": WindowConfig,
    "scaling": ScalingConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "forecast": ForecastConfig,
}

KEYS: tuple[str, ...] = (
    "schema_version",
    *(f"{section}.{name}" for section, model in SECTIONS.items() for name in model.model_fields),
)
