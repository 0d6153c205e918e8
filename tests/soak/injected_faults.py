"""Calls of database, stores and broker that fail, or whose process is killed there."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WAYS = ("fail", "kill-before", "kill-after")
COUNT_ONLY = 1 << 30


@dataclass
class Points:
    """Counts calls, and does something at one of them."""

    way: str
    at: int
    seen: int = 0
    names: list[str] = field(default_factory=list)

    def around(self, name: str, failure: Exception, call: Callable[[], Any]) -> Any:
        """Make a call, unless it is the one."""
        self.seen += 1
        is_it = self.seen == self.at
        if is_it and self.way == "kill-before":
            os.kill(os.getpid(), signal.SIGKILL)
        if is_it and self.way == "fail":
            raise failure
        result = call()
        if is_it and self.way == "kill-after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result


@contextmanager
def watched(points: Points) -> Iterator[None]:
    """Have every call of this process to database, stores and broker go through `points`."""
    from django.db import OperationalError
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    from storage import wakeups
    from storage.stores.base import RegionUnavailableError
    from storage.stores.filesystem.staging import Staging
    from storage.stores.filesystem.store import FilesystemStore
    from storage.stores.s3.general_client import GeneralClient
    from storage.stores.s3.store import S3Store

    places: list[tuple[Any, str, Exception]] = [
        (CursorWrapper, "execute", OperationalError("injected")),
        (CursorWrapper, "executemany", OperationalError("injected")),
        (BaseDatabaseWrapper, "_commit", OperationalError("injected")),
        (wakeups, "ask", OSError("injected")),
    ]
    away = RegionUnavailableError("injected")
    both = ("check", "put", "open", "size", "delete", "confirm")
    for store in (FilesystemStore, S3Store):
        places += [(store, name, away) for name in both if name in vars(store)]
    places += [(Staging, name, away) for name in ("write", "write_piece", "publish")]
    places += [(S3Store, name, away) for name in ("send", "surely_has", "presign_put")]
    places += [(GeneralClient, name, away) for name in ("put", "get", "head", "delete")]
    kept = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, failure in places:
        setattr(place, name, _through(points, name, failure, getattr(place, name)))
    try:
        yield
    finally:
        for place, name, real in kept:
            setattr(place, name, real)


def _through(points: Points, name: str, failure: Exception, real: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return points.around(name, failure, lambda: real(*args, **kwargs))

    return call


def hurt(operation: Callable[[], None], way: str, at: int) -> tuple[bool, int]:
    """Run an operation in a process of its own; return whether it completed, and its calls."""
    from django.db import connections

    connections.close_all()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        points = Points(way, at)
        done = b"n"
        try:
            with watched(points):
                operation()
            done = b"y"
        except Exception:
            done = b"n"
        finally:
            os.write(writing, done + str(points.seen).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return told[:1] == b"y", int(told[1:] or b"0")
