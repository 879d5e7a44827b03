"""Every file of the corpus through ``check --json``: the code, the error and the place that are expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.corpus.make import CASES, CONFIGS, GOOD, Case, write
from tests.hanging import never_hangs

# Rows of which no file can be made: a path that is not there; what only a time of training shows.
FILES_OF = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 67, 68, 69}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write(folder)
    (folder / "prices.csv").write_text(GOOD)
    return folder


def test_the_corpus_has_files_for_every_row_of_input_and_configuration() -> None:
    assert {case.row for case in (*CASES, *CONFIGS)} >= FILES_OF


@pytest.mark.parametrize("case", [*CASES, *CONFIGS], ids=lambda case: f"row{case.row}-{case.name}")
def test_a_file_of_the_corpus_gives_what_is_expected(
    case: Case, corpus: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = json.loads((corpus / "expected.json").read_bytes())[case.file]
    with never_hangs():
        result = cli("check", corpus / case.file, "--json", "--runs-dir", tmp_path / "runs")
    assert result.code == expected["code"], result
    problem = json.loads(result.out)["problems"][0]
    assert problem["id"] == expected["id"], problem
    place = problem["where"].removeprefix(str(corpus / case.file))
    if expected["line"] is not None:
        columns = f":{expected['column']}" if expected["column"] is not None else ""
        assert place == f":{expected['line']}{columns}", problem
    assert "\x1b" not in result.out + result.err
    assert list(tmp_path.iterdir()) == []  # nothing written, nothing run
