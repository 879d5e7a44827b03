"""The configuration: strict YAML, overrides and environment in, one checked `Config` with origins out."""

from lstm_forecast.config.describing import (
    FieldRow,
    config_rows,
    config_schema,
    config_values,
    dump_config,
    field_table,
)
from lstm_forecast.config.loading import Loaded, load_config, parse_config
from lstm_forecast.config.models import (
    KEYS,
    SECTIONS,
    Config,
    EvaluationConfig,
    ForecastConfig,
    IntervalsConfig,
    ModelConfig,
    RunConfig,
    ScalingConfig,
    TrainingConfig,
    WindowConfig,
)
from lstm_forecast.config.models_data import DataConfig, SplitConfig
from lstm_forecast.config.settle import settle, with_values
from lstm_forecast.config.writing import yaml_text

__all__ = [
    "KEYS",
    "SECTIONS",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "FieldRow",
    "ForecastConfig",
    "IntervalsConfig",
    "Loaded",
    "ModelConfig",
    "RunConfig",
    "ScalingConfig",
    "SplitConfig",
    "TrainingConfig",
    "WindowConfig",
    "config_rows",
    "config_schema",
    "config_values",
    "dump_config",
    "field_table",
    "load_config",
    "parse_config",
    "settle",
    "with_values",
    "yaml_text",
]
