"""A directory opened as a file descriptor, to which all operations are relative."""

import errno
import os
import shutil
import stat
from typing import Any

from nightsafe.fs.files import FOLDER, NEW, NO_FOLLOW, TO_CHANGE, TO_READ, TO_WRITE, names_in
from nightsafe.repofile.tree import Node
from nightsafe.target.directory import Directory
from nightsafe.target.metadata import (
    Attributes,
    has_default_acl,
    restore_at,
    restore_named,
    restrict,
    update_at,
)


class FdDirectory:
    """See `directory.Directory`."""

    keeps_files_open = True

    def __init__(self, fd: int) -> None:
        self.handle = fd
        self._hands_down: bool | None = None

    @classmethod
    def at(cls, path: bytes) -> "FdDirectory":
        """Open the folder at a path given by the user, following links."""
        return cls(os.open(path, FOLDER))

    def identity(self) -> tuple[int, int]:
        status = os.fstat(self.handle)
        return status.st_dev, status.st_ino

    def duplicate(self) -> "FdDirectory":
        return FdDirectory(os.dup(self.handle))

    def close(self) -> None:
        os.close(self.handle)

    def names(self) -> list[bytes]:
        return names_in(self.handle)

    def status(self, name: bytes) -> os.stat_result:
        return os.stat(name, dir_fd=self.handle, follow_symlinks=False)

    def enter(self, name: bytes) -> "FdDirectory":
        return FdDirectory(os.open(name, FOLDER | NO_FOLLOW, dir_fd=self.handle))

    def above(self) -> "FdDirectory":
        return self.enter(b"..")

    def make_folder(self, name: bytes) -> None:
        os.mkdir(name, 0o700, dir_fd=self.handle)

    def new_file(self, name: bytes) -> int:
        return os.open(name, TO_WRITE | NEW, 0o600, dir_fd=self.handle)

    def open_file(self, name: bytes, flags: int) -> int:
        return os.open(name, flags, dir_fd=self.handle)

    def restrict(self, attributes: Node | Attributes) -> None:
        restrict(self.handle, attributes)

    def has_default_acl(self) -> bool:
        if self._hands_down is None:
            self._hands_down = has_default_acl(self.handle)
        return self._hands_down

    def complete(self, fd: int, name: bytes, attributes: Node | Attributes | None) -> list[str]:
        try:
            return restore_at(fd, attributes) if attributes else []
        finally:
            os.close(fd)

    def set_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        return self.complete(self.open_file(name, TO_CHANGE), name, attributes)

    def update_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        fd = os.open(name, TO_READ, dir_fd=self.handle)
        try:
            return update_at(fd, attributes)
        finally:
            os.close(fd)

    def set_special_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        return restore_named(name, attributes, dir_fd=self.handle)

    def set_own_attributes(
        self, attributes: Node | Attributes, *, is_new: bool = False
    ) -> list[str]:
        return restore_at(self.handle, attributes) if is_new else update_at(self.handle, attributes)

    def make_link(self, target: bytes, name: bytes) -> None:
        os.symlink(target, name, dir_fd=self.handle)

    def read_link(self, name: bytes) -> bytes:
        return os.readlink(name, dir_fd=self.handle)

    def make_special(self, name: bytes, mode: int, device: int) -> None:
        try:
            if stat.S_ISFIFO(mode):
                os.mkfifo(name, stat.S_IMODE(mode), dir_fd=self.handle)
            else:
                os.mknod(name, mode, device, dir_fd=self.handle)
        except NotImplementedError:  # macOS before 13 has no mkfifoat and mknodat
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from None

    def link(self, name: bytes, to: Directory, as_name: bytes) -> None:
        folders: Any = {"src_dir_fd": self.handle, "dst_dir_fd": to.handle}
        os.link(name, as_name, follow_symlinks=False, **folders)

    def rename(self, name: bytes, as_name: bytes, *, clears: bool = False) -> None:
        try:
            os.rename(name, as_name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        except IsADirectoryError:
            if clears:
                self.remove(as_name)
            else:
                os.rmdir(as_name, dir_fd=self.handle)
            os.rename(name, as_name, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def unlink(self, name: bytes) -> None:
        os.unlink(name, dir_fd=self.handle)

    def remove(self, name: bytes) -> None:
        if stat.S_ISDIR(self.status(name).st_mode):
            shutil.rmtree(name, dir_fd=self.handle)
        else:
            self.unlink(name)
