"""Files are the old or the new one, whatever step fails; what is read is a regular file of bounded size."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.errors import ArtifactRejected, Busy, ExistsError, StorageError
from lstm_forecast.runs import storage

STEPS = ["open", "write", "fsync", "replace"]


def failing(step: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes one of the system's calls fail, the first time it is made on a file."""

    def refuse(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    if step == "write":
        true_open = os.fdopen

        class Full:
            """A file that has no room."""

            def __init__(self, descriptor: int, mode: str) -> None:
                self._file = true_open(descriptor, mode)

            def __enter__(self) -> Full:
                return self

            def __exit__(self, *error: object) -> None:
                self._file.close()

            write = refuse

        monkeypatch.setattr(os, "fdopen", Full)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    else:
        monkeypatch.setattr(os, step, refuse)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("number", "id"),
    [
        (errno.ENOSPC, "storage.full"),
        (errno.EDQUOT, "storage.full"),
        (errno.EROFS, "storage.readonly"),
        (errno.EACCES, "storage.readonly"),
        (errno.EIO, "storage.io"),
    ],
)
def test_row_51_and_52_a_failed_step_leaves_the_old_file_and_nothing_else(
    step: str, number: int, id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        failing(step, number, patch)
        with pytest.raises(StorageError) as caught:
            storage.write_atomic(path, b"new")
    assert (caught.value.id, caught.value.errno, caught.value.code) == (id, number, 15)
    assert caught.value.where == str(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
    storage.write_atomic(path, b"new")  # the same command without the fault succeeds
    assert path.read_bytes() == b"new"


def test_row_52_a_folder_that_cannot_be_synced_is_told_with_the_new_file_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_sync, calls = os.fsync, []

    def second_fails(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        true_sync(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(StorageError, match="cannot be written"):
        storage.write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_system_that_cannot_sync_folders_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_sync = os.fsync

    def no_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        true_sync(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    storage.write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_an_interrupt_while_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        storage.write_atomic(tmp_path / "file", b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_row_54_a_link_at_the_final_name_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"precious")
    link = tmp_path / "file"
    link.symlink_to(target)
    storage.write_atomic(link, b"new")
    assert target.read_bytes() == b"precious"
    assert not link.is_symlink()


def test_row_55_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        storage.write_atomic(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["with space", "-dash", "new\nline", "x" * 250, "日本", "[red]$x"])
def test_row_55_odd_names_are_written(name: str, tmp_path: Path) -> None:
    storage.write_atomic(tmp_path / name, b"x")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_sha256_is_the_known_one() -> None:
    # FIPS 180-2, appendix B.1
    assert storage.sha256_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.sha256_of(b"x") == hashlib.sha256(b"x").hexdigest()


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert storage.read_file(tmp_path / "file", limit=5) == b"12345"
    with pytest.raises(ArtifactRejected, match="is larger than 4 bytes") as caught:
        storage.read_file(tmp_path / "file", limit=4)
    assert caught.value.id == "artifact.limit"


def test_row_34_a_link_a_folder_a_pipe_a_socket_and_a_device_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        found = {}
        for path in (*(tmp_path / n for n in ("link", "folder", "pipe", "socket")), Path("/dev/zero")):
            with pytest.raises(ArtifactRejected) as caught:
                storage.read_file(path, limit=10)
            found[path.name] = caught.value.id
            assert caught.value.where == str(path)
    assert found == {
        "link": "artifact.unreadable",
        "folder": "artifact.path",
        "pipe": "artifact.path",
        "socket": "artifact.unreadable",
        "zero": "artifact.path",
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactRejected, match="is missing") as caught:
        storage.read_file(tmp_path / "file", limit=10)
    assert (caught.value.id, caught.value.code) == ("artifact.unreadable", 13)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 10_000 + b"]" * 10_000, b"1" * 5000])
def test_row_34_json_that_cannot_be_read_is_an_artifact_error(data: bytes) -> None:
    with pytest.raises(ArtifactRejected) as caught:
        storage.parse_json(data, where="x.json")
    assert (caught.value.id, caught.value.where) == ("artifact.json", "x.json")


def test_json_is_written_readable_and_never_with_nan() -> None:
    text = storage.json_bytes({"name": "收盘价", "x": 0.1})
    assert json.loads(text) == {"name": "收盘价", "x": 0.1}
    assert "收盘价".encode() in text
    assert text.endswith(b"\n")
    with pytest.raises(ValueError, match="JSON compliant"):
        storage.json_bytes({"x": float("nan")})


def test_lines_are_appended(tmp_path: Path) -> None:
    storage.append_line(tmp_path / "log", "one")
    storage.append_line(tmp_path / "log", "two")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_row_54_a_log_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "log").symlink_to(tmp_path / "target")
    with pytest.raises(StorageError):
        storage.append_line(tmp_path / "log", "one")
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_a_held_lock_is_busy_for_others_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "name.lock"
    with (
        storage.held_lock(path, timeout_s=1),
        pytest.raises(Busy) as caught,
        storage.held_lock(path, timeout_s=0),
    ):
        pytest.fail("two hold it")
    assert (caught.value.id, caught.value.code, caught.value.where) == ("run.locked", 75, str(path))
    with storage.held_lock(path, timeout_s=0):
        pass


def test_row_37_outputs_exist_are_folders_or_have_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with pytest.raises(ExistsError, match="exists") as caught:
        storage.write_new(path, b"new", overwrite=False)
    assert (caught.value.id, caught.value.hint) == ("output.exists", "add --overwrite to replace it")
    assert path.read_bytes() == b"old"
    storage.write_new(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    with pytest.raises(ExistsError, match="is a folder"):
        storage.write_new(tmp_path, b"new", overwrite=True)
    with pytest.raises(StorageError, match="does not exist") as missing:
        storage.write_new(tmp_path / "no such" / "out.csv", b"new", overwrite=True)
    assert missing.value.hint == f"mkdir -p '{tmp_path / 'no such'}'"
    assert not (tmp_path / "no such").exists()


def test_row_37_an_output_that_is_a_link_is_written_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "target.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "target.csv")
    storage.write_new(tmp_path / "link.csv", b"new", overwrite=True)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "target.csv").read_bytes() == b"new"
