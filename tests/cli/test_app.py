"""The program as a whole: help, version, configuration commands, and errors nobody foresaw."""

from __future__ import annotations

import json

import pytest

from lstm_forecast.config import KEYS
from lstm_forecast.version import __version__
from tests.conftest import ROOT, Cli, Tiny, run_cli

COMMANDS = ["train", "predict", "plot", "check", "config", "runs", "help"]


def test_without_words_it_shows_its_help(cli: Cli) -> None:
    result = cli()
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: lstm-forecast")
    assert all(f"\n  {command} " in result.out for command in COMMANDS)
    assert cli("--help").out == cli("-h").out == result.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"lstm-forecast {__version__}\n"
    document = json.loads(cli("--version", "--json").out)
    assert document["lstm-forecast"] == __version__
    assert {"python", "torch", "numpy", "pandas", "scipy", "safetensors"} <= set(document)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predit"], "Did you mean 'predict'?"),
        (["runs", "lst"], "Did you mean 'list'?"),
        (["train", "a.csv", "--lookbak", "9"], "--lookback"),
        (["predict", "a", "--outptu", "x"], "--output"),
        (["help", "exit-code"], "exit-codes"),
    ],
)
def test_a_mistyped_command_or_option_gets_the_nearest(words: list[str], said: str, cli: Cli) -> None:
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert result.err.startswith("error[usage]: ")
    assert "hint: lstm-forecast" in result.err


def test_usage_errors_are_events_in_json_mode(cli: Cli) -> None:
    result = cli("predit", "--json")
    event = json.loads(result.err)
    assert (result.code, result.out) == (2, "")
    assert (event["id"], event["exit_code"]) == ("usage", 2)


def test_config_show_names_the_origin_of_every_value(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTM_FORECAST_TRAINING__SEED", "3")
    words = ["config", "show", ROOT / "configs/stock.yaml", "--set", "model.dropout=0.3"]
    result = cli(*words)
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert set(lines) == set(KEYS)
    assert lines["training.seed"].split("#")[1].strip() == "environment LSTM_FORECAST_TRAINING__SEED"
    assert lines["model.dropout"].split()[1:] == ["0.3", "#", "--set"]
    assert lines["data.target"].split("#")[1].strip().startswith("stock.yaml:")
    assert lines["training.weight_decay"].endswith("# default")
    document = json.loads(cli(*words, "--json").out)
    assert document["training.seed"] == {"value": 3, "origin": "environment LSTM_FORECAST_TRAINING__SEED"}


def test_config_schema_is_a_json_schema(cli: Cli) -> None:
    schema = json.loads(cli("config", "schema").out)
    assert schema["type"] == "object"
    assert "data" in schema["required"]


def test_a_wrong_environment_variable_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTM_FORECAST_TRAINING__EPOCH", "3")
    result = cli("config", "show", ROOT / "configs/stock.yaml")
    assert (result.code, result.out) == (2, "")
    assert "LSTM_FORECAST_TRAINING__EPOCH" in result.err
    assert "did you mean LSTM_FORECAST_TRAINING__EPOCHS?" in result.err


def test_an_error_of_the_system_is_15_and_names_the_file(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied", str(tiny.runs))

    monkeypatch.setattr("lstm_forecast.cli.runs.all_runs", denied)
    result = cli("runs", "list", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (15, "")
    assert result.err == f"error[storage.io]: {tiny.runs}: Permission denied\n"


def test_ctrl_c_says_so_and_is_130(cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lstm_forecast.cli.runs.all_runs", interrupted)
    result = cli("runs", "list", "--runs-dir", tiny.runs)
    assert (result.code, result.out, result.err) == (130, "", "interrupted\n")


def test_row_42_chinese_columns_on_a_terminal_of_another_encoding(tiny: Tiny) -> None:
    result = run_cli(["check", ROOT / "data/stock_zh.csv"], env={"LC_ALL": "C"}, cwd=tiny.csv.parent)
    assert (result.code, result.out) == (0, "ok: train would work\n")
    assert "收盘价" in result.err
