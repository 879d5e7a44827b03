"""``train``: streams, flags, names, and what a dry run leaves alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lstm_forecast.cli.terminal import EVERY_S
from lstm_forecast.runs.run import promote, sorted_runs
from tests.conftest import SMALL, Cli, Tiny, run_cli
from tests.training.jobs import days, momentum, write_csv


@pytest.fixture
def train(cli: Cli, tiny: Tiny) -> Cli:
    """``train tiny.csv`` under a new name, without pictures, with further words."""
    return lambda *words: cli(
        "train",
        tiny.csv,
        *SMALL,
        "--set",
        "run.plots=false",
        "--runs-dir",
        tiny.runs,
        "--name",
        "new",
        *words,
    )


def config(tiny: Tiny, name: str = "new") -> str:
    """The resolved configuration of a name's current run."""
    current = (tiny.runs / name / "CURRENT").read_text().strip()
    return (tiny.runs / name / current / "config.yaml").read_text()


def test_stdout_is_the_verdict_and_the_next_command(train: Cli, tiny: Tiny) -> None:
    result = train("--set", "evaluation.gate=none")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("Test: ")
    first = [line.split()[0] for line in lines[1:8]]
    assert first == ["MAE", "model", "naive", "seasonal", "drift", "mean", "model"]
    assert lines[1].split() == ["MAE", "RMSE", "sMAPE", "%", "MASE"]
    assert lines[8].startswith("Intervals: 80 % held ")
    assert lines[8].endswith(" % of the test values")
    assert lines[-4].startswith("Verdict: ")
    assert lines[-3] == ("Forecast: by the network trained again on all rows, the test rows included.")
    assert lines[-2].startswith("Run: new@")
    assert lines[-1] == f"Next: lstm-forecast predict new --runs-dir {tiny.runs}"
    assert f"{tiny.csv}: 160 rows" in result.err


def test_json_is_one_document_with_the_promised_fields(train: Cli, tiny: Tiny) -> None:
    document = json.loads(train("--json", "--set", "evaluation.gate=none").out)
    fields = {
        "run",
        "path",
        "current",
        "verdict",
        "skill",
        "baseline",
        "p_value",
        "sentence",
        "metrics",
        "undefined",
        "seeds",
        "test",
        "intervals",
        "gate",
        "refitted",
        "from",
        "champion",
        "trained",
        "elapsed_s",
    }
    assert set(document) == fields | {"warnings"}
    assert document["current"] is True
    assert document["verdict"] in ("beats", "ties", "loses")
    assert set(document["metrics"]) == {"model", "naive", "seasonal_naive", "drift", "mean"}
    assert document["baseline"] in document["metrics"]
    assert {"mae", "rmse", "mase", "owa"} <= set(document["metrics"]["model"])
    nulls = {name for name, value in document["metrics"]["naive"].items() if value is None}
    assert nulls == set(document["undefined"]["naive"])
    assert "it forecasts no change" in document["undefined"]["naive"].values()
    assert (document["refitted"], document["seeds"]) == (True, None)  # a bare CSV is fitted to all rows
    (level,) = document["intervals"]["levels"]
    assert set(level) == {"level", "coverage", "width", "interval_score"}
    assert document["intervals"]["crps"] > 0
    assert set(document["test"]) == {"windows", "from", "to"}
    assert Path(document["path"]).is_dir()
    assert document["run"] == f"new@{Path(document['path']).name}"


def test_row_45_quiet_is_silent(train: Cli, tiny: Tiny) -> None:
    result = train("-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_row_45_a_failure_is_at_most_20_lines(cli: Cli, tmp_path: Path) -> None:
    keys = "".join(f"  nonsense{n}: 1\n" for n in range(3))
    (tmp_path / "bad.yaml").write_text(f"data:\n  path: x.csv\ntraining:\n{keys}")
    result = cli("train", tmp_path / "bad.yaml", "-q")
    assert result.code == 2
    assert len(result.err.splitlines()) <= 20
    assert result.err.count("error[config.unknown_key]") == 3  # all of them at once
    assert f"{tmp_path / 'bad.yaml'}:4:3" in result.err


def test_the_everyday_flags_reach_their_keys(train: Cli, tiny: Tiny) -> None:
    train("--target", "value", "--time", "date", "--seed", "7")
    text = config(tiny)
    given = [
        "target: value",
        "time: date",
        "lookback: 8",
        "horizon: 2",
        "epochs: 1",
        "device: cpu",
        "seed: 7",
    ]
    for line in (*given, "name: new", "hidden_size: 3", "num_layers: 1"):
        assert f"  {line}\n" in text


def test_set_takes_any_key_and_a_flag_given_twice_is_refused(train: Cli, tiny: Tiny) -> None:
    train("--set", "training.lr=1e-2", "--set", "split.test=0.2")
    assert "  lr: 0.01\n" in config(tiny)
    result = train("--set", "training.epochs=5")
    assert (result.code, result.out) == (2, "")
    assert "error[config.duplicate]: --set: training.epochs is given twice" in result.err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("training.lr", 'expected KEY=VALUE, got "training.lr"'),
        ("learning_rate=1", "did you mean training.lr?"),
        ("training.batch_size=-1", "training.batch_size: expected "),
        ("training.batch_size=[", "training.batch_size"),
        ("model.cell=lstn", "lstm"),
        ("=", "unknown key"),
    ],
)
def test_a_wrong_set_says_what_was_meant(word: str, said: str, train: Cli, tiny: Tiny) -> None:
    result = train("--set", word)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert not (tiny.runs / "new").exists()


def test_environment_and_flag_have_their_order(
    train: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTM_FORECAST_TRAINING__SEED", "5")
    monkeypatch.setenv("LSTM_FORECAST_TRAINING__EPOCHS", "9")
    train()
    assert "  seed: 5\n" in config(tiny)
    assert "  epochs: 1\n" in config(tiny)


def test_dry_run_writes_nothing_and_finds_what_train_would(train: Cli, tiny: Tiny) -> None:
    before = sorted(tiny.csv.parent.rglob("*"))
    result = train("--dry-run")
    assert result.code == 0
    assert result.out.startswith("Would train new on ")
    document = json.loads(train("--dry-run", "--json").out)
    assert (document["dry_run"], document["name"]) == (True, "new")
    assert document["path"] == str(tiny.runs / "new")
    assert set(document["windows"]) == {"train", "validation", "test"}
    assert train("--dry-run", "-q").out == ""
    assert train("--dry-run", "--lookback", "5000").code == 11
    assert sorted(tiny.csv.parent.rglob("*")) == before


def test_flags_that_take_a_number_or_auto_are_judged_as_the_keys_are(cli: Cli, tiny: Tiny) -> None:
    words = ["train", tiny.csv, "--horizon", "2", "--device", "cpu", "--name", "new", "--runs-dir", tiny.runs]
    plans = [
        cli(*words, *more, "--dry-run")
        for more in (
            ["--lookback", "auto", "--epochs", "auto"],
            ["--set", "window.lookback=auto", "--set", "training.epochs=auto"],
        )
    ]
    assert [plan.code for plan in plans] == [0, 0]
    assert plans[0].out == plans[1].out
    for word in ("0", "long", "1e3"):
        result = cli(*words, "--lookback", word, "--dry-run")
        assert (result.code, result.out) == (2, "")
        assert (
            "--lookback: window.lookback: expected whole number from 1 to 100000 | auto, got " in result.err
        )


def test_a_name_that_belongs_to_other_data_is_18_also_in_a_dry_run(cli: Cli, tiny: Tiny) -> None:
    other = write_csv(Path("other.csv"), {"date": days(160), "value": momentum(160, seed=9)})
    for words in ([], ["--dry-run"]):
        result = cli("train", other, *SMALL, "--name", "tiny", "--runs-dir", tiny.runs, *words)
        assert (result.code, result.out) == (18, "")
        assert "the run name 'tiny' belongs to " in result.err
        assert "hint: give this run a name of its own: --name OTHER" in result.err


@pytest.mark.parametrize("name", ["../up", "a/b", "-x", "", "a@b"])
def test_a_name_that_is_a_path_is_refused(name: str, cli: Cli, tiny: Tiny) -> None:
    result = cli("train", tiny.csv, *SMALL, f"--name={name}", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (2, "")
    assert not (tiny.csv.parent / "up").exists()


def test_training_again_makes_the_newer_run_current(train: Cli, tiny: Tiny) -> None:
    first, second = json.loads(train("--json").out), json.loads(train("--json").out)
    assert first["run"] != second["run"]
    assert (tiny.runs / "new" / "CURRENT").read_text().strip() == Path(second["path"]).name
    for part in ("model.safetensors", "context.safetensors", "preprocess.json"):
        assert (Path(first["path"]) / part).read_bytes() == (Path(second["path"]) / part).read_bytes()


def test_row_27_42_43_the_world_of_cron_changes_no_bit_and_gets_no_bar(train: Cli, tiny: Tiny) -> None:
    here = Path(json.loads(train("--json").out)["path"])
    words: list[str | Path] = [
        "train",
        tiny.csv,
        *SMALL,
        "--set",
        "run.plots=false",
        "--runs-dir",
        tiny.runs,
        "--name",
        "new",
        "--json",
    ]
    assert EVERY_S == 30.0
    env = {"TZ": "Asia/Shanghai", "PYTHONHASHSEED": "7", "LC_ALL": "POSIX", "COLUMNS": "40"}
    there = run_cli(words, env={**env, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}, cwd=Path("/"))
    assert "\x1b" not in there.out + there.err  # no bar
    assert "\r" not in there.out + there.err
    assert "epoch 1/1" not in there.err  # a line only now and then
    for part in ("model.safetensors", "preprocess.json"):
        assert (Path(json.loads(there.out)["path"]) / part).read_bytes() == (here / part).read_bytes()


def test_a_warning_that_was_named_fails_after_the_run_was_kept(cli: Cli, tiny: Tiny) -> None:
    flat = write_csv(Path("flat.csv"), {"date": days(100), "value": ["5.0"] * 100})
    words: list[str | Path] = ["train", flat, *SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs]
    result = cli(*words)
    assert result.code == 0
    assert "warning[data.constant]" in result.err
    result = cli(*words, "--fail-on-warning", "data.constant")
    assert result.code == 19
    assert "error[data.constant]" in result.err


def test_errors_in_json_mode_are_events_and_stdout_is_empty(train: Cli, tiny: Tiny) -> None:
    result = train("--json", "--set", "training.lr=-1", "--set", "foo=1")
    events = [json.loads(line) for line in result.err.splitlines()]
    assert (result.code, result.out) == (2, "")
    assert {event["id"] for event in events} == {"config.range", "config.unknown_key"}
    assert {event["exit_code"] for event in events} == {2}


def test_log_format_json_has_an_event_per_epoch(train: Cli) -> None:
    result = train("--log-format", "json")
    events = [json.loads(line) for line in result.err.splitlines()]
    names = [event["event"] for event in events]
    assert names[-1] == "run.end"
    assert {"data.loaded", "run.start", "account"} <= set(names)
    epochs = [event for event in events if event["event"] == "epoch.end"]
    assert [event["epoch"] for event in epochs] == [0, 1]  # the untouched network takes part
    assert {"epoch", "epochs", "train_loss", "val_loss", "best_epoch"} <= set(epochs[1])


def test_a_line_per_epoch_comes_every_30_seconds(train: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_forecast.cli.terminal.EVERY_S", 0.0)
    assert "epoch 1/1  validation loss " in train().err


def test_row_69_control_characters_and_markup_in_names_are_shown_and_not_obeyed(cli: Cli, tiny: Tiny) -> None:
    csv = Path("we[red]ird \x1b[31m $x_y.csv")
    text = tiny.csv.read_text().replace("value", "va\x1b[5mlue[red]$x$")
    csv.write_text(text)
    words = [csv, *SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs]
    for result in (
        cli("check", csv, "--runs-dir", tiny.runs, "--lookback", "8", "--horizon", "2"),
        cli("train", *words),
        cli("train", *words, "--log-format", "json"),
        cli("runs", "list", "--runs-dir", tiny.runs),
        cli("runs", "show", "we-red-ird --31m -x_y", "--runs-dir", tiny.runs),
        cli("predict", "we-red-ird --31m -x_y", "--runs-dir", tiny.runs, "--output", "a.csv"),
        cli("train", "no such \x1b[31m.csv"),
    ):
        assert "\x1b" not in result.out + result.err
    assert "\\x1b[31m" in cli("train", *words, "--dry-run").err
    document = json.loads(cli("runs", "show", "we-red-ird --31m -x_y", "--runs-dir", tiny.runs, "--json").out)
    assert document["about"]["data"]["path"] == str(csv.absolute())


def test_one_event_is_one_line_whatever_the_names_hold(cli: Cli, tiny: Tiny) -> None:
    csv = Path("two\nlines.csv")
    csv.write_text(tiny.csv.read_text())
    result = cli("train", csv, *SMALL, "--runs-dir", tiny.runs, "--log-format", "json")
    assert result.code == 0
    assert all(json.loads(line)["v"] == 1 for line in result.err.splitlines())


def test_wide_long_numbered_and_packed_files_train(cli: Cli, tiny: Tiny) -> None:
    import gzip

    values, more = momentum(120), momentum(120, seed=4)
    write_csv(Path("wide.csv"), {"date": days(120), "north": values, "south": more})
    write_csv(Path("plain.csv"), {"value": values})
    Path("packed.csv.gz").write_bytes(gzip.compress(tiny.csv.read_bytes()))
    lines = [
        f"{d},{s},{v}" for s, vs in (("a", values), ("b", more)) for d, v in zip(days(120), vs, strict=True)
    ]
    Path("long.csv").write_text("\n".join(["date,id,value", *lines]) + "\n")
    for csv, words, series in (
        ("wide.csv", ["--set", "data.target=[north, south]"], {"north", "south"}),
        ("plain.csv", [], {"value"}),
        ("packed.csv.gz", ["--name", "packed"], {"value"}),
        ("long.csv", ["--series-id", "id"], {"a", "b"}),
    ):
        result = cli("train", csv, *SMALL, *words, "--set", "run.plots=false", "--runs-dir", tiny.runs)
        assert result.code == 0, (csv, result.err)
        name = Path(csv.removesuffix(".gz")).stem
        document = json.loads(cli("predict", name, "--runs-dir", tiny.runs, "--json").out)
        assert {row["series"] for row in document["rows"]} == series
        if csv == "plain.csv":
            assert [row["time"] for row in document["rows"]] == ["121", "122"]


def test_stdin_is_trained_on_and_forecast_from_its_own_rows(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(tiny.csv.read_bytes())))
    words = ["train", "-", *SMALL, "--runs-dir", tiny.runs, "--set", "run.plots=false"]
    result = cli(*words)
    assert result.code == 0
    assert f"Next: lstm-forecast predict stdin --runs-dir {tiny.runs}\n" in result.out
    result = cli("predict", "stdin", "--runs-dir", tiny.runs)
    assert result.code == 0
    assert "input: the run's own rows (standard input is not there to be read again)" in result.err


def test_row_1_stdin_on_a_terminal_is_2_and_never_waits(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    result = cli("train", "-", *SMALL, "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (2, "")
    assert "error[data.stdin]: -: - reads standard input, and that is a terminal" in result.err


def test_the_resolved_configuration_trains_the_same_run_again(train: Cli, cli: Cli, tiny: Tiny) -> None:
    first = Path(json.loads(train("--json").out)["path"])
    result = cli("train", first / "config.yaml", "--runs-dir", tiny.runs, "--json")
    assert result.code == 0, result.err
    second = Path(json.loads(result.out)["path"])
    assert second.parent == first.parent  # the same name
    for part in ("model.safetensors", "preprocess.json", "config.yaml"):
        assert (second / part).read_bytes() == (first / part).read_bytes()


def trainings(tiny: Tiny, name: str = "new") -> int:
    """How many runs a name has, unfinished ones too."""
    return len(sorted_runs(tiny.runs / name))


def test_if_changed_trains_once_and_then_has_nothing_to_do(train: Cli, tiny: Tiny) -> None:
    assert train("--if-changed", "-q").code == 0
    assert trainings(tiny) == 1
    files = {path: path.read_bytes() for path in tiny.runs.rglob("*") if path.is_file()}
    result = train("--if-changed")
    (run,) = sorted_runs(tiny.runs / "new")
    said = f"Nothing to do: the input and the configuration are those of {run.handle}\n"
    assert (result.code, result.out, result.err) == (0, said, "")
    assert train("--if-changed", "-q").out == ""
    assert train("--if-changed", "--dry-run").out == said
    assert {path: path.read_bytes() for path in tiny.runs.rglob("*") if path.is_file()} == files
    assert train("-q").code == 0  # without the flag it always trains
    assert trainings(tiny) == 2


def test_if_changed_gives_the_same_document_but_for_trained(train: Cli, tiny: Tiny) -> None:
    first = json.loads(train("--if-changed", "--json").out)
    second = json.loads(train("--if-changed", "--json").out)
    assert (first["trained"], second["trained"], second["elapsed_s"]) == (True, False, 0.0)
    for document in (first, second):
        del document["trained"], document["elapsed_s"], document["warnings"]
    assert first == second


def test_if_changed_trains_where_anything_differs(train: Cli, tiny: Tiny) -> None:
    train("-q")
    rows = tiny.csv.read_text()
    tiny.csv.write_text(rows.replace("\n", "\r\n"))  # the same values from other bytes
    assert train("--if-changed", "-q").code == 0
    assert trainings(tiny) == 2
    assert train("--if-changed", "-q", "--set", "training.lr=0.002").code == 0
    assert trainings(tiny) == 3
    assert train("--if-changed", "-q", "--set", "training.lr=0.002").code == 0
    assert trainings(tiny) == 3
    current = (tiny.runs / "new" / "CURRENT").read_text().strip()
    (tiny.runs / "new" / current / "history.csv").write_text("")  # a damaged run is no reason to do nothing
    assert train("--if-changed", "-q", "--set", "training.lr=0.002").code == 0
    assert trainings(tiny) == 4


def test_if_changed_compares_with_the_current_run_not_with_the_newest(train: Cli, tiny: Tiny) -> None:
    train("-q")
    (first,) = sorted_runs(tiny.runs / "new")
    train("-q", "--seed", "7")
    promote(first)
    assert train("--if-changed", "-q").code == 0
    assert trainings(tiny) == 2
    assert train("--if-changed", "-q", "--seed", "7").code == 0
    assert trainings(tiny) == 3
    (tiny.runs / "new" / "CURRENT").unlink()
    assert train("--if-changed", "-q", "--seed", "7").code == 0
    assert trainings(tiny) == 4


def test_if_changed_reports_what_train_would(train: Cli, cli: Cli, tiny: Tiny) -> None:
    train("-q")
    tiny.csv.write_text("date,value\n2024-01-01,1\n2024-01-02,1,2\n")
    assert train("--if-changed").code == 11
    tiny.csv.unlink()
    assert train("--if-changed").code == 10
    result = cli("train", "-", "--if-changed", "--runs-dir", tiny.runs)
    assert (result.code, result.out) == (2, "")
    assert "--if-changed: standard input can be read only once" in result.err


def test_if_changed_knows_a_run_whose_name_came_from_the_file(cli: Cli, tiny: Tiny) -> None:
    csv = tiny.csv.rename(tiny.csv.with_name("sales.csv"))
    words = ["train", csv, *SMALL, "--set", "run.plots=false", "--runs-dir", tiny.runs, "-q", "--if-changed"]
    assert [cli(*words).code, cli(*words).code, trainings(tiny, "sales")] == [0, 0, 1]
