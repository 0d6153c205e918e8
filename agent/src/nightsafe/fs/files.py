"""File operations, and what stands in for them on systems that lack one.

Whatever Linux, macOS and Windows do not all have is looked for in this package, and nowhere else.
What Windows says of files is told as `windows` maps it.
"""

import contextlib
import errno
import os
import sys
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any, cast

from nightsafe.fs import windows
from nightsafe.fs.windows_kernel import kernel

if TYPE_CHECKING:
    from nightsafe.fs.status import Status

IS_WINDOWS = os.name == "nt"


def _flags(*names: str) -> int:
    found = 0
    for name in names:
        found |= getattr(os, name, 0)
    return found


NO_FOLLOW = _flags("O_NOFOLLOW")
_NO_TRACE = _flags("O_NOATIME")
"""Opened so, a file or folder keeps its time of access; its owner may do that, and root."""
_NO_READING = _flags("O_PATH")
_ANY = NO_FOLLOW | _flags("O_CLOEXEC", "O_BINARY")
"""Without O_BINARY Windows would change bytes that look like ends of lines."""
TO_READ = os.O_RDONLY | _ANY | _flags("O_NONBLOCK")
TO_WRITE = os.O_WRONLY | _ANY
TO_CHANGE = os.O_RDWR | _ANY
NEW = os.O_CREAT | os.O_EXCL
FOLDER = os.O_RDONLY | _flags("O_CLOEXEC", "O_DIRECTORY")
OPENS_FOLDERS = (
    hasattr(os, "O_DIRECTORY")
    and hasattr(os, "O_NOFOLLOW")
    and {os.open, os.stat, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd
)
"""Whether what is in a folder can be reached from the open folder, without its path."""


FOLDS_NAMES = sys.platform in ("win32", "darwin")
"""Whether names that differ only in case are mostly one to the disks there."""
FOLDER_MODE = 0o777 if IS_WINDOWS else 0o700
"""For new folders until they get their own; Windows would take the last as a list of rights."""


def reach(path: bytes) -> bytes:
    """The path as this system takes it however long it is."""
    return windows.extended(path) if IS_WINDOWS else path


def here() -> bytes:
    """The folder we are in, by the name that the user's shell has for it, as stock restic says it:
    a link on the way there stays. OSError if it is gone."""
    named = b"" if IS_WINDOWS else os.environb.get(b"PWD", b"")
    try:
        if named.startswith(b"/") and os.path.samefile(named, b"."):
            return named
    except OSError:
        pass
    return os.getcwdb()


def absolute(path: bytes) -> bytes:
    """The path from the root on, without `.`, `..` and doubled slashes; links are not followed."""
    if IS_WINDOWS:
        return os.path.abspath(path)
    clean = os.path.normpath(path if path.startswith(b"/") else os.path.join(here(), path))
    return clean[1:] if clean.startswith(b"//") else clean


def clean(path: bytes) -> bytes:
    """A path without what it need not have in it; relative if it was."""
    is_whole = os.path.isabs(path) or os.path.splitdrive(path)[0]
    return absolute(path) if is_whole else os.path.normpath(path)


def rooted(path: bytes, at: bytes) -> bytes:
    """A clean path, from the root on; a relative one begins at the folder `at`."""
    if IS_WINDOWS or path.startswith(b"."):
        return absolute(os.path.join(at, path))
    return os.path.join(at, path)


def slashed(path: bytes) -> bytes:
    """The path as patterns see it: with slashes, whatever this system has between names."""
    return path.replace(b"\\", b"/") if IS_WINDOWS else path


def as_text(argument: str) -> str:
    """An argument, or a variable of the environment, as the text that its bytes are in UTF-8, as
    names and patterns are everywhere here; the locale may have read it otherwise."""
    if sys.getfilesystemencoding() == "utf-8":
        return argument
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


def as_pattern(text: str) -> str:
    """A pattern as the user of this system writes it; on Windows a backslash takes no sign."""
    return text.replace("\\", "/") if IS_WINDOWS else text


def lstat(path: bytes) -> "Status":
    """What a backup says of the entry at a path; a link is not followed."""
    return windows.Status.of(os.lstat(reach(path))) if IS_WINDOWS else os.lstat(path)


def status_at(path: bytes) -> "Status":
    """The same of where the path leads."""
    return windows.Status.of(os.stat(reach(path))) if IS_WINDOWS else os.stat(path)


def fstat(fd: int) -> "Status":
    """The same of an open file."""
    return windows.Status.of(os.fstat(fd)) if IS_WINDOWS else os.fstat(fd)


def read_link(path: bytes) -> bytes:
    """Where a link leads."""
    return windows.link_target(os.readlink(reach(path))) if IS_WINDOWS else os.readlink(path)


def list_names(path: bytes) -> list[bytes]:
    """The names in a folder, in no order; its time of access is kept where that is allowed."""
    if not _NO_TRACE or os.listdir not in os.supports_fd:
        return os.listdir(reach(path))
    fd = _open_quietly(path, FOLDER)
    try:
        return names_in(fd)
    finally:
        os.close(fd)


def names_in(folder: int) -> list[bytes]:
    """The names in an open folder, in no order."""
    # They come as text, which takes no NUL; encoded all at once it costs a tenth.
    names = os.listdir(folder)
    return os.fsencode("\0".join(names)).split(b"\0") if names else []


def open_to_read(path: bytes) -> int:
    """Open the entry at a path; OSError if it is a link.

    Its time of access is kept where that is allowed. If somebody holds a lease on the file, which
    he has to give back first, this waits for him.
    """
    try:
        fd = _open_quietly(reach(path), TO_READ)
    except BlockingIOError:
        if not _NO_READING:
            raise
        return open_leased(path)
    if not hasattr(os, "O_NOFOLLOW") and S_ISLNK(lstat(path).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return fd


def _open_quietly(path: bytes, flags: int) -> int:
    if _NO_TRACE:
        try:
            return os.open(path, flags | _NO_TRACE)
        except PermissionError:  # it is not ours
            pass
    return os.open(path, flags)


def open_leased(path: bytes) -> int:
    """Open a file and wait as long as it takes, which nobody may do before it is sure to be one.

    The kernel takes a lease from who does not give it back (Linux: after 45 seconds).
    """
    spot = os.open(path, _NO_READING | _ANY)
    try:
        if not S_ISREG(os.fstat(spot).st_mode):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        own_name = f"/proc/self/fd/{spot}".encode()
        return _open_quietly(own_name, TO_READ & ~(_flags("O_NONBLOCK") | NO_FOLLOW))
    finally:
        os.close(spot)


def read_at(fd: int, view: memoryview, offset: int) -> int:
    """Read from a position into `view`; returns how much. Where that is open may change."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [view], offset)
    os.lseek(fd, offset, os.SEEK_SET)
    data = os.read(fd, len(view))
    view[: len(data)] = data
    return len(data)


def write_at(fd: int, data: memoryview, offset: int) -> int:
    """Write at a position; returns how much. Where that is open may change."""
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.write(fd, data)


def make_read_only(fd: int) -> None:
    """Take the permission to write from an open file, where there are permissions.

    On Windows it could not be removed then.
    """
    if hasattr(os, "fchmod") and not IS_WINDOWS:
        with contextlib.suppress(OSError):  # exFAT, vfat and SMB have none, or not these
            os.fchmod(fd, 0o400)


def remove_file(path: str) -> None:
    """Remove a file, also where one that is read-only may not be removed, as over SMB."""
    try:
        os.unlink(path)
    except PermissionError:
        try:
            os.chmod(path, 0o600)
        except OSError:
            pass
        else:
            os.unlink(path)
            return
        raise


def let_holes_be(fd: int) -> None:
    """Say that what is not written to in a new file need take no room, where that must be said."""
    if not IS_WINDOWS:
        return
    import ctypes
    import msvcrt

    set_sparse, returned, there = 0x900C4, ctypes.c_ulong(0), cast("Any", msvcrt)
    handle = ctypes.c_void_p(there.get_osfhandle(fd))
    with contextlib.suppress(OSError):
        kernel().DeviceIoControl(handle, set_sparse, None, 0, None, 0, ctypes.byref(returned), None)
