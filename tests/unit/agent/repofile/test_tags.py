"""Tags: lists are split and trimmed wherever they come in, and old ones are read as their parts."""

import json
import os
from pathlib import Path

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import ObjectKind
from nightsafe.cli import main
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tags import flat_tags, has_tags, split_tags
from nightsafe.repository.repository import Repository

from tests.support.agent.stored_texts import load_text
from tests.unit.agent.conftest import PASSPHRASE, reopen


@pytest.fixture(autouse=True)
def _settings(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)


def store(repository: Repository, number: int, *tags: str) -> str:
    """A snapshot as whoever wrote it left it; returns its id."""
    snapshot = Snapshot(time=number * 10**9, tree=bytes(32), paths=("/p",), hostname="h", tags=tags)
    return repository.save_text(ObjectKind.SNAPSHOT, snapshot.encode())


def ids(repository: Repository) -> set[str]:
    return {listing.name for listing in repository.storage.list(ObjectKind.SNAPSHOT)}


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (" a ,\tb c\xa0", ("a", "b c")),
        ("", ("",)),
        ("a,,b,", ("a", "", "b", "")),
        ("\u3000ä", ("ä",)),
        ("\x1fa", ("\x1fa",)),
    ],
)
def test_a_list_is_split_and_trimmed(text: str, tags: tuple[str, ...]) -> None:
    assert split_tags(text) == tags
    assert flat_tags([text]) == tuple(filter(None, tags))


@pytest.mark.parametrize(
    ("carried", "wanted", "has"),
    [
        (("a", "b"), ("b", "a"), True),
        (("a",), ("a", "b"), False),
        ((), ("",), True),
        (("a",), ("",), False),
        ((), ("", "a"), True),
        ((), ("a", ""), False),
        (("A",), ("a",), False),
        ((), (), True),
    ],
)
def test_what_is_carried(carried: tuple[str, ...], wanted: tuple[str, ...], has: bool) -> None:
    assert has_tags(carried, wanted) is has


@pytest.mark.parametrize("by", ["command line", "library"])
def test_a_backup_takes_lists(repository: Repository, source: Path, by: str) -> None:
    if by == "library":
        options = BackupOptions(tags=("a, b c", "", "d"))
        backup(reopen(repository), [os.fsencode(source)], options)
    else:
        assert main(["backup", "--tag", "a, b c", "--tag", "", "--tag", "d", str(source)]) == 0
    (listing,) = repository.storage.list(ObjectKind.SNAPSHOT)
    text = load_text(repository, ObjectKind.SNAPSHOT, listing.name)
    assert json.loads(text)["tags"] == ["a", "b c", "d"]


@pytest.mark.parametrize("wanted", ["a", "b", "b,a", " a , b "])
def test_an_old_tag_with_a_comma_is_its_parts(repository: Repository, wanted: str) -> None:
    old, new = store(repository, 1, "a,b"), store(repository, 2, "a", "b")
    other = store(repository, 3, "c")
    assert main(["forget", "--keep-tag", wanted, "--keep-last", "1", "-g", "", "--yes"]) == 0
    assert ids(repository) == {old, new, other}


def test_an_old_tag_with_a_comma_is_grouped_as_its_parts(repository: Repository) -> None:
    store(repository, 1, "b, a ")
    new, other = store(repository, 2, "a", "b"), store(repository, 3, "c")
    assert main(["forget", "--keep-last", "1", "--group-by", "tags", "--yes"]) == 0
    assert ids(repository) == {new, other}


def test_rules_never_empty_a_group(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {store(repository, 1, "keep"), store(repository, 2), store(repository, 3, "keep")}
    for options in (["--keep-tag", "KEPE"], ["--keep-tag", "keep", "-g", "tags"]):
        for more in (["--yes"], ["--yes", "--prune"], ["--dry-run"]):
            assert main(["forget", *options, *more]) == 1
            assert ids(repository) == before
    assert "keep nothing" in capsys.readouterr().err
