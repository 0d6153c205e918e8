"""The contract of a region's store, which every kind of store is tested against.

A store holds bytes under keys that are written once and never used again. It knows nothing of
vaults' contents, quotas or rows. Implementations are safe to use from several threads.
"""

import base64
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from storage.object_names import StoreKey

CHUNK = 256 * 1024  # bytes read or written at a time
NOTES = ".catalogue"  # where a store keeps the service's own notes, apart from all vaults
NOTE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?")
LONGEST_NOTE = 4 * 1024 * 1024  # bytes


class RegionError(Exception):
    """Something a region could not do."""


class NoSuchKeyError(RegionError):
    """The region works, and has no bytes under this key."""


class KeyExistsError(RegionError):
    """There are bytes under this key already; they were left as they are."""


class RegionFullError(RegionError):
    """The region has no room for these bytes; none of them were kept."""


class RegionUnavailableError(RegionError):
    """The region cannot be used now: not there, not mounted, not writable, not answering."""


class UnreadableError(RegionError):
    """The bytes are there and could not be read: a failing drive."""


class OtherBytesError(RegionError):
    """The bytes under a key, or those that arrived for it, are not the ones that were meant."""


class NoDirectTransfersError(RegionError):
    """This region's store cannot be trusted to check what clients send to it."""


class Source(Protocol):
    """Where bytes come from. An exception from `read` abandons the write."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class Reader(ABC):
    """Bytes on their way out; a context manager that closes itself."""

    @abstractmethod
    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end.

        Raises UnreadableError, or RegionUnavailableError if the region went away meanwhile.
        """

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer` from its beginning; return how many bytes came, none at the end.

        Raises as `read`. Whoever reads a lot needs no new memory for every piece.
        """
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    @abstractmethod
    def close(self) -> None:
        """Let go of the store."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def chunks(self) -> Iterator[bytes]:
        """Return the rest, piece by piece."""
        while piece := self.read(CHUNK):
            yield piece


@dataclass(frozen=True)
class Capacity:
    """Room in a region, in bytes."""

    total: int
    free: int


@dataclass(frozen=True)
class PresignedRequest:
    """A request that a client may make to the store itself, for a short time.

    It must carry all of `headers` as they are, since they are signed.
    """

    method: str
    url: str
    headers: dict[str, str]


class Expected(NamedTuple):
    """What should be under a key: so many bytes, with this SHA-256 (64 hex digits)."""

    key: StoreKey
    size: int
    sha256: str

    @property
    def checksum(self) -> str:
        """The SHA-256 as stores write it."""
        return checksum_of(self.sha256)


def checksum_of(sha256: str) -> str:
    """Return a SHA-256 (64 hex digits) as stores write it, in base64."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


class RegionStore(ABC):
    """One region's store.

    `direct_transfers` is True only for stores that enforce length, checksum and write-once on
    presigned requests by themselves, as the contract suite proves it.
    """

    alias: str
    direct_transfers: bool = False

    @abstractmethod
    def prepare(self, instance: str) -> None:
        """Make an absent or empty store ready and write `instance` into it.

        Raises RegionUnavailableError if it cannot be, or holds something already.
        """

    @abstractmethod
    def check(self) -> None:
        """Raise RegionUnavailableError unless this is the store that rows speak of."""

    @abstractmethod
    def put(self, key: StoreKey, body: Source, size: int) -> None:
        """Store exactly `size` bytes of `body`; on return they are durable.

        The bytes have the hash that the key names, if it names one; `body` vouches for it, and
        a store that can checks it again.
        Raises KeyExistsError, RegionFullError, OtherBytesError, RegionUnavailableError, or what
        `body.read` raises; after an error nothing is left under the key by this call. Only
        after RegionUnavailableError may a remote store have kept the bytes all the same, since
        its answer was lost; so whoever gives a key up deletes it later.
        """

    @abstractmethod
    def open(self, key: StoreKey, start: int = 0, length: int | None = None) -> Reader:
        """Return a reader of `length` bytes from `start`, or of all that follow.

        Raises NoSuchKeyError, RegionUnavailableError.
        """

    def confirm(self, key: StoreKey, *, size: int, sha256: str) -> None:
        """Make sure that exactly these bytes are under a key.

        Raises OtherBytesError, NoSuchKeyError, UnreadableError, RegionUnavailableError.
        """
        digest, found = hashlib.sha256(), 0
        with self.open(key) as reader:
            for piece in reader.chunks():
                digest.update(piece)
                found += len(piece)
        if (found, digest.hexdigest()) != (size, sha256):
            raise OtherBytesError(
                f"Region {self.alias} has {found} other bytes under {key}; {size} were meant."
            )

    def surely_has(self, expected: Sequence[Expected]) -> list[bool]:
        """Tell of each, in order, whether its bytes are there, as far as a glance can say.

        Of the others `confirm` says what is amiss. Raises nothing.
        """
        return [False] * len(expected)

    @abstractmethod
    def size(self, key: StoreKey) -> int:
        """Return the number of bytes under a key. Raises as `open`."""

    @abstractmethod
    def delete(self, key: StoreKey) -> None:
        """Remove a key; one that is not there is fine. Raises RegionUnavailableError."""

    def delete_many(self, keys: Sequence[StoreKey]) -> list[StoreKey]:
        """Remove keys; return those that are surely gone, in their order.

        What could not be removed is left out of the answer and is there as it was, so nothing is
        raised for it.
        """
        gone = []
        for key in keys:
            try:
                self.delete(key)
            except RegionError:
                if not self._answers():
                    break
                continue
            gone.append(key)
        return gone

    @abstractmethod
    def list_keys(
        self, vault: str | None = None, *, after: StoreKey | None = None
    ) -> Iterator[tuple[StoreKey, int]]:
        """Return every key with its size, of one vault or of all.

        The keys of one vault come in the order of their texts, and with `after` those behind that
        key, so that a long walk can be gone on with. The vaults come in no order.
        Raises RegionUnavailableError, on the way too, if a part cannot be listed: what came until
        then is not all.
        """

    def list_vaults(self) -> Iterator[str]:
        """Return the identifiers under which there are keys, in no order. Raises as `list_keys`."""
        yield from {key.vault for key, _size in self.list_keys()}

    @abstractmethod
    def write_note(self, name: str, content: bytes, *, once: bool = False) -> None:
        """Keep something of the service's own beside the vaults; on return it is durable.

        It replaces what was there under this name, in one step; `once` raises KeyExistsError
        instead. A name is one or two words, with a slash between. Raises RegionUnavailableError,
        RegionFullError.
        """

    @abstractmethod
    def read_note(self, name: str) -> bytes | None:
        """Return a note; None if there is none. Raises RegionUnavailableError."""

    @abstractmethod
    def list_notes(self, word: str) -> list[str]:
        """Return the names of all notes whose first word is `word`, in order. Raises as above."""

    @abstractmethod
    def drop_notes(self) -> None:
        """Remove all notes, of a region that is given up. Raises as above."""

    @abstractmethod
    def sweep_staging(self, older_than: float) -> int:
        """Remove what interrupted writes left longer than `older_than` seconds ago; count it."""

    @abstractmethod
    def capacity(self) -> Capacity:
        """Return the room there is. Raises RegionUnavailableError."""

    def presign_put(
        self, key: StoreKey, *, size: int, sha256: str, seconds: int
    ) -> PresignedRequest:
        """Sign an upload of exactly these bytes (`sha256` in hex), valid for `seconds`.

        Raises NoDirectTransfersError.
        """
        raise self._no_direct_transfers()

    def presign_get(self, key: StoreKey, *, seconds: int) -> PresignedRequest:
        """Sign a download, whole or by range, valid for `seconds`. Raises as `presign_put`."""
        raise self._no_direct_transfers()

    def _answers(self) -> bool:
        """Return whether the region can be used at all."""
        try:
            self.check()
        except RegionError:
            return False
        return True

    def _no_direct_transfers(self) -> NoDirectTransfersError:
        return NoDirectTransfersError(
            f"Region {self.alias} takes and gives bytes through the gateway only."
        )


def require_note(name: str, content: bytes = b"") -> None:
    """Raise ValueError unless this may be a note's name and content."""
    if not NOTE.fullmatch(name) or len(content) > LONGEST_NOTE:
        raise ValueError(f"No note is called {name[:80]!r} and has {len(content)} bytes.")
