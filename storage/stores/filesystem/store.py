"""A store in a directory. A marker file names the region, so that an empty mount point is not
mistaken for it.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.object_names import VAULT, StoreKey
from storage.stores.base import (
    Capacity,
    NoSuchKeyError,
    Reader,
    RegionError,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
    Source,
    UnreadableError,
)
from storage.stores.filesystem import staging
from storage.stores.filesystem.layout import key_of, path_of
from storage.stores.filesystem.notes import FileNotes
from storage.stores.filesystem.publish_file import sync_directory
from storage.stores.filesystem.staging import Staging

MARKER = ".nightsafe-region"
HEADROOM = 64 * 1024 * 1024  # bytes left free, so that the file system itself keeps working


class FilesystemStore(RegionStore):
    """A region's store in a directory. `instance` is what the marker must say."""

    def __init__(self, alias: str, root: Path, instance: str = "") -> None:
        self.alias = alias
        self.root = root
        self.instance = instance
        self._staging = Staging(alias, root)
        self._notes = FileNotes(root, self._staging)

    def prepare(self, instance: str) -> None:
        """See RegionStore. Only an absent or empty directory is taken."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not self._is_vacant():
                raise RegionUnavailableError(
                    f"Region {self.alias}: {self.root} is not empty. Give the region an empty "
                    "directory, or put back the one it had."
                )
            (self.root / staging.FOLDER).mkdir(mode=0o700, exist_ok=True)
            marker = self.root / MARKER
            marker.write_text(json.dumps({"region": self.alias, "instance": instance}) + "\n")
            sync_directory(marker)
            sync_directory(self.root)
        except OSError as error:
            raise self._staging.meaning(error) from error
        self.instance = instance

    def check(self) -> None:
        """See RegionStore."""
        try:
            marker = json.loads((self.root / MARKER).read_bytes())
            found = str(marker["instance"])
        except FileNotFoundError as error:
            raise RegionUnavailableError(
                f"Region {self.alias}: {self.root} is missing or not this region's directory. "
                "Is its drive mounted?"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RegionUnavailableError(
                f"Region {self.alias}: its marker file cannot be read: {error}"
            ) from error
        if found != self.instance:
            raise RegionUnavailableError(
                f"Region {self.alias}: {self.root} belongs to another region or an earlier one."
            )

    def put(self, key: StoreKey, body: Source, size: int) -> None:
        """See RegionStore."""
        self.check()
        if self.capacity().free < size + HEADROOM:
            raise RegionFullError(f"Region {self.alias} has no room for {size} bytes.")
        with self._staging.file(body, size) as staged:
            self._staging.publish(staged, path_of(self.root, key))

    def open(self, key: StoreKey, start: int = 0, length: int | None = None) -> Reader:
        """See RegionStore."""
        with self._asking_for(key):
            descriptor = os.open(path_of(self.root, key), os.O_RDONLY | os.O_CLOEXEC)
        return _FileReader(self, key, descriptor, start, length)

    def size(self, key: StoreKey) -> int:
        """See RegionStore."""
        with self._asking_for(key):
            return path_of(self.root, key).stat().st_size

    def delete(self, key: StoreKey) -> None:
        """See RegionStore."""
        self.check()
        path = path_of(self.root, key)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                sync_directory(path.parent)
        except OSError as error:
            raise self._staging.meaning(error) from error

    def delete_many(self, keys: Sequence[StoreKey]) -> list[StoreKey]:
        """See RegionStore. Every folder is synced once, however many of its files go."""
        if not self._answers():
            return []
        folders: dict[Path, list[StoreKey]] = {}
        for key in keys:
            folders.setdefault(path_of(self.root, key).parent, []).append(key)
        gone = {key for folder, some in folders.items() for key in self._empty(folder, some)}
        return [key for key in keys if key in gone]

    def _empty(self, folder: Path, keys: Sequence[StoreKey]) -> list[StoreKey]:
        """Remove keys that lie in one folder; return those that are gone for good."""
        gone = []
        for key in keys:
            with suppress(OSError):
                path_of(self.root, key).unlink(missing_ok=True)
                gone.append(key)
        try:
            if folder.exists():
                sync_directory(folder)
        except OSError:
            return []
        return gone

    def list_keys(
        self, vault: str | None = None, *, after: StoreKey | None = None
    ) -> Iterator[tuple[StoreKey, int]]:
        """See RegionStore. Files whose names are not keys are passed over."""
        self.check()
        # A file's path below the vault sorts as its key does, folder by folder.
        begin = path_of(self.root, after).relative_to(self.root).parts if after else ()
        for name in [vault] if vault is not None else self.list_vaults():
            yield from self._walk(name, begin)

    def _walk(self, vault: str, begin: tuple[str, ...]) -> Iterator[tuple[StoreKey, int]]:
        """List a vault in the order of paths, behind the path whose parts are `begin`."""
        top = self.root / vault
        for folder, folders, files in os.walk(top, onerror=self._require_listed):
            parts = Path(folder).relative_to(self.root).parts
            folders[:] = sorted(f for f in folders if (*parts, f) >= begin[: len(parts) + 1])
            for file in sorted(f for f in files if (*parts, f) > begin):
                path = Path(folder) / file
                key = key_of(self.root, path)
                if key is None:
                    continue
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue  # removed meanwhile
                except OSError as error:
                    raise self._staging.meaning(error) from error
                yield key, size

    def _require_listed(self, error: OSError) -> None:
        """Raise for a folder that cannot be listed; one that is not there is fine."""
        if not isinstance(error, FileNotFoundError):
            raise self._staging.meaning(error) from error
        self.check()

    def list_vaults(self) -> Iterator[str]:
        """See RegionStore."""
        self.check()
        try:
            with os.scandir(self.root) as entries:
                names = [entry.name for entry in entries if VAULT.fullmatch(entry.name)]
        except OSError as error:
            raise self._staging.meaning(error) from error
        yield from names

    def write_note(self, name: str, content: bytes, *, once: bool = False) -> None:
        """See RegionStore."""
        self.check()
        self._notes.write(name, content, once=once)

    def read_note(self, name: str) -> bytes | None:
        """See RegionStore."""
        self.check()
        return self._notes.read(name)

    def list_notes(self, word: str) -> list[str]:
        """See RegionStore."""
        self.check()
        return self._notes.names(word)

    def drop_notes(self) -> None:
        """See RegionStore."""
        self.check()
        self._notes.drop()

    def sweep_staging(self, older_than: float) -> int:
        """See RegionStore."""
        self.check()
        return self._staging.sweep(older_than)

    def capacity(self) -> Capacity:
        """See RegionStore."""
        try:
            room = os.statvfs(self.root)
        except OSError as error:
            raise self._staging.meaning(error) from error
        return Capacity(total=room.f_frsize * room.f_blocks, free=room.f_frsize * room.f_bavail)

    def _is_vacant(self) -> bool:
        """Whether nothing is here, or only what an interrupted `prepare` of this alias left."""
        names = {path.name for path in self.root.iterdir()}
        if MARKER in names:
            marker = json.loads((self.root / MARKER).read_bytes() or b"{}")
            if marker.get("region", self.alias) != self.alias:
                return False
        return names <= {MARKER, staging.FOLDER}

    @contextmanager
    def _asking_for(self, key: StoreKey) -> Iterator[None]:
        """Translate errors about a key's file into the store's errors."""
        try:
            yield
        except FileNotFoundError as error:
            self.check()
            raise NoSuchKeyError(str(key)) from error
        except OSError as error:
            raise self.unreadable(key, error) from error

    def unreadable(self, key: StoreKey, error: OSError) -> RegionError:
        return UnreadableError(f"Region {self.alias} cannot read {key}: {error.strerror}.")


class _FileReader(Reader):
    def __init__(
        self,
        store: FilesystemStore,
        key: StoreKey,
        descriptor: int,
        start: int,
        length: int | None,
    ) -> None:
        self._store = store
        self._key = key
        self._descriptor = descriptor
        self._offset = start
        self._left = length

    def read(self, size: int, /) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        try:
            piece = os.pread(self._descriptor, size, self._offset) if size else b""
        except OSError as error:
            raise self._store.unreadable(self._key, error) from error
        self._pass(len(piece))
        return piece

    def readinto(self, buffer: memoryview, /) -> int:
        if self._left is not None:
            buffer = buffer[: self._left]
        try:
            count = os.preadv(self._descriptor, [buffer], self._offset) if buffer else 0
        except OSError as error:
            raise self._store.unreadable(self._key, error) from error
        self._pass(count)
        return count

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _pass(self, count: int) -> None:
        self._offset += count
        if self._left is not None:
            self._left -= count
