"""Every key: what it accepts, what it refuses, and the words of the refusal."""

import json
from pathlib import Path

import pytest

from lstm_forecast.config import KEYS, config_rows
from lstm_forecast.errors import ConfigError
from tests.config.writing_files import DATA, key_text, load, problem, problems

WHOLE = {  # key: lowest, highest
    "data.header_row": (1, 1_000_000),
    "data.skip_rows": (0, 1_000_000),
    "data.max_bad_rows": (0, 1_000_000),
    "split.validation": (0, 10_000_000),
    "split.test": (0, 10_000_000),
    "window.lookback": (1, 100_000),
    "window.horizon": (1, 100_000),
    "window.stride": (1, 100_000),
    "model.num_layers": (1, 16),
    "model.segment": (1, 10_000),
    "training.steps_per_epoch": (1, 1_000_000),
    "training.warmup_steps": (0, 1_000_000),
    "model.hidden_size": (1, 8192),
    "data.season": (1, 100_000),
    "training.ensemble": (1, 100),
    "evaluation.origins": (1, 1_000_000),
    "evaluation.refit_every": (1, 1_000_000),
    "training.epochs": (1, 1_000_000),
    "training.batch_size": (1, 1_000_000),
    "training.patience": (1, 1_000_000),
    "training.seed": (0, 2**63 - 1),
    "forecast.horizon": (1, 100_000),
    "data.max_bytes": (1, 2**50),
}
NUMBERS: dict[str, tuple[list[str], list[str]]] = {  # key: accepted, out of range
    "split.test": (["0.5", "1e-3", "0.999"], ["1.0", "1.2", "-0.1", "0.0", "1e400", ".nan"]),
    "split.validation": (["0.5"], ["1.2", "-0.1", "1e400"]),
    "model.dropout": (["0", "0.0", "0.99"], ["1", "1.0", "-0.1", ".nan", ".inf"]),
    "training.lr": (["1e-3", "1", "1000000"], ["0", "0.0", "-1", "1000001", ".nan", ".inf", "1e400"]),
    "training.weight_decay": (["0", "1e-5"], ["-1e-9", ".inf", "1000001"]),
    "training.clip_norm": (["1", "0.5", "null"], ["0", "-1", ".nan"]),
    "forecast.minimum": (["0", "-3.5", "null", "auto"], [".nan", "-.inf"]),
}
WORDS = {
    "data.missing": "error ffill interpolate drop",
    "data.duplicates": "error first last sum mean",
    "data.gaps": "auto keep fill error",
    "data.bad_rows": "error skip",
    "scaling.method": "minmax standard robust none",
    "scaling.per": "series global",
    "model.cell": "lstm gru rnn lstm_peephole",
    "model.nonlinearity": "tanh relu",
    "model.initial_state": "zeros random learned",
    "model.readout": "hidden cell both",
    "model.normalize": "auto none diff last mean_std",
    "model.anchor": "none last seasonal auto",
    "training.schedule": "none step cosine plateau",
    "model.supervision": "auto last every_step",
    "training.optimizer": "adam adamw sgd",
    "training.loss": "mse mae huber pinball",
    "run.promote": "always if_better",
    "data.transform": "none log log1p diff auto",
    "model.head": "point quantile",
    "training.refit": "none full",
    "forecast.intervals.method": "conformal quantile none",
    "forecast.intervals.scale": "none volatility",
    "training.device": "auto cpu cuda cuda:0 cuda:12 mps",
}
FLAGS = (
    "run.plots",
    "data.strict",
    "model.bias",
    "model.bidirectional",
    "model.layer_norm",
    "model.linear_skip",
    "training.tensorboard",
    "evaluation.fail_if_worse",
)
NULLABLE = {
    "run.name",
    "run.dir",
    "data.time",
    "data.target",
    "data.series_id",
    "data.future_path",
    "data.holidays",
    "data.encoding",
    "data.separator",
    "data.decimal",
    "data.thousands",
    "data.header_row",
    "data.date_format",
    "data.timezone",
    "data.resample.to",
    "data.resample.how",
    "data.frequency",
    "data.season",
    "data.until",
    "training.steps_per_epoch",
    "evaluation.origins",
    "evaluation.refit_every",
    "training.clip_norm",
    "training.patience",
    "run.keep",
    "data.max_input_age",
    "training.max_time",
    "forecast.horizon",
    "forecast.minimum",
}
GOOD = [
    ("run.name", '"a"', "a"),
    ("run.name", "Börse 上证-1.b_c", "Börse 上证-1.b_c"),
    ("run.name", "हिन्दी", "हिन्दी"),
    ("run.name", "x" * 100, "x" * 100),
    ("data.target", "[a, b]", ["a", "b"]),
    ("data.target", "Close", "Close"),
    ("data.past_covariates", "[High, Low]", ["High", "Low"]),
    ("data.past_covariates", "[]", []),
    ("data.future_covariates", "[promo, price]", ["promo", "price"]),
    ("data.static_covariates", "[kind]", ["kind"]),
    ("data.calendar_features", "auto", "auto"),
    ("data.calendar_features", "none", "none"),
    (
        "data.calendar_features",
        "[dayofweek, month, hour, holiday]",
        ["dayofweek", "month", "hour", "holiday"],
    ),
    ("data.holidays", "DE", "DE"),
    ("data.holidays", "US-NY", "US-NY"),
    ("data.na_values", "['', '-999']", ["", "-999"]),
    ("data.separator", '";"', ";"),
    ("data.separator", '"\\t"', "\t"),
    ("data.decimal", '","', ","),
    ("data.thousands", '" "', " "),
    ("data.encoding", "gb18030", "gb18030"),
    ("data.header_row", "null", None),
    ("data.header_row", "auto", "auto"),
    ("data.date_format", '"%d/%m/%Y"', "%d/%m/%Y"),
    ("data.frequency", "15min", "15min"),
    ("data.frequency", "W-FRI", "W-FRI"),
    ("data.max_bytes", "8GiB", "8GiB"),
    ("data.max_bytes", "500MB", 500_000_000),
    ("data.max_bytes", "1.5kib", 1536),
    ("data.max_bytes", "2048", "2KiB"),
    ("split.test", "2024-01-31", "2024-01-31"),
    ("split.test", "2024-01-31 13:30", "2024-01-31 13:30"),
    ("split.validation", '"2024-01-31T13:30:00"', "2024-01-31T13:30:00"),
    ("scaling.range", "[-1, 1]", [-1.0, 1.0]),
    ("model.hidden_size", "[50, 30, 20]", [50, 30, 20]),
    ("model.hidden_size", "auto", "auto"),
    ("model.segment", "auto", "auto"),
    ("model.linear_skip", "auto", "auto"),
    ("window.lookback", "auto", "auto"),
    ("training.epochs", "auto", "auto"),
    ("model.head_layers", "[8]", [8]),
    ("training.max_time", "30m", "30m"),
    ("training.max_time", "90s", "90s"),
    ("training.max_time", "120m", "2h"),
    ("run.keep", "7", 7),
    ("data.max_input_age", "72h", "3d"),
    ("training.max_time", "1.5h", "90m"),
    ("training.max_time", "1d", "1d"),
    ("model.quantiles", "[0.5]", [0.5]),
    ("model.quantiles", "[0.1, 0.5, 0.9]", [0.1, 0.5, 0.9]),
    ("model.quantiles", "[0.3, 0.5, 0.7000000001]", [0.3, 0.5, 0.7000000001]),  # equal to a billionth
    (
        "model.quantiles",
        f"[{', '.join(str(n / 100) for n in range(1, 100))}]",
        [n / 100 for n in range(1, 100)],
    ),
    ("forecast.intervals.levels", "[95, 80, 99.5]", [80, 95, 99.5]),
    ("forecast.intervals.levels", "[0.5, 50.0]", [0.5, 50]),
    ("forecast.intervals.levels", f"[{', '.join(map(str, range(20, 0, -1)))}]", list(range(1, 21))),
    ("evaluation.baselines", "[theta, drift]", ["theta", "drift"]),
    ("evaluation.baselines", "[mean]", ["mean"]),
]
BAD = [
    ("run.name", '""', "range"),
    ("run.name", '".a"', "range"),
    ("run.name", '"-a"', "range"),
    ("run.name", '" a"', "range"),
    ("run.name", '"a "', "range"),
    ("run.name", '"a/b"', "range"),
    ("run.name", '"a@b"', "range"),
    ("run.name", '"a\\nb"', "range"),
    ("run.name", '"a\\e[0m"', "range"),
    ("run.name", "x" * 101, "range"),
    ("run.name", "上" * 70, "range"),
    ("run.name", "[a]", "type"),
    ("run.dir", '""', "range"),
    ("data.path", '"a\\0b"', "range"),
    ("data.target", "[]", "range"),
    ("data.target", "[a, a]", "range"),
    ("data.target", '""', "range"),
    ("data.target", "{a: b}", "type"),
    ("data.past_covariates", "High", "type"),
    ("data.past_covariates", "[High, High]", "range"),
    ("data.past_covariates", "[[High]]", "type"),
    ("data.future_covariates", "[promo, promo]", "range"),
    ("data.static_covariates", "kind", "type"),
    ("data.calendar_features", "[]", "range"),
    ("data.calendar_features", "[month, month]", "range"),
    ("data.calendar_features", "[weekday]", "choice"),
    ("data.calendar_features", "weekday", "choice"),
    ("data.holidays", "no", "type"),
    ("data.separator", '";;"', "range"),
    ("data.separator", "x", "range"),
    ("data.separator", '"\\""', "range"),
    ("data.decimal", '"x"', "choice"),
    ("data.encoding", "utf-9", "choice"),
    ("data.encoding", "base64", "choice"),
    ("data.header_row", "Auto", "choice"),
    ("data.date_format", "dmy", "range"),
    ("data.frequency", "1 day", "range"),
    ("data.max_bytes", "8G", "type"),
    ("data.max_bytes", "1.5", "type"),
    ("data.max_bytes", "2048TiB", "range"),
    ("split.test", "2024-13-01", "range"),
    ("split.test", "2024-1-1", "type"),
    ("split.test", "yesterday", "type"),
    ("scaling.range", "[1, 0]", "range"),
    ("scaling.range", "[1, 1]", "range"),
    ("scaling.range", "[0, .inf]", "range"),
    ("scaling.range", "[0]", "range"),
    ("scaling.range", "1", "type"),
    ("model.hidden_size", "[]", "range"),
    ("model.hidden_size", "[8, 0]", "range"),
    ("model.hidden_size", "[8, 8.0]", "type"),
    ("model.hidden_size", "[" + "8, " * 17 + "]", "range"),
    ("model.head_layers", "8", "type"),
    ("run.keep", "0", "range"),
    ("data.max_input_age", "3", "type"),
    ("data.max_input_age", "40000d", "range"),
    ("training.max_time", "30", "type"),
    ("training.max_time", "0.5s", "range"),
    ("training.max_time", "400d", "range"),
    ("training.max_time", "-5m", "type"),
    ("training.device", "'cuda:'", "choice"),
    ("training.device", "gpu", "choice"),
    ("model.quantiles", "[]", "range"),
    ("model.quantiles", "[0.1, 0.9]", "range"),
    ("model.quantiles", "[0.1, 0.5]", "range"),
    ("model.quantiles", "[0.5, 0.9]", "range"),
    ("model.quantiles", "[0.1, 0.5, 0.8]", "range"),
    ("model.quantiles", "[0.1, 0.5, 0.90000001]", "range"),
    ("model.quantiles", "[0.9, 0.5, 0.1]", "range"),
    ("model.quantiles", "[0.1, 0.5, 0.5, 0.5, 0.9]", "range"),
    ("model.quantiles", "[0.1, 0.2, 0.8, 0.9]", "range"),
    ("model.quantiles", "[0, 0.5, 1]", "range"),
    ("model.quantiles", "[.nan]", "range"),
    ("model.quantiles", "0.5", "type"),
    ("model.quantiles", "['0.5']", "type"),
    ("model.quantiles", f"[{', '.join(str(n / 200) for n in range(50, 151))}]", "range"),
    ("forecast.intervals.levels", "[]", "range"),
    ("forecast.intervals.levels", "[80, 80]", "range"),
    ("forecast.intervals.levels", "[80, 80.0]", "range"),
    ("forecast.intervals.levels", "[0]", "range"),
    ("forecast.intervals.levels", "[100]", "range"),
    ("forecast.intervals.levels", "[-5]", "range"),
    ("forecast.intervals.levels", "[.inf]", "range"),
    ("forecast.intervals.levels", "[0.8, 0.95]", "range"),
    ("forecast.intervals.levels", f"[{', '.join(map(str, range(1, 22)))}]", "range"),
    ("forecast.intervals.levels", "80", "type"),
    ("forecast.intervals.levels", "[80%]", "type"),
    ("forecast.intervals.levels", "[true]", "type"),
    ("forecast.intervals.levels", "{a: 80}", "type"),
    ("evaluation.baselines", "[]", "range"),
    ("evaluation.baselines", "[ets, theta]", "range"),
    ("evaluation.baselines", "[naive, naive]", "range"),
    ("evaluation.baselines", "[snaive]", "choice"),
    ("evaluation.baselines", "naive", "type"),
    ("schema_version", "0", "range"),
    ("schema_version", "true", "type"),
]


DIGITS = "write a number in plain decimal digits, and text in quotes"


def value_of(folder: Path, key: str, text: str) -> object:
    loaded = load(folder, key_text(key, text))
    return next(value for name, value, _ in config_rows(loaded) if name == key)


@pytest.mark.parametrize("key", WHOLE)
def test_row_14_a_whole_number_is_accepted_up_to_its_bounds_and_not_beyond(key: str, tmp_path: Path) -> None:
    low, high = WHOLE[key]
    if key != "data.max_bytes":
        assert value_of(tmp_path, key, str(low)) == low
        assert value_of(tmp_path, key, str(high)) == high
    for outside in (low - 1, high + 1, -(10**30), 10**30):
        found = problem(tmp_path, key_text(key, str(outside)))
        assert found.id == "config.range"
        assert found.message.startswith(f"{key}: expected ")
        assert found.message.endswith(f"got {outside}")


@pytest.mark.parametrize("key", [key for key in WHOLE if not key.startswith("split.")])
@pytest.mark.parametrize("text", ["true", "1.5", "1.0", '"5"', "[true]", "{a: 1}", "1_0", "0x10", "010"])
def test_row_14_a_whole_number_is_nothing_else(key: str, text: str, tmp_path: Path) -> None:
    found = problem(tmp_path, key_text(key, text))
    assert found.id in {"config.type", "config.choice"}
    assert found.message.startswith(f"{key}: expected ")


@pytest.mark.parametrize("key", NUMBERS)
def test_row_14_a_number_is_accepted_within_its_bounds_only(key: str, tmp_path: Path) -> None:
    accepted, refused = NUMBERS[key]
    for text in accepted:
        value = value_of(tmp_path, key, text)
        assert value == (None if text == "null" else text if text == "auto" else float(text))
        assert isinstance(value, float | None | str)
    for text in refused:
        assert problem(tmp_path, key_text(key, text)).id == "config.range"
    for text in ("true", '"1"', "[1]", "1_0", "12:30:00"):
        assert problem(tmp_path, key_text(key, text)).id in {"config.type", "config.choice"}


@pytest.mark.parametrize("key", WORDS)
def test_a_word_is_one_of_the_known_words(key: str, tmp_path: Path) -> None:
    for word in WORDS[key].split():
        assert value_of(tmp_path, key, word) == word
    found = problem(tmp_path, key_text(key, "zzz"))
    assert found.id == "config.choice"
    assert found.message.endswith('got "zzz"')
    assert problem(tmp_path, key_text(key, "5")).id == "config.type"


@pytest.mark.parametrize("key", FLAGS)
def test_a_truth_value_is_no_number_and_no_text(key: str, tmp_path: Path) -> None:
    assert [value_of(tmp_path, key, word) for word in ("yes", "off", "true")] == [True, False, True]
    for text in ("1", "null", "[]"):
        assert problem(tmp_path, key_text(key, text)).id == "config.type"
    # Where there is a word, too, another word is a wrong choice.
    id = "config.choice" if key == "model.linear_skip" else "config.type"
    for text in ('"true"', "maybe"):
        assert problem(tmp_path, key_text(key, text)).id == id


@pytest.mark.parametrize("key", [key for key in KEYS if key not in {"data.path", "schema_version"}])
def test_null_is_accepted_exactly_where_it_means_something(key: str, tmp_path: Path) -> None:
    if key in NULLABLE:
        assert value_of(tmp_path, key, "null") is None
    else:
        assert problem(tmp_path, key_text(key, "null")).id == "config.type"


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_a_good_value_is_kept(key: str, text: str, value: object, tmp_path: Path) -> None:
    assert value_of(tmp_path, key, text) == value


def test_sizes_and_durations_are_numbers_inside(tmp_path: Path) -> None:
    config = load(tmp_path, f"{DATA}  max_bytes: 2MiB\ntraining:\n  max_time: 2h\n").config
    assert (config.data.max_bytes, config.training.max_time) == (2_097_152, 7200.0)


@pytest.mark.parametrize(("key", "text", "kind"), BAD)
def test_a_bad_value_is_refused_with_the_kind_of_its_fault(
    key: str, text: str, kind: str, tmp_path: Path
) -> None:
    file = f"data:\n  path: {text}\n" if key == "data.path" else key_text(key, text)
    found = problem(tmp_path, file)
    assert found.id == f"config.{kind}"
    assert found.message.startswith(f"{key}: expected ")


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("run.name", "no", 'YAML reads `no` as false; write it in quotes: "no"'),
        ("data.target", "600519", 'YAML reads `600519` as a number; write it in quotes: "600519"'),
        ("data.na_values", "[a, -999]", 'YAML reads `-999` as a number; write it in quotes: "-999"'),
        (
            "run.name",
            "010",
            "YAML reads `010` as 8 (base 8); write a number in plain decimal digits, and text in quotes",
        ),
        (
            "training.epochs",
            "12:30:00",
            f"YAML reads `12:30:00` as 45000 (base 60); {DIGITS}",
        ),
        ("training.epochs", "yes", "YAML reads `yes` as true"),
        ("training.epochs", "1e2", "write 100"),
        ("training.epochs", '"5"', "write 5 without quotes"),
        ("training.clip_norm", "no", "YAML reads `no` as false; write null"),
        ("training.patience", "false", "write null"),
        ("training.patience", "yes", "YAML reads `yes` as true"),
        ("training.patience", "None", "write null"),
        ("scaling.method", "off", "YAML reads `off` as false; write none"),
        ("scaling.method", "null", "write none"),
        ("data.max_input_age", "3", "give the unit: 3d for days, 3h for hours"),
        ("training.max_time", "30", "give the unit: 30s for seconds, 30m for minutes"),
        ("split.test", "20240131", "for a date write 2024-01-31"),
        ("training.optimizer", "Adam", "did you mean adam?"),
        ("model.cell", "ltsm", "did you mean lstm?"),
        ("run.plots", '"true"', "write true without quotes"),
        ("data.past_covariates", "High", "write [High]"),
        ("data.target", "[a, b, a]", "write [a, b]"),
        ("data.transform", "null", "write none"),
        ("data.season", "none", "write null"),
        ("training.refit", "no", "YAML reads `no` as false; write none"),
        ("forecast.intervals.method", "null", "write none"),
        ("forecast.intervals.method", "conformel", "did you mean conformal?"),
        ("forecast.intervals.levels", "95", "write [95]"),
        ("forecast.intervals.levels", "0.95", "write [95]"),
        ("forecast.intervals.levels", "[0.95, 0.8]", "write [80, 95]"),
        ("forecast.intervals.levels", "[95%, 80 %]", "write [80, 95]"),
        ("forecast.intervals.levels", "[90, 80, 90]", "write [80, 90]"),
        ("forecast.intervals.levels", "[0, 100]", ""),
        ("forecast.intervals.levels", f"[{10**350}]", ""),
        ("model.quantiles", "[0.1, 0.5]", "write [0.1, 0.5, 0.9]"),
        ("model.quantiles", "[0.05, 0.2]", "write [0.05, 0.2, 0.5, 0.8, 0.95]"),
        ("model.quantiles", "[90, 10]", "write [0.1, 0.5, 0.9]"),
        ("model.quantiles", "[0, 0.5, 1]", ""),
        ("model.quantiles", "[]", ""),
        ("model.quantiles", f"[{10**350}]", ""),
        ("forecast.intervals.levels", "[-.inf]", ""),
        ("evaluation.baselines", "naive", "write [naive]"),
        ("evaluation.baselines", "[drift, drift]", "write [drift]"),
        ("evaluation.baselines", "[ets]", "write [naive, ets]"),
        ("evaluation.baselines", "[naive, snaive]", "did you mean seasonal_naive?"),
    ],
)
def test_row_13_the_hint_says_what_to_type(key: str, text: str, hint: str, tmp_path: Path) -> None:
    assert problem(tmp_path, key_text(key, text)).hint == hint


def test_row_14_the_message_is_the_same_from_file_flag_set_and_environment(tmp_path: Path) -> None:
    name = "LSTM_FORECAST_TRAINING__EPOCHS"
    from_file = problems(tmp_path, f"{DATA}training:\n  epochs: -1\n")
    from_set = problems(tmp_path, sets=["training.epochs=-1"])
    from_flag = problems(tmp_path, flags={"training.epochs": ("--epochs", -1)})
    from_environment = problems(tmp_path, environ={name: "-1"})
    found = [from_file, from_set, from_flag, from_environment]
    assert {p.message for (p,) in found} == {
        "training.epochs: expected whole number from 1 to 1000000 | auto, got -1"
    }
    assert {p.id for (p,) in found} == {"config.range"}
    assert [p.where for (p,) in found] == ["stock.yaml:4:3", "--set", "--epochs", name]


def test_a_flag_with_a_value_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    for value in (float("nan"), float("inf"), "x", True, [1], 10**5000, object()):
        (found,) = problems(tmp_path, flags={"training.lr": ("--lr", value)})
        assert found.where == "--lr"
        assert found.message.startswith("training.lr: expected number above 0 and at most 1000000, got ")
    (found,) = problems(tmp_path, flags={"run.name": ("--name", "a\udc80")})
    assert found.id == "config.type"


def test_a_long_value_is_cut_in_the_message(tmp_path: Path) -> None:
    assert len(problem(tmp_path, key_text("training.epochs", "x" * 10_000)).message) < 200
    assert len(problem(tmp_path, key_text("training.epochs", json.dumps(["x"] * 1000))).message) < 200


def test_a_control_character_does_not_reach_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'{DATA}"a\\e[31m": 1\ntraining: {{loss: "\\e[31m"}}\n')
    assert "\x1b" not in str(caught.value)
