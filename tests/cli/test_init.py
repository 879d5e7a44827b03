"""``init``: writes a configuration once, asks only a person, and leaves nothing behind where it refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lstm_forecast.config import load_config
from tests.conftest import CRON, ROOT, Cli, Tiny
from tests.contract.test_start import probed
from tests.training.jobs import days, momentum, write_csv

Answers = Callable[[str], None]


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CSV with a column known by its name and another one, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    columns = {"date": days(160), "open": momentum(160), "close": momentum(160, seed=1)}
    return write_csv(tmp_path / "prices.csv", columns)


@pytest.fixture
def unclear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CSV with two columns of which none is the target more than the other."""
    monkeypatch.chdir(tmp_path)
    columns = {"date": days(160), "a": momentum(160), "b": momentum(160, seed=1)}
    return write_csv(tmp_path / "unclear.csv", columns)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Puts a person at the terminal who types this text and then Ctrl-D."""

    def type_in(text: str) -> None:
        monkeypatch.setattr("lstm_forecast.cli.init.can_ask", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return type_in


def test_it_writes_a_file_that_trains_and_names_the_next_command(cli: Cli, prices: Path) -> None:
    result = cli("init", "prices.csv", *("--set", "model.hidden_size=3", "--set", "training.epochs=1"))
    assert result.code == 0
    assert result.out == "Wrote prices.yaml\nNext: lstm-forecast train prices.yaml\n"
    assert "target: column 'close', known by its name" in result.err
    assert "Steps to forecast" not in result.err  # nobody could answer
    assert (cli("check", "prices.yaml").code, cli("train", "prices.yaml", "-q").code) == (0, 0)
    assert cli("predict", "prices", "-q").code == 0


def test_flags_are_written_out_and_the_output_can_be_elsewhere(cli: Cli, unclear: Path) -> None:
    Path("configs").mkdir()
    words = ["--target", "b", "--time", "date", "--horizon", "3", "--output", "configs/b.yaml", "--yes"]
    assert cli("init", "unclear.csv", *words).code == 0
    config = load_config(Path("configs/b.yaml"), environ={}).config
    assert (config.data.target, config.data.time, config.window.horizon) == ("b", "date", 3)
    assert config.data.path == str(unclear)
    text = Path("configs/b.yaml").read_text()
    assert '  path: "../unclear.csv"     # relative to this file\n' in text
    assert "  horizon: 3                 # as asked for: --horizon\n" in text
    assert "#   lstm-forecast train configs/b.yaml\n#   lstm-forecast predict b\n" in text


def test_series_ids_are_found_or_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    times = [day for day in days(100) for _ in range(2)]
    csv = write_csv(tmp_path / "a.csv", {"date": times, "location": ["x", "y"] * 100, "v": momentum(200)})
    found = json.loads(cli("init", csv, "--json", "--dry-run").out)["found"]
    assert found["data.series_id"] == {"value": "location", "why": "2 in column 'location': x, y"}
    found = json.loads(cli("init", csv, "--json", "--dry-run", "--series-id", "location").out)["found"]
    assert found["data.series_id"] == {"value": "location", "why": "as asked for: --series-id"}


def test_stdout_json_and_a_dry_run_give_the_same_text(cli: Cli, prices: Path) -> None:
    text = cli("init", "prices.csv", "--output", "-", "--quiet").out
    printed = json.loads(cli("init", "prices.csv", "--output", "-", "--json").out)
    dry = json.loads(cli("init", "prices.csv", "--dry-run", "--json").out)
    told = cli("init", "prices.csv", "--dry-run")
    assert list(Path().iterdir()) == [Path("prices.csv")]
    assert told.out == f"Would write {text.count(chr(10))} lines to prices.yaml\n"
    assert text == printed["text"] == dry["text"]
    assert set(printed) == {"config", "dry_run", "text", "found", "warnings"}
    assert (printed["config"], dry["config"]) == (None, str(Path("prices.yaml").absolute()))
    assert (printed["dry_run"], dry["dry_run"]) == (False, True)
    assert printed["found"]["window.horizon"] == {"value": 7, "why": "7 steps (daily)"}
    quiet = cli("init", "prices.csv", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert Path("prices.yaml").read_text(encoding="utf-8") == text


def test_an_existing_file_stays_unless_it_may_be_replaced(cli: Cli, prices: Path) -> None:
    Path("prices.yaml").write_text("mine")
    for words in ([], ["--output", "prices.yaml"], ["--dry-run"]):
        refused = cli("init", "prices.csv", *words)
        assert (refused.code, "error[output.exists]: prices.yaml" in refused.err) == (18, True)
    assert Path("prices.yaml").read_text() == "mine"
    assert cli("init", "prices.csv", "--overwrite").code == 0
    assert Path("prices.yaml").read_text().startswith("# What was found in prices.csv")


def test_the_input_is_never_written_to(cli: Cli, prices: Path) -> None:
    before = prices.read_bytes()
    Path("prices.yaml").symlink_to(prices)
    refused = cli("init", "prices.csv", "--overwrite")
    assert (refused.code, "error[init.output]" in refused.err) == (2, True)
    assert prices.read_bytes() == before


def test_a_name_whose_runs_belong_to_other_data_is_18(cli: Cli, tiny: Tiny) -> None:
    other = write_csv(Path("other.csv"), {"date": days(160), "value": momentum(160)})
    refused = cli("init", other, "--output", "tiny.yaml")
    assert refused.code == 18
    assert "error[run.name_taken]" in refused.err
    assert "--output OTHER.yaml" in refused.err
    assert not Path("tiny.yaml").exists()
    assert cli("init", other, "--output", "tiny.yaml", "--set", "run.name=mine").code == 0
    assert cli("check", "tiny.yaml").code == 0


@pytest.mark.parametrize(
    ("words", "code", "id"),
    [
        (["-"], 2, "init.input"),
        (["a.yaml"], 2, "init.input"),
        ([""], 2, "usage"),
        (["prices.csv", "--output", "a.txt"], 2, "init.output"),
        (["prices.csv", "--output", "no/a.yaml"], 15, "storage.no_folder"),
        (["prices.csv", "--set", "training.epoch=1"], 2, "config.unknown_key"),
        (["prices.csv", "--target", "closed"], 11, "data.column"),
        (["prices.csv", "--set", "window.lookback=500"], 11, "data.too_short"),
        (["none.csv"], 10, "data.not_found"),
    ],
)
def test_what_it_refuses(words: list[str], code: int, id: str, cli: Cli, prices: Path) -> None:
    refused = cli("init", *words)
    assert (refused.code, refused.out) == (code, "")
    assert f"error[{id}]" in refused.err
    assert list(Path().iterdir()) == [Path("prices.csv")]


def test_without_a_person_several_candidates_are_an_error(cli: Cli, unclear: Path) -> None:
    refused = cli("init", "unclear.csv")
    assert (refused.code, "candidates: a, b" in refused.err) == (11, True)
    assert not Path("unclear.yaml").exists()


def test_a_file_too_short_is_written_with_the_warning_of_train(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", {"date": days(20), "value": momentum(20)})
    result = cli("init", "a.csv", "--json")
    (warning,) = [w for w in json.loads(result.out)["warnings"] if w["id"] == "data.too_short"]
    (trained,) = [w for w in json.loads(cli("train", "a.yaml", "--json").out)["warnings"] if w == warning]
    assert trained["message"].startswith("no network can be trained: need at least")
    assert "# No network can be trained yet: need at least" in Path("a.yaml").read_text()


def test_enter_takes_what_was_found(cli: Cli, prices: Path, answers: Answers) -> None:
    cli("init", "prices.csv", "--output", "asked_nothing.yaml", "--yes")
    answers("\n\n\n")
    result = cli("init", "prices.csv")
    assert (result.code, result.out) == (0, "Wrote prices.yaml\nNext: lstm-forecast train prices.yaml\n")
    questions = "Column to forecast (open, close) [close]: Steps to forecast [7]: Write to [prices.yaml]: "
    assert questions in result.err
    asked, unasked = (Path(name).read_text() for name in ("prices.yaml", "asked_nothing.yaml"))
    assert asked.replace("prices", "asked_nothing") == unasked.replace("prices", "asked_nothing")


def test_answers_count_as_flags_would(cli: Cli, prices: Path, answers: Answers) -> None:
    words = ["--target", "open", "--horizon", "3", "--output", "mine.yaml"]
    cli("init", "prices.csv", *words)
    answers("open\n3\nagain.yaml\n")
    result = cli("init", "prices.csv")
    assert result.code == 0
    assert result.err.count("column 'date'") == 1  # what is the same is not told again
    assert Path("again.yaml").read_text().replace("again", "mine") == Path("mine.yaml").read_text()


def test_what_flags_say_is_not_asked(cli: Cli, prices: Path, answers: Answers) -> None:
    answers("")
    result = cli("init", "prices.csv", "--target", "open", "--horizon", "3", "--output", "a.yaml")
    assert (result.code, "Column to" in result.err) == (0, False)


def test_a_bad_answer_is_asked_again(cli: Cli, unclear: Path, answers: Answers) -> None:
    Path("old.yaml").write_text("mine")
    answers("\nc\nb\nnone\n0\n100001\n٣\n00000000012345678\n5\nold.yaml\na.txt\nno/a.yaml\nb.yml\n")
    result = cli("init", "unclear.csv")
    assert (result.code, result.out) == (0, "Wrote b.yml\nNext: lstm-forecast train b.yml\n")
    assert result.err.count("Column to forecast (a, b): ") == 3  # nothing was found that Enter could take
    assert result.err.count("Steps to forecast [7]: ") == 6
    assert result.err.count("Write to [unclear.yaml]: ") == 4
    config = load_config(Path("b.yml"), environ={}).config
    assert (config.data.target, config.window.horizon) == ("b", 5)
    assert Path("old.yaml").read_text() == "mine"


def test_a_file_of_several_tickers_asks_for_one_of_their_columns(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    monkeypatch.chdir(tmp_path)
    head = ["Price,Close,Close,Open,Open", "Ticker,AAPL,IBM,AAPL,IBM", "Date,,,,"]
    rows = [f"{day},{n},{n + 7},{n + 1},{n + 8}" for n, day in enumerate(days(160), start=50)]
    Path("two.csv").write_text("\n".join([*head, *rows]) + "\n")
    answers("Close IBM\n1\n\n")
    result = cli("init", "two.csv")
    assert result.code == 0
    assert "Column to forecast (Close AAPL, Close IBM, Open AAPL, Open IBM): " in result.err
    assert load_config(Path("two.yaml"), environ={}).config.data.target == "Close IBM"


def test_an_unquoted_pattern_is_told_to_stand_in_quotes(cli: Cli) -> None:
    refused = cli("init", "a.csv", "b.csv")
    assert (refused.code, "lstm-forecast init 'prices/*.csv'" in refused.err) == (2, True)


@pytest.mark.parametrize("typed", ["", "close\n", "close\n3\n"])
def test_the_end_of_the_answers_is_130_and_writes_nothing(
    typed: str, cli: Cli, prices: Path, answers: Answers
) -> None:
    answers(typed)
    result = cli("init", "prices.csv")
    assert (result.code, result.out) == (130, "")
    assert result.err.endswith("\ninterrupted\n")
    assert list(Path().iterdir()) == [Path("prices.csv")]


@pytest.mark.parametrize("flag", ["--yes", "--json", "--quiet"])
def test_these_ask_nothing_on_a_terminal_either(flag: str, cli: Cli, prices: Path, answers: Answers) -> None:
    answers("")
    assert cli("init", "prices.csv", flag).code == 0


def in_terminal(arguments: list[str], typed: list[bytes], cwd: Path) -> tuple[int, str]:
    """The program at a real terminal: each text is typed when a question stands there."""
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    env = {**CRON, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-m", "lstm_forecast", *arguments]
    process = subprocess.Popen(
        command, stdin=other, stdout=other, stderr=other, env=env, cwd=cwd, start_new_session=True
    )
    os.close(other)
    shown, left = b"", list(typed)
    while True:
        try:
            chunk = os.read(main, 4096)
        except OSError:  # the last one has closed it
            break
        if not chunk:
            break
        shown += chunk
        if left and shown.endswith(b"]: "):
            os.write(main, left.pop(0))
    code = process.wait(timeout=30)
    os.close(main)
    return code, shown.decode()


def test_a_real_terminal_is_asked(prices: Path) -> None:
    code, shown = in_terminal(["init", "prices.csv"], [b"open\n", b"2\n", b"\n"], prices.parent)
    assert code == 0
    assert "Wrote prices.yaml" in shown
    config = load_config(Path("prices.yaml"), environ={}).config
    assert (config.data.target, config.window.horizon) == ("open", 2)
    code, shown = in_terminal(["init", "prices.csv"], [b"\x04"], prices.parent)  # Ctrl-D
    assert (code, "interrupted" in shown) == (130, True)


def test_it_never_imports_torch(prices: Path) -> None:
    ((_, code, heavy),) = probed([["init", str(prices), "--quiet"]], prices.parent)
    assert code == 0
    assert not {"torch", "matplotlib", "sklearn"} & set(heavy)
