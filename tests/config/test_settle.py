"""What `auto` becomes, and which keys do not go together."""

from pathlib import Path

import pytest

from lstm_forecast.config import dump_config, parse_config, settle
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
    assert after == before


def test_an_activation_that_the_default_cell_does_not_use_is_said(tmp_path: Path) -> None:
    config, lines = settle(load(tmp_path, sets=["model.nonlinearity=relu"]))
    assert config.model.nonlinearity == "tanh"
    assert "model.nonlinearity: tanh, because cell lstm has no other" in lines
    config, lines = settle(load(tmp_path, sets=["model.nonlinearity=relu", "model.cell=rnn"]))
    assert config.model.nonlinearity == "relu"
    assert not any("nonlinearity" in line for line in lines)


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
    ],
)
def test_keys_that_go_together_pass(sets: list[str], tmp_path: Path) -> None:
    config, _ = settle(load(tmp_path, sets=sets))
    assert config.model.supervision in ("last", "every_step")  # settled, not refused


@pytest.mark.parametrize(
    "sets", [row[0] for row in TABLE] + [["model.nonlinearity=relu"], ["model.hidden_size=[4, 3]"]]
)
def test_a_settled_configuration_loads_again_and_settles_to_itself(sets: list[str], tmp_path: Path) -> None:
    config, _ = settle(load(tmp_path, sets=sets))
    again, lines = settle(parse_config(dump_config(config).encode(), where="config.yaml"))
    assert again == config
    assert lines == []
