"""From the words of the command line to a loaded configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_forecast.errors import UsageError

if TYPE_CHECKING:
    from lstm_forecast.config import Loaded

YAML_SUFFIXES = (".yaml", ".yml")


def load_input(given: str, *, sets: Sequence[str] | None, flags: Mapping[str, tuple[str, object]]) -> Loaded:
    """The configuration that a YAML file or a bare CSV (or several) means.

    Args:
        given: ``CONFIG`` or ``CSV``, a folder or a pattern; what ends in .yaml or .yml is a configuration.
        sets: the ``--set`` options.
        flags: dotted key to (spelling, value); a value of None was not given.

    Raises:
        UsageError: an empty text, as an unset variable of the shell gives; it would mean this folder.
        ConfigError: every problem at once.
    """
    if not given.strip():
        raise UsageError(
            "usage", "the input is an empty text", hint="name a configuration, a CSV or a folder"
        )
    from lstm_forecast.config import load_config

    named = {key: flag for key, flag in flags.items() if flag[1] is not None}
    if given.lower().endswith(YAML_SUFFIXES):
        return load_config(Path(given), sets=sets or (), flags=named)
    path = given if given == "-" or "://" in given else str(Path(given).absolute())
    return load_config(None, sets=sets or (), flags=named, base={"data.path": path})
