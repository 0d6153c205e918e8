"""A restored entry gives nobody rights that he did not have, with access lists and without."""

import os
import stat
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.fs import xattrs
from nightsafe.repofile.tree import Node, go_mode
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore
from nightsafe.target import metadata
from nightsafe.target.access_rights import (
    ACCESS_LIST,
    DEFAULT_LIST,
    Entry,
    list_without_group,
    mode_without_group,
    mode_without_list,
    read_list,
    write_list,
)
from nightsafe.target.metadata import Attributes, restore_at, restrict

from tests.support.agent.restore_modes import MODES, use_mode
from tests.unit.agent.conftest import reopen

OWNER, USER, GROUP, NAMED_GROUP, MASK, OTHERS = 1, 2, 4, 8, 16, 32
NOBODY = 0xFFFFFFFF
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")


def access_list(**rights: int) -> bytes:
    kinds = {"owner": OWNER, "group": GROUP, "mask": MASK, "others": OTHERS}
    entries = [Entry(kinds[name], value, NOBODY) for name, value in rights.items() if name in kinds]
    entries += [Entry(USER, rights["bob"], 1005)] if "bob" in rights else []
    return write_list(sorted(entries))


def set_list(path: Path, value: bytes, name: bytes = ACCESS_LIST) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o660, 0o664, 0o755, 0o2775, 0o4750, 0])
def test_without_the_group_no_bit_is_more_than_anybody_had(mode: int) -> None:
    left = mode_without_group(mode)
    group, others = mode >> 3 & 7, mode & 7
    assert left & 0o700 == mode & 0o700
    assert left & ~mode == 0o0 or left >> 3 & 7 == others & group
    assert left & 7 == others & group
    assert not left & stat.S_ISGID


def test_without_the_list_no_bit_is_more_than_anybody_had() -> None:
    for group, bob, mask, others in product(range(8), repeat=4):
        value = access_list(owner=7, group=group, bob=bob, mask=mask, others=others)
        left = mode_without_list(0o700 | mask << 3 | others, value)
        assert left >> 3 & 7 == left & 7 == group & bob & mask & others
    assert mode_without_list(0o777, b"nonsense") == 0o700


def test_a_list_whose_group_is_another() -> None:
    value = access_list(owner=7, group=6, bob=4, mask=6, others=5)
    entries = {entry.kind: entry.rights for entry in read_list(list_without_group(value))}
    assert entries == {OWNER: 7, GROUP: 4, USER: 4, MASK: 6, OTHERS: 4}


def attributes(mode: int, **changed: object) -> Attributes:
    made = Attributes("file", go_mode(stat.S_IFREG | mode), os.getuid(), os.getgid(), 1, 1, ())
    return made._replace(**changed)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch(mode=0o600)
    return path


def rights_of(path: Path) -> tuple[int, bytes]:
    has_list = ACCESS_LIST.decode() in os.listxattr(path)
    value = os.getxattr(path, ACCESS_LIST) if has_list else b""
    return stat.S_IMODE(path.stat().st_mode), value


def test_a_list_comes_back(file: Path) -> None:
    value = access_list(owner=6, group=0, bob=4, mask=4, others=0)
    set_list(file, value)
    os.removexattr(file, ACCESS_LIST)
    assert restore_at(os.fsencode(file), attributes(0o640, xattrs=((ACCESS_LIST, value),))) == []
    assert rights_of(file) == (0o640, value)


def test_a_list_that_cannot_be_set_opens_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its mode the group's bits are those of the list's mask, not of the group."""

    class Refusing(type(xattrs.ours)):  # type: ignore[misc]
        def set(self, file: bytes | int, name: bytes, value: bytes) -> None:
            raise OSError(95, "Operation not supported")

    monkeypatch.setattr(xattrs, "ours", Refusing())
    value = access_list(owner=6, group=0, bob=6, mask=6, others=0)
    lost = restore_at(os.fsencode(file), attributes(0o660, xattrs=((ACCESS_LIST, value),)))
    assert lost == ["attribute system.posix_acl_access"]
    assert rights_of(file) == (0o600, b"")


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A group that this process may not give to anybody."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(metadata, "may_change_owners", lambda: False)
    return iter([os.getgid() + 1])


@pytest.mark.parametrize(("mode", "expected"), [(0o640, 0o600), (0o644, 0o644), (0o4755, 0o755)])
def test_a_group_that_cannot_be_set(
    file: Path, team: Iterator[int], mode: int, expected: int
) -> None:
    lost = restore_at(os.fsencode(file), attributes(mode, gid=next(team)))
    assert bool(lost) == (mode == 0o640)
    assert rights_of(file)[0] == expected


def test_a_group_that_cannot_be_set_has_no_rights_by_a_list(
    file: Path, team: Iterator[int]
) -> None:
    value = access_list(owner=6, group=6, bob=4, mask=6, others=0)
    set_list(file, value)
    lost = restore_at(
        os.fsencode(file), attributes(0o660, gid=next(team), xattrs=((ACCESS_LIST, value),))
    )
    assert any("group" in word for word in lost)
    mode, found = rights_of(file)
    assert mode == 0o660  # the mask
    assert {e.kind: e.rights for e in read_list(found)}[GROUP] == 0


def test_what_was_there_before_is_narrowed_until_it_has_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    node = Node(b"folder", "dir", go_mode(stat.S_IFDIR | 0o750), uid=os.getuid(), gid=os.getgid())
    for before, gid, expected in (
        (0o755, os.getgid(), 0o750),
        (0o700, os.getgid(), 0o700),
        (0o755, os.getgid() + 1, 0o700),
        (0o1777, os.getgid(), 0o1750),
    ):
        folder.chmod(before)
        restrict(os.fsencode(folder), node._replace(gid=gid))
        assert stat.S_IMODE(folder.stat().st_mode) == expected


@pytest.mark.parametrize("way", MODES)
def test_lists_that_a_folder_hands_down_let_nobody_in(
    repository: Repository, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_mode(way, monkeypatch)
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "inner").mkdir(parents=True)
    (source / "private").write_text("private")
    (source / "large").write_bytes(os.urandom(3_000_000))
    os.mkfifo(source / "fifo")
    (source / "inner" / "deep").write_text("deep")
    for path in (source, *source.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
    backup(repository, [os.fsencode(source)])
    (snapshot,) = repository.load_snapshots().sound
    inside = Path(f"{target}{source}")
    inside.mkdir(parents=True)
    handed_down = access_list(owner=7, group=7, bob=7, mask=7, others=0)
    set_list(inside, handed_down, DEFAULT_LIST)
    set_list(inside, handed_down)
    report = restore(reopen(repository), snapshot, os.fsencode(target))
    assert report.issues == []
    for path in (inside, *inside.rglob("*")):
        assert os.listxattr(path, follow_symlinks=False) == []
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640)
