"""A local cache of a vault's immutable objects.

An object never changes, so what was kept is right for as long as the vault lists it. It is kept as
it is stored, sealed, under its name, which is the SHA-256 of its bytes: whatever became of a file
meanwhile, nothing else is taken for the object. All of it may be deleted at any time.
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
    """What is kept in `folder` of objects of one kind; its faults are never errors.

    `most` and `largest` bound it, in bytes, all together and each. What is beyond is not kept.
    """

    kind: ObjectKind
    folder: str
    most: int
    largest: int
    _suffix: str = field(default_factory=lambda: secrets.token_hex(6))
    _names: set[str] | None = None
    _held: int = -1

    @classmethod
    def below(cls, folder: str, kind: ObjectKind) -> "ObjectCache":
        """The one of a kind in the folder of a vault's caches."""
        most, largest = _BOUNDS[kind]
        return cls(kind, os.path.join(folder, kind.value), most, largest)

    @property
    def names(self) -> frozenset[str]:
        """The objects that are kept."""
        return frozenset(self._listed())

    def get(self, name: str) -> bytes | None:
        """The bytes of an object; None if they are not kept, or are not what they were."""
        if name not in self._listed():
            return None
        data = self._read(name)
        if hashlib.sha256(data).hexdigest() == name:
            return data
        self.drop([name])
        return None

    def put(self, name: str, data: bytes) -> None:
        """Keep an object, if its name says so of its bytes and there is room for it."""
        names = self._listed()
        if self._held < 0:
            self._held = self._measure()
        if name in names or len(data) > self.largest or self._held + len(data) > self.most:
            return
        if not is_name(self.kind, name) or hashlib.sha256(data).hexdigest() != name:
            return
        with contextlib.suppress(OSError):
            self._write(name, data)
            names.add(name)
            self._held += len(data)

    def drop(self, names: Iterable[str]) -> None:
        """Keep these no longer."""
        for name in self._listed() & set(names):
            with contextlib.suppress(OSError):
                os.unlink(self._path(name))
            self._listed().discard(name)
        self._held = -1

    def _listed(self) -> set[str]:
        """What is kept; looked up once."""
        if self._names is None:
            self._names = set()
            with contextlib.suppress(OSError):
                self._names = {one for one in os.listdir(self.folder) if is_name(self.kind, one)}
        return self._names

    def _measure(self) -> int:
        """How many bytes there are; what a program left that was killed as it wrote is removed."""
        held = 0
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for one in entries:
                status = one.stat(follow_symlinks=False)
                held += status.st_size
                is_foreign = not is_name(self.kind, one.name)
                if is_foreign and time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    os.unlink(one.path)
        return held

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _read(self, name: str) -> bytes:
        """What the file holds, or nothing."""
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
