"""Locks: objects that record who is using a repository, in restic's format.

Any number of non-exclusive locks may coexist; an exclusive lock excludes all others. A lock is
refreshed every five minutes and becomes stale after thirty.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from nightsafe.amounts import show_count
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import (
    AccessRefusedError,
    DamagedError,
    LockedError,
    LockLostError,
    NightsafeError,
    ObjectNotFoundError,
    StorageError,
    UnreachableError,
)
from nightsafe.fs.users import my_ids, my_name
from nightsafe.repofile.go_json import format_time, parse_time
from nightsafe.repository.object_loader import load_texts, remove_all, text_of
from nightsafe.repository.repository import Repository
from nightsafe.workers.host import is_alive

REFRESH_SECONDS = 300.0
_RETRY_SECONDS = 30.0
SETTLE_SECONDS = 0.2
_STALE_NS = 30 * 60 * 1_000_000_000
_LOST_NS = 25 * 60 * 1_000_000_000


class Lock(NamedTuple):
    """The content of a lock; `time` is in nanoseconds since 1970."""

    time: int
    exclusive: bool
    hostname: str
    username: str
    pid: int
    uid: int = 0
    gid: int = 0

    @classmethod
    def mine(cls, *, exclusive: bool) -> "Lock":
        """Make a lock for this process, dated now."""
        uid, gid = my_ids()
        return cls(
            time=time.time_ns(),
            exclusive=exclusive,
            hostname=socket.gethostname(),
            username=my_name(),
            pid=os.getpid(),
            uid=uid,
            gid=gid,
        )

    def encode(self) -> bytes:
        """Encode as JSON with restic's fields."""
        fields: dict[str, object] = {
            "time": format_time(self.time),
            "exclusive": self.exclusive,
            "hostname": self.hostname,
            "username": self.username,
            "pid": self.pid,
        }
        fields |= {k: v for k, v in (("uid", self.uid), ("gid", self.gid)) if v}
        return orjson.dumps(fields)

    @classmethod
    def decode(cls, text: bytes) -> "Lock":
        """Decode a stored lock; DamagedError if it is invalid."""
        try:
            fields = orjson.loads(text)
            return cls(
                time=parse_time(fields["time"]),
                exclusive=bool(fields["exclusive"]),
                hostname=str(fields.get("hostname", "")),
                username=str(fields.get("username", "")),
                pid=int(fields.get("pid", 0)),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise DamagedError("A lock is damaged.") from None

    def is_stale(self, *, now: int) -> bool:
        """Whether its holder is gone: silent for 30 minutes, or a dead process of this host."""
        if now - self.time > _STALE_NS:
            return True
        return self.hostname == socket.gethostname() and not _is_alive(self.pid)

    def describe(self, *, now: int) -> str:
        """Describe its holder and age for a message."""
        minutes = max(0, now - self.time) // 60_000_000_000
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time // 1_000_000_000))
        kind = "exclusively " if self.exclusive else ""
        who = f"{kind}by {self.username or 'someone'} on {self.hostname or 'an unknown host'}"
        text = f"{who} (process {self.pid}) since {since}, {show_count(minutes, 'minute')} ago"
        return "".join(char for char in text if char.isprintable())


def _is_alive(pid: int) -> bool:
    # Not a valid process id: decide by age.
    return pid <= 0 or is_alive(pid)


def stored_locks(repository: Repository) -> Iterator[tuple[str, Lock]]:
    """Yield the names and contents of all locks, skipping unreadable ones."""
    names = [listing.name for listing in repository.storage.list(ObjectKind.LOCK)]
    for name, text in load_texts(repository, ObjectKind.LOCK, names, cache=None):
        with contextlib.suppress(DamagedError, ObjectNotFoundError):
            yield name, Lock.decode(text_of(text))


def _opened(
    repository: Repository, bodies: Iterable[tuple[str, bytes]]
) -> Iterator[tuple[str, Lock]]:
    """Decode locks from their bytes, skipping unreadable ones."""
    for name, sealed in bodies:
        with contextlib.suppress(DamagedError):
            yield name, Lock.decode(repository.open_text(ObjectKind.LOCK, name, sealed))


def remove_locks(repository: Repository, *, everything: bool = False) -> int:
    """Remove stale locks, or all locks; returns how many."""
    now = time.time_ns()
    if everything:
        names = [listing.name for listing in repository.storage.list(ObjectKind.LOCK)]
    else:
        names = [name for name, lock in stored_locks(repository) if lock.is_stale(now=now)]
    return _remove(repository, names)


def _remove(repository: Repository, names: Iterable[str]) -> int:
    return sum(removed for _, removed in remove_all(repository, ObjectKind.LOCK, names))


class HeldLock:
    """A lock held by this process and refreshed by a thread; made by `hold_lock`."""

    def __init__(self, repository: Repository, lock: Lock, *, interval: float) -> None:
        self._repository = repository
        self._lock = lock
        self._interval = interval
        self._sealer = repository.new_sealer()
        self._is_settled = self._is_gone = False
        self._changing = threading.Lock()
        self._name = self._begin()
        self._made_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lock", daemon=True)

    def start(self, *, settle_later: bool) -> None:
        """Check for conflicting locks, now or in `settle`, and start refreshing the lock."""
        if not settle_later:
            self.settle()
        self._thread.start()

    def settle(self) -> None:
        """Wait a moment, then raise LockedError if a conflicting lock was made simultaneously.

        A folder needs no wait: a client that writes its lock and then lists sees every earlier
        lock, so at least one of two rivals sees the other. A server's listing may lag.
        """
        if not self._is_settled:
            if not self._repository.storage.list_is_atomic:
                time.sleep(max(0.0, self._made_at + SETTLE_SECONDS - time.monotonic()))
            _refuse_conflict(self._repository, self._lock, but=self._name)
            self._is_settled = True

    def ensure_held(self) -> None:
        """Raise LockLostError if the lock is so old that others may treat it as stale."""
        self.settle()
        if time.time_ns() - self._lock.time > _LOST_NS:
            raise LockLostError(
                "The repository's lock could not be renewed for 25 minutes (was this computer "
                "asleep, or the network away?), so nothing more is written. Run it again."
            )

    def retake(self) -> None:
        """Replace the lock, for a run that starts again and rereads everything.

        The service identifies runs by their locks, so the new run must not reuse the old one.
        LockedError as for any lock.
        """
        with self._changing:
            with contextlib.suppress(ObjectNotFoundError):
                self._repository.storage.remove(ObjectKind.LOCK, self._name)
            self._lock = self._lock._replace(time=time.time_ns())
            self._is_settled = False
            self._name, self._made_at = self._begin(), time.monotonic()

    @property
    def name(self) -> str:
        """The lock's name, until it is refreshed."""
        return self._name

    def was_removed(self, name: str) -> None:
        """Stop refreshing, because the lock of that name was removed."""
        self._ended.set()
        self._join()
        self._is_gone = self._name == name

    def abandon(self) -> None:
        """Stop refreshing and let the lock become stale, when the storage is unreachable."""
        self._ended.set()
        self._is_gone = True

    def release(self) -> None:
        """Stop refreshing and remove the lock; if that fails it becomes stale by itself."""
        if self._is_gone:
            return
        self._ended.set()
        self._join()
        with contextlib.suppress(StorageError):
            self._repository.storage.remove(ObjectKind.LOCK, self._name)

    def _join(self) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout=_RETRY_SECONDS)

    def _begin(self) -> str:
        """Store the lock; if the response lists all others, there is nothing to settle."""
        storage = self._repository.storage
        named = self._repository.seal_text(self._lock.encode(), sealer=self._sealer)
        sealed_locks = storage.begin(named)
        if not storage.reports_locks:
            return named[0]
        others = list(_opened(self._repository, sealed_locks))
        try:
            _refuse_among(self._repository, self._lock, others)
        except LockedError:
            with contextlib.suppress(StorageError):
                storage.remove(ObjectKind.LOCK, named[0])
            raise
        self._is_settled = True
        return named[0]

    def _save(self) -> str:
        text = self._lock.encode()
        return self._repository.save_text(ObjectKind.LOCK, text, sealer=self._sealer)

    def _renew(self) -> None:
        wait = self._interval
        while not self._ended.wait(wait):
            try:
                with self._changing:
                    self._renew_once()
                wait = self._interval
            except NightsafeError:
                wait = min(self._interval, _RETRY_SECONDS)

    def _renew_once(self) -> None:
        fresh = self._lock._replace(time=time.time_ns())
        former, stale = self._name, self._lock
        self._lock = fresh
        try:
            self._name = self._save()
        except NightsafeError:
            self._lock = stale
            raise
        with contextlib.suppress(ObjectNotFoundError):
            self._repository.storage.remove(ObjectKind.LOCK, former)


@contextlib.contextmanager
def hold_lock(
    repository: Repository,
    *,
    exclusive: bool = False,
    optional: bool = False,
    settle_later: bool = False,
    interval: float = REFRESH_SECONDS,
) -> Iterator[HeldLock | None]:
    """Hold a lock for the length of a `with` block, and remove it however the block ends.

    With `settle_later` the block must call `settle` before it writes anything that matters.

    With `optional` the block runs without a lock (None) if we may not write one. LockedError if
    another lock excludes this one.
    """
    lock = Lock.mine(exclusive=exclusive)
    if not repository.storage.reports_locks:
        _refuse_conflict(repository, lock)
    try:
        held = HeldLock(repository, lock, interval=interval)
    except AccessRefusedError:
        if not optional:
            raise
        yield None
        return
    try:
        held.start(settle_later=settle_later)
        yield held
    except UnreachableError:
        held.abandon()
        raise
    finally:
        held.release()


def _refuse_conflict(repository: Repository, lock: Lock, *, but: str = "") -> None:
    """Raise LockedError if a live lock excludes `lock`; stale ones are removed."""
    others = ((name, other) for name, other in stored_locks(repository) if name != but)
    _refuse_among(repository, lock, others)


def _refuse_among(repository: Repository, lock: Lock, others: Iterable[tuple[str, Lock]]) -> None:
    now, stale = time.time_ns(), []
    for name, other in others:
        if other.is_stale(now=now):
            stale.append(name)
        elif lock.exclusive or other.exclusive:
            raise LockedError(
                f"The repository is locked {other.describe(now=now)}. Wait until that has "
                "finished; if it crashed, run `nightsafe unlock`."
            )
    # They would still stop stock restic. If we may not remove them, go on.
    with contextlib.suppress(StorageError):
        _remove(repository, stale)
