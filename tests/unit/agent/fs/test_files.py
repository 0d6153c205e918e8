"""What stands in for what a system lacks: it does the same."""

import ctypes
import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from nightsafe.fs import file_locks, users, xattrs
from nightsafe.fs import files as system
from nightsafe.packer.journal import Journal, dead_journals
from nightsafe.settings.login import cache_dir, config_dir
from nightsafe.workers import host

from tests.support.agent.trees import set_xattr
from tests.unit.agent.repository.test_locks import dead_pid


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"//x", b"/x"),
        (b"///x//y/", b"/x/y"),
        (b"/x/./../y", b"/y"),
        (b"//", b"/"),
        (b"x/", b"HERE/x"),
        (b"..", b"ABOVE"),
        (b".", b"HERE"),
    ],
)
def test_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: bytes, expected: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", "/somewhere else")
    for word, meant in ((b"HERE", tmp_path), (b"ABOVE", tmp_path.parent)):
        expected = expected.replace(word, os.fsencode(meant))
    assert system.absolute(path) == expected
    assert system.rooted(system.clean(path), os.fsencode(tmp_path)) == expected


def test_the_current_folder_is_called_as_the_shell_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "real")
    for said, expected in (("link", "link"), ("real", "real"), ("none", "real"), ("", "real")):
        monkeypatch.setenv("PWD", str(tmp_path / said) if said else "real")
        assert system.current_folder() == os.fsencode(tmp_path / expected)
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    assert system.absolute(b"x") == os.fsencode(tmp_path / "link" / "x")


@pytest.fixture(params=["as here", "without"])
def positions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with the calls that take a position, once as where there are none."""
    if request.param == "without":
        for name in ("preadv", "pread", "pwrite"):
            monkeypatch.delattr(os, name)


def test_reading_and_writing_at_positions(tmp_path: Path, positions: None) -> None:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    assert system.write_at(fd, memoryview(b"later"), 6) == 5
    assert system.write_at(fd, memoryview(b"first "), 0) == 6
    room = bytearray(8)
    assert system.read_at(fd, memoryview(room)[:5], 6) == 5
    assert system.read_at(fd, memoryview(room)[5:], 0) == 3
    assert room == b"laterfir"
    assert system.read_at(fd, memoryview(room), 11) == 0
    os.close(fd)


def test_links_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    link = os.fsencode(tmp_path / "link")
    os.close(system.open_to_read(os.fsencode(tmp_path / "file")))
    with pytest.raises(OSError, match="symbolic links"):
        system.open_to_read(link)
    monkeypatch.setattr(system, "TO_READ", os.O_RDONLY)
    monkeypatch.delattr(os, "O_NOFOLLOW")
    os.close(system.open_to_read(os.fsencode(tmp_path / "file")))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="symbolic links"):
        system.open_to_read(link)
    assert os.listdir("/proc/self/fd") == before


def test_whose_processes_live() -> None:
    assert host.is_alive(os.getpid())
    assert not host.is_alive(dead_pid())
    assert host.processors() >= 1


def test_where_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "pwd", None)
    monkeypatch.setattr(users, "grp", None)
    monkeypatch.delattr(os, "getuid")
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.setenv("USERNAME", "me")
    monkeypatch.delenv("USERDOMAIN", raising=False)
    users.user_name.cache_clear()
    users.group_name.cache_clear()
    assert (users.user_name(0), users.group_name(0)) == ("", "")
    assert (users.my_ids(), users.my_name()) == ((0, 0), "me")
    assert not users.may_change_owners()
    users.user_name.cache_clear()
    users.group_name.cache_clear()


def test_without_locks_there_is_no_journal_and_none_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = Journal.begin(str(tmp_path))
    monkeypatch.setattr(file_locks, "fcntl", None)
    assert list(dead_journals(str(tmp_path))) == []
    with pytest.raises(OSError, match="not supported"):
        Journal.begin(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 1, "the one that could not be locked is gone"
    living.remove()
    living.close()


def test_a_file_is_taken_up_when_nobody_has_it_locked(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert file_locks.lock_abandoned(path) is None, "there is none"
    living = os.open(path, system.TO_CHANGE | system.NEW, 0o600)
    file_locks.lock_file(living, wait=True)
    before = os.listdir("/proc/self/fd")
    assert file_locks.lock_abandoned(path) is None
    assert os.listdir("/proc/self/fd") == before, "what could not be locked is closed again"
    os.close(living)
    taken = file_locks.lock_abandoned(path)
    assert taken is not None
    assert file_locks.lock_abandoned(path) is None
    os.close(taken)


class Locking:
    """Windows' locks of a part of a file, by those of POSIX."""

    LK_LOCK, LK_NBLCK = 1, 2

    def locking(self, fd: int, mode: int, count: int) -> None:
        import fcntl

        fcntl.lockf(fd, fcntl.LOCK_EX | (fcntl.LOCK_NB if mode == 2 else 0), count)


def test_a_lock_of_a_part_of_the_file_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal writes is read by the next backup, and nothing of it is locked."""
    monkeypatch.setattr(file_locks, "fcntl", None)
    monkeypatch.setattr(file_locks, "msvcrt", Locking())
    journal = Journal.begin(str(tmp_path))
    (path,) = tmp_path.iterdir()
    if (child := os.fork()) == 0:
        found = list(dead_journals(str(tmp_path)))
        os._exit(len(found))
    assert os.waitpid(child, 0)[1] == 0, "a living journal is left alone"
    assert path.stat().st_size == 0
    journal.close()
    if (child := os.fork()) == 0:
        found = list(dead_journals(str(tmp_path)))
        os._exit(len(found))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_a_journal_that_cannot_be_removed_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: then it is when it is closed."""
    real, is_open = os.unlink, [True]

    def refuse(path: Any, **kwargs: Any) -> None:
        if is_open[0]:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        real(path, **kwargs)

    journal = Journal.begin(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        journal.remove()
        assert len(os.listdir(tmp_path)) == 1
        is_open[0] = False
        journal.close()
    assert os.listdir(tmp_path) == []


# Extended attributes by a library


class LikeMacOs:
    """Linux' calls with the parameters that macOS's have."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        for name in ("listxattr", "flistxattr", "getxattr", "fgetxattr"):
            setattr(self, name, _Call(self._choose(name)))
        self.setxattr = _Call(self._choose("setxattr"))
        self.fsetxattr = _Call(self._choose("fsetxattr"))

    def _choose(self, name: str) -> Any:
        plain = getattr(self._libc, name)
        plain.restype = ctypes.c_ssize_t
        not_following = plain if name.startswith("f") else getattr(self._libc, f"l{name}")
        not_following.restype = ctypes.c_ssize_t

        def call(file: Any, *rest: Any) -> int:
            *others, options = rest
            if "list" not in name:
                others.pop()  # where in a resource fork
            chosen = not_following if options.value & 1 else plain
            also = (ctypes.c_int(0),) if "set" in name else ()
            return int(chosen(file, *others, *also))

        return call


class _Call:
    """A foreign function, as far as it is used."""

    restype: Any = None

    def __init__(self, call: Any) -> None:
        self._call = call

    def __call__(self, *args: Any) -> int:
        return int(self._call(*args))


@pytest.fixture(params=["of Python", "of a library"])
def attributes(request: pytest.FixtureRequest) -> xattrs.Attributes:
    if request.param == "of Python":
        return xattrs.OsXattrs()
    return xattrs.LibcXattrs(LikeMacOs())


@pytest.fixture
def marked(tmp_path: Path) -> bytes:
    (tmp_path / "file").touch()
    set_xattr(tmp_path / "file", "user.colour", b"brass\0inlaid")
    set_xattr(tmp_path / "file", "user.empty", b"")
    if not os.listxattr(tmp_path / "file"):
        # Older tmpfs has none for users; there is then nothing to read.
        pytest.skip("this file system has no extended attributes")
    (tmp_path / "link").symlink_to("file")
    return os.fsencode(tmp_path / "file")


def test_attributes_are_read_by_path_and_by_number(
    attributes: xattrs.Attributes, marked: bytes
) -> None:
    fd = os.open(marked, os.O_RDONLY)
    files: list[bytes | int] = [marked, fd]
    for file in files:
        assert sorted(attributes.names(file)) == [b"user.colour", b"user.empty"]
        assert attributes.value(file, b"user.colour") == b"brass\0inlaid"
        assert attributes.value(file, b"user.empty") == b""
    os.close(fd)


def test_attributes_are_set(attributes: xattrs.Attributes, marked: bytes) -> None:
    attributes.set(marked, b"user.new", bytes(range(256)))
    fd = os.open(marked, os.O_RDWR)
    attributes.set(fd, b"user.other", b"x")
    os.close(fd)
    assert os.getxattr(marked, "user.new") == bytes(range(256))
    assert os.getxattr(marked, "user.other") == b"x"


def test_links_have_attributes_of_their_own(attributes: xattrs.Attributes, marked: bytes) -> None:
    link = os.path.join(os.path.dirname(marked), b"link")
    assert attributes.names(link) == []
    with pytest.raises(OSError, match=r".") as caught:
        attributes.set(link, b"user.x", b"y")
    assert caught.value.errno in (errno.EPERM, errno.ENOTSUP)


def test_what_cannot_be_had_is_an_error(attributes: xattrs.Attributes, marked: bytes) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        attributes.value(marked, b"user.none")
    assert caught.value.errno in xattrs.NONE_THERE
    with pytest.raises(FileNotFoundError):
        attributes.names(marked + b"-not")
    with pytest.raises(OSError, match=r"."):
        attributes.set(marked, b"nonsense", b"x")


def test_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "listxattr")
    none = xattrs.for_this_system()
    assert none.names(os.fsencode(tmp_path)) == []
    with pytest.raises(OSError, match="not supported"):
        none.set(os.fsencode(tmp_path), b"user.x", b"y")
    monkeypatch.setattr(sys, "platform", "darwin")
    library = LikeMacOs()
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    assert isinstance(xattrs.for_this_system(), xattrs.LibcXattrs)


# Folders of our own


@pytest.mark.parametrize(
    ("kind", "environ", "config", "cache"),
    [
        (
            "macos",
            {"HOME": "/Users/me"},
            "/Users/me/Library/Application Support/nightsafe",
            "/Users/me/Library/Caches/nightsafe",
        ),
        (
            "windows",
            {"LOCAL_APPDATA": r"C:\Users\me\AppData\Local"},
            r"C:\Users\me\AppData\Local/nightsafe",
            r"C:\Users\me\AppData\Local/nightsafe/Cache",
        ),
        ("unix", {"HOME": "/home/me"}, "/home/me/.config/nightsafe", "/home/me/.cache/nightsafe"),
    ],
)
def test_where_our_own_things_are(
    monkeypatch: pytest.MonkeyPatch, kind: str, environ: dict[str, str], config: str, cache: str
) -> None:
    module = importlib.import_module(f"platformdirs.{kind}")
    chosen = {"macos": "MacOS", "windows": "Windows", "unix": "Unix"}[kind]
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if kind == "windows":
        monkeypatch.setattr(module, "get_win_folder", lambda name: environ[name.split("_", 1)[1]])
    monkeypatch.setattr(platformdirs, "PlatformDirs", getattr(module, chosen))
    assert (config_dir({}), cache_dir({})) == (config, cache)


@pytest.mark.parametrize(
    "names", [[], [b"one"], [b"a\xff", b"\xc3\xa4", b"line\nfeed", b" ", b"a" * 255]]
)
def test_names_are_the_bytes_that_the_folder_has(tmp_path: Path, names: list[bytes]) -> None:
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    assert sorted(system.list_names(os.fsencode(tmp_path))) == sorted(names)
    folder = os.open(tmp_path, os.O_RDONLY)
    assert sorted(system.names_in(folder)) == sorted(names)
    os.close(folder)
