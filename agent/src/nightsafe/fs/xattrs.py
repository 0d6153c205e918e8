"""Reads and sets extended attributes on Linux and macOS.

On other platforms no file has any, and none can be set. `file` is a descriptor or a path; a link at
the end of a path is not followed.
"""

import ctypes
import errno
import os
import sys
from typing import Any, Protocol

NONE_THERE = (
    errno.ENOTSUP,
    errno.EPERM,
    errno.EACCES,
    errno.ENODATA,
    getattr(errno, "ENOATTR", errno.ENODATA),
)
"""Errors that mean that there is no attribute, or none that we may read."""
_NO_FOLLOW = 1


class Attributes(Protocol):
    """Access to extended attributes on one platform. All methods raise OSError."""

    def names(self, file: bytes | int) -> list[bytes]:
        """Return the names of a file's attributes."""

    def value(self, file: bytes | int, name: bytes) -> bytes:
        """Return the value of an attribute."""

    def set(self, file: bytes | int, name: bytes, value: bytes) -> None:
        """Set an attribute."""

    def remove(self, file: bytes | int, name: bytes) -> None:
        """Remove an attribute."""


class OsXattrs:
    """Uses the functions in `os`."""

    def names(self, file: bytes | int) -> list[bytes]:
        # `follow_symlinks` must not be given with a descriptor.
        follow = isinstance(file, int)
        return [os.fsencode(name) for name in os.listxattr(file, follow_symlinks=follow)]

    def value(self, file: bytes | int, name: bytes) -> bytes:
        return os.getxattr(file, name, follow_symlinks=isinstance(file, int))

    def set(self, file: bytes | int, name: bytes, value: bytes) -> None:
        os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))

    def remove(self, file: bytes | int, name: bytes) -> None:
        os.removexattr(file, name, follow_symlinks=isinstance(file, int))


class LibcXattrs:
    """Calls macOS's system library; `library` must be loaded with `use_errno`."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name in ("listxattr", "flistxattr", "getxattr", "fgetxattr"):
            getattr(library, name).restype = ctypes.c_ssize_t

    def names(self, file: bytes | int) -> list[bytes]:
        call, options = self._call("listxattr", file)
        names = self._read(lambda buffer, size: call(buffer, size, options))
        return [name for name in names.split(b"\0") if name]

    def value(self, file: bytes | int, name: bytes) -> bytes:
        call, options = self._call("getxattr", file)
        return self._read(
            lambda buffer, size: call(
                ctypes.c_char_p(name), buffer, size, ctypes.c_uint32(0), options
            )
        )

    def set(self, file: bytes | int, name: bytes, value: bytes) -> None:
        call, options = self._call("setxattr", file)
        size, start = ctypes.c_size_t(len(value)), ctypes.c_uint32(0)
        if call(ctypes.c_char_p(name), ctypes.c_char_p(value), size, start, options) < 0:
            raise _error()

    def remove(self, file: bytes | int, name: bytes) -> None:
        call, options = self._call("removexattr", file)
        if call(ctypes.c_char_p(name), options) < 0:
            raise _error()

    def _call(self, name: str, file: bytes | int) -> tuple[Any, Any]:
        if isinstance(file, int):
            call, first, options = getattr(self._library, f"f{name}"), ctypes.c_int(file), 0
            return lambda *rest: call(first, *rest), ctypes.c_int(options)
        by_path, path = getattr(self._library, name), ctypes.c_char_p(file)
        return lambda *rest: by_path(path, *rest), ctypes.c_int(_NO_FOLLOW)

    def _read(self, call: Any) -> bytes:
        """Call a function that fills a buffer, and that returns the size without one."""
        while True:
            size = call(None, ctypes.c_size_t(0))
            if size == 0:
                return b""
            if size > 0:
                buffer = ctypes.create_string_buffer(size)
                size = call(buffer, ctypes.c_size_t(size))
            if size >= 0:
                return buffer.raw[:size]
            if ctypes.get_errno() != errno.ERANGE:  # it grew meanwhile
                raise _error()


class NoXattrs:
    """For platforms without extended attributes."""

    def names(self, file: bytes | int) -> list[bytes]:
        return []

    def value(self, file: bytes | int, name: bytes) -> bytes:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    def set(self, file: bytes | int, name: bytes, value: bytes) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def remove(self, file: bytes | int, name: bytes) -> None:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def for_this_system() -> Attributes:
    """Return the implementation for this platform."""
    if hasattr(os, "listxattr"):
        return OsXattrs()
    if sys.platform == "darwin":
        return LibcXattrs(ctypes.CDLL(None, use_errno=True))
    return NoXattrs()


ours = for_this_system()
