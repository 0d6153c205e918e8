"""The fence: a run that read the index before something was pruned may not save a snapshot."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.deletion import purge
from storage.models import Attempt, EndedLock, Lock, Vault
from storage.vaults import locks
from tests.unit.storage.conftest import Caller, caller, sealed, sha, some

pytestmark = pytest.mark.django_db
SNAPSHOT = sealed(b"snapshot")


class Run:
    """What stock restic asks for: the locks, its own, the locks again, and the index."""

    def __init__(self, who: Caller, *, reads: bool = True) -> None:
        self.who = who
        who.names("locks")
        self.lock = self._put()
        who.names("locks")
        if reads:
            who.names("index")

    def _put(self) -> bytes:
        lock = os.urandom(150)
        assert self.who.put(lock, "locks").status_code == 200
        return lock

    def renew(self) -> None:
        former, self.lock = self.lock, self._put()
        self.who.delete(f"locks/{sha(former)}")

    def save(self, content: bytes = SNAPSHOT) -> int:
        return self.who.put(content, "snapshots").status_code

    def end(self) -> None:
        self.who.delete(f"locks/{sha(self.lock)}")


def unlock(who: Caller) -> None:
    """`restic unlock --remove-all`."""
    for name in who.names("locks"):
        who.delete(f"locks/{name}")


def prune(who: Caller, kind: str = "data") -> None:
    """Remove something under an exclusive lock."""
    content = some()
    who.put(content, kind)
    run = Run(who)
    assert who.delete(f"{kind}/{sha(content)}").status_code == 200
    run.end()


def read(who: Caller) -> None:
    """`restic stats`."""
    Run(who).end()


READERS: dict[str, Callable[[Caller], object]] = {
    "nobody": lambda who: None,
    "stats": read,
    "ls --no-lock": lambda who: who.names("index"),
    "list": lambda who: who.names("index"),
    "a HEAD": lambda who: who.client.head(who.url("index/")),
}


@pytest.mark.parametrize("kind", ["data", "index"])
@pytest.mark.parametrize("reader", READERS)
def test_a_run_whose_lock_was_removed(
    backup: Caller, maintain: Caller, kind: str, reader: str
) -> None:
    run = Run(backup)
    unlock(maintain)
    prune(maintain, kind)
    READERS[reader](backup)
    response = backup.put(SNAPSHOT, "snapshots")
    assert response.status_code == 403
    assert response.headers["Nightsafe-Refusal"] == "stale"
    assert b"run the backup again" in response.content
    assert "run the backup again" in response.reason_phrase
    assert backup.names("snapshots") == []
    run.end()
    assert Run(backup).save() == 200


@pytest.mark.parametrize("reader", READERS)
def test_its_own_credential_pruned(maintain: Caller, reader: str) -> None:
    run = Run(maintain)
    unlock(maintain)
    prune(maintain)
    READERS[reader](maintain)
    assert run.save() == 403


@pytest.mark.parametrize("who", ["maintain", "backup"])
def test_beside_a_fresh_run_of_the_same_credential(
    request: pytest.FixtureRequest, backup: Caller, maintain: Caller, who: str
) -> None:
    """Nobody can tell which of the two saves, so neither may until the older one is silent."""
    stale = Run(backup)
    unlock(request.getfixturevalue(who))
    prune(maintain)
    fresh = Run(backup)
    assert stale.save() == 403
    assert fresh.save() == 403
    with clock.travelled(timedelta(minutes=11)):
        fresh.renew()
        assert fresh.save() == 200


def test_beside_a_fresh_run_after_it_renewed_its_lock(backup: Caller, maintain: Caller) -> None:
    """A lock that takes the place of one that is gone stands for the older run for ever."""
    stale = Run(backup)
    with clock.travelled(timedelta(minutes=4)):
        unlock(maintain)
        prune(maintain)
    with clock.travelled(timedelta(minutes=5)):
        stale.renew()
    with clock.travelled(timedelta(minutes=6)):
        fresh = Run(backup)
    with clock.travelled(timedelta(minutes=15)):
        assert stale.save() == 403
        stale.end()
        assert fresh.save() == 200


def test_a_lock_that_is_renewed_is_as_old_as_its_run(backup: Caller, maintain: Caller) -> None:
    """Somebody who heeds no locks prunes while a run goes on."""
    run = Run(backup)
    prune(maintain)
    backup.names("index")
    run.renew()
    assert run.save() == 403
    run.end()
    assert Run(backup).save() == 200


def test_runs_beside_each_other(backup: Caller, maintain: Caller) -> None:
    prune(maintain)
    first, second = Run(backup), Run(backup)
    read(backup)
    first.renew()
    assert first.save(sealed(b"first")) == 200
    first.end()
    second.renew()
    assert second.save(sealed(b"second")) == 200
    second.end()
    assert not Lock.objects.exists()
    assert not EndedLock.objects.filter(may_go_on=True).exists()


def test_one_after_the_other(backup: Caller, maintain: Caller) -> None:
    """Listing, pruning and backing up in a row, with one credential or two."""
    for number, who in enumerate([maintain, backup, maintain]):
        read(who)
        prune(maintain)
        run = Run(who)
        assert run.save(sealed(b"snapshot %d" % number)) == 200
        run.end()


def test_changing_tags_reads_no_index(maintain: Caller) -> None:
    prune(maintain)
    run = Run(maintain, reads=False)
    assert run.save() == 200


def test_what_a_killed_run_left_holds_nobody_up_for_long(backup: Caller, maintain: Caller) -> None:
    Run(backup)  # and is killed
    unlock(backup)
    prune(maintain)
    run = Run(backup)
    assert run.save() == 403
    with clock.travelled(timedelta(minutes=11)):
        run.renew()
        assert run.save() == 200


def test_a_lock_that_is_not_renewed_does_not_hold_up_one_that_is(
    backup: Caller, maintain: Caller
) -> None:
    Run(backup)  # and is killed
    with clock.travelled(timedelta(minutes=40)):
        prune(maintain)  # by somebody who passes over stale locks
        assert Run(backup).save() == 200


def test_a_run_without_a_lock_cannot_be_told_from_others(
    backup: Caller, maintain: Caller, settings: Settings
) -> None:
    backup.names("index")
    assert backup.put(sealed(b"before anything was pruned"), "snapshots").status_code == 200
    prune(maintain)
    backup.names("index")
    assert backup.put(SNAPSHOT, "snapshots").status_code == 403
    with clock.travelled(settings.GRACE + timedelta(days=1)):
        backup.names("index")
        assert backup.put(SNAPSHOT, "snapshots").status_code == 200


def test_what_was_sent_again_is_there(maintain: Caller) -> None:
    """After a lost answer restic removes the object and sends it once more."""
    run, content = Run(maintain), some()
    maintain.put(content)
    maintain.delete(f"data/{sha(content)}")
    maintain.put(content)
    assert run.save() == 200


def test_a_snapshot_that_is_stored_is_answered_with_200(backup: Caller, maintain: Caller) -> None:
    run = Run(backup)
    assert run.save() == 200
    unlock(maintain)
    prune(maintain)
    assert run.save() == 200
    assert backup.names("snapshots") == [sha(SNAPSHOT)]


def test_a_snapshot_that_was_removed_is_not_brought_back_by_a_stale_run(
    backup: Caller, maintain: Caller
) -> None:
    run = Run(backup)
    run.save()
    unlock(maintain)
    prune(maintain)
    maintain.delete(f"snapshots/{sha(SNAPSHOT)}")
    assert run.save() == 403


def test_forgetting_a_snapshot_does_not_fence(backup: Caller, maintain: Caller) -> None:
    run = Run(backup)
    run.save(sealed(b"old snapshot"))
    maintain.delete(f"snapshots/{sha(sealed(b'old snapshot'))}")
    assert run.save() == 200


def test_other_vaults_do_not_fence(backup: Caller, bob: Caller) -> None:
    run = Run(backup)
    prune(bob)
    assert run.save() == 200


def test_a_prune_while_the_snapshot_is_on_its_way(
    backup: Caller, maintain: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.uploads import ingest

    run, begin = Run(backup), ingest.begin

    def begin_and_prune(*arguments: Any, **keywords: Any) -> Attempt:
        monkeypatch.setattr(ingest, "begin", begin)
        begun = begin(*arguments, **keywords)
        unlock(maintain)
        prune(maintain)
        return begun

    monkeypatch.setattr(ingest, "begin", begin_and_prune)
    assert run.save() == 403
    assert backup.names("snapshots") == []


def test_what_is_known_of_ended_locks_is_bounded(backup: Caller, maintain: Caller) -> None:
    for _ in range(60):
        Run(backup, reads=False).end()
    assert EndedLock.objects.count() == 50
    locks.drop_stale(clock.now() + timedelta(days=2))
    assert not EndedLock.objects.exists()


def test_a_purged_pack_fences_as_before(backup: Caller, maintain: Caller) -> None:
    run = Run(backup)
    unlock(maintain)
    prune(maintain)
    purge.purge(grace_ended_before=clock.now() + timedelta(seconds=1))
    assert run.save() == 403


def test_a_lock_of_the_same_name_again(vault: Vault) -> None:
    who = caller(vault, "backup")
    run = Run(who)
    who.delete(f"locks/{sha(run.lock)}")
    assert who.put(run.lock, "locks").status_code == 200
    assert not EndedLock.objects.exists()
