"""The contract of a storage backend, which keeps objects by kind and name.

An object is immutable and named by the SHA-256 of its own bytes in lower-case
hexadecimal; `config` alone has a fixed name. Implementations raise `StorageError`s only.

Whatever one kind of backend can do better than another is asked of the contract: nobody asks which
kind it is. What a backend says nothing of is as with the simplest server.
"""

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from nightsafe.errors import UsageError

CONFIG_NAME = "config"
CONNECTIONS = 8
"""How many requests at a time are made of a server at most."""
_NAME = re.compile(r"[0-9a-f]{64}")


class ObjectKind(enum.Enum):
    """The kinds of object; the value is the folder or URL segment they stand under."""

    CONFIG = "config"
    KEY = "keys"
    LOCK = "locks"
    INDEX = "index"
    SNAPSHOT = "snapshots"
    DATA = "data"

    @property
    def max_size(self) -> int:
        """The most bytes that are read of one object, so that no server can fill memory."""
        return _MAX_SIZES.get(self, 1 << 20)


_MAX_SIZES = {
    ObjectKind.INDEX: 512 << 20,
    ObjectKind.SNAPSHOT: 64 << 20,
    ObjectKind.DATA: 2 << 30,
}


class Listing(NamedTuple):
    """One listed object: its name, and its size in bytes."""

    name: str
    size: int


class BatchLimits(NamedTuple):
    """How much may be uploaded in one batch."""

    objects: int
    bytes: int


Named = tuple[str, bytes]
"""The name and the bytes of an object."""


class Backend(ABC):
    """What a repository needs of the place it is kept in."""

    # What everyone has

    @property
    @abstractmethod
    def location(self) -> str:
        """Where this is, for messages; never with a secret."""

    @abstractmethod
    def create(self) -> None:
        """Prepare an empty place; no error if it is prepared already."""

    @abstractmethod
    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        """Every object of a kind, in no particular order; foreign names are left out."""

    @abstractmethod
    def size(self, kind: ObjectKind, name: str) -> int:
        """The object's size in bytes; ObjectNotFoundError if there is none."""

    @abstractmethod
    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        """The object's bytes, or `length` of them from `offset`; fewer where it ends.

        ObjectNotFoundError if there is none.
        """

    @abstractmethod
    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        """Store an object durably. Saving the same bytes again is a success.

        ObjectExistsError when `config` stands there already with other bytes.
        """

    @abstractmethod
    def remove(self, kind: ObjectKind, name: str) -> None:
        """Remove an object; ObjectNotFoundError if there is none."""

    @abstractmethod
    def fresh(self) -> "Backend":
        """The same place with connections of its own, for another process or thread."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections and handles."""

    # How it is best used

    @property
    def list_is_atomic(self) -> bool:
        """Whether a list has everything that was saved before it began, whoever saved it."""
        return False

    @property
    def is_worth_caching(self) -> bool:
        """Whether what was read once should be kept on this computer."""
        return True

    @property
    def connections(self) -> int:
        """How many requests at a time make sense."""
        return CONNECTIONS

    @property
    def upload_threads(self) -> int:
        """How many threads of one process should save packs; a network is faster for two."""
        return 2

    @property
    def batching(self) -> "Batching | None":
        """Itself, if it takes packs in batches now; None where they are saved one by one."""
        return None

    def joined(self) -> "Backend":
        """The same place, with all that it offers beyond restic's protocol; itself if nothing."""
        return self

    def will_read(self, packs: Sequence[str]) -> None:
        """Hear which packs are read next, in about this order."""
        return

    # What it knows of a vault's history

    @property
    def epoch(self) -> int:
        """Changes when something known may be gone; -1 where nobody counts."""
        return -1

    @property
    def wanted(self) -> frozenset[str]:
        """Packs of which no good copy is left: what they held counts as unknown."""
        return frozenset()

    # How a backup begins and ends

    @property
    def tells_locks(self) -> bool:
        """Whether `begin` tells of the others' locks, so that they need not be listed."""
        return False

    def begin(self, lock: Named) -> Sequence[Named]:
        """Put a lock; return the locks of others, if it `tells_locks`, and else nothing."""
        name, sealed = lock
        self.save(ObjectKind.LOCK, name, sealed)
        return []

    def finish(self, snapshot: Named, *, unread: int, lock: str = "") -> bool:
        """Store a snapshot, which lacks what is at `unread` paths, after all that was saved before.

        Returns whether the lock of that name was removed with it. StaleIndexError where it speaks
        of what others have removed meanwhile.
        """
        name, sealed = snapshot
        self.save(ObjectKind.SNAPSHOT, name, sealed)
        return False


class Batching(Backend):
    """A backend to which packs go in batches, straight to the store behind it."""

    largest_snapshot: int
    """The most bytes that `conclude` takes of a snapshot."""

    @property
    @abstractmethod
    def batch_limits(self) -> BatchLimits:
        """How much goes into one batch."""

    @abstractmethod
    def uploads(
        self,
        objects: Sequence[tuple[ObjectKind, str, int]],
        *,
        commit: Sequence[str] = (),
        give_up: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Commit and give up transfers, and announce more; returns the verdicts on `commit` and
        on `objects` (kind, name, size)."""

    @abstractmethod
    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Send a file to a presigned address; whether that worked."""

    @abstractmethod
    def conclude(
        self, snapshot: Named, *, unread: int, lock: str = "", commit: Sequence[str] = ()
    ) -> tuple[list[dict[str, Any]], bool]:
        """Commit transfers, store a snapshot and remove a lock, in one request.

        Returns what became of the transfers, and whether it went to its end. StaleIndexError as
        for any snapshot.
        """

    @abstractmethod
    def fresh(self) -> "Batching":
        """See Backend."""


def is_name(kind: ObjectKind, name: str) -> bool:
    """Whether `name` is a valid name of an object of this kind."""
    return name == CONFIG_NAME if kind is ObjectKind.CONFIG else bool(_NAME.fullmatch(name))


def check_name(kind: ObjectKind, name: str) -> None:
    """UsageError unless the name is valid; keeps paths and URLs free of surprises."""
    if not is_name(kind, name):
        raise UsageError(f"{name[:80]!a} is not the name of an object.")
