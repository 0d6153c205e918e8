"""Writes files of a region's directory so that each is there whole and durable, or not at all."""

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.stores.base import (
    CHUNK,
    KeyExistsError,
    RegionError,
    RegionFullError,
    RegionUnavailableError,
    Source,
)
from storage.stores.filesystem.publish_file import publish, sync_directory, sync_file

FOLDER = ".staging"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Staging:
    """The folder in which files of region `alias` are made before they get their names."""

    def __init__(self, alias: str, root: Path) -> None:
        self._alias = alias
        self._folder = root / FOLDER

    @contextmanager
    def file(self, body: Source, size: int) -> Iterator[Path]:
        """Stage a body of `size` bytes, durably, for the length of a `with` block.

        Raises RegionError if it has another size, or what `meaning` says.
        """
        staged = self._folder / uuid.uuid4().hex
        try:
            self.write(staged, body, size)
            yield staged
        finally:
            with suppress(OSError):
                staged.unlink()

    def publish(self, staged: Path, final: Path) -> None:
        """Give a staged file its name. Raises KeyExistsError if there is one already."""
        try:
            self._make_directories(final.parent)
            publish(staged, final)
            sync_directory(final.parent)
        except FileExistsError as error:
            raise KeyExistsError(str(final)) from error
        except OSError as error:
            raise self.meaning(error) from error

    def replace(self, staged: Path, final: Path) -> None:
        """Give a staged file its name, in place of another one."""
        try:
            self._make_directories(final.parent)
            staged.replace(final)
            sync_directory(final.parent)
        except OSError as error:
            raise self.meaning(error) from error

    def sweep(self, older_than: float) -> int:
        """Remove what was staged so many seconds ago; return how many files that were."""
        swept = 0
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime >= older_than:
                    path.unlink()
                    swept += 1
        return swept

    def meaning(self, error: OSError) -> RegionError:
        """Return what an error of the file system means for the region."""
        if error.errno in FULL:
            return RegionFullError(f"Region {self._alias} is full.")
        return RegionUnavailableError(f"Region {self._alias} cannot be used: {error.strerror}.")

    def write(self, staged: Path, body: Source, size: int) -> None:
        written = 0
        try:
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise self.meaning(error) from error
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            while piece := body.read(CHUNK):
                self.write_piece(file.fileno(), piece)
                written += len(piece)
            if written != size:
                raise RegionError(f"{written} bytes came where {size} were announced.")
            try:
                sync_file(file.fileno())
            except OSError as error:
                raise self.meaning(error) from error

    def write_piece(self, descriptor: int, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise self.meaning(error) from error

    def _make_directories(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_directories(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_directory(folder.parent)
