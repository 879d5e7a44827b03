"""What `auto` becomes, and which keys do not go together."""

from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lstm_forecast.config import KEYS, dump_config, load_config, parse_config, settle
from lstm_forecast.errors import ConfigError
from tests.config.writing_files import DATA, load

TABLE = [  # keys that were set; supervision, normalize, stride; the keys that a line is said about
    ([], "every_step", "diff", 10, "supervision normalize stride"),
    (["model.bidirectional=true"], "last", "none", 1, "supervision normalize stride"),
    (["model.readout=cell"], "last", "none", 1, "supervision normalize stride"),
    (["model.readout=both"], "last", "none", 1, "supervision normalize stride"),
    (["model.anchor=none"], "every_step", "none", 10, "supervision normalize stride"),
    (["model.supervision=last"], "last", "none", 1, "normalize stride"),
    (["model.supervision=every_step"], "every_step", "diff", 10, "normalize stride"),
    (["model.supervision=auto"], "every_step", "diff", 10, "supervision normalize stride"),
    (["model.supervision=last", "model.normalize=diff"], "last", "diff", 1, "stride"),
    (["model.normalize=none"], "every_step", "none", 10, "supervision stride"),
    (["model.normalize=diff", "model.bidirectional=true"], "last", "diff", 1, "supervision stride"),
    (["model.normalize=last"], "last", "last", 1, "supervision stride"),
    (["model.normalize=mean_std"], "last", "mean_std", 1, "supervision stride"),
    (["model.anchor=seasonal"], "every_step", "diff", 10, "supervision normalize stride"),
    (["training.steps_per_epoch=9"], "every_step", "diff", 1, "supervision normalize stride"),
    (["window.lookback=5"], "every_step", "diff", 1, "supervision normalize stride"),
    (["window.lookback=12"], "every_step", "diff", 2, "supervision normalize stride"),
    (["window.lookback=17"], "every_step", "diff", 2, "supervision normalize stride"),
    (["window.stride=3"], "every_step", "diff", 3, "supervision normalize"),
    (["window.stride=3", "model.supervision=last"], "last", "none", 3, "normalize"),
    (["window.stride=500"], "every_step", "diff", 500, "supervision normalize"),
]


@pytest.mark.parametrize(("sets", "supervision", "normalize", "stride", "said"), TABLE)
def test_auto_gives_way_and_says_what_it_became(
    sets: list[str], supervision: str, normalize: str, stride: int, said: str, tmp_path: Path
) -> None:
    config, lines = settle(load(tmp_path, sets=sets))
    assert (config.model.supervision, config.model.normalize) == (supervision, normalize)
    assert config.window.stride == stride
    values = {"supervision": supervision, "normalize": normalize, "stride": stride}
    assert [line.partition(",")[0] for line in lines] == [
        f"{'window' if key == 'stride' else 'model'}.{key}: {values[key]}" for key in said.split()
    ]
    assert all(", because " in line and "\n" not in line for line in lines)


def test_settling_changes_nothing_else(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    config, _ = settle(loaded)
    before, after = loaded.config.model_dump(), config.model_dump()
    before["model"].update(supervision="every_step", normalize="diff")
    before["window"].update(stride=10)
    before["data"].update(calendar_features="none")
    assert after == before


def test_an_activation_that_the_default_cell_does_not_use_is_said(tmp_path: Path) -> None:
    config, lines = settle(load(tmp_path, sets=["model.nonlinearity=relu"]))
    assert config.model.nonlinearity == "tanh"
    assert "model.nonlinearity: tanh, because cell lstm has no other" in lines
    config, lines = settle(load(tmp_path, sets=["model.nonlinearity=relu", "model.cell=rnn"]))
    assert config.model.nonlinearity == "relu"
    assert not any("nonlinearity" in line for line in lines)


@pytest.mark.parametrize(("segment", "lookback"), [(24, 48), (7, 56), (61, 61), (200, 200)])
def test_a_lookback_that_nobody_set_holds_whole_segments(segment: int, lookback: int, tmp_path: Path) -> None:
    config, lines = settle(load(tmp_path, sets=[f"model.segment={segment}"]))
    assert config.window.lookback == lookback
    why = f"model.segment: {segment} reads 60 steps in no whole segments"
    assert lines[0] == f"window.lookback: {lookback}, because {why}"
    assert f"a sixth of lookback {lookback}," in lines[-1]
    assert "lookback" not in settle(load(tmp_path, sets=["model.segment=12"]))[1][0]


SAID = [  # keys that were set; what becomes of others; what is said about them
    (
        ["data.transform=diff"],
        {"model.anchor": "none", "model.normalize": "none"},
        [
            "model.anchor: none, because data.transform: diff already forecasts changes",
            "model.normalize: none, because data.transform: diff already forecasts changes",
        ],
    ),
    (
        ["data.transform=diff", "model.anchor=none", "model.supervision=last"],
        {"model.anchor": "none", "model.normalize": "none"},
        ["model.normalize: none, because data.transform: diff already forecasts changes"],
    ),
    (["data.transform=diff", "model.anchor=none", "model.normalize=none"], {"model.normalize": "none"}, []),
    (["data.transform=log", "model.normalize=diff"], {"model.anchor": "last"}, []),
    (
        ["data.holidays=DE"],
        {"data.calendar_features": ("holiday",)},
        ["data.calendar_features: [holiday], because data.holidays is DE"],
    ),
    (["data.calendar_features=[month]"], {"data.calendar_features": ("month",)}, []),
    (
        ["model.head=quantile"],
        {"forecast.intervals.method": "quantile", "forecast.intervals.levels": (80, 95)},
        ["forecast.intervals.method: quantile, because model.head is quantile"],
    ),
    (["model.head=quantile", "forecast.intervals.method=none"], {"forecast.intervals.method": "none"}, []),
    (
        ["model.head=quantile", "forecast.intervals.method=conformal", "forecast.intervals.levels=[90]"],
        {"forecast.intervals.method": "conformal", "forecast.intervals.levels": (90,)},
        [],
    ),
    (
        ["forecast.intervals.method=quantile"],
        {"model.head": "quantile"},
        ["model.head: quantile, because forecast.intervals.method is quantile"],
    ),
    (
        ["forecast.intervals.method=quantile", "training.loss=pinball"],
        {"model.head": "quantile"},
        ["model.head: quantile, because forecast.intervals.method is quantile"],
    ),
    (
        ["model.head=quantile", "model.quantiles=[0.1, 0.5, 0.9000000001]", "forecast.intervals.levels=[80]"],
        {"forecast.intervals.levels": (80,)},  # a billionth is no difference
        ["forecast.intervals.method: quantile, because model.head is quantile"],
    ),
    (
        ["training.loss=pinball"],
        {"model.head": "quantile", "forecast.intervals.method": "quantile"},
        [
            "model.head: quantile, because training.loss is pinball",
            "forecast.intervals.method: quantile, because model.head is quantile",
        ],
    ),
    (
        ["model.head=quantile", "forecast.intervals.method=quantile", "model.quantiles=[0.1, 0.5, 0.9]"],
        {"forecast.intervals.levels": (80,)},
        ["forecast.intervals.levels: [80], because model.quantiles: [0.1, 0.5, 0.9] has no pair for 95"],
    ),
    (
        [
            "model.head=quantile",
            "forecast.intervals.method=quantile",
            "model.quantiles=[0.05, 0.25, 0.5, 0.75, 0.95]",
            "forecast.intervals.levels=[90, 50]",
        ],
        {"forecast.intervals.levels": (50, 90)},
        [],
    ),
    (
        ["model.quantiles=[0.5]", "forecast.intervals.levels=[33]"],
        {"model.head": "point", "forecast.intervals.method": "conformal"},
        [],
    ),
    (
        ["split.validation=0"],
        {"training.patience": None, "forecast.intervals.method": "none", "evaluation.gate": "none"},
        [
            "training.patience: null, because split.validation: 0 leaves no rows that it could go by",
            "forecast.intervals.method: none, because split.validation: 0 leaves no rows that it could go by",
        ],
    ),
    (
        ["split.validation=0", "training.patience=null", "model.head=quantile"],
        {"forecast.intervals.method": "none", "model.head": "quantile"},
        ["forecast.intervals.method: none, because split.validation: 0 leaves no rows that it could go by"],
    ),
    (
        ["split.validation=0", "training.patience=null", "forecast.intervals.method=none"],
        {"split.validation": 0},
        [],
    ),
    (["training.ensemble=5", "evaluation.refit_every=3", "training.loss=mae"], {"training.loss": "mae"}, []),
    (["model.head=point", "training.loss=huber"], {"forecast.intervals.method": "conformal"}, []),
]
USUAL = ("model.supervision: every_step,", "model.normalize: diff,", "window.stride:")


@pytest.mark.parametrize(("sets", "values", "said"), SAID)
def test_a_default_gives_way_to_the_keys_that_were_set_and_says_so(
    sets: list[str], values: dict[str, object], said: list[str], tmp_path: Path
) -> None:
    config, lines = settle(load(tmp_path, sets=sets))
    for key, value in values.items():
        part: object = config
        for name in key.split("."):
            part = getattr(part, name)
        assert part == value
    assert [line for line in lines if not line.startswith(USUAL)] == said
    quantile = config.model.head == "quantile"
    assert (config.training.loss == "pinball") == quantile


@pytest.mark.parametrize("level", [1, 33, 50, 68.27, 80, 90, 95, 99, 99.9])
def test_a_level_has_its_pair_where_the_quantiles_are_the_decimals_that_people_write(
    level: float, tmp_path: Path
) -> None:
    low, high = {  # (1 - level) / 2 and (1 + level) / 2, in decimals by hand
        1: (0.495, 0.505),
        33: (0.335, 0.665),
        50: (0.25, 0.75),
        68.27: (0.15865, 0.84135),
        80: (0.1, 0.9),
        90: (0.05, 0.95),
        95: (0.025, 0.975),
        99: (0.005, 0.995),
        99.9: (0.0005, 0.9995),
    }[level]
    fixed = ["model.head=quantile", f"forecast.intervals.levels=[{level}]"]
    config, _ = settle(load(tmp_path, sets=[*fixed, f"model.quantiles=[{low}, 0.5, {high}]"]))
    assert config.forecast.intervals.levels == (level,)
    with pytest.raises(ConfigError) as caught:
        settle(load(tmp_path, sets=[*fixed, f"model.quantiles=[{low + 1e-5}, 0.5, {high - 1e-5}]"]))
    assert caught.value.message.endswith(f"{level} needs the quantiles {low} and {high}")


CONFLICTS = [  # keys that were set; the message's beginning; the hint
    (
        ["model.supervision=every_step", "model.bidirectional=true"],
        "model.supervision: every_step and model.bidirectional: true do not go together",
        "write model.supervision: last, or model.bidirectional: false",
    ),
    (
        ["model.supervision=every_step", "model.readout=cell"],
        "model.supervision: every_step and model.readout: cell do not go together",
        "write model.supervision: last, or model.readout: hidden",
    ),
    (
        ["model.supervision=every_step", "model.readout=both"],
        "model.supervision: every_step and model.readout: both do not go together",
        "write model.supervision: last, or model.readout: hidden",
    ),
    (
        ["model.supervision=every_step", "model.normalize=mean_std"],
        (
            "model.supervision: every_step and model.normalize: mean_std do not go together: "
            "earlier steps of the window would see its end"
        ),
        "write model.supervision: last, or model.normalize: diff",
    ),
    (
        ["window.lookback=50", "model.segment=24"],
        "window.lookback: 50 and model.segment: 24 do not go together: 50 steps are not whole segments of 24",
        "write window.lookback: 48, or model.segment: 1",
    ),
    (
        ["training.steps_per_epoch=5", "window.stride=3"],
        "training.steps_per_epoch: 5 and window.stride: 3 do not go together: the first draws from all",
        "remove window.stride or training.steps_per_epoch",
    ),
    (
        ["data.transform=diff", "training.loss=[smape, mase]"],
        "data.transform: diff and training.loss: [smape, mase] do not go together",
        "write training.loss: mae, or data.transform: none",
    ),
    (
        ["data.transform=diff", "model.anchor=seasonal"],
        "data.transform: diff and model.anchor: seasonal do not go together: the forecast would repeat the",
        "write model.anchor: none, or data.transform: none",
    ),
    (
        ["data.target=[a, b]", "data.static_covariates=[c]"],
        "data.target: [a, b] and data.static_covariates: [c] do not go together: in a wide file one column",
        "remove data.static_covariates, or give a long file with data.series_id",
    ),
    (
        ["data.future_path=/b.csv"],
        "data.future_path: /b.csv and data.future_covariates: [] do not go together: nothing is read",
        "name its columns in data.future_covariates, or remove data.future_path",
    ),
    (
        ["data.calendar_features=[holiday]"],
        "data.calendar_features: [holiday] and data.holidays: null do not go together: nobody says",
        "set data.holidays to a country code or a file of dates",
    ),
    (
        ["data.holidays=DE", "data.calendar_features=[month]"],
        "data.calendar_features: [month] and data.holidays: DE do not go together: the holidays would not",
        "add holiday to data.calendar_features, or remove data.holidays",
    ),
    (
        ["model.normalize=diff", "model.anchor=none"],
        "model.normalize: diff and model.anchor: none do not go together: the network would see no level",
        "write model.anchor: last, or model.normalize: none",
    ),
    (
        ["model.nonlinearity=relu", "model.cell=gru"],
        "model.nonlinearity: relu and model.cell: gru do not go together",
        "write model.cell: rnn, or remove model.nonlinearity",
    ),
    (
        ["model.readout=cell", "model.cell=gru"],
        "model.readout: cell and model.cell: gru do not go together: cell gru has no cell state",
        "write model.readout: hidden, or model.cell: lstm",
    ),
    (
        ["model.readout=both", "model.cell=rnn"],
        "model.readout: both and model.cell: rnn do not go together: cell rnn has no cell state",
        "write model.readout: hidden, or model.cell: lstm",
    ),
    (
        ["model.hidden_size=[5, 6, 7]", "model.num_layers=2"],
        "model.hidden_size: [5, 6, 7] and model.num_layers: 2 do not go together: the list has 3 widths",
        "write model.num_layers: 3, or remove it",
    ),
    (
        ["split.validation=0", "training.patience=5"],
        (
            "split.validation: 0 and training.patience: 5 do not go together: "
            "it is the error on validation rows that ends a training"
        ),
        "write training.patience: null, or split.validation: 0.1",
    ),
    (
        ["split.validation=0", "training.schedule=plateau"],
        "split.validation: 0 and training.schedule: plateau do not go together",
        "write training.schedule: cosine, or split.validation: 0.1",
    ),
    (
        ["split.validation=0", "evaluation.gate=baseline"],
        "split.validation: 0 and evaluation.gate: baseline do not go together",
        "write evaluation.gate: none, or split.validation: 0.1",
    ),
    (
        ["split.validation=0", "forecast.intervals.method=conformal"],
        "split.validation: 0 and forecast.intervals.method: conformal do not go together",
        "write forecast.intervals.method: none, or split.validation: 0.1",
    ),
    (
        ["split.validation=0", "forecast.intervals.levels=[90]"],
        "split.validation: 0 and forecast.intervals.levels: [90] do not go together",
        "remove forecast.intervals.levels, or write split.validation: 0.1",
    ),
    (
        ["split.validation=0.5", "split.test=0.45"],
        "split.validation: 0.5 and split.test: 0.45 do not go together: together they leave no rows",
        "write split.validation: 0.1 and split.test: 0.1",
    ),
    (
        ["split.validation=0.95"],
        "split.validation: 0.95 and split.test: 0.1 do not go together: together they leave no rows",
        "write split.validation: 0.1 and split.test: 0.1",
    ),
    (
        ["data.target=[a, b]", "data.series_id=id"],
        "data.target: [a, b] and data.series_id: id do not go together",
        "remove data.series_id, or write one column for data.target",
    ),
    (
        ["data.decimal='.'", "data.thousands='.'"],
        'data.decimal: "." and data.thousands: "." do not go together: one character cannot be both',
        "remove data.thousands",
    ),
    (
        ["data.transform=diff", "model.anchor=last"],
        "data.transform: diff and model.anchor: last do not go together: the forecast would repeat the last",
        "write model.anchor: none, or data.transform: none",
    ),
    (
        ["data.transform=diff", "model.normalize=diff"],
        "data.transform: diff and model.normalize: diff do not go together: the network would see changes of",
        "write model.normalize: none, or data.transform: none",
    ),
    (
        ["model.head=quantile", "training.loss=mse"],
        (
            "model.head: quantile and training.loss: mse do not go together: "
            "the quantile head has its own loss, pinball"
        ),
        "write training.loss: pinball, or model.head: point",
    ),
    (
        ["model.head=quantile", "forecast.intervals.method=quantile", "training.loss=mse"],
        "model.head: quantile and training.loss: mse do not go together",
        "write training.loss: pinball, or model.head: point",
    ),
    (
        ["model.head=point", "training.loss=pinball"],
        "model.head: point and training.loss: pinball do not go together",
        "write model.head: quantile, or remove training.loss",
    ),
    (
        ["model.head=point", "forecast.intervals.method=quantile"],
        "forecast.intervals.method: quantile and model.head: point do not go together",
        "write model.head: quantile, or forecast.intervals.method: conformal",
    ),
    (
        ["training.loss=huber", "forecast.intervals.method=quantile"],
        "forecast.intervals.method: quantile and training.loss: huber do not go together",
        "remove training.loss, or write forecast.intervals.method: conformal",
    ),
    (
        ["model.head=quantile", "forecast.intervals.levels=[80, 90]"],
        (
            "forecast.intervals.levels: [80, 90] and model.quantiles: [0.025, 0.1, 0.5, 0.9, 0.975] "
            "do not go together: 90 needs the quantiles 0.05 and 0.95"
        ),
        (
            "write model.quantiles: [0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975], "
            "or forecast.intervals.levels: [80, 95]"
        ),
    ),
    (
        ["forecast.intervals.method=quantile", "forecast.intervals.levels=[50, 80, 90]"],
        (
            "forecast.intervals.levels: [50, 80, 90] and model.quantiles: [0.025, 0.1, 0.5, 0.9, 0.975] "
            "do not go together: 50 and 90 need the quantiles 0.05, 0.25, 0.75 and 0.95"
        ),
        (
            "write model.quantiles: [0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975], "
            "or forecast.intervals.levels: [80, 95]"
        ),
    ),
    (
        ["model.head=quantile", "model.quantiles=[0.05, 0.5, 0.95]"],
        (
            "forecast.intervals.levels: [80, 95] and model.quantiles: [0.05, 0.5, 0.95] do not go together: "
            "80 and 95 need the quantiles 0.025, 0.1, 0.9 and 0.975"
        ),
        (
            "write model.quantiles: [0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975], "
            "or forecast.intervals.levels: [90]"
        ),
    ),
    (
        ["forecast.intervals.method=quantile", "model.quantiles=[0.5]"],
        "forecast.intervals.levels: [80, 95] and model.quantiles: [0.5] do not go together: ",
        "write model.quantiles: [0.025, 0.1, 0.5, 0.9, 0.975], or forecast.intervals.method: none",
    ),
]


@pytest.mark.parametrize(("sets", "message", "hint"), CONFLICTS)
def test_keys_that_do_not_go_together_are_both_named(
    sets: list[str], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        settle(load(tmp_path, sets=sets))
    (found,) = caught.value.problems
    assert (found.id, found.where, found.hint) == ("config.conflict", "--set", hint)
    assert found.message.startswith(message)


def test_a_conflict_names_both_places_and_all_conflicts_come_together(tmp_path: Path) -> None:
    text = f"{DATA}model:\n  bidirectional: true\n  normalize: diff\n"
    with pytest.raises(ConfigError) as caught:
        settle(load(tmp_path, text, sets=["model.supervision=every_step", "model.anchor=none"]))
    assert [p.where for p in caught.value.problems] == ["--set and stock.yaml:4", "stock.yaml:5 and --set"]
    text = f"{DATA}forecast:\n  intervals:\n    method: quantile\n    levels: [90]\n"
    with pytest.raises(ConfigError) as caught:
        settle(load(tmp_path, text, sets=["model.head=point"]))
    assert [p.where for p in caught.value.problems] == ["stock.yaml:5 and --set", "stock.yaml:6"]


def test_the_line_to_write_settles_the_conflict_of_levels_and_quantiles(tmp_path: Path) -> None:
    sets = ["model.head=quantile", "forecast.intervals.levels=[12.5, 80, 99]"]
    with pytest.raises(ConfigError) as caught:
        settle(load(tmp_path, sets=sets))
    line, _, other = caught.value.hint.removeprefix("write ").partition(", or ")
    key, _, value = line.partition(": ")
    assert settle(load(tmp_path, sets=[*sets, f"{key}={value}"]))[0].forecast.intervals.levels == (
        12.5,
        80,
        99,
    )
    key, _, value = other.partition(": ")
    config, _ = settle(load(tmp_path, sets=[sets[0], f"{key}={value}"]))
    assert config.forecast.intervals.levels == (80, 95)


@pytest.mark.parametrize(
    "sets",
    [
        ["model.readout=cell", "model.cell=lstm_peephole"],
        ["model.nonlinearity=tanh", "model.cell=gru"],
        ["model.hidden_size=[5, 6]", "model.num_layers=2"],
        ["model.hidden_size=9", "model.num_layers=5"],
        ["model.initial_state=learned", "model.supervision=every_step"],
        ["window.stride=7", "model.supervision=last"],
        ["split.validation=2024-01-01", "split.test=0.99"],
        ["split.validation=500", "split.test=0"],
        ["data.target=[a, b]", "data.past_covariates=[c]"],
        ["data.target=[a, b]", "data.future_covariates=[c]", "data.future_path=b.csv"],
        ["data.holidays=DE", "data.calendar_features=[hour, holiday]"],
    ],
)
def test_keys_that_go_together_pass(sets: list[str], tmp_path: Path) -> None:
    config, _ = settle(load(tmp_path, sets=sets))
    assert config.model.supervision in ("last", "every_step")  # settled, not refused


@pytest.mark.parametrize(
    "sets",
    [row[0] for row in TABLE]
    + [["model.nonlinearity=relu"], ["model.hidden_size=[4, 3]"], ["training.loss=[smape, mase]"]],
)
def test_a_settled_configuration_loads_again_and_settles_to_itself(sets: list[str], tmp_path: Path) -> None:
    config, _ = settle(load(tmp_path, sets=sets))
    again, lines = settle(parse_config(dump_config(config).encode(), where="config.yaml"))
    assert again == config
    assert lines == []


CHOICES: dict[str, list[object]] = {  # every key that a rule of settling looks at
    "data.transform": ["none", "log", "log1p", "diff"],
    "data.target": [None, "a", ["a", "b"]],
    "data.series_id": [None, "id"],
    "split.validation": [0.1, 0.6],
    "split.test": [0.1, 0.4],
    "window.stride": ["auto", 3],
    "model.cell": ["lstm", "gru", "rnn"],
    "model.num_layers": [2, 3],
    "model.hidden_size": [50, [4, 3]],
    "model.nonlinearity": ["tanh", "relu"],
    "model.bidirectional": [False, True],
    "model.readout": ["hidden", "cell"],
    "window.lookback": [60, 9],
    "model.segment": [1, 3],
    "model.normalize": ["auto", "none", "diff", "last", "mean_std"],
    "model.anchor": ["none", "last", "seasonal"],
    "training.steps_per_epoch": [None, 4],
    "model.supervision": ["auto", "last", "every_step"],
    "model.head": ["point", "quantile"],
    "model.quantiles": [[0.025, 0.1, 0.5, 0.9, 0.975], [0.1, 0.5, 0.9], [0.05, 0.5, 0.95], [0.5]],
    "training.loss": ["mse", "huber", "smape", ["mase", "smape"], "pinball"],
    "forecast.intervals.method": ["conformal", "quantile", "none"],
    "forecast.intervals.levels": [[80, 95], [90], [80], [80, 90, 99.5]],
}
INTERVALS = [
    key for key in CHOICES if key.startswith(("forecast.", "training.loss", "model.head", "model.q"))
]
LEVELS = [key for key in CHOICES if key.startswith(("data.transform", "model.norm", "model.anchor"))]


def some(keys: list[str]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(CHOICES[key]) for key in keys})


@settings(max_examples=200, deadline=None)
@given(some(list(CHOICES)) | some(INTERVALS) | some(LEVELS))
def test_settling_leaves_no_contradiction_or_names_it(values: dict[str, object]) -> None:
    flags = {key: (f"--{key}", value) for key, value in values.items()}
    loaded = load_config(None, base={"data.path": "/a.csv"}, flags=flags, environ={})
    try:
        config, lines = settle(loaded)
    except ConfigError as error:
        event("refused")
        for problem in error.problems:
            named = [key for key in values if f"{key}: " in problem.message]
            assert problem.id == "config.conflict"
            assert problem.hint
            assert {f"--{key}" for key in named} == set(problem.where.split(" and "))
        return
    event("settled")
    again = parse_config(dump_config(config).encode(), where="config.yaml")
    assert all(again.was_set(key) for key in KEYS)
    assert settle(again) == (config, [])
    assert "auto" not in (config.model.supervision, config.model.normalize, config.window.stride)
    for key, value in values.items():
        if key not in ("model.nonlinearity", "window.stride") and value != "auto":
            part: object = config
            for name in key.split("."):
                part = getattr(part, name)
            assert part == (tuple(value) if isinstance(value, list) else value), key
    assert len(lines) == len({line.partition(":")[0] for line in lines})
