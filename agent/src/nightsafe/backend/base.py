"""The contract of a storage backend, which keeps objects by kind and name.

An object is immutable and named by the SHA-256 of its own bytes in lower-case
hexadecimal; `config` alone has a fixed name. Implementations raise `StorageError`s only.
"""

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

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


class Backend(Protocol):
    """What a repository needs of the place it is kept in."""

    @property
    def location(self) -> str:
        """Where this is, for messages; never with a secret."""

    def create(self) -> None:
        """Prepare an empty place; no error if it is prepared already."""

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        """Every object of a kind, in no particular order; foreign names are left out."""

    def size(self, kind: ObjectKind, name: str) -> int:
        """The object's size in bytes; ObjectNotFoundError if there is none."""

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        """The object's bytes, or `length` of them from `offset`; fewer where it ends.

        ObjectNotFoundError if there is none.
        """

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        """Store an object durably. Saving the same bytes again is a success.

        ObjectExistsError when `config` stands there already with other bytes.
        """

    def remove(self, kind: ObjectKind, name: str) -> None:
        """Remove an object; ObjectNotFoundError if there is none."""

    def fresh(self) -> "Backend":
        """The same place with connections of its own, for another process or thread."""

    def close(self) -> None:
        """Give back connections and handles."""


def is_name(kind: ObjectKind, name: str) -> bool:
    """Whether `name` is a valid name of an object of this kind."""
    return name == CONFIG_NAME if kind is ObjectKind.CONFIG else bool(_NAME.fullmatch(name))


def check_name(kind: ObjectKind, name: str) -> None:
    """UsageError unless the name is valid; keeps paths and URLs free of surprises."""
    if not is_name(kind, name):
        raise UsageError(f"{name[:80]!a} is not the name of an object.")
