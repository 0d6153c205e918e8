"""Stores a repository in a local folder, in stock restic's layout.

The file system may lack permissions and durable folders (exFAT, vfat, SMB): both are requested and
their absence is accepted.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from nightsafe.backend.base import Backend, Listing, ObjectKind, check_name, is_name
from nightsafe.errors import (
    AccessRefusedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
)
from nightsafe.fs.durability import sync_file, sync_folder
from nightsafe.fs.files import NEW, TO_WRITE, make_read_only, remove_file

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class LocalBackend(Backend):
    """Stores objects in the folder `root`; see `nightsafe.backend.base.Backend`."""

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)

    @property
    def location(self) -> str:
        return self._root

    @property
    def list_is_atomic(self) -> bool:
        return True

    @property
    def is_worth_caching(self) -> bool:
        return False

    @property
    def connections(self) -> int:
        return 1

    @property
    def upload_threads(self) -> int:
        return 1  # two threads do not make a disk faster

    def create(self) -> None:
        with _errors(self._root):
            folders = [kind.value for kind in ObjectKind if kind is not ObjectKind.CONFIG]
            folders += [f"data/{byte:02x}" for byte in range(256)]
            for folder in folders:
                os.makedirs(os.path.join(self._root, folder), mode=0o700, exist_ok=True)

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        folder = os.path.join(self._root, kind.value)
        with _errors(folder):
            return iter(list(self._listings(kind, folder)))

    def _listings(self, kind: ObjectKind, folder: str) -> Iterator[Listing]:
        if kind is ObjectKind.CONFIG:
            with contextlib.suppress(ObjectNotFoundError):
                yield Listing(kind.value, self.size(kind, kind.value))
            return
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if is_name(kind, entry.name):
                    # An object may be removed by others while we list.
                    with contextlib.suppress(FileNotFoundError):
                        yield Listing(entry.name, entry.stat().st_size)
                elif kind is ObjectKind.DATA and len(entry.name) == 2 and entry.is_dir():
                    yield from self._listings(kind, entry.path)

    def size(self, kind: ObjectKind, name: str) -> int:
        path = self._path(kind, name)
        with _errors(path):
            return os.stat(path).st_size

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        path = self._path(kind, name)
        limit = kind.max_size if length is None else length
        with _errors(path), open(path, "rb", buffering=0) as file:
            file.seek(offset)
            return _read(file.fileno(), limit)

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        path = self._path(kind, name)
        with _errors(path):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    if file.read() == data:
                        return
                if kind is ObjectKind.CONFIG:
                    raise ObjectExistsError(f"There is a repository already in {self._root}.")
                # A torn object from a crash of an older program; the name defines its content.
            _publish(path, data)

    def remove(self, kind: ObjectKind, name: str) -> None:
        path = self._path(kind, name)
        with _errors(path):
            remove_file(path)

    def fresh(self) -> "LocalBackend":
        return self

    def close(self) -> None:
        """Do nothing: no handle stays open between calls."""

    def _path(self, kind: ObjectKind, name: str) -> str:
        check_name(kind, name)
        if kind is ObjectKind.CONFIG:
            return os.path.join(self._root, name)
        middle = (kind.value, name[:2]) if kind is ObjectKind.DATA else (kind.value,)
        return os.path.join(self._root, *middle, name)


def _read(fd: int, limit: int) -> bytes:
    parts, size = [], 0
    while size < limit and (part := os.read(fd, min(limit - size, 16 << 20))):
        parts.append(part)
        size += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _publish(path: str, data: bytes | memoryview) -> None:
    """Write under a temporary name, sync, then rename: either all of it or nothing."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    temporary = f"{path}-tmp-{os.urandom(8).hex()}"
    try:
        fd = os.open(temporary, TO_WRITE | NEW, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            make_read_only(fd)
            sync_file(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


@contextlib.contextmanager
def _errors(path: str) -> Iterator[None]:
    """Translate the operating system's errors into those of the contract."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"{path} does not exist.") from error
    except OSError as error:
        reason = error.strerror or "unknown error"
        if error.errno in _FULL:
            raise StorageFullError(
                f"The disk that holds the repository is full ({path}); make room and run again."
            ) from error
        if error.errno in _FORBIDDEN:
            raise AccessRefusedError(f"No permission for {path}: {reason}.") from error
        raise StorageError(f"{path}: {reason}.") from error
