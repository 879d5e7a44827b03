"""A folder or a pattern from ``train`` to ``track``: one run, in which each file is a series of its own."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.errors import Busy
from lstm_forecast.trainings import TrainResult
from tests.conftest import SMALL, Cli, Result
from tests.training.jobs import days, files, job, momentum, trained, write_csv

ROWS, NAMES = 120, ("aapl", "msft", "nvda")
CHANGES = {"training.patience": "null"}


def prices(folder: Path, *, rows: int = ROWS, names: tuple[str, ...] = NAMES) -> Path:
    """One file of so many days for each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        seed = NAMES.index(name) if name in NAMES else 9
        write_csv(folder / f"{name}.csv", {"date": days(rows), "close": momentum(rows, seed=seed)})
    return folder


def long_file(path: Path) -> Path:
    """The same rows in one file with a column of names."""
    columns = {"series": [name for name in NAMES for _ in range(ROWS)], "date": days(ROWS) * len(NAMES)}
    walks = np.concatenate([momentum(ROWS, seed=seed) for seed in range(len(NAMES))])
    return write_csv(path, {**columns, "close": walks})


@dataclass(frozen=True)
class Many:
    """A run of three files: its folder of files, its folder of runs, and what was trained."""

    folder: Path
    runs: Path
    result: TrainResult


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Many:
    base = tmp_path_factory.mktemp("many")
    result = trained(prices(base / "prices") / "*.csv", CHANGES)
    return Many(base / "prices", base / "prices" / "runs", result)


@pytest.fixture
def many(once: Many, monkeypatch: pytest.MonkeyPatch) -> Many:
    """The run, beside files that a test may change: they are put back where the run has them."""
    monkeypatch.chdir(once.folder.parent)
    shutil.rmtree(once.folder.parent / "new", ignore_errors=True)
    for path in once.folder.glob("*.csv"):
        path.unlink()
    prices(once.folder)
    for leftover in once.runs.glob("ledger*"):
        leftover.unlink()
    return once


@pytest.fixture
def do(cli: Cli, many: Many) -> Cli:
    """A command on the run with further words."""
    return lambda command, *words: cli(command, "prices", "--runs-dir", many.runs, *words)


def forecast(result: Result) -> dict[str, list[str]]:
    """The forecasts of each series, as they stand in the CSV."""
    assert result.code == 0, result.err
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(result.out.splitlines()):
        found.setdefault(row["series"], []).append(row["forecast"])
    return found


def test_three_files_train_to_the_bits_of_one_long_file(many: Many, cli: Cli, tmp_path: Path) -> None:
    single = trained(long_file(tmp_path / "long.csv"), CHANGES)
    one, two = files(single), files(many.result)
    assert one.pop("config.yaml") != two.pop("config.yaml")  # path, name and data.series_id
    assert one == two
    of_one = cli("predict", "long", "--runs-dir", tmp_path / "runs", "--levels", "50")
    of_many = cli("predict", "prices", "--runs-dir", many.runs, "--levels", "50")
    assert of_one.out == of_many.out
    assert of_one.out.startswith("series,date,step,")
    assert list(forecast(of_many)) == list(NAMES)


def test_the_future_of_one_file_changes_no_weight(many: Many, tmp_path: Path) -> None:
    folder = prices(tmp_path / "prices")
    later = momentum(ROWS, seed=1)
    later[ROWS * 9 // 10 :] *= 1e6  # the test rows: a tenth of them
    write_csv(folder / "msft.csv", {"date": days(ROWS), "close": later})
    changed, before = files(trained(folder / "*.csv", CHANGES)), files(many.result)
    assert changed.pop("config.yaml") != before.pop("config.yaml")  # the path
    assert changed == before


def test_the_run_knows_its_pattern_and_the_number_of_files(many: Many, cli: Cli) -> None:
    about = json.loads((many.result.run.path / "run.json").read_text())["data"]
    assert (about["path"], about["files"]) == (str(many.folder / "*.csv"), 3)
    assert (about["rows"], about["series"]) == (3 * ROWS, 3)
    assert many.result.run.name == "prices"
    shown = cli("runs", "show", "prices", "--runs-dir", many.runs).out
    assert f"{many.folder}/*.csv: 3 files, 360 rows, 3 series" in shown


@pytest.mark.parametrize(
    ("given", "name"), [("prices", "prices"), ("prices/", "prices"), ("p*/[am]*.csv", "here"), (".", "here")]
)
def test_a_folder_or_pattern_gives_the_run_its_name(
    given: str, name: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices(tmp_path / "here" / "prices")
    prices(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    result = cli("train", given, *SMALL, "--dry-run")
    assert (result.code, result.out.split(" on ")[0]) == (0, f"Would train {name}")


def test_check_counts_the_files(many: Many, cli: Cli, tmp_path: Path) -> None:
    result = cli("check", many.folder, *SMALL[:4], "--json", "--runs-dir", tmp_path)
    data = json.loads(result.out)["data"]
    assert (data["files"], data["series"], data["rows"]) == (3, 3, 360)
    config = tmp_path / "job.yaml"  # relative to the configuration file
    prices(tmp_path / "a b")
    config.write_text("data: {path: 'a b/*.csv'}\nwindow: {lookback: 8, horizon: 2}\n")
    assert json.loads(cli("check", config, "--json").out)["data"]["files"] == 3


def test_newer_rows_and_other_files_are_continued(do: Cli, many: Many) -> None:
    known = forecast(do("predict"))
    prices(many.folder, rows=ROWS + 1)
    newer = do("predict", "--fail-on-warning", "predict.no_new_rows")
    assert list(forecast(newer)) == list(NAMES)
    assert forecast(newer) != known
    assert f"input: {many.folder}/*.csv" in newer.err
    prices(many.folder.parent / "new", names=("msft", "aapl"))
    assert forecast(do("predict", "--data", "new/*.csv")) == {name: known[name] for name in ("aapl", "msft")}
    # one file of the many is known by its name, a long file by its ids
    assert forecast(do("predict", "--data", "new/msft.csv")) == {"msft": known["msft"]}
    assert forecast(do("predict", "--data", long_file(many.folder.parent / "long.csv"))) == known


def test_a_new_file_is_a_series_that_the_run_has_not_seen(do: Cli, many: Many) -> None:
    known = forecast(do("predict"))
    prices(many.folder, names=("tsla",))
    result = do("predict", "--record")
    found = forecast(result)
    assert list(found) == [*NAMES, "tsla"]
    assert {name: found[name] for name in NAMES} == known
    assert "warning[predict.new_series]: 1 series not seen in training: tsla" in result.err
    assert list(forecast(do("predict", "--data", f"{many.folder}/[amn]*.csv"))) == list(NAMES)
    # one file by itself is named by the file, also where the run does not know it
    assert forecast(do("predict", "--data", many.folder / "tsla.csv")) == {"tsla": found["tsla"]}
    prices(many.folder, rows=ROWS + 2)
    prices(many.folder, names=("tsla",), rows=ROWS + 2)
    judged = json.loads(do("track", "--json", "--series", "tsla").out)
    assert judged["count"] == 2
    result = do("evaluate", "--data", many.folder)
    assert result.code == 11
    assert "error[predict.unknown_series]" in result.err
    assert f"the first is in: {many.folder / 'tsla.csv'}" in result.err
    assert "hint: leave their files out with a narrower --data, or train again with them" in result.err


def test_a_file_that_went_away_is_warned_of_and_the_others_are_forecast(do: Cli, many: Many) -> None:
    (many.folder / "msft.csv").unlink()
    result = do("predict")
    assert list(forecast(result)) == ["aapl", "nvda"]
    assert "warning[predict.series_gone]: 1 series of the run without rows" in result.err
    assert do("predict", "--fail-on-warning", "predict.series_gone").code == 19
    for path in many.folder.glob("*.csv"):
        path.unlink()
    gone = do("predict")
    assert list(forecast(gone)) == list(NAMES)
    assert f"input: the run's own rows ({many.folder}/*.csv is not there to be read again)" in gone.err


def test_a_single_file_under_another_name_is_not_taken_for_the_one_series_of_a_folder(
    cli: Cli, tmp_path: Path
) -> None:
    folder = prices(tmp_path / "one", names=("aapl",))
    trained(folder, CHANGES)
    words = ("predict", "one", "--runs-dir", tmp_path / "runs")
    known = forecast(cli(*words))
    assert list(known) == ["aapl"]
    (folder / "aapl.csv").rename(folder / "msft.csv")
    assert "series not seen in training: msft" in cli(*words).err
    assert forecast(cli(*words, "--data", folder / "msft.csv")) == known  # one file, named outright


def test_evaluate_and_the_audit_want_the_files_as_they_were(do: Cli, many: Many) -> None:
    assert do("evaluate", "--audit").code == 0
    (many.folder / "msft.csv").rename(many.folder / "goog.csv")
    renamed = do("evaluate")
    assert renamed.code == 11
    assert "error[evaluate.data]" in renamed.err
    assert "some of the files have changed since the run was trained on it" in renamed.err
    assert f"--data '{many.folder}/*.csv'" in renamed.err
    assert "error[audit.data]" in do("evaluate", "--audit", "--data", long_file(Path("long.csv"))).err
    prices(many.folder.parent / "new")
    moved = do("evaluate", "--audit", "--data", "new")  # the same files in another place
    assert moved.code == 0, moved.err
    for path in many.folder.glob("*.csv"):
        path.unlink()
    assert do("evaluate").code == 10


def test_if_changed_trains_again_for_a_renamed_file_only(many: Many, cli: Cli) -> None:
    result = trained(many.folder, {**CHANGES, "run.name": "twice"})
    words = ["train", result.run.path / "config.yaml", "--runs-dir", result.run.path.parent.parent]
    same = cli(*words, "--if-changed", "--dry-run")
    assert same.out.startswith("Nothing to do")
    (many.folder / "msft.csv").rename(many.folder / "goog.csv")
    assert cli(*words, "--if-changed", "--dry-run").out.startswith("Would train twice")


def test_a_name_belongs_to_one_pattern(many: Many, cli: Cli) -> None:
    result = cli("train", many.folder, *SMALL, "--runs-dir", many.runs)
    assert result.code == 18
    assert f"belongs to {many.folder}/*.csv, not to {many.folder}" in result.err


def test_recorded_forecasts_are_judged_by_the_files(do: Cli, many: Many) -> None:
    assert do("predict", "--record").code == 0
    prices(many.folder.parent / "new", rows=ROWS + 2)
    tracked = json.loads(do("track", "--data", "new/*.csv", "--json").out)
    assert (tracked["recorded"], tracked["actuals"]["new"]) == (6, 6)
    prices(many.folder, rows=ROWS + 2)
    assert json.loads(do("track", "--json").out)["input"] == str(many.folder / "*.csv")


def test_old_rows_are_refused_in_many_files_too(many: Many, cli: Cli, tmp_path: Path, do: Cli) -> None:
    words = [*SMALL[:4], "--set", "data.max_input_age=1d", "--runs-dir", tmp_path]
    result = cli("check", many.folder, *words)
    assert (result.code, "error[data.too_old]" in result.err) == (11, True)
    assert do("predict", "--max-input-age", "1d").code == 11


def test_rejected_rows_are_kept_with_their_file(tmp_path: Path) -> None:
    folder = prices(tmp_path / "p")
    with (folder / "msft.csv").open("a") as file:
        file.write("2024-06-01,many\n")
    changes = {**CHANGES, "data.bad_rows": "skip", "data.max_bad_rows": "1", "training.epochs": "1"}
    result = trained(folder, changes)
    (line,) = (result.run.path / "rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["file"] == str(folder / "msft.csv")
    assert json.loads(line)["line"] == ROWS + 2


def test_a_file_that_changes_while_all_are_read_is_code_75(
    many: Many, do: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast.data import source

    real = source.load

    def load(path: str, max_bytes: int) -> source.RawFile:
        raw = real(path, max_bytes)
        if path.endswith("msft.csv"):
            prices(many.folder, rows=ROWS + 1, names=("aapl",))
        return raw

    monkeypatch.setattr(source, "load", load)
    result = do("predict")
    assert (result.code, result.out) == (Busy.code, "")
    assert f"error[data.changed]: {many.folder / 'aapl.csv'}" in result.err


def test_a_pattern_without_files_is_missing_data(many: Many, cli: Cli) -> None:
    result = cli("check", many.folder / "*.cvs", "--name", "none")
    assert (result.code, "error[data.not_found]" in result.err) == (10, True)
    assert f"hint: did you mean '{many.folder}/*.csv'?" in result.err


def test_a_pattern_that_the_shell_expanded_and_an_empty_input_say_what_to_type(many: Many, cli: Cli) -> None:
    expanded = cli("train", *sorted(many.folder.glob("*.csv")))
    assert expanded.code == 2
    assert "hint: a pattern of files stands in quotes: lstm-forecast train 'prices/*.csv'" in expanded.err
    assert cli("check", "").code == 2  # an unset variable of the shell; it would mean this folder


@pytest.mark.parametrize("header", ["Date,Time,close", ",close"])
def test_a_time_column_that_no_key_can_name_is_found_again(header: str, cli: Cli, tmp_path: Path) -> None:
    """A date and a clock apart, or a column without a name: what is recorded has to read the file again."""
    clocks = [f"{day}{',' if 'Time' in header else ' '}{hour:02}:00" for day in days(6) for hour in range(24)]
    cells = [f"{clock},{value!r}" for clock, value in zip(clocks, momentum(144).tolist(), strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *cells]) + "\n")
    trained(path, CHANGES)
    assert job(path).config.data.time is None
    result = cli("predict", "a", "--runs-dir", tmp_path / "runs")
    assert (result.code, len(result.out.splitlines())) == (0, 3), result.err
