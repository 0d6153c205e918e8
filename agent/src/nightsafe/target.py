"""The folder a restore writes to, and the promise that nothing lands outside of it.

All work is relative to an open directory, one name at a time, and no symbolic link is ever
followed: not one that a hostile snapshot made, nor one that was there before.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections import OrderedDict
from collections.abc import Iterator

from nightsafe.errors import RestoreError, TargetFullError
from nightsafe.plan import Place

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FOLDERS_OPEN = 64
_BLOCK = bytes(32 << 10)
_NO_FOLDER = -1


def is_safe_name(name: bytes) -> bool:
    """Whether a name means an entry of its own folder and nothing else."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


class Target:
    """A cursor in the target: it stands in one folder (`fd`) and moves by single names.

    A cursor that only `looks` makes nothing; where there is no folder, `fd` is -1.
    """

    def __init__(self, path: bytes, *, looks: bool = False) -> None:
        self._looks = looks
        self._above: list[tuple[int, int]] = []
        self._missing = 0
        self.fd = _NO_FOLDER
        try:
            if not looks:
                os.makedirs(path, mode=0o700, exist_ok=True)
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            if not (looks and isinstance(error, FileNotFoundError)):
                shown = os.fsdecode(path)
                raise RestoreError(f"Cannot restore to {shown}: {error.strerror}.") from error

    def close(self) -> None:
        """Let go of the folder."""
        if self.fd != _NO_FOLDER:
            os.close(self.fd)
            self.fd = _NO_FOLDER

    def place(self, path: bytes) -> Place:
        """The folder where the cursor stands, which is `path` from the target on."""
        if self.fd == _NO_FOLDER:
            return Place(path, 0, 0)
        here = os.fstat(self.fd)
        return Place(path, here.st_dev, here.st_ino)

    def status(self, name: bytes) -> os.stat_result | None:
        """What stands under a name here, if anything; a link is not followed."""
        if self.fd == _NO_FOLDER:
            return None
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def enter(self, name: bytes) -> bool:
        """Go into a folder and say whether it is new. OSError if something else is in the way."""
        if self._looks and self.status(name) is None:
            self._missing += 1
            if self._missing == 1:
                self._held, self.fd = self.fd, _NO_FOLDER
            return True
        is_new = False
        if not self._looks:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.fd)
                is_new = True
        inner = os.open(name, _FOLDER, dir_fd=self.fd)
        here = os.fstat(self.fd)
        self._above.append((here.st_dev, here.st_ino))
        os.close(self.fd)
        self.fd = inner
        return is_new

    def leave(self) -> None:
        """Go back up; RestoreError if the folder is not any more where it was."""
        if self._missing:
            self._missing -= 1
            if not self._missing:
                self.fd = self._held
            return
        outer = os.open(b"..", _FOLDER, dir_fd=self.fd)
        there = os.fstat(outer)
        if (there.st_dev, there.st_ino) != self._above.pop():
            os.close(outer)
            raise _moved()
        os.close(self.fd)
        self.fd = outer

    @contextlib.contextmanager
    def new_entry(self, name: bytes) -> Iterator[bytes]:
        """A temporary name to make a link or special file under, put in place at the end.

        If the block fails nothing is left behind, and what was there before is still there.
        """
        temporary = temporary_name()
        try:
            yield temporary
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            discard(temporary, self.fd)
            raise


class Folders:
    """Folders below the target by their paths; the last ones used are kept open."""

    def __init__(self, root: bytes) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def close(self) -> None:
        """Let go of all folders."""
        for fd in (*self._open.values(), self._root):
            os.close(fd)
        self._open.clear()

    def open(self, place: Place) -> int:
        """A descriptor of the folder, which stays ours. RestoreError if it was moved."""
        fd = self._open.get(place.path)
        if fd is not None:
            self._open.move_to_end(place.path)
            return fd
        fd = self._reach(place.path) if place.path else self._root
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != (place.device, place.inode):
            raise _moved()
        return fd

    def _reach(self, path: bytes) -> int:
        known = path
        while known and known not in self._open:
            known = known.rpartition(b"/")[0]
        fd = self._open[known] if known else self._root
        for name in path[len(known) :].strip(b"/").split(b"/"):
            known = known + b"/" + name if known else name
            try:
                fd = os.open(name, _FOLDER, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise _moved() from error
            except OSError as error:
                raise (_moved() if error.errno == errno.ELOOP else error) from error
            self._open[known] = fd
            if len(self._open) > _FOLDERS_OPEN:
                os.close(self._open.popitem(last=False)[1])
        return fd

    def link(
        self, first: Place, name: bytes, *, to: Place, as_name: bytes, identity: tuple[int, int]
    ) -> None:
        """Make another name of the file `name` in `first`.

        OSError if that is not there any more with the same `identity` (device, inode).
        """
        source = os.dup(self.open(first))
        try:
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != identity:
                raise FileNotFoundError(errno.ENOENT, "the first name is gone")
            fd, temporary = self.open(to), temporary_name()
            os.link(name, temporary, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
            try:
                os.rename(temporary, as_name, src_dir_fd=fd, dst_dir_fd=fd)
            finally:
                # Renaming one name of a file onto another of the same file leaves both in place.
                discard(temporary, fd)
        finally:
            os.close(source)


def open_new(name: bytes, folder: int) -> int:
    """A new file for writing; OSError if there is one of this name."""
    return os.open(name, _NEW_FILE, 0o600, dir_fd=folder)


def discard(name: bytes, folder: int) -> None:
    """Remove a temporary entry, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


def temporary_name() -> bytes:
    """A name that nobody can guess, for an entry that is not complete yet."""
    return b".nightsafe-%s.part" % secrets.token_hex(8).encode()


def write_all(fd: int, data: bytes, position: int = 0) -> None:
    """Write at a position, leaving out what is zero; the caller sets the file's length."""
    view = memoryview(data)
    for start, end in solid_parts(data):
        part = view[start:end]
        while part:
            part = part[os.pwrite(fd, part, position + end - len(part)) :]


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


def _moved() -> RestoreError:
    return RestoreError("A folder was moved while it was restored; nothing more is written.")
