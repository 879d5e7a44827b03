"""The file system under the runs folder, and who holds which lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lstm_forecast.runs import places
from lstm_forecast.runs.places import Lock, file_system, name_locks
from lstm_forecast.runs.storage import held_lock, is_held


def mounted(folder: Path, *mounts: tuple[Path, str]) -> str:
    """Mounts as Linux lists them, the root first."""
    lines = ["22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw"]
    for point, kind in mounts:
        text = str(point).replace(" ", "\\040")
        lines.append(f"99 22 0:44 / {text} rw,nosuid shared:5 master:1 - {kind} server:/x rw,vers=4.2")
    return "\n".join(lines) + "\n"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that stands for the kernel's list."""
    path = tmp_path / "mountinfo"
    monkeypatch.setattr(places, "MOUNTS", path)
    return path


def test_the_innermost_and_of_two_alike_the_latest_mount_counts(tmp_path: Path, listed: Path) -> None:
    inner = tmp_path / "with blank"
    inner.mkdir()
    listed.write_text(mounted(tmp_path, (inner, "nfs4"), (tmp_path, "tmpfs"), (tmp_path, "xfs")))
    assert file_system(tmp_path) == ("xfs", True)
    assert file_system(inner / "not" / "there") == ("nfs4", False)
    assert file_system(tmp_path.parent) == ("ext4", True)
    (tmp_path / "with blank too").mkdir()
    assert file_system(tmp_path / "with blank too") == ("xfs", True)


@pytest.mark.parametrize(
    ("kind", "local"),
    [
        ("nfs", False),
        ("cifs", False),
        ("smb3", False),
        ("9p", False),
        ("fuse.sshfs", False),
        ("lustre", False),
        ("nfsd", True),
        ("overlay", True),
        ("btrfs", True),
        ("tmpfs", True),
        ("fuse.ntfs", True),
    ],
)
def test_a_file_system_is_local_or_behind_a_network(
    kind: str, local: bool, tmp_path: Path, listed: Path
) -> None:
    listed.write_text(mounted(tmp_path, (tmp_path, kind)))
    assert file_system(tmp_path) == (kind, local)


@pytest.mark.parametrize("text", ["", "nonsense\n", "- \n", "1 2 3 4 /"])
def test_a_list_that_says_nothing_leaves_it_unknown(text: str, tmp_path: Path, listed: Path) -> None:
    listed.write_text(text)
    assert file_system(tmp_path) == ("unknown", None)


def test_a_system_without_such_a_list_leaves_it_unknown(tmp_path: Path, listed: Path) -> None:
    assert file_system(tmp_path) == ("unknown", None)


def test_a_link_lies_where_it_points_to(tmp_path: Path, listed: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far")
    listed.write_text(mounted(tmp_path, (tmp_path / "far", "nfs")))
    assert file_system(tmp_path / "link" / "runs") == ("nfs", False)


def test_a_lock_is_held_exactly_while_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / ".locks" / "a.lock"
    assert is_held(path) is None
    with held_lock(path, timeout_s=0.0):
        assert is_held(path) is True
        assert name_locks(tmp_path)[0].held is True
    assert is_held(path) is False
    assert name_locks(tmp_path) == [Lock("a", False, "")]
    with held_lock(path, timeout_s=0.0):  # asking has left nothing behind
        pass


def test_asking_neither_follows_a_link_nor_waits_for_a_pipe(tmp_path: Path) -> None:
    import os

    (tmp_path / "a.lock").symlink_to(tmp_path / "file")
    (tmp_path / "file").touch()
    assert is_held(tmp_path / "a.lock") is None
    os.mkfifo(tmp_path / "b.lock")
    assert is_held(tmp_path / "b.lock") in (False, None)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        (
            json.dumps({"pid": 7, "host": "vm", "since": "2026-01-01T00:00:00+00:00"}),
            "process 7 on vm since 2026-01-01T00:00:00+00:00",
        ),
        ("{}", "another process"),
        ("[]", "another process"),
        ("", "another process"),
        ("3", "another process"),
    ],
)
def test_who_holds_a_lock_is_what_he_wrote_beside_it(text: str, by: str, tmp_path: Path) -> None:
    with held_lock(tmp_path / ".locks" / "a.lock", timeout_s=0.0):
        (tmp_path / ".locks" / "a.lock.json").write_text(text)
        assert name_locks(tmp_path) == [Lock("a", True, by)]


def test_a_folder_without_locks_has_none(tmp_path: Path) -> None:
    assert name_locks(tmp_path) == []
