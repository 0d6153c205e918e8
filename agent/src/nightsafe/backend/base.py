"""The contract of a storage backend, which keeps objects by kind and name.

An object is immutable and named by the SHA-256 of its own bytes in lower-case hexadecimal; only
`config` has a fixed name. Implementations raise `StorageError`s only.

Every capability in which backends differ is part of the contract, so no caller asks which kind it
holds. The defaults here describe the simplest server.
"""

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from nightsafe.errors import UsageError

CONFIG_NAME = "config"
CONNECTIONS = 8
"""Maximum number of concurrent requests to a server."""
_NAME = re.compile(r"[0-9a-f]{64}")


class ObjectKind(enum.Enum):
    """The kinds of object; the value is the folder or URL segment that holds them."""

    CONFIG = "config"
    KEY = "keys"
    LOCK = "locks"
    INDEX = "index"
    SNAPSHOT = "snapshots"
    DATA = "data"

    @property
    def max_size(self) -> int:
        """Maximum number of bytes read of one object, so that no server can exhaust memory."""
        return _MAX_SIZES.get(self, 1 << 20)


_MAX_SIZES = {
    ObjectKind.INDEX: 512 << 20,
    ObjectKind.SNAPSHOT: 64 << 20,
    ObjectKind.DATA: 2 << 30,
}


class Listing(NamedTuple):
    """A listed object: its name and its size in bytes."""

    name: str
    size: int


class BatchLimits(NamedTuple):
    """The maximum size of one upload batch."""

    objects: int
    bytes: int


Named = tuple[str, bytes]
"""An object: its name and its bytes."""


class Backend(ABC):
    """Stores a repository's objects."""

    # Operations of every backend

    @property
    @abstractmethod
    def location(self) -> str:
        """The backend's address for messages, without any secret."""

    @abstractmethod
    def create(self) -> None:
        """Prepare empty storage; does nothing if that was done before."""

    @abstractmethod
    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        """Yield every object of a kind in no particular order, skipping foreign names."""

    @abstractmethod
    def size(self, kind: ObjectKind, name: str) -> int:
        """Return an object's size in bytes; ObjectNotFoundError if there is none."""

    @abstractmethod
    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        """Return an object's bytes, or `length` of them from `offset`; fewer at its end.

        ObjectNotFoundError if there is none.
        """

    @abstractmethod
    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        """Store an object durably. Saving the same bytes again succeeds.

        ObjectExistsError if a different `config` is stored already.
        """

    @abstractmethod
    def remove(self, kind: ObjectKind, name: str) -> None:
        """Remove an object; ObjectNotFoundError if there is none."""

    @abstractmethod
    def fresh(self) -> "Backend":
        """Return a copy with its own connections, for another process or thread."""

    @abstractmethod
    def close(self) -> None:
        """Close connections and handles."""

    # How to use it best

    @property
    def list_is_atomic(self) -> bool:
        """Whether a listing includes every object that any client saved before it began."""
        return False

    @property
    def is_worth_caching(self) -> bool:
        """Whether objects that were read should be cached on this computer."""
        return True

    @property
    def connections(self) -> int:
        """How many concurrent requests make sense."""
        return CONNECTIONS

    @property
    def upload_threads(self) -> int:
        """How many threads of a process should save packs; two suit a network."""
        return 2

    @property
    def batching(self) -> "Batching | None":
        """This backend if it accepts batches of packs now; None if packs are saved singly."""
        return None

    def upgraded(self) -> "Backend":
        """Return the same storage with its features beyond restic's protocol, if it has any."""
        return self

    def will_read(self, packs: Sequence[str]) -> None:
        """Announce which packs are read next, in about this order."""
        return

    # The vault's history

    @property
    def epoch(self) -> int:
        """A counter that rises when known objects may be gone; -1 if nobody counts."""
        return -1

    @property
    def lost_packs(self) -> frozenset[str]:
        """Packs without a good copy; their blobs count as missing."""
        return frozenset()

    # Begin and end of a backup

    @property
    def reports_locks(self) -> bool:
        """Whether `begin` returns the locks of others, so that none need be listed."""
        return False

    def begin(self, lock: Named) -> Sequence[Named]:
        """Store a lock; returns the locks of others if it `reports_locks`, else none."""
        name, sealed = lock
        self.save(ObjectKind.LOCK, name, sealed)
        return []

    def finish(self, snapshot: Named, *, unread: int, lock: str = "") -> bool:
        """Store a snapshot, which lacks `unread` paths, after everything saved before it.

        Returns whether the named lock was removed as well. StaleIndexError if the snapshot refers
        to data that others have removed meanwhile.
        """
        name, sealed = snapshot
        self.save(ObjectKind.SNAPSHOT, name, sealed)
        return False

    def report_failure(self, word: str) -> None:
        """Tell whoever keeps the storage that a backup failed; `word` is the control API's."""
        return


class Batching(Backend):
    """A backend that accepts packs in batches, sent straight to the store behind it."""

    largest_snapshot: int
    """Maximum size in bytes of a snapshot for `conclude`."""

    @property
    @abstractmethod
    def batch_limits(self) -> BatchLimits:
        """The maximum size of one batch."""

    @abstractmethod
    def uploads(
        self,
        objects: Sequence[tuple[ObjectKind, str, int]],
        *,
        commit: Sequence[str] = (),
        give_up: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Commit and abandon uploads, and announce new ones.

        Returns the results for `commit` and for `objects` (kind, name, size).
        """

    @abstractmethod
    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Upload a file to a presigned URL; returns whether that succeeded."""

    @abstractmethod
    def conclude(
        self, snapshot: Named, *, unread: int, lock: str = "", commit: Sequence[str] = ()
    ) -> tuple[list[dict[str, Any]], bool]:
        """Commit uploads, store a snapshot and remove a lock, in one request.

        Returns the results for `commit`, and whether the backup was finished. StaleIndexError as
        for any snapshot.
        """

    @abstractmethod
    def fresh(self) -> "Batching":
        """See Backend."""


def is_name(kind: ObjectKind, name: str) -> bool:
    """Whether `name` is a valid name of an object of this kind."""
    return name == CONFIG_NAME if kind is ObjectKind.CONFIG else bool(_NAME.fullmatch(name))


def check_name(kind: ObjectKind, name: str) -> None:
    """Raise UsageError unless the name is valid, so that no name can alter a path or URL."""
    if not is_name(kind, name):
        raise UsageError(f"{name[:80]!a} is not the name of an object.")
