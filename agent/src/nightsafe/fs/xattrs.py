"""Extended attributes on Linux and macOS.

Where a system has none, no file has any, and none can be set. A file is a path, whose last
part is not followed if it is a link, or a descriptor.
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
"""Errors that say that there is no attribute for us."""
_NO_FOLLOW = 1


class Attributes(Protocol):
    """What this system can do. OSError if it fails."""

    def names(self, file: bytes | int) -> list[bytes]:
        """The names of a file's attributes."""

    def value(self, file: bytes | int, name: bytes) -> bytes:
        """What one of them holds."""

    def put(self, file: bytes | int, name: bytes, value: bytes) -> None:
        """Set one."""

    def drop(self, file: bytes | int, name: bytes) -> None:
        """Take one away."""


class OfPython:
    """Where `os` has them."""

    def names(self, file: bytes | int) -> list[bytes]:
        # Of a number it may not be said whether links are followed.
        follow = isinstance(file, int)
        return [os.fsencode(name) for name in os.listxattr(file, follow_symlinks=follow)]

    def value(self, file: bytes | int, name: bytes) -> bytes:
        return os.getxattr(file, name, follow_symlinks=isinstance(file, int))

    def put(self, file: bytes | int, name: bytes, value: bytes) -> None:
        os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))

    def drop(self, file: bytes | int, name: bytes) -> None:
        os.removexattr(file, name, follow_symlinks=isinstance(file, int))


class OfLibrary:
    """By the calls of macOS's system library; `library` was loaded with `use_errno`."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name in ("listxattr", "flistxattr", "getxattr", "fgetxattr"):
            getattr(library, name).restype = ctypes.c_ssize_t

    def names(self, file: bytes | int) -> list[bytes]:
        call, options = self._call("listxattr", file)
        held = self._read(lambda room, size: call(room, size, options))
        return [name for name in held.split(b"\0") if name]

    def value(self, file: bytes | int, name: bytes) -> bytes:
        call, options = self._call("getxattr", file)
        return self._read(
            lambda room, size: call(ctypes.c_char_p(name), room, size, ctypes.c_uint32(0), options)
        )

    def put(self, file: bytes | int, name: bytes, value: bytes) -> None:
        call, options = self._call("setxattr", file)
        size, start = ctypes.c_size_t(len(value)), ctypes.c_uint32(0)
        if call(ctypes.c_char_p(name), ctypes.c_char_p(value), size, start, options) < 0:
            raise _error()

    def drop(self, file: bytes | int, name: bytes) -> None:
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
        """What a call fills a buffer with, which tells its size when there is none."""
        while True:
            size = call(None, ctypes.c_size_t(0))
            if size == 0:
                return b""
            if size > 0:
                room = ctypes.create_string_buffer(size)
                size = call(room, ctypes.c_size_t(size))
            if size >= 0:
                return room.raw[:size]
            if ctypes.get_errno() != errno.ERANGE:  # it grew meanwhile
                raise _error()


class OfNone:
    """Where there are none."""

    def names(self, file: bytes | int) -> list[bytes]:
        return []

    def value(self, file: bytes | int, name: bytes) -> bytes:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    def put(self, file: bytes | int, name: bytes, value: bytes) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def drop(self, file: bytes | int, name: bytes) -> None:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def of_this_system() -> Attributes:
    """The one that fits where we run."""
    if hasattr(os, "listxattr"):
        return OfPython()
    if sys.platform == "darwin":
        return OfLibrary(ctypes.CDLL(None, use_errno=True))
    return OfNone()


ours = of_this_system()
