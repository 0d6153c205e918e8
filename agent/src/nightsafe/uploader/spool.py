"""On-disk spool between the packers and the service, so that packs are uploaded in large batches.

Packs and index files are put into a folder of this computer by whichever process made them; the
uploader in the main process announces up to a gibibyte of them at once, sends them to the store,
and has them committed with the next batch, or when the backup finishes. Names begin with a clock
that all processes share, so that an index file never overtakes the packs that it lists.

What a killed backup left is taken up by the next one: its packs are sent, and its index files are
dropped, since the journal knows better which packs there are.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.backend.base import ObjectKind
from nightsafe.errors import StorageError, revived
from nightsafe.fs.file_locks import lock_abandoned, lock_file
from nightsafe.fs.files import NEW, TO_CHANGE

LARGEST_BATCH = 1 << 30
LEAST_ROOM = 256 << 20
"""Of free space on the disk; with less, packs are sent as they are made."""
HEADROOM = 128 << 20
_POLL_SECONDS = 0.05
_PREFIX, _LOCK, _TROUBLE, _PART = "outbox-", "lock", "trouble", ".part"


class SpooledObject(NamedTuple):
    """An object that lies in the folder, in the order of its name."""

    path: str
    kind: ObjectKind
    name: str
    size: int


class Spool:
    """The folder. `batch` bytes go out at once; about twice as many fit in."""

    def __init__(self, folder: str, lock: int, batch: int) -> None:
        self.folder = folder
        self.batch = batch
        self._lock = lock
        self._is_cleared = False

    @classmethod
    def begin(cls, above: str, *, batch: int) -> "Spool | None":
        """A new one below `above`, with what dead backups left; None if there is no room."""
        try:
            os.makedirs(above, mode=0o700, exist_ok=True)
            room = shutil.disk_usage(above).free
            if room < LEAST_ROOM:
                return None
            folder = os.path.join(above, _PREFIX + secrets.token_hex(8))
            os.mkdir(folder, 0o700)
            lock = os.open(os.path.join(folder, _LOCK), TO_CHANGE | NEW, 0o600)
            lock_file(lock, wait=True)
            spool = cls(folder, lock, min(batch, LARGEST_BATCH, room // 4))
            spool._inherit(above)
        except OSError:
            return None
        return spool

    def put(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        """Keep an object; waits for room. OSError if that cannot be, StorageError if sending
        has failed."""
        while (
            kind is ObjectKind.DATA
            and self._spooled_bytes() + len(data) > 2 * self.batch + HEADROOM
        ):
            self.raise_trouble()
            time.sleep(_POLL_SECONDS)
        self.raise_trouble()
        part = os.path.join(self.folder, secrets.token_hex(8) + _PART)
        fd = os.open(part, TO_CHANGE | NEW, 0o600)
        try:
            with open(fd, "wb", buffering=0) as file:
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
            place = f"{time.monotonic_ns():020d}.{kind.value}.{name}"
            os.rename(part, os.path.join(self.folder, place))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise

    def items(self) -> list[SpooledObject]:
        """What lies here, the oldest first."""
        found: list[SpooledObject] = []
        if not os.path.isdir(self.folder):
            return found
        with os.scandir(self.folder) as entries:
            for entry in entries:
                parts = entry.name.split(".")
                if len(parts) == 3:
                    size = entry.stat(follow_symlinks=False).st_size
                    found.append(SpooledObject(entry.path, ObjectKind(parts[1]), parts[2], size))
        return sorted(found)

    def note_trouble(self, error: BaseException) -> None:
        """Let every process that puts something in hear of an error."""
        with contextlib.suppress(OSError):
            path = os.path.join(self.folder, _TROUBLE)
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"{type(error).__name__}\n{error}")

    def raise_trouble(self) -> None:
        """Raise the error that ended the sending, if one did."""
        try:
            with open(os.path.join(self.folder, _TROUBLE), encoding="utf-8") as file:
                name, _, text = file.read().partition("\n")
        except FileNotFoundError:
            return
        except OSError:
            name, text = "", "What was made for sending cannot be read."
        raise revived(name, text, otherwise=StorageError(text))

    def clear(self) -> None:
        """Remove the folder with all that is in it; called when everything has arrived."""
        self._is_cleared = True
        _remove(self.folder)

    def leave(self) -> None:
        """Let go of the folder, if it is still there for the next backup."""
        os.close(self._lock)
        if self._is_cleared:
            _remove(self.folder)  # Windows keeps what is open

    def _spooled_bytes(self) -> int:
        with os.scandir(self.folder) as entries:
            total = 0
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
            return total

    def _inherit(self, above: str) -> None:
        """Take over the packs of dead backups."""
        for folder, lock in _dead(above, but=self.folder):
            dead = Spool(folder, lock, 0)
            for item in dead.items():
                if item.kind is ObjectKind.DATA:
                    place = f"{0:020d}.{item.kind.value}.{item.name}"
                    os.replace(item.path, os.path.join(self.folder, place))
            dead.clear()
            dead.leave()


def _dead(above: str, *, but: str) -> Iterator[tuple[str, int]]:
    """The folders that no living backup holds, each locked for us."""
    for name in sorted(os.listdir(above)):
        folder = os.path.join(above, name)
        if not name.startswith(_PREFIX) or folder == but:
            continue
        if (fd := lock_abandoned(os.path.join(folder, _LOCK))) is not None:
            yield folder, fd


def _remove(folder: str) -> None:
    """Remove a folder of ours; the lock last, so that nobody takes half of it up."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder), key=lambda name: name == _LOCK):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
