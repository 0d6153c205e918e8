"""An opened repository: creates and opens it, loads its index and snapshots."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nightsafe.amounts import show_count
from nightsafe.backend.base import CONFIG_NAME, Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import (
    DamagedError,
    ObjectExistsError,
    ObjectNotFoundError,
    UsageError,
)
from nightsafe.repofile.config import Config
from nightsafe.repofile.index import Index, decode_index
from nightsafe.repofile.key import KdfParams, wrap
from nightsafe.repofile.pack import PackContent
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.object_loader import Text, cache_of, evict_removed, load_texts
from nightsafe.repository.sealed_objects import SealedObjects
from nightsafe.repository.unlock import UnlockedRepository, open_key


class Repository(SealedObjects):
    """A repository with its index and its snapshots."""

    def __init__(self, storage: Backend, master: SealKey, config: Config) -> None:
        super().__init__(storage, master, config)
        self.index = Index()

    @classmethod
    def create(
        cls, storage: Backend, passphrase: str, *, params: KdfParams | None = None
    ) -> "Repository":
        """Create a repository; UsageError if one exists already."""
        cls.require_none(storage)
        master, config = SealKey.random(), Config.new()
        key_object = wrap(master, passphrase, params)
        sealed = Sealer(master).seal(config.encode())
        if Config.decode(Sealer(master).open(sealed)) != config:
            raise DamagedError("A new config did not open again; this computer may be faulty.")
        name = hashlib.sha256(key_object).hexdigest()
        storage.create()
        storage.save(ObjectKind.KEY, name, key_object)
        try:
            storage.save(ObjectKind.CONFIG, CONFIG_NAME, sealed)
        except ObjectExistsError:
            raise UsageError(
                f"Somebody else has made a repository at {storage.location} at this moment. Its "
                "passphrase is theirs; yours was not taken."
            ) from None
        # Whoever begins at the same moment has keys removed that are left of a broken beginning.
        if all(listing.name != name for listing in storage.list(ObjectKind.KEY)):
            storage.save(ObjectKind.KEY, name, key_object)
        return cls.open(storage, passphrase)

    @staticmethod
    def require_none(storage: Backend) -> None:
        """Raise UsageError if there is a repository already.

        The whole config is asked for, since an answer without a body could not say why not.
        """
        with contextlib.suppress(ObjectNotFoundError):
            storage.load(ObjectKind.CONFIG, CONFIG_NAME)
            raise UsageError(
                f"There is a repository already at {storage.location}. Its passphrase is the one "
                "that it was made with: `nightsafe snapshots` shows what is in it, `nightsafe "
                "backup` adds to it."
            )

    @classmethod
    def open(cls, storage: Backend, passphrase: str) -> "Repository":
        """Open with a passphrase; PassphraseError, WeakKeyError or UnsupportedError if it fails."""
        return cls.of(open_key(storage, passphrase))

    @classmethod
    def of(cls, unlocked: UnlockedRepository) -> "Repository":
        """Make the repository for an opened key; UnsupportedError if its format is too new."""
        config = Sealer(unlocked.master).open(unlocked.config)
        return cls(unlocked.storage, unlocked.master, Config.decode(config))

    def load_snapshots(self, *, use_cache: bool = True) -> "Snapshots":
        """Load every snapshot, oldest first, and the names of damaged ones.

        With `use_cache`, objects read earlier on this computer are not fetched again.
        """
        listed = [listing.name for listing in self.storage.list(ObjectKind.SNAPSHOT)]
        found = self.read_snapshots(listed, use_cache=use_cache)
        if use_cache and (cache := cache_of(self, ObjectKind.SNAPSHOT)):
            evict_removed(self, found.listed, cache)
        return found

    def read_snapshots(self, listed: Sequence[str], *, use_cache: bool = True) -> "Snapshots":
        """Like `load_snapshots`, for names that were listed already."""
        cache = cache_of(self, ObjectKind.SNAPSHOT) if use_cache else None
        found = Snapshots.of(listed)
        for name, text in load_texts(self, ObjectKind.SNAPSHOT, found.listed, cache=cache):
            found.add(name, text)
        found.sound.sort(key=lambda s: (s.time, s.id))
        return found

    def load_index(
        self, *, use_cache: bool = True, on_pack: Callable[[PackContent], None] = lambda _: None
    ) -> list[str]:
        """Reload all index files; returns the names of those too damaged to read.

        What a damaged one lists is stored again by a backup and missing for a restore. `on_pack` is
        called with every pack; `use_cache` as for `load_snapshots`.
        """
        index, damaged = Index(), []
        for name, contents in self.index_files(use_cache=use_cache):
            if contents is None:
                damaged.append(name)
            for content in contents or ():
                index.add(content)
                on_pack(content)
        self.index = index
        self.storage.will_read([pack.hex() for pack in index.packs])
        return damaged

    def index_files(
        self, *, use_cache: bool = True
    ) -> Iterator[tuple[str, list[PackContent] | None]]:
        """Yield each index file's name and packs, or None if it is too damaged to read.

        In no particular order; `use_cache` as for `load_snapshots`.
        """
        cache = cache_of(self, ObjectKind.INDEX) if use_cache else None
        names = [listing.name for listing in self.storage.list(ObjectKind.INDEX)]
        for name, text in load_texts(self, ObjectKind.INDEX, dict.fromkeys(names), cache=cache):
            if isinstance(text, ObjectNotFoundError):
                continue  # removed since it was listed
            try:
                yield name, None if isinstance(text, DamagedError) else decode_index(text)
            except DamagedError:
                yield name, None
        if cache is not None:
            evict_removed(self, names, cache)


class Snapshots(NamedTuple):
    """The result of `Repository.load_snapshots`: good ones, and names of damaged ones.

    `listed` has all names, `vanished` those that were gone when requested. `is_repeated`: the
    listing had one twice, so it may lack another.
    """

    sound: list[Snapshot]
    damaged: list[str]
    listed: frozenset[str]
    vanished: list[str]
    is_repeated: bool

    @classmethod
    def of(cls, listed: Sequence[str]) -> "Snapshots":
        """Start with the listed names, none of them loaded."""
        return cls([], [], frozenset(listed), [], len(set(listed)) < len(listed))

    def add(self, name: str, text: Text) -> None:
        """Add a loaded snapshot, or what is wrong with it."""
        if isinstance(text, ObjectNotFoundError):
            self.vanished.append(name)
        elif isinstance(text, DamagedError):
            self.damaged.append(name)
        else:
            try:
                self.sound.append(Snapshot.decode(text, snapshot_id=name))
            except DamagedError:
                self.damaged.append(name)

    @property
    def doubt(self) -> str:
        """Why the list may be incomplete, empty if it is not. Nothing is removed in doubt."""
        if self.damaged:
            return (
                f"{show_count(len(self.damaged), 'snapshot')} cannot be read, such as "
                f"{self.damaged[0][:8]}"
            )
        if self.vanished:
            return f"snapshot {self.vanished[0][:8]} is listed, and is not there"
        return "the list of snapshots names one twice" if self.is_repeated else ""
