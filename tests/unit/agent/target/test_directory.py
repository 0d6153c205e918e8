"""Folders that a restore writes to, held open or reached by paths: the same promises."""

import os
import stat
import sys
from functools import partial
from pathlib import Path

import pytest
from nightsafe.errors import RestoreError
from nightsafe.file_restorer.finisher import Listener
from nightsafe.fs.files import TO_READ, TO_WRITE
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import PathSelection
from nightsafe.restorer import tree_filter
from nightsafe.restorer.completeness import Completeness
from nightsafe.restorer.extraneous import ExtraneousEntries
from nightsafe.restorer.options import RestoreOptions
from nightsafe.restorer.restore import restore
from nightsafe.restorer.tree_filter import TreeFilter
from nightsafe.target import target
from nightsafe.target.directory import (
    Directory,
    are_safe_names,
    fold_name,
    is_case_sensitive,
    name_problem,
)
from nightsafe.target.directory_by_fd import FdDirectory
from nightsafe.target.directory_by_path import PathDirectory
from nightsafe.target.target import Target

from tests.unit.agent.conftest import reopen
from tests.unit.agent.restorer.test_restore import DIR, FILE, bring_back, store_blob, store_tree


@pytest.fixture(params=[FdDirectory, PathDirectory])
def kind(request: pytest.FixtureRequest) -> type[FdDirectory] | type[PathDirectory]:
    chosen: type[FdDirectory] | type[PathDirectory] = request.param
    return chosen


@pytest.fixture
def here(tmp_path: Path, kind: type[FdDirectory] | type[PathDirectory]) -> Directory:
    (tmp_path / "target").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    return kind.at(os.fsencode(tmp_path / "target"))


def make(folder: Directory, name: bytes, data: bytes = b"data") -> None:
    fd = folder.new_file(name)
    os.write(fd, data)
    assert folder.complete(fd, name, None) == []


def test_files_are_made_named_and_replaced(here: Directory, tmp_path: Path) -> None:
    make(here, b"part", b"new")
    make(here, b"name", b"old")
    here.rename(b"part", b"name")
    assert (tmp_path / "target" / "name").read_bytes() == b"new"
    assert here.names() == [b"name"]
    with pytest.raises(FileExistsError):
        here.new_file(b"name")
    here.unlink(b"name")
    assert here.names() == []


@pytest.mark.parametrize("name", [b"link", b"../outside"])
def test_links_are_not_entered(here: Directory, tmp_path: Path, name: bytes) -> None:
    if name == b"link":
        (tmp_path / "target" / "link").symlink_to(tmp_path / "outside")
        with pytest.raises(OSError, match=r"directory|links"):
            here.enter(name)
    assert (not name_problem(name)) == (name == b"link")


@pytest.mark.parametrize(
    "name", [b"", b".", b"..", b"a/b", b"/", b"a\0", b"\0", b"...", b"a.", b"-"]
)
def test_names_are_judged_together_as_they_are_alone(name: bytes) -> None:
    for names in ([name], [b"fine", name], [name, b"fine"]):
        assert are_safe_names(names) == (not name_problem(name))
        assert not are_safe_names(names, on_windows=True)


def test_files_are_not_opened_through_links(here: Directory, tmp_path: Path) -> None:
    (tmp_path / "target" / "link").symlink_to(tmp_path / "outside" / "precious")
    for flags in (TO_READ, TO_WRITE):
        with pytest.raises(OSError, match="symbolic links"):
            here.open_file(b"link", flags)
    with pytest.raises(OSError, match="symbolic links"):
        here.set_attributes(b"link", Node(b"link", "file", FILE))
    assert (tmp_path / "outside" / "precious").stat().st_mtime_ns > 0


def test_a_link_gets_no_second_name(here: Directory, tmp_path: Path) -> None:
    """One that stands there is given another name itself, or refused; never what it leads to."""
    (tmp_path / "target" / "link").symlink_to(tmp_path / "outside" / "precious")
    try:
        here.link(b"link", here, b"second")
    except OSError:
        assert here.names() == [b"link"]
    else:
        assert (tmp_path / "target" / "second").is_symlink()
    assert (tmp_path / "outside" / "precious").stat().st_nlink == 1


def test_removing_does_not_follow_links(here: Directory, tmp_path: Path) -> None:
    inner = tmp_path / "target" / "folder" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    (inner / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "target" / "lone").symlink_to(tmp_path / "outside")
    here.remove(b"folder")
    here.remove(b"lone")
    assert here.names() == []
    assert (tmp_path / "outside" / "precious").read_text() == "precious"


def test_a_folder_swapped_for_a_link_is_noticed(here: Directory, tmp_path: Path) -> None:
    """Held open it stays the folder it was; by paths nothing more is done."""
    here.make_folder(b"inner")
    inner = here.enter(b"inner")
    os.rename(tmp_path / "target" / "inner", tmp_path / "moved")
    (tmp_path / "target" / "inner").symlink_to(tmp_path / "outside")
    if isinstance(inner, FdDirectory):
        make(inner, b"file")
        assert (tmp_path / "moved" / "file").exists()
    else:
        for act in (
            lambda: inner.new_file(b"file"),
            lambda: inner.make_folder(b"file"),
            lambda: inner.make_link(b"x", b"file"),
            lambda: inner.unlink(b"precious"),
            lambda: inner.remove(b"precious"),
            lambda: inner.rename(b"precious", b"other"),
            lambda: inner.open_file(b"precious", TO_WRITE),
            lambda: inner.set_own_attributes(Node(b"inner", "dir", DIR)),
            inner.names,
            inner.above,
            inner.identity,
        ):
            with pytest.raises(RestoreError, match="moved"):
                act()
    assert os.listdir(tmp_path / "outside") == ["precious"]
    assert (tmp_path / "outside" / "precious").read_text() == "precious"


def test_a_folder_above_swapped_for_another_is_noticed(here: Directory, tmp_path: Path) -> None:
    here.make_folder(b"a")
    outer = here.enter(b"a")
    outer.make_folder(b"b")
    inner = outer.enter(b"b")
    os.rename(tmp_path / "target" / "a", tmp_path / "moved")
    (tmp_path / "target" / "a" / "b").mkdir(parents=True)
    if isinstance(inner, PathDirectory):
        with pytest.raises(RestoreError, match="moved"):
            inner.new_file(b"file")
    assert os.listdir(tmp_path / "target" / "a" / "b") == []


def test_attributes_without_an_open_file(here: Directory, tmp_path: Path) -> None:
    make(here, b"file")
    node = Node(b"file", "file", 0o640, mtime=10**18 + 7, atime=10**18, uid=os.getuid())
    node = node._replace(gid=os.getgid())
    assert here.set_attributes(b"file", node) == []
    seen = (tmp_path / "target" / "file").stat()
    assert (seen.st_mtime_ns, stat.S_IMODE(seen.st_mode)) == (10**18 + 7, 0o640)
    here.make_special(b"fifo", stat.S_IFIFO | 0o600, 0)
    assert here.set_special_attributes(b"fifo", node._replace(type="fifo")) == []
    assert stat.S_ISFIFO(here.status(b"fifo").st_mode)
    assert here.status(b"fifo").st_mtime_ns == 10**18 + 7


def test_where_no_special_files_are(
    here: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "mkfifo")
    if isinstance(here, PathDirectory):
        with pytest.raises(OSError, match="not supported"):
            here.make_special(b"fifo", stat.S_IFIFO | 0o600, 0)


# Names


def test_this_disk_tells_case_apart(here: Directory) -> None:
    assert is_case_sensitive(here)
    assert here.names() == []


def test_a_disk_that_does_not(here: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    real = type(here).status

    def status(self: Directory, name: bytes) -> os.stat_result:
        by_case = {fold_name(known): known for known in self.names()}
        return real(self, by_case.get(fold_name(name), name))

    monkeypatch.setattr(type(here), "status", status)
    assert not is_case_sensitive(here)
    assert here.names() == []


def test_what_is_one_name_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fold_name(b"READ.me") == fold_name(b"read.ME")
    assert fold_name("\u00c4rger".encode()) == fold_name("\u00e4rger".encode())
    assert fold_name("stra\u00dfe".encode()) != fold_name(b"strasse")
    assert fold_name(b"\xff") != fold_name(b"\xfe")
    composed, split = "\u00e9".encode(), "e\u0301".encode()
    assert fold_name(composed) != fold_name(split)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert fold_name(composed) == fold_name(split)


@pytest.mark.parametrize("name", [b"a:b", b"NUL", b"dot."])
def test_names_that_only_windows_refuses(name: bytes) -> None:
    assert name_problem(name, on_windows=False) == ""
    assert "Windows cannot hold the name" in name_problem(name, on_windows=True)
    assert "is not allowed there" in name_problem(b"..", on_windows=True)


def files(repository: Repository, *names: bytes) -> list[Node]:
    return [
        Node(name, "file", FILE, size=len(name), content=(store_blob(repository, name),))
        for name in names
    ]


def test_of_names_that_are_one_to_the_disk_the_first_is_restored(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "is_case_sensitive", lambda _: False)
    snapshot = store_tree(repository, *files(repository, b"Readme", b"other", b"readme"))
    report = bring_back(repository, snapshot, tmp_path / "target")
    assert sorted(os.listdir(tmp_path / "target")) == ["Readme", "other"]
    (issue,) = report.issues
    assert "to this disk its name is the same as b'Readme'" in str(issue)
    assert not report.is_complete
    alone = bring_back(repository, snapshot, tmp_path / "alone", "readme")
    assert alone.issues == []
    assert (tmp_path / "alone" / "readme").read_bytes() == b"readme"


def test_what_windows_cannot_hold_is_said(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_filter, "name_problem", partial(name_problem, on_windows=True))
    monkeypatch.setattr(tree_filter, "are_safe_names", partial(are_safe_names, on_windows=True))
    monkeypatch.setattr(target, "DIRECTORY_TYPE", PathDirectory)
    inner = store_tree(repository, *files(repository, b"fine", b"COM1.txt", b"C:evil"))
    nodes = [*files(repository, b"a:stream"), Node(b"dir", "dir", DIR, subtree=inner.tree)]
    report = bring_back(repository, store_tree(repository, *nodes), tmp_path / "target")
    assert len(report.issues) == 3
    assert all("Restore it on another computer" in str(issue) for issue in report.issues)
    assert os.listdir(tmp_path / "target") == ["dir"]
    assert os.listdir(tmp_path / "target" / "dir") == ["fine"]


def test_deleting_knows_which_names_are_one(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was just restored, under the name that the disk had for it, is not removed."""
    monkeypatch.setattr(target, "is_case_sensitive", lambda _: False)
    snapshot = store_tree(repository, *files(repository, b"readme"))
    (tmp_path / "README").touch()
    (tmp_path / "more").touch()
    cursor, reader, selection = (
        Target(os.fsencode(tmp_path)),
        BlobReader(repository),
        PathSelection(),
    )
    tree_filter_ = TreeFilter(reader, selection=selection, fold=cursor.fold(), listener=Listener())
    completeness = Completeness(reader, snapshot)
    extraneous = ExtraneousEntries(
        completeness, below=b"", selection=selection, fold=cursor.fold(), dry_run=False
    )
    found = extraneous.find(b"", tree_filter_.filter_tree(b"", snapshot.tree), cursor.here)
    assert b"README" not in found
    assert b"more" in found
    cursor.close()


def test_a_dry_run_makes_nothing_to_try_names(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    snapshot = store_tree(repository, *files(repository, b"x"))
    options = RestoreOptions(dry_run=True)
    where = os.fsencode(tmp_path / "target")
    assert restore(reopen(repository), snapshot, where, options=options).is_complete
    assert os.listdir(tmp_path / "target") == []
