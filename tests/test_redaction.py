"""Row 70: no secret, no local variable and no row of data where somebody else may read it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from lstm_forecast.events import Event
from lstm_forecast.redaction import is_secret, redacted, redacted_words
from lstm_forecast.runs.storage import make_directory, write_atomic, write_new
from tests.conftest import SMALL, Cli, Tiny

NAMES = ["token", "API_TOKEN", "db.password", "client-secret", "x.api_key", "apiKey", "credentials", "passwd"]


@pytest.mark.parametrize("name", NAMES)
def test_row_70_a_value_whose_name_says_so_is_taken_out(name: str) -> None:
    assert is_secret(name)
    assert redacted(f"got {name}=hunter2, expected") == f"got {name}=[redacted] expected"
    assert redacted(f'{name} = "hunter2 more" x') == f"{name} = [redacted] x"
    line = Event("account", "info", {name: "hunter2", "lines": [f"{name}=hunter2"]}, 0.0, "").to_line()
    assert "hunter2" not in line
    assert json.loads(line)[name] == "[redacted]"
    nested = Event("account", "info", {"a": {"b": [{name: ["hunter2"]}]}}, 0.0, "").to_line()
    assert "hunter2" not in nested


@pytest.mark.parametrize(
    "text", ["keyboard=a", "tok=en", "column token: 3 rows", "password", "a=b", "x@y", "https://h/a@b"]
)
def test_other_text_stays(text: str) -> None:
    assert redacted(text) == text
    assert redacted_words([text]) == [text]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://me:hunter2@host/x", "https://[redacted]@host/x"),
        (
            "at postgresql+psycopg://me:hunter2@host:5432/db now",
            "at postgresql+psycopg://[redacted]@host:5432/db now",
        ),
        ("ftp://hunter2@host", "ftp://[redacted]@host"),
    ],
)
def test_row_70_who_logs_in_to_an_address_is_taken_out(text: str, kept: str) -> None:
    assert redacted(text) == kept
    assert redacted_words([text]) == [kept]


@pytest.mark.parametrize("part", ["n", "token", "a.b-", "x://", "password ", "=", "@", "a://b@"])
def test_row_40_a_very_long_name_is_no_burden(part: str) -> None:
    """With time that grows with the square of the length, this would take minutes."""
    text = part * (200_000 // len(part))
    assert len(redacted(text)) > 0
    assert redacted(text + " my_token=hunter2").endswith("my_token=[redacted]")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--set", "x.password=two words"], ["--set", "x.password=[redacted]"]),
        (["--set=x.token=a=b"], ["--set=x.token=[redacted]"]),
        (["--api-key", "hunter2", "a.csv"], ["--api-key", "[redacted]", "a.csv"]),
        (["--token", "--quiet"], ["--token", "--quiet"]),
        (["train", "a.csv", "--set", "training.lr=0.1"], ["train", "a.csv", "--set", "training.lr=0.1"]),
        (["DB_PASSWORD=line\nline"], ["DB_PASSWORD=[redacted]"]),
    ],
)
def test_row_70_a_command_line_is_kept_without_secrets(words: list[str], kept: list[str]) -> None:
    assert redacted_words(words) == kept


def test_row_70_what_a_training_writes_holds_no_secret(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast.cli import train

    words = [
        "train",
        str(tiny.csv),
        "--set",
        "x.password=hunter2",
        "--api-token",
        "hunter2",
        "sftp://a:hunter2@h/",
    ]
    monkeypatch.setattr(train.sys, "argv", words)
    monkeypatch.setenv("MY_SECRET", "hunter2")
    result = cli(
        "train",
        tiny.csv,
        *SMALL,
        "--name",
        "new",
        "--runs-dir",
        tiny.runs,
        "--set",
        "run.plots=false",
        "--log-format",
        "json",
    )
    assert result.code == 0
    (run,) = (tiny.runs / "new").glob("2*")
    assert json.loads((run / "run.json").read_text())["argv"] == redacted_words(words)
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(
    "words",
    [
        ["train", "tiny.csv", "--set", "x.password=hunter2"],
        ["train", "tiny.csv", "--set", "training.epochs=token=hunter2"],
        ["train", "tiny.csv", "--password=hunter2"],
        ["train", "https://me:hunter2@host/x.csv"],
        ["check", "https://me:hunter2@host/x.csv", "--json"],
        ["predict", "tiny", "--data", "s3://me:hunter2@host/x.csv"],
        ["predict", "secret=hunter2"],
        ["train", "password=hunter2.csv"],
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_row_70_an_error_repeats_no_secret(words: list[str], form: str, cli: Cli, tiny: Tiny) -> None:
    result = cli(*words, "--runs-dir", tiny.runs, "--log-format", form)
    assert result.code in (2, 10, 12)
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_row_70_a_crash_shows_no_variable_and_no_row(
    form: str, cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_forecast import fitting

    def broken(*arguments: object, **named: object) -> None:
        rows = [line.split(",") for line in tiny.csv.read_text().splitlines()]
        token = "hunter2 in a variable"
        assert rows
        assert token
        raise AttributeError("no such thing")

    monkeypatch.setattr(fitting, "learn", broken)
    monkeypatch.setattr("lstm_forecast.judging.learn", broken)
    result = cli("train", tiny.csv, *SMALL, "--name", "new", "--runs-dir", tiny.runs, "--log-format", form)
    assert result.code == 1
    (run,) = (tiny.runs / "new").glob("2*")
    text = result.err + (run / "log.jsonl").read_text()
    assert "no such thing" in text
    assert "hunter2 in a variable\n" not in text
    for row in tiny.csv.read_text().splitlines()[1:]:
        assert row.split(",")[1] not in text


@pytest.fixture(params=[0o000, 0o077, 0o022])
def umask(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_row_55_and_70_nobody_else_may_write_what_a_training_leaves(umask: int, cli: Cli, tiny: Tiny) -> None:
    before = os.umask(umask)
    try:
        words = [tiny.csv, *SMALL, "--name", "new", "--set", "training.checkpoint_every=0s"]
        assert cli("train", *words, "--set", "training.tensorboard=true", "--runs-dir", "a/b/runs").code == 0
        assert cli("predict", "new", "--runs-dir", "a/b/runs", "--record", "--output", "out.csv").code == 0
    finally:
        os.umask(before)
    for path in [Path("a"), *Path("a").rglob("*")]:
        usual = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == usual & ~umask, path
    assert (
        stat.S_IMODE(Path("out.csv").stat().st_mode) == 0o666 & ~umask
    )  # the user's own: as the umask has it


def test_row_55_modes_of_single_files_and_folders(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        make_directory(tmp_path / "a" / "b")
        write_atomic(tmp_path / "a" / "file", b"x")
        write_new(tmp_path / "a" / "mine", b"x", overwrite=False)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").iterdir()}
    assert modes == {"b": 0o755 & ~umask, "file": 0o644 & ~umask, "mine": 0o666 & ~umask}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755 & ~umask
