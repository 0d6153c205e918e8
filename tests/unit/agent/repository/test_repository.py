"""Repositories: made, opened, refused, and damaged in every kind of object."""

import hashlib
import os
from pathlib import Path

import pytest
import zstandard
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import (
    DamagedError,
    NightsafeError,
    PassphraseError,
    SettingsError,
    UnsupportedError,
    UsageError,
)
from nightsafe.maintenance.check import CheckReport, check
from nightsafe.repofile.config import Config
from nightsafe.repofile.index import Index, decode_index, encode_index
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.zstd_frames import decompress
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import walk

from tests.support import repositories
from tests.support.agent.packs import store_pack
from tests.support.agent.stored_texts import load_text
from tests.support.agent.uploader import Uploader
from tests.support.repositories import CHEAP
from tests.unit.agent.conftest import PASSPHRASE, reopen


@pytest.fixture
def filled(repository: Repository, source: Path) -> Repository:
    """A repository with one snapshot; its files are writable for damage."""
    (source / "big").write_bytes(os.urandom(600_000))
    backup(repository, [os.fsencode(source)])
    for path in Path(repository.storage.location).rglob("*"):
        if path.is_file():
            os.chmod(path, 0o600)
    return repository


def test_what_was_made_opens(folder: LocalBackend) -> None:
    made = Repository.create(folder, PASSPHRASE, params=CHEAP)
    opened = Repository.open(folder, PASSPHRASE)
    assert opened.config == made.config
    assert [len(list(folder.list(kind))) for kind in ObjectKind] == [1, 1, 0, 0, 0, 0]


class Contested(LocalBackend):
    """Somebody else begins at the same moment: before our key, our config, or after it."""

    def __init__(self, path: str, moment: str) -> None:
        super().__init__(path)
        self._moment = moment

    def save(self, kind: ObjectKind, name: str, data: bytes) -> None:  # type: ignore[override]
        if kind is ObjectKind.CONFIG and self._moment == "their config":
            self._moment = ""
            repositories.make(LocalBackend(self.location), "theirs")
        if kind is ObjectKind.CONFIG and self._moment == "their beginning":
            for listing in list(self.list(ObjectKind.KEY)):
                self.remove(ObjectKind.KEY, listing.name)
        super().save(kind, name, data)


def test_two_that_begin_at_once(folder: LocalBackend) -> None:
    """The service removes keys that are left of a broken beginning; ours is there all the same."""
    contested = Contested(folder.location, "their beginning")
    made = Repository.create(contested, PASSPHRASE, params=CHEAP)
    assert Repository.open(folder, PASSPHRASE).config == made.config


def test_who_comes_second_is_told_so(folder: LocalBackend) -> None:
    with pytest.raises(UsageError, match="Somebody else has made a repository"):
        Repository.create(Contested(folder.location, "their config"), PASSPHRASE, params=CHEAP)
    assert Repository.open(folder, "theirs")
    with pytest.raises(DamagedError, match="left of another beginning"):
        Repository.open(folder, PASSPHRASE)
    # A key of both, such as one passphrase for two beginnings, hides none.
    theirs = Repository.open(folder, "theirs").master
    repositories.add_key(folder, theirs, PASSPHRASE, CHEAP)
    assert Repository.open(folder, PASSPHRASE).master == theirs


def test_nothing_is_made_over_something(folder: LocalBackend) -> None:
    made = Repository.create(folder, PASSPHRASE, params=CHEAP)
    with pytest.raises(UsageError):
        Repository.create(folder, "another", params=CHEAP)
    assert Repository.open(folder, PASSPHRASE).config == made.config


def test_a_wrong_passphrase(vault: Repository) -> None:
    with pytest.raises(PassphraseError, match="Wrong passphrase"):
        Repository.open(vault.storage, PASSPHRASE + "!")


def test_no_repository(folder: LocalBackend) -> None:
    with pytest.raises(SettingsError, match="nightsafe init"):
        Repository.open(folder, PASSPHRASE)


def test_a_vault_of_a_newer_agent(repository: Repository) -> None:
    text = repository.config.encode().replace(b'"version":1', b'"version":9')
    path = Path(repository.storage.location, "config")
    os.chmod(path, 0o600)
    path.write_bytes(repository.sealer.seal(text))
    with pytest.raises(UnsupportedError, match="Update the agent"):
        Repository.open(repository.storage, PASSPHRASE)


def test_texts_survive_and_are_compressed(repository: Repository) -> None:
    text = b'{"a":"' + b"b" * 10_000 + b'"}'
    name = repository.save_text(ObjectKind.SNAPSHOT, text)
    assert load_text(repository, ObjectKind.SNAPSHOT, name) == text
    assert repository.storage.size(ObjectKind.SNAPSHOT, name) < 200


def test_format_1_does_not_compress(repository: Repository) -> None:
    old = Repository(repository.storage, repository.master, Config(1, "ab" * 32, 5))
    name = old.save_text(ObjectKind.SNAPSHOT, b"{}" + b" " * 100)
    sealed = repository.storage.load(ObjectKind.SNAPSHOT, name)
    assert repository.sealer.open(sealed) == b"{}" + b" " * 100
    assert load_text(old, ObjectKind.SNAPSHOT, name) == b"{}" + b" " * 100


def test_an_unknown_encoding_is_damage(repository: Repository) -> None:
    import hashlib

    for plain in (b"", b"\x03abc", b"\x02not zstd"):
        sealed = repository.sealer.seal(plain)
        name = hashlib.sha256(sealed).hexdigest()
        repository.storage.save(ObjectKind.SNAPSHOT, name, sealed)
        with pytest.raises(DamagedError):
            load_text(repository, ObjectKind.SNAPSHOT, name)


@pytest.mark.parametrize("known_size", [True, False])
def test_a_bomb_does_not_unpack(known_size: bool) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=known_size)
    bomb = packer.compress(bytes(300 << 20))
    with pytest.raises(DamagedError):
        decompress(bomb, limit=1 << 20)
    assert decompress(packer.compress(bytes(1000)), limit=1000) == bytes(1000)


def test_a_torn_frame_is_damage() -> None:
    frame = zstandard.ZstdCompressor().compress(os.urandom(1000))
    with pytest.raises(DamagedError):
        decompress(frame[:500], limit=1000)


def test_incompressible_blobs_are_stored_plain(repository: Repository) -> None:
    uploader = Uploader(repository)
    random, plain = (uploader.add(BlobKind.DATA, d) for d in (os.urandom(5000), bytes(5000)))
    uploader.flush()
    assert repository.index.locate(BlobKind.DATA, random)[0].plain_length == 0
    assert repository.index.locate(BlobKind.DATA, plain)[0].plain_length == 5000


def sound(repository: Repository, *, read_data: bool = True) -> CheckReport:
    return check(reopen(repository), read_data=read_data)


def test_a_sound_repository(filled: Repository) -> None:
    report = sound(filled)
    assert report.errors == []
    assert (report.snapshots, report.packs, report.unindexed) == (1, 2, 0)
    assert report.bytes_read > 600_000


def objects(repository: Repository, part: str) -> list[Path]:
    found = Path(repository.storage.location, part).rglob("*")
    return sorted(path for path in found if path.is_file())


@pytest.mark.parametrize("part", ["index", "snapshots", "data"])
def test_a_changed_byte_anywhere_is_noticed(filled: Repository, part: str) -> None:
    for path in objects(filled, part):
        before = path.read_bytes()
        step = max(1, len(before) // 25)
        for position in {*range(0, len(before), step), len(before) - 1}:
            changed = bytearray(before)
            changed[position] ^= 0x40
            path.write_bytes(changed)
            assert sound(filled).errors, (path, position)
        path.write_bytes(before)
    assert sound(filled).errors == []


@pytest.mark.parametrize("kind", ["config", "keys"])
def test_a_changed_key_or_config_opens_nothing(filled: Repository, kind: str) -> None:
    root = Path(filled.storage.location)
    path = root / "config" if kind == "config" else objects(filled, "keys")[0]
    before = path.read_bytes()
    for position in range(0, len(before), max(1, len(before) // 12)):
        changed = bytearray(before)
        changed[position] ^= 0x40
        path.write_bytes(changed)
        with pytest.raises(NightsafeError):
            Repository.open(filled.storage, PASSPHRASE)


@pytest.mark.parametrize("part", ["index", "snapshots", "data"])
@pytest.mark.parametrize("change", ["removed", "truncated", "emptied", "extended", "swapped"])
def test_spoilt_objects_are_noticed(filled: Repository, part: str, change: str) -> None:
    for path in objects(filled, part):
        before = path.read_bytes()
        match change:
            case "removed":
                path.unlink()
            case "truncated":
                path.write_bytes(before[:-1])
            case "emptied":
                path.write_bytes(b"")
            case "extended":
                path.write_bytes(before + b"x")
            case "swapped":
                path.write_bytes(filled.sealer.seal(b'{"packs":[]}'))
        report = sound(filled, read_data=False)
        missing_snapshot = part == "snapshots" and change == "removed"
        assert report.errors or missing_snapshot, path
        path.write_bytes(before)


def test_a_sealed_object_of_another_kind_is_noticed(filled: Repository) -> None:
    """All seals fit, but the name does not: a server cannot swap objects."""
    (index,) = objects(filled, "index")
    (snapshot,) = objects(filled, "snapshots")
    snapshot.write_bytes(index.read_bytes())
    assert "is damaged" in sound(filled).errors[0]


def test_a_snapshot_in_anothers_place_is_noticed(filled: Repository, source: Path) -> None:
    """Seal and shape fit; only the name tells that a server shows an old state as the new."""
    backup(reopen(filled), [os.fsencode(source)])
    old, new = filled.load_snapshots().sound
    place = Path(filled.storage.location, "snapshots")
    os.chmod(place / new.id, 0o600)
    (place / new.id).write_bytes((place / old.id).read_bytes())
    assert filled.load_snapshots().damaged == [new.id]


def test_a_pack_that_no_index_lists_is_waste_only(filled: Repository) -> None:
    blob = b"left over"
    sealed = filled.sealer.seal(blob)
    store_pack(filled, BlobKind.DATA, (hashlib.sha256(blob).digest(), sealed, 0))
    report = sound(filled)
    assert (report.errors, report.unindexed) == ([], 1)


def test_index_and_header_must_agree(filled: Repository) -> None:
    (path,) = objects(filled, "index")
    text = load_text(filled, ObjectKind.INDEX, path.name)
    path.unlink()
    wrong = text.replace(b'"offset":0', b'"offset":1')
    assert wrong != text
    filled.save_text(ObjectKind.INDEX, wrong)
    assert sound(filled).errors


def test_index_and_header_must_agree_on_what_only_they_say(filled: Repository) -> None:
    (path,) = objects(filled, "index")
    packs = decode_index(load_text(filled, ObjectKind.INDEX, path.name))
    data = next(p for p in packs if p.blobs[0].kind is BlobKind.DATA)
    first = data.blobs[0]._replace(id=bytes(32))
    path.unlink()
    wrong = data._replace(blobs=(first, *data.blobs[1:]))
    keep = [p for p in packs if p is not data]
    filled.save_text(ObjectKind.INDEX, encode_index([*keep, wrong]))
    assert any("disagree" in error for error in sound(filled).errors)


def test_walking_a_damaged_tree_goes_on_elsewhere(filled: Repository, source: Path) -> None:
    filled.load_index()
    (snapshot,) = filled.load_snapshots().sound
    reader, damage = BlobReader(filled), []
    inner = next(f for f in walk(reader, snapshot.tree) if f.node.name == b"inner")
    index = Index()
    for _, contents in filled.index_files():
        for content in contents or ():
            blobs = tuple(blob for blob in content.blobs if blob.id != inner.node.subtree)
            index.add(content._replace(blobs=blobs))
    filled.index = index
    reader = BlobReader(filled)
    found = list(walk(reader, snapshot.tree, on_damage=lambda p, e: damage.append(p)))
    assert damage == [inner.path]
    assert os.fsencode(source / "one.txt") in [f.path for f in found]
    with pytest.raises(DamagedError):
        list(walk(BlobReader(filled), snapshot.tree))
