"""A recovery kit: what stands on it, and that a file and its key come together or not at all."""

import errno
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import AccessRefusedError, RefusedError, SettingsError
from nightsafe.recovery.kit import Kit, as_page, as_text
from nightsafe.recovery.record import KitRecord, load_kit_record, save_kit_record
from nightsafe.recovery.write_kit import write_kit
from nightsafe.repofile.key import MAX_KEYS, unwrap
from nightsafe.repository.repository import Repository

from tests.support.interop.kits import code_on
from tests.support.repositories import CHEAP
from tests.unit.agent.conftest import PASSPHRASE

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
AT = datetime(2026, 12, 1, 7, tzinfo=UTC)


def kit(**fields: str) -> Kit:
    return Kit(words=WORDS, computer="laptop", made=AT, **fields)


AT_SERVICE = kit(url="https://vaults.example/restic/v1/", site="https://nightsafe.example")
IN_FOLDER = kit(folder="/mnt/a disk/<b>&'repo'")


class Reader(HTMLParser):
    """Collects a page's text, and whatever it would load or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said = ""
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in ("script", "link", "img", "iframe") or names & {"src", "href", "onload"}:
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        self.said += f"{data} "


@pytest.mark.parametrize("one", [AT_SERVICE, IN_FOLDER], ids=["service", "folder"])
@pytest.mark.parametrize("form", ["page", "text"])
def test_what_stands_on_a_kit(one: Kit, form: str) -> None:
    if form == "page":
        reader = Reader(as_page(one))
        assert reader.loads == []
        text = reader.said
    else:
        text = as_text(one)
    flat = " ".join(text.split())
    words = re.findall(r"[a-z]+", text.partition("Whoever")[0].lower())
    assert set(WORDS.split()) <= set(words)
    assert one.location in text
    assert "laptop" in text
    assert "2026-12-01" in text
    assert "restic -r" in text
    assert ("password of the website" in flat) == bool(one.url)
    assert ("nightsafe login https://nightsafe.example" in flat) == bool(one.url)
    assert "SECRET" not in flat or one.url


def test_numbers_and_words_of_the_text_belong_together() -> None:
    assert code_on(as_text(AT_SERVICE)) == WORDS


def test_lines_of_the_text_fit_on_paper() -> None:
    assert max(map(len, as_text(AT_SERVICE).splitlines())) <= 90


def test_a_folder_is_quoted_for_the_shell_and_for_the_page() -> None:
    assert """-r '/mnt/a disk/<b>&'"'"'repo'"'"''""" in as_text(IN_FOLDER)
    assert "<b>" not in as_page(IN_FOLDER)


@pytest.mark.parametrize("name", ["kit.html", "kit.HTM", "kit.txt"])
def test_a_kit_opens_the_vault(repository: Repository, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    key = write_kit(repository.storage, repository.master, AT_SERVICE, str(path), params=CHEAP)
    stored = repository.storage.load(ObjectKind.KEY, key)
    assert unwrap(stored, WORDS) == repository.master
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("<!doctype" if name != "kit.txt" else "NIGHTSAFE")
    for passphrase in (WORDS, PASSPHRASE):
        assert Repository.open(repository.storage, passphrase).master == repository.master


class Refusing(LocalBackend):
    """A vault whose keys may not be changed."""

    def save(self, kind: ObjectKind, name: str, data: bytes) -> None:  # type: ignore[override]
        raise AccessRefusedError("not now")


def test_no_kit_is_left_whose_key_was_refused(repository: Repository, tmp_path: Path) -> None:
    storage: Backend = Refusing(repository.storage.location)
    path = tmp_path / "kit.html"
    with pytest.raises(AccessRefusedError):
        write_kit(storage, repository.master, AT_SERVICE, str(path), params=CHEAP)
    assert not list(tmp_path.glob("kit*"))


class Watched(LocalBackend):
    """Notes what there is when a key is stored, as a computer that fails then leaves it."""

    def save(self, kind: ObjectKind, name: str, data: bytes) -> None:  # type: ignore[override]
        self.there = sorted(path.name for path in self.folder.glob("kit*"))
        super().save(kind, name, data)

    folder: Path
    there: list[str]


def test_a_kit_has_its_name_only_once_its_key_is_stored(
    repository: Repository, tmp_path: Path
) -> None:
    storage = Watched(repository.storage.location)
    storage.folder = tmp_path
    write_kit(storage, repository.master, AT_SERVICE, str(tmp_path / "kit.html"), params=CHEAP)
    assert storage.there == ["kit.html.unfinished"]
    assert [path.name for path in tmp_path.glob("kit*")] == ["kit.html"]


def test_no_key_is_left_whose_kit_cannot_be_written(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "kit.html"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SettingsError, match=r"cannot be written .*: No space left"):
            write_kit(repository.storage, repository.master, AT_SERVICE, str(path), params=CHEAP)
    assert not path.exists()
    path.write_text("an older kit")
    with pytest.raises(SettingsError, match="already"):
        write_kit(repository.storage, repository.master, AT_SERVICE, str(path), params=CHEAP)
    assert path.read_text() == "an older kit"
    nowhere = str(tmp_path / "none" / "kit.html")
    with pytest.raises(SettingsError, match="There is no folder"):
        write_kit(repository.storage, repository.master, AT_SERVICE, nowhere, params=CHEAP)
    assert len(list(repository.storage.list(ObjectKind.KEY))) == 1


def test_no_key_is_made_that_nobody_would_try(repository: Repository, tmp_path: Path) -> None:
    for number in range(MAX_KEYS - 1):
        repository.storage.save(ObjectKind.KEY, f"{number:064x}", b"{}")
    with pytest.raises(RefusedError, match="20 keys already"):
        write_kit(
            repository.storage, repository.master, AT_SERVICE, str(tmp_path / "k.txt"), params=CHEAP
        )
    assert not (tmp_path / "k.txt").exists()


def test_what_is_remembered(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    assert load_kit_record(folder) is None
    save_kit_record("v1", made_at=AT, folder=folder)
    assert load_kit_record(folder) == KitRecord("v1", AT, None)
    later = AT + timedelta(hours=1)
    save_kit_record("v1", tried_at=later, folder=folder)
    assert load_kit_record(folder) == KitRecord("v1", AT, later)
    assert not KitRecord("v1", AT, later).is_asked_for(AT + timedelta(days=182))
    assert KitRecord("v1", AT, later).is_asked_for(AT + timedelta(days=183))
    # A new sheet has not been tried, nor one of another vault.
    assert save_kit_record("v1", made_at=later, folder=folder) == KitRecord("v1", later, None)
    assert save_kit_record("v2", tried_at=AT, folder=folder) == KitRecord("v2", None, AT)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 60000, '{"vault": 1, "made_at": 2, "tried_at": null}']
)
def test_what_is_remembered_may_be_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "kit.json").write_text(text)
    assert load_kit_record(str(tmp_path)) is None
    save_kit_record("v", made_at=AT, folder=str(tmp_path))
    assert load_kit_record(str(tmp_path)) == KitRecord("v", AT, None)


def test_a_path_that_is_not_utf8_stands_there_as_it_is(
    repository: Repository, tmp_path: Path
) -> None:
    folder = os.fsdecode(b"/mnt/r\xff")
    for name in ("k.txt", "k.html"):
        write_kit(
            repository.storage,
            repository.master,
            kit(folder=folder),
            str(tmp_path / name),
            params=CHEAP,
        )
        assert b"restic -r '/mnt/r\xff' restore" in (tmp_path / name).read_bytes().replace(
            b"&#x27;", b"'"
        )
