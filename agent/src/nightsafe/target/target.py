"""The target folder of a restore, outside of which nothing is ever written.

All work is relative to one folder, one name at a time, and no symbolic link is ever followed:
not one that a hostile snapshot made, nor one that was there before.
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
    is_regular,
    moved,
    tells_case_apart,
    temporary_name,
)
from nightsafe.target.directory_by_fd import OpenDirectory
from nightsafe.target.directory_by_path import NamedDirectory
from nightsafe.target.place import Place

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FOLDERS_OPEN = 64
_BLOCK = bytes(32 << 10)
DIRECTORY_TYPE: type[OpenDirectory] | type[NamedDirectory]
DIRECTORY_TYPE = OpenDirectory if OPENS_FOLDERS else NamedDirectory


class Target:
    """A cursor in the target: it stands in one folder (`here`) and moves by single names.

    A cursor that only `looks` makes nothing; where there is no folder, `here` is None. One that
    `clears` replaces folders that are in the way of something else, with all that is below.
    """

    def __init__(self, path: bytes, *, looks: bool = False, clears: bool = False) -> None:
        self._looks = looks
        self._clears = clears
        self._above: list[tuple[int, int]] = []
        self._missing = 0
        self._held: Directory | None = None
        self.here: Directory | None = None
        try:
            if not looks:
                os.makedirs(path, mode=FOLDER_MODE, exist_ok=True)
            self.here = DIRECTORY_TYPE.at(path)
        except OSError as error:
            if not (looks and isinstance(error, FileNotFoundError)):
                shown = os.fsdecode(path)
                raise RestoreError(f"Cannot restore to {shown}: {error.strerror}.") from error

    def close(self) -> None:
        """Let go of the folder."""
        for folder in (self.here, self._held):
            if folder is not None:
                folder.close()
        self.here = self._held = None

    def fold(self) -> Fold:
        """What makes one of names that are one to the disk. Whoever only looks must guess."""
        folds = FOLDS_NAMES if self._looks or self.here is None else not tells_case_apart(self.here)
        return fold_name if folds else bytes

    def place(self, path: bytes) -> Place:
        """The folder where the cursor stands, which is `path` from the target on."""
        return Place(path, *(self.here.identity() if self.here is not None else (0, 0)))

    def names(self) -> set[bytes]:
        """What stands here, as far as it can be listed."""
        try:
            return set(self.here.names()) if self.here is not None else set()
        except OSError:
            return set()

    def status(self, name: bytes) -> os.stat_result | None:
        """What stands under a name here, if anything; a link is not followed."""
        if self.here is None:
            return None
        try:
            return self.here.status(name)
        except FileNotFoundError:
            return None

    def enter(self, name: bytes) -> bool:
        """Go into a folder and say whether it is new. OSError if something else is in the way."""
        here = self.here
        if here is None or (self._looks and self.status(name) is None):
            return self._pretend()
        is_new = False
        if not self._looks:
            with contextlib.suppress(FileExistsError):
                here.make_folder(name)
                is_new = True
        inner = here.enter(name)
        self._above.append(here.identity())
        here.close()
        self.here = inner
        return is_new

    def replace(self, name: bytes) -> bool:
        """Go into a new folder in place of something else, which is no folder and goes."""
        if self.here is not None and not self._looks:
            self.here.unlink(name)
            return self.enter(name)
        return self._pretend()

    def _pretend(self) -> bool:
        self._missing += 1
        if self._missing == 1:
            self._held, self.here = self.here, None
        return True

    def leave(self) -> None:
        """Go back up; RestoreError if the folder is not any more where it was."""
        if self._missing:
            self._missing -= 1
            if not self._missing:
                self.here, self._held = self._held, None
            return
        here = self._standing()
        outer = here.above()
        if outer.identity() != self._above.pop():
            outer.close()
            raise moved()
        here.close()
        self.here = outer

    @contextlib.contextmanager
    def new_entry(self, name: bytes) -> Iterator[tuple[Directory, bytes]]:
        """A temporary name to make a link or special file under, put in place at the end.

        If the block fails nothing is left behind, and what was there before is still there.
        """
        here, temporary = self._standing(), temporary_name()
        try:
            yield here, temporary
            here.rename(temporary, name, clears=self._clears)
        except BaseException:
            discard(temporary, here)
            raise

    def _standing(self) -> Directory:
        if self.here is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.here


class Folders:
    """Folders below the target by their paths; the last ones used are kept open.

    If it `clears`, folders that are in the way of something else go, with all that is below.
    """

    def __init__(self, root: bytes, *, clears: bool = False) -> None:
        self.clears = clears
        self._root: Directory = DIRECTORY_TYPE.at(root)
        self._open: OrderedDict[bytes, Directory] = OrderedDict()

    def close(self) -> None:
        """Let go of all folders."""
        for folder in (*self._open.values(), self._root):
            folder.close()
        self._open.clear()

    def open(self, place: Place) -> Directory:
        """The folder, which stays ours. RestoreError if it was moved."""
        folder = self._open.get(place.path)
        if folder is not None:
            self._open.move_to_end(place.path)
            return folder
        folder = self._reach(place.path) if place.path else self._root
        if folder.identity() != (place.device, place.inode):
            raise moved()
        return folder

    def _reach(self, path: bytes) -> Directory:
        known = path
        while known and known not in self._open:
            known = known.rpartition(b"/")[0]
        folder = self._open[known] if known else self._root
        for name in path[len(known) :].strip(b"/").split(b"/"):
            known = known + b"/" + name if known else name
            try:
                folder = folder.enter(name)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise moved() from error
            except OSError as error:
                raise (moved() if error.errno == errno.ELOOP else error) from error
            self._open[known] = folder
            if len(self._open) > _FOLDERS_OPEN:
                self._open.popitem(last=False)[1].close()
        return folder

    def link(
        self, first: Place, name: bytes, *, to: Place, as_name: bytes, identity: tuple[int, int]
    ) -> None:
        """Make another name of the file `name` in `first`.

        OSError if that is not there any more with the same `identity` (device, inode).
        """
        source = self.open(first).hold()
        try:
            status = source.status(name)
            if not is_regular(status) or (status.st_dev, status.st_ino) != identity:
                raise FileNotFoundError(errno.ENOENT, "the first name is gone")
            folder, temporary = self.open(to), temporary_name()
            source.link(name, folder, temporary)
            try:
                folder.rename(temporary, as_name, clears=self.clears)
            finally:
                # Renaming one name of a file onto another of the same file leaves both in place.
                discard(temporary, folder)
        finally:
            source.close()


def write_all(fd: int, data: bytes, position: int = 0) -> None:
    """Write at a position, leaving out what is zero; the caller sets the file's length."""
    view = memoryview(data)
    for start, end in solid_parts(data):
        part = view[start:end]
        while part:
            part = part[write_at(fd, part, position + end - len(part)) :]


def solid_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Where bytes other than zero lie, in blocks of 32 KiB."""
    start = 0
    for at in range(0, len(data), len(_BLOCK)):
        if data.startswith(_BLOCK[: len(data) - at], at):
            if start < at:
                yield start, at
            start = at + len(_BLOCK)
    if start < len(data):
        yield start, len(data)


def raise_if_full(error: OSError) -> None:
    """TargetFullError when the error says that the disk is full or the user's quota is used."""
    if error.errno in _FULL:
        raise TargetFullError(
            "The disk that is restored to is full. The files restored so far are complete; make "
            "room and run the same command again."
        ) from error
