"""A small file in one step: as the long way makes it, or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.file_restorer import file_writer
from nightsafe.file_restorer.read_plan import Piece
from nightsafe.repofile.tree import posix_permissions
from nightsafe.target.metadata import Attributes, restore_at

from tests.support.agent.extensions import needs
from tests.support.agent.native_uses import load

BEFORE_1970 = -1_500_000_001
LATE = 4_102_444_800_123_456_789
PART = b".nightsafe-test.part"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def piece(name: bytes = b"file", **changed: object) -> Piece:
    attributes = Attributes("file", 0o644, os.getuid(), os.getgid(), LATE, LATE, ())
    return Piece(0, 0, 0, b"", 0, name, 0, 0, attributes._replace(**changed))  # type: ignore[arg-type]


needs_place = needs("file_writer")


@needs_place
@pytest.mark.parametrize("mode", [0o600, 0o777, 0o000, 1 << 23 | 0o755, 1 << 22 | 1 << 20 | 0o711])
@pytest.mark.parametrize("time", [0, 1, BEFORE_1970, LATE])
@pytest.mark.parametrize("data", [b"", b"x" * 40_000])
def test_it_is_as_the_long_way_makes_it(
    tmp_path: Path, folder: int, mode: int, time: int, data: bytes
) -> None:
    """Owner, mode, times, content."""
    made = piece(mode=mode, atime=time, mtime=time + 1)
    assert file_writer.write_natively(folder, PART, made, data)
    fd = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    assert made.attributes is not None
    assert restore_at(fd, Attributes(*made.attributes)) == []
    os.close(fd)
    seen, other = os.stat(tmp_path / "file"), os.stat(tmp_path / "other")
    for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_atime_ns"):
        assert getattr(seen, field) == getattr(other, field), field
    assert seen.st_size == len(data)
    os.chmod(tmp_path / "file", 0o600)
    assert (tmp_path / "file").read_bytes() == data


@needs_place
@pytest.mark.parametrize("mask", [0, 0o027, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o044, 0o664, 0o777, 1 << 20 | 0o755])
def test_the_callers_mask_changes_nothing(
    tmp_path: Path, folder: int, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        assert file_writer.write_natively(folder, PART, piece(mode=mode), b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "file").st_mode) == posix_permissions(mode)


@needs_place
# Systems let nobody else give files away, so there is nothing to try; CI is root.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_the_owner(tmp_path: Path, folder: int) -> None:
    assert file_writer.write_natively(
        folder, PART, piece(mode=1 << 23 | 0o755, uid=12345, gid=54321), b"x"
    )
    seen = os.stat(tmp_path / "file")
    assert (seen.st_uid, seen.st_gid) == (12345, 54321)
    assert seen.st_mode & stat.S_ISUID, "a new owner drops it, so it must come after"


@needs_place
# It takes a second user, and only root can become one; CI is root.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_others_do_not_get_the_rights_of_an_owner(tmp_path: Path, folder: int) -> None:
    os.chmod(tmp_path, 0o777)
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setresgid(54321, 54321, 54321)
        os.setresuid(12345, 12345, 12345)
        done = file_writer.write_natively(
            folder, PART, piece(mode=1 << 23 | 1 << 22 | 0o755, uid=0), b"x"
        )
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    seen = os.stat(tmp_path / "file")
    assert (seen.st_uid, stat.S_IMODE(seen.st_mode)) == (12345, 0o755)


@needs_place
def test_a_file_that_is_there_is_replaced(tmp_path: Path, folder: int) -> None:
    (tmp_path / "file").write_bytes(b"old and longer")
    assert file_writer.write_natively(folder, PART, piece(), b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@needs_place
def test_links_are_replaced_not_followed(tmp_path: Path, folder: int) -> None:
    (tmp_path / "elsewhere").write_bytes(b"safe")
    (tmp_path / "file").symlink_to("elsewhere")
    assert file_writer.write_natively(folder, PART, piece(), b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"safe"
    assert not (tmp_path / "file").is_symlink()


@needs_place
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": b"folder"},
        {"name": b"a/b"},
        {"name": b"../file"},
        {"name": b"nul\0"},
        {"name": b""},
        {"name": b"n" * 300},
        {"mtime": 1 << 70},
        {"uid": 1 << 40},
        {"gid": (1 << 32) - 1},
    ],
)
def test_what_cannot_be_is_left_to_the_long_way(
    tmp_path: Path, folder: int, wrong: dict[str, object]
) -> None:
    (tmp_path / "folder" / "full").mkdir(parents=True)
    name = wrong.pop("name", b"file")
    assert isinstance(name, bytes)
    assert not file_writer.write_natively(folder, PART, piece(name, **wrong), b"data")
    assert os.listdir(tmp_path) == ["folder"]
    assert not (tmp_path.parent / "file").exists()


@needs_place
def test_a_full_disk_leaves_nothing() -> None:
    fd = os.open("/dev", os.O_RDONLY)
    try:
        assert not file_writer.write_natively(fd, b"full", piece(b"file"), b"data"), (
            "it is there already"
        )
    finally:
        os.close(fd)
    assert os.path.exists("/dev/full")


@needs_place
def test_a_closed_folder_is_no_folder(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    os.close(fd)
    assert not file_writer.write_natively(fd, PART, piece(), b"data")


def test_large_files_and_attributes_go_the_long_way(folder: int) -> None:
    assert not file_writer.write_natively(folder, PART, piece(), bytes(file_writer.SMALL_SIZE))
    assert not file_writer.write_natively(folder, PART, piece(xattrs=((b"user.a", b"b"),)), b"data")


@needs_place
def test_what_fails_is_not_followed_by_further_questions(folder: int) -> None:
    """The first error is raised as it is; nothing is asked of Python on top of it."""
    asked = []

    class Odd:
        def __init__(self, answer: int | None) -> None:
            self.answer = answer

        def __index__(self) -> int:
            asked.append(self.answer)
            if self.answer is None:
                raise OverflowError("no number")
            return self.answer

    with pytest.raises(OverflowError, match="no number"):
        load("file_writer").place(folder, PART, b"file", b"", Odd(None), *map(Odd, (1, 2, 3, 4)))
    assert asked == [None]
