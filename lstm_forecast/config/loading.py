"""Configuration file, ``--set``, flags and environment in; one checked Config with origins out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lstm_forecast.config.models import KEYS, Config
from lstm_forecast.config.sources import (
    Source,
    from_command_line,
    from_environment,
    from_file,
    from_text,
    from_values,
)
from lstm_forecast.config.validation import Given, validated
from lstm_forecast.config.wording import shown
from lstm_forecast.errors import ConfigError, Problem


@dataclass(frozen=True)
class Loaded:
    """A configuration and where each of its values came from.

    ``origins`` maps every dotted key to ``default``, ``stock.yaml:12``, ``environment LSTM_FORECAST_...``,
    ``--set``, a flag such as ``--epochs``, or ``bare CSV``. ``path`` is the YAML file, None without one.
    """

    config: Config
    origins: dict[str, str]
    path: Path | None = None

    def was_set(self, key: str) -> bool:
        """Whether somebody gave this key, even if with the value of its default."""
        return self.origins[key] != "default"


def load_config(
    path: Path | None,
    *,
    sets: Sequence[str] = (),
    flags: Mapping[str, tuple[str, object]] = {},
    base: Mapping[str, object] = {},
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """The configuration of one job: flag and ``--set`` over environment over file over base over default.

    Args:
        path: the YAML file, or None where a bare CSV stands in ``base``.
        sets: texts ``training.epochs=5``; the value is read as YAML.
        flags: dotted key to (spelling of the flag, value); only flags that were given.
        base: dotted key to value, for the case without a file.
        environ: the environment; None takes that of the process.

    Raises:
        ConfigError: every problem of every source at once.
    """
    sources = [
        from_values({key: ("bare CSV", value) for key, value in base.items()}),
        from_file(path) if path is not None else Source({}, []),
        from_environment(os.environ if environ is None else environ),
        from_command_line(sets, flags),
    ]
    return replace(_merged(sources, str(path) if path is not None else ""), path=path)


def parse_config(data: bytes, *, where: str) -> Loaded:
    """The configuration in these bytes alone: no environment, no overrides; for the stored one of a run.

    Args:
        data: the YAML, with absolute paths as `dump_config` writes them.
        where: the file the bytes came from, for messages and origins.

    Raises:
        ConfigError: every problem at once.
    """
    return _merged([from_text(data, where, Path.cwd())], where)


def _merged(sources: Sequence[Source], where: str) -> Loaded:
    problems = [problem for source in sources for problem in source.problems]
    given: dict[str, Given] = {}
    for source in sources:
        given.update(source.given)
    _check_schema_version(given)
    given = _with_layers_from_widths(given)
    config, faults = validated(given, where)
    if "data.path" in {key for source in sources for key in source.unreadable}:
        faults = [fault for fault in faults if fault.id != "config.missing"]
    if config is None or problems:
        raise ConfigError(problems + faults)
    origins = {key: given[key].origin if key in given else "default" for key in KEYS}
    return Loaded(config, origins)


def _check_schema_version(given: Mapping[str, Given]) -> None:
    item = given.get("schema_version")
    if item is not None and isinstance(item.value, int) and item.value > 1:
        message = f"schema_version {shown(item.value)} needs a newer version; this one reads schema_version 1"
        # Alone: the other keys of a newer form would only look like mistakes.
        raise ConfigError([Problem("config.newer", message, item.where, "install a newer lstm-forecast")])


def _with_layers_from_widths(given: dict[str, Given]) -> dict[str, Given]:
    widths = given.get("model.hidden_size")
    if widths is None or not isinstance(widths.value, tuple) or "model.num_layers" in given:
        return given
    if not 1 <= len(widths.value) <= 16:
        return given  # validation says what is wrong with the list
    return {**given, "model.num_layers": replace(widths, value=len(widths.value), node=None)}
