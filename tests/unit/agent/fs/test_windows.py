"""How Windows' names, paths and attributes are told: as stock restic tells them there."""

import ntpath
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from nightsafe.fs import windows
from nightsafe.repofile.tree import go_mode
from nightsafe.scanner import sources
from nightsafe.scanner.sources import SourcePlan, node_of, plan_sources

READ_ONLY, HIDDEN, DIRECTORY, ARCHIVE, NORMAL, REPARSE = 0x1, 0x2, 0x10, 0x20, 0x80, 0x400
SYMLINK, JUNCTION, CLOUD, DEDUP = 0xA000000C, 0xA0000003, 0x9000001A, 0x80000013
GO_DIR, GO_LINK = 1 << 31, 1 << 27


@dataclass
class Stat:
    """As `os.lstat` answers on Windows."""

    st_file_attributes: int
    st_reparse_tag: int = 0
    st_mode: int = 0
    st_size: int = 7
    st_mtime_ns: int = 1_700_000_000_123_456_700
    st_ctime_ns: int = 1_600_000_000_000_000_000
    st_ino: int = 281474976710656
    st_dev: int = 3_141_592_653
    st_nlink: int = 2
    st_uid: int = 0
    st_gid: int = 0


@pytest.mark.parametrize(
    ("attributes", "tag", "expected"),
    [
        (NORMAL, 0, 0o666),
        (ARCHIVE | HIDDEN, 0, 0o666),
        (ARCHIVE | READ_ONLY, 0, 0o444),
        (DIRECTORY, 0, GO_DIR | 0o777),
        (DIRECTORY | READ_ONLY, 0, GO_DIR | 0o555),
        (REPARSE | ARCHIVE, SYMLINK, GO_LINK | 0o666),
        (REPARSE | DIRECTORY, SYMLINK, GO_LINK | 0o666),
        (REPARSE | DIRECTORY | READ_ONLY, SYMLINK, GO_LINK | 0o444),
        (REPARSE | DIRECTORY, JUNCTION, GO_LINK | 0o666),
        (REPARSE | ARCHIVE, CLOUD, 0o666),
        (REPARSE | DIRECTORY, CLOUD, GO_DIR | 0o777),
        (REPARSE | ARCHIVE, DEDUP, 0o666),
        (ARCHIVE, SYMLINK, 0o666),
    ],
)
def test_modes_are_those_of_go(attributes: int, tag: int, expected: int) -> None:
    assert go_mode(windows.mode_of(attributes, tag)) == expected


def test_a_status_has_no_owner_inode_or_links() -> None:
    given = Stat(ARCHIVE)
    status = windows.Status.of(given)  # type: ignore[arg-type]
    assert stat.S_ISREG(status.st_mode)
    assert (status.st_size, status.st_mtime_ns) == (7, given.st_mtime_ns)
    assert status.st_ctime_ns == given.st_mtime_ns, "what Python calls so is the birth there"
    assert (status.st_ino, status.st_dev, status.st_nlink, status.st_rdev) == (0, 0, 0, 0)
    assert (status.st_uid, status.st_gid) == (0, 0)


def test_a_node_of_a_file_and_of_a_junction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("user_name", "group_name"):
        monkeypatch.setattr(sources, name, lambda _: "")
    monkeypatch.setattr(sources, "read_link", lambda _: windows.link_target(rb"\\?\C:\Users\me"))
    (tmp_path / "x").touch()
    path = os.fsencode(tmp_path / "x")
    node = node_of(b"x", path, windows.Status.of(Stat(ARCHIVE)))  # type: ignore[arg-type]
    assert (node.type, node.mode, node.size, node.links) == ("file", 0o666, 7, 0)
    assert (node.inode, node.device_id, node.uid, node.user) == (0, 0, 0, "")
    assert node.ctime == node.atime == node.mtime
    junction = windows.Status.of(Stat(DIRECTORY | REPARSE, JUNCTION))  # type: ignore[arg-type]
    node = node_of(b"x", path, junction)
    assert (node.type, node.size, node.links) == ("symlink", 0, 0)
    assert node.link_target == rb"C:\Users\me"


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (rb"\\?\C:\Users\me", rb"C:\Users\me"),
        (rb"\\?\UNC\server\share\x", rb"\\server\share\x"),
        (rb"\\?\Volume{0000-1111}" + b"\\", rb"\\?\Volume{0000-1111}" + b"\\"),
        (rb"..\other", rb"..\other"),
        (b"D:\\", b"D:\\"),
    ],
)
def test_where_links_lead(stored: bytes, told: bytes) -> None:
    assert windows.link_target(stored) == told


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (rb"C:\x", rb"\\?\C:\x"),
        (rb"C:/x/y", rb"\\?\C:\x\y"),
        (rb"C:\x\..\y ", b"\\\\?\\C:\\y "),
        (b"C:\\", b"\\\\?\\C:\\"),
        (rb"\\server\share\x", rb"\\?\UNC\server\share\x"),
        (rb"\\?\C:\x", rb"\\?\C:\x"),
        (rb"\\.\PhysicalDrive0", rb"\\.\PhysicalDrive0"),
        (b"C:\\" + b"long\\" * 100, b"\\\\?\\C:\\" + (b"long\\" * 100)[:-1]),
    ],
)
def test_paths_may_be_long(path: bytes, expected: bytes) -> None:
    assert windows.extended(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(b"a", b"a.txt", b".hidden", b" leading", b"a.b.c", b"-rf", b"console", b"com10", b"com"),
        *(b"lpt0", b"NULL", b"x.con", "caf\u00e9 \u4e2d\u6587 \U0001f600".encode()),
        b"\xed\xa0\x80",  # half a pair, which Windows allows
    ],
)
def test_names_that_windows_takes(name: bytes) -> None:
    assert windows.name_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *(b"a:stream", b"C:", b"a\\b", b"a|b", b"what?", b"*", b"<x", b"x>", b'"', b"a/b"),
        *(b"tab\t", b"\0", b"\x1f"),
        *(b"dot.", b"space ", b"...", b". "),
        *(b"con", b"NUL", b"aux.txt", b"COM1", b"lpt9.log", b"prn .x", b"conin$", b"CONOUT$"),
        *("com\u00b9".encode(), "LPT\u00b3.a".encode()),
        b"not utf-8 \xff",
    ],
)
def test_names_that_windows_does_not_take(name: bytes) -> None:
    assert windows.name_problem(name) != ""


def test_where_windows_paths_stand_in_a_snapshot() -> None:
    assert windows.stored_path(rb"C:\Users\me") == b"/C/Users/me"
    assert windows.stored_path(b"D:\\") == b"/D/"
    assert windows.stored_path(b"C:") == b"/C"
    assert windows.stored_path(b"/home/me") == b"/home/me"
    assert windows.stored_path(rb"/a\b") == rb"/a\b"


def test_the_account() -> None:
    assert windows.account({"USERNAME": "me", "USERDOMAIN": "HOME"}) == "HOME\\me"
    assert windows.account({"USERNAME": "me"}) == "me"
    assert windows.account({}) == ""


def leaves(plan: SourcePlan, above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, child in plan.children.items():
        current_folder = f"{above}/{name.decode()}"
        if child.path is not None:
            found[current_folder] = child.path.decode()
        else:
            found[current_folder] = f"({child.meta_path.decode()})"
        found |= leaves(child, current_folder)
    return found


def planned(*paths: bytes) -> dict[str, str]:
    return leaves(plan_sources(paths, ntpath))


def test_a_drive_is_a_folder() -> None:
    assert planned(rb"C:\Users\me\docs", b"C:/Users/me/x.txt") == {
        "/C": "(C:\\)",
        "/C/Users": r"(C:\Users)",
        "/C/Users/me": r"(C:\Users\me)",
        "/C/Users/me/docs": r"C:\Users\me\docs",
        "/C/Users/me/x.txt": r"C:\Users\me\x.txt",
    }


def test_whole_drives_and_two_of_them() -> None:
    assert planned(b"C:\\", rb"D:\x") == {"/C": "C:\\", "/D": "(D:\\)", "/D/x": r"D:\x"}


def test_shares_stand_by_their_names() -> None:
    assert planned(rb"\\server\share\x\y") == {
        r"/\\server\share": "(\\\\server\\share\\)",
        r"/\\server\share/x": r"(\\server\share\x)",
        r"/\\server\share/x/y": r"\\server\share\x\y",
    }


def test_relative_paths_stand_by_their_own_names() -> None:
    assert planned(rb"docs\old") == {"/docs": "(docs)", "/docs/old": r"docs\old"}
    assert planned(rb"..\up\x") == {"/up": r"(..\up)", "/up/x": r"..\up\x"}


def test_the_same_name_from_two_places() -> None:
    assert planned(rb"C:\x", rb"C") == {"/C": "(C:\\)", "/C/x": r"C:\x", "/C-1": "C"}
