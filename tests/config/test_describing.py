"""The configuration written out: YAML that loads again, rows with origins, schema, table of keys."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.config import (
    KEYS,
    SECTIONS,
    Config,
    config_rows,
    config_schema,
    dump_config,
    field_table,
    load_config,
    yaml_text,
)
from lstm_forecast.config.yaml_reader import plain, read_yaml
from tests.config.writing_files import DATA, load

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
TRAPS = st.sampled_from(
    ["no", "010", "1e-3", "1_000", "12:30:00", "null", "~", "-", "y", "2024-01-01", ".inf", "#", "{a}", "[b]"]
) | st.sampled_from(
    ["*c", "&d", "!e", "%f", "'g", '"h', "i:", "5", "0x1", "<<", "=", "8e5", "a #b", " a ", "\ufeff", "\x85"]
)
NAMES = TEXT | TRAPS
POSITIVE = st.floats(1e-300, 1e6)
MINUTES = st.integers(1, 10**5).map(lambda n: f"{n}s") | st.floats(1, 1000).map(lambda x: f"{x!r}m")
QUANTILES = st.lists(st.integers(1, 4999), max_size=10, unique=True).map(
    lambda below: sorted([*(n / 10_000 for n in below), 0.5, *(1 - n / 10_000 for n in below)])
)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "run.name": st.none() | st.from_regex(r"[a-zA-Z0-9][\w.-]{0,20}", fullmatch=True).filter(str.isascii),
    "run.dir": st.none() | NAMES,
    "run.plots": st.booleans(),
    "run.promote": st.sampled_from(["always", "if_better"]),
    "data.time": st.none() | NAMES,
    "data.target": st.none() | NAMES | st.lists(NAMES, min_size=1, max_size=3, unique=True),
    "data.series_id": st.none() | NAMES,
    "data.past_covariates": st.lists(NAMES, max_size=3, unique=True),
    "data.separator": st.sampled_from([None, ";", ",", "\t", "|", " "]),
    "data.header_row": st.sampled_from(["auto", None, 1, 7]),
    "data.date_format": st.sampled_from([None, "%d/%m/%Y", "%Y年%m月"]),
    "data.na_values": st.lists(NAMES | st.just(""), max_size=3),
    "data.strict": st.booleans(),
    "data.max_bytes": st.integers(1, 2**50) | st.integers(1, 1000).map(lambda n: f"{n}MiB"),
    "data.season": st.none() | st.integers(1, 10**5),
    "data.future_covariates": st.lists(NAMES, max_size=3, unique=True),
    "data.static_covariates": st.lists(NAMES, max_size=3, unique=True),
    "data.calendar_features": st.sampled_from(["auto", "none", ["month"], ["hour", "holiday"]]),
    "data.holidays": st.sampled_from([None, "DE", "US-NY", "/a/off.txt"]),
    "data.transform": st.sampled_from(["none", "log", "log1p", "diff", "auto"]),
    "data.frequency": st.sampled_from([None, "D", "15min", "W-FRI"]),
    "split.validation": st.floats(0.001, 0.999) | st.integers(0, 10**7) | st.dates().map(str),
    "split.test": st.floats(0.001, 0.999) | st.integers(0, 10**7) | st.dates().map(str),
    "window.lookback": st.just("auto") | st.integers(1, 10**5),
    "window.stride": st.just("auto") | st.integers(1, 10**5),
    "scaling.range": st.tuples(st.floats(-1e6, -1e-9), st.floats(0, 1e6)).map(list),
    "model.hidden_size": st.just("auto")
    | st.integers(1, 8192)
    | st.lists(st.integers(1, 8192), min_size=1, max_size=16),
    "model.segment": st.just("auto") | st.integers(1, 10**4),
    "model.anchor": st.sampled_from(["none", "last", "seasonal", "auto"]),
    "model.linear_skip": st.booleans() | st.just("auto"),
    "training.epochs": st.just("auto") | st.integers(1, 10**6),
    "model.num_layers": st.integers(1, 16),
    "model.head_layers": st.lists(st.integers(1, 8192), max_size=4),
    "model.dropout": st.floats(0, 1, exclude_max=True),
    "model.supervision": st.sampled_from(["auto", "last", "every_step"]),
    "model.head": st.sampled_from(["point", "quantile"]),
    "model.quantiles": QUANTILES,
    "training.lr": POSITIVE,
    "training.refit": st.sampled_from(["none", "full"]),
    "training.ensemble": st.integers(1, 100),
    "training.precision": st.sampled_from(["float32", "bfloat16"]),
    "training.threads": st.one_of(st.just("auto"), st.integers(1, 64)),
    "training.tensorboard": st.booleans(),
    "evaluation.baselines": st.permutations(["naive", "seasonal_naive", "drift", "mean", "ets", "theta"]),
    "evaluation.origins": st.none() | st.integers(1, 10**6),
    "evaluation.refit_every": st.none() | st.integers(1, 10**6),
    "evaluation.fail_if_worse": st.booleans(),
    "training.clip_norm": st.none() | POSITIVE,
    "training.patience": st.none() | st.integers(1, 10**6),
    "training.max_time": st.none() | MINUTES,
    "training.seed": st.integers(0, 2**63 - 1),
    "training.device": st.sampled_from(["auto", "cpu", "cuda:3"]),
    "forecast.minimum": st.sampled_from(["auto", None]) | st.floats(allow_nan=False, allow_infinity=False),
    "forecast.intervals.levels": st.lists(
        st.integers(1, 99) | st.floats(1, 99.999), min_size=1, max_size=20, unique=True
    ),
    "data.timezone": st.sampled_from([None, "Europe/Berlin", "Etc/GMT+5", "UTC"]),
    "data.resample.to": st.none() | st.sampled_from(["15min", "h", "W-FRI", "MS"]),
    "data.resample.how": st.sampled_from([None, "sum", "mean", "last"]),
    "forecast.intervals.method": st.sampled_from(["conformal", "quantile", "none"]),
    "forecast.intervals.scale": st.sampled_from(["none", "volatility"]),
}


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_any_valid_configuration_loads_again_from_its_dump(values: dict[str, object]) -> None:
    flags = {key: (f"--{key}", value) for key, value in values.items()}
    config = load_config(None, flags=flags, base={"data.path": "a.csv"}, environ={}).config
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        loaded = load_config(path, environ={})
    assert loaded.config == config
    assert all(loaded.was_set(key) for key in KEYS)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_another_yaml_reader_gets_the_same_values_from_a_dump(values: dict[str, object]) -> None:
    flags = {key: (f"--{key}", value) for key, value in values.items()}
    config = load_config(None, flags=flags, base={"data.path": "a.csv"}, environ={}).config
    assert yaml.safe_load(dump_config(config)) == config.model_dump(mode="json")


@settings(deadline=None)
@given(NAMES)
def test_a_text_written_as_yaml_is_read_back_by_both_readers(text: str) -> None:
    line = f"a: {yaml_text(text)}\n"
    assert yaml.safe_load(line) == {"a": text}
    root = read_yaml(f"[{yaml_text(text)}]".encode(), "f.yaml")
    assert plain(root) == (text,)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (1e-05, "1.0e-05"),
        (0.1, "0.1"),
        (1e22, "1.0e+22"),
        ("lstm", "lstm"),
        ("8GiB", "8GiB"),
        ("no", '"no"'),
        ("y", '"y"'),
        ("2024-01-01", '"2024-01-01"'),
        ("1e5", '"1e5"'),
        ("-", '"-"'),
        ("", '""'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("\x1b", '"\\U0000001B"'),
        ("收盘价", '"收盘价"'),
        (("a", 1), "[a, 1]"),
    ],
)
def test_a_value_is_written_so_that_every_reader_agrees(value: object, text: str) -> None:
    assert yaml_text(value) == text
    assert yaml.safe_load(f"a: {text}")["a"] == (list(value) if isinstance(value, tuple) else value)


def leaves(values: dict[str, object], prefix: str = "") -> Iterator[str]:
    """The dotted names of what a mapping holds, in its order."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_dump_has_every_key_in_its_section(tmp_path: Path) -> None:
    dumped = yaml.safe_load(dump_config(load(tmp_path).config))
    assert list(dumped) == ["schema_version", *(section for section in SECTIONS if "." not in section)]
    assert list(leaves(dumped)) == list(KEYS)
    assert dumped["forecast"] == {
        "horizon": None,
        "minimum": "auto",
        "intervals": {"levels": [80, 95], "method": "conformal", "scale": "volatility"},
    }
    assert dumped["data"]["path"] == str(tmp_path / "a.csv")
    assert dumped["data"]["max_bytes"] == "8GiB"


def test_rows_show_value_and_origin_in_the_order_of_the_keys(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"{DATA}  max_bytes: 1024\n", sets=["training.max_time=90m"])
    rows = config_rows(loaded)
    assert [key for key, _, _ in rows] == list(KEYS)
    by_key = {key: (value, origin) for key, value, origin in rows}
    assert by_key["data.max_bytes"] == ("1KiB", "stock.yaml:3")
    assert by_key["training.max_time"] == ("90m", "--set")
    assert by_key["training.epochs"] == (100, "default")
    assert by_key["forecast.intervals.levels"] == ([80, 95], "default")


def test_the_table_describes_every_key_in_a_plain_sentence() -> None:
    table = field_table()
    assert [row.key for row in table] == list(KEYS)
    for row in table:
        assert row.type
        assert row.description.endswith(".")
        assert row.description[0].isupper()
        assert "\n" not in row.description
    assert len({row.description for row in table}) == len(table)
    by_key = {row.key: row for row in table}
    assert (by_key["data.path"].type, by_key["data.path"].default) == ("path", "")
    assert by_key["window.horizon"].type == "whole number from 1 to 100000"
    assert by_key["window.lookback"].type == "whole number from 1 to 100000 | auto"
    assert by_key["model.anchor"].type == "none | last | seasonal | auto"
    assert by_key["model.linear_skip"].type == "true | false | auto"
    assert by_key["training.lr"].type == "number above 0 and at most 1000000"
    assert by_key["model.dropout"].type == "number at least 0 and below 1"
    assert by_key["training.patience"].type == "whole number from 1 to 1000000 | null"
    assert by_key["data.max_bytes"].default == "8GiB"
    assert by_key["scaling.range"].default == "[0.0, 1.0]"
    assert by_key["forecast.intervals.levels"].default == "[80, 95]"
    assert by_key["model.quantiles"].default == "[0.025, 0.1, 0.5, 0.9, 0.975]"
    assert by_key["evaluation.origins"].type == "whole number from 1 to 1000000 | null"
    assert by_key["model.hidden_size"].type == (
        "whole number from 1 to 8192 | list of 1 to 16 values (whole number from 1 to 8192) | auto"
    )


def test_the_defaults_of_the_table_are_the_defaults_of_the_models(tmp_path: Path) -> None:
    values = {key: value for key, value, _ in config_rows(load(tmp_path))}
    for row in field_table():
        if row.key != "data.path":
            assert yaml.safe_load(row.default) == values[row.key]


def test_the_schema_names_every_key_and_forbids_others() -> None:
    schema = config_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    assert schema["required"] == ["data"]
    assert schema["additionalProperties"] is False
    for section, model in SECTIONS.items():
        definition = definitions[model.__name__]
        assert definition["additionalProperties"] is False
        below = [key.removeprefix(f"{section}.") for key in KEYS if key.startswith(f"{section}.")]
        names = [name.partition(".")[0] for name in below]
        assert list(definition["properties"]) == list(dict.fromkeys(names))
        assert all(prop["description"] for prop in definition["properties"].values())
    window = definitions["WindowConfig"]["properties"]
    assert window["horizon"]["maximum"] == 100_000
    number, word = window["lookback"]["anyOf"]
    assert (number["maximum"], word["const"], window["lookback"]["default"]) == (100_000, "auto", 60)
    size = definitions["DataConfig"]["properties"]["max_bytes"]
    assert {option["type"] for option in size["anyOf"]} == {"integer", "string"}
    assert size["default"] == "8GiB"
    assert definitions["ForecastConfig"]["properties"]["intervals"]["$ref"] == "#/$defs/IntervalsConfig"
    levels = definitions["IntervalsConfig"]["properties"]["levels"]
    assert levels["default"] == [80, 95]
    assert (levels["minItems"], levels["maxItems"]) == (1, 20)
    for option in levels["items"]["anyOf"]:
        assert (option["exclusiveMinimum"], option["exclusiveMaximum"]) == (0, 100)
    duration = definitions["TrainingConfig"]["properties"]["max_time"]
    assert {option["type"] for option in duration["anyOf"]} == {"string", "null"}


def test_a_dumped_model_validates_again(tmp_path: Path) -> None:
    config = load(tmp_path, sets=["training.max_time=1.1h", "model.hidden_size=[3, 4]"]).config
    assert Config.model_validate(config.model_dump()) == config


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, lstm_forecast.config; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"torch", "pandas", "sklearn", "scipy", "matplotlib", "numpy"} & set(done.stdout.split())
