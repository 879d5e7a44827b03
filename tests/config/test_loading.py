"""Where values come from: precedence, origins, paths, flags, environment."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_forecast.config import KEYS, dump_config, load_config, parse_config
from lstm_forecast.errors import ConfigError
from tests.config.writing_files import DATA, load, problems

NAME = "LSTM_FORECAST_TRAINING__EPOCHS"
FILE = f"{DATA}training:\n  epochs: 2\n"


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    config = load(tmp_path).config
    assert (config.window.lookback, config.window.horizon, config.window.stride) == (60, 1, "auto")
    assert (config.model.num_layers, config.model.hidden_size, config.model.dropout) == (2, 50, 0.2)
    assert (config.training.epochs, config.training.batch_size, config.training.lr) == (100, 32, 0.001)
    assert (config.training.patience, config.training.clip_norm, config.training.loss) == (10, 1.0, "mse")
    assert (config.split.validation, config.split.test) == (0.1, 0.1)
    assert (config.scaling.method, config.scaling.range, config.scaling.per) == (
        "minmax",
        (0.0, 1.0),
        "series",
    )
    assert (config.data.header_row, config.data.max_bytes, config.data.missing) == ("auto", 2**33, "error")
    assert config.forecast.minimum == "auto"
    assert (config.run.promote, config.data.season, config.data.transform) == ("always", None, "none")
    assert (config.model.head, config.model.quantiles) == ("point", (0.025, 0.1, 0.5, 0.9, 0.975))
    training, evaluation, intervals = config.training, config.evaluation, config.forecast.intervals
    assert (training.refit, training.ensemble, training.tensorboard) == ("none", 1, False)
    assert evaluation.baselines == ("naive", "seasonal_naive", "drift", "mean")
    assert (evaluation.origins, evaluation.refit_every, evaluation.fail_if_worse) == (None, None, False)
    assert (intervals.levels, intervals.method, intervals.scale) == ((80, 95), "conformal", "volatility")


def test_flag_over_environment_over_file_over_base_over_default(tmp_path: Path) -> None:
    environ = {NAME: "3"}
    flags = {"training.epochs": ("--epochs", 4)}
    steps = [
        (load(tmp_path), 100, "default"),
        (load(tmp_path, FILE), 2, "stock.yaml:4"),
        (load(tmp_path, FILE, environ=environ), 3, f"environment {NAME}"),
        (load(tmp_path, FILE, environ=environ, sets=["training.epochs=5"]), 5, "--set"),
        (load(tmp_path, FILE, environ=environ, flags=flags), 4, "--epochs"),
    ]
    for loaded, epochs, origin in steps:
        assert loaded.config.training.epochs == epochs
        assert loaded.origins["training.epochs"] == origin
        assert loaded.was_set("training.epochs") == (origin != "default")


def test_a_bare_csv_stands_above_the_defaults_and_below_everything_else(tmp_path: Path) -> None:
    base = {"data.path": "a.csv", "training.epochs": 7, "window.horizon": 5}
    loaded = load_config(None, base=base, environ={NAME: "8"}, sets=["window.lookback=9"])
    assert (loaded.config.training.epochs, loaded.config.window.horizon) == (8, 5)
    assert loaded.origins["data.path"] == loaded.origins["window.horizon"] == "bare CSV"
    assert loaded.origins["training.epochs"] == f"environment {NAME}"
    assert loaded.origins["window.lookback"] == "--set"
    assert loaded.config.data.path == str(Path.cwd() / "a.csv")


def test_a_key_of_an_inner_section_comes_from_everywhere(tmp_path: Path) -> None:
    text = f"{DATA}forecast:\n  horizon: 3\n  intervals:\n    scale: none\n    levels: [70]\n"
    name = "LSTM_FORECAST_FORECAST__INTERVALS__LEVELS"
    key = "forecast.intervals.levels"
    steps = [
        (load(tmp_path), (80, 95), "default"),
        (load(tmp_path, text), (70,), "stock.yaml:7"),
        (load(tmp_path, text, environ={name: "[60]"}), (60,), f"environment {name}"),
        (load(tmp_path, text, environ={name: "[60]"}, sets=[f"{key}=[50]"]), (50,), "--set"),
        (load(tmp_path, text, flags={key: ("--levels", [40])}), (40,), "--levels"),
        (load_config(None, base={"data.path": "a.csv", key: (30,)}, environ={}), (30,), "bare CSV"),
    ]
    for loaded, levels, origin in steps:
        assert loaded.config.forecast.intervals.levels == levels
        assert loaded.origins[key] == origin
        assert loaded.was_set(key) == (origin != "default")
    loaded = steps[1][0]
    assert (loaded.config.forecast.horizon, loaded.config.forecast.intervals.scale) == (3, "none")
    assert not loaded.was_set("forecast.intervals.method")


def test_every_key_has_an_origin(tmp_path: Path) -> None:
    origins = load(tmp_path, FILE).origins
    assert list(origins) == list(KEYS)
    assert {key: origin for key, origin in origins.items() if origin != "default"} == {
        "data.path": "stock.yaml:2",
        "training.epochs": "stock.yaml:4",
    }


def test_a_key_given_with_the_value_of_its_default_was_set(tmp_path: Path) -> None:
    assert load(tmp_path, f"{DATA}training: {{epochs: 100}}\n").was_set("training.epochs")


def test_the_environment_of_the_process_is_read_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, "11")
    path = tmp_path / "stock.yaml"
    path.write_text(DATA)
    assert load_config(path).config.training.epochs == 11
    assert load_config(path, environ={}).config.training.epochs == 100


def test_the_runs_folder_variable_and_foreign_variables_are_no_keys(tmp_path: Path) -> None:
    environ = {
        "LSTM_FORECAST_RUNS_DIR": "/x",
        "_LSTM_FORECAST_COMPLETE": "bash",
        "TRAINING__EPOCHS": "1",
        "PATH": "/",
    }
    assert load(tmp_path, environ=environ) == load(tmp_path)


def test_an_unknown_variable_is_named_with_the_spelling_of_the_one_that_was_meant(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, environ={"LSTM_FORECAST_EPOCHS": "3"})
    assert (found.id, found.where) == ("config.unknown_key", "LSTM_FORECAST_EPOCHS")
    assert found.hint == f"did you mean {NAME}?"


def test_the_schema_version_may_stand_in_the_environment(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, environ={"LSTM_FORECAST_SCHEMA_VERSION": "7"})
    assert (found.id, found.where) == ("config.newer", "LSTM_FORECAST_SCHEMA_VERSION")


def test_set_values_are_read_as_yaml(tmp_path: Path) -> None:
    sets = ["model.head_layers=[8, 4]", "training.clip_norm=", "training.lr=1e-2", 'run.name="a b.c"']
    config = load(tmp_path, sets=sets).config
    assert config.model.head_layers == (8, 4)
    assert config.training.clip_norm is None
    assert config.training.lr == 0.01
    assert config.run.name == "a b.c"


def test_only_the_first_equals_sign_divides_key_and_value(tmp_path: Path) -> None:
    assert load(tmp_path, sets=["data.target=a=b"]).config.data.target == "a=b"


def test_a_set_without_a_value_or_with_a_section_says_what_to_type(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, sets=["training.epochs"])
    assert (found.id, found.where) == ("config.set", "--set")
    assert found.message == 'expected KEY=VALUE, got "training.epochs"'
    (found,) = problems(tmp_path, sets=["split={test: 5}"])
    assert (found.id, found.hint) == ("config.unknown_key", "give one of its keys: validation, test")


@pytest.mark.parametrize("sets", [["training.epochs=1", "training.epochs=1"], ["training.epochs = 1"]])
def test_a_key_given_twice_on_the_command_line_is_refused(sets: list[str], tmp_path: Path) -> None:
    flags = {"training.epochs": ("--epochs", 1)} if len(sets) == 1 else {}
    (found,) = problems(tmp_path, sets=sets, flags=flags)
    first = "--epochs" if flags else "--set"
    assert found.id == "config.duplicate"
    assert found.message == f"training.epochs is given twice, by {first} and by --set"


def test_a_bad_set_value_does_not_hide_other_problems_nor_make_one_up(tmp_path: Path) -> None:
    found = problems(tmp_path, "training: {epochs: 0}\n", sets=["data.path=[a", "run.plots=!!x y"])
    assert [(p.id, p.where) for p in found] == [
        ("config.syntax", "--set"),
        ("config.unsafe", "--set"),
        ("config.range", "stock.yaml:1:12"),
    ]
    assert found[0].message.startswith("data.path: expected")


def test_a_path_in_a_file_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "configs" / "stock.yaml").write_text("data: {path: ../data/a.csv}\nrun: {dir: out}\n")
    monkeypatch.chdir(tmp_path / "work")
    loaded = load_config(Path("../configs/stock.yaml"), environ={})
    assert loaded.config.data.path == str(tmp_path / "data" / "a.csv")
    assert loaded.config.run.dir == str(tmp_path / "configs" / "out")
    assert loaded.origins["run.dir"] == "stock.yaml:2"


def test_the_other_files_are_relative_to_it_too_but_a_country_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "data: {path: a.csv, future_covariates: [x], future_path: next.csv, holidays: off.txt}\n"
    )
    data = load_config(tmp_path / "a.yaml", environ={}).config.data
    assert (data.future_path, data.holidays) == (str(tmp_path / "next.csv"), str(tmp_path / "off.txt"))
    (tmp_path / "a.yaml").write_text("data: {path: a.csv, holidays: DE-BY}\n")
    assert load_config(tmp_path / "a.yaml", environ={}).config.data.holidays == "DE-BY"
    (tmp_path / "a.yaml").write_text("data: {path: a.csv, holidays: ./DE}\n")
    assert load_config(tmp_path / "a.yaml", environ={}).config.data.holidays == str(tmp_path / "DE")


def test_a_path_in_a_flag_set_or_variable_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    expected = str(tmp_path / "work" / "b.csv")
    assert load(tmp_path, sets=["data.path=b.csv"]).config.data.path == expected
    assert load(tmp_path, environ={"LSTM_FORECAST_DATA__PATH": "b.csv"}).config.data.path == expected
    assert load(tmp_path, flags={"data.path": ("--data", "b.csv")}).config.data.path == expected
    assert load(tmp_path, flags={"data.path": ("--data", Path("b.csv"))}).config.data.path == expected


@pytest.mark.parametrize(
    "path", ["-", "https://x.org/a.csv", "s3://b/a.csv", "file:///a.csv", "simplecache::s3://b/a"]
)
def test_standard_input_and_addresses_stay_as_they_are(path: str, tmp_path: Path) -> None:
    assert load(tmp_path, f'data: {{path: "{path}"}}\n').config.data.path == path
    assert load(tmp_path, sets=[f"data.path={path}"]).config.data.path == path


def test_an_absolute_path_stays_and_a_list_from_a_caller_is_a_list(tmp_path: Path) -> None:
    assert load(tmp_path, "data: {path: /x/a.csv}\n").config.data.path == "/x/a.csv"
    assert load(tmp_path, flags={"data.target": ("--target", ["a", "b"])}).config.data.target == ("a", "b")


def test_a_list_of_widths_sets_the_number_of_layers(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"{DATA}model:\n  hidden_size: [5, 6, 7]\n")
    assert loaded.config.model.num_layers == 3
    assert loaded.origins["model.num_layers"] == "stock.yaml:4"


def test_stored_bytes_are_parsed_without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "3")
    loaded = parse_config(b"data: {path: /a.csv}\nrun: {plots: no}\n", where="/runs/stock/1/config.yaml")
    assert (loaded.config.data.path, loaded.config.run.plots) == ("/a.csv", False)
    assert loaded.config.training.epochs == 100
    assert loaded.origins["run.plots"] == "config.yaml:2"
    with pytest.raises(ConfigError) as caught:
        parse_config(b"data: 5\n", where="/runs/config.yaml")
    assert caught.value.where == "/runs/config.yaml:1:1"


@settings(deadline=None)
@given(st.sampled_from(KEYS), st.text(max_size=20))
def test_any_text_for_any_key_is_taken_or_refused_with_a_config_error(key: str, text: str) -> None:
    name = f"LSTM_FORECAST_{key.upper().replace('.', '__')}"
    for sets, environ in (([f"{key}={text}"], {}), ([], {name: text})):
        try:
            loaded = load_config(None, base={"data.path": "a.csv"}, sets=sets, environ=environ)
        except ConfigError as error:
            assert {p.where for p in error.problems} <= {"--set", name}  # noqa: PT017 - only some are refused
        else:
            assert parse_config(dump_config(loaded.config).encode(), where="x").config == loaded.config


def test_the_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = load(tmp_path).config
    with pytest.raises(ValueError, match="frozen"):
        config.training.epochs = 5
