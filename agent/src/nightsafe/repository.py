"""A repository: objects in a storage, opened with a passphrase."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import zstandard

from nightsafe.config import Config
from nightsafe.crypto import Sealer, SealKey
from nightsafe.errors import (
    DamagedError,
    NoCopyError,
    ObjectNotFoundError,
    UsageError,
)
from nightsafe.frames import decompress
from nightsafe.index import Index, decode_index
from nightsafe.keys import KdfParams, wrap
from nightsafe.opening import Opening, open_key
from nightsafe.pack import PackContent
from nightsafe.service import Service
from nightsafe.snapshot import Snapshot
from nightsafe.storage import CONFIG_NAME, ObjectKind, Storage

_COMPRESSED = b"\x02"
_MAX_TEXT = {ObjectKind.INDEX: 1 << 30, ObjectKind.SNAPSHOT: 256 << 20}
_READ_ATTEMPTS = 3


class Repository:
    """Objects are sealed, named and verified here; what they mean is for others to say."""

    def __init__(self, storage: Storage, master: SealKey, config: Config) -> None:
        self.storage = storage
        self.config = config
        self.index = Index()
        self._master = master
        self.sealer = Sealer(master)

    @classmethod
    def create(
        cls, storage: Storage, passphrase: str, *, params: KdfParams | None = None
    ) -> "Repository":
        """Make a new repository; UsageError if there is one already."""
        with contextlib.suppress(ObjectNotFoundError):
            storage.size(ObjectKind.CONFIG, CONFIG_NAME)
            raise UsageError(f"There is a repository at {storage.location} already; use it as is.")
        master, config = SealKey.random(), Config.new()
        key_object = wrap(master, passphrase, params)
        sealed = Sealer(master).seal(config.encode())
        if Config.decode(Sealer(master).open(sealed)) != config:
            raise DamagedError("A new config did not open again; this computer may be faulty.")
        storage.create()
        storage.save(ObjectKind.KEY, hashlib.sha256(key_object).hexdigest(), key_object)
        storage.save(ObjectKind.CONFIG, CONFIG_NAME, sealed)
        return cls.open(storage, passphrase)

    @classmethod
    def open(cls, storage: Storage, passphrase: str) -> "Repository":
        """Open with a passphrase; PassphraseError, WeakKeyError or UnsupportedError if not."""
        return cls.of(open_key(storage, passphrase))

    @classmethod
    def of(cls, opening: Opening) -> "Repository":
        """The repository whose key was opened; UnsupportedError if it is too new for us."""
        config = Sealer(opening.master).open(opening.config)
        return cls(opening.storage, opening.master, Config.decode(config))

    @property
    def master(self) -> SealKey:
        """The key that everything is sealed with; for workers and keyed hashes."""
        return self._master

    def new_sealer(self) -> Sealer:
        """Another sealer with the master key, for another thread."""
        return Sealer(self._master)

    def load_text(self, kind: ObjectKind, name: str) -> bytes:
        """The JSON text of an index, snapshot or lock object; DamagedError if it is unsound.

        A damaged answer is asked for again: another copy may be sound. An object of which no
        copy can be read now is as good as damaged: whoever must have it stops, and a backup
        stores anew what it cannot learn.
        """
        for attempt in range(_READ_ATTEMPTS):
            try:
                sealed = self.storage.load(kind, name)
            except NoCopyError as error:
                raise DamagedError(str(error)) from error
            try:
                return self.open_text(kind, name, sealed)
            except DamagedError:
                if attempt == _READ_ATTEMPTS - 1:
                    raise
        raise DamagedError(f"{kind.value}/{name} could not be read.")

    def open_text(self, kind: ObjectKind, name: str, sealed: bytes) -> bytes:
        """The JSON text of an object's bytes; DamagedError if they are unsound."""
        if hashlib.sha256(sealed).hexdigest() != name:
            raise DamagedError(f"{kind.value}/{name} has other bytes than its name says.")
        return self._unpack(kind, self.sealer.open(sealed))

    def _unpack(self, kind: ObjectKind, plain: bytes) -> bytes:
        if plain[:1] in (b"{", b"["):
            return plain
        if plain[:1] != _COMPRESSED or not self.config.compresses:
            raise DamagedError(f"An object of {kind.value}/ has an unknown encoding.")
        return decompress(memoryview(plain)[1:], limit=_MAX_TEXT.get(kind, 1 << 20))

    def save_text(self, kind: ObjectKind, text: bytes, *, sealer: Sealer | None = None) -> str:
        """Store a JSON text and return its name."""
        name, sealed = self.seal_text(text, sealer=sealer)
        self.storage.save(kind, name, sealed)
        return name

    def seal_text(self, text: bytes, *, sealer: Sealer | None = None) -> tuple[str, bytes]:
        """A JSON text as it is stored: its name, and its bytes."""
        if self.config.compresses:
            text = _COMPRESSED + zstandard.ZstdCompressor(level=3).compress(text)
        sealed = (sealer or self.sealer).seal(text)
        return hashlib.sha256(sealed).hexdigest(), sealed

    def load_snapshots(self) -> "Snapshots":
        """Every snapshot, oldest first, and those that are too damaged to be read."""
        sound, damaged = [], []
        for listing in self.storage.list(ObjectKind.SNAPSHOT):
            try:
                text = self.load_text(ObjectKind.SNAPSHOT, listing.name)
                sound.append(Snapshot.decode(text, snapshot_id=listing.name))
            except ObjectNotFoundError:
                continue  # removed since it was listed
            except DamagedError:
                damaged.append(listing.name)
        return Snapshots(sorted(sound, key=lambda s: s.time), damaged)

    def load_index(self) -> list[str]:
        """Read all index files anew; returns the names of those too damaged to be read.

        A damaged one is left out: what it lists is stored again, or missed at restore.
        """
        index, damaged = Index(), []
        for name, contents in self.index_files():
            if contents is None:
                damaged.append(name)
            for content in contents or ():
                index.add(content)
        self.index = index
        if isinstance(self.storage, Service):
            self.storage.will_read([pack.hex() for pack in index.packs])
        return damaged

    def index_files(self) -> Iterator[tuple[str, list[PackContent] | None]]:
        """Each index file's name and what it lists, or None if it is too damaged to be read."""
        for listing in self.storage.list(ObjectKind.INDEX):
            try:
                text = self.load_text(ObjectKind.INDEX, listing.name)
                yield listing.name, decode_index(text)
            except ObjectNotFoundError:
                continue
            except DamagedError:
                yield listing.name, None


class Snapshots(NamedTuple):
    """What `Repository.load_snapshots` found."""

    sound: list[Snapshot]
    damaged: list[str]
