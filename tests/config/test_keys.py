"""Keys that are unknown, of a later version, or doubled; and files of another shape."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lstm_forecast.config import KEYS, load_config, suggestions
from lstm_forecast.config.suggestions import PLANNED_KEYS
from lstm_forecast.errors import ConfigError
from tests.config.writing_files import DATA, key_text, load, problem, problems

# The whole contract, written out once more by hand: a key is in this version, or it answers that it is not.
CONTRACT = {
    "run": "name dir keep plots promote",
    "data": (
        "path time target series_id past_covariates future_covariates future_path "
        "static_covariates encoding separator decimal thousands header_row skip_rows "
        "date_format timezone na_values missing duplicates gaps resample.to resample.how bad_rows "
        "max_bad_rows bad_series strict max_bytes until season max_input_age frequency calendar "
        "calendar_features holidays transform"
    ),
    "split": "validation test",
    "window": "lookback horizon stride",
    "scaling": "method range per",
    "model": (
        "cell num_layers hidden_size bias nonlinearity dropout bidirectional layer_norm "
        "initial_state readout head_layers segment normalize anchor linear_skip supervision "
        "head quantiles"
    ),
    "training": (
        "epochs steps_per_epoch batch_size optimizer lr schedule warmup_steps weight_decay "
        "loss clip_norm patience refit max_time seed ensemble device precision threads compile "
        "checkpoint_every tensorboard"
    ),
    "evaluation": "baselines origins refit_every gate fail_if_worse",
    "forecast": "horizon minimum intervals.levels intervals.method intervals.scale",
    "tune": "trials timeout storage space",
}
INTERVALS = "LSTM_FORECAST_FORECAST__INTERVALS"
LR = "expected number above 0 and at most 1000000"
LATER = {
    "data": "calendar",
    "training": "compile",
    "tune": "trials timeout storage space",
}


def dotted(table: dict[str, str]) -> list[str]:
    return [f"{section}.{name}" for section, names in table.items() for name in names.split()]


def test_the_keys_are_those_of_the_contract_in_its_order() -> None:
    later = dotted(LATER)
    assert list(KEYS) == ["schema_version", *(key for key in dotted(CONTRACT) if key not in later)]
    assert set(PLANNED_KEYS) == set(later)


@pytest.mark.parametrize("key", dotted(LATER))
def test_a_key_of_a_later_version_says_so_from_everywhere(key: str, tmp_path: Path) -> None:
    section = key.partition(".")[0]
    whole = section == "tune"
    found = problem(tmp_path, key_text(key, "5"))
    assert found.id == "config.not_in_version"
    assert found.message == f"{section if whole else key} is not in this version"
    line = 3 if section == "data" or whole else 4
    assert found.where == f"stock.yaml:{line}:{1 if whole else 3}"
    name = f"LSTM_FORECAST_{key.upper().replace('.', '__')}"
    from_set, from_environment = (
        problems(tmp_path, sets=[f"{key}=5"]),
        problems(tmp_path, environ={name: "5"}),
    )
    assert {p.message for p in (*from_set, *from_environment)} == {f"{key} is not in this version"}
    assert {p.id for p in (*from_set, *from_environment)} == {"config.not_in_version"}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("training.epoch", "training.epochs"),
        ("training.bacth_size", "training.batch_size"),
        ("model.hiddenSize", "model.hidden_size"),
        ("window.look_bak", "window.lookback"),
        ("data.seperator", "data.separator"),
        ("timesteps", "window.lookback"),
        ("time_step", "window.lookback"),
        ("look_back", "window.lookback"),
        ("seq_len", "window.lookback"),
        ("input_size", "window.lookback"),
        ("model.window", "window.lookback"),
        ("data.window_size", "window.lookback"),
        ("units", "model.hidden_size"),
        ("model.hidden", "model.hidden_size"),
        ("learning_rate", "training.lr"),
        ("training.learning-rate", "training.lr"),
        ("val_split", "split.validation"),
        ("split.val", "split.validation"),
        ("early_stopping", "training.patience"),
        ("epoch", "training.epochs"),
        ("layers", "model.num_layers"),
        ("model.activation", "model.nonlinearity"),
        ("training.gradient_clip_val", "training.clip_norm"),
        ("epochs", "training.epochs"),
        ("model.epochs", "training.epochs"),
        ("data.lookback", "window.lookback"),
        ("training.cell", "model.cell"),
        ("data.delimiter", "data.separator"),
        ("freq", "data.frequency"),
        ("csv", "data.path"),
        ("horizon", "window.horizon or forecast.horizon"),
        ("threads", "training.threads"),
        ("timeout", "tune.timeout (not in this version) or training.max_time"),
        ("training.timeout", "training.max_time"),
        ("seasonality", "data.season"),
        ("data.sp", "data.season"),
        ("m", "data.season"),
        ("data.boxcox", "data.transform"),
        ("target_transform", "data.transform"),
        ("percentiles", "model.quantiles"),
        ("model.levels", "model.quantiles"),
        ("n_models", "training.ensemble"),
        ("training.seeds", "training.ensemble"),
        ("training.tb", "training.tensorboard"),
        ("logger", "training.tensorboard"),
        ("evaluation.baseline", "evaluation.baselines"),
        ("evaluation.n_windows", "evaluation.origins"),
        ("evaluation.refit", "evaluation.refit_every"),
        ("evaluaton", "evaluation"),
        ("level", "forecast.intervals.levels"),
        ("levels", "forecast.intervals.levels or model.quantiles"),
        ("forecast.levels", "forecast.intervals.levels"),
        ("forecast.coverage", "forecast.intervals.levels"),
        ("forecast.alpha", "forecast.intervals.levels"),
        ("training.alpha", "training.lr"),
        ("alpha", "training.lr or forecast.intervals.levels"),
        ("intervals", "forecast.intervals"),
        ("forecast.interval", "forecast.intervals"),
        ("data.interval", "data.frequency"),
        ("forecast.intervals.confidence", "forecast.intervals.levels"),
        ("forecast.intervals.metod", "forecast.intervals.method"),
        ("forecast.intervals.lookback", "window.lookback"),
        ("trainig", "training"),
        ("modell", "model"),
        ("shema_version", "schema_version"),
    ],
)
def test_row_12_an_unknown_key_names_the_one_that_was_meant(key: str, meant: str, tmp_path: Path) -> None:
    found = problem(tmp_path, key_text(key, "5"))
    assert found.id == "config.unknown_key"
    assert found.message == f"unknown key {key}"
    assert found.hint == f"did you mean {meant}?"


def test_an_unknown_key_without_a_near_one_lists_what_there_is(tmp_path: Path) -> None:
    assert problem(tmp_path, key_text("split.qqq", "5")).hint == "keys of split: validation, test"
    assert problem(tmp_path, key_text("qqq", "5")).hint == (
        "sections: run, data, split, window, scaling, model, training, evaluation, forecast"
    )


def test_an_unknown_section_is_reported_once(tmp_path: Path) -> None:
    found = problem(tmp_path, f"{DATA}trainig:\n  epochs: 5\n  lr: 1\n")
    assert (found.where, found.message, found.hint) == (
        "stock.yaml:3:1",
        "unknown key trainig",
        "did you mean training?",
    )


def test_a_value_for_a_whole_section_names_the_key_that_was_meant(tmp_path: Path) -> None:
    found = problem(tmp_path, f"{DATA}window: 60\n")
    assert (found.id, found.hint) == ("config.type", "did you mean window.lookback?")
    assert found.message == "window: expected a section with keys, got 60"
    assert problem(tmp_path, f"{DATA}model: lstm\n").hint == "did you mean model.cell?"
    assert problem(tmp_path, f"{DATA}training: [1]\n").message.endswith("got [1]")


def test_a_section_without_keys_is_fine(tmp_path: Path) -> None:
    for text in (
        "training:\nmodel: {}\n",
        "training: null\n",
        "forecast:\n  intervals:\n",
        "forecast: {intervals: {}}\n",
    ):
        assert load(tmp_path, DATA + text).config == load(tmp_path).config


@pytest.mark.parametrize(
    "text",
    [
        "forecast:\n  intervals:\n    levels: [90]\n    scale: none\n",
        "forecast:\n  intervals: {levels: [90], scale: none}\n",
        "forecast: {intervals: {levels: [90], scale: none}}\n",
        "forecast: {intervals.levels: [90], intervals.scale: none}\n",
        "forecast.intervals: {levels: [90], scale: none}\n",
        "forecast.intervals.levels: [90]\nforecast: {intervals: {scale: none}}\n",
    ],
)
def test_a_section_in_a_section_is_read_in_every_spelling(text: str, tmp_path: Path) -> None:
    intervals = load(tmp_path, DATA + text).config.forecast.intervals
    assert (intervals.levels, intervals.method, intervals.scale) == ((90,), "conformal", "none")


@pytest.mark.parametrize(
    ("value", "got", "hint"),
    [
        ("none", '"none"', "write forecast.intervals.method: none"),
        ("no", "false", "write forecast.intervals.method: none"),
        ("null", "null", "write forecast.intervals.method: none"),
        ("~", "null", "write forecast.intervals.method: none"),
        ("conformal", '"conformal"', "write forecast.intervals.method: conformal"),
        ("volatility", '"volatility"', "write forecast.intervals.scale: volatility"),
        ("[80, 95]", "[80, 95]", "write forecast.intervals.levels: [80, 95]"),
        ("90", "90", "write forecast.intervals.levels: [90]"),
        ("yes", "true", "keys of forecast.intervals: levels, method, scale"),
        ("[]", "[]", "keys of forecast.intervals: levels, method, scale"),
    ],
)
def test_a_value_for_an_inner_section_names_the_key_that_takes_it(
    value: str, got: str, hint: str, tmp_path: Path
) -> None:
    found = problem(tmp_path, f"{DATA}forecast:\n  intervals: {value}\n")
    assert (found.id, found.where) == ("config.type", "stock.yaml:4:3")
    assert found.message == f"forecast.intervals: expected a section with keys, got {got}"
    assert found.hint == hint
    for given in ({"sets": [f"forecast.intervals={value}"]}, {"environ": {INTERVALS: value}}):
        (found,) = problems(tmp_path, **given)  # type: ignore[arg-type]
        assert found.message == "forecast.intervals is a section, not a key"
        assert found.hint == hint.replace("keys of forecast.intervals", "give one of its keys")


def test_the_keys_of_a_section_are_listed_with_those_of_the_section_in_it(tmp_path: Path) -> None:
    assert problem(tmp_path, key_text("forecast.qqq", "5")).hint == (
        "keys of forecast: horizon, minimum, intervals.levels, intervals.method, intervals.scale"
    )
    found = problem(tmp_path, f"{DATA}forecast: {{intervals: {{qqq: 5}}}}\n")
    assert found.hint == "keys of forecast.intervals: levels, method, scale"
    assert found.where == "stock.yaml:3:24"
    (found,) = problems(tmp_path, sets=["intervals.levels=[80]"])
    assert found.hint == "did you mean forecast.intervals.levels?"
    (found,) = problems(tmp_path, environ={f"{INTERVALS}__LEVEL": "[80]"})
    assert found.hint == f"did you mean {INTERVALS}__LEVELS?"
    assert problem(tmp_path, f"{DATA}forecast: 12\n").hint.startswith("keys of forecast: horizon, ")


def test_row_12_all_problems_come_in_one_report_each_with_its_place(tmp_path: Path) -> None:
    text = f"{DATA}epochs: 5\ntraining:\n  epoch: 3\n  lr: nan\n  epochs: true\ntune: {{trials: 3}}\n"
    found = problems(tmp_path, text, sets=["x=1"], environ={"LSTM_FORECAST_MODEL__CELL": "x"})
    assert sorted((p.where, p.id) for p in found) == [
        ("--set", "config.unknown_key"),
        ("LSTM_FORECAST_MODEL__CELL", "config.choice"),
        ("stock.yaml:3:1", "config.unknown_key"),
        ("stock.yaml:5:3", "config.unknown_key"),
        ("stock.yaml:6:3", "config.type"),
        ("stock.yaml:7:3", "config.type"),
        ("stock.yaml:8:1", "config.not_in_version"),
    ]


def test_the_report_on_the_terminal_shows_every_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{DATA}epochs: 5\ntraining: {{lr: 0}}\n")
    lines = str(caught.value).splitlines()
    assert lines == [
        f"error[config.unknown_key]: {tmp_path}/stock.yaml:3:1: unknown key epochs",
        "  hint: did you mean training.epochs?",
        f"error[config.range]: {tmp_path}/stock.yaml:4:12: training.lr: {LR}, got 0",
    ]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every name whose spelling is compared: the part of a report that costs time."""
    lengths: list[int] = []
    compare = suggestions.nearest

    def counting(word: str, candidates: Sequence[str]) -> str | None:
        lengths.append(len(word))
        return compare(word, candidates)

    monkeypatch.setattr(suggestions, "nearest", counting)
    return lengths


def test_row_12_thousands_of_unknown_keys_give_a_short_report_after_few_comparisons(
    tmp_path: Path, compared: list[int]
) -> None:
    text = DATA + "".join(f"some_key_{i}: {i}\n" for i in range(4000))
    found = problems(tmp_path, text)
    assert len(found) == 26
    assert found[-1].message == "3975 more unknown keys"
    assert 25 <= len(compared) <= 4 * 25


def test_a_huge_key_is_cut_in_the_message_and_before_it_is_compared(
    tmp_path: Path, compared: list[int]
) -> None:
    found = problem(tmp_path, f'{DATA}? "{"k" * 100_000}"\n: 1\n')
    assert 0 < max(compared) < 100
    assert len(found.message) < 100


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("data:\n  path: a\n  path: b\n", "stock.yaml:3:3", "data.path stands twice; the first is on line 2"),
        ("data: {path: a}\ndata: {time: t}\n", "stock.yaml:2:1", "data stands twice; the first is on line 1"),
        (f"{DATA}run:\nrun:\n", "stock.yaml:4:1", "run stands twice; the first is on line 3"),
        (
            f"{DATA}forecast:\n  intervals:\n    levels: [80]\n    levels: [80]\n",
            "stock.yaml:6:5",
            "forecast.intervals.levels stands twice; the first is on line 5",
        ),
        (
            f"{DATA}forecast:\n  intervals: {{}}\n  intervals: {{levels: [80]}}\n",
            "stock.yaml:5:3",
            "forecast.intervals stands twice; the first is on line 4",
        ),
        (
            f"{DATA}forecast: {{intervals: {{scale: none}}}}\nforecast.intervals.scale: none\n",
            "stock.yaml:4:1",
            "forecast.intervals.scale stands twice; the first is on line 3",
        ),
    ],
)
def test_row_13_a_key_that_stands_twice_is_refused(
    text: str, where: str, message: str, tmp_path: Path
) -> None:
    found = problem(tmp_path, text)
    assert (found.id, found.where, found.message) == ("config.duplicate", where, message)


@pytest.mark.parametrize(
    ("text", "id", "message"),
    [
        ("", "config.empty", "the file is empty"),
        ("# nothing\n", "config.empty", "the file is empty"),
        ("- a\n- b\n", "config.not_mapping", "expected sections with keys, got a list"),
        ("just words\n", "config.not_mapping", 'expected sections with keys, got "just words"'),
        ("a: 1\n---\nb: 2\n", "config.documents", "a second document begins here"),
        ("run: {name: x}\n", "config.missing", "data.path is missing"),
    ],
)
def test_row_15_a_file_of_another_shape_is_refused(text: str, id: str, message: str, tmp_path: Path) -> None:
    found = problem(tmp_path, text)
    assert (found.id, found.message) == (id, message)
    assert found.hint


def test_row_17_a_newer_form_is_refused_alone(tmp_path: Path) -> None:
    found = problem(tmp_path, f"schema_version: 2\n{DATA}brand_new: 1\n")
    assert found.id == "config.newer"
    assert found.message == "schema_version 2 needs a newer version; this one reads schema_version 1"
    assert found.where == "stock.yaml:1:1"


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "stock.yaml").write_text(DATA)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "stok.yaml", environ={})
    assert (caught.value.id, caught.value.where) == ("config.not_found", str(tmp_path / "stok.yaml"))
    assert caught.value.hint == f"did you mean {tmp_path / 'stock.yaml'}?"


def test_a_folder_or_an_impossible_name_is_no_configuration(tmp_path: Path) -> None:
    for path in (tmp_path, Path("a\0b"), tmp_path / ("x" * 300)):
        with pytest.raises(ConfigError) as caught:
            load_config(path, environ={})
        assert [p.id for p in caught.value.problems] == ["config.unreadable"]
