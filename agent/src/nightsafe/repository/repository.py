"""A repository: objects in a storage, opened with a passphrase."""

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
    ObjectNotFoundError,
    UsageError,
)
from nightsafe.repofile.config import Config
from nightsafe.repofile.index import Index, decode_index
from nightsafe.repofile.key import KdfParams, wrap
from nightsafe.repofile.pack import PackContent
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.object_loader import Text, cache_of, drop_gone, load_texts
from nightsafe.repository.sealed_objects import SealedObjects
from nightsafe.repository.unlock import Opening, open_key


class Repository(SealedObjects):
    """A repository with its index and its snapshots."""

    def __init__(self, storage: Backend, master: SealKey, config: Config) -> None:
        super().__init__(storage, master, config)
        self.index = Index()

    @classmethod
    def create(
        cls, storage: Backend, passphrase: str, *, params: KdfParams | None = None
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
    def open(cls, storage: Backend, passphrase: str) -> "Repository":
        """Open with a passphrase; PassphraseError, WeakKeyError or UnsupportedError if not."""
        return cls.of(open_key(storage, passphrase))

    @classmethod
    def of(cls, opening: Opening) -> "Repository":
        """The repository whose key was opened; UnsupportedError if it is too new for us."""
        config = Sealer(opening.master).open(opening.config)
        return cls(opening.storage, opening.master, Config.decode(config))

    def load_snapshots(self, *, kept: bool = True) -> "Snapshots":
        """Every snapshot, oldest first, and those that are too damaged to be read.

        With `kept` what this computer read before is not asked for again.
        """
        listed = [listing.name for listing in self.storage.list(ObjectKind.SNAPSHOT)]
        found = self.read_snapshots(listed, kept=kept)
        if kept and (cache := cache_of(self, ObjectKind.SNAPSHOT)):
            drop_gone(self, found.listed, cache)
        return found

    def read_snapshots(self, listed: Sequence[str], *, kept: bool = True) -> "Snapshots":
        """As `load_snapshots`, of those that were listed already."""
        cache = cache_of(self, ObjectKind.SNAPSHOT) if kept else None
        found = Snapshots.of(listed)
        for name, text in load_texts(self, ObjectKind.SNAPSHOT, found.listed, cache=cache):
            found.take(name, text)
        found.sound.sort(key=lambda s: (s.time, s.id))
        return found

    def load_index(
        self, *, kept: bool = True, each: Callable[[PackContent], None] = lambda _: None
    ) -> list[str]:
        """Read all index files anew; returns the names of those too damaged to be read.

        A damaged one is left out: what it lists is stored again, or missed at restore. `each` is
        told of every pack; `kept` as for `load_snapshots`.
        """
        index, damaged = Index(), []
        for name, contents in self.index_files(kept=kept):
            if contents is None:
                damaged.append(name)
            for content in contents or ():
                index.add(content)
                each(content)
        self.index = index
        self.storage.will_read([pack.hex() for pack in index.packs])
        return damaged

    def index_files(self, *, kept: bool = True) -> Iterator[tuple[str, list[PackContent] | None]]:
        """Each index file's name and what it lists, or None if it is too damaged to be read.

        In no particular order; `kept` as for `load_snapshots`.
        """
        cache = cache_of(self, ObjectKind.INDEX) if kept else None
        names = [listing.name for listing in self.storage.list(ObjectKind.INDEX)]
        for name, text in load_texts(self, ObjectKind.INDEX, dict.fromkeys(names), cache=cache):
            if isinstance(text, ObjectNotFoundError):
                continue  # removed since it was listed
            try:
                yield name, None if isinstance(text, DamagedError) else decode_index(text)
            except DamagedError:
                yield name, None
        if cache is not None:
            drop_gone(self, names, cache)


class Snapshots(NamedTuple):
    """What `Repository.load_snapshots` found: `sound` ones, and the names of `damaged` ones.

    `listed` are the names of all; `vanished` those that were not there any more when they were
    asked for. `is_repeated`: the list had one twice, so it may lack another.
    """

    sound: list[Snapshot]
    damaged: list[str]
    listed: frozenset[str]
    vanished: list[str]
    is_repeated: bool

    @classmethod
    def of(cls, listed: Sequence[str]) -> "Snapshots":
        """Nothing read yet of what is listed."""
        return cls([], [], frozenset(listed), [], len(set(listed)) < len(listed))

    def take(self, name: str, text: Text) -> None:
        """Add one that was loaded."""
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
        """Why these may not be all of them; empty if they are. Nothing is removed in doubt."""
        if self.damaged:
            return (
                f"{show_count(len(self.damaged), 'snapshot')} cannot be read, such as "
                f"{self.damaged[0][:8]}"
            )
        if self.vanished:
            return f"snapshot {self.vanished[0][:8]} is listed, and is not there"
        return "the list of snapshots names one twice" if self.is_repeated else ""
