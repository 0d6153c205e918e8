"""For programs started with this folder in PYTHONPATH: a Python without what only POSIX has.

Modules are missing, names of `os`, `mmap` and `signal` too, folders cannot be opened, sockets
come in pairs only over TCP, and no extension in C was built. Each start is noted in a file.
"""

import importlib
import mmap
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

MISSING = ("pwd", "grp", "fcntl", "resource", "termios", "tty", "pty", "syslog")
# fmt: off
NAMES = (
    "getuid", "geteuid", "getgid", "getegid", "getgroups", "getlogin", "setuid", "setgid",
    "getxattr", "listxattr", "setxattr", "removexattr", "chown", "fchown", "lchown", "fchmod",
    "mkfifo", "mknod", "fork", "forkpty", "register_at_fork", "sched_getaffinity",
    "sched_setaffinity", "sched_yield", "sched_getscheduler", "preadv", "pwritev", "pread",
    "pwrite", "posix_fallocate", "posix_fadvise", "memfd_create", "uname", "getpgid", "getpgrp",
    "killpg", "nice", "sync", "statvfs", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC",
    "O_NOATIME", "O_PATH", "O_SYNC", "O_DSYNC",
)
# fmt: on


class _Absent(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name in MISSING or (name.startswith("nightsafe._") and "__" not in name):
            raise ModuleNotFoundError(f"No module named {name!r} here", name=name)


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen(1)
        one = socket.create_connection(waiting.getsockname())
        return one, waiting.accept()[0]


def _without_folders(name: str) -> None:
    real = getattr(os, name)

    def call(path: object, *args: object, **kwargs: object) -> object:
        if any("dir_fd" in given for given in kwargs):
            # As Python itself does where the system has no such call.
            raise NotImplementedError("dir_fd unavailable on this platform")
        if isinstance(path, int) and name in ("chmod", "utime", "listdir", "chdir"):
            raise TypeError(f"{name}: path should be string, bytes or os.PathLike, not int")
        return real(path, *args, **kwargs)

    setattr(os, name, call)


# It chooses by the name of the platform what to load, and would find Linux.
importlib.import_module("platformdirs.unix")
if "NIGHTSAFE_TEST_STARTS" in os.environ:
    with open(os.environ["NIGHTSAFE_TEST_STARTS"], "a") as file:
        file.write(f"{os.getpid()}\n")
for module in MISSING:
    sys.modules.pop(module, None)
sys.meta_path.insert(0, _Absent())
for wanted in ("open", "stat", "mkdir", "rename", "unlink", "symlink", "link", "readlink"):
    _without_folders(wanted)
for wanted in ("chmod", "utime", "listdir", "chdir"):
    _without_folders(wanted)
for gone in NAMES:
    if hasattr(os, gone):
        delattr(os, gone)
os.supports_dir_fd.clear()
os.supports_fd.clear()
os.supports_fd.update({os.stat})
os.supports_follow_symlinks.clear()
os.supports_follow_symlinks.update({os.stat})
for gone in ("MAP_ANONYMOUS", "MAP_PRIVATE", "MADV_HUGEPAGE"):
    if hasattr(mmap, gone):
        delattr(mmap, gone)
for gone in ("SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "alarm", "setitimer"):
    delattr(signal, gone)
socket.socketpair = lambda *_, **__: _tcp_pair()
