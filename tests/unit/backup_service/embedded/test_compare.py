"""The comparison must see every difference: each test makes one."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from backup_service.embedded.demo.compare import Comparison, compare


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal trees."""
    left, right = tmp_path / "left", tmp_path / "right"
    (left / "folder" / "inner").mkdir(parents=True)
    (left / "folder" / "file").write_bytes(b"x" * 3_000_000)
    (left / "empty").touch()
    (left / "link").symlink_to("empty")
    os.mkfifo(left / "pipe")
    with open(os.fsencode(left) + b"/not-\xff-text", "wb") as file:
        file.write(b"odd")
    shutil.copytree(left, right, symlinks=True, copy_function=shutil.copy2, ignore=_no_pipes)
    os.mkfifo(right / "pipe")
    for folder, _, files in os.walk(os.fsencode(left)):
        for name in [b"", *files]:
            mine = os.path.join(folder, name)
            status = os.lstat(mine)
            theirs = mine.replace(os.fsencode(left), os.fsencode(right), 1)
            os.utime(theirs, ns=(0, status.st_mtime_ns), follow_symlinks=False)
    return left, right


def _no_pipes(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "pipe"]


def differences(pair: tuple[Path, Path]) -> Comparison:
    return compare(os.fsencode(pair[0]), os.fsencode(pair[1]))


def test_equal_trees_are_equal(pair: tuple[Path, Path]) -> None:
    found = differences(pair)
    assert found.differences == []
    assert (found.files, found.folders, found.links, found.others) == (3, 3, 1, 1)
    assert found.size == 3_000_003


def _flip(right: Path) -> None:
    path = right / "folder" / "file"
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(2_999_999)
        file.write(b"y")
    os.utime(path, ns=(0, status.st_mtime_ns))


def _lengthen(right: Path) -> None:
    path = right / "empty"
    status = path.stat()
    path.write_bytes(b"1")
    os.utime(path, ns=(0, status.st_mtime_ns))


def _keeping_times(folder: Path, change: Callable[[], object]) -> None:
    status = folder.stat()
    change()
    os.utime(folder, ns=(0, status.st_mtime_ns))


def _relink(right: Path) -> None:
    status = (right / "link").lstat()

    def change() -> None:
        (right / "link").unlink()
        (right / "link").symlink_to("pipe")

    _keeping_times(right, change)
    os.utime(right / "link", ns=(0, status.st_mtime_ns), follow_symlinks=False)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one byte": (_flip, "other contents"),
    "one byte more": (_lengthen, "other contents"),
    "a mode": (lambda top: (top / "empty").chmod(0o4600), "has mode 4600"),
    "a folder's mode": (lambda top: (top / "folder").chmod(0o700), "has mode 700"),
    "a time by 1 ns": (lambda top: os.utime(top / "empty", ns=(0, 1)), "has time 1 instead"),
    "a folder's time": (lambda top: os.utime(top / "folder", ns=(0, 1)), "has time"),
    "a link's time": (
        lambda top: os.utime(top / "link", ns=(0, 1), follow_symlinks=False),
        "has time",
    ),
    "a link's target": (_relink, "points elsewhere"),
    "a missing file": (
        lambda top: _keeping_times(top, (top / "empty").unlink),
        "was not restored",
    ),
    "a surplus file": (
        lambda top: _keeping_times(top, (top / "new").touch),
        "only after the restore",
    ),
    "a missing folder": (
        lambda top: _keeping_times(top / "folder", (top / "folder" / "inner").rmdir),
        "was not restored",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_difference_is_seen(pair: tuple[Path, Path], change: str) -> None:
    act, text = CHANGES[change]
    act(pair[1])
    found = differences(pair).differences
    assert len(found) == 1, found
    assert text in str(found[0])


def test_another_type_is_seen_and_not_opened(pair: tuple[Path, Path]) -> None:
    (pair[1] / "empty").unlink()
    os.mkfifo(pair[1] / "empty")
    assert "another type" in " ".join(map(str, differences(pair).differences))


def test_another_owner_is_seen_by_root(pair: tuple[Path, Path]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(pair[1] / "empty", 12345, -1)
    assert "has owner" in str(differences(pair).differences[0])


def test_what_could_not_be_read_explains_what_is_missing(pair: tuple[Path, Path]) -> None:
    _keeping_times(pair[1], lambda: shutil.rmtree(pair[1] / "folder"))
    found = differences(pair)
    assert found.beyond({os.fsencode(pair[0] / "folder")}) == []
    assert len(found.beyond({os.fsencode(pair[0] / "fold")})) == 1


def test_sockets_are_counted_and_left_out(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pair[0])
    with socket.socket(socket.AF_UNIX) as listener:
        _keeping_times(pair[0], lambda: listener.bind("s"))
    found = differences(pair)
    assert (found.sockets, found.differences) == (1, [])


def test_single_files_are_compared_too(pair: tuple[Path, Path]) -> None:
    left, right = (os.fsencode(top / "folder" / "file") for top in pair)
    assert compare(left, right).differences == []
    _flip(pair[1])
    assert len(compare(left, right).differences) == 1
