"""A directory addressed by its path, where descriptors cannot be, as on Windows.

Before each act every folder on the way from the target is looked at again: it must be a folder,
no link and no junction, and the same one as before. What a snapshot holds cannot lead outside.
Another program that has the right to write in the target, and swaps a folder between the look
and the act, can; where folders can be held open it cannot.
"""

import contextlib
import errno
import os
import stat

from nightsafe.fs.files import FOLDER_MODE, IS_WINDOWS, NEW, TO_WRITE, reach
from nightsafe.repofile.tree import Node
from nightsafe.target.directory import Directory, is_regular, mode_of, moved
from nightsafe.target.metadata import Attributes, narrow, restore_at, restore_link, settle

_Known = tuple[bytes, tuple[int, int]]


class NamedDirectory:
    """See `directory.Directory`. `way` are the folders from the target on, this one last."""

    handle = -1
    keeps_files_open = False

    def __init__(self, way: tuple[_Known, ...]) -> None:
        self._way = way

    @classmethod
    def at(cls, path: bytes) -> "NamedDirectory":
        """The folder at a path that the user gave; links on the way are followed."""
        path = reach(os.path.realpath(path))
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return cls(((path, _identity(status)),))

    def identity(self) -> tuple[int, int]:
        self._look()
        return self._way[-1][1]

    def hold(self) -> "NamedDirectory":
        return self

    def close(self) -> None:
        """Nothing is held open."""

    def names(self) -> list[bytes]:
        return os.listdir(self._look())

    def status(self, name: bytes) -> os.stat_result:
        return os.lstat(self._at(name))

    def enter(self, name: bytes) -> "NamedDirectory":
        path = self._at(name)
        status = os.lstat(path)
        if not stat.S_ISDIR(mode_of(status)):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return NamedDirectory((*self._way, (path, _identity(status))))

    def above(self) -> "NamedDirectory":
        self._look()
        return NamedDirectory(self._way[:-1])

    def make_folder(self, name: bytes) -> None:
        os.mkdir(self._at(name), FOLDER_MODE)

    def new_file(self, name: bytes) -> int:
        return os.open(self._at(name), TO_WRITE | NEW, 0o600)

    def open_file(self, name: bytes, flags: int) -> int:
        path = self._at(name)
        before = self._regular(path)
        fd = os.open(path, flags)
        if _identity(os.fstat(fd)) != _identity(before):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return fd

    def narrow(self, its: Node | Attributes) -> None:
        if not IS_WINDOWS:
            narrow(self._look(), its)

    def hands_down_rights(self) -> bool:
        return True  # for all that is known

    def complete(self, fd: int, name: bytes, its: Node | Attributes | None) -> list[str]:
        # Closing a file that was written to sets its time.
        os.close(fd)
        return self.set_of_file(name, its) if its else []

    def set_of_file(self, name: bytes, its: Node | Attributes) -> list[str]:
        path = self._at(name)
        self._regular(path)
        return restore_at(path, its)

    def set_of_kept(self, name: bytes, its: Node | Attributes) -> list[str]:
        path = self._at(name)
        self._regular(path)
        return settle(path, its)

    def set_of_other(self, name: bytes, its: Node | Attributes) -> list[str]:
        path = self._at(name)
        return restore_link(path, its) if its.type == "symlink" else restore_at(path, its)

    def set_own(self, its: Node | Attributes, *, is_new: bool = False) -> list[str]:
        return restore_at(self._look(), its) if is_new else settle(self._look(), its)

    def make_link(self, target: bytes, name: bytes) -> None:
        path = self._at(name)
        if not IS_WINDOWS:
            os.symlink(target, path)
            return
        # A link there says whether it leads to a folder.
        leads = os.path.join(os.path.dirname(path), target)
        os.symlink(target, path, target_is_directory=os.path.isdir(leads))

    def read_link(self, name: bytes) -> bytes:
        return os.readlink(self._at(name))

    def make_special(self, name: bytes, mode: int, device: int) -> None:
        if not hasattr(os, "mkfifo"):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        path = self._at(name)
        if stat.S_ISFIFO(mode):
            os.mkfifo(path, stat.S_IMODE(mode))
        else:
            os.mknod(path, mode, device)

    def link(self, name: bytes, to: Directory, as_name: bytes) -> None:
        if not isinstance(to, NamedDirectory):
            raise TypeError("to")
        path = self._at(name)
        self._regular(path)
        os.link(path, to._at(as_name))

    def rename(self, name: bytes, as_name: bytes, *, clears: bool = False) -> None:
        path, goal = self._at(name), self._at(as_name)
        try:
            os.replace(path, goal)
        except (PermissionError, IsADirectoryError):  # the first is Windows' word for folders too
            if stat.S_ISDIR(mode_of(os.lstat(goal))):
                self.remove(as_name) if clears else os.rmdir(goal)
            elif not _made_way(goal):
                raise
            os.replace(path, goal)

    def unlink(self, name: bytes) -> None:
        _unlink(self._at(name))

    def remove(self, name: bytes) -> None:
        todo, folders = [self._at(name)], []
        while todo:
            path = todo.pop()
            if not stat.S_ISDIR(mode_of(os.lstat(path))):
                _unlink(path)
                continue
            folders.append(path)
            todo += [os.path.join(path, inner) for inner in os.listdir(path)]
        for path in reversed(folders):
            os.rmdir(path)

    def _look(self) -> bytes:
        """The path of this folder, when every folder on the way is the one that it was."""
        for path, identity in self._way:
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                raise moved() from None
            if not stat.S_ISDIR(mode_of(status)) or _identity(status) != identity:
                raise moved()
        return self._way[-1][0]

    def _at(self, name: bytes) -> bytes:
        return os.path.join(self._look(), name)

    def _regular(self, path: bytes) -> os.stat_result:
        status = os.lstat(path)
        if not is_regular(status):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return status


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except PermissionError:
        if not _made_way(path):
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _made_way(path: bytes) -> bool:
    """Whether a read-only file or a link, which Windows would keep, does not stand there now."""
    if not IS_WINDOWS:
        return False
    mode = mode_of(os.lstat(path))
    if stat.S_ISLNK(mode):
        os.unlink(path)
    elif stat.S_ISREG(mode):
        os.chmod(path, stat.S_IREAD | stat.S_IWRITE)
    return not stat.S_ISDIR(mode)
