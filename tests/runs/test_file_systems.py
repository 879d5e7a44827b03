"""The file system under a path, as the kernel lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_forecast.runs import file_systems
from lstm_forecast.runs.file_systems import FileSystem, file_system, nearest_existing


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
    monkeypatch.setattr(file_systems, "MOUNTS", path)
    return path


def test_the_innermost_and_of_two_alike_the_latest_mount_counts(tmp_path: Path, listed: Path) -> None:
    inner = tmp_path / "with blank"
    inner.mkdir()
    listed.write_text(mounted(tmp_path, (inner, "nfs4"), (tmp_path, "tmpfs"), (tmp_path, "xfs")))
    assert file_system(tmp_path) == FileSystem("xfs", True)
    assert file_system(inner / "not" / "there") == FileSystem("nfs4", False)
    assert file_system(tmp_path.parent) == FileSystem("ext4", True)
    (tmp_path / "with blank too").mkdir()
    assert file_system(tmp_path / "with blank too") == FileSystem("xfs", True)


@pytest.mark.parametrize(
    ("kind", "local"),
    [
        ("nfs", False),
        ("cifs", False),
        ("smb3", False),
        ("9p", False),
        ("fuse.sshfs", False),
        ("lustre", False),
        ("nfsd", None),
        ("overlay", True),
        ("btrfs", True),
        ("tmpfs", True),
        ("fuse.ntfs", None),
    ],
)
def test_a_file_system_is_local_behind_a_network_or_nobody_can_say(
    kind: str, local: bool | None, tmp_path: Path, listed: Path
) -> None:
    listed.write_text(mounted(tmp_path, (tmp_path, kind)))
    assert file_system(tmp_path) == FileSystem(kind, local)


@pytest.mark.parametrize("text", ["", "nonsense\n", "- \n", "1 2 3 4 /"])
def test_a_list_that_says_nothing_leaves_it_unknown(text: str, tmp_path: Path, listed: Path) -> None:
    listed.write_text(text)
    assert file_system(tmp_path) == FileSystem("unknown", None)


def test_a_system_without_such_a_list_leaves_it_unknown(tmp_path: Path, listed: Path) -> None:
    assert file_system(tmp_path) == FileSystem("unknown", None)


def test_a_link_lies_where_it_points_to(tmp_path: Path, listed: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far")
    listed.write_text(mounted(tmp_path, (tmp_path / "far", "nfs")))
    assert file_system(tmp_path / "link" / "runs") == FileSystem("nfs", False)


def test_of_two_names_that_begin_alike_only_the_one_above_counts(tmp_path: Path, listed: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "homes").mkdir()
    listed.write_text(mounted(tmp_path, (tmp_path / "home", "nfs4")))
    assert file_system(tmp_path / "homes" / "runs") == FileSystem("ext4", True)


def test_the_kernel_of_this_machine_is_understood() -> None:
    if not file_systems.MOUNTS.exists():
        pytest.skip("no list of mounts here")
    assert file_system(Path("/proc/self")).kind == "proc"


def test_a_path_below_a_file_exists_as_far_as_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert nearest_existing(tmp_path / "file" / "a" / "b") == tmp_path / "file"
    assert nearest_existing(tmp_path / ("x" * 300) / "b") == tmp_path
