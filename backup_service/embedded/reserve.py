"""Keeps room back on the data directory's disk, so that a full disk ends no restores.

Even a database that is only read wants a little room, and so do its locks, logs and the broker. The
file `reserve` holds it while there is plenty, and gives it up when the disk is full. It is less
than what regions leave free, so that what is given up goes to no upload.
"""

import contextlib
import os
import time
from pathlib import Path

from backup_service.embedded.errors import DataDirectoryError

NAME = "reserve"
SIZE = 32 << 20  # bytes
LEAST = 8 << 20  # bytes free below which the reserve is given up
PLENTY = SIZE + (96 << 20)  # bytes free from which it is made; regions leave 64 MiB free
INTERVAL = 5.0  # seconds between two checks
FULL = (
    "The disk of {folder} is full. Restores go on with the room that was kept back for them; "
    "uploads are refused until there is more room."
)
NO_ROOM = (
    "The disk of {folder} is full, and what was kept back for restores is used up. Free at least "
    f"{LEAST >> 20} MiB there, and start again: then it restores. To back up it needs more than "
    f"{PLENTY >> 20} MiB."
)


class Reserve:
    """The kept room of one data directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / NAME
        self._next_look = 0.0

    def open(self) -> None:
        """Make sure of some room for a start. Raises DataDirectoryError if there is none."""
        self._look()
        if self._free() < LEAST:
            raise DataDirectoryError(NO_ROOM.format(folder=self._folder))

    def mind(self) -> None:
        """Give the room up, or take it back, when it is time to check."""
        if time.monotonic() >= self._next_look:
            self._look()

    def _look(self) -> None:
        self._next_look = time.monotonic() + INTERVAL
        free, is_kept = self._free(), self._file.exists()
        if is_kept and free < LEAST:
            self._file.unlink()
            print(FULL.format(folder=self._folder), flush=True)
        elif not is_kept and free >= PLENTY:
            self._keep()

    def _keep(self) -> None:
        draft = self._file.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                if hasattr(os, "posix_fallocate"):  # not so on macOS
                    os.posix_fallocate(file.fileno(), 0, SIZE)
                else:
                    file.write(bytes(SIZE))
            draft.replace(self._file)
        except OSError:  # a quota, or somebody was quicker: it is tried again
            with contextlib.suppress(OSError):
                draft.unlink()

    def _free(self) -> int:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize
