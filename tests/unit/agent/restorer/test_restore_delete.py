"""`restore --delete` removes only by lists that are known to be whole."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.cli import main
from nightsafe.errors import RestoreError
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node, encode_node, go_mode
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import PatternSelection
from nightsafe.restorer.completeness import Completeness, Coverage
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.restore import restore

from tests.support.agent.hostile_trees import snapshot_of, store_tree
from tests.unit.agent.conftest import PASSPHRASE, reopen

FILE, DIR = go_mode(stat.S_IFREG | 0o644), go_mode(stat.S_IFDIR | 0o755)
A, Z = (Node(name, "file", FILE, content=()) for name in (b"a", b"z"))


def folder(name: bytes, tree: bytes | None) -> Node:
    return Node(name, "dir", DIR, subtree=tree)


def delete(
    repository: Repository, snapshot: Snapshot, target: Path, *include: str, **options: object
) -> RestoreReport:
    return restore(
        reopen(repository),
        snapshot,
        os.fsencode(target),
        selection=PatternSelection(include),
        options=RestoreOptions(delete=True, **options),  # type: ignore[arg-type]
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder with files of one's own: in `whole`, in `odd`, and beside them."""
    top = tmp_path / "target"
    for name in ("whole", "odd"):
        (top / name).mkdir(parents=True)
        (top / name / "mine").write_text("mine")
    (top / "mine").write_text("mine")
    return top


Make = Callable[[Repository], Node | str]
DAMAGED: dict[str, Make] = {
    "a lost tree": lambda repository: folder(b"odd", bytes(32)),
    "no tree": lambda repository: folder(b"odd", None),
    "what is no tree": lambda repository: folder(b"odd", store_tree(repository, "{")),
    "an entry that cannot be read": lambda repository: folder(
        b"odd", store_tree(repository, encode_node(A).replace(f":{FILE}", ":-1"), Z)
    ),
    "an entry without a name": lambda repository: folder(
        b"odd", store_tree(repository, A._replace(name=b""), Z)
    ),
    "a name with a slash": lambda repository: folder(
        b"odd", store_tree(repository, A._replace(name=b"x/y"), Z)
    ),
    "a name twice": lambda repository: folder(b"odd", store_tree(repository, A, A, Z)),
    "an unknown kind": lambda repository: folder(
        b"odd", store_tree(repository, A._replace(type="whiteout"), Z)
    ),
}


@pytest.mark.parametrize("make", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_whose_list_is_damaged_keeps_everything(
    repository: Repository, target: Path, make: Make, dry_run: bool
) -> None:
    whole = folder(b"whole", store_tree(repository, A))
    snapshot = snapshot_of(repository, store_tree(repository, make(repository), whole))
    report = delete(repository, snapshot, target, dry_run=dry_run)
    assert (target / "odd" / "mine").exists()
    assert (target / "mine").exists() == dry_run
    assert (target / "whole" / "mine").exists() == dry_run
    assert report.deleted == 2
    assert not report.is_complete
    texts = [issue.text for issue in report.issues if issue.path == b"/odd"]
    assert "nothing was deleted in it" in " ".join(texts)


def test_a_lost_root_deletes_nothing(repository: Repository, target: Path) -> None:
    report = delete(repository, snapshot_of(repository, bytes(32)), target)
    assert not report.is_complete
    assert sorted(os.listdir(target)) == ["mine", "odd", "whole"]


def test_it_is_said_in_json_and_by_the_status(
    repository: Repository,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    snapshot_of(repository, store_tree(repository, folder(b"odd", bytes(32))))
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    command = ["restore", "latest", "--target", str(target), "--delete", "--yes", "--json"]
    assert main(command) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("nothing was deleted" in line.get("text", "") for line in lines)
    assert lines[-1]["complete"] is False
    assert main(command[:-1]) == 3
    assert "nothing was deleted" in capsys.readouterr().err
    assert (target / "odd" / "mine").exists()


@pytest.mark.parametrize("given", ["absolute", "relative", ".", "below"])
def test_what_was_backed_up_is_whole_however_it_was_given(
    repository: Repository,
    source: Path,
    tmp_path: Path,
    given: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths: dict[str, str | Path] = {
        "absolute": source,
        "relative": source.name,
        ".": ".",
        "below": f"{source.name}/inner",
    }
    monkeypatch.chdir(source if given == "." else source.parent)
    backup(repository, [os.fsencode(paths[given])])
    (snapshot,) = repository.load_snapshots().sound
    target = tmp_path / "target"
    inside = {"absolute": Path(f"{target}{source}"), ".": target}.get(given, target / paths[given])
    inside.mkdir(parents=True)
    (inside / "extra").touch()
    (inside.parent / "beside").touch()
    report = delete(repository, snapshot, target)
    assert report.issues == []
    assert report.deleted == 1
    backed_up = source / "inner" if given == "below" else source
    assert set(os.listdir(inside)) == set(os.listdir(backed_up))
    assert (inside.parent / "beside").exists()


EXTENTS = [
    # The paths of a snapshot, its files, and of folders in it how much of them is known.
    (["/home/me"], ["home/me/a"], {"": "PART", "/home": "PART", "/home/me": "WHOLE"}),
    (["/home/me"], ["me/a", "me/b/c"], {"": "PART", "/me": "WHOLE", "/me/b": "WHOLE"}),
    (["/home/me"], ["a", "b/c"], {"": "WHOLE", "/b": "WHOLE"}),
    (["/"], ["a", "b/c"], {"": "WHOLE", "/b": "WHOLE"}),
    (["/etc/x", "/var/x"], ["etc/x/a", "var/x/a"], {"/etc": "PART", "/var/x": "WHOLE"}),
    # `.` beside another path: in which of them is `b`?
    (["/home/me", "/etc/x"], ["b", "etc/x/a"], {"": "UNKNOWN", "/etc": "UNKNOWN"}),
    # Given as `me`, or as `.` in a folder that holds one of its own name?
    (["/home/me"], ["me/a", "other"], {"": "WHOLE", "/me": "WHOLE"}),
    (["/me/me"], ["me/me/a"], {"/me": "UNKNOWN", "/me/me": "WHOLE"}),
    # A file, a folder that is not there, and names that nobody can tell.
    (["/home/me/a"], ["home/me/a"], {"/home/me": "PART", "": "PART"}),
    (["/home/me"], ["home/other"], {"": "UNKNOWN", "/home": "UNKNOWN"}),
    (["/home/me", "/gone"], ["home/me/a"], {"": "PART", "/home/me": "WHOLE"}),
    (["/home/m\ufffd"], ["m/a"], {"": "UNKNOWN", "/m": "UNKNOWN"}),
    (["\\\\server\\share\\x"], ["x/a"], {"": "UNKNOWN", "/x": "UNKNOWN"}),
    (["C:\\x"], ["C/x/a"], {"": "PART", "/C": "PART", "/C/x": "WHOLE"}),
    ([], ["a"], {"": "UNKNOWN"}),
]


@pytest.mark.parametrize(("paths", "files", "expected"), EXTENTS)
def test_how_much_of_a_folder_is_known(
    repository: Repository, paths: list[str], files: list[str], expected: dict[str, str]
) -> None:
    tree = _tree_of(repository, [file.encode().split(b"/") for file in files])
    snapshot = Snapshot(time=0, tree=tree, paths=tuple(paths))
    extent = Completeness(BlobReader(repository), snapshot)
    found = {path: extent.of(path.encode()).name for path in expected}
    assert found == expected


def _tree_of(repository: Repository, paths: list[list[bytes]]) -> bytes:
    nodes = []
    for name in sorted({path[0] for path in paths}):
        inner = [path[1:] for path in paths if path[0] == name and len(path) > 1]
        nodes.append(folder(name, _tree_of(repository, inner)) if inner else A._replace(name=name))
    return store_tree(repository, *nodes)


def test_nothing_is_known_of_folders_below_a_damaged_root(repository: Repository) -> None:
    tree = store_tree(repository, folder(b"d", store_tree(repository, A)), "17")
    extent = Completeness(BlobReader(repository), Snapshot(time=0, tree=tree, paths=("/x/d",)))
    assert (extent.of(b""), extent.of(b"/d")) == (Coverage.UNKNOWN, Coverage.UNKNOWN)


def test_what_cannot_be_told_is_kept_and_said(repository: Repository, target: Path) -> None:
    tree = store_tree(repository, A, folder(b"odd", store_tree(repository, A)))
    snapshot = snapshot_of(repository, tree, "/home/me", "/home/odd")
    report = delete(repository, snapshot, target)
    assert [(issue.path, issue.kind) for issue in report.issues] == [
        (b"/", "failed"),
        (b"/odd", "failed"),
    ]
    assert "cannot be told" in report.issues[0].text
    assert (target / "mine").exists()
    assert (target / "odd" / "mine").exists()


def test_nothing_goes_where_nothing_is_restored(repository: Repository, target: Path) -> None:
    tree = store_tree(repository, A, folder(b"odd", store_tree(repository, Z)))
    snapshot = snapshot_of(repository, tree)
    with pytest.raises(RestoreError, match="holds nothing"):
        delete(repository, snapshot, target, "/mine", "/odd/a")
    assert delete(repository, snapshot, target, "/mine", "/odd/z").deleted == 1
    assert not (target / "mine").exists()
    assert (target / "odd" / "mine").exists()


def test_a_folder_that_cannot_be_listed_is_said(
    repository: Repository, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nightsafe.target.directory_by_fd import FdDirectory

    def fail(self: object) -> list[bytes]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(FdDirectory, "names", fail)
    report = delete(repository, snapshot_of(repository, store_tree(repository, A)), target)
    assert "input/output error" in report.issues[0].text
    assert not report.is_complete


# What stands in the way.


@pytest.mark.parametrize("workers", [0, 2])
def test_folders_in_the_way_of_files_go_if_they_are_empty_or_with_delete(
    repository: Repository, target: Path, workers: int
) -> None:
    link = Node(b"whole", "symlink", go_mode(stat.S_IFLNK | 0o777), link_target=b"x")
    (target / "a").mkdir()
    snapshot = snapshot_of(repository, store_tree(repository, A, A._replace(name=b"odd"), link))
    options = RestoreOptions(workers=workers)
    report = restore(reopen(repository), snapshot, os.fsencode(target), options=options)
    assert {issue.path for issue in report.issues} == {b"/odd", b"/whole"}
    assert all("a folder stands there that is not empty" in i.text for i in report.issues)
    assert (target / "a").is_file()
    assert (target / "odd" / "mine").exists()
    report = delete(repository, snapshot, target, workers=workers)
    assert report.issues == []
    assert (target / "odd").is_file()
    assert (target / "whole").is_symlink()
    assert sorted(os.listdir(target)) == ["a", "odd", "whole"]


def test_a_folder_stays_where_what_comes_for_it_is_damaged(
    repository: Repository, target: Path
) -> None:
    lost = A._replace(name=b"odd", content=None)
    report = delete(repository, snapshot_of(repository, store_tree(repository, A, lost)), target)
    assert [issue.path for issue in report.issues] == [b"/odd"]
    assert (target / "odd" / "mine").exists()


@pytest.mark.parametrize(
    ("overwrite", "age", "goes"),
    [
        ("always", 0, True),
        ("if-changed", 0, True),
        ("if-newer", -1, True),
        ("if-newer", 1, False),
        ("never", -1, False),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_files_in_the_way_of_folders(
    repository: Repository, tmp_path: Path, overwrite: str, age: int, goes: bool, dry_run: bool
) -> None:
    (tmp_path / "d").write_text("in the way")
    os.utime(tmp_path / "d", ns=(0, (5 + age) * 10**9))
    inner = store_tree(repository, A)
    snapshot = snapshot_of(
        repository, store_tree(repository, folder(b"d", inner)._replace(mtime=5 * 10**9))
    )
    report = restore(
        reopen(repository),
        snapshot,
        os.fsencode(tmp_path),
        options=RestoreOptions(overwrite=overwrite, dry_run=dry_run),
    )
    assert report.is_complete == goes
    assert (tmp_path / "d" / "a").exists() == (goes and not dry_run)
    if not goes:
        assert "a file stands there" in report.issues[0].text


@pytest.mark.parametrize(
    ("asked_for", "in_the_way", "restored"),
    [
        (["/d"], "d", ["d/a", "d/e/a", "d/e/f/a", "d/z"]),
        (["/d"], "d/e", ["d/a", "d/e/a", "d/e/f/a", "d/z"]),
        (["/d/a"], "d", ["d/a"]),
        (["/d/e"], "d", []),
        (["/d/e/a"], "d", []),
        (["/d/e/a"], "d/e", ["d/e/a"]),
        (["/d/e/f/a"], "d/e", []),
        (["/d/e/f/a"], "d/e/f", ["d/e/f/a"]),
        (["/d/e/f/a", "/d/z"], "d", ["d/z"]),
        (["/d/e/f/a", "/d/z"], "d/e", ["d/z"]),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_in_the_way_of_a_folder_that_was_not_asked_for_stays(
    repository: Repository,
    tmp_path: Path,
    asked_for: list[str],
    in_the_way: str,
    restored: list[str],
    dry_run: bool,
) -> None:
    """But where something asked for lies right in the folder: stock restic draws this line."""
    innermost = folder(b"f", store_tree(repository, A))
    inner = folder(b"e", store_tree(repository, A, innermost))
    outer = folder(b"d", store_tree(repository, A, inner, Z))
    snapshot = snapshot_of(repository, store_tree(repository, outer))
    target = tmp_path / "target"
    (target / in_the_way).parent.mkdir(parents=True)
    (target / in_the_way).write_text("mine")
    report = restore(
        reopen(repository),
        snapshot,
        os.fsencode(target),
        selection=PatternSelection(asked_for),
        options=RestoreOptions(dry_run=dry_run),
    )
    stays = dry_run or not any(path.startswith(f"{in_the_way}/") for path in restored)
    assert (target / in_the_way).is_file() == stays
    files = [path for path in target.rglob("*") if path.is_file()]
    mine = [path for path in files if path.read_text() == "mine"]
    there = sorted(str(path.relative_to(target)) for path in files if path not in mine)
    assert there == ([] if dry_run else restored)
    assert report.files == len(restored)
    failed = [(issue.path.decode(), issue.text) for issue in report.issues]
    if asked_for == ["/d"] or len(restored) == len(asked_for):
        assert failed == []
    else:
        assert [path for path, _ in failed] == [f"/{in_the_way}"]
        assert "move it away, or include the folder itself" in failed[0][1]
