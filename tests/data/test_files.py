"""Which files a path means: a folder, a pattern, one file; and the hash of them all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from lstm_forecast.data import files
from lstm_forecast.data.files import find_files, fingerprint, is_many, is_there, labels, sha256_of_input
from lstm_forecast.errors import DataInvalid, DataMissing


def make(folder: Path, *names: str) -> Path:
    """Files with their own name in them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def found(path: Path | str) -> tuple[str, ...]:
    return find_files(str(path)).names


TREE = ("b.csv", "a.csv", "c.CSV", "d.csv.gz", "e.txt", ".h.csv", "sub/f.csv", "sub/deep/g.csv", ".git/i.csv")


def test_a_folder_means_its_csvs_neither_hidden_nor_below(tmp_path: Path) -> None:
    assert found(make(tmp_path, *TREE)) == ("a.csv", "b.csv", "c.CSV", "d.csv.gz")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", ("a.csv", "b.csv")),
        ("?.csv", ("a.csv", "b.csv")),
        ("[ac].*", ("a.csv", "c.CSV")),
        ("[!ac].csv", ("b.csv",)),
        ("*", ("a.csv", "b.csv", "c.CSV", "d.csv.gz", "e.txt")),
        (".*.csv", (".h.csv",)),
        ("*/*.csv", ("sub/f.csv",)),
        ("**/*.csv", ("a.csv", "b.csv", "sub/deep/g.csv", "sub/f.csv")),
        ("**/**/g.csv", ("sub/deep/g.csv",)),
        ("**/deep/**/*.csv", ("sub/deep/g.csv",)),
        ("s*/**", ("sub/deep/g.csv", "sub/f.csv")),
    ],
)
def test_a_pattern_means_the_files_that_fit_sorted(
    pattern: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    assert found(make(tmp_path, *TREE) / pattern) == names


def test_a_file_or_folder_that_exists_under_a_name_with_wildcards_is_meant(tmp_path: Path) -> None:
    make(tmp_path, "x[1].csv", "x1.csv", "run[2]/y.csv", "run2/z.csv")
    assert not is_many(str(tmp_path / "x[1].csv"))
    assert found(tmp_path / "x[12].csv") == ("x1.csv",)
    assert find_files(str(tmp_path / "run[2]" / "*.csv")).names == ("y.csv",)
    assert find_files(str(tmp_path / "run[2]")).names == ("y.csv",)


@pytest.mark.parametrize(
    "path", ["-", "https://host/*.csv", "s3://bucket/*", "a.csv", "{a,b}.csv", "~", "$HOME"]
)
def test_nothing_else_is_expanded(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path, "a.csv", "b.csv"))
    assert not is_many(path)


def test_links_to_files_are_read_and_linked_folders_are_not_walked(tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "out/b.csv")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "out" / "b.csv")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "gone.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "self.csv").symlink_to(tmp_path / "in" / "self.csv")
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    # a link that leads nowhere is kept: reading it is the error that it should be
    assert found(tmp_path / "in") == ("a.csv", "gone.csv", "link.csv", "self.csv")
    assert found(tmp_path / "in" / "**" / "[ab].csv") == ("a.csv",)
    assert found(tmp_path / "in" / "*" / "[b].csv") == ("away/b.csv",)


def test_a_folder_of_csvs_called_so_is_no_file(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv/inner.csv")
    assert found(tmp_path) == found(tmp_path / "*.csv") == ("a.csv",)


@pytest.mark.parametrize(
    ("path", "message", "details", "hint"),
    [
        ("prices/*.cvs", "no file fits", ["files in {0}/prices: a.csv"], "did you mean '{0}/prices/*.csv'?"),
        ("pricse/*.csv", "no file fits", [], "did you mean '{0}/prices/*.csv'?"),
        ("elsewhere/*.csv", "no file fits", [], "the folder {0}/elsewhere does not exist; check the path"),
        ("empty", r"no \*.csv", [], "put one CSV per series into it"),
        ("texts", r"no \*.csv", ["files in {0}/texts: a.txt"], "name them by a pattern: '{0}/texts/*.txt'"),
        ("texts/b*.tx", "no file fits", ["files in {0}/texts: a.txt"], "did you mean {0}/texts/a.txt?"),
        ("empty/*", "no file fits", [], "check the pattern"),
    ],
)
def test_where_no_file_fits_the_nearest_is_named(
    path: str, message: str, details: list[str], hint: str, tmp_path: Path
) -> None:
    make(tmp_path, "prices/a.csv", "texts/a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataMissing, match=message) as caught:
        find_files(str(tmp_path / path))
    assert (caught.value.id, caught.value.where) == ("data.not_found", str(tmp_path / path))
    assert list(caught.value.details) == [detail.format(tmp_path) for detail in details]
    assert caught.value.hint == hint.format(tmp_path)
    assert not is_there(str(tmp_path / path))


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.csv", "closed/b.csv")
    real = os.scandir

    def refusing(path: str) -> object:
        if path.rstrip("/").endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refusing)
        with pytest.raises(DataMissing, match="cannot be listed: Permission denied") as caught:
            find_files(str(tmp_path / "**" / "*.csv"))
    assert caught.value.where.rstrip("/") == str(tmp_path / "closed")


@pytest.mark.parametrize("path", [".", "*.csv", "**/*.csv"])
def test_the_number_of_files_is_limited(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.csv", "b.csv", "c.csv")
    monkeypatch.setattr(files, "MOST_FILES", 3)
    assert len(found(tmp_path / path)) == 3
    monkeypatch.setattr(files, "MOST_FILES", 2)
    with pytest.raises(DataInvalid, match="more than 2 files") as caught:
        find_files(str(tmp_path / path))
    assert caught.value.id == "data.limit"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.csv", "b.csv.gz", "c.CSV", "d", "e.us.csv"], ("a", "b", "c", "d", "e.us")),
        (["a/x.csv", "b/x.csv", "b/y.csv"], ("a/x", "b/x", "y")),
    ],
)
def test_a_series_is_named_by_the_stem_and_by_the_path_where_stems_repeat(
    names: Sequence[str], expected: tuple[str, ...], tmp_path: Path
) -> None:
    make(tmp_path, *names)
    assert labels(find_files(str(tmp_path / "**"))) == expected


def test_two_files_that_differ_in_the_suffix_only_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "a.csv.gz")
    with pytest.raises(DataInvalid, match=r"this file and a.csv would both be the series 'a'") as caught:
        labels(find_files(str(tmp_path)))
    assert (caught.value.id, caught.value.where) == ("data.same_name", str(tmp_path / "a.csv.gz"))


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")).write_text("")
    with pytest.raises(DataInvalid, match="not UTF-8") as caught:
        labels(find_files(str(tmp_path)))
    assert caught.value.id == "data.file_name"
    str(caught.value).encode()


def listed(folder: Path, *names: str) -> str:
    """The hash of what ``sha256sum`` prints of these files in this order."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_hash_is_that_of_the_sorted_list_of_sha256sum(tmp_path: Path) -> None:
    make(tmp_path, "b.csv", "a.csv", "B.csv", "é.csv")
    expected = listed(tmp_path, "B.csv", "a.csv", "b.csv", "é.csv")
    assert sha256_of_input(str(tmp_path)) == expected
    assert sha256_of_input(str(tmp_path / "*.csv")) == expected
    assert sha256_of_input(str(tmp_path / "a.csv")) == hashlib.sha256(b"a.csv").hexdigest()
    # coreutils escapes such a name, and marks the line with a backslash; so one name cannot feign two files
    one = hashlib.sha256(b"\\" + b"0" * 64 + b"  a\\nb\\\\c\n").hexdigest()
    assert fingerprint(["a\nb\\c"], ["0" * 64]) == one


def test_any_change_of_a_file_or_a_name_changes_the_hash(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    seen = {sha256_of_input(str(tmp_path))}
    (tmp_path / "b.csv").write_text("B")
    seen.add(sha256_of_input(str(tmp_path)))
    (tmp_path / "b.csv").rename(tmp_path / "c.csv")
    seen.add(sha256_of_input(str(tmp_path)))
    make(tmp_path, "d.csv")
    seen.add(sha256_of_input(str(tmp_path)))
    (tmp_path / "a.csv").unlink()
    seen.add(sha256_of_input(str(tmp_path)))
    assert len(seen) == 5
    (tmp_path / "note.txt").write_text("not read, not hashed")
    assert sha256_of_input(str(tmp_path)) in seen


def test_what_can_be_read_again(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    there = [tmp_path, tmp_path / "*.csv", tmp_path / "a.csv"]
    gone = ["-", tmp_path / "b*.csv", tmp_path / "b.csv", tmp_path / "none"]
    assert [is_there(str(path)) for path in (*there, *gone)] == [True] * 3 + [False] * 4
