"""A local journal of every pack about to be sent, from which a killed backup is resumed.

If a backup is killed, packs may have arrived that no index file lists yet. The next backup
reads the dead one's journal, asks which of its packs are there, and lists them in the index,
so they need not be sent again. Records are sealed with the vault's key; a journal may be
deleted at any time, and then those packs are sent again.
"""

import contextlib
import os
import secrets
import struct
from collections.abc import Iterator
from typing import Any

from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError
from nightsafe.fs.file_locks import lock_abandoned, lock_file
from nightsafe.fs.files import NEW, TO_CHANGE
from nightsafe.repofile.pack import PackContent, decode_entries
from nightsafe.workers.process import handed_on

_SUFFIX = ".journal"
_LENGTH = struct.Struct("<I")
_MAX_RECORD = 64 << 20
_ID_SIZE = 32


class Journal:
    """The journal of a running backup; all its processes append to the one file."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd
        self._is_unwanted = False

    @classmethod
    def begin(cls, folder: str) -> "Journal":
        """A new one in `folder`; OSError if there can be none."""
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, secrets.token_hex(8) + _SUFFIX)
        fd = os.open(path, TO_CHANGE | NEW | os.O_APPEND, 0o600)
        journal = cls(path, fd)
        try:
            # Held until the last of the processes that share it is dead.
            lock_file(fd, wait=True)
        except OSError:
            journal.remove()
            journal.close()
            raise
        return journal

    def __reduce__(self) -> tuple[object, ...]:
        """For a process that is being started anew, and is given the open file with it."""
        return _handed_over, (self._path, handed_on(self._fd))

    def note(self, pack_id: bytes, header: bytes, sealer: Sealer) -> None:
        """Write down a pack that is about to be sent. What cannot be noted is sent all the same."""
        record = sealer.seal(pack_id + header)
        with contextlib.suppress(OSError):
            os.write(self._fd, _LENGTH.pack(len(record)) + record)

    def remove(self) -> None:
        """Everything noted stands in an index file now."""
        self._is_unwanted = not _removed(self._path)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
        if self._is_unwanted:
            _removed(self._path)


def _removed(path: str) -> bool:
    """Remove a journal. Windows does not while it is open: then once more when it is closed."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _handed_over(path: str, file: Any) -> Journal:
    return Journal(path, file.detach())


class DeadJournal:
    """A journal whose backup is dead; nobody else can take it up while we have it."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd

    def packs(self, sealer: Sealer) -> Iterator[PackContent]:
        """The packs that were about to be sent; a torn or foreign end of the file is left out."""
        with open(self._fd, "rb", closefd=False) as file:
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                (length,) = _LENGTH.unpack(head)
                record = file.read(min(length, _MAX_RECORD))
                try:
                    noted = sealer.open(record)
                    yield PackContent(noted[:_ID_SIZE], tuple(decode_entries(noted[_ID_SIZE:])))
                except DamagedError:
                    return

    def remove(self) -> None:
        """Its packs are in the index, or did not arrive."""
        is_gone = _removed(self._path)
        self.close()
        if not is_gone:
            _removed(self._path)

    def close(self) -> None:
        """Leave it to a later backup."""
        os.close(self._fd)


def dead_journals(folder: str) -> Iterator[DeadJournal]:
    """The journals in `folder` that no living backup holds."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(_SUFFIX) and (fd := lock_abandoned(path)) is not None:
            yield DeadJournal(path, fd)
