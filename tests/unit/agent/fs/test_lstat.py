"""What lstat says, in C and in Python: the same."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.fs.lstat import (
    RECORD,
    list_folders,
    load,
    lstat_all,
    portable_list_folders,
    portable_load,
    portable_lstat_all,
    portable_record,
    record,
)
from nightsafe.fs.status import StatEntry, Status

from tests.support.agent.extensions import needs
from tests.support.agent.trees import set_xattr

FIELDS = [
    "st_mode",
    "st_size",
    "st_ino",
    "st_uid",
    "st_gid",
    "st_nlink",
    "st_dev",
    "st_rdev",
    "st_mtime_ns",
    "st_ctime_ns",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"x" * 1234)
    os.utime(tmp_path / "file", ns=(1, 999_999_999_123_456_789))
    (tmp_path / "old").touch()
    os.utime(tmp_path / "old", ns=(0, -1_500_000_001))
    (tmp_path / "folder").mkdir(mode=0o2750)
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    return tmp_path


def entries(folder: Path) -> list[tuple[bytes, bytes]]:
    return [(name, os.path.join(os.fsencode(folder), name)) for name in os.listdir(bytes(folder))]


def test_every_field_is_as_python_has_it(folder: Path) -> None:
    paths = [path for _, path in entries(folder)] + [b"/dev/null", b"/dev/zero", b"/"]
    for path, status in zip(paths, lstat_all(paths), strict=True):
        assert not isinstance(status, int), path
        expected = os.lstat(path)
        for name in FIELDS:
            assert getattr(status, name) == getattr(expected, name), (path, name)


def test_records_are_the_same(folder: Path) -> None:
    listed = entries(folder)
    texts = []
    for how, write in ((lstat_all, record), (portable_lstat_all, portable_record)):
        statuses = how([path for _, path in listed])
        seen: list[StatEntry] = [(*e, s) for e, s in zip(listed, statuses, strict=True)]  # type: ignore[misc]
        texts.append(write(seen))
    assert texts[0] == texts[1]
    assert len(texts[0]) == sum(8 + len(name) + RECORD.size for name, _ in listed)


def test_what_cannot_be_seen_is_a_number(tmp_path: Path) -> None:
    current_folder = os.fsencode(tmp_path)
    (tmp_path / "file").touch()
    given_paths = [
        current_folder + b"/none",
        current_folder,
        current_folder + b"/file/below",
        current_folder + b"/" + b"n" * 300,
    ]
    expected = [errno.ENOENT, None, errno.ENOTDIR, errno.ENAMETOOLONG]
    for how in (lstat_all, portable_lstat_all):
        found = [s if isinstance(s, int) else None for s in how(given_paths)]
        assert found == expected


def test_paths_of_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one folder or in several, with slashes at the end, relative, beside a missing folder."""
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    (tmp_path / "in" / "file").touch()
    (tmp_path / "link").symlink_to("in")
    monkeypatch.chdir(tmp_path)
    current_folder = os.fsencode(tmp_path)
    for paths in (
        [b"in/file", b"in/deeper", b"in/none"],
        [b"in/file", b"in/deeper/"],
        [b"in/file", b"link", b"in"],
        [b"link/file", b"link/deeper"],
        [b"in/", b"link/", b".", b"..", b"/"],
        [b"none/a", b"none/b"],
        [b"in/file/a", b"in/file/b"],
        [
            current_folder + b"/in/file",
            current_folder + b"/in//file",
            current_folder + b"/in/deeper",
        ],
        [b"in/" + b"n" * 255, b"in/" + b"n" * 256],
        [b"in/" * 2000 + b"x", b"in/" * 2000 + b"y"],
    ):
        expected = [s if isinstance(s, int) else s.st_ino for s in portable_lstat_all(paths)]
        assert [s if isinstance(s, int) else s.st_ino for s in lstat_all(paths)] == expected, paths


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 1000])
def test_any_number_of_paths(tmp_path: Path, count: int) -> None:
    paths = []
    for number in range(count):
        (tmp_path / str(number)).write_bytes(b"x" * number)
        paths.append(os.fsencode(tmp_path / str(number)))
    assert [s.st_size for s in lstat_all(paths) if not isinstance(s, int)] == list(range(count))


@given(st.lists(st.binary(min_size=1, max_size=20)))
def test_no_path_is_misread(names: list[bytes]) -> None:
    paths = [b"/nowhere/" + name.replace(b"\0", b"_") for name in names]
    assert list(lstat_all(paths)) == portable_lstat_all(paths)


def test_surveys_are_the_same(folder: Path) -> None:
    """Every kind of entry; an empty folder, one beside others, a link to one; what is none."""
    (folder / "folder" / "below").mkdir()
    for number in range(40):
        (folder / "folder" / "below" / f"{number:02d}").mkdir()
    (folder / "way").symlink_to("folder/below")
    (folder / os.fsdecode(b"\xff\xfe")).touch()
    names = ("", "folder", "folder/below", "folder/below/07", "way", "file", "none", "link")
    paths = [os.path.join(os.fsencode(folder), os.fsencode(name)) for name in names]
    found = list_folders(paths, 1000)
    assert found == portable_list_folders(paths, 1000)
    texts = [one if isinstance(one, tuple) else None for one in found]
    assert texts[0] is not None
    assert texts[0][0].split(b"\0") == sorted(os.listdir(bytes(folder)))
    assert texts[0][1] == record_of(folder)
    assert texts[0][2] == [b"folder"]
    assert texts[3] == (b"", b"", [])
    assert found[5:] == [errno.ENOTDIR, errno.ENOENT, errno.ENOENT]


def record_of(folder: Path) -> bytes:
    listed = sorted(entries(folder))
    statuses = lstat_all([path for _, path in listed])
    return record([(*e, s) for e, s in zip(listed, statuses, strict=True)])  # type: ignore[misc]


@pytest.mark.parametrize("how", [list_folders, portable_list_folders])
def test_a_folder_of_too_many_entries_is_not_surveyed(
    tmp_path: Path, how: Callable[[list[bytes], int], list[object]]
) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    (few,) = how([os.fsencode(tmp_path)], 5)
    assert few is not None
    assert how([os.fsencode(tmp_path)], 4) == [None]


@pytest.mark.parametrize("count", [0, 31, 32, 33, 100])
def test_any_number_of_folders(tmp_path: Path, count: int) -> None:
    paths = []
    for number in range(count):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / f"file {number}").touch()
        paths.append(os.fsencode(tmp_path / str(number)))
    assert list_folders(paths, 10) == portable_list_folders(paths, 10)


@needs("stat")
def test_the_extension_refuses_what_it_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        lstat_all([b"a\0b"])
    with pytest.raises(ValueError, match="zero byte"):
        list_folders([b"a\0b"], 10)
    with pytest.raises(TypeError):
        list_folders(["text"], 10)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        lstat_all(["text"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        lstat_all((b"/",))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        record([(b"name", b"/name", os.lstat(tmp_path))])


def status_of(path: bytes) -> Status:
    (status,) = lstat_all([path])
    assert not isinstance(status, int)
    return status


def portable_status_of(path: bytes) -> Status:
    return os.lstat(path)


ROOM = memoryview(bytearray(3_000_001))
Loading = Callable[[bytes, bytes], tuple[bytes, bool] | None]


@pytest.fixture(params=["as built", "portable"])
def loading(request: pytest.FixtureRequest) -> Loading:
    """Look at one path, then load another: between the two, names may come to mean others."""

    def load_it(seen: bytes, path: bytes) -> tuple[bytes, bool] | None:
        status = portable_status_of(seen) if request.param == "portable" else status_of(seen)
        found = (portable_load if request.param == "portable" else load)(path, status, ROOM)
        return None if found is None else (bytes(ROOM[: status.st_size]), found)

    return load_it


@pytest.mark.parametrize("size", [0, 1, 2, 4095, 4096, 100_000, 3_000_000])
def test_a_file_that_stays_the_same_is_loaded(tmp_path: Path, loading: Loading, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    path = os.fsencode(tmp_path / "file")
    assert loading(path, path) == (data, False)


def test_attributes_are_noticed(tmp_path: Path, loading: Loading) -> None:
    (tmp_path / "file").write_bytes(b"data")
    set_xattr(tmp_path / "file", "user.one", b"1")
    path = os.fsencode(tmp_path / "file")
    assert loading(path, path) == (b"data", True)


@pytest.mark.parametrize(
    "other", ["same", "longer", "shorter", "folder", "link", "fifo", "none", "empty"]
)
def test_what_is_not_the_file_that_was_seen_is_not_loaded(
    tmp_path: Path, loading: Loading, other: str
) -> None:
    for name, content in (("seen", "1234"), ("same", "1234"), ("longer", "12345"), ("empty", "")):
        (tmp_path / name).write_text(content)
    (tmp_path / "shorter").write_text("123")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("seen")
    os.mkfifo(tmp_path / "fifo")
    seen = os.fsencode(tmp_path / "seen")
    assert loading(seen, os.fsencode(tmp_path / other)) is None
    assert loading(seen, seen) == (b"1234", False)


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "file")
    for how, status in ((load, status_of), (portable_load, portable_status_of)):
        (tmp_path / "file").write_bytes(b"data")
        os.utime(path, ns=(1, 1))
        seen = status(path)
        os.utime(path, ns=(2, 2))
        assert how(path, seen, ROOM) is None
        (tmp_path / "file").write_bytes(b"datadata")
        assert how(path, seen, ROOM) is None


def test_nothing_is_written_beyond_the_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    path = os.fsencode(tmp_path / "file")
    for how, status in ((load, status_of), (portable_load, portable_status_of)):
        held = bytearray(b"." * 10)
        assert how(path, status(path), memoryview(held)[2:7]) is False
        assert held == b"..data....", "and one byte more may be touched"
        with pytest.raises(ValueError, match="room"):
            how(path, status(path), memoryview(held)[:4])
