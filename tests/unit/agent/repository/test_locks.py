"""Locks: who excludes whom, when one is stale, how one is kept fresh and given back."""

import concurrent.futures
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import Named, ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.errors import (
    AccessRefusedError,
    DamagedError,
    LockedError,
    LockLostError,
    UnreachableError,
)
from nightsafe.repository.locks import Lock, hold_lock, remove_locks, stored_locks
from nightsafe.repository.repository import Repository

from backup_service.env import BASE_DIR
from tests.support.agent.rest_server import RestServer
from tests.support.waiting import wait_until
from tests.unit.agent.backend.test_rest import CREDENTIAL
from tests.unit.agent.conftest import copy_vault, reopen

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "objects.json").read_text())
MINUTE = 60 * 1_000_000_000


def dead_pid() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def stand(repository: Repository, *, age: int = 0, **fields: object) -> str:
    """Let a lock of another host stand in the repository; `age` in minutes."""
    fields = {"hostname": "other-host"} | fields
    lock = Lock.mine(exclusive=False)._replace(**fields)  # type: ignore[arg-type]
    lock = lock._replace(time=lock.time - age * MINUTE)
    return repository.save_text(ObjectKind.LOCK, lock.encode())


def names(repository: Repository) -> set[str]:
    return {listing.name for listing in repository.storage.list(ObjectKind.LOCK)}


def test_vector() -> None:
    lock = Lock(1500000000120000000, False, "host", "me", 4321, 1000, 100)
    assert json.loads(lock.encode()) == json.loads(VECTOR["lock"])
    assert Lock.decode(lock.encode())._replace(uid=1000, gid=100) == lock


def test_a_lock_stands_while_it_is_held_and_no_longer(repository: Repository) -> None:
    with hold_lock(repository):
        ((_, lock),) = stored_locks(repository)
        assert (lock.pid, lock.exclusive, lock.hostname) == (
            os.getpid(),
            False,
            socket.gethostname(),
        )
    assert names(repository) == set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_lock_is_given_back_however_the_work_ends(
    repository: Repository, error: type[BaseException]
) -> None:
    with pytest.raises(error), hold_lock(repository):
        raise error
    assert names(repository) == set()


@pytest.mark.parametrize(
    ("mine", "theirs", "conflict"),
    [(False, False, False), (False, True, True), (True, False, True), (True, True, True)],
)
def test_who_excludes_whom(
    repository: Repository, mine: bool, theirs: bool, conflict: bool
) -> None:
    other = stand(repository, exclusive=theirs, pid=77, username="eve", age=3)
    if not conflict:
        with hold_lock(repository, exclusive=mine):
            assert len(names(repository)) == 2
        return
    with pytest.raises(LockedError) as caught, hold_lock(repository, exclusive=mine):
        pytest.fail("held")
    text = str(caught.value)
    assert "eve on other-host (process 77) since " in text
    assert "3 minutes ago" in text
    assert "nightsafe unlock" in text
    assert names(repository) == {other}


@pytest.fixture
def rival(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else locks exclusively at the moment at which we have written our lock."""
    begin = repository.storage.begin

    def begin_beside(lock: Named) -> Sequence[Named]:
        told = begin(lock)
        stand(repository, exclusive=True)
        return told

    monkeypatch.setattr(repository.storage, "begin", begin_beside)


@pytest.mark.usefixtures("rival")
def test_a_lock_that_appears_meanwhile_wins(repository: Repository) -> None:
    with pytest.raises(LockedError), hold_lock(repository):
        pytest.fail("held")
    assert len(names(repository)) == 1


def test_on_a_server_a_lock_may_be_listed_a_moment_later(
    vault: Repository, server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = copy_vault(vault, RestBackend(server.url, CREDENTIAL))
    monkeypatch.setattr(time, "sleep", lambda _: stand(repository, exclusive=True))
    with pytest.raises(LockedError), hold_lock(repository):
        pytest.fail("held")
    assert len(names(repository)) == 1


@pytest.mark.usefixtures("rival")
def test_a_rival_of_the_same_moment_keeps_a_backup_from_listing_anything(
    repository: Repository, source: Path
) -> None:
    """The backup has begun when it looks a second time; what it sent until then harms nobody."""
    with pytest.raises(LockedError):
        backup(repository, [os.fsencode(source)])
    for kind in (ObjectKind.INDEX, ObjectKind.SNAPSHOT):
        assert list(repository.storage.list(kind)) == []
    assert len(list(repository.storage.list(ObjectKind.LOCK))) == 1, "the rival's stays"


def test_of_rivals_in_one_folder_no_two_are_alone_at_once(repository: Repository) -> None:
    """Where nothing has to settle: whoever writes its lock and lists then sees the others."""
    inside, won, barrier = [0], [0], threading.Barrier(6)

    def work() -> None:
        mine = reopen(repository, repository.storage)
        for _ in range(15):
            barrier.wait()
            with contextlib.suppress(LockedError), hold_lock(mine, exclusive=True):
                inside[0] += 1
                time.sleep(0.002)
                assert inside[0] == 1
                won[0] += 1
                inside[0] -= 1

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work) for _ in range(6)]:
            done.result()
    assert won[0]


def test_staleness() -> None:
    now = time.time_ns()
    mine, other = Lock.mine(exclusive=True), Lock.mine(exclusive=True)._replace(hostname="other")
    assert not other._replace(time=now - 29 * MINUTE).is_stale(now=now)
    assert other._replace(time=now - 31 * MINUTE).is_stale(now=now)
    assert not other._replace(time=now + 90 * MINUTE).is_stale(now=now)
    assert not mine.is_stale(now=now)
    assert mine._replace(pid=dead_pid()).is_stale(now=now)
    assert not other._replace(pid=dead_pid()).is_stale(now=now)
    assert not mine._replace(pid=0).is_stale(now=now)
    assert not mine._replace(pid=-1).is_stale(now=now)


def test_a_stale_lock_excludes_nobody_and_is_cleared_away(repository: Repository) -> None:
    stand(repository, exclusive=True, age=31)
    stand(repository, hostname=socket.gethostname(), pid=dead_pid())
    fresh = stand(repository)
    with hold_lock(repository):
        assert len(names(repository)) == 2
    assert names(repository) == {fresh}


def test_a_stale_lock_that_cannot_be_removed_is_left(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = stand(repository, exclusive=True, age=31)
    real = repository.storage.remove

    def refuse(kind: ObjectKind, name: str) -> None:
        if name == stale:
            raise AccessRefusedError("not yours")
        real(kind, name)

    monkeypatch.setattr(repository.storage, "remove", refuse)
    with hold_lock(repository, exclusive=True):
        assert len(names(repository)) == 2
    assert names(repository) == {stale}


def test_unlock_removes_stale_locks_only_unless_told(repository: Repository) -> None:
    fresh = stand(repository, pid=1)
    stand(repository, age=40)
    assert remove_locks(repository) == 1
    assert names(repository) == {fresh}
    assert remove_locks(repository, everything=True) == 1
    assert names(repository) == set()


def test_rubbish_among_the_locks_is_passed_over(repository: Repository) -> None:
    repository.storage.save(ObjectKind.LOCK, "ab" * 32, b"rubbish")
    repository.save_text(ObjectKind.LOCK, b"[]")
    with hold_lock(repository, exclusive=True):
        pass
    assert remove_locks(repository) == 0


def test_a_lock_is_renewed(repository: Repository) -> None:
    with hold_lock(repository, interval=0.02) as held:
        first = names(repository)
        wait_until(lambda: names(repository).isdisjoint(first), 5)
        assert held is not None
        held.ensure_held()
    assert names(repository) == set()


def test_a_lock_that_cannot_be_renewed_is_kept_until_it_can(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_lock(repository, interval=0.02) as held:
        assert held is not None
        first, calls = names(repository), []

        def fail(*_: object) -> None:
            calls.append(1)
            raise UnreachableError("away")

        with monkeypatch.context() as patch:
            patch.setattr(repository.storage, "save", fail)
            wait_until(lambda: len(calls) > 2, 5)
            assert names(repository) == first
        wait_until(lambda: names(repository).isdisjoint(first), 5)


def test_a_lock_too_old_is_lost(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_lock(repository) as held:
        assert held is not None
        later = time.time_ns() + 26 * MINUTE
        monkeypatch.setattr(time, "time_ns", lambda: later)
        with pytest.raises(LockLostError):
            held.ensure_held()


def test_reading_goes_on_without_a_lock_where_none_may_be_written(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AccessRefusedError("read-only")

    monkeypatch.setattr(repository.storage, "save", refuse)
    with hold_lock(repository, optional=True) as held:
        assert held is None
    with pytest.raises(AccessRefusedError), hold_lock(repository):
        pytest.fail("held")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"time":"x","exclusive":false}'])
def test_an_unsound_lock_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedError):
        Lock.decode(text)
