"""A local cache of a vault's immutable objects.

An object never changes, so a cached copy is valid as long as the vault lists the object. It is
cached as stored, sealed, under its name, which is the SHA-256 of its bytes; a file with other bytes
is never used. The whole cache may be deleted at any time.
"""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from nightsafe.backend.base import ObjectKind, is_name
from nightsafe.fs.files import NEW, TO_READ, TO_WRITE

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_ABANDONED_SECONDS = 3600.0
_PIECE = 1 << 20


@dataclass
class ObjectCache:
    """The cached objects of one kind in `folder`; its failures never raise.

    `most` and `largest` limit the total and each object, in bytes. Anything beyond is not cached.
    """

    kind: ObjectKind
    folder: str
    most: int
    largest: int
    _suffix: str = field(default_factory=lambda: secrets.token_hex(6))
    _names: set[str] | None = None
    _size: int = -1

    @classmethod
    def below(cls, folder: str, kind: ObjectKind) -> "ObjectCache":
        """Return the cache for a kind in a vault's cache folder."""
        most, largest = _BOUNDS[kind]
        return cls(kind, os.path.join(folder, kind.value), most, largest)

    @property
    def names(self) -> frozenset[str]:
        """The names of the cached objects."""
        return frozenset(self._listed())

    def get(self, name: str) -> bytes | None:
        """Return an object's bytes; None if they are not cached or no longer match its name."""
        if name not in self._listed():
            return None
        data = self._read(name)
        if hashlib.sha256(data).hexdigest() == name:
            return data
        self.drop([name])
        return None

    def put(self, name: str, data: bytes) -> None:
        """Cache an object if its bytes match its name and the limits permit."""
        names = self._listed()
        if self._size < 0:
            self._size = self._measure()
        if name in names or len(data) > self.largest or self._size + len(data) > self.most:
            return
        if not is_name(self.kind, name) or hashlib.sha256(data).hexdigest() != name:
            return
        with contextlib.suppress(OSError):
            self._write(name, data)
            names.add(name)
            self._size += len(data)

    def drop(self, names: Iterable[str]) -> None:
        """Remove these objects from the cache."""
        for name in self._listed() & set(names):
            with contextlib.suppress(OSError):
                os.unlink(self._path(name))
            self._listed().discard(name)
        self._size = -1

    def _listed(self) -> set[str]:
        """Return the cached names; the folder is listed once."""
        if self._names is None:
            self._names = set()
            with contextlib.suppress(OSError):
                self._names = {one for one in os.listdir(self.folder) if is_name(self.kind, one)}
        return self._names

    def _measure(self) -> int:
        """Return the total size in bytes; also removes what a killed writer left behind."""
        size = 0
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for one in entries:
                status = one.stat(follow_symlinks=False)
                size += status.st_size
                is_foreign = not is_name(self.kind, one.name)
                if is_foreign and time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    os.unlink(one.path)
        return size

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _read(self, name: str) -> bytes:
        """Return a file's bytes; empty if it cannot be read."""
        parts = []
        with contextlib.suppress(OSError):
            fd = os.open(self._path(name), TO_READ)
            try:
                left = self.largest
                while left > 0 and (part := os.read(fd, min(left, _PIECE))):
                    parts.append(part)
                    left -= len(part)
            finally:
                os.close(fd)
        return b"".join(parts)

    def _write(self, name: str, data: bytes) -> None:
        if not self._names:
            for folder in (os.path.dirname(self.folder), self.folder):
                os.makedirs(folder, mode=_PRIVATE_FOLDER, exist_ok=True)
        temporary = self._path(f"{name}.{self._suffix}")
        fd = os.open(temporary, TO_WRITE | NEW, _PRIVATE_FILE)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
            finally:
                os.close(fd)
            os.replace(temporary, self._path(name))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


_BOUNDS = {ObjectKind.SNAPSHOT: (256 << 20, 1 << 20), ObjectKind.INDEX: (1 << 30, 64 << 20)}
"""A snapshot takes under 1 KiB, an index file about 50 bytes for each blob."""
