"""One configuration file and what loading it gives, for the tests beside this module."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lstm_forecast.config import Loaded, load_config
from lstm_forecast.errors import ConfigError, Problem

DATA = "data:\n  path: a.csv\n"


def load(
    folder: Path,
    text: str = DATA,
    *,
    sets: Sequence[str] = (),
    flags: Mapping[str, tuple[str, object]] = {},
    environ: Mapping[str, str] = {},
) -> Loaded:
    """Loads ``stock.yaml`` with this text; the environment is empty unless given."""
    path = folder / "stock.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, sets=sets, flags=flags, environ=environ)


def problems(
    folder: Path,
    text: str = DATA,
    *,
    sets: Sequence[str] = (),
    flags: Mapping[str, tuple[str, object]] = {},
    environ: Mapping[str, str] = {},
) -> tuple[Problem, ...]:
    """The problems that loading gives, their places without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, sets=sets, flags=flags, environ=environ)
    assert caught.value.code == 2
    return tuple(
        Problem(p.id, p.message, p.where.removeprefix(f"{folder}/"), p.hint) for p in caught.value.problems
    )


def problem(folder: Path, text: str) -> Problem:
    """The only problem that loading gives."""
    found = problems(folder, text)
    assert len(found) == 1, found
    return found[0]


def key_text(key: str, value: str) -> str:
    """A whole file that gives this key this value, beside the required path."""
    *sections, name = key.split(".")
    opened = [f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections)]
    if sections[:1] == ["data"]:
        opened = opened[1:]
    return f"{DATA}{''.join(opened)}{'  ' * len(sections)}{name}: {value}\n"
