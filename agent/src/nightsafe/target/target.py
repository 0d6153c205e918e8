"""The target folder of a restore, outside of which nothing is ever written.

All operations are relative to one folder, one name at a time, and never follow a symbolic link,
whether a hostile snapshot made it or it existed before.
"""

import contextlib
import errno
import os
from collections import OrderedDict
from collections.abc import Iterator

from nightsafe.errors import RestoreError, TargetFullError
from nightsafe.fs.files import FOLDER_MODE, FOLDS_NAMES, OPENS_FOLDERS, write_at
from nightsafe.target.directory import (
    Directory,
    Fold,
    discard,
    fold_name,
    is_case_sensitive,
    is_regular,
    moved_error,
    temporary_name,
)
from nightsafe.target.directory_by_fd import FdDirectory
from nightsafe.target.directory_by_path import PathDirectory
from nightsafe.target.folder_ref import FolderRef

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FOLDERS_OPEN = 64
_BLOCK = bytes(32 << 10)
DIRECTORY_TYPE: type[FdDirectory] | type[PathDirectory]
DIRECTORY_TYPE = FdDirectory if OPENS_FOLDERS else PathDirectory


class Target:
    """A cursor in the target: it is in one folder (`here`) and moves by single names.

    A `read_only` one makes nothing; if there is no folder, `here` is None. One that `clears`
    replaces folders that are in the way, with everything below them.
    """

    def __init__(self, path: bytes, *, read_only: bool = False, clears: bool = False) -> None:
        self._read_only = read_only
        self._clears = clears
        self._above: list[tuple[int, int]] = []
        self._missing = 0
        self._last_existing: Directory | None = None
        self.here: Directory | None = None
        try:
            if not read_only:
                os.makedirs(path, mode=FOLDER_MODE, exist_ok=True)
            self.here = DIRECTORY_TYPE.at(path)
        except OSError as error:
            if not (read_only and isinstance(error, FileNotFoundError)):
                shown = os.fsdecode(path)
                raise RestoreError(f"Cannot restore to {shown}: {error.strerror}.") from error

    def close(self) -> None:
        """Close the folder."""
        for folder in (self.here, self._last_existing):
            if folder is not None:
                folder.close()
        self.here = self._last_existing = None

    def fold(self) -> Fold:
        """Return the function that maps equivalent names to one; a read-only target guesses."""
        folds = (
            FOLDS_NAMES
            if self._read_only or self.here is None
            else not is_case_sensitive(self.here)
        )
        return fold_name if folds else bytes

    def ref(self, path: bytes) -> FolderRef:
        """Return a reference to the current folder, which is `path` below the target."""
        return FolderRef(path, *(self.here.identity() if self.here is not None else (0, 0)))

    def names(self) -> set[bytes]:
        """Return the names in the current folder, as far as it can be listed."""
        try:
            return set(self.here.names()) if self.here is not None else set()
        except OSError:
            return set()

    def status(self, name: bytes) -> os.stat_result | None:
        """Return the status of an entry of the current folder, if any; links are not followed."""
        if self.here is None:
            return None
        try:
            return self.here.status(name)
        except FileNotFoundError:
            return None

    def enter(self, name: bytes) -> bool:
        """Enter a folder and return whether it is new. OSError if something else has the name."""
        here = self.here
        if here is None or (self._read_only and self.status(name) is None):
            return self._enter_missing()
        is_new = False
        if not self._read_only:
            with contextlib.suppress(FileExistsError):
                here.make_folder(name)
                is_new = True
        inner = here.enter(name)
        self._above.append(here.identity())
        here.close()
        self.here = inner
        return is_new

    def replace(self, name: bytes) -> bool:
        """Replace an entry that is not a folder by a new folder, and enter it."""
        if self.here is not None and not self._read_only:
            self.here.unlink(name)
            return self.enter(name)
        return self._enter_missing()

    def _enter_missing(self) -> bool:
        self._missing += 1
        if self._missing == 1:
            self._last_existing, self.here = self.here, None
        return True

    def leave(self) -> None:
        """Return to the parent folder; RestoreError if this folder was moved."""
        if self._missing:
            self._missing -= 1
            if not self._missing:
                self.here, self._last_existing = self._last_existing, None
            return
        here = self._current()
        outer = here.above()
        if outer.identity() != self._above.pop():
            outer.close()
            raise moved_error()
        here.close()
        self.here = outer

    @contextlib.contextmanager
    def new_entry(self, name: bytes) -> Iterator[tuple[Directory, bytes]]:
        """Yield a temporary name for a link or special file, which is renamed at the end.

        If the block fails, nothing is left behind and an existing entry is unchanged.
        """
        here, temporary = self._current(), temporary_name()
        try:
            yield here, temporary
            here.rename(temporary, name, clears=self._clears)
        except BaseException:
            discard(temporary, here)
            raise

    def _current(self) -> Directory:
        if self.here is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.here


class Folders:
    """Opens folders below the target by path; the last ones used stay open.

    If it `clears`, folders that are in the way are removed with everything below them.
    """

    def __init__(self, root: bytes, *, clears: bool = False) -> None:
        self.clears = clears
        self._root: Directory = DIRECTORY_TYPE.at(root)
        self._open: OrderedDict[bytes, Directory] = OrderedDict()

    def close(self) -> None:
        """Close all folders."""
        for folder in (*self._open.values(), self._root):
            folder.close()
        self._open.clear()

    def open(self, ref: FolderRef) -> Directory:
        """Open a folder, which this object continues to own. RestoreError if it was moved."""
        folder = self._open.get(ref.path)
        if folder is not None:
            self._open.move_to_end(ref.path)
            return folder
        folder = self._reach(ref.path) if ref.path else self._root
        if folder.identity() != (ref.device, ref.inode):
            raise moved_error()
        return folder

    def _reach(self, path: bytes) -> Directory:
        prefix = path
        while prefix and prefix not in self._open:
            prefix = prefix.rpartition(b"/")[0]
        folder = self._open[prefix] if prefix else self._root
        for name in path[len(prefix) :].strip(b"/").split(b"/"):
            prefix = prefix + b"/" + name if prefix else name
            try:
                folder = folder.enter(name)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise moved_error() from error
            except OSError as error:
                raise (moved_error() if error.errno == errno.ELOOP else error) from error
            self._open[prefix] = folder
            if len(self._open) > _FOLDERS_OPEN:
                self._open.popitem(last=False)[1].close()
        return folder

    def link(
        self,
        first: FolderRef,
        name: bytes,
        *,
        to: FolderRef,
        as_name: bytes,
        identity: tuple[int, int],
    ) -> None:
        """Make a hard link to the file `name` in `first`.

        OSError if it no longer has the same `identity` (device, inode).
        """
        source = self.open(first).duplicate()
        try:
            status = source.status(name)
            if not is_regular(status) or (status.st_dev, status.st_ino) != identity:
                raise FileNotFoundError(errno.ENOENT, "the first name is gone")
            folder, temporary = self.open(to), temporary_name()
            source.link(name, folder, temporary)
            try:
                folder.rename(temporary, as_name, clears=self.clears)
            finally:
                # Renaming a hard link onto another one of the same file leaves both in place.
                discard(temporary, folder)
        finally:
            source.close()


def write_all(fd: int, data: bytes, position: int = 0) -> None:
    """Write at an offset, leaving out zeros; the caller sets the file's length."""
    view = memoryview(data)
    for start, end in solid_parts(data):
        part = view[start:end]
        while part:
            part = part[write_at(fd, part, position + end - len(part)) :]


def solid_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges, in blocks of 32 KiB, that are not all zeros."""
    start = 0
    for at in range(0, len(data), len(_BLOCK)):
        if data.startswith(_BLOCK[: len(data) - at], at):
            if start < at:
                yield start, at
            start = at + len(_BLOCK)
    if start < len(data):
        yield start, len(data)


def raise_if_full(error: OSError) -> None:
    """Raise TargetFullError if an error means a full disk or an exhausted quota."""
    if error.errno in _FULL:
        raise TargetFullError(
            "The disk that is restored to is full. The files restored so far are complete; make "
            "room and run the same command again."
        ) from error
