"""What can be chosen for a restore: paths, patterns, what to overwrite, delete and verify."""

import os
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.cli import main
from nightsafe.errors import RestoreError, UsageError
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import PatternSelection
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.restore import restore

from tests.support.agent.restore_modes import MODES, use_mode
from tests.support.agent.trees import fingerprint
from tests.unit.agent.conftest import PASSPHRASE, reopen


@pytest.fixture(params=MODES, autouse=True)
def _every_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    use_mode(request.param, monkeypatch)


@pytest.fixture
def snapshot(repository: Repository, source: Path) -> Snapshot:
    (source / "large").write_bytes(os.urandom(3_000_000))
    backup(repository, [os.fsencode(source)])
    return repository.load_snapshots().sound[-1]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def bring_back(
    repository: Repository, snapshot: Snapshot, target: Path, **options: object
) -> RestoreReport:
    selection = PatternSelection(
        *(options.pop(name, ()) for name in ("include", "exclude")),  # type: ignore[arg-type]
        include_any_case=options.pop("iinclude", ()),  # type: ignore[arg-type]
        exclude_any_case=options.pop("iexclude", ()),  # type: ignore[arg-type]
    )
    return restore(
        reopen(repository),
        snapshot,
        os.fsencode(target),
        selection=selection,
        options=RestoreOptions(**options),  # type: ignore[arg-type]
    )


def found(target: Path, source: Path) -> set[bytes]:
    return set(fingerprint(Path(f"{target}{source}")))


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ["*.txt"]}, {b"inner", b"inner/two.txt", b"one.txt"}),
        ({"include": ["inner"]}, {b"inner", b"inner/two.txt"}),
        ({"iinclude": ["ONE.TXT"]}, {b"one.txt"}),
        ({"exclude": ["*.txt", "large"]}, {b"empty", b"inner", b"link"}),
        ({"iexclude": ["INNER"]}, {b"empty", b"large", b"link", b"one.txt"}),
        ({"include": ["*.txt"], "exclude": ["two*"]}, {b"one.txt"}),
    ],
)
def test_patterns(
    repository: Repository,
    snapshot: Snapshot,
    source: Path,
    target: Path,
    patterns: dict[str, list[str]],
    expected: set[bytes],
) -> None:
    bring_back(repository, snapshot, target, **patterns)
    assert found(target, source) == expected


def test_patterns_that_fit_nothing(
    repository: Repository, snapshot: Snapshot, target: Path
) -> None:
    with pytest.raises(RestoreError, match="holds nothing at"):
        bring_back(repository, snapshot, target, include=["*.none"])


def test_a_folder_alone(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    bring_back(repository, snapshot, target, folder=os.fsencode(source / "inner"))
    assert fingerprint(target) == fingerprint(source / "inner")


@pytest.mark.parametrize("path", [b"/no/such", b"one.txt"])
def test_a_folder_that_is_none(
    repository: Repository, snapshot: Snapshot, target: Path, path: bytes
) -> None:
    with pytest.raises(RestoreError, match="holds no folder"):
        bring_back(repository, snapshot, target, folder=path)


def changed(target: Path, source: Path, mtime: int) -> Path:
    """A restored file that somebody wrote to; its size stays."""
    path = Path(f"{target}{source}/one.txt")
    path.write_text("ONE\n")
    os.utime(path, ns=(mtime, mtime))
    return path


@pytest.mark.parametrize(
    ("overwrite", "age", "is_replaced"),
    [
        ("always", 0, True),
        ("never", -1, False),
        ("if-changed", 0, False),
        ("if-changed", 1, True),
        ("if-newer", 1, False),
        ("if-newer", -1, True),
    ],
)
def test_overwriting(
    repository: Repository,
    snapshot: Snapshot,
    source: Path,
    target: Path,
    overwrite: str,
    age: int,
    is_replaced: bool,
) -> None:
    bring_back(repository, snapshot, target)
    path = changed(target, source, (source / "one.txt").stat().st_mtime_ns + age * 10**9)
    report = bring_back(repository, snapshot, target, overwrite=overwrite)
    assert report.is_complete
    assert path.read_text() == ("one\n" if is_replaced else "ONE\n")


def test_what_is_there_already_is_not_fetched_again(
    repository: Repository, snapshot: Snapshot, target: Path
) -> None:
    bring_back(repository, snapshot, target)
    report = bring_back(repository, snapshot, target, overwrite="if-changed")
    assert (report.files, report.bytes, report.skipped) == (0, 0, 4)


def test_verifying_finds_what_size_and_time_do_not_tell(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    bring_back(repository, snapshot, target)
    path = changed(target, source, (source / "one.txt").stat().st_mtime_ns)
    report = bring_back(repository, snapshot, target, overwrite="if-changed", verify=True)
    assert (report.files, report.verified) == (1, 5)
    assert path.read_text() == "one\n"


def test_verifying_tells_what_is_wrong(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    Path(f"{target}{source}").mkdir(parents=True)
    Path(f"{target}{source}/one.txt").write_text("other")
    Path(f"{target}{source}/link").write_text("no link")
    report = bring_back(repository, snapshot, target, overwrite="never", verify=True)
    assert [os.path.basename(issue.path) for issue in report.issues] == [b"link", b"one.txt"]
    assert not report.is_complete


def test_deleting_what_the_snapshot_does_not_hold(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path, tmp_path: Path
) -> None:
    bring_back(repository, snapshot, target)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    inside = Path(f"{target}{source}")
    (inside / "extra").mkdir()
    (inside / "extra" / "deep").touch()
    (inside / "inner" / "link-out").symlink_to(outside)
    (target / "beside").touch()
    (inside.parent / "beside").touch()
    trial = bring_back(repository, snapshot, target, delete=True, dry_run=True)
    assert (trial.deleted, (inside / "extra").exists()) == (2, True)
    report = bring_back(repository, snapshot, target, delete=True)
    assert (report.deleted, report.issues) == (2, [])
    os.utime(inside, ns=(0, source.stat().st_mtime_ns))
    assert fingerprint(inside) == fingerprint(source)
    assert (outside / "precious").exists()
    assert (target / "beside").exists()
    assert (inside.parent / "beside").exists()


def test_what_is_excluded_is_not_deleted(
    repository: Repository, snapshot: Snapshot, source: Path, target: Path
) -> None:
    inside = Path(f"{target}{source}")
    inside.mkdir(parents=True)
    (inside / "mine.keep").touch()
    bring_back(repository, snapshot, target, delete=True, exclude=["*.keep"])
    assert (inside / "mine.keep").exists()


def test_a_dry_run_changes_nothing(
    repository: Repository, snapshot: Snapshot, target: Path
) -> None:
    report = bring_back(repository, snapshot, target, dry_run=True)
    assert report.files == 4
    assert not target.exists()


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "if-newer", "never"])
def test_a_dry_run_says_what_the_real_one_does(
    repository: Repository, snapshot: Snapshot, target: Path, source: Path, overwrite: str
) -> None:
    """What stands there with the right content stays, whatever its time; what else does not."""
    bring_back(repository, snapshot, target)
    inside = Path(f"{target}{source}")
    os.utime(inside / "large", ns=(1, 1))
    (inside / "one.txt").write_bytes(b"one\nand more")
    (inside / "inner" / "two.txt").unlink()
    (inside / "inner" / "two.txt" / "in the way").mkdir(parents=True)

    def tried(*, dry_run: bool) -> tuple[int, int, int, int, list[str]]:
        report = bring_back(repository, snapshot, target, overwrite=overwrite, dry_run=dry_run)
        issues = sorted(map(str, report.issues))
        return report.files, report.skipped, report.others, report.directories, issues

    before = fingerprint(target)
    trial = tried(dry_run=True)
    assert fingerprint(target) == before
    assert trial == tried(dry_run=False)
    is_replaced = overwrite in ("always", "if-changed")  # what was made just now is newer
    assert (trial[0], len(trial[4])) == ((1, 1) if is_replaced else (0, 0))


def test_overwriting_in_an_unknown_way() -> None:
    with pytest.raises(UsageError, match="if-newer"):
        RestoreOptions(overwrite="sometimes")


def test_the_command(
    repository: Repository,
    snapshot: Snapshot,
    source: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    folder = f"latest:{source}"
    assert main(["restore", folder, "--target", str(target), "--exclude", "large"]) == 0
    assert not (target / "large").exists()
    (target / "extra").touch()
    again = ["restore", folder, "--target", str(target), "--overwrite", "if-changed", "--verify"]
    assert main([*again, "--delete"]) == 1
    assert (target / "extra").exists()
    assert main([*again, "--delete", "--yes", "--workers", "2"]) == 0
    assert "read back and right" in capsys.readouterr().out
    assert set(os.listdir(target)) == set(os.listdir(source))
