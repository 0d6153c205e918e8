"""File operations, and what stands in for them on systems that lack one.

Whatever Linux, macOS and Windows do not all have is looked for here and in `xattrs`, and
nowhere else. What Windows says of files is told as `windows` maps it.
"""

import contextlib
import errno
import importlib
import os
import sys
from functools import lru_cache
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any

from nightsafe.fs import windows

if TYPE_CHECKING:
    from nightsafe.fs.stat import Status

IS_WINDOWS = os.name == "nt"
FORKS = sys.platform == "linux" and hasattr(os, "fork")
"""Whether a process may begin with the memory of another: macOS's own libraries forbid it."""


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


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_NO_SYNC = _codes("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOTTY")
"""How file systems answer that have no way to make something durable when asked."""
_NO_FOLDER_SYNC = _NO_SYNC | _codes("EPERM", "EACCES", "EBADF", "EISDIR")
"""The same for a folder, of those that do it for files."""
FOLDS_NAMES = sys.platform in ("win32", "darwin")
"""Whether names that differ only in case are mostly one to the disks there."""
FOLDER_MODE = 0o777 if IS_WINDOWS else 0o700
"""For new folders until they get their own; Windows would take the last as a list of rights."""


def _optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


_pwd, _grp, _fcntl, _msvcrt = map(_optional, ("pwd", "grp", "fcntl", "msvcrt"))


# Who


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The name of a user on this computer, or empty."""
    try:
        return str(_pwd.getpwuid(uid).pw_name) if _pwd else ""
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """The name of a group on this computer, or empty."""
    try:
        return str(_grp.getgrgid(gid).gr_name) if _grp else ""
    except (KeyError, OverflowError):
        return ""


def my_ids() -> tuple[int, int]:
    """Numbers of the user and group who run this process; zeros where there are none."""
    return (os.getuid(), os.getgid()) if hasattr(os, "getuid") else (0, 0)


def my_name() -> str:
    """The name of the user who runs this process, or empty."""
    return user_name(my_ids()[0]) if _pwd else windows.account(os.environ)


def gives_files_away() -> bool:
    """Whether this process may make others the owners of files."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


# Processes


def processors() -> int:
    """How many processors there are for us."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_alive(pid: int) -> bool:
    """Whether a process of this computer runs; if nobody can tell, it does."""
    if IS_WINDOWS:
        return _is_alive_there(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_alive_there(pid: int) -> bool:
    import ctypes

    # There os.kill with signal 0 would interrupt the process.
    query, not_there, running = 0x1000, 87, 259
    kernel: Any = _kernel()
    handle = kernel.OpenProcess(query, False, pid & 0xFFFFFFFF)
    if not handle:
        return bool(kernel.GetLastError() != not_there)
    status = ctypes.c_ulong(running)
    kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(status))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return status.value == running


def _kernel() -> Any:
    import ctypes

    kernel: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p
    return kernel


def handed_on(fd: int) -> Any:
    """An open file on its way to a process that is being started; `detach` gives it there."""
    from multiprocessing import reduction

    return _Handle(fd) if IS_WINDOWS else reduction.DupFd(fd)


class _Handle:
    """An open file as Windows passes it on."""

    def __init__(self, fd: int) -> None:
        from multiprocessing import reduction

        self._handle: Any = reduction
        read_and_write = 0x120089 | 0x120116
        self._handle = self._handle.DupHandle(_msvcrt.get_osfhandle(fd), read_and_write)

    def detach(self) -> int:
        return int(_msvcrt.open_osfhandle(self._handle.detach(), TO_CHANGE | os.O_APPEND))


# Files


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
        return _open_leased(path)
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


def _open_leased(path: bytes) -> int:
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


def lock_file(fd: int, *, wait: bool) -> None:
    """Lock an open file for us alone, until the last process that shares it closes it.

    OSError if somebody else has it and we do not `wait`, or if files cannot be locked here.
    """
    if _fcntl is not None:
        _fcntl.flock(fd, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
    elif _msvcrt is not None:
        # What is locked there cannot be read by others, so it is a byte far behind the end.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        _msvcrt.locking(fd, _msvcrt.LK_LOCK if wait else _msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def lock_abandoned(path: str) -> int | None:
    """Open and lock a file if the processes that had it locked are dead; None if that fails."""
    try:
        fd = os.open(path, TO_CHANGE)
    except OSError:
        return None
    try:
        lock_file(fd, wait=False)
    except OSError:
        os.close(fd)
        return None
    return fd


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


def sync_file(fd: int) -> None:
    """Make an open file's bytes durable, as far as the file system has a way to do that."""
    _sync(fd, _NO_SYNC)


def sync_folder(path: str) -> None:
    """Make durable what the folder says of its entries, where a folder can be opened for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        fd = os.open(path, FOLDER)
    except PermissionError:
        return  # one that may be written to but not listed
    try:
        _sync(fd, _NO_FOLDER_SYNC)
    finally:
        os.close(fd)


def _sync(fd: int, unable: frozenset[int]) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in unable:
            raise


def let_holes_be(fd: int) -> None:
    """Say that what is not written to in a new file need take no room, where that must be said."""
    if not IS_WINDOWS:
        return
    import ctypes

    set_sparse, returned = 0x900C4, ctypes.c_ulong(0)
    handle = ctypes.c_void_p(_msvcrt.get_osfhandle(fd))
    with contextlib.suppress(OSError):
        _kernel().DeviceIoControl(
            handle, set_sparse, None, 0, None, 0, ctypes.byref(returned), None
        )
