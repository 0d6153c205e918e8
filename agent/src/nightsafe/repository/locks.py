"""Locks: objects that say who is working on a repository, as restic writes them.

Many non-exclusive locks may stand together; an exclusive one stands alone. A lock is
renewed every five minutes while it is held, and counts as stale after thirty.
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
    """One lock; `time` is in nanoseconds since 1970."""

    time: int
    exclusive: bool
    hostname: str
    username: str
    pid: int
    uid: int = 0
    gid: int = 0

    @classmethod
    def mine(cls, *, exclusive: bool) -> "Lock":
        """A lock of this process, as of now."""
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
        """The JSON text in restic's fields."""
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
        """Read a stored lock; DamagedError when it is not one."""
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
        """Who holds it and since when, for a message."""
        minutes = max(0, now - self.time) // 60_000_000_000
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time // 1_000_000_000))
        kind = "exclusively " if self.exclusive else ""
        who = f"{kind}by {self.username or 'someone'} on {self.hostname or 'an unknown host'}"
        text = f"{who} (process {self.pid}) since {since}, {show_count(minutes, 'minute')} ago"
        return "".join(char for char in text if char.isprintable())


def _is_alive(pid: int) -> bool:
    # Not a process we could ask about; its age will tell.
    return pid <= 0 or is_alive(pid)


def stored_locks(repository: Repository) -> Iterator[tuple[str, Lock]]:
    """Names and contents of the locks that stand; unreadable ones are left out."""
    names = [listing.name for listing in repository.storage.list(ObjectKind.LOCK)]
    for name, text in load_texts(repository, ObjectKind.LOCK, names, cache=None):
        with contextlib.suppress(DamagedError, ObjectNotFoundError):
            yield name, Lock.decode(text_of(text))


def _opened(
    repository: Repository, bodies: Iterable[tuple[str, bytes]]
) -> Iterator[tuple[str, Lock]]:
    """Locks by their bytes; unreadable ones are left out."""
    for name, sealed in bodies:
        with contextlib.suppress(DamagedError):
            yield name, Lock.decode(repository.open_text(ObjectKind.LOCK, name, sealed))


def remove_locks(repository: Repository, *, everything: bool = False) -> int:
    """Remove stale locks, or all of them; returns how many."""
    now = time.time_ns()
    if everything:
        names = [listing.name for listing in repository.storage.list(ObjectKind.LOCK)]
    else:
        names = [name for name, lock in stored_locks(repository) if lock.is_stale(now=now)]
    return _remove(repository, names)


def _remove(repository: Repository, names: Iterable[str]) -> int:
    return sum(removed for _, removed in remove_all(repository, ObjectKind.LOCK, names))


class LockHold:
    """A lock that this process holds and a thread renews; made by `hold`."""

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
        """Check that nobody else locked meanwhile, now or by `settle`; keep the lock fresh."""
        if not settle_later:
            self.settle()
        self._thread.start()

    def settle(self) -> None:
        """Once a moment has passed, LockedError if a rival locked at the same time as we did.

        A folder needs no moment: whoever writes a lock and then lists sees every lock that was
        written before, so of two rivals at least one sees the other. A server may list late.
        """
        if not self._is_settled:
            if not self._repository.storage.list_is_atomic:
                time.sleep(max(0.0, self._made_at + SETTLE_SECONDS - time.monotonic()))
            _refuse_conflict(self._repository, self._lock, but=self._name)
            self._is_settled = True

    def ensure_held(self) -> None:
        """LockLostError when the lock is so old that another program may have dropped it."""
        self.settle()
        if time.time_ns() - self._lock.time > _LOST_NS:
            raise LockLostError(
                "The repository's lock could not be renewed for 25 minutes (was this computer "
                "asleep, or the network away?), so nothing more is written. Run it again."
            )

    def retake(self) -> None:
        """Put a lock anew, for a run that begins again and reads everything once more.

        The service tells runs by their locks, so this one must not seem to go on with the former.
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
        """The lock's name, until it is renewed."""
        return self._name

    def was_removed(self, name: str) -> None:
        """Stop renewing, since the lock was removed under that name."""
        self._ended.set()
        self._join()
        self._is_gone = self._name == name

    def abandon(self) -> None:
        """Stop renewing and leave the lock to grow stale, when the storage is out of reach."""
        self._ended.set()
        self._is_gone = True

    def release(self) -> None:
        """Stop renewing and remove the lock; what cannot be removed grows stale by itself."""
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
        """Put the lock. Where that tells at once of all others, nothing has to settle."""
        storage = self._repository.storage
        named = self._repository.seal_text(self._lock.encode(), sealer=self._sealer)
        told = storage.begin(named)
        if not storage.tells_locks:
            return named[0]
        others = list(_opened(self._repository, told))
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
def hold(
    repository: Repository,
    *,
    exclusive: bool = False,
    optional: bool = False,
    settle_later: bool = False,
    interval: float = REFRESH_SECONDS,
) -> Iterator[LockHold | None]:
    """Hold a lock for the length of a `with` block; it is removed however the block ends.

    With `settle_later` the block must call `settle` before it writes anything of worth.

    `optional` goes on without a lock (None) where the place does not let us write one.
    LockedError when another lock excludes this one.
    """
    lock = Lock.mine(exclusive=exclusive)
    if not repository.storage.tells_locks:
        _refuse_conflict(repository, lock)
    try:
        held = LockHold(repository, lock, interval=interval)
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
    """LockedError when a living lock excludes `lock`; stale ones are cleared away."""
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
    # Stock restic would still be stopped by them. Where we may not remove them, we go on.
    with contextlib.suppress(StorageError):
        _remove(repository, stale)
