"""The configuration that ``init`` writes trains as the bare file does, and survives every name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lstm_forecast.cli.inputs import load_input
from lstm_forecast.config import KEYS, Config, Loaded, config_values, field_table, load_config, parse_config
from lstm_forecast.errors import ConfigError
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan, plan_training
from lstm_forecast.initialising import EVERYDAY, WIDTH, Draft, draft
from lstm_forecast.naming import run_name
from lstm_forecast.opening import opened
from lstm_forecast.pipeline import train
from lstm_forecast.runs.run import Run
from tests.conftest import ROOT
from tests.training.jobs import days, momentum, write_csv

TINY = ["model.hidden_size=3", "model.num_layers=1", "window.lookback=8", "training.epochs=2"]
TINY += ["training.device=cpu", "run.plots=false"]
# A line that shows a default: indent, "# ", the last part of a key, its value, perhaps what it does.
DEFAULT = re.compile(r"^( +)# ([a-z_]+): (.+?)(?: +# .*)?$")


def planned(loaded: Loaded) -> tuple[Plan, list[tuple[str, str]]]:
    events = Events()
    return plan_training(loaded, events), events.warnings


def written(path: Path, *, sets: Sequence[str] = (), file: Path | None = None) -> tuple[Draft, Config]:
    """The text for this file, and the settled configuration of the bare one."""
    loaded = load_input(str(path), sets=sets, flags={})
    plan, warnings = planned(loaded)
    file = file or path.with_suffix(".yaml")
    return draft(
        loaded, plan, warnings=warnings, file=file, given=str(path), name=run_name(loaded)
    ), plan.config


def loaded_from(text: str, file: Path) -> Loaded:
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ={})


def settled(text: str, file: Path) -> Config:
    """What training this text would settle on."""
    return planned(loaded_from(text, file))[0].config


def differing(one: Config, other: Config) -> dict[str, tuple[object, object]]:
    before, after = config_values(one), config_values(other)
    return {key: (before[key], after[key]) for key in KEYS if before[key] != after[key]}


SHIPPED = {
    "stock.csv": [],
    "stock_zh.csv": [],
    "airline.csv": [],
    "demand.csv": [],
    "weather.csv": ["data.target=temp_max", "data.past_covariates=[wind, precipitation]"],
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_settles_on_the_same_keys(name: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    found, bare = written(ROOT / "data" / name, sets=SHIPPED[name], file=file)
    assert differing(bare, settled(found.text, file)) == {}
    assert settled(found.text, file) == bare


ROWS = {
    "no_times": {"value": momentum(200)},
    "monthly": {"month": [f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(200)], "v": momentum(200)},
    "two_columns_of_time": {
        "date": days(200),
        "time": ["09:30"] * 200,
        "close": momentum(200),
    },
    "short": {"date": days(20), "value": momentum(20)},
    "two_rows": {"date": days(2), "value": momentum(2)},
    "few_for_levels": {"date": days(130), "value": momentum(130)},
}


@pytest.mark.parametrize("name", ROWS)
def test_another_file_settles_on_the_same_keys(name: str, tmp_path: Path) -> None:
    csv = write_csv(tmp_path / f"{name}.csv", ROWS[name])
    found, bare = written(csv)
    assert settled(found.text, tmp_path / "a.yaml") == bare


SETS = {
    "both_ways": ["model.bidirectional=true"],
    "quantiles": ["model.head=quantile", "training.loss=pinball"],
    "widths": ["model.hidden_size=[5, 3]"],
    "wide": ["data.target=[a, b]"],
    "default_asked_for": ["window.lookback=60", "data.missing=ffill", "training.refit=none"],
    "durations": ["training.max_time=90m", "data.max_input_age=36600d", "data.max_bytes=1GiB"],
    "no_intervals": ["forecast.intervals.method=none"],
    "named": ["run.name=x y", "run.keep=3"],
    "rarely_seen": ["window.stride=7", "scaling.range=[-1, 1]", "split.test=2024-06-01"],
}


@pytest.mark.parametrize("name", SETS)
def test_what_was_asked_for_is_written_out_too(name: str, tmp_path: Path) -> None:
    columns = {"date": days(250), "a": momentum(250), "b": momentum(250, seed=1)}
    csv = write_csv(tmp_path / "a.csv", columns)
    sets = SETS[name] if name == "wide" else [*SETS[name], "data.target=a"]
    found, bare = written(csv, sets=sets)
    assert settled(found.text, tmp_path / "a.yaml") == bare
    loaded = load_config(tmp_path / "a.yaml", environ={})
    for one in sets:
        assert loaded.was_set(one.partition("=")[0])


def digests(run: Run) -> tuple[str, dict[str, object]]:
    """SHA-256 of the weights, and the resolved configuration without the run's name."""
    values = config_values(opened(run).config)
    del values["run.name"]
    return hashlib.sha256((run.path / "model.safetensors").read_bytes()).hexdigest(), values


def test_training_it_gives_the_weights_of_the_bare_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    csv = write_csv(folder / "a.csv", {"date": days(160), "value": momentum(160)})
    bare = train(load_input(str(csv), sets=TINY, flags={}), runs_dir=tmp_path / "runs")
    found, _ = written(csv, sets=TINY)
    mine = train(loaded_from(found.text, tmp_path / "mine.yaml"), runs_dir=tmp_path / "runs")
    assert mine.run.name == "mine"
    assert digests(mine.run) == digests(bare.run)


def uncommented(text: str) -> list[tuple[str, str]]:
    """(key, text) for each default shown: the file with the "# " of this one line taken away."""
    lines, found, sections = text.splitlines(), [], {2: "", 4: ""}
    for number, line in enumerate(lines):
        opens = re.fullmatch(r"( *)([a-z_]+):", line)
        if opens:
            sections[len(opens[1]) + 2] = opens[2]
        shows = DEFAULT.match(line)
        if shows:
            depth = len(shows[1])
            key = ".".join([sections[d] for d in (2, 4) if d <= depth] + [shows[2]])
            if key in KEYS:
                changed = [*lines[:number], f"{shows[1]}{line[depth + 2 :]}", *lines[number + 1 :]]
                found.append((key, "\n".join(changed)))
    return found


@pytest.mark.parametrize("name", ["stock.csv", "airline.csv"])
def test_each_default_shown_can_be_taken_out_of_its_comment(name: str, tmp_path: Path) -> None:
    found, bare = written(ROOT / "data" / name, file=tmp_path / "a.yaml")
    defaults = {row.key: row.default for row in field_table()}
    shown = uncommented(found.text)
    plain = loaded_from(found.text, tmp_path / "b.yaml").config
    assert set(EVERYDAY) <= {key for key, _ in shown} | set(found.found)
    for key, text in shown:
        loaded = loaded_from(text, tmp_path / "a.yaml")
        assert loaded.was_set(key)
        assert loaded.config == plain, key
        assert f"{key.rpartition('.')[2]}: {defaults[key]}" in text
    assert bare.data.path == str(ROOT / "data" / name)


def test_its_form(tmp_path: Path) -> None:
    found, _ = written(ROOT / "data/stock.csv", file=tmp_path / "my prices.yaml")
    lines = found.text.splitlines()
    assert lines[2:6] == [
        "#   lstm-forecast train '" + str(tmp_path / "my prices.yaml") + "'",
        "#   lstm-forecast predict stock",
        "#   lstm-forecast plot stock",
        "#   lstm-forecast evaluate stock",
    ]
    assert len(lines) <= 80
    assert max(map(len, lines)) <= WIDTH
    keys = [key for key, _ in sorted(found.found.items(), key=lambda item: KEYS.index(item[0]))]
    assert list(found.found) == keys
    # 3,270 rows Monday to Friday: a week of 5; the other numbers are those that the tests of choices have
    assert "  season: 5                  # the week of daily rows, Mon-Fri" in lines
    assert "  horizon: 5                 # 5 steps (daily, Mon-Fri)" in lines
    assert "  refit: full                # so that the forecast knows the newest rows" in lines
    assert "  supervision: every_step    # every step of this network sees only the past" in lines
    assert "  normalize: diff            # supervision is every_step and anchor is last" in lines
    width = "Width of every recurrent layer, or a list of widths; auto goes by the rows."
    assert f"  # hidden_size: 50          # {width}" in lines
    assert "  target: Close" in lines
    assert "known by its name; other columns of numbers: Open, High, Low" in found.text
    assert "threads:" not in found.text  # the file may be trained on another machine


def test_levels_that_the_rows_do_not_allow_are_said_beside_those_they_do(tmp_path: Path) -> None:
    found, _ = written(ROOT / "data/airline.csv", file=tmp_path / "a.yaml")
    # 144 rows: a tenth is 14 for validation, and 95 % needs 19 (Lei et al. 2018: ceil((n + 1) 0.95) <= n)
    assert found.found["forecast.intervals.levels"].value == [80]
    assert "no interval of 95 %: 14 calibration windows are too few" in found.text


def test_a_file_too_short_leaves_open_what_depends_on_its_rows(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(20), "value": momentum(20)})
    found, _ = written(csv)
    assert "# No network can be trained yet: need at least" in found.text
    assert "  # season: null" in found.text
    assert "  # stride: auto" in found.text
    assert "    # levels: [80, 95]" in found.text
    longer = write_csv(tmp_path / "a.csv", {"date": days(900), "value": momentum(900)})
    plan, _ = planned(loaded_from(found.text, tmp_path / "a.yaml"))
    assert plan.shortfall is None
    bare, _ = planned(load_input(str(longer), sets=[], flags={}))
    assert plan.config.window == bare.config.window
    assert plan.config.forecast == bare.config.forecast


@pytest.mark.parametrize(
    "name", ["data", "data/a.csv", "data/*.csv", "./data/../data/a.csv", "-", "odd#1: x.csv"]
)
def test_a_relative_path_is_relative_to_the_new_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "configs").mkdir()
    rows = {"date": days(200), "value": momentum(200)}
    for place in ("data/a.csv", "-", "odd#1: x.csv"):
        write_csv(tmp_path / place, rows)
    monkeypatch.chdir(tmp_path)
    loaded = load_input(f"./{name}" if name == "-" else name, sets=[], flags={})
    plan, warnings = planned(loaded)
    for file in (Path("here.yaml"), Path("configs/there.yaml")):
        text = draft(
            loaded, plan, warnings=warnings, file=file, given=f"./{name}" if name == "-" else name, name="a"
        ).text
        assert str(tmp_path) not in text
        assert settled(text, file) == plan.config
    moved = tmp_path / "elsewhere"
    (tmp_path / "configs").rename(
        moved
    )  # the file moves and its data does not: the same number of folders up
    assert load_config(moved / "there.yaml", environ={}).config.data.path == plan.config.data.path


def test_an_absolute_path_stays_absolute(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", {"date": days(200), "value": momentum(200)})
    found, _ = written(csv)
    assert found.found["data.path"].value == str(csv)


HOSTILE = [
    "# x",
    "a: b # c",
    "a\nb: c",
    "a\u2028x",
    "no",
    "1e3",
    "- a",
    "'",
    '"',
    "\\",
    "{a",
    "*a",
    "&a",
    "%",
    "null",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_column_is_found_again(name: str, tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    cell = '"' + name.replace('"', '""') + '"'
    rows = [f"{day},{value!r}" for day, value in zip(days(90), momentum(90).tolist(), strict=True)]
    csv.write_text("\n".join([f"date,{cell}", *rows]) + "\n", encoding="utf-8")
    found, bare = written(csv, sets=["data.header_row=1"])
    assert bare.data.target == name
    assert settled(found.text, tmp_path / "a.yaml") == bare


@pytest.fixture(scope="module")
def any_plan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Plan]:
    csv = write_csv(tmp_path_factory.mktemp("any") / "a.csv", {"date": days(90), "value": momentum(90)})
    loaded = load_input(str(csv), sets=[], flags={})
    return loaded, planned(loaded)[0]


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@settings(deadline=None, max_examples=30)
@given(target=NAMES | st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple), time=NAMES, id=NAMES)
@example(target="a: b # c", time="a\nb: c", id="\x00\r\x85\u2028\u2029\ufeff")
@example(target="'no'", time="\x07\x1b[2J", id="\U0001f600 \\")
@example(target=("null", "~"), time="1_000", id="2024-01-01")
def test_any_name_comes_through_and_no_comment_ends_early(
    target: str | tuple[str, ...], time: str, id: str, any_plan: tuple[Loaded, Plan]
) -> None:
    loaded, plan = any_plan
    data = plan.config.data.model_copy(update={"target": target, "time": time, "series_id": id})
    account = (
        plan.account[0],
        f"time: column {time}",
        f"target: {target}",
        f"series: {id}",
        f"{id} (data.gaps)",
    )
    config = plan.config.model_copy(update={"data": data})
    named = replace(plan, config=config, account=(*account, f"{id}: {time}"))
    text = draft(loaded, named, warnings=[], file=Path(f"{time}.yaml"), given=id, name=id).text
    read = parse_config(text.encode(), where="a.yaml").config.data
    assert (read.target, read.time, read.series_id) == (target, time, id)
    # what stands there beside the named keys is what stands there without them
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    assert read.season == data.season


def test_a_name_that_no_configuration_can_hold_is_refused(any_plan: tuple[Loaded, Plan]) -> None:
    loaded, plan = any_plan
    data = plan.config.data.model_copy(update={"target": "x" * 20_001})
    named = replace(plan, config=plan.config.model_copy(update={"data": data}))
    with pytest.raises(ConfigError):
        draft(loaded, named, warnings=[], file=Path("a.yaml"), given="a.csv", name="a")
