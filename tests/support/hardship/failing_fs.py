"""A real file system that fails by name: `failing_fs FOLDER MOUNT`.

It shows FOLDER at MOUNT through FUSE. A name that contains a tag fails as the tag says, while the
file that `--switch` names exists (always without one):

| tag | what happens |
|---|---|
| `@eio-stat`, `@estale-stat` | its attributes cannot be read |
| `@eio-list` | a folder that cannot be listed |
| `@eio-open`, `@estale-open` | it cannot be opened |
| `@eio-xattr` | its extended attributes cannot be read |
| `@eio-read` | reading fails in the middle |
| `@short` | reading ends in the middle, though its size says more |
| `@fleeting` | it is listed, and each second time it is looked at, it is gone |

`--refuse` names operations that are not there at all, as on exFAT or SMB: chmod, chown, link,
symlink, mknod, setxattr, fsyncdir.
"""

import argparse
import errno
import functools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("FUSE_LIBRARY_PATH", "libfuse3.so.3")

import mfusepy

REFUSABLE = ("chmod", "chown", "link", "symlink", "mknod", "setxattr", "fsyncdir")
_TAGS = {
    "@eio-stat": ("getattr", errno.EIO),
    "@estale-stat": ("getattr", errno.ESTALE),
    "@eio-list": ("readdir", errno.EIO),
    "@eio-open": ("open", errno.EIO),
    "@estale-open": ("open", errno.ESTALE),
    "@eio-xattr": ("listxattr", errno.EIO),
}
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_STAT = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
_TIMES = ("st_atime", "st_mtime", "st_ctime")


def _may_fail(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def checked(self: "FailingFileSystem", path: str, *args: Any, **named: Any) -> Any:
        self.fail(operation.__name__, path)
        return operation(self, path, *args, **named)

    return checked


class FailingFileSystem(mfusepy.Operations):  # type: ignore[misc]  # it has no types
    """FOLDER as it is, but for what its names and `refused` say."""

    use_ns = True

    def __init__(self, folder: str, switch: str | None, refused: frozenset[str]) -> None:
        self.folder = os.fsencode(folder)
        self.switch = switch
        self.refused = refused
        self.looked_at: Counter[str] = Counter()
        self.lock = threading.Lock()

    def fail(self, op: str, path: str) -> None:
        """Raise FuseOSError if this operation is to fail on this path."""
        if op in self.refused:
            raise mfusepy.FuseOSError(errno.EPERM)
        if not self._is_on():
            return
        name = path.rsplit("/", 1)[-1]
        for tag, (failing, code) in _TAGS.items():
            if tag in name and op == failing:
                raise mfusepy.FuseOSError(code)
        if "@fleeting" in name and op == "getattr" and self._is_gone(path):
            raise mfusepy.FuseOSError(errno.ENOENT)

    def _is_on(self) -> bool:
        return self.switch is None or os.path.exists(self.switch)

    def _is_gone(self, path: str) -> bool:
        with self.lock:
            self.looked_at[path] += 1
            return self.looked_at[path] % 2 == 0

    def _real(self, path: str) -> bytes:
        return self.folder + path.encode("latin-1")

    @_may_fail
    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        info = os.lstat(self._real(path))
        times = {name: getattr(info, f"{name}_ns") for name in _TIMES}
        return {name: getattr(info, name) for name in _STAT} | times

    @_may_fail
    def readdir(self, path: str, fh: int) -> Iterator[str]:
        names = os.listdir(self._real(path))
        return iter([".", "..", *(name.decode("latin-1") for name in names)])

    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path)).decode("latin-1")

    @_may_fail
    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        made = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self._hand_over(path)
        return made

    def _hand_over(self, path: str) -> None:
        """Let what was just made belong to whoever asked for it, as on any file system."""
        uid, gid, _ = mfusepy.fuse_get_context()
        os.chown(self._real(path), uid, gid, follow_symlinks=False)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        middle = os.fstat(fh).st_size // 2
        if self._is_on() and "@short" in path:
            size = max(0, min(size, middle - offset))
        if self._is_on() and "@eio-read" in path and offset + size > middle:
            raise mfusepy.FuseOSError(errno.EIO)
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._real(path), length)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    @_may_fail
    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        """Nothing to do for a folder of another file system."""

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._real(path), mode)
        self._hand_over(path)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._real(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._real(path))

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        os.rename(self._real(old), self._real(new))

    @_may_fail
    def link(self, target: str, source: str) -> None:
        os.link(self._real(source), self._real(target), follow_symlinks=False)

    @_may_fail
    def symlink(self, target: str, source: str) -> None:
        os.symlink(source.encode("latin-1"), self._real(target))
        self._hand_over(target)

    @_may_fail
    def mknod(self, path: str, mode: int, dev: int) -> None:
        os.mknod(self._real(path), mode, dev)
        self._hand_over(path)

    @_may_fail
    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._real(path), mode)

    @_may_fail
    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self._real(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        if times is None:
            times = (_UTIME_NOW, _UTIME_NOW)
        os.utime(self._real(path), ns=self._meant(path, times), follow_symlinks=False)

    def _meant(self, path: str, times: tuple[int, int]) -> tuple[int, int]:
        """Read utimensat's "now" and "as it is", which arrive as odd numbers of nanoseconds."""
        info = os.lstat(self._real(path))
        special = {_UTIME_NOW: time.time_ns()}
        found = special | {_UTIME_OMIT: info.st_atime_ns}, special | {_UTIME_OMIT: info.st_mtime_ns}
        return found[0].get(times[0], times[0]), found[1].get(times[1], times[1])

    @_may_fail
    def listxattr(self, path: str) -> list[str]:
        return os.listxattr(self._real(path), follow_symlinks=False)

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        return os.getxattr(self._real(path), name, follow_symlinks=False)

    @_may_fail
    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> None:
        os.setxattr(self._real(path), name, value, options, follow_symlinks=False)

    def statfs(self, path: str) -> dict[str, int]:
        info = os.statvfs(self._real(path))
        names = ("f_bsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_namemax")
        return {name: getattr(info, name) for name in names}


def main() -> None:
    """Mount, and serve until it is unmounted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("mount")
    parser.add_argument("--switch")
    parser.add_argument("--refuse", nargs="*", choices=REFUSABLE, default=[])
    asked = parser.parse_args()
    os.umask(0)  # the kernel has taken the caller's off already
    mfusepy.FUSE(
        FailingFileSystem(asked.folder, asked.switch, frozenset(asked.refuse)),
        asked.mount,
        foreground=True,
        encoding="latin-1",
        fsname="failing",
        attr_timeout=0,
        entry_timeout=0,
        max_threads=4,
        **({"allow_other": True, "default_permissions": True} if os.geteuid() == 0 else {}),
    )


if __name__ == "__main__":
    main()
