"""The configuration written out: as YAML, as rows with origins, as a JSON Schema, as a table of keys."""

from dataclasses import dataclass
from functools import reduce
from operator import getitem

from lstm_forecast.config.loading import Loaded
from lstm_forecast.config.models import KEYS, SECTIONS, Config
from lstm_forecast.config.wording import expected
from lstm_forecast.config.writing import yaml_text


@dataclass(frozen=True)
class FieldRow:
    """One key for the reference: ``default`` as YAML, empty where the key is required."""

    key: str
    type: str
    default: str
    description: str


def dump_config(config: Config) -> str:
    """YAML with every key; `load_config` reads it back to an equal Config."""
    values = config_values(config)
    lines = []
    opened: set[str] = set()
    for key, value in values.items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            dotted = ".".join(sections[: depth + 1])
            if dotted not in opened:
                opened.add(dotted)
                lines.append(f"{'  ' * depth}{section}:")
        lines.append(f"{'  ' * len(sections)}{name}: {yaml_text(value)}")
    return "\n".join(lines) + "\n"


def config_schema() -> dict[str, object]:
    """JSON Schema (2020-12) of the YAML file, for editors."""
    schema = Config.model_json_schema()
    for key in KEYS:
        section, _, name = key.rpartition(".")
        if section:
            properties = schema["$defs"][SECTIONS[section].__name__]["properties"]
            if "default" in properties[name]:
                # As it is written in a file (8GiB), not as the models hold it.
                properties[name]["default"] = _default(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def config_rows(loaded: Loaded) -> list[tuple[str, object, str]]:
    """Dotted key, value as it would stand in YAML, and origin, in the order of the models."""
    return [(key, value, loaded.origins[key]) for key, value in config_values(loaded.config).items()]


def field_table() -> list[FieldRow]:
    """Every key with its type in words, its default and what it does, in the order of the models."""
    return [_field(key) for key in KEYS]


def config_values(config: Config) -> dict[str, object]:
    """Every key with its value as it would stand in YAML, in the order of the models."""
    dumped = config.model_dump(mode="json")
    return {key: reduce(getitem, key.split("."), dumped) for key in KEYS}


def _field(key: str) -> FieldRow:
    section, _, name = key.rpartition(".")
    info = (SECTIONS[section] if section else Config).model_fields[name]
    default = "" if info.is_required() else yaml_text(_default(key))
    return FieldRow(key, expected(key), default, info.description or "")


def _default(key: str) -> object:
    section, _, name = key.rpartition(".")
    if not section:
        return Config.model_fields[name].default
    # Through the models' own serialisation, so that 8 GiB stands here as it is written in a file.
    owner = SECTIONS[section]
    required = {n: "-" for n, info in owner.model_fields.items() if info.is_required()}
    return owner.model_validate(required).model_dump(mode="json")[name]
