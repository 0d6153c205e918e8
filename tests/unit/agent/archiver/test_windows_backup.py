"""A backup of what Windows would say of files: the trees that stock restic makes there."""

import errno
import hashlib
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nightsafe.errors import UsageError
from nightsafe.file_saver import large_files, node_json, small_files, worker
from nightsafe.filters import exclude
from nightsafe.filters import patterns as match
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.fs import files
from nightsafe.fs import lstat as look
from nightsafe.fs.windows import Status
from nightsafe.maintenance.check import check
from nightsafe.repofile.tree import Node, encode_node
from nightsafe.repository.repository import Repository
from nightsafe.scanner import sources

from tests.support.agent.stored_texts import tree_of
from tests.unit.agent.archiver.test_backup import run, stored
from tests.unit.agent.archiver.test_backup_faults import look_in_python
from tests.unit.agent.conftest import reopen

READ_ONLY, DIRECTORY, ARCHIVE, REPARSE, SYMLINK = 0x1, 0x10, 0x20, 0x400, 0xA000000C


def as_there(status: os.stat_result) -> Status:
    """What Windows would answer of a file, a folder or a link of ours."""
    attributes, tag = ARCHIVE, 0
    if stat.S_ISDIR(status.st_mode):
        attributes = DIRECTORY
    elif stat.S_ISLNK(status.st_mode):
        attributes, tag = REPARSE | ARCHIVE, SYMLINK
    elif not status.st_mode & 0o200:
        attributes |= READ_ONLY
    answer: Any = SimpleNamespace(
        st_file_attributes=attributes,
        st_reparse_tag=tag,
        st_size=status.st_size,
        st_mtime_ns=status.st_mtime_ns,
    )
    return Status.of(answer)


@pytest.fixture(autouse=True)
def _as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the system answers as there; paths stay those of this computer."""
    look_in_python(monkeypatch)
    monkeypatch.setattr(small_files, "native", None)
    for module in (look, worker, node_json, large_files):
        for name, ask in (("lstat", os.lstat), ("status_at", os.stat), ("fstat", os.fstat)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda what, ask=ask: as_there(ask(what)))
    for module in (sources, node_json):
        for name in ("user_name", "group_name"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda _: "")
    node_json.owner_texts.cache_clear()


@pytest.fixture
def _clean_after() -> Any:
    yield
    node_json.owner_texts.cache_clear()


def made(name: str, kind: str, mode: int, path: Path, **more: Any) -> str:
    time = path.lstat().st_mtime_ns
    node = Node(name.encode(), kind, mode, mtime=time, atime=time, ctime=time)
    return encode_node(node._replace(**more))


@pytest.mark.usefixtures("_clean_after")
def test_trees_are_those_of_stock_restic(
    repository: Repository, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No owner, inode, device or links; all may what the read-only attribute allows."""
    large_data = os.urandom(3_000_000)
    (source / "large").write_bytes(large_data)
    os.chmod(source / "one.txt", 0o444)
    monkeypatch.chdir(tmp_path)
    report = run(repository, Path(source.name))
    nodes_now = stored(repository)
    inner = tree_of(
        [made("two.txt", "file", 0o666, source / "inner" / "two.txt", size=4,
              content=(hashlib.sha256(b"two\n").digest(),))]
    )  # fmt: skip
    pieces = nodes_now[b"/source/large"].content
    tree = tree_of(
        [
            made("empty", "file", 0o666, source / "empty", content=()),
            made("inner", "dir", 1 << 31 | 0o777, source / "inner",
                 subtree=hashlib.sha256(inner).digest()),
            made("large", "file", 0o666, source / "large", size=3_000_000, content=pieces),
            made("link", "symlink", 1 << 27 | 0o666, source / "link", link_target=b"one.txt"),
            made("one.txt", "file", 0o444, source / "one.txt", size=4,
                 content=(hashlib.sha256(b"one\n").digest(),)),
        ]
    )  # fmt: skip
    root = tree_of(
        [made("source", "dir", 1 << 31 | 0o777, source, subtree=hashlib.sha256(tree).digest())]
    )
    assert report.tree_id == hashlib.sha256(root).hexdigest()
    assert check(reopen(repository), read_data=True).errors == []


@pytest.mark.usefixtures("_clean_after")
def test_unchanged_files_are_known_again(repository: Repository, source: Path) -> None:
    first = run(repository, source)
    (source / "empty").write_text("not any more")
    again = run(reopen(repository), source)
    assert (first.count.new, again.count.changed, again.count.unchanged) == (3, 1, 2)


@pytest.mark.usefixtures("_clean_after")
def test_a_file_that_somebody_else_holds_is_said(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    text = "The process cannot access the file because it is being used by another process"

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if isinstance(path, bytes) and path.endswith(b"one.txt"):
            raise PermissionError(errno.EACCES, text)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    report = run(repository, source)
    (issue,) = report.issues
    assert (issue.kind, issue.path) == ("unreadable", os.fsencode(source / "one.txt"))
    assert "being used by another process; it is not in this snapshot" in issue.text
    assert not report.is_complete
    assert os.fsencode(source / "inner" / "two.txt") in stored(repository)


def test_patterns_are_written_with_backslashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "IS_WINDOWS", True)
    monkeypatch.setattr(exclude, "IS_WINDOWS", True)
    patterns = match.Patterns([r"C:\Users\*\Temp", "*.tmp", r"build\out"])
    for path, fits in (
        (b"C:/Users/me/Temp/x", True),
        (b"C:/Users/me/other", False),
        (b"D:/a.tmp", True),
        (b"D:/src/build/out/x", True),
        (b"D:/src/out", False),
    ):
        assert patterns.matches(path) == fits, path
    assert files.slashed(rb"C:\Users\me") == b"C:/Users/me"
    with pytest.raises(UsageError, match="one-file-system"):
        Excluder(ExcludeRules(one_file_system=True))
    monkeypatch.setattr(exclude, "current_folder", lambda: b"C:\\here")
    monkeypatch.setattr(os.path, "abspath", lambda path: path)
    wants = Excluder(ExcludeRules(patterns=(r"C:\here\*.log",)))
    status = as_there(os.lstat(b"/dev/null"))
    assert not wants(b"a.log", b"a.log", status)
    assert wants(b"a.txt", b"a.txt", status)
