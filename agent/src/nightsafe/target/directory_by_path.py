"""A directory addressed by its path, where descriptors cannot be used, as on Windows.

Before each operation every folder on the path from the target is checked: it must be a folder, not
a link or junction, and the same one as before. So nothing in a snapshot can lead outside. Another
program with write access to the target could, by swapping a folder between the check and the
operation; that is prevented only where folders are kept open.
"""

import contextlib
import errno
import os
import stat

from nightsafe.fs.files import FOLDER_MODE, IS_WINDOWS, NEW, TO_WRITE, extended_path
from nightsafe.repofile.tree import Node
from nightsafe.target.directory import Directory, is_regular, mode_of, moved_error
from nightsafe.target.metadata import Attributes, restore_at, restore_link, restrict, update_at

_Checked = tuple[bytes, tuple[int, int]]


class PathDirectory:
    """See `directory.Directory`. `chain` are the folders from the target on, this one last."""

    handle = -1
    keeps_files_open = False

    def __init__(self, chain: tuple[_Checked, ...]) -> None:
        self._chain = chain

    @classmethod
    def at(cls, path: bytes) -> "PathDirectory":
        """Open the folder at a path given by the user, following links."""
        path = extended_path(os.path.realpath(path))
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return cls(((path, _identity(status)),))

    def identity(self) -> tuple[int, int]:
        self._verified_path()
        return self._chain[-1][1]

    def duplicate(self) -> "PathDirectory":
        return self

    def close(self) -> None:
        """Do nothing: no handle stays open."""

    def names(self) -> list[bytes]:
        return os.listdir(self._verified_path())

    def status(self, name: bytes) -> os.stat_result:
        return os.lstat(self._path_of(name))

    def enter(self, name: bytes) -> "PathDirectory":
        path = self._path_of(name)
        status = os.lstat(path)
        if not stat.S_ISDIR(mode_of(status)):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return PathDirectory((*self._chain, (path, _identity(status))))

    def above(self) -> "PathDirectory":
        self._verified_path()
        return PathDirectory(self._chain[:-1])

    def make_folder(self, name: bytes) -> None:
        os.mkdir(self._path_of(name), FOLDER_MODE)

    def new_file(self, name: bytes) -> int:
        return os.open(self._path_of(name), TO_WRITE | NEW, 0o600)

    def open_file(self, name: bytes, flags: int) -> int:
        path = self._path_of(name)
        before = self._regular(path)
        fd = os.open(path, flags)
        if _identity(os.fstat(fd)) != _identity(before):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return fd

    def restrict(self, attributes: Node | Attributes) -> None:
        if not IS_WINDOWS:
            restrict(self._verified_path(), attributes)

    def has_default_acl(self) -> bool:
        return True  # as it cannot be told

    def complete(self, fd: int, name: bytes, attributes: Node | Attributes | None) -> list[str]:
        # Closing a modified file sets its time.
        os.close(fd)
        return self.set_attributes(name, attributes) if attributes else []

    def set_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        path = self._path_of(name)
        self._regular(path)
        return restore_at(path, attributes)

    def update_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        path = self._path_of(name)
        self._regular(path)
        return update_at(path, attributes)

    def set_special_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        path = self._path_of(name)
        return (
            restore_link(path, attributes)
            if attributes.type == "symlink"
            else restore_at(path, attributes)
        )

    def set_own_attributes(
        self, attributes: Node | Attributes, *, is_new: bool = False
    ) -> list[str]:
        return (
            restore_at(self._verified_path(), attributes)
            if is_new
            else update_at(self._verified_path(), attributes)
        )

    def make_link(self, target: bytes, name: bytes) -> None:
        path = self._path_of(name)
        if not IS_WINDOWS:
            os.symlink(target, path)
            return
        # Windows links record whether they lead to a folder.
        leads = os.path.join(os.path.dirname(path), target)
        os.symlink(target, path, target_is_directory=os.path.isdir(leads))

    def read_link(self, name: bytes) -> bytes:
        return os.readlink(self._path_of(name))

    def make_special(self, name: bytes, mode: int, device: int) -> None:
        if not hasattr(os, "mkfifo"):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        path = self._path_of(name)
        if stat.S_ISFIFO(mode):
            os.mkfifo(path, stat.S_IMODE(mode))
        else:
            os.mknod(path, mode, device)

    def link(self, name: bytes, to: Directory, as_name: bytes) -> None:
        if not isinstance(to, PathDirectory):
            raise TypeError("to")
        path = self._path_of(name)
        self._regular(path)
        os.link(path, to._path_of(as_name))  # noqa: SLF001, of the same class

    def rename(self, name: bytes, as_name: bytes, *, clears: bool = False) -> None:
        path, goal = self._path_of(name), self._path_of(as_name)
        try:
            os.replace(path, goal)
        except (PermissionError, IsADirectoryError):  # Windows raises the first for folders too
            if stat.S_ISDIR(mode_of(os.lstat(goal))):
                self.remove(as_name) if clears else os.rmdir(goal)
            elif not _cleared(goal):
                raise
            os.replace(path, goal)

    def unlink(self, name: bytes) -> None:
        _unlink(self._path_of(name))

    def remove(self, name: bytes) -> None:
        todo, folders = [self._path_of(name)], []
        while todo:
            path = todo.pop()
            if not stat.S_ISDIR(mode_of(os.lstat(path))):
                _unlink(path)
                continue
            folders.append(path)
            todo += [os.path.join(path, inner) for inner in os.listdir(path)]
        for path in reversed(folders):
            os.rmdir(path)

    def _verified_path(self) -> bytes:
        """Return this folder's path after checking that no folder on it was moved."""
        for path, identity in self._chain:
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                raise moved_error() from None
            if not stat.S_ISDIR(mode_of(status)) or _identity(status) != identity:
                raise moved_error()
        return self._chain[-1][0]

    def _path_of(self, name: bytes) -> bytes:
        return os.path.join(self._verified_path(), name)

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
        if not _cleared(path):
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _cleared(path: bytes) -> bool:
    """Make a read-only file or a link removable on Windows; returns whether that was done."""
    if not IS_WINDOWS:
        return False
    mode = mode_of(os.lstat(path))
    if stat.S_ISLNK(mode):
        os.unlink(path)
    elif stat.S_ISREG(mode):
        os.chmod(path, stat.S_IREAD | stat.S_IWRITE)
    return not stat.S_ISDIR(mode)
