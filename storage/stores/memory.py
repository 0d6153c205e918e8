"""A store in this process's memory, for tests: the full contract."""

import threading
from collections.abc import Iterator

from storage.object_names import StoreKey
from storage.stores.base import (
    CHUNK,
    Capacity,
    KeyExistsError,
    NoSuchKeyError,
    Reader,
    RegionError,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
    Source,
    require_note,
)


class MemoryStore(RegionStore):
    """Bytes in a dictionary, `room` of them at most."""

    def __init__(self, alias: str, instance: str = "", room: int = 1 << 30) -> None:
        self.alias = alias
        self.instance = instance
        self.room = room
        self.is_down = False
        self._prepared = ""
        self._bytes: dict[StoreKey, bytes] = {}
        self._notes: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def prepare(self, instance: str) -> None:
        """See RegionStore."""
        if self.is_down or self._bytes or self._notes or self._prepared:
            raise RegionUnavailableError(f"Region {self.alias} is not empty.")
        self.instance = self._prepared = instance

    def check(self) -> None:
        """See RegionStore."""
        if self.is_down or not self.instance or self._prepared != self.instance:
            raise RegionUnavailableError(f"Region {self.alias} is not there.")

    def put(self, key: StoreKey, body: Source, size: int) -> None:
        """See RegionStore."""
        self.check()
        if self.capacity().free < size:
            raise RegionFullError(f"Region {self.alias} has no room for {size} bytes.")
        pieces = []
        while piece := body.read(CHUNK):
            pieces.append(piece)
        whole = b"".join(pieces)
        if len(whole) != size:
            raise RegionError(f"{len(whole)} bytes came where {size} were announced.")
        self.check()
        with self._lock:
            if key in self._bytes:
                raise KeyExistsError(str(key))
            self._bytes[key] = whole

    def open(self, key: StoreKey, start: int = 0, length: int | None = None) -> Reader:
        """See RegionStore."""
        self.check()
        whole = self._get(key)
        return _MemoryReader(whole[start : None if length is None else start + length])

    def size(self, key: StoreKey) -> int:
        """See RegionStore."""
        self.check()
        return len(self._get(key))

    def delete(self, key: StoreKey) -> None:
        """See RegionStore."""
        self.check()
        with self._lock:
            self._bytes.pop(key, None)

    def list_keys(
        self, vault: str | None = None, *, after: StoreKey | None = None
    ) -> Iterator[tuple[StoreKey, int]]:
        """See RegionStore."""
        self.check()
        with self._lock:
            found = sorted((str(key), key, len(whole)) for key, whole in self._bytes.items())
        for text, key, size in found:
            if vault in (None, key.vault) and (after is None or text > str(after)):
                yield key, size

    def write_note(self, name: str, content: bytes, *, once: bool = False) -> None:
        """See RegionStore."""
        require_note(name, content)
        self.check()
        with self._lock:
            if once and name in self._notes:
                raise KeyExistsError(name)
            self._notes[name] = content

    def read_note(self, name: str) -> bytes | None:
        """See RegionStore."""
        require_note(name)
        self.check()
        return self._notes.get(name)

    def list_notes(self, word: str) -> list[str]:
        """See RegionStore."""
        self.check()
        with self._lock:
            return sorted(name for name in self._notes if name.startswith(f"{word}/"))

    def drop_notes(self) -> None:
        """See RegionStore."""
        self.check()
        with self._lock:
            self._notes.clear()

    def sweep_staging(self, older_than: float) -> int:
        """See RegionStore; a write that ends leaves nothing here."""
        self.check()
        return 0

    def capacity(self) -> Capacity:
        """See RegionStore."""
        self.check()
        with self._lock:
            used = sum(map(len, self._bytes.values()))
        return Capacity(total=self.room, free=self.room - used)

    def damage(self, key: StoreKey, whole: bytes) -> None:
        """Replace stored bytes without a trace, as a failing drive would."""
        with self._lock:
            self._bytes[key] = whole

    def _get(self, key: StoreKey) -> bytes:
        with self._lock:
            if key not in self._bytes:
                raise NoSuchKeyError(str(key))
            return self._bytes[key]


class _MemoryReader(Reader):
    def __init__(self, whole: bytes) -> None:
        self._view = memoryview(whole)

    def read(self, size: int, /) -> bytes:
        piece, self._view = bytes(self._view[:size]), self._view[size:]
        return piece

    def close(self) -> None:
        self._view = memoryview(b"")
