"""File operations, with substitutes for those that a platform lacks.

Differences between Linux, macOS and Windows are handled in this package and nowhere else. The
attributes that Windows reports are mapped by `windows`.
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
_NO_ATIME = _flags("O_NOATIME")
"""Leaves the access time unchanged; permitted to the owner and to root."""
_PATH_ONLY = _flags("O_PATH")
_ANY = NO_FOLLOW | _flags("O_CLOEXEC", "O_BINARY")
"""Without O_BINARY Windows would convert line endings."""
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
"""Whether entries can be addressed relative to an open folder."""


FOLDS_NAMES = sys.platform in ("win32", "darwin")
"""Whether file systems are normally case-insensitive on this platform."""
FOLDER_MODE = 0o777 if IS_WINDOWS else 0o700
"""The initial mode of new folders; Windows would turn 0o700 into an access list."""


def extended_path(path: bytes) -> bytes:
    """Return the path in the form that this platform accepts at any length."""
    return windows.extended(path) if IS_WINDOWS else path


def current_folder() -> bytes:
    """Return the working directory by its name in the user's shell, as stock restic does.

    Links in that name are kept. OSError if the folder is gone.
    """
    named = b"" if IS_WINDOWS else os.environb.get(b"PWD", b"")
    try:
        if named.startswith(b"/") and os.path.samefile(named, b"."):
            return named
    except OSError:
        pass
    return os.getcwdb()


def absolute(path: bytes) -> bytes:
    """Return the absolute, normalised path; links are not resolved."""
    if IS_WINDOWS:
        return os.path.abspath(path)
    clean = os.path.normpath(
        path if path.startswith(b"/") else os.path.join(current_folder(), path)
    )
    return clean[1:] if clean.startswith(b"//") else clean


def clean(path: bytes) -> bytes:
    """Normalise a path; a relative one stays relative."""
    is_whole = os.path.isabs(path) or os.path.splitdrive(path)[0]
    return absolute(path) if is_whole else os.path.normpath(path)


def rooted(path: bytes, at: bytes) -> bytes:
    """Make a clean path absolute; a relative one is below the folder `at`."""
    if IS_WINDOWS or path.startswith(b"."):
        return absolute(os.path.join(at, path))
    return os.path.join(at, path)


def slashed(path: bytes) -> bytes:
    """Return the path as patterns see it: with slashes on every platform."""
    return path.replace(b"\\", b"/") if IS_WINDOWS else path


def as_text(argument: str) -> str:
    """Decode an argument or environment variable as UTF-8, whatever the locale is.

    Names and patterns are UTF-8 everywhere in the agent.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return argument
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


def as_pattern(text: str) -> str:
    """Return a pattern with slashes; on Windows a backslash is a separator, not an escape."""
    return text.replace("\\", "/") if IS_WINDOWS else text


def lstat(path: bytes) -> "Status":
    """Return the status of the entry at a path, not following a link."""
    return windows.Status.of(os.lstat(extended_path(path))) if IS_WINDOWS else os.lstat(path)


def status_at(path: bytes) -> "Status":
    """Return the status of a path, following links."""
    return windows.Status.of(os.stat(extended_path(path))) if IS_WINDOWS else os.stat(path)


def fstat(fd: int) -> "Status":
    """Return the status of an open file."""
    return windows.Status.of(os.fstat(fd)) if IS_WINDOWS else os.fstat(fd)


def read_link(path: bytes) -> bytes:
    """Return the target of a link."""
    return (
        windows.link_target(os.readlink(extended_path(path))) if IS_WINDOWS else os.readlink(path)
    )


def list_names(path: bytes) -> list[bytes]:
    """Return the names in a folder, unsorted; does not update its access time if permitted."""
    if not _NO_ATIME or os.listdir not in os.supports_fd:
        return os.listdir(extended_path(path))
    fd = _open_noatime(path, FOLDER)
    try:
        return names_in(fd)
    finally:
        os.close(fd)


def names_in(folder: int) -> list[bytes]:
    """Return the names in an open folder, unsorted."""
    # The names are text without NUL; encoding them all at once takes a tenth of the time.
    names = os.listdir(folder)
    return os.fsencode("\0".join(names)).split(b"\0") if names else []


def open_to_read(path: bytes) -> int:
    """Open the entry at a path for reading; OSError if it is a link.

    Does not update its access time if permitted. Waits for the holder of a lease on the file to
    give it back.
    """
    try:
        fd = _open_noatime(extended_path(path), TO_READ)
    except BlockingIOError:
        if not _PATH_ONLY:
            raise
        return open_leased(path)
    if not hasattr(os, "O_NOFOLLOW") and S_ISLNK(lstat(path).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return fd


def _open_noatime(path: bytes, flags: int) -> int:
    if _NO_ATIME:
        try:
            return os.open(path, flags | _NO_ATIME)
        except PermissionError:  # it belongs to somebody else
            pass
    return os.open(path, flags)


def open_leased(path: bytes) -> int:
    """Open a regular file and wait for its lease; BlockingIOError if it is something else.

    The kernel revokes a lease that is not given back (Linux: after 45 seconds).
    """
    spot = os.open(path, _PATH_ONLY | _ANY)
    try:
        if not S_ISREG(os.fstat(spot).st_mode):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        own_name = f"/proc/self/fd/{spot}".encode()
        return _open_noatime(own_name, TO_READ & ~(_flags("O_NONBLOCK") | NO_FOLLOW))
    finally:
        os.close(spot)


def read_at(fd: int, view: memoryview, offset: int) -> int:
    """Read from an offset into `view`; returns the number of bytes. May move the file position."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [view], offset)
    os.lseek(fd, offset, os.SEEK_SET)
    data = os.read(fd, len(view))
    view[: len(data)] = data
    return len(data)


def write_at(fd: int, data: memoryview, offset: int) -> int:
    """Write at an offset; returns the number of bytes. May move the file position."""
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.write(fd, data)


def make_read_only(fd: int) -> None:
    """Remove write permission from an open file, where permissions are supported.

    Not on Windows, where a read-only file cannot be removed.
    """
    if hasattr(os, "fchmod") and not IS_WINDOWS:
        with contextlib.suppress(OSError):  # exFAT, vfat and SMB lack such permissions
            os.fchmod(fd, 0o400)


def remove_file(path: str) -> None:
    """Remove a file, even where a read-only file cannot be removed, as over SMB."""
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


def make_sparse(fd: int) -> None:
    """Mark a new file as sparse, where that is necessary (Windows)."""
    if not IS_WINDOWS:
        return
    import ctypes
    import msvcrt

    set_sparse, returned, there = 0x900C4, ctypes.c_ulong(0), cast("Any", msvcrt)
    handle = ctypes.c_void_p(there.get_osfhandle(fd))
    with contextlib.suppress(OSError):
        kernel().DeviceIoControl(handle, set_sparse, None, 0, None, 0, ctypes.byref(returned), None)
